//! What a back end of ufc is: what it can do natively, how it compiles a legal function, and how a launch looks.

pub mod error;
pub mod launch;
pub mod legality;
pub mod memory;

pub use error::{BackendError, Unavailable};
pub use launch::{Index, InnerLoop, LaunchArgs, LaunchControl, LaunchReport};
pub use legality::{Action, Legal, Legality, Violation};
pub use memory::{Buffer, DeviceArgs, DeviceOperand, ForeignMemory};

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A family of targets that one crate compiles for, such as every CPU or every CUDA device.
pub trait Backend: Send + Sync {
    /// The word that users know it by: `cpu`, `cuda`, `wgpu`, `interp`.
    fn name(&self) -> &'static str;

    /// The devices that are there, or why none is. May start a driver; the caller caches the answer, and asks again after
    /// a device was lost. A device that this process can no longer use is not in the list.
    fn devices(&self) -> Result<Vec<Device>, Unavailable>;

    /// What a device does natively, per operation and dtype; the first device if none is named, or if the back end's devices
    /// do not differ in this.
    fn legality(&self, device: Option<&str>) -> &dyn Legality;

    /// Compiles a legal function for a device.
    fn compile(
        &self,
        func: &Legal,
        options: &CompileOptions,
    ) -> Result<Arc<dyn Executable>, BackendError>;

    /// Text of a named stage between the legal function and the machine, such as `clif` or `asm`.
    fn emit(
        &self,
        func: &Legal,
        options: &CompileOptions,
        stage: &str,
    ) -> Result<String, BackendError>;

    /// The names that [`Backend::emit`] takes, each with one sentence on what it shows.
    fn stages(&self) -> &'static [(&'static str, &'static str)];

    /// How near to the interpreter's a device's results are.
    fn promise(&self, device: Option<&str>) -> Promise {
        let _ = device;
        Promise::Bits
    }

    /// Memory on a device, its bytes unspecified.
    ///
    /// # Errors
    /// [`BackendError::OutOfMemory`], or [`BackendError::Unsupported`] where a device's memory is the host's.
    fn allocate(&self, device: &str, bytes: usize) -> Result<Arc<dyn Buffer>, BackendError> {
        let _ = bytes;
        Err(BackendError::Unsupported(format!(
            "memory of its own on `{}:{device}`",
            self.name()
        )))
    }

    /// Memory of a device that others allocated, as a buffer. Waits until everything that anybody has asked of the device is
    /// done; launches on such a buffer are done when they return.
    ///
    /// # Errors
    /// [`BackendError::Unsupported`] where addresses mean nothing to others, or if the driver says that the memory is not
    /// the device's; or what the device reports. The owner is dropped then.
    ///
    /// # Safety
    /// Until the owner is dropped the bytes are memory of the device, which launches may read, and write if it is an
    /// output of theirs.
    #[expect(
        unsafe_code,
        reason = "the memory is an address that the caller vouches for"
    )]
    unsafe fn adopt(
        &self,
        device: &str,
        memory: ForeignMemory,
    ) -> Result<Arc<dyn Buffer>, BackendError> {
        let name = self.name();
        let what = format!("memory at {:#x} on `{name}:{device}`", memory.address);
        Err(BackendError::Unsupported(what))
    }

    /// Waits until everything that was asked of a device is done.
    ///
    /// # Errors
    /// What the device reports of the work.
    fn synchronize(&self, device: &str) -> Result<(), BackendError> {
        let _ = device;
        Ok(())
    }
}

/// How near a target's results are to what the interpreter gives for one operation or function of the IR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Promise {
    /// Every bit is the same, the payload and sign of NaNs aside.
    Bits,
    /// Floats of each function are within so many units in the last place; integers are the same. What a kernel makes of
    /// several of them may be further off.
    Ulps(u32),
}

/// What sort of machine a device is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// The processor that the process runs on, its memory the host's.
    #[default]
    Processor,
    /// A GPU.
    Gpu,
    /// A GPU that software on the processor stands in for: taken only when asked for by name.
    Software,
}

/// One concrete machine that a back end found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Unique name within the back end, such as `avx` or `0`.
    pub name: String,
    /// What a person calls it, such as the processor's model name.
    pub description: String,
    /// What sort of machine it is.
    pub kind: DeviceKind,
    /// The driver and its version, where there is one.
    pub driver: Option<String>,
    /// Its own memory in bytes, where it has some and says how much.
    pub memory: Option<u64>,
    /// Facts worth a line each, such as the instruction sets in use or what is slow here.
    pub notes: Vec<String>,
    /// The names of the devices that it stands for, if it is several taken as one; such a device has no memory that is all
    /// theirs, and is taken only by name.
    pub parts: Vec<String>,
}

/// What a caller may choose about compilation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CompileOptions {
    /// Which of the back end's devices; the first if none is named.
    pub device: Option<String>,
    /// How many vectors of the widest dtype are in flight per turn; chosen by the back end if none is given.
    pub interleave: Option<usize>,
    /// The folder in which the back end may keep what it compiled, for other processes and later ones. Nothing is kept
    /// outside the process if none is given. Whatever is found there may be damaged, or made by others: it must not do harm.
    pub cache: Option<PathBuf>,
}

/// Loaded code for one loop (kernel, dtypes and target), ready to launch from any thread.
pub trait Executable: Send + Sync + Debug {
    /// Runs the loop over its operands.
    ///
    /// # Errors
    /// What the target reports; the outputs are partly written then.
    ///
    /// # Safety
    /// Every element that the pointers, strides and loop dims reach is readable (inputs) or writable (outputs) during
    /// the call, at any alignment, and no other thread writes them. An output may share memory with an input only
    /// if both are at the same addresses for every element; outputs do not overlap each other or themselves.
    #[expect(
        unsafe_code,
        reason = "operands are raw memory that the caller vouches for"
    )]
    unsafe fn launch(
        &self,
        args: &LaunchArgs<'_>,
        control: &LaunchControl<'_>,
    ) -> Result<LaunchReport, BackendError>;

    /// Runs the loop over operands on the device, and may return before it is done.
    ///
    /// An output may share memory with an input only if both are at the same place for every element; outputs do not
    /// overlap each other or themselves.
    ///
    /// # Errors
    /// [`BackendError::Unsupported`] where a device's memory is the host's; if an operand reaches out of its buffer; or
    /// what the device reports.
    fn launch_on_device(
        &self,
        args: &DeviceArgs<'_>,
        control: &LaunchControl<'_>,
    ) -> Result<LaunchReport, BackendError> {
        let _ = (args, control);
        Err(BackendError::Unsupported("operands on a device".into()))
    }

    /// The time that launches have spent on compiling so far: of back ends that compile for a layout of operands when it first
    /// occurs.
    fn compiling(&self) -> Duration {
        Duration::ZERO
    }

    /// How many threads a launch over so many elements would use at most, and why.
    fn threads(&self, elements: usize, control: &LaunchControl<'_>) -> (usize, String);

    /// The loop as a raw function with NumPy's inner-loop ABI, where the target has one.
    fn inner_loop(&self) -> Option<InnerLoop>;
}
