//! The reference interpreter as a back end: slow, obvious, and what every other target is compared with.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ufc_ir::{Const, DType, Func, interp};
use ufc_target::legality::CoreOnly;
use ufc_target::{
    Backend, BackendError, CompileOptions, Device, Executable, InnerLoop, LaunchArgs,
    LaunchControl, LaunchReport, Legal, Legality, Unavailable, launch,
};

/// The interpreter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InterpBackend;

impl Backend for InterpBackend {
    fn name(&self) -> &'static str {
        "interp"
    }

    fn devices(&self) -> Result<Vec<Device>, Unavailable> {
        Ok(vec![Device {
            name: "reference".to_string(),
            description: "IR interpreter, one element at a time".to_string(),
            ..Device::default()
        }])
    }

    fn legality(&self, _device: Option<&str>) -> &dyn Legality {
        &CoreOnly
    }

    fn compile(
        &self,
        func: &Legal,
        _options: &CompileOptions,
    ) -> Result<Arc<dyn Executable>, BackendError> {
        let func = func.func().clone();
        let slots = launch::positions(&func);
        Ok(Arc::new(InterpLoop { func, slots }))
    }

    fn emit(
        &self,
        _func: &Legal,
        _options: &CompileOptions,
        stage: &str,
    ) -> Result<String, BackendError> {
        Err(BackendError::Unsupported(format!("the stage `{stage}`")))
    }

    fn stages(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
}

/// A function that is interpreted for every element.
#[derive(Debug)]
struct InterpLoop {
    func: Func,
    slots: Vec<Option<u8>>,
}

impl Executable for InterpLoop {
    #[expect(
        unsafe_code,
        reason = "operands are raw memory that the caller vouches for"
    )]
    unsafe fn launch(
        &self,
        args: &LaunchArgs<'_>,
        control: &LaunchControl<'_>,
    ) -> Result<LaunchReport, BackendError> {
        let mut at = vec![0; args.shape.len()];
        if args.shape.contains(&0) {
            return Ok(LaunchReport::on_host(1));
        }
        loop {
            if control.cancel.is_some_and(|c| c.load(Ordering::Relaxed)) {
                return Err(BackendError::Cancelled);
            }
            self.element(args, &at)?;
            if let Some(progress) = control.progress {
                progress.fetch_add(1, Ordering::Relaxed);
            }
            if !advance(&mut at, args.shape) {
                return Ok(LaunchReport::on_host(1));
            }
        }
    }

    fn threads(&self, _elements: usize, _control: &LaunchControl<'_>) -> (usize, String) {
        (1, "the interpreter has one".to_string())
    }

    fn inner_loop(&self) -> Option<InnerLoop> {
        None
    }
}

impl InterpLoop {
    fn element(&self, args: &LaunchArgs<'_>, at: &[usize]) -> Result<(), BackendError> {
        let inputs: Vec<Vec<Const>> = self
            .func
            .param_dtypes()
            .into_iter()
            .enumerate()
            .map(|(k, dtype)| vec![read(address(args, k, at), dtype)])
            .collect();
        let position = |axis: Option<u8>, _lane: usize| self.position(args, at, axis);
        let outputs = interp::run(&self.func, 1, &inputs, &position, None)
            .map_err(|error| BackendError::LaunchFailed(error.to_string()))?;
        for (k, lanes) in outputs.iter().enumerate() {
            write(address(args, inputs.len() + k, at), lanes[0]);
        }
        Ok(())
    }

    fn position(&self, args: &LaunchArgs<'_>, at: &[usize], axis: Option<u8>) -> i64 {
        let slot = self
            .slots
            .binary_search(&axis)
            .expect("every position has a slot");
        let (base, steps) = args.indices[slot];
        base + at
            .iter()
            .zip(steps)
            .map(|(i, step)| *i as i64 * step)
            .sum::<i64>()
    }
}

/// Moves to the next element in C order; false after the last one.
fn advance(at: &mut [usize], shape: &[usize]) -> bool {
    for (i, n) in at.iter_mut().zip(shape).rev() {
        *i += 1;
        if *i < *n {
            return true;
        }
        *i = 0;
    }
    false
}

fn address(args: &LaunchArgs<'_>, operand: usize, at: &[usize]) -> *mut u8 {
    let steps = at.iter().zip(args.strides[operand]);
    let offset: isize = steps.map(|(i, stride)| *i as isize * stride).sum();
    args.pointers[operand].wrapping_offset(offset)
}

#[expect(unsafe_code, reason = "operands are raw memory")]
fn read(pointer: *const u8, dtype: DType) -> Const {
    let mut bytes = [0; 16];
    // SAFETY: whoever launches a loop vouches that every element of every operand is readable; bytes need no alignment.
    unsafe { std::ptr::copy_nonoverlapping(pointer, bytes.as_mut_ptr(), dtype.size()) };
    Const::from_le_bytes(dtype, &bytes)
}

#[expect(unsafe_code, reason = "operands are raw memory")]
fn write(pointer: *mut u8, value: Const) {
    let bytes = value.to_le_bytes();
    // SAFETY: whoever launches a loop vouches that every element of every output is writable; bytes need no alignment.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), pointer, value.dtype().size()) };
}
