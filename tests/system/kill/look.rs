//! Inspects the store while no victim runs: a copy is read, through its tables alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use persevere::RuntimeStatus;
use persevere::engine::Action;
use persevere::testing::decode_record;
use persevere_tests::crash::ledger::{self, Line};
use rusqlite::{Connection, params};

use super::history::{Settled, Steps};

/// What the inspections have found so far.
pub(super) struct Looks {
    folder: PathBuf,
    /// Tasks that need not run again, by task id, with the line of the ledger from which this is known.
    settled: BTreeMap<String, usize>,
    recorded: usize,
    /// Ended instances with their rows, and the line from which this is known.
    ended: BTreeMap<i64, (Head, usize)>,
    ended_ids: BTreeMap<String, usize>,
    /// The lines of the ledger that were compared with the store.
    compared: usize,
}

/// A head row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    pub(super) key: i64,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: RuntimeStatus,
    pub(super) execution: i64,
    pub(super) input: String,
    pub(super) output: Option<String>,
    pub(super) custom_status: Option<String>,
    pub(super) custom_status_version: i64,
    parked: Option<String>,
    failure: Option<String>,
    parent: Option<i64>,
}

impl Looks {
    pub(super) fn new(folder: &Path) -> Self {
        std::fs::create_dir(super::beside(folder)).unwrap();
        Self {
            folder: folder.to_owned(),
            settled: BTreeMap::new(),
            recorded: 0,
            ended: BTreeMap::new(),
            ended_ids: BTreeMap::new(),
            compared: 0,
        }
    }

    /// Returns how many completions were seen in the store.
    pub(super) fn recorded(&self) -> usize {
        self.recorded
    }

    /// Whether the task no longer needed a run when this line was written.
    pub(super) fn was_settled(&self, key: &str, line: usize) -> bool {
        self.settled.get(key).is_some_and(|since| *since <= line)
    }

    /// Whether the instance had ended when this line was written.
    pub(super) fn had_ended(&self, id: &str, line: usize) -> bool {
        self.ended_ids.get(id).is_some_and(|since| *since <= line)
    }

    /// Checks the store as it is. `over` means that everything has ended and the store was closed.
    pub(super) fn look(&mut self, over: bool) {
        let ledger = ledger::read(&self.folder.join("ledger.log"));
        let lines = ledger.len();
        let Some(store) = self.copy() else { return };
        let heads = heads(&store);
        for line in &ledger[std::mem::replace(&mut self.compared, lines)..] {
            if let Line::Begin(key, id, _) = line {
                was_scheduled(&store, &heads, key, id);
            }
        }
        for (key, (head, _)) in &self.ended {
            assert_eq!(heads.get(key), Some(head), "an ended instance changed");
        }
        for head in heads.values() {
            if !self.ended.contains_key(&head.key) {
                self.instance(&store, head, lines);
            }
        }
        no_ghosts(&store, &heads);
        if over {
            all_over(&store, &heads);
        }
    }

    fn copy(&self) -> Option<Connection> {
        let look = super::beside(&self.folder);
        for name in ["store.db", "store.db-wal"] {
            let _ = std::fs::remove_file(look.join(name));
            // The file is missing if the process was killed before it created the file, or if the store was closed
            // cleanly.
            let _ = std::fs::copy(self.folder.join(name), look.join(name));
        }
        let _ = std::fs::remove_file(look.join("store.db-shm"));
        let store = Connection::open(look.join("store.db")).unwrap();
        let check: String = store.query_row("PRAGMA quick_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
        let tables: i64 = store.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        (tables > 0).then_some(store)
    }

    fn instance(&mut self, store: &Connection, head: &Head, lines: usize) {
        assert_eq!((&head.parked, &head.failure), (&None, &None), "{head:?}");
        let records = records(store, head);
        let steps = Steps::follow(head, &records);
        steps.check_rows(&rows(store, "task", head), &rows(store, "timer", head));
        for (operation, settled) in steps.settled() {
            let key = format!("{}.{}.{operation}", head.key, head.execution);
            if self.settled.insert(key, lines).is_none() {
                self.recorded += usize::from(*settled == Settled::Done);
            }
        }
        if head.status.is_ended() {
            self.ended.insert(head.key, (head.clone(), lines));
            self.ended_ids.insert(head.id.clone(), lines);
        }
    }
}

fn heads(store: &Connection) -> BTreeMap<i64, Head> {
    let sql = "SELECT key, id, name, status, execution, input, output, custom_status, custom_status_version, parked, \
               failure, parent_key FROM instance JOIN progress USING (key)";
    let mut statement = store.prepare(sql).unwrap();
    let head = |row: &rusqlite::Row<'_>| {
        Ok(Head {
            key: row.get(0)?,
            id: row.get(1)?,
            name: row.get(2)?,
            status: RuntimeStatus::from_code(row.get(3)?).unwrap(),
            execution: row.get(4)?,
            input: row.get(5)?,
            output: row.get(6)?,
            custom_status: row.get(7)?,
            custom_status_version: row.get(8)?,
            parked: row.get(9)?,
            failure: row.get(10)?,
            parent: row.get(11)?,
        })
    };
    statement.query_map([], head).unwrap().map(|head| head.unwrap()).map(|head| (head.key, head)).collect()
}

