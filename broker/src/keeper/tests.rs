#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use std::collections::VecDeque;
use std::error::Error as _;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::secret::Unfit;
use crate::source::{Fetched, Source};

fn name(text: &str) -> CredentialName {
    text.parse().unwrap()
}

fn system_clock() -> Clock {
    Arc::new(Timestamp::now)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// A clock that stands still until it is set.
fn set_clock() -> (Arc<Mutex<Timestamp>>, Clock) {
    let time = Arc::new(Mutex::new(at(1_000_000)));
    let shown = Arc::clone(&time);
    (time, Arc::new(move || *shown.lock().unwrap()))
}

fn surroundings(folder: &Path) -> Surroundings {
    Surroundings {
        folder: folder.to_owned(),
        home: None,
    }
}

fn file(path: &str) -> brokered::Source {
    brokered::Source::File { path: path.into() }
}

/// As `mv` does.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, path).unwrap();
}

struct Story {
    folder: TempDir,
    keeper: Keeper,
    time: Arc<Mutex<Timestamp>>,
}

impl Story {
    /// With a credential `npm`, the file `npm`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (time, clock) = set_clock();
        let story = Self {
            keeper: Keeper::new(clock),
            folder,
            time,
        };
        story.name_file("npm");
        story
    }

    fn name_file(&self, path: &str) {
        self.keeper
            .replace(&surroundings(self.folder.path()), [(&name("npm"), &file(path))]);
    }

    fn write(&self, text: &str) {
        replace(&self.folder.path().join("npm"), text);
    }

    fn later(&self, seconds: i64) {
        let mut time = self.time.lock().unwrap();
        *time = at(time.as_second() + seconds);
    }

    async fn text(&self) -> Result<String, Unavailable> {
        let secret = self.keeper.current(&name("npm")).await?;
        Ok(String::from_utf8(secret.expose().to_vec()).unwrap())
    }

    fn known(&self) -> Vec<String> {
        let known = self.keeper.known(&name("npm"));
        let text = |secret: &Arc<Secret>| String::from_utf8(secret.expose().to_vec()).unwrap();
        known.iter().map(text).collect()
    }
}

