//! Several processes on one store: what happens to the work of one that is killed or paused.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use persevere::prelude::*;
use persevere::store::{InstanceQuery, Store, StoredInstance};
use persevere::{PostgresStore, RuntimeStatus};
use persevere_tests::crash::ledger::{self, Ledger, Line};
use persevere_tests::in_time;

use crate::server;

const LEASE: Duration = Duration::from_secs(2);
const PARTITIONS: u16 = 8;
const INSTANCES: u32 = 24;
const STEPS: u32 = 30;

/// One step, noted in the ledger before and after.
#[activity]
async fn fleet_step(cx: &ActivityContext, done: u32) -> Result<u32, ActivityError> {
    let ledger = cx.state::<Ledger>();
    let task = format!("{}.{}", cx.instance_id(), done);
    ledger.write(&Line::Begin(task.clone(), cx.instance_id().to_string(), done));
    tokio::time::sleep(Duration::from_millis(20)).await;
    ledger.write(&Line::End(task));
    Ok(1)
}

#[orchestrator]
async fn fleet_steps(ctx: OrchestrationContext, count: u32) -> Result<u32, OrchestrationError> {
    let mut sum = 0;
    for done in 0..count {
        sum += fleet_step::call(&ctx, done).await?;
    }
    Ok(sum)
}

async fn open(schema: &str) -> PostgresStore {
    PostgresStore::builder(server::address()).schema(schema).partitions(PARTITIONS).lease(LEASE).open().await.unwrap()
}

/// A worker, when this program is started as one.
#[tokio::test]
async fn worker() {
    let Ok(schema) = std::env::var("PERSEVERE_TEST_WORKER") else { return };
    let ledger = Ledger::open(Path::new(&std::env::var("PERSEVERE_TEST_LEDGER").unwrap()));
    let builder = Runtime::builder().store(open(&schema).await).register(persevere::registry![fleet_steps, fleet_step]);
    let runtime = builder.state(ledger.clone()).start().await.unwrap();
    if std::env::var_os("PERSEVERE_TEST_STARTS").is_some() {
        for number in 0..INSTANCES {
            let id = format!("instance-{number}");
            let handle = fleet_steps::start(runtime.client(), STEPS).instance_id(&id).await.unwrap();
            ledger.write(&Line::Started(id, handle.was_created()));
        }
    }
    ledger.write(&Line::Victim);
    // The test ends this process.
    std::future::pending::<()>().await;
}

/// A process that runs [`worker`]. It is killed when it is dropped.
struct Process(Child);

impl Process {
    fn start(schema: &str, ledger: &Path, starts: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "failover::worker", "--nocapture"]).stdin(Stdio::null()).stdout(Stdio::null());
        command.env("PERSEVERE_TEST_WORKER", schema).env("PERSEVERE_TEST_LEDGER", ledger);
        command.env("PERSEVERE_POSTGRES", server::address());
        if starts {
            command.env("PERSEVERE_TEST_STARTS", "1");
        }
        Self(command.spawn().unwrap())
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until the ledger is as it should be.
async fn until(ledger: &Path, is_reached: impl Fn(&[Line]) -> bool) -> Vec<Line> {
    in_time(async {
        loop {
            let lines = ledger::read(ledger);
            if is_reached(&lines) {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

fn count(lines: &[Line], wanted: impl Fn(&Line) -> bool) -> usize {
    lines.iter().filter(|line| wanted(line)).count()
}

/// Whether every instance was started, and some steps are done.
fn is_at_work(lines: &[Line]) -> bool {
    count(lines, |line| *line == Line::Victim) == 1 && count(lines, |line| matches!(line, Line::End(_))) > 20
}

async fn all(store: &PostgresStore) -> Vec<StoredInstance> {
    let mut query = InstanceQuery::default();
    query.limit = 1_000;
    store.query(query).await.unwrap().instances
}

/// Waits until every instance has ended, and checks what is stored.
async fn all_end(store: &PostgresStore) -> Vec<StoredInstance> {
    let ended = in_time(async {
        loop {
            let instances = all(store).await;
            if instances.iter().all(|stored| stored.head.is_ended()) {
                return instances;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(ended.len(), INSTANCES as usize, "an acknowledged instance was lost");
    for stored in &ended {
        let progress = &stored.head.progress;
        assert_eq!(progress.status, RuntimeStatus::Completed, "{stored:?}");
        assert_eq!(progress.output.as_ref().map(|output| output.as_str().to_owned()), Some(STEPS.to_string()));
    }
    ended
}

/// What the ledger must say: each step has begun and ended, and only a crash can have repeated one.
fn check_steps(lines: &[Line], repeated: usize) {
    let mut begun = 0;
    for number in 0..INSTANCES {
        for step in 0..STEPS {
            let task = format!("instance-{number}.{step}");
            let begins = count(lines, |line| matches!(line, Line::Begin(begin, ..) if *begin == task));
            assert!(begins >= 1, "{task} never ran");
            assert!(count(lines, |line| *line == Line::End(task.clone())) >= 1, "{task} never ended");
            begun += begins - 1;
        }
    }
    assert!(begun <= repeated, "{begun} steps ran again, of which a crash explains {repeated}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p04_survivors_take_over_the_partitions_of_a_killed_process_within_a_lease() {
    let (schema, folder) = (server::schema(), tempfile::tempdir().unwrap());
    let ledger = folder.path().join("ledger.log");
    let store = open(&schema).await;
    let victim = Process::start(&schema, &ledger, true);
    until(&ledger, is_at_work).await;
    let _survivors = [Process::start(&schema, &ledger, false), Process::start(&schema, &ledger, false)];
    until(&ledger, |lines| count(lines, |line| *line == Line::Victim) == 3).await;
    drop(victim);
    let (killed, before) = (Instant::now(), ledger::read(&ledger));
    let begins = |lines: &[Line]| count(lines, |line| matches!(line, Line::Begin(..)));
    until(&ledger, |lines| begins(lines) > begins(&before)).await;
    let took = killed.elapsed();
    println!("the first activity after the kill began after {took:?}, with a lease of {LEASE:?}");
    // A survivor tries each second. The machine may be busy, so this is generous.
    assert!(took < LEASE * 4, "{took:?}");
    all_end(&store).await;
    check_steps(&ledger::read(&ledger), INSTANCES as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn p01_a_process_that_was_paused_for_three_leases_leaves_no_row() {
    let (schema, folder) = (server::schema(), tempfile::tempdir().unwrap());
    let ledger = folder.path().join("ledger.log");
    let store = open(&schema).await;
    let paused = Process::start(&schema, &ledger, true);
    until(&ledger, is_at_work).await;
    paused.signal("-STOP");
    let stopped = Instant::now();
    let _survivor = Process::start(&schema, &ledger, false);
    let ended = all_end(&store).await;
    tokio::time::sleep((LEASE * 3).saturating_sub(stopped.elapsed())).await;
    let lines = ledger::read(&ledger);
    paused.signal("-CONT");
    // Activities that were interrupted in the middle end now, so the process works again.
    until(&ledger, |now| now.len() > lines.len()).await;
    tokio::time::sleep(LEASE).await;
    assert_eq!(all(&store).await, ended, "the paused process has changed something");
    check_steps(&ledger::read(&ledger), INSTANCES as usize);
}
