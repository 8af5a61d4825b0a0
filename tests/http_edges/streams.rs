//! What streams and polls cost the store, and what a reader costs that does not read. The tests count and do not
//! measure time.

use std::sync::Arc;

use persevere::http::HttpOptions;
use persevere::prelude::*;

use crate::http_edges::Served;
use crate::http_edges::connection::{BASE, Connection};
use crate::http_edges::scenarios::Pace;
use crate::reads::ReadsStore;

const STREAMS: usize = 300;
const POLLS: usize = 200;

/// Returns the next event of a stream: its name and its data.
async fn event(stream: &mut Connection) -> Option<(String, serde_json::Value)> {
    let mut name = String::new();
    loop {
        let line = stream.line().await?;
        if let Some(event) = line.strip_prefix("event: ") {
            name = event.to_owned();
        } else if let Some(data) = line.strip_prefix("data: ") {
            return Some((name, serde_json::from_str(data).unwrap()));
        }
    }
}

async fn open(mut connection: Connection, id: &str) -> Connection {
    let path = format!("{BASE}/instances/{id}/customStatus/stream");
    connection.send(format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n")).await;
    assert!(connection.head().await.starts_with("HTTP/1.0 200 "));
    connection
}

#[tokio::test]
async fn many_streams_cost_one_read_and_every_poll_costs_one() {
    let reads = Arc::new(ReadsStore::new(MemoryStore::new()));
    let served = Served::new(Arc::clone(&reads) as _, &Pace::free(), HttpOptions::new()).await;
    let mut client = Connection::open(served.address).await;
    client.post(&format!("{BASE}/orchestrators/recommend_city/trip"), "1").await;
    let before = reads.by_id();
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        streams.push(open(Connection::open(served.address).await, "trip").await);
    }
    for stream in &mut streams {
        let (name, data) = event(stream).await.unwrap();
        assert_eq!((name.as_str(), &data["customStatus"]["cities"][0]), ("customStatus", &"Kyoto".into()));
    }
    assert_eq!(reads.by_id() - before, 1, "{STREAMS} streams of one instance");

    let before = reads.by_id();
    for _ in 0..POLLS {
        assert_eq!(client.get(&format!("{BASE}/instances/trip")).await.status, 202);
    }
    assert_eq!(reads.by_id() - before, POLLS, "{POLLS} polls");

    // The change and the end reach every stream with the commit, without a read. The event itself is checked against
    // the code of its instance, which needs one read.
    let before = reads.by_id() + 1;
    client.post(&format!("{BASE}/instances/trip/raiseEvent/CityChosen"), "\"Prague\"").await;
    for stream in &mut streams {
        let mut last = event(stream).await.unwrap();
        while last.0 != "end" {
            last = event(stream).await.unwrap();
        }
        assert_eq!(last.1["output"], "Go to Prague in spring.");
        assert_eq!(stream.line().await.as_deref(), Some(""));
        assert_eq!(stream.line().await, None);
    }
    assert_eq!(reads.by_id() - before, 0, "a change");
    assert_eq!(reads.histories(), 0);
    served.close().await;
}

/// Says that its reader may stop reading now.
#[external_event]
struct LookAway;

const VALUES: u64 = 3_000;

#[activity]
async fn pass(value: u64) -> Result<u64, ActivityError> {
    Ok(value)
}

/// Publishes values of 8,000 bytes. Together they are far larger than the buffers of any socket.
#[orchestrator]
async fn publish(ctx: OrchestrationContext<String>) -> Result<u64, OrchestrationError> {
    LookAway::wait(&ctx).await?;
    for value in 1..=VALUES {
        ctx.set_custom_status(&format!("{value:>8000}"))?;
        pass::call(&ctx, value).await?;
    }
    Ok(VALUES)
}

#[tokio::test]
async fn a_reader_that_does_not_read_skips_what_it_missed() {
    let served = Served::memory(HttpOptions::new()).await;
    let published = publish::start(served.runtime.client()).instance_id("news").await.unwrap();
    let mut stream = open(Connection::narrow(served.address).await, "news").await;
    assert_eq!(event(&mut stream).await.unwrap().1["customStatus"], serde_json::Value::Null);

    published.raise_event(LookAway).await.unwrap();
    // The reader that does not read delays nobody.
    assert_eq!(published.result().await.unwrap(), VALUES);

    let (mut versions, mut last) = (Vec::new(), None);
    while let Some((name, data)) = event(&mut stream).await {
        versions.extend((name == "customStatus").then(|| data["customStatusVersion"].as_u64().unwrap()));
        last = Some((name, data));
    }
    assert!(versions.is_sorted_by(|a, b| a < b), "values come once, in their order: {versions:?}");
    assert!(versions.len() < 1_500, "{} of {VALUES} values were kept for it", versions.len());
    assert_eq!(versions.last(), Some(&VALUES));
    let (name, status) = last.unwrap();
    assert_eq!((name.as_str(), &status["output"]), ("end", &VALUES.into()));
    served.close().await;
}
