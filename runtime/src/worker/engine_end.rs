//! The last thing that the engine thread does: everybody is answered, then the store is closed.

use std::task::{Context, Poll};
use std::time::Duration;

use super::bell::Bell;
use super::ending::End;
use super::engine_thread::Engine;
use super::shutdown::ShutdownError;
use crate::client::SubmitError;
use crate::model::PartitionId;
use crate::store::StoreFuture;

impl Engine {
    pub(super) fn end(mut self, end: &End, cx: &mut Context<'_>) {
        let result = self.outcome(end);
        self.answer_everybody(end);
        let Self { thread, phase, stop, bell, .. } = self;
        // The partition goes before the store does: its futures are user code.
        drop(phase);
        let result = match end {
            End::Stopped => result.and(
                wait_for(thread.parts.store.close(PartitionId::FIRST), &bell, cx)
                    .map_err(|error| ShutdownError::NotClosed { cause: error.to_string() }),
            ),
            // Not marked as closed in good order.
            End::Fatal { .. } => result,
        };
        match &result {
            Ok(()) => tracing::info!("the runtime has stopped"),
            Err(error) => tracing::error!(%error, "the runtime has stopped"),
        }
        // Whoever is told may open the store again, though clients are still there.
        thread.access.release();
        drop(thread);
        if let Some(stop) = stop {
            stop.finish(&result);
        }
    }

    fn outcome(&self, end: &End) -> Result<(), ShutdownError> {
        match end {
            End::Fatal { cause } => Err(ShutdownError::Fatal { cause: cause.clone() }),
            End::Stopped if self.phase.remaining(0).drained => Ok(()),
            End::Stopped => {
                let cause = self.phase.trouble().unwrap_or("it did not answer in time").to_owned();
                Err(ShutdownError::NotDrained { cause })
            }
        }
    }

    /// Exactly one answer for every call: those that the partition had, those in the queue, those to come.
    fn answer_everybody(&mut self, end: &End) {
        let thread = &mut self.thread;
        thread.world.activities.close();
        thread.world.activities.cancel_all();
        thread.ending.set(end.clone());
        thread.client.close();
        // Whatever the end was, the last commit of what was under way may have been applied.
        let cause = match end {
            End::Stopped => "the runtime stopped".to_owned(),
            End::Fatal { cause } => format!("the runtime gave up: {cause}"),
        };
        thread.world.calls.answer_all(&SubmitError::OutcomeUnknown { cause });
        while let Ok(call) = thread.client.try_recv() {
            call.refuse(end.error());
        }
        thread.world.hub.close(end.close_reason());
    }
}

/// The answer of a future that the thread's bell drives.
fn wait_for<T>(mut future: StoreFuture<T>, bell: &Bell, cx: &mut Context<'_>) -> T {
    loop {
        match future.as_mut().poll(cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => bell.wait(Duration::ZERO, None),
        }
    }
}
