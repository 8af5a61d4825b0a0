//! The traits that `#[activity]` implements.

use super::{Failure, Payload, RetryPolicy};

/// An activity. `#[activity]` implements this trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an activity",
    label = "not an activity",
    note = "write `#[activity]` above the function"
)]
pub trait Activity: Sized + Send + Sync + 'static {
    /// The input: `()`, the type of the only parameter, or a tuple of all parameters.
    type Input: 'static;
    /// The type that the activity returns on success.
    type Output: Payload;
    /// The type that the activity returns on failure.
    type Error: Failure;
    /// The name under which calls of the activity are recorded. Changing it breaks running instances.
    const NAME: &'static str;
    /// The policy with which calls are tried again, unless they have one of their own. By default, they are not.
    const RETRY: Option<RetryPolicy> = None;
}
