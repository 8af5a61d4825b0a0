//! Names and numbers of instances, lives, executions and operations.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::partition::{self, PartitionCount, PartitionId};

/// The first character of minted ids. RFC 3986 does not reserve it, so it can appear unescaped in a URL.
const MINTED: char = '~';

/// The digits of minted ids (Crockford's base 32).
pub(super) const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The id of an orchestration instance, which callers know.
///
/// It has 1 to 256 characters, no leading `@`, none of `/ \ # ?`, and no control characters. These are the rules of the
/// Durable Task family, which limits ids to 100 characters where its HTTP API creates them. The engine creates ids that
/// begin with `~`. They identify instances like any other id, but a caller cannot start a new instance with such an id.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct InstanceId(Arc<str>);

/// The largest number of characters in an instance id.
pub const MAX_INSTANCE_ID_CHARS: usize = 256;

/// The reason why a text is not a valid instance id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidInstanceId {
    /// The text is empty.
    #[error("an instance id must not be empty: omit it to have one created, or use 1 to 256 characters")]
    Empty,
    /// The text is longer than 256 characters.
    #[error(
        "an instance id has at most 256 characters, but this one has {chars}: use a shorter key, such as a hash of it"
    )]
    TooLong {
        /// The number of characters in the text.
        chars: usize,
    },
    /// The text begins with `@`, which is reserved for entities.
    #[error("instance id `{id}` begins with `@`, which is reserved for entities: choose another first character")]
    LeadingAt {
        /// The text.
        id: String,
    },
    /// No instance has this id, and a new instance cannot have it, because the engine creates the ids that begin with
    /// `~`.
    #[error(
        "no instance has the id `{id}`, and a new instance cannot have it, because ids that begin with `~` are created by the engine: choose another first character"
    )]
    Reserved {
        /// The instance id.
        id: InstanceId,
    },
    /// The text contains one of `/ \ # ?` or a control character.
    #[error(
        "instance id {id:?} contains {character:?} at character {position}: `/`, `\\`, `#`, `?` and control characters are not allowed"
    )]
    IllegalCharacter {
        /// The text.
        id: String,
        /// The first character that is not allowed.
        character: char,
        /// The position of that character, counted in characters from 0.
        position: usize,
    },
}

impl InstanceId {
    /// The largest number of characters in an id.
    pub const MAX_CHARS: usize = MAX_INSTANCE_ID_CHARS;

    /// Checks a text and converts it to an instance id.
    ///
    /// # Errors
    /// Returns [`InvalidInstanceId`], which names the rule that the text breaks.
    pub fn new(id: impl AsRef<str>) -> Result<Self, InvalidInstanceId> {
        let id = id.as_ref();
        let chars = id.chars().count();
        if chars == 0 {
            return Err(InvalidInstanceId::Empty);
        }
        if chars > MAX_INSTANCE_ID_CHARS {
            return Err(InvalidInstanceId::TooLong { chars });
        }
        if id.starts_with('@') {
            return Err(InvalidInstanceId::LeadingAt { id: id.to_owned() });
        }
        let illegal = |c: &char| matches!(c, '/' | '\\' | '#' | '?') || c.is_control();
        if let Some((position, character)) = id.chars().enumerate().find(|(_, c)| illegal(c)) {
            return Err(InvalidInstanceId::IllegalCharacter { id: id.to_owned(), character, position });
        }
        Ok(Self(id.into()))
    }

    /// Mints the id that belongs to a new key. The id is unique by construction, so it need not be looked up.
    ///
    /// With several partitions, the id ends in up to three characters that place it in the partition `home`. Searching
    /// for them uses up no keys. Returns `None` if no such ending exists; the caller then draws another key.
    pub(crate) fn minted(key: InstanceKey, home: PartitionId, partitions: PartitionCount) -> Option<Self> {
        let mut text = String::with_capacity(17);
        text.push(MINTED);
        for shift in (0..13).rev() {
            text.push(char::from(DIGITS[(key.0 >> (shift * 5)) as usize & 31]));
        }
        if partitions != PartitionCount::ONE {
            text.push_str(&partition::ending(&text, home, partitions)?);
        }
        Some(Self(text.into()))
    }

    /// Returns whether the id has the form of a minted id. A caller cannot start a new instance with such an id.
    pub(crate) fn is_reserved(&self) -> bool {
        self.0.starts_with(MINTED)
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl AsRef<str> for InstanceId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for InstanceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for InstanceId {
    type Error = InvalidInstanceId;

    fn try_from(id: &str) -> Result<Self, InvalidInstanceId> {
        Self::new(id)
    }
}

impl std::str::FromStr for InstanceId {
    type Err = InvalidInstanceId;

    fn from_str(id: &str) -> Result<Self, InvalidInstanceId> {
        Self::new(id)
    }
}

impl<'de> Deserialize<'de> for InstanceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(text).map_err(serde::de::Error::custom)
    }
}

/// The number of one life of an instance id. A restart or a replacement begins a new life.
///
/// It has 63 bits: 30 bits of epoch and 33 bits of counter. The epoch is durable before it is used, and it rises at
/// every open and every recovery. No key is therefore ever used twice, whatever the clock does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceKey(pub u64);

const COUNTER_BITS: u32 = 33;

/// A mint with fewer numbers left than this asks for a new epoch. One turn uses at most a few tens of thousands.
const RESERVE: u64 = 1 << 24;

impl fmt::Debug for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 >> COUNTER_BITS, self.0 & ((1 << COUNTER_BITS) - 1))
    }
}

