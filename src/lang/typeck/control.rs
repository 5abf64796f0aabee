//! Blocks, branches, loops and jumps.

use super::infer::{Known, Ty};
use super::{Checker, OpenLoop};
use crate::ast::{
    self, Block, ExprKind as Ast, LoopKind as AstLoop, Name, PatternKind, Stmt as AstStmt,
};
use crate::codes::Code;
use crate::diag::{Diagnostic, quote};
use crate::hir::{ExprId, ExprKind, LoopId, LoopKind, Range, Stmt};
use crate::literal::Literal;
use crate::resolve::suggest;
use crate::span::Span;
use ufc_ir::{DType, TypeSet};

impl<'a> Checker<'a, '_> {
    pub(super) fn block(&mut self, block: &'a Block) -> ExprId {
        self.open_scope();
        let mut stmts = Vec::new();
        for stmt in &block.stmts {
            stmts.push(self.stmt(stmt));
        }
        let tail = block.tail.map(|tail| self.infer(tail));
        self.close_scope();
        let ty = match tail {
            Some(tail) => self.ty(tail),
            None if block.broken => self.types.error(),
            None if self.diverges => self.types.any(),
            None => self.types.unit(),
        };
        let span = tail.map_or(block.span, |tail| self.span(tail));
        self.add(ExprKind::Block(stmts, tail), ty, span)
    }

    fn stmt(&mut self, stmt: &'a AstStmt) -> Stmt {
        match stmt {
            AstStmt::Let { pattern, ty, value } => {
                let value = self.infer(*value);
                let mut bound = self.ty(value);
                if let Some(written) = ty {
                    // Should the value be of another type, the written one is what was meant.
                    bound = self.type_expr(written, true);
                    self.demand_because(value, bound, Some((written.span, "because of this type")));
                }
                Stmt::Let(self.bind(pattern, bound), value)
            }
            AstStmt::Expr(expr) => Stmt::Expr(self.infer(*expr)),
        }
    }

    pub(super) fn condition(&mut self, condition: ast::ExprId) -> ExprId {
        let value = self.infer(condition);
        let bool = self.types.dtype(DType::Bool);
        self.demand(value, bool);
        value
    }

    pub(super) fn if_else(
        &mut self,
        arms: &'a [(ast::ExprId, Block)],
        last: Option<&'a Block>,
        span: Span,
    ) -> ExprId {
        let mut checked: Vec<(ExprId, ExprId)> = Vec::new();
        let mut ty: Option<(Ty, Span)> = None;
        let mut before = None;
        let mut all_diverge = true;
        for (condition, block) in arms {
            let condition = self.condition(*condition);
            // The first condition is evaluated in any case; others may not be.
            let outside = *before.get_or_insert(self.diverges);
            self.diverges = outside;
            let value = self.block(block);
            all_diverge &= self.diverges;
            self.diverges = outside;
            ty = Some(self.join(ty, value));
            checked.push((condition, value));
        }
        let mut otherwise = last.map(|block| self.block(block));
        let outside = before.unwrap_or(false);
        self.diverges = outside || (all_diverge && last.is_some() && self.diverges);
        let (ty, _) = match otherwise {
            Some(value) => self.join(ty, value),
            None => {
                let (ty, value_span) = ty.unwrap_or((self.result, span));
                let fits = self.no_else(ty, value_span, span);
                let unit = if fits {
                    self.types.unit()
                } else {
                    self.types.error()
                };
                (unit, span)
            }
        };
        for (condition, value) in checked.into_iter().rev() {
            let kind = ExprKind::If(condition, value, otherwise);
            otherwise = Some(self.add(kind, ty, span));
        }
        otherwise.unwrap_or_else(|| self.poison(span))
    }

    /// Makes a branch's type the same as that of the branches before it.
    fn join(&mut self, before: Option<(Ty, Span)>, value: ExprId) -> (Ty, Span) {
        let ty = self.ty(value);
        match before {
            Some((first, first_span)) => {
                if !self.types.unify(first, ty) {
                    self.mismatch(value, first, Some((first_span, "the other branch")));
                }
                (first, first_span)
            }
            None => (ty, self.span(value)),
        }
    }

    /// An `if` without `else` gives nothing; whether that is so.
    fn no_else(&mut self, ty: Ty, value: Span, whole: Span) -> bool {
        let unit = self.types.unit();
        if self.types.unify(ty, unit) {
            return true;
        }
        let shown = self.types.show(ty);
        let message = format!("this `if` gives {shown} in one case and nothing in the other");
        let error = Diagnostic::error(
            Code::MissingElse,
            value,
            message,
            format!("this is {shown}"),
        );
        self.report(error.also(whole.after(), "expected `else` with a value here"));
        false
    }

    fn unit_block(&mut self, block: &'a Block) -> ExprId {
        let body = self.block(block);
        let unit = self.types.unit();
        self.demand(body, unit);
        body
    }

    pub(super) fn loop_expr(
        &mut self,
        label: Option<&'a Name>,
        kind: &'a AstLoop,
        body: &'a Block,
        span: Span,
    ) -> ExprId {
        let id = LoopId(self.loop_count);
        self.loop_count += 1;
        self.open_scope();
        let kind = match kind {
            AstLoop::Forever => LoopKind::Forever,
            AstLoop::While(condition) => LoopKind::While(self.condition(*condition)),
            AstLoop::For { pattern, range } => match self.range(pattern, *range) {
                Some(range) => LoopKind::For(range),
                None => LoopKind::Forever,
            },
        };
        let before = self.diverges;
        let value = matches!(kind, LoopKind::Forever).then(|| self.types.any());
        let label = label.map(|l| l.text.as_str());
        self.loops.push(OpenLoop {
            label,
            id,
            value,
            breaks: false,
        });
        let body = self.unit_block(body);
        let breaks = self.loops.pop().is_some_and(|l| l.breaks);
        self.close_scope();
        let ty = match value {
            Some(ty) => {
                self.diverges = before || !breaks;
                ty
            }
            None => {
                self.diverges = before;
                self.types.unit()
            }
        };
        self.add(ExprKind::Loop(id, kind, body), ty, span)
    }

    /// The range of a `for`: `a..b` or `a..=b`, then perhaps `.rev()` and `.step_by(n)`.
    fn range(&mut self, pattern: &'a ast::Pattern, id: ast::ExprId) -> Option<Range> {
        let module = self.scope.module;
        let mut methods: Vec<(&'a Name, &'a [ast::ExprId])> = Vec::new();
        let mut at = id;
        while let Ast::Method {
            receiver,
            name,
            args,
        } = &module[at].kind
        {
            methods.push((name, args));
            at = *receiver;
        }
        methods.reverse();
        let Ast::Range {
            start,
            end,
            inclusive,
        } = &module[at].kind
        else {
            self.not_a_range(pattern, id);
            return None;
        };
        let (start, end) = (self.infer(*start), self.infer(*end));
        let (ty, end_ty) = (self.ty(start), self.ty(end));
        if !self.types.unify(ty, end_ty) {
            self.mismatch(
                end,
                ty,
                Some((self.span(start), "the range starts with this")),
            );
        } else if !self.types.restrict(ty, TypeSet::INT) {
            self.not_int(start, "a range runs over integers");
        }
        let local = match &pattern.kind {
            PatternKind::Bind { name, mutable } => {
                Some(self.declare(name, ty, *mutable, pattern.span))
            }
            PatternKind::Ignore | PatternKind::Error => None,
            PatternKind::Tuple(_) => {
                let message = "a range gives single integers";
                self.report(Diagnostic::error(
                    Code::PatternMismatch,
                    pattern.span,
                    message,
                    "not a tuple",
                ));
                None
            }
        };
        let inclusive = *inclusive;
        let mut range = Range {
            local,
            start,
            end,
            inclusive,
            reversed: false,
            step: None,
            stepped_first: false,
        };
        for (name, args) in methods {
            self.range_method(&mut range, ty, name, args);
        }
        Some(range)
    }

    fn range_method(&mut self, range: &mut Range, ty: Ty, name: &'a Name, args: &'a [ast::ExprId]) {
        match (name.text.as_str(), args) {
            ("rev", []) if !range.reversed => {
                range.reversed = true;
                range.stepped_first = range.step.is_some();
            }
            ("step_by", [step]) if range.step.is_none() => {
                if !self.check_step(*step) {
                    return;
                }
                let step = self.infer(*step);
                let step_ty = self.ty(step);
                if !self.types.unify(ty, step_ty) {
                    self.mismatch(
                        step,
                        ty,
                        Some((self.span(range.start), "the range is of this type")),
                    );
                }
                range.step = Some(step);
            }
            _ => {
                let message = format!("a range has no method {} here", quote(&name.text));
                let error =
                    Diagnostic::error(Code::UnknownFunction, name.span, message, "not on a range");
                let error = match suggest(&name.text, ["rev", "step_by"].into_iter()) {
                    Some(near) if near != name.text => {
                        error.help(format!("did you mean `{near}`?"))
                    }
                    _ => error.note("a range has `.rev()` and `.step_by(n)`, each at most once"),
                };
                self.report(error);
            }
        }
    }

    /// A step that is written as a number must be positive; whether it is all right.
    fn check_step(&mut self, step: ast::ExprId) -> bool {
        let module = self.scope.module;
        let (text, negative) = match &module[step].kind {
            Ast::Number { text, .. } => (text, false),
            Ast::Unary {
                op: ast::UnaryOp::Neg,
                operand,
            } => match &module[*operand].kind {
                Ast::Number { text, .. } => (text, true),
                _ => return true,
            },
            _ => return true,
        };
        let zero = Literal::parse(text)
            .ok()
            .and_then(|l| l.to_const(DType::U64, false))
            .is_some_and(|c| c.bits() == 0);
        if zero || negative {
            let message = "a range's step must be a positive number";
            let error =
                Diagnostic::error(Code::BadStep, module[step].span, message, "not positive");
            self.report(if negative {
                error.help("run downwards with `.rev()`")
            } else {
                error
            });
        }
        !(zero || negative)
    }

    fn not_a_range(&mut self, pattern: &'a ast::Pattern, id: ast::ExprId) {
        if !matches!(self.scope.module[id].kind, Ast::Error) {
            let message = "`for` runs over a range";
            let error = Diagnostic::error(
                Code::TypeMismatch,
                self.scope.module[id].span,
                message,
                "not a range",
            );
            self.report(error.help("write `0..n`"));
        }
        let ty = self.types.error();
        self.bind(pattern, ty);
    }

    /// The loop that a jump means, as its place in the list of open loops.
    fn target(&mut self, label: Option<&'a Name>, span: Span, word: &str) -> Option<usize> {
        let Some(label) = label else {
            if self.loops.is_empty() {
                let message = format!("`{word}` outside a loop");
                let error =
                    Diagnostic::error(Code::OutsideLoop, span, message, "no loop around this");
                self.report(error.help("to leave the function, write `return`"));
            }
            return self.loops.len().checked_sub(1);
        };
        let found = self
            .loops
            .iter()
            .rposition(|l| l.label == Some(&label.text));
        if found.is_none() {
            let message = format!("no loop around this has the label {}", quote(&label.text));
            let mut error = Diagnostic::error(
                Code::UnknownLabel,
                label.span,
                message,
                "not the label of a loop around",
            );
            let labels: Vec<&str> = self.loops.iter().filter_map(|l| l.label).collect();
            if let Some(near) = suggest(&label.text, labels.into_iter()) {
                error = error
                    .help(format!("did you mean `{near}`?"))
                    .fix(label.span, near);
            }
            self.report(error);
        }
        found
    }

    pub(super) fn break_expr(
        &mut self,
        label: Option<&'a Name>,
        value: Option<ast::ExprId>,
        span: Span,
    ) -> ExprId {
        let target = self.target(label, span, "break");
        let value = value.map(|v| self.infer(v));
        let Some(target) = target else {
            self.diverges = true;
            return self.poison(span);
        };
        self.loops[target].breaks = true;
        match (self.loops[target].value, value) {
            (Some(ty), Some(value)) => self.demand(value, ty),
            (Some(ty), None) => {
                let unit = self.types.unit();
                if !self.types.unify(ty, unit) {
                    let shown = self.types.show(ty);
                    let message =
                        format!("this `break` gives no value, but the loop's value is {shown}");
                    self.report(Diagnostic::error(
                        Code::TypeMismatch,
                        span,
                        message,
                        format!("expected {shown}"),
                    ));
                }
            }
            (None, Some(value)) => {
                let message = "only `loop` has a value, `while` and `for` do not";
                let error = Diagnostic::error(
                    Code::BreakValue,
                    self.span(value),
                    message,
                    "no value possible here",
                );
                self.report(error.help("assign to a variable declared before the loop"));
            }
            (None, None) => {}
        }
        let id = self.loops[target].id;
        self.jump(ExprKind::Break(id, value), span)
    }

    pub(super) fn continue_expr(&mut self, label: Option<&'a Name>, span: Span) -> ExprId {
        match self.target(label, span, "continue") {
            Some(target) => {
                let id = self.loops[target].id;
                self.jump(ExprKind::Continue(id), span)
            }
            None => {
                self.diverges = true;
                self.poison(span)
            }
        }
    }

    pub(super) fn return_expr(&mut self, value: Option<ast::ExprId>, span: Span) -> ExprId {
        let checked = value.map(|v| self.infer(v));
        let result = self.result;
        match checked {
            Some(checked) => self.demand_tail(checked, result),
            None => {
                let unit = self.types.unit();
                if !self.types.unify(result, unit) {
                    let shown = self.types.show(result);
                    let message =
                        format!("this `return` gives no value, but the result is {shown}");
                    self.report(Diagnostic::error(
                        Code::TypeMismatch,
                        span,
                        message,
                        format!("expected {shown}"),
                    ));
                }
            }
        }
        self.jump(ExprKind::Return(checked), span)
    }

    fn jump(&mut self, kind: ExprKind, span: Span) -> ExprId {
        self.diverges = true;
        let ty = self.types.any();
        self.add(kind, ty, span)
    }

    pub(super) fn not_int(&mut self, expr: ExprId, message: &str) {
        let ty = self.ty(expr);
        if !self.types.is_error(ty) && !matches!(self.types.known(ty), Known::Any) {
            let label = format!("this is {}", self.types.show(ty));
            self.report(Diagnostic::error(
                Code::NotTaken,
                self.span(expr),
                message,
                label,
            ));
        }
    }
}
