//! What an activity can know about its own run.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{ActivityState, CancellationReason, CancellationToken, MissingState};
use crate::clock::{Clock, SystemClock};
use crate::model::{
    Attempt, Epoch, Execution, InstanceId, InstanceKey, KeyMint, OperationId, PartitionCount, PartitionId, TaskId,
    TraceContext,
};

/// The optional first parameter of an activity, taken by reference. It gives access to the id of the calling instance,
/// an idempotency key, the cancellation token, and the values that the application registered with `.state(value)`.
///
/// Cheap to clone; a clone may be moved into tasks that the activity spawns.
#[derive(Clone)]
pub struct ActivityContext {
    run: Arc<Run>,
}

struct Run {
    store_id: Uuid,
    instance: InstanceId,
    activity: Cow<'static, str>,
    task: TaskId,
    cancellation: CancellationToken,
    state: Arc<ActivityState>,
    trace: Option<TraceContext>,
    attempt: Option<Attempt>,
}

impl ActivityContext {
    pub(crate) fn new(
        store_id: Uuid,
        instance: InstanceId,
        activity: Cow<'static, str>,
        task: TaskId,
        cancellation: CancellationToken,
        state: Arc<ActivityState>,
    ) -> Self {
        Self {
            run: Arc::new(Run { store_id, instance, activity, task, cancellation, state, trace: None, attempt: None }),
        }
    }

    /// Makes the run part of a trace.
    pub(crate) fn in_trace(mut self, trace: Option<TraceContext>) -> Self {
        if let Some(run) = Arc::get_mut(&mut self.run) {
            run.trace = trace;
        }
        self
    }

    /// Sets which attempt of the call this is. It is called before the context is shared.
    pub(crate) fn of_attempt(mut self, attempt: Option<Attempt>) -> Self {
        if let Some(run) = Arc::get_mut(&mut self.run) {
            run.attempt = attempt;
        }
        self
    }

    /// Creates a context for unit tests of activities: `say_hello(&ActivityContext::for_test(), "Tokyo".into()).await`.
    pub fn for_test() -> TestActivityContext {
        let task = TaskId { key: InstanceKey(1), execution: Execution(0), operation: OperationId(1) };
        let instance = KeyMint::new(Epoch(0), PartitionId::FIRST, PartitionCount::ONE).instance_id();
        TestActivityContext(Self::new(
            Uuid::nil(),
            instance,
            "test".into(),
            task,
            CancellationToken::new(),
            Arc::default(),
        ))
    }

    /// Returns the id of the orchestration instance that called this activity.
    pub fn instance_id(&self) -> &InstanceId {
        &self.run.instance
    }

    pub(crate) fn activity_name(&self) -> &str {
        &self.run.activity
    }

    /// Returns the permanent name of this call: key, execution and operation. It is the same in every run of the call.
    pub fn task_id(&self) -> TaskId {
        self.run.task
    }

    /// Returns which attempt of the call this is, counted from 1. It is more than 1 only if the call has a
    /// [`RetryPolicy`](crate::RetryPolicy) and earlier attempts failed.
    ///
    /// A crash of the process can interrupt an attempt. The activity then runs again, and that run has the same number.
    pub fn attempt(&self) -> u32 {
        self.run.attempt.map_or(1, |attempt| attempt.number)
    }

    /// Returns a UUID that is the same in every attempt and every run of this call and different for every other call,
    /// across restarts of the process and of the instance, and across all stores. Pass it to services that remove
    /// duplicates.
    ///
    /// A store that was restored from a backup produces again the keys that it produced after the backup was taken.
    pub fn idempotency_key(&self) -> String {
        let TaskId { key, execution, operation } = self.run.task;
        // All attempts of a call have the key of the first one, so that a service recognises what it has done already.
        let operation = self.run.attempt.map_or(operation, |attempt| attempt.operation);
        // Other systems remember this value, so the way it is computed must never change.
        let name = format!("{}.{}.{}", key.0, execution.0, operation.0);
        Uuid::new_v5(&self.run.store_id, name.as_bytes()).to_string()
    }

    /// Returns the trace to which this run belongs, if the instance was started in one. Pass it on in the headers of
    /// requests, unless the HTTP client does that by itself.
    ///
    /// The parent in it is the span of the turn that called the activity, or that of the start without the feature
    /// `opentelemetry`.
    pub fn trace_context(&self) -> Option<&TraceContext> {
        self.run.trace.as_ref()
    }

    /// Returns the current time in UTC, rounded down to microseconds, by the clock of the runtime. In a test with virtual
    /// time, that is the time of the test.
    ///
    /// Another run of the same call sees a later time. A value that must stay the same belongs in the input.
    ///
    /// # Examples
    /// ```
    /// # use persevere::prelude::*;
    /// #[activity]
    /// async fn is_overdue(cx: &ActivityContext, due: i64) -> Result<bool, ActivityError> {
    ///     Ok(cx.now().timestamp() > due)
    /// }
    /// ```
    pub fn now(&self) -> DateTime<Utc> {
        let now = match self.try_state::<RuntimeClock>() {
            Ok(clock) => clock.0.now(),
            // In a unit test of the activity alone, there is no runtime.
            Err(_) => SystemClock.now(),
        };
        now.to_utc()
    }

