//! A document: read within limits, reduced to the one operation that is executed, and written anew.

use std::collections::{BTreeMap, BTreeSet};

use apollo_compiler::ast::{
    Argument, Definition, Directive, DirectiveList, Document as Parsed, Field, FragmentDefinition,
    OperationDefinition, Selection, Value,
};
use apollo_compiler::parser::Parser;
use apollo_compiler::{Name, Node};

use crate::refusal::printable;
use crate::understood::NotUnderstood;

/// The operation that is executed, and the fragments that it uses.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) operation: OperationDefinition,
    pub(crate) fragments: BTreeMap<Name, FragmentDefinition>,
}

/// The longest document, in bytes. Those of gh have 8,000.
pub(crate) const LONGEST: usize = 128 * 1024;
/// The most tokens. Those of gh have 2,500.
const MOST_TOKENS: usize = 20_000;
/// The deepest nesting of selections, values and types. Those of gh have 12.
const DEEPEST: usize = 48;
/// The most fields with another name than their own.
const MOST_ALIASES: usize = 500;
/// The most operations and fragments.
const MOST_DEFINITIONS: usize = 100;

impl Document {
    /// Reads a document and takes the operation of this name, or the only one.
    pub(crate) fn read(text: &str, operation: Option<&str>) -> Result<Self, NotUnderstood> {
        if text.len() > LONGEST {
            return Err(NotUnderstood::because(format!(
                "the query has more than {LONGEST} bytes"
            )));
        }
        let parsed = Parser::new()
            .recursion_limit(DEEPEST)
            .token_limit(MOST_TOKENS)
            .parse_ast(text, "query")
            .map_err(|wrong| NotUnderstood::because(fault(&wrong.errors)))?;
        let (operations, fragments) = definitions(parsed)?;
        let mut read = Self {
            operation: chosen(operations, operation)?,
            fragments,
        };
        read.drop_unused_fragments()?;
        read.check()?;
        Ok(read)
    }

    /// Writes the operation, what it uses of fragments, and the variables that are used.
    pub(crate) fn written(&self) -> String {
        let used = self.variables_used();
        let mut operation = self.operation.clone();
        operation
            .variables
            .retain(|variable| used.contains(&variable.name));
        let fragments = self.fragments.values().cloned();
        let definitions = [Definition::OperationDefinition(operation.into())]
            .into_iter()
            .chain(fragments.map(|fragment| Definition::FragmentDefinition(fragment.into())));
        let whole = Parsed {
            sources: std::sync::Arc::default(),
            definitions: definitions.collect(),
        };
        whole.serialize().no_indent().to_string()
    }

    /// The variables that something uses.
    pub(crate) fn variables_used(&self) -> BTreeSet<Name> {
        let mut used = BTreeSet::new();
        self.each_selection(&mut |selection| {
            for argument in arguments_of(selection) {
                variables_of(&argument.value, &mut used);
            }
        });
        used
    }

    /// All selections of the operation and of its fragments, at any depth.
    fn each_selection(&self, look: &mut impl FnMut(&Selection)) {
        each(&self.operation.selection_set, look);
        for fragment in self.fragments.values() {
            each(&fragment.selection_set, look);
        }
    }

    fn drop_unused_fragments(&mut self) -> Result<(), NotUnderstood> {
        let mut used = BTreeSet::new();
        let mut open = spreads(&self.operation.selection_set);
        while let Some(name) = open.pop() {
            let fragment = self
                .fragments
                .get(&name)
                .ok_or_else(|| NotUnderstood::because(format!("the query has no fragment `{name}`")))?;
            if used.insert(name) {
                open.extend(spreads(&fragment.selection_set));
            }
        }
        self.fragments.retain(|name, _| used.contains(name));
        Ok(())
    }

    fn check(&self) -> Result<(), NotUnderstood> {
        let mut aliases = 0_usize;
        let mut wrong = None;
        self.each_selection(&mut |selection| {
            let of_field = matches!(selection, Selection::Field(field) if field.alias.is_some());
            aliases += usize::from(of_field);
            wrong = wrong.take().or_else(|| selection_fault(selection));
        });
        if let Some(why) = wrong {
            return Err(NotUnderstood::because(why));
        }
        let elsewhere = [&self.operation.directives].into_iter();
        let elsewhere = elsewhere.chain(
            self.operation
                .variables
                .iter()
                .map(|variable| &variable.directives),
        );
        let mut elsewhere = elsewhere.chain(self.fragments.values().map(|fragment| &fragment.directives));
        if elsewhere.any(|list| !list.is_empty()) {
            return Err(NotUnderstood::because(
                "the query has a directive at an operation, a fragment or a variable",
            ));
        }
        let declared = |name: &Name| {
            self.operation
                .variables
                .iter()
                .any(|variable| variable.name == *name)
        };
        if let Some(other) = self.variables_used().iter().find(|name| !declared(name)) {
            return Err(NotUnderstood::because(format!(
                "the query has no variable ${other}"
            )));
        }
        if aliases > MOST_ALIASES {
            return Err(NotUnderstood::because(format!(
                "the query has more than {MOST_ALIASES} aliases"
            )));
        }
        Ok(())
    }
}

