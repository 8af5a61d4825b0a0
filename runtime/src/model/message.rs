//! The messages that instances send each other. A message is an inbox row from the commit of the sender to the commit
//! of the receiver.

use super::{FailureDetails, IdReusePolicy, InstanceId, JsonText, Parent, TraceContext};

/// A message from one instance to another.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Starts an instance.
    Start(ChildStart),
    /// An event.
    Event {
        /// The receiver.
        target: InstanceId,
        /// The name of the event.
        name: String,
        /// The payload of the event.
        payload: JsonText,
    },
    /// An attached sub-orchestration ended.
    ChildDone {
        /// The operation that waits.
        parent: Parent,
        /// The output or the failure.
        result: Result<JsonText, FailureDetails>,
    },
    /// A task was refused when it was scheduled. An instance sends this message to itself.
    TaskRefused {
        /// The operation that waits.
        parent: Parent,
        /// The reason for the refusal.
        failure: FailureDetails,
    },
    /// Rewinds an attached sub-orchestration whose parent was rewound, or tells it that the new execution of its parent
    /// waits for it. If it does not exist any more, this starts it.
    Rewind {
        /// The start of the sub-orchestration, with the operation of the parent that waits now.
        start: ChildStart,
        /// The reason that was given for the parent.
        reason: String,
    },
    /// Terminates an instance.
    Terminate {
        /// The instance.
        target: InstanceId,
        /// The operation that started the instance and no longer waits for it. An instance that was not started by it
        /// ignores the message. `None`: the code of another instance asked for the termination, whoever started the target.
        parent: Option<Parent>,
        /// The reason.
        reason: String,
        /// Whether the sub-orchestrations end that would otherwise go on.
        recursive: bool,
    },
}

/// The start of an instance by another one.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildStart {
    /// The id of the new instance.
    pub target: InstanceId,
    /// Whether the id was minted for the instance, so that it need not be looked up.
    pub minted: bool,
    /// The name of the orchestrator.
    pub name: String,
    /// The version of the orchestrator, which the sender has resolved.
    pub version: String,
    /// Its input.
    pub input: JsonText,
    /// The operation that waits for the instance, or `None` for a detached start.
    pub parent: Option<Parent>,
    /// The number of ancestors of the new instance.
    pub depth: u32,
    /// What happens if the id is in use.
    pub on_existing: IdReusePolicy,
    /// The trace to which the new instance belongs.
    pub trace: Option<TraceContext>,
}

impl Message {
    /// Returns the receiver, whose id determines the partition.
    pub fn target(&self) -> &InstanceId {
        match self {
            Self::Start(ChildStart { target, .. })
            | Self::Rewind { start: ChildStart { target, .. }, .. }
            | Self::Event { target, .. }
            | Self::Terminate { target, .. } => target,
            Self::ChildDone { parent, .. } | Self::TaskRefused { parent, .. } => &parent.instance,
        }
    }
}
