//! Inputs and events that do not match the types of the code: values that a client encoded twice, and values that no
//! code accepts.

use persevere::prelude::*;
use persevere::{ParkCode, ParkReason, RuntimeStatus};
use serde_json::{Value, json};

use crate::http::stage::{App, in_time, options};

/// Lines to add to an order.
#[external_event]
#[derive(Clone, Debug, PartialEq)]
struct LinesAdded {
    lines: Vec<(String, u32)>,
    express: bool,
}

/// The order is complete.
#[external_event(name = "Order.Closed")]
#[derive(Clone, Debug, PartialEq)]
struct Closed;

/// Collects lines, and accepts no other event.
#[orchestrator(events(LinesAdded, Closed))]
async fn order_of_lines(
    ctx: OrchestrationContext<usize>,
    customer: (String, u8),
) -> Result<Vec<(String, u32)>, OrchestrationError> {
    let (mut lines, _) = (Vec::new(), customer);
    loop {
        select! {
            added = LinesAdded::wait(&ctx) => lines.extend(added?.lines),
            closed = Closed::wait(&ctx) => {
                closed?;
                return Ok(lines);
            }
        }
        ctx.set_custom_status(&lines.len())?;
    }
}

/// Accepts no event.
#[orchestrator(events())]
async fn deaf_order(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    ctx.create_timer(std::time::Duration::from_secs(3600)).await;
    Ok(())
}

/// Takes one list.
#[orchestrator]
async fn count_words(_ctx: OrchestrationContext, words: Vec<String>) -> Result<usize, OrchestrationError> {
    Ok(words.len())
}

/// Whether to continue.
#[external_event(name = "decided_by_client")]
#[derive(Clone, Debug, PartialEq)]
struct Decided(bool);

/// Waits for a decision, and does not list its events.
#[orchestrator]
async fn await_decision(ctx: OrchestrationContext) -> Result<bool, OrchestrationError> {
    let Decided(go_on) = Decided::wait(&ctx).await?;
    Ok(go_on)
}

/// Encodes a value twice, as some clients do.
fn twice(value: &Value) -> String {
    json!(value.to_string()).to_string()
}

