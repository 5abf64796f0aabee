//! Expressions that are neither calls nor control flow.

use super::Checker;
use super::infer::{Known, Lit, Ty};
use crate::ast::{self, ExprKind as Ast, UnaryOp};
use crate::codes::Code;
use crate::diag::{Diagnostic, quote};
use crate::hir::{ExprId, ExprKind};
use crate::literal::{BadLiteral, Literal};
use crate::resolve::{Item, suggest};
use crate::span::Span;
use ufc_ir::{Const, DType, TypeSet};

impl<'a> Checker<'a, '_> {
    /// Checks an expression. Chains that lean to the left are walked with a list, since they may be very long.
    pub(super) fn infer(&mut self, id: ast::ExprId) -> ExprId {
        let module = self.scope.module;
        let mut chain = Vec::new();
        let mut at = id;
        loop {
            let left = match &module[at].kind {
                Ast::Binary { lhs, .. } => *lhs,
                Ast::Method { receiver, .. } => *receiver,
                Ast::Field { base, .. } => *base,
                Ast::Cast { operand, .. } if !self.is_number(*operand) => *operand,
                _ => break,
            };
            let is_range = matches!(module[left].kind, Ast::Range { .. });
            if is_range && matches!(module[at].kind, Ast::Method { .. }) {
                break;
            }
            chain.push(at);
            at = left;
        }
        let mut value = self.infer_one(at);
        for id in chain.into_iter().rev() {
            value = self.infer_with_left(id, value);
        }
        value
    }

    fn infer_with_left(&mut self, id: ast::ExprId, left: ExprId) -> ExprId {
        let expr = &self.scope.module[id];
        match &expr.kind {
            Ast::Binary {
                op, op_span, rhs, ..
            } => {
                if op.is_short_circuit() {
                    self.logic(*op, left, *rhs, expr.span)
                } else {
                    let rhs = self.infer(*rhs);
                    self.binary(*op, *op_span, left, rhs, expr.span)
                }
            }
            Ast::Method { name, args, .. } => self.method(name, left, args, expr.span),
            Ast::Field { name, .. } => self.field(left, name, expr.span),
            Ast::Cast { ty, .. } => self.cast(left, ty, expr.span),
            _ => left,
        }
    }

    fn infer_one(&mut self, id: ast::ExprId) -> ExprId {
        let expr = &self.scope.module[id];
        let span = expr.span;
        match &expr.kind {
            Ast::Number { text, .. } => self.number(text, false, span),
            Ast::Bool(value) => {
                let ty = self.types.dtype(DType::Bool);
                self.add(ExprKind::Const(Const::bool(*value)), ty, span)
            }
            Ast::Path(path) => self.path(path, span),
            Ast::Unary { op, operand } => self.unary(*op, *operand, span),
            Ast::Cast { operand, ty } => {
                let operand = self.cast_number(*operand, ty);
                self.cast(operand, ty, span)
            }
            Ast::Call { path, args } => self.call(path, args, span),
            Ast::Tuple(members) => self.tuple(members, span),
            Ast::Block(block) => self.block(block),
            Ast::If { arms, otherwise } => self.if_else(arms, otherwise.as_ref(), span),
            Ast::Loop { label, kind, body } => self.loop_expr(label.as_ref(), kind, body, span),
            Ast::Break { label, value } => self.break_expr(label.as_ref(), *value, span),
            Ast::Continue { label } => self.continue_expr(label.as_ref(), span),
            Ast::Return(value) => self.return_expr(*value, span),
            Ast::Assign {
                op,
                op_span,
                place,
                value,
            } => self.assign(*op, *op_span, *place, *value, span),
            Ast::Range { .. } | Ast::Method { .. } => {
                let message = "a range is only used by `for`";
                self.report(Diagnostic::error(
                    Code::NotInLanguage,
                    span,
                    message,
                    "not a value",
                ));
                self.poison(span)
            }
            Ast::Error | Ast::Binary { .. } | Ast::Field { .. } => self.poison(span),
        }
    }

    fn tuple(&mut self, members: &[ast::ExprId], span: Span) -> ExprId {
        let members: Vec<ExprId> = members.iter().map(|m| self.infer(*m)).collect();
        let types: Vec<Ty> = members.iter().map(|m| self.ty(*m)).collect();
        if types.iter().any(|ty| self.types.is_error(*ty)) {
            return self.poison(span);
        }
        let ty = self.types.tuple(types);
        if self.types.width(ty, super::MAX_WIDTH) > super::MAX_WIDTH {
            let message = format!("a value has more than {} numbers", super::MAX_WIDTH);
            self.report(Diagnostic::error(
                Code::KernelTooLarge,
                span,
                message,
                "this tuple is too large",
            ));
            return self.poison(span);
        }
        self.add(ExprKind::Tuple(members), ty, span)
    }

    fn is_number(&self, id: ast::ExprId) -> bool {
        match &self.scope.module[id].kind {
            Ast::Number { .. } => true,
            Ast::Unary {
                op: UnaryOp::Neg,
                operand,
            } => {
                matches!(self.scope.module[*operand].kind, Ast::Number { .. })
            }
            _ => false,
        }
    }

    /// A number as written; its type is open unless it has a suffix.
    fn number(&mut self, text: &str, negative: bool, span: Span) -> ExprId {
        let literal = match Literal::parse(text) {
            Ok(literal) => literal,
            Err(bad) => {
                self.bad_number(text, &bad, span);
                return self.poison(span);
            }
        };
        let ty = match literal.suffix {
            Some(dtype) => self.types.dtype(dtype),
            None if literal.float => self.types.literal(Lit::Float),
            None => self.types.literal(Lit::Int),
        };
        let expr = self.add(ExprKind::Const(Const::bool(false)), ty, span);
        self.literals.push((expr, literal, negative));
        expr
    }

    fn bad_number(&mut self, text: &str, bad: &BadLiteral, span: Span) {
        let (label, help) = match bad {
            BadLiteral::Suffix(suffix) => {
                let numbers = TypeSet::REAL.iter().map(DType::name);
                let near = suggest(suffix, numbers);
                let help = near.map_or(
                    "a suffix is the name of a type, such as `f32`".to_string(),
                    |near| format!("did you mean the suffix `{near}`?"),
                );
                (format!("{} is not a type of numbers", quote(suffix)), help)
            }
            BadLiteral::Digit(c) => (format!("`{c}` is not a digit here"), String::new()),
            BadLiteral::Empty => ("there are no digits".to_string(), String::new()),
            BadLiteral::FloatSuffix(dtype) => (
                format!("a {dtype} has no fraction"),
                "write the number without a point".to_string(),
            ),
        };
        let mut error = Diagnostic::error(
            Code::BadNumber,
            span,
            format!("{} is not a number", quote(text)),
            label,
        );
        if !help.is_empty() {
            error = error.help(help);
        }
        self.report(error);
    }

    /// Numbers get their values once their types are known.
    pub(super) fn settle_literals(&mut self) {
        for (expr, literal, negative) in std::mem::take(&mut self.literals) {
            let ty = self.ty(expr);
            let Some(dtype) = self.types.concrete(ty) else {
                continue;
            };
            let span = self.span(expr);
            if negative && TypeSet::UNSIGNED.contains(dtype) {
                self.negated_unsigned(span, dtype);
            } else if let Some(value) = literal.to_const(dtype, negative) {
                self.exprs[expr.0 as usize].kind = ExprKind::Const(value);
            } else {
                self.out_of_range(span, dtype);
            }
        }
    }

    fn out_of_range(&mut self, span: Span, dtype: DType) {
        let message = format!("the number does not fit {dtype}");
        let label = match (
            super::call::associated(dtype, "MIN"),
            super::call::associated(dtype, "MAX"),
        ) {
            (Some(min), Some(max)) if dtype.is_int() => {
                format!("{dtype} goes from {} to {}", min.as_int(), max.as_int())
            }
            _ => format!("too large for {dtype}"),
        };
        let mut error = Diagnostic::error(Code::LiteralOutOfRange, span, message, label);
        if dtype.is_int() {
            error = error.help("use a wider type, or write `as` to wrap it");
        }
        self.report(error);
    }

    pub(super) fn negated_unsigned(&mut self, span: Span, dtype: DType) {
        let message = format!("a value of type {dtype} cannot be negated");
        let error = Diagnostic::error(Code::NegatedUnsigned, span, message, "never negative");
        self.report(error.help("write `.wrapping_neg()` where the wrapped value is meant"));
    }

    fn unary(&mut self, op: UnaryOp, operand: ast::ExprId, span: Span) -> ExprId {
        let inner = &self.scope.module[operand].kind;
        if let (UnaryOp::Neg, Ast::Number { text, .. }) = (op, inner) {
            return self.number(text, true, span);
        }
        let value = self.infer(operand);
        let name = match op {
            UnaryOp::Neg => "neg",
            UnaryOp::Not => "not",
        };
        let operand_span = self.span(value);
        let sign_span = Span::new(span.start, operand_span.start.max(span.start));
        let result = self.builtin(name, op.sign(), sign_span, vec![value], span);
        if op == UnaryOp::Neg {
            self.negations.push((result, value));
        }
        result
    }

    fn path(&mut self, path: &'a ast::Path, span: Span) -> ExprId {
        let Some(name) = path.single() else {
            return self.associated_const(path, span);
        };
        if let Some(local) = self.lookup(&name.text) {
            let ty = self.locals[local.0 as usize].ty;
            return self.add(ExprKind::Local(local), ty, span);
        }
        if let Some(item @ Item::Constant(i)) = self.scope.items.get(&name.text) {
            let written = &self.scope.module.constants[i].ty;
            let ty = self.type_expr(written, false);
            return self.add(ExprKind::Call(item, Vec::new(), Vec::new()), ty, span);
        }
        self.unknown_name(name);
        self.poison(span)
    }

    pub(super) fn unknown_name(&mut self, name: &ast::Name) {
        let message = format!("there is no variable or constant {}", quote(&name.text));
        let mut error = Diagnostic::error(Code::UnknownName, name.span, message, "not found here");
        let mut known: Vec<&str> = self
            .names
            .iter()
            .filter(|(_, ids)| !ids.is_empty())
            .map(|(name, _)| *name)
            .collect();
        known.extend(self.scope.items.constant_names());
        known.sort_unstable();
        let is_function = !crate::resolve::builtins(&name.text).is_empty()
            || matches!(self.scope.items.get(&name.text), Some(Item::Function(_)));
        if let Some(near) = suggest(&name.text, known.into_iter()) {
            error = error
                .help(format!("did you mean `{near}`?"))
                .fix(name.span, near);
        } else if is_function {
            error = error.help(format!("to call the function, write `{}(…)`", name.text));
        } else if matches!(
            name.text.as_str(),
            "PI" | "pi" | "TAU" | "E" | "INFINITY" | "NAN"
        ) {
            let constant = name.text.to_ascii_uppercase();
            error = error.help(format!("write `f32::{constant}` or `f64::{constant}`"));
        }
        self.report(error);
    }

    /// Where the numbers of a tuple's part begin among all its numbers, and how many they are.
    pub(super) fn part_of(&mut self, members: &[Ty], index: usize, span: Span) -> (usize, usize) {
        if members
            .iter()
            .any(|m| matches!(self.types.known(*m), Known::Any))
        {
            self.unknown_dtype(span);
        }
        let mut width = |ty| self.types.width(ty, super::MAX_WIDTH);
        let start = members[..index].iter().map(|m| width(*m)).sum();
        (start, width(members[index]))
    }

    /// `.0` of a tuple, `.re` and `.im` of a complex number.
    fn field(&mut self, base: ExprId, name: &'a ast::Name, span: Span) -> ExprId {
        if matches!(name.text.as_str(), "re" | "im") {
            return self.builtin(&name.text, &name.text, name.span, vec![base], span);
        }
        let ty = self.ty(base);
        if let Known::Tuple(members) = self.types.known(ty)
            && let Some(index) = name
                .text
                .parse::<usize>()
                .ok()
                .filter(|i| *i < members.len())
        {
            let (start, len) = self.part_of(&members, index, span);
            return self.add(ExprKind::Part(base, start, len), members[index], span);
        }
        if !self.types.is_error(ty) {
            let shown = self.types.show(ty);
            let message = format!("{shown} has no field {}", quote(&name.text));
            let mut error =
                Diagnostic::error(Code::UnknownField, name.span, message, "no such field");
            if !crate::resolve::builtins(&name.text).is_empty() {
                error = error.help(format!("to call the function, write `.{}()`", name.text));
            } else if let Known::Tuple(members) = self.types.known(ty) {
                error = error.note(format!(
                    "the tuple has {} parts, counted from 0",
                    members.len()
                ));
            }
            self.report(error);
        }
        self.poison(span)
    }

    /// A number before `as` takes the type it is cast to, if it can be of that type.
    fn cast_number(&mut self, operand: ast::ExprId, ty: &ast::TypeExpr) -> ExprId {
        let value = self.infer(operand);
        let target = self.type_expr(ty, false);
        if self.is_number(operand)
            && self.types.lit(self.ty(value)).is_some()
            && let Some(dtype) = self.types.concrete(target)
        {
            let ty = self.ty(value);
            if self.types.known(ty).has(dtype) {
                self.types.unify(ty, target);
            }
        }
        value
    }

    fn cast(&mut self, operand: ExprId, ty: &ast::TypeExpr, span: Span) -> ExprId {
        let target = self.type_expr(ty, true);
        let result = self.add(ExprKind::Convert(operand), target, span);
        self.casts.push((result, operand));
        result
    }

    pub(super) fn settle_casts(&mut self) {
        for (cast, operand) in std::mem::take(&mut self.casts) {
            let (from, to) = (self.ty(operand), self.ty(cast));
            if self.types.is_error(from) || self.types.is_error(to) {
                continue;
            }
            let allowed = match (self.types.concrete(from), self.types.concrete(to)) {
                (Some(from), Some(to)) => {
                    from == to || to != DType::Bool && (!from.is_complex() || to.is_complex())
                }
                _ => false,
            };
            if !allowed {
                self.bad_cast(cast, operand);
            }
        }
        for (result, operand) in std::mem::take(&mut self.negations) {
            let ty = self.ty(operand);
            if let Some(dtype) = self
                .types
                .concrete(ty)
                .filter(|d| TypeSet::UNSIGNED.contains(*d))
            {
                self.negated_unsigned(self.span(result), dtype);
            }
        }
    }

    fn bad_cast(&mut self, cast: ExprId, operand: ExprId) {
        let (from, to) = (self.ty(operand), self.ty(cast));
        let (a, b) = (self.types.show(from), self.types.show(to));
        let message = format!("{a} cannot be converted to {b} by `as`");
        let mut error = Diagnostic::error(
            Code::BadCast,
            self.span(cast),
            message,
            format!("this is {a}"),
        );
        error.primary.span = self.span(operand);
        error = match (self.types.concrete(from), self.types.concrete(to)) {
            (Some(from), _) if from.is_complex() => {
                error.help("write `.re`, `.im` or `.abs()` for a real number")
            }
            (_, Some(DType::Bool)) => error.help("compare instead: `x != 0`"),
            _ => error.note("`as` converts single numbers"),
        };
        self.report(error);
    }
}
