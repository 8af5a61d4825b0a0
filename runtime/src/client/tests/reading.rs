//! What a client reads: metadata and the custom status, typed and untyped.

use serde_json::json as value;

use super::fake::{Fake, clear_status, complete, head, id, json, no_code, ready, set_status};
use super::{Greeter, Progress, Silent};
use crate::client::{ClientError, OrchestrationMetadata, StatusValue, SubmitError};
use crate::engine::Refusal;
use crate::model::{FailureDetails, OperationId, Parent, RuntimeStatus, Timestamp};

fn read(fake: &Fake) -> OrchestrationMetadata {
    ready(fake.client().get_instance("g")).unwrap().unwrap()
}

#[test]
fn an_instance_that_is_not_there_is_none_and_one_that_cannot_be_read_is_an_error() {
    let fake = Fake::running();
    assert_eq!(ready(fake.client().get_instance("other")), Ok(None));
    assert!(matches!(ready(fake.client().get_instance("a/b")), Err(ClientError::InvalidInstanceId(_))));
    fake.fail_reads(Some(SubmitError::Corrupt("checksum".to_owned())));
    let error = ready(fake.client().get_instance("g")).unwrap_err();
    assert_eq!(error, ClientError::Corrupt { id: Some(id("g")), detail: "checksum".to_owned() });
}

#[test]
fn a_handle_says_that_its_instance_is_not_there() {
    let error = ready(Fake::new().handle::<Greeter>("g").metadata()).unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(error, ClientError::NotFound { id: id("g") });
}

