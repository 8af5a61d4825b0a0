//! The API as an OpenAPI 3.1 document, derived from the table of routes.

mod schemas;

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::Value;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, ParameterStyle, PathItem, PathsBuilder,
};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Paths, Ref, RefOr,
    Required, ResponseBuilder, Schema, ServerBuilder,
};

use super::body::respond;
use super::options::{HttpOptions, Settings};
use super::route::MAX_IDS;
use super::routes::start::MAX_ID_CHARS;
use super::table::{
    Answer, Body, COMMON, Content, ENTRIES, EVENT_NAME, Entry, GUARDED, INSTANCE_ID, Kind, MANAGEMENT, Operation,
    Parameter,
};
use crate::InstanceId;

const JSON: &str = "application/json";

/// The characters that an instance id may contain (`InstanceId::new`). It is also neither `.` nor `..`, which no URL
/// can name.
const INSTANCE_ID_PATTERN: &str = r"^(?!@)(?!\.{1,2}$)[^/\\?#\x00-\x1f\x7f-\x9f]+$";
/// A version of the custom status, or its token.
const KNOWN: &str = r"^[0-9]{1,18}(\.[0-9]{1,18})?$";
/// A JSON pointer without a colon, a colon, and a value.
const CONDITION: &str = "^(/[^:]*)?:";

/// Answers with the document.
pub(super) fn document(settings: &Settings) -> Response {
    respond(StatusCode::OK, &build(&settings.options, settings.base.path()))
}

fn build(options: &HttpOptions, nested: &str) -> OpenApi {
    let mut components = ComponentsBuilder::new()
        .schemas_from_iter(schemas::all())
        .security_scheme("functionsKey", key(ApiKey::Header, "x-functions-key"))
        .security_scheme("code", key(ApiKey::Query, "code"));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components = components.security_scheme("bearer", SecurityScheme::Http(bearer));
    let licence = LicenseBuilder::new().name("MIT OR Apache-2.0").build();
    let info = InfoBuilder::new()
        .title("Durable Functions HTTP API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Version 2 of the HTTP API of the Durable Functions, with the custom status streamed."))
        .license(Some(licence));
    let server = ServerBuilder::new().url(if nested.is_empty() { "/" } else { nested }).build();
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([server]))
        .paths(paths(options))
        .components(Some(components.build()))
        .build()
}

fn key(place: fn(ApiKeyValue) -> ApiKey, name: &str) -> SecurityScheme {
    SecurityScheme::ApiKey(place(ApiKeyValue::new(name)))
}

fn paths(options: &HttpOptions) -> Paths {
    ENTRIES
        .iter()
        .fold(PathsBuilder::new(), |paths, entry| {
            let method = match entry.method {
                Method::POST => HttpMethod::Post,
                Method::DELETE => HttpMethod::Delete,
                _ => HttpMethod::Get,
            };
            paths.path(entry.full_path(&options.base_path), PathItem::new(method, operation(options, entry)))
        })
        .build()
}

fn operation(options: &HttpOptions, entry: &Entry) -> OperationBuilder {
    let mut operation = OperationBuilder::new().operation_id(Some(entry.id)).summary(Some(entry.summary)).description(
        (!entry.is_public()).then(|| format!("Where there are keys, it needs the scope `{}`.", entry.scope)),
    );
    for name in entry.placeholders() {
        operation = operation.parameter(in_path(options, entry, name));
    }
    for parameter in entry.parameters {
        operation = operation.parameter(described(parameter));
    }
    operation = match entry.body {
        Body::None => operation,
        Body::Optional(about) => operation.request_body(Some(body(about, Required::False))),
        Body::Required(about) => operation.request_body(Some(body(about, Required::True))),
    };
    if !entry.is_public() {
        for (name, kind) in [("taskHub", &options.task_hub), ("connection", &options.connection)] {
            let one = schemas::text().enum_values(Some([kind.clone()]));
            operation = operation.parameter(
                ParameterBuilder::new()
                    .name(name)
                    .parameter_in(ParameterIn::Query)
                    .description(Some("The service knows this value only."))
                    .extensions(Some(may_be_empty()))
                    .schema(Some(one)),
            );
        }
        let none: [&str; 0] = [];
        for scheme in ["functionsKey", "bearer", "code"] {
            operation = operation.security(SecurityRequirement::new(scheme, none));
        }
        if options.keys.is_empty() {
            operation = operation.security(SecurityRequirement::default());
        }
    }
    // The answers of the route come before the answers that all routes share.
    let guarded = if entry.is_public() { &[] } else { GUARDED };
    let answers = COMMON.iter().chain(guarded).chain(entry.answers);
    answers.fold(operation, |operation, answer| operation.response(answer.status.to_string(), response(answer)))
}

