//! Answers at compile time what a name in an orchestrator's body is. A macro sees that `fs::read` or `Instant::now` is
//! written there, but not whether it is the standard library's item or the user's own.
//!
//! Nothing here exists at run time. Generated code reads constants and refuses the name, or does nothing.

use std::marker::PhantomData;

/// Answers whether a type has functions that a replay would not repeat: `Known::<Instant>::IS_HAZARD`.
#[derive(Debug)]
pub struct Known<T>(PhantomData<T>);

/// The answer for all other types. A constant of the type itself takes precedence.
pub trait Unknown {
    /// Whether it is a known type.
    const IS_HAZARD: bool = false;
}

impl<T> Unknown for Known<T> {}

macro_rules! known {
    ($($type:ty),* $(,)?) => {$(
        impl Known<$type> {
            /// It is a known type.
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

/// Answers whether a module has an item. A glob import of the module hides the item of the same name in [`absent`];
/// `Holds::<ReadDir>::ITEM` then tells which of the two it is.
#[derive(Debug)]
pub struct Holds<T>(PhantomData<T>);

/// The answer for every type except [`Absent`].
pub trait Present {
    /// Whether the module has the item.
    const ITEM: bool = true;
}

impl<T> Present for Holds<T> {}

impl Holds<Absent> {
    /// The module does not have the item.
    pub const ITEM: bool = false;
}

/// Stands for an item that a module does not have.
#[derive(Debug)]
pub enum Absent {}

/// One name for each item that distinguishes a known module from a module of the user's own.
pub mod absent {
    pub use super::Absent as AbortHandle;
    pub use super::Absent as ChildStdin;
    pub use super::Absent as LocalSet;
    pub use super::Absent as MissedTickBehavior;
    pub use super::Absent as Pipeline;
    pub use super::Absent as ReadDir;
    pub use super::Absent as ThreadId;
    pub use super::Absent as VarError;

    /// The path of the item in its crate.
    pub mod rngs {
        pub use super::super::Absent as ThreadRng;
    }
}

/// Fails the evaluation of a constant, at its own place in the source, if the name is the hazard.
#[track_caller]
pub const fn refuse(is_meant: bool, text: &'static str) {
    assert!(!is_meant, "{}", text);
}
