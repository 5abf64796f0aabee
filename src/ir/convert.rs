//! Conversions between dtypes: the language's `as`, each rounded once.

use crate::constant::Const;
use crate::dtype::{DType, Kind};

/// Converts a value to a dtype as the language's `as` does.
///
/// Float to integer saturates and NaN gives 0; to a float rounds once, to nearest even; integer to integer wraps; from
/// bool gives 0 or 1; to bool is `!= 0`; a complex number from a real one has the imaginary part +0.
/// A complex number converted to a real dtype, which no verified function does, gives its real part.
pub fn convert(value: Const, to: DType) -> Const {
    let from = value.dtype();
    if from == to {
        return value;
    }
    if to.is_complex() {
        let part = to.part();
        let (re, im) = (convert(value.re(), part), convert(value.im(), part));
        return Const::from_bits(to, re.bits() | im.bits() << part.bits());
    }
    match (from.kind(), to.kind()) {
        (Kind::Complex, _) => convert(value.re(), to),
        (Kind::Float, Kind::Bool) => Const::bool(to_f64(value) != 0.0),
        (Kind::Float, Kind::Float) => from_f64(to, to_f64(value)),
        (Kind::Float, _) => saturate(to_f64(value), to),
        (_, Kind::Bool) => Const::bool(value.as_int() != 0),
        (_, Kind::Float) => from_int(to, value.as_int()),
        (_, _) => Const::int(to, value.as_int()),
    }
}

/// The value of a real float, exactly.
///
/// # Panics
/// If it is not a real float.
pub fn to_f64(value: Const) -> f64 {
    match value.dtype() {
        DType::F64 => value.as_f64(),
        dtype => to_f32_bits(dtype, value.bits() as u32).into(),
    }
}

/// The value of an f16, bf16 or f32 as an f32, exactly.
///
/// # Panics
/// If it is of another dtype.
pub(crate) fn to_f32(value: Const) -> f32 {
    to_f32_bits(value.dtype(), value.bits() as u32)
}

fn to_f32_bits(dtype: DType, bits: u32) -> f32 {
    match dtype {
        DType::F32 => f32::from_bits(bits),
        DType::BF16 => f32::from_bits(bits << 16),
        DType::F16 => f16_to_f32(bits),
        other => panic!("{other} is not a real float"),
    }
}

