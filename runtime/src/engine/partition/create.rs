//! New instances: for a client, for a parent, and in place of an ended instance.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::Partition;
use super::slot::{Arrival, Phase, Slot};
use crate::engine::{RequestId, StartOperation};
use crate::model::{
    ChildStart, Execution, ExecutionStarted, FailureDetails, Head, InboxId, InstanceId, InstanceKey, JsonText, Life,
    Parent, Progress, RuntimeStatus, Timestamp, TraceContext,
};

/// The failure type of a sub-orchestration that is nested too deep.
const TOO_DEEP: &str = "persevere.TooDeep";

/// What a new life begins with.
struct Birth {
    id: InstanceId,
    name: String,
    version: String,
    input: JsonText,
    tags: BTreeMap<String, String>,
    start_at: Option<Timestamp>,
    custom_status: Option<JsonText>,
    parent: Option<Parent>,
    depth: u32,
    start_hash: u64,
    trace: Option<TraceContext>,
}

impl Partition {
    /// Creates an instance for a client, which has checked that the code is registered.
    pub(super) fn create(
        &mut self,
        now: Timestamp,
        request: RequestId,
        start: StartOperation,
        replaces: Option<InstanceKey>,
    ) {
        let start_hash = self.start_hash(&start);
        let version = self.resolve_version(&start);
        let id = start.id.unwrap_or_else(|| self.mint.instance_id());
        let birth = Birth {
            id,
            name: start.name,
            version,
            input: start.input,
            tags: start.tags,
            start_at: start.start_at.filter(|at| *at > now),
            custom_status: start.custom_status,
            parent: None,
            depth: 0,
            start_hash,
            trace: start.trace,
        };
        self.begin(now, birth, Arrival::Created { request: Some(request), anchor: None, replaces });
    }

    /// Creates a sub-orchestration, or tells the parent why not.
    pub(super) fn create_child(
        &mut self,
        now: Timestamp,
        inbox: InboxId,
        start: ChildStart,
        replaces: Option<InstanceKey>,
    ) {
        let start_hash = child_hash(&start);
        let ChildStart { target, name, version, input, parent, depth, trace, .. } = start;
        if depth > self.config.depth {
            let text = format!(
                "sub-orchestrations can be nested at most {} deep: use continue-as-new or a detached start",
                self.config.depth
            );
            return self.refuse_child(inbox, &target, parent, FailureDetails::new(TOO_DEEP, text));
        }
        let (tags, start_at, custom_status) = (BTreeMap::new(), None, None);
        let birth =
            Birth { id: target, name, version, input, tags, start_at, custom_status, parent, depth, start_hash, trace };
        self.begin(now, birth, Arrival::Created { request: None, anchor: Some(inbox), replaces });
    }

    fn begin(&mut self, now: Timestamp, birth: Birth, created: Arrival) {
        let key = self.mint.instance_key();
        let started = ExecutionStarted {
            execution_id: self.execution_id(key, Execution(0)),
            name: birth.name.clone(),
            version: birth.version.clone(),
            input: birth.input.clone(),
            custom_status: birth.custom_status.clone(),
            tags: birth.tags.clone(),
            parent: birth.parent.clone(),
            start_at: birth.start_at,
            trace: birth.trace,
            limits: self.config.execution,
        };
        let life = Life {
            key,
            id: birth.id.clone(),
            name: birth.name,
            version: birth.version,
            execution: Execution(0),
            created_at: now,
            start_at: birth.start_at,
            input: birth.input,
            tags: birth.tags,
            parent: birth.parent,
            depth: birth.depth,
            start_hash: birth.start_hash,
        };
        let progress = Progress {
            custom_status_version: u64::from(birth.custom_status.is_some()),
            custom_status: birth.custom_status,
            ..Progress::new(RuntimeStatus::Pending, now)
        };
        let head = Head::new(life, progress);
        let mut slot = Slot::new(head, 0, now, Phase::Fresh(Arc::new(started)));
        slot.arrivals.push_back(created);
        self.ids.insert(birth.id, key);
        self.slots.insert(key, Box::new(slot));
        self.make_ready(key);
    }

    fn resolve_version(&self, start: &StartOperation) -> String {
        start
            .version
            .clone()
            .or_else(|| self.registry.default_version(&start.name).map(ToOwned::to_owned))
            .unwrap_or_default()
    }

    /// Returns the hash by which two starts are recognised as the same: of name, version and the text of the input.
    pub(super) fn start_hash(&self, start: &StartOperation) -> u64 {
        hash_start(&start.name, &self.resolve_version(start), &start.input)
    }

    /// Returns the id of an execution, which is unique among all executions in all stores. This is part of the storage
    /// format.
    pub(super) fn execution_id(&self, key: InstanceKey, execution: Execution) -> Uuid {
        let mut name = [0; 12];
        name[..8].copy_from_slice(&key.0.to_be_bytes());
        name[8..].copy_from_slice(&execution.0.to_be_bytes());
        Uuid::new_v5(&self.store_id, &name)
    }
}

/// Returns the hash of the start of a sub-orchestration.
pub(super) fn child_hash(start: &ChildStart) -> u64 {
    hash_start(&start.name, &start.version, &start.input)
}

/// The hash is stored with the head, so it must never change: the first half of a UUIDv5.
fn hash_start(name: &str, version: &str, input: &JsonText) -> u64 {
    let text = [name.as_bytes(), version.as_bytes(), input.as_bytes()].join(&0);
    // SQLite's integers are signed, so the highest bit is left out.
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &text).as_u64_pair().0 >> 1
}
