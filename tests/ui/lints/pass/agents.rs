//! Ten orchestrators of agents that call models and tools: recursion, memory, budgets, people in the loop.
#![deny(warnings)]

use std::time::Duration;

use persevere::prelude::*;
use serde_json::{Value, json};

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(tag = "role", content = "text", rename_all = "lowercase")]
enum Message {
    System(String),
    User(String),
    Assistant(String),
    Tool { name: String, result: Value },
}

#[derive(Serialize, Deserialize, Clone, Debug)]
enum Step {
    Say(String),
    Use { tool: String, input: Value },
    Ask(String),
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Default)]
struct Spent {
    calls: u32,
    tokens: u64,
}

#[derive(Serialize, Deserialize, Clone, Debug, thiserror::Error)]
enum AgentError {
    #[error("the budget of {0} calls is used up")]
    Budget(u32),
    #[error(transparent)]
    Model(#[from] CallError<ActivityError>),
    #[error("nobody answered")]
    Silence,
}

impl From<EventError> for AgentError {
    fn from(_: EventError) -> Self {
        Self::Silence
    }
}

#[external_event]
struct Answer(String);

#[external_event]
struct Permission {
    granted: bool,
}

#[activity]
async fn model(messages: Vec<Message>) -> Result<Step, ActivityError> {
    match messages.last() {
        Some(Message::User(text)) => Ok(Step::Say(text.clone())),
        Some(Message::Tool { name, .. }) => Ok(Step::Use { tool: name.clone(), input: json!({}) }),
        Some(Message::System(_) | Message::Assistant(_)) => Ok(Step::Ask("what next?".into())),
        None => Err("no messages".into()),
    }
}

#[activity]
async fn tool(name: String, input: Value) -> Result<Value, ActivityError> {
    Ok(json!({ "tool": name, "input": input }))
}

#[activity]
async fn embed(texts: Vec<String>) -> Result<Vec<Vec<f32>>, ActivityError> {
    Ok(texts.iter().map(|text| vec![text.len() as f32]).collect())
}

#[orchestrator_fn]
async fn ask_a_person(ctx: &Context, question: &str) -> Result<String, AgentError> {
    tracing::info!(question, "waiting for a person");
    let answer = Answer::wait(ctx).timeout(ctx, Duration::from_secs(3600)).await.map_err(|_| AgentError::Silence)??;
    Ok(answer.0)
}

#[orchestrator]
async fn chat(ctx: OrchestrationContext<Spent>, question: String, calls: u32) -> Result<String, AgentError> {
    let mut messages = vec![Message::System("be kind".to_owned()), Message::User(question)];
    let mut spent = Spent::default();
    loop {
        if spent.calls >= calls {
            return Err(AgentError::Budget(calls));
        }
        spent.calls += 1;
        spent.tokens += messages.len() as u64;
        let _ = ctx.set_custom_status(&spent);
        match model::call(&ctx, messages.clone()).await? {
            Step::Say(text) => break Ok(text),
            Step::Use { tool: name, input } => {
                let result = tool::call(&ctx, name.clone(), input).await?;
                messages.push(Message::Tool { name, result });
            }
            Step::Ask(question) => {
                let answer = ask_a_person(&ctx, &question).await?;
                messages.extend([Message::Assistant(question), Message::User(answer)]);
            }
        }
    }
}

#[orchestrator]
async fn debate(ctx: OrchestrationContext, topic: String) -> Result<Vec<String>, OrchestrationError> {
    let mut turns: Vec<String> = Vec::new();
    for (number, side) in ["for", "against"].iter().cycle().take(6).enumerate() {
        let prompt = Message::User(format!("{number}: {side} {topic}, after {turns:?}"));
        let Step::Say(text) = model::call(&ctx, vec![prompt]).await? else { break };
        turns.push(text);
    }
    Ok(turns)
}

#[orchestrator]
async fn vote(ctx: OrchestrationContext, question: String, voters: u8) -> Result<Option<String>, OrchestrationError> {
    let ballots = ctx.join_all((0..voters).map(|_| model::call(&ctx, vec![Message::User(question.clone())]))).await;
    let mut tally = std::collections::BTreeMap::<String, usize>::new();
    for ballot in ballots.into_iter().flatten() {
        if let Step::Say(text) = ballot {
            *tally.entry(text).or_insert(0) += 1;
        }
    }
    Ok(tally.into_iter().max_by_key(|(_, votes)| *votes).map(|(text, _)| text))
}

#[orchestrator]
async fn plan(ctx: OrchestrationContext, goal: String, depth: u8) -> Result<Vec<String>, OrchestrationError> {
    let Step::Say(text) = model::call(&ctx, vec![Message::User(goal)]).await? else { return Ok(vec![]) };
    let parts: Vec<String> = text.split(';').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    if depth == 0 || parts.len() < 2 {
        return Ok(parts);
    }
    let below = ctx.try_join_all(parts.into_iter().map(|part| plan::call(&ctx, part, depth - 1))).await?;
    Ok(below.concat())
}

#[orchestrator]
async fn careful(ctx: OrchestrationContext, name: String, input: Value) -> Result<Value, AgentError> {
    let permission = select! {
        permission = Permission::wait(&ctx) => permission?,
        () = ctx.create_timer(Duration::from_secs(600)) => Permission { granted: false },
    };
    match permission {
        Permission { granted: true } => tool::call(&ctx, name, input).await.map_err(AgentError::from),
        Permission { granted: false } => Ok(Value::Null),
    }
}

#[orchestrator]
async fn index(ctx: OrchestrationContext, texts: Vec<String>) -> Result<usize, OrchestrationError> {
    let mut vectors = vec![];
    for chunk in texts.chunks(64).map(<[String]>::to_vec) {
        vectors.append(&mut embed::call(&ctx, chunk).await?);
    }
    Ok(vectors.iter().map(Vec::len).sum())
}

#[orchestrator]
async fn research(ctx: OrchestrationContext, question: String) -> Result<String, OrchestrationError> {
    let search = async |engine: &str| -> Result<Value, CallError<ActivityError>> {
        tool::call(&ctx, engine.to_owned(), json!({ "q": question })).await
    };
    let first = select! {
        found = search("wide") => found?,
        found = search("deep") => found?,
    };
    let found = first.get("tool").and_then(Value::as_str).unwrap_or("nothing").to_owned();
    chat::call(&ctx, format!("{question} given {found}"), 3).await.map_err(Into::into)
}

#[orchestrator]
async fn remember(ctx: OrchestrationContext<usize>, memory: Vec<Message>) -> Result<(), OrchestrationError> {
    let mut memory = memory;
    ctx.set_custom_status(&memory.len())?;
    for _ in 0..20 {
        let Ok(Answer(text)) = Answer::wait(&ctx).await else { return Ok(()) };
        memory.push(Message::User(text));
        if memory.len() > 50 {
            memory.drain(..25);
        }
    }
    return remember::continue_as_new(&ctx, memory).await;
}

#[orchestrator]
async fn supervised(ctx: OrchestrationContext, goals: Vec<String>) -> Result<u32, OrchestrationError> {
    let mut failures = 0;
    for goal in goals {
        let id = persevere::InstanceId::new(format!("{}:{}", ctx.instance_id(), goal.len()))?;
        match chat::call(&ctx, goal, 5).instance_id(id).await {
            Ok(text) => tracing::debug!(text, "done"),
            Err(CallError::App { error: AgentError::Budget(calls), .. }) => failures += calls,
            Err(_) => failures += 1,
        }
    }
    Ok(failures)
}

#[orchestrator]
async fn polite(ctx: OrchestrationContext, drafts: Vec<String>) -> Result<Vec<String>, OrchestrationError> {
    let mut kept = Vec::new();
    let mut drafts = drafts.into_iter().peekable();
    while let Some(draft) = drafts.next() {
        let last = drafts.peek().is_none();
        let step = model::call(&ctx, vec![Message::User(draft.clone())]).await?;
        kept.push(match step {
            Step::Say(text) if last => text + ".",
            Step::Say(text) => text,
            Step::Use { .. } | Step::Ask(_) => draft,
        });
    }
    Ok(kept)
}

fn main() {}
