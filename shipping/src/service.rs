//! [`Shipping`]: ships to all sinks, beside whatever else a process does, on a thread of its own.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use outwall_broker::Surroundings;
use outwall_policy::audit_sinks::AuditSink;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::configured;
use crate::cursor::Cursor;
use crate::files::SinkFiles;
use crate::pace::Pace;
use crate::shipper::{Shipper, Step};
use crate::sink::{Means, Secrets, told};
use crate::state::states;

/// Says something to people.
pub type Voice = Arc<dyn Fn(&str) + Send + Sync>;

/// What is shipped to whom.
#[derive(Clone)]
pub struct Plan {
    /// The audit's directory.
    pub directory: PathBuf,
    /// The file of the policy that names them. None: others may take them for left behind.
    pub policy: Option<PathBuf>,
    /// To whom.
    pub sinks: Vec<AuditSink>,
    /// Where files are that the policy names.
    pub surroundings: Surroundings,
    /// Files with roots that are believed besides those of the system.
    pub roots: Vec<PathBuf>,
    /// What this machine is called in events.
    pub host: String,
    /// Who is told what goes wrong.
    pub voice: Voice,
    /// How long is waited for receivers.
    pub pace: Pace,
}

/// Why there is no shipping.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No thread can be started.
    #[error("cannot start a thread to deliver the audit's events")]
    Thread(#[source] io::Error),
}

/// Events that a sink has not got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Which sink.
    pub sink: String,
    /// How many. None: it cannot be told.
    pub events: Option<u64>,
    /// Why.
    pub why: String,
}

