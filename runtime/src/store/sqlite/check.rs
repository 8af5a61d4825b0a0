//! Looks for damage when the file is opened, before anything is read from it or written to it.

use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OptionalExtension};

use super::errors::open_error;
use super::{FileCheck, Options};
use crate::store::OpenError;

/// How long the check after a crash may take, so that a store of any size starts.
const CRASH_CHECK_TIME: Duration = Duration::from_secs(2);
/// How many pages or steps are between two looks at the clock.
const STEPS: i32 = 1_000;

/// The table whose damage parks the instances that it belongs to.
const HISTORY: &str = "history";

/// What a check found.
enum Found {
    Nothing,
    /// The time was over.
    Unfinished,
    Damage(Vec<String>),
}

/// Checks the file as far as the options say. `unclean` says whether the last owner did not close it, and `name` is how the
/// store is called in errors.
pub(super) fn check_file(connection: &mut Connection, options: &Options, unclean: bool) -> Result<(), OpenError> {
    let store = options.store();
    let corrupt = |detail: String| OpenError::Corrupt { store: store.clone(), detail };
    let sqlite = |error: rusqlite::Error| open_error(&store, &error);
    let begin = Instant::now();
    let found = match options.check {
        FileCheck::Never => return Ok(()),
        FileCheck::AfterCrash if !unclean => open_work(connection).map_err(sqlite)?,
        FileCheck::AfterCrash => within(connection, CRASH_CHECK_TIME, |c| run(c, "quick_check")).map_err(sqlite)?,
        FileCheck::Structure => run(connection, "quick_check").map_err(sqlite)?,
        FileCheck::Contents => run(connection, "integrity_check").map_err(sqlite)?,
    };
    let milliseconds = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    match found {
        Found::Nothing => {
            counts_agree(connection).map_err(sqlite)?.map_err(corrupt)?;
            tracing::debug!(milliseconds, "the database file was checked");
        }
        Found::Unfinished => {
            tracing::warn!(
                milliseconds,
                "the store was not closed cleanly, and its file is too large to be checked in this time; `FileCheck::Structure` checks all of it"
            );
            counts_agree(connection).map_err(sqlite)?.map_err(corrupt)?;
        }
        Found::Damage(lines) => {
            if let Some(detail) = outside_of_history(connection, &lines).map_err(sqlite)? {
                return Err(corrupt(detail));
            }
            tracing::error!(?lines, "the history is damaged: the instances whose records cannot be read are parked");
        }
    }
    Ok(())
}

/// Checks the tables of open work, which are read as a whole anyway: a row that is missing there would never be missed.
fn open_work(connection: &Connection) -> rusqlite::Result<Found> {
    for table in ["partition", "task", "timer", "inbox"] {
        if let Found::Damage(lines) = run(connection, &format!("quick_check({table})"))? {
            return Ok(Found::Damage(lines));
        }
    }
    Ok(Found::Nothing)
}

/// Compares the numbers of entries of the two indexes of the instances. They differ when a page of one of them has lost
/// entries, which no reader would notice.
fn counts_agree(connection: &Connection) -> rusqlite::Result<Result<(), String>> {
    let mut statement = connection.prepare("SELECT ncell, pageno FROM dbstat WHERE aggregate = TRUE AND name = ?1")?;
    let mut count = |index: &str| -> rusqlite::Result<i64> {
        statement.query_row([index], |row| row.get(0)).optional().map(Option::unwrap_or_default)
    };
    let (ids, times) = (count("sqlite_autoindex_instance_1")?, count("instance_created")?);
    Ok(if ids == times {
        Ok(())
    } else {
        Err(format!("the index over ids has {ids} entries, and the index over times of creation has {times}"))
    })
}

/// Returns the damage that is not in the history alone, or `None` if there is none.
fn outside_of_history(connection: &Connection, lines: &[String]) -> rusqlite::Result<Option<String>> {
    // A page that two trees share may belong to anything.
    if let Some(line) = lines.iter().find(|line| line.contains("reference to page") || line.contains("reelist")) {
        return Ok(Some(line.clone()));
    }
    let mut names = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> ?1")?;
    let names = names.query_map([HISTORY], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    for name in names.iter().map(String::as_str).chain(["sqlite_schema"]) {
        if let Found::Damage(lines) = run(connection, &format!("quick_check({name})"))? {
            return Ok(Some(lines.join("; ")));
        }
    }
    Ok(None)
}

/// Runs one of the checks of SQLite.
fn run(connection: &Connection, check: &str) -> rusqlite::Result<Found> {
    let read = || {
        let mut statement = connection.prepare(&format!("PRAGMA {check}"))?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(lines)
    };
    match read() {
        Ok(lines) if lines == ["ok"] => Ok(Found::Nothing),
        Ok(lines) => Ok(Found::Damage(lines)),
        Err(rusqlite::Error::SqliteFailure(failure, text))
            if matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) =>
        {
            Ok(Found::Damage(vec![text.unwrap_or_else(|| failure.to_string())]))
        }
        Err(error) => Err(error),
    }
}

/// Runs a check, and gives up when the time is over.
fn within(
    connection: &mut Connection,
    time: Duration,
    check: impl FnOnce(&Connection) -> rusqlite::Result<Found>,
) -> rusqlite::Result<Found> {
    let end = Instant::now() + time;
    connection.progress_handler(STEPS, Some(move || Instant::now() >= end))?;
    let found = check(connection);
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match found {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(Found::Unfinished),
        found => found,
    }
}
