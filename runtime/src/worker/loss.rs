//! Why what is in memory cannot be built upon any more.

/// Why memory cannot be gone on with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Loss {
    /// A recovery settles it.
    Recover(String),
    /// Nothing does.
    Fatal(String),
}
