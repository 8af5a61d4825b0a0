//! The answers and parameters that several routes share.

use super::{Answer, Content, ERROR, Kind, MANAGEMENT, Parameter};

pub(super) const fn parameter(name: &'static str, kind: Kind, about: &'static str) -> Parameter {
    Parameter { name, kind, about }
}

pub(super) const fn answer(status: u16, about: &'static str, content: Content) -> Answer {
    Answer { status, about, content, headers: &[] }
}

pub(super) const fn error(status: u16, about: &'static str) -> Answer {
    answer(status, about, Content::Schema(ERROR))
}

pub(super) const NO_INSTANCE: Answer = error(404, "There is no instance with this id.");
pub(super) const ENDED: Answer = error(410, "The instance has ended.");
pub(super) const ACCEPTED: Answer = answer(202, "The request is recorded.", Content::None);
pub(super) const CHECK_STATUS: Answer = Answer {
    status: 202,
    about: "The instance runs. The URLs in the answer follow and manage it.",
    content: Content::Schema(MANAGEMENT),
    headers: &["Location", "Retry-After"],
};
pub(super) const OUTPUT: Answer = answer(200, "The output of the instance, if it completed in time.", Content::Any);
pub(super) const FAILED: Answer =
    answer(500, "The instance failed, and the caller asked for 500; or the service failed.", Content::Any);

pub(super) const REASON: Parameter = parameter("reason", Kind::Text, "The reason, which is recorded.");
pub(super) const SHOW_INPUT: Parameter =
    parameter("showInput", Kind::Flag(true), "Whether the answer contains the input.");
pub(super) const TIMEOUT: Parameter = parameter(
    "timeout",
    Kind::Seconds,
    "How long to wait for the end of the instance. Without it the answer comes at once.",
);
pub(super) const INTERVAL: Parameter = parameter(
    "pollingInterval",
    Kind::Seconds,
    "Accepted for clients of the family, up to the value of `timeout`. The service does not poll.",
);
pub(super) const ERROR_ON_FAILURE: Parameter = parameter(
    "returnInternalServerErrorOnFailure",
    Kind::Flag(false),
    "Whether the answer about a failed instance has the status 500.",
);
pub(super) const VERSION: Parameter = parameter("version", Kind::Text, "The version of the orchestrator.");
pub(super) const CREATED_FROM: &str = "Only instances that were created at this time or later.";
pub(super) const CREATED_TO: &str = "Only instances that were created at this time or earlier.";
pub(super) const ID_PREFIX: Parameter =
    parameter("instanceIdPrefix", Kind::Text, "Only instances whose id begins with this text.");

/// The answers that every route may give.
pub(in crate::http) const COMMON: &[Answer] = &[
    error(400, "A part of the request cannot be read or is not allowed."),
    error(404, "There is no route with this path and method."),
    error(408, "The body took too long to arrive."),
    error(413, "The body is too large."),
    error(414, "The URL is too long."),
    error(431, "The headers are too large."),
    error(500, "The service failed."),
    error(503, "The store or the runtime does not work at the moment, or too many requests are in progress."),
    error(504, "The request took too long."),
];

/// The answers that every route with a scope may give.
pub(in crate::http) const GUARDED: &[Answer] = &[
    error(401, "The request has no valid key or code."),
    error(403, "The key or the code does not permit this request."),
];
