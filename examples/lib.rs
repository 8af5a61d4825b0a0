//! What the examples share: starting or continuing an instance, painting progress, asking the user, exit codes.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints what it shows")]

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use persevere::{Client, ClientError, IdReusePolicy, OrchestrationHandle, Orchestrator, StartOrchestration};

/// Starts an instance with this id. If an earlier instance with this id has not ended, returns that one instead, whatever
/// its input is; `was_created()` says which of the two happened.
///
/// # Errors
/// The errors of a start, except the one that says that the id is in use.
pub async fn start_or_continue<O: Orchestrator>(
    client: &Client,
    id: &str,
    start: StartOrchestration<O>,
) -> Result<OrchestrationHandle<O>, ClientError> {
    match start.instance_id(id).on_existing(IdReusePolicy::ReplaceEnded).await {
        Err(error) if error.is_already_exists() => client.handle(id),
        started => started,
    }
}

/// Paints a progress bar in a terminal. Elsewhere it prints one line of text for each step.
#[derive(Debug)]
pub struct ProgressPainter {
    bar: Option<ProgressBar>,
}

impl ProgressPainter {
    /// Creates a painter that has not painted anything yet.
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

    /// Shows that `done` of `total` steps are done, and what is being done now.
    pub fn show(&self, done: usize, total: usize, doing: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                bar.set_message(doing.to_owned());
                // Ticking starts with the first step: before it, there is nothing to draw.
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            None => println!("{done}/{total} {doing}"),
        }
    }

    /// Leaves the bar as it is, so that further output goes below it.
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

/// Asks the user a question on the standard input. Returns `None` if the input has ended. Unlike a read of Tokio's
/// standard input, the future can be dropped at any time.
///
/// # Errors
/// Returns an error if the standard input cannot be read.
pub async fn ask(question: &str) -> io::Result<Option<String>> {
    print!("{question} ");
    io::stdout().flush()?;
    let (tell, told) = tokio::sync::oneshot::channel();
    // This is a thread and not a task, because the runtime would wait for a blocking task at the end of the program.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        let _ = tell.send(read.map(|bytes| (bytes > 0).then(|| line.trim().to_owned())));
    });
    let answer = told.await.unwrap_or(Ok(None));
    if !io::stdin().is_terminal() {
        // The input does not come from a keyboard, so nobody has pressed Enter and the line is still open.
        println!();
    }
    answer
}

/// Returns the exit code of the program, and prints the error with its causes if there is one.
pub fn exit(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
