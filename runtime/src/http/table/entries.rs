//! The entries of the table.

use axum::http::Method;

use super::answers::{
    ACCEPTED, CHECK_STATUS, CREATED_FROM, CREATED_TO, ENDED, ERROR_ON_FAILURE, FAILED, ID_PREFIX, INTERVAL,
    NO_INSTANCE, OUTPUT, REASON, SHOW_INPUT, TIMEOUT, VERSION, answer, error, parameter,
};
use super::{Answer, Body, Content, Entry, HEALTH, Kind, Operation, PURGED, Parameter, STATUS, STATUSES};
use crate::http::scopes::Scopes;

/// Every route that is served.
pub(in crate::http) static ENTRIES: [Entry; 18] = [
    start(
        "orchestrators/{functionName}",
        "start",
        "Starts an orchestration with a new, random id.",
        &[CHECK_STATUS, OUTPUT, FAILED],
    ),
    start(
        "orchestrators/{functionName}/{instanceId}",
        "startWithId",
        "Starts an orchestration with this id. It replaces an instance of the id that has ended.",
        &[CHECK_STATUS, OUTPUT, error(409, "An instance with this id runs."), FAILED],
    ),
    Entry {
        operation: Operation::List,
        method: Method::GET,
        path: "instances/",
        id: "list",
        summary: "Lists instances, one page at a time, with their custom status and without their history.",
        scope: Scopes::READ,
        parameters: &[
            ID_PREFIX,
            parameter("createdTimeFrom", Kind::Time, CREATED_FROM),
            parameter("createdTimeTo", Kind::Time, CREATED_TO),
            parameter(
                "runtimeStatus",
                Kind::States,
                "Only instances in one of these states. Unknown names are ignored.",
            ),
            parameter("parked", Kind::Choice, "Only instances that are parked, or only those that are not."),
            parameter(
                "customStatus",
                Kind::Conditions,
                "Only instances whose custom status has this value at this place: a JSON pointer, a colon, and a JSON \
                 value or a text, such as `/city:London`.",
            ),
            SHOW_INPUT,
            parameter("top", Kind::Count(100), "The largest number of instances in the answer, up to 1,000."),
            parameter("x-ms-continuation-token", Kind::Header, "The token of the page before."),
        ],
        body: Body::None,
        answers: &[Answer {
            status: 200,
            about: "A page. The header is the token of the next page, and is empty on the last page.",
            content: Content::Schema(STATUSES),
            headers: &["x-ms-continuation-token"],
        }],
    },
    Entry {
        operation: Operation::PurgeMany,
        method: Method::DELETE,
        path: "instances/",
        id: "purgeMany",
        summary: "Purges the ended instances that meet the conditions.",
        scope: Scopes::PURGE,
        parameters: &[
            parameter("createdTimeFrom", Kind::RequiredTime, CREATED_FROM),
            parameter(
                "createdTimeTo",
                Kind::Time,
                "Only instances that were created at this time or earlier. The default is now.",
            ),
            parameter("runtimeStatus", Kind::States, "Only instances in one of these states."),
            ID_PREFIX,
        ],
        body: Body::None,
        answers: &[
            answer(200, "The instances are purged.", Content::Schema(PURGED)),
            error(404, "No ended instance meets the conditions."),
        ],
    },
    Entry {
        operation: Operation::StreamMany,
        method: Method::GET,
        path: "instances/stream",
        id: "streamCustomStatuses",
        summary: "Streams the custom status of several instances over one connection.",
        scope: Scopes::READ,
        parameters: &[parameter("ids", Kind::Ids, "The instances, 100 at most."), SHOW_INPUT, LAST_EVENT_ID],
        body: Body::None,
        answers: &[answer(
            200,
            "Server-sent events: `customStatus` for each value and `end` for each end, with the id of the instance; `gone` \
             for an instance that does not exist.",
            Content::EventStream,
        )],
    },
    Entry {
        operation: Operation::Status,
        method: Method::GET,
        path: "instances/{instanceId}",
        id: "status",
        summary: "Reads an instance, at once or when its custom status changes.",
        scope: Scopes::READ,
        parameters: &[
            parameter("showHistory", Kind::Flag(false), "Whether the answer contains the history."),
            parameter("showHistoryOutput", Kind::Flag(false), "Whether the history contains results."),
            SHOW_INPUT,
            ERROR_ON_FAILURE,
            parameter(
                "waitForCustomStatusChange",
                Kind::Known,
                "Waits until the custom status is not this one: a version (a number) or the token in the header of an \
                 earlier answer.",
            ),
            parameter("timeout", Kind::Seconds, "The longest time to wait for a change of the custom status."),
        ],
        body: Body::None,
        answers: &[
            answer(200, "The instance has ended.", Content::Schema(STATUS)),
            Answer {
                status: 202,
                about: "The instance has not ended.",
                content: Content::Schema(STATUS),
                headers: &["Location", "Retry-After", "x-custom-status-token"],
            },
            NO_INSTANCE,
            FAILED,
        ],
    },
    Entry {
        operation: Operation::Purge,
        method: Method::DELETE,
        path: "instances/{instanceId}",
        id: "purge",
        summary: "Purges an ended instance.",
        scope: Scopes::PURGE,
        parameters: &[],
        body: Body::None,
        answers: &[
            answer(200, "The instance is purged.", Content::Schema(PURGED)),
            NO_INSTANCE,
            error(412, "The instance has not ended."),
        ],
    },
    Entry {
        operation: Operation::Stream,
        method: Method::GET,
        path: "instances/{instanceId}/customStatus/stream",
        id: "streamCustomStatus",
        summary: "Streams the custom status: the current value, the later ones, and the end of the instance.",
        scope: Scopes::READ,
        parameters: &[SHOW_INPUT, LAST_EVENT_ID],
        body: Body::None,
        answers: &[
            answer(200, "Server-sent events: `customStatus` for each value, then `end`.", Content::EventStream),
            NO_INSTANCE,
        ],
    },
    Entry {
        operation: Operation::Raise,
        method: Method::POST,
        path: "instances/{instanceId}/raiseEvent/{eventName}",
        id: "raiseEvent",
        summary: "Raises an event.",
        scope: Scopes::RAISE,
        parameters: &[],
        body: Body::Required("The payload: any JSON."),
        answers: &[ACCEPTED, NO_INSTANCE, ENDED, error(429, "The instance cannot hold more events.")],
    },
    control(
        Operation::Terminate,
        "instances/{instanceId}/terminate",
        "terminate",
        "Ends an instance without running its code.",
        &[
            REASON,
            parameter(
                "recursive",
                Kind::Flag(false),
                "Whether those sub-orchestrations end too whose code lets them go on without their parent.",
            ),
        ],
        &[ACCEPTED, NO_INSTANCE, ENDED],
    ),
    control(
        Operation::Suspend,
        "instances/{instanceId}/suspend",
        "suspend",
        "Pauses an instance.",
        &[REASON],
        &[ACCEPTED, NO_INSTANCE, ENDED],
    ),
    control(
        Operation::Resume,
        "instances/{instanceId}/resume",
        "resume",
        "Continues a paused instance.",
        &[REASON],
        &[ACCEPTED, NO_INSTANCE, ENDED],
    ),
    control(
        Operation::Retry,
        "instances/{instanceId}/retry",
        "retry",
        "Tries a parked instance again, once the cause is gone.",
        &[],
        &[ACCEPTED, NO_INSTANCE, ENDED, error(412, "The instance is not parked.")],
    ),
    control(
        Operation::Rewind,
        "instances/{instanceId}/rewind",
        "rewind",
        "Runs what failed in a failed instance again, and nothing else.",
        &[REASON],
        &[
            ACCEPTED,
            NO_INSTANCE,
            error(409, "The present code does not replay the history of the instance."),
            error(412, "The instance has not failed."),
        ],
    ),
    control(
        Operation::Restart,
        "instances/{instanceId}/restart",
        "restart",
        "Starts an instance again with the same input.",
        &[
            parameter("restartWithNewInstanceId", Kind::Flag(true), "Whether the new instance gets a new, random id."),
            TIMEOUT,
            INTERVAL,
            ERROR_ON_FAILURE,
        ],
        &[CHECK_STATUS, OUTPUT, error(409, "The id is kept, and the instance runs."), FAILED],
    ),
    at_the_root(
        Operation::Health,
        "/healthz",
        "alive",
        "Says whether the process answers.",
        &[answer(200, "The process answers.", Content::Schema(HEALTH))],
    ),
    at_the_root(
        Operation::Ready,
        "/readyz",
        "ready",
        "Says whether the store can be read.",
        &[answer(200, "The store can be read.", Content::Schema(HEALTH))],
    ),
    at_the_root(
        Operation::OpenApi,
        "/openapi.json",
        "openapi",
        "Returns this document.",
        &[answer(200, "An OpenAPI document.", Content::Any)],
    ),
];

const LAST_EVENT_ID: Parameter =
    parameter("Last-Event-ID", Kind::Header, "The id of the last event that another stream received.");

const fn start(path: &'static str, id: &'static str, summary: &'static str, answers: &'static [Answer]) -> Entry {
    Entry {
        operation: Operation::Start,
        method: Method::POST,
        path,
        id,
        summary,
        scope: Scopes::START,
        parameters: &[TIMEOUT, INTERVAL, ERROR_ON_FAILURE, VERSION],
        body: Body::Optional("The input: any JSON. An empty body is `null`."),
        answers,
    }
}

const fn control(
    operation: Operation,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    answers: &'static [Answer],
) -> Entry {
    Entry {
        operation,
        method: Method::POST,
        path,
        id,
        summary,
        scope: Scopes::MANAGE,
        parameters,
        body: Body::None,
        answers,
    }
}

const fn at_the_root(
    operation: Operation,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    answers: &'static [Answer],
) -> Entry {
    Entry {
        operation,
        method: Method::GET,
        path,
        id,
        summary,
        scope: Scopes::NONE,
        parameters: &[],
        body: Body::None,
        answers,
    }
}
