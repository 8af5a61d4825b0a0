//! What `#[external_event]` makes of a type.

use super::Payload;

/// An event that clients raise and orchestrators wait for. `#[external_event]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an external event",
    label = "not an external event",
    note = "write `#[external_event]` above the type"
)]
pub trait ExternalEvent: Payload {
    /// The name under which it is raised; names compare without regard to ASCII case.
    const NAME: &'static str;
}
