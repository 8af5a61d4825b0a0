use persevere::prelude::*;

#[derive(Debug, thiserror::Error)]
#[error("declined")]
struct PayError;

#[activity]
async fn pay() -> Result<(), PayError> {
    Err(PayError)
}

fn main() {}
