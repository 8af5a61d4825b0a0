//! The instance that a client refers to, and how it is read and followed.

use std::sync::Arc;

use super::change_hub::{ChangeReceiver, Lost};
use super::error::ClientError;
use super::metadata::OrchestrationMetadata;
use super::port::ClientPort;
use crate::clock::VirtualTime;
use crate::model::{Head, InstanceId, InstanceKey};
use crate::store::{InstanceRef, StoredInstance};

/// An instance, as a client refers to it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) port: Arc<dyn ClientPort>,
    pub(super) id: InstanceId,
    /// The life that is meant, or `None` for whichever life the id has.
    pub(super) key: Option<InstanceKey>,
    /// The orchestrator that the instance must run, or `None` for any.
    pub(super) orchestrator: Option<&'static str>,
    /// The registration for the life that is meant.
    pub(super) followed: Option<Arc<ChangeReceiver>>,
}

impl Target {
    /// Reads the instance from the store.
    pub(super) async fn read(&self) -> Result<OrchestrationMetadata, ClientError> {
        Ok(OrchestrationMetadata::from_stored(self.read_stored().await?))
    }

    pub(super) async fn read_stored(&self) -> Result<StoredInstance, ClientError> {
        let answer = self.port.instance(InstanceRef::Id(self.id.clone())).await;
        let stored = answer.map_err(|error| ClientError::from_submit(error, Some(&self.id)))?;
        let stored = stored.ok_or_else(|| ClientError::NotFound { id: self.id.clone() })?;
        self.check(&stored.head)?;
        Ok(stored)
    }

    fn check(&self, head: &Head) -> Result<(), ClientError> {
        if self.key.is_some_and(|key| key != head.life.key) {
            return Err(ClientError::Replaced { id: self.id.clone() });
        }
        match self.orchestrator {
            Some(expected) if expected != head.life.name => Err(ClientError::WrongOrchestrator {
                id: self.id.clone(),
                expected: expected.to_owned(),
                found: head.life.name.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// Follows one life of an instance from commit to commit.
#[derive(Debug)]
pub(super) struct Subscription {
    target: Target,
    registration: ChangeReceiver,
}

impl Subscription {
    /// Registers immediately, so that nothing is missed that is committed from now on.
    pub(super) fn new(target: Target) -> Self {
        let registration = match &target.followed {
            Some(followed) => followed.again(),
            None => target.port.changes().register(&target.id),
        };
        Self { target, registration }
    }

    /// Returns the clock, if it must know what clients wait for.
    pub(super) fn virtual_time(&self) -> Option<Arc<VirtualTime>> {
        self.target.port.virtual_time().cloned()
    }

    pub(super) fn id(&self) -> &InstanceId {
        &self.target.id
    }

    /// Returns the newest known head.
    pub(super) fn newest(&self) -> Option<Head> {
        self.registration.newest().filter(|head| self.target.key.is_none_or(|key| key == head.life.key))
    }

    /// Returns the head when the instance has ended or is parked. Other heads do not wake it.
    pub(super) async fn settled(&mut self) -> Result<Head, ClientError> {
        // The first head shows whether this is the instance that is meant. All later heads belong to the same life.
        let head = self.next().await?;
        if head.is_ended() || head.progress.parked.is_some() {
            return Ok(head);
        }
        match self.registration.settled(&*self.target.port).await {
            Ok(Some(head)) => Ok(head),
            Ok(None) => Err(ClientError::NotFound { id: self.target.id.clone() }),
            Err(lost) => Err(ClientError::from_lost(lost, &self.target.id)),
        }
    }

    /// Returns the current head the first time, and then each newer head, always the newest. The head of an ended
    /// instance is the last one.
    pub(super) async fn next(&mut self) -> Result<Head, ClientError> {
        let mut behind = false;
        loop {
            let head = match self.registration.next(&*self.target.port).await {
                Ok(Some(head)) => head,
                Ok(None) => return Err(ClientError::NotFound { id: self.target.id.clone() }),
                Err(Lost::Gone) if behind => {
                    self.registration = self.target.port.changes().register(&self.target.id);
                    behind = false;
                    continue;
                }
                Err(lost) => return Err(ClientError::from_lost(lost, &self.target.id)),
            };
            // Others still follow the life before the one that is meant, whose end has not been published yet. Keys
            // only rise.
            behind = self.target.key.is_some_and(|key| head.life.key < key);
            if !behind {
                self.target.check(&head)?;
                return Ok(head);
            }
        }
    }
}
