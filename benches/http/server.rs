//! The server that is measured. It is this program in a second process, so that its memory can be measured separately.

use std::process::Stdio;
use std::time::Duration;

use persevere::Client;
use persevere::http::{HttpOptions, Server as HttpServer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::Outcome;
use crate::process::resident_bytes;
use crate::stage::{Disk, Stage, StoreKind};
use crate::workload::{Go, announce};

/// The number of running instances, each of which has many watchers.
pub(super) const INSTANCES: usize = 10;

/// How often each of them changes its custom status.
const CHANGE: Duration = Duration::from_millis(500);

const BASE: &str = "/runtime/webhooks/durabletask/instances";

/// The commands to the server: report its counters, and begin.
const SAY: &str = "say";
const BEGIN: &str = "begin";

/// The server process.
pub(super) struct Server {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    address: String,
}

/// The counters that the server reports.
#[derive(Clone, Copy)]
pub(super) struct State {
    pub(super) reads: usize,
    pub(super) histories: usize,
    pub(super) resident: u64,
}

impl Server {
    pub(super) async fn start(disk: &Disk) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve_http")
            .arg("--folder")
            .arg(disk.root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (input, output) = input.zip(output).ok_or("the server has no input and output")?;
        let mut output = BufReader::new(output).lines();
        let address = output.next_line().await?.ok_or("the server does not serve")?;
        Ok(Self { child, input, output, address })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The path of one of the instances.
    pub(super) fn path_of(&self, place: usize) -> String {
        format!("{BASE}/announcer-{}", place % INSTANCES)
    }

    pub(super) async fn state(&mut self) -> Outcome<State> {
        self.tell(SAY).await?;
        let line = self.output.next_line().await?.ok_or("the server has ended")?;
        let numbers: Vec<u64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [reads, histories, resident] = numbers[..] else { return Err(format!("the server said {line:?}").into()) };
        Ok(State { reads: usize::try_from(reads)?, histories: usize::try_from(histories)?, resident })
    }

    /// Makes the custom statuses change from now on.
    pub(super) async fn change(&mut self) -> Outcome {
        self.tell(BEGIN).await
    }

    async fn tell(&mut self, what: &str) -> Outcome {
        Ok(self.input.write_all(format!("{what}\n").as_bytes()).await?)
    }

    pub(super) async fn end(self) -> Outcome {
        let Self { mut child, input, .. } = self;
        drop(input);
        let status = child.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}").into()) }
    }
}

/// Serves until the standard input ends.
#[allow(clippy::print_stdout, reason = "the process that measures reads it")]
pub(crate) async fn serve(disk: &Disk) -> Outcome {
    let stage = Stage::open(disk, StoreKind::Sqlite).await?;
    for place in 0..INSTANCES {
        announce::start(stage.client(), u32::MAX).instance_id(format!("announcer-{place}")).await?;
    }
    let server = HttpServer::bind(stage.client().clone(), HttpOptions::new().bind(([127, 0, 0, 1], 0))).await?;
    println!("{}", server.local_addr());
    let mut changes = None;
    let told = async {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line == BEGIN {
                changes = Some(tokio::spawn(change(stage.client().clone())));
            } else {
                let seen = stage.seen();
                println!("{} {} {}", seen.instance_reads(), seen.history_reads(), resident_bytes());
            }
        }
    };
    server.run_until(told).await;
    if let Some(changes) = changes {
        changes.abort();
    }
    stage.close().await?;
    Ok(())
}

/// Makes every instance change its custom status again and again.
async fn change(client: Client) -> Outcome {
    let mut beat = tokio::time::interval(CHANGE);
    for number in 1.. {
        beat.tick().await;
        for place in 0..INSTANCES {
            client.handle::<announce>(format!("announcer-{place}"))?.raise_event(Go(number)).await?;
        }
    }
    Ok(())
}
