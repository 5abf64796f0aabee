//! Operators and builtin functions, all checked by the rules of the table of operations.

use super::infer::{Known, Lit, Ty};
use super::promote::{float_for, promote};
use super::{Checker, Pending};
use crate::ast::{self, BinaryOp};
use crate::codes::Code;
use crate::hir::{ExprId, ExprKind};
use crate::resolve::builtins;
use crate::span::Span;
use ufc_ir::ops::{AnyOp, Rule};
use ufc_ir::{Const, DType, TypeSet};

/// Name of the operation that an operator is; `&&` and `||` are control flow.
const fn op_name(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Or | BinaryOp::BitOr => "or",
        BinaryOp::And | BinaryOp::BitAnd => "and",
        BinaryOp::Eq => "eq",
        BinaryOp::Ne => "ne",
        BinaryOp::Lt => "lt",
        BinaryOp::Le => "le",
        BinaryOp::Gt => "gt",
        BinaryOp::Ge => "ge",
        BinaryOp::BitXor => "xor",
        BinaryOp::Shl => "shl",
        BinaryOp::Shr => "shr",
        BinaryOp::Add => "add",
        BinaryOp::Sub => "sub",
        BinaryOp::Mul => "mul",
        BinaryOp::Div => "div",
        BinaryOp::Rem => "rem",
    }
}

/// What became of checking an operation.
enum Outcome {
    /// It has its types.
    Done,
    /// More must be known first.
    Waits,
    /// An error was reported.
    Failed,
}

