//! [`Unconfigured`]: sinks that have a cursor, and that the policy does not name.
//!
//! A cursor keeps files of the log until its sink has acknowledged them, and a sink that was taken out of the policy never will. So it
//! is on record which policy files name which sink (`sinks/.policies`). A gate that starts crosses its own file out where that does not
//! name a sink any more; a sink that no file names is *left behind*, and its cursor is set aside, where it keeps nothing. Nothing else of
//! it changes: back in a policy under its name it goes on where it was.
//!
//! Several policy files may share a log, such as those of projects. A gate leaves sinks of other files alone, as long as these exist,
//! and one that somebody ships to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use outwall_audit::segment;
use outwall_policy::audit_sinks::AuditSink;
use serde::{Deserialize, Serialize};

use crate::cursor::{Cursor, CursorError};
use crate::files::{Lasting, SinkFiles, replace, sync_directory_of};
use crate::service::lock;
use crate::state;

/// A sink that has a cursor, and that the policy does not name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unconfigured {
    /// Its name.
    pub name: String,
    /// How many events of the log it has not got. None: its cursor cannot be read.
    pub lag_events: Option<u64>,
    /// Whether the log is kept for it.
    pub standing: Standing,
}

/// Whether the log is kept for a sink that the policy does not name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is: these other policy files name it.
    OfOthers(Vec<String>),
    /// It is, until a gate starts: no policy file names it.
    LeftBehind,
    /// It is not any more.
    SetAside,
}

/// A sink that no policy names, and that nobody ships to as long as this is there.
#[derive(Debug)]
pub struct LeftBehind {
    /// Its name.
    pub name: String,
    /// How many events of the log it has not got. None: its cursor cannot be read.
    pub lag_events: Option<u64>,
    files: SinkFiles,
    _lock: File,
}

/// Why it cannot be told which policy names which sink. Then the log is kept for all of them.
#[derive(Debug, thiserror::Error)]
pub enum ConfiguredError {
    /// The record cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not what we write.
    #[error("`{}` says not which policy has which sink; remove it, and it is written anew by each gate that starts", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
    },
}

/// Which policy files name which sink.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    v: u32,
    sinks: BTreeMap<String, BTreeSet<String>>,
}

/// The sinks of the audit in `directory` that are not among those of the policy in force. Looks at files only.
pub fn unconfigured(
    directory: &Path,
    policy: Option<&Path>,
    sinks: &[AuditSink],
) -> Result<Vec<Unconfigured>, ConfiguredError> {
    let record = Record::read(directory)?.without(policy);
    let segments = segment::list(directory).unwrap_or_default();
    let one = |(name, is_aside): (&String, bool)| {
        let files = SinkFiles::new(directory, name);
        let cursor = Cursor::read(&if is_aside { files.aside() } else { files.cursor() });
        let others = record.sinks.get(name).into_iter().flatten();
        let others: Vec<String> = others.cloned().collect();
        Unconfigured {
            name: name.clone(),
            lag_events: state::lag_events(&segments, cursor),
            standing: match is_aside {
                true => Standing::SetAside,
                false if others.is_empty() => Standing::LeftBehind,
                false => Standing::OfOthers(others),
            },
        }
    };
    let cursors = cursors(directory)?;
    let unnamed = cursors
        .iter()
        .filter(|(name, _)| sinks.iter().all(|sink| sink.name.as_str() != name.as_str()));
    Ok(unnamed.map(|(name, is_aside)| one((name, *is_aside))).collect())
}

/// To be asked by a gate that starts: those that are left behind, now that this policy names these sinks and no others.
pub fn left_behind(
    directory: &Path,
    policy: Option<&Path>,
    sinks: &[AuditSink],
) -> Result<Vec<LeftBehind>, ConfiguredError> {
    if cursors(directory)?.is_empty() {
        return Ok(Vec::new()); // most have no sinks, and get no files because of them
    }
    let _locked = locked(directory)?;
    let mut record = Record::read(directory)?;
    let before = record.sinks.clone();
    let names = |name: &str| sinks.iter().any(|sink| sink.name.as_str() == name);
    for (name, policies) in &mut record.sinks {
        policies.retain(|other| (names(name) || !is(policy, other)) && Path::new(other).exists());
    }
    record.sinks.retain(|_, policies| !policies.is_empty());
    if record.sinks != before {
        record.write(directory)?;
    }
    let unnamed = unconfigured(directory, policy, sinks)?;
    let left = unnamed
        .into_iter()
        .filter(|sink| sink.standing == Standing::LeftBehind);
    let claimed = left.filter_map(|sink| {
        let files = SinkFiles::new(directory, &sink.name);
        Some(LeftBehind {
            _lock: lock(&files)?, // somebody ships to it: by a policy that was in force before
            files,
            name: sink.name,
            lag_events: sink.lag_events,
        })
    });
    Ok(claimed.collect())
}

