//! The process that is killed: `crash_victim <folder> <instances kept live> <load | finish>`.

use std::io::Write;
use std::path::Path;

use persevere::prelude::*;
use persevere_tests::crash::ledger::{self, Ledger, Line};
use persevere_tests::crash::load;

/// Instances that the load has under way.
const AT_A_TIME: usize = 24;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, live, mode] = &arguments[..] else { return Err("three arguments are needed".into()) };
    // A load that panics must not look as if it went on.
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
    // Tells the test that from here on it kills a victim at work.
    writeln!(std::io::stdout(), "at work")?;
    load::run(runtime.client().clone(), ledger, &past, AT_A_TIME, finish).await;
    runtime.shutdown().await?;
    Ok(())
}