type Definitions = (Vec<OperationDefinition>, BTreeMap<Name, FragmentDefinition>);

fn definitions(parsed: Parsed) -> Result<Definitions, NotUnderstood> {
    if parsed.definitions.len() > MOST_DEFINITIONS {
        return Err(NotUnderstood::because(format!(
            "the query has more than {MOST_DEFINITIONS} operations and fragments"
        )));
    }
    let (mut operations, mut fragments) = (vec![], BTreeMap::new());
    for definition in parsed.definitions {
        match definition {
            Definition::OperationDefinition(operation) => operations.push((*operation).clone()),
            Definition::FragmentDefinition(fragment) => {
                let name = fragment.name.clone();
                if fragments.insert(name.clone(), (*fragment).clone()).is_some() {
                    return Err(NotUnderstood::because(format!(
                        "the query has two fragments `{name}`"
                    )));
                }
            }
            _ => {
                return Err(NotUnderstood::because(
                    "the query has something that is no operation and no fragment",
                ));
            }
        }
    }
    Ok((operations, fragments))
}

fn chosen(
    operations: Vec<OperationDefinition>,
    name: Option<&str>,
) -> Result<OperationDefinition, NotUnderstood> {
    let count = operations.len();
    let mut named = operations.into_iter().filter(|one| match name {
        Some(name) => one.name.as_ref().is_some_and(|own| own == name),
        None => true,
    });
    match (named.next(), named.next(), name) {
        (Some(one), None, _) => Ok(one),
        (None, _, None) => Err(NotUnderstood::because("the query has no operation")),
        (None, _, Some(name)) => Err(NotUnderstood::because(format!(
            "the query has no operation {:?}",
            printable(name)
        ))),
        (Some(_), Some(_), Some(_)) => {
            Err(NotUnderstood::because("the query has two operations of one name"))
        }
        (Some(_), Some(_), None) => Err(NotUnderstood::because(format!(
            "the query has {count} operations, and `operationName` names none"
        ))),
    }
}

/// The first fault, without the picture that goes with it.
fn fault(errors: &apollo_compiler::validation::DiagnosticList) -> String {
    let first = errors.iter().next().map(|one| one.error.to_string());
    format!(
        "the query is no GraphQL: {}",
        printable(&first.unwrap_or_default())
    )
}

fn each(selections: &[Selection], look: &mut impl FnMut(&Selection)) {
    for selection in selections {
        look(selection);
        each(selections_of(selection), look);
    }
}

fn selections_of(selection: &Selection) -> &[Selection] {
    match selection {
        Selection::Field(field) => &field.selection_set,
        Selection::InlineFragment(inline) => &inline.selection_set,
        Selection::FragmentSpread(_) => &[],
    }
}

fn spreads(selections: &[Selection]) -> Vec<Name> {
    let mut names = vec![];
    each(selections, &mut |selection| {
        if let Selection::FragmentSpread(spread) = selection {
            names.push(spread.fragment_name.clone());
        }
    });
    names
}

fn directives_of(selection: &Selection) -> &DirectiveList {
    match selection {
        Selection::Field(field) => &field.directives,
        Selection::InlineFragment(inline) => &inline.directives,
        Selection::FragmentSpread(spread) => &spread.directives,
    }
}

/// Arguments of a field and of directives.
fn arguments_of(selection: &Selection) -> impl Iterator<Item = &Node<Argument>> {
    let of_field: &[Node<Argument>] = match selection {
        Selection::Field(field) => &field.arguments,
        Selection::InlineFragment(_) | Selection::FragmentSpread(_) => &[],
    };
    let of_directives = directives_of(selection)
        .iter()
        .flat_map(|directive| &directive.arguments);
    of_field.iter().chain(of_directives)
}

fn variables_of(value: &Value, used: &mut BTreeSet<Name>) {
    match value {
        Value::Variable(name) => {
            used.insert(name.clone());
        }
        Value::List(items) => items.iter().for_each(|item| variables_of(item, used)),
        Value::Object(members) => members.iter().for_each(|(_, member)| variables_of(member, used)),
        _ => {}
    }
}

/// What is skipped is read as if it were not: `@skip` and `@include` are the only directives, and change nothing here.
fn selection_fault(selection: &Selection) -> Option<String> {
    let known = |directive: &&Node<Directive>| {
        let is_if = |argument: &Node<Argument>| argument.name == "if";
        (directive.name == "skip" || directive.name == "include")
            && directive.arguments.iter().all(is_if)
            && directive.arguments.len() == 1
    };
    if let Some(other) = directives_of(selection)
        .iter()
        .find(|directive| !known(directive))
    {
        return Some(format!("the query has the directive `@{}`", other.name));
    }
    match selection {
        Selection::Field(field) => argument_fault(field),
        Selection::InlineFragment(_) | Selection::FragmentSpread(_) => None,
    }
}

fn argument_fault(field: &Field) -> Option<String> {
    let mut names = BTreeSet::new();
    let twice = field
        .arguments
        .iter()
        .find(|argument| !names.insert(&argument.name))?;
    Some(format!(
        "the query has the argument `{}` of `{}` twice",
        twice.name, field.name
    ))
}
