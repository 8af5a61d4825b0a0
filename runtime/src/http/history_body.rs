//! The history in the form that clients of Durable Functions read.
//!
//! An event that completes an operation also contains what was scheduled, and the scheduling event is then left out.
//! Turns, operation numbers and everything that Durable Functions does not know (waits for events, side effects,
//! patches, cancellations) are left out too.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::status_body::Embedded;
use crate::{FailureDetails, HistoryEvent, HistoryEventKind, JsonText, RuntimeStatus};

/// Which parts of the history are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct HistoryView {
    pub(super) show_input: bool,
    pub(super) show_output: bool,
}

/// One event. Fields without a value are not written.
#[derive(Serialize, Default)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EventBody<'a> {
    event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_details: Option<FailureBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fire_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Embedded<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orchestration_status: Option<RuntimeStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Embedded<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_time: Option<String>,
    timestamp: String,
}

/// A failure without its stack trace.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FailureBody<'a> {
    error_type: &'a str,
    error_message: &'a str,
    inner_failure: Option<Box<FailureBody<'a>>>,
    is_non_retriable: bool,
}

impl<'a> FailureBody<'a> {
    fn new(details: &'a FailureDetails) -> Self {
        Self {
            error_type: details.error_type(),
            error_message: details.message(),
            inner_failure: details.inner().map(|inner| Box::new(Self::new(inner))),
            is_non_retriable: details.is_non_retriable(),
        }
    }
}

/// What is known about an operation when it completes.
struct Scheduled<'a> {
    time: DateTime<Utc>,
    name: &'a str,
    input: &'a JsonText,
}

/// What was scheduled, by the number of the operation.
#[derive(Default)]
struct Operations<'a> {
    scheduled: BTreeMap<u32, Scheduled<'a>>,
    timers: BTreeMap<u32, DateTime<Utc>>,
    settled: BTreeSet<u32>,
}

impl<'a> Operations<'a> {
    fn of(events: &'a [HistoryEvent]) -> Self {
        use HistoryEventKind as Kind;
        let mut operations = Self::default();
        for HistoryEvent { timestamp, kind, .. } in events {
            match kind {
                Kind::TaskScheduled { event_id, name, input, .. }
                | Kind::SubOrchestrationInstanceCreated { event_id, name, input, .. } => {
                    operations.scheduled.insert(*event_id, Scheduled { time: *timestamp, name, input });
                }
                Kind::TimerCreated { event_id, fire_at, .. } => {
                    operations.timers.insert(*event_id, *fire_at);
                }
                Kind::TaskCompleted { task_scheduled_id, .. }
                | Kind::TaskFailed { task_scheduled_id, .. }
                | Kind::SubOrchestrationInstanceCompleted { task_scheduled_id, .. }
                | Kind::SubOrchestrationInstanceFailed { task_scheduled_id, .. } => {
                    operations.settled.insert(*task_scheduled_id);
                }
                _ => {}
            }
        }
        operations
    }
}

