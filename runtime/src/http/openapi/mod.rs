//! The API as an OpenAPI 3.1 document, built from the table of routes.

mod schemas;
mod table;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use utoipa::openapi::header::HeaderBuilder;
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

use self::table::{Answer, Body, COMMON, Content, Entry, GUARDED, Kind, Parameter, ROUTES};
use super::body::respond;
use super::options::HttpOptions;

const JSON: &str = "application/json";

/// Answers with the document.
pub(super) fn document(options: &HttpOptions) -> Response {
    respond(StatusCode::OK, &build(options))
}

fn build(options: &HttpOptions) -> OpenApi {
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
    let server = ServerBuilder::new().url("/").build();
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
    ROUTES
        .iter()
        .fold(PathsBuilder::new(), |paths, entry| {
            let path = match entry.path.strip_prefix('/') {
                Some(_) => entry.path.to_owned(),
                None => format!("{}/{}", options.base_path, entry.path),
            };
            let method = match entry.method {
                "POST" => HttpMethod::Post,
                "DELETE" => HttpMethod::Delete,
                _ => HttpMethod::Get,
            };
            paths.path(path, PathItem::new(method, operation(options, entry)))
        })
        .build()
}

fn operation(options: &HttpOptions, entry: &Entry) -> OperationBuilder {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(entry.id))
        .summary(Some(entry.summary))
        .description(entry.scope.map(|scope| format!("Needs the scope `{scope}` where there are keys.")));
    for name in entry.path.split(['{', '}']).skip(1).step_by(2) {
        operation = operation.parameter(in_path(options, name));
    }
    for parameter in entry.parameters {
        operation = operation.parameter(described(parameter));
    }
    operation = match entry.body {
        Body::None => operation,
        Body::Optional(about) => operation.request_body(Some(body(about, Required::False))),
        Body::Required(about) => operation.request_body(Some(body(about, Required::True))),
    };
    if entry.scope.is_some() {
        for (name, kind) in [("taskHub", &options.task_hub), ("connection", &options.connection)] {
            let one = schemas::text().enum_values(Some([kind.clone()]));
            operation = operation.parameter(
                ParameterBuilder::new()
                    .name(name)
                    .parameter_in(ParameterIn::Query)
                    .description(Some("The only one there is"))
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
    // What a route says itself stands before what all of them say.
    let guarded = if entry.scope.is_some() { GUARDED } else { &[] };
    let answers = COMMON.iter().chain(guarded).chain(entry.answers);
    answers.fold(operation, |operation, answer| operation.response(answer.status.to_string(), response(answer)))
}

fn in_path(options: &HttpOptions, name: &str) -> ParameterBuilder {
    let longest =
        if name == "eventName" { options.limits.event_name_chars } else { crate::model::MAX_INSTANCE_ID_CHARS };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schemas::text().min_length(Some(1)).max_length(Some(longest))))
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
        Kind::Seconds => ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0)).into(),
        Kind::Count(default) => schemas::integer().minimum(Some(1)).default(Some(Value::from(default))).into(),
        Kind::States => ArrayBuilder::new().items(schemas::text().enum_values(Some(schemas::STATES))).into(),
        Kind::Texts => ArrayBuilder::new().items(schemas::text()).into(),
    };
    let builder = match parameter.kind {
        Kind::States | Kind::Texts => builder.style(Some(ParameterStyle::Form)).explode(Some(true)),
        Kind::RequiredTime => builder.required(Required::True),
        _ => builder,
    };
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
            response.content("text/event-stream", ContentBuilder::new().schema(Some(schemas::text())).build())
        }
        Content::Schema(name) => {
            response.content(JSON, ContentBuilder::new().schema(Some(Ref::from_schema_name(name))).build())
        }
    };
    answer.headers.iter().fold(response, |response, name| {
        response.header(*name, HeaderBuilder::new().schema(Some(schemas::text())).build())
    })
}
