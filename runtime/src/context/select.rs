//! The first of several durable futures, in source order: what `select!` expands to.
//!
//! The branches are pinned in the frame of the caller and form a list, so there is no limit to their number and no
//! allocation. One poll polls them in source order up to the first that is ready; then the others are dropped, in
//! source order too. No waker is touched.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use super::durable::Durable;
use super::durable::sealed::Sealed;

/// Which branch was first: this one, or one of those after it.
#[doc(hidden)]
#[derive(Debug)]
pub enum Either<A, B> {
    This(A),
    After(B),
}

/// There is no branch after the last.
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

/// One branch and those after it.
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

/// The branches themselves are pinned elsewhere.
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

/// Waits for the first of its durable futures, and evaluates what stands behind it:
///
/// ```text
/// let answer = select! {
///     event = BookingConfirmed::wait(&ctx) => event?.0,
///     _ = ctx.create_timer(minutes) => false,
/// };
/// ```
///
/// It awaits by itself. The branches are polled in source order, so the first of two that are ready in one turn wins;
/// the others are dropped, which cancels them, before the expression is evaluated. To keep a future, branch on `&mut`
/// of it. The patterns are irrefutable.
#[cfg(feature = "macros")]
#[macro_export]
macro_rules! select {
    ($($branches:tt)*) => { $crate::__rt::__select! { ($crate) $($branches)* } };
}
