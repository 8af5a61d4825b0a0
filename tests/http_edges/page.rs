//! The tables in docs/http.md are those of the code: routes with their codes, and limits.

use std::collections::BTreeMap;
use std::fs;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use persevere::http::{HttpLimits, HttpOptions};
use persevere::prelude::*;
use serde_json::Value;
use tower::ServiceExt;

use crate::connection::BASE;
use crate::root;

fn page() -> String {
    fs::read_to_string(root().join("docs/http.md")).unwrap()
}

#[tokio::test]
async fn the_table_of_routes_is_that_of_the_document() {
    let runtime = Runtime::builder().store(MemoryStore::new()).start().await.unwrap();
    let options = HttpOptions::new().public_base_url("http://localhost");
    let router = persevere::http::router(runtime.client().clone(), options).unwrap();
    let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
    let document = to_bytes(router.oneshot(request).await.unwrap().into_body(), usize::MAX).await.unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    runtime.shutdown().await.unwrap();

    let page = page();
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

#[test]
fn the_table_of_limits_is_that_of_the_code() {
    // `HttpLimits` says its fields itself, so that none is forgotten here.
    let limits = format!("{:?}", HttpLimits::default());
    let fields = limits.trim_start_matches("HttpLimits { ").trim_end_matches(" }").split(", ");
    let expected: BTreeMap<_, _> = fields.map(|field| field.split_once(": ").unwrap()).collect();
    let page = page();
    let table = page.lines().skip_while(|line| !line.contains("field of `HttpLimits`")).skip(2);
    let rows = table.map_while(|line| line.strip_prefix("| `")?.split_once("` | "));
    let shown = rows.map(|(name, rest)| (name, number(rest.split(" | ").next().unwrap())));
    assert_eq!(
        shown.collect::<BTreeMap<_, _>>(),
        expected.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
    );
}

/// `1 MiB`, `1,000` and `30 s` as Rust writes them.
fn number(text: &str) -> String {
    let (digits, unit) = text.split_once(' ').unwrap_or((text, ""));
    let digits: u64 = digits.replace(',', "").parse().unwrap();
    match unit {
        "MiB" => (digits << 20).to_string(),
        "KiB" => (digits << 10).to_string(),
        "s" => format!("{digits}s"),
        _ => digits.to_string(),
    }
}
