//! `outwall run`: a command in a new sandbox whose only way out is the gate.

mod askers;
mod asking;
mod cloning;
mod learning;
mod options;
mod protection;
mod publish;
mod serving;
mod trust;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use outwall_audit::AuditLog;
use outwall_broker::placeholder::{PlaceholderKey, Placeholders};
use outwall_certs::{Ca, TrustBundle};
use outwall_policy::{EnvironmentName, NetworkLevel, Overrides, Publish, Sandbox, SandboxId};
use outwall_sandbox_runtime::{
    self as sandbox_runtime, Exit, PlacedFile, PrepareError, Prepared, Spec, StartError, WaitError,
};

use self::asking::Asking;
use self::cloning::Scratch;
use self::learning::Learning;
use self::protection::Guard;
use self::publish::Published;
use self::serving::Serving;
use self::trust::Trust;
use crate::arguments::{RUN_FAILED, Session};
use crate::discovery::configuration_files;
use crate::failure::{Explain, Failure};
use crate::gate::{audit_log, new_sandbox, new_sandbox_id, placeholder_key, verifier};
use crate::github_session::GithubSession;
use crate::policy_in_force::PolicyInForce;
use crate::reload::Source;
use crate::sandbox_variables::{self, Account};
use crate::shipping::Beside;
use crate::terminal::{Paint, printable};
use crate::{git_identity, memory, summary};

/// Runs a command in a new sandbox
///
/// It sees this directory, the system's programs and the toolchains on PATH; not your home, your
/// keys or your variables. Its requests go through the gate, which allows, refuses and records them.
/// Ends with the command's exit code; with 125 when Outwall itself fails.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall run -- claude
  outwall run --allow api.example.com --env API_KEY -- npm test
  outwall run --network none -- python3 untrusted.py
  outwall run --ask -- claude                 asks you about each host that is not allowed
  outwall run --learn -- npm ci               reaches what it asks for, then says what that was
  outwall run --publish 3000 -- npm run dev     look at it at http://localhost:3000
  outwall run --host-port 5432 -- npm test      the database of this machine, and nothing else of it
  outwall run --repository https://github.com/acme/app --session-branch outwall/fix-login -- claude
  outwall run --mount ~/datasets --mount ~/out:rw --home work -- bash")]
pub(crate) struct Arguments {
    /// The environment of the policy to run in [else: the default one]
    #[arg(long, value_name = "NAME")]
    environment: Option<EnvironmentName>,

    /// What it may reach, instead of what the environment says
    #[arg(long, value_name = "none|trusted|full|custom")]
    network: Option<NetworkLevel>,

    /// Allow one more host: `api.example.com`, `*.example.com`, `host:8443` (repeatable)
    #[arg(long, value_name = "DOMAIN")]
    allow: Vec<String>,

    /// Let it reach one port of this machine's loopback, as `localhost:PORT` and as
    /// `host.outwall.internal:PORT` (repeatable)
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    host_port: Vec<u16>,

    /// Bring a port of the sandbox to this machine's loopback, at HOSTPORT where the same one is taken
    /// (repeatable; other addresses only as `PORT:ADDRESS:HOSTPORT`)
    #[arg(long, value_name = "PORT[:HOSTPORT]")]
    publish: Vec<Publish>,

    /// Set a variable, or pass on the one of that name (repeatable)
    #[arg(long, value_name = "KEY[=VALUE]")]
    env: Vec<OsString>,

    /// Show a file or folder at its own path, read-only unless `:rw` (repeatable)
    #[arg(long, value_name = "PATH[:rw]")]
    mount: Vec<OsString>,

    /// Keep the home folder under this name and use it again next time [else: a fresh one]
    #[arg(long, value_name = "NAME")]
    home: Option<String>,

    /// Be root inside the sandbox, to install system packages (discarded at the end)
    #[arg(long)]
    root: bool,

    /// Ask at the terminal about each new host that is not allowed (30 s without an answer is a no)
    #[arg(long)]
    ask: bool,

    /// No summary line at the end
    #[arg(long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    learning: learning::LearnOptions,

    #[command(flatten)]
    github: cloning::Options,

    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

impl Arguments {
    pub(crate) fn obey(mut self, session: &Session) -> Result<ExitCode, Failure> {
        memory::keep_to_ourselves();
        let directory = self
            .github
            .make_directory(&session.surroundings.working_directory)?;
        if let Some(directory) = &directory {
            self.clone_repository(session, directory)?;
        }
        self.obey_at(session, directory)
    }

