//! Warns where an orchestrator drops something durable without awaiting it: `let _ = helper(&ctx);`. The compiler's own
//! `unused_must_use` says nothing there.

use super::durable::Durable;
use super::{ActivityCall, Block, ContinueAsNew, EventWait, SubOrchestrationCall, Timeout, Timer};
use crate::contract::{Activity, ExternalEvent, Orchestrator};

/// A value that is dropped. Generated code asks it: `Dropped(value).dropped()`.
#[derive(Debug)]
pub struct Dropped<T>(pub T);

/// Lets every value be dropped for which [`Dropped`] has no method of its own.
pub trait MayBeDropped: Sized {
    /// The value, which goes out of scope where it stands.
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
            /// The same, with a warning.
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
    Timeout<D> where [D: Durable],
    Timer where [],
}
