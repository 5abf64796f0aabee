//! Multiplication by powers of two.

use super::{Cx, Src};
use crate::native::codes::VecOp;
use ufc_ir::func::Value;
use ufc_ir::ops::Op;
use ufc_ir::{Const, DType};

/// A power of which any number of f32 or f64 makes zero or infinity.
const LARGE: f64 = 16384.0;

/// How deep definitions are looked into for bounds.
const DEPTH: usize = 8;

impl Cx<'_> {
    /// `scalb`. The instruction rounds once, as asked for; only endless powers mean something else to it, which makes
    /// NaN of a zero and an endless power, and a number of NaN and one.
    pub(super) fn scalb(&mut self, args: &[Value], result: Value) {
        let dtype = self.func.dtype(result);
        let lane = self.lane(dtype);
        let (low, high) = self.bounds(args[1], DEPTH);
        let (x, n) = (self.lanes(args[0]), self.lanes(args[1]));
        let scaled = self.zip(&x, &n, |cx, x, mut n| {
            // The machine's minimum and maximum give their second argument where it is NaN.
            if high.is_infinite() {
                let limit = cx.splat(float(dtype, LARGE));
                n = Src::Reg(cx.vec_op(VecOp::Min, lane, &[limit, n]));
            }
            if low.is_infinite() {
                let limit = cx.splat(float(dtype, -LARGE));
                n = Src::Reg(cx.vec_op(VecOp::Max, lane, &[limit, n]));
            }
            cx.vec_op(VecOp::Scale, lane, &[x, n])
        });
        self.set_lanes(result, scaled.into_iter().map(Src::Reg).collect());
    }

    /// What a float is not below and not above, unless it is NaN; about, as roundings are left out.
    fn bounds(&self, value: Value, depth: usize) -> (f64, f64) {
        let none = (f64::NEG_INFINITY, f64::INFINITY);
        if let Some(constant) = self.func.constant(value) {
            let number = number(constant);
            return if number.is_finite() {
                (number, number)
            } else {
                none
            };
        }
        let Some((op, args)) = self.func.defining_op(value) else {
            return none;
        };
        let dtype = self.func.dtype(value);
        if depth == 0 || !matches!(dtype, DType::F32 | DType::F64) {
            return none;
        }
        let of = |i: usize| match self.func.dtype(args[i]) == dtype {
            true => self.bounds(args[i], depth - 1),
            false => none,
        };
        let corners = |a: (f64, f64), b: (f64, f64)| {
            let all = [a.0 * b.0, a.0 * b.1, a.1 * b.0, a.1 * b.1];
            match all.iter().any(|x| x.is_nan()) {
                true => none,
                false => all
                    .iter()
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| {
                        (l.min(*x), h.max(*x))
                    }),
            }
        };
        // Infinities of different signs do not meet: no lower bound is +inf, and no upper one -inf.
        let sum = |a: (f64, f64), b: (f64, f64)| (a.0 + b.0, a.1 + b.1);
        let (low, high) = match op {
            Op::Minimum => {
                let (a, b) = (of(0), of(1));
                (a.0.min(b.0), a.1.min(b.1))
            }
            Op::Maximum => {
                let (a, b) = (of(0), of(1));
                (a.0.max(b.0), a.1.max(b.1))
            }
            Op::Add => sum(of(0), of(1)),
            Op::Sub => {
                let b = of(1);
                sum(of(0), (-b.1, -b.0))
            }
            Op::Mul => corners(of(0), of(1)),
            Op::MulAdd => sum(corners(of(0), of(1)), of(2)),
            Op::Neg => {
                let a = of(0);
                (-a.1, -a.0)
            }
            _ => none,
        };
        // What is so large may have been rounded to an infinity.
        let limit = 1e30;
        (
            if low < -limit {
                f64::NEG_INFINITY
            } else {
                low.min(limit)
            },
            if high > limit {
                f64::INFINITY
            } else {
                high.max(-limit)
            },
        )
    }
}

fn number(constant: Const) -> f64 {
    match constant.dtype() {
        DType::F32 => constant.as_f32().into(),
        DType::F64 => constant.as_f64(),
        _ => f64::NAN,
    }
}

fn float(dtype: DType, number: f64) -> Const {
    match dtype {
        DType::F32 => Const::f32(number as f32),
        _ => Const::f64(number),
    }
}
