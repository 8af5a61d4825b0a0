//! What an annotated item is to the rest of the crate: the traits that the macros implement, and the bounds that they
//! check at the user's own words.

mod activity;
mod declare;
mod errors;
mod event;
mod failure;
mod orchestrator;
mod outcome;
mod payload;
mod registration;
mod status;

pub use activity::{Activity, ActivityContextType};
pub(crate) use errors::kind;
pub use errors::{ActivityError, CallError, CustomStatusError, EventError, OrchestrationError, TimedOut};
pub use event::{AcceptedBy, Accepts, ExternalEvent, WaitCheck};
pub use failure::Failure;
pub use orchestrator::{ContextType, Orchestrator};
pub use outcome::Outcome;
pub use payload::Payload;
pub use registration::{
    ActivityHandler, ActivityRegistration, BoxedActivity, BoxedOrchestration, CallSite, OrchestratorHandler,
    OrchestratorRegistration, Registered, Registration, ServiceType, SourceLocation,
};
pub use status::{CustomStatus, DeclaresStatus, NoStatus, StatusType};
