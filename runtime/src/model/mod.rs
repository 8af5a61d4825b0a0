//! Plain data, and the words of the whole crate.
//!
//! | word | meaning |
//! |---|---|
//! | orchestrator | the user's annotated async function |
//! | orchestration instance | one run of it, named by an instance id |
//! | life, key | one existence of an instance id, and its number; restart or replacement begins a new life |
//! | execution | one generation of an instance; continue-as-new starts the next |
//! | operation | one durable thing the code asks for, numbered when its future is first polled |
//! | turn | one pass over an instance: inputs in, at most one poll, one turn record and one commit out |
//! | turn record | the row of history |
//! | history | the turn records of an execution, in order |
//! | input | what an instance is given |
//! | action | what the orchestrator asked for in a turn |
//! | task | a scheduled activity that is not complete |
//! | message | from one instance to another; an inbox row until it is received |
//! | head | what readers see of an instance: what its execution began with, and its progress |
//! | progress | what a run changes: state, custom status, outcome |
//! | commit batch | the turns that become durable together |

mod commit;
pub(crate) mod failure;
mod head;
pub(crate) mod ids;
pub(crate) mod json;
pub(crate) mod location;
pub(crate) mod message;
mod park;
mod partition;
pub(crate) mod record;
mod time;
pub(crate) mod wire;

pub use commit::{CommitBatch, HeadChange, InboxRow, RecordRow, TaskRow, TimerRow, TurnCommit};
pub use failure::FailureDetails;
pub use head::{Head, Life, Progress, RuntimeStatus};
pub use ids::{
    Epoch, Execution, InboxId, InstanceId, InstanceKey, InvalidInstanceId, MAX_INSTANCE_ID_CHARS, OperationId, TaskId,
};
pub use json::{DecodeError, EncodeError, JsonText};
pub use location::SourceLocation;
pub use park::{ParkCode, ParkReason};
pub use partition::{PartitionCount, PartitionId};
pub use record::Parent;
pub use time::Timestamp;

// Only the engine looks into records and messages, and only it mints keys.
pub(crate) use ids::KeyMint;
pub(crate) use location::RecordedLocation;
pub(crate) use message::Message;
pub(crate) use record::{Action, Completion, ExecutionLimits, ExecutionStarted, Input, TurnRecord};
