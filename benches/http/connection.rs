//! A connection to the API with only as much HTTP as a measurement needs.

use std::future::Future;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::Outcome;

use super::server::Server;

/// The beginning of the line that names an event of the custom status.
const EVENT: &str = "event: customStatus";

pub(super) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(super) fn open(server: &Server) -> impl Future<Output = Outcome<Self>> + use<> {
        let address = server.address().to_owned();
        async move {
            let stream = TcpStream::connect(&address).await.map_err(|error| {
                format!("{address} cannot be reached, perhaps for want of open files (`ulimit -n 8192`): {error}")
            })?;
            stream.set_nodelay(true)?;
            Ok(Self(BufReader::new(stream)))
        }
    }

    /// Opens a stream of the custom status, and waits for its first value.
    pub(super) fn stream(server: &Server, place: usize) -> impl Future<Output = Outcome<Self>> + use<> {
        let path = format!("{}/customStatus/stream", server.path_of(place));
        let connection = Self::open(server);
        async move {
            let mut connection = connection.await?;
            connection.send(&path).await?;
            let mut line = String::new();
            while !line.starts_with(EVENT) {
                line.clear();
                if connection.0.read_line(&mut line).await? == 0 {
                    return Err("a stream has no first value".into());
                }
            }
            Ok(connection)
        }
    }

    /// Returns how many values arrive until it is stopped. A stream that ends earlier is a failure.
    pub(super) async fn count_events(mut self, mut stopped: watch::Receiver<()>) -> Outcome<u64> {
        let (mut events, mut line) = (0, String::new());
        loop {
            tokio::select! {
                read = self.0.read_line(&mut line) => {
                    if read? == 0 {
                        return Err("a stream has ended".into());
                    }
                    events += u64::from(line.starts_with(EVENT));
                    line.clear();
                }
                // The sender is dropped when everything is measured.
                _ = stopped.changed() => return Ok(events),
            }
        }
    }

    async fn send(&mut self, path: &str) -> Outcome {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        Ok(self.0.get_mut().write_all(request.as_bytes()).await?)
    }

    /// Requests a status and reads it.
    pub(super) async fn get(&mut self, path: &str) -> Outcome {
        self.send(path).await?;
        let (mut length, mut first) = (0, true);
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await?;
            if std::mem::take(&mut first) && !line.starts_with("HTTP/1.1 202 ") {
                return Err(format!("a poll was answered with {line:?}").into());
            }
            if let Some(bytes) = line.strip_prefix("content-length: ") {
                length = bytes.trim().parse()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        self.0.read_exact(&mut vec![0; length]).await?;
        Ok(())
    }
}
