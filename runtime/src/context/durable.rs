//! Durable futures are the futures that an orchestrator may await. This module also checks that it awaits nothing else.

use std::fmt;
use std::future::{Future, Ready};
use std::ops::DerefMut;
use std::pin::Pin;
use std::task;
use std::time::Duration;

use super::{Context, Retriable, Timeout};
use crate::contract::RetryPolicy;

pub(crate) mod sealed {
    /// Restricts [`Durable`](super::Durable) to this crate, because every implementation promises that replay produces
    /// the same result at the same place.
    pub trait Sealed {}
}
use sealed::Sealed;

/// A future whose result is recorded in the history of the orchestration. An orchestrator can await only durable
/// futures.
///
/// Durable futures are calls of activities and sub-orchestrations, timers, waits for events, and combinations of these.
/// They are lazy: the operation is issued and numbered when the future is first polled.
///
/// # Determinism
/// Durable futures never touch the waker. They complete in the poll in which their result is recorded, live and in
/// replay.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be `.await`ed in an orchestrator: it is not a durable operation",
    label = "not recorded in the orchestration history",
    note = "an orchestrator awaits calls of activities and sub-orchestrations, timers, external events, and `join!` or `select!` of them",
    note = "an async helper of an orchestrator needs `#[orchestrator_fn]`; a future that is deterministic although its type does not say so needs `assume_durable!(reason = \"..\", future)`",
    note = "usually it is one of these: write `ctx.create_timer(duration)` for a sleep, `function_name::call(&ctx, ..)` for an activity's `function_name(..)`, and move I/O into an activity"
)]
pub trait Durable: Sealed + Future {
    /// Waits no longer than `duration`. The output is `Result<Self::Output, TimedOut>`, so a call needs `.await??`.
    ///
    /// The operation is issued first, then the timer. Whichever finishes last is dropped, which cancels it: an activity is
    /// told to stop, and a sub-orchestration is terminated
    /// ([`parent_close_policy`](crate::SubOrchestrationCall::parent_close_policy) says otherwise).
    fn timeout(self, ctx: &Context, duration: Duration) -> Timeout<Self>
    where
        Self: Sized,
    {
        Timeout::new(self, ctx, duration)
    }

    /// Only a call can be tried again. This method exists for its message, which says how to write it.
    #[doc(hidden)]
    fn retry(self, _: RetryPolicy) -> Self
    where
        Self: Sized + Retriable,
    {
        self
    }

    /// Boxes the future and hides its type, so that different operations with the same output fit into one list.
    fn boxed<'a>(self) -> Pin<Box<dyn Durable<Output = Self::Output> + Send + 'a>>
    where
        Self: Sized + Send + 'a,
    {
        Box::pin(self)
    }
}

/// The method that the macros put before every `.await`. It is implemented for every type on purpose, so that the
/// compiler reports the failed bound, with the message of [`Durable`], and not a missing method.
#[doc(hidden)]
pub trait AwaitCheck: Sized {
    #[doc(hidden)]
    #[inline(always)]
    fn __durable(self) -> Self
    where
        Self: Durable,
    {
        self
    }

    /// The same check, unless another check has already refused the value.
    #[doc(hidden)]
    #[inline(always)]
    fn __durable_unless<const REFUSED: bool>(self) -> Self
    where
        Self: DurableUnless<REFUSED>,
    {
        self
    }
}

impl<T> AwaitCheck for T {}

/// Durable, or already refused by another check, so that one mistake gives one message.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be `.await`ed in an orchestrator: it is not a durable operation",
    label = "not recorded in the orchestration history",
    note = "an orchestrator awaits calls of activities and sub-orchestrations, timers, external events, and `join!` or `select!` of them",
    note = "an async helper of an orchestrator needs `#[orchestrator_fn]`; a future that is deterministic although its type does not say so needs `assume_durable!(reason = \"..\", future)`",
    note = "usually it is one of these: write `ctx.create_timer(duration)` for a sleep, `function_name::call(&ctx, ..)` for an activity's `function_name(..)`, and move I/O into an activity"
)]
pub trait DurableUnless<const REFUSED: bool> {}

