//! Requests for every operation of GitHub's description, from little that matters: the session's repository and branch, another
//! repository, `main`, and spellings of them. It knows the description, and nothing of how we classify it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// See `data/describe.py`.
#[derive(Deserialize)]
pub(crate) struct Description {
    pub(crate) operations: Vec<Described>,
}

#[derive(Deserialize)]
pub(crate) struct Described {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) id: String,
    parameters: BTreeMap<String, String>,
    query: Vec<String>,
    body: Option<Value>,
}

/// A request as a client writes it.
#[derive(Debug)]
pub(crate) struct Generated {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) body: String,
}

/// Numbers that are the same on every run (Marsaglia's xorshift).
pub(crate) struct Dice(u64);

impl Dice {
    /// Of a name, so that each operation has its own (Fowler, Noll and Vo's hash).
    pub(crate) fn of(name: &str) -> Self {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash | 1)
    }

    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % count as u64).unwrap_or_default()
    }

    /// Mostly the first one.
    fn pick<'a>(&mut self, pool: &[&'a str]) -> &'a str {
        if self.below(3) == 0 {
            pool[self.below(pool.len())]
        } else {
            pool[0]
        }
    }

    fn any<'a>(&mut self, pool: &[&'a str]) -> &'a str {
        pool[self.below(pool.len())]
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

impl Description {
    pub(crate) fn read() -> Self {
        let described = include_str!("../../../data/rest-description.json");
        serde_json::from_str(described).expect("describe.py wrote it")
    }
}

impl Described {
    /// A request for this operation, and sometimes for something beside it.
    pub(crate) fn request(&self, dice: &mut Dice) -> Generated {
        Generated {
            method: self.method(dice),
            path: self.written_path(dice),
            query: self.written_query(dice),
            body: self.written_body(dice),
        }
    }

    fn method(&self, dice: &mut Dice) -> String {
        match (self.method.as_str(), dice.below(20)) {
            ("GET", 0) => "HEAD".to_owned(),
            (_, 1) => dice.any(&["GET", "PUT", "POST", "PATCH", "DELETE"]).to_owned(),
            (method, _) => method.to_owned(),
        }
    }

    fn written_path(&self, dice: &mut Dice) -> String {
        let mut path = self.path.clone();
        if dice.one_in(10) {
            path = path.replacen(
                "/repos/{owner}/{repo}",
                dice.any(&["/repositories/7", "/repositories/8"]),
                1,
            );
        }
        while let Some((before, rest)) = path.split_once('{') {
            let (name, behind) = rest.split_once('}').expect("a parameter ends");
            let kind = self.parameters.get(name).map_or("any", String::as_str);
            path = format!("{before}{}{behind}", argument(name, kind, dice));
        }
        match dice.below(30) {
            0 => path.push('/'),
            1 => path = path.replacen('/', "//", 1 + dice.below(3)),
            2 => path = path.replacen("/repos/", "/repos/acme/app/../../", 1),
            3 => path = path.replacen("/app", "%2Fapp", 1),
            _ => {}
        }
        path
    }

    fn written_query(&self, dice: &mut Dice) -> Option<String> {
        let mut pairs = Vec::new();
        for name in &self.query {
            if name == "q" || name == "repository_id" || dice.one_in(3) {
                pairs.push(format!("{name}={}", dice.pick(&QUERY_VALUES)));
            }
        }
        if dice.one_in(20) {
            pairs.push(dice.any(&ODD_QUERIES).to_owned());
        }
        (!pairs.is_empty()).then(|| pairs.join("&"))
    }

    fn written_body(&self, dice: &mut Dice) -> String {
        let Some(shape) = &self.body else {
            return String::new();
        };
        let mut body = value("", shape, dice);
        if let (Some(members), true) = (body.as_object_mut(), dice.one_in(15)) {
            let odd = dice.any(&[
                "branch",
                "ref",
                "head",
                "base",
                "owner",
                "repo",
                "Branch",
                "unheard_of",
            ]);
            members.insert(odd.to_owned(), json!(dice.any(&STRINGS)));
        }
        let mut written = body.to_string();
        if written.ends_with('}') && dice.one_in(25) {
            written.pop();
            let comma = if written == "{" { "" } else { "," };
            let _ = write!(
                written,
                "{comma}{}}}",
                dice.any(&[
                    r#""branch":"main""#,
                    r#""ref":"refs/heads/main""#,
                    r#""head":"main""#
                ])
            );
        }
        written
    }
}

fn argument(name: &str, kind: &str, dice: &mut Dice) -> String {
    match name {
        "owner" | "template_owner" => {
            dice.pick(&["acme", "ACME", "eve", "%61cme", "acme%20", "acme%2Fapp%2F.."])
        }
        "repo" | "template_repo" => dice.pick(&[
            "app",
            "App",
            "secret",
            "app.git",
            "%61pp",
            "app%2F..%2Fsecret",
            "app;x",
            "..",
            "app%252f",
        ]),
        "ref" => dice.any(&REFS),
        "path" | "dir" => dice.any(&PATHS),
        "basehead" => dice.any(&[
            "main...outwall/x",
            "main...eve:main",
            "acme:secret:main...main",
            "main...acme:app:main",
            "a..b",
        ]),
        _ if kind == "integer" => {
            dice.pick(&["1", "2", "3", "4", "5", "7", "01", "1%2F", "-1", "1e0", "1;x"])
        }
        _ => dice.any(&[
            "main",
            "outwall%2Fx",
            "outwall/x",
            "ci.yml",
            "a%2Fsecrets",
            "..%2Fx",
            "x%252Fy",
            "%C3%A9",
            "a%00",
        ]),
    }
    .to_owned()
}

