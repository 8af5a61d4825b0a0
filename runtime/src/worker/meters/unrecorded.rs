//! The meters of a build without the feature `metrics`.

use super::Written;
use crate::model::{Head, InstanceKey, PartitionCount, PartitionId};

#[derive(Debug, Default)]
pub(crate) struct Meters;

impl Meters {
    pub(crate) fn new(_: PartitionCount) -> Self {
        Self
    }

    pub(crate) fn committed(&self, _: PartitionId, _: Written) {}

    pub(crate) fn partition(&self, _: PartitionId, _live: usize, _replayed: u64, _undurable: usize) {}

    pub(crate) fn recovered(&self, _: PartitionId, _parked: &[InstanceKey]) {}

    pub(crate) fn parked(&self, _: &Head) {}

    pub(crate) fn changed(&self, _: &Head) {}

    pub(crate) fn activities(&self, _running: usize, _queued: usize) {}

    pub(crate) fn run(&self, _name: &str, _queued: Stopwatch) -> RunMeter {
        RunMeter
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch;

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self
    }
}

#[derive(Debug)]
pub(crate) struct RunMeter;

impl RunMeter {
    pub(crate) fn entered(&mut self) {}

    pub(crate) fn ended(&mut self, _failed: bool) {}
}
