//! Many random batches, valid and invalid: the store answers like the memory store and ends with the same rows. Many
//! random lists: they contain what a search through all heads finds.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::build::*;
use super::subject::Subject;
use crate::model::{Head, InstanceKey, JsonText, ParkCode, ParkReason, RuntimeStatus, Timestamp, TurnCommit};
use crate::store::{CommitError, InstanceFilter, InstanceQuery, MemoryStore, PageCursor, Store};

/// The instance that has the tasks. It is never purged, because a task without its instance counts as damage.
const OWNER: u64 = 9;

/// A small random generator, so that the batches are the same in every run and for every store.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[usize::try_from(self.below(values.len() as u64)).unwrap_or(0)]
    }

    /// Few instances and few numbers, so that rows collide.
    fn turn(&mut self) -> TurnCommit {
        let number = 1 + self.below(4);
        let small = u32::from(self.below(3) == 0);
        let fire_at = i64::from(self.below(2) == 0);
        let parts = (0..=self.below(2)).map(|_| match self.below(14) {
            0..3 => insert(head(number)),
            3 => {
                let mut changed = head(number);
                let run = changed.progress_mut();
                run.status = RuntimeStatus::Suspended;
                run.revision = self.below(1_000);
                run.parked = (self.below(2) == 0).then(|| ParkReason::new(ParkCode::NothingOutstanding, "parked"));
                if self.below(2) == 0 { renew(changed) } else { progress(changed) }
            }
            4 | 5 => record(number, small, self.below(3)),
            6 if self.below(3) == 0 => erase_carried(number),
            6 if self.below(2) == 0 => carried(number, small.into()..u64::from(small) + 2),
            6 => erase(number, small),
            7 => purge(number),
            8 => task(OWNER, small, 0),
            9 => task_done(OWNER, small),
            10 => timer(number, small, fire_at),
            11 => timer_done(number, small, fire_at),
            12 => suspects(self.one_of(&[b"none", b"many", b"one!"])),
            _ if self.below(2) == 0 => inbox(number),
            _ => inbox_done(number),
        });
        together(parts.collect::<Vec<_>>())
    }
}

pub(super) async fn random_batches_end_as_in_the_memory_store(mut store: Subject) {
    const BATCHES: u64 = 2_000;
    let memory = MemoryStore::new();
    let mut reference = Subject::open(Box::new(move || Arc::new(memory.clone()) as Arc<dyn Store>));
    let (mut numbers, mut applied) = (Numbers(2_026), 0);
    store.claim().await;
    reference.claim().await;
    store.commit([insert(head(OWNER))]).await;
    reference.commit([insert(head(OWNER))]).await;
    for batch in 0..BATCHES {
        let count = 1 + numbers.below(4);
        let turns: Vec<_> = (0..count).map(|_| numbers.turn()).collect();
        let results = (store.send(turns.clone()).await, reference.send(turns.clone()).await);
        match &results {
            (Ok(()), Ok(())) => applied += 1,
            (Err(CommitError::Unexpected(_)), Err(CommitError::Unexpected(_))) => {}
            _ => panic!("batch {batch}: {results:?} for {turns:#?}"),
        }
        if batch % 50 == 0 || batch + 1 == BATCHES {
            assert_eq!(store.state().await, reference.state().await, "after batch {batch}");
        }
    }
    assert!(applied > BATCHES / 10 && applied < BATCHES, "{applied} of {BATCHES} were applied");
}

