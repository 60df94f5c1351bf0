//! The schema of an event as JSON Schema 2020-12: what is published, and what every line is held to in tests.
//!
//! `schema/event.v1.json` is the source; `SCHEMA.md` is written from it, and a test says when it is not.

/// The published schema. It accepts kinds and fields of later writers.
pub const EVENT_V1: &str = include_str!("../schema/event.v1.json");

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use std::fmt::Write as _;

    use serde_json::Value;

    use super::*;
    use crate::event::Kind;

    fn schema() -> Value {
        serde_json::from_str(EVENT_V1).unwrap()
    }

    fn texts(list: &Value) -> Vec<&str> {
        list.as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap())
            .collect()
    }

    #[test]
    fn it_is_a_schema_and_describes_every_kind_and_no_other() {
        let schema = schema();
        jsonschema::draft202012::meta::validate(&schema).unwrap();
        let described = schema["$defs"].as_object().unwrap();
        for kind in Kind::ALL {
            assert!(described.contains_key(kind.as_str()), "{}", kind.as_str());
        }
        assert_eq!(described.len(), Kind::ALL.len());
        let conditions = schema["allOf"].as_array().unwrap();
        for (name, kind) in described {
            let reference = format!("#/$defs/{name}");
            let condition = conditions.iter().filter(|one| {
                one["if"]["properties"]["kind"]["const"] == name.as_str()
                    && one["then"]["$ref"] == reference.as_str()
            });
            assert_eq!(condition.count(), 1, "{name}");
            for field in texts(&kind["required"])
                .into_iter()
                .chain(texts(&kind["x-optional"]))
            {
                assert!(schema["properties"][field].is_object(), "{field} of {name}");
            }
        }
    }

    #[test]
    fn what_it_accepts_is_read_and_what_is_read_is_described() {
        // An event of all fields: each is read, so `Event` has no other name for it, and none that the schema lacks.
        let properties = schema()["properties"].as_object().unwrap().clone();
        let source = include_str!("event.rs");
        for field in properties
            .keys()
            .filter(|field| !["prev", "hash"].contains(&field.as_str()))
        {
            let written = if field == "for" {
                "rename = \"for\"".to_owned()
            } else {
                format!("pub {field}: ")
            };
            assert!(source.contains(&written), "`Event` does not read `{field}`");
        }
        let fields = source
            .split("pub struct Event {")
            .nth(1)
            .unwrap()
            .split("\n}\n")
            .next()
            .unwrap();
        for field in fields
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next())
        {
            let name = if field == "closes" { "for" } else { field };
            assert!(
                name == "line" || properties.contains_key(name),
                "the schema does not describe `{name}`"
            );
        }
    }

    /// What an environment has recorded besides is masked where it is made (`message`), and is in these two fields and nowhere else.
    #[test]
    fn no_field_can_hold_a_secret() {
        let secret = [
            "secret",
            "password",
            "token",
            "authorization",
            "cookie",
            "header",
            "body",
        ];
        let mut schema = schema();
        let properties = schema["properties"].as_object_mut().unwrap();
        for recorded_on_demand in ["request", "response"] {
            assert!(properties.remove(recorded_on_demand).is_some());
        }
        let names = names(&schema);
        assert!(names.len() > 50, "those of inner objects, too: {names:?}");
        for name in names {
            assert!(!secret.iter().any(|secret| name.contains(secret)), "{name}");
        }
    }

    fn names(of: &Value) -> Vec<String> {
        let fields = of["properties"].as_object().into_iter().flatten();
        fields
            .flat_map(|(name, field)| std::iter::once(name.clone()).chain(names(field)))
            .collect()
    }

    #[test]
    fn kinds_and_fields_of_a_later_writer_are_accepted_and_wrong_ones_are_not() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let event = |kind: &str, more: &str| -> Value {
            let hash = "0".repeat(64);
            let text = format!(
                r#"{{"v":1,"seq":1,"id":"00000000002a-1","at":"2026-05-01T12:00:00.000000000Z","kind":"{kind}",{more}"prev":"{hash}","hash":"{hash}"}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        for later in [
            event("gate.stopped", ""),
            event("gate.paused", r#""why":"x","#),
            event("gate.stopped", r#""why":{"x":1},"#),
        ] {
            assert!(validator.is_valid(&later), "{later}");
        }
        for wrong in [
            event("denied", ""),
            event("Gate Stopped", ""),
            event("gate.stopped", r#""status":"200","#),
            event("gate.stopped", r#""sandbox":"x","#),
        ] {
            assert!(!validator.is_valid(&wrong), "{wrong}");
        }
    }

    #[test]
    fn the_page_says_what_the_schema_says() {
        let page = page(&schema());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/SCHEMA.md");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == page,
            "`SCHEMA.md` is not of this schema; `UPDATE=1 cargo test -p outwall-audit schema` writes it"
        );
    }

    fn page(schema: &Value) -> String {
        let mut page = format!(
            "# An event, version 1\n\n<!-- Written from schema/event.v1.json by `UPDATE=1 cargo test -p outwall-audit schema`. -->\n\n{}\n\n\
             Every event has `v`, `seq`, `id`, `at` and `kind` first, `prev` and `hash` last.\n\n## Kinds\n\n",
            schema["description"].as_str().unwrap()
        );
        page.push_str("| kind | what happened | always has | may have |\n|---|---|---|---|\n");
        let list = |fields: &Value| {
            let fields: Vec<_> = texts(fields)
                .into_iter()
                .map(|field| format!("`{field}`"))
                .collect();
            fields.join(" ")
        };
        for (name, kind) in schema["$defs"].as_object().unwrap() {
            let (always, perhaps) = (list(&kind["required"]), list(&kind["x-optional"]));
            writeln!(
                page,
                "| `{name}` | {} | {always} | {perhaps} |",
                kind["description"].as_str().unwrap()
            )
            .unwrap();
        }
        page.push_str("\n## Fields\n\n| field | type | meaning |\n|---|---|---|\n");
        fields("", schema, &mut page);
        page
    }

    fn fields(prefix: &str, of: &Value, page: &mut String) {
        for (name, field) in of["properties"].as_object().unwrap() {
            let kind = field["type"].as_str().unwrap_or("1");
            let values = field["enum"]
                .as_array()
                .map(|_| format!(" ({})", texts(&field["enum"]).join(", ")));
            let description = field["description"].as_str().unwrap();
            writeln!(
                page,
                "| `{prefix}{name}` | {kind}{} | {description} |",
                values.unwrap_or_default()
            )
            .unwrap();
            if field["properties"].is_object() {
                fields(&format!("{prefix}{name}."), field, page);
            }
        }
    }
}
