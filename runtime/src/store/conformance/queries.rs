//! Lists contain what matches the filter, as single reads show it, in the requested order.

use serde_json::{Value, json};

use super::build::*;
use super::heads::full;
use super::subject::Subject;
use crate::model::{Head, JsonText, ParkCode, ParkReason, RuntimeStatus, Timestamp};
use crate::store::{InstanceFilter, InstancePage, InstanceQuery, LoadError};

/// A list in pages of three.
pub(super) fn query(filter: InstanceFilter, newest_first: bool) -> InstanceQuery {
    InstanceQuery { filter, newest_first, after: None, limit: 3 }
}

/// Returns the keys of the instances that match the filter, in order.
async fn keys(store: &Subject, filter: InstanceFilter) -> Vec<u64> {
    store.list(query(filter, false)).await.iter().map(|stored| stored.head.life.key.0).collect()
}

async fn ids(store: &Subject, prefix: &str, newest_first: bool) -> Vec<String> {
    let list = store.list(query(InstanceFilter::new().instance_id_prefix(prefix), newest_first)).await;
    list.iter().map(|stored| stored.head.life.id.as_str().to_owned()).collect()
}

/// Commits instances with the keys 1, 2, …, and applies one of the values to each.
async fn filled<T>(store: &mut Subject, values: impl IntoIterator<Item = T>, change: impl Fn(&mut Head, T)) {
    store.claim().await;
    let turns = (1..).zip(values).map(|(number, value)| {
        let mut head = head(number);
        change(&mut head, value);
        insert(head)
    });
    let turns: Vec<_> = turns.collect();
    store.commit(turns).await;
}

pub(super) async fn an_empty_store_has_an_empty_list(store: Subject) {
    for filter in [InstanceFilter::new(), InstanceFilter::new().instance_id_prefix("i")] {
        for newest_first in [false, true] {
            assert_eq!(store.page(query(filter.clone(), newest_first)).await, InstancePage::default());
        }
    }
}

pub(super) async fn a_list_shows_instances_as_single_reads_do(mut store: Subject) {
    store.claim().await;
    let counted = together([insert(head(2)), record(2, 0, 0)]);
    store.commit([insert(full(1)), counted, record(2, 0, 1), record(1, 3, 0), record(1, 0, 7), insert(head(3))]).await;
    let mut expected = Vec::new();
    for number in 1..=3 {
        expected.extend(store.instance(number).await);
    }
    assert_eq!(expected.iter().map(|stored| stored.record_count).collect::<Vec<_>>(), [1, 2, 0]);
    assert_eq!(store.list(query(InstanceFilter::new(), false)).await, expected);
    assert_eq!(store.list(query(InstanceFilter::new().instance_id_prefix("i"), false)).await, expected);
}

pub(super) async fn a_list_sees_the_commit_before_it(mut store: Subject) {
    store.claim().await;
    for number in 1..=50 {
        store.commit([insert(head(number))]).await;
        assert_eq!(keys(&store, InstanceFilter::new()).await, (1..=number).collect::<Vec<_>>());
    }
    for number in 1..=50 {
        store.commit([purge(number)]).await;
        assert_eq!(keys(&store, InstanceFilter::new()).await, (number + 1..=50).collect::<Vec<_>>());
    }
}

pub(super) async fn lists_are_ordered_by_creation_and_key(mut store: Subject) {
    const LAST: u64 = i64::MAX.cast_unsigned();
    store.claim().await;
    // Ids rise in the opposite order, and keys do not follow the times.
    let times = [(5, 7), (5, 255), (-3, LAST), (5, 6), (i64::MAX, 0), (i64::MIN, 9), (-3, 8), (5, 1 << 39)];
    for (place, (time, number)) in times.into_iter().enumerate() {
        let mut head = head(number);
        head.life_mut().id = id(&format!("i{place}"));
        head.life_mut().created_at = Timestamp(time);
        store.commit([insert(head)]).await;
    }
    let mut expected = vec![9, 8, LAST, 6, 7, 255, 1 << 39, 0];
    assert_eq!(keys(&store, InstanceFilter::new()).await, expected);
    expected.reverse();
    let list = store.list(query(InstanceFilter::new(), true)).await;
    assert_eq!(list.iter().map(|stored| stored.head.life.key.0).collect::<Vec<_>>(), expected);
}

