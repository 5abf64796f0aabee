//! Tests of the CPU back end against the interpreter, bit for bit.

mod launch;
mod masks;
mod memory;
#[cfg(all(target_arch = "x86_64", unix))]
mod native;
mod ops;
#[cfg(all(target_arch = "x86_64", unix))]
mod partial;
mod random;
mod reciprocal;
mod shapes;
mod small;
mod turns;

use crate::clif::jit::Code;
use crate::{CpuBackend, Launches, compile};
use memory::{Guarded, Place};
use std::ffi::c_void;
use ufc_ir::testing::{Rng, random_const};
use ufc_ir::{Const, DType, Func, interp};
use ufc_target::{Backend, CompileOptions, Index, Legal, launch::positions};

/// How an operand's elements lie in memory.
#[derive(Clone, Copy, Debug)]
struct Layout {
    step: isize,
    place: Place,
}

impl Layout {
    fn packed(dtype: DType) -> Layout {
        Layout {
            step: dtype.size() as isize,
            place: Place::Back,
        }
    }

    /// Any class of step, at any place.
    fn random(rng: &mut Rng, dtype: DType, is_input: bool) -> Layout {
        let size = dtype.size() as isize;
        let steps = [
            size,
            size,
            2 * size,
            -size,
            -3 * size,
            size + 1,
            size + 5,
            0,
        ];
        let usable = if is_input { 8 } else { 7 };
        let place = match rng.below(4) {
            0 => Place::Front,
            1 => Place::Back,
            _ => Place::At(rng.below(33)),
        };
        Layout {
            step: steps[rng.below(usable)],
            place,
        }
    }
}

/// The operands of one call of an inner loop: inputs, then outputs.
struct Call {
    inputs: Vec<Guarded>,
    outputs: Vec<Guarded>,
    steps: Vec<isize>,
    indices: Vec<Index>,
}

impl Call {
    /// Memory for `n` elements of each operand; inputs are written, step 0 from the first lane.
    fn new(func: &Func, n: usize, layouts: &[Layout], inputs: &[Vec<Const>]) -> Call {
        let params = func.param_dtypes();
        let dtypes: Vec<DType> = params.iter().chain(&func.results).copied().collect();
        let mut operands: Vec<Guarded> = dtypes
            .iter()
            .zip(layouts)
            .map(|(dtype, layout)| {
                let count = if layout.step == 0 { n.min(1) } else { n };
                Guarded::new(*dtype, count, layout.step, layout.place)
            })
            .collect();
        for (operand, values) in operands.iter_mut().zip(inputs) {
            operand.write(values);
        }
        let outputs = operands.split_off(params.len());
        Call {
            inputs: operands,
            outputs,
            steps: layouts.iter().map(|l| l.step).collect(),
            indices: (0..positions(func).len()).map(index).collect(),
        }
    }

    fn run(&mut self, code: &Code, n: usize) {
        self.run_with(code, n, |_| {});
    }

    /// Runs with addresses of operands changed, to others that have as much room.
    #[expect(unsafe_code, reason = "the code under test takes raw addresses")]
    fn run_with(&mut self, code: &Code, n: usize, change: impl FnOnce(&mut [*mut u8])) {
        let operands = self.inputs.iter().chain(&self.outputs);
        let mut args: Vec<*mut u8> = operands.map(Guarded::pointer).collect();
        change(&mut args);
        let dims = [n as isize];
        let data = self.indices.as_mut_ptr().cast::<c_void>();
        // SAFETY: every operand has memory for `n` elements at its step.
        unsafe { code.inner_loop()(args.as_ptr(), dims.as_ptr(), self.steps.as_ptr(), data) };
    }
}

/// The positions that tests hand to loops, by slot.
fn index(slot: usize) -> Index {
    Index {
        base: 1000 * slot as i64 - 7,
        step: slot as i64 * 3 + 1,
    }
}