/// A value for a member of a body, by what it is called and what the description says of it.
fn value(name: &str, shape: &Value, dice: &mut Dice) -> Value {
    if dice.one_in(60) {
        return [
            json!(null),
            json!(1),
            json!("main"),
            json!(["main"]),
            json!({"ref": "main"}),
        ][dice.below(5)]
        .clone();
    }
    if let Some(alternatives) = shape["one_of"].as_array() {
        return value(name, &alternatives[dice.below(alternatives.len())], dice);
    }
    if let Some(members) = shape["members"].as_object() {
        return Value::Object(some_members(members, dice));
    }
    if let Some(values) = shape["enum"].as_array() {
        return values[dice.below(values.len())].clone();
    }
    if shape["items"] != Value::Null {
        return (0..dice.below(3))
            .map(|_| value(name, &shape["items"], dice))
            .collect();
    }
    match shape.as_str() {
        Some("integer") => json!(1 + dice.below(5)),
        Some("boolean") => json!(dice.one_in(2)),
        _ => json!(text(name, dice)),
    }
}

fn some_members(members: &Map<String, Value>, dice: &mut Dice) -> Map<String, Value> {
    let rare = [
        "head_repo",
        "issue",
        "issue_field_values",
        "signature",
        "enable_debugger",
        "duplicate_issue_id",
    ];
    let mut some = Map::new();
    for (name, shape) in members {
        let left_out = if rare.contains(&name.as_str()) {
            !dice.one_in(4)
        } else {
            dice.one_in(4)
        };
        if !left_out {
            some.insert(name.clone(), value(name, shape, dice));
        }
    }
    some
}

fn text(name: &str, dice: &mut Dice) -> &'static str {
    match name {
        "sha" | "tree" | "parents" | "object" | "base_tree" | "commit_id" | "expected_head_sha" => {
            dice.pick(&[OID, "main", "outwall/x", NULL_OID, ""])
        }
        "branch" | "head" => dice.pick(&[
            "outwall/x",
            "main",
            "acme:outwall/x",
            "eve:outwall/x",
            "refs/heads/outwall/x",
            "refs/heads/main",
            "HEAD",
            "outwall%2Fx",
        ]),
        "base" => dice.any(&["outwall/x", "main", "refs/heads/main", "eve:main"]),
        "ref" => dice.pick(&[
            "refs/heads/outwall/x",
            "refs/heads/main",
            "refs/tags/v1",
            "heads/outwall/x",
            "HEAD",
            "refs/heads/outwall/x/y",
        ]),
        "path" => dice.any(&PATHS),
        "head_repo" => dice.any(&["app", "secret", "acme/app", "eve/app"]),
        "event" => dice.any(&["COMMENT", "APPROVE", "REQUEST_CHANGES", "PENDING", "comment"]),
        _ => dice.any(&STRINGS),
    }
}

pub(crate) const OID: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const NULL_OID: &str = "0000000000000000000000000000000000000000";
const STRINGS: [&str; 8] = [
    "x",
    "outwall/x",
    "main",
    "acme/secret",
    "refs/heads/main",
    "é\u{202e}",
    "",
    "APPROVE",
];
const REFS: [&str; 12] = [
    "heads/outwall/x",
    "heads%2Foutwall%2Fx",
    "heads/outwall/x/",
    "heads/main",
    "heads%252Fmain",
    "heads/outwall/x/../../main",
    "tags/v1",
    "refs/heads/outwall/x",
    "heads/outwall/X",
    "heads",
    "heads/outwall%2Fx%2F..%2F..%2Fmain",
    "main",
];
const PATHS: [&str; 12] = [
    "src/a.rs",
    ".github/workflows/ci.yml",
    ".github%2Fworkflows%2Fci.yml",
    ".github%252Fworkflows/ci.yml",
    ".GitHub/workflows/ci.yml",
    ".github",
    "./.github/workflows/ci.yml",
    "a/../.github/workflows/ci.yml",
    "a%2F..%2F.github/workflows/ci.yml",
    "/x",
    ".git/config",
    "é b",
];
const QUERY_VALUES: [&str; 10] = [
    "7",
    "main",
    "outwall/x",
    "repo:acme/app+x",
    "repo:acme/secret",
    "x+OR+y",
    "-repo:acme/app",
    "%22repo:acme/secret%22",
    "user:acme",
    "8",
];
const ODD_QUERIES: [&str; 6] = [
    "access_token=x",
    "page=1&page=2",
    "branch=main",
    "callback=f",
    "_method=DELETE",
    "%ff",
];
