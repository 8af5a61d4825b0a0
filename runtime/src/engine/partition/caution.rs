//! What happens after the process has ended without a shutdown: the work that was left may have ended it.
//!
//! ```text
//! unclean end, for the first time     everything runs at full speed, and is watched until it has run
//! unclean end while it was watched    a trial: groups of suspects run one after another, each named in the store before
//! unclean end during a trial          the next trial is of those who were named
//! the third end, one was named        it is parked, and everything else runs at full speed
//! ```
//!
//! Invariants:
//! - Nothing runs before the note that says so is durable. Effects wait in the gate as always, and no turn is polled
//!   before ([`Caution::gate`]).
//! - During a trial, nothing runs besides those who are named in the store. So an instance is parked only if it was the
//!   only one that ran.
//! - What is held keeps its rows. Nothing is lost if the partition is dropped.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::address::Addressed;
use super::slot::Slot;
use super::{BacklogToken, Partition};
use crate::engine::stuck::Stuck;
use crate::engine::{ActivityTask, CommitNumber};
use crate::model::{
    Execution, InboxId, InstanceId, InstanceKey, Life, Message, OperationId, Suspect, Suspects, TaskId, TimerRow,
    Timestamp, TurnCommit, wire,
};
use crate::store::{Backlog, Claim};

/// How many groups a trial has at most. With each trial, the number of suspects is divided by this.
const GROUPS: usize = 64;

/// How many unclean ends in a row it takes until an instance is parked.
const STOPS: u32 = 3;

/// How long work that was left may go on without an end of any activity before it counts as long and innocent. The groups
/// of a trial share this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a process must live before it tries suspects. A process that is killed while it starts blames nobody.
const SETTLING: Duration = Duration::from_millis(250);

/// The least time for one group.
const LEAST_PATIENCE: Duration = Duration::from_millis(150);

/// What a partition knows about the ends of its processes, and what it holds back because of them.
#[derive(Debug, Default)]
pub(super) struct Caution {
    /// What the store holds when the last commit is durable.
    note: Suspects,
    /// No turn is polled before this commit is durable.
    gate: CommitNumber,
    stage: Stage,
    held: Held,
    /// The tasks of the backlog that have not ended.
    open: BTreeSet<TaskId>,
    /// When the current work began, or when the last of its activities ended.
    since: Timestamp,
    /// Released suspects. Empty unless there is a trial.
    released: BTreeSet<Suspect>,
    /// The lives of the ids that have tasks.
    ids: HashMap<InstanceId, InstanceKey>,
}

#[derive(Debug, Default)]
enum Stage {
    /// Nothing that is left from earlier runs can bring the process down.
    #[default]
    Over,
    /// Everything is held until the driver lets the partition begin: with a trial, or with everything at once.
    Waiting {
        trial: bool,
        token: BacklogToken,
    },
    /// Everything runs, and the end of the process would be counted.
    Watching,
    Trial(Trial),
}

#[derive(Debug)]
struct Trial {
    groups: VecDeque<Vec<Suspect>>,
    current: Vec<Suspect>,
    /// Members of earlier groups whose activities may still run.
    lingering: Vec<Suspect>,
    patience: Duration,
    /// When the first group begins, until it has begun.
    begins: Option<Timestamp>,
    #[expect(dead_code, reason = "held, not read: the start of the runtime waits for the trial")]
    token: BacklogToken,
}

/// What does not run yet.
#[derive(Debug, Default)]
struct Held {
    #[expect(clippy::vec_box, reason = "the tasks come in their boxes and leave in them")]
    tasks: BTreeMap<InstanceKey, Vec<Box<ActivityTask>>>,
    timers: BTreeSet<TimerRow>,
    messages: VecDeque<(InboxId, Message)>,
    /// Parked lives that are to be tried again.
    parked: BTreeSet<InstanceKey>,
}

