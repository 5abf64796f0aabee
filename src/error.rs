//! The one error type of the public API.

use std::fmt;
use std::path::PathBuf;

use ufc_ir::DType;
use ufc_ir::bytes::BytesError;
use ufc_lang::diag::Diagnostic;
use ufc_target::BackendError;

use crate::array::ArrayError;

/// What can go wrong when kernels are compiled or called.
#[derive(Debug)]
pub enum Error {
    /// The kernel's text has mistakes.
    Source(Box<SourceError>),
    /// There is no such kernel in the module.
    NoKernel {
        /// The name asked for; none if the caller left it to the module, which has not exactly one.
        name: Option<String>,
        /// The kernels there are.
        kernels: Vec<String>,
    },
    /// A kernel's IR cannot be read.
    Ir(BytesError),
    /// A kernel that came as IR has none for these dtypes.
    NoLoop {
        /// The kernel's name.
        kernel: String,
        /// The dtypes asked for, one for each type parameter.
        types: Vec<DType>,
        /// The choices that it has.
        made: Vec<Vec<DType>>,
    },
    /// The operands do not fit the kernel or each other.
    Array(ArrayError),
    /// The target asked for is unknown or not there.
    Target(TargetError),
    /// A call for one result of a kernel that has more.
    SeveralResults {
        /// The kernel's name.
        kernel: String,
        /// How many results it has.
        nout: usize,
    },
    /// The target could not compile or run the kernel.
    Backend {
        /// The kernel's name.
        kernel: String,
        /// The target's name.
        target: String,
        /// What happened.
        error: BackendError,
    },
    /// A device could not do something outside of any kernel, such as copying.
    Device {
        /// The device, such as `cuda:0`.
        target: String,
        /// What happened.
        error: BackendError,
    },
    /// A file could not be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        error: std::io::Error,
    },
    /// A mistake of ours, found by our own checks.
    Internal {
        /// The stage that failed.
        stage: &'static str,
        /// What it found.
        message: String,
    },
}

/// A kernel text and what is wrong with it.
#[derive(Debug, Clone)]
pub struct SourceError {
    /// Where the text is from: a file's name, or a word such as `<expression>`.
    pub name: String,
    /// The text.
    pub source: String,
    /// What is wrong with it; at least one is an error.
    pub diagnostics: Vec<Diagnostic>,
}

/// Why a target cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// There is no such word.
    Unknown {
        /// The text given.
        word: String,
        /// The words there are.
        choices: Vec<&'static str>,
    },
    /// No device of the target is there.
    Missing {
        /// The target asked for.
        target: String,
        /// Each back end that it could have been, and why it is not there.
        reasons: Vec<(&'static str, String)>,
        /// The targets that are there.
        choices: Vec<&'static str>,
    },
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetError::Unknown { word, choices } => {
                write!(
                    f,
                    "unknown target `{word}`; targets are: {}",
                    choices.join(", ")
                )
            }
            TargetError::Missing {
                target,
                reasons,
                choices,
            } => {
                write!(f, "target `{target}` is not available: ")?;
                for (i, (name, reason)) in reasons.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "; " };
                    write!(f, "{comma}{name}: {reason}")?;
                }
                write!(f, " (available here: {})", choices.join(", "))
            }
        }
    }
}

impl std::error::Error for TargetError {}

impl Error {
    fn of_backend(&self) -> Option<&BackendError> {
        match self {
            Error::Backend { error, .. } | Error::Device { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Whether the target lacks something that was asked for.
    pub(crate) fn is_unsupported(&self) -> bool {
        matches!(self.of_backend(), Some(BackendError::Unsupported(_)))
    }

    /// Whether another target may do better.
    pub(crate) fn is_of_target(&self) -> bool {
        let error = self.of_backend();
        error.is_some_and(|error| *error != BackendError::Cancelled)
    }

    /// The same, if it is a device's, said of a kernel.
    pub(crate) fn of_kernel(self, kernel: &str) -> Error {
        match self {
            Error::Device { target, error } => Error::Backend {
                kernel: kernel.to_string(),
                target,
                error,
            },
            other => other,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Source(error) => error.fmt(f),
            Error::NoKernel { name, kernels } => fmt_no_kernel(f, name.as_deref(), kernels),
            Error::Ir(error) => error.fmt(f),
            Error::NoLoop {
                kernel,
                types,
                made,
            } => fmt_no_loop(f, kernel, types, made),
            Error::Array(error) => error.fmt(f),
            Error::Target(error) => error.fmt(f),
            Error::SeveralResults { kernel, nout } => write!(
                f,
                "kernel `{kernel}` has {nout} results: use `call_all` or `call_into`"
            ),
            Error::Backend {
                kernel,
                target,
                error,
            } => write!(f, "kernel `{kernel}` on target `{target}`: {error}"),
            Error::Device { target, error } => write!(f, "target `{target}`: {error}"),
            Error::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Error::Internal { stage, message } => {
                write!(f, "this is a bug in ufc, found after {stage}: {message}")
            }
        }
    }
}

fn fmt_no_kernel(
    f: &mut fmt::Formatter<'_>,
    name: Option<&str>,
    kernels: &[String],
) -> fmt::Result {
    match (name, kernels) {
        (_, []) => f.write_str("the module has no kernel: mark a function with `pub`"),
        (Some(name), _) => write!(
            f,
            "there is no kernel `{name}`; the module has: {}",
            kernels.join(", ")
        ),
        (None, _) => write!(
            f,
            "the module has several kernels, name one of: {}",
            kernels.join(", ")
        ),
    }
}

fn fmt_no_loop(
    f: &mut fmt::Formatter<'_>,
    kernel: &str,
    types: &[DType],
    made: &[Vec<DType>],
) -> fmt::Result {
    let list = |types: &[DType]| {
        let names: Vec<&str> = types.iter().map(|dtype| dtype.name()).collect();
        format!("({})", names.join(", "))
    };
    let made: Vec<String> = made.iter().map(|types| list(types)).collect();
    write!(
        f,
        "kernel `{kernel}` was not made for {}, only for {}",
        list(types),
        made.join(", ")
    )
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::render::plain(self).trim_end())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Backend { error, .. } | Error::Device { error, .. } => Some(error),
            Error::Io { error, .. } => Some(error),
            Error::Ir(error) => Some(error),
            Error::Array(error) => Some(error),
            Error::Target(error) => Some(error),
            Error::Source(_)
            | Error::NoKernel { .. }
            | Error::NoLoop { .. }
            | Error::SeveralResults { .. }
            | Error::Internal { .. } => None,
        }
    }
}

impl From<ArrayError> for Error {
    fn from(error: ArrayError) -> Error {
        Error::Array(error)
    }
}

impl From<BytesError> for Error {
    fn from(error: BytesError) -> Error {
        Error::Ir(error)
    }
}

impl From<TargetError> for Error {
    fn from(error: TargetError) -> Error {
        Error::Target(error)
    }
}
