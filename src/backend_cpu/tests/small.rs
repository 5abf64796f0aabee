//! Values of 8 and 16 bits in lanes as wide as they are.

use super::{check, code, legal, levels, options, random_layouts};
use ufc_ir::builder::Builder;
use ufc_ir::ops::Op;
use ufc_ir::testing::{Rng, for_seeds};
use ufc_ir::{Const, DType, Func};

/// Sums and differences that stay within the range, and ones that only look like it.
fn saturating(dtype: DType, op: Op, end: i128, exchanged: bool) -> Func {
    let mut func = Func::new("saturating");
    let mut b = Builder::new(&mut func);
    let (x, y) = (b.param("x", dtype), b.param("y", dtype));
    let wrapped = b.op(op, &[x, y]);
    let end = b.constant(Const::int(dtype, end));
    let sides = match (op, exchanged) {
        (Op::Add, false) => [wrapped, x],
        (Op::Add, true) => [wrapped, y],
        (_, false) => [x, y],
        (_, true) => [y, x],
    };
    let beyond = b.op(Op::Lt, &sides);
    let kept = b.op(Op::Select, &[beyond, end, wrapped]);
    b.finish(vec![kept]);
    func
}

#[test]
fn saturation_and_what_looks_like_it() {
    for_seeds(1, &[], |seed| {
        let mut rng = Rng::new(seed);
        for dtype in [DType::U8, DType::U16, DType::I8, DType::U32] {
            let most = (1i128 << dtype.bits()) - 1;
            for (op, exchanged) in [
                (Op::Add, false),
                (Op::Add, true),
                (Op::Sub, false),
                (Op::Sub, true),
            ] {
                for end in [0, 1, most] {
                    let legal = legal(saturating(dtype, op, end, exchanged));
                    for level in levels() {
                        let code = code(&legal, &options(level, None), &[]);
                        let layouts = random_layouts(&mut rng, legal.func());
                        check(legal.func(), &code, 200, &layouts, &mut rng, "saturating");
                    }
                }
            }
        }
    });
}

/// Conditions of one width that choose between values of the other, and bools from and to memory.
fn mixed() -> Func {
    let mut func = Func::new("mixed");
    let mut b = Builder::new(&mut func);
    let (x, y) = (b.param("x", DType::U8), b.param("y", DType::I16));
    let flag = b.param("flag", DType::Bool);
    let wide = b.convert(x, DType::I16);
    let less = b.op(Op::Lt, &[wide, y]);
    let hundred = b.constant(Const::int(DType::U8, 100));
    let large = b.op(Op::Ge, &[x, hundred]);
    let by_word = b.op(Op::Select, &[less, x, hundred]);
    let by_byte = b.op(Op::Select, &[large, y, wide]);
    let both = b.op(Op::And, &[less, large]);
    let differs = b.op(Op::Xor, &[both, flag]);
    let low = b.convert(y, DType::U8);
    let chosen = b.op(Op::Select, &[differs, low, by_word]);
    b.finish(vec![chosen, by_byte, differs]);
    func
}

#[test]
fn conditions_of_either_width() {
    for_seeds(1, &[], |seed| {
        let mut rng = Rng::new(seed);
        let legal = legal(mixed());
        for level in levels() {
            for interleave in [1, 4] {
                let code = code(&legal, &options(level, Some(interleave)), &[]);
                for n in (0..300).step_by(7) {
                    let layouts = random_layouts(&mut rng, legal.func());
                    check(legal.func(), &code, n, &layouts, &mut rng, "mixed");
                }
            }
        }
    });
}
