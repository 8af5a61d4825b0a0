//! The end of an engine thread: it answers every call and then closes its partitions. The last thread of the runtime
//! releases the store and tells those who wait.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{End, Farewell, ShutdownError};
use crate::client::SubmitError;
use crate::engine::drop_contained;
use crate::model::PartitionId;
use crate::store::{Store, StoreFuture};
use crate::worker::bell::Bell;
use crate::worker::engine_thread::{Engine, EngineThread};
use crate::worker::owned::{OwnedPartition, Shared};
use crate::worker::process::Process;

impl Engine {
    pub(in crate::worker) fn end(mut self, end: &End, cx: &mut Context<'_>) {
        let result = self.outcome(end);
        self.answer_everybody(end);
        let Self { thread, partitions, .. } = self;
        let ours: Vec<_> = partitions.iter().filter(|owned| owned.state().is_ours()).map(OwnedPartition::id).collect();
        // The partitions are dropped before the store is released, because their futures are user code.
        drop(partitions);
        let result = match end {
            End::Stopped => result.and(close(&*thread.shared.parts.store, &ours, &thread.bell, cx)),
            // These partitions are not marked as cleanly closed.
            End::Fatal { .. } => result,
        };
        let EngineThread { shared: Shared { parts, process, .. }, clock, .. } = thread;
        // Anyone who is told that the runtime has ended may open the store again.
        drop((parts, clock));
        if let Some(farewell) = process.closing.leave(result) {
            last_end(process, farewell);
        }
    }

    fn outcome(&self, end: &End) -> Result<(), ShutdownError> {
        let stuck = self.partitions.iter().map(OwnedPartition::state).find(|state| !state.is_drained());
        match (end, stuck) {
            (End::Fatal { cause }, _) => Err(ShutdownError::Fatal { cause: cause.clone() }),
            (End::Stopped, None) => Ok(()),
            (End::Stopped, Some(state)) => {
                let cause = state.trouble().unwrap_or("the store did not answer in time").to_owned();
                Err(ShutdownError::NotDrained { cause })
            }
        }
    }

    /// Gives exactly one answer to every call: those that the partitions had, those in the queue, and those that are
    /// still to come.
    fn answer_everybody(&mut self, end: &End) {
        let process = &self.thread.shared.process;
        process.activities().close();
        self.cancel_activities();
        if let End::Fatal { .. } = end {
            process.fail(end);
        }
        self.thread.client.close();
        // Whatever the end was, the last commit that was on its way may have been applied.
        let cause = match end {
            End::Stopped => "the runtime stopped".to_owned(),
            End::Fatal { cause } => format!("the runtime stopped because of errors: {cause}"),
        };
        let unknown = SubmitError::OutcomeUnknown { cause };
        for partition in &mut self.partitions {
            partition.answer_all(&unknown, &end.error());
        }
        while let Ok(call) = self.thread.client.try_recv() {
            call.refuse(end.error());
        }
    }
}

/// The remaining work when every thread has ended.
fn last_end(process: Arc<Process>, farewell: Farewell) {
    end_process(&process);
    match &farewell.result {
        Ok(()) => tracing::info!("the runtime has stopped"),
        Err(error) => tracing::error!(%error, "the runtime has stopped with an error"),
    }
    // The values for activities are the application's.
    drop_contained(process);
    farewell.tell();
}

/// Tells everybody that the runtime has ended.
pub(crate) fn end_process(process: &Process) {
    process.ending.set(End::Stopped);
    if let Some(end) = process.ending.get() {
        process.hub.close(end.close_reason());
    }
    // Clients may still exist, and they must not keep the store open.
    process.access.release();
}

/// Closes these partitions, and returns the first error.
fn close(
    store: &dyn Store,
    partitions: &[PartitionId],
    bell: &Bell,
    cx: &mut Context<'_>,
) -> Result<(), ShutdownError> {
    let closed = partitions.iter().map(|partition| wait_for(store.close(*partition), bell, cx));
    let closed = closed.map(|result| result.map_err(|error| ShutdownError::NotClosed { cause: error.to_string() }));
    closed.fold(Ok(()), Result::and)
}

/// Waits for a future that the bell of the thread wakes.
fn wait_for<T>(mut future: StoreFuture<T>, bell: &Bell, cx: &mut Context<'_>) -> T {
    loop {
        match future.as_mut().poll(cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => bell.wait(Duration::ZERO, None),
        }
    }
}
