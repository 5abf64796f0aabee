//! Comparison and choice.

use super::{Element, arithmetic_type, bits_type};
use crate::ptx::{Compare, Op as P, Src, Type};
use ufc_ir::DType;
use ufc_ir::ops::Op;

impl Element<'_> {
    /// `eq` and the others: ordered, but for `ne`, which is true if one is NaN.
    pub(super) fn compare(&mut self, op: Op, dtype: DType, a: Src, b: Src) -> Src {
        if dtype == DType::Bool {
            // Predicates are not compared, but their exclusive or is what `ne` gives.
            let differ = self.plain(P::Xor(Type::Pred), &[a, b]);
            return match op {
                Op::Eq => self.plain(P::Not(Type::Pred), &[differ]),
                _ => differ,
            };
        }
        let compare = match op {
            Op::Eq => Compare::Eq,
            Op::Ne if dtype.is_float() => Compare::Neu,
            Op::Ne => Compare::Ne,
            Op::Lt => Compare::Lt,
            Op::Le => Compare::Le,
            Op::Gt => Compare::Gt,
            _ => Compare::Ge,
        };
        self.plain(P::Setp(compare, arithmetic_type(dtype)), &[a, b])
    }

    /// `select`.
    pub(super) fn select(&mut self, dtype: DType, cond: Src, a: Src, b: Src) -> Src {
        match cond {
            Src::Bits(bits) => {
                if bits & 1 == 1 {
                    a
                } else {
                    b
                }
            }
            _ if a == b => a,
            _ if dtype == DType::Bool => {
                // `selp` does not choose between predicates.
                let chosen = self.plain(P::And(Type::Pred), &[cond, a]);
                let otherwise = self.plain(P::Not(Type::Pred), &[cond]);
                let other = self.plain(P::And(Type::Pred), &[otherwise, b]);
                self.plain(P::Or(Type::Pred), &[chosen, other])
            }
            _ => self.plain(P::Selp(bits_type(dtype)), &[a, b, cond]),
        }
    }
}
