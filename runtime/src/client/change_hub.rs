//! Delivers committed heads to those who wait for them. There is one channel for each watched instance, and it holds
//! only the newest value.
//!
//! ```text
//! effect release ─ publish ─┐
//! first reader ── accept ───┼─► Entry (one life of one id) ─► ChangeReceiver, ChangeReceiver, …
//! recovery ───── offer ─────┘
//! ```
//!
//! Invariants:
//! - A caller that registers, then reads the store, then takes changes, misses nothing. [`ChangeReceiver::next`] does
//!   this in the right order.
//! - An entry belongs to one life. Once it has a value, that value stays current until the entry leaves the map, so a
//!   later registration needs no read. The entry leaves with the end of that life, so nothing that comes later can be
//!   mixed up with it. Only a rewind of the same life still reaches those who hold the entry.
//! - An older head never replaces a newer one. Heads of one life are compared by revision, and lives by key.
//! - The hub holds an entry only while there are registrations for it.

use std::collections::HashMap;
use std::collections::hash_map;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::port::{ClientPort, SubmitError};
use crate::model::{Head, InstanceId, InstanceKey};
use crate::store::InstanceRef;

/// Delivers committed heads to those who wait for them.
#[derive(Debug, Default)]
pub(crate) struct ChangeHub {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    closed: Option<Lost>,
    entries: HashMap<InstanceId, SharedEntry>,
    /// The entries of ended lives that still have users. They are not found by new registrations, but if the life is
    /// rewound, their users learn of it.
    ended: HashMap<InstanceId, Vec<SharedEntry>>,
}

impl State {
    /// The entries of this life that left the map when it ended.
    fn ended_of(&self, id: &InstanceId, key: InstanceKey) -> Vec<Arc<Entry>> {
        let entries = self.ended.get(id).into_iter().flatten().map(|shared| &shared.entry);
        entries.filter(|entry| entry.key() == Some(key)).map(Arc::clone).collect()
    }

    /// The entries of lives that ended and were rewound.
    fn rewound(&self) -> impl Iterator<Item = &Arc<Entry>> {
        let entries = self.ended.values().flatten().map(|shared| &shared.entry);
        entries.filter(|entry| entry.seen.borrow().head.as_ref().is_some_and(|head| !head.is_ended()))
    }
}

/// An entry and the number of its users.
#[derive(Debug)]
struct SharedEntry {
    entry: Arc<Entry>,
    members: usize,
    /// The number of registrations that were ever made for this entry.
    registered: u64,
}

/// The reason why nothing will change any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The runtime was shut down or dropped.
    Stopped,
    /// The runtime stopped because of errors.
    Fatal {
        /// The last error.
        cause: String,
    },
}

/// The reason why a registration returns no further head.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Lost {
    /// The life has ended or was removed, and its last head was returned.
    Gone,
    /// The runtime has ended.
    Closed(CloseReason),
    /// The first read failed.
    Read(SubmitError),
}

/// What is known about one life of one instance.
#[derive(Debug)]
struct Entry {
    id: InstanceId,
    seen: watch::Sender<Seen>,
    /// Changes only when nothing more is expected for now: an end, a parking, a loss. Those who wait for that are not
    /// woken by the many heads before it.
    settled: watch::Sender<()>,
    /// Held while the store is being read. The number says which registrations are answered by a read that began after
    /// them and found nothing: all up to this number.
    absent_upto: tokio::sync::Mutex<u64>,
}

#[derive(Debug, Default)]
struct Seen {
    head: Option<Head>,
    lost: Option<Lost>,
}

impl Seen {
    fn is_decided(&self) -> bool {
        self.head.is_some() || self.lost.is_some()
    }
}

/// Returns whether nothing more will happen to the instance unless somebody intervenes.
fn is_settled(head: &Head) -> bool {
    head.is_ended() || head.progress.parked.is_some()
}

/// What an entry knows after it received a head. The entry may know a newer head, even of a later life.
enum Accepted {
    /// The life has not ended.
    GoesOn,
    /// The life has ended.
    Ended,
    /// The entry still knows an earlier life than that of the head.
    EarlierLife,
}

