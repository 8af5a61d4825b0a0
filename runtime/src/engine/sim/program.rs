//! Random programs: orchestrators whose code is their input, so that a property test can generate them.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::code::{Blue, Echo, Fail, Green, Program as Marker, Red, Returned, Unknown, again, call, child, code};
use crate::context::{Block, Durable, block};
use crate::contract::RetryPolicy;
use crate::model::{InstanceId, JsonText, ParentClosePolicy};
use crate::{OrchestrationContext, SubOrchestrationCall};

/// What a program does, then how it ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
}

/// One thing that a program does. Each gives a value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    Call(u8),
    CallFails,
    /// A call that fails in so many attempts, with waits of so many microseconds between them.
    CallRetried(u8, u32),
    /// No code has that name.
    CallUnknown,
    Timer(u32),
    WaitEvent(u8),
    Seq(Vec<Step>),
    Join(Vec<Step>),
    JoinLimit(usize, Vec<Step>),
    Select(Box<Step>, Box<Step>),
    Timeout(u32, Box<Step>),
    /// A call is issued first and awaited after the step.
    Meanwhile(Box<Step>),
    /// A call is issued and its future dropped after the step.
    IssueAndDrop(Box<Step>),
    SideEffect,
    Patched(u8),
    Status(Option<u8>),
    /// A call whose input is the custom status: what the getter says becomes an action.
    CallWithStatus,
    SendSelf(u8),
    SendTo(u8, u8),
    Child(Box<Program>),
    /// With an id that may be in use.
    ChildNamed(u8, Box<Program>),
    /// A sub-orchestration whose future is dropped after the step.
    ChildAndDrop(Box<Program>, Box<Step>),
    /// The same, and the sub-orchestration goes on.
    ChildAndDetach(Box<Program>),
    /// With the other policy.
    ChildAbandoned(u32, Box<Program>),
    Terminate(u8),
    Detached(Box<Program>),
    Time,
    Random,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum End {
    Ok,
    Err,
    Panic,
    /// The same steps again so many times, then Ok.
    Again(u8),
}

thread_local! {
    /// What side effects give. Whoever drives a turn sets it, so that a closure that runs again is seen.
    pub(crate) static OUTSIDE: Cell<u64> = const { Cell::new(0) };
}

/// The instances that programs send events to.
pub(crate) const NAMES: [&str; 4] = ["i0", "i1", "i2", "i3"];
pub(crate) const EVENTS: [&str; 3] = ["red", "green", "blue"];

code! {
    fn interpret(ctx, input) {
        let program: Program = serde_json::from_value(input)?;
        let mut outputs = Vec::new();
        for (place, step) in program.steps.iter().enumerate() {
            outputs.push(run(&ctx, step, place as u32 + 1).await);
        }
        finish(&ctx, program, outputs).await
    }
}

