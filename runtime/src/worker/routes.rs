//! How the parts of a runtime reach a partition: which thread drives it, and how that thread is told.
//!
//! Thread `p % threads` drives partition `p` for as long as the runtime runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use tokio::sync::mpsc::UnboundedSender;

use super::activity_run::Report;
use super::bell::Bell;
use super::notice::Notice;
use crate::model::{PartitionCount, PartitionId};

/// The routes to all partitions of a runtime.
#[derive(Debug)]
pub(crate) struct Routes {
    count: PartitionCount,
    /// Indexed by partition.
    signals: Box<[Arc<Signal>]>,
    /// Indexed by thread.
    threads: Box<[ThreadRoute]>,
}

/// The route to one engine thread.
#[derive(Debug)]
pub(crate) struct ThreadRoute {
    pub(crate) bell: Arc<Bell>,
    pub(crate) notices: UnboundedSender<Notice>,
}

impl Routes {
    /// Creates the routes for at least one thread.
    pub(crate) fn new(count: PartitionCount, threads: Box<[ThreadRoute]>) -> Self {
        let bells = threads.iter().cycle().map(|thread| Arc::clone(&thread.bell));
        let signals = bells.take(usize::from(count.get())).map(|bell| Arc::new(Signal::new(bell))).collect();
        Self { count, signals, threads }
    }

    pub(crate) fn count(&self) -> PartitionCount {
        self.count
    }

    pub(crate) fn thread_count(&self) -> usize {
        self.threads.len()
    }

    /// Returns the thread that drives a partition.
    pub(crate) fn thread_of(&self, partition: PartitionId) -> usize {
        usize::from(partition.0) % self.threads.len()
    }

    /// Returns the signal of a partition of this runtime.
    pub(crate) fn signal(&self, partition: PartitionId) -> &Arc<Signal> {
        &self.signals[usize::from(partition.0)]
    }

    /// Reports the end of an activity to the owner of its partition.
    pub(crate) fn report(&self, partition: PartitionId, report: Report) {
        self.tell(partition, Notice::ActivityEnded(partition, report));
    }

    /// Sends a notice to the thread that drives this partition.
    pub(crate) fn tell(&self, partition: PartitionId, notice: Notice) {
        // If there is no receiver, there is no engine that could do anything about it.
        let _ = self.threads[self.thread_of(partition)].notices.send(notice);
    }

    /// Tells a partition that its inbox may contain something new. Several looks that it has not followed yet count as
    /// one.
    pub(crate) fn look(&self, partition: PartitionId) {
        self.signal(partition).look();
    }

    /// Tells all other partitions to look.
    pub(crate) fn others_look(&self, than: PartitionId) {
        self.count.all().filter(|partition| *partition != than).for_each(|partition| self.look(partition));
    }

    /// Sends a notice to every thread.
    pub(crate) fn tell_all(&self, notice: impl Fn() -> Notice) {
        for thread in &self.threads {
            // A thread that has ended need not be told.
            let _ = thread.notices.send(notice());
        }
    }

    /// Has every partition driven.
    pub(crate) fn all_wake(&self) {
        self.signals.iter().for_each(|signal| signal.wake_by_ref());
    }

    /// Wakes every thread.
    pub(crate) fn wake_all(&self) {
        self.threads.iter().for_each(|thread| thread.bell.wake_by_ref());
    }
}

/// What any thread may tell the driver of one partition. It is also the waker of everything that the partition waits
/// for.
#[derive(Debug)]
pub(crate) struct Signal {
    bell: Arc<Bell>,
    rung: AtomicBool,
    look: AtomicBool,
    takes_calls: AtomicBool,
}

impl Signal {
    /// Nothing is known about the inbox at first, so it must be read.
    fn new(bell: Arc<Bell>) -> Self {
        let (rung, look) = (AtomicBool::new(true), AtomicBool::new(true));
        Self { bell, rung, look, takes_calls: AtomicBool::new(true) }
    }

    /// Returns whether there was a reason to drive the partition since the last call.
    pub(crate) fn take_rung(&self) -> bool {
        self.rung.load(Ordering::Relaxed) && self.rung.swap(false, Ordering::Acquire)
    }

    /// Returns whether the inbox must be read.
    pub(crate) fn take_look(&self) -> bool {
        self.look.load(Ordering::Relaxed) && self.look.swap(false, Ordering::Acquire)
    }

    fn look(self: &Arc<Self>) {
        if !self.look.swap(true, Ordering::Release) {
            self.wake_by_ref();
        }
    }

    /// Returns whether a start that could go to any partition should come here.
    pub(crate) fn takes_calls(&self) -> bool {
        self.takes_calls.load(Ordering::Relaxed)
    }

    pub(crate) fn set_takes_calls(&self, takes: bool) {
        self.takes_calls.store(takes, Ordering::Relaxed);
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.bell.wake_by_ref();
    }
}
