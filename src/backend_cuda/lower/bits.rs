//! Bits: shifts, and the functions of integers that are one or two instructions.

use super::{Element, arithmetic_type, bits_type, register};
use crate::ptx::{Class, Op as P, Src, Type};
use ufc_ir::DType;
use ufc_ir::ops::{MathFn, Op};

impl Element<'_> {
    /// `shl`, `shr`: the amount counts modulo the width; 9.7.7.8 and .9 clamp it instead.
    pub(super) fn shift(&mut self, op: Op, dtype: DType, value: Src, amount: Src) -> Src {
        let mask = u64::from(dtype.bits() - 1);
        let amount = match amount {
            Src::Bits(bits) => Src::Bits(bits & mask),
            _ => {
                let low = self.low_word(dtype, amount);
                self.plain(P::And(Type::B32), &[low, Src::Bits(mask)])
            }
        };
        match op {
            Op::Shl => self.wrapping(P::Shl(bits_type(dtype)), dtype, &[value, amount]),
            // Arithmetic on signed types.
            _ => self.plain(P::Shr(arithmetic_type(dtype)), &[value, amount]),
        }
    }

    /// The low 32 bits of an integer.
    fn low_word(&mut self, dtype: DType, value: Src) -> Src {
        match dtype.size() {
            8 => {
                let op = P::Cvt {
                    to: Type::U32,
                    from: Type::U64,
                    round: crate::ptx::Round::None,
                };
                self.plain(op, &[value])
            }
            _ => value,
        }
    }

    /// Functions of integers for which there is an instruction; see `legal` for which dtypes.
    pub(super) fn bit_function(&mut self, f: MathFn, dtype: DType, args: &[Src]) -> Src {
        let bits = bits_type(dtype);
        match f {
            MathFn::CountOnes => self.plain(P::Popc(bits), args),
            // 9.7.1.15: of zero it is the width.
            MathFn::LeadingZeros => self.plain(P::Clz(bits), args),
            MathFn::TrailingZeros => {
                let reversed = self.plain(P::Brev(bits), args);
                self.plain(P::Clz(bits), &[reversed])
            }
            // 9.7.7.7: a funnel shift of a value with itself; the amount counts modulo 32.
            MathFn::RotateLeft | MathFn::RotateRight => {
                let value = register(self.asm, args[0], Class::B32).into();
                let op = match f {
                    MathFn::RotateLeft => P::ShfLeftWrap,
                    _ => P::ShfRightWrap,
                };
                self.plain(op, &[value, value, args[1]])
            }
            // 9.7.8.7: the selector's lowest digit chooses the lowest byte.
            _ => self.plain(P::Prmt, &[args[0], Src::Bits(0), Src::Bits(0x0123)]),
        }
    }
}
