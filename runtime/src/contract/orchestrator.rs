//! The traits that `#[orchestrator]` implements.

use super::{Failure, Payload, StatusType};

/// An orchestrator. `#[orchestrator]` implements this trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an orchestrator",
    label = "not an orchestrator",
    note = "write `#[orchestrator]` above the function"
)]
pub trait Orchestrator: Sized + Send + Sync + 'static {
    /// The input: `()`, the type of the only parameter after the context, or a tuple of all parameters after the
    /// context.
    type Input: 'static;
    /// The type that the orchestrator returns on success.
    type Output: Payload;
    /// The type that the orchestrator returns on failure.
    type Error: Failure;
    /// The type of the custom status, or [`NoStatus`](crate::NoStatus) if the orchestrator declares none.
    type Status: StatusType;
    /// The name under which instances of the orchestrator are recorded. Changing it breaks running instances.
    const NAME: &'static str;
    /// The version, or an empty string if the orchestrator declares none.
    const VERSION: &'static str;
}
