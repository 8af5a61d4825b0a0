//! The surroundings of the HTTP API: its page of documentation, hostile clients, a router that is nested, and the cost
//! of streams and polls.

mod connection;
mod nested;
mod page;
mod property;
mod requests;
mod scenarios;
mod streams;
mod transcripts;
mod wire;

use std::sync::Arc;

use persevere::http::HttpOptions;
use persevere::prelude::*;
use persevere::store::Store;
use persevere_tests::root;
use scenarios::Pace;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Serves the API of a runtime with the scenarios on a free port of this machine.
struct Served {
    runtime: Runtime,
    address: std::net::SocketAddr,
    end: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Served {
    async fn new(store: Arc<dyn Store>, pace: &Pace, options: HttpOptions) -> Self {
        crate::logged::logged();
        let options = options.bind(([127, 0, 0, 1], 0));
        let (runtime, server) = scenarios::server(store, pace, options).await.unwrap();
        let address = server.local_addr();
        let (end, ended) = oneshot::channel();
        let served = tokio::spawn(server.run_until(async { drop(ended.await) }));
        Self { runtime, address, end, served }
    }

    async fn memory(options: HttpOptions) -> Self {
        Self::new(Arc::new(MemoryStore::new()), &Pace::free(), options).await
    }

    async fn close(self) {
        self.end.send(()).unwrap();
        self.served.await.unwrap();
        self.runtime.shutdown().await.unwrap();
    }
}
