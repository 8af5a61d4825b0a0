//! Pages: whatever their size is and whatever happens between them, together they are the list.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use super::block_on;
use super::build::*;
use super::queries::query;
use super::subject::{Subject, batch, done};
use crate::model::{Head, InstanceKey, JsonText, Timestamp, TurnCommit};
use crate::store::{InstanceFilter, InstancePage, InstanceQuery, PAGE_BYTES, PAGE_ROWS, PageCursor};

/// A list in each order and each direction.
fn lists() -> [InstanceQuery; 4] {
    let (by_key, by_id) = (InstanceFilter::new(), InstanceFilter::new().instance_id_prefix("i"));
    [query(by_key.clone(), false), query(by_key, true), query(by_id.clone(), false), query(by_id, true)]
}

/// The same filter in each order and each direction.
fn each_way(filter: &InstanceFilter) -> [InstanceQuery; 4] {
    lists().map(|list| InstanceQuery { filter: filter.clone().instance_id_prefix(list.filter.id_prefix), ..list })
}

fn named(number: u64, name: &str) -> TurnCommit {
    let mut head = head(number);
    head.life_mut().name = name.to_owned();
    insert(head)
}

fn numbers(page: &InstancePage) -> Vec<u64> {
    page.instances.iter().map(|stored| stored.head.life.key.0).collect()
}

pub(super) async fn pages_of_every_size_make_the_same_list(mut store: Subject) {
    const COUNT: usize = 17;
    store.claim().await;
    let turns: Vec<_> = (1..=17).map(|number| named(number, if number % 3 == 0 { "third" } else { "other" })).collect();
    store.commit(turns).await;
    for filter in [InstanceFilter::new(), InstanceFilter::new().name("third"), InstanceFilter::new().name("none")] {
        for list in each_way(&filter) {
            let whole = store.page(InstanceQuery { limit: usize::MAX, ..list.clone() }).await;
            assert_eq!(whole.next, None);
            assert!(list.filter.name.is_some() || whole.instances.len() == COUNT);
            // A page always has room for one instance: 0 counts as 1.
            for limit in 0..=COUNT + 1 {
                assert_eq!(
                    store.list(InstanceQuery { limit, ..list.clone() }).await,
                    whole.instances,
                    "{limit}: {list:?}"
                );
            }
        }
    }
}

pub(super) async fn only_the_end_of_the_list_has_no_next(mut store: Subject) {
    store.claim().await;
    let turns: Vec<_> = (1..=6).map(|number| insert(head(number))).collect();
    store.commit(turns).await;
    for list in lists() {
        let first = store.page(list.clone()).await;
        assert_eq!((first.instances.len(), first.next.is_some()), (3, true));
        // This page contains the last row of all, so nothing can follow it.
        let second = store.page(InstanceQuery { after: first.next, ..list.clone() }).await;
        assert_eq!((second.instances.len(), second.next), (3, None));
        let last = list.place(&second.instances[2].head);
        assert_eq!(store.page(InstanceQuery { after: Some(last), ..list }).await, InstancePage::default());
    }
}

pub(super) async fn a_cursor_stays_valid_when_its_instance_is_removed(mut store: Subject) {
    store.claim().await;
    let turns: Vec<_> = (1..=9).map(|number| insert(head(number))).collect();
    store.commit(turns).await;
    store.commit([purge(3), purge(7)]).await;
    for list in lists() {
        let (gone, rest) = if list.newest_first { (7, [6, 5, 4]) } else { (3, [4, 5, 6]) };
        let after = Some(list.place(&head(gone)));
        assert_eq!(numbers(&store.page(InstanceQuery { after, ..list }).await), rest);
    }
}

