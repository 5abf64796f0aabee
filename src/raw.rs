//! A compiled loop as a raw function, to be called without ufc in between or to be registered elsewhere.

use std::sync::Arc;

use ufc_ir::DType;
use ufc_target::InnerLoop;

use crate::cache::Loop;

/// A loop for certain dtypes. It keeps the compiled code alive.
#[derive(Clone, Debug)]
pub struct RawLoop {
    ready: Arc<Loop>,
    function: InnerLoop,
}

impl RawLoop {
    /// The loop as a function, if its target has loops that can be called from the processor.
    pub(crate) fn new(ready: Arc<Loop>) -> Option<RawLoop> {
        let function = ready.executable.inner_loop()?;
        Some(RawLoop { ready, function })
    }

    /// The function, with NumPy's inner-loop ABI. It must not be called after the last clone of this loop, of the ufunc that it is from
    /// and of that ufunc's calls has been dropped.
    pub fn function(&self) -> InnerLoop {
        self.function
    }

    /// Dtypes of the inputs.
    pub fn inputs(&self) -> &[DType] {
        &self.ready.inputs
    }

    /// Dtypes of the outputs.
    pub fn outputs(&self) -> &[DType] {
        &self.ready.outputs
    }

    /// The positions that the kernel asks for: `None` for the flat one, else the axis. The function's `data` points
    /// at one [`ufc_target::Index`] for each, in this order.
    pub fn positions(&self) -> &[Option<u8>] {
        &self.ready.positions
    }
}
