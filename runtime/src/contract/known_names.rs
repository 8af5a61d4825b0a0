//! What a name in an orchestrator's body is, asked at compile time: a macro sees that `fs::read` or `Instant::now` is
//! written there, and not whether that is the standard library's or the user's own.
//!
//! Nothing here exists at run time. Generated code reads constants and refuses the name, or does nothing.

use std::marker::PhantomData;

/// Asks of a type whether it is one whose functions a replay does not repeat: `Known::<Instant>::IS_HAZARD`.
#[derive(Debug)]
pub struct Known<T>(PhantomData<T>);

/// The answer for every other type. A constant of the type itself comes first.
pub trait Unknown {
    /// Whether it is a known one.
    const IS_HAZARD: bool = false;
}

impl<T> Unknown for Known<T> {}

macro_rules! known {
    ($($type:ty),* $(,)?) => {$(
        impl Known<$type> {
            /// It is a known one.
            pub const IS_HAZARD: bool = true;
        }
    )*};
}

known! {
    std::time::Instant, std::time::SystemTime, tokio::time::Instant, chrono::Utc, chrono::Local, uuid::Uuid,
    std::fs::File, std::fs::OpenOptions, std::process::Command, std::sync::Condvar,
    std::net::TcpStream, std::net::TcpListener, std::net::UdpSocket,
    tokio::sync::Notify, tokio::sync::Semaphore, tokio::sync::Barrier,
}

/// Asks of a module whether it holds an item: below a glob import of the module, which hides that of [`absent`],
/// `Holds::<ReadDir>::ITEM`.
#[derive(Debug)]
pub struct Holds<T>(PhantomData<T>);

/// The answer for every type but [`Absent`].
pub trait Present {
    /// Whether the item is there.
    const ITEM: bool = true;
}

impl<T> Present for Holds<T> {}

impl Holds<Absent> {
    /// The item is not there.
    pub const ITEM: bool = false;
}

/// Stands for an item that a module does not hold.
#[derive(Debug)]
pub enum Absent {}

/// One name for each item by which a module is told from one of the user's own.
pub mod absent {
    pub use super::Absent as AbortHandle;
    pub use super::Absent as ChildStdin;
    pub use super::Absent as LocalSet;
    pub use super::Absent as MissedTickBehavior;
    pub use super::Absent as Pipeline;
    pub use super::Absent as ReadDir;
    pub use super::Absent as ThreadId;
    pub use super::Absent as VarError;

    /// Where a crate keeps the item.
    pub mod rngs {
        pub use super::super::Absent as ThreadRng;
    }
}

/// Fails the evaluation of a constant, at its own place, if the name is the hazard.
#[track_caller]
pub const fn refuse(is_meant: bool, text: &'static str) {
    assert!(!is_meant, "{}", text);
}
