//! Clients that send what no client should send.

use std::time::Duration;

use persevere::http::{HttpLimits, HttpOptions};

use crate::http_edges::Served;
use crate::http_edges::connection::{BASE, Connection};

const LIST: &str = "GET /runtime/webhooks/durabletask/instances/ HTTP/1.1";

/// What is sent after the request line, and the codes of the answers, in order. The server closes the connection after
/// them.
async fn answers(served: &Served, sent: &str) -> Vec<u16> {
    let mut connection = Connection::open(served.address).await;
    connection.send(sent).await;
    let text = connection.rest().await;
    text.split("HTTP/1.").skip(1).filter_map(|answer| answer.split(' ').nth(1)?.parse().ok()).collect()
}

#[tokio::test]
async fn an_ambiguous_request_is_refused_or_ends_the_connection() {
    let served = Served::memory(HttpOptions::new()).await;
    let second = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let start = format!("POST {BASE}/orchestrators/recommend_city HTTP/1.1\r\nhost: localhost\r\n");
    for (head, body, expected) in [
        ("content-length: 1", "2", vec![202, 200]),
        ("transfer-encoding: chunked", "1\r\n2\r\n0\r\n\r\n", vec![202, 200]),
        ("content-length: 1\r\ncontent-length: 1", "2", vec![202, 200]),
        ("content-length: 1\r\ncontent-length: 2", "2", vec![400]),
        ("content-length: +1", "2", vec![400]),
        ("content-length: -1", "2", vec![400]),
        ("content-length: 1, 1", "2", vec![400]),
        ("content-length: 99999999999999999999", "2", vec![400]),
        ("content-length : 1", "2", vec![400]),
        ("x: a\r\n b: c\r\ncontent-length: 1", "2", vec![400]),
        ("transfer-encoding: identity", "2", vec![400]),
        ("transfer-encoding: chunked, identity", "1\r\n2\r\n0\r\n\r\n", vec![400]),
        ("transfer-encoding: xchunked", "1\r\n2\r\n0\r\n\r\n", vec![400]),
        // If both lengths are given, the server answers once and ignores what follows (RFC 9112, 6.1).
        ("content-length: 6\r\ntransfer-encoding: chunked", "1\r\n2\r\n0\r\n\r\n", vec![202]),
        ("transfer-encoding: chunked", "FFFFFFFFFFFFFFFFF\r\n2", vec![400]),
        ("transfer-encoding: chunked", "-1\r\n2", vec![400]),
        ("transfer-encoding: chunked", "zz\r\n2", vec![400]),
        ("content-length: 2000000", "2", vec![413]),
        ("content-length: 18446744073709551613", "2", vec![413]),
    ] {
        let found = answers(&served, &format!("{start}{head}\r\n\r\n{body}{second}")).await;
        assert_eq!(found, expected, "{head}");
    }
    served.close().await;
}

