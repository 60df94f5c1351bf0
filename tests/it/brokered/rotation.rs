//! A secret that changes while it is used.

use std::path::Path;
use std::time::Duration;
use std::{fs, thread};

use outwall_tests::TestOrigin;
use tempfile::tempdir;

use super::HOST;
use crate::outwall;

/// What changes a file as an operator does: a new one in its place.
fn rotate(file: &Path, secret: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, secret).unwrap();
    fs::rename(&beside, file).unwrap();
}

/// Requests from a sandbox while the secret changes: each carries the old or the new, after the last change only the new.
fn rotation_under_load(requests: usize, changes: usize) {
    let origin = TestOrigin::start();
    let directory = tempdir().unwrap();
    let file = directory.path().join("secret");
    rotate(&file, &secret_of(0));
    let policy = format!(
        "[environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"{HOST}\"]\n[[credentials]]\nname = \"model\"\n\
         source = {{ file = \"{}\" }}\nhosts = [\"{HOST}\"]\ninject = [{{ header = \"x-api-key\" }}]\nenvironments = [\"default\"]\n",
        file.display()
    );
    let outwall = outwall().policy(&policy).origin(HOST, &origin);
    outwall.write_work_file("ask.py", ASK);
    let ending = outwall.work_dir().join("last");
    let changing = thread::spawn(move || {
        for number in 1..=changes {
            rotate(&file, &secret_of(number));
            thread::sleep(Duration::from_millis(40));
        }
        fs::write(ending, "").unwrap();
    });
    let script = format!("python3 ask.py {HOST} {requests}");
    let asked = outwall
        .run_patiently(&["run", "--", "sh", "-c", &script])
        .succeeded();
    changing.join().unwrap();
    let (received, known) = (origin.requests(), |text: &str| {
        (0..=changes).position(|number| secret_of(number) == text)
    });
    assert!(
        received.len() >= requests,
        "{} of {}: {asked:?}",
        received.len(),
        requests
    );
    let mut newest = 0;
    for request in &received {
        let number = known(request.header("x-api-key")).expect("a secret, and one of them");
        assert!(
            number + 1 >= newest,
            "{number} after {newest}: older than the one before"
        );
        newest = newest.max(number);
        assert!(
            !request.path.starts_with("/after") || number == changes,
            "the last is the only one"
        );
    }
    assert!(received.iter().any(|request| request.path.starts_with("/after")));
}

fn secret_of(number: usize) -> String {
    format!("sk-model-{number:06}-Zq8vN3xT7pLw2RkYc5HdB9mJ")
}

/// So many requests over one connection, and some more after the file `last` is there.
const ASK: &str = r#"
import http.client, os, sys, time
host, least = sys.argv[1], int(sys.argv[2])
connection = http.client.HTTPSConnection(host, timeout=30)
number = after = 0
while number < least or after < 20:
    over = os.path.exists("last")
    connection.request("GET", ("/after/" if over else "/n/") + str(number))
    answer = connection.getresponse()
    assert answer.status == 200, answer.status
    answer.read()
    number += 1
    after += over
"#;

#[test]
fn each_request_has_the_old_secret_or_the_new_and_after_the_last_change_only_the_new() {
    rotation_under_load(1_000, 20);
}

#[test]
#[ignore = "ten thousand requests"]
fn ten_thousand_requests_while_the_secret_changes_fifty_times() {
    rotation_under_load(10_000, 50);
}
