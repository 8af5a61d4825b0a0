//! What tests are built on: stores that fail and wait when they are told to.

mod faulty_store;

pub use faulty_store::{Fault, Faults, FaultyStore, RowCounts};
