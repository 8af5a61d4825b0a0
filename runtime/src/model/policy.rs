//! What callers can ask for when they start an instance.

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
