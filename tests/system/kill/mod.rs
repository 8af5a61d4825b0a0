//! A process that is killed at random moments under load: nothing acknowledged is lost, and nothing is done twice.
//!
//! `PERSEVERE_CRASH_SEED` repeats a run, and `PERSEVERE_CRASH_KILLS` sets the number of kills. A seed does not
//! determine how far the victim got when it was killed.

mod account;
mod history;
mod look;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use persevere::prelude::*;
use persevere_tests::crash::ledger::{self, Ledger, Line};
use persevere_tests::crash::program;

use look::Looks;

const KILLS: u32 = 30;

#[test]
fn g01_to_g07_hold_over_kills_at_random_moments() {
    survive(1, KILLS);
}

#[test]
fn g01_to_g07_hold_over_kills_with_four_partitions() {
    survive(4, KILLS / 2);
}

fn survive(partitions: u16, kills: u32) {
    let mut random = Random::new();
    let kills = setting("PERSEVERE_CRASH_KILLS").map_or(kills, |kills| kills as u32);
    let folder = tempfile::tempdir().unwrap();
    // The victims find the file, and use the partitions that it has.
    drop(SqliteStore::builder(folder.path().join("store.db")).partitions(partitions).open().unwrap());
    let mut looks = Looks::new(folder.path());
    for _ in 0..kills {
        kill_one(folder.path(), &mut random);
        looks.look(false);
    }
    finish(folder.path());
    looks.look(true);

    let lines = ledger::read(&folder.path().join("ledger.log"));
    account::check(&lines, &looks);
    let victims = lines.iter().filter(|line| **line == Line::Victim).count();
    assert!(victims > kills as usize / 2, "most victims got to work before they were killed");
    tokio::runtime::Runtime::new().unwrap().block_on(read_by_client(folder.path(), &lines));
}

/// Starts a victim and kills it: usually while it works, and sometimes while it opens the store.
fn kill_one(folder: &Path, random: &mut Random) {
    let live = [1, 12, 10_000][random.below(3) as usize];
    let mut victim = victim(folder, live, "load");
    // These sleeps do not wait for a condition: the moment of the kill is random on purpose.
    if random.below(4) > 0 {
        at_work(&mut victim);
        std::thread::sleep(Duration::from_micros(random.below(350_000)));
    } else {
        std::thread::sleep(Duration::from_micros(random.below(60_000)));
    }
    victim.kill().unwrap();
    let status = victim.wait().unwrap();
    assert_eq!(status.signal(), Some(9), "a victim ended by itself: {}", errors(&mut victim));
}

fn finish(folder: &Path) {
    let mut victim = victim(folder, 10_000, "finish");
    let status = victim.wait().unwrap();
    assert!(status.success(), "the last run failed: {}", errors(&mut victim));
}

fn victim(folder: &Path, live: usize, mode: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_crash_victim"))
        .args([folder.as_os_str(), live.to_string().as_ref(), mode.as_ref()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn at_work(victim: &mut Child) {
    let mut line = String::new();
    BufReader::new(victim.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "at work\n", "a victim did not get to work: {}", errors(victim));
}

fn errors(victim: &mut Child) -> String {
    let mut text = String::new();
    victim.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

/// A client that reads afterwards must get what the clients in the victims got.
async fn read_by_client(folder: &Path, lines: &[Line]) {
    let runtime = Runtime::builder()
        .store(SqliteStore::open(folder.join("store.db")).unwrap())
        .auto_register()
        .state(Ledger::open(&folder.join("afterwards.log")))
        .start()
        .await
        .unwrap();
    for line in lines {
        let Line::Done(id, output) = line else { continue };
        let instance = runtime.client().get_instance(id).await.unwrap().unwrap_or_else(|| panic!("{id} is lost"));
        assert!(instance.is_ended(), "{id}: {instance:?}");
        let (kind, _) = program::what_is(id).unwrap();
        let read = if kind.takes_items() {
            let items: Vec<i64> = instance.read_output_as().unwrap().unwrap();
            items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",") + ";"
        } else {
            instance.serialized_output().unwrap().trim_matches('"').to_owned()
        };
        assert_eq!(&read, output, "{id}");
    }
    runtime.shutdown().await.unwrap();
    assert!(ledger::read(&folder.join("afterwards.log")).is_empty(), "an activity ran after everything had ended");
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// A small generator of the numbers that a seed determines.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let fresh = || std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        let seed = setting("PERSEVERE_CRASH_SEED").unwrap_or_else(fresh);
        println!("PERSEVERE_CRASH_SEED={seed}");
        Self(seed | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

/// The folder into which the store is copied for inspection, so that the next victim finds the store as the kill left
/// it.
fn beside(folder: &Path) -> PathBuf {
    folder.join("look")
}
