//! Status codes, and the last error of each thread.
#![expect(unsafe_code, reason = "entries are exported by name")]

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};

use ufc::array::ArrayError;
use ufc::{BackendError, Error};

use crate::panic::value_entry;

/// What a function returns. `ufc_last_error_message` has the words.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ufc_status {
    /// Done.
    UFC_OK = 0,
    /// A pointer or handle that is needed is NULL.
    UFC_ERROR_NULL = 1,
    /// A handle is not one: freed before, of another kind, or never given out.
    UFC_ERROR_HANDLE = 2,
    /// The `struct_size` of a struct is not one that this library knows.
    UFC_ERROR_STRUCT_SIZE = 3,
    /// An argument has a value that it must not have.
    UFC_ERROR_ARGUMENT = 4,
    /// Text is not UTF-8.
    UFC_ERROR_UTF8 = 5,
    /// The kernel text has mistakes; the diagnostics list them.
    UFC_ERROR_SOURCE = 6,
    /// The bytes are not those of a module.
    UFC_ERROR_BYTES = 7,
    /// There is no such kernel.
    UFC_ERROR_NO_KERNEL = 8,
    /// A dtype is unknown, or the kernel has no loop for it, or the casting rule does not allow what it would take.
    UFC_ERROR_DTYPE = 9,
    /// Shapes or strides do not fit each other or the kernel, or are too large.
    UFC_ERROR_SHAPE = 10,
    /// The wrong number of inputs or outputs.
    UFC_ERROR_COUNT = 11,
    /// There is not enough memory.
    UFC_ERROR_MEMORY = 12,
    /// There is no such target, or it is not there.
    UFC_ERROR_TARGET = 13,
    /// The target or this function cannot do that.
    UFC_ERROR_UNSUPPORTED = 14,
    /// Running a loop failed; the outputs are partly written.
    UFC_ERROR_LAUNCH = 15,
    /// The call was cancelled; the outputs are partly written.
    UFC_ERROR_CANCELLED = 16,
    /// A file could not be read.
    UFC_ERROR_IO = 17,
    /// The program was compiled for another version of this interface.
    UFC_ERROR_ABI = 18,
    /// A mistake in ufc, found by its own checks.
    UFC_ERROR_INTERNAL = 19,
    /// A mistake in ufc that its own checks did not find.
    UFC_ERROR_PANIC = 20,
}

use ufc_status::*;

/// Every status with its name as text.
const STATUSES: &[(ufc_status, &CStr)] = &[
    (UFC_OK, c"UFC_OK"),
    (UFC_ERROR_NULL, c"UFC_ERROR_NULL"),
    (UFC_ERROR_HANDLE, c"UFC_ERROR_HANDLE"),
    (UFC_ERROR_STRUCT_SIZE, c"UFC_ERROR_STRUCT_SIZE"),
    (UFC_ERROR_ARGUMENT, c"UFC_ERROR_ARGUMENT"),
    (UFC_ERROR_UTF8, c"UFC_ERROR_UTF8"),
    (UFC_ERROR_SOURCE, c"UFC_ERROR_SOURCE"),
    (UFC_ERROR_BYTES, c"UFC_ERROR_BYTES"),
    (UFC_ERROR_NO_KERNEL, c"UFC_ERROR_NO_KERNEL"),
    (UFC_ERROR_DTYPE, c"UFC_ERROR_DTYPE"),
    (UFC_ERROR_SHAPE, c"UFC_ERROR_SHAPE"),
    (UFC_ERROR_COUNT, c"UFC_ERROR_COUNT"),
    (UFC_ERROR_MEMORY, c"UFC_ERROR_MEMORY"),
    (UFC_ERROR_TARGET, c"UFC_ERROR_TARGET"),
    (UFC_ERROR_UNSUPPORTED, c"UFC_ERROR_UNSUPPORTED"),
    (UFC_ERROR_LAUNCH, c"UFC_ERROR_LAUNCH"),
    (UFC_ERROR_CANCELLED, c"UFC_ERROR_CANCELLED"),
    (UFC_ERROR_IO, c"UFC_ERROR_IO"),
    (UFC_ERROR_ABI, c"UFC_ERROR_ABI"),
    (UFC_ERROR_INTERNAL, c"UFC_ERROR_INTERNAL"),
    (UFC_ERROR_PANIC, c"UFC_ERROR_PANIC"),
];

/// Why an entry failed.
#[derive(Debug)]
pub(crate) struct Failure {
    status: ufc_status,
    message: String,
}

impl Failure {
    pub(crate) fn new(status: ufc_status, message: impl Into<String>) -> Failure {
        Failure {
            status,
            message: message.into(),
        }
    }

    /// A pointer that is needed is NULL.
    pub(crate) fn null(what: &str) -> Failure {
        Failure::new(UFC_ERROR_NULL, format!("`{what}` is NULL"))
    }

    pub(crate) fn argument(message: impl Into<String>) -> Failure {
        Failure::new(UFC_ERROR_ARGUMENT, message)
    }

