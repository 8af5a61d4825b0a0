//! Calls of activities, and calls of orchestrators as attached sub-orchestrations.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use super::durable::{Durable, sealed::Sealed};
use super::journal::Journal;
use super::leaf::Leaf;
use super::operations::Awaits;
use super::{Context, Retriable, Retry, Timer};
use crate::contract::{Activity, CallError, Failure, Orchestrator, Payload, RetryPolicy, decoded};
use crate::model::{
    Action, Attempt, EncodeError, FailureDetails, IdReusePolicy, InstanceId, JsonText, OperationId, ParentClosePolicy,
    RecordedLocation,
};

/// A call of an activity: `say_hello::call(&ctx, ..)`. It is issued at its first poll, or by
/// [`ActivityCall::schedule`].
#[must_use = "a call does nothing unless it is awaited or scheduled"]
pub struct ActivityCall<A: Activity> {
    leaf: Leaf,
    input: Option<Result<JsonText, EncodeError>>,
    /// The input of a call that was issued by `schedule`, for further attempts.
    scheduled: Option<JsonText>,
    attempt: Option<Attempt>,
    /// Whether this is one attempt, to which the policy of the activity does not apply.
    single: bool,
    /// The attempts as the policy of the activity says, from the first poll on.
    attempts: Option<Box<Retry<Self>>>,
    types: PhantomData<fn() -> A>,
}

/// A call of one orchestrator by another: `ship_order::call(&ctx, ..)`. It is issued at its first poll, or by
/// [`SubOrchestrationCall::schedule`].
///
/// Dropping the call terminates the sub-orchestration, once that is durable: when the call loses a `select!`, when its
/// `.timeout(..)` passes, and when the code returns. With [`detach`](SubOrchestrationCall::detach) or
/// [`ParentClosePolicy::Abandon`], it goes on, and its result is ignored.
#[must_use = "a call does nothing unless it is awaited or scheduled"]
pub struct SubOrchestrationCall<O: Orchestrator> {
    pub(super) leaf: Leaf,
    pub(super) input: Option<Result<JsonText, EncodeError>>,
    pub(super) instance: Option<InstanceId>,
    pub(super) version: Option<String>,
    pub(super) on_existing: IdReusePolicy,
    pub(super) on_close: ParentClosePolicy,
    /// The sub-orchestration, if the call was issued.
    pub(super) issued: Option<InstanceId>,
    /// The input of a call that was issued by `schedule`, for further attempts.
    scheduled: Option<JsonText>,
    types: PhantomData<fn() -> O>,
}

impl<A: Activity> ActivityCall<A> {
    #[track_caller]
    pub(crate) fn new(ctx: &Context, input: Result<JsonText, EncodeError>) -> Self {
        Self::of(Leaf::new(ctx), Some(input), A::RETRY.is_none())
    }

    fn of(leaf: Leaf, input: Option<Result<JsonText, EncodeError>>, single: bool) -> Self {
        Self { leaf, input, scheduled: None, attempt: None, single, attempts: None, types: PhantomData }
    }

    /// Returns the attempts that the policy of the activity asks for, if it has one and the call has none.
    fn attempts(&mut self) -> Option<&mut Retry<Self>> {
        if self.single {
            return None;
        }
        let policy = A::RETRY?;
        if self.attempts.is_none() {
            let empty = Self::of(self.leaf.again(), None, false);
            let first = std::mem::replace(self, empty);
            self.attempts = Some(Box::new(first.retry(policy)));
        }
        self.attempts.as_deref_mut()
    }

    /// Issues the call now, so that the activity runs while the orchestrator does something else. Await the call later
    /// to get the result. Dropping it before that cancels the activity.
    ///
    /// # Determinism
    /// The operation is recorded here instead of at the first poll.
    pub fn schedule(mut self) -> Self {
        // An input that was refused stays here and is reported when the call is awaited.
        if let Some(Ok(input)) = self.input.take_if(|input| input.is_ok()) {
            self.scheduled = Some(input.clone());
            self.input = issue_task::<A>(&mut self.leaf, input, self.attempt).err().map(Ok);
        }
        self
    }

