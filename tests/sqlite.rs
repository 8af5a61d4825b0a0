//! What applies only to the SQLite store: other processes can hold, damage or fill the file, or delete its lock.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test fails it")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use persevere::model::{
    CommitBatch, Epoch, Execution, Head, HeadChange, InboxId, InboxRow, InstanceId, InstanceKey, Life, OperationId,
    PartitionId, Progress, RecordRow, RuntimeStatus, TimerRow, Timestamp, TurnCommit,
};
use persevere::store::{
    CommitError, Durability, FileCheck, InstanceFilter, InstanceQuery, InstanceRef, LoadError, OpenError, SqliteStore,
    Store,
};
use tempfile::TempDir;

const KEY: InstanceKey = InstanceKey(1);

struct Place {
    _folder: TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    Place { _folder: folder, path }
}

/// Opens the store without waiting for another owner.
fn open_at_once(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::builder(path).lock_wait(Duration::ZERO).open()
}

/// Opens a damaged file.
fn open_unchecked(path: &Path) -> SqliteStore {
    SqliteStore::builder(path).check(FileCheck::Never).open().unwrap()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

const PARTITION: PartitionId = PartitionId::FIRST;

fn batch(epoch: Epoch, turn: TurnCommit) -> Arc<CommitBatch> {
    Arc::new(CommitBatch::new(PARTITION, epoch, vec![turn]))
}

fn message(id: u64, size: usize) -> TurnCommit {
    let row = InboxRow::new(PARTITION, InboxId(id), vec![7; size].into());
    TurnCommit::with(|turn| turn.inbox_new = vec![row])
}

fn head(key: InstanceKey) -> Head {
    let life = Life::new(key, InstanceId::new(format!("i{}", key.0)).unwrap(), "hello", Timestamp(0));
    Head::new(life, Progress::new(RuntimeStatus::Running, Timestamp(0)))
}

fn insert(key: InstanceKey) -> TurnCommit {
    TurnCommit::with(|turn| turn.head = HeadChange::Insert(head(key)))
}

fn instance() -> TurnCommit {
    let mut turn = insert(KEY);
    turn.record = Some(RecordRow::new(KEY, Execution(0), 0, Timestamp(0), vec![1, 2, 3].into()));
    turn
}

fn timer() -> TurnCommit {
    let row = TimerRow { fire_at: Timestamp(1), key: KEY, execution: Execution(0), operation: OperationId(1) };
    TurnCommit::with(|turn| turn.timers_new = vec![row])
}

/// Runs SQL on a file, as another program would.
fn meddle(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn b09_a_second_runtime_in_one_process_is_refused() {
    let place = place();
    let store = SqliteStore::open(&place.path).unwrap();
    let refused = open_at_once(&place.path).unwrap_err();
    assert!(matches!(&refused, OpenError::InUse { store } if store.ends_with("store.db")), "{refused:?}");
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    store.commit(batch(epoch, message(1, 1))).await.unwrap();
    drop(store);
    SqliteStore::open(&place.path).unwrap();
}

#[cfg(unix)]
#[test]
fn b09_another_name_of_the_file_is_no_way_around_the_lock() {
    let place = place();
    let _store = SqliteStore::open(&place.path).unwrap();
    let other_name = beside(&place.path, ".link");
    std::os::unix::fs::symlink(&place.path, &other_name).unwrap();
    assert!(matches!(open_at_once(&other_name), Err(OpenError::InUse { .. })));
}

const OWNED: &str = "PERSEVERE_TEST_OWNED_DATABASE";

/// The second process of the next test. Without the variable it has nothing to own.
#[test]
fn owner_in_another_process() {
    let Some(path) = std::env::var_os(OWNED) else { return };
    let _store = SqliteStore::open(path).unwrap();
    writeln!(std::io::stdout(), "\nopened").unwrap();
    // This waits until the process is killed.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn b09_a_second_process_is_refused_until_the_first_is_killed() {
    let place = place();
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite::owner_in_another_process", "--nocapture"])
        .env(OWNED, &place.path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "opened"), "the second process did not open the store");
    assert!(matches!(open_at_once(&place.path), Err(OpenError::InUse { .. })));
    owner.kill().unwrap();
    owner.wait().unwrap();
    open_at_once(&place.path).unwrap();
}

#[test]
fn a_newer_schema_is_refused_by_its_number_and_left_alone() {
    let place = place();
    drop(SqliteStore::open(&place.path).unwrap());
    meddle(&place.path, "UPDATE meta SET schema_version = 99");
    let refused = SqliteStore::open(&place.path).unwrap_err();
    assert!(matches!(refused, OpenError::NewerSchema { found: 99, known: 4, .. }), "{refused:?}");
    meddle(&place.path, "UPDATE meta SET schema_version = 4");
    SqliteStore::open(&place.path).unwrap();
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_as_it_is() {
    let place = place();
    let foreign = beside(&place.path, ".foreign");
    meddle(&foreign, "CREATE TABLE notes (text)");
    let text = beside(&place.path, ".txt");
    fs::write(&text, "this is a letter to a friend, not a database ".repeat(200)).unwrap();
    for path in [foreign, text] {
        let before = fs::read(&path).unwrap();
        let refused = SqliteStore::open(&path).unwrap_err();
        assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused:?}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_store() {
    let place = place();
    fs::write(&place.path, "").unwrap();
    assert!(SqliteStore::open(&place.path).unwrap().claim(PARTITION).await.unwrap().clean);
}

#[test]
fn a_path_that_leads_nowhere_is_named_in_the_error() {
    let place = place();
    let nowhere = place.path.join("missing").join("store.db");
    let refused = SqliteStore::open(&nowhere).unwrap_err();
    assert!(matches!(&refused, OpenError::Failed { store, .. } if Path::new(store) == nowhere), "{refused:?}");
    let folder = place.path.parent().unwrap();
    assert!(matches!(SqliteStore::open(folder), Err(OpenError::Failed { .. })));
    assert!(matches!(SqliteStore::open("/"), Err(OpenError::Failed { .. } | OpenError::ReadOnly { .. })));
}

/// Permission bits do not stop the superuser, but nobody can create files in this file system.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_read_only() {
    let refused = SqliteStore::open("/sys/persevere.db").unwrap_err();
    assert!(matches!(refused, OpenError::ReadOnly { .. }), "{refused:?}");
}

#[tokio::test]
async fn b04_a_full_disk_applies_nothing_and_the_same_batch_goes_through_later() {
    let place = place();
    let store = SqliteStore::builder(&place.path).max_pages(60).open().unwrap();
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    let mut stored = 0;
    let refused = loop {
        let next = batch(epoch, message(stored + 1, 20_000));
        match store.commit(Arc::clone(&next)).await {
            Ok(()) => stored += 1,
            Err(error) => break (next, error),
        }
    };
    assert!(stored > 1 && matches!(refused.1, CommitError::Full(_)), "{stored}: {:?}", refused.1);
    assert_eq!(store.load(PARTITION).await.unwrap().inbox.len() as u64, stored);
    // The store continues under the same epoch, and it accepts the batch when there is room.
    assert!(matches!(store.commit(Arc::clone(&refused.0)).await, Err(CommitError::Full(_))));
    let done = TurnCommit::with(|turn| turn.inbox_done = vec![InboxId(1), InboxId(2)]);
    store.commit(batch(epoch, done)).await.unwrap();
    store.commit(refused.0).await.unwrap();
    assert_eq!(store.load(PARTITION).await.unwrap().inbox.len() as u64, stored - 1);
}

#[tokio::test]
async fn b04_a_lock_held_by_somebody_outside_is_transient() {
    let place = place();
    let store = SqliteStore::open(&place.path).unwrap();
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    let outside = rusqlite::Connection::open(&place.path).unwrap();
    outside.execute_batch("BEGIN IMMEDIATE").unwrap();
    let next = batch(epoch, message(1, 1));
    let refused = store.commit(Arc::clone(&next)).await;
    assert!(matches!(refused, Err(CommitError::Transient(_))), "{refused:?}");
    outside.execute_batch("ROLLBACK").unwrap();
    store.commit(next).await.unwrap();
}

/// Overwrites the root page of a table, as a disk that lost the page would.
fn damage(path: &Path, table: &str) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let root: u32 = connection.query_row(sql, [table], |row| row.get(0)).unwrap();
    let size: u32 = connection.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
    drop(connection);
    let mut bytes = fs::read(path).unwrap();
    let start = usize::try_from((root - 1) * size).unwrap();
    bytes[start..start + usize::try_from(size).unwrap()].fill(0xa5);
    fs::write(path, bytes).unwrap();
}

async fn filled(path: &Path) {
    let store = SqliteStore::open(path).unwrap();
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    store.commit(batch(epoch, instance())).await.unwrap();
    store.close(PARTITION).await.unwrap();
}

#[tokio::test]
async fn b05_a_damaged_page_is_corrupt_and_never_absent() {
    let place = place();
    filled(&place.path).await;
    damage(&place.path, "timer");
    damage(&place.path, "history");
    assert!(matches!(SqliteStore::open(&place.path), Err(OpenError::Corrupt { .. })));
    let store = open_unchecked(&place.path);
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    let history = store.history(KEY, Execution(0)).await;
    assert!(matches!(history, Err(LoadError::Corrupt(_))), "{history:?}");
    let backlog = store.load(PARTITION).await;
    assert!(matches!(backlog, Err(LoadError::Corrupt(_))), "{backlog:?}");
    let refused = store.commit(batch(epoch, timer())).await;
    assert!(matches!(refused, Err(CommitError::Corrupt { instance: Some(KEY), .. })), "{refused:?}");
    // What is whole works, under the same epoch.
    store.commit(batch(epoch, message(1, 1))).await.unwrap();
}

#[tokio::test]
async fn b05_damage_refuses_one_batch_and_names_its_instance() {
    let place = place();
    let store = SqliteStore::builder(&place.path).partitions(3).check(FileCheck::Never).open().unwrap();
    for partition in store.partitions().all() {
        store.claim(partition).await.unwrap();
        store.close(partition).await.unwrap();
    }
    damage(&place.path, "timer");
    let [a, b] = [0, 1].map(PartitionId);
    let send = |partition, epoch, turns| store.commit(Arc::new(CommitBatch::new(partition, epoch, turns)));
    let to = |partition, id| {
        let row = InboxRow::new(partition, InboxId(id), vec![7].into());
        TurnCommit::with(|turn| turn.inbox_new = vec![row])
    };
    let [of_a, of_b] = [store.claim(a).await.unwrap().epoch, store.claim(b).await.unwrap().epoch];
    // The two are sent together, and may become one transaction.
    let damaged = vec![to(a, 1), insert(InstanceKey(9)), timer(), to(a, 2)];
    let (damaged, sound) = tokio::join!(send(a, of_a, damaged), send(b, of_b, vec![to(b, 3)]));
    assert!(matches!(damaged, Err(CommitError::Corrupt { instance: Some(KEY), .. })), "{damaged:?}");
    sound.unwrap();
    send(a, of_a, vec![to(a, 4)]).await.unwrap();
    let ids = |rows: Vec<InboxRow>| rows.into_iter().map(|row| row.id.0).collect::<Vec<_>>();
    assert_eq!(ids(store.inbox(a, Arc::default()).await.unwrap()), [4]);
    assert_eq!(ids(store.inbox(b, Arc::default()).await.unwrap()), [3]);
    assert_eq!(store.instance(InstanceRef::Key(InstanceKey(9)), false).await.unwrap(), None);
}

#[tokio::test]
async fn the_number_of_partitions_is_fixed_when_a_store_is_created() {
    let place = place();
    for asked in [0, 1_025] {
        let refused = SqliteStore::builder(&place.path).partitions(asked).open().unwrap_err();
        assert!(matches!(refused, OpenError::Failed { .. }), "{refused:?}");
        assert!(
            refused.to_string().contains(&format!("1 to 1024 partitions, but {asked} were requested")),
            "{refused}"
        );
        assert!(!place.path.exists());
    }
    assert_eq!(SqliteStore::builder(&place.path).partitions(7).open().unwrap().partitions().get(), 7);
    assert_eq!(SqliteStore::open(&place.path).unwrap().partitions().get(), 7);
    assert_eq!(SqliteStore::builder(&place.path).partitions(7).open().unwrap().partitions().get(), 7);
    for asked in [1, 6, 8] {
        let refused = SqliteStore::builder(&place.path).partitions(asked).open().unwrap_err();
        assert!(matches!(refused, OpenError::Partitions { found: 7, asked: a, .. } if a == asked), "{refused:?}");
    }
    let other = beside(&place.path, ".one");
    assert_eq!(SqliteStore::open(&other).unwrap().partitions().get(), 1);
    let refused = SqliteStore::builder(&other).partitions(2).open().unwrap_err();
    assert!(matches!(refused, OpenError::Partitions { found: 1, asked: 2, .. }), "{refused:?}");
}

#[tokio::test]
async fn the_file_is_let_go_of_when_the_last_partition_is_closed() {
    let place = place();
    let store = SqliteStore::builder(&place.path).partitions(2).open().unwrap();
    let [a, b] = [0, 1].map(PartitionId);
    store.claim(a).await.unwrap();
    let epoch = store.claim(b).await.unwrap().epoch;
    store.close(a).await.unwrap();
    assert!(matches!(open_at_once(&place.path), Err(OpenError::InUse { .. })));
    store.commit(Arc::new(CommitBatch::new(b, epoch, vec![instance()]))).await.unwrap();
    assert!(store.instance(InstanceRef::Key(KEY), false).await.unwrap().is_some());
    store.close(b).await.unwrap();
    assert!(matches!(store.instance(InstanceRef::Key(KEY), false).await, Err(LoadError::Transient(_))));
    let second = open_at_once(&place.path).unwrap();
    assert!(second.claim(a).await.unwrap().clean && second.claim(b).await.unwrap().clean);
    drop(second);
    // Two concurrent claims open the file once.
    let (of_a, of_b) = tokio::join!(store.claim(a), store.claim(b));
    assert!(!of_a.unwrap().clean && !of_b.unwrap().clean);
    store.close(a).await.unwrap();
    store.close(b).await.unwrap();
}

#[tokio::test]
async fn b05_a_store_whose_meta_table_is_damaged_is_refused() {
    let place = place();
    filled(&place.path).await;
    damage(&place.path, "meta");
    let refused = SqliteStore::open(&place.path).unwrap_err();
    assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused:?}");
}

