//! What is left of the history of a failed execution when it is rewound: everything that led to the failure, without the
//! failure itself.
//!
//! A failed call is *unhandled* if the code did nothing because of it except fail. Removing its result changes nothing that the
//! history contains before the end, which a replay finds out. These calls run again. A call whose failure the code handled
//! (it tried again, or went another way) keeps its failure, so what came after it stays valid.

use std::collections::BTreeSet;

use super::stuck::Stuck;
use crate::model::{Action, FailureDetails, Input, OperationId, TurnRecord};

/// From this number of replays on, several handled failures are recognised by each.
const SINGLE_STEPS: usize = 16;

/// The history of a new execution.
#[derive(Debug)]
pub(crate) struct Cleaned {
    /// The turns that stay, as they are except for the results of calls that run again.
    pub(crate) records: Vec<TurnRecord>,
    /// Inputs of the turns that do not stay. The next turn delivers them.
    pub(crate) rest: Vec<Input>,
}

/// Removes the failure from the history of an execution that has failed with it.
///
/// # Errors
/// Returns why the present code does not replay the turns before the failure.
pub(crate) fn clean(
    records: &[TurnRecord],
    failure: Option<&FailureDetails>,
    replay: impl Fn(Vec<TurnRecord>) -> Result<(), Stuck>,
) -> Result<Cleaned, Stuck> {
    let last = records.len().saturating_sub(1);
    let mut failures = failed(records);
    let mut again: BTreeSet<OperationId> = failures.iter().map(|(_, operation, _)| *operation).collect();
    for step in 0.. {
        match replay(without(&records[..last], &again)) {
            Ok(()) => break,
            Err(Stuck::Mismatch { turn: Some(turn), .. })
                if failures.iter().any(|(at, operation, _)| *at <= turn && again.contains(operation)) =>
            {
                keep_handled(&failures, &mut again, turn, step < SINGLE_STEPS);
            }
            Err(stuck) => return Err(stuck),
        }
    }
    let mut cut = last;
    if again.is_empty()
        && let Some((turn, operation, _)) =
            failures.pop_if(|(.., cause)| failure.is_some_and(|end| caused_by(end, cause)))
    {
        // The code went another way because of this failure, cleaned up, and failed with it.
        (cut, again) = (usize::try_from(turn).unwrap_or(last).min(last), BTreeSet::from([operation]));
    }
    let rest = rest(records, cut, &again);
    Ok(Cleaned { records: without(&records[..cut], &again), rest })
}

/// The failed calls with the turns that received their failures, in order.
fn failed(records: &[TurnRecord]) -> Vec<(u64, OperationId, FailureDetails)> {
    let inputs = records.iter().flat_map(|record| record.inputs.iter().map(|input| (record.turn_number, input)));
    let failed = inputs.filter_map(|(turn, input)| match input {
        Input::TaskFailed { operation, failure } | Input::SubOrchestrationFailed { operation, failure } => {
            Some((turn, *operation, failure.clone()))
        }
        _ => None,
    });
    failed.collect()
}

/// Keeps the last failure up to this turn that would have run again, or all of them: the code has handled it.
fn keep_handled(
    failures: &[(u64, OperationId, FailureDetails)],
    again: &mut BTreeSet<OperationId>,
    turn: u64,
    single: bool,
) {
    let up_to_here = failures.iter().rev().filter(|(at, ..)| *at <= turn);
    let mut candidates = up_to_here.map(|(_, operation, _)| *operation).filter(|operation| again.contains(operation));
    let handled: Vec<_> = if single { candidates.next().into_iter().collect() } else { candidates.collect() };
    again.retain(|operation| !handled.contains(operation));
}

/// Returns whether an execution ended because of this failure.
fn caused_by(end: &FailureDetails, cause: &FailureDetails) -> bool {
    std::iter::successors(Some(end), |failure| failure.inner())
        .any(|failure| failure == cause || failure.message() == cause.message())
}

fn without(records: &[TurnRecord], again: &BTreeSet<OperationId>) -> Vec<TurnRecord> {
    let mut records = records.to_vec();
    for record in &mut records {
        record.inputs.retain(|input| !is_of(input, again));
    }
    records
}

fn is_of(input: &Input, operations: &BTreeSet<OperationId>) -> bool {
    input.operation().is_some_and(|operation| operations.contains(&operation))
}

/// What the turns from `cut` on received and the next execution still needs: events, and the results of calls that stay.
fn rest(records: &[TurnRecord], cut: usize, again: &BTreeSet<OperationId>) -> Vec<Input> {
    let (kept, gone) = records.split_at(cut);
    let issued: BTreeSet<_> = kept.iter().flat_map(|record| &record.actions).filter_map(Action::operation).collect();
    let needed = |input: &&Input| match input {
        Input::ExecutionStarted(_) | Input::EventsCarried { .. } | Input::EventRaised { .. } => true,
        Input::Terminated { .. } | Input::Suspended { .. } | Input::Resumed { .. } | Input::Rewound { .. } => false,
        result => !is_of(result, again) && result.operation().is_some_and(|operation| issued.contains(&operation)),
    };
    gone.iter().flat_map(|record| &record.inputs).filter(needed).cloned().collect()
}

/// The operations of a history that wait for a result, with the turns that issued them.
pub(crate) fn open(records: &[TurnRecord], rest: &[Input]) -> Vec<(u64, Action)> {
    let mut open = std::collections::BTreeMap::new();
    for record in records {
        for action in &record.actions {
            match action {
                Action::Cancelled { operation } => drop(open.remove(operation)),
                other => {
                    if let Some(operation) = other.operation() {
                        open.insert(operation, (record.turn_number, other.clone()));
                    }
                }
            }
        }
    }
    for input in records.iter().flat_map(|record| &record.inputs).chain(rest) {
        if let Some(operation) = input.operation() {
            open.remove(&operation);
        }
    }
    open.into_values().collect()
}
