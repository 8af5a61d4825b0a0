//! Work whose finished steps are undone when a later step fails: `Saga::run(&ctx, async |saga| { .. })`.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll};
use std::time::Duration;

use super::durable::{Durable, sealed::Sealed};
use super::journal::PollMode;
use super::leaf::Leaf;
use super::{Context, Timer};
use crate::contract::{Failure, TimedOut};
use crate::model::FailureDetails;

/// A compensation that has not run. Its output is the failure, if it fails.
type Compensation<'a> = Pin<Box<dyn Future<Output = Option<FailureDetails>> + Send + 'a>>;

/// The list of compensations of a saga, inside the block that [`Saga::run`] runs.
///
/// A clone refers to the same list.
pub struct Saga<'a> {
    open: Arc<Mutex<Vec<Compensation<'a>>>>,
}

impl<'a> Saga<'a> {
    /// Runs a block whose finished steps are undone if a later one fails.
    ///
    /// After each step, the block says with [`Saga::compensate`] how the step is undone. If the block returns `Ok`, nothing
    /// is undone. If it returns an error, or does not end [in time](SagaRun::within), the compensations run one after the
    /// other, the last step first. A compensation that fails does not stop the others, and is reported in
    /// [`SagaError::not_compensated`].
    ///
    /// # Limits
    /// Code that drops the future of a saga undoes nothing: do not put a saga into `select!`, and write
    /// [`.within(duration)`](SagaRun::within) instead of `.timeout(&ctx, duration)`. If a saga with steps to undo is dropped
    /// while the orchestrator runs, the orchestration fails.
    ///
    /// # Determinism
    /// The operations of the block and of the compensations are recorded.
    ///
    /// # Examples
    /// ```
    /// use persevere::{Saga, SagaError};
    /// use persevere::prelude::*;
    ///
    /// #[activity]
    /// async fn charge(cents: u32) -> Result<String, ActivityError> {
    ///     Ok(format!("receipt for {cents}"))
    /// }
    ///
    /// #[activity]
    /// async fn refund(receipt: String) -> Result<(), ActivityError> {
    ///     let _ = receipt;
    ///     Ok(())
    /// }
    ///
    /// #[activity]
    /// async fn ship(receipt: String) -> Result<u32, ActivityError> {
    ///     Ok(receipt.len() as u32)
    /// }
    ///
    /// #[orchestrator]
    /// async fn order(ctx: OrchestrationContext, cents: u32) -> Result<u32, OrchestrationError> {
    ///     let parcel = Saga::run(&ctx, async |saga| {
    ///         let receipt = charge::call(&ctx, cents).await?;
    ///         saga.compensate(refund::call(&ctx, receipt.clone()).retry(RetryPolicy::attempts(10)));
    ///         // If the shipment fails, the money is given back.
    ///         Ok(ship::call(&ctx, receipt).await?)
    ///     })
    ///     .await?;
    ///     Ok(parcel)
    /// }
    /// # fn main() {}
    /// ```
    #[track_caller]
    pub fn run<T, E, D>(ctx: &Context, forward: impl FnOnce(Self) -> D) -> SagaRun<'a, D>
    where
        E: Failure,
        D: Durable + Future<Output = Result<T, E>>,
    {
        let saga = Self { open: Arc::default() };
        let forward = Box::pin(forward(saga.clone()));
        SagaRun { saga, forward: Some(forward), place: Leaf::new(ctx), limit: None, undoing: None }
    }

    /// Adds how the step that has just been done is undone. Nothing is issued before it is needed.
    ///
    /// It is a call, a call with a retry policy, or an `async` block of several operations. A block may borrow what lives
    /// outside of the saga; write `async move { .. }` to give it what lives inside.
    pub fn compensate<T, E: Failure>(&self, undo: impl Durable<Output = Result<T, E>> + Send + 'a) {
        let undo = async move { undo.await.err().map(|error| error.__to_details()) };
        self.open().push(Box::pin(undo));
    }

    fn open(&self) -> MutexGuard<'_, Vec<Compensation<'a>>> {
        // Nobody panics while the list is locked, so it is complete behind a poisoned lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Saga<'_> {
    fn clone(&self) -> Self {
        Self { open: Arc::clone(&self.open) }
    }
}

impl fmt::Debug for Saga<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saga").field("compensations", &self.open().len()).finish()
    }
}

/// Why a saga has no result: the block failed or took too long, and what could be undone was undone.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SagaError<E> {
    /// What ended the block.
    pub error: SagaEnd<E>,
    /// The failures of compensations. These steps are still done, and a person may have to look at them. It is empty if
    /// everything was undone.
    pub not_compensated: Vec<FailureDetails>,
    /// What ended the block, as it would be recorded.
    details: FailureDetails,
}

/// What ended the block of a saga before its result.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SagaEnd<E> {
    /// The block returned this error.
    Failed(E),
    /// The block did not end [in time](SagaRun::within).
    TimedOut(TimedOut),
}

impl<E> fmt::Display for SagaError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the saga ")?;
        f.write_str(match &self.error {
            SagaEnd::Failed(_) => "failed, ",
            SagaEnd::TimedOut(_) => "took too long, ",
        })?;
        match self.not_compensated.len() {
            0 => f.write_str("and its finished steps were undone"),
            1 => f.write_str("and one of its finished steps could not be undone"),
            count => write!(f, "and {count} of its finished steps could not be undone"),
        }
    }
}

