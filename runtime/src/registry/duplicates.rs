//! Finds names that are used more than once. All of them are found before anything runs, so that one start reports all
//! of them.

use std::collections::BTreeMap;
use std::fmt;

use super::order;
use crate::definition::{EventRegistration, Registration};
use crate::model::SourceLocation;

/// A name that several items have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Duplicate {
    /// The kind of the items.
    pub kind: DuplicateKind,
    /// The name. If events differ only in ASCII case, this is the name of the first one.
    pub name: &'static str,
    /// The version. Only orchestrators have one; it is empty if there is none.
    pub version: &'static str,
    /// The places of the items, in source order.
    pub places: Vec<SourceLocation>,
}

/// The kinds of items that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DuplicateKind {
    /// Orchestrators, by name and version.
    Orchestrator,
    /// Activities, by name.
    Activity,
    /// External events, by name without regard to ASCII case.
    Event,
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, version, places } = self;
        match kind {
            DuplicateKind::Orchestrator if version.is_empty() => write!(f, "orchestrator `{name}`")?,
            DuplicateKind::Orchestrator => write!(f, "orchestrator `{name}` (version {version:?})")?,
            DuplicateKind::Activity => write!(f, "activity `{name}`")?,
            DuplicateKind::Event => write!(f, "event `{name}`")?,
        }
        f.write_str(" is defined at ")?;
        for (number, place) in places.iter().enumerate() {
            let before = match number {
                0 => "",
                number if number + 1 == places.len() => " and at ",
                _ => ", at ",
            };
            write!(f, "{before}{place}")?;
        }
        f.write_str(match kind {
            DuplicateKind::Orchestrator => {
                "; give each its own name with `#[orchestrator(name = \"..\")]`, or its own `version`"
            }
            DuplicateKind::Activity => "; give each its own name with `#[activity(name = \"..\")]`",
            DuplicateKind::Event => {
                "; names of events differ in more than ASCII case: give each its own name with `#[external_event(name = \"..\")]`"
            }
        })
    }
}

/// Returns one line for each name.
pub(super) fn text(duplicates: &[Duplicate]) -> String {
    let lines: Vec<_> = duplicates.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// What two items must not have in common: the kind, the name in its compared form, and the version.
type Identity = (DuplicateKind, String, &'static str);

/// Returns every name that is used more than once.
pub(super) fn find<'a>(
    entries: impl IntoIterator<Item = &'a Registration>,
    events: impl IntoIterator<Item = &'a EventRegistration>,
) -> Vec<Duplicate> {
    let mut items: BTreeMap<Identity, Vec<(SourceLocation, &'static str)>> = BTreeMap::new();
    let mut add = |kind, key: String, version, location, name| {
        items.entry((kind, key, version)).or_default().push((location, name));
    };
    for entry in entries {
        match entry {
            Registration::Orchestrator(entry) => {
                add(DuplicateKind::Orchestrator, entry.name.to_owned(), entry.version, entry.location, entry.name);
            }
            Registration::Activity(entry) => {
                add(DuplicateKind::Activity, entry.name.to_owned(), "", entry.location, entry.name);
            }
        }
    }
    for event in events {
        if let Some(location) = event.location {
            add(DuplicateKind::Event, event.name.to_ascii_lowercase(), "", location, event.name);
        }
    }
    items
        .into_iter()
        .filter(|(_, places)| places.len() > 1)
        .map(|((kind, _, version), mut places)| {
            places.sort_by_key(|(location, _)| order(*location));
            let name = places.first().map_or("", |(_, name)| *name);
            Duplicate { kind, name, version, places: places.into_iter().map(|(location, _)| location).collect() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &'static str, line: u32) -> EventRegistration {
        let location = Some(SourceLocation { file: "shop.rs", line, column: 1 });
        EventRegistration { name, type_name: || "shop::Event", check: |_| Ok(()), location }
    }

    #[test]
    fn events_are_compared_without_regard_to_ascii_case() {
        let events = [event("Paid", 9), event("paid", 3), event("Shipped", 4)];
        let found = find([], &events);
        let [paid] = &found[..] else { panic!("{found:?}") };
        assert_eq!((paid.kind, paid.name, paid.places.len()), (DuplicateKind::Event, "paid", 2));
        assert!(text(&found).starts_with("event `paid` is defined at shop.rs:3:1 and at shop.rs:9:1;"), "{found:?}");
        assert_eq!(find([], &[event("ÄRGER", 1), event("ärger", 2)]), [], "only ASCII has one case");
    }
}
