//! What an annotated item is to the rest of the crate: the traits that the macros implement, and the bounds that they
//! check at the user's own words.

mod activity;
mod declare;
mod errors;
mod event;
mod failure;
mod inputs;
mod known_names;
mod orchestrator;
mod outcome;
mod payload;
mod status;

pub use activity::Activity;
pub(crate) use errors::kind;
pub use errors::{ActivityError, CallError, CustomStatusError, EventError, OrchestrationError, TimedOut};
pub use event::{AcceptedBy, Accepts, ExternalEvent, WaitCheck};
pub use failure::Failure;
pub use inputs::{Input, Inputs, encode, parameter};
pub use known_names::{Holds, Known, Present, Unknown, absent, refuse};
pub use orchestrator::Orchestrator;
pub use outcome::Outcome;
pub use payload::Payload;
pub use status::{CustomStatus, DeclaredStatus, DeclaresStatus, NoStatus, StatusType};
