//! A plain HTTP/1.1 client that uses one connection for each request and nothing of the library.

use std::net::SocketAddr;
use std::pin::Pin;

use axum::body::HttpBody;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::http::request::Builder;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A response that is still arriving.
pub(crate) async fn send(address: SocketAddr, request: Builder, body: &str) -> Response<Incoming> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request: Request<String> = request.header("host", address.to_string()).body(body.to_owned()).unwrap();
    sender.send_request(request).await.unwrap()
}

/// Returns the next bytes of a body, or `None` at its end.
pub(crate) async fn chunk(body: &mut Incoming) -> Option<String> {
    let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await?;
    Some(String::from_utf8(frame.unwrap().into_data().unwrap_or_default().to_vec()).unwrap())
}

/// Uses a URL as a client of the family does.
pub(crate) struct Follower {
    pub(crate) address: SocketAddr,
}

impl Follower {
    /// Sends a request to an absolute URL of this server.
    pub(crate) async fn send(&self, method: &str, url: &str, body: &str) -> (u16, Option<String>, Value) {
        let path = url
            .strip_prefix(&format!("http://{}", self.address))
            .unwrap_or_else(|| panic!("not a URL of this server: {url}"));
        let mut request = Request::builder().method(method).uri(path);
        if !body.is_empty() {
            request = request.header("content-type", "application/json; charset=utf-8");
        }
        let mut response = send(self.address, request, body).await;
        let location = response.headers().get("location").map(|location| location.to_str().unwrap().to_owned());
        let mut text = String::new();
        while let Some(part) = chunk(response.body_mut()).await {
            text.push_str(&part);
        }
        (response.status().as_u16(), location, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

/// Reads server-sent events as they arrive.
pub(crate) struct EventSource {
    body: Incoming,
    read: String,
}

/// One event.
#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl EventSource {
    pub(crate) async fn open(address: SocketAddr, path: &str, last_event_id: Option<&str>) -> Self {
        let request = Request::builder().uri(path).header("accept", "text/event-stream");
        let request = last_event_id.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let response = send(address, request, "").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body(), read: String::new() }
    }

    /// Returns the next block between two empty lines: an event or a comment.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                return Some(block);
            }
            let part = chunk(&mut self.body).await?;
            self.read.push_str(&part);
        }
    }

    /// Returns the next event and skips comments. `None` means that the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(ToOwned::to_owned))
            };
            if let Some(data) = field("data") {
                let data = serde_json::from_str(&data).unwrap();
                return Some(Event { id: field("id").unwrap(), name: field("event").unwrap(), data });
            }
            assert!(block.starts_with(':'), "{block}");
        }
    }
}
