//! The test host: virtual time, mocks, and what it finds.

mod planted;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use persevere::prelude::*;
use persevere::testing::{Fault, TestHost};
use persevere::{ResultError, registry};
use persevere_tests::in_time;

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(crate) enum Stage {
    Waiting,
    Reminded(u32),
    Approved,
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(crate) struct Purchase {
    who: String,
}

#[external_event(name = "host_approved")]
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Approved(bool);

#[activity(name = "host_send_reminder")]
async fn send_reminder(who: String) -> Result<(), ActivityError> {
    Err(ActivityError::new(format!("a test sends no e-mail to {who}")))
}

#[activity(name = "host_pay")]
async fn pay(card: String, amount: u32) -> Result<String, ActivityError> {
    Ok(format!("{amount} from {card}"))
}

#[activity(name = "host_fake_pay")]
async fn fake_pay(card: String, amount: u32) -> Result<String, ActivityError> {
    Ok(format!("pretends to take {amount} from {card}"))
}

#[activity(name = "host_time")]
async fn time_of_activity(cx: &ActivityContext) -> Result<i64, ActivityError> {
    Ok(cx.now().timestamp())
}

/// Reminds every day until somebody has approved.
#[orchestrator(name = "host_approve")]
async fn approve(ctx: OrchestrationContext<Stage>, purchase: Purchase) -> Result<bool, OrchestrationError> {
    ctx.set_custom_status(&Stage::Waiting)?;
    let mut reminders = 0;
    loop {
        match Approved::wait(&ctx).timeout(&ctx, DAY).await {
            Ok(event) => {
                let Approved(approved) = event?;
                ctx.set_custom_status(&Stage::Approved)?;
                return Ok(approved);
            }
            Err(_) => {
                send_reminder::call(&ctx, purchase.who.clone()).await?;
                reminders += 1;
                ctx.set_custom_status(&Stage::Reminded(reminders))?;
            }
        }
    }
}

#[orchestrator(name = "host_wait")]
async fn wait_for(ctx: OrchestrationContext, days: u32) -> Result<i64, OrchestrationError> {
    let begin = ctx.current_time();
    ctx.create_timer(DAY * days).await;
    Ok((ctx.current_time() - begin).num_days())
}

#[orchestrator(name = "host_purchase")]
async fn purchase(ctx: OrchestrationContext, card: String) -> Result<String, OrchestrationError> {
    for _ in 0..2 {
        if let Ok(receipt) = pay::call(&ctx, card.clone(), 7).await {
            return Ok(receipt);
        }
    }
    Ok("not paid".to_owned())
}

#[orchestrator(name = "host_times")]
async fn times(ctx: OrchestrationContext) -> Result<(i64, i64), OrchestrationError> {
    let before = time_of_activity::call(&ctx).await?;
    ctx.create_timer(DAY).await;
    Ok((before, time_of_activity::call(&ctx).await?))
}

fn ada() -> Purchase {
    Purchase { who: "Ada".to_owned() }
}

/// Returns the message with which dropping a host fails the test.
fn failure(host: TestHost) -> String {
    let payload = catch_unwind(AssertUnwindSafe(|| drop(host))).expect_err("the host finds nothing");
    payload.downcast_ref::<String>().expect("a text").clone()
}

#[tokio::test]
async fn reminds_every_day_until_approved() {
    for partitions in [1, 4] {
        let host = TestHost::on(MemoryStore::with_partitions(partitions)).mock::<send_reminder>(|_who: String| Ok(()));
        let approval = approve::start(host.client(), ada()).await.unwrap();
        in_time(host.advance(3 * DAY)).await;
        assert_eq!(host.calls::<send_reminder>().len(), 3);
        approval.raise_event(Approved(true)).await.unwrap();
        assert!(in_time(approval.result()).await.unwrap());
        let expected = [Stage::Waiting, Stage::Reminded(1), Stage::Reminded(2), Stage::Reminded(3), Stage::Approved];
        assert_eq!(host.custom_statuses(&approval), expected);
        assert_eq!(host.calls::<send_reminder>(), ["Ada", "Ada", "Ada"]);
    }
}

/// The same instance live, replayed after each turn, and evicted after each turn.
#[tokio::test]
async fn every_way_to_run_gives_the_same_result() {
    let ways: [fn(TestHost) -> TestHost; 3] =
        [TestHost::without_replay_check, |host| host, |host| host.live_instances(0)];
    for way in ways {
        let folder = tempfile::tempdir().unwrap();
        let host = way(TestHost::on(SqliteStore::open(folder.path().join("test.db")).unwrap()))
            .mock::<send_reminder>(|_who: String| Ok(()));
        let approval = approve::start(host.client(), ada()).await.unwrap();
        in_time(host.advance(2 * DAY)).await;
        approval.raise_event(Approved(false)).await.unwrap();
        assert!(!in_time(approval.result()).await.unwrap());
        assert_eq!(host.calls::<send_reminder>().len(), 2);
    }
}

#[tokio::test]
async fn a_wait_of_thirty_days_takes_no_time() {
    let begin = Instant::now();
    for _ in 0..20 {
        let host = TestHost::new();
        let waiting = wait_for::start(host.client(), 30).await.unwrap();
        assert_eq!(in_time(waiting.result()).await.unwrap(), 30);
        assert_eq!(host.now().timestamp(), 1_893_456_000 + 30 * 86_400);
    }
    // Generous, and still far from the 600 days that passed.
    assert!(begin.elapsed() < Duration::from_secs(60));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_of_several_threads_share_the_time() {
    let host = TestHost::on(MemoryStore::with_partitions(4));
    let mut all = Vec::new();
    for days in 1..=12 {
        all.push((days, wait_for::start(host.client(), days).await.unwrap()));
    }
    for (days, waiting) in all {
        assert_eq!(in_time(waiting.result()).await.unwrap(), i64::from(days));
        let passed = host.now().timestamp() - 1_893_456_000;
        assert_eq!(passed, i64::from(days) * 86_400, "the time moved only as far as somebody waited");
    }
}

#[tokio::test]
async fn manual_time_moves_only_when_it_is_told() {
    let host = TestHost::new().manual_time();
    let waiting = wait_for::start(host.client(), 2).await.unwrap();
    in_time(host.advance(2 * DAY - Duration::from_secs(1))).await;
    assert_eq!(host.turns(&waiting), 1);
    assert!(!waiting.metadata().await.unwrap().runtime_status().is_ended());
    in_time(host.advance_to_next_timer()).await;
    assert!(waiting.metadata().await.unwrap().runtime_status().is_ended());
    let before = host.now();
    in_time(host.advance_to_next_timer()).await;
    assert_eq!(host.now(), before, "there is no other timer");
}

#[tokio::test]
async fn the_time_limit_of_a_wait_is_virtual() {
    let host = TestHost::new();
    let waiting = wait_for::start(host.client(), 30).await.unwrap();
    let error = in_time(waiting.result().timeout(7 * DAY)).await.unwrap_err();
    assert!(matches!(error, ResultError::TimedOut { .. }), "{error}");
    assert_eq!(host.now().timestamp(), 1_893_456_000 + 7 * 86_400);
    assert!(in_time(waiting.result().timeout(60 * DAY)).await.is_ok());
}

#[tokio::test]
async fn the_time_stands_still_while_an_activity_runs() {
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let gate = Arc::new(tokio::sync::Notify::new());
    let host = TestHost::new().mock_async::<send_reminder, _, _>({
        let gate = Arc::clone(&gate);
        move |_who: String| {
            begun.send(()).unwrap();
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                Ok(())
            }
        }
    });
    let approval = approve::start(host.client(), ada()).await.unwrap();
    let other = wait_for::start(host.client(), 1_000).await.unwrap();
    let result = tokio::spawn(other.result());
    in_time(begins.recv()).await.unwrap();
    // Everything that could move the time has had its chance.
    for _ in 0..100 {
        tokio::task::yield_now().await;
        assert_eq!(host.now().timestamp(), 1_893_456_000 + 86_400);
    }
    gate.notify_one();
    in_time(begins.recv()).await.unwrap();
    assert_eq!(host.now().timestamp(), 1_893_456_000 + 2 * 86_400);
    approval.terminate("enough").await.unwrap();
    gate.notify_one();
    assert_eq!(in_time(result).await.unwrap().unwrap(), 1_000);
}

#[tokio::test]
async fn activities_see_the_time_of_the_test() {
    let host = TestHost::new().register(registry![time_of_activity]);
    let (before, after) = in_time(times::start(host.client()).await.unwrap().result()).await.unwrap();
    assert_eq!((before, after - before), (1_893_456_000, 86_400));
}

#[tokio::test]
async fn answers_come_in_their_order() {
    let host = TestHost::new().returns::<pay>([Err(ActivityError::new("declined")), Ok("receipt".to_owned())]);
    let paid = purchase::start(host.client(), "card".to_owned()).await.unwrap();
    assert_eq!(in_time(paid.result()).await.unwrap(), "receipt");
    assert_eq!(host.calls::<pay>(), [("card".to_owned(), 7), ("card".to_owned(), 7)]);
}

#[tokio::test]
async fn a_call_after_the_last_answer_fails_the_test() {
    let host = TestHost::new().returns::<pay>([Err(ActivityError::new("declined"))]);
    let paid = purchase::start(host.client(), "card".to_owned()).await.unwrap();
    assert_eq!(in_time(paid.result()).await.unwrap(), "not paid");
    let message = failure(host);
    assert!(message.contains("activity `host_pay` was called again after its 1 answers"), "{message}");
}

#[tokio::test]
async fn an_activity_that_nobody_answers_fails_the_test_with_its_name() {
    let host = TestHost::new();
    let paid = purchase::start(host.client(), "card".to_owned()).await.unwrap();
    assert_eq!(in_time(paid.result()).await.unwrap(), "not paid", "the orchestrator handles the failure");
    let message = failure(host);
    assert!(message.contains("activity `host_pay` is neither mocked nor registered"), "{message}");
}

#[tokio::test]
async fn hosts_do_not_see_each_other() {
    let [real, fake, mocked] = [
        TestHost::new().register(registry![pay]),
        TestHost::new().replace::<pay, fake_pay>(),
        TestHost::new().mock::<pay>(|card: String, amount| Ok(format!("{card}: {amount}"))),
    ];
    for (host, expected) in [(real, "7 from x"), (fake, "pretends to take 7 from x"), (mocked, "x: 7")] {
        let paid = purchase::start(host.client(), "x".to_owned()).await.unwrap();
        assert_eq!(in_time(paid.result()).await.unwrap(), expected);
        assert_eq!(host.calls::<pay>().len(), 1);
    }
}

#[tokio::test]
async fn a_mock_may_change_what_it_has_captured() {
    let failures = Arc::new(AtomicU32::new(0));
    let host = TestHost::new().mock::<pay>({
        let (failures, mut calls) = (Arc::clone(&failures), 0);
        move |_card: String, _amount| {
            calls += 1;
            if calls > 1 {
                return Ok(format!("call {calls}"));
            }
            failures.fetch_add(1, Ordering::SeqCst);
            Err(ActivityError::new("declined"))
        }
    });
    let paid = purchase::start(host.client(), String::new()).await.unwrap();
    assert_eq!(in_time(paid.result()).await.unwrap(), "call 2");
    assert_eq!(failures.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_loop_that_never_ends_is_found() {
    let host = TestHost::new().max_turns(10).mock::<send_reminder>(|_who: String| Ok(()));
    let approval = approve::start(host.client(), ada()).await.unwrap();
    in_time(host.advance(30 * DAY)).await;
    assert!(host.turns(&approval) > 10);
    let message = failure(host);
    assert!(message.contains("has more than 10 turns"), "{message}");
    assert!(message.contains("+29d"), "{message}");
}

#[tokio::test]
async fn a_timeline_tells_what_the_instance_did() {
    let host = TestHost::new().mock::<send_reminder>(|_who: String| Ok(()));
    let approval = approve::start(host.client(), ada()).instance_id("purchase-1").await.unwrap();
    in_time(host.advance(DAY)).await;
    approval.raise_event(Approved(true)).await.unwrap();
    in_time(approval.result()).await.unwrap();
    let timeline = host.timeline(&approval);
    let expected = [
        "instance `purchase-1` of orchestrator `host_approve`",
        "turn 0 at +00:00:00.000",
        "← started with {\"who\":\"Ada\"}",
        "waits for event `host_approved`",
        "custom status \"Waiting\"",
        "at +1d 00:00:00.000",
        "activity `host_send_reminder` with \"Ada\"",
        "custom status {\"Reminded\":1}",
        "← event `host_approved` true",
        "Completed",
        "output true",
    ];
    let mut rest = timeline.as_str();
    for part in expected {
        let place = rest.find(part).unwrap_or_else(|| panic!("no {part} in its place:\n{timeline}"));
        rest = &rest[place + part.len()..];
    }
}

#[tokio::test]
async fn a_test_sees_what_an_instance_waits_for() {
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let host = TestHost::new().mock_async::<send_reminder, _, _>(move |_who: String| {
        begun.send(()).unwrap();
        std::future::pending()
    });
    let approval = approve::start(host.client(), ada()).await.unwrap();
    in_time(host.settle()).await;
    assert_eq!(host.waiting_events(&approval), ["host_approved"]);
    assert_eq!(host.pending_timers(&approval), [host.now() + DAY]);
    assert!(host.open_activities(&approval).is_empty());
    let advance = host.advance(DAY);
    tokio::select! {
        () = advance => panic!("the activity never returns"),
        _ = begins.recv() => {}
    }
    assert_eq!(host.open_activities(&approval), ["host_send_reminder"]);
    assert!(host.waiting_events(&approval).is_empty(), "the wait was dropped when its time was over");
    assert!(host.pending_timers(&approval).is_empty());
    approval.terminate("enough").await.unwrap();
    assert!(host.open_activities(&approval).is_empty());
}

#[tokio::test]
async fn a_store_that_fails_changes_nothing_that_the_test_sees() {
    let host = TestHost::new().mock::<send_reminder>(|_who: String| Ok(()));
    let approval = approve::start(host.client(), ada()).await.unwrap();
    for fault in [Fault::Applied, Fault::Lost] {
        host.faults().fail_next_commit(fault);
        in_time(host.advance(DAY)).await;
    }
    approval.raise_event(Approved(true)).await.unwrap();
    assert!(in_time(approval.result()).await.unwrap());
    let expected = [Stage::Waiting, Stage::Reminded(1), Stage::Reminded(2), Stage::Approved];
    assert_eq!(host.custom_statuses(&approval), expected);
}