impl HistoryView {
    /// Returns the events of a history in order.
    pub(super) fn events(self, events: &[HistoryEvent]) -> Vec<EventBody<'_>> {
        let operations = Operations::of(events);
        events.iter().filter_map(|event| self.event(&operations, event)).collect()
    }

    fn event<'a>(self, operations: &Operations<'a>, event: &'a HistoryEvent) -> Option<EventBody<'a>> {
        use HistoryEventKind as Kind;
        let body = |event_type| EventBody { event_type, timestamp: time(event.timestamp), ..EventBody::default() };
        Some(match &event.kind {
            Kind::ExecutionStarted { name, input, scheduled_start_time, .. } => EventBody {
                function_name: Some(name),
                input: self.input(input),
                scheduled_start_time: scheduled_start_time.map(time),
                ..body("ExecutionStarted")
            },
            Kind::TaskScheduled { event_id, name, input, .. } if !operations.settled.contains(event_id) => {
                EventBody { name: Some(name), input: self.input(input), ..body("TaskScheduled") }
            }
            Kind::SubOrchestrationInstanceCreated { event_id, name, input, instance_id, .. }
                if !operations.settled.contains(event_id) =>
            {
                EventBody {
                    name: Some(name),
                    input: self.input(input),
                    instance_id: Some(instance_id.as_str()),
                    ..body("SubOrchestrationInstanceCreated")
                }
            }
            Kind::TaskCompleted { task_scheduled_id, result } => {
                let body = EventBody { result: self.output(result), ..body("TaskCompleted") };
                self.settles(operations, *task_scheduled_id, body)
            }
            Kind::SubOrchestrationInstanceCompleted { task_scheduled_id, result } => {
                let body = EventBody { result: self.output(result), ..body("SubOrchestrationInstanceCompleted") };
                self.settles(operations, *task_scheduled_id, body)
            }
            Kind::TaskFailed { task_scheduled_id, failure_details } => {
                self.settles(operations, *task_scheduled_id, failed(body("TaskFailed"), failure_details))
            }
            Kind::SubOrchestrationInstanceFailed { task_scheduled_id, failure_details } => {
                let body = failed(body("SubOrchestrationInstanceFailed"), failure_details);
                self.settles(operations, *task_scheduled_id, body)
            }
            other => return self.plain(operations, other, body),
        })
    }

    /// Returns an event that belongs to no operation.
    fn plain<'a>(
        self,
        operations: &Operations<'a>,
        kind: &'a HistoryEventKind,
        body: impl Fn(&'static str) -> EventBody<'a>,
    ) -> Option<EventBody<'a>> {
        use HistoryEventKind as Kind;
        Some(match kind {
            Kind::TimerCreated { fire_at, .. } => EventBody { fire_at: Some(time(*fire_at)), ..body("TimerCreated") },
            Kind::TimerFired { timer_id } => {
                let fire_at = operations.timers.get(timer_id).copied().map(time);
                EventBody { fire_at, ..body("TimerFired") }
            }
            Kind::EventRaised { name, input } => {
                EventBody { name: Some(name), input: self.input(input), ..body("EventRaised") }
            }
            Kind::EventSent { instance_id, name, input, .. } => EventBody {
                name: Some(name),
                input: self.input(input),
                instance_id: Some(instance_id.as_str()),
                ..body("EventSent")
            },
            Kind::ExecutionSuspended { reason } => EventBody { reason: Some(reason), ..body("ExecutionSuspended") },
            Kind::ExecutionResumed { reason } => EventBody { reason: Some(reason), ..body("ExecutionResumed") },
            Kind::ExecutionRewound { reason } => EventBody { reason: Some(reason), ..body("ExecutionRewound") },
            Kind::ExecutionTerminated { reason } => EventBody { reason: Some(reason), ..body("ExecutionTerminated") },
            Kind::ExecutionCompleted { orchestration_status, result, failure_details } => EventBody {
                orchestration_status: Some(*orchestration_status),
                result: result.as_ref().and_then(|result| self.output(result)),
                failure_details: failure_details.as_ref().map(FailureBody::new),
                ..body("ExecutionCompleted")
            },
            Kind::ContinueAsNew { input, .. } => EventBody { input: self.input(input), ..body("ContinueAsNew") },
            _ => return None,
        })
    }

    fn settles<'a>(self, operations: &Operations<'a>, operation: u32, body: EventBody<'a>) -> EventBody<'a> {
        let Some(scheduled) = operations.scheduled.get(&operation) else { return body };
        EventBody {
            function_name: Some(scheduled.name),
            scheduled_time: Some(time(scheduled.time)),
            input: self.input(scheduled.input),
            ..body
        }
    }

    fn input(self, text: &JsonText) -> Option<Embedded<'_>> {
        self.show_input.then(|| Embedded(text.as_str()))
    }

    fn output(self, text: &JsonText) -> Option<Embedded<'_>> {
        self.show_output.then(|| Embedded(text.as_str()))
    }
}

fn failed<'a>(body: EventBody<'a>, details: &'a FailureDetails) -> EventBody<'a> {
    EventBody { reason: Some(details.message()), failure_details: Some(FailureBody::new(details)), ..body }
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
