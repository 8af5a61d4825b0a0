//! The tables, and how a schema of a database becomes a store or is refused.

use std::time::Duration;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::connection::{Link, Parameter, Step};
use super::errors::open_error;
use crate::model::{Epoch, PartitionCount};
use crate::store::OpenError;

/// The schema version of this build.
const VERSION: i64 = 1;
/// The newest format of records, messages and operations that this build reads. It is also the one that a new store has.
const WRITE_FORMAT: i64 = 1;
/// The number that a worker of this build compares with `hub.min_worker`.
const WORKER: i64 = 1;

/// How often another process may win the race to create the tables, or hold their locks.
const ATTEMPTS: u32 = 60;
const PAUSE: Duration = Duration::from_millis(100);

/// Everything that a user chose is `bytea`, because `text` cannot contain every character. Rows that come and go with the
/// work are vacuumed early. `progress` leaves room on its pages, so that a change needs no new entry in an index.
const TABLES: &str = "
    CREATE SEQUENCE @epoch_seq MINVALUE 1 MAXVALUE 1073741823 NO CYCLE;
    CREATE TABLE @hub (
        one          int8 PRIMARY KEY CHECK (one = 1),
        version      int8 NOT NULL,
        min_worker   int8 NOT NULL,
        write_format int8 NOT NULL,
        timeline     text,
        partitions   int8 NOT NULL,
        store_id     uuid NOT NULL
    );
    CREATE TABLE @worker (
        id          uuid        PRIMARY KEY,
        renewals    int8        NOT NULL,
        expires_at  timestamptz NOT NULL,
        build       bytea,
        code_digest bytea
    ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
    CREATE TABLE @partition (
        id      int8 PRIMARY KEY,
        owner   uuid,
        claim   uuid,
        epoch   int8 NOT NULL,
        clean   bool NOT NULL,
        suspect bytea
    ) WITH (fillfactor = 50);
    CREATE TABLE @instance (
        key              int8  PRIMARY KEY,
        partition        int8  NOT NULL,
        id               text  COLLATE \"C\" NOT NULL UNIQUE,
        name             bytea NOT NULL,
        version          bytea NOT NULL,
        execution        int8  NOT NULL,
        created_at       int8  NOT NULL,
        start_at         int8,
        depth            int8  NOT NULL,
        start_hash       int8  NOT NULL,
        parent_id        text  COLLATE \"C\",
        parent_key       int8,
        parent_execution int8,
        parent_operation int8,
        tags             bytea,
        input            bytea NOT NULL
    );
    CREATE INDEX instance_created ON @instance (created_at, key);
    CREATE TABLE @progress (
        key                   int8 PRIMARY KEY,
        status                int8 NOT NULL,
        parked                bytea,
        updated_at            int8 NOT NULL,
        ended_at              int8,
        custom_status_version int8 NOT NULL,
        revision              int8 NOT NULL,
        custom_status         bytea,
        output                bytea,
        failure               bytea
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
    CREATE INDEX progress_parked ON @progress (key) WHERE parked IS NOT NULL;
    CREATE TABLE @history (
        key       int8  NOT NULL,
        execution int8  NOT NULL,
        turn      int8  NOT NULL,
        time      int8  NOT NULL,
        record    bytea NOT NULL,
        PRIMARY KEY (key, execution, turn)
    );
    CREATE TABLE @inbox (
        partition int8  NOT NULL,
        id        int8  NOT NULL,
        message   bytea NOT NULL,
        PRIMARY KEY (partition, id)
    ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
    CREATE TABLE @task (
        key       int8  NOT NULL,
        execution int8  NOT NULL,
        operation int8  NOT NULL,
        turn      int8  NOT NULL,
        name      bytea NOT NULL,
        partition int8  NOT NULL,
        PRIMARY KEY (key, execution, operation)
    ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
    CREATE INDEX task_partition ON @task (partition);
    CREATE TABLE @timer (
        partition int8 NOT NULL,
        fire_at   int8 NOT NULL,
        key       int8 NOT NULL,
        execution int8 NOT NULL,
        operation int8 NOT NULL,
        PRIMARY KEY (partition, fire_at, key, execution, operation)
    ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);";

/// What is known about an open store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hub {
    pub(super) partitions: PartitionCount,
    pub(super) store_id: Uuid,
}

/// Creates the tables if there are none, and refuses a store that this build cannot use. `partitions` is the requested
/// number of partitions.
pub(super) async fn open(
    link: &mut Link,
    store: &str,
    schema: &str,
    partitions: Option<PartitionCount>,
    default: PartitionCount,
) -> Result<Hub, OpenError> {
    let mut last = None;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        if exists(link, schema).await.map_err(|error| open_error(store, &error))? {
            return check(link, store, partitions).await;
        }
        match create(link, schema, partitions.unwrap_or(default)).await {
            Ok(()) => {}
            Err(error) if is_race(&error) => {
                last = Some(error);
                // If this fails, so does the next statement.
                let _ = link.execute("ROLLBACK").await;
            }
            Err(error) => return Err(open_error(store, &error)),
        }
    }
    Err(last.map_or_else(
        || OpenError::Failed { store: store.to_owned(), detail: "its tables could not be created".to_owned() },
        |error| open_error(store, &error),
    ))
}

/// Whether another process creates the same tables.
fn is_race(error: &Error) -> bool {
    let races = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
    ];
    error.code().is_some_and(|code| races.contains(code))
}

async fn exists(link: &mut Link, schema: &str) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = 'hub')";
    let rows = link.query(Step::new(sql, vec![Box::new(schema.to_owned())])).await?;
    rows.first().map_or(Ok(false), |row| row.try_get(0))
}

