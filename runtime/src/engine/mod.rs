//! The engine: values in, values out. It does no I/O, reads no clock, uses neither Tokio nor random numbers, and never
//! iterates in hash order.
//!
//! ```text
//! PartitionInput ──► Partition ──► turn (journal, poll) ──► PartitionOutput
//!                                                           ├ Load            read this, answer with Loaded
//!                                                           ├ Commit(n, ..)   make this durable, answer with Committed
//!                                                           └ Effect{after n} do this once n is durable
//! ```

mod carried;
mod changes;
mod checks;
mod current_turn;
mod execution;
mod history;
mod interface;
mod mismatch;
mod partition;
mod poll;
mod program;
mod remote_program;
mod rewind;
mod rust_program;
#[cfg(test)]
#[cfg(feature = "macros")]
mod sim;
mod stuck;
#[cfg(test)]
#[cfg(feature = "macros")]
mod tests;
mod verify;

pub use checks::{InputChanges, VerifyReplay};
pub(crate) use current_turn::{CurrentTurn, TurnInProgress};
pub(crate) use history::decode_all as decode_history;
pub use interface::{
    ActivityTask, ClientAnswer, ClientOperation, CommitNumber, Effect, ExecutionRef, IdReusePolicy, LoadedInstance,
    ParentClosePolicy, PartitionConfig, PartitionInput, PartitionOutput, Refusal, RequestId, StartOperation, Ticket,
};
pub(crate) use partition::{Cautious, needs_trial};
pub use partition::{Damage, Partition};
pub(crate) use poll::{drop_contained, recognise_missing_runtime};
pub use program::{TurnOffer, TurnOutput, TurnTicket};

pub use crate::model::ids::KeyMint;
pub use crate::model::location::RecordedLocation;
pub use crate::model::message::Message;
pub use crate::model::record::{Action, Completion, ExecutionLimits, ExecutionStarted, Input, TurnRecord};
