//! The rows without math functions, with vectors of any width, `N` of them in flight.
//!
//! Lengths are multiples of `N` vectors, and of 64 for bytes; `main.rs` sees to that.

use crate::simd::{Job, Simd};
use std::array::from_fn;

/// Steps until z -> z*z + c leaves |z| < 2, or `iters`, for one row of a picture.
pub(crate) struct Mandelbrot<'a, const N: usize> {
    pub(crate) re: &'a [f32],
    pub(crate) im: f32,
    pub(crate) iters: u32,
    pub(crate) out: &'a mut [u8],
}

impl<const N: usize> Job for Mandelbrot<'_, N> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = S::BYTES / 4;
        let (ci, four) = (s.f32(self.im), s.f32(4.0));
        let groups = self.re.chunks_exact(N * lanes);
        for (re, out) in groups.zip(self.out.chunks_exact_mut(N * lanes)) {
            let cr: [S::F; N] = from_fn(|i| s.load(&re[i * lanes..]));
            let zero = s.f32(0.0);
            let (mut x, mut y) = ([zero; N], [zero; N]);
            let (mut xx, mut yy) = ([zero; N], [zero; N]);
            let mut steps = [s.zero(); N];
            let mut active = [s.all(); N];
            for _ in 0..self.iters {
                for i in 0..N {
                    let xy = s.mul(x[i], y[i]);
                    y[i] = s.add(s.add(xy, xy), ci);
                    x[i] = s.add(s.sub(xx[i], yy[i]), cr[i]);
                    xx[i] = s.mul(x[i], x[i]);
                    yy[i] = s.mul(y[i], y[i]);
                    active[i] = s.less(active[i], s.add(xx[i], yy[i]), four);
                    steps[i] = s.count(steps[i], active[i]);
                }
                if !s.any(
                    active
                        .into_iter()
                        .reduce(|a, b| s.either(a, b))
                        .expect("N > 0"),
                ) {
                    break;
                }
            }
            for (out, steps) in out.chunks_exact_mut(lanes).zip(steps) {
                let mut wide = [0u32; 16];
                s.store(&mut wide, steps);
                (0..lanes).for_each(|lane| out[lane] = wide[lane] as u8);
            }
        }
    }
}

/// The same from a given start, the constant being given.
pub(crate) struct Julia<'a, const N: usize> {
    pub(crate) re: &'a [f64],
    pub(crate) im: f64,
    pub(crate) c: (f64, f64),
    pub(crate) iters: u32,
    pub(crate) out: &'a mut [u8],
}

impl<const N: usize> Job for Julia<'_, N> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = S::BYTES / 8;
        let (cr, ci, four) = (s.f64(self.c.0), s.f64(self.c.1), s.f64(4.0));
        let groups = self.re.chunks_exact(N * lanes);
        for (re, out) in groups.zip(self.out.chunks_exact_mut(N * lanes)) {
            let mut x: [S::D; N] = from_fn(|i| s.load(&re[i * lanes..]));
            let mut y = [s.f64(self.im); N];
            let mut xx: [S::D; N] = from_fn(|i| s.mul_d(x[i], x[i]));
            let mut yy: [S::D; N] = from_fn(|i| s.mul_d(y[i], y[i]));
            let mut steps = [s.zero(); N];
            let mut active = [s.all_d(); N];
            for _ in 0..self.iters {
                for i in 0..N {
                    let xy = s.mul_d(x[i], y[i]);
                    y[i] = s.add_d(s.add_d(xy, xy), ci);
                    x[i] = s.add_d(s.sub_d(xx[i], yy[i]), cr);
                    xx[i] = s.mul_d(x[i], x[i]);
                    yy[i] = s.mul_d(y[i], y[i]);
                    active[i] = s.less_d(active[i], s.add_d(xx[i], yy[i]), four);
                    steps[i] = s.count_d(steps[i], active[i]);
                }
                if !s.any_d(
                    active
                        .into_iter()
                        .reduce(|a, b| s.either_d(a, b))
                        .expect("N > 0"),
                ) {
                    break;
                }
            }
            for (out, steps) in out.chunks_exact_mut(lanes).zip(steps) {
                let mut wide = [0u64; 8];
                s.store(&mut wide, steps);
                (0..lanes).for_each(|lane| out[lane] = wide[lane] as u8);
            }
        }
    }
}

