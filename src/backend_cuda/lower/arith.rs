//! Arithmetic: division and remainder of integers, signs, minima, rounding to integers.

use super::{Element, arithmetic_type, bits_type};
use crate::ptx::{Compare, Op as P, Round, Src, Type};
use ufc_ir::DType;
use ufc_ir::ops::Op;

/// The bits of -1 as an integer of this dtype stands in registers.
fn minus_one(dtype: DType) -> Src {
    Src::Bits(u64::MAX >> (64 - 8 * bits_type(dtype).size()))
}

impl Element<'_> {
    /// `div`: the quotient by zero is 0, and `MIN / -1` is `MIN`; 9.7.1.8 leaves both open. It does not say either that quotients
    /// round toward zero, which CUDA C++ relies on: its `/` is this instruction, and rounds so (C++17, 8.6).
    pub(super) fn int_divide(&mut self, dtype: DType, a: Src, b: Src) -> Src {
        let t = arithmetic_type(dtype);
        if let Src::Bits(divisor) = b {
            return match () {
                () if divisor == 0 => Src::Bits(0),
                () if dtype.is_signed() && b == minus_one(dtype) => self.negate(dtype, a),
                () => self.plain(P::Div(t), &[a, b]),
            };
        }
        let guarded = self.guarded(dtype, b);
        let quotient = self.plain(P::Div(t), &[a, guarded.divisor]);
        let quotient = match guarded.minus_one {
            Some(is_minus_one) => {
                let negated = self.plain(P::Neg(t), &[a]);
                self.plain(
                    P::Selp(bits_type(dtype)),
                    &[negated, quotient, is_minus_one],
                )
            }
            None => quotient,
        };
        let zero = Src::Bits(0);
        let quotient = self.plain(P::Selp(bits_type(dtype)), &[zero, quotient, guarded.zero]);
        // In 32 bits, the least small integer over -1 is one more than the greatest.
        if dtype.is_signed() && dtype.size() < 4 {
            self.wrap(dtype, quotient)
        } else {
            quotient
        }
    }

    /// `rem`: by zero it is 0, and `MIN % -1` is 0: both are the remainder by 1.
    pub(super) fn int_remainder(&mut self, dtype: DType, a: Src, b: Src) -> Src {
        if let Src::Bits(divisor) = b {
            return match () {
                () if divisor == 0 => Src::Bits(0),
                () if dtype.is_signed() && b == minus_one(dtype) => Src::Bits(0),
                () => self.defined_remainder(dtype, a, b),
            };
        }
        let guarded = self.guarded(dtype, b);
        self.defined_remainder(dtype, a, guarded.divisor)
    }

    /// The remainder by a divisor for which there is a quotient. The sign of the instruction's, where one of the numbers is
    /// negative, is the machine's choice (9.7.1.9).
    fn defined_remainder(&mut self, dtype: DType, a: Src, divisor: Src) -> Src {
        let t = arithmetic_type(dtype);
        if !dtype.is_signed() {
            return self.plain(P::Rem(t), &[a, divisor]);
        }
        let quotient = self.plain(P::Div(t), &[a, divisor]);
        let whole = self.plain(P::Mul(t), &[quotient, divisor]);
        self.plain(P::Sub(t), &[a, whole])
    }

    /// A divisor that the instructions define, and where it is not the one that was given.
    fn guarded(&mut self, dtype: DType, b: Src) -> Guarded {
        let (t, bits) = (arithmetic_type(dtype), bits_type(dtype));
        let zero = self.plain(P::Setp(Compare::Eq, t), &[b, Src::Bits(0)]);
        let mut divisor = self.plain(P::Selp(bits), &[Src::Bits(1), b, zero]);
        // In 32 bits, small integers over -1 do not overflow.
        let minus_one = (dtype.is_signed() && dtype.size() >= 4).then(|| {
            let is = self.plain(P::Setp(Compare::Eq, t), &[b, minus_one(dtype)]);
            divisor = self.plain(P::Selp(bits), &[Src::Bits(1), divisor, is]);
            is
        });
        Guarded {
            divisor,
            zero,
            minus_one,
        }
    }

    /// `neg`: integers wrap, floats flip the sign bit.
    pub(super) fn negate(&mut self, dtype: DType, a: Src) -> Src {
        match dtype {
            DType::F16 | DType::BF16 => self.plain(P::Xor(Type::B16), &[a, Src::Bits(0x8000)]),
            DType::F32 | DType::F64 => self.plain(P::Neg(arithmetic_type(dtype)), &[a]),
            // There is no `neg` of unsigned types.
            _ => {
                let t = arithmetic_type(dtype);
                self.wrapping(P::Sub(t), dtype, &[Src::Bits(0), a])
            }
        }
    }

    /// `abs`: the least integer stays what it is, floats clear the sign bit.
    pub(super) fn absolute(&mut self, dtype: DType, a: Src) -> Src {
        match dtype {
            DType::F16 | DType::BF16 => self.plain(P::And(Type::B16), &[a, Src::Bits(0x7fff)]),
            DType::F32 | DType::F64 => self.plain(P::Abs(arithmetic_type(dtype)), &[a]),
            _ if dtype.is_signed() => {
                // The greater of a value and its negation, which for the least one are the same.
                let t = arithmetic_type(dtype);
                let negated = self.plain(P::Sub(t), &[Src::Bits(0), a]);
                self.wrapping(P::Max(t), dtype, &[a, negated])
            }
            _ => a,
        }
    }

    /// `minimum`, `maximum`: NaN if one argument is. The modifier `.NaN` came with sm_80 only.
    pub(super) fn nan_or(&mut self, op: P, dtype: DType, args: &[Src]) -> Src {
        let result = self.plain(op, args);
        let nan = match dtype {
            DType::F32 => Src::Bits(f32::NAN.to_bits().into()),
            DType::F64 => Src::Bits(f64::NAN.to_bits()),
            _ => return result,
        };
        let unordered = self.plain(P::Setp(Compare::Nan, arithmetic_type(dtype)), args);
        self.plain(P::Selp(bits_type(dtype)), &[nan, result, unordered])
    }

    /// `floor`, `ceil`, `trunc`, `round_ties_even`: conversions to an integer in the same type (9.7.8.18).
    pub(super) fn round(&mut self, op: Op, dtype: DType, a: Src) -> Src {
        let t = arithmetic_type(dtype);
        let round = match op {
            Op::Floor => Round::Rmi,
            Op::Ceil => Round::Rpi,
            Op::Trunc => Round::Rzi,
            _ => Round::Rni,
        };
        let (to, from) = (t, t);
        self.plain(P::Cvt { to, from, round }, &[a])
    }
}

/// A divisor that is neither 0 nor -1 where these are not defined, and the predicates that say which it was.
struct Guarded {
    divisor: Src,
    zero: Src,
    minus_one: Option<Src>,
}
