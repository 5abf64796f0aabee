//! Does integer arithmetic in 16 bits, in functions of 8- and 16-bit operands that widen them only so that nothing wraps.

use crate::builder::Builder;
use crate::constant::Const;
use crate::dtype::DType;
use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value};
use crate::ops::{Op, Rule};
use crate::passes::range::{self, Range};

/// What wider integers become, the first one that fits.
const NARROW: [DType; 2] = [DType::U16, DType::I16];

/// Rewrites the function if no value of it needs more than 16 bits afterwards, else leaves it as it is; returns whether
/// anything changed. Values are the same numbers as before, by [`range::analyze`].
pub fn run(func: &mut Func) -> bool {
    if !may_be_narrow(func) {
        return false;
    }
    let mut narrow = func.clone();
    let mut cx = Cx {
        ranges: range::analyze(func),
        func: &mut narrow,
        replaced: SecondaryMap::new(None),
    };
    let body = cx.func.body;
    if cx.region(body).is_none() {
        return false;
    }
    let mut end = std::mem::take(&mut cx.func.regions[body].end);
    end.map_uses(|v| cx.replaced[v].unwrap_or(v));
    cx.func.regions[body].end = end;
    *func = narrow;
    true
}

fn is_wide(dtype: DType) -> bool {
    dtype.size() > 2
}

/// Whether operands are narrow, some integers are not, and there is nothing else but such integers, and no loop.
fn may_be_narrow(func: &Func) -> bool {
    let (mut some, mut all) = (false, true);
    func.for_each_inst(|_, inst| {
        let data = &func.insts[inst];
        all &= !matches!(data.kind, InstKind::Loop { .. } | InstKind::Index(_));
        for value in &data.results {
            let dtype = func.dtype(*value);
            some |= is_wide(dtype);
            all &= !is_wide(dtype) || dtype.is_int();
        }
    });
    let operands = func.param_dtypes();
    some && all && operands.iter().chain(&func.results).all(|d| !is_wide(*d))
}

struct Cx<'f> {
    func: &'f mut Func,
    ranges: SecondaryMap<Value, Range>,
    /// The narrow values of wide ones.
    replaced: SecondaryMap<Value, Option<Value>>,
}

/// The dtype that all of these numbers fit.
fn fitting(ranges: impl Iterator<Item = Range> + Clone) -> Option<DType> {
    let fits = |dtype: &DType| {
        let all = range::of_dtype(*dtype);
        ranges.clone().all(|range| range::within(range, all))
    };
    NARROW.into_iter().find(fits)
}

