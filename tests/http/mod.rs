//! The HTTP API: exactly what each route answers, in process and over a connection.

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
