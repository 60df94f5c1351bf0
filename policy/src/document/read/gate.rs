//! `[gate]`.

use std::ops::RangeInclusive;

use toml::de::DeValue;

use super::{Reader, Value};
use crate::amount::Time;
use crate::gate_settings::{GateSetting, GateSettings, Unit};

impl Reader {
    pub(super) fn gate(&mut self, value: Value<'_, '_>) -> GateSettings {
        let mut settings = GateSettings::default();
        for (key, value) in self.table("[gate]", value) {
            let written: &str = key.get_ref();
            match GateSetting::ALL
                .into_iter()
                .find(|setting| setting.key() == written)
            {
                Some(setting) => {
                    if let Some(amount) = self.setting(setting, value) {
                        settings.0.insert(setting, amount);
                    }
                }
                None => self.unknown_key(key, "[gate]", &GateSetting::ALL.map(GateSetting::key)),
            }
        }
        settings
    }

    fn setting(&mut self, setting: GateSetting, value: Value<'_, '_>) -> Option<u64> {
        let key = setting.key();
        let amount = match setting.unit() {
            Unit::Time => self.milliseconds(key, value),
            Unit::Bytes => self.bytes(key, value).map(|written| written.value),
            Unit::Count => self.count(key, value).map(|written| written.value),
        }?;
        self.in_range(
            key,
            amount,
            &setting.range(),
            |amount| setting.written(amount),
            value,
        )
    }

    pub(super) fn in_range(
        &mut self,
        key: &str,
        amount: u64,
        range: &RangeInclusive<u64>,
        written: impl Fn(u64) -> String,
        value: Value<'_, '_>,
    ) -> Option<u64> {
        if range.contains(&amount) {
            return Some(amount);
        }
        let what = format!("`{key}` is {}, which is out of its range", written(amount));
        let remedy = format!("write {} to {}", written(*range.start()), written(*range.end()));
        self.problem(value.span().start, what, remedy);
        None
    }

    pub(super) fn milliseconds(&mut self, key: &str, value: Value<'_, '_>) -> Option<u64> {
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type(key, "a length of time such as \"15s\"", value);
            return None;
        };
        if let Some(Time(time)) = Time::parse(text) {
            return u64::try_from(time.as_millis()).ok();
        }
        self.problem(
            value.span().start,
            format!(
                "`{key}` is \"{}\", which is no length of time",
                text.escape_debug()
            ),
            "write a whole number and a unit: \"80ms\", \"15s\", \"5min\", \"4h\", \"1d\"",
        );
        None
    }
}
