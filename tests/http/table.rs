//! Every route: its answer when all is well, when the instance does not exist, in the wrong state, on bad input, and
//! without permission.

use persevere::http::HttpOptions;

use crate::http::stage::{App, in_time, options, request};

/// A name, a request, and the expected answer.
struct Row(&'static str, &'static str, &'static str, &'static str, u16, &'static str);

/// The order matters: some requests end what later ones expect to have ended.
const WITHOUT_KEYS: &[Row] = &[
    // Start
    Row("start", "POST", "orchestrators/puppet", "1", 202, "statusQueryGetUri"),
    Row("start with an id", "POST", "orchestrators/puppet/new", r#"{"a":1}"#, 202, "/instances/new?"),
    Row("start without a body", "POST", "orchestrators/puppet/none", "", 202, "/instances/none?"),
    Row("start a running id", "POST", "orchestrators/puppet/running", r#""other""#, 409, "already exists"),
    Row("start the same again", "POST", "orchestrators/puppet/running", r#""running""#, 409, "already exists"),
    Row("start an ended id", "POST", "orchestrators/puppet/terminated", "1", 202, "/instances/terminated?"),
    Row(
        "start an unknown function",
        "POST",
        "orchestrators/nobody",
        "1",
        400,
        "One or more of the arguments submitted is incorrect",
    ),
    Row("start with bad JSON", "POST", "orchestrators/puppet", "{", 400, "Invalid JSON content"),
    Row("start with a bad id", "POST", "orchestrators/puppet/@x", "1", 400, "begins with `@`"),
    Row("start with an encoded slash", "POST", "orchestrators/puppet/a%2Fb", "1", 400, "not allowed"),
    Row("start with a dot", "POST", "orchestrators/puppet/%2e%2E", "1", 400, "no URL names it"),
    Row("start with a bad escape", "POST", "orchestrators/puppet/%zz", "1", 400, "hexadecimal"),
    Row("start with no UTF-8", "POST", "orchestrators/puppet/%ff", "1", 400, "UTF-8"),
    Row("start and wait", "POST", "orchestrators/divide?timeout=30&pollingInterval=1", "[6,3]", 200, "2"),
    Row("start and wait for a failure", "POST", "orchestrators/divide?timeout=30", "[6,0]", 200, "division by zero"),
    Row(
        "start, wait, 500 on failure",
        "POST",
        "orchestrators/divide?timeout=30&returnInternalServerErrorOnFailure=true",
        "[6,0]",
        500,
        "division by zero",
    ),
    Row(
        "start and wait in vain",
        "POST",
        "orchestrators/puppet/slow?timeout=0.01&pollingInterval=0.01",
        "1",
        202,
        "/instances/slow?",
    ),
    Row(
        "interval over time-out",
        "POST",
        "orchestrators/puppet?timeout=1&pollingInterval=2",
        "1",
        400,
        "pollingInterval",
    ),
    Row("time-out no number", "POST", "orchestrators/puppet?timeout=soon", "1", 400, "`timeout`"),
    Row("start a version", "POST", "orchestrators/versioned?version=1.0&timeout=30", "", 200, "\"one\""),
    Row("start the newest", "POST", "orchestrators/versioned?timeout=30", "", 200, "\"two\""),
    Row("start no version", "POST", "orchestrators/versioned?version=9", "", 400, "version `9`"),
    // Status
    Row("status of a running one", "GET", "instances/running", "", 202, r#""runtimeStatus":"Running""#),
    Row("status of a pending one", "GET", "instances/pending", "", 202, r#""runtimeStatus":"Pending""#),
    Row("status of a suspended one", "GET", "instances/suspended", "", 202, r#""runtimeStatus":"Suspended""#),
    Row("status of a completed one", "GET", "instances/completed", "", 200, r#""runtimeStatus":"Completed""#),
    Row("status of a failed one", "GET", "instances/failed", "", 200, r#""runtimeStatus":"Failed""#),
    Row(
        "500 for a failed one",
        "GET",
        "instances/failed?RETURNInternalServerErrorOnFailure=True",
        "",
        500,
        r#""output":"told to fail""#,
    ),
    Row(
        "no 500 for a completed one",
        "GET",
        "instances/completed?returnInternalServerErrorOnFailure=true",
        "",
        200,
        "Completed",
    ),
    Row("without the input", "GET", "instances/completed?showInput=false", "", 200, r#""input":null"#),
    Row("status of nobody", "GET", "instances/nobody", "", 404, "no instance with the ID nobody"),
    Row("status of what is no id", "GET", "instances/@x", "", 404, "no instance"),
    Row("status with a bad flag", "GET", "instances/running?showInput=perhaps", "", 400, "`showInput`"),
    Row("status with a bad query", "GET", "instances/running?x=%", "", 400, "hexadecimal"),
    Row("status with its history", "GET", "instances/completed?showHistory=true", "", 200, "historyEvents"),
    Row("another hub", "GET", "instances/running?taskHub=other", "", 400, "`taskHub`"),
    Row("another connection", "GET", "instances/running?CONNECTION=other", "", 400, "`connection`"),
    Row("the hub", "GET", "instances/running?taskhub=Persevere&connection=storage", "", 202, "Running"),
    Row(
        "wait for a change that is there",
        "GET",
        "instances/running?waitForCustomStatusChange=0&timeout=30",
        "",
        202,
        "Running",
    ),
    Row("wait for an ended one", "GET", "instances/completed?waitForCustomStatusChange=1", "", 200, "Completed"),
    Row("wait in vain", "GET", "instances/running?waitForCustomStatusChange=1&timeout=0", "", 202, "Running"),
    Row("wait for nobody", "GET", "instances/nobody?waitForCustomStatusChange=1", "", 404, "no instance"),
    Row(
        "wait for nonsense",
        "GET",
        "instances/running?waitForCustomStatusChange=x",
        "",
        400,
        "neither a version nor a token",
    ),
    Row("a time-out that is none", "GET", "instances/running?timeout=-1", "", 400, "`timeout`"),
    // Events
    Row("raise", "POST", "instances/running/raiseEvent/Next", "2", 202, ""),
    Row("raise, in other letters", "POST", "instances/running/RAISEEVENT/Other%2FEvent", "null", 202, ""),
    Row("raise bad JSON", "POST", "instances/running/raiseEvent/Next", "{", 400, "Invalid JSON content"),
    Row(
        "raise nothing",
        "POST",
        "instances/running/raiseEvent/Next",
        "",
        400,
        "Only application/json request content is supported",
    ),
    Row("raise for nobody", "POST", "instances/nobody/raiseEvent/Next", "2", 404, "no instance"),
    Row("raise bad JSON for nobody", "POST", "instances/nobody/raiseEvent/Next", "{", 404, "no instance"),
    Row("raise for an ended one", "POST", "instances/completed/raiseEvent/Next", "2", 410, "has ended"),
    Row("raise bad JSON for an ended one", "POST", "instances/completed/raiseEvent/Next", "{", 410, "has ended"),
    // Control
    Row("suspend", "POST", "instances/running/suspend?reason=wait", "", 202, ""),
    Row("suspend again", "POST", "instances/running/suspend", "", 500, "System.InvalidOperationException"),
    Row("suspend nobody", "POST", "instances/nobody/suspend", "", 404, "no instance"),
    Row("suspend an ended one", "POST", "instances/failed/suspend", "", 410, "has ended"),
    Row("resume", "POST", "instances/running/RESUME?reason=go%20on", "", 202, ""),
    Row("resume again", "POST", "instances/running/resume", "", 500, "System.InvalidOperationException"),
    Row("resume nobody", "POST", "instances/nobody/resume", "", 404, "no instance"),
    Row("resume an ended one", "POST", "instances/failed/resume", "", 410, "has ended"),
    Row(
        "rewind a running one",
        "POST",
        "instances/running/rewind",
        "",
        412,
        r#"This orchestration has status Running, but only orchestrations in the \"Failed\" state can be rewound."#,
    ),
    Row("rewind nobody", "POST", "instances/nobody/rewind", "", 404, "no instance"),
    Row("restart under a new id", "POST", "instances/completed/restart", "", 202, "statusQueryGetUri"),
    Row(
        "restart a running one under a new id",
        "POST",
        "instances/running/restart?restartWithNewInstanceId=true",
        "",
        202,
        "id",
    ),
    Row(
        "restart under the same id",
        "POST",
        "instances/failed/restart?restartWithNewInstanceId=false",
        "",
        202,
        "/instances/failed?",
    ),
    Row(
        "restart a running id",
        "POST",
        "instances/running/restart?restartWithNewInstanceId=false",
        "",
        409,
        "A non-terminal instance with this instance ID already exists.",
    ),
    Row(
        "restart nobody",
        "POST",
        "instances/nobody/restart",
        "",
        400,
        "InstanceId does not match a valid orchestration instance.",
    ),
    Row(
        "restart with a bad flag",
        "POST",
        "instances/completed/restart?restartWithNewInstanceId=2",
        "",
        400,
        "restartWithNewInstanceId",
    ),
    Row("retry what is not parked", "POST", "instances/suspended/retry", "", 412, "not parked"),
    Row("retry an ended one", "POST", "instances/completed/retry", "", 410, "has ended"),
    Row("retry nobody", "POST", "instances/nobody/retry", "", 404, "no instance"),
    Row("terminate", "POST", "instances/running/terminate?reason=enough", "", 202, ""),
    Row("terminate again", "POST", "instances/running/terminate", "", 410, "has ended"),
    Row("terminate nobody", "POST", "instances/nobody/terminate", "", 404, "no instance"),
    // Lists
    Row("list", "GET", "instances/", "", 200, r#""instanceId":"completed""#),
    Row("list without a slash", "GET", "instances", "", 200, r#""instanceId":"completed""#),
    Row(
        "list a state",
        "GET",
        "instances/?runtimeStatus=completed,nonsense&runtimeStatus=Suspended",
        "",
        200,
        "suspended",
    ),
    Row("list a state that is never", "GET", "instances/?runtimeStatus=Canceled", "", 200, "[]"),
    Row("list a prefix", "GET", "instances/?instanceIdPrefix=susp", "", 200, "suspended"),
    Row("list by custom status", "GET", "instances/?customStatus=:suspended", "", 200, r#""instanceId":"suspended""#),
    Row("list by no pointer", "GET", "instances/?customStatus=city:London", "", 400, "pointer"),
    Row("list by no condition", "GET", "instances/?customStatus=city", "", 400, "pointer"),
    Row(
        "list since ever",
        "GET",
        "instances/?createdTimeFrom=2020-01-01T00:00:00Z&createdTimeTo=2020-01-02",
        "",
        200,
        "[]",
    ),
    Row("list since never", "GET", "instances/?createdTimeFrom=yesterday", "", 400, "`createdTimeFrom`"),
    Row("list none", "GET", "instances/?top=0", "", 400, "`top`"),
    Row("list very many", "GET", "instances/?top=100000", "", 200, "instanceId"),
    // Purges
    Row("purge one", "DELETE", "instances/completed", "", 200, r#"{"instancesDeleted":1}"#),
    Row("purge it again", "DELETE", "instances/completed", "", 404, "no instance"),
    Row(
        "purge a suspended one",
        "DELETE",
        "instances/suspended",
        "",
        412,
        "Only orchestrations in a terminal state can be purged, but the orchestration with instance ID suspended has status Suspended",
    ),
    Row("purge what is no id", "DELETE", "instances/@x", "", 404, "no instance"),
    Row(
        "purge many without a time",
        "DELETE",
        "instances/",
        "",
        400,
        "Please provide value for 'createdTimeFrom' parameter.",
    ),
    Row(
        "purge many in a bad state",
        "DELETE",
        "instances/?createdTimeFrom=2020-01-01&runtimeStatus=Complete",
        "",
        400,
        "`runtimeStatus`",
    ),
    Row(
        "purge many of a state without any",
        "DELETE",
        "instances/?createdTimeFrom=2020-01-01&runtimeStatus=Canceled",
        "",
        404,
        "no ended instance",
    ),
    Row(
        "purge many of the past",
        "DELETE",
        "instances/?createdTimeFrom=2020-01-01&createdTimeTo=2020-01-02",
        "",
        404,
        "no ended instance",
    ),
    Row(
        "purge many",
        "DELETE",
        "instances/?createdTimeFrom=2020-01-01&runtimeStatus=Terminated",
        "",
        200,
        r#"{"instancesDeleted":1}"#,
    ),
    // What does not exist
    Row("unknown operation", "POST", "instances/suspended/unknown", "", 404, "RouteNotFound"),
    Row("wrong method", "PUT", "instances/suspended", "", 404, "RouteNotFound"),
    Row("wrong method for a start", "GET", "orchestrators/puppet", "", 404, "RouteNotFound"),
    Row("entities", "GET", "entities/counter/one", "", 404, "RouteNotFound"),
    Row("primary", "POST", "makeprimary", "", 404, "RouteNotFound"),
    Row("method of one's own", "BREW", "instances", "", 404, "RouteNotFound"),
    // Next to the API
    Row("alive", "GET", "/healthz", "", 200, r#"{"status":"alive"}"#),
    Row("ready", "GET", "/readyz", "", 200, r#"{"status":"ready"}"#),
    Row("description", "GET", "/openapi.json", "", 200, r#""openapi":"3.1.0""#),
    Row("alive, posted", "POST", "/healthz", "", 404, "RouteNotFound"),
];

async fn run(app: &App, rows: &[Row]) {
    let mut wrong = Vec::new();
    for Row(name, method, path, body, status, says) in rows {
        let answer = app.send(request(method, path, body)).await;
        let json = answer.text.is_empty() || answer.header("content-type") == Some("application/json; charset=utf-8");
        if answer.status != *status
            || !answer.text.contains(says)
            || !json
            || (says.is_empty() && !answer.text.is_empty())
        {
            wrong.push(format!("{name}: {} {}", answer.status, answer.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_route_answers_as_it_should() {
    in_time(async {
        let app = App::new().await;
        app.one_of_each().await;
        run(&app, WITHOUT_KEYS).await;
    })
    .await;
}

/// Each route with the scope that it needs.
const SCOPES: &[(&str, &str, &str)] = &[
    ("POST", "orchestrators/puppet", "start"),
    ("POST", "orchestrators/puppet/other", "start"),
    ("GET", "instances/", "read"),
    ("GET", "instances/running", "read"),
    ("GET", "instances/running?waitForCustomStatusChange=0", "read"),
    ("GET", "instances/completed/customStatus/stream", "read"),
    ("GET", "instances/stream?ids=completed,failed", "read"),
    ("POST", "instances/running/raiseEvent/Other", "raise"),
    ("POST", "instances/running/suspend", "manage"),
    ("POST", "instances/running/resume", "manage"),
    ("POST", "instances/running/retry", "manage"),
    ("POST", "instances/failed/rewind", "manage"),
    ("POST", "instances/completed/restart", "manage"),
    ("POST", "instances/running/terminate", "manage"),
    ("DELETE", "instances/completed", "purge"),
    ("DELETE", "instances/?createdTimeFrom=2020-01-01", "purge"),
];

#[tokio::test]
async fn every_route_needs_its_scope_and_no_other() {
    in_time(async {
        let scopes = ["read", "start", "raise", "manage", "purge"];
        let lines = scopes.map(|scope| format!("{scope} {scope} secret-of-{scope}-0123456789"));
        let app = App::with(keyed(&lines.join("\n"))).await;
        app.one_of_each().await;
        let mut wrong = Vec::new();
        for (method, path, needed) in SCOPES {
            let mut none = request(method, path, "1");
            none.headers_mut().insert("x-functions-key", "nobody-knows-this-one".parse().unwrap());
            for (refused, request) in [("no key", request(method, path, "1")), ("an unknown key", none)] {
                let answer = app.send(request).await;
                if answer.status != 401 || answer.header("www-authenticate").is_none() {
                    wrong.push(format!("{method} {path} with {refused}: {}", answer.status));
                }
            }
            for scope in scopes.iter().filter(|scope| *scope != needed).chain([needed]) {
                let mut request = request(method, path, "1");
                let key = format!("secret-of-{scope}-0123456789");
                request.headers_mut().insert("x-functions-key", key.parse().unwrap());
                let status = app.send(request).await.status;
                let right = if scope == needed { status != 401 && status != 403 } else { status == 403 };
                if !right {
                    wrong.push(format!("{method} {path} with {scope}: {status}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        for public in ["/healthz", "/readyz", "/openapi.json"] {
            assert_eq!(app.get(public).await.status, 200, "{public}");
        }
    })
    .await;
}

fn keyed(keys: &str) -> HttpOptions {
    options().keys(keys.parse().unwrap())
}
