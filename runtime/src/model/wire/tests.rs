use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::model::{
    Action, Attempt, BuildId, Completion, Execution, ExecutionLimits, ExecutionStarted, FailureDetails, IdReusePolicy,
    Input, InstanceId, InstanceKey, JsonText, OperationId, Parent, ParentClosePolicy, RecordedLocation, Timestamp,
    TraceContext,
};

fn record() -> TurnRecord {
    TurnRecord {
        turn_number: 3,
        time: Timestamp(1_700_000_000_000_000),
        polled: true,
        inputs: vec![Input::TaskCompleted {
            operation: OperationId(1),
            result: JsonText::from_string("\"ok\"".into()),
        }],
        actions: vec![Action::CreateTimer {
            operation: OperationId(2),
            fire_at: Timestamp(1_700_000_060_000_000),
            attempt: None,
            location: crate::model::RecordedLocation { file: "src/a.rs".into(), line: 1, column: 2 },
        }],
        upto: None,
        clock: None,
        build: Some(BuildId(7)),
        trace: None,
    }
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    assert_eq!(decode_record(&encode_record(&record())), Ok(record()));
}

#[test]
fn b05_every_flipped_bit_is_found() {
    let bytes = encode_record(&record());
    for position in 0..bytes.len() * 8 {
        let mut damaged = bytes.to_vec();
        damaged[position / 8] ^= 1 << (position % 8);
        assert_eq!(decode_record(&damaged.into()), Err(WireError::Checksum), "bit {position}");
    }
    assert_eq!(decode_record(&Bytes::new()), Err(WireError::Checksum));
}

#[test]
fn c01_a_newer_format_is_refused() {
    let known = schema::TurnRecord::decode(open(&encode_record(&record())).unwrap()).unwrap();
    let newer = schema::TurnRecord { format: FORMAT + 1, ..known };
    assert_eq!(decode_record(&seal(&newer)), Err(WireError::NewerFormat(FORMAT + 1)));
}

/// What a record costs that says by which build it was written: 9 bytes, once in an execution.
#[test]
fn a_build_takes_nine_bytes_and_is_missing_from_records_of_earlier_versions() {
    let without = encode_record(&TurnRecord { build: None, ..record() });
    assert_eq!(encode_record(&record()).len() - without.len(), 9);
    assert_eq!(decode_record(&without).unwrap().build, None);
}

/// Short and long texts, so that lengths take one, two and three bytes.
fn text() -> BoxedStrategy<String> {
    prop_oneof![
        Just(String::new()),
        "[a-z]{1,8}",
        "\\PC{0,200}",
        (0_usize..40_000).prop_map(|length| "x".repeat(length)),
    ]
    .boxed()
}

fn json() -> BoxedStrategy<JsonText> {
    text().prop_map(|text| JsonText::encode(&text).unwrap()).boxed()
}

fn operation() -> impl Strategy<Value = OperationId> {
    prop_oneof![0_u32..200, any::<u32>()].prop_map(OperationId)
}

fn failure() -> impl Strategy<Value = FailureDetails> {
    (text(), text()).prop_map(|(kind, message)| FailureDetails::new(kind, message))
}

fn instance() -> impl Strategy<Value = InstanceId> {
    "[a-z]{1,100}".prop_map(|id| InstanceId::new(id).unwrap())
}

fn trace() -> impl Strategy<Value = TraceContext> {
    let ids = (1..=u128::MAX, 1..=u64::MAX, any::<u8>());
    (ids, option::of("[a-z]{1,20}=[a-z0-9]{1,200}")).prop_map(|((trace, parent, flags), state)| {
        TraceContext::new(&format!("00-{trace:032x}-{parent:016x}-{flags:02x}"), state.as_deref()).unwrap()
    })
}

fn started() -> impl Strategy<Value = Input> {
    let parent =
        (instance(), any::<u64>(), any::<u32>(), operation()).prop_map(|(instance, key, execution, operation)| {
            Parent { instance, key: InstanceKey(key), execution: Execution(execution), operation }
        });
    let facts = (any::<u128>(), text(), text(), json(), option::of(json()));
    let limits = (any::<u32>(), any::<u32>(), any::<u32>());
    let trace = option::of(trace());
    let rest = (btree_map(text(), text(), 0..3), option::of(parent), option::of(any::<i64>()), limits, trace);
    (facts, rest).prop_map(|((id, name, version, input, custom_status), (tags, parent, start_at, limits, trace))| {
        Input::ExecutionStarted(std::sync::Arc::new(ExecutionStarted {
            execution_id: uuid::Uuid::from_u128(id),
            name,
            version,
            input,
            custom_status,
            tags,
            parent,
            start_at: start_at.map(Timestamp),
            trace,
            limits: ExecutionLimits {
                custom_status_bytes: limits.0,
                payload_bytes: limits.1,
                actions_per_turn: limits.2,
            },
        }))
    })
}

