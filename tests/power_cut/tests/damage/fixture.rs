//! A small database with pages of every kind, and copies of it in which one bit is flipped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use persevere::model::{
    CommitBatch, Epoch, Execution, Head, HeadChange, InboxId, InboxRow, InstanceId, InstanceKey, JsonText, Life,
    OperationId, PartitionId, Progress, RecordRow, RuntimeStatus, TaskId, TaskRow, TimerRow, Timestamp, TurnCommit,
};
use persevere::store::{Backlog, CommitError, Durability, InstanceRef, OpenError, SqliteStore, Store, StoredInstance};
use tempfile::TempDir;

pub(crate) const PARTITION: PartitionId = PartitionId::FIRST;
/// The smallest page that SQLite has, so that a small database has many of them.
pub(crate) const PAGE: usize = 512;

pub(crate) const LOG: &str = "-wal";

/// How many instances there are.
const INSTANCES: u64 = 40;

/// The files of a database, and what it holds.
pub(crate) struct Fixture {
    /// By what follows the name of the database.
    pub(crate) files: BTreeMap<&'static str, Vec<u8>>,
    pub(crate) instances: Vec<StoredInstance>,
    pub(crate) backlog: Backlog,
    /// The pages of each kind, numbered from 0, and the name of the kind: the table or index and what the page is in it.
    pub(crate) pages: BTreeMap<String, Vec<usize>>,
}

/// How the last owner leaves the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Cleanly closed.
    Closed,
    /// Not closed, and the log is copied.
    Dropped,
    /// As it is while the owner runs.
    Running,
}

