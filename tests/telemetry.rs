//! What a program sees of the library through `tracing` and `metrics`. Both are global, so these tests are a process of their
//! own, and each test looks only at its own orchestrators.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{LazyLock, Mutex};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use opentelemetry::trace::{SpanId, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, InMemorySpanExporterBuilder, SdkTracerProvider, SpanData};
use persevere::http::{self, HttpOptions};
use persevere::prelude::*;
use persevere::telemetry::ReplayFilter;
use persevere::{Registration, VerifyReplay, registry};
use persevere_tests::{in_time, root};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt};

/// Every event and every new span, as its fields.
static SEEN: Mutex<Vec<(Level, BTreeMap<String, String>)>> = Mutex::new(Vec::new());

static INSTALLED: LazyLock<Snapshotter> = LazyLock::new(|| {
    let tracer = TRACES.0.tracer("test");
    let traces = tracing_opentelemetry::layer().with_tracer(tracer);
    let subscriber = tracing_subscriber::registry().with(Seeing).with(ReplayFilter::new()).with(traces);
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().unwrap();
    snapshotter
});

/// Collects the spans that have ended.
static TRACES: LazyLock<(SdkTracerProvider, InMemorySpanExporter)> = LazyLock::new(|| {
    let exporter = InMemorySpanExporterBuilder::new().build();
    (SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build(), exporter)
});

struct Seeing;

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

fn note(metadata: &Metadata<'_>, record: impl FnOnce(&mut Fields<'_>)) {
    let mut fields = BTreeMap::from([("target".to_owned(), metadata.target().to_owned())]);
    record(&mut Fields(&mut fields));
    SEEN.lock().unwrap().push((*metadata.level(), fields));
}

impl<S: Subscriber> Layer<S> for Seeing {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        note(event.metadata(), |fields| event.record(fields));
    }

    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: LayerContext<'_, S>) {
        note(span.metadata(), |fields| span.record(fields));
    }
}

/// Returns the values of a field among what was seen, in their order.
fn seen(field: &str, matches: impl Fn(&Level, &BTreeMap<String, String>) -> bool) -> Vec<String> {
    let seen = SEEN.lock().unwrap();
    seen.iter()
        .filter(|(level, fields)| matches(level, fields))
        .filter_map(|(_, fields)| fields.get(field).cloned())
        .collect()
}

#[activity]
async fn measure(step: u32) -> Result<u32, ActivityError> {
    if step == 99 { Err(ActivityError::new("broken")) } else { Ok(step) }
}

#[orchestrator]
async fn telling(ctx: OrchestrationContext, steps: u32) -> Result<u32, OrchestrationError> {
    for step in 0..steps {
        let done = measure::call(&ctx, step).await?;
        tracing::info!(telling = done, "measured");
    }
    Ok(steps)
}

#[orchestrator]
async fn failing(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    Ok(measure::call(&ctx, 99).await?)
}

#[external_event]
struct Go(u32);

#[orchestrator]
async fn parking(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    Ok(Go::wait(&ctx).await?.0)
}

#[tokio::test]
async fn what_an_orchestrator_logs_is_seen_once_however_often_it_is_replayed() {
    LazyLock::force(&INSTALLED);
    // Nothing stays in memory between turns, and each turn is verified, so each line is replayed many times.
    let runtime = Runtime::builder()
        .store(MemoryStore::new())
        .register(registry![telling, measure])
        .verify_replay(VerifyReplay::Always)
        .live_instances(0)
        .start()
        .await
        .unwrap();
    let handle = telling::start(runtime.client(), 6).instance_id("told").await.unwrap();
    in_time(handle.result()).await.unwrap();
    runtime.shutdown().await.unwrap();
    assert_eq!(seen("telling", |_, _| true), ["0", "1", "2", "3", "4", "5"]);
    let of = |kind: &'static str| {
        seen("otel.name", move |_, fields| {
            fields["target"] == format!("persevere::{kind}")
                && fields["durabletask.task.instance_id"] == "told"
                && fields["otel.kind"] == "server"
        })
    };
    assert_eq!(of("orchestration"), ["orchestration:telling"; 7], "one span for each live turn");
    assert_eq!(of("activity"), ["activity:measure"; 6]);
}

#[tokio::test]
async fn a_start_logs_one_line_however_many_partitions_there_are() {
    LazyLock::force(&INSTALLED);
    let runtime = Runtime::builder()
        .store(MemoryStore::with_partitions(7))
        .register(registry![telling, measure])
        .start()
        .await
        .unwrap();
    let handle = telling::start(runtime.client(), 0).await.unwrap();
    in_time(handle.result()).await.unwrap();
    runtime.shutdown().await.unwrap();
    let of_this_start = |level: &Level, fields: &BTreeMap<String, String>| {
        *level <= Level::INFO && fields.get("of").is_some_and(|of| of == "7")
    };
    assert_eq!(seen("message", of_this_start), ["the runtime starts"]);
    let by_partition = |level: &Level, fields: &BTreeMap<String, String>| {
        *level <= Level::INFO && fields.get("partition").is_some_and(|partition| partition == "6")
    };
    assert_eq!(seen("message", by_partition), [""; 0]);
}

#[test]
fn the_page_for_operators_lists_every_metric() {
    let names = |text: &str| -> BTreeSet<String> {
        let parts = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
        parts.filter(|part| part.starts_with("persevere_")).map(ToOwned::to_owned).collect()
    };
    let read = |path| std::fs::read_to_string(root().join(path)).unwrap();
    let code = read("runtime/src/worker/meters/recorded.rs");
    assert_eq!(names(&read("docs/operations.md")), names(&code));
}

