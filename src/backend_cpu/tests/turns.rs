//! Where turns start and end: aligned first turns, last turns that repeat elements, and outputs past the caches.

use super::memory::Place;
use super::{Call, check, code, expected, legal, levels, options, packed, random_inputs};
use super::{Layout, random_layouts};
use crate::{Launches, compile};
use ufc_ir::builder::Builder;
use ufc_ir::ops::Op;
use ufc_ir::testing::{Rng, for_seeds};
use ufc_ir::{DType, Func};
use ufc_target::Legal;

/// x * y + x and x - y.
fn two(dtype: DType) -> Func {
    let mut func = Func::new("two");
    let mut b = Builder::new(&mut func);
    let (x, y) = (b.param("x", dtype), b.param("y", dtype));
    let product = b.op(Op::Mul, &[x, y]);
    let sum = b.op(Op::Add, &[product, x]);
    let difference = b.op(Op::Sub, &[x, y]);
    b.finish(vec![sum, difference]);
    func
}

/// One output, so that any place of it can be aligned.
fn one(dtype: DType) -> Func {
    let mut func = Func::new("one");
    let mut b = Builder::new(&mut func);
    let (x, y) = (b.param("x", dtype), b.param("y", dtype));
    let product = b.op(Op::Mul, &[x, y]);
    let sum = b.op(Op::Add, &[product, x]);
    b.finish(vec![sum]);
    func
}

/// Bytes that are computed in wider lanes, so that a turn of one vector writes less than a vector of them.
fn wide_lanes() -> Func {
    let mut func = Func::new("wide_lanes");
    let mut b = Builder::new(&mut func);
    let (x, y) = (b.param("x", DType::U8), b.param("y", DType::U8));
    let shifted = b.op(Op::Shr, &[x, y]);
    b.finish(vec![shifted]);
    func
}

const DTYPES: [DType; 4] = [DType::F32, DType::F64, DType::U8, DType::I16];

#[test]
fn long_runs_from_any_offset() {
    for_seeds(1, &[], |seed| {
        let mut rng = Rng::new(seed);
        for func in DTYPES.into_iter().map(two).chain([wide_lanes()]) {
            let legal = legal(func);
            let (func, dtype) = (legal.func(), legal.func().results[0]);
            for (level, interleave) in levels().into_iter().flat_map(|l| [(l, 1), (l, 2)]) {
                let code = code(&legal, &options(level, Some(interleave)), &[]);
                let turns = 40 * 128 / dtype.size();
                for offset in [0, 1, 4, 8, 16, 48, 60] {
                    let mut layouts = packed(func);
                    layouts.iter_mut().for_each(|l| l.place = Place::At(offset));
                    layouts[2].place = Place::Back;
                    let n = turns + rng.below(100);
                    let what = format!("{} of {dtype} at {level:?}, offset {offset}", func.name);
                    check(func, &code, n, &layouts, &mut rng, &what);
                }
            }
        }
    });
}

/// Runs code whose first output is where an input is.
fn check_in_place(legal: &Legal, n: usize, input: usize, rng: &mut Rng) {
    let func = legal.func();
    for level in levels() {
        let code = code(legal, &options(level, Some(2)), &[]);
        let layouts = packed(func);
        let inputs = random_inputs(rng, func, n, &layouts);
        let expected = expected(func, n, &inputs);
        let mut call = Call::new(func, n, &layouts, &inputs);
        let pointer = call.inputs[input].pointer();
        call.run_with(&code, n, |args| args[func.params().len()] = pointer);
        let dtype = func.results[0];
        for (i, (found, expected)) in call.inputs[input]
            .read()
            .iter()
            .zip(&expected[0])
            .enumerate()
        {
            assert!(
                found.same(*expected),
                "{dtype} at {level:?}: element {i} of {n} is {found:?}, not {expected:?}"
            );
        }
    }
}

#[test]
fn outputs_in_the_place_of_inputs_at_every_length() {
    for_seeds(1, &[], |seed| {
        let mut rng = Rng::new(seed);
        for dtype in DTYPES {
            let legal = legal(two(dtype));
            for n in (1..300).step_by(5).chain([6000]) {
                check_in_place(&legal, n, rng.below(2), &mut rng);
            }
        }
    });
}

#[test]
fn outputs_past_the_caches() {
    let launches = Launches {
        broadcast: Vec::new(),
        streaming: true,
    };
    for_seeds(1, &[], |seed| {
        let mut rng = Rng::new(seed);
        for func in DTYPES.into_iter().flat_map(|d| [one(d), two(d)]) {
            let legal = legal(func);
            let func = legal.func();
            for (level, interleave) in levels().into_iter().flat_map(|l| [(l, 1), (l, 4)]) {
                let options = options(level, Some(interleave));
                let code = compile(&legal, &options, &launches).expect("compiles");
                let what = format!("{} at {level:?}", func.param_dtypes()[0]);
                for n in [1, 7, 40, 64, 65, 200, 500, 1030] {
                    let mut layouts = packed(func);
                    check(func, &code, n, &layouts, &mut rng, &what);
                    let offset = rng.below(65);
                    layouts.iter_mut().for_each(|l| l.place = Place::At(offset));
                    check(func, &code, n, &layouts, &mut rng, &what);
                    let layouts: Vec<Layout> = random_layouts(&mut rng, func);
                    check(func, &code, n, &layouts, &mut rng, &what);
                }
            }
        }
    });
}
