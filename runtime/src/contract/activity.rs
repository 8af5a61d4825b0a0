//! What `#[activity]` makes of a function.

use super::{Failure, Payload};

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
