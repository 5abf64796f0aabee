//! What was decided for a call, in a form that explains itself.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use ufc_ir::DType;

use crate::dispatch::{Estimate, Transfers};
use crate::units;

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
    /// How long it is estimated to take, and what it is to move.
    pub estimate: Estimate,
    /// Whether the estimate is from figures measured on this machine, not from assumed ones.
    pub is_calibrated: bool,
    /// What else is worth a line: operands that are elsewhere, devices that were tried in vain.
    pub notes: Vec<String>,
    /// What the call took in truth, once it is done: see [`Report`].
    pub measured: Option<Measured>,
}

/// What a call took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// The device that it ran on, such as `cuda:0`.
    pub target: String,
    /// Seconds from the call to its results, compilation included.
    pub seconds: f64,
    /// Bytes copied to devices.
    pub uploaded: u64,
    /// Bytes copied from devices.
    pub downloaded: u64,
    /// Into how many parts it was cut.
    pub chunks: usize,
    /// How many of the host's threads took part at most.
    pub threads: usize,
    /// What happened on the way: operands that were moved, devices that were tried in vain.
    pub notes: Vec<String>,
}

impl Measured {
    pub(crate) fn add(&mut self, moved: Transfers) {
        self.uploaded += moved.uploaded;
        self.downloaded += moved.downloaded;
    }
}

/// Is told what a call took: see [`crate::CallOptions::report`].
#[derive(Debug, Default)]
pub struct Report {
    measured: Mutex<Option<Measured>>,
}

impl Report {
    /// What the last call that was given this report took; none before the first one is done.
    pub fn get(&self) -> Option<Measured> {
        let measured = self.measured.lock();
        measured.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, measured: Measured) {
        let slot = self.measured.lock();
        *slot.unwrap_or_else(PoisonError::into_inner) = Some(measured);
    }
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
        writeln!(
            f,
            "cost     about {:.0} operations and {:.0} bytes per element",
            self.ops_per_element, self.bytes_per_element
        )?;
        let by = match self.is_calibrated {
            true => "by figures measured on this machine",
            false => "by assumed figures: `ufc targets --calibrate` measures them",
        };
        write!(f, "time     {} ({by})", self.estimate)?;
        for note in &self.notes {
            write!(f, "\n         {note}")?;
        }
        match &self.measured {
            Some(measured) => write!(f, "\n{measured}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "took     {} on {}",
            units::time(self.seconds),
            self.target
        )?;
        if self.uploaded + self.downloaded > 0 {
            let (up, down) = (self.uploaded as f64, self.downloaded as f64);
            let (up, down) = (units::bytes(up), units::bytes(down));
            write!(f, ", {up} copied to a device and {down} back")?;
        }
        if self.chunks > 1 {
            write!(f, ", in {} parts", self.chunks)?;
        }
        for note in &self.notes {
            write!(f, "\n         {note}")?;
        }
        Ok(())
    }
}