#[diagnostic::do_not_recommend]
impl<T> DurableUnless<true> for T {}
#[diagnostic::do_not_recommend]
impl<T: Durable> DurableUnless<false> for T {}

impl<D: Durable + Unpin + ?Sized> Sealed for &mut D {}
#[diagnostic::do_not_recommend]
impl<D: Durable + Unpin + ?Sized> Durable for &mut D {}

impl<P: DerefMut<Target: Durable>> Sealed for Pin<P> {}
#[diagnostic::do_not_recommend]
impl<P: DerefMut<Target: Durable>> Durable for Pin<P> {}

impl<D: Durable + Unpin + ?Sized> Sealed for Box<D> {}
#[diagnostic::do_not_recommend]
impl<D: Durable + Unpin + ?Sized> Durable for Box<D> {}

impl<T> Sealed for Ready<T> {}
#[diagnostic::do_not_recommend]
impl<T> Durable for Ready<T> {}

/// Makes a type durable that wraps the future in its field `future`.
macro_rules! durable_wrapper {
    ($($name:ident)+) => {$(
        impl<F: Future> Future for $name<F> {
            type Output = F::Output;

            fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<F::Output> {
                self.future.as_mut().poll(cx)
            }
        }

        impl<F: Future> Sealed for $name<F> {}
        #[diagnostic::do_not_recommend]
        impl<F: Future> Durable for $name<F> {}
    )+};
}
durable_wrapper!(Block AssumeDurable);

/// An async block of an orchestrator. It is durable, because its own awaits have been checked.
#[must_use = "futures do nothing unless you `.await` them"]
pub struct Block<F> {
    /// The future is on the heap so that `&mut block` can be awaited and a helper can call itself.
    future: Pin<Box<F>>,
}

/// Makes an async block durable. The macros put it around blocks whose awaits they have checked.
#[doc(hidden)]
pub fn block<F: Future>(future: F) -> Block<F> {
    Block { future: Box::pin(future) }
}

/// Ties the parameters of an async closure to its inputs and to nothing else, so that the compiler knows their types.
#[doc(hidden)]
pub fn closure<T, R, F: AsyncFnOnce(T) -> R>(_: &T, function: F) -> F {
    function
}

/// Names the output of a block from inside the block, so that its `return` and `?` know the type from the start. It
/// always returns `None`.
#[doc(hidden)]
pub fn output_of<T>() -> Option<T> {
    None
}

impl<F> fmt::Debug for Block<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Block")
    }
}

/// A future that the application declares to be durable with [`assume_durable!`](crate::assume_durable).
#[must_use = "futures do nothing unless you `.await` them"]
pub struct AssumeDurable<F> {
    future: Pin<Box<F>>,
    reason: &'static str,
}

#[doc(hidden)]
pub fn assume_durable_future<F: Future>(reason: &'static str, future: F) -> AssumeDurable<F> {
    AssumeDurable { future: Box::pin(future), reason }
}

impl<F> fmt::Debug for AssumeDurable<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssumeDurable").field("reason", &self.reason).finish_non_exhaustive()
    }
}

/// Lets an orchestrator await a future that is not a durable operation: `assume_durable!(reason = "..", future)`.
///
/// The future must complete at the same place in every replay without touching its waker. Examples are a future that is
/// ready immediately, and a future from another crate that awaits only durable operations. If the future registers a
/// waker, the engine still parks the instance.
#[macro_export]
macro_rules! assume_durable {
    (reason = $reason:literal, $future:expr $(,)?) => {{
        const _: () =
            $crate::__rt::core::assert!(!$reason.is_empty(), "give a reason: assume_durable!(reason = \"..\", future)");
        $crate::__rt::assume_durable_future($reason, $future)
    }};
    ($($other:tt)*) => {
        $crate::__rt::core::compile_error!("give a reason: assume_durable!(reason = \"..\", future)")
    };
}
