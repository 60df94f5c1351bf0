//! `[[credentials]]`, and `foreign_credentials` of an environment.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Compiler;
use super::client_certificates::only_target;
use crate::brokered::{
    Brokered, BrokeredCredential, CredentialName, ForeignByHost, Injection, Placeholder, Preset,
};
use crate::document::{CredentialDocument, ForeignDocument, PlaceholderDocument, Written};
use crate::environment::{Environment, Treatment};
use crate::pattern::HostPattern;
use crate::sandbox::EnvironmentName;

type Environments = BTreeMap<EnvironmentName, Environment>;

impl Compiler {
    pub(super) fn brokered(
        &mut self,
        written: &[CredentialDocument],
        environments: &Environments,
    ) -> Brokered {
        let mut compiled: Vec<Arc<BrokeredCredential>> = Vec::with_capacity(written.len());
        for written in written {
            let Some(credential) = self.credential(written, environments) else {
                continue;
            };
            if compiled.iter().any(|other| other.name == credential.name) {
                let what = format!("two credentials are called \"{}\"", credential.name);
                self.problem(written.place, what, "give each a name of its own");
            }
            self.check_variables(written, &credential, &compiled);
            self.check_reached(written, &credential, environments);
            compiled.push(Arc::new(credential));
        }
        Brokered(compiled.into())
    }

    /// None is with a problem.
    fn credential(
        &mut self,
        written: &CredentialDocument,
        environments: &Environments,
    ) -> Option<BrokeredCredential> {
        let preset = written.preset.as_ref().and_then(|name| self.preset(name));
        let hosts = self.patterns("hosts", &written.hosts);
        let mut hosts: Vec<HostPattern> = hosts.into_iter().map(|(pattern, _)| pattern).collect();
        if hosts.is_empty() {
            hosts.extend(preset.iter().flat_map(|preset| preset.hosts().iter().cloned()));
        }
        let mut inject: Vec<Injection> = written.inject.iter().map(|way| way.value.clone()).collect();
        if inject.is_empty() {
            inject.extend(preset.iter().flat_map(|preset| preset.inject().iter().cloned()));
        }
        let shape = preset.or_else(|| hosts.iter().find_map(preset_of));
        let placeholder = match &written.placeholder {
            Some(asked) => Some(self.placeholder(asked, shape)),
            None => preset.and_then(|preset| preset.placeholder().cloned()),
        };
        let methods = written
            .methods
            .iter()
            .filter_map(|text| self.method(text))
            .collect();
        let paths = written.paths.iter().filter_map(|text| self.glob(text)).collect();
        let environments = self.known_environments(&written.environments, environments);
        self.check_whole(written, &hosts, &inject, placeholder.as_ref());
        Some(BrokeredCredential {
            name: self.credential_name(written)?,
            source: written.source.as_ref()?.value.clone(),
            places: inject.iter().filter_map(Injection::place).collect(),
            preset,
            hosts,
            methods,
            paths,
            environments,
            inject,
            placeholder,
            foreign: written.foreign.as_ref().map(|word| word.value),
            line: written.place.line(),
        })
    }

