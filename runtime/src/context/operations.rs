//! The operations of one execution: which of them wait, which have a result, and which are settled.

use crate::model::{Action, FailureDetails, JsonText, OperationId, ParentClosePolicy, Timestamp};

/// What an operation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaits {
    /// An activity.
    Task,
    /// A timer.
    Timer(Timestamp),
    /// An attached sub-orchestration, with what becomes of it when nobody waits for it.
    Child(Option<ParentClosePolicy>),
    /// An external event.
    Event,
}

impl Awaits {
    /// Returns what an operation waits for whose action is recorded like this. In a replay, the recorded policy stands.
    pub(crate) fn recorded_as(self, action: &Action) -> Self {
        match (self, action) {
            (Self::Child(_), Action::StartSubOrchestration { on_close, .. }) => Self::Child(*on_close),
            (awaits, _) => awaits,
        }
    }
}

/// The result of an operation.
pub(crate) type OperationResult = Result<JsonText, FailureDetails>;

#[derive(Debug)]
enum Operation {
    Open(Awaits),
    Done(OperationResult),
    /// An attached sub-orchestration whose future was dropped. It goes on, but nobody waits for it.
    Abandoned(Option<ParentClosePolicy>),
    /// The result was taken, the operation was cancelled, or nothing ever waited for it.
    Settled,
}

/// All operations of an execution, numbered from 1 in the order in which they were issued.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    all: Vec<Operation>,
    open: usize,
}

impl Operations {
    /// Returns the number of the next operation.
    pub(crate) fn next(&self) -> OperationId {
        OperationId(self.all.len() as u32 + 1)
    }

    /// Adds an operation. An operation that waits for nothing is settled immediately.
    pub(crate) fn add(&mut self, awaits: Option<Awaits>) {
        self.all.push(awaits.map_or(Operation::Settled, Operation::Open));
        self.open += usize::from(awaits.is_some());
    }

    /// Returns whether an operation is outstanding that will be answered.
    pub(crate) fn any_open(&self) -> bool {
        self.open > 0
    }

    /// Returns the operations that are waiting, and what each of them waits for.
    pub(crate) fn open(&self) -> impl Iterator<Item = (OperationId, Awaits)> + '_ {
        self.all.iter().enumerate().filter_map(|(index, operation)| match operation {
            Operation::Open(awaits) => Some((OperationId(index as u32 + 1), *awaits)),
            _ => None,
        })
    }

    /// Sets the result of an operation if it is still waited for. Returns whether the operation exists.
    pub(crate) fn finish(&mut self, operation: OperationId, result: OperationResult) -> bool {
        match self.get_mut(operation) {
            Some(slot @ Operation::Open(_)) => {
                *slot = Operation::Done(result);
                self.open -= 1;
                true
            }
            // The future of this operation was dropped before the result arrived.
            Some(_) => true,
            None => false,
        }
    }

    /// Takes the result, if there is one.
    pub(crate) fn take(&mut self, operation: OperationId) -> Option<OperationResult> {
        let slot = self.get_mut(operation)?;
        if !matches!(slot, Operation::Done(_)) {
            return None;
        }
        match std::mem::replace(slot, Operation::Settled) {
            Operation::Done(result) => Some(result),
            _ => None,
        }
    }

    /// Marks an operation as settled, so that its result is not waited for.
    pub(crate) fn settle(&mut self, operation: OperationId) {
        if let Some(slot) = self.get_mut(operation)
            && let Operation::Open(_) = std::mem::replace(slot, Operation::Settled)
        {
            self.open -= 1;
        }
    }

    /// Notes that the future of an operation was dropped. Returns whether that cancels the operation.
    pub(crate) fn drop_future(&mut self, operation: OperationId) -> bool {
        match self.get_mut(operation) {
            Some(slot @ Operation::Open(Awaits::Child(None | Some(ParentClosePolicy::Abandon)))) => {
                if let Operation::Open(Awaits::Child(policy)) = *slot {
                    *slot = Operation::Abandoned(policy);
                    self.open -= 1;
                }
                false
            }
            Some(Operation::Open(_)) => {
                self.settle(operation);
                true
            }
            _ => false,
        }
    }

    /// Stops waiting for an attached sub-orchestration, which goes on. Returns whether it was waited for.
    pub(crate) fn detach(&mut self, operation: OperationId) -> bool {
        let waits = matches!(self.get_mut(operation), Some(Operation::Open(Awaits::Child(_))));
        if waits {
            self.settle(operation);
        }
        waits
    }

    /// Notes that the execution ends in the turn that issued this operation. Returns whether that cancels the
    /// operation.
    pub(crate) fn end_with_turn(&mut self, operation: OperationId) -> bool {
        let cancels = match self.get_mut(operation) {
            Some(Operation::Open(Awaits::Child(policy)) | Operation::Abandoned(policy)) => {
                *policy != Some(ParentClosePolicy::Abandon)
            }
            Some(Operation::Open(Awaits::Task | Awaits::Timer(_))) => true,
            _ => false,
        };
        if cancels {
            self.settle(operation);
        }
        cancels
    }

    fn get_mut(&mut self, operation: OperationId) -> Option<&mut Operation> {
        self.all.get_mut((operation.0 as usize).checked_sub(1)?)
    }
}
