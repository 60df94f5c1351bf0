//! Services that give secrets, asked by the gate: over TLS that leads to a known root, by the way of `[origins]`, and not further than
//! the policy says.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use outwall_broker::{Keeper, Standing, Surroundings};
use outwall_proxy::{GateServices, InForce, OriginTrust};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::gate::{policy, trust};
use crate::support::origin::tls_of;
use crate::support::parent::{Manner, Parent};

/// What a stand-in for Vault answers with to a question for the secret, and what it was asked.
struct Vault {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

const SECRET: &str =
    r#"{"data": {"data": {"token": "hunter2-of-vault"}, "metadata": {"version": 1, "deletion_time": ""}}}"#;

impl Vault {
    /// With a certificate for a name, or in the clear.
    async fn start(name: Option<&str>, status: u16, body: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (remembered, tls) = (
            Arc::clone(&asked),
            name.map(|name| TlsAcceptor::from(tls_of(name))),
        );
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (asked, tls, body) = (Arc::clone(&remembered), tls.clone(), body.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, asked, status, body).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, asked, status, body).await,
                            Err(_refused) => (),
                        },
                    }
                });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    asked: Arc<Mutex<Vec<String>>>,
    status: u16,
    body: String,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let header = |name| {
            request
                .headers()
                .get(name)
                .map_or("", |value| value.to_str().unwrap())
        };
        let (host, token) = (header("host"), header("x-vault-token"));
        let line = format!("{} {} {host} {token}", request.method(), request.uri());
        asked.lock().unwrap().push(line);
        let answer = if request.uri().path().ends_with("lookup-self") {
            Response::builder().status(403).body(String::new())
        } else {
            Response::builder()
                .status(status)
                .header("location", "https://elsewhere.test/")
                .body(body.clone())
        };
        let answer = answer.unwrap().map(|body| Full::new(Bytes::from(body)));
        std::future::ready(Ok::<_, std::convert::Infallible>(answer))
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn document(address: &str, origins: &str) -> String {
    format!(
        "[environments.default]\nnetwork = \"none\"\n[origins]\n{origins}\n[[credentials]]\nname = \"npm\"\nhosts = [\"npm.test\"]\n\
         inject = [{{ header = \"authorization\", scheme = \"Bearer\" }}]\nenvironments = [\"default\"]\n\
         source = {{ vault = \"npm\", key = \"token\", address = \"{address}\", token = {{ file = \"token\" }} }}\n"
    )
}

/// A keeper of the document's credentials.
fn keeper(folder: &Path, document: &str, trust: OriginTrust) -> Keeper {
    std::fs::write(folder.join("token"), "hvs.operator\n").unwrap();
    let policy = policy(document);
    let keeper = Keeper::new(Arc::new(Timestamp::now));
    keeper.ask_through(Box::new(GateServices::of(
        InForce::new(policy.clone(), trust).unwrap(),
    )));
    let surroundings = Surroundings {
        folder: folder.to_owned(),
        home: None,
    };
    let sources = policy
        .credentials()
        .iter()
        .map(|known| (known.name(), known.source()));
    keeper.replace(&surroundings, sources);
    keeper
}

/// The secret, or the whole chain of why there is none.
async fn secret(document: &str, trust: OriginTrust) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let keeper = keeper(folder.path(), document, trust);
    match keeper.current(&"npm".parse().unwrap()).await {
        Ok(secret) => Ok(String::from_utf8(secret.expose().to_vec()).unwrap()),
        Err(error) => {
            let causes =
                std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            let chain: Vec<String> = causes.map(ToString::to_string).collect();
            let chain = chain.join(": ");
            assert!(!chain.contains("hvs."), "{chain}");
            Err(chain)
        }
    }
}

