//! The status document of an instance. Its fields are in the order of Durable Functions, and additional fields follow.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::history_body::EventBody;
use crate::{OrchestrationMetadata, ParkReason, PendingRetry, RuntimeStatus};

/// The fields that clients of Durable Functions read: `name`, `instanceId`, `runtimeStatus`, `input`, `customStatus`,
/// `output`, `createdTime`, `lastUpdatedTime`, and `historyEvents` if requested. Then follow `customStatusVersion` and,
/// if they exist, `version`, `tags`, `parked` and, with the history, `pendingRetries`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusBody<'a> {
    name: &'a str,
    instance_id: &'a str,
    runtime_status: RuntimeStatus,
    input: Option<Embedded<'a>>,
    custom_status: Option<Embedded<'a>>,
    output: Option<Output<'a>>,
    created_time: String,
    last_updated_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    history_events: Option<&'a [EventBody<'a>]>,
    custom_status_version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parked: Option<&'a ParkReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_retries: Option<&'a [PendingRetry]>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Output<'a> {
    Value(Embedded<'a>),
    /// A failed instance has no output. Durable Functions shows the message of its failure here.
    Failure(String),
}

impl<'a> StatusBody<'a> {
    pub(super) fn new(metadata: &'a OrchestrationMetadata, show_input: bool) -> Self {
        let failure = metadata.failure_details().map(|details| Output::Failure(format!("{details:#}")));
        Self {
            name: metadata.name(),
            instance_id: metadata.instance_id().as_str(),
            runtime_status: metadata.runtime_status(),
            input: show_input.then(|| Embedded(metadata.serialized_input())),
            custom_status: metadata.serialized_custom_status().map(Embedded),
            output: failure.or_else(|| metadata.serialized_output().map(|text| Output::Value(Embedded(text)))),
            created_time: time(metadata.created_at()),
            last_updated_time: time(metadata.last_updated_at()),
            history_events: None,
            custom_status_version: metadata.custom_status_version(),
            version: metadata.version(),
            tags: metadata.tags(),
            parked: metadata.parked_reason(),
            pending_retries: None,
        }
    }

    pub(super) fn with_history(mut self, history: Option<(&'a [EventBody<'a>], &'a [PendingRetry])>) -> Self {
        let (events, retries) = history.unzip();
        self.history_events = events;
        self.pending_retries = retries.filter(|retries| !retries.is_empty());
        self
    }
}

/// Durable Functions rounds times down to seconds here.
fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A stored JSON text as its value, character by character. A text that is not JSON becomes a string, so that one
/// damaged value never hides the others.
pub(super) struct Embedded<'a>(pub(super) &'a str);

impl Serialize for Embedded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(self.0) {
            Ok(raw) => raw.serialize(serializer),
            Err(_) => serializer.serialize_str(self.0),
        }
    }
}
