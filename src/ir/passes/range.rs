//! Which integers a value can be, from what is known of the operations that make it.

use crate::dtype::DType;
use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value};
use crate::ops::Op;

/// From the first to the second, both of them possible for all that is known.
pub type Range = (i128, i128);

/// The range of every integer and every bool, these as 0 and 1; what is no integer has none that means anything.
///
/// What a loop carries may be anything. So this is one walk, and it is exact about nothing but straight code.
pub fn analyze(func: &Func) -> SecondaryMap<Value, Range> {
    let mut cx = Cx {
        func,
        ranges: SecondaryMap::new((0, 0)),
    };
    cx.region(func.body);
    cx.ranges
}

/// Every value of a dtype.
pub fn of_dtype(dtype: DType) -> Range {
    match dtype {
        DType::Bool => (0, 1),
        _ if dtype.is_int() && dtype.is_signed() => {
            let half = 1 << (dtype.bits() - 1);
            (-half, half - 1)
        }
        _ if dtype.is_int() => (0, (1 << dtype.bits()) - 1),
        _ => (i128::MIN, i128::MAX),
    }
}

/// Whether one range lies in another.
pub fn within(inner: Range, outer: Range) -> bool {
    outer.0 <= inner.0 && inner.1 <= outer.1
}

fn hull(a: Range, b: Range) -> Range {
    (a.0.min(b.0), a.1.max(b.1))
}

struct Cx<'f> {
    func: &'f Func,
    ranges: SecondaryMap<Value, Range>,
}

