//! Typed constants: the values of the interpreter and of `const` instructions.

use crate::dtype::DType;
use std::fmt;

/// A value of some dtype, as the bits it has in memory (little end first, complex real part first).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Const {
    dtype: DType,
    bits: u128,
}

impl Const {
    /// The value with these bits; bits beyond the dtype's size are dropped, and a bool is 0 or 1.
    pub fn from_bits(dtype: DType, bits: u128) -> Const {
        let mask = u128::MAX >> (128 - dtype.bits());
        let bits = match dtype {
            DType::Bool => u128::from(bits & mask != 0),
            _ => bits & mask,
        };
        Const { dtype, bits }
    }

    /// Its dtype.
    pub fn dtype(self) -> DType {
        self.dtype
    }

    /// Its bits, zero-extended.
    pub fn bits(self) -> u128 {
        self.bits
    }

    /// A bool.
    pub fn bool(value: bool) -> Const {
        Const::from_bits(DType::Bool, value.into())
    }

    /// An f32.
    pub fn f32(value: f32) -> Const {
        Const::from_bits(DType::F32, value.to_bits().into())
    }

    /// An f64.
    pub fn f64(value: f64) -> Const {
        Const::from_bits(DType::F64, value.to_bits().into())
    }

    /// An integer of an integer dtype, wrapped to its width.
    pub fn int(dtype: DType, value: i128) -> Const {
        debug_assert!(dtype.is_int());
        Const::from_bits(dtype, value as u128)
    }

    /// A complex number from two parts of the same float dtype; none if there is no such complex dtype.
    pub fn complex(re: Const, im: Const) -> Option<Const> {
        let dtype = re.dtype.complex_of().filter(|_| re.dtype == im.dtype)?;
        Some(Const::from_bits(
            dtype,
            re.bits | im.bits << re.dtype.bits(),
        ))
    }

    /// The real part, or the value itself if it is real.
    pub fn re(self) -> Const {
        Const::from_bits(self.dtype.part(), self.bits)
    }

    /// The imaginary part of a complex number; positive zero for a real one.
    pub fn im(self) -> Const {
        let part = self.dtype.part();
        if part == self.dtype {
            return Const::zero(part);
        }
        Const::from_bits(part, self.bits >> part.bits())
    }

    /// The zero (false, +0) of a dtype: all bits clear.
    pub fn zero(dtype: DType) -> Const {
        Const::from_bits(dtype, 0)
    }

    /// Whether it is true; for any dtype, whether a bit is set.
    pub fn as_bool(self) -> bool {
        self.bits != 0
    }

    /// The value of an integer or bool, sign-extended.
    pub fn as_int(self) -> i128 {
        let shift = 128 - self.dtype.bits();
        if self.dtype.is_signed() {
            ((self.bits << shift) as i128) >> shift
        } else {
            self.bits as i128
        }
    }

    /// The value of an f32.
    pub fn as_f32(self) -> f32 {
        debug_assert_eq!(self.dtype, DType::F32);
        f32::from_bits(self.bits as u32)
    }

    /// The value of an f64.
    pub fn as_f64(self) -> f64 {
        debug_assert_eq!(self.dtype, DType::F64);
        f64::from_bits(self.bits as u64)
    }

    /// Reads a value from its bytes in memory order (little end first).
    ///
    /// # Panics
    /// If there are fewer bytes than the dtype has.
    pub fn from_le_bytes(dtype: DType, bytes: &[u8]) -> Const {
        let mut all = [0; 16];
        all[..dtype.size()].copy_from_slice(&bytes[..dtype.size()]);
        Const::from_bits(dtype, u128::from_le_bytes(all))
    }

    /// Its bytes, little end first; only the first `dtype().size()` are meant.
    pub fn to_le_bytes(self) -> [u8; 16] {
        self.bits.to_le_bytes()
    }

    /// Whether both have the same dtype and bits, where any NaN equals any NaN (part by part).
    pub fn same(self, other: Const) -> bool {
        if self.dtype.is_complex() && self.dtype == other.dtype {
            return self.re().same(other.re()) && self.im().same(other.im());
        }
        self == other || (self.dtype == other.dtype && self.is_nan() && other.is_nan())
    }

    /// Whether it is a real float that is not a number.
    pub fn is_nan(self) -> bool {
        let Some((exponent, mantissa)) = float_fields(self.dtype) else {
            return false;
        };
        let exponent_mask = ((1u128 << exponent) - 1) << mantissa;
        let magnitude = self.bits & !(1 << (exponent + mantissa));
        magnitude > exponent_mask
    }
}

/// Widths of the exponent and mantissa fields of a float dtype.
fn float_fields(dtype: DType) -> Option<(u32, u32)> {
    match dtype {
        DType::F16 => Some((5, 10)),
        DType::BF16 => Some((8, 7)),
        DType::F32 => Some((8, 23)),
        DType::F64 => Some((11, 52)),
        _ => None,
    }
}

impl fmt::Debug for Const {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dtype {
            DType::Bool => write!(f, "{}", self.as_bool()),
            DType::F32 => write!(f, "{:?}f32", self.as_f32()),
            DType::F64 => write!(f, "{:?}f64", self.as_f64()),
            DType::F16 | DType::BF16 => write!(f, "{:#x}{}", self.bits, self.dtype),
            DType::C64 | DType::C128 => write!(f, "({:?}, {:?})", self.re(), self.im()),
            _ => write!(f, "{}{}", self.as_int(), self.dtype),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_beyond_the_dtype_are_dropped() {
        assert_eq!(
            Const::from_bits(DType::U8, 0x1ff),
            Const::int(DType::U8, 255)
        );
        assert_eq!(Const::from_bits(DType::Bool, 2), Const::bool(true));
        assert_eq!(Const::from_bits(DType::Bool, 0x100), Const::bool(false));
        assert_eq!(Const::int(DType::I16, -1).bits(), 0xffff);
        assert_eq!(Const::int(DType::I16, -1).as_int(), -1);
        assert_eq!(Const::int(DType::U16, -1).as_int(), 65535);
    }

    #[test]
    fn any_nan_is_the_same_as_any_other() {
        let nan = |bits| Const::from_bits(DType::F16, bits);
        assert!(nan(0x7e00).same(nan(0xfc01)));
        assert!(!nan(0x7e00).same(nan(0x7c00)), "infinity is a number here");
        assert!(!Const::f32(0.0).same(Const::f32(-0.0)));
        assert!(!Const::f32(f32::NAN).same(Const::f64(f64::NAN)));
        let z = |re, im| Const::complex(Const::f32(re), Const::f32(im)).unwrap();
        assert!(z(f32::NAN, 1.0).same(z(-f32::NAN, 1.0)));
        assert!(!z(f32::NAN, 1.0).same(z(f32::NAN, 2.0)));
    }

    #[test]
    fn complex_numbers_have_their_real_part_first() {
        let z = Const::complex(Const::f32(1.0), Const::f32(-2.0)).unwrap();
        assert_eq!(z.dtype(), DType::C64);
        assert_eq!((z.re(), z.im()), (Const::f32(1.0), Const::f32(-2.0)));
        assert_eq!(z.to_le_bytes()[..4], 1.0f32.to_le_bytes());
        assert_eq!(Const::from_le_bytes(DType::C64, &z.to_le_bytes()), z);
        assert_eq!(Const::complex(Const::f32(1.0), Const::f64(1.0)), None);
        assert_eq!(Const::complex(Const::bool(true), Const::bool(true)), None);
    }
}
