//! The short way of a call, for operands that are plain: see [`crate::quick`].

use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::Call;
use crate::array::{Array, Operand, Output, ToOutput};
use crate::cache::{Loop, LoopKey};
use crate::dispatch::{self, Picked, Work};
use crate::error::Error;
use crate::fpenv::DefaultEnv;
use crate::quick::{self, Plain, Quick, Short};

impl Call<'_, '_> {
    /// Runs the kernel on plain memory, for callers who have only that; says whether it did. It does not if there is no
    /// loop yet for exactly these dtypes, or the operands do not fit or overlap otherwise than element by element:
    /// then [`Call::call_into`] is the way.
    ///
    /// # Errors
    /// What the target reports, or that the call was cancelled.
    ///
    /// # Safety
    /// For every operand that has a length, all its elements, else the one, may be read (inputs) or written (outputs), and
    /// nothing else touches them during the call. Elements of an output do not overlap each other.
    #[expect(
        unsafe_code,
        reason = "the operands are raw memory that the caller vouches for"
    )]
    #[inline]
    pub unsafe fn call_plain(&self, inputs: &[Plain], outputs: &[Plain]) -> Result<bool, Error> {
        let takes = |short: &Short| short.takes_plain(inputs, outputs);
        let Some((picked, ready, short)) = self.short_loop(takes) else {
            return Ok(false);
        };
        let mut quick = Quick::new();
        match quick.fill_plain(short, inputs, outputs) {
            Some(()) => self.run_short(&picked, ready, short, &mut quick),
            None => Ok(false),
        }
    }

    /// Runs the kernel by the short way, if there is one for these operands; says whether it did.
    #[inline]
    pub(super) fn call_short(
        &self,
        inputs: &[Operand<'_>],
        outputs: &[Output<'_>],
    ) -> Result<bool, Error> {
        let takes = |short: &Short| short.takes(inputs, outputs);
        let Some((picked, ready, short)) = self.short_loop(takes) else {
            return Ok(false);
        };
        let mut quick = Quick::new();
        match quick.fill(short, inputs, outputs) {
            Some(()) => self.run_short(&picked, ready, short, &mut quick),
            None => Ok(false),
        }
    }

    /// As [`Call::call_short`], with the results in new arrays; none if the operands are not for the short way.
    pub(super) fn call_short_new(
        &self,
        inputs: &[Operand<'_>],
    ) -> Result<Option<Vec<Array>>, Error> {
        let takes = |short: &Short| short.takes_inputs(inputs);
        let Some((picked, ready, short)) = self.short_loop(takes) else {
            return Ok(None);
        };
        let Some(shape) = quick::common_shape(inputs) else {
            return Ok(None);
        };
        let mut results = Vec::with_capacity(ready.outputs.len());
        for dtype in &ready.outputs {
            results.push(Array::zeros(*dtype, shape)?);
        }
        let outputs = results.iter_mut().map(ToOutput::to_output);
        let outputs: SmallVec<[Output<'_>; 2]> = outputs.collect();
        let mut quick = Quick::new();
        let is_done = match quick.fill(short, inputs, &outputs) {
            Some(()) => self.run_short(&picked, ready, short, &mut quick)?,
            None => false,
        };
        drop(outputs);
        Ok(is_done.then_some(results))
    }

    /// The processor's loop that takes operands as they are, if it has been compiled, and the call needs no report.
    #[inline]
    fn short_loop(&self, takes: impl Fn(&Short) -> bool) -> Option<(Picked, &Loop, &Short)> {
        if self.options.report.is_some() {
            return None;
        }
        let picked = dispatch::pick(self.target().ok()?).ok()?;
        let is_it = |key: &LoopKey, ready: &Loop| {
            key.is_for(&picked, self.options.interleave) && ready.short.as_ref().is_some_and(&takes)
        };
        let ready = self.ufunc.inner.loops.get(is_it)?;
        Some((picked, ready, ready.short.as_ref()?))
    }

    #[inline]
    fn run_short(
        &self,
        picked: &Picked,
        ready: &Loop,
        short: &Short,
        quick: &mut Quick,
    ) -> Result<bool, Error> {
        if quick.len > short.most_direct {
            return self.launch_short(picked, ready, short, quick);
        }
        let cancel = self.options.cancel;
        if cancel.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            // The long way says so.
            return Ok(false);
        }
        quick.run(short);
        if let Some(progress) = self.options.progress {
            progress.fetch_add(quick.len as u64, Ordering::Relaxed);
        }
        Ok(true)
    }

    /// For so many elements that the back end should know; unless `auto` may send them to another device.
    fn launch_short(
        &self,
        picked: &Picked,
        ready: &Loop,
        short: &Short,
        quick: &mut Quick,
    ) -> Result<bool, Error> {
        if quick.len > short.most_here && self.target()?.is_auto() {
            let Some(cost) = ready.sampler.known() else {
                return Ok(false);
            };
            let work = quick.work(short, Work::new(quick.len, &cost));
            let (threads, allow_approx) = (self.thread_limit(), self.options.allow_approx);
            if !dispatch::is_for_host(&work, threads, allow_approx) {
                return Ok(false);
            }
        }
        let _env = DefaultEnv::enter();
        let done = quick.launch(ready, short, &self.control());
        done.map_err(|error| self.ufunc.backend_error(picked, error))?;
        Ok(true)
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use crate::array::{Array, Inputs, Outputs};
    use crate::{BackendError, CallOptions, DType, Error, Module, Plain, Target, Ufunc};

    fn axpy() -> Ufunc {
        let text = "pub fn axpy(a: f32, x: f32, y: f32) -> f32 { a * x + y }";
        let module = Module::from_source("test.ufk", text);
        module.and_then(|module| module.only()).expect("a kernel")
    }

    fn numbers(len: usize) -> Vec<f32> {
        (0..len).map(|i| i as f32 * 0.37 - 9.0).collect()
    }

    /// The one result, by the long way.
    fn long<'a>(kernel: &Ufunc, inputs: impl Inputs<'a>) -> Array {
        let call = kernel.on(Target::CPU);
        let results = call.run_long(&inputs.to_operands(), &mut []);
        results.expect("it runs").remove(0)
    }

    /// Whether the short way takes the operands.
    fn is_short<'a>(kernel: &Ufunc, inputs: impl Inputs<'a>, outputs: impl Outputs<'a>) -> bool {
        let call = kernel.on(Target::CPU);
        let done = call.call_short(&inputs.to_operands(), &outputs.to_outputs());
        done.expect("no error")
    }

    /// The lengths are for each part of the way: the function, the back end, and a look at other devices.
    #[test]
    fn the_short_way_gives_what_the_long_way_gives() {
        let axpy = axpy();
        let all = numbers(300_001);
        for len in [0, 1, 2, 15, 16, 17, 33, 67, 30_001, 300_001] {
            let x = &all[..len];
            let expected = long(&axpy, (1.25f32, x, 0.5f32));
            let new = axpy.on(Target::CPU);
            let new = new.call_short_new(&(1.25f32, x, 0.5f32).to_operands());
            assert_eq!(
                new.expect("it runs").as_deref(),
                Some(std::slice::from_ref(&expected))
            );
            let expected = expected.as_slice::<f32>().expect("f32");
            let mut out = vec![f32::NAN; len];
            assert!(is_short(&axpy, (1.25f32, x, 0.5f32), &mut out), "{len}");
            assert_eq!(out, expected, "{len}");
            let progress = AtomicU64::new(0);
            let watched = CallOptions {
                progress: Some(&progress),
                threads: Some(1),
                ..CallOptions::default()
            };
            let calls = [axpy.with(CallOptions::default()), axpy.with(watched)];
            for call in calls {
                out.fill(f32::NAN);
                let done = call.call_into((1.25f32, x, 0.5f32), &mut out);
                done.expect("it runs");
                assert_eq!(out, expected, "{len}");
            }
            assert_eq!(progress.into_inner(), len as u64);
        }
    }

    #[test]
    fn operands_of_one_shape_are_as_good_as_flat_and_others_are_not_taken() {
        let axpy = axpy();
        let x = Array::from_shape(&[5, 7], &numbers(35)).expect("35 elements");
        let expected = long(&axpy, (2.0f32, &x, &x));
        assert_eq!(axpy.call((2.0f32, &x, &x)).expect("it runs"), expected);
        let mut out = Array::from_shape(&[5, 7], &[f32::NAN; 35]).expect("35 elements");
        assert!(is_short(&axpy, (2.0f32, &x, &x), &mut out));
        assert_eq!(out, expected);
        let row = Array::from_shape(&[1, 7], &numbers(7)).expect("7 elements");
        assert!(!is_short(&axpy, (2.0f32, &row, &x), &mut out), "broadcast");
        let turned = x.view().transpose();
        let mut other = Array::from_shape(&[7, 5], &[f32::NAN; 35]).expect("35 elements");
        assert!(!is_short(
            &axpy,
            (2.0f32, turned.clone(), turned),
            &mut other
        ));
        // A single element, with and without an axis.
        let one = Array::from_shape(&[], &[3.0f32]).expect("one element");
        let mut none = Array::from_shape(&[], &[f32::NAN]).expect("one element");
        assert!(is_short(&axpy, (2.0f32, &one, &one), &mut none));
        assert_eq!(none.as_slice::<f32>().expect("f32"), [9.0]);
        let line = [3.0f32];
        assert!(
            !is_short(&axpy, (2.0f32, &line, &one), &mut none),
            "an axis too many is for the long way to refuse"
        );
        assert!(axpy.call_into((2.0f32, &line, &one), &mut none).is_err());
        assert!(is_short(&axpy, (2.0f32, &one, &line), &mut [0.0f32; 1]));
        assert!(is_short(&axpy, (2.0f32, &line, &one), &mut [0.0f32; 9]));
        assert!(
            !is_short(&axpy, (2.0f32, &x, &x), &mut [0.0f32; 35]),
            "of another shape"
        );
        assert!(
            !is_short(&axpy, (2.0f64, &line, &line), &mut [0.0f32; 1]),
            "of another dtype"
        );
        let wrong = axpy.call_into((1.0f32, &numbers(4), 0.5f32), &mut [f32::NAN; 3]);
        assert!(
            wrong.is_err(),
            "a length that does not fit is an error on any way"
        );
    }

    /// Single elements keep their axis, or get that of others.
    #[test]
    fn new_arrays_have_the_shape_of_the_inputs() {
        let axpy = axpy();
        let (none, one, two) = (
            Array::from_shape(&[], &[3.0f32]).expect("one element"),
            Array::from([4.0f32]),
            Array::from([5.0f32, 6.0]),
        );
        let table = Array::from_shape(&[1, 2], &[7.0f32, 8.0]).expect("two elements");
        let all = [&none, &one, &two, &table];
        for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (*a, *b))) {
            let expected = long(&axpy, (2.0f32, a, b));
            let found = axpy.call((2.0f32, a, b)).expect("it runs");
            assert_eq!(found.shape(), expected.shape(), "{a:?} {b:?}");
            assert_eq!(found, expected, "{a:?} {b:?}");
        }
        assert!(axpy.call((2.0f32, &two, &[1.0f32; 3])).is_err());
    }

    #[test]
    fn a_cancelled_call_is_one_on_the_short_way_too() {
        let axpy = axpy();
        let flag = AtomicBool::new(false);
        let call = axpy.with(CallOptions {
            cancel: Some(&flag),
            ..CallOptions::default()
        });
        for len in [1, 30_001] {
            let x = numbers(len);
            let mut out = vec![0.0f32; len];
            for is_cancelled in [false, false, true] {
                flag.store(is_cancelled, Ordering::Relaxed);
                let done = call.call_into((1.5f32, &x, &x), &mut out);
                match done {
                    Ok(()) => assert!(!is_cancelled, "{len}"),
                    Err(Error::Backend { error, .. }) => {
                        assert!(is_cancelled && error == BackendError::Cancelled, "{len}");
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    #[test]
    #[expect(unsafe_code, reason = "operands that overlap are raw memory")]
    fn an_output_in_the_midst_of_an_input_is_not_taken() {
        let axpy = axpy();
        let types = [DType::F32; 3];
        axpy.on(Target::CPU).raw_loop(&types).expect("compiles");
        let mut data = numbers(40);
        let first: *mut f32 = data.as_mut_ptr();
        let part = |start: usize, step: isize| Plain {
            data: first.wrapping_add(start).cast(),
            dtype: DType::F32,
            len: Some(20),
            step: 4 * step,
        };
        let x = part(10, 1);
        let call = axpy.on(Target::CPU);
        // SAFETY: all parts are within the 40 elements.
        let is_taken = |out| unsafe { call.call_plain(&[x, x, x], &[out]).expect("no error") };
        for (start, step) in [(9, 1), (11, 1), (29, 1), (29, -1), (19, -1)] {
            assert!(!is_taken(part(start, step)), "{start} {step}");
        }
        // Ten elements exactly where the input is, or right behind it.
        for start in [10, 20] {
            let (before, n) = (numbers(40), 10);
            // SAFETY: as above.
            unsafe { first.copy_from(before.as_ptr(), 40) };
            let ten = |start| Plain {
                len: Some(n),
                ..part(start, 1)
            };
            let (x, out) = (ten(10), ten(start));
            // SAFETY: as above.
            let done = unsafe { call.call_plain(&[x, x, x], &[out]).expect("no error") };
            assert!(done);
            // SAFETY: as above.
            let result = unsafe { std::slice::from_raw_parts(out.data.cast::<f32>(), n) };
            let expected = before[10..10 + n].iter().map(|v| v * v + v);
            assert_eq!(result, expected.collect::<Vec<f32>>());
        }
    }
}
