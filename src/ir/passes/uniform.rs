//! Which values are the same in every lane (uniform) and which may differ (varying).

use crate::func::{Func, InstKind, Region, SecondaryMap, Terminator, Value};
use crate::ops::Op;

/// Tells for every value whether it may differ between lanes.
///
/// Parameters of the kernel and positions vary; constants and `any` do not; an operation varies if an argument does.
/// A value carried by a loop varies if its start or its next value does, whatever the exit condition: lanes that have
/// left a loop go on computing with the others, and what they had on leaving is kept in the loop's results. Hence the
/// results of a loop with a varying exit vary, and so do those of an `if` with a varying condition.
pub fn analyze(func: &Func) -> SecondaryMap<Value, bool> {
    analyze_with(func, &[])
}

/// As [`analyze`], where the parameters of these numbers are the same in every lane.
pub fn analyze_with(func: &Func, broadcast: &[usize]) -> SecondaryMap<Value, bool> {
    let mut cx = Cx {
        func,
        varying: SecondaryMap::new(false),
        changed: false,
    };
    for (number, &param) in func.params().iter().enumerate() {
        cx.mark(param, !broadcast.contains(&number));
    }
    // What varies only grows, so this ends: at the latest when everything varies.
    loop {
        cx.changed = false;
        cx.region(func.body);
        if !cx.changed {
            return cx.varying;
        }
    }
}

struct Cx<'f> {
    func: &'f Func,
    varying: SecondaryMap<Value, bool>,
    changed: bool,
}

impl Cx<'_> {
    fn mark(&mut self, value: Value, varying: bool) {
        if varying && !self.varying[value] {
            self.varying.set(value, true);
            self.changed = true;
        }
    }

    fn region(&mut self, region: Region) {
        let func = self.func;
        for &inst in &func.regions[region].insts {
            let data = &func.insts[inst];
            let any_arg = data.args.iter().any(|v| self.varying[*v]);
            match data.kind {
                InstKind::Const(_) | InstKind::Op(Op::Any) => {}
                InstKind::Index(_) => self.mark(data.results[0], true),
                InstKind::Op(_) | InstKind::Math(_) => {
                    for &result in &data.results {
                        self.mark(result, any_arg);
                    }
                }
                InstKind::If {
                    then_region,
                    else_region,
                } => {
                    for arm in [then_region, else_region] {
                        self.region(arm);
                        if let Terminator::Yield(values) = &func.regions[arm].end {
                            for (result, value) in data.results.iter().zip(values) {
                                self.mark(*result, any_arg || self.varying[*value]);
                            }
                        }
                    }
                }
                InstKind::Loop { body } => self.loop_body(&data.args, &data.results, body),
            }
        }
    }

    fn loop_body(&mut self, init: &[Value], outputs: &[Value], body: Region) {
        let func = self.func;
        let Terminator::ContinueIf {
            cond,
            next,
            results,
        } = &func.regions[body].end
        else {
            return;
        };
        for ((param, init), next) in func.regions[body].params.iter().zip(init).zip(next) {
            self.mark(*param, self.varying[*init] || self.varying[*next]);
        }
        self.region(body);
        for (output, value) in outputs.iter().zip(results) {
            self.mark(*output, self.varying[*cond] || self.varying[*value]);
        }
    }
}

/// The values that a region's instructions and parameters define, nested regions left out.
pub(crate) fn defined_in(func: &Func, region: Region) -> Vec<Value> {
    let data = &func.regions[region];
    let results = data
        .insts
        .iter()
        .flat_map(|i| func.insts[*i].results.iter());
    data.params.iter().chain(results).copied().collect()
}

/// Marks every value that a region defines, nested regions included.
pub(crate) fn defined_within(func: &Func, region: Region) -> SecondaryMap<Value, bool> {
    let mut inside = SecondaryMap::new(false);
    let mut open = vec![region];
    while let Some(region) = open.pop() {
        for value in defined_in(func, region) {
            inside.set(value, true);
        }
        for inst in &func.regions[region].insts {
            open.extend(func.insts[*inst].kind.regions());
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse;

    /// Whether each result of a function varies.
    fn results_vary(text: &str, broadcast: &[usize]) -> Vec<bool> {
        let func = parse(text).unwrap();
        let varying = analyze_with(&func, broadcast);
        func.regions[func.body]
            .end
            .uses()
            .map(|v| varying[v])
            .collect()
    }

    #[test]
    fn operations_vary_with_their_arguments() {
        let text = "func f(x: f32, y: f32) -> (f32, f32, bool, i64) {
            two: f32 = const 2.0
            a: f32 = mul two, two
            b: f32 = mul x, two
            p: bool = lt x, y
            c: bool = any p
            i: i64 = index
            yield a, b, c, i
        }";
        assert_eq!(results_vary(text, &[]), [false, true, false, true]);
        assert_eq!(results_vary(text, &[0]), [false, false, false, true]);
    }

    #[test]
    fn a_counter_is_uniform_though_lanes_leave_at_different_turns() {
        let text = "func f(x: f32, n: u32) -> (u32, f32) {
            zero: u32 = const 0
            one: u32 = const 1
            a: u32, b: f32 = loop (i: u32 = zero, y: f32 = x) {
                j: u32 = add i, one
                z: f32 = mul y, y
                more: bool = lt j, n
                continue_if more (j, z) else (j, z)
            }
            yield a, b
        }";
        let func = parse(text).unwrap();
        let varying = analyze(&func);
        let by_dtype = |d| func.values.iter().filter(move |(_, v)| v.dtype == d);
        let varies: Vec<bool> = by_dtype(crate::DType::U32)
            .map(|(v, _)| varying[v])
            .collect();
        // n, zero, one, the loop's result, i, j.
        assert_eq!(varies.iter().filter(|v| **v).count(), 2);
        assert_eq!(results_vary(text, &[]), [true, true]);
        assert_eq!(results_vary(text, &[1]), [false, true]);
    }

    #[test]
    fn what_varies_spreads_through_carried_values() {
        let text = "func f(x: f32) -> (f32) {
            one: f32 = const 1.0
            a: f32 = loop (p: f32 = one, q: f32 = one) {
                c: bool = lt p, one
                continue_if c (q, x) else (one)
            }
            yield a
        }";
        assert_eq!(results_vary(text, &[]), [true]);
        assert_eq!(results_vary(text, &[0]), [false]);
    }
}
