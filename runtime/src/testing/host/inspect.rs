//! Looking inside: what the instances of a host did, and what they wait for.

use chrono::{DateTime, Utc};

use super::story::Open;
use super::{TestHost, activity_name};
use crate::client::OrchestrationHandle;
use crate::contract::{Activity, CustomStatus, Inputs, Orchestrator};
use crate::definition::{ActivityDefinition, DefinedActivity};
use crate::model::JsonText;

impl TestHost {
    /// Returns the inputs of all calls of an activity, in the order in which they began: `()`, the only input, or a tuple. A
    /// run that was repeated counts again.
    ///
    /// # Panics
    /// Panics if an input cannot be decoded.
    pub fn calls<A: DefinedActivity>(&self) -> Vec<<A as Activity>::Input> {
        let inputs = self.activities.calls(activity_name::<A>());
        let decode = |input: JsonText| match ActivityDefinition::<A>::decode(&input) {
            Ok(inputs) => Inputs::into_value(inputs),
            Err(error) => panic!("an input of activity `{}` cannot be decoded: {error}", activity_name::<A>()),
        };
        inputs.into_iter().map(decode).collect()
    }

    /// Returns every custom status that the instance has published, in their order. If a turn sets it several times,
    /// the last value counts, because readers never see the others.
    ///
    /// # Panics
    /// Panics if a value cannot be decoded.
    pub fn custom_statuses<O: Orchestrator<Status: CustomStatus>>(
        &self,
        instance: &OrchestrationHandle<O>,
    ) -> Vec<O::Status> {
        let decode = |text: JsonText| match O::Status::__decode(&text) {
            Ok(status) => status,
            Err(error) => panic!("custom status {} cannot be decoded: {error}", text.as_str()),
        };
        self.stories.custom_statuses(instance.id()).into_iter().map(decode).collect()
    }

    /// Returns the number of turns that the instance has committed.
    pub fn turns<O: Orchestrator>(&self, instance: &OrchestrationHandle<O>) -> u64 {
        self.stories.turns(instance.id())
    }

    /// Returns what the instance did, turn by turn, as a failing test prints it.
    pub fn timeline<O: Orchestrator>(&self, instance: &OrchestrationHandle<O>) -> String {
        self.stories.timeline(instance.id())
    }

    /// Returns when the timers are due for which the instance waits, time limits of its operations included, in the order
    /// in which its code created them.
    pub fn pending_timers<O: Orchestrator>(&self, instance: &OrchestrationHandle<O>) -> Vec<DateTime<Utc>> {
        let open = self.stories.open(instance.id()).into_iter();
        open.filter_map(|open| if let Open::Timer(due) = open { Some(due.to_utc()) } else { None }).collect()
    }

    /// Returns the names of the activities that the instance has called and that have not returned.
    pub fn open_activities<O: Orchestrator>(&self, instance: &OrchestrationHandle<O>) -> Vec<String> {
        let open = self.stories.open(instance.id()).into_iter();
        open.filter_map(|open| if let Open::Activity(name) = open { Some(name) } else { None }).collect()
    }

    /// Returns the names of the events for which the instance waits.
    pub fn waiting_events<O: Orchestrator>(&self, instance: &OrchestrationHandle<O>) -> Vec<String> {
        let open = self.stories.open(instance.id()).into_iter();
        open.filter_map(|open| if let Open::Event(name) = open { Some(name) } else { None }).collect()
    }
}
