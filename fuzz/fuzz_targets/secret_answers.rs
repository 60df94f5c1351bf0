//! Whatever Vault or GitHub answer, with whatever status: what becomes of it can stand in a header, and no error tells what we showed
//! there or what was answered as the secret.
#![no_main]
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::{BoxFuture, ready};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use outwall_broker::{Answer, Keeper, NotAnswered, Question, Secret, Services, Surroundings};
use outwall_policy::SecretSource;
use outwall_policy::brokered::{CredentialName, Source, VaultAuth};

/// Answers every question alike.
struct Anything(u16, Vec<u8>);

impl Services for Anything {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Answer, NotAnswered>> {
        assert!(question.path.starts_with("/v1/") && !question.path.contains(char::is_control));
        Box::pin(ready(Ok(Answer {
            status: self.0,
            date: String::from_utf8(self.1.clone()).ok(),
            scopes: None,
            location: String::from_utf8(self.1.clone()).ok(),
            body: self.1.clone().into(),
        })))
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&[status], body)) = input.split_first_chunk::<1>() else {
        return;
    };
    if let Ok(secret) = Secret::from_text(body) {
        assert!(can_stand_in_a_header(secret.expose()));
        assert!(Secret::from_text(secret.expose()).is_ok_and(|again| again.is(&secret)));
    }
    let status = [200, 400, 403, 404, 307, 500, 503][usize::from(status) % 7];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.expect("a runtime").block_on(ask(status, body));
});

async fn ask(status: u16, body: &[u8]) {
    // A variable that is always there: what is in it is what is shown to Vault, which may answer with it.
    let token = std::env::var("PATH").expect("a path");
    let pieces: Vec<&[u8]> = body.split(|byte| *byte == REFLECTED).collect();
    let body = pieces.join(token.as_bytes());
    let source = Source::Vault {
        address: Some("https://vault.test".parse().expect("a URL")),
        mount: "secret".into(),
        path: "a".into(),
        key: "k".into(),
        namespace: None,
        auth: VaultAuth::Token(SecretSource::Environment("PATH".into())),
    };
    let keeper = Keeper::new(Arc::new(Timestamp::now));
    keeper.ask_through(Box::new(Anything(status, body)));
    let surroundings = Surroundings {
        folder: Path::new("/").into(),
        home: None,
    };
    let name: CredentialName = "a".parse().expect("a name");
    keeper.replace(&surroundings, [(&name, &source)]);
    match keeper.current(&name).await {
        Ok(secret) => assert!(status == 200 && can_stand_in_a_header(secret.expose())),
        Err(error) => {
            let told = format!("{error} {error:?} {:?}", error.source().map(ToString::to_string));
            assert!(!told.contains(&token), "an error tells what was shown to Vault");
        }
    }
}

/// The byte of an answer for which it has what was shown.
const REFLECTED: u8 = 1;

/// RFC 9110 section 5.5.
fn can_stand_in_a_header(bytes: &[u8]) -> bool {
    !bytes.is_empty() && http::HeaderValue::from_bytes(bytes).is_ok()
}
