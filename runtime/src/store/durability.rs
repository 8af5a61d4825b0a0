//! What a store that writes to a disk promises.

/// What is durable when a commit is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// An acknowledged commit survives a loss of power.
    #[default]
    Full,
    /// An acknowledged commit survives the end of the process. A loss of power can take the last commits, but never
    /// parts of one. Clients may have been told about work, and activities may have run, that the store then does not
    /// contain.
    Relaxed,
}
