//! Calls: functions of the file, builtins, and what belongs to a type.

use super::Checker;
use super::infer::Ty;
use crate::ast::{self, ExprKind as Ast, Name, Path};
use crate::codes::Code;
use crate::diag::{Diagnostic, quote};
use crate::hir::{ExprId, ExprKind};
use crate::literal::Literal;
use crate::resolve::{Item, builtins, suggest, suggest_function};
use crate::span::Span;
use ufc_ir::{Const, DType};

/// Constants of the float types that are numbers, with enough digits for all of them.
const FLOAT_CONSTANTS: &[(&str, &str)] = &[
    ("PI", "3.14159265358979323846264338327950288"),
    ("TAU", "6.28318530717958647692528676655900577"),
    ("E", "2.71828182845904523536028747135266250"),
    ("SQRT_2", "1.41421356237309504880168872420969808"),
    ("FRAC_1_SQRT_2", "0.707106781186547524400844362104849039"),
    ("LN_2", "0.693147180559945309417232121458176568"),
    ("LN_10", "2.30258509299404568401799145468436421"),
    ("LOG2_E", "1.44269504088896340735992468100189214"),
    ("LOG2_10", "3.32192809488736234787031942948939018"),
    ("LOG10_E", "0.434294481903251827651128918916605082"),
    ("LOG10_2", "0.301029995663981195213738894724493027"),
    ("FRAC_PI_2", "1.57079632679489661923132169163975144"),
    ("FRAC_PI_3", "1.04719755119659774615421446109316763"),
    ("FRAC_PI_4", "0.785398163397448309615660845819875721"),
    ("FRAC_PI_6", "0.523598775598298873077107230546583814"),
    ("FRAC_PI_8", "0.392699081698724154807830422909937861"),
    ("FRAC_1_PI", "0.318309886183790671537767526745028724"),
    ("FRAC_2_PI", "0.636619772367581343075535053490057448"),
    ("FRAC_2_SQRT_PI", "1.12837916709551257389615890312154517"),
];

/// Constants of the float types that are made of bits.
const BIT_CONSTANTS: &[&str] = &[
    "MAX",
    "MIN",
    "MIN_POSITIVE",
    "EPSILON",
    "INFINITY",
    "NEG_INFINITY",
    "NAN",
];