    /// Clones, in a sandbox of its own, and settles the name of the session's branch.
    fn clone_repository(&mut self, session: &Session, directory: &Path) -> Result<(), Failure> {
        let mut cloning = self.clone();
        (cloning.quiet, cloning.ask, cloning.root) = (true, false, false);
        (cloning.publish, cloning.mount, cloning.home) = (Vec::new(), Vec::new(), None);
        cloning.learning = learning::LearnOptions::default();
        let in_force = PolicyInForce::load(session, None, &Overrides::default())?;
        let at = self.github.session(&in_force.policy, new_sandbox_id()?)?;
        let at = at.expect("there is a directory for it");
        self.github.session_branch = Some(at.branch.clone());
        cloning.github.session_branch = Some(at.branch.clone());
        cloning.command = self.github.command(&at);
        let scratch = Scratch::beside(directory, new_sandbox_id()?)?;
        let ended = cloning.obey_at(session, Some(scratch.path().to_path_buf()));
        if ended.as_ref().is_ok_and(|code| *code == ExitCode::SUCCESS) {
            return scratch.deliver(directory);
        }
        let _ = std::fs::remove_dir(directory); // if nothing is in it
        ended?;
        Err(Failure::new(format!("{} could not be cloned", at.repository)).hint("git says above why"))
    }

    fn obey_at(self, session: &Session, directory: Option<PathBuf>) -> Result<ExitCode, Failure> {
        let identity = git_identity::ask();
        let mut request = self.request(session, directory)?;
        tracing::debug!("the policy is compiled");
        session.state.make()?;
        let trust = Trust::assemble(session, request.in_force.extra_roots()?);
        let audit = audit_log(session, &request.in_force)?;
        let shipping = Beside::a_command(session, &request.in_force, &audit)?;
        sweep(session);
        tracing::debug!("the audit log is open");
        let (ca, bundle) = trust.join()?;
        let identity = identity.join().ok().flatten();
        tracing::debug!("trust and git identity are there");
        let key = placeholder_key(session)?;
        let github = GithubSession::begin(session, &request.sandbox, &audit)?;
        let furnished = request.furnish(session, &bundle, (identity, github.as_ref()), &key);
        let ended = furnished.and_then(|()| request.run(session, ca, &audit, key));
        if let Some(github) = github {
            github.end(&audit)?;
        }
        if let Some(shipping) = shipping {
            audit.flush()?;
            shipping.finish();
        }
        ended
    }

