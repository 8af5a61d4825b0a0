//! The watch of a custom status: the cases of rule B10.

use std::task::Poll;

use serde_json::json as value;

use super::fake::{Fake, Probe, clear_status, complete, head, id, no_code, ready, set_status};
use super::{Greeter, Progress};
use crate::client::{ClientError, CloseReason, InstanceWatch, StatusToken, StatusWatch, SubmitError, WatchError};
use crate::model::RuntimeStatus;

type Item = Poll<Option<Result<Progress, WatchError>>>;

fn done(done: u32) -> Item {
    Poll::Ready(Some(Ok(Progress { done })))
}

fn status(done: u32) -> String {
    format!(r#"{{"done":{done}}}"#)
}

fn set(fake: &Fake, done: u32) {
    fake.commit("g", |head| set_status(head, &status(done)));
}

const OVER: Item = Poll::Ready(None);
const NOTHING: Item = Poll::Pending;

fn watch(fake: &Fake) -> (Probe, StatusWatch<Progress>) {
    (Probe::default(), fake.handle::<Greeter>("g").watch_custom_status())
}

#[test]
fn b10_the_current_value_comes_first_then_each_committed_one_until_the_end() {
    let fake = Fake::running();
    set(&fake, 1);
    let (probe, mut watch) = watch(&fake);
    assert_eq!(probe.next(&mut watch), done(1));
    assert_eq!(probe.next(&mut watch), NOTHING);
    let woken = probe.wakes();
    set(&fake, 2);
    assert!(probe.wakes() > woken, "the commit wakes it");
    assert_eq!(probe.next(&mut watch), done(2));
    assert_eq!(probe.next(&mut watch), NOTHING);
    fake.commit("g", |head| complete(head, "[]"));
    assert_eq!(probe.next(&mut watch), OVER);
    assert_eq!(probe.next(&mut watch), OVER);
    assert_eq!(fake.reads(), 1);
}

#[test]
fn b10_the_final_value_comes_before_the_end_when_one_commit_brings_both() {
    let fake = Fake::running();
    let (probe, mut watch) = watch(&fake);
    assert_eq!(probe.next(&mut watch), NOTHING);
    fake.commit("g", |head| {
        set_status(head, &status(9));
        complete(head, "[]");
    });
    assert_eq!(probe.next(&mut watch), done(9));
    assert_eq!(probe.next(&mut watch), OVER);
}

#[test]
fn b10_a_commit_between_register_and_read_is_seen_once() {
    let fake = Fake::running();
    fake.before_read(|fake| set(fake, 1));
    let (probe, mut watch_) = watch(&fake);
    assert_eq!(probe.next(&mut watch_), done(1));
    assert_eq!(probe.next(&mut watch_), NOTHING);

    // The read took its row before the commit, so its answer is older than what was published in the meantime.
    let fake = Fake::running();
    set(&fake, 1);
    fake.after_read(|fake| set(fake, 2));
    let (probe, mut watch_) = watch(&fake);
    assert_eq!(probe.next(&mut watch_), done(2));
    assert_eq!(probe.next(&mut watch_), NOTHING);
    set(&fake, 3);
    assert_eq!(probe.next(&mut watch_), done(3));
}

#[test]
fn b10_an_end_between_register_and_read_is_not_lost() {
    let fake = Fake::running();
    fake.after_read(|fake| {
        fake.commit("g", |head| {
            set_status(head, &status(1));
            complete(head, "[]");
        });
    });
    let (probe, mut watch) = watch(&fake);
    assert_eq!(probe.next(&mut watch), done(1));
    assert_eq!(probe.next(&mut watch), OVER);
}

#[test]
fn b10_a_slow_reader_gets_the_newest_value_only_and_none_twice() {
    let fake = Fake::running();
    set(&fake, 1);
    let (probe, mut watch) = watch(&fake);
    assert_eq!(probe.next(&mut watch), done(1));
    for n in 2..1_000 {
        set(&fake, n);
    }
    assert_eq!(probe.next(&mut watch), done(999));
    assert_eq!(probe.next(&mut watch), NOTHING);
    fake.commit("g", |head| head.progress_mut().status = RuntimeStatus::Suspended);
    assert_eq!(probe.next(&mut watch), NOTHING, "the row changed, the status did not");
}

#[test]
fn b10_a_watch_belongs_to_one_life_and_yields_its_final_value() {
    let fake = Fake::running();
    set(&fake, 1);
    let (probe, mut first) = watch(&fake);
    assert_eq!(probe.next(&mut first), done(1));
    fake.commit("g", |head| {
        set_status(head, &status(2));
        complete(head, "[]");
    });
    fake.create(head("g", 2));
    set(&fake, 100);
    let mut second = fake.handle::<Greeter>("g").watch_custom_status();
    assert_eq!(probe.next(&mut second), done(100));
    assert_eq!(probe.next(&mut first), done(2));
    assert_eq!(probe.next(&mut first), OVER);
    assert_eq!(probe.next(&mut second), NOTHING);
}

#[test]
fn b10_a_watch_that_is_first_polled_late_misses_no_value_committed_since_its_creation() {
    let fake = Fake::running();
    let (probe, mut watch) = watch(&fake);
    fake.commit("g", |head| {
        set_status(head, &status(7));
        complete(head, "[]");
    });
    fake.create(head("g", 2));
    assert_eq!(probe.next(&mut watch), done(7));
    assert_eq!(probe.next(&mut watch), OVER);
    assert_eq!(fake.reads(), 0);
}

#[test]
fn a_watch_of_an_ended_instance_gives_its_final_value_and_ends() {
    let fake = Fake::running();
    set(&fake, 3);
    fake.commit("g", |head| complete(head, "[]"));
    let (probe, mut watch_) = watch(&fake);
    assert_eq!(probe.next(&mut watch_), done(3));
    assert_eq!(probe.next(&mut watch_), OVER);
    fake.commit("g", clear_status);
    let (probe, mut watch_) = watch(&fake);
    assert_eq!(probe.next(&mut watch_), OVER);
}

#[test]
fn a_cleared_status_is_skipped_and_the_same_text_set_again_is_a_new_value() {
    let fake = Fake::running();
    set(&fake, 1);
    let (probe, mut watch) = watch(&fake);
    assert_eq!(probe.next(&mut watch), done(1));
    fake.commit("g", clear_status);
    assert_eq!(probe.next(&mut watch), NOTHING);
    set(&fake, 1);
    assert_eq!(probe.next(&mut watch), done(1));
}

#[test]
fn a_value_of_another_type_is_an_error_that_carries_it_and_the_watch_goes_on() {
    let fake = Fake::running();
    fake.commit("g", |head| set_status(head, r#"{"old":true}"#));
    let (probe, mut watch) = watch(&fake);
    let Poll::Ready(Some(Err(WatchError::Undecodable { id: of, value, .. }))) = probe.next(&mut watch) else {
        panic!("an error was expected")
    };
    assert_eq!((of, value), (id("g"), value!({"old": true})));
    assert_eq!(probe.next(&mut watch), NOTHING);
    set(&fake, 1);
    assert_eq!(probe.next(&mut watch), done(1));
}

#[test]
fn a_parked_instance_is_told_once_each_time_and_the_watch_goes_on() {
    let fake = Fake::running();
    set(&fake, 1);
    fake.commit("g", |head| head.progress_mut().parked = Some(no_code("no code")));
    let parked = || Poll::Ready(Some(Err(WatchError::Parked { id: id("g"), reason: no_code("no code") })));
    let (probe, mut watch) = watch(&fake);
    assert_eq!(probe.next(&mut watch), done(1));
    assert_eq!(probe.next(&mut watch), parked());
    assert_eq!(probe.next(&mut watch), NOTHING);
    fake.commit("g", |head| head.progress_mut().status = RuntimeStatus::Suspended);
    assert_eq!(probe.next(&mut watch), NOTHING);
    fake.commit("g", |head| head.progress_mut().parked = None);
    assert_eq!(probe.next(&mut watch), NOTHING);
    fake.commit("g", |head| head.progress_mut().parked = Some(no_code("no code")));
    assert_eq!(probe.next(&mut watch), parked());
    fake.commit("g", |head| {
        head.progress_mut().parked = None;
        set_status(head, &status(2));
    });
    assert_eq!(probe.next(&mut watch), done(2));
}

#[test]
fn b10_a_token_resumes_without_repetition_and_another_lifes_token_starts_from_the_current_value() {
    let fake = Fake::running();
    set(&fake, 1);
    let (probe, mut first) = watch(&fake);
    assert_eq!(first.resume_token(), None);
    assert_eq!(probe.next(&mut first), done(1));
    let token: StatusToken = first.resume_token().unwrap().to_string().parse().unwrap();
    assert_eq!(Some(token), first.resume_token());
    assert_eq!(token.to_string(), "1.1");

    let resume = |fake: &Fake| fake.handle::<Greeter>("g").watch_custom_status_from(token);
    let mut same = resume(&fake);
    assert_eq!(probe.next(&mut same), NOTHING);
    set(&fake, 2);
    assert_eq!(probe.next(&mut same), done(2));
    assert_eq!(probe.next(&mut resume(&fake)), done(2));

    fake.commit("g", |head| complete(head, "[]"));
    fake.create(head("g", 2));
    set(&fake, 50);
    assert_eq!(probe.next(&mut resume(&fake)), done(50), "the same version, of another life");
    for text in ["", "1", "1.", ".1", "a.b", "1.2.3"] {
        assert!(text.parse::<StatusToken>().is_err(), "{text}");
    }
}

#[test]
fn dropping_the_future_of_next_loses_nothing() {
    let fake = Fake::running();
    let (probe, mut watch) = watch(&fake);
    {
        let mut next = Box::pin(watch.next());
        assert!(probe.poll(&mut next).is_pending());
        set(&fake, 1);
    }
    assert_eq!(probe.next(&mut watch), done(1));
}

#[test]
fn a_watch_of_what_cannot_be_read_says_so_and_ends() {
    let fake = Fake::new();
    let (probe, mut watch_) = watch(&fake);
    let not_found = WatchError::Client(ClientError::NotFound { id: id("g") });
    assert_eq!(probe.next(&mut watch_), Poll::Ready(Some(Err(not_found))));
    assert_eq!(probe.next(&mut watch_), OVER);

    let fake = Fake::running();
    fake.fail_reads(Some(SubmitError::StoreUnavailable { cause: "full".to_owned() }));
    let (probe, mut watch_) = watch(&fake);
    let error = ClientError::StoreUnavailable { cause: "full".to_owned() };
    assert_eq!(probe.next(&mut watch_), Poll::Ready(Some(Err(error.into()))));
    assert_eq!(probe.next(&mut watch_), OVER);
}

#[test]
fn a_watch_gives_the_last_committed_value_before_it_says_that_the_runtime_stopped() {
    let fake = Fake::running();
    let (probe, mut watch) = watch(&fake);
    assert_eq!(probe.next(&mut watch), NOTHING);
    set(&fake, 1);
    fake.hub().close(CloseReason::Stopped);
    assert_eq!(probe.next(&mut watch), done(1));
    assert_eq!(probe.next(&mut watch), Poll::Ready(Some(Err(ClientError::RuntimeStopped.into()))));
    assert_eq!(probe.next(&mut watch), OVER);
}

#[tokio::test]
async fn a_watch_can_be_spawned_and_is_woken_by_each_commit() {
    let fake = Fake::running();
    let (seen, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut watch = fake.handle::<Greeter>("g").watch_custom_status();
    let reader = tokio::spawn(async move {
        while let Some(progress) = watch.next().await {
            seen.send(progress.unwrap().done).unwrap();
        }
    });
    for n in 1..=20 {
        set(&fake, n);
        assert_eq!(told.recv().await, Some(n));
    }
    fake.commit("g", |head| complete(head, "[]"));
    reader.await.unwrap();
    assert_eq!(told.recv().await, None);
    assert_eq!(ready(fake.handle::<Greeter>("g").watch_custom_status().next()), Some(Ok(Progress { done: 20 })));
}

#[test]
fn an_instance_is_watched_by_its_id_until_it_ends() {
    let fake = Fake::running();
    let probe = Probe::default();
    let (client, mut seen) = (fake.client(), Vec::new());
    let mut watch = client.watch_instance("g");
    let mut next = |watch: &mut InstanceWatch| {
        let mut next = Box::pin(watch.next());
        match probe.poll(&mut next) {
            Poll::Ready(Some(Ok(metadata))) => {
                let status = metadata.serialized_custom_status().map(ToOwned::to_owned);
                seen.push((metadata.runtime_status(), status, metadata.custom_status_token().to_string()));
                true
            }
            Poll::Ready(None) => false,
            other => panic!("{other:?}"),
        }
    };
    assert!(next(&mut watch));
    // Values that a slow reader has missed are skipped.
    fake.commit("g", |head| set_status(head, r#"{"done":1}"#));
    fake.commit("g", |head| set_status(head, r#"{"done":2}"#));
    assert!(next(&mut watch));
    fake.commit("g", |head| head.progress_mut().status = RuntimeStatus::Suspended);
    assert!(next(&mut watch));
    fake.commit("g", |head| complete(head, "[]"));
    assert!(next(&mut watch) && !next(&mut watch));
    let done = Some(r#"{"done":2}"#.to_owned());
    assert_eq!(
        seen,
        [
            (RuntimeStatus::Running, None, "1.0".to_owned()),
            (RuntimeStatus::Running, done.clone(), "1.2".to_owned()),
            (RuntimeStatus::Suspended, done.clone(), "1.2".to_owned()),
            (RuntimeStatus::Completed, done, "1.2".to_owned()),
        ]
    );
    assert_eq!(fake.reads(), 1);
}

#[test]
fn a_watch_of_an_unknown_instance_reports_it_once() {
    let fake = Fake::running();
    let mut watch = fake.client().watch_instance("x");
    assert!(matches!(ready(watch.next()), Some(Err(ClientError::NotFound { .. }))));
    assert!(ready(watch.next()).is_none());
    let mut illegal = fake.client().watch_instance("a?");
    assert!(matches!(ready(illegal.next()), Some(Err(ClientError::InvalidInstanceId(_)))));
    assert!(ready(illegal.next()).is_none());
}
