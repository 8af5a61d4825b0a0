//! Tests what `join!`, `try_join!`, `select!`, `join_all`, `join_all_limit` and `try_join_all` poll and drop, and when.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context as Task, Poll, Waker};

use super::durable::{Durable, sealed::Sealed};
use super::{block, join_all, join_all_limit, try_join_all};
use crate::{join, select, try_join};

/// What happened, in order: `1?` means polled, `1!` ready, and `1x` dropped before it was ready.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn add(&self, id: u32, what: char) {
        self.0.borrow_mut().push(format!("{id}{what}"));
    }

    fn take(&self) -> String {
        self.0.borrow_mut().drain(..).collect::<Vec<_>>().join(" ")
    }

    /// Creates a future that is ready at its n-th poll and returns its id.
    fn ready_at(&self, id: u32, polls: u32) -> Scripted<u32> {
        Scripted { id, polls, output: Some(id), log: self.clone() }
    }

    fn fails_at(&self, id: u32, polls: u32) -> Scripted<Result<u32, u32>> {
        Scripted { id, polls, output: Some(Err(id)), log: self.clone() }
    }

    fn succeeds_at(&self, id: u32, polls: u32) -> Scripted<Result<u32, u32>> {
        Scripted { id, polls, output: Some(Ok(id)), log: self.clone() }
    }
}

struct Scripted<T> {
    id: u32,
    polls: u32,
    output: Option<T>,
    log: Log,
}

impl<T> Unpin for Scripted<T> {}

impl<T> Future for Scripted<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<T> {
        self.polls -= 1;
        if self.polls > 0 {
            self.log.add(self.id, '?');
            return Poll::Pending;
        }
        self.log.add(self.id, '!');
        Poll::Ready(self.output.take().expect("polled after it was ready"))
    }
}

impl<T> Sealed for Scripted<T> {}
impl<T> Durable for Scripted<T> {}

impl<T> Drop for Scripted<T> {
    fn drop(&mut self) {
        if self.output.is_some() {
            self.log.add(self.id, 'x');
        }
    }
}

/// Polls once with a waker that does nothing, because no future here may need one.
fn poll<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[test]
fn a_join_polls_every_unfinished_branch_once_a_poll_in_source_order() {
    let log = Log::default();
    let mut joined = pin!(async { join!(log.ready_at(1, 3), log.ready_at(2, 1), log.ready_at(3, 2)) });
    assert_eq!(poll(joined.as_mut()), None);
    assert_eq!(log.take(), "1? 2! 3?");
    assert_eq!(poll(joined.as_mut()), None);
    assert_eq!(log.take(), "1? 3!");
    assert_eq!(poll(joined.as_mut()), Some((1, 2, 3)));
    assert_eq!(log.take(), "1!");
}

#[test]
fn a_dropped_join_drops_its_branches_in_source_order() {
    let log = Log::default();
    {
        let mut joined = pin!(async { join!(log.ready_at(1, 2), log.ready_at(2, 1), log.ready_at(3, 2)) });
        assert_eq!(poll(joined.as_mut()), None);
    }
    assert_eq!(log.take(), "1? 2! 3? 1x 3x");
}

#[test]
fn a_try_join_stops_at_the_first_error_and_drops_the_others_in_source_order() {
    let log = Log::default();
    let mut joined =
        pin!(async { try_join!(log.succeeds_at(1, 3), log.fails_at(2, 2), log.succeeds_at(3, 3), log.fails_at(4, 2)) });
    assert_eq!(poll(joined.as_mut()), None);
    assert_eq!(log.take(), "1? 2? 3? 4?");
    assert_eq!(poll(joined.as_mut()), Some(Err(2)));
    assert_eq!(log.take(), "1? 2! 1x 3x 4x");
}

#[test]
fn a_try_join_gives_all_values() {
    let log = Log::default();
    let mut joined = pin!(async { try_join!(log.succeeds_at(1, 2), log.succeeds_at(2, 1)) });
    assert_eq!(poll(joined.as_mut()), None);
    assert_eq!(poll(joined.as_mut()), Some(Ok((1, 2))));
}

