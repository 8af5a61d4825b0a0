//! What must hold of durable rows at any moment, told from the records alone: no code runs here.

use std::collections::{BTreeMap, BTreeSet};

use super::Sim;
use super::store::ModelStore;
use crate::model::{
    Action, InstanceHead, Input, Message, OperationId, RuntimeStatus, TaskId, TurnRecord, wire,
};

/// Rows and records agree.
pub(crate) fn rows(store: &ModelStore) {
    let mut open = Open::default();
    for head in store.heads.values() {
        let turns = store.turns(head.key);
        shape(head, &turns);
        if !head.is_ended() && !is_corrupt(head) {
            open.fold(head, &turns);
        }
    }
    let refused: BTreeSet<_> = store.inbox.values().filter_map(|bytes| refused(bytes)).collect();
    let tasks: BTreeSet<_> = store.tasks.keys().copied().collect();
    let expected: BTreeSet<_> = open.tasks.difference(&refused).copied().collect();
    let of_corrupt = |id: &TaskId| store.heads.get(&id.key).is_some_and(|head| is_corrupt(head));
    assert_eq!(tasks.iter().filter(|id| !of_corrupt(id)).copied().collect::<BTreeSet<_>>(), expected, "task rows");
    let timers: BTreeMap<_, _> = store
        .timers
        .iter()
        .filter(|row| row.operation != OperationId::START)
        .map(|row| (TaskId { key: row.key, execution: row.execution, operation: row.operation }, row.fire_at))
        .filter(|(id, _)| !of_corrupt(id))
        .collect();
    assert_eq!(timers, open.timers, "timer rows");
    for row in &store.timers {
        let head = store.heads.get(&row.key).expect("a timer row has an instance");
        assert!(!head.is_ended() && head.execution == row.execution, "a timer row of the past: {row:?}");
    }
    let live: BTreeSet<_> = store.heads.keys().collect();
    assert!(store.records.keys().all(|(key, execution, _)| {
        live.contains(key) && store.heads[key].execution == *execution
    }), "records of the past");
}

fn is_corrupt(head: &InstanceHead) -> bool {
    head.parked.as_ref().is_some_and(|reason| reason.starts_with(crate::engine::stuck::CORRUPT))
}

fn refused(bytes: &bytes::Bytes) -> Option<TaskId> {
    match wire::decode_message(bytes).unwrap() {
        Message::TaskRefused { parent, .. } => {
            Some(TaskId { key: parent.key, execution: parent.execution, operation: parent.operation })
        }
        _ => None,
    }
}

fn shape(head: &InstanceHead, turns: &[TurnRecord]) {
    if is_corrupt(head) {
        return;
    }
    let name = &head.id;
    assert!(!turns.is_empty(), "{name} has no record");
    assert!(matches!(turns[0].inputs.first(), Some(Input::ExecutionStarted(_))), "{name} begins with its start");
    for (number, turn) in turns.iter().enumerate() {
        assert_eq!(turn.turn_number, number as u64, "{name}: turn numbers have no gaps");
        assert!(turn.polled || turn.actions.is_empty(), "{name}: actions without a poll");
    }
    assert!(turns.is_sorted_by_key(|turn| turn.time), "{name}: time goes back");
    let ends = turns.iter().filter(|turn| turn.actions.iter().any(|action| matches!(action, Action::Complete(_)))).count();
    let ended_by_code = matches!(head.status, RuntimeStatus::Completed | RuntimeStatus::Failed);
    assert!(ends <= usize::from(ended_by_code), "{name}: an end in the history of an instance that goes on");
    assert_eq!(head.ended_at.is_some(), head.is_ended());
}

#[derive(Default)]
struct Open {
    tasks: BTreeSet<TaskId>,
    timers: BTreeMap<TaskId, crate::model::Timestamp>,
}

impl Open {
    fn fold(&mut self, head: &InstanceHead, turns: &[TurnRecord]) {
        let id = |operation| TaskId { key: head.key, execution: head.execution, operation };
        for turn in turns {
            for operation in turn.inputs.iter().filter_map(Input::operation) {
                self.tasks.remove(&id(operation));
                self.timers.remove(&id(operation));
            }
            for action in &turn.actions {
                match action {
                    Action::ScheduleTask { operation, .. } => drop(self.tasks.insert(id(*operation))),
                    Action::CreateTimer { operation, fire_at, .. } => drop(self.timers.insert(id(*operation), *fire_at)),
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