/// What the driver must know of the caution of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cautious {
    /// There is nothing to wait for.
    No,
    /// Everything is held until [`Partition::let_begin`] is called. With `trial`, suspects are then tried.
    Waits {
        /// Whether the suspects of this partition are tried.
        trial: bool,
    },
    /// Suspects are being tried, so nothing else may run in the process.
    Tries,
}

impl Caution {
    /// The note of the last owner, and what its end adds to it.
    fn after(claim: &Claim, first: bool) -> (Suspects, Suspects) {
        let stored = wire::decode_suspects(&claim.suspects).unwrap_or_else(|error| {
            tracing::error!(%error, "the note about suspects cannot be read and is written again");
            Suspects::default()
        });
        let mut note = stored.clone();
        if claim.clean {
            note.stops = 0;
            note.named.clear();
        } else if !first {
            // The process has not ended: only a commit has failed.
            note.named.clear();
        } else {
            note.stops = note.stops.saturating_add(1);
            if note.stops >= STOPS && note.named.len() == 1 {
                note.parked.append(&mut note.named);
                note.stops = 1;
            }
        }
        (stored, note)
    }

    fn holds_something(&self) -> bool {
        matches!(self.stage, Stage::Waiting { .. } | Stage::Trial(_))
    }

    fn may_run(&self, suspect: &Suspect) -> bool {
        !self.holds_something() || self.released.contains(suspect)
    }

    /// Returns whether a life is parked because it brings the process down.
    pub(super) fn has_parked(&self, key: InstanceKey) -> bool {
        !self.note.parked.is_empty() && self.note.parked.contains(&Suspect::Life(key))
    }

    /// The same for an instance that is known by its id.
    fn has_parked_life(&self, life: &Life) -> bool {
        self.has_parked(life.key)
            || (!self.note.parked.is_empty() && self.note.parked.contains(&Suspect::Id(life.id.clone())))
    }

    /// Forgets the timer of an operation that is gone.
    pub(super) fn forget_timer(&mut self, row: &TimerRow) {
        if !self.held.timers.is_empty() {
            self.held.timers.remove(row);
        }
    }

    /// Notes that a task of the backlog may have ended.
    pub(super) fn ended(&mut self, now: Timestamp, task: &TaskId) {
        if !self.open.is_empty() && self.open.remove(task) {
            self.since = now;
        }
    }
}

impl Partition {
    /// Decides what the end of the last process means. This comes before anything of the backlog runs.
    pub(super) fn begin_caution(&mut self, now: Timestamp, claim: &Claim, backlog: &Backlog) {
        let first = self.config.first_claim;
        let (stored, mut note) = Caution::after(claim, first);
        let due = self.timers.first().is_some_and(|row| row.fire_at <= now);
        let any = due || !backlog.tasks.is_empty() || !self.messages.is_empty() || !backlog.parked.is_empty();
        if !any {
            (note.stops, note.named) = (0, Vec::new());
        }
        for suspect in note.parked.iter().filter(|suspect| !stored.parked.contains(suspect)) {
            tracing::error!(?suspect, "an instance brings the process down and is parked");
        }
        let (stops, trial) = (note.stops, note.stops >= 2);
        self.caution.note = note.clone();
        if note != stored {
            self.write_note(now);
        }
        if stops > 0 {
            self.caution.ids = backlog.tasks.iter().map(|group| (group.id.clone(), group.key)).collect();
            self.caution.stage = match first {
                true => Stage::Waiting { trial, token: self.unjudged.clone() },
                false => Stage::Watching,
            };
        }
        if self.caution.holds_something() {
            let messages = std::mem::take(&mut self.messages);
            self.caution.held.messages.extend(messages);
        }
    }

    /// What the driver must know before it lets the partition go on.
    pub(crate) fn cautious(&self) -> Cautious {
        match &self.caution.stage {
            Stage::Over | Stage::Watching => Cautious::No,
            Stage::Waiting { trial, .. } => Cautious::Waits { trial: *trial },
            Stage::Trial(_) => Cautious::Tries,
        }
    }

