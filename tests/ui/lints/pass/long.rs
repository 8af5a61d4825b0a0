//! Ten orchestrators with long bodies, as programs of a company have them.
#![forbid(unsafe_code)]
#![deny(warnings)]

use std::collections::BTreeMap;
use std::time::Duration;

use persevere::prelude::*;
use serde_json::{Value, json};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[activity]
async fn request(system: String, body: Value) -> Result<Value, ActivityError> {
    Ok(json!({ "system": system, "echo": body }))
}

#[activity]
async fn sql(statement: String, parameters: Vec<String>) -> Result<u64, ActivityError> {
    Ok((statement.len() + parameters.len()) as u64)
}

#[activity]
async fn file(path: String, text: Option<String>) -> Result<String, ActivityError> {
    Ok(text.unwrap_or(path))
}

#[external_event]
#[derive(Clone)]
struct Signed {
    by: String,
}

#[external_event]
struct Paused(bool);

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
struct Report {
    steps: Vec<String>,
    rows: u64,
}

impl Report {
    fn step(&mut self, name: impl Into<String>) -> &Self {
        self.steps.push(name.into());
        self
    }
}

/// A new employee.
#[orchestrator]
async fn onboard(ctx: OrchestrationContext<Report>, name: String, team: Option<String>) -> Result<Report, OrchestrationError> {
    let mut report = Report::default();
    ctx.set_custom_status(report.step("account"))?;
    let account = request::call(&ctx, "accounts".into(), json!({ "create": name })).await?;
    let account = account["echo"]["create"].as_str().unwrap_or("nobody").to_owned();

    ctx.set_custom_status(report.step("contract"))?;
    let mut reminders = 0_u32;
    let signed = loop {
        match Signed::wait(&ctx).timeout(&ctx, 7 * DAY).await {
            Ok(signed) => break signed?,
            Err(_) if reminders == 3 => return Err(format!("{name} did not sign").into()),
            Err(_) => {
                reminders += 1;
                request::call(&ctx, "mail".into(), json!({ "to": account, "reminder": reminders })).await?;
            }
        }
    };

    ctx.set_custom_status(report.step("systems"))?;
    let systems = ["mail", "chat", "wiki", "payroll"];
    let created = ctx
        .join_all(systems.iter().map(|system| request::call(&ctx, (*system).to_owned(), json!({ "add": account }))))
        .await;
    for (system, result) in systems.iter().zip(created) {
        match result {
            Ok(_) => report.rows += 1,
            Err(error) => tracing::warn!(system, %error, "not added"),
        }
    }
    if let Some(team) = team.filter(|team| !team.is_empty()) {
        sql::call(&ctx, "insert into team values (?, ?)".into(), vec![team, signed.by]).await?;
    }
    Ok(report)
}

/// Copies tables in chunks, and goes on with the rest.
#[orchestrator]
async fn copy_table(ctx: OrchestrationContext<u64>, table: String, from: u64) -> Result<u64, OrchestrationError> {
    let mut at = from;
    for _ in 0..50 {
        let copied = sql::call(&ctx, format!("copy {table} from {at}"), vec![]).await?;
        at += copied;
        ctx.set_custom_status(&at)?;
        if copied == 0 {
            return Ok(at);
        }
    }
    copy_table::continue_as_new(&ctx, table, at).await
}

/// Extract, transform, load.
#[orchestrator]
async fn nightly(ctx: OrchestrationContext, sources: Vec<String>) -> Result<BTreeMap<String, u64>, OrchestrationError> {
    let mut loaded = BTreeMap::new();
    let texts = ctx.try_join_all(sources.iter().map(|source| file::call(&ctx, source.clone(), None))).await?;
    for (source, text) in sources.into_iter().zip(texts) {
        let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
        let mut rows = 0;
        for chunk in lines.chunks(100) {
            rows += sql::call(&ctx, "insert".into(), chunk.iter().map(ToString::to_string).collect()).await?;
        }
        loaded.insert(source, rows);
    }
    Ok(loaded)
}

/// Waits for a person, may be paused.
#[orchestrator]
async fn release_train(ctx: OrchestrationContext<Value>, stages: Vec<String>) -> Result<(), OrchestrationError> {
    'stages: for (number, stage) in stages.iter().enumerate() {
        ctx.set_custom_status(&json!({ "stage": stage, "number": number }))?;
        request::call(&ctx, "deploy".into(), json!({ "stage": stage })).await?;
        let mut paused = false;
        for _hour in 0..24 {
            select! {
                change = Paused::wait(&ctx) => paused = change?.0,
                signed = Signed::wait(&ctx) => {
                    let signed = signed?;
                    tracing::info!(stage, by = signed.by, "signed");
                    continue 'stages;
                }
                _ = ctx.create_timer(Duration::from_secs(3600)) => {}
            }
            let health = request::call(&ctx, "health".into(), json!(stage)).await?;
            if !paused && health.get("error").is_some() {
                request::call(&ctx, "roll back".into(), json!({ "stage": stage })).await?;
                return Err(format!("{stage} is not healthy: {health}").into());
            }
        }
    }
    Ok(())
}

