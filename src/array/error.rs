//! What can go wrong with arrays, in words about the user's operands.

use super::cast::Casting;
use super::layout::Shape;
use std::fmt;
use std::path::PathBuf;
use ufc_ir::DType;

/// Why an array, a view or a call's operands cannot be used as asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum ArrayError {
    /// The shape has more elements or bytes than an address can count.
    TooLarge {
        /// The shape asked for.
        shape: Shape,
        /// The dtype of the elements.
        dtype: DType,
    },
    /// The shape has more axes than arrays may have.
    TooManyAxes(usize),
    /// The system gave no memory.
    OutOfMemory {
        /// How much was asked for.
        bytes: usize,
    },
    /// The number of elements does not fit the shape.
    Length {
        /// How many elements there are.
        have: usize,
        /// The shape they should fill.
        shape: Shape,
    },
    /// Some element of the view would lie outside its memory.
    OutOfBounds {
        /// The shape asked for.
        shape: Shape,
        /// How many bytes of memory there are.
        bytes: usize,
    },
    /// Two elements of a writable view would share memory.
    SharedElements {
        /// The shape asked for.
        shape: Shape,
    },
    /// A byte that should hold a bool is neither 0 nor 1.
    NotBool(u8),
    /// The elements are of another dtype than the one asked for.
    WrongDType {
        /// The dtype of the elements.
        have: DType,
        /// The dtype asked for.
        want: DType,
    },
    /// The elements do not lie one after the other, aligned and in native byte order.
    NotASlice,
    /// There is no such axis.
    NoAxis {
        /// The axis asked for.
        axis: usize,
        /// How many axes there are.
        ndim: usize,
    },
    /// The axes are not each named once.
    BadPermutation(Vec<usize>),
    /// A range of positions goes past the end of an axis, or its step is 0.
    BadRange {
        /// The axis that was to be sliced.
        axis: usize,
        /// Its length.
        len: usize,
    },
    /// Two operands cannot be broadcast together.
    Broadcast(Box<BroadcastError>),
    /// An output has not the shape of the results.
    OutputShape {
        /// Name of the output.
        name: String,
        /// Its shape.
        have: Shape,
        /// The shape of the results.
        want: Shape,
    },
    /// A call was given too few or too many operands.
    OperandCount {
        /// `inputs` or `outputs`.
        what: &'static str,
        /// How many it was given.
        have: usize,
        /// How many it takes.
        want: usize,
    },
    /// An input stands for an output's memory, but no such output was given.
    NoSuchOutput {
        /// Name of the input.
        name: String,
        /// The output asked for.
        output: usize,
    },
    /// An operand is on a device where one in the host's memory is needed.
    OnDevice {
        /// Name of the operand.
        name: String,
        /// The device, such as `cuda:0`.
        device: String,
    },
    /// The kernel asks for its position along an axis that the loop does not have.
    NoLoopAxis {
        /// The axis asked for.
        axis: u8,
        /// The loop's shape.
        shape: Shape,
    },
    /// The casting rule does not allow an operand's dtype to become the kernel's.
    Casting {
        /// Name of the operand.
        name: String,
        /// What it is, such as `f64` or `a float literal`.
        from: String,
        /// What it would become.
        to: DType,
        /// The rule in force.
        casting: Casting,
        /// Whether it is an output.
        output: bool,
    },
    /// No dtype within a generic's bound holds all values of the operands given for it.
    NoLoop {
        /// The operands of that generic and what they are.
        operands: Vec<(String, String)>,
        /// The bound's name.
        bound: String,
    },
    /// A weak scalar has no equal in the integer dtype it is to take.
    OutOfRange {
        /// Name of the operand.
        name: String,
        /// Its value.
        value: i128,
        /// The dtype it is to take.
        dtype: DType,
    },
    /// A file is not a usable `.npy` file.
    Npy {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system refused to read or write a file.
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried, such as `read`.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Two operands whose lengths along one axis differ, neither being 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroadcastError {
    /// Name and shape of the operand that came first.
    pub first: (String, Shape),
    /// Name and shape of the operand that does not fit it.
    pub second: (String, Shape),
    /// The axis, counted from the last, which is 0.
    pub from_end: usize,
}

/// A shape as Python writes a tuple.
pub(crate) struct Tuple<'a>(pub(crate) &'a [usize]);

impl fmt::Display for Tuple<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [one] => write!(f, "({one},)"),
            many => {
                f.write_str("(")?;
                for (i, n) in many.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}{n}")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for BroadcastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((a, a_shape), (b, b_shape)) = (&self.first, &self.second);
        let length = |shape: &Shape| shape[shape.len() - 1 - self.from_end];
        let (a_tuple, b_tuple) = (Tuple(a_shape), Tuple(b_shape));
        write!(
            f,
            "`{a}` has shape {a_tuple} and `{b}` has shape {b_tuple}: axis "
        )?;
        if a_shape.len() == b_shape.len() {
            write!(f, "{}", a_shape.len() - 1 - self.from_end)?;
        } else {
            write!(f, "-{}", self.from_end + 1)?;
        }
        write!(f, " is {} and {}", length(a_shape), length(b_shape))
    }
}

