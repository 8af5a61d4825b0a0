//! The table of routes in docs/http.md agrees with the code. (The test of its table of limits is next to the tests of
//! the limits.)

use std::fs;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use persevere::http::HttpOptions;
use persevere::prelude::*;
use serde_json::Value;
use tower::ServiceExt;

use crate::http_edges::connection::BASE;
use crate::http_edges::root;
use crate::http_edges::scenarios::Pace;

#[tokio::test]
async fn the_table_of_routes_is_that_of_the_document() {
    let runtime =
        Runtime::builder().store(MemoryStore::new()).state(Pace::free()).auto_register().start().await.unwrap();
    let options = HttpOptions::new().public_base_url("http://localhost");
    let router = persevere::http::router(runtime.client().clone(), options).unwrap();
    let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
    let document = to_bytes(router.oneshot(request).await.unwrap().into_body(), usize::MAX).await.unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    runtime.shutdown().await.unwrap();

    let page = fs::read_to_string(root().join("docs/http.md")).unwrap();
    let of_all = page.lines().skip_while(|line| !line.starts_with("All of them: ")).take(4).collect::<String>();
    let mut missing = Vec::new();
    let mut routes = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.strip_prefix(BASE).unwrap_or(path);
        let shown =
            path.replace("{functionName}", "{name}").replace("{instanceId}", "{id}").replace("{eventName}", "{event}");
        for (method, operation) in methods.as_object().unwrap() {
            let name = format!("`{} {shown}`", method.to_uppercase());
            let Some(row) = page.lines().find(|line| line.starts_with('|') && line.contains(&name)) else {
                missing.push(format!("{name} has no row"));
                continue;
            };
            routes += 1;
            let has = |word: &str| row.contains(word) || of_all.contains(word);
            let codes = operation["responses"].as_object().unwrap().keys().cloned();
            missing.extend(codes.filter(|code| code != "500" && !has(code)).map(|code| format!("{name}: {code}")));
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let named =
                parameters.filter(|parameter| parameter["in"] != "path").map(|one| one["name"].as_str().unwrap());
            let common = ["taskHub", "connection"];
            let kept = named.filter(|name| !common.contains(name) && !row.contains("those of a start"));
            missing
                .extend(kept.filter(|name| !has(&format!("`{name}`"))).map(|parameter| format!("{name}: {parameter}")));
        }
    }
    assert!(missing.is_empty(), "not in the table of docs/http.md: {missing:#?}");
    assert!(routes > 14, "only {routes} routes");
}
