//! What a run keeps outside its sandbox, and how it goes away, also after a death that let nobody clean up.
//!
//! A run directory `state/run/ID` holds a lock that the kernel releases with its owner, and the list of what else was made: places held in the working
//! directory, control groups. Mounts need no list: they live in the sandbox's mount namespace and vanish with it.
//!
//! A held place is removed when no living run uses the directory it is in: removing what another sandbox has mounted over would take its protection away.
//! So every run holds a shared lock on each directory that it can write to, and whoever removes a place there has it alone. The locks are the kernel's, so
//! runs of other users and with other state directories count too. Until then `state/run/places.json` remembers the place.
//! Start with [`RunDirectory`] and [`sweep`].

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use outwall_policy::SandboxId;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::control_group;
use crate::layout::Placeholder;
use crate::spec::Limits;

/// Why a run's own files cannot be made.
#[derive(Debug, Error)]
#[error("cannot write `{}` for this run", path.display())]
pub struct RunDirectoryError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// What was made for a run outside its sandbox.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Made {
    /// The directories that the sandbox can write to.
    uses: Vec<PathBuf>,
    places: Vec<(PathBuf, Option<String>)>,
    control_groups: Vec<PathBuf>,
}

/// An empty directory, or a file with what it holds, that was made to be mounted over.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    /// The directory that whoever mounts over it uses.
    used: PathBuf,
    path: PathBuf,
    contents: Option<String>,
}

/// The directory of a living run. Dropping it undoes everything that it lists.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    path: PathBuf,
    made: Made,
    /// Held for as long as the run lives.
    lock: File,
    /// The shared locks on the directories that the sandbox can write to.
    uses: Vec<File>,
}

/// How long to wait for somebody who removes places in a directory, which takes them far less.
const PATIENCE: Duration = Duration::from_secs(2);

impl RunDirectory {
    /// Makes the directory of the run `id`, which can write to the directories `uses`. From here on no other run removes places in those.
    pub(crate) fn create(state: &Path, id: SandboxId, uses: Vec<PathBuf>) -> Result<Self, RunDirectoryError> {
        use std::os::unix::fs::DirBuilderExt;
        let path = state.join("run").join(id.to_string());
        let failed = |source| RunDirectoryError {
            path: path.clone(),
            source,
        };
        let make = |path: &Path| fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        make(&state.join("run")).map_err(failed)?;
        // A sweep must not take the directory for a dead run's before we have locked it.
        let registry = registry(&state.join("run")).map_err(failed)?;
        make(&path).map_err(failed)?;
        let lock = lock(&path).map_err(failed)?;
        let uses: Vec<PathBuf> = uses.into_iter().filter(|path| path.is_dir()).collect();
        let mut run = Self {
            path,
            made: Made {
                uses,
                ..Made::default()
            },
            lock,
            uses: Vec::new(),
        };
        run.list()?;
        drop(registry);
        for path in &run.made.uses {
            let lock = share(path).map_err(|source| RunDirectoryError {
                path: path.clone(),
                source,
            })?;
            run.uses.push(lock);
        }
        Ok(run)
    }

    /// Makes what must exist in the working directory to be mounted over, where nothing is.
    pub(crate) fn hold_places(&mut self, places: &[Placeholder]) -> Result<(), RunDirectoryError> {
        if places.is_empty() {
            return Ok(());
        }
        // Listed first: a death in between leaves names on the list that do not exist, never the other way round.
        self.made.places = places
            .iter()
            .map(|place| (place.path.clone(), place.contents.map(str::to_owned)))
            .collect();
        self.list()?;
        for place in places {
            hold(place).map_err(|source| RunDirectoryError {
                path: place.path.clone(),
                source,
            })?;
        }
        Ok(())
    }

    /// Makes control groups for the sandbox, where the host lets us and a limit is asked for.
    pub(crate) fn join_control_groups(&mut self, id: SandboxId, limits: Limits) -> Vec<PathBuf> {
        let made = control_group::make(id, limits);
        self.made.control_groups.clone_from(&made);
        if !made.is_empty() {
            drop(self.list()); // without the list they are removed all the same unless we are killed
        }
        made
    }

