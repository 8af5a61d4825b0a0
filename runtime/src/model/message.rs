//! What instances send each other. A message is an inbox row from the sender's commit to the receiver's.

use super::{FailureDetails, InstanceId, JsonText, Parent};

/// From one instance to another.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Begin an instance.
    Start {
        /// Its id.
        target: InstanceId,
        /// Whether the id was minted for it, so that nothing needs to be looked up.
        minted: bool,
        /// The orchestrator's name.
        name: String,
        /// The orchestrator's version, resolved by the sender.
        version: String,
        /// Its input.
        input: JsonText,
        /// Who waits for it; none for a detached start.
        parent: Option<Parent>,
        /// How many ancestors it has.
        depth: u32,
    },
    /// An event.
    Event {
        /// To whom.
        target: InstanceId,
        /// The event's name.
        name: String,
        /// The event's payload.
        payload: JsonText,
    },
    /// An attached sub-orchestration ended.
    ChildDone {
        /// Who waits.
        parent: Parent,
        /// What it returned, or why it failed.
        result: Result<JsonText, FailureDetails>,
    },
    /// A task that was refused when it was scheduled: from an instance to itself.
    TaskRefused {
        /// Who waits.
        parent: Parent,
        /// Why.
        failure: FailureDetails,
    },
    /// End an attached sub-orchestration. Ignored by an instance that is not the child of this parent.
    Terminate {
        /// The child.
        target: InstanceId,
        /// The parent that it must have.
        parent: Parent,
        /// The reason given for the parent.
        reason: String,
    },
}

impl Message {
    /// The instance that it is for, which says to which partition it goes.
    pub fn target(&self) -> &InstanceId {
        match self {
            Self::Start { target, .. } | Self::Event { target, .. } | Self::Terminate { target, .. } => target,
            Self::ChildDone { parent, .. } | Self::TaskRefused { parent, .. } => &parent.instance,
        }
    }
}
