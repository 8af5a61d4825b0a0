//! The process that is killed: `crash_victim <folder> <instances kept live> <load | finish>`.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use persevere::prelude::*;
use persevere_tests::crash::ledger::{self, Ledger, Line};
use persevere_tests::crash::load;

/// The number of instances under way.
const AT_A_TIME: usize = 24;

/// How long the last run may take to finish what all others left.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, live, mode] = &arguments[..] else { return Err("three arguments are needed".into()) };
    // A load that panics must not look as if it were still running.
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(std::io::stderr(), "{panic}");
        std::process::exit(7);
    }));
    let (folder, finish) = (Path::new(folder), mode == "finish");
    let past = ledger::read(&folder.join("ledger.log"));
    let ledger = Ledger::open(&folder.join("ledger.log"));
    ledger.write(&Line::Victim);
    let runtime = Runtime::builder()
        .store(SqliteStore::open(folder.join("store.db"))?)
        .auto_register()
        .live_instances(live.parse()?)
        .state(ledger.clone())
        .start()
        .await?;
    // This tells the test that the victim is now at work.
    writeln!(std::io::stdout(), "at work")?;
    let load = load::run(runtime.client().clone(), ledger, &past, AT_A_TIME, finish);
    if finish {
        // Something that never ends was lost. This message says more than a test that hangs.
        tokio::time::timeout(PATIENCE, load).await.map_err(|_| "some instances do not end")?;
    } else {
        load.await;
    }
    runtime.shutdown().await?;
    Ok(())
}