    /// Tries the call again when it fails, as the policy says. Write a time limit for all attempts together after it:
    /// `.retry(policy).timeout(&ctx, duration)`.
    ///
    /// Each attempt is a call of its own, so a late result of an earlier attempt cannot complete a later one. The wait
    /// between two attempts is a durable timer. A call that succeeds at once costs nothing more than a call without a
    /// policy; each further attempt costs a timer and a call.
    ///
    /// The activity sees the number of the attempt as [`ActivityContext::attempt`](crate::ActivityContext::attempt), and its
    /// [idempotency key](crate::ActivityContext::idempotency_key) is the same in each attempt.
    ///
    /// # Determinism
    /// Attempts and timers are recorded. The waits depend on recorded times and on [`Context::random`], so a replay repeats
    /// them.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use persevere::prelude::*;
    ///
    /// #[activity]
    /// async fn fetch(url: String) -> Result<String, ActivityError> {
    ///     Ok(url)
    /// }
    ///
    /// #[orchestrator]
    /// async fn read(ctx: OrchestrationContext, url: String) -> Result<String, OrchestrationError> {
    ///     let policy = RetryPolicy::attempts(5).first_interval(Duration::from_secs(1)).coefficient(2.0);
    ///     Ok(fetch::call(&ctx, url).retry(policy).await?)
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// A policy in the attribute, `#[activity(retry(attempts = 5))]`, applies to every call without one of its own.
    pub fn retry(mut self, policy: RetryPolicy) -> Retry<Self> {
        self.single = true;
        let call = self.__again();
        Retry::new(self, call, policy)
    }
}

/// Issues the call of an activity. Returns the input as an error if it exceeds the limits of the turn.
fn issue_task<A: Activity>(leaf: &mut Leaf, input: JsonText, attempt: Option<Attempt>) -> Result<(), JsonText> {
    if leaf.admit(input.len()).is_err() {
        return Err(input);
    }
    // If the journal is halted, the turn is given up and nobody asks for the result.
    let _ = leaf.issue(Awaits::Task, |operation, location| Action::ScheduleTask {
        operation,
        name: A::NAME.into(),
        input,
        attempt,
        location,
    });
    Ok(())
}

#[diagnostic::do_not_recommend]
impl<A: Activity> Retriable for ActivityCall<A> {
    type Failed = CallError<A::Error>;

    fn __ctx(&self) -> &Context {
        self.leaf.ctx()
    }

    fn __again(&self) -> Self {
        let input = self.input.clone().or_else(|| self.scheduled.clone().map(Ok));
        Self::of(self.leaf.again(), input, true)
    }

    fn __operation(&self) -> Option<OperationId> {
        self.leaf.operation()
    }

    fn __attempt(&mut self, attempt: Attempt) {
        self.attempt = Some(attempt);
    }

    fn __timer(&self, wait: Duration, next: Option<Attempt>) -> Timer {
        Timer::before_attempt(self.leaf.again(), wait, next)
    }

    fn __failed(output: &Self::Output) -> Option<(&Self::Failed, &FailureDetails)> {
        output.as_ref().err().map(|error| (error, error.details()))
    }
}

impl<A: Activity> Future for ActivityCall<A> {
    type Output = Result<A::Output, CallError<A::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(attempts) = this.attempts() {
            return Pin::new(attempts).poll(cx);
        }
        if let Some(input) = this.input.take() {
            let issued = admitted(&this.leaf, input).map(|input| issue_task::<A>(&mut this.leaf, input, this.attempt));
            if let Err(failure) = issued {
                this.leaf.finish();
                return Poll::Ready(Err(CallError::from_details(failure)));
            }
        }
        poll_result(&mut this.leaf, format_args!("activity `{}`", A::NAME))
    }
}

