//! Twelve orchestrators in a program whose own modules and types are called like those of the standard library and of
//! well-known crates. Each must be left alone.
#![deny(warnings)]

use std::collections::HashMap;

use persevere::prelude::*;

mod rand {
    pub(crate) fn random(seed: u64) -> u64 {
        seed ^ 0x5eed
    }

    pub(crate) fn rng() -> u64 {
        4
    }
}

mod time {
    use persevere::prelude::*;

    #[orchestrator_fn]
    pub(crate) async fn sleep(ctx: &Context, minutes: u64) {
        ctx.create_timer(std::time::Duration::from_secs(60 * minutes)).await;
    }

    pub(crate) fn interval(first: u64, last: u64) -> std::ops::Range<u64> {
        first..last
    }
}

mod fs {
    #[derive(Default)]
    pub(crate) struct Shelf(Vec<String>);

    impl Shelf {
        pub(crate) fn len(&self) -> usize {
            self.0.len()
        }
    }

    pub(crate) fn read(shelf: &Shelf) -> usize {
        shelf.len()
    }

    pub(crate) fn write(shelf: &mut Shelf, title: &str) {
        shelf.0.push(title.to_owned());
    }
}

mod env {
    pub(crate) fn var(name: &str) -> String {
        name.to_lowercase()
    }

    pub(crate) fn args() -> [&'static str; 2] {
        ["fast", "cheap"]
    }
}

mod process {
    pub(crate) fn id(order: u64) -> String {
        format!("process-{order}")
    }

    pub(crate) fn exit(stage: u64) -> u64 {
        stage + 1
    }
}

mod thread {
    pub(crate) fn spawn(posts: &mut Vec<String>, first: &str) -> usize {
        posts.push(first.to_owned());
        posts.len()
    }
}

mod redis {
    pub(crate) fn cmd(name: &str) -> String {
        format!("redis {name}")
    }
}

mod task {
    pub(crate) fn spawn(name: &str) -> String {
        name.to_uppercase()
    }
}

mod future {
    pub(crate) fn join(left: &str, right: &str) -> String {
        format!("{left} and {right}")
    }

    pub(crate) fn select(names: &[&'static str]) -> &'static str {
        names.first().copied().unwrap_or("nobody")
    }
}

/// Somebody who buys.
#[derive(Serialize, Deserialize, Clone)]
struct Client {
    name: String,
}

impl Client {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned() }
    }
}

/// Puts a parcel together.
#[derive(Default)]
struct Builder(Vec<String>);

impl Builder {
    fn new() -> Self {
        Self::default()
    }

    fn add(mut self, item: &str) -> Self {
        self.0.push(item.to_owned());
        self
    }

    fn build(self) -> String {
        self.0.join("+")
    }
}

/// A delay of a train.
struct Delay {
    minutes: u64,
}

impl Delay {
    fn new(minutes: u64) -> Self {
        Self { minutes }
    }
}

/// What is to be done in the warehouse.
struct Command {
    verb: String,
}

impl Command {
    fn new(verb: &str) -> Self {
        Self { verb: verb.to_owned() }
    }
}

/// A moment of a match, counted in moves.
#[derive(Clone, Copy)]
struct Instant(u64);

impl Instant {
    fn now() -> Self {
        Self(0)
    }

    fn elapsed(self) -> u64 {
        self.0
    }
}

/// The clock of a simulation.
struct SystemTime;

impl SystemTime {
    fn now() -> u64 {
        12
    }
}

/// A zone.
struct Utc;

impl Utc {
    fn now() -> u64 {
        0
    }
}

/// A document that is signed.
struct File;

impl File {
    fn open(case: &str) -> String {
        format!("file {case}")
    }
}

/// A barrier at a crossing.
struct Barrier(u32);

impl Barrier {
    fn new(crossing: u32) -> Self {
        Self(crossing)
    }
}

#[activity]
async fn record(text: String) -> Result<u64, ActivityError> {
    Ok(text.len() as u64)
}

type Done<T = u64> = Result<T, OrchestrationError>;

