//! What activities did, and whether they may end.

use std::sync::Arc;

use tokio::sync::watch;

/// Outlives runtimes.
#[derive(Clone, Debug, Default)]
pub(super) struct Book(Arc<Pages>);

#[derive(Debug, Default)]
struct Pages {
    begun: watch::Sender<Vec<String>>,
    may_end: watch::Sender<bool>,
}

impl Book {
    /// Notes that an activity has begun, and waits until it may end.
    pub(super) async fn begin(&self, activity: &str) {
        self.note(activity);
        self.0.may_end.subscribe().wait_for(|may_end| *may_end).await.unwrap();
    }

    /// Notes that an activity has run.
    pub(super) fn note(&self, activity: &str) {
        self.0.begun.send_modify(|begun| begun.push(activity.to_owned()));
    }

    pub(super) fn let_all_end(&self) {
        self.0.may_end.send_replace(true);
    }

    pub(super) fn runs(&self, activity: &str) -> usize {
        self.0.begun.borrow().iter().filter(|begun| *begun == activity).count()
    }

    pub(super) async fn has_begun(&self, activity: &str) {
        self.0.begun.subscribe().wait_for(|begun| begun.iter().any(|begun| begun == activity)).await.unwrap();
    }
}
