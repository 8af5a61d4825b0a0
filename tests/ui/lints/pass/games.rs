//! Eighteen small orchestrators of games and of the machines that serve them, in terse style.
#![deny(warnings)]

use persevere::prelude::*;
use std::time::Duration as Span;

type Res<T> = Result<T, OrchestrationError>;
type Cx<S = NoStatus> = OrchestrationContext<S>;

#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Side { Red, Blue }

impl Side {
    const BOTH: [Self; 2] = [Self::Red, Self::Blue];
    fn other(self) -> Self { if self == Self::Red { Self::Blue } else { Self::Red } }
}

#[derive(Serialize, Deserialize, Clone, Debug, Default)]
struct Board { cells: [Option<Side>; 9], moves: u8 }

impl Board {
    fn put(&mut self, cell: usize, side: Side) -> bool {
        let free = self.cells.get(cell).is_some_and(Option::is_none);
        if free { self.cells[cell] = Some(side); self.moves += 1; }
        free
    }
    fn winner(&self) -> Option<Side> {
        const LINES: [[usize; 3]; 3] = [[0, 1, 2], [0, 4, 8], [2, 4, 6]];
        LINES.iter().find_map(|line| { let [a, b, c] = line.map(|cell| self.cells[cell]); (a == b && b == c).then_some(a)? })
    }
}

#[external_event] struct Move { side: Side, cell: usize }
#[external_event] struct Join(String);
#[external_event] struct Leave;

#[activity] async fn rate(player: String) -> Result<i64, ActivityError> { Ok(player.len() as i64) }
#[activity] async fn show(board: Board) -> Result<(), ActivityError> { let _ = board.moves; Ok(()) }
#[activity] async fn push(to: String, text: String) -> Result<bool, ActivityError> { Ok(to < text) }
#[activity] async fn deploy(service: String, version: u32) -> Result<u32, ActivityError> { Ok(version + service.len() as u32) }
#[activity] async fn healthy(service: String) -> Result<bool, ActivityError> { Ok(!service.is_empty()) }

#[orchestrator] async fn play(ctx: Cx<Board>) -> Res<Option<Side>> {
    let (mut board, mut turn) = (Board::default(), Side::Red);
    while board.moves < 9 {
        let Move { side, cell } = Move::wait(&ctx).await?;
        if side != turn || !board.put(cell, side) { continue; }
        ctx.set_custom_status(&board)?;
        show::call(&ctx, board.clone()).await?;
        if let won @ Some(_) = board.winner() { return Ok(won); }
        turn = turn.other();
    }
    Ok(None)
}

#[orchestrator] async fn blitz(ctx: Cx) -> Res<Side> {
    let mut left = [Span::from_secs(60); 2];
    for side in Side::BOTH.into_iter().cycle() {
        let clock = &mut left[side as usize];
        let begun = ctx.current_time();
        if Move::wait(&ctx).timeout(&ctx, *clock).await.is_err() { return Ok(side.other()); }
        let took = (ctx.current_time() - begun).to_std().unwrap_or_default();
        *clock = clock.saturating_sub(took);
        if clock.is_zero() { return Ok(side.other()); }
    }
    unreachable!()
}

#[orchestrator] async fn lobby(ctx: Cx<Vec<String>>, seats: usize) -> Res<Vec<String>> {
    let mut players = Vec::with_capacity(seats);
    let mut leave = Leave::wait(&ctx);
    while players.len() < seats {
        select! {
            joined = Join::wait(&ctx) => players.push(joined?.0),
            _ = &mut leave => { players.pop(); leave = Leave::wait(&ctx); }
        }
        ctx.set_custom_status(&players)?;
    }
    Ok(players)
}

#[orchestrator] async fn seed(ctx: Cx, players: Vec<String>) -> Res<Vec<(i64, String)>> {
    let ratings = ctx.try_join_all(players.iter().map(|p| rate::call(&ctx, p.clone()))).await?;
    let mut seeded: Vec<_> = ratings.into_iter().zip(players).collect();
    seeded.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.cmp(y)));
    Ok(seeded)
}

#[orchestrator] async fn shuffle(ctx: Cx, mut_cards: Vec<u8>) -> Res<Vec<u8>> {
    let mut cards = mut_cards;
    for last in (1..cards.len()).rev() { cards.swap(last, (ctx.random() % (last as u64 + 1)) as usize); }
    push::call(&ctx, "table".into(), "shuffled".into()).await?;
    Ok(cards)
}

#[orchestrator] async fn tournament(ctx: Cx, players: Vec<String>) -> Res<String> {
    let mut round = players;
    while round.len() > 1 {
        let games = round.chunks(2).map(async |pair: &[String]| match pair {
            [a, b] => { let won = play::call(&ctx).await?; Ok(if won == Some(Side::Blue) { b.clone() } else { a.clone() }) }
            rest => Ok(rest.concat()),
        });
        round = ctx.try_join_all(games.collect::<Vec<_>>()).await?;
    }
    round.pop().ok_or_else(|| "nobody came".into())
}

