//! `[[origins.client_certificates]]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Compiler;
use crate::client_certificate::ClientCertificate;
use crate::document::{ClientCertificateDocument, Place, Written};
use crate::environment::{Environment, Treatment};
use crate::host::Host;
use crate::pattern::{HostPattern, Hosts};
use crate::sandbox::EnvironmentName;
use crate::target::Target;

impl Compiler {
    pub(super) fn client_certificates(
        &mut self,
        written: &[ClientCertificateDocument],
        environments: &BTreeMap<EnvironmentName, Environment>,
    ) -> Vec<Arc<ClientCertificate>> {
        let mut compiled: Vec<Arc<ClientCertificate>> = Vec::new();
        for (number, written) in written.iter().enumerate() {
            let hosts = self.patterns("hosts", &written.hosts);
            let certificate = ClientCertificate {
                number,
                hosts: hosts.iter().map(|(pattern, _)| pattern.clone()).collect(),
                environments: self.environments_of(written, environments),
                certificate: self.file_named("certificate", &written.certificate),
                key: self.file_named("key", &written.key),
                line: written.place.line(),
            };
            if written.hosts.is_empty() {
                self.problem(
                    written.place,
                    format!(
                        "the client certificate \"{}\" has no host in `hosts`",
                        certificate.name()
                    ),
                    "name the hosts that it is shown to: hosts = [\"api.example.com\"]",
                );
            }
            self.check_shown_once(&certificate, &hosts, &compiled);
            self.check_used(&certificate, &hosts, environments);
            compiled.push(Arc::new(certificate));
        }
        compiled
    }

    fn environments_of(
        &mut self,
        written: &ClientCertificateDocument,
        known: &BTreeMap<EnvironmentName, Environment>,
    ) -> Vec<EnvironmentName> {
        if written.environments.is_empty() {
            self.problem(
                written.place,
                format!(
                    "the client certificate \"{}\" is for no environment",
                    written.certificate.value
                ),
                "name the environments that may use it: environments = [\"api\"]",
            );
        }
        self.known_environments(&written.environments, known)
    }

    /// Those of the names that there are; each other is a problem.
    pub(super) fn known_environments(
        &mut self,
        written: &[Written<String>],
        known: &BTreeMap<EnvironmentName, Environment>,
    ) -> Vec<EnvironmentName> {
        let mut found = Vec::with_capacity(written.len());
        for text in written {
            if let Some((name, _)) = known.get_key_value(text.value.as_str()) {
                found.push(name.clone());
                continue;
            }
            let all: Vec<&str> = known.keys().map(EnvironmentName::as_str).collect();
            self.problem(
                text.place,
                format!("there is no environment \"{}\"", text.value.escape_debug()),
                format!("the environments are: {}", all.join(", ")),
            );
        }
        found
    }

    pub(super) fn file_named(&mut self, key: &str, text: &Written<String>) -> String {
        if text.value.is_empty() {
            self.problem(
                text.place,
                format!("\"\" in `{key}` is no file"),
                "write the path of a file",
            );
        }
        text.value.clone()
    }

    /// Which of two is shown is not guessed.
    fn check_shown_once(
        &mut self,
        certificate: &ClientCertificate,
        hosts: &[(HostPattern, Place)],
        before: &[Arc<ClientCertificate>],
    ) {
        for other in before {
            let shared = other
                .environments
                .iter()
                .find(|name| certificate.environments.contains(name));
            let Some(environment) = shared else { continue };
            for (pattern, place) in hosts {
                if let Some(same) = other.hosts.iter().find(|known| known.overlaps(pattern)) {
                    let what = format!(
                        "\"{pattern}\" is shown two client certificates in [environments.{environment}]: \"{}\" for \"{same}\", and \"{}\"",
                        other.name(),
                        certificate.name(),
                    );
                    self.problem(
                        *place,
                        what,
                        "leave one of them, or give them other hosts or environments",
                    );
                }
            }
        }
    }

    /// A certificate that is never shown is probably not what was meant.
    fn check_used(
        &mut self,
        certificate: &ClientCertificate,
        hosts: &[(HostPattern, Place)],
        environments: &BTreeMap<EnvironmentName, Environment>,
    ) {
        for environment in certificate
            .environments
            .iter()
            .filter_map(|name| environments.get(name))
        {
            for (pattern, place) in hosts {
                let Some(target) = only_target(pattern) else {
                    continue;
                };
                let (why, remedy) = match environment.grant(&target) {
                    Ok((_, Treatment::Intercept | Treatment::Forward)) => continue,
                    Ok((rule, Treatment::Tunnel | Treatment::Stream)) => (
                        format!("which relays it unread ({rule})"),
                        "take the host out of that list, or leave it to the client to show a certificate",
                    ),
                    Err(_) => (
                        "which does not reach it".to_owned(),
                        "allow the host there, or take it out of `hosts`",
                    ),
                };
                let what = format!(
                    "\"{}\" is never shown to \"{pattern}\" in [environments.{}], {why}",
                    certificate.name(),
                    environment.name,
                );
                self.warn(*place, what, remedy);
            }
        }
    }
}

/// The one target that a pattern stands for with TLS; none for a wildcard.
pub(super) fn only_target(pattern: &HostPattern) -> Option<Target> {
    let host = match &pattern.hosts {
        Hosts::Exactly(name) => Host::Name(name.clone()),
        Hosts::Literal(address) => Host::Address(*address),
        Hosts::Below(_) => return None,
    };
    Some(Target::new(host, pattern.port.unwrap_or(443)))
}
