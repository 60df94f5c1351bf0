//! The engine as its callers see it: a sandbox prepared, started, waited for, ended.
//!
//! It runs in the asking process, among other threads, and does there only what needs no fork: the rest is the stages' (`stage`).
//! It knows nothing of what is served on the listeners. Start with [`Prepared::new`].

mod ender;
mod error;

pub use ender::{Ender, Signal};
pub use error::{PrepareError, StartError, WaitError};

use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::net::Shutdown;
use serde::{Deserialize, Serialize};

use crate::cleanup::RunDirectory;
use crate::failure::{Failure, Part};
use crate::identity::{IdRange, Identity, Outer, program};
use crate::inner_sockets::InnerSockets;
use crate::layout::lay_out;
use crate::plan::{Contents, Plan};
use crate::programs::{Inside, Programs};
use crate::pty::Terminal;
use crate::spec::{Home, Spec, SpecError};
use crate::stage::STAGE_NAME;
use crate::streams::{Carrying, Streams, StreamsError};
use crate::wire::{FromStage, ListenerKind, ToStage, Wire};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// How long each part of making a sandbox took. The parts overlap: files are laid out while the network is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    /// Deciding what the sandbox sees.
    pub plan: Duration,
    /// From starting the stage until its first step.
    pub spawn: Duration,
    /// Making the namespaces.
    pub namespaces: Duration,
    /// Addresses, routes, redirection, listeners.
    pub network: Duration,
    /// Everything up to the listeners: what [`Prepared::new`] took.
    pub prepared: Duration,
    /// Laying out the files.
    pub mounts: Duration,
    /// From the word to start until the command was executed.
    pub start: Duration,
}

/// The listeners of one sandbox: sockets inside its network that the asking process serves. All are non-blocking.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Captured TCP connections; `SO_ORIGINAL_DST` says where each was meant to go.
    pub tcp: Vec<TcpListener>,
    /// DNS over UDP, sent to any address.
    pub dns_udp: Vec<UdpSocket>,
    /// DNS over TCP, sent to any address.
    pub dns_tcp: Vec<TcpListener>,
    /// Connections to loopback ports that stand for ports of the host.
    pub host_ports: Vec<(u16, TcpListener)>,
}

/// The process that makes a sandbox and watches over it. When this is dropped, or its owner dies, the sandbox ends.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) wire: Wire,
    child: Child,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Stage 1 sees the end of its lifeline, kills the first process, and waits until the kernel has ended all the others.
        rustix::net::shutdown(&self.wire, Shutdown::Both).ok();
        drop(self.child.wait());
    }
}

/// A sandbox whose namespaces exist and whose listeners are open, in which nothing of the user's runs.
#[derive(Debug)]
pub struct Prepared {
    stage: Stage,
    run: RunDirectory,
    listeners: Listeners,
    inner_sockets: Option<InnerSockets>,
    diagnosis: Option<OwnedFd>,
    inside: Arc<OnceLock<Inside>>,
    timings: Timings,
    program: String,
    terminal: Terminal,
    streams: Streams,
    notices: Vec<String>,
    /// The files are in place.
    built: bool,
    /// The master side of the sandbox's terminal, when it has one.
    master: Option<OwnedFd>,
}

impl Prepared {
    /// Makes everything of a sandbox but its command.
    ///
    /// The program must have called [`become_stage_if_asked`](crate::become_stage_if_asked) first in its `main`.
    pub fn new(spec: Spec) -> Result<Self, PrepareError> {
        let began = Instant::now();
        let spec = spec.checked()?;
        let streams = streams()?;
        let stage = spawn()?; // it comes up while we plan
        let identity = Identity::of_this_process(spec.id, spec.root);
        if let Home::Kept(path) = &spec.home {
            keep_home(path)?;
        }
        let terminal = Terminal::of_this_process();
        let uses = spec.writable_directories().map(Path::to_owned).collect();
        let mut run = RunDirectory::create(&spec.state_dir, spec.id, uses)?;
        let mut contents = Contents::default();
        let layout = lay_out(&spec, &identity, &mut contents)?;
        run.hold_places(&layout.placeholders)?;
        let plan = Plan {
            identity,
            files: layout.steps,
            command: spec.command.clone(),
            variables: spec.variables.clone(),
            working_directory: spec.working_directory.clone(),
            root: spec.root,
            nested_namespaces: spec.nested_namespaces,
            host_ports: spec.host_ports.clone(),
            terminal: terminal.replaced(),
            processes: spec.limits.processes,
            control_groups: run.join_control_groups(spec.id, spec.limits),
        };
        let memory = plan.write(&contents)?;
        let planned = began.elapsed();
        let asking = spec.inner_sockets.then(Wire::pair).transpose();
        let asking = asking.map_err(PrepareError::Spawn)?;
        let streams_given = streams.given.iter().map(AsFd::as_fd);
        let asked_on = asking.iter().map(|(_, there)| there.as_fd());
        let given: Vec<_> = std::iter::once(memory.as_fd())
            .chain(streams_given)
            .chain(asked_on)
            .collect();
        stage.wire.send(&ToStage::Plan, &given)?;
        let program = spec.command[0].to_string_lossy().into_owned();
        let mut prepared = Self {
            stage,
            run,
            listeners: Listeners::default(),
            inner_sockets: asking.map(|(here, _)| InnerSockets::new(here)),
            diagnosis: None,
            inside: Arc::default(),
            timings: Timings {
                plan: planned,
                ..Timings::default()
            },
            program,
            terminal,
            streams,
            notices: layout.notices,
            built: false,
            master: None,
        };
        prepared.await_listeners(&plan.identity)?;
        prepared.timings.prepared = began.elapsed();
        let known = planned + prepared.timings.namespaces + prepared.timings.network;
        prepared.timings.spawn = prepared.timings.prepared.saturating_sub(known);
        Ok(prepared)
    }

