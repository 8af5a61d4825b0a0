//! How committed heads reach those who wait for them: shared reads, lives, recoveries, and what is left behind.

use std::task::Poll;

use super::fake::{Fake, Probe, complete, head, id, set_status};
use super::{Greeter, Progress};
use crate::client::{ClientError, CloseReason, SubmitError, WatchError};
use crate::model::{Head, InstanceKey, RuntimeStatus};

#[test]
fn a_thousand_watchers_of_one_instance_cost_one_read_and_leave_nothing_behind() {
    let fake = Fake::running();
    let held = fake.hold_reads();
    let probe = Probe::default();
    let handle = fake.handle::<Greeter>("g");
    let mut watches: Vec<_> = (0..1_000).map(|_| handle.watch_custom_status()).collect();
    for watch in &mut watches {
        assert!(probe.next(watch).is_pending());
    }
    held.send(true).unwrap();
    for watch in &mut watches {
        assert!(probe.next(watch).is_pending());
    }
    assert_eq!(fake.reads(), 1, "concurrent first readers share one read");

    fake.commit("g", |head| set_status(head, r#"{"done":1}"#));
    let mut late = handle.watch_custom_status();
    for watch in watches.iter_mut().chain([&mut late]) {
        assert_eq!(probe.next(watch), Poll::Ready(Some(Ok(Progress { done: 1 }))));
    }
    assert_eq!(fake.reads(), 1, "while somebody watches, the value is current");

    assert_eq!(fake.hub().watched_ids(|_| true), [id("g")]);
    watches.clear();
    assert_eq!(fake.hub().watched_ids(|_| true), [id("g")]);
    drop(late);
    assert!(fake.hub().watched_ids(|_| true).is_empty());
}

#[test]
fn waits_and_watches_leave_nothing_behind_however_they_end() {
    let fake = Fake::running();
    let handle = fake.handle::<Greeter>("g");
    let probe = Probe::default();
    let mut ended = (handle.watch_custom_status(), handle.result());
    let mut dropped = (handle.watch_custom_status(), handle.wait_for_custom_status(|_| false));
    let mut absent = fake.handle::<Greeter>("absent").result();
    assert!(probe.next(&mut ended.0).is_pending() && probe.poll(&mut ended.1).is_pending());
    assert!(probe.next(&mut dropped.0).is_pending() && probe.poll(&mut dropped.1).is_pending());
    assert!(probe.poll(&mut absent).is_ready());
    drop(dropped);
    assert_eq!(fake.hub().watched_ids(|_| true), [id("g")]);
    fake.commit("g", |head| complete(head, "[]"));
    assert!(fake.hub().watched_ids(|_| true).is_empty(), "an ended instance does not change any more");
    assert!(probe.next(&mut ended.0).is_ready() && probe.poll(&mut ended.1).is_ready());
    drop(ended);
    assert!(fake.hub().watched_ids(|_| true).is_empty());
}

#[test]
fn the_reader_that_goes_away_leaves_the_read_to_the_next() {
    let fake = Fake::running();
    fake.commit("g", |head| set_status(head, r#"{"done":4}"#));
    let held = fake.hold_reads();
    let probe = Probe::default();
    let handle = fake.handle::<Greeter>("g");
    let (mut first, mut second) = (handle.watch_custom_status(), handle.watch_custom_status());
    assert!(probe.next(&mut first).is_pending() && probe.next(&mut second).is_pending());
    drop(first);
    held.send(true).unwrap();
    assert_eq!(probe.next(&mut second), Poll::Ready(Some(Ok(Progress { done: 4 }))));
    assert_eq!(fake.reads(), 2);
}

#[test]
fn a_read_that_failed_is_the_error_of_its_reader_alone() {
    let fake = Fake::running();
    let handle = fake.handle::<Greeter>("g");
    let probe = Probe::default();
    let (mut first, mut second) = (handle.wait_for_start(), handle.wait_for_start());
    fake.fail_reads(Some(SubmitError::StoreUnavailable { cause: "busy".to_owned() }));
    assert!(matches!(probe.poll(&mut first), Poll::Ready(Err(_))));
    fake.fail_reads(None);
    assert!(matches!(probe.poll(&mut second), Poll::Ready(Ok(_))));
}

#[test]
fn absence_is_shared_only_with_those_who_asked_before_the_read_began() {
    let fake = Fake::new();
    let held = fake.hold_reads();
    let probe = Probe::default();
    let handle = fake.handle::<Greeter>("g");
    let (mut first, mut before) = (handle.wait_for_start(), handle.watch_custom_status());
    assert!(probe.poll(&mut first).is_pending() && probe.next(&mut before).is_pending());

    // The instance was created and its start was acknowledged, but the news of it has not been published yet.
    fake.store(head("g", 1));
    let mut after = fake.started::<Greeter>("g", 1).wait_for_start();
    assert!(probe.poll(&mut after).is_pending());
    held.send(true).unwrap();
    assert!(matches!(probe.poll(&mut first), Poll::Ready(Err(error)) if error.last().is_none()));
    let not_found = ClientError::NotFound { id: id("g") };
    assert_eq!(probe.next(&mut before), Poll::Ready(Some(Err(not_found.into()))));
    assert!(probe.poll(&mut after).is_pending(), "it is there, and waits for its first turn");
    assert_eq!(fake.reads(), 2);
    fake.commit("g", |head| head.progress_mut().status = RuntimeStatus::Running);
    assert!(matches!(probe.poll(&mut after), Poll::Ready(Ok(_))));
}

#[test]
fn an_older_head_never_replaces_a_newer_one() {
    let fake = Fake::running();
    let probe = Probe::default();
    let mut watch = fake.handle::<Greeter>("g").watch_custom_status();
    assert!(probe.next(&mut watch).is_pending());
    let old = fake.commit_silently("g", |head| set_status(head, r#"{"done":1}"#));
    fake.commit("g", |head| set_status(head, r#"{"done":2}"#));
    fake.hub().publish(old);
    let mut earlier = head("g", 0);
    earlier.progress_mut().revision = 99;
    fake.hub().publish(earlier);
    assert_eq!(probe.next(&mut watch), Poll::Ready(Some(Ok(Progress { done: 2 }))));
    assert!(probe.next(&mut watch).is_pending());
}

#[test]
fn a02_a_start_follows_its_own_life_while_others_still_follow_the_previous_one() {
    let fake = Fake::running();
    let probe = Probe::default();
    let mut before = fake.handle::<Greeter>("g").watch_custom_status();
    assert!(probe.next(&mut before).is_pending());

    // The first life ended and the second began. Neither was published when the start is answered.
    let ended = fake.commit_silently("g", |head| complete(head, "[]"));
    fake.store(head("g", 2));
    let mut result = fake.started::<Greeter>("g", 2).result();
    assert!(probe.poll(&mut result).is_pending());
    fake.hub().publish(ended);
    assert_eq!(probe.next(&mut before), Poll::Ready(None));
    assert!(probe.poll(&mut result).is_pending());
    fake.commit("g", |head| complete(head, r#"["Hello"]"#));
    assert_eq!(probe.poll(&mut result), Poll::Ready(Ok(vec!["Hello".to_owned()])));
}

/// The first life ended and the second began, and a reader of the store is faster than the news of the first.
#[test]
fn a02_a_late_notice_of_an_end_does_not_affect_followers_of_the_next_life() {
    type News = fn(&Fake, Head);
    let published: News = |fake, ended| fake.hub().publish(ended);
    let answered: News = |fake, ended| drop(fake.hub().register_with(&ended));
    for news in [published, answered] {
        let fake = Fake::running();
        let probe = Probe::default();
        let ended = fake.commit_silently("g", |head| complete(head, "[]"));
        fake.store(head("g", 2));
        let mut watch = fake.handle::<Greeter>("g").watch_custom_status();
        assert!(probe.next(&mut watch).is_pending());
        news(&fake, ended);
        fake.commit("g", |head| set_status(head, r#"{"done":1}"#));
        assert_eq!(probe.next(&mut watch), Poll::Ready(Some(Ok(Progress { done: 1 }))));
    }
}

#[test]
fn b10_a_late_read_of_an_end_does_not_affect_followers_of_the_next_life() {
    let fake = Fake::running();
    let probe = Probe::default();
    fake.commit_silently("g", |head| complete(head, "[]"));
    fake.after_read(|fake| fake.create(head("g", 2)));
    let mut watch = fake.handle::<Greeter>("g").watch_custom_status();
    assert!(probe.next(&mut watch).is_pending());
    fake.commit("g", |head| set_status(head, r#"{"done":1}"#));
    assert_eq!(probe.next(&mut watch), Poll::Ready(Some(Ok(Progress { done: 1 }))));
}

#[test]
fn b01_after_a_recovery_waits_see_what_the_store_contains() {
    let fake = Fake::running();
    let probe = Probe::default();
    let mut watch = fake.handle::<Greeter>("g").watch_custom_status();
    assert!(probe.next(&mut watch).is_pending());
    let applied = fake.commit_silently("g", |head| set_status(head, r#"{"done":1}"#));
    for _ in 0..2 {
        fake.hub().offer(applied.clone());
    }
    assert_eq!(probe.next(&mut watch), Poll::Ready(Some(Ok(Progress { done: 1 }))));
    assert!(probe.next(&mut watch).is_pending());
}

#[test]
fn b01_a_life_whose_end_was_never_announced_is_gone_after_a_recovery() {
    let gone = || Poll::Ready(Some(Err(WatchError::Client(ClientError::NotFound { id: id("g") }))));
    for purged in [true, false] {
        let fake = Fake::running();
        let probe = Probe::default();
        let handle = fake.handle::<Greeter>("g");
        let (mut watch, mut unread) = (handle.watch_custom_status(), fake.handle::<Greeter>("u").watch_custom_status());
        assert!(probe.next(&mut watch).is_pending());
        if purged {
            fake.remove("g");
            // A read from before a later life began is not published.
            fake.hub().offer_absent(&id("g"), Some(InstanceKey(9)));
            assert_eq!(fake.hub().known_life(&id("g")), Some(InstanceKey(1)));
            fake.hub().offer_absent(&id("g"), fake.hub().known_life(&id("g")));
        } else {
            fake.store(head("g", 2));
            fake.hub().offer(head("g", 2));
        }
        assert_eq!(probe.next(&mut watch), gone());
        assert_eq!(probe.next(&mut watch), Poll::Ready(None));
        assert_eq!(fake.hub().watched_ids(|_| true), [id("u")]);

        fake.hub().offer_absent(&id("u"), fake.hub().known_life(&id("u")));
        fake.create(head("u", 3));
        assert!(probe.next(&mut unread).is_pending(), "who has not read yet finds out for itself");
    }
}

#[test]
fn b21_a_runtime_that_stops_answers_current_and_later_callers() {
    for (reason, error) in [
        (CloseReason::Stopped, ClientError::RuntimeStopped),
        (CloseReason::Fatal { cause: "three".to_owned() }, ClientError::Fatal { cause: "three".to_owned() }),
    ] {
        let fake = Fake::running();
        let probe = Probe::default();
        let handle = fake.handle::<Greeter>("g");
        let mut waiting = handle.result();
        assert!(probe.poll(&mut waiting).is_pending());
        let held = fake.hold_reads();
        let mut reading = fake.handle::<Greeter>("other").wait_for_start();
        assert!(probe.poll(&mut reading).is_pending());

        let woken = probe.wakes();
        fake.hub().close(reason);
        fake.hub().close(CloseReason::Stopped);
        assert!(probe.wakes() >= woken + 2);
        assert_eq!(probe.poll(&mut waiting), Poll::Ready(Err(error.clone().into())));
        assert_eq!(probe.poll(&mut reading), Poll::Ready(Err(error.clone().into())));
        assert_eq!(probe.poll(&mut handle.result()), Poll::Ready(Err(error.into())));
        assert!(fake.hub().watched_ids(|_| true).is_empty());
        drop(held);
    }
}

#[test]
fn a_final_value_outlives_the_runtime_that_wrote_it() {
    let fake = Fake::running();
    let probe = Probe::default();
    let mut result = fake.handle::<Greeter>("g").result();
    assert!(probe.poll(&mut result).is_pending());
    fake.commit("g", |head| complete(head, "[]"));
    fake.hub().close(CloseReason::Stopped);
    assert_eq!(probe.poll(&mut result), Poll::Ready(Ok(Vec::new())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b10_under_load_every_watch_rises_and_reaches_the_final_value_of_its_life() {
    const LIVES: u64 = 50;
    const VALUES: u32 = 40;
    let fake = Fake::running();
    let (ended, mut current) = tokio::sync::watch::channel(1);
    let engine = fake.clone();
    let engine = std::thread::spawn(move || {
        for life in 1..=LIVES {
            for done in 1..=VALUES {
                engine.commit("g", |head| {
                    set_status(head, &format!(r#"{{"done":{done}}}"#));
                    if done == VALUES {
                        complete(head, "[]");
                    }
                });
            }
            if life < LIVES {
                engine.create(head("g", life + 1));
            }
            ended.send_replace(life);
        }
    });
    let mut watches = Vec::new();
    while current.changed().await.is_ok() {
        let mut watch = fake.handle::<Greeter>("g").watch_custom_status();
        watches.push(tokio::spawn(async move {
            let mut seen = vec![0];
            while let Some(progress) = watch.next().await {
                seen.push(progress.unwrap().done);
            }
            seen
        }));
    }
    engine.join().unwrap();
    for watch in watches {
        let seen = watch.await.unwrap();
        assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
        assert_eq!(seen.last(), Some(&VALUES));
    }
    assert!(fake.hub().watched_ids(|_| true).is_empty());
}