fn admitted(leaf: &Leaf, input: Result<JsonText, EncodeError>) -> Result<JsonText, FailureDetails> {
    let input = input?;
    leaf.admit(input.len())?;
    Ok(input)
}

fn poll_result<T: Payload, E: Failure>(leaf: &mut Leaf, callee: fmt::Arguments<'_>) -> Poll<Result<T, CallError<E>>> {
    let result = match leaf.take_result() {
        None => return Poll::Pending,
        Some(Ok(text)) => decoded(|| T::__decode(&text)).map(Ok).map_err(|error| ("result", error)),
        Some(Err(failure)) => CallError::decode_details(&failure).map(Err).map_err(|error| ("error", error)),
    };
    match result {
        Ok(result) => Poll::Ready(result),
        Err((what, error)) => {
            leaf.cannot_decode(format_args!("the {what} of {callee}"), error);
            Poll::Pending
        }
    }
}

impl<O: Orchestrator> SubOrchestrationCall<O> {
    #[track_caller]
    pub(crate) fn new(ctx: &Context, input: Result<JsonText, EncodeError>) -> Self {
        Self {
            leaf: Leaf::new(ctx),
            input: Some(input),
            instance: None,
            version: None,
            on_existing: IdReusePolicy::Reject,
            on_close: ParentClosePolicy::default(),
            issued: None,
            scheduled: None,
            types: PhantomData,
        }
    }

    /// Sets the instance id of the sub-orchestration. Without it, the engine creates a unique id.
    ///
    /// The call fails if the id is in use, unless [`on_existing`](Self::on_existing) says otherwise.
    pub fn instance_id(mut self, id: InstanceId) -> Self {
        self.instance = Some(id);
        self
    }

    /// Sets what happens if the instance id is in use. By default, the call fails ([`IdReusePolicy::Reject`]).
    ///
    /// - [`IdReusePolicy::ReplaceEnded`] starts a new instance in place of an ended one. Use it for a fixed id in a loop,
    ///   and for a parent that may be started again under its own id.
    /// - [`IdReusePolicy::Attach`] uses an instance that was started with the same name, version and input: the call
    ///   returns its result, immediately if it has ended. Use it for work that must be done once.
    ///
    /// With both, the call waits for a running instance that was started with the same name, version and input, whoever
    /// started it. That instance stays with its own parent, if it has one. The call fails if the instance that has the
    /// id was started differently, and with `ReplaceEnded` has not ended.
    ///
    /// # Determinism
    /// The policy is recorded with the call.
    ///
    /// # Examples
    /// ```
    /// use persevere::prelude::*;
    /// use persevere::InstanceId;
    ///
    /// #[orchestrator]
    /// async fn report(ctx: OrchestrationContext, day: u32) -> Result<u32, OrchestrationError> {
    ///     let _ = ctx;
    ///     Ok(day)
    /// }
    ///
    /// #[orchestrator]
    /// async fn reports(ctx: OrchestrationContext, days: u32) -> Result<(), OrchestrationError> {
    ///     for day in 0..days {
    ///         let id = InstanceId::new("report")?;
    ///         report::call(&ctx, day).instance_id(id).on_existing(IdReusePolicy::ReplaceEnded).await?;
    ///     }
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    pub fn on_existing(mut self, policy: IdReusePolicy) -> Self {
        self.on_existing = policy;
        self
    }

    /// Sets the version of the orchestrator. The default is the version that this code was compiled with.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Issues the call now, as [`ActivityCall::schedule`] does.
    pub fn schedule(mut self) -> Self {
        if let Some(Ok(input)) = &self.input
            && self.leaf.admit(input.len()).is_ok()
        {
            self.scheduled = Some(input.clone());
            self.issue();
        }
        self
    }

