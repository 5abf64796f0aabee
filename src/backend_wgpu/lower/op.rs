//! Core operations, one section each.

use super::Lowerer;
use crate::wgsl::{Atom, Expr};
use ufc_ir::func::Value;
use ufc_ir::ops::Op;
use ufc_ir::{DType, Kind};

/// How a dtype is computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Bool,
    Signed,
    Unsigned,
    /// f16 and bf16, which are their bits.
    Half,
    Wide {
        signed: bool,
    },
    F32,
    F64,
    Complex,
}

pub(super) fn form(dtype: DType) -> Form {
    match dtype {
        DType::Bool => Form::Bool,
        DType::I8 | DType::I16 | DType::I32 => Form::Signed,
        DType::U8 | DType::U16 | DType::U32 => Form::Unsigned,
        DType::F16 | DType::BF16 => Form::Half,
        DType::I64 | DType::U64 => Form::Wide {
            signed: dtype.is_signed(),
        },
        DType::F32 => Form::F32,
        DType::F64 => Form::F64,
        DType::C64 | DType::C128 => Form::Complex,
    }
}

fn call(name: &str, args: Vec<Atom>) -> Expr {
    Expr::Call(name.to_string(), args)
}

fn lit(text: &str) -> Atom {
    Atom(text.to_string())
}

