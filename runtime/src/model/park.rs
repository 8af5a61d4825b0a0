//! The reasons why an instance is parked.

use std::fmt;

use serde::{Serialize, Serializer};

/// The kind of problem that parks an instance. Each kind has a code that never changes, such as `D0101`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParkCode {
    /// `D0101`: the code no longer fits its history. Register the old version in addition to the new one, branch with
    /// `ctx.patched`, or remove the nondeterministic value.
    HistoryMismatch,
    /// `D0102`: the code awaited something that is not a durable operation.
    ForeignAwait,
    /// `D0103`: the code waits, but nothing is outstanding that could wake it.
    NothingOutstanding,
    /// `D0104`: the orchestrator or an activity is not registered in this runtime.
    NotRegistered,
    /// `D0105`: the stored data of the instance is damaged. Restore a backup, or terminate the instance.
    DamagedData,
    /// `D0106`: the program that runs the orchestrator elsewhere gave an answer that no program may give.
    InvalidAnswer,
    /// `D0107`: the code is not deterministic. A replay right after a turn, with the same code and the same inputs, did
    /// something else. [`VerifyReplay`](crate::VerifyReplay) describes the check. Remove what differs from run to run, and
    /// retry or restart the instance.
    NotRepeatable,
    /// `D0108`: the present code cannot decode a value that is stored for the instance, because a type has changed. Deploy
    /// code that can decode it. Nothing is lost: the instance then continues where it stopped.
    UndecodableValue,
    /// `D0109`: the process has ended three times in a row while this instance or one of its activities ran, the last time
    /// while nothing else did. Correct what ends the process (an abort, a stack overflow, too much memory), and retry the
    /// instance.
    EndsProcess,
    /// A code that this version does not know. The text contains everything that is stored.
    Unknown,
}

impl ParkCode {
    const KNOWN: [Self; 9] = [
        Self::HistoryMismatch,
        Self::ForeignAwait,
        Self::NothingOutstanding,
        Self::NotRegistered,
        Self::DamagedData,
        Self::InvalidAnswer,
        Self::NotRepeatable,
        Self::UndecodableValue,
        Self::EndsProcess,
    ];

    /// Returns the code as it is printed and stored, or `unknown` for [`ParkCode::Unknown`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HistoryMismatch => "D0101",
            Self::ForeignAwait => "D0102",
            Self::NothingOutstanding => "D0103",
            Self::NotRegistered => "D0104",
            Self::DamagedData => "D0105",
            Self::InvalidAnswer => "D0106",
            Self::NotRepeatable => "D0107",
            Self::UndecodableValue => "D0108",
            Self::EndsProcess => "D0109",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ParkCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ParkCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The reason why an instance is parked, and what to do about it.
///
/// Programs should decide by the [`code`](Self::code). The [`text`](Self::text) is for people and may change between
/// versions. The reason is printed and stored as `[code] text`, and serialised as `{"code": …, "text": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParkReason {
    code: ParkCode,
    text: String,
}

impl ParkReason {
    /// Creates a reason of this kind.
    pub fn new(code: ParkCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// Reads a reason in the form in which it is printed and stored. A text without a known code becomes
    /// [`ParkCode::Unknown`] with the whole text.
    pub fn from_stored(stored: String) -> Self {
        for code in ParkCode::KNOWN {
            let rest = stored.strip_prefix('[').and_then(|rest| rest.strip_prefix(code.as_str()));
            if let Some(text) = rest.and_then(|rest| rest.strip_prefix("] ")) {
                return Self::new(code, text);
            }
        }
        Self::new(ParkCode::Unknown, stored)
    }

    /// Returns the kind of problem.
    pub fn code(&self) -> ParkCode {
        self.code
    }

    /// Returns what the problem is, and what to do about it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ParkReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            ParkCode::Unknown => f.write_str(&self.text),
            code => write!(f, "[{code}] {}", self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_park_reason_reads_back_unchanged() {
        for code in ParkCode::KNOWN {
            for text in ["", "no code", "[D0101] no code", "東京\0\n"] {
                let reason = ParkReason::new(code, text);
                assert_eq!(ParkReason::from_stored(reason.to_string()), reason);
            }
        }
    }

    #[test]
    fn a_park_reason_of_an_earlier_or_later_version_is_kept_complete() {
        let earlier = "[D0104] not registered: orchestrator \"main\"; register it and start the runtime again";
        let reason = ParkReason::from_stored(earlier.to_owned());
        assert_eq!((reason.code(), reason.to_string().as_str()), (ParkCode::NotRegistered, earlier));
        for stored in ["[D0199] of a later version", "no code", "", "[D0101]", "[D0101]no space", "D0101] ", "[D01"] {
            let reason = ParkReason::from_stored(stored.to_owned());
            assert_eq!((reason.code(), reason.text()), (ParkCode::Unknown, stored));
            assert_eq!(reason.to_string(), stored);
        }
    }

    #[test]
    fn codes_are_all_different_and_print_as_they_are_stored() {
        let printed = ParkCode::KNOWN.map(|code| code.to_string());
        assert_eq!(printed, ["D0101", "D0102", "D0103", "D0104", "D0105", "D0106", "D0107", "D0108", "D0109"]);
    }

    #[test]
    fn it_serialises_as_code_and_text() {
        let reason = ParkReason::new(ParkCode::NothingOutstanding, "waits for nothing");
        assert_eq!(serde_json::to_string(&reason).unwrap(), r#"{"code":"D0103","text":"waits for nothing"}"#);
    }
}
