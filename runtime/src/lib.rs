//! Durable orchestrations: annotated async functions that survive crashes, are checked at compile time, and publish a typed
//! custom status that any client can read, wait for and watch.
//!
//! An **activity** does the work. An **orchestrator** calls activities in order, and waits for as long as it takes. Both are
//! plain async functions with an attribute. The runtime records every step in a store and, after a crash, continues where
//! it was. There is no server: the runtime is part of your process, and the store is a file.
//!
//! This crate is not a job queue for millions of independent jobs and not a cron daemon. It also cannot make an activity
//! run exactly once across a crash: an activity that a crash interrupts runs again.
//!
//! ```no_run
//! use persevere::prelude::*;
//!
//! #[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
//! pub struct Progress { pub city: String, pub done: usize, pub total: usize }
//!
//! /// Greets one city.
//! #[activity]
//! pub async fn say_hello(city: String) -> Result<String, ActivityError> { Ok(format!("Hello {city}!")) }
//!
//! /// Greets the cities one after the other and publishes the progress.
//! #[orchestrator]
//! pub async fn hello_cities(ctx: OrchestrationContext<Progress>, cities: Vec<String>) -> Result<Vec<String>, OrchestrationError> {
//!     let mut greetings = Vec::new();
//!     for (i, city) in cities.iter().enumerate() {
//!         greetings.push(say_hello::call(&ctx, city.clone()).await?);
//!         ctx.set_custom_status(&Progress { city: city.clone(), done: i + 1, total: cities.len() })?;
//!     }
//!     Ok(greetings)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Runtime::builder().store(SqliteStore::open("hello.db")?).auto_register().start().await?;
//! let hello = hello_cities::start(runtime.client(), vec!["Tokyo".into(), "Seattle".into()]).instance_id("hello-1").await?;
//! let mut progress = hello.watch_custom_status();
//! while let Some(p) = progress.next().await {
//!     let p = p?; // a Progress, no turbofish
//!     println!("{}/{} {}", p.done, p.total, p.city);
//! }
//! println!("{:?}", hello.result().await?); // a Vec<String>
//! runtime.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where to start
//! - [`orchestrator`], [`activity`], [`external_event`], [`orchestrator_fn`]: the attributes
//! - [`OrchestrationContext`] and [`Context`]: the operations of an orchestrator
//! - [`Client`], [`OrchestrationHandle`]: starting, reading, waiting for and watching instances
//! - [`Runtime`], [`RuntimeBuilder`]: running orchestrators and activities
//! - [`store`]: the store contract, with [`MemoryStore`] and [`SqliteStore`]
//!
//! # Features
//! | feature | default | what it adds |
//! |---|---|---|
//! | `macros` | yes | the attributes |
//! | `sqlite` | yes | [`SqliteStore`], with SQLite compiled in |
//! | `http` | no | the HTTP API of Durable Functions: a router and a server |
//! | `telemetry` | no | a filter for logs: what an orchestrator logs is not logged again when it is replayed |
//! | `opentelemetry` | no | traces across restarts and processes, through `tracing-opentelemetry` |
//! | `metrics` | no | counters, gauges and histograms through the `metrics` facade |
//! | `testing` | no | [`testing::TestHost`](https://docs.rs/persevere/latest/persevere/testing/struct.TestHost.html), which runs orchestrations in virtual time with mocked activities; store wrappers that fail or hold commits; a manual clock |
//! | `conformance` | no | the test suite that every store must pass |

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod model;
mod clock;
mod contract;
mod context;
mod definition;
mod registry;
pub mod telemetry;
mod skeleton;
pub mod store;
// This module is not covered by semantic versioning. It exists for measurements and for other kinds of drivers.
#[doc(hidden)]
pub mod engine;
mod client;
mod worker;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "testing")]
pub mod testing;
#[doc(hidden)]
#[path = "rt.rs"]
pub mod __rt;

pub use client::{
    ByName, Client, ClientError, HistoryEvent, HistoryEventKind, InstanceList, InstanceWatch, InvalidStatusToken,
    ListInstances, OrchestrationHandle, OrchestrationHistory, OrchestrationMetadata, PendingRetry, PurgeInstances,
    RaiseEvent, RestartOrchestration, ResultError, StartOrchestration, StartedInstance, StatusToken, StatusValue,
    StatusWatch, Terminate, Wait, WaitError, WatchError,
};
pub use context::{
    ActivityCall, ActivityContext, AssumeDurable, Batch, Block, CancellationReason, CancellationToken, Context,
    ContinueAsNew, Durable, Endless, EventStream, EventWait, Failures, JoinAll, JoinAllLimit, Map, MissingState,
    NextEvent, OrchestrationContext, Poll, PollError, Retriable, Retry, RetryBlock, Saga, SagaEnd, SagaError, SagaRun,
    SendError, SubOrchestrationCall, TestActivityContext, Timeout, Timer, TryJoinAll,
};
#[doc(hidden)]
pub use contract::{AcceptedBy, DeclaredStatus, DeclaresStatus, StatusType};
pub use contract::{
    Accepts, Activity, ActivityError, CallError, CustomStatus, CustomStatusError, EventError, ExternalEvent, Failure,
    NoStatus, OrchestrationError, Orchestrator, Outcome, Payload, RetryDecision, RetryPolicy, TimedOut,
};
pub use definition::{
    ActivityRegistration, EventRegistration, OrchestratorRegistration, PayloadCheck, Registered, Registration,
    ServiceType,
};
pub use engine::{IdReusePolicy, InputChanges, ParentClosePolicy, VerifyReplay};
pub use model::{
    DecodeError, EncodeError, EventLimit, FailureDetails, InstanceId, InvalidInstanceId, InvalidTraceContext, JsonText,
    ParkCode, ParkReason, RuntimeStatus, SourceLocation, TraceContext,
};
#[cfg(feature = "macros")]
pub use persevere_macros::{activities, activity, external_event, orchestrator, orchestrator_fn};
pub use registry::{Duplicate, DuplicateKind, Registry, RegistryError};
#[cfg(feature = "postgres")]
pub use store::PostgresStore;
#[cfg(feature = "sqlite")]
pub use store::SqliteStore;
pub use store::{InstanceFilter, InvalidPageCursor, MemoryStore, PageCursor};
pub use worker::{ActivityLimits, Clock, Limits, Runtime, RuntimeBuilder, ShutdownError, StartError};

/// The items that most programs need. Import it with `use persevere::prelude::*;`.
pub mod prelude {
    #[cfg(feature = "sqlite")]
    pub use crate::SqliteStore;
    pub use crate::{
        ActivityContext, ActivityError, CallError, Client, ClientError, Context, CustomStatusError, Durable,
        EventError, IdReusePolicy, MemoryStore, NoStatus, OrchestrationContext, OrchestrationError,
        OrchestrationHandle, RetryDecision, RetryPolicy, Runtime, StatusValue, TimedOut,
    };
    pub use serde::{Deserialize, Serialize};

    pub use crate::nondeterministic;
    #[cfg(feature = "macros")]
    pub use crate::{activities, activity, external_event, join, orchestrator, orchestrator_fn, select, try_join};
}
