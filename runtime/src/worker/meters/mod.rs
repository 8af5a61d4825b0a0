//! What a runtime counts and measures, through the `metrics` facade. docs/operations.md lists the names.
//!
//! Without the feature `metrics`, every function here is empty and a stopwatch has no size.

#[cfg(feature = "metrics")]
mod recorded;
#[cfg(not(feature = "metrics"))]
mod unrecorded;

#[cfg(feature = "metrics")]
pub(crate) use recorded::{Meters, RunMeter, Stopwatch};
#[cfg(not(feature = "metrics"))]
pub(crate) use unrecorded::{Meters, RunMeter, Stopwatch};

/// A batch that has become durable.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "only metrics report it"))]
pub(crate) struct Written {
    /// The number of its turns.
    pub(crate) turns: usize,
    /// Roughly the bytes of its rows.
    pub(crate) bytes: usize,
    /// How long it took from the first attempt.
    pub(crate) took: std::time::Duration,
}
