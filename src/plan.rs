//! What was decided for a call, in a form that explains itself.

use std::fmt;

use ufc_ir::DType;

/// The decisions about one call: which target, which loop, how many threads, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The kernel's name.
    pub kernel: String,
    /// The target's word, such as `cpu`.
    pub target: String,
    /// The device's name, such as `avx+fma`.
    pub device: String,
    /// Why this target.
    pub reason: String,
    /// The targets that were not taken, each with the reason.
    pub rejected: Vec<(String, String)>,
    /// Dtypes of the loop's inputs.
    pub inputs: Vec<DType>,
    /// Dtypes of the loop's outputs.
    pub outputs: Vec<DType>,
    /// Inputs that are converted first: name, from, to.
    pub casts: Vec<(String, String, DType)>,
    /// Shape of the results.
    pub shape: Vec<usize>,
    /// The loop dims after merging axes, innermost last.
    pub loop_dims: Vec<usize>,
    /// Most threads that may take part.
    pub threads: usize,
    /// Why so many.
    pub threads_reason: String,
    /// Estimated operations per element.
    pub ops_per_element: f64,
    /// Bytes read and written per element.
    pub bytes_per_element: f64,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |dtypes: &[DType]| {
            let names: Vec<&str> = dtypes.iter().map(|d| d.name()).collect();
            names.join(", ")
        };
        writeln!(f, "kernel   {}", self.kernel)?;
        writeln!(
            f,
            "loop     {} -> {}",
            names(&self.inputs),
            names(&self.outputs)
        )?;
        for (name, from, to) in &self.casts {
            writeln!(f, "         `{name}` is converted from {from} to {to}")?;
        }
        writeln!(
            f,
            "target   {}:{} ({})",
            self.target, self.device, self.reason
        )?;
        for (target, why) in &self.rejected {
            writeln!(f, "         not {target}: {why}")?;
        }
        writeln!(
            f,
            "shape    {:?}, iterated as {:?}",
            self.shape, self.loop_dims
        )?;
        writeln!(f, "threads  {} ({})", self.threads, self.threads_reason)?;
        write!(
            f,
            "cost     about {:.0} operations and {:.0} bytes per element",
            self.ops_per_element, self.bytes_per_element
        )
    }
}
