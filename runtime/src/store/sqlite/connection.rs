//! Connections to the database file and their settings.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, OpenFlags};

use super::errors::{file_error, open_error};
use super::{Durability, Options, check, mark, schema};
use crate::store::OpenError;

/// Older versions can corrupt a database in WAL mode when a checkpoint resets the log.
const OLDEST_SQLITE: i32 = 3_051_003;

/// The length in bytes to which the file of the log is cut when the log begins again. Normal operation needs no more.
const LONGEST_LOG: u32 = 16 << 20;

/// How long a statement waits for a lock that another program holds.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Opens the only connection that writes, creates the file, or migrates it to the newest schema.
///
/// The file is checked for damage at the first opening of a store, and not when the writer opens it again after an error.
pub(super) fn open_writer(options: &Options, is_first: bool) -> Result<Connection, OpenError> {
    let store = options.path.display().to_string();
    let failed = |detail: String| OpenError::Failed { store: store.clone(), detail };
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(failed(format!("SQLite {} is linked, but at least 3.51.3 is needed", rusqlite::version())));
    }
    mark::check(&options.path)
        .map_err(|e| file_error(&store, &e))?
        .map_err(|shortened| OpenError::Corrupt { store: store.clone(), detail: shortened.to_string() })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sqlite = |error: rusqlite::Error| open_error(&store, &error);
    let mut connection = Connection::open_with_flags(&options.path, flags).map_err(sqlite)?;
    // SQLite opens a file for reading if it may not write it, and reports this only here.
    if connection.is_readonly("main").map_err(sqlite)? {
        return Err(OpenError::ReadOnly { store, detail: "the file is read-only".to_owned() });
    }
    connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
    // A connection that is given up must leave the log as it is: the next one makes it durable first.
    checkpoint_on_close(&connection, false).map_err(sqlite)?;
    // Before the first change to a file that may be somebody else's.
    schema::check(&connection, &store, options.partitions)?;
    let had_log = options.files.rewrite_log(&options.path).map_err(|e| file_error(&store, &e))?;
    let journal = switch_to_wal(&connection).map_err(sqlite)?;
    if !journal.eq_ignore_ascii_case("wal") {
        return Err(failed(format!(
            "the journal mode stays `{journal}`, because the file system does not support WAL"
        )));
    }
    configure(&connection, options).map_err(sqlite)?;
    schema::migrate(&mut connection, &store, options.partitions.unwrap_or_default())?;
    if is_first && options.compacts {
        compact(&connection).map_err(sqlite)?;
    }
    if is_first {
        let unclean = had_log || !schema::is_clean(&connection).map_err(sqlite)?;
        check::check_file(&mut connection, options, unclean)?;
    }
    Ok(connection)
}

/// Writes the file again without its free pages.
fn compact(connection: &Connection) -> rusqlite::Result<()> {
    let free: i64 = connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
    if free > 0 {
        connection.execute_batch("VACUUM")?;
        // The log contains the whole database now.
        connection.wal_checkpoint_v2(Some("main"), CheckpointMode::TRUNCATE)?;
    }
    Ok(())
}

/// Answers the journal mode that the file has then.
fn switch_to_wal(connection: &Connection) -> rusqlite::Result<String> {
    // The row with the new mode comes before the commit that makes it so. A statement that is dropped after its first row
    // hides that this commit failed, and everything would be written in the old mode.
    let mut switch = connection.prepare("PRAGMA journal_mode = WAL")?;
    let mut rows = switch.query([])?;
    while rows.next()?.is_some() {}
    connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))
}

fn configure(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Relaxed => "NORMAL",
    };
    connection.execute_batch(&format!(
        "PRAGMA synchronous = {synchronous};
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = {LONGEST_LOG};
         PRAGMA mmap_size = 0;
         PRAGMA foreign_keys = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA cell_size_check = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA cache_size = -65536;"
    ))?;
    keep_plans(connection)?;
    if let Some(pages) = options.max_pages {
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(())
}

/// Makes query plans independent of bound values. Otherwise a build with `STAT4` prepares some statements again at each
/// use.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

/// Whether the connection, if it is the last one, copies the log into the database when it goes.
pub(super) fn checkpoint_on_close(connection: &Connection, copies: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !copies).map(|_| ())
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    checkpoint_on_close(&connection, false)?;
    keep_plans(&connection)?;
    connection.execute_batch(
        "PRAGMA query_only = ON;
         PRAGMA mmap_size = 0;
         PRAGMA temp_store = MEMORY;
         PRAGMA cell_size_check = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA cache_size = -8192;",
    )?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::super::FileCheck;
    use super::super::files::Files;
    use super::*;

    fn setting(connection: &Connection, name: &str) -> i64 {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_commit_is_synced_unless_relaxed() {
        for (durability, synchronous) in [(Durability::Full, 2), (Durability::Relaxed, 1)] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("store.db");
            let options = Options {
                path,
                durability,
                check: FileCheck::default(),
                compacts: false,
                lock_wait: Duration::ZERO,
                max_pages: None,
                partitions: None,
                files: Files::default(),
            };
            let connection = open_writer(&options, true).unwrap();
            assert_eq!(setting(&connection, "synchronous"), synchronous);
            for name in ["mmap_size", "foreign_keys", "wal_autocheckpoint"] {
                assert_eq!(setting(&connection, name), 0, "{name}");
            }
        }
    }
}
