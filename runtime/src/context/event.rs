//! Waits for external events.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{self, Poll};

use super::Context;
use super::durable::{Durable, sealed::Sealed};
use super::leaf::Leaf;
use super::operations::Awaits;
use crate::contract::{Accepts, EventError, ExternalEvent, Payload, decoded};
use crate::model::Action;

/// A wait for an external event: `BookingConfirmed::wait(&ctx)`.
///
/// Events are kept from the moment when they are raised, so the event and the wait can come in either order. A wait
/// consumes an event in the poll in which it completes. If it is dropped before that, it has consumed nothing.
///
/// If the payload cannot be decoded as a `T`, the instance is parked with
/// [`ParkCode::UndecodableValue`](crate::ParkCode::UndecodableValue), and the event is not consumed.
#[must_use = "a wait does nothing unless it is awaited"]
pub struct EventWait<T> {
    leaf: Leaf,
    name: Cow<'static, str>,
    types: PhantomData<fn() -> T>,
}

impl<T: Payload> EventWait<T> {
    #[track_caller]
    pub(crate) fn new(ctx: &Context) -> Self
    where
        T: ExternalEvent,
    {
        Self::named(ctx, Cow::Borrowed(T::NAME))
    }

    /// Checks, in an orchestrator with `events(..)`, that this event is in the list.
    #[doc(hidden)]
    pub fn __accepted_by<O: Accepts<T>>(self) -> Self
    where
        T: ExternalEvent,
    {
        self
    }

    #[track_caller]
    pub(super) fn named(ctx: &Context, name: Cow<'static, str>) -> Self {
        Self { leaf: Leaf::new(ctx), name, types: PhantomData }
    }
}

impl<T: Payload> Future for EventWait<T> {
    type Output = Result<T, EventError>;

    fn poll(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if !this.leaf.is_issued() {
            if let Err(failure) = this.leaf.admit(0) {
                this.leaf.ctx().turn().fail(failure);
                return Poll::Pending;
            }
            let name = this.name.clone().into_owned();
            let _ = this.leaf.issue(Awaits::Event, |operation, location| Action::WaitForEvent {
                operation,
                name,
                location,
            });
        }
        let Some(payload) = this.leaf.take_event(&this.name) else { return Poll::Pending };
        match decoded(|| T::__decode(&payload)) {
            Ok(event) => Poll::Ready(Ok(event)),
            Err(error) => {
                this.leaf.cannot_decode(format_args!("the payload of event `{}`", this.name), error);
                Poll::Pending
            }
        }
    }
}

impl<T: Payload> Sealed for EventWait<T> {}
#[diagnostic::do_not_recommend]
impl<T: Payload> Durable for EventWait<T> {}

impl<T> fmt::Debug for EventWait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventWait")
            .field("name", &self.name)
            .field("issued", &self.leaf.is_issued())
            .finish_non_exhaustive()
    }
}
