//! Math functions by vectors of 128 and 256 bits, within about one unit in the last place, and loops over them.
//!
//! The methods are those of `src/math`, as nothing better is known without the instructions of AVX-512; but arguments are
//! bounded where the kernels also give what lies beyond the normal range, `sin` takes none that need the long reduction, and
//! the power of f32 is computed in f64. Every step is done for `N` vectors before the next.
#![expect(
    clippy::approx_constant,
    clippy::excessive_precision,
    reason = "coefficients stand as they were computed"
)]

use crate::each::Each;
use crate::simd::{Math, MathJob, Simd};

const SHIFT: f32 = 12582912.0;
const SHIFT_F64: f64 = 6755399441055744.0;
const SIGN: u32 = 1 << 31;
const SIGN_F64: u64 = 1 << 63;

/// The polynomial with these coefficients, the highest first.
#[inline(always)]
fn horner<S: Math, const K: usize>(s: S, x: S::F, c: [f32; K]) -> S::F {
    let mut p = s.f32(c[0]);
    for c in &c[1..] {
        p = s.fma(p, x, s.f32(*c));
    }
    p
}

/// The same in f64.
#[inline(always)]
fn horner_d<S: Math, const K: usize>(s: S, x: S::D, c: [f64; K]) -> S::D {
    let mut p = s.f64(c[0]);
    for c in &c[1..] {
        p = s.fma_d(p, x, s.f64(*c));
    }
    p
}

/// p times 2 to the integer in the low bits of t.
#[inline(always)]
fn scale<S: Math>(s: S, p: S::F, t: S::F) -> S::F {
    s.float(s.add32(s.bits(p), s.shl32(s.bits(t), 23)))
}

/// The same in f64.
#[inline(always)]
fn scale_d<S: Math>(s: S, p: S::D, t: S::D) -> S::D {
    s.float_d(s.add64(s.bits_d(p), s.shl64(s.bits_d(t), 52)))
}

#[inline(always)]
fn exp<S: Math>(s: S, x: S::F) -> S::F {
    let x = s.max(s.f32(-87.0), s.min(s.f32(88.0), x));
    let t = s.fma(x, s.f32(1.442695), s.f32(SHIFT));
    let n = s.sub(t, s.f32(SHIFT));
    let r = s.fnma(n, s.f32(0.6931472), x);
    let r = s.fma(n, s.f32(1.9046542e-9), r);
    let p = horner(
        s,
        r,
        [
            0.0013839072,
            0.008369201,
            0.041668102,
            0.16666517,
            0.49999994,
            1.0,
            1.0,
        ],
    );
    scale(s, p, t)
}

#[inline(always)]
fn exp_f64<S: Math>(s: S, x: S::D) -> S::D {
    let x = s.max_d(s.f64(-708.0), s.min_d(s.f64(709.0), x));
    let t = s.fma_d(x, s.f64(1.4426950408889634), s.f64(SHIFT_F64));
    let n = s.sub_d(t, s.f64(SHIFT_F64));
    let r = s.fnma_d(n, s.f64(0.6931471805599453), x);
    let r = s.fnma_d(n, s.f64(2.3190468138462996e-17), r);
    let p = horner_d(
        s,
        r,
        [
            2.5018739127334764e-08,
            2.7630762680642114e-07,
            2.7557534367082004e-06,
            2.480149171819431e-05,
            0.0001984126955643801,
            0.001388888894488755,
            0.008333333333475502,
            0.04166666666652573,
            0.16666666666666435,
            0.5000000000000011,
            1.0,
            1.0,
        ],
    );
    scale_d(s, p, t)
}

#[inline(always)]
fn ln<S: Math>(s: S, x: S::F) -> S::F {
    let x = s.bits(x);
    let exponent = s.and(s.sub32(x, s.u32(0x3f3504f3)), s.u32(0xff800000));
    let f = s.sub(s.float(s.sub32(x, exponent)), s.f32(1.0));
    let k = s.to_f32(exponent);
    let z = s.mul(f, f);
    let even = horner(s, z, [-0.07638896, -0.13159992, -0.1662332, -0.25000823]);
    let odd = horner(s, z, [0.12765664, 0.14201035, 0.20001262, 0.3333333]);
    let p = s.fma(f, s.fma(f, even, odd), s.f32(-0.5));
    s.fma(k, s.f32(8.262958e-8), s.fma(p, z, f))
}

