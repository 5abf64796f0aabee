//! The common dtype of two, as NumPy 2 has it. Only one-line expressions convert by themselves.

use ufc_ir::{DType, Kind};

/// The smallest dtype that both convert to safely, by NumPy's table; bfloat16 as the package ml_dtypes has it.
pub fn promote(a: DType, b: DType) -> DType {
    use DType::{BF16, Bool, C64, C128, F16, F32, F64};
    if a == b || b == Bool {
        return a;
    }
    if a == Bool {
        return b;
    }
    match (a.kind(), b.kind()) {
        (Kind::Complex, _) | (_, Kind::Complex) => match promote(float_part(a), float_part(b)) {
            F64 => C128,
            _ => C64,
        },
        (Kind::Float, Kind::Float) => match (a, b) {
            (F16, BF16) | (BF16, F16) => F32,
            _ if a.size() >= b.size() => a,
            _ => b,
        },
        (Kind::Float, _) => float_with_int(a, b),
        (_, Kind::Float) => float_with_int(b, a),
        (one, two) if one == two => {
            if a.size() >= b.size() {
                a
            } else {
                b
            }
        }
        (Kind::Signed, _) => signed_with_unsigned(a, b),
        _ => signed_with_unsigned(b, a),
    }
}

/// The float that an integer becomes where only floats will do.
pub(super) fn float_for(dtype: DType) -> DType {
    match (dtype.kind(), dtype.size()) {
        (Kind::Float | Kind::Complex, _) => dtype,
        (_, 1) => DType::F16,
        (_, 2) => DType::F32,
        _ => DType::F64,
    }
}

fn float_part(dtype: DType) -> DType {
    if dtype.is_complex() {
        dtype.part()
    } else {
        dtype
    }
}

fn float_with_int(float: DType, int: DType) -> DType {
    match (float, float_for(int)) {
        (DType::BF16, DType::F16) => DType::BF16,
        (float, other) if float.size() >= other.size() => float,
        (_, other) => other,
    }
}

fn signed_with_unsigned(signed: DType, unsigned: DType) -> DType {
    let wide = match unsigned {
        DType::U8 => DType::I16,
        DType::U16 => DType::I32,
        DType::U32 => DType::I64,
        _ => return DType::F64,
    };
    if signed.size() >= wide.size() {
        signed
    } else {
        wide
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_numpys_table() {
        use DType::{BF16, Bool, C64, C128, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
        for (a, b, both) in [
            (U8, I8, I16),
            (U32, I32, I64),
            (U64, I64, F64),
            (U64, I8, F64),
            (I16, F16, F32),
            (U8, F16, F16),
            (I32, F32, F64),
            (I64, F16, F64),
            (F32, F64, F64),
            (F16, BF16, F32),
            (I8, BF16, BF16),
            (F64, C64, C128),
            (I32, C64, C128),
            (I16, C64, C64),
            (U16, I64, I64),
            (Bool, U8, U8),
        ] {
            assert_eq!(promote(a, b), both, "{a} and {b}");
            assert_eq!(promote(b, a), both, "{b} and {a}");
        }
    }
}
