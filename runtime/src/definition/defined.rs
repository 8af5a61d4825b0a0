//! The traits that the macros implement: one for an activity and one for an orchestrator. Each implementation contains
//! everything that is known about the function. The rest follows here, once for all functions, so that the macros
//! generate little code for each.

use std::fmt;

use super::function::{Alone, Function, InContext, OfService, OfServiceInContext, Orchestration};
use super::registration::undecodable_input;
use super::{
    ActivityContextType, ActivityRegistration, AsActivity, AsOrchestrator, BoxedActivity, BoxedOrchestration, CallSite,
    ContextType, EventRegistration, OrchestratorRegistration, Registered, Registration, ServiceType,
};
use crate::context::{ActivityContext, Context};
use crate::contract::{
    Accepts, Activity, EncodedInput, ExternalEvent, Failure, Inputs, Orchestrator, Outcome, Payload, RetryPolicy,
    StatusType, Undecodable, decoded,
};
use crate::model::SourceLocation;
use crate::model::failure::FailureDetails;
use crate::model::json::{DecodeError, JsonText};

/// An activity whose function is part of this program.
pub trait DefinedActivity: Sized + Send + Sync + 'static {
    /// The inputs as a tuple.
    type Inputs: Inputs;
    /// The return type of the function.
    type Return: Outcome<Ok: Payload, Err: Failure>;
    /// Everything else that is known about the activity.
    const DEFINITION: ActivityDefinition<Self>;
}

/// Everything that is known about an activity.
pub struct ActivityDefinition<A: DefinedActivity> {
    name: &'static str,
    marker: &'static str,
    location: SourceLocation,
    service: Option<ServiceType>,
    retry: Option<RetryPolicy>,
    concurrency: Option<usize>,
    parameters: <A::Inputs as Inputs>::Parameters,
    body: &'static dyn ActivityBody,
}

/// Creates the definition of an activity, with the location of the caller.
#[track_caller]
pub const fn activity<A: DefinedActivity>(
    name: &'static str,
    marker: &'static str,
    parameters: <A::Inputs as Inputs>::Parameters,
    body: &'static dyn ActivityBody,
) -> ActivityDefinition<A> {
    let location = SourceLocation::here();
    ActivityDefinition { name, marker, location, service: None, retry: None, concurrency: None, parameters, body }
}

impl<A: DefinedActivity> ActivityDefinition<A> {
    /// Marks the activity as a method of type `S`.
    #[must_use]
    pub const fn of<S: Send + Sync + 'static>(self) -> Self {
        Self { service: Some(ServiceType::of::<S>()), ..self }
    }

    /// Sets the policy with which calls are tried again.
    #[must_use]
    pub const fn retrying(self, policy: RetryPolicy) -> Self {
        Self { retry: Some(policy), ..self }
    }

    /// Sets how many runs there may be at a time in one process.
    #[must_use]
    pub const fn at_most(self, concurrency: usize) -> Self {
        Self { concurrency: Some(concurrency), ..self }
    }

    pub(crate) fn encode(inputs: A::Inputs) -> EncodedInput {
        inputs.encode(&A::DEFINITION.parameters)
    }

    #[cfg(feature = "testing")]
    pub(crate) fn decode(input: &JsonText) -> Result<A::Inputs, DecodeError> {
        inputs::<A>(input)
    }

    /// Encodes what the function returns.
    #[cfg(feature = "testing")]
    pub(crate) fn record(result: A::Return) -> Result<JsonText, FailureDetails> {
        recorded(result)
    }
}

impl<A: DefinedActivity> Activity for A {
    type Input = <A::Inputs as Inputs>::Value;
    type Output = <A::Return as Outcome>::Ok;
    type Error = <A::Return as Outcome>::Err;
    const NAME: &'static str = A::DEFINITION.name;
    const RETRY: Option<RetryPolicy> = A::DEFINITION.retry;
}

impl<A: DefinedActivity> Registered<AsActivity> for A {
    const REGISTRATION: Registration = Registration::Activity(ActivityRegistration {
        name: A::DEFINITION.name,
        marker: A::DEFINITION.marker,
        location: A::DEFINITION.location,
        handler: |context, input| A::DEFINITION.body.run(context, input),
        check_input: |input| inputs::<A>(input).map(drop),
        service: A::DEFINITION.service,
        concurrency: A::DEFINITION.concurrency,
    });
}

fn inputs<A: DefinedActivity>(input: &JsonText) -> Result<A::Inputs, DecodeError> {
    decoded(|| A::Inputs::decode(input, &A::DEFINITION.parameters))
}

