//! Integers of 8 and 16 bits in lanes as narrow: unpacked ones, and what their ranges allow.

use super::{Cx, Lanes, Src};
use crate::native::codes::{Lane, VecOp};
use ufc_ir::func::Value;
use ufc_ir::ops::Op;
use ufc_ir::passes::range::within;
use ufc_ir::{Const, DType};

impl Cx<'_> {
    /// Lanes of 8 bits become lanes of 16, those of the lower half of every 128 bits first.
    pub(super) fn unpacked(&mut self, value: &Lanes, signed: bool) -> Lanes {
        let zero = self.zero();
        let halves = [VecOp::UnpackLow, VecOp::UnpackHigh];
        // Of what is the same in every lane one half is enough.
        let halves = &halves[..if self.is_uniform { 1 } else { 2 }];
        let mut wide = Lanes::new();
        for src in value {
            let bytes = Src::Reg(self.reg(*src, Lane::I8));
            for half in halves {
                let mut words = if signed {
                    // To the upper byte, from where a shift extends the sign.
                    self.vec_op(*half, Lane::I8, &[zero, bytes])
                } else {
                    self.vec_op(*half, Lane::I8, &[bytes, zero])
                };
                if signed {
                    let args = [Src::Reg(words)];
                    words = self.vec_op_imm(VecOp::ShiftSignedBy, Lane::I16, &args, 8);
                }
                wide.push(Src::Reg(words));
            }
        }
        wide
    }

    /// Whether an integer of 16 bits is known to be at most 255.
    pub(super) fn is_byte(&self, value: Value) -> bool {
        within(self.ranges[value], (0, 255))
    }

    /// `(x + (x >> 8)) >> 8` where the sum does not wrap: as (x + floor(x / 256)) / 256, rounded down, is the same number as
    /// 257 x / 65536, it is the upper half of a product. So people divide by 255.
    pub(super) fn high_product(&mut self, op: Op, args: &[Value]) -> Option<Lanes> {
        let func = self.func;
        let dtype = func.dtype(args[0]);
        let is_eight = |v: &Value| func.constant(*v).map(Const::as_int) == Some(8);
        if op != Op::Shr || dtype != DType::U16 || self.lane(dtype) != Lane::I16 {
            return None;
        }
        let (Op::Add, parts) = func.defining_op(args[0]).filter(|_| is_eight(&args[1]))? else {
            return None;
        };
        let is_high = |high: Value, x: Value| match func.defining_op(high) {
            Some((Op::Shr, parts)) => parts[0] == x && is_eight(&parts[1]),
            _ => false,
        };
        let pairs = [(parts[0], parts[1]), (parts[1], parts[0])];
        let (x, _) = pairs.into_iter().find(|(x, high)| is_high(*high, *x))?;
        let (_, most) = self.ranges[x];
        if most + (most >> 8) > 0xffff {
            return None;
        }
        let factor = self.splat_bits(Lane::I16, 257);
        let lanes = self.lanes(x);
        let product = |src: &Src| Src::Reg(self.vec_op(VecOp::MulHigh, Lane::I16, &[*src, factor]));
        Some(lanes.iter().map(product).collect())
    }
}