fn input() -> impl Strategy<Value = Input> {
    let event = (text(), json(), option::of(text()));
    prop_oneof![
        started(),
        event.prop_map(|(name, payload, event_id)| Input::EventRaised { name, payload, event_id }),
        (operation(), json()).prop_map(|(operation, result)| Input::TaskCompleted { operation, result }),
        (operation(), failure()).prop_map(|(operation, failure)| Input::TaskFailed { operation, failure }),
        operation().prop_map(|operation| Input::TimerFired { operation }),
        (operation(), json()).prop_map(|(operation, result)| Input::SubOrchestrationCompleted { operation, result }),
        (operation(), failure()).prop_map(|(operation, failure)| Input::SubOrchestrationFailed { operation, failure }),
        text().prop_map(|reason| Input::Terminated { reason }),
        text().prop_map(|reason| Input::Suspended { reason }),
        text().prop_map(|reason| Input::Resumed { reason }),
        (any::<u64>(), vec((any::<u32>(), any::<u16>()), 0..3)).prop_map(|(rows, consumed)| {
            let range = |(start, length)| u64::from(start)..u64::from(start) + u64::from(length);
            Input::EventsCarried { rows, consumed: consumed.into_iter().map(range).collect() }
        }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let place = (text(), any::<u32>(), any::<u32>()).prop_map(|(file, line, column)| RecordedLocation {
        file: file.into(),
        line,
        column,
    });
    let completion = prop_oneof![
        json().prop_map(Completion::Completed),
        failure().prop_map(Completion::Failed),
        (json(), option::of(text()), any::<bool>())
            .prop_map(|(input, version, keep_events)| Completion::ContinuedAsNew { input, version, keep_events }),
    ];
    let on_existing = (0_u32..3).prop_map(|code| IdReusePolicy::from_code(code).unwrap());
    let on_close = (0_u32..4).prop_filter_map("the number of a policy", ParentClosePolicy::from_code);
    let sub = (option::of(text()), instance(), any::<bool>(), any::<bool>(), on_existing, on_close);
    (0..11, operation(), place, (text(), json(), any::<i64>()), sub, completion).prop_map(
        |(
            kind,
            operation,
            location,
            (name, payload, time),
            (version, instance, minted, detached, on_existing, on_close),
            completion,
        )| {
            let attempt = (time % 2 == 0).then_some(Attempt { number: time as u32, operation });
            match kind {
                0 => Action::ScheduleTask { operation, name: name.into(), input: payload, attempt, location },
                1 => Action::CreateTimer { operation, fire_at: Timestamp(time), attempt, location },
                2 => Action::WaitForEvent { operation, name, location },
                3 => Action::StartSubOrchestration {
                    operation,
                    name,
                    version,
                    instance,
                    minted,
                    input: payload,
                    detached,
                    on_existing,
                    on_close,
                    location,
                },
                4 => Action::SendEvent { operation, target: instance, name, payload, location },
                5 => Action::SideEffect { operation, value: payload, location },
                6 => Action::Patched { operation, id: name, location },
                7 => Action::Cancelled { operation },
                8 => Action::Detached { operation },
                9 => Action::Terminate { operation, target: instance, reason: name, location },
                _ => Action::Complete(completion),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// The hand-written encoder writes the same bytes as the generated code, and they decode to the same record.
    #[test]
    fn c01_a_record_is_written_as_its_schema_says(
        turn_number in any::<u64>(),
        time in any::<i64>(),
        polled in any::<bool>(),
        inputs in vec(input(), 0..5),
        actions in vec(action(), 0..5),
        upto in any::<Option<u64>>(),
        clock in any::<Option<i64>>(),
        build in any::<Option<u64>>(),
        trace in option::of(trace()),
    ) {
        let record = TurnRecord { turn_number, time: Timestamp(time), polled, inputs, actions, upto, clock: clock.map(Timestamp), build: build.map(BuildId), trace };
        let bytes = encode_record(&record);
        prop_assert_eq!(decode_record(&bytes), Ok(record));
        let message = schema::TurnRecord::decode(open(&bytes).unwrap()).unwrap();
        prop_assert_eq!(seal(&message), bytes);
    }
}
