#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use std::process::{Command, Stdio};

use super::*;

fn keyring(account: &str) -> Keyring {
    Keyring {
        service: "outwall test".into(),
        account: account.into(),
    }
}

/// Puts secrets into the keyring of a session of its own, and runs [`within_a_session_of_its_own`] in there.
const SESSION: &str = r#"
set -e
printf 'a password\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null
store() { printf '%s' "$1" | secret-tool store --label=test service 'outwall test' username "$2" ${3:+kind "$3"}; }
store hunter2-of-the-keyring ci
store one twice first
store two twice second
exec "$@"
"#;

/// Against the real GNOME Keyring. Debian: `apt install gnome-keyring libsecret-tools dbus`.
#[test]
#[ignore = "needs gnome-keyring, secret-tool and dbus-run-session; cargo test -p outwall-broker -- --ignored keyring"]
fn a_real_keyring_gives_its_secret() {
    let has = |program| {
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    };
    for program in ["gnome-keyring-daemon", "secret-tool", "dbus-run-session"] {
        if !has(program) {
            eprintln!("SKIPPED: `{program}` is not installed, so that no real keyring was asked");
            return;
        }
    }
    let home = tempfile::tempdir().unwrap();
    let output = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", SESSION, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "source::keyring::tests::within_a_session_of_its_own",
        ])
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .env("OUTWALL_TEST_KEYRING", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed") && said.contains("THE KEYRING WAS ASKED"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
#[ignore = "run by a_real_keyring_gives_its_secret"]
async fn within_a_session_of_its_own() {
    if std::env::var_os("OUTWALL_TEST_KEYRING").is_none() {
        return;
    }
    let fetched = keyring("ci").fetch(Timestamp::now()).await.unwrap();
    assert_eq!(fetched.secret.expose(), b"hunter2-of-the-keyring");
    assert_eq!(fetched.ask_again, Some(BETWEEN));
    let error = keyring("nobody").fetch(Timestamp::now()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the keyring has no secret for the service `outwall test` and the account `nobody`"
    );
    assert_eq!(error.says(), Says::Withdrawn);
    let error = keyring("twice").fetch(Timestamp::now()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the keyring has 2 secrets for the service `outwall test` and the account `twice`"
    );
    let locked = Command::new("secret-tool").arg("lock").status();
    if locked.is_ok_and(|status| status.success()) {
        let error = keyring("ci").fetch(Timestamp::now()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the keyring with the secret for the service `outwall test` is locked"
        );
    }
    println!("THE KEYRING WAS ASKED");
}

#[tokio::test]
async fn where_no_keyring_is_it_is_said() {
    let error = KeyringError::from(zbus::Error::InterfaceNotFound);
    assert_eq!(error.to_string(), "the keyring cannot be asked");
    assert!(error.remedy().contains("desktop session"));
}
