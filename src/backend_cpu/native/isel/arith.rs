//! Arithmetic, logic and shifts on lanes of one dtype, fused multiply-add, and minima.

use super::{Cx, Src};
use crate::native::codes::{Lane, MaskOp, VecOp};
use crate::native::level::Level;
use crate::native::mach::Reg;
use smallvec::smallvec;
use ufc_ir::DType;
use ufc_ir::func::Value;
use ufc_ir::ops::Op;

/// Rounding modes of VROUNDPS and VRNDSCALEPS, inexactness not reported (SDM, VROUNDPD).
const NEAREST: i64 = 8;
const DOWN: i64 = 9;
const UP: i64 = 10;
const TO_ZERO: i64 = 11;

/// VRANGEPS by the comparison's sign: the lesser and the greater one (SDM, VRANGEPS).
const RANGE_MIN: i64 = 0b0100;
const RANGE_MAX: i64 = 0b0101;

/// Comparison that is true where one side is NaN (SDM, VCMPPS).
const UNORDERED: i64 = 3;

/// Comparison for equality that is false for NaN.
const EQUAL: i64 = 0;

/// The instruction for a minimum or maximum, and what makes one zero of two with its sign.
fn machine_extremum(least: bool) -> (VecOp, VecOp) {
    if least {
        (VecOp::Min, VecOp::Or)
    } else {
        (VecOp::Max, VecOp::And)
    }
}

