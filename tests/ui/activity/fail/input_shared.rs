use persevere::prelude::*;
use std::sync::Arc;

/// Not serialisable.
pub struct Socket;

#[activity]
async fn send(socket: Arc<Socket>) -> Result<(), ActivityError> {
    drop(socket);
    Ok(())
}

fn main() {}
