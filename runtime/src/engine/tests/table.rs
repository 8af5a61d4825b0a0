//! A1: what each input means to an instance, by its state. One case per cell; each is cut off by a crash before and
//! after each of its commits, and comes to the same end.

use serde_json::{Value, json};

use crate::definition::OrchestratorHandler;
use crate::engine::sim::code::{
    Child, Echo, Main, Red, activity, call, child, code, orchestrator, registry, registry_elsewhere,
};
use crate::engine::sim::{Answer, EPOCH, Fate, SECOND, Sim, id, short, start};
use crate::engine::{ActivityTask, ClientAnswer, IdReusePolicy, PartitionConfig, PartitionInput, Refusal, RequestId};
use crate::model::{Action, JsonText, ParkCode, RuntimeStatus, TaskId, Timestamp};
use crate::registry::Registry;

/// `turn`: recorded with a poll. `record`: recorded without. `drop`: not recorded, and its row is gone. `end`: the
/// instance ends without its code. `park`: the instance is parked, because a task of it has no code. Other words are replies with nothing recorded. `-`: cannot be.
///
/// `outstanding` is a state of programs that run elsewhere: a turn was offered and is not answered.
const TABLE: &str = "
input         | absent    | pending   | cold      | live      | suspended | parked    | ended     | outstanding
start same    | created   | attached  | attached  | attached  | attached  | attached  | attached  | attached
start other   | created   | exists    | exists    | exists    | exists    | exists    | exists    | exists
start reject  | created   | exists    | exists    | exists    | exists    | exists    | exists    | exists
start replace | created   | attached  | attached  | attached  | attached  | attached  | replaced  | attached
start child   | created   | refused   | refused   | refused   | refused   | refused   | refused   | refused
call attach   | created   | waits     | waits     | waits     | waits     | waits     | answered  | waits
call replace  | created   | waits     | waits     | waits     | waits     | waits     | replaced  | waits
raise         | not found | record    | turn      | turn      | record    | record    | has ended | record
send event    | drop      | record    | turn      | turn      | record    | record    | drop      | record
task done     | -         | -         | turn      | turn      | record    | record    | drop      | record
timer done    | -         | -         | turn      | turn      | record    | record    | -         | record
child done    | -         | -         | turn      | turn      | record    | record    | drop      | record
task no code  | -         | -         | park      | park      | park      | park      | drop      | park
stale task    | drop      | drop      | drop      | drop      | drop      | drop      | drop      | drop
terminate     | not found | end       | end       | end       | end       | end       | has ended | end
code ends it  | drop      | end       | end       | end       | end       | end       | drop      | end
suspend       | not found | record    | record    | record    | invalid   | record    | has ended | record
resume        | not found | invalid   | invalid   | invalid   | turn      | invalid   | has ended | invalid
restart       | not found | not ended | not ended | not ended | not ended | not ended | replaced  | not ended
rewind        | not found | invalid   | invalid   | invalid   | invalid   | invalid   | invalid   | invalid
purge         | not found | not ended | not ended | not ended | not ended | not ended | deleted   | not ended
";

code! {
    fn main_code(ctx, _) {
        let (task, _, kid, red) = crate::join!(
            call::<Echo>(&ctx, 1),
            ctx.create_timer(std::time::Duration::from_secs(100)),
            child::<Child>(&ctx, 2),
            ctx.wait_for_external_event::<Value>("red"),
        );
        Ok(json!([task?, kid?, red?]))
    }
    fn other_code(ctx, _) {
        ctx.create_timer(std::time::Duration::from_secs(1)).await;
        Ok(json!("other"))
    }
    fn child_code(ctx, input) {
        let _: Value = ctx.wait_for_external_event("go").await?;
        Ok(input)
    }
    fn caller_code(ctx, input) {
        let policy = match input.as_str() {
            Some("attach") => IdReusePolicy::Attach,
            Some("replace") => IdReusePolicy::ReplaceEnded,
            _ => IdReusePolicy::Reject,
        };
        let called = child::<Main>(&ctx, ()).instance_id(id("x")).on_existing(policy).await;
        Ok(json!(called.map_err(|error| std::error::Error::source(&error).map(ToString::to_string))))
    }
    fn sender_code(ctx, input) {
        match input.as_str() {
            Some("terminate") => ctx.terminate(&id("x"), "enough")?,
            _ => ctx.send_event(&id("x"), &Red(json!(7)))?,
        }
        Ok(Value::Null)
    }
}

/// Where the code of `x` runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    Here,
    Elsewhere,
}

