//! The messages of the internal queue of an engine thread. Each message answers something outstanding, so the queue
//! needs no limit.

use super::activity_run::Report;
use super::shutdown::StopRequest;
use crate::engine::ActivityTask;
use crate::model::PartitionId;

/// A message to an engine thread from the rest of the driver.
#[derive(Debug)]
pub(crate) enum Notice {
    /// An activity of this partition has ended.
    ActivityEnded(PartitionId, Report),
    /// A task of this partition cannot be run, because its activity is not registered any more.
    ActivityUnregistered(PartitionId, Box<ActivityTask>),
    /// Stop.
    Stop(StopRequest),
}
