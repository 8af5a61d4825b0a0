//! The bodies of answers as JSON schemas.

use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{KnownFormat, Ref, RefOr, Schema, SchemaFormat};

use crate::http::table::{ERROR, HEALTH, MANAGEMENT, PURGED, STATUS, STATUSES};

/// The names of the states.
pub(super) const STATES: [&str; 6] = ["Pending", "Running", "Suspended", "Completed", "Failed", "Terminated"];

pub(super) fn all() -> [(&'static str, RefOr<Schema>); 6] {
    [
        (ERROR, error()),
        (MANAGEMENT, management()),
        (STATUS, status()),
        (STATUSES, ArrayBuilder::new().items(Ref::from_schema_name(STATUS)).into()),
        (PURGED, ObjectBuilder::new().property("instancesDeleted", integer()).required("instancesDeleted").into()),
        (HEALTH, ObjectBuilder::new().property("status", text()).required("status").into()),
    ]
}

fn error() -> RefOr<Schema> {
    let object = ["Message", "ExceptionMessage", "ExceptionType"]
        .into_iter()
        .fold(ObjectBuilder::new(), |object, name| object.property(name, text()).required(name));
    object.property("StackTrace", described(Type::String, "What is behind it; in development only")).into()
}

fn management() -> RefOr<Schema> {
    let names = [
        "statusQueryGetUri",
        "sendEventPostUri",
        "terminatePostUri",
        "purgeHistoryDeleteUri",
        "restartPostUri",
        "suspendPostUri",
        "resumePostUri",
    ];
    let object = ObjectBuilder::new().property("id", text()).required("id");
    names.into_iter().fold(object, |object, name| object.property(name, text()).required(name)).into()
}

fn status() -> RefOr<Schema> {
    let state = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(STATES));
    let tags = ObjectBuilder::new()
        .additional_properties(Some(AdditionalProperties::from(ObjectBuilder::new().schema_type(Type::String))));
    let event = ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(true)));
    let retry = ObjectBuilder::new()
        .description(Some("A call that has failed and waits for its next attempt, if the history was requested"))
        .property("name", described(Type::String, "The activity, or the orchestrator of a sub-orchestration"))
        .property("attempt", integer())
        .property("lastError", ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(true))))
        .property("nextAttemptAt", time())
        .required("name")
        .required("attempt")
        .required("lastError")
        .required("nextAttemptAt");
    let parked = ObjectBuilder::new()
        .description(Some("Why the instance cannot go on, while it cannot"))
        .property("code", described(Type::String, "The kind of obstacle, such as `D0104`"))
        .property("text", described(Type::String, "What stands in the way, and what to do about it"))
        .required("code")
        .required("text");
    let object = ObjectBuilder::new()
        .property("name", text())
        .property("instanceId", text())
        .property("runtimeStatus", state)
        .property("input", any())
        .property("customStatus", any())
        .property("output", any())
        .property("createdTime", time())
        .property("lastUpdatedTime", time())
        .property("historyEvents", ArrayBuilder::new().items(event))
        .property("customStatusVersion", integer())
        .property("version", described(Type::String, "The orchestrator's version, if it has one"))
        .property("tags", tags)
        .property("parked", parked)
        .property("pendingRetries", ArrayBuilder::new().items(retry));
    let always = [
        "name",
        "instanceId",
        "runtimeStatus",
        "input",
        "customStatus",
        "output",
        "createdTime",
        "lastUpdatedTime",
        "customStatusVersion",
    ];
    always.into_iter().fold(object, ObjectBuilder::required).into()
}

/// One of the server-sent events of a stream.
pub(super) fn event() -> ObjectBuilder {
    ["id", "event", "data"]
        .into_iter()
        .fold(ObjectBuilder::new(), |object, name| object.property(name, text()).required(name))
}

pub(super) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

pub(super) fn time() -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

pub(super) fn integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0))
}

pub(super) fn any() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue)
}

fn described(kind: Type, about: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(kind).description(Some(about))
}
