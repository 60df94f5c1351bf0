//! `limits` and `sizes` of an environment.

use toml::de::DeValue;

use super::{Reader, Value, has_key};
use crate::allowances::LimitKind;
use crate::document::{AmountsDocument, HostLimitsDocument, LimitsDocument, SizeDocument, Written};
use crate::sizes::SizedPart;

impl Reader {
    pub(super) fn limits(&mut self, value: Value<'_, '_>) -> LimitsDocument {
        let mut limits = LimitsDocument::default();
        for (key, value) in self.table("limits", value) {
            let written: &str = key.get_ref();
            match written {
                "names_below_one_wildcard" => limits.names_below_one_wildcard = self.count(written, value),
                "each_host" => limits.each_host = self.amounts_table("limits.each_host", &[], value).1,
                "hosts" => limits.hosts = self.host_limits(value),
                _ => match limit_kind(written) {
                    Some(kind) => limits.sandbox.0[kind.index()] = self.amount(kind, value),
                    None => self.unknown_key(
                        key,
                        "limits",
                        &[
                            &LIMIT_KEYS[..],
                            &["names_below_one_wildcard", "each_host", "hosts"],
                        ]
                        .concat(),
                    ),
                },
            }
        }
        limits
    }

    fn host_limits(&mut self, value: Value<'_, '_>) -> Vec<HostLimitsDocument> {
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(
                "limits.hosts",
                "tables, each `[[environments.NAME.limits.hosts]]`",
                value,
            );
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| self.one_host_limits(item))
            .collect()
    }

    fn one_host_limits(&mut self, value: Value<'_, '_>) -> Option<HostLimitsDocument> {
        let (host, amounts) = self.amounts_table("limits.hosts", &["host"], value);
        if host.is_none() && !has_key(value, "host") {
            self.problem(
                value.span().start,
                "the entry of `limits.hosts` has no `host`",
                "write which host it is for: host = \"*.example.com\"; or use [environments.NAME.limits.each_host]",
            );
        }
        if amounts.0.iter().all(Option::is_none) && LIMIT_KEYS.iter().all(|key| !has_key(value, key)) {
            self.problem(
                value.span().start,
                "the entry of `limits.hosts` limits nothing",
                format!("give it one of {}", LIMIT_KEYS.join(", ")),
            );
        }
        Some(HostLimitsDocument { host: host?, amounts })
    }

    /// The amounts of a table, and its `host` where it may have one.
    fn amounts_table(
        &mut self,
        within: &str,
        besides: &[&str],
        value: Value<'_, '_>,
    ) -> (Option<Written<String>>, AmountsDocument) {
        let (mut host, mut amounts) = (None, AmountsDocument::default());
        for (key, value) in self.table(within, value) {
            let written: &str = key.get_ref();
            match limit_kind(written) {
                Some(kind) => amounts.0[kind.index()] = self.amount(kind, value),
                None if besides.contains(&written) => host = self.string(written, value),
                None => self.unknown_key(key, within, &[besides, &LIMIT_KEYS].concat()),
            }
        }
        (host, amounts)
    }

    fn amount(&mut self, kind: LimitKind, value: Value<'_, '_>) -> Option<Written<u64>> {
        match kind {
            LimitKind::Requests | LimitKind::Connections | LimitKind::Concurrent => {
                self.count(kind.key(), value)
            }
            LimitKind::Upload | LimitKind::Download => self.bytes(kind.key(), value),
        }
    }

    pub(super) fn sizes(&mut self, value: Value<'_, '_>) -> Vec<SizeDocument> {
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type("sizes", "tables, each `[[environments.NAME.sizes]]`", value);
            return Vec::new();
        };
        items.iter().map(|item| self.size(item)).collect()
    }

    fn size(&mut self, value: Value<'_, '_>) -> SizeDocument {
        let mut size = SizeDocument {
            place: self.place(value.span().start),
            host: None,
            methods: Vec::new(),
            most: Default::default(),
        };
        for (key, value) in self.table("sizes", value) {
            let written: &str = key.get_ref();
            match written {
                "host" => size.host = self.string(written, value),
                "methods" => size.methods = self.some_strings(written, value),
                _ => match SizedPart::ALL.into_iter().find(|part| part.key() == written) {
                    Some(part) => size.most[part as usize] = self.bytes(written, value),
                    None => self.unknown_key(
                        key,
                        "sizes",
                        &[&["host", "methods"], &SizedPart::ALL.map(SizedPart::key)[..]].concat(),
                    ),
                },
            }
        }
        if SizedPart::ALL.iter().all(|part| !has_key(value, part.key())) {
            self.problem(
                value.span().start,
                "the entry of `sizes` limits nothing",
                "give it one of max_body, max_url, max_headers: max_body = \"10 MiB\"",
            );
        }
        size
    }
}

fn limit_kind(key: &str) -> Option<LimitKind> {
    LimitKind::ALL.into_iter().find(|kind| kind.key() == key)
}

const LIMIT_KEYS: [&str; LimitKind::ALL.len()] = [
    "requests_per_minute",
    "connections_per_minute",
    "concurrent_requests",
    "upload_bytes_per_hour",
    "download_bytes_per_hour",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_the_kinds() {
        assert_eq!(LIMIT_KEYS, LimitKind::ALL.map(LimitKind::key));
    }
}
