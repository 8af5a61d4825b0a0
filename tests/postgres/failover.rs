//! Several processes on one store: what happens to the work of one that is killed or paused.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use persevere::prelude::*;
use persevere::store::{InstanceQuery, InstanceRef, Store, StoredInstance};
use persevere::{InstanceFilter, InstanceId, PostgresStore, RuntimeStatus};
use persevere_tests::crash::ledger::{self, Ledger, Line};
use persevere_tests::in_time;

use crate::database::Database;
use crate::server;

const LEASE: Duration = Duration::from_secs(2);
const PARTITIONS: u16 = 8;
const INSTANCES: u32 = 24;
const STEPS: u32 = 30;
const ROUNDS: u32 = 6;
const LOAD_STEPS: u32 = 5;
/// The number of processes that [`three_processes_lose_nothing_however_often_one_is_killed`] kills.
const KILLS: usize = 30;

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

/// Starts instances in partitions of its own process and of others, one after another.
#[orchestrator]
async fn fleet_parent(ctx: OrchestrationContext, rounds: u32) -> Result<u32, OrchestrationError> {
    let mut sum = 0;
    for round in 0..rounds {
        let child = InstanceId::new(format!("{}-{round}", ctx.instance_id()))?;
        sum += fleet_steps::call(&ctx, STEPS / rounds).instance_id(child).await?;
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
    let builder = Runtime::builder().store(open(&schema).await).register(persevere::registry![
        fleet_parent,
        fleet_steps,
        fleet_step
    ]);
    let runtime = builder.state(ledger.clone()).start().await.unwrap();
    let starts = std::env::var("PERSEVERE_TEST_STARTS").unwrap_or_default();
    let client = runtime.client();
    for number in 0..INSTANCES {
        let id = format!("instance-{number}");
        match starts.as_str() {
            "steps" => drop(fleet_steps::start(client, STEPS).instance_id(&id).await.unwrap()),
            "parents" => drop(fleet_parent::start(client, ROUNDS).instance_id(&id).await.unwrap()),
            _ => break,
        }
    }
    // Everything has been acknowledged.
    ledger.write(&Line::Victim);
    for number in (0..).take_while(|_| starts == "load") {
        let id = format!("load-{}-{number}", std::process::id());
        // What another process owns is refused, and what this one has just lost may have happened or not.
        if let Ok(handle) = fleet_steps::start(client, LOAD_STEPS).instance_id(&id).await {
            ledger.write(&Line::Started(id, handle.was_created()));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The test ends this process.
    std::future::pending::<()>().await;
}

/// A process that runs [`worker`]. It is killed when it is dropped.
struct Process(Child);

impl Process {
    fn start(schema: &str, ledger: &Path, starts: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "failover::worker", "--nocapture"]).stdin(Stdio::null()).stdout(Stdio::null());
        command.env("PERSEVERE_TEST_WORKER", schema).env("PERSEVERE_TEST_LEDGER", ledger);
        command.env("PERSEVERE_POSTGRES", server::address());
        command.env("PERSEVERE_TEST_STARTS", starts);
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
            tokio::time::sleep(Duration::from_millis(30)).await;
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
    for number in 0..INSTANCES {
        let id = format!("instance-{number}");
        let stored = ended.iter().find(|stored| stored.head.life.id.as_str() == id);
        let stored = stored.expect("no acknowledged instance is lost");
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
    let victim = Process::start(&schema, &ledger, "steps");
    until(&ledger, is_at_work).await;
    let _survivors = [Process::start(&schema, &ledger, ""), Process::start(&schema, &ledger, "")];
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
    let paused = Process::start(&schema, &ledger, "steps");
    until(&ledger, is_at_work).await;
    paused.signal("-STOP");
    let stopped = Instant::now();
    let _survivor = Process::start(&schema, &ledger, "");
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

/// Waits until two processes own half of the partitions each.
async fn until_shared(database: &Database) {
    let shares = "SELECT count(*) FROM (SELECT owner FROM @partition GROUP BY owner HAVING count(*) = 4) s";
    in_time(async {
        while database.number(shares).await != 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p27_a_process_that_starts_later_gets_its_share_and_nothing_runs_twice() {
    let (database, folder) = (Database::new().await, tempfile::tempdir().unwrap());
    let ledger = folder.path().join("ledger.log");
    let store = open(&database.schema).await;
    let _first = Process::start(&database.schema, &ledger, "steps");
    until(&ledger, is_at_work).await;
    let _second = Process::start(&database.schema, &ledger, "");
    until_shared(&database).await;
    all_end(&store).await;
    check_steps(&ledger::read(&ledger), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn p07_messages_between_processes_arrive_without_a_hint() {
    let (database, folder) = (Database::new().await, tempfile::tempdir().unwrap());
    let ledger = folder.path().join("ledger.log");
    let store = open(&database.schema).await;
    let _first = Process::start(&database.schema, &ledger, "parents");
    until(&ledger, is_at_work).await;
    let _second = Process::start(&database.schema, &ledger, "");
    until_shared(&database).await;
    let ended = all_end(&store).await;
    assert_eq!(ended.len() as u32, INSTANCES * (1 + ROUNDS), "each parent has its children, once");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_lose_nothing_however_often_one_is_killed() {
    let (schema, folder) = (server::schema(), tempfile::tempdir().unwrap());
    let ledger = folder.path().join("ledger.log");
    let store = open(&schema).await;
    let kills = std::env::var("PERSEVERE_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let at_work = |processes: usize| {
        let ledger = &ledger;
        async move { until(ledger, |lines| count(lines, |line| *line == Line::Victim) == processes).await.len() }
    };
    let mut processes: Vec<_> = (0..3).map(|_| Process::start(&schema, &ledger, "load")).collect();
    for kill in 0..kills {
        let before = at_work(3 + kill).await;
        until(&ledger, |lines| lines.len() > before + 50).await;
        let victim = &mut processes[kill % 3];
        if kill % 4 == 3 {
            // It is killed in the middle of whatever it does when it goes on.
            victim.signal("-STOP");
            until(&ledger, |lines| lines.len() > before + 100).await;
            victim.signal("-CONT");
        }
        *victim = Process::start(&schema, &ledger, "load");
    }
    at_work(3 + kills).await;
    drop(processes);
    let _last = [Process::start(&schema, &ledger, ""), Process::start(&schema, &ledger, "")];
    let mut open = InstanceQuery::default();
    open.filter = InstanceFilter::new().runtime_status([RuntimeStatus::Pending, RuntimeStatus::Running]);
    open.limit = 1;
    in_time(async {
        loop {
            let page = store.query(open.clone()).await.unwrap();
            open.after = page.next;
            if page.instances.is_empty() && open.after.is_none() {
                return;
            }
            if !page.instances.is_empty() {
                open.after = None;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    })
    .await;
    let mut acknowledged = 0;
    for line in ledger::read(&ledger) {
        let Line::Started(id, _) = line else { continue };
        acknowledged += 1;
        let target = InstanceRef::Id(InstanceId::new(&id).unwrap());
        let stored = store.instance(target, false).await.unwrap().expect("no acknowledged instance is lost");
        let output = stored.head.progress.output.as_ref().map(|output| output.as_str().to_owned());
        assert_eq!(output, Some(LOAD_STEPS.to_string()), "{id}");
    }
    println!("{acknowledged} acknowledged instances came through {kills} kills");
    assert!(acknowledged > kills, "the processes have hardly worked");
}
