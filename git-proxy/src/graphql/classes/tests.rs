#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
//! The lists are total: what the schema has is in one of them.

use super::super::schema::{Kind, TypeRef};
use super::*;

fn fields_of(of: &str) -> HashSet<&'static str> {
    SCHEMA
        .named(of)
        .unwrap_or_else(|| panic!("no type {of}"))
        .fields
        .keys()
        .copied()
        .collect()
}

fn names<'a>(map: impl Iterator<Item = &'a String>) -> HashSet<&'a str> {
    map.map(String::as_str).collect()
}

#[test]
fn every_root_field_and_every_mutation_is_in_a_list() {
    assert_eq!(names(CLASSES.queries.keys()), fields_of("Query"));
    assert_eq!(names(CLASSES.mutations.keys()), fields_of("Mutation"));
}

#[test]
fn no_kind_is_misspelled() {
    let written: toml::Value = toml::from_str(DATA).unwrap();
    let roots = ["repository", "node", "nodes", "search", "outside"];
    for table in ["queries", "mutations"] {
        for (name, word) in written[table].as_table().unwrap() {
            let Some(word) = word.as_str() else { continue };
            let is_root = table == "queries" && roots.contains(&word);
            assert!(
                is_root || OtherKind::named(word).is_some(),
                "{table}.{name} = {word}"
            );
        }
    }
    for (of, lists) in written["inside"].as_table().unwrap() {
        for list in lists.as_table().unwrap().keys() {
            let is_list = ["fields", "outside", "signed"].contains(&list.as_str());
            assert!(is_list || OtherKind::named(list).is_some(), "inside.{of}.{list}");
        }
    }
}

#[test]
fn every_field_of_what_is_in_the_repository_is_in_one_list() {
    let written: toml::Value = toml::from_str(DATA).unwrap();
    for (of, lists) in written["inside"].as_table().unwrap() {
        let all: Vec<&str> = lists
            .as_table()
            .unwrap()
            .values()
            .flat_map(|list| list.as_array().unwrap())
            .map(|one| one.as_str().unwrap())
            .collect();
        let listed: HashSet<&str> = all.iter().copied().collect();
        assert_eq!(all.len(), listed.len(), "{of} lists a field twice");
        assert_eq!(listed, fields_of(of), "{of}");
    }
}

/// What a field that stays leads to is itself in the lists, and so on: nothing is reached of which nothing is said.
#[test]
fn every_field_leads_to_something_that_is_in_a_list() {
    for (of, fields) in &CLASSES.inside {
        for (field, place) in fields {
            let ty = SCHEMA.named(of).unwrap().fields[field.as_str()].ty.name();
            let listed = SCHEMA.listed(ty);
            match place {
                Inside::Stays => assert!(
                    SCHEMA.is_leaf(listed) || CLASSES.inside.contains_key(listed),
                    "{of}.{field}: {listed}"
                ),
                Inside::Leaves => assert!(CLASSES.outside.contains_key(listed), "{of}.{field}: {listed}"),
                Inside::Signed => assert!(SCHEMA.is_leaf(listed), "{of}.{field}"),
                Inside::Refused(_) => {}
            }
        }
    }
    for (of, fields) in &CLASSES.outside {
        for field in fields {
            let ty = SCHEMA.named(of).unwrap().fields[field.as_str()].ty.name();
            let listed = SCHEMA.listed(ty);
            assert!(
                SCHEMA.is_leaf(listed) || CLASSES.outside.contains_key(listed),
                "outside {of}.{field}: {listed}"
            );
        }
    }
}

/// What belongs to people, organizations and other repositories is never read as if it were the repository's.
#[test]
fn nobodys_account_is_inside() {
    let boundary = [
        "User",
        "Bot",
        "Mannequin",
        "Organization",
        "Team",
        "Actor",
        "RepositoryOwner",
        "Enterprise",
        "EnterpriseUserAccount",
        "App",
        "ProjectV2",
        "Project",
        "Package",
        "Gist",
        "Sponsorable",
        "ProfileOwner",
        "PackageOwner",
        "MemberStatusable",
        "Topic",
    ];
    for of in boundary {
        assert!(!CLASSES.inside.contains_key(of), "{of}");
    }
    for (of, fields) in &CLASSES.inside {
        for (field, place) in fields {
            let listed = SCHEMA.listed(SCHEMA.named(of).unwrap().fields[field.as_str()].ty.name());
            let is_boundary = boundary.contains(&listed) || listed == "Repository";
            assert!(
                !is_boundary || *place != Inside::Stays,
                "{of}.{field} leads to a {listed}"
            );
        }
    }
}

