//! What a test puts into this GitHub before its story begins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::deeds::commits::FileChange;
use super::deeds::pulls::Between;
use super::deeds::{commits, issues, pulls, refs};
use super::rest::ARTIFACT;
use super::store::Store;
use super::tokens::{Bearer, Caller, Installation};
use super::{GitHub, Standing};

/// A repository that is about to be made.
#[must_use = "`create` makes it"]
pub struct NewRepository<'g> {
    github: &'g GitHub,
    owner: String,
    name: String,
    private: bool,
    format: &'static str,
    files: Vec<FileChange>,
    source: Option<PathBuf>,
}

impl NewRepository<'_> {
    /// Only for who has a token that opens it.
    pub fn private(mut self) -> Self {
        self.private = true;
        self
    }

    /// With object ids of SHA-256.
    pub fn sha256(mut self) -> Self {
        self.format = "sha256";
        self
    }

    /// A file of its first commit, on `main`.
    pub fn file(mut self, path: &str, content: &str) -> Self {
        self.files
            .push((path.to_owned(), Some(content.as_bytes().to_vec())));
        self
    }

    /// With every ref and object of another repository on this machine.
    pub fn from(mut self, repository: &Path) -> Self {
        self.source = Some(repository.to_owned());
        self
    }

    /// Makes it.
    pub fn create(self) {
        let mut store = self.github.store();
        let id = store.add_repository(&self.owner, &self.name, self.private, self.format);
        if let Some(source) = &self.source {
            let source = source.display().to_string();
            let fetched = store.disks[&id].git(&["fetch", "--quiet", &source, "refs/*:refs/*"]);
            fetched.unwrap_or_else(|why| panic!("{source} cannot be fetched: {why:?}"));
        }
        if !self.files.is_empty() {
            let made = commits::commit(&mut store, id, "main", None, "The first commit", &self.files);
            made.unwrap_or_else(|why| panic!("no commit is made: {why:?}"));
        }
    }
}