/// The ids in the order of their bytes.
const IDS: [&str; 22] = [
    "%",
    "%a",
    "*",
    "A",
    "AA",
    "[a]",
    "_",
    "_a",
    "a",
    "a b",
    "a%",
    "a*",
    "aA",
    "a[a]",
    "a_",
    "aa",
    "a\u{7ff}",
    "a\u{800}",
    "a\u{ffff}",
    "a\u{10000}",
    "a\u{10ffff}",
    "a\u{10ffff}\u{10ffff}",
];

pub(super) async fn lists_of_a_prefix_are_ordered_by_id(mut store: Subject) {
    // Keys rise in another order.
    let mixed = (0..IDS.len()).map(|place| IDS[place * 7 % IDS.len()]);
    filled(&mut store, mixed, |head, text| head.life_mut().id = id(text)).await;
    let mut expected: Vec<_> = IDS.into_iter().filter(|id| id.starts_with('a')).collect();
    assert!(expected.len() > 10 && expected.is_sorted());
    assert_eq!(ids(&store, "a", false).await, expected);
    expected.reverse();
    assert_eq!(ids(&store, "a", true).await, expected);
}

pub(super) async fn a_prefix_is_compared_letter_by_letter(mut store: Subject) {
    let others = ["é", "e\u{301}", "ß", "東京", "東", "\u{10ffff}", "\u{10ffff}\u{10ffff}", "\u{d7ff}", "\u{e000}"];
    let longest = "x".repeat(256);
    let all: Vec<&str> = IDS.into_iter().chain(others).chain([longest.as_str()]).collect();
    filled(&mut store, &all, |head, text| head.life_mut().id = id(text)).await;
    // Each id is also used as a prefix: of itself, and of other ids.
    let more =
        ["", "ab", "b", "e", "aa ", "a\u{10ffff}\u{10ffff}\u{10ffff}", "東京 ", "@", "a/", "\0", "A%", "%%", "__"];
    let too_long = "x".repeat(257);
    for prefix in all.iter().copied().chain(more).chain([too_long.as_str()]) {
        for newest_first in [false, true] {
            let mut found = ids(&store, prefix, newest_first).await;
            found.sort_unstable();
            let mut expected: Vec<_> = all.iter().copied().filter(|id| id.starts_with(prefix)).collect();
            expected.sort_unstable();
            assert_eq!(found, expected, "the prefix {prefix:?}");
        }
    }
}

pub(super) async fn statuses_are_alternatives(mut store: Subject) {
    use RuntimeStatus::{Completed, Failed, Pending, Running, Suspended, Terminated};
    let all = [Pending, Running, Suspended, Completed, Failed, Terminated];
    filled(&mut store, all, |head, status| head.progress_mut().status = status).await;
    for (number, status) in (1..).zip(all) {
        assert_eq!(keys(&store, InstanceFilter::new().runtime_status([status])).await, [number]);
    }
    let filter = InstanceFilter::new().runtime_status([Failed]).runtime_status([Running, Running, Failed]);
    assert_eq!(keys(&store, filter).await, [2, 5]);
    assert_eq!(keys(&store, InstanceFilter::new().runtime_status([])).await, [1, 2, 3, 4, 5, 6]);
}

