//! The example `http_server` from the terminal. The tests in a browser check its page.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use persevere_tests::example_program::{Folder, Program};

/// Starts it at a free port, and returns its address too.
fn start(folder: &Folder) -> (Program, String) {
    let mut program = folder.start("http_server", &["--bind", "127.0.0.1:0"]);
    let line = program.wait_for("Open http://");
    let address =
        line.strip_prefix("Open http://").and_then(|rest| rest.strip_suffix(" in a browser. Ctrl-C ends it."));
    let address = address.expect("the line says how to end the server").to_owned();
    (program, address)
}

/// Sends a request, and returns the body of a successful answer.
fn request(address: &str, line: &str, body: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(stream, "{line} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .unwrap();
    let mut answer = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(answer.read_line(&mut head).unwrap(), 0, "{head}");
    }
    assert!(head.starts_with("HTTP/1.1 20"), "{head}");
    answer
}

/// Starts `hello_cities`, and returns the path of the instance.
fn greet(address: &str, cities: &str) -> String {
    let mut text = String::new();
    request(address, "POST /runtime/webhooks/durabletask/orchestrators/hello_cities", cities)
        .read_to_string(&mut text)
        .unwrap();
    let payload: serde_json::Value = serde_json::from_str(&text).unwrap();
    format!("/runtime/webhooks/durabletask/instances/{}", payload["id"].as_str().unwrap())
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_server_and_its_streams_and_running_instances_continue_later() {
    let folder = Folder::new();
    let (program, address) = start(&folder);
    let instance = greet(&address, r#"["Tokyo", "Graz"]"#);
    let mut stream = request(&address, &format!("GET {instance}/customStatus/stream"), "").lines();
    assert!(stream.any(|line| line.unwrap().contains(r#""greeting":"Tokyo""#)));
    program.interrupt();
    assert!(stream.map_while(Result::ok).all(|line| !line.contains("event: end")), "it has not ended");
    let lines = program.end().success();
    assert_eq!(lines[1..], ["Unfinished orchestrations continue when you start it again."]);

    let (program, address) = start(&folder);
    let mut stream = request(&address, &format!("GET {instance}/customStatus/stream"), "").lines();
    assert!(stream.any(|line| line.unwrap().contains(r#""output":["Hello Tokyo!","Hello Graz!"]"#)));
    program.interrupt();
    program.end().success();
}

#[cfg(unix)]
#[test]
fn sigterm_ends_it_although_streams_are_open() {
    let folder = Folder::new();
    let (program, address) = start(&folder);
    let instance = greet(&address, r#"["Tokyo", "Graz", "London", "Kyoto", "Seattle"]"#);
    let id = instance.rsplit('/').next().unwrap();
    let several = format!("GET /runtime/webhooks/durabletask/instances/stream?ids={id}");
    let mut streams: Vec<_> = [format!("GET {instance}/customStatus/stream"), several]
        .map(|line| request(&address, &line, "").lines())
        .into();
    for stream in &mut streams {
        assert!(stream.any(|line| line.unwrap().contains(r#""greeting":"Tokyo""#)));
    }
    program.terminate();
    program.end().success();
    for stream in streams {
        assert!(stream.map_while(Result::ok).all(|line| !line.contains("event: end")), "it has not ended");
    }
}

/// An axum application that contains the router: with everything open that stays open.
#[cfg(unix)]
#[test]
fn sigterm_ends_an_application_that_contains_the_router() {
    let folder = Folder::new();
    let mut program = folder.start("http_api", &["--nested", "/durable"]);
    let base = program.wait_for("http://").strip_prefix("http://").unwrap().to_owned();
    let (address, prefix) = base.split_once('/').unwrap();
    let api = format!("/{prefix}/runtime/webhooks/durabletask");
    let start = |path: &str| request(address, &format!("POST {api}/orchestrators/recommend_city/{path}"), "1");
    drop(start("trip"));

    let get = |path: &str| request(address, &format!("GET {api}/instances/{path}"), "").lines();
    let mut streams =
        vec![get("trip/customStatus/stream"), get("stream?ids=trip,nobody"), get("stream?ids=nobody,trip")];
    for stream in &mut streams {
        assert!(stream.any(|line| line.unwrap().contains("Kyoto")));
    }
    // These two are answered when the application ends: nothing that they wait for happens.
    let waits = [
        (format!("GET {api}/instances/trip?waitForCustomStatusChange=1&timeout=100"), ""),
        (format!("POST {api}/orchestrators/recommend_city/waits?timeout=100"), "1"),
    ];
    let waits: Vec<_> = waits
        .into_iter()
        .map(|(line, body)| {
            let address = address.to_owned();
            std::thread::spawn(move || {
                let mut text = String::new();
                request(&address, &line, body).read_to_string(&mut text).unwrap();
                text
            })
        })
        .collect();
    // The start has arrived when its instance is at work. The long poll may come too late: then nobody answers it.
    while !get("stream?ids=waits").any(|line| line.unwrap().contains("Kyoto")) {}
    // A connection that is kept for later requests.
    let _idle = TcpStream::connect(address).unwrap();

    program.terminate();
    let lines = program.end().success();
    assert_eq!(lines.last().map(String::as_str), Some("The application has ended."));
    for stream in streams {
        assert!(stream.map_while(Result::ok).all(|line| !line.contains("event: end")), "it is not over");
    }
    let [poll, started] = <[_; 2]>::try_from(waits).unwrap();
    assert!(started.join().unwrap().contains("statusQueryGetUri"));
    if let Ok(text) = poll.join() {
        assert!(text.contains("customStatus"), "{text}");
    }
}

/// Without a script, nothing on the page pretends to work.
#[test]
fn the_page_says_that_it_needs_javascript() {
    let (_program, address) = start(&Folder::new());
    let mut page = String::new();
    request(&address, "GET /", "").read_to_string(&mut page).unwrap();
    let says = page.split_once("<noscript>").and_then(|(_, rest)| rest.split_once("</noscript>")).unwrap().0;
    assert!(says.contains("needs JavaScript") && says.contains("curl"), "{says}");
    assert!(page.split("<fieldset").skip(1).all(|tag| tag.split('>').next().unwrap().contains(" disabled")));
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let (_program, address) = start(&Folder::new());
    let mut page = String::new();
    request(&address, "GET /", "").read_to_string(&mut page).unwrap();
    let loaded: Vec<_> = ["src=\"", "href=\""].iter().flat_map(|name| page.split(name).skip(1)).collect();
    assert!(loaded.len() > 3 && loaded.iter().all(|path| path.starts_with('/')), "{loaded:#?}");
    for path in loaded.iter().map(|path| path.split('"').next().unwrap()) {
        request(&address, &format!("GET {path}"), "");
    }
}

#[test]
fn the_reason_why_it_cannot_serve_is_named() {
    let folder = Folder::new();
    let (_program, address) = start(&folder);
    let cases = [
        ("127.0.0.1:0", "http_server.db", "http_server.db is in use by another runtime: stop that runtime first"),
        (&address, "another.db", "cannot listen on"),
        ("0.0.0.0:0", "another.db", "keys"),
    ];
    for (bind, database, text) in cases {
        let error = folder.run("http_server", &["--bind", bind, "--database", database]).failure(1);
        assert!(error.contains(text), "{bind}: {error}");
    }
    let error = folder.run("http_server", &["--bind", "everywhere"]).failure(2);
    assert!(error.contains("--bind"), "{error}");
}