impl Entry {
    fn new(id: InstanceId) -> Self {
        Self {
            id,
            seen: watch::Sender::new(Seen::default()),
            settled: watch::Sender::new(()),
            absent_upto: tokio::sync::Mutex::new(0),
        }
    }

    fn key(&self) -> Option<InstanceKey> {
        self.seen.borrow().head.as_ref().map(|head| head.life.key)
    }

    fn accept(&self, head: Head) -> Accepted {
        let of = |head: &Head| if head.is_ended() { Accepted::Ended } else { Accepted::GoesOn };
        let mut accepted = of(&head);
        let settles = is_settled(&head);
        let mut settled = false;
        self.seen.send_if_modified(|seen| match &seen.head {
            Some(known) if known.life.key < head.life.key => {
                accepted = Accepted::EarlierLife;
                false
            }
            Some(known) if (known.life.key, known.progress.revision) >= (head.life.key, head.progress.revision) => {
                accepted = of(known);
                false
            }
            _ => {
                seen.head = Some(head);
                settled = settles;
                true
            }
        });
        if settled {
            self.settled.send_replace(());
        }
        accepted
    }

    fn lose(&self, lost: Lost) {
        self.seen.send_modify(|seen| seen.lost = Some(lost));
        self.settled.send_replace(());
    }
}

impl ChangeHub {
    /// Creates a hub without registrations.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Tells those who wait what an instance is now. Only the place where effects are released may call this: the head
    /// must be durable, and the heads of one instance must arrive in the order of their commits.
    pub(crate) fn publish(&self, head: Head) {
        let (entry, ended) = {
            let state = self.lock();
            let entry = state.entries.get(&head.life.id).map(|shared| Arc::clone(&shared.entry));
            (entry, state.ended_of(&head.life.id, head.life.key))
        };
        for entry in ended {
            entry.accept(head.clone());
        }
        let Some(entry) = entry else { return };
        match entry.accept(head) {
            // The head of an ended instance is the final value of its life. Whatever comes later with this id is
            // another life.
            Accepted::Ended => self.detach(&entry),
            Accepted::GoesOn => {}
            // The end of the known life was never published: a recovery settled its commit, and its row is gone.
            Accepted::EarlierLife => {
                self.detach(&entry);
                entry.lose(Lost::Gone);
            }
        }
    }

    /// Tells those who wait what the store contains after a recovery. The outcome of the last commits was unknown, so
    /// the row may be newer than what was published.
    pub(crate) fn offer(&self, head: Head) {
        self.publish(head);
    }

    /// Tells those who wait that the store contained no row with this id after a recovery. `known` is the life that was
    /// known when the store was asked; a life that has begun since then is not affected.
    pub(crate) fn offer_absent(&self, id: &InstanceId, known: Option<InstanceKey>) {
        // Without a value there is nothing to correct. The first reader finds out for itself.
        if known.is_none() || self.known_life(id) != known {
            return;
        }
        let entry = self.lock().entries.get(id).map(|shared| Arc::clone(&shared.entry));
        if let Some(entry) = entry {
            self.detach(&entry);
            entry.lose(Lost::Gone);
        }
    }

    /// Returns the life of this id that those who wait know.
    pub(crate) fn known_life(&self, id: &InstanceId) -> Option<InstanceKey> {
        let state = self.lock();
        let rewound = || state.rewound().find(|entry| entry.id == *id);
        state.entries.get(id).map(|shared| &shared.entry).or_else(rewound)?.key()
    }

    /// The ids that somebody waits for, of those that are asked for.
    pub(crate) fn watched_ids(&self, of: impl Fn(&InstanceId) -> bool) -> Vec<InstanceId> {
        let state = self.lock();
        let rewound = state.rewound().map(|entry| &entry.id).filter(|id| !state.entries.contains_key(*id));
        state.entries.keys().chain(rewound).filter(|id| of(id)).cloned().collect()
    }