#[test]
fn the_custom_status_is_always_there_typed_by_the_orchestrator_or_by_choice() {
    let fake = Fake::running();
    let handle = fake.handle::<Greeter>("g");
    assert_eq!(ready(handle.custom_status()), Ok(StatusValue::None));
    assert_eq!(read(&fake).read_custom_status_as::<Progress>(), Ok(None));

    fake.commit("g", |head| set_status(head, r#"{"done":1}"#));
    assert_eq!(ready(handle.custom_status()), Ok(StatusValue::Typed(Progress { done: 1 })));
    let metadata = read(&fake);
    assert_eq!(metadata.serialized_custom_status(), Some(r#"{"done":1}"#));
    assert_eq!(metadata.read_custom_status_as::<serde_json::Value>(), Ok(Some(value!({"done": 1}))));
    assert_eq!(metadata.custom_status_version(), 1);

    fake.commit("g", |head| complete(head, "[]"));
    assert_eq!(ready(handle.custom_status()), Ok(StatusValue::Typed(Progress { done: 1 })), "an end keeps it");
    fake.commit("g", clear_status);
    assert_eq!(ready(handle.custom_status()), Ok(StatusValue::None));
}

#[test]
fn a_value_of_another_type_never_breaks_reading() {
    let fake = Fake::running();
    fake.commit("g", |head| set_status(head, r#""halfway""#));
    let status = ready(fake.handle::<Greeter>("g").custom_status());
    assert_eq!(status, Ok(StatusValue::Unknown(value!("halfway"))));
    assert_eq!(status.unwrap().typed(), None);
    let error = read(&fake).read_custom_status_as::<Progress>().unwrap_err();
    assert!(matches!(error, ClientError::Decode { what: "custom status", .. }), "{error}");
}

#[test]
fn the_empty_string_is_a_status() {
    let fake = Fake::running();
    fake.commit("g", |head| set_status(head, r#""""#));
    assert_eq!(read(&fake).read_custom_status_as::<String>(), Ok(Some(String::new())));
}

#[test]
fn reading_costs_one_row_each_time_and_comes_from_the_store_even_while_others_watch() {
    let fake = Fake::running();
    let handle = fake.handle::<Greeter>("g");
    let mut watch = handle.watch_custom_status();
    assert!(super::fake::Probe::default().next(&mut watch).is_pending());
    let before = fake.reads();
    fake.commit_silently("g", |head| set_status(head, r#"{"done":5}"#));
    assert_eq!(ready(handle.custom_status()), Ok(StatusValue::Typed(Progress { done: 5 })));
    ready(handle.metadata()).unwrap();
    assert_eq!(fake.reads() - before, 2);
}

#[test]
fn a_handle_for_another_orchestrator_is_an_error_that_names_both() {
    let fake = Fake::running();
    let handle = fake.handle::<Silent>("g");
    let error = ready(handle.metadata()).unwrap_err();
    assert!(error.to_string().contains("`silent`") && error.to_string().contains("`greeter`"), "{error}");
    let wrong =
        ClientError::WrongOrchestrator { id: id("g"), expected: "silent".to_owned(), found: "greeter".to_owned() };
    assert_eq!(error, wrong);
    assert_eq!(ready(handle.wait_for_start()), Err(wrong.clone().into()));
    assert_eq!(ready(handle.result()), Err(wrong.clone().into()));

    let mut silent = head("s", 2);
    silent.life_mut().name = "silent".to_owned();
    fake.create(silent);
    let handle = fake.handle::<Greeter>("s");
    assert!(matches!(ready(handle.custom_status()), Err(ClientError::WrongOrchestrator { .. })));
    assert!(ready(handle.wait_for_custom_status(|_| true)).is_err());
    assert!(matches!(ready(async move { handle.watch_custom_status().next().await }), Some(Err(_))));
}

#[test]
fn a02_the_handle_of_a_start_stays_with_the_life_that_was_started() {
    let fake = Fake::running();
    let (first, any) = (fake.started::<Greeter>("g", 1), fake.handle::<Greeter>("g"));
    assert_eq!(ready(first.metadata()).unwrap().runtime_status(), RuntimeStatus::Running);
    fake.commit("g", |head| complete(head, "[]"));
    fake.create(head("g", 2));
    let error = ready(first.metadata()).unwrap_err();
    assert_eq!(error, ClientError::Replaced { id: id("g") });
    assert!(error.is_not_found());
    assert_eq!(ready(first.result()), Err(error.into()), "never the result of another run");
    assert_eq!(ready(any.metadata()).unwrap().runtime_status(), RuntimeStatus::Pending);
}

#[test]
fn metadata_tells_everything_that_the_row_holds() {
    let fake = Fake::running();
    fake.commit("g", |head| {
        head.life_mut().tags.insert("tier".to_owned(), "gold".to_owned());
        let (key, execution) = (head.life.key, head.life.execution);
        head.life_mut().parent = Some(Parent { instance: id("p"), key, execution, operation: OperationId(1) });
        head.progress_mut().status = RuntimeStatus::Failed;
        head.progress_mut().failure = Some(FailureDetails::new("E", "broke"));
        head.progress_mut().ended_at = Some(Timestamp(1_700_000_009_000_000));
        head.progress_mut().updated_at = Timestamp(1_700_000_009_000_000);
    });
    let metadata = read(&fake);
    assert_eq!((metadata.instance_id(), metadata.name(), metadata.version()), (&id("g"), "greeter", Some("2")));
    assert_eq!(metadata.tags()["tier"], "gold");
    assert_eq!(metadata.parent_id(), Some(&id("p")));
    assert_eq!(metadata.failure_details().unwrap().message(), "broke");
    assert_eq!(metadata.ended_at().unwrap() - metadata.created_at(), chrono::TimeDelta::seconds(9));
    assert_eq!(metadata.read_input_as::<Vec<String>>(), Ok(vec!["Tokyo".to_owned()]));
    assert_eq!(metadata.read_output_as::<()>(), Ok(None));
    assert!(metadata.read_input_as::<u8>().is_err());
    assert!(metadata.is_ended() && metadata.execution() == 0 && metadata.parked_reason().is_none());
    assert!(metadata.start_at().is_none());
}

#[test]
fn b15_last_updated_is_the_later_of_row_and_newest_record() {
    let fake = Fake::running();
    let row = read(&fake).last_updated_at();
    fake.record("g", Timestamp(1_700_000_005_000_000));
    assert_eq!(read(&fake).last_updated_at() - row, chrono::TimeDelta::seconds(5));
    fake.record("g", Timestamp(1));
    assert_eq!(read(&fake).last_updated_at(), row);
}

#[test]
fn metadata_prints_as_the_status_document_of_the_family() {
    let fake = Fake::running();
    fake.commit("g", |head| {
        set_status(head, r#"{"done": 1.10}"#);
        head.life_mut().input = json("[12345678901234567890123]");
    });
    let expected = concat!(
        r#"{"name":"greeter","instanceId":"g","runtimeStatus":"Running","input":[12345678901234567890123],"#,
        r#""customStatus":{"done": 1.10},"output":null,"#,
        r#""createdTime":"2023-11-14T22:13:20Z","lastUpdatedTime":"2023-11-14T22:13:20Z"}"#
    );
    assert_eq!(serde_json::to_string(&read(&fake)).unwrap(), expected);

    fake.commit("g", |head| head.progress_mut().parked = Some(no_code("no code")));
    assert_eq!(
        serde_json::to_value(read(&fake)).unwrap()["parked"],
        serde_json::json!({"code": "D0104", "text": "no code"})
    );
    fake.commit("g", |head| head.progress_mut().failure = Some(FailureDetails::new("E", "broke")));
    assert_eq!(serde_json::to_value(read(&fake)).unwrap()["output"], "broke");
}

#[test]
fn a12_a_refused_read_names_the_cause() {
    let fake = Fake::running();
    for (error, expected) in [
        (
            SubmitError::StoreUnavailable { cause: "full".to_owned() },
            ClientError::StoreUnavailable { cause: "full".to_owned() },
        ),
        (SubmitError::RuntimeStopped, ClientError::RuntimeStopped),
        (SubmitError::Fatal { cause: "three".to_owned() }, ClientError::Fatal { cause: "three".to_owned() }),
        (SubmitError::Refused(Refusal::NotFound { id: id("g") }), ClientError::NotFound { id: id("g") }),
    ] {
        fake.fail_reads(Some(error));
        assert_eq!(ready(fake.handle::<Greeter>("g").custom_status()), Err(expected.clone()));
        assert_eq!(ready(fake.handle::<Greeter>("g").result()), Err(expected.into()));
    }
}
