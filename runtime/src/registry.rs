//! The registered code: orchestrators by name and version, and activities by name, each with its handler.
//!
//! A registry is sorted by name, so nothing depends on the order of hashes or of the linker. A runtime replaces its
//! registry as a whole when code is registered while it runs.

mod duplicates;
#[cfg(test)]
mod tests;
mod version;

use std::collections::BTreeMap;

use crate::definition::{
    self, ActivityRegistration, CallSite, EventRegistration, OrchestratorRegistration, Registration,
};
use crate::model::SourceLocation;

pub use duplicates::{Duplicate, DuplicateKind};

/// The orchestrators and activities that a runtime knows.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// Orchestrators by name, then from the oldest version to the newest.
    orchestrators: BTreeMap<String, Vec<OrchestratorEntry>>,
    activities: BTreeMap<String, ActivityRegistration>,
    /// Events by their name in lower case. `None` means that several events have this name.
    events: BTreeMap<String, Option<EventRegistration>>,
}

#[derive(Debug, Clone)]
struct OrchestratorEntry {
    version: String,
    code: OrchestratorCode,
}

/// Who runs an orchestrator with a given name and version.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum OrchestratorCode {
    /// By code in this process.
    Rust(OrchestratorRegistration),
    /// By a worker elsewhere, which is offered each turn.
    Remote,
}

/// The reason why a registry cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Nothing is registered.
    #[error(
        "no orchestrator and no activity is registered: pass `registry![..]` to `register`, or call `auto_register()` to register everything that is linked into the program; if your activities are in a library that nothing else uses, the linker drops it, so write `use my_activities as _;`"
    )]
    Empty,
    /// Names are taken more than once. All of them are listed, with the places in the source.
    #[error("{}", duplicates::text(.0))]
    Duplicates(Vec<Duplicate>),
    /// An orchestrator calls something that exists in the program but is not registered. Register it too.
    #[error(
        "orchestrator `{orchestrator}` calls `{called}` at {call}, which is not registered: it is defined at {definition}; add it to `registry![..]`"
    )]
    NotRegistered {
        /// The name of the orchestrator.
        orchestrator: &'static str,
        /// The called item, as the source names it.
        called: &'static str,
        /// The place of the call.
        call: SourceLocation,
        /// The place where the called item is defined.
        definition: SourceLocation,
    },
}

impl OrchestratorCode {
    fn as_rust(&self) -> Option<&OrchestratorRegistration> {
        if let Self::Rust(registration) = self { Some(registration) } else { None }
    }
}

impl Registry {
    /// Creates a registry of everything that is linked into the program.
    ///
    /// # Errors
    /// Returns an error if orchestrators, activities or events have the same name, or if nothing is linked.
    pub fn auto() -> Result<Self, RegistryError> {
        Self::build(&linked(), &definition::linked_events())
    }

    /// Creates a registry of the listed items: see [`registry!`](crate::registry).
    ///
    /// # Errors
    /// Returns an error if names are used more than once, if nothing is listed, or if a listed orchestrator calls an
    /// item of the program that is not listed. Names of events are checked only for events that a listed orchestrator
    /// awaits or lists in `events(..)`.
    pub fn new(entries: impl IntoIterator<Item = Registration>) -> Result<Self, RegistryError> {
        let entries: Vec<_> = entries.into_iter().collect();
        Self::build(&entries, &awaited(&entries, definition::linked_events()))
    }

