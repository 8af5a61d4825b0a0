//! What a registry accepts, and what it says of the rest.

use super::*;

fn at(line: u32) -> SourceLocation {
    SourceLocation { file: "shop.rs", line, column: 1 }
}

fn orchestrator(name: &'static str, version: &'static str, calls: &'static [CallSite], line: u32) -> Registration {
    Registration::Orchestrator(OrchestratorRegistration {
        name,
        version,
        marker: name,
        location: at(line),
        handler: |_, _| Err(crate::DecodeError("never run".to_owned())),
        calls,
        events: None,
        check_input: |_| Ok(()),
    })
}

fn activity(name: &'static str, line: u32) -> Registration {
    let handler = |_, _| Box::pin(std::future::pending()) as crate::definition::BoxedActivity;
    Registration::Activity(ActivityRegistration {
        name,
        marker: name,
        location: at(line),
        handler,
        check_input: |_| Ok(()),
        service: None,
        concurrency: None,
    })
}

#[test]
fn names_and_versions_are_found() {
    let entries = [
        orchestrator("a", "10", &[], 1),
        orchestrator("a", "9", &[], 2),
        orchestrator("b", "", &[], 3),
        activity("a", 4),
    ];
    let registry = Registry::new(entries).unwrap();
    assert_eq!(registry.orchestrator("a", "9").unwrap().location, at(2));
    assert!(registry.orchestrator("a", "").is_none());
    assert_eq!(registry.versions("a").map(|entry| entry.version).collect::<Vec<_>>(), ["9", "10"]);
    assert_eq!((registry.default_version("a"), registry.default_version("b")), (Some("10"), Some("")));
    assert_eq!(registry.versions("c").count(), 0);
    assert_eq!(registry.activity("a").unwrap().location, at(4));
    assert!(registry.activity("b").is_none());
    assert_eq!((registry.orchestrators().count(), registry.activities().count()), (3, 1));
}

#[test]
fn all_duplicates_are_named_with_their_places_in_the_order_of_the_source() {
    let entries = [
        orchestrator("pay", "1", &[], 9),
        activity("charge", 7),
        orchestrator("pay", "1", &[], 3),
        activity("charge", 5),
        orchestrator("pay", "2", &[], 4),
        activity("charge", 6),
    ];
    let RegistryError::Duplicates(found) = Registry::new(entries).unwrap_err() else { panic!("no duplicates") };
    let lines = |duplicate: &Duplicate| duplicate.places.iter().map(|place| place.line).collect::<Vec<_>>();
    let found: Vec<_> = found.iter().map(|one| (one.kind, one.name, one.version, lines(one))).collect();
    assert_eq!(
        found,
        [(DuplicateKind::Orchestrator, "pay", "1", vec![3, 9]), (DuplicateKind::Activity, "charge", "", vec![5, 6, 7])]
    );
    let text = Registry::new(entries).unwrap_err().to_string();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("shop.rs:5:1, at shop.rs:6:1 and at shop.rs:7:1"), "{text}");
}

#[test]
fn events_count_where_a_listed_orchestrator_waits_for_them() {
    static CALLS: &[CallSite] = &["Paid:5:9", "Settled:6:9", "pay:7:9"];
    fn event(name: &'static str, type_name: fn() -> &'static str, line: u32) -> EventRegistration {
        EventRegistration { name, type_name, check: |_| Ok(()), location: Some(at(line)) }
    }
    let events = vec![
        event("Paid", || "shop::Paid", 8),
        event("PAID", || "shop::Settled", 2),
        event("Paid", || "bank::Paid", 30),
        event("paid", || "shop::Unrelated", 3),
    ];
    let waits = [orchestrator("order", "", CALLS, 1)];
    let found = duplicates::find(&waits, &awaited(&waits, events.clone()));
    let [paid] = &found[..] else { panic!("{found:?}") };
    assert_eq!(paid.places, [at(2), at(8)], "a type of the same name in another module may be another program's");
    assert_eq!(awaited(&[orchestrator("order", "", &["Paid:5:9"], 1)], events).len(), 1);
}

#[test]
fn nothing_registered_is_an_error_of_its_own() {
    assert_eq!(Registry::new([]).unwrap_err(), RegistryError::Empty);
}

#[test]
fn calling_an_item_that_is_linked_but_not_listed_is_an_error() {
    static CALLS: &[CallSite] = &["pay:5:9", "unknown_alias:6:9"];
    let mut registry = Registry::default();
    registry.insert(orchestrator("order", "", CALLS, 1));
    // Nothing in the program has that name: it may be an alias, or run elsewhere.
    assert_eq!(registry.check_calls(&[activity("ship", 2)]), Ok(()));
    let error = registry.check_calls(&[activity("ship", 2), activity("pay", 9), activity("pay", 3)]).unwrap_err();
    let call = SourceLocation { file: "shop.rs", line: 5, column: 9 };
    assert_eq!(error, RegistryError::NotRegistered { orchestrator: "order", called: "pay", call, definition: at(3) });
    // A namesake that is listed is enough.
    registry.insert(activity("pay", 9));
    assert_eq!(registry.check_calls(&[activity("pay", 9), activity("pay", 3)]), Ok(()));
}
