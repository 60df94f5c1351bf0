//! What a process costs.

use std::fs;

/// User and system time of a process so far, in hundredths of a second.
///
/// # Panics
///
/// When there is no such process.
pub fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let after_name = stat.rsplit_once(") ").expect("a name in parentheses").1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    [11, 12]
        .iter()
        .map(|field| fields[*field].parse::<u64>().unwrap_or(0))
        .sum()
}

/// The middle one.
///
/// # Panics
///
/// When there is none.
pub fn median(mut costs: Vec<f64>) -> f64 {
    costs.sort_by(f64::total_cmp);
    costs[costs.len() / 2]
}
