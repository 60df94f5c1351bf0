//! Git over HTTP: git's own `http-backend` as a CGI program (RFC 3875), behind GitHub's rules on who may.

mod report;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hyper::Response;
use hyper::body::Frame;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

use super::disk::{Disk, SURROUNDINGS};
use super::tokens::{Bearer, Caller, Wanted};
use super::{Answer, Asked, Standing, lfs, pages};
use crate::body::Outgoing;

/// What git asks a server for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    UploadPack,
    ReceivePack,
    UploadArchive,
}

/// Serves what lives below `github.com`: git, git-lfs, and pages.
pub(super) async fn serve(standing: &Arc<Standing>, asked: Asked) -> Response<Outgoing> {
    let parts: Vec<String> = asked.path.split('/').skip(1).map(str::to_owned).collect();
    let [owner, name, rest @ ..] = parts.as_slice() else {
        return Answer::text(200, "GitHub").into();
    };
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    if let ["info", "lfs", rest @ ..] = rest.as_slice() {
        let rest = rest.iter().map(ToString::to_string).collect();
        return lfs::serve(standing, asked, owner, name, rest).await;
    }
    let found = standing
        .store()
        .repository_named(owner, name)
        .map(|repository| repository.id);
    let Some(service) = service_of(&rest, asked.head.uri.query().unwrap_or_default()) else {
        if is_dumb(&rest) {
            let told = "Please upgrade your git client.\nGitHub.com no longer supports git over dumb-http.\n";
            return Answer::text(403, told).into();
        }
        return pages::serve(standing, &asked, found, &rest).into();
    };
    match permitted(standing, &asked.caller, found, service) {
        Ok(repository) => run(standing, asked, repository, &rest.join("/"), service).await,
        Err(refused) => refused.into(),
    }
}

fn service_of(rest: &[&str], query: &str) -> Option<Service> {
    let named = match rest {
        ["info", "refs"] => query.split('&').find_map(|pair| pair.strip_prefix("service="))?,
        [name] => name,
        _ => return None,
    };
    match named {
        "git-upload-pack" => Some(Service::UploadPack),
        "git-receive-pack" => Some(Service::ReceivePack),
        "git-upload-archive" => Some(Service::UploadArchive),
        _ => None,
    }
}

fn is_dumb(rest: &[&str]) -> bool {
    matches!(rest, ["info", "refs"] | ["HEAD"] | ["objects", ..])
}

/// The repository, for whoever may; else what GitHub says: who shows nothing is asked, who may not see it is told it is not there.
fn permitted(
    standing: &Standing,
    caller: &Caller,
    repository: Option<u64>,
    service: Service,
) -> Result<u64, Answer> {
    let store = standing.store();
    let wanted = if service == Service::ReceivePack {
        Wanted::Write
    } else {
        Wanted::Read
    };
    if let Caller::Stranger = caller {
        let told = "Invalid username or token. Password authentication is not supported for Git operations.";
        let ask = ("www-authenticate", "Basic realm=\"GitHub\"");
        return Err(Answer::text(401, told).field(ask.0, ask.1));
    }
    match repository {
        Some(id) if store.may(caller, wanted, "contents", id) => Ok(id),
        _ if matches!(caller, Caller::Nobody) => Err(Answer::who_are_you()),
        Some(id) if store.may(caller, Wanted::Read, "metadata", id) => {
            let told = format!(
                "Permission to {}.git denied to {}.",
                store.full_name(id),
                caller.login().unwrap_or_default()
            );
            Err(Answer::text(403, &told))
        }
        _ => Err(Answer::text(404, "Repository not found.")),
    }
}

async fn run(
    standing: &Arc<Standing>,
    asked: Asked,
    repository: u64,
    rest: &str,
    service: Service,
) -> Response<Outgoing> {
    let disk = standing.store().disks[&repository].clone();
    let pushed = (service == Service::ReceivePack && asked.head.method == "POST").then_some(repository);
    backend(standing, asked, &disk, rest, pushed).await
}

/// Runs the program. After a push to `pushed` the records follow its branches, before the answer ends.
pub(super) async fn backend(
    standing: &Arc<Standing>,
    asked: Asked,
    disk: &Disk,
    rest: &str,
    pushed: Option<u64>,
) -> Response<Outgoing> {
    let refusals = (pushed.is_some() && !asked.caller.may_change_workflows())
        .then(|| NamedTempFile::new_in(disk.path()).expect("the repository is ours"));
    let mut program = program(&asked, disk, rest);
    if let Some(refusals) = &refusals {
        program.env("STANDIN_REFUSALS", refusals.path());
    }
    let mut child = match program.spawn() {
        Ok(child) => child,
        Err(error) => return Answer::text(500, &format!("git does not start: {error}")).into(),
    };
    let stdin = child.stdin.take().expect("a pipe");
    let mut stdout = child.stdout.take().expect("a pipe");
    let (broken, is_broken) = mpsc::channel(1);
    tokio::spawn(feed(asked, stdin, broken));
    let Some((head, first)) = cgi_head(&mut stdout).await else {
        return Answer::text(500, "git said nothing").into();
    };
    let (sender, frames) = mpsc::channel(4);
    tokio::spawn(forward(
        Running {
            child,
            stdout,
            is_broken,
            refusals,
        },
        first,
        sender,
        Arc::clone(standing),
        pushed,
    ));
    let mut response = Response::new(Outgoing::Frames(frames));
    for (name, value) in head {
        if name == "status" {
            let code = value.split(' ').next().and_then(|code| code.parse().ok());
            *response.status_mut() = code.expect("git answers with a status");
        } else if let (Ok(name), Ok(value)) = (name.parse::<hyper::header::HeaderName>(), value.parse()) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// The program itself: `git http-backend` would be two processes, of which only the first can be ended. One whose body breaks off
/// has to be: it reads on for ever.
fn http_backend() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let printed = std::process::Command::new("git").arg("--exec-path").output();
        let printed = printed.expect("git is installed").stdout;
        Path::new(String::from_utf8_lossy(&printed).trim()).join("git-http-backend")
    })
}