#[tokio::test]
async fn odd_request_targets_and_heads_have_their_answer() {
    let mut limits = HttpLimits::default();
    limits.header_bytes = 9_000;
    let served = Served::memory(HttpOptions::new().limits(limits)).await;
    let close = "connection: close\r\n\r\n";
    let many = |count: usize| (0..count).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let parameters = |count: usize| (0..count).map(|n| format!("a{n}=b&")).collect::<String>();
    let local = "host: localhost\r\n";
    for (line, headers, expected) in [
        ("GET /healthz HTTP/1.0", "", 200),
        ("GET http://localhost/healthz HTTP/1.1", local, 200),
        ("GET http://elsewhere.example/runtime/webhooks/durabletask/instances/ HTTP/1.1", local, 403),
        (LIST, "host: localhost\r\nhost: elsewhere.example\r\n", 403),
        (LIST, "host: localhost\r\norigin: null\r\n", 403),
        (LIST, "host: localhost\r\norigin: http://localhost:3000\r\n", 200),
        ("HEAD /healthz HTTP/1.1", local, 200),
        ("OPTIONS * HTTP/1.1", local, 404),
        ("CONNECT localhost:80 HTTP/1.1", local, 404),
        ("TRACE /healthz HTTP/1.1", local, 404),
        ("get /healthz HTTP/1.1", local, 404),
        ("GET //healthz HTTP/1.1", local, 404),
        ("GET /healthz/../healthz HTTP/1.1", local, 404),
        ("GET /healthz HTTP/9.9", local, 400),
        ("GET /healthz", local, 400),
        ("GET /healthz HTTP/1.1", &format!("{local}{}", many(90)), 200),
        ("GET /healthz HTTP/1.1", &format!("{local}{}", many(101)), 431),
        ("GET /healthz HTTP/1.1", &format!("{local}x: {}\r\n", "y".repeat(8_900)), 200),
        ("GET /healthz HTTP/1.1", &format!("{local}x: {}\r\n", "y".repeat(9_001)), 431),
        ("GET /healthz HTTP/1.1", &format!("{local}x: {}\r\n", "y".repeat(100_000)), 431),
        (&format!("GET /healthz?{} HTTP/1.1", "&".repeat(8_000)), local, 200),
        (&format!("GET /healthz?{} HTTP/1.1", parameters(1_300)), local, 414),
        (&format!("GET /healthz?{} HTTP/1.1", parameters(100_000)), local, 431),
    ] {
        let found = answers(&served, &format!("{line}\r\n{headers}{close}")).await;
        assert_eq!(found, [expected], "{line:.60} {headers:.60}");
    }
    served.close().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let served = Served::memory(HttpOptions::new()).await;
    let mut connection = Connection::open(served.address).await;
    let one =
        format!("POST {BASE}/orchestrators/recommend_city HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\n2");
    let other = format!("GET {BASE}/instances/nobody HTTP/1.1\r\nhost: localhost\r\n\r\n");
    connection.send(format!("{one}{other}").repeat(100)).await;
    for _ in 0..100 {
        assert_eq!((connection.answer().await.status, connection.answer().await.status), (202, 404));
    }
    served.close().await;
}

/// A client that is slow on purpose loses the connection. If the head was complete, it gets an answer.
#[tokio::test]
async fn unfinished_heads_and_bodies_are_cut_off() {
    let mut limits = HttpLimits::default();
    limits.header_time = Duration::from_millis(50);
    limits.request_time = Duration::from_millis(50);
    let served = Served::memory(HttpOptions::new().limits(limits)).await;
    let path = format!("{BASE}/orchestrators/recommend_city");
    let mut silent = Connection::open(served.address).await;
    let mut head = Connection::open(served.address).await;
    head.send(format!("POST {path} HTTP/1.1\r\nhost: loc")).await;
    let mut body = Connection::open(served.address).await;
    body.send(format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n2")).await;
    assert_eq!(silent.rest().await, "");
    assert_eq!(head.rest().await, "");
    assert!(body.rest().await.starts_with("HTTP/1.1 408 "));
    served.close().await;
}

#[tokio::test]
async fn ids_with_other_letters_become_ascii_urls() {
    let served = Served::memory(HttpOptions::new()).await;
    let mut connection = Connection::open(served.address).await;
    let started =
        connection.post(&format!("{BASE}/orchestrators/recommend_city/Zürich 😀").replace(' ', "%20"), "2").await;
    assert_eq!(started.status, 202);
    let encoded = format!("http://{}{BASE}/instances/Z%C3%BCrich%20%F0%9F%98%80", served.address);
    assert!(started.head.contains(&format!("location: {encoded}?")), "{}", started.head);
    // The id is used as it was sent and as it was handed out.
    for path in [format!("{BASE}/instances/Zürich%20😀"), format!("{BASE}/instances/Z%C3%BCrich%20%F0%9F%98%80")] {
        let read = connection.get(&path).await;
        assert_eq!(read.status, 202, "{path}");
        assert!(read.body.contains(r#""instanceId":"Zürich 😀""#), "{}", read.body);
        assert!(read.head.contains(&format!("location: {encoded}\n")), "{}", read.head);
    }
    served.close().await;
}
