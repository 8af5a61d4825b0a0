//! The database file as it is owned: locked by device and inode, and known whatever happens to its name.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lock::{Identity, displaced};
/// The database files that stores of this process own.
///
/// It is looked at before such a file is opened: when a process closes any handle of a file, the system drops all record
/// locks that the process holds on that file, and with them those of SQLite.
static OWNED: Mutex<BTreeSet<Identity>> = Mutex::new(BTreeSet::new());

/// A database file that is owned until this is dropped, which must be after the last connection is closed.
#[derive(Debug)]
pub(super) struct OwnedFile {
    /// `None` where the lock would keep SQLite from its own file, and while it is dropped.
    file: Option<File>,
    path: PathBuf,
    identity: Identity,
}

impl OwnedFile {
    /// Creates the file if there is none. `None` while somebody else owns it.
    pub(super) fn acquire(path: &Path) -> io::Result<Option<Self>> {
        let mut owned = owned();
        if Identity::at(path).is_some_and(|identity| cfg!(unix) && owned.contains(&identity)) {
            return Ok(None);
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let identity = Identity::of(&file.metadata()?);
        if !cfg!(target_os = "linux") {
            refuse_links(&file)?;
            return Ok(Some(Self { file: None, path: path.to_owned(), identity }));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        refuse_links(&file)?;
        owned.insert(identity);
        Ok(Some(Self { file: Some(file), path: path.to_owned(), identity }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Says so when another file is at the path, or none.
    pub(super) fn displaced(&self) -> Option<String> {
        let seen = Identity::at(&self.path);
        (seen != Some(self.identity)).then(|| displaced(&self.path, seen))
    }
}

impl Drop for OwnedFile {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        let mut owned = owned();
        // Unlocked by hand: a child that was forked meanwhile holds the same lock.
        if let Err(error) = file.unlock() {
            tracing::warn!(%error, "the database could not be unlocked; closing it does the same");
        }
        drop(file);
        owned.remove(&self.identity);
    }
}

/// Refuses a file with several names: each has a write-ahead log of its own, and what is acknowledged by one name is
/// missing by the other.
#[cfg(unix)]
fn refuse_links(file: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    match file.metadata()?.nlink() {
        0 | 1 => Ok(()),
        links => Err(io::Error::other(format!(
            "the file has {links} names (hard links), and each would have a write-ahead log of its own: delete the others, \
             or make a copy"
        ))),
    }
}

#[cfg(not(unix))]
fn refuse_links(_: &File) -> io::Result<()> {
    Ok(())
}

fn owned() -> MutexGuard<'static, BTreeSet<Identity>> {
    OWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use std::process::{Command, Stdio};

    #[cfg(target_os = "linux")]
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn b09_a_forked_child_does_not_hold_the_lock_longer_than_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let owned = OwnedFile::acquire(&path).unwrap().unwrap();
        // The child gets the same open file, lock included, as one that was forked does.
        let inherited = owned.file.as_ref().unwrap().try_clone().unwrap();
        let mut child =
            Command::new("sleep").arg("600").stdin(Stdio::from(inherited)).stdout(Stdio::null()).spawn().unwrap();
        assert!(OwnedFile::acquire(&path).unwrap().is_none());
        drop(owned);
        let again = OwnedFile::acquire(&path).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(again.is_some());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_is_owned_is_not_opened_a_second_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let first = OwnedFile::acquire(&path).unwrap().unwrap();
        assert!(owned().contains(&first.identity));
        assert!(OwnedFile::acquire(&path).unwrap().is_none());
        let identity = first.identity;
        drop(first);
        assert!(!owned().contains(&identity));
    }
}
