//! Shifts: amounts count modulo the width, and may differ from lane to lane.

use super::{Clif, Cx, Held};
use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::types::{I32, I64};
use ufc_ir::DType;
use ufc_ir::func::Value;

impl Cx<'_, '_> {
    /// Shifts a scalar or every lane of a vector by one amount, given as a scalar of the dtype's lane.
    pub(super) fn shift_by_scalar(
        &mut self,
        left: bool,
        dtype: DType,
        value: Clif,
        amount: Clif,
    ) -> Clif {
        let amount = if self.b.func.dfg.value_type(amount) == I64 {
            self.b.ins().ireduce(I32, amount)
        } else {
            amount
        };
        let amount = self.b.ins().band_imm_s(amount, i64::from(dtype.bits() - 1));
        let shifted = self.shift(left, dtype.is_signed(), value, amount);
        self.canonical(shifted, dtype)
    }

    fn shift(&mut self, left: bool, signed: bool, value: Clif, amount: Clif) -> Clif {
        match (left, signed) {
            (true, _) => self.b.ins().ishl(value, amount),
            (false, true) => self.b.ins().sshr(value, amount),
            (false, false) => self.b.ins().ushr(value, amount),
        }
    }

    /// Shifts values of which one or both vary.
    pub(super) fn vector_shift(&mut self, left: bool, args: &[Value]) -> Vec<Clif> {
        let dtype = self.func.dtype(args[0]);
        let values = self.vectors(args[0]);
        if let Some(amount) = self.func.constant(args[1]) {
            let amount = amount.bits() as i64 & i64::from(dtype.bits() - 1);
            return self.each([values], |cx, lanes| {
                let amount = cx.b.ins().iconst(I32, amount);
                let shifted = cx.shift(left, dtype.is_signed(), lanes[0], amount);
                cx.canonical(shifted, dtype)
            });
        }
        if let Held::Scalar(amount) = self.held[args[1]] {
            return self.each([values], |cx, lanes| {
                cx.shift_by_scalar(left, dtype, lanes[0], amount)
            });
        }
        let amounts = self.vectors(args[1]);
        self.each([values, amounts], |cx, lanes| {
            cx.barrel_shift(left, dtype, lanes[0], lanes[1])
        })
    }

    /// Shifts each lane by its own amount: for every bit of the amount, by that power of two where the bit is set.
    fn barrel_shift(&mut self, left: bool, dtype: DType, value: Clif, amount: Clif) -> Clif {
        let lane_bits = self.lane_of(value).width() as i64 * 8;
        let mut value = value;
        for bit in 0..dtype.bits().trailing_zeros() {
            let by = self.b.ins().iconst(I32, 1 << bit);
            let shifted = self.shift(left, dtype.is_signed(), value, by);
            let to_sign = self.b.ins().iconst(I32, lane_bits - 1 - i64::from(bit));
            let mut mask = self.b.ins().ishl(amount, to_sign);
            if !self.isa.has_blend {
                let by = self.b.ins().iconst(I32, lane_bits - 1);
                mask = self.b.ins().sshr(mask, by);
            }
            value = self.blend(mask, shifted, value);
        }
        self.canonical(value, dtype)
    }
}
