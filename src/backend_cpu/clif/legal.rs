//! What vector code does natively, per operation and dtype.

use ufc_ir::DType;
use ufc_ir::ops::AnyOp;
use ufc_target::{Action, Legality, legality};

/// What [`super::lower`] takes.
pub(crate) struct CpuLegality;

impl Legality for CpuLegality {
    fn target(&self) -> &str {
        "cpu"
    }

    fn action(&self, op: AnyOp, dtype: DType) -> Action {
        match op {
            AnyOp::Core(op) => legality::with_halves_in_f32(op, dtype),
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
