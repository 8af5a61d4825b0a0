//! The reasons why the memory of a partition must be dropped.

use crate::model::InstanceKey;

/// The reason why the memory of a partition must be dropped.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Loss {
    /// Another worker owns the partition. It is claimed again when that owner gives it up.
    LeaseLost(String),
    /// The store contains something that memory does not. Loading the partition again is enough.
    Overtaken(String),
    /// A turn of this instance meets damaged data. The others continue when the partition is loaded again.
    Damaged { instance: InstanceKey, cause: String },
    /// A recovery solves the problem. Several of these in a row are not an accident.
    Recover(String),
    /// Nothing solves the problem.
    Fatal(String),
}
