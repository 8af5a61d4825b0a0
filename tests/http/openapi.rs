//! The OpenAPI description is complete and agrees with what is served.

use std::collections::BTreeSet;

use serde_json::Value;

use persevere::http::HttpOptions;

use crate::http::stage::{App, BASE, in_time, options, request, send_to};

#[tokio::test]
async fn it_names_every_route_and_every_reference_leads_somewhere() {
    in_time(async {
        let app = App::new().await;
        let document = app.get("/openapi.json").await.json();
        let mut routes = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                routes.insert(format!("{method} {}", path.strip_prefix(BASE).unwrap_or(path)));
                assert!(operation["operationId"].is_string() && operation["summary"].is_string(), "{method} {path}");
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                for name in path.split(['{', '}']).skip(1).step_by(2) {
                    let named =
                        parameters.iter().any(|parameter| parameter["name"] == name && parameter["in"] == "path");
                    assert!(named, "{path} does not describe {name}");
                }
                let answers = operation["responses"].as_object().unwrap();
                for status in ["400", "404", "413", "500", "503"] {
                    assert!(answers.contains_key(status), "{method} {path} {status}");
                }
                let open = ["/healthz", "/readyz", "/openapi.json"].contains(&path.as_str());
                assert_eq!(operation.get("security").is_none(), open, "{method} {path}");
            }
        }
        let expected = [
            "delete /instances/",
            "delete /instances/{instanceId}",
            "get /healthz",
            "get /instances/",
            "get /instances/stream",
            "get /instances/{instanceId}",
            "get /instances/{instanceId}/customStatus/stream",
            "get /openapi.json",
            "get /readyz",
            "post /instances/{instanceId}/raiseEvent/{eventName}",
            "post /instances/{instanceId}/restart",
            "post /instances/{instanceId}/resume",
            "post /instances/{instanceId}/retry",
            "post /instances/{instanceId}/rewind",
            "post /instances/{instanceId}/suspend",
            "post /instances/{instanceId}/terminate",
            "post /orchestrators/{functionName}",
            "post /orchestrators/{functionName}/{instanceId}",
        ];
        assert_eq!(routes.iter().map(String::as_str).collect::<Vec<_>>(), expected);
        let schemes = document["components"]["securitySchemes"].as_object().unwrap();
        assert_eq!(schemes.keys().collect::<Vec<_>>(), ["bearer", "code", "functionsKey"]);
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(!references.is_empty());
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    })
    .await;
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(ToOwned::to_owned));
            object.values().for_each(|value| collect(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// Every status document matches the schema, with no missing and no additional key.
#[tokio::test]
async fn bodies_are_as_it_says() {
    in_time(async {
        let app = App::new().await;
        app.one_of_each().await;
        let document = app.get("/openapi.json").await.json();
        let schema = |name: &str| {
            let schema = document.pointer(&format!("/components/schemas/{name}")).unwrap().clone();
            let required: BTreeSet<_> =
                schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
            let known: BTreeSet<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
            (required, known)
        };
        let fits = |body: &Value, name: &str| {
            let (required, known) = schema(name);
            let keys: BTreeSet<_> = body.as_object().unwrap().keys().cloned().collect();
            assert!(required.is_subset(&keys) && keys.is_subset(&known), "{name}: {body}");
        };
        for id in ["running", "pending", "suspended", "completed", "failed", "terminated"] {
            fits(&app.get(&format!("instances/{id}?showHistory=true")).await.json(), "InstanceStatus");
        }
        for instance in app.get("instances/").await.json().as_array().unwrap() {
            fits(instance, "InstanceStatus");
        }
        fits(&app.post("orchestrators/puppet", "1").await.json(), "ManagementPayload");
        fits(&app.get("instances/nobody").await.json(), "Error");
        fits(&app.get("/readyz").await.json(), "Health");
        fits(&app.delete("instances/completed").await.json(), "Purged");
    })
    .await;
}

#[tokio::test]
async fn it_follows_the_options() {
    in_time(async {
        let app = App::with(options().base_path("/api").task_hub("hub")).await;
        let document = app.get("/openapi.json").await.json();
        let list = &document["paths"]["/api/instances/"]["get"];
        let hub =
            list["parameters"].as_array().unwrap().iter().find(|parameter| parameter["name"] == "taskHub").unwrap();
        assert_eq!(hub["schema"]["enum"], serde_json::json!(["hub"]));
        assert_eq!(app.send(request("GET", "/api/instances/?taskHub=hub", "")).await.status, 200);
    })
    .await;
}

/// Its paths lie below the place where the router is nested, like all URLs that are handed out.
#[tokio::test]
async fn it_and_the_urls_say_where_the_router_is_nested() {
    in_time(async {
        let app = App::with(HttpOptions::new().public_base_url("http://localhost:7071/tenant/")).await;
        let nested = axum::Router::new().nest("/tenant", app.router.clone());
        let document = send_to(&nested, request("GET", "/tenant/openapi.json", "")).await.json();
        let server = document["servers"][0]["url"].as_str().unwrap();
        assert_eq!(server, "/tenant");
        let list = send_to(&nested, request("GET", &format!("{server}{BASE}/instances/"), "")).await;
        assert_eq!(list.status, 200);
        let started =
            send_to(&nested, request("POST", &format!("/tenant{BASE}/orchestrators/puppet/p"), "1")).await.json();
        let url = started["statusQueryGetUri"].as_str().unwrap().strip_prefix("http://localhost:7071").unwrap();
        assert_eq!(send_to(&nested, request("GET", url, "")).await.status, 202);
        assert_eq!(App::new().await.get("/openapi.json").await.json()["servers"][0]["url"], "/");
    })
    .await;
}
