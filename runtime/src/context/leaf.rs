//! The part that all leaf futures share: the number of their operation, and the effect of dropping them.

use crate::model::{Action, DecodeError, FailureDetails, JsonText, OperationId, RecordedLocation};

use super::Context;
use super::journal::Halted;
use super::operations::Awaits;
use crate::contract::Undecodable;

/// One durable operation, which belongs to one future.
#[derive(Debug)]
pub(crate) struct Leaf {
    ctx: Context,
    location: RecordedLocation,
    operation: Option<OperationId>,
    finished: bool,
}

impl Leaf {
    /// Creates an operation that is not issued yet.
    #[track_caller]
    pub(crate) fn new(ctx: &Context) -> Self {
        Self { ctx: ctx.clone(), location: RecordedLocation::caller(), operation: None, finished: false }
    }

    /// Creates another operation at the same place, which is not issued yet.
    pub(crate) fn again(&self) -> Self {
        Self { ctx: self.ctx.clone(), location: self.location.clone(), operation: None, finished: false }
    }

    pub(crate) fn operation(&self) -> Option<OperationId> {
        self.operation
    }

    pub(crate) fn ctx(&self) -> &Context {
        &self.ctx
    }

    pub(crate) fn is_issued(&self) -> bool {
        self.operation.is_some()
    }

    /// Issues the operation. This happens only once. Returns the action as it is recorded.
    pub(crate) fn issue(
        &mut self,
        awaits: Awaits,
        action: impl FnOnce(OperationId, RecordedLocation) -> Action,
    ) -> Result<Option<Action>, Halted> {
        if self.operation.is_some() {
            return Ok(None);
        }
        let location = self.location.clone();
        let (operation, action) = self.ctx.turn().issue(Some(awaits), |operation| action(operation, location))?;
        self.operation = Some(operation);
        Ok(Some(action))
    }

    /// Returns the place in the code that created the leaf.
    pub(crate) fn location(&self) -> &RecordedLocation {
        &self.location
    }

    /// Stops waiting for the attached sub-orchestration of this leaf, which goes on.
    pub(crate) fn detach(&mut self) {
        if let (Some(operation), false) = (self.operation, self.finished) {
            self.finished = true;
            self.ctx.turn().detach(operation);
        }
    }

    /// Checks that one more action with this payload is within the limits of the turn.
    pub(crate) fn admit(&self, payload: usize) -> Result<(), FailureDetails> {
        self.ctx.turn().admit(payload)
    }

    /// Takes the recorded result, if there is one. The leaf is then finished.
    pub(crate) fn take_result(&mut self) -> Option<Result<JsonText, FailureDetails>> {
        let result = self.ctx.turn().take_result(self.operation?);
        self.finished |= result.is_some();
        result
    }

    /// Takes the oldest event with this name, if there is one. The leaf is then finished.
    pub(crate) fn take_event(&mut self, name: &str) -> Option<JsonText> {
        let event = self.ctx.turn().take_event(self.operation?, name);
        self.finished |= event.is_some();
        event
    }

    /// Notes that the code cannot decode the value with which the operation completed: "the result of activity `ship`".
    /// The turn is given up, so the future stays pending.
    pub(crate) fn cannot_decode(&self, value: impl std::fmt::Display, error: DecodeError) {
        let number = self.operation.map_or(0, |operation| operation.0);
        let what = format!("{value} (operation {number}, at {})", self.location);
        self.ctx.turn().cannot_decode(Undecodable::new(what, error));
    }

    /// Marks a leaf as finished that was never issued.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        if let (Some(operation), false) = (self.operation, self.finished) {
            self.ctx.journal().dropped(operation);
        }
    }
}
