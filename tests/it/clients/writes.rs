//! What real clients may send to the Trusted list. What publishes is tried against a stand-in for its registry, told in the
//! client's own words, and nothing of it arrives; audits and searches that POST pass to the real registries, whatever those
//! make of them. `tests/clients/WRITES.md` is written from what was seen.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use outwall_tests::{Finished, Outwall, TestOrigin};
use serde_json::Value;

use super::{say, wall};

/// A command of a real client that sends a request which is no reading.
struct Sender {
    name: &'static str,
    /// Prints the version; run outside. Its failure means that the client is not installed.
    version: &'static str,
    command: &'static str,
    host: &'static str,
    method: &'static str,
    /// How the request's path begins.
    path: &'static str,
    files: &'static [(&'static str, &'static str)],
    programs: &'static str,
}

const SENDER: Sender = Sender {
    name: "",
    version: "curl --version",
    command: "",
    host: "",
    method: "POST",
    path: "/",
    files: &[],
    programs: "venv/bin",
};

const NPM: &str = "npm/node_modules/.bin";
const PACKAGE: (&str, &str) = (
    "package.json",
    r#"{ "name": "outwall-never-published", "version": "0.0.1" }"#,
);
const DEPENDENT: (&str, &str) = (
    "package.json",
    r#"{ "name": "sample", "version": "1.0.0", "private": true, "dependencies": { "is-odd": "3" } }"#,
);
const TOKEN: (&str, &str) = (".npmrc", "//registry.npmjs.org/:_authToken=npm_not_a_token\n");
/// A wheel of nothing, for clients that look into what they send.
const WHEEL: (&str, &str) = (
    "wheel.py",
    "import zipfile\n\
     info = 'outwall_never_published-0.0.1.dist-info/'\n\
     with zipfile.ZipFile('outwall_never_published-0.0.1-py3-none-any.whl', 'w') as wheel:\n\
     \x20   wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: outwall-never-published\\nVersion: 0.0.1\\n')\n\
     \x20   wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
     \x20   wheel.writestr(info + 'RECORD', '')\n",
);

const PUBLISHING: &[Sender] = &[
    Sender {
        name: "npm publish",
        version: "npm --version",
        command: "npm publish",
        host: "registry.npmjs.org",
        method: "PUT",
        path: "/outwall-never-published",
        files: &[PACKAGE, TOKEN],
        programs: NPM,
    },
    Sender {
        name: "pnpm publish",
        version: "pnpm --version",
        command: "pnpm publish --no-git-checks",
        host: "registry.npmjs.org",
        method: "PUT",
        path: "/outwall-never-published",
        files: &[PACKAGE, TOKEN],
        programs: NPM,
    },
    Sender {
        name: "twine upload",
        version: "twine --version",
        command: "python3 wheel.py && twine upload --disable-progress-bar --non-interactive -u __token__ -p not-a-token \
                  --repository-url https://test.pypi.org/legacy/ *.whl",
        host: "test.pypi.org",
        path: "/legacy/",
        files: &[WHEEL],
        ..SENDER
    },
    Sender {
        name: "uv publish",
        version: "uv --version",
        command: "python3 wheel.py && uv publish --publish-url https://test.pypi.org/legacy/ --token not-a-token *.whl",
        host: "test.pypi.org",
        path: "/legacy/",
        files: &[WHEEL],
        ..SENDER
    },
    Sender {
        name: "cargo publish, its request by curl",
        command: "curl --fail-with-body -sS -T package.json https://crates.io/api/v1/crates/new",
        host: "crates.io",
        method: "PUT",
        path: "/api/v1/crates/new",
        files: &[PACKAGE],
        ..SENDER
    },
    Sender {
        name: "gem push, its request by curl",
        command: "curl --fail-with-body -sS --data-binary @package.json https://rubygems.org/api/v1/gems",
        host: "rubygems.org",
        path: "/api/v1/gems",
        files: &[PACKAGE],
        ..SENDER
    },
    Sender {
        name: "docker push, its first request by curl",
        command: "curl --fail-with-body -sS -X POST https://registry-1.docker.io/v2/library/alpine/blobs/uploads/",
        host: "registry-1.docker.io",
        path: "/v2/library/alpine/blobs/uploads/",
        ..SENDER
    },
    Sender {
        name: "git push, its request by curl",
        command: "curl --fail-with-body -sS --data-binary @package.json https://github.com/o/r.git/git-receive-pack",
        host: "github.com",
        path: "/o/r.git/git-receive-pack",
        files: &[PACKAGE],
        ..SENDER
    },
    Sender {
        name: "a gist, by curl",
        command: "curl --fail-with-body -sS -d '{\"files\":{\"a\":{\"content\":\"secret\"}}}' https://api.github.com/gists",
        host: "api.github.com",
        path: "/gists",
        ..SENDER
    },
    Sender {
        name: "a presigned upload, by curl",
        command: "curl --fail-with-body -sS -T package.json 'https://bucket.s3.amazonaws.com/x?X-Amz-Signature=00'",
        host: "bucket.s3.amazonaws.com",
        method: "PUT",
        path: "/x",
        files: &[PACKAGE],
        ..SENDER
    },
    Sender {
        name: "a paste, by curl",
        command: "curl --fail-with-body -sS -d content=secret https://paste.ubuntu.com/",
        host: "paste.ubuntu.com",
        ..SENDER
    },
];

