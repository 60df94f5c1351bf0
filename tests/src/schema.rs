//! Every line that the real binary writes, held to the published schema of an event: strictly, since this is its own version.

use std::collections::HashSet;
use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;
use outwall_audit::query::{Filter, read};
use serde_json::Value;

/// The schema, and the published one with nothing left open.
struct Strict {
    schema: Value,
    validator: Validator,
}

static STRICT: LazyLock<Strict> = LazyLock::new(|| {
    let mut schema: Value =
        serde_json::from_str(outwall_audit::schema::EVENT_V1).expect("the schema is JSON");
    let kinds: Vec<_> = schema["$defs"]
        .as_object()
        .expect("kinds")
        .keys()
        .cloned()
        .collect();
    schema["properties"]["kind"]["enum"] = kinds.into();
    schema["additionalProperties"] = false.into();
    for inner in ["process", "tls", "github", "request", "response"] {
        schema["properties"][inner]["additionalProperties"] = false.into();
    }
    let request = &mut schema["properties"]["request"]["properties"]; // `response` refers to it
    request["body"]["additionalProperties"] = false.into();
    request["headers"]["items"]["additionalProperties"] = false.into();
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    Strict { schema, validator }
});

/// Fails for the first line of the log in `directory` that the schema does not describe. Lines that were tampered with are another
/// story's matter; those are no JSON, or have a field that says so.
///
/// Of a long log, beyond some thousand lines, one of each shape is looked at: kind and names of fields.
pub(crate) fn check(directory: &Path) {
    let Ok(events) = read(directory, Filter::default()) else {
        return;
    };
    let mut shapes = HashSet::new();
    for (number, event) in events.map_while(Result::ok).enumerate() {
        let Ok(line) = serde_json::from_str::<Value>(&event.line) else {
            continue;
        };
        if number < LOOKED_AT || shapes.insert(shape(&line)) {
            if let Err(error) = STRICT.validator.validate(&line) {
                panic!("{error} (at `{}`)\n{}", error.instance_path(), event.line);
            }
            let unexpected = unexpected(&line);
            assert!(
                unexpected.is_empty(),
                "not described for its kind: {unexpected:?}\n{}",
                event.line
            );
        }
    }
}

/// Fields that the kind does not have, according to the schema.
fn unexpected(line: &Value) -> Vec<&String> {
    let kind = &STRICT.schema["$defs"][line["kind"].as_str().unwrap_or_default()];
    let described = |field: &str| {
        [&STRICT.schema["required"], &kind["required"], &kind["x-optional"]]
            .iter()
            .any(|list| {
                list.as_array()
                    .is_some_and(|list| list.iter().any(|one| one == field))
            })
    };
    line.as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
        .filter(|name| !described(name))
        .collect()
}

fn shape(line: &Value) -> String {
    let names = line
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str());
    names.fold(line["kind"].to_string(), |shape, name| shape + "," + name)
}

const LOOKED_AT: usize = 2000;
