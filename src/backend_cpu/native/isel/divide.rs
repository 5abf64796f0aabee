//! Integer division and remainder: truncating, by zero giving 0, MIN / -1 giving MIN.

use super::{Cx, Lanes, Src};
use crate::native::codes::{Lane, MaskOp, VecOp};
use crate::native::level::Level;
use crate::native::mach::Reg;
use ufc_ir::ops::Op;
use ufc_ir::{Const, DType};

/// 2^52 + 2^51 as an f64: added to an integer, it leaves that integer's low bits at the bottom of the sum.
const INTEGER_MAGIC: u64 = 0x4338_0000_0000_0000;

/// 2^52 as an f64: an integer of less than 2^52 put into its low bits is added to it.
const EXPONENT_52: u64 = 0x4330_0000_0000_0000;

/// From this divisor on a quotient is at most 2, and the estimate's error may be too large for the steps below.
const LARGE_DIVISOR: u64 = (1 << 63) - (1 << 14);

/// Truncation of VRNDSCALEPD.
const TO_ZERO: i64 = 11;

impl Cx<'_> {
    /// Divides lanes. The divisor is given again if it is a constant.
    pub(super) fn divide(
        &mut self,
        remainder: bool,
        dtype: DType,
        a: Src,
        b: Src,
        divisor: Option<Const>,
    ) -> Reg {
        let lane = self.lane(dtype);
        if let Some(power) = divisor.and_then(power_of_two) {
            return self.divide_by_power(remainder, dtype, a, power);
        }
        if lane.width() < 4 {
            return self.divide_small(remainder, dtype, a, divisor);
        }
        let (a, b) = (Src::Reg(self.reg(a, lane)), Src::Reg(self.reg(b, lane)));
        let quotient = match dtype {
            DType::U64 => self.divide_u64(a, b),
            DType::I64 => self.divide_i64(a, b),
            _ => self.divide_in_f64(dtype, a, b),
        };
        let mut result = quotient;
        if remainder {
            let product = match lane {
                Lane::I64 => self.arith(Op::Mul, DType::U64, &[Src::Reg(result), b], &[]),
                _ => self.vec_op(VecOp::Mul, lane, &[Src::Reg(result), b]),
            };
            result = self.vec_op(VecOp::Sub, lane, &[a, Src::Reg(product)]);
        }
        if divisor.is_none_or(|c| c.bits() == 0) {
            let is_number = self.non_zero(lane, b);
            result = self.keep(is_number, lane, Src::Reg(result));
        }
        self.canonical(result, dtype)
    }

    /// Divides unsigned integers in lanes of 8 or 16 bits by a constant; refuses all else.
    fn divide_small(
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
            Lane::I16 => self.divide_words(a, divisor as u64),
            _ => {
                let word = Lane::I16;
                let low = self.splat_bits(word, 0xff);
                let lower = Src::Reg(self.vec_op(VecOp::And, word, &[a, low]));
                let upper = Src::Reg(self.vec_op_imm(VecOp::ShiftRightBy, word, &[a], 8));
                let [lower, upper] =
                    [lower, upper].map(|v| Src::Reg(self.divide_words(v, divisor as u64)));
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

    /// Divides lanes of 16 bits by a divisor that is no power of two, multiplying by its reciprocal.
    ///
    /// With 2^shift the next power of two above the divisor, the reciprocal in units of 2^-(16 + shift), rounded up, has
    /// 17 bits and is exact enough for every dividend (Granlund and Montgomery, PLDI 1994, theorem 4.2).
    fn divide_words(&mut self, a: Src, divisor: u64) -> Reg {
        let lane = Lane::I16;
        let shift = u64::from(64 - divisor.leading_zeros());
        let reciprocal = (1 << (16 + shift)) / divisor + 1;
        // With a lower shift 16 bits of it may be exact enough.
        let shorter = (1..=shift).rev().find_map(|s| {
            let reciprocal = (1u64 << (16 + s)) / divisor + 1;
            let excess = reciprocal * divisor - (1 << (16 + s));
            (reciprocal < 1 << 16 && excess <= 1 << s).then_some((reciprocal, s))
        });
        if let Some((reciprocal, shift)) = shorter {
            let reciprocal = self.splat_bits(lane, reciprocal);
            let high = Src::Reg(self.vec_op(VecOp::MulHigh, lane, &[a, reciprocal]));
            return self.vec_op_imm(VecOp::ShiftRightBy, lane, &[high], shift as i64);
        }
        let reciprocal = self.splat_bits(lane, reciprocal - (1 << 16));
        let high = Src::Reg(self.vec_op(VecOp::MulHigh, lane, &[a, reciprocal]));
        // (a + high) >> shift, where the sum may not fit.
        let rest = Src::Reg(self.vec_op(VecOp::Sub, lane, &[a, high]));
        let half = Src::Reg(self.vec_op_imm(VecOp::ShiftRightBy, lane, &[rest], 1));
        let sum = Src::Reg(self.vec_op(VecOp::Add, lane, &[half, high]));
        self.vec_op_imm(VecOp::ShiftRightBy, lane, &[sum], shift as i64 - 1)
    }

    /// Divides by 2 to the `power`, which is less than the dtype's greatest value.
    fn divide_by_power(&mut self, remainder: bool, dtype: DType, a: Src, power: u32) -> Reg {
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

    /// Divides lanes of 32 bits in f64. The quotient of two such integers, if it is no integer, differs from the
    /// next one by more than an f64's rounding error: truncating the rounded quotient gives the true one.
    fn divide_in_f64(&mut self, dtype: DType, a: Src, b: Src) -> Reg {
        let halves: Lanes = [false, true]
            .into_iter()
            .map(|upper| {
                let (a, b) = (self.half(a, upper), self.half(b, upper));
                let (a, b) = (self.f64_of(dtype, a), self.f64_of(dtype, b));
                let quotient = self.vec_op(VecOp::Div, Lane::F64, &[Src::Reg(a), Src::Reg(b)]);
                let quotient = Src::Reg(quotient);
                let whole = self.vec_op_imm(VecOp::Round, Lane::F64, &[quotient], TO_ZERO);
                Src::Reg(self.f64_bits(Src::Reg(whole)))
            })
            .collect();
        let low = self.low_bits(&halves);
        self.reg(low[0], Lane::I32)
    }

    /// The lower half's 32-bit integers as f64.
    pub(super) fn f64_of(&mut self, dtype: DType, half: Src) -> Reg {
        // All but u32 are held sign-extended, or small enough for it not to matter.
        if dtype != DType::U32 {
            return self.vec_op(VecOp::WidenInt, Lane::F64, &[half]);
        }
        if self.level == Level::Avx512 {
            return self.vec_op(VecOp::WidenUnsigned, Lane::F64, &[half]);
        }
        let wide = self.vec_op(VecOp::WidenUnsigned, Lane::I64, &[half]);
        let bits = self.splat_bits(Lane::I64, EXPONENT_52);
        let sum = self.vec_op(VecOp::Or, Lane::I64, &[Src::Reg(wide), bits]);
        let base = self.splat_bits(Lane::F64, EXPONENT_52);
        self.vec_op(VecOp::Sub, Lane::F64, &[Src::Reg(sum), base])
    }

    /// Integers held as f64, of less than 2^51 in magnitude: their two's complement low bits in each 64-bit lane.
    pub(super) fn f64_bits(&mut self, whole: Src) -> Reg {
        let magic = self.splat_bits(Lane::F64, INTEGER_MAGIC);
        self.vec_op(VecOp::Add, Lane::F64, &[whole, magic])
    }

    fn divide_i64(&mut self, a: Src, b: Src) -> Reg {
        let [a_size, b_size] = [a, b].map(|v| Src::Reg(self.absolute(DType::I64, v)));
        let size = self.divide_u64(a_size, b_size);
        let signs = self.vec_op(VecOp::Xor, Lane::I64, &[a, b]);
        let zero = self.splat_bits(Lane::I64, 0);
        let negative = self.compare_lanes(Op::Lt, DType::I64, Src::Reg(signs), zero);
        let negated = self.negate(DType::I64, Src::Reg(size));
        self.blend(negative, Lane::I64, Src::Reg(negated), Src::Reg(size))
    }

    /// Divides unsigned 64-bit lanes; by zero gives anything.
    ///
    /// A first quotient, in f64, is off by less than 2^-50 of itself; so what remains is less than the divisor by all but
    /// 2^14, has a sign, and is divided in the same way. That quotient is off by less than 1 before truncation, which one
    /// step up or down puts right. For the largest divisors, where what remains may not fit 63 bits, the quotient is
    /// counted.
    fn divide_u64(&mut self, a: Src, b: Src) -> Reg {
        let lane = Lane::I64;
        let divisor = Src::Reg(self.f64_of_long(true, b));
        let dividend = Src::Reg(self.f64_of_long(true, a));
        let first = Src::Reg(self.vec_op(VecOp::Div, Lane::F64, &[dividend, divisor]));
        let first = Src::Reg(self.long_of_f64(true, first));
        let rest = self.rest(a, b, first);
        let dividend = Src::Reg(self.f64_of_long(false, rest));
        let second = Src::Reg(self.vec_op(VecOp::Div, Lane::F64, &[dividend, divisor]));
        let second = Src::Reg(self.long_of_f64(false, second));
        let rest = self.rest(rest, b, second);
        let quotient = Src::Reg(self.vec_op(VecOp::Add, lane, &[first, second]));
        let (zero, one) = (self.splat_bits(lane, 0), self.splat_bits(lane, 1));
        let too_high = self.compare_lanes(Op::Lt, DType::I64, rest, zero);
        let down = Src::Reg(self.vec_op(VecOp::Sub, lane, &[quotient, one]));
        let too_low = self.compare_lanes(Op::Ge, DType::I64, rest, b);
        let up = Src::Reg(self.vec_op(VecOp::Add, lane, &[quotient, one]));
        let quotient = Src::Reg(self.blend(too_high, lane, down, quotient));
        let quotient = Src::Reg(self.blend(too_low, lane, up, quotient));
        let counted = Src::Reg(self.counted_quotient(a, b));
        let large = self.splat_bits(lane, LARGE_DIVISOR);
        let is_large = self.compare_lanes(Op::Ge, DType::U64, b, large);
        self.blend(is_large, lane, counted, quotient)
    }

    /// a - b * q, wrapping.
    fn rest(&mut self, a: Src, b: Src, q: Src) -> Src {
        let product = Src::Reg(self.arith(Op::Mul, DType::U64, &[b, q], &[]));
        Src::Reg(self.vec_op(VecOp::Sub, Lane::I64, &[a, product]))
    }

    /// The quotient where it is at most 2.
    fn counted_quotient(&mut self, a: Src, b: Src) -> Reg {
        let lane = Lane::I64;
        let once = self.compare_lanes(Op::Ge, DType::U64, a, b);
        let rest = Src::Reg(self.vec_op(VecOp::Sub, lane, &[a, b]));
        let again = self.compare_lanes(Op::Ge, DType::U64, rest, b);
        let twice = self.mask_op(MaskOp::And, 8, once, again);
        let one = self.splat_bits(lane, 1);
        let count = Src::Reg(self.keep(once, lane, one));
        let more = Src::Reg(self.keep(twice, lane, one));
        self.vec_op(VecOp::Add, lane, &[count, more])
    }
}

/// The exponent of a constant that is a power of two.
fn power_of_two(constant: Const) -> Option<u32> {
    let value = constant.as_int();
    (value > 0 && value & (value - 1) == 0).then(|| value.trailing_zeros())
}
