//! How much work each workload does: enough for figures, enough for a quick look, or just enough to show that it works.

/// How much work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// As much as the table of goals needs. The mixed load takes ten minutes.
    Full,
    /// All workloads together take under three minutes.
    Quick,
    /// A few seconds. The figures mean nothing.
    Tiny,
}

impl Scale {
    /// Returns the value for this scale.
    pub(crate) fn pick<T>(self, full: T, quick: T, tiny: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
            Self::Tiny => tiny,
        }
    }

    /// Returns the option that selects this scale.
    pub(crate) fn option(self) -> Option<&'static str> {
        self.pick(None, Some("--quick"), Some("--tiny"))
    }
}
