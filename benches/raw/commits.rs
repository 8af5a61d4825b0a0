//! Commits of a single row: the unit in which latencies are counted.

use std::time::Instant;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::Outcome;
use crate::samples::{Samples, milliseconds};
use crate::stage::Disk;

/// The size of the row.
const ROW_BYTES: usize = 200;

/// Commits one row at a time, when asked to.
#[derive(Debug)]
pub(crate) struct SingleCommits {
    // The connection goes before its folder: fields are dropped in their order.
    connection: Connection,
    _folder: TempDir,
    samples: Samples,
}

impl SingleCommits {
    pub(crate) fn open(disk: &Disk) -> Outcome<Self> {
        let folder = disk.folder()?;
        let connection = super::open(&folder.path().join("commits.db"))?;
        connection.execute_batch("CREATE TABLE entry (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")?;
        Ok(Self { connection, _folder: folder, samples: Samples::default() })
    }

    /// Commits one row.
    pub(crate) fn commit(&mut self) -> rusqlite::Result<()> {
        let begin = Instant::now();
        self.connection.prepare_cached("INSERT INTO entry (body) VALUES (?1)")?.execute([[7_u8; ROW_BYTES]])?;
        self.samples.push(milliseconds(begin));
        Ok(())
    }

    /// Commits so many, one after the other.
    pub(crate) fn commit_many(&mut self, count: usize) -> rusqlite::Result<()> {
        (0..count).try_for_each(|_| self.commit())
    }

    /// What the commits took.
    pub(crate) fn samples(&self) -> &Samples {
        &self.samples
    }
}