#[tokio::test]
async fn b05_a_damaged_head_is_corrupt_and_never_absent() {
    let damages = [
        "UPDATE progress SET status = 99",
        "UPDATE instance SET tags = 'no JSON'",
        "UPDATE progress SET failure = 'no JSON'",
        "UPDATE instance SET id = 'a/b'",
        "UPDATE instance SET execution = -1",
        "UPDATE instance SET parent_id = 'p'",
        "DELETE FROM progress",
    ];
    for change in damages {
        let place = place();
        filled(&place.path).await;
        meddle(&place.path, change);
        let store = SqliteStore::open(&place.path).unwrap();
        let read = store.instance(InstanceRef::Key(KEY), false).await;
        assert!(matches!(read, Err(LoadError::Corrupt(_))), "{change}: {read:?}");
    }
}

#[tokio::test]
async fn b05_a_record_is_returned_as_it_is_stored() {
    let place = place();
    filled(&place.path).await;
    meddle(&place.path, "UPDATE history SET record = x'010203ff'");
    let store = SqliteStore::open(&place.path).unwrap();
    // The reader of the record checks its checksum: a store never looks inside a record.
    assert_eq!(store.history(KEY, Execution(0)).await.unwrap().unwrap(), [vec![1, 2, 3, 255]]);
}

