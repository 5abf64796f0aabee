//! The hand-written math functions of every width behind one trait.

use crate::simd::{Avx2, Avx512, EnterMath, Xmm};
use crate::{math, narrow};

/// Math functions over slices, `N` vectors in flight.
pub(crate) trait Functions: Copy {
    fn exp<const N: usize>(self, x: &[f32], out: &mut [f32]);
    fn exp_f64<const N: usize>(self, x: &[f64], out: &mut [f64]);
    fn ln<const N: usize>(self, x: &[f32], out: &mut [f32]);
    fn ln_f64<const N: usize>(self, x: &[f64], out: &mut [f64]);
    fn sin<const N: usize>(self, x: &[f32], out: &mut [f32]);
    fn sin_f64<const N: usize>(self, x: &[f64], out: &mut [f64]);
    fn tanh<const N: usize>(self, x: &[f32], out: &mut [f32]);
    fn pow<const N: usize>(self, x: &[f32], y: &[f32], out: &mut [f32]);
    fn black_scholes<const N: usize>(self, inputs: [&[f32]; 3], outputs: [&mut [f32]; 2]);
    fn black_scholes_f64<const N: usize>(self, inputs: [&[f64]; 3], outputs: [&mut [f64]; 2]);
}

impl Functions for Avx512 {
    fn exp<const N: usize>(self, x: &[f32], out: &mut [f32]) {
        math::exp_all::<N>(self, x, out);
    }

    fn exp_f64<const N: usize>(self, x: &[f64], out: &mut [f64]) {
        math::exp_f64_all::<N>(self, x, out);
    }

    fn ln<const N: usize>(self, x: &[f32], out: &mut [f32]) {
        math::ln_all::<N>(self, x, out);
    }

    fn ln_f64<const N: usize>(self, x: &[f64], out: &mut [f64]) {
        math::ln_f64_all::<N>(self, x, out);
    }

    fn sin<const N: usize>(self, x: &[f32], out: &mut [f32]) {
        math::sin_all::<N>(self, x, out);
    }

    fn sin_f64<const N: usize>(self, x: &[f64], out: &mut [f64]) {
        math::sin_f64_all::<N>(self, x, out);
    }

    fn tanh<const N: usize>(self, x: &[f32], out: &mut [f32]) {
        math::tanh_all::<N>(self, x, out);
    }

    fn pow<const N: usize>(self, x: &[f32], y: &[f32], out: &mut [f32]) {
        math::pow_all::<N>(self, x, y, out);
    }

    fn black_scholes<const N: usize>(self, inputs: [&[f32]; 3], outputs: [&mut [f32]; 2]) {
        math::black_scholes_all::<N>(self, inputs, outputs);
    }

    fn black_scholes_f64<const N: usize>(self, inputs: [&[f64]; 3], outputs: [&mut [f64]; 2]) {
        math::black_scholes_f64_all::<N>(self, inputs, outputs);
    }
}

macro_rules! narrow {
    ($type:ty) => {
        impl Functions for $type {
            fn exp<const N: usize>(self, x: &[f32], out: &mut [f32]) {
                self.enter_math(narrow::Exp::<N> { x, out });
            }

            fn exp_f64<const N: usize>(self, x: &[f64], out: &mut [f64]) {
                self.enter_math(narrow::ExpF64::<N> { x, out });
            }

            fn ln<const N: usize>(self, x: &[f32], out: &mut [f32]) {
                self.enter_math(narrow::Ln::<N> { x, out });
            }

            fn ln_f64<const N: usize>(self, x: &[f64], out: &mut [f64]) {
                self.enter_math(narrow::LnF64::<N> { x, out });
            }

            fn sin<const N: usize>(self, x: &[f32], out: &mut [f32]) {
                self.enter_math(narrow::Sin::<N> { x, out });
            }

            fn sin_f64<const N: usize>(self, x: &[f64], out: &mut [f64]) {
                self.enter_math(narrow::SinF64::<N> { x, out });
            }

            fn tanh<const N: usize>(self, x: &[f32], out: &mut [f32]) {
                self.enter_math(narrow::Tanh::<N> { x, out });
            }

            fn pow<const N: usize>(self, x: &[f32], y: &[f32], out: &mut [f32]) {
                self.enter_math(narrow::Pow::<N> { x, y, out });
            }

            fn black_scholes<const N: usize>(
                self,
                [spot, strike, years]: [&[f32]; 3],
                [call, put]: [&mut [f32]; 2],
            ) {
                self.enter_math(narrow::BlackScholes::<N> {
                    spot,
                    strike,
                    years,
                    call,
                    put,
                });
            }

            fn black_scholes_f64<const N: usize>(
                self,
                [spot, strike, years]: [&[f64]; 3],
                [call, put]: [&mut [f64]; 2],
            ) {
                self.enter_math(narrow::BlackScholesF64::<N> {
                    spot,
                    strike,
                    years,
                    call,
                    put,
                });
            }
        }
    };
}

narrow!(Avx2);
narrow!(Xmm);
