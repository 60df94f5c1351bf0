//! Certificates that the gate shows to origins: where the policy says, and nowhere else.

use outwall_broker::scoped::{Audience, Request, Scope, Subject};
use outwall_certs::ClientIdentity;
use outwall_proxy::{InForce, Incomplete};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::version::{TLS12, TLS13};
use tokio::io::AsyncWriteExt as _;

use crate::support::client::{connect, empty, handshake, read};
use crate::support::gate::{policy, trust};
use crate::support::origin::{Wants, ca};
use crate::support::wire::read_head;
use crate::support::{Client, Origin, OriginKind, TestGate, Via};

/// `client.pem` is shown to allowed.test and to nobody else.
fn document(origin: &Origin, environments: &str) -> String {
    format!(
        "default_environment = \"default\"\n\
         [environments.default]\nnetwork = \"custom\"\nallowed_domains = [\"allowed.test\", \"other.test\"]\n\
         tunnelled_domains = [\"pinned.test\"]\n[environments.other]\nnetwork = \"none\"\n\
         [origins]\nhosts = {{ \"allowed.test\" = \"{0}\", \"other.test\" = \"{0}\", \"pinned.test\" = \"{0}\" }}\n\
         [[origins.client_certificates]]\nhosts = [\"allowed.test\", \"pinned.test\"]\n\
         certificate = \"client.pem\"\nkey = \"client.key\"\nenvironments = [{environments}]\n",
        origin.address
    )
}

fn identity() -> (ClientIdentity, CertificateDer<'static>) {
    let (certificate, key) = ca().client("client");
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let identity = ClientIdentity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    (identity, der)
}

