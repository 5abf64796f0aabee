//! What an element costs, measured on a few elements of a call's own inputs where loops make that depend on their values.

use std::sync::{Mutex, PoisonError};

use ufc_ir::cost::{self, Cost};
use ufc_ir::{Const, Func, interp};
use ufc_target::launch::positions;

use crate::array::Operand;
use crate::array::cast::convert_value;
use crate::array::layout::element_count;

/// How many elements are interpreted.
const ELEMENTS: usize = 12;

/// Steps that each of them may take: about a tenth of a millisecond.
const FUEL: u64 = 4_000;

/// Knows what an element of one loop costs, and looks again from time to time.
#[derive(Debug)]
pub(crate) struct Sampler {
    /// The cost by what the function looks like alone.
    hint: Cost,
    /// The function, if its loops make the cost depend on values.
    func: Option<Func>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sampled: Option<Cost>,
    /// Calls asked about since the last sample, and how many are let pass before the next one.
    passed: u32,
    patience: u32,
}

impl Sampler {
    /// For a function that a back end was given.
    pub(crate) fn new(func: &Func) -> Sampler {
        Sampler {
            hint: cost::estimate(func),
            func: cost::has_loop(func).then(|| func.clone()),
            state: Mutex::default(),
        }
    }

    /// The cost by what the function looks like: every loop taken to turn so many times.
    pub(crate) fn hint(&self) -> Cost {
        self.hint
    }

    /// The cost of an element as it is known, counted as one call; none if it is time to look at inputs.
    pub(crate) fn known(&self) -> Option<Cost> {
        if self.func.is_none() {
            return Some(self.hint);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = state.passed < state.patience;
        is_known.then(|| {
            state.passed += 1;
            state.sampled.unwrap_or(self.hint)
        })
    }

    /// The cost of an element of these inputs. Samples are taken at the first call, and then ever less often.
    pub(crate) fn cost(&self, inputs: &[Operand<'_>], shape: &[usize]) -> Cost {
        let Some(func) = &self.func else {
            return self.hint;
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.passed < state.patience {
            state.passed += 1;
        } else if let Some(cost) = sample(func, inputs, shape) {
            state.sampled = Some(cost);
            state.passed = 0;
            state.patience = (state.patience * 2 + 1).min(1 << 16);
        }
        state.sampled.unwrap_or(self.hint)
    }
}

/// The average cost of a few elements; none if the inputs are not all at hand.
fn sample(func: &Func, inputs: &[Operand<'_>], shape: &[usize]) -> Option<Cost> {
    let count = element_count(shape).filter(|n| *n > 0)?;
    let taken = count.min(ELEMENTS);
    let dtypes = func.param_dtypes();
    let asked = positions(func);
    let mut counts = vec![0u64; func.regions.len()];
    for i in 0..taken {
        // The middle of each of so many equal parts, and not all at the same place of a row.
        let flat = ((2 * i + 1) * (count / taken)) / 2 + i * 7 % (count / taken).max(1);
        let at = unravel(flat.min(count - 1), shape);
        let values: Option<Vec<Vec<Const>>> = inputs
            .iter()
            .zip(&dtypes)
            .map(|(operand, dtype)| {
                let value = value(operand, &at)?;
                Some(vec![match value {
                    Value::Const(value) => convert_value(value, *dtype),
                    Value::Weak(weak) => weak.to_const(*dtype),
                }])
            })
            .collect();
        let position = |axis: Option<u8>, _lane: usize| match axis {
            None => flat as i64,
            Some(axis) => at.get(usize::from(axis)).map_or(0, |i| *i as i64),
        };
        debug_assert!(
            asked
                .iter()
                .flatten()
                .all(|a| usize::from(*a) < shape.len())
        );
        let (run, _) = interp::profile(func, &values?, &position, FUEL);
        for (sum, n) in counts.iter_mut().zip(run) {
            *sum += n;
        }
    }
    Some(cost::measured(func, &counts, taken))
}

enum Value {
    Const(Const),
    Weak(crate::array::Weak),
}

/// An operand's value at a position of the loop, if it is in the host's memory.
fn value(operand: &Operand<'_>, at: &[usize]) -> Option<Value> {
    match operand {
        Operand::Scalar(value) => Some(Value::Const(*value)),
        Operand::Weak(weak) => Some(Value::Weak(*weak)),
        Operand::View(view) => {
            let ndim = view.ndim();
            let axes = at.len().checked_sub(ndim)?;
            let own: Vec<usize> = view
                .shape()
                .iter()
                .zip(&at[axes..])
                .map(|(len, i)| if *len == 1 { 0 } else { *i })
                .collect();
            view.get(&own).map(Value::Const)
        }
        Operand::InPlace(_) | Operand::Device(_) => None,
    }
}

/// The index of a flat position in C order.
fn unravel(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut at = vec![0; shape.len()];
    for (slot, len) in at.iter_mut().zip(shape).rev() {
        *slot = flat % len;
        flat /= len;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{Inputs, View};
    use crate::pipeline;

    fn func(text: &str) -> Func {
        let module = crate::Module::from_source("t.ufk", text).unwrap();
        let name = module.kernels()[0].name.clone();
        let mut func = pipeline::lower(&module, &name, &[]).unwrap();
        pipeline::optimize(&mut func);
        func
    }

    #[test]
    fn turns_are_counted_on_the_calls_own_inputs() {
        let text =
            "pub fn steps(n: u32) -> u32 { let mut i = 0u32; while i < n { i = i + 1u32; } i }";
        let sampler = Sampler::new(&func(text));
        let few = [3u32; 100];
        let many = [300u32; 100];
        let cost = |inputs: &[u32]| {
            let operands = View::from_slice(inputs).to_operands();
            sampler.cost(&operands, &[inputs.len()]).ops
        };
        let first = cost(&few);
        assert!(first < sampler.hint().ops, "{first}");
        // The second call is taken to be like the first, the third is looked at again.
        assert_eq!(sampler.known().map(|cost| cost.ops), Some(first));
        assert_eq!(sampler.known(), None, "it is time to look again");
        assert!(cost(&many) > 20.0 * first);
    }

    #[test]
    fn without_a_loop_or_with_data_elsewhere_the_hint_has_to_do() {
        let plain = Sampler::new(&func("pub fn twice(x: f32) -> f32 { x + x }"));
        let operands = 1.0f32.to_operands();
        assert_eq!(plain.cost(&operands, &[1 << 20]), plain.hint());
        let text =
            "pub fn steps(n: u32) -> u32 { let mut i = 0u32; while i < n { i = i + 1u32; } i }";
        let looped = Sampler::new(&func(text));
        let operands = crate::array::InPlace(0).to_operands();
        assert_eq!(looped.cost(&operands, &[5]), looped.hint());
    }

    #[test]
    fn broadcast_inputs_are_read_where_they_are() {
        let column = [1.0f32, 2.0];
        let column = Operand::View(View::from_slice(&column).column().unwrap());
        let read = |at: &[usize]| match value(&column, at) {
            Some(Value::Const(value)) => value.as_f32(),
            _ => f32::NAN,
        };
        assert_eq!((read(&[0, 5]), read(&[1, 0])), (1.0, 2.0));
        assert_eq!(unravel(7, &[3, 5]), [1, 2]);
    }
}