/// Whoever has the HTML of a comment has URLs of its pictures that need no token, for some minutes.
#[test]
fn what_is_signed_stays_with_github() {
    for (of, fields) in &CLASSES.inside {
        for (field, place) in fields {
            let ty = SCHEMA.named(of).unwrap().fields[field.as_str()].ty.name();
            let is_signed = ((ty == "HTML" || field.ends_with("HTML")) && field != "titleHTML")
                || ["tempCloneToken", "tarballUrl", "zipballUrl"].contains(&field.as_str());
            assert_eq!(*place == Inside::Signed, is_signed, "{of}.{field}");
        }
    }
}

#[test]
fn every_member_of_the_input_of_an_understood_mutation_is_in_one_list() {
    for (name, mutation) in &CLASSES.mutations {
        let Mutation::Understood(one) = mutation else {
            continue;
        };
        let input = SCHEMA.named("Mutation").unwrap().fields[name.as_str()].arguments["input"].name();
        let all: Vec<&String> = [&one.here, &one.read, &one.plain, &one.refused]
            .into_iter()
            .flatten()
            .chain(&one.subject)
            .collect();
        assert_eq!(names(all.iter().copied()), fields_of(input), "{name}");
        assert_eq!(
            all.len(),
            names(all.iter().copied()).len(),
            "{name} lists a member twice"
        );
        assert!(
            CLASSES.may_be_inside(SCHEMA.named("Mutation").unwrap().fields[name.as_str()].ty.name()),
            "{name}"
        );
    }
}

/// An id says where something is done. Those of people do not: a reviewer is nobody's repository.
#[test]
fn no_plain_member_has_an_id_in_it() {
    let people = ["userIds", "teamIds", "assigneeIds", "actorIds"];
    for (name, mutation) in &CLASSES.mutations {
        let Mutation::Understood(one) = mutation else {
            continue;
        };
        let input = SCHEMA.named("Mutation").unwrap().fields[name.as_str()].arguments["input"].name();
        for member in &one.plain {
            let ty = SCHEMA.named(input).unwrap().fields[member.as_str()].ty;
            assert!(
                people.contains(&member.as_str()) || !has_id(ty),
                "{name}: {member}"
            );
        }
    }
}

fn has_id(ty: TypeRef<'static>) -> bool {
    match SCHEMA.named(ty.name()) {
        Some(found) if found.kind == Kind::Input => found.fields.values().any(|field| has_id(field.ty)),
        _ => ty.name() == "ID",
    }
}

/// GitHub adds to its schema each week. What is new is refused until it is in a list; this says what it is.
#[test]
#[ignore = "asks npm for the newest schema"]
fn the_schema_is_the_newest() {
    let directory = tempfile::tempdir().unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program)
            .args(arguments)
            .current_dir(directory.path())
            .output();
        output
            .ok()
            .filter(|output| output.status.success())
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let packed = run("npm", &["pack", "--silent", "@octokit/graphql-schema"]);
    let Some(archive) = packed.filter(|archive| run("tar", &["xf", archive.trim()]).is_some()) else {
        eprintln!(
            "SKIPPED: npm gives no @octokit/graphql-schema here; whether ours is the newest was not looked at"
        );
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/data/schema.py");
    let newest = run("python3", &[script, "package"]).unwrap();
    let ours: HashSet<&str> = super::super::schema::PUBLISHED.lines().collect();
    let new: Vec<&str> = newest.lines().filter(|line| !ours.contains(line)).collect();
    assert!(
        new.is_empty(),
        "{archive} has lines that ours has not; make graphql-schema.graphqls anew and list what the tests miss:\n{}",
        new.join("\n")
    );
}
