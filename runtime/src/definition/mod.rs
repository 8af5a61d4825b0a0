//! What the macros leave of an annotated function: its definition, and the registration that a runtime finds it by. Here the
//! types of its inputs and results end; what lies above runs any function by its name.

mod context_type;
mod defined;
mod function;
mod registration;

pub use context_type::{ActivityContextType, ContextType};
pub use defined::{
    ActivityDefinition, AnyEvent, DefinedActivity, DefinedOrchestrator, ListedEvents, OrchestratorDefinition, activity,
    alone, in_context, of_service, of_service_in_context, orchestration, orchestrator,
};
pub use registration::{
    ActivityHandler, ActivityRegistration, AsActivity, AsOrchestrator, BoxedActivity, BoxedOrchestration, CallSite,
    EventRegistration, OrchestratorHandler, OrchestratorRegistration, PayloadCheck, Registered, Registration,
    ServiceType, link, link_event, registration,
};
pub(crate) use registration::{linked, linked_events};
