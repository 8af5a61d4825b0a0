//! The files that the store writes itself, beside SQLite, and the log that it makes durable before it builds on it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
#[cfg(feature = "testing")]
use std::sync::Arc;

/// Bytes of the log that are written again at a time.
const CHUNK: usize = 1 << 20;

/// Sees what the store writes and syncs itself, beside SQLite: for tests that cut the power.
#[cfg(feature = "testing")]
#[doc(hidden)]
pub trait FileProbe: Send + Sync + std::fmt::Debug {
    /// Bytes were written.
    fn wrote(&self, path: &Path, offset: u64, bytes: &[u8]);
    /// A file is synced. An error is that of the sync.
    fn synced(&self, path: &Path) -> io::Result<()>;
}

/// Writes and syncs files.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    #[cfg(feature = "testing")]
    pub(super) probe: Option<Arc<dyn FileProbe>>,
}

impl Files {
    /// Makes durable what stands in the write-ahead log.
    ///
    /// A sync that failed leaves bytes in the cache of the system that are not on the disk, and that no later sync
    /// writes: for the system they are written. SQLite finds the commits among them when it opens the file, takes them
    /// for committed, and appends to them; a power cut then takes them, and with them everything behind. So each byte is
    /// written once more, which makes it a change that the next sync has to write. Whoever reads meanwhile reads the same.
    ///
    /// Returns whether there was a log with anything in it.
    pub(super) fn rewrite_log(&self, database: &Path) -> io::Result<bool> {
        let path = beside(database, "-wal");
        let mut log = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(log) => log,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut chunk = vec![0; CHUNK];
        let mut offset = 0;
        loop {
            log.seek(SeekFrom::Start(offset))?;
            let count = log.read(&mut chunk)?;
            if count == 0 {
                break;
            }
            self.write(&mut log, &path, offset, &chunk[..count])?;
            offset += u64::try_from(count).unwrap_or(0);
        }
        if offset > 0 {
            self.sync(&log, &path)?;
            // Whoever made the log may have failed to make its name durable.
            self.sync_folder(&path)?;
        }
        Ok(offset > 0)
    }

    pub(super) fn write(&self, file: &mut File, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)?;
        self.wrote(path, offset, bytes);
        Ok(())
    }

    #[cfg(feature = "testing")]
    fn wrote(&self, path: &Path, offset: u64, bytes: &[u8]) {
        if let Some(probe) = &self.probe {
            probe.wrote(path, offset, bytes);
        }
    }

    #[cfg(not(feature = "testing"))]
    fn wrote(&self, _: &Path, _: u64, _: &[u8]) {}

    pub(super) fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        #[cfg(feature = "testing")]
        if let Some(probe) = &self.probe {
            return probe.synced(path);
        }
        let _ = path;
        file.sync_all()
    }

    /// Makes the names in the folder of this file durable, where a folder can be synced.
    pub(super) fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let Some(folder) = path.parent().filter(|_| cfg!(unix)) else { return Ok(()) };
        self.sync(&File::open(folder)?, folder)
    }
}

/// The path of a file that belongs to the database.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}
