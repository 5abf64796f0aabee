//! What vector code does natively, per operation and dtype.

use ufc_ir::DType;
use ufc_ir::ops::{AnyOp, Op};
use ufc_target::{Action, Legality};

/// What [`super::lower`] takes.
pub(crate) struct CpuLegality;

impl Legality for CpuLegality {
    fn target(&self) -> &str {
        "cpu"
    }

    fn action(&self, op: AnyOp, dtype: DType) -> Action {
        match op {
            AnyOp::Core(op) => core_action(op, dtype),
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

fn core_action(op: Op, dtype: DType) -> Action {
    let half = matches!(dtype, DType::F16 | DType::BF16);
    match op {
        Op::Rem if dtype.is_float() => Action::Expand,
        Op::Add
        | Op::Sub
        | Op::Mul
        | Op::Div
        | Op::Rem
        | Op::MulAdd
        | Op::Sqrt
        | Op::Min
        | Op::Max
        | Op::Minimum
        | Op::Maximum
        | Op::Floor
        | Op::Ceil
        | Op::Trunc
        | Op::RoundTiesEven
        | Op::Eq
        | Op::Ne
        | Op::Lt
        | Op::Le
        | Op::Gt
        | Op::Ge
            if half =>
        {
            Action::Promote(DType::F32)
        }
        Op::Add
        | Op::Sub
        | Op::Mul
        | Op::Div
        | Op::Rem
        | Op::Neg
        | Op::Abs
        | Op::MulAdd
        | Op::Sqrt
        | Op::Min
        | Op::Max
        | Op::Minimum
        | Op::Maximum
        | Op::Floor
        | Op::Ceil
        | Op::Trunc
        | Op::RoundTiesEven
        | Op::And
        | Op::Or
        | Op::Xor
        | Op::Not
        | Op::Shl
        | Op::Shr
        | Op::Eq
        | Op::Ne
        | Op::Lt
        | Op::Le
        | Op::Gt
        | Op::Ge
        | Op::Select
        | Op::Convert
        | Op::Bitcast
        | Op::Complex
        | Op::Re
        | Op::Im
        | Op::Any => Action::Native,
    }
}