#[tokio::test]
async fn b05_tasks_without_their_instance_are_corrupt() {
    let place = place();
    filled(&place.path).await;
    meddle(&place.path, "INSERT INTO task (key, execution, operation, turn, name) VALUES (55, 0, 1, 0, 'say_hello')");
    let store = SqliteStore::open(&place.path).unwrap();
    store.claim(PARTITION).await.unwrap();
    assert!(matches!(store.load(PARTITION).await, Err(LoadError::Corrupt(_))));
}

#[tokio::test]
async fn b23_the_log_stays_short_under_load() {
    const MIB: u64 = 1 << 20;
    let place = place();
    let store = SqliteStore::builder(&place.path).durability(Durability::Relaxed).open().unwrap();
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    for id in 0..200 {
        store.commit(batch(epoch, message(id, 250_000))).await.unwrap();
    }
    let log = fs::metadata(beside(&place.path, "-wal")).unwrap().len();
    assert!(log < 8 * MIB, "the log has {log} bytes after 50 MB of commits");
    assert!(fs::metadata(&place.path).unwrap().len() > 40 * MIB);
}

#[tokio::test]
async fn b23_the_log_shrinks_again_after_a_long_reader() {
    const MIB: u64 = 1 << 20;
    let place = place();
    let store = SqliteStore::builder(&place.path).durability(Durability::Relaxed).open().unwrap();
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    let reader = rusqlite::Connection::open(&place.path).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM meta").unwrap();
    let log = || fs::metadata(beside(&place.path, "-wal")).unwrap().len();
    let mut id = 0;
    while log() < 40 * MIB {
        replace_message(&store, epoch, &place.path, id).await;
        id += 1;
    }
    drop(reader);
    for _ in 0..200 {
        replace_message(&store, epoch, &place.path, id).await;
        id += 1;
    }
    assert!(log() < 20 * MIB, "the log still has {} bytes", log());
}

