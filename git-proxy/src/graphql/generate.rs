//! Documents at random from the schema, for tests: most select and do what a session may, some do not.
//!
//! The same seed gives the same documents. What they name is of a [`Pool`]: what the session has, and what it has not.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::{Map, Value as Json, json};

use super::classes::{CLASSES, Inside, Mutation, Root};
use super::schema::{Field, Kind, SCHEMA, TypeRef};

/// What documents name.
#[derive(Clone, Debug)]
pub struct Pool {
    /// The session's repository: owner and name.
    pub repository: (String, String),
    /// Another.
    pub foreign: (String, String),
    /// The session's branch.
    pub branch: String,
    /// Another of the same repository.
    pub other_branch: String,
    /// Ids of nodes that the session may write to or read.
    pub ids: Vec<String>,
    /// Ids of others.
    pub foreign_ids: Vec<String>,
}

/// Makes documents.
#[derive(Debug)]
pub struct Generator {
    pool: Pool,
    state: u64,
    possible: HashMap<&'static str, Vec<&'static str>>,
}

/// A document with its variables.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The document.
    pub query: String,
    /// Its variables.
    pub variables: Json,
}

/// One document in the making.
#[derive(Default)]
struct Draft {
    declared: Vec<String>,
    variables: Map<String, Json>,
    fragments: Vec<String>,
}

/// Where a selection is, to choose what may be chosen there more often than not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Inside,
    Outside,
}

/// How deep selections nest.
const DEEPEST: usize = 5;

impl Generator {
    /// From a seed.
    pub fn new(seed: u64, pool: Pool) -> Self {
        Self {
            pool,
            state: seed,
            possible: HashMap::new(),
        }
    }

    /// The next document.
    pub fn document(&mut self) -> Generated {
        let mut draft = Draft::default();
        let is_mutation = self.chance(40);
        let roots = if self.chance(80) { 1 } else { 2 };
        let mut fields = String::new();
        for _ in 0..roots {
            let root = if is_mutation {
                self.mutation(&mut draft)
            } else {
                self.query(&mut draft)
            };
            let _ = write!(fields, "{root} ");
        }
        if self.chance(8) {
            let of = if is_mutation { "Mutation" } else { "Query" };
            fields = as_fragment(&mut draft, of, &fields);
        }
        let declared = if draft.declared.is_empty() {
            String::new()
        } else {
            format!("({})", draft.declared.join(", "))
        };
        let kind = if is_mutation { "mutation" } else { "query" };
        let name = if self.chance(50) { " Generated" } else { "" };
        Generated {
            query: format!(
                "{kind}{name}{declared} {{ {fields} }} {}",
                draft.fragments.join(" ")
            ),
            variables: Json::Object(draft.variables),
        }
    }

    fn query(&mut self, draft: &mut Draft) -> String {
        let name = if self.chance(85) {
            *self.one(&[
                "repository",
                "repository",
                "repository",
                "node",
                "nodes",
                "search",
                "viewer",
                "user",
                "rateLimit",
            ])
        } else {
            self.name_of(&SCHEMA.named("Query").expect("the schema has it").fields)
        };
        let at = match CLASSES.queries.get(name) {
            Some(Root::Outside) => At::Outside,
            _ => At::Inside,
        };
        self.field(draft, "Query", name, at, 0)
    }

    fn mutation(&mut self, draft: &mut Draft) -> String {
        let fields = &SCHEMA.named("Mutation").expect("the schema has it").fields;
        let mut name = self.name_of(fields);
        while self.chance(90) && matches!(CLASSES.mutations.get(name), Some(Mutation::Refused(_))) {
            name = self.name_of(fields);
        }
        self.field(draft, "Mutation", name, At::Inside, DEEPEST - 2)
    }

    /// A field with its arguments, and what is selected of it.
    fn field(&mut self, draft: &mut Draft, of: &str, name: &'static str, at: At, depth: usize) -> String {
        let field = &SCHEMA.named(of).expect("a type of the schema").fields[name];
        let alias = if self.chance(12) {
            format!("a{}: ", self.below(9))
        } else {
            String::new()
        };
        let mut text = format!("{alias}{name}{}", self.arguments(draft, field, name));
        if self.chance(5) {
            let directive =
                *self.one::<&str>(&[" @include(if: true)", " @skip(if: false)", " @include(if: false)"]);
            text.push_str(directive);
        }
        let ty = field.ty.name();
        if !SCHEMA.is_leaf(ty) {
            let inner = self.selection(draft, ty, at, depth + 1);
            let _ = write!(text, " {{ {inner} }}");
        }
        text
    }

