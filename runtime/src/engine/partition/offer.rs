//! The turns of programs that run elsewhere: they are offered and answered later.
//!
//! ```text
//! offer ─► record the inputs, with a start timer that wakes the instance after a crash ─► Effect::OfferTurn(ticket)
//!          meanwhile: arrivals are recorded behind them; a termination acts at once
//! TurnDone(ticket) ─► check ─► finish_turn: a polled record that says up to where it brings the inputs
//! ```
//!
//! Invariants:
//! - Inputs are recorded, and acknowledged, before they are offered, so no caller waits for a program elsewhere.
//! - While a turn is outstanding, its slot stays in memory, and its program is asked for nothing else.
//! - Only the ticket of the last offer counts. A turn that is offered again has a new ticket.

use super::Partition;
use super::slot::{Outstanding, Slot};
use super::take::{Answered, Taken};
use crate::engine::Effect;
use crate::engine::execution::LiveExecution;
use crate::engine::program::{TurnOffer, TurnOutput, TurnTicket};
use crate::model::{InstanceKey, OperationId, RuntimeStatus, TaskId, TimerRow, Timestamp};

impl Partition {
    /// Records what the turn takes, and offers it.
    pub(super) fn offer(&mut self, time: Timestamp, slot: &mut Slot, mut taken: Taken) {
        slot.note_unpolled(taken.events());
        self.note_suspension(time, slot, &mut taken);
        if slot.head.progress.parked.is_some() {
            // It is being tried again. If the offer is lost, it must be offered again without another request.
            slot.head.progress_mut().parked = None;
            taken.head_changed = true;
        }
        self.anchor_offer(time, slot, &mut taken);
        self.write_unpolled(time, slot, &mut taken);
        let Some(live) = &mut slot.live else { return };
        self.next_offer += 1;
        let life = &slot.head.life;
        let ticket = TurnTicket {
            key: life.key,
            execution: life.execution,
            turn: slot.records,
            epoch: self.epoch,
            offer: self.next_offer,
        };
        let offer = TurnOffer {
            ticket,
            instance: life.id.clone(),
            started: std::sync::Arc::clone(&live.started),
            time,
            history: std::mem::take(&mut live.history),
            inputs: live.undelivered().cloned().collect(),
        };
        slot.outstanding = Some(Outstanding { ticket, upto: slot.records, time });
        self.offers.insert(life.key);
        taken.effects.push(Effect::OfferTurn(Box::new(offer)));
        self.send_off(time, slot, taken);
    }

    /// Adds the row that wakes the instance if the memory of the offer is lost. In memory, it is never due.
    fn anchor_offer(&mut self, time: Timestamp, slot: &Slot, taken: &mut Taken) {
        let row = start_row(slot, time);
        if !self.timer_rows.contains_key(&start_id(slot)) {
            self.add_timer(row);
            taken.commit.timers_new.push(row);
        }
    }

    /// Handles the answer of a program. If the program cannot answer, the turn is offered again, with all previous
    /// records.
    pub(super) fn turn_done(&mut self, now: Timestamp, ticket: TurnTicket, output: Option<TurnOutput>) {
        let is_last = |slot: &Slot| slot.outstanding.as_ref().is_some_and(|outstanding| outstanding.ticket == ticket);
        let Some(mut slot) = self.slots.remove(&ticket.key) else { return };
        if !is_last(&slot) {
            self.slots.insert(ticket.key, slot);
            return;
        }
        let outstanding = self.take_back(&mut slot);
        match (outstanding, output) {
            (Some(outstanding), Some(output)) => self.answered(now, &mut slot, &outstanding, output),
            _ => self.offer_again(&mut slot),
        }
        let goes_on = !slot.is_over() && slot.live.as_ref().is_some_and(LiveExecution::has_undelivered);
        self.put_back(ticket.key, slot);
        if goes_on {
            self.make_ready(ticket.key);
        }
    }

    /// Lets go of the execution, and wakes the instance: it is built anew, and what it is built from goes with the next
    /// offer.
    pub(super) fn offer_again(&mut self, slot: &mut Slot) {
        slot.live = None;
        let start = start_id(slot);
        if let Some(fire_at) = self.timer_rows.get(&start).copied() {
            self.timers.insert(start_row(slot, fire_at));
        }
    }

    fn answered(&mut self, now: Timestamp, slot: &mut Slot, outstanding: &Outstanding, output: TurnOutput) {
        let Outstanding { upto, time: seen, .. } = *outstanding;
        let time = now.max(slot.newest);
        let suspended = slot.head.progress.status == RuntimeStatus::Suspended;
        let answered = Some(Answered { upto, time: seen });
        let mut taken = Taken::default();
        (taken.suspended, taken.answered) = (suspended, answered);
        let result = match &mut slot.live {
            Some(live) => live.answered(upto, &output),
            None => return,
        };
        if let Err(stuck) = result {
            slot.live = None;
            return self.park(time, slot, taken, stuck.reason());
        }
        slot.unpolled_events = slot.live.as_ref().map_or((0, 0), |live| live.buffered_events());
        if slot.live.as_ref().is_some_and(|live| !live.has_undelivered())
            && let Some(row) = self.remove_timer(start_id(slot))
        {
            taken.commit.timers_done.push(row);
        }
        self.finish_turn(time, slot, taken, output);
    }

    /// Takes back an outstanding offer, if there is one. Its answer is ignored from now on.
    pub(super) fn take_back(&mut self, slot: &mut Slot) -> Option<Outstanding> {
        let outstanding = slot.outstanding.take()?;
        self.offers.remove(&slot.head.life.key);
        Some(outstanding)
    }

    /// Takes back an outstanding offer and tells the program.
    pub(super) fn abandon(&mut self, slot: &mut Slot) {
        if let Some(Outstanding { ticket, .. }) = self.take_back(slot) {
            self.effect(Effect::AbandonTurn(ticket));
        }
    }

    /// Takes back every offer. The next owner of the partition offers the turns again.
    pub(super) fn abandon_all(&mut self) {
        let offers: Vec<InstanceKey> = self.offers.iter().copied().collect();
        for key in offers {
            if let Some(mut slot) = self.slots.remove(&key) {
                self.abandon(&mut slot);
                slot.live = None;
                self.put_back(key, slot);
            }
        }
    }
}

fn start_id(slot: &Slot) -> TaskId {
    TaskId { key: slot.head.life.key, execution: slot.head.life.execution, operation: OperationId::START }
}

fn start_row(slot: &Slot, fire_at: Timestamp) -> TimerRow {
    let life = &slot.head.life;
    TimerRow { fire_at, key: life.key, execution: life.execution, operation: OperationId::START }
}
