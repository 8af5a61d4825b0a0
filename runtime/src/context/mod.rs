//! What orchestrator code touches: durable futures and what combines them.

#[cfg(test)]
mod combinators_tests;
mod durable;
mod join;
mod join_all;
mod select;
mod stand_in;

pub use durable::{AssumeDurable, AwaitCheck, Block, Durable, assume_durable_future, block, output_of};
pub use join::{
    Join, JoinBranch, JoinBranches, JoinEnd, TryJoin, TryJoinBranches, join, join_branch, join_end, try_join,
};
pub use join_all::{JoinAll, JoinAllLimit, TryJoinAll, join_all, join_all_limit, try_join_all};
pub use select::{Either, Never, Select, SelectBranch, SelectBranches, SelectEnd, select, select_branch, select_end};
pub(crate) use stand_in::start_detached;
pub use stand_in::{
    ActivityCall, ActivityContext, Context, ContinueAsNew, EventWait, OrchestrationContext, SubOrchestrationCall,
    Timeout,
};
