//! What orchestrator and activity code touches.

mod activity;
mod activity_state;
mod cancellation;

pub use activity::{ActivityContext, TestActivityContext};
pub(crate) use activity_state::ActivityState;
pub use activity_state::MissingState;
pub use cancellation::{CancellationReason, CancellationToken};
