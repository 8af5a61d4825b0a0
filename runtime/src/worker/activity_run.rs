//! One run of an activity in the Tokio runtime of the application. Panics are caught, and the end is always reported.

use std::fmt::Debug;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tracing::Span;

use super::meters::RunMeter;
use super::routes::Routes;
use crate::clock::Busy;
use crate::context::{ActivityContext, CancellationToken};
use crate::contract::panic_text;
use crate::contract::{ActivityFailure, kind};
use crate::definition::{ActivityHandler, BoxedActivity};
use crate::model::{FailureDetails, JsonText, PartitionId, TaskId};
use crate::telemetry;

/// The result of an activity, with its types erased.
pub(crate) type ActivityResult = Result<JsonText, ActivityFailure>;

/// The code of activities, by name.
pub(crate) trait ActivityCode: Debug + Send + Sync + 'static {
    /// Returns the code with this name. It creates the future of the activity, and may panic.
    fn find(&self, name: &str) -> Option<ActivityHandler>;

    /// Returns how many runs of the activity there may be at a time, if its attribute says so.
    fn concurrency(&self, name: &str) -> Option<usize>;
}

/// The end of a run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) task: TaskId,
    /// The number of this run of the task, as the table of activities counts.
    pub(crate) run: u64,
    /// The result, or `None` if the run was withdrawn, or dropped before its end because the Tokio runtime is shutting
    /// down.
    pub(crate) result: Option<ActivityResult>,
    /// Whether the run was withdrawn before the code was entered. The table of activities has not counted it since.
    pub(crate) withdrawn: bool,
}

/// A run that can be spawned.
pub(crate) struct ActivityRun {
    pub(crate) code: ActivityHandler,
    pub(crate) context: ActivityContext,
    pub(crate) input: JsonText,
    pub(crate) reporter: Reporter,
    pub(crate) meter: RunMeter,
}

impl ActivityRun {
    /// Runs the activity to its end and reports it. If the future is dropped, before or after its start, this reports
    /// that there is no result.
    pub(crate) async fn run(self) {
        let Self { code, context, input, mut reporter, meter } = self;
        let entry = reporter.token.clone();
        let (of, span) = (context.clone(), Span::none());
        let call = Box::new(move || code(context, input));
        // The first poll of this future is the first poll of the code.
        reporter.result = Contained { entry, call: Some(call), activity: None, of, span, meter }.await;
    }
}

/// The span of a run, in the words of the Durable Task family.
fn span(context: &ActivityContext) -> Span {
    let name = context.activity_name();
    let span = tracing::info_span!(
        target: "persevere::activity",
        "activity",
        otel.name = %format_args!("activity:{name}"),
        otel.kind = "server",
        "durabletask.type" = "activity",
        durabletask.task.name = name,
        durabletask.task.instance_id = %context.instance_id(),
        durabletask.task.task_id = context.task_id().operation.0,
    );
    if let Some(trace) = context.trace_context() {
        telemetry::continue_trace(&span, trace);
    }
    span
}

/// Reports when it is dropped, so that no run ends unnoticed.
pub(crate) struct Reporter {
    task: TaskId,
    run: u64,
    result: Option<ActivityResult>,
    token: CancellationToken,
    /// The partition that owns the task.
    partition: PartitionId,
    routes: Arc<Routes>,
    /// Until the report is in the queue of the thread, the clock of a test must not move.
    _busy: Option<Busy>,
}

impl Reporter {
    pub(crate) fn new(
        task: TaskId,
        run: u64,
        token: CancellationToken,
        partition: PartitionId,
        routes: Arc<Routes>,
        busy: Option<Busy>,
    ) -> Self {
        Self { task, run, result: None, token, partition, routes, _busy: busy }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        // From here on, nobody can withdraw the run any more.
        let withdrawn = !self.token.enter();
        let report = Report { task: self.task, run: self.run, result: self.result.take(), withdrawn };
        self.routes.report(self.partition, report);
    }
}

/// An activity from its call until it is dropped. Every panic becomes a failure.
struct Contained {
    /// Decides whether the code is entered.
    entry: CancellationToken,
    call: Option<Box<dyn FnOnce() -> BoxedActivity + Send>>,
    activity: Option<BoxedActivity>,
    of: ActivityContext,
    /// A run has its span once its code is entered.
    span: Span,
    meter: RunMeter,
}

impl Contained {
    fn poll_activity(&mut self, cx: &mut Context<'_>) -> Poll<Option<ActivityResult>> {
        let call = self.call.take();
        if call.is_some() {
            if !self.entry.enter() {
                return Poll::Ready(None);
            }
            self.span = span(&self.of);
            self.meter.entered();
        }
        let span = self.span.clone();
        let _entered = span.enter();
        if let Some(call) = call {
            self.activity = Some(call());
        }
        let Some(activity) = &mut self.activity else { return Poll::Ready(None) };
        activity.as_mut().poll(cx).map(Some)
    }
}

impl Future for Contained {
    /// `None` if the run was withdrawn before the code was entered.
    type Output = Option<ActivityResult>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ActivityResult>> {
        let this = self.get_mut();
        let result = match catch_unwind(AssertUnwindSafe(|| this.poll_activity(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result,
            Err(payload) => Some(Err(FailureDetails::new(kind::PANIC, panic_text(payload)).into())),
        };
        if let Some(result) = &result {
            this.meter.ended(result.is_err());
        }
        Poll::Ready(result)
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        let (call, activity) = (self.call.take(), self.activity.take());
        let dropped =
            [catch_unwind(AssertUnwindSafe(|| drop(call))), catch_unwind(AssertUnwindSafe(|| drop(activity)))];
        for payload in dropped.into_iter().filter_map(Result::err) {
            // The result stays, because the activity had already ended.
            tracing::error!(parent: &self.span, panic = panic_text(payload), "dropping an activity panicked");
        }
    }
}