fn good(runs: Runs) -> Registry {
    let others = [("child", child_code as OrchestratorHandler), ("caller", caller_code), ("sender", sender_code)];
    match runs {
        Runs::Here => registry(&[&[("main", main_code as OrchestratorHandler)], &others[..]].concat()),
        Runs::Elsewhere => registry_elsewhere(&["main"], &others),
    }
}

fn bad() -> Registry {
    Registry::new([
        orchestrator("main", "", other_code),
        orchestrator("child", "", child_code),
        orchestrator("caller", "", caller_code),
        orchestrator("sender", "", sender_code),
        activity("echo"),
    ])
    .unwrap()
}

fn in_state(state: &str, runs: Runs) -> Sim {
    let live_instances = if state == "cold" { 0 } else { 1_000 };
    let mut sim = Sim::new(PartitionConfig { live_instances, ..PartitionConfig::default() }, good(runs));
    sim.elsewhere.insert("main".to_owned(), main_code);
    if state == "absent" {
        return sim;
    }
    let mut operation = start(Some("x"), "main", &Value::Null);
    operation.start_at = (state == "pending").then_some(Timestamp(EPOCH.0 + SECOND));
    sim.start_with(operation);
    sim.settle_rows();
    sim.start_activities();
    match state {
        "suspended" => drop(sim.suspend("x")),
        "ended" => drop(sim.terminate("x", false)),
        "outstanding" => {
            sim.holds_offers = true;
            sim.raise("x", "blue", &Value::Null);
        }
        "parked" => {
            sim.deploy(bad());
            sim.retry_parked("x");
            sim.settle_rows();
            sim.start_activities();
            assert!(sim.head("x").progress.parked.is_some());
        }
        _ => {}
    }
    sim.settle_rows();
    sim
}

fn kid(sim: &Sim) -> String {
    let kid = sim.recorded.iter().flat_map(|(_, _, turn)| &turn.actions).find_map(|action| match action {
        Action::StartSubOrchestration { instance, detached: false, name, .. } if name == "child" => {
            Some(instance.to_string())
        }
        _ => None,
    });
    kid.expect("x has a child")
}

fn task(sim: &Sim) -> TaskId {
    sim.activities.runs.keys().next().copied().expect("x has a task")
}

/// Gives the input; a request where a caller waits.
fn act(sim: &mut Sim, input: &str, runs: Runs) -> Option<RequestId> {
    let with = |input: Value, reuse| {
        let mut operation = start(Some("x"), "main", &input);
        operation.reuse = reuse;
        operation
    };
    match input {
        "start same" => return Some(sim.start_with(with(Value::Null, IdReusePolicy::Attach))),
        "start other" => return Some(sim.start_with(with(json!(5), IdReusePolicy::Attach))),
        "start reject" => return Some(sim.start_with(with(Value::Null, IdReusePolicy::Reject))),
        "start replace" => return Some(sim.start_with(with(Value::Null, IdReusePolicy::ReplaceEnded))),
        "raise" => return Some(sim.raise("x", "RED", &json!(7))),
        "terminate" => return Some(sim.terminate("x", false)),
        "suspend" => return Some(sim.suspend("x")),
        "resume" => return Some(sim.resume("x")),
        "restart" => return Some(sim.restart("x", false)),
        "rewind" => return Some(sim.rewind("x")),
        "purge" => return Some(sim.purge("x")),
        "start child" => drop(sim.start("caller", "caller", &Value::Null)),
        "call attach" => drop(sim.start("caller", "caller", &json!("attach"))),
        "call replace" => drop(sim.start("caller", "caller", &json!("replace"))),
        "code ends it" => drop(sim.start("sender", "sender", &json!("terminate"))),
        "send event" => drop(sim.start("sender", "sender", &Value::Null)),
        "task done" => {
            let task = task(sim);
            sim.finish(task);
            sim.handle(PartitionInput::TaskDone { task, result: Ok(JsonText::null()) });
        }
        "stale task" => {
            let task = TaskId {
                key: crate::model::InstanceKey(3),
                execution: crate::model::Execution(0),
                operation: crate::model::OperationId(1),
            };
            sim.handle(PartitionInput::TaskDone { task, result: Ok(JsonText::null()) });
        }
        "task no code" => {
            let (task, input) = (task(sim), JsonText::encode(&1).unwrap());
            let (store_id, instance, name) = (uuid::Uuid::nil(), id("x"), "echo".into());
            let mut without = good(runs);
            without.remove_activity("echo");
            sim.change_registry(without);
            sim.handle(PartitionInput::TaskUnregistered(Box::new(ActivityTask {
                trace: None,
                store_id,
                task,
                attempt: None,
                instance,
                name,
                input,
            })));
        }
        "timer done" => sim.now.0 += 100 * SECOND,
        "child done" => {
            let kid = kid(sim);
            sim.raise(&kid, "go", &Value::Null);
        }
        other => panic!("{other}"),
    }
    None
}

