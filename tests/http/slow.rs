//! Slow readers: how much they may occupy, and for how long.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use persevere::http::{HttpLimits, HttpOptions, Server};
use persevere::prelude::*;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket};
use tower::ServiceExt;

use crate::http::stage::{App, BASE, in_time, options, request, runtime};

const MEGABYTE: usize = 1024 * 1024;

/// The number of large instances. A list of them exceeds the buffers of any connection.
const LARGE: usize = 12;

fn limits(change: impl FnOnce(&mut HttpLimits)) -> HttpLimits {
    let mut limits = HttpLimits::default();
    change(&mut limits);
    limits
}

/// Creates instances whose inputs make every answer about them large.
async fn large(app: &App) {
    for number in 1..=LARGE {
        let start = app.client().start_by_name("await_decision", &"x".repeat(900_000));
        start.instance_id(format!("large-{number}")).await.unwrap();
    }
}

async fn answer(app: &App, path: &str) -> Response {
    app.router.clone().oneshot(request("GET", path, "")).await.unwrap()
}

#[tokio::test]
async fn answers_that_nobody_reads_are_bounded() {
    in_time(async {
        let limits = limits(|limits| {
            limits.answer_bytes = 12 * MEGABYTE;
            limits.request_time = Duration::from_secs(1);
        });
        let app = App::with(options().limits(limits)).await;
        large(&app).await;
        for path in ["instances/", "instances/large-1?showHistory=true", "instances/large-1"] {
            // These readers do not read. Together they ask for more than the budget of 14 megabytes.
            let mut answers = Vec::new();
            for _ in 0..16 {
                answers.push(answer(&app, path).await);
            }
            let held: usize = answers.iter().filter(|answer| answer.status() != 503).count();
            let size = |answer: &Response| axum::body::HttpBody::size_hint(answer.body()).exact().unwrap() as usize;
            let bytes: usize = answers.iter().filter(|answer| answer.status() != 503).map(size).sum();
            assert!(held > 0 && bytes <= 12 * MEGABYTE, "{path}: {held} answers of {bytes} bytes");
            let refused = answers.iter().find(|answer| answer.status() == 503).unwrap();
            assert!(refused.headers().contains_key("retry-after"), "{path}");
            // Small answers are sent to everybody.
            assert_eq!(app.get("instances/large-1?showInput=false").await.status, 202);
            // Memory that is given up is available to others.
            drop(answers);
            assert!(app.get(path).await.status.is_success(), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_start_whose_output_has_no_room_is_answered_with_its_urls() {
    in_time(async {
        let app = App::with(options().limits(limits(|limits| limits.answer_bytes = MEGABYTE))).await;
        large(&app).await;
        let held = answer(&app, "instances/large-1").await;
        assert_eq!(held.status(), 202);
        let path = "orchestrators/echo_large?timeout=60";
        let large = json!("x".repeat(400_000)).to_string();
        let answer = app.post(path, &large).await;
        assert_eq!(answer.status, 202);
        assert!(answer.json()["statusQueryGetUri"].is_string());
        drop(held);
        assert_eq!(app.post(path, &large).await.text, large);
    })
    .await;
}

/// Takes the next piece of a body if there is one.
async fn piece(body: &mut Body) -> Option<String> {
    let frame = std::future::poll_fn(|cx| {
        Poll::Ready(match axum::body::HttpBody::poll_frame(Pin::new(&mut *body), cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => None,
        })
    });
    let data = frame.await?.ok()?.into_data().unwrap();
    Some(String::from_utf8(data.to_vec()).unwrap())
}

#[tokio::test]
async fn large_events_of_streams_that_nobody_reads_are_bounded() {
    in_time(async {
        let limits = limits(|limits| {
            limits.answer_bytes = 4 * MEGABYTE;
            limits.write_time = Duration::from_millis(300);
        });
        let app = App::with(options().limits(limits)).await;
        large(&app).await;
        app.client().terminate("large-1", "to see its end").await.unwrap();
        app.client().terminate("large-2", "to see its end").await.unwrap();
        for path in ["instances/large-1/customStatus/stream", "instances/stream?ids=large-1,large-2"] {
            let mut bodies = Vec::new();
            for _ in 0..16 {
                let mut body = answer(&app, path).await.into_body();
                assert!(piece(&mut body).await.unwrap().contains("event: customStatus"), "{path}");
                bodies.push(body);
            }
            // The end of an instance contains its input. Nobody reads further than its beginning.
            let (mut begun, mut waiting) = (Vec::new(), Vec::new());
            for mut body in bodies {
                let mut next = piece(&mut body).await;
                if next.as_ref().is_some_and(|event| event.contains("event: customStatus")) {
                    next = piece(&mut body).await;
                }
                match next {
                    Some(event) => {
                        assert!(event.contains("event: end") && event.len() <= 64 * 1024, "{path}: {}", event.len());
                        begun.push(body);
                    }
                    None => waiting.push(body),
                }
            }
            assert_eq!(begun.len(), 4, "{path}: events of 900,000 bytes in 4 MiB");
            // Small answers and streams are for everybody.
            assert_eq!(app.get("instances/large-3?showInput=false").await.status, 202);
            assert!(app.get("instances/large-1/customStatus/stream?showInput=false").await.text.contains("event: end"));
            // Readers that take nothing are given up, and the others receive everything.
            let waiting: Vec<_> =
                waiting.into_iter().map(|body| tokio::spawn(axum::body::to_bytes(body, usize::MAX))).collect();
            assert_eq!(waiting.len(), 12, "{path}");
            for reader in waiting {
                let events = reader.await.unwrap().unwrap();
                let beginning = String::from_utf8_lossy(&events[..events.len().min(300)]);
                assert!(events.len() > 900_000, "{path}: {} bytes: {beginning}", events.len());
            }
            // One had to go to make room for them. Its reader sees an error and not the end of the stream.
            assert!(axum::body::to_bytes(begun.remove(0), usize::MAX).await.is_err(), "{path}");
        }
    })
    .await;
}

/// Returns its input.
#[orchestrator]
async fn echo_large(_ctx: OrchestrationContext, text: String) -> Result<String, OrchestrationError> {
    Ok(text)
}

/// A reader that sends a request and then accepts as little as its system allows.
async fn ask(address: SocketAddr, path: &str) -> BufReader<tokio::net::TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = BufReader::new(socket.connect(address).await.unwrap());
    stream.get_mut().write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    stream
}

/// Returns the number of bytes that still arrive until the connection is closed.
async fn rest(mut stream: BufReader<tokio::net::TcpStream>) -> usize {
    let mut bytes = Vec::new();
    // A server that closes a connection while data is under way resets it.
    let _ = stream.read_to_end(&mut bytes).await;
    bytes.len()
}

async fn a_slow_reader_is_cut_off(app: &App, address: SocketAddr, prefix: &str) {
    large(app).await;
    let path = format!("{prefix}{BASE}/instances/");
    let slow = ask(address, &path).await;
    // There is room for one of them. The second answer comes when the first is cut off, and not earlier.
    let second = ask(address, &path).await;
    assert!(rest(slow).await < LARGE * 900_000, "it was not cut off");
    drop(second);
}

fn one_at_a_time() -> HttpLimits {
    limits(|limits| {
        limits.answer_bytes = 12 * MEGABYTE;
        limits.write_time = Duration::from_millis(300);
    })
}

#[tokio::test]
async fn a_server_cuts_off_a_reader_that_takes_nothing() {
    in_time(async {
        let runtime = runtime(MemoryStore::new()).await;
        let options = HttpOptions::new().bind(([127, 0, 0, 1], 0)).limits(one_at_a_time());
        let server = Server::bind(runtime.client().clone(), options).await.unwrap();
        let address = server.local_addr();
        tokio::spawn(server.run());
        a_slow_reader_is_cut_off(&App::on(runtime, self::options()), address, "").await;
    })
    .await;
}

#[tokio::test]
async fn a_router_gives_up_an_answer_of_which_nothing_is_taken() {
    in_time(async {
        let app = App::with(options().limits(one_at_a_time())).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let nested = axum::Router::new().nest("/durable", app.router.clone());
        tokio::spawn(async move { axum::serve(listener, nested).await });
        a_slow_reader_is_cut_off(&app, address, "/durable").await;
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_takes_its_time_gets_everything() {
    in_time(async {
        let app = App::with(options().limits(one_at_a_time())).await;
        large(&app).await;
        let mut body: Body = answer(&app, "instances/").await.into_body();
        let (mut length, mut pieces) = (0, 0);
        loop {
            let frame = std::future::poll_fn(|cx| axum::body::HttpBody::poll_frame(std::pin::Pin::new(&mut body), cx));
            let Some(frame) = frame.await else { break };
            let piece = frame.unwrap().into_data().unwrap();
            (length, pieces) = (length + piece.len(), pieces + 1);
            // The whole answer takes far longer than a reader may pause.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(length > LARGE * 900_000 && pieces > 100, "{length} bytes in {pieces} pieces");
    })
    .await;
}
