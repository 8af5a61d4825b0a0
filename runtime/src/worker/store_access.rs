//! The store, as clients reach it. Clients may outlive the runtime, and they must not keep its store open.

use std::sync::{Arc, PoisonError, RwLock};

use crate::store::Store;

#[derive(Debug)]
pub(crate) struct StoreAccess(RwLock<Option<Arc<dyn Store>>>);

impl StoreAccess {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self(RwLock::new(Some(store)))
    }

    /// Returns the store, or `None` if the runtime has ended.
    pub(crate) fn get(&self) -> Option<Arc<dyn Store>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Releases the store for all clients.
    pub(crate) fn release(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
