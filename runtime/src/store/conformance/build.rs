//! Short ways to write rows and turn commits.

use bytes::Bytes;

use super::subject::HERE;
use crate::model::{
    Execution, Head, HeadChange, InboxId, InboxRow, InstanceId, InstanceKey, Life, OperationId, Progress, RecordRow,
    RuntimeStatus, TaskId, TaskRow, TimerRow, Timestamp, TurnCommit,
};

pub(super) fn key(number: u64) -> InstanceKey {
    InstanceKey(number)
}

pub(super) fn id(text: &str) -> InstanceId {
    match InstanceId::new(text) {
        Ok(id) => id,
        Err(error) => panic!("{error}"),
    }
}

/// A running instance with the id `i<key>` and no optional fields.
pub(super) fn head(number: u64) -> Head {
    let life = Life::new(key(number), id(&format!("i{number}")), "hello", Timestamp(1));
    Head::new(life, Progress::new(RuntimeStatus::Running, Timestamp(2)))
}

pub(super) fn insert(head: Head) -> TurnCommit {
    TurnCommit { head: HeadChange::Insert(head), ..TurnCommit::default() }
}

pub(super) fn progress(head: Head) -> TurnCommit {
    let change = HeadChange::Progress { key: head.life.key, progress: head.progress };
    TurnCommit { head: change, ..TurnCommit::default() }
}

pub(super) fn renew(head: Head) -> TurnCommit {
    TurnCommit { head: HeadChange::Renew(head), ..TurnCommit::default() }
}

pub(super) fn suspects(bytes: &'static [u8]) -> TurnCommit {
    TurnCommit { suspects: Some(Bytes::from_static(bytes)), ..TurnCommit::default() }
}

pub(super) fn purge(number: u64) -> TurnCommit {
    TurnCommit { purge: Some(key(number)), ..TurnCommit::default() }
}

pub(super) fn erase(number: u64, execution: u32) -> TurnCommit {
    TurnCommit { erase_history: Some((key(number), Execution(execution))), ..TurnCommit::default() }
}

pub(super) fn record(number: u64, execution: u32, turn: u64) -> TurnCommit {
    let row = RecordRow {
        key: key(number),
        execution: Execution(execution),
        turn_number: turn,
        time: Timestamp(1_000 + turn.cast_signed()),
        bytes: record_bytes(number, execution, turn),
    };
    TurnCommit { record: Some(row), ..TurnCommit::default() }
}

/// Events that are carried over.
pub(super) fn carried(number: u64, rows: std::ops::Range<u64>) -> TurnCommit {
    let rows = rows.filter_map(|row| record(number, Execution::CARRIED.0, row).record);
    TurnCommit { carried: rows.collect(), ..TurnCommit::default() }
}

pub(super) fn erase_carried(number: u64) -> TurnCommit {
    TurnCommit { erase_carried: Some(key(number)), ..TurnCommit::default() }
}

/// The bytes that [`record`] stores.
pub(super) fn record_bytes(number: u64, execution: u32, turn: u64) -> Bytes {
    format!("record {number}/{execution}/{turn}").into()
}

pub(super) fn task_id(number: u64, operation: u32) -> TaskId {
    TaskId { key: key(number), execution: Execution(0), operation: OperationId(operation) }
}

pub(super) fn task(number: u64, operation: u32, turn_number: u64) -> TurnCommit {
    let row = TaskRow { id: task_id(number, operation), turn_number, name: format!("activity {operation}").into() };
    TurnCommit { tasks_new: vec![row], ..TurnCommit::default() }
}

pub(super) fn task_done(number: u64, operation: u32) -> TurnCommit {
    TurnCommit { tasks_done: vec![task_id(number, operation)], ..TurnCommit::default() }
}

pub(super) fn timer_row(number: u64, operation: u32, fire_at: i64) -> TimerRow {
    TimerRow {
        fire_at: Timestamp(fire_at),
        key: key(number),
        execution: Execution(0),
        operation: OperationId(operation),
    }
}

pub(super) fn timer(number: u64, operation: u32, fire_at: i64) -> TurnCommit {
    TurnCommit { timers_new: vec![timer_row(number, operation, fire_at)], ..TurnCommit::default() }
}

pub(super) fn timer_done(number: u64, operation: u32, fire_at: i64) -> TurnCommit {
    TurnCommit { timers_done: vec![timer_row(number, operation, fire_at)], ..TurnCommit::default() }
}

pub(super) fn inbox_row(id: u64) -> InboxRow {
    InboxRow { partition: HERE, id: InboxId(id), bytes: format!("message {id}").into() }
}

pub(super) fn inbox(id: u64) -> TurnCommit {
    TurnCommit { inbox_new: vec![inbox_row(id)], ..TurnCommit::default() }
}

pub(super) fn inbox_done(id: u64) -> TurnCommit {
    TurnCommit { inbox_done: vec![InboxId(id)], ..TurnCommit::default() }
}

/// One turn commit with all of these changes.
pub(super) fn together(parts: impl IntoIterator<Item = TurnCommit>) -> TurnCommit {
    parts.into_iter().fold(TurnCommit::default(), |mut all, part| {
        all.purge = part.purge.or(all.purge);
        all.erase_history = part.erase_history.or(all.erase_history);
        all.erase_carried = part.erase_carried.or(all.erase_carried);
        all.record = part.record.or(all.record);
        all.carried.extend(part.carried);
        if !part.head.is_none() {
            all.head = part.head;
        }
        all.inbox_done.extend(part.inbox_done);
        all.tasks_done.extend(part.tasks_done);
        all.timers_done.extend(part.timers_done);
        all.inbox_new.extend(part.inbox_new);
        all.tasks_new.extend(part.tasks_new);
        all.timers_new.extend(part.timers_new);
        all.suspects = part.suspects.or(all.suspects);
        all
    })
}

/// The first turn of an instance: a head, a record, and one row of each kind.
pub(super) fn first_turn(number: u64) -> TurnCommit {
    together([insert(head(number)), record(number, 0, 0), task(number, 1, 0), timer(number, 2, 50), inbox(number)])
}