    fn list(&self) -> Result<(), RunDirectoryError> {
        let path = self.path.join("made.json");
        let text = serde_json::to_vec(&self.made).expect("paths of a checked spec are UTF-8");
        fs::write(&path, text).map_err(|source| RunDirectoryError { path, source })
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        self.uses.clear();
        if let Some(runs) = self.path.parent()
            && let Ok(_registry) = registry(runs)
        {
            undo(runs, &self.made);
        }
        fs::remove_dir_all(&self.path).ok();
        flock(&self.lock, FlockOperation::Unlock).ok();
    }
}

/// The lock that one holds to look at all runs together.
fn registry(runs: &Path) -> io::Result<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(runs.join("registry.lock"))?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

fn lock(directory: &Path) -> io::Result<File> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(directory.join("lock"))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// Makes a place as whoever owns the directory it is in.
fn hold(place: &Placeholder) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, lchown};
    let made = match place.contents {
        Some(contents) => File::options()
            .create_new(true)
            .write(true)
            .open(&place.path)
            .and_then(|mut file| io::Write::write_all(&mut file, contents.as_bytes())),
        None => fs::create_dir(&place.path),
    };
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    let owner = place.path.parent().map(fs::metadata).transpose()?;
    if let Some(owner) = owner.filter(|_| rustix::process::geteuid().is_root()) {
        lchown(&place.path, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// Says that a run uses `directory`: nobody removes places in it until the lock is closed.
fn share(directory: &Path) -> io::Result<File> {
    let file = File::open(directory)?;
    let began = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Err(Errno::WOULDBLOCK) if began.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(Errno::WOULDBLOCK) => {
                return Err(io::Error::other("another program keeps a lock on this directory"));
            }
            // Without a lock; where there are none, nobody has a directory alone either, and nothing is removed.
            Ok(()) | Err(_) => return Ok(file),
        }
    }
}

/// A lock that says that no run uses `directory`, or nothing when one does. A directory that is gone has nothing to be removed from.
fn alone(directory: &Path) -> Option<File> {
    let file = File::open(directory).ok()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(file)
}

/// Removes what was made by a run, and places of earlier ones that nobody uses any more. The caller holds the registry of `runs`.
fn undo(runs: &Path, made: &Made) {
    control_group::remove(&made.control_groups);
    let remembered = runs.join("places.json");
    let mut places: Vec<Place> = read(&remembered);
    if places.is_empty() && made.places.is_empty() {
        return;
    }
    places.extend(made.places.iter().map(|(path, contents)| Place {
        used: used_for(path, &made.uses),
        path: path.clone(),
        contents: contents.clone(),
    }));
    let mut locks: HashMap<PathBuf, Option<File>> = HashMap::new();
    let (free, kept): (Vec<Place>, Vec<Place>) = places.into_iter().partition(|place| {
        let lock = locks.entry(place.used.clone());
        lock.or_insert_with_key(|used| alone(used)).is_some() || !place.used.exists()
    });
    free.iter().rev().for_each(remove);
    if kept.is_empty() {
        fs::remove_file(&remembered).ok();
    } else {
        let text = serde_json::to_vec(&kept).expect("paths of a checked spec are UTF-8");
        fs::write(&remembered, text).ok(); // what is forgotten is an empty directory
    }
}

/// The innermost of the directories `uses` that `path` is in: every run that mounts over `path` uses that one.
fn used_for(path: &Path, uses: &[PathBuf]) -> PathBuf {
    let around = uses.iter().filter(|used| path.starts_with(used));
    around
        .max_by_key(|used| used.components().count())
        .cloned()
        .unwrap_or_default()
}

/// Removes a place, if it is as it was made.
fn remove(Place { path, contents, .. }: &Place) {
    match contents {
        // A directory that holds something is somebody's by now, and is not removed.
        None => fs::remove_dir(path).ok(),
        Some(contents) => {
            let is_file = fs::symlink_metadata(path).is_ok_and(|file| file.is_file());
            let ours = is_file && fs::read_to_string(path).is_ok_and(|text| text == *contents);
            ours.then(|| fs::remove_file(path).ok()).flatten()
        }
    };
}

