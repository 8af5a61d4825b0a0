//! The transcripts in docs/http.md are true: each command runs as written against a server of its own, and its output
//! is compared with the page.
//!
//! A fenced block of the kind `console` is a transcript. Lines that begin with `$ ` are commands, and the other lines
//! are their output. Blocks with `keys` after the kind run against a server with keys. White space in the output does
//! not count, so that the page may wrap JSON. `...` stands for any text, and `<time>` and similar words stand for what
//! differs each time.

use std::process::Stdio;

use persevere::http::HttpOptions;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::http_edges::connection::BASE;
use crate::http_edges::scenarios::Pace;
use crate::http_edges::{Served, root};

/// The address that the page uses.
const SHOWN: &str = "127.0.0.1:7071";
const SHOP: &str = "aKeyForTheShopOfThisPage";
const OPERATOR: &str = "aKeyForTheOperatorOfThisPage";

struct Transcript {
    keyed: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Default)]
struct Step {
    line: usize,
    command: String,
    prints: String,
}

fn transcripts(page: &str) -> Vec<Transcript> {
    let mut found: Vec<Transcript> = Vec::new();
    let mut inside = false;
    for (number, line) in (1..).zip(page.lines()) {
        if let Some(kind) = line.strip_prefix("```") {
            inside = !inside && kind.starts_with("console");
            if inside {
                found.push(Transcript { keyed: kind.contains("keys"), steps: Vec::new() });
            }
        } else if let Some(steps) = found.last_mut().map(|found| &mut found.steps).filter(|_| inside) {
            if let Some(command) = line.strip_prefix("$ ") {
                steps.push(Step { line: number, command: command.to_owned(), prints: String::new() });
            } else if let Some(step) = steps.last_mut() {
                let continued = step.prints.is_empty() && step.command.ends_with('\\');
                let text = if continued { &mut step.command } else { &mut step.prints };
                text.push('\n');
                text.push_str(line);
            }
        }
    }
    found
}

/// One shell for all commands of a server, so that variables are kept.
struct Shell {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    address: String,
    pace: Pace,
}

impl Shell {
    fn new(address: String, pace: Pace) -> Self {
        let mut child = Command::new("sh")
            .env("API", format!("http://{address}{BASE}"))
            .env("SERVER", format!("http://{address}"))
            .envs([("SHOP", SHOP), ("OPERATOR", OPERATOR), ("LC_ALL", "C.UTF-8"), ("NO_PROXY", "*")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { _child: child, input, output, address, pace }
    }

    /// Runs a command. Greetings continue when the output that the page shows has been seen.
    async fn run(&mut self, command: &str) -> (String, String) {
        const END: &str = "-- the command has ended with";
        if command.contains("hello_cities") && command.contains("timeout=") {
            self.pace.step();
        }
        let script = format!("{{ {command}\n}} 2>&1 < /dev/null\nprintf '\\n%s %s\\n' '{END}' $?\n");
        self.input.write_all(script.as_bytes()).await.unwrap();
        let mut printed = String::new();
        loop {
            let line = self.output.next_line().await.unwrap().expect("the shell lives");
            if let Some(code) = line.strip_prefix(END) {
                return (printed.replace(&self.address, SHOWN), code.trim().to_owned());
            }
            if command.contains("/stream") && line.contains(r#""greeting":""#) {
                self.pace.step();
            }
            printed.push_str(&line);
            printed.push('\n');
        }
    }
}

/// Whether the text is what the page says, except for white space and what differs each time.
fn fits(says: &str, text: &str) -> bool {
    let squeeze = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    fits_squeezed(&squeeze(says), &squeeze(text))
}

fn fits_squeezed(says: &str, text: &str) -> bool {
    let (Some(begin), wild) = (wildcard(says), |c: char| c.is_ascii_graphic()) else { return says == text };
    let (before, rest) = says.split_at(begin);
    let Some(text) = text.strip_prefix(before) else { return false };
    let (name, after) = match rest.strip_prefix("...") {
        Some(after) => ("...", after),
        None => rest.split_at(rest.find('>').map_or(rest.len(), |end| end + 1)),
    };
    let may_be = |c: char| match name {
        "<time>" => c.is_ascii_digit() || "-:TZ.".contains(c),
        "<id>" => c.is_ascii_lowercase() || c.is_ascii_digit(),
        "<uuid>" => c.is_ascii_hexdigit() || c == '-',
        "<token>" => c.is_ascii_digit() || c == '.',
        "<code>" => c.is_ascii_alphanumeric() || "-_".contains(c),
        _ => wild(c) || !c.is_ascii(),
    };
    let longest = text.find(|c| !may_be(c)).unwrap_or(text.len());
    let shortest = usize::from(name != "...");
    (shortest..=longest).filter(|end| text.is_char_boundary(*end)).any(|end| fits_squeezed(after, &text[end..]))
}

/// Returns where a word stands for something that differs each time.
fn wildcard(says: &str) -> Option<usize> {
    ["...", "<time>", "<id>", "<uuid>", "<token>", "<code>"].iter().filter_map(|name| says.find(name)).min()
}

#[test]
fn differences_in_a_transcript_are_found() {
    for (says, text, expected) in [
        ("a b", "ab\n", true),
        ("{\"a\": 1}", "{\"a\":1}", true),
        ("{\"a\": 1}", "{\"a\":2}", false),
        ("x <time> y", "x 2026-01-31T12:00:00Z y", true),
        ("x <time> y", "x now y", false),
        ("id=<id>&", "id=00000g000000c&", true),
        ("id=<id>&", "id=&", false),
        ("a ... b", "a anything, b and b", true),
        ("a ... b", "a anything", false),
        ("a", "a b", false),
        ("<code>", "aZ_-9", true),
    ] {
        assert_eq!(fits(says, text), expected, "{says:?} {text:?}");
    }
    let page = "```rust\n$ no\n```\n```console keys\n$ curl \\\n  x\na\nb\n$ true\n```\n";
    let found = transcripts(page);
    assert!(found.len() == 1 && found[0].keyed);
    let steps: Vec<_> = found[0].steps.iter().map(|step| (step.command.as_str(), step.prints.as_str())).collect();
    assert_eq!(steps, [("curl \\\n  x", "\na\nb"), ("true", "")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_what_happens() {
    assert!(
        Command::new("curl").arg("--version").output().await.is_ok_and(|output| output.status.success()),
        "this test needs `curl`: install it"
    );
    let page = std::fs::read_to_string(root().join("docs/http.md")).unwrap();
    let transcripts = transcripts(&page);
    let mut wrong = Vec::new();
    let mut ran = 0;
    for keyed in [false, true] {
        let mut options = HttpOptions::new();
        if keyed {
            let keys = format!("shop read,start {SHOP}\noperator all {OPERATOR}");
            options = options.keys(keys.parse().unwrap());
        }
        let pace = Pace::stepped();
        let served = Served::new(std::sync::Arc::new(persevere::MemoryStore::new()), &pace, options).await;
        let mut shell = Shell::new(served.address.to_string(), pace);
        for step in transcripts.iter().filter(|found| found.keyed == keyed).flat_map(|found| &found.steps) {
            let (printed, code) = shell.run(&step.command).await;
            ran += 1;
            if code != "0" || !fits(&step.prints, &printed) {
                wrong.push(format!("docs/http.md:{}: {} (exit {code})\n{printed}", step.line, step.command));
            }
        }
        drop(shell);
        served.close().await;
    }
    assert!(wrong.is_empty(), "what comes out is not what the page says:\n{}", wrong.join("\n"));
    assert!(ran > 20, "only {ran} commands were run");
}
