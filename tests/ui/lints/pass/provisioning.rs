//! Ten orchestrators that set up machines: services as methods, type-state, retries by hand, modules.
#![deny(warnings)]

use persevere::prelude::*;

pub(crate) mod model {
    use persevere::prelude::*;

    #[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    #[serde(transparent)]
    pub(crate) struct NodeId(pub(crate) String);

    #[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
    #[serde(rename_all = "kebab-case")]
    pub(crate) enum Size {
        Small,
        Large,
    }

    #[derive(Serialize, Deserialize, Clone, Debug)]
    pub(crate) struct Plan {
        pub(crate) cluster: String,
        pub(crate) nodes: u16,
        pub(crate) size: Size,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub(crate) zone: Option<String>,
    }
}

use model::{NodeId, Plan, Size};

/// The interface of a cloud.
pub(crate) mod cloud {
    use super::model::{NodeId, Size};
    use persevere::prelude::*;

    #[derive(Debug, Clone, Default)]
    pub(crate) struct Cloud;

    #[activities]
    impl Cloud {
        #[activity(name = "cloud.create")]
        pub(crate) async fn create(&self, name: String, size: Size) -> Result<NodeId, ActivityError> {
            Ok(NodeId(format!("{name}:{size:?}")))
        }

        #[activity(name = "cloud.ready")]
        pub(crate) async fn ready(&self, cx: &ActivityContext, node: NodeId) -> Result<bool, ActivityError> {
            Ok(!cx.idempotency_key().is_empty() && !node.0.is_empty())
        }

        #[activity(name = "cloud.destroy")]
        pub(crate) async fn destroy(&self, node: NodeId) -> Result<(), ActivityError> {
            drop(node);
            Ok(())
        }

        #[activity(name = "cloud.label")]
        pub(crate) async fn label(&self, node: NodeId, key: String, value: String) -> Result<(), ActivityError> {
            drop((node, key, value));
            Ok(())
        }
    }
}

use cloud::{create, destroy, label, ready};

type Fallible<T> = Result<T, OrchestrationError>;

fn backoff(attempt: u32) -> std::time::Duration {
    std::time::Duration::from_secs(2_u64.saturating_pow(attempt).min(300))
}

#[orchestrator_fn]
async fn until_ready(ctx: &Context, node: &NodeId) -> Fallible<u32> {
    let mut attempt = 0;
    while !ready::call(ctx, node.clone()).await? {
        attempt += 1;
        if attempt == 10 {
            return Err(format!("{} does not come up", node.0).into());
        }
        ctx.create_timer(backoff(attempt)).await;
    }
    Ok(attempt)
}

#[orchestrator(name = "cluster.create", version = "1")]
async fn create_cluster(ctx: OrchestrationContext<String>, plan: Plan) -> Fallible<Vec<NodeId>> {
    let Plan { cluster, nodes, size, zone } = plan;
    let names = (0..nodes).map(|number| match &zone {
        Some(zone) => format!("{cluster}-{zone}-{number}"),
        None => format!("{cluster}-{number}"),
    });
    let calls: Vec<_> = names.map(|name| create::call(&ctx, name, size)).collect();
    let created = ctx.try_join_all(calls).await?;
    ctx.set_custom_status(&format!("{} created", created.len()))?;
    ctx.try_join_all(created.iter().map(|node| until_ready(&ctx, node))).await?;
    Ok(created)
}

#[orchestrator(name = "cluster.delete")]
async fn delete_cluster(ctx: OrchestrationContext, nodes: Vec<NodeId>) -> Fallible<usize> {
    let results = ctx.join_all_limit(3, nodes.into_iter().map(|node| destroy::call(&ctx, node))).await;
    Ok(results.iter().flatten().count())
}

#[orchestrator]
async fn create_one(ctx: OrchestrationContext, name: String) -> Fallible<NodeId> {
    let node = create::call(&ctx, name, Size::Small).await?;
    let up = until_ready(&ctx, &node).await;
    if let Err(error) = up {
        destroy::call(&ctx, node).await?;
        return Err(error);
    }
    Ok(node)
}