const READING: &[Sender] = &[
    Sender {
        name: "npm audit",
        version: "npm --version",
        command: "npm install --no-audit && npm audit",
        host: "registry.npmjs.org",
        path: "/-/npm/v1/security/",
        files: &[DEPENDENT],
        programs: NPM,
        ..SENDER
    },
    Sender {
        name: "pnpm audit",
        version: "pnpm --version",
        command: "pnpm install && pnpm audit",
        host: "registry.npmjs.org",
        path: "/-/npm/v1/security/",
        files: &[DEPENDENT],
        programs: NPM,
        ..SENDER
    },
    Sender {
        name: "bun audit",
        version: "bun --version",
        command: "bun install && bun audit",
        host: "registry.npmjs.org",
        path: "/-/npm/v1/security/",
        files: &[DEPENDENT],
        programs: NPM,
        ..SENDER
    },
    Sender {
        name: "yarn 1 audit",
        version: "yarn --version",
        command: "yarn install && yarn audit",
        host: "registry.yarnpkg.com",
        path: "/-/npm/v1/security/",
        files: &[DEPENDENT],
        programs: NPM,
        ..SENDER
    },
    Sender {
        name: "pip search",
        version: "pip --version",
        command: "pip search six",
        host: "pypi.org",
        path: "/pypi",
        ..SENDER
    },
];

