//! Everything that the engine threads of a runtime share. See [`owned`](super::owned) for what belongs to one
//! partition.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::activities::{Activities, spawn};
use super::meters::Meters;
use super::registered::Registered;
use super::routes::Routes;
use super::shutdown::ThreadResults;
use super::shutdown::{End, RuntimeEnd};
use super::store_access::StoreAccess;
use super::trials::Trials;
use crate::client::ChangeHub;

/// Only engine threads hold this, so the values for activities are dropped together with the last thread.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) activities: Mutex<Activities>,
    /// The Tokio runtime in which activities run.
    pub(crate) tokio: Handle,
    pub(crate) hub: Arc<ChangeHub>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) ending: Arc<RuntimeEnd>,
    pub(crate) closing: Arc<ThreadResults>,
    /// The access of clients to the store.
    pub(crate) access: Arc<StoreAccess>,
    pub(crate) judged: Judged,
    pub(crate) trials: Trials,
    pub(crate) registered: Arc<Registered>,
    pub(crate) meters: Arc<Meters>,
}

impl Process {
    pub(crate) fn activities(&self) -> MutexGuard<'_, Activities> {
        self.activities.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the activities that may start.
    pub(crate) fn dispatch(&self) {
        let starts = {
            let mut activities = self.activities();
            let starts = activities.starts();
            let (running, queued) = activities.load();
            self.meters.activities(running, queued);
            starts
        };
        spawn(&self.tokio, starts);
    }

    /// Ends every thread, because the runtime cannot continue.
    pub(crate) fn fail(&self, end: &End) {
        self.ending.set(end.clone());
        self.routes.wake_all();
    }
}

/// Counts the partitions that have not yet tried again what their predecessor left parked, for those who wait for this.
#[derive(Debug)]
pub(crate) struct Judged {
    left: AtomicUsize,
    started: Mutex<Option<oneshot::Sender<()>>>,
}

impl Judged {
    pub(crate) fn new(partitions: usize, started: oneshot::Sender<()>) -> Self {
        Self { left: AtomicUsize::new(partitions), started: Mutex::new(Some(started)) }
    }

    /// Notes that one more partition has done so, or cannot. It must be called once for each partition.
    pub(crate) fn one_more(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        if let Some(started) = self.started.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Nobody waits if the start was given up.
            let _ = started.send(());
        }
    }
}