fn f16_to_f32(bits: u32) -> f32 {
    let sign = (bits & 0x8000) << 16;
    let (exponent, fraction) = (bits >> 10 & 0x1f, bits & 0x3ff);
    match exponent {
        // A subnormal is so many times 2^-24, which an f32 holds exactly.
        0 => f32::from_bits((fraction as f32 * f32::from_bits(0x3380_0000)).to_bits() | sign),
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

/// A real float of this dtype from an f64, rounded once to nearest even.
///
/// # Panics
/// If the dtype is not a real float.
pub fn from_f64(dtype: DType, value: f64) -> Const {
    if dtype == DType::F64 {
        return Const::f64(value);
    }
    let format = Format::of(dtype);
    let bits = value.to_bits();
    let sign = bits >> 63 != 0;
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
    let rounded = match exponent {
        0x7ff if fraction != 0 => format.nan(),
        0x7ff => format.infinity(),
        0 => format.round(fraction, -1074),
        _ => format.round(fraction | 1 << 52, exponent - 1075),
    };
    Const::from_bits(dtype, format.signed(sign, rounded).into())
}

/// A real float of this dtype from an integer, rounded once to nearest even.
///
/// # Panics
/// If the dtype is not a real float, or the integer needs more than 64 bits besides its sign.
pub fn from_int(dtype: DType, value: i128) -> Const {
    let format = Format::of(dtype);
    let magnitude = u64::try_from(value.unsigned_abs()).expect("an integer of some dtype");
    let rounded = format.round(magnitude, 0);
    Const::from_bits(dtype, format.signed(value < 0, rounded).into())
}

fn saturate(value: f64, to: DType) -> Const {
    let bits = to.bits();
    let (low, high) = if to.is_signed() {
        (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
    } else {
        (0, (1i128 << bits) - 1)
    };
    // The cast itself saturates, and gives 0 for NaN.
    Const::int(to, (value as i128).clamp(low, high))
}

/// A binary interchange format of at most 64 bits.
struct Format {
    exponent_bits: u32,
    fraction_bits: u32,
}

impl Format {
    fn of(dtype: DType) -> Format {
        let (exponent_bits, fraction_bits) = match dtype {
            DType::F16 => (5, 10),
            DType::BF16 => (8, 7),
            DType::F32 => (8, 23),
            DType::F64 => (11, 52),
            other => panic!("{other} is not a real float"),
        };
        Format {
            exponent_bits,
            fraction_bits,
        }
    }

    fn infinity(&self) -> u64 {
        ((1 << self.exponent_bits) - 1) << self.fraction_bits
    }

    fn nan(&self) -> u64 {
        self.infinity() | 1 << (self.fraction_bits - 1)
    }

    fn signed(&self, negative: bool, magnitude: u64) -> u64 {
        magnitude | u64::from(negative) << (self.exponent_bits + self.fraction_bits)
    }

    /// The bits of `mantissa * 2^exponent` rounded to nearest, ties to even.
    fn round(&self, mantissa: u64, exponent: i32) -> u64 {
        if mantissa == 0 {
            return 0;
        }
        let fraction_bits = self.fraction_bits as i32;
        let bias = (1 << (self.exponent_bits - 1)) - 1;
        // Exponent of the last place: of subnormals, and of this number.
        let lowest = 1 - bias - fraction_bits;
        let top = 63 - mantissa.leading_zeros() as i32 + exponent;
        let last = (top - fraction_bits).max(lowest);
        let kept = round_shift(mantissa, last - exponent);
        // The implicit bit of a normal number adds one to the exponent field, and so does a carry out of rounding.
        let bits = ((last - lowest) as u64) << self.fraction_bits;
        (bits + kept).min(self.infinity())
    }
}

/// `value / 2^shift` rounded to nearest, ties to even; a negative shift, which loses no bit here, multiplies.
fn round_shift(value: u64, shift: i32) -> u64 {
    match shift {
        ..=0 => value << -shift,
        1..=64 => {
            let wide = u128::from(value);
            let (kept, half) = (wide >> shift, 1u128 << (shift - 1));
            let lost = wide & ((1 << shift) - 1);
            let up = lost > half || (lost == half && kept & 1 == 1);
            (kept + u128::from(up)) as u64
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOATS: [DType; 4] = [DType::F16, DType::BF16, DType::F32, DType::F64];

    #[test]
    fn rounding_to_f32_agrees_with_the_machine() {
        let mut state = 1u64;
        for _ in 0..200_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let bits = state ^ state >> 29;
            // Half of the values around the range of f32, half anywhere.
            let exponent = if bits & 1 == 0 {
                896 - 30 + bits % 317
            } else {
                bits >> 52 & 0x7ff
            };
            let x = f64::from_bits(bits & 0x800f_ffff_ffff_ffff | exponent << 52);
            let expected = Const::f32(x as f32);
            assert!(from_f64(DType::F32, x).same(expected), "{x:e}");
            let int = (bits >> (bits & 63)) as i64;
            assert_eq!(
                from_int(DType::F32, int.into()),
                Const::f32(int as f32),
                "{int}"
            );
            assert_eq!(from_int(DType::F64, int.into()), Const::f64(int as f64));
            let int = bits >> (bits >> 8 & 63);
            assert_eq!(from_int(DType::F32, int.into()), Const::f32(int as f32));
        }
    }

    #[test]
    fn every_small_float_survives_widening() {
        for dtype in [DType::F16, DType::BF16] {
            for bits in 0..=0xffffu128 {
                let value = Const::from_bits(dtype, bits);
                let back = from_f64(dtype, to_f64(value));
                assert!(value.same(back), "{bits:#x} of {dtype} became {back:?}");
            }
        }
    }

    #[test]
    fn ties_go_to_even_between_all_neighbours() {
        for dtype in [DType::F16, DType::BF16] {
            let infinity = Format::of(dtype).infinity();
            for bits in 0..infinity - 1 {
                let (low, high) = (bits, bits + 1);
                let value = |b: u64| to_f64(Const::from_bits(dtype, b.into()));
                let middle = (value(low) + value(high)) / 2.0;
                let even = if low & 1 == 0 { low } else { high };
                let cases = [
                    (middle, even),
                    (middle.next_down(), low),
                    (middle.next_up(), high),
                ];
                for (x, expected) in cases {
                    assert_eq!(
                        from_f64(dtype, x).bits(),
                        expected.into(),
                        "{x:e} to {dtype}"
                    );
                    let negative = from_f64(dtype, -x).bits();
                    assert_eq!(negative, u128::from(expected) | 0x8000);
                }
            }
        }
    }

    #[test]
    fn f16_limits() {
        let bits = |x: f64| from_f64(DType::F16, x).bits();
        assert_eq!(bits(65504.0), 0x7bff);
        assert_eq!(bits(65519.999), 0x7bff);
        assert_eq!(bits(65520.0), 0x7c00);
        assert_eq!(bits(f64::MAX), 0x7c00);
        assert_eq!(bits(f64::from_bits(1)), 0);
        assert_eq!(bits(-f64::from_bits(1)), 0x8000);
        assert_eq!(bits(2f64.powi(-24)), 1);
        assert_eq!(bits(2f64.powi(-25)), 0);
        assert_eq!(bits(2f64.powi(-25) * 1.000_001), 1);
        // In two steps, through f32, this would become 2049 and then, as a tie, 2048.
        assert_eq!(bits(2_049.000_000_001), 0x6801);
        assert_eq!(from_int(DType::F16, 2049).bits(), 0x6800);
        assert_eq!(from_int(DType::F16, i128::from(u64::MAX)).bits(), 0x7c00);
        // A tie of bf16 but for the last bit, which an f32 between would lose.
        let int = (1i128 << 40) + (1 << 32) + 1;
        assert_eq!(
            from_int(DType::BF16, int).bits(),
            from_int(DType::BF16, 1 << 40).bits() + 1
        );
    }

    #[test]
    fn floats_saturate_to_integers() {
        let to = |x: f64, dtype| convert(Const::f64(x), dtype).as_int();
        assert_eq!(to(f64::NAN, DType::I32), 0);
        assert_eq!(to(-1.9, DType::I8), -1);
        assert_eq!(to(-1.9, DType::U8), 0);
        assert_eq!(to(300.0, DType::U8), 255);
        assert_eq!(to(300.0, DType::I8), 127);
        assert_eq!(to(-300.0, DType::I8), -128);
        assert_eq!(to(f64::INFINITY, DType::U64), u64::MAX.into());
        assert_eq!(to(f64::NEG_INFINITY, DType::I64), i64::MIN.into());
        assert_eq!(to(9_223_372_036_854_775_808.0, DType::I64), i64::MAX.into());
        assert_eq!(to(0.1, DType::Bool), 1);
        assert_eq!(to(-0.0, DType::Bool), 0);
        assert_eq!(to(f64::NAN, DType::Bool), 1);
    }

    #[test]
    fn every_pair_of_real_dtypes_agrees_with_exact_values() {
        for &from in DType::ALL.iter().filter(|d| !d.is_complex()) {
            for &to in DType::ALL {
                for bits in [0u128, 1] {
                    let value = if from.is_float() {
                        from_f64(from, bits as f64)
                    } else {
                        Const::from_bits(from, bits)
                    };
                    let result = convert(value, to);
                    assert_eq!(result.dtype(), to);
                    let expected = if FLOATS.contains(&to.part()) {
                        from_f64(to.part(), bits as f64)
                    } else {
                        Const::from_bits(to, bits)
                    };
                    assert_eq!(result.re(), expected, "{from} to {to}");
                    assert_eq!(result.im().bits(), 0);
                }
            }
        }
    }

    #[test]
    fn integers_wrap_and_extend() {
        let convert = |from, value, to| convert(Const::int(from, value), to).as_int();
        assert_eq!(convert(DType::I8, -1, DType::U64), u64::MAX.into());
        assert_eq!(convert(DType::U8, 255, DType::I64), 255);
        assert_eq!(convert(DType::I32, 300, DType::U8), 44);
        assert_eq!(convert(DType::U32, 0xffff_ff80, DType::I8), -128);
        assert_eq!(convert(DType::I64, 256, DType::Bool), 1);
    }

    #[test]
    fn complex_converts_part_by_part() {
        let z = Const::complex(Const::f64(1.5), Const::f64(-1e300)).unwrap();
        let narrow = convert(z, DType::C64);
        assert_eq!(narrow.re(), Const::f32(1.5));
        assert_eq!(narrow.im(), Const::f32(f32::NEG_INFINITY));
        assert_eq!(convert(narrow, DType::C128).re(), Const::f64(1.5));
    }
}