impl GitHub {
    /// A new repository `owner/name`, public and empty unless more is said.
    pub fn repository(&self, full_name: &str) -> NewRepository<'_> {
        let (owner, name) = full_name.split_once('/').expect("`owner/name`");
        let (owner, name) = (owner.to_owned(), name.to_owned());
        NewRepository {
            github: self,
            owner,
            name,
            private: false,
            format: "sha1",
            files: Vec::new(),
            source: None,
        }
    }

    /// Accepts `token` from now on as the user's, with these OAuth scopes.
    pub fn accept(&self, token: &str, login: &str, scopes: &[&str]) {
        let mut store = self.store();
        store.actor(login);
        let scopes = scopes.iter().map(ToString::to_string).collect();
        store.tokens.accept(
            token,
            Bearer::User {
                login: login.to_owned(),
                scopes,
            },
        );
    }

    /// Accepts `token` from now on as a fine-grained one of the user's, for every repository.
    pub fn accept_fine_grained(&self, token: &str, login: &str) {
        let mut store = self.store();
        store.actor(login);
        let login = login.to_owned();
        store.tokens.accept(token, Bearer::FineGrained { login });
    }

    /// Accepts `token` no longer.
    pub fn revoke(&self, token: &str) {
        self.store().tokens.revoke(token);
    }

    /// Every token that is accepted: those that were minted, too.
    pub fn tokens(&self) -> Vec<String> {
        self.store().tokens.secrets()
    }

    /// Installs an App: with a JWT that it signed (RS256), `POST /app/installations/ID/access_tokens` mints tokens for these
    /// repositories (as `owner/name`) and permissions (as `("contents", "write")`), or fewer. The App's new private key, in PEM.
    pub fn install(
        &self,
        app: &str,
        installation: u64,
        repositories: &[&str],
        permissions: &[(&str, &str)],
    ) -> String {
        let key = rsa::KeyPair::generate(KeySize::Rsa2048).expect("RSA keys are to be had");
        let public_key = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key())
            .expect("a public key can be written")
            .as_ref()
            .to_vec();
        let private_key = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).expect("a private key can be written");
        let mut store = self.store();
        store.actor("outwall-app[bot]");
        let repositories = repositories.iter().map(|name| id_of(&store, name)).collect();
        let permissions = permissions
            .iter()
            .map(|(name, level)| ((*name).to_owned(), (*level).to_owned()))
            .collect();
        let installed = Installation {
            app: app.to_owned(),
            public_key,
            repositories,
            permissions,
        };
        store.tokens.installations.insert(installation, installed);
        let coded = STANDARD.encode(private_key.as_ref());
        let lines: Vec<&str> = (0..coded.len())
            .step_by(64)
            .map(|at| &coded[at..coded.len().min(at + 64)])
            .collect();
        format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            lines.join("\n")
        )
    }

    /// The database id of a repository.
    pub fn repository_id(&self, full_name: &str) -> u64 {
        id_of(&self.store(), full_name)
    }

    /// The node id of a repository.
    pub fn repository_node_id(&self, full_name: &str) -> String {
        let store = self.store();
        store.node_id(("Repository", id_of(&store, full_name)))
    }

    /// The node id of a ref, such as `refs/heads/main`.
    pub fn ref_node_id(&self, full_name: &str, name: &str) -> String {
        let id = self.repository_id(full_name);
        super::node_id::NodeId::Git("Ref", id, name.to_owned()).text(None)
    }

    /// The node id of the pull request or issue of this number.
    pub fn node_id(&self, full_name: &str, number: u64) -> String {
        let store = self.store();
        let id = id_of(&store, full_name);
        let found = store
            .numbered("PullRequest", id, number)
            .or_else(|| store.numbered("Issue", id, number));
        store.node_id(
            found
                .unwrap_or_else(|| panic!("{full_name} has no number {number}"))
                .key(),
        )
    }

    /// Where a repository is on disk.
    pub fn git_dir(&self, full_name: &str) -> PathBuf {
        let store = self.store();
        store.disks[&id_of(&store, full_name)].path().to_owned()
    }

    /// What every ref of a repository holds.
    pub fn refs(&self, full_name: &str) -> BTreeMap<String, String> {
        let store = self.store();
        store.disks[&id_of(&store, full_name)].refs()
    }

    /// A commit of files on a branch, which is made at `main` if it is new: its id.
    pub fn commit(&self, full_name: &str, branch: &str, files: &[(&str, &str)]) -> String {
        let mut store = self.store();
        let id = id_of(&store, full_name);
        let disk = store.disks[&id].clone();
        if disk.branch(branch).is_none()
            && let Some(main) = disk.branch("main")
        {
            refs::create(&mut store, id, &format!("refs/heads/{branch}"), &main)
                .expect("a branch can be made");
        }
        let files: Vec<FileChange> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), Some(text.as_bytes().to_vec())))
            .collect();
        commits::commit(&mut store, id, branch, None, "A commit", &files).expect("a commit can be made")
    }

    /// An open pull request of `login` between two branches: its number.
    pub fn pull_request(&self, full_name: &str, login: &str, head: &str, base: &str, title: &str) -> u64 {
        let mut store = self.store();
        let repository = id_of(&store, full_name);
        let between = Between {
            repository,
            head_repository: repository,
            head: head.to_owned(),
            base: base.to_owned(),
        };
        let key = pulls::open(&mut store, &between, &user(login), fields(title))
            .expect("a pull request can be made");
        store.records[&key].number("number")
    }

    /// An open issue of `login`: its number.
    pub fn issue(&self, full_name: &str, login: &str, title: &str) -> u64 {
        let mut store = self.store();
        let repository = id_of(&store, full_name);
        let key = issues::open(&mut store, repository, &user(login), fields(title));
        store.records[&key].number("number")
    }

    /// A comment of `login` on the pull request or issue of this number: its database id.
    pub fn comment(&self, full_name: &str, login: &str, number: u64, body: &str) -> u64 {
        let mut store = self.store();
        let id = id_of(&store, full_name);
        let on = store
            .numbered("PullRequest", id, number)
            .or_else(|| store.numbered("Issue", id, number));
        let on = on
            .unwrap_or_else(|| panic!("{full_name} has no number {number}"))
            .key();
        issues::comment(&mut store, on, &user(login), body).1
    }

    /// A label.
    pub fn label(&self, full_name: &str, name: &str) {
        let mut store = self.store();
        let id = id_of(&store, full_name);
        store.add(
            "Label",
            Some(id),
            json!({ "name": name, "color": "ededed", "description": name }),
        );
    }

    /// A run of the workflow `name` on a branch, of one job and one artifact, that has ended with `conclusion` (`SUCCESS`, `FAILURE`), or none
    /// while it runs: its database id.
    pub fn workflow_run(&self, full_name: &str, branch: &str, name: &str, conclusion: Option<&str>) -> u64 {
        let mut store = self.store();
        let id = id_of(&store, full_name);
        let head = store.disks[&id].branch(branch).expect("the branch is there");
        let status = if conclusion.is_some() {
            "COMPLETED"
        } else {
            "IN_PROGRESS"
        };
        let workflow = store.add(
            "Workflow",
            Some(id),
            json!({ "name": name, "state": "ACTIVE", "path": ".github/workflows/ci.yml" }),
        );
        let number = store.within("WorkflowRun", id).count() + 1;
        let run = json!({
            "workflow": store.link(workflow), "runNumber": number, "event": "push", "headBranch": branch, "headSha": head,
            "status": status, "conclusion": conclusion, "name": name,
        });
        let run = store.add("WorkflowRun", Some(id), run);
        let suite = json!({
            "workflowRun": store.link(run), "headSha": head, "status": status, "conclusion": conclusion,
            "app": { "name": "GitHub Actions", "slug": "github-actions" },
        });
        let suite = store.add("CheckSuite", Some(id), suite);
        let now = store.now();
        let check = json!({
            "checkSuite": store.link(suite), "name": "build", "headSha": head, "status": status, "conclusion": conclusion,
            "startedAt": now, "completedAt": conclusion.map(|_| now.clone()), "run": run.1,
        });
        store.add("CheckRun", Some(id), check);
        let artifact = json!({ "name": "result", "run": run.1 });
        store.add(ARTIFACT, Some(id), artifact);
        run.1
    }

    /// A release of a tag at `main`, with an asset.
    pub fn release(&self, full_name: &str, tag: &str, asset: &str, content: &[u8]) {
        let mut store = self.store();
        let id = id_of(&store, full_name);
        let main = store.disks[&id].branch("main").expect("there is a commit");
        refs::create(&mut store, id, &format!("refs/tags/{tag}"), &main).expect("a tag can be made");
        let release = store.add("Release", Some(id), json!({ "tagName": tag, "name": tag, "isDraft": false, "isPrerelease": false, "description": "" }));
        Standing::add_asset(&mut store, release, asset, "application/octet-stream", content);
    }
}

impl Standing {
    /// A file of a release.
    pub(super) fn add_asset(
        store: &mut Store,
        release: super::store::Key,
        name: &str,
        kind: &str,
        content: &[u8],
    ) -> super::store::Key {
        let fields = json!({ "release": store.link(release), "name": name, "contentType": kind, "size": content.len() });
        let repository = store.records[&release].repository;
        let key = store.add("ReleaseAsset", repository, fields);
        std::fs::write(store.root.join(format!("asset-{}", key.1)), content).expect("the directory is ours");
        key
    }
}

fn id_of(store: &Store, full_name: &str) -> u64 {
    let (owner, name) = full_name.split_once('/').expect("`owner/name`");
    let found = store.repository_named(owner, name);
    found
        .unwrap_or_else(|| panic!("there is no repository {full_name}"))
        .id
}

fn user(login: &str) -> Caller {
    Caller::Known(Bearer::User {
        login: login.to_owned(),
        scopes: Vec::new(),
    })
}

fn fields(title: &str) -> serde_json::Map<String, Value> {
    let Value::Object(fields) = json!({ "title": title, "body": "As told." }) else {
        unreachable!("an object")
    };
    fields
}
