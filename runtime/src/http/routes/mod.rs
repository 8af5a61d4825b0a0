//! The routes, with one file for each kind of request.

pub(super) mod control;
pub(super) mod purge;
pub(super) mod query;
pub(super) mod raise;
pub(super) mod restart;
pub(super) mod rewind;
pub(super) mod start;
pub(super) mod status;