    /// What is asked for, with everything checked that can be before anything is made.
    fn request(self, session: &Session, directory: Option<PathBuf>) -> Result<Request, Failure> {
        let surroundings = &session.surroundings;
        let name = self.environment.as_ref().map(EnvironmentName::as_str);
        let overrides = Overrides {
            network: self.network,
            allow: self.allow,
            host_ports: self.host_port,
            unlisted: self.learning.unlisted(),
            ..Overrides::default()
        };
        let in_force = PolicyInForce::load(session, name, &overrides)?;
        in_force.warn();
        let mut sandbox = new_sandbox(&in_force.policy, self.environment.as_ref())?;
        if let Some(repository) = self.github.session(&in_force.policy, sandbox.id)? {
            sandbox = sandbox.working_at(repository);
        }
        let learning = self
            .learning
            .open(&surroundings.working_directory, &in_force.policy)?;
        let environment = in_force.policy.environment(name)?;
        let mut spec = Spec::new(
            sandbox.id,
            self.command,
            directory.unwrap_or_else(|| surroundings.working_directory.clone()),
            session.state.path().to_path_buf(),
        );
        spec.nested_namespaces = environment.nested_namespaces();
        spec.host_ports = environment.host_ports().collect();
        let publish = environment.publish().iter().chain(&self.publish);
        let published = Published::open(publish.copied(), &spec.host_ports)?;
        spec.inner_sockets = !published.is_empty();
        spec.root = self.root;
        spec.home = options::home(self.home.as_deref(), &session.state)?;
        spec.home_path = surroundings.home.clone().unwrap_or(spec.home_path);
        let mounts = self.mount.iter().map(|mount| options::mount(mount, surroundings));
        spec.mounts = mounts.collect::<Result<_, _>>()?;
        spec.refused_directories = trusted_directories(session);
        let guard = Guard::of(&in_force, &spec)?;
        spec.mounts.extend(guard.mounts());
        let variables = self
            .env
            .iter()
            .map(|asked| sandbox_variables::Asked::parse(asked))
            .collect::<Result<_, _>>()?;
        Ok(Request {
            source: Source {
                session: session.clone(),
                environment: sandbox.environment.clone(),
                overrides,
                objection: Box::new(move |policy| guard.object(policy)),
            },
            in_force,
            sandbox,
            spec,
            variables,
            published,
            ask: self.ask,
            learning,
            quiet: self.quiet,
        })
    }
}

/// What Outwall itself believes: whoever can write there decides what the next sandbox may do.
fn trusted_directories(session: &Session) -> Vec<PathBuf> {
    let files = configuration_files(&session.surroundings).into_iter();
    files
        .filter_map(|(_, file)| Some(file.parent()?.to_path_buf()))
        .collect()
}

/// A run, before there is a sandbox.
struct Request {
    in_force: PolicyInForce,
    source: Source,
    sandbox: Sandbox,
    spec: Spec,
    variables: Vec<sandbox_variables::Asked>,
    published: Published,
    ask: bool,
    learning: Option<Learning>,
    quiet: bool,
}

impl Request {
    /// Puts in what the sandbox needs to work: trust in the CA, variables, an identity for git; placeholders instead of secrets.
    fn furnish(
        &mut self,
        session: &Session,
        bundle: &TrustBundle,
        (identity, github): (Option<String>, Option<&GithubSession>),
        key: &PlaceholderKey,
    ) -> Result<(), Failure> {
        let account = Account::of(&self.spec, &session.surroundings);
        let placeholders = Placeholders::new(key, &self.sandbox, self.in_force.policy.credentials());
        self.spec.variables = sandbox_variables::variables(
            &session.surroundings,
            &account,
            bundle.variables(),
            placeholders.variables(),
            &self.variables,
        )?;
        if let Some(github) = github {
            let own = github.variables().into_iter();
            self.spec
                .variables
                .retain(|(name, _)| github.variables().iter().all(|(own, _)| name != own));
            self.spec
                .variables
                .extend(own.map(|(name, value)| (name.into(), value.into())));
        }
        let home = self.spec.home_path.clone();
        let trust = bundle.files().into_iter().map(|file| (file.path, file.contents));
        let at_home = bundle
            .home_files()
            .into_iter()
            .map(|file| (home.join(file.path), file.contents));
        let git = [identity, github.map(GithubSession::git_configuration)]
            .into_iter()
            .flatten();
        let git = Some(git.collect::<String>()).filter(|text| !text.is_empty());
        let git = git.map(|text| (PathBuf::from(git_identity::PLACE), text.into_bytes().into()));
        let credential = github
            .map(GithubSession::file)
            .map(|(path, text)| (path, text.into()));
        let placed = trust.chain(at_home).chain(git).chain(credential);
        let placed = placed.map(|(path, contents)| PlacedFile {
            path,
            contents: contents.to_vec(),
            mode: 0o644,
        });
        self.spec.files = placed.collect();
        Ok(())
    }