/// `a, b and c`, each as `` `name` is dtype ``.
fn list_operands(operands: &[(String, String)]) -> String {
    let words: Vec<String> = operands
        .iter()
        .map(|(name, is)| format!("`{name}` is {is}"))
        .collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

impl fmt::Display for ArrayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { .. }
            | Self::TooManyAxes(_)
            | Self::OutOfMemory { .. }
            | Self::Length { .. }
            | Self::OutOfBounds { .. }
            | Self::SharedElements { .. }
            | Self::NotBool(_)
            | Self::NotASlice
            | Self::WrongDType { .. } => self.write_memory(f),
            Self::NoAxis { .. }
            | Self::BadPermutation(_)
            | Self::BadRange { .. }
            | Self::Broadcast(_)
            | Self::OutputShape { .. }
            | Self::OperandCount { .. }
            | Self::NoSuchOutput { .. }
            | Self::OnDevice { .. }
            | Self::NoLoopAxis { .. } => self.write_shape(f),
            Self::Casting { .. } | Self::NoLoop { .. } | Self::OutOfRange { .. } => {
                self.write_dtype(f)
            }
            Self::Npy { path, reason } => {
                write!(
                    f,
                    "`{}` is not a usable .npy file: {reason}",
                    path.display()
                )
            }
            Self::Io {
                path,
                action,
                source,
            } => write!(f, "cannot {action} `{}`: {source}", path.display()),
        }
    }
}

impl ArrayError {
    fn write_memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { shape, dtype } => write!(
                f,
                "shape {} of {dtype} has more bytes than memory can address",
                Tuple(shape)
            ),
            Self::TooManyAxes(n) => write!(
                f,
                "{n} axes are too many: arrays have at most {}",
                super::layout::MAX_AXES
            ),
            Self::OutOfMemory { bytes } => write!(f, "out of memory: {bytes} bytes were needed"),
            Self::Length { have, shape } => {
                write!(f, "{have} elements do not fill shape {}", Tuple(shape))
            }
            Self::OutOfBounds { shape, bytes } => write!(
                f,
                "a view of shape {} with these strides goes outside its {bytes} bytes",
                Tuple(shape)
            ),
            Self::SharedElements { shape } => write!(
                f,
                "a writable view of shape {} with these strides has elements that share memory",
                Tuple(shape)
            ),
            Self::NotBool(byte) => write!(f, "byte {byte} is not a bool: bools are 0 or 1"),
            Self::WrongDType { have, want } => write!(f, "the array is of {have}, not of {want}"),
            _ => f.write_str("the elements are not contiguous, aligned and in native byte order"),
        }
    }

    fn write_shape(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAxis { axis, ndim } => {
                write!(f, "there is no axis {axis}: the array has {ndim}")
            }
            Self::BadPermutation(axes) => {
                write!(
                    f,
                    "axes {} do not name every axis exactly once",
                    Tuple(axes)
                )
            }
            Self::BadRange { axis, len } => write!(
                f,
                "the range does not lie within axis {axis} of length {len}, or its step is 0"
            ),
            Self::Broadcast(error) => write!(f, "{error}"),
            Self::OutputShape { name, have, want } => write!(
                f,
                "output `{name}` has shape {}, but the results have shape {}",
                Tuple(have),
                Tuple(want)
            ),
            Self::OperandCount { what, have, want } => {
                write!(f, "the kernel takes {want} {what}, but {have} were given")
            }
            Self::NoSuchOutput { name, output } => write!(
                f,
                "`{name}` stands for the memory of output {output}, which was not given"
            ),
            Self::OnDevice { name, device } => write!(
                f,
                "`{name}` is on `{device}`, and an operand in the host's memory is needed: copy it with `to_host`"
            ),
            Self::NoLoopAxis { axis, shape } => write!(
                f,
                "the kernel uses `index({axis})`, but the operands have shape {}",
                Tuple(shape)
            ),
            _ => Ok(()),
        }
    }

    fn write_dtype(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Casting {
                name,
                from,
                to,
                casting,
                output,
            } => {
                if *output {
                    write!(f, "output `{name}` is {to} but the kernel yields {from}")?;
                } else {
                    write!(f, "`{name}` is {from} but the kernel wants {to}")?;
                }
                write!(
                    f,
                    "; casting `{casting}` does not allow {from} -> {to}: convert it, or pass casting unsafe"
                )
            }
            Self::NoLoop { operands, bound } => write!(
                f,
                "{}: no dtype in `{bound}` holds every such value; convert them first",
                list_operands(operands)
            ),
            Self::OutOfRange { name, value, dtype } => {
                write!(f, "`{name}` is {value}, which does not fit {dtype}")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ArrayError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
