//! The Rust types that arrays may hold, one per dtype.

use half::{bf16, f16};
use num_complex::Complex;
use std::fmt;
use ufc_ir::{Const, DType};

/// A Rust type that arrays hold as it is in memory; each stands for one dtype.
pub trait Element: Copy + PartialEq + fmt::Debug + Send + Sync + sealed::Sealed + 'static {
    /// The dtype it stands for.
    const DTYPE: DType;

    /// Its value as a constant.
    fn to_const(self) -> Const;

    /// The value of a constant of the same dtype (the bits of one of another).
    fn from_const(value: Const) -> Self;
}

mod sealed {
    /// Keeps other crates from adding types whose memory is not a dtype's.
    pub trait Sealed {}
}

/// Runs an expression with a type alias for the Rust type of a dtype known at run time.
macro_rules! with_type {
    ($dtype:expr, $T:ident => $body:expr) => {{
        use ufc_ir::DType as D;
        match $dtype {
            D::Bool => {
                type $T = bool;
                $body
            }
            D::I8 => {
                type $T = i8;
                $body
            }
            D::I16 => {
                type $T = i16;
                $body
            }
            D::I32 => {
                type $T = i32;
                $body
            }
            D::I64 => {
                type $T = i64;
                $body
            }
            D::U8 => {
                type $T = u8;
                $body
            }
            D::U16 => {
                type $T = u16;
                $body
            }
            D::U32 => {
                type $T = u32;
                $body
            }
            D::U64 => {
                type $T = u64;
                $body
            }
            D::F16 => {
                type $T = half::f16;
                $body
            }
            D::BF16 => {
                type $T = half::bf16;
                $body
            }
            D::F32 => {
                type $T = f32;
                $body
            }
            D::F64 => {
                type $T = f64;
                $body
            }
            D::C64 => {
                type $T = num_complex::Complex<f32>;
                $body
            }
            D::C128 => {
                type $T = num_complex::Complex<f64>;
                $body
            }
        }
    }};
}
pub(crate) use with_type;

macro_rules! impl_element {
    ($($T:ty = $dtype:ident, |$v:ident| $to:expr, |$bits:ident| $from:expr;)*) => {$(
        impl sealed::Sealed for $T {}
        impl Element for $T {
            const DTYPE: DType = DType::$dtype;

            fn to_const(self) -> Const {
                let $v = self;
                Const::from_bits(DType::$dtype, $to)
            }

            fn from_const(value: Const) -> Self {
                let $bits = value.bits();
                $from
            }
        }
    )*};
}

impl_element! {
    bool = Bool, |v| v.into(), |bits| bits != 0;
    i8 = I8, |v| v as u128, |bits| bits as i8;
    i16 = I16, |v| v as u128, |bits| bits as i16;
    i32 = I32, |v| v as u128, |bits| bits as i32;
    i64 = I64, |v| v as u128, |bits| bits as i64;
    u8 = U8, |v| v.into(), |bits| bits as u8;
    u16 = U16, |v| v.into(), |bits| bits as u16;
    u32 = U32, |v| v.into(), |bits| bits as u32;
    u64 = U64, |v| v.into(), |bits| bits as u64;
    f16 = F16, |v| v.to_bits().into(), |bits| f16::from_bits(bits as u16);
    bf16 = BF16, |v| v.to_bits().into(), |bits| bf16::from_bits(bits as u16);
    f32 = F32, |v| v.to_bits().into(), |bits| f32::from_bits(bits as u32);
    f64 = F64, |v| v.to_bits().into(), |bits| f64::from_bits(bits as u64);
    Complex<f32> = C64,
        |v| u128::from(v.re.to_bits()) | u128::from(v.im.to_bits()) << 32,
        |bits| Complex::new(f32::from_bits(bits as u32), f32::from_bits((bits >> 32) as u32));
    Complex<f64> = C128,
        |v| u128::from(v.re.to_bits()) | u128::from(v.im.to_bits()) << 64,
        |bits| Complex::new(f64::from_bits(bits as u64), f64::from_bits((bits >> 64) as u64));
}

/// A value as people write it: `true`, `-3`, `0.5`, `1.5-2i`.
pub fn format_value(value: Const) -> String {
    let number = |x: f64| format!("{x:?}");
    match value.dtype() {
        DType::Bool => value.as_bool().to_string(),
        DType::F16 => number(f16::from_const(value).to_f64()),
        DType::BF16 => number(bf16::from_const(value).to_f64()),
        DType::F32 => format!("{:?}", value.as_f32()),
        DType::F64 => number(value.as_f64()),
        DType::C64 | DType::C128 => {
            let (re, im) = (format_value(value.re()), format_value(value.im()));
            let plus = if im.starts_with('-') { "" } else { "+" };
            format!("{re}{plus}{im}i")
        }
        DType::I8
        | DType::I16
        | DType::I32
        | DType::I64
        | DType::U8
        | DType::U16
        | DType::U32
        | DType::U64 => value.as_int().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_types_have_the_size_of_their_dtype() {
        for &dtype in DType::ALL {
            with_type!(dtype, T => {
                assert_eq!(T::DTYPE, dtype);
                assert_eq!(size_of::<T>(), dtype.size());
                assert_eq!(align_of::<T>(), dtype.align());
            });
        }
    }

    #[test]
    fn values_survive_the_trip_through_constants() {
        assert_eq!(i16::from_const((-7i16).to_const()), -7);
        assert_eq!((-7i16).to_const().as_int(), -7);
        let z = Complex::new(1.5f64, -2.0);
        assert_eq!(Complex::from_const(z.to_const()), z);
        assert_eq!(format_value(z.to_const()), "1.5-2.0i");
        assert_eq!(format_value(f16::from_f32(0.25).to_const()), "0.25");
    }
}