    fn build(entries: &[Registration], events: &[EventRegistration]) -> Result<Self, RegistryError> {
        let duplicates = duplicates::find(entries, events);
        if !duplicates.is_empty() {
            return Err(RegistryError::Duplicates(duplicates));
        }
        let mut registry = Self::default();
        for entry in entries {
            registry.insert(*entry);
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

    /// Returns the orchestrator with this name and version.
    pub fn orchestrator(&self, name: &str, version: &str) -> Option<&OrchestratorRegistration> {
        self.code(name, version).and_then(OrchestratorCode::as_rust)
    }

    /// Returns who runs the orchestrator with this name and version.
    pub fn code(&self, name: &str, version: &str) -> Option<&OrchestratorCode> {
        let versions = self.orchestrators.get(name)?;
        place_of(versions, version).ok().map(|place| &versions[place].code)
    }

    /// Returns the orchestrators of this process with this name, from the oldest version to the newest.
    pub fn versions<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a OrchestratorRegistration> + use<'a> {
        self.orchestrators.get(name).into_iter().flatten().filter_map(|entry| entry.code.as_rust())
    }

    /// Adds the listed items.
    ///
    /// # Errors
    /// The same as those of [`new`](Self::new), with what is registered already. The registry is then incomplete and must
    /// be dropped.
    pub(crate) fn extend(&mut self, entries: impl IntoIterator<Item = Registration>) -> Result<(), RegistryError> {
        let known = self.orchestrators().copied().map(Registration::Orchestrator);
        let known = known.chain(self.activities().copied().map(Registration::Activity));
        let mut all: Vec<_> = known.collect();
        let before = all.len();
        all.extend(entries);
        let duplicates = duplicates::find(&all, &awaited(&all, definition::linked_events()));
        if !duplicates.is_empty() {
            return Err(RegistryError::Duplicates(duplicates));
        }
        all[before..].iter().for_each(|entry| self.insert(*entry));
        self.check_calls(&linked())
    }

    /// Adds an orchestrator whose turns a worker elsewhere runs. It replaces code of the same name and version.
    pub fn add_remote_orchestrator(&mut self, name: impl Into<String>, version: impl Into<String>) {
        self.insert_orchestrator(name.into(), version.into(), OrchestratorCode::Remote);
    }

    /// Removes an orchestrator. Its instances wait until it is added again. Returns whether it was there.
    pub(crate) fn remove_orchestrator(&mut self, name: &str, version: &str) -> bool {
        let Some(versions) = self.orchestrators.get_mut(name) else { return false };
        let before = versions.len();
        versions.retain(|entry| entry.version != version);
        let removed = versions.len() < before;
        if versions.is_empty() {
            self.orchestrators.remove(name);
        }
        removed
    }

    /// Removes an activity. Tasks of it wait until it is added again. Returns whether it was there.
    pub(crate) fn remove_activity(&mut self, name: &str) -> bool {
        self.activities.remove(name).is_some()
    }

    /// Returns the newest version, which a start without a version uses.
    ///
    /// Numbers in versions are compared as numbers and the parts between them as text, from left to right: `10` is newer
    /// than `9`, and `1.10` is newer than `1.9`. A number is older than a text in the same place, a version is older than
    /// the same version with something added, and an empty version is the oldest.
    pub fn default_version(&self, name: &str) -> Option<&str> {
        self.orchestrators.get(name)?.last().map(|entry| entry.version.as_str())
    }

    /// Returns the activity with this name.
    pub fn activity(&self, name: &str) -> Option<&ActivityRegistration> {
        self.activities.get(name)
    }

    /// Returns the event with this name, among all events that are linked into the program. Returns `None` if there is
    /// none or if there are several.
    ///
    /// Events are not registered: any orchestrator may wait for any of them, and for events that have no type of their
    /// own. See [`OrchestratorRegistration::events`] for what one orchestrator accepts.
    pub fn event(&self, name: &str) -> Option<&EventRegistration> {
        self.events.get(&name.to_ascii_lowercase())?.as_ref()
    }

    /// Returns all orchestrators, ordered by name and version.
    pub fn orchestrators(&self) -> impl Iterator<Item = &OrchestratorRegistration> {
        self.orchestrators.values().flatten().filter_map(|entry| entry.code.as_rust())
    }

    /// Returns all activities, ordered by name.
    pub fn activities(&self) -> impl Iterator<Item = &ActivityRegistration> {
        self.activities.values()
    }

    fn is_empty(&self) -> bool {
        self.orchestrators.is_empty() && self.activities.is_empty()
    }

    fn insert_orchestrator(&mut self, name: String, version: String, code: OrchestratorCode) {
        let versions = self.orchestrators.entry(name).or_default();
        match place_of(versions, &version) {
            Ok(place) => versions[place].code = code,
            Err(place) => versions.insert(place, OrchestratorEntry { version, code }),
        }
    }

    fn insert(&mut self, entry: Registration) {
        match entry {
            Registration::Orchestrator(new) => {
                let (version, code) = (new.version.to_owned(), OrchestratorCode::Rust(new));
                self.insert_orchestrator(new.name.to_owned(), version, code);
            }
            Registration::Activity(new) => {
                self.activities.insert(new.name.to_owned(), new);
            }
        }
    }

    /// Checks the calls in the bodies. A call is identified only by its last word. It is an error if a linked item has
    /// that name and no registered item does. A name that no linked item has may be an alias or may run elsewhere, so
    /// it is not an error.
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

/// Returns the index of a version among those of its name, or the index at which it belongs.
fn place_of(versions: &[OrchestratorEntry], version: &str) -> Result<usize, usize> {
    versions.binary_search_by(|entry| version::compare(&entry.version, version))
}

/// Splits a call site into the called name, the line and the column.
fn call_site(site: CallSite) -> (&'static str, u32, u32) {
    let mut parts = site.split(':');
    let called = parts.next().unwrap_or_default();
    let [line, column] = [(); 2].map(|()| parts.next().and_then(|number| number.parse().ok()).unwrap_or_default());
    (called, line, column)
}

/// Returns everything that is linked into the program, in a fixed order.
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

/// Returns the events that these orchestrators accept by `events(..)`, and those for which they wait, as far as the
/// last words of paths tell. If several types have the same name, a word does not tell which one is meant, so only the
/// first one counts.
fn awaited(entries: &[Registration], mut linked: Vec<EventRegistration>) -> Vec<EventRegistration> {
    let place = |event: &EventRegistration| event.location.map(order);
    linked.sort_by_key(place);
    let mut by_type = BTreeMap::new();
    for event in linked {
        by_type.entry((event.type_name)().rsplit("::").next().unwrap_or_default()).or_insert(event);
    }
    let mut awaited = BTreeMap::new();
    for entry in entries {
        if let Registration::Orchestrator(entry) = entry {
            let waits = entry.calls.iter().filter_map(|call| by_type.get(call_site(call).0));
            let accepted = entry.events.unwrap_or_default();
            awaited.extend(waits.chain(accepted).map(|event| (place(event), *event)));
        }
    }
    awaited.into_values().collect()
}

/// Lists orchestrators and activities by name: `registry![hello_cities, say_hello]`.
#[macro_export]
macro_rules! registry {
    ($($marker:ty),* $(,)?) => {
        [$($crate::__rt::registration::<$marker, _>()),*]
    };
}