fn program(asked: &Asked, disk: &Disk, rest: &str) -> Command {
    let mut command = Command::new(http_backend());
    command.env_clear().envs(SURROUNDINGS);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let path = disk.path();
    command
        .env("GIT_PROJECT_ROOT", path.parent().expect("it has a root"))
        .env("GIT_HTTP_EXPORT_ALL", "1");
    let name = path.file_name().expect("it has a name").to_string_lossy();
    command.env("PATH_INFO", format!("/{name}/{rest}"));
    command.env("REQUEST_METHOD", asked.head.method.as_str());
    command.env("QUERY_STRING", asked.head.uri.query().unwrap_or_default());
    command.env("REMOTE_ADDR", "127.0.0.1");
    if let Some(login) = asked.caller.login() {
        command.env("REMOTE_USER", login);
    }
    let from_fields = [
        ("content-type", "CONTENT_TYPE"),
        ("content-length", "CONTENT_LENGTH"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ];
    for (field, variable) in from_fields {
        if let Some(value) = asked
            .head
            .headers
            .get(field)
            .and_then(|value| value.to_str().ok())
        {
            command.env(variable, value);
        }
    }
    let workflows = if asked.caller.may_change_workflows() {
        "allowed"
    } else {
        "refused"
    };
    let (bearer, lacks) = match &asked.caller {
        Caller::Known(Bearer::Installation { .. }) => ("a GitHub App", "workflows` permission"),
        _ => ("a Personal Access Token", "workflow` scope"),
    };
    command
        .env("STANDIN_WORKFLOWS", workflows)
        .env("STANDIN_BEARER", bearer)
        .env("STANDIN_LACKS", lacks)
        .env("STANDIN_PAGE", page_of(asked));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// The page of the repository that was asked for, by its name there.
fn page_of(asked: &Asked) -> String {
    let name: Vec<&str> = asked.path.split('/').skip(1).take(2).collect();
    let name = name.join("/");
    format!("{}/{}", asked.site.web(), name.trim_end_matches(".git"))
}

/// Hands the body on, piece by piece. One that breaks off must not look like one that has ended: the program is ended first.
async fn feed(mut asked: Asked, mut stdin: ChildStdin, broken: mpsc::Sender<()>) {
    while let Some(piece) = asked.body.piece().await {
        let Ok(piece) = piece else {
            let _ = broken.send(()).await;
            broken.closed().await; // and only then is its input closed
            return;
        };
        if stdin.write_all(&piece).await.is_err() {
            // It wants no more; what else comes is read, for the client to come to the answer.
            while let Some(Ok(_)) = asked.body.piece().await {}
            return;
        }
    }
}

type Head = Vec<(String, String)>;

/// The header of a CGI answer, and what came of its body along with it.
async fn cgi_head(stdout: &mut ChildStdout) -> Option<(Head, Bytes)> {
    let mut read = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = stdout.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
        read.extend_from_slice(&buffer[..length]);
        if let Some(end) = memchr::memmem::find(&read, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let fields = head.split("\r\n").filter_map(|line| line.split_once(": "));
            let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
            return Some((fields.collect(), Bytes::copy_from_slice(&read[end + 4..])));
        }
    }
}

struct Running {
    child: Child,
    stdout: ChildStdout,
    is_broken: mpsc::Receiver<()>,
    /// Where hooks write why they refuse: the answer to such a push is not sent before it is whole.
    refusals: Option<NamedTempFile>,
}

/// `REF REASON` lines.
fn reasons(path: &Path) -> BTreeMap<String, String> {
    let written = std::fs::read_to_string(path).unwrap_or_default();
    let pairs = written.lines().filter_map(|line| line.split_once(' '));
    pairs
        .map(|(name, reason)| (name.to_owned(), reason.to_owned()))
        .collect()
}

async fn forward(
    mut running: Running,
    first: Bytes,
    sender: mpsc::Sender<Frame<Bytes>>,
    standing: Arc<Standing>,
    pushed: Option<u64>,
) {
    let mut piece = first;
    let mut whole = Vec::new();
    loop {
        if running.refusals.is_some() {
            whole.extend_from_slice(&piece);
        } else if !piece.is_empty() && sender.send(Frame::data(piece)).await.is_err() {
            break;
        }
        let mut buffer = vec![0; 64 * 1024];
        let length = tokio::select! {
            read = running.stdout.read(&mut buffer) => read.unwrap_or(0),
            Some(()) = running.is_broken.recv() => {
                let _ = running.child.kill().await;
                0
            }
        };
        if length == 0 {
            break;
        }
        buffer.truncate(length);
        piece = buffer.into();
    }
    drop(running.stdout); // where the client has left, the program is to notice
    let _ = running.child.wait().await;
    if let Some(refusals) = &running.refusals {
        let answer = report::with_reasons(&whole, &reasons(refusals.path()));
        let _ = sender.send(Frame::data(answer.into())).await;
    }
    if let Some(repository) = pushed {
        let _ = tokio::task::spawn_blocking(move || standing.store().follow_heads(repository)).await;
    }
}