pub(super) async fn cursors_beyond_the_ends_are_valid(mut store: Subject) {
    const LAST: u64 = i64::MAX.cast_unsigned();
    store.claim().await;
    store.commit([insert(head(0)), insert(head(5)), insert(head(LAST))]).await;
    let after =
        |newest_first, after| InstanceQuery { after: Some(after), ..query(InstanceFilter::new(), newest_first) };
    let created_at = head(0).life.created_at;
    let key = |number| PageCursor::Created { created_at, key: InstanceKey(number) };
    let cases: [(bool, u64, &[u64]); 8] = [
        (false, 0, &[5, LAST]),
        (false, LAST - 1, &[LAST]),
        (false, LAST, &[]),
        (false, u64::MAX, &[]),
        (true, 0, &[]),
        (true, 1, &[0]),
        (true, LAST, &[5, 0]),
        (true, u64::MAX, &[LAST, 5, 0]),
    ];
    for (newest_first, place, expected) in cases {
        let page = store.page(after(newest_first, key(place))).await;
        assert_eq!(numbers(&page), expected, "behind {place}, newest first: {newest_first}");
    }
    for (earlier, expected) in [(1, [0, 5, LAST].as_slice()), (-1, &[])] {
        let created_at = Timestamp(created_at.0 - earlier);
        for number in [0, 5, u64::MAX] {
            let place = PageCursor::Created { created_at, key: InstanceKey(number) };
            assert_eq!(numbers(&store.page(after(false, place.clone())).await), expected);
            let backwards = numbers(&store.page(after(true, place)).await);
            assert_eq!(backwards.len(), 3 - expected.len());
        }
    }
    for (newest_first, place, expected) in
        [(false, "a", &[0, 5, LAST][..]), (false, "j", &[]), (true, "a", &[]), (true, "j", &[LAST, 5, 0])]
    {
        let list = query(InstanceFilter::new().instance_id_prefix("i"), newest_first);
        let page = store.page(InstanceQuery { after: Some(PageCursor::Id(id(place))), ..list }).await;
        assert_eq!(numbers(&page), expected, "behind {place:?}, newest first: {newest_first}");
    }
    // A place of the other order does not belong to this list.
    assert_eq!(store.page(after(false, PageCursor::Id(id("i0")))).await, InstancePage::default());
    let by_id = InstanceFilter::new().instance_id_prefix("i");
    let mixed = InstanceQuery { after: Some(key(0)), ..query(by_id, false) };
    assert_eq!(store.page(mixed).await, InstancePage::default());
}

/// The changes between the pages of a list of the instances `base + 1` to `base + 12`.
fn changes(base: u64) -> Vec<Vec<TurnCommit>> {
    let named = |number: u64, id_text: &str| {
        let mut head = member(base, number);
        head.life_mut().id = id(&format!("{}{id_text}", prefix(base)));
        head
    };
    let replace = |old: u64, new: u64| together([purge(base + old), insert(named(new, &format!("{old:02}")))]);
    let mut changed = member(base, 5);
    changed.progress_mut().revision = 1;
    changed.progress_mut().custom_status = Some(JsonText::null());
    vec![
        vec![purge(base + 1), insert(named(13, "00")), insert(named(14, "06a"))],
        vec![replace(2, 15), replace(11, 16), renew(changed)],
        vec![purge(base + 12), insert(named(17, "99"))],
        vec![purge(base + 7), replace(4, 18), replace(9, 19)],
    ]
}

/// These instances exist throughout.
const STAYED: [u64; 5] = [3, 5, 6, 8, 10];

fn prefix(base: u64) -> String {
    format!("{base}-")
}

fn member(base: u64, number: u64) -> Head {
    let mut head = head(base + number);
    head.life_mut().id = id(&format!("{}{number:02}", prefix(base)));
    head.life_mut().name = prefix(base);
    head
}

pub(super) async fn instances_created_or_removed_between_pages_move_no_others(mut store: Subject) {
    store.claim().await;
    let mut base = 0;
    for limit in 1..=4 {
        for by_id in [false, true] {
            for newest_first in [false, true] {
                base += 100;
                let members: Vec<_> = (1..=12).map(|number| insert(member(base, number))).collect();
                store.commit(members).await;
                let mut filter = InstanceFilter::new().name(prefix(base));
                if by_id {
                    filter = filter.instance_id_prefix(prefix(base));
                }
                let mut list = InstanceQuery { filter, newest_first, after: None, limit };
                let (mut keys, mut ids, mut changes) = (BTreeSet::new(), BTreeSet::new(), changes(base).into_iter());
                loop {
                    let page = store.page(list.clone()).await;
                    for stored in page.instances {
                        assert!(keys.insert(stored.head.life.key.0 - base), "{:?} is seen twice", stored.head.life.key);
                        assert!(
                            ids.insert(stored.head.life.id.clone()) || !by_id,
                            "{:?} is seen twice",
                            stored.head.life.id
                        );
                    }
                    list.after = page.next;
                    if list.after.is_none() {
                        break;
                    }
                    store.commit(changes.next().unwrap_or_default()).await;
                }
                let missed: Vec<_> = STAYED.into_iter().filter(|number| !keys.contains(number)).collect();
                assert!(missed.is_empty(), "{missed:?} are missed by {list:?}");
            }
        }
    }
}

