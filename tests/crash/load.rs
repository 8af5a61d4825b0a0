//! The load that the victim creates for itself: a fixed number of instances at a time, each from its start to its end.
//!
//! Every step is written to the ledger before and after it happens, and each victim first finishes what earlier victims
//! left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use persevere::prelude::*;
use persevere::{Accepts, ClientError, OrchestrationHandle, Orchestrator, ResultError};

use super::ledger::{Ledger, Line};
use super::program::{self, Item, Kind, LAST, Progress};

/// The progress that earlier victims made with an instance.
#[derive(Clone, Debug, Default)]
struct Past {
    acknowledged: bool,
    /// The first item that is not acknowledged, and the first item that was not tried.
    unacknowledged: i64,
    untried: i64,
    done: bool,
}

/// Runs until everything that earlier victims left has ended, and then, unless `finish` is set, runs new instances for
/// ever.
pub async fn run(client: Client, ledger: Ledger, past: &[Line], at_a_time: usize, finish: bool) {
    let past = pasts(past);
    let next = past.keys().filter_map(|id| program::what_is(id)).map(|(_, number)| number + 1).max().unwrap_or(0);
    let open: Vec<_> = past.into_iter().filter(|(_, past)| !past.done).collect();
    let next = Arc::new(AtomicU32::new(next));
    let queue = Arc::new(std::sync::Mutex::new(open));
    let workers: Vec<_> = (0..at_a_time)
        .map(|_| {
            let (client, ledger, next, queue) = (client.clone(), ledger.clone(), Arc::clone(&next), Arc::clone(&queue));
            tokio::spawn(async move {
                loop {
                    let left = queue.lock().expect("nobody panicked").pop();
                    match left {
                        Some((id, past)) => instance(&client, &ledger, &id, past).await,
                        None if finish => return,
                        None => {
                            let id = program::instance(next.fetch_add(1, Ordering::SeqCst));
                            instance(&client, &ledger, &id, Past::default()).await;
                        }
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("the load does not panic");
    }
}

fn pasts(lines: &[Line]) -> BTreeMap<String, Past> {
    let mut pasts: BTreeMap<String, Past> = BTreeMap::new();
    for line in lines {
        match line {
            Line::Starting(id) => drop(pasts.entry(id.clone()).or_default()),
            Line::Started(id, _) => pasts.entry(id.clone()).or_default().acknowledged = true,
            Line::Raising(id, LAST) | Line::Raised(id, LAST) => drop(pasts.entry(id.clone()).or_default()),
            Line::Raising(id, number) => pasts.entry(id.clone()).or_default().untried = number + 1,
            Line::Raised(id, number) => pasts.entry(id.clone()).or_default().unacknowledged = number + 1,
            Line::Done(id, _) => pasts.entry(id.clone()).or_default().done = true,
            _ => {}
        }
    }
    pasts
}

async fn instance(client: &Client, ledger: &Ledger, id: &str, past: Past) {
    let (kind, number) = program::what_is(id).expect("an instance of the load");
    let size = program::size_of(number);
    ledger.write(&Line::Starting(id.to_owned()));
    let output = match kind {
        Kind::Steps => whole(ledger, id, &past, program::steps::start(client, size)).await,
        Kind::Fan => whole(ledger, id, &past, program::fan::start(client, size)).await,
        Kind::Timers => whole(ledger, id, &past, program::timers::start(client, size)).await,
        Kind::Parent => whole(ledger, id, &past, program::parent::start(client, size)).await,
        Kind::Collect => fed(ledger, id, &past, program::collect::start(client)).await,
        Kind::Race => fed(ledger, id, &past, program::race::start(client)).await,
        Kind::Eternal => fed(ledger, id, &past, program::eternal::start(client, Vec::new())).await,
        Kind::Doomed => ended(ledger, id, &past, program::doomed::start(client)).await,
    };
    ledger.write(&Line::Done(id.to_owned(), output));
}

async fn begin<O: Orchestrator>(
    ledger: &Ledger,
    id: &str,
    past: &Past,
    start: persevere::StartOrchestration<O>,
) -> OrchestrationHandle<O> {
    let handle = start.instance_id(id).await.expect("a start is acknowledged");
    assert!(!(past.acknowledged && handle.was_created()), "{id}: an acknowledged start was lost");
    ledger.write(&Line::Started(id.to_owned(), handle.was_created()));
    handle
}

/// Starts the instance, records what its status says, and waits for its end.
async fn whole<O: Orchestrator<Status = Progress, Output = u64, Error = OrchestrationError>>(
    ledger: &Ledger,
    id: &str,
    past: &Past,
    start: persevere::StartOrchestration<O>,
) -> String {
    let handle = begin(ledger, id, past, start).await;
    watch(ledger, id, &handle).await;
    handle.result().await.unwrap_or_else(|error| unreachable!("{id}: {error:?}")).to_string()
}

/// Starts the instance, raises its items one after another, and waits for what it collected.
async fn fed<O: Accepts<Item> + Orchestrator<Status = Progress, Output = Vec<i64>, Error = OrchestrationError>>(
    ledger: &Ledger,
    id: &str,
    past: &Past,
    start: persevere::StartOrchestration<O>,
) -> String {
    let handle = begin(ledger, id, past, start).await;
    let (kind, number) = program::what_is(id).expect("an instance of the load");
    let with_ids = kind.items_have_ids();
    let first = if with_ids { past.unacknowledged } else { past.untried };
    for item in (first..i64::from(program::size_of(number))).chain([LAST]) {
        ledger.write(&Line::Raising(id.to_owned(), item));
        let raise = handle.raise_event(Item(item));
        let raised = if with_ids { raise.event_id(format!("item-{item}")).await } else { raise.await };
        match raised {
            Ok(()) => ledger.write(&Line::Raised(id.to_owned(), item)),
            // An earlier victim raised the last item, and was killed before it could record that.
            Err(ClientError::InstanceEnded { .. }) if first > 0 || past.acknowledged => break,
            Err(error) => unreachable!("{id}, item {item}: {error:?}"),
        }
    }
    watch(ledger, id, &handle).await;
    let items = handle.result().await.unwrap_or_else(|error| unreachable!("{id}: {error:?}"));
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",") + ";"
}

/// Starts the instance, lets it do one step, and terminates it.
async fn ended(
    ledger: &Ledger,
    id: &str,
    past: &Past,
    start: persevere::StartOrchestration<program::doomed>,
) -> String {
    let handle = begin(ledger, id, past, start).await;
    if let Ok(status) = handle.wait_for_custom_status(|status| status.done > 1).await {
        ledger.write(&Line::Seen(id.to_owned(), status.done));
    }
    match handle.terminate("enough").await {
        Ok(()) => ledger.write(&Line::Terminated(id.to_owned())),
        Err(ClientError::InstanceEnded { .. }) if past.acknowledged => {}
        Err(error) => unreachable!("{id}: {error:?}"),
    }
    match handle.result().await {
        Err(ResultError::Terminated { reason }) => reason,
        other => unreachable!("{id}: {other:?}"),
    }
}

/// Records every status until the end.
async fn watch<O: Orchestrator<Status = Progress>>(ledger: &Ledger, id: &str, handle: &OrchestrationHandle<O>) {
    let mut watch = handle.watch_custom_status();
    while let Some(status) = watch.next().await {
        let status = status.unwrap_or_else(|error| unreachable!("{id}: {error:?}"));
        ledger.write(&Line::Seen(id.to_owned(), status.done));
    }
}