/// One that the origins' CA did not issue.
fn stranger() -> ClientIdentity {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["stranger".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    ClientIdentity::from_pem(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap()
}

const KINDS: [OriginKind; 2] = [OriginKind::Http1, OriginKind::H2];

#[tokio::test]
async fn the_certificate_is_shown_to_its_hosts_and_named_in_the_record() {
    for version in [&TLS12, &TLS13] {
        for kind in KINDS {
            let origin = Origin::asking(
                kind,
                Wants {
                    required: false,
                    version,
                },
            )
            .await;
            let (identity, certificate) = identity();
            let gate = TestGate::showing(&document(&origin, "\"default\""), vec![identity]).await;
            let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
            assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
            assert_eq!(
                client.get("allowed.test", "/hello").await.0,
                200,
                "over the same connection"
            );
            let mut other = Client::to(&gate, "other.test", Via::H2).await;
            assert_eq!(other.get("other.test", "/hello").await.0, 200);
            assert_eq!(origin.shown(), [Some(certificate), None], "{kind:?} {version:?}");
            let events = gate.events_of("exchange.going_out", 3).await;
            let named: Vec<_> = events
                .iter()
                .map(|event| event["client_certificate"].as_str())
                .collect();
            assert_eq!(named, [Some("client.pem"), Some("client.pem"), None]);
        }
    }
}

#[tokio::test]
async fn an_environment_that_is_not_named_shows_none_and_is_told_what_is_wanted() {
    for kind in KINDS {
        let origin = Origin::asking(
            kind,
            Wants {
                required: true,
                version: &TLS13,
            },
        )
        .await;
        let gate = TestGate::showing(&document(&origin, "\"other\""), vec![identity().0]).await;
        let mut client = Client::to(&gate, "allowed.test", Via::Http1).await;
        let (status, reason, body) = client.get("allowed.test", "/hello").await;
        assert_eq!(
            (status, reason.as_str()),
            (502, "client-certificate-demanded"),
            "{body}"
        );
        assert!(origin.seen().is_empty());
        let (identity, certificate) = identity();
        let gate = TestGate::showing(&document(&origin, "\"default\""), vec![identity]).await;
        let mut client = Client::to(&gate, "allowed.test", Via::Http1).await;
        assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
        assert_eq!(origin.shown(), [Some(certificate)]);
    }
}

#[tokio::test]
async fn an_origin_that_refuses_the_certificate_says_so_readably() {
    for version in [&TLS12, &TLS13] {
        for kind in KINDS {
            let origin = Origin::asking(
                kind,
                Wants {
                    required: true,
                    version,
                },
            )
            .await;
            let gate = TestGate::showing(&document(&origin, "\"default\""), vec![stranger()]).await;
            let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
            let (status, reason, body) = client.get("allowed.test", "/hello").await;
            assert_eq!(
                (status, reason.as_str()),
                (502, "client-certificate-refused"),
                "{kind:?} {version:?}: {body}"
            );
            assert!(body.contains("`client.pem`"), "{body}");
        }
    }
}

#[tokio::test]
async fn a_tunnel_shows_what_its_client_shows() {
    let origin = Origin::asking(
        OriginKind::Http1,
        Wants {
            required: false,
            version: &TLS13,
        },
    )
    .await;
    let gate = TestGate::showing(&document(&origin, "\"default\""), vec![identity().0]).await;
    let stream = connect(&gate, "pinned.test:443").await.unwrap();
    // The origin's own certificate comes through, which the gate's client does not trust: the tunnel is one.
    assert!(handshake(&gate, stream, "pinned.test", Via::Http1).await.is_err());
    assert!(!origin.shown().iter().any(Option::is_some));
}

#[tokio::test]
async fn another_certificate_after_a_reload_is_shown_on_a_connection_of_its_own() {
    for kind in KINDS {
        let origin = Origin::asking(
            kind,
            Wants {
                required: true,
                version: &TLS13,
            },
        )
        .await;
        let ((first, first_der), (second, second_der)) = (identity(), identity());
        let text = document(&origin, "\"default\"");
        let gate = TestGate::showing(&text, vec![first]).await;
        let mut client = Client::to(&gate, "allowed.test", Via::H2).await;
        assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
        let next = InForce::new(policy(&text), trust().showing(vec![second])).unwrap();
        gate.gate.replace(next);
        let request = client.request("GET", "allowed.test", "/hello", empty());
        assert_eq!(read(client.send(request).await.unwrap()).await.0, 200);
        assert_eq!(origin.shown(), [Some(first_der), Some(second_der)]);
    }
}

#[tokio::test]
async fn a_policy_does_not_come_in_force_without_the_certificates_that_it_names() {
    let origin = Origin::start(OriginKind::Http1).await;
    let policy = policy(&document(&origin, "\"default\""));
    let incomplete: Incomplete = InForce::new(policy.clone(), trust()).unwrap_err();
    assert_eq!(
        incomplete.to_string(),
        "the policy names 1 client certificates, and 0 were read"
    );
    assert!(InForce::new(policy, trust().showing(vec![identity().0])).is_ok());
}

/// What the gate may show is a sandbox's own, and who shows nothing is none.
#[tokio::test]
async fn clients_without_a_credential_are_shown_no_certificate_for() {
    for via in [Via::Http1, Via::H2] {
        for kind in KINDS {
            let wants = Wants {
                required: false,
                version: &TLS13,
            };
            let origin = Origin::asking(kind, wants).await;
            let (identity, certificate) = identity();
            let anonymous = "[proxy]\nanonymous_environment = \"default\"\n";
            let document = document(&origin, "\"default\"") + anonymous;
            let gate = TestGate::shared_showing(&document, vec![identity]).await;
            let mut client = Client::to(&gate, "allowed.test", via).await;
            assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
            assert_eq!(origin.shown(), [None], "{via:?} {kind:?}");

            let request = Request {
                audience: Audience::Proxy,
                subject: Subject::New,
                environment: "default".parse().unwrap(),
                scope: Scope::default(),
                life: jiff::SignedDuration::from_hours(1),
            };
            let fresh = gate.issuer().issue(&request, jiff::Timestamp::now()).unwrap();
            let mut stream = tokio::net::TcpStream::connect(gate.address).await.unwrap();
            let head = format!(
                "CONNECT allowed.test:443 HTTP/1.1\r\nHost: allowed.test:443\r\nProxy-Authorization: Bearer {}\r\n\r\n",
                fresh.token.expose()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200 "));
            let stream = handshake(&gate, stream, "allowed.test", via).await.unwrap();
            let mut client = Client::over(stream, via).await;
            assert_eq!(client.get("allowed.test", "/hello").await.0, 200);
            assert_eq!(origin.shown(), [None, Some(certificate)], "{via:?} {kind:?}");
        }
    }
}
