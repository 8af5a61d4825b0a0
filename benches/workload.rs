//! The orchestrations that are measured, and the runtime they run on.

use std::error::Error;

use persevere::prelude::*;
use tempfile::TempDir;

use crate::StoreKind;

/// How far a greeting is.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub(crate) struct Progress {
    pub(crate) city: String,
    pub(crate) done: usize,
    pub(crate) total: usize,
}

/// An activity that costs nothing: what is measured is everything around it.
#[activity]
pub(crate) async fn say_hello(city: String) -> Result<String, ActivityError> {
    Ok(format!("Hello {city}!"))
}

/// Greets every city in turn, and shows how far it is.
#[orchestrator]
pub(crate) async fn hello_cities(
    ctx: OrchestrationContext<Progress>,
    cities: Vec<String>,
) -> Result<Vec<String>, OrchestrationError> {
    let mut greetings = Vec::new();
    for (index, city) in cities.iter().enumerate() {
        greetings.push(say_hello::call(&ctx, city.clone()).await?);
        ctx.set_custom_status(&Progress { city: city.clone(), done: index + 1, total: cities.len() })?;
    }
    Ok(greetings)
}

/// A runtime on a fresh store. The folder lives as long as the measurement.
pub(crate) async fn runtime(store: StoreKind) -> Result<(Runtime, Option<TempDir>), Box<dyn Error>> {
    let builder = Runtime::builder().auto_register();
    Ok(match store {
        StoreKind::Memory => (builder.store(MemoryStore::new()).start().await?, None),
        StoreKind::Sqlite => {
            let folder = tempfile::tempdir()?;
            let store = SqliteStore::open(folder.path().join("bench.db"))?;
            (builder.store(store).start().await?, Some(folder))
        }
    })
}
