//! The only connection that writes, and its checkpoints.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode};

use super::errors::{file_error, open_error};
use super::mark::Mark;
use super::{Durability, Options, connection, schema};
use crate::model::PartitionCount;
use crate::store::OpenError;

/// How often to check, with pauses, whether the readers of the log have finished. A read of this store takes less time
/// than that. A reader that takes longer, such as a backup, is waited for again when the log has doubled.
const RESTART_LOOKS: u32 = 200;
const RESTART_PAUSE: Duration = Duration::from_millis(1);

pub(super) struct Database {
    pub(super) connection: Connection,
    pub(super) partitions: PartitionCount,
    /// The number of frames in the log after the last commit.
    frames: Arc<AtomicI32>,
    /// Whether the log may have begun again since the last commit.
    restarted: Arc<AtomicBool>,
}

impl Database {
    pub(super) fn open(options: &Options, is_first: bool) -> Result<Self, OpenError> {
        let mut connection = connection::open_writer(options, is_first)?;
        let partitions = schema::partitions(&connection, &options.store())?;
        let frames = Arc::new(AtomicI32::new(0));
        let counter = Arc::clone(&frames);
        // Without the sync of each commit, a power cut may take what a mark says.
        let mut mark = match options.durability {
            Durability::Full => {
                let mark = Mark::begin(&options.files, &options.path);
                Some(mark.map_err(|e| file_error(&options.store(), &e))?)
            }
            Durability::Relaxed => None,
        };
        let restarted = mark.as_ref().map(Mark::restarted).unwrap_or_default();
        // The hook runs when a commit is durable.
        connection
            .wal_hook(Some(move |_: &mut Wal, count| {
                counter.store(count, Ordering::Relaxed);
                if let (Some(mark), Ok(frames)) = (&mut mark, u32::try_from(count)) {
                    mark.committed(frames);
                }
                Ok(())
            }))
            .map_err(|e| open_error(&options.store(), &e))?;
        Ok(Self { connection, partitions, frames, restarted })
    }

    /// Returns the number of frames in the log after the last commit.
    pub(super) fn frames(&self) -> i32 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Drops the pages in memory, so that damaged ones are read again.
    pub(super) fn forget_pages(&self) {
        if let Err(error) = self.connection.execute_batch("PRAGMA shrink_memory") {
            tracing::warn!(%error, "the cached pages could not be dropped, so a later read may see the same damage again");
        }
    }

    /// Copies the log into the database. If this fails, only disk space is lost, because the log still contains
    /// everything.
    pub(super) fn checkpoint(&self, mode: CheckpointMode) {
        self.restarted.store(true, Ordering::Relaxed);
        if let Err(error) = self.connection.wal_checkpoint_v2(Some("main"), mode) {
            tracing::warn!(%error, "the write-ahead log could not be copied into the database");
        }
    }

    /// Copies the log and waits until nobody reads from it, so that the next commit starts it again from its beginning.
    /// Nobody commits in the meantime. Once everything is copied, new readers do not use the log, so they need not be
    /// waited for.
    pub(super) fn restart_log(&self) {
        self.restarted.store(true, Ordering::Relaxed);
        let restarted = self.connection.busy_timeout(Duration::ZERO).and_then(|()| {
            for _ in 0..RESTART_LOOKS {
                match self.connection.wal_checkpoint_v2(Some("main"), CheckpointMode::RESTART) {
                    Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                        thread::sleep(RESTART_PAUSE);
                    }
                    result => return result.map(|_| ()),
                }
            }
            Ok(())
        });
        let restored = self.connection.busy_timeout(connection::BUSY_TIMEOUT);
        if let Err(error) = restarted.and(restored) {
            tracing::warn!(%error, "the write-ahead log could not be restarted");
        }
    }
}
