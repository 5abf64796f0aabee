//! What vector code does natively, per operation and dtype.

use ufc_ir::DType;
use ufc_ir::ops::{AnyOp, MathFn};
use ufc_target::{Action, Legality, legality};

/// What both code generators take.
pub(crate) struct CpuLegality {
    /// Whether the level multiplies by powers of two in one instruction. Where it does not, functions are better off
    /// with expansions that know more of their powers.
    pub(crate) has_scalb: bool,
}

impl Legality for CpuLegality {
    fn target(&self) -> &str {
        "cpu"
    }

    fn action(&self, op: AnyOp, dtype: DType) -> Action {
        match op {
            AnyOp::Core(op) => legality::with_halves_in_f32(op, dtype),
            AnyOp::Math(MathFn::Scalb)
                if self.has_scalb && matches!(dtype, DType::F32 | DType::F64) =>
            {
                Action::Native
            }
            AnyOp::Math(_) => Action::Expand,
        }
    }

    fn convert(&self, from: DType, to: DType) -> Action {
        let half = |d: DType| matches!(d, DType::F16 | DType::BF16);
        match (half(from), half(to)) {
            (false, false) => Action::Native,
            // The two directions that the expansions are written for.
            _ if from == DType::F32 || to == DType::F32 => Action::Expand,
            _ if from == to => Action::Native,
            // Two roundings would not give the same bits as one.
            (false, true) if from == DType::F64 => Action::Expand,
            (false, true) if from.is_int() && from.size() > 2 => Action::Expand,
            _ => Action::Promote(DType::F32),
        }
    }
}
