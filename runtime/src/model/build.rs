//! The identity of a build of the program.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Identifies the build of the program that ran a turn.
///
/// Replay needs only one answer from it: whether the code that runs now is the code that ran then. It is a hash of what
/// the linker, the file or the caller says, so it takes 9 bytes in a record, and it is recorded only where it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct BuildId(pub(crate) u64);

impl BuildId {
    /// The build is not known, so it counts as another one than every build.
    pub const UNKNOWN: Self = Self(0);

    /// Returns the identity that this text or these bytes describe. It is never unknown.
    pub fn of(described: &[u8]) -> Self {
        let mut hasher = Self::hasher();
        described.hash(&mut hasher);
        Self::from_hasher(&hasher)
    }

    /// Returns the hasher for content that comes in pieces. If the standard library changes its algorithm, a program
    /// that is built with it counts as another build, which it is.
    pub(crate) fn hasher() -> DefaultHasher {
        DefaultHasher::new()
    }

    pub(crate) fn from_hasher(hasher: &DefaultHasher) -> Self {
        Self(hasher.finish().max(1))
    }

    /// Returns whether both are the same known build.
    pub(crate) fn is_same(self, other: Self) -> bool {
        self == other && self != Self::UNKNOWN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_build_equals_no_build_not_even_itself() {
        assert!(!BuildId::UNKNOWN.is_same(BuildId::UNKNOWN));
        let (first, second) = (BuildId::of(b"first"), BuildId::of(b"second"));
        assert!(first.is_same(BuildId::of(b"first")) && !first.is_same(second) && first != BuildId::UNKNOWN);
    }
}
