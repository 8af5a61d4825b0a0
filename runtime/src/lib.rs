//! Durable orchestrations for Rust.

pub mod model;

#[doc(hidden)]
#[path = "rt.rs"]
pub mod __rt;
mod client;
mod context;
mod contract;
mod registry;

pub use client::{Client, StartOrchestration};
pub use context::{
    ActivityCall, ActivityContext, AssumeDurable, Block, Context, ContinueAsNew, Durable, EventWait, JoinAll,
    JoinAllLimit, OrchestrationContext, SubOrchestrationCall, Timeout, TryJoinAll,
};
pub use contract::{
    Activity, ActivityError, ActivityRegistration, CallError, CustomStatus, CustomStatusError, EventError,
    ExternalEvent, Failure, NoStatus, OrchestrationError, Orchestrator, OrchestratorRegistration, Outcome, Payload,
    Registered, Registration, SourceLocation, TimedOut,
};
#[doc(hidden)]
pub use contract::{DeclaresStatus, StatusType};
pub use model::failure::FailureDetails;
pub use model::json::{DecodeError, EncodeError, JsonText};
#[cfg(feature = "macros")]
pub use persevere_macros::{activity, external_event, orchestrator, orchestrator_fn};
pub use registry::{Registry, RegistryError};

/// What a program that uses the crate imports.
pub mod prelude {
    pub use crate::{
        ActivityContext, ActivityError, CallError, Client, Context, CustomStatusError, Durable, EventError, NoStatus,
        OrchestrationContext, OrchestrationError, TimedOut,
    };
    pub use serde::{Deserialize, Serialize};

    #[cfg(feature = "macros")]
    pub use crate::{activity, external_event, join, orchestrator, orchestrator_fn, select, try_join};
}
