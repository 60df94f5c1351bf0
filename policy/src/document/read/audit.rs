//! `[audit]`.

use std::path::PathBuf;

use super::{Reader, Value};
use crate::audit_settings::{AuditAmount, AuditSettings, Durability};

impl Reader {
    pub(super) fn audit(&mut self, value: Value<'_, '_>) -> AuditSettings {
        let mut settings = AuditSettings::default();
        for (key, value) in self.table("[audit]", value) {
            let written: &str = key.get_ref();
            if let Some(amount) = AuditAmount::ALL
                .into_iter()
                .find(|amount| amount.key() == written)
            {
                if let Some(read) = self.audit_amount(amount, value) {
                    settings.set(amount, read);
                }
                continue;
            }
            match written {
                "durability" => {
                    if let Some(durability) = self.word(written, value, &DURABILITIES) {
                        settings.durability = durability.value;
                    }
                }
                "compress" => {
                    if let Some(compress) = self.boolean(written, value) {
                        settings.compress = compress.value;
                    }
                }
                "export_checkpoints" => settings.export_checkpoints = self.path(written, value),
                "sinks" => settings.sinks = self.audit_sinks(value),
                _ => self.unknown_key(key, "[audit]", KEYS),
            }
        }
        if settings
            .keep_at_most
            .is_some_and(|most| most < settings.segment_size)
        {
            let what =
                "`keep_at_most` is less than `segment_size`, and the file that is being written always stays";
            self.problem(
                value.span().start,
                what,
                "write at least twice the `segment_size`",
            );
        }
        settings
    }

    fn audit_amount(&mut self, amount: AuditAmount, value: Value<'_, '_>) -> Option<u64> {
        let key = amount.key();
        let read = match amount {
            AuditAmount::SegmentSize | AuditAmount::KeepAtMost => self.bytes(key, value)?.value,
            AuditAmount::SegmentAge | AuditAmount::KeepFor | AuditAmount::CheckpointEvery => {
                self.milliseconds(key, value)?
            }
            AuditAmount::CheckpointEveryEvents => self.count(key, value)?.value,
        };
        self.in_range(key, read, &amount.range(), |value| amount.written(value), value)
    }

    fn path(&mut self, key: &str, value: Value<'_, '_>) -> Option<PathBuf> {
        let path = self.string(key, value)?.value;
        if path.is_empty() {
            self.problem(
                value.span().start,
                format!("`{key}` is an empty path"),
                "write the path of a file, or leave the key out",
            );
            return None;
        }
        Some(path.into())
    }
}

const DURABILITIES: [(&str, Durability); 2] =
    [("process", Durability::Process), ("power", Durability::Power)];

const KEYS: &[&str] = &[
    "durability",
    "segment_size",
    "segment_age",
    "compress",
    "keep_for",
    "keep_at_most",
    "checkpoint_every_events",
    "checkpoint_every",
    "export_checkpoints",
    "sinks",
];
