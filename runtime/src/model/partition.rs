//! The partitions of a store, and to which of them an instance belongs.

use std::fmt;
use std::num::NonZero;

use super::InstanceId;
use super::ids::DIGITS;

/// The number of a partition of a store, counted from 0.
///
/// A partition is the unit of ownership: one owner at a time runs the turns of its instances, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct PartitionId(pub u16);

impl PartitionId {
    /// The first partition, which every store has.
    pub const FIRST: Self = Self(0);
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The number of partitions of a store: 1 to 1,024. It is chosen when the store is created, and then it is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartitionCount(NonZero<u16>);

impl PartitionCount {
    /// One partition, which is the default.
    pub const ONE: Self = Self(NonZero::<u16>::MIN);

    /// The largest number of partitions.
    pub const MAX: u16 = 1_024;

    /// Creates a count. Returns `None` unless it is between 1 and 1,024.
    pub fn new(count: u16) -> Option<Self> {
        NonZero::new(count).filter(|count| count.get() <= Self::MAX).map(Self)
    }

    /// Returns the count as a number.
    pub fn get(self) -> u16 {
        self.0.get()
    }

    /// Returns every partition, in order.
    pub fn all(self) -> impl Iterator<Item = PartitionId> {
        (0..self.get()).map(PartitionId)
    }

    /// Returns the partition to which an instance belongs: the CRC-32 (IEEE) of the UTF-8 bytes of its id, modulo the
    /// count. This is part of the storage format.
    pub fn partition_of(self, id: &InstanceId) -> PartitionId {
        if self == Self::ONE {
            return PartitionId::FIRST;
        }
        self.remainder(crc32fast::hash(id.as_str().as_bytes()))
    }

    fn remainder(self, hash: u32) -> PartitionId {
        // The remainder is smaller than the count, so it fits.
        PartitionId((hash % u32::from(self.get())) as u16)
    }
}

impl Default for PartitionCount {
    fn default() -> Self {
        Self::ONE
    }
}

impl fmt::Display for PartitionCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Returns up to three characters that place an id which begins with `text` in the partition `home`.
pub(super) fn ending(text: &str, home: PartitionId, partitions: PartitionCount) -> Option<String> {
    let mut begun = crc32fast::Hasher::new();
    begun.update(text.as_bytes());
    let fits = |ending: &[u8]| {
        let mut hasher = begun.clone();
        hasher.update(ending);
        partitions.remainder(hasher.finalize()) == home
    };
    let base = DIGITS.len();
    for length in 0..=3_u32 {
        for number in 0..base.pow(length) {
            let digit = |place: u32| DIGITS[number / base.pow(place) % base];
            let ending: Vec<u8> = (0..length).rev().map(digit).collect();
            if fits(&ending) {
                return String::from_utf8(ending).ok();
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(id: &str, count: u16) -> u16 {
        PartitionCount::new(count).unwrap().partition_of(&InstanceId::new(id).unwrap()).0
    }

    #[test]
    fn p08_the_partition_of_an_id_never_changes() {
        // "123456789" is the check input of CRC-32 (IEEE), whose result is 0xCBF43926.
        assert_eq!(partition("123456789", 1_024), (0xCBF4_3926_u32 % 1_024) as u16);
        let golden = [("a", 4, 3), ("order-1", 64, 47), ("\u{e9}", 1_000, 326), ("order-1", 1, 0)];
        for (id, count, expected) in golden {
            assert_eq!(partition(id, count), expected, "{id} of {count}");
        }
    }

    #[test]
    fn a_store_has_at_least_one_partition_and_at_most_1024() {
        assert_eq!((PartitionCount::new(0), PartitionCount::new(1_025)), (None, None));
        assert_eq!(PartitionCount::new(1), Some(PartitionCount::ONE));
        assert_eq!(PartitionCount::new(3).unwrap().all().map(|partition| partition.0).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
