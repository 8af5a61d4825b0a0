//! The gate: the one place where effects wait until the commits that they depend on are durable.
//!
//! Invariants: nothing leaves before its commit is durable, refusals included; what leaves, leaves in the order in which
//! it came; what is held when memory is lost never leaves.

use std::collections::VecDeque;

use crate::context::CancellationReason;
use crate::engine::{CommitNumber, Effect};
use crate::model::{TaskId, TurnCommit};

/// What waits at the gate.
#[derive(Debug)]
pub(crate) enum Held {
    /// Something for the world.
    Effect(Effect),
    /// The row of this task is gone: its result need not be kept, and nobody waits for it if it still runs.
    TaskSettled {
        /// Which.
        task: TaskId,
        /// What to tell it if it still runs.
        reason: CancellationReason,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Gate {
    held: VecDeque<(CommitNumber, Held)>,
    durable: CommitNumber,
}

impl Gate {
    /// Holds an effect until the commit `after` is durable.
    pub(crate) fn hold(&mut self, after: CommitNumber, effect: Effect) {
        self.held.push_back((after, Held::Effect(effect)));
    }

    /// Notes which tasks a commit settles.
    pub(crate) fn hold_settled(&mut self, number: CommitNumber, turn: &TurnCommit) {
        let settled = |task: &TaskId| (number, Held::TaskSettled { task: *task, reason: reason_of(turn) });
        self.held.extend(turn.tasks_done.iter().map(settled));
    }

    /// Every commit up to this one is durable.
    pub(crate) fn durable(&mut self, upto: CommitNumber) {
        self.durable = self.durable.max(upto);
    }

    /// The next thing that may leave.
    pub(crate) fn release(&mut self) -> Option<Held> {
        let (after, _) = self.held.front()?;
        if *after > self.durable {
            return None;
        }
        self.held.pop_front().map(|(_, held)| held)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

fn reason_of(turn: &TurnCommit) -> CancellationReason {
    let ended = turn.head.progress().is_some_and(|progress| progress.status.is_ended());
    if ended || turn.erase_history.is_some() || turn.purge.is_some() {
        CancellationReason::InstanceEnded
    } else {
        CancellationReason::Cancelled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Refusal, RequestId};
    use crate::model::{Execution, InstanceId, InstanceKey, OperationId};

    fn task(operation: u32) -> TaskId {
        TaskId { key: InstanceKey(1), execution: Execution(0), operation: OperationId(operation) }
    }

    fn refusal(request: u64) -> Effect {
        let id = InstanceId::new("gone").unwrap();
        Effect::Reply { request: RequestId(request), result: Err(Refusal::NotFound { id }) }
    }

    fn released(gate: &mut Gate) -> Vec<String> {
        std::iter::from_fn(|| gate.release())
            .map(|held| match held {
                Held::Effect(Effect::Reply { request, .. }) => format!("reply {}", request.0),
                Held::Effect(Effect::CancelActivity(task)) => format!("cancel {}", task.operation.0),
                Held::TaskSettled { task, reason } => format!("settled {} {reason:?}", task.operation.0),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a13_nothing_leaves_before_its_commit_refusals_included() {
        let mut gate = Gate::default();
        gate.hold(CommitNumber(0), refusal(1));
        gate.hold(CommitNumber(2), refusal(2));
        gate.hold(CommitNumber(3), Effect::CancelActivity(task(7)));
        assert_eq!(released(&mut gate), ["reply 1"]);
        gate.durable(CommitNumber(1));
        assert_eq!(released(&mut gate), Vec::<String>::new());
        gate.durable(CommitNumber(2));
        assert_eq!(released(&mut gate), ["reply 2"]);
        gate.durable(CommitNumber(9));
        assert_eq!(released(&mut gate), ["cancel 7"]);
        assert!(gate.is_empty());
    }

    #[test]
    fn what_depends_on_less_does_not_overtake() {
        let mut gate = Gate::default();
        gate.hold(CommitNumber(2), refusal(1));
        gate.hold(CommitNumber(1), refusal(2));
        gate.durable(CommitNumber(1));
        assert_eq!(released(&mut gate), Vec::<String>::new());
        gate.durable(CommitNumber(2));
        assert_eq!(released(&mut gate), ["reply 1", "reply 2"]);
    }

    #[test]
    fn settled_tasks_say_why_nobody_waits() {
        let mut gate = Gate::default();
        gate.hold_settled(CommitNumber(1), &TurnCommit { tasks_done: vec![task(1)], ..TurnCommit::default() });
        let erase_history = Some((InstanceKey(1), Execution(0)));
        gate.hold_settled(
            CommitNumber(2),
            &TurnCommit { tasks_done: vec![task(2)], erase_history, ..TurnCommit::default() },
        );
        gate.hold_settled(CommitNumber(3), &TurnCommit::default());
        gate.durable(CommitNumber(3));
        assert_eq!(released(&mut gate), ["settled 1 Cancelled", "settled 2 InstanceEnded"]);
    }
}