    /// Tries the call again when the sub-orchestration fails, as [`ActivityCall::retry`] does. Each attempt is a new
    /// instance. If the call sets an [instance id](Self::instance_id), set it before this; the instance of a later attempt
    /// then replaces the failed one.
    pub fn retry(self, policy: RetryPolicy) -> Retry<Self> {
        let call = self.__again();
        Retry::new(self, call, policy)
    }

    fn issue(&mut self) {
        let Some(Ok(input)) = self.input.take() else { return };
        let (instance, version, on_existing) = (self.instance.clone(), self.version.clone(), self.on_existing);
        let ctx = self.leaf.ctx().clone();
        let on_close = Some(self.on_close);
        let issued = self.leaf.issue(Awaits::Child(on_close), |operation, location| {
            let options = StartOptions { instance, version, on_existing, on_close };
            start_action::<O>(&ctx, operation, location, input, options)
        });
        if let Ok(Some(Action::StartSubOrchestration { instance, .. })) = issued {
            self.issued = Some(instance);
        }
    }
}

#[diagnostic::do_not_recommend]
impl<O: Orchestrator> Retriable for SubOrchestrationCall<O> {
    type Failed = CallError<O::Error>;

    fn __ctx(&self) -> &Context {
        self.leaf.ctx()
    }

    fn __again(&self) -> Self {
        Self {
            leaf: self.leaf.again(),
            input: self.input.clone().or_else(|| self.scheduled.clone().map(Ok)),
            instance: self.instance.clone(),
            version: self.version.clone(),
            on_existing: self.on_existing,
            on_close: self.on_close,
            issued: None,
            scheduled: None,
            types: PhantomData,
        }
    }

    fn __operation(&self) -> Option<OperationId> {
        self.leaf.operation()
    }

    fn __attempt(&mut self, _: Attempt) {
        // The id is that of the instance that failed before. Whoever else had it made the first attempt fail for good.
        self.on_existing = IdReusePolicy::ReplaceEnded;
    }

    fn __timer(&self, wait: Duration, next: Option<Attempt>) -> Timer {
        Timer::before_attempt(self.leaf.again(), wait, next)
    }

    fn __failed(output: &Self::Output) -> Option<(&Self::Failed, &FailureDetails)> {
        output.as_ref().err().map(|error| (error, error.details()))
    }
}

/// What a caller may choose for a sub-orchestration.
pub(super) struct StartOptions {
    pub(super) instance: Option<InstanceId>,
    pub(super) version: Option<String>,
    pub(super) on_existing: IdReusePolicy,
    /// `None`: the code does not wait for the sub-orchestration.
    pub(super) on_close: Option<ParentClosePolicy>,
}

fn start_action<O: Orchestrator>(
    ctx: &Context,
    operation: OperationId,
    location: RecordedLocation,
    input: JsonText,
    options: StartOptions,
) -> Action {
    let StartOptions { instance, version, on_existing, on_close } = options;
    let minted = instance.is_none();
    let mint = || ctx.facts().mint.instance_id();
    Action::StartSubOrchestration {
        operation,
        name: O::NAME.to_owned(),
        version: Some(version.unwrap_or_else(|| O::VERSION.to_owned())),
        instance: instance.unwrap_or_else(mint),
        minted,
        input,
        detached: on_close.is_none(),
        on_existing,
        on_close,
        location,
    }
}

impl<O: Orchestrator> Future for SubOrchestrationCall<O> {
    type Output = Result<O::Output, CallError<O::Error>>;

    fn poll(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(input) = this.input.take() {
            match admitted(&this.leaf, input) {
                Ok(input) => {
                    this.input = Some(Ok(input));
                    this.issue();
                }
                Err(failure) => {
                    this.leaf.finish();
                    return Poll::Ready(Err(CallError::from_details(failure)));
                }
            }
        }
        poll_result(&mut this.leaf, format_args!("orchestrator `{}`", O::NAME))
    }
}

