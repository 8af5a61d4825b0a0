//! What a runtime makes of a history with one flipped bit: it runs, and at most some instances are parked.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use persevere::prelude::*;
use persevere::registry;
use persevere::store::Backlog;

use super::fixture::{Fixture, PAGE, database, folder, open, with_small_pages};

/// How many instances there are. Each has taken some events and waits for the last one.
const INSTANCES: u32 = 16;
const EVENTS: u32 = 5;

#[orchestrator]
async fn adds_events(ctx: OrchestrationContext, first: u32) -> Result<u32, OrchestrationError> {
    let mut sum = first;
    for _ in 0..EVENTS {
        sum += ctx.wait_for_external_event::<u32>("add").await?;
    }
    Ok(sum)
}

fn name(number: u32) -> String {
    format!("adds-{number}")
}

/// `None` if the file is refused.
async fn runtime(path: &Path) -> Option<Runtime> {
    Runtime::builder().store(open(path).ok()?).register(registry![adds_events]).start().await.ok()
}

/// A database with the instances, closed.
async fn fixture() -> Fixture {
    let folder = folder();
    let path = database(folder.path());
    with_small_pages(&path);
    let runtime = runtime(&path).await.unwrap();
    for number in 0..INSTANCES {
        adds_events::start(runtime.client(), number).instance_id(name(number)).await.unwrap();
        for event in 1..EVENTS {
            runtime.client().raise_event(name(number), "add", &event).await.unwrap();
        }
    }
    runtime.shutdown().await.unwrap();
    Fixture::of(&path, Vec::new(), Backlog::default())
}

/// How many instances did not go on. Fails if anybody got something wrong, or if the runtime did not survive.
async fn survive(path: &Path) -> Result<usize, String> {
    let Some(runtime) = runtime(path).await else { return Ok(0) };
    let client = runtime.client();
    let mut reported = 0;
    for number in 0..INSTANCES {
        let again = adds_events::start(client, number).instance_id(name(number)).await;
        if again.is_ok_and(|handle| handle.was_created()) {
            return Err(format!("{number} was started a second time"));
        }
        // What was on its way when the damage of another instance was found has an unknown outcome, and is sent again.
        let raised = loop {
            match client.raise_event(name(number), "add", &100).event_id("last").await {
                Err(error) if error.outcome_is_unknown() || error.is_temporary() => {
                    tokio::task::yield_now().await;
                }
                raised => break raised,
            }
        };
        let result = client.handle::<adds_events>(name(number)).unwrap().result().await;
        match (raised, result) {
            (_, Ok(sum)) if sum == number + 10 + 100 => {}
            (raised, Ok(sum)) => return Err(format!("{number} ends with {sum}, and its event with {raised:?}")),
            (_, Err(_)) => reported += 1,
        }
    }
    runtime.shutdown().await.map_err(|error| format!("the runtime did not survive: {error}"))?;
    Ok(reported)
}

#[test]
fn b05_damage_in_the_history_parks_its_instance_and_affects_nobody_else() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let fixture = runtime().block_on(fixture());
    let mut bits = Vec::new();
    for pages in fixture.pages.iter().filter(|(kind, _)| kind.starts_with("history")).map(|(_, pages)| pages) {
        for (number, bit) in (0..16 * 8).step_by(3).chain((0..60).map(|number| number * 7_919 % (PAGE * 8))).enumerate()
        {
            bits.push(pages[number % pages.len()] * PAGE * 8 + bit);
        }
    }
    let (next, wrong, reported) = (AtomicUsize::new(0), Mutex::new(Vec::new()), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(bit) = bits.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let folder = folder();
                    let path = database(folder.path());
                    fixture.write(&path, "", *bit);
                    let survived = runtime().block_on(async {
                        let limit = Duration::from_secs(60);
                        tokio::time::timeout(limit, survive(&path)).await.unwrap_or_else(|_| Err("it hangs".to_owned()))
                    });
                    match survived {
                        Ok(count) => _ = reported.fetch_add(count, Ordering::Relaxed),
                        Err(what) => {
                            let place = format!("page {} byte {} bit {}", bit / PAGE / 8, bit / 8 % PAGE, bit % 8);
                            wrong.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{place}: {what:.200}"));
                        }
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(wrong.is_empty(), "{} of {} variants: {wrong:#?}", wrong.len(), bits.len());
    assert!(reported.into_inner() >= 50, "the variants did too little damage to show anything");
}
