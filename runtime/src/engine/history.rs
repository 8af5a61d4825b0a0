//! Reads the records of an execution: checks that they are complete, and finds out what can be known without the code.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::carried;
use super::stuck::Stuck;
use crate::model::{
    Action, Attempt, ExecutionStarted, Input, InstanceId, JsonText, OperationId, ParentClosePolicy, TurnRecord, wire,
};

/// An attached sub-orchestration without a recorded end.
#[derive(Clone, Debug)]
pub(crate) struct OpenChild {
    pub(crate) instance: InstanceId,
    pub(crate) on_close: Option<ParentClosePolicy>,
}

/// The attached sub-orchestrations of an execution without a recorded end, by the operations that wait for them.
pub(crate) type OpenChildren = BTreeMap<OperationId, OpenChild>;

/// Decodes records, and checks that they are numbered 0, 1, 2, … up to `count` and begin with a start.
pub(crate) fn decode(rows: &[Bytes], count: u64) -> Result<Vec<TurnRecord>, Stuck> {
    let corrupt = |detail: String| Err(Stuck::Corrupt(detail));
    if rows.len() as u64 != count {
        return corrupt(format!("the history has {} turn records, but {count} were written", rows.len()));
    }
    let mut records = Vec::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        let record =
            wire::decode_record(row).map_err(|error| Stuck::Corrupt(format!("turn record {number}: {error}")))?;
        if record.turn_number != number as u64 {
            return corrupt(format!("turn record {} is in the place of turn record {number}", record.turn_number));
        }
        records.push(record);
    }
    Ok(records)
}

/// Decodes all records of an execution, for those who display them. The first one contains the events that the execution
/// takes over, which are among the carried rows of its life.
pub(crate) fn decode_all(rows: &[Bytes], carried: &[Bytes]) -> Result<Vec<TurnRecord>, String> {
    let read = || {
        let mut records = decode(rows, rows.len() as u64)?;
        if let Some(first) = records.first_mut()
            && let Some((_, mut events)) = carried::read(&first.inputs, carried)?
        {
            carried::expand(&mut first.inputs, &mut events);
        }
        Ok(records)
    };
    read().map_err(|stuck: Stuck| stuck.to_string())
}

/// Returns the start of the execution, which is the first input of the first record.
pub(crate) fn started(records: &[TurnRecord]) -> Result<&Arc<ExecutionStarted>, Stuck> {
    match records.first().and_then(|record| record.inputs.first()) {
        Some(Input::ExecutionStarted(started)) => Ok(started),
        _ => Err(Stuck::Corrupt("the history does not begin with the start of the execution".to_owned())),
    }
}

/// Returns the attached sub-orchestrations without a recorded end.
pub(crate) fn open_children(records: &[TurnRecord]) -> OpenChildren {
    let mut children = BTreeMap::new();
    for record in records {
        note_ended_children(&mut children, &record.inputs);
        note_started_children(&mut children, &record.actions);
    }
    children
}

/// Removes the sub-orchestrations that these inputs end.
pub(crate) fn note_ended_children<'a>(children: &mut OpenChildren, inputs: impl IntoIterator<Item = &'a Input>) {
    if children.is_empty() {
        return;
    }
    for input in inputs {
        if let Input::SubOrchestrationCompleted { operation, .. } | Input::SubOrchestrationFailed { operation, .. } =
            input
        {
            children.remove(operation);
        }
    }
}

/// Adds the sub-orchestrations that these actions start, and removes those for which the code no longer waits.
pub(crate) fn note_started_children(children: &mut OpenChildren, actions: &[Action]) {
    for action in actions {
        match action {
            Action::StartSubOrchestration { operation, instance, detached: false, on_close, .. } => {
                children.insert(*operation, OpenChild { instance: instance.clone(), on_close: *on_close });
            }
            Action::Cancelled { operation } | Action::Detached { operation } => {
                children.remove(operation);
            }
            _ => {}
        }
    }
}

/// Returns the input of a task that a record scheduled, and which attempt it is.
pub(crate) fn scheduled_task(record: &TurnRecord, operation: OperationId) -> Option<(JsonText, Option<Attempt>)> {
    record.actions.iter().find_map(|action| match action {
        Action::ScheduleTask { operation: other, input, attempt, .. } if *other == operation => {
            Some((input.clone(), *attempt))
        }
        _ => None,
    })
}