/// The exponent k, and f between sqrt(1/2) - 1 and sqrt(2) - 1 with x = 2^k (1 + f).
#[inline(always)]
fn split<S: Math>(s: S, x: S::D) -> (S::D, S::D) {
    let j = s.add64(s.bits_d(x), s.u64(0x00095f619980c433));
    let k = s.or(s.shr64(j, 52), s.u64(0x4330000000000000));
    let k = s.sub_d(s.float_d(k), s.f64(4503599627371519.0));
    let m = s.add64(
        s.and(j, s.u64(0x000fffffffffffff)),
        s.u64(0x3fe6a09e667f3bcd),
    );
    (k, s.sub_d(s.float_d(m), s.f64(1.0)))
}

#[inline(always)]
fn ln_f64<S: Math>(s: S, x: S::D) -> S::D {
    let (k, f) = split(s, x);
    let q = s.div_d(f, s.add_d(s.f64(2.0), f));
    let z = s.mul_d(q, q);
    let square = s.mul_d(s.mul_d(s.f64(0.5), f), f);
    let p = horner_d(
        s,
        z,
        [
            0.1479831590031862,
            0.15313827504628283,
            0.1818357252795064,
            0.2222219842500978,
            0.2857142874373792,
            0.399999999994091,
            0.6666666666666735,
        ],
    );
    let rest = s.fms_d(q, s.fma_d(z, p, square), square);
    let rest = s.fma_d(k, s.f64(2.3190468138462996e-17), rest);
    s.fma_d(k, s.f64(0.6931471805599453), s.add_d(f, rest))
}

#[inline(always)]
fn sin<S: Math>(s: S, x: S::F) -> S::F {
    // Cody & Waite's reduction to high + low, as in `src/math/reduce_pi2.ufk`; larger x than 2^17 are not asked for.
    let t = s.fma(x, s.f32(0.63661975), s.f32(SHIFT));
    let n = s.sub(t, s.f32(SHIFT));
    let r = s.fnma(n, s.f32(1.5707964), x);
    let w = s.mul(n, s.f32(-4.371139e-8));
    let w_rest = s.fms(n, s.f32(-4.371139e-8), w);
    let high = s.sub(r, w);
    let d = s.sub(s.sub(r, high), w);
    let low = s.fma(n, s.f32(1.7151245e-15), s.sub(d, w_rest));
    let z = s.fma(high, high, s.mul(s.add(high, high), low));
    let y = horner(s, z, [-0.00019518095, 0.008332188, -0.16666655]);
    let y = s.add(high, s.fma(y, s.mul(z, high), low));
    let c = horner(s, z, [0.000024432327, -0.001388731, 0.041666646, -0.5, 1.0]);
    let q = s.bits(t);
    let y = s.select(s.signs(s.shl32(q, 31)), c, y);
    let sign = s.and(s.shl32(q, 30), s.u32(SIGN));
    s.float(s.xor(s.bits(y), sign))
}

#[inline(always)]
fn sin_f64<S: Math>(s: S, x: S::D) -> S::D {
    let t = s.fma_d(x, s.f64(0.6366197723675814), s.f64(SHIFT_F64));
    let n = s.sub_d(t, s.f64(SHIFT_F64));
    let r = s.fnma_d(n, s.f64(1.5707963267948966), x);
    let w = s.mul_d(n, s.f64(6.123233995736766e-17));
    let w_rest = s.fms_d(n, s.f64(6.123233995736766e-17), w);
    let high = s.sub_d(r, w);
    let d = s.sub_d(s.sub_d(r, high), w);
    let low = s.fma_d(n, s.f64(1.4973849048591698e-33), s.sub_d(d, w_rest));
    let z = s.fma_d(high, high, s.mul_d(s.add_d(high, high), low));
    let y = horner_d(
        s,
        z,
        [
            1.5895432682981633e-10,
            -2.5050734380871927e-08,
            2.7557313538475656e-06,
            -0.00019841269829358468,
            0.00833333333332184,
            -0.1666666666666663,
        ],
    );
    let y = s.add_d(high, s.fma_d(y, s.mul_d(z, high), low));
    let c = horner_d(
        s,
        z,
        [
            -1.1358683451490761e-11,
            2.087570427299419e-09,
            -2.755731421008584e-07,
            2.48015872889837e-05,
            -0.0013888888888873325,
            0.041666666666666595,
            -0.5,
            1.0,
        ],
    );
    let q = s.bits_d(t);
    let y = s.select_d(s.signs_d(s.shl64(q, 63)), c, y);
    let sign = s.and(s.shl64(q, 62), s.u64(SIGN_F64));
    s.float_d(s.xor(s.bits_d(y), sign))
}

