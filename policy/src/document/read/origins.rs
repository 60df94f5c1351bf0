//! `[origins]`.

use toml::de::DeValue;

use super::super::Written;
use super::super::origins::{ClientCertificateDocument, OriginsDocument, ParentProxyDocument, ProxyUrl};
use super::{Reader, Value, has_key};
use crate::parent_proxy::Resolve;

impl Reader {
    pub(super) fn origins(&mut self, value: Value<'_, '_>) -> OriginsDocument {
        let mut origins = OriginsDocument::default();
        for (key, value) in self.table("[origins]", value) {
            let written: &str = key.get_ref();
            match written {
                "extra_roots" => origins.extra_roots = self.strings(written, value),
                "hosts" => origins.hosts = self.static_hosts(value),
                "resolver" => origins.resolver = self.string(written, value),
                "client_certificates" => origins.client_certificates = self.client_certificates(value),
                "parent_proxy" => origins.parent_proxy = self.parent_proxy(value),
                _ => self.unknown_key(key, "[origins]", &ORIGINS_KEYS),
            }
        }
        origins
    }

    fn static_hosts(&mut self, value: Value<'_, '_>) -> Vec<(Written<String>, Written<String>)> {
        let mut hosts = Vec::new();
        for (host, address) in self.table("hosts", value) {
            let host = Written {
                value: host.get_ref().clone().into_owned(),
                place: self.place(host.span().start),
            };
            if let Some(address) = self.string(&host.value, address) {
                hosts.push((host, address));
            }
        }
        hosts
    }

    fn client_certificates(&mut self, value: Value<'_, '_>) -> Vec<ClientCertificateDocument> {
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(
                "client_certificates",
                "tables, each `[[origins.client_certificates]]`",
                value,
            );
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| self.client_certificate(item))
            .collect()
    }

    fn client_certificate(&mut self, value: Value<'_, '_>) -> Option<ClientCertificateDocument> {
        let (mut hosts, mut environments) = (Vec::new(), Vec::new());
        let (mut certificate, mut private_key) = (None, None);
        for (key, value) in self.table("client_certificates", value) {
            let written: &str = key.get_ref();
            match written {
                "hosts" => hosts = self.strings(written, value),
                "certificate" => certificate = self.string(written, value),
                "key" => private_key = self.string(written, value),
                "environments" => environments = self.strings(written, value),
                _ => self.unknown_key(key, "a client certificate", &CLIENT_CERTIFICATE_KEYS),
            }
        }
        for (key, remedy) in CLIENT_CERTIFICATE_KEYS.into_iter().zip(CLIENT_CERTIFICATE_LINES) {
            if !has_key(value, key) {
                self.problem(
                    value.span().start,
                    format!("the client certificate has no `{key}`"),
                    remedy,
                );
            }
        }
        Some(ClientCertificateDocument {
            place: self.place(value.span().start),
            hosts,
            certificate: certificate?,
            key: private_key?,
            environments,
        })
    }

    fn parent_proxy(&mut self, value: Value<'_, '_>) -> Option<ParentProxyDocument> {
        if let DeValue::String(url) = value.get_ref() {
            let url = ProxyUrl(url.clone().into_owned());
            return Some(ParentProxyDocument::at(self.written(value, url)));
        }
        if !matches!(value.get_ref(), DeValue::Table(_)) {
            self.wrong_type("parent_proxy", "a URL or the table [origins.parent_proxy]", value);
            return None;
        }
        let mut url = None;
        let mut others = ParentProxyDocument::at(self.written(value, ProxyUrl(String::new())));
        for (key, value) in self.table("[origins.parent_proxy]", value) {
            let written: &str = key.get_ref();
            match written {
                "url" => url = self.string(written, value),
                "username" => others.username = self.string(written, value),
                "password" => others.password = self.secret(written, "PARENT_PROXY_PASSWORD", value),
                "bypass" => others.bypass = self.strings(written, value),
                "resolve" => others.resolve = self.word(written, value, &RESOLVE),
                _ => self.unknown_key(key, "[origins.parent_proxy]", &PARENT_PROXY_KEYS),
            }
        }
        if !has_key(value, "url") {
            self.problem(
                value.span().start,
                "[origins.parent_proxy] has no `url`",
                "write url = \"http://proxy.corp:3128\"",
            );
        }
        let Written { value: url, place } = url?;
        Some(ParentProxyDocument {
            url: Written {
                value: ProxyUrl(url),
                place,
            },
            ..others
        })
    }
}

impl ParentProxyDocument {
    fn at(url: Written<ProxyUrl>) -> Self {
        Self {
            url,
            username: None,
            password: None,
            bypass: Vec::new(),
            resolve: None,
        }
    }
}

const ORIGINS_KEYS: [&str; 5] = [
    "extra_roots",
    "hosts",
    "resolver",
    "client_certificates",
    "parent_proxy",
];
/// All of them are needed.
const CLIENT_CERTIFICATE_KEYS: [&str; 4] = ["hosts", "certificate", "key", "environments"];
/// What to write for each.
const CLIENT_CERTIFICATE_LINES: [&str; 4] = [
    "write which hosts it is shown to: hosts = [\"api.example.com\"]",
    "write the path of a PEM file: certificate = \"client.pem\"",
    "write the path of a PEM file: key = \"client.key\"",
    "write which environments may use it, it is for none by default: environments = [\"api\"]",
];
const PARENT_PROXY_KEYS: [&str; 5] = ["url", "username", "password", "bypass", "resolve"];
const RESOLVE: [(&str, Resolve); 2] = [("parent", Resolve::Parent), ("gate", Resolve::Gate)];
