//! The same work for each item of a list: `ctx.map(items, async |item| { .. })`.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use super::Context;
use super::durable::{Durable, sealed::Sealed};

/// How many failures stop a [`Context::map`] from starting further items.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Failures {
    /// No number of failures: every item is started. This is the default.
    #[default]
    None,
    /// This many failures. 0 counts as 1.
    Count(usize),
    /// Failures of more than this share of the list: with 0.1, eleven of a hundred items.
    Share(f64),
}

impl Failures {
    fn are_reached(self, failed: usize, total: usize) -> bool {
        match self {
            Self::None => false,
            Self::Count(count) => failed >= count.max(1),
            Self::Share(share) => failed > 0 && failed as f64 > share * total as f64,
        }
    }
}

/// What became of the items of a [`Context::map`]. Each item is in exactly one of the lists.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Batch<T, R, E> {
    /// The results, each with the place of its item in the list, in the order of the list.
    pub ok: Vec<(usize, R)>,
    /// The errors, each with the place of its item in the list, in the order of the list.
    pub failed: Vec<(usize, E)>,
    /// The items that were not started because others had failed, in the order of the list. They are the end of the
    /// list.
    pub not_started: Vec<T>,
}

/// The future of [`Context::map`].
#[must_use = "futures do nothing unless you `.await` them"]
pub struct Map<T, F, D: Future> {
    queue: VecDeque<T>,
    make: F,
    limit: usize,
    stop_after: Failures,
    running: Vec<Option<(usize, Pin<Box<D>>)>>,
    outputs: Vec<Option<D::Output>>,
    failed: usize,
    total: usize,
}

impl<T, F, D: Future> Map<T, F, D> {
    /// Sets how many items run at a time. The default is 100, and 0 counts as 1.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.max(1);
        self
    }

    /// Sets how many failures stop the start of further items. Items that are running are awaited, so their outcome is
    /// known. By default, every item is started.
    pub fn stop_after(mut self, failures: Failures) -> Self {
        self.stop_after = failures;
        self
    }
}

impl<T, R, E, F, D> Map<T, F, D>
where
    F: FnMut(T) -> D,
    D: Future<Output = Result<R, E>>,
{
    /// Starts items while there is room for them.
    fn start(&mut self, running: usize) {
        let stopped = self.stop_after.are_reached(self.failed, self.total);
        let room = if stopped { 0 } else { self.limit.saturating_sub(running) };
        for item in self.queue.drain(..room.min(self.queue.len())) {
            self.running.push(Some((self.outputs.len(), Box::pin((self.make)(item)))));
            self.outputs.push(None);
        }
    }

    /// Polls each running item once, in the order of the list, and starts others in the places of those that end.
    fn poll_each(&mut self, cx: &mut task::Context<'_>) {
        let (mut polled, mut stay) = (0, 0);
        loop {
            self.start(self.running.len() - (polled - stay));
            let Some(slot) = self.running.get_mut(polled) else { break };
            if let Some((place, future)) = slot {
                match future.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.running.swap(stay, polled);
                        stay += 1;
                    }
                    Poll::Ready(output) => {
                        self.failed += usize::from(output.is_err());
                        self.outputs[*place] = Some(output);
                        // It is dropped before anything else is polled, so that whatever it still holds is cancelled here.
                        *slot = None;
                    }
                }
            }
            polled += 1;
        }
        self.running.truncate(stay);
    }

    fn take(&mut self) -> Batch<T, R, E> {
        let (mut ok, mut failed) = (Vec::new(), Vec::new());
        for (place, output) in std::mem::take(&mut self.outputs).into_iter().enumerate() {
            match output {
                Some(Ok(result)) => ok.push((place, result)),
                Some(Err(error)) => failed.push((place, error)),
                None => {}
            }
        }
        Batch { ok, failed, not_started: std::mem::take(&mut self.queue).into() }
    }
}

/// The futures are on the heap, and nothing else is ever pinned.
impl<T, F, D: Future> Unpin for Map<T, F, D> {}

impl<T, R, E, F, D> Future for Map<T, F, D>
where
    F: FnMut(T) -> D,
    D: Durable + Future<Output = Result<R, E>>,
{
    type Output = Batch<T, R, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        self.poll_each(cx);
        if self.running.is_empty() { Poll::Ready(self.take()) } else { Poll::Pending }
    }
}

impl<T, F, D: Future> Sealed for Map<T, F, D> {}
#[diagnostic::do_not_recommend]
impl<T, R, E, F, D> Durable for Map<T, F, D>
where
    F: FnMut(T) -> D,
    D: Durable + Future<Output = Result<R, E>>,
{
}

impl<T, F, D: Future> fmt::Debug for Map<T, F, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("running", &self.running.len())
            .field("not_started", &self.queue.len())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// Does the same work for each item of a list, with a limited number of items at a time, and says for each item what
    /// became of it. Errors do not end the whole: see [`Map::stop_after`].
    ///
    /// The work of an item is a call, or a block of several operations. It may borrow the items and whatever else lives
    /// outside.
    ///
    /// # Determinism
    /// Items are started in the order of the list, and each poll polls the running items in that order.
    ///
    /// # Examples
    /// ```
    /// use persevere::Failures;
    /// use persevere::prelude::*;
    ///
    /// #[activity]
    /// async fn resize(picture: String) -> Result<String, ActivityError> {
    ///     Ok(format!("{picture}.small"))
    /// }
    ///
    /// #[activity]
    /// async fn upload(picture: String) -> Result<u64, ActivityError> {
    ///     Ok(picture.len() as u64)
    /// }
    ///
    /// #[orchestrator]
    /// async fn album(ctx: OrchestrationContext, pictures: Vec<String>) -> Result<String, OrchestrationError> {
    ///     let batch = ctx
    ///         .map(&pictures, async |picture| {
    ///             let small = resize::call(&ctx, picture.clone()).await?;
    ///             Ok(upload::call(&ctx, small).await?)
    ///         })
    ///         .limit(20)
    ///         .stop_after(Failures::Count(3))
    ///         .await;
    ///     let (ok, failed, left) = (batch.ok.len(), batch.failed.len(), batch.not_started.len());
    ///     Ok(format!("{ok} uploaded, {failed} failed, {left} not tried"))
    /// }
    /// # fn main() {}
    /// ```
    pub fn map<T, R, E, D, F>(&self, items: impl IntoIterator<Item = T>, make: F) -> Map<T, F, D>
    where
        F: FnMut(T) -> D,
        D: Durable + Future<Output = Result<R, E>>,
    {
        // An iterator that is held across the `.await` would have to be `Send` for every lifetime.
        let queue: VecDeque<T> = items.into_iter().collect();
        let total = queue.len();
        let (running, outputs) = (Vec::new(), Vec::new());
        Map { queue, make, limit: 100, stop_after: Failures::None, running, outputs, failed: 0, total }
    }
}
