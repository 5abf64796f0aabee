//! How type errors are told.

use super::infer::Ty;
use super::promote::promote;
use super::{Checker, Pending};
use crate::ast::{self, Block, ExprKind as Ast};
use crate::codes::Code;
use crate::diag::{Diagnostic, quote};
use crate::hir::{ExprId, ExprKind};
use crate::span::Span;
use ufc_ir::{DType, Kind, TypeSet};

impl Checker<'_, '_> {
    /// Asks that a value be of a type.
    pub(super) fn demand(&mut self, value: ExprId, expected: Ty) {
        self.demand_because(value, expected, None);
    }

    pub(super) fn demand_because(
        &mut self,
        value: ExprId,
        expected: Ty,
        why: Option<(Span, &str)>,
    ) {
        let ty = self.ty(value);
        if !self.types.unify(expected, ty) {
            self.mismatch(value, expected, why);
        }
    }

    /// Asks that a function's result be of its type.
    pub(super) fn demand_tail(&mut self, value: ExprId, expected: Ty) {
        let why = self
            .result_span
            .map(|span| (span, "because of the result's type"));
        self.demand_because(value, expected, why);
    }

    pub(super) fn mismatch(&mut self, value: ExprId, expected: Ty, why: Option<(Span, &str)>) {
        let found = self.ty(value);
        if self.types.is_error(found) || self.types.is_error(expected) {
            return;
        }
        let (wanted, shown) = (self.types.show(expected), self.types.show(found));
        let span = self.span(value);
        let message = format!("expected {wanted}, found {shown}");
        let mut error = Diagnostic::error(
            Code::TypeMismatch,
            span,
            message,
            format!("this is {shown}"),
        );
        if let Some((place, text)) = why {
            error = error.also(place, text);
        }
        match (self.types.concrete(expected), self.types.concrete(found)) {
            (Some(to), Some(from)) if from.is_complex() && !to.is_complex() => {
                error = error.help("take `.re`, `.im` or `.abs()` of the complex number");
            }
            (Some(DType::Bool), Some(_)) => error = error.help("compare the value: `!= 0`"),
            (Some(to), Some(_)) => {
                error = match self.name_of(value) {
                    Some(name) => error
                        .help(format!("write `{name} as {to}`"))
                        .fix(span.after(), format!(" as {to}")),
                    None => error.help(format!("convert it with `as {to}`")),
                };
            }
            _ => {}
        }
        self.report(error);
    }

    /// The variable that an expression is.
    fn name_of(&self, expr: ExprId) -> Option<String> {
        match self.exprs[expr.0 as usize].kind {
            ExprKind::Local(local) => Some(self.locals[local.0 as usize].name.clone()),
            // A block stands for its value, in messages as in types.
            ExprKind::Block(_, Some(tail)) => self.name_of(tail),
            _ => None,
        }
    }

    fn describe(&self, expr: ExprId, side: &str) -> String {
        self.name_of(expr)
            .map_or(side.to_string(), |name| format!("`{name}`"))
    }

    /// Two arguments of an operation that should be of one type.
    pub(super) fn mixed(&mut self, pending: &Pending, key: usize, index: usize) {
        let (a, b) = (pending.args[key], pending.args[index]);
        let (ta, tb) = (self.ty(a), self.ty(b));
        let (shown_a, shown_b) = (self.types.show(ta), self.types.show(tb));
        let is_operator = !pending.name.starts_with(|c: char| c.is_alphabetic());
        let (side_a, side_b) = if is_operator {
            (
                self.describe(a, "the left side"),
                self.describe(b, "the right side"),
            )
        } else {
            (
                self.describe(a, "the first argument"),
                self.describe(b, "another argument"),
            )
        };
        let message = format!("{side_a} is {shown_a} and {side_b} is {shown_b}");
        let label = format!("`{}` takes two values of one type", pending.name);
        let mut error = Diagnostic::error(Code::MixedTypes, pending.name_span, message, label)
            .also(self.span(a), shown_a)
            .also(self.span(b), shown_b);
        if let (Some(da), Some(db)) = (self.types.concrete(ta), self.types.concrete(tb)) {
            // Convert the side that loses less by it.
            let (rank_a, rank_b) = (rank(da), rank(db));
            let (value, to) = if rank_a < rank_b || (rank_a == rank_b && promote(da, db) == db) {
                (a, db)
            } else {
                (b, da)
            };
            let from = if value == a { da } else { db };
            if from == DType::Bool || to == DType::Bool || (from.is_complex() && !to.is_complex()) {
                error = error.note("there is no conversion that could be meant");
            } else if let Some(name) = self.name_of(value) {
                // Before a method, `<` or `<<` the conversion needs brackets, as in Rust.
                let leads = self.span(value).start < pending.name_span.start;
                let brackets = leads && (!is_operator || pending.name.starts_with('<'));
                let written = if brackets {
                    format!("({name} as {to})")
                } else {
                    format!("{name} as {to}")
                };
                error = error
                    .help(format!("write `{written}`"))
                    .fix(self.span(value), written);
            } else {
                error = error.help(format!("convert one side with `as {to}`"));
            }
        } else if let Some(dtype) = self.types.concrete(ta).filter(|d| d.is_int()) {
            let what = self
                .name_of(a)
                .map_or("`…".to_string(), |name| format!("`{name}"));
            error = error.help(format!(
                "write {what} as f64`, or a number without a point for {dtype}"
            ));
        }
        self.report(error);
    }