    fn await_listeners(&mut self, identity: &Identity) -> Result<(), Failure> {
        loop {
            let (message, descriptors) = self.stage.wire.expect("wait for the listeners")?;
            match message {
                FromStage::WantsIds => {
                    map_ids(self.stage.child.id(), &identity.outer)?;
                    self.stage.wire.send(&ToStage::IdsMapped, &[])?;
                }
                FromStage::Listening {
                    kinds,
                    namespaces,
                    network,
                } => {
                    self.timings.namespaces = Duration::from_micros(namespaces);
                    self.timings.network = Duration::from_micros(network);
                    (self.listeners, self.diagnosis) = sort_listeners(&kinds, descriptors);
                    return Ok(());
                }
                other => self.note(other, descriptors)?,
            }
        }
    }

    /// News that may come at any time before the start.
    fn note(&mut self, message: FromStage, descriptors: Vec<OwnedFd>) -> Result<(), Failure> {
        match message {
            FromStage::Built { mounts, namespace } => {
                self.timings.mounts = Duration::from_micros(mounts);
                self.built = true;
                let mut descriptors = descriptors.into_iter();
                if let Some(processes) = descriptors.next() {
                    let mounts = namespace;
                    let _first = self.inside.set(Inside { processes, mounts });
                }
                self.master = descriptors.next();
                Ok(())
            }
            FromStage::Failed(failure) => Err(failure),
            _ => Err(Failure::new(
                Part::Conversation,
                "understand the order of the messages",
            )),
        }
    }

    /// Takes the listeners; a second time there are none.
    pub fn listeners(&mut self) -> Listeners {
        std::mem::take(&mut self.listeners)
    }

    /// Takes what knows which program made a connection; a second time there is none.
    pub fn programs(&mut self) -> Option<Programs> {
        let diagnosis = self.diagnosis.take()?;
        Some(Programs::new(diagnosis, Arc::clone(&self.inside)))
    }

    /// Takes what makes sockets in the sandbox's network, where the spec wants it; a second time there is none.
    pub fn inner_sockets(&mut self) -> Option<InnerSockets> {
        self.inner_sockets.take()
    }

    /// What whoever asked for the sandbox should know of it before it starts, a sentence each: what could not be masked, what its root cannot do.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// How long the parts took so far.
    pub fn timings(&self) -> Timings {
        self.timings
    }

    /// Runs the command.
    pub fn start(mut self) -> Result<Running, StartError> {
        while !self.built {
            let (message, descriptors) = self.stage.wire.expect("wait for the files")?;
            self.note(message, descriptors)?;
        }
        let terminal = self
            .terminal
            .attach(self.master.take())
            .map_err(|error| Failure::new(Part::Terminal, format!("set up the terminal: {error}")))?;
        self.stage.wire.send(&ToStage::Start, &[])?;
        let (message, descriptors) = self.stage.wire.expect("wait for the command to start")?;
        match (message, descriptors.into_iter().next()) {
            (FromStage::Started { start }, Some(command)) => {
                self.timings.start = Duration::from_micros(start);
                let lifeline = self.stage.wire.as_fd().try_clone_to_owned().map_err(|error| {
                    Failure::new(Part::Conversation, format!("keep a descriptor: {error}"))
                })?;
                let ender = Ender::new(command, lifeline);
                Ok(Running {
                    terminal,
                    output: self.streams.carry(),
                    stage: self.stage,
                    _run: self.run,
                    timings: self.timings,
                    ender,
                })
            }
            (FromStage::Failed(failure), _) => Err(error::not_started(failure, self.program)),
            _ => Err(Failure::new(Part::Conversation, "understand whether the command started").into()),
        }
    }
}

