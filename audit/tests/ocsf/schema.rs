//! The published schema as a judge: types, requirements, enums with their captions, constraints, and nothing that it does not know.
//!
//! `schema-1.8.0.json` is compiled by `compile.py` from <https://github.com/ocsf/ocsf-schema> (Apache-2.0).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use serde_json::{Map, Value};

static SCHEMA: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("schema-1.8.0.json")).expect("it is JSON"));

/// Everything that the schema has against an event, each with where.
pub(crate) fn faults(event: &Value) -> Vec<String> {
    let mut judge = Judge {
        profiles: profiles(event),
        faults: Vec::new(),
    };
    let class = &SCHEMA["classes"][event["class_uid"].to_string()];
    if class.is_null() {
        return vec![format!(
            "class_uid: {} is no class that events are mapped to",
            event["class_uid"]
        )];
    }
    if event["metadata"]["version"] != SCHEMA["version"] {
        judge.fault("metadata.version", "is not that of the schema");
    }
    judge.object("", class, event);
    judge.faults
}

fn profiles(event: &Value) -> BTreeSet<String> {
    let named = event["metadata"]["profiles"].as_array();
    named
        .into_iter()
        .flatten()
        .filter_map(|name| Some(name.as_str()?.to_owned()))
        .collect()
}

struct Judge {
    profiles: BTreeSet<String>,
    faults: Vec<String>,
}

impl Judge {
    fn fault(&mut self, place: &str, what: impl AsRef<str>) {
        self.faults.push(format!("{place}: {}", what.as_ref()));
    }

    fn object(&mut self, place: &str, of: &Value, value: &Value) {
        let Some(fields) = value.as_object() else {
            return self.fault(place, "is no object");
        };
        let attributes = of["attributes"].as_object().expect("compiled");
        for (name, field) in fields {
            let here = format!("{place}.{name}");
            match attributes.get(name) {
                Some(attribute) if self.applies(attribute) => self.attribute(&here, attribute, field, fields),
                Some(attribute) => self.fault(&here, format!("is of profile {}", attribute["profile"])),
                None => self.fault(&here, "is not in the schema"),
            }
        }
        for (name, attribute) in attributes {
            let required = attribute["requirement"] == "required" && self.applies(attribute);
            if required && !fields.contains_key(name) {
                self.fault(&format!("{place}.{name}"), "is required");
            }
        }
        self.constraints(place, &of["constraints"], fields);
    }

    fn applies(&self, attribute: &Value) -> bool {
        attribute["profile"]
            .as_str()
            .is_none_or(|profile| self.profiles.contains(profile))
    }

    fn constraints(&mut self, place: &str, constraints: &Value, fields: &Map<String, Value>) {
        for (kind, names) in constraints.as_object().into_iter().flatten() {
            let names = names.as_array().expect("compiled");
            let there = names
                .iter()
                .filter(|name| fields.contains_key(name.as_str().expect("compiled")));
            let (count, fits): (usize, fn(usize) -> bool) = match kind.as_str() {
                "at_least_one" => (there.count(), |count| count >= 1),
                "just_one" => (there.count(), |count| count == 1),
                other => panic!("a constraint that this judge does not know: {other}"),
            };
            if !fits(count) {
                self.fault(place, format!("has {count} of {names:?}: {kind}"));
            }
        }
    }

    fn attribute(&mut self, place: &str, attribute: &Value, value: &Value, beside: &Map<String, Value>) {
        if attribute["is_array"] != true {
            return self.one(place, attribute, value, beside);
        }
        let Some(items) = value.as_array() else {
            return self.fault(place, "is no array");
        };
        for (at, item) in items.iter().enumerate() {
            self.one(&format!("{place}[{at}]"), attribute, item, beside);
        }
    }

    fn one(&mut self, place: &str, attribute: &Value, value: &Value, beside: &Map<String, Value>) {
        let name = attribute["type"].as_str().expect("compiled");
        if attribute["object"] == true {
            if name != "object" {
                let of = &SCHEMA["objects"][name];
                return self.object(place, of, value);
            }
            if !value.is_object() {
                self.fault(place, "is no object"); // with anything in it
            }
            return;
        }
        if !is_of_type(name, value) {
            return self.fault(place, format!("{value} is no {name}"));
        }
        self.enumeration(place, attribute, value, beside);
    }

    /// A number has to be one of the enum, and the caption beside it the one that it has there; that of 99 is the source's own.
    fn enumeration(&mut self, place: &str, attribute: &Value, value: &Value, beside: &Map<String, Value>) {
        let Some(captions) = attribute["enum"].as_object() else {
            return;
        };
        let key = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let Some(caption) = captions.get(&key) else {
            return self.fault(place, format!("{value} is not in the enum"));
        };
        let sibling = attribute["sibling"].as_str().and_then(|name| beside.get(name));
        match sibling {
            Some(said) if key != "99" && said != caption => {
                self.fault(place, format!("{value} is called {said}, and is {caption}"));
            }
            None if key == "99" && attribute["sibling"].is_string() => {
                self.fault(place, "is 99 without the source's own word");
            }
            Some(_) | None => {}
        }
    }
}

fn is_of_type(name: &str, value: &Value) -> bool {
    let text = value.as_str();
    match name {
        "boolean_t" => value.is_boolean(),
        "integer_t" | "long_t" | "timestamp_t" => value.as_i64().is_some(),
        "port_t" => value.as_u64().is_some_and(|port| port <= 65535),
        "ip_t" => text.is_some_and(|text| text.len() <= 40 && text.parse::<IpAddr>().is_ok()),
        "json_t" => true,
        "string_t" | "hostname_t" | "url_t" | "username_t" | "file_name_t" | "file_path_t"
        | "file_hash_t" | "process_name_t" | "resource_uid_t" => text.is_some(),
        other => panic!("a type that this judge does not know: {other}"),
    }
}
