//! Every core operation on every dtype that it is native for.

use super::{check, code, legal, levels, options, packed, random_layouts};
use crate::CpuBackend;
use ufc_ir::builder::Builder;
use ufc_ir::ops::{AnyOp, Op};
use ufc_ir::testing::{Rng, for_seeds, random_const};
use ufc_ir::{Const, DType, Func};
use ufc_target::{Action, Backend};

/// Which arguments of an operation under test are constants.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Constant {
    None,
    Last(Const),
}

/// A function that does one operation on its parameters.
pub(super) fn single(op: Op, dtype: DType, to: Option<DType>, constant: Constant) -> Func {
    let name = format!("{} {dtype} {}", op.info().name, to.map_or("", DType::name));
    let mut func = Func::new(&name);
    let mut b = Builder::new(&mut func);
    let rule = op.info().rule;
    let arity = rule.arity();
    let args: Vec<_> = (0..arity)
        .map(|i| {
            let of = match op {
                Op::Select if i == 0 => DType::Bool,
                _ => dtype,
            };
            match constant {
                Constant::Last(value) if i + 1 == arity => b.constant(value),
                _ => b.param(&format!("p{i}"), of),
            }
        })
        .collect();
    let result = match (op, to) {
        (Op::Convert, Some(to)) => b.convert(args[0], to),
        (Op::Bitcast, Some(to)) => b.bitcast(args[0], to),
        _ => b.op(op, &args),
    };
    b.finish(vec![result]);
    func
}

/// Every native operation and dtype, with the result's dtype of conversions.
pub(super) fn cases() -> Vec<(Op, DType, Option<DType>)> {
    let legality = CpuBackend;
    let legality = legality.legality(None);
    let mut cases = Vec::new();
    for &op in Op::ALL {
        for &dtype in DType::ALL {
            let takes = op.info().rule.set().contains(dtype) && !dtype.is_complex();
            let native = legality.action(AnyOp::Core(op), dtype) == Action::Native;
            match op {
                Op::Any | Op::Re | Op::Im | Op::Complex => {}
                Op::Convert => cases.extend(
                    DType::ALL
                        .iter()
                        .filter(|to| !dtype.is_complex() && !to.is_complex() && **to != dtype)
                        .filter(|to| legality.convert(dtype, **to) == Action::Native)
                        .map(|to| (op, dtype, Some(*to))),
                ),
                Op::Bitcast => cases.extend(
                    DType::ALL
                        .iter()
                        .filter(|to| takes && op.info().rule.check(&[dtype], Some(**to)).is_ok())
                        .filter(|to| **to != dtype)
                        .map(|to| (op, dtype, Some(*to))),
                ),
                _ if takes && native => cases.push((op, dtype, None)),
                _ => {}
            }
        }
    }
    cases
}

fn check_case(func: Func, seed: u64, rounds: usize) {
    let mut rng = Rng::new(seed);
    let legal = legal(func);
    let func = legal.func();
    let params = func.params().len();
    let all = 1 << params.min(2);
    let plans = levels().into_iter().enumerate().flat_map(|(i, level)| {
        // The least level, and the least vectors in flight, with nothing uniform.
        let broadcasts = if i == 0 { all } else { 1 };
        [(level, 4, broadcasts), (level, 1, 1)]
    });
    for (level, interleave, broadcasts) in plans {
        let options = options(level, Some(interleave));
        // No parameter uniform, each, and all of them.
        for broadcast in 0..broadcasts {
            let uniform: Vec<usize> = (0..params).filter(|i| broadcast >> i & 1 == 1).collect();
            let code = code(&legal, &options, &uniform);
            let what = format!("{} at {level:?}, interleave {interleave}", func.name);
            for round in 0..rounds {
                let mut layouts = match round {
                    0 => packed(func),
                    _ => random_layouts(&mut rng, func),
                };
                for i in &uniform {
                    layouts[*i].step = 0;
                }
                let n = if round == 0 { 200 } else { rng.below(40) };
                check(func, &code, n, &layouts, &mut rng, &what);
            }
        }
    }
}

#[test]
fn every_operation_gives_the_interpreters_bits() {
    let cases = cases();
    assert!(cases.len() > 300, "only {} cases", cases.len());
    for_seeds(1, &[], |seed| {
        for (op, dtype, to) in &cases {
            check_case(single(*op, *dtype, *to, Constant::None), seed, 3);
        }
    });
}

#[test]
fn constant_arguments_give_the_interpreters_bits() {
    let cases = cases();
    for_seeds(1, &[], |seed| {
        let mut rng = Rng::new(seed);
        for &(op, dtype, to) in cases.iter().filter(|c| c.0.info().rule.arity() > 1) {
            for _ in 0..3 {
                let constant = Constant::Last(random_const(&mut rng, dtype));
                check_case(single(op, dtype, to, constant), rng.bits(), 2);
            }
        }
    });
}

#[test]
fn division_by_every_power_of_two() {
    for dtype in [
        DType::U8,
        DType::I8,
        DType::I16,
        DType::U32,
        DType::I32,
        DType::I64,
        DType::U64,
    ] {
        for power in 0..dtype.bits() {
            for op in [Op::Div, Op::Rem] {
                let divisor = Const::int(dtype, 1 << power);
                for_seeds(1, &[], |seed| {
                    check_case(single(op, dtype, None, Constant::Last(divisor)), seed, 1);
                });
            }
        }
    }
}

#[test]
fn products_with_numbers_around_every_power_of_two() {
    for dtype in [DType::I16, DType::U32, DType::I32, DType::I64, DType::U64] {
        for power in 0..dtype.bits() {
            for near in [-1, 0, 1] {
                let factor = Const::int(dtype, (1 << power) + near);
                for_seeds(1, &[], |seed| {
                    check_case(
                        single(Op::Mul, dtype, None, Constant::Last(factor)),
                        seed,
                        1,
                    );
                });
            }
        }
    }
}

#[test]
fn complex_parts_and_pairs() {
    for dtype in [DType::C64, DType::C128] {
        for_seeds(2, &[], |seed| {
            let mut func = Func::new("swap");
            let mut b = Builder::new(&mut func);
            let z = b.param("z", dtype);
            let (re, im) = (b.op(Op::Re, &[z]), b.op(Op::Im, &[z]));
            let swapped = b.op(Op::Complex, &[im, re]);
            b.finish(vec![swapped, re, z]);
            let mut rng = Rng::new(seed);
            let legal = legal(func);
            for interleave in [1, 2, 4] {
                let code = code(&legal, &options(None, Some(interleave)), &[]);
                for n in 0..40 {
                    let layouts = random_layouts(&mut rng, legal.func());
                    check(legal.func(), &code, n, &layouts, &mut rng, "swap");
                }
            }
        });
    }
}
