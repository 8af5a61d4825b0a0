//! The exact bodies and headers of answers.

use persevere::http::HttpOptions;
use persevere::prelude::*;
use serde_json::json;

use crate::http::stage::{App, in_time, options, request};

#[tokio::test]
async fn the_answer_to_a_start() {
    in_time(async {
        let app = App::new().await;
        let answer = app.post("orchestrators/puppet/my%20order%20%C3%BC", "1").await;
        let uri = "http://localhost:7071/runtime/webhooks/durabletask/instances/my%20order%20%C3%BC";
        let hub = "taskHub=persevere&connection=Storage";
        let expected = format!(
            concat!(
                r#"{{"id":"my order ü","statusQueryGetUri":"{uri}?{hub}","#,
                r#""sendEventPostUri":"{uri}/raiseEvent/{{eventName}}?{hub}","#,
                r#""terminatePostUri":"{uri}/terminate?reason={{text}}&{hub}","#,
                r#""purgeHistoryDeleteUri":"{uri}?{hub}","#,
                r#""restartPostUri":"{uri}/restart?{hub}","#,
                r#""suspendPostUri":"{uri}/suspend?reason={{text}}&{hub}","#,
                r#""resumePostUri":"{uri}/resume?reason={{text}}&{hub}"}}"#,
            ),
            uri = uri,
            hub = hub
        );
        assert_eq!(answer.text, expected);
        assert_eq!(answer.status, 202);
        assert_eq!(answer.header("location"), Some(&*format!("{uri}?{hub}")));
        assert_eq!(answer.header("retry-after"), Some("10"));
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));

        let answer = app.post("orchestrators/puppet/x?returnInternalServerErrorOnFailure=true", "1").await;
        let location = answer.header("location").unwrap();
        assert!(location.ends_with("&connection=Storage&returnInternalServerErrorOnFailure=true"), "{location}");
        assert_eq!(answer.json()["statusQueryGetUri"], json!(location));
    })
    .await;
}

#[tokio::test]
async fn the_management_payload() {
    in_time(async {
        let options = HttpOptions::new().public_base_url("https://shop.example:8443/durable/").base_path("/api");
        let app = App::with(options.task_hub("hub").connection("db").insecure(true)).await;
        let started = app.puppet("p", json!(1)).await;
        let payload = app.management.create_http_management_payload(started.id());
        let expected = concat!(
            r#"{"id":"p","#,
            r#""statusQueryGetUri":"https://shop.example:8443/durable/api/instances/p?taskHub=hub&connection=db","#,
            r#""sendEventPostUri":"https://shop.example:8443/durable/api/instances/p/raiseEvent/{eventName}?taskHub=hub&connection=db","#,
            r#""terminatePostUri":"https://shop.example:8443/durable/api/instances/p/terminate?reason={text}&taskHub=hub&connection=db","#,
            r#""rewindPostUri":"https://shop.example:8443/durable/api/instances/p/rewind?reason={text}&taskHub=hub&connection=db","#,
            r#""purgeHistoryDeleteUri":"https://shop.example:8443/durable/api/instances/p?taskHub=hub&connection=db","#,
            r#""restartPostUri":"https://shop.example:8443/durable/api/instances/p/restart?taskHub=hub&connection=db","#,
            r#""suspendPostUri":"https://shop.example:8443/durable/api/instances/p/suspend?reason={text}&taskHub=hub&connection=db","#,
            r#""resumePostUri":"https://shop.example:8443/durable/api/instances/p/resume?reason={text}&taskHub=hub&connection=db"}"#,
        );
        assert_eq!(serde_json::to_string(&payload).unwrap(), expected);
        assert_eq!(app.get("/api/instances/p").await.status, 202);
    })
    .await;
}

