//! The guard of every entry: panics become errors, and the floating-point environment stays the caller's.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ufc::fpenv::DefaultEnv;

use crate::error::{Failure, ufc_status};

/// Runs the body of an entry in the default floating-point environment. A failure or panic becomes the calling
/// thread's last error and the status that is returned.
pub(crate) fn entry(body: impl FnOnce() -> Result<(), Failure>) -> ufc_status {
    let _env = DefaultEnv::enter();
    guarded(body)
}

/// As [`entry`], in the environment as it is.
#[inline]
pub(crate) fn guarded(body: impl FnOnce() -> Result<(), Failure>) -> ufc_status {
    // What a body changes before it panics is either behind a lock that forgives poisoning, or the caller's memory.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => ufc_status::UFC_OK,
        Ok(Err(failure)) => failure.record(),
        Err(payload) => failure_of(payload).record(),
    }
}

/// As [`entry`], for the few functions that give a value and cannot fail: a panic gives `otherwise`.
pub(crate) fn value_entry<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(payload) => {
            failure_of(payload).record();
            otherwise
        }
    }
}

fn failure_of(payload: Box<dyn Any + Send>) -> Failure {
    let text = match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => (*text).to_string(),
        (None, Some(text)) => text.clone(),
        (None, None) => "no message".to_string(),
    };
    // Dropping a payload runs code of whoever made it, which may panic again.
    std::mem::forget(payload);
    let message = format!("this is a bug in ufc: {text}");
    Failure::new(ufc_status::UFC_ERROR_PANIC, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{last_code, last_message};

    #[test]
    fn panics_become_errors() {
        let number = 7;
        let status = entry(|| panic!("odd number {number}"));
        assert_eq!(status, ufc_status::UFC_ERROR_PANIC);
        assert_eq!(last_code(), ufc_status::UFC_ERROR_PANIC);
        assert_eq!(last_message(), "this is a bug in ufc: odd number 7");
        assert_eq!(value_entry(3, || panic!("static")), 3);
        assert_eq!(last_message(), "this is a bug in ufc: static");
        let status = entry(|| std::panic::panic_any(5u8));
        assert_eq!(status, ufc_status::UFC_ERROR_PANIC);
        assert_eq!(entry(|| Ok(())), ufc_status::UFC_OK);
        assert_eq!(last_message(), "this is a bug in ufc: no message");
    }
}
