//! The pages in a real Chromium: `browser.mjs` drives it, axe-core looks for what keeps people out.
//!
//! `bash tests/clients/install.sh pages` installs both. `OUTWALL_SHOTS=DIR` keeps the pictures that documentation shows.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use outwall_tests::{TestOrigin, skip};

use super::visit::Ui;
use super::{HOST, traffic};

#[test]
#[ignore = "needs Chromium, Node and packages of npm: bash tests/all.sh runs it"]
fn a_person_with_a_browser_sees_filters_copies_and_is_kept_out_by_nothing() {
    let Some(packages) = packages() else {
        return skip(
            "the pages in Chromium",
            "no node, no chromium or no packages; `bash tests/clients/install.sh pages` installs them",
        );
    };
    let origin = TestOrigin::start();
    let (outwall, gate) = traffic(&origin);
    let mut ui = Ui::start(&outwall, &["ui"]);
    let mut node = Command::new("node");
    node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/it/ui/browser.mjs"))
        .arg(&packages)
        .arg(ui.whole_link())
        .arg(HOST)
        .args(std::env::var_os("OUTWALL_SHOTS"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut browser = node.spawn().unwrap();
    // It says `now: WHAT` when something has to happen, waits for a line, and sees what the page makes of it.
    let mut says = std::io::BufRead::lines(std::io::BufReader::new(browser.stdout.take().unwrap()));
    let mut answer = browser.stdin.take().unwrap();
    while let Some(Ok(line)) = says.next() {
        let asked = line
            .strip_prefix("now: ")
            .map(|path| format!("https://{HOST}{path}"));
        if let Some(url) = asked {
            gate.client().get(&url).into_text();
            std::io::Write::write_all(&mut answer, b"done\n").unwrap();
        } else {
            eprintln!("{line}");
        }
    }
    assert!(browser.wait().unwrap().success(), "what the browser saw is above");
}

/// Where the packages of npm are.
fn packages() -> Option<PathBuf> {
    let has = |program: &str| {
        let ran = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        ran.is_ok_and(|status| status.success())
    };
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    let packages = target.join("clients/pages/node_modules");
    (packages.join("axe-core").exists() && has("node") && has("/usr/bin/chromium")).then_some(packages)
}