impl Cx<'_> {
    fn region(&mut self, region: Region) {
        let func = self.func;
        for param in &func.regions[region].params {
            self.ranges.set(*param, of_dtype(func.dtype(*param)));
        }
        for inst in &func.regions[region].insts {
            self.inst(*inst);
        }
    }

    fn inst(&mut self, inst: Inst) {
        let func = self.func;
        let data = &func.insts[inst];
        data.kind.regions().for_each(|region| self.region(region));
        for (number, result) in data.results.iter().enumerate() {
            let all = of_dtype(func.dtype(*result));
            let found = match &data.kind {
                InstKind::Const(c) if c.dtype().is_int() => Some((c.as_int(), c.as_int())),
                InstKind::Op(op) => self.op(*op, &data.args, func.dtype(*result)),
                InstKind::If {
                    then_region,
                    else_region,
                } => {
                    let [a, b] = [then_region, else_region].map(|arm| self.yielded(*arm, number));
                    a.zip(b).map(|(a, b)| hull(a, b))
                }
                InstKind::Loop { body } => self.yielded(*body, number),
                InstKind::Const(_) | InstKind::Index(_) | InstKind::Math(_) => None,
            };
            let range = found.filter(|range| within(*range, all)).unwrap_or(all);
            self.ranges.set(*result, range);
        }
    }

    /// The range of a region's result of this number.
    fn yielded(&self, region: Region, number: usize) -> Option<Range> {
        let (Terminator::Yield(results) | Terminator::ContinueIf { results, .. }) =
            &self.func.regions[region].end;
        results.get(number).map(|value| self.ranges[*value])
    }

    /// The range of an operation's exact results; none if nothing is known. Where it goes beyond the dtype, so that
    /// results may have wrapped, nothing is known either.
    fn op(&self, op: Op, args: &[Value], to: DType) -> Option<Range> {
        let from = self.func.dtype(args[0]);
        let range = |i: usize| self.ranges[args[i]];
        if op == Op::Select {
            return Some(hull(range(1), range(2)));
        }
        if !(from.is_int() || from == DType::Bool) || !to.is_int() {
            return None;
        }
        let a = range(0);
        let b = if args.len() > 1 { range(1) } else { a };
        let corners = |f: fn(i128, i128) -> Option<i128>| {
            let all = [f(a.0, b.0)?, f(a.0, b.1)?, f(a.1, b.0)?, f(a.1, b.1)?];
            Some((*all.iter().min()?, *all.iter().max()?))
        };
        match op {
            Op::Convert | Op::Bitcast => Some(a),
            Op::Add => corners(i128::checked_add),
            Op::Sub => corners(i128::checked_sub),
            Op::Mul => corners(i128::checked_mul),
            Op::Neg => Some((-a.1, -a.0)),
            Op::Abs if a.0 >= 0 => Some(a),
            Op::Abs => Some((0, a.1.max(-a.0))),
            Op::Not if to.is_signed() => Some((-1 - a.1, -1 - a.0)),
            Op::Not => {
                let ones = of_dtype(to).1;
                Some((ones - a.1, ones - a.0))
            }
            Op::Min | Op::Minimum => Some((a.0.min(b.0), a.1.min(b.1))),
            Op::Max | Op::Maximum => Some((a.0.max(b.0), a.1.max(b.1))),
            Op::Div if b.0 > 0 => corners(i128::checked_div),
            Op::Div if a.0 >= 0 && b.0 == 0 => Some((0, a.1)),
            Op::Rem if a.0 >= 0 && b.0 >= 0 => Some((0, a.1.min((b.1 - 1).max(0)))),
            Op::And if a.0 >= 0 && b.0 >= 0 => Some((0, a.1.min(b.1))),
            Op::And if a.0 >= 0 => Some((0, a.1)),
            Op::And if b.0 >= 0 => Some((0, b.1)),
            Op::Or | Op::Xor if a.0 >= 0 && b.0 >= 0 => {
                let bits = 128 - a.1.max(b.1).leading_zeros();
                Some((0, (1 << bits) - 1))
            }
            Op::Shl | Op::Shr => self.shifted(op, args, a, to),
            _ => None,
        }
    }

    fn shifted(&self, op: Op, args: &[Value], a: Range, to: DType) -> Option<Range> {
        let amount = match self.func.constant(args[1]) {
            Some(amount) => (amount.bits() & u128::from(to.bits() - 1)) as u32,
            // A shift by any amount goes towards zero.
            None if op == Op::Shr && a.0 >= 0 => return Some((0, a.1)),
            None => return None,
        };
        Some(match op {
            Op::Shl => (a.0 << amount, a.1 << amount),
            _ => (a.0 >> amount, a.1 >> amount),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{analyze, within};
    use crate::dtype::DType;
    use crate::func::{InstKind, Terminator};
    use crate::interp::run_one;
    use crate::testing::{Config, Rng, for_seeds, random_func, random_inputs};
    use crate::text::{parse, print};

    /// The ranges of what a kernel yields.
    fn yielded(text: &str) -> Vec<super::Range> {
        let func = parse(text).expect("parses");
        let ranges = analyze(&func);
        let values: Vec<_> = func.regions[func.body].end.uses().collect();
        values.iter().map(|v| ranges[*v]).collect()
    }

    #[test]
    fn a_blend_of_bytes_fits_16_bits() {
        let text = "func f(a: u8, b: u8) -> (u32, u32, i32) {
            x: u32 = convert a
            y: u32 = convert b
            half: u32 = const 128
            eight: u32 = const 8
            product: u32 = mul x, y
            sum: u32 = add product, half
            high: u32 = shr sum, eight
            both: u32 = add sum, high
            i: i32 = convert a
            j: i32 = convert b
            difference: i32 = sub i, j
            yield both, high, difference
        }";
        assert_eq!(yielded(text), [(128, 65407), (0, 254), (-255, 255)]);
    }

    #[test]
    fn what_may_wrap_may_be_anything() {
        let text = "func f(a: u16) -> (u16, u16) {
            one: u16 = const 1
            sum: u16 = add a, one
            less: u16 = sub a, one
            yield sum, less
        }";
        assert_eq!(yielded(text), [(0, 65535), (0, 65535)]);
    }

    #[test]
    fn random_functions_stay_in_range() {
        for_seeds(200, &[], |seed| {
            let mut rng = Rng::new(seed);
            let config = Config {
                dtypes: DType::ALL.iter().copied().filter(|d| d.is_int()).collect(),
                size: 5 + rng.below(30),
                ..Config::default()
            };
            let mut func = random_func(seed, &config);
            // Every value in the body is a result, so that all are looked at.
            let mut values = Vec::new();
            for inst in &func.regions[func.body].insts {
                if !matches!(func.insts[*inst].kind, InstKind::Index(_)) {
                    values.extend(func.insts[*inst].results.iter().copied());
                }
            }
            func.results = values.iter().map(|v| func.dtype(*v)).collect();
            let body = func.body;
            func.regions[body].end = Terminator::Yield(values.clone());
            let ranges = analyze(&func);
            let inputs = random_inputs(rng.bits(), &func, 8);
            for lane in 0..8 {
                let one: Vec<_> = inputs.iter().map(|input| input[lane]).collect();
                let Ok(found) = run_one(&func, &one) else {
                    continue;
                };
                for (value, found) in values.iter().zip(found) {
                    if func.dtype(*value).is_int() {
                        let (number, range) = (found.as_int(), ranges[*value]);
                        let inside = within((number, number), range);
                        assert!(
                            inside,
                            "{value} is {number}, not in {range:?}\n{}",
                            print(&func)
                        );
                    }
                }
            }
        });
    }
}
