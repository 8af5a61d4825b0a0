//! Orchestrators and activities for tests, without macros: a handler is a plain function.

use crate::contract::{Activity, Orchestrator};
use crate::definition::{
    ActivityRegistration, BoxedActivity, OrchestratorHandler, OrchestratorRegistration, Registration,
};
use crate::model::{FailureDetails, JsonText, SourceLocation};
use crate::registry::{OrchestratorCode, Registry};
use crate::{ActivityContext, ActivityError, ExternalEvent, OrchestrationError};
use serde_json::Value;

/// What the body of a test orchestrator returns.
pub(crate) type Returned = Result<Value, OrchestrationError>;

/// Defines a handler: `code!(fn waits(ctx, input) { .. })`.
macro_rules! code {
    ($(fn $name:ident($ctx:ident, $input:pat) $body:block)*) => {$(
        pub(crate) fn $name(
            context: $crate::context::Context,
            input: &$crate::model::JsonText,
        ) -> Result<$crate::definition::BoxedOrchestration, $crate::model::DecodeError> {
            let $input: serde_json::Value = input.decode().unwrap_or_default();
            let $ctx = $crate::context::OrchestrationContext::<serde_json::Value>::from_context(context);
            Ok(Box::pin(async move {
                let returned: $crate::engine::sim::code::Returned = async { $body }.await;
                let _ = &$ctx;
                returned
                    .map(|value| $crate::model::JsonText::encode(&value).unwrap())
                    .map_err(|error| $crate::contract::Failure::__to_details(&error))
            }))
        }
    )*};
}
pub(crate) use code;

const NOWHERE: SourceLocation = SourceLocation { file: "test", line: 0, column: 0 };

pub(crate) fn orchestrator(name: &'static str, version: &'static str, handler: OrchestratorHandler) -> Registration {
    let location = SourceLocation { file: name, ..NOWHERE };
    Registration::Orchestrator(OrchestratorRegistration {
        name,
        version,
        marker: name,
        location,
        handler,
        calls: &[],
        events: None,
        check_input: |_| Ok(()),
    })
}

pub(crate) fn activity(name: &'static str) -> Registration {
    fn never(_: ActivityContext, _: JsonText) -> BoxedActivity {
        Box::pin(async { Err(FailureDetails::new("sim", "simulated activities have no code").into()) })
    }
    Registration::Activity(ActivityRegistration {
        name,
        marker: name,
        location: NOWHERE,
        handler: never,
        check_input: |_| Ok(()),
        service: None,
        concurrency: None,
    })
}

/// The code of a handler, as a registry has it.
pub(crate) fn code_of(handler: OrchestratorHandler) -> OrchestratorCode {
    match orchestrator("main", "", handler) {
        Registration::Orchestrator(registration) => OrchestratorCode::Rust(registration),
        Registration::Activity(_) => panic!("it is an orchestrator"),
    }
}

/// The same as [`registry`], with orchestrators that run elsewhere.
pub(crate) fn registry_elsewhere(orchestrators: &[&str], here: &[(&'static str, OrchestratorHandler)]) -> Registry {
    let mut registry = registry(here);
    orchestrators.iter().for_each(|name| registry.add_remote_orchestrator(*name, ""));
    registry
}

/// The orchestrators, the activities `echo` and `fail`.
pub(crate) fn registry(orchestrators: &[(&'static str, OrchestratorHandler)]) -> Registry {
    let entries = orchestrators.iter().map(|(name, handler)| orchestrator(name, "", *handler));
    Registry::new(entries.chain([activity("echo"), activity("fail")])).unwrap()
}

macro_rules! markers {
    ($($name:ident $text:literal)*) => {$(
        /// A typed name.
        pub(crate) enum $name {}
        impl Activity for $name {
            type Input = Value;
            type Output = Value;
            type Error = ActivityError;
            const NAME: &'static str = $text;
        }
        impl Orchestrator for $name {
            type Input = Value;
            type Output = Value;
            type Error = OrchestrationError;
            type Status = Value;
            const NAME: &'static str = $text;
            const VERSION: &'static str = "";
        }
    )*};
}
markers! {
    Echo "echo"
    Fail "fail"
    Unknown "unknown"
    Child "child"
    Main "main"
    Program "program"
}

/// A call of an activity.
#[track_caller]
pub(crate) fn call<A: Activity>(ctx: &crate::Context, input: impl serde::Serialize) -> crate::ActivityCall<A> {
    crate::ActivityCall::new(ctx, JsonText::encode(&input))
}

/// A call of an orchestrator.
#[track_caller]
pub(crate) fn child<O: Orchestrator>(
    ctx: &crate::Context,
    input: impl serde::Serialize,
) -> crate::SubOrchestrationCall<O> {
    crate::SubOrchestrationCall::new(ctx, JsonText::encode(&input))
}

/// The same orchestrator anew.
pub(crate) fn again<O: Orchestrator>(ctx: &crate::Context, input: impl serde::Serialize) -> crate::ContinueAsNew<O> {
    crate::ContinueAsNew::new(ctx, JsonText::encode(&input))
}

macro_rules! events {
    ($($name:ident $text:literal)*) => {$(
        /// An event that is sent.
        #[derive(serde::Serialize, serde::Deserialize)]
        pub(crate) struct $name(pub(crate) Value);
        impl ExternalEvent for $name {
            const NAME: &'static str = $text;
        }
    )*};
}
events! {
    Red "red"
    Green "green"
    Blue "blue"
}
