//! Which commits and claims fail, of the whole store or of one partition.

use std::collections::BTreeMap;

use super::Fault;

/// The faults that are planned, and the number of commits that were sent.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) sent: u64,
    /// By the number of the commit that fails, counted from 1.
    at: BTreeMap<u64, Fault>,
    every: Option<(u64, Fault)>,
    claims: u32,
}

impl Rules {
    /// The `n`-th commit from now on fails.
    pub(super) fn fail_commit(&mut self, n: u64, fault: Fault) {
        self.at.insert(self.sent + n, fault);
    }

    /// Every `n`-th commit fails.
    pub(super) fn fail_every(&mut self, n: u64, fault: Fault) {
        self.every = Some((n.max(1), fault));
    }

    pub(super) fn fail_claims(&mut self, n: u32) {
        self.claims = n;
    }

    /// Nothing fails any more.
    pub(super) fn heal(&mut self) {
        *self = Self { sent: self.sent, ..Self::default() };
    }

    /// Counts a commit and answers its fault.
    pub(super) fn sent(&mut self) -> Option<Fault> {
        self.sent += 1;
        let sent = self.sent;
        let every = self.every.and_then(|(n, fault)| sent.is_multiple_of(n).then_some(fault));
        self.at.remove(&sent).or(every)
    }

    /// Whether a claim fails.
    pub(super) fn claim_fails(&mut self) -> bool {
        let fails = self.claims > 0;
        self.claims = self.claims.saturating_sub(1);
        fails
    }
}
