//! Programs that run elsewhere: a stand-in for a worker behind a connection. It holds nothing between two offers, and finds
//! its answer by replaying the durable records with Rust code.

use std::sync::Arc;

use super::Sim;
use super::code::code_of;
use crate::definition::OrchestratorHandler;
use crate::engine::execution::LiveExecution;
use crate::engine::program::{Identity, TurnOffer, TurnOutput, TurnStep};
use crate::engine::{PartitionConfig, PartitionInput, history};
use crate::model::{Action, Execution, InstanceId, KeyMint, PartitionCount, PartitionId};

impl Sim {
    /// Answers the offer at this place, which is taken out.
    pub(crate) fn answer_offer(&mut self, place: usize) {
        if place < self.offers.len() {
            let offer = self.offers.remove(place);
            self.answer_to(&offer);
        }
    }

    /// Answers an offer, whether it is the last one of its instance or not.
    pub(crate) fn answer_to(&mut self, offer: &TurnOffer) {
        if let Some(output) = self.run_elsewhere(offer) {
            self.turn_done(offer, Some(output));
        }
    }

    /// Nobody will answer the offer.
    pub(crate) fn give_up(&mut self, offer: &TurnOffer) {
        self.turn_done(offer, None);
    }

    fn turn_done(&mut self, offer: &TurnOffer, output: Option<TurnOutput>) {
        self.focus_on(&offer.instance);
        self.handle(PartitionInput::TurnDone { ticket: offer.ticket, output });
    }

    /// What the worker answers; `None` when the execution that the offer is about is gone.
    pub(crate) fn run_elsewhere(&self, offer: &TurnOffer) -> Option<TurnOutput> {
        let handler = *self.elsewhere.get(&offer.started.name)?;
        let ticket = offer.ticket;
        let rows = self.store.history(ticket.key, ticket.execution);
        let mut records = history::decode(&rows, rows.len() as u64).ok()?;
        records.truncate(usize::try_from(ticket.turn).unwrap());
        if records.is_empty() {
            return None;
        }
        assert_eq!(records.len() as u64, ticket.turn, "an offer leaves when its inputs are durable");
        for known in &offer.history {
            assert!(records.contains(known), "the history that is offered is not the one that is stored");
        }
        let carried = self.store.history(ticket.key, Execution::CARRIED);
        let mut live = replay(offer, handler, records, &carried);
        match live.turn(offer.time, offer.time, &offer.inputs, None) {
            Ok(TurnStep::Done(output)) => Some(named(offer, output)),
            other => panic!("{other:?}"),
        }
    }
}

fn replay(
    offer: &TurnOffer,
    handler: OrchestratorHandler,
    records: Vec<crate::model::TurnRecord>,
    carried: &[bytes::Bytes],
) -> LiveExecution {
    let mint = KeyMint::new(crate::model::Epoch(77_777), PartitionId::FIRST, PartitionCount::ONE);
    let identity = Identity { id: offer.instance.clone(), execution: offer.ticket.execution, mint: Arc::new(mint) };
    let (started, checks) = (Arc::clone(&offer.started), PartitionConfig::default().checks());
    let mut live = LiveExecution::replay(identity, &code_of(handler), started, records, carried, checks).unwrap();
    // They come with the offer.
    live.forget_undelivered();
    live
}

/// Only the engine mints ids: a worker elsewhere names its sub-orchestrations itself.
fn named(offer: &TurnOffer, mut output: TurnOutput) -> TurnOutput {
    for action in &mut output.actions {
        if let Action::StartSubOrchestration { operation, instance, minted, .. } = action
            && std::mem::replace(minted, false)
        {
            let (key, execution) = (offer.ticket.key, offer.ticket.execution.0);
            *instance = InstanceId::new(format!("kid-{key:?}-{execution}-{}", operation.0)).unwrap();
        }
    }
    output
}
