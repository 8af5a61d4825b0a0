//! What tests are built on: stores that fail and wait when they are told to.

mod faulty_store;
mod row_counts;

pub use faulty_store::{Fault, Faults, FaultyStore};
pub use row_counts::RowCounts;
