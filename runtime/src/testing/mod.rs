//! Tools for tests: stores that fail and wait on command, and a clock that stands still.

mod faulty_store;
mod records;
mod row_counts;

pub use faulty_store::{Fault, Faults, FaultyStore};
pub use records::decode_record;
pub use row_counts::RowCounts;

pub use crate::worker::ManualClock;
