//! One run of one activity, in the application's Tokio runtime: panics contained, its end always reported.

use std::any::Any;
use std::borrow::Cow;
use std::fmt::Debug;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tracing::Span;

use super::routes::Routes;
use crate::context::ActivityContext;
use crate::contract::kind;
use crate::definition::BoxedActivity;
use crate::model::{FailureDetails, JsonText, PartitionId, TaskId};

/// What an activity returns, without its types.
pub(crate) type ActivityResult = Result<JsonText, FailureDetails>;

/// The code of activities, by name.
pub(crate) trait ActivityCode: Debug + Send + Sync + 'static {
    /// Whether there is code of this name.
    fn knows(&self, name: &str) -> bool;

    /// Makes the future of the activity; `None` when there is no code of this name. May panic.
    fn call(&self, name: &str, context: ActivityContext, input: JsonText) -> Option<BoxedActivity>;
}

/// The end of a run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) task: TaskId,
    /// Which run of the task, as the table of activities counts.
    pub(crate) run: u64,
    /// `None` when it was dropped before its end: the Tokio runtime is going.
    pub(crate) result: Option<ActivityResult>,
}

/// A run that may be spawned.
pub(crate) struct ActivityRun {
    pub(crate) code: Arc<dyn ActivityCode>,
    pub(crate) context: ActivityContext,
    pub(crate) name: Cow<'static, str>,
    pub(crate) input: JsonText,
    pub(crate) reporter: Reporter,
}

impl ActivityRun {
    /// Runs to the end and reports it. Dropping it, before or after the start, reports that there was none.
    pub(crate) async fn run(self) {
        let span = tracing::info_span!(
            "activity",
            name = &*self.name,
            instance = %self.context.instance_id(),
            operation = self.context.task_id().operation.0
        );
        let Self { code, context, name, input, mut reporter } = self;
        let call = Box::new(move || code.call(&name, context, input));
        reporter.result = Some(Contained { call: Some(call), activity: None, span }.await);
    }
}

/// Reports when it is dropped, so that no way out of a run is silent.
pub(crate) struct Reporter {
    task: TaskId,
    run: u64,
    result: Option<ActivityResult>,
    /// The owner of the task.
    partition: PartitionId,
    routes: Arc<Routes>,
}

impl Reporter {
    pub(crate) fn new(task: TaskId, run: u64, partition: PartitionId, routes: Arc<Routes>) -> Self {
        Self { task, run, result: None, partition, routes }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        let report = Report { task: self.task, run: self.run, result: self.result.take() };
        self.routes.report(self.partition, report);
    }
}

/// An activity from its call to its drop, with every panic turned into a failure.
struct Contained {
    call: Option<Box<dyn FnOnce() -> Option<BoxedActivity> + Send>>,
    activity: Option<BoxedActivity>,
    span: Span,
}

impl Contained {
    fn poll_activity(&mut self, cx: &mut Context<'_>) -> Poll<ActivityResult> {
        if let Some(call) = self.call.take() {
            self.activity = call();
        }
        match &mut self.activity {
            Some(activity) => activity.as_mut().poll(cx),
            // The table starts only what the code knows.
            None => Poll::Ready(Err(FailureDetails::new(kind::NOT_REGISTERED, "there is no code of this name"))),
        }
    }
}

impl Future for Contained {
    type Output = ActivityResult;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ActivityResult> {
        let this = self.get_mut();
        let span = this.span.clone();
        let _entered = span.enter();
        match catch_unwind(AssertUnwindSafe(|| this.poll_activity(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => Poll::Ready(result),
            Err(payload) => {
                let failure = FailureDetails::new(kind::PANIC, panic_message(&*payload));
                tracing::warn!(%failure, "the activity panicked");
                Poll::Ready(Err(failure))
            }
        }
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        let dropped = catch_unwind(AssertUnwindSafe(|| (self.call.take(), self.activity.take())));
        if let Err(payload) = dropped {
            // Its result stands: it had ended before.
            tracing::error!(parent: &self.span, panic = panic_message(&*payload), "dropping an activity panicked");
        }
    }
}

/// The text of a panic.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".to_owned())
}
