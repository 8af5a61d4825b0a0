//! The end of a runtime of several threads: the last one to leave tells those who wait for it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::shutdown::ShutdownError;

/// Who is told how the runtime ended.
type Done = oneshot::Sender<Result<(), ShutdownError>>;

/// Shared by the threads of a runtime and by its handle.
#[derive(Debug)]
pub(crate) struct Closing(Mutex<State>);

#[derive(Debug)]
struct State {
    threads: usize,
    /// The first thing that went wrong.
    result: Result<(), ShutdownError>,
    waiting: Vec<Done>,
}

impl Closing {
    pub(crate) fn new(threads: usize) -> Self {
        Self(Mutex::new(State { threads, result: Ok(()), waiting: Vec::new() }))
    }

    /// Has somebody told when the last thread has left. Never, when it has left already.
    pub(crate) fn wait(&self) -> oneshot::Receiver<Result<(), ShutdownError>> {
        let (done, told) = oneshot::channel();
        let mut state = self.lock();
        if state.threads > 0 {
            state.waiting.push(done);
        }
        told
    }

    /// One thread leaves. `None` unless it is the last one, which has to do what is left to do and then tell.
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

/// How the runtime ended, and who is to be told.
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
    fn the_last_thread_tells_the_first_thing_that_went_wrong() {
        let closing = Closing::new(3);
        let (mut early, mut late) = (closing.wait(), closing.wait());
        assert!(closing.leave(Ok(())).is_none() && closing.leave(not_closed("first")).is_none());
        assert!(early.try_recv().is_err());
        closing.leave(not_closed("second")).unwrap().tell();
        assert_eq!((early.try_recv(), late.try_recv()), (Ok(not_closed("first")), Ok(not_closed("first"))));
        assert_eq!(closing.wait().try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
