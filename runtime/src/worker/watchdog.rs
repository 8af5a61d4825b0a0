//! The watchdog: a thread that says what nobody else can say, because the code in question does not return.
//!
//! - A turn that computes for long stops every instance of its thread.
//! - An activity that was asked to stop and does not return occupies a place for ever.
//! - A thread that never returns from a turn cannot stop. After the grace period of a shutdown, the runtime ends without
//!   it.
//!
//! It looks four times a second. An engine thread tells it nothing but the number of its turn (`engine::CurrentTurn`).

use std::sync::{Arc, Weak};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use super::bell::Bell;
use super::process::Process;
use super::registered::Registered;
use super::shutdown::{ShutdownError, ThreadResults, end_process};
use crate::clock::Clock;
use crate::engine::{CurrentTurn, TurnInProgress};

/// How long a turn may compute, and how long an activity may take to return, before the log says so. Then it says so
/// once a minute.
const LONG_TURN: Duration = Duration::from_secs(1);
const LONG_STOP: Duration = AGAIN;
const AGAIN: Duration = Duration::from_secs(60);

/// The time between two looks.
const WATCH_PAUSE: Duration = Duration::from_millis(250);

/// Everything that the watchdog looks at.
pub(crate) struct Watchdog {
    /// By thread.
    pub(crate) turns: Vec<Arc<CurrentTurn>>,
    /// The watchdog keeps nothing alive.
    pub(crate) process: Weak<Process>,
    pub(crate) closing: Arc<ThreadResults>,
    pub(crate) registered: Arc<Registered>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// When to say that something lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lasting {
    since: Duration,
    next: Duration,
}

impl Lasting {
    pub(crate) fn new(now: Duration, limit: Duration) -> Self {
        Self { since: now, next: now.saturating_add(limit) }
    }

    /// Returns how long it has lasted, if that must be said now.
    pub(crate) fn said(&mut self, now: Duration) -> Option<Duration> {
        (now >= self.next).then(|| {
            self.next = now.saturating_add(AGAIN);
            now.saturating_sub(self.since)
        })
    }
}

/// One turn that was seen, by its number.
type Seen = Option<(u64, Lasting)>;

impl Watchdog {
    /// Looks until every engine thread has ended.
    pub(crate) fn run(self, bell: &Arc<Bell>) {
        self.clock.wakes(Waker::from(Arc::clone(bell)));
        let mut seen: Vec<Seen> = vec![None; self.turns.len()];
        while !self.closing.all_have_left() {
            let now = self.clock.monotonic();
            self.look_at_turns(&mut seen, now);
            self.look_at_activities(now);
            self.look_at_shutdown(&seen);
            bell.wait(Duration::ZERO, self.pause());
        }
    }

    /// Returns how long to sleep. A manual clock wakes the thread, but a shutdown takes its time by the real one.
    fn pause(&self) -> Option<Duration> {
        match self.clock.sleep_towards(self.clock.now().plus(WATCH_PAUSE)) {
            Some(pause) => Some(pause.min(WATCH_PAUSE)),
            None => self.closing.give_up_at().map(|_| WATCH_PAUSE),
        }
    }

    fn look_at_turns(&self, seen: &mut [Seen], now: Duration) {
        for (turn, seen) in self.turns.iter().zip(seen) {
            let Some((number, turn)) = turn.get() else {
                *seen = None;
                continue;
            };
            match seen {
                Some((known, lasting)) if *known == number => {
                    if let Some(duration) = lasting.said(now) {
                        self.warn_of_turn(&turn, duration);
                    }
                }
                _ => *seen = Some((number, Lasting::new(now, LONG_TURN))),
            }
        }
    }

    fn warn_of_turn(&self, turn: &TurnInProgress, duration: Duration) {
        let (instance, orchestrator, place) = (&turn.life.id, turn.life.name.as_str(), self.place(turn));
        tracing::warn!(
            %instance,
            orchestrator,
            place,
            ?duration,
            "a turn has been computing for a long time, and the other instances of its thread wait: move the work into an activity"
        );
    }

