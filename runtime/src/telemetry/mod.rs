//! Logs and traces of orchestrations.
//!
//! The library writes to `tracing`, and the application chooses the subscriber. Each live turn of an orchestrator has a span
//! `orchestration`, and each run of an activity has a span `activity`. The spans carry the attribute names of the Durable
//! Task family (`durabletask.task.name`, `durabletask.task.instance_id` and others) and the names by which
//! `tracing-opentelemetry` recognises the name and the kind of a span (`otel.name`, `otel.kind`). A replayed turn has no
//! span.
//!
//! At level `info`, a program sees one line when the runtime starts, one for each instance that is parked or fails, and
//! one when the runtime stops.

mod replay_filter;

pub use replay_filter::ReplayFilter;