#[orchestrator]
async fn draws_lots(ctx: OrchestrationContext) -> Done {
    let lot = rand::random(ctx.random()) + rand::rng();
    Ok(record::call(&ctx, lot.to_string()).await?)
}

#[orchestrator]
async fn sleeps_long(ctx: OrchestrationContext, minutes: u64) -> Done {
    for minute in time::interval(0, minutes) {
        time::sleep(&ctx, minute).await;
    }
    let night = time::sleep(&ctx, 8 * 60);
    night.await;
    Ok(minutes)
}

#[orchestrator]
async fn keeps_books(ctx: OrchestrationContext, titles: Vec<String>) -> Done {
    let mut shelf = fs::Shelf::default();
    for title in &titles {
        fs::write(&mut shelf, title);
        record::call(&ctx, title.clone()).await?;
    }
    Ok(fs::read(&shelf) as u64)
}

#[orchestrator]
async fn reads_settings(ctx: OrchestrationContext) -> Done<String> {
    let region = env::var("REGION");
    for mode in env::args() {
        record::call(&ctx, format!("{region}: {mode}")).await?;
    }
    Ok(region)
}

#[orchestrator]
async fn runs_stages(ctx: OrchestrationContext, order: u64) -> Done {
    record::call(&ctx, process::id(order)).await?;
    Ok(process::exit(order))
}

#[orchestrator]
async fn posts(ctx: OrchestrationContext) -> Done {
    let mut posts = Vec::new();
    let length = thread::spawn(&mut posts, "first");
    record::call(&ctx, redis::cmd(&task::spawn("get"))).await?;
    Ok(length as u64)
}

#[orchestrator]
async fn pairs(ctx: OrchestrationContext) -> Done {
    let both = future::join("salt", future::select(&["pepper", "sugar"]));
    Ok(record::call(&ctx, both).await?)
}

#[orchestrator]
async fn constructors(ctx: OrchestrationContext) -> Done<String> {
    let client = Client::new("a");
    let parcel = Builder::new().add("tea").add("cups").build();
    let Delay { minutes } = Delay::new(3);
    let command = Command::new("reserve");
    let barrier = Barrier::new(7);
    record::call(&ctx, format!("{} {parcel} {minutes} {} {}", client.name, command.verb, barrier.0)).await?;
    Ok(File::open("b"))
}

#[orchestrator]
async fn clocks(ctx: OrchestrationContext) -> Done {
    let started = Instant::now();
    let times = [SystemTime::now(), Utc::now(), started.elapsed()];
    Ok(record::call(&ctx, format!("{times:?}")).await?)
}

#[orchestrator]
async fn asks_a_map(ctx: OrchestrationContext, stock: HashMap<String, u32>) -> Done {
    if stock.iter().any(|(_, amount)| *amount == 0) {
        record::call(&ctx, "something is missing".to_owned()).await?;
    }
    while stock.values().all(|amount| *amount > 1_000) {
        return Ok(record::call(&ctx, "everything is there".to_owned()).await?);
    }
    match stock.keys().max() {
        Some(last) => Ok(record::call(&ctx, last.clone()).await?),
        None => Ok(0),
    }
}

#[orchestrator]
async fn speaks_once(ctx: OrchestrationContext, name: String) -> Done {
    let live = !ctx.is_replaying();
    if live {
        println!("{name} begins");
    }
    let length = record::call(&ctx, name).await?;
    let verbose = length > 3 && !ctx.is_replaying();
    if verbose {
        eprintln!("{length}");
    }
    Ok(length)
}

#[orchestrator]
async fn sorts_first(ctx: OrchestrationContext, stock: HashMap<String, u32>) -> Done {
    let mut names: Vec<String> = stock.keys().cloned().collect();
    names.sort_unstable();
    let mut total = 0;
    for name in &names {
        total += record::call(&ctx, name.clone()).await?;
    }
    let amounts: Vec<u32> = stock.into_values().collect();
    Ok(total + u64::from(amounts.iter().sum::<u32>()))
}

fn main() {}
