//! GitHub's GraphQL schema, as far as documents are read by it: types, fields, arguments.
//!
//! It is `data/graphql-schema.graphqls`, made from what GitHub publishes, and `data/graphql-newer.graphqls`, which adds what has come since.
//! Both are ours and have one shape, a field or a value to a line, so that they are read at once: a reader of all of GraphQL's
//! schema language took ten times as long for the same, and half as much memory again (2.5 s and 7 MB against 0.2 s and 5 MB, without
//! optimization, on a busy machine).

use std::collections::HashMap;
use std::sync::LazyLock;

/// The schema.
#[derive(Debug)]
pub(crate) struct Schema {
    types: HashMap<&'static str, Type>,
}

/// A type by its name.
#[derive(Debug, Default)]
pub(crate) struct Type {
    pub(crate) kind: Kind,
    /// Fields of an object or an interface, members of an input, by name.
    pub(crate) fields: HashMap<&'static str, Field>,
    /// Values of an enum, members of a union.
    pub(crate) names: Vec<&'static str>,
    /// The interfaces that it has.
    pub(crate) interfaces: Vec<&'static str>,
}

/// Which kind of type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Scalar,
    Enum,
    Input,
    Object,
    Interface,
    Union,
}

/// A field, a member of an input, or an argument.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) ty: TypeRef<'static>,
    pub(crate) arguments: HashMap<&'static str, TypeRef<'static>>,
}

/// A type as it is written: `[PullRequest!]!`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TypeRef<'a>(pub(crate) &'a str);

/// What is published, and since when we have it.
pub(crate) const PUBLISHED: &str = include_str!("../../data/graphql-schema.graphqls");
pub(crate) const NEWER: &str = include_str!("../../data/graphql-newer.graphqls");

pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::read(&[PUBLISHED, NEWER]));

impl Schema {
    /// A name of a type, if it is one.
    pub(crate) fn name(&self, name: &str) -> Option<&'static str> {
        self.types.get_key_value(name).map(|(name, _)| *name)
    }

    /// The type of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Type> {
        self.types.get(name)
    }

    /// All names of types.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.types.keys().copied()
    }

    /// Whether a type has no fields.
    pub(crate) fn is_leaf(&self, name: &str) -> bool {
        self.named(name)
            .is_none_or(|found| matches!(found.kind, Kind::Scalar | Kind::Enum))
    }

    /// The objects that something of a type may be.
    pub(crate) fn possible(&self, name: &str) -> Vec<&'static str> {
        let Some((name, found)) = self.types.get_key_value(name) else {
            return vec![];
        };
        match found.kind {
            Kind::Object => vec![name],
            Kind::Union => found.names.clone(),
            Kind::Interface => {
                let has = |one: &&'static str| {
                    let one = &self.types[one];
                    one.kind == Kind::Object && one.interfaces.contains(name)
                };
                let mut all: Vec<&'static str> = self.names().filter(has).collect();
                all.sort_unstable();
                all
            }
            Kind::Scalar | Kind::Enum | Kind::Input => vec![],
        }
    }

    /// What a connection or an edge lists; the type itself for any other.
    pub(crate) fn listed(&self, name: &'static str) -> &'static str {
        let list = if name.ends_with("Connection") {
            ["nodes", "edges"].as_slice()
        } else if name.ends_with("Edge") {
            ["node"].as_slice()
        } else {
            return name;
        };
        let found = self.named(name);
        let field = list
            .iter()
            .find_map(|field| found.and_then(|found| found.fields.get(field)));
        match field {
            Some(field) if field.ty.name() != name => self.listed(field.ty.name()),
            _ => name,
        }
    }

    fn read(texts: &[&'static str]) -> Self {
        let mut types: HashMap<&'static str, Type> = HashMap::new();
        let mut current = "";
        for line in texts.iter().flat_map(|text| text.lines()) {
            match line.as_bytes().first() {
                None | Some(b'#' | b'}') => {}
                Some(b' ') => {
                    let of = types.get_mut(current).expect("a line of a type follows its head");
                    read_line(of, line.trim());
                }
                Some(_) => current = read_head(&mut types, line),
            }
        }
        Self { types }
    }
}

/// `type A implements B & C {`, `union A = B | C`, `scalar A`, `extend type A {`.
fn read_head(types: &mut HashMap<&'static str, Type>, line: &'static str) -> &'static str {
    let line = line.strip_prefix("extend ").unwrap_or(line);
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let end = rest.find([' ', '{']).unwrap_or(rest.len());
    let (name, rest) = (&rest[..end], rest[end..].trim_end_matches('{').trim());
    let new = types.entry(name).or_default();
    new.kind = match kind {
        "type" => Kind::Object,
        "interface" => Kind::Interface,
        "union" => Kind::Union,
        "enum" => Kind::Enum,
        "input" => Kind::Input,
        _ => Kind::Scalar,
    };
    if let Some(interfaces) = rest.strip_prefix("implements ") {
        new.interfaces.extend(interfaces.split('&').map(str::trim));
    }
    if let Some(members) = rest.strip_prefix("= ") {
        new.names.extend(members.split('|').map(str::trim));
    }
    name
}

