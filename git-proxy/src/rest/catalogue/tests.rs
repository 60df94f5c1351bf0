//! The catalogue is compared with GitHub's published description: nothing is missing, nothing is made up.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::*;

/// See `data/describe.py`.
#[derive(Deserialize)]
struct Description {
    package: String,
    version: String,
    operations: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    method: String,
    path: String,
    id: String,
    parameters: BTreeMap<String, String>,
    query: Vec<String>,
    body: Option<Value>,
}

fn description() -> Description {
    serde_json::from_str(include_str!("../../../data/rest-description.json")).unwrap()
}

/// Every line of the files: whether it is undocumented, and the line.
fn lines() -> Vec<(bool, String)> {
    let files = [ALLOWED, REFUSED].map(|file| toml::from_str::<File>(file).unwrap());
    let groups = files.into_iter().flat_map(|file| file.operations);
    let line = |group: Group| {
        let lines: Vec<String> = group.of.lines().map(str::to_owned).collect();
        lines.into_iter().map(move |line| (group.undocumented, line))
    };
    groups.flat_map(line).collect()
}

#[test]
fn every_operation_of_the_description_is_classified_once_and_no_other() {
    let described = description();
    let expected: BTreeSet<String> = described
        .operations
        .iter()
        .map(|one| format!("{} {} {}", one.method, one.path, one.id))
        .collect();
    let lines = lines();
    let ours: BTreeSet<String> = lines
        .iter()
        .filter(|(undocumented, _)| !undocumented)
        .map(|(_, line)| line.clone())
        .collect();
    let missing: Vec<_> = expected.difference(&ours).collect();
    let made_up: Vec<_> = ours.difference(&expected).collect();
    assert!(
        missing.is_empty() && made_up.is_empty(),
        "{} {}: not in data/rest*.toml: {missing:#?}; not in the description: {made_up:#?}",
        described.package,
        described.version
    );
    let distinct: BTreeSet<_> = lines
        .iter()
        .map(|(_, line)| line.rsplit_once(' ').unwrap().0)
        .collect();
    assert_eq!(lines.len(), distinct.len(), "an operation is classified twice");
    assert!(expected.len() > 1_500, "{}", expected.len());
    for (_, line) in lines.iter().filter(|(undocumented, _)| *undocumented) {
        assert!(!expected.contains(line), "{line} is documented by now");
        assert!(line.starts_with("GET "), "{line}");
    }
}

#[test]
fn numbers_are_what_the_description_calls_numbers() {
    let numbers = toml::from_str::<File>(ALLOWED).unwrap().numbers;
    for described in description().operations {
        let operation = find(&described);
        if matches!(operation.class, Class::Refused(_)) {
            continue;
        }
        for (name, kind) in &described.parameters {
            assert_eq!(
                numbers.contains(name),
                kind == "integer",
                "{name} of {}",
                described.id
            );
        }
    }
}

#[test]
fn what_queries_may_name_is_documented_for_what_is_read() {
    let mut documented: BTreeSet<String> = BTreeSet::new();
    for described in description().operations {
        if described.method == "GET" && !matches!(find(&described).class, Class::Refused(_)) {
            documented.extend(described.query);
        }
    }
    let ours: BTreeSet<String> = CATALOGUE.queries.iter().cloned().collect();
    assert_eq!(ours, documented);
}

/// A body may say what is documented for the operation, and nothing that is not.
#[test]
fn bodies_are_those_of_the_description() {
    for described in description().operations {
        let operation = find(&described);
        if matches!(operation.class, Class::Refused(_)) || described.method == "GET" {
            continue;
        }
        match (&operation.body, &described.body) {
            (Some(shape), Some(body)) => is_within(shape, body, &described.id),
            (None, None) => {}
            (ours, theirs) => panic!("{}: {ours:?}, documented is {theirs:?}", described.id),
        }
    }
}

