//! Assignment.

use super::infer::{Known, Ty};
use super::{Checker, Variable};
use crate::ast::{self, BinaryOp, ExprKind as Ast};
use crate::codes::Code;
use crate::diag::{Diagnostic, quote};
use crate::hir::{Binding, ExprId, ExprKind, LocalId, Stmt};
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
        let module = self.scope.module;
        let place_span = module[place].span;
        let mut checked = self.infer(value);
        let Some((binding, ty)) = self.place(place) else {
            return self.poison(span);
        };
        let mut first = None;
        if let Some(op) = op {
            // As in Rust, the right side comes first; that only shows if it assigns, which takes a block.
            let inside = module.exprs_in(&(place.index() + 1..value.index() + 1));
            if inside
                .iter()
                .any(|e| matches!(e.kind, Ast::Block(_) | Ast::If { .. } | Ast::Loop { .. }))
            {
                let (binding, read) = self.kept(checked);
                first = Some(Stmt::Let(binding, checked));
                checked = read;
            }
            let Some(old) = self.read(&binding, ty, place_span) else {
                self.not_a_place(place_span, "a tuple has no operators");
                return self.poison(span);
            };
            checked = self.binary(op, op_span, old, checked, span);
        }
        self.demand_because(checked, ty, Some((place_span, "the variable's type")));
        let unit = self.types.unit();
        let assign = self.add(ExprKind::Assign(binding, checked), unit, span);
        match first {
            Some(first) => self.add(
                ExprKind::Block(vec![first, Stmt::Expr(assign)], None),
                unit,
                span,
            ),
            None => assign,
        }
    }

    /// A variable without a name that keeps a value, and an expression that reads it.
    fn kept(&mut self, value: ExprId) -> (Binding, ExprId) {
        let (ty, span) = (self.ty(value), self.span(value));
        self.locals.push(Variable {
            name: "_".to_string(),
            ty,
            mutable: false,
            span,
            reported: true,
        });
        let local = LocalId(self.locals.len() as u32 - 1);
        (
            Binding::Local(local),
            self.add(ExprKind::Local(local), ty, span),
        )
    }

    /// The value of a place; none of a tuple of places.
    fn read(&mut self, binding: &Binding, ty: Ty, span: Span) -> Option<ExprId> {
        match *binding {
            Binding::Local(local) => Some(self.add(ExprKind::Local(local), ty, span)),
            Binding::Part(local, start, len) => {
                let whole = self.locals[local.0 as usize].ty;
                let whole = self.add(ExprKind::Local(local), whole, span);
                Some(self.add(ExprKind::Part(whole, start, len), ty, span))
            }
            Binding::Ignore(_) | Binding::Tuple(_) => None,
        }
    }

    /// What an expression on the left of `=` stands for.
    fn place(&mut self, id: ast::ExprId) -> Option<(Binding, Ty)> {
        let expr = &self.scope.module[id];
        match &expr.kind {
            Ast::Path(path) => {
                let Some(name) = path.single() else {
                    self.not_a_place(expr.span, "only variables are assigned");
                    return None;
                };
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
        local: LocalId,
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

    fn require_mutable(&mut self, local: LocalId, span: Span) {
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
