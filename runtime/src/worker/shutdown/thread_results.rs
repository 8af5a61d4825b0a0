//! The end of a runtime with several threads: the last thread tells those who wait for the end. If a thread never comes to
//! an end, the watchdog tells them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::Instant;

use tokio::sync::oneshot;

use super::ShutdownError;
use crate::worker::bell::Bell;

/// A channel to someone who waits for the end of the runtime.
type Done = oneshot::Sender<Result<(), ShutdownError>>;

/// The end of a runtime, shared by its threads and its handle.
#[derive(Debug)]
pub(crate) struct ThreadResults {
    state: Mutex<State>,
    watchdog: Arc<Bell>,
}

#[derive(Debug)]
struct State {
    threads: usize,
    /// The first error.
    result: Result<(), ShutdownError>,
    waiting: Vec<Done>,
    /// From this time on, threads that do not return are not waited for.
    give_up_at: Option<Instant>,
    given_up: bool,
}

impl ThreadResults {
    pub(crate) fn new(threads: usize, watchdog: Arc<Bell>) -> Self {
        let state = State { threads, result: Ok(()), waiting: Vec::new(), give_up_at: None, given_up: false };
        Self { state: Mutex::new(state), watchdog }
    }

    /// Returns the number of threads that have not left.
    pub(crate) fn left(&self) -> usize {
        self.lock().threads
    }

    pub(crate) fn all_have_left(&self) -> bool {
        self.left() == 0
    }

    /// Sets from when on threads that do not return are not waited for. The first request counts.
    pub(crate) fn set_give_up_at(&self, at: Instant) {
        self.lock().give_up_at.get_or_insert(at);
        self.watchdog.wake_by_ref();
    }

    /// Returns from when on threads that do not return are not waited for, unless they have been given up already.
    pub(crate) fn give_up_at(&self) -> Option<Instant> {
        let state = self.lock();
        state.give_up_at.filter(|_| !state.given_up)
    }

    /// Notes that the remaining threads are not waited for. Returns what must be sent, unless there is nobody to wait for.
    pub(crate) fn give_up(&self, error: ShutdownError) -> Option<Farewell> {
        let mut state = self.lock();
        if state.threads == 0 || state.given_up {
            return None;
        }
        state.given_up = true;
        state.result = state.result.clone().and(Err(error));
        Some(Farewell { result: state.result.clone(), waiting: std::mem::take(&mut state.waiting) })
    }

    /// Returns whether there are threads that are not waited for.
    pub(crate) fn has_given_up(&self) -> bool {
        self.lock().given_up
    }

    /// Returns a receiver for the result, which is sent when the last thread has left. If the last thread has already
    /// left, nothing is sent.
    pub(crate) fn wait(&self) -> oneshot::Receiver<Result<(), ShutdownError>> {
        let (done, told) = oneshot::channel();
        let mut state = self.lock();
        if state.threads > 0 {
            state.waiting.push(done);
        }
        told
    }

    /// Notes that one thread leaves. Returns `None` unless it is the last one, which must do the remaining work and
    /// then send the result.
    pub(crate) fn leave(&self, result: Result<(), ShutdownError>) -> Option<Farewell> {
        let mut state = self.lock();
        if state.result.is_ok() {
            state.result = result;
        }
        state.threads -= 1;
        if state.threads > 0 {
            return None;
        }
        self.watchdog.wake_by_ref();
        Some(Farewell { result: state.result.clone(), waiting: std::mem::take(&mut state.waiting) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of the runtime, and those who must be told.
#[derive(Debug)]
pub(crate) struct Farewell {
    pub(crate) result: Result<(), ShutdownError>,
    waiting: Vec<Done>,
}

impl Farewell {
    pub(crate) fn tell(self) {
        for done in self.waiting {
            let _ = done.send(self.result.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_closed(cause: &str) -> Result<(), ShutdownError> {
        Err(ShutdownError::NotClosed { cause: cause.to_owned() })
    }

    #[test]
    fn the_last_engine_thread_to_end_reports_the_first_error() {
        let closing = ThreadResults::new(3, Arc::new(Bell::new(std::thread::current())));
        let (mut early, mut late) = (closing.wait(), closing.wait());
        assert!(closing.leave(Ok(())).is_none() && closing.leave(not_closed("first")).is_none());
        assert!(early.try_recv().is_err());
        closing.leave(not_closed("second")).unwrap().tell();
        assert_eq!((early.try_recv(), late.try_recv()), (Ok(not_closed("first")), Ok(not_closed("first"))));
        assert_eq!(closing.wait().try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
