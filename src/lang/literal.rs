//! Numbers as written to constants, each rounded once.

use ufc_ir::{Const, DType};

/// A number taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Digits, point and exponent without underscores, suffix and base.
    digits: String,
    radix: u32,
    /// The type that the suffix names.
    pub suffix: Option<DType>,
    /// Whether it can only be a float.
    pub float: bool,
}

/// Why a number is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadLiteral {
    /// The suffix is no dtype.
    Suffix(String),
    /// A digit does not belong to the base.
    Digit(char),
    /// There are no digits.
    Empty,
    /// A float's digits with an integer's suffix.
    FloatSuffix(DType),
}

impl Literal {
    /// Takes a number's text apart.
    pub fn parse(text: &str) -> Result<Literal, BadLiteral> {
        let (radix, body) = match text.get(..2) {
            Some("0x") => (16, &text[2..]),
            Some("0o") => (8, &text[2..]),
            Some("0b") => (2, &text[2..]),
            _ => (10, text),
        };
        let (body, suffix) = split_suffix(body, radix);
        let digits: String = body.chars().filter(|c| *c != '_').collect();
        if digits.is_empty() {
            return Err(if suffix.is_empty() {
                BadLiteral::Empty
            } else {
                BadLiteral::Suffix(suffix.to_string())
            });
        }
        let suffix = match suffix {
            "" => None,
            name => {
                Some(DType::from_name(name).ok_or_else(|| BadLiteral::Suffix(name.to_string()))?)
            }
        };
        let float = radix == 10 && digits.contains(['.', 'e', 'E']);
        if !float && let Some(bad) = digits.chars().find(|c| !c.is_digit(radix)) {
            return Err(BadLiteral::Digit(bad));
        }
        match suffix {
            Some(dtype) if float && !dtype.is_float() => Err(BadLiteral::FloatSuffix(dtype)),
            Some(dtype) if radix != 10 && !dtype.is_int() => {
                Err(BadLiteral::Suffix(dtype.name().to_string()))
            }
            Some(dtype) if !(dtype.is_int() || dtype.is_float()) => {
                Err(BadLiteral::Suffix(dtype.name().to_string()))
            }
            _ => Ok(Literal {
                digits,
                radix,
                suffix,
                float,
            }),
        }
    }

    /// The constant of a dtype, negated if asked; none if it is not in the dtype's range.
    pub fn to_const(&self, dtype: DType, negative: bool) -> Option<Const> {
        if dtype.is_complex() {
            let part = self.to_const(dtype.part(), negative)?;
            return Const::complex(part, Const::zero(dtype.part()));
        }
        if dtype.is_int() {
            return self.to_int(dtype, negative);
        }
        dtype
            .is_float()
            .then(|| self.to_float(dtype, negative))
            .flatten()
    }

    fn magnitude(&self) -> Option<u128> {
        let digits = self.digits.trim_start_matches('0');
        if digits.is_empty() {
            return Some(0);
        }
        u128::from_str_radix(digits, self.radix).ok()
    }

    fn to_int(&self, dtype: DType, negative: bool) -> Option<Const> {
        if self.float {
            return None;
        }
        let value = i128::try_from(self.magnitude()?).ok()?;
        let value = if negative { -value } else { value };
        let constant = Const::int(dtype, value);
        (constant.as_int() == value).then_some(constant)
    }

    fn to_float(&self, dtype: DType, negative: bool) -> Option<Const> {
        let (magnitude, finite) = if self.radix == 10 {
            decimal_to_float(&self.digits, dtype)?
        } else {
            decimal_to_float(&self.magnitude()?.to_string(), dtype)?
        };
        let sign = u128::from(negative) << (dtype.bits() - 1);
        finite.then_some(Const::from_bits(dtype, magnitude | sign))
    }
}