// Each gives nothing if something does not fit.
impl Cx<'_> {
    fn region(&mut self, region: Region) -> Option<()> {
        for inst in std::mem::take(&mut self.func.regions[region].insts) {
            self.inst(region, inst)?;
        }
        Some(())
    }

    fn inst(&mut self, region: Region, inst: Inst) -> Option<()> {
        let data = self.func.insts[inst].clone();
        let values = data.args.iter().chain(&data.results);
        let is_narrow = values.copied().all(|v| !is_wide(self.func.dtype(v)));
        if let InstKind::If {
            then_region,
            else_region,
        } = data.kind
        {
            return self.branch(region, inst, [then_region, else_region]);
        }
        if is_narrow {
            let replaced = &self.replaced;
            let now = |v: &Value| replaced[*v].unwrap_or(*v);
            self.func.insts[inst].args = data.args.iter().map(now).collect();
            self.func.regions[region].insts.push(inst);
            return Some(());
        }
        let result = data.results[0];
        let to = self.narrow_dtype(result)?;
        let value = match data.kind {
            InstKind::Const(constant) => {
                let narrow = Const::int(to, constant.as_int());
                Builder::at(self.func, region).constant(narrow)
            }
            InstKind::Op(op) => self.op(region, op, &data.args, result)?,
            InstKind::Index(_)
            | InstKind::Math(_)
            | InstKind::If { .. }
            | InstKind::Loop { .. } => return None,
        };
        let value = Builder::at(self.func, region).convert(value, to);
        self.replaced.set(result, Some(value));
        Some(())
    }

    /// What a value becomes: itself if it is narrow.
    fn narrow_dtype(&self, value: Value) -> Option<DType> {
        let dtype = self.func.dtype(value);
        if is_wide(dtype) {
            fitting([self.ranges[value]].into_iter())
        } else {
            Some(dtype)
        }
    }

    /// A value as one of this dtype.
    fn now(&mut self, region: Region, value: Value, to: DType) -> Value {
        let value = self.replaced[value].unwrap_or(value);
        Builder::at(self.func, region).convert(value, to)
    }

    /// An operation on numbers that are the same in fewer bits, as are its results.
    fn op(&mut self, region: Region, op: Op, args: &[Value], result: Value) -> Option<Value> {
        let dtype = self.func.dtype(result);
        let key = self.func.dtype(args[op.info().rule.key()]);
        if key.is_float() || dtype.is_float() {
            return None;
        }
        match (op, op.info().rule) {
            (Op::Convert, _) => {
                let from = self.narrow_dtype(args[0])?;
                return Some(self.now(region, args[0], from));
            }
            // The same number, or its range would not have fitted.
            (Op::Bitcast, _) => {
                let kept = range::within(self.ranges[args[0]], range::of_dtype(dtype));
                let from = self.narrow_dtype(args[0])?;
                return kept.then(|| self.now(region, args[0], from));
            }
            (Op::Shl | Op::Shr, _) if !range::within(self.ranges[args[1]], (0, 15)) => {
                return None;
            }
            (_, Rule::Same(..) | Rule::Compare(_) | Rule::Select(_)) => {}
            _ => return None,
        }
        let numbers = args.iter().chain([&result]).copied();
        let numbers: Vec<Value> = numbers
            .filter(|v| self.func.dtype(*v) != DType::Bool)
            .collect();
        let to = fitting(numbers.iter().map(|v| self.ranges[*v]))?;
        let args: Vec<Value> = args
            .iter()
            .map(|arg| match self.func.dtype(*arg) {
                DType::Bool => self.replaced[*arg].unwrap_or(*arg),
                _ => self.now(region, *arg, to),
            })
            .collect();
        Some(Builder::at(self.func, region).op(op, &args))
    }

    /// An `if`, whose results become narrow.
    fn branch(&mut self, region: Region, inst: Inst, arms: [Region; 2]) -> Option<()> {
        let data = self.func.insts[inst].clone();
        let dtypes = data.results.iter().map(|v| self.narrow_dtype(*v));
        let dtypes: Vec<DType> = dtypes.collect::<Option<_>>()?;
        for arm in arms {
            self.region(arm)?;
            let Terminator::Yield(values) = self.func.regions[arm].end.clone() else {
                return None;
            };
            let pairs = values.into_iter().zip(&dtypes);
            let values = pairs.map(|(v, to)| self.now(arm, v, *to)).collect();
            self.func.regions[arm].end = Terminator::Yield(values);
        }
        let now = |v: &Value| self.replaced[*v].unwrap_or(*v);
        let args = data.args.iter().map(now).collect();
        let new = self.func.make_inst(data.kind, args, &dtypes);
        self.func.regions[region].insts.push(new);
        let values = self.func.insts[new].results.clone();
        for (old, new) in data.results.into_iter().zip(values) {
            self.replaced.set(old, Some(new));
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::builder::Builder;
    use crate::constant::Const;
    use crate::dtype::DType;
    use crate::func::Func;
    use crate::interp::run_one;
    use crate::ops::Op;
    use crate::testing::{Rng, for_seeds, random_const};
    use crate::text::print;
    use crate::verify::verify;

    /// A function of bytes that widens them and computes with the sums.
    fn of_bytes(rng: &mut Rng) -> Func {
        let mut func = Func::new("f");
        let mut b = Builder::new(&mut func);
        let bytes = [b.param("a", DType::U8), b.param("b", DType::I8)];
        let mut values = Vec::new();
        for dtype in [DType::I32, DType::U32, DType::I64] {
            values.push(b.convert(bytes[0], dtype));
            if dtype.is_signed() {
                values.push(b.convert(bytes[1], dtype));
            }
        }
        for _ in 0..1 + rng.below(8) {
            let x = rng.choose(&values);
            let dtype = b.func.dtype(x);
            let same: Vec<_> = values
                .iter()
                .copied()
                .filter(|v| b.func.dtype(*v) == dtype)
                .collect();
            let y = rng.choose(&same);
            let small = b.constant(Const::int(dtype, rng.below(14) as i128));
            let ops = [
                Op::Add,
                Op::Sub,
                Op::Mul,
                Op::And,
                Op::Or,
                Op::Xor,
                Op::Min,
                Op::Max,
            ];
            let value = match rng.below(7) {
                0 => b.op(
                    rng.choose(&[Op::Shl, Op::Shr, Op::Div, Op::Rem]),
                    &[x, small],
                ),
                1 => b.op(rng.choose(&[Op::Abs, Op::Neg, Op::Not]), &[x]),
                2 => {
                    let op = rng.choose(&[Op::Lt, Op::Ge, Op::Eq, Op::Ne]);
                    let cond = b.op(op, &[x, y]);
                    b.op(Op::Select, &[cond, small, y])
                }
                3 if dtype != DType::I64 => {
                    let to = if dtype.is_signed() {
                        DType::U32
                    } else {
                        DType::I32
                    };
                    b.bitcast(x, to)
                }
                4 => {
                    let cond = b.op(Op::Gt, &[x, small]);
                    b.if_else(
                        cond,
                        &[dtype],
                        |b| vec![b.op(Op::Sub, &[x, small])],
                        |_| vec![y],
                    )[0]
                }
                _ => b.op(rng.choose(&ops), &[x, y]),
            };
            values.push(value);
        }
        let last = values[values.len() - 1];
        let small = b.convert(last, rng.choose(&[DType::U8, DType::I16, DType::U16]));
        let limit = b.constant(Const::int(b.func.dtype(last), 77));
        let above = b.op(Op::Gt, &[last, limit]);
        b.finish(vec![small, above]);
        func
    }

    #[test]
    fn narrow_functions_give_the_same() {
        let narrowed = std::sync::atomic::AtomicUsize::new(0);
        for_seeds(2000, &[], |seed| {
            let mut rng = Rng::new(seed);
            let before = of_bytes(&mut rng);
            let mut after = before.clone();
            if !run(&mut after) {
                assert_eq!(print(&before), print(&after));
                return;
            }
            narrowed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let both = || format!("{}\n{}", print(&before), print(&after));
            verify(&after).unwrap_or_else(|e| panic!("{e:?}\n{}", both()));
            for _ in 0..20 {
                let inputs: Vec<Const> = before
                    .param_dtypes()
                    .into_iter()
                    .map(|dtype| random_const(&mut rng, dtype))
                    .collect();
                let [a, b] = [&before, &after].map(|f| run_one(f, &inputs).expect("ends"));
                assert_eq!(a, b, "{inputs:?}\n{}", both());
            }
        });
        let narrowed = narrowed.into_inner();
        assert!(narrowed > 400, "only {narrowed} could be narrowed");
    }
}