/// An empty value counts as none. utoipa has no field for this, but it writes extensions that do not begin with `x-`
/// into the parameter itself.
fn may_be_empty() -> Extensions {
    [("allowEmptyValue", true)].into_iter().collect()
}

fn in_path(options: &HttpOptions, entry: &Entry, name: &str) -> ParameterBuilder {
    let longest = match (name, entry.operation) {
        (EVENT_NAME, _) => options.limits.event_name_chars,
        (INSTANCE_ID, Operation::Start) => MAX_ID_CHARS,
        _ => InstanceId::MAX_CHARS,
    };
    let schema = schemas::text().min_length(Some(1)).max_length(Some(longest));
    let schema = if name == INSTANCE_ID { schema.pattern(Some(INSTANCE_ID_PATTERN)) } else { schema };
    ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True).schema(Some(schema))
}

fn described(parameter: &Parameter) -> ParameterBuilder {
    let builder = ParameterBuilder::new()
        .name(parameter.name)
        .description(Some(parameter.about))
        .parameter_in(if matches!(parameter.kind, Kind::Header) { ParameterIn::Header } else { ParameterIn::Query });
    let schema: RefOr<Schema> = match parameter.kind {
        Kind::Text | Kind::Header => schemas::text().into(),
        Kind::Time | Kind::RequiredTime => schemas::time().into(),
        Kind::Flag(default) => {
            ObjectBuilder::new().schema_type(Type::Boolean).default(Some(Value::from(default))).into()
        }
        Kind::Choice => ObjectBuilder::new().schema_type(Type::Boolean).into(),
        Kind::Seconds => ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0)).into(),
        Kind::Count(default) => schemas::integer().minimum(Some(1)).default(Some(Value::from(default))).into(),
        Kind::States => ArrayBuilder::new().items(schemas::text().enum_values(Some(schemas::STATES))).into(),
        Kind::Conditions => ArrayBuilder::new().items(schemas::text().pattern(Some(CONDITION))).into(),
        Kind::Ids => {
            let id = schemas::text().min_length(Some(1)).pattern(Some(INSTANCE_ID_PATTERN));
            ArrayBuilder::new().items(id).min_items(Some(1)).max_items(Some(MAX_IDS)).into()
        }
        Kind::Known => schemas::text().pattern(Some(KNOWN)).into(),
    };
    let builder = match parameter.kind {
        Kind::States | Kind::Conditions => builder.style(Some(ParameterStyle::Form)).explode(Some(true)),
        Kind::RequiredTime => builder.required(Required::True),
        Kind::Ids => builder.style(Some(ParameterStyle::Form)).explode(Some(true)).required(Required::True),
        _ => builder,
    };
    let always_there = matches!(parameter.kind, Kind::Header | Kind::RequiredTime | Kind::Ids);
    let builder = builder.extensions((!always_there).then(may_be_empty));
    builder.schema(Some(schema))
}

fn body(about: &str, required: Required) -> RequestBody {
    let content = ContentBuilder::new().schema(Some(schemas::any())).build();
    RequestBodyBuilder::new().description(Some(about)).required(Some(required)).content(JSON, content).build()
}

fn response(answer: &Answer) -> ResponseBuilder {
    let response = ResponseBuilder::new().description(answer.about);
    let response = match answer.content {
        Content::None => response,
        Content::Any => response.content(JSON, ContentBuilder::new().schema(Some(schemas::any())).build()),
        Content::EventStream => {
            response.content("text/event-stream", ContentBuilder::new().schema(Some(schemas::event())).build())
        }
        Content::Schema(name) => {
            response.content(JSON, ContentBuilder::new().schema(Some(Ref::from_schema_name(name))).build())
        }
    };
    let response = answer.headers.iter().fold(response, |response, name| {
        response.header(*name, HeaderBuilder::new().schema(Some(schemas::text())).build())
    });
    let link = |id: &str| LinkBuilder::new().operation_id(id).parameter("instanceId", "$response.body#/id").build();
    // What a client can do next with the instance that it has started.
    let hands_out_urls = answer.content == Content::Schema(MANAGEMENT);
    let next = ENTRIES.iter().filter(|entry| hands_out_urls && entry.is_of_instance());
    next.fold(response, |response, entry| response.link(entry.id, link(entry.id)))
}