/// Steps of Collatz's sequence until 1, at most 1000.
pub(crate) struct Collatz<'a, const N: usize> {
    pub(crate) start: &'a [u32],
    pub(crate) out: &'a mut [u32],
}

impl<const N: usize> Job for Collatz<'_, N> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = S::BYTES / 4;
        let groups = self.start.chunks_exact(N * lanes);
        for (start, out) in groups.zip(self.out.chunks_exact_mut(N * lanes)) {
            let mut n: [S::I; N] = from_fn(|i| s.load(&start[i * lanes..]));
            let mut steps = [s.zero(); N];
            let mut active: [S::M; N] = from_fn(|i| s.above_one(s.all(), n[i]));
            for _ in 0..1000 {
                if !s.any(
                    active
                        .into_iter()
                        .reduce(|a, b| s.either(a, b))
                        .expect("N > 0"),
                ) {
                    break;
                }
                for i in 0..N {
                    steps[i] = s.count(steps[i], active[i]);
                    n[i] = s.collatz(n[i]);
                    active[i] = s.above_one(active[i], n[i]);
                }
            }
            (0..N).for_each(|i| s.store(&mut out[i * lanes..], steps[i]));
        }
    }
}

/// The coefficients of the polynomial, the highest first, as in the example `poly12`.
const POLY12: [f64; 13] = [
    0.0017, 0.0022, 0.0031, 0.0047, 0.0072, 0.0113, 0.0181, 0.0293, 0.0479, 0.0796, 0.1353, 0.3679,
    1.0,
];

/// A polynomial of degree 12.
pub(crate) struct Poly12<'a, T, const N: usize> {
    pub(crate) x: &'a [T],
    pub(crate) out: &'a mut [T],
}

impl<const N: usize> Job for Poly12<'_, f32, N> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = S::BYTES / 4;
        let groups = self.x.chunks_exact(N * lanes);
        for (x, out) in groups.zip(self.out.chunks_exact_mut(N * lanes)) {
            let x: [S::F; N] = from_fn(|i| s.load(&x[i * lanes..]));
            let mut p = [s.f32(POLY12[0] as f32); N];
            for c in &POLY12[1..] {
                (0..N).for_each(|i| p[i] = s.fma(x[i], p[i], s.f32(*c as f32)));
            }
            (0..N).for_each(|i| s.store(&mut out[i * lanes..], p[i]));
        }
    }
}

impl<const N: usize> Job for Poly12<'_, f64, N> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = S::BYTES / 8;
        let groups = self.x.chunks_exact(N * lanes);
        for (x, out) in groups.zip(self.out.chunks_exact_mut(N * lanes)) {
            let x: [S::D; N] = from_fn(|i| s.load(&x[i * lanes..]));
            let mut p = [s.f64(POLY12[0]); N];
            for c in &POLY12[1..] {
                (0..N).for_each(|i| p[i] = s.fma_d(x[i], p[i], s.f64(*c)));
            }
            (0..N).for_each(|i| s.store(&mut out[i * lanes..], p[i]));
        }
    }
}

/// base + light * alpha / 255 in bytes, rounded and saturated.
pub(crate) struct BlendU8<'a, const N: usize> {
    pub(crate) base: &'a [u8],
    pub(crate) light: &'a [u8],
    pub(crate) alpha: u8,
    pub(crate) out: &'a mut [u8],
}