const NAME: &str = "https://vault.test:8200/prefix";

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_asked_over_tls_at_its_static_address() {
    let vault = Vault::start(Some("vault.test"), 200, SECRET.into()).await;
    let origins = format!("hosts = {{ \"vault.test\" = \"{}\" }}", vault.address);
    let found = secret(&document(NAME, &origins), trust()).await;
    assert_eq!(found.as_deref(), Ok("hunter2-of-vault"));
    assert_eq!(
        vault.asked(),
        [
            "GET /prefix/v1/auth/token/lookup-self vault.test:8200 hvs.operator",
            "GET /prefix/v1/secret/data/npm vault.test:8200 hvs.operator"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_with_another_name_or_an_unknown_root_is_told_nothing() {
    let vault = Vault::start(Some("other.test"), 200, SECRET.into()).await;
    let origins = format!("hosts = {{ \"vault.test\" = \"{}\" }}", vault.address);
    let error = secret(&document(NAME, &origins), trust()).await.unwrap_err();
    assert!(
        error.contains("https://vault.test:8200/prefix cannot be asked"),
        "{error}"
    );
    let vault_named = Vault::start(Some("vault.test"), 200, SECRET.into()).await;
    let origins = format!("hosts = {{ \"vault.test\" = \"{}\" }}", vault_named.address);
    let unknown = OriginTrust::new(rustls::RootCertStore::empty());
    assert!(secret(&document(NAME, &origins), unknown).await.is_err());
    assert!(vault.asked().is_empty() && vault_named.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_on_this_machine_is_asked_in_the_clear() {
    let vault = Vault::start(None, 200, SECRET.into()).await;
    for host in ["127.0.0.1", "localhost"] {
        let address = format!("http://{host}:{}", vault.address.port());
        let found = secret(&document(&address, ""), trust()).await;
        assert_eq!(found.as_deref(), Ok("hunter2-of-vault"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_an_endless_answer_is_not_read() {
    let address = |vault: &Vault| format!("http://{}", vault.address);
    let vault = Vault::start(None, 307, String::new()).await;
    let error = secret(&document(&address(&vault), ""), trust())
        .await
        .unwrap_err();
    assert!(
        error.ends_with("redirects are not followed: https://elsewhere.test/"),
        "{error}"
    );
    let vault = Vault::start(None, 200, "x".repeat(2 << 20)).await;
    let error = secret(&document(&address(&vault), ""), trust())
        .await
        .unwrap_err();
    assert!(
        error.ends_with("is longer than 1048576 bytes, or broke off"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_behind_a_parent_proxy_is_asked_through_it() {
    let vault = Vault::start(Some("vault.test"), 200, SECRET.into()).await;
    let parent = Parent::start(Manner::Obliging, vault.address).await;
    let origins = format!(
        "parent_proxy = \"http://{}\"\nresolver = \"127.0.0.1:9\"",
        parent.address
    );
    let found = secret(&document(NAME, &origins), trust()).await;
    assert_eq!(found.as_deref(), Ok("hunter2-of-vault"));
    let asked = parent.lines();
    assert!(
        asked
            .iter()
            .all(|line| line == "CONNECT vault.test:8200 HTTP/1.1")
            && !asked.is_empty(),
        "{asked:?}"
    );
}

/// A real server that speaks Vault's interface: `RustyVault`. It has version 1 of the key-value engine alone, so what version 2 answers is
/// put there by hand, and no policies; logins, tokens, statuses and seals are its own.
struct RustyVault {
    process: Child,
    address: SocketAddr,
    root: String,
}

impl RustyVault {
    /// None where it is not installed.
    async fn start(folder: &Path) -> Option<Self> {
        let program = std::env::var_os("OUTWALL_RVAULT").unwrap_or_else(|| "rvault".into());
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let config = format!(
            "storage \"file\" {{\n path = \"{0}/data\"\n}}\nlistener \"tcp\" {{\n address = \"{address}\"\n tls_disable = \"true\"\n}}\n\
             api_addr = \"http://{address}\"\nlog_level = \"error\"\npid_file = \"{0}/pid\"\n",
            folder.display()
        );
        std::fs::create_dir(folder.join("data")).unwrap();
        std::fs::write(folder.join("config.hcl"), config).unwrap();
        let mut command = Command::new(program);
        command
            .args(["server", "--config"])
            .arg(folder.join("config.hcl"));
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let mut server = Self {
            process,
            address,
            root: String::new(),
        };
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (_, keys) = server
            .send("sys/init", &json!({"secret_shares": 1, "secret_threshold": 1}))
            .await;
        keys["root_token"].as_str().unwrap().clone_into(&mut server.root);
        server.send("sys/unseal", &json!({"key": keys["keys"][0]})).await;
        Some(server)
    }

    async fn send(&self, path: &str, body: &Value) -> (u16, Value) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let method = if matches!(path, "sys/init" | "sys/unseal" | "sys/seal") {
            "PUT"
        } else {
            "POST"
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("/v1/{path}"))
            .header("host", self.address.to_string())
            .header("x-vault-token", &self.root)
            .body(Full::new(Bytes::from(body.to_string())));
        let response = sender.send_request(request.unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn done(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.send(path, &body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    async fn store(&self, token: &str) {
        let version = json!({"data": {"token": token}, "metadata": {"version": 1, "deletion_time": "", "destroyed": false}});
        self.done("secret/data/npm", version).await;
    }

    /// The ids of a role whose tokens last three seconds.
    async fn role(&self) -> (String, String) {
        self.done("sys/auth/approle", json!({"type": "approle"})).await;
        let role = json!({"token_ttl": "3s", "token_max_ttl": "6s"});
        self.done("auth/approle/role/gate", role).await;
        let id = "4f21d0ad-2fc6-06ef-5263-af12e300581b";
        self.done("auth/approle/role/gate/role-id", json!({"role_id": id}))
            .await;
        let secret = self.done("auth/approle/role/gate/secret-id", json!({})).await;
        (
            id.to_owned(),
            secret["data"]["secret_id"].as_str().unwrap().to_owned(),
        )
    }
}

impl Drop for RustyVault {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RustyVault: cargo install rusty_vault; OUTWALL_RVAULT=.../rvault cargo test -p outwall-proxy --test it -- --ignored rusty"]
async fn rusty_vault_gives_a_secret_and_takes_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let Some(vault) = RustyVault::start(folder.path()).await else {
        eprintln!("SKIPPED: RustyVault (`rvault`) is not installed, so that no real server was asked");
        return;
    };
    vault.store("hunter2-one").await;
    let (role_id, secret_id) = vault.role().await;
    std::fs::write(folder.path().join("secret-id"), secret_id).unwrap();
    let login = format!("role_id = \"{role_id}\", secret_id = {{ file = \"secret-id\" }}");
    let document =
        document(&format!("http://{}", vault.address), "").replace("token = { file = \"token\" }", &login);
    let keeper = keeper(folder.path(), &document, trust());
    let npm = "npm".parse().unwrap();
    let secret = async || keeper.current(&npm).await.map(|secret| secret.expose().to_vec());
    assert_eq!(secret().await.unwrap(), b"hunter2-one");
    vault.store("hunter2-two").await;
    tokio::time::sleep(Duration::from_secs(4)).await; // the login has ended, whether it was renewed or not
    assert!(matches!(
        keeper.check(&npm).await.unwrap().standing,
        Standing::Ready
    ));
    assert_eq!(secret().await.unwrap(), b"hunter2-two");
    vault.done("sys/seal", json!({})).await;
    let sealed = keeper.check(&npm).await.unwrap().standing;
    assert!(
        matches!(&sealed, Standing::Held(why) if why.to_string().contains("sealed")),
        "{sealed:?}"
    );
    assert_eq!(secret().await.unwrap(), b"hunter2-two");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs RustyVault, as above"]
async fn rusty_vault_denies_who_shows_no_token_of_its() {
    let folder = tempfile::tempdir().unwrap();
    let Some(vault) = RustyVault::start(folder.path()).await else {
        eprintln!("SKIPPED: RustyVault (`rvault`) is not installed, so that no real server was asked");
        return;
    };
    vault.store("hunter2-one").await;
    let document = document(&format!("http://{}", vault.address), "");
    let keeper = keeper(folder.path(), &document, trust());
    let npm = "npm".parse().unwrap();
    let denied = keeper.current(&npm).await.unwrap_err();
    let why = std::error::Error::source(&denied).unwrap().to_string();
    assert_eq!(
        why,
        "Vault does not let us read `/v1/secret/data/npm`: Permission denied."
    );
    std::fs::write(folder.path().join("token"), &vault.root).unwrap();
    let state = keeper.check(&npm).await.unwrap();
    assert!(matches!(state.standing, Standing::Ready), "{state:?}");
}
