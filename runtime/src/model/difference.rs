//! What differs between two actions that agree in kind, name and operation.

use std::borrow::Cow;
use std::fmt;

use super::{Action, Completion, JsonText};

/// The part of an action that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Input,
    Payload,
    InstanceId,
    Version,
    DueTime,
    Reason,
    Policy,
    Output,
    Failure,
    KeepEvents,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Payload => "payload",
            Self::InstanceId => "instance id",
            Self::Version => "version",
            Self::DueTime => "due time",
            Self::Reason => "reason",
            Self::Policy => "parent close policy",
            Self::Output => "output",
            Self::Failure => "error",
            Self::KeepEvents => "setting `keep_events`",
        })
    }
}

impl Action {
    /// Returns the first part in which the actions differ, if they agree otherwise. Payloads are compared as JSON values,
    /// because a map may be written in another order each time and is still the same map.
    ///
    /// The value of a side effect is not compared: replay never computes it again.
    pub(crate) fn difference(&self, other: &Self) -> Option<Part> {
        let differ = |a: &JsonText, b: &JsonText, part| (!a.is_same_value(b)).then_some(part);
        match (self, other) {
            (Self::ScheduleTask { input: a, .. }, Self::ScheduleTask { input: b, .. }) => differ(a, b, Part::Input),
            (Self::SendEvent { payload: a, .. }, Self::SendEvent { payload: b, .. }) => differ(a, b, Part::Payload),
            (Self::CreateTimer { fire_at: a, .. }, Self::CreateTimer { fire_at: b, .. }) => {
                (a != b).then_some(Part::DueTime)
            }
            (
                Self::StartSubOrchestration { input: a, version: v, instance: i, minted: m, on_close: p, .. },
                Self::StartSubOrchestration { input: b, version: w, instance: j, minted: n, on_close: q, .. },
            ) => {
                if m != n || (!m && i != j) {
                    return Some(Part::InstanceId);
                }
                if v != w {
                    return Some(Part::Version);
                }
                // Earlier versions recorded none. What they recorded stands without a word.
                if p.is_some() && q.is_some() && p != q {
                    return Some(Part::Policy);
                }
                differ(a, b, Part::Input)
            }
            (Self::Terminate { reason: a, .. }, Self::Terminate { reason: b, .. }) => (a != b).then_some(Part::Reason),
            (Self::Complete(a), Self::Complete(b)) => a.difference(b),
            _ => None,
        }
    }

    /// Returns the value of a part, as it is shown to people.
    pub(crate) fn part(&self, part: Part) -> Cow<'_, str> {
        match (self, part) {
            (Self::ScheduleTask { input: text, .. } | Self::StartSubOrchestration { input: text, .. }, Part::Input)
            | (Self::SendEvent { payload: text, .. }, Part::Payload)
            | (Self::Complete(Completion::ContinuedAsNew { input: text, .. }), Part::Input)
            | (Self::Complete(Completion::Completed(text)), Part::Output) => text.as_str().into(),
            (Self::StartSubOrchestration { minted: true, .. }, Part::InstanceId) => "(created by the engine)".into(),
            (Self::StartSubOrchestration { instance, .. }, Part::InstanceId) => instance.as_str().into(),
            (
                Self::StartSubOrchestration { version, .. }
                | Self::Complete(Completion::ContinuedAsNew { version, .. }),
                Part::Version,
            ) => version.as_deref().map_or(Cow::Borrowed("(the default)"), |version| format!("{version:?}").into()),
            (Self::StartSubOrchestration { on_close: Some(policy), .. }, Part::Policy) => format!("{policy:?}").into(),
            (Self::Terminate { reason, .. }, Part::Reason) => reason.as_str().into(),
            (Self::CreateTimer { fire_at, .. }, Part::DueTime) => fire_at.to_utc().to_rfc3339().into(),
            (Self::Complete(Completion::Failed(failure)), Part::Failure) => failure.to_string().into(),
            (Self::Complete(Completion::ContinuedAsNew { keep_events, .. }), Part::KeepEvents) => {
                keep_events.to_string().into()
            }
            _ => "(nothing)".into(),
        }
    }

    /// Returns the payload by which an operation whose place has changed is recognised, with the name under which it was
    /// issued. Timers have neither: what a timer gives is the same for all of them.
    pub(crate) fn issued_payload(&self) -> Option<(&str, &JsonText)> {
        match self {
            Self::ScheduleTask { name, input, .. } => Some((name, input)),
            Self::StartSubOrchestration { name, input, .. } => Some((name, input)),
            Self::SendEvent { name, payload, .. } => Some((name, payload)),
            _ => None,
        }
    }
}

impl Completion {
    fn difference(&self, other: &Self) -> Option<Part> {
        match (self, other) {
            (Self::Completed(a), Self::Completed(b)) => (!a.is_same_value(b)).then_some(Part::Output),
            (Self::Failed(a), Self::Failed(b)) => (a.to_string() != b.to_string()).then_some(Part::Failure),
            (
                Self::ContinuedAsNew { input: a, version: v, keep_events: k },
                Self::ContinuedAsNew { input: b, version: w, keep_events: l },
            ) => {
                if v != w {
                    return Some(Part::Version);
                }
                if k != l { Some(Part::KeepEvents) } else { (!a.is_same_value(b)).then_some(Part::Input) }
            }
            _ => None,
        }
    }
}

/// The characters of a value that are shown.
const SHOWN: usize = 120;

/// The characters before the first difference that are shown of a long value.
const BEFORE: usize = 30;

