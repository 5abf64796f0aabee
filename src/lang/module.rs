//! A checked source: its kernels, and the way from a kernel to IR.

use crate::ast::{self, AttrKind, ExprKind, PatternKind, Stmt};
use crate::codes::Code;
use crate::diag::{Diagnostic, Sink};
use crate::hir::Body;
use crate::lexer::lex;
use crate::lower::{Bodies, constants, lower_body, lower_item};
use crate::parser::{parse_expression, parse_module};
use crate::resolve::{Item, Items};
use crate::signature::{ParamType, check_signatures, kernel_types, param_name, unknown_types};
use crate::span::Span;
use crate::typeck::{Scope, check_body, check_value, generic_sets};
use std::sync::Arc;
use ufc_ir::func::{Attrs, Func};
use ufc_ir::{Const, DType, TypeSet};

/// A kernel as its callers see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    /// Its name.
    pub name: String,
    /// The documentation comment.
    pub docs: String,
    /// Inputs in order.
    pub params: Vec<KernelParam>,
    /// Outputs in order.
    pub results: Vec<ParamType>,
    /// Type parameters in order, with the dtypes that they may be.
    pub generics: Vec<KernelGeneric>,
    /// Whether `#[fast_math]` was given.
    pub fast_math: bool,
    /// Whether `#[identity]` was given; [`Module::identity`] has its value.
    pub has_identity: bool,
    /// What `#[bench]` says: an argument's name and its workload's text each.
    pub bench: Vec<(String, String)>,
    /// How many `#[test_case]`s there are.
    pub test_cases: usize,
    /// Where its name stands.
    pub span: Span,
    pub(crate) index: usize,
}

/// An input of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelParam {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: ParamType,
}

/// A type parameter of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelGeneric {
    /// Its name.
    pub name: String,
    /// The dtypes that it may be.
    pub set: TypeSet,
}

/// An example that the author gives: arguments and what the kernel should give for them.
#[derive(Clone, Debug)]
pub struct TestCase {
    /// The dtypes of the kernel's type parameters.
    pub types: Vec<DType>,
    /// Gives the arguments; takes nothing.
    pub args: Func,
    /// Gives the expected results; takes nothing.
    pub expected: Func,
    /// How many units in the last place the answer may be off.
    pub ulp: u32,
    /// Where it stands.
    pub span: Span,
}

impl TestCase {
    /// Arguments and expected results, if no math function has to be expanded to know them.
    pub fn constants(&self) -> Option<(Vec<Const>, Vec<Const>)> {
        Some((constants(&self.args)?, constants(&self.expected)?))
    }
}

/// A checked source.
#[derive(Clone, Debug)]
pub struct Module {
    ast: ast::Module,
    items: Items,
    bodies: Bodies,
    kernels: Vec<Kernel>,
    errors: Vec<Diagnostic>,
    promote: bool,
}

/// Parses a source: never fails, but may report.
pub fn parse(source: &str) -> (ast::Module, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let tokens = lex(source, &mut sink);
    let module = parse_module(&tokens, &mut sink);
    (module, sink.into_sorted())
}

/// Parses and checks a source.
pub fn check(source: &str) -> (Module, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let tokens = lex(source, &mut sink);
    let module = parse_module(&tokens, &mut sink);
    check_parsed(module, sink)
}

/// Checks a parsed source; the sink has what was reported so far.
pub fn check_parsed(module: ast::Module, mut sink: Sink) -> (Module, Vec<Diagnostic>) {
    check_signatures(&module, &mut sink);
    let items = Items::collect(&module, &mut sink);
    let mut checked = Module {
        ast: module,
        items,
        bodies: Bodies::new(),
        kernels: Vec::new(),
        errors: Vec::new(),
        promote: false,
    };
    checked.check_bodies(&mut sink);
    checked.find_kernels();
    checked.check_attributes(&mut sink);
    checked.check_sizes(&mut sink);
    let diagnostics = sink.into_sorted();
    checked.errors = diagnostics
        .iter()
        .filter(|d| d.is_error())
        .cloned()
        .collect();
    (checked, diagnostics)
}

