//! Findings of one kind are told at their first, tenth, hundredth time: an agent sends its whole conversation with every request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use outwall_policy::Target;

use super::place::Place;

/// How often each kind was found. Bounded.
#[derive(Default)]
pub(super) struct Repeats(Mutex<HashMap<(String, Target, Place), u64>>);

impl Repeats {
    /// Counts one. The count, if it is to be told.
    pub(super) fn count(&self, shape: &str, target: &Target, place: &Place) -> Option<u64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST {
            counts.clear(); // told again, rather than not at all
        }
        let kind = (shape.to_owned(), target.clone(), place.kind());
        let count = counts.entry(kind).or_default();
        *count += 1;
        is_power_of_ten(*count).then_some(*count)
    }
}

fn is_power_of_ten(count: u64) -> bool {
    10_u64.checked_pow(count.ilog10()) == Some(count)
}

const MOST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_ever_more_rarely_and_another_at_once() {
        let (repeats, target) = (Repeats::default(), Target::parse("a.test:443").expect("a target"));
        let told: Vec<u64> = (0..150)
            .filter_map(|at| repeats.count("jwt", &target, &Place::Body(at)))
            .collect();
        assert_eq!(told, [1, 10, 100]);
        assert_eq!(repeats.count("jwt", &target, &Place::Path), Some(1));
    }
}