/// Returns both values in a length that can be read, with the place where they begin to differ.
pub(crate) fn shortened(first: &str, second: &str) -> (String, String) {
    let agreed = first.chars().zip(second.chars()).take_while(|(a, b)| a == b).count();
    let long = [first, second].iter().any(|text| text.chars().nth(SHOWN).is_some());
    let skipped = if long { agreed.saturating_sub(BEFORE) } else { 0 };
    (window(first, skipped), window(second, skipped))
}

fn window(text: &str, skipped: usize) -> String {
    let mut rest = text.chars().skip(skipped);
    let shown: String = rest.by_ref().take(SHOWN).collect();
    let (before, after) = (if skipped > 0 { "…" } else { "" }, if rest.next().is_some() { "…" } else { "" });
    format!("{before}{shown}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstanceId, OperationId, ParentClosePolicy, RecordedLocation, Timestamp};

    fn json(text: &str) -> JsonText {
        JsonText::from_string(text.to_owned())
    }

    fn call(input: &str) -> Action {
        Action::ScheduleTask {
            operation: OperationId(1),
            name: "ship".into(),
            input: json(input),
            attempt: None,
            location: RecordedLocation::default(),
        }
    }

    fn child(version: Option<&str>, instance: &str, minted: bool, input: &str) -> Action {
        Action::StartSubOrchestration {
            operation: OperationId(1),
            name: "order".to_owned(),
            version: version.map(str::to_owned),
            instance: InstanceId::new(instance).unwrap(),
            minted,
            input: json(input),
            detached: false,
            on_existing: crate::model::IdReusePolicy::Reject,
            on_close: None,
            location: RecordedLocation::default(),
        }
    }

    fn timer(fire_at: i64) -> Action {
        let location = RecordedLocation::default();
        Action::CreateTimer { operation: OperationId(1), fire_at: Timestamp(fire_at), attempt: None, location }
    }

    #[test]
    fn each_part_is_found_and_shown() {
        assert_eq!(call("1").difference(&call("1")), None);
        assert_eq!(call("1").difference(&call("2")), Some(Part::Input));
        assert_eq!((call("1").part(Part::Input), timer(0).part(Part::Input)), ("1".into(), "(nothing)".into()));
        assert_eq!(timer(1).difference(&timer(2)), Some(Part::DueTime));
        assert_eq!(timer(0).part(Part::DueTime), "1970-01-01T00:00:00+00:00");
        let plain = child(None, "a", false, "1");
        assert_eq!(plain.difference(&child(None, "b", false, "1")), Some(Part::InstanceId));
        assert_eq!(plain.difference(&child(None, "a", true, "1")), Some(Part::InstanceId));
        assert_eq!(plain.difference(&child(Some("2"), "a", false, "1")), Some(Part::Version));
        assert_eq!(plain.difference(&child(None, "a", false, "2")), Some(Part::Input));
        let closes = |policy| match plain.clone() {
            Action::StartSubOrchestration {
                operation,
                name,
                version,
                instance,
                minted,
                input,
                detached,
                on_existing,
                location,
                ..
            } => Action::StartSubOrchestration {
                operation,
                name,
                version,
                instance,
                minted,
                input,
                detached,
                on_existing,
                on_close: Some(policy),
                location,
            },
            other => other,
        };
        let (ends, goes_on) = (closes(ParentClosePolicy::Terminate), closes(ParentClosePolicy::Abandon));
        assert_eq!((ends.difference(&goes_on), goes_on.part(Part::Policy)), (Some(Part::Policy), "Abandon".into()));
        assert_eq!(plain.difference(&goes_on), None, "an earlier version recorded no policy");
        let stop = |reason: &str| Action::Terminate {
            operation: OperationId(1),
            target: InstanceId::new("x").unwrap(),
            reason: reason.to_owned(),
            location: RecordedLocation::default(),
        };
        assert_eq!(stop("late").difference(&stop("later")), Some(Part::Reason));
        assert_eq!(stop("late").part(Part::Reason), "late");
        // The engine creates another id each time, and the recorded one stands.
        assert_eq!(child(None, "a", true, "1").difference(&child(None, "b", true, "1")), None);
    }

    #[test]
    fn each_way_to_end_is_compared() {
        let ends = |completion| Action::Complete(completion);
        let output = |text| ends(Completion::Completed(json(text)));
        assert_eq!(output("1").difference(&output("2")), Some(Part::Output));
        assert_eq!(output("{\"a\":1,\"b\":2}").difference(&output("{\"b\":2,\"a\":1}")), None);
        let failed = |text: &str| ends(Completion::Failed(crate::model::FailureDetails::new("kind", text)));
        assert_eq!(
            (failed("a").difference(&failed("a")), failed("a").difference(&failed("b"))),
            (None, Some(Part::Failure))
        );
        let again =
            |input, keep_events| ends(Completion::ContinuedAsNew { input: json(input), version: None, keep_events });
        assert_eq!(again("1", true).difference(&again("2", true)), Some(Part::Input));
        assert_eq!(again("1", true).difference(&again("1", false)), Some(Part::KeepEvents));
        assert_eq!(output("1").difference(&failed("a")), None, "they do not agree in kind");
    }

    #[test]
    fn long_values_are_shown_where_they_differ() {
        assert_eq!(shortened("a", "b"), ("a".to_owned(), "b".to_owned()));
        let (first, second) = (format!("{}é{}", "x".repeat(500), "y".repeat(500)), format!("{}z", "x".repeat(500)));
        let (first, second) = shortened(&first, &second);
        assert_eq!(second, format!("…{}z", "x".repeat(BEFORE)));
        assert!(first.starts_with(&format!("…{}éy", "x".repeat(BEFORE))) && first.ends_with("y…"), "{first}");
        assert_eq!(first.chars().count(), SHOWN + 2);
    }
}