/// Parses and checks a one-line expression. Its free names are the inputs, in the order of first use, each of its own
/// dtype, chosen when it is lowered; values of different dtypes are converted as NumPy does.
pub fn check_expr(expr: &str) -> (Module, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let tokens = lex(expr, &mut sink);
    let mut module = parse_expression(&tokens, &mut sink);
    add_inputs(&mut module);
    let items = Items::collect(&module, &mut sink);
    let mut checked = Module {
        ast: module,
        items,
        bodies: Bodies::new(),
        kernels: Vec::new(),
        errors: Vec::new(),
        promote: true,
    };
    check_signatures_of_line(&checked.ast, &mut sink);
    let results = if sink.has_errors() {
        1
    } else {
        checked.try_dtypes(&mut sink)
    };
    checked.find_line_kernel(results);
    let diagnostics = sink.into_sorted();
    checked.errors = diagnostics.clone();
    (checked, diagnostics)
}

fn check_signatures_of_line(module: &ast::Module, sink: &mut Sink) {
    let count = module.functions[0].params.len();
    if count >= crate::signature::MAX_OPERANDS {
        let message = format!("the expression has {count} inputs, too many for one kernel");
        sink.push(Diagnostic::error(
            Code::TooManyParameters,
            module.functions[0].span,
            message,
            "too many names",
        ));
    }
}

/// Makes the free names of a one-line expression its parameters.
fn add_inputs(module: &mut ast::Module) {
    let mut bound: Vec<&str> = Vec::new();
    let mut used: Vec<(&str, Span)> = Vec::new();
    for (_, expr) in module.exprs() {
        match &expr.kind {
            ExprKind::Path(path) => {
                used.extend(path.single().map(|name| (name.text.as_str(), name.span)))
            }
            ExprKind::Block(block) => block_names(block, &mut bound),
            ExprKind::If { arms, otherwise } => {
                arms.iter()
                    .map(|(_, block)| block)
                    .chain(otherwise)
                    .for_each(|b| block_names(b, &mut bound));
            }
            ExprKind::Loop { kind, body, .. } => {
                block_names(body, &mut bound);
                if let ast::LoopKind::For { pattern, .. } = kind {
                    pattern_names(pattern, &mut bound);
                }
            }
            _ => {}
        }
    }
    used.sort_by_key(|(_, span)| span.start);
    let mut inputs: Vec<(String, Span)> = Vec::new();
    let mut seen: std::collections::HashSet<&str> = bound.into_iter().collect();
    for (name, span) in used {
        if seen.insert(name) {
            inputs.push((name.to_string(), span));
        }
    }
    let function = &mut module.functions[0];
    for (index, (name, span)) in inputs.into_iter().enumerate() {
        let generic = format!("T{index}");
        let ty = ast::TypeExpr {
            kind: ast::TypeKind::Name(generic.clone()),
            span,
        };
        let pattern = ast::Pattern {
            kind: PatternKind::Bind {
                name,
                mutable: false,
            },
            span,
        };
        function.generics.push(ast::Generic {
            name: ast::Name {
                text: generic,
                span,
            },
            bounds: Vec::new(),
        });
        function.params.push(ast::Param { pattern, ty });
    }
}

fn block_names<'a>(block: &'a ast::Block, names: &mut Vec<&'a str>) {
    for stmt in &block.stmts {
        if let Stmt::Let { pattern, .. } = stmt {
            pattern_names(pattern, names);
        }
    }
}

fn pattern_names<'a>(pattern: &'a ast::Pattern, names: &mut Vec<&'a str>) {
    match &pattern.kind {
        PatternKind::Bind { name, .. } => names.push(name),
        PatternKind::Tuple(parts) => parts.iter().for_each(|part| pattern_names(part, names)),
        PatternKind::Ignore | PatternKind::Error => {}
    }
}

impl Module {
    /// The kernels, in the order of the source.
    pub fn kernels(&self) -> &[Kernel] {
        &self.kernels
    }

