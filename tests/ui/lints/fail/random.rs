use persevere::prelude::*;

mod rand {
    pub mod rngs {
        pub struct ThreadRng;
    }
    pub fn random<T: Default>() -> T {
        T::default()
    }
    pub fn thread_rng() {}
}
mod uuid {
    pub struct Uuid;
    impl Uuid {
        pub fn new_v4() -> Self {
            Self
        }
    }
}
use rand::thread_rng;

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    let _: u8 = rand::random();
    thread_rng();
    let _ = uuid::Uuid::new_v4();
    Ok(())
}

fn main() {}
