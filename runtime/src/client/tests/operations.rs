//! Starts and requests: what is handed over, and the three classes of answers.

use std::time::Duration;

use super::fake::{Fake, Probe, id, is_send_and_static, ready};
use super::{Approved, Greeter, Progress, Silent};
use crate::client::{ClientError, StartOrchestration, SubmitError};
use crate::context::InTurn;
use crate::engine::{ClientAnswer, ClientOperation, IdReusePolicy, Refusal, StartOperation};
use crate::model::{EventLimit, InstanceKey, InvalidInstanceId, JsonText, RuntimeStatus, Timestamp};
use crate::store::InstanceFilter;

fn start(fake: &Fake) -> StartOrchestration<Greeter> {
    StartOrchestration::new(&fake.client(), JsonText::encode(&["Tokyo"]))
}

fn created(fake: &Fake, created: bool) {
    fake.answer(Ok(ClientAnswer::Started { id: id("g"), key: InstanceKey(1), created }));
}

fn handed_over(fake: &Fake) -> StartOperation {
    match fake.submitted().pop() {
        Some(ClientOperation::Start(start)) => *start,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_start_hands_over_what_the_orchestrator_declares() {
    let fake = Fake::new();
    created(&fake, true);
    let handle = ready(start(&fake)).unwrap();
    assert_eq!((handle.id(), handle.was_created()), (&id("g"), true));
    let start = handed_over(&fake);
    assert_eq!((start.name.as_str(), start.version.as_deref(), start.id), ("greeter", Some("2"), None));
    assert_eq!(start.input.as_str(), r#"["Tokyo"]"#);
    assert_eq!((start.start_at, start.custom_status, start.reuse), (None, None, IdReusePolicy::Attach));
}

#[test]
fn a_start_hands_over_every_option() {
    let fake = Fake::new();
    created(&fake, false);
    let time = chrono::DateTime::from_timestamp_nanos(1_234_567_899);
    let handle = ready(
        start(&fake)
            .instance_id("g")
            .start_at(time)
            .tag("tier", "gold")
            .tags([("a", "1"), ("tier", "silver")])
            .version("3")
            .custom_status(&Progress { done: 0 })
            .on_existing(IdReusePolicy::ReplaceEnded),
    );
    assert!(!handle.unwrap().was_created());
    let start = handed_over(&fake);
    assert_eq!((start.id, start.version.as_deref()), (Some(id("g")), Some("3")));
    assert_eq!(start.start_at, Some(Timestamp(1_234_567)), "cut to microseconds");
    assert_eq!(
        start.tags.into_iter().collect::<Vec<_>>(),
        [("a".to_owned(), "1".to_owned()), ("tier".to_owned(), "silver".to_owned())]
    );
    assert_eq!(start.custom_status.unwrap().as_str(), r#"{"done":0}"#);
    assert_eq!(start.reuse, IdReusePolicy::ReplaceEnded);
}

#[test]
fn a_start_after_a_while_counts_from_the_clock_of_the_runtime() {
    let fake = Fake::new();
    created(&fake, true);
    ready(start(&fake).start_after(Duration::from_secs(2))).unwrap();
    assert_eq!(handed_over(&fake).start_at, Some(Timestamp(3_000_000)));
}

#[test]
fn a_start_by_name_leaves_version_and_types_open() {
    let fake = Fake::new();
    created(&fake, true);
    let started = ready(fake.client().start_by_name("greeter", &["Tokyo"]).custom_status("soon")).unwrap();
    assert_eq!((started.id(), started.was_created()), (&id("g"), true));
    let start = handed_over(&fake);
    assert_eq!((start.name.as_str(), start.version), ("greeter", None));
    assert_eq!(start.custom_status.unwrap().as_str(), r#""soon""#);
}

#[test]
fn an_initial_status_of_null_is_none() {
    let fake = Fake::new();
    created(&fake, true);
    ready(fake.client().start_by_name("greeter", &()).custom_status(&())).unwrap();
    assert_eq!(handed_over(&fake).custom_status, None);
}

#[test]
fn an_invalid_operation_is_answered_and_not_handed_over() {
    let fake = Fake::new();
    let no_json = std::collections::BTreeMap::from([(vec![1_u8], 1_u8)]);
    let client = fake.client();
    for error in [
        ready(start(&fake).instance_id("a/b").instance_id("fine")).unwrap_err(),
        ready(client.raise_event("@e", "x", &())).unwrap_err(),
        ready(client.terminate("", "x").recursive()).unwrap_err(),
        ready(client.suspend("a?", "x")).unwrap_err(),
        ready(client.resume("a?", "x")).unwrap_err(),
        ready(client.purge("a?")).unwrap_err(),
        ready(client.retry_parked("a?")).unwrap_err(),
        client.handle::<Greeter>("a#").unwrap_err(),
    ] {
        assert!(matches!(error, ClientError::InvalidInstanceId(_)), "{error}");
    }
    for error in [
        ready(client.start_by_name("greeter", &no_json)).unwrap_err(),
        ready(client.start_by_name("greeter", &()).custom_status(&no_json)).unwrap_err(),
        ready(client.raise_event("g", "x", &no_json)).unwrap_err(),
    ] {
        assert!(matches!(error, ClientError::Encode(_)), "{error}");
    }
    assert!(fake.submitted().is_empty());
}

#[test]
fn requests_hand_over_what_they_say() {
    let fake = Fake::new();
    let (client, handle) = (fake.client(), fake.handle::<Silent>("g"));
    let mut count = 0;
    let mut check = |answer: Result<(), ClientError>, expected: &str| {
        assert_eq!(answer, Ok(()));
        count += 1;
        let submitted = fake.submitted();
        assert_eq!(submitted.len(), count);
        assert_eq!(format!("{:?}", submitted[count - 1]), expected);
    };
    for _ in 0..13 {
        fake.answer(Ok(ClientAnswer::Done));
    }
    let raised = r#"RaiseEvent { id: "g", name: "Approved", payload: true, event_id: None }"#;
    check(ready(handle.raise_event(Approved(true))), raised);
    check(ready(client.raise_event("g", "Approved", &true)), raised);
    check(
        ready(handle.raise_event(Approved(false)).event_id("mail-1")),
        r#"RaiseEvent { id: "g", name: "Approved", payload: false, event_id: Some("mail-1") }"#,
    );
    let terminated = r#"Terminate { id: "g", reason: "late", recursive: false }"#;
    check(ready(handle.terminate("late")), terminated);
    check(ready(client.terminate("g", "late")), terminated);
    check(ready(handle.terminate("late").recursive()), r#"Terminate { id: "g", reason: "late", recursive: true }"#);
    check(ready(handle.suspend("night")), r#"Suspend { id: "g", reason: "night" }"#);
    check(ready(client.suspend("g", "night")), r#"Suspend { id: "g", reason: "night" }"#);
    check(ready(handle.resume("day")), r#"Resume { id: "g", reason: "day" }"#);
    check(ready(client.resume("g", "day")), r#"Resume { id: "g", reason: "day" }"#);
    check(ready(handle.purge()), r#"Purge { id: "g", key: None }"#);
    check(ready(client.purge("g")), r#"Purge { id: "g", key: None }"#);
    check(ready(handle.retry_parked()), r#"RetryParked { id: "g" }"#);
}

#[test]
fn an_operation_is_handed_over_at_its_first_poll_and_once() {
    let fake = Fake::new();
    drop((start(&fake), fake.client().raise_event("g", "x", &()), fake.client().terminate("g", "x")));
    assert!(fake.submitted().is_empty());
    let probe = Probe::default();
    let mut raise = fake.client().raise_event("g", "x", &());
    for _ in 0..3 {
        assert!(probe.poll(&mut raise).is_pending());
    }
    assert_eq!(fake.submitted().len(), 1);
}

/// Each refusal, and the error as which a caller gets it.
fn refusals() -> Vec<(Refusal, ClientError)> {
    let (ended, running) = (RuntimeStatus::Completed, RuntimeStatus::Running);
    vec![
        (Refusal::NotFound { id: id("g") }, ClientError::NotFound { id: id("g") }),
        (
            Refusal::ReservedId { id: id("~g") },
            ClientError::InvalidInstanceId(InvalidInstanceId::Reserved { id: id("~g") }),
        ),
        (
            Refusal::AlreadyExists { id: id("g"), name: "n".to_owned(), status: running },
            ClientError::AlreadyExists { id: id("g"), name: "n".to_owned(), status: running },
        ),
        (
            Refusal::InstanceEnded { id: id("g"), status: ended },
            ClientError::InstanceEnded { id: id("g"), status: ended },
        ),
        (Refusal::NotEnded { id: id("g"), status: running }, ClientError::NotEnded { id: id("g"), status: running }),
        (
            Refusal::InvalidState { id: id("g"), status: running, wanted: "resumed" },
            ClientError::InvalidState { id: id("g"), status: running, wanted: "resumed" },
        ),
        (
            Refusal::NotRegistered { name: "n".to_owned(), version: Some("1".to_owned()) },
            ClientError::NotRegistered { name: "n".to_owned(), version: Some("1".to_owned()) },
        ),
        (Refusal::PayloadTooLarge { size: 2, limit: 1 }, ClientError::PayloadTooLarge { size: 2, limit: 1 }),
        (Refusal::CustomStatusTooLarge { size: 2, limit: 1 }, ClientError::CustomStatusTooLarge { size: 2, limit: 1 }),
        (
            Refusal::TextTooLong { what: "reason", size: 2, limit: 1 },
            ClientError::TextTooLong { what: "reason", size: 2, limit: 1 },
        ),
        (
            Refusal::TooManyEvents { id: id("g"), limit: EventLimit::Bytes(1) },
            ClientError::TooManyEvents { id: id("g"), limit: EventLimit::Bytes(1) },
        ),
        (
            Refusal::Corrupt { id: id("g"), detail: "gap".to_owned() },
            ClientError::Corrupt { id: Some(id("g")), detail: "gap".to_owned() },
        ),
    ]
}

#[test]
fn a12_every_answer_is_of_one_class_and_carries_what_is_known() {
    let cause = || "why".to_owned();
    let others = [
        (SubmitError::OutcomeUnknown { cause: cause() }, ClientError::OutcomeUnknown { cause: cause() }),
        (SubmitError::StoreUnavailable { cause: cause() }, ClientError::StoreUnavailable { cause: cause() }),
        (SubmitError::Corrupt(cause()), ClientError::Corrupt { id: Some(id("g")), detail: cause() }),
        (SubmitError::RuntimeStopped, ClientError::RuntimeStopped),
        (SubmitError::Fatal { cause: cause() }, ClientError::Fatal { cause: cause() }),
    ];
    let refused = refusals().into_iter().map(|(refusal, error)| {
        assert!(error.to_string().contains(&refusal.to_string()) || matches!(error, ClientError::Corrupt { .. }));
        (SubmitError::Refused(refusal), error)
    });
    for (answer, expected) in refused.chain(others) {
        let fake = Fake::new();
        for _ in 0..2 {
            fake.answer(Err(answer.clone()));
        }
        let error = ready(fake.client().raise_event("g", "x", &())).unwrap_err();
        assert_eq!(error, expected);
        assert_eq!(error.outcome_is_unknown(), matches!(answer, SubmitError::OutcomeUnknown { .. }));
        assert_eq!(error.is_stopped(), matches!(answer, SubmitError::RuntimeStopped | SubmitError::Fatal { .. }));
        assert_eq!(ready(start(&fake).instance_id("g")).unwrap_err(), expected);
        assert_eq!(fake.submitted().len(), 2, "nothing is repeated by the library");
    }
}

#[tokio::test]
async fn every_future_can_be_spawned() {
    let fake = Fake::running();
    for _ in 0..6 {
        fake.answer(Ok(ClientAnswer::Done));
    }
    let handle = fake.handle::<Greeter>("g");
    let client = fake.client();
    {
        // Arguments may be borrowed, because nothing of them is kept.
        let (name, reason) = ("g".to_owned(), "why".to_owned());
        tokio::spawn(client.get_instance(&name)).await.unwrap().unwrap();
        tokio::spawn(client.suspend(&name, &reason)).await.unwrap().unwrap();
        let kept = {
            let short = name.clone();
            client.purge(short.as_str())
        };
        tokio::spawn(kept).await.unwrap().unwrap();
    }
    tokio::spawn(handle.raise_event(Approved(true))).await.unwrap().unwrap();
    tokio::spawn(handle.terminate("x")).await.unwrap().unwrap();
    tokio::spawn(handle.resume("x")).await.unwrap().unwrap();
    tokio::spawn(handle.retry_parked()).await.unwrap().unwrap();
    created(&fake, true);
    tokio::spawn(start(&fake)).await.unwrap().unwrap();
    created(&fake, true);
    tokio::spawn(client.start_by_name("greeter", &())).await.unwrap().unwrap();
    created(&fake, true);
    tokio::spawn(client.restart("g")).await.unwrap().unwrap();
    tokio::spawn(client.list(InstanceFilter::new())).await.unwrap().unwrap();
    tokio::spawn(client.purge_where(InstanceFilter::new())).await.unwrap().unwrap();
    drop(is_send_and_static(client.history("g")));
    drop(is_send_and_static(handle.history()));
    tokio::spawn(handle.metadata()).await.unwrap().unwrap();
    tokio::spawn(handle.custom_status()).await.unwrap().unwrap();
    tokio::spawn(handle.wait_for_start()).await.unwrap().unwrap();
    let ends = (
        tokio::spawn(handle.result()),
        tokio::spawn(handle.wait_for_custom_status(|_| false)),
        tokio::spawn(client.wait_for_completion("g")),
    );
    drop(is_send_and_static(client.wait_for_start("g")));
    drop(is_send_and_static(client.resume("g", "x")));
    drop(is_send_and_static(client.retry_parked("g")));
    drop(is_send_and_static(handle.suspend("x")));
    drop(is_send_and_static(handle.purge()));
    fake.commit("g", |head| super::fake::complete(head, "[]"));
    assert!(ends.0.await.unwrap().is_ok() && ends.1.await.unwrap().is_err() && ends.2.await.unwrap().is_ok());
}

#[test]
fn a_restart_hands_over_the_id_and_returns_the_new_life() {
    let fake = Fake::running();
    created(&fake, true);
    let handle = ready(fake.handle::<Greeter>("g").restart()).unwrap();
    assert_eq!((handle.id(), handle.was_created()), (&id("g"), true));
    fake.answer(Ok(ClientAnswer::Started { id: id("new"), key: InstanceKey(5), created: true }));
    let started = ready(fake.client().restart("g").with_new_instance_id()).unwrap();
    assert_eq!((started.id(), started.was_created()), (&id("new"), true));
    let asked = |operation: ClientOperation| match operation {
        ClientOperation::Restart { id, new_id } => (id.to_string(), new_id),
        other => panic!("{other:?}"),
    };
    let asked: Vec<_> = fake.submitted().into_iter().map(asked).collect();
    assert_eq!(asked, [("g".to_owned(), false), ("g".to_owned(), true)]);
    assert!(matches!(ready(fake.client().restart("a?")), Err(ClientError::InvalidInstanceId(_))));
}

#[test]
fn a_client_is_cheap_to_clone_and_can_be_printed() {
    let fake = Fake::running();
    let handle = fake.handle::<Greeter>("g");
    assert_eq!(handle.clone().id(), handle.id());
    assert_eq!(format!("{handle:?}"), r#"OrchestrationHandle { id: "g", orchestrator: "greeter", .. }"#);
    assert!(format!("{:?}", fake.client().clone()).contains("Client"));
    assert!(format!("{:?}", start(&fake)).contains("greeter"));
    assert!(format!("{:?} {:?}", handle.result(), handle.watch_custom_status()).contains("StatusWatch"));
}

#[test]
fn inside_an_orchestrator_every_call_is_refused_with_advice() {
    let fake = Fake::running();
    let (client, handle) = (fake.client(), fake.handle::<Greeter>("g"));
    let uses: [&dyn Fn(); 25] = [
        &|| drop(start(&fake)),
        &|| drop(client.start_by_name("greeter", &())),
        &|| drop(client.get_instance("g")),
        &|| drop(client.raise_event("g", "x", &())),
        &|| drop(client.terminate("g", "x")),
        &|| drop(client.suspend("g", "x")),
        &|| drop(client.resume("g", "x")),
        &|| drop(client.purge("g")),
        &|| drop(client.retry_parked("g")),
        &|| drop(client.list(InstanceFilter::new())),
        &|| drop(client.purge_where(InstanceFilter::new())),
        &|| drop(client.restart("g")),
        &|| drop(client.history("g")),
        &|| drop(client.watch_instance("g")),
        &|| drop(client.wait_for_start("g")),
        &|| drop(client.wait_for_completion("g")),
        &|| drop(handle.metadata()),
        &|| drop(handle.custom_status()),
        &|| drop(handle.raise_event(Approved(true))),
        &|| drop(handle.result()),
        &|| drop(handle.restart()),
        &|| drop(handle.history()),
        &|| drop(handle.wait_for_start()),
        &|| drop(handle.wait_for_custom_status(|_| true)),
        &|| drop(handle.watch_custom_status()),
    ];
    for (number, using) in uses.into_iter().enumerate() {
        using();
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _turn = InTurn::enter();
            using();
        }))
        .expect_err(&format!("use {number} is not refused"));
        assert!(panic.downcast_ref::<&str>().is_some_and(|text| text.contains("use it in an activity")), "{number}");
    }
    assert_eq!((fake.submitted().len(), fake.reads()), (0, 0));
}