/// Everything that goes without a commit.
fn think(sim: &mut Sim) {
    sim.run();
    while !sim.loads.is_empty() {
        sim.deliver_load(0);
        sim.run();
    }
}

/// Where it all leads: the state of everybody.
fn end(mut sim: Sim, runs: Runs) -> Vec<(String, RuntimeStatus, String)> {
    let outdated = std::mem::take(&mut sim.offers);
    sim.deploy(good(runs));
    outdated.iter().for_each(|offer| sim.answer_to(offer));
    sim.holds_offers = false;
    sim.settle();
    let is_going = |sim: &Sim| sim.store.head("x").is_some_and(|head| !head.is_ended());
    if is_going(&sim) && sim.head("x").progress.status == RuntimeStatus::Suspended {
        sim.resume("x");
    }
    sim.settle_all();
    if sim.recorded.iter().any(|(_, _, turn)| turn.actions.iter().any(|action| action.to_string().contains("child"))) {
        let kids: Vec<_> = sim
            .store
            .heads
            .values()
            .filter(|head| head.life.name == "child" && !head.is_ended())
            .map(|head| head.life.id.to_string())
            .collect();
        for kid in kids {
            sim.raise(&kid, "go", &Value::Null);
        }
    }
    if is_going(&sim) {
        sim.raise("x", "red", &json!(0));
    }
    sim.settle_all();
    sim.assert_clean();
    let mut heads: Vec<_> = sim.store.heads.values().collect();
    heads.sort_by_key(|head| (head.life.name.clone(), head.life.key));
    heads
        .iter()
        .map(|head| {
            assert!(head.is_ended() && head.progress.parked.is_none(), "{head:?}");
            let output = head
                .progress
                .output
                .as_ref()
                .map_or_else(|| format!("{:?}", head.progress.failure), ToString::to_string);
            (head.life.name.clone(), head.progress.status, output)
        })
        .collect()
}

fn reply(result: &Result<ClientAnswer, Refusal>) -> &'static str {
    match result {
        Ok(ClientAnswer::Started { created: true, .. }) => "created",
        Ok(ClientAnswer::Started { created: false, .. }) => "attached",
        Ok(ClientAnswer::Done) => "done",
        Err(Refusal::AlreadyExists { .. }) => "exists",
        Err(Refusal::NotFound { .. }) => "not found",
        Err(Refusal::InstanceEnded { .. }) => "has ended",
        Err(Refusal::NotEnded { .. }) => "not ended",
        Err(Refusal::InvalidState { .. }) => "invalid",
        Err(other) => panic!("{other}"),
    }
}

