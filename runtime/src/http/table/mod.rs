//! The routes of the API as one table. The parser, the scopes, the accepted query parameters, the OpenAPI document and
//! the URLs that are handed out are all derived from it.

mod answers;
mod entries;

use axum::http::Method;

pub(super) use answers::{COMMON, GUARDED};
pub(super) use entries::ENTRIES;

use super::scopes::Scopes;

/// What a route does. Several entries of the table can do the same: a start has a path with an instance id and one
/// without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Health,
    Ready,
    OpenApi,
    Start,
    List,
    PurgeMany,
    Status,
    Stream,
    StreamMany,
    Raise,
    Terminate,
    Suspend,
    Resume,
    Rewind,
    Restart,
    Retry,
    Purge,
}

/// One route.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) operation: Operation,
    pub(super) method: Method,
    /// The path. A path that begins with a slash is at the root, and other paths are relative to the base path. A
    /// segment in braces stands for any text.
    pub(super) path: &'static str,
    /// The id of the operation in the OpenAPI document.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// The scopes that a key must have. Empty if callers need no key.
    pub(super) scope: Scopes,
    pub(super) parameters: &'static [Parameter],
    pub(super) body: Body,
    pub(super) answers: &'static [Answer],
}

/// Returns the segments of a path that stand for any text.
pub(super) const FUNCTION_NAME: &str = "functionName";
pub(super) const INSTANCE_ID: &str = "instanceId";
pub(super) const EVENT_NAME: &str = "eventName";

/// What the body of a request contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Optional(&'static str),
    Required(&'static str),
}

/// A parameter in the query or a header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) about: &'static str,
}

/// The type of a parameter's value, and where the parameter is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    RequiredTime,
    Time,
    Flag(bool),
    /// A flag without a default. If it is left out, both values match.
    Choice,
    Seconds,
    Count(u64),
    /// Names of states. The parameter can be repeated, and a value can contain several names, separated by commas.
    States,
    /// Conditions for the custom status. The parameter can be repeated.
    Conditions,
    /// The custom status that the caller already knows.
    Known,
    Header,
    /// Ids of instances. The parameter can be repeated, and a value can contain several ids, separated by commas. The
    /// route applies only if the parameter is present; otherwise the path refers to an instance with that name.
    Ids,
}

/// One of the possible answers of a route.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) about: &'static str,
    pub(super) content: Content,
    pub(super) headers: &'static [&'static str],
}

/// The body of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    None,
    Any,
    EventStream,
    /// The name of a schema in the OpenAPI document.
    Schema(&'static str),
}

pub(super) const ERROR: &str = "Error";
pub(super) const MANAGEMENT: &str = "ManagementPayload";
pub(super) const STATUS: &str = "InstanceStatus";
pub(super) const STATUSES: &str = "InstanceStatuses";
pub(super) const PURGED: &str = "Purged";
pub(super) const HEALTH: &str = "Health";

/// The query parameters that every route below the base path accepts.
pub(super) const OF_EVERY_ROUTE: [&str; 3] = ["taskHub", "connection", "code"];

/// The query parameters of the Durable Functions HTTP API. Its clients send some of them to routes that do not use
/// them. There and here, they are ignored.
const OF_THE_FAMILY: [&str; 18] = [
    "createdTimeFrom",
    "createdTimeTo",
    "fetchState",
    "instanceIdPrefix",
    "lastOperationTimeFrom",
    "lastOperationTimeTo",
    "op",
    "pollingInterval",
    "reason",
    "restartWithNewInstanceId",
    "returnInternalServerErrorOnFailure",
    "runtimeStatus",
    "showHistory",
    "showHistoryOutput",
    "showInput",
    "timeout",
    "top",
    "version",
];

impl Entry {
    /// Returns whether the route answers without a key.
    pub(super) fn is_public(&self) -> bool {
        self.scope == Scopes::NONE
    }

    /// Returns the path as clients see it.
    pub(super) fn full_path(&self, base: &str) -> String {
        if self.path.starts_with('/') { self.path.to_owned() } else { format!("{base}/{}", self.path) }
    }

    /// Returns the segments of a path below the base path.
    pub(super) fn segments(&self) -> impl Iterator<Item = &'static str> {
        self.path.trim_end_matches('/').split('/')
    }

    /// Returns the names of the segments that stand for any text.
    pub(super) fn placeholders(&self) -> impl Iterator<Item = &'static str> {
        self.segments().filter_map(placeholder)
    }

    /// Returns whether the route is about a particular existing instance.
    pub(super) fn is_of_instance(&self) -> bool {
        self.operation != Operation::Start && self.placeholders().any(|name| name == INSTANCE_ID)
    }

    /// Returns whether an answer contains the URLs of an instance.
    pub(super) fn hands_out_urls(&self) -> bool {
        self.answers.iter().any(|answer| answer.content == Content::Schema(MANAGEMENT))
    }

    /// Returns the scopes that the code in a URL of this route needs. An answer that contains URLs passes on all rights
    /// of its caller.
    pub(super) fn code_scope(&self) -> Scopes {
        if self.hands_out_urls() { Scopes::ALL } else { self.scope }
    }

    /// Returns the names of the query parameters that the route uses itself.
    pub(super) fn query_parameters(&self) -> impl Iterator<Item = &'static str> {
        let own = self.parameters.iter().filter(|parameter| !matches!(parameter.kind, Kind::Header));
        own.map(|parameter| parameter.name)
    }

    /// Returns whether a query may contain a parameter with this name.
    pub(super) fn accepts(&self, name: &str) -> bool {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        // If a condition of a purge were ignored, the purge would remove instances that the caller wants to keep.
        let family = if self.operation == Operation::PurgeMany { &[][..] } else { &OF_THE_FAMILY[..] };
        self.query_parameters().any(is) || OF_EVERY_ROUTE.into_iter().any(is) || family.iter().copied().any(is)
    }

    /// Returns the parameter without which the path refers to another route.
    pub(super) fn needs(&self) -> Option<&'static str> {
        self.parameters.iter().find(|parameter| matches!(parameter.kind, Kind::Ids)).map(|parameter| parameter.name)
    }

    /// Returns whether the route has a parameter with this name.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter.name == name)
    }
}

/// Returns the name of a segment that stands for any text.
pub(super) fn placeholder(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Returns the entry of an operation on one instance.
pub(super) fn of_instance(operation: Operation) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.operation == operation && entry.is_of_instance())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_and_every_id_is_there_once() {
        let routes: BTreeSet<_> = ENTRIES.iter().map(|entry| (entry.method.as_str(), entry.path)).collect();
        let ids: BTreeSet<_> = ENTRIES.iter().map(|entry| entry.id).collect();
        assert_eq!((routes.len(), ids.len()), (ENTRIES.len(), ENTRIES.len()));
    }

    #[test]
    fn only_the_routes_at_the_root_are_public() {
        for entry in &ENTRIES {
            assert_eq!(entry.is_public(), entry.path.starts_with('/'), "{}", entry.id);
            assert!(entry.placeholders().all(|name| [FUNCTION_NAME, INSTANCE_ID, EVENT_NAME].contains(&name)));
        }
    }

    #[test]
    fn a_purge_takes_no_parameter_that_it_would_ignore() {
        let of = |operation| ENTRIES.iter().find(|entry| entry.operation == operation).unwrap();
        let (purge, list) = (of(Operation::PurgeMany), of(Operation::List));
        assert!(purge.accepts("CREATEDTIMEFROM") && purge.accepts("code") && !purge.accepts("top"));
        assert!(list.accepts("top") && list.accepts("reason") && !list.accepts("topp"));
    }
}
