//! What `#[orchestrator]` makes of a function.

use super::{Failure, Payload, StatusType};
use crate::context::{Context, OrchestrationContext};

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

/// The type of an orchestrator's context parameter: [`OrchestrationContext`], under whatever name.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the first parameter of an orchestrator is its context, not `{Self}`",
    label = "must be `OrchestrationContext`",
    note = "write `ctx: OrchestrationContext` first, or `ctx: OrchestrationContext<Progress>` to publish a custom status of your type `Progress`"
)]
pub trait ContextType {
    /// The type of the custom status.
    type Status;
    #[doc(hidden)]
    fn __from_context(context: Context) -> Self;
}

#[diagnostic::do_not_recommend]
impl<S> ContextType for OrchestrationContext<S> {
    type Status = S;

    fn __from_context(context: Context) -> Self {
        Self::from_context(context)
    }
}