async fn create(link: &mut Link, schema: &str, partitions: PartitionCount) -> Result<(), Error> {
    link.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE").await?;
    let there = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
    if link.query(Step::new(there, vec![Box::new(schema.to_owned())])).await?.is_empty() {
        link.execute(&format!("CREATE SCHEMA \"{schema}\"")).await?;
    }
    link.execute(TABLES).await?;
    let hub = "INSERT INTO @hub (one, version, min_worker, write_format, partitions, store_id)
        VALUES (1, $1, 1, $2, $3, $4)";
    let count = i64::from(partitions.get());
    let values: Vec<Parameter<'_>> =
        vec![Box::new(VERSION), Box::new(WRITE_FORMAT), Box::new(count), Box::new(Uuid::new_v4())];
    link.query(Step::new(hub, values)).await?;
    // Nobody owned the partitions yet, so no owner can have crashed.
    let all = "INSERT INTO @partition (id, epoch, clean) SELECT id, 0, true FROM generate_series(0, $1::int8 - 1) id";
    link.query(Step::new(all, vec![Box::new(count)])).await?;
    link.execute("COMMIT").await
}

async fn check(link: &mut Link, store: &str, partitions: Option<PartitionCount>) -> Result<Hub, OpenError> {
    let failed = |error: Error| open_error(store, &error);
    let corrupt = |detail: String| OpenError::Corrupt { store: store.to_owned(), detail };
    let newer = |found| OpenError::NewerSchema { store: store.to_owned(), found, known: VERSION };
    // These columns stay the same in all versions, so that older builds can read them and refuse the store.
    let sql = "SELECT version, min_worker, write_format, partitions, store_id FROM @hub";
    let rows = link.query(Step::new(sql, Vec::new())).await.map_err(failed)?;
    let row = rows.first().ok_or_else(|| corrupt("its table `hub` has no row".to_owned()))?;
    let [version, min_worker, write_format, count] =
        [row.try_get::<_, i64>(0), row.try_get(1), row.try_get(2), row.try_get(3)];
    let (version, min_worker) = (version.map_err(failed)?, min_worker.map_err(failed)?);
    if version > VERSION {
        return Err(newer(version));
    }
    let write_format = write_format.map_err(failed)?;
    if min_worker > WORKER || write_format > WRITE_FORMAT {
        let detail = format!(
            "its workers must understand format {write_format} and have at least the number {min_worker}, but this build \
             understands format {WRITE_FORMAT} and has the number {WORKER}: run a newer version of persevere"
        );
        return Err(OpenError::Failed { store: store.to_owned(), detail });
    }
    let found = count.ok().and_then(|count| u16::try_from(count).ok()).and_then(PartitionCount::new);
    let found = found.ok_or_else(|| corrupt("the stored number of partitions is not one".to_owned()))?;
    match partitions {
        Some(asked) if asked != found => {
            Err(OpenError::Partitions { store: store.to_owned(), found: found.get(), asked: asked.get() })
        }
        _ => Ok(Hub { partitions: found, store_id: row.try_get(4).map_err(failed)? }),
    }
}

/// The epochs that the sequence of the tables gives.
const _: () = assert!(Epoch::LAST.0 == 1_073_741_823, "the sequence ends where keys would repeat");