    /// Lets a partition begin that has waited for it.
    pub(crate) fn let_begin(&mut self, now: Timestamp) {
        let Stage::Waiting { trial, token } = &self.caution.stage else { return };
        let (trial, token) = (*trial, token.clone());
        if !trial {
            self.caution.stage = Stage::Watching;
            return self.release_all(now);
        }
        let suspects = self.suspects(now);
        let size = suspects.len().div_ceil(GROUPS).max(1);
        let groups: VecDeque<_> = suspects.chunks(size).map(<[Suspect]>::to_vec).collect();
        let share = u32::try_from(groups.len().max(1)).unwrap_or(u32::MAX);
        tracing::warn!(
            stops = self.caution.note.stops,
            suspects = suspects.len(),
            groups = groups.len(),
            "the process has ended again before it had handled what earlier runs left: it is handled in groups now, to find \
             out what ends the process"
        );
        self.caution.stage = Stage::Trial(Trial {
            groups,
            current: Vec::new(),
            lingering: Vec::new(),
            patience: (PATIENCE / share).max(LEAST_PATIENCE),
            begins: Some(now.plus(SETTLING)),
            token,
        });
    }

    /// Returns those who were named last, or everything that is held.
    fn suspects(&self, now: Timestamp) -> Vec<Suspect> {
        if !self.caution.note.named.is_empty() {
            return self.caution.note.named.clone();
        }
        let held = &self.caution.held;
        let timers = held.timers.iter().chain(self.timers.iter().take_while(|row| row.fire_at <= now));
        let lives = held.tasks.keys().copied().chain(timers.map(|row| row.key)).chain(held.parked.iter().copied());
        let messages = held.messages.iter().map(|(_, message)| self.suspect_of(message));
        let all: BTreeSet<_> = lives.map(Suspect::Life).chain(messages).collect();
        all.into_iter().collect()
    }

    /// Returns the suspect to whom a message is addressed.
    fn suspect_of(&self, message: &Message) -> Suspect {
        match message {
            Message::ChildDone { parent, .. } | Message::TaskRefused { parent, .. } => Suspect::Life(parent.key),
            other => {
                let target = other.target();
                let key = self.caution.ids.get(target).or_else(|| self.ids.get(target));
                key.map_or_else(|| Suspect::Id(target.clone()), |key| Suspect::Life(*key))
            }
        }
    }

    /// Names the next group and releases it, or ends the trial.
    fn try_next(&mut self, now: Timestamp) {
        let Stage::Trial(trial) = &mut self.caution.stage else { return };
        trial.begins = None;
        trial.lingering.append(&mut trial.current);
        let open = &self.caution.open;
        trial.lingering.retain(|suspect| matches!(suspect, Suspect::Life(key) if has_task(open, *key)));
        let Some(group) = trial.groups.pop_front() else {
            tracing::info!("what earlier runs left has run without ending the process");
            self.caution.note.named.clear();
            self.write_note(now);
            self.caution.stage = Stage::Watching;
            return self.release_all(now);
        };
        trial.current.clone_from(&group);
        self.caution.note.named = group.iter().chain(&trial.lingering).cloned().collect();
        self.write_note(now);
        self.caution.released.extend(group.iter().cloned());
        self.release(now);
    }

    /// Lets those go on who have been released.
    fn release(&mut self, now: Timestamp) {
        let Caution { held, released, .. } = &mut self.caution;
        let is_released = |key: &InstanceKey| released.contains(&Suspect::Life(*key));
        self.timers.extend(held.timers.extract_if(.., |row| is_released(&row.key)));
        let tasks: Vec<_> = held.tasks.extract_if(.., |key, _| is_released(key)).collect();
        let parked: Vec<_> = held.parked.extract_if(.., |key| is_released(key)).collect();
        for (inbox, message) in std::mem::take(&mut held.messages) {
            self.deliver_or_hold(now, inbox, message);
        }
        self.go_on_with(now, tasks, parked);
    }

