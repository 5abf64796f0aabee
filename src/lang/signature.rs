//! Checks of functions' signatures and attributes, before any body is looked at.

use crate::ast::{
    Attr, AttrKind, Function, Module, Name, Param, Pattern, PatternKind, TypeExpr, TypeKind,
};
use crate::codes::Code;
use crate::diag::{Diagnostic, Sink, quote};
use crate::resolve::{suggest, suggest_type};
use crate::span::Span;
use ufc_ir::{DType, TypeSet};

/// Most parameters and results that a kernel may have together; the same limit as NumPy's.
pub const MAX_OPERANDS: usize = 64;
/// Most parameters that a helper may have.
pub const MAX_PARAMS: usize = 255;

/// Type of a kernel's parameter or result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// One dtype.
    DType(DType),
    /// The type parameter with this number.
    Generic(usize),
    /// Known only when the dtypes of the inputs are: results of one-line expressions.
    Inferred,
}

/// Checks all signatures and attributes.
pub(crate) fn check_signatures(module: &Module, sink: &mut Sink) {
    for function in &module.functions {
        Check { function, sink }.all();
    }
}

/// The kernel's parameter or result types, if they are what a kernel may have.
pub(crate) fn kernel_types(function: &Function) -> Option<(Vec<ParamType>, Vec<ParamType>)> {
    let params: Option<Vec<ParamType>> = function
        .params
        .iter()
        .map(|p| single(function, &p.ty))
        .collect();
    Some((params?, results(function)?))
}

fn results(function: &Function) -> Option<Vec<ParamType>> {
    let result = function.result.as_ref()?;
    match &result.kind {
        TypeKind::Tuple(members) if !members.is_empty() => {
            members.iter().map(|m| single(function, m)).collect()
        }
        _ => single(function, result).map(|ty| vec![ty]),
    }
}

fn single(function: &Function, ty: &TypeExpr) -> Option<ParamType> {
    let TypeKind::Name(name) = &ty.kind else {
        return None;
    };
    let generic = function
        .generics
        .iter()
        .position(|g| g.name.text == *name)
        .map(ParamType::Generic);
    generic.or_else(|| DType::from_name(name).map(ParamType::DType))
}

/// The name that a parameter is known by to callers.
pub(crate) fn param_name(param: &Param, index: usize) -> String {
    match &param.pattern.kind {
        PatternKind::Bind { name, .. } => name.clone(),
        _ => format!("arg{index}"),
    }
}

struct Check<'a> {
    function: &'a Function,
    sink: &'a mut Sink,
}

