//! Mistakes that no compiler can see. An ordinary test with a host finds each of them, although it never mentions replay.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime as Wall;

use persevere::prelude::*;
use persevere::testing::TestHost;
use persevere_tests::in_time;

use super::failure;

#[activity(name = "host_ship")]
async fn ship(parcel: String) -> Result<String, ActivityError> {
    Ok(parcel)
}

/// Plain functions, into which no macro looks.
fn names(map: HashMap<String, u32>) -> Vec<String> {
    map.into_keys().collect()
}

fn stamp() -> String {
    format!("{:?}", Wall::now())
}

fn counted() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    COUNTER.fetch_add(1, Ordering::Relaxed).to_string()
}

fn is_first_run(ctx: &Context) -> bool {
    !ctx.is_replaying()
}

#[orchestrator(name = "host_hash_order")]
async fn hash_order(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    let map: HashMap<_, _> = (0..8).map(|number| (format!("parcel {number}"), number)).collect();
    for parcel in names(map) {
        ship::call(&ctx, parcel).await?;
    }
    Ok(())
}

#[orchestrator(name = "host_clock")]
async fn clock_in_a_helper(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    ship::call(&ctx, stamp()).await?;
    Ok(())
}

#[orchestrator(name = "host_counter")]
async fn static_counter(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    ship::call(&ctx, counted()).await?;
    Ok(())
}

#[orchestrator(name = "host_branch")]
async fn wrong_branch(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    if is_first_run(&ctx) {
        ship::call(&ctx, "once".to_owned()).await?;
    }
    Ok(())
}

/// Runs one of them, without a look at its result, and returns how the host fails the test.
macro_rules! found {
    ($orchestrator:ident, $change:expr) => {{
        let host = $change(TestHost::new()).mock::<ship>(|parcel: String| Ok(parcel));
        let instance = $orchestrator::start(host.client()).await.unwrap();
        let _ = in_time(instance.result()).await;
        failure(host)
    }};
}

#[tokio::test]
async fn each_is_found_without_a_look_at_the_result() {
    for message in [
        found!(hash_order, |host| host),
        found!(clock_in_a_helper, |host| host),
        found!(static_counter, |host| host),
        found!(wrong_branch, |host| host),
    ] {
        assert!(message.contains("is parked: [D0107"), "{message}");
        assert!(message.contains("tests/host/planted.rs:"), "the place in the code is missing: {message}");
        assert!(message.contains("turn 0 at +00:00:00.000"), "the timeline is missing: {message}");
    }
}

#[tokio::test]
async fn eviction_alone_finds_them_too() {
    let evicted = |host: TestHost| host.without_replay_check().live_instances(0);
    for message in [found!(clock_in_a_helper, evicted), found!(static_counter, evicted), found!(wrong_branch, evicted)]
    {
        assert!(message.contains("is parked: [D0101"), "{message}");
    }
}

#[tokio::test]
async fn without_the_check_they_pass() {
    let host = TestHost::new().without_replay_check().mock::<ship>(|parcel: String| Ok(parcel));
    in_time(static_counter::start(host.client()).await.unwrap().result()).await.unwrap();
}
