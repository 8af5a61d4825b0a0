//! A server for programs that have none. It binds, serves and shuts down cleanly.
//!
//! ```text
//! bind ─► accept ─► connection (head and header limits) ─► router
//! shutdown: no more accepted ─► streams end ─► running requests finish, for a grace ─► what is left is cut off
//! ```

use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::error::ApiError;
use super::limits::HttpLimits;
use super::management::Management;
use super::options::{HttpOptions, HttpOptionsError, Settings, check_exposure};
use super::router::Service;
use super::timed_io::TimedIo;
use crate::Client;

/// How long nothing is accepted after an error such as too many open files, which a quick retry would not solve.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The reason why a server does not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The options cannot work, or they would serve other machines without protection.
    #[error(transparent)]
    Options(#[from] HttpOptionsError),
    /// The address cannot be bound. Choose another port, or stop the program that uses it.
    #[error("the HTTP API cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        #[source]
        error: io::Error,
    },
}

/// The HTTP API, bound to an address.
///
/// # Examples
/// ```no_run
/// use persevere::http::{HttpOptions, Server};
///
/// # async fn example(client: persevere::Client, stopped: tokio::sync::oneshot::Receiver<()>) -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::bind(client, HttpOptions::new().bind(([127, 0, 0, 1], 0))).await?;
/// println!("http://{}/openapi.json", server.local_addr());
/// // Or until Ctrl-C: `async { drop(tokio::signal::ctrl_c().await) }`, with Tokio's feature `signal`.
/// server.run_until(async { drop(stopped.await) }).await;
/// # Ok(())
/// # }
/// ```
#[must_use = "the server does not serve until it is run"]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: HttpLimits,
    management: Management,
    router: Router,
}

/// Binds and serves until the process ends. See [`Server`] for more control.
///
/// # Errors
/// Returns [`ServeError`] if the options cannot work or the address cannot be bound.
pub async fn serve(client: Client, options: HttpOptions) -> Result<(), ServeError> {
    Server::bind(client, options).await?.run().await;
    Ok(())
}

impl Server {
    /// Checks the options and binds. Nothing is served yet.
    ///
    /// # Errors
    /// Returns [`ServeError::Options`] if the options cannot work, or if other machines would be served without keys or
    /// without TLS. Returns [`ServeError::Bind`] if the address cannot be bound.
    pub async fn bind(client: Client, options: HttpOptions) -> Result<Self, ServeError> {
        let (address, limits) = (options.address, options.limits);
        check_exposure(&options, address)?;
        let failed = |error| ServeError::Bind { address, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let settings = Settings::of_server(options, address)?;
        let management = Management::of(Service::new(client, settings));
        let router = management.router();
        tracing::info!(target: "persevere::http", %address, "the HTTP API listens");
        Ok(Self { listener, address, limits, management, router })
    }

    /// Returns the address at which the server listens, with the selected port if port 0 was requested.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns what the program's own handlers need.
    pub fn management(&self) -> Management {
        self.management.clone()
    }

    /// Serves these routes too.
    ///
    /// # Panics
    /// Panics if a route already exists, like [`Router::merge`].
    pub fn merge(mut self, routes: Router) -> Self {
        self.router = self.router.merge(routes);
        self
    }

    /// Serves until the process ends.
    pub async fn run(self) {
        self.run_until(pending()).await;
    }

    /// Serves until the signal completes. Then nothing more is accepted, streams end, and running requests may finish
    /// within [`HttpLimits::shutdown_grace`]. Requests that are still running after that are cut off.
    ///
    /// Dropping the future cuts everything off immediately.
    pub async fn run_until(self, signal: impl Future<Output = ()>) {
        let Self { listener, limits, router, management, address } = self;
        let router = router.fallback(nothing_here).method_not_allowed_fallback(nothing_here);
        let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
        let graceful = GracefulShutdown::new();
        // Every connection ends when this is dropped together with the future.
        let mut connections = JoinSet::new();
        let mut signal = std::pin::pin!(signal);
        loop {
            let accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            };
            tokio::select! {
                () = &mut signal => break,
                Some(_) = connections.join_next() => {}
                (place, accepted) = accepted => match accepted {
                    Ok((stream, _)) => {
                        let connection = graceful.watch(connection(stream, &router, &limits));
                        connections.spawn(async move {
                            let _place = place;
                            // The server does not care how a connection ends.
                            let _ = connection.await;
                        });
                    }
                    Err(error) => {
                        tracing::warn!(target: "persevere::http", %error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        drop(listener);
        management.close();
        tracing::info!(target: "persevere::http", %address, "the HTTP API is closing");
        if tokio::time::timeout(limits.shutdown_grace, graceful.shutdown()).await.is_err() {
            tracing::warn!(target: "persevere::http", "requests that did not finish in time are cut off");
        }
    }
}

fn connection(
    stream: TcpStream,
    router: &Router,
    limits: &HttpLimits,
) -> http1::Connection<TimedIo<TokioIo<TcpStream>>, TowerToHyperService<Router>> {
    // hyper does not accept buffers smaller than 8 KiB. It checks the size between reads, and the router counts
    // exactly.
    let head = limits.header_bytes.saturating_add(limits.url_bytes).max(8 * 1024);
    // The values of a stream are small and should arrive immediately.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(head)
        .serve_connection(
            TimedIo::new(TokioIo::new(stream), limits.write_time),
            TowerToHyperService::new(router.clone()),
        )
}

async fn nothing_here() -> Response {
    ApiError::no_route().into_response()
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}
