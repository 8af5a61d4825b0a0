//! External events, and orchestrations that never end.

use std::time::Duration;

use persevere::prelude::*;

use crate::system::stage::{Stage, echo, handle, on_every_stage};

on_every_stage! {
    a_person_decides_in_time
    a_person_decides_too_late
    events_are_kept_until_somebody_waits_and_taken_in_order
    an_event_by_its_name_whatever_its_case
    an_event_id_is_recorded_once
    one_instance_sends_to_another
    continue_as_new_carries_events_that_nobody_took
    continue_as_new_drops_events_when_told_to
    an_eternal_orchestration_keeps_a_short_history
    a_stream_gives_every_event_that_came_before_its_end
    a_stream_ends_at_a_time
    a_time_out_of_the_next_event_loses_none
    an_endless_stream_goes_on_after_a_restart
}

#[external_event]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Booking {
    seat: u32,
    confirmed: bool,
}

#[external_event]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number(pub(crate) i64);

#[orchestrator]
async fn reservation(ctx: OrchestrationContext<String>, seat: u32) -> Result<String, OrchestrationError> {
    ctx.set_custom_status(&format!("seat {seat} is held"))?;
    match Booking::wait(&ctx).timeout(&ctx, Duration::from_secs(300)).await {
        Ok(booking) => match booking? {
            Booking { seat, confirmed: true } => Ok(echo::call(&ctx, format!("seat {seat} is booked")).await?),
            Booking { .. } => Ok("declined".to_owned()),
        },
        Err(_) => Ok("too late".to_owned()),
    }
}

async fn a_person_decides_in_time(stage: Stage) {
    let runtime = stage.runtime().await;
    for (seat, confirmed, outcome) in [(1, true, "seat 1 is booked"), (2, false, "declined")] {
        let reservation = reservation::start(runtime.client(), seat).await.unwrap();
        reservation.wait_for_custom_status(move |shown| *shown == format!("seat {seat} is held")).await.unwrap();
        stage.clock.advance(Duration::from_secs(299));
        reservation.raise_event(Booking { seat, confirmed }).await.unwrap();
        assert_eq!(reservation.result().await.unwrap(), outcome);
    }
    runtime.shutdown().await.unwrap();
}

