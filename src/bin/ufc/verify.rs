//! Compares a target's results with the interpreter's: bit for bit, or by the distance that the target promises.

use ufc::array::cast::ParamType;
use ufc::array::{Array, ArrayError, Operand, View};
use ufc::{CallOptions, Const, DType, Target, Ufunc};
use ufc_target::Promise;
use ufc_target::launch::positions;

use crate::output::Failure;
use crate::progress::CANCEL;

/// How many elements are compared at least, if there are so many.
const SAMPLE: usize = 8192;

/// Kernels that ask for their position are compared on all elements, up to so many.
const MAX_WHOLE: usize = 1 << 20;

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every bit of so many elements is equal.
    Same(usize),
    /// So many elements are within the distance promised; the largest distance in units in the last place.
    Near(usize, u64),
    /// Some are further off than the target promises for one function, which may be right for a whole kernel; a text says how
    /// many and how far.
    Far(String),
    /// An element differs; a text says which and how.
    Different(String),
    /// Not compared, and why.
    Unknown(String),
}

/// Compares results with what the interpreter makes of the same inputs.
pub(crate) fn verify(
    ufunc: &Ufunc,
    operands: &[Operand<'_>],
    results: &[Array],
    promise: Promise,
) -> Result<Verdict, Failure> {
    let compare = |results: &[Array], at: &[usize], expected: &[Array]| match promise {
        Promise::Bits => compare(results, at, expected),
        Promise::Ulps(ulps) => measure(results, at, expected, u64::from(ulps)),
    };
    let shape = results.first().map_or(&[][..], Array::shape);
    let n: usize = shape.iter().product();
    if n <= SAMPLE {
        let expected = interpret(ufunc, operands)?;
        let all: Vec<usize> = (0..n).collect();
        return Ok(compare(results, &all, &expected));
    }
    if asks_for_position(ufunc, operands)? {
        if n > MAX_WHOLE {
            let text = "the kernel asks for its position, and there are too many elements for the interpreter";
            return Ok(Verdict::Unknown(text.to_string()));
        }
        let expected = interpret(ufunc, operands)?;
        let all: Vec<usize> = (0..n).collect();
        return Ok(compare(results, &all, &expected));
    }
    let sample = sample(n);
    let picked = operands
        .iter()
        .map(|operand| pick(operand, shape, &sample))
        .collect::<Result<Vec<_>, Failure>>()?;
    let picked: Vec<Operand<'_>> = picked.iter().map(Picked::operand).collect();
    let expected = interpret(ufunc, &picked)?;
    Ok(compare(results, &sample, &expected))
}

/// Flat positions to compare: a quarter from either end, the rest in between.
fn sample(n: usize) -> Vec<usize> {
    let quarter = SAMPLE / 4;
    let between = n - 2 * quarter;
    let spread = (0..SAMPLE / 2).map(|i| {
        let at = i as u128 * between as u128 / (SAMPLE as u128 / 2);
        quarter + at as usize
    });
    (0..quarter).chain(spread).chain(n - quarter..n).collect()
}

fn interpret(ufunc: &Ufunc, operands: &[Operand<'_>]) -> Result<Vec<Array>, Failure> {
    let options = CallOptions {
        target: Target::INTERP,
        cancel: Some(&CANCEL),
        ..CallOptions::default()
    };
    Ok(ufunc.with(options).call_all(operands)?)
}

fn asks_for_position(ufunc: &Ufunc, operands: &[Operand<'_>]) -> Result<bool, Failure> {
    let inputs = ufunc.on(Target::INTERP).plan(operands)?.inputs;
    let dtype = |generic: usize| {
        let same = |ty: &ParamType| *ty == ParamType::Generic(generic);
        let first = ufunc.params().iter().position(same);
        first.map_or(DType::F64, |at| inputs[at])
    };
    let types: Vec<DType> = (0..ufunc.bounds().len()).map(dtype).collect();
    let func = ufc::pipeline::lower(ufunc.module(), ufunc.name(), &types)?;
    Ok(!positions(&func).is_empty())
}

/// An input at the sampled positions.
enum Picked<'a> {
    /// The same at every position.
    Same(Operand<'a>),
    /// An element for each.
    Each(Array),
}

impl Picked<'_> {
    fn operand(&self) -> Operand<'_> {
        match self {
            Picked::Same(operand) => operand.clone(),
            Picked::Each(array) => Operand::View(array.view()),
        }
    }
}

fn pick<'a>(
    operand: &Operand<'a>,
    shape: &[usize],
    sample: &[usize],
) -> Result<Picked<'a>, Failure> {
    let Operand::View(view) = operand else {
        return Ok(Picked::Same(operand.clone()));
    };
    let whole = view.clone().broadcast_to(shape)?;
    let size = view.dtype().size();
    let mut bytes = Vec::with_capacity(sample.len() * size);
    let mut index = vec![0; shape.len()];
    for &flat in sample {
        unravel(flat, shape, &mut index);
        let value = whole.get(&index).unwrap_or(Const::zero(view.dtype()));
        bytes.extend_from_slice(&value.to_le_bytes()[..size]);
    }
    let (dtype, swapped) = (view.dtype(), cfg!(target_endian = "big"));
    let shape = [sample.len()];
    let picked = View::from_bytes(&bytes, dtype, 0, &shape, &[size as isize], swapped)?;
    Ok(Picked::Each(picked.to_array()?))
}