impl Check<'_> {
    fn error(&mut self, code: Code, span: Span, message: String, label: &str) {
        self.sink
            .push(Diagnostic::error(code, span, message, label));
    }

    fn all(&mut self) {
        self.generics();
        self.param_names();
        self.counts();
        if self.function.is_pub {
            self.kernel();
        }
        self.attributes();
    }

    fn generics(&mut self) {
        let function = self.function;
        for (index, generic) in function.generics.iter().enumerate() {
            self.duplicate(
                &generic.name,
                function.generics[..index].iter().map(|g| &g.name),
                "type parameter",
            );
            let mut set = TypeSet::ANY;
            for bound in &generic.bounds {
                match TypeSet::BOUNDS.iter().find(|(name, _)| *name == bound.text) {
                    Some((_, members)) => set = set.and(*members),
                    None => self.unknown_bound(bound),
                }
            }
            if set.is_empty() {
                let message = format!("no type is within all bounds of `{}`", generic.name.text);
                self.error(
                    Code::UnknownBound,
                    generic.name.span,
                    message,
                    "its bounds exclude each other",
                );
            }
            if DType::from_name(&generic.name.text).is_some() {
                let message = format!("`{}` is the name of a type already", generic.name.text);
                self.error(
                    Code::DuplicateName,
                    generic.name.span,
                    message,
                    "choose another name",
                );
            }
        }
    }

    fn unknown_bound(&mut self, bound: &Name) {
        let message = format!("there is no bound {}", quote(&bound.text));
        let names = TypeSet::BOUNDS.iter().map(|(name, _)| *name);
        let mut error = Diagnostic::error(Code::UnknownBound, bound.span, message, "not a bound");
        error = match suggest(&bound.text, names.clone()) {
            Some(near) => error
                .help(format!("did you mean `{near}`?"))
                .fix(bound.span, near),
            None => error.help(format!(
                "there are {}",
                names.collect::<Vec<_>>().join(", ")
            )),
        };
        self.sink.push(error);
    }

    fn duplicate<'n>(
        &mut self,
        name: &Name,
        mut before: impl Iterator<Item = &'n Name>,
        what: &str,
    ) {
        if let Some(first) = before.find(|b| b.text == name.text) {
            let message = format!("the {what} `{}` is declared twice", name.text);
            let error = Diagnostic::error(
                Code::DuplicateName,
                name.span,
                message,
                "declared again here",
            );
            self.sink
                .push(error.also(first.span, "first declared here"));
        }
    }

    fn param_names(&mut self) {
        let mut names: Vec<Name> = Vec::new();
        for param in self.function.params.iter().take(MAX_PARAMS) {
            let mut found = Vec::new();
            bound_names(&param.pattern, &mut found);
            for name in found {
                self.duplicate(&name, names.iter(), "parameter");
                names.push(name);
            }
        }
    }

    fn counts(&mut self) {
        let function = self.function;
        let outputs = results(function).map_or(1, |r| r.len());
        let (count, limit, what) = if function.is_pub {
            (
                function.params.len() + outputs,
                MAX_OPERANDS,
                "parameters and results",
            )
        } else {
            (function.params.len(), MAX_PARAMS, "parameters")
        };
        if count > limit {
            let message = format!(
                "`{}` has {count} {what}, more than the {limit} allowed",
                function.name.text
            );
            self.error(
                Code::TooManyParameters,
                function.name.span,
                message,
                "too many",
            );
        }
    }

    fn kernel(&mut self) {
        let function = self.function;
        for param in function.params.iter().take(MAX_OPERANDS) {
            self.operand(&param.ty, "a kernel's parameter");
        }
        match &function.result {
            // A signature that could not be read is not to blame.
            None if function.body.is_none() => {}
            None => {
                let message = format!("the kernel `{}` has no result", function.name.text);
                let error = Diagnostic::error(
                    Code::NoResult,
                    function.span.after(),
                    message,
                    "expected `-> type`",
                );
                self.sink.push(
                    error.help(
                        "a kernel gives at least one number per element; a helper has no `pub`",
                    ),
                );
            }
            Some(result) => match &result.kind {
                TypeKind::Tuple(members) if !members.is_empty() => {
                    members
                        .iter()
                        .for_each(|m| self.operand(m, "a kernel's result"));
                }
                _ => self.operand(result, "a kernel's result"),
            },
        }
        for generic in &function.generics {
            let used = |p: &Param| matches!(&p.ty.kind, TypeKind::Name(name) if *name == generic.name.text);
            if !function.params.iter().any(used) {
                let message = format!(
                    "no parameter of `{}` has the type `{}`",
                    function.name.text, generic.name.text
                );
                let error = Diagnostic::error(
                    Code::UndeducedGeneric,
                    generic.name.span,
                    message,
                    "cannot be known from a call",
                );
                self.sink
                    .push(error.help(format!("give a parameter the type `{}`", generic.name.text)));
            }
        }
    }

    /// Asks that a type be a single number; unknown names are for the body's check.
    fn operand(&mut self, ty: &TypeExpr, what: &str) {
        let label = match &ty.kind {
            TypeKind::Name(_) | TypeKind::Error => return,
            TypeKind::Tuple(_) => "a tuple",
            TypeKind::Infer => "not written",
        };
        self.error(
            Code::BadKernelType,
            ty.span,
            format!("{what} must be a number or bool"),
            label,
        );
    }

    fn attributes(&mut self) {
        let function = self.function;
        for (index, attr) in function.attrs.iter().enumerate() {
            if !function.is_pub && !matches!(attr.kind, AttrKind::Error) {
                let message = format!(
                    "`#[{}]` is for kernels, and `{}` is a helper",
                    attr.name.text, function.name.text
                );
                let error =
                    Diagnostic::error(Code::BadAttribute, attr.span, message, "not on a helper");
                self.sink
                    .push(error.help("write `pub fn` to make it a kernel"));
                continue;
            }
            let once = !matches!(attr.kind, AttrKind::TestCase { .. } | AttrKind::Error);
            if let Some(first) = function.attrs[..index]
                .iter()
                .find(|a| once && a.name.text == attr.name.text)
            {
                let message = format!("`#[{}]` is given twice", attr.name.text);
                let error =
                    Diagnostic::error(Code::BadAttribute, attr.span, message, "given again here");
                self.sink.push(error.also(first.span, "first given here"));
            }
            self.attribute(attr);
        }
    }

    fn attribute(&mut self, attr: &Attr) {
        let function = self.function;
        let inputs = function.params.len();
        match &attr.kind {
            AttrKind::Identity(_) => {
                let types = kernel_types(function);
                let fits = types.is_some_and(|(params, results)| {
                    params.len() == 2
                        && results.len() == 1
                        && params.iter().all(|p| *p == results[0])
                });
                if !fits {
                    let message =
                        "`#[identity]` needs a kernel with two parameters and a result of one type";
                    self.error(
                        Code::BadAttribute,
                        attr.span,
                        message.to_string(),
                        "not such a kernel",
                    );
                }
            }
            AttrKind::TestCase { args, .. } if args.len() != inputs => {
                let message = format!(
                    "the test case has {} arguments, but `{}` takes {inputs}",
                    args.len(),
                    function.name.text
                );
                self.error(
                    Code::BadAttribute,
                    attr.span,
                    message,
                    "another number of arguments",
                );
            }
            AttrKind::Bench(list) => {
                let names: Vec<String> = function
                    .params
                    .iter()
                    .enumerate()
                    .map(|(i, p)| param_name(p, i))
                    .collect();
                for (index, workload) in list.iter().enumerate() {
                    self.duplicate(
                        &workload.name,
                        list[..index].iter().map(|w| &w.name),
                        "argument",
                    );
                    if !names.contains(&workload.name.text) {
                        self.unknown_argument(&workload.name, &names);
                    }
                }
                let given = |name: &&String| !list.iter().any(|w| w.name.text == **name);
                if let Some(missing) = names.iter().find(given) {
                    let message =
                        format!("`#[bench]` gives no value for the parameter `{missing}`");
                    self.error(Code::BadAttribute, attr.span, message, "not complete");
                }
            }
            AttrKind::TestCase { .. } | AttrKind::FastMath | AttrKind::Error => {}
        }
    }

    fn unknown_argument(&mut self, name: &Name, names: &[String]) {
        let message = format!(
            "`{}` has no parameter {}",
            self.function.name.text,
            quote(&name.text)
        );
        let mut error =
            Diagnostic::error(Code::BadAttribute, name.span, message, "not a parameter");
        if let Some(near) = suggest(&name.text, names.iter().map(String::as_str)) {
            error = error
                .help(format!("did you mean `{near}`?"))
                .fix(name.span, near);
        }
        self.sink.push(error);
    }
}

