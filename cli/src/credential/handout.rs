//! A credential in the form in which a machine takes it: the variables of its proxy and of the certificates to trust, and what it
//! has instead of secrets.

use std::fmt::Write as _;

use outwall_broker::placeholder::Placeholders;
use outwall_broker::scoped::ScopedToken;
use outwall_certs::TrustBundle;

/// What a sandbox needs to know.
pub(super) struct Handout<'a> {
    pub(super) token: &'a ScopedToken,
    /// Where it reaches the proxy: `host:port`.
    pub(super) proxy: &'a str,
    /// Where it has the CA and all other roots.
    pub(super) ca_bundle: &'a str,
    pub(super) placeholders: &'a Placeholders,
}

impl<'a> Handout<'a> {
    /// Lines that a shell evaluates.
    pub(super) fn as_shell(&self) -> String {
        let mut text = format!(
            "# `outwall ca export --format bundle` makes what is to be at {}\n",
            self.ca_bundle.escape_debug()
        );
        for (name, value) in self.variables() {
            let quoted = value.replace('\'', r"'\''");
            writeln!(text, "export {name}='{quoted}'").expect("a string takes all");
        }
        text
    }

    /// Lines of `docker run --env-file`: nothing in them is quoted.
    pub(super) fn as_env_file(&self) -> String {
        let mut text = format!(
            "# -v \"$PWD/ca-bundle.pem:{}:ro\", made by `outwall ca export --format bundle > ca-bundle.pem`\n",
            self.ca_bundle.escape_debug()
        );
        for (name, value) in self.variables() {
            writeln!(text, "{name}={value}").expect("a string takes all");
        }
        text
    }

    fn variables(&self) -> impl Iterator<Item = (&'a str, String)> {
        let url = format!("http://sandbox:{}@{}", self.token.expose(), self.proxy);
        let proxy = PROXY_VARIABLES.iter().map(move |name| (*name, url.clone()));
        let around = AROUND_VARIABLES
            .iter()
            .map(|name| (*name, "localhost,127.0.0.1,::1".to_owned()));
        let path = self.ca_bundle.to_owned();
        let roots = TrustBundle::bundle_variables()
            .iter()
            .map(move |name| (*name, path.clone()));
        proxy
            .chain(around)
            .chain(roots)
            .chain([("NODE_USE_ENV_PROXY", "1".to_owned())])
            .chain(
                self.placeholders
                    .variables()
                    .map(|(name, text)| (name, text.to_owned())),
            )
    }
}

/// Both spellings: curl reads `http_proxy` in lower case only, others the upper one only.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
const AROUND_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_read_by_a_shell_as_they_are_meant() {
        let token = ScopedToken::from("a.b.c".to_owned());
        let handout = Handout {
            token: &token,
            proxy: "gate:8080",
            ca_bundle: "/it's/here.pem",
            placeholders: &Placeholders::default(),
        };
        let shell = handout.as_shell();
        assert!(
            shell.contains("export HTTPS_PROXY='http://sandbox:a.b.c@gate:8080'\n"),
            "{shell}"
        );
        assert!(
            shell.contains(r"export SSL_CERT_FILE='/it'\''s/here.pem'"),
            "{shell}"
        );
        let file = handout.as_env_file();
        assert!(
            file.contains("\nhttp_proxy=http://sandbox:a.b.c@gate:8080\n"),
            "{file}"
        );
        assert!(file.contains("\nNODE_EXTRA_CA_CERTS=/it's/here.pem\n"), "{file}");
    }
}
