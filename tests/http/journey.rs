//! A client that knows one URL and one key. After that it uses only the URLs in the answer to its start.

use persevere::http::{HttpOptions, Server};
use persevere::prelude::*;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::http::stage::{BASE, in_time, runtime};
use crate::http::wire::Follower;

/// A served API with one key that may start, read, raise, manage and purge.
struct Served {
    follower: Follower,
    runtime: Runtime,
    stop: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<()>,
}

const KEY: &str = "a-secret-that-never-comes-back";

impl Served {
    async fn new() -> Self {
        let runtime = runtime(MemoryStore::new()).await;
        let keys = format!("shop all {KEY}").parse().unwrap();
        let options = HttpOptions::new().bind(([127, 0, 0, 1], 0)).keys(keys);
        let server = Server::bind(runtime.client().clone(), options).await.unwrap();
        let follower = Follower { address: server.local_addr() };
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.run_until(async { drop(stopped.await) }));
        Self { follower, runtime, stop, serving }
    }

    /// Starts with the key. From here on, the key is not used any more.
    async fn start(&self, function: &str, input: &Value) -> Value {
        let url = format!("http://{}{BASE}/orchestrators/{function}?code={KEY}", self.follower.address);
        let (status, location, payload) = self.follower.send("POST", &url, &input.to_string()).await;
        assert_eq!((status, location.as_deref()), (202, payload["statusQueryGetUri"].as_str()), "{payload}");
        assert!(!payload.to_string().contains(KEY), "{payload}");
        payload
    }

    async fn follow(&self, method: &str, url: &Value, body: &str) -> (u16, Value) {
        let (status, _, body) = self.follower.send(method, url.as_str().unwrap(), body).await;
        (status, body)
    }

    /// Reads repeatedly, as clients of the family do, until the status is as expected.
    async fn poll(&self, payload: &Value, until: impl Fn(&Value) -> bool) -> Value {
        let mut url = payload["statusQueryGetUri"].as_str().unwrap().to_owned();
        loop {
            let (status, location, body) = self.follower.send("GET", &url, "").await;
            assert!(matches!(status, 200 | 202), "{status} {body}");
            if until(&body) {
                return body;
            }
            assert_eq!(status, 202, "it ended in another state: {body}");
            url = location.unwrap();
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap();
        self.runtime.shutdown().await.unwrap();
    }
}

fn ended(body: &Value) -> bool {
    ["Completed", "Failed", "Terminated"].iter().any(|ended| body["runtimeStatus"] == *ended)
}

#[tokio::test]
async fn hello_cities_shows_london_and_goes_on() {
    in_time(async {
        let served = Served::new().await;
        let payload = served.start("tour_cities", &json!(["Tokyo", "London", "Seattle"])).await;
        let body = served.poll(&payload, |body| body["customStatus"] == "London").await;
        assert_eq!(body["runtimeStatus"], "Running");
        assert_eq!(body["input"], json!(["Tokyo", "London", "Seattle"]));

        let (status, _) = served.follow("POST", &reason(&payload["suspendPostUri"], "a break"), "").await;
        assert_eq!(status, 202);
        let body = served.poll(&payload, |body| body["runtimeStatus"] == "Suspended").await;
        assert_eq!(body["customStatus"], "London");
        let raise = payload["sendEventPostUri"].as_str().unwrap().replace("{eventName}", "Onwards");
        assert_eq!(served.follow("POST", &json!(raise), "true").await.0, 202);
        let (status, _) = served.follow("POST", &reason(&payload["resumePostUri"], "on"), "").await;
        assert_eq!(status, 202);

        let body = served.poll(&payload, ended).await;
        assert_eq!(body["output"], json!(["Hello Tokyo!", "Hello London!", "Hello Seattle!"]));
        assert_eq!(body["customStatus"], "Seattle");
        assert_eq!(served.follow("POST", &reason(&payload["terminatePostUri"], "late"), "").await.0, 410);
        let (status, again) = served.follow("POST", &payload["restartPostUri"], "").await;
        assert_eq!(status, 202);
        assert_ne!(again["id"], payload["id"]);
        // A client may follow what it obtained through a URL: the new instance has URLs of its own.
        served.poll(&again, |body| body["customStatus"] == "London").await;
        assert_eq!(served.follow("POST", &reason(&again["terminatePostUri"], "enough"), "").await.0, 202);
        let body = served.poll(&again, ended).await;
        assert_eq!((&body["runtimeStatus"], &body["output"]), (&json!("Terminated"), &json!("enough")));

        let (status, body) = served.follow("DELETE", &payload["purgeHistoryDeleteUri"], "").await;
        assert_eq!((status, body), (200, json!({ "instancesDeleted": 1 })));
        assert_eq!(served.follow("GET", &payload["statusQueryGetUri"], "").await.0, 404);
        served.end().await;
    })
    .await;
}

fn reason(url: &Value, text: &str) -> Value {
    json!(url.as_str().unwrap().replace("{text}", &text.replace(' ', "%20")))
}

#[tokio::test]
async fn city_recommender_says_what_can_be_chosen() {
    in_time(async {
        let served = Served::new().await;
        let payload = served.start("city_recommender", &json!(1)).await;
        let body = served.poll(&payload, ended).await;
        let expected = json!({ "recommendedCities": ["Tokyo", "Seattle"], "recommendedSeasons": ["Spring"] });
        assert_eq!((&body["customStatus"], &body["output"]), (&expected, &json!(1)));
        served.end().await;
    })
    .await;
}

#[tokio::test]
async fn reserve_ticket_is_booked() {
    in_time(async {
        let served = Served::new().await;
        let payload = served.start("book_ticket", &json!("ann")).await;
        let body = served.poll(&payload, |body| body["customStatus"].is_object()).await;
        let offer = json!({ "discount": 25, "discountTimeout": 60, "bookingUrl": "https://tickets.example/ann" });
        assert_eq!(body["customStatus"], offer);
        let raise = payload["sendEventPostUri"].as_str().unwrap().replace("{eventName}", "SeatConfirmed");
        assert_eq!(served.follow("POST", &json!(raise), "true").await.0, 202);
        let body = served.poll(&payload, ended).await;
        assert_eq!((&body["customStatus"], &body["output"]), (&json!("Thank you for booking"), &json!(true)));
        served.end().await;
    })
    .await;
}
