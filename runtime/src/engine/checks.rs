//! How strictly the engine checks that code is deterministic. The application chooses.

use crate::model::{BuildId, ExecutionStarted};

/// What happens when a changed program computes another input for a recorded operation than the one that is recorded.
///
/// The choice applies to records of *other* builds of the program, and so to what a deployment changes. A difference
/// from a record of the same build is always nondeterminism, and a value that the history contains at another operation
/// of the same name is always a changed order: both park the instance, whatever is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum InputChanges {
    /// The recorded input stands and the instance goes on, for example when a type has a new field. The log says so once
    /// for each instance.
    #[default]
    Accept,
    /// The instance is parked, and both inputs are shown. Choose this if every change of an input has to go through
    /// [`Context::patched`](crate::Context::patched) or through a new version of the orchestrator.
    Park,
}

/// Whether the runtime replays instances from their records while they run, and compares the replay with what happened.
///
/// A replay of the same code must do the same again: issue the same operations with the same inputs, set the same custom
/// status, return the same output. Code that depends on the order of a `HashMap`, on a clock or on a static variable
/// does not, and this check finds it in its first run instead of after the first restart. The instance is then parked
/// with [`ParkCode::NotRepeatable`](crate::ParkCode::NotRepeatable). If it has ended by then, the log says it.
///
/// An execution is checked after its turns 1 to 16, after the turns whose number is a power of two, and after its last
/// turn. After turn *t*, it is replayed 16 / *t* times, at least once, because code that depends on chance often does
/// the same twice: a map of two entries has the same order in half of all runs. So code that differs in half of all runs
/// passes the check after the first turn with a probability of 1 in 65,536. The cost per execution is bounded: 220
/// replayed turns for the first 16 turns, and no checks after 1,024 turns or 1 MiB of payloads. A mistake that is met
/// only later, or only rarely, may be missed.
///
/// The check runs when the effects of the turn have left, so it never delays them. It reads nothing from the store, and
/// runs neither activities nor the closures of [`Context::side_effect`](crate::Context::side_effect). It runs the code of
/// the orchestrator again, so what the code prints outside `if !ctx.is_replaying()` is printed again.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum VerifyReplay {
    /// No execution is checked.
    Never,
    /// This share of all executions is checked: 0.01 is one in a hundred, which is recommended for one server of many in
    /// production. Which ones depends on the id of the execution, so an execution is checked in all its turns or in none.
    ///
    /// Each check of a sample is a single replay, because many executions are checked and one of them shows the mistake.
    Sample(f64),
    /// Every execution is checked.
    Always,
}

impl Default for VerifyReplay {
    /// Returns [`Always`](Self::Always) in builds with debug assertions, and [`Never`](Self::Never) in others.
    fn default() -> Self {
        if cfg!(debug_assertions) { Self::Always } else { Self::Never }
    }
}

impl VerifyReplay {
    /// Returns whether an execution that is still short is replayed several times, so that chance does not hide a mistake
    /// in it. In a sample, the number of executions prevents that.
    pub(crate) fn repeats(self) -> bool {
        self == Self::Always
    }

    /// Returns whether this execution is checked.
    pub(crate) fn includes(self, started: &ExecutionStarted) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            // Ids of executions are hashes, so any part of them is evenly distributed.
            Self::Sample(share) => {
                (started.execution_id.as_u64_pair().1 as u32) as f64 / (f64::from(u32::MAX) + 1.0) < share
            }
        }
    }
}

/// What a replay needs to know besides the records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplayChecks {
    pub(crate) build: BuildId,
    pub(crate) input_changes: InputChanges,
    pub(crate) verify: VerifyReplay,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{ExecutionLimits, JsonText};

    fn started(id: u128) -> Arc<ExecutionStarted> {
        Arc::new(ExecutionStarted {
            execution_id: uuid::Uuid::new_v5(&uuid::Uuid::from_u128(1), &id.to_be_bytes()),
            name: String::new(),
            version: String::new(),
            input: JsonText::null(),
            custom_status: None,
            tags: Default::default(),
            parent: None,
            start_at: None,
            trace: None,
            limits: ExecutionLimits::default(),
        })
    }

    #[test]
    fn a_sample_is_as_large_as_it_says_and_always_the_same() {
        let count = |verify: VerifyReplay| (0..10_000).filter(|id| verify.includes(&started(*id))).count();
        assert_eq!((count(VerifyReplay::Never), count(VerifyReplay::Always)), (0, 10_000));
        assert_eq!((count(VerifyReplay::Sample(0.0)), count(VerifyReplay::Sample(1.0))), (0, 10_000));
        let tenth = count(VerifyReplay::Sample(0.1));
        assert!((900..1_100).contains(&tenth), "{tenth}");
        assert_eq!(count(VerifyReplay::Sample(0.1)), tenth);
    }
}