/// What a rotation must look like: 10,000 requests while the secret changes 50 times. No request has none, or one that was already
/// replaced when it began; after the last change all have the last.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_requests_during_fifty_changes_have_the_old_or_the_new() {
    const CHANGES: usize = 50;
    const BETWEEN: usize = 10_000 / (CHANGES + 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("npm");
    replace(&path, "secret-000000");
    let keeper = Arc::new(Keeper::new(system_clock()));
    keeper.replace(&surroundings(folder.path()), [(&name("npm"), &file("npm"))]);
    let (begun, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let requests = Arc::new(AtomicUsize::new(0));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (keeper, begun, done, requests) = (
                Arc::clone(&keeper),
                Arc::clone(&begun),
                Arc::clone(&done),
                Arc::clone(&requests),
            );
            tokio::spawn(async move {
                let ahead = || requests.load(SeqCst) >= (done.load(SeqCst) + 1) * BETWEEN;
                for _ in 0..2500 {
                    while ahead() && done.load(SeqCst) < CHANGES {
                        tokio::task::yield_now().await; // there are requests between any two changes
                    }
                    let oldest = done.load(SeqCst);
                    let secret = keeper.current(&name("npm")).await.unwrap();
                    let newest = begun.load(SeqCst);
                    let text = std::str::from_utf8(secret.expose()).unwrap();
                    let number: usize = text.strip_prefix("secret-").unwrap().parse().unwrap();
                    assert!(
                        (oldest..=newest).contains(&number),
                        "{oldest} <= {number} <= {newest}"
                    );
                    requests.fetch_add(1, SeqCst);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for change in 1..=CHANGES {
        while requests.load(SeqCst) < change * BETWEEN && !readers.iter().all(JoinHandle::is_finished) {
            tokio::task::yield_now().await;
        }
        begun.store(change, SeqCst);
        replace(&path, &format!("secret-{change:06}")); // of one length, and sooner after one another than a clock ticks
        done.store(change, SeqCst);
    }
    for reader in readers {
        reader.await.unwrap();
    }
    assert_eq!(requests.load(SeqCst), 10_000);
    let last = keeper.current(&name("npm")).await.unwrap();
    assert_eq!(last.expose(), b"secret-000050");
    let state = keeper.state(&name("npm")).await.unwrap();
    assert_eq!(state.failures, 0);
    assert_eq!(
        keeper.known(&name("npm")).len(),
        CHANGES + 1,
        "all are looked for in answers"
    );
}

#[tokio::test]
async fn a_changed_file_is_seen_by_the_next_request() {
    let story = Story::new();
    story.write("one\n");
    assert_eq!(story.text().await.unwrap(), "one");
    let before = story.keeper.current(&name("npm")).await.unwrap();
    story.write("one\n");
    let same = story.keeper.current(&name("npm")).await.unwrap();
    assert_eq!(before.generation(), same.generation(), "it says the same");
    story.write("two\n");
    assert_eq!(story.text().await.unwrap(), "two");
    fs::write(story.folder.path().join("npm"), "333").unwrap();
    assert_eq!(story.text().await.unwrap(), "333");
    assert_eq!(story.known(), ["333", "one", "two"]);
}

#[tokio::test]
async fn the_last_secret_is_used_for_a_minute_where_a_file_cannot_be_read_and_the_state_says_so() {
    let story = Story::new();
    story.write("one");
    assert_eq!(story.text().await.unwrap(), "one");
    let path = story.folder.path().join("npm");
    for ruin in [
        (|path| fs::write(path, "a\nb")) as fn(&Path) -> std::io::Result<()>,
        |path| fs::remove_file(path),
    ] {
        ruin(&path).unwrap();
        story.later(59);
        assert_eq!(story.text().await.unwrap(), "one");
        let state = story.keeper.state(&name("npm")).await.unwrap();
        assert!(matches!(state.standing, Standing::Held(_)), "{state:?}");
        story.later(60);
        let error = story.text().await.unwrap_err();
        assert!(matches!(error, Unavailable::NotFetched { .. }));
        assert!(error.source().unwrap().to_string().contains("npm"), "{error:?}");
        story.write("one");
        assert_eq!(story.text().await.unwrap(), "one");
        let state = story.keeper.state(&name("npm")).await.unwrap();
        assert!(matches!(state.standing, Standing::Ready), "{state:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_yet_is_found_by_the_first_request_after_it_is() {
    let story = Story::new();
    let error = story.text().await.unwrap_err();
    assert!(matches!(error, Unavailable::NotFetched { .. }), "{error}");
    story.write("one");
    assert_eq!(story.text().await.unwrap(), "one");
}

#[tokio::test(start_paused = true)]
async fn what_was_replaced_is_known_for_ten_minutes_and_then_wiped() {
    let story = Story::new();
    story.write("one");
    let one = Arc::downgrade(&story.keeper.current(&name("npm")).await.unwrap());
    story.write("two");
    assert_eq!(story.text().await.unwrap(), "two");
    tokio::time::sleep(Duration::from_secs(599)).await;
    assert_eq!(story.known(), ["two", "one"]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(story.known(), ["two"]);
    assert!(one.upgrade().is_none());
}

#[tokio::test]
async fn a_policy_that_is_replaced_keeps_what_is_unchanged_and_remembers_what_is_not() {
    let story = Story::new();
    story.write("one");
    let before = story.keeper.current(&name("npm")).await.unwrap();
    story.name_file("npm");
    let state = story.keeper.state(&name("npm")).await.unwrap();
    let same = story.keeper.current(&name("npm")).await.unwrap();
    assert!(Arc::ptr_eq(&before, &same) && state.failures == 0);
    replace(&story.folder.path().join("other"), "two");
    story.name_file("other");
    assert_eq!(story.text().await.unwrap(), "two");
    assert_eq!(story.known(), ["two", "one"]);
    story.keeper.replace(&surroundings(story.folder.path()), []);
    assert!(matches!(story.text().await, Err(Unavailable::Unknown { .. })));
    assert!(story.keeper.states().await.is_empty());
}

#[tokio::test]
async fn a_variable_is_read_and_one_that_is_not_set_is_named() {
    let keeper = Keeper::new(system_clock());
    let variable = |variable: &str| brokered::Source::Environment {
        variable: variable.into(),
    };
    keeper.replace(
        &surroundings(Path::new("/")),
        [
            (&name("set"), &variable("CARGO_PKG_NAME")),
            (&name("not-set"), &variable("OUTWALL_NEVER_SET")),
        ],
    );
    let set = keeper.current(&name("set")).await.unwrap();
    assert_eq!(set.expose(), b"outwall-broker");
    let error = keeper.current(&name("not-set")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the secret of the credential `not-set` cannot be fetched"
    );
    let why = error.source().unwrap().to_string();
    assert_eq!(why, "the variable `OUTWALL_NEVER_SET` of the gate is not set");
    assert!(error.remedy().contains("OUTWALL_NEVER_SET=..."));
}

#[test]
fn relative_paths_are_relative_to_the_policy_and_a_tilde_is_home() {
    let mut surroundings = surroundings(Path::new("/etc/outwall"));
    assert_eq!(surroundings.place("npm"), Path::new("/etc/outwall/npm"));
    assert_eq!(surroundings.place("/run/npm"), Path::new("/run/npm"));
    surroundings.home = Some("/home/me".into());
    assert_eq!(surroundings.place("~/npm"), Path::new("/home/me/npm"));
    assert_eq!(surroundings.place("~me/npm"), Path::new("/etc/outwall/~me/npm"));
}

/// A source that says what it was told to say, one after the other, and the last again and again.
#[derive(Default)]
struct Scripted {
    answers: Mutex<VecDeque<Answer>>,
    asked: AtomicUsize,
}

#[derive(Clone, Copy)]
enum Answer {
    Secret {
        text: &'static str,
        expires_at: Option<i64>,
        ask_again: u64,
    },
    Failure,
}

const fn secret(text: &'static str, expires_at: i64, ask_again: u64) -> Answer {
    Answer::Secret {
        text,
        expires_at: Some(expires_at),
        ask_again,
    }
}

impl Source for Scripted {
    fn fetch(&self, _now: Timestamp) -> BoxFuture<'_, Result<Fetched, SourceError>> {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            self.asked.fetch_add(1, SeqCst);
            let mut answers = self.answers.lock().unwrap();
            let answer = if answers.len() > 1 {
                answers.pop_front()
            } else {
                answers.front().copied()
            };
            match answer.unwrap() {
                Answer::Secret {
                    text,
                    expires_at,
                    ask_again,
                } => Ok(Fetched {
                    secret: Secret::from_text(text.as_bytes()).unwrap(),
                    expires_at: expires_at.map(at),
                    ask_again: Some(Duration::from_secs(ask_again)),
                    seen: None,
                }),
                Answer::Failure => Err(SourceError::Unfit {
                    place: "the script".into(),
                    why: Unfit::Empty,
                }),
            }
        })
    }
}

fn scripted(answers: &[Answer], clock: Clock) -> (Arc<Scripted>, Arc<Kept>) {
    let script = Arc::new(Scripted {
        answers: Mutex::new(answers.iter().copied().collect()),
        asked: AtomicUsize::new(0),
    });
    let source: Arc<dyn Source> = script.clone();
    let kept = Kept::from_source(
        &name("api"),
        &file("none"),
        &surroundings(Path::new("/")),
        source,
        clock,
    );
    (script, kept)
}

#[tokio::test(start_paused = true)]
async fn all_who_ask_at_once_share_one_fetch() {
    let (_, clock) = set_clock();
    let (script, kept) = scripted(&[secret("one", 2_000_000, 60)], clock);
    let asking = (0..100).map(|_| kept.current());
    let all = futures_util::future::join_all(asking).await;
    assert!(
        all.iter()
            .all(|secret| secret.as_ref().unwrap().expose() == b"one")
    );
    assert_eq!(script.asked.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_expired_secret_is_never_used() {
    let (time, clock) = set_clock();
    let (script, kept) = scripted(
        &[
            secret("one", 1_000_100, 60),
            Answer::Failure,
            secret("two", 1_000_900, 60),
        ],
        clock,
    );
    assert_eq!(kept.current().await.unwrap().expose(), b"one");
    *time.lock().unwrap() = at(1_000_099);
    assert_eq!(kept.current().await.unwrap().expose(), b"one");
    *time.lock().unwrap() = at(1_000_100);
    let error = kept.current().await.unwrap_err();
    assert!(
        matches!(error, Unavailable::Expired { why: Some(_), .. }),
        "{error:?}"
    );
    let error = kept.current().await.unwrap_err();
    assert!(matches!(error, Unavailable::Expired { .. }));
    assert_eq!(
        script.asked.load(SeqCst),
        2,
        "a source that has just failed is left alone for a moment"
    );
    *time.lock().unwrap() = at(1_000_110);
    assert_eq!(kept.current().await.unwrap().expose(), b"two");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_be_asked_leaves_the_last_secret_for_an_hour() {
    let (time, clock) = set_clock();
    let (_, kept) = scripted(
        &[
            Answer::Secret {
                text: "one",
                expires_at: None,
                ask_again: 60,
            },
            Answer::Failure,
        ],
        clock,
    );
    assert_eq!(kept.current().await.unwrap().expose(), b"one");
    kept.ask_anew().await;
    *time.lock().unwrap() = at(1_000_000 + 3_599);
    assert_eq!(kept.current().await.unwrap().expose(), b"one");
    assert!(matches!(kept.state().standing, Standing::Held(_)));
    *time.lock().unwrap() = at(1_000_000 + 3_600);
    assert!(matches!(
        kept.current().await,
        Err(Unavailable::NotFetched { .. })
    ));
}

/// Nobody uses it, and it is fetched again all the same; and no more once it is dropped.
#[tokio::test(start_paused = true)]
async fn a_secret_is_fetched_again_before_it_expires() {
    let start = Instant::now();
    let clock: Clock = Arc::new(move || {
        let passed = jiff::SignedDuration::try_from(start.elapsed()).unwrap();
        at(1_000_000).saturating_add(passed).unwrap()
    });
    let (script, kept) = scripted(
        &[
            secret("one", 1_000_100, 60),
            Answer::Failure,
            Answer::Failure,
            secret("two", 1_000_200, 60),
            secret("three", 1_009_000, 8_000),
        ],
        clock,
    );
    let tended = Tended::start(kept);
    let mut texts: Vec<String> = Vec::new();
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let secret = tended.current().await.unwrap();
        let text = String::from_utf8(secret.expose().to_vec()).unwrap();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
    }
    assert_eq!(texts, ["one", "two", "three"]);
    assert_eq!(script.asked.load(SeqCst), 5);
    drop(tended);
    tokio::time::sleep(Duration::from_secs(20_000)).await;
    assert_eq!(script.asked.load(SeqCst), 5);
}
