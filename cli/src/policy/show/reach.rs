//! What an environment reaches, and how far.

use outwall_policy::{
    Allowances, Entry, Environment, LimitEntry, RuleEntry, RuleName, SizeListing, Treatment, TrustedList,
    trusted_writes, trusted_writes::WriteAction,
};

use crate::table::Table;
use crate::terminal::Paint;

pub(super) fn entries(environment: &Environment, paint: Paint) -> String {
    let mut table = Table::new(["HOSTS", "TREATMENT", "LINE", "FROM"]);
    for entry in environment.entries() {
        let Entry {
            hosts,
            rule,
            treatment,
            line,
        } = entry;
        table.row([
            hosts,
            treatment_in_a_word(treatment).to_owned(),
            line.map_or("-".to_owned(), |line| line.to_string()),
            source(&rule),
        ]);
    }
    if table.is_empty() {
        "nothing is reachable\n".to_owned()
    } else {
        table.render(paint)
    }
}

/// A host that a rule names accepts only what a rule allows, so they belong to the whole picture.
pub(super) fn rules(environment: &Environment, paint: Paint) -> String {
    let mut table = Table::new(["RULE", "ACTION", "REQUESTS"]);
    for RuleEntry {
        rule,
        allows,
        requests,
    } in environment.rules()
    {
        table.row([
            rule.to_string(),
            if allows { "allow" } else { "deny" }.to_owned(),
            requests,
        ]);
    }
    below(&table, paint)
}

/// How much its sandboxes may use.
pub(super) fn limits(environment: &Environment, paint: Paint) -> String {
    let mut table = Table::new(["LIMIT", "LINE", "OF"]);
    let entries = environment.allowances().map(Allowances::entries);
    for LimitEntry { whose, limit, line } in entries.into_iter().flatten() {
        table.row([limit, line.map_or("-".to_owned(), |line| line.to_string()), whose]);
    }
    below(&table, paint)
}

/// How large requests may be.
pub(super) fn sizes(environment: &Environment, paint: Paint) -> String {
    let mut table = Table::new(["AT MOST", "METHODS", "HOSTS"]);
    for SizeListing { hosts, methods, most } in environment.sizes() {
        table.row([most, methods, hosts]);
    }
    below(&table, paint)
}

/// A table with a line before it, where there is one.
pub(super) fn below(table: &Table<3>, paint: Paint) -> String {
    if table.is_empty() {
        String::new()
    } else {
        format!("\n{}", table.render(paint))
    }
}

/// What may be written to hosts of the Trusted list, which is more than a table of hosts can say.
pub(super) fn writes(list: TrustedList, paint: Paint) -> String {
    match list {
        TrustedList::Absent => return String::new(),
        TrustedList::ReadAndWrite => {
            return "\ntrusted_writes = true: hosts of the Trusted list take every request\n".to_owned();
        }
        TrustedList::Read => {}
    }
    let mut table = Table::new(["WRITES TO THE TRUSTED LIST", "ACTION", "HOSTS", "REQUESTS"]);
    for entry in trusted_writes::categories()
        .iter()
        .flat_map(|category| &category.entries)
    {
        let action = match entry.action {
            WriteAction::Allow => "allow",
            WriteAction::Deny => "deny",
        };
        table.row([
            entry.name.clone(),
            action.to_owned(),
            entry.hosts.join(", "),
            requests(&entry.methods, &entry.paths),
        ]);
    }
    format!(
        "\nThe Trusted list is for reading: its hosts take GET, HEAD and OPTIONS without a body, and else what is allowed\n\
         here. `trusted_writes = true` lifts it; an entry or a rule of your own for a host replaces it.\n\n{}",
        table.render(paint)
    )
}

pub(super) fn requests(methods: &[String], paths: &[String]) -> String {
    let all = |items: &[String], every: &str| match items {
        [] => every.to_owned(),
        some => some.join(", "),
    };
    format!("{} of {}", all(methods, "every method"), all(paths, "every path"))
}

pub(super) fn treatment_in_a_word(treatment: Treatment) -> &'static str {
    match treatment {
        Treatment::Intercept | Treatment::Forward => "intercept",
        Treatment::Tunnel => "tunnel",
        Treatment::Stream => "stream",
    }
}

/// The key it is written under; the host stands beside it already.
pub(super) fn source(rule: &RuleName) -> String {
    match rule {
        RuleName::AlwaysReachable(_) => "always_reachable".to_owned(),
        RuleName::Tunnelled(_) => "tunnelled_domains".to_owned(),
        RuleName::Tcp(_) => "tcp".to_owned(),
        RuleName::Allowed(_) => "allowed_domains".to_owned(),
        RuleName::Trusted { .. }
        | RuleName::TrustedWrite { .. }
        | RuleName::HostPort(_)
        | RuleName::Full
        | RuleName::Learn
        | RuleName::Granted { .. }
        | RuleName::Rule { .. }
        | RuleName::Limit(_)
        | RuleName::Size(_)
        | RuleName::Github(_)
        | RuleName::GithubStorage(_) => rule.to_string(),
    }
}