    /// Returns where the code was last seen, or where it is defined.
    fn place(&self, turn: &TurnInProgress) -> String {
        if let Some(place) = &turn.place {
            return format!("after {place}");
        }
        let registry = self.registered.get();
        let defined = registry.orchestrator(&turn.life.name, &turn.life.version);
        defined.map_or_else(|| "unknown".to_owned(), |code| format!("in {}", code.location))
    }

    fn look_at_activities(&self, now: Duration) {
        let Some(process) = self.process.upgrade() else { return };
        let overdue = process.activities().overdue(|| Lasting::new(now, LONG_STOP), now);
        for (context, reason, duration) in overdue {
            let (instance, activity) = (context.instance_id(), context.activity_name());
            tracing::warn!(
                %instance,
                activity,
                %reason,
                ?duration,
                "an activity was asked to stop and has not returned: it occupies a place until it does; let it watch `cx.cancellation()`"
            );
        }
    }

    /// If nothing but threads that are in a turn is left to wait for, and the time is over, ends the runtime without
    /// them.
    fn look_at_shutdown(&self, seen: &[Seen]) {
        if self.closing.give_up_at().is_none_or(|at| Instant::now() < at) {
            return;
        }
        // A turn that was seen before has lasted since then. Whatever a thread does besides turns comes to an end.
        let holding = |(turn, seen): (&Arc<CurrentTurn>, &Seen)| {
            let (number, _) = (*seen)?;
            turn.get().filter(|(now, _)| *now == number).map(|(_, turn)| turn)
        };
        let held: Vec<_> = self.turns.iter().zip(seen).filter_map(holding).collect();
        let Some(turn) = held.first().filter(|_| held.len() == self.closing.left()) else { return };
        let (instance, name, place) = (&turn.life.id, &turn.life.name, self.place(turn));
        let cause = format!("the code of instance `{instance}` (orchestrator `{name}`, {place}) does not return");
        let error = ShutdownError::NotDrained { cause };
        let Some(farewell) = self.closing.give_up(error.clone()) else { return };
        tracing::error!(%error, "the runtime has stopped without a thread that does not return");
        if let Some(process) = self.process.upgrade() {
            process.ending.abandon();
            end_process(&process);
        }
        farewell.tell();
    }
}

/// A watchdog that waits for what it must look at.
pub(crate) struct Kennel {
    pub(crate) thread: thread::JoinHandle<()>,
    pub(crate) bell: Arc<Bell>,
    begin: std::sync::mpsc::SyncSender<(Watchdog, Arc<Bell>)>,
}

impl Kennel {
    /// Starts the thread. It ends when this is dropped.
    pub(crate) fn new() -> std::io::Result<Self> {
        let (begin, work) = std::sync::mpsc::sync_channel::<(Watchdog, Arc<Bell>)>(1);
        let run = move || work.recv().into_iter().for_each(|(watchdog, bell)| watchdog.run(&bell));
        let thread = thread::Builder::new().name("persevere-watchdog".to_owned()).spawn(run)?;
        let bell = Arc::new(Bell::new(thread.thread().clone()));
        Ok(Self { thread, bell, begin })
    }

    /// Begins to look.
    pub(crate) fn begin(self, watchdog: Watchdog) -> thread::JoinHandle<()> {
        // The thread has waited for nothing else.
        let _ = self.begin.send((watchdog, self.bell));
        self.thread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_lasts_is_said_at_its_limit_and_then_every_minute() {
        let mut lasting = Lasting::new(SECOND * 5, LONG_TURN);
        assert_eq!(lasting.said(SECOND * 5), None);
        assert_eq!(lasting.said(Duration::from_millis(6_200)), Some(Duration::from_millis(1_200)));
        assert_eq!(lasting.said(SECOND * 66), None);
        assert_eq!(lasting.said(SECOND * 67), Some(SECOND * 62));
        assert_eq!(lasting.said(SECOND * 100), None);
    }
}