pub(super) async fn a_page_shows_one_moment(mut store: Subject) {
    const COMMITS: u64 = 200;
    store.claim().await;
    let all: Vec<_> = (1..=20).map(head).collect();
    store.commit(all.iter().cloned().map(insert).collect::<Vec<_>>()).await;
    let (writer, home, epoch) = (Arc::clone(store.store()), store.home, store.epoch);
    let writing = thread::spawn(move || {
        for revision in 1..=COMMITS {
            let changed = all.iter().cloned().map(|mut head| {
                head.progress_mut().revision = revision;
                renew(head)
            });
            let turns = changed.chain((1..=20).map(|number| record(number, 0, revision - 1))).collect();
            done(block_on(writer.commit(batch(home, epoch, turns))));
        }
    });
    let mut last = 0;
    while last < COMMITS {
        for list in lists() {
            let page = store.page(InstanceQuery { limit: 100, ..list }).await;
            let seen: BTreeSet<_> =
                page.instances.iter().flat_map(|stored| [stored.head.progress.revision, stored.record_count]).collect();
            assert!(seen.len() == 1 && page.instances.len() == 20, "a page of several moments: {seen:?}");
            assert!(seen.first() >= Some(&last), "a commit that was seen is gone");
            last = seen.into_iter().next().unwrap_or(last);
        }
    }
    assert!(writing.join().is_ok());
}

pub(super) async fn a_page_looks_at_a_bounded_number_of_rows(mut store: Subject) {
    const ROWS: usize = PAGE_ROWS + 5;
    store.claim().await;
    let row = |number: usize| {
        let mut head = head(number as u64);
        // The ids have the same order as the keys.
        head.life_mut().id = id(&format!("i{number:05}"));
        head.life_mut().name = if number == 1 || number == ROWS { "wanted" } else { "other" }.to_owned();
        insert(head)
    };
    store.commit((1..=ROWS).map(row).collect::<Vec<_>>()).await;
    for list in each_way(&InstanceFilter::new().name("wanted")) {
        let list = InstanceQuery { limit: ROWS, ..list };
        let first = store.page(list.clone()).await;
        assert!(first.instances.len() <= 1 && first.next.is_some(), "it looked at every row: {list:?}");
        assert_eq!(store.list(list).await.len(), 2);
    }
    for list in each_way(&InstanceFilter::new().name("none")) {
        let first = store.page(list.clone()).await;
        assert!(first.instances.is_empty() && first.next.is_some(), "it looked at every row: {list:?}");
        let second = store.page(InstanceQuery { after: first.next, ..list }).await;
        assert_eq!(second, InstancePage::default());
    }
    let whole = InstanceQuery { limit: usize::MAX, ..query(InstanceFilter::new(), false) };
    assert_eq!(store.page(whole.clone()).await.instances.len(), PAGE_ROWS);
    assert_eq!(store.list(whole).await.len(), ROWS);
}

pub(super) async fn a_page_reads_a_bounded_number_of_bytes(mut store: Subject) {
    const SIZE: usize = PAGE_BYTES / 4;
    store.claim().await;
    let text = JsonText::from_string(format!("{:?}", "x".repeat(SIZE)));
    for number in 1..=6 {
        let mut head = head(number);
        match number % 5 {
            0 => head.life_mut().input = text.clone(),
            1 => head.progress_mut().output = Some(text.clone()),
            2 => drop(head.life_mut().tags.insert("tag".to_owned(), "x".repeat(SIZE))),
            3 => head.progress_mut().failure = Some(crate::model::FailureDetails::new("kind", "x".repeat(SIZE))),
            _ => head.progress_mut().custom_status = Some(text.clone()),
        }
        store.commit([insert(head)]).await;
    }
    for list in lists() {
        let list = InstanceQuery { limit: usize::MAX, ..list };
        let page = store.page(list.clone()).await;
        assert_eq!((page.instances.len(), page.next.is_some()), (4, true), "{list:?}");
        assert_eq!(store.list(list).await.len(), 6);
    }
    // Data that is read and then left out counts too. Data that is not read does not count.
    for list in each_way(&InstanceFilter::new().custom_status("/nothing", 1)) {
        assert_eq!(store.page(list).await, InstancePage::default());
    }
    for number in 7..=10 {
        let mut head = head(number);
        head.progress_mut().custom_status = Some(text.clone());
        store.commit([insert(head)]).await;
    }
    for list in each_way(&InstanceFilter::new().custom_status("/nothing", 1)) {
        let page = store.page(list.clone()).await;
        assert!(page.instances.is_empty() && page.next.is_some(), "it read every status: {list:?}");
        assert!(store.list(list).await.is_empty());
    }
    for list in each_way(&InstanceFilter::new().name("none")) {
        assert_eq!(store.page(list).await, InstancePage::default());
    }
}
