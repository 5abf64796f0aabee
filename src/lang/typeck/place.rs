//! Assignment.

use super::{Checker, infer::Known, infer::Ty};
use crate::ast::{self, BinaryOp, ExprKind as Ast};
use crate::codes::Code;
use crate::diag::{Diagnostic, quote};
use crate::hir::{Binding, ExprId, ExprKind};
use crate::span::Span;

impl<'a> Checker<'a, '_> {
    pub(super) fn assign(
        &mut self,
        op: Option<BinaryOp>,
        op_span: Span,
        place: ast::ExprId,
        value: ast::ExprId,
        span: Span,
    ) -> ExprId {
        let value = self.infer(value);
        let place_span = self.scope.module[place].span;
        let Some((binding, ty)) = self.place(place) else {
            return self.poison(span);
        };
        let value = match op {
            Some(op) => {
                let old = match binding {
                    Binding::Local(local) => self.add(ExprKind::Local(local), ty, place_span),
                    Binding::Part(local, start, len) => {
                        let whole = self.locals[local.0 as usize].ty;
                        let whole = self.add(ExprKind::Local(local), whole, place_span);
                        self.add(ExprKind::Part(whole, start, len), ty, place_span)
                    }
                    Binding::Ignore(_) | Binding::Tuple(_) => {
                        self.not_a_place(place_span, "a tuple has no operators");
                        return self.poison(span);
                    }
                };
                self.binary(op, op_span, old, value, span)
            }
            None => value,
        };
        self.demand_because(value, ty, Some((place_span, "the variable's type")));
        let unit = self.types.unit();
        self.add(ExprKind::Assign(binding, value), unit, span)
    }

    /// What an expression on the left of `=` stands for.
    fn place(&mut self, id: ast::ExprId) -> Option<(Binding, Ty)> {
        let expr = &self.scope.module[id];
        match &expr.kind {
            Ast::Path(path) => {
                let name = path.single()?;
                let Some(local) = self.lookup(&name.text) else {
                    if self.scope.items.get(&name.text).is_some() {
                        self.not_a_place(expr.span, "only variables are assigned");
                    } else {
                        self.unknown_name(name);
                    }
                    return None;
                };
                self.require_mutable(local, expr.span);
                Some((Binding::Local(local), self.locals[local.0 as usize].ty))
            }
            Ast::Field { base, name } => {
                let (binding, ty) = self.place(*base)?;
                let (local, offset) = match binding {
                    Binding::Local(local) => (local, 0),
                    Binding::Part(local, start, _) => (local, start),
                    Binding::Ignore(_) | Binding::Tuple(_) => {
                        self.not_a_place(expr.span, "not a variable");
                        return None;
                    }
                };
                self.field_place(local, offset, ty, name)
            }
            Ast::Tuple(members) if !members.is_empty() => {
                let parts: Option<Vec<(Binding, Ty)>> =
                    members.iter().map(|m| self.place(*m)).collect();
                let (bindings, types): (Vec<Binding>, Vec<Ty>) = parts?.into_iter().unzip();
                Some((Binding::Tuple(bindings), self.types.tuple(types)))
            }
            Ast::Error => None,
            _ => {
                self.not_a_place(expr.span, "not a variable");
                None
            }
        }
    }

    fn field_place(
        &mut self,
        local: crate::hir::LocalId,
        offset: usize,
        ty: Ty,
        name: &'a ast::Name,
    ) -> Option<(Binding, Ty)> {
        if let Known::Tuple(members) = self.types.known(ty)
            && let Some(index) = name
                .text
                .parse::<usize>()
                .ok()
                .filter(|i| *i < members.len())
        {
            let (start, len) = self.part_of(&members, index, name.span);
            return Some((Binding::Part(local, offset + start, len), members[index]));
        }
        if matches!(name.text.as_str(), "re" | "im") {
            self.not_a_place(
                name.span,
                "the parts of a complex number are assigned together: `z = complex(re, im)`",
            );
        } else if !self.types.is_error(ty) {
            let message = format!("{} has no field {}", self.types.show(ty), quote(&name.text));
            self.report(Diagnostic::error(
                Code::UnknownField,
                name.span,
                message,
                "no such field",
            ));
        }
        None
    }

    fn not_a_place(&mut self, span: Span, label: &str) {
        self.report(Diagnostic::error(
            Code::NotAPlace,
            span,
            "this cannot be assigned",
            label,
        ));
    }

    fn require_mutable(&mut self, local: crate::hir::LocalId, span: Span) {
        let variable = &mut self.locals[local.0 as usize];
        if variable.mutable || std::mem::replace(&mut variable.reported, true) {
            return;
        }
        let declared = variable.span;
        let message = format!(
            "`{}` is not declared `mut`, so it keeps its first value",
            variable.name
        );
        let error = Diagnostic::error(Code::NotMutable, span, message, "assigned here");
        let help = format!("declare it `mut {}`", variable.name);
        self.report(
            error
                .also(declared, "declared here")
                .help(help)
                .fix(declared.before(), "mut "),
        );
    }
}
