//! The traits that describe annotated items to the rest of the crate. The macros implement them, and their bounds are
//! checked at the place of the user's own code.

mod activity;
mod declare;
mod errors;
mod event;
mod failure;
mod inputs;
mod known_names;
mod orchestrator;
mod outcome;
mod panic_text;
mod payload;
mod retry_policy;
mod status;
mod undecodable;

pub use activity::Activity;
pub(crate) use errors::kind;
pub use errors::{ActivityError, CallError, CustomStatusError, EventError, OrchestrationError, TimedOut};
pub use event::{AcceptedBy, Accepts, ExternalEvent, WaitCheck};
pub use failure::Failure;
pub use inputs::{EncodedInput, Inputs, encode, parameter};
pub use known_names::{Holds, Known, Present, Unknown, absent, refuse};
pub use orchestrator::Orchestrator;
pub use outcome::Outcome;
pub(crate) use panic_text::panic_text;
pub use payload::Payload;
pub use retry_policy::{RetryDecision, RetryPolicy};
pub use status::{CustomStatus, DeclaredStatus, DeclaresStatus, NoStatus, StatusType};
pub(crate) use undecodable::{ActivityFailure, Undecodable, decoded};
