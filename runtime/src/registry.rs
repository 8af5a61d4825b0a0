//! Which code this process has: (name, version) -> handler. (The body is being written.)

/// The orchestrators and activities of a runtime.
#[derive(Debug, Default)]
pub struct Registry {}
