//! Waits: what ends them, what a time-out contains, and that only commits wake them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use super::fake::{Fake, Probe, clear_status, complete, head, id, no_code, ready, set_status};
use super::{Greeter, NoSuchCity, Progress, Silent};
use crate::client::{ClientError, ResultError, StartOrchestration, WaitError};
use crate::contract::Failure;
use crate::engine::ClientAnswer;
use crate::model::{FailureDetails, Head, InstanceKey, JsonText, RuntimeStatus};

#[test]
fn a_wait_for_the_start_is_woken_by_the_first_turn_and_sees_its_status() {
    let fake = Fake::new();
    fake.create(head("g", 1));
    let probe = Probe::default();
    let mut typed = fake.handle::<Greeter>("g").wait_for_start();
    let mut untyped = fake.client().wait_for_start("g");
    assert!(probe.poll(&mut typed).is_pending() && probe.poll(&mut untyped).is_pending());
    let woken = probe.wakes();
    assert!(probe.poll(&mut typed).is_pending() && probe.poll(&mut untyped).is_pending());
    assert_eq!(probe.wakes(), woken, "nothing but a commit wakes it");
    fake.commit("g", |head| {
        head.progress_mut().status = RuntimeStatus::Running;
        set_status(head, r#"{"done":0}"#);
    });
    assert!(probe.wakes() >= woken + 2);
    for wait in [&mut typed, &mut untyped] {
        let Poll::Ready(Ok(started)) = probe.poll(wait) else { panic!("it has started") };
        assert_eq!(started.read_custom_status_as(), Ok(Some(Progress { done: 0 })));
    }
    assert_eq!(fake.reads(), 1);
}

#[test]
fn a_wait_for_completion_gives_the_instance_as_it_ended_however() {
    for status in [RuntimeStatus::Completed, RuntimeStatus::Failed, RuntimeStatus::Terminated] {
        let fake = Fake::running();
        let probe = Probe::default();
        let mut wait = fake.client().wait_for_completion("g");
        assert!(probe.poll(&mut wait).is_pending());
        fake.commit("g", |head| head.progress_mut().status = status);
        let Poll::Ready(Ok(ended)) = probe.poll(&mut wait) else { panic!("it has ended") };
        assert_eq!(ended.runtime_status(), status);
        assert_eq!(ready(fake.client().wait_for_completion("g")).unwrap(), ended, "ended already");
    }
}

#[test]
fn a_wait_for_an_unknown_instance_is_answered_at_once() {
    let fake = Fake::new();
    let error = WaitError::from(ClientError::NotFound { id: id("g") });
    assert_eq!(ready(fake.client().wait_for_start("g")), Err(error.clone()));
    assert_eq!(ready(fake.client().wait_for_completion("g")), Err(error));
    let error = ready(fake.client().wait_for_start("a#b")).unwrap_err();
    assert!(matches!(error, WaitError::Client(ClientError::InvalidInstanceId(_))), "{error}");
}

#[test]
fn a_wait_for_a_status_passes_over_what_is_cleared_or_of_another_type() {
    let fake = Fake::running();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let probe = Probe::default();
    let mut wait = fake.handle::<Greeter>("g").wait_for_custom_status(move |progress| {
        count.fetch_add(1, Ordering::SeqCst);
        progress.done >= 3
    });
    let changes: [fn(&mut Head); 5] = [
        |_| {},
        |head| set_status(head, r#"{"done":1}"#),
        |head| head.progress_mut().status = RuntimeStatus::Suspended,
        |head| set_status(head, r#""old""#),
        clear_status,
    ];
    for change in changes {
        fake.commit("g", change);
        assert!(probe.poll(&mut wait).is_pending());
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "each value is asked about once");
    fake.commit("g", |head| set_status(head, r#"{"done":3}"#));
    assert_eq!(probe.poll(&mut wait), Poll::Ready(Ok(Progress { done: 3 })));
    assert_eq!(ready(fake.handle::<Greeter>("g").wait_for_custom_status(|p| p.done == 3)), Ok(Progress { done: 3 }));
}

#[test]
fn a_commit_between_register_and_read_answers_a_wait() {
    let fake = Fake::running();
    fake.after_read(|fake| fake.commit("g", |head| complete(head, "[]")));
    assert_eq!(ready(fake.handle::<Greeter>("g").result()), Ok(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_ends_answers_a_wait_for_a_status_and_is_no_timeout() {
    let fake = Fake::running();
    let probe = Probe::default();
    let handle = fake.handle::<Greeter>("g");
    let mut never = handle.wait_for_custom_status(|p| p.done == 9).timeout(Duration::from_secs(60));
    let mut last = handle.wait_for_custom_status(|p| p.done == 2).timeout(Duration::from_secs(60));
    assert!(probe.poll(&mut never).is_pending() && probe.poll(&mut last).is_pending());
    fake.commit("g", |head| {
        set_status(head, r#"{"done":2}"#);
        complete(head, "[]");
    });
    assert_eq!(last.await, Ok(Progress { done: 2 }), "the final value counts");
    let error = never.await.unwrap_err();
    assert!(matches!(error, WaitError::Ended { .. }), "{error}");
    assert_eq!(error.last().unwrap().read_custom_status_as(), Ok(Some(Progress { done: 2 })));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_carries_what_was_seen_last() {
    let fake = Fake::running();
    let handle = fake.handle::<Greeter>("g");
    let probe = Probe::default();
    let after = Duration::from_secs(5);
    let mut wait = handle.wait_for_custom_status(|p| p.done == 9).timeout(after);
    assert!(probe.poll(&mut wait).is_pending());
    fake.commit("g", |head| set_status(head, r#"{"done":2}"#));
    let error = wait.await.unwrap_err();
    assert!(error.is_timed_out());
    assert_eq!(error.last().unwrap().read_custom_status_as(), Ok(Some(Progress { done: 2 })));
    assert!(error.to_string().contains(r#"`g` is Running, custom status {"done":2}"#), "{error}");

    let error = handle.result().timeout(after).await.unwrap_err();
    assert!(error.is_timed_out());
    let ResultError::TimedOut { last: Some(last), after: waited } = error else { panic!("{error}") };
    assert_eq!((last.runtime_status(), waited), (RuntimeStatus::Running, after));
    assert!(handle.wait_for_start().timeout(Duration::ZERO).await.is_ok(), "what is so already needs no time");
    assert!(fake.hub().watched_ids(|_| true).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_timeout_during_the_first_read_has_seen_nothing() {
    let fake = Fake::running();
    let held = fake.hold_reads();
    let error = fake.client().wait_for_completion("g").timeout(Duration::from_secs(1)).await.unwrap_err();
    assert!(matches!(error, WaitError::TimedOut { last: None, .. }), "{error}");
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_answered_in_time_does_not_time_out() {
    let fake = Fake::running();
    let wait = tokio::spawn(fake.handle::<Greeter>("g").result().timeout(Duration::MAX));
    tokio::time::advance(Duration::from_secs(3_600)).await;
    fake.commit("g", |head| complete(head, "[]"));
    assert_eq!(wait.await.unwrap(), Ok(Vec::new()));
}

#[test]
fn a17_a_parked_instance_answers_every_wait_with_its_reason() {
    let fake = Fake::new();
    fake.create(head("g", 1));
    let handle = fake.handle::<Greeter>("g");
    let probe = Probe::default();
    let mut result = handle.result();
    assert!(probe.poll(&mut result).is_pending());
    fake.commit("g", |head| head.progress_mut().parked = Some(no_code("operation 3 differs")));
    let parked = no_code("operation 3 differs");
    assert_eq!(probe.poll(&mut result), Poll::Ready(Err(ResultError::Parked { reason: parked.clone() })));
    for error in [
        ready(handle.wait_for_start()).unwrap_err(),
        ready(fake.client().wait_for_completion("g")).unwrap_err(),
        ready(handle.wait_for_custom_status(|_| true)).unwrap_err(),
    ] {
        assert!(matches!(&error, WaitError::Parked { reason, .. } if *reason == parked), "{error}");
        assert_eq!(error.last().unwrap().parked_reason(), Some(&parked));
    }
}

#[test]
fn a_wait_is_answered_by_its_condition_even_if_the_instance_is_parked() {
    let fake = Fake::running();
    fake.commit("g", |head| {
        set_status(head, r#"{"done":1}"#);
        head.progress_mut().parked = Some(no_code("no code"));
    });
    let handle = fake.handle::<Greeter>("g");
    assert_eq!(ready(handle.wait_for_custom_status(|p| p.done == 1)), Ok(Progress { done: 1 }));
    assert_eq!(ready(handle.wait_for_start()).unwrap().parked_reason(), Some(&no_code("no code")));
}

#[test]
fn a_result_is_typed_in_every_way_that_an_orchestration_may_end() {
    let app = NoSuchCity { city: "Atlantis".to_owned() };
    let details = app.__to_details();
    let other = FailureDetails::new("Other", "broke");
    let result = |change: &dyn Fn(&mut Head)| {
        let fake = Fake::running();
        fake.commit("g", |head| change(head));
        ready(fake.handle::<Greeter>("g").result())
    };
    assert_eq!(result(&|head| complete(head, r#"["Hello"]"#)), Ok(vec!["Hello".to_owned()]));

    let failed = |failure: FailureDetails| {
        result(&move |head| {
            head.progress_mut().status = RuntimeStatus::Failed;
            head.progress_mut().failure = Some(failure.clone());
        })
    };
    let error = failed(details.clone()).unwrap_err();
    assert_eq!((error.app(), error.details()), (Some(&app), Some(&details)));
    assert_eq!(failed(other.clone()), Err(ResultError::Failed(other)));

    let terminated = result(&|head| {
        complete(head, r#""too slow""#);
        head.progress_mut().status = RuntimeStatus::Terminated;
    });
    assert_eq!(terminated, Err(ResultError::Terminated { reason: "too slow".to_owned() }));

    let error = result(&|head| complete(head, "7")).unwrap_err();
    assert!(matches!(&error, ResultError::Client(ClientError::Decode { what: "output", .. })), "{error}");
}

#[test]
fn the_result_of_an_orchestrator_without_output_is_unit() {
    let fake = Fake::new();
    let mut silent = head("s", 1);
    silent.life_mut().name = "silent".to_owned();
    silent.progress_mut().status = RuntimeStatus::Completed;
    fake.create(silent);
    assert_eq!(ready(fake.handle::<Silent>("s").result()), Ok(()));
}

#[test]
fn the_handle_of_a_start_waits_and_watches_without_a_read() {
    let fake = Fake::running();
    let start = |fake: &Fake| {
        fake.answer(Ok(ClientAnswer::Started { id: id("g"), key: InstanceKey(1), created: true }));
        ready(StartOrchestration::<Greeter>::new(&fake.client(), JsonText::encode(&["Tokyo"]))).unwrap()
    };
    let handle = start(&fake);
    let probe = Probe::default();
    let (mut result, mut watch) = (handle.result(), handle.watch_custom_status());
    assert!(probe.poll(&mut result).is_pending() && probe.next(&mut watch).is_pending());
    fake.commit("g", |head| set_status(head, r#"{"done":1}"#));
    assert_eq!(probe.next(&mut watch), Poll::Ready(Some(Ok(Progress { done: 1 }))));
    fake.commit("g", |head| complete(head, r#"["Hello"]"#));
    assert_eq!(probe.poll(&mut result), Poll::Ready(Ok(vec!["Hello".to_owned()])));
    // The handle still knows the end of its life, whatever happens to the id.
    fake.remove("g");
    assert_eq!(ready(handle.clone().result()), Ok(vec!["Hello".to_owned()]));
    assert_eq!(fake.reads(), 0);
    assert!(matches!(ready(handle.metadata()), Err(ClientError::NotFound { .. })), "a read reads");
    drop((handle, watch, result));
    assert!(fake.hub().watched_ids(|_| true).is_empty());
}

#[test]
fn a_wait_for_the_end_is_woken_by_the_end_alone() {
    let fake = Fake::running();
    let probe = Probe::default();
    let (mut result, mut end) = (fake.handle::<Greeter>("g").result(), fake.client().wait_for_completion("g"));
    assert!(probe.poll(&mut result).is_pending() && probe.poll(&mut end).is_pending());
    let woken = probe.wakes();
    for done in 0..5 {
        fake.commit("g", |head| set_status(head, &format!(r#"{{"done":{done}}}"#)));
    }
    assert_eq!(probe.wakes(), woken);
    fake.commit("g", |head| head.progress_mut().parked = Some(no_code("the code changed")));
    assert_eq!(probe.wakes(), woken + 2);
    assert!(matches!(probe.poll(&mut result), Poll::Ready(Err(ResultError::Parked { .. }))));
    assert!(matches!(probe.poll(&mut end), Poll::Ready(Err(WaitError::Parked { .. }))));
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_the_end_that_times_out_returns_the_newest_status() {
    let fake = Fake::running();
    let wait = tokio::spawn(fake.client().wait_for_completion("g").timeout(Duration::from_secs(5)));
    tokio::task::yield_now().await;
    fake.commit("g", |head| set_status(head, r#"{"done":3}"#));
    let error = wait.await.unwrap().unwrap_err();
    assert_eq!(error.last().unwrap().serialized_custom_status(), Some(r#"{"done":3}"#));
}
