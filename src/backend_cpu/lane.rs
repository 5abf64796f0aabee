//! What a vector lane holds, for both code generators.

use ufc_ir::DType;

/// What a lane holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    I8,
    I16,
    I32,
    I64,
    F32,
    F64,
}

impl Lane {
    /// The lanes of a dtype, none narrower than 32 bits; of a bool, those of its narrower masks.
    pub(crate) fn of(dtype: DType) -> Lane {
        match dtype {
            DType::Bool
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::F16
            | DType::BF16 => Lane::I32,
            DType::I64 | DType::U64 => Lane::I64,
            DType::F32 | DType::C64 => Lane::F32,
            DType::F64 | DType::C128 => Lane::F64,
        }
    }

    /// The lanes of a dtype that are as wide as its values.
    pub(crate) fn natural(dtype: DType) -> Lane {
        match dtype.size() {
            1 => Lane::I8,
            2 => Lane::I16,
            _ => Lane::of(dtype),
        }
    }

    /// The integer lanes of this width in bytes.
    pub(crate) fn int(width: usize) -> Lane {
        match width {
            1 => Lane::I8,
            2 => Lane::I16,
            8 => Lane::I64,
            _ => Lane::I32,
        }
    }

    /// Width in bytes.
    pub(crate) fn width(self) -> usize {
        match self {
            Lane::I8 => 1,
            Lane::I16 => 2,
            Lane::I32 | Lane::F32 => 4,
            Lane::I64 | Lane::F64 => 8,
        }
    }
}
