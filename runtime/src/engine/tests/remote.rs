//! P22: turns of programs that run elsewhere, which answer late, never, twice, wrongly, or after a crash.

use serde_json::{Value, json};

use crate::engine::program::{TurnOffer, TurnOutput};
use crate::engine::sim::code::{Echo, call, code, registry_elsewhere};
use crate::engine::sim::{Answer, Fate, Sim};
use crate::engine::{PartitionConfig, PartitionInput};
use crate::model::{Action, Completion, Execution, JsonText, OperationId, RuntimeStatus, SourceLocation};

code! {
    fn counts(ctx, _) {
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let event: Value = ctx.wait_for_external_event("go").await?;
            ctx.set_custom_status(&event)?;
            seen.push(call::<Echo>(&ctx, event).await?);
        }
        Ok(json!(seen))
    }
}

/// An instance `x` whose first turn was offered and is not answered.
fn offered(live_instances: usize) -> Sim {
    offered_with(PartitionConfig { live_instances, ..PartitionConfig::default() })
}

fn offered_with(config: PartitionConfig) -> Sim {
    let mut sim = Sim::new(config, registry_elsewhere(&["main"], &[]));
    sim.elsewhere.insert("main".to_owned(), counts);
    sim.holds_offers = true;
    sim.start("x", "main", &Value::Null);
    sim.settle_rows();
    sim
}

fn only(sim: &Sim) -> TurnOffer {
    let [offer] = &sim.offers[..] else { panic!("{} offers are out", sim.offers.len()) };
    offer.clone()
}

fn finish(sim: &mut Sim) {
    sim.holds_offers = false;
    for number in 0..3 {
        sim.settle_all();
        sim.raise("x", "go", &json!(number));
    }
    sim.settle_all();
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Completed);
    assert_eq!(sim.output("x").as_array().map(Vec::len), Some(3));
    sim.assert_clean();
}

#[test]
fn p22_inputs_are_durable_and_acknowledged_before_they_are_offered() {
    let config = PartitionConfig::default();
    let mut sim = Sim::new(config, registry_elsewhere(&["main"], &[]));
    sim.elsewhere.insert("main".to_owned(), counts);
    sim.holds_offers = true;
    let request = sim.start("x", "main", &Value::Null);
    sim.deliver_load(0);
    sim.run();
    assert!(sim.commits.len() == 1 && sim.offers.is_empty() && sim.answer(request).is_none());
    sim.commit(usize::MAX, Fate::Durable);
    assert!(matches!(sim.answer(request), Some(Answer::Is(Ok(_)))), "the start does not wait for the program");
    let offer = only(&sim);
    assert_eq!((offer.ticket.turn, offer.inputs.len(), offer.history.len()), (1, 1, 0));
    assert_eq!(sim.turns("x").iter().map(|turn| turn.polled).collect::<Vec<_>>(), [false]);
    finish(&mut sim);
}