pub(super) async fn bounds_of_creation_are_inclusive(mut store: Subject) {
    let times = [i64::MIN, -1, 0, 1, 1_000_000, i64::MAX];
    filled(&mut store, times, |head, time| head.life_mut().created_at = Timestamp(time)).await;
    for from in times.map(Timestamp) {
        for to in times.map(Timestamp) {
            let mut filter = InstanceFilter::new();
            filter.created_from = Some(from);
            assert_eq!(keys(&store, filter.clone()).await.len(), times.iter().filter(|time| from.0 <= **time).count());
            filter.created_to = Some(to);
            let between = (1..).zip(times).filter(|(_, time)| from.0 <= *time && *time <= to.0);
            let expected: Vec<_> = between.map(|(number, _)| number).collect();
            assert_eq!(keys(&store, filter).await, expected, "from {from:?} to {to:?}");
        }
    }
}

pub(super) async fn a_name_is_the_whole_name(mut store: Subject) {
    let names = ["order", "Order", "orders::order", "order ", "東京"];
    filled(&mut store, names, |head, name| head.life_mut().name = name.to_owned()).await;
    for (number, name) in (1..).zip(names) {
        assert_eq!(keys(&store, InstanceFilter::new().name(name)).await, [number]);
    }
    assert!(keys(&store, InstanceFilter::new().name("")).await.is_empty());
    assert!(keys(&store, InstanceFilter::new().name("orde")).await.is_empty());
}

pub(super) async fn parked_instances_are_told_apart(mut store: Subject) {
    let reason = || ParkReason::new(ParkCode::NotRegistered, "no code");
    filled(&mut store, [true, false, true], |head, parked| head.progress_mut().parked = parked.then(reason)).await;
    assert_eq!(keys(&store, InstanceFilter::new().parked(true)).await, [1, 3]);
    assert_eq!(keys(&store, InstanceFilter::new().parked(false)).await, [2]);
    assert_eq!(keys(&store, InstanceFilter::new()).await, [1, 2, 3]);
}

pub(super) async fn all_tags_must_be_there_with_their_values(mut store: Subject) {
    let tags: [&[(&str, &str)]; 5] =
        [&[], &[("team", "blue")], &[("team", "red"), ("a\"b", "ü")], &[("team", "blue"), ("empty", "")], &[("", "x")]];
    filled(&mut store, tags, |head, tags| {
        head.life_mut().tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    })
    .await;
    let tagged = |key: &str, value: &str| InstanceFilter::new().tag(key, value);
    assert_eq!(keys(&store, tagged("team", "blue")).await, [2, 4]);
    assert_eq!(keys(&store, tagged("team", "blue").tag("empty", "")).await, [4]);
    assert_eq!(keys(&store, tagged("a\"b", "ü")).await, [3]);
    assert_eq!(keys(&store, tagged("", "x")).await, [5]);
    for absent in
        [tagged("team", "Blue"), tagged("blue", "team"), tagged("none", ""), tagged("team", "red").tag("", "")]
    {
        assert!(keys(&store, absent).await.is_empty());
    }
}

