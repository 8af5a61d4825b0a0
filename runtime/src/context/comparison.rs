//! What a replayed turn is compared with, and what differs.

use std::ops::Deref;
use std::sync::Arc;

use crate::model::{Action, FailureDetails, Part};

/// The recorded actions of a turn that is replayed, and what is demanded of the code.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) actions: TurnActions,
    pub(crate) demand: Demand,
    /// Whether the record says from which time relative timers were counted. Records of earlier versions do not.
    pub(crate) has_clock: bool,
}

/// The actions of one turn. The turns of an execution share their memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct TurnActions {
    turns: Arc<Vec<Vec<Action>>>,
    turn: usize,
}

impl TurnActions {
    /// Creates the actions of the turn at this place.
    pub(crate) fn new(turns: &Arc<Vec<Vec<Action>>>, turn: usize) -> Self {
        Self { turns: Arc::clone(turns), turn }
    }
}

impl From<Vec<Action>> for TurnActions {
    fn from(actions: Vec<Action>) -> Self {
        Self { turns: Arc::new(vec![actions]), turn: 0 }
    }
}

impl Deref for TurnActions {
    type Target = [Action];

    fn deref(&self) -> &[Action] {
        self.turns.get(self.turn).map_or(&[], Vec::as_slice)
    }
}

/// What is demanded of the values that the code computes again, such as the input of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// They must be the recorded ones, because the same build of the program recorded the turn.
    SameBuild,
    /// They must be the recorded ones, because the application accepts no changes.
    Unchanged,
    /// They may have changed together with the program. The recorded values stand.
    MayChange,
}

/// The code and the history disagree: the recorded action, and the action that was issued in its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mismatch {
    pub(crate) recorded: Option<Action>,
    pub(crate) issued: Option<Action>,
    /// The previous action, on which both agree.
    pub(crate) agreed: Option<Action>,
    /// What differs, if both actions are of the same kind, name and operation.
    pub(crate) changed: Option<Changed>,
    /// The error with which the code ended in this turn. It is often the reason why the two disagree.
    pub(crate) failure: Option<FailureDetails>,
}

/// The part of an action that changed, and what is wrong with that.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Changed {
    pub(crate) part: Part,
    pub(crate) cause: Cause,
}

/// Why a changed value is not accepted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cause {
    /// The same build of the program computes another value, so something in it changes from run to run.
    SameBuild,
    /// The history contains the value at another operation of the same name, so the order has changed.
    Moved(Box<Action>),
    /// The application accepts no changes.
    Unchanged,
    /// It is accepted so far.
    Accepted,
}

impl Recorded {
    /// Returns what differs between the recorded and the issued action, which agree in kind, name and operation.
    pub(super) fn compare(&self, recorded: &Action, issued: &Action) -> Option<Changed> {
        if !self.has_clock && matches!(recorded, Action::CreateTimer { .. }) {
            return None;
        }
        let part = recorded.difference(issued)?;
        let cause = match self.demand {
            Demand::SameBuild => Cause::SameBuild,
            Demand::Unchanged => Cause::Unchanged,
            Demand::MayChange => Cause::Accepted,
        };
        Some(Changed { part, cause })
    }
}
