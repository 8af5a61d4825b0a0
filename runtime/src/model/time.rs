//! Points in time with the precision that is stored: microseconds.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// Microseconds since the Unix epoch, as the engine and the stores count time. Arithmetic saturates.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The latest possible time.
    pub const MAX: Self = Self(i64::MAX);

    /// Converts a UTC time, rounded down to microseconds.
    pub fn from_utc(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }

    /// Converts a UTC time, rounded up to microseconds.
    pub fn from_utc_up(time: DateTime<Utc>) -> Self {
        let exact = time.timestamp_subsec_nanos().is_multiple_of(1_000);
        Self(time.timestamp_micros().saturating_add(i64::from(!exact)))
    }

    /// Converts to a UTC date and time. Times beyond the range of the calendar become its last time.
    pub fn to_utc(self) -> DateTime<Utc> {
        let end = if self.0 < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
        DateTime::from_timestamp_micros(self.0).unwrap_or(end)
    }

    /// Adds a duration, rounded up to microseconds. The result is at most [`Timestamp::MAX`].
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// Returns the time from `earlier` until this time, or zero if this time is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_utc().to_rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_too_far_in_the_future_are_limited() {
        assert_eq!(Timestamp(1).plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp(0).plus(Duration::from_nanos(1)), Timestamp(1));
        assert!(Timestamp::MAX.to_utc() > Timestamp(0).to_utc());
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
    }
}
