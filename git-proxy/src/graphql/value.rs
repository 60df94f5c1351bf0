//! Values of arguments, with variables put in and as the schema's types take them ("Values", "Input coercion", GraphQL specification,
//! October 2021, sections 2.9 and 3).

use std::collections::HashSet;

use apollo_compiler::ast::{OperationDefinition, Value};
use serde_json::{Map, Value as Json};

use super::schema::{Kind, SCHEMA, TypeRef};
use crate::refusal::printable;
use crate::understood::NotUnderstood;

/// The values of all variables that an operation declares, from what was sent or from their defaults, as their types take them. What was
/// sent besides is left out.
pub(crate) fn variables(
    operation: &OperationDefinition,
    mut sent: Map<String, Json>,
) -> Result<Map<String, Json>, NotUnderstood> {
    let (mut values, mut names) = (Map::new(), HashSet::new());
    for variable in &operation.variables {
        let name = variable.name.as_str();
        let written = variable.ty.to_string();
        let (ty, what) = (TypeRef(&written), format!("the variable ${name}"));
        if !names.insert(name) {
            return Err(NotUnderstood::because(format!("{what} is declared twice")));
        }
        if !is_of_values(ty.name()) {
            return Err(not_of(&what, ty));
        }
        let value = match (sent.remove(name), &variable.default_value) {
            (Some(value), _) => value,
            (None, Some(default)) => literal(default, None)?.unwrap_or(Json::Null),
            (None, None) if ty.nullable().1 => {
                return Err(NotUnderstood::because(format!(
                    "{what} has no value, and needs one"
                )));
            }
            (None, None) => continue,
        };
        values.insert(name.to_owned(), coerced(value, ty, &what)?);
    }
    Ok(values)
}

/// The value of an argument; none if it is a variable without one.
pub(crate) fn argument(
    value: &Value,
    variables: &Map<String, Json>,
    ty: TypeRef<'_>,
    what: &str,
) -> Result<Option<Json>, NotUnderstood> {
    match literal(value, Some(variables))? {
        Some(value) => coerced(value, ty, what).map(Some),
        None => Ok(None),
    }
}

/// What a literal says. Without variables in a default, which has none.
fn literal(value: &Value, variables: Option<&Map<String, Json>>) -> Result<Option<Json>, NotUnderstood> {
    let number = |text: &str| -> Result<Json, NotUnderstood> {
        let number = text.parse::<serde_json::Number>();
        number
            .map(Json::Number)
            .map_err(|_| NotUnderstood::because(format!("{text} is out of range")))
    };
    Ok(Some(match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => (*value).into(),
        Value::String(text) => text.as_str().into(),
        Value::Enum(name) => name.as_str().into(),
        Value::Int(text) => number(text.as_str())?,
        Value::Float(text) => number(text.as_str())?,
        Value::Variable(name) => {
            let Some(variables) = variables else {
                return Err(NotUnderstood::because(format!(
                    "a default names the variable ${name}"
                )));
            };
            return Ok(variables.get(name.as_str()).cloned());
        }
        Value::List(items) => {
            let items = items
                .iter()
                .map(|item| Ok(literal(item, variables)?.unwrap_or(Json::Null)));
            Json::Array(items.collect::<Result<_, NotUnderstood>>()?)
        }
        Value::Object(members) => object(
            members.iter().map(|(name, value)| (name.as_str(), &**value)),
            variables,
        )?,
    }))
}

fn object<'a>(
    members: impl Iterator<Item = (&'a str, &'a Value)>,
    variables: Option<&Map<String, Json>>,
) -> Result<Json, NotUnderstood> {
    let mut read = Map::new();
    for (name, value) in members {
        if read.contains_key(name) {
            return Err(NotUnderstood::because(format!(
                "the query has the member `{name}` twice"
            )));
        }
        if let Some(value) = literal(value, variables)? {
            read.insert(name.to_owned(), value);
        }
    }
    Ok(Json::Object(read))
}

/// A value as a type takes it: a single one becomes a list of one, the number of an id its text.
fn coerced(value: Json, ty: TypeRef<'_>, what: &str) -> Result<Json, NotUnderstood> {
    let (inner, required) = ty.nullable();
    if value.is_null() {
        if required {
            return Err(NotUnderstood::because(format!(
                "{what} is null, and its type is {}",
                ty.0
            )));
        }
        return Ok(value);
    }
    if let Some(item) = inner.item() {
        let items = match value {
            Json::Array(items) => items,
            single => vec![single],
        };
        let items = items.into_iter().map(|one| coerced(one, item, what));
        return items.collect::<Result<_, _>>().map(Json::Array);
    }
    let found = SCHEMA.named(inner.name());
    match (found.map(|found| found.kind), inner.name()) {
        (Some(Kind::Input), _) => members(value, inner, what),
        (Some(Kind::Enum), _) => one_of(value, inner, what),
        _ if is_of_values(inner.name()) => scalar(value, inner, what),
        _ => Err(NotUnderstood::because(format!(
            "{what} is of the type `{}`, which is none for values",
            inner.0
        ))),
    }
}

/// Whether a type is one of values, not of objects.
fn is_of_values(name: &str) -> bool {
    match SCHEMA.named(name) {
        Some(found) => matches!(found.kind, Kind::Scalar | Kind::Enum | Kind::Input),
        None => ["Int", "Float", "String", "Boolean", "ID"].contains(&name),
    }
}

fn members(value: Json, ty: TypeRef<'_>, what: &str) -> Result<Json, NotUnderstood> {
    let Json::Object(sent) = value else {
        return Err(not_of(what, ty));
    };
    let fields = SCHEMA.named(ty.name()).map(|found| &found.fields);
    let mut read = Map::new();
    for (name, value) in sent {
        let field = fields
            .and_then(|fields| fields.get(name.as_str()))
            .ok_or_else(|| {
                NotUnderstood::because(format!(
                    "`{}` has no member `{}` that is known here",
                    ty.name(),
                    printable(&name)
                ))
            })?;
        let value = coerced(value, field.ty, &format!("{what}.{name}"))?;
        read.insert(name, value);
    }
    Ok(Json::Object(read))
}

fn one_of(value: Json, ty: TypeRef<'_>, what: &str) -> Result<Json, NotUnderstood> {
    let names = SCHEMA.named(ty.name()).map(|found| &found.names);
    let is_known = value
        .as_str()
        .zip(names)
        .is_some_and(|(value, names)| names.contains(&value));
    if is_known {
        Ok(value)
    } else {
        Err(not_of(what, ty))
    }
}

fn scalar(value: Json, ty: TypeRef<'_>, what: &str) -> Result<Json, NotUnderstood> {
    let is_right = match ty.name() {
        "Int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "Float" => value.is_number(),
        "Boolean" => value.is_boolean(),
        "ID" if value.is_i64() || value.is_u64() => return Ok(value.to_string().into()),
        "String" | "ID" => value.is_string(),
        _ => value.is_string() || value.is_number() || value.is_boolean(),
    };
    if is_right {
        Ok(value)
    } else {
        Err(not_of(what, ty))
    }
}

fn not_of(what: &str, ty: TypeRef<'_>) -> NotUnderstood {
    NotUnderstood::because(format!("{what} is not a `{}` that is known here", ty.name()))
}
