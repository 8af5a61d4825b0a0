//! The server: where it listens, what it refuses, and how it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::routing::get;
use persevere::http::{HttpLimits, HttpOptions, HttpOptionsError, ServeError, Server, router};
use persevere::prelude::*;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};

use crate::http::stage::{BASE, in_time, runtime};
use crate::http::wire::Follower;

const EVERYWHERE: ([u8; 4], u16) = ([0, 0, 0, 0], 0);

fn options() -> HttpOptions {
    HttpOptions::new().bind(([127, 0, 0, 1], 0))
}

fn keyed(options: HttpOptions) -> HttpOptions {
    options.keys("shop all shop-secret-0123456789".parse().unwrap())
}

#[tokio::test]
async fn other_machines_are_served_only_with_keys_and_tls() {
    let runtime = runtime(MemoryStore::new()).await;
    let bind = async |options: HttpOptions| Server::bind(runtime.client().clone(), options).await.map(drop);
    let refused = |answer: Result<(), ServeError>| match answer {
        Err(ServeError::Options(error)) => error,
        other => panic!("{other:?}"),
    };
    let open = refused(bind(HttpOptions::new().bind(EVERYWHERE)).await);
    assert!(matches!(open, HttpOptionsError::NoKeys { .. }), "{open:?}");
    for words in ["0.0.0.0:0", "keys(ApiKeys::from_file", "127.0.0.1", "insecure(true)"] {
        assert!(open.to_string().contains(words), "{open}");
    }
    let clear = refused(bind(keyed(HttpOptions::new().bind(EVERYWHERE))).await);
    assert!(matches!(clear, HttpOptionsError::NoTls { .. }), "{clear:?}");
    assert!(clear.to_string().contains("behind_tls_proxy(true)"), "{clear}");
    let nowhere = refused(bind(keyed(HttpOptions::new().bind(EVERYWHERE)).behind_tls_proxy(true)).await);
    assert_eq!(nowhere, HttpOptionsError::NoUrlBehindProxy);
    let open_proxy = HttpOptions::new().bind(EVERYWHERE).behind_tls_proxy(true).public_base_url("https://a.example");
    assert!(matches!(refused(bind(open_proxy).await), HttpOptionsError::NoKeys { .. }));
    // A proxy on this machine, or a tunnel to it, also brings requests from other machines.
    for open in [
        options().behind_tls_proxy(true).public_base_url("https://a.example"),
        options().behind_tls_proxy(true).public_base_url("http://localhost:3000"),
        options().use_forwarded_host(true),
        options().public_base_url("https://a.example"),
    ] {
        assert!(matches!(refused(bind(open.clone()).await), HttpOptionsError::NoKeys { .. }), "{open:?}");
        bind(keyed(open.clone())).await.unwrap();
        bind(open.insecure(true)).await.unwrap();
    }

    let proxied =
        keyed(HttpOptions::new().bind(EVERYWHERE)).behind_tls_proxy(true).public_base_url("https://a.example");
    bind(proxied).await.unwrap();
    bind(HttpOptions::new().bind(EVERYWHERE).insecure(true)).await.unwrap();
    bind(options()).await.unwrap();
    bind(keyed(options())).await.unwrap();
}

#[tokio::test]
async fn options_that_cannot_work_are_refused() {
    let runtime = runtime(MemoryStore::new()).await;
    let refused = |options: HttpOptions| router(runtime.client().clone(), options).map(drop).unwrap_err();
    let local = || HttpOptions::new().public_base_url("http://localhost:3000");
    assert_eq!(refused(HttpOptions::new()), HttpOptionsError::NoPublicBaseUrl);
    for path in ["api", "/a b", "/a//b", "/{x}", "/%41", "/a?b"] {
        assert!(matches!(refused(local().base_path(path)), HttpOptionsError::BasePath { .. }), "{path}");
    }
    for url in ["localhost:3000", "ftp://x", "http://", "http://a/?x", "http://u:p@a", "/x", "", "http://a/#x"] {
        let error = refused(HttpOptions::new().insecure(true).public_base_url(url));
        assert!(matches!(error, HttpOptionsError::PublicBaseUrl { .. }), "{url}: {error}");
    }
    assert_eq!(refused(local().signing_secret(*b"short")), HttpOptionsError::SigningSecret { bytes: 5 });
    let open = refused(HttpOptions::new().public_base_url("https://orders.example"));
    assert!(matches!(open, HttpOptionsError::NoKeys { .. }), "{open}");
    for open in [local().behind_tls_proxy(true), local().use_forwarded_host(true)] {
        assert!(matches!(refused(open), HttpOptionsError::NoKeys { .. }));
    }
    for path in ["", "/", "/a/b/", "/a-b_c.d~e"] {
        drop(router(runtime.client().clone(), local().base_path(path)).unwrap());
    }
    let taken = Server::bind(runtime.client().clone(), options()).await.unwrap();
    let error = Server::bind(runtime.client().clone(), HttpOptions::new().bind(taken.local_addr())).await.unwrap_err();
    assert!(error.to_string().contains(&taken.local_addr().to_string()), "{error}");
}

struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<()>,
}

fn serve(server: Server) -> Served {
    let (address, (stop, stopped)) = (server.local_addr(), oneshot::channel());
    Served { address, stop, serving: tokio::spawn(server.run_until(async { drop(stopped.await) })) }
}

#[tokio::test]
async fn it_serves_ones_own_routes_too_and_answers_everything_else() {
    in_time(async {
        let runtime = runtime(MemoryStore::new()).await;
        let server = Server::bind(runtime.client().clone(), options()).await.unwrap();
        let served = serve(server.merge(axum::Router::new().route("/own", get(|| async { "mine" }))));
        let follower = Follower { address: served.address };
        let url = |path: &str| format!("http://{}{path}", served.address);
        assert_eq!(follower.send("GET", &url("/own"), "").await.2, json!("mine"));
        let (status, _, payload) = follower.send("POST", &url(&format!("{BASE}/orchestrators/puppet/p")), "1").await;
        assert_eq!(status, 202);
        // The URLs contain the address that is bound.
        assert!(payload["statusQueryGetUri"].as_str().unwrap().starts_with(&url(BASE)), "{payload}");
        for (method, path) in [("GET", "/nowhere"), ("POST", "/own"), ("GET", "/"), ("GET", "/runtime")] {
            let (status, _, body) = follower.send(method, &url(path), "").await;
            assert_eq!((status, &body["ExceptionType"]), (404, &json!("RouteNotFound")), "{method} {path}");
        }
        served.stop.send(()).unwrap();
        served.serving.await.unwrap();
        assert!(TcpStream::connect(served.address).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn running_requests_finish_and_what_does_not_is_cut_off() {
    in_time(async {
        for (grace, finishes) in [(Duration::from_secs(60), true), (Duration::ZERO, false)] {
            let runtime = runtime(MemoryStore::new()).await;
            let mut limits = HttpLimits::default();
            limits.shutdown_grace = grace;
            let server = Server::bind(runtime.client().clone(), options().limits(limits)).await.unwrap();
            let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let ended = Arc::new(AtomicUsize::new(0));
            let handler = {
                let (begun, go_on, ended) = (Arc::clone(&begun), Arc::clone(&go_on), Arc::clone(&ended));
                move || async move {
                    begun.notify_one();
                    go_on.notified().await;
                    ended.fetch_add(1, Ordering::SeqCst);
                    "done"
                }
            };
            let served = serve(server.merge(axum::Router::new().route("/slow", get(handler))));
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            begun.notified().await;
            served.stop.send(()).unwrap();
            if finishes {
                go_on.notify_one();
            }
            served.serving.await.unwrap();
            let mut answer = String::new();
            let read = stream.read_to_string(&mut answer).await;
            assert_eq!(answer.ends_with("done"), finishes, "{read:?} {answer}");
            assert_eq!(ended.load(Ordering::SeqCst), usize::from(finishes));
        }
    })
    .await;
}

#[tokio::test]
async fn heads_are_limited_in_size_and_time() {
    in_time(async {
        let runtime = runtime(MemoryStore::new()).await;
        let mut limits = HttpLimits::default();
        limits.header_time = Duration::from_millis(50);
        let served = serve(Server::bind(runtime.client().clone(), options().limits(limits)).await.unwrap());
        let answer = async |head: &[u8]| {
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            // The server may close the connection before everything is written.
            let _ = stream.write_all(head).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
        };
        let big = format!("GET /healthz HTTP/1.1\r\nconnection: close\r\nx: {}\r\n\r\n", "y".repeat(40_000));
        assert_eq!(answer(big.as_bytes()).await, "HTTP/1.1 431 Request Header Fields Too Large");
        let huge = format!("GET /healthz HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(4_000_000));
        assert_eq!(answer(huge.as_bytes()).await, "HTTP/1.1 431 Request Header Fields Too Large");
        let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(200));
        assert_eq!(answer(many.as_bytes()).await, "HTTP/1.1 431 Request Header Fields Too Large");
        // The stream does not end, but the connection does.
        assert_eq!(answer(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await, "");
        assert_eq!(answer(b"nonsense\r\n\r\n").await, "HTTP/1.1 400 Bad Request");
        let fine = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        assert_eq!(answer(fine).await, "HTTP/1.1 200 OK");
        served.stop.send(()).unwrap();
        served.serving.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_stopped_runtime_is_not_ready() {
    in_time(async {
        let runtime = runtime(MemoryStore::new()).await;
        let served = serve(Server::bind(runtime.client().clone(), options()).await.unwrap());
        let follower = Follower { address: served.address };
        let status = async |path: &str| follower.send("GET", &format!("http://{}{path}", served.address), "").await.0;
        assert_eq!((status("/healthz").await, status("/readyz").await), (200, 200));
        runtime.shutdown().await.unwrap();
        assert_eq!((status("/healthz").await, status("/readyz").await), (200, 503));
    })
    .await;
}
