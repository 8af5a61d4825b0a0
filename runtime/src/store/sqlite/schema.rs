//! The tables, and how a file becomes a store or is refused.

use rusqlite::{Connection, TransactionBehavior, params};
use uuid::Uuid;

use super::errors::open_error;
use crate::model::PartitionCount;
use crate::store::OpenError;

/// The value of `PRAGMA application_id` that marks a file as a store of this library: the letters `PRSV`.
const APPLICATION_ID: i32 = 0x5052_5356;

/// Step `n` migrates a store from version `n` to `n + 1`. Steps are only ever added.
const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3, VERSION_4];

/// `meta` and its column `schema_version` stay the same in all versions, so that older builds can read the version and
/// refuse the file.
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

/// What changes while an instance runs is moved to a narrow table, so that a custom status costs the same however large
/// the input is.
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

/// Partitions, of which an older store has one. Timers and messages, of which there may be very many, begin their keys with
/// the partition. Instances and tasks only note it: each turn writes tasks, and a longer key costs more than looking at the
/// tasks of all partitions when one of them is loaded. Lists are in the order of creation, whatever the partition.
///
/// Keys give 30 bits to the epoch, six more than before: the step makes every new key larger than every old one (P23).
const VERSION_3: &str = "
    ALTER TABLE meta ADD COLUMN partitions INTEGER NOT NULL DEFAULT 1;
    UPDATE meta SET epoch = 64 * (epoch + 1);
    CREATE TABLE partition (
        partition INTEGER PRIMARY KEY,
        epoch     INTEGER NOT NULL,
        clean     INTEGER NOT NULL,
        suspect   BLOB
    ) STRICT;
    INSERT INTO partition SELECT 0, epoch, clean, suspect FROM meta;
    ALTER TABLE meta DROP COLUMN clean;
    ALTER TABLE meta DROP COLUMN suspect;
    CREATE INDEX instance_created ON instance (created_at);
    ALTER TABLE instance ADD COLUMN partition INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE task ADD COLUMN partition INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE inbox RENAME TO inbox_2;
    CREATE TABLE inbox (
        partition INTEGER NOT NULL,
        id        INTEGER NOT NULL,
        message   BLOB    NOT NULL,
        PRIMARY KEY (partition, id)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO inbox SELECT 0, id, message FROM inbox_2 ORDER BY id;
    DROP TABLE inbox_2;
    ALTER TABLE timer RENAME TO timer_2;
    CREATE TABLE timer (
        partition INTEGER NOT NULL,
        fire_at   INTEGER NOT NULL,
        key       INTEGER NOT NULL,
        execution INTEGER NOT NULL,
        operation INTEGER NOT NULL,
        PRIMARY KEY (partition, fire_at, key, execution, operation)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO timer SELECT 0, fire_at, key, execution, operation FROM timer_2 ORDER BY 2, 3, 4, 5;
    DROP TABLE timer_2;
";

/// Rows have checksums. Those that an older version wrote have none until they are written again. Records and messages have
/// checksums of their own, which the engine compares, so those of `history` and `inbox` cover the other columns.
const VERSION_4: &str = "
    ALTER TABLE history ADD COLUMN checksum INTEGER;
    ALTER TABLE instance ADD COLUMN checksum INTEGER;
    ALTER TABLE progress ADD COLUMN checksum INTEGER;
    ALTER TABLE task ADD COLUMN checksum INTEGER;
    ALTER TABLE timer ADD COLUMN checksum INTEGER;
    ALTER TABLE inbox ADD COLUMN checksum INTEGER;
";

/// The first version whose stores contain the number of partitions. Older stores have one.
const PARTITIONS_SINCE: i64 = 3;

/// What a file contains.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    Store { version: i64 },
    SomethingElse,
}

/// Refuses a file that is not a store of this library, that a newer version has written, or that has another number of
/// partitions than requested. Changes nothing.
pub(super) fn check(connection: &Connection, store: &str, partitions: Option<PartitionCount>) -> Result<(), OpenError> {
    check_version(connection, store, MIGRATIONS)?;
    match (partitions, stored_partitions(connection).map_err(|e| open_error(store, &e))?) {
        (Some(asked), Some(found)) if i64::from(asked.get()) != found => {
            let found = partition_count(found, store)?.get();
            Err(OpenError::Partitions { store: store.to_owned(), found, asked: asked.get() })
        }
        _ => Ok(()),
    }
}

/// Migrates the file to the newest version in one transaction. A new store gets this many partitions.
pub(super) fn migrate(connection: &mut Connection, store: &str, partitions: PartitionCount) -> Result<(), OpenError> {
    migrate_with(connection, store, partitions, MIGRATIONS)
}

/// Returns the number of partitions of a store of the newest version.
pub(super) fn partitions(connection: &Connection, store: &str) -> Result<PartitionCount, OpenError> {
    let stored = stored_partitions(connection).map_err(|e| open_error(store, &e))?;
    partition_count(stored.unwrap_or_default(), store)
}

/// Returns whether every partition was closed cleanly by its last owner.
pub(super) fn is_clean(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM partition WHERE clean = 0)", [], |row| row.get(0))
}

/// Returns the stored number of partitions, or `None` if the file is empty.
fn stored_partitions(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    match content(connection)? {
        Content::Store { version } if version >= PARTITIONS_SINCE => {
            connection.query_row("SELECT partitions FROM meta", [], |row| row.get(0)).map(Some)
        }
        Content::Store { .. } => Ok(Some(1)),
        Content::Nothing | Content::SomethingElse => Ok(None),
    }
}

