//! Algebraic rules, each one function with the condition under which it keeps every bit.

use crate::builder::Builder;
use crate::constant::Const;
use crate::convert::from_int;
use crate::dtype::{DType, Kind};
use crate::eval::eval;
use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value};
use crate::ops::Op;

/// Rewrites the function; returns whether anything changed.
pub fn run(func: &mut Func) -> bool {
    let body = func.body;
    let mut cx = Cx {
        func,
        replaced: SecondaryMap::new(None),
        changed: false,
    };
    cx.region(body);
    cx.changed
}

struct Cx<'f> {
    func: &'f mut Func,
    replaced: SecondaryMap<Value, Option<Value>>,
    changed: bool,
}

impl Cx<'_> {
    fn region(&mut self, region: Region) {
        for inst in std::mem::take(&mut self.func.regions[region].insts) {
            self.inst(region, inst);
        }
        let mut end: Terminator = std::mem::take(&mut self.func.regions[region].end);
        end.map_uses(|v| self.replaced[v].unwrap_or(v));
        self.func.regions[region].end = end;
    }

    fn inst(&mut self, region: Region, inst: Inst) {
        let replaced = &self.replaced;
        let data = &mut self.func.insts[inst];
        data.args
            .iter_mut()
            .for_each(|v| *v = replaced[*v].unwrap_or(*v));
        let kind = data.kind.clone();
        kind.regions().for_each(|inner| self.region(inner));
        if let InstKind::Op(op) = kind {
            self.constant_last(inst, op);
            if let Some(value) = self.rewritten(region, inst, op) {
                self.replaced
                    .set(self.func.insts[inst].results[0], Some(value));
                self.changed = true;
                return;
            }
        }
        self.func.regions[region].insts.push(inst);
    }

    /// Puts the constant argument of a commutative operation last, where the rules look for it.
    fn constant_last(&mut self, inst: Inst, op: Op) {
        let args = &self.func.insts[inst].args;
        if op.info().commutative
            && self.func.constant(args[0]).is_some()
            && self.func.constant(args[1]).is_none()
        {
            self.func.insts[inst].args.swap(0, 1);
            self.changed = true;
        }
    }

    /// The value that replaces an instruction; what it needs is appended to the region.
    fn rewritten(&mut self, region: Region, inst: Inst, op: Op) -> Option<Value> {
        let data = &self.func.insts[inst];
        let result = self.func.dtype(data.results[0]);
        let args = data.args.clone();
        let mut b = Builder::at(self.func, region);
        RULES
            .iter()
            .filter(|(applies_to, _)| applies_to.contains(&op))
            .find_map(|(_, rule)| rule(&mut b, op, &args, result))
    }
}

