//! For what launches a kernel is compiled: how each operand is reached, and the parameters that follow from it.

use crate::ptx::Type;
use ufc_ir::{DType, Func};
use ufc_target::launch::positions;

/// How an operand's elements are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// One value for all elements, passed with the launch.
    Value,
    /// One element in memory for all elements, read once by each thread.
    Uniform,
    /// One element after the other in the order of the loop dims, aligned.
    Packed,
    /// A step in bytes along each loop dim, every element aligned.
    Strided,
    /// As `Strided`, but aligned for nothing: read and written byte by byte.
    Bytes,
}

/// What a kernel is compiled for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
    /// Number of loop dims, at least 1. They have at least two elements each where there are several.
    pub rank: usize,
    /// Whether offsets in bytes need 64 bits.
    pub wide: bool,
    /// Elements that a thread does at a time: a power of two, more than 1 only if no operand is strided.
    pub vector: usize,
    /// Per operand, inputs then outputs.
    pub access: Vec<Access>,
}

/// One parameter of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Param {
    /// How many elements there are, less than 2^31.
    Count,
    /// The number of elements along a loop dim other than the first.
    Dim(usize),
    /// What to multiply by and shift by to divide by that number; see [`reciprocal`].
    Magic(usize),
    Shift(usize),
    /// An operand's first element.
    Pointer(usize),
    /// An operand's step in bytes along a loop dim.
    Stride(usize, usize),
    /// Part 0 or 1 of an operand passed by value.
    Value(usize, usize),
    /// A position at the first element.
    Base(usize),
    /// A position's step along a loop dim.
    Step(usize, usize),
}

impl Variant {
    /// All operands packed, so many elements at a time.
    pub(crate) fn packed(func: &Func, vector: usize) -> Variant {
        Variant {
            rank: 1,
            wide: false,
            vector,
            access: vec![Access::Packed; operand_dtypes(func).len()],
        }
    }

    /// All operands with steps along two loop dims.
    pub(crate) fn strided(func: &Func) -> Variant {
        Variant {
            rank: 2,
            wide: false,
            vector: 1,
            access: vec![Access::Strided; operand_dtypes(func).len()],
        }
    }

    /// The parameters of the kernel and their types, in order.
    pub(crate) fn params(&self, func: &Func) -> Vec<(Param, Type)> {
        let mut params = vec![(Param::Count, Type::U32)];
        for dim in 1..self.rank {
            params.push((Param::Dim(dim), Type::U32));
            params.push((Param::Magic(dim), Type::U32));
            params.push((Param::Shift(dim), Type::U32));
        }
        let stride = if self.wide { Type::U64 } else { Type::U32 };
        for (operand, (dtype, access)) in operand_dtypes(func).iter().zip(&self.access).enumerate()
        {
            match access {
                Access::Value => {
                    for part in 0..dtype.size() / dtype.part().size() {
                        params.push((Param::Value(operand, part), value_type(*dtype)));
                    }
                }
                Access::Uniform | Access::Packed => {
                    params.push((Param::Pointer(operand), Type::U64));
                }
                Access::Strided | Access::Bytes => {
                    params.push((Param::Pointer(operand), Type::U64));
                    params.extend((0..self.rank).map(|d| (Param::Stride(operand, d), stride)));
                }
            }
        }
        for slot in 0..positions(func).len() {
            params.push((Param::Base(slot), Type::U64));
            params.extend((0..self.rank).map(|d| (Param::Step(slot, d), Type::U64)));
        }
        params
    }
}

/// The type that a part of a value is passed as: its bits, zero-extended.
pub(crate) fn value_type(dtype: DType) -> Type {
    match dtype.part().size() {
        8 => Type::U64,
        _ => Type::U32,
    }
}

/// Dtypes of the operands, inputs then outputs.
pub(crate) fn operand_dtypes(func: &Func) -> Vec<DType> {
    let mut dtypes = func.param_dtypes();
    dtypes.extend(&func.results);
    dtypes
}

/// What divides numbers below 2^31 by `divisor` of at least 2: the high half of the product with the first, shifted
/// right by the second.
///
/// Granlund and Montgomery, "Division by Invariant Integers using Multiplication" (1994), theorem 4.2 with N = 31:
/// with `l = ceil(log2 d)` and `m = floor(2^(31+l) / d) + 1`, `n / d = (m * n) >> (31 + l)`.
pub(crate) fn reciprocal(divisor: u32) -> (u32, u32) {
    debug_assert!(divisor >= 2);
    let l = 32 - (divisor - 1).leading_zeros();
    let magic = (1u64 << (31 + l)) / u64::from(divisor) + 1;
    (magic as u32, l - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ufc_ir::testing::{Rng, fresh_seed};

    #[test]
    fn reciprocals_divide_exactly() {
        let mut rng = Rng::new(fresh_seed());
        let edges = [
            2,
            3,
            4,
            5,
            7,
            641,
            65535,
            65536,
            65537,
            (1 << 30) + 1,
            (1 << 31) - 1,
        ];
        let random: Vec<u32> = (0..2000)
            .map(|_| rng.bits() as u32 >> (1 + rng.below(29)))
            .collect();
        for divisor in edges.into_iter().chain(random).filter(|d| *d >= 2) {
            let (magic, shift) = reciprocal(divisor);
            let top = (1u32 << 31) - 1;
            let near = (top / divisor) * divisor;
            let some = rng.bits() as u32 >> 1;
            for n in [0, 1, divisor - 1, divisor, near, near - 1, top, some] {
                let quotient = ((u64::from(magic) * u64::from(n)) >> 32) as u32 >> shift;
                assert_eq!(quotient, n / divisor, "{n} / {divisor}");
            }
        }
    }
}
