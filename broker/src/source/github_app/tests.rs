#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::*;
use crate::source::{Services, Surroundings};

/// Making one takes a moment.
static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn pkcs8() -> String {
    pem(
        "PRIVATE KEY",
        AsDer::<Pkcs8V1Der<'_>>::as_der(&*KEY).unwrap().as_ref(),
    )
}

/// What GitHub gives: PKCS#8 has it within, behind 26 bytes that say that it is RSA.
fn pkcs1() -> String {
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&*KEY).unwrap();
    pem("RSA PRIVATE KEY", &der.as_ref()[26..])
}

#[derive(Default)]
struct StandIn {
    answers: Mutex<VecDeque<(u16, Value, Option<&'static str>)>>,
    /// Bearer and body.
    asked: Mutex<Vec<(String, Value)>>,
}

impl Services for StandIn {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Answer, NotAnswered>> {
        assert_eq!(question.method, "POST");
        assert_eq!(question.service.to_string(), "https://api.github.com");
        assert_eq!(question.path, "/app/installations/22/access_tokens");
        let header = |name| {
            question
                .headers
                .iter()
                .find(|(header, _)| *header == name)
                .unwrap()
                .1
                .to_string()
        };
        assert_eq!(header("x-github-api-version"), "2022-11-28");
        let bearer = header("authorization")
            .strip_prefix("Bearer ")
            .unwrap()
            .to_owned();
        let body = serde_json::from_slice(&question.body).unwrap();
        self.asked.lock().unwrap().push((bearer, body));
        let (status, body, date) = self.answers.lock().unwrap().pop_front().unwrap();
        Box::pin(std::future::ready(Ok(Answer {
            status,
            date: date.map(ToOwned::to_owned),
            location: None,
            scopes: None,
            body: Zeroizing::new(serde_json::to_vec(&body).unwrap()),
        })))
    }
}

fn token(more: &Value) -> Value {
    let mut answer = json!({"token": "ghs_secret-of-an-installation", "expires_at": "2026-11-25T13:00:00Z",
        "permissions": {"contents": "write"}, "repository_selection": "selected"});
    answer
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    answer
}

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

const DATE: &str = "Wed, 25 Nov 2026 12:00:00 GMT";

/// What a fetch comes to, and what GitHub was asked.
async fn fetch(
    key: &str,
    answers: &[(u16, Value, Option<&'static str>)],
) -> (Result<Fetched, SourceError>, Vec<(String, Value)>) {
    fetch_as(key, answers, |_| {}).await
}

async fn fetch_as(
    key: &str,
    answers: &[(u16, Value, Option<&'static str>)],
    change: impl FnOnce(&mut GithubApp),
) -> (Result<Fetched, SourceError>, Vec<(String, Value)>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.pem"), key).unwrap();
    let github = Arc::new(StandIn::default());
    github.answers.lock().unwrap().extend(answers.iter().cloned());
    let services: Arc<dyn Services> = github.clone();
    let mut app = GithubApp {
        app: 11,
        installation: 22,
        private_key: SecretSource::File("app.pem".into()),
        only: None,
        repositories: vec![7, 9],
        permissions: [("contents".into(), "write".into())].into(),
        api: "https://api.github.com".parse().unwrap(),
        means: Means {
            surroundings: Surroundings {
                folder: folder.path().into(),
                home: None,
            },
            services,
        },
    };
    change(&mut app);
    let fetched = app.fetch(now()).await;
    if let Err(error) = &fetched {
        let chain = format!("{error} {error:?} {error:#?} {}", error.remedy());
        assert!(!chain.contains("ghs_secret") && !chain.contains("MII"), "{chain}");
    }
    let asked = github.asked.lock().unwrap().clone();
    (fetched, asked)
}

/// As another library reads it, at a moment.
fn claims(jwt: &str) -> Value {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    let public = DecodingKey::from_rsa_der(KEY.public_key().as_ref());
    jsonwebtoken::decode::<Value>(jwt, &public, &validation)
        .unwrap()
        .claims
}

#[tokio::test]
async fn a_token_is_asked_for_these_repositories_alone_as_the_app() {
    for key in [pkcs1(), pkcs8(), pkcs1().trim_end().replace('\n', "\\n")] {
        let (fetched, asked) = fetch(&key, &[(201, token(&json!({})), Some(DATE))]).await;
        let fetched = fetched.unwrap();
        assert_eq!(fetched.secret.expose(), b"ghs_secret-of-an-installation");
        assert_eq!(fetched.expires_at, Some("2026-11-25T13:00:00Z".parse().unwrap()));
        let [(jwt, body)] = &asked[..] else {
            panic!("one question")
        };
        assert_eq!(
            *body,
            json!({"repository_ids": [7, 9], "permissions": {"contents": "write"}})
        );
        let at = now().as_second();
        assert_eq!(claims(jwt), json!({"iat": at - 60, "exp": at + 540, "iss": "11"}));
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_put_right_by_what_github_says() {
    let unauthorized = json!({"message": "'Expiration time' claim ('exp') is too far in the future"});
    let early = Some("Wed, 25 Nov 2026 11:50:00 GMT");
    let expires = json!({"expires_at": "2026-11-25T12:50:00Z"});
    let (fetched, asked) = fetch(
        &pkcs1(),
        &[(401, unauthorized.clone(), early), (201, token(&expires), early)],
    )
    .await;
    assert_eq!(
        fetched.unwrap().expires_at,
        Some("2026-11-25T13:00:00Z".parse().unwrap()),
        "by our clock"
    );
    assert_eq!(claims(&asked[1].0)["iat"], json!(now().as_second() - 660));
    let (fetched, asked) = fetch(&pkcs1(), &[(401, unauthorized, Some(DATE))]).await;
    assert!(fetched.is_err());
    assert_eq!(
        asked.len(),
        1,
        "the clock is right, so that asking again is of no use"
    );
}

#[tokio::test]
async fn what_github_refuses_is_explained() {
    for (status, message, said) in [
        (
            401,
            "A JSON web token could not be decoded",
            "GitHub does not believe that we are the app 11: A JSON web token could not be decoded",
        ),
        (
            403,
            "This installation has been suspended",
            "GitHub forbids the app 11 to have a token: This installation has been suspended",
        ),
        (404, "Not Found", "the app 11 has no installation 22: Not Found"),
        (
            422,
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
            "GitHub gives no token for these repositories and permissions: There is at least one repository that does not exist or is not accessible to the parent installation.",
        ),
        (502, "Server Error", "GitHub answered 502: Server Error"),
    ] {
        let (fetched, _) = fetch(&pkcs1(), &[(status, json!({"message": message}), Some(DATE))]).await;
        assert_eq!(fetched.unwrap_err().to_string(), said);
    }
    let (fetched, _) = fetch(&pkcs1(), &[(201, json!({"token": "ghs_secret"}), None)]).await;
    assert_eq!(
        fetched.unwrap_err().to_string(),
        "what GitHub answered is not what it documents"
    );
}

#[tokio::test]
async fn a_token_for_more_than_was_asked_is_not_used() {
    for wide in [
        json!({"repository_selection": "all"}),
        json!({"repositories": [{"id": 7}, {"id": 8}]}),
    ] {
        let (fetched, _) = fetch(&pkcs1(), &[(201, token(&wide), Some(DATE))]).await;
        let error = fetched.unwrap_err();
        assert!(
            matches!(error, SourceError::GithubApp(GithubAppError::TooWide)),
            "{error}"
        );
    }
    let (fetched, _) = fetch(
        &pkcs1(),
        &[(201, token(&json!({"repositories": [{"id": 7}]})), Some(DATE))],
    )
    .await;
    assert!(fetched.is_ok());
}

#[tokio::test]
async fn a_key_that_is_none_is_not_repeated() {
    let public = pem("PUBLIC KEY", b"MIIMIIMII");
    let broken = pem("RSA PRIVATE KEY", b"MIIMIIMII");
    for (key, why) in [
        ("MIIEpAIBAAKCAQEA", KeyError::NotPem),
        ("", KeyError::NotPem),
        (&public, KeyError::NotPem),
        (&broken, KeyError::NotRsa),
    ] {
        let (fetched, asked) = fetch(key, &[]).await;
        let error = fetched.unwrap_err();
        assert!(
            matches!(error, SourceError::GithubApp(GithubAppError::Key(found)) if found == why),
            "{error:?}"
        );
        assert!(asked.is_empty());
    }
}

async fn for_session(answer: &Value, listed: &[u64]) -> Result<Value, String> {
    let (fetched, asked) = fetch_as(&pkcs1(), &[(201, token(answer), Some(DATE))], |app| {
        app.repositories = listed.to_vec();
        app.only = Some("acme/app".parse().unwrap());
    })
    .await;
    fetched
        .map(|_| asked[0].1.clone())
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_session_gets_a_token_for_its_repository_alone_and_with_no_more_than_was_asked() {
    let one = json!({"repositories": [{"id": 7, "full_name": "Acme/App"}]});
    let asked = for_session(&one, &[]).await.unwrap();
    assert_eq!(
        asked,
        json!({"repositories": ["app"], "permissions": {"contents": "write"}})
    );
    assert!(for_session(&one, &[7]).await.is_ok());
    assert!(
        for_session(&one, &[8])
            .await
            .unwrap_err()
            .contains("none of those")
    );
    for other in [
        json!({}),
        json!({"repositories": []}),
        json!({"repositories": [{"id": 7, "full_name": "other/app"}]}),
        json!({"repositories": [{"id": 7, "full_name": "acme/app"}, {"id": 8, "full_name": "acme/b"}]}),
        json!({"repositories": [{"id": 7, "full_name": "acme/app"}], "repository_selection": "all"}),
    ] {
        let said = for_session(&other, &[]).await.unwrap_err();
        assert!(said.contains("other repositories"), "{other}: {said}");
    }
    let more = json!({"repositories": [{"id": 7, "full_name": "acme/app"}], "permissions": {"contents": "write", "workflows": "write"}});
    assert!(for_session(&more, &[]).await.unwrap_err().contains("`workflows`"));
}
