//! What orchestrator and activity code touches.

mod activity;
mod call;
mod continue_as_new;
mod durable;
mod event;
mod foreign;
mod in_turn;
mod join;
mod journal;
mod leaf;
mod orchestration;
mod random;
mod select;
mod timer;

pub use call::{ActivityCall, SendError, SubOrchestrationCall};
pub(crate) use call::start_detached;
pub use continue_as_new::ContinueAsNew;
pub use durable::{AssumeDurable, AwaitCheck, Block, Durable, assume_durable_future, block, block_of};
pub use event::EventWait;
pub(crate) use in_turn::{InTurn, in_turn};
pub use join::{
    Join, JoinAll, JoinAllLimit, JoinBranches, JoinEnd, TryJoin, TryJoinAll, TryJoinBranches, branch, join, join_all,
    join_all_limit, join_end, try_join, try_join_all,
};
pub(crate) use journal::{Awaits, Journal, Mismatch, payload_too_large};
pub(crate) use orchestration::{Facts, check_custom_status};
pub use orchestration::{Context, OrchestrationContext};
pub use select::{Either, Never, Select, SelectBranches, select, select_branch, select_end};
pub use timer::{Timeout, Timer};