    /// An operation that does not work on this type.
    pub(super) fn not_taken(&mut self, pending: &Pending, key: usize, set: TypeSet) {
        let arg = pending.args[key];
        let ty = self.ty(arg);
        let shown = self.types.show(ty);
        let message = format!("`{}` does not take {shown}", pending.name);
        let mut error = Diagnostic::error(
            Code::NotTaken,
            pending.name_span,
            message,
            format!("takes {}", words(set)),
        );
        error = error.also(self.span(arg), format!("this is {shown}"));
        let name = self.name_of(arg);
        match self.types.concrete(ty) {
            Some(from)
                if (from.is_int() || from == DType::Bool) && set.is_subset(TypeSet::FIELD) =>
            {
                let to = if from.size() > 4 { "f64" } else { "f32" };
                error = match name {
                    Some(name) => error.help(format!("write `{name} as {to}`")),
                    None => error.help(format!("convert it with `as {to}`")),
                };
            }
            Some(from) if from.is_complex() && set.is_subset(TypeSet::REAL) => {
                error = error.help(
                    "complex numbers have no order: use `.norm_sqr()`, `.abs()`, `.re` or `.im`",
                );
            }
            Some(from) if from.is_float() && set.is_subset(TypeSet::BITS) => {
                error = error.help("take the bits with `.to_bits()`, or convert with `as`");
            }
            Some(DType::Bool) if set.is_subset(TypeSet::NUM) => {
                error = error.help("convert it with `as u8`, or use `&`, `|` and `^`");
            }
            _ => {}
        }
        self.report(error);
    }

    pub(super) fn wrong_count(
        &mut self,
        name: &str,
        span: Span,
        expected: usize,
        found: usize,
        rule: Option<String>,
    ) {
        let message = format!("`{name}` takes {}, not {found}", count(expected));
        let error = Diagnostic::error(
            Code::ArgumentCount,
            span,
            message,
            format!("expected {}", count(expected)),
        );
        self.report(match rule {
            Some(rule) => error.note(format!("its type is {rule}")),
            None => error,
        });
    }

    pub(super) fn wrong_count_of(
        &mut self,
        name: &str,
        span: Span,
        declared: Span,
        expected: usize,
        found: usize,
    ) {
        let message = format!("{} takes {}, not {found}", quote(name), count(expected));
        let error = Diagnostic::error(
            Code::ArgumentCount,
            span,
            message,
            format!("expected {}", count(expected)),
        );
        self.report(error.also(declared, "declared here"));
    }

    pub(super) fn missing_value(&mut self, function: &ast::Function, block: &Block) {
        let shown = self.types.show(self.result);
        let end = Span::new(block.span.end.saturating_sub(1), block.span.end);
        let message = format!(
            "`{}` ends without its result of type {shown}",
            function.name.text
        );
        let mut error = Diagnostic::error(
            Code::MissingValue,
            end,
            message,
            format!("expected {shown} before this"),
        );
        if let Some(span) = self.result_span {
            error = error.also(span, "because of the result's type");
        }
        if let Some(ast::Stmt::Expr(last)) = block.stmts.last()
            && !matches!(
                self.scope.module[*last].kind,
                Ast::Assign { .. } | Ast::Loop { .. } | Ast::Error
            )
        {
            error = error.help("leave out the `;` after the last expression");
        }
        self.report(error);
    }

    pub(super) fn unknown_dtype(&mut self, span: Span) {
        let message = "nothing says which type this is";
        let error = Diagnostic::error(Code::UnknownDType, span, message, "of any type");
        self.report(error.help("write the type: `let x: f32 = …` or `f::<f32>(…)`"));
    }
}

/// The members of a set, in plain words where there are some.
fn words(set: TypeSet) -> String {
    const WORDS: &[(TypeSet, &str)] = &[
        (TypeSet::BOOL, "bools"),
        (TypeSet::SIGNED, "signed integers"),
        (TypeSet::UNSIGNED, "unsigned integers"),
        (TypeSet::INT, "integers"),
        (TypeSet::FLOAT, "floats"),
        (TypeSet::COMPLEX, "complex numbers"),
        (TypeSet::REAL, "integers and floats"),
        (TypeSet::NUM, "numbers"),
        (TypeSet::FIELD, "floats and complex numbers"),
        (TypeSet::BITS, "integers and bools"),
    ];
    let known = WORDS.iter().find(|(known, _)| *known == set);
    known.map_or_else(|| set.to_string(), |(_, words)| (*words).to_string())
}

/// Kinds in the order in which values lose nothing, or little, by conversion.
fn rank(dtype: DType) -> u8 {
    match dtype.kind() {
        Kind::Bool => 0,
        Kind::Unsigned | Kind::Signed => 1,
        Kind::Float => 2,
        Kind::Complex => 3,
    }
}

fn count(n: usize) -> String {
    match n {
        0 => "no arguments".to_string(),
        1 => "1 argument".to_string(),
        n => format!("{n} arguments"),
    }
}
