//! The source of time: the system or a test.

mod virtual_time;

use std::fmt::Debug;
use std::sync::OnceLock;
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[cfg(feature = "testing")]
pub(crate) use self::virtual_time::VirtualClock;
pub(crate) use self::virtual_time::{Busy, Place, VirtualTime};
use crate::model::Timestamp;

/// The wall clock of a runtime. It may go back and forth: the engine never lets the time of an instance go back.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Returns the current time, rounded down to microseconds.
    fn now(&self) -> Timestamp;

    /// Returns the longest time to sleep before asking again whether `deadline` is reached, or `None` to sleep until
    /// the clock wakes the thread.
    fn sleep_towards(&self, deadline: Timestamp) -> Option<Duration>;

    /// Returns the time since some moment. It never goes back, whatever happens to [`now`](Self::now).
    fn monotonic(&self) -> Duration {
        static BEGIN: OnceLock<Instant> = OnceLock::new();
        BEGIN.get_or_init(Instant::now).elapsed()
    }

    /// Registers a waker that the clock wakes whenever it jumps, if it can detect that.
    fn wakes(&self, waker: Waker);
}

/// The clock of the system.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemClock;

/// The longest sleep. The system clock may jump while a thread sleeps by the monotonic clock.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
        };
        Timestamp(micros)
    }

    fn sleep_towards(&self, deadline: Timestamp) -> Option<Duration> {
        Some(deadline.since(self.now()).min(LONGEST_SLEEP))
    }

    fn wakes(&self, _: Waker) {}
}

/// A clock that moves only when a test moves it. Clones are the same clock.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug, Clone)]
pub struct ManualClock(std::sync::Arc<std::sync::Mutex<Manual>>);

#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
struct Manual {
    now: Timestamp,
    /// How far it was moved forward in total.
    moved: Duration,
    wakers: Vec<Waker>,
}

#[cfg(any(test, feature = "testing"))]
impl ManualClock {
    /// Creates a clock that stands at this time.
    pub fn new(now: Timestamp) -> Self {
        Self(std::sync::Arc::new(std::sync::Mutex::new(Manual { now, moved: Duration::ZERO, wakers: Vec::new() })))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// Sets the clock to this time, which may be earlier than the current time.
    pub fn set(&self, now: Timestamp) {
        let wakers = {
            let mut clock = self.lock();
            clock.moved = clock.moved.saturating_add(now.since(clock.now));
            clock.now = now;
            clock.wakers.clone()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Manual> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(any(test, feature = "testing"))]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn sleep_towards(&self, _: Timestamp) -> Option<Duration> {
        None
    }

    fn monotonic(&self) -> Duration {
        self.lock().moved
    }

    fn wakes(&self, waker: Waker) {
        self.lock().wakers.push(waker);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_sleep_lasts_longer_than_a_clock_jump_may_stay_unnoticed() {
        assert_eq!(SystemClock.sleep_towards(Timestamp::MAX), Some(LONGEST_SLEEP));
        assert_eq!(SystemClock.sleep_towards(Timestamp(0)), Some(Duration::ZERO));
    }

    #[test]
    fn a_manual_clock_wakes_when_it_moves_either_way() {
        #[derive(Default)]
        struct Count(AtomicUsize);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let count = Arc::new(Count::default());
        let clock = ManualClock::new(Timestamp(1_000));
        clock.wakes(Arc::clone(&count).into());
        clock.advance(Duration::from_micros(5));
        assert_eq!((clock.now(), count.0.load(Ordering::SeqCst)), (Timestamp(1_005), 1));
        clock.set(Timestamp(3));
        assert_eq!((clock.now(), count.0.load(Ordering::SeqCst)), (Timestamp(3), 2));
    }
}
