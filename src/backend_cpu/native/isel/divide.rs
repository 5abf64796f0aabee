//! Integer division and remainder: truncating, by zero giving 0, MIN / -1 giving MIN.

use super::reciprocal::power_of_two;
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
        let a = Src::Reg(self.reg(a, lane));
        let known = divisor.map(Const::as_int).filter(|divisor| *divisor != 0);
        let b = if known.is_some() {
            b
        } else {
            Src::Reg(self.reg(b, lane))
        };
        let mut result = match (known, dtype) {
            (Some(divisor), _) => self.divide_by_constant(dtype, a, divisor),
            (None, DType::U64) => self.divide_u64(a, b),
            (None, DType::I64) => self.divide_i64(a, b),
            _ => self.divide_in_f64(dtype, a, b),
        };
        if remainder {
            let product = match lane {
                Lane::I64 => self.arith(Op::Mul, DType::U64, &[Src::Reg(result), b], &[]),
                _ => self.vec_op(VecOp::Mul, lane, &[Src::Reg(result), b]),
            };
            result = self.vec_op(VecOp::Sub, lane, &[a, Src::Reg(product)]);
        }
        if known.is_none() {
            let is_number = self.non_zero(lane, b);
            result = self.keep(is_number, lane, Src::Reg(result));
        }
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