#[inline(always)]
fn abs<S: Math>(s: S, x: S::F) -> S::F {
    s.float(s.and(s.bits(x), s.u32(!SIGN)))
}

#[inline(always)]
fn abs_d<S: Math>(s: S, x: S::D) -> S::D {
    s.float_d(s.and(s.bits_d(x), s.u64(!SIGN_F64)))
}

#[inline(always)]
fn tanh<S: Math>(s: S, x: S::F) -> S::F {
    let a = s.min(s.f32(10.0), abs(s, x));
    let z = s.mul(a, a);
    let p = horner(
        s,
        z,
        [
            -0.00035844083,
            0.0023013253,
            -0.007946052,
            0.02148662,
            -0.05387979,
            0.13332344,
            -0.33333296,
        ],
    );
    let near = s.fma(p, s.mul(z, a), a);
    // 1 - 2 / (e^2a + 1)
    let t = s.fma(a, s.f32(2.88539), s.f32(SHIFT));
    let r = s.fnma(s.sub(t, s.f32(SHIFT)), s.f32(0.3465736), a);
    let e = horner(
        s,
        r,
        [
            0.088470265,
            0.2678026,
            0.6666919,
            1.3333216,
            1.9999998,
            2.0,
            1.0,
        ],
    );
    let below = s.add(scale(s, e, t), s.f32(1.0));
    let far = s.sub(s.f32(1.0), s.div(s.f32(2.0), below));
    let is_far = s.less(s.all(), s.f32(1.0), a);
    let y = s.select(is_far, far, near);
    s.float(s.or(s.bits(y), s.and(s.bits(x), s.u32(SIGN))))
}

/// x^y by f64, for positive x, where the result is an f32 within the normal range.
#[inline(always)]
fn pow_f64<S: Math>(s: S, x: S::D, y: S::D) -> S::D {
    let (k, f) = split(s, x);
    let q = s.div_d(f, s.add_d(s.f64(2.0), f));
    // log2((1 + q) / (1 - q)) / q, off by 2^-37.7.
    let p = horner_d(
        s,
        s.mul_d(q, q),
        [
            0.3407329932431587,
            0.411672687343722,
            0.5770835830070097,
            0.9617966733682309,
            2.885390081790048,
        ],
    );
    let e = s.mul_d(y, s.fma_d(p, q, k));
    let e = s.max_d(s.f64(-126.0), s.min_d(s.f64(127.0), e));
    let t = s.add_d(e, s.f64(SHIFT_F64));
    let p = horner_d(
        s,
        s.sub_d(e, s.sub_d(t, s.f64(SHIFT_F64))),
        [
            0.00015345786666001931,
            0.0013399931014488829,
            0.009618489051304406,
            0.055503287776026854,
            0.24022646889763896,
            0.6931472057368721,
            1.0000000005542838,
        ],
    );
    scale_d(s, p, t)
}

#[inline(always)]
fn pow<S: Math>(s: S, x: S::F, y: S::F) -> S::F {
    let ((x0, x1), (y0, y1)) = (s.widen(x), s.widen(y));
    s.narrow(pow_f64(s, x0, y0), pow_f64(s, x1, y1))
}

#[inline(always)]
fn normal_cdf<S: Math>(s: S, x: S::F) -> S::F {
    let one = s.f32(1.0);
    let t = s.div(one, s.fma(s.f32(0.2316419), abs(s, x), one));
    let p = horner(
        s,
        t,
        [
            1.330_274_5,
            -1.821_256,
            1.781_477_9,
            -0.356_563_78,
            0.319_381_53,
        ],
    );
    let e = exp(s, s.mul(s.f32(-0.5), s.mul(x, x)));
    let tail = s.mul(s.mul(s.f32(0.398_942_3), e), s.mul(p, t));
    let right = s.less(s.all(), s.f32(0.0), x);
    s.select(right, s.sub(one, tail), tail)
}

