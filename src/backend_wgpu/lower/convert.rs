//! Conversions and bit casts.

use super::Lowerer;
use super::op::{Form, form, one};
use crate::wgsl::{Atom, Expr};
use ufc_ir::DType;

fn call(name: &str, arg: Atom) -> Expr {
    Expr::Call(name.to_string(), vec![arg])
}

impl Lowerer<'_> {
    pub(super) fn conversion(&mut self, from: DType, to: DType, atoms: Vec<Atom>) -> Expr {
        let [x] = one(atoms);
        if from == to {
            return Expr::Atom(x);
        }
        match (form(from), form(to)) {
            (_, Form::Bool) => to_bool(from, x),
            (Form::Bool, _) => of_bool(to, x),
            (Form::F32, Form::F64) => call("f64", x),
            (Form::F64, Form::F32) => call("f32", x),
            (Form::F32 | Form::F64, _) => self.float_to_int(from, to, x),
            (_, Form::F32 | Form::F64) => to_float(from, to, x),
            // Integers of 32 and 64 bits to bf16; narrower ones go by f32.
            (_, Form::Half) => call(&format!("bf16_of_{from}"), x),
            _ => self.int_to_int(from, to, x),
        }
    }

    /// Saturates; NaN gives 0.
    fn float_to_int(&mut self, from: DType, to: DType, x: Atom) -> Expr {
        let signed = to.is_signed();
        let wide = match (signed, to.size()) {
            (true, 8) => DType::I64,
            (false, 8) => DType::U64,
            (true, _) => DType::I32,
            (false, _) => DType::U32,
        };
        let whole = call(&format!("{wide}_of_{from}"), x);
        if to.size() >= 4 {
            return whole;
        }
        let whole = self.temp(whole);
        let clamp = |args: [String; 2]| {
            let [low, high] = args.map(Atom);
            Expr::Call("clamp".into(), vec![whole, low, high])
        };
        if signed {
            let least = 1i64 << (to.bits() - 1);
            clamp([format!("(-{least}i)"), format!("{}i", least - 1)])
        } else {
            clamp(["0u".into(), format!("{}u", (1u64 << to.bits()) - 1)])
        }
    }

    fn int_to_int(&mut self, from: DType, to: DType, x: Atom) -> Expr {
        match (form(from), form(to)) {
            (Form::Wide { .. }, Form::Wide { .. }) => Expr::Atom(x),
            (Form::Signed, Form::Wide { .. }) => call("wide_of_i32", x),
            (_, Form::Wide { .. }) => Expr::Call("wide_of".into(), vec![x, Atom("0u".into())]),
            (Form::Wide { .. }, _) => {
                let word = self.temp(call("wide_low", x));
                self.of_word(word, to)
            }
            // What fits need not be wrapped.
            (Form::Signed, Form::Signed) if from.size() <= to.size() => Expr::Atom(x),
            (Form::Unsigned, Form::Unsigned) if from.size() <= to.size() => Expr::Atom(x),
            (Form::Signed, _) => {
                let word = self.temp(call("bitcast<u32>", x));
                self.of_word(word, to)
            }
            _ => self.of_word(x, to),
        }
    }

    /// The value that the low bits of a u32 are in an integer dtype.
    fn of_word(&mut self, word: Atom, to: DType) -> Expr {
        let and = |mask: &str, word| Expr::Binary("&", word, Atom(mask.into()));
        match to {
            DType::U8 => and("0xffu", word),
            DType::U16 | DType::F16 | DType::BF16 => and("0xffffu", word),
            DType::I32 => call("bitcast<i32>", word),
            DType::I8 | DType::I16 => {
                let amount = Atom(format!("{}u", 32 - to.bits()));
                let high = self.temp(Expr::Binary("<<", word, amount.clone()));
                let signed = self.temp(call("bitcast<i32>", high));
                Expr::Binary(">>", signed, amount)
            }
            _ => Expr::Atom(word),
        }
    }

    pub(super) fn bitcast(&mut self, from: DType, to: DType, atoms: Vec<Atom>) -> Expr {
        let [x] = one(atoms);
        match (form(from), form(to)) {
            (Form::Wide { .. }, Form::F64) => call("bitcast<f64>", x),
            (Form::F64, Form::Wide { .. }) => call("bitcast<u64>", x),
            (Form::F64, Form::F64) | (Form::F32, Form::F32) => Expr::Atom(x),
            (Form::Wide { .. }, Form::Wide { .. }) => Expr::Atom(x),
            (_, Form::F32) => call("bitcast<f32>", x),
            (Form::F32, Form::Signed) => call("bitcast<i32>", x),
            (Form::F32, _) => call("bitcast<u32>", x),
            (Form::Signed, Form::Signed) => Expr::Atom(x),
            (Form::Signed, _) => {
                let word = self.temp(call("bitcast<u32>", x));
                self.of_word(word, to)
            }
            (_, Form::Signed) => self.of_word(x, to),
            _ => Expr::Atom(x),
        }
    }
}

/// Whether a value is not zero; NaN is not.
fn to_bool(from: DType, x: Atom) -> Expr {
    let zero = |text: &str| Atom(text.to_string());
    match form(from) {
        Form::Signed => Expr::Binary("!=", x, zero("0i")),
        Form::Unsigned => Expr::Binary("!=", x, zero("0u")),
        Form::Wide { .. } => call("wide_to_bool", x),
        Form::F64 => Expr::Not("==", x, zero("0lf")),
        _ => Expr::Not("==", x, zero("0f")),
    }
}

fn of_bool(to: DType, x: Atom) -> Expr {
    let select = |zero: &str, one: &str| {
        let args = vec![Atom(zero.to_string()), Atom(one.to_string()), x.clone()];
        Expr::Call("select".into(), args)
    };
    match form(to) {
        Form::Signed => select("0i", "1i"),
        Form::Unsigned => select("0u", "1u"),
        Form::Wide { .. } => call("wide_of_bool", x),
        Form::F64 => select("0lf", "1lf"),
        Form::F32 => select("0f", "1f"),
        Form::Half if to == DType::F16 => select("0u", "0x3c00u"),
        _ => select("0u", "0x3f80u"),
    }
}

fn to_float(from: DType, to: DType, x: Atom) -> Expr {
    match (form(from), form(to)) {
        (Form::Half, _) => call("f32_of_f16", x),
        (Form::Wide { .. }, _) => call(&format!("{to}_of_{from}"), x),
        // Every f64, and every f32 of fewer bits, holds the integer.
        (_, Form::F64) => call("f64", x),
        _ if from.size() < 4 => call("f32", x),
        _ => call(&format!("f32_of_{from}"), x),
    }
}
