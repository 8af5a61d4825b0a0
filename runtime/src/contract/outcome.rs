//! The return types of annotated functions.

/// The return type of an orchestrator or an activity: a `Result`, even if it is imported under another name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Result`, which is what an orchestrator or an activity returns",
    label = "must be a `Result`",
    note = "write `Result<{Self}, OrchestrationError>` for an orchestrator, or `Result<{Self}, ActivityError>` for an activity"
)]
pub trait Outcome {
    /// The type on success.
    type Ok;
    /// The type on failure.
    type Err;
    #[doc(hidden)]
    fn __into_result(self) -> Result<Self::Ok, Self::Err>;
}

#[diagnostic::do_not_recommend]
impl<T, E> Outcome for Result<T, E> {
    type Ok = T;
    type Err = E;

    fn __into_result(self) -> Self {
        self
    }
}
