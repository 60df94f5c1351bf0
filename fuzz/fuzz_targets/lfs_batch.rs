//! A batch of LFS that is understood says the same when it is written again, and names the ref that a second parser finds; of what a
//! server answers to it, no URL and no header reaches the client.
#![no_main]
use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use outwall_git_proxy::lfs::{BatchRequest, Operation, TransferKind, bring_back, understand};
use outwall_git_proxy::{AnswerTreatment, BodySent, LfsDoor, Understanding};
use outwall_policy::github::GithubAction;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else {
        return;
    };
    if choice & 1 == 0 {
        asked(bytes);
    } else {
        answered(if choice & 2 == 0 { "upload" } else { "download" }, bytes);
    }
});

fn asked(bytes: &[u8]) {
    let repository = "acme/app".parse().expect("a name");
    let Ok(Understanding::Known(understood)) = understand(&repository, &LfsDoor::Batch, None, bytes) else {
        return;
    };
    let (BodySent::These(sent), AnswerTreatment::LfsBatch(batch)) = (&understood.body, &understood.answer)
    else {
        panic!("a batch has a body and an answer: {understood:?}");
    };
    assert_eq!(BatchRequest::read(sent).as_ref(), Ok(batch), "it says the same");
    let (before, after): (Value, Value) = (
        serde_json::from_slice(bytes).expect("JSON"),
        serde_json::from_slice(sent).expect("JSON"),
    );
    for member in ["operation", "objects"] {
        assert_eq!(before[member], after[member]);
    }
    let named = before["ref"]["name"].as_str().filter(|name| !name.is_empty());
    assert_eq!(after["ref"]["name"].as_str(), named);
    if batch.operation == Operation::Upload {
        let written = understood.actions.all.iter().find_map(GithubAction::written_ref);
        assert_eq!(
            written.map(|name| name.as_str()),
            named,
            "an upload is a write of the ref that it names"
        );
    }
}

const OID: &str = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

fn answered(operation: &str, bytes: &[u8]) {
    let batch = format!(
        r#"{{"operation":"{operation}","ref":{{"name":"refs/heads/x"}},"objects":[{{"oid":"{OID}","size":1}}]}}"#
    );
    let batch = BatchRequest::read(batch.as_bytes()).expect("a batch");
    let made = RefCell::new(Vec::new());
    let ticket = |transfer, _good_for| {
        made.borrow_mut().push(transfer);
        format!("ticket:{}", made.borrow().len())
    };
    let Ok(sent) = bring_back(bytes, &batch, ticket) else {
        return;
    };
    let sent: Value = serde_json::from_slice(&sent).expect("JSON");
    let mut tickets = 0;
    for file in sent["objects"].as_array().expect("a list") {
        assert_eq!(file["oid"], OID, "only what was asked for");
        for action in file["actions"]
            .as_object()
            .into_iter()
            .flat_map(|actions| actions.values())
        {
            tickets += 1;
            assert!(
                action["href"]
                    .as_str()
                    .is_some_and(|href| href.starts_with("ticket:")),
                "{action}"
            );
            let known = |name: &String| ["href", "expires_in", "expires_at"].contains(&name.as_str());
            assert!(
                action.as_object().expect("an object").keys().all(known),
                "{action}"
            );
        }
    }
    assert_eq!(tickets, made.borrow().len());
    for transfer in made.borrow().iter() {
        assert_eq!(transfer.href.scheme_str(), Some("https"));
        assert_eq!(transfer.kind == TransferKind::Download, operation == "download");
    }
}
