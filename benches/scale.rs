//! How much each workload does: enough for figures, enough for a look, or just enough to see that it runs.

/// How much work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Everything that the table of goals asks for; the mixed load takes ten minutes.
    Full,
    /// All of it in under three minutes.
    Quick,
    /// A few seconds. The figures mean nothing.
    Tiny,
}

impl Scale {
    /// The value for this scale.
    pub(crate) fn pick<T>(self, full: T, quick: T, tiny: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
            Self::Tiny => tiny,
        }
    }

    /// The option that asks for it.
    pub(crate) fn option(self) -> Option<&'static str> {
        self.pick(None, Some("--quick"), Some("--tiny"))
    }
}
