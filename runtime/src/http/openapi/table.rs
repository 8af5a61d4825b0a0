//! The routes as data: what each takes and answers. Paths without a slash in front of them are below the base path.

use super::schemas::{ERROR, HEALTH, MANAGEMENT, PURGED, STATUS, STATUSES};

/// One route.
pub(super) struct Entry {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// The scope that a key needs; none where nobody is asked.
    pub(super) scope: Option<&'static str>,
    pub(super) parameters: &'static [Parameter],
    pub(super) body: Body,
    pub(super) answers: &'static [Answer],
}

/// What a request carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Optional(&'static str),
    Required(&'static str),
}

/// A parameter beside those in the path.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) about: &'static str,
}

/// What a parameter's value is, and where it stands.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    RequiredTime,
    Time,
    Flag(bool),
    Seconds,
    Count(u64),
    /// Several, by repeating it or with commas.
    States,
    /// Conditions for the custom status.
    Conditions,
    /// What a caller knows of the custom status.
    Known,
    Header,
}

/// An answer that is not an error of every route.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) about: &'static str,
    pub(super) content: Content,
    pub(super) headers: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    None,
    Any,
    EventStream,
    Schema(&'static str),
}

const fn parameter(name: &'static str, kind: Kind, about: &'static str) -> Parameter {
    Parameter { name, kind, about }
}

const fn answer(status: u16, about: &'static str, content: Content) -> Answer {
    Answer { status, about, content, headers: &[] }
}

const fn error(status: u16, about: &'static str) -> Answer {
    answer(status, about, Content::Schema(ERROR))
}

const NO_INSTANCE: Answer = error(404, "There is no such instance");
const ENDED: Answer = error(410, "The instance has ended");
const ACCEPTED: Answer = answer(202, "It is recorded", Content::None);
const REASON: Parameter = parameter("reason", Kind::Text, "Why; it is recorded");
const SHOW_INPUT: Parameter = parameter("showInput", Kind::Flag(true), "Whether the input is in the answer");
const TIMEOUT: Parameter =
    parameter("timeout", Kind::Seconds, "How long to wait for the end; without it the answer comes at once");
const INTERVAL: Parameter = parameter(
    "pollingInterval",
    Kind::Seconds,
    "Accepted for clients of the family, at most `timeout`; nothing is polled here",
);
const ERROR_ON_FAILURE: Parameter = parameter(
    "returnInternalServerErrorOnFailure",
    Kind::Flag(false),
    "Whether a failed instance is answered with 500",
);
const CHECK_STATUS: Answer = Answer {
    status: 202,
    about: "It runs; these URLs follow and manage it",
    content: Content::Schema(MANAGEMENT),
    headers: &["Location", "Retry-After"],
};
const FAILED: Answer =
    answer(500, "The instance failed, and the caller asked for 500; or something went wrong", Content::Any);