impl<const N: usize> Job for BlendU8<'_, N> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (alpha, half) = (s.u16(self.alpha.into()), s.u16(128));
        // (p + (p >> 8)) >> 8 is (257 p) >> 16.
        let scale = |light| {
            let product = s.add16(s.mul16(light, alpha), half);
            s.mul_high16(product, s.u16(257))
        };
        let bytes = N * S::BYTES;
        let groups = self
            .base
            .chunks_exact(bytes)
            .zip(self.light.chunks_exact(bytes));
        for ((base, light), out) in groups.zip(self.out.chunks_exact_mut(bytes)) {
            for i in 0..N {
                let (low, high) = s.unpack8(s.load(&light[i * S::BYTES..]), s.zero());
                let scaled = s.pack16(scale(low), scale(high));
                let sum = s.add_saturating8(s.load(&base[i * S::BYTES..]), scaled);
                s.store(&mut out[i * S::BYTES..], sum);
            }
        }
    }
}

/// The finalizers of MurmurHash3.
pub(crate) struct Murmur<'a, T, const N: usize> {
    pub(crate) key: &'a [T],
    pub(crate) out: &'a mut [T],
}

impl<const N: usize> Job for Murmur<'_, u32, N> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = S::BYTES / 4;
        let groups = self.key.chunks_exact(N * lanes);
        for (key, out) in groups.zip(self.out.chunks_exact_mut(N * lanes)) {
            for i in 0..N {
                let h: S::I = s.load(&key[i * lanes..]);
                let h = s.mul32(s.xor(h, s.shr32(h, 16)), s.u32(0x85eb_ca6b));
                let h = s.mul32(s.xor(h, s.shr32(h, 13)), s.u32(0xc2b2_ae35));
                s.store(&mut out[i * lanes..], s.xor(h, s.shr32(h, 16)));
            }
        }
    }
}

impl<const N: usize> Job for Murmur<'_, u64, N> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = S::BYTES / 8;
        let groups = self.key.chunks_exact(N * lanes);
        for (key, out) in groups.zip(self.out.chunks_exact_mut(N * lanes)) {
            for i in 0..N {
                let h: S::I = s.load(&key[i * lanes..]);
                let h = s.mul64(s.xor(h, s.shr64(h, 33)), s.u64(0xff51_afd7_ed55_8ccd));
                let h = s.mul64(s.xor(h, s.shr64(h, 33)), s.u64(0xc4ce_b9fe_1a85_ec53));
                s.store(&mut out[i * lanes..], s.xor(h, s.shr64(h, 33)));
            }
        }
    }
}

/// a*x + y, written past the caches.
pub(crate) struct Saxpy<'a, const N: usize> {
    pub(crate) a: f32,
    pub(crate) x: &'a [f32],
    pub(crate) y: &'a [f32],
    pub(crate) out: &'a mut [f32],
}

impl<const N: usize> Job for Saxpy<'_, N> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = S::BYTES / 4;
        let a = s.f32(self.a);
        let groups = self
            .x
            .chunks_exact(N * lanes)
            .zip(self.y.chunks_exact(N * lanes));
        for ((x, y), out) in groups.zip(self.out.chunks_exact_mut(N * lanes)) {
            for i in 0..N {
                let product = s.mul(a, s.load(&x[i * lanes..]));
                let sum = s.add(product, s.load(&y[i * lanes..]));
                s.stream(&mut out[i * lanes..], sum);
            }
        }
        s.fence();
    }
}

/// The number nearest to x between two others, written past the caches.
pub(crate) struct Clip<'a, const N: usize> {
    pub(crate) x: &'a [f32],
    pub(crate) low: f32,
    pub(crate) high: f32,
    pub(crate) out: &'a mut [f32],
}

impl<const N: usize> Job for Clip<'_, N> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let lanes = S::BYTES / 4;
        let (low, high) = (s.f32(self.low), s.f32(self.high));
        let groups = self.x.chunks_exact(N * lanes);
        for (x, out) in groups.zip(self.out.chunks_exact_mut(N * lanes)) {
            for i in 0..N {
                // Of operands one of which is NaN these instructions give the second.
                let bounded = s.min(high, s.max(low, s.load(&x[i * lanes..])));
                s.stream(&mut out[i * lanes..], bounded);
            }
        }
        s.fence();
    }
}
