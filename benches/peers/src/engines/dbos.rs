//! dbos on PostgreSQL: the defaults, with notifications of the database in place of polling (`use_listen_notify`, on by
//! default) and as many connections as its documentation shows (20).

use std::path::PathBuf;
use std::time::Duration;

use dbos::{Config, DBOS, WorkflowRef, recv, set_event, step};
use serde::{Deserialize, Serialize};

use super::{CITIES, expect};
use crate::Outcome;
use crate::engine::{Engine, Work};

#[derive(Serialize, Deserialize)]
struct Progress {
    city: String,
    done: usize,
    total: usize,
}

async fn say_hello(city: String) -> dbos::Result<String> {
    Ok(format!("Hello {city}!"))
}

async fn hello_cities(cities: Vec<String>) -> dbos::Result<Vec<String>> {
    let mut greetings = Vec::new();
    for (index, city) in cities.iter().enumerate() {
        greetings.push(step("say_hello", || say_hello(city.clone())).await?);
        let progress = Progress { city: city.clone(), done: index + 1, total: cities.len() };
        set_event("progress", &progress).await?;
    }
    Ok(greetings)
}

async fn greet_at_once(width: u32) -> dbos::Result<usize> {
    let calls: Vec<_> = (0..width).map(|place| step("say_hello", move || say_hello(format!("city {place}")))).collect();
    Ok(futures::future::try_join_all(calls).await?.len())
}

async fn greet_in_turn(steps: u32) -> dbos::Result<u32> {
    for place in 0..steps {
        step("say_hello", move || say_hello(format!("city {place}"))).await?;
    }
    Ok(steps)
}

async fn wait_for_go(_unused: u32) -> dbos::Result<Option<u32>> {
    recv(Some("go"), Duration::from_secs(86_400)).await
}

pub(crate) struct Dbos {
    _engine: DBOS,
    hello_cities: WorkflowRef<Vec<String>, Vec<String>>,
    greet_at_once: WorkflowRef<u32, usize>,
    greet_in_turn: WorkflowRef<u32, u32>,
    wait_for_go: WorkflowRef<u32, Option<u32>>,
}

impl Dbos {
    pub(crate) async fn start(postgres: &str) -> Outcome<Self> {
        // A schema of its own, so that runs do not meet.
        let schema = format!("peers_{}", std::process::id());
        let engine = DBOS::new(Config {
            app_version: Some("1".to_owned()),
            max_connections: 20,
            schema,
            ..Config::new("peers", postgres)
        });
        let started = Self {
            hello_cities: engine.register_workflow("hello_cities", hello_cities)?,
            greet_at_once: engine.register_workflow("greet_at_once", greet_at_once)?,
            greet_in_turn: engine.register_workflow("greet_in_turn", greet_in_turn)?,
            wait_for_go: engine.register_workflow("wait_for_go", wait_for_go)?,
            _engine: engine,
        };
        started._engine.launch().await?;
        Ok(started)
    }
}

impl Engine for Dbos {
    fn hello(&self) -> Work<'_> {
        Box::pin(async {
            let greetings = self.hello_cities.run(CITIES.map(String::from).to_vec()).await?;
            expect(greetings.len(), CITIES.len())
        })
    }

    fn fan_out(&self, width: u32) -> Work<'_> {
        Box::pin(async move { expect(self.greet_at_once.run(width).await?, width as usize) })
    }

    fn long(&self, steps: u32) -> Work<'_> {
        Box::pin(async move { expect(self.greet_in_turn.run(steps).await?, steps) })
    }

    fn park(&self) -> Work<'_> {
        Box::pin(async {
            self.wait_for_go.start(0).await?;
            Ok(())
        })
    }

    fn database(&self) -> Option<PathBuf> {
        None
    }
}