    /// Returns the token that says whether this activity should stop, and why.
    pub fn cancellation(&self) -> &CancellationToken {
        &self.run.cancellation
    }

    /// Returns the value of type `T` that the application registered with `.state(value)`.
    ///
    /// # Panics
    /// Panics if no value of this type is registered. The activity then fails with a message that names the type. Use
    /// [`try_state`](Self::try_state) if the value may be missing.
    pub fn state<T: Send + Sync + 'static>(&self) -> &T {
        match self.try_state() {
            Ok(value) => value,
            Err(missing) => panic!("{missing}"),
        }
    }

    /// Returns the value of type `T` that the application registered with `.state(value)`.
    ///
    /// # Errors
    /// Returns [`MissingState`] if no value of this type is registered.
    pub fn try_state<T: Send + Sync + 'static>(&self) -> Result<&T, MissingState> {
        self.run.state.get()
    }
}

impl fmt::Debug for ActivityContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivityContext")
            .field("instance_id", &self.run.instance)
            .field("task_id", &self.run.task)
            .field("cancellation", &self.run.cancellation)
            .finish_non_exhaustive()
    }
}

/// The clock that a runtime registers for its activities besides the values of the application.
#[derive(Debug)]
pub(crate) struct RuntimeClock(pub(crate) Arc<dyn Clock>);

/// An [`ActivityContext`] for unit tests. It can be passed wherever an `&ActivityContext` is expected.
#[derive(Clone, Debug)]
pub struct TestActivityContext(ActivityContext);

impl TestActivityContext {
    /// Sets the instance id.
    #[must_use]
    pub fn with_instance_id(self, instance: InstanceId) -> Self {
        self.with(|run| run.instance = instance)
    }

    /// Sets the number of the attempt, counted from 1.
    #[must_use]
    pub fn with_attempt(self, number: u32) -> Self {
        let operation = self.0.run.task.operation;
        self.with(|run| run.attempt = Some(Attempt { number, operation }))
    }

    /// Adds a value to the registered state.
    #[must_use]
    pub fn with_state<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.with(|run| Arc::make_mut(&mut run.state).insert(value))
    }

    /// Asks the activity to stop.
    pub fn cancel(&self, reason: CancellationReason) {
        self.run.cancellation.cancel(reason);
    }

    fn with(self, change: impl FnOnce(&mut Run)) -> Self {
        let Run { store_id, instance, activity, task, cancellation, state, trace, attempt } = &*self.0.run;
        let mut run = Run {
            store_id: *store_id,
            instance: instance.clone(),
            activity: activity.clone(),
            task: *task,
            cancellation: cancellation.clone(),
            state: Arc::clone(state),
            trace: trace.clone(),
            attempt: *attempt,
        };
        change(&mut run);
        Self(ActivityContext { run: Arc::new(run) })
    }
}

impl Deref for TestActivityContext {
    type Target = ActivityContext;

    fn deref(&self) -> &ActivityContext {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Mailer(&'static str);

    #[test]
    fn b16_idempotency_keys_are_golden_and_differ_between_stores() {
        let task = TaskId { key: InstanceKey(1), execution: Execution(0), operation: OperationId(1) };
        let key = |store| {
            let id = KeyMint::new(Epoch(0), PartitionId::FIRST, PartitionCount::ONE).instance_id();
            ActivityContext::new(Uuid::from_u128(store), id, "a".into(), task, CancellationToken::new(), Arc::default())
                .idempotency_key()
        };
        assert_eq!(key(0), "a664ca17-4c1d-5342-9a16-c9e9aa94e07a");
        assert_ne!(key(1), key(2));
    }

    #[test]
    fn a_test_context_carries_what_the_test_gave() {
        let id = InstanceId::new("order-1").unwrap();
        let cx = ActivityContext::for_test().with_instance_id(id.clone()).with_state(Mailer("smtp"));
        assert_eq!((cx.instance_id(), cx.state::<Mailer>()), (&id, &Mailer("smtp")));
        assert_eq!(cx.idempotency_key(), ActivityContext::for_test().idempotency_key());
        cx.cancel(CancellationReason::Shutdown);
        assert_eq!(cx.cancellation().reason(), Some(CancellationReason::Shutdown));
    }

    #[test]
    fn state_that_is_missing_is_named_with_the_remedy() {
        let error = ActivityContext::for_test().try_state::<Mailer>().unwrap_err();
        assert!(error.to_string().contains("Mailer") && error.to_string().contains(".state("), "{error}");
    }

    #[test]
    #[should_panic(expected = "call `.state(value)`")]
    fn state_that_is_missing_panics_with_the_remedy() {
        ActivityContext::for_test().state::<Mailer>();
    }

    #[test]
    fn a_context_can_be_shared_and_shown() {
        fn shared<T: Clone + Send + Sync + fmt::Debug + 'static>() {}
        shared::<ActivityContext>();
        assert!(format!("{:?}", ActivityContext::for_test()).contains("task_id"));
    }
}
