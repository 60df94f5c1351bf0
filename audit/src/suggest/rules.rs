//! Rules on requests: the methods and the paths that were seen, and no others.

use std::collections::{BTreeMap, BTreeSet};

use outwall_policy::{Method, Reason, RequestPath, Target, Treatment, glob_matches};

use super::need::Need;
use crate::traffic::RecordedPath;

/// One rule that allows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SuggestedRule {
    pub(super) target: Target,
    /// Empty: every method, because what was seen cannot be written as one.
    pub(super) methods: BTreeSet<String>,
    /// Empty: every path.
    pub(super) paths: BTreeSet<String>,
    /// How many paths were seen, where they are written as fewer.
    pub(super) widened_from: Option<usize>,
}

/// The rules for every target whose requests are read, but those that the Trusted list is for.
pub(super) fn of(needs: &BTreeMap<Target, Need>, by_the_list: &[Target]) -> Vec<SuggestedRule> {
    needs
        .iter()
        .filter(|(target, _)| !by_the_list.contains(target))
        .filter(|(_, need)| need.way().treatment() == Treatment::Intercept)
        .filter(|(_, need)| need.samples().any(|sample| sample.request().is_some()))
        .flat_map(|(target, need)| of_target(target, need))
        .collect()
}

fn of_target(target: &Target, need: &Need) -> Vec<SuggestedRule> {
    let mut paths: BTreeMap<String, BTreeSet<&RecordedPath>> = BTreeMap::new();
    for request in need.samples().filter_map(|sample| sample.request()) {
        for method in std::iter::once(&request.method).chain(&request.acts_as) {
            paths.entry(written(method)).or_default().insert(&request.path);
        }
    }
    // Methods with the same paths share a rule.
    let mut shared: BTreeMap<(BTreeSet<String>, Option<usize>), BTreeSet<String>> = BTreeMap::new();
    for (method, seen) in paths {
        let widened = if need.has_more() {
            (BTreeSet::new(), None)
        } else {
            globs(&seen)
        };
        shared.entry(widened).or_default().insert(method);
    }
    let rule = |((paths, widened_from), methods): (_, BTreeSet<String>)| SuggestedRule {
        target: target.clone(),
        methods: if methods.contains("") {
            BTreeSet::new()
        } else {
            methods
        },
        paths,
        widened_from,
    };
    shared.into_iter().map(rule).collect()
}

/// A method as a rule may have it: in upper case, or not at all.
fn written(method: &Method) -> String {
    let text = method.as_str();
    if text.to_ascii_uppercase() == text {
        text.to_owned()
    } else {
        String::new()
    }
}

fn globs(seen: &BTreeSet<&RecordedPath>) -> (BTreeSet<String>, Option<usize>) {
    if seen.iter().any(|path| path.to_string() == "*") {
        return (BTreeSet::new(), None); // OPTIONS of the server has no path
    }
    let globs: BTreeSet<String> = seen.iter().map(|path| glob(path)).collect();
    if globs.len() <= MOST_PATHS {
        return (globs, None);
    }
    let widened = common_folder(&globs);
    (BTreeSet::from([widened]), Some(globs.len()))
}

/// The path as a glob. What is unknown in it is any text within its segment; what no glob can say is left open from there on.
fn glob(path: &RecordedPath) -> String {
    let text = path
        .filled("*")
        .map(|path| path.as_str().to_owned())
        .unwrap_or_default();
    let sample = path.filled("x");
    if sample.is_some_and(|sample| glob_matches(&text, &sample)) {
        return text;
    }
    let good = |segment: &&str| !segment.is_empty() && !segment.contains("**");
    let folder: Vec<&str> = text.split('/').skip(1).take_while(good).collect();
    let folder = &folder[..folder
        .len()
        .saturating_sub(usize::from(folder.len() == text.split('/').count() - 1))];
    all_below(folder)
}

fn all_below(folder: &[&str]) -> String {
    let parts = folder.iter().copied().chain(["**"]);
    parts.flat_map(|part| ["/", part]).collect()
}

/// The longest folder that all are in.
fn common_folder(globs: &BTreeSet<String>) -> String {
    let mut common: Option<Vec<&str>> = None;
    for glob in globs {
        let folders: Vec<&str> = glob
            .split('/')
            .skip(1)
            .take_while(|segment| !segment.contains('*'))
            .collect();
        let folders = &folders[..folders.len().saturating_sub(1)];
        common = Some(match common {
            None => folders.to_vec(),
            Some(before) => {
                let same = before.iter().zip(folders).take_while(|(a, b)| a == b);
                same.map(|(a, _)| *a).collect()
            }
        });
    }
    all_below(&common.unwrap_or_default())
}

/// Widens the rules for a target by another reading of a path that was seen, for a request is allowed in all its readings. False when
/// that is not why it was refused.
pub(super) fn allow_reading(rules: &mut [SuggestedRule], target: &Target, reason: &Reason) -> bool {
    let Reason::RuleRefused {
        method,
        read_as: Some(reading),
        ..
    } = reason
    else {
        return false;
    };
    let Ok(path) = RequestPath::parse(reading) else {
        return false;
    };
    let mut added = false;
    for rule in rules
        .iter_mut()
        .filter(|rule| rule.target == *target && !rule.paths.is_empty())
    {
        if rule.methods.is_empty() || rule.methods.contains(method.as_str()) {
            let text = RecordedPath::read(path.as_str()).map(|path| glob(&path));
            added |= text.is_some_and(|text| rule.paths.insert(text));
        }
    }
    added
}

/// Of one rule; more are written as the folder that they are in.
const MOST_PATHS: usize = 32;
