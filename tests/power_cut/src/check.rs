//! Opens what a power cut leaves, and compares it with what was acknowledged.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use persevere::store::{SqliteStore, Store};

use crate::disk::{Disk, Image};
use crate::recorder::write_files;
use crate::run::DATABASE;
use crate::script::{PARTITION, Script};
use crate::{Random, Recording};

/// Something that the store lost, or a wrong answer of the store.
#[derive(Clone, Debug)]
pub struct Loss {
    what: String,
}

impl Loss {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }

    fn at(self, place: &str) -> Self {
        Self { what: format!("{place}: {}", self.what) }
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl From<std::io::Error> for Loss {
    fn from(error: std::io::Error) -> Self {
        Self::new(format!("the test itself cannot write its files: {error}"))
    }
}

/// Returns how many turn commits the store holds. Returns an error if that number is not allowed, because a commit is
/// then missing or present only in part.
pub(crate) async fn turns_held(
    script: &Script,
    store: &SqliteStore,
    allowed: RangeInclusive<usize>,
) -> Result<usize, Loss> {
    let found = script.fingerprint(store).await.map_err(|error| Loss::new(format!("it cannot be read: {error}")))?;
    if let Some(held) = allowed.clone().find(|count| script.fingerprints[*count] == found) {
        return Ok(held);
    }
    let held = script.fingerprints.iter().position(|fingerprint| *fingerprint == found);
    Err(Loss::new(match held {
        Some(held) => format!("it holds {held} turns, and {allowed:?} were acknowledged and sent"),
        None => format!("it holds what no number of turns leaves, and {allowed:?} were acknowledged and sent"),
    }))
}

impl Recording {
    /// Cuts the power at a position in the events and opens what is left.
    pub async fn check(&self, place: usize, seed: u64) -> Result<(), Loss> {
        let image = Disk::after(&self.events[..place], seed).cut(seed);
        let result = self.check_image(&image, place).await;
        result.map_err(|loss| loss.at(&format!("recording {}, place {place}, image {seed}", self.plan.seed)))
    }

    async fn check_image(&self, image: &Image, place: usize) -> Result<(), Loss> {
        let folder = tempfile::tempdir()?;
        write_files(folder.path(), image)?;
        let path = folder.path().join(DATABASE);
        let failed = |what: &str, error: &dyn std::fmt::Display| Loss::new(format!("{what}: {error}"));
        let builder = SqliteStore::builder(&path).durability(self.plan.durability);
        let store = builder.open().map_err(|e| failed("it cannot be opened", &e))?;
        let epoch = store.claim(PARTITION).await.map_err(|e| failed("it cannot be claimed", &e))?.epoch;
        let held = turns_held(&self.script, &store, self.allowed(place)).await?;
        if held < self.script.turns.len() {
            let next = store.commit(self.script.batch(epoch, held)).await;
            next.map_err(|e| failed("the next turn is refused", &e))?;
            turns_held(&self.script, &store, held + 1..=held + 1).await?;
        }
        store.close(PARTITION).await.map_err(|e| failed("it cannot be closed", &e))?;
        let sound = rusqlite::Connection::open(&path)
            .and_then(|database| database.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)))
            .map_err(|e| failed("it cannot be checked", &e))?;
        if sound == "ok" { Ok(()) } else { Err(Loss::new(format!("it is damaged: {sound}"))) }
    }

    /// Checks this many images, at positions after the first opening that are determined by the seed. Returns the
    /// losses.
    pub fn losses(&self, images: usize) -> Vec<Loss> {
        let next = AtomicUsize::new(0);
        let losses = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(2, usize::from).min(images) {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                    while let Some(number) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < images) {
                        let seed = self.plan.seed.wrapping_mul(1_000_003).wrapping_add(number as u64);
                        let place = Random::new(seed).below(self.events.len() + 1);
                        if let Err(loss) = runtime.block_on(self.check(place, seed)) {
                            losses.lock().unwrap_or_else(PoisonError::into_inner).push(loss);
                        }
                    }
                });
            }
        });
        losses.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
