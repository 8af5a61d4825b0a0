//! The gate: the only place where effects wait until the commits that they depend on are durable.
//!
//! Invariants: no effect leaves before its commit is durable, and this includes refusals; effects leave in the order in
//! which they arrived; an effect that is held when the memory of the partition is lost never leaves.

use std::collections::VecDeque;

use crate::engine::{CommitNumber, Effect};

#[derive(Debug, Default)]
pub(crate) struct Gate {
    held: VecDeque<(CommitNumber, Effect)>,
    durable: CommitNumber,
}

impl Gate {
    /// Holds an effect until the commit `after` is durable.
    pub(crate) fn hold(&mut self, after: CommitNumber, effect: Effect) {
        self.held.push_back((after, effect));
    }

    /// Notes that every commit up to this one is durable.
    pub(crate) fn durable(&mut self, upto: CommitNumber) {
        self.durable = self.durable.max(upto);
    }

    /// Returns the next effect that may leave.
    pub(crate) fn release(&mut self) -> Option<Effect> {
        let (after, _) = self.held.front()?;
        if *after > self.durable {
            return None;
        }
        self.held.pop_front().map(|(_, effect)| effect)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::CancellationReason;
    use crate::engine::{Refusal, RequestId};
    use crate::model::{Execution, InstanceId, InstanceKey, OperationId, TaskId};

    fn task(operation: u32) -> TaskId {
        TaskId { key: InstanceKey(1), execution: Execution(0), operation: OperationId(operation) }
    }

    fn refusal(request: u64) -> Effect {
        let id = InstanceId::new("gone").unwrap();
        Effect::Reply { request: RequestId(request), result: Err(Refusal::NotFound { id }), begun: None }
    }

    fn released(gate: &mut Gate) -> Vec<String> {
        std::iter::from_fn(|| gate.release())
            .map(|effect| match effect {
                Effect::Reply { request, .. } => format!("reply {}", request.0),
                Effect::ActivitySettled { task, reason } => format!("settled {} {reason:?}", task.operation.0),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a13_no_effect_or_refusal_leaves_before_its_commit_is_durable() {
        let mut gate = Gate::default();
        gate.hold(CommitNumber(0), refusal(1));
        gate.hold(CommitNumber(2), refusal(2));
        gate.hold(CommitNumber(3), Effect::ActivitySettled { task: task(7), reason: CancellationReason::Cancelled });
        assert_eq!(released(&mut gate), ["reply 1"]);
        gate.durable(CommitNumber(1));
        assert_eq!(released(&mut gate), Vec::<String>::new());
        gate.durable(CommitNumber(2));
        assert_eq!(released(&mut gate), ["reply 2"]);
        gate.durable(CommitNumber(9));
        assert_eq!(released(&mut gate), ["settled 7 Cancelled"]);
        assert!(gate.is_empty());
    }

    #[test]
    fn a_later_answer_does_not_overtake_an_earlier_one_although_its_commit_is_durable() {
        let mut gate = Gate::default();
        gate.hold(CommitNumber(2), refusal(1));
        gate.hold(CommitNumber(1), refusal(2));
        gate.durable(CommitNumber(1));
        assert_eq!(released(&mut gate), Vec::<String>::new());
        gate.durable(CommitNumber(2));
        assert_eq!(released(&mut gate), ["reply 1", "reply 2"]);
    }
}
