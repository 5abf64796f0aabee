//! Integer division by constants: products with their reciprocals, and shifts.

use super::{Cx, Src};
use crate::native::codes::{Lane, VecOp};
use crate::native::mach::Reg;
use ufc_ir::ops::Op;
use ufc_ir::{Const, DType};

impl Cx<'_> {
    /// Divides unsigned integers in lanes of 8 or 16 bits by a constant; refuses all else.
    pub(super) fn divide_small(
        &mut self,
        remainder: bool,
        dtype: DType,
        a: Src,
        divisor: Option<Const>,
    ) -> Reg {
        let lane = self.lane(dtype);
        let divisor = divisor.map_or(0, Const::as_int);
        if divisor <= 0 || dtype.is_signed() {
            self.refuse(format!("division of {dtype}"));
            return self.vector();
        }
        let a = Src::Reg(self.reg(a, lane));
        let quotient = match lane {
            Lane::I16 => self.divide_unsigned(Lane::I16, a, divisor as u64),
            _ => {
                let word = Lane::I16;
                let low = self.splat_bits(word, 0xff);
                let lower = Src::Reg(self.vec_op(VecOp::And, word, &[a, low]));
                let upper = Src::Reg(self.vec_op_imm(VecOp::ShiftRightBy, word, &[a], 8));
                let [lower, upper] =
                    [lower, upper].map(|v| Src::Reg(self.divide_unsigned(word, v, divisor as u64)));
                let upper = Src::Reg(self.vec_op_imm(VecOp::ShiftLeftBy, word, &[upper], 8));
                self.vec_op(VecOp::Or, word, &[lower, upper])
            }
        };
        if !remainder {
            return quotient;
        }
        let divisor = self.splat_bits(lane, divisor as u64);
        let product = Src::Reg(self.arith(Op::Mul, dtype, &[Src::Reg(quotient), divisor], &[]));
        self.vec_op(VecOp::Sub, lane, &[a, product])
    }

    /// Divides lanes of 32 or 64 bits by a constant other than zero; of narrower dtypes the low bits are the quotient's.
    pub(super) fn divide_by_constant(&mut self, dtype: DType, a: Src, divisor: i128) -> Reg {
        let lane = self.lane(dtype);
        let size = divisor.unsigned_abs() as u64;
        if !dtype.is_signed() {
            return self.divide_unsigned(lane, a, size);
        }
        // The quotient of the magnitudes, negated where the signs differ.
        let wide = match lane {
            Lane::I64 => DType::I64,
            _ => DType::I32,
        };
        let magnitude = Src::Reg(self.absolute(wide, a));
        let quotient = self.divide_unsigned(lane, magnitude, size);
        let mut sign = Src::Reg(self.shift_by(false, wide, a, i64::from(wide.bits()) - 1));
        if divisor < 0 {
            let ones = self.splat_bits(lane, u64::MAX);
            sign = Src::Reg(self.vec_op(VecOp::Xor, lane, &[sign, ones]));
        }
        self.extend_from(lane, quotient, sign)
    }

    /// Divides unsigned lanes of 16, 32 or 64 bits by a divisor other than zero.
    ///
    /// With 2^shift the next power of two above the divisor, the reciprocal in units of 2^-(bits + shift), rounded up, has
    /// one bit more than the lanes and is exact enough for every dividend (Granlund and Montgomery, PLDI 1994, theorem
    /// 4.2).
    fn divide_unsigned(&mut self, lane: Lane, a: Src, divisor: u64) -> Reg {
        if divisor.is_power_of_two() {
            let amount = divisor.trailing_zeros();
            return self.vec_op_imm(VecOp::ShiftRightBy, lane, &[a], amount.into());
        }
        let bits = 8 * lane.width() as u32;
        let shift = u64::BITS - divisor.leading_zeros();
        // 2^(bits + s), which the divisor does not divide, less one.
        let unit = |s: u32| u128::MAX >> (u128::BITS - bits - s);
        let divisor = u128::from(divisor);
        let reciprocal = |s: u32| unit(s) / divisor + 1;
        // With a lower shift as many bits as the lanes have may be exact enough.
        let shorter = (1..=shift).rev().find(|s| {
            let excess = divisor - unit(*s) % divisor - 1;
            reciprocal(*s) >> bits == 0 && excess <= 1 << s
        });
        if let Some(shift) = shorter {
            let high = self.upper_product(lane, a, reciprocal(shift) as u64);
            return self.vec_op_imm(VecOp::ShiftRightBy, lane, &[high], shift.into());
        }
        let without_top = (reciprocal(shift) & unit(0)) as u64;
        let high = self.upper_product(lane, a, without_top);
        // (a + high) >> shift, where the sum may not fit.
        let rest = Src::Reg(self.vec_op(VecOp::Sub, lane, &[a, high]));
        let half = Src::Reg(self.vec_op_imm(VecOp::ShiftRightBy, lane, &[rest], 1));
        let sum = Src::Reg(self.vec_op(VecOp::Add, lane, &[half, high]));
        self.vec_op_imm(VecOp::ShiftRightBy, lane, &[sum], i64::from(shift) - 1)
    }

    /// The upper halves of unsigned products with a constant.
    fn upper_product(&mut self, lane: Lane, a: Src, factor: u64) -> Src {
        let long = Lane::I64;
        match lane {
            Lane::I16 => {
                let factor = self.splat_bits(lane, factor);
                Src::Reg(self.vec_op(VecOp::MulHigh, lane, &[a, factor]))
            }
            Lane::I64 => self.upper_product_of_longs(a, factor),
            _ => {
                let factor = self.splat_bits(long, factor);
                let even = Src::Reg(self.vec_op(VecOp::MulLow, long, &[a, factor]));
                let even = Src::Reg(self.vec_op_imm(VecOp::ShiftRightBy, long, &[even], 32));
                let odd = Src::Reg(self.vec_op_imm(VecOp::ShiftRightBy, long, &[a], 32));
                let odd = Src::Reg(self.vec_op(VecOp::MulLow, long, &[odd, factor]));
                let upper = self.splat_bits(long, !u64::from(u32::MAX));
                let odd = Src::Reg(self.vec_op(VecOp::And, long, &[odd, upper]));
                Src::Reg(self.vec_op(VecOp::Or, long, &[even, odd]))
            }
        }
    }

    /// The same for 64 bits, from four products of halves; no sum of them overflows (Knuth, TAOCP 4.3.1, algorithm M).
    fn upper_product_of_longs(&mut self, a: Src, factor: u64) -> Src {
        let lane = Lane::I64;
        let half = u64::from(u32::MAX);
        let low_half = self.splat_bits(lane, half);
        let [f_low, f_high] = [factor & half, factor >> 32].map(|f| self.splat_bits(lane, f));
        let a_high = self.upper_half(a);
        let mut mul = |a: Src, b: Src| Src::Reg(self.vec_op(VecOp::MulLow, lane, &[a, b]));
        let (low, left) = (mul(a, f_low), mul(a_high, f_low));
        let (right, high) = (mul(a, f_high), mul(a_high, f_high));
        let carried = self.upper_half(low);
        let left = Src::Reg(self.vec_op(VecOp::Add, lane, &[left, carried]));
        let middle = Src::Reg(self.vec_op(VecOp::And, lane, &[left, low_half]));
        let middle = Src::Reg(self.vec_op(VecOp::Add, lane, &[right, middle]));
        let (left, middle) = (self.upper_half(left), self.upper_half(middle));
        let high = Src::Reg(self.vec_op(VecOp::Add, lane, &[high, left]));
        Src::Reg(self.vec_op(VecOp::Add, lane, &[high, middle]))
    }

    /// The upper 32 of 64 bits.
    fn upper_half(&mut self, value: Src) -> Src {
        Src::Reg(self.vec_op_imm(VecOp::ShiftRightBy, Lane::I64, &[value], 32))
    }

    /// Divides by 2 to the `power`, which is less than the dtype's greatest value.
    pub(super) fn divide_by_power(
        &mut self,
        remainder: bool,
        dtype: DType,
        a: Src,
        power: u32,
    ) -> Reg {
        let lane = self.lane(dtype);
        let low = self.splat_bits(lane, (1u64 << power) - 1);
        let amount = i64::from(power);
        if !dtype.is_signed() {
            return if remainder {
                self.vec_op(VecOp::And, lane, &[a, low])
            } else {
                self.shift_by(false, dtype, a, amount)
            };
        }
        if power == 0 {
            let zero = self.zero();
            return self.reg(if remainder { zero } else { a }, lane);
        }
        // Negative dividends are raised by the divisor less one, so that the shift rounds towards zero.
        let (signed, unsigned) = match lane.width() {
            1 => (DType::I8, DType::U8),
            2 => (DType::I16, DType::U16),
            8 => (DType::I64, DType::U64),
            _ => (DType::I32, DType::U32),
        };
        let bits = i64::from(signed.bits());
        let sign = self.shift_by(false, signed, a, bits - 1);
        let raise = self.shift_by(false, unsigned, Src::Reg(sign), bits - amount);
        let raised = Src::Reg(self.vec_op(VecOp::Add, lane, &[a, Src::Reg(raise)]));
        let result = if remainder {
            let kept = self.vec_op(VecOp::And, lane, &[raised, low]);
            self.vec_op(VecOp::Sub, lane, &[Src::Reg(kept), Src::Reg(raise)])
        } else {
            self.shift_by(false, signed, raised, amount)
        };
        self.canonical(result, dtype)
    }
}

/// The exponent of a constant that is a power of two.
pub(super) fn power_of_two(constant: Const) -> Option<u32> {
    let value = constant.as_int();
    (value > 0 && value & (value - 1) == 0).then(|| value.trailing_zeros())
}
