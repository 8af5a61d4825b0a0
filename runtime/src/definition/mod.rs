//! What the macros generate for an annotated function: its definition, and the registration by which a runtime finds it. The
//! types of its inputs and results are erased here; the modules above run any function by its name.

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