impl Lowerer<'_> {
    pub(super) fn op(&mut self, op: Op, args: &[Value], result: Value) {
        let rule = op.info().rule;
        let dtype = self.func.dtype(args[rule.key()]);
        let to = self.func.dtype(result);
        // The parts of parameters and the making of results are all that is left of complex numbers.
        if matches!(op, Op::Re | Op::Im) {
            let member = if op == Op::Re { "x" } else { "y" };
            let whole = self.atom(args[0]);
            return self.define(result, Expr::Member(whole, member));
        }
        let mut atoms = self.atoms(args);
        if matches!(op, Op::Add | Op::Sub | Op::Mul | Op::Div | Op::MulAdd) {
            atoms = self.opaque(op, dtype, args, atoms);
        }
        let expr = match op {
            Op::Add | Op::Sub | Op::Mul => self.sum(op, dtype, atoms),
            Op::Div => self.quotient(dtype, atoms),
            Op::Rem => match form(dtype) {
                Form::Signed => call("rem_i32", atoms),
                Form::Unsigned => call("rem_u32", atoms),
                Form::Wide { signed: true } => call("wide_rem_s", atoms),
                Form::Wide { signed: false } => call("wide_rem_u", atoms),
                _ => call("rem_f32", atoms),
            },
            Op::Neg => negated(dtype, atoms),
            Op::Abs => magnitude(dtype, atoms),
            Op::MulAdd => self.mul_add(dtype, atoms),
            Op::Sqrt => self.kept(dtype, call("sqrt", atoms)),
            Op::Min | Op::Max | Op::Minimum | Op::Maximum => extreme(op, dtype, atoms),
            Op::Floor => call("floor", atoms),
            Op::Ceil => call("ceil", atoms),
            Op::Trunc => call("trunc", atoms),
            // WGSL's `round` takes ties to even.
            Op::RoundTiesEven => call("round", atoms),
            Op::And => bitwise("&", "wide_and", dtype, atoms),
            Op::Or => bitwise("|", "wide_or", dtype, atoms),
            Op::Xor => match form(dtype) {
                Form::Bool => binary("!=", atoms),
                _ => bitwise("^", "wide_xor", dtype, atoms),
            },
            Op::Not => self.complement(dtype, atoms),
            Op::Shl | Op::Shr => self.shift(op, dtype, args, atoms),
            Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => {
                self.comparison(op, dtype, args, atoms)
            }
            Op::Select => {
                let [cond, yes, no] = three(atoms);
                match form(dtype) {
                    Form::Wide { .. } => call("wide_select", vec![no, yes, cond]),
                    _ => call("select", vec![no, yes, cond]),
                }
            }
            Op::Convert => self.conversion(dtype, to, atoms),
            Op::Bitcast => self.bitcast(dtype, to, atoms),
            Op::Complex => call(super::type_of(to), atoms),
            Op::Any => Expr::Atom(atoms.into_iter().next().unwrap_or_else(|| lit("false"))),
            Op::Re | Op::Im => unreachable!("done above"),
        };
        self.define(result, expr);
    }

    /// A float that no compiler may merge with the operation that takes it.
    fn kept(&mut self, dtype: DType, expr: Expr) -> Expr {
        if self.caps.keep && dtype == DType::F32 {
            let value = self.temp(expr);
            call("hide_f32", vec![value])
        } else {
            expr
        }
    }

    /// The number, of which no compiler knows anything.
    pub(super) fn hidden(&mut self, dtype: DType, value: Atom) -> Atom {
        self.temp(call(&format!("hide_{dtype}"), vec![value]))
    }

    /// Operands of a float operation such that no driver takes a short cut. Mesa's gallivm drops `+ 0.0` (which makes -0
    /// a +0), and takes `0.0 * x`, `0.0 / x` and `x - x` for 0, whatever x is. GL drivers, which may assume that there are no
    /// NaNs and infinities, do so for `x + -x` and `x / x` too.
    fn opaque(&mut self, op: Op, dtype: DType, args: &[Value], mut atoms: Vec<Atom>) -> Vec<Atom> {
        if !dtype.is_float() {
            return atoms;
        }
        let func = self.func;
        let constant = |arg: &Value| func.constant(*arg);
        let zero = |c: ufc_ir::Const| c.bits() << 1 == 0 || c.bits() == 1 << (dtype.bits() - 1);
        for (arg, atom) in args.iter().zip(&mut atoms) {
            let may_be_zero = match constant(arg) {
                Some(constant) => zero(constant),
                None => self.known.is_computable(*arg),
            };
            if may_be_zero {
                *atom = self.hidden(dtype, atom.clone());
            }
        }
        if op == Op::MulAdd {
            return atoms;
        }
        // Hidden alike, two values that are the same still are; so one of them is hidden once more.
        let is_any_constant = args.iter().any(|arg| constant(arg).is_some());
        let may_cancel = self.caps.keep && op != Op::Mul && !is_any_constant;
        if may_cancel || self.known.are_same(args[0], args[1]) {
            atoms[1] = self.hidden(dtype, atoms[1].clone());
        }
        atoms
    }

    fn sum(&mut self, op: Op, dtype: DType, atoms: Vec<Atom>) -> Expr {
        let (infix, wide) = match op {
            Op::Add => ("+", "wide_add"),
            Op::Sub => ("-", "wide_sub"),
            _ => ("*", "wide_mul"),
        };
        match form(dtype) {
            Form::Wide { .. } => call(wide, atoms),
            _ => self.kept(dtype, binary(infix, atoms)),
        }
    }

    fn quotient(&mut self, dtype: DType, atoms: Vec<Atom>) -> Expr {
        match form(dtype) {
            Form::Signed => call("div_i32", atoms),
            Form::Unsigned => call("div_u32", atoms),
            Form::Wide { signed: true } => call("wide_div_s", atoms),
            Form::Wide { signed: false } => call("wide_div_u", atoms),
            _ => self.kept(dtype, binary("/", atoms)),
        }
    }

    fn mul_add(&mut self, dtype: DType, atoms: Vec<Atom>) -> Expr {
        match dtype {
            DType::F64 if self.caps.exact_fma64 => call("fma", atoms),
            DType::F64 => call("fma_f64", atoms),
            _ if self.caps.exact_fma32 => self.kept(dtype, call("fma", atoms)),
            _ if self.caps.f64 => call("fma_f32_in_f64", atoms),
            _ => call("fma_f32", atoms),
        }
    }

    fn complement(&mut self, dtype: DType, atoms: Vec<Atom>) -> Expr {
        let [a] = one(atoms);
        match form(dtype) {
            Form::Bool => Expr::Unary("!", a),
            Form::Wide { .. } => call("wide_not", vec![a]),
            Form::Unsigned if dtype.size() < 4 => {
                let mask = if dtype == DType::U8 {
                    "0xffu"
                } else {
                    "0xffffu"
                };
                Expr::Binary("^", a, lit(mask))
            }
            _ => Expr::Unary("~", a),
        }
    }

    /// The amount counts modulo the width. A literal amount must be in range already.
    fn shift(&mut self, op: Op, dtype: DType, args: &[Value], atoms: Vec<Atom>) -> Expr {
        let [a, b] = two(atoms);
        let mask = dtype.bits() - 1;
        let amount = match self.func.constant(args[1]) {
            Some(amount) => Atom(format!("{}u", amount.bits() as u32 & mask)),
            None => {
                let word = match form(dtype) {
                    Form::Signed => self.temp(call("bitcast<u32>", vec![b])),
                    Form::Wide { .. } => self.temp(call("wide_low", vec![b])),
                    _ => b,
                };
                self.temp(Expr::Binary("&", word, Atom(format!("{mask}u"))))
            }
        };
        match (op, form(dtype)) {
            (Op::Shl, Form::Wide { .. }) => call("wide_shl", vec![a, amount]),
            (_, Form::Wide { signed: true }) => call("wide_shr_s", vec![a, amount]),
            (_, Form::Wide { signed: false }) => call("wide_shr_u", vec![a, amount]),
            (Op::Shl, _) => Expr::Binary("<<", a, amount),
            _ => Expr::Binary(">>", a, amount),
        }
    }

    /// Floats are unequal where they are not equal: naga's `!=` is false for NaN. A number compared with itself is asked
    /// about its bits, lest a compiler knows the answer.
    fn comparison(&mut self, op: Op, dtype: DType, args: &[Value], atoms: Vec<Atom>) -> Expr {
        let [a, b] = two(atoms);
        if dtype.is_float() && self.known.are_same(args[0], args[1]) {
            let nan = if dtype == DType::F64 {
                "is_nan_f64"
            } else {
                "is_nan_f32"
            };
            let is_nan = self.temp(call(nan, vec![a]));
            return match op {
                Op::Ne => Expr::Atom(is_nan),
                Op::Lt | Op::Gt => Expr::Atom(lit("false")),
                _ => Expr::Unary("!", is_nan),
            };
        }
        match form(dtype) {
            Form::Wide { signed } => wide_comparison(op, signed, a, b),
            // Compilers that may do as they like take `!(a < b)` for `a >= b`, also where one is NaN.
            Form::F32 if self.caps.keep => match op {
                Op::Eq => call("eq_f32", vec![a, b]),
                Op::Ne => {
                    let equal = self.temp(call("eq_f32", vec![a, b]));
                    Expr::Unary("!", equal)
                }
                Op::Lt => call("lt_f32", vec![a, b]),
                Op::Le => call("le_f32", vec![a, b]),
                Op::Gt => call("lt_f32", vec![b, a]),
                _ => call("le_f32", vec![b, a]),
            },
            Form::F32 | Form::F64 if op == Op::Ne => Expr::Not("==", a, b),
            _ => Expr::Binary(infix(op), a, b),
        }
    }
}

