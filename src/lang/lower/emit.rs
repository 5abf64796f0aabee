//! Appending instructions: constants are folded on the way, and conditions that are known need no instruction.

use super::Lowering;
use ufc_ir::builder::Builder;
use ufc_ir::func::Value;
use ufc_ir::ops::{AnyOp, Op};
use ufc_ir::{Const, DType};

/// A condition that may be known already.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cond {
    Known(bool),
    Value(Value),
}

impl Lowering<'_> {
    pub(super) fn builder(&mut self) -> Builder<'_> {
        Builder::at(&mut self.func, self.region)
    }

    pub(super) fn constant(&mut self, value: Const) -> Value {
        self.builder().constant(value)
    }

    pub(super) fn int(&mut self, dtype: DType, value: i128) -> Value {
        self.constant(Const::int(dtype, value))
    }

    pub(super) fn zero(&mut self, dtype: DType) -> Value {
        self.constant(Const::zero(dtype))
    }

    fn known_args(&self, args: &[Value]) -> Option<Vec<Const>> {
        args.iter().map(|v| self.func.constant(*v)).collect()
    }

    /// A core operation; of constants, its value.
    pub(super) fn op(&mut self, op: Op, args: &[Value]) -> Value {
        if let Some(known) = self.known_args(args) {
            let dtypes: Vec<DType> = known.iter().map(|c| c.dtype()).collect();
            if let Ok(dtype) = op.info().rule.check(&dtypes, None) {
                return self.constant(ufc_ir::eval::eval(op, &known, dtype));
            }
        }
        self.builder().op(op, args)
    }

    pub(super) fn any_op(&mut self, op: AnyOp, args: &[Value]) -> Vec<Value> {
        match op {
            AnyOp::Core(Op::Not) if self.func.dtype(args[0]) == DType::Bool => {
                let negated = self.not(Cond::Value(args[0]));
                vec![self.cond_value(negated)]
            }
            AnyOp::Core(op) => vec![self.op(op, args)],
            AnyOp::Math(f) => self.builder().math(f, args),
        }
    }

    pub(super) fn convert(&mut self, value: Value, to: DType) -> Value {
        match self.func.constant(value) {
            Some(known) if known.dtype() != to => {
                self.constant(ufc_ir::eval::eval(Op::Convert, &[known], to))
            }
            _ => self.builder().convert(value, to),
        }
    }

    pub(super) fn bitcast(&mut self, value: Value, to: DType) -> Value {
        match self.func.constant(value) {
            Some(known) => self.constant(Const::from_bits(to, known.bits())),
            None => self.builder().bitcast(value, to),
        }
    }

    pub(super) fn cond(&self, value: Value) -> Cond {
        self.func
            .constant(value)
            .map_or(Cond::Value(value), |c| Cond::Known(c.as_bool()))
    }

    pub(super) fn cond_value(&mut self, cond: Cond) -> Value {
        match cond {
            Cond::Known(known) => self.constant(Const::bool(known)),
            Cond::Value(value) => value,
        }
    }

    pub(super) fn not(&mut self, cond: Cond) -> Cond {
        let value = match cond {
            Cond::Known(known) => return Cond::Known(!known),
            Cond::Value(value) => value,
        };
        if let Some((region, known)) = self.inverses.get(&value)
            && region.is_none_or(|region| region == self.region)
        {
            return self.cond(*known);
        }
        let negated = self.negated(value);
        // What a value was made from can be used wherever the value can; the other way only in this region.
        self.inverses.insert(negated, (None, value));
        self.inverses.insert(value, (Some(self.region), negated));
        self.cond(negated)
    }

    fn negated(&mut self, value: Value) -> Value {
        if let Some((op, args)) = self.func.defining_op(value) {
            let args = args.to_vec();
            // Floats compare otherwise when one is not a number.
            let exact = args.first().is_some_and(|a| self.func.dtype(*a).is_int());
            let opposite = match op {
                Op::Lt if exact => Some(Op::Ge),
                Op::Le if exact => Some(Op::Gt),
                Op::Gt if exact => Some(Op::Le),
                Op::Ge if exact => Some(Op::Lt),
                Op::Eq => Some(Op::Ne),
                Op::Ne => Some(Op::Eq),
                _ => None,
            };
            if let Some(opposite) = opposite {
                return self.op(opposite, &args);
            }
        }
        self.op(Op::Not, &[value])
    }

    pub(super) fn and(&mut self, a: Cond, b: Cond) -> Cond {
        match (a, b) {
            (Cond::Known(false), _) | (_, Cond::Known(false)) => Cond::Known(false),
            (Cond::Known(true), other) | (other, Cond::Known(true)) => other,
            (Cond::Value(x), Cond::Value(y)) if x == y => a,
            (Cond::Value(x), Cond::Value(y)) => {
                let value = self.op(Op::And, &[x, y]);
                self.cond(value)
            }
        }
    }

    pub(super) fn or(&mut self, a: Cond, b: Cond) -> Cond {
        match (a, b) {
            (Cond::Known(true), _) | (_, Cond::Known(true)) => Cond::Known(true),
            (Cond::Known(false), other) | (other, Cond::Known(false)) => other,
            (Cond::Value(x), Cond::Value(y)) if x == y => a,
            (Cond::Value(x), Cond::Value(y)) => {
                let value = self.op(Op::Or, &[x, y]);
                self.cond(value)
            }
        }
    }

    /// `a` where the condition holds, else `b`.
    pub(super) fn select(&mut self, cond: Cond, a: Value, b: Value) -> Value {
        match cond {
            Cond::Known(true) => a,
            Cond::Known(false) => b,
            Cond::Value(_) if self.same(a, b) => a,
            Cond::Value(cond) => self.op(Op::Select, &[cond, a, b]),
        }
    }

    /// Whether two values are one, or equal constants.
    pub(super) fn same(&self, a: Value, b: Value) -> bool {
        a == b
            || self
                .func
                .constant(a)
                .is_some_and(|c| Some(c) == self.func.constant(b))
    }
}