/// A list, or an empty one where there is none.
fn read<T: Default + serde::de::DeserializeOwned>(path: &Path) -> T {
    fs::read(path)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}

/// What [`sweep`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Runs whose owner died without cleaning up, and which are gone.
    pub removed: usize,
    /// Runs that live.
    pub living: usize,
}

/// Removes what killed runs left behind in `state_dir`; what belongs to living ones stays.
pub fn sweep(state_dir: &Path) -> io::Result<Swept> {
    let mut swept = Swept::default();
    let runs = state_dir.join("run");
    let entries = match fs::read_dir(&runs) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(swept),
        entries => entries?,
    };
    let _registry = registry(&runs)?;
    for directory in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
    {
        // Locked by its owner: alive. We hold the lock while removing, so that two sweeps do not meet.
        let Ok(_lock) = lock(&directory) else {
            swept.living += 1;
            continue;
        };
        undo(&runs, &read(&directory.join("made.json")));
        fs::remove_dir_all(&directory)?;
        swept.removed += 1;
    }
    undo(&runs, &Made::default()); // what was remembered while somebody else used its directory
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> SandboxId {
        SandboxId::from_random([1, 2, 3, 4])
    }

    #[test]
    fn a_killed_run_is_swept_and_a_living_one_is_not() {
        let state = tempfile::tempdir().expect("a directory");
        let project = tempfile::tempdir().expect("a directory");
        let place = project.path().join("held");
        let mut run =
            RunDirectory::create(state.path(), id(), vec![project.path().to_owned()]).expect("a run");
        run.hold_places(&[Placeholder {
            path: place.clone(),
            contents: None,
        }])
        .expect("places");
        assert_eq!(
            sweep(state.path()).expect("swept"),
            Swept {
                removed: 0,
                living: 1
            }
        );
        assert!(place.exists());
        // As its owner's death leaves it: nothing undone, and the lock let go by the kernel.
        let run = std::mem::ManuallyDrop::new(run);
        for lock in run.uses.iter().chain([&run.lock]) {
            flock(lock, FlockOperation::Unlock).expect("unlocked");
        }
        assert_eq!(
            sweep(state.path()).expect("swept"),
            Swept {
                removed: 1,
                living: 0
            }
        );
        assert!(!place.exists());
    }

    #[test]
    fn a_place_stays_while_another_living_run_uses_its_directory_whatever_its_state_directory() {
        let state = tempfile::tempdir().expect("a directory");
        let project = tempfile::tempdir().expect("a directory");
        let uses = || vec![project.path().to_owned()];
        let place = project.path().join("held");
        let mut first = RunDirectory::create(state.path(), id(), uses()).expect("a run");
        first
            .hold_places(&[Placeholder {
                path: place.clone(),
                contents: None,
            }])
            .expect("places");
        let other_state = tempfile::tempdir().expect("a directory");
        let second =
            RunDirectory::create(other_state.path(), SandboxId::from_random([9; 4]), uses()).expect("a run");
        drop(first);
        assert!(place.exists());
        assert_eq!(sweep(state.path()).expect("swept"), Swept::default());
        assert!(place.exists());
        drop(second);
        assert_eq!(sweep(state.path()).expect("swept"), Swept::default());
        assert!(!place.exists(), "remembered until nobody uses the directory");
    }

    #[test]
    fn many_runs_begin_and_end_in_one_directory_at_once() {
        let states = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        let project = tempfile::tempdir().expect("a directory");
        let place = project.path().join("held");
        std::thread::scope(|scope| {
            for number in 0..8_u8 {
                let (state, place) = (states[usize::from(number % 2)].path(), &place);
                scope.spawn(move || {
                    for _ in 0..20 {
                        sweep(state).expect("swept");
                        let id = SandboxId::from_random([number; 4]);
                        let uses = vec![place.parent().expect("a project").to_owned()];
                        let mut run = RunDirectory::create(state, id, uses).expect("a run");
                        let held = Placeholder {
                            path: place.clone(),
                            contents: None,
                        };
                        run.hold_places(&[held]).expect("places");
                        assert!(place.exists());
                    }
                });
            }
        });
        for state in &states {
            sweep(state.path()).expect("swept");
        }
        assert!(!place.exists());
    }
}
