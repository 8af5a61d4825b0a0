//! What happened over all runs of the victim, in order, with one line for each event.
//!
//! Each line is a single `write` to a file in append mode, so that it is complete and survives the kill of the process.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// The ledger, for writing. Clones write to the same file.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<File>);

/// A line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A victim has begun.
    Victim,
    /// A start is about to be requested.
    Starting(String),
    /// The start was acknowledged, with whether it created the instance.
    Started(String, bool),
    /// An event is about to be raised: the instance, and the number of the event.
    Raising(String, i64),
    /// The event was acknowledged.
    Raised(String, i64),
    /// The termination was acknowledged.
    Terminated(String),
    /// A client has read a custom status that says that this many steps are done.
    Seen(String, u32),
    /// An activity begins: its task id, its instance, and how many steps were done before it.
    Begin(String, String, u32),
    /// The activity is about to return.
    End(String),
    /// A client has received the output.
    Done(String, String),
}

impl Ledger {
    /// Opens the file for appending.
    pub fn open(path: &Path) -> Self {
        Self(Arc::new(OpenOptions::new().create(true).append(true).open(path).expect("the ledger opens")))
    }

    /// Writes a line.
    pub fn write(&self, line: &Line) {
        let text = match line {
            // This ends a line that an earlier victim may have left incomplete.
            Line::Victim => "\nvictim\n".to_owned(),
            Line::Starting(id) => format!("starting {id}\n"),
            Line::Started(id, created) => format!("started {id} {created}\n"),
            Line::Raising(id, number) => format!("raising {id} {number}\n"),
            Line::Raised(id, number) => format!("raised {id} {number}\n"),
            Line::Terminated(id) => format!("terminated {id}\n"),
            Line::Seen(id, done) => format!("seen {id} {done}\n"),
            Line::Begin(key, id, done) => format!("begin {key} {id} {done}\n"),
            Line::End(key) => format!("end {key}\n"),
            Line::Done(id, output) => format!("done {id} {output}\n"),
        };
        (&*self.0).write_all(text.as_bytes()).expect("the ledger takes a line");
    }
}

/// Reads the ledger.
pub fn read(path: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().filter(|line| !line.is_empty()).map(parse).collect()
}

fn parse(line: &str) -> Line {
    let mut words = line.splitn(4, ' ');
    let kind = words.next().unwrap_or_default();
    let mut word = || words.next().expect(line).to_owned();
    match kind {
        "victim" => Line::Victim,
        "starting" => Line::Starting(word()),
        "started" => Line::Started(word(), word() == "true"),
        "raising" => Line::Raising(word(), number(&word())),
        "raised" => Line::Raised(word(), number(&word())),
        "terminated" => Line::Terminated(word()),
        "seen" => Line::Seen(word(), number(&word())),
        "begin" => Line::Begin(word(), word(), number(&word())),
        "end" => Line::End(word()),
        "done" => Line::Done(word(), word()),
        other => unreachable!("a line of the ledger begins with {other:?}"),
    }
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(word: &str) -> T {
    word.parse().expect("a number")
}