#[tokio::test]
async fn a_value_that_was_encoded_twice_is_the_value() {
    in_time(async {
        let app = App::new().await;
        let answer = app.post("orchestrators/count_words?timeout=60", &twice(&json!(["Tokyo", "Seattle"]))).await;
        assert_eq!(answer.text, "2");
        assert_eq!(app.post("orchestrators/divide?timeout=60", &twice(&json!([6, 3]))).await.text, "2");
        let version = "orchestrators/versioned?timeout=60&version=1.0";
        assert_eq!(app.post(version, &twice(&json!(null))).await.text, r#""one""#);

        app.post("orchestrators/order_of_lines/o", &twice(&json!(["Ada", 3]))).await;
        let lines = json!({ "lines": [["pen", 2]], "express": true });
        for payload in [lines.to_string(), twice(&lines)] {
            assert_eq!(app.post("instances/o/raiseEvent/linesadded", &payload).await.status, 202);
        }
        assert_eq!(app.post("instances/o/raiseEvent/order.closed", &twice(&json!(null))).await.status, 202);
        let ended = app.client().wait_for_completion("o").await.unwrap();
        assert_eq!(ended.serialized_output(), Some(r#"[["pen",2],["pen",2]]"#));

        // The code does not list its events, so the type is found by the name of the event.
        app.post("orchestrators/await_decision/t", "").await;
        assert_eq!(app.post("instances/t/raiseEvent/Decided_By_Client", &twice(&json!(true))).await.status, 202);
        assert_eq!(app.client().wait_for_completion("t").await.unwrap().serialized_output(), Some("true"));
    })
    .await;
}

#[tokio::test]
async fn a_start_without_the_input_that_the_code_needs_is_refused() {
    in_time(async {
        let app = App::new().await;
        for body in ["", "  \n"] {
            let refused = app.post("orchestrators/count_words/none", body).await;
            let text = refused.json().to_string();
            assert!(refused.status == 400 && text.contains("`count_words` needs an input"), "{text}");
        }
        assert!(app.client().get_instance("none").await.unwrap().is_none(), "nothing was started");
        // The code can do without it, or nobody here knows what it needs.
        assert_eq!(app.post("orchestrators/puppet", "").await.status, 202);
        // An input of another type is stored, because another version of the code may be able to read it.
        assert_eq!(app.post("orchestrators/count_words/wrong", "7").await.status, 202);
    })
    .await;
}

#[tokio::test]
async fn a_string_stays_a_string_where_the_code_takes_one() {
    in_time(async {
        let app = App::new().await;
        for text in [r#""[1]""#, r#""null""#, r#""\"x\"""#] {
            let id = app.post("orchestrators/puppet", text).await.json()["id"].as_str().unwrap().to_owned();
            let input = app.client().get_instance(&id).await.unwrap().unwrap();
            assert_eq!(input.serialized_input(), text);
        }
        // Without the option, nothing is decoded twice.
        let strict = App::with(options().lenient_json_strings(false)).await;
        strict.post("orchestrators/count_words/strict?timeout=60", &twice(&json!(["Tokyo"]))).await;
        let instance = strict.client().get_instance("strict").await.unwrap().unwrap();
        assert_eq!(instance.parked_reason().map(ParkReason::code), Some(ParkCode::UndecodableValue));
        strict.client().start_by_name("order_of_lines", &("Ada", 3)).instance_id("o").await.unwrap();
        let answer =
            strict.post("instances/o/raiseEvent/LinesAdded", &twice(&json!({ "lines": [], "express": false }))).await;
        assert_eq!(answer.status, 400);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_the_code_does_not_take_is_refused() {
    in_time(async {
        let app = App::new().await;
        app.client().start_by_name("order_of_lines", &("Ada", 3)).instance_id("o").await.unwrap();
        app.client().start_by_name("deaf_order", &()).instance_id("deaf").await.unwrap();
        for (event, payload, says) in [
            (
                "o/raiseEvent/LineAdded",
                "1",
                "`order_of_lines` does not accept the event `LineAdded`: did you mean `LinesAdded`?",
            ),
            ("o/raiseEvent/Order.closd", "null", "did you mean `Order.Closed`?"),
            ("o/raiseEvent/Approved", "null", "its events are `LinesAdded`, `Order.Closed`"),
            ("deaf/raiseEvent/Closed", "null", "it accepts none"),
            (
                "o/raiseEvent/LinesAdded",
                r#"{"lines":[["pen",2],["ink","3"]],"express":true}"#,
                "at `lines[1][1]`: invalid type: string \"3\", expected u32",
            ),
            ("o/raiseEvent/LINESADDED", r#"{"lines":[]}"#, "missing field `express`"),
            ("o/raiseEvent/LinesAdded", r#""{\"lines\":[]}""#, "invalid type: string"),
        ] {
            let answer = app.post(&format!("instances/{event}"), payload).await;
            assert_eq!(answer.status, 400, "{event} {payload}: {}", answer.text);
            assert!(answer.json()["ExceptionMessage"].as_str().unwrap().contains(says), "{event}: {}", answer.text);
        }
        // Nothing was delivered: the instance continues, and a valid event still ends it.
        assert_eq!(app.client().get_instance("o").await.unwrap().unwrap().runtime_status(), RuntimeStatus::Running);
        assert_eq!(app.post("instances/o/raiseEvent/Order.Closed", "null").await.status, 202);
        assert_eq!(app.client().wait_for_completion("o").await.unwrap().serialized_output(), Some("[]"));
        // A problem with the instance is reported first.
        assert_eq!(app.post("instances/o/raiseEvent/Misspelled", "null").await.status, 410);
        assert_eq!(app.post("instances/nobody/raiseEvent/Misspelled", "null").await.status, 404);
    })
    .await;
}
