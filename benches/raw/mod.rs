//! What the disk can do with plain rusqlite, one writer, synchronous=FULL: the limit that the engine is measured against.

mod commits;
mod rows;

pub(crate) use commits::SingleCommits;
pub(crate) use rows::write_turns;

use std::path::Path;

use rusqlite::Connection;

/// A connection that writes as durably as the SQLite store does, and leaves checkpoints to SQLite.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0))?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
         PRAGMA foreign_keys = OFF; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536;",
    )?;
    grow_log(&connection)?;
    Ok(connection)
}

/// Gives the log the size that it has in a database at work. Syncing a file that grows takes longer.
fn grow_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE padding (bytes BLOB NOT NULL);
         INSERT INTO padding VALUES (zeroblob(8388608));
         PRAGMA wal_checkpoint(RESTART);",
    )
}