/// The epoch of a partition. Whoever claimed the partition last owns it. All partitions of a store draw their epochs
/// from one counter, so no two claims ever have the same epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The largest epoch that fits into a key.
    pub const LAST: Self = Self((1 << 30) - 1);
}

/// Mints keys and inbox ids: strictly rising numbers that no earlier or later epoch can produce.
#[derive(Debug)]
pub struct KeyMint {
    home: PartitionId,
    partitions: PartitionCount,
    base: u64,
    next: std::sync::atomic::AtomicU64,
}

impl KeyMint {
    /// Creates the mint of one epoch of one partition. Only the owner of the epoch may have it.
    pub fn new(epoch: Epoch, home: PartitionId, partitions: PartitionCount) -> Self {
        let base = u64::from(epoch.0 & Epoch::LAST.0) << COUNTER_BITS;
        Self { home, partitions, base, next: std::sync::atomic::AtomicU64::new(1) }
    }

    /// Returns whether so few numbers are left that the partition must be claimed again to get a new epoch.
    pub fn is_nearly_used_up(&self) -> bool {
        self.next.load(std::sync::atomic::Ordering::Relaxed) >= (1 << COUNTER_BITS) - RESERVE
    }

    /// Leaves as few numbers as there are when the partition has to be claimed again.
    #[cfg(test)]
    pub(crate) fn use_up(&self) {
        self.next.store((1 << COUNTER_BITS) - RESERVE, std::sync::atomic::Ordering::Relaxed);
    }

    /// Mints an instance id that nobody uses, in the partition of this mint.
    pub fn instance_id(&self) -> InstanceId {
        loop {
            if let Some(id) = InstanceId::minted(self.instance_key(), self.home, self.partitions) {
                return id;
            }
        }
    }

    fn next(&self) -> u64 {
        self.base | self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    /// Mints a key that was never used.
    pub fn instance_key(&self) -> InstanceKey {
        InstanceKey(self.next())
    }

    /// Mints an inbox id that is higher than all previous ones.
    pub fn inbox_id(&self) -> InboxId {
        InboxId(self.next())
    }
}

/// The number of an execution of an instance. The first execution is 0, and continue-as-new begins the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Execution(pub u32);

impl Execution {
    /// The number under which a store keeps the events that a life carries from one execution to the next. No execution
    /// has it.
    pub const CARRIED: Self = Self(u32::MAX);
}

/// The number of an operation within its execution, which it gets when its future is first polled. The first operation
/// is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(pub u32);

impl OperationId {
    /// The operation number of the start timer. No operation of the code has it.
    pub const START: Self = Self(0);
}

/// The number of an inbox row. It rises in the order in which messages are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InboxId(pub u64);

/// The permanent name of one scheduled activity: key, execution and operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// The life that scheduled the activity.
    pub key: InstanceKey,
    /// The execution that scheduled the activity.
    pub execution: Execution,
    /// The operation of the call.
    pub operation: OperationId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn illegal_ids_are_refused_with_the_rule_they_break() {
        assert_eq!(InstanceId::new(""), Err(InvalidInstanceId::Empty));
        assert_eq!(InstanceId::new("x".repeat(257)), Err(InvalidInstanceId::TooLong { chars: 257 }));
        assert!(InstanceId::new("é".repeat(256)).is_ok());
        assert!(matches!(InstanceId::new("@entity"), Err(InvalidInstanceId::LeadingAt { .. })));
        for text in ["a/b", "a\\b", "a#b", "a?b", "a\nb", "a\u{7f}b"] {
            assert!(
                matches!(InstanceId::new(text), Err(InvalidInstanceId::IllegalCharacter { position: 1, .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn keys_rise_and_never_repeat_over_epochs() {
        let mint = |epoch| KeyMint::new(epoch, PartitionId::FIRST, PartitionCount::ONE);
        let (old, new) = (mint(Epoch(7)), mint(Epoch(8)));
        let keys: Vec<_> = (0..3).map(|_| old.instance_key()).chain((0..3).map(|_| new.instance_key())).collect();
        assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
        assert!(keys.iter().all(|k| k.0 <= i64::MAX as u64));
        assert!(mint(Epoch::LAST).instance_key().0 <= i64::MAX as u64);
    }

    #[test]
    fn p23_a_mint_says_before_its_end_that_it_needs_a_new_epoch() {
        let mint = KeyMint::new(Epoch(1), PartitionId::FIRST, PartitionCount::ONE);
        assert!(!mint.is_nearly_used_up());
        mint.use_up();
        assert!(mint.is_nearly_used_up());
        assert_eq!(mint.instance_key().0 >> COUNTER_BITS, 1, "what is left still belongs to the epoch");
    }

    #[test]
    fn minted_ids_are_legal_and_differ() {
        let mint = KeyMint::new(Epoch(1), PartitionId::FIRST, PartitionCount::ONE);
        let (a, b) = (mint.instance_id(), mint.instance_id());
        assert_ne!(a, b);
        assert!(a.is_reserved());
        assert_eq!(InstanceId::new(a.as_str()), Ok(a));
    }

    #[test]
    fn p08_a_minted_id_lies_in_the_partition_that_mints_it() {
        for count in [2, 3, 4, 64, 1_000, 1_024] {
            let partitions = PartitionCount::new(count).unwrap();
            for home in partitions.all() {
                let mint = KeyMint::new(Epoch(5), home, partitions);
                let (a, b) = (mint.instance_id(), mint.instance_id());
                assert_ne!(a, b);
                assert_eq!(
                    (partitions.partition_of(&a), partitions.partition_of(&b)),
                    (home, home),
                    "{a} {b} of {count}"
                );
            }
        }
    }
}