pub(super) async fn a_custom_status_is_looked_at_by_place_and_value(mut store: Subject) {
    let statuses = [
        None,
        Some("null"),
        Some(r#"{"city":"London","at":{"done":[1,2.5,null],"a/b":{"~":true}},"":0}"#),
        Some(r#" { "at" : { "a/b":{"~":true}, "done":[ 1, 2.5, null ] } , "" : 0, "city":"London" } "#),
        Some(r#"{"city":null,"at":1}"#),
        Some(r#"{"at":1.0}"#),
        Some(r#""London""#),
        Some("[18446744073709551615,-0.0,1e2]"),
    ];
    filled(&mut store, statuses, |head, text| {
        head.progress_mut().custom_status = text.map(|text| JsonText::from_string(text.to_owned()));
    })
    .await;
    let whole = json!({"city": "London", "": 0, "at": {"a/b": {"~": true}, "done": [1, 2.5, null]}});
    let cases: Vec<(&str, Value, &[u64])> = vec![
        ("/city", "London".into(), &[3, 4]),
        ("/city", "london".into(), &[]),
        ("/city", Value::Null, &[5]),
        ("/nothing", Value::Null, &[]),
        ("/at/done/0", 1.into(), &[3, 4]),
        ("/at/done/1", 2.5.into(), &[3, 4]),
        ("/at/done/2", Value::Null, &[3, 4]),
        ("/at/done/3", Value::Null, &[]),
        ("/at/done/00", 1.into(), &[]),
        ("/at/done", json!([1, 2.5, null]), &[3, 4]),
        ("/at/done", json!([2.5, 1, null]), &[]),
        ("/at/a~1b/~0", true.into(), &[3, 4]),
        ("/at/a/b", json!({"~": true}), &[]),
        ("/", 0.into(), &[3, 4]),
        ("", whole, &[3, 4]),
        ("", Value::Null, &[2]),
        ("", "London".into(), &[7]),
        ("at", 1.into(), &[]),
        ("/at", 1.into(), &[5]),
        ("/at", json!(1.0), &[6]),
        ("/0", u64::MAX.into(), &[8]),
        ("/2", json!(100.0), &[8]),
        ("/2", 100.into(), &[]),
    ];
    for (pointer, value, expected) in cases {
        let filter = InstanceFilter::new().custom_status(pointer, value.clone());
        assert_eq!(keys(&store, filter).await, expected, "{value} at {pointer:?}");
    }
    let both = InstanceFilter::new().custom_status("/city", "London").custom_status("/at/done/0", 1);
    assert_eq!(keys(&store, both.clone()).await, [3, 4]);
    assert!(keys(&store, both.custom_status("/city", "Tokyo")).await.is_empty());
}

pub(super) async fn all_conditions_must_be_met(mut store: Subject) {
    let meets = |number| {
        let mut head = full(number);
        head.progress_mut().custom_status = Some(JsonText::from_string(r#"{"city":"London"}"#.to_owned()));
        head
    };
    let spoil: [fn(&mut Head); 7] = [
        |head| head.progress_mut().status = RuntimeStatus::Completed,
        |head| head.life_mut().created_at = Timestamp(head.life.created_at.0 - 1),
        |head| head.life_mut().created_at = Timestamp(head.life.created_at.0 + 1),
        |head| head.life_mut().id = id("other"),
        |head| head.life_mut().name.push('s'),
        |head| _ = head.life_mut().tags.remove("team"),
        |head| head.progress_mut().custom_status = None,
    ];
    filled(&mut store, 0..=spoil.len(), |head, place| {
        *head = meets(head.life.key.0);
        if let Some(spoil) = place.checked_sub(1).and_then(|place| spoil.get(place)) {
            spoil(head);
        }
    })
    .await;
    let head = meets(1);
    let mut filter = InstanceFilter::new()
        .runtime_status([RuntimeStatus::Running, head.progress.status])
        .instance_id_prefix("i")
        .name(head.life.name.as_str())
        .tag("team", "blue")
        .custom_status("/city", "London");
    (filter.created_from, filter.created_to) = (Some(head.life.created_at), Some(head.life.created_at));
    assert_eq!(keys(&store, filter.clone()).await, [1]);
    filter.id_prefix.clear();
    assert_eq!(keys(&store, filter).await, [1, 5]);
}

pub(super) async fn a_damaged_custom_status_is_named_and_never_left_out(mut store: Subject) {
    filled(&mut store, [r#"{"city":"London"}"#, "no JSON", "1"], |head, text| {
        head.progress_mut().custom_status = Some(JsonText::from_string(text.to_owned()));
    })
    .await;
    for filter in [InstanceFilter::new(), InstanceFilter::new().instance_id_prefix("i")] {
        let asked = query(filter.clone().custom_status("/city", "London"), false);
        let answer = store.store().query(asked).await;
        let Err(LoadError::Corrupt(detail)) = &answer else { panic!("{answer:?}") };
        assert!(detail.contains("\"i2\"") && detail.contains("0.2"), "{detail}");
        // The custom status is not needed here.
        assert_eq!(keys(&store, filter).await, [1, 2, 3]);
    }
}