/// Splits digits from the suffix. `1e5` has an exponent, `1f32` a suffix; in base 16 a suffix starts no digit.
fn split_suffix(body: &str, radix: u32) -> (&str, &str) {
    let at = if radix == 16 {
        DType::ALL
            .iter()
            .filter(|d| d.is_int() && body.ends_with(d.name()))
            .map(|d| body.len() - d.name().len())
            .next()
    } else {
        let is_digit = |c: char| c.is_ascii_digit() || c == '_' || c == '.' || c == '+' || c == '-';
        body.char_indices()
            .find(|(i, c)| {
                let after = &body[i + c.len_utf8()..];
                let exponent = radix == 10
                    && matches!(c, 'e' | 'E')
                    && after
                        .trim_start_matches(['+', '-', '_'])
                        .starts_with(|c: char| c.is_ascii_digit());
                !is_digit(*c) && !exponent
            })
            .map(|(i, _)| i)
    };
    body.split_at(at.unwrap_or(body.len()))
}

/// Bits of a decimal number rounded once to a float dtype, and whether it is finite.
fn decimal_to_float(digits: &str, dtype: DType) -> Option<(u128, bool)> {
    match dtype {
        DType::F32 => {
            let value: f32 = digits.parse().ok()?;
            Some((value.to_bits().into(), value.is_finite()))
        }
        DType::F64 => {
            let value: f64 = digits.parse().ok()?;
            Some((value.to_bits().into(), value.is_finite()))
        }
        DType::F16 => narrow(digits, 10, 15),
        DType::BF16 => narrow(digits, 7, 127),
        _ => None,
    }
}

/// Rounds a decimal to a float of fewer bits. Parsing to f64 first would round twice; the error of that first
/// rounding only matters when the f64 is a tie between two narrow floats, and then the digits themselves decide.
fn narrow(digits: &str, mantissa: u32, bias: i32) -> Option<(u128, bool)> {
    let wide: f64 = digits.parse().ok()?;
    if wide == 0.0 || !wide.is_finite() {
        return Some((0, wide.is_finite()));
    }
    let bits = wide.to_bits();
    let exponent = ((bits >> 52) as i32 - 1023).max(-1022);
    let lowest = (exponent.max(1 - bias)) - mantissa as i32;
    // The value in units of the narrow type's last place: exact, since only the exponent changes.
    let units = wide * 2f64.powi(-lowest);
    let (floor, fraction) = (units.trunc(), units.fract());
    let up = if fraction == 0.5 {
        match compare_decimal(digits, wide) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => floor as u64 % 2 == 1,
        }
    } else {
        fraction > 0.5
    };
    let units = floor as u128 + u128::from(up);
    // Adding the units to the exponent field lets a carry move into the exponent, as the format means it.
    let field = (exponent.max(1 - bias) + bias - 1) as u128;
    let result = (field << mantissa) + units;
    let infinity = (2 * bias as u128 + 1) << mantissa;
    Some((result, result < infinity))
}

/// Compares a decimal number with a finite f64 that it rounds to, exactly.
fn compare_decimal(digits: &str, value: f64) -> std::cmp::Ordering {
    // An f64 has at most 767 significant digits, so this many places print it exactly.
    let exact = format!("{value:.1080e}");
    let (a, b) = (Scientific::parse(digits), Scientific::parse(&exact));
    a.exponent
        .cmp(&b.exponent)
        .then_with(|| a.digits.cmp(&b.digits))
}

/// Significant digits without zeros at either end, and the power of ten of the first.
struct Scientific {
    digits: String,
    exponent: i64,
}

