//! Lengths, steps and places of operands.

use super::memory::Place;
use super::{Layout, check, code, legal, options, packed, random_layouts};
use ufc_ir::builder::Builder;
use ufc_ir::ops::Op;
use ufc_ir::testing::{Rng, for_seeds};
use ufc_ir::{Const, DType, Func};

/// Operands of every size, a loop that ends at another turn in each lane, and positions.
fn everything() -> Func {
    let mut func = Func::new("everything");
    let mut b = Builder::new(&mut func);
    let limit = b.param("limit", DType::U8);
    let x = b.param("x", DType::F64);
    let k = b.param("k", DType::I16);
    let flag = b.param("flag", DType::Bool);
    let z = b.param("z", DType::C64);
    let flat = b.index(None);
    let along = b.index(Some(1));
    let zero = b.constant(Const::int(DType::U8, 0));
    let one = b.constant(Const::int(DType::U8, 1));
    let results = b.loop_(&[zero, x], &[DType::U8, DType::F64], |b, carried| {
        let more = b.op(Op::Lt, &[carried[0], limit]);
        let next = b.op(Op::Add, &[carried[0], one]);
        let sum = b.op(Op::Add, &[carried[1], x]);
        (more, vec![next, sum], vec![carried[0], carried[1]])
    });
    let re = b.op(Op::Re, &[z]);
    let wide = b.convert(re, DType::F64);
    let chosen = b.op(Op::Select, &[flag, results[1], wide]);
    let both = b.op(Op::Xor, &[flat, along]);
    let k = b.convert(k, DType::I64);
    let mixed = b.op(Op::Add, &[both, k]);
    let im = b.op(Op::Im, &[z]);
    let pair = b.op(Op::Complex, &[im, re]);
    let less = b.op(Op::Lt, &[chosen, x]);
    b.finish(vec![results[0], chosen, mixed, pair, less]);
    func
}

/// a * b + c on f32: what memory-bound kernels are like.
fn saxpy() -> Func {
    let mut func = Func::new("saxpy");
    let mut b = Builder::new(&mut func);
    let a = b.param("a", DType::F32);
    let x = b.param("x", DType::F32);
    let y = b.param("y", DType::F32);
    let ax = b.op(Op::Mul, &[a, x]);
    let sum = b.op(Op::Add, &[ax, y]);
    b.finish(vec![sum]);
    func
}

#[test]
fn every_length_at_both_ends_of_memory() {
    for_seeds(1, &[], |seed| {
        for func in [everything(), saxpy()] {
            let mut rng = Rng::new(seed);
            let legal = legal(func);
            for interleave in [1, 2, 4] {
                let code = code(&legal, &options(None, Some(interleave)), &[]);
                for n in 0..2 * 16 + 4 {
                    for place in [Place::Front, Place::Back] {
                        let mut layouts = packed(legal.func());
                        layouts.iter_mut().for_each(|l| l.place = place);
                        check(legal.func(), &code, n, &layouts, &mut rng, "packed");
                        layouts.iter_mut().for_each(|l| l.step = -l.step);
                        check(legal.func(), &code, n, &layouts, &mut rng, "reversed");
                    }
                }
            }
        }
    });
}

#[test]
fn every_offset_around_a_vector() {
    for_seeds(1, &[], |seed| {
        let mut rng = Rng::new(seed);
        let legal = legal(everything());
        let code = code(&legal, &options(None, None), &[]);
        for offset in 0..33 {
            let mut layouts = packed(legal.func());
            layouts.iter_mut().for_each(|l| l.place = Place::At(offset));
            for n in [15, 16, 17, 33] {
                check(legal.func(), &code, n, &layouts, &mut rng, "offset");
            }
        }
    });
}

#[test]
fn steps_of_every_class_mixed() {
    for_seeds(2, &[], |seed| {
        for func in [everything(), saxpy()] {
            let mut rng = Rng::new(seed);
            let legal = legal(func);
            let code = code(&legal, &options(None, None), &[]);
            for _ in 0..300 {
                let layouts: Vec<Layout> = random_layouts(&mut rng, legal.func());
                let n = rng.below(200);
                check(legal.func(), &code, n, &layouts, &mut rng, "mixed");
            }
        }
    });
}
