//! durare on SQLite: as `connect` configures it, or with `synchronous = FULL` and everything else the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use durare::{DurableContext, DurableEngine, Result, SqliteProvider, WorkflowOptions};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{CITIES, expect};
use crate::Outcome;
use crate::engine::{Engine, Work};

#[derive(Serialize, Deserialize)]
struct Progress {
    city: String,
    done: usize,
    total: usize,
}

#[durare::step]
async fn say_hello(ctx: &DurableContext, city: String) -> Result<String> {
    Ok(format!("Hello {city}!"))
}

#[durare::workflow]
async fn hello_cities(ctx: DurableContext, cities: Vec<String>) -> Result<Vec<String>> {
    let mut greetings = Vec::new();
    for (index, city) in cities.iter().enumerate() {
        greetings.push(say_hello(&ctx, city.clone()).await?);
        let progress = Progress { city: city.clone(), done: index + 1, total: cities.len() };
        ctx.set_event("progress", progress).await?;
    }
    Ok(greetings)
}

#[durare::workflow]
async fn greet_at_once(ctx: DurableContext, width: u32) -> Result<usize> {
    let calls: Vec<_> = (0..width).map(|place| say_hello(&ctx, format!("city {place}"))).collect();
    Ok(futures::future::try_join_all(calls).await?.len())
}

#[durare::workflow]
async fn greet_in_turn(ctx: DurableContext, steps: u32) -> Result<u32> {
    for step in 0..steps {
        say_hello(&ctx, format!("city {step}")).await?;
    }
    Ok(steps)
}

#[durare::workflow]
async fn wait_for_go(ctx: DurableContext, _unused: u32) -> Result<Option<u32>> {
    ctx.recv::<u32>("go", Duration::from_secs(86_400)).await
}

pub(crate) struct Durare {
    engine: DurableEngine,
    database: PathBuf,
}

impl Durare {
    pub(crate) async fn start(folder: &Path, full: bool) -> Outcome<Self> {
        let database = folder.join("durare.db");
        let provider = if full {
            // What `SqliteProvider::connect` sets, but for the durability.
            let options = SqliteConnectOptions::new()
                .filename(&database)
                .create_if_missing(true)
                .foreign_keys(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(5));
            SqliteProvider::from_pool(SqlitePoolOptions::new().max_connections(5).connect_with(options).await?)
        } else {
            SqliteProvider::connect(&format!("sqlite://{}", database.display())).await?
        };
        Ok(Self { engine: DurableEngine::new(Arc::new(provider)).await?, database })
    }
}

impl Engine for Durare {
    fn hello(&self) -> Work<'_> {
        Box::pin(async {
            let cities = CITIES.map(String::from).to_vec();
            let handle = self.engine.start_with(HelloCities, cities, WorkflowOptions::default()).await?;
            expect(handle.result().await?.len(), CITIES.len())
        })
    }

    fn fan_out(&self, width: u32) -> Work<'_> {
        Box::pin(async move {
            let handle = self.engine.start_with(GreetAtOnce, width, WorkflowOptions::default()).await?;
            expect(handle.result().await?, width as usize)
        })
    }

    fn long(&self, steps: u32) -> Work<'_> {
        Box::pin(async move {
            let handle = self.engine.start_with(GreetInTurn, steps, WorkflowOptions::default()).await?;
            expect(handle.result().await?, steps)
        })
    }

    fn park(&self) -> Work<'_> {
        Box::pin(async {
            self.engine.start_with(WaitForGo, 0, WorkflowOptions::default()).await?;
            Ok(())
        })
    }

    fn database(&self) -> Option<PathBuf> {
        Some(self.database.clone())
    }
}
