//! Values as the run tests write them: `3`, `-0.0`, `1.5f32`, `0x1.8p-3`, `nan`, `bits(0x7fc0)`, `(re, im)`.

use ufc::{Const, DType};
use ufc_ir::Kind;

/// A value as written, its dtype not known yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Text {
    /// A number or word.
    One(String),
    /// A list in parentheses: several results, or the parts of a complex number.
    List(Vec<Text>),
}

impl Text {
    /// Reads one value.
    pub(crate) fn parse(text: &str) -> Result<Text, String> {
        let text = text.trim();
        match text
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
        {
            Some(inner) => Ok(Text::List(Text::list(inner)?)),
            None if text.is_empty() => Err("a value is missing".to_string()),
            None => Ok(Text::One(text.to_string())),
        }
    }

    /// Reads values between commas.
    pub(crate) fn list(text: &str) -> Result<Vec<Text>, String> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let mut depth = 0;
        let mut parts = vec![String::new()];
        for c in text.chars() {
            depth += i32::from(c == '(') - i32::from(c == ')');
            if c == ',' && depth == 0 {
                parts.push(String::new());
            } else {
                parts.last_mut().expect("it never gets empty").push(c);
            }
        }
        parts.iter().map(|part| Text::parse(part)).collect()
    }

    /// The value as a dtype.
    pub(crate) fn value(&self, dtype: DType) -> Result<Const, String> {
        match (self, dtype.kind()) {
            (Text::List(parts), Kind::Complex) if parts.len() == 2 => {
                let re = parts[0].value(dtype.part())?;
                let im = parts[1].value(dtype.part())?;
                Ok(Const::complex(re, im).expect("both are of the part's dtype"))
            }
            (Text::One(text), _) => scalar(text, dtype)
                .ok_or_else(|| format!("`{text}` is not a value of type {dtype}")),
            (Text::List(_), _) => Err(format!("a list is not a value of type {dtype}")),
        }
    }
}

/// Reads a number of any dtype; none if it is not one, or does not fit.
fn scalar(text: &str, dtype: DType) -> Option<Const> {
    if let Some(bits) = text
        .strip_prefix("bits(")
        .and_then(|rest| rest.strip_suffix(')'))
    {
        let bits = u128::from_str_radix(bits.trim().strip_prefix("0x")?, 16).ok()?;
        return (128 - bits.leading_zeros() <= dtype.bits()).then(|| Const::from_bits(dtype, bits));
    }
    let plain = text
        .strip_suffix(dtype.name())
        .unwrap_or(text)
        .replace('_', "");
    match dtype.kind() {
        Kind::Bool => plain.parse().ok().map(Const::bool),
        Kind::Signed | Kind::Unsigned => {
            let value: i128 = match plain.strip_prefix("0x") {
                Some(digits) => i128::from_str_radix(digits, 16).ok()?,
                None => plain.parse().ok()?,
            };
            Some(Const::int(dtype, value)).filter(|c| c.as_int() == value)
        }
        Kind::Float => float(&plain, dtype),
        Kind::Complex => Const::complex(float(&plain, dtype.part())?, Const::zero(dtype.part())),
    }
}

fn float(text: &str, dtype: DType) -> Option<Const> {
    if text.contains("0x") {
        let value = hex_float(text)?;
        let rounded = from_f64(dtype, value);
        return (to_f64(rounded) == value).then_some(rounded);
    }
    match dtype {
        DType::F32 => text.parse().ok().map(Const::f32),
        _ => text.parse().ok().map(|value| from_f64(dtype, value)),
    }
}

/// A hexadecimal float of at most 53 significant bits, such as `-0x1.8p-3`.
fn hex_float(text: &str) -> Option<f64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (digits, exponent) = text.strip_prefix("0x")?.split_once('p')?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mantissa = u64::from_str_radix(&format!("{whole}{fraction}"), 16).ok()?;
    let exponent = exponent.parse::<i32>().ok()? - 4 * fraction.len() as i32;
    let exact = mantissa == 0 || 64 - mantissa.leading_zeros() - mantissa.trailing_zeros() <= 53;
    // Two steps, because the power alone may be below the smallest double.
    let half = exponent / 2;
    let value = mantissa as f64 * 2f64.powi(half) * 2f64.powi(exponent - half);
    exact.then_some(if negative { -value } else { value })
}

/// A double rounded to a float dtype.
pub(crate) fn from_f64(dtype: DType, value: f64) -> Const {
    match dtype {
        DType::F16 => Const::from_bits(dtype, half::f16::from_f64(value).to_bits().into()),
        DType::BF16 => Const::from_bits(dtype, half::bf16::from_f64(value).to_bits().into()),
        DType::F32 => Const::f32(value as f32),
        DType::F64 => Const::f64(value),
        other => panic!("{other} is not a float dtype"),
    }
}

/// A real float as a double, which is exact.
pub(crate) fn to_f64(value: Const) -> f64 {
    let bits = value.bits();
    match value.dtype() {
        DType::F16 => half::f16::from_bits(bits as u16).to_f64(),
        DType::BF16 => half::bf16::from_bits(bits as u16).to_f64(),
        DType::F32 => f64::from(value.as_f32()),
        DType::F64 => value.as_f64(),
        other => panic!("{other} is not a float dtype"),
    }
}

/// A value as the run tests write it; reading it again gives the same bits, but for a NaN's payload.
pub(crate) fn show(value: Const) -> String {
    match value.dtype().kind() {
        Kind::Bool => value.as_bool().to_string(),
        Kind::Signed | Kind::Unsigned => value.as_int().to_string(),
        Kind::Complex => format!("({}, {})", show(value.re()), show(value.im())),
        Kind::Float if value.is_nan() => "nan".to_string(),
        Kind::Float if value.dtype() == DType::F64 => format!("{:?}", value.as_f64()),
        Kind::Float => format!("{:?}", to_f64(value) as f32),
    }
}

/// Values of several operands, as the arguments of a call.
pub(crate) fn show_all(values: impl IntoIterator<Item = Const>) -> String {
    let shown: Vec<String> = values.into_iter().map(show).collect();
    shown.join(", ")
}

/// How many units in the last place lie between two values; none if only one is NaN, or they are not floats and differ.
pub(crate) fn ulps(a: Const, b: Const) -> Option<u64> {
    if a.same(b) {
        return Some(0);
    }
    match a.dtype().kind() {
        Kind::Complex => Some(ulps(a.re(), b.re())?.max(ulps(a.im(), b.im())?)),
        Kind::Float if !a.is_nan() && !b.is_nan() => {
            u64::try_from((place(a) - place(b)).unsigned_abs()).ok()
        }
        _ => None,
    }
}

/// Position of a float in the order of all floats of its dtype; -0 is one before +0.
fn place(value: Const) -> i128 {
    let sign = 1u128 << (value.dtype().bits() - 1);
    let magnitude = (value.bits() & !sign) as i128;
    if value.bits() & sign == 0 {
        magnitude
    } else {
        -magnitude - 1
    }
}