#[test]
fn a_select_takes_the_first_that_is_ready_in_source_order_and_drops_the_others_before_its_expression() {
    let log = Log::default();
    let mut selected = pin!(async {
        select! {
            x = log.ready_at(1, 3) => x,
            x = log.ready_at(2, 2) => { log.add(0, '='); x }
            x = log.ready_at(3, 2) => x,
        }
    });
    assert_eq!(poll(selected.as_mut()), None);
    assert_eq!(log.take(), "1? 2? 3?");
    assert_eq!(poll(selected.as_mut()), Some(2));
    assert_eq!(log.take(), "1? 2! 1x 3x 0=");
}

#[test]
fn the_expression_of_a_select_may_use_what_its_futures_borrowed() {
    let log = Log::default();
    let mut numbers = vec![1, 2];
    let mut selected = pin!(async {
        select! {
            _ = block(async { numbers.push(3); log.ready_at(1, 2).await }) => 0,
            x = log.ready_at(2, 1) => { numbers.push(x); numbers.len() }
        }
    });
    assert_eq!(poll(selected.as_mut()), Some(4));
}

#[test]
fn a_future_that_is_selected_by_reference_is_kept() {
    let log = Log::default();
    let mut kept = log.ready_at(1, 3);
    let mut rounds = pin!(async {
        let mut rounds = 0;
        loop {
            select! {
                x = &mut kept => return (x, rounds),
                _ = log.ready_at(2, 1) => rounds += 1,
            }
        }
    });
    assert_eq!(poll(rounds.as_mut()), Some((1, 2)));
    assert_eq!(log.take(), "1? 2! 1? 2! 1! 2x");
}

#[test]
fn a_dropped_select_drops_its_branches_in_source_order() {
    let log = Log::default();
    {
        let mut selected = pin!(async {
            select! {
                _ = log.ready_at(1, 2) => {}
                _ = log.ready_at(2, 2) => {}
            }
        });
        assert_eq!(poll(selected.as_mut()), None);
    }
    assert_eq!(log.take(), "1? 2? 1x 2x");
}

#[test]
fn join_all_gives_the_outputs_in_the_order_of_the_list() {
    let log = Log::default();
    let mut all = pin!(join_all([(1, 2), (2, 1), (3, 3)].map(|(id, polls)| log.ready_at(id, polls))));
    assert_eq!(poll(all.as_mut()), None);
    assert_eq!(log.take(), "1? 2! 3?");
    assert_eq!(poll(all.as_mut()), None);
    assert_eq!(log.take(), "1! 3?");
    assert_eq!(poll(all.as_mut()), Some(vec![1, 2, 3]));
    assert_eq!(poll(pin!(join_all(Vec::<Scripted<u32>>::new()))), Some(Vec::new()));
}

#[test]
fn join_all_limit_takes_the_next_in_the_poll_in_which_one_is_ready() {
    let log = Log::default();
    let list = [(1, 2), (2, 1), (3, 1), (4, 2)].into_iter().map(|(id, polls)| log.ready_at(id, polls));
    let mut all = pin!(join_all_limit(2, list));
    assert_eq!(poll(all.as_mut()), None);
    assert_eq!(log.take(), "1? 2! 3! 4?");
    assert_eq!(poll(all.as_mut()), Some(vec![1, 2, 3, 4]));
    assert_eq!(log.take(), "1! 4!");
}

#[test]
fn join_all_limit_of_none_is_one_at_a_time() {
    let log = Log::default();
    let mut all = pin!(join_all_limit(0, [log.ready_at(1, 2), log.ready_at(2, 1)]));
    assert_eq!(poll(all.as_mut()), None);
    assert_eq!(log.take(), "1?");
    assert_eq!(poll(all.as_mut()), Some(vec![1, 2]));
    assert_eq!(log.take(), "1! 2!");
}

#[test]
fn try_join_all_stops_at_the_first_error() {
    let log = Log::default();
    let mut all = pin!(try_join_all([log.succeeds_at(1, 3), log.fails_at(2, 2), log.succeeds_at(3, 3)]));
    assert_eq!(poll(all.as_mut()), None);
    assert_eq!(log.take(), "1? 2? 3?");
    assert_eq!(poll(all.as_mut()), Some(Err(2)));
    assert_eq!(log.take(), "1? 2! 1x 3x");
    assert_eq!(poll(pin!(try_join_all([log.succeeds_at(1, 1)]))), Some(Ok(vec![1])));
}