#[test]
fn p22_inputs_that_arrive_during_an_offer_are_recorded_and_delivered_with_the_next_one() {
    for live_instances in [0, 100] {
        let mut sim = offered(live_instances);
        let raise = sim.raise("x", "go", &json!("a"));
        sim.settle_rows();
        assert!(matches!(sim.answer(raise), Some(Answer::Is(Ok(_)))), "a caller does not wait for the program");
        assert_eq!(sim.offers.len(), 1, "one turn at a time");
        sim.answer_offer(0);
        sim.settle_rows();
        let turns = sim.turns("x");
        assert_eq!(turns.iter().map(|turn| turn.polled).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(turns[2].upto, Some(1), "it brought the start, not the event");
        let next = only(&sim);
        assert_eq!((next.inputs.len(), next.ticket.turn), (1, 3));
        finish(&mut sim);
    }
}

#[test]
fn p22_a_late_answer_counts_and_a_second_one_does_not() {
    let mut sim = offered(100);
    let offer = only(&sim);
    let answer = sim.run_elsewhere(&offer);
    sim.pass(3_600);
    let commits = sim.durable_commits.len();
    for _ in 0..2 {
        sim.handle(PartitionInput::TurnDone { ticket: offer.ticket, output: answer.clone() });
        sim.settle_rows();
    }
    assert_eq!(sim.durable_commits.len(), commits + 1, "the second answer changes nothing");
    assert_eq!(sim.turns("x")[1].time, offer.time, "the record holds the time that the code saw");
    sim.offers.clear();
    finish(&mut sim);
}

#[test]
fn p22_a_turn_that_nobody_answers_is_offered_again_with_a_new_ticket_and_its_history() {
    for crashes in [false, true] {
        let mut sim = offered(100);
        sim.answer_offer(0);
        sim.raise("x", "go", &json!("a"));
        sim.settle_rows();
        let lost = only(&sim);
        sim.offers.clear();
        if crashes {
            sim.crash();
        } else {
            sim.give_up(&lost);
        }
        sim.settle_rows();
        let again = only(&sim);
        assert_ne!(again.ticket, lost.ticket);
        assert_eq!(again.history, sim.turns("x"), "whoever answers may have nothing of it");
        assert_eq!(again.inputs, lost.inputs);
        // The outdated answer is ignored.
        let before = sim.store.clone();
        sim.answer_to(&lost);
        sim.settle_rows();
        assert_eq!(sim.store, before);
        finish(&mut sim);
    }
}

/// The timer that woke the instance for the second offer is taken while that offer is out.
#[test]
fn p22_an_offer_keeps_its_anchor_although_the_timer_of_an_earlier_one_fires_late() {
    let config = PartitionConfig { inputs_per_turn: 1, ..PartitionConfig::default() };
    let mut sim = offered_with(config);
    let lost = only(&sim);
    sim.raise("x", "go", &json!("a"));
    sim.give_up(&lost);
    sim.offers.clear();
    sim.handle(PartitionInput::Tick);
    sim.settle_rows();
    assert_eq!(sim.offers.len(), 1);
    sim.crash();
    sim.offers.clear();
    sim.settle_rows();
    assert_eq!(only(&sim).inputs.len(), 2, "the row that wakes the instance is still there");
    finish(&mut sim);
}

/// The timer is taken after its row was removed by an answer and another row was added by the next offer.
#[test]
fn p22_a_timer_that_fired_for_an_earlier_offer_removes_no_other_row() {
    let config = PartitionConfig { inputs_per_turn: 1, ..PartitionConfig::default() };
    let mut sim = offered_with(config);
    let lost = only(&sim);
    sim.raise("x", "go", &json!("a"));
    sim.raise("x", "other", &json!("b"));
    sim.raise("x", "other", &json!("c"));
    sim.give_up(&lost);
    sim.offers.clear();
    sim.handle(PartitionInput::Tick);
    // "a" is offered and answered, which removes the row. "b" is offered, which adds another one, and "c" is recorded
    // behind it. The timer is what the next turn takes.
    for answered in [true, false, true] {
        sim.run_some(1);
        while !sim.loads.is_empty() {
            sim.read(0);
            sim.deliver_load(0);
            sim.run_some(1);
        }
        sim.commit(usize::MAX, Fate::Durable);
        if answered {
            sim.answer_offer(0);
        }
        sim.now.0 += 1;
    }
    finish(&mut sim);
}

#[test]
fn p22_a_termination_acts_at_once_and_abandons_the_offer() {
    let mut sim = offered(100);
    let offer = only(&sim);
    sim.terminate("x", false);
    sim.settle_rows();
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Terminated);
    assert_eq!(sim.abandoned, [offer.ticket]);
    sim.answer_to(&offer);
    sim.settle_rows();
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Terminated);
    sim.assert_clean();
}

#[test]
fn p22_an_instance_stays_suspended_although_the_answer_under_way_is_accepted() {
    let mut sim = offered(100);
    sim.suspend("x");
    sim.raise("x", "go", &json!("a"));
    sim.settle_rows();
    sim.answer_offer(0);
    sim.settle_rows();
    assert_eq!(sim.head("x").progress.status, RuntimeStatus::Suspended);
    assert!(sim.turns("x").last().unwrap().polled, "the answer is recorded");
    assert!(sim.offers.is_empty(), "nothing is offered while it is suspended");
    sim.resume("x");
    sim.settle_rows();
    assert_eq!(only(&sim).inputs.len(), 3, "the suspension, the event and the resumption");
    finish(&mut sim);
}

#[test]
fn p22_continue_as_new_carries_the_events_that_were_not_delivered() {
    let mut sim = offered(100);
    sim.raise("x", "go", &json!("kept"));
    sim.settle_rows();
    let offer = only(&sim);
    let completion = Completion::ContinuedAsNew { input: JsonText::null(), version: None, keep_events: true };
    let output = TurnOutput {
        trace: None,
        actions: vec![Action::Complete(completion.clone())],
        completion: Some(completion),
        custom_status: None,
    };
    sim.handle(PartitionInput::TurnDone { ticket: offer.ticket, output: Some(output) });
    sim.offers.clear();
    sim.settle_rows();
    assert_eq!(sim.head("x").life.execution, Execution(1));
    assert_eq!(sim.inputs("x"), ["started", "go:\"kept\""]);
    assert_eq!(only(&sim).inputs.len(), 2);
    finish(&mut sim);
}

#[test]
fn p22_a_shutdown_takes_offers_back_and_the_next_start_makes_them_again() {
    let mut sim = offered(100);
    let offer = only(&sim);
    sim.stop_polling();
    sim.raise("x", "go", &json!("a"));
    sim.settle_rows();
    sim.answer_to(&offer);
    sim.settle_rows();
    assert!(sim.turns("x").iter().all(|turn| !turn.polled), "nothing runs during a shutdown");
    sim.offers.clear();
    sim.crash();
    sim.settle_rows();
    assert_eq!(only(&sim).inputs.len(), 2);
    finish(&mut sim);
}