/// Reports the types of a signature that do not exist, for functions whose body is not there to do it.
pub(crate) fn unknown_types(function: &Function, sink: &mut Sink) {
    let mut open: Vec<&TypeExpr> = function
        .params
        .iter()
        .map(|p| &p.ty)
        .chain(&function.result)
        .collect();
    while let Some(ty) = open.pop() {
        match &ty.kind {
            TypeKind::Tuple(members) => open.extend(members),
            TypeKind::Name(name) if single(function, ty).is_none() => {
                let message = format!("there is no type {}", quote(name));
                let mut error =
                    Diagnostic::error(Code::UnknownType, ty.span, message, "not a type");
                if let Some(near) =
                    suggest_type(name, function.generics.iter().map(|g| g.name.text.as_str()))
                {
                    error = error
                        .help(format!("did you mean `{near}`?"))
                        .fix(ty.span, near);
                }
                sink.push(error);
            }
            TypeKind::Name(_) | TypeKind::Infer | TypeKind::Error => {}
        }
    }
}

fn bound_names(pattern: &Pattern, names: &mut Vec<Name>) {
    match &pattern.kind {
        PatternKind::Bind { name, .. } => names.push(Name {
            text: name.clone(),
            span: pattern.span,
        }),
        PatternKind::Tuple(parts) => parts.iter().for_each(|part| bound_names(part, names)),
        PatternKind::Ignore | PatternKind::Error => {}
    }
}