/// A folder that is kept in memory where there is one: no power is cut here, and a sync would take longer than the test.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Where the database of a test is.
pub(crate) fn database(folder: &Path) -> PathBuf {
    folder.join("store.db")
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

pub(crate) fn key(number: u64) -> InstanceKey {
    InstanceKey(1 << 40 | number)
}

pub(crate) fn id(number: u64) -> InstanceId {
    InstanceId::new(format!("order-{:04}-of-{}", number * 37 % 1_000, number)).unwrap()
}

pub(crate) fn turn(change: impl FnOnce(&mut TurnCommit)) -> TurnCommit {
    TurnCommit::with(change)
}

pub(crate) fn record(number: u64, turn_number: u64, size: usize) -> RecordRow {
    let bytes = vec![u8::try_from(turn_number).unwrap(); size];
    RecordRow::new(key(number), Execution(0), turn_number, Timestamp(10), bytes.into())
}

pub(crate) fn first_turn(number: u64, size: usize) -> TurnCommit {
    let mut life = Life::new(key(number), id(number), "hello", Timestamp(1_000 + number.cast_signed()));
    life.input = JsonText::from_string(format!("\"{}\"", "x".repeat(size)));
    let head = Head::new(life, Progress::new(RuntimeStatus::Running, Timestamp(2)));
    turn(|turn| {
        turn.head = HeadChange::Insert(head);
        turn.record = Some(record(number, 0, size));
    })
}

/// What an instance does after its first turn: it depends on its number which rows it leaves.
fn later_turns(number: u64) -> Vec<TurnCommit> {
    let operation = |number| OperationId(number);
    let mut turns: Vec<_> =
        (1..=number % 5).map(|at| turn(|turn| turn.record = Some(record(number, at, 40)))).collect();
    if number.is_multiple_of(2) {
        let id = TaskId { key: key(number), execution: Execution(0), operation: operation(1) };
        turns.push(turn(|turn| turn.tasks_new = vec![TaskRow::new(id, 0, "work")]));
    }
    let row = TimerRow {
        fire_at: Timestamp(1_000_000 * number.cast_signed()),
        key: key(number),
        execution: Execution(0),
        operation: operation(2),
    };
    turns.push(turn(|turn| turn.timers_new = vec![row]));
    if number.is_multiple_of(3) {
        let row = InboxRow::new(PARTITION, InboxId(number), vec![7; 30].into());
        turns.push(turn(|turn| turn.inbox_new = vec![row]));
    }
    turns
}

impl Fixture {
    /// Fills a database, which its owner leaves in this way.
    pub(crate) async fn new(left: Left) -> Self {
        let folder = folder();
        let path = database(folder.path());
        with_small_pages(&path);
        // The mark is written only if each commit is synced.
        let store = SqliteStore::open(&path).unwrap();
        let epoch = store.claim(PARTITION).await.unwrap().epoch;
        let rest = INSTANCES..INSTANCES + 6;
        for number in 0..rest.end {
            let size = if number.is_multiple_of(9) { 1_500 } else { 60 };
            let turns = [vec![first_turn(number, size)], later_turns(number)].concat();
            commit(&store, epoch, turns).await.unwrap();
        }
        // The pages of some instances become free.
        for number in rest {
            let mut gone = turn(|turn| turn.purge = Some(key(number)));
            for turn in later_turns(number) {
                gone.tasks_done.extend(turn.tasks_new.iter().map(|row| row.id));
                gone.timers_done.extend(turn.timers_new);
                gone.inbox_done.extend(turn.inbox_new.iter().map(|row| row.id));
            }
            commit(&store, epoch, vec![gone]).await.unwrap();
        }
        let mut instances = Vec::new();
        for number in 0..INSTANCES {
            instances.push(store.instance(InstanceRef::Id(id(number)), true).await.unwrap().unwrap());
        }
        let backlog = store.load(PARTITION).await.unwrap();
        let mut files = BTreeMap::new();
        match left {
            Left::Running => {
                for suffix in ["", LOG, ".mark"] {
                    files.insert(suffix, fs::read(beside(&path, suffix)).unwrap());
                }
            }
            Left::Closed => store.close(PARTITION).await.unwrap(),
            Left::Dropped => {
                drop(store);
                // The store is gone when its lock is.
                fs::File::open(beside(&path, ".lock")).unwrap().lock().unwrap();
            }
        }
        match left {
            Left::Running => Self { files, instances, backlog, pages: BTreeMap::new() },
            _ => Self::of(&path, instances, backlog),
        }
    }

    /// Reads the files of a database that nobody has open.
    pub(crate) fn of(path: &Path, instances: Vec<StoredInstance>, backlog: Backlog) -> Self {
        Self { files: BTreeMap::from([("", fs::read(path).unwrap())]), instances, backlog, pages: pages(path) }
    }

    /// Writes the files with one bit flipped.
    pub(crate) fn write(&self, path: &Path, file: &str, bit: usize) {
        for (suffix, bytes) in &self.files {
            let mut bytes = bytes.clone();
            if *suffix == file {
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            fs::write(beside(path, suffix), bytes).unwrap();
        }
    }
}

/// Makes an empty database with the smallest pages that there are.
pub(crate) fn with_small_pages(path: &Path) {
    let empty = rusqlite::Connection::open(path).unwrap();
    empty.execute_batch(&format!("PRAGMA page_size = {PAGE}; VACUUM")).unwrap();
}

/// A sync adds nothing here, because no power is cut.
pub(crate) fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::builder(path).durability(Durability::Relaxed).open()
}

pub(crate) async fn commit(store: &SqliteStore, epoch: Epoch, turns: Vec<TurnCommit>) -> Result<(), CommitError> {
    store.commit(Arc::new(CommitBatch::new(PARTITION, epoch, turns))).await
}

fn pages(path: &Path) -> BTreeMap<String, Vec<usize>> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut pages = BTreeMap::<String, Vec<usize>>::new();
    let mut free: Vec<bool> =
        vec![true; connection.query_row("PRAGMA page_count", [], |row| row.get::<_, u32>(0)).unwrap() as usize];
    let mut statement = connection.prepare("SELECT name, pagetype, pageno FROM dbstat").unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (name, kind): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let number = row.get::<_, u32>(2).unwrap() as usize - 1;
        pages.entry(format!("{name} {kind}")).or_default().push(number);
        free[number] = false;
    }
    pages.insert("free".to_owned(), (0..free.len()).filter(|number| free[*number]).collect());
    pages.insert("header".to_owned(), vec![0]);
    pages
}
