//! What callers do with many instances, and with instances that have ended: lists, purges by filter, restarts,
//! histories and watches.

use persevere::prelude::*;
use persevere::{Client, HistoryEventKind, InstanceFilter, InstanceList, RuntimeStatus};

use super::events::Number;
use crate::system::stage::{Stage, echo, on_every_stage};

on_every_stage! {
    lists_find_by_every_condition
    pages_hold_each_instance_once_while_others_come_and_go
    a_purge_by_filter_removes_what_has_ended_and_nothing_else
    a_restart_begins_a_new_life_with_the_same_input
    a_restart_with_a_new_id_runs_next_to_the_first_instance
    a_history_tells_what_happened
    what_was_raised_while_suspended_comes_in_order_after_the_resumption
    a_watched_instance_is_seen_to_its_end
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Travel {
    city: String,
    stops: Vec<u32>,
}

/// Publishes a city, waits for a number, and returns it.
#[orchestrator]
async fn visit(ctx: OrchestrationContext<Travel>, city: String) -> Result<i64, OrchestrationError> {
    let heard = echo::call(&ctx, city).await?;
    ctx.set_custom_status(&Travel { city: heard, stops: vec![1, 2] })?;
    Ok(Number::wait(&ctx).await?.0)
}

/// Adds up what is raised until it is zero.
#[orchestrator]
async fn digits(ctx: OrchestrationContext, _start: ()) -> Result<String, OrchestrationError> {
    let mut text = String::new();
    loop {
        match Number::wait(&ctx).await?.0 {
            0 => return Ok(text),
            digit => text.push_str(&digit.to_string()),
        }
    }
}

async fn go(runtime: &Runtime, id: &str, city: &str) {
    let visit = visit::start(runtime.client(), city.to_owned()).instance_id(id).tag("tier", city).await.unwrap();
    visit.wait_for_custom_status(|travel| !travel.city.is_empty()).await.unwrap();
}

async fn end(runtime: &Runtime, id: &str) {
    let visit = runtime.client().handle::<visit>(id).unwrap();
    visit.raise_event(Number(7)).await.unwrap();
    assert_eq!(visit.result().await.unwrap(), 7);
}

fn ids(list: &InstanceList) -> Vec<String> {
    list.instances.iter().map(|one| one.instance_id().to_string()).collect()
}

/// Instances created from now on are younger. Instances of different partitions are ordered by their age.
fn tick(stage: &Stage) {
    stage.clock.advance(std::time::Duration::from_millis(1));
}

async fn found(client: &Client, filter: InstanceFilter) -> Vec<String> {
    ids(&client.list(filter).await.unwrap())
}

async fn lists_find_by_every_condition(stage: Stage) {
    let runtime = stage.runtime().await;
    let client = runtime.client();
    for (id, city) in [("b-1", "London"), ("a-1", "Tokyo"), ("a-2", "London")] {
        go(&runtime, id, city).await;
        stage.clock.advance(std::time::Duration::from_secs(60));
    }
    end(&runtime, "a-2").await;
    let all = InstanceFilter::new;
    assert_eq!(found(client, all()).await, ["b-1", "a-1", "a-2"], "in the order of creation");
    assert_eq!(found(client, all().instance_id_prefix("a-")).await, ["a-1", "a-2"], "in the order of ids");
    assert_eq!(found(client, all().custom_status("/city", "London")).await, ["b-1", "a-2"]);
    assert_eq!(found(client, all().custom_status("/stops/1", 2).tag("tier", "Tokyo")).await, ["a-1"]);
    assert_eq!(found(client, all().runtime_status([RuntimeStatus::Completed])).await, ["a-2"]);
    assert_eq!(found(client, all().name("nobody")).await, [""; 0]);
    let second = client.get_instance("a-1").await.unwrap().unwrap().created_at();
    assert_eq!(found(client, all().created_from(second)).await, ["a-1", "a-2"]);
    assert_eq!(found(client, all().created_to(second)).await, ["b-1", "a-1"]);
    let newest = client.list(all()).newest_first().page_size(1).await.unwrap();
    assert_eq!((ids(&newest), newest.next.is_some()), (vec!["a-2".to_owned()], true));
    let listed = &newest.instances[0];
    assert_eq!(listed, &client.get_instance("a-2").await.unwrap().unwrap(), "a list shows what a read shows");
    runtime.shutdown().await.unwrap();
}

async fn pages_hold_each_instance_once_while_others_come_and_go(stage: Stage) {
    let runtime = stage.runtime().await;
    let client = runtime.client();
    for number in 0..9 {
        tick(&stage);
        go(&runtime, &format!("i{number}"), "Graz").await;
    }
    end(&runtime, "i1").await;
    end(&runtime, "i8").await;
    let (mut seen, mut place) = (Vec::new(), None);
    for round in 0.. {
        let page = client.list(InstanceFilter::new()).page_size(2).after(place).await.unwrap();
        seen.extend(ids(&page));
        place = page.next;
        tick(&stage);
        match round {
            0 => client.purge("i1").await.unwrap(),
            1 => drop(client.restart("i8").await.unwrap()),
            2 => go(&runtime, "late", "Wien").await,
            _ => {}
        }
        if place.is_none() {
            break;
        }
    }
    let expected = ["i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8", "late"];
    assert_eq!(seen, expected, "a replaced instance is a new life and comes last");
    runtime.shutdown().await.unwrap();
}

async fn a_purge_by_filter_removes_what_has_ended_and_nothing_else(stage: Stage) {
    let runtime = stage.runtime().await;
    let client = runtime.client();
    for number in 0..6 {
        tick(&stage);
        go(&runtime, &format!("i{number}"), if number % 2 == 0 { "Graz" } else { "Wien" }).await;
    }
    for number in 1..6 {
        end(&runtime, &format!("i{number}")).await;
    }
    let graz = InstanceFilter::new().custom_status("/city", "Graz");
    assert_eq!(client.purge_where(graz.clone()).await.unwrap(), 2);
    assert_eq!(client.purge_where(graz).await.unwrap(), 0, "i0 runs");
    assert_eq!(found(client, InstanceFilter::new()).await, ["i0", "i1", "i3", "i5"]);
    assert_eq!(client.purge_where(InstanceFilter::new()).at_most(2).await.unwrap(), 2);
    let runtime = stage.restart(runtime).await;
    assert_eq!(found(runtime.client(), InstanceFilter::new()).await, ["i0", "i5"]);
    assert!(runtime.client().history("i1").await.unwrap_err().is_not_found());
    runtime.shutdown().await.unwrap();
}

async fn a_restart_begins_a_new_life_with_the_same_input(stage: Stage) {
    let runtime = stage.runtime().await;
    go(&runtime, "v", "Linz").await;
    let first = runtime.client().handle::<visit>("v").unwrap();
    let refused = first.restart().await.unwrap_err();
    assert!(matches!(refused, persevere::ClientError::NotEnded { .. }), "{refused}");
    end(&runtime, "v").await;
    let again = first.restart().await.unwrap();
    assert!(again.was_created());
    again.wait_for_custom_status(|travel| travel.city == "Linz").await.unwrap();
    assert_eq!(stage.book.runs("Linz"), 2);
    let runtime = stage.restart(runtime).await;
    end(&runtime, "v").await;
    runtime.shutdown().await.unwrap();
}

async fn a_restart_with_a_new_id_runs_next_to_the_first_instance(stage: Stage) {
    let runtime = stage.runtime().await;
    go(&runtime, "v", "Linz").await;
    let second = runtime.client().restart("v").with_new_instance_id().await.unwrap();
    assert!(second.was_created() && second.id().as_str() != "v");
    end(&runtime, second.id().as_str()).await;
    assert_eq!(runtime.client().get_instance("v").await.unwrap().unwrap().runtime_status(), RuntimeStatus::Running);
    runtime.shutdown().await.unwrap();
}

async fn a_history_tells_what_happened(stage: Stage) {
    let runtime = stage.runtime().await;
    go(&runtime, "v", "Linz").await;
    end(&runtime, "v").await;
    let history = runtime.client().history("v").await.unwrap();
    let json = serde_json::to_value(&history).unwrap();
    let types: Vec<_> =
        json["events"].as_array().unwrap().iter().map(|event| event["eventType"].as_str().unwrap()).collect();
    let expected =
        ["ExecutionStarted", "TaskScheduled", "TaskCompleted", "EventAwaited", "EventRaised", "ExecutionCompleted"];
    assert_eq!(types, expected);
    let HistoryEventKind::TaskScheduled { name, input, location, .. } = &history.events[1].kind else { panic!() };
    assert_eq!((name.as_str(), input.as_str()), ("echo", r#""Linz""#));
    assert!(location.as_ref().is_some_and(|place| place.contains("overview.rs")), "{location:?}");
    runtime.shutdown().await.unwrap();
}

async fn what_was_raised_while_suspended_comes_in_order_after_the_resumption(stage: Stage) {
    let runtime = stage.runtime().await;
    let digits = digits::start(runtime.client(), ()).instance_id("d").await.unwrap();
    digits.raise_event(Number(1)).await.unwrap();
    digits.suspend("later").await.unwrap();
    for digit in 2..=9 {
        digits.raise_event(Number(digit)).await.unwrap();
    }
    let runtime = stage.restart(runtime).await;
    let digits = runtime.client().handle::<self::digits>("d").unwrap();
    digits.resume("now").await.unwrap();
    digits.raise_event(Number(0)).await.unwrap();
    assert_eq!(digits.result().await.unwrap(), "123456789");
    runtime.shutdown().await.unwrap();
}

async fn a_watched_instance_is_seen_to_its_end(stage: Stage) {
    let runtime = stage.runtime().await;
    go(&runtime, "v", "Linz").await;
    let mut watch = runtime.client().watch_instance("v");
    let now = watch.next().await.unwrap().unwrap();
    assert_eq!(now.runtime_status(), RuntimeStatus::Running);
    runtime.client().raise_event("v", "Number", &7).await.unwrap();
    let mut last = now;
    while let Some(newer) = watch.next().await {
        last = newer.unwrap();
    }
    assert_eq!((last.runtime_status(), last.read_output_as().unwrap()), (RuntimeStatus::Completed, Some(7)));
    runtime.shutdown().await.unwrap();
}
