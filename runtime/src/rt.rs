//! The items that generated code uses. The macros name no other path. This module is not part of the public interface.

pub use core;
pub use core::marker::PhantomData;
pub use core::option::Option::{self, None, Some};
pub use core::pin::pin;
pub use core::result::Result::{Err, Ok};
pub use serde;

pub use crate::client::{Client, StartOrchestration};
pub use crate::context::{
    ActivityCall, ActivityContext, AwaitCheck, Block, Context, ContinueAsNew, Dropped, Durable, DurableUnless, Either,
    EventStream, EventWait, HasResult, Join, JoinBranch, JoinBranches, JoinEnd, MayBeDropped, Never, Select,
    SelectBranch, SelectBranches, SelectEnd, SubOrchestrationCall, TryJoin, TryJoinBranches, assume_durable_future,
    block, closure, continues, join, join_all, join_all_limit, join_branch, join_end, nondeterministic_value,
    output_of, select, select_branch, select_end, try_join, try_join_all,
};
pub use crate::contract::RetryPolicy;
pub use crate::contract::{
    Accepts, Activity, ActivityError, EncodedInput, ExternalEvent, Holds, Inputs, Known, NoStatus, OrchestrationError,
    Orchestrator, Outcome, Present, Unknown, WaitCheck, absent, encode, parameter, refuse,
};
pub use crate::definition::{
    ActivityContextType, ActivityDefinition, ActivityHandler, AnyEvent, AsActivity, AsOrchestrator, BoxedActivity,
    BoxedOrchestration, CallSite, ContextType, DefinedActivity, DefinedOrchestrator, EventRegistration, ListedEvents,
    OrchestratorDefinition, OrchestratorHandler, activity, alone, in_context, link, link_event, of_service,
    of_service_in_context, orchestration, orchestrator, registration,
};
pub use crate::skeleton::{assert_skeleton, diagram};
pub use std::string::String;

pub use crate::model::SourceLocation;
use crate::model::ids::InstanceId;

#[cfg(feature = "macros")]
pub use crate::{join, select, try_join};
#[cfg(feature = "macros")]
pub use persevere_macros::{__declare_activity, __declare_orchestrator, __join, __select, __try_join};

/// The checks that an attribute turned off. The generated code lists them at the place where they would have applied.
#[derive(Debug)]
pub struct AllowedChecks(pub &'static [&'static str]);

/// The immediate result of starting a detached orchestration.
pub type DetachedStart = Result<InstanceId, crate::context::SendError>;

/// The `call` function that `#[activity]` generates.
#[track_caller]
pub fn call_activity<A: DefinedActivity>(ctx: &Context, inputs: A::Inputs) -> ActivityCall<A> {
    ActivityCall::new(ctx, ActivityDefinition::<A>::encode(inputs))
}

/// The `call` function that `#[orchestrator]` generates.
#[track_caller]
pub fn call_orchestrator<O: DefinedOrchestrator>(ctx: &Context, inputs: O::Inputs) -> SubOrchestrationCall<O> {
    SubOrchestrationCall::new(ctx, OrchestratorDefinition::<O>::encode(inputs))
}

/// The `continue_as_new` function that `#[orchestrator]` generates.
#[track_caller]
pub fn continue_as_new<O: DefinedOrchestrator>(ctx: &Context, inputs: O::Inputs) -> ContinueAsNew<O> {
    ContinueAsNew::new(ctx, OrchestratorDefinition::<O>::encode(inputs))
}

/// The `start_detached` function that `#[orchestrator]` generates.
#[track_caller]
pub fn start_detached<O: DefinedOrchestrator>(ctx: &Context, inputs: O::Inputs) -> DetachedStart {
    crate::context::start_detached::<O>(ctx, OrchestratorDefinition::<O>::encode(inputs))
}

/// The `start` function that `#[orchestrator]` generates.
pub fn start<O: DefinedOrchestrator>(client: &Client, inputs: O::Inputs) -> StartOrchestration<O> {
    StartOrchestration::new(client, OrchestratorDefinition::<O>::encode(inputs))
}

/// The `call` function of an activity that runs elsewhere.
#[track_caller]
pub fn call_declared_activity<A: Activity>(ctx: &Context, input: EncodedInput) -> ActivityCall<A> {
    ActivityCall::new(ctx, input)
}

/// The `call` function of an orchestrator that runs elsewhere.
#[track_caller]
pub fn call_declared_orchestrator<O: Orchestrator>(ctx: &Context, input: EncodedInput) -> SubOrchestrationCall<O> {
    SubOrchestrationCall::new(ctx, input)
}

/// The `continue_as_new` function of an orchestrator that runs elsewhere.
#[track_caller]
pub fn continue_as_declared<O: Orchestrator>(ctx: &Context, input: EncodedInput) -> ContinueAsNew<O> {
    ContinueAsNew::new(ctx, input)
}

/// The `start_detached` function of an orchestrator that runs elsewhere.
#[track_caller]
pub fn start_declared_detached<O: Orchestrator>(ctx: &Context, input: EncodedInput) -> DetachedStart {
    crate::context::start_detached::<O>(ctx, input)
}

/// The `start` function of an orchestrator that runs elsewhere.
pub fn start_declared<O: Orchestrator>(client: &Client, input: EncodedInput) -> StartOrchestration<O> {
    StartOrchestration::new(client, input)
}

/// The `stream` function that `#[external_event]` generates.
pub fn stream_events<E: ExternalEvent>(ctx: &Context) -> EventStream<E> {
    EventStream::new(ctx)
}

/// The `wait` function that `#[external_event]` generates.
#[track_caller]
pub fn wait_event<E: ExternalEvent>(ctx: &Context) -> EventWait<E> {
    EventWait::new(ctx)
}

/// An event in `events(..)`.
pub const fn accepted_event<E: ExternalEvent>() -> EventRegistration {
    EventRegistration::of::<E>()
}

/// Checks that a future in `join!` or `select!` is durable, so that the error points to its own place in the source.
pub fn durable<F: Durable>(future: F) -> F {
    future
}