#[orchestrator] async fn daily(ctx: Cx, day: u32) -> Res<()> {
    let everybody = ["ann", "bob"].map(|who| push::call(&ctx, who.to_owned(), format!("day {day}")));
    for sent in everybody { sent.await?; }
    ctx.create_timer(Span::from_secs(86_400)).await;
    daily::continue_as_new(&ctx, day + 1).await
}

#[orchestrator] async fn ladder(ctx: Cx<i64>, player: String) -> Res<i64> {
    let mut best = i64::MIN;
    for _ in 0..3 { best = best.max(rate::call(&ctx, player.clone()).await?); ctx.set_custom_status(&best)?; }
    Ok(best)
}

#[orchestrator] async fn guild(ctx: Cx, invited: Vec<String>) -> Res<usize> {
    let answers = invited.iter().map(|who| async { push::call(&ctx, who.clone(), "join us".into()).await.unwrap_or(false) });
    Ok(ctx.join_all(answers).await.into_iter().filter(|yes| *yes).count())
}

#[orchestrator] async fn auction(ctx: Cx<u64>, floor: u64) -> Res<Option<String>> {
    let (mut price, mut leader) = (floor, None::<String>);
    let mut hammer = ctx.create_timer(Span::from_secs(30));
    loop {
        let bid = select! { bid = ctx.wait_for_external_event::<(String, u64)>("bid") => bid?, _ = &mut hammer => return Ok(leader) };
        if bid.1 > price {
            (leader, price) = (Some(bid.0), bid.1);
            ctx.set_custom_status(&price)?;
            hammer = ctx.create_timer(Span::from_secs(30));
        }
    }
}

#[orchestrator] async fn canary(ctx: Cx<String>, service: String, version: u32) -> Res<bool> {
    ctx.set_custom_status(&"canary".to_owned())?;
    deploy::call(&ctx, format!("{service}-canary"), version).await?;
    for minute in 0..10u32 {
        ctx.create_timer(Span::from_secs(60)).await;
        if !healthy::call(&ctx, service.clone()).await? { tracing::warn!(minute, "rolled back"); return Ok(false); }
    }
    ctx.set_custom_status(&"everywhere".to_owned())?;
    Ok(deploy::call(&ctx, service, version).await? > 0)
}

#[orchestrator] async fn blue_green(ctx: Cx, service: String, version: u32) -> Res<Side> {
    let colour = if version % 2 == 0 { Side::Blue } else { Side::Red };
    let name = format!("{service}-{colour:?}").to_lowercase();
    deploy::call(&ctx, name.clone(), version).await?;
    Ok(if healthy::call(&ctx, name).await? { colour } else { colour.other() })
}

#[orchestrator] async fn watch(ctx: Cx<u32>, service: String) -> Res<u32> {
    let mut failures = 0u32;
    'watching: for _round in 0..1_000 {
        for _try in 0..3 {
            if healthy::call(&ctx, service.clone()).await.is_ok_and(|healthy| healthy) { failures = 0; break; }
            failures += 1;
            if failures > 5 { break 'watching; }
        }
        ctx.set_custom_status(&failures)?;
        ctx.create_timer(Span::from_millis(500)).await;
    }
    Ok(failures)
}

#[orchestrator] async fn fleet(ctx: Cx, services: Vec<(String, u32)>) -> Res<Vec<String>> {
    let mut broken = vec![];
    let runs = services.iter().map(|(service, version)| canary::call(&ctx, service.clone(), *version));
    for ((service, _), good) in services.iter().zip(ctx.join_all(runs.collect::<Vec<_>>()).await) {
        if !matches!(good, Ok(true)) { broken.push(service.clone()); }
    }
    Ok(broken)
}

#[orchestrator] async fn handover(ctx: Cx, from: String, to: String) -> Res<bool> {
    let id: persevere::InstanceId = to.parse().map_err(|_| "no such instance")?;
    let told = ctx.send_event(&id, &Join(from.clone())).is_ok();
    if !told { return Ok(false); }
    push::call(&ctx, to, from).await.map_err(Into::into)
}

#[orchestrator(version = "2")] async fn migrate(ctx: Cx, from: u32) -> Res<u32> {
    let mut at = from;
    if ctx.patched("skip-seven") && at == 7 { at += 1; }
    while at < 10 { at = deploy::call(&ctx, String::new(), at + 1).await?; }
    Ok(at)
}

#[orchestrator] async fn roll(ctx: Cx, sides: u64) -> Res<Vec<u64>> {
    let throw = || ctx.random().checked_rem(sides).map_or(0, |n| n + 1);
    let (a, b) = (throw(), throw());
    let again = if a == b { Some(throw()) } else { None };
    push::call(&ctx, a.to_string(), b.to_string()).await?;
    Ok([Some(a), Some(b), again].into_iter().flatten().collect())
}

#[orchestrator] async fn nothing(_: Cx) -> Res<()> { Ok(()) }

fn main() { let _ = Side::BOTH; }