/// The cell without a crash: reply, and rows after the commit.
#[allow(clippy::too_many_lines, reason = "the rows of one table")]
fn check(input: &str, state: &str, cell: &str, runs: Runs) -> Vec<(String, RuntimeStatus, String)> {
    let mut sim = in_state(state, runs);
    let before = sim.store.clone();
    let (head_before, turns_before) = match sim.store.head("x") {
        Some(head) => (Some(head.clone()), sim.store.turns(head.life.key)),
        None => (None, Vec::new()),
    };
    let request = act(&mut sim, input, runs);
    think(&mut sim);
    if let Some(request) = request {
        let early = sim.answer(request);
        assert!(sim.commits.is_empty() || early.is_none(), "answered before its commit is durable");
    }
    sim.settle_rows();
    if let Some(request) = request {
        let expected = match cell {
            "record" | "turn" | "end" | "deleted" => "done",
            "replaced" => "created",
            other => other,
        };
        assert_eq!(reply(&sim.result(request)), expected);
    }
    let now = sim.store.head("x").cloned();
    let added: Vec<_> = now
        .as_ref()
        .map(|head| sim.store.turns(head.life.key))
        .unwrap_or_default()
        .split_off(turns_before.len().min(now.as_ref().map_or(0, |h| sim.store.turns(h.life.key).len())));
    match cell {
        "created" | "replaced" => {
            let now = now.unwrap();
            assert!(head_before.is_none_or(|head| head.life.key < now.life.key), "a new life has a new key");
            assert_eq!(now.progress.status, RuntimeStatus::Running);
        }
        "deleted" => assert!(
            now.is_none() && sim.store.records.keys().all(|(key, _, _)| *key != head_before.clone().unwrap().life.key)
        ),
        "turn" | "record" => {
            let polled: Vec<_> = added.iter().map(|turn| turn.polled).collect();
            match (runs, cell) {
                // Recorded before it was offered, and so acknowledged before it was answered.
                (Runs::Elsewhere, "turn") => {
                    assert_eq!(polled, [false, true], "{added:?}");
                    assert_eq!(added[1].upto, Some(added[1].turn_number));
                }
                _ => assert_eq!(polled, [cell == "turn"], "{added:?}"),
            }
            let recorded: Vec<_> = added[0].inputs.iter().map(short).collect();
            let expected = match input {
                "raise" => "RED:7",
                "send event" => "red:7",
                "task done" => "task 1",
                "timer done" => "timer 2",
                "child done" => "child 3",
                "suspend" => "suspended",
                "resume" => "resumed",
                "rewind" => "rewound",
                other => panic!("{other}"),
            };
            assert_eq!(recorded, [expected]);
            if input == "task done" {
                assert!(sim.store.tasks.is_empty());
            }
            if input == "timer done" {
                assert!(sim.store.timers.iter().all(|row| row.operation.0 != 2));
            }
        }
        "end" => {
            assert_eq!(now.unwrap().progress.status, RuntimeStatus::Terminated);
            assert!(added.iter().all(|turn| !turn.polled));
            let key = head_before.unwrap().life.key;
            assert!(
                sim.store.tasks.keys().all(|task| task.key != key) && sim.store.timers.iter().all(|row| row.key != key)
            );
        }
        "park" => {
            let parked = now.unwrap().progress.parked.clone().expect("it is parked");
            assert_eq!(parked.code(), ParkCode::NotRegistered, "{parked}");
            assert!(added.is_empty() && sim.store.tasks.len() == before.tasks.len(), "{added:?}");
        }
        "refused" => assert_eq!(
            sim.output("caller")["Err"].as_str().unwrap().split(':').next(),
            Some("instance `x` already exists")
        ),
        _ => {
            assert_eq!(now, head_before, "nothing is recorded");
            assert!(added.is_empty());
        }
    }
    let calls = ["start child", "call attach", "call replace"].contains(&input);
    assert!(sim.store.inbox.is_empty() || calls, "messages are left: {:?}", sim.store.inbox.len());
    if input == "suspend" && cell == "record" {
        assert_eq!(sim.head("x").progress.status, RuntimeStatus::Suspended);
    }
    if ["stale task"].contains(&input) {
        assert_eq!(sim.store, before);
    }
    end(sim, runs)
}

/// The cell with a crash when so many of its commits are durable. Answers whether there were that many.
fn crash_after(
    input: &str,
    state: &str,
    runs: Runs,
    commits: usize,
    expected: &[(String, RuntimeStatus, String)],
) -> bool {
    let mut sim = in_state(state, runs);
    let request = act(&mut sim, input, runs);
    think(&mut sim);
    if sim.commits.len() < commits {
        return false;
    }
    sim.commit(commits, Fate::Durable);
    sim.crash();
    if request.is_some_and(|request| sim.answer(request) == Some(Answer::Unknown)) {
        act(&mut sim, input, runs);
    } else if request.is_none() && commits == 0 && !["task done", "timer done", "stale task"].contains(&input) {
        // Nobody has heard of it.
        act(&mut sim, input, runs);
    }
    sim.settle_rows();
    assert_eq!(end(sim, runs), expected, "{input} x {state}, crash after {commits} commits");
    true
}

/// Checks the table but for some states; answers how many cells that were.
fn check_table(runs: Runs, without: &[&str]) -> usize {
    let mut rows = TABLE.trim().lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let states = rows.next().unwrap();
    let mut cells = 0;
    for row in rows {
        let wanted = |(state, cell): &(&&str, &&str)| **cell != "-" && !without.contains(state);
        for (state, cell) in states.iter().zip(&row).skip(1).filter(wanted) {
            let caught = std::panic::catch_unwind(|| {
                let expected = check(row[0], state, cell, runs);
                let mut commits = 0;
                while crash_after(row[0], state, runs, commits, &expected) {
                    commits += 1;
                }
            });
            assert!(caught.is_ok(), "the case {} x {state} is not `{cell}`", row[0]);
            cells += 1;
        }
    }
    cells
}

#[test]
fn a01_each_input_in_each_state() {
    assert_eq!(check_table(Runs::Here, &["outstanding"]), 138);
}

#[test]
fn p22_each_input_in_each_state_of_a_remote_program() {
    assert_eq!(check_table(Runs::Elsewhere, &[]), 159);
}
