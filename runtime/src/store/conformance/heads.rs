//! Heads are read as they were written.

use super::build::*;
use super::subject::Subject;
use crate::model::{
    Execution, FailureDetails, Head, JsonText, Life, OperationId, Parent, ParkCode, ParkReason, Progress,
    RuntimeStatus, TaskRow, Timestamp, TurnCommit,
};

fn json(text: &str) -> JsonText {
    JsonText::from_string(text.to_owned())
}

/// A head that differs from `head` in every column.
pub(super) fn full(number: u64) -> Head {
    let life = Life {
        key: key(number),
        id: id(&format!("i{number}")),
        name: "orders::checkout".to_owned(),
        version: "2.1".to_owned(),
        execution: Execution(3),
        created_at: Timestamp(-11),
        start_at: Some(Timestamp(0)),
        input: json(r#"{"city":"Tokyo"}"#),
        tags: [("team", "blue"), ("empty", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        parent: Some(Parent {
            instance: id("parent"),
            key: key(77),
            execution: Execution(5),
            operation: OperationId(6),
        }),
        depth: 4,
        start_hash: 0xfedc_ba98_7654_3210,
    };
    let progress = Progress {
        status: RuntimeStatus::Failed,
        parked: Some(ParkReason::new(ParkCode::HistoryMismatch, "the code changed")),
        updated_at: Timestamp(12),
        ended_at: Some(Timestamp(13)),
        output: Some(json(r#""done""#)),
        failure: Some(FailureDetails::new("orders::NoStock", "there is none left")),
        custom_status: Some(json(r#""""#)),
        custom_status_version: 7,
        revision: 9,
    };
    Head::new(life, progress)
}

async fn keeps(store: &mut Subject, head: Head) {
    store.commit([insert(head.clone())]).await;
    assert_eq!(store.instance(head.life.key.0).await.map(|stored| stored.head), Some(head.clone()));
    assert_eq!(store.instance_by_id(head.life.id.as_str()).await.map(|stored| stored.head), Some(head));
}

pub(super) async fn a_head_keeps_every_column(mut store: Subject) {
    store.claim().await;
    keeps(&mut store, full(1)).await;
}

pub(super) async fn a_head_without_options_keeps_them_absent(mut store: Subject) {
    store.claim().await;
    keeps(&mut store, head(1)).await;
}

pub(super) async fn every_status_is_kept(mut store: Subject) {
    use RuntimeStatus::{Completed, Failed, Pending, Running, Suspended, Terminated};
    store.claim().await;
    for (number, status) in (1..).zip([Pending, Running, Suspended, Completed, Failed, Terminated]) {
        let mut head = head(number);
        head.progress_mut().status = status;
        keeps(&mut store, head).await;
    }
}

pub(super) async fn a_changed_head_is_changed_in_every_column(mut store: Subject) {
    store.claim().await;
    store.commit([insert(head(1)), insert(head(2))]).await;
    // A life keeps its place in the order of creation.
    store.refused([renew(full(1))]).await;
    for mut changed in [full(1), head(1), full(1)] {
        changed.life_mut().created_at = head(1).life.created_at;
        store.commit([renew(changed.clone())]).await;
        assert_eq!(store.instance(1).await.map(|stored| stored.head), Some(changed));
        assert_eq!(store.instance(2).await.map(|stored| stored.head), Some(head(2)));
    }
}

pub(super) async fn progress_changes_state_status_and_outcome(mut store: Subject) {
    store.claim().await;
    store.commit([insert(head(1)), insert(head(2)), insert(full(3))]).await;
    for mut changed in [full(1), head(1), full(1)] {
        changed.life = head(1).life;
        store.commit([progress(changed.clone())]).await;
        assert_eq!(store.instance(1).await.map(|stored| stored.head), Some(changed));
        assert_eq!(store.instance(2).await.map(|stored| stored.head), Some(head(2)));
        assert_eq!(store.instance(3).await.map(|stored| stored.head), Some(full(3)));
    }
    store.refused([progress(head(4))]).await;
}

pub(super) async fn an_id_belongs_to_one_life(mut store: Subject) {
    store.claim().await;
    store.commit([insert(head(1))]).await;
    let named = |number, text: &str| {
        let mut head = head(number);
        head.life_mut().id = id(text);
        head
    };
    store.refused([insert(named(2, "i1"))]).await;
    store.refused([renew(named(1, "other"))]).await;
    store.refused([insert(named(1, "other"))]).await;
    // Ids are compared byte by byte.
    for (number, text) in [(3, "I1"), (4, "i1 "), (5, "i\u{131}1"), (6, "é"), (7, "e\u{301}")] {
        keeps(&mut store, named(number, text)).await;
    }
}

pub(super) async fn the_largest_numbers_are_kept(mut store: Subject) {
    const LAST: u64 = i64::MAX.cast_unsigned();
    store.claim().await;
    let mut head = full(LAST);
    head.life_mut().execution = Execution(u32::MAX);
    head.life_mut().created_at = Timestamp(i64::MIN);
    head.progress_mut().updated_at = Timestamp::MAX;
    head.progress_mut().custom_status_version = u64::MAX;
    head.progress_mut().revision = u64::MAX;
    head.life_mut().depth = u32::MAX;
    head.life_mut().start_hash = u64::MAX;
    head.life_mut().parent = Some(Parent {
        instance: id("p"),
        key: key(LAST),
        execution: Execution(u32::MAX),
        operation: OperationId(u32::MAX),
    });
    keeps(&mut store, head).await;
    let timer = timer_row(LAST, u32::MAX, i64::MAX);
    let mut numbered = record(LAST, u32::MAX, 0);
    if let Some(row) = &mut numbered.record {
        row.turn_number = LAST - 1;
        row.time = Timestamp::MAX;
    }
    store
        .commit([together([
            numbered,
            task(LAST, u32::MAX, LAST),
            inbox(LAST),
            inbox(LAST - 1),
            TurnCommit { timers_new: vec![timer], ..TurnCommit::default() },
        ])])
        .await;
    assert_eq!(store.history(LAST, u32::MAX).await, [record_bytes(LAST, u32::MAX, 0)]);
    let counted = store.instance(LAST).await.map(|stored| (stored.record_count, stored.newest_record));
    assert_eq!(counted, Some((LAST, Some(Timestamp::MAX))));
    let backlog = store.backlog().await;
    assert_eq!(backlog.timers, [timer]);
    assert_eq!(backlog.inbox, [LAST - 1, LAST].map(inbox_row));
    assert_eq!(backlog.tasks.iter().map(|group| group.turn_number).collect::<Vec<_>>(), [LAST]);
}

pub(super) async fn texts_of_any_script_are_kept(mut store: Subject) {
    store.claim().await;
    let texts = ["東京", "Ünïcödé ß", "👩‍👩‍👧‍👦", "مرحبا", "a'b\"c%_;--", "line\nbreak\ttab"];
    for (number, text) in (1..).zip(texts) {
        let mut head = full(number);
        if let Ok(id) = text.parse() {
            head.life_mut().id = id;
        }
        head.life_mut().name = text.to_owned();
        head.life_mut().version = text.to_owned();
        head.progress_mut().parked = Some(ParkReason::new(ParkCode::NotRegistered, format!("{text}\0{text}")));
        head.life_mut().tags = [(text.to_owned(), format!("{text}\0"))].into();
        head.life_mut().input = json(&serde_json::Value::from(text).to_string());
        head.progress_mut().failure = Some(FailureDetails::new(text, text));
        keeps(&mut store, head).await;
        let row = TaskRow { id: task_id(number, 1), turn_number: 0, name: text.to_owned().into() };
        store.commit([TurnCommit { tasks_new: vec![row], ..TurnCommit::default() }]).await;
    }
    let names: Vec<_> =
        store.backlog().await.tasks.into_iter().flat_map(|group| group.tasks).map(|task| task.1).collect();
    assert_eq!(names, texts);
}

pub(super) async fn large_payloads_are_kept(mut store: Subject) {
    store.claim().await;
    let bytes = |seed: u8, len: usize| (0..len).map(|i| (i % 251) as u8 ^ seed).collect::<Vec<u8>>();
    let mut head = head(1);
    head.life_mut().input = json(&format!("{:?}", "x".repeat(1 << 20)));
    head.progress_mut().output = Some(json(&format!("{:?}", "é".repeat(1 << 20))));
    head.progress_mut().custom_status = Some(json(&format!("{:?}", "s".repeat(32 << 10))));
    keeps(&mut store, head).await;
    // Lengths around the sizes of pages, an empty text, and a text of several MiB.
    let lengths = [0, 1, 900, 4_095, 4_096, 4_097, 65_536, 5 << 20];
    let mut turns = Vec::new();
    for (turn, len) in (0..).zip(lengths) {
        let mut commit = record(1, 0, turn);
        if let Some(row) = &mut commit.record {
            row.bytes = bytes(1, len).into();
        }
        let mut message = inbox_row(turn + 1);
        message.bytes = bytes(2, len).into();
        commit.inbox_new.push(message);
        turns.push(commit);
    }
    store.commit(turns).await;
    assert_eq!(store.history(1, 0).await, lengths.map(|len| bytes(1, len)));
    let messages: Vec<_> = store.backlog().await.inbox.into_iter().map(|row| row.bytes).collect();
    assert_eq!(messages, lengths.map(|len| bytes(2, len)));
}
