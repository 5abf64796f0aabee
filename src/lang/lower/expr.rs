//! Expressions.

use super::Lowering;
use super::exits::Target;
use crate::hir::{ExprId, ExprKind};
use ufc_ir::func::Value;
use ufc_ir::ops::{AnyOp, Op};
use ufc_ir::{Const, DType};

impl Lowering<'_> {
    /// Lowers an expression; gives its numbers. Chains that lean to the left are walked with a list.
    pub(super) fn expr(&mut self, id: ExprId) -> Vec<Value> {
        let body = self.frame().body.clone();
        let mut chain = Vec::new();
        let mut at = id;
        loop {
            let left = match &body.expr(at).kind {
                ExprKind::Op(_, args) => args[0],
                ExprKind::Convert(a)
                | ExprKind::Bitcast(a)
                | ExprKind::IntPower(a, _)
                | ExprKind::Part(a, ..) => *a,
                ExprKind::And(a, _) | ExprKind::Or(a, _) => *a,
                _ => break,
            };
            chain.push(at);
            at = left;
        }
        self.depth += 1;
        let mut values = if self.too_large(body.expr(at).span) || self.dead {
            self.zeros(&body.expr(at).ty)
        } else {
            self.one(at)
        };
        for id in chain.into_iter().rev() {
            values = if self.dead || self.too_large(body.expr(id).span) {
                self.zeros(&body.expr(id).ty)
            } else {
                self.with_left(id, values)
            };
        }
        self.depth -= 1;
        values
    }

    fn with_left(&mut self, id: ExprId, left: Vec<Value>) -> Vec<Value> {
        let body = self.frame().body.clone();
        let expr = body.expr(id);
        let dtype = expr.ty.flat().first().copied().unwrap_or(DType::Bool);
        match &expr.kind {
            ExprKind::Op(op, args) => {
                let mut values = left;
                for arg in &args[1..] {
                    values.extend(self.expr(*arg));
                }
                if self.dead || self.stopped {
                    self.zeros(&expr.ty)
                } else {
                    self.any_op(*op, &values)
                }
            }
            ExprKind::Convert(_) => vec![self.convert(left[0], dtype)],
            ExprKind::Bitcast(_) => vec![self.bitcast(left[0], dtype)],
            ExprKind::IntPower(_, power) => vec![self.int_power(left[0], *power)],
            ExprKind::Part(_, start, len) => left[*start..start + len].to_vec(),
            ExprKind::And(_, rhs) => vec![self.logic(true, left[0], *rhs)],
            ExprKind::Or(_, rhs) => vec![self.logic(false, left[0], *rhs)],
            _ => left,
        }
    }

    fn one(&mut self, id: ExprId) -> Vec<Value> {
        let body = self.frame().body.clone();
        let expr = body.expr(id);
        match &expr.kind {
            ExprKind::Const(value) => vec![self.constant(*value)],
            ExprKind::Local(local) => self.get(*local),
            ExprKind::Index(axis) => vec![self.builder().index(*axis)],
            ExprKind::Tuple(members) => members.iter().flat_map(|m| self.expr(*m)).collect(),
            ExprKind::Call(item, types, args) => {
                let args: Vec<Value> = args.iter().flat_map(|arg| self.expr(*arg)).collect();
                if self.dead {
                    return self.zeros(&expr.ty);
                }
                match self.body(*item, types) {
                    Some(callee) => self.inlined(*item, types, &callee, args),
                    None => {
                        self.stopped = true;
                        self.zeros(&expr.ty)
                    }
                }
            }
            ExprKind::If(condition, then, otherwise) => {
                self.if_expr(*condition, *then, *otherwise, &expr.ty)
            }
            ExprKind::Block(stmts, tail) => self.block(stmts, *tail, &expr.ty),
            ExprKind::Loop(loop_id, kind, inner) => {
                self.loop_expr(*loop_id, kind, *inner, &expr.ty)
            }
            ExprKind::Assign(binding, value) => {
                let values = self.expr(*value);
                if !self.dead {
                    self.bind(binding, &values);
                }
                Vec::new()
            }
            ExprKind::Break(loop_id, value) => {
                let given = value.map_or(Vec::new(), |v| self.expr(v));
                if !self.dead {
                    self.break_loop(*loop_id, given);
                }
                self.zeros(&expr.ty)
            }
            ExprKind::Continue(loop_id) => {
                self.continue_loop(*loop_id);
                self.zeros(&expr.ty)
            }
            ExprKind::Return(value) => {
                let given = value.map_or(Vec::new(), |v| self.expr(v));
                if !self.dead {
                    let frame = self.frame().id;
                    self.jump(Target::Return(frame), given);
                }
                self.zeros(&expr.ty)
            }
            ExprKind::Op(..)
            | ExprKind::Convert(_)
            | ExprKind::Bitcast(_)
            | ExprKind::IntPower(..)
            | ExprKind::Part(..)
            | ExprKind::And(..)
            | ExprKind::Or(..) => self.expr(id),
        }
    }

    /// Repeated squaring; integers wrap, so the order of the products does not matter.
    fn int_power(&mut self, base: Value, mut power: u32) -> Value {
        let dtype = self.func.dtype(base);
        let mut square = base;
        let mut product: Option<Value> = None;
        while power > 0 {
            if power % 2 == 1 {
                product = Some(match product {
                    Some(product) => self.op(Op::Mul, &[product, square]),
                    None => square,
                });
            }
            power /= 2;
            if power > 0 {
                square = self.op(Op::Mul, &[square, square]);
            }
        }
        product.unwrap_or_else(|| self.constant(Const::int(dtype, 1)))
    }

    /// An operation on values that were made here.
    pub(super) fn core(&mut self, op: Op, a: Value, b: Value) -> Value {
        self.any_op(AnyOp::Core(op), &[a, b])[0]
    }
}
