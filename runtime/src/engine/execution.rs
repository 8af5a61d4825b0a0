//! One execution with its live future: turns of new inputs, and replay of recorded ones.
//!
//! Both go through [`LiveExecution::turn`]: inputs become visible together, the root future is polled once, the actions
//! are collected. A replayed turn differs in one thing only: each action must agree with the recorded one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use super::history;
use super::poll::{self, Polled};
use super::stuck::Stuck;
use crate::context::{Awaits, Context, Facts, Journal, payload_too_large};
use crate::contract::{BoxedOrchestration, OrchestratorHandler};
use crate::model::{
    Action, Completion, Execution, ExecutionStarted, FailureDetails, Input, InstanceId, JsonText, KeyMint, OperationId,
    Timestamp, TurnRecord,
};

/// An execution whose code is in memory.
pub(crate) struct LiveExecution {
    ctx: Context,
    root: Root,
    waker: Waker,
    /// Inputs that are recorded and that the code has not seen.
    undelivered: Vec<Input>,
    /// The attached sub-orchestrations without a recorded end.
    children: BTreeMap<OperationId, InstanceId>,
    pub(crate) started: Arc<ExecutionStarted>,
    /// Bytes of the records that it would take to rebuild it.
    pub(crate) history_bytes: usize,
}

enum Root {
    /// Its input did not decode: the first poll fails.
    Unreadable(FailureDetails),
    Running(BoxedOrchestration),
    Ended,
}

/// What a turn of new inputs gave.
#[derive(Debug)]
pub(crate) struct TurnOutput {
    pub(crate) actions: Vec<Action>,
    pub(crate) completion: Option<Completion>,
    /// What the code set the custom status to, if it set or cleared it.
    pub(crate) custom_status: Option<Option<JsonText>>,
}

/// Whose execution it is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: InstanceId,
    pub(crate) execution: Execution,
    pub(crate) mint: Arc<KeyMint>,
}