#[tokio::test]
async fn the_status_of_an_instance() {
    in_time(async {
        let app = App::new().await;
        let input = r#"{"z":1.10,"a":[ 1e2, 123456789012345678901234567890 ],"s":"\u00fc"}"#;
        app.post("orchestrators/puppet/p", input).await;
        app.client().wait_for_start("p").await.unwrap();
        let metadata = app.client().get_instance("p").await.unwrap().unwrap();
        let [created, updated] = [metadata.created_at(), metadata.last_updated_at()]
            .map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        let answer = app.get("instances/p?showinput=TRUE&code=unused&reason=%20").await;
        let status = serde_json::to_string(&json!(metadata.serialized_custom_status().unwrap())).unwrap();
        let status: String = serde_json::from_str(&status).unwrap();
        let expected = format!(
            concat!(
                r#"{{"name":"puppet","instanceId":"p","runtimeStatus":"Running","input":{input},"customStatus":{status},"#,
                r#""output":null,"createdTime":"{created}","lastUpdatedTime":"{updated}","customStatusVersion":1}}"#
            ),
            input = input,
            status = status,
            created = created,
            updated = updated
        );
        assert_eq!(answer.text, expected);
        assert_eq!(answer.header("retry-after"), Some("5"));
        // The code that came with the request is not repeated in the answer.
        let location = "http://localhost:7071/runtime/webhooks/durabletask/instances/p?showinput=TRUE&reason=%20";
        assert_eq!(answer.header("location"), Some(location));
        let token = answer.header("x-custom-status-token").unwrap();
        assert_eq!(token, metadata.custom_status_token().to_string());

        // This id was sent without encoding.
        app.puppet("\u{e9}", json!(1)).await;
        let unencoded = app.get("instances/\u{e9}").await;
        assert_eq!(unencoded.status, 202);
        assert!(unencoded.header("location").unwrap().ends_with("/instances/%C3%A9"));

        app.tell("p", json!("fail")).await;
        let answer = app.get("instances/p?showInput=false").await;
        let prefix = r#"{"name":"puppet","instanceId":"p","runtimeStatus":"Failed","input":null,"customStatus":"#;
        assert!(answer.text.starts_with(prefix), "{}", answer.text);
        assert!(answer.text.contains(r#","output":"told to fail","createdTime":""#), "{}", answer.text);
        assert_eq!((answer.header("location"), answer.header("retry-after")), (None, None));

        let tagged = app.client().start_by_name("versioned", &()).instance_id("v").tag("tier", "gold").await.unwrap();
        app.client().wait_for_completion(tagged.id()).await.unwrap();
        let text = app.get("instances/v").await.text;
        assert!(text.ends_with(r#""customStatusVersion":0,"version":"2.0","tags":{"tier":"gold"}}"#), "{text}");
        assert!(text.contains(r#""input":null,"customStatus":null,"output":"two","#), "{text}");
    })
    .await;
}

#[tokio::test]
async fn errors_have_one_shape() {
    in_time(async {
        let app = App::new().await;
        let answer = app.post("orchestrators/nobody", "1").await;
        assert_eq!(
            answer.text,
            concat!(
                r#"{"Message":"One or more of the arguments submitted is incorrect","#,
                r#""ExceptionMessage":"no orchestrator `nobody` is registered in this runtime: register it, or correct the name","#,
                r#""ExceptionType":"System.ArgumentException"}"#
            )
        );
        let answer = app.post("orchestrators/puppet", "{").await;
        assert_eq!(
            answer.text,
            concat!(
                r#"{"Message":"Invalid JSON content","ExceptionMessage":"EOF while parsing an object at line 1 column 1","#,
                r#""ExceptionType":"Newtonsoft.Json.JsonReaderException"}"#
            )
        );
        let answer = app.get("instances/%22quoted%22").await;
        assert_eq!(
            answer.text,
            concat!(
                r#"{"Message":"There is no instance with the ID \"quoted\".","#,
                r#""ExceptionMessage":"There is no instance with the ID \"quoted\".","ExceptionType":"InstanceNotFound"}"#
            )
        );
        // The cause is for the log and for development.
        app.puppet("gone", json!(1)).await;
        app.runtime.shutdown().await.unwrap();
        let client = app.management.client().clone();
        let answer = request("POST", "instances/gone/terminate", "");
        let answer = crate::http::stage::send_to(&app.router, answer).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, Some("5")));
        assert!(!answer.text.contains("runtime"), "{}", answer.text);
        let development = persevere::http::router(client, options().development(true)).unwrap();
        let answer = crate::http::stage::send_to(&development, request("POST", "instances/gone/terminate", "")).await;
        assert!(answer.json()["StackTrace"].as_str().unwrap().contains("the runtime has stopped"), "{}", answer.text);
    })
    .await;
}

#[tokio::test]
async fn the_history_of_an_instance() {
    in_time(async {
        let app = App::new().await;
        app.post("orchestrators/tour_cities/h", r#"["Tokyo","London"]"#).await;
        app.post("instances/h/raiseEvent/Onwards", "true").await;
        app.client().wait_for_completion("h").await.unwrap();
        let kinds = |text: &str| {
            let body: serde_json::Value = serde_json::from_str(text).unwrap();
            let events = body["historyEvents"].as_array().unwrap().clone();
            let blank = |mut event: serde_json::Value| {
                let event = event.as_object_mut().unwrap();
                for (name, value) in event.iter_mut().filter(|(name, _)| name.ends_with("Time") || *name == "Timestamp") {
                    assert!(value.as_str().is_some_and(|time| time.ends_with('Z')), "{name}: {value}");
                    *value = json!("T");
                }
                serde_json::to_string(event).unwrap()
            };
            let mut events: Vec<_> = events.into_iter().map(blank).collect();
            // The event may be raised before or after London is greeted.
            events.sort();
            events
        };
        let full = app.get("instances/h?showHistory=true&showHistoryOutput=true").await;
        assert_eq!(
            kinds(&full.text),
            [
                r#"{"EventType":"EventRaised","Input":true,"Name":"Onwards","Timestamp":"T"}"#,
                r#"{"EventType":"ExecutionCompleted","OrchestrationStatus":"Completed","Result":["Hello Tokyo!","Hello London!"],"Timestamp":"T"}"#,
                r#"{"EventType":"ExecutionStarted","FunctionName":"tour_cities","Input":["Tokyo","London"],"Timestamp":"T"}"#,
                r#"{"EventType":"TaskCompleted","FunctionName":"welcome","Input":"London","Result":"Hello London!","ScheduledTime":"T","Timestamp":"T"}"#,
                r#"{"EventType":"TaskCompleted","FunctionName":"welcome","Input":"Tokyo","Result":"Hello Tokyo!","ScheduledTime":"T","Timestamp":"T"}"#,
            ]
        );
        let short = app.get("instances/h?showHistory=true&showInput=false").await;
        assert_eq!(
            kinds(&short.text),
            [
                r#"{"EventType":"EventRaised","Name":"Onwards","Timestamp":"T"}"#,
                r#"{"EventType":"ExecutionCompleted","OrchestrationStatus":"Completed","Timestamp":"T"}"#,
                r#"{"EventType":"ExecutionStarted","FunctionName":"tour_cities","Timestamp":"T"}"#,
                r#"{"EventType":"TaskCompleted","FunctionName":"welcome","ScheduledTime":"T","Timestamp":"T"}"#,
                r#"{"EventType":"TaskCompleted","FunctionName":"welcome","ScheduledTime":"T","Timestamp":"T"}"#,
            ]
        );
        let keys = full.text.find("\"historyEvents\"").zip(full.text.find("\"customStatusVersion\""));
        assert!(keys.is_some_and(|(history, version)| history < version), "{}", full.text);
        assert!(!app.get("instances/h").await.text.contains("historyEvents"));
        // Before the code has run, there is no status to show.
        let later = app.client().start_by_name("puppet", &1).instance_id("later");
        later.start_after(std::time::Duration::from_secs(3600)).await.unwrap();
        assert!(!app.get("instances/later?showHistory=true").await.text.contains("historyEvents"));
    })
    .await;
}

#[tokio::test]
async fn pages_follow_each_other() {
    in_time(async {
        let app = App::new().await;
        for place in 0..5 {
            app.puppet(&format!("p{place}"), json!({ "place": place, "half": place / 2 })).await;
        }
        for query in ["top=2", "top=2&instanceIdPrefix=p"] {
            let (mut seen, mut token, mut pages) = (Vec::new(), String::new(), 0);
            loop {
                let mut request = request("GET", &format!("instances/?{query}"), "");
                request.headers_mut().insert("x-ms-continuation-token", token.parse().unwrap());
                let answer = app.send(request).await;
                assert_eq!(answer.status, 200, "{}", answer.text);
                let page = answer.json().as_array().unwrap().clone();
                assert!(page.len() <= 2);
                seen.extend(page.iter().map(|instance| instance["instanceId"].as_str().unwrap().to_owned()));
                answer.header("x-ms-continuation-token").unwrap().clone_into(&mut token);
                pages += 1;
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!(seen, ["p0", "p1", "p2", "p3", "p4"], "{query}");
            assert!(pages >= 3);
        }
        let by_status = app.get("instances/?customStatus=/half:1&customStatus=%2Fplace:3").await.json();
        assert_eq!(by_status.as_array().unwrap().len(), 1);
        assert_eq!(by_status[0]["instanceId"], "p3");
        assert_eq!(by_status[0]["customStatus"], json!({ "place": 3, "half": 1 }));
        let mut bad = request("GET", "instances/", "");
        bad.headers_mut().insert("x-ms-continuation-token", "k-1".parse().unwrap());
        assert_eq!(app.send(bad).await.status, 400);
    })
    .await;
}

#[activity]
async fn never_answers(station: String) -> Result<(), ActivityError> {
    Err(ActivityError::new(format!("{station} does not answer")))
}

#[orchestrator]
async fn insists(ctx: OrchestrationContext, station: String) -> Result<(), OrchestrationError> {
    let policy = RetryPolicy::attempts(5).first_interval(std::time::Duration::from_secs(3600));
    Ok(never_answers::call(&ctx, station).retry(policy).await?)
}

#[tokio::test]
async fn a_call_that_waits_for_its_next_attempt_is_listed_with_the_history() {
    in_time(async {
        let app = App::new().await;
        app.post("orchestrators/insists/i", r#""Zugspitze""#).await;
        let retries = loop {
            let answer = app.get("instances/i?showHistory=true").await.json();
            if !answer["pendingRetries"].is_null() {
                break answer["pendingRetries"].clone();
            }
            tokio::task::yield_now().await;
        };
        let retry = &retries[0];
        assert_eq!(
            (retries.as_array().unwrap().len(), &retry["name"], &retry["attempt"]),
            (1, &json!("never_answers"), &json!(2))
        );
        assert_eq!(retry["lastError"]["errorMessage"], "Zugspitze does not answer");
        assert!(retry["nextAttemptAt"].as_str().unwrap().ends_with('Z'), "{retry}");
        assert!(app.get("instances/i").await.json().get("pendingRetries").is_none());
    })
    .await;
}

#[tokio::test]
async fn a_failed_instance_is_rewound_and_its_history_says_so() {
    in_time(async {
        let app = App::new().await;
        app.puppet("p", json!(1)).await;
        app.tell("p", json!("fail")).await;
        let answer = app.post("instances/p/rewind?reason=try%20again", "").await;
        assert_eq!((answer.status.as_u16(), &*answer.text), (202, ""));
        // Its own last turn runs again, with the same event.
        app.client().wait_for_completion("p").await.unwrap();
        let history = app.get("instances/p?showHistory=true&showHistoryOutput=true").await.json();
        let events = history["historyEvents"].as_array().unwrap();
        let rewound = events.iter().find(|event| event["EventType"] == "ExecutionRewound").unwrap();
        assert_eq!(rewound["Reason"], "try again");
        assert_eq!(history["runtimeStatus"], "Failed");
    })
    .await;
}
