//! What the internal queue of the engine thread carries. Each answers something outstanding, so it needs no bound.

use super::activity_run::Report;
use super::shutdown::StopRequest;

/// What the rest of the driver tells the engine thread.
#[derive(Debug)]
pub(crate) enum Notice {
    /// An activity has ended.
    ActivityEnded(Report),
    /// Stop.
    Stop(StopRequest),
}
