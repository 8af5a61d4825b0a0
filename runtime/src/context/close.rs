//! The end of other instances: what becomes of a sub-orchestration that is no longer waited for, and terminations.

use super::call::{StartOptions, give_up, start_now};
use super::{Context, SendError, SubOrchestrationCall};
use crate::contract::Orchestrator;
use crate::model::bounds::{self, TooLong};
use crate::model::{Action, FailureDetails, InstanceId, ParentClosePolicy, RecordedLocation};

/// The failure type of a reason that is too long.
const REASON_TOO_LONG: &str = "persevere.ReasonTooLong";

/// The failure type of detaching a call that has failed before it was issued.
const NOT_STARTED: &str = "persevere.NotStarted";

impl<O: Orchestrator> SubOrchestrationCall<O> {
    /// Sets what becomes of the sub-orchestration when this orchestrator no longer waits for it, because the call was
    /// dropped or this instance has ended. By default, it is terminated ([`ParentClosePolicy::Terminate`]).
    ///
    /// Continue-as-new is not an end: an open sub-orchestration goes on, and its result is ignored.
    ///
    /// # Determinism
    /// The policy is recorded with the call.
    ///
    /// # Examples
    /// ```
    /// use persevere::prelude::*;
    /// use persevere::ParentClosePolicy;
    /// use std::time::Duration;
    ///
    /// #[orchestrator]
    /// async fn index(ctx: OrchestrationContext, shelf: u32) -> Result<u32, OrchestrationError> {
    ///     ctx.create_timer(Duration::from_secs(60)).await;
    ///     Ok(shelf)
    /// }
    ///
    /// /// Waits ten seconds for the index, which is made in any case.
    /// #[orchestrator]
    /// async fn open_shop(ctx: OrchestrationContext) -> Result<bool, OrchestrationError> {
    ///     let index = index::call(&ctx, 1).parent_close_policy(ParentClosePolicy::Abandon);
    ///     Ok(index.timeout(&ctx, Duration::from_secs(10)).await.is_ok())
    /// }
    /// # fn main() {}
    /// ```
    pub fn parent_close_policy(mut self, policy: ParentClosePolicy) -> Self {
        self.on_close = policy;
        self
    }

    /// Stops waiting for the sub-orchestration, which goes on by itself. Returns its instance id.
    ///
    /// A call that was not issued yet is issued now, as a detached start.
    ///
    /// # Errors
    /// Returns [`SendError`] if the call was not issued yet and its input cannot be sent.
    ///
    /// # Determinism
    /// That the code no longer waits is recorded with this turn.
    ///
    /// # Examples
    /// ```
    /// use persevere::prelude::*;
    /// use std::time::Duration;
    ///
    /// #[orchestrator]
    /// async fn index(ctx: OrchestrationContext, shelf: u32) -> Result<u32, OrchestrationError> {
    ///     let _ = ctx;
    ///     Ok(shelf)
    /// }
    ///
    /// #[orchestrator]
    /// async fn open_shop(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    ///     let mut index = index::call(&ctx, 1).schedule();
    ///     Ok(select! {
    ///         shelf = &mut index => format!("shelf {}", shelf?),
    ///         _ = ctx.create_timer(Duration::from_secs(10)) => format!("later, from {}", index.detach()?),
    ///     })
    /// }
    /// # fn main() {}
    /// ```
    #[track_caller]
    pub fn detach(mut self) -> Result<InstanceId, SendError> {
        if let Some(instance) = self.issued.clone() {
            self.leaf.detach();
            return Ok(instance);
        }
        let Some(input) = self.input.take() else {
            // Awaiting it has already said why it was not started.
            return Err(SendError::Limit(FailureDetails::new(NOT_STARTED, "the sub-orchestration was not started")));
        };
        let input = input.map_err(SendError::Encode)?;
        let (instance, version, on_existing) = (self.instance.take(), self.version.take(), self.on_existing);
        let options = StartOptions { instance, version, on_existing, on_close: None };
        let ctx = self.leaf.ctx().clone();
        start_now::<O>(&ctx, self.leaf.location().clone(), input, options)
    }
}

impl Context {
    /// Terminates another instance without running its code, whoever started it, after the commit of this turn. If the
    /// target does not exist or has ended, nothing happens.
    ///
    /// Its sub-orchestrations end as their [`ParentClosePolicy`] says. An instance that terminates itself ends after this
    /// turn.
    ///
    /// # Errors
    /// Returns [`SendError::Limit`] if the reason has more than 16 KiB or the turn issues too many operations.
    ///
    /// # Determinism
    /// The termination is recorded with this turn. Replay sends nothing.
    ///
    /// # Examples
    /// ```
    /// use persevere::prelude::*;
    /// use persevere::InstanceId;
    ///
    /// #[orchestrator]
    /// async fn close_shop(ctx: OrchestrationContext, shifts: Vec<InstanceId>) -> Result<(), OrchestrationError> {
    ///     for shift in &shifts {
    ///         ctx.terminate(shift, "the shop is closed")?;
    ///     }
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    #[track_caller]
    pub fn terminate(&self, target: &InstanceId, reason: impl Into<String>) -> Result<(), SendError> {
        let (location, reason) = (RecordedLocation::caller(), reason.into());
        let mut journal = self.turn();
        bounds::check("reason", &reason, bounds::REASON_BYTES).map_err(|TooLong { size, limit, .. }| {
            let text = format!("the reason has {size} bytes, but the limit is {limit}");
            SendError::Limit(FailureDetails::new(REASON_TOO_LONG, text).non_retriable())
        })?;
        journal.admit(reason.len()).map_err(SendError::Limit)?;
        let target = target.clone();
        match journal.issue(None, |operation| Action::Terminate { operation, target, reason, location }) {
            Ok(_) => Ok(()),
            Err(_) => give_up(journal),
        }
    }
}