async fn a_person_decides_too_late(stage: Stage) {
    let runtime = stage.runtime().await;
    let reservation = reservation::start(runtime.client(), 3).await.unwrap();
    reservation.wait_for_start().await.unwrap();
    stage.clock.advance(Duration::from_secs(300));
    assert_eq!(reservation.result().await.unwrap(), "too late");
    let late = reservation.raise_event(Booking { seat: 3, confirmed: true }).await.unwrap_err();
    assert!(late.is_ended(), "{late}");
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn take(ctx: OrchestrationContext<u32>, count: u32) -> Result<Vec<i64>, OrchestrationError> {
    ctx.set_custom_status(&0)?;
    // The events arrive before anybody waits for them.
    ctx.create_timer(Duration::from_secs(1)).await;
    let mut numbers = Vec::new();
    for _ in 0..count {
        numbers.push(Number::wait(&ctx).await?.0);
    }
    Ok(numbers)
}

async fn events_are_kept_until_somebody_waits_and_taken_in_order(stage: Stage) {
    let runtime = stage.runtime().await;
    let take = take::start(runtime.client(), 50).await.unwrap();
    take.wait_for_start().await.unwrap();
    for number in 0..50 {
        take.raise_event(Number(number)).await.unwrap();
    }
    let runtime = stage.restart(runtime).await;
    stage.clock.advance(Duration::from_secs(1));
    let take = handle::<take>(&runtime, take.id().as_str());
    assert_eq!(take.result().await.unwrap(), (0..50).collect::<Vec<_>>());
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn by_name(ctx: OrchestrationContext) -> Result<(u8, String), OrchestrationError> {
    let second = ctx.wait_for_external_event::<String>("second").await?;
    let first = ctx.wait_for_external_event::<u8>("First").await?;
    Ok((first, second))
}

async fn an_event_by_its_name_whatever_its_case(stage: Stage) {
    let runtime = stage.runtime().await;
    let by_name = by_name::start(runtime.client()).instance_id("by-name").await.unwrap();
    runtime.client().raise_event("by-name", "FIRST", &1).await.unwrap();
    runtime.client().raise_event("by-name", "unknown", &[1, 2]).await.unwrap();
    runtime.client().raise_event("by-name", "Second", "two").await.unwrap();
    assert_eq!(by_name.result().await.unwrap(), (1, "two".to_owned()));
    runtime.shutdown().await.unwrap();
}

async fn an_event_id_is_recorded_once(stage: Stage) {
    let runtime = stage.runtime().await;
    let take = take::start(runtime.client(), 3).await.unwrap();
    for (number, id) in [(1, "a"), (1, "a"), (2, "b"), (1, "a")] {
        take.raise_event(Number(number)).event_id(id).await.unwrap();
    }
    let runtime = stage.restart(runtime).await;
    let take = handle::<take>(&runtime, take.id().as_str());
    take.raise_event(Number(2)).event_id("b").await.unwrap();
    take.raise_event(Number(3)).event_id("c").await.unwrap();
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(take.result().await.unwrap(), [1, 2, 3]);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn sender(ctx: OrchestrationContext, to: String, numbers: Vec<i64>) -> Result<(), OrchestrationError> {
    let to = persevere::InstanceId::new(to)?;
    for number in numbers {
        ctx.send_event(&to, &Number(number))?;
        echo::call(&ctx, format!("sent {number}")).await?;
    }
    Ok(())
}

async fn one_instance_sends_to_another(stage: Stage) {
    let runtime = stage.runtime().await;
    let take = take::start(runtime.client(), 3).instance_id("taker").await.unwrap();
    let sender = sender::start(runtime.client(), "taker".to_owned(), vec![7, 8, 9]).await.unwrap();
    sender.result().await.unwrap();
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(take.result().await.unwrap(), [7, 8, 9]);
    // The target does not exist any more, which is not an error of the sender.
    let lost = sender::start(runtime.client(), "nobody".to_owned(), vec![1]).await.unwrap();
    lost.result().await.unwrap();
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn rounds(ctx: OrchestrationContext<u32>, round: u32, keep: bool, sum: i64) -> Result<i64, OrchestrationError> {
    ctx.set_custom_status(&round)?;
    let Number(number) = Number::wait(&ctx).await?;
    if number < 0 {
        return Ok(sum);
    }
    echo::call(&ctx, format!("round {round}")).await?;
    rounds::continue_as_new(&ctx, round + 1, keep, sum * 10 + number).keep_events(keep).await
}

async fn continue_as_new_carries_events_that_nobody_took(stage: Stage) {
    let runtime = stage.runtime().await;
    let rounds = rounds::start(runtime.client(), 0, true, 0).await.unwrap();
    for number in [1, 2, 3, 4, 5, -1] {
        rounds.raise_event(Number(number)).await.unwrap();
    }
    assert_eq!(rounds.result().await.unwrap(), 12_345, "each event once, in order");
    assert_eq!(rounds.metadata().await.unwrap().execution(), 5);
    for round in 0..5 {
        assert_eq!(stage.book.runs(&format!("round {round}")), 1);
    }
    runtime.shutdown().await.unwrap();
}

async fn continue_as_new_drops_events_when_told_to(stage: Stage) {
    let runtime = stage.runtime().await;
    let rounds = rounds::start(runtime.client(), 0, false, 0).start_after(Duration::from_secs(1)).await.unwrap();
    // All of them are there in the first turn, and nobody takes two of them.
    for number in [1, 2, 3] {
        rounds.raise_event(Number(number)).await.unwrap();
    }
    stage.clock.advance(Duration::from_secs(1));
    rounds.wait_for_custom_status(|round| *round == 1).await.unwrap();
    rounds.raise_event(Number(-1)).await.unwrap();
    assert_eq!(rounds.result().await.unwrap(), 1);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn countdown(ctx: OrchestrationContext<u32>, left: u32) -> Result<String, OrchestrationError> {
    echo::call(&ctx, format!("{left} left")).await?;
    ctx.set_custom_status(&left)?;
    if left == 0 {
        // The last execution stays open, so that its history can be read.
        Number::wait(&ctx).await?;
        return Ok("over".to_owned());
    }
    countdown::continue_as_new(&ctx, left - 1).await
}

async fn an_eternal_orchestration_keeps_a_short_history(stage: Stage) {
    let runtime = stage.runtime().await;
    let countdown = countdown::start(runtime.client(), 40).await.unwrap();
    countdown.wait_for_custom_status(|left| *left == 0).await.unwrap();
    let metadata = countdown.metadata().await.unwrap();
    assert_eq!((metadata.execution(), metadata.read_input_as::<u32>().unwrap()), (40, 0));
    // The records are its start, its first poll and the end of its activity.
    assert_eq!(stage.history(countdown.id()).await.len(), 3);
    countdown.raise_event(Number(0)).await.unwrap();
    assert_eq!(countdown.result().await.unwrap(), "over");
    runtime.shutdown().await.unwrap();
}

#[external_event]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Close;

/// Adds numbers up and shows the sum.
#[orchestrator(events(Number, Close))]
async fn add_until_closed(ctx: OrchestrationContext<i64>) -> Result<i64, OrchestrationError> {
    let mut sum = 0;
    ctx.set_custom_status(&sum)?;
    let mut numbers = Number::stream(&ctx).until(Close::wait(&ctx));
    while let Some(number) = numbers.next().await {
        sum += number?.0;
        ctx.set_custom_status(&sum)?;
    }
    assert!(numbers.next().await.is_none(), "it stays at its end");
    Ok(sum)
}

async fn a_stream_gives_every_event_that_came_before_its_end(stage: Stage) {
    let mut runtime = stage.runtime().await;
    let id = add_until_closed::start(runtime.client()).await.unwrap().id().clone();
    for round in 1..=3 {
        let adding = handle::<add_until_closed>(&runtime, id.as_str());
        adding.raise_event(Number(round)).await.unwrap();
        adding.wait_for_custom_status(move |sum| *sum == round * (round + 1) / 2).await.unwrap();
        runtime = stage.restart(runtime).await;
    }
    // While it is suspended, events and the end are recorded. All of them are seen in one turn.
    let adding = handle::<add_until_closed>(&runtime, id.as_str());
    adding.suspend("full").await.unwrap();
    for number in [Number(10), Number(20)] {
        adding.raise_event(number).await.unwrap();
    }
    adding.raise_event(Close).await.unwrap();
    adding.resume("go on").await.unwrap();
    assert_eq!(adding.result().await.unwrap(), 36);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn add_for_a_minute(ctx: OrchestrationContext<i64>) -> Result<i64, OrchestrationError> {
    let mut sum = 0;
    let mut numbers = Number::stream(&ctx).until(ctx.create_timer(Duration::from_secs(60)));
    while let Some(number) = numbers.next().await {
        sum += number?.0;
        ctx.set_custom_status(&sum)?;
    }
    Ok(sum)
}

async fn a_stream_ends_at_a_time(stage: Stage) {
    let runtime = stage.runtime().await;
    let adding = add_for_a_minute::start(runtime.client()).await.unwrap();
    for sum in 1..=2 {
        adding.raise_event(Number(1)).await.unwrap();
        adding.wait_for_custom_status(move |shown| *shown == sum).await.unwrap();
        stage.clock.advance(Duration::from_secs(29));
    }
    stage.clock.advance(Duration::from_secs(2));
    assert_eq!(adding.result().await.unwrap(), 2);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn waits_a_second_each(ctx: OrchestrationContext<u32>) -> Result<(u32, i64), OrchestrationError> {
    let mut late = 0;
    let mut numbers = Number::stream(&ctx);
    loop {
        ctx.set_custom_status(&late)?;
        match numbers.next().timeout(&ctx, Duration::from_secs(1)).await {
            Ok(Some(number)) => return Ok((late, number?.0)),
            Ok(None) => unreachable!("it has no end"),
            Err(TimedOut { .. }) => late += 1,
        }
    }
}

async fn a_time_out_of_the_next_event_loses_none(stage: Stage) {
    let runtime = stage.runtime().await;
    let impatient = waits_a_second_each::start(runtime.client()).await.unwrap();
    for late in 0..3 {
        impatient.wait_for_custom_status(move |shown| *shown == late).await.unwrap();
        stage.clock.advance(Duration::from_secs(1));
    }
    impatient.wait_for_custom_status(|late| *late == 3).await.unwrap();
    impatient.raise_event(Number(7)).await.unwrap();
    assert_eq!(impatient.result().await.unwrap(), (3, 7));
    // The time-outs cancel their timers and never the wait.
    let waits = stage.history(impatient.id()).await.into_iter().flat_map(|record| record.actions);
    let waits = waits.filter(|action| action.to_string().contains("wait for")).count();
    assert_eq!(waits, 1);
    runtime.shutdown().await.unwrap();
}

#[orchestrator]
async fn listen(ctx: OrchestrationContext<i64>) -> Result<(), OrchestrationError> {
    let mut numbers = Number::stream(&ctx);
    while let Some(number) = numbers.next().await {
        ctx.set_custom_status(&number?.0)?;
    }
    Ok(())
}

async fn an_endless_stream_goes_on_after_a_restart(stage: Stage) {
    let mut runtime = stage.runtime().await;
    let id = listen::start(runtime.client()).await.unwrap().id().clone();
    for number in 0..4 {
        let listening = handle::<listen>(&runtime, id.as_str());
        listening.raise_event(Number(number)).await.unwrap();
        listening.wait_for_custom_status(move |shown| *shown == number).await.unwrap();
        runtime = stage.restart(runtime).await;
    }
    handle::<listen>(&runtime, id.as_str()).terminate("enough").await.unwrap();
    runtime.shutdown().await.unwrap();
}
