//! Lists and purges by filter: pages from bounded reads, and which of their instances are purged.

use super::fake::{Fake, head, id, json, ready, set_status};
use crate::client::{Client, ClientError, SubmitError};
use crate::engine::{ClientAnswer, ClientOperation, Refusal};
use crate::model::{InstanceKey, RuntimeStatus};
use crate::store::{InstanceFilter, PageCursor};

/// Creates seven instances. Those with an even number have ended.
/// The place of the instance with this key.
fn created(key: u64) -> PageCursor {
    PageCursor::Created { created_at: head("i", key).life.created_at, key: InstanceKey(key) }
}

fn seven() -> Fake {
    let fake = Fake::new();
    for key in 1..=7 {
        let mut head = head(&format!("i{key}"), key);
        head.progress_mut().status = if key % 2 == 0 { RuntimeStatus::Completed } else { RuntimeStatus::Running };
        set_status(&mut head, &format!(r#"{{"done":{key}}}"#));
        fake.create(head);
    }
    fake
}

fn ids(client: &Client, filter: &InstanceFilter, page_size: usize) -> Vec<Vec<String>> {
    let (mut pages, mut place) = (Vec::new(), None);
    loop {
        let page = ready(client.list(filter.clone()).page_size(page_size).after(place)).unwrap();
        pages.push(page.instances.iter().map(|one| one.instance_id().to_string()).collect());
        place = page.next;
        if place.is_none() {
            return pages;
        }
    }
}

#[test]
fn a_page_is_filled_by_as_many_reads_as_it_takes() {
    let fake = seven();
    assert_eq!(
        ids(&fake.client(), &InstanceFilter::new(), 3),
        [vec!["i1", "i2", "i3"], vec!["i4", "i5", "i6"], vec!["i7"]]
    );
    let ended = InstanceFilter::new().runtime_status([RuntimeStatus::Completed]);
    assert_eq!(ids(&fake.client(), &ended, 2), [vec!["i2", "i4"], vec!["i6"]]);
    let by_status = InstanceFilter::new().custom_status("/done", 5);
    assert_eq!(ids(&fake.client(), &by_status, 100), [["i5"]]);
}

#[test]
fn a_page_requests_only_the_rows_that_it_still_needs() {
    let fake = seven();
    ready(fake.client().list(InstanceFilter::new().name("greeter")).page_size(5).newest_first()).unwrap();
    let queries = fake.queries();
    assert!(queries.iter().all(|query| query.newest_first && query.filter.name.as_deref() == Some("greeter")));
    assert_eq!(queries.iter().map(|query| query.limit).collect::<Vec<_>>(), [5, 3, 1]);
    assert_eq!(queries[1].after, Some(created(2)));
    for (asked, had) in [(0, 1), (5_000, 1_000)] {
        let fake = seven();
        ready(fake.client().list(InstanceFilter::new()).page_size(asked)).unwrap();
        assert_eq!(fake.queries()[0].limit, had);
    }
}

#[test]
fn a_page_ends_although_nothing_is_found() {
    let fake = Fake::new();
    for key in 1..=500 {
        fake.create(head(&format!("i{key}"), key));
    }
    let none = InstanceFilter::new().name("nobody");
    let page = ready(fake.client().list(none)).unwrap();
    assert!(page.instances.is_empty());
    assert_eq!(page.next, Some(created(200)), "so many reads, and no more, for one page");
}

#[test]
fn a_page_of_large_inputs_is_short() {
    let fake = Fake::new();
    for key in 1..=40 {
        let mut head = head(&format!("i{key}"), key);
        head.life_mut().input = json(&format!("\"{}\"", "x".repeat(1 << 20)));
        fake.create(head);
    }
    let page = ready(fake.client().list(InstanceFilter::new())).unwrap();
    assert_eq!((page.instances.len(), page.next), (16, Some(created(16))));
}

#[test]
fn a_cursor_of_another_order_is_refused() {
    let fake = seven();
    let by_id = PageCursor::Id(id("i1"));
    let wrong = [
        fake.client().list(InstanceFilter::new()).after(by_id),
        fake.client().list(InstanceFilter::new().instance_id_prefix("i")).after(created(1)),
    ];
    for list in wrong {
        assert!(matches!(ready(list), Err(ClientError::InvalidFilter { .. })));
    }
    assert!(fake.queries().is_empty());
}

#[test]
fn an_invalid_json_pointer_is_refused_with_a_correction() {
    let fake = seven();
    let filter = InstanceFilter::new().custom_status("$.city", "London");
    for error in
        [ready(fake.client().list(filter.clone())).unwrap_err(), ready(fake.client().purge_where(filter)).unwrap_err()]
    {
        assert!(matches!(error, ClientError::InvalidFilter { .. }));
        assert!(error.to_string().contains("as in `/city`"), "{error}");
    }
    assert!(fake.queries().is_empty());
}

#[test]
fn a_failed_read_is_the_answer() {
    let fake = seven();
    fake.fail_reads(Some(SubmitError::Corrupt("i3".to_owned())));
    assert!(matches!(ready(fake.client().list(InstanceFilter::new())), Err(ClientError::Corrupt { id: None, .. })));
    fake.fail_reads(Some(SubmitError::RuntimeStopped));
    assert_eq!(ready(fake.client().purge_where(InstanceFilter::new())), Err(ClientError::RuntimeStopped));
}

fn purged(fake: &Fake) -> Vec<(String, u64)> {
    let operation = |operation| match operation {
        ClientOperation::Purge { id, key: Some(key) } => (id.to_string(), key.0),
        other => panic!("{other:?}"),
    };
    fake.submitted().into_iter().map(operation).collect()
}

#[test]
fn a_purge_names_the_life_that_was_seen_and_only_ended_instances() {
    let fake = seven();
    for _ in 0..3 {
        fake.answer(Ok(ClientAnswer::Done));
    }
    assert_eq!(ready(fake.client().purge_where(InstanceFilter::new())), Ok(3));
    assert_eq!(purged(&fake), [("i2".to_owned(), 2), ("i4".to_owned(), 4), ("i6".to_owned(), 6)]);
    let running = InstanceFilter::new().runtime_status([RuntimeStatus::Running]);
    assert_eq!(ready(fake.client().purge_where(running)), Ok(0));
    assert_eq!(purged(&fake).len(), 3);
}

#[test]
fn a_purge_counts_only_what_it_removed_itself() {
    let fake = seven();
    fake.answer(Ok(ClientAnswer::Done));
    fake.answer(Err(SubmitError::Refused(Refusal::NotFound { id: id("i4") })));
    fake.answer(Err(SubmitError::Refused(Refusal::NotEnded { id: id("i6"), status: RuntimeStatus::Running })));
    assert_eq!(ready(fake.client().purge_where(InstanceFilter::new())), Ok(1));
}

#[test]
fn a_purge_stops_at_the_number_asked_for_and_at_the_first_batch_that_fails() {
    let fake = seven();
    fake.answer(Ok(ClientAnswer::Done));
    fake.answer(Ok(ClientAnswer::Done));
    assert_eq!(ready(fake.client().purge_where(InstanceFilter::new()).at_most(2)), Ok(2));
    assert_eq!(purged(&fake).len(), 2);
    let unknown = SubmitError::OutcomeUnknown { cause: "the disk".to_owned() };
    fake.answer(Err(unknown));
    let error = ready(fake.client().purge_where(InstanceFilter::new())).unwrap_err();
    assert!(error.outcome_is_unknown());
    assert_eq!(purged(&fake).len(), 3);
}
