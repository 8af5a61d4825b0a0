//! Shows progress: the orchestrator sets a custom status after each step, and a live progress bar watches it. The program
//! can also crash on request, to show that it continues afterwards.
#![allow(clippy::print_stdout, reason = "an example prints what it shows")]

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use persevere::{ClientError, OrchestrationHandle, prelude::*};
use persevere_examples::{ProgressPainter, exit, start_or_continue};

/// Greets cities one after the other and shows the progress
#[derive(Parser)]
struct Options {
    /// The cities to greet [default: Tokyo Seattle London]
    cities: Vec<String>,
    /// The database file; `hello_cities.log` in the same folder gets a line for each greeting
    #[arg(long, default_value = "hello_cities.db")]
    database: PathBuf,
    /// Abort the process when N more greetings are recorded; run the program again to continue
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    crash_after: Option<u32>,
}

/// The custom status: how many cities are done, and which one is being greeted.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    done: usize,
    total: usize,
    greeting: Option<String>,
}

/// Greets one city, which takes a second.
#[activity]
async fn say_hello(cx: &ActivityContext, city: String) -> Result<String, ActivityError> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    cx.state::<GreetingLog>().add(&city)?;
    Ok(format!("Hello {city}!"))
}

/// Greets the cities one after the other.
#[orchestrator]
async fn hello_cities(
    ctx: OrchestrationContext<Progress>,
    cities: Vec<String>,
) -> Result<Vec<String>, OrchestrationError> {
    let total = cities.len();
    let mut greetings = Vec::new();
    for city in cities {
        ctx.set_custom_status(&Progress { done: greetings.len(), total, greeting: Some(city.clone()) })?;
        greetings.push(say_hello::call(&ctx, city).await?);
    }
    ctx.set_custom_status(&Progress { done: total, total, greeting: None })?;
    Ok(greetings)
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(Options::parse()).await)
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let log = GreetingLog::beside(&options.database);
    let store = SqliteStore::open(&options.database)?;
    let runtime = Runtime::builder().store(store).state(log).auto_register().start().await?;

    let wanted = match options.cities.is_empty() {
        true => ["Tokyo", "Seattle", "London"].map(str::to_owned).to_vec(),
        false => options.cities.clone(),
    };
    let start = hello_cities::start(runtime.client(), wanted);
    let hello = start_or_continue(runtime.client(), "hello-cities", start).await?;
    announce(&hello, &options.cities).await?;

    let painter = ProgressPainter::new();
    let mut done_before = hello.was_created().then_some(0);
    let mut watch = hello.watch_custom_status();
    while let Some(progress) = watch.next().await {
        let Progress { done, total, greeting } = progress?;
        painter.show(done, total, &greeting.map_or("done".to_owned(), |city| format!("greeting {city}")));
        if let Some(more) = options.crash_after
            && done >= *done_before.get_or_insert(done) + more as usize
        {
            painter.leave();
            println!(
                "Aborting as requested, with {done} of {total} greetings recorded. Run the program again to continue."
            );
            std::process::abort();
        }
    }
    painter.leave();
    for greeting in hello.result().await? {
        println!("{greeting}");
    }
    println!("Custom status: {}", hello.metadata().await?.serialized_custom_status().unwrap_or("none"));
    runtime.shutdown().await?;
    Ok(())
}

/// Prints which cities are greeted. An unfinished instance keeps its cities, even if others are given now.
async fn announce(hello: &OrchestrationHandle<hello_cities>, given: &[String]) -> Result<(), ClientError> {
    let cities: Vec<String> = hello.metadata().await?.read_input_as()?;
    if hello.was_created() {
        println!("Greeting {}.", cities.join(", "));
        return Ok(());
    }
    println!("Continuing the unfinished instance: {}.", cities.join(", "));
    if !given.is_empty() && given != cities {
        println!("To greet {}, run the program again afterwards.", given.join(", "));
    }
    Ok(())
}

/// The file that shows which greeting ran in which process.
pub(crate) struct GreetingLog(PathBuf);

impl GreetingLog {
    pub(crate) fn beside(database: &Path) -> Self {
        Self(database.with_file_name("hello_cities.log"))
    }

    fn add(&self, city: &str) -> io::Result<()> {
        let line = format!("greeted {city} in process {}\n", std::process::id());
        File::options().create(true).append(true).open(&self.0)?.write_all(line.as_bytes())
    }
}
