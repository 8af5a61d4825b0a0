//! What `#[activity]` makes of a function.

use super::{Failure, Payload};
use crate::context::ActivityContext;

/// An activity, as the rest of the crate knows it. `#[activity]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an activity",
    label = "not an activity",
    note = "write `#[activity]` above the function"
)]
pub trait Activity: Sized + Send + Sync + 'static {
    /// The input: `()`, the type of the only parameter, or a tuple.
    type Input: 'static;
    /// What it returns on success.
    type Output: Payload;
    /// What it returns on failure.
    type Error: Failure;
    /// The name under which it is recorded. Renaming it breaks running instances.
    const NAME: &'static str;
}

/// The type of an activity's context parameter: [`ActivityContext`], under whatever name.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `ActivityContext`",
    label = "a first parameter taken by reference is the activity's context",
    note = "inputs are stored, so they are taken by value: write `{Self}` without the `&`, or the owned form of it",
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