    /// The kernel with this name.
    pub fn kernel(&self, name: &str) -> Option<&Kernel> {
        self.kernels.iter().find(|kernel| kernel.name == name)
    }

    /// The `//!` lines of the source.
    pub fn docs(&self) -> &str {
        &self.ast.docs
    }

    /// The untyped tree.
    pub fn ast(&self) -> &ast::Module {
        &self.ast
    }

    /// Lowers a kernel to IR for these dtypes of its type parameters, in order.
    ///
    /// # Errors
    /// If the source has errors, there is no such kernel, a dtype is not within its bound, or the kernel is too large.
    pub fn lower(&self, kernel: &str, types: &[DType]) -> Result<Func, Vec<Diagnostic>> {
        if !self.errors.is_empty() {
            return Err(self.errors.clone());
        }
        let Some(kernel) = self.kernel(kernel) else {
            let message = format!("there is no kernel `{kernel}` in this source");
            return Err(vec![Diagnostic::error(
                Code::UnknownFunction,
                Span::default(),
                message,
                "",
            )]);
        };
        self.check_types(kernel, types)?;
        let names: Vec<String> = kernel.params.iter().map(|p| p.name.clone()).collect();
        let item = Item::Function(kernel.index);
        let mut func = lower_item(
            self.scope(),
            &self.bodies,
            item,
            types,
            &kernel.name,
            &names,
        )?;
        func.attrs = Attrs {
            doc: kernel.docs.clone(),
            fast_math: kernel.fast_math,
            identity: self.identity(&kernel.name, types),
        };
        Ok(func)
    }

    fn check_types(&self, kernel: &Kernel, types: &[DType]) -> Result<(), Vec<Diagnostic>> {
        let error = |message: String| {
            Err(vec![Diagnostic::error(
                Code::TypeMismatch,
                kernel.span,
                message,
                "for this kernel",
            )])
        };
        if types.len() != kernel.generics.len() {
            let (wanted, given) = (kernel.generics.len(), types.len());
            return error(format!(
                "`{}` has {wanted} type parameters, but {given} dtypes were given",
                kernel.name
            ));
        }
        for (generic, dtype) in kernel.generics.iter().zip(types) {
            if !generic.set.contains(*dtype) {
                return error(format!(
                    "`{}` may not be {dtype}, only {}",
                    generic.name, generic.set
                ));
            }
        }
        Ok(())
    }

    /// The neutral element that `#[identity]` gives, for these dtypes of the type parameters.
    pub fn identity(&self, kernel: &str, types: &[DType]) -> Option<Const> {
        let kernel = self.kernel(kernel)?;
        let value = self.ast.functions[kernel.index]
            .attrs
            .iter()
            .find_map(|attr| match attr.kind {
                AttrKind::Identity(value) => Some(value),
                _ => None,
            })?;
        let dtype = dtype_of(*kernel.results.first()?, types)?;
        let mut sink = Sink::default();
        let body = check_value(self.scope(), value, Some(dtype), &mut sink)?;
        constants(&self.lower_value(&[body]).ok()?)?
            .first()
            .copied()
    }

    /// The kernel's test cases, in order.
    ///
    /// # Errors
    /// If the source has errors, or what a test case says is not right.
    pub fn test_cases(&self, kernel: &str) -> Result<Vec<TestCase>, Vec<Diagnostic>> {
        if !self.errors.is_empty() {
            return Err(self.errors.clone());
        }
        let mut sink = Sink::default();
        let mut cases = Vec::new();
        if let Some(kernel) = self.kernel(kernel) {
            for attr in &self.ast.functions[kernel.index].attrs {
                if let AttrKind::TestCase {
                    args,
                    expected,
                    ulp,
                } = &attr.kind
                {
                    cases.extend(
                        self.test_case(kernel, args, *expected, *ulp, attr.span, &mut sink),
                    );
                }
            }
        }
        if sink.has_errors() {
            Err(sink.into_sorted())
        } else {
            Ok(cases)
        }
    }