#[tokio::test]
async fn a_file_is_compacted_on_request() {
    let place = place();
    let (store, epoch) = with_instances(&place.path, 500).await;
    store.commit(batch(epoch, message(1, 2_000_000))).await.unwrap();
    store.commit(batch(epoch, TurnCommit::with(|turn| turn.inbox_done = vec![InboxId(1)]))).await.unwrap();
    store.close(PARTITION).await.unwrap();
    let size = || fs::metadata(&place.path).unwrap().len();
    assert!(size() > 2_000_000);
    SqliteStore::open(&place.path).unwrap().close(PARTITION).await.unwrap();
    assert!(size() > 2_000_000, "only on request");
    let store = SqliteStore::builder(&place.path).compact().open().unwrap();
    assert!(size() < 500_000, "{} bytes", size());
    for number in 1..=500 {
        assert!(store.instance(InstanceRef::Key(InstanceKey(number)), false).await.unwrap().is_some());
    }
}

/// Creates a store with this many instances.
async fn with_instances(path: &Path, count: u64) -> (Arc<SqliteStore>, Epoch) {
    let store = SqliteStore::builder(path).durability(Durability::Relaxed).open().unwrap();
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    let turns = (1..=count).map(|number| insert(InstanceKey(number))).collect();
    store.commit(Arc::new(CommitBatch::new(PARTITION, epoch, turns))).await.unwrap();
    (Arc::new(store), epoch)
}

