//! An orchestrator written in Rust: a future that lives in this process. Its turns are done immediately.
//!
//! Live and replayed turns use the same code: all inputs become visible together, the root future is polled once, and
//! the actions are collected. A replayed turn differs in only one way: each action must agree with the recorded one.

use std::sync::Arc;
use std::task::Waker;

use tracing::Span;

use super::poll::{self, Polled};
use super::program::{Identity, Program, TurnOutput, TurnRequest, TurnStep};
use super::stuck::Stuck;
use crate::context::{Awaits, Context, Facts, Journal, Mismatch, Replaying, payload_too_large};
use crate::contract::Undecodable;
use crate::definition::{BoxedOrchestration, OrchestratorRegistration};
use crate::model::{
    Completion, DecodeError, ExecutionStarted, FailureDetails, Input, JsonText, OperationId, SourceLocation,
};
use crate::telemetry;

pub(crate) struct RustProgram {
    ctx: Context,
    root: Root,
    waker: Waker,
    started: Arc<ExecutionStarted>,
}

enum Root {
    /// The input cannot be decoded, so no turn can run.
    Unreadable(Undecodable),
    Running(BoxedOrchestration),
    Ended,
}

impl RustProgram {
    pub(crate) fn new(
        identity: Identity,
        registration: &OrchestratorRegistration,
        started: Arc<ExecutionStarted>,
    ) -> Self {
        let handler = registration.handler;
        let journal = Journal::new(started.limits, started.custom_status.clone());
        let facts = Facts {
            id: identity.id,
            execution: identity.execution,
            started: Arc::clone(&started),
            mint: identity.mint,
        };
        let ctx = Context::new(facts, journal);
        let waker = ctx.foreign().waker();
        let root = match poll::contained(|| handler(ctx.clone(), &started.input)) {
            Ok(Ok(future)) => Root::Running(future),
            Ok(Err(error)) => Root::Unreadable(undecodable_input(registration, error)),
            Err(panic) => Root::Unreadable(undecodable_input(registration, DecodeError(panic.to_string()))),
        };
        Self { ctx, root, waker, started }
    }

    fn close(&self, polled: Polled) -> Result<TurnOutput, Stuck> {
        let mut journal = self.ctx.journal();
        if let Some(value) = journal.take_undecodable() {
            return Err(Stuck::Undecodable(value));
        }
        let failure = match &polled {
            Polled::Ready(Err(failure)) | Polled::Panicked(failure) => Some(failure.clone()),
            _ => None,
        };
        let mismatch = |journal: &mut Journal, started: &ExecutionStarted| match journal.take_mismatch() {
            Some(mismatch) => Err(Stuck::mismatch(started, Mismatch { failure: failure.clone(), ..mismatch })),
            None => Ok(()),
        };
        if journal.is_mismatched() {
            mismatch(&mut journal, &self.started)?;
        }
        if journal.foreign || self.ctx.foreign().was_touched() {
            return Err(Stuck::ForeignAwait { detail: None });
        }
        let completion = match (journal.take_fatal(), journal.completion.take(), polled) {
            (Some(failure), _, _) | (None, _, Polled::Panicked(failure)) => Some(self.returned(Err(failure))),
            (None, _, Polled::NeedsRuntime(detail)) => return Err(Stuck::ForeignAwait { detail: Some(detail) }),
            (None, _, Polled::Ready(result)) => Some(self.returned(result)),
            (None, Some(continued), Polled::Pending | Polled::GivenUp) => Some(continued),
            // Whatever gave the turn up is noted above.
            (None, None, Polled::GivenUp) => return Err(Stuck::NoProgress),
            (None, None, Polled::Pending) if !journal.waits_for_something() => return Err(Stuck::NoProgress),
            (None, None, Polled::Pending) => None,
        };
        if let Some(completion) = &completion {
            journal.cancel_issued_here();
            journal.complete(completion.clone());
        }
        mismatch(&mut journal, &self.started)?;
        let (text, set) = journal.custom_status_of_turn();
        let custom_status = set.then(|| text.cloned());
        Ok(TurnOutput { actions: journal.close_turn(), completion, custom_status, trace: None })
    }