    fn test_case(
        &self,
        kernel: &Kernel,
        args: &[ast::ExprId],
        expected: ast::ExprId,
        ulp: u32,
        span: Span,
        sink: &mut Sink,
    ) -> Option<TestCase> {
        let types = self.deduce(kernel, args, span, sink)?;
        let mut bodies = Vec::new();
        for (arg, param) in args.iter().zip(&kernel.params) {
            bodies.push(check_value(
                self.scope(),
                *arg,
                dtype_of(param.ty, &types),
                sink,
            )?);
        }
        let parts = match &self.ast[expected].kind {
            ExprKind::Tuple(parts) => parts.clone(),
            _ => vec![expected],
        };
        if parts.len() != kernel.results.len() {
            let message = format!(
                "the test case expects {}, but `{}` gives {}",
                count(parts.len()),
                kernel.name,
                count(kernel.results.len())
            );
            let label = "another number of results";
            sink.push(Diagnostic::error(
                Code::BadAttribute,
                self.ast[expected].span,
                message,
                label,
            ));
            return None;
        }
        let mut results = Vec::new();
        for (part, ty) in parts.iter().zip(&kernel.results) {
            results.push(check_value(
                self.scope(),
                *part,
                dtype_of(*ty, &types),
                sink,
            )?);
        }
        let mut lowered = |bodies: &[Body]| match self.lower_value(bodies) {
            Ok(func) => Some(func),
            Err(errors) => {
                sink.extend(errors);
                None
            }
        };
        Some(TestCase {
            types,
            args: lowered(&bodies)?,
            expected: lowered(&results)?,
            ulp,
            span,
        })
    }

    /// The dtypes of a kernel's type parameters, from the arguments of a test case.
    fn deduce(
        &self,
        kernel: &Kernel,
        args: &[ast::ExprId],
        span: Span,
        sink: &mut Sink,
    ) -> Option<Vec<DType>> {
        let mut types: Vec<Option<DType>> = vec![None; kernel.generics.len()];
        for (arg, param) in args.iter().zip(&kernel.params) {
            let ParamType::Generic(index) = param.ty else {
                continue;
            };
            let set = kernel.generics[index].set;
            let body = check_value(self.scope(), *arg, None, sink)?;
            let found = body.result.flat().first().copied();
            // A number without suffix takes its default, unless another argument or the bound says otherwise.
            let fallback = [DType::F64, DType::I32, DType::U32, DType::C128]
                .into_iter()
                .find(|d| set.contains(*d));
            let is_number = matches!(self.ast[*arg].kind, ExprKind::Number { ref text, .. }
                if crate::literal::Literal::parse(text).is_ok_and(|l| l.suffix.is_none()));
            let chosen = if is_number {
                types[index]
                    .or(found.filter(|d| set.contains(*d)))
                    .or(fallback)
            } else {
                found
            };
            types[index] = chosen.filter(|d| set.contains(*d));
        }
        let all: Option<Vec<DType>> = types.into_iter().collect();
        if all.is_none() {
            let message = "the arguments of the test case do not say the types of the kernel";
            let error = Diagnostic::error(Code::BadAttribute, span, message, "types not known");
            sink.push(error.help("give the numbers suffixes, such as `1.0f32`"));
        }
        all
    }

    fn lower_value(&self, bodies: &[Body]) -> Result<Func, Vec<Diagnostic>> {
        lower_body(self.scope(), &self.bodies, bodies)
    }

