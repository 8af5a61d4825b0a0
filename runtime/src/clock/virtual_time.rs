//! Virtual time for tests. It moves only when a test asks for it or waits, and only while nothing can run.
//!
//! ```text
//! engine threads ── asleep until …, or awake ─┐
//! runs of activities, calls of clients ── busy┼─► nothing can run? ─► the earliest timer or time limit ─► now
//! waits of clients ── blocked, or woken ──────┘
//! ```
//!
//! Invariants:
//! - Whoever hands work to an engine thread is busy or awake itself until it has rung the bell of that thread. So at
//!   any moment, work that is on its way is visible here.
//! - A thread clears its mark before it takes the ring from its bell. So a thread that was rung is never seen asleep.
//! - A waker is never called while the state is locked.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::Clock;
use crate::model::Timestamp;

/// The clock of a test, and what it knows about everything that could still run.
#[derive(Debug)]
pub(crate) struct VirtualTime(Mutex<State>);

#[derive(Debug)]
struct State {
    begin: Timestamp,
    now: Timestamp,
    /// Whether the time moves while a client waits and nothing can run.
    skips: bool,
    /// The number of activities that run and of calls that have no answer.
    busy: usize,
    /// The number of waits of clients that can only continue when something happens.
    blocked: usize,
    /// The number of waits and time limits that something has happened to, and that have not noticed yet.
    woken: usize,
    threads: BTreeMap<u64, Thread>,
    /// Wakers of the engine threads.
    wakers: Vec<Waker>,
    /// Time limits of waits.
    limits: BTreeMap<(Timestamp, u64), Waker>,
    goal: Option<Goal>,
    last_number: u64,
}

#[derive(Debug)]
struct Thread {
    rung: Arc<AtomicBool>,
    asleep: bool,
    deadline: Option<Timestamp>,
}

/// The time until which a test moves the clock, and who waits for that.
#[derive(Debug)]
struct Goal {
    until: Until,
    waiter: Waker,
}

#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "only a test moves the time"))]
enum Until {
    Time(Timestamp),
    /// The next timer, which has not fired yet.
    NextTimer,
}

#[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "only a test creates it"))]
impl VirtualTime {
    /// Creates a clock that stands at this time. With `skips`, it moves while a client waits and nothing can run.
    pub(crate) fn new(now: Timestamp, skips: bool) -> Self {
        Self(Mutex::new(State {
            begin: now,
            now,
            skips,
            busy: 0,
            blocked: 0,
            woken: 0,
            threads: BTreeMap::new(),
            wakers: Vec::new(),
            limits: BTreeMap::new(),
            goal: None,
            last_number: 0,
        }))
    }

    /// Moves the time forward and stops at each timer on the way. Returns when nothing can run any more.
    pub(crate) async fn advance(&self, by: Duration) {
        let until = self.lock().now.plus(by);
        self.reach(Until::Time(until)).await;
    }

    /// Moves the time to the next timer or time limit, if there is one. Returns when nothing can run any more.
    pub(crate) async fn advance_to_next_timer(&self) {
        // The goal is reached when the first jump has been made, so what fires is waited for separately.
        self.advance(Duration::ZERO).await;
        self.reach(Until::NextTimer).await;
        self.advance(Duration::ZERO).await;
    }

    async fn reach(&self, until: Until) {
        let mut way = Way { time: self, begun: false };
        poll_fn(|cx| way.poll(until, cx)).await;
    }
}

/// A test that moves the time. When it is dropped, the time stops where it is.
struct Way<'a> {
    time: &'a VirtualTime,
    begun: bool,
}

impl Way<'_> {
    fn poll(&mut self, until: Until, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.time.lock();
        match &mut state.goal {
            None if self.begun => return Poll::Ready(()),
            None => state.goal = Some(Goal { until, waiter: cx.waker().clone() }),
            Some(goal) if self.begun => goal.waiter.clone_from(cx.waker()),
            Some(_) => panic!("two tasks of the test move the time at once"),
        }
        self.begun = true;
        drop(state);
        self.time.consider();
        if self.time.lock().goal.is_none() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Way<'_> {
    fn drop(&mut self) {
        if self.begun {
            self.time.lock().goal = None;
        }
    }
}

