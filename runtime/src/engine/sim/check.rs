//! What must hold of durable rows at any moment, told from the records alone: no code runs here.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::Sim;
use super::store::ModelStore;
use crate::engine::carried;
use crate::model::{
    Action, Execution, Head, Input, InstanceKey, Message, OperationId, ParkCode, RuntimeStatus, TaskId, TurnRecord,
    wire,
};

/// Rows and records of all instances agree, and no row belongs to nobody.
pub(crate) fn rows(store: &ModelStore) {
    for key in store.heads.keys() {
        rows_of(store, *key);
    }
    assert!(store.tasks.keys().all(|id| store.heads.contains_key(&id.key)), "a task of nobody");
    assert!(store.timers.iter().all(|row| store.heads.contains_key(&row.key)), "a timer of nobody");
    let current = |(key, execution, _): &(InstanceKey, Execution, u64)| {
        let of = |head: &Head| *execution == head.life.execution || *execution == Execution::CARRIED;
        store.heads.get(key).is_some_and(of)
    };
    assert!(store.records.keys().all(current), "records of the past");
}

/// Rows and records of one instance agree.
pub(crate) fn rows_of(store: &ModelStore, key: InstanceKey) {
    let Some(head) = store.heads.get(&key) else { return };
    if is_corrupt(head) {
        return;
    }
    let turns = store.turns(key);
    shape(head, &turns);
    carried::read(&turns[0].inputs, &store.history(key, Execution::CARRIED)).expect("the carried events can be read");
    let mut open = Open::default();
    if !head.is_ended() {
        open.fold(head, &turns);
    }
    let id = |operation| TaskId { key, execution: head.life.execution, operation };
    let refused: BTreeSet<_> = store.inbox.values().filter_map(refused).collect();
    let expected: BTreeSet<_> = open.tasks.difference(&refused).copied().collect();
    let all = id(OperationId(0))..=id(OperationId(u32::MAX));
    assert_eq!(store.tasks.range(all).map(|(id, _)| *id).collect::<BTreeSet<_>>(), expected, "task rows");
    let mut timers = BTreeMap::new();
    for row in store.timers.iter().filter(|row| row.key == key) {
        assert!(!head.is_ended() && head.life.execution == row.execution, "a timer row of the past: {row:?}");
        if row.operation != OperationId::START {
            timers.insert(id(row.operation), row.fire_at);
        }
    }
    assert_eq!(timers, open.timers, "timer rows");
}

fn is_corrupt(head: &Head) -> bool {
    head.progress.parked.as_ref().is_some_and(|reason| reason.code() == ParkCode::DamagedData)
}

fn refused(bytes: &Bytes) -> Option<TaskId> {
    match wire::decode_message(bytes).unwrap() {
        Message::TaskRefused { parent, .. } => {
            Some(TaskId { key: parent.key, execution: parent.execution, operation: parent.operation })
        }
        _ => None,
    }
}

fn shape(head: &Head, turns: &[TurnRecord]) {
    let name = &head.life.id;
    assert!(!turns.is_empty(), "{name} has no record");
    assert!(matches!(turns[0].inputs.first(), Some(Input::ExecutionStarted(_))), "{name} begins with its start");
    for (number, turn) in turns.iter().enumerate() {
        assert_eq!(turn.turn_number, number as u64, "{name}: turn numbers have no gaps");
        assert!(turn.polled || turn.actions.is_empty(), "{name}: actions without a poll");
    }
    let polled = turns.iter().filter(|turn| turn.polled);
    assert!(polled.is_sorted_by_key(|turn| turn.time), "{name}: the time that the code sees goes back");
    let ends =
        turns.iter().filter(|turn| turn.actions.iter().any(|action| matches!(action, Action::Complete(_)))).count();
    let ended_by_code = matches!(head.progress.status, RuntimeStatus::Completed | RuntimeStatus::Failed);
    assert!(ends <= usize::from(ended_by_code), "{name}: an end in the history of an instance that goes on");
    assert_eq!(head.progress.ended_at.is_some(), head.is_ended());
}

#[derive(Default)]
struct Open {
    tasks: BTreeSet<TaskId>,
    timers: BTreeMap<TaskId, crate::model::Timestamp>,
}

impl Open {
    fn fold(&mut self, head: &Head, turns: &[TurnRecord]) {
        let id = |operation| TaskId { key: head.life.key, execution: head.life.execution, operation };
        for turn in turns {
            for operation in turn.inputs.iter().filter_map(Input::operation) {
                self.tasks.remove(&id(operation));
                self.timers.remove(&id(operation));
            }
            for action in &turn.actions {
                match action {
                    Action::ScheduleTask { operation, .. } => {
                        self.tasks.insert(id(*operation));
                    }
                    Action::CreateTimer { operation, fire_at, .. } => {
                        self.timers.insert(id(*operation), *fire_at);
                    }
                    Action::Cancelled { operation } => {
                        self.tasks.remove(&id(*operation));
                        self.timers.remove(&id(*operation));
                    }
                    _ => {}
                }
            }
        }
    }
}

impl Sim {
    /// Nothing is left of what has ended.
    pub(crate) fn assert_clean(&self) {
        assert!(self.store.tasks.is_empty(), "tasks are left: {:?}", self.store.tasks);
        assert!(self.store.timers.is_empty(), "timers are left: {:?}", self.store.timers);
        let messages: Vec<_> = self.store.inbox.values().map(|bytes| wire::decode_message(bytes).unwrap()).collect();
        assert!(messages.is_empty(), "messages are left: {messages:?}");
    }
}