/// The index of a flat position in C order.
fn unravel(mut flat: usize, shape: &[usize], index: &mut [usize]) {
    for (at, &length) in index.iter_mut().zip(shape).rev() {
        *at = flat % length.max(1);
        flat /= length.max(1);
    }
}

/// All elements as one axis.
fn flat(array: &Array) -> Result<View<'_>, ArrayError> {
    array.view().reshape(&[array.len()])
}

/// Compares results at flat positions with one expected element for each.
fn compare(results: &[Array], at: &[usize], expected: &[Array]) -> Verdict {
    for (number, (result, expected)) in results.iter().zip(expected).enumerate() {
        let (Ok(have), Ok(want)) = (flat(result), flat(expected)) else {
            return Verdict::Different(format!("result {number} has another shape"));
        };
        for (i, &flat) in at.iter().enumerate() {
            let (Some(have), Some(want)) = (have.get(&[flat]), want.get(&[i])) else {
                return Verdict::Different(format!("element {flat} is missing"));
            };
            if !have.same(want) {
                return Verdict::Different(format!(
                    "element {flat} of result {number} is {have:?}, the interpreter's is {want:?}"
                ));
            }
        }
    }
    Verdict::Same(at.len())
}

/// Measures how far results are from the expected ones.
fn measure(results: &[Array], at: &[usize], expected: &[Array], promised: u64) -> Verdict {
    let (mut worst, mut beyond, mut example) = (0, 0, String::new());
    for (number, (result, expected)) in results.iter().zip(expected).enumerate() {
        let (Ok(have), Ok(want)) = (flat(result), flat(expected)) else {
            return Verdict::Different(format!("result {number} has another shape"));
        };
        for (i, &flat) in at.iter().enumerate() {
            let (Some(have), Some(want)) = (have.get(&[flat]), want.get(&[i])) else {
                return Verdict::Different(format!("element {flat} is missing"));
            };
            let distance = distance(have, want);
            worst = worst.max(distance);
            if distance > promised {
                beyond += 1;
                example = format!("element {flat} of result {number} is {have:?}, not {want:?}");
            }
        }
    }
    match beyond {
        0 => Verdict::Near(at.len(), worst),
        _ => Verdict::Far(format!(
            "{beyond} of {} elements are further off than {promised} ulp, such as {example}",
            at.len() * results.len()
        )),
    }
}

/// The distance of two values of one dtype in units in the last place; of whole numbers, none or the largest there is.
fn distance(a: Const, b: Const) -> u64 {
    let dtype = a.dtype();
    if a.same(b) {
        return 0;
    }
    if dtype.is_complex() {
        return distance(a.re(), b.re()).max(distance(a.im(), b.im()));
    }
    let is_nan = Const::is_nan;
    if !dtype.is_float() || is_nan(a) || is_nan(b) {
        return u64::MAX;
    }
    let sign = 1u128 << (dtype.size() * 8 - 1);
    // Floats in order: positive ones by their bits, negative ones below by theirs.
    let place = |c: Const| {
        let magnitude = (c.bits() & (sign - 1)) as i128;
        if c.bits() & sign == 0 {
            magnitude
        } else {
            -magnitude
        }
    };
    u64::try_from(place(a).abs_diff(place(b))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_both_ends() {
        for n in [SAMPLE + 1, 100_000, 3_000_000] {
            let sample = sample(n);
            assert_eq!(sample.len(), SAMPLE);
            assert_eq!((sample[0], sample[SAMPLE - 1]), (0, n - 1));
            assert!(sample.windows(2).all(|w| w[0] < w[1]));
        }
        let mut index = [0; 2];
        unravel(7, &[3, 5], &mut index);
        assert_eq!(index, [1, 2]);
    }

    #[test]
    fn distances_are_in_units_in_the_last_place() {
        let f = |x: f32| Const::f32(x);
        assert_eq!(distance(f(1.0), f(1.0 + f32::EPSILON)), 1);
        assert_eq!(distance(f(0.0), f(-0.0)), 0);
        assert_eq!(distance(f(f32::from_bits(1)), f(-f32::from_bits(1))), 2);
        assert_eq!(distance(f(f32::NAN), f(1.0)), u64::MAX);
        assert_eq!(distance(f(f32::NAN), f(-f32::NAN)), 0);
        assert_eq!(
            distance(Const::int(DType::U8, 1), Const::int(DType::U8, 2)),
            u64::MAX
        );
        let ours = [Array::from([1.0f32, 2.0])];
        let near = [Array::from([1.0f32 + f32::EPSILON, 2.0])];
        assert_eq!(measure(&ours, &[0, 1], &near, 1), Verdict::Near(2, 1));
        assert!(
            matches!(measure(&ours, &[0, 1], &near, 0), Verdict::Far(text) if text.contains("1 of 2"))
        );
    }

    #[test]
    fn differences_are_found() {
        let ours = [Array::from([1.0f32, f32::NAN, 3.0])];
        let theirs = [Array::from([1.0f32, -f32::NAN, 3.0])];
        assert_eq!(compare(&ours, &[0, 1, 2], &theirs), Verdict::Same(3));
        let other = [Array::from([1.0f32, 2.0, -3.0])];
        let verdict = compare(&ours, &[0, 2], &[Array::from([1.0f32, -3.0])]);
        assert!(matches!(verdict, Verdict::Different(text) if text.contains("element 2")));
        assert!(matches!(
            compare(&ours, &[1], &other),
            Verdict::Different(_)
        ));
    }
}
