//! The HTTP API: what each route answers, to the letter, in process and over the wire.

mod bodies;
mod clients;
mod faults;
mod hostile;
mod journey;
mod keys;
mod limits;
mod openapi;
mod payloads;
mod serving;
mod stage;
mod several;
mod slow;
mod streams;
mod table;
mod typed;
mod wire;