fn partition_count(stored: i64, store: &str) -> Result<PartitionCount, OpenError> {
    u16::try_from(stored).ok().and_then(PartitionCount::new).ok_or_else(|| OpenError::Corrupt {
        store: store.to_owned(),
        detail: format!("the stored number of partitions is {stored}"),
    })
}

fn check_version(connection: &Connection, store: &str, migrations: &[&str]) -> Result<(), OpenError> {
    let known = newest(migrations);
    match content(connection).map_err(|e| open_error(store, &e))? {
        Content::Store { version } if version > known => {
            Err(OpenError::NewerSchema { store: store.to_owned(), found: version, known })
        }
        Content::SomethingElse => Err(OpenError::Corrupt {
            store: store.to_owned(),
            detail: "it is the database of another application".to_owned(),
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

fn migrate_with(
    connection: &mut Connection,
    store: &str,
    partitions: PartitionCount,
    migrations: &[&str],
) -> Result<(), OpenError> {
    let version = match content(connection).map_err(|e| open_error(store, &e))? {
        Content::Store { version } => usize::try_from(version).unwrap_or(0),
        Content::Nothing | Content::SomethingElse => 0,
    };
    let steps = migrations.get(version..).unwrap_or_default();
    if steps.is_empty() {
        return Ok(());
    }
    let created = (version == 0).then_some(partitions);
    run_steps(connection, steps, created, newest(migrations)).map_err(|e| open_error(store, &e))
}

fn run_steps(
    connection: &mut Connection,
    steps: &[&str],
    created: Option<PartitionCount>,
    version: i64,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    if let Some(partitions) = created {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute(
            "INSERT INTO meta (one, schema_version, store_id, epoch, partitions) VALUES (1, ?1, ?2, 0, ?3)",
            params![version, Uuid::new_v4().as_bytes(), partitions.get()],
        )?;
        // Nobody owned the partitions yet, so no owner can have crashed.
        let mut insert = transaction.prepare("INSERT INTO partition (partition, epoch, clean) VALUES (?1, 0, 1)")?;
        for partition in partitions.all() {
            insert.execute([partition.0])?;
        }
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

    const NEXT: &[&str] = &[
        VERSION_1,
        VERSION_2,
        VERSION_3,
        VERSION_4,
        "ALTER TABLE meta ADD COLUMN more TEXT; UPDATE meta SET more = 'new';",
    ];

    /// Migrates the file. A new store gets one partition.
    fn create(connection: &mut Connection, migrations: &[&str]) -> Result<(), OpenError> {
        migrate_with(connection, "s", PartitionCount::ONE, migrations)
    }

    fn more(connection: &Connection) -> rusqlite::Result<String> {
        connection.query_row("SELECT more FROM meta", [], |row| row.get(0))
    }

    #[test]
    fn an_older_store_is_migrated_and_keeps_its_rows() {
        let mut connection = Connection::open_in_memory().unwrap();
        create(&mut connection, MIGRATIONS).unwrap();
        connection
            .execute_batch("UPDATE meta SET epoch = 7; INSERT INTO inbox (partition, id, message) VALUES (0, 1, x'00')")
            .unwrap();
        create(&mut connection, NEXT).unwrap();
        assert_eq!(more(&connection).unwrap(), "new");
        assert_eq!(content(&connection).unwrap(), Content::Store { version: 5 });
        let kept: (i64, i64) = connection
            .query_row("SELECT epoch, (SELECT count(*) FROM inbox) FROM meta", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(kept, (7, 1));
    }

    #[test]
    fn migration_moves_changing_columns_to_a_table_of_their_own() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(VERSION_1).unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection
            .execute_batch(
                "INSERT INTO meta (one, schema_version, store_id, epoch, clean) VALUES (1, 1, zeroblob(16), 5, 0);
                 INSERT INTO instance (key, id, name, version, status, parked, execution, created_at, updated_at,
                     ended_at, custom_status_version, revision, depth, start_hash, custom_status, output, failure, input)
                 VALUES (7, 'i', 'n', 'v', 3, 'why', 2, 10, 11, 12, 4, 5, 0, 6, '1', '2', '3', '4')",
            )
            .unwrap();
        create(&mut connection, MIGRATIONS).unwrap();
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
        assert_eq!(columns, 17);
        assert_eq!(text("PRAGMA integrity_check"), "ok");
    }

    #[test]
    fn a_migration_that_fails_half_way_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        create(&mut connection, MIGRATIONS).unwrap();
        let broken =
            [VERSION_1, VERSION_2, VERSION_3, VERSION_4, "ALTER TABLE meta ADD COLUMN more TEXT", "this is no SQL"];
        create(&mut connection, &broken).unwrap_err();
        assert_eq!(content(&connection).unwrap(), Content::Store { version: 4 });
        more(&connection).unwrap_err();
    }

    #[test]
    fn a_newer_store_is_refused_by_its_number() {
        let mut connection = Connection::open_in_memory().unwrap();
        create(&mut connection, NEXT).unwrap();
        let refused = check_version(&connection, "s", MIGRATIONS);
        assert!(matches!(refused, Err(OpenError::NewerSchema { found: 5, known: 4, .. })), "{refused:?}");
        check_version(&connection, "s", NEXT).unwrap();
    }

    #[test]
    fn a_database_of_another_application_is_refused() {
        for foreign in ["CREATE TABLE t (x)", "PRAGMA user_version = 3", "PRAGMA application_id = 5"] {
            let connection = Connection::open_in_memory().unwrap();
            check(&connection, "s", None).unwrap();
            connection.execute_batch(foreign).unwrap();
            assert!(matches!(check(&connection, "s", None), Err(OpenError::Corrupt { .. })), "{foreign}");
        }
    }
}
