//! Amounts of bytes and of time, as people write and read them.

use std::fmt;
use std::time::Duration;

/// An amount of bytes. Its text is what a policy file has: `10 MiB`, `1500 B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bytes(pub(crate) u64);

impl Bytes {
    /// `1 GiB`, `500MB`, `17`. None for what is no amount, is 0, or is too much to count.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let scale = match unit {
            "" => 1,
            _ => UNITS.iter().find(|(name, _)| *name == unit)?.1,
        };
        let bytes = number.checked_mul(scale)?;
        (bytes > 0).then_some(Self(bytes))
    }
}

/// A length of time in whole milliseconds. Its text is what a policy file has: `15 s`, `5 min`, `80 ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Time(pub(crate) Duration);

impl Time {
    /// `15s`, `5 min`, `4h`, `80ms`. None for what is no length of time, has no unit, or is 0.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let scale = TIME_UNITS.iter().find(|(name, _)| *name == unit)?.1;
        let milliseconds = number.checked_mul(scale)?;
        (milliseconds > 0).then_some(Self(Duration::from_millis(milliseconds)))
    }
}

impl fmt::Display for Time {
    /// In the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (name, scale) = TIME_UNITS
            .iter()
            .filter(|(_, scale)| milliseconds >= *scale && milliseconds.is_multiple_of(*scale))
            .max_by_key(|(_, scale)| scale)
            .unwrap_or(&TIME_UNITS[0]);
        write!(f, "{}{name}", milliseconds / scale)
    }
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    Some((digits.parse().ok()?, unit.trim_start()))
}

const TIME_UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("min", 60_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

impl fmt::Display for Bytes {
    /// In the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = self;
        let divides = |scale: u64| *bytes >= scale && bytes.is_multiple_of(scale);
        let (name, scale) = UNITS
            .iter()
            .filter(|(_, scale)| divides(*scale))
            .max_by_key(|(_, scale)| scale)
            .unwrap_or(&UNITS[0]);
        write!(f, "{} {name}", bytes / scale)
    }
}

/// The first is what divides everything. `KB` is read, `kB` is read and written.
const UNITS: [(&str, u64); 10] = [
    ("B", 1),
    ("KB", 1_000),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_reads_back_as_itself() {
        for bytes in [
            1,
            999,
            1_000,
            1_024,
            1_500_000,
            10 << 20,
            1 << 30,
            3 << 40,
            u64::MAX,
        ] {
            assert_eq!(Bytes::parse(&Bytes(bytes).to_string()), Some(Bytes(bytes)));
        }
    }

    #[test]
    fn a_length_of_time_reads_back_as_itself() {
        for milliseconds in [
            1,
            80,
            1_000,
            15_000,
            90_000,
            300_000,
            3_600_000,
            172_800_000,
            999_999,
        ] {
            let time = Time(Duration::from_millis(milliseconds));
            assert_eq!(Time::parse(&time.to_string()), Some(time), "{time}");
        }
        assert_eq!(Time::parse("5 min"), Time::parse("300s"));
        for text in [
            "",
            "0s",
            "15",
            "1.5h",
            "-1s",
            "s",
            "1 fortnight",
            "99999999999999999d",
        ] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }

    #[test]
    fn units_are_powers_of_ten_or_of_two() {
        for (text, bytes) in [
            ("17", 17),
            ("1 kB", 1_000),
            ("64KiB", 65_536),
            ("500 MB", 500_000_000),
            ("1 GiB", 1 << 30),
        ] {
            assert_eq!(Bytes::parse(text), Some(Bytes(bytes)), "{text}");
        }
        for text in [
            "",
            "0",
            "0 GiB",
            "-1",
            "1 gib",
            "1.5 GiB",
            "GiB",
            "99999999999 TiB",
        ] {
            assert_eq!(Bytes::parse(text), None, "{text}");
        }
    }
}