    /// The span of a live turn. A replayed turn has none, because the turn was reported when it was live.
    fn span(&self) -> tracing::Span {
        let name = self.started.name.as_str();
        let span = tracing::info_span!(
            target: "persevere::orchestration",
            "orchestration",
            otel.name = %format_args!("orchestration:{name}"),
            otel.kind = "server",
            "durabletask.type" = "orchestration",
            durabletask.task.name = name,
            durabletask.task.version = self.started.version.as_str(),
            durabletask.task.instance_id = %self.ctx.instance_id(),
        );
        if let Some(context) = &self.started.trace {
            telemetry::continue_trace(&span, context);
        }
        span
    }

    fn returned(&self, result: Result<JsonText, FailureDetails>) -> Completion {
        let limit = self.started.limits.payload_bytes as usize;
        match result {
            Ok(output) if output.len() > limit => Completion::Failed(payload_too_large(output.len(), limit)),
            Ok(output) => Completion::Completed(output),
            Err(failure) => Completion::Failed(failure.bounded(limit)),
        }
    }
}

fn undecodable_input(registration: &OrchestratorRegistration, error: DecodeError) -> Undecodable {
    let OrchestratorRegistration { name, location, .. } = registration;
    Undecodable::new(format!("the input of orchestrator `{name}` (at {location})"), error)
}

impl Program for RustProgram {
    /// Makes all inputs visible and polls once.
    fn turn(&mut self, mut request: TurnRequest<'_>) -> Result<TurnStep, Stuck> {
        let is_live = request.recorded.is_none();
        let span = if is_live { self.span() } else { Span::none() };
        let _entered = span.enter();
        let _replaying = Replaying::enter(!is_live);
        {
            let mut journal = self.ctx.journal();
            journal.open_turn(request.time, request.now, request.recorded.take());
            for input in request.all_inputs() {
                journal.deliver(input).map_err(Stuck::Corrupt)?;
            }
        }
        let polled = match &mut self.root {
            Root::Running(future) => poll::poll_once(future, &self.waker),
            Root::Unreadable(input) => return Err(Stuck::Undecodable(input.clone())),
            Root::Ended => return Err(Stuck::Corrupt("the history continues after the end of the code".to_owned())),
        };
        let mut output = self.close(polled)?;
        output.trace = telemetry::trace_of(&span);
        if output.completion.is_some() {
            // The turn is closed, so the values that the code still held can be dropped without any effect.
            poll::drop_contained(std::mem::replace(&mut self.root, Root::Ended));
        }
        Ok(TurnStep::Done(output))
    }

    fn take_changes(&mut self) -> Vec<Mismatch> {
        self.ctx.journal().take_changes()
    }

    fn is_repeatable(&self) -> bool {
        self.ctx.journal().lost_side_effects == 0
    }

    fn status_place(&self) -> Option<SourceLocation> {
        self.ctx.journal().status_place
    }

    fn answered(&mut self, _: &[Input], _: &TurnOutput) -> Result<(), Stuck> {
        Err(Stuck::Corrupt("an answer arrived for a turn that was done immediately".to_owned()))
    }

    fn answers_later(&self) -> bool {
        false
    }

    fn open_operations(&self) -> Vec<(OperationId, Awaits)> {
        self.ctx.journal().open_operations().collect()
    }

    fn buffered_events(&self) -> (usize, usize) {
        let journal = self.ctx.journal();
        (journal.events().len(), journal.events().bytes())
    }

    fn has_event_id(&self, id: &str) -> bool {
        self.ctx.journal().events().has_id(id)
    }

    fn take_events(&mut self) -> crate::context::EventBuffer {
        std::mem::take(self.ctx.journal().events_mut())
    }

    fn take_over(&mut self, events: crate::context::EventBuffer) {
        *self.ctx.journal().events_mut() = events;
    }

    #[cfg(test)]
    #[cfg(feature = "macros")]
    fn custom_status(&self) -> Option<JsonText> {
        self.ctx.journal().custom_status().cloned()
    }
}

impl Drop for RustProgram {
    fn drop(&mut self) {
        // No turn is open, so nothing that is dropped here cancels anything.
        let _ = self.ctx.journal().close_turn();
        poll::drop_contained(std::mem::replace(&mut self.root, Root::Ended));
    }
}

impl std::fmt::Debug for RustProgram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RustProgram").field("ctx", &self.ctx).finish_non_exhaustive()
    }
}