/// Ships until it is dropped or finished. Dropped, it is given up at once, which costs repeats.
#[derive(Debug)]
pub struct Shipping {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

/// When everything has to be over.
type Stop = watch::Sender<Option<Instant>>;
type Stopped = watch::Receiver<Option<Instant>>;

impl Shipping {
    /// From now on. The cursor of each sink is there when this returns, so that nothing is removed that it has not got.
    pub fn start(plan: Plan) -> Result<Self, StartError> {
        mark_as_configured(&plan);
        let (stop, stopped) = watch::channel(None);
        let thread = std::thread::Builder::new()
            .name("outwall-shipping".to_owned())
            .spawn(move || {
                if let Err(error) = run(async { ship_all(plan, stopped).await }) {
                    tracing::error!(%error, "the audit's events are not delivered");
                }
            })
            .map_err(StartError::Thread)?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Sends what there is, for so long at most; what is left is for the next one. A receiver that fails is not tried again.
    pub fn finish(mut self, patience: Duration) {
        self.stop_by(Instant::now() + patience);
    }

    fn stop_by(&mut self, deadline: Instant) {
        let _ = self.stop.send(Some(deadline));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Shipping {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.stop_by(Instant::now());
        }
    }
}

/// Sends what there is, to each sink of the plan, and says what is left.
pub fn ship_once(plan: Plan) -> Result<Vec<Left>, StartError> {
    mark_as_configured(&plan);
    run(async move {
        let means = means(&plan);
        let mut left = Vec::new();
        for sink in &plan.sinks {
            left.extend(ship_what_there_is(&plan, sink, &means).await);
        }
        left
    })
}

/// A runtime of this thread's own; what blocks in it (a pipe that nobody reads) is left alone in the end.
fn run<T>(work: impl Future<Output = T>) -> Result<T, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(StartError::Thread)?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}

fn mark_as_configured(plan: &Plan) {
    if let Err(error) = configured::name(&plan.directory, plan.policy.as_deref(), &plan.sinks) {
        (plan.voice)(&format!(
            "it is not on record which audit sinks the policy has: {}",
            told(&error)
        ));
    }
    for sink in &plan.sinks {
        let files = SinkFiles::new(&plan.directory, sink.name.as_str());
        if let Err(error) = Cursor::open(&files) {
            (plan.voice)(&format!("audit sink `{}` gets no events: {error}", sink.name));
        }
    }
}

fn means(plan: &Plan) -> Arc<Means> {
    Arc::new(Means {
        secrets: Secrets::of(&plan.sinks, &plan.surroundings),
        surroundings: plan.surroundings.clone(),
        roots: plan.roots.clone(),
        host: plan.host.clone(),
        patience: plan.pace.patience,
    })
}

async fn ship_all(plan: Plan, stopped: Stopped) {
    let (plan, means) = (Arc::new(plan.clone()), means(&plan));
    let mut tasks = tokio::task::JoinSet::new();
    for sink in plan.sinks.clone() {
        let (plan, means, stopped) = (Arc::clone(&plan), Arc::clone(&means), stopped.clone());
        tasks.spawn(async move { ship(&plan, sink, means, stopped).await });
    }
    tasks.join_all().await;
}

/// Takes the lock when it is free, and ships from then on.
async fn ship(plan: &Plan, sink: AuditSink, means: Arc<Means>, mut stopped: Stopped) {
    let files = SinkFiles::new(&plan.directory, sink.name.as_str());
    while stopped.borrow().is_none() {
        if let Some(_lock) = lock(&files) {
            let shipper = Shipper::open(
                sink.clone(),
                &plan.directory,
                Arc::clone(&means),
                (Arc::clone(&plan.voice), plan.pace.first_wait),
            );
            match shipper {
                Ok(shipper) => return ship_from_now_on(shipper, &plan.pace, stopped).await,
                Err(error) => tracing::error!(sink = %sink.name, %error, "events are not delivered"),
            }
        }
        wait(&plan.pace, STANDING_BY, &mut stopped).await;
    }
}

async fn ship_from_now_on(mut shipper: Shipper, pace: &Pace, mut stopped: Stopped) {
    loop {
        let step = tokio::select! {
            biased;
            step = shipper.step() => step,
            () = time_is_over(stopped.clone()) => return, // what is on its way is sent again by the next one
        };
        let stopping = stopped.borrow().is_some();
        match step {
            Step::Progress => {}
            Step::Idle | Step::Later(_) if stopping => return,
            Step::Idle => wait(pace, POLL_EVERY, &mut stopped).await,
            Step::Later(time) => wait(pace, time, &mut stopped).await,
        }
    }
}

async fn ship_what_there_is(plan: &Plan, sink: &AuditSink, means: &Arc<Means>) -> Option<Left> {
    let files = SinkFiles::new(&plan.directory, sink.name.as_str());
    let Some(_lock) = lock(&files) else {
        let by = states(&plan.directory, std::slice::from_ref(sink))
            .pop()
            .and_then(|state| state.shipped_by);
        let by = by.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
        return left(plan, sink, format!("{by} ships to it"));
    };
    let shipper = Shipper::open(
        sink.clone(),
        &plan.directory,
        Arc::clone(means),
        (Arc::clone(&plan.voice), plan.pace.first_wait),
    );
    let mut shipper = match shipper {
        Ok(shipper) => shipper,
        Err(error) => return left(plan, sink, told(&error)),
    };
    let mut failures = 0;
    loop {
        match shipper.step().await {
            Step::Idle => return None,
            Step::Progress => failures = 0,
            Step::Later(time) if failures < TRIES => {
                failures += 1;
                (plan.pace.sleep)(time.min(LONGEST_WAIT_OF_ONCE)).await;
            }
            Step::Later(_) => {
                let why = shipper.last_trouble().unwrap_or_default().to_owned();
                return left(plan, sink, why);
            }
        }
    }
}

fn left(plan: &Plan, sink: &AuditSink, why: String) -> Option<Left> {
    let state = states(&plan.directory, std::slice::from_ref(sink)).pop();
    let events = state.and_then(|state| state.lag_events);
    (events != Some(0)).then(|| Left {
        sink: sink.name.to_string(),
        events,
        why,
    })
}

/// None: another process has it.
pub(crate) fn lock(files: &SinkFiles) -> Option<File> {
    let mut options = OpenOptions::new();
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(files.lock());
    match file.and_then(|file| file.try_lock().map(|()| file).map_err(io::Error::from)) {
        Ok(file) => Some(file),
        Err(error) => {
            tracing::debug!(%error, "another process ships, or none can");
            None
        }
    }
}

/// So long, or until it is said when everything has to be over.
async fn wait(pace: &Pace, time: Duration, stopped: &mut Stopped) {
    tokio::select! {
        () = (pace.sleep)(time) => {}
        _ = stopped.changed() => {}
    }
}

async fn time_is_over(mut stopped: Stopped) {
    let deadline = stopped
        .wait_for(Option::is_some)
        .await
        .ok()
        .and_then(|deadline| *deadline);
    sleep_until(deadline.unwrap_or_else(Instant::now)).await;
}

/// How late an event may be sent.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// How late it is seen that who ships has died.
const STANDING_BY: Duration = Duration::from_secs(2);
const TRIES: u32 = 3;
const LONGEST_WAIT_OF_ONCE: Duration = Duration::from_secs(2);
