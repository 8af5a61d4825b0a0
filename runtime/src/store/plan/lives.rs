//! Plans the changes of heads: lives that begin, change and end.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::{Head, HeadChange, InstanceId, InstanceKey, Life, Progress};

/// The changes of heads in a batch.
#[derive(Debug, Default)]
pub(crate) struct LifePlan<'b> {
    /// Lives that exist and are deleted.
    pub(crate) gone: Vec<LifeGone<'b>>,
    /// Lives that begin and end within the batch. After the deletions, neither their keys nor their ids are in use.
    pub(crate) absent: Vec<&'b Arc<Life>>,
    /// Lives that are inserted. After the deletions, neither their keys nor their ids are in use.
    pub(crate) new: Vec<(&'b Arc<Life>, &'b Arc<Progress>)>,
    /// Lives that exist, with the same id and time of creation, and are replaced with these.
    pub(crate) renewed: Vec<(&'b Arc<Life>, &'b Arc<Progress>)>,
    /// Lives that exist, and whose progress is replaced with this.
    pub(crate) changed: Vec<(InstanceKey, &'b Arc<Progress>)>,
}

/// A life that is to be deleted.
#[derive(Debug)]
pub(crate) struct LifeGone<'b> {
    pub(crate) key: InstanceKey,
    /// A life whose id and time of creation it has, because the batch renews that life first.
    pub(crate) same_as: Option<&'b Arc<Life>>,
    /// Ids that it does not have, because the batch gives them to other lives first.
    pub(crate) other_than: Vec<&'b InstanceId>,
}

/// What is known about heads.
#[derive(Default)]
pub(super) struct Lives<'b> {
    states: FxHashMap<InstanceKey, State<'b>>,
    /// The ids of lives that the batch has begun and not ended since.
    ids: FxHashSet<&'b InstanceId>,
    /// The ids of all lives that the batch has begun.
    begun: Vec<&'b InstanceId>,
    gone: Vec<LifeGone<'b>>,
    absent: Vec<&'b Arc<Life>>,
}

#[derive(Clone, Copy)]
enum State<'b> {
    /// A row that existed before the batch.
    Stored { renewed: Option<&'b Arc<Life>>, progress: &'b Arc<Progress> },
    /// A row that the batch has inserted.
    New { life: &'b Arc<Life>, progress: &'b Arc<Progress> },
    /// No row.
    Gone,
}

impl<'b> Lives<'b> {
    pub(super) fn purge(&mut self, key: InstanceKey) -> Result<(), String> {
        let same_as = match self.states.insert(key, State::Gone) {
            None => None,
            Some(State::Stored { renewed, .. }) => renewed,
            Some(State::New { life, .. }) => {
                self.ids.remove(&life.id);
                self.absent.push(life);
                return Ok(());
            }
            Some(State::Gone) => return Err(format!("instance {key:?} to be purged is not there")),
        };
        self.gone.push(LifeGone { key, same_as, other_than: self.begun.clone() });
        Ok(())
    }

    pub(super) fn change(&mut self, change: &'b HeadChange) -> Result<(), String> {
        match change {
            HeadChange::None => Ok(()),
            HeadChange::Insert(head) => self.insert(head),
            HeadChange::Renew(head) => self.renew(head),
            HeadChange::Progress { key, progress } => self.progress(*key, progress),
        }
    }

    fn insert(&mut self, Head { life, progress }: &'b Head) -> Result<(), String> {
        let in_use = matches!(self.states.get(&life.key), Some(State::Stored { .. } | State::New { .. }));
        if in_use || !self.ids.insert(&life.id) {
            return Err(format!("instance {:?} with id {:?}: the key or the id is in use", life.key, life.id));
        }
        self.begun.push(&life.id);
        self.states.insert(life.key, State::New { life, progress });
        Ok(())
    }

    fn renew(&mut self, Head { life, progress }: &'b Head) -> Result<(), String> {
        let is_same = |before: &Life| before.id == life.id && before.created_at == life.created_at;
        let next = match self.states.get(&life.key) {
            None | Some(State::Stored { renewed: None, .. }) => State::Stored { renewed: Some(life), progress },
            Some(State::Stored { renewed: Some(before), .. }) if is_same(before) => {
                State::Stored { renewed: Some(life), progress }
            }
            Some(State::New { life: before, .. }) if is_same(before) => State::New { life, progress },
            Some(_) => return Err(not_there(life.key)),
        };
        self.states.insert(life.key, next);
        Ok(())
    }

    fn progress(&mut self, key: InstanceKey, progress: &'b Arc<Progress>) -> Result<(), String> {
        let next = match self.states.get(&key) {
            None => State::Stored { renewed: None, progress },
            Some(State::Stored { renewed, .. }) => State::Stored { renewed: *renewed, progress },
            Some(State::New { life, .. }) => State::New { life, progress },
            Some(State::Gone) => return Err(not_there(key)),
        };
        self.states.insert(key, next);
        Ok(())
    }

    pub(super) fn plan(self) -> LifePlan<'b> {
        let mut plan = LifePlan { gone: self.gone, absent: self.absent, ..LifePlan::default() };
        for (key, state) in self.states {
            match state {
                State::Stored { renewed: Some(life), progress } => plan.renewed.push((life, progress)),
                State::Stored { renewed: None, progress } => plan.changed.push((key, progress)),
                State::New { life, progress } => plan.new.push((life, progress)),
                State::Gone => {}
            }
        }
        plan.gone.sort_unstable_by_key(|life| life.key);
        plan.absent.sort_unstable_by_key(|life| life.key);
        plan.new.sort_unstable_by_key(|(life, _)| life.key);
        plan.renewed.sort_unstable_by_key(|(life, _)| life.key);
        plan.changed.sort_unstable_by_key(|(key, _)| *key);
        plan
    }
}

fn not_there(key: InstanceKey) -> String {
    format!("instance {key:?} to be changed is not there")
}
