//! Turns that are not full: every length around two turns of every dtype, between pages that must not be touched.

use super::memory::Place;
use super::{Call, Layout, check, code, expected, index, legal, options, packed, random_inputs};
use super::{levels, random_layouts};
use ufc_ir::builder::Builder;
use ufc_ir::ops::Op;
use ufc_ir::testing::{Rng, for_seeds};
use ufc_ir::{Const, DType, Func};
use ufc_target::Legal;

/// (x, y) -> (y, x), and a position if `wide`, which has lanes of 64 bits.
fn exchange(dtype: DType, wide: bool) -> Func {
    let mut func = Func::new("exchange");
    let mut b = Builder::new(&mut func);
    let (x, y) = (b.param("x", dtype), b.param("y", dtype));
    let mut results = vec![y, x];
    if wide {
        results.push(b.index(None));
    }
    b.finish(results);
    func
}

/// The most elements that a turn of one vector has.
fn turn(level: &str, dtype: DType, wide: bool) -> usize {
    let bytes = if level == "avx512" { 64 } else { 32 };
    bytes / if wide { 4 } else { dtype.size().min(4) }
}

/// Layouts in which operands touch forbidden pages, or are mixed.
fn layouts(rng: &mut Rng, func: &Func) -> [Vec<Layout>; 4] {
    let mut front = packed(func);
    front.iter_mut().for_each(|l| l.place = Place::Front);
    let mut reversed = packed(func);
    reversed.iter_mut().for_each(|l| l.step = -l.step);
    let mut same = packed(func);
    let inputs = func.params().len();
    same[rng.below(inputs)].step = 0;
    [front, reversed, same, random_layouts(rng, func)]
}

/// Runs code whose first output is where the second input is, which it is a copy of.
fn check_in_place(legal: &Legal, level: &str, n: usize, layout: Layout, rng: &mut Rng) {
    let func = legal.func();
    let code = code(legal, &options(Some(level), Some(1)), &[]);
    let mut layouts = packed(func);
    layouts[1] = layout;
    layouts[2] = layout;
    let inputs = random_inputs(rng, func, n, &layouts);
    let expected = expected(func, n, &inputs);
    let mut call = Call::new(func, n, &layouts, &inputs);
    let pointer = call.inputs[1].pointer();
    call.run_with(&code, n, |args| args[2] = pointer);
    call.inputs[1].check_gaps();
    let found = call.inputs[1].read();
    for (i, (found, expected)) in found.iter().zip(&expected[0]).enumerate() {
        assert!(
            found.same(*expected),
            "{} at {level}: element {i} of {n} is {found:?}, not {expected:?}, in {layout:?}",
            func.results[0]
        );
    }
}

#[test]
fn every_length_of_every_dtype() {
    for_seeds(1, &[], |seed| {
        let mut rng = Rng::new(seed);
        for &dtype in DType::ALL {
            for (level, _) in crate::native_names() {
                for wide in [false, true] {
                    let legal = legal(exchange(dtype, wide));
                    let func = legal.func();
                    let turn = turn(level, dtype, wide);
                    let code = code(&legal, &options(Some(level), Some(1)), &[]);
                    for n in 0..=2 * turn + 1 {
                        for layouts in layouts(&mut rng, func) {
                            let what = format!("{dtype} at {level}");
                            check(func, &code, n, &layouts, &mut rng, &what);
                        }
                    }
                    let n = rng.below(2 * turn);
                    for step in [1, -1, 3] {
                        let layout = Layout {
                            step: step * dtype.size() as isize,
                            place: Place::Back,
                        };
                        check_in_place(&legal, level, n, layout, &mut rng);
                    }
                }
            }
        }
    });
}

/// (x, y, go) -> y where `go`, else x, as a loop of one turn finds out.
fn replace(dtype: DType) -> Func {
    let mut func = Func::new("replace");
    let mut b = Builder::new(&mut func);
    let (x, y) = (b.param("x", dtype), b.param("y", dtype));
    let go = b.param("go", DType::Bool);
    let no = b.constant(Const::bool(false));
    let yes = b.constant(Const::bool(true));
    let went = b.loop_(&[go, no], &[DType::Bool], |_, carried| {
        (carried[0], vec![no, yes], vec![carried[1]])
    })[0];
    let result = if dtype.is_complex() {
        let parts = [Op::Re, Op::Im].map(|part| {
            let (x, y) = (b.op(part, &[x]), b.op(part, &[y]));
            b.op(Op::Select, &[went, y, x])
        });
        b.op(Op::Complex, &parts)
    } else {
        b.op(Op::Select, &[went, y, x])
    };
    b.finish(vec![result]);
    func
}

/// Loops do all columns in a turn, which of bytes are up to 512 lanes.
#[test]
fn turns_of_many_lanes() {
    for_seeds(1, &[], |seed| {
        let mut rng = Rng::new(seed);
        for &dtype in DType::ALL {
            let legal = legal(replace(dtype));
            let func = legal.func();
            for level in levels() {
                for interleave in [1, 2, 4, 8] {
                    let code = code(&legal, &options(level, Some(interleave)), &[]);
                    for lanes in [64, 128, 256, 512, 1024] {
                        for n in [lanes - 1, lanes, lanes + 1] {
                            let what = format!("{dtype} at {level:?}, {interleave} columns");
                            check(func, &code, n, &packed(func), &mut rng, &what);
                        }
                    }
                }
            }
        }
    });
}

/// A loop that ends where inputs and the position belong together, and where they are of different elements never.
fn matching() -> Func {
    let mut func = Func::new("matching");
    let mut b = Builder::new(&mut func);
    let (x, y) = (b.param("x", DType::U32), b.param("y", DType::U32));
    let at = b.param("at", DType::I64);
    let position = b.index(None);
    let one = b.constant(Const::int(DType::U32, 1));
    let results = b.loop_(&[x], &[DType::U32], |b, carried| {
        let differs = b.op(Op::Ne, &[carried[0], y]);
        let elsewhere = b.op(Op::Ne, &[at, position]);
        let more = b.op(Op::Or, &[differs, elsewhere]);
        let next = b.op(Op::Shr, &[carried[0], one]);
        (more, vec![next], vec![carried[0]])
    });
    b.finish(vec![results[0]]);
    func
}

/// Lanes without an element must do what some element does, or this test does not end.
#[test]
fn lanes_without_elements_end_their_loops() {
    for_seeds(1, &[], |seed| {
        let mut rng = Rng::new(seed);
        let legal = legal(matching());
        let func = legal.func();
        let position = index(0);
        for level in levels() {
            for interleave in [1, 4] {
                let code = code(&legal, &options(level, Some(interleave)), &[]);
                for n in 0..140 {
                    let numbers: Vec<u32> = (0..n).map(|_| rng.bits() as u32 | 1 << 31).collect();
                    let y = numbers.iter().map(|x| Const::int(DType::U32, (*x).into()));
                    let x = y.clone();
                    let at = (0..n).map(|i| position.base + position.step * i as i64);
                    let at = at.map(|at| Const::int(DType::I64, at.into()));
                    let inputs = [x.collect(), y.collect(), at.collect::<Vec<Const>>()];
                    let mut layouts = packed(func);
                    for layout in &mut layouts {
                        layout.step *= rng.choose(&[1, 1, 2, -1]);
                    }
                    let mut call = Call::new(func, n, &layouts, &inputs);
                    call.run(&code, n);
                    call.outputs[0].check_gaps();
                    let found = call.outputs[0].read();
                    assert_eq!(found, inputs[1], "{level:?}, {n} elements in {layouts:?}");
                }
            }
        }
    });
}