    /// Makes it the calling thread's last error.
    pub(crate) fn record(self) -> ufc_status {
        let last = Last {
            status: self.status,
            message: Some(c_string(self.message)),
        };
        // A thread that is ending has no last error any more.
        let _ = LAST.try_with(|cell| *cell.borrow_mut() = last);
        self.status
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        #[allow(
            unreachable_patterns,
            clippy::match_wildcard_for_single_variants,
            reason = "the library may get errors that are not told apart here"
        )]
        let status = match &error {
            Error::Source(_) => UFC_ERROR_SOURCE,
            Error::NoKernel { .. } => UFC_ERROR_NO_KERNEL,
            Error::Array(error) => of_array_error(error),
            Error::Target(_) => UFC_ERROR_TARGET,
            Error::SeveralResults { .. } => UFC_ERROR_COUNT,
            Error::Backend { error, .. } | Error::Device { error, .. } => match error {
                BackendError::Unsupported(_) => UFC_ERROR_UNSUPPORTED,
                BackendError::OutOfMemory { .. } => UFC_ERROR_MEMORY,
                BackendError::DeviceLost { .. } => UFC_ERROR_LAUNCH,
                BackendError::NoDevice(_) => UFC_ERROR_TARGET,
                BackendError::CompileFailed(_) => UFC_ERROR_INTERNAL,
                BackendError::LaunchFailed(_) => UFC_ERROR_LAUNCH,
                BackendError::Cancelled => UFC_ERROR_CANCELLED,
                _ => UFC_ERROR_LAUNCH,
            },
            Error::Ir(_) => UFC_ERROR_BYTES,
            Error::NoLoop { .. } => UFC_ERROR_DTYPE,
            Error::Io { .. } => UFC_ERROR_IO,
            Error::Internal { .. } => UFC_ERROR_INTERNAL,
            _ => UFC_ERROR_INTERNAL,
        };
        Failure::new(status, error.to_string())
    }
}

impl From<ArrayError> for Failure {
    fn from(error: ArrayError) -> Failure {
        Failure::new(of_array_error(&error), error.to_string())
    }
}

fn of_array_error(error: &ArrayError) -> ufc_status {
    match error {
        ArrayError::OutOfMemory { .. } => UFC_ERROR_MEMORY,
        ArrayError::TooLarge { .. }
        | ArrayError::TooManyAxes(_)
        | ArrayError::Length { .. }
        | ArrayError::OutOfBounds { .. }
        | ArrayError::SharedElements { .. }
        | ArrayError::NotASlice
        | ArrayError::NoAxis { .. }
        | ArrayError::BadPermutation(_)
        | ArrayError::BadRange { .. }
        | ArrayError::Broadcast(_)
        | ArrayError::OutputShape { .. }
        | ArrayError::NoLoopAxis { .. } => UFC_ERROR_SHAPE,
        ArrayError::OperandCount { .. } => UFC_ERROR_COUNT,
        ArrayError::Casting { .. }
        | ArrayError::NoLoop { .. }
        | ArrayError::WrongDType { .. }
        | ArrayError::OutOfRange { .. } => UFC_ERROR_DTYPE,
        ArrayError::Npy { .. } | ArrayError::Io { .. } => UFC_ERROR_IO,
        ArrayError::NotBool(_) | ArrayError::NoSuchOutput { .. } => UFC_ERROR_ARGUMENT,
        _ => UFC_ERROR_ARGUMENT,
    }
}

/// Text for C: what would end it early is shown instead.
pub(crate) fn c_string(text: impl Into<String>) -> CString {
    let text = text.into();
    CString::new(text).unwrap_or_else(|error| {
        let mut bytes = error.into_vec();
        bytes
            .iter_mut()
            .filter(|byte| **byte == 0)
            .for_each(|byte| *byte = b'?');
        CString::new(bytes).unwrap_or_default()
    })
}

struct Last {
    status: ufc_status,
    message: Option<CString>,
}

impl Last {
    fn message(&self) -> &CStr {
        self.message.as_deref().unwrap_or(c"")
    }
}

thread_local! {
    static LAST: RefCell<Last> = const {
        RefCell::new(Last {
            status: UFC_OK,
            message: None,
        })
    };
}

#[cfg(test)]
pub(crate) fn last_code() -> ufc_status {
    LAST.with_borrow(|last| last.status)
}

#[cfg(test)]
pub(crate) fn last_message() -> String {
    LAST.with_borrow(|last| last.message().to_string_lossy().into_owned())
}

/// The status of the last function that failed on this thread; `UFC_OK` if none has. Success does not change it.
#[unsafe(no_mangle)]
pub extern "C" fn ufc_last_error_code() -> ufc_status {
    value_entry(UFC_OK, || {
        LAST.try_with(|last| last.borrow().status).unwrap_or(UFC_OK)
    })
}

/// What happened, in words, in the last function that failed on this thread; empty if none has. Never NULL. The text
/// is valid until the next function that fails on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn ufc_last_error_message() -> *const c_char {
    value_entry(c"".as_ptr(), || {
        LAST.try_with(|last| last.borrow().message().as_ptr())
            .unwrap_or(c"".as_ptr())
    })
}

/// The name of a status, such as "UFC_ERROR_SHAPE"; "unknown" for numbers that are none. Valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn ufc_status_name(status: i32) -> *const c_char {
    value_entry(c"unknown".as_ptr(), || {
        let row = STATUSES.iter().find(|(known, _)| *known as i32 == status);
        row.map_or(c"unknown", |(_, name)| name).as_ptr()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_name() {
        for (number, (status, name)) in STATUSES.iter().enumerate() {
            assert_eq!(*status as usize, number);
            assert_eq!(name.to_str(), Ok(&*format!("{status:?}")));
        }
        assert_eq!(UFC_ERROR_PANIC as usize + 1, STATUSES.len());
    }

    #[test]
    fn text_with_a_null_byte_is_kept_whole() {
        assert_eq!(c_string("a\0b").as_c_str(), c"a?b");
    }
}