/// Gives the value to use instead, if the rule applies to an operation on these arguments with a result of this dtype.
type Rule = fn(&mut Builder<'_>, Op, &[Value], DType) -> Option<Value>;

/// Every rule with the operations it is tried on.
const RULES: &[(&[Op], Rule)] = &[
    (&[Op::Add], add_zero),
    (&[Op::Sub], sub_zero),
    (&[Op::Sub, Op::Xor], cancel_self),
    (&[Op::Mul, Op::Div], by_one),
    (&[Op::Mul], mul_minus_one),
    (&[Op::Mul, Op::And], by_zero),
    (&[Op::Mul], mul_power_of_two),
    (&[Op::Div], div_exact_reciprocal),
    (&[Op::Div], div_unsigned_power_of_two),
    (&[Op::Rem], rem_unsigned_power_of_two),
    (&[Op::Div], div_signed_power_of_two),
    (&[Op::Rem], rem_signed_power_of_two),
    (&[Op::Neg, Op::Not], twice),
    (&[Op::Abs], abs_of_sign_change),
    (
        &[Op::And, Op::Or, Op::Min, Op::Max, Op::Minimum, Op::Maximum],
        same_arguments,
    ),
    (&[Op::Or, Op::Xor], or_zero),
    (&[Op::And, Op::Or, Op::Xor], by_all_ones),
    (&[Op::Shl, Op::Shr], shift_by_zero),
    (&[Op::And, Op::Or, Op::Xor], with_complement),
    (
        &[Op::Add, Op::Mul, Op::And, Op::Or, Op::Xor],
        combine_constants,
    ),
    (&[Op::And, Op::Or], absorb),
    (&[Op::Not], not_compare),
    (
        &[Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge],
        compare_self,
    ),
    (&[Op::Lt, Op::Le, Op::Gt, Op::Ge], compare_with_limit),
    (&[Op::Eq, Op::Ne], compare_bool_constant),
    (&[Op::Select], select_known),
    (&[Op::Select], select_not),
    (&[Op::Select], select_same_condition),
    (&[Op::Select], select_bool),
    (&[Op::Convert], convert_bool_chain),
    (&[Op::Convert], convert_chain),
    (&[Op::Bitcast], bitcast_chain),
    (&[Op::Re, Op::Im], part_of_made),
    (&[Op::Complex], made_of_parts),
];

fn is_int(dtype: DType) -> bool {
    dtype.is_int()
}

/// The constant of the last argument.
fn last_constant(b: &Builder<'_>, args: &[Value]) -> Option<Const> {
    b.func.constant(*args.last()?)
}

/// The number `n` of a dtype; for complex dtypes with a positive zero as imaginary part.
fn number(dtype: DType, n: i8) -> Const {
    match dtype.kind() {
        Kind::Complex => Const::from_bits(dtype, number(dtype.part(), n).bits()),
        Kind::Bool => Const::bool(n != 0),
        Kind::Signed | Kind::Unsigned => Const::int(dtype, n.into()),
        Kind::Float => from_int(dtype, n.into()),
    }
}

/// The exponent of an integer constant that is a power of two.
fn power_of_two(constant: Const) -> Option<u32> {
    let bits = constant.bits();
    let is_power = is_int(constant.dtype()) && bits.is_power_of_two() && constant.as_int() > 0;
    is_power.then(|| bits.trailing_zeros())
}

/// `x + 0 = x`: integers; floats only for -0, because -0 + +0 is +0.
fn add_zero(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    let c = last_constant(b, args)?;
    let neutral = match t.kind() {
        Kind::Float => Const::from_bits(t, 1 << (t.bits() - 1)),
        Kind::Signed | Kind::Unsigned => Const::zero(t),
        Kind::Bool | Kind::Complex => return None,
    };
    (c == neutral).then_some(args[0])
}

/// `x - 0 = x`: integers; floats only for +0, because -0 - -0 is +0.
fn sub_zero(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    let c = last_constant(b, args)?;
    (!t.is_complex() && c == Const::zero(t)).then_some(args[0])
}

/// `x - x = 0`, `x ^ x = 0`: integers and bools; a float may be infinite or NaN.
fn cancel_self(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    let cancels = args[0] == args[1] && !t.is_float() && !t.is_complex();
    cancels.then(|| b.constant(Const::zero(t)))
}

/// `x * 1 = x`, `x / 1 = x`: every real dtype.
fn by_one(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    let c = last_constant(b, args)?;
    (!t.is_complex() && c == number(t, 1)).then_some(args[0])
}

/// `x * -1 = -x`: every signed and float dtype; the sign of a NaN is free.
fn mul_minus_one(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    let c = last_constant(b, args)?;
    let applies = (t.is_float() || t.is_signed()) && c == number(t, -1);
    applies.then(|| b.op(Op::Neg, &args[..1]))
}

/// `x * 0 = 0`, `x & 0 = 0`: integers and bools.
fn by_zero(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    let c = last_constant(b, args)?;
    let applies = (is_int(t) || t == DType::Bool) && c.bits() == 0;
    applies.then(|| b.constant(Const::zero(t)))
}

/// `x * 2^k = x << k`: integers, which wrap alike.
fn mul_power_of_two(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    let k = power_of_two(last_constant(b, args)?)?;
    let amount = b.constant(Const::int(t, k.into()));
    Some(b.op(Op::Shl, &[args[0], amount]))
}

/// `x / 2^k = x * 2^-k`: f32 and f64, if the reciprocal is a normal power of two, so that both round the same number.
fn div_exact_reciprocal(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    let c = last_constant(b, args)?;
    let reciprocal = match t {
        DType::F32 => {
            let r = 1.0 / c.as_f32();
            let is_power = c.bits() & 0x7f_ffff == 0;
            (is_power && r.is_normal() && c.as_f32().is_normal()).then(|| Const::f32(r))
        }
        DType::F64 => {
            let r = 1.0 / c.as_f64();
            let is_power = c.bits() & 0xf_ffff_ffff_ffff == 0;
            (is_power && r.is_normal() && c.as_f64().is_normal()).then(|| Const::f64(r))
        }
        _ => None,
    }?;
    let reciprocal = b.constant(reciprocal);
    Some(b.op(Op::Mul, &[args[0], reciprocal]))
}

/// `x / 2^k = x >> k`: unsigned integers.
fn div_unsigned_power_of_two(
    b: &mut Builder<'_>,
    _: Op,
    args: &[Value],
    t: DType,
) -> Option<Value> {
    let k = power_of_two(last_constant(b, args)?).filter(|_| t.kind() == Kind::Unsigned)?;
    let amount = b.constant(Const::int(t, k.into()));
    Some(b.op(Op::Shr, &[args[0], amount]))
}

/// `x % 2^k = x & (2^k - 1)`: unsigned integers.
fn rem_unsigned_power_of_two(
    b: &mut Builder<'_>,
    _: Op,
    args: &[Value],
    t: DType,
) -> Option<Value> {
    let k = power_of_two(last_constant(b, args)?).filter(|_| t.kind() == Kind::Unsigned)?;
    let mask = b.constant(Const::int(t, (1 << k) - 1));
    Some(b.op(Op::And, &[args[0], mask]))
}

/// A negative dividend plus `2^k - 1`, so that an arithmetic shift rounds towards zero (Hacker's Delight, 10-1).
fn biased(b: &mut Builder<'_>, x: Value, t: DType, k: u32) -> Value {
    let sign_shift = b.constant(Const::int(t, i128::from(t.bits() - 1)));
    let sign = b.op(Op::Shr, &[x, sign_shift]);
    let mask = b.constant(Const::int(t, (1 << k) - 1));
    let bias = b.op(Op::And, &[sign, mask]);
    b.op(Op::Add, &[x, bias])
}

/// `x / 2^k`: signed integers, by a shift of the biased dividend.
fn div_signed_power_of_two(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    let k = power_of_two(last_constant(b, args)?).filter(|k| t.is_signed() && *k > 0)?;
    let biased = biased(b, args[0], t, k);
    let amount = b.constant(Const::int(t, k.into()));
    Some(b.op(Op::Shr, &[biased, amount]))
}

/// `x % 2^k`: signed integers, by taking away the multiple that the biased dividend has.
fn rem_signed_power_of_two(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    let k = power_of_two(last_constant(b, args)?).filter(|_| t.is_signed())?;
    let biased = biased(b, args[0], t, k);
    let mask = b.constant(Const::int(t, -(1 << k)));
    let multiple = b.op(Op::And, &[biased, mask]);
    Some(b.op(Op::Sub, &[args[0], multiple]))
}

/// `-(-x) = x`, `!!x = x`: every dtype.
fn twice(b: &mut Builder<'_>, op: Op, args: &[Value], _: DType) -> Option<Value> {
    match b.func.defining_op(args[0])? {
        (inner, inner_args) if inner == op => Some(inner_args[0]),
        _ => None,
    }
}

/// `|-x| = |x|`, `||x|| = |x|`: signed integers, which wrap alike, and floats; `|x| = x` for unsigned ones.
fn abs_of_sign_change(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    if t.kind() == Kind::Unsigned {
        return Some(args[0]);
    }
    match b.func.defining_op(args[0])? {
        (Op::Abs, _) => Some(args[0]),
        (Op::Neg, inner) => {
            let x = inner[0];
            Some(b.op(Op::Abs, &[x]))
        }
        _ => None,
    }
}

/// `x & x = x`, `x | x = x`, `min(x, x) = x` and so on: every dtype.
fn same_arguments(_: &mut Builder<'_>, _: Op, args: &[Value], _: DType) -> Option<Value> {
    (args[0] == args[1]).then_some(args[0])
}

/// `x | 0 = x`, `x ^ 0 = x`: integers and bools.
fn or_zero(b: &mut Builder<'_>, _: Op, args: &[Value], _: DType) -> Option<Value> {
    (last_constant(b, args)?.bits() == 0).then_some(args[0])
}

/// `x & ones = x`, `x | ones = ones`, `x ^ ones = !x`: integers and bools.
fn by_all_ones(b: &mut Builder<'_>, op: Op, args: &[Value], t: DType) -> Option<Value> {
    let ones = match t {
        DType::Bool => Const::bool(true),
        _ => Const::int(t, -1),
    };
    if last_constant(b, args)? != ones {
        return None;
    }
    Some(match op {
        Op::And => args[0],
        Op::Or => args[1],
        _ => b.op(Op::Not, &args[..1]),
    })
}

/// A shift by a multiple of the width is none: amounts are taken modulo the width.
fn shift_by_zero(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    let amount = last_constant(b, args)?.bits() % u128::from(t.bits());
    (amount == 0).then_some(args[0])
}

/// `x & !x = 0`, `x | !x = ones`, `x ^ !x = ones`: integers and bools.
fn with_complement(b: &mut Builder<'_>, op: Op, args: &[Value], t: DType) -> Option<Value> {
    let complement_of = |v: Value| match b.func.defining_op(v) {
        Some((Op::Not, inner)) => Some(inner[0]),
        _ => None,
    };
    let (x, y) = (args[0], args[1]);
    if complement_of(x) != Some(y) && complement_of(y) != Some(x) {
        return None;
    }
    let value = match (op, t) {
        (Op::And, _) => Const::zero(t),
        (_, DType::Bool) => Const::bool(true),
        _ => Const::int(t, -1),
    };
    Some(b.constant(value))
}

/// `(x + a) + b = x + (a + b)` for constants, and so for other operations: integers, which wrap, and bools.
fn combine_constants(b: &mut Builder<'_>, op: Op, args: &[Value], t: DType) -> Option<Value> {
    let outer = last_constant(b, args).filter(|_| is_int(t) || t == DType::Bool)?;
    let (inner_op, inner_args) = b.func.defining_op(args[0])?;
    let inner = b.func.constant(*inner_args.last()?)?;
    let x = *inner_args.first().filter(|_| inner_op == op)?;
    let combined = b.constant(eval(op, &[inner, outer], t));
    Some(b.op(op, &[x, combined]))
}

/// `x & (x & y) = x & y`, `x & (x | y) = x`, and the same with `&` and `|` exchanged: integers and bools.
fn absorb(b: &mut Builder<'_>, op: Op, args: &[Value], _: DType) -> Option<Value> {
    for (x, other) in [(args[0], args[1]), (args[1], args[0])] {
        match b.func.defining_op(other) {
            Some((inner, parts)) if inner == op && parts.contains(&x) => return Some(other),
            Some((Op::And | Op::Or, parts)) if parts.contains(&x) => return Some(x),
            _ => {}
        }
    }
    None
}

/// `!(a < b)` is `a >= b` and so on: integers; for floats and the rest only `!(a == b)` is `a != b` and back.
fn not_compare(b: &mut Builder<'_>, _: Op, args: &[Value], _: DType) -> Option<Value> {
    let (op, inner) = b.func.defining_op(args[0])?;
    let inner = inner.to_vec();
    let ordered = inner.first().is_some_and(|v| is_int(b.func.dtype(*v)));
    let opposite = match op {
        Op::Eq => Op::Ne,
        Op::Ne => Op::Eq,
        Op::Lt if ordered => Op::Ge,
        Op::Ge if ordered => Op::Lt,
        Op::Gt if ordered => Op::Le,
        Op::Le if ordered => Op::Gt,
        _ => return None,
    };
    Some(b.op(opposite, &inner))
}

/// `x == x` and so on: integers and bools; a NaN is not equal to itself.
fn compare_self(b: &mut Builder<'_>, op: Op, args: &[Value], _: DType) -> Option<Value> {
    let t = b.func.dtype(args[0]);
    let applies = args[0] == args[1] && (is_int(t) || t == DType::Bool);
    let holds = matches!(op, Op::Eq | Op::Le | Op::Ge);
    applies.then(|| b.constant(Const::bool(holds)))
}

/// `x < MIN`, `x > MAX` are false, `x >= MIN`, `x <= MAX` true: integers.
fn compare_with_limit(b: &mut Builder<'_>, op: Op, args: &[Value], _: DType) -> Option<Value> {
    let t = b.func.dtype(args[0]);
    let limit = b.func.constant(args[1]).filter(|_| is_int(t))?;
    let sign = if t.is_signed() {
        1 << (t.bits() - 1)
    } else {
        0
    };
    let min = Const::from_bits(t, sign);
    let max = Const::from_bits(t, !sign);
    let known = match op {
        Op::Lt | Op::Ge => limit == min,
        _ => limit == max,
    };
    known.then(|| b.constant(Const::bool(matches!(op, Op::Ge | Op::Le))))
}

/// `x == true` is `x`, `x == false` is `!x`, and the opposite for `!=`: bools.
fn compare_bool_constant(b: &mut Builder<'_>, op: Op, args: &[Value], _: DType) -> Option<Value> {
    let c = last_constant(b, args).filter(|c| c.dtype() == DType::Bool)?;
    match c.as_bool() == (op == Op::Eq) {
        true => Some(args[0]),
        false => Some(b.op(Op::Not, &args[..1])),
    }
}

/// A select between equal values, or on a constant: every dtype.
fn select_known(b: &mut Builder<'_>, _: Op, args: &[Value], _: DType) -> Option<Value> {
    if args[1] == args[2] {
        return Some(args[1]);
    }
    let c = b.func.constant(args[0])?;
    Some(if c.as_bool() { args[1] } else { args[2] })
}

/// `select(!c, a, b) = select(c, b, a)`: every dtype.
fn select_not(b: &mut Builder<'_>, _: Op, args: &[Value], _: DType) -> Option<Value> {
    match b.func.defining_op(args[0])? {
        (Op::Not, inner) => {
            let c = inner[0];
            Some(b.op(Op::Select, &[c, args[2], args[1]]))
        }
        _ => None,
    }
}

/// `select(c, select(c, x, _), y) = select(c, x, y)`, and the same in the other arm: every dtype.
fn select_same_condition(b: &mut Builder<'_>, _: Op, args: &[Value], _: DType) -> Option<Value> {
    let arm = |i: usize| match b.func.defining_op(args[i]) {
        Some((Op::Select, inner)) if inner[0] == args[0] => inner[i],
        _ => args[i],
    };
    let arms = [args[0], arm(1), arm(2)];
    (arms[..] != *args).then(|| b.op(Op::Select, &arms))
}

/// A select of bools of which one is constant is an `and` or `or`.
fn select_bool(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    if t != DType::Bool {
        return None;
    }
    let [c, x, y] = [args[0], args[1], args[2]];
    let known = |v| b.func.constant(v).map(Const::as_bool);
    match (known(x), known(y)) {
        (Some(true), Some(false)) => Some(c),
        (Some(false), Some(true)) => Some(b.op(Op::Not, &[c])),
        (Some(true), _) => Some(b.op(Op::Or, &[c, y])),
        (_, Some(false)) => Some(b.op(Op::And, &[c, x])),
        (Some(false), _) => {
            let not = b.op(Op::Not, &[c]);
            Some(b.op(Op::And, &[not, y]))
        }
        (_, Some(true)) => {
            let not = b.op(Op::Not, &[c]);
            Some(b.op(Op::Or, &[not, x]))
        }
        (None, None) => None,
    }
}

/// `(c as T) as bool = c` for a bool `c`: 0 and 1 are told apart in every dtype.
fn convert_bool_chain(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    match b.func.defining_op(args[0])? {
        (Op::Convert, inner) if t == DType::Bool && b.func.dtype(inner[0]) == t => Some(inner[0]),
        _ => None,
    }
}

/// `(x as B) as C = x as C` where B holds every value of x's dtype, and `x` itself where that is C; not for an integer
/// that goes through a float to an integer, because floats saturate where integers wrap.
fn convert_chain(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    let (op, inner) = b.func.defining_op(args[0])?;
    let x = *inner.first().filter(|_| op == Op::Convert)?;
    let (from, via) = (b.func.dtype(x), b.func.dtype(args[0]));
    let saturates = is_int(from) && via.is_float() && !t.is_float();
    let applies = holds_all(from, via) && !saturates && t != DType::Bool && !t.is_complex();
    applies.then(|| b.convert(x, t))
}

/// Whether every value of one real dtype is a value of the other.
fn holds_all(from: DType, to: DType) -> bool {
    let digits = |d: DType| match d {
        DType::BF16 => 8,
        DType::F16 => 11,
        DType::F32 => 24,
        DType::F64 => 53,
        int => int.bits() - u32::from(int.is_signed()),
    };
    match (from.kind(), to.kind()) {
        (Kind::Unsigned, Kind::Unsigned | Kind::Signed) => digits(from) <= digits(to),
        (Kind::Signed, Kind::Signed) => digits(from) <= digits(to),
        (Kind::Unsigned | Kind::Signed, Kind::Float) => digits(from) <= digits(to),
        (Kind::Float, Kind::Float) => matches!(
            (from, to),
            (DType::F16 | DType::BF16, DType::F32 | DType::F64) | (DType::F32, DType::F64)
        ),
        _ => false,
    }
}

/// Two bit casts are one, or none: every dtype that has them.
fn bitcast_chain(b: &mut Builder<'_>, _: Op, args: &[Value], t: DType) -> Option<Value> {
    if b.func.dtype(args[0]) == t {
        return Some(args[0]);
    }
    let (op, inner) = b.func.defining_op(args[0])?;
    let x = *inner.first().filter(|_| op == Op::Bitcast)?;
    Some(b.bitcast(x, t))
}

/// The parts of `complex(re, im)` are `re` and `im`.
fn part_of_made(b: &mut Builder<'_>, op: Op, args: &[Value], _: DType) -> Option<Value> {
    match b.func.defining_op(args[0])? {
        (Op::Complex, parts) => Some(parts[usize::from(op == Op::Im)]),
        _ => None,
    }
}

/// `complex(re(z), im(z)) = z`.
fn made_of_parts(b: &mut Builder<'_>, _: Op, args: &[Value], _: DType) -> Option<Value> {
    match (b.func.defining_op(args[0])?, b.func.defining_op(args[1])?) {
        ((Op::Re, a), (Op::Im, b)) if a[0] == b[0] => Some(a[0]),
        _ => None,
    }
}