    fn arguments(&mut self, draft: &mut Draft, field: &'static Field, of: &str) -> String {
        let mut names: Vec<&'static str> = field.arguments.keys().copied().collect();
        names.sort_unstable();
        let mut written = vec![];
        for name in names {
            let ty = field.arguments[name];
            let is_required = ty.nullable().1;
            if is_required || self.chance(15) {
                let value = self.value(ty, name, of, 0);
                written.push(format!("{name}: {}", self.written(draft, value, ty)));
            }
        }
        if written.is_empty() {
            String::new()
        } else {
            format!("({})", written.join(", "))
        }
    }

    /// A value as a literal, or as a variable that has it.
    fn written(&mut self, draft: &mut Draft, value: Json, ty: TypeRef<'static>) -> String {
        if !self.chance(40) {
            return literal(&value, ty);
        }
        let name = format!("v{}", draft.declared.len());
        let default = if self.chance(20) {
            format!(" = {}", literal(&value, ty))
        } else {
            String::new()
        };
        draft.declared.push(format!("${name}: {}{default}", ty.0));
        if default.is_empty() || self.chance(50) {
            draft.variables.insert(name.clone(), value);
        }
        format!("${name}")
    }

    fn selection(&mut self, draft: &mut Draft, ty: &'static str, at: At, depth: usize) -> String {
        let found = SCHEMA.named(ty).expect("a type of the schema");
        let possible = self
            .possible
            .entry(ty)
            .or_insert_with(|| SCHEMA.possible(ty))
            .clone();
        if matches!(found.kind, Kind::Union | Kind::Interface)
            && (found.kind == Kind::Union || self.chance(50))
        {
            return self.of_possible(draft, &possible, at, depth);
        }
        let mut names: Vec<&'static str> = found.fields.keys().copied().collect();
        names.sort_unstable();
        let mut text = String::new();
        for _ in 0..=self.below(3) {
            let name = self.choice(&names, ty, at, depth);
            let Some(name) = name else {
                text.push_str("__typename ");
                continue;
            };
            let leads = match CLASSES.inside(ty, name) {
                Some(Inside::Leaves) => At::Outside,
                _ => at,
            };
            text.push_str(&self.field(draft, ty, name, leads, depth));
            text.push(' ');
        }
        if self.chance(6) {
            as_fragment(draft, ty, &text)
        } else {
            text
        }
    }

    fn of_possible(&mut self, draft: &mut Draft, possible: &[&'static str], at: At, depth: usize) -> String {
        let may_be = |one: &&'static str| match at {
            At::Inside => CLASSES.may_be_inside(one),
            At::Outside => CLASSES.may_be_outside(one),
        };
        let right: Vec<&'static str> = possible.iter().copied().filter(may_be).collect();
        let among = if self.chance(93) { &right } else { possible };
        if among.is_empty() {
            return "__typename".to_owned();
        }
        let of = *self.one(among);
        let inner = self.selection(draft, of, at, depth + 1);
        format!("__typename ... on {of} {{ {inner} }}")
    }

    /// A field of a type: one that is allowed there, nearly always.
    fn choice(
        &mut self,
        names: &[&'static str],
        of: &'static str,
        at: At,
        depth: usize,
    ) -> Option<&'static str> {
        for _ in 0..30 {
            let name = *self.one(names);
            let field = &SCHEMA.named(of)?.fields[name];
            let is_right = match at {
                At::Inside => matches!(CLASSES.inside(of, name), Some(Inside::Stays | Inside::Leaves)),
                At::Outside => CLASSES.outside(of, name),
            };
            let is_deep = depth >= DEEPEST && !SCHEMA.is_leaf(field.ty.name());
            if !is_deep && (is_right || self.chance(1)) {
                return Some(name);
            }
        }
        None
    }

    /// A value of a type, for an argument or a member of this name.
    fn value(&mut self, ty: TypeRef<'static>, name: &str, of: &str, depth: usize) -> Json {
        if let Some(item) = ty.item() {
            let items = (0..=self.below(1)).map(|_| self.value(item, name, of, depth + 1));
            return items.collect();
        }
        let Some(found) = SCHEMA.named(ty.name()) else {
            return self.scalar(ty.name(), name, of);
        };
        match found.kind {
            Kind::Enum => (*self.one(&found.names)).into(),
            Kind::Input => self.input(&found.fields, of, depth),
            _ => self.scalar(ty.name(), name, of),
        }
    }

    fn input(&mut self, fields: &'static HashMap<&'static str, Field>, of: &str, depth: usize) -> Json {
        let understood = match CLASSES.mutations.get(of) {
            Some(Mutation::Understood(understood)) => Some(understood),
            _ => None,
        };
        let mut names: Vec<&'static str> = fields.keys().copied().collect();
        names.sort_unstable();
        let mut input = Map::new();
        for name in names {
            let ty = fields[name].ty;
            let is_refused = understood.is_some_and(|one| one.refused.iter().any(|refused| refused == name));
            let chance = if is_refused { 3 } else { 35 };
            if depth < 4 && (ty.nullable().1 || self.chance(chance)) {
                input.insert(name.to_owned(), self.value(ty, name, of, depth + 1));
            }
        }
        Json::Object(input)
    }

