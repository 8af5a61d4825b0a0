//! What the macros leave behind for the registry: names, places in the source, and handlers without types.

use std::any::{TypeId, type_name};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use crate::context::{ActivityContext, Context};
use crate::contract::ExternalEvent;
use crate::model::SourceLocation;
use crate::model::failure::FailureDetails;
use crate::model::json::{DecodeError, JsonText};

/// The root future of an orchestrator, without its types.
pub type BoxedOrchestration = Pin<Box<dyn Future<Output = Result<JsonText, FailureDetails>> + Send + 'static>>;

/// The future of an activity, without its types.
pub type BoxedActivity = Pin<Box<dyn Future<Output = Result<JsonText, FailureDetails>> + Send + 'static>>;

/// Makes the root future of an orchestrator. `Err`: the stored input is not what the code expects.
pub type OrchestratorHandler = fn(Context, &JsonText) -> Result<BoxedOrchestration, FailureDetails>;

/// Makes the future of an activity, which decodes the input itself.
pub type ActivityHandler = fn(ActivityContext, JsonText) -> BoxedActivity;

/// The type of which activities are methods.
#[derive(Debug, Clone, Copy)]
pub struct ServiceType {
    /// Its identity.
    pub id: fn() -> TypeId,
    /// Its name, as the compiler writes it.
    pub name: fn() -> &'static str,
}

impl ServiceType {
    /// Of a type.
    pub const fn of<T: 'static>() -> Self {
        Self { id: TypeId::of::<T>, name: type_name::<T> }
    }
}

/// A `path::call(` or `path::wait(` in the body of an orchestrator, by its text only: the last word before `::`, the line
/// and the column, from 1, with colons between them.
pub type CallSite = &'static str;

/// Says whether a stored value is one of a type. The error names the place.
pub type PayloadCheck = fn(&JsonText) -> Result<(), DecodeError>;

/// An event that the macro has seen.
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

/// An orchestrator that the macro has seen.
#[derive(Debug, Clone, Copy)]
pub struct OrchestratorRegistration {
    /// Its recorded name.
    pub name: &'static str,
    /// Its version, empty if it declares none.
    pub version: &'static str,
    /// The last word of its type.
    pub marker: &'static str,
    /// Where it stands.
    pub location: SourceLocation,
    /// Makes its root future.
    pub handler: OrchestratorHandler,
    /// The calls in its body, and the waits for events.
    pub calls: &'static [CallSite],
    /// The events in its `events(..)`; `None`: it accepts every event.
    pub events: Option<&'static [EventRegistration]>,
    /// Whether a value is an input that it takes.
    pub check_input: PayloadCheck,
}

/// An activity that the macro has seen.
#[derive(Debug, Clone, Copy)]
pub struct ActivityRegistration {
    /// Its recorded name.
    pub name: &'static str,
    /// The last word of its type.
    pub marker: &'static str,
    /// Where it stands.
    pub location: SourceLocation,
    /// Makes its future.
    pub handler: ActivityHandler,
    /// The type of which it is a method.
    pub service: Option<ServiceType>,
}

/// An orchestrator or an activity, ready to be registered.
#[derive(Debug, Clone, Copy)]
pub enum Registration {
    /// An orchestrator.
    Orchestrator(OrchestratorRegistration),
    /// An activity.
    Activity(ActivityRegistration),
}

/// What can stand in `registry![..]`. `Kind` tells the two apart, and is always found.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither an orchestrator nor an activity",
    label = "cannot be registered",
    note = "write `#[orchestrator]` or `#[activity]` above the function"
)]
pub trait Registered<Kind> {
    #[doc(hidden)]
    const REGISTRATION: Registration;
}

/// The kind of activities.
#[doc(hidden)]
#[derive(Debug)]
pub enum AsActivity {}

/// The kind of orchestrators.
#[doc(hidden)]
#[derive(Debug)]
pub enum AsOrchestrator {}

/// What `registry![..]` makes of a name.
pub const fn registration<T: Registered<Kind>, Kind>() -> Registration {
    T::REGISTRATION
}

/// Everything that is linked into the program, as far as it has been added.
static LINKED: Mutex<Vec<Registration>> = Mutex::new(Vec::new());

/// Adds an orchestrator or an activity. Generated code has the loader call it, before `main`.
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

/// Everything that is linked into the program, in the order of the linker.
pub(crate) fn linked() -> Vec<Registration> {
    LINKED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
