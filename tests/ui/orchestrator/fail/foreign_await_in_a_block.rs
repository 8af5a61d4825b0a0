use persevere::prelude::*;

struct Sleep;

impl Future for Sleep {
    type Output = ();

    fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        std::task::Poll::Pending
    }
}

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    async { Sleep.await }.await;
    println!("{:?}", Sleep.await);
    Ok(())
}

fn main() {}
