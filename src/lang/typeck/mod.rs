//! Type checking: one function body, for one choice of its type parameters, from the untyped to the typed tree.
//!
//! Every type parameter stands for one dtype here; a generic function is checked once for each choice. Numbers
//! without suffix take the type that their place asks for, found by unification ([`infer`]); operations are checked
//! by the rules of the table, the same that the IR's verifier uses.

mod call;
mod control;
mod expr;
mod infer;
mod message;
mod ops;
mod place;
pub(crate) mod promote;

use crate::ast::{self, Module, Pattern, PatternKind, TypeExpr, TypeKind};
use crate::codes::Code;
use crate::diag::{Diagnostic, Sink};
use crate::hir::{self, Binding, Body, ExprId, ExprKind, LocalId, LoopId, Type};
use crate::literal::Literal;
use crate::resolve::{Item, Items, suggest_type};
use crate::span::Span;
use infer::{Known, Ty, Types};
use std::collections::HashMap;
use ufc_ir::ops::AnyOp;
use ufc_ir::{DType, TypeSet};

/// Most numbers that one value may have.
const MAX_WIDTH: usize = 256;

/// What a body is checked against.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The file.
    pub(crate) module: &'a Module,
    /// Its names.
    pub(crate) items: &'a Items,
    /// Whether values of different dtypes are converted as NumPy does: in one-line expressions.
    pub(crate) promote: bool,
}

/// Checks a function or constant with these dtypes for its type parameters; none if there was an error.
pub(crate) fn check_body(
    scope: Scope<'_>,
    item: Item,
    types: &[DType],
    sink: &mut Sink,
) -> Option<Body> {
    let mut checker = Checker::new(scope, sink);
    checker.body(item, types)
}

/// Checks an expression that stands for itself, of this dtype if one is given.
pub(crate) fn check_value(
    scope: Scope<'_>,
    value: ast::ExprId,
    dtype: Option<DType>,
    sink: &mut Sink,
) -> Option<Body> {
    let errors = sink.len();
    let mut checker = Checker::new(scope, sink);
    if let Some(dtype) = dtype {
        checker.result = checker.types.dtype(dtype);
    }
    let root = checker.infer(value);
    checker.demand(root, checker.result);
    checker.settle();
    let clean = checker.sink.len() == errors;
    if clean {
        checker.finish(Vec::new(), root)
    } else {
        None
    }
}

/// The dtypes that the type parameters of a function may have. Unknown bounds are reported elsewhere.
pub(crate) fn generic_sets(function: &ast::Function) -> Vec<TypeSet> {
    let bound = |name: &ast::Name| {
        TypeSet::BOUNDS
            .iter()
            .find(|(bound, _)| *bound == name.text)
            .map(|(_, set)| *set)
    };
    let sets = function.generics.iter().map(|g| {
        g.bounds
            .iter()
            .filter_map(bound)
            .fold(TypeSet::ANY, TypeSet::and)
    });
    sets.collect()
}

struct Checker<'a, 's> {
    scope: Scope<'a>,
    sink: &'s mut Sink,
    types: Types,
    generics: Vec<(&'a str, Ty)>,
    exprs: Vec<Typed>,
    locals: Vec<Variable>,
    /// Variables in scope by name, the innermost last.
    names: HashMap<&'a str, Vec<LocalId>>,
    /// Names declared in each open scope.
    opened: Vec<Vec<&'a str>>,
    loops: Vec<OpenLoop<'a>>,
    loop_count: u32,
    result: Ty,
    result_span: Option<Span>,
    /// Whether control cannot come to this point.
    diverges: bool,
    literals: Vec<(ExprId, Literal, bool)>,
    pending: Vec<Pending>,
    ops: Vec<(ExprId, Vec<AnyOp>)>,
    casts: Vec<(ExprId, ExprId)>,
    calls: Vec<(ExprId, Vec<Ty>)>,
    negations: Vec<(ExprId, ExprId)>,
}

/// An expression whose type may not be known yet.
struct Typed {
    kind: ExprKind,
    ty: Ty,
    span: Span,
}

struct Variable {
    name: String,
    ty: Ty,
    mutable: bool,
    span: Span,
    reported: bool,
}

struct OpenLoop<'a> {
    label: Option<&'a str>,
    id: LoopId,
    /// Type of the value, for `loop`.
    value: Option<Ty>,
    breaks: bool,
}

/// An operation that waits for the type of its arguments.
#[derive(Clone)]
struct Pending {
    expr: ExprId,
    ops: Vec<AnyOp>,
    args: Vec<ExprId>,
    name: String,
    name_span: Span,
}