    /// Tells everyone who waits, now and later, that nothing will change any more.
    pub(crate) fn close(&self, reason: CloseReason) {
        let lost = Lost::Closed(reason);
        let entries = {
            let mut state = self.lock();
            if state.closed.is_some() {
                return;
            }
            state.closed = Some(lost.clone());
            let rewound: Vec<_> = state.rewound().map(Arc::clone).collect();
            state.ended.clear();
            let entries = std::mem::take(&mut state.entries).into_values().map(|shared| shared.entry);
            entries.chain(rewound).collect::<Vec<_>>()
        };
        for entry in entries {
            entry.lose(lost.clone());
        }
    }

    /// Registers for everything that becomes known about an instance from now on.
    pub(crate) fn register(self: &Arc<Self>, id: &InstanceId) -> ChangeReceiver {
        let mut state = self.lock();
        if let Some(lost) = state.closed.clone() {
            let entry = Arc::new(Entry::new(id.clone()));
            entry.lose(lost);
            return ChangeReceiver::new(Arc::clone(self), entry, 0);
        }
        let shared = state.entries.entry(id.clone()).or_insert_with(|| SharedEntry {
            entry: Arc::new(Entry::new(id.clone())),
            members: 0,
            registered: 0,
        });
        shared.members += 1;
        shared.registered += 1;
        ChangeReceiver::new(Arc::clone(self), Arc::clone(&shared.entry), shared.registered)
    }

    /// Registers for an instance whose newest durable head is `head`. Only the place where effects are released may
    /// call this, because nothing can come in between there.
    pub(crate) fn register_with(self: &Arc<Self>, head: &Head) -> ChangeReceiver {
        let registration = self.register(&head.life.id);
        if let Accepted::Ended = registration.entry.accept(head.clone()) {
            self.detach(&registration.entry);
        }
        registration
    }

    /// Registers with an entry, whether or not it is in the map.
    fn join(self: &Arc<Self>, entry: &Arc<Entry>) -> ChangeReceiver {
        let mut state = self.lock();
        let ordinal = match state.entries.get_mut(&entry.id) {
            Some(shared) if Arc::ptr_eq(&shared.entry, entry) => {
                shared.members += 1;
                shared.registered += 1;
                shared.registered
            }
            _ => {
                let ended = state.ended.get_mut(&entry.id).into_iter().flatten();
                ended.filter(|shared| Arc::ptr_eq(&shared.entry, entry)).for_each(|shared| shared.members += 1);
                0
            }
        };
        drop(state);
        ChangeReceiver::new(Arc::clone(self), Arc::clone(entry), ordinal)
    }

    /// Takes an entry out of the map, so that later registrations begin with a new entry.
    fn detach(&self, entry: &Arc<Entry>) {
        let mut state = self.lock();
        if state.entries.get(&entry.id).is_some_and(|shared| Arc::ptr_eq(&shared.entry, entry))
            && let Some(shared) = state.entries.remove(&entry.id)
        {
            state.ended.entry(entry.id.clone()).or_default().push(shared);
        }
    }

    fn leave(&self, entry: &Arc<Entry>) {
        let mut state = self.lock();
        if let hash_map::Entry::Occupied(mut ended) = state.ended.entry(entry.id.clone()) {
            ended.get_mut().retain_mut(|shared| {
                shared.members -= usize::from(Arc::ptr_eq(&shared.entry, entry));
                shared.members > 0
            });
            if ended.get().is_empty() {
                ended.remove();
            }
        }
        let hash_map::Entry::Occupied(mut shared) = state.entries.entry(entry.id.clone()) else { return };
        if !Arc::ptr_eq(&shared.get().entry, entry) {
            return;
        }
        shared.get_mut().members -= 1;
        if shared.get().members == 0 {
            shared.remove();
        }
    }

