//! The example that exports its trace, with a collector.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use persevere_tests::example_program::Folder;
use serde_json::Value;

/// Accepts one request of an exporter and returns its body.
fn collector() -> (String, JoinHandle<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut received = Vec::new();
        let mut buffer = [0; 4_096];
        loop {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "the request ends early: {}", String::from_utf8_lossy(&received));
            received.extend_from_slice(&buffer[..read]);
            let Some(head) = received.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let header = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
            assert!(header.starts_with("post /v1/traces"), "{header}");
            let length = header.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let body = &received[head + 4..];
            if body.len() >= length.trim().parse::<usize>().unwrap() {
                let body = serde_json::from_slice(body).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
                return body;
            }
        }
    });
    (url, thread)
}

#[test]
fn the_trace_of_an_order_goes_on_after_a_crash_and_reaches_a_collector() {
    let folder = Folder::new();
    let crashed = folder.run("traces", &["--crash"]);
    assert!(!crashed.status.success());
    assert_eq!(crashed.lines, ["A new order."]);

    let (url, collected) = collector();
    let lines = folder.run("traces", &["--otlp", &url]).success();
    assert_eq!(lines[..2], ["Continuing the order, in the same trace.", "Shipped: parcel with a lamp from shelf 7"]);
    let (trace, tree) = (lines[2].strip_prefix("Trace ").unwrap(), &lines[3..]);
    for span in ["activity:charge", "orchestration:order", "    activity:pack"] {
        assert!(tree.iter().any(|line| line == span), "{span} in {tree:#?}");
    }
    let collected = collected.join().unwrap();
    let spans = collected["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let charge = spans.iter().find(|span| span["name"] == "activity:charge").unwrap();
    assert_eq!(charge["traceId"], trace);
    assert_eq!(charge["parentSpanId"].as_str().map(str::len), Some(16), "it was called before the crash: {charge}");
}