    pub(crate) fn items(&self) -> &Items {
        &self.items
    }

    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope {
            module: &self.ast,
            items: &self.items,
            promote: self.promote,
        }
    }

    fn check_bodies(&mut self, sink: &mut Sink) {
        for index in 0..self.ast.constants.len() {
            self.check_item(Item::Constant(index), &[], sink);
        }
        for index in 0..self.ast.functions.len() {
            let function = &self.ast.functions[index];
            if function.body.is_none() {
                unknown_types(function, sink);
                continue;
            }
            if function.params.len() > crate::signature::MAX_PARAMS {
                continue;
            }
            let names: Vec<String> = function
                .generics
                .iter()
                .map(|g| g.name.text.clone())
                .collect();
            let choices = choices(&generic_sets(function));
            let mut found: Vec<(Diagnostic, usize, String)> = Vec::new();
            for types in &choices {
                let mut errors = Sink::default();
                self.check_item(Item::Function(index), types, &mut errors);
                let chosen: Vec<String> = names
                    .iter()
                    .zip(types)
                    .map(|(name, dtype)| format!("`{name}` is {dtype}"))
                    .collect();
                for error in errors.into_sorted() {
                    let same = |(known, ..): &&mut (Diagnostic, usize, String)| {
                        known.primary.span == error.primary.span
                    };
                    match found.iter_mut().find(same) {
                        Some((_, times, _)) => *times += 1,
                        None => found.push((error, 1, chosen.join(" and "))),
                    }
                }
            }
            for (mut diagnostic, times, chosen) in found {
                if times < choices.len() && diagnostic.note.is_none() {
                    diagnostic.note = {
                        let bounds = if names.len() > 1 {
                            "bounds allow"
                        } else {
                            "bound allows"
                        };
                        Some(format!("this is when {chosen}, as the {bounds}"))
                    };
                }
                sink.push(diagnostic);
            }
        }
    }

    fn check_item(&mut self, item: Item, types: &[DType], sink: &mut Sink) -> bool {
        match check_body(self.scope(), item, types, sink) {
            Some(body) => {
                self.bodies.insert((item, types.to_vec()), Arc::new(body));
                true
            }
            None => false,
        }
    }

    fn find_kernels(&mut self) {
        for (index, function) in self
            .ast
            .functions
            .iter()
            .enumerate()
            .filter(|(_, f)| f.is_pub)
        {
            let Some((params, results)) = kernel_types(function) else {
                continue;
            };
            let sets = generic_sets(function);
            let params = function.params.iter().zip(params).enumerate();
            let bench = function.attrs.iter().filter_map(|attr| match &attr.kind {
                AttrKind::Bench(list) => Some(list),
                _ => None,
            });
            let has = |wanted: fn(&AttrKind) -> bool| {
                function.attrs.iter().filter(|a| wanted(&a.kind)).count()
            };
            let kernel = Kernel {
                name: function.name.text.clone(),
                docs: function.docs.clone(),
                params: params
                    .map(|(i, (p, ty))| KernelParam {
                        name: param_name(p, i),
                        ty,
                    })
                    .collect(),
                results,
                generics: generics(function, &sets),
                fast_math: has(|kind| matches!(kind, AttrKind::FastMath)) > 0,
                has_identity: has(|kind| matches!(kind, AttrKind::Identity(_))) > 0,
                bench: bench
                    .flatten()
                    .map(|w| (w.name.text.clone(), w.text.clone()))
                    .collect(),
                test_cases: has(|kind| matches!(kind, AttrKind::TestCase { .. })),
                span: function.name.span,
                index,
            };
            self.kernels.push(kernel);
        }
    }

    /// Limits that only show when all is inlined: lowers each kernel once.
    fn check_sizes(&self, sink: &mut Sink) {
        if sink.has_errors() {
            return;
        }
        for kernel in &self.kernels {
            let sets: Vec<TypeSet> = kernel.generics.iter().map(|g| g.set).collect();
            let Some(types) = choices(&sets).into_iter().next() else {
                continue;
            };
            if let Err(errors) = lower_item(
                self.scope(),
                &self.bodies,
                Item::Function(kernel.index),
                &types,
                "",
                &[],
            ) {
                sink.extend(errors);
            }
        }
    }

    /// Attributes' values are checked once everything else is right.
    fn check_attributes(&mut self, sink: &mut Sink) {
        if sink.has_errors() {
            return;
        }
        for kernel in &self.kernels {
            if let Err(errors) = self.test_cases(&kernel.name) {
                sink.extend(errors);
            }
            for attr in &self.ast.functions[kernel.index].attrs {
                let AttrKind::Identity(value) = attr.kind else {
                    continue;
                };
                let sets: Vec<TypeSet> = kernel.generics.iter().map(|g| g.set).collect();
                for types in choices(&sets) {
                    let Some(dtype) = dtype_of(kernel.results[0], &types) else {
                        continue;
                    };
                    let before = sink.len();
                    check_value(self.scope(), value, Some(dtype), sink);
                    if sink.len() > before {
                        break;
                    }
                }
            }
        }
    }

    /// Tries a one-line expression with some dtypes, to see its errors and how many results it has.
    fn try_dtypes(&mut self, sink: &mut Sink) -> usize {
        let count = self.ast.functions[0].params.len();
        let mut first: Option<Vec<Diagnostic>> = None;
        for dtype in [DType::F64, DType::I64, DType::Bool, DType::C128, DType::U64] {
            let mut found = Sink::default();
            let body = check_body(
                self.scope(),
                Item::Function(0),
                &vec![dtype; count],
                &mut found,
            );
            if let Some(body) = body {
                return body.result.width();
            }
            first.get_or_insert(found.into_sorted());
        }
        sink.extend(first.unwrap_or_default());
        1
    }

    fn find_line_kernel(&mut self, results: usize) {
        let function = &self.ast.functions[0];
        let sets = generic_sets(function);
        let param = |(i, p)| KernelParam {
            name: param_name(p, i),
            ty: ParamType::Generic(i),
        };
        self.kernels.push(Kernel {
            name: function.name.text.clone(),
            docs: String::new(),
            params: function.params.iter().enumerate().map(param).collect(),
            results: vec![ParamType::Inferred; results],
            generics: generics(function, &sets),
            fast_math: false,
            has_identity: false,
            bench: Vec::new(),
            test_cases: 0,
            span: function.name.span,
            index: 0,
        });
    }
}

