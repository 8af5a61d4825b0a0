//! The HTTP API: what each route answers, to the letter, in process and over the wire.

mod bodies;
mod faults;
mod hostile;
mod journey;
mod keys;
mod limits;
mod openapi;
mod serving;
mod stage;
mod streams;
mod table;
mod typed;
mod wire;
