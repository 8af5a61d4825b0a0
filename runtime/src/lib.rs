//! Durable orchestrations for Rust.

mod client;
pub mod engine;
pub mod model;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod worker;

#[doc(hidden)]
#[path = "rt.rs"]
pub mod __rt;
mod context;
mod contract;
pub mod registry;

pub use client::{
    ByName, Client, ClientError, InvalidStatusToken, OrchestrationHandle, OrchestrationMetadata, RaiseEvent,
    ResultError, StartOrchestration, StartedInstance, StatusToken, StatusValue, StatusWatch, Terminate, Wait,
    WaitError, WatchError,
};
pub use context::{
    ActivityCall, ActivityContext, AssumeDurable, Block, CancellationReason, CancellationToken, Context, ContinueAsNew,
    Durable, EventWait, JoinAll, JoinAllLimit, MissingState, OrchestrationContext, SubOrchestrationCall,
    TestActivityContext, Timeout, TryJoinAll,
};
pub use contract::{
    Activity, ActivityError, ActivityRegistration, CallError, CustomStatus, CustomStatusError, EventError,
    ExternalEvent, Failure, NoStatus, OrchestrationError, Orchestrator, OrchestratorRegistration, Outcome, Payload,
    Registered, Registration, SourceLocation, TimedOut,
};
#[doc(hidden)]
pub use contract::{DeclaresStatus, StatusType};
#[cfg(feature = "macros")]
pub use persevere_macros::{activity, external_event, orchestrator, orchestrator_fn};
pub use registry::{Registry, RegistryError};
#[doc(hidden)]
pub use worker::Clock;
pub use worker::{Limits, Runtime, RuntimeBuilder, ShutdownError, StartError};

/// What a program that uses the crate imports.
pub mod prelude {
    pub use crate::{
        ActivityContext, ActivityError, CallError, Client, Context, CustomStatusError, Durable, EventError, NoStatus,
        OrchestrationContext, OrchestrationError, Runtime, TimedOut,
    };
    pub use serde::{Deserialize, Serialize};

    #[cfg(feature = "macros")]
    pub use crate::{activity, external_event, join, orchestrator, orchestrator_fn, select, try_join};
}
