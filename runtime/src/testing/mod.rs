//! Tools for tests: a host that runs orchestrations in virtual time with mocked activities, stores that fail and wait on
//! command, and a clock that stands still.
//!
//! Begin with [`TestHost`].

mod faulty_store;
mod host;
mod records;
mod row_counts;

pub use faulty_store::{Fault, Faults, FaultyStore};
pub use host::{Mock, TestHost};
pub use records::decode_record;
pub use row_counts::RowCounts;

pub use crate::clock::ManualClock;
