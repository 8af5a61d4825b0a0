//! Stand-in for the ids.

/// Stand-in.
#[derive(Debug, Clone)]
pub struct InstanceId;
