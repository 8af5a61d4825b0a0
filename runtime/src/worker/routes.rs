//! How the parts of a runtime reach a partition: which thread drives it, and how that thread is told.
//!
//! Partition `p` is driven by thread `p % threads`, for as long as the runtime runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use tokio::sync::mpsc::UnboundedSender;

use super::activity_run::Report;
use super::bell::Bell;
use super::notice::Notice;
use crate::model::{PartitionCount, PartitionId};

/// The ways to all partitions of a runtime.
#[derive(Debug)]
pub(crate) struct Routes {
    count: PartitionCount,
    /// By partition.
    signals: Box<[Arc<Signal>]>,
    /// By thread.
    threads: Box<[ThreadRoute]>,
}

/// The way to one engine thread.
#[derive(Debug)]
pub(crate) struct ThreadRoute {
    pub(crate) bell: Arc<Bell>,
    pub(crate) notices: UnboundedSender<Notice>,
}

impl Routes {
    /// At least one thread.
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

    /// The thread that drives a partition.
    pub(crate) fn thread_of(&self, partition: PartitionId) -> usize {
        usize::from(partition.0) % self.threads.len()
    }

    /// The signal of a partition of this runtime.
    pub(crate) fn signal(&self, partition: PartitionId) -> &Arc<Signal> {
        &self.signals[usize::from(partition.0)]
    }

    /// Tells the owner of its partition that an activity has ended.
    pub(crate) fn report(&self, partition: PartitionId, report: Report) {
        // Without a receiver there is no engine that could record it.
        let _ = self.threads[self.thread_of(partition)].notices.send(Notice::ActivityEnded(partition, report));
    }

    /// Tells a partition that its inbox may hold something new. Many looks that it has not followed are one.
    pub(crate) fn look(&self, partition: PartitionId) {
        self.signal(partition).look();
    }

    /// Tells all other partitions to look.
    pub(crate) fn others_look(&self, than: PartitionId) {
        self.count.all().filter(|partition| *partition != than).for_each(|partition| self.look(partition));
    }

    /// Tells every thread.
    pub(crate) fn tell_all(&self, notice: impl Fn() -> Notice) {
        for thread in &self.threads {
            // A thread that has ended needs not be told.
            let _ = thread.notices.send(notice());
        }
    }

    /// Wakes every thread.
    pub(crate) fn wake_all(&self) {
        self.threads.iter().for_each(|thread| thread.bell.wake_by_ref());
    }
}

/// What any thread may tell the driver of one partition. It is the waker of all that the partition waits for.
#[derive(Debug)]
pub(crate) struct Signal {
    bell: Arc<Bell>,
    rung: AtomicBool,
    look: AtomicBool,
    takes_calls: AtomicBool,
}

impl Signal {
    /// Nothing is known of the inbox at first, so that it is to be looked at.
    fn new(bell: Arc<Bell>) -> Self {
        let (rung, look) = (AtomicBool::new(true), AtomicBool::new(true));
        Self { bell, rung, look, takes_calls: AtomicBool::new(true) }
    }

    /// Whether there was a reason to drive the partition since the last question.
    pub(crate) fn take_rung(&self) -> bool {
        self.rung.load(Ordering::Relaxed) && self.rung.swap(false, Ordering::Acquire)
    }

    /// Whether the inbox is to be read.
    pub(crate) fn take_look(&self) -> bool {
        self.look.load(Ordering::Relaxed) && self.look.swap(false, Ordering::Acquire)
    }

    fn look(self: &Arc<Self>) {
        if !self.look.swap(true, Ordering::Release) {
            self.wake_by_ref();
        }
    }

    /// Whether a start that may go to any partition should come here.
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