    /// Makes the sandbox beside its gate, runs the command, sums up.
    fn run(
        self,
        session: &Session,
        ca: Ca,
        audit: &AuditLog,
        key: PlaceholderKey,
    ) -> Result<ExitCode, Failure> {
        let program = self
            .spec
            .command
            .first()
            .map(|program| program.display().to_string())
            .unwrap_or_default();
        let (in_force, log) = (self.in_force, audit.clone());
        let verifier = verifier(session)?;
        let gate = thread::spawn(move || Serving::prepare(in_force, ca, log, (key, verifier)));
        let mut prepared = Prepared::new(self.spec).map_err(not_prepared)?;
        tracing::debug!(timings = ?prepared.timings(), "the sandbox is prepared");
        for notice in prepared.notices() {
            let _ = writeln!(std::io::stderr(), "outwall: {}", printable(notice));
        }
        let gate = gate
            .join()
            .map_err(|_| Failure::new("the gate could not be prepared"))??;
        let asking = self
            .ask
            .then(|| Asking::start(self.sandbox.clone(), audit.clone()))
            .transpose()?;
        gate.check_session(&self.sandbox)?;
        let mut serving = gate.serve(
            self.sandbox.clone(),
            (prepared.listeners(), prepared.programs()),
            self.source,
            asking,
        )?;
        audit.sandbox_started(&self.sandbox, &program)?;
        if self.learning.is_some() {
            Learning::begin(&self.sandbox, audit)?;
        }
        if let Some(inner) = prepared.inner_sockets() {
            if !self.quiet {
                self.published.say(Paint::for_stderr());
            }
            serving.publish(&self.sandbox, self.published, inner, audit)?;
        }
        let ended = to_the_end(prepared, &mut serving);
        let allowed = serving.finish();
        audit.sandbox_ended(
            &self.sandbox,
            &ended.as_ref().map_or("failed".to_owned(), |exit| in_words(*exit)),
        )?;
        audit.flush()?;
        if !self.quiet && ended.is_ok() {
            sum_up(session, audit, self.sandbox.id);
            say_how_to_keep(&allowed);
        }
        if let Some(learning) = self.learning {
            learning.end(session, &self.sandbox);
        }
        tracing::debug!("done");
        ended.map(exit_code)
    }
}

/// Runs the command.
fn to_the_end(prepared: Prepared, serving: &mut Serving) -> Result<Exit, Failure> {
    let running = prepared.start().map_err(not_started)?;
    tracing::debug!(timings = ?running.timings(), "the command runs");
    serving.speak_at(running.interludes());
    serving.end_on_signal(&running.ender());
    let exit = match running.wait() {
        Err(WaitError::Lost) if serving.was_ended() => Exit::Signal(KILLED), // it did not end when it was told to
        exit => exit.explain("lost sight of the sandbox")?,
    };
    tracing::debug!(?exit, "the command ended");
    Ok(exit)
}

/// `SIGKILL`.
const KILLED: i32 = 9;

/// Removes what killed runs left behind. Failing that is no reason not to run.
fn sweep(session: &Session) {
    match sandbox_runtime::sweep(session.state.path()) {
        Ok(swept) => tracing::debug!(?swept, "looked for what killed runs left"),
        Err(error) => tracing::warn!(%error, "what killed runs left could not be removed"),
    }
}

/// A refused wish explains itself; where the machine is at fault there is more to find out.
fn not_prepared(error: PrepareError) -> Failure {
    let machine = matches!(error, PrepareError::Step(_) | PrepareError::Spawn(_));
    let failure = Failure::from(error);
    if machine {
        failure.hint("`outwall doctor` says what this machine lacks and how to get it")
    } else {
        failure
    }
}

/// A command that is not there ends as it would in a shell.
fn not_started(error: StartError) -> Failure {
    match &error {
        StartError::NotFound { .. } => Failure::from(error)
            .exit_with(127)
            .hint("a sandbox has the system's programs and the toolchains that PATH leads to; `--mount PATH` shows more"),
        StartError::NotExecutable { .. } => Failure::from(error).exit_with(126),
        StartError::Step(_) => error.into(),
    }
}

fn in_words(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
    }
}

/// As a shell would have it.
fn exit_code(exit: Exit) -> ExitCode {
    let code = match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => 128 + signal,
    };
    ExitCode::from(u8::try_from(code & 0xff).unwrap_or(RUN_FAILED))
}

/// What was allowed at the terminal is over with the run.
fn say_how_to_keep(allowed: &[String]) {
    if allowed.is_empty() {
        return;
    }
    let options: Vec<String> = allowed.iter().map(|hosts| format!("--allow {hosts}")).collect();
    let _ = writeln!(
        std::io::stderr(),
        "outwall: allowed for this run only: {}\n  {} run with {}, or add them to `allowed_domains`",
        allowed.join(", "),
        Paint::for_stderr().cyan("hint:"),
        options.join(" ")
    );
}

fn sum_up(session: &Session, audit: &AuditLog, sandbox: SandboxId) {
    let mut command = "outwall audit".to_owned();
    if let Some(directory) = &session.given_state_dir {
        command = format!("outwall --state-dir {} audit", directory.display());
    }
    let text = match audit.summary(sandbox) {
        Ok(summary) => summary::render(
            &summary,
            &format!("{command} --sandbox {sandbox}"),
            Paint::for_stderr(),
        ),
        Err(error) => format!("outwall: the audit log cannot be read back: {error}\n"),
    };
    let _ = std::io::stderr().write_all(text.as_bytes());
}
