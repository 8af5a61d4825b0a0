//! The types that the code of orchestrators and activities uses.

mod activity;
mod activity_state;
mod attempts;
mod call;
mod cancellation;
mod close;
mod comparison;
mod continue_as_new;
mod dropped;
mod durable;
mod event;
mod event_buffer;
mod event_stream;
mod foreign;
mod forgotten_await;
mod in_turn;
mod join;
mod join_all;
mod journal;
mod leaf;
mod map;
mod operations;
mod nondeterministic;
mod orchestration;
mod poll_until;
mod random;
mod retry;
mod retry_block;
mod saga;
mod select;
mod timer;
#[cfg(test)]
#[cfg(feature = "macros")]
mod tests;

pub(crate) use activity::RuntimeClock;
pub use activity::{ActivityContext, TestActivityContext};
pub(crate) use activity_state::ActivityState;
pub use activity_state::MissingState;
pub use call::{ActivityCall, SendError, SubOrchestrationCall};
pub(crate) use call::{GivenUp, start_detached};
pub use cancellation::{CancellationReason, CancellationToken};
pub(crate) use comparison::{Cause, Changed, Demand, Mismatch, Recorded, TurnActions};
pub use continue_as_new::{ContinueAsNew, continues};
pub use dropped::{Dropped, MayBeDropped};
pub use durable::{
    AssumeDurable, AwaitCheck, Block, Durable, DurableUnless, assume_durable_future, block, closure, output_of,
};
pub use event::EventWait;
pub(crate) use event_buffer::{BufferedEvent, EventBuffer, event_size};
pub use event_stream::{Endless, EventStream, NextEvent};
pub use forgotten_await::HasResult;
#[cfg(feature = "telemetry")]
pub(crate) use in_turn::is_replaying;
pub(crate) use in_turn::{InTurn, Replaying, in_turn};
pub use join::{
    Join, JoinBranch, JoinBranches, JoinEnd, TryJoin, TryJoinBranches, join, join_branch, join_end, try_join,
};
pub use join_all::{JoinAll, JoinAllLimit, TryJoinAll, join_all, join_all_limit, try_join_all};
pub(crate) use journal::{Journal, payload_too_large};
pub use map::{Batch, Failures, Map};
pub use nondeterministic::nondeterministic_value;
pub(crate) use operations::Awaits;
pub use orchestration::{Context, OrchestrationContext};
pub(crate) use orchestration::{Facts, check_custom_status};
pub use poll_until::{Poll, PollError};
#[cfg(test)]
#[cfg(feature = "macros")]
pub(crate) use random::next as next_random;
pub use retry::{Retriable, Retry};
pub use retry_block::RetryBlock;
pub use saga::{Saga, SagaEnd, SagaError, SagaRun};
pub use select::{Either, Never, Select, SelectBranch, SelectBranches, SelectEnd, select, select_branch, select_end};
pub use timer::{Timeout, Timer};