    fn scalar(&mut self, ty: &str, name: &str, of: &str) -> Json {
        let pool = self.pool.clone();
        let mostly = |this: &mut Self, ours: &str, other: &str| -> Json {
            if this.chance(90) {
                ours.into()
            } else {
                other.into()
            }
        };
        match (ty, name) {
            ("Int", _) => self.below(30).into(),
            ("Float", _) => json!(0.5),
            ("Boolean", _) => self.chance(50).into(),
            ("ID", _) => {
                let ids = if self.chance(90) {
                    &pool.ids
                } else {
                    &pool.foreign_ids
                };
                self.one(ids).as_str().into()
            }
            ("GitObjectID", _) => "4b825dc642cb6eb9a060e54bf8d69288fbee4904".into(),
            ("GitRefname", _) => mostly(
                self,
                &format!("refs/heads/{}", pool.branch),
                &format!("refs/heads/{}", pool.other_branch),
            ),
            ("Base64String", _) => "eA==".into(),
            ("URI", _) => "https://github.com/".into(),
            ("DateTime" | "Date", _) => "2026-01-01T00:00:00Z".into(),
            (_, "owner") => mostly(self, &pool.repository.0, &pool.foreign.0),
            (_, "name") if of == "repository" => mostly(self, &pool.repository.1, &pool.foreign.1),
            (_, "name") if of == "createRef" => format!("refs/heads/{}", pool.branch).into(),
            (_, "repositoryNameWithOwner") => mostly(
                self,
                &format!("{}/{}", pool.repository.0, pool.repository.1),
                &format!("{}/{}", pool.foreign.0, pool.foreign.1),
            ),
            (_, "query") => self.search(),
            (_, "headRefName" | "branchName" | "headRef") => self.branch(),
            (_, "path") => mostly(self, "src/a", ".github/workflows/ci.yml"),
            (_, "expression" | "qualifiedName") => mostly(self, "main", "HEAD:src"),
            _ => "x".into(),
        }
    }

    fn branch(&mut self) -> Json {
        let (branch, other, foreign) = (&self.pool.branch, &self.pool.other_branch, &self.pool.foreign.0);
        let all = [
            branch.clone(),
            branch.clone(),
            branch.clone(),
            branch.clone(),
            other.clone(),
            format!("{foreign}:{branch}"),
        ];
        self.one(&all).as_str().into()
    }

    fn search(&mut self) -> Json {
        let Pool {
            repository: (owner, name),
            foreign,
            ..
        } = &self.pool;
        let all = [
            "x".to_owned(),
            "is:issue x".to_owned(),
            format!("( fix ) repo:{owner}/{name} is:pr"),
            format!("repo:{}/{}", foreign.0, foreign.1),
            format!("x OR org:{}", foreign.0),
            "x NOT".to_owned(),
            "\"x".to_owned(),
        ];
        self.one(&all).as_str().into()
    }

    fn name_of(&mut self, fields: &'static HashMap<&'static str, Field>) -> &'static str {
        let mut names: Vec<&'static str> = fields.keys().copied().collect();
        names.sort_unstable();
        self.one::<&'static str>(&names)
    }

    fn one<'x, T>(&mut self, among: &'x [T]) -> &'x T {
        &among[self.below(among.len() - 1)]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(99) < percent
    }

    /// From 0 to this, inclusive. `SplitMix64` (Steele, Lea, Flood 2014).
    fn below(&mut self, most: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let drawn = (mixed ^ (mixed >> 31)) >> 33;
        usize::try_from(drawn).unwrap_or_default() % (most + 1)
    }
}

/// What is selected, as a fragment of its own.
fn as_fragment(draft: &mut Draft, of: &str, fields: &str) -> String {
    let name = format!("F{}", draft.fragments.len());
    draft
        .fragments
        .push(format!("fragment {name} on {of} {{ {fields} }}"));
    format!("...{name}")
}

/// A value as GraphQL writes it: names of enums without quotes.
fn literal(value: &Json, ty: TypeRef<'static>) -> String {
    let found = SCHEMA.named(ty.name());
    match value {
        Json::Array(items) => {
            let item = ty.item().unwrap_or(ty);
            format!(
                "[{}]",
                items
                    .iter()
                    .map(|one| literal(one, item))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
        Json::Object(members) => {
            let of = |name: &String| {
                found
                    .and_then(|found| found.fields.get(name.as_str()))
                    .map_or(ty, |field| field.ty)
            };
            let members = members
                .iter()
                .map(|(name, value)| format!("{name}: {}", literal(value, of(name))));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Json::String(text) if found.is_some_and(|found| found.kind == Kind::Enum) => text.clone(),
        other => other.to_string(),
    }
}
