//! The building blocks of orchestrations, one pattern for each test, on every store and with a replay at every turn.

mod blocks;
mod children;
mod continued;
mod events;
mod failures;
mod lifecycle;
mod overview;
mod retries;
mod rewind;
mod saga;
mod together;
