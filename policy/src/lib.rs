//! Decides. This crate owns the nouns that everything else speaks in (sandbox, environment, host, target, path, decision,
//! permit, reason) and answers two questions: may this sandbox open this connection, and may it send this request?
//!
//! It knows nothing of I/O, clocks, async or HTTP libraries: text and nouns in, decisions out.
//!
//! # Where to start
//!
//! [`PolicyDocument`] is the file as written; [`Policy::compile`] gives what it means; [`Policy::decide_connection`] and
//! [`Policy::decide_request`] decide. The way of a connection is a chain of proofs that only this crate can make:
//!
//! ```text
//! decide_connection ──► ConnectionPermit ──► decide_request ──► Permitted<R> (RequestPermit)
//!                              └──────────► admit(address)  ──► DialPermit
//! ```
//!
//! ```
//! # use outwall_policy::*;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policy = Policy::compile(&PolicyDocument::default())?; // one environment, `default`, at `trusted`
//! let sandbox = Sandbox::new(SandboxId::from_random([0; 4]), "default".parse()?);
//! let target = Target::parse("PyPI.org.:443")?;
//! let ConnectionDecision::Intercept(permit) = policy.decide_connection(&sandbox, &target, Opening::Unread) else {
//!     panic!("pypi.org is on the Trusted list");
//! };
//! assert!(policy.admit(&permit, "151.101.0.223:443".parse()?).is_ok());
//! assert!(policy.admit(&permit, "10.0.0.1:443".parse()?).is_err()); // whatever DNS says
//!
//! let path = RequestPath::parse("/simple/./%7Eme")?;
//! let action = Action::new(Scheme::Https, target, Method::GET, path, "the request");
//! let RequestDecision::Allow(permitted) = policy.decide_request(&permit, action) else {
//!     panic!("no rule narrows pypi.org");
//! };
//! assert_eq!(permitted.permit().path().as_str(), "/simple/~me"); // what was decided on is what is sent
//! # Ok(())
//! # }
//! ```
//!
//! A permit has private fields and no public constructor, so code that takes one cannot be reached without the decision:
//!
//! ```compile_fail,E0451
//! # use outwall_policy::*;
//! fn forge(sandbox: Sandbox) -> ConnectionPermit {
//!     ConnectionPermit { granted: todo!() } // private field
//! }
//! ```
//!
//! ```compile_fail,E0451
//! # use outwall_policy::*;
//! fn forge(connection: ConnectionPermit) -> DialPermit {
//!     DialPermit { connection, address: "192.0.2.1:443".parse().unwrap() }
//! }
//! ```
//!
//! ```compile_fail,E0451
//! # use outwall_policy::*;
//! fn forge(permit: RequestPermit) -> Permitted<&'static str> {
//!     Permitted { permit, carried: "another request" }
//! }
//! ```
//!
//! Deciding a request consumes the action, so that a permit cannot be used for another request:
//!
//! ```compile_fail,E0382
//! # use outwall_policy::*;
//! fn twice(policy: &Policy, via: &ConnectionPermit, action: Action<()>) {
//!     let _first = policy.decide_request(via, action);
//!     let _second = policy.decide_request(via, action); // moved
//! }
//! ```
#![forbid(unsafe_code)]

mod address;
mod admit;
mod allowances;
mod amount;
mod asked_paths;
mod audit_settings;
pub mod audit_sinks;
mod blocklist;
pub mod brokered;
mod check;
mod client_certificate;
mod compile;
pub mod credential;
mod credential_fault;
mod decide;
mod decision;
mod denial;
mod difference;
mod document;
mod environment;
mod gate_settings;
pub mod github;
mod glob;
mod grants;
mod host;
pub mod host_ports;
mod learning;
mod matcher;
mod method;
mod origins;
mod parent_proxy;
mod path;
mod pattern;
mod permit;
mod policy;
mod publish;
mod reason;
mod recording;
mod rules;
mod sandbox;
mod self_check;
mod shared_storage;
mod sizes;
mod target;
pub mod trusted;
pub mod trusted_writes;

pub use address::{AddressClass, classify};
pub use allowances::{Allowances, Excess, Limit, LimitEntry, LimitKind, LimitScope};
pub use audit_settings::{AuditSettings, Durability};
pub use blocklist::{Blocked, Blocklist};
pub use check::{CheckError, Checked};
pub use client_certificate::ClientCertificate;
pub use credential_fault::CredentialFault;
pub use decision::{Action, ConnectionDecision, Opening, RequestDecision, Writing};
pub use denial::Denial;
pub use document::{
    AnonymousClients, DocumentErrors, NetworkLevel, Overrides, PolicyDocument, Problem, RefusedNames,
    UnknownLevel, Warning,
};
pub use environment::{Entry, Environment, RuleEntry, Treatment, TrustedList};
pub use gate_settings::{GateSetting, GateSettings};
pub use glob::glob_matches;
pub use grants::{GrantError, GrantScope, HostGrant};
pub use host::{DomainName, Host, HostError};
pub use learning::{LearnError, Unlisted};
pub use method::{Method, MethodError};
pub use origins::Origins;
pub use parent_proxy::{ParentCredentials, ParentProxy, Resolve, SecretSource};
pub use path::{PathError, RequestPath};
pub use pattern::{HostPattern, PatternError};
pub use permit::{ConnectionPermit, DialPermit, ParentPermit, Permitted, RequestPermit, RuleName};
pub use policy::{Policy, UnknownEnvironment};
pub use publish::{Publish, PublishError};
pub use reason::Reason;
pub use recording::{MessageRecording, RecordedFields, RecordedParts};
pub use sandbox::{EnvironmentName, Identity, NameError, Sandbox, SandboxId};
pub use self_check::{SelfCheckError, SelfChecked};
pub use sizes::{SizeLimit, SizeLimits, SizeListing, SizedPart};
pub use target::{Scheme, Target, TargetError};