    fn release_all(&mut self, now: Timestamp) {
        let Held { tasks, timers, messages, parked } = std::mem::take(&mut self.caution.held);
        (self.caution.released, self.caution.ids) = (BTreeSet::new(), HashMap::new());
        self.caution.since = now;
        self.timers.extend(timers);
        self.messages.extend(messages);
        self.go_on_with(now, tasks, parked);
        self.deliver_messages(now);
    }

    fn go_on_with(
        &mut self,
        now: Timestamp,
        tasks: impl IntoIterator<Item = (InstanceKey, Vec<Box<ActivityTask>>)>,
        parked: impl IntoIterator<Item = InstanceKey>,
    ) {
        for task in tasks.into_iter().flat_map(|(_, tasks)| tasks) {
            self.restart_activity(now, task);
        }
        for key in parked {
            let token = self.unjudged.clone();
            self.address(now, Addressed::RetryParked(key, token));
        }
    }

    fn write_note(&mut self, now: Timestamp) {
        let suspects = Some(self.encoded_note());
        self.caution.since = now;
        self.caution.gate = self.commit(TurnCommit { suspects, ..TurnCommit::default() });
    }

    fn encoded_note(&self) -> Bytes {
        let note = &self.caution.note;
        if *note == Suspects::default() { Bytes::new() } else { wire::encode_suspects(note) }
    }

    // ── while the partition runs ────────────────────────────────────────────────────────────────────────────────────

    /// Returns whether turns must wait for the note.
    pub(super) fn waits_for_note(&self) -> bool {
        self.caution.gate > self.durable || matches!(self.caution.stage, Stage::Waiting { .. })
    }

    /// Goes on when what was released has run: with the next group, or without caution.
    pub(super) fn advance_caution(&mut self, now: Timestamp) {
        let done = match &self.caution.stage {
            Stage::Over | Stage::Waiting { .. } => return,
            Stage::Watching => self.has_run(now, PATIENCE, self.caution.open.is_empty()),
            Stage::Trial(Trial { begins: Some(at), .. }) => now >= *at,
            Stage::Trial(trial) => {
                let open =
                    |suspect: &Suspect| matches!(suspect, Suspect::Life(key) if has_task(&self.caution.open, *key));
                self.has_run(now, trial.patience, !trial.current.iter().any(open))
            }
        };
        if !done || !self.polls {
            return;
        }
        if matches!(self.caution.stage, Stage::Trial(_)) {
            return self.try_next(now);
        }
        (self.caution.stage, self.caution.open) = (Stage::Over, BTreeSet::new());
        self.caution.note.stops = 0;
        self.write_note(now);
        // This says that nothing is to blame any more, so nothing waits for it.
        self.caution.gate = CommitNumber::default();
    }

    fn has_run(&self, now: Timestamp, patience: Duration, ended: bool) -> bool {
        if now >= self.caution.since.plus(patience) {
            return true;
        }
        let due = || self.timers.first().is_some_and(|row| row.fire_at <= now);
        ended
            && self.ready.is_empty()
            && self.messages.is_empty()
            && self.lookups.is_empty()
            && self.committed == self.durable
            && !self.has_restarts()
            && !due()
    }

    /// Returns when to look again whether what was released has run.
    pub(super) fn caution_deadline(&self) -> Option<Timestamp> {
        match &self.caution.stage {
            Stage::Over | Stage::Waiting { .. } => None,
            Stage::Watching => Some(self.caution.since.plus(PATIENCE)),
            Stage::Trial(Trial { begins: Some(at), .. }) => Some(*at),
            Stage::Trial(trial) => Some(self.caution.since.plus(trial.patience)),
        }
    }

