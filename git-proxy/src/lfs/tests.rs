#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use std::time::{Duration, Instant};

use outwall_policy::Method;
use serde_json::{Value, json};

use super::*;

const OID: &str = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

fn app() -> RepositoryName {
    "acme/app".parse().unwrap()
}

fn asked(door: &LfsDoor, body: &Value) -> Result<Understood, String> {
    match understand(&app(), door, None, body.to_string().as_bytes()) {
        Ok(Understanding::Known(understood)) => Ok(understood),
        Ok(Understanding::Ask(_)) => unreachable!("LFS asks nothing"),
        Err(error) => Err(error.what),
    }
}

fn sent(understood: &Understood) -> Value {
    match &understood.body {
        BodySent::These(body) => serde_json::from_slice(body).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn upload(name: &str) -> Value {
    json!({
        "operation": "upload",
        "transfers": ["lfs-standalone-file", "basic", "ssh"],
        "ref": {"name": name},
        "objects": [{"oid": OID, "size": 12}],
        "hash_algo": "sha256",
    })
}

#[test]
fn an_upload_is_a_write_of_the_ref_that_it_names() {
    let understood = asked(&LfsDoor::Batch, &upload("refs/heads/x")).unwrap();
    let actions: Vec<String> = understood.actions.all.iter().map(ToString::to_string).collect();
    assert_eq!(
        actions,
        ["update refs/heads/x of acme/app", "store objects in acme/app"]
    );
    assert_eq!(
        sent(&understood),
        json!({
            "operation": "upload",
            "transfers": ["basic"],
            "ref": {"name": "refs/heads/x"},
            "objects": [{"oid": OID, "size": 12}],
            "hash_algo": "sha256",
        })
    );
}

#[test]
fn an_upload_for_no_ref_is_refused_and_a_download_is_not() {
    let mut body = upload("refs/heads/x");
    body["ref"] = Value::Null;
    assert!(asked(&LfsDoor::Batch, &body).unwrap_err().contains("git-lfs 2.4"));
    body["ref"] = json!({"name": ""});
    assert!(asked(&LfsDoor::Batch, &body).is_err());
    body["operation"] = json!("download");
    let understood = asked(&LfsDoor::Batch, &body).unwrap();
    assert_eq!(understood.actions.all, [GithubAction::Read(app())]);
    assert!(sent(&understood).get("ref").is_none());
}

#[test]
fn what_is_not_a_batch_is_refused() {
    for (member, value) in [
        ("operation", json!("delete")),
        ("transfers", json!(["ssh"])),
        ("ref", json!({"name": "main"})),
        ("ref", json!({"name": "refs/heads/x", "also": "refs/heads/main"})),
        ("objects", json!([])),
        ("objects", json!([{"oid": OID.to_uppercase(), "size": 1}])),
        (
            "objects",
            json!([{"oid": format!("../{}", &OID[3..]), "size": 1}]),
        ),
        ("objects", json!([{"oid": OID, "size": -1}])),
        ("objects", json!(vec![json!({"oid": OID, "size": 1}); 1_001])),
        ("hash_algo", json!("md5")),
        ("more", json!(1)),
    ] {
        let mut body = upload("refs/heads/x");
        body[member] = value.clone();
        assert!(asked(&LfsDoor::Batch, &body).is_err(), "{member}: {value}");
    }
    let twice = upload("refs/heads/x")
        .to_string()
        .replacen('{', r#"{"ref":{"name":"refs/heads/main"},"#, 1);
    assert!(understand(&app(), &LfsDoor::Batch, None, twice.as_bytes()).is_err());
    assert!(
        understand(
            &app(),
            &LfsDoor::Batch,
            Some("x=1"),
            upload("refs/heads/x").to_string().as_bytes()
        )
        .is_err()
    );
}

#[test]
fn locks_are_read_and_not_made() {
    let verify = asked(
        &LfsDoor::VerifyLocks,
        &json!({"ref": {"name": "refs/heads/x"}, "cursor": "", "limit": 5}),
    );
    let verify = verify.unwrap();
    assert_eq!(verify.actions.all, [GithubAction::Read(app())]);
    assert_eq!(
        sent(&verify),
        json!({"ref": {"name": "refs/heads/x"}, "limit": 5})
    );
    for door in [LfsDoor::Lock, LfsDoor::Unlock] {
        let understood = asked(&door, &json!({"path": "a.png", "ref": {"name": "refs/heads/x"}})).unwrap();
        assert!(
            matches!(understood.actions.all[..], [GithubAction::Other { .. }]),
            "{door:?}"
        );
    }
    let list = |query| understand(&app(), &LfsDoor::Locks, query, b"");
    assert!(list(None).is_ok() && list(Some("path=a%20b&limit=10&refspec=refs/heads/x")).is_ok());
    assert!(
        list(Some("path=a&path=b")).is_err() && list(Some("x=1")).is_err() && list(Some("path=a b")).is_err()
    );
}

fn batch(operation: &str) -> BatchRequest {
    let mut body = upload("refs/heads/x");
    body["operation"] = json!(operation);
    BatchRequest::read(body.to_string().as_bytes()).unwrap()
}

fn answer(actions: &Value) -> Vec<u8> {
    let file = json!({"oid": OID, "size": 12, "authenticated": true, "actions": actions, "x": 1});
    json!({"transfer": "basic", "objects": [file], "hash_algo": "sha256"})
        .to_string()
        .into_bytes()
}

fn brought_back(
    operation: &str,
    actions: &Value,
) -> Result<(Value, Vec<(Transfer, Duration)>), BatchAnswerError> {
    let mut made = Vec::new();
    let ticket = |transfer, good_for| {
        made.push((transfer, good_for));
        format!("https://github.com/acme/app.git/info/lfs/outwall/t{}", made.len())
    };
    let sent = bring_back(&answer(actions), &batch(operation), ticket)?;
    Ok((serde_json::from_slice(&sent).unwrap(), made))
}

#[test]
fn transfers_are_brought_back_without_what_is_secret() {
    let actions = json!({
        "upload": {
            "href": "https://objects.example/put?X-Amz-Signature=s3cr3t",
            "header": {"Authorization": "RemoteAuth s3cr3t", "Content-Type": "application/octet-stream", "Transfer-Encoding": "chunked"},
            "expires_in": 900,
            "expires_at": "2026-11-26T04:00:00Z",
        },
        "verify": {"href": "https://lfs.github.com/acme/app/verify", "header": {"X": "s3cr3t"}},
        "download": {"href": "https://objects.example/get"},
    });
    let (sent, made) = brought_back("upload", &actions).unwrap();
    assert_eq!(
        sent,
        json!({
            "transfer": "basic",
            "hash_algo": "sha256",
            "objects": [{"oid": OID, "size": 12, "actions": {
                "upload": {
                    "href": "https://github.com/acme/app.git/info/lfs/outwall/t1",
                    "expires_in": 900,
                    "expires_at": "2026-11-26T04:00:00Z",
                },
                "verify": {"href": "https://github.com/acme/app.git/info/lfs/outwall/t2"},
            }}],
        })
    );
    let (upload, good_for) = &made[0];
    assert_eq!(
        (upload.kind, *good_for),
        (TransferKind::Upload, Duration::from_mins(15))
    );
    assert_eq!(upload.href, "https://objects.example/put?X-Amz-Signature=s3cr3t");
    let names: Vec<&str> = upload.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["authorization", "content-type"]);
    assert_eq!(made[1].0.verify_body(), format!(r#"{{"oid":"{OID}","size":12}}"#));
    assert!(!format!("{made:?}").contains("s3cr3t"));
}

#[test]
fn what_leads_where_the_gate_does_not_follow_is_refused() {
    let download = |href: &str| brought_back("download", &json!({"download": {"href": href}}));
    assert!(download("https://objects.example/a").is_ok());
    for href in [
        "http://objects.example/a",
        "/a",
        "https://u:p@objects.example/a",
        "file:///etc/passwd",
        "",
        "https://",
    ] {
        assert!(
            matches!(download(href), Err(BatchAnswerError::Href("download"))),
            "{href}"
        );
    }
    let header = json!({"download": {"href": "https://a.example", "header": {"X": "a\r\nY: b"}}});
    assert!(matches!(
        brought_back("download", &header),
        Err(BatchAnswerError::Header("download"))
    ));
    let other = json!({"objects": [{"oid": "0".repeat(64), "size": 1}]}).to_string();
    let none = |_, _| String::new();
    assert!(matches!(
        bring_back(other.as_bytes(), &batch("download"), none),
        Err(BatchAnswerError::NotAsked)
    ));
    let tus = json!({"transfer": "tus", "objects": []}).to_string();
    assert!(matches!(
        bring_back(tus.as_bytes(), &batch("download"), none),
        Err(BatchAnswerError::Transfer(_))
    ));
}

#[test]
fn errors_of_files_and_files_that_are_there_pass() {
    let (sent, made) = brought_back("upload", &Value::Null).unwrap();
    assert_eq!(
        (sent["objects"][0].get("actions"), made.len()),
        (None, 0),
        "the server has it"
    );
    let missing = json!({"objects": [{"oid": OID, "size": 12, "error": {"code": 404, "message": "Object does not exist"}}]});
    let sent = bring_back(missing.to_string().as_bytes(), &batch("download"), |_, _| {
        String::new()
    })
    .unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(sent["objects"], missing["objects"]);
}

fn transfer(operation: &str) -> Transfer {
    let (_, made) = brought_back(
        operation,
        &json!({operation: {"href": "https://objects.example/a"}}),
    )
    .unwrap();
    made.into_iter().next().unwrap().0
}

#[test]
fn a_ticket_is_good_for_one_session_one_method_and_a_time() {
    let (mut tickets, now) = (Tickets::new(), Instant::now());
    let minute = Duration::from_mins(1);
    let name = tickets.issue(&"a", [7; 16], transfer("upload"), minute, now);
    assert_eq!(name, "07".repeat(16));
    let redeem = |session, method: &str, at| {
        tickets
            .redeem(&session, &name, &Method::parse(method).unwrap(), at)
            .map(|one| one.kind)
    };
    assert_eq!(redeem("a", "PUT", now), Ok(TransferKind::Upload));
    assert_eq!(
        redeem("a", "PUT", now),
        Ok(TransferKind::Upload),
        "again, when the first time failed"
    );
    assert_eq!(redeem("b", "PUT", now), Err(TicketError::Unknown));
    assert_eq!(redeem("a", "GET", now), Err(TicketError::Method("upload")));
    assert_eq!(redeem("a", "POST", now), Err(TicketError::Method("upload")));
    assert_eq!(redeem("a", "PUT", now + minute), Err(TicketError::Unknown));
    tickets.forget(&"a");
    assert!(
        tickets
            .redeem(&"a", &name, &Method::parse("PUT").unwrap(), now)
            .is_err()
    );
}

#[test]
fn a_session_holds_so_many_and_loses_its_oldest() {
    let (mut tickets, now) = (Tickets::new(), Instant::now());
    let transfer = transfer("download");
    let random = |at: usize| u128::try_from(at).unwrap().to_be_bytes();
    let other = tickets.issue(&"b", random(1), transfer.clone(), Duration::from_mins(1), now);
    let names: Vec<String> = (0..=Tickets::<&str>::MOST)
        .map(|at| tickets.issue(&"a", random(at), transfer.clone(), Duration::from_mins(1), now))
        .collect();
    let redeem = |session, name: &str| tickets.redeem(&session, name, &Method::GET, now).is_ok();
    assert!(!redeem("a", &names[0]) && redeem("a", &names[1]) && redeem("a", names.last().unwrap()));
    assert!(redeem("b", &other));
}
