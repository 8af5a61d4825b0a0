//! Durable orchestrations for Rust.

pub mod model;
mod contract;
mod context;
mod registry;
mod skeleton;
pub mod store;
pub mod engine;
mod client;
mod worker;
#[cfg(feature = "testing")]
pub mod testing;
#[doc(hidden)]
#[path = "rt.rs"]
pub mod __rt;

pub use client::{
    ByName, Client, ClientError, InvalidStatusToken, OrchestrationHandle, OrchestrationMetadata, RaiseEvent,
    ResultError, StartOrchestration, StartedInstance, StatusToken, StatusValue, StatusWatch, Terminate, Wait,
    WaitError, WatchError,
};
pub use context::{
    ActivityCall, ActivityContext, AssumeDurable, Block, CancellationReason, CancellationToken, Context, ContinueAsNew,
    Durable, EventWait, JoinAll, JoinAllLimit, MissingState, OrchestrationContext, SendError, SubOrchestrationCall,
    TestActivityContext, Timeout, Timer, TryJoinAll,
};
#[doc(hidden)]
pub use contract::{AcceptedBy, DeclaresStatus, StatusType};
pub use contract::{
    Accepts, Activity, ActivityError, ActivityRegistration, CallError, CustomStatus, CustomStatusError, EventError,
    ExternalEvent, Failure, NoStatus, OrchestrationError, Orchestrator, OrchestratorRegistration, Outcome, Payload,
    Registered, Registration, ServiceType, SourceLocation, TimedOut,
};
pub use engine::IdReusePolicy;
pub use model::{DecodeError, EncodeError, FailureDetails, InstanceId, InvalidInstanceId, JsonText, RuntimeStatus};
#[cfg(feature = "macros")]
pub use persevere_macros::{activities, activity, external_event, orchestrator, orchestrator_fn};
pub use registry::{Registry, RegistryError};
pub use store::MemoryStore;
#[cfg(feature = "sqlite")]
pub use store::SqliteStore;
pub use worker::{Clock, Limits, Runtime, RuntimeBuilder, ShutdownError, StartError};

/// What a program that uses the crate imports.
pub mod prelude {
    #[cfg(feature = "sqlite")]
    pub use crate::SqliteStore;
    pub use crate::{
        ActivityContext, ActivityError, CallError, Client, Context, CustomStatusError, Durable, EventError,
        MemoryStore, NoStatus, OrchestrationContext, OrchestrationError, Runtime, StatusValue, TimedOut,
    };
    pub use serde::{Deserialize, Serialize};

    #[cfg(feature = "macros")]
    pub use crate::{activities, activity, external_event, join, orchestrator, orchestrator_fn, select, try_join};
}
