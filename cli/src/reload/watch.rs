//! The thread that sees that a file changed, and that a grant's time is over.
//!
//! inotify tells at once; a look every two seconds tells for certain: network filesystems send no events, and a machine with
//! many watchers has none to give. What happens to other files in the same directories wakes the thread, at most ten times a
//! second, and costs a look: a sandbox may write there.

use std::collections::BTreeSet;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::Reloader;
use super::watched::Watched;

/// Ends the thread when dropped.
pub(crate) struct Watch {
    bell: Arc<Bell>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Wakes the thread.
pub(crate) struct Bell {
    descriptor: OwnedFd,
    reload: AtomicBool,
    end: AtomicBool,
}

/// Between looks that nothing asks for.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Between looks that events ask for.
const PACE: Duration = Duration::from_millis(100);
/// For so long nothing must have changed before a change is believed to be whole.
const QUIET: Duration = Duration::from_millis(100);
/// A file that is written all the time is read all the same: a sandbox may be who writes.
const MOST_QUIETS: u32 = 20;
/// A file that is missing or wrong is looked at once more after this long: it may be between two states of somebody's editor.
pub(super) const SECOND_LOOK: Duration = Duration::from_millis(300);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            descriptor: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            reload: AtomicBool::new(false),
            end: AtomicBool::new(false),
        })
    }

    /// Asks for a reload whether or not anything changed.
    pub(crate) fn reload(&self) {
        self.reload.store(true, Ordering::Release);
        self.ring();
    }

    /// Something that the thread waits for may come sooner: a grant with a time.
    pub(crate) fn ring(&self) {
        let _ = rustix::io::write(&self.descriptor, &1_u64.to_ne_bytes()); // full: it rings already
    }

    /// Waits, or until it rings.
    fn pause(&self, span: Duration) {
        if !span.is_zero() {
            let _ = poll(
                &mut [PollFd::new(&self.descriptor, PollFlags::IN)],
                Some(&timespec(span)),
            );
        }
    }

    fn silence(&self) {
        let _ = rustix::io::read(&self.descriptor, &mut [0_u8; 8]);
    }
}

impl Watch {
    pub(crate) fn start(reloader: Arc<Reloader>) -> io::Result<Self> {
        let bell = Arc::clone(reloader.bell());
        let mut watching = Watching {
            events: Events::new(),
            seen: Watched::default(),
            reloader,
        };
        let thread = thread::Builder::new()
            .name("outwall-reload".to_owned())
            .spawn(move || watching.run())?;
        Ok(Self {
            bell,
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bell.end.store(true, Ordering::Release);
        self.bell.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn timespec(span: Duration) -> Timespec {
    Timespec {
        tv_sec: span.as_secs().cast_signed(),
        tv_nsec: span.subsec_nanos().into(),
    }
}

struct Watching {
    reloader: Arc<Reloader>,
    events: Events,
    seen: Watched,
}

impl Watching {
    fn run(&mut self) {
        let bell = Arc::clone(self.reloader.bell());
        self.look();
        self.reloader.look_again(); // something may have changed since the gate was made
        while !bell.end.load(Ordering::Acquire) {
            self.events.watch(&self.seen);
            let began = Instant::now();
            self.wait(&bell);
            if bell.end.load(Ordering::Acquire) {
                return;
            }
            self.reloader.expire_grants();
            if bell.reload.swap(false, Ordering::AcqRel) {
                self.look();
                self.reloader.reload();
            } else if self.changed(&bell) {
                self.reloader.look_again();
            }
            bell.pause(PACE.saturating_sub(began.elapsed()));
        }
    }

    /// Always before files are read: what changes while they are is then seen at the next look.
    fn look(&mut self) {
        self.seen = Watched::look_at(&self.reloader.paths());
    }

    /// Until an event, the bell, the end of a grant, or the time for a look.
    fn wait(&self, bell: &Bell) {
        let patience = self
            .reloader
            .next_expiry()
            .map_or(LOOK_EVERY, |next| next.min(LOOK_EVERY));
        let patience = timespec(patience);
        let mut waited = vec![PollFd::new(&bell.descriptor, PollFlags::IN)];
        if let Some(events) = &self.events.descriptor {
            waited.push(PollFd::from_borrowed_fd(events.as_fd(), PollFlags::IN));
        }
        if poll(&mut waited, Some(&patience)).is_err() {
            thread::sleep(PACE);
        }
        bell.silence();
        self.events.drain();
    }

    /// Whether anything is different from the last look; when it is, waits until it has been the same for a while.
    fn changed(&mut self, bell: &Bell) -> bool {
        let paths = self.reloader.paths();
        let mut now = Watched::look_at(&paths);
        if now == self.seen {
            return false;
        }
        for _ in 0..MOST_QUIETS {
            thread::sleep(QUIET);
            let later = Watched::look_at(&paths);
            if later == now || bell.end.load(Ordering::Acquire) {
                break;
            }
            now = later;
        }
        self.seen = now;
        true
    }
}

/// inotify on some directories, where there is any to have.
struct Events {
    descriptor: Option<OwnedFd>,
    directories: BTreeSet<PathBuf>,
}

impl Events {
    fn new() -> Self {
        Self {
            descriptor: None,
            directories: BTreeSet::new(),
        }
    }

    /// Starts over when the directories are others: one instance has no watches left of earlier ones.
    fn watch(&mut self, watched: &Watched) {
        let directories = watched.directories();
        if directories == self.directories {
            return;
        }
        self.descriptor = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        if let Some(descriptor) = &self.descriptor {
            for directory in &directories {
                if let Err(error) = inotify::add_watch(descriptor, directory, INTERESTING) {
                    tracing::debug!(directory = %directory.display(), %error, "changes are seen later here");
                }
            }
        }
        self.directories = directories;
    }

    fn drain(&self) {
        let Some(descriptor) = &self.descriptor else {
            return;
        };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(descriptor, &mut buffer);
        for _ in 0..MOST_EVENTS {
            if reader.next().is_err() {
                return;
            }
        }
    }
}

/// Read at one waking; a flood goes on at the next.
const MOST_EVENTS: u32 = 4096;
const INTERESTING: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);