impl Cx<'_> {
    /// An operation on vectors of one dtype. The values are those of the vectors.
    pub(super) fn arith(&mut self, op: Op, dtype: DType, args: &[Src], values: &[Value]) -> Reg {
        let lane = self.lane(dtype);
        match op {
            Op::Add => self.wrapped(VecOp::Add, dtype, args),
            Op::Sub => self.wrapped(VecOp::Sub, dtype, args),
            Op::Mul => self.product(dtype, args),
            Op::Div | Op::Rem if dtype.is_int() => {
                let divisor = self.func.constant(values[1]);
                self.divide(op == Op::Rem, dtype, args[0], args[1], divisor)
            }
            Op::Div => self.vec_op(VecOp::Div, lane, args),
            Op::Neg => self.negate(dtype, args[0]),
            Op::Abs => self.absolute(dtype, args[0]),
            Op::Sqrt => self.vec_op(VecOp::Sqrt, lane, args),
            Op::Floor => self.vec_op_imm(VecOp::Round, lane, args, DOWN),
            Op::Ceil => self.vec_op_imm(VecOp::Round, lane, args, UP),
            Op::Trunc => self.vec_op_imm(VecOp::Round, lane, args, TO_ZERO),
            Op::RoundTiesEven => self.vec_op_imm(VecOp::Round, lane, args, NEAREST),
            Op::Min | Op::Minimum | Op::Max | Op::Maximum if dtype.is_float() => {
                self.float_extremum(op, lane, args, values)
            }
            Op::Min | Op::Minimum => self.int_extremum(true, dtype, args),
            Op::Max | Op::Maximum => self.int_extremum(false, dtype, args),
            Op::And => self.commutative(VecOp::And, lane, args[0], args[1]),
            Op::Or => self.commutative(VecOp::Or, lane, args[0], args[1]),
            Op::Xor => self.commutative(VecOp::Xor, lane, args[0], args[1]),
            Op::Not => {
                let ones = self.splat_bits(lane, u64::MAX);
                let not = self.vec_op(VecOp::Xor, lane, &[args[0], ones]);
                self.canonical(not, dtype)
            }
            Op::Shl | Op::Shr => self.shift(op == Op::Shl, dtype, args, values[1]),
            Op::Rem
            | Op::Eq
            | Op::Ne
            | Op::Lt
            | Op::Le
            | Op::Gt
            | Op::Ge
            | Op::Select
            | Op::Convert
            | Op::Bitcast
            | Op::MulAdd
            | Op::Complex
            | Op::Re
            | Op::Im
            | Op::Any => {
                self.refuse(format!("`{}` on {dtype}", op.info().name));
                self.vector()
            }
        }
    }

    /// An operation of which integers keep the low bits.
    fn wrapped(&mut self, op: VecOp, dtype: DType, args: &[Src]) -> Reg {
        let lane = self.lane(dtype);
        let wide = match op {
            VecOp::Add => self.commutative(op, lane, args[0], args[1]),
            _ => self.vec_op(op, lane, args),
        };
        self.canonical(wide, dtype)
    }

    fn product(&mut self, dtype: DType, args: &[Src]) -> Reg {
        let lane = self.lane(dtype);
        if let Some(product) = self.product_by_constant(dtype, args[0], args[1]) {
            return product;
        }
        if !self.has(VecOp::Mul, lane) {
            return match lane {
                Lane::I8 => self.byte_product(args[0], args[1]),
                _ => self.long_product(args[0], args[1]),
            };
        }
        let wide = self.commutative(VecOp::Mul, lane, args[0], args[1]);
        self.canonical(wide, dtype)
    }

    /// A product with 2^n, 2^n + 1 or 2^n - 1 in wide lanes, where a product takes several times as long as a shift.
    fn product_by_constant(&mut self, dtype: DType, a: Src, b: Src) -> Option<Reg> {
        let lane = self.lane(dtype);
        let (value, bits) = match (a, b) {
            (value, Src::Splat { bits, .. }) | (Src::Splat { bits, .. }, value) => (value, bits),
            _ => return None,
        };
        if !matches!(lane, Lane::I32 | Lane::I64) || dtype.size() < 4 {
            return None;
        }
        let (exponent, rest) = match bits {
            0..=2 => return None,
            n if n.is_power_of_two() => (n.trailing_zeros(), None),
            n if (n - 1).is_power_of_two() => ((n - 1).trailing_zeros(), Some(VecOp::Add)),
            n if n.wrapping_add(1).is_power_of_two() => {
                ((n + 1).trailing_zeros(), Some(VecOp::Sub))
            }
            _ => return None,
        };
        if exponent as usize >= 8 * lane.width() {
            return None;
        }
        let value = Src::Reg(self.reg(value, lane));
        let shifted = self.vec_op_imm(VecOp::ShiftLeftBy, lane, &[value], i64::from(exponent));
        Some(match rest {
            Some(op) => self.vec_op(op, lane, &[Src::Reg(shifted), value]),
            None => shifted,
        })
    }

    /// The low 8 bits of products, from products of 16 bits: of the lower bytes as they are, of the upper ones with one
    /// side shifted down, so that the result comes to lie in the upper byte again.
    fn byte_product(&mut self, a: Src, b: Src) -> Reg {
        let lane = Lane::I16;
        let (a, b) = (Src::Reg(self.reg(a, lane)), Src::Reg(self.reg(b, lane)));
        let (lower, upper) = (self.splat_bits(lane, 0xff), self.splat_bits(lane, 0xff00));
        let low = Src::Reg(self.vec_op(VecOp::Mul, lane, &[a, b]));
        let low = Src::Reg(self.vec_op(VecOp::And, lane, &[low, lower]));
        let a = Src::Reg(self.vec_op_imm(VecOp::ShiftRightBy, lane, &[a], 8));
        let b = Src::Reg(self.vec_op(VecOp::And, lane, &[b, upper]));
        let high = Src::Reg(self.vec_op(VecOp::Mul, lane, &[a, b]));
        self.vec_op(VecOp::Or, lane, &[low, high])
    }

    /// The low 64 bits of a product, from products of 32-bit halves.
    fn long_product(&mut self, a: Src, b: Src) -> Reg {
        let lane = Lane::I64;
        let (a, b) = match a {
            Src::Splat { .. } => (b, a),
            _ => (a, b),
        };
        let a = Src::Reg(self.reg(a, lane));
        let high = |cx: &mut Self, v| cx.vec_op_imm(VecOp::ShiftRightBy, lane, &[v], 32);
        let a_high = Src::Reg(high(self, a));
        let (b, b_high) = match b {
            Src::Splat { bits, .. } => (b, self.splat_bits(lane, bits >> 32)),
            _ => {
                let b = Src::Reg(self.reg(b, lane));
                (b, Src::Reg(high(self, b)))
            }
        };
        let left = self.vec_op(VecOp::MulLow, lane, &[a_high, b]);
        let right = self.vec_op(VecOp::MulLow, lane, &[a, b_high]);
        let middle = self.vec_op(VecOp::Add, lane, &[Src::Reg(left), Src::Reg(right)]);
        let middle = self.vec_op_imm(VecOp::ShiftLeftBy, lane, &[Src::Reg(middle)], 32);
        let low = self.vec_op(VecOp::MulLow, lane, &[a, b]);
        self.vec_op(VecOp::Add, lane, &[Src::Reg(low), Src::Reg(middle)])
    }

    pub(super) fn negate(&mut self, dtype: DType, value: Src) -> Reg {
        let lane = self.lane(dtype);
        let int = Lane::int(lane.width());
        if dtype.is_float() {
            let sign = self.splat_bits(int, 1 << (dtype.bits() - 1));
            return self.vec_op(VecOp::Xor, int, &[value, sign]);
        }
        let zero = self.zero();
        let wide = self.vec_op(VecOp::Sub, lane, &[zero, value]);
        self.canonical(wide, dtype)
    }

    pub(super) fn absolute(&mut self, dtype: DType, value: Src) -> Reg {
        let lane = self.lane(dtype);
        let int = Lane::int(lane.width());
        if dtype.is_float() {
            let magnitude = self.splat_bits(int, u64::MAX >> (65 - dtype.bits()));
            return self.vec_op(VecOp::And, int, &[value, magnitude]);
        }
        if !dtype.is_signed() {
            return self.reg(value, lane);
        }
        if !self.has(VecOp::Abs, lane) {
            let zero = self.zero();
            let sign = self.vec_op(VecOp::CompareGreater, lane, &[zero, value]);
            let flipped = self.vec_op(VecOp::Xor, lane, &[value, Src::Reg(sign)]);
            return self.vec_op(VecOp::Sub, lane, &[Src::Reg(flipped), Src::Reg(sign)]);
        }
        let wide = self.vec_op(VecOp::Abs, lane, &[value]);
        self.canonical(wide, dtype)
    }

    /// The value of a small integer as its lane must hold it, from a lane whose low bits are right.
    pub(super) fn canonical(&mut self, value: Reg, dtype: DType) -> Reg {
        if self.width(dtype) <= dtype.size() {
            return value;
        }
        let value = Src::Reg(value);
        let unused = 32 - i64::from(dtype.bits().min(32));
        match dtype {
            DType::U8 | DType::U16 => {
                let mask = self.splat_bits(Lane::I32, u64::from(u32::MAX >> unused));
                self.vec_op(VecOp::And, Lane::I32, &[value, mask])
            }
            DType::I8 | DType::I16 => {
                let up = self.vec_op_imm(VecOp::ShiftLeftBy, Lane::I32, &[value], unused);
                self.vec_op_imm(VecOp::ShiftSignedBy, Lane::I32, &[Src::Reg(up)], unused)
            }
            _ => self.reg(value, self.lane(dtype)),
        }
    }

    fn int_extremum(&mut self, least: bool, dtype: DType, args: &[Src]) -> Reg {
        let lane = self.lane(dtype);
        let op = match (least, dtype.is_signed()) {
            (true, true) => VecOp::Min,
            (true, false) => VecOp::MinUnsigned,
            (false, true) => VecOp::Max,
            (false, false) => VecOp::MaxUnsigned,
        };
        if self.has(op, lane) {
            return self.commutative(op, lane, args[0], args[1]);
        }
        let greater = self.int_greater(dtype, args[0], args[1]);
        let (yes, no) = if least {
            (args[1], args[0])
        } else {
            (args[0], args[1])
        };
        self.blend(greater, lane, yes, no)
    }

    /// Minimum or maximum of floats.
    ///
    /// The machine's own minimum gives its second argument for equal or unordered ones. Where one side is a constant
    /// that is neither zero nor NaN, the right order of arguments says it all.
    fn float_extremum(&mut self, op: Op, lane: Lane, args: &[Src], values: &[Value]) -> Reg {
        let least = matches!(op, Op::Min | Op::Minimum);
        let number = matches!(op, Op::Min | Op::Max);
        let machine = if least { VecOp::Min } else { VecOp::Max };
        let plain = values.iter().position(|value| {
            let constant = self.func.constant(*value);
            constant.is_some_and(|c| {
                !c.is_nan() && c.bits() != 0 && c.bits() != 1 << (c.dtype().bits() - 1)
            })
        });
        match plain {
            Some(constant) => {
                let (constant, other) = (args[constant], args[1 - constant]);
                if number {
                    self.vec_op(machine, lane, &[other, constant])
                } else {
                    self.vec_op(machine, lane, &[constant, other])
                }
            }
            None => self.full_extremum(least, number, lane, args[0], args[1]),
        }
    }

    fn full_extremum(&mut self, least: bool, number: bool, lane: Lane, a: Src, b: Src) -> Reg {
        let (a, b) = (Src::Reg(self.reg(a, lane)), Src::Reg(self.reg(b, lane)));
        if !number {
            return self.extremum_or_nan(least, lane, a, b);
        }
        let chosen = self.ordered_extremum(least, lane, a, b);
        // Of a NaN and a number `min` gives the number; a signaling NaN would not give way by itself.
        let is_nan = self.compare_into(VecOp::Compare, lane, [b, b], UNORDERED);
        let chosen = self.blend(is_nan, lane, a, Src::Reg(chosen));
        let is_nan = self.compare_into(VecOp::Compare, lane, [a, a], UNORDERED);
        self.blend(is_nan, lane, b, Src::Reg(chosen))
    }

    /// Minimum or maximum, NaN if one is NaN.
    fn extremum_or_nan(&mut self, least: bool, lane: Lane, a: Src, b: Src) -> Reg {
        let unordered = self.compare_into(VecOp::Compare, lane, [a, b], UNORDERED);
        if self.level == Level::Avx512 {
            let chosen = Src::Reg(self.ordered_extremum(least, lane, a, b));
            let nan = Src::Reg(self.vec_op(VecOp::Add, lane, &[a, b]));
            // In a loop it is better not to wait for the mask before the sum.
            let is_inside = self.loops > 1;
            let masked = (!is_inside).then(|| self.masked(unordered, lane, nan, chosen));
            let blend = |cx: &mut Self| cx.blend(unordered, lane, nan, chosen);
            return masked.flatten().unwrap_or_else(|| blend(self));
        }
        // The two orders of the arguments differ only for zeros, of which the sign is to be the one or the other, and for NaNs.
        let (machine, merge) = machine_extremum(least);
        let int = Lane::int(lane.width());
        let either = [[a, b], [b, a]].map(|args| Src::Reg(self.vec_op(machine, lane, &args)));
        let merged = Src::Reg(self.vec_op(merge, int, &either));
        self.vec_op(VecOp::Or, int, &[merged, Src::Reg(unordered)])
    }

    /// Minimum or maximum of numbers, -0 less than +0.
    fn ordered_extremum(&mut self, least: bool, lane: Lane, a: Src, b: Src) -> Reg {
        if self.level == Level::Avx512 {
            let mode = if least { RANGE_MIN } else { RANGE_MAX };
            return self.vec_op_imm(VecOp::Range, lane, &[a, b], mode);
        }
        let (machine, merge) = machine_extremum(least);
        let chosen = self.vec_op(machine, lane, &[a, b]);
        let int = Lane::int(lane.width());
        let merged = self.vec_op(merge, int, &[a, b]);
        let equal = self.compare_into(VecOp::Compare, lane, [a, b], EQUAL);
        self.blend(equal, lane, Src::Reg(merged), Src::Reg(chosen))
    }

    /// Shifts by amounts modulo the width.
    fn shift(&mut self, left: bool, dtype: DType, args: &[Src], amount: Value) -> Reg {
        let lane = self.lane(dtype);
        let modulus = u64::from(dtype.bits() - 1);
        if let Some(amount) = self.func.constant(amount) {
            let amount = (amount.bits() as u64 & modulus) as i64;
            return self.shift_by(left, dtype, args[0], amount);
        }
        let modulus = self.splat_bits(lane, modulus);
        let amount = Src::Reg(self.vec_op(VecOp::And, lane, &[args[1], modulus]));
        let shifted = match (left, dtype.is_signed()) {
            (true, _) => self.vec_op(VecOp::ShiftLeft, lane, &[args[0], amount]),
            (false, false) => self.vec_op(VecOp::ShiftRight, lane, &[args[0], amount]),
            (false, true) if self.has(VecOp::ShiftSigned, lane) => {
                self.vec_op(VecOp::ShiftSigned, lane, &[args[0], amount])
            }
            (false, true) => {
                let sign = self.splat_bits(lane, 1 << 63);
                let sign = self.vec_op(VecOp::ShiftRight, lane, &[sign, amount]);
                let bits = self.vec_op(VecOp::ShiftRight, lane, &[args[0], amount]);
                self.extend_from(lane, bits, Src::Reg(sign))
            }
        };
        self.canonical(shifted, dtype)
    }

    /// Shifts by a constant amount less than the width.
    pub(super) fn shift_by(&mut self, left: bool, dtype: DType, value: Src, amount: i64) -> Reg {
        let lane = self.lane(dtype);
        if lane == Lane::I8 {
            return self.shift_bytes(left, dtype.is_signed(), value, amount);
        }
        let value: super::Few<Src> = smallvec![Src::Reg(self.reg(value, lane))];
        let shifted = match (left, dtype.is_signed()) {
            (true, _) => self.vec_op_imm(VecOp::ShiftLeftBy, lane, &value, amount),
            (false, false) => self.vec_op_imm(VecOp::ShiftRightBy, lane, &value, amount),
            (false, true) if self.has(VecOp::ShiftSignedBy, lane) => {
                self.vec_op_imm(VecOp::ShiftSignedBy, lane, &value, amount)
            }
            (false, true) => {
                let sign = self.splat_bits(lane, 1 << (63 - amount));
                let bits = self.vec_op_imm(VecOp::ShiftRightBy, lane, &value, amount);
                self.extend_from(lane, bits, sign)
            }
        };
        self.canonical(shifted, dtype)
    }

    /// Shifts lanes of 8 bits, as 16 bits of which those are dropped that come from the neighbour.
    fn shift_bytes(&mut self, left: bool, signed: bool, value: Src, amount: i64) -> Reg {
        let value = Src::Reg(self.reg(value, Lane::I8));
        let (op, kept) = if left {
            (VecOp::ShiftLeftBy, 0xff << amount)
        } else {
            (VecOp::ShiftRightBy, 0xff >> amount)
        };
        let shifted = Src::Reg(self.vec_op_imm(op, Lane::I16, &[value], amount));
        let kept = self.splat_bits(Lane::I8, kept);
        let bits = self.vec_op(VecOp::And, Lane::I8, &[shifted, kept]);
        if left || !signed {
            return bits;
        }
        let sign = self.splat_bits(Lane::I8, 0x80 >> amount);
        self.extend_from(Lane::I8, bits, sign)
    }

    /// Extends the sign whose bit is set in the second argument: (x ^ sign) - sign.
    pub(super) fn extend_from(&mut self, lane: Lane, bits: Reg, sign: Src) -> Reg {
        let flipped = self.vec_op(VecOp::Xor, lane, &[Src::Reg(bits), sign]);
        self.vec_op(VecOp::Sub, lane, &[Src::Reg(flipped), sign])
    }

    /// The complement of a mask.
    pub(super) fn mask_not(&mut self, width: usize, mask: Reg) -> Reg {
        self.mask_op(MaskOp::Not, width, mask, mask)
    }
}
