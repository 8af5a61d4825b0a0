//! Waiting for a list of durable futures of one type, all at once or a limited number at a time.
//!
//! One poll polls each unfinished branch once, in source order. If the limit allows it, the next branch is taken from
//! the list and polled in the same poll.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use super::durable::Durable;
use super::durable::sealed::Sealed;

/// The branches of a list that have been started.
struct Running<F: Future> {
    /// The running futures in source order, each with its index in `outputs`. A future that finishes during a poll is
    /// replaced with `None`.
    futures: Vec<(usize, Option<Pin<Box<F>>>)>,
    outputs: Vec<Option<F::Output>>,
}

impl<F: Future> Running<F> {
    fn new() -> Self {
        Self { futures: Vec::new(), outputs: Vec::new() }
    }

    fn start(&mut self, future: F) {
        self.futures.push((self.outputs.len(), Some(Box::pin(future))));
        self.outputs.push(None);
    }

    /// Polls each unfinished branch once, and starts new branches while there is room. `keep` checks each output, and
    /// an error from it ends the poll immediately.
    fn poll_each<E>(
        &mut self,
        cx: &mut Task<'_>,
        limit: usize,
        queue: &mut impl Iterator<Item = F>,
        keep: impl Fn(F::Output) -> Result<F::Output, E>,
    ) -> Result<bool, E> {
        // Futures that stay are moved up during the poll. Removing each finished future separately would move all
        // futures behind it every time.
        let (mut polled, mut stay) = (0, 0);
        loop {
            while self.futures.len() - (polled - stay) < limit
                && let Some(future) = queue.next()
            {
                self.start(future);
            }
            let Some((place, slot)) = self.futures.get_mut(polled) else {
                self.futures.truncate(stay);
                return Ok(self.futures.is_empty());
            };
            match slot.as_mut().map(|future| future.as_mut().poll(cx)) {
                Some(Poll::Pending) => {
                    self.futures.swap(stay, polled);
                    stay += 1;
                }
                Some(Poll::Ready(output)) => {
                    // Drop the future before polling anything else, so that whatever it still holds is cancelled here.
                    *slot = None;
                    self.outputs[*place] = Some(keep(output)?);
                }
                // This future finished in an earlier poll that ended with an error.
                None => {}
            }
            polled += 1;
        }
    }

    fn take(&mut self) -> Vec<F::Output> {
        std::mem::take(&mut self.outputs).into_iter().flatten().collect()
    }
}

/// The future of `join_all`, which waits for a whole list.
#[must_use = "futures do nothing unless you `.await` them"]
pub struct JoinAll<F: Future>(JoinAllLimit<std::vec::IntoIter<F>>);

/// Waits for all futures of a list. The outputs are in the order of the list.
pub fn join_all<I: IntoIterator<Item: Durable>>(futures: I) -> JoinAll<I::Item> {
    let futures: Vec<_> = futures.into_iter().collect();
    JoinAll(join_all_limit(usize::MAX, futures))
}

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<F: Future> Sealed for JoinAll<F> {}
#[diagnostic::do_not_recommend]
impl<F: Future> Durable for JoinAll<F> {}

/// The future of `join_all_limit`, which waits for a list with a limited number of futures at a time.
#[must_use = "futures do nothing unless you `.await` them"]
pub struct JoinAllLimit<I: Iterator<Item: Future>> {
    running: Running<I::Item>,
    queue: std::iter::Fuse<I>,
    limit: usize,
}

/// Waits for all futures of a list, at most `limit` of them at a time (0 counts as 1). The outputs are in the order of
/// the list.
///
/// The iterator is advanced only when there is room, so it can create its futures one by one.
pub fn join_all_limit<I: IntoIterator<Item: Durable>>(limit: usize, futures: I) -> JoinAllLimit<I::IntoIter> {
    JoinAllLimit { running: Running::new(), queue: futures.into_iter().fuse(), limit: limit.max(1) }
}

/// The futures are boxed, and the iterator is never pinned.
impl<I: Iterator<Item: Future>> Unpin for JoinAllLimit<I> {}

impl<I: Iterator<Item: Future>> Future for JoinAllLimit<I> {
    type Output = Vec<<I::Item as Future>::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let Self { running, queue, limit } = &mut *self;
        match running.poll_each(cx, *limit, queue, Ok::<_, std::convert::Infallible>) {
            Ok(true) => Poll::Ready(running.take()),
            Ok(false) => Poll::Pending,
        }
    }
}

impl<I: Iterator<Item: Future>> Sealed for JoinAllLimit<I> {}
#[diagnostic::do_not_recommend]
impl<I: Iterator<Item: Durable>> Durable for JoinAllLimit<I> {}

/// The future of `try_join_all`, which waits for a whole list or its first error.
#[must_use = "futures do nothing unless you `.await` them"]
pub struct TryJoinAll<F: Future> {
    running: Running<F>,
    queue: std::vec::IntoIter<F>,
}

/// Waits for all futures of a list, or until one fails. In that case the others are dropped in the order of the list.
pub fn try_join_all<T, E, I: IntoIterator<Item: Durable + Future<Output = Result<T, E>>>>(
    futures: I,
) -> TryJoinAll<I::Item> {
    let futures: Vec<_> = futures.into_iter().collect();
    TryJoinAll { running: Running::new(), queue: futures.into_iter() }
}

/// The futures are boxed, and the list is never pinned.
impl<F: Future> Unpin for TryJoinAll<F> {}

impl<T, E, F: Future<Output = Result<T, E>>> Future for TryJoinAll<F> {
    type Output = Result<Vec<T>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let Self { running, queue } = &mut *self;
        match running.poll_each(cx, usize::MAX, queue, |output| output.map(Ok)) {
            Ok(true) => Poll::Ready(running.take().into_iter().collect()),
            Ok(false) => Poll::Pending,
            Err(error) => {
                running.futures.clear();
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<F: Future> Sealed for TryJoinAll<F> {}
#[diagnostic::do_not_recommend]
impl<T, E, F: Future<Output = Result<T, E>>> Durable for TryJoinAll<F> {}

macro_rules! debug_by_name {
    ($($name:ident<$p:ident> where { $($bound:tt)* })*) => {$(
        impl<$p> fmt::Debug for $name<$p>
        where
            $p: $($bound)*,
        {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}
debug_by_name! {
    JoinAll<F> where { Future }
    JoinAllLimit<I> where { Iterator<Item: Future> }
    TryJoinAll<F> where { Future }
}