/// The reason why an event or a start was not sent. Nothing was recorded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The value cannot be written as JSON. Change its type.
    #[error("the value cannot be stored")]
    Encode(#[source] EncodeError),
    /// The value exceeds the limit, or the turn issues too many operations. Send a reference instead of the data, or
    /// await something before the next operation.
    #[error(transparent)]
    Limit(FailureDetails),
}

/// Starts an orchestration without waiting for it, and returns its id.
#[track_caller]
pub(crate) fn start_detached<O: Orchestrator>(
    ctx: &Context,
    input: Result<JsonText, EncodeError>,
) -> Result<InstanceId, SendError> {
    let location = RecordedLocation::caller();
    let input = input.map_err(SendError::Encode)?;
    let options = StartOptions { instance: None, version: None, on_existing: IdReusePolicy::Reject, on_close: None };
    start_now::<O>(ctx, location, input, options)
}

/// Starts an orchestration without waiting for it, and returns its id.
pub(super) fn start_now<O: Orchestrator>(
    ctx: &Context,
    location: RecordedLocation,
    input: JsonText,
    options: StartOptions,
) -> Result<InstanceId, SendError> {
    let mut journal = ctx.turn();
    journal.admit(input.len()).map_err(SendError::Limit)?;
    let action = |operation| start_action::<O>(ctx, operation, location, input, options);
    match journal.issue(None, action) {
        Ok((_, Action::StartSubOrchestration { instance, .. })) => Ok(instance),
        _ => give_up(journal),
    }
}

impl Context {
    /// Sends an event to another instance. The event arrives once, after the commit of this turn. If the target does
    /// not exist or has ended, the event is dropped.
    ///
    /// # Errors
    /// Returns [`SendError::Encode`] if the payload cannot be written as JSON, and [`SendError::Limit`] if it is too
    /// large.
    ///
    /// # Determinism
    /// The event is recorded with this turn. Replay sends nothing.
    #[track_caller]
    pub fn send_event<E: crate::contract::ExternalEvent>(
        &self,
        target: &InstanceId,
        event: &E,
    ) -> Result<(), SendError> {
        let location = RecordedLocation::caller();
        let payload = event.__encode().map_err(SendError::Encode)?;
        let mut journal = self.turn();
        journal.admit(payload.len()).map_err(SendError::Limit)?;
        let (target, name) = (target.clone(), E::NAME.to_owned());
        match journal.issue(None, |operation| Action::SendEvent { operation, target, name, payload, location }) {
            Ok(_) => Ok(()),
            Err(_) => give_up(journal),
        }
    }
}

/// Leaves the code by unwinding. The journal is halted and knows why, and there is no value to return.
pub(super) fn give_up(journal: std::sync::MutexGuard<'_, Journal>) -> ! {
    drop(journal);
    std::panic::resume_unwind(Box::new(GivenUp))
}

/// What code unwinds with when its turn is given up. This is not a panic of the application.
#[derive(Debug)]
pub(crate) struct GivenUp;

impl<A: Activity> Sealed for ActivityCall<A> {}
#[diagnostic::do_not_recommend]
impl<A: Activity> Durable for ActivityCall<A> {}

impl<O: Orchestrator> Sealed for SubOrchestrationCall<O> {}
#[diagnostic::do_not_recommend]
impl<O: Orchestrator> Durable for SubOrchestrationCall<O> {}

impl<A: Activity> fmt::Debug for ActivityCall<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivityCall")
            .field("name", &A::NAME)
            .field("issued", &self.leaf.is_issued())
            .finish_non_exhaustive()
    }
}

impl<O: Orchestrator> fmt::Debug for SubOrchestrationCall<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubOrchestrationCall")
            .field("name", &O::NAME)
            .field("issued", &self.leaf.is_issued())
            .finish_non_exhaustive()
    }
}