/// Returns the records of the current execution. There must be none of another execution.
fn records(store: &Connection, head: &Head) -> Vec<persevere::engine::TurnRecord> {
    let sql = "SELECT execution, turn, record FROM history WHERE key = ?1 ORDER BY execution, turn";
    let mut statement = store.prepare(sql).unwrap();
    let rows = statement.query_map([head.key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.enumerate()
        .map(|(place, row)| {
            let (execution, turn, bytes): (i64, i64, Vec<u8>) = row.unwrap();
            assert_eq!((execution, turn), (head.execution, place as i64), "{head:?}");
            decode_record(&bytes).unwrap()
        })
        .collect()
}

fn rows(store: &Connection, table: &str, head: &Head) -> BTreeSet<u32> {
    let mut statement =
        store.prepare_cached(&format!("SELECT execution, operation FROM {table} WHERE key = ?1")).unwrap();
    let rows = statement.query_map(params![head.key], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(|row| {
        let (execution, operation): (i64, u32) = row.unwrap();
        assert_eq!(execution, head.execution, "a row of an execution that is over: {head:?}");
        operation
    })
    .collect()
}

/// An activity that has begun was durably scheduled before, so its record must be there.
fn was_scheduled(store: &Connection, heads: &BTreeMap<i64, Head>, task: &str, id: &str) {
    let numbers: Vec<i64> = task.split('.').map(|number| number.parse().unwrap()).collect();
    let [key, execution, operation] = numbers[..] else { panic!("{task} is no task id") };
    let head = heads.get(&key).unwrap_or_else(|| panic!("{task} of {id} ran, and the store knows no such instance"));
    let schedules = |action: &Action| {
        matches!(action, Action::ScheduleTask { .. })
            && action.operation().is_some_and(|issued| i64::from(issued.0) == operation)
    };
    // The history of an execution is removed when the execution ends.
    let recorded =
        head.execution > execution || records(store, head).iter().any(|record| record.actions.iter().any(schedules));
    assert!(head.execution >= execution && recorded, "{task} of {id} ran, and its schedule is not in the store");
}

/// Every row must belong to an existing instance, and every sub-orchestration to a parent that started it once.
fn no_ghosts(store: &Connection, heads: &BTreeMap<i64, Head>) {
    for table in ["task", "timer", "history", "progress"] {
        let sql = format!("SELECT count(*) FROM {table} WHERE key NOT IN (SELECT key FROM instance)");
        let ghosts: i64 = store.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(ghosts, 0, "rows of {table} without an instance");
    }
    let mut children: BTreeMap<i64, u32> = BTreeMap::new();
    for head in heads.values() {
        match head.parent {
            Some(parent) => *children.entry(parent).or_default() += 1,
            None => assert!(persevere_tests::crash::program::what_is(&head.id).is_some(), "nobody started {head:?}"),
        }
    }
    for (parent, children) in children {
        let size: u32 = heads[&parent].input.parse().unwrap();
        let ended = heads[&parent].status.is_ended();
        assert!(
            if ended { children == size + 2 } else { children <= size + 2 },
            "{children} children: {:?}",
            heads[&parent]
        );
    }
}

/// Nothing may be left to do, and the store must say that it was closed.
fn all_over(store: &Connection, heads: &BTreeMap<i64, Head>) {
    for head in heads.values() {
        let expected = if head.name == "doomed" { RuntimeStatus::Terminated } else { RuntimeStatus::Completed };
        assert_eq!(head.status, expected, "{head:?}");
    }
    for table in ["task", "timer", "inbox"] {
        let left: i64 = store.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "rows of {table} are left over");
    }
    let clean: i64 = store.query_row("SELECT min(clean) FROM partition", [], |row| row.get(0)).unwrap();
    assert_eq!(clean, 1);
}