#[activity]
async fn where_am_i(cx: &ActivityContext) -> Result<String, ActivityError> {
    cx.trace_context().map(|trace| trace.trace_id().to_owned()).ok_or_else(|| ActivityError::new("in no trace"))
}

#[orchestrator]
async fn traced_child(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    Ok(where_am_i::call(&ctx).await?)
}

#[orchestrator]
async fn traced(ctx: OrchestrationContext) -> Result<Vec<String>, OrchestrationError> {
    let first = where_am_i::call(&ctx).await?;
    Go::wait(&ctx).await?;
    Ok(vec![first, traced_child::call(&ctx).await?])
}

#[tokio::test]
async fn one_trace_goes_from_a_request_through_restarts_to_activities_and_sub_orchestrations() {
    LazyLock::force(&INSTALLED);
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let folder = tempfile::tempdir().unwrap();
    let start = || async {
        let store = SqliteStore::builder(folder.path().join("traced.db")).partitions(4).open().unwrap();
        let code = registry![traced, traced_child, where_am_i];
        Runtime::builder().store(store).register(code).start().await.unwrap()
    };
    let runtime = start().await;
    let options = HttpOptions::new().insecure(true).public_base_url("http://localhost");
    let router = http::router(runtime.client().clone(), options).unwrap();
    let request = Request::post("/runtime/webhooks/durabletask/orchestrators/traced/traced-1")
        .header("traceparent", format!("00-{trace}-{parent}-01"))
        .body(Body::empty())
        .unwrap();
    let answer = tower::ServiceExt::oneshot(router, request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    runtime.shutdown().await.unwrap();

    let runtime = start().await;
    runtime.client().raise_event("traced-1", "Go", &1).await.unwrap();
    let handle = runtime.client().handle::<traced>("traced-1").unwrap();
    assert_eq!(in_time(handle.result()).await.unwrap(), [trace, trace], "what the activities pass on");
    runtime.shutdown().await.unwrap();

    let spans = TRACES.1.get_finished_spans().unwrap();
    let spans: Vec<_> = spans.iter().filter(|span| span.span_context.trace_id().to_string() == trace).collect();
    let named = |name: &str| -> Vec<&SpanData> { spans.iter().filter(|span| span.name == name).copied().collect() };
    let [request] = named("http_request")[..] else { panic!("{spans:#?}") };
    assert_eq!(request.parent_span_id.to_string(), parent);
    let turns = named("orchestration:traced");
    assert!(turns.len() >= 3 && turns.iter().all(|turn| turn.parent_span_id == request.span_context.span_id()));
    let ids = |spans: &[&SpanData]| -> Vec<SpanId> { spans.iter().map(|span| span.span_context.span_id()).collect() };
    let children = named("orchestration:traced_child");
    assert!(!children.is_empty() && children.iter().all(|child| ids(&turns).contains(&child.parent_span_id)));
    let (activities, mut callers) = (named("activity:where_am_i"), ids(&turns));
    callers.extend(ids(&children));
    assert_eq!(activities.len(), 2);
    assert!(activities.iter().all(|activity| callers.contains(&activity.parent_span_id)), "{spans:#?}");
}

/// The metrics of the process, by name and labels. Other tests add to them. A snapshot contains what has changed since the
/// last one.
fn metrics() -> BTreeMap<String, f64> {
    static TOTALS: Mutex<BTreeMap<String, f64>> = Mutex::new(BTreeMap::new());
    let mut totals = TOTALS.lock().unwrap();
    let snapshot = INSTALLED.snapshot().into_vec();
    let described = snapshot.into_iter().map(|(key, _, _, value)| {
        let key = key.key();
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let value = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(values) => values.len() as f64,
        };
        (format!("{}{{{}}}", key.name(), labels.join(",")), value)
    });
    described.for_each(|(name, value)| *totals.entry(name).or_default() += value);
    totals.clone()
}

#[tokio::test]
async fn metrics_count_turns_commits_activities_and_parked_instances() {
    LazyLock::force(&INSTALLED);
    let store = MemoryStore::new();
    let start = |code: Vec<Registration>| Runtime::builder().store(store.clone()).register(code).start();
    let runtime = start(registry![failing, parking, measure].into()).await.unwrap();
    let failed = failing::start(runtime.client()).instance_id("fails").await.unwrap();
    in_time(failed.result()).await.unwrap_err();
    let waits = parking::start(runtime.client()).instance_id("parks").await.unwrap();
    in_time(waits.wait_for_start()).await.unwrap();
    runtime.shutdown().await.unwrap();

    // Without its code, the instance is parked. With the code, it goes on.
    let runtime = start(registry![failing, measure].into()).await.unwrap();
    runtime.client().raise_event("parks", "Go", &1).await.unwrap();
    let first = metrics();
    assert_eq!(first["persevere_instances_parked{}"], 1.0, "{first:#?}");
    runtime.shutdown().await.unwrap();
    let runtime = start(registry![failing, parking, measure].into()).await.unwrap();
    let handle = runtime.client().handle::<parking>("parks").unwrap();
    assert_eq!(in_time(handle.result()).await.unwrap(), 1);
    let last = metrics();
    assert_eq!(last["persevere_instances_parked{}"], 0.0, "{last:#?}");
    runtime.shutdown().await.unwrap();
    for (name, at_least) in [
        ("persevere_turns_total{}", 3.0),
        ("persevere_commits_total{}", 1.0),
        ("persevere_recoveries_total{}", 1.0),
        ("persevere_activity_run_seconds{activity=measure,outcome=failed}", 1.0),
        ("persevere_instances_ended_total{orchestrator=failing,status=Failed}", 1.0),
        ("persevere_parks_total{code=D0104}", 1.0),
    ] {
        assert!(last.get(name).is_some_and(|value| *value >= at_least), "{name} in {last:#?}");
    }
}
