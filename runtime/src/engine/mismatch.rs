//! What people read about a value that the code computes in another way than the record.

use std::fmt;

use crate::context::{Cause, Changed, Mismatch};
use crate::model::shortened;

/// What to write instead of what differs from run to run.
pub(crate) const ADVICE: &str = "Something in the code differs from run to run: the order of a `HashMap` or `HashSet`, \
    a clock, a random number, a static variable or an address. Write `BTreeMap` or `BTreeSet`, `ctx.current_time()`, \
    `ctx.random()` or `ctx.new_uuid()` instead, or take the value from an activity";

/// A mismatch in one value: both values, the step, both places, and what to do.
pub(crate) struct Described<'a>(pub(crate) &'a Mismatch);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Changed { part, cause }) = &self.0.changed else { return Ok(()) };
        both_values(f, self.0, ["recorded", "the code now issues"])?;
        match cause {
            Cause::SameBuild => write!(f, ". The same build of the program did both. {ADVICE}"),
            Cause::Moved(other) => write!(
                f,
                ". The history contains this {part} at another step, the {other}, so the steps have changed their order. If \
                 they follow a `HashMap` or a `HashSet`, write `BTreeMap` or `BTreeSet`; if the code was changed on \
                 purpose, register the old version beside the new one or branch with `ctx.patched`"
            ),
            Cause::Unchanged => f.write_str(
                ". This runtime accepts no changed values (`InputChanges::Park`): register the old version beside the \
                 new one or branch with `ctx.patched`",
            ),
            Cause::Accepted => Ok(()),
        }
    }
}

/// Writes both values of what differs, each with its step and its place.
pub(crate) fn both_values(f: &mut fmt::Formatter<'_>, mismatch: &Mismatch, verbs: [&str; 2]) -> fmt::Result {
    let Mismatch { recorded: Some(recorded), issued: Some(issued), changed: Some(changed), .. } = mismatch else {
        return Ok(());
    };
    let (part, [before, now]) = (changed.part, verbs);
    let (first, second) = shortened(&recorded.part(part), &issued.part(part));
    write!(f, "{before} {recorded} with the {part} {first}, but {now} {issued} with the {part} {second}")
}