    fn registered(&self, entry: &Arc<Entry>) -> u64 {
        match self.lock().entries.get(&entry.id) {
            Some(shared) if Arc::ptr_eq(&shared.entry, entry) => shared.registered,
            _ => 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A registration for the changes of one life of an instance. However slowly it is read, it costs the engine nothing.
#[derive(Debug)]
pub(crate) struct ChangeReceiver {
    hub: Arc<ChangeHub>,
    entry: Arc<Entry>,
    receiver: watch::Receiver<Seen>,
    ordinal: u64,
    given: Option<Head>,
}

impl ChangeReceiver {
    fn new(hub: Arc<ChangeHub>, entry: Arc<Entry>, ordinal: u64) -> Self {
        let receiver = entry.seen.subscribe();
        Self { hub, entry, receiver, ordinal, given: None }
    }

    /// Creates another registration for the same life, with what is known about it. It begins with the current head.
    pub(crate) fn again(&self) -> Self {
        self.hub.join(&self.entry)
    }

    /// Returns the current head the first time, and then each newer head, always the newest. Returns `None` if there is
    /// no such instance.
    ///
    /// The head of an ended instance is the last one; after it comes [`Lost::Gone`]. A head that was not returned yet
    /// comes before the news of a loss, so a final value outlives the runtime that wrote it.
    pub(crate) async fn next(&mut self, port: &dyn ClientPort) -> Result<Option<Head>, Lost> {
        if self.given.is_none() && !self.first(port).await? {
            return Ok(None);
        }
        loop {
            if let Some(answer) = self.take() {
                return answer.map(Some);
            }
            // The sender is part of the entry, which this registration keeps alive.
            wait(port, self.receiver.changed()).await.map_err(|_| Lost::Gone)?;
        }
    }

    /// Like [`next`](Self::next), but returns only a head that has ended or is parked. Other heads do not wake it.
    pub(crate) async fn settled(&mut self, port: &dyn ClientPort) -> Result<Option<Head>, Lost> {
        let mut settled = self.entry.settled.subscribe();
        if self.given.is_none() && !self.first(port).await? {
            return Ok(None);
        }
        loop {
            settled.mark_unchanged();
            while let Some(answer) = self.take() {
                let head = answer?;
                if is_settled(&head) {
                    return Ok(Some(head));
                }
            }
            wait(port, settled.changed()).await.map_err(|_| Lost::Gone)?;
        }
    }

    /// Returns the newest known head.
    pub(crate) fn newest(&self) -> Option<Head> {
        self.entry.seen.borrow().head.clone()
    }

    fn take(&mut self) -> Option<Result<Head, Lost>> {
        let seen = self.receiver.borrow_and_update();
        match (&seen.head, &self.given) {
            (Some(head), Some(given)) if head.progress.revision == given.progress.revision => match &seen.lost {
                None if head.is_ended() => Some(Err(Lost::Gone)),
                lost => lost.clone().map(Err),
            },
            (Some(head), _) => {
                self.given = Some(head.clone());
                Some(Ok(head.clone()))
            }
            (None, _) => seen.lost.clone().map(Err),
        }
    }

    /// Waits until something is known, from a publication, from its own read, or from the read of another registration.
    async fn first(&self, port: &dyn ClientPort) -> Result<bool, Lost> {
        let mut receiver = self.receiver.clone();
        tokio::select! {
            biased;
            known = receiver.wait_for(Seen::is_decided) => known.map(|_| true).map_err(|_| Lost::Gone),
            answer = self.read(port) => answer,
        }
    }

    async fn read(&self, port: &dyn ClientPort) -> Result<bool, Lost> {
        let mut absent_upto = self.entry.absent_upto.lock().await;
        if self.entry.seen.borrow().is_decided() {
            return Ok(true);
        }
        if *absent_upto >= self.ordinal {
            return Ok(false);
        }
        let registered = self.hub.registered(&self.entry).max(self.ordinal);
        let stored = port.instance(InstanceRef::Id(self.entry.id.clone())).await.map_err(Lost::Read)?;
        let Some(stored) = stored else {
            *absent_upto = registered;
            return Ok(false);
        };
        // Of two lives, the earlier one stays: its end is still to be published, and the reader must see it.
        if let Accepted::Ended = self.entry.accept(stored.head) {
            self.hub.detach(&self.entry);
        }
        Ok(true)
    }
}

/// Waits for a change. A clock that moves while nothing can run learns that somebody waits.
async fn wait<T>(port: &dyn ClientPort, change: impl Future<Output = T> + Send) -> T {
    match port.virtual_time() {
        Some(time) => Arc::clone(time).wait(change).await,
        None => change.await,
    }
}

impl Drop for ChangeReceiver {
    fn drop(&mut self) {
        self.hub.leave(&self.entry);
    }
}