impl<'a, 's> Checker<'a, 's> {
    fn new(scope: Scope<'a>, sink: &'s mut Sink) -> Self {
        let mut types = Types::default();
        let result = types.any();
        Checker {
            scope,
            sink,
            types,
            generics: Vec::new(),
            exprs: Vec::new(),
            locals: Vec::new(),
            names: HashMap::new(),
            opened: vec![Vec::new()],
            loops: Vec::new(),
            loop_count: 0,
            result,
            result_span: None,
            diverges: false,
            literals: Vec::new(),
            pending: Vec::new(),
            ops: Vec::new(),
            casts: Vec::new(),
            calls: Vec::new(),
            negations: Vec::new(),
        }
    }

    fn body(&mut self, item: Item, types: &[DType]) -> Option<Body> {
        let errors = self.sink.len();
        let module = self.scope.module;
        let mut params = Vec::new();
        let root = match item {
            Item::Function(i) => {
                let function = &module.functions[i];
                for (generic, dtype) in function.generics.iter().zip(types) {
                    let ty = self.types.dtype(*dtype);
                    self.generics.push((&generic.name.text, ty));
                }
                for param in &function.params {
                    let ty = self.type_expr(&param.ty, true);
                    params.push((self.bind(&param.pattern, ty), ty));
                }
                if let Some(result) = &function.result {
                    self.result = self.type_expr(result, true);
                    self.result_span = Some(result.span);
                } else if !self.scope.promote {
                    self.result = self.types.unit();
                }
                self.function_value(function)?
            }
            Item::Constant(i) => {
                let constant = &module.constants[i];
                self.result = self.type_expr(&constant.ty, true);
                self.result_span = Some(constant.ty.span);
                let root = self.infer(constant.value);
                self.demand(root, self.result);
                root
            }
        };
        self.settle();
        let clean = self.sink.len() == errors;
        if clean {
            self.finish(params, root)
        } else {
            None
        }
    }

    fn function_value(&mut self, function: &ast::Function) -> Option<ExprId> {
        let body = function.body?;
        let root = self.infer(body);
        let ty = self.ty(root);
        if self.diverges {
            return Some(root);
        }
        let expected = self.result;
        if let ast::ExprKind::Block(block) = &self.scope.module[body].kind
            && block.tail.is_none()
            && function.result.is_some()
            && !self.types.unify(ty, expected)
        {
            self.missing_value(function, block);
        } else {
            self.demand_tail(root, expected);
        }
        Some(root)
    }

    /// Decides all that is still open: waiting operations, then defaults of numbers.
    fn settle(&mut self) {
        loop {
            let before = self.pending.len();
            let waiting = std::mem::take(&mut self.pending);
            for pending in waiting {
                if !self.resolve_pending(&pending) {
                    self.pending.push(pending);
                }
            }
            if self.pending.len() < before {
                continue;
            }
            let args: Vec<ExprId> = self
                .pending
                .iter()
                .flat_map(|p| p.args.iter().copied())
                .collect();
            let mut decided = false;
            for arg in args {
                let ty = self.ty(arg);
                decided |= !decided && self.types.decide(ty);
            }
            if !decided {
                break;
            }
        }
        for pending in std::mem::take(&mut self.pending) {
            let span = self.span(pending.args[0]);
            self.unknown_dtype(span);
        }
        self.types.decide_all();
        self.settle_literals();
        self.settle_casts();
    }

    fn finish(&mut self, params: Vec<(Binding, Ty)>, root: ExprId) -> Option<Body> {
        self.settle_ops();
        self.settle_calls();
        let errors = self.sink.len();
        let mut locals = Vec::new();
        for i in 0..self.locals.len() {
            let ty = self.finished(self.locals[i].ty, self.locals[i].span);
            locals.push(hir::Local {
                name: std::mem::take(&mut self.locals[i].name),
                ty,
            });
        }
        let typed = std::mem::take(&mut self.exprs);
        let exprs: Vec<hir::Expr> = typed
            .into_iter()
            .map(|e| hir::Expr {
                ty: self.finished(e.ty, e.span),
                kind: e.kind,
                span: e.span,
            })
            .collect();
        let params = params
            .into_iter()
            .map(|(binding, ty)| (binding, self.finished(ty, Span::default())))
            .collect();
        let span = exprs[root.0 as usize].span;
        let result = self.finished(self.result, span);
        let body = Body {
            exprs,
            locals,
            params,
            root,
            result,
            loops: self.loop_count,
        };
        (self.sink.len() == errors).then_some(body)
    }

    /// A type in its final form; reports, once, one that nothing decides.
    fn finished(&mut self, ty: Ty, span: Span) -> Type {
        match self.types.finish(ty) {
            Some(ty) => ty,
            None => {
                if !self.types.is_error(ty) {
                    self.unknown_dtype(span);
                    self.types.poison(ty);
                }
                Type::unit()
            }
        }
    }

