//! What orchestrations are made of, one pattern a test, on every store and with a replay at every turn.

mod children;
mod continued;
mod events;
mod failures;
mod lifecycle;
mod overview;
mod together;