/// A sandbox whose command runs.
#[derive(Debug)]
pub struct Running {
    /// Declared first: the host's terminal is restored before anything else is waited for.
    terminal: Option<crate::pty::Relay>,
    output: Carrying,
    stage: Stage,
    /// Declared after the stage: what it holds is let go when nothing runs any more.
    _run: RunDirectory,
    timings: Timings,
    ender: Ender,
}

impl Running {
    /// Waits for the command to end, relaying the terminal meanwhile when there is one. Everything else in the sandbox ends with the command.
    pub fn wait(mut self) -> Result<Exit, WaitError> {
        if let Some(terminal) = &mut self.terminal {
            terminal.run(&self.stage.wire).map_err(WaitError::Terminal)?;
        }
        let message = self.stage.wire.receive()?;
        self.ender.is_over();
        if let Some(mut terminal) = self.terminal.take() {
            // What the command wrote last may still be on its way.
            terminal.drain().map_err(WaitError::Terminal)?;
        }
        match message {
            Some((FromStage::Ended(exit), _)) => {
                self.output.finish();
                Ok(exit)
            }
            Some((FromStage::Failed(failure), _)) => Err(failure.into()),
            Some(_) => Err(Failure::new(Part::Conversation, "understand how the command ended").into()),
            None if self.ender.killed() => Ok(Exit::Signal(libc::SIGKILL)),
            None => Err(WaitError::Lost),
        }
    }

    /// What ends the sandbox from another thread.
    pub fn ender(&self) -> Ender {
        self.ender.clone()
    }

    /// What speaks to the person at the terminal while the command has it; none where nobody is at one.
    pub fn interludes(&self) -> Option<crate::Interludes> {
        self.terminal.as_ref()?.interludes()
    }

    /// How long the parts took.
    pub fn timings(&self) -> Timings {
        self.timings
    }
}

/// What the sandbox gets of our standard streams.
fn streams() -> Result<Streams, PrepareError> {
    Streams::of_this_process().map_err(|error| match error {
        StreamsError::Directory(number) => SpecError::DirectoryAsStream {
            stream: ["input", "output", "error"][number],
        }
        .into(),
        StreamsError::Io(error) => Failure::new(
            Part::Conversation,
            format!("hand over the standard streams: {error}"),
        )
        .into(),
    })
}

/// Starts this program again as a stage. Everything it is to have comes over the wire; its environment is empty.
pub(crate) fn spawn() -> Result<Stage, PrepareError> {
    let (here, there) = Wire::pair().map_err(PrepareError::Spawn)?;
    let child = Command::new("/proc/self/exe")
        .arg0(STAGE_NAME)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(there.into_descriptor()))
        .stdout(Stdio::null())
        .spawn()
        .map_err(PrepareError::Spawn)?;
    Ok(Stage { wire: here, child })
}

fn keep_home(path: &Path) -> Result<(), PrepareError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| PrepareError::Home {
            path: path.to_owned(),
            source,
        })
}

/// Has the ids of the stage's new user namespace mapped by the programs that may.
fn map_ids(stage: u32, outer: &Outer) -> Result<(), Failure> {
    let Outer::WithSubordinates { uids, gids } = outer else {
        return Ok(());
    };
    for (name, ranges) in [("newuidmap", uids), ("newgidmap", gids)] {
        let run = program(name).and_then(|path| {
            Command::new(path)
                .arg(stage.to_string())
                .args(numbers(ranges))
                .output()
                .ok()
        });
        match run {
            Some(output) if output.status.success() => {}
            Some(output) => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(Failure::new(
                    Part::Identity,
                    format!("map ids with {name}: {said}"),
                ));
            }
            None => return Err(Failure::new(Part::Identity, format!("run {name}"))),
        }
    }
    Ok(())
}

fn numbers(ranges: &[IdRange]) -> impl Iterator<Item = String> {
    ranges
        .iter()
        .flat_map(|range| [range.inside, range.outside, range.count])
        .map(|number| number.to_string())
}

fn sort_listeners(kinds: &[ListenerKind], descriptors: Vec<OwnedFd>) -> (Listeners, Option<OwnedFd>) {
    let (mut listeners, mut diagnosis) = (Listeners::default(), None);
    for (kind, descriptor) in kinds.iter().zip(descriptors) {
        match kind {
            ListenerKind::Tcp => listeners.tcp.push(descriptor.into()),
            ListenerKind::DnsUdp => listeners.dns_udp.push(descriptor.into()),
            ListenerKind::DnsTcp => listeners.dns_tcp.push(descriptor.into()),
            ListenerKind::HostPort(port) => listeners.host_ports.push((*port, descriptor.into())),
            ListenerKind::Diagnosis => diagnosis = Some(descriptor),
        }
    }
    (listeners, diagnosis)
}
