//! A program that is killed: its orchestrators, the load that it creates for itself, and the ledger of what happened.
//!
//! ```text
//! test ── starts and kills ──► victim (load ─► client ─► runtime ─► activities) ──► store, ledger
//!   └───── reads, while no victim runs ───────────────────────────────────────────────┘
//! ```
#![allow(clippy::expect_used, reason = "whatever is unexpected must end the victim, and the test with it")]

pub mod ledger;
pub mod load;
pub mod program;
