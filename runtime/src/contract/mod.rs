//! What an annotated item is to the rest of the crate: the traits that the macros implement, and the bounds that they
//! check at the user's own words.

mod activity;
mod declare;
mod defined;
mod errors;
mod event;
mod failure;
mod function;
mod inputs;
mod orchestrator;
mod outcome;
mod payload;
mod registration;
mod status;

pub use activity::{Activity, ActivityContextType};
pub use defined::{
    ActivityDefinition, AnyEvent, DefinedActivity, DefinedOrchestrator, ListedEvents, OrchestratorDefinition, activity,
    alone, in_context, of_service, of_service_in_context, orchestration, orchestrator,
};
pub(crate) use errors::kind;
pub use errors::{ActivityError, CallError, CustomStatusError, EventError, OrchestrationError, TimedOut};
pub use event::{AcceptedBy, Accepts, ExternalEvent, WaitCheck};
pub use failure::Failure;
pub use inputs::{Input, Inputs, encode, parameter};
pub use orchestrator::{ContextType, Orchestrator};
pub use outcome::Outcome;
pub use payload::Payload;
pub use registration::{
    ActivityHandler, ActivityRegistration, AsActivity, AsOrchestrator, BoxedActivity, BoxedOrchestration, CallSite,
    EventRegistration, OrchestratorHandler, OrchestratorRegistration, PayloadCheck, Registered, Registration,
    ServiceType, link, link_event, registration,
};
pub(crate) use registration::{linked, linked_events};
pub use status::{CustomStatus, DeclaresStatus, NoStatus, StatusType};
