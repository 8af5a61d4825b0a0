//! Keys, and the codes in URLs: what they permit, what they do not permit, and where they never appear.

use std::time::Duration;

use persevere::http::{ApiKeys, HttpOptions, Management, Scopes};
use persevere::prelude::*;
use serde_json::{Value, json};

use crate::http::stage::{Answer, App, BASE, in_time, options, request, runtime, send_to};
use crate::logged::logged;

const SHOP: &str = "shop read,start,raise shop-secret-0123456789";
const OPERATOR: &str = "operator all operator-secret-0123456789";

fn keyed(keys: &str) -> HttpOptions {
    options().keys(keys.parse().unwrap())
}

/// Sends a request to a URL that was handed out, without any other credential.
async fn follow(app: &App, method: &str, url: &Value) -> Answer {
    let path = url.as_str().unwrap().strip_prefix("http://localhost:7071").unwrap();
    app.send(request(method, &path.replace("{eventName}", "Next").replace("{text}", "x"), "1")).await
}

async fn started(app: &App, id: &str, secret: &str) -> Value {
    let mut request = request("POST", &format!("orchestrators/puppet/{id}"), "1");
    request.headers_mut().insert("x-functions-key", secret.parse().unwrap());
    let answer = app.send(request).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_key_is_taken_in_each_of_three_places() {
    in_time(async {
        let app = App::with(keyed(SHOP)).await;
        app.puppet("p", json!(1)).await;
        let headers =
            [("x-functions-key", "shop-secret-0123456789"), ("authorization", "bearer shop-secret-0123456789")];
        for (name, value) in headers {
            let mut request = request("GET", "instances/p", "");
            request.headers_mut().insert(name, value.parse().unwrap());
            assert_eq!(app.send(request).await.status, 202, "{name}");
        }
        let answer = app.get("instances/p?CODE=shop-secret-0123456789").await;
        assert_eq!(answer.status, 202);
        // A key that came in a URL is not repeated in the URLs of the answer.
        let location = answer.header("location").unwrap();
        assert!(!location.contains("shop-secret") && location.contains("?code="), "{location}");
        assert_eq!(follow(&app, "GET", &json!(location)).await.status, 202);
        // A wrong key next to a right one does not matter. A known key without the permission is told so.
        let mut both = request("GET", "instances/p?code=shop-secret-0123456789", "");
        both.headers_mut().insert("authorization", "Bearer of-something-else".parse().unwrap());
        assert_eq!(app.send(both).await.status, 202);
        let mut may_not = request("DELETE", "instances/p?code=nonsense", "");
        may_not.headers_mut().insert("x-functions-key", "shop-secret-0123456789".parse().unwrap());
        assert_eq!(app.send(may_not).await.status, 403);
        for wrong in ["shop-secret-012345678", "Shop-secret-0123456789", "sha256:00", "%00", "%20"] {
            assert_eq!(app.get(&format!("instances/p?code={wrong}")).await.status, 401, "{wrong}");
        }
        let mut basic = request("GET", "instances/p", "");
        basic.headers_mut().insert("authorization", "Basic shop-secret-0123456789".parse().unwrap());
        assert_eq!(app.send(basic).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn a_url_lets_through_what_its_key_may_and_to_one_instance() {
    in_time(async {
        let app = App::with(keyed(&format!("{SHOP}\n{OPERATOR}"))).await;
        let (one, two) = (
            started(&app, "one", "shop-secret-0123456789").await,
            started(&app, "two", "operator-secret-0123456789").await,
        );
        assert_eq!(follow(&app, "GET", &one["statusQueryGetUri"]).await.status, 202);
        assert_eq!(follow(&app, "POST", &one["sendEventPostUri"]).await.status, 202);
        // The key of the shop permits neither managing nor purging, so its URLs do not permit them either.
        for uri in ["terminatePostUri", "suspendPostUri", "resumePostUri", "restartPostUri"] {
            assert_eq!(follow(&app, "POST", &one[uri]).await.status, 403, "{uri}");
        }
        assert_eq!(follow(&app, "DELETE", &one["purgeHistoryDeleteUri"]).await.status, 403);
        assert_eq!(follow(&app, "POST", &two["suspendPostUri"]).await.status, 202);
        // The code of one instance is not valid for another, nor for routes without an instance.
        let code =
            |payload: &Value| payload["statusQueryGetUri"].as_str().unwrap().split("code=").nth(1).unwrap().to_owned();
        assert_eq!(app.get(&format!("instances/two?code={}", code(&one))).await.status, 403);
        // It is also not valid for anything except what its own URL does.
        let of = |uri: &str| two[uri].as_str().unwrap().split("code=").nth(1).unwrap().to_owned();
        for (uri, method, path) in [
            ("statusQueryGetUri", "POST", "instances/two/terminate"),
            ("statusQueryGetUri", "POST", "instances/two/restart"),
            ("statusQueryGetUri", "DELETE", "instances/two"),
            ("sendEventPostUri", "GET", "instances/two"),
            ("sendEventPostUri", "GET", "instances/two/customStatus/stream"),
            ("terminatePostUri", "GET", "instances/two"),
            ("purgeHistoryDeleteUri", "POST", "instances/two/terminate"),
        ] {
            let answer = app.send(request(method, &format!("{path}?code={}", of(uri)), "")).await;
            assert_eq!(answer.status, 403, "{method} {path} with the code of {uri}: {}", answer.text);
        }
        for path in ["instances/", "instances/?createdTimeFrom=2020-01-01"] {
            assert_eq!(
                app.get(&format!("{path}&code={}", code(&two)).replacen("/&", "/?", 1)).await.status,
                403,
                "{path}"
            );
        }
        assert_eq!(app.post(&format!("orchestrators/puppet?code={}", code(&two)), "1").await.status, 403);
        let forged = code(&one).replacen('A', "B", 1);
        assert_eq!(app.get(&format!("instances/one?code={forged}")).await.status, 401);
        // What is obtained through a URL has no more permissions than the URL.
        let again = follow(&app, "POST", &two["restartPostUri"]).await;
        assert_eq!(again.status, 202, "{}", again.text);
        assert_eq!(follow(&app, "POST", &again.json()["terminatePostUri"]).await.status, 202);
    })
    .await;
}

#[tokio::test]
async fn a_url_ends_with_its_time_and_with_its_key() {
    in_time(async {
        let runtime = runtime(MemoryStore::new()).await;
        let client = runtime.client().clone();
        let app = |runtime: Runtime, options| App::on(runtime, options);
        let both = app(runtime, keyed(&format!("{SHOP}\n{OPERATOR}")));
        let of_shop = started(&both, "one", "shop-secret-0123456789").await["statusQueryGetUri"].clone();
        let of_operator = started(&both, "two", "operator-secret-0123456789").await["statusQueryGetUri"].clone();
        // This is the situation after a restart of the process: the same keys in another order.
        let status = async |options: HttpOptions, url: &Value| {
            let router = persevere::http::router(client.clone(), options).unwrap();
            let path = url.as_str().unwrap().strip_prefix("http://localhost:7071").unwrap().to_owned();
            send_to(&router, request("GET", &path, "")).await.status.as_u16()
        };
        let swapped = keyed(&format!("{OPERATOR}\n{SHOP}"));
        assert_eq!((status(swapped.clone(), &of_shop).await, status(swapped, &of_operator).await), (202, 202));
        // Keys are rotated: first the new key next to the old one, then without the old one.
        let renewed = keyed(&format!("{SHOP}\nshop2 read new-shop-secret-0123456789\n{OPERATOR}"));
        assert_eq!(status(renewed, &of_shop).await, 202);
        let without = keyed(&format!("shop2 read new-shop-secret-0123456789\n{OPERATOR}"));
        assert_eq!((status(without.clone(), &of_shop).await, status(without, &of_operator).await), (401, 202));
        // If the permissions of a key are reduced, its URLs lose them too.
        let less = keyed(&format!("{OPERATOR}\nshop start shop-secret-0123456789"));
        assert_eq!(status(less, &of_shop).await, 403);
        // Codes expire.
        let short = both.management.client().clone();
        let short =
            App { router: persevere::http::router(short, keyed(SHOP).url_lifetime(Duration::ZERO)).unwrap(), ..both };
        let over = started(&short, "three", "shop-secret-0123456789").await;
        let answer = follow(&short, "GET", &over["statusQueryGetUri"]).await;
        assert_eq!(answer.status, 401);
        assert!(answer.text.contains("expired"), "{}", answer.text);
    })
    .await;
}

#[tokio::test]
async fn urls_that_the_program_creates_have_the_given_scopes_and_outlive_the_keys() {
    in_time(async {
        let app = App::with(keyed(SHOP).signing_secret(b"sixteen bytes or more".to_vec())).await;
        let id = app.puppet("p", json!(1)).await.id().clone();
        let all = app.management.create_http_management_payload(&id);
        assert_eq!(follow(&app, "POST", &json!(all.suspend_post_uri)).await.status, 202);
        let some = app.management.clone().with_scopes(Scopes::READ).create_http_management_payload(&id);
        assert_eq!(follow(&app, "GET", &json!(some.status_query_get_uri)).await.status, 202);
        assert_eq!(follow(&app, "POST", &json!(some.resume_post_uri)).await.status, 403);
        // With a secret of their own, the codes outlive the keys.
        let options = keyed(OPERATOR).signing_secret(b"sixteen bytes or more".to_vec());
        let later = persevere::http::router(app.client().clone(), options).unwrap();
        let path = all.status_query_get_uri.strip_prefix("http://localhost:7071").unwrap();
        assert_eq!(send_to(&later, request("GET", path, "")).await.status, 202);
    })
    .await;
}

#[tokio::test]
async fn a_stream_ends_with_the_code_that_opened_it() {
    in_time(async {
        let app = App::with(keyed(SHOP).url_lifetime(Duration::from_secs(3))).await;
        let url = started(&app, "one", "shop-secret-0123456789").await["statusQueryGetUri"].clone();
        let stream = json!(url.as_str().unwrap().replace("/one?", "/one/customStatus/stream?"));
        // Its body is read to the end: the instance continues, but the stream has ended.
        let answer = follow(&app, "GET", &stream).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text.contains("event: customStatus") && !answer.text.contains("event: end"), "{}", answer.text);
        assert_eq!(follow(&app, "GET", &stream).await.status, 401);
    })
    .await;
}

#[test]
fn keys_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    std::fs::write(&path, format!("{SHOP}\n# {OPERATOR}\n")).unwrap();
    let keys = ApiKeys::from_file(&path).unwrap();
    assert_eq!(format!("{keys:?}"), r#"{"shop": read,start,raise}"#);
}

/// Returns the log of this test, and of all tests that run next to it.
#[tokio::test]
async fn no_secret_is_traced() {
    logged();
    in_time(async {
        let app = App::with(keyed(&format!("{SHOP}\n{OPERATOR}")).development(true)).await;
        let payload = started(&app, "one", "shop-secret-0123456789").await;
        let code = payload["statusQueryGetUri"].as_str().unwrap().split("code=").nth(1).unwrap().to_owned();
        follow(&app, "GET", &payload["statusQueryGetUri"]).await;
        for name in ["code", "CODE", "c%6Fde", "+code"] {
            app.get(&format!("instances/one?{name}=operator-secret-0123456789&top=77")).await;
            app.get(&format!("instances/one?{name}=operator-secret-0123456789&bad=%")).await;
            app.get(&format!("nowhere?{name}=operator-secret-0123456789")).await;
        }
        let mut bearer = request("GET", "instances/one", "");
        bearer.headers_mut().insert("authorization", "Bearer operator-secret-0123456789".parse().unwrap());
        app.send(bearer).await;
        let seen = logged();
        assert!(seen.contains("top=77") && seen.contains("REDACTED"), "{seen}");
        assert!(seen.contains(&format!("{BASE}/instances/one")), "{seen}");
        for secret in ["operator-secret", "shop-secret", &code] {
            assert!(!seen.contains(secret), "{secret}: {seen}");
        }
        let shown = format!("{:?} {:?}", app.management, keyed(SHOP).signing_secret(b"also-a-secret-text".to_vec()));
        assert!(!shown.contains("secret") && shown.contains("shop"), "{shown}");
    })
    .await;
}

#[tokio::test]
async fn without_keys_pages_from_elsewhere_are_refused() {
    in_time(async {
        let app = App::new().await;
        app.puppet("p", json!(1)).await;
        for (name, value, status) in [
            ("host", "localhost:7071", 202),
            ("host", "127.0.0.1:7071", 202),
            ("host", "[::1]:7071", 202),
            ("host", "evil.example:7071", 403),
            ("host", "", 403),
            ("origin", "http://localhost:3000", 202),
            ("origin", "http://[::1]:3000", 202),
            ("origin", "https://evil.example", 403),
            ("origin", "http://127.0.0.1.evil.example", 403),
            ("origin", "null", 403),
            ("sec-fetch-site", "cross-site", 403),
            ("sec-fetch-site", "same-origin", 202),
            ("sec-fetch-site", "none", 202),
        ] {
            let mut request = request("GET", "instances/p", "");
            request.headers_mut().insert(name, value.parse().unwrap());
            assert_eq!(app.send(request).await.status, status, "{name}: {value}");
        }
    })
    .await;
}

#[tokio::test]
async fn urls_follow_the_request_only_if_they_may() {
    in_time(async {
        let runtime = runtime(MemoryStore::new()).await;
        let client = runtime.client().clone();
        let start = async |options: HttpOptions| {
            let management = Management::new(client.clone(), options).unwrap();
            let mut request = request("POST", "orchestrators/puppet?code=shop-secret-0123456789", "1");
            for (name, value) in
                [("host", "evil.example"), ("x-forwarded-host", "a.example:81, b"), ("x-forwarded-proto", "https")]
            {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
            send_to(&management.router(), request).await.header("location").unwrap().to_owned()
        };
        let fixed = start(keyed(SHOP)).await;
        assert!(fixed.starts_with("http://localhost:7071/runtime"), "{fixed}");
        let forwarded = start(keyed(SHOP).use_forwarded_host(true)).await;
        assert!(forwarded.starts_with("https://a.example:81/runtime"), "{forwarded}");
        runtime.shutdown().await.unwrap();
    })
    .await;
}
