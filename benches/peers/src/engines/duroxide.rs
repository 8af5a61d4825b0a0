//! duroxide on SQLite: two dispatchers of each kind (more of them make instances fail on a locked database), and a poll
//! interval of 10 ms, which its guide for providers names for SQLite.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use duroxide::providers::sqlite::SqliteProvider;
use duroxide::runtime::registry::ActivityRegistry;
use duroxide::runtime::{ObservabilityConfig, Runtime, RuntimeOptions};
use duroxide::{ActivityContext, Client, OrchestrationContext, OrchestrationRegistry, OrchestrationStatus};

use super::CITIES;
use crate::Outcome;
use crate::engine::{Engine, Work};

const PATIENCE: Duration = Duration::from_secs(600);

pub(crate) struct Duroxide {
    client: Client,
    _runtime: Arc<Runtime>,
    database: PathBuf,
    last: AtomicU64,
}

impl Duroxide {
    pub(crate) async fn start(folder: &Path) -> Outcome<Self> {
        let database = folder.join("duroxide.db");
        std::fs::File::create(&database)?;
        let store = Arc::new(SqliteProvider::new(&format!("sqlite:{}", database.display()), None).await?);
        let options = RuntimeOptions {
            dispatcher_min_poll_interval: Duration::from_millis(10),
            observability: ObservabilityConfig { log_level: "error".to_owned(), ..Default::default() },
            ..Default::default()
        };
        let runtime = Runtime::start_with_options(store.clone(), activities(), orchestrations(), options).await;
        Ok(Self { client: Client::new(store), _runtime: runtime, database, last: AtomicU64::new(0) })
    }

    async fn run(&self, name: &str, input: String) -> Outcome {
        let id = self.begin(name, input).await?;
        match self.client.wait_for_orchestration(&id, PATIENCE).await {
            Ok(OrchestrationStatus::Completed { .. }) => Ok(()),
            Ok(other) => Err(format!("{other:?}").into()),
            Err(error) => Err(format!("{error:?}").into()),
        }
    }

    async fn begin(&self, name: &str, input: String) -> Outcome<String> {
        let id = format!("i-{}", self.last.fetch_add(1, Ordering::Relaxed));
        self.client.start_orchestration(&id, name, input).await.map_err(|error| format!("{error:?}"))?;
        Ok(id)
    }
}

fn activities() -> ActivityRegistry {
    let say_hello = |_: ActivityContext, city: String| async move { Ok(format!("Hello {city}!")) };
    ActivityRegistry::builder().register("SayHello", say_hello).build()
}

fn orchestrations() -> OrchestrationRegistry {
    OrchestrationRegistry::builder()
        .register("Hello", |ctx: OrchestrationContext, _: String| async move {
            let mut greetings = Vec::new();
            for (index, city) in CITIES.iter().enumerate() {
                greetings.push(ctx.schedule_activity("SayHello", *city).await?);
                let done = index + 1;
                ctx.set_custom_status(format!("{{\"city\":\"{city}\",\"done\":{done},\"total\":{}}}", CITIES.len()));
            }
            Ok::<_, String>(greetings.join(" "))
        })
        .register("FanOut", |ctx: OrchestrationContext, width: String| async move {
            let width: u32 = width.parse().map_err(|error| format!("{error}"))?;
            let calls = (0..width).map(|place| ctx.schedule_activity("SayHello", format!("city {place}"))).collect();
            Ok::<_, String>(ctx.join(calls).await.len().to_string())
        })
        .register("Long", |ctx: OrchestrationContext, steps: String| async move {
            let steps: u32 = steps.parse().map_err(|error| format!("{error}"))?;
            for step in 0..steps {
                ctx.schedule_activity("SayHello", format!("city {step}")).await?;
            }
            Ok::<_, String>(steps.to_string())
        })
        .register("Wait", |ctx: OrchestrationContext, _: String| async move {
            Ok::<_, String>(ctx.schedule_wait("Go").await)
        })
        .build()
}

impl Engine for Duroxide {
    fn hello(&self) -> Work<'_> {
        Box::pin(self.run("Hello", String::new()))
    }

    fn fan_out(&self, width: u32) -> Work<'_> {
        Box::pin(self.run("FanOut", width.to_string()))
    }

    fn long(&self, steps: u32) -> Work<'_> {
        Box::pin(self.run("Long", steps.to_string()))
    }

    fn park(&self) -> Work<'_> {
        Box::pin(async { self.begin("Wait", String::new()).await.map(drop) })
    }

    fn database(&self) -> Option<PathBuf> {
        Some(self.database.clone())
    }
}