/// Replaces the previous message with one of 250 kB, and returns the length of the log.
async fn replace_message(store: &SqliteStore, epoch: Epoch, path: &Path, id: u64) -> u64 {
    let inbox_done = if id == 0 { vec![] } else { vec![InboxId(id - 1)] };
    let mut turn = message(id, 250_000);
    turn.inbox_done = inbox_done;
    store.commit(batch(epoch, turn)).await.unwrap();
    fs::metadata(beside(path, "-wal")).unwrap().len()
}

#[tokio::test]
async fn b23_a_slow_consumer_of_a_list_does_not_hold_the_log() {
    const MIB: u64 = 1 << 20;
    let place = place();
    let (store, epoch) = with_instances(&place.path, 200).await;
    let mut query = InstanceQuery::default();
    query.limit = 4;
    let (mut seen, mut longest, mut commits) = (0, 0, 0);
    loop {
        let page = store.query(query.clone()).await.unwrap();
        seen += page.instances.len();
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
        for _ in 0..5 {
            longest = longest.max(replace_message(&store, epoch, &place.path, commits).await);
            commits += 1;
        }
    }
    assert_eq!((seen, commits), (200, 245));
    assert!(longest < 8 * MIB, "the log had {longest} bytes while 60 MB were committed");
}

#[tokio::test]
async fn b23_consumers_that_read_without_a_gap_do_not_hold_the_log() {
    const MIB: u64 = 1 << 20;
    let place = place();
    let (store, epoch) = with_instances(&place.path, 5_000).await;
    let consumers: Vec<_> = (0..4)
        .map(|_| {
            let store = Arc::clone(&store);
            // Reads every row again and again until the test ends.
            let filter = InstanceFilter::new().name("none");
            let mut query = InstanceQuery::default();
            (query.filter, query.limit) = (filter, 10);
            tokio::spawn(async move {
                loop {
                    assert!(store.query(query.clone()).await.unwrap().instances.is_empty());
                }
            })
        })
        .collect();
    let mut longest = 0;
    for id in 0..600 {
        longest = longest.max(replace_message(&store, epoch, &place.path, id).await);
    }
    assert!(!consumers.iter().any(tokio::task::JoinHandle::is_finished), "a page failed");
    consumers.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(longest < 64 * MIB, "the log had {longest} bytes while 150 MB were committed");
}

#[tokio::test]
async fn closing_leaves_the_database_its_lock_and_its_mark() {
    let place = place();
    filled(&place.path).await;
    let mut names: Vec<_> =
        fs::read_dir(place.path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["store.db", "store.db.lock", "store.db.mark"]);
}

#[tokio::test]
async fn reads_of_a_closed_store_fail_and_do_not_wait() {
    let place = place();
    let store = SqliteStore::open(&place.path).unwrap();
    store.close(PARTITION).await.unwrap();
    assert!(matches!(store.instance(InstanceRef::Key(KEY), false).await, Err(LoadError::Transient(_))));
    assert!(matches!(store.load(PARTITION).await, Err(LoadError::Transient(_))));
    store.claim(PARTITION).await.unwrap();
    assert_eq!(store.instance(InstanceRef::Key(KEY), false).await.unwrap(), None);
}

#[test]
fn a_path_that_can_be_no_database_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for (path, expected) in [
        (PathBuf::from(":memory:"), "MemoryStore"),
        (folder.path().to_owned(), "is a folder"),
        (folder.path().join("missing").join("a.db"), "does not exist: create it first"),
    ] {
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(matches!(error, OpenError::Failed { .. }) && error.to_string().contains(expected), "{error}");
    }
}
