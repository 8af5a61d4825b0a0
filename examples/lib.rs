//! What the examples share: starting or going on with an instance, painting progress, asking the user, ending.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints what it shows")]

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use persevere::{Client, ClientError, IdReusePolicy, OrchestrationHandle, Orchestrator, StartOrchestration};

/// Starts an instance under an id of its own. While the one that was started under this id before has not ended, with
/// whatever input, it gives that one: `was_created()` tells.
///
/// # Errors
/// Those of the start, but for the id being in use.
pub async fn start_or_go_on<O: Orchestrator>(
    client: &Client,
    id: &str,
    start: StartOrchestration<O>,
) -> Result<OrchestrationHandle<O>, ClientError> {
    match start.instance_id(id).on_existing(IdReusePolicy::ReplaceEnded).await {
        Err(error) if error.is_already_exists() => client.handle(id),
        started => started,
    }
}

/// A progress bar in a terminal; elsewhere one line of text for each step.
#[derive(Debug)]
pub struct ProgressPainter {
    bar: Option<ProgressBar>,
}

impl ProgressPainter {
    /// Nothing is shown yet.
    pub fn new() -> Self {
        let bar = io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {bar:30.cyan} {pos}/{len} {msg}") {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar
        });
        Self { bar }
    }

    /// Shows how far it is, and what is being done.
    pub fn show(&self, done: usize, total: usize, doing: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                bar.set_message(doing.to_owned());
                // From the first step on: before it there is nothing to draw.
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            None => println!("{done}/{total} {doing}"),
        }
    }

    /// Leaves what is shown as it is: the next line goes below it.
    pub fn leave(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

impl Default for ProgressPainter {
    fn default() -> Self {
        Self::new()
    }
}

/// Asks the user. Can be dropped at any time, unlike a read of the standard input. `None`: the input has ended.
///
/// # Errors
/// The standard input cannot be read.
pub async fn ask(question: &str) -> io::Result<Option<String>> {
    print!("{question} ");
    io::stdout().flush()?;
    let (tell, told) = tokio::sync::oneshot::channel();
    // Not a task: the end of the program would wait for it.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        let _ = tell.send(read.map(|bytes| (bytes > 0).then(|| line.trim().to_owned())));
    });
    let answer = told.await.unwrap_or(Ok(None));
    if !io::stdin().is_terminal() {
        // Nobody has pressed Enter.
        println!();
    }
    answer
}

/// How the program ends: an error is printed as its text.
pub fn exit(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
