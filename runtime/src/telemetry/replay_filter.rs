//! The filter for what orchestrators log while they are replayed.

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::context::is_replaying;

/// A layer for `tracing-subscriber` that drops the events of orchestrator code which is being replayed.
///
/// Use it in every program whose orchestrators log. Without it, a line that an orchestrator logs appears again each time
/// the instance is replayed: after a restart, after it was removed from memory, and, in debug builds, when its replay is
/// verified. An event costs one read of a thread-local variable.
///
/// The filter applies to the whole subscriber, wherever the layer stands in it. It does not see what other threads log,
/// so the logs of activities always appear. Code that runs for the first time in a turn that is later taken back (because
/// its commit failed) logs again when the turn runs again.
///
/// # Examples
/// ```
/// use persevere::telemetry::ReplayFilter;
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let subscriber = tracing_subscriber::registry().with(ReplayFilter::new());
/// # let _ = subscriber;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplayFilter(());

impl ReplayFilter {
    /// Creates the filter.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S: Subscriber> Layer<S> for ReplayFilter {
    fn event_enabled(&self, _: &Event<'_>, _: Context<'_, S>) -> bool {
        !is_replaying()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::context::Replaying;

    /// Counts the events that reach it.
    struct Counting(Arc<Mutex<usize>>);

    impl<S: Subscriber> Layer<S> for Counting {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            *self.0.lock().unwrap() += 1;
        }
    }

    #[test]
    fn events_are_dropped_only_while_replaying_wherever_the_filter_stands() {
        for filter_first in [true, false] {
            let seen = Arc::new(Mutex::new(0));
            let log = || {
                tracing::info!("live");
                let replaying = Replaying::enter(true);
                tracing::error!("replayed");
                drop(replaying);
                tracing::info!("live again");
            };
            let counting = Counting(Arc::clone(&seen));
            if filter_first {
                let subscriber = tracing_subscriber::registry().with(ReplayFilter::new()).with(counting);
                tracing::subscriber::with_default(subscriber, log);
            } else {
                let subscriber = tracing_subscriber::registry().with(counting).with(ReplayFilter::new());
                tracing::subscriber::with_default(subscriber, log);
            }
            assert_eq!(*seen.lock().unwrap(), 2, "filter first: {filter_first}");
        }
    }
}
