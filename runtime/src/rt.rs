//! What generated code calls: the only path that the macros name. No part of the public interface.

use std::future::Future;

pub use core;
pub use core::option::Option::{None, Some};
pub use core::pin::pin;
pub use core::result::Result::{Err, Ok};
pub use inventory;
pub use serde;

pub use crate::client::{Client, StartOrchestration};
pub use crate::context::{
    ActivityCall, ActivityContext, AwaitCheck, Block, Context, ContinueAsNew, Durable, Either, EventWait, Join,
    JoinBranch, JoinBranches, JoinEnd, Never, Select, SelectBranch, SelectBranches, SelectEnd, SubOrchestrationCall,
    TryJoin, TryJoinBranches, assume_durable_future, block, join, join_all, join_all_limit, join_branch, join_end,
    nondeterministic_value, output_of, select, select_branch, select_end, try_join, try_join_all,
};
pub use crate::contract::{
    Accepts, Activity, ActivityContextType, ActivityError, ActivityHandler, ActivityRegistration, BoxedActivity,
    BoxedOrchestration, CallSite, ContextType, ExternalEvent, NoStatus, OrchestrationError, Orchestrator,
    OrchestratorHandler, OrchestratorRegistration, Outcome, Payload, Registered, Registration, ServiceType,
    SourceLocation, WaitCheck,
};
pub use crate::skeleton::{assert_skeleton, diagram};
pub use std::string::String;

pub use crate::model::failure::FailureDetails;
pub use crate::model::json::{DecodeError, EncodeError, JsonText};

use crate::contract::Failure;
use crate::model::ids::InstanceId;

#[cfg(feature = "macros")]
pub use crate::{join, select, try_join};
#[cfg(feature = "macros")]
pub use persevere_macros::{__declare_activity, __declare_orchestrator, __join, __select, __try_join};

/// The checks that an attribute turned off: generated code shows them where they would have applied.
#[derive(Debug)]
pub struct AllowedChecks(pub &'static [&'static str]);

/// An encoded input, or why there is none. The operation that takes it reports the error.
pub type Input = Result<JsonText, EncodeError>;

/// What starting a detached orchestration gives at once.
pub type DetachedStart = Result<InstanceId, crate::context::SendError>;

/// The input of a function without parameters.
pub fn encode_none() -> Input {
    Ok(JsonText::null())
}

/// How a parameter is stored and read. Both sides of it ask for it in the same words, so that a type that cannot be
/// stored gives one error.
#[derive(Debug)]
pub struct Codec<T> {
    encode: fn(&T) -> Input,
    decode: fn(&JsonText) -> Result<T, DecodeError>,
}

/// The codec of a parameter.
pub fn codec<T: Payload>() -> Codec<T> {
    Codec { encode: T::__encode, decode: T::__decode }
}

impl<T> Codec<T> {
    /// The input of a function with one parameter: its JSON value.
    #[allow(clippy::needless_pass_by_value, reason = "the parameter ends here, as it would in the function")]
    pub fn encode(self, value: T) -> Input {
        (self.encode)(&value)
    }
}

/// The input of a function with several parameters: a JSON array.
pub fn encode_many<const N: usize>(values: [Input; N]) -> Input {
    let mut text = String::from("[");
    for (place, value) in values.into_iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(value?.as_str());
    }
    text.push(']');
    Ok(JsonText::from_string(text))
}

/// Reads a stored input parameter by parameter.
#[derive(Debug)]
pub struct InputReader {
    values: std::vec::IntoIter<JsonText>,
}

impl InputReader {
    /// Opens the input of a function with so many parameters. A caller in another language may leave out the last ones.
    pub fn open(input: &JsonText, parameters: usize) -> Result<Self, DecodeError> {
        let values = match parameters {
            0 => Vec::new(),
            1 => vec![input.clone()],
            _ => input.decode::<Vec<JsonText>>()?,
        };
        if values.len() > parameters {
            let found = values.len();
            return Err(DecodeError(format!("the input has {found} values, and the code takes {parameters}")));
        }
        Ok(Self { values: values.into_iter() })
    }

    /// The value of the next parameter; `null` where it was left out.
    #[allow(clippy::needless_pass_by_value, reason = "made for this one call")]
    pub fn next<T>(&mut self, codec: Codec<T>, parameter: &str) -> Result<T, DecodeError> {
        let text = self.values.next().unwrap_or_else(JsonText::null);
        (codec.decode)(&text).map_err(|error| DecodeError(format!("parameter `{parameter}`: {error}")))
    }
}

/// What is recorded of the end of an activity.
pub fn activity_result<A: Activity>(result: Result<A::Output, A::Error>) -> Result<JsonText, FailureDetails> {
    recorded(result)
}

/// What is recorded of the end of an orchestrator.
pub fn orchestration_result<O: Orchestrator>(result: Result<O::Output, O::Error>) -> Result<JsonText, FailureDetails> {
    recorded(result)
}

