//! What can go wrong in a back end.

use std::error::Error;
use std::fmt;

/// Why a back end has no device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// One line, such as "libcuda.so.1 not found".
    pub reason: String,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for Unavailable {}

/// Why a back end could not compile or run a loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendError {
    /// The target cannot do something that the kernel needs; the text names it.
    Unsupported(String),
    /// The device asked for is not there.
    NoDevice(String),
    /// The compiler below us refused our code: a bug of ours. The text is its log.
    CompileFailed(String),
    /// The device has not so much memory left, also after our caches were freed and the launch was cut.
    OutOfMemory {
        /// The device, such as `cuda:0`.
        device: String,
        /// How many bytes were asked for last; 0 if the driver wanted some for itself, and did not say how many.
        bytes: u64,
    },
    /// The device can no longer be used by this process; the text is what its driver said.
    DeviceLost {
        /// The device, such as `cuda:0`.
        device: String,
        /// What the driver said.
        why: String,
    },
    /// Running failed; the text says how.
    LaunchFailed(String),
    /// The caller cancelled the run; the outputs are partly written.
    Cancelled,
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackendError::Unsupported(what) => write!(f, "the target does not support {what}"),
            BackendError::NoDevice(which) => write!(f, "no such device: {which}"),
            BackendError::CompileFailed(log) => {
                write!(f, "this is a bug in ufc: code generation failed: {log}")
            }
            BackendError::OutOfMemory { device, bytes: 0 } => {
                write!(f, "`{device}` has no memory left for its driver")
            }
            BackendError::OutOfMemory { device, bytes } => {
                write!(f, "`{device}` has no {bytes} bytes of memory left")
            }
            BackendError::DeviceLost { device, why } => {
                write!(f, "`{device}` can no longer be used: {why}")
            }
            BackendError::LaunchFailed(how) => write!(f, "running the loop failed: {how}"),
            BackendError::Cancelled => f.write_str("the run was cancelled"),
        }
    }
}

impl Error for BackendError {}
