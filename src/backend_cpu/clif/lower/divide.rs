//! Integer division and remainder: truncating, by zero giving 0, MIN / -1 giving MIN.

use super::lanes::Lane;
use super::{Clif, Cx};
use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F64X2, I32, I64X2};
use ufc_ir::func::Value;
use ufc_ir::{Const, DType};

/// 2^52 + 2^51 as an f64: added to an integer, it leaves that integer's low bits at the bottom of the sum.
const INTEGER_MAGIC: u64 = 0x4338_0000_0000_0000;

impl Cx<'_, '_> {
    /// Divides scalars. The machine traps on what we define, so such divisors are replaced first.
    pub(super) fn scalar_divide(
        &mut self,
        remainder: bool,
        dtype: DType,
        a: Clif,
        b: Clif,
    ) -> Clif {
        let lane = self.lane_of(a);
        let (zero, one) = (self.zero_scalar(lane), self.scalar_bits(lane, 1));
        let is_zero = self.b.ins().icmp(IntCC::Equal, b, zero);
        let mut divisor = self.b.ins().select(is_zero, one, b);
        if !dtype.is_signed() {
            let result = if remainder {
                self.b.ins().urem(a, divisor)
            } else {
                self.b.ins().udiv(a, divisor)
            };
            return self.b.ins().select(is_zero, zero, result);
        }
        let minus = self.scalar_bits(lane, u64::MAX);
        let negates = self.b.ins().icmp(IntCC::Equal, b, minus);
        divisor = self.b.ins().select(negates, one, divisor);
        let (result, by_minus) = if remainder {
            (self.b.ins().srem(a, divisor), zero)
        } else {
            (self.b.ins().sdiv(a, divisor), self.b.ins().ineg(a))
        };
        let result = self.b.ins().select(negates, by_minus, result);
        let result = self.b.ins().select(is_zero, zero, result);
        self.canonical(result, dtype)
    }

    /// Divides values of which one or both vary.
    pub(super) fn vector_divide(&mut self, remainder: bool, args: &[Value]) -> Vec<Clif> {
        let dtype = self.func.dtype(args[0]);
        let divisor = self.func.constant(args[1]);
        if let Some(power) = divisor.and_then(power_of_two) {
            let dividend = self.vectors(args[0]);
            return self.each([dividend], |cx, lanes| {
                cx.divide_by_power(remainder, dtype, lanes[0], power)
            });
        }
        let (a, b) = (self.vectors(args[0]), self.vectors(args[1]));
        if Lane::of(dtype) == Lane::I64 {
            return self.scalarize(Lane::I64, &[a, b], |cx, lanes| {
                cx.scalar_divide(remainder, dtype, lanes[0], lanes[1])
            });
        }
        let may_be_zero = divisor.is_none_or(|c| c.bits() == 0);
        self.each([a, b], |cx, lanes| {
            cx.divide_in_f64(remainder, dtype, may_be_zero, lanes[0], lanes[1])
        })
    }

    /// Divides by 2 to the `power`, which is less than the dtype's greatest value.
    fn divide_by_power(&mut self, remainder: bool, dtype: DType, a: Clif, power: u32) -> Clif {
        let lane_bits = self.lane_of(a).width() as i64 * 8;
        let low = (1u64 << power) - 1;
        if power == 0 {
            return if remainder { self.bits_like(a, 0) } else { a };
        }
        if !dtype.is_signed() {
            if remainder {
                let low = self.bits_like(a, low);
                return self.b.ins().band(a, low);
            }
            let by = self.b.ins().iconst(I32, i64::from(power));
            return self.b.ins().ushr(a, by);
        }
        // Negative dividends are raised by the divisor less one, so that the shift rounds towards zero.
        let [all, rest, by] = [
            lane_bits - 1,
            lane_bits - i64::from(power),
            i64::from(power),
        ]
        .map(|amount| self.b.ins().iconst(I32, amount));
        let sign = self.b.ins().sshr(a, all);
        let raise = self.b.ins().ushr(sign, rest);
        let raised = self.b.ins().iadd(a, raise);
        if remainder {
            let low = self.bits_like(a, low);
            let kept = self.b.ins().band(raised, low);
            return self.b.ins().isub(kept, raise);
        }
        self.b.ins().sshr(raised, by)
    }

    /// Divides lanes of 32 bits in f64. The quotient of two such integers, if it is no integer, differs from the
    /// next one by more than an f64's rounding error: truncating the rounded quotient gives the true one.
    fn divide_in_f64(
        &mut self,
        remainder: bool,
        dtype: DType,
        may_be_zero: bool,
        a: Clif,
        b: Clif,
    ) -> Clif {
        let (a_high, b_high) = (self.high_to_low(a), self.high_to_low(b));
        let low = self.quotient_bits(dtype, a, b);
        let high = self.quotient_bits(dtype, a_high, b_high);
        let mut result = self.low_halves(low, high);
        if remainder {
            let product = self.b.ins().imul(result, b);
            result = self.b.ins().isub(a, product);
        }
        if may_be_zero {
            let zero = self.splat_bits(Lane::I32, 0);
            let is_zero = self.b.ins().icmp(IntCC::Equal, b, zero);
            result = self.b.ins().band_not(result, is_zero);
        }
        self.canonical(result, dtype)
    }

    /// The quotients of the lower two lanes, in the low bits of 64-bit lanes.
    fn quotient_bits(&mut self, dtype: DType, a: Clif, b: Clif) -> Clif {
        let a = self.low_to_f64(dtype, a);
        let b = self.low_to_f64(dtype, b);
        let quotient = self.b.ins().fdiv(a, b);
        let whole = self.b.ins().trunc(quotient);
        self.f64_low_bits(whole)
    }

    /// The lower two 32-bit integers of a vector as f64.
    pub(super) fn low_to_f64(&mut self, dtype: DType, value: Clif) -> Clif {
        // All but u32 are held sign-extended, or small enough for it not to matter.
        if dtype == DType::U32 {
            let wide = self.b.ins().uwiden_low(value);
            self.b.ins().fcvt_from_uint(F64X2, wide)
        } else {
            let wide = self.b.ins().swiden_low(value);
            self.b.ins().fcvt_from_sint(F64X2, wide)
        }
    }

    /// Integers held as f64, of less than 2^51 in magnitude: their two's complement low bits in each 64-bit lane.
    pub(super) fn f64_low_bits(&mut self, whole: Clif) -> Clif {
        let magic = self.splat_bits(Lane::F64, INTEGER_MAGIC);
        let sum = self.b.ins().fadd(whole, magic);
        self.cast(sum, I64X2)
    }
}

/// The exponent of a constant that is a power of two.
fn power_of_two(constant: Const) -> Option<u32> {
    let value = constant.as_int();
    (value > 0 && value & (value - 1) == 0).then(|| value.trailing_zeros())
}
