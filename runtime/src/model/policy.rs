//! What callers can ask for when they start an instance or call a sub-orchestration.

/// What happens when the instance id of a start is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum IdReusePolicy {
    /// The same start (name, version and input) returns the existing instance, whether it is running or has ended. Any
    /// other start is refused.
    #[default]
    Attach,
    /// Every id that is in use is refused.
    Reject,
    /// An ended instance is replaced. If the instance is running, the same start returns it, and any other start is
    /// refused.
    ReplaceEnded,
}

impl IdReusePolicy {
    /// Returns the number under which the policy of a sub-orchestration is stored. Records of earlier versions have none,
    /// which is 0.
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Reject => 0,
            Self::Attach => 1,
            Self::ReplaceEnded => 2,
        }
    }

    /// Returns the policy that is stored as this number.
    pub(crate) fn from_code(code: u32) -> Option<Self> {
        [Self::Reject, Self::Attach, Self::ReplaceEnded].into_iter().find(|policy| policy.code() == code)
    }
}

/// What becomes of a sub-orchestration when its parent no longer waits for it: the call was dropped, or the parent has
/// ended.
///
/// Set it with [`SubOrchestrationCall::parent_close_policy`](crate::SubOrchestrationCall::parent_close_policy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ParentClosePolicy {
    /// The sub-orchestration is terminated, and those of its own sub-orchestrations that have this policy.
    #[default]
    Terminate,
    /// The sub-orchestration goes on, and its result is ignored. A termination of the parent with
    /// [`Terminate::recursive`](crate::Terminate::recursive) still ends it.
    Abandon,
}

impl ParentClosePolicy {
    /// Returns the number under which the policy of a call is stored. Calls that earlier versions recorded, and detached
    /// starts, have none, which is 0.
    pub(crate) fn code(policy: Option<Self>) -> u32 {
        match policy {
            None => 0,
            Some(Self::Terminate) => 1,
            Some(Self::Abandon) => 3,
        }
    }

    /// Returns the policy that is stored as this number.
    pub(crate) fn from_code(code: u32) -> Option<Option<Self>> {
        [None, Some(Self::Terminate), Some(Self::Abandon)].into_iter().find(|policy| Self::code(*policy) == code)
    }
}
