//! Why what is in memory cannot be built upon any more.

/// Why the memory of a partition cannot be gone on with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Loss {
    /// Somebody else owns the partition. It is claimed again when that owner lets go of it.
    LeaseLost(String),
    /// The store knows something that memory does not. Loading it again is all that is needed.
    Overtaken(String),
    /// A recovery settles it. Several in a row are no accident.
    Recover(String),
    /// Nothing does.
    Fatal(String),
}
