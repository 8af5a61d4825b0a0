//! The rights that a credential gives to its holder.

use std::fmt;
use std::ops::{BitAnd, BitOr};
use std::str::FromStr;

/// The rights of the holder of a key. They are written as names with commas, such as `read,start`, or as `all`.
///
/// # Examples
/// ```
/// use persevere::http::Scopes;
///
/// let scopes: Scopes = "read,raise".parse()?;
/// assert_eq!(scopes, Scopes::READ | Scopes::RAISE);
/// assert!(Scopes::ALL.contains(scopes));
/// # Ok::<(), persevere::http::UnknownScope>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

const NAMES: [(&str, Scopes); 5] = [
    ("read", Scopes::READ),
    ("start", Scopes::START),
    ("raise", Scopes::RAISE),
    ("manage", Scopes::MANAGE),
    ("purge", Scopes::PURGE),
];

impl Scopes {
    /// No rights.
    pub const NONE: Self = Self(0);
    /// Read instances: status, lists, history and streams.
    pub const READ: Self = Self(1);
    /// Start orchestrations.
    pub const START: Self = Self(2);
    /// Raise events.
    pub const RAISE: Self = Self(4);
    /// Terminate, suspend, resume, rewind and restart.
    pub const MANAGE: Self = Self(8);
    /// Purge ended instances.
    pub const PURGE: Self = Self(16);
    /// All rights.
    pub const ALL: Self = Self(31);

    /// Returns whether all rights in `wanted` are included.
    pub fn contains(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    pub(super) fn bits(self) -> u8 {
        self.0
    }

    pub(super) fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }
}

impl BitOr for Scopes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Scopes {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// The text names a scope that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a scope: the scopes are `read`, `start`, `raise`, `manage`, `purge` and `all`")]
pub struct UnknownScope(pub String);

impl FromStr for Scopes {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        text.split(',').try_fold(Self::NONE, |scopes, name| match name.trim() {
            "all" => Ok(Self::ALL),
            name => NAMES
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, scope)| scopes | *scope)
                .ok_or_else(|| UnknownScope(name.to_owned())),
        })
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = NAMES.iter().filter(|(_, scope)| self.contains(*scope)).map(|(name, _)| *name).collect();
        f.write_str(&names.join(","))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
