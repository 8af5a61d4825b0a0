//! What the macros generate for the registry: names, places in the source, and handlers with their types erased.

use std::any::{TypeId, type_name};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use crate::context::{ActivityContext, Context};
use crate::contract::{ActivityFailure, ExternalEvent, Undecodable};
use crate::model::SourceLocation;
use crate::model::failure::FailureDetails;
use crate::model::json::{DecodeError, JsonText};

/// The root future of an orchestrator, with its types erased.
pub type BoxedOrchestration = Pin<Box<dyn Future<Output = Result<JsonText, FailureDetails>> + Send + 'static>>;

/// The future of an activity, with its types erased.
pub type BoxedActivity = Pin<Box<dyn Future<Output = Result<JsonText, ActivityFailure>> + Send + 'static>>;

/// Creates the root future of an orchestrator. Returns an error if the stored input cannot be decoded as the type that
/// the code expects.
pub type OrchestratorHandler = fn(Context, &JsonText) -> Result<BoxedOrchestration, DecodeError>;

/// Creates the future of an activity, which decodes the input itself.
pub type ActivityHandler = fn(ActivityContext, JsonText) -> BoxedActivity;

/// The type whose methods are activities.
#[derive(Debug, Clone, Copy)]
pub struct ServiceType {
    /// Returns the identity of the type.
    pub id: fn() -> TypeId,
    /// Returns the name of the type, as the compiler writes it.
    pub name: fn() -> &'static str,
}

impl ServiceType {
    /// Describes the type `T`.
    pub const fn of<T: 'static>() -> Self {
        Self { id: TypeId::of::<T>, name: type_name::<T> }
    }
}

/// A `path::call(` or `path::wait(` in the body of an orchestrator, by its text only: the last word before `::`, the line
/// and the column, from 1, with colons between them.
pub type CallSite = &'static str;

/// Checks whether a stored value can be decoded as a type. The error says where it cannot.
pub type PayloadCheck = fn(&JsonText) -> Result<(), DecodeError>;

/// An event, as the macro describes it.
#[derive(Debug, Clone, Copy)]
pub struct EventRegistration {
    /// The name under which it is raised. Names are compared without regard to ASCII case.
    pub name: &'static str,
    /// Its type, as the compiler writes it.
    pub type_name: fn() -> &'static str,
    /// Whether a value is one of its type.
    pub check: PayloadCheck,
    /// Where it stands, if the macro has seen it.
    pub location: Option<SourceLocation>,
}

impl EventRegistration {
    /// Of an event.
    pub const fn of<E: ExternalEvent>() -> Self {
        Self { name: E::NAME, type_name: type_name::<E>, check: E::__check, location: E::__LOCATION }
    }
}

/// An orchestrator, as the macro describes it.
#[derive(Debug, Clone, Copy)]
pub struct OrchestratorRegistration {
    /// The name under which its instances are recorded.
    pub name: &'static str,
    /// The version, or an empty string if the orchestrator declares none.
    pub version: &'static str,
    /// The last word of the path of its type.
    pub marker: &'static str,
    /// The place of the function in the source.
    pub location: SourceLocation,
    /// Creates the root future.
    pub handler: OrchestratorHandler,
    /// The calls in its body, and the waits for events.
    pub calls: &'static [CallSite],
    /// The events in its `events(..)`; `None`: it accepts every event.
    pub events: Option<&'static [EventRegistration]>,
    /// Whether a value is an input that it takes.
    pub check_input: PayloadCheck,
}

/// An activity, as the macro describes it.
#[derive(Debug, Clone, Copy)]
pub struct ActivityRegistration {
    /// The name under which its calls are recorded.
    pub name: &'static str,
    /// The last word of the path of its type.
    pub marker: &'static str,
    /// The place of the function in the source.
    pub location: SourceLocation,
    /// Creates the future of the activity.
    pub handler: ActivityHandler,
    /// Whether a value is an input that it takes.
    pub check_input: PayloadCheck,
    /// The type whose method the activity is, if it is one.
    pub service: Option<ServiceType>,
    /// How many runs there may be at a time in one process, if the attribute says so.
    pub concurrency: Option<usize>,
}

impl ActivityRegistration {
    /// Describes a stored input that the activity cannot decode.
    pub(crate) fn undecodable_input(&self, error: DecodeError) -> Undecodable {
        undecodable_input(self.name, self.location, error)
    }
}

pub(super) fn undecodable_input(activity: &str, location: SourceLocation, error: DecodeError) -> Undecodable {
    Undecodable::new(format!("the input of activity `{activity}` (at {location})"), error)
}

/// An orchestrator or an activity that can be registered.
#[derive(Debug, Clone, Copy)]
pub enum Registration {
    /// An orchestrator.
    Orchestrator(OrchestratorRegistration),
    /// An activity.
    Activity(ActivityRegistration),
}

/// An item that `registry![..]` accepts. `Kind` distinguishes orchestrators from activities and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither an orchestrator nor an activity",
    label = "cannot be registered",
    note = "write `#[orchestrator]` or `#[activity]` above the function"
)]
pub trait Registered<Kind> {
    #[doc(hidden)]
    const REGISTRATION: Registration;
}

/// Stands for activities in the parameter `Kind`.
#[doc(hidden)]
#[derive(Debug)]
pub enum AsActivity {}

/// Stands for orchestrators in the parameter `Kind`.
#[doc(hidden)]
#[derive(Debug)]
pub enum AsOrchestrator {}

/// Converts an item of `registry![..]` to its registration.
pub const fn registration<T: Registered<Kind>, Kind>() -> Registration {
    T::REGISTRATION
}

/// All orchestrators and activities that are linked into the program and have been added so far.
static LINKED: Mutex<Vec<Registration>> = Mutex::new(Vec::new());

/// Adds an orchestrator or an activity. In generated code, the loader calls this function before `main`.
pub extern "C" fn link<T: Registered<Kind>, Kind>() {
    LINKED.lock().unwrap_or_else(PoisonError::into_inner).push(T::REGISTRATION);
}

/// Every event that is linked into the program, as far as it has been added.
static LINKED_EVENTS: Mutex<Vec<EventRegistration>> = Mutex::new(Vec::new());

/// Adds an event. Generated code has the loader call it, before `main`.
pub extern "C" fn link_event<E: ExternalEvent>() {
    LINKED_EVENTS.lock().unwrap_or_else(PoisonError::into_inner).push(EventRegistration::of::<E>());
}

/// Every event that is linked into the program, in the order of the linker.
pub(crate) fn linked_events() -> Vec<EventRegistration> {
    LINKED_EVENTS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Returns everything that is linked into the program, in the order of the linker.
pub(crate) fn linked() -> Vec<Registration> {
    LINKED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
