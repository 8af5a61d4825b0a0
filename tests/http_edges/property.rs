//! No request makes the API panic, fail internally, or answer with anything but its own JSON. The requests are random
//! but look real; `fuzz/` tries less likely ones.

use std::cell::Cell;
use std::fs;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::http_edges::connection::BASE;
use crate::http_edges::requests::{Target, parse};
use crate::http_edges::root;

const CASES: u32 = 2_000;

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(texts).prop_map(ToOwned::to_owned)
}

/// Generates what stands between slashes, or after an equals sign.
fn part() -> impl Strategy<Value = String> {
    let known = one_of(&[
        "waiting",
        "failed",
        "wait",
        "fail",
        "new",
        "go",
        "",
        ".",
        "..",
        "%2e%2e",
        "%2F",
        "%00",
        "%0a",
        "%",
        "%zz",
        "%ff",
        "@a",
        "@",
        "%23",
        "%3F",
        "%5C",
        "*",
        "a b",
        "😀",
        "%F0%9F%98%80",
        "terminate",
        "suspend",
        "resume",
        "restart",
        "rewind",
        "retry",
        "waiting,failed",
        "raiseEvent",
        "customStatus",
        "stream",
        "instances",
        "orchestrators",
        "entities",
        "true",
        "false",
        "0",
        "1",
        "-1",
        "1e9",
        "NaN",
        "9999999999999999999999",
        "Running",
        "running,Failed",
        "Nothing",
        "/a:1",
        "a:1",
        "/a",
        "2026-01-31T12:00:00Z",
        "x",
        "2026-01-31",
        "persevere",
        "Storage",
        "549755813889.1",
    ]);
    prop_oneof![4 => known, 1 => "[!-~]{0,12}", 1 => "\\PC{0,8}"]
}

fn path() -> impl Strategy<Value = String> {
    let inside = proptest::collection::vec(part(), 0..5).prop_map(|parts| parts.join("/"));
    let root = one_of(&[BASE, BASE, BASE, "", "/runtime"]);
    let api = (root, one_of(&["/instances/", "/orchestrators/", "/Instances/", "/", ""]), inside)
        .prop_map(|(root, kind, inside)| format!("{root}{kind}{inside}"));
    prop_oneof![8 => api, 1 => one_of(&["/healthz", "/readyz", "/openapi.json", "/healthz/", "*"]), 1 => "/\\PC{0,20}"]
}

fn query() -> impl Strategy<Value = String> {
    let name = one_of(&[
        "showInput",
        "showHistory",
        "showHistoryOutput",
        "returnInternalServerErrorOnFailure",
        "timeout",
        "pollingInterval",
        "version",
        "code",
        "taskHub",
        "connection",
        "reason",
        "top",
        "runtimeStatus",
        "createdTimeFrom",
        "createdTimeTo",
        "customStatus",
        "x",
        "instanceIdPrefix",
        "waitForCustomStatusChange",
        "recursive",
        "parked",
        "ids",
        "restartWithNewInstanceId",
        "TOP",
        "",
    ]);
    let pair =
        (name, one_of(&["=", "=", "", "=="]), part()).prop_map(|(name, sign, value)| format!("{name}{sign}{value}"));
    proptest::collection::vec(pair, 0..4).prop_map(|pairs| pairs.join("&"))
}

fn head() -> impl Strategy<Value = String> {
    let name = one_of(&[
        "content-type",
        "host",
        "origin",
        "x-functions-key",
        "authorization",
        "x-ms-continuation-token",
        "last-event-id",
        "x-forwarded-host",
        "content-length",
        "content-encoding",
        "accept",
        "traceparent",
    ]);
    let value = prop_oneof![
        one_of(&[
            "application/json",
            "application/json; charset=utf-8",
            "text/plain",
            "localhost",
            "Bearer x",
            "gzip",
            "null",
            ""
        ]),
        part(),
    ];
    (name, value).prop_map(|(name, value)| format!("{name}: {value}\n"))
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let method = one_of(&["GET", "GET", "GET", "POST", "POST", "DELETE", "HEAD", "PUT", "OPTIONS", "BREW"]);
    let heads = proptest::collection::vec(head(), 0..3).prop_map(|heads| heads.concat());
    let json = one_of(&[
        "",
        "null",
        "3",
        "0",
        "\"a\"",
        "[1,{\"b\":[]}]",
        "{",
        "1 2",
        "\u{feff}1",
        "[[[[",
        "1e999",
        "\"\\ud800\"",
    ]);
    let body = prop_oneof![4 => json.prop_map(String::into_bytes), 1 => proptest::collection::vec(any::<u8>(), 0..40)];
    (method, path(), query(), heads, any::<bool>(), body).prop_map(|(method, path, query, heads, json, body)| {
        let mark = if query.is_empty() { "" } else { "?" };
        let kind = if json { "content-type: application/json\n" } else { "" };
        [format!("{method} {path}{mark}{query}\n{kind}{heads}\n").as_bytes(), &body].concat()
    })
}

#[test]
fn every_request_gets_a_valid_answer_of_the_api() {
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let target = tokio.block_on(Target::new());
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let sent = Cell::new(0);
    let result = TestRunner::new(config).run(&request(), |text| {
        if let Some(request) = parse(&text) {
            sent.set(sent.get() + 1);
            tokio.block_on(target.check(&request));
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(sent.get() > CASES / 2, "only {} of {CASES} were requests", sent.get());
    tokio.block_on(target.close());
}

/// The seeds of the fuzzer are requests that real clients have sent.
#[test]
fn every_seed_of_the_fuzzer_is_a_request_that_is_answered() {
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let target = tokio.block_on(Target::new());
    let seeds: Vec<_> =
        fs::read_dir(root().join("fuzz/seeds/router")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(seeds.len() > 15, "only {} seeds", seeds.len());
    for seed in seeds {
        let text = fs::read(&seed).unwrap();
        let request = parse(&text).unwrap_or_else(|| panic!("{} is no request", seed.display()));
        tokio.block_on(target.check(&request));
    }
    tokio.block_on(target.close());
}
