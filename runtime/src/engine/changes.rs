//! Judges the values that code computes in another way than the records that another build of the program wrote.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

use crate::context::{Cause, Changed, Mismatch};
use crate::model::Action;

/// A payload with the kind and the name of the operation that carried it.
type Issued<'a> = (Discriminant<Action>, &'a str, &'a [u8]);

/// The recorded actions of an execution, turn by turn.
pub(crate) struct Judge<'a> {
    turns: &'a [Vec<Action>],
    /// The payloads of all of them. They are collected when the first change is judged, because most replays have none.
    issued: Option<HashMap<Issued<'a>, &'a Action>>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(turns: &'a [Vec<Action>]) -> Self {
        Self { turns, issued: None }
    }

    /// Returns the changed value that the history contains at another operation, if there is one: then it is the order
    /// of the operations that changed, and results would be given to the wrong ones.
    pub(crate) fn moved(&mut self, changes: &[Mismatch]) -> Option<Mismatch> {
        changes.iter().find_map(|change| {
            let Changed { part, .. } = *change.changed.as_ref()?;
            let issued = change.issued.as_ref()?;
            let other = *self.issued().get(&key(issued)?)?;
            let cause = Cause::Moved(Box::new(other.clone()));
            let differs = other.operation() != issued.operation();
            differs.then(|| Mismatch { changed: Some(Changed { part, cause }), ..change.clone() })
        })
    }

    fn issued(&mut self) -> &HashMap<Issued<'a>, &'a Action> {
        let turns = self.turns;
        self.issued.get_or_insert_with(|| {
            let mut issued = HashMap::new();
            for action in turns.iter().flatten() {
                if let Some(key) = key(action) {
                    issued.entry(key).or_insert(action);
                }
            }
            issued
        })
    }
}

fn key(action: &Action) -> Option<Issued<'_>> {
    let (name, payload) = action.issued_payload()?;
    Some((discriminant(action), name, payload.as_bytes()))
}
