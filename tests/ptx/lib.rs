//! Executes kernels from their PTX text, as NVIDIA's manual ("Parallel Thread Execution ISA", sections as in 7.6) says what
//! instructions do.
//!
//! It knows nothing of how ufc makes PTX, and is strict where the manual leaves something open: what may be fused, flushed,
//! approximated or saturated is refused, a register must be written before it is read, an instruction's registers must have
//! its size, and results that the manual does not define, or not the same in every version since then, are garbage. Threads run one after the other: kernels that
//! talk between threads are not for this.

mod decode;
mod exec;
mod float;
mod text;

pub use decode::{Kernel, Module};
pub use exec::{Memory, Trap};

/// Why a text is not taken, with the line it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Line of the text, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ptx, line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests;
