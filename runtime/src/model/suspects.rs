//! What a partition notes about work that may bring its process down.

use super::{InstanceId, InstanceKey};

/// The note of a partition. It is stored with the partition and survives the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Suspects {
    /// How often in a row the process has ended before what earlier runs had left was handled.
    pub(crate) stops: u32,
    /// Everything that runs or is about to run while nothing else does. Empty unless suspects are tried.
    pub(crate) named: Vec<Suspect>,
    /// The instances that are parked because they bring the process down.
    pub(crate) parked: Vec<Suspect>,
}

/// An instance whose turns and activities may bring the process down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Suspect {
    /// The life with this key.
    Life(InstanceKey),
    /// The instance with this id, of which only a message is known. It may not exist yet.
    Id(InstanceId),
}
