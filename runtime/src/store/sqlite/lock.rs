//! The locks of the operating system that keep a second runtime away, in this process and in others.
//!
//! `<name>.lock` is locked on every system. On Linux, the database file itself is locked too. That lock belongs to the
//! device and inode of the file, so neither a hard link nor a bind mount nor a deleted lock file gets around it. (On
//! other systems, such a lock would keep SQLite from its own file.)

use std::cell::Cell;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::errors::file_error;
use super::files::beside;
use super::owned::OwnedFile;
use crate::store::OpenError;

/// The pause between two attempts to get the lock.
const RETRY: Duration = Duration::from_millis(5);

/// The locks, held until this is dropped. A process that is killed loses them too.
#[derive(Debug)]
pub(super) struct FileLock {
    file: File,
    path: PathBuf,
    database: OwnedFile,
    /// The write-ahead log that was seen first.
    log: Cell<Option<Identity>>,
}

/// Identifies a file, whatever its name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl FileLock {
    /// Locks `<database>.lock` and the database, and waits up to `wait` for an owner that is about to release them. If
    /// the lock file of a store was deleted, its former lock keeps the database locked until there is a new one.
    pub(super) fn acquire(database: &Path, wait: Duration, former: &mut Option<Self>) -> Result<Self, OpenError> {
        let store = database.display().to_string();
        if let Some(detail) = former.as_ref().and_then(Self::displaced) {
            return Err(OpenError::Failed { store, detail });
        }
        let path = beside(database, ".lock");
        let deadline = Instant::now() + wait;
        let file = loop {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let file = file.map_err(|e| file_error(&store, &e))?;
            match file.try_lock() {
                // If the file was deleted in between, another process may already have locked a new one.
                Ok(()) if is_at(&file, &path) => break file,
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Err(OpenError::InUse { store }),
                Err(TryLockError::WouldBlock) => std::thread::sleep(RETRY),
                Err(TryLockError::Error(error)) => return Err(file_error(&store, &error)),
            }
        };
        let database = match former.take() {
            Some(former) => former.database,
            None => loop {
                match OwnedFile::acquire(database).map_err(|e| file_error(&store, &e))? {
                    Some(owned) => break owned,
                    None if Instant::now() >= deadline => return Err(OpenError::InUse { store }),
                    None => std::thread::sleep(RETRY),
                }
            },
        };
        Ok(Self { file, path, database, log: Cell::new(None) })
    }

    /// Returns whether the locked files are still the files that another process would lock.
    pub(super) fn is_in_place(&self) -> bool {
        is_at(&self.file, &self.path) && self.displaced().is_none()
    }

    /// Returns why nothing may be written: the database or its log was deleted, renamed or replaced, so what is written
    /// now would be in a file that nobody finds again.
    pub(super) fn displaced(&self) -> Option<String> {
        self.database.displaced().or_else(|| {
            let path = beside(self.database.path(), "-wal");
            let seen = Identity::at(&path);
            match self.log.get() {
                Some(log) if seen != Some(log) => Some(displaced(&path, seen)),
                _ => {
                    self.log.set(seen);
                    None
                }
            }
        })
    }

    /// Records that the database is opened again, which may give it another log.
    pub(super) fn opens_log(&self) {
        self.log.set(None);
    }
}

/// Returns the message about a file that is no longer at its path, or that was replaced by another one.
pub(super) fn displaced(path: &Path, seen: Option<Identity>) -> String {
    let what = match seen {
        Some(_) => "another file has taken the place of",
        None => "somebody has deleted or renamed",
    };
    format!("{what} `{}` while it was in use: put the original back, or stop this process", path.display())
}

fn is_at(file: &File, path: &Path) -> bool {
    match file.metadata() {
        Ok(metadata) => !cfg!(unix) || Identity::at(path) == Some(Identity::of(&metadata)),
        Err(_) => false,
    }
}

impl Identity {
    /// Returns the identity of the file at this path.
    pub(super) fn at(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|metadata| Self::of(&metadata))
    }

    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// On this system, a file that is in use can neither be deleted nor renamed.
    #[cfg(not(unix))]
    pub(super) fn of(_: &Metadata) -> Self {
        Self { device: 0, inode: 0 }
    }
}