impl LeftBehind {
    /// Keeps nothing for it from here on.
    pub fn set_aside(self) -> io::Result<()> {
        fs::rename(self.files.cursor(), self.files.aside())?;
        sync_directory_of(&self.files.cursor())
    }
}

/// Puts on record that a policy names these sinks, before they have cursors.
pub(crate) fn name(
    directory: &Path,
    policy: Option<&Path>,
    sinks: &[AuditSink],
) -> Result<(), ConfiguredError> {
    let Some(policy) = policy.filter(|_| !sinks.is_empty()) else {
        return Ok(());
    };
    let _locked = locked(directory)?;
    let mut record = Record::read(directory)?;
    let mut is_new = false;
    for sink in sinks {
        let policies = record.sinks.entry(sink.name.to_string()).or_default();
        is_new |= policies.insert(written(policy));
    }
    if is_new {
        record.write(directory)?;
    }
    Ok(())
}

impl Record {
    fn read(directory: &Path) -> Result<Self, ConfiguredError> {
        let path = place(directory);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(ConfiguredError::Io { path, source }),
        };
        let read: Option<Self> = serde_json::from_slice(&text).ok();
        read.filter(|record| record.v == VERSION)
            .ok_or(ConfiguredError::Unreadable { path })
    }

    fn write(&mut self, directory: &Path) -> Result<(), ConfiguredError> {
        self.v = VERSION;
        let path = place(directory);
        let text = serde_json::to_vec(self).expect("maps of text are JSON");
        replace(&path, &text, Lasting::Yes).map_err(|source| ConfiguredError::Io { path, source })
    }

    /// As the other files that exist have it.
    fn without(mut self, policy: Option<&Path>) -> Self {
        for policies in self.sinks.values_mut() {
            policies.retain(|other| !is(policy, other) && Path::new(other).exists());
        }
        self
    }
}

/// The names of all cursors, and whether they are set aside. One that is set aside beside another of its name is an old one.
fn cursors(directory: &Path) -> Result<BTreeMap<String, bool>, ConfiguredError> {
    let path = directory.join("sinks");
    let in_directory = |source| ConfiguredError::Io {
        path: path.clone(),
        source,
    };
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(in_directory(error)),
    };
    let mut cursors = BTreeMap::new();
    for entry in entries {
        let file = entry.map_err(in_directory)?.file_name();
        let file = file.to_string_lossy();
        if file.starts_with('.') {
            continue;
        }
        if let Some(name) = file.strip_suffix(".json") {
            cursors.insert(name.to_owned(), false);
        } else if let Some(name) = file.strip_suffix(".json.aside") {
            cursors.entry(name.to_owned()).or_insert(true);
        }
    }
    Ok(cursors)
}

/// Held while the record is read and written.
fn locked(directory: &Path) -> Result<File, ConfiguredError> {
    let path = directory.join("sinks/.policies.lock");
    let locked = || {
        SinkFiles::new(directory, "").make_directory()?;
        let mut options = OpenOptions::new();
        let file = options
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        file.lock()?;
        Ok(file)
    };
    locked().map_err(|source| ConfiguredError::Io {
        path: path.clone(),
        source,
    })
}

fn place(directory: &Path) -> PathBuf {
    directory.join("sinks/.policies")
}

fn written(policy: &Path) -> String {
    let whole = std::path::absolute(policy);
    whole.as_deref().unwrap_or(policy).to_string_lossy().into_owned()
}

fn is(policy: Option<&Path>, other: &str) -> bool {
    policy.is_some_and(|policy| written(policy) == other)
}

/// Moves a cursor back that was set aside, if one was.
pub(crate) fn take_back(files: &SinkFiles) -> Result<(), CursorError> {
    let path = files.aside();
    let moved = fs::rename(&path, files.cursor()).and_then(|()| sync_directory_of(&path));
    match moved {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CursorError::Io { path, source: error }),
        Ok(()) | Err(_) => Ok(()),
    }
}