fn recorded<T: Payload, E: Failure>(result: Result<T, E>) -> Result<JsonText, FailureDetails> {
    match result {
        Ok(output) => output.__encode().map_err(FailureDetails::from),
        Err(error) => Err(error.__to_details()),
    }
}

/// Erases the types of an activity's future. The only place that asks it to be `Send`.
pub fn erase_activity(
    future: impl Future<Output = Result<JsonText, FailureDetails>> + Send + 'static,
) -> BoxedActivity {
    Box::pin(future)
}

/// Erases the types of an orchestrator's future. The only place that asks it to be `Send`.
pub fn erase_orchestration<F: Future + Send + 'static>(
    future: F,
    record: fn(F::Output) -> Result<JsonText, FailureDetails>,
) -> BoxedOrchestration {
    Box::pin(async move { record(future.await) })
}

/// The context in the type that the activity's first parameter names.
pub fn activity_context<T: ActivityContextType>(context: &ActivityContext) -> &T {
    T::__from_context(context)
}

/// The value of which the activity is a method.
pub fn service<T: Send + Sync + 'static>(context: &ActivityContext) -> Result<&T, FailureDetails> {
    context.try_state().map_err(|missing| FailureDetails::new("MissingState", missing.to_string()))
}

/// `#[activity]`'s `call`.
#[track_caller]
pub fn call_activity<A: Activity>(ctx: &Context, input: Input) -> ActivityCall<A> {
    ActivityCall::new(ctx, input)
}

/// `#[orchestrator]`'s `call`.
#[track_caller]
pub fn call_orchestrator<O: Orchestrator>(ctx: &Context, input: Input) -> SubOrchestrationCall<O> {
    SubOrchestrationCall::new(ctx, input)
}

/// `#[orchestrator]`'s `continue_as_new`.
#[track_caller]
pub fn continue_as_new<O: Orchestrator>(ctx: &Context, input: Input) -> ContinueAsNew<O> {
    ContinueAsNew::new(ctx, input)
}

/// `#[orchestrator]`'s `start_detached`.
#[track_caller]
pub fn start_detached<O: Orchestrator>(ctx: &Context, input: Input) -> DetachedStart {
    crate::context::start_detached::<O>(ctx, input)
}

/// `#[orchestrator]`'s `start`.
pub fn start<O: Orchestrator>(client: &Client, input: Input) -> StartOrchestration<O> {
    StartOrchestration::new(client, input)
}

/// `#[external_event]`'s `wait`.
#[track_caller]
pub fn wait_event<E: ExternalEvent>(ctx: &Context) -> EventWait<E> {
    EventWait::new(ctx)
}

/// Says in `events(..)` that a type is an event.
pub fn is_event<E: ExternalEvent>() {}

/// Says that a future in `join!` or `select!` is durable, at its own place in the source.
pub fn durable<F: Durable>(future: F) -> F {
    future
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str, parameters: usize) -> Result<InputReader, DecodeError> {
        InputReader::open(&JsonText::from_string(input.to_owned()), parameters)
    }

    #[test]
    fn one_input_is_its_value_several_are_an_array_none_is_null() {
        assert_eq!(encode_none().unwrap().as_str(), "null");
        assert_eq!(codec().encode(vec![1, 2]).unwrap().as_str(), "[1,2]");
        let several = encode_many([codec().encode("a\"b".to_owned()), codec().encode(None::<u8>)]).unwrap();
        assert_eq!(several.as_str(), r#"["a\"b",null]"#);
        let mut reader = InputReader::open(&several, 2).unwrap();
        assert_eq!(reader.next(codec::<String>(), "a"), Ok("a\"b".to_owned()));
        assert_eq!(reader.next(codec::<Option<u8>>(), "b"), Ok(None));
    }

    #[test]
    fn an_input_that_cannot_be_encoded_is_the_error_of_the_whole() {
        let bad = codec().encode(std::collections::BTreeMap::from([((1, 2), 3)]));
        assert!(bad.is_err());
        assert!(encode_many([codec().encode(1), bad]).is_err());
    }

    #[test]
    fn foreign_callers_may_leave_out_optional_inputs_at_the_end() {
        let mut reader = read("[1]", 2).unwrap();
        assert_eq!(reader.next(codec::<u8>(), "a"), Ok(1));
        assert_eq!(reader.next(codec::<Option<u8>>(), "b"), Ok(None));
        let mut reader = read("[1]", 2).unwrap();
        let _ = reader.next(codec::<u8>(), "a");
        let error = reader.next(codec::<u8>(), "b").unwrap_err();
        assert!(error.0.starts_with("parameter `b`: "), "{error}");
        assert_eq!(read("null", 1).unwrap().next(codec::<Option<u8>>(), "a"), Ok(None));
        assert!(read("\"whatever\"", 0).is_ok());
    }

    #[test]
    fn inputs_of_another_shape_are_refused() {
        assert!(read("{\"a\":1}", 2).is_err());
        assert_eq!(read("[1,2,3]", 2).unwrap_err().0, "the input has 3 values, and the code takes 2");
    }
}
