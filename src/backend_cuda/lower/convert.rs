//! Conversions: the IR's `convert` and `bitcast`.

use super::{Element, arithmetic_type, bits_type};
use crate::ptx::{Compare, Op as P, Round, Src, Type};
use ufc_ir::{Const, DType, Kind};

impl Element<'_> {
    /// `convert` between real dtypes, of the pairs that `legal` has.
    pub(super) fn convert(&mut self, from: DType, to: DType, value: Src) -> Src {
        if from == to {
            return value;
        }
        match (from.kind(), to.kind()) {
            (Kind::Bool, _) => {
                let one = ufc_ir::convert::convert(Const::bool(true), to);
                let one = Src::Bits(super::constant_bits(one));
                self.plain(P::Selp(bits_type(to)), &[one, Src::Bits(0), value])
            }
            (Kind::Float, Kind::Bool) => {
                // NaN is unequal to zero.
                self.plain(
                    P::Setp(Compare::Neu, arithmetic_type(from)),
                    &[value, Src::Bits(0)],
                )
            }
            (_, Kind::Bool) => self.plain(
                P::Setp(Compare::Ne, arithmetic_type(from)),
                &[value, Src::Bits(0)],
            ),
            (Kind::Float, Kind::Float) => self.float_to_float(from, to, value),
            (Kind::Float, _) => self.float_to_int(from, to, value),
            (_, Kind::Float) => self.cvt(float_type(to), arithmetic_type(from), Round::Rn, value),
            (_, _) => self.int_to_int(from, to, value),
        }
    }

    fn cvt(&mut self, to: Type, from: Type, round: Round, value: Src) -> Src {
        self.plain(P::Cvt { to, from, round }, &[value])
    }

    fn float_to_float(&mut self, from: DType, to: DType, value: Src) -> Src {
        if from == DType::BF16 {
            // Its bits are the high half of an f32's.
            let wide = self.cvt(Type::U32, Type::U16, Round::None, value);
            return self.plain(P::Shl(Type::B32), &[wide, Src::Bits(16)]);
        }
        let round = if to.size() > from.size() {
            Round::None
        } else {
            Round::Rn
        };
        self.cvt(float_type(to), float_type(from), round, value)
    }

    /// 9.7.8.18: the result is clamped to the range of the destination. Of NaN it is 0, says that manual; later ones say so of
    /// f32 to 32 bits only, and 1 << 63 or 1 << 31 of the others, as cards do. So it is chosen where they differ.
    fn float_to_int(&mut self, from: DType, to: DType, value: Src) -> Src {
        let wide = arithmetic_type(to);
        let result = self.cvt(wide, arithmetic_type(from), Round::Rzi, value);
        let result = if from == DType::F64 || to.size() == 8 {
            let is_number = Compare::Num;
            let number = self.plain(P::Setp(is_number, arithmetic_type(from)), &[value, value]);
            self.plain(P::Selp(bits_type(to)), &[result, Src::Bits(0), number])
        } else {
            result
        };
        if to.size() >= 4 {
            return result;
        }
        let bits = to.bits() - u32::from(to.is_signed());
        let high = (1u64 << bits) - 1;
        let result = self.plain(P::Min(wide), &[result, Src::Bits(high)]);
        if to.is_signed() {
            let low = Src::Bits(u64::from(!(high as u32)));
            self.plain(P::Max(wide), &[result, low])
        } else {
            result
        }
    }

    fn int_to_int(&mut self, from: DType, to: DType, value: Src) -> Src {
        let value = match (from.size() == 8, to.size() == 8) {
            // Extended as the source is.
            (false, true) => {
                let (wide, narrow) = match from.is_signed() {
                    true => (Type::S64, Type::S32),
                    false => (Type::U64, Type::U32),
                };
                return self.cvt(wide, narrow, Round::None, value);
            }
            (true, false) => self.cvt(Type::U32, Type::U64, Round::None, value),
            _ => value,
        };
        // Small integers already stand extended: only those that lose bits, or change their sign, change.
        let fits = from.size() < to.size() && (to.is_signed() || !from.is_signed());
        if fits { value } else { self.wrap(to, value) }
    }

    /// `bitcast`: registers have no type, but small values are held in their own ways.
    pub(super) fn bitcast(&mut self, from: DType, to: DType, value: Src) -> Src {
        let half = |d: DType| matches!(d, DType::F16 | DType::BF16);
        match (half(from), half(to)) {
            (true, false) => {
                let source = if to.is_signed() { Type::S16 } else { Type::U16 };
                self.cvt(arithmetic_type(to), source, Round::None, value)
            }
            (false, true) => self.cvt(Type::U16, Type::U32, Round::None, value),
            (true, true) => value,
            (false, false) => self.wrap(to, value),
        }
    }
}

/// The floating-point type of a dtype that conversions have.
fn float_type(dtype: DType) -> Type {
    match dtype {
        DType::F16 => Type::F16,
        _ => arithmetic_type(dtype),
    }
}