fn generics(function: &ast::Function, sets: &[TypeSet]) -> Vec<KernelGeneric> {
    let named = function.generics.iter().zip(sets);
    named
        .map(|(g, set)| KernelGeneric {
            name: g.name.text.clone(),
            set: *set,
        })
        .collect()
}

fn dtype_of(ty: ParamType, types: &[DType]) -> Option<DType> {
    match ty {
        ParamType::DType(dtype) => Some(dtype),
        ParamType::Generic(index) => types.get(index).copied(),
        ParamType::Inferred => None,
    }
}

fn count(results: usize) -> String {
    if results == 1 {
        "1 result".to_string()
    } else {
        format!("{results} results")
    }
}

/// The choices of dtypes with which a generic function is checked: all of them for one type parameter; for several,
/// all equal as far as the bounds allow, and each varied while the others stay.
fn choices(sets: &[TypeSet]) -> Vec<Vec<DType>> {
    let firsts: Option<Vec<DType>> = sets.iter().map(|set| set.iter().next()).collect();
    let Some(firsts) = firsts else {
        return Vec::new();
    };
    // The floats first, since messages about them say most to most people.
    let preferred = [DType::F32, DType::F64, DType::I32];
    let base: Vec<DType> = sets
        .iter()
        .zip(&firsts)
        .map(|(set, first)| {
            preferred
                .iter()
                .copied()
                .find(|d| set.contains(*d))
                .unwrap_or(*first)
        })
        .collect();
    let mut all = vec![base.clone()];
    for dtype in DType::ALL {
        let equal: Vec<DType> = sets
            .iter()
            .zip(&base)
            .map(|(set, other)| if set.contains(*dtype) { *dtype } else { *other })
            .collect();
        all.push(equal);
        for (index, set) in sets
            .iter()
            .enumerate()
            .filter(|(_, set)| set.contains(*dtype))
        {
            let _ = set;
            let mut one = base.clone();
            one[index] = *dtype;
            all.push(one);
        }
    }
    let mut seen = std::collections::HashSet::new();
    all.retain(|types| seen.insert(types.clone()));
    all
}