    fn preset(&mut self, name: &Written<String>) -> Option<&'static Preset> {
        let found = Preset::named(&name.value);
        if let Err(unknown) = &found {
            self.problem(
                name.place,
                unknown.to_string(),
                "write one of those, or leave it out and write `hosts` and `inject`",
            );
        }
        found.ok()
    }

    fn credential_name(&mut self, written: &CredentialDocument) -> Option<CredentialName> {
        let text = written.name.as_ref().or(written.preset.as_ref())?;
        match text.value.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                let error: crate::brokered::CredentialNameError = error;
                self.problem(
                    text.place,
                    error.to_string(),
                    "write such as name = \"anthropic\"",
                );
                None
            }
        }
    }

    fn placeholder(&mut self, written: &PlaceholderDocument, shape: Option<&Preset>) -> Placeholder {
        let of_service = shape.and_then(Preset::placeholder);
        let variables = match (written.variables.as_slice(), of_service) {
            ([], Some(known)) => known.variables.clone(),
            (named, _) => named.iter().filter_map(|name| self.variable(name)).collect(),
        };
        if variables.is_empty() {
            self.problem(
                written.place,
                "the placeholder has no variable, so no client would find it",
                "name it: placeholder = { env = \"ANTHROPIC_API_KEY\" }",
            );
        }
        let prefix = match &written.prefix {
            Some(prefix) => self.prefix(prefix),
            None => of_service.map(|known| known.prefix.clone()).unwrap_or_default(),
        };
        let alphabet = of_service.map(|known| known.alphabet).unwrap_or_default();
        let random = match &written.length {
            Some(length) => self.random(length, prefix.len(), alphabet.least()),
            None => of_service.map_or(USUAL_RANDOM, |known| known.random),
        };
        Placeholder {
            variables,
            prefix,
            random,
            alphabet,
            companions: of_service
                .map(|known| known.companions.clone())
                .unwrap_or_default(),
        }
    }

    fn variable(&mut self, name: &Written<String>) -> Option<String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let first = |byte: u8| !byte.is_ascii_digit();
        let is_name = name.value.bytes().next().is_some_and(first) && name.value.bytes().all(fits);
        if is_name {
            return Some(name.value.clone());
        }
        let what = format!("\"{}\" is no name of a variable", name.value.escape_debug());
        self.problem(name.place, what, "use A-Z, a-z, 0-9 and `_`, no digit first");
        None
    }

    fn prefix(&mut self, prefix: &Written<String>) -> String {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
        if prefix.value.len() > LONGEST_PREFIX || !prefix.value.bytes().all(fits) {
            let what = format!("\"{}\" cannot begin a placeholder", prefix.value.escape_debug());
            self.problem(
                prefix.place,
                what,
                "use up to 64 of A-Z, a-z, 0-9, `-`, `_`, `.` and `:`",
            );
        }
        prefix.value.clone()
    }

    fn random(&mut self, length: &Written<u64>, prefix: usize, least: usize) -> usize {
        let whole = usize::try_from(length.value).unwrap_or(usize::MAX);
        let random = whole.saturating_sub(prefix);
        if !(least..=MOST_RANDOM).contains(&random) {
            let what = format!("a placeholder of {whole} bytes has {random} random ones");
            let remedy = format!(
                "write a length from {} to {}",
                prefix + least,
                prefix + MOST_RANDOM
            );
            self.problem(length.place, what, remedy);
        }
        random
    }

    fn check_whole(
        &mut self,
        written: &CredentialDocument,
        hosts: &[HostPattern],
        inject: &[Injection],
        placeholder: Option<&Placeholder>,
    ) {
        let place = written.place;
        if hosts.is_empty() {
            self.problem(
                place,
                "the credential is for no host",
                "write hosts = [\"api.example.com\"]",
            );
        }
        if inject.is_empty() {
            self.problem(
                place,
                "the credential is never put into a request",
                "write inject = [{ header = \"authorization\", scheme = \"Bearer\" }]",
            );
        }
        if inject.contains(&Injection::Aws4) && inject.len() > 1 {
            self.problem(
                place,
                "what signs a request is the only way to put a credential in",
                "leave { sign = \"aws4\" } alone in `inject`",
            );
        }
        let by_placeholder = inject.iter().any(Injection::needs_placeholder);
        if by_placeholder && placeholder.is_none() {
            self.problem(
                place,
                "the credential goes where its placeholder is, and has no placeholder",
                "write placeholder = { env = \"NAME\" }",
            );
        }
        let of_sessions = written
            .name
            .as_ref()
            .is_some_and(|name| self.of_sessions.contains(&name.value));
        if written.environments.is_empty() && !of_sessions {
            self.warn(
                place,
                "the credential is for no environment, so it is never used",
                "write environments = [\"NAME\"]",
            );
        }
    }

    /// Two placeholders do not fit into one variable of a sandbox.
    fn check_variables(
        &mut self,
        written: &CredentialDocument,
        credential: &BrokeredCredential,
        before: &[Arc<BrokeredCredential>],
    ) {
        let variables = |of: &BrokeredCredential| {
            of.placeholder
                .iter()
                .flat_map(|shown| shown.variables.clone())
                .collect::<Vec<_>>()
        };
        let own = variables(credential);
        for other in before.iter().filter(|other| other.shares_environment(credential)) {
            if let Some(same) = variables(other).iter().find(|name| own.contains(name)) {
                let what = format!(
                    "${same} would hold the placeholders of \"{}\" and \"{}\"",
                    other.name, credential.name
                );
                self.problem(
                    written.place,
                    what,
                    "name another variable: placeholder = { env = \"NAME\" }, or other environments",
                );
            }
        }
    }

    /// Nobody reads the requests in a tunnel, so nothing can be put into them.
    fn check_reached(
        &mut self,
        written: &CredentialDocument,
        credential: &BrokeredCredential,
        environments: &Environments,
    ) {
        let using = credential
            .environments
            .iter()
            .filter_map(|name| environments.get(name));
        for environment in using {
            for pattern in &credential.hosts {
                let Some(target) = only_target(pattern) else {
                    continue;
                };
                let (why, remedy) = match environment.grant(&target) {
                    Ok((_, Treatment::Intercept | Treatment::Forward)) => continue,
                    Ok((rule, Treatment::Tunnel | Treatment::Stream)) => (
                        format!("which relays it unread ({rule})"),
                        "take the host out of that list",
                    ),
                    Err(_) if written.hosts.is_empty() => continue, // a preset names more than one may need
                    Err(_) => ("which does not reach it".to_owned(), "allow the host there"),
                };
                let what = format!(
                    "\"{}\" is never used at \"{pattern}\" in [environments.{}], {why}",
                    credential.name,
                    environment.name(),
                );
                self.warn(written.place, what, remedy);
            }
        }
    }

    pub(super) fn foreign_credentials(&mut self, written: &[ForeignDocument]) -> ForeignByHost {
        let lines = written.iter().filter_map(|line| {
            let pattern = self.pattern("foreign_credentials", &line.hosts)?;
            Some((pattern, line.action))
        });
        ForeignByHost::new(lines.collect())
    }
}

impl BrokeredCredential {
    fn shares_environment(&self, other: &Self) -> bool {
        self.environments
            .iter()
            .any(|name| other.environments.contains(name))
    }
}

/// The known service that a host belongs to.
fn preset_of(pattern: &HostPattern) -> Option<&'static Preset> {
    only_target(pattern).and_then(|target| Preset::for_target(&target))
}

/// Without a service whose shape is known: as many characters as carry 190 bits.
const USUAL_RANDOM: usize = 32;
const MOST_RANDOM: usize = 512;
const LONGEST_PREFIX: usize = 64;

#[cfg(test)]
mod tests;
