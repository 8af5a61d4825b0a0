//! The types of the context parameters of annotated functions.

use crate::context::{ActivityContext, Context, OrchestrationContext};

/// The type of an activity's context parameter: [`ActivityContext`], even if it is imported under another name.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `ActivityContext`",
    label = "a first parameter that is a reference is the context of the activity",
    note = "inputs are stored, so they are passed by value: write `{Self}` without the `&`, or use its owned form",
    note = "for the context, write `ctx: &ActivityContext`"
)]
pub trait ActivityContextType {
    #[doc(hidden)]
    fn __from_context(context: &ActivityContext) -> &Self;
}

#[diagnostic::do_not_recommend]
impl ActivityContextType for ActivityContext {
    fn __from_context(context: &ActivityContext) -> &Self {
        context
    }
}

/// The type of an orchestrator's context parameter: [`OrchestrationContext`], even if it is imported under another name.
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
