//! What programs use to start and watch orchestrations. (Stand-in for the seam with the worker.)

mod change_hub;
mod port;

use std::sync::Arc;

pub(crate) use change_hub::{ChangeHub, CloseReason};
pub(crate) use port::{BoxFuture, ClientPort, SubmitError};

/// Stand-in.
#[derive(Clone, Debug)]
pub struct Client {
    #[allow(dead_code, reason = "stand-in")]
    pub(crate) port: Arc<dyn ClientPort>,
}

impl Client {
    pub(crate) fn new(port: Arc<dyn ClientPort>) -> Self {
        Self { port }
    }
}