impl VirtualTime {
    pub(crate) fn now(&self) -> Timestamp {
        self.lock().now
    }

    /// Gives an engine thread a place, where it says when it sleeps.
    pub(crate) fn place(self: &Arc<Self>, rung: Arc<AtomicBool>) -> Place {
        let mut state = self.lock();
        let number = state.number();
        state.threads.insert(number, Thread { rung, asleep: false, deadline: None });
        Place { time: Arc::clone(self), number }
    }

    /// Notes that something runs, until the result is dropped.
    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        self.lock().busy += 1;
        Busy(Arc::clone(self))
    }

    /// Waits for something that only a runtime can bring about.
    pub(crate) async fn wait<T>(self: Arc<Self>, future: impl Future<Output = T>) -> T {
        let mut wait =
            Wait(Arc::new(WaitState { time: self, inner: Mutex::new((Stage::Running, Waker::noop().clone())) }));
        let mut future = pin!(future);
        poll_fn(|cx| wait.poll(future.as_mut(), cx)).await
    }

    /// Limits how long a future may take by this clock.
    pub(crate) async fn limit<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        let key = {
            let mut state = self.lock();
            (state.now.plus(limit), state.number())
        };
        let mut entry = Limit { time: self, key, waits: false };
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(result) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(result));
            }
            if entry.is_over(cx) { Poll::Ready(None) } else { Poll::Pending }
        })
        .await
    }

    /// Moves the time if nothing can run and somebody wants it to move.
    fn consider(&self) {
        let mut wakers = Vec::new();
        self.lock().consider(&mut wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn is_quiet(&self) -> bool {
        let asleep = |thread: &Thread| thread.asleep && !thread.rung.load(Ordering::SeqCst);
        self.busy == 0 && self.woken == 0 && self.threads.values().all(asleep)
    }

    fn next(&self) -> Option<Timestamp> {
        let timers = self.threads.values().filter_map(|thread| thread.deadline);
        timers.chain(self.limits.keys().next().map(|(at, _)| *at)).min()
    }

    fn consider(&mut self, wakers: &mut Vec<Waker>) {
        if !self.is_quiet() {
            return;
        }
        let next = self.next();
        match self.goal.take() {
            Some(goal) => {
                let reached = match (goal.until, next) {
                    (Until::Time(until), Some(next)) => next > until,
                    (Until::Time(_), None) | (Until::NextTimer, _) => true,
                };
                let to = match goal.until {
                    Until::Time(until) if reached => Some(until),
                    _ => next,
                };
                if let Some(to) = to {
                    self.jump(to, wakers);
                }
                if reached {
                    wakers.push(goal.waiter);
                } else {
                    self.goal = Some(goal);
                }
            }
            None if self.skips && self.blocked > 0 => {
                if let Some(next) = next {
                    self.jump(next, wakers);
                }
            }
            None => {}
        }
    }

    fn jump(&mut self, to: Timestamp, wakers: &mut Vec<Waker>) {
        self.now = self.now.max(to);
        // Until a thread has looked at the time, it is not asleep.
        let now = self.now;
        for thread in self.threads.values_mut().filter(|thread| thread.deadline.is_some_and(|at| at <= now)) {
            thread.asleep = false;
        }
        wakers.extend(self.wakers.iter().cloned());
        let later = self.limits.split_off(&(Timestamp(self.now.0.saturating_add(1)), 0));
        let over = mem::replace(&mut self.limits, later);
        self.woken += over.len();
        wakers.extend(over.into_values());
    }
}

/// Virtual time as the clock of a runtime.
#[derive(Debug)]
#[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "only a test creates it"))]
pub(crate) struct VirtualClock(pub(crate) Arc<VirtualTime>);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_towards(&self, _: Timestamp) -> Option<Duration> {
        None
    }

    fn monotonic(&self) -> Duration {
        let state = self.0.lock();
        state.now.since(state.begin)
    }

    fn wakes(&self, waker: Waker) {
        self.0.lock().wakers.push(waker);
    }
}

