//! Instants, cut to the precision that is stored: microseconds.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// Microseconds since the Unix epoch. What the engine and the stores count in; arithmetic saturates.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The latest instant there is.
    pub const MAX: Self = Self(i64::MAX);

    /// The given instant, cut to microseconds.
    pub fn from_utc(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }

    /// The given instant, rounded up to whole microseconds.
    pub fn from_utc_up(time: DateTime<Utc>) -> Self {
        let exact = time.timestamp_subsec_nanos().is_multiple_of(1_000);
        Self(time.timestamp_micros().saturating_add(i64::from(!exact)))
    }

    /// The instant as UTC date and time; instants beyond the calendar become its end.
    pub fn to_utc(self) -> DateTime<Utc> {
        let end = if self.0 < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
        DateTime::from_timestamp_micros(self.0).unwrap_or(end)
    }

    /// This instant plus a duration, rounded up to whole microseconds, at most [`Timestamp::MAX`].
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// How long after `earlier` this instant is; zero when it is not after it.
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
    fn far_instants_saturate() {
        assert_eq!(Timestamp(1).plus(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp(0).plus(Duration::from_nanos(1)), Timestamp(1));
        assert!(Timestamp::MAX.to_utc() > Timestamp(0).to_utc());
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
    }
}
