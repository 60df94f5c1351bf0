//! What masking costs, and what it masks that is no secret: over the files below some directories.
//!
//! ```sh
//! cargo run --release --package outwall-broker --example scrub -- ~/.cargo/registry/src
//! ```
//!
//! Secrets of several kinds are made anew, so that whatever is found of them is found by chance. Each kind is timed beside a copy of
//! the same bytes, in turns.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use bytes::Bytes;
use outwall_broker::scrub::{ScrubStream, Scrubber};

/// Label, alphabet and random characters.
const KINDS: [(&str, &str, &[u8], usize); 6] = [
    ("anthropic", "sk-ant-api03-", ALPHANUMERIC, 95),
    ("github", "ghp_", ALPHANUMERIC, 36),
    ("aws", "", BASE64, 40),
    ("hexadecimal", "", b"0123456789abcdef", 40),
    ("lower case", "tok_", b"abcdefghijklmnopqrstuvwxyz0123456789", 32),
    ("digits", "", b"0123456789", 20),
];
const ALPHANUMERIC: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/";
const PIECE: usize = 16 << 10;

fn main() {
    let mut files = Vec::new();
    for directory in std::env::args().skip(1) {
        collect(Path::new(&directory), &mut files);
    }
    if files.is_empty() {
        eprintln!("usage: scrub DIRECTORY...");
        std::process::exit(2);
    }
    let kinds = KINDS.map(|(name, label, alphabet, length)| (name, scrubber(label, alphabet, length)));
    let mut costs = [(Duration::ZERO, 0_usize); KINDS.len()];
    let (mut bytes, mut copying) = (0, Duration::ZERO);
    for text in files.iter().filter_map(|file| fs::read(file).ok()) {
        let pieces: Vec<Bytes> = text.chunks(PIECE).map(Bytes::copy_from_slice).collect();
        bytes += text.len();
        let began = Instant::now();
        let copied: usize = pieces
            .iter()
            .map(|piece| std::hint::black_box(piece.to_vec()).len())
            .sum();
        copying += began.elapsed();
        assert_eq!(copied, text.len());
        for ((_, scrubber), (spent, found)) in kinds.iter().zip(&mut costs) {
            let began = Instant::now();
            let mut stream = ScrubStream::new(Arc::clone(scrubber));
            for piece in &pieces {
                std::hint::black_box(stream.push(piece));
            }
            std::hint::black_box(stream.end());
            *spent += began.elapsed();
            *found += stream.found().count();
        }
    }
    let mebibytes = f64::from(u32::try_from(bytes >> 10).expect("less than 4 TiB")) / 1024.0;
    let speed = |spent: Duration| mebibytes / spent.as_secs_f64();
    println!(
        "{} files, {mebibytes:.0} MiB; copied at {:.0} MiB/s",
        files.len(),
        speed(copying)
    );
    for ((name, _), (spent, found)) in kinds.iter().zip(costs) {
        println!(
            "{name:<12} searched at {:.0} MiB/s, found by chance in {found} files",
            speed(spent)
        );
    }
}

fn scrubber(label: &str, alphabet: &[u8], length: usize) -> Arc<Scrubber> {
    let mut random = vec![0_u8; length];
    rand::fill(&mut random).expect("the machine has random bytes");
    let random = random
        .iter()
        .map(|byte| alphabet[usize::from(*byte) % alphabet.len()]);
    let secret: Vec<u8> = label.bytes().chain(random).collect();
    let name = "bench".parse().expect("a name");
    Arc::new(Scrubber::new([(name, &secret[..])]).expect("it is long enough"))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), files),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
}