#[inline(always)]
fn black_scholes<S: Math>(s: S, spot: S::F, strike: S::F, years: S::F) -> [S::F; 2] {
    let one = s.f32(1.0);
    let spread = s.mul(s.f32(0.3), s.sqrt(years));
    let drift = s.f32(0.02 + 0.5 * 0.3 * 0.3);
    let log = ln(s, s.div(spot, strike));
    let d1 = s.div(s.fma(drift, years, log), spread);
    let discounted = s.mul(strike, exp(s, s.mul(s.f32(-0.02), years)));
    let (cdf1, cdf2) = (normal_cdf(s, d1), normal_cdf(s, s.sub(d1, spread)));
    let call = s.fms(spot, cdf1, s.mul(discounted, cdf2));
    let put = s.mul(spot, s.sub(one, cdf1));
    [call, s.fms(discounted, s.sub(one, cdf2), put)]
}

#[inline(always)]
fn normal_cdf_f64<S: Math>(s: S, x: S::D) -> S::D {
    let one = s.f64(1.0);
    let t = s.div_d(one, s.fma_d(s.f64(0.2316419), abs_d(s, x), one));
    let p = horner_d(
        s,
        t,
        [
            1.330274429,
            -1.821255978,
            1.781477937,
            -0.356563782,
            0.319381530,
        ],
    );
    let e = exp_f64(s, s.mul_d(s.f64(-0.5), s.mul_d(x, x)));
    let tail = s.mul_d(s.mul_d(s.f64(0.3989422804), e), s.mul_d(p, t));
    let right = s.less_d(s.all_d(), s.f64(0.0), x);
    s.select_d(right, s.sub_d(one, tail), tail)
}

#[inline(always)]
fn black_scholes_f64<S: Math>(s: S, spot: S::D, strike: S::D, years: S::D) -> [S::D; 2] {
    let one = s.f64(1.0);
    let spread = s.mul_d(s.f64(0.3), s.sqrt_d(years));
    let drift = s.f64(0.02 + 0.5 * 0.3 * 0.3);
    let log = ln_f64(s, s.div_d(spot, strike));
    let d1 = s.div_d(s.fma_d(drift, years, log), spread);
    let discounted = s.mul_d(strike, exp_f64(s, s.mul_d(s.f64(-0.02), years)));
    let (cdf1, cdf2) = (
        normal_cdf_f64(s, d1),
        normal_cdf_f64(s, s.sub_d(d1, spread)),
    );
    let call = s.fms_d(spot, cdf1, s.mul_d(discounted, cdf2));
    let put = s.mul_d(spot, s.sub_d(one, cdf1));
    [call, s.fms_d(discounted, s.sub_d(one, cdf2), put)]
}

/// Jobs that apply a function to slices, `N` vectors at a time; what fills no `N` vectors of the shortest slice is left out.
macro_rules! jobs {
    ($(struct $name:ident($($arg:ident),+) -> ($($out:ident),+) of $type:ty = |$s:ident| $results:expr;)*) => { $(
        pub(crate) struct $name<'a, const N: usize> {
            $(pub(crate) $arg: &'a [$type],)+
            $(pub(crate) $out: &'a mut [$type],)+
        }

        impl<const N: usize> MathJob for $name<'_, N> {
            #[inline(always)]
            fn run<S: Math>(self, $s: S) {
                let $s = Each::<S, N>($s);
                let lanes = N * S::BYTES / size_of::<$type>();
                let n = [$(self.$arg.len(),)+ $(self.$out.len()),+].into_iter().min().unwrap_or(0);
                $(let $out = self.$out;)+
                for at in (0..n / lanes).map(|i| i * lanes) {
                    $(let $arg = $s.load(&self.$arg[at..at + lanes]);)+
                    let mut results = $results.into_iter();
                    $($s.store(&mut $out[at..at + lanes], results.next().expect("a result for each output"));)+
                }
            }
        }
    )* };
}

jobs! {
    struct Exp(x) -> (out) of f32 = |s| [exp(s, x)];
    struct ExpF64(x) -> (out) of f64 = |s| [exp_f64(s, x)];
    struct Ln(x) -> (out) of f32 = |s| [ln(s, x)];
    struct LnF64(x) -> (out) of f64 = |s| [ln_f64(s, x)];
    struct Sin(x) -> (out) of f32 = |s| [sin(s, x)];
    struct SinF64(x) -> (out) of f64 = |s| [sin_f64(s, x)];
    struct Tanh(x) -> (out) of f32 = |s| [tanh(s, x)];
    struct Pow(x, y) -> (out) of f32 = |s| [pow(s, x, y)];
    struct BlackScholes(spot, strike, years) -> (call, put) of f32 = |s| black_scholes(s, spot, strike, years);
    struct BlackScholesF64(spot, strike, years) -> (call, put) of f64 = |s| black_scholes_f64(s, spot, strike, years);
}