impl<'a> Checker<'a, '_> {
    pub(super) fn logic(
        &mut self,
        op: BinaryOp,
        lhs: ExprId,
        rhs: ast::ExprId,
        span: Span,
    ) -> ExprId {
        let ty = self.types.dtype(DType::Bool);
        self.demand(lhs, ty);
        // Whether the right side is evaluated depends on the left: a jump in it is not certain.
        let before = self.diverges;
        let rhs = self.infer(rhs);
        self.diverges = before;
        self.demand(rhs, ty);
        let kind = if op == BinaryOp::And {
            ExprKind::And(lhs, rhs)
        } else {
            ExprKind::Or(lhs, rhs)
        };
        self.add(kind, ty, span)
    }

    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        op_span: Span,
        lhs: ExprId,
        rhs: ExprId,
        span: Span,
    ) -> ExprId {
        if op.is_shift() {
            return self.shift(op, op_span, lhs, rhs, span);
        }
        self.builtin(op_name(op), op.sign(), op_span, vec![lhs, rhs], span)
    }

    /// The amount of a shift may be of any integer type.
    fn shift(
        &mut self,
        op: BinaryOp,
        op_span: Span,
        lhs: ExprId,
        rhs: ExprId,
        span: Span,
    ) -> ExprId {
        let (ty, amount) = (self.ty(lhs), self.ty(rhs));
        if !self.types.restrict(amount, TypeSet::INT) {
            self.not_int(rhs, "the amount of a shift is an integer");
            return self.poison(span);
        }
        let amount = if self.types.lit(amount).is_some() {
            self.types.unify(ty, amount);
            rhs
        } else {
            self.add(ExprKind::Convert(rhs), ty, self.span(rhs))
        };
        self.builtin(op_name(op), op.sign(), op_span, vec![lhs, amount], span)
    }

    /// An operation or function of the table. `shown` is how the user wrote it.
    pub(super) fn builtin(
        &mut self,
        name: &str,
        shown: &str,
        name_span: Span,
        args: Vec<ExprId>,
        span: Span,
    ) -> ExprId {
        let all = builtins(name);
        let ops: Vec<AnyOp> = all
            .iter()
            .copied()
            .filter(|op| op.rule().arity() == args.len())
            .collect();
        let Some(first) = ops.first() else {
            let expected = all.first().map_or(0, |op| op.rule().arity());
            self.wrong_count(
                shown,
                name_span,
                expected,
                args.len(),
                all.first().map(|op| op.rule().to_string()),
            );
            return self.poison(span);
        };
        let args = if self.scope.promote {
            self.promoted(&ops, args)
        } else {
            args
        };
        let ty = self.types.any();
        let expr = self.add(ExprKind::Op(*first, args.clone()), ty, span);
        let pending = Pending {
            expr,
            ops,
            args,
            name: shown.to_string(),
            name_span,
        };
        if !self.resolve_pending(&pending) {
            self.pending.push(pending);
        }
        expr
    }

    /// Checks a waiting operation if enough is known by now; whether it need not wait any longer.
    pub(super) fn resolve_pending(&mut self, pending: &Pending) -> bool {
        match self.try_operation(pending) {
            Outcome::Done => {
                self.ops.push((pending.expr, pending.ops.clone()));
                true
            }
            Outcome::Waits => false,
            Outcome::Failed => {
                let (ty, error) = (self.ty(pending.expr), self.types.error());
                self.types.unify(ty, error);
                self.exprs[pending.expr.0 as usize].ty = error;
                true
            }
        }
    }

    fn try_operation(&mut self, pending: &Pending) -> Outcome {
        if pending
            .args
            .iter()
            .any(|arg| self.types.is_error(self.exprs[arg.0 as usize].ty))
        {
            return Outcome::Failed;
        }
        let key = pending.ops[0].rule().key();
        let key_ty = self.ty(pending.args[key]);
        let all = pending
            .ops
            .iter()
            .fold(TypeSet::EMPTY, |set, op| set.or(op.rule().set()));
        let known = match self.types.known(key_ty) {
            Known::Scalar(set) => set,
            Known::Any if pending.ops.len() == 1 => all,
            Known::Any => return Outcome::Waits,
            Known::Tuple(_) => TypeSet::EMPTY,
            Known::Error => return Outcome::Failed,
        };
        let fitting: Vec<Rule> = pending
            .ops
            .iter()
            .map(|op| op.rule())
            .filter(|rule| !rule.set().and(known).is_empty())
            .collect();
        let Some(rule) = fitting.first().copied() else {
            self.not_taken(pending, key, all);
            return Outcome::Failed;
        };
        if fitting
            .iter()
            .any(|other| std::mem::discriminant(other) != std::mem::discriminant(&rule))
        {
            return Outcome::Waits;
        }
        let set = fitting
            .iter()
            .fold(TypeSet::EMPTY, |set, rule| set.or(rule.set()));
        self.apply(pending, rule, set)
    }

    /// Draws all conclusions from a rule.
    fn apply(&mut self, pending: &Pending, rule: Rule, set: TypeSet) -> Outcome {
        let key = rule.key();
        let key_ty = self.ty(pending.args[key]);
        for (index, arg) in pending
            .args
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != key)
        {
            let wanted = match rule {
                Rule::Rotate(_) => self.types.dtype(DType::U32),
                Rule::IntPower(_) => self.types.dtype(DType::I32),
                Rule::Select(_) if index == 0 => self.types.dtype(DType::Bool),
                _ => key_ty,
            };
            let ty = self.ty(*arg);
            if !self.types.unify(wanted, ty) {
                if wanted == key_ty {
                    self.mixed(pending, key, index);
                } else {
                    self.mismatch(*arg, wanted, None);
                }
                return Outcome::Failed;
            }
        }
        if !self.types.restrict(key_ty, set) {
            self.not_taken(pending, key, set);
            return Outcome::Failed;
        }
        let result = self.ty(pending.expr);
        match self.rule_result(rule, key_ty, result) {
            Some(ty) if self.types.unify(result, ty) => Outcome::Done,
            Some(ty) => {
                // Something else was concluded of the result before the arguments were known.
                self.exprs[pending.expr.0 as usize].ty = ty;
                self.mismatch(pending.expr, result, None);
                Outcome::Failed
            }
            None => Outcome::Waits,
        }
    }

    /// Type of the result; none if it depends on a dtype that is not known yet.
    fn rule_result(&mut self, rule: Rule, key: Ty, result: Ty) -> Option<Ty> {
        match rule {
            Rule::Two(_) => Some(self.types.tuple(vec![key, key])),
            Rule::Compare(_) | Rule::Predicate(_) => Some(self.types.dtype(DType::Bool)),
            Rule::Count(_) => Some(self.types.dtype(DType::U32)),
            Rule::MakeComplex | Rule::Part | Rule::Distance(_) => {
                if self.types.concrete(key).is_none()
                    && let Some(dtype) = self.types.concrete(result)
                {
                    // The place asks for this result, so the argument is its counterpart.
                    let back = match rule {
                        Rule::MakeComplex => Some(dtype.part()),
                        Rule::Part => dtype.complex_of(),
                        _ => None,
                    };
                    let back = back.map(|d| self.types.dtype(d));
                    back.map(|ty| self.types.unify(key, ty));
                }
                let dtype = rule.result(self.types.concrete(key)?)?;
                Some(self.types.dtype(dtype))
            }
            _ => Some(key),
        }
    }

    /// Chooses among the rows of one name, once all dtypes are known.
    pub(super) fn settle_ops(&mut self) {
        for (expr, ops) in std::mem::take(&mut self.ops) {
            let ExprKind::Op(_, args) = &self.exprs[expr.0 as usize].kind else {
                continue;
            };
            let args = args.clone();
            let dtypes: Option<Vec<DType>> = args
                .iter()
                .map(|arg| self.types.concrete(self.exprs[arg.0 as usize].ty))
                .collect();
            let Some(dtypes) = dtypes else { continue };
            let chosen = ops
                .into_iter()
                .find(|op| op.rule().check(&dtypes, None).is_ok());
            match chosen {
                Some(op) => self.exprs[expr.0 as usize].kind = ExprKind::Op(op, args),
                None => {
                    let span = self.span(expr);
                    self.internal(span, "an operation was checked but has no row in the table");
                }
            }
        }
    }

    pub(super) fn internal(&mut self, span: Span, what: &str) {
        let error = crate::diag::Diagnostic::error(Code::Internal, span, what, "found here");
        self.report(error.note("this is a bug in ufc; please report it with the kernel"));
    }

    /// One-line expressions: brings the arguments of an operation to a common dtype, as NumPy does.
    fn promoted(&mut self, ops: &[AnyOp], args: Vec<ExprId>) -> Vec<ExprId> {
        let rule = ops[0].rule();
        let shared = |index: usize| match rule {
            Rule::Rotate(_) | Rule::IntPower(_) => index == 0,
            Rule::Select(_) => index > 0,
            _ => true,
        };
        let set = ops
            .iter()
            .fold(TypeSet::EMPTY, |set, op| set.or(op.rule().set()));
        let mut common: Option<DType> = None;
        let mut literals = Vec::new();
        for (_, arg) in args.iter().enumerate().filter(|(index, _)| shared(*index)) {
            let ty = self.ty(*arg);
            match (self.types.lit(ty), self.types.concrete(ty)) {
                (Some(lit), _) => literals.push(lit),
                (None, Some(dtype)) => common = Some(common.map_or(dtype, |c| promote(c, dtype))),
                (None, None) => return args,
            }
        }
        let Some(mut common) = common else {
            return args;
        };
        // A number without suffix counts only by its kind: a float makes floats of integers.
        if literals.contains(&Lit::Float) {
            common = if common.is_int() || common == DType::Bool {
                DType::F64
            } else {
                common
            };
        } else if !literals.is_empty() && common == DType::Bool {
            common = DType::I32;
        }
        if !set.contains(common) && set.is_subset(TypeSet::FIELD) {
            common = float_for(common);
        }
        let mut converted = Vec::new();
        for (index, arg) in args.into_iter().enumerate() {
            let is_other = self.types.concrete(self.ty(arg)) != Some(common);
            let open = self.types.lit(self.ty(arg)).is_some();
            converted.push(if shared(index) && is_other && !open {
                self.converted(arg, common)
            } else {
                arg
            });
        }
        converted
    }

    fn converted(&mut self, arg: ExprId, dtype: DType) -> ExprId {
        let ty = self.types.dtype(dtype);
        let span = self.span(arg);
        self.add(ExprKind::Convert(arg), ty, span)
    }

    /// `x.to_bits()`.
    pub(super) fn bits_of(&mut self, value: ExprId, span: Span) -> ExprId {
        let from = self.ty(value);
        if self.types.lit(from).is_some() {
            self.types.restrict(from, TypeSet::FLOAT);
            self.types.decide(from);
        }
        match self
            .types
            .concrete(from)
            .filter(|d| d.is_float())
            .and_then(DType::bits_dtype)
        {
            Some(dtype) => {
                let ty = self.types.dtype(dtype);
                self.add(ExprKind::Bitcast(value), ty, span)
            }
            None => {
                self.not_float(value, "`to_bits` takes a float");
                self.poison(span)
            }
        }
    }

    /// `f32::from_bits(u)`.
    pub(super) fn float_of_bits(&mut self, dtype: DType, value: ExprId, span: Span) -> ExprId {
        let Some(bits) = dtype.bits_dtype().filter(|_| dtype.is_float()) else {
            self.not_float(value, "only floats have `from_bits`");
            return self.poison(span);
        };
        let wanted = self.types.dtype(bits);
        self.demand(value, wanted);
        let ty = self.types.dtype(dtype);
        self.add(ExprKind::Bitcast(value), ty, span)
    }

    fn not_float(&mut self, value: ExprId, message: &str) {
        self.not_int(value, message);
    }

    /// `n.pow(3)` on integers, with a constant power.
    pub(super) fn int_power(
        &mut self,
        base: ExprId,
        power: ast::ExprId,
        span: Span,
    ) -> Option<ExprId> {
        let ty = self.ty(base);
        let is_int =
            matches!(self.types.known(ty), Known::Scalar(set) if set.is_subset(TypeSet::INT));
        if !is_int {
            return None;
        }
        let exponent = match &self.scope.module[power].kind {
            ast::ExprKind::Number { text, .. } => crate::literal::Literal::parse(text).ok(),
            _ => None,
        };
        let exponent = exponent
            .and_then(|l| l.to_const(DType::U32, false))
            .map(Const::bits);
        match exponent {
            Some(exponent) => Some(self.add(ExprKind::IntPower(base, exponent as u32), ty, span)),
            None => {
                let at = self.scope.module[power].span;
                let message = "the power of an integer must be written as a whole number";
                let error =
                    crate::diag::Diagnostic::error(Code::NotTaken, at, message, "not a number");
                self.report(error.help(
                    "write a loop that multiplies, or convert to a float: `(x as f64).pow(y)`",
                ));
                Some(self.poison(span))
            }
        }
    }
}
