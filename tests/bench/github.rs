//! The stand-in GitHub on fixed ports of loopback, to try `git`, `gh` and `git lfs` against by hand.
//!
//! ```text
//! cargo run --package outwall-tests --example github
//! ```
//!
//! It prints what to set, has the repository `acme/app` with a pull request, an issue, a run and a release, and takes the token
//! `ghp_try` of `mona`. At the end (Ctrl-C) nothing of it is left but what it printed of every request.

use std::error::Error;
use std::thread::sleep;
use std::time::Duration;

use outwall_tests::github::GitHub;

const TLS: u16 = 8443;
const CONNECT: u16 = 8888;

fn main() -> Result<(), Box<dyn Error>> {
    let github = GitHub::at(TLS, CONNECT);
    plant(&github);
    let ca = github.ca_file().display();
    println!(
        "export HTTPS_PROXY=http://{} SSL_CERT_FILE={ca} GIT_SSL_CAINFO={ca}",
        github.proxy_address()
    );
    println!("export GH_TOKEN=ghp_try");
    println!("git clone https://mona:ghp_try@github.com/acme/app; gh -R acme/app pr view 1");
    let mut printed = 0;
    loop {
        let all = github.requests();
        for request in &all[printed..] {
            let status = request.status.unwrap_or(0);
            println!(
                "{status} {} https://{}{} ({} bytes)",
                request.method, request.host, request.path, request.length
            );
            if request.path.ends_with("graphql") {
                println!("    {}", request.text());
            }
        }
        printed = all.len();
        sleep(Duration::from_millis(300));
    }
}

fn plant(github: &GitHub) {
    let app = github.repository("acme/app").private();
    app.file("README.md", "# app\n")
        .file(".github/workflows/ci.yml", "on: push\n")
        .create();
    github
        .repository("acme/public")
        .file("README.md", "# public\n")
        .create();
    github.accept("ghp_try", "mona", &["repo", "read:org", "gist"]);
    github.commit("acme/app", "topic", &[("src/lib.rs", "// new\n")]);
    github.pull_request("acme/app", "mona", "topic", "main", "A topic");
    github.accept("ghp_other", "hubot", &[]);
    github.label("acme/app", "bug");
    github.issue("acme/app", "mona", "An issue");
    github.workflow_run("acme/app", "topic", "CI", Some("SUCCESS"));
    github.release("acme/app", "v1", "app.txt", b"an asset\n");
}
