//! What shaders do natively, per operation and dtype.
//!
//! Values of 8 and 16 bits are kept in 32: integers as what they are worth, f16 and bf16 as their bits. Integers of 64 bits
//! are native everywhere, as pairs of 32-bit ones where the device has none. So are f64 and c128 as far as this
//! table goes: a device without f64 is found out by the compiler, whose message can name the kernel and other targets.

use ufc_ir::ops::{AnyOp, Op, Rule};
use ufc_ir::{DType, Kind};
use ufc_target::{Action, Legality};

/// What [`crate::lower`] takes.
pub(crate) struct WgpuLegality;

impl Legality for WgpuLegality {
    fn target(&self) -> &str {
        "wgpu"
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
            _ if from == to => Action::Native,
            // The expansion's multiplication takes subnormal numbers, which a device may flush.
            _ if (from, to) == (DType::F16, DType::F32) => Action::Native,
            _ if from == DType::F32 || to == DType::F32 => Action::Expand,
            // The expansion takes f64, which a device may not have.
            (false, true) if to == DType::BF16 && from.is_int() && from.size() > 2 => {
                Action::Native
            }
            (false, true) if from == DType::F64 => Action::Expand,
            (false, true) if from.is_int() && from.size() > 2 => Action::Expand,
            _ => Action::Promote(DType::F32),
        }
    }
}

fn core_action(op: Op, dtype: DType) -> Action {
    let is_half = matches!(dtype, DType::F16 | DType::BF16);
    match op {
        op if is_half && op.info().numeric => Action::Promote(DType::F32),
        op if dtype.is_int() && dtype.size() < 4 && may_leave_the_dtype(op) => {
            Action::Promote(match dtype.kind() {
                Kind::Signed => DType::I32,
                _ => DType::U32,
            })
        }
        Op::Rem if dtype == DType::F64 => Action::Expand,
        _ => Action::Native,
    }
}

/// Whether an operation on narrow integers, done in 32 bits, may give what they cannot hold, or is not there for them.
fn may_leave_the_dtype(op: Op) -> bool {
    let is_logic = matches!(op, Op::And | Op::Or | Op::Xor | Op::Not);
    matches!(op.info().rule, Rule::Same(..)) && !is_logic
}
