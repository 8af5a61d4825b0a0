//! Stand-in for the hub.

use std::sync::{Arc, Mutex};

use crate::model::{InstanceHead, InstanceId};

#[derive(Debug, Default)]
pub(crate) struct ChangeHub {
    pub(crate) published: Mutex<Vec<Arc<InstanceHead>>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CloseReason {
    Stopped,
    Fatal { cause: String },
}

impl ChangeHub {
    pub(crate) fn new() -> Self {
        Self::default()
    }
    pub(crate) fn publish(&self, head: Arc<InstanceHead>) {
        if let Ok(mut published) = self.published.lock() {
            published.push(head);
        }
    }
    pub(crate) fn watched_ids(&self) -> Vec<InstanceId> {
        Vec::new()
    }
    pub(crate) fn offer(&self, head: Arc<InstanceHead>) {
        self.publish(head);
    }
    pub(crate) fn offer_absent(&self, _: &InstanceId) {}
    pub(crate) fn close(&self, _: CloseReason) {}
}
