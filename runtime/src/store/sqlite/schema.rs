//! The tables, and how a file becomes a store or is refused.

use rusqlite::{Connection, TransactionBehavior};
use uuid::Uuid;

use super::errors::open_error;
use crate::store::OpenError;

/// Marks a file as a store of this library: `PRAGMA application_id`, the letters `PRSV`.
const APPLICATION_ID: i32 = 0x5052_5356;

/// Step `n` brings a store from version `n` to `n + 1`. Steps are only ever added.
const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3];

/// `meta` and its columns `schema_version` stay where they are in all versions: older builds read them to say no.
const VERSION_1: &str = "
    CREATE TABLE meta (
        one            INTEGER PRIMARY KEY CHECK (one = 1),
        schema_version INTEGER NOT NULL,
        store_id       BLOB    NOT NULL,
        epoch          INTEGER NOT NULL,
        clean          INTEGER NOT NULL,
        suspect        BLOB
    ) STRICT;
    CREATE TABLE instance (
        key                   INTEGER PRIMARY KEY,
        id                    TEXT    NOT NULL UNIQUE,
        name                  TEXT    NOT NULL,
        version               TEXT    NOT NULL,
        status                INTEGER NOT NULL,
        parked                TEXT,
        execution             INTEGER NOT NULL,
        created_at            INTEGER NOT NULL,
        updated_at            INTEGER NOT NULL,
        ended_at              INTEGER,
        start_at              INTEGER,
        custom_status_version INTEGER NOT NULL,
        revision              INTEGER NOT NULL,
        depth                 INTEGER NOT NULL,
        start_hash            INTEGER NOT NULL,
        parent_id             TEXT,
        parent_key            INTEGER,
        parent_execution      INTEGER,
        parent_operation      INTEGER,
        tags                  TEXT,
        custom_status         TEXT,
        output                TEXT,
        failure               TEXT,
        input                 TEXT    NOT NULL
    ) STRICT;
    CREATE INDEX instance_parked ON instance (key) WHERE parked IS NOT NULL;
    CREATE TABLE history (
        key       INTEGER NOT NULL,
        execution INTEGER NOT NULL,
        turn      INTEGER NOT NULL,
        time      INTEGER NOT NULL,
        record    BLOB    NOT NULL,
        PRIMARY KEY (key, execution, turn)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE inbox (
        id      INTEGER PRIMARY KEY,
        message BLOB NOT NULL
    ) STRICT;
    CREATE TABLE task (
        key       INTEGER NOT NULL,
        execution INTEGER NOT NULL,
        operation INTEGER NOT NULL,
        turn      INTEGER NOT NULL,
        name      TEXT    NOT NULL,
        PRIMARY KEY (key, execution, operation)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE timer (
        fire_at   INTEGER NOT NULL,
        key       INTEGER NOT NULL,
        execution INTEGER NOT NULL,
        operation INTEGER NOT NULL,
        PRIMARY KEY (fire_at, key, execution, operation)
    ) STRICT, WITHOUT ROWID;
";

/// What a run changes goes into a narrow table of its own: a custom status costs the same however large the input is.
const VERSION_2: &str = "
    CREATE TABLE progress (
        key                   INTEGER PRIMARY KEY,
        status                INTEGER NOT NULL,
        parked                TEXT,
        updated_at            INTEGER NOT NULL,
        ended_at              INTEGER,
        custom_status_version INTEGER NOT NULL,
        revision              INTEGER NOT NULL,
        custom_status         TEXT,
        output                TEXT,
        failure               TEXT
    ) STRICT;
    INSERT INTO progress SELECT key, status, parked, updated_at, ended_at, custom_status_version, revision,
        custom_status, output, failure FROM instance;
    CREATE INDEX progress_parked ON progress (key) WHERE parked IS NOT NULL;
    DROP INDEX instance_parked;
    ALTER TABLE instance DROP COLUMN status;
    ALTER TABLE instance DROP COLUMN parked;
    ALTER TABLE instance DROP COLUMN updated_at;
    ALTER TABLE instance DROP COLUMN ended_at;
    ALTER TABLE instance DROP COLUMN custom_status_version;
    ALTER TABLE instance DROP COLUMN revision;
    ALTER TABLE instance DROP COLUMN custom_status;
    ALTER TABLE instance DROP COLUMN output;
    ALTER TABLE instance DROP COLUMN failure;
";

/// Keys give 30 bits to the epoch, six more than before: from here on every new key is larger than every old one (P23).
const VERSION_3: &str = "
    UPDATE meta SET epoch = 64 * (epoch + 1);
";

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    Store { version: i64 },
    SomethingElse,
}

/// Refuses a file that is not a store of this library or is one of a newer version. Changes nothing.
pub(super) fn check(connection: &Connection, store: &str) -> Result<(), OpenError> {
    check_with(connection, store, MIGRATIONS)
}

/// Brings the file to the newest version, in one transaction.
pub(super) fn migrate(connection: &mut Connection, store: &str) -> Result<(), OpenError> {
    migrate_with(connection, store, MIGRATIONS)
}

fn check_with(connection: &Connection, store: &str, migrations: &[&str]) -> Result<(), OpenError> {
    let known = newest(migrations);
    match content(connection).map_err(|e| open_error(store, &e))? {
        Content::Store { version } if version > known => {
            Err(OpenError::NewerSchema { store: store.to_owned(), found: version, known })
        }
        Content::SomethingElse => Err(OpenError::Corrupt {
            store: store.to_owned(),
            detail: "it is a database of another application".to_owned(),
        }),
        Content::Nothing | Content::Store { .. } => Ok(()),
    }
}

fn content(connection: &Connection) -> rusqlite::Result<Content> {
    let application_id: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application_id == APPLICATION_ID {
        let version = connection.query_row("SELECT schema_version FROM meta", [], |row| row.get(0))?;
        return Ok(Content::Store { version });
    }
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let user_version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let untouched = (application_id, objects, user_version) == (0, 0, 0);
    Ok(if untouched { Content::Nothing } else { Content::SomethingElse })
}

fn migrate_with(connection: &mut Connection, store: &str, migrations: &[&str]) -> Result<(), OpenError> {
    let version = match content(connection).map_err(|e| open_error(store, &e))? {
        Content::Store { version } => usize::try_from(version).unwrap_or(0),
        Content::Nothing | Content::SomethingElse => 0,
    };
    let steps = migrations.get(version..).unwrap_or_default();
    if steps.is_empty() {
        return Ok(());
    }
    run_steps(connection, steps, version == 0, newest(migrations)).map_err(|e| open_error(store, &e))
}

fn run_steps(connection: &mut Connection, steps: &[&str], create: bool, version: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    if create {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute(
            "INSERT INTO meta (one, schema_version, store_id, epoch, clean) VALUES (1, ?1, ?2, 0, 1)",
            rusqlite::params![version, Uuid::new_v4().as_bytes()],
        )?;
    } else {
        transaction.execute("UPDATE meta SET schema_version = ?1", [version])?;
    }
    transaction.commit()
}

fn newest(migrations: &[&str]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: &[&str] =
        &[VERSION_1, VERSION_2, VERSION_3, "ALTER TABLE meta ADD COLUMN more TEXT; UPDATE meta SET more = 'new';"];

    fn more(connection: &Connection) -> rusqlite::Result<String> {
        connection.query_row("SELECT more FROM meta", [], |row| row.get(0))
    }

    #[test]
    fn an_older_store_is_brought_forward_and_keeps_its_rows() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_with(&mut connection, "s", MIGRATIONS).unwrap();
        connection.execute_batch("UPDATE meta SET epoch = 7; INSERT INTO inbox VALUES (1, x'00')").unwrap();
        migrate_with(&mut connection, "s", NEXT).unwrap();
        assert_eq!(more(&connection).unwrap(), "new");
        assert_eq!(content(&connection).unwrap(), Content::Store { version: 4 });
        let kept: (i64, i64) = connection
            .query_row("SELECT epoch, (SELECT count(*) FROM inbox) FROM meta", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(kept, (7, 1));
    }

    #[test]
    fn what_a_run_changes_moves_to_a_table_of_its_own() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_with(&mut connection, "s", &[VERSION_1]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO instance (key, id, name, version, status, parked, execution, created_at, updated_at,
                     ended_at, custom_status_version, revision, depth, start_hash, custom_status, output, failure, input)
                 VALUES (7, 'i', 'n', 'v', 3, 'why', 2, 10, 11, 12, 4, 5, 0, 6, '1', '2', '3', '4')",
            )
            .unwrap();
        migrate_with(&mut connection, "s", MIGRATIONS).unwrap();
        let text = |sql: &str| -> String { connection.query_row(sql, [], |row| row.get(0)).unwrap() };
        assert_eq!(
            text(
                "SELECT concat_ws(' ', key, status, parked, updated_at, ended_at, custom_status_version, revision,
                custom_status, output, failure) FROM progress"
            ),
            "7 3 why 11 12 4 5 1 2 3"
        );
        assert_eq!(
            text(
                "SELECT concat_ws(' ', key, id, name, version, execution, created_at, start_hash, input) FROM instance"
            ),
            "7 i n v 2 10 6 4"
        );
        let columns: i64 =
            connection.query_row("SELECT count(*) FROM pragma_table_info('instance')", [], |row| row.get(0)).unwrap();
        assert_eq!(columns, 15);
        assert_eq!(text("PRAGMA integrity_check"), "ok");
    }

    #[test]
    fn a_migration_that_fails_half_way_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_with(&mut connection, "s", MIGRATIONS).unwrap();
        let broken = [VERSION_1, VERSION_2, VERSION_3, "ALTER TABLE meta ADD COLUMN more TEXT", "this is no SQL"];
        migrate_with(&mut connection, "s", &broken).unwrap_err();
        assert_eq!(content(&connection).unwrap(), Content::Store { version: 3 });
        more(&connection).unwrap_err();
    }

    #[test]
    fn a_newer_store_is_refused_by_its_number() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_with(&mut connection, "s", NEXT).unwrap();
        let refused = check_with(&connection, "s", MIGRATIONS);
        assert!(matches!(refused, Err(OpenError::NewerSchema { found: 4, known: 3, .. })), "{refused:?}");
        check_with(&connection, "s", NEXT).unwrap();
    }

    #[test]
    fn a_database_of_another_application_is_refused() {
        for foreign in ["CREATE TABLE t (x)", "PRAGMA user_version = 3", "PRAGMA application_id = 5"] {
            let connection = Connection::open_in_memory().unwrap();
            check(&connection, "s").unwrap();
            connection.execute_batch(foreign).unwrap();
            assert!(matches!(check(&connection, "s"), Err(OpenError::Corrupt { .. })), "{foreign}");
        }
    }
}
