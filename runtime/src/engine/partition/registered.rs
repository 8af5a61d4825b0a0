//! Registered and unregistered code: the one rule, and what follows when the registry changes while the partition runs.
//!
//! | who asks for a name that is not registered | what happens |
//! |---|---|
//! | a client that starts an instance | the start is refused |
//! | code that calls an activity or an attached sub-orchestration | the call fails, as a recorded input |
//! | an existing instance or task | it waits, visibly parked, until the name is registered |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Partition;
use super::address::Addressed;
use super::slot::Slot;
use crate::contract::kind;
use crate::engine::stuck::Stuck;
use crate::engine::{Refusal, StartOperation};
use crate::model::{ExecutionStarted, FailureDetails, InstanceKey, Timestamp};
use crate::registry::{OrchestratorCode, Registry};

/// The lives that wait for code, by the name for which they wait.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    orchestrators: BTreeMap<String, BTreeSet<InstanceKey>>,
    activities: BTreeMap<String, BTreeSet<InstanceKey>>,
}

impl Waiting {
    /// Notes that a life waits, if that is the reason why it is stuck.
    pub(super) fn note(&mut self, key: InstanceKey, stuck: &Stuck) {
        match stuck {
            Stuck::NotRegistered { name, .. } => {
                self.orchestrators.entry(name.clone()).or_default().insert(key);
            }
            Stuck::ActivityNotRegistered { name } => {
                self.activities.entry(name.clone()).or_default().insert(key);
            }
            _ => {}
        }
    }
}

impl Partition {
    /// Returns the code of an execution, or the reason why it is stuck.
    pub(super) fn code_of(&self, started: &ExecutionStarted) -> Result<&OrchestratorCode, Stuck> {
        let (name, version) = (&started.name, &started.version);
        self.registry
            .code(name, version)
            .ok_or_else(|| Stuck::NotRegistered { name: name.clone(), version: version.clone() })
    }

    /// Returns why a client cannot start this, if it cannot.
    pub(super) fn refuse_unregistered(&self, start: &StartOperation) -> Option<Refusal> {
        let known = match &start.version {
            Some(version) => self.registry.code(&start.name, version).is_some(),
            None => self.registry.default_version(&start.name).is_some(),
        };
        (!known).then(|| Refusal::NotRegistered { name: start.name.clone(), version: start.version.clone() })
    }

    /// Returns the failure of a call whose name is not registered.
    pub(super) fn not_registered(what: &str, name: &str) -> FailureDetails {
        let text = format!("no {what} `{name}` is registered in this runtime: register it, or correct the name");
        FailureDetails::new(kind::NOT_REGISTERED, text).non_retriable()
    }

    /// Handles a change of the registry. A name that was added tries again everything that waited for it. A name that
    /// was removed makes its instances wait: those in memory are dropped, so that their next turn looks for the code.
    pub(super) fn registry_changed(&mut self, now: Timestamp, registry: Arc<Registry>) {
        self.registry = registry;
        let gone = |slot: &Slot| slot.live.as_ref().is_some_and(|live| self.code_of(&live.started).is_err());
        let mut keys: Vec<InstanceKey> =
            self.slots.iter().filter(|(_, slot)| gone(slot)).map(|(key, _)| *key).collect();
        keys.sort_unstable();
        for key in keys {
            let Some(mut slot) = self.slots.remove(&key) else { continue };
            if slot.outstanding.is_some() {
                self.abandon(&mut slot);
                self.offer_again(&mut slot);
            }
            slot.live = None;
            self.put_back(key, slot);
        }
        let registry = Arc::clone(&self.registry);
        let mut come = BTreeSet::new();
        self.waiting.orchestrators.retain(|name, keys| {
            let there = registry.default_version(name).is_some();
            if there {
                come.append(keys);
            }
            !there
        });
        self.waiting.activities.retain(|name, keys| {
            let there = registry.activity(name).is_some();
            if there {
                self.blocked.retain(|key| !keys.contains(key));
                come.append(keys);
            }
            !there
        });
        for key in come {
            self.address(now, Addressed::RetryParked(key, None));
        }
    }
}
