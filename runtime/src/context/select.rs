//! Waiting for the first of several durable futures, in source order: the code behind `select!`.
//!
//! The branches are pinned in the frame of the caller and form a list, so their number is not limited and nothing is
//! allocated. One poll polls them in source order up to the first that is ready. Then the others are dropped, also in
//! source order. Nothing touches the waker.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use super::durable::Durable;
use super::durable::sealed::Sealed;

/// The branch that was ready first: this one, or one of the branches after it.
#[doc(hidden)]
#[derive(Debug)]
pub enum Either<A, B> {
    This(A),
    After(B),
}

/// The output of the empty list. It has no value, because there is no branch after the last one.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub enum Never {}

/// A list of branches.
#[doc(hidden)]
pub trait SelectBranches {
    type Output;
    fn poll_first(&mut self, cx: &mut Task<'_>) -> Poll<Self::Output>;
    fn drop_in_order(&mut self);
}

/// One branch, and the branches after it.
#[doc(hidden)]
pub struct SelectBranch<'a, F, Rest> {
    future: Pin<&'a mut Option<F>>,
    rest: Rest,
}

/// The end of the list.
#[doc(hidden)]
#[derive(Debug)]
pub struct SelectEnd;

#[doc(hidden)]
pub fn select_branch<F: Future, Rest: SelectBranches>(
    future: Pin<&mut Option<F>>,
    rest: Rest,
) -> SelectBranch<'_, F, Rest> {
    SelectBranch { future, rest }
}

#[doc(hidden)]
pub fn select_end() -> SelectEnd {
    SelectEnd
}

impl SelectBranches for SelectEnd {
    type Output = Never;

    fn poll_first(&mut self, _: &mut Task<'_>) -> Poll<Never> {
        Poll::Pending
    }

    fn drop_in_order(&mut self) {}
}

impl<F: Future, Rest: SelectBranches> SelectBranches for SelectBranch<'_, F, Rest> {
    type Output = Either<F::Output, Rest::Output>;

    fn poll_first(&mut self, cx: &mut Task<'_>) -> Poll<Self::Output> {
        if let Some(future) = self.future.as_mut().as_pin_mut()
            && let Poll::Ready(output) = future.poll(cx)
        {
            return Poll::Ready(Either::This(output));
        }
        self.rest.poll_first(cx).map(Either::After)
    }

    fn drop_in_order(&mut self) {
        self.future.set(None);
        self.rest.drop_in_order();
    }
}

/// The future of `select!`.
#[doc(hidden)]
#[must_use = "futures do nothing unless you `.await` them"]
pub struct Select<L: SelectBranches> {
    branches: L,
}

#[doc(hidden)]
pub fn select<L: SelectBranches>(branches: L) -> Select<L> {
    Select { branches }
}

/// The branches are pinned elsewhere.
impl<L: SelectBranches> Unpin for Select<L> {}

impl<L: SelectBranches> Future for Select<L> {
    type Output = L::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<L::Output> {
        let output = self.branches.poll_first(cx);
        if output.is_ready() {
            self.branches.drop_in_order();
        }
        output
    }
}

impl<L: SelectBranches> Sealed for Select<L> {}
#[diagnostic::do_not_recommend]
impl<L: SelectBranches> Durable for Select<L> {}

impl<L: SelectBranches> Drop for Select<L> {
    fn drop(&mut self) {
        self.branches.drop_in_order();
    }
}

impl<L: SelectBranches> fmt::Debug for Select<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Select")
    }
}

impl<F, Rest> fmt::Debug for SelectBranch<'_, F, Rest> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SelectBranch")
    }
}

/// Waits for the first of several durable futures, and evaluates the expression behind it:
///
/// ```text
/// let answer = select! {
///     event = BookingConfirmed::wait(&ctx) => event?.0,
///     _ = ctx.create_timer(minutes) => false,
/// };
/// ```
///
/// The macro contains the `.await`. The branches are polled in source order, so if two are ready in one turn, the first
/// one in the source wins. The others are dropped before the expression is evaluated, which cancels them: an activity is
/// told to stop, and a sub-orchestration is terminated
/// ([`parent_close_policy`](crate::SubOrchestrationCall::parent_close_policy) says otherwise). To keep a
/// future, use `&mut future` as the branch. The patterns must be irrefutable.
#[cfg(feature = "macros")]
#[macro_export]
macro_rules! select {
    ($($branches:tt)*) => { $crate::__rt::__select! { ($crate) $($branches)* } };
}
