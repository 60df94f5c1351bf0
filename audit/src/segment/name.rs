//! What the name of a segment says.

use super::{COMPRESSED, Form, PLAIN};
use crate::event::WriterId;

/// Whose a segment is, and the how manieth of its writer, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SegmentOf {
    pub(crate) writer: WriterId,
    pub(crate) number: u32,
}

impl SegmentOf {
    pub(super) fn stem(self, start: &str, process: u32) -> String {
        let Self { writer, number } = self;
        match number {
            1 => format!("{start}-{process}-{writer}"),
            _ => format!("{start}-{process}-{writer}-{number:04}"),
        }
    }

    pub(super) fn of_stem(stem: &str) -> Option<Self> {
        let (_start, rest) = stem.split_once("Z-")?;
        let mut parts = rest.split('-');
        let (_process, writer) = (parts.next()?, parts.next()?);
        let writer = WriterId::parse(writer)?;
        let number = match parts.next() {
            Some(number) => number.parse().ok().filter(|number| *number > 1)?,
            None => 1,
        };
        parts.next().is_none().then_some(Self { writer, number })
    }

    pub(crate) fn next(self) -> Self {
        Self {
            number: self.number + 1,
            ..self
        }
    }
}

/// Of the name of a file of the log; checkpoints lie beside them and are none.
pub(super) fn stem_and_form(name: &str) -> Option<(&str, Form)> {
    let plain = || Some((name.strip_suffix(PLAIN)?, Form::Plain));
    let compressed = || Some((name.strip_suffix(COMPRESSED)?, Form::Compressed));
    plain()
        .or_else(compressed)
        .filter(|(stem, _)| *stem != "checkpoints")
}

/// The earliest `at` that can be in a file of this stem, as text to compare with. Of a foreign one: before all.
pub(super) fn earliest(stem: &str) -> String {
    let of = || {
        let (date, time) = stem.split_once('T')?;
        let (time, _) = time.split_once('Z')?;
        Some(format!("{date}T{}", time.replace('-', ":")))
    };
    of().unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_a_time_that_is_not_after_its_first_event() {
        let (stem, _) = stem_and_form("2026-11-21T03-35-29Z-17-00000000002a.jsonl").unwrap();
        assert_eq!(earliest(stem), "2026-11-21T03:35:29");
        assert!(earliest(stem).as_str() < "2026-11-21T03:35:29.000000000Z");
        assert_eq!(earliest("copy"), "");
    }

    #[test]
    fn a_name_tells_whose_it_is_and_the_how_manieth() {
        let writer = WriterId(0x2a);
        for number in [1, 2, 9999, 10_000] {
            let of = SegmentOf { writer, number };
            assert_eq!(SegmentOf::of_stem(&of.stem("2026-11-21T03-35-29Z", 17)), Some(of));
        }
        for foreign in [
            "copy",
            "2026-11-21T03-35-29Z-17-2a",
            "2026-11-21T03-35-29Z-17-00000000002a-0001",
            "2026-11-21T03-35-29Z-17-00000000002a-0002-1",
            "2026-11-21T03-35-29Z-17-00000000002A",
        ] {
            assert_eq!(SegmentOf::of_stem(foreign), None, "{foreign}");
        }
    }
}
