//! The turn that an engine thread is computing, for those who watch the thread from outside: user code that computes for
//! long can tell nobody itself.
//!
//! The engine reads no clock for this. It counts: the number is odd while a turn is in progress, so whoever sees the same
//! odd number twice knows that one turn has lasted from one look to the other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Life, RecordedLocation};

/// The turn in progress on one thread.
#[derive(Debug, Default)]
pub(crate) struct CurrentTurn {
    number: AtomicU64,
    /// The last turn that has begun.
    turn: Mutex<Option<TurnInProgress>>,
}

/// Whose turn it is.
#[derive(Clone, Debug)]
pub(crate) struct TurnInProgress {
    pub(crate) life: Arc<Life>,
    /// Where the code was when it last asked for something, if it is in memory and has.
    pub(crate) place: Option<RecordedLocation>,
}

impl CurrentTurn {
    /// Notes that a turn begins.
    pub(crate) fn begin(&self, life: &Arc<Life>, place: Option<&RecordedLocation>) {
        let turn = TurnInProgress { life: Arc::clone(life), place: place.cloned() };
        // The old value is dropped after the lock is released.
        let _before = self.turn.lock().unwrap_or_else(PoisonError::into_inner).replace(turn);
        self.number.store(self.number.load(Ordering::Relaxed) | 1, Ordering::Release);
    }

    /// Notes that the turn has ended, if one is in progress.
    pub(crate) fn end(&self) {
        let number = self.number.load(Ordering::Relaxed);
        self.number.store(number + (number & 1), Ordering::Release);
    }

    /// Returns the number of the turn in progress, which no other turn of the thread has, and whose turn it is.
    pub(crate) fn get(&self) -> Option<(u64, TurnInProgress)> {
        let number = self.number.load(Ordering::Acquire);
        if number & 1 == 0 {
            return None;
        }
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // The turn may have ended in the meantime, and another one may have begun.
        turn.filter(|_| self.number.load(Ordering::Acquire) == number).map(|turn| (number, turn))
    }
}