/// Where an engine thread says when it sleeps. Without it, the thread no longer counts.
#[derive(Debug)]
pub(crate) struct Place {
    time: Arc<VirtualTime>,
    number: u64,
}

impl Place {
    /// The thread has nothing to do before this time, and nothing of what it waits for is under way.
    pub(crate) fn sleeps(&self, deadline: Option<Timestamp>) {
        if let Some(thread) = self.time.lock().threads.get_mut(&self.number) {
            (thread.asleep, thread.deadline) = (true, deadline);
        }
        self.time.consider();
    }

    /// The thread looks again. It must say so before it takes the ring from its bell.
    pub(crate) fn wakes(&self) {
        if let Some(thread) = self.time.lock().threads.get_mut(&self.number) {
            (thread.asleep, thread.deadline) = (false, None);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.time.lock().threads.remove(&self.number);
        self.time.consider();
    }
}

/// Something runs.
#[derive(Debug)]
pub(crate) struct Busy(Arc<VirtualTime>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
        self.0.consider();
    }
}

/// What a wait does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It is being polled, or was not polled yet.
    Running,
    Blocked,
    Woken,
    /// It was dropped, so nothing wakes it any more.
    Gone,
}

#[derive(Debug)]
struct WaitState {
    time: Arc<VirtualTime>,
    inner: Mutex<(Stage, Waker)>,
}

impl WaitState {
    /// Changes the stage, and the counts with it.
    fn change(&self, inner: &mut (Stage, Waker), to: Stage) {
        let from = mem::replace(&mut inner.0, to);
        let mut state = self.time.lock();
        let count = |stage| [usize::from(stage == Stage::Blocked), usize::from(stage == Stage::Woken)];
        let ([blocked, woken], [was_blocked, was_woken]) = (count(to), count(from));
        state.blocked = state.blocked + blocked - was_blocked;
        state.woken = state.woken + woken - was_woken;
    }

    fn lock(&self) -> MutexGuard<'_, (Stage, Waker)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for WaitState {
    fn wake(self: Arc<Self>) {
        let waker = {
            let mut inner = self.lock();
            if inner.0 == Stage::Gone {
                return;
            }
            self.change(&mut inner, Stage::Woken);
            inner.1.clone()
        };
        waker.wake();
    }
}

/// A wait of a client.
struct Wait(Arc<WaitState>);

impl Wait {
    fn poll<T>(&mut self, future: Pin<&mut impl Future<Output = T>>, cx: &mut Context<'_>) -> Poll<T> {
        {
            let mut inner = self.0.lock();
            inner.1.clone_from(cx.waker());
            self.0.change(&mut inner, Stage::Running);
        }
        let waker = Waker::from(Arc::clone(&self.0));
        if let Poll::Ready(result) = future.poll(&mut Context::from_waker(&waker)) {
            return Poll::Ready(result);
        }
        {
            let mut inner = self.0.lock();
            if inner.0 == Stage::Running {
                self.0.change(&mut inner, Stage::Blocked);
            }
        }
        self.0.time.consider();
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        self.0.change(&mut inner, Stage::Gone);
        inner.1 = Waker::noop().clone();
        drop(inner);
        self.0.time.consider();
    }
}

/// The time limit of a wait.
struct Limit<'a> {
    time: &'a VirtualTime,
    key: (Timestamp, u64),
    /// Whether it has an entry among the time limits, or had one until its time came.
    waits: bool,
}

impl Limit<'_> {
    fn is_over(&mut self, cx: &Context<'_>) -> bool {
        let mut state = self.time.lock();
        if self.key.0 <= state.now {
            return true;
        }
        self.waits = true;
        state.limits.insert(self.key, cx.waker().clone());
        drop(state);
        self.time.consider();
        false
    }
}

impl Drop for Limit<'_> {
    fn drop(&mut self) {
        let mut state = self.time.lock();
        // When its time came, the limit lost its entry, and has counted as woken since.
        if state.limits.remove(&self.key).is_none() && self.waits {
            state.woken -= 1;
        }
        drop(state);
        self.time.consider();
    }
}
