//! Several vectors as one: every operation is done for `K` of them before the next, so that they are in flight at once.

use crate::simd::{Math, Simd};

/// `K` vectors of `S`.
#[derive(Clone, Copy)]
pub(crate) struct Each<S, const K: usize>(pub(crate) S);

/// Methods that do for each of the vectors what `S` does for one; other arguments stand in the second parentheses. Not by
/// closures, which would be functions without the instructions.
macro_rules! each {
    ($(fn $name:ident($($arg:ident: $V:ident),*)($($plain:ident: $P:ty)?) -> $result:ident;)*) => { $(
        #[inline(always)]
        #[allow(unused_variables, unused_mut, reason = "constants are the same for all")]
        fn $name(self $(, $arg: Self::$V)* $(, $plain: $P)?) -> Self::$result {
            let i = 0;
            let mut results = [self.0.$name($($arg[i],)* $($plain)?); K];
            for i in 1..K {
                results[i] = self.0.$name($($arg[i],)* $($plain)?);
            }
            results
        }
    )* };
}

/// A method with two results.
macro_rules! two {
    ($(fn $name:ident($($arg:ident: $V:ident),*) -> $result:ident;)*) => { $(
        #[inline(always)]
        fn $name(self $(, $arg: Self::$V)*) -> (Self::$result, Self::$result) {
            let first = self.0.$name($($arg[0]),*);
            let mut results = ([first.0; K], [first.1; K]);
            for i in 1..K {
                (results.0[i], results.1[i]) = self.0.$name($($arg[i]),*);
            }
            results
        }
    )* };
}

#[rustfmt::skip]
impl<S: Simd, const K: usize> Simd for Each<S, K> {
    type F = [S::F; K];
    type D = [S::D; K];
    type I = [S::I; K];
    type M = [S::M; K];
    type N = [S::N; K];

    const BYTES: usize = K * S::BYTES;

    each! {
        fn f32()(x: f32) -> F;
        fn add(a: F, b: F)() -> F;
        fn sub(a: F, b: F)() -> F;
        fn mul(a: F, b: F)() -> F;
        fn fma(a: F, b: F, c: F)() -> F;
        fn min(a: F, b: F)() -> F;
        fn max(a: F, b: F)() -> F;
        fn less(m: M, a: F, b: F)() -> M;
        fn f64()(x: f64) -> D;
        fn add_d(a: D, b: D)() -> D;
        fn sub_d(a: D, b: D)() -> D;
        fn mul_d(a: D, b: D)() -> D;
        fn fma_d(a: D, b: D, c: D)() -> D;
        fn less_d(m: N, a: D, b: D)() -> N;
        fn u8()(x: u8) -> I;
        fn u16()(x: u16) -> I;
        fn u32()(x: u32) -> I;
        fn u64()(x: u64) -> I;
        fn xor(a: I, b: I)() -> I;
        fn mul32(a: I, b: I)() -> I;
        fn mul64(a: I, b: I)() -> I;
        fn shr32(a: I)(by: u32) -> I;
        fn shr64(a: I)(by: u64) -> I;
        fn add_saturating8(a: I, b: I)() -> I;
        fn add16(a: I, b: I)() -> I;
        fn mul16(a: I, b: I)() -> I;
        fn mul_high16(a: I, b: I)() -> I;
        fn pack16(low: I, high: I)() -> I;
        fn collatz(n: I)() -> I;
        fn above_one(m: M, n: I)() -> M;
        fn all()() -> M;
        fn either(a: M, b: M)() -> M;
        fn count(n: I, m: M)() -> I;
        fn all_d()() -> N;
        fn either_d(a: N, b: N)() -> N;
        fn count_d(n: I, m: N)() -> I;
    }

    two! {
        fn unpack8(a: I, b: I) -> I;
    }

    #[inline(always)]
    fn any(self, m: Self::M) -> bool {
        m.into_iter().any(|m| self.0.any(m))
    }

    #[inline(always)]
    fn any_d(self, m: Self::N) -> bool {
        m.into_iter().any(|m| self.0.any_d(m))
    }

    #[inline(always)]
    fn stream(self, to: &mut [f32], v: Self::F) {
        for (to, v) in to.chunks_exact_mut(S::BYTES / 4).zip(v) {
            self.0.stream(to, v);
        }
    }
}

#[rustfmt::skip]
impl<S: Math, const K: usize> Math for Each<S, K> {
    each! {
        fn div(a: F, b: F)() -> F;
        fn sqrt(a: F)() -> F;
        fn div_d(a: D, b: D)() -> D;
        fn sqrt_d(a: D)() -> D;
        fn min_d(a: D, b: D)() -> D;
        fn max_d(a: D, b: D)() -> D;
        fn fnma(a: F, b: F, c: F)() -> F;
        fn fnma_d(a: D, b: D, c: D)() -> D;
        fn fms(a: F, b: F, c: F)() -> F;
        fn fms_d(a: D, b: D, c: D)() -> D;
        fn select(m: M, yes: F, no: F)() -> F;
        fn select_d(m: N, yes: D, no: D)() -> D;
        fn signs(a: I)() -> M;
        fn signs_d(a: I)() -> N;
        fn bits(a: F)() -> I;
        fn float(a: I)() -> F;
        fn bits_d(a: D)() -> I;
        fn float_d(a: I)() -> D;
        fn and(a: I, b: I)() -> I;
        fn or(a: I, b: I)() -> I;
        fn add32(a: I, b: I)() -> I;
        fn sub32(a: I, b: I)() -> I;
        fn add64(a: I, b: I)() -> I;
        fn shl32(a: I)(by: u32) -> I;
        fn shl64(a: I)(by: u64) -> I;
        fn to_f32(a: I)() -> F;
        fn narrow(low: D, high: D)() -> F;
    }

    two! {
        fn widen(a: F) -> D;
    }
}
