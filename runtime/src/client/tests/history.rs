//! Histories: the events that records produce, and changes between the reads.

use bytes::Bytes;

use super::fake::{Fake, complete, id, json, ready};
use super::{Greeter, Silent};
use crate::client::{ClientError, HistoryEventKind, OrchestrationHistory};
use crate::model::{
    Action, Completion, Execution, ExecutionLimits, ExecutionStarted, FailureDetails, IdReusePolicy, Input, JsonText,
    OperationId, RecordedLocation, RuntimeStatus, Timestamp, TurnRecord, wire,
};

fn started() -> Input {
    Input::ExecutionStarted(std::sync::Arc::new(ExecutionStarted {
        execution_id: uuid::Uuid::nil(),
        name: "greeter".to_owned(),
        version: "2".to_owned(),
        input: json(r#"["Tokyo"]"#),
        custom_status: None,
        tags: Default::default(),
        parent: None,
        start_at: None,
        trace: None,
        limits: ExecutionLimits::default(),
    }))
}

fn record(turn_number: u64, inputs: Vec<Input>, actions: Vec<Action>) -> Bytes {
    let time = Timestamp(1_700_000_000_000_000 + i64::try_from(turn_number).unwrap() * 1_000_000);
    wire::encode_record(&TurnRecord { polled: true, actions, ..TurnRecord::unpolled(turn_number, time, inputs) })
}

fn place() -> RecordedLocation {
    RecordedLocation { file: "src/cities.rs".into(), line: 12, column: 34 }
}

/// A call, its failure, and the end of the code.
fn failed() -> Vec<Bytes> {
    let schedule = Action::ScheduleTask {
        operation: OperationId(1),
        name: "say_hello".into(),
        input: json(r#""Tokyo""#),
        attempt: None,
        location: place(),
    };
    let failure = FailureDetails::new("NoSuchCity", "no city is called Tokyo");
    vec![
        record(0, vec![started()], vec![schedule]),
        record(
            1,
            vec![Input::TaskFailed { operation: OperationId(1), failure: failure.clone() }],
            vec![Action::Complete(Completion::Failed(failure))],
        ),
    ]
}

fn kinds(history: &OrchestrationHistory) -> Vec<String> {
    let name = |kind: &HistoryEventKind| format!("{kind:?}").split(' ').next().unwrap_or_default().to_owned();
    history.events.iter().map(|event| name(&event.kind)).collect()
}

#[test]
fn events_come_in_order_with_their_turn_and_time_and_as_json() {
    let fake = Fake::running();
    fake.set_history("g", failed());
    fake.commit("g", |head| head.progress_mut().status = RuntimeStatus::Failed);
    let history = ready(fake.handle::<Greeter>("g").history()).unwrap();
    assert_eq!(kinds(&history), ["ExecutionStarted", "TaskScheduled", "TaskFailed", "ExecutionCompleted"]);
    assert_eq!(history.events.iter().map(|event| event.turn).collect::<Vec<_>>(), [0, 0, 1, 1]);
    let json = serde_json::to_value(&history).unwrap();
    assert_eq!(json["instanceId"], "g");
    assert_eq!(
        serde_json::to_string(&json["events"][1]).unwrap(),
        r#"{"eventId":1,"eventType":"TaskScheduled","input":"Tokyo","location":"src/cities.rs:12:34","name":"say_hello","timestamp":"2023-11-14T22:13:20Z","turn":0}"#
    );
    assert_eq!(json["events"][3]["orchestrationStatus"], "Failed");
    assert_eq!(json["events"][3]["failureDetails"]["errorType"], "NoSuchCity");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one line for each")]
fn every_input_and_action_has_its_event() {
    let (operation, location) = (OperationId(7), place());
    let inputs = vec![
        started(),
        Input::EventRaised { name: "Approved".to_owned(), payload: json("true"), event_id: None },
        Input::TaskCompleted { operation, result: json("1") },
        Input::TimerFired { operation },
        Input::SubOrchestrationCompleted { operation, result: json("2") },
        Input::SubOrchestrationFailed { operation, failure: FailureDetails::new("t", "m") },
        Input::Suspended { reason: "wait".to_owned() },
        Input::Resumed { reason: "go".to_owned() },
        Input::Terminated { reason: "enough".to_owned() },
    ];
    let actions = vec![
        Action::CreateTimer { operation, fire_at: Timestamp(0), attempt: None, location: location.clone() },
        Action::WaitForEvent { operation, name: "Approved".to_owned(), location: location.clone() },
        Action::StartSubOrchestration {
            operation,
            name: "child".to_owned(),
            version: None,
            instance: id("c"),
            minted: true,
            input: JsonText::null(),
            detached: false,
            on_existing: IdReusePolicy::Reject,
            on_close: None,
            location: location.clone(),
        },
        Action::SendEvent {
            operation,
            target: id("c"),
            name: "E".to_owned(),
            payload: JsonText::null(),
            location: location.clone(),
        },
        Action::SideEffect { operation, value: json("4"), location: location.clone() },
        Action::Patched { operation, id: "change".to_owned(), location },
        Action::Cancelled { operation },
        Action::Detached { operation },
        Action::Terminate {
            operation,
            target: id("c"),
            reason: "late".to_owned(),
            location: crate::model::RecordedLocation::default(),
        },
        Action::Complete(Completion::ContinuedAsNew { input: json("5"), version: None, keep_events: true }),
    ];
    let fake = Fake::running();
    fake.set_history("g", vec![record(0, inputs, actions)]);
    let history = ready(fake.client().history("g")).unwrap();
    assert_eq!(
        kinds(&history),
        [
            "ExecutionStarted",
            "EventRaised",
            "TaskCompleted",
            "TimerFired",
            "SubOrchestrationInstanceCompleted",
            "SubOrchestrationInstanceFailed",
            "ExecutionSuspended",
            "ExecutionResumed",
            "ExecutionTerminated",
            "TimerCreated",
            "EventAwaited",
            "SubOrchestrationInstanceCreated",
            "EventSent",
            "SideEffectRecorded",
            "Patched",
            "OperationCancelled",
            "SubOrchestrationDetached",
            "TerminationSent",
            "ContinueAsNew",
        ]
    );
    let types: Vec<_> = serde_json::to_value(&history.events)
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["eventType"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types, kinds(&history));
}

#[test]
fn carried_events_are_shown_in_the_execution_that_takes_them_over() {
    let raised =
        |number: u8| Input::EventRaised { name: "E".to_owned(), payload: json(&number.to_string()), event_id: None };
    let refers = |rows, consumed| Input::EventsCarried { rows, consumed };
    let fake = Fake::running();
    fake.set_history("g", vec![record(0, vec![started(), refers(1, std::iter::once(0..1).collect())], vec![])]);
    let missing = ready(fake.client().history("g"));
    assert!(matches!(missing, Err(ClientError::Corrupt { .. })), "{missing:?}");
    fake.set_carried("g", vec![record(0, vec![refers(0, vec![]), raised(1), raised(2)], vec![])]);
    let history = ready(fake.client().history("g")).unwrap();
    assert_eq!(kinds(&history), ["ExecutionStarted", "EventRaised"]);
    assert!(matches!(&history.events[1].kind, HistoryEventKind::EventRaised { input, .. } if input.as_str() == "2"));
}

#[test]
fn an_end_without_code_has_an_event_too() {
    let fake = Fake::running();
    fake.set_history(
        "g",
        vec![
            record(0, vec![started()], vec![]),
            record(1, vec![Input::Terminated { reason: "enough".to_owned() }], vec![]),
        ],
    );
    fake.commit("g", |head| {
        complete(head, r#""enough""#);
        head.progress_mut().status = RuntimeStatus::Terminated;
        head.progress_mut().ended_at = Some(Timestamp(1_700_000_009_000_000));
    });
    let history = ready(fake.client().history("g")).unwrap();
    assert_eq!(kinds(&history), ["ExecutionStarted", "ExecutionTerminated", "ExecutionCompleted"]);
    let end = history.events.last().unwrap();
    assert_eq!(end.timestamp.to_rfc3339(), "2023-11-14T22:13:29+00:00");
    assert!(matches!(&end.kind, HistoryEventKind::ExecutionCompleted {
        orchestration_status: RuntimeStatus::Terminated,
        result: Some(result),
        ..
    } if result.as_str() == r#""enough""#));
}

#[test]
fn records_that_are_missing_or_damaged_are_said_so() {
    let fake = Fake::running();
    fake.set_history("g", failed());
    let short = fake.commit_silently("g", |_| {});
    fake.before_history(move |fake| fake.forget_records(short.life.key));
    assert!(matches!(ready(fake.client().history("g")), Err(ClientError::Corrupt { id: Some(_), .. })));
    fake.set_history("g", vec![Bytes::from_static(b"nonsense")]);
    assert!(matches!(ready(fake.client().history("g")), Err(ClientError::Corrupt { id: Some(_), .. })));
}

#[test]
fn an_execution_that_ends_between_the_reads_is_read_again() {
    let fake = Fake::running();
    fake.set_history("g", failed());
    fake.before_history(|fake| {
        let old = fake.commit_silently("g", |head| head.life_mut().execution = Execution(1));
        fake.forget_records(old.life.key);
        fake.set_history("g", vec![record(0, vec![started()], vec![])]);
    });
    let history = ready(fake.client().history("g")).unwrap();
    assert_eq!((history.execution, kinds(&history)), (1, vec!["ExecutionStarted".to_owned()]));
}

#[test]
fn the_history_of_an_unknown_instance_or_another_orchestrator_is_refused() {
    let fake = Fake::running();
    assert!(matches!(ready(fake.client().history("x")), Err(ClientError::NotFound { .. })));
    assert!(matches!(ready(fake.client().history("a?")), Err(ClientError::InvalidInstanceId(_))));
    assert!(matches!(ready(fake.handle::<Silent>("g").history()), Err(ClientError::WrongOrchestrator { .. })));
}
