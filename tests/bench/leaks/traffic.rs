//! Ordinary traffic: every file below a directory is uploaded, a mebibyte at a time, and what is taken for a credential is counted.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use outwall_tests::planted::Planted;
use outwall_tests::{TestOrigin, Versions};

use crate::{HOST, outwall};

const PIECE: usize = 1 << 20;

#[expect(clippy::cast_precision_loss, reason = "mebibytes")]
pub(crate) fn run(binary: &str, directory: &str) -> bool {
    let origin = TestOrigin::start();
    let outwall = outwall(binary, &origin, "block");
    let gate = outwall.gate();
    let client = gate.client().speaking(Versions::Http2Only);
    let mut files = Vec::new();
    collect(Path::new(directory), &mut files);
    files.sort();
    let (mut sent, mut taken) = (0, 0);
    let mut connection = client.open(&format!("https://{HOST}/"));
    for file in &files {
        let Ok(bytes) = fs::read(file) else { continue };
        let bytes = Bytes::from(bytes);
        for at in (0..bytes.len()).step_by(PIECE) {
            let piece = bytes.slice(at..bytes.len().min(at + PIECE));
            sent += piece.len();
            let upload = Planted {
                place: "a file",
                path: "/sink".to_owned(),
                fields: Vec::new(),
                pieces: vec![piece],
            };
            let answered = connection.post(HOST, &upload);
            let refused = answered
                .as_ref()
                .is_ok_and(|response| response.reason() == "credential-leaving");
            if refused {
                taken += 1;
                let said = answered
                    .map(outwall_tests::Response::into_text)
                    .unwrap_or_default();
                println!(
                    "{}, MiB {}: {}",
                    file.display(),
                    at / PIECE,
                    said.lines().next().unwrap_or_default()
                );
            }
        }
    }
    let mebibytes = sent as f64 / 1024.0 / 1024.0;
    let rate = f64::from(taken) / mebibytes * 100.0;
    println!(
        "{} files, {mebibytes:.0} MiB: {taken} MiB pieces with a finding, {rate:.2} per 100 MiB",
        files.len()
    );
    rate < 1.0
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), files),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
}
