//! The operations of one execution: which wait, which have a result, which nobody asks for any more.

use crate::model::{FailureDetails, JsonText, OperationId, Timestamp};

/// What an operation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaits {
    /// An activity.
    Task,
    /// A timer.
    Timer(Timestamp),
    /// An attached sub-orchestration.
    Child,
    /// An external event.
    Event,
}

/// What an operation ended with.
pub(crate) type OperationResult = Result<JsonText, FailureDetails>;

#[derive(Debug)]
enum Operation {
    Open(Awaits),
    Done(OperationResult),
    /// An attached sub-orchestration whose future was dropped: it runs on, and nobody waits.
    Abandoned,
    /// Taken, cancelled, or never waited for.
    Settled,
}

/// All operations of an execution, numbered from 1 in the order in which they were issued.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    all: Vec<Operation>,
    open: usize,
}

impl Operations {
    /// The number that the next operation gets.
    pub(crate) fn next(&self) -> OperationId {
        OperationId(self.all.len() as u32 + 1)
    }

    /// Adds an operation; one that waits for nothing is settled at once.
    pub(crate) fn add(&mut self, awaits: Option<Awaits>) {
        self.all.push(awaits.map_or(Operation::Settled, Operation::Open));
        self.open += usize::from(awaits.is_some());
    }

    /// Whether something that will be answered is outstanding.
    pub(crate) fn any_open(&self) -> bool {
        self.open > 0
    }

    /// Those that wait, and what for.
    pub(crate) fn open(&self) -> impl Iterator<Item = (OperationId, Awaits)> + '_ {
        self.all.iter().enumerate().filter_map(|(index, operation)| match operation {
            Operation::Open(awaits) => Some((OperationId(index as u32 + 1), *awaits)),
            _ => None,
        })
    }

    /// Gives an operation its result, if somebody waits for it. Answers whether there is such an operation.
    pub(crate) fn finish(&mut self, operation: OperationId, result: OperationResult) -> bool {
        match self.get_mut(operation) {
            Some(slot @ Operation::Open(_)) => {
                *slot = Operation::Done(result);
                self.open -= 1;
                true
            }
            // Its future was dropped in the meantime.
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

    /// Nobody waits for this operation any more.
    pub(crate) fn settle(&mut self, operation: OperationId) {
        if let Some(slot) = self.get_mut(operation)
            && let Operation::Open(_) = std::mem::replace(slot, Operation::Settled)
        {
            self.open -= 1;
        }
    }

    /// The future of an operation was dropped. Answers whether that cancels it: a sub-orchestration runs on.
    pub(crate) fn drop_future(&mut self, operation: OperationId) -> bool {
        match self.get_mut(operation) {
            Some(slot @ Operation::Open(Awaits::Child)) => {
                *slot = Operation::Abandoned;
                self.open -= 1;
                false
            }
            Some(Operation::Open(_)) => {
                self.settle(operation);
                true
            }
            _ => false,
        }
    }

    /// The execution ends in the turn that issued this operation. Answers whether that cancels it.
    pub(crate) fn end_with_turn(&mut self, operation: OperationId) -> bool {
        let cancels = matches!(
            self.get_mut(operation),
            Some(Operation::Open(Awaits::Task | Awaits::Timer(_) | Awaits::Child) | Operation::Abandoned)
        );
        if cancels {
            self.settle(operation);
        }
        cancels
    }

    fn get_mut(&mut self, operation: OperationId) -> Option<&mut Operation> {
        self.all.get_mut((operation.0 as usize).checked_sub(1)?)
    }
}
