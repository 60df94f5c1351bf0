//! The operations of GitHub's own description, and which of them a request is.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::github::server::percent_decoded;

/// What an operation answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::github) enum Shape {
    Object,
    List,
    Text,
    Nothing,
}

#[derive(Debug)]
pub(in crate::github) struct Operation {
    pub(in crate::github) method: &'static str,
    pub(in crate::github) path: &'static str,
    /// The parts of the path.
    template: Vec<&'static str>,
    pub(in crate::github) id: String,
    pub(in crate::github) status: u16,
    pub(in crate::github) shape: Shape,
}

/// Parts of a template that may hold slashes.
const DEEP: [&str; 6] = ["path", "ref", "basehead", "branch", "dir", "subject_digest"];

pub(in crate::github) fn all() -> &'static [Operation] {
    static ALL: OnceLock<Vec<Operation>> = OnceLock::new();
    ALL.get_or_init(|| include_str!("../data/operations.tsv").lines().map(read).collect())
}

fn read(line: &'static str) -> Operation {
    let mut parts = line.split('\t');
    let mut part = || parts.next().expect("five parts");
    let (method, path, id, status, shape) = (part(), part(), part(), part(), part());
    let shape = match shape {
        "object" => Shape::Object,
        "list" => Shape::List,
        "text" => Shape::Text,
        _ => Shape::Nothing,
    };
    Operation {
        method,
        path,
        template: path.split('/').skip(1).collect(),
        id: id.to_owned(),
        status: status.parse().expect("a status"),
        shape,
    }
}

type Parts = BTreeMap<&'static str, String>;

/// The operation of a method and a path, and what its template names: the one that says most of the path itself.
pub(in crate::github) fn find(method: &str, path: &str) -> Option<(&'static Operation, Parts)> {
    let method = if method == "HEAD" { "GET" } else { method };
    let path: Vec<&str> = path.split('/').skip(1).collect();
    let matching = all()
        .iter()
        .filter(|operation| operation.method == method)
        .filter_map(|operation| {
            let mut parts = Parts::new();
            fits(&operation.template, &path, &mut parts).then_some((operation, parts))
        });
    matching.max_by_key(|(operation, _)| {
        let own = |part: &&&str| !part.starts_with('{');
        operation.template.iter().filter(own).count()
    })
}

fn fits(template: &[&'static str], path: &[&str], parts: &mut Parts) -> bool {
    let Some((first, template)) = template.split_first() else {
        return path.is_empty();
    };
    let Some(name) = first.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
        return path.first() == Some(first) && fits(template, &path[1..], parts);
    };
    let least = usize::from(name != "path"); // `/contents` alone is the root
    let most = if DEEP.contains(&name) {
        path.len()
    } else {
        1.min(path.len())
    };
    (least..=most).rev().any(|length| {
        let fit = fits(template, &path[length..], parts);
        if fit {
            parts.insert(name, percent_decoded(&path[..length].join("/")));
        }
        fit
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_by_its_own_path() {
        for operation in all() {
            let path = operation.path.replace(['{', '}'], "");
            let (found, _) = find(operation.method, &path).expect("it is there");
            let same = found.id == operation.id
                || found.path.split('/').count() == operation.path.split('/').count();
            assert!(same, "{} {path} is {}", operation.method, found.id);
        }
        assert!(all().len() > 1200);
    }

    #[test]
    fn what_a_template_names_is_decoded_and_may_hold_slashes() {
        let (operation, parts) = find("GET", "/repos/acme/app/contents/src%2Fa/b.rs").expect("it is there");
        assert_eq!(
            (operation.id.as_str(), parts["path"].as_str()),
            ("repos/get-content", "src/a/b.rs")
        );
        let (operation, parts) = find("PATCH", "/repos/acme/app/git/refs/heads/a/b").expect("it is there");
        assert_eq!(
            (operation.id.as_str(), parts["ref"].as_str()),
            ("git/update-ref", "heads/a/b")
        );
        assert!(find("GET", "/no/such/thing").is_none());
    }
}