const VERSION: u32 = 1;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use outwall_policy::{Policy, PolicyDocument};

    use super::*;

    struct Place {
        directory: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            for policy in ["one.toml", "other.toml"] {
                fs::write(directory.path().join(policy), "").unwrap();
            }
            Self { directory }
        }

        fn policy(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        /// As a gate by this policy file does that names these sinks: what it is told is left behind, and sets aside.
        fn start(&self, policy: &str, names: &[&str]) -> Vec<String> {
            let (path, sinks) = (self.policy(policy), sinks(names));
            let left = left_behind(self.directory.path(), Some(&path), &sinks).unwrap();
            name(self.directory.path(), Some(&path), &sinks).unwrap();
            for sink in &sinks {
                Cursor::open(&self.files(sink.name.as_str())).unwrap();
            }
            left.into_iter()
                .map(|sink| {
                    let name = sink.name.clone();
                    sink.set_aside().unwrap();
                    name
                })
                .collect()
        }

        fn files(&self, name: &str) -> SinkFiles {
            SinkFiles::new(self.directory.path(), name)
        }

        fn standing(&self, policy: &str) -> Vec<Standing> {
            let path = self.policy(policy);
            let all = unconfigured(self.directory.path(), Some(&path), &[]).unwrap();
            all.into_iter().map(|sink| sink.standing).collect()
        }
    }

    fn sinks(names: &[&str]) -> Vec<AuditSink> {
        let one =
            |name: &&str| format!("[[audit.sinks]]\nname = \"{name}\"\nkind = \"file\"\npath = \"{name}\"\n");
        let text: String = names.iter().map(one).collect();
        let policy = Policy::compile(&PolicyDocument::parse(&text, "t").unwrap()).unwrap();
        policy.audit().sinks.clone()
    }

    #[test]
    fn a_sink_that_its_policy_does_not_name_any_more_is_set_aside_and_no_other() {
        let place = Place::new();
        assert_eq!(place.start("one.toml", &["siem", "archive"]), [""; 0]);
        assert_eq!(place.start("one.toml", &["siem"]), ["archive"]);
        assert!(place.files("archive").aside().exists() && !place.files("archive").cursor().exists());
        assert!(place.files("siem").cursor().exists());
        assert_eq!(place.start("one.toml", &["siem"]), [""; 0], "once");
    }

    #[test]
    fn a_sink_of_another_policy_file_is_left_alone_as_long_as_that_names_it() {
        let place = Place::new();
        place.start("one.toml", &["siem"]);
        place.start("other.toml", &["siem"]);
        assert_eq!(place.start("other.toml", &[]), [""; 0]);
        let one = place.policy("one.toml").display().to_string();
        assert_eq!(place.standing("other.toml"), [Standing::OfOthers(vec![one])]);
        assert_eq!(place.standing("one.toml"), [Standing::LeftBehind]);
        assert_eq!(place.start("one.toml", &[]), ["siem"]);
        assert_eq!(place.standing("one.toml"), [Standing::SetAside]);
    }

    #[test]
    fn a_policy_file_that_is_gone_names_nothing() {
        let place = Place::new();
        place.start("one.toml", &["siem"]);
        assert_eq!(place.start("other.toml", &[]), [""; 0]);
        fs::remove_file(place.policy("one.toml")).unwrap();
        assert_eq!(place.start("other.toml", &[]), ["siem"]);
    }

    #[test]
    fn one_that_somebody_ships_to_is_left_alone_until_they_end() {
        let place = Place::new();
        place.start("one.toml", &["siem"]);
        let shipping = lock(&place.files("siem")).unwrap();
        assert_eq!(place.start("one.toml", &[]), [""; 0]);
        drop(shipping);
        assert_eq!(place.start("one.toml", &[]), ["siem"]);
    }

    #[test]
    fn back_in_a_policy_it_goes_on_where_it_was() {
        let place = Place::new();
        place.start("one.toml", &["siem"]);
        let mut cursor = Cursor::open(&place.files("siem")).unwrap();
        cursor.positions.insert("a".into(), 7);
        cursor.save(&place.files("siem")).unwrap();
        assert_eq!(place.start("one.toml", &[]), ["siem"]);
        place.start("one.toml", &["siem"]);
        assert_eq!(Cursor::open(&place.files("siem")).unwrap(), cursor);
        assert!(!place.files("siem").aside().exists());
    }

    #[test]
    fn a_record_that_cannot_be_read_sets_nothing_aside() {
        let place = Place::new();
        place.start("one.toml", &["siem"]);
        for text in ["", "{}", r#"{"v":2,"sinks":{}}"#] {
            fs::write(super::place(place.directory.path()), text).unwrap();
            let left = left_behind(place.directory.path(), None, &[]);
            assert!(matches!(left, Err(ConfiguredError::Unreadable { .. })), "{text}");
        }
        assert!(place.files("siem").cursor().exists());
    }
}
