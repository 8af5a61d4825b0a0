//! What the application panicked with: its message, and a drop of it that cannot panic.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Returns the message of a panic, and drops what the application panicked with. If that panics again, it goes no further.
pub(crate) fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let payload = match payload.downcast::<String>() {
        Ok(text) => return *text,
        Err(payload) => payload,
    };
    let text = payload.downcast_ref::<&'static str>().map(|text| (*text).to_owned());
    drop_payload(payload);
    text.unwrap_or_else(|| "(no message)".to_owned())
}

fn drop_payload(mut payload: Box<dyn Any + Send>) {
    // A payload that panics when it is dropped may do so with another one of its kind.
    for _ in 0..16 {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    std::mem::forget(payload);
}