impl LiveExecution {
    /// An execution that has not been polled. `undelivered` begins with its `ExecutionStarted`.
    pub(crate) fn new(
        identity: Identity,
        handler: OrchestratorHandler,
        started: Arc<ExecutionStarted>,
        undelivered: Vec<Input>,
    ) -> Self {
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
            Ok(Err(failure)) => Root::Unreadable(failure),
            Err(panic) => Root::Unreadable(panic.into_failure()),
        };
        Self { ctx, root, waker, undelivered, children: BTreeMap::new(), started, history_bytes: 0 }
    }

    /// Rebuilds an execution from its records.
    pub(crate) fn replay(
        identity: Identity,
        handler: OrchestratorHandler,
        started: Arc<ExecutionStarted>,
        records: Vec<TurnRecord>,
    ) -> Result<Self, Stuck> {
        let mut live = Self::new(identity, handler, started, Vec::new());
        for record in records {
            if !record.polled {
                live.undelivered.extend(record.inputs);
                continue;
            }
            let number = record.turn_number;
            let ended = live
                .turn(record.time, record.time, &record.inputs, Some(record.actions))
                .map_err(|stuck| stuck.in_turn(number))?
                .completion;
            if ended.is_some() {
                return Err(Stuck::Corrupt(format!(
                    "the record of turn {number} ends the execution, and it has not ended"
                )));
            }
        }
        Ok(live)
    }

    /// Whether recorded inputs wait for the next poll.
    pub(crate) fn has_undelivered(&self) -> bool {
        !self.undelivered.is_empty()
    }

    /// The inputs were recorded without a poll; the next one brings them.
    pub(crate) fn defer(&mut self, inputs: impl IntoIterator<Item = Input>) {
        self.undelivered.extend(inputs);
    }

    /// Makes all inputs visible and polls once. After an error the execution is spoilt and must be dropped.
    pub(crate) fn turn(
        &mut self,
        time: Timestamp,
        now: Timestamp,
        inputs: &[Input],
        recorded: Option<Vec<Action>>,
    ) -> Result<TurnOutput, Stuck> {
        {
            let mut journal = self.ctx.journal();
            journal.open_turn(time, now, recorded);
            for input in self.undelivered.iter().chain(inputs) {
                journal.deliver(input).map_err(Stuck::Corrupt)?;
            }
        }
        history::note_ended_children(&mut self.children, self.undelivered.iter().chain(inputs));
        self.undelivered.clear();
        let polled = match &mut self.root {
            Root::Running(future) => poll::poll_once(future, &self.waker),
            Root::Unreadable(failure) => Polled::Ready(Err(failure.clone())),
            Root::Ended => return Err(Stuck::Corrupt("the history goes on after the end of the code".to_owned())),
        };
        let output = self.close(polled)?;
        history::note_started_children(&mut self.children, &output.actions);
        if output.completion.is_some() {
            // The turn is closed, so the drops of what the code still held mean nothing.
            poll::drop_contained(std::mem::replace(&mut self.root, Root::Ended));
        }
        Ok(output)
    }

    fn close(&self, polled: Polled) -> Result<TurnOutput, Stuck> {
        let mut journal = self.ctx.journal();
        let mismatch = |journal: &mut Journal, started: &ExecutionStarted| match journal.take_mismatch() {
            Some(mismatch) => Err(Stuck::mismatch(started, mismatch)),
            None => Ok(()),
        };
        if journal.is_mismatched() {
            mismatch(&mut journal, &self.started)?;
        }
        if journal.foreign || self.ctx.foreign().was_touched() {
            return Err(Stuck::ForeignAwait { detail: None });
        }
        let completion = match (journal.take_fatal(), journal.completion.take(), polled) {
            (Some(failure), _, _) | (None, _, Polled::Panicked(failure)) => Some(Completion::Failed(failure)),
            (None, _, Polled::NeedsRuntime(detail)) => return Err(Stuck::ForeignAwait { detail: Some(detail) }),
            (None, _, Polled::Ready(result)) => Some(self.returned(result)),
            (None, Some(continued), Polled::Pending) => Some(continued),
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
        Ok(TurnOutput { actions: journal.close_turn(), completion, custom_status })
    }

    fn returned(&self, result: Result<JsonText, FailureDetails>) -> Completion {
        let limit = self.started.limits.payload_bytes as usize;
        match result {
            Ok(output) if output.len() > limit => Completion::Failed(payload_too_large(output.len(), limit)),
            Ok(output) => Completion::Completed(output),
            Err(failure) => Completion::Failed(failure),
        }
    }

    /// The operations that wait, and what for.
    pub(crate) fn open_operations(&self) -> Vec<(OperationId, Awaits)> {
        self.ctx.journal().open_operations().collect()
    }

    /// Whether a recorded input that the code has not seen ends this operation.
    pub(crate) fn will_settle(&self, operation: OperationId) -> bool {
        self.undelivered.iter().any(|input| input.operation() == Some(operation))
    }

    /// The attached sub-orchestrations without a recorded end.
    pub(crate) fn children(&self) -> &BTreeMap<OperationId, InstanceId> {
        &self.children
    }

    /// Whether an event of this id was recorded in this execution.
    pub(crate) fn has_event_id(&self, id: &str) -> bool {
        let deferred = |input: &Input| matches!(input, Input::EventRaised { event_id: Some(other), .. } if other == id);
        self.undelivered.iter().any(deferred) || self.ctx.journal().has_event_id(id)
    }

    /// How many events nobody took.
    pub(crate) fn buffered_events(&self) -> usize {
        let deferred = self.undelivered.iter().filter(|input| matches!(input, Input::EventRaised { .. })).count();
        self.ctx.journal().buffered_events() + deferred
    }

    /// The custom status as the code computes it.
    #[cfg(test)]
    #[cfg(feature = "macros")]
    pub(crate) fn custom_status(&self) -> Option<JsonText> {
        self.ctx.journal().custom_status().cloned()
    }

    /// The events nobody took, for the next execution.
    pub(crate) fn take_events(&self) -> Vec<Input> {
        self.ctx.journal().take_events()
    }
}

impl Drop for LiveExecution {
    fn drop(&mut self) {
        // No turn is open, so nothing that is dropped here cancels anything.
        let _ = self.ctx.journal().close_turn();
        poll::drop_contained(std::mem::replace(&mut self.root, Root::Ended));
    }
}

impl std::fmt::Debug for LiveExecution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveExecution")
            .field("ctx", &self.ctx)
            .field("history_bytes", &self.history_bytes)
            .finish_non_exhaustive()
    }
}
