//! The traits that `#[external_event]` implements.

use super::{Orchestrator, Payload};
use crate::model::SourceLocation;

/// An event that clients raise and orchestrators wait for. `#[external_event]` implements this trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an external event",
    label = "not an external event",
    note = "an event is a type of your own with `#[external_event]` above it: put any other value into such a type"
)]
pub trait ExternalEvent: Payload {
    /// The name under which the event is raised. Names are compared without regard to ASCII case.
    const NAME: &'static str;
    /// The place of the type in the source, if the macro has seen it.
    #[doc(hidden)]
    const __LOCATION: Option<SourceLocation> = None;
}

/// States that an orchestrator accepts an event. Without `events(..)`, an orchestrator accepts all events.
///
/// `#[orchestrator]` implements this trait, and other code need not name it.
#[diagnostic::on_unimplemented(
    message = "the orchestrator `{Self}` does not accept the event `{E}`",
    label = "not among its `events(..)`",
    note = "add `{E}` to `#[orchestrator(events(..))]` of `{Self}`, or remove the option to accept every event"
)]
pub trait Accepts<E>: Orchestrator {}

/// The same statement from the side of the event, so that a type that is not an event also gives only one message.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the orchestrator `{O}` does not accept the event `{Self}`",
    label = "not an event that it accepts",
    note = "write `{Self}` into `#[orchestrator(events(..))]` of `{O}`, or leave the option out to accept every event",
    note = "an event is a type of your own with `#[external_event]` above it: put any other value into such a type"
)]
pub trait AcceptedBy<O>: ExternalEvent {}

#[diagnostic::do_not_recommend]
impl<O: Accepts<E>, E: ExternalEvent> AcceptedBy<O> for E {}

/// Accepts every value that is not a wait for an event. A wait has a method with the same name, which takes precedence.
#[doc(hidden)]
pub trait WaitCheck: Sized {
    #[doc(hidden)]
    fn __accepted_by<O>(self) -> Self {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<T> WaitCheck for T {}