impl<E: fmt::Debug> Error for SagaError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.details)
    }
}

/// The future of [`Saga::run`].
#[must_use = "futures do nothing unless you `.await` them"]
pub struct SagaRun<'a, D: Future> {
    saga: Saga<'a>,
    /// The block, until it ends.
    forward: Option<Pin<Box<D>>>,
    /// Says where the saga is. It never becomes an operation.
    place: Leaf,
    limit: Option<(Duration, Timer)>,
    /// What runs after the block has ended without a result.
    undoing: Option<Undoing<'a, D>>,
}

struct Undoing<'a, D: Future> {
    /// The output of the block, or `None` if it took too long.
    output: Option<D::Output>,
    current: Option<Compensation<'a>>,
    failures: Vec<FailureDetails>,
    _forward: PhantomData<fn() -> D>,
}

impl<D: Future> SagaRun<'_, D> {
    /// Sets how long the block may take. After that, the block is dropped, which cancels the operations that it waits for,
    /// and its finished steps are undone. The compensations have no time limit.
    ///
    /// An activity that is cancelled may still do its work: add its compensation before the call, if undoing something that
    /// was not done does no harm.
    #[track_caller]
    pub fn within(mut self, duration: Duration) -> Self {
        let timer = Timer::after(self.place.ctx(), duration);
        self.limit = Some((duration, timer));
        self
    }
}

impl<T, E: Failure, D: Future<Output = Result<T, E>>> SagaRun<'_, D> {
    /// Polls the block. Returns its result, or whether it has ended without one.
    fn poll_forward(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<T>> {
        let Some(forward) = &mut self.forward else { return Poll::Ready(None) };
        let output = match forward.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => {
                let Some((_, timer)) = &mut self.limit else { return Poll::Pending };
                if Pin::new(timer).poll(cx).is_pending() {
                    return Poll::Pending;
                }
                None
            }
        };
        // Whatever the block still holds is cancelled before the first compensation is issued.
        self.forward = None;
        if output.is_some()
            && let Some((_, timer)) = self.limit.take()
        {
            drop(timer);
        }
        if let Some(Ok(result)) = output {
            self.saga.open().clear();
            return Poll::Ready(Some(result));
        }
        self.undoing = Some(Undoing { output, current: None, failures: Vec::new(), _forward: PhantomData });
        Poll::Ready(None)
    }

    /// Runs the compensations, the last one first.
    fn poll_undoing(&mut self, cx: &mut task::Context<'_>) -> Poll<SagaError<E>> {
        let Some(undoing) = &mut self.undoing else { return Poll::Pending };
        loop {
            if let Some(current) = &mut undoing.current {
                let Poll::Ready(failure) = current.as_mut().poll(cx) else { return Poll::Pending };
                undoing.failures.extend(failure);
                undoing.current = None;
            }
            let next = self.saga.open().pop();
            if next.is_none() {
                break;
            }
            undoing.current = next;
        }
        let not_compensated = std::mem::take(&mut undoing.failures);
        let (details, error) = match (undoing.output.take(), &self.limit) {
            (Some(Err(error)), _) => (error.__to_details(), SagaEnd::Failed(error)),
            (_, Some((limit, _))) => {
                let late = TimedOut::new(*limit);
                (late.__to_details(), SagaEnd::TimedOut(late))
            }
            // A block ends without a result only in these two ways.
            (_, None) => return Poll::Pending,
        };
        self.undoing = None;
        Poll::Ready(SagaError { error, not_compensated, details })
    }
}

/// The block is on the heap, and nothing else is ever pinned.
impl<D: Future> Unpin for SagaRun<'_, D> {}

impl<T, E: Failure, D: Durable + Future<Output = Result<T, E>>> Future for SagaRun<'_, D> {
    type Output = Result<T, SagaError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match this.poll_forward(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(result)) => Poll::Ready(Ok(result)),
            Poll::Ready(None) => this.poll_undoing(cx).map(Err),
        }
    }
}

impl<D: Future> Sealed for SagaRun<'_, D> {}
#[diagnostic::do_not_recommend]
impl<T, E: Failure, D: Durable + Future<Output = Result<T, E>>> Durable for SagaRun<'_, D> {}

impl<D: Future> Drop for SagaRun<'_, D> {
    fn drop(&mut self) {
        let running = self.undoing.as_ref().is_some_and(|undoing| undoing.current.is_some());
        let open = self.saga.open().len() + usize::from(running);
        let mut journal = self.place.ctx().journal();
        // Outside a poll, a drop means nothing: the instance was evicted, or the process ends.
        if open == 0 || journal.mode() == PollMode::Idle {
            return;
        }
        let steps = if open == 1 { "a step that was not undone" } else { "steps that were not undone" };
        let text =
            format!("a saga was dropped with {steps}: write `.within(duration)` instead of a time-out around it");
        journal.fail(FailureDetails::new(SAGA_DROPPED, text).non_retriable());
    }
}

/// The failure type of an orchestration that drops a saga.
const SAGA_DROPPED: &str = "persevere.SagaDropped";

impl<D: Future> fmt::Debug for SagaRun<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaRun").field("saga", &self.saga).finish_non_exhaustive()
    }
}
