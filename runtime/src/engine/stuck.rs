//! The reasons why an instance is parked.

use super::mismatch::Described;
use crate::context::Mismatch;
use crate::contract::Undecodable;
use crate::model::{Action, Completion, ExecutionStarted, ParkCode, ParkReason};

/// The reason why an instance cannot continue.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stuck {
    /// Replay issued an action that differs from the recorded one.
    Mismatch { orchestrator: String, turn: Option<u64>, mismatch: Box<Mismatch> },
    /// The code awaited something that is not durable.
    ForeignAwait { detail: Option<String> },
    /// The code waits, but nothing is outstanding that could wake it.
    NoProgress,
    /// No code with this name and version is registered.
    NotRegistered { name: String, version: String },
    /// The activity of an open task is not registered.
    ActivityNotRegistered { name: String },
    /// A program elsewhere gave an answer that no program of this execution may give.
    BadAnswer { detail: String },
    /// The code cannot decode a stored value.
    Undecodable(Undecodable),
    /// Its code or one of its activities ends the process.
    EndsProcess,
    /// The stored data differs from what was written.
    Corrupt(String),
}

impl Stuck {
    pub(crate) fn mismatch(started: &ExecutionStarted, mismatch: Mismatch) -> Self {
        let version =
            if started.version.is_empty() { String::new() } else { format!(" version {:?}", started.version) };
        Self::Mismatch {
            orchestrator: format!("{:?}{version}", started.name),
            turn: None,
            mismatch: Box::new(mismatch),
        }
    }

    fn code(&self) -> ParkCode {
        match self {
            Self::Mismatch { .. } => ParkCode::HistoryMismatch,
            Self::ForeignAwait { .. } => ParkCode::ForeignAwait,
            Self::NoProgress => ParkCode::NothingOutstanding,
            Self::NotRegistered { .. } | Self::ActivityNotRegistered { .. } => ParkCode::NotRegistered,
            Self::BadAnswer { .. } => ParkCode::InvalidAnswer,
            Self::Undecodable(_) => ParkCode::UndecodableValue,
            Self::EndsProcess => ParkCode::EndsProcess,
            Self::Corrupt(_) => ParkCode::DamagedData,
        }
    }

    /// What the instance is parked with.
    pub(crate) fn reason(&self) -> ParkReason {
        ParkReason::new(self.code(), self.to_string())
    }

    pub(crate) fn in_turn(self, number: u64) -> Self {
        match self {
            Self::Mismatch { orchestrator, mismatch, .. } => {
                Self::Mismatch { orchestrator, turn: Some(number), mismatch }
            }
            other => other,
        }
    }
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mismatch { orchestrator, turn, mismatch } => write_mismatch(f, orchestrator, *turn, mismatch),
            Self::ForeignAwait { detail } => {
                f.write_str("the orchestrator awaited something that is not a durable operation")?;
                if let Some(detail) = detail {
                    write!(f, " ({detail})")?;
                }
                f.write_str(": move I/O and other waiting into an activity, and wait for time with `ctx.create_timer`")
            }
            Self::NoProgress => f.write_str(
                "the orchestrator waits, and nothing is outstanding that could wake it: await an activity, a timer, \
                 an event or a sub-orchestration",
            ),
            Self::NotRegistered { name, version } => {
                write!(f, "not registered: orchestrator {name:?}")?;
                if !version.is_empty() {
                    write!(f, " version {version:?}")?;
                }
                f.write_str("; the instance continues when it is registered")
            }
            Self::ActivityNotRegistered { name } => {
                write!(f, "not registered: activity {name:?}; the instance continues when it is registered")
            }
            Self::BadAnswer { detail } => {
                write!(
                    f,
                    "the program that runs this orchestrator elsewhere gave an answer that breaks a rule: {detail}"
                )
            }
            Self::Undecodable(value) => {
                write!(
                    f,
                    "the code cannot decode {value}. A type has changed: deploy code that can decode the stored value, for \
                     example with `#[serde(default)]` on a new field, and the instance continues"
                )
            }
            Self::EndsProcess => f.write_str(
                "the process has ended three times in a row while this instance or one of its activities ran, the last time \
                 while nothing else did: correct what ends the process (an abort, a stack overflow, too much memory), and \
                 retry the instance",
            ),
            Self::Corrupt(detail) => {
                write!(f, "stored data is damaged: {detail}; restore a backup or terminate the instance")
            }
        }
    }
}

/// Writes both steps, the error with which the code ended, if it did, and what to do.
fn write_mismatch(
    f: &mut std::fmt::Formatter<'_>,
    orchestrator: &str,
    turn: Option<u64>,
    mismatch: &Mismatch,
) -> std::fmt::Result {
    write!(f, "orchestrator {orchestrator} does not replay its history: ")?;
    if let Some(turn) = turn {
        write!(f, "turn {turn} ")?;
    }
    if mismatch.changed.is_some() {
        write!(f, "{}", Described(mismatch))?;
        let failure = mismatch.failure.as_ref();
        return failure.map_or(Ok(()), |failure| write!(f, ". The code then ends with an error: {failure:#}"));
    }
    match &mismatch.recorded {
        Some(action) => write!(f, "recorded {action}")?,
        None => f.write_str("recorded nothing more")?,
    }
    match (&mismatch.issued, &mismatch.failure) {
        (Some(Action::Complete(Completion::Failed(_))), Some(failure)) => {
            write!(f, ", but the code now ends with an error: {failure:#}")?;
        }
        (Some(action), Some(failure)) => {
            write!(f, ", but the code now issues {action} and ends with an error: {failure:#}")?;
        }
        (Some(action), None) => write!(f, ", but the code now issues {action}")?,
        (None, _) => f.write_str(", but the code now issues nothing more")?,
    }
    if let Some(action) = &mismatch.agreed {
        write!(f, ". The last step on which both agree: {action}")?;
    }
    f.write_str(
        ". If the code was changed, register the old version beside the new one or branch with `ctx.patched`; \
         otherwise look for a nondeterministic value before this place",
    )
}
