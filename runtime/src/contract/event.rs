//! What `#[external_event]` makes of a type.

use super::{Orchestrator, Payload};
use crate::model::SourceLocation;

/// An event that clients raise and orchestrators wait for. `#[external_event]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an external event",
    label = "not an external event",
    note = "an event is a type of your own with `#[external_event]` above it: put any other value into such a type"
)]
pub trait ExternalEvent: Payload {
    /// The name under which it is raised; names compare without regard to ASCII case.
    const NAME: &'static str;
    /// Where the type stands, if the macro has seen it.
    #[doc(hidden)]
    const __LOCATION: Option<SourceLocation> = None;
}

/// Says that an orchestrator accepts an event. Without `events(..)` it accepts all of them.
///
/// `#[orchestrator]` implements it; nobody else needs to name it.
#[diagnostic::on_unimplemented(
    message = "the orchestrator `{Self}` does not accept the event `{E}`",
    label = "not among its `events(..)`",
    note = "write `{E}` into `#[orchestrator(events(..))]` of `{Self}`, or leave the option out to accept every event"
)]
pub trait Accepts<E>: Orchestrator {}

/// The same, said of the event: so what is no event at all gives one message too.
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

/// Lets every value pass that is no wait for an event: a wait has a method of the same name, which comes first.
#[doc(hidden)]
pub trait WaitCheck: Sized {
    #[doc(hidden)]
    fn __accepted_by<O>(self) -> Self {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<T> WaitCheck for T {}
