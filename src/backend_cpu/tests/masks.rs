//! Conditions joined in every way, which are compared under masks where that is possible.

use super::{check, code, legal, levels, options, random_layouts};
use ufc_ir::builder::Builder;
use ufc_ir::func::Value;
use ufc_ir::ops::Op;
use ufc_ir::testing::{Rng, for_seeds};
use ufc_ir::{DType, Func};

const COMPARISONS: [Op; 6] = [Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge];

/// A random condition on the parameters.
fn condition(b: &mut Builder<'_>, rng: &mut Rng, params: &[Value], depth: usize) -> Value {
    match rng.below(if depth == 0 { 1 } else { 4 }) {
        0 => {
            let dtype = rng.below(params.len() / 2) * 2;
            let op = rng.choose(&COMPARISONS);
            b.op(op, &[params[dtype], params[dtype + 1]])
        }
        1 => {
            let inner = condition(b, rng, params, depth - 1);
            b.op(Op::Not, &[inner])
        }
        n => {
            let x = condition(b, rng, params, depth - 1);
            let y = condition(b, rng, params, depth - 1);
            let op = if n == 2 {
                Op::And
            } else {
                rng.choose(&[Op::And, Op::Or, Op::Xor])
            };
            b.op(op, &[x, y])
        }
    }
}

#[test]
fn joined_conditions() {
    for_seeds(40, &[], |seed| {
        let mut rng = Rng::new(seed);
        let sets: &[&[DType]] = &[
            &[DType::F32, DType::U32],
            &[DType::F64, DType::I64],
            &[DType::F64, DType::I32],
            &[DType::U8, DType::I16],
        ];
        let mut func = Func::new("joined");
        let mut b = Builder::new(&mut func);
        let dtypes = rng.choose(sets);
        let pairs = dtypes.iter().flat_map(|dtype| [*dtype; 2]);
        let params: Vec<Value> = pairs
            .enumerate()
            .map(|(i, d)| b.param(&format!("p{i}"), d))
            .collect();
        let joined = condition(&mut b, &mut rng, &params, 4);
        let chosen = b.op(Op::Select, &[joined, params[0], params[1]]);
        b.finish(vec![chosen, joined]);
        let legal = legal(func);
        for level in levels() {
            let interleave = rng.choose(&[1, 2, 4]);
            let code = code(&legal, &options(level, Some(interleave)), &[]);
            let layouts = random_layouts(&mut rng, legal.func());
            check(legal.func(), &code, 150, &layouts, &mut rng, "joined");
        }
    });
}