/// Provisions in order, removes in reverse order on failure.
#[orchestrator]
async fn provision(ctx: OrchestrationContext, plan: BTreeMap<String, Value>) -> Result<Vec<String>, OrchestrationError> {
    let mut made: Vec<String> = Vec::new();
    let mut failure = None;
    for (name, settings) in plan {
        match request::call(&ctx, "cloud".into(), json!({ "create": name, "with": settings })).await {
            Ok(_) => made.push(name),
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    let Some(failure) = failure else { return Ok(made) };
    for name in made.iter().rev() {
        let removed = request::call(&ctx, "cloud".into(), json!({ "delete": name })).await;
        if removed.is_err() {
            sql::call(&ctx, "insert into leftovers".into(), vec![name.clone()]).await?;
        }
    }
    Err(failure.into())
}

/// A number of rounds of a game.
#[orchestrator]
async fn tournament(ctx: OrchestrationContext<Vec<String>>, players: Vec<String>) -> Result<String, OrchestrationError> {
    let mut players = players;
    // The same order in every replay.
    for place in (1..players.len()).rev() {
        let other = (ctx.random() % (place as u64 + 1)) as usize;
        players.swap(place, other);
    }
    while players.len() > 1 {
        ctx.set_custom_status(&players)?;
        let mut next = Vec::new();
        let matches = players.chunks(2).map(|pair| {
            let pair = pair.to_vec();
            let ctx = &ctx;
            async move {
                let [left, right] = &pair[..] else { return Ok(pair[0].clone()) };
                let won = request::call(ctx, "match".into(), json!([left, right])).await?;
                Ok::<_, OrchestrationError>(if won.is_null() { right.clone() } else { left.clone() })
            }
        });
        for winner in ctx.join_all(matches).await {
            next.push(winner?);
        }
        players = next;
    }
    players.pop().ok_or_else(|| "nobody plays".into())
}

/// Escalates from one person to the next.
#[orchestrator]
async fn escalate(ctx: OrchestrationContext, people: Vec<String>, question: String) -> Result<Option<String>, OrchestrationError> {
    let mut asked = 0_usize;
    let answer = loop {
        let Some(person) = people.get(asked) else { break None };
        request::call(&ctx, "mail".into(), json!({ "to": person, "text": question })).await?;
        let deadline = ctx.current_time() + DAY * u32::try_from(asked + 1)?;
        let signed = select! {
            signed = Signed::wait(&ctx) => Some(signed?),
            _ = ctx.create_timer_at(deadline) => None,
        };
        if let Some(Signed { by }) = signed {
            break Some(by);
        }
        asked += 1;
    };
    Ok(answer)
}

/// Bookkeeping of a month.
#[orchestrator]
async fn close_month(ctx: OrchestrationContext<(u8, String)>, accounts: Vec<(String, i64)>) -> Result<i64, OrchestrationError> {
    let (debit, credit): (Vec<_>, Vec<_>) = accounts.into_iter().partition(|(_, cents)| *cents < 0);
    let mut balance = 0_i64;
    for (phase, list) in [(1_u8, debit), (2, credit)] {
        for (account, cents) in list {
            ctx.set_custom_status(&(phase, account.clone()))?;
            balance = balance.checked_add(cents).ok_or("too much money")?;
            sql::call(&ctx, "insert into ledger".into(), vec![account, cents.to_string()]).await?;
        }
    }
    let id = ctx.new_uuid().to_string();
    let (written, sent) = try_join!(
        file::call(&ctx, format!("close-{id}.txt"), Some(balance.to_string())),
        request::call(&ctx, "auditor".into(), json!({ "id": id, "balance": balance })),
    )?;
    tracing::info!(written, %sent, "closed");
    Ok(balance)
}

/// A crawl in waves.
#[orchestrator]
async fn crawl(ctx: OrchestrationContext<Report>, root: String, depth: u8) -> Result<Report, OrchestrationError> {
    let mut report = Report::default();
    let mut seen = std::collections::BTreeSet::from([root.clone()]);
    let mut wave = vec![root];
    for level in 0..depth {
        ctx.set_custom_status(report.step(format!("level {level}")))?;
        let pages = ctx.join_all_limit(8, wave.drain(..).map(|page| request::call(&ctx, "fetch".into(), json!(page)))).await;
        for page in pages.into_iter().flatten() {
            report.rows += 1;
            let links = page["echo"].as_array().cloned().unwrap_or_default();
            for link in links.iter().filter_map(Value::as_str) {
                if seen.insert(link.to_owned()) {
                    wave.push(link.to_owned());
                }
            }
        }
        if wave.is_empty() {
            break;
        }
    }
    Ok(report)
}

/// All of it, by hand-written rules.
#[orchestrator]
async fn rules(ctx: OrchestrationContext, facts: BTreeMap<String, i64>) -> Result<Vec<String>, OrchestrationError> {
    type Rule = (&'static str, fn(&BTreeMap<String, i64>) -> bool);
    let rules: [Rule; 3] = [
        ("remind", |facts| facts.get("days").is_some_and(|days| *days > 3)),
        ("close", |facts| facts.values().sum::<i64>() == 0),
        ("escalate", |facts| facts.contains_key("angry")),
    ];
    let mut done = Vec::new();
    for (name, applies) in rules {
        if !applies(&facts) {
            continue;
        }
        let result = match name {
            "remind" => request::call(&ctx, "mail".to_owned(), json!(facts)).await?,
            "close" => json!(sql::call(&ctx, "update case".to_owned(), Vec::new()).await?),
            _ => json!(escalate::call(&ctx, vec!["boss".to_owned()], "what now?".to_owned()).await?),
        };
        done.push(format!("{name}: {result}"));
    }
    Ok(done)
}

fn main() {}