    /// Holds the activity of a recovered task that must not run now. Otherwise gives it back.
    pub(super) fn hold_task(&mut self, now: Timestamp, task: Box<ActivityTask>) -> Option<Box<ActivityTask>> {
        let key = task.task.key;
        let parked = self.caution.has_parked(key)
            || (!self.caution.note.parked.is_empty()
                && self.caution.note.parked.contains(&Suspect::Id(task.instance.clone())));
        if !parked && self.caution.may_run(&Suspect::Life(key)) {
            if !matches!(self.caution.stage, Stage::Over) {
                self.caution.open.insert(task.task);
            }
            return Some(task);
        }
        self.caution.held.tasks.entry(key).or_default().push(task);
        if parked {
            let token = self.unjudged.clone();
            self.address(now, Addressed::Park(key, Stuck::EndsProcess.reason(), token));
        }
        None
    }

    /// Holds a parked life that must not be tried again now. Returns whether it is held.
    pub(super) fn hold_parked(&mut self, key: InstanceKey) -> bool {
        if self.caution.has_parked(key) {
            return true;
        }
        let held = !self.caution.may_run(&Suspect::Life(key));
        if held {
            self.caution.held.parked.insert(key);
        }
        held
    }

    /// Holds a due timer that must not fire now. Returns whether it is held.
    pub(super) fn hold_timer(&mut self, row: TimerRow) -> bool {
        let held = !self.caution.may_run(&Suspect::Life(row.key));
        if held {
            self.caution.held.timers.insert(row);
        }
        held
    }

    /// Delivers a message, or holds it.
    pub(super) fn deliver_or_hold(&mut self, now: Timestamp, inbox: InboxId, message: Message) {
        if self.caution.holds_something() {
            let by_id = || self.caution.released.contains(&Suspect::Id(message.target().clone()));
            if !self.caution.released.contains(&self.suspect_of(&message)) && !by_id() {
                return self.caution.held.messages.push_back((inbox, message));
            }
        }
        self.message(now, inbox, message);
    }

    /// Returns why the code of an instance must not run, if it must not.
    pub(super) fn ends_process(&self, slot: &Slot) -> Option<Stuck> {
        self.caution.has_parked_life(&slot.head.life).then_some(Stuck::EndsProcess)
    }

    /// A caller wants to try an instance again that was parked because it brings the process down.
    pub(super) fn pardon(&mut self, now: Timestamp, life: &Life) {
        if !self.forget_suspect(life) {
            return;
        }
        self.write_note(now);
        for task in self.caution.held.tasks.remove(&life.key).unwrap_or_default() {
            self.run_or_wait(now, task, None);
        }
    }

    /// Notes in the commit that ends a life that it brings nothing down any more.
    pub(super) fn note_end(&mut self, slot: &Slot, commit: &mut TurnCommit) {
        if self.forget_suspect(&slot.head.life) {
            self.caution.held.tasks.remove(&slot.head.life.key);
            commit.suspects = Some(self.encoded_note());
        }
    }

    fn forget_suspect(&mut self, life: &Life) -> bool {
        let parked = self.caution.has_parked_life(life);
        if parked {
            let is_it = |suspect: &Suspect| match suspect {
                Suspect::Life(key) => *key == life.key,
                Suspect::Id(id) => *id == life.id,
            };
            self.caution.note.parked.retain(|suspect| !is_it(suspect));
        }
        parked
    }

    #[cfg(test)]
    #[cfg(feature = "macros")]
    pub(crate) fn noted_suspects(&self) -> &Suspects {
        &self.caution.note
    }

    /// Returns whether an end of the process would be counted.
    #[cfg(test)]
    #[cfg(feature = "macros")]
    pub(crate) fn is_watchful(&self) -> bool {
        !matches!(self.caution.stage, Stage::Over)
    }
}

/// Returns whether a process that claims with this must try suspects before anything else runs in it.
pub(crate) fn needs_trial(claim: &Claim) -> bool {
    !claim.clean && Caution::after(claim, true).1.stops >= 2
}

fn has_task(open: &BTreeSet<TaskId>, key: InstanceKey) -> bool {
    let id = |execution, operation| TaskId { key, execution, operation };
    let (first, last) = (Execution(0), Execution(u32::MAX));
    open.range(id(first, OperationId(0))..=id(last, OperationId(u32::MAX))).next().is_some()
}