#[test]
fn p22_an_answer_that_breaks_a_rule_parks_the_instance() {
    let location = || SourceLocation { file: "elsewhere".into(), line: 0, column: 0 };
    let timer = |operation| Action::CreateTimer {
        operation: OperationId(operation),
        fire_at: crate::engine::sim::EPOCH,
        attempt: None,
        location: location(),
    };
    let effect = |value: String| Action::SideEffect {
        operation: OperationId(1),
        value: JsonText::encode(&value).unwrap(),
        location: location(),
    };
    let done = Completion::Completed(JsonText::null());
    let output = |actions: Vec<Action>| TurnOutput { actions, ..TurnOutput::default() };
    let wrong = [
        output(vec![timer(1), timer(1)]),
        output(vec![timer(0)]),
        output(vec![Action::Cancelled { operation: OperationId(4) }]),
        output(vec![Action::Complete(done.clone()), timer(1)]),
        output(vec![Action::Complete(done.clone())]),
        output(vec![effect("x".repeat(2 << 20))]),
        output((1..20_000).map(timer).collect()),
        TurnOutput { completion: Some(done), ..TurnOutput::default() },
        TurnOutput {
            custom_status: Some(Some(JsonText::encode(&"x".repeat(20_000)).unwrap())),
            ..TurnOutput::default()
        },
    ];
    for (number, output) in wrong.into_iter().enumerate() {
        let mut sim = offered(100);
        let offer = only(&sim);
        sim.handle(PartitionInput::TurnDone { ticket: offer.ticket, output: Some(output) });
        sim.settle_rows();
        let head = sim.head("x");
        assert!(head.progress.parked.is_some(), "answer {number} is accepted");
        assert_eq!(sim.turns("x").len(), 1, "answer {number} is recorded");
        // A good one brings it on.
        sim.offers.clear();
        sim.retry_parked("x");
        sim.settle_rows();
        finish(&mut sim);
    }
}

#[test]
fn p31_instances_wait_while_their_code_is_removed_and_continue_when_it_is_added() {
    let mut sim = offered(100);
    let offer = only(&sim);
    let mut without = registry_elsewhere(&["main"], &[]);
    without.remove_orchestrator("main", "");
    sim.change_registry(without);
    sim.settle_rows();
    assert_eq!(sim.abandoned, [offer.ticket]);
    assert!(sim.head("x").progress.parked.is_some(), "it waits, visibly");
    let raise = sim.raise("x", "go", &json!("a"));
    sim.settle_rows();
    assert!(matches!(sim.answer(raise), Some(Answer::Is(Ok(_)))));
    sim.answer_to(&offer);
    sim.offers.clear();
    sim.change_registry(registry_elsewhere(&["main"], &[]));
    sim.settle_rows();
    let again = only(&sim);
    assert_eq!(again.inputs.len(), 2);
    assert!(again.ticket.offer > offer.ticket.offer);
    finish(&mut sim);
}

#[test]
fn p31_waiting_tasks_run_when_their_activity_is_added() {
    let mut sim = offered(100);
    let mut without = registry_elsewhere(&["main"], &[]);
    without.remove_activity("echo");
    sim.holds_offers = false;
    sim.raise("x", "go", &json!("a"));
    sim.settle_rows();
    sim.registry = std::sync::Arc::new(without);
    sim.crash();
    sim.settle();
    assert!(sim.head("x").progress.parked.is_some());
    sim.change_registry(registry_elsewhere(&["main"], &[]));
    sim.settle_rows();
    assert_eq!(sim.head("x").progress.parked, None);
    sim.settle();
    assert_eq!(sim.activities.runs.len(), 1, "the task that waited has run");
    finish(&mut sim);
}

#[test]
fn p31_an_answer_counts_although_an_activity_was_missing_while_its_offer_was_out() {
    let mut sim = offered(100);
    sim.answer_offer(0);
    sim.raise("x", "go", &json!("a"));
    sim.settle_rows();
    sim.answer_offer(0);
    sim.raise("x", "go", &json!("b"));
    sim.settle_rows();
    assert_eq!(sim.offers.len(), 1, "a task is open, and a turn is offered");
    let mut without = registry_elsewhere(&["main"], &[]);
    without.remove_activity("echo");
    sim.change_registry(without);
    sim.start_activities();
    sim.settle_rows();
    assert!(sim.head("x").progress.parked.is_some(), "the task waits for its activity");
    sim.change_registry(registry_elsewhere(&["main"], &[]));
    sim.settle_rows();
    sim.answer_offer(0);
    sim.settle_rows();
    assert_eq!(sim.head("x").progress.parked, None);
    finish(&mut sim);
}
