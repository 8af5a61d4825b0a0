//! Logs and traces of orchestrations.
//!
//! The library writes to `tracing`, and the application chooses the subscriber. Each live turn of an orchestrator has a span
//! `orchestration`, and each run of an activity has a span `activity`. The spans carry the attribute names of the Durable
//! Task family (`durabletask.task.name`, `durabletask.task.instance_id` and others) and the names by which
//! `tracing-opentelemetry` recognises the name and the kind of a span (`otel.name`, `otel.kind`). A replayed turn has no
//! span.
//!
//! With the feature `opentelemetry`, an instance that is started inside a span belongs to the trace of that span, and so do
//! its turns, activities and sub-orchestrations: the spans of its turns are children of the span of the start, and the
//! spans of activities and sub-orchestrations are children of the turn that asked for them. The context is stored, so this
//! holds across restarts and processes. An HTTP request continues the trace of its header `traceparent`.
//!
//! At level `info`, a program sees one line when the runtime starts, one for each instance that is parked or fails, and
//! one when the runtime stops.

#[cfg(feature = "telemetry")]
mod replay_filter;
mod trace;

#[cfg(feature = "telemetry")]
pub use replay_filter::ReplayFilter;
pub use trace::{continue_trace, trace_of};