/// `name(argument: Type = default, …): Type`, or a value of an enum.
fn read_line(of: &mut Type, line: &'static str) {
    if of.kind == Kind::Enum {
        of.names.push(line);
        return;
    }
    let end = line.find(['(', ':']).unwrap_or(line.len());
    let (name, rest) = (&line[..end], &line[end..]);
    let (arguments, ty) = match rest.strip_prefix('(') {
        Some(rest) => rest.rsplit_once("): ").unwrap_or((rest, "")),
        None => ("", rest.trim_start_matches(':').trim()),
    };
    let field = Field {
        ty: TypeRef(without_default(ty)),
        arguments: split(arguments).filter_map(argument).collect(),
    };
    of.fields.insert(name, field);
}

fn argument(text: &'static str) -> Option<(&'static str, TypeRef<'static>)> {
    let (name, ty) = text.split_once(": ")?;
    Some((name.trim(), TypeRef(without_default(ty))))
}

fn without_default(ty: &'static str) -> &'static str {
    ty.split(" =").next().unwrap_or(ty).trim()
}

/// Splits at commas outside of braces and brackets.
fn split(arguments: &'static str) -> impl Iterator<Item = &'static str> {
    let mut depth = 0_i32;
    arguments.split(move |character| {
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    })
}

impl<'a> TypeRef<'a> {
    /// Without `!`, and whether it was there.
    pub(crate) fn nullable(self) -> (Self, bool) {
        match self.0.strip_suffix('!') {
            Some(inner) => (Self(inner), true),
            None => (self, false),
        }
    }

    /// What a list has; none for no list.
    pub(crate) fn item(self) -> Option<Self> {
        let inner = self.nullable().0.0.strip_prefix('[')?.strip_suffix(']')?;
        Some(Self(inner))
    }

    /// The type at the bottom of lists.
    pub(crate) fn name(self) -> &'a str {
        self.0.trim_matches(['[', ']', '!'])
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn the_schema_is_read_whole() {
        let declared = PUBLISHED
            .lines()
            .filter(|line| line.starts_with(|one: char| one.is_ascii_lowercase()))
            .count();
        assert!(SCHEMA.types.len() > declared && declared > 1600);
        let mutation = SCHEMA.named("Mutation").unwrap();
        assert_eq!(
            mutation.fields["createPullRequest"].arguments["input"],
            TypeRef("CreatePullRequestInput!")
        );
        let issues = &SCHEMA.named("Repository").unwrap().fields["issues"];
        assert_eq!(issues.ty, TypeRef("IssueConnection!"));
        assert_eq!(issues.arguments["states"].name(), "IssueState");
        assert_eq!(
            SCHEMA.named("CreatePullRequestInput").unwrap().fields["draft"].ty,
            TypeRef("Boolean")
        );
        assert!(
            SCHEMA
                .named("SearchType")
                .unwrap()
                .names
                .contains(&"ISSUE_ADVANCED")
        );
        assert!(SCHEMA.possible("Actor").contains(&"User") && SCHEMA.possible("Node").len() > 100);
        assert_eq!(SCHEMA.listed("PullRequestConnection"), "PullRequest");
    }

    /// A line that was read wrongly names a type that is none.
    #[test]
    fn every_type_that_is_named_is_there() {
        for name in SCHEMA.names() {
            let found = SCHEMA.named(name).unwrap();
            let of_fields = found
                .fields
                .values()
                .flat_map(|field| field.arguments.values().copied().chain([field.ty]));
            let union = (found.kind == Kind::Union)
                .then_some(&found.names)
                .into_iter()
                .flatten();
            for named in of_fields
                .map(TypeRef::name)
                .chain(union.copied())
                .chain(found.interfaces.iter().copied())
            {
                let is_built_in = ["Int", "Float", "String", "Boolean", "ID"].contains(&named);
                assert!(
                    is_built_in || SCHEMA.named(named).is_some(),
                    "{name} names {named:?}"
                );
            }
            assert!(
                found.kind == Kind::Scalar || !found.fields.is_empty() || !found.names.is_empty(),
                "{name} is empty"
            );
        }
    }

    #[test]
    fn types_are_taken_apart() {
        let list = TypeRef("[[ID!]!]!");
        assert_eq!(
            (list.name(), list.item().unwrap().item(), TypeRef("ID").item()),
            ("ID", Some(TypeRef("ID!")), None)
        );
        assert_eq!(TypeRef("ID!").nullable(), (TypeRef("ID"), true));
    }
}
