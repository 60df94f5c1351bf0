//! `dlp` of an environment.

use toml::de::DeValue;

use super::{Reader, Value, has_key};
use crate::credential::LeakAction;
use crate::document::{DlpDocument, DlpExceptionDocument, DlpPatternDocument};

impl Reader {
    pub(super) fn dlp(&mut self, value: Value<'_, '_>) -> DlpDocument {
        let mut dlp = DlpDocument::default();
        for (key, value) in self.table("dlp", value) {
            let written: &str = key.get_ref();
            match written {
                "action" => dlp.action = self.word("dlp.action", value, &LEAK_ACTIONS),
                "patterns" => dlp.patterns = self.tables("dlp.patterns", value, Self::dlp_pattern),
                "except" => dlp.except = self.tables("dlp.except", value, Self::dlp_exception),
                _ => self.unknown_key(key, "dlp", &["action", "patterns", "except"]),
            }
        }
        dlp
    }

    pub(super) fn tables<T>(
        &mut self,
        key: &str,
        value: Value<'_, '_>,
        read: impl Fn(&mut Self, Value<'_, '_>) -> Option<T>,
    ) -> Vec<T> {
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, "a list of tables", value);
            return Vec::new();
        };
        items.iter().filter_map(|item| read(self, item)).collect()
    }

    fn dlp_pattern(&mut self, value: Value<'_, '_>) -> Option<DlpPatternDocument> {
        let (mut name, mut regex, mut hosts) = (None, None, Vec::new());
        for (key, value) in self.table("dlp.patterns", value) {
            let written: &str = key.get_ref();
            match written {
                "name" => name = self.string(written, value),
                "regex" => regex = self.string(written, value),
                "hosts" => hosts = self.strings(written, value),
                _ => self.unknown_key(key, "dlp.patterns", &["name", "regex", "hosts"]),
            }
        }
        self.needs(value, "dlp.patterns", "name", "name = \"acme-token\"");
        self.needs(value, "dlp.patterns", "regex", "regex = \"acme_[0-9a-f]{32}\"");
        Some(DlpPatternDocument {
            name: name?,
            regex: regex?,
            hosts,
        })
    }

    fn dlp_exception(&mut self, value: Value<'_, '_>) -> Option<DlpExceptionDocument> {
        let (mut shape, mut hosts) = (None, Vec::new());
        for (key, value) in self.table("dlp.except", value) {
            let written: &str = key.get_ref();
            match written {
                "shape" => shape = self.string(written, value),
                "hosts" => {
                    hosts = self.strings(written, value);
                    if matches!(value.get_ref(), DeValue::Array(items) if items.is_empty()) {
                        self.problem(
                            value.span().start,
                            "`hosts` is an empty list, so the exception is for nowhere",
                            "leave `hosts` out to mean everywhere",
                        );
                    }
                }
                _ => self.unknown_key(key, "dlp.except", &["shape", "hosts"]),
            }
        }
        self.needs(value, "dlp.except", "shape", "shape = \"jwt\"");
        Some(DlpExceptionDocument { shape: shape?, hosts })
    }

    fn needs(&mut self, value: Value<'_, '_>, within: &str, key: &str, remedy: &str) {
        if matches!(value.get_ref(), DeValue::Table(_)) && !has_key(value, key) {
            let what = format!("the entry of `{within}` has no `{key}`");
            self.problem(value.span().start, what, format!("write {remedy}"));
        }
    }
}

const LEAK_ACTIONS: [(&str, LeakAction); 3] = [
    ("off", LeakAction::Off),
    ("report", LeakAction::Report),
    ("block", LeakAction::Block),
];
