//! Estimates what a kernel costs per element, in operations and bytes.

use crate::dtype::Kind;
use crate::entity::Entity;
use crate::func::{Func, Inst, InstKind, Region, Terminator};
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
    /// How many of them are on 64-bit values, which many a GPU is slow at.
    pub wide: f64,
    /// Bytes read and written.
    pub bytes: f64,
}

/// What one element of a kernel costs, every loop turning [`TRIP_HINT`] times and every branch being taken.
pub fn estimate(func: &Func) -> Cost {
    let mut times = vec![0.0; func.regions.len()];
    expect_region(func, func.body, 1.0, &mut times);
    of_times(func, &times)
}

/// What one element costs on average, given how often each region was run for so many elements: what
/// [`crate::interp::profile`] counts.
pub fn measured(func: &Func, counts: &[u64], elements: usize) -> Cost {
    let each = |count: &u64| *count as f64 / elements.max(1) as f64;
    of_times(func, &counts.iter().map(each).collect::<Vec<f64>>())
}

/// Whether what an element costs depends on its value: whether there is a loop.
pub fn has_loop(func: &Func) -> bool {
    let mut found = false;
    func.for_each_inst(|_, inst| {
        found |= matches!(func.insts[inst].kind, InstKind::Loop { .. });
    });
    found
}

/// Adds up how often the regions in a region are run, if it is run so many times.
fn expect_region(func: &Func, region: Region, times: f64, all: &mut [f64]) {
    all[region.index()] += times;
    for inst in &func.regions[region].insts {
        match func.insts[*inst].kind {
            InstKind::If {
                then_region,
                else_region,
            } => {
                expect_region(func, then_region, times, all);
                expect_region(func, else_region, times, all);
            }
            InstKind::Loop { body } => expect_region(func, body, times * TRIP_HINT, all),
            _ => {}
        }
    }
}

/// The cost of regions that are run so many times each.
fn of_times(func: &Func, times: &[f64]) -> Cost {
    let operands = func
        .param_dtypes()
        .into_iter()
        .chain(func.results.iter().copied());
    let mut cost = Cost {
        ops: 0.0,
        wide: 0.0,
        bytes: operands.map(|d| d.size() as f64).sum(),
    };
    for (region, data) in func.regions.iter() {
        let times = times.get(region.index()).copied().unwrap_or(0.0);
        for inst in &data.insts {
            let ops = match func.insts[*inst].kind {
                InstKind::If { .. } => 1.0,
                // The test of each turn is counted where the turn is.
                InstKind::Loop { .. } => 0.0,
                _ => of_inst(func, *inst),
            };
            let is_wide = func.key_dtype(*inst).is_some_and(|d| d.part().size() == 8);
            cost.ops += ops * times;
            cost.wide += if is_wide { ops * times } else { 0.0 };
        }
        if matches!(data.end, Terminator::ContinueIf { .. }) {
            cost.ops += times;
        }
    }
    cost
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
    use crate::constant::Const;
    use crate::dtype::DType;
    use crate::interp::profile;
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
        assert_eq!((cost.ops, cost.wide, cost.bytes), (7.0, 0.0, 17.0));
        assert!(!has_loop(&parse(text).unwrap()));
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
    fn turns_that_were_counted_replace_the_hint() {
        let text = "func f(n: i64) -> (i64) {
            one: i64 = const 1
            a: i64 = loop (i: i64 = one) {
                next: i64 = add i, one
                c: bool = lt next, n
                continue_if c (next) else (next)
            }
            yield a
        }";
        let func = parse(text).unwrap();
        assert!(has_loop(&func));
        let input = |n: i128| vec![vec![Const::int(DType::I64, n)]];
        let (counts, whole) = profile(&func, &input(101), &|_, _| 0, 10_000);
        assert!(whole);
        // A hundred turns of an addition, a comparison and the test of the turn.
        let cost = measured(&func, &counts, 1);
        assert_eq!((cost.ops, cost.wide), (300.0, 200.0));
        let (counts, whole) = profile(&func, &input(1 << 40), &|_, _| 0, 3_000);
        assert!(!whole, "it has no fuel for so many turns");
        assert!((2000.0..4000.0).contains(&measured(&func, &counts, 1).ops));
    }

    #[test]
    fn math_functions_cost_more_than_arithmetic() {
        let text = "func f(x: f32, y: f32) -> (f32) { z: f32 = OP x, y yield z }";
        let ops = |op: &str| estimate(&parse(&text.replace("OP", op)).unwrap()).ops;
        assert!(ops("add") < ops("div") && ops("div") < ops("Pow"));
    }
}
