//! Conversions between 64-bit integers and f64, also where the processor has no vector form of them.

use super::{Cx, Src};
use crate::native::codes::{Lane, VecOp};
use crate::native::level::Level;
use crate::native::mach::Reg;
use ufc_ir::ops::Op;
use ufc_ir::{Const, DType};

/// 2^52 as an f64: an integer below 2^52 put into its low bits is added to it.
const EXPONENT_52: u64 = 0x4330_0000_0000_0000;

/// 2^84 as an f64: an integer below 2^52 put into its low bits is multiplied by 2^32 and added to it.
const EXPONENT_84: u64 = 0x4530_0000_0000_0000;

/// 2^52 + 2^51 as an f64: as the first, for signed integers.
const EXPONENT_52_SIGNED: u64 = 0x4338_0000_0000_0000;

/// Rounding down of VROUNDPD.
const DOWN: i64 = 9;

/// Truncation of VROUNDPD.
const TO_ZERO: i64 = 11;

impl Cx<'_> {
    /// Integers of 64 bits as f64, rounded once.
    pub(super) fn f64_of_long(&mut self, unsigned: bool, value: Src) -> Reg {
        if self.level == Level::Avx512 {
            let op = if unsigned {
                VecOp::FromUnsigned
            } else {
                VecOp::FromInt
            };
            return self.vec_op(op, Lane::F64, &[value]);
        }
        // The halves are put into floats as they are; what their exponents stand for is taken off, which is exact, and
        // their sum is the one rounding.
        let (int, float) = (Lane::I64, Lane::F64);
        let value = Src::Reg(self.reg(value, int));
        let (bias, extra) = if unsigned {
            (EXPONENT_84, 0)
        } else {
            (EXPONENT_84 | 1 << 31, 1 << 31)
        };
        let high = Src::Reg(self.vec_op_imm(VecOp::ShiftRightBy, int, &[value], 32));
        let bias = self.splat_bits(int, bias);
        let high = Src::Reg(self.vec_op(VecOp::Xor, int, &[high, bias]));
        let low_bits = self.splat_bits(int, u64::from(u32::MAX));
        let low = Src::Reg(self.vec_op(VecOp::And, int, &[value, low_bits]));
        let exponent = self.splat_bits(int, EXPONENT_52);
        let low = Src::Reg(self.vec_op(VecOp::Or, int, &[low, exponent]));
        // 2^84 (+ 2^63) + 2^52: the last is bit 20 of a mantissa whose unit is 2^32.
        let both = self.splat_bits(float, (EXPONENT_84 | 1 << 20) + extra);
        let high = Src::Reg(self.vec_op(VecOp::Sub, float, &[high, both]));
        self.vec_op(VecOp::Add, float, &[high, low])
    }

    /// Integers of 64 bits that an f64 holds exactly, and that an f32 is rounded from as from the original: where one is
    /// too large for that, its low bits are replaced by a single one that says whether any was set.
    pub(super) fn sticky(&mut self, unsigned: bool, value: Src) -> Src {
        let lane = Lane::I64;
        let value = Src::Reg(self.reg(value, lane));
        let low = self.splat_bits(lane, 0x7ff);
        let rest = Src::Reg(self.vec_op(VecOp::And, lane, &[value, low]));
        let carried = Src::Reg(self.vec_op(VecOp::Add, lane, &[rest, low]));
        let merged = Src::Reg(self.vec_op(VecOp::Or, lane, &[carried, value]));
        let high = self.splat_bits(lane, !0x7ff);
        let merged = Src::Reg(self.vec_op(VecOp::And, lane, &[merged, high]));
        let size = if unsigned {
            value
        } else {
            Src::Reg(self.absolute(DType::I64, value))
        };
        let limit = self.splat_bits(lane, 1 << 53);
        let is_large = self.compare_lanes(Op::Ge, DType::U64, size, limit);
        Src::Reg(self.blend(is_large, lane, merged, value))
    }

    /// Truncates f64 to integers of 64 bits. What is too low for a signed one gives MIN, what is too high for an
    /// unsigned one MAX; an unsigned one is given nothing below zero.
    pub(super) fn long_of_f64(&mut self, unsigned: bool, value: Src) -> Reg {
        if self.level == Level::Avx512 {
            let op = if unsigned {
                VecOp::ToUnsigned
            } else {
                VecOp::ToInt
            };
            return self.vec_op(op, Lane::F64, &[value]);
        }
        let (int, float) = (Lane::I64, Lane::F64);
        let whole = Src::Reg(self.vec_op_imm(VecOp::Round, float, &[value], TO_ZERO));
        let whole = if unsigned {
            whole
        } else {
            let least = self.splat(Const::f64(-(2f64.powi(63))));
            Src::Reg(self.vec_op(VecOp::Max, float, &[whole, least]))
        };
        // Each half of the bits as a float, then as an integer at the bottom of one.
        let scale = self.splat(Const::f64(2f64.powi(-32)));
        let high = Src::Reg(self.vec_op(VecOp::Mul, float, &[whole, scale]));
        let high = Src::Reg(self.vec_op_imm(VecOp::Round, float, &[high], DOWN));
        let unit = self.splat(Const::f64(2f64.powi(32)));
        let taken = Src::Reg(self.vec_op(VecOp::Mul, float, &[high, unit]));
        let low = Src::Reg(self.vec_op(VecOp::Sub, float, &[whole, taken]));
        let base = self.splat_bits(float, EXPONENT_52);
        let low = Src::Reg(self.vec_op(VecOp::Add, float, &[low, base]));
        let low = Src::Reg(self.vec_op(VecOp::Xor, int, &[low, base]));
        let base = self.splat_bits(float, EXPONENT_52_SIGNED);
        let high = Src::Reg(self.vec_op(VecOp::Add, float, &[high, base]));
        let high = Src::Reg(self.vec_op_imm(VecOp::ShiftLeftBy, int, &[high], 32));
        let bits = self.vec_op(VecOp::Or, int, &[high, low]);
        if !unsigned {
            return bits;
        }
        let limit = self.splat(Const::f64(2f64.powi(64)));
        let too_high = self.compare_lanes(Op::Ge, DType::F64, whole, limit);
        self.vec_op(VecOp::Or, int, &[Src::Reg(bits), Src::Reg(too_high)])
    }
}
