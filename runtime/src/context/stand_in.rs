//! Stand-ins for the context layer.
#![allow(missing_docs, missing_debug_implementations, dead_code, clippy::needless_pass_by_value)]

use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use super::durable::{Durable, sealed::Sealed};
use crate::contract::{
    Activity, CallError, CustomStatus, CustomStatusError, DeclaresStatus, EventError, ExternalEvent, NoStatus,
    Orchestrator, TimedOut,
};
use crate::model::ids::InstanceId;
use crate::model::json::{EncodeError, JsonText};

#[derive(Clone, Debug)]
pub struct Context(());

#[derive(Debug)]
pub struct OrchestrationContext<S = NoStatus>(Context, PhantomData<fn(S)>);

impl<S> Clone for OrchestrationContext<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<S> OrchestrationContext<S> {
    pub(crate) fn from_context(context: Context) -> Self {
        Self(context, PhantomData)
    }
}

impl<S> Deref for OrchestrationContext<S> {
    type Target = Context;
    fn deref(&self) -> &Context {
        &self.0
    }
}

impl<S: CustomStatus> OrchestrationContext<S> {
    pub fn set_custom_status(&self, _: &S) -> Result<(), CustomStatusError> {
        Ok(())
    }
}

impl OrchestrationContext<NoStatus> {
    #[doc(hidden)]
    pub fn set_custom_status<T: ?Sized>(&self, _: &T) -> Result<(), CustomStatusError>
    where
        NoStatus: DeclaresStatus<T>,
    {
        Ok(())
    }
}

macro_rules! pending {
    ($name:ident<$p:ident: $bound:ident>, $output:ty) => {
        #[must_use = "futures do nothing unless you `.await` them"]
        pub struct $name<$p: $bound>(Context, PhantomData<fn() -> $p>);
        impl<$p: $bound> Future for $name<$p> {
            type Output = $output;
            fn poll(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<Self::Output> {
                Poll::Pending
            }
        }
        impl<$p: $bound> Sealed for $name<$p> {}
        #[diagnostic::do_not_recommend]
        impl<$p: $bound> Durable for $name<$p> {}
    };
}

pending!(ActivityCall<A: Activity>, Result<A::Output, CallError<A::Error>>);
pending!(SubOrchestrationCall<O: Orchestrator>, Result<O::Output, CallError<O::Error>>);
pending!(ContinueAsNew<O: Orchestrator>, Result<O::Output, O::Error>);
pending!(EventWait<E: ExternalEvent>, Result<E, EventError>);

impl<A: Activity> ActivityCall<A> {
    #[track_caller]
    pub(crate) fn new(ctx: &Context, _: Result<JsonText, EncodeError>) -> Self {
        Self(ctx.clone(), PhantomData)
    }
}

impl<O: Orchestrator> SubOrchestrationCall<O> {
    #[track_caller]
    pub(crate) fn new(ctx: &Context, _: Result<JsonText, EncodeError>) -> Self {
        Self(ctx.clone(), PhantomData)
    }
}

impl<O: Orchestrator> ContinueAsNew<O> {
    #[track_caller]
    pub(crate) fn new(ctx: &Context, _: Result<JsonText, EncodeError>) -> Self {
        Self(ctx.clone(), PhantomData)
    }
}

impl<E: ExternalEvent> EventWait<E> {
    #[track_caller]
    pub(crate) fn new(ctx: &Context) -> Self {
        Self(ctx.clone(), PhantomData)
    }
}

#[track_caller]
pub(crate) fn start_detached<O: Orchestrator>(
    _: &Context,
    input: Result<JsonText, EncodeError>,
) -> Result<InstanceId, EncodeError> {
    input.map(|_| InstanceId::minted(crate::model::InstanceKey(0)))
}

#[must_use = "futures do nothing unless you `.await` them"]
pub struct Timeout<F>(Pin<Box<F>>);

impl<F> Timeout<F> {
    pub(crate) fn new(future: F, _: &Context, _: Duration) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Durable> Future for Timeout<F> {
    type Output = Result<F::Output, TimedOut>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}
impl<F: Durable> Sealed for Timeout<F> {}
#[diagnostic::do_not_recommend]
impl<F: Durable> Durable for Timeout<F> {}

#[derive(Clone, Debug)]
pub struct ActivityContext(());

impl ActivityContext {
    pub fn for_test() -> Self {
        Self(())
    }
}
