//! What a client asks of the batch API ("Git LFS Batch API").

use outwall_policy::github::{GithubAction, RefName, RepositoryName};
use serde::{Deserialize, Serialize};

use super::file::LfsFile;
use crate::understood::{AnswerTreatment, NotUnderstood, Understood};

/// A batch that was understood: which files are to go where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRequest {
    /// Where to.
    pub operation: Operation,
    /// The ref that they belong to.
    pub named: Option<RefName>,
    /// The files.
    pub files: Vec<LfsFile>,
}

/// Where files are to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// To the client.
    Download,
    /// To the server.
    Upload,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    operation: Operation,
    #[serde(default)]
    transfers: Option<Vec<String>>,
    #[serde(default, rename = "ref")]
    named: Option<AskedRef>,
    objects: Vec<LfsFile>,
    #[serde(default)]
    hash_algo: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedRef {
    name: String,
}

#[derive(Serialize)]
struct Sent<'a> {
    operation: Operation,
    transfers: [&'static str; 1],
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    named: Option<SentRef<'a>>,
    objects: &'a [LfsFile],
    hash_algo: &'static str,
}

#[derive(Serialize)]
pub(super) struct SentRef<'a> {
    name: &'a str,
}

impl AskedRef {
    /// The name of the ref. git-lfs sends an empty one where it knows none.
    pub(super) fn read(asked: Option<Self>) -> Result<Option<RefName>, NotUnderstood> {
        let name = asked.map(|asked| asked.name).filter(|name| !name.is_empty());
        let name = name.map(|name| {
            name.parse()
                .map_err(|error| NotUnderstood::because(format!("{error}")))
        });
        name.transpose()
    }
}

impl<'a> SentRef<'a> {
    pub(super) fn of(name: Option<&'a RefName>) -> Option<Self> {
        name.map(|name| Self { name: name.as_str() })
    }
}

impl BatchRequest {
    /// Reads a whole body.
    pub fn read(body: &[u8]) -> Result<Self, NotUnderstood> {
        let asked: Asked = super::read(body)?;
        let basic = |names: &Vec<String>| names.iter().any(|name| name == BASIC);
        if !asked.transfers.as_ref().is_none_or(basic) {
            return Err(NotUnderstood::because(
                "its `transfers` has no `basic`, which is the one that is served here",
            ));
        }
        if asked.hash_algo.is_some_and(|name| name != SHA256) {
            return Err(NotUnderstood::because("its `hash_algo` is not `sha256`"));
        }
        if asked.objects.is_empty() || asked.objects.len() > MOST_FILES {
            return Err(NotUnderstood::because(format!(
                "a batch has one file at least and {MOST_FILES} at most; set lfs.transfer.batchSize to less"
            )));
        }
        let named = AskedRef::read(asked.named)?;
        if asked.operation == Operation::Upload && named.is_none() {
            return Err(NotUnderstood::because(NO_REF));
        }
        Ok(Self {
            operation: asked.operation,
            named,
            files: asked.objects,
        })
    }

    /// What it would do: an upload stores files for a ref, and needs what a push to that ref needs.
    pub fn actions(&self, repository: &RepositoryName) -> Vec<GithubAction> {
        match (self.operation, &self.named) {
            (Operation::Download, _) => vec![GithubAction::Read(repository.clone())],
            (Operation::Upload, None) => Vec::new(),
            (Operation::Upload, Some(name)) => vec![
                GithubAction::UpdateRef(repository.clone(), name.clone()),
                GithubAction::StoreObjects(repository.clone()),
            ],
        }
    }
}

pub(super) fn understand(repository: &RepositoryName, body: &[u8]) -> Result<Understood, NotUnderstood> {
    let batch = BatchRequest::read(body)?;
    let sent = super::written(&Sent {
        operation: batch.operation,
        transfers: [BASIC],
        named: SentRef::of(batch.named.as_ref()),
        objects: &batch.files,
        hash_algo: SHA256,
    });
    let operation = match batch.operation {
        Operation::Download => "lfs/batch download",
        Operation::Upload => "lfs/batch upload",
    };
    let mut understood = super::known(
        operation,
        batch.actions(repository),
        sent,
        AnswerTreatment::AsItComes,
    );
    understood.details = vec![format!("{} files", batch.files.len())];
    understood.answer = AnswerTreatment::LfsBatch(batch);
    Ok(understood)
}

/// The one way of transfer that every client and server has.
const BASIC: &str = "basic";

const SHA256: &str = "sha256";

/// git-lfs asks for 100 at a time, if not told otherwise; GitHub takes no more.
const MOST_FILES: usize = 1_000;

/// An upload without a ref cannot be told from one for another branch, so that it is refused.
const NO_REF: &str = "it does not say for which branch the files are; use git-lfs 2.4 or newer, and push with `git push` or with \
                      `git lfs push origin BRANCH`";