#[orchestrator]
async fn replace(ctx: OrchestrationContext, old: NodeId) -> Fallible<NodeId> {
    let new = create_one::call(&ctx, format!("{}-new", old.0)).await?;
    label::call(&ctx, new.clone(), "replaces".into(), old.0.clone()).await?;
    destroy::call(&ctx, old).await?;
    Ok(new)
}

#[orchestrator]
async fn rolling_upgrade(ctx: OrchestrationContext<(usize, usize)>, nodes: Vec<NodeId>, at_once: usize) -> Fallible<Vec<NodeId>> {
    let mut upgraded = Vec::with_capacity(nodes.len());
    for batch in nodes.chunks(at_once.max(1)) {
        let replaced = ctx.try_join_all(batch.iter().map(|node| replace::call(&ctx, node.clone()))).await?;
        upgraded.extend(replaced);
        ctx.set_custom_status(&(upgraded.len(), nodes.len()))?;
    }
    Ok(upgraded)
}

#[orchestrator]
async fn scale(ctx: OrchestrationContext, cluster: String, nodes: Vec<NodeId>, wanted: usize) -> Fallible<Vec<NodeId>> {
    let mut nodes = nodes;
    while nodes.len() < wanted {
        nodes.push(create::call(&ctx, format!("{cluster}-{}", nodes.len()), Size::Large).await?);
    }
    for surplus in nodes.split_off(wanted) {
        destroy::call(&ctx, surplus).await?;
    }
    Ok(nodes)
}

#[orchestrator]
async fn lease(ctx: OrchestrationContext, name: String, hours: u64) -> Fallible<()> {
    let node = create::call(&ctx, name, Size::Small).await?;
    let labelled = label::call(&ctx, node.clone(), "until".into(), {
        let end = ctx.current_time() + std::time::Duration::from_secs(hours * 3600);
        end.to_rfc3339()
    });
    labelled.await?;
    ctx.create_timer(std::time::Duration::from_secs(hours * 3600)).await;
    Ok(destroy::call(&ctx, node).await?)
}

/// Steps of a machine, as a state machine.
enum State {
    Missing,
    Starting(NodeId, u8),
    Up(NodeId),
}

#[orchestrator]
async fn machine(ctx: OrchestrationContext, name: String) -> Fallible<NodeId> {
    let mut state = State::Missing;
    let node = loop {
        state = match state {
            State::Missing => State::Starting(create::call(&ctx, name.clone(), Size::Large).await?, 0),
            State::Starting(node, 5) => {
                destroy::call(&ctx, node).await?;
                State::Missing
            }
            State::Starting(node, tries) => {
                if ready::call(&ctx, node.clone()).await? { State::Up(node) } else { State::Starting(node, tries + 1) }
            }
            State::Up(node) => break node,
        };
    };
    Ok(node)
}

#[orchestrator]
async fn labels(ctx: OrchestrationContext, node: NodeId, pairs: Vec<(String, String)>) -> Fallible<usize> {
    let count = pairs.len();
    let mut pending: Vec<_> =
        pairs.into_iter().map(|(key, value)| label::call(&ctx, node.clone(), key, value).schedule()).collect();
    while let Some(call) = pending.pop() {
        call.await?;
    }
    Ok(count)
}

#[orchestrator]
async fn environment(ctx: OrchestrationContext, name: String, dry: bool) -> Fallible<Vec<NodeId>> {
    let plan = Plan { cluster: name, nodes: 2, size: Size::Small, zone: dry.then(|| "test".to_owned()) };
    let id = persevere::InstanceId::new(format!("cluster-{}", plan.cluster))?;
    let created = create_cluster::call(&ctx, plan.clone()).instance_id(id).await?;
    if dry {
        delete_cluster::call(&ctx, created).await?;
        return Ok(Vec::new());
    }
    Ok(created)
}

fn main() {
    let _ = cloud::Cloud;
}