fn undecodable<A: DefinedActivity>(error: DecodeError) -> Undecodable {
    undecodable_input(A::DEFINITION.name, A::DEFINITION.location, error)
}

/// The function of an activity, with its types erased.
pub trait ActivityBody {
    /// Decodes the inputs and runs the function with them.
    fn run(&self, context: ActivityContext, input: JsonText) -> BoxedActivity;
}

/// The function of an orchestrator, with its types erased.
pub trait OrchestratorBody {
    /// Decodes the inputs and creates the future of the function with them.
    fn run(&self, context: Context, input: &JsonText) -> Result<BoxedOrchestration, DecodeError>;
}

/// A function and the way in which it is called. The bounds are checked where this value is created, and only there.
pub struct Body<F, R> {
    function: F,
    run: R,
}

impl<F: Copy> ActivityBody for Body<F, fn(F, ActivityContext, JsonText) -> BoxedActivity> {
    fn run(&self, context: ActivityContext, input: JsonText) -> BoxedActivity {
        (self.run)(self.function, context, input)
    }
}

impl<F: Copy> OrchestratorBody for Body<F, fn(F, Context, &JsonText) -> Result<BoxedOrchestration, DecodeError>> {
    fn run(&self, context: Context, input: &JsonText) -> Result<BoxedOrchestration, DecodeError> {
        (self.run)(self.function, context, input)
    }
}

type ActivityFunction<F> = Body<F, fn(F, ActivityContext, JsonText) -> BoxedActivity>;
type OrchestratorFunction<F> = Body<F, fn(F, Context, &JsonText) -> Result<BoxedOrchestration, DecodeError>>;

/// Wraps a function that takes only its inputs.
pub const fn alone<A, F>(function: F) -> ActivityFunction<F>
where
    A: DefinedActivity,
    F: for<'a> Function<'a, Alone, A::Inputs, First = (), Return = A::Return>,
{
    let run = |function: F, _, input: JsonText| -> BoxedActivity {
        Box::pin(async move {
            let inputs = inputs::<A>(&input).map_err(undecodable::<A>)?;
            Ok(recorded(function.run((), inputs).await)?)
        })
    };
    Body { function, run }
}

/// Wraps a function that also takes its context.
pub const fn in_context<A, C, F>(function: F) -> ActivityFunction<F>
where
    A: DefinedActivity,
    C: ActivityContextType,
    F: for<'a> Function<'a, InContext<C>, A::Inputs, First = (&'a C,), Return = A::Return>,
{
    let run = |function: F, context: ActivityContext, input: JsonText| -> BoxedActivity {
        Box::pin(async move {
            let inputs = inputs::<A>(&input).map_err(undecodable::<A>)?;
            Ok(recorded(function.run((C::__from_context(&context),), inputs).await)?)
        })
    };
    Body { function, run }
}

/// Wraps a method of a service.
pub const fn of_service<A, T, F>(function: F) -> ActivityFunction<F>
where
    A: DefinedActivity,
    T: Send + Sync + 'static,
    F: for<'a> Function<'a, OfService<T>, A::Inputs, First = (&'a T,), Return = A::Return>,
{
    let run = |function: F, context: ActivityContext, input: JsonText| -> BoxedActivity {
        Box::pin(async move {
            let inputs = inputs::<A>(&input).map_err(undecodable::<A>)?;
            Ok(recorded(function.run((service::<T>(&context)?,), inputs).await)?)
        })
    };
    Body { function, run }
}

/// Wraps a method of a service that also takes its context.
pub const fn of_service_in_context<A, T, C, F>(function: F) -> ActivityFunction<F>
where
    A: DefinedActivity,
    T: Send + Sync + 'static,
    C: ActivityContextType,
    F: for<'a> Function<'a, OfServiceInContext<T, C>, A::Inputs, First = (&'a T, &'a C), Return = A::Return>,
{
    let run = |function: F, context: ActivityContext, input: JsonText| -> BoxedActivity {
        Box::pin(async move {
            let inputs = inputs::<A>(&input).map_err(undecodable::<A>)?;
            let first = (service::<T>(&context)?, C::__from_context(&context));
            Ok(recorded(function.run(first, inputs).await)?)
        })
    };
    Body { function, run }
}

/// Wraps the function of an orchestrator.
pub const fn orchestration<O, F>(function: F) -> OrchestratorFunction<F>
where
    O: DefinedOrchestrator,
    F: Function<
            'static,
            Orchestration<O::Context>,
            O::Inputs,
            First = (O::Context,),
            Return = O::Return,
            Future: 'static,
        >,
{
    let run = |function: F, context: Context, input: &JsonText| -> Result<BoxedOrchestration, DecodeError> {
        let inputs = decoded(|| O::Inputs::decode(input, &O::DEFINITION.parameters))?;
        let future = function.run((O::Context::__from_context(context),), inputs);
        Ok(Box::pin(async move { recorded(future.await) }))
    };
    Body { function, run }
}

/// Returns the value whose method the activity is.
fn service<T: Send + Sync + 'static>(context: &ActivityContext) -> Result<&T, FailureDetails> {
    context.try_state().map_err(|missing| FailureDetails::new("MissingState", missing.to_string()))
}

/// An orchestrator whose function is part of this program.
pub trait DefinedOrchestrator: Sized + Send + Sync + 'static {
    /// The type of the context.
    type Context: ContextType<Status: StatusType>;
    /// The inputs as a tuple.
    type Inputs: Inputs;
    /// The return type of the function.
    type Return: Outcome<Ok: Payload, Err: Failure>;
    /// [`AnyEvent`] or [`ListedEvents`].
    type Events;
    /// Everything else that is known about the orchestrator.
    const DEFINITION: OrchestratorDefinition<Self>;
}

