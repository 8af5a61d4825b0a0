//! A proxy that cuts connections at the boundary of a message.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::server;

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// COMMIT never reaches the server.
    BeforeCommit,
    /// The server commits, and its answer never arrives.
    BeforeItsAnswer,
}

/// A proxy in front of the server. It lives as long as the process.
pub(crate) struct Proxy {
    port: u16,
    next: Arc<Mutex<Option<Cut>>>,
    /// The connections of clients, or `None` while the server seems to be away.
    open: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

/// COMMIT as a message of the simple protocol: its kind, its length, and the text.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// The name of the command in the answer to COMMIT.
const COMMITTED: &[u8] = b"COMMIT\0";

impl Proxy {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let next = Arc::new(Mutex::new(None));
        let open = Arc::new(Mutex::new(Some(Vec::new())));
        let (cut, clients) = (Arc::clone(&next), Arc::clone(&open));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                match &mut *clients.lock().unwrap() {
                    Some(clients) => clients.push(client.try_clone().unwrap()),
                    None => continue,
                }
                let server = TcpStream::connect(target()).unwrap();
                let (back, cut) = ((server.try_clone().unwrap(), client.try_clone().unwrap()), Arc::clone(&cut));
                let swallows = Arc::new(AtomicBool::new(false));
                let swallowed = Arc::clone(&swallows);
                std::thread::spawn(move || pass_back(back.0, back.1, &swallowed));
                std::thread::spawn(move || pass_on(client, server, &cut, &swallows));
            }
        });
        Self { port, next, open }
    }

    /// The address of the database behind the proxy.
    pub(crate) fn address(&self) -> String {
        server::address().replace(&target(), &format!("127.0.0.1:{}", self.port))
    }

    /// Breaks all connections, and lets no other one through until [`return_server`](Self::return_server).
    pub(crate) fn take_server_away(&self) {
        for client in self.open.lock().unwrap().take().into_iter().flatten() {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn return_server(&self) {
        *self.open.lock().unwrap() = Some(Vec::new());
    }

    /// Cuts the connection that sends the next COMMIT.
    pub(crate) fn cut_next(&self, cut: Cut) {
        *self.next.lock().unwrap() = Some(cut);
    }
}

/// The host and the port of the server.
fn target() -> String {
    let rest = server::address().split_once('@').expect("a user").1;
    rest.split('/').next().unwrap().to_owned()
}

/// Passes on what the client sends. A flight is sent as a whole, so it ends with COMMIT.
fn pass_on(mut client: TcpStream, mut server: TcpStream, cut: &Mutex<Option<Cut>>, swallows: &AtomicBool) {
    let mut seen = Vec::new();
    let mut buffer = [0; 65_536];
    while let Ok(read @ 1..) = client.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..read]);
        let is_commit = seen.ends_with(COMMIT);
        let cut = if is_commit { cut.lock().unwrap().take() } else { None };
        match cut {
            None => server.write_all(&seen).unwrap(),
            Some(Cut::BeforeCommit) => {
                server.write_all(&seen[..seen.len() - COMMIT.len()]).unwrap();
                let _ = client.shutdown(Shutdown::Both);
                // The server holds its locks, because it does not know that nobody is there any more.
                std::mem::forget(server);
                return;
            }
            Some(Cut::BeforeItsAnswer) => {
                swallows.store(true, Ordering::Release);
                server.write_all(&seen).unwrap();
                return;
            }
        }
        seen.clear();
    }
    let _ = server.shutdown(Shutdown::Write);
}

/// Passes on what the server answers. Once it has to swallow answers, it does so until the server has committed.
fn pass_back(mut server: TcpStream, mut client: TcpStream, swallows: &AtomicBool) {
    let mut swallowed = Vec::new();
    let mut buffer = [0; 65_536];
    while let Ok(read @ 1..) = server.read(&mut buffer) {
        if swallows.load(Ordering::Acquire) {
            swallowed.extend_from_slice(&buffer[..read]);
            if swallowed.windows(COMMITTED.len()).any(|part| part == COMMITTED) {
                break;
            }
        } else if client.write_all(&buffer[..read]).is_err() {
            return;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}
