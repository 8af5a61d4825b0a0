//! Waking the engine thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// A bell that anyone rings who has something for the thread.
#[derive(Debug)]
pub(crate) struct Bell {
    thread: Thread,
    rung: Arc<AtomicBool>,
}

impl Bell {
    /// Creates the bell of this thread. Only this thread may wait for it.
    pub(crate) fn new(thread: Thread) -> Self {
        Self { thread, rung: Arc::new(AtomicBool::new(false)) }
    }

    /// Returns whether the bell was rung and the thread has not looked since.
    pub(super) fn rung(&self) -> &Arc<AtomicBool> {
        &self.rung
    }

    /// Waits until the bell is rung, but no longer than `at_most`. A ring before this call counts.
    pub(super) fn wait(&self, look: Duration, at_most: Option<Duration>) {
        self.wait_and(look, at_most, || {});
    }

    /// Waits like [`wait`](Self::wait), and calls `wakes` before it takes the ring from the bell.
    ///
    /// The thread looks for the duration `look` before it sleeps, and yields the processor between two looks, because
    /// an event that is about to happen comes sooner than a sleeping thread could be woken.
    pub(super) fn wait_and(&self, look: Duration, at_most: Option<Duration>, wakes: impl FnOnce()) {
        let begin = Instant::now();
        while !self.rung.load(Ordering::Acquire) {
            let waited = begin.elapsed();
            match at_most {
                Some(at_most) if waited >= at_most => break,
                _ if waited < look => thread::yield_now(),
                Some(at_most) => thread::park_timeout(at_most - waited),
                None => thread::park(),
            }
        }
        wakes();
        self.rung.swap(false, Ordering::Acquire);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // If the bell was already rung, the thread has not looked since, and will look.
        if !self.rung.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_ring_before_the_wait_counts_once() {
        let bell = Arc::new(Bell::new(thread::current()));
        bell.wake_by_ref();
        bell.wake_by_ref();
        bell.wait(Duration::ZERO, None);
        bell.wait(Duration::ZERO, Some(Duration::ZERO));
        assert!(!bell.rung.load(Ordering::Relaxed));
    }

    #[test]
    fn no_ring_is_lost() {
        let (bell, got) = mpsc::channel();
        let (ring, rang) = mpsc::channel();
        let waiting = thread::spawn(move || {
            let own = Arc::new(Bell::new(thread::current()));
            bell.send(Arc::clone(&own)).unwrap();
            for _ in 0..10_000 {
                own.wait(Duration::from_micros(40), None);
                ring.send(()).unwrap();
            }
        });
        let bell = got.recv().unwrap();
        for number in 0..10_000 {
            // From time to time, this waits long enough for the other thread to fall asleep.
            if number % 500 == 0 {
                thread::park_timeout(Duration::from_micros(200));
            }
            bell.wake_by_ref();
            rang.recv().unwrap();
        }
        waiting.join().unwrap();
    }

    #[test]
    fn a_wait_ends_by_itself() {
        for look in [Duration::ZERO, Duration::from_secs(1)] {
            Bell::new(thread::current()).wait(look, Some(Duration::from_millis(1)));
        }
    }
}
