//! Which code is registered: (name, version) of an orchestrator, name of an activity, each to its handler.
//!
//! Built once, before anything runs; sorted by name, so that nothing depends on the order of hashes or of the linker.

mod version;

use std::collections::BTreeMap;

use crate::definition::{
    self, ActivityRegistration, CallSite, EventRegistration, OrchestratorRegistration, Registration,
};
use crate::model::SourceLocation;

/// The orchestrators and activities that a runtime knows.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// By name; those of one name from the oldest version to the newest.
    orchestrators: BTreeMap<String, Vec<OrchestratorEntry>>,
    activities: BTreeMap<String, ActivityRegistration>,
    /// By name in lower case. `None`: several events have the name.
    events: BTreeMap<String, Option<EventRegistration>>,
}

#[derive(Debug, Clone)]
struct OrchestratorEntry {
    version: String,
    code: OrchestratorCode,
}

/// How an orchestrator of some name and version is run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum OrchestratorCode {
    /// By code in this process.
    Rust(OrchestratorRegistration),
    /// By a worker elsewhere, which is offered each turn.
    Remote,
}

/// Why a registry cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Nothing is registered at all.
    #[error(
        "no orchestrator and no activity is registered: pass `registry![..]` to `register`, or call `auto_register()`, which finds what is linked into the program; a library of activities that nothing names is dropped by the linker, so write `use my_activities as _;`"
    )]
    Empty,
    /// Two orchestrators have the same name and version. Rename one, or give it another version.
    #[error(
        "orchestrator `{name}` (version {version:?}) is there twice: at {first} and at {second}; rename one with `#[orchestrator(name = \"..\")]`, or give it another `version`"
    )]
    DuplicateOrchestrator {
        /// The name of both.
        name: &'static str,
        /// The version of both.
        version: &'static str,
        /// Where the first stands.
        first: SourceLocation,
        /// Where the second stands.
        second: SourceLocation,
    },
    /// Two activities have the same name. Rename one.
    #[error(
        "activity `{name}` is there twice: at {first} and at {second}; rename one with `#[activity(name = \"..\")]`"
    )]
    DuplicateActivity {
        /// The name of both.
        name: &'static str,
        /// Where the first stands.
        first: SourceLocation,
        /// Where the second stands.
        second: SourceLocation,
    },
    /// An orchestrator calls something that exists in the program but is not registered. Register it too.
    #[error(
        "orchestrator `{orchestrator}` calls `{called}` at {call}, which is not registered: it stands at {definition}; add it to `registry![..]`"
    )]
    NotRegistered {
        /// The name of the orchestrator.
        orchestrator: &'static str,
        /// What it calls, as it is written there.
        called: &'static str,
        /// Where it calls it.
        call: SourceLocation,
        /// Where the called one stands.
        definition: SourceLocation,
    },
}

impl OrchestratorCode {
    fn as_rust(&self) -> Option<&OrchestratorRegistration> {
        if let Self::Rust(registration) = self { Some(registration) } else { None }
    }
}

impl Registry {
    /// A registry of everything that is linked into the program.
    ///
    /// # Errors
    /// Two of the same name, or nothing at all.
    pub fn auto() -> Result<Self, RegistryError> {
        Self::new(linked())
    }

    /// A registry of what is listed: see [`registry!`](crate::registry).
    ///
    /// # Errors
    /// Two of the same name, nothing at all, or a call of something that stands in the program but is not listed.
    pub fn new(entries: impl IntoIterator<Item = Registration>) -> Result<Self, RegistryError> {
        let mut registry = Self::default();
        for entry in entries {
            registry.insert(entry)?;
        }
        if registry.is_empty() {
            return Err(RegistryError::Empty);
        }
        registry.check_calls(&linked())?;
        for event in definition::linked_events() {
            let known = registry.events.entry(event.name.to_ascii_lowercase());
            known.and_modify(|known| *known = None).or_insert(Some(event));
        }
        Ok(registry)
    }

    /// The orchestrator of that name and version.
    pub fn orchestrator(&self, name: &str, version: &str) -> Option<&OrchestratorRegistration> {
        self.code(name, version).and_then(OrchestratorCode::as_rust)
    }

    /// How the orchestrator of that name and version is run.
    pub fn code(&self, name: &str, version: &str) -> Option<&OrchestratorCode> {
        let versions = self.orchestrators.get(name)?;
        place_of(versions, version).ok().map(|place| &versions[place].code)
    }