#[test]
#[ignore = "needs the real clients: bash tests/all.sh runs it"]
fn what_publishes_is_refused_readably_and_what_audits_passes() {
    let (mut table, mut failures) = (String::from(HEAD), Vec::new());
    let mut skipped = false;
    for (senders, see) in [
        (
            PUBLISHING,
            sees_publishing_refused as fn(&Sender) -> Result<String, String>,
        ),
        (READING, sees_an_audit_pass),
    ] {
        for sender in senders {
            match version(sender).map(|version| (version, see(sender))) {
                None => {
                    skipped = true;
                    say(&format!(
                        "SKIPPED: {}: it is not installed. hint: `bash tests/clients/install.sh`",
                        sender.name
                    ));
                }
                Some((version, Ok(seen))) => {
                    say(&format!("ok: {}: {seen}", sender.name));
                    let request = format!("{} https://{}{}…", sender.method, sender.host, sender.path);
                    let _ = writeln!(table, "| {} | {version} | `{request}` | {seen} |", sender.name);
                }
                Some((_, Err(failure))) if failure.starts_with(UNREACHABLE) => {
                    skipped = true;
                    say(&format!("SKIPPED: {}: {failure}", sender.name));
                }
                Some((_, Err(failure))) => failures.push(format!("{}: {failure}", sender.name)),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    if skipped {
        say(&format!("this table is not whole, and so not written:\n{table}"));
    } else {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients/WRITES.md");
        fs::write(path, table).expect("the table can be written");
    }
}

/// Runs the sender under the Trusted list, with or without a stand-in for its host.
fn run(sender: &Sender, stand_in: Option<&TestOrigin>) -> (Outwall, Finished) {
    let mut outwall = Outwall::at(env!("CARGO_BIN_EXE_outwall"))
        .policy("[environments.default]\nnetwork = \"trusted\"\n")
        .variable("PATH", &wall::path_with(sender.programs))
        .variable("HOME", &wall::home());
    if let Some(origin) = stand_in {
        outwall = outwall.origin(sender.host, origin);
    }
    for (path, text) in sender.files {
        outwall.write_work_file(path, text);
    }
    let clients = wall::clients_dir().display().to_string();
    let finished = outwall.shell(&["--mount", &clients], sender.command);
    (outwall, finished)
}

fn sees_publishing_refused(sender: &Sender) -> Result<String, String> {
    let stand_in = TestOrigin::start();
    let (outwall, finished) = run(sender, Some(&stand_in));
    let refused = |event: &Value| {
        event["reason"] == "trusted-write-refused"
            && event["method"] == sender.method
            && event["path"]
                .as_str()
                .is_some_and(|path| path.starts_with(sender.path))
    };
    if !outwall.audit_of("denied").iter().any(refused) {
        return Err(format!("it was not refused: {finished:?}"));
    }
    if let Some(arrived) = stand_in
        .requests()
        .iter()
        .find(|request| request.method == sender.method)
    {
        return Err(format!("{} {} arrived", arrived.method, arrived.path));
    }
    if finished.status.success() {
        return Err(format!("the client took it for a success: {finished:?}"));
    }
    if !finished.stderr.contains("hint: under [environments.default]") {
        return Err(format!(
            "the end of the run does not say what would allow it: {finished:?}"
        ));
    }
    let end = finished.stderr.find("outwall: ").unwrap_or(finished.stderr.len());
    let own_words = &finished.stderr[..end]; // then come the run's last lines
    let told = [own_words, &finished.stdout]
        .iter()
        .any(|text| text.contains("Trusted list"));
    Ok(if told {
        "refused; the client shows why".to_owned()
    } else if [own_words, &finished.stdout]
        .iter()
        .any(|text| text.contains("403"))
    {
        "refused; the client shows 403, the run's last lines why".to_owned()
    } else {
        return Err(format!(
            "the client does not say that it was refused: {finished:?}"
        ));
    })
}

fn sees_an_audit_pass(sender: &Sender) -> Result<String, String> {
    if let Some(why) = unreachable(sender.host) {
        return Err(format!("{UNREACHABLE}{why}"));
    }
    let (outwall, finished) = run(sender, None);
    let denied = outwall.audit_of("denied");
    if !denied.is_empty() {
        return Err(format!("something was refused: {denied:#?}"));
    }
    let sent = outwall.audit_of("exchange.going_out");
    let sent = sent.iter().find(|event| {
        event["method"] == sender.method
            && event["path"]
                .as_str()
                .is_some_and(|path| path.starts_with(sender.path))
            && event["rule"]
                .as_str()
                .is_some_and(|rule| rule.starts_with("trusted write: "))
    });
    let sent = sent.ok_or_else(|| format!("it sent no such request: {finished:?}"))?;
    let answers = outwall.audit_of("exchange.came_back");
    let answer = answers.iter().find(|event| event["for"] == sent["id"]);
    let status = answer.and_then(|event| event["status"].as_u64());
    let status = status.ok_or_else(|| format!("the registry did not answer: {finished:?}"))?;
    let rule = sent["rule"].as_str().unwrap_or_default();
    Ok(format!(
        "passed by \"{}\"; the registry said {status}",
        rule.replace('"', "")
    ))
}

fn unreachable(host: &str) -> Option<String> {
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--max-time",
        "20",
        "--output",
        "/dev/null",
    ]);
    match curl.arg(format!("https://{host}/")).stdin(Stdio::null()).output() {
        Ok(said) if said.status.success() => None,
        Ok(said) => Some(String::from_utf8_lossy(&said.stderr).trim().to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

const UNREACHABLE: &str = "its registry cannot be reached: ";

/// The first number that it calls its version.
fn version(sender: &Sender) -> Option<String> {
    let mut asked = Command::new("sh");
    asked
        .args(["-c", sender.version])
        .env("PATH", wall::path_with(sender.programs));
    let said = asked.current_dir("/").stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut words = said.split_whitespace();
    let number = words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    Some(number.trim_end_matches(',').to_owned())
}

const HEAD: &str = "\
# What clients may send to the Trusted list

Written by the test `tests/it/clients/writes.rs`; do not edit. Each command ran under `outwall run --network trusted`.

- What publishes ran against a stand-in for its registry: the audit has the refusal (`trusted-write-refused`), no such request
  arrived, the client ended with an error, and the last lines of the run say what would allow it.
- What audits and searches ran against the registry that this machine reaches under that name, which may be a mirror with
  answers of its own: the audit has the request, the exception that let it pass, and an answer.

| client | version | request | seen |
|---|---|---|---|
";
