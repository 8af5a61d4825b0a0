//! What `#[orchestrator]` makes of a function.

use super::{Failure, Payload, StatusType};

/// An orchestrator, as the rest of the crate knows it. `#[orchestrator]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an orchestrator",
    label = "not an orchestrator",
    note = "write `#[orchestrator]` above the function"
)]
pub trait Orchestrator: Sized + Send + Sync + 'static {
    /// The input: `()`, the type of the only parameter after the context, or a tuple.
    type Input: 'static;
    /// What it returns on success.
    type Output: Payload;
    /// What it returns on failure.
    type Error: Failure;
    /// The type of its custom status, [`NoStatus`](crate::NoStatus) if it declares none.
    type Status: StatusType;
    /// The name under which it is recorded. Renaming it breaks running instances.
    const NAME: &'static str;
    /// Its version, empty if it declares none.
    const VERSION: &'static str;
}
