//! Routes that a program adds itself: typed input, typed status, and the family's answers.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post, put};
use persevere::http::{ApiError, Management, Started, TypedInput, TypedStatus, start_handler, status_handler};
use persevere::prelude::*;
use serde_json::json;

use crate::http::stage::{
    Answer, App, Recommendation, city_recommender, divide, in_time, puppet, request, send_to, tour_cities,
};

/// The same id with the same input is the same orchestration.
async fn put_cities(
    State(management): State<Management>,
    Path(id): Path<String>,
    TypedInput(cities): TypedInput<tour_cities>,
) -> Result<Started<tour_cities>, ApiError> {
    let hello = tour_cities::start(management.client(), cities).instance_id(id).await?;
    Ok(management.started(hello))
}

async fn divided(
    State(management): State<Management>,
    TypedInput((a, b)): TypedInput<divide>,
) -> Result<Response, ApiError> {
    let started = divide::start(management.client(), a, b).await?;
    let timeout = Duration::from_secs(30);
    Ok(management.wait_for_completion_or_create_check_status_response(started.id(), timeout).await?)
}

fn routes(app: &App) -> Router {
    Router::new()
        .route("/cities", post(start_handler::<tour_cities>))
        .route("/cities/{id}", get(status_handler::<tour_cities>).put(put_cities))
        .route("/puppets/{id}", get(status_handler::<puppet>))
        .route("/recommendations", post(start_handler::<city_recommender>))
        .route("/quotients", put(divided))
        .route("/none", post(start_handler::<crate::http::stage::versioned_2>))
        .with_state(app.management.clone())
        .merge(app.management.router())
}

async fn send(router: &Router, method: &str, path: &str, body: &str) -> Answer {
    send_to(router, request(method, path, body)).await
}

#[tokio::test]
async fn a_typed_start_is_answered_with_the_urls() {
    in_time(async {
        let app = App::new().await;
        let routes = routes(&app);
        let answer = send(&routes, "POST", "/cities", r#"["Tokyo"]"#).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (202, Some("10")), "{}", answer.text);
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        app.client().wait_for_completion(&id).await.unwrap();
        let status = send(&routes, "GET", &format!("/cities/{id}"), "").await;
        assert_eq!(status.status, 200);
        assert_eq!(
            (&status.json()["customStatus"], &status.json()["output"]),
            (&json!("Tokyo"), &json!(["Hello Tokyo!"]))
        );
        // The API itself is served next to these routes.
        let path = answer.json()["statusQueryGetUri"].as_str().unwrap().replace("http://localhost:7071", "");
        assert_eq!(send(&routes, "GET", &path, "").await.text, status.text);

        let one = send(&routes, "PUT", "/cities/mine", r#"["London"]"#).await;
        let again = send(&routes, "PUT", "/cities/mine", r#" [ "London" ] "#).await;
        assert_eq!((one.status.as_u16(), again.status.as_u16()), (202, 202));
        assert_eq!(one.text, again.text);
        assert_eq!(send(&routes, "PUT", "/cities/mine", r#"["Paris"]"#).await.status, 409);
        let running = send(&routes, "GET", "/cities/mine", "").await;
        assert_eq!((running.status.as_u16(), running.header("retry-after")), (202, Some("5")));
    })
    .await;
}

#[tokio::test]
async fn an_invalid_input_is_refused_with_its_position() {
    in_time(async {
        let app = App::new().await;
        let routes = routes(&app);
        for (path, body, status, says) in [
            ("/cities", r#"["Tokyo", 5]"#, 422, "at `[1]`: invalid type: integer `5`, expected a string"),
            ("/cities", "{}", 422, "at `.`: invalid type: map"),
            ("/cities", r#"["Tokyo""#, 400, "EOF"),
            ("/cities", r#"["Tokyo"] x"#, 400, "trailing"),
            ("/cities", "", 422, "invalid type: null"),
            ("/recommendations", "-1", 422, "u32"),
            ("/none", "null", 202, ""),
            ("/none", "", 202, ""),
        ] {
            let answer = send(&routes, "POST", path, body).await;
            assert_eq!(answer.status, status, "{body}: {}", answer.text);
            assert!(answer.text.contains(says), "{body}: {}", answer.text);
            assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
        }
        let mut plain = request("POST", "/cities", r#"["Tokyo"]"#);
        plain.headers_mut().insert("content-type", "text/plain".parse().unwrap());
        assert_eq!(send_to(&routes, plain).await.status, 415);
        let long = json!(["x".repeat(2 << 20)]).to_string();
        assert_eq!(send(&routes, "POST", "/cities", &long).await.status, 413);
        // An instance of another orchestrator is not an instance of this one.
        app.puppet("p", json!(1)).await;
        for id in ["p", "nobody", "@x", "a%2Fb"] {
            assert_eq!(send(&routes, "GET", &format!("/cities/{id}"), "").await.status, 404, "{id}");
        }
        assert_eq!(send(&routes, "GET", "/cities/%ff", "").await.status, 400);
        assert_eq!(send(&routes, "GET", "/puppets/p", "").await.status, 202);
    })
    .await;
}

#[tokio::test]
async fn a_result_comes_at_once_if_it_comes_in_time() {
    in_time(async {
        let app = App::new().await;
        let routes = routes(&app);
        let answer = send(&routes, "PUT", "/quotients", "[6,3]").await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "2"));
        let answer = send(&routes, "PUT", "/quotients", "[6,0]").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["output"]), (200, &json!("division by zero")));
        let id = app.puppet("p", json!(1)).await.id().clone();
        let waiting = app.management.wait_for_completion_or_create_check_status_response(&id, Duration::from_millis(1));
        assert_eq!(waiting.await.unwrap().status(), 202);
    })
    .await;
}

#[tokio::test]
async fn a_typed_status_has_types() {
    in_time(async {
        let app = App::new().await;
        let started = city_recommender::start(app.client(), 1).await.unwrap();
        started.result().await.unwrap();
        let status = TypedStatus::read(&started).await.unwrap();
        let StatusValue::Typed(Recommendation { recommended_cities, .. }) = status.custom_status() else {
            panic!("{status:?}")
        };
        assert_eq!(recommended_cities, ["Tokyo", "Seattle"]);
        assert_eq!(status.output(), Ok(Some(1)));
        assert_eq!(status.metadata().instance_id(), started.id());
    })
    .await;
}
