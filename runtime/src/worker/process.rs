//! What all engine threads of a runtime share. What belongs to one partition is in [`owned`](super::owned).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::activities::{Activities, spawn};
use super::closing::Closing;
use super::ending::{End, Ending};
use super::routes::Routes;
use super::store_access::StoreAccess;
use crate::client::ChangeHub;

/// Only engine threads hold it, so that what activities were given goes with the last of them.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) activities: Mutex<Activities>,
    /// Where activities run.
    pub(crate) tokio: Handle,
    pub(crate) hub: Arc<ChangeHub>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) ending: Arc<Ending>,
    pub(crate) closing: Arc<Closing>,
    /// How clients reach the store.
    pub(crate) access: Arc<StoreAccess>,
    pub(crate) judged: Judged,
}

impl Process {
    pub(crate) fn activities(&self) -> MutexGuard<'_, Activities> {
        self.activities.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts activities that may start.
    pub(crate) fn dispatch(&self) {
        let starts = self.activities().starts();
        spawn(&self.tokio, starts);
    }

    /// The runtime cannot go on: every thread ends.
    pub(crate) fn fail(&self, end: &End) {
        self.ending.set(end.clone());
        self.routes.wake_all();
    }
}

/// Counts the partitions that have not tried again yet what their predecessor left parked, for whoever waits for that.
#[derive(Debug)]
pub(crate) struct Judged {
    left: AtomicUsize,
    started: Mutex<Option<oneshot::Sender<()>>>,
}

impl Judged {
    pub(crate) fn new(partitions: usize, started: oneshot::Sender<()>) -> Self {
        Self { left: AtomicUsize::new(partitions), started: Mutex::new(Some(started)) }
    }

    /// One more partition has, or cannot. To be called once for each.
    pub(crate) fn one_more(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        if let Some(started) = self.started.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Nobody waits when the start was given up.
            let _ = started.send(());
        }
    }
}
