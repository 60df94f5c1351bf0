//! `[origins]`.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::Compiler;
use crate::document::{OriginsDocument, Place, Written};
use crate::environment::Environment;
use crate::host::Host;
use crate::origins::{Origins, StaticAddress};
use crate::pattern::{HostPattern, Hosts};
use crate::sandbox::EnvironmentName;
use crate::target::Target;

impl Compiler {
    pub(super) fn origins(
        &mut self,
        written: &OriginsDocument,
        environments: &BTreeMap<EnvironmentName, Environment>,
    ) -> Origins {
        let mut origins = Origins {
            extra_roots: written
                .extra_roots
                .iter()
                .map(|path| PathBuf::from(&path.value))
                .collect(),
            resolver: written.resolver.as_ref().and_then(|text| self.resolver(text)),
            client_certificates: self.client_certificates(&written.client_certificates, environments),
            parent_proxy: written
                .parent_proxy
                .as_ref()
                .and_then(|parent| self.parent_proxy(parent)),
            ..Origins::default()
        };
        let mut seen = HashMap::new();
        for (host, address) in &written.hosts {
            self.static_host(host, address, &mut origins, &mut seen);
        }
        for path in written.extra_roots.iter().filter(|path| path.value.is_empty()) {
            self.problem(
                path.place,
                "\"\" in `extra_roots` is no file",
                "write the path of a PEM file",
            );
        }
        origins
    }

    fn static_host(
        &mut self,
        host: &Written<String>,
        address: &Written<String>,
        origins: &mut Origins,
        seen: &mut HashMap<HostPattern, Place>,
    ) {
        let Some(pattern) = self.pattern("hosts", host) else {
            return;
        };
        let Some(fixed) = parse_static_address(&address.value) else {
            let what = format!(
                "\"{}\" is no address for \"{}\"",
                address.value.escape_debug(),
                host.value
            );
            self.problem(
                address.place,
                what,
                "write an address, with or without port: \"127.0.0.1:8443\", \"[::1]:8443\"",
            );
            return;
        };
        if seen.insert(pattern.clone(), host.place).is_some() {
            self.problem(
                host.place,
                format!("\"{pattern}\" has two static addresses"),
                "leave one of them",
            );
        }
        let host_named = match pattern.hosts {
            Hosts::Exactly(name) => Host::Name(name),
            Hosts::Literal(ip) => Host::Address(ip),
            Hosts::Below(_) => {
                let what = format!(
                    "\"{}\" in `hosts` is a wildcard, and a static address is for one host",
                    host.value
                );
                self.problem(host.place, what, "name each host");
                return;
            }
        };
        match pattern.port {
            Some(port) => {
                origins.at_port.insert(Target::new(host_named, port), fixed);
            }
            None => {
                origins.at_any_port.insert(host_named, fixed);
            }
        }
    }

    fn resolver(&mut self, text: &Written<String>) -> Option<SocketAddr> {
        let address = parse_static_address(&text.value);
        if address.is_none() {
            let what = format!(
                "`resolver` is \"{}\", which is no address",
                text.value.escape_debug()
            );
            self.problem(
                text.place,
                what,
                "write the address of a DNS server: \"10.0.0.53:53\"",
            );
        }
        address.map(|address| SocketAddr::new(address.ip, address.port.unwrap_or(53)))
    }
}

fn parse_static_address(text: &str) -> Option<StaticAddress> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Some(StaticAddress { ip, port: None });
    }
    let address: SocketAddr = text
        .parse()
        .ok()
        .filter(|address: &SocketAddr| address.port() != 0)?;
    Some(StaticAddress {
        ip: address.ip(),
        port: Some(address.port()),
    })
}