/// Every route that is served.
pub(super) const ROUTES: &[Entry] = &[
    Entry {
        method: "POST",
        path: "orchestrators/{functionName}",
        id: "start",
        summary: "Starts an orchestration under an id that is made",
        scope: Some("start"),
        parameters: &[
            TIMEOUT,
            INTERVAL,
            ERROR_ON_FAILURE,
            parameter("version", Kind::Text, "Which version of the orchestrator"),
        ],
        body: Body::Optional("The input: any JSON; nothing is `null`"),
        answers: &[CHECK_STATUS, answer(200, "Its output, if it ended in time", Content::Any), FAILED],
    },
    Entry {
        method: "POST",
        path: "orchestrators/{functionName}/{instanceId}",
        id: "startWithId",
        summary: "Starts an orchestration under this id; an ended instance of it is replaced",
        scope: Some("start"),
        parameters: &[
            TIMEOUT,
            INTERVAL,
            ERROR_ON_FAILURE,
            parameter("version", Kind::Text, "Which version of the orchestrator"),
        ],
        body: Body::Optional("The input: any JSON; nothing is `null`"),
        answers: &[
            CHECK_STATUS,
            answer(200, "Its output, if it ended in time", Content::Any),
            error(409, "An instance of this id runs"),
            FAILED,
        ],
    },
    Entry {
        method: "GET",
        path: "instances/",
        id: "list",
        summary: "Lists instances, a page at a time; each with its custom status, none with its history",
        scope: Some("read"),
        parameters: &[
            parameter("instanceIdPrefix", Kind::Text, "How the id begins"),
            parameter("createdTimeFrom", Kind::Time, "Created at this time or later"),
            parameter("createdTimeTo", Kind::Time, "Created at this time or earlier"),
            parameter("runtimeStatus", Kind::States, "In one of these states; names that are none are passed over"),
            parameter(
                "customStatus",
                Kind::Conditions,
                "A JSON pointer, a colon and a JSON value (or a text) that stands there in the custom status: `/city:London`",
            ),
            SHOW_INPUT,
            parameter("top", Kind::Count(100), "How many at most, up to 1,000"),
            parameter("x-ms-continuation-token", Kind::Header, "What the page before gave"),
        ],
        body: Body::None,
        answers: &[Answer {
            status: 200,
            about: "A page; the header says where the next one begins, and is empty at the end",
            content: Content::Schema(STATUSES),
            headers: &["x-ms-continuation-token"],
        }],
    },
    Entry {
        method: "DELETE",
        path: "instances/",
        id: "purgeMany",
        summary: "Purges the ended instances that were created in a time",
        scope: Some("purge"),
        parameters: &[
            parameter("createdTimeFrom", Kind::RequiredTime, "Created at this time or later"),
            parameter("createdTimeTo", Kind::Time, "Created at this time or earlier; now, unless given"),
            parameter("runtimeStatus", Kind::States, "In one of these states"),
        ],
        body: Body::None,
        answers: &[answer(200, "They are gone", Content::Schema(PURGED)), error(404, "There were none")],
    },
    Entry {
        method: "GET",
        path: "instances/{instanceId}",
        id: "status",
        summary: "Reads an instance, at once or when its custom status changes",
        scope: Some("read"),
        parameters: &[
            parameter("showHistory", Kind::Flag(false), "Whether the history is in the answer"),
            parameter("showHistoryOutput", Kind::Flag(false), "Whether results are in the history"),
            SHOW_INPUT,
            ERROR_ON_FAILURE,
            parameter(
                "waitForCustomStatusChange",
                Kind::Known,
                "Waits until the custom status differs from this version (a number) or token (the header of a status)",
            ),
            parameter("timeout", Kind::Seconds, "How long it waits at most"),
        ],
        body: Body::None,
        answers: &[
            answer(200, "It has ended", Content::Schema(STATUS)),
            Answer {
                status: 202,
                about: "It has not ended",
                content: Content::Schema(STATUS),
                headers: &["Location", "Retry-After", "x-custom-status-token"],
            },
            NO_INSTANCE,
            FAILED,
        ],
    },
    Entry {
        method: "DELETE",
        path: "instances/{instanceId}",
        id: "purge",
        summary: "Purges an ended instance",
        scope: Some("purge"),
        parameters: &[],
        body: Body::None,
        answers: &[answer(200, "It is gone", Content::Schema(PURGED)), NO_INSTANCE, error(412, "It has not ended")],
    },
    Entry {
        method: "GET",
        path: "instances/{instanceId}/customStatus/stream",
        id: "streamCustomStatus",
        summary: "Streams the custom status: the current value, each later one that the reader keeps up with, and the end",
        scope: Some("read"),
        parameters: &[
            SHOW_INPUT,
            parameter("Last-Event-ID", Kind::Header, "Where another stream stood: what it gave does not come again"),
        ],
        body: Body::None,
        answers: &[
            answer(200, "Server-sent events: `customStatus`, and at the end `end`", Content::EventStream),
            NO_INSTANCE,
        ],
    },
    Entry {
        method: "POST",
        path: "instances/{instanceId}/raiseEvent/{eventName}",
        id: "raiseEvent",
        summary: "Raises an event",
        scope: Some("raise"),
        parameters: &[],
        body: Body::Required("The payload: any JSON"),
        answers: &[ACCEPTED, NO_INSTANCE, ENDED, error(429, "The instance holds as many events as it may")],
    },
    Entry {
        method: "POST",
        path: "instances/{instanceId}/terminate",
        id: "terminate",
        summary: "Ends an instance without its code",
        scope: Some("manage"),
        parameters: &[REASON],
        body: Body::None,
        answers: &[ACCEPTED, NO_INSTANCE, ENDED],
    },
    Entry {
        method: "POST",
        path: "instances/{instanceId}/suspend",
        id: "suspend",
        summary: "Pauses an instance",
        scope: Some("manage"),
        parameters: &[REASON],
        body: Body::None,
        answers: &[ACCEPTED, NO_INSTANCE, ENDED],
    },
    Entry {
        method: "POST",
        path: "instances/{instanceId}/resume",
        id: "resume",
        summary: "Lets a paused instance go on",
        scope: Some("manage"),
        parameters: &[REASON],
        body: Body::None,
        answers: &[ACCEPTED, NO_INSTANCE, ENDED],
    },
    Entry {
        method: "POST",
        path: "instances/{instanceId}/rewind",
        id: "rewind",
        summary: "Rewinds a failed instance: not supported",
        scope: Some("manage"),
        parameters: &[REASON],
        body: Body::None,
        answers: &[
            NO_INSTANCE,
            error(412, "It has not failed"),
            error(501, "It has failed; rewinding is not supported"),
        ],
    },
    Entry {
        method: "POST",
        path: "instances/{instanceId}/restart",
        id: "restart",
        summary: "Begins an instance anew with its input",
        scope: Some("manage"),
        parameters: &[
            parameter("restartWithNewInstanceId", Kind::Flag(true), "Whether it gets an id of its own"),
            TIMEOUT,
            INTERVAL,
            ERROR_ON_FAILURE,
        ],
        body: Body::None,
        answers: &[
            CHECK_STATUS,
            answer(200, "Its output, if it ended in time", Content::Any),
            error(409, "The id is kept, and the instance runs"),
            FAILED,
        ],
    },
    Entry {
        method: "GET",
        path: "/healthz",
        id: "alive",
        summary: "Whether the process answers",
        scope: None,
        parameters: &[],
        body: Body::None,
        answers: &[answer(200, "It does", Content::Schema(HEALTH))],
    },
    Entry {
        method: "GET",
        path: "/readyz",
        id: "ready",
        summary: "Whether the store can be read",
        scope: None,
        parameters: &[],
        body: Body::None,
        answers: &[answer(200, "It can", Content::Schema(HEALTH))],
    },
    Entry {
        method: "GET",
        path: "/openapi.json",
        id: "openapi",
        summary: "This document",
        scope: None,
        parameters: &[],
        body: Body::None,
        answers: &[answer(200, "An OpenAPI document", Content::Any)],
    },
];

/// What every route may answer.
pub(super) const COMMON: &[Answer] = &[
    error(400, "Something in the request cannot be read or is not allowed"),
    error(404, "There is nothing at this path for this method"),
    error(408, "The body took too long to arrive"),
    error(413, "The body is too large"),
    error(414, "The URL is too long"),
    error(431, "The headers are too large"),
    error(500, "Something went wrong"),
    error(
        503,
        "The store or the runtime does not work at the moment, or there is no room for another that waits or reads a history",
    ),
    error(504, "It took longer than a request may"),
];

/// What a route may answer that asks who calls.
pub(super) const GUARDED: &[Answer] =
    &[error(401, "There is no valid key or code in the request"), error(403, "The key or code is for something else")];

/// What can be done with an instance that was started, by the ids of the routes.
pub(super) const FOLLOWING: &[&str] =
    &["status", "streamCustomStatus", "raiseEvent", "terminate", "suspend", "resume", "rewind", "restart", "purge"];