impl Scientific {
    fn parse(text: &str) -> Scientific {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let leading = all.len() - all.trim_start_matches('0').len();
        let exponent = exponent
            .parse()
            .unwrap_or(0i64)
            .saturating_add(whole.len() as i64 - 1 - leading as i64);
        Scientific {
            digits: all.trim_matches('0').to_string(),
            exponent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, dtype: DType) -> Option<Const> {
        Literal::parse(text)
            .expect("a number")
            .to_const(dtype, false)
    }

    fn bits(text: &str, dtype: DType) -> Option<u128> {
        value(text, dtype).map(Const::bits)
    }

    #[test]
    fn integers() {
        assert_eq!(
            value("1_000", DType::I32),
            Some(Const::int(DType::I32, 1000))
        );
        assert_eq!(value("0xFF", DType::U8), Some(Const::int(DType::U8, 255)));
        assert_eq!(
            value("0b1010u16", DType::U16),
            Some(Const::int(DType::U16, 10))
        );
        assert_eq!(value("256", DType::U8), None);
        assert_eq!(
            Literal::parse("128").unwrap().to_const(DType::I8, true),
            Some(Const::int(DType::I8, -128))
        );
        assert_eq!(
            Literal::parse("129").unwrap().to_const(DType::I8, true),
            None
        );
        assert_eq!(value(&"9".repeat(1_000_000), DType::U64), None);
        assert_eq!(
            value(&format!("{}7", "0".repeat(1_000_000)), DType::U64),
            Some(Const::int(DType::U64, 7))
        );
    }

    #[test]
    fn suffixes() {
        assert_eq!(Literal::parse("0xFFu8").unwrap().suffix, Some(DType::U8));
        assert_eq!(Literal::parse("1f32").unwrap().suffix, Some(DType::F32));
        assert_eq!(
            Literal::parse("1.5e-3f32").unwrap().suffix,
            Some(DType::F32)
        );
        assert_eq!(Literal::parse("1bf16").unwrap().suffix, Some(DType::BF16));
        assert_eq!(
            Literal::parse("1.5u8"),
            Err(BadLiteral::FloatSuffix(DType::U8))
        );
        assert_eq!(
            Literal::parse("12xyz"),
            Err(BadLiteral::Suffix("xyz".to_string()))
        );
        assert_eq!(Literal::parse("0x1p"), Err(BadLiteral::Digit('p')));
        assert_eq!(Literal::parse("0b12"), Err(BadLiteral::Digit('2')));
        assert_eq!(Literal::parse("0x"), Err(BadLiteral::Empty));
    }

    #[test]
    fn floats_are_rounded_once() {
        assert_eq!(value("0.1", DType::F32), Some(Const::f32(0.1)));
        assert_eq!(value("1e400", DType::F64), None);
        assert_eq!(bits("1", DType::F16), Some(0x3c00));
        assert_eq!(bits("65504", DType::F16), Some(0x7bff));
        assert_eq!(bits("65519.999", DType::F16), Some(0x7bff));
        assert_eq!(bits("65520", DType::F16), None);
        assert_eq!(bits("5.9604644775390625e-8", DType::F16), Some(1));
        assert_eq!(bits("1", DType::BF16), Some(0x3f80));
        // Half way between 1 and the next bf16, and a hair above, which f64 cannot tell apart.
        assert_eq!(bits("1.00390625", DType::BF16), Some(0x3f80));
        assert_eq!(
            bits("1.003906250000000000000000001", DType::BF16),
            Some(0x3f81)
        );
        assert_eq!(bits("1.01171875", DType::BF16), Some(0x3f82));
        assert_eq!(
            bits("1.01171874999999999999999999", DType::BF16),
            Some(0x3f81)
        );
        assert_eq!(bits("3.38953139e38", DType::BF16), Some(0x7f7f));
        assert_eq!(bits("3.4e38", DType::BF16), None);
    }

    #[test]
    fn narrow_floats_agree_with_f32_where_both_are_exact() {
        for bits in 0..0x7f80u128 {
            let text = format!("{:e}", f32::from_bits((bits as u32) << 16));
            assert_eq!(
                super::decimal_to_float(&text, DType::BF16),
                Some((bits, true)),
                "{text}"
            );
        }
    }
}