const STATUSES: [RuntimeStatus; 3] = [RuntimeStatus::Running, RuntimeStatus::Completed, RuntimeStatus::Suspended];
const NAMES: [&str; 3] = ["hello", "order", "Order"];
const LETTERS: [&str; 7] = ["a", "b", "A", "%", "_", "\u{e9}", "\u{10ffff}"];
const TAGS: [(&str, &str); 3] = [("team", "blue"), ("team", "red"), ("x", "")];
const CUSTOM_STATUSES: [&str; 4] = [r#"{"at":1,"in":["a"]}"#, r#"{"at":2}"#, "1", "null"];

impl Numbers {
    /// Few values, so that conditions are met now and then.
    fn head(&mut self, number: u64) -> Head {
        let letters = 1 + self.below(3);
        let text: String = (0..letters).map(|_| self.one_of(&LETTERS)).collect();
        let mut head = head(number);
        let life = head.life_mut();
        life.id = id(&text);
        life.name = self.one_of(&NAMES).to_owned();
        life.created_at = Timestamp(self.below(5).cast_signed());
        let tags = (0..self.below(3)).map(|_| self.one_of(&TAGS));
        life.tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let progress = head.progress_mut();
        progress.status = self.one_of(&STATUSES);
        progress.custom_status =
            (self.below(3) > 0).then(|| JsonText::from_string(self.one_of(&CUSTOM_STATUSES).to_owned()));
        head
    }

    fn filter(&mut self) -> InstanceFilter {
        let mut filter = InstanceFilter::new();
        if self.below(3) == 0 {
            filter = filter.runtime_status([self.one_of(&STATUSES), self.one_of(&STATUSES)]);
        }
        if self.below(3) == 0 {
            filter = filter.name(self.one_of(&NAMES));
        }
        if self.below(4) == 0 {
            filter.created_from = Some(Timestamp(self.below(4).cast_signed()));
        }
        if self.below(4) == 0 {
            filter.created_to = Some(Timestamp(1 + self.below(4).cast_signed()));
        }
        if self.below(4) == 0 {
            let (key, value) = self.one_of(&TAGS);
            filter = filter.tag(key, value);
        }
        if self.below(4) == 0 {
            let pointer = self.one_of(&["/at", "/in/0", ""]);
            filter = filter.custom_status(pointer, self.one_of(&[1, 2]));
        }
        for _ in 0..self.below(3) {
            filter.id_prefix.push_str(self.one_of(&LETTERS));
        }
        filter
    }
}

/// Returns whether a list should contain the head. This is written differently from the filter's own code.
fn is_wanted(filter: &InstanceFilter, head: &Head) -> bool {
    let status: Option<Value> =
        head.progress.custom_status.as_ref().and_then(|text| serde_json::from_str(text.as_str()).ok());
    let mut met = vec![
        filter.statuses.is_empty() || filter.statuses.contains(&head.progress.status),
        filter.name.is_none() || filter.name.as_deref() == Some(head.life.name.as_str()),
        head.life.id.as_str().chars().zip(filter.id_prefix.chars()).filter(|(a, b)| a == b).count()
            == filter.id_prefix.chars().count(),
    ];
    met.extend(filter.created_from.map(|from| head.life.created_at.0 >= from.0));
    met.extend(filter.created_to.map(|to| head.life.created_at.0 <= to.0));
    met.extend(filter.tags.iter().map(|tag| head.life.tags.iter().any(|own| own == tag)));
    met.extend(filter.custom_status.iter().map(|condition| {
        let keys = condition.pointer.split('/').skip(1);
        let found = keys.fold(status.as_ref(), |value, key| match value? {
            Value::Array(list) => list.get(key.parse::<usize>().ok()?),
            object => object.get(key),
        });
        found == Some(&condition.value)
    }));
    met.into_iter().all(|met| met)
}

/// Returns the keys of the list, computed from all heads.
fn expected(heads: &BTreeMap<InstanceKey, Head>, query: &InstanceQuery) -> Vec<InstanceKey> {
    let by_id = !query.filter.id_prefix.is_empty();
    let mut wanted: Vec<_> = heads.values().filter(|head| is_wanted(&query.filter, head)).collect();
    if by_id {
        wanted.sort_by(|a, b| a.life.id.as_str().as_bytes().cmp(b.life.id.as_str().as_bytes()));
    } else {
        wanted.sort_by_key(|head| (head.life.created_at.0, head.life.key.0));
    }
    let is_behind = |head: &&&Head| match &query.after {
        None => true,
        Some(PageCursor::Created { created_at, key }) => {
            let (own, place) = ((head.life.created_at, head.life.key), (*created_at, *key));
            (own > place) != query.newest_first && own != place
        }
        Some(PageCursor::Id(id)) => (head.life.id > *id) != query.newest_first && head.life.id != *id,
    };
    let mut keys: Vec<_> = wanted.iter().filter(is_behind).map(|head| head.life.key).collect();
    if query.newest_first {
        keys.reverse();
    }
    keys
}

pub(super) async fn random_lists_hold_what_a_search_through_all_heads_finds(mut store: Subject) {
    const LISTS: u64 = 1_000;
    let mut numbers = Numbers(2_027);
    let mut heads = BTreeMap::new();
    let (mut next_key, mut sizes) = (1, BTreeMap::<usize, u64>::new());
    store.claim().await;
    for round in 0..LISTS {
        if round % 10 == 0 {
            let mut turns = Vec::new();
            for _ in 0..if round == 0 { 60 } else { 3 } {
                let head = numbers.head(next_key);
                // An id that is in use begins a new life.
                let old: Option<InstanceKey> =
                    heads.values().find(|old: &&Head| old.life.id == head.life.id).map(|old| old.life.key);
                if let Some(old) = old {
                    heads.remove(&old);
                }
                turns.push(together([TurnCommit { purge: old, ..TurnCommit::default() }, insert(head.clone())]));
                heads.insert(head.life.key, head);
                next_key += 1;
            }
            store.commit(turns).await;
        }
        let (filter, newest_first, limit) = (numbers.filter(), numbers.below(2) == 0, numbers.below(8));
        let mut query =
            InstanceQuery { filter, newest_first, after: None, limit: usize::try_from(limit).unwrap_or_default() };
        if numbers.below(3) == 0 {
            // It may exist or be gone.
            let place = numbers.below(next_key);
            query.after = Some(query.place(&numbers.head(place)));
        }
        let found: Vec<_> = store.list(query.clone()).await.iter().map(|stored| stored.head.life.key).collect();
        let expected = expected(&heads, &query);
        assert_eq!(found, expected, "list {round}: {query:#?} of {heads:#?}");
        *sizes.entry(found.len().min(5)).or_default() += 1;
    }
    assert!((0..=5).all(|size| sizes.get(&size).is_some_and(|count| *count > LISTS / 100)), "{sizes:?}");
}
