//! What the internal queue of an engine thread carries. Each answers something outstanding, so it needs no bound.

use super::activity_run::Report;
use super::shutdown::StopRequest;
use crate::model::PartitionId;

/// What the rest of the driver tells an engine thread.
#[derive(Debug)]
pub(crate) enum Notice {
    /// An activity of this partition has ended.
    ActivityEnded(PartitionId, Report),
    /// Stop.
    Stop(StopRequest),
}
