//! Stores that older versions wrote can be opened, and their instances continue.

mod program;

use std::fs;
use std::path::{Path, PathBuf};

use persevere::model::Timestamp;
use persevere::prelude::*;
use persevere::store::{OpenError, Store};
use persevere::testing::ManualClock;
use persevere::{ResultError, RuntimeStatus};
use persevere_tests::{handle, in_time, root};
use rusqlite::Connection;

use self::program::*;

/// The time at which the stores were written.
const WRITTEN: Timestamp = Timestamp(1_700_000_000_000_000);

/// Returns a copy of a store in `data`.
struct Copy {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn copy(name: &str) -> Copy {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::copy(root().join("tests/migration/data").join(name), &path).unwrap();
    Copy { _folder: folder, path }
}

fn number(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Returns the largest key or inbox id. Later ones must be larger.
fn largest_number(path: &Path) -> i64 {
    number(path, "SELECT max((SELECT max(key) FROM history), (SELECT max(id) FROM inbox))")
}

async fn runtime(store: SqliteStore, clock: &ManualClock) -> Runtime {
    let builder = Runtime::builder().store(store).auto_register().state(TasksEnd(true)).clock(clock.clone());
    builder.start().await.unwrap()
}

#[test]
fn a_store_of_schema_2_has_one_partition() {
    let copy = copy("schema_2.db");
    assert_eq!(number(&copy.path, "SELECT schema_version FROM meta"), 2);
    let before = fs::read(&copy.path).unwrap();
    let refused = SqliteStore::builder(&copy.path).partitions(2).open().unwrap_err();
    assert!(matches!(refused, OpenError::Partitions { found: 1, asked: 2, .. }), "{refused:?}");
    assert_eq!(fs::read(&copy.path).unwrap(), before, "a store that is refused is left as it is");
    let store = SqliteStore::builder(&copy.path).partitions(1).open().unwrap();
    assert_eq!(store.partitions().get(), 1);
    drop(store);
    assert_eq!(SqliteStore::open(&copy.path).unwrap().partitions().get(), 1);
}

#[tokio::test]
async fn p23_keys_rise_over_a_migration() {
    let copy = copy("schema_2.db");
    let (last, epoch) = (largest_number(&copy.path), number(&copy.path, "SELECT epoch FROM meta"));
    let runtime = runtime(SqliteStore::open(&copy.path).unwrap(), &ManualClock::new(WRITTEN)).await;
    migrated_fails::start(runtime.client()).instance_id("new").await.unwrap();
    runtime.shutdown().await.unwrap();
    assert!(number(&copy.path, "SELECT key FROM instance WHERE id = 'new'") > last);
    assert_eq!(number(&copy.path, "SELECT epoch FROM partition"), 64 * (epoch + 1) + 1);
    assert_eq!(number(&copy.path, "SELECT clean FROM partition"), 1);
    let connection = Connection::open(&copy.path).unwrap();
    let checked: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(checked, "ok");
}

#[tokio::test]
async fn instances_of_a_store_with_schema_2_continue() {
    let copy = copy("schema_2.db");
    let clock = ManualClock::new(WRITTEN);
    let runtime = runtime(SqliteStore::open(&copy.path).unwrap(), &clock).await;
    let sum = |id| handle::<migrated_sum>(&runtime, id);

    // Instances that had ended are unchanged.
    assert_eq!(sum("completed").result().await.unwrap(), 7);
    let ResultError::Terminated { reason } = sum("terminated").result().await.unwrap_err() else {
        panic!("not terminated")
    };
    assert_eq!(reason, "no longer needed");
    let failed = handle::<migrated_fails>(&runtime, "failed");
    let error = failed.result().await.unwrap_err();
    assert!(format!("{error:#}").contains("it failed on purpose"), "{error:?}");

    // Unfinished instances continue: one whose activity was cut off, one that was parked, one that waits, and one that
    // was suspended.
    let busy = handle::<migrated_busy>(&runtime, "busy");
    assert_eq!(in_time(busy.result()).await.unwrap(), "work is done");
    // Its event arrived while its code was missing.
    let parked = handle::<migrated_absent>(&runtime, "parked");
    assert_eq!(in_time(parked.result()).await.unwrap(), 5);
    let metadata = sum("running").metadata().await.unwrap();
    assert_eq!(
        (metadata.runtime_status(), metadata.read_custom_status_as::<i64>().unwrap()),
        (RuntimeStatus::Running, Some(3))
    );
    assert_eq!(metadata.tags().get("team").map(String::as_str), Some("blue"));
    sum("running").raise_event(Amount(4)).await.unwrap();
    assert_eq!(in_time(sum("running").result()).await.unwrap(), 7);
    assert_eq!(sum("suspended").metadata().await.unwrap().runtime_status(), RuntimeStatus::Suspended);
    sum("suspended").resume("").await.unwrap();
    assert_eq!(in_time(sum("suspended").result()).await.unwrap(), 30);
    sum("child").raise_event(Amount(8)).await.unwrap();
    assert_eq!(in_time(handle::<migrated_parent>(&runtime, "parent").result()).await.unwrap(), 8);
    let rounds = handle::<migrated_rounds>(&runtime, "rounds");
    assert_eq!(rounds.metadata().await.unwrap().execution(), 3);
    rounds.raise_event(Amount(0)).await.unwrap();
    assert_eq!(in_time(rounds.result()).await.unwrap(), 3);

    // Timers fire when they are due. Messages that had no room are taken in order.
    let (nap, full) = (handle::<migrated_nap>(&runtime, "napping"), handle::<migrated_full>(&runtime, "full"));
    assert_eq!(sum("delayed").metadata().await.unwrap().runtime_status(), RuntimeStatus::Pending);
    assert_eq!(nap.metadata().await.unwrap().runtime_status(), RuntimeStatus::Running);
    assert_eq!(full.metadata().await.unwrap().runtime_status(), RuntimeStatus::Running);
    clock.advance(HOUR);
    assert_eq!(in_time(nap.result()).await.unwrap(), "rested");
    assert_eq!(in_time(full.result()).await.unwrap(), [1, 2, 3]);
    sum("delayed").raise_event(Amount(9)).await.unwrap();
    assert_eq!(in_time(sum("delayed").result()).await.unwrap(), 9);
    runtime.shutdown().await.unwrap();
    let left = "SELECT (SELECT count(*) FROM task) + (SELECT count(*) FROM timer) + (SELECT count(*) FROM inbox)";
    assert_eq!(number(&copy.path, left), 0, "work is left over");
    assert_eq!(number(&copy.path, "SELECT count(*) FROM instance"), 14);
}