/// Everything that is known about an orchestrator.
pub struct OrchestratorDefinition<O: DefinedOrchestrator> {
    name: &'static str,
    version: &'static str,
    marker: &'static str,
    location: SourceLocation,
    calls: &'static [CallSite],
    parameters: <O::Inputs as Inputs>::Parameters,
    body: &'static dyn OrchestratorBody,
    events: Option<&'static [EventRegistration]>,
}

/// Creates the definition of an orchestrator, with the location of the caller.
#[track_caller]
pub const fn orchestrator<O: DefinedOrchestrator>(
    name: &'static str,
    version: &'static str,
    marker: &'static str,
    calls: &'static [CallSite],
    parameters: <O::Inputs as Inputs>::Parameters,
    body: &'static dyn OrchestratorBody,
) -> OrchestratorDefinition<O> {
    let location = SourceLocation::here();
    OrchestratorDefinition { name, version, marker, location, calls, parameters, body, events: None }
}

impl<O: DefinedOrchestrator> OrchestratorDefinition<O> {
    /// Restricts the accepted events to these.
    #[must_use]
    pub const fn accepting(mut self, events: &'static [EventRegistration]) -> Self {
        self.events = Some(events);
        self
    }

    pub(crate) fn encode(inputs: O::Inputs) -> EncodedInput {
        inputs.encode(&O::DEFINITION.parameters)
    }
}

impl<O: DefinedOrchestrator> Orchestrator for O {
    type Input = <O::Inputs as Inputs>::Value;
    type Output = <O::Return as Outcome>::Ok;
    type Error = <O::Return as Outcome>::Err;
    type Status = <O::Context as ContextType>::Status;
    const NAME: &'static str = O::DEFINITION.name;
    const VERSION: &'static str = O::DEFINITION.version;
}

impl<O: DefinedOrchestrator> Registered<AsOrchestrator> for O {
    const REGISTRATION: Registration = Registration::Orchestrator(OrchestratorRegistration {
        name: O::DEFINITION.name,
        version: O::DEFINITION.version,
        marker: O::DEFINITION.marker,
        location: O::DEFINITION.location,
        handler: |context, input| O::DEFINITION.body.run(context, input),
        calls: O::DEFINITION.calls,
        events: O::DEFINITION.events,
        check_input: |input| decoded(|| O::Inputs::decode(input, &O::DEFINITION.parameters)).map(drop),
    });
}

/// The orchestrator accepts every event.
#[derive(Debug)]
pub enum AnyEvent {}

/// The orchestrator accepts the events for which it implements `Accepts`.
#[derive(Debug)]
pub enum ListedEvents {}

#[diagnostic::do_not_recommend]
impl<O: DefinedOrchestrator<Events = AnyEvent>, E: ExternalEvent> Accepts<E> for O {}

/// Returns what is recorded as the end of a function.
fn recorded<R: Outcome<Ok: Payload, Err: Failure>>(returned: R) -> Result<JsonText, FailureDetails> {
    match returned.__into_result() {
        Ok(output) => output.__encode().map_err(FailureDetails::from),
        Err(error) => Err(error.__to_details()),
    }
}

macro_rules! plain_value {
    ($name:ident of $trait:ident) => {
        impl<D: $trait> Copy for $name<D> {}
        impl<D: $trait> Clone for $name<D> {
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<D: $trait> fmt::Debug for $name<D> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("name", &self.name).finish_non_exhaustive()
            }
        }
    };
}
plain_value!(ActivityDefinition of DefinedActivity);
plain_value!(OrchestratorDefinition of DefinedOrchestrator);

impl<F, R> fmt::Debug for Body<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}
