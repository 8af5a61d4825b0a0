//! Warns if an orchestrator drops something durable without awaiting it: `let _ = helper(&ctx);`. The lint
//! `unused_must_use` of the compiler does not warn in this case.

use super::durable::Durable;
use super::{
    ActivityCall, Block, ContinueAsNew, EventStream, EventWait, Map, Retry, RetryBlock, SagaRun, SubOrchestrationCall,
    Timeout, Timer,
};
use crate::contract::{Activity, ExternalEvent, Orchestrator};

/// A value that is dropped. Generated code calls `Dropped(value).dropped()`.
#[derive(Debug)]
pub struct Dropped<T>(pub T);

/// Applies to every value for which [`Dropped`] has no method of its own, and does nothing.
pub trait MayBeDropped: Sized {
    /// Returns the value, which goes out of scope at the end of the statement.
    #[inline(always)]
    #[must_use]
    fn dropped(self) -> Self {
        self
    }
}

impl<T> MayBeDropped for Dropped<T> {}

macro_rules! never_awaited {
    ($($type:ty where [$($bounds:tt)*]),* $(,)?) => {$(
        impl<$($bounds)*> Dropped<$type> {
            /// Returns the value, with a warning.
            #[deprecated(note = "it is dropped without being awaited, so it does nothing: `.await` it (check `drop_effects`)")]
            #[inline(always)]
            #[must_use]
            pub fn dropped(self) -> Self {
                self
            }
        }
    )*};
}

never_awaited! {
    Block<F> where [F],
    ActivityCall<A> where [A: Activity],
    SubOrchestrationCall<O> where [O: Orchestrator],
    ContinueAsNew<O> where [O: Orchestrator],
    EventWait<E> where [E: ExternalEvent],
    Retry<C, F> where [C, F],
    RetryBlock<F, D, E, G> where [F, D, E, G],
    Map<T, F, D> where [T, F, D: std::future::Future],
    SagaRun<'a, D> where ['a, D: std::future::Future],
    EventStream<E> where [E: ExternalEvent],
    Timeout<D> where [D: Durable],
    Timer where [],
}
