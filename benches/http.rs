//! Many open streams and steady polls against a server in a separate process: what arrives, how long a poll takes, and
//! what this costs in memory and in reads of the store.

mod connection;
mod server;

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::report::Figure;
use crate::samples::{Samples, milliseconds};
use crate::stage::StoreKind;
use crate::{Bench, Outcome, progress};

use self::connection::Connection;
use self::server::Server;

pub(crate) use self::server::serve;

/// Polls per second. The connections take turns.
const POLLS: u32 = 200;
const POLLERS: u32 = 20;

/// The number of streams that are opened at a time.
const OPENING: usize = 50;

/// The number of reads for each instance besides those of the polls: for its start, for the first stream, and for an
/// event that finds it out of memory.
const OTHER_READS: usize = 3;

/// The number of bytes in a MiB.
const MEBIBYTE: f64 = 1_048_576.0;

/// The length of the run.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Length {
    /// Seconds of polls [default: 30]
    #[arg(long)]
    seconds: Option<u64>,
}

pub(crate) async fn run(bench: &mut Bench, length: Length) -> Outcome {
    let count: usize = bench.scale.pick(2_000, 2_000, 50);
    let default = bench.scale.pick(30_000, 10_000, 1_000);
    let time = Duration::from_millis(length.seconds.map_or(default, |seconds| seconds * 1_000));
    let mut server = Server::start(&bench.disk).await?;
    let at_first = server.state().await?;

    let bar = progress::bar("http", count as u64);
    let (stop, stopped) = watch::channel(());
    let mut streams = JoinSet::new();
    for first in (0..count).step_by(OPENING) {
        let opened = (first..count.min(first + OPENING)).map(|place| Connection::stream(&server, place));
        let opened: Vec<_> = opened.map(tokio::spawn).collect();
        for connection in opened {
            let connection = connection.await??;
            bar.inc(1);
            streams.spawn(connection.count_events(stopped.clone()));
        }
    }
    let with_streams = server.state().await?;
    server.change().await?;
    let polls = poll(&server, time).await?;
    let at_the_end = server.state().await?;
    drop(stop);
    let mut events = 0;
    while let Some(counted) = streams.join_next().await {
        events += counted??;
    }
    bar.finish_and_clear();
    server.end().await?;

    let figure = |case: &str, value: f64, unit: &'static str| {
        Figure::new("http", StoreKind::Sqlite, value, unit).case(case.to_owned())
    };
    let reads = at_the_end.reads - at_first.reads;
    let bound = polls.len() + OTHER_READS * server::INSTANCES;
    let growth = at_the_end.resident - at_first.resident;
    let figures = [
        figure("streams that stay open", count as f64, "streams").at_least(count as f64),
        figure("polls beside them", polls.len() as f64 / time.as_secs_f64(), "polls/s")
            .at_least(f64::from(POLLS) * 0.99)
            .times(&polls),
        figure("events that arrive", events as f64 / time.as_secs_f64(), "events/s"),
        figure("reads of the store", reads as f64, "reads").at_most(bound as f64),
        figure("histories loaded", at_the_end.histories as f64, "histories").at_most(0.0),
        figure("memory of the server", at_the_end.resident as f64 / MEBIBYTE, "MiB"),
        figure("memory of a stream", growth as f64 / 1024.0 / count as f64, "KiB"),
    ];
    figures.iter().try_for_each(|figure| bench.report.add(figure))?;
    // The reads for opening the streams are included above, and reported here only if there are more than expected.
    let opening = with_streams.reads - at_first.reads;
    if opening > server::INSTANCES {
        return Err(format!("{count} streams of {} instances read the store {opening} times", server::INSTANCES).into());
    }
    Ok(())
}

/// Polls at a steady rate, however long the answers take. The time of a poll is counted from the moment when it was
/// due.
async fn poll(server: &Server, time: Duration) -> Outcome<Samples> {
    let every = Duration::from_secs(1) * POLLERS / POLLS;
    let begin = Instant::now();
    let mut pollers = JoinSet::new();
    for place in 0..POLLERS {
        let mut connection = Connection::open(server).await?;
        let path = server.path_of(place as usize);
        pollers.spawn(async move {
            let mut times = Samples::default();
            let mut due = begin + every * place / POLLERS;
            while due < begin + time {
                tokio::time::sleep_until(due).await;
                connection.get(&path).await?;
                times.push(milliseconds(due.into_std()));
                due += every;
            }
            Outcome::Ok(times)
        });
    }
    let mut all = Samples::default();
    while let Some(times) = pollers.join_next().await {
        all.extend(times??);
    }
    Ok(all)
}
