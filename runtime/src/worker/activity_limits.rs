//! The limits of one activity, which can be changed while the runtime runs.

use std::fmt;
use std::sync::{Arc, Weak};

use super::process::Process;

/// How many runs of one activity there may be in this process, returned by
/// [`Runtime::activity_limits`](crate::Runtime::activity_limits).
pub struct ActivityLimits {
    process: Weak<Process>,
    name: String,
}

impl ActivityLimits {
    pub(super) fn new(process: Weak<Process>, name: String) -> Self {
        Self { process, name }
    }

    /// Sets how many runs there may be at a time. `None` removes the limit, and 0 counts as 1. Runs that have begun are not
    /// interrupted. The limit holds until the runtime stops.
    pub fn set_concurrency(&self, limit: Option<usize>) {
        if let Some(process) = self.process() {
            process.activities().set_limit(&self.name, limit);
            process.dispatch();
        }
    }

    /// Returns how many runs there may be at a time, or `None` if there is no limit.
    pub fn concurrency(&self) -> Option<usize> {
        self.process()?.activities().limit(&self.name)
    }

    /// Returns how many runs there are.
    pub fn running(&self) -> usize {
        self.process().map_or(0, |process| process.activities().running_named(&self.name))
    }

    /// Returns how many calls wait for a place: because of the limit of this activity, or because of
    /// [`max_concurrent_activities`](crate::RuntimeBuilder::max_concurrent_activities). This looks at every task of the
    /// process, so use it for people and for diagnosis.
    pub fn waiting(&self) -> usize {
        self.process().map_or(0, |process| process.activities().waiting_named(&self.name))
    }

    /// `None` after the runtime has stopped.
    fn process(&self) -> Option<Arc<Process>> {
        self.process.upgrade()
    }
}

impl fmt::Debug for ActivityLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivityLimits").field("name", &self.name).finish_non_exhaustive()
    }
}