async fn finish(ctx: &OrchestrationContext<Value>, program: Program, outputs: Vec<Value>) -> Returned {
    match program.end {
        End::Ok | End::Again(0) => Ok(Value::Array(outputs)),
        End::Err => Err("the program says so".into()),
        End::Panic => panic!("the program says so"),
        End::Again(times) => {
            let next = Program { steps: program.steps, end: End::Again(times - 1) };
            again::<Marker>(ctx, next).await
        }
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Value> + Send + 'a>>;

fn branches<'a>(ctx: &'a OrchestrationContext<Value>, steps: &'a [Step], salt: u32) -> Vec<Block<Running<'a>>> {
    steps.iter().map(|step| block(run(ctx, step, salt))).collect()
}

fn run<'a>(ctx: &'a OrchestrationContext<Value>, step: &'a Step, salt: u32) -> Running<'a> {
    Box::pin(async move {
        match step {
            Step::Call(value) => call::<Echo>(ctx, value).await.unwrap(),
            Step::CallFails => json!(call::<Fail>(ctx, salt).await.unwrap_err().to_string()),
            Step::CallRetried(attempts, micros) => {
                let wait = Duration::from_micros((*micros).into());
                let policy = RetryPolicy::attempts((*attempts).into()).first_interval(wait);
                json!(call::<Fail>(ctx, salt).retry(policy).await.unwrap_err().to_string())
            }
            Step::CallUnknown => json!(call::<Unknown>(ctx, salt).await.unwrap_err().to_string()),
            Step::Timer(micros) => {
                ctx.create_timer(Duration::from_micros((*micros).into())).await;
                json!("timer")
            }
            Step::WaitEvent(event) => {
                let name = EVENTS[usize::from(*event) % 3];
                ctx.wait_for_external_event::<Value>(name).await.unwrap()
            }
            Step::Seq(steps) => {
                let mut outputs = Vec::new();
                for step in steps {
                    outputs.push(run(ctx, step, salt).await);
                }
                Value::Array(outputs)
            }
            Step::Join(steps) => Value::Array(ctx.join_all(branches(ctx, steps, salt)).await),
            Step::JoinLimit(limit, steps) => Value::Array(ctx.join_all_limit(*limit, branches(ctx, steps, salt)).await),
            Step::Select(first, second) => {
                let (first, second) = (block(run(ctx, first, salt)), block(run(ctx, second, salt)));
                crate::select! {
                    value = first => json!({ "first": value }),
                    value = second => json!({ "second": value }),
                }
            }
            Step::Timeout(micros, step) => {
                let inner = block(run(ctx, step, salt)).timeout(ctx, Duration::from_micros((*micros).into()));
                inner.await.unwrap_or_else(|_| json!("timed out"))
            }
            _ => at_once(ctx, step, salt).await,
        }
    })
}

async fn at_once(ctx: &OrchestrationContext<Value>, step: &Step, salt: u32) -> Value {
    match step {
        Step::Meanwhile(step) => {
            let issued = call::<Echo>(ctx, salt).schedule();
            let value = run(ctx, step, salt).await;
            json!([value, issued.await.unwrap()])
        }
        Step::IssueAndDrop(step) => {
            let issued = call::<Echo>(ctx, salt).schedule();
            let value = run(ctx, step, salt).await;
            drop(issued);
            value
        }
        Step::SideEffect => {
            let value = ctx.side_effect(|| OUTSIDE.replace(OUTSIDE.get() + 1));
            call::<Echo>(ctx, value).await.unwrap()
        }
        Step::Patched(id) => json!(ctx.patched(&format!("change {id}"))),
        Step::Status(status) => {
            match status {
                Some(value) => ctx.set_custom_status(&json!(value)).unwrap(),
                None => ctx.clear_custom_status(),
            }
            Value::Null
        }
        Step::CallWithStatus => call::<Echo>(ctx, ctx.custom_status()).await.unwrap(),
        Step::SendSelf(event) => send(ctx, &ctx.instance_id().clone(), *event, salt),
        Step::SendTo(name, event) => {
            let target = InstanceId::new(NAMES[usize::from(*name) % NAMES.len()]).unwrap();
            send(ctx, &target, *event, salt)
        }
        Step::Time => call::<Echo>(ctx, ctx.current_time()).await.unwrap(),
        Step::Random => json!([ctx.random(), ctx.new_uuid()]),
        _ => with_others(ctx, step, salt).await,
    }
}

/// Starts and ends other instances.
async fn with_others(ctx: &OrchestrationContext<Value>, step: &Step, salt: u32) -> Value {
    match step {
        Step::Child(program) => child::<Marker>(ctx, program).await.unwrap_or_else(|error| json!(error.to_string())),
        Step::ChildNamed(name, program) => {
            let named = InstanceId::new(NAMES[usize::from(*name) % NAMES.len()]).unwrap();
            let called = child::<Marker>(ctx, program).instance_id(named).await;
            called.unwrap_or_else(|error| json!(error.to_string()))
        }
        Step::ChildAndDrop(program, step) => {
            let started: SubOrchestrationCall<Marker> = child(ctx, program).schedule();
            let value = run(ctx, step, salt).await;
            drop(started);
            value
        }
        Step::ChildAndDetach(program) => {
            let started: SubOrchestrationCall<Marker> = child(ctx, program).schedule();
            let value = call::<Echo>(ctx, salt).await.unwrap();
            started.detach().unwrap();
            value
        }
        Step::ChildAbandoned(micros, program) => {
            let called = child::<Marker>(ctx, program).parent_close_policy(ParentClosePolicy::Abandon);
            let within = Duration::from_micros((*micros).into());
            called
                .timeout(ctx, within)
                .await
                .map_or(json!("timed out"), |result| result.unwrap_or_else(|error| json!(error.to_string())))
        }
        Step::Terminate(name) => {
            let target = InstanceId::new(NAMES[usize::from(*name) % NAMES.len()]).unwrap();
            ctx.terminate(&target, "a program says so").unwrap();
            Value::Null
        }
        Step::Detached(program) => {
            crate::context::start_detached::<Marker>(ctx, JsonText::encode(program)).unwrap();
            Value::Null
        }
        _ => unreachable!("waits"),
    }
}

fn send(ctx: &OrchestrationContext<Value>, target: &InstanceId, event: u8, salt: u32) -> Value {
    let payload = json!(["sent", ctx.execution_id(), salt]);
    match event % 3 {
        0 => ctx.send_event(target, &Red(payload)),
        1 => ctx.send_event(target, &Green(payload)),
        _ => ctx.send_event(target, &Blue(payload)),
    }
    .unwrap();
    Value::Null
}

/// What programs may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Alphabet {
    /// One instance by itself.
    Alone,
    /// With other instances.
    Together,
}

pub(crate) fn programs(alphabet: Alphabet) -> BoxedStrategy<Program> {
    let leafless = program_of(steps(alphabet, None)).boxed();
    match alphabet {
        Alphabet::Alone => leafless,
        Alphabet::Together => program_of(steps(alphabet, Some(leafless))).boxed(),
    }
}

fn program_of(step: impl Strategy<Value = Step>) -> impl Strategy<Value = Program> {
    let end = prop_oneof![4 => Just(End::Ok), 1 => Just(End::Err), 1 => Just(End::Panic), 2 => (1..3_u8).prop_map(End::Again)];
    (prop::collection::vec(step, 1..5), end).prop_map(|(steps, end)| Program { steps, end })
}

fn steps(alphabet: Alphabet, child: Option<BoxedStrategy<Program>>) -> impl Strategy<Value = Step> {
    let own = prop_oneof![
        4 => any::<u8>().prop_map(Step::Call),
        1 => Just(Step::CallFails),
        1 => (0..4_u8, 0..100_u32).prop_map(|(attempts, micros)| Step::CallRetried(attempts, micros)),
        1 => Just(Step::CallUnknown),
        3 => (0..400_u32).prop_map(Step::Timer),
        3 => (0..3_u8).prop_map(Step::WaitEvent),
        2 => Just(Step::SideEffect),
        2 => (0..2_u8).prop_map(Step::Patched),
        2 => prop::option::of(0..4_u8).prop_map(Step::Status),
        2 => Just(Step::CallWithStatus),
        1 => (0..3_u8).prop_map(Step::SendSelf),
        1 => Just(Step::Time),
        1 => Just(Step::Random),
    ]
    .boxed();
    let leaf = match (alphabet, child) {
        (Alphabet::Alone, _) => own,
        (Alphabet::Together, None) => prop_oneof![
            6 => own,
            1 => (0..4_u8, 0..3_u8).prop_map(|(name, event)| Step::SendTo(name, event)),
        ]
        .boxed(),
        (Alphabet::Together, Some(program)) => {
            let boxed = || program.clone().prop_map(Box::new);
            prop_oneof![
                6 => own,
                1 => (0..4_u8, 0..3_u8).prop_map(|(name, event)| Step::SendTo(name, event)),
                1 => boxed().prop_map(Step::Child),
                1 => (0..4_u8, boxed()).prop_map(|(name, program)| Step::ChildNamed(name, program)),
                1 => boxed().prop_map(Step::Detached),
                1 => boxed().prop_map(|child| Step::ChildAndDrop(child, Box::new(Step::Call(1)))),
                1 => boxed().prop_map(Step::ChildAndDetach),
                1 => (0..400_u32, boxed()).prop_map(|(micros, child)| Step::ChildAbandoned(micros, child)),
                1 => (0..4_u8).prop_map(Step::Terminate),
            ]
            .boxed()
        }
    };
    leaf.prop_recursive(3, 16, 3, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let many = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            many().prop_map(Step::Seq),
            many().prop_map(Step::Join),
            (1..3_usize, many()).prop_map(|(limit, steps)| Step::JoinLimit(limit, steps)),
            (boxed(), boxed()).prop_map(|(a, b)| Step::Select(a, b)),
            (0..400_u32, boxed()).prop_map(|(micros, step)| Step::Timeout(micros, step)),
            boxed().prop_map(Step::Meanwhile),
            boxed().prop_map(Step::IssueAndDrop),
        ]
    })
}