/// The constant of a type with this name.
pub(super) fn associated(dtype: DType, name: &str) -> Option<Const> {
    if dtype.is_int() {
        let bits = dtype.bits();
        let (min, max) = if dtype.is_signed() {
            (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
        } else {
            (0, (1i128 << bits) - 1)
        };
        return match name {
            "MIN" => Some(Const::int(dtype, min)),
            "MAX" => Some(Const::int(dtype, max)),
            "BITS" => Some(Const::int(DType::U32, bits.into())),
            _ => None,
        };
    }
    if !dtype.is_float() {
        return None;
    }
    if let Some((_, digits)) = FLOAT_CONSTANTS
        .iter()
        .find(|(constant, _)| *constant == name)
    {
        return Literal::parse(digits).ok()?.to_const(dtype, false);
    }
    let mantissa = match dtype {
        DType::F16 => 10,
        DType::BF16 => 7,
        DType::F32 => 23,
        _ => 52,
    };
    let sign = 1u128 << (dtype.bits() - 1);
    let infinity = sign - (1 << mantissa);
    let bias = (infinity >> mantissa) >> 1;
    let bits = match name {
        "MAX" => infinity - 1,
        "MIN" => sign | (infinity - 1),
        "MIN_POSITIVE" => 1 << mantissa,
        "EPSILON" => (bias - mantissa as u128) << mantissa,
        "INFINITY" => infinity,
        "NEG_INFINITY" => sign | infinity,
        "NAN" => infinity | 1 << (mantissa - 1),
        _ => return None,
    };
    Some(Const::from_bits(dtype, bits))
}

impl<'a> Checker<'a, '_> {
    pub(super) fn call(&mut self, path: &'a Path, args: &'a [ast::ExprId], span: Span) -> ExprId {
        let Some(name) = path.single() else {
            return self.associated_call(path, args, span);
        };
        if let Some(item @ Item::Function(i)) = self.scope.items.get(&name.text) {
            return self.call_item(item, i, path, args, span);
        }
        match name.text.as_str() {
            "index" => return self.index(args, span),
            "c64" => return self.make_complex(name, DType::F32, args, span),
            "c128" => return self.make_complex(name, DType::F64, args, span),
            _ => {}
        }
        if name.text == "pow"
            && let [base, power] = args
        {
            let base = self.infer(*base);
            return self.pow(name, base, *power, span);
        }
        let values: Vec<ExprId> = args.iter().map(|arg| self.infer(*arg)).collect();
        if name.text == "to_bits"
            && let [value] = values[..]
        {
            return self.bits_of(value, span);
        }
        if builtins(&name.text).is_empty() {
            self.unknown_function(name, values.len());
            return self.poison(span);
        }
        self.builtin(&name.text, &name.text, name.span, values, span)
    }

    fn unknown_function(&mut self, name: &Name, args: usize) {
        let message = format!("there is no function {}", quote(&name.text));
        let mut error = Diagnostic::error(Code::UnknownFunction, name.span, message, "not found");
        if self.lookup(&name.text).is_some() {
            error.primary.text = "a variable, not a function".to_string();
        } else if let (Some(dtype), 1) = (DType::from_name(&name.text), args) {
            error = error.help(format!("to convert, write `x as {dtype}`"));
        } else if let Some(near) =
            suggest_function(&name.text, self.scope.items.function_names().into_iter())
        {
            error = error.help(format!("did you mean `{near}`?"));
            if !near.contains(' ') {
                error = error.fix(name.span, near);
            }
        }
        self.report(error);
    }

    pub(super) fn method(
        &mut self,
        name: &'a Name,
        receiver: ExprId,
        args: &'a [ast::ExprId],
        span: Span,
    ) -> ExprId {
        if let ("pow", [power]) = (name.text.as_str(), args) {
            return self.pow(name, receiver, *power, span);
        }
        let mut values = vec![receiver];
        values.extend(args.iter().map(|arg| self.infer(*arg)));
        if name.text == "to_bits" && values.len() == 1 {
            return self.bits_of(receiver, span);
        }
        if builtins(&name.text).is_empty() {
            if let Some(Item::Function(_)) = self.scope.items.get(&name.text) {
                let message = format!("`{}` is a function of this file, not a method", name.text);
                let error =
                    Diagnostic::error(Code::UnknownFunction, name.span, message, "not a method");
                self.report(error.help(format!("write `{}(…)`", name.text)));
            } else {
                self.unknown_function(name, 0);
            }
            return self.poison(span);
        }
        self.builtin(&name.text, &name.text, name.span, values, span)
    }

    fn pow(&mut self, name: &'a Name, base: ExprId, power: ast::ExprId, span: Span) -> ExprId {
        if !self.scope.promote
            && let Some(result) = self.int_power(base, power, span)
        {
            return result;
        }
        let power = self.infer(power);
        self.builtin("pow", "pow", name.span, vec![base, power], span)
    }

    fn make_complex(
        &mut self,
        name: &'a Name,
        part: DType,
        args: &'a [ast::ExprId],
        span: Span,
    ) -> ExprId {
        let values: Vec<ExprId> = args.iter().map(|arg| self.infer(*arg)).collect();
        let ty = self.types.dtype(part);
        let mut parts = Vec::new();
        for value in values {
            let value = if self.scope.promote {
                self.converted_to(value, part)
            } else {
                value
            };
            self.demand(value, ty);
            parts.push(value);
        }
        if parts.len() != 2 {
            let what = format!("({part}, {part}) -> {}", name.text);
            self.wrong_count(&name.text, name.span, 2, parts.len(), Some(what));
            return self.poison(span);
        }
        self.builtin("complex", &name.text, name.span, parts, span)
    }

    /// In one-line expressions: a real value of another dtype converted.
    fn converted_to(&mut self, value: ExprId, dtype: DType) -> ExprId {
        let ty = self.ty(value);
        match self.types.concrete(ty) {
            Some(from) if from != dtype && !from.is_complex() => {
                let ty = self.types.dtype(dtype);
                self.add(ExprKind::Convert(value), ty, self.span(value))
            }
            _ => value,
        }
    }

    /// `index()` and `index(axis)`.
    fn index(&mut self, args: &'a [ast::ExprId], span: Span) -> ExprId {
        let ty = self.types.dtype(DType::I64);
        let axis = match args {
            [] => None,
            [axis] => {
                let expr = &self.scope.module[*axis];
                let value = match &expr.kind {
                    Ast::Number { text, .. } => Literal::parse(text)
                        .ok()
                        .and_then(|l| l.to_const(DType::U8, false)),
                    _ => None,
                };
                let Some(axis) = value.map(Const::bits).filter(|axis| *axis < 64) else {
                    let message = "the axis of `index` is a number from 0 to 63";
                    self.report(Diagnostic::error(
                        Code::BadAxis,
                        expr.span,
                        message,
                        "not such a number",
                    ));
                    return self.poison(span);
                };
                Some(axis as u8)
            }
            _ => {
                let message = format!(
                    "`index` takes at most one axis, not {} arguments",
                    args.len()
                );
                self.report(Diagnostic::error(
                    Code::ArgumentCount,
                    span,
                    message,
                    "too many arguments",
                ));
                return self.poison(span);
            }
        };
        self.add(ExprKind::Index(axis), ty, span)
    }

    /// A call of a function of the file.
    fn call_item(
        &mut self,
        item: Item,
        number: usize,
        path: &'a Path,
        args: &'a [ast::ExprId],
        span: Span,
    ) -> ExprId {
        let function = &self.scope.module.functions[number];
        let sets = super::generic_sets(function);
        let types: Vec<Ty> = sets.iter().map(|set| self.types.set(*set)).collect();
        let own: Vec<(&'a str, Ty)> = function
            .generics
            .iter()
            .map(|g| g.name.text.as_str())
            .zip(types.iter().copied())
            .collect();
        self.given_types(path, &types);
        // Names of types in the signature mean the called function's parameters.
        let values: Vec<ExprId> = args.iter().map(|arg| self.infer(*arg)).collect();
        let outer = std::mem::replace(&mut self.generics, own);
        let params: Vec<Ty> = function
            .params
            .iter()
            .map(|p| self.type_expr(&p.ty, false))
            .collect();
        let result = match &function.result {
            Some(result) => self.type_expr(result, false),
            None => self.types.unit(),
        };
        self.generics = outer;
        if values.len() != params.len() {
            let name = &function.name;
            self.wrong_count_of(
                &name.text,
                path.names[0].span,
                name.span,
                params.len(),
                values.len(),
            );
            return self.poison(span);
        }
        for ((value, ty), param) in values.iter().zip(&params).zip(&function.params) {
            let value_ty = self.ty(*value);
            if !self.types.unify(*ty, value_ty) {
                self.mismatch(*value, *ty, Some((param.ty.span, "the parameter's type")));
            }
        }
        if self.scope.items.is_recursive(item) {
            return self.poison(span);
        }
        let expr = self.add(ExprKind::Call(item, Vec::new(), values), result, span);
        self.calls.push((expr, types));
        expr
    }

    /// `f::<f32>(…)`.
    fn given_types(&mut self, path: &'a Path, types: &[Ty]) {
        if path.types.is_empty() {
            return;
        }
        if path.types.len() != types.len() {
            let span = path.types[0].span;
            let message = format!(
                "`{}` has {} type parameters, not {}",
                path.names[0].text,
                types.len(),
                path.types.len()
            );
            self.report(Diagnostic::error(
                Code::ArgumentCount,
                span,
                message,
                "another number of types",
            ));
            return;
        }
        for (written, ty) in path.types.iter().zip(types) {
            let given = self.type_expr(written, true);
            if !self.types.unify(*ty, given) {
                let message = format!("{} is not {}", self.types.show(given), self.types.show(*ty));
                self.report(Diagnostic::error(
                    Code::TypeMismatch,
                    written.span,
                    message,
                    "not allowed by the bound",
                ));
            }
        }
    }

    /// Types for the type parameters of called functions, once known.
    pub(super) fn settle_calls(&mut self) {
        for (expr, types) in std::mem::take(&mut self.calls) {
            let dtypes: Option<Vec<DType>> =
                types.iter().map(|ty| self.types.concrete(*ty)).collect();
            match dtypes {
                Some(dtypes) => {
                    if let ExprKind::Call(_, types, _) = &mut self.exprs[expr.0 as usize].kind {
                        *types = dtypes;
                    }
                }
                None => {
                    let span = self.span(expr);
                    self.unknown_dtype(span);
                    types.into_iter().for_each(|ty| self.types.poison(ty));
                }
            }
        }
    }

    /// The type before the last name of a path such as `f32::consts::PI` or `T::MAX`, and that name.
    fn type_path(&mut self, path: &'a Path) -> Option<(DType, &'a Name)> {
        let mut names: Vec<&'a Name> = path.names.iter().collect();
        if names.len() > 2 && matches!(names[0].text.as_str(), "std" | "core") {
            names.remove(0);
        }
        if names.len() == 3 && names[1].text == "consts" {
            names.remove(1);
        }
        let [ty, name] = names[..] else {
            let message = "a path has two parts, such as `f32::PI`";
            self.report(Diagnostic::error(
                Code::UnknownAssociated,
                path.names[0].span,
                message,
                "not found",
            ));
            return None;
        };
        let written = ast::TypeExpr {
            kind: ast::TypeKind::Name(ty.text.clone()),
            span: ty.span,
        };
        let ty = self.type_expr(&written, true);
        self.types.concrete(ty).map(|dtype| (dtype, name))
    }

    pub(super) fn associated_const(&mut self, path: &'a Path, span: Span) -> ExprId {
        let Some((dtype, name)) = self.type_path(path) else {
            return self.poison(span);
        };
        if let Some(value) = associated(dtype, &name.text) {
            let ty = self.types.dtype(value.dtype());
            return self.add(ExprKind::Const(value), ty, span);
        }
        let known: Vec<&str> = if dtype.is_int() {
            vec!["MIN", "MAX", "BITS"]
        } else if dtype.is_float() {
            BIT_CONSTANTS
                .iter()
                .copied()
                .chain(FLOAT_CONSTANTS.iter().map(|(name, _)| *name))
                .collect()
        } else {
            Vec::new()
        };
        self.unknown_associated(dtype, "constant", name, known.into_iter());
        self.poison(span)
    }

    fn unknown_associated<'n>(
        &mut self,
        dtype: DType,
        what: &str,
        name: &Name,
        known: impl Iterator<Item = &'n str>,
    ) {
        let message = format!("{dtype} has no {what} {}", quote(&name.text));
        let mut error = Diagnostic::error(Code::UnknownAssociated, name.span, message, "not found");
        if let Some(near) = suggest(&name.text, known) {
            error = error
                .help(format!("did you mean `{near}`?"))
                .fix(name.span, near);
        } else if name.text == "from" || name.text == "try_from" {
            error = error.help(format!("to convert, write `x as {dtype}`"));
        }
        self.report(error);
    }

    /// `f32::from_bits(u)`, `c64::new(re, im)`, `f32::max(a, b)`.
    fn associated_call(&mut self, path: &'a Path, args: &'a [ast::ExprId], span: Span) -> ExprId {
        let found = self.type_path(path);
        let values: Vec<ExprId> = args.iter().map(|arg| self.infer(*arg)).collect();
        let Some((dtype, name)) = found else {
            return self.poison(span);
        };
        match (name.text.as_str(), &values[..]) {
            ("from_bits", [value]) => return self.float_of_bits(dtype, *value, span),
            ("new", [_, _]) if dtype.is_complex() => {
                let ty = self.types.dtype(dtype.part());
                values.iter().for_each(|value| self.demand(*value, ty));
                return self.builtin("complex", "new", name.span, values, span);
            }
            _ => {}
        }
        let (Some(first), false) = (values.first(), builtins(&name.text).is_empty()) else {
            let known = ufc_ir::ops::AnyOp::all()
                .map(ufc_ir::ops::AnyOp::name)
                .chain(["from_bits", "new"]);
            self.unknown_associated(dtype, "function", name, known);
            return self.poison(span);
        };
        let ty = self.types.dtype(dtype);
        self.demand(*first, ty);
        self.builtin(&name.text, &name.text, name.span, values, span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_of_types_are_those_of_rust() {
        assert_eq!(
            associated(DType::F32, "PI"),
            Some(Const::f32(std::f32::consts::PI))
        );
        assert_eq!(
            associated(DType::F64, "LOG2_10"),
            Some(Const::f64(std::f64::consts::LOG2_10))
        );
        assert_eq!(associated(DType::F32, "MAX"), Some(Const::f32(f32::MAX)));
        assert_eq!(
            associated(DType::F32, "EPSILON"),
            Some(Const::f32(f32::EPSILON))
        );
        assert_eq!(
            associated(DType::F64, "EPSILON"),
            Some(Const::f64(f64::EPSILON))
        );
        assert_eq!(
            associated(DType::F64, "MIN_POSITIVE"),
            Some(Const::f64(f64::MIN_POSITIVE))
        );
        assert_eq!(associated(DType::F64, "MIN"), Some(Const::f64(f64::MIN)));
        assert_eq!(
            associated(DType::I8, "MIN"),
            Some(Const::int(DType::I8, -128))
        );
        assert_eq!(
            associated(DType::U64, "MAX"),
            Some(Const::int(DType::U64, u64::MAX.into()))
        );
        assert!(associated(DType::BF16, "NAN").is_some_and(Const::is_nan));
        assert_eq!(associated(DType::Bool, "MAX"), None);
    }
}