fn infix(op: Op) -> &'static str {
    match op {
        Op::Eq => "==",
        Op::Ne => "!=",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        _ => ">=",
    }
}

fn wide_comparison(op: Op, signed: bool, a: Atom, b: Atom) -> Expr {
    let (less, at_most) = if signed {
        ("wide_lt_s", "wide_le_s")
    } else {
        ("wide_lt_u", "wide_le_u")
    };
    match op {
        Op::Eq => call("wide_eq", vec![a, b]),
        Op::Ne => call("wide_ne", vec![a, b]),
        Op::Lt => call(less, vec![a, b]),
        Op::Le => call(at_most, vec![a, b]),
        Op::Gt => call(less, vec![b, a]),
        _ => call(at_most, vec![b, a]),
    }
}

fn negated(dtype: DType, atoms: Vec<Atom>) -> Expr {
    let [a] = one(atoms);
    match form(dtype) {
        Form::Signed => Expr::Binary("-", lit("0i"), a),
        Form::Unsigned => Expr::Binary("-", lit("0u"), a),
        Form::Wide { .. } => call("wide_neg", vec![a]),
        Form::Half => Expr::Binary("^", a, lit("0x8000u")),
        _ => Expr::Unary("-", a),
    }
}

fn magnitude(dtype: DType, atoms: Vec<Atom>) -> Expr {
    let [a] = one(atoms);
    match form(dtype) {
        Form::Unsigned | Form::Wide { signed: false } => Expr::Atom(a),
        Form::Wide { signed: true } => call("wide_abs", vec![a]),
        Form::Half => Expr::Binary("&", a, lit("0x7fffu")),
        _ => call("abs", vec![a]),
    }
}

fn extreme(op: Op, dtype: DType, atoms: Vec<Atom>) -> Expr {
    let least = matches!(op, Op::Min | Op::Minimum);
    let name = match form(dtype) {
        Form::Wide { signed } => match (least, signed) {
            (true, true) => "wide_min_s".to_string(),
            (true, false) => "wide_min_u".to_string(),
            (false, true) => "wide_max_s".to_string(),
            (false, false) => "wide_max_u".to_string(),
        },
        Form::F32 | Form::F64 => format!("{}_{dtype}", op.info().name),
        _ if least => "min".to_string(),
        _ => "max".to_string(),
    };
    Expr::Call(name, atoms)
}

fn bitwise(infix: &'static str, wide: &str, dtype: DType, atoms: Vec<Atom>) -> Expr {
    if dtype.kind() != Kind::Bool && dtype.size() == 8 {
        call(wide, atoms)
    } else {
        binary(infix, atoms)
    }
}

fn binary(infix: &'static str, atoms: Vec<Atom>) -> Expr {
    let [a, b] = two(atoms);
    Expr::Binary(infix, a, b)
}

pub(super) fn one(atoms: Vec<Atom>) -> [Atom; 1] {
    atoms.try_into().expect("one argument")
}

fn two(atoms: Vec<Atom>) -> [Atom; 2] {
    atoms.try_into().expect("two arguments")
}

fn three(atoms: Vec<Atom>) -> [Atom; 3] {
    atoms.try_into().expect("three arguments")
}
