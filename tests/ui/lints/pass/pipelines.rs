//! Ten orchestrators of a data pipeline: async closures, iterators, newtypes, generic helpers.
#![deny(warnings)]
#![allow(clippy::type_complexity)]

use persevere::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::time::Duration;

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key(String);

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq)]
struct Stats {
    rows: u64,
    bytes: u64,
}

impl std::ops::Add for Stats {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, bytes: self.bytes + other.bytes }
    }
}

impl std::iter::Sum for Stats {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self { rows: 0, bytes: 0 }, |a, b| a + b)
    }
}

#[activity]
async fn list_keys(prefix: String) -> Result<Vec<Key>, ActivityError> {
    Ok(vec![Key(prefix.clone()), Key(prefix + "2")])
}

#[activity]
async fn transform(key: Key, format: String) -> Result<Stats, ActivityError> {
    Ok(Stats { rows: format.len() as u64, bytes: key.0.len() as u64 })
}

#[activity]
async fn load(table: String, keys: Vec<Key>) -> Result<u64, ActivityError> {
    Ok((table.len() + keys.len()) as u64)
}

#[activity]
async fn check(table: String) -> Result<Vec<String>, ActivityError> {
    Ok(vec![table])
}

#[external_event]
#[derive(Debug, Clone, PartialEq)]
enum Control {
    Pause,
    Resume { from: Option<Key> },
    Stop,
}

#[orchestrator_fn]
async fn in_batches<T: Clone + Send + Sync, R: Send>(
    ctx: &Context,
    items: &[T],
    size: usize,
    make: impl Fn(T) -> Box<dyn Durable<Output = R> + Send + Unpin> + Send + Sync,
) -> Vec<R> {
    let mut results = Vec::new();
    for batch in items.chunks(size) {
        results.extend(ctx.join_all(batch.iter().cloned().map(&make)).await);
    }
    results
}

#[orchestrator]
async fn extract(ctx: OrchestrationContext, prefix: String) -> Result<Stats, OrchestrationError> {
    let keys = list_keys::call(&ctx, prefix).await?;
    let stats = ctx
        .try_join_all(keys.into_iter().map(async |key| {
            let stats = transform::call(&ctx, key, "parquet".into()).await?;
            if stats.rows == 0 {
                return Err("no rows".into());
            }
            Ok(stats)
        }))
        .await?;
    Ok(stats.into_iter().sum())
}

#[orchestrator]
async fn batches(ctx: OrchestrationContext, prefix: String) -> Result<usize, OrchestrationError> {
    let keys = list_keys::call(&ctx, prefix).await?;
    let context: &Context = &ctx;
    let results = in_batches(&ctx, &keys, 10, |key| Box::new(transform::call(context, key, "csv".into()))).await;
    Ok(results.into_iter().filter(Result::is_ok).count())
}

#[orchestrator]
async fn distinct(ctx: OrchestrationContext, prefixes: Vec<String>) -> Result<u64, OrchestrationError> {
    let mut seen = HashSet::new();
    let mut order = Vec::new();
    for prefix in prefixes {
        for key in list_keys::call(&ctx, prefix).await? {
            if seen.insert(key.clone()) {
                order.push(key);
            }
        }
    }
    debug_assert_eq!(seen.len(), order.len());
    Ok(load::call(&ctx, "distinct".to_owned(), order).await?)
}

#[orchestrator]
async fn by_table(ctx: OrchestrationContext, keys: BTreeMap<String, BTreeSet<Key>>) -> Result<BTreeMap<String, u64>, OrchestrationError> {
    let mut loaded = BTreeMap::new();
    for (table, keys) in keys {
        let rows = load::call(&ctx, table.clone(), keys.into_iter().collect()).await?;
        loaded.insert(table, rows);
    }
    Ok(loaded)
}

#[orchestrator(events(Control))]
async fn controlled(ctx: OrchestrationContext<String>, keys: Vec<Key>) -> Result<usize, OrchestrationError> {
    let mut at = 0;
    while at < keys.len() {
        let next = select! {
            done = transform::call(&ctx, keys[at].clone(), "json".to_owned()) => { done?; None },
            control = Control::wait(&ctx) => Some(control?),
        };
        match next {
            None => at += 1,
            Some(Control::Stop) => break,
            Some(Control::Resume { .. }) => {}
            Some(Control::Pause) => {
                ctx.set_custom_status(&format!("paused at {}", keys[at]))?;
                let from = loop {
                    match Control::wait(&ctx).await? {
                        Control::Resume { from } => break from,
                        Control::Stop => return Ok(at),
                        Control::Pause => continue,
                    }
                };
                at = from.and_then(|from| keys.iter().position(|key| *key == from)).unwrap_or(at);
            }
        }
    }
    Ok(at)
}

#[orchestrator]
async fn nightly(ctx: OrchestrationContext, table: String) -> Result<Vec<String>, OrchestrationError> {
    let work = async {
        let stats = extract::call(&ctx, table.clone()).await?;
        Ok::<_, OrchestrationError>(stats.rows)
    };
    let rows = work.timeout(&ctx, Duration::from_secs(4 * 3600)).await.map_err(|_| "too slow")??;
    let findings = if rows > 0 { check::call(&ctx, table).await? } else { vec!["nothing to check".to_owned()] };
    Ok(findings)
}

#[orchestrator]
async fn schedule(ctx: OrchestrationContext, table: String, done: u32) -> Result<(), OrchestrationError> {
    let next = ctx.current_time() + Duration::from_secs(86_400);
    if let Err(error) = nightly::call(&ctx, table.clone()).await {
        tracing::warn!(%error, "the night failed");
    }
    ctx.create_timer_at(next).await;
    schedule::continue_as_new(&ctx, table, done.wrapping_add(1)).await
}

#[orchestrator]
async fn sampled(ctx: OrchestrationContext, keys: Vec<Key>, share: f64) -> Result<u64, OrchestrationError> {
    let chosen: Vec<_> = keys.into_iter().filter(|_| (ctx.random() % 1_000) as f64 / 1_000.0 < share).collect();
    let name = format!("sample_{}", ctx.new_uuid().simple());
    let rows = load::call(&ctx, name, chosen).await?;
    Ok(rows)
}

#[orchestrator]
async fn both_formats(ctx: OrchestrationContext, key: Key) -> Result<Stats, OrchestrationError> {
    let to = async |format: &'static str| transform::call(&ctx, key.clone(), format.to_owned()).await;
    let (a, b, c) = try_join!(to("csv"), to("json"), async { to("avro").await })?;
    Ok([a, b, c].into_iter().sum())
}

#[orchestrator]
async fn pairs(ctx: OrchestrationContext, left: String, right: String) -> Result<Vec<(Key, Stats)>, OrchestrationError> {
    let (left, right) = join!(list_keys::call(&ctx, left), list_keys::call(&ctx, right));
    let zipped = left?.into_iter().zip(right?);
    let mut pairs = Vec::new();
    for (number, (left, right)) in zipped.enumerate().skip_while(|(number, _)| *number > 10) {
        let joined = Key(format!("{left}/{right}#{number}"));
        let stats = transform::call(&ctx, joined.clone(), String::from("tsv")).await?;
        pairs.push((joined, stats));
    }
    Ok(pairs)
}

fn main() {
    let _ = Key::from("a");
}
