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

    /// What an element costs: estimated operations.
    pub(crate) fn ops(&self) -> f64 {
        self.ready.cost.ops
    }

    /// The positions that the kernel asks for: `None` for the flat one, else the axis. The function's `data` points
    /// at one [`ufc_target::Index`] for each, in this order.
    pub fn positions(&self) -> &[Option<u8>] {
        &self.ready.positions
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use crate::{Module, Target, Ufunc};

    fn ufunc(text: &str) -> Ufunc {
        Module::from_source("test.ufk", text)
            .and_then(|module| module.only())
            .expect("a kernel")
    }

    #[test]
    fn raw_loops_are_for_exact_dtypes() {
        let half = ufunc("pub fn half<T: Float>(x: T) -> T { x / 2.0 }");
        let raw = half.on(Target::CPU).raw_loop(&[DType::F32]);
        let raw = raw.expect("a loop");
        drop(half);
        assert_eq!(
            (raw.inputs(), raw.outputs()),
            (&[DType::F32][..], &[DType::F32][..])
        );
        let (x, mut out) = ([3.0f32, 5.0, 8.0], [f32::NAN; 3]);
        let args = [x.as_ptr().cast_mut().cast::<u8>(), out.as_mut_ptr().cast()];
        #[expect(unsafe_code, reason = "a raw loop is called on raw memory")]
        // SAFETY: both operands have three elements, four bytes apart.
        unsafe {
            raw.function()(args.as_ptr(), &3, [4, 4].as_ptr(), std::ptr::null_mut());
        }
        assert_eq!(out, [1.5, 2.5, 4.0]);
        let exact = ufunc("pub fn f(x: f32) -> f32 { x }");
        for wrong in [&[DType::F64][..], &[DType::F16], &[], &[DType::F32; 2]] {
            assert!(exact.on(Target::CPU).raw_loop(wrong).is_err(), "{wrong:?}");
        }
        assert!(exact.on(Target::INTERP).raw_loop(&[DType::F32]).is_err());
    }
}
