//! Estimates what a kernel costs per element, in operations and bytes.

use crate::dtype::Kind;
use crate::func::{Func, Inst, InstKind, Region};
use crate::ops::Op;

/// How often a loop is taken to turn when nothing else is known.
pub const TRIP_HINT: f64 = 16.0;

/// A math function before its expansion: most are a polynomial of a dozen terms and some fixing.
const UNEXPANDED: f64 = 20.0;

/// What one element costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Operations, an addition being one.
    pub ops: f64,
    /// Bytes read and written.
    pub bytes: f64,
}

/// What one element of a kernel costs.
pub fn estimate(func: &Func) -> Cost {
    let operands = func
        .param_dtypes()
        .into_iter()
        .chain(func.results.iter().copied());
    Cost {
        ops: of_region(func, func.body),
        bytes: operands.map(|d| d.size() as f64).sum(),
    }
}

/// Operations of one turn of a region, nested ones included.
pub fn of_region(func: &Func, region: Region) -> f64 {
    let insts = &func.regions[region].insts;
    insts.iter().map(|inst| of_inst(func, *inst)).sum()
}

/// Operations of one instruction, nested ones included.
pub fn of_inst(func: &Func, inst: Inst) -> f64 {
    let data = &func.insts[inst];
    match data.kind {
        InstKind::Const(_) => 0.0,
        InstKind::Index(_) => 1.0,
        InstKind::Op(op) => of_op(op, func.key_dtype(inst).map(|d| d.kind())),
        InstKind::Math(_) => UNEXPANDED,
        InstKind::If {
            then_region,
            else_region,
        } => 1.0 + of_region(func, then_region) + of_region(func, else_region),
        InstKind::Loop { body } => TRIP_HINT * (1.0 + of_region(func, body)),
    }
}

fn of_op(op: Op, kind: Option<Kind>) -> f64 {
    let is_float = kind == Some(Kind::Float);
    let base = match op {
        Op::Div | Op::Sqrt if is_float => 5.0,
        Op::Div | Op::Rem => 20.0,
        Op::Bitcast | Op::Re | Op::Im | Op::Complex => 0.0,
        _ => 1.0,
    };
    if kind == Some(Kind::Complex) {
        base * 3.0
    } else {
        base
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse;

    #[test]
    fn operations_bytes_and_turns_are_counted() {
        let text = "func f(x: f32, y: f64) -> (f32, bool) {
            a: f32 = mul x, x
            b: f32 = sqrt a
            c: bool = lt b, x
            yield b, c
        }";
        let cost = estimate(&parse(text).unwrap());
        assert_eq!((cost.ops, cost.bytes), (7.0, 17.0));
        let text = "func f(x: f32) -> (f32) {
            a: f32 = loop (y: f32 = x) {
                z: f32 = add y, x
                c: bool = lt z, x
                continue_if c (z) else (z)
            }
            yield a
        }";
        assert_eq!(estimate(&parse(text).unwrap()).ops, 3.0 * TRIP_HINT);
    }

    #[test]
    fn math_functions_cost_more_than_arithmetic() {
        let text = "func f(x: f32, y: f32) -> (f32) { z: f32 = OP x, y yield z }";
        let ops = |op: &str| estimate(&parse(&text.replace("OP", op)).unwrap()).ops;
        assert!(ops("add") < ops("div") && ops("div") < ops("Pow"));
    }
}