    fn add(&mut self, kind: ExprKind, ty: Ty, span: Span) -> ExprId {
        self.exprs.push(Typed { kind, ty, span });
        ExprId(self.exprs.len() as u32 - 1)
    }

    /// An expression about which an error has been reported.
    fn poison(&mut self, span: Span) -> ExprId {
        let ty = self.types.error();
        self.add(ExprKind::Tuple(Vec::new()), ty, span)
    }

    fn ty(&self, expr: ExprId) -> Ty {
        self.exprs[expr.0 as usize].ty
    }

    fn span(&self, expr: ExprId) -> Span {
        self.exprs[expr.0 as usize].span
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.sink.push(diagnostic);
    }

    /// The type that is written; unknown names are reported if asked.
    fn type_expr(&mut self, written: &TypeExpr, report: bool) -> Ty {
        match &written.kind {
            TypeKind::Name(name) => {
                if let Some((_, ty)) = self.generics.iter().find(|(generic, _)| generic == name) {
                    return *ty;
                }
                if let Some(dtype) = DType::from_name(name) {
                    return self.types.dtype(dtype);
                }
                if report {
                    self.unknown_type(name, written.span);
                }
                self.types.error()
            }
            TypeKind::Tuple(members) => {
                let members = members.iter().map(|m| self.type_expr(m, report)).collect();
                self.types.tuple(members)
            }
            TypeKind::Infer => self.types.any(),
            TypeKind::Error => self.types.error(),
        }
    }

    fn unknown_type(&mut self, name: &str, span: Span) {
        let message = format!("there is no type {}", crate::diag::quote(name));
        let mut error = Diagnostic::error(Code::UnknownType, span, message, "not a type");
        if let Some(near) = suggest_type(name, self.generics.iter().map(|(name, _)| *name)) {
            error = error
                .help(format!("did you mean `{near}`?"))
                .fix(span, near);
        } else if name.len() == 1 && name.starts_with(|c: char| c.is_ascii_uppercase()) {
            error = error.help(format!(
                "declare a type parameter after the function's name: `<{name}: Float>`"
            ));
        }
        self.report(error);
    }

    fn open_scope(&mut self) {
        self.opened.push(Vec::new());
    }

    fn close_scope(&mut self) {
        for name in self.opened.pop().unwrap_or_default() {
            if let Some(stack) = self.names.get_mut(name) {
                stack.pop();
            }
        }
    }

    fn declare(&mut self, name: &'a str, ty: Ty, mutable: bool, span: Span) -> LocalId {
        self.locals.push(Variable {
            name: name.to_string(),
            ty,
            mutable,
            span,
            reported: false,
        });
        let id = LocalId(self.locals.len() as u32 - 1);
        self.names.entry(name).or_default().push(id);
        if let Some(scope) = self.opened.last_mut() {
            scope.push(name);
        }
        id
    }

    fn lookup(&self, name: &str) -> Option<LocalId> {
        self.names.get(name).and_then(|stack| stack.last()).copied()
    }

    /// Declares the variables of a pattern for a value of this type.
    fn bind(&mut self, pattern: &'a Pattern, ty: Ty) -> Binding {
        match &pattern.kind {
            PatternKind::Bind { name, mutable } => {
                Binding::Local(self.declare(name, ty, *mutable, pattern.span))
            }
            // How many numbers are dropped is known when the body is; such a variable says it then.
            PatternKind::Ignore | PatternKind::Error => {
                self.locals.push(Variable {
                    name: "_".to_string(),
                    ty,
                    mutable: false,
                    span: pattern.span,
                    reported: true,
                });
                Binding::Local(LocalId(self.locals.len() as u32 - 1))
            }
            PatternKind::Tuple(parts) => {
                let types = self.parts_of(ty, parts.len(), pattern.span);
                Binding::Tuple(
                    parts
                        .iter()
                        .zip(types)
                        .map(|(part, ty)| self.bind(part, ty))
                        .collect(),
                )
            }
        }
    }

    /// Types of the parts of a tuple that is taken apart into so many.
    fn parts_of(&mut self, ty: Ty, count: usize, span: Span) -> Vec<Ty> {
        match self.types.known(ty) {
            Known::Tuple(members) if members.len() == count => members,
            Known::Any => {
                let members: Vec<Ty> = (0..count).map(|_| self.types.any()).collect();
                let tuple = self.types.tuple(members.clone());
                self.types.unify(ty, tuple);
                members
            }
            known => {
                if !matches!(known, Known::Error) {
                    let shown = self.types.show(ty);
                    let message =
                        format!("the pattern has {count} parts, but the value is {shown}");
                    self.report(Diagnostic::error(
                        Code::PatternMismatch,
                        span,
                        message,
                        "another shape than the value",
                    ));
                }
                (0..count).map(|_| self.types.error()).collect()
            }
        }
    }
}
