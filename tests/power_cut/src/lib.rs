//! Cuts the power under the SQLite store.
//!
//! ```text
//! script ──► SqliteStore ──► SQLite ──► recording file system ──► files
//!    │                                         │
//!    └──► ledger: what was acknowledged        └──► recording: every write, truncation, sync, creation, deletion
//!
//! recording, up to some point ──► the disk that a power cut leaves there ──► SqliteStore ──► compared with the ledger
//! ```
//!
//! A recording may cover several processes: one is killed, or its power is cut, and the next one continues with what it
//! left. Syncs can be made to fail. A seed decides what is written, where the power is cut and what the disk keeps.

pub mod check;
pub mod disk;
pub mod recorder;
pub mod run;
pub mod script;
mod vfs;

pub use check::Loss;
pub use disk::{Disk, Event};
pub use recorder::Recorder;
pub use run::{Plan, Recording};

/// A source of numbers that are determined by a seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Creates a source. The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    /// Returns the next number (SplitMix64).
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `bound`, or 0 if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next_number() % bound).unwrap_or(0)
    }

    /// Returns true this many times in a hundred.
    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }
}
