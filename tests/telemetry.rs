//! What a program sees of the library through `tracing` and `metrics`. Both are global, so these tests are a process of their
//! own, and each test looks only at its own orchestrators.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{LazyLock, Mutex};

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
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
    let subscriber = tracing_subscriber::registry().with(Seeing).with(ReplayFilter::new());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().unwrap();
    snapshotter
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
