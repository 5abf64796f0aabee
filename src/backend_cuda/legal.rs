//! What PTX does natively, per operation and dtype, with the bits that the IR asks for.

use ufc_ir::DType;
use ufc_ir::ops::{AnyOp, MathFn};
use ufc_target::{Action, Legality, legality};

/// What [`super::lower`] takes. It holds for every architecture that modules are compiled for.
pub(crate) struct CudaLegality;

impl Legality for CudaLegality {
    fn target(&self) -> &str {
        "cuda"
    }

    fn action(&self, op: AnyOp, dtype: DType) -> Action {
        match op {
            AnyOp::Core(op) => legality::with_halves_in_f32(op, dtype),
            AnyOp::Math(f) => math_action(f, dtype),
        }
    }

    fn convert(&self, from: DType, to: DType) -> Action {
        use DType::{BF16, Bool, F16, F32, F64};
        let half = |d: DType| matches!(d, F16 | BF16);
        match (from, to) {
            _ if from == to => Action::Native,
            // Widening is exact.
            (F16 | BF16, F32) => Action::Native,
            // `cvt.rn` rounds once from each of these.
            (F32 | F64, F16) => Action::Native,
            _ if to == F16 && from.is_int() && from.size() > 2 => Action::Native,
            // An instruction for this came with sm_80 only.
            (F32 | F64, BF16) => Action::Expand,
            _ if to == BF16 && from.is_int() && from.size() > 2 => Action::Expand,
            // By comparison or selection.
            (_, Bool) | (Bool, _) if half(from) || half(to) => Action::Expand,
            _ if half(from) || half(to) => Action::Promote(F32),
            _ => Action::Native,
        }
    }
}

/// Functions of integers for which there is an instruction; all others are taken from the shared expansions.
fn math_action(f: MathFn, dtype: DType) -> Action {
    let is_native = match f {
        MathFn::CountOnes | MathFn::LeadingZeros | MathFn::TrailingZeros => dtype.size() >= 4,
        MathFn::RotateLeft | MathFn::RotateRight | MathFn::SwapBytes => dtype.size() == 4,
        _ => false,
    };
    if is_native {
        Action::Native
    } else {
        Action::Expand
    }
}
