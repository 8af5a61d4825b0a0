//! Waiting for several durable futures: the code behind `join!` and `try_join!`.
//!
//! The branches are pinned in the frame of the caller and form a list. One poll polls each unfinished branch once, in
//! source order. A branch that is ready is dropped immediately. Nothing touches the waker.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use super::durable::Durable;
use super::durable::sealed::Sealed;

/// A list of branches.
#[doc(hidden)]
pub trait JoinBranches {
    /// The outputs as a nested pair, in source order.
    type Output;
    /// Polls each unfinished branch once. Returns whether all branches have finished.
    fn poll_each(&mut self, cx: &mut Task<'_>) -> bool;
    fn take(&mut self) -> Option<Self::Output>;
    fn drop_in_order(&mut self);
}

/// A list of branches that stops at the first error.
#[doc(hidden)]
pub trait TryJoinBranches<E> {
    /// The values as a nested pair, in source order.
    type Output;
    /// Polls each unfinished branch once, up to the first that fails. Returns whether all branches have finished.
    fn try_poll_each(&mut self, cx: &mut Task<'_>) -> Result<bool, E>;
    fn try_take(&mut self) -> Option<Self::Output>;
    fn drop_in_order(&mut self);
}

/// One branch, and the branches after it.
#[doc(hidden)]
pub struct JoinBranch<'a, F: Future, Rest> {
    future: Pin<&'a mut Option<F>>,
    output: Option<F::Output>,
    rest: Rest,
}

/// The end of the list.
#[doc(hidden)]
#[derive(Debug)]
pub struct JoinEnd;

#[doc(hidden)]
pub fn join_branch<F: Future, Rest>(future: Pin<&mut Option<F>>, rest: Rest) -> JoinBranch<'_, F, Rest> {
    JoinBranch { future, output: None, rest }
}

#[doc(hidden)]
pub fn join_end() -> JoinEnd {
    JoinEnd
}

impl<F: Future, Rest> JoinBranch<'_, F, Rest> {
    /// Polls this branch, and returns its output if it is ready.
    fn poll_branch(&mut self, cx: &mut Task<'_>) -> Option<F::Output> {
        match self.future.as_mut().as_pin_mut()?.poll(cx) {
            Poll::Ready(output) => {
                self.future.set(None);
                Some(output)
            }
            Poll::Pending => None,
        }
    }
}

impl JoinBranches for JoinEnd {
    type Output = ();

    fn poll_each(&mut self, _: &mut Task<'_>) -> bool {
        true
    }

    fn take(&mut self) -> Option<()> {
        Some(())
    }

    fn drop_in_order(&mut self) {}
}

impl<F: Future, Rest: JoinBranches> JoinBranches for JoinBranch<'_, F, Rest> {
    type Output = (F::Output, Rest::Output);

    fn poll_each(&mut self, cx: &mut Task<'_>) -> bool {
        if let Some(output) = self.poll_branch(cx) {
            self.output = Some(output);
        }
        let rest_finished = self.rest.poll_each(cx);
        self.output.is_some() && rest_finished
    }

    fn take(&mut self) -> Option<Self::Output> {
        Some((self.output.take()?, self.rest.take()?))
    }

    fn drop_in_order(&mut self) {
        self.future.set(None);
        self.rest.drop_in_order();
    }
}

impl<E> TryJoinBranches<E> for JoinEnd {
    type Output = ();

    fn try_poll_each(&mut self, _: &mut Task<'_>) -> Result<bool, E> {
        Ok(true)
    }

    fn try_take(&mut self) -> Option<()> {
        Some(())
    }

    fn drop_in_order(&mut self) {}
}

