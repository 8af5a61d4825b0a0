//! Events of one type, one after the other.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use super::Context;
use super::durable::{Durable, sealed::Sealed};
use super::event::EventWait;
use crate::contract::{Accepts, EventError, ExternalEvent};

/// The events of one type, in the order in which they are raised: `Order::stream(&ctx)`.
///
/// Use it when an orchestrator handles events until something else ends the loop. [`next`](Self::next) returns the next
/// event; with [`until`](Self::until) it returns `None` at the end. Without `until` the stream has no end of its own,
/// because events have none. Each event costs one recorded wait, as with `Order::wait(&ctx)`. In a loop that runs for
/// long, continue as new from time to time: the events that were not taken are carried over.
///
/// # Determinism
/// Events come in the order in which they were recorded, live and in replay. An event that waits is taken before the end
/// is looked at, so nothing that was raised before the end is lost.
///
/// # Examples
/// ```
/// use persevere::prelude::*;
///
/// #[external_event]
/// struct Order(u64);
///
/// #[external_event]
/// struct Close;
///
/// /// Adds up orders until the day is closed.
/// #[orchestrator(events(Order, Close))]
/// async fn day(ctx: OrchestrationContext) -> Result<u64, OrchestrationError> {
///     let mut sum = 0;
///     let mut orders = Order::stream(&ctx).until(Close::wait(&ctx));
///     while let Some(order) = orders.next().await {
///         sum += order?.0;
///     }
///     Ok(sum)
/// }
/// ```
#[must_use = "a stream of events does nothing unless `next` is awaited"]
pub struct EventStream<E, U = Endless> {
    ctx: Context,
    /// The wait for the next event. It stays if `next` is dropped, so that a time-out cancels nothing.
    wait: Option<EventWait<E>>,
    /// The end that was asked for; `None` once it has come.
    end: Option<Pin<Box<U>>>,
}

/// The end of an [`EventStream`] without `until`: it never comes.
#[derive(Debug, Clone, Copy)]
pub struct Endless(());

impl Future for Endless {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Sealed for Endless {}
#[diagnostic::do_not_recommend]
impl Durable for Endless {}

impl<E: ExternalEvent> EventStream<E> {
    pub(crate) fn new(ctx: &Context) -> Self {
        Self { ctx: ctx.clone(), wait: None, end: Some(Box::pin(Endless(()))) }
    }

    /// Ends the stream when this operation is done. Its output is dropped.
    ///
    /// The end can be an event, a timer, a call or any other durable operation. It is issued together with the first
    /// wait. Events that wait are returned before the end is looked at.
    pub fn until<U: Durable>(self, end: U) -> EventStream<E, U> {
        EventStream { ctx: self.ctx, wait: self.wait, end: Some(Box::pin(end)) }
    }
}

impl<E: ExternalEvent, U: Durable> EventStream<E, U> {
    /// Returns the next event, or `None` at the end and from then on.
    ///
    /// The returned future can have a time-out: `orders.next().timeout(&ctx, minute).await`. If it is dropped, no event is
    /// lost.
    ///
    /// # Errors
    /// The item is an [`EventError`] in the same cases as for a wait for the event.
    ///
    /// # Determinism
    /// The first `next` records the wait and the end, and each event that was taken makes the following `next` record
    /// another wait.
    #[allow(clippy::should_implement_trait, reason = "streams name this method so, and an iterator cannot be awaited")]
    #[track_caller]
    pub fn next(&mut self) -> NextEvent<'_, E, U> {
        if self.wait.is_none() && self.end.is_some() {
            self.wait = Some(EventWait::new(&self.ctx));
        }
        NextEvent { stream: self }
    }

    /// Checks, in an orchestrator with `events(..)`, that this event is in the list.
    #[doc(hidden)]
    pub fn __accepted_by<O: Accepts<E>>(self) -> Self {
        self
    }

    fn poll_next(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Result<E, EventError>>> {
        let (Some(wait), Some(end)) = (&mut self.wait, &mut self.end) else { return Poll::Ready(None) };
        if let Poll::Ready(event) = Pin::new(wait).poll(cx) {
            self.wait = None;
            return Poll::Ready(Some(event));
        }
        if end.as_mut().poll(cx).is_ready() {
            (self.wait, self.end) = (None, None);
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

impl<E, U> fmt::Debug for EventStream<E, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("wait", &self.wait)
            .field("ended", &self.end.is_none())
            .finish_non_exhaustive()
    }
}

/// The next event of an [`EventStream`], returned by [`EventStream::next`].
#[must_use = "futures do nothing unless you `.await` them"]
pub struct NextEvent<'a, E, U = Endless> {
    stream: &'a mut EventStream<E, U>,
}

impl<E: ExternalEvent, U: Durable> Future for NextEvent<'_, E, U> {
    type Output = Option<Result<E, EventError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        self.stream.poll_next(cx)
    }
}

impl<E: ExternalEvent, U: Durable> Sealed for NextEvent<'_, E, U> {}
#[diagnostic::do_not_recommend]
impl<E: ExternalEvent, U: Durable> Durable for NextEvent<'_, E, U> {}

impl<E, U> fmt::Debug for NextEvent<'_, E, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextEvent").field("stream", &self.stream).finish()
    }
}
