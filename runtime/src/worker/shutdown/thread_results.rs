//! The end of a runtime with several threads: the last thread tells those who wait for the end.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::ShutdownError;

/// A channel to someone who waits for the end of the runtime.
type Done = oneshot::Sender<Result<(), ShutdownError>>;

/// The end of a runtime, shared by its threads and its handle.
#[derive(Debug)]
pub(crate) struct ThreadResults(Mutex<State>);

#[derive(Debug)]
struct State {
    threads: usize,
    /// The first error.
    result: Result<(), ShutdownError>,
    waiting: Vec<Done>,
}

impl ThreadResults {
    pub(crate) fn new(threads: usize) -> Self {
        Self(Mutex::new(State { threads, result: Ok(()), waiting: Vec::new() }))
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
        let last = state.threads == 0;
        last.then(|| Farewell { result: state.result.clone(), waiting: std::mem::take(&mut state.waiting) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let closing = ThreadResults::new(3);
        let (mut early, mut late) = (closing.wait(), closing.wait());
        assert!(closing.leave(Ok(())).is_none() && closing.leave(not_closed("first")).is_none());
        assert!(early.try_recv().is_err());
        closing.leave(not_closed("second")).unwrap().tell();
        assert_eq!((early.try_recv(), late.try_recv()), (Ok(not_closed("first")), Ok(not_closed("first"))));
        assert_eq!(closing.wait().try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