    /// The orchestrators of that name in this process, from the oldest version to the newest.
    pub fn versions<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a OrchestratorRegistration> + use<'a> {
        self.orchestrators.get(name).into_iter().flatten().filter_map(|entry| entry.code.as_rust())
    }

    /// Adds an orchestrator or an activity.
    ///
    /// # Errors
    /// One of the same name, and version, is there.
    pub fn add(&mut self, entry: Registration) -> Result<(), RegistryError> {
        self.insert(entry)
    }

    /// Adds an orchestrator whose turns a worker elsewhere runs. It replaces code of the same name and version.
    pub fn add_remote_orchestrator(&mut self, name: impl Into<String>, version: impl Into<String>) {
        let (version, code) = (version.into(), OrchestratorCode::Remote);
        let versions = self.orchestrators.entry(name.into()).or_default();
        match place_of(versions, &version) {
            Ok(place) => versions[place].code = code,
            Err(place) => versions.insert(place, OrchestratorEntry { version, code }),
        }
    }

    /// Removes an orchestrator. Its instances wait until it is added again.
    pub fn remove_orchestrator(&mut self, name: &str, version: &str) {
        if let Some(versions) = self.orchestrators.get_mut(name) {
            versions.retain(|entry| entry.version != version);
            if versions.is_empty() {
                self.orchestrators.remove(name);
            }
        }
    }

    /// Removes an activity. Tasks of it wait until it is added again.
    pub fn remove_activity(&mut self, name: &str) {
        self.activities.remove(name);
    }

    /// The version that a start without a version takes: the newest.
    ///
    /// Numbers in versions are compared as numbers and what stands between them as text, from the front: `10` is newer
    /// than `9`, and `1.10` than `1.9`. A number is older than a text at the same place, a version is older than the same
    /// one with something added, and no version is the oldest.
    pub fn default_version(&self, name: &str) -> Option<&str> {
        self.orchestrators.get(name)?.last().map(|entry| entry.version.as_str())
    }

    /// The activity of that name.
    pub fn activity(&self, name: &str) -> Option<&ActivityRegistration> {
        self.activities.get(name)
    }

    /// The event of that name, of all that are linked into the program. `None`: there is none, or there are several.
    ///
    /// Events are not registered: any orchestrator may wait for any of them, and for events that have no type of their
    /// own. See [`OrchestratorRegistration::events`] for what one orchestrator accepts.
    pub fn event(&self, name: &str) -> Option<&EventRegistration> {
        self.events.get(&name.to_ascii_lowercase())?.as_ref()
    }

    /// All orchestrators, by name and version.
    pub fn orchestrators(&self) -> impl Iterator<Item = &OrchestratorRegistration> {
        self.orchestrators.values().flatten().filter_map(|entry| entry.code.as_rust())
    }

    /// All activities, by name.
    pub fn activities(&self) -> impl Iterator<Item = &ActivityRegistration> {
        self.activities.values()
    }

    fn is_empty(&self) -> bool {
        self.orchestrators.is_empty() && self.activities.is_empty()
    }

    fn insert(&mut self, entry: Registration) -> Result<(), RegistryError> {
        match entry {
            Registration::Orchestrator(new) => {
                let (version, code) = (new.version.to_owned(), OrchestratorCode::Rust(new));
                let versions = self.orchestrators.entry(new.name.to_owned()).or_default();
                match place_of(versions, &version) {
                    Ok(place) => {
                        let before = std::mem::replace(&mut versions[place].code, code);
                        before.as_rust().map_or(Ok(()), |old| {
                            Err(RegistryError::DuplicateOrchestrator {
                                name: new.name,
                                version: new.version,
                                first: earlier(old.location, new.location),
                                second: later(old.location, new.location),
                            })
                        })
                    }
                    Err(place) => {
                        versions.insert(place, OrchestratorEntry { version, code });
                        Ok(())
                    }
                }
            }
            Registration::Activity(new) => match self.activities.insert(new.name.to_owned(), new) {
                Some(old) => Err(RegistryError::DuplicateActivity {
                    name: new.name,
                    first: earlier(old.location, new.location),
                    second: later(old.location, new.location),
                }),
                None => Ok(()),
            },
        }
    }

    /// A call is known by its last word only. It is an error when a linked item has that name and no registered one
    /// does; a name that no linked item has may be an alias or run elsewhere, and is left alone.
    fn check_calls(&self, linked: &[Registration]) -> Result<(), RegistryError> {
        let registered = |marker: &str| {
            self.orchestrators().any(|entry| entry.marker == marker)
                || self.activities().any(|entry| entry.marker == marker)
        };
        for orchestrator in self.orchestrators() {
            for (called, line, column) in orchestrator.calls.iter().map(|call| call_site(call)) {
                if registered(called) {
                    continue;
                }
                let mut namesakes: Vec<_> = linked.iter().map(identity).filter(|item| item.0 == called).collect();
                namesakes.sort_by_key(|item| order(item.1));
                if let Some((_, definition)) = namesakes.first() {
                    let SourceLocation { file, .. } = orchestrator.location;
                    return Err(RegistryError::NotRegistered {
                        orchestrator: orchestrator.name,
                        called,
                        call: SourceLocation { file, line, column },
                        definition: *definition,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Where a version stands among those of its name, or where it belongs.
fn place_of(versions: &[OrchestratorEntry], version: &str) -> Result<usize, usize> {
    versions.binary_search_by(|entry| version::compare(&entry.version, version))
}

/// What is called there, and where.
fn call_site(site: CallSite) -> (&'static str, u32, u32) {
    let mut parts = site.split(':');
    let called = parts.next().unwrap_or_default();
    let [line, column] = [(); 2].map(|()| parts.next().and_then(|number| number.parse().ok()).unwrap_or_default());
    (called, line, column)
}

/// Everything that is linked into the program, in a fixed order.
fn linked() -> Vec<Registration> {
    let mut entries = definition::linked();
    entries.sort_by_key(|entry| order(identity(entry).1));
    entries
}

fn identity(entry: &Registration) -> (&'static str, SourceLocation) {
    match entry {
        Registration::Orchestrator(entry) => (entry.marker, entry.location),
        Registration::Activity(entry) => (entry.marker, entry.location),
    }
}

fn order(location: SourceLocation) -> (&'static str, u32, u32) {
    (location.file, location.line, location.column)
}

fn earlier(a: SourceLocation, b: SourceLocation) -> SourceLocation {
    std::cmp::min_by_key(a, b, |location| order(*location))
}

fn later(a: SourceLocation, b: SourceLocation) -> SourceLocation {
    std::cmp::max_by_key(a, b, |location| order(*location))
}

/// Lists orchestrators and activities by name: `registry![hello_cities, say_hello]`.
#[macro_export]
macro_rules! registry {
    ($($marker:ty),* $(,)?) => {
        [$($crate::__rt::registration::<$marker, _>()),*]
    };
}

#[cfg(test)]
mod tests {
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
            handler: |_, _| Err(crate::FailureDetails::new("Test", "never run")),
            calls,
            events: None,
            check_input: |_| Ok(()),
        })
    }

    fn activity(name: &'static str, line: u32) -> Registration {
        let handler = |_, _| Box::pin(std::future::pending()) as crate::definition::BoxedActivity;
        Registration::Activity(ActivityRegistration { name, marker: name, location: at(line), handler, service: None })
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
    fn duplicates_name_both_places_in_the_order_of_the_source() {
        for lines in [[7, 3], [3, 7]] {
            let error = Registry::new(lines.map(|line| activity("pay", line))).unwrap_err();
            assert_eq!(error, RegistryError::DuplicateActivity { name: "pay", first: at(3), second: at(7) });
            assert!(error.to_string().contains("shop.rs:3:1 and at shop.rs:7:1"), "{error}");
            let error = Registry::new(lines.map(|line| orchestrator("pay", "1", &[], line))).unwrap_err();
            assert!(
                matches!(error, RegistryError::DuplicateOrchestrator { first, second, .. } if (first, second) == (at(3), at(7)))
            );
        }
    }

    #[test]
    fn nothing_registered_is_an_error_of_its_own() {
        assert_eq!(Registry::new([]).unwrap_err(), RegistryError::Empty);
    }

    #[test]
    fn a_call_of_what_stands_in_the_program_but_is_not_listed_is_an_error() {
        static CALLS: &[CallSite] = &["pay:5:9", "unknown_alias:6:9"];
        let mut registry = Registry::default();
        registry.insert(orchestrator("order", "", CALLS, 1)).unwrap();
        // Nothing in the program has that name: it may be an alias, or run elsewhere.
        assert_eq!(registry.check_calls(&[activity("ship", 2)]), Ok(()));
        let error = registry.check_calls(&[activity("ship", 2), activity("pay", 9), activity("pay", 3)]).unwrap_err();
        let call = SourceLocation { file: "shop.rs", line: 5, column: 9 };
        assert_eq!(
            error,
            RegistryError::NotRegistered { orchestrator: "order", called: "pay", call, definition: at(3) }
        );
        // A namesake that is listed is enough.
        registry.insert(activity("pay", 9)).unwrap();
        assert_eq!(registry.check_calls(&[activity("pay", 9), activity("pay", 3)]), Ok(()));
    }
}