/// What the interpreter gives for each element.
fn expected(func: &Func, n: usize, inputs: &[Vec<Const>]) -> Vec<Vec<Const>> {
    let slots = positions(func);
    let mut results = vec![Vec::new(); func.results.len()];
    for i in 0..n {
        let element: Vec<Vec<Const>> = inputs.iter().map(|lanes| vec![lanes[i]]).collect();
        let position = |axis: Option<u8>, _| {
            let slot = slots.iter().position(|s| *s == axis);
            let index = index(slot.expect("an axis that the function asks for"));
            index.base + index.step * i as i64
        };
        let lane = interp::run(func, 1, &element, &position, None);
        for (all, one) in results.iter_mut().zip(lane.expect("the function runs")) {
            all.push(one[0]);
        }
    }
    results
}

/// Values for the inputs; the same in every element where the step is 0.
fn random_inputs(rng: &mut Rng, func: &Func, n: usize, layouts: &[Layout]) -> Vec<Vec<Const>> {
    let dtypes = func.param_dtypes();
    let inputs = dtypes.iter().zip(layouts);
    inputs
        .map(|(dtype, layout)| {
            let first = random_const(rng, *dtype);
            (0..n)
                .map(|_| match layout.step {
                    0 => first,
                    _ => random_const(rng, *dtype),
                })
                .collect()
        })
        .collect()
}

/// Runs code on `n` random elements in these layouts and compares with the interpreter.
fn check(func: &Func, code: &Code, n: usize, layouts: &[Layout], rng: &mut Rng, what: &str) {
    let inputs = random_inputs(rng, func, n, layouts);
    let mut call = Call::new(func, n, layouts, &inputs);
    call.run(code, n);
    let expected = expected(func, n, &inputs);
    for (number, (output, expected)) in call.outputs.iter_mut().zip(&expected).enumerate() {
        output.check_gaps();
        for (i, (found, expected)) in output.read().into_iter().zip(expected).enumerate() {
            if !found.same(*expected) {
                let args: Vec<Const> = inputs.iter().map(|lanes| lanes[i]).collect();
                panic!(
                    "{what}: output {number} of element {i} of {n} is {found:?}, not {expected:?}, \
                     for {args:?} in {layouts:?}"
                );
            }
        }
    }
}

/// The layouts of operands that all lie side by side.
fn packed(func: &Func) -> Vec<Layout> {
    let params = func.param_dtypes();
    let dtypes = params.iter().chain(&func.results);
    dtypes.map(|d| Layout::packed(*d)).collect()
}

/// Random layouts of every operand.
fn random_layouts(rng: &mut Rng, func: &Func) -> Vec<Layout> {
    let params = func.param_dtypes();
    let inputs = params.iter().map(|d| (*d, true));
    let outputs = func.results.iter().map(|d| (*d, false));
    inputs
        .chain(outputs)
        .map(|(dtype, is_input)| Layout::random(rng, dtype, is_input))
        .collect()
}

fn legal(func: Func) -> Legal {
    Legal::try_new(func, CpuBackend.legality(None)).expect("a legal function")
}

fn options(device: Option<&str>, interleave: Option<usize>) -> CompileOptions {
    CompileOptions {
        device: device.map(str::to_string),
        interleave,
        ..CompileOptions::default()
    }
}

fn code(legal: &Legal, options: &CompileOptions, broadcast: &[usize]) -> Code {
    let launches = Launches {
        broadcast: broadcast.to_vec(),
        streaming: false,
    };
    match compile(legal, options, &launches) {
        Ok(code) => code,
        Err(error) => panic!("{}: {error}", legal.func().name),
    }
}

/// The levels of this machine that code is tested for: of Cranelift the best, and the least, which has no fused
/// multiply-add; and all of our own.
fn levels() -> Vec<Option<&'static str>> {
    let names = crate::clif::isa::names();
    let mut levels: Vec<_> = names
        .first()
        .into_iter()
        .chain(names.last())
        .copied()
        .collect();
    levels.dedup();
    levels.extend(crate::native_names().into_iter().map(|(name, _)| name));
    levels.into_iter().map(Some).collect()
}
