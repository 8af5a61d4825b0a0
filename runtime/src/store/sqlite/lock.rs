//! The operating system's lock that keeps a second runtime away, in this process and in others.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::errors::file_error;
use super::files::beside;
use crate::store::OpenError;

/// Between two attempts to get the lock.
const RETRY: Duration = Duration::from_millis(5);

/// The lock, held until this is dropped. A process that is killed loses it too.
#[derive(Debug)]
pub(super) struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Locks `<database>.lock`; waits up to `wait` for an owner that is on its way out.
    pub(super) fn acquire(database: &Path, wait: Duration) -> Result<Self, OpenError> {
        let store = database.display().to_string();
        let path = beside(database, ".lock");
        let deadline = Instant::now() + wait;
        loop {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let lock = Self { file: file.map_err(|e| file_error(&store, &e))?, path: path.clone() };
            match lock.file.try_lock() {
                // Whoever deleted the file in between let others lock a new one.
                Ok(()) if lock.is_in_place() => return Ok(lock),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Err(OpenError::InUse { store }),
                Err(TryLockError::WouldBlock) => std::thread::sleep(RETRY),
                Err(TryLockError::Error(error)) => return Err(file_error(&store, &error)),
            }
        }
    }

    /// Whether the file that is locked is still the one that others would lock.
    #[cfg(unix)]
    pub(super) fn is_in_place(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        match (self.file.metadata().map(identity), std::fs::metadata(&self.path).map(identity)) {
            (Ok(held), Ok(found)) => held == found,
            _ => false,
        }
    }

    /// Whether the file that is locked is still the one that others would lock. Here a file in use cannot be deleted.
    #[cfg(not(unix))]
    pub(super) fn is_in_place(&self) -> bool {
        true
    }
}
