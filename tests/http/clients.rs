//! Requests exactly as the published clients of the family write them, with the answers that these clients accept.

use serde_json::json;

use crate::http::stage::{App, in_time, request};

/// The client, its request, and the code of the answer.
struct Sent(&'static str, &'static str, &'static str, &'static str, u16);

const HUB: &str = "taskHub=persevere&connection=Storage&code=";

/// The order matters: some requests end what later ones expect to have ended. `{hub}` stands for the end of every URL
/// of the family.
const SENT: &[Sent] = &[
    // Python sends `json=json.dumps(value)`, and flags as Python writes them.
    Sent("Python", "POST", "orchestrators/count_words?code=", r#""[\"Tokyo\"]""#, 202),
    Sent("Python", "POST", "orchestrators/await_decision/python?code=", "", 202),
    Sent("Python", "GET", "instances/python?{hub}&showHistory=True&showHistoryOutput=False&showInput=True", "", 202),
    Sent("Python", "GET", "instances/python?{hub}&showInput=false", "", 202),
    Sent(
        "Python",
        "GET",
        "instances/?{hub}&createdTimeFrom=2020-01-01T00:00:00.000000Z&runtimeStatus=Running,Completed",
        "",
        200,
    ),
    Sent("Python", "POST", "instances/python/suspend?reason=&{hub}", "", 202),
    Sent("Python", "POST", "instances/python/resume?reason=None&{hub}", "", 202),
    Sent("Python", "POST", "instances/python/raiseEvent/decided_by_client?{hub}", r#""true""#, 202),
    Sent("Python", "POST", "instances/nobody/terminate?reason=%20enough&{hub}", "", 404),
    Sent("Python", "DELETE", "instances/nobody?{hub}", "", 404),
    // JavaScript sends plain JSON, and times with milliseconds.
    Sent("JavaScript", "POST", "orchestrators/await_decision/javascript?code=", r#"{"a":[1]}"#, 202),
    Sent(
        "JavaScript",
        "GET",
        "instances/javascript?{hub}&showHistory=false&showHistoryOutput=false&showInput=true",
        "",
        202,
    ),
    Sent(
        "JavaScript",
        "GET",
        "instances/?{hub}&createdTimeFrom=2020-01-01T00:00:00.000Z&createdTimeTo=2020-01-02T00:00:00.000Z&runtimeStatus=Running,Pending",
        "",
        200,
    ),
    Sent("JavaScript", "POST", "instances/javascript/terminate?reason=found%20a%20bug&{hub}", "", 202),
    Sent("JavaScript", "POST", "instances/javascript/raiseEvent/decided_by_client?{hub}", "true", 410),
    Sent("JavaScript", "POST", "instances/javascript/rewind?reason=again&{hub}", "", 412),
    Sent("JavaScript", "DELETE", "instances/javascript?{hub}", "", 200),
    Sent(
        "JavaScript",
        "DELETE",
        "instances/?{hub}&createdTimeFrom=2020-01-01T00:00:00.000Z&createdTimeTo=2020-01-02T00:00:00.000Z&runtimeStatus=Completed,Failed",
        "",
        404,
    ),
    // In Rust, the last flag ends with a `+`.
    Sent("Rust", "POST", "orchestrators/await_decision/rust?code=", "null", 202),
    Sent("Rust", "GET", "instances/rust?{hub}&showHistory=false&showHistoryOutput=false&showInput=false+", "", 202),
    Sent("Rust", "GET", "instances/rust?{hub}&showHistory=false+", "", 202),
    Sent("Rust", "POST", "instances/rust/raiseEvent/decided_by_client?{hub}", "true", 202),
    // PowerShell sends times in the invariant culture.
    Sent("PowerShell", "POST", "orchestrators/await_decision/powershell?code=", "", 202),
    Sent("PowerShell", "GET", "instances/powershell?{hub}&showHistory=True&showInput=False", "", 202),
    Sent("PowerShell", "GET", "instances/?{hub}&createdTimeFrom=3%2F10%2F2018%2010%3A01%3A00%20AM&top=5", "", 200),
    Sent("PowerShell", "POST", "instances/powershell/raiseEvent/decided_by_client?{hub}", "false", 202),
    // Requests written by hand, as the documentation of the family shows them.
    Sent("curl", "POST", "orchestrators/count_words?code=&timeout=60&pollingInterval=1", r#"["a","b"]"#, 200),
    Sent("curl", "POST", "instances/rust/restart?restartWithNewInstanceId=true&{hub}", "", 202),
];

#[tokio::test]
async fn published_clients_are_answered_as_they_expect() {
    in_time(async {
        let app = App::new().await;
        let mut wrong = Vec::new();
        for Sent(client, method, path, body, status) in SENT {
            let answer = app.send(request(method, &path.replace("{hub}", HUB), body)).await;
            if answer.status != *status {
                wrong.push(format!("{client}: {method} {path}: {} {}", answer.status, answer.text));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        for (id, output) in [("python", json!(true)), ("rust", json!(true)), ("powershell", json!(false))] {
            let ended = app.client().wait_for_completion(id).await.unwrap();
            assert_eq!(ended.serialized_output(), Some(&*output.to_string()), "{id}");
        }
    })
    .await;
}