impl<T, E, F: Future<Output = Result<T, E>>, Rest: TryJoinBranches<E>> TryJoinBranches<E> for JoinBranch<'_, F, Rest> {
    type Output = (T, Rest::Output);

    fn try_poll_each(&mut self, cx: &mut Task<'_>) -> Result<bool, E> {
        if let Some(output) = self.poll_branch(cx) {
            self.output = Some(Ok(output?));
        }
        let rest_finished = self.rest.try_poll_each(cx)?;
        Ok(self.output.is_some() && rest_finished)
    }

    fn try_take(&mut self) -> Option<Self::Output> {
        Some((self.output.take()?.ok()?, self.rest.try_take()?))
    }

    fn drop_in_order(&mut self) {
        self.future.set(None);
        self.rest.drop_in_order();
    }
}

/// The future of `join!`.
#[doc(hidden)]
#[must_use = "futures do nothing unless you `.await` them"]
pub struct Join<L: JoinBranches> {
    branches: L,
}

#[doc(hidden)]
pub fn join<L: JoinBranches>(branches: L) -> Join<L> {
    Join { branches }
}

/// The branches are pinned elsewhere.
impl<L: JoinBranches> Unpin for Join<L> {}

impl<L: JoinBranches> Future for Join<L> {
    type Output = L::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<L::Output> {
        if !self.branches.poll_each(cx) {
            return Poll::Pending;
        }
        self.branches.take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<L: JoinBranches> Sealed for Join<L> {}
#[diagnostic::do_not_recommend]
impl<L: JoinBranches> Durable for Join<L> {}

impl<L: JoinBranches> Drop for Join<L> {
    fn drop(&mut self) {
        self.branches.drop_in_order();
    }
}

/// The future of `try_join!`.
#[doc(hidden)]
#[must_use = "futures do nothing unless you `.await` them"]
pub struct TryJoin<E, L: TryJoinBranches<E>> {
    branches: L,
    error: std::marker::PhantomData<fn() -> E>,
}

#[doc(hidden)]
pub fn try_join<E, L: TryJoinBranches<E>>(branches: L) -> TryJoin<E, L> {
    TryJoin { branches, error: std::marker::PhantomData }
}

/// The branches are pinned elsewhere.
impl<E, L: TryJoinBranches<E>> Unpin for TryJoin<E, L> {}

impl<E, L: TryJoinBranches<E>> Future for TryJoin<E, L> {
    type Output = Result<L::Output, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        match self.branches.try_poll_each(cx) {
            Ok(false) => Poll::Pending,
            Ok(true) => self.branches.try_take().map_or(Poll::Pending, |output| Poll::Ready(Ok(output))),
            Err(error) => {
                self.branches.drop_in_order();
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<E, L: TryJoinBranches<E>> Sealed for TryJoin<E, L> {}
#[diagnostic::do_not_recommend]
impl<E, L: TryJoinBranches<E>> Durable for TryJoin<E, L> {}

impl<E, L: TryJoinBranches<E>> Drop for TryJoin<E, L> {
    fn drop(&mut self) {
        self.branches.drop_in_order();
    }
}

impl<F: Future, Rest> fmt::Debug for JoinBranch<'_, F, Rest> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinBranch")
    }
}

impl<L: JoinBranches> fmt::Debug for Join<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Join")
    }
}

impl<E, L: TryJoinBranches<E>> fmt::Debug for TryJoin<E, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TryJoin")
    }
}

/// Waits for several durable futures at the same time: `let (a, b) = join!(first, second);`.
///
/// The macro contains the `.await`. The futures are polled in source order, so their operations are issued and numbered
/// in that order.
#[cfg(feature = "macros")]
#[macro_export]
macro_rules! join {
    ($($branches:tt)*) => { $crate::__rt::__join! { ($crate) $($branches)* } };
}

/// Waits for several durable futures at the same time, until all succeed or one fails: `let (a, b) = try_join!(first,
/// second)?;`.
///
/// The macro contains the `.await`. At the first error, the other futures are dropped in source order, which cancels
/// them.
#[cfg(feature = "macros")]
#[macro_export]
macro_rules! try_join {
    ($($branches:tt)*) => { $crate::__rt::__try_join! { ($crate) $($branches)* } };
}
