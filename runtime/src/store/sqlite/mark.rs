//! The last durable position in the write-ahead log, kept outside of it.
//!
//! A log ends for SQLite where the first frame does not fit its checksum. One flipped bit therefore takes every commit behind
//! it, without a word. The file `<name>.mark` says how far the log reached when the last commit was acknowledged, so that a
//! log that ends before is refused.
//!
//! The mark is written after the sync of the commit and is never synced itself. What it says was therefore durable before it
//! was written, whatever a power cut leaves of it: an old mark says less than is there, and never more. Before the log is
//! emptied or deleted, the mark is cleared, and that is synced.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::files::{Files, beside};
use super::wal_scan::{self, Position, Salts};

/// The beginning of a mark, and the version of its form.
const MAGIC: [u8; 8] = *b"PRSVMRK1";
/// The bytes of a mark: magic, salts, frames, commits, checksum. They lie within one sector, so they are not torn.
const LENGTH: usize = 36;

/// Writes the mark of one database.
#[derive(Debug)]
pub(super) struct Mark {
    files: Files,
    file: File,
    path: PathBuf,
    log: PathBuf,
    position: Position,
    /// Whether the log may have begun again, so that its salts must be read before the next mark.
    restarted: Arc<AtomicBool>,
    failed: bool,
}

/// What the log lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shortened {
    pub(super) missing: u64,
    pub(super) why: &'static str,
}

/// Compares the log with the mark, before SQLite reads it.
///
/// Returns what is missing, if acknowledged commits are.
pub(super) fn check(database: &Path) -> io::Result<Result<(), Shortened>> {
    let log = wal_scan::scan(&beside(database, "-wal"))?;
    let Some(mark) = read(&beside(database, ".mark"))? else { return Ok(Ok(())) };
    let lost = |missing, why| Ok(Err(Shortened { missing, why }));
    match log {
        // Another program may have copied the log and removed it, and then the shared memory is gone with it.
        None if beside(database, "-shm").exists() && !beside(database, "-wal").exists() => {
            lost(mark.commits, "the write-ahead log is missing")
        }
        None if is_empty(&beside(database, "-wal"))? => Ok(Ok(())),
        None => lost(mark.commits, "the header of the write-ahead log is damaged"),
        Some(log) if log.salts == mark.salts && log.frames < mark.frames => {
            lost(mark.commits.saturating_sub(log.commits).max(1), "a frame of the write-ahead log is damaged")
        }
        Some(log) if log.salts == mark.salts || log.salts.follows(mark.salts) => Ok(Ok(())),
        Some(_) => lost(mark.commits, "the write-ahead log is another one"),
    }
}

fn is_empty(path: &Path) -> io::Result<bool> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len() == 0),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Reads a mark. `None` if there is none, or if it was cleared.
fn read(path: &Path) -> io::Result<Option<Position>> {
    let mut bytes = [0; LENGTH];
    match File::open(path).and_then(|mut file| file.read_exact(&mut bytes)) {
        Ok(()) => Ok(decode(&bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => Ok(None),
        Err(error) => Err(error),
    }
}

fn encode(position: Position) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..16].copy_from_slice(&position.salts.0);
    bytes[16..24].copy_from_slice(&u64::from(position.frames).to_le_bytes());
    bytes[24..32].copy_from_slice(&position.commits.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..32]);
    bytes[32..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8; LENGTH]) -> Option<Position> {
    let number = |from: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[from..from + 8]);
        u64::from_le_bytes(word)
    };
    let mut salts = [0; 8];
    salts.copy_from_slice(&bytes[8..16]);
    let sound = bytes[..8] == MAGIC && crc32fast::hash(&bytes[..32]).to_le_bytes() == bytes[32..];
    let frames = u32::try_from(number(16)).ok()?;
    (sound && frames > 0).then(|| Position { salts: Salts(salts), frames, commits: number(24) })
}

impl Mark {
    /// Keeps the mark that was there, as far as it is of this log. Frames behind it may be those of a commit that failed,
    /// which SQLite overwrites. A mark of another log is cleared, and that is synced, so that it never comes back.
    pub(super) fn begin(files: &Files, database: &Path) -> io::Result<Self> {
        let (path, log) = (beside(database, ".mark"), beside(database, "-wal"));
        let mut position = wal_scan::scan(&log)?.unwrap_or_default();
        let is_new = !path.exists();
        let known = read(&path)?.filter(|known| known.salts == position.salts);
        position.frames = known.map_or(0, |known| known.frames);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
        let restarted = Arc::new(AtomicBool::new(true));
        let mut mark = Self { files: files.clone(), file, path, log, position, restarted, failed: false };
        if known.is_none() {
            mark.write(Position::default())?;
            mark.files.sync(&mark.file, &mark.path)?;
        }
        if is_new {
            mark.files.sync_folder(&mark.path)?;
        }
        Ok(mark)
    }

    /// Whoever copies the log sets this: it may begin again at the next commit.
    pub(super) fn restarted(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.restarted)
    }

    /// A commit is durable, and the log has this many frames.
    pub(super) fn committed(&mut self, frames: u32) {
        let done = self.read_salts(frames).and_then(|()| {
            self.position.frames = frames;
            self.position.commits += 1;
            self.write(self.position)
        });
        if let Err(error) = done
            && !std::mem::replace(&mut self.failed, true)
        {
            tracing::warn!(%error, path = %self.path.display(), "the end of the write-ahead log could not be noted");
        }
    }

    /// Reads the salts of the log if it may have begun again.
    fn read_salts(&mut self, frames: u32) -> io::Result<()> {
        if self.restarted.load(Ordering::Relaxed) || frames <= self.position.frames {
            let salts = wal_scan::salts(&self.log)?;
            if salts != self.position.salts {
                self.position = Position { salts, frames: 0, commits: 0 };
            }
            self.restarted.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    fn write(&mut self, position: Position) -> io::Result<()> {
        self.files.write(&mut self.file, &self.path, 0, &encode(position))
    }
}

impl std::fmt::Display for Shortened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { missing, why } = self;
        let commits = if *missing == 1 { "commit is" } else { "commits are" };
        write!(
            f,
            "{why}: {missing} acknowledged {commits} missing; to open the store without them, delete the file `.mark` beside it"
        )
    }
}

/// Clears the mark, durably, before the log is emptied or deleted.
pub(super) fn clear(files: &Files, database: &Path) -> io::Result<()> {
    let path = beside(database, ".mark");
    let mut file = match OpenOptions::new().write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    files.write(&mut file, &path, 0, &encode(Position::default()))?;
    files.sync(&file, &path)
}