fn is_within(shape: &Shape, described: &Value, at: &str) {
    if let Some(alternatives) = described["one_of"].as_array() {
        let fits = |one: &Value| match shape {
            Shape::Members(_) => one["members"].is_object(),
            Shape::List(_) => one["items"] != Value::Null,
            Shape::Types(_) => one.is_string() || one["enum"].is_array(),
        };
        let found = alternatives.iter().find(|one| fits(one));
        return is_within(shape, found.unwrap_or_else(|| panic!("{at}: {described}")), at);
    }
    match shape {
        Shape::Members(members) => {
            for (name, member) in members {
                let theirs = &described["members"][name];
                assert!(!theirs.is_null(), "{at}.{name} is not documented");
                is_within(member, theirs, &format!("{at}.{name}"));
            }
        }
        Shape::List(item) => is_within(item, &described["items"], at),
        Shape::Types(_) => assert!(
            described.is_string() || described["enum"].is_array(),
            "{at}: {described}"
        ),
    }
}

fn find(described: &Described) -> &'static Operation {
    let found = CATALOGUE
        .operations
        .iter()
        .find(|one| one.id == described.id && one.method == described.method);
    found.unwrap_or_else(|| panic!("{} is not classified", described.id))
}

#[test]
fn only_what_writes_has_a_body_and_only_what_reads_has_another_answer() {
    for operation in &CATALOGUE.operations {
        if operation.method == "GET" || matches!(operation.class, Class::Refused(_)) {
            assert_eq!(operation.body, None, "{}", operation.id);
        }
        if operation.method != "GET" {
            assert_eq!(operation.answer, AnswerKind::WithoutTokens, "{}", operation.id);
        }
    }
}

#[test]
fn a_class_that_nothing_is_of_is_none() {
    let used: std::collections::HashSet<Class> = CATALOGUE.operations.iter().map(|one| one.class).collect();
    for (class, word) in CLASSES {
        assert!(used.contains(&class), "{word}");
    }
    assert!(Catalogue::parse(&ALLOWED.replace("\"rerun\"", "\"rerum\""), REFUSED, BODIES).is_err());
    assert!(Catalogue::parse(ALLOWED, REFUSED, &format!("{BODIES}\n[\"pulls/creat\"]\n")).is_err());
}

#[test]
#[ignore = "asks the npm registry for GitHub's newest description: 25 MB"]
fn the_newest_description_has_no_other_operations() {
    let scratch = tempfile::tempdir().unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let run = std::process::Command::new(program)
            .args(arguments)
            .current_dir(scratch.path())
            .output();
        match run {
            Ok(run) if run.status.success() => Some(run.stdout),
            Ok(run) => panic!(
                "{program} {arguments:?}: {}",
                String::from_utf8_lossy(&run.stderr)
            ),
            Err(why) => {
                println!("SKIPPED: the newest description: {program}: {why}");
                None
            }
        }
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/data/describe.py");
    let Some(packed) = run("npm", &["pack", "--silent", "@octokit/openapi"]) else {
        return;
    };
    let packed = String::from_utf8(packed).unwrap();
    let described = run("tar", &["xf", packed.trim()]).and_then(|_| run("python3", &[script, "package"]));
    let Some(described) = described else { return };
    let newest: Description = serde_json::from_slice(&described).unwrap();
    let names = |description: &Description| -> BTreeSet<String> {
        let operations = description.operations.iter();
        operations
            .map(|one| format!("{} {} {}", one.method, one.path, one.id))
            .collect()
    };
    let (ours, theirs) = (description(), names(&newest));
    let known = names(&ours);
    let new: Vec<_> = theirs.difference(&known).collect();
    let gone: Vec<_> = known.difference(&theirs).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "{} is {}, and rest-description.json is of {}. New: {new:#?}; gone: {gone:#?}. Make it anew with data/describe.py, and classify \
         what is new in data/rest*.toml",
        newest.package,
        newest.version,
        ours.version
    );
}
