//! Plain data that the whole crate uses. `docs/architecture.md` in the repository has the glossary.
//!
//! | word | meaning |
//! |---|---|
//! | instance | one orchestration, which is identified by its instance id |
//! | life, key | the existence of an instance from its start until it is purged, restarted or replaced, and the number of that life |
//! | execution | a part of a life with its own history; continue-as-new begins the next one |
//! | operation | one durable thing that the code asks for, numbered when its future is first polled |
//! | turn | one step of an instance: inputs, at most one poll, one turn record and one commit |
//! | turn record | the history row of a turn |
//! | history | the turn records of an execution, in order |
//! | input | something that an instance receives |
//! | action | something that the code of an orchestrator asks for in a turn |
//! | task | a scheduled activity that has not completed |
//! | message | something that one instance sends to another; an inbox row until it is received |
//! | head | the state of an instance that readers see; it consists of life and progress |
//! | commit batch | the turns that become durable together |

mod build;
pub(crate) mod bounds;
mod commit;
mod difference;
mod event_limit;
pub(crate) mod failure;
mod finite;
mod head;
pub(crate) mod ids;
pub(crate) mod json;
pub(crate) mod location;
pub(crate) mod message;
mod park;
mod partition;
pub(crate) mod policy;
pub(crate) mod record;
mod suspects;
mod time;
mod trace;
pub(crate) mod wire;

pub use build::BuildId;
pub use commit::{CommitBatch, HeadChange, InboxRow, RecordRow, TaskRow, TimerRow, TurnCommit};
pub use event_limit::EventLimit;
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
pub use trace::{InvalidTraceContext, TraceContext};

// Only the engine looks into records and messages, and only it mints keys.
pub(crate) use difference::{Part, shortened};
pub(crate) use ids::KeyMint;
pub(crate) use location::RecordedLocation;
pub(crate) use message::{ChildStart, Message};
pub(crate) use policy::{IdReusePolicy, ParentClosePolicy};
pub(crate) use record::{Action, Attempt, Completion, ExecutionLimits, ExecutionStarted, Input, TurnRecord};
pub(crate) use suspects::{Suspect, Suspects};
