//! Math functions by AVX-512 intrinsics, within about one unit in the last place, and loops over them.
//!
//! They use what `src/math` cannot, because every target must have it: exponents and significands taken apart and put
//! together by instructions, tables of 16 entries in registers, and f64 for the power of f32. Every step is done for `K`
//! vectors before the next, so that they are in flight at once.
#![expect(unsafe_code, reason = "loads and stores by intrinsics")]
#![expect(
    clippy::approx_constant,
    clippy::excessive_precision,
    reason = "coefficients stand as they were computed"
)]

use crate::simd::Avx512;
use std::arch::x86_64::*;

/// `K` vectors of 16 f32, of 8 f64, of integers, and of 8 f32.
type Ps<const K: usize> = [__m512; K];
type Pd<const K: usize> = [__m512d; K];
type Pi<const K: usize> = [__m512i; K];
type Ph<const K: usize> = [__m256; K];
/// Masks of `K` vectors of 16 and of 8 lanes.
type M16<const K: usize> = [__mmask16; K];
type M8<const K: usize> = [__mmask8; K];

/// Functions of `K` vectors that have the instructions enabled.
macro_rules! avx512 {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty $body:block)*) => {
        $($(#[$doc])*
        #[inline]
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
        fn $name<const K: usize>($($arg: $type),*) -> $result $body)*
    };
}

/// What an array of results holds before they are computed.
macro_rules! blank {
    (Ps) => {
        _mm512_setzero_ps()
    };
    (Pd) => {
        _mm512_setzero_pd()
    };
    (Pi) => {
        _mm512_setzero_si512()
    };
    (Ph) => {
        _mm256_setzero_ps()
    };
    (M16) => {
        0
    };
    (M8) => {
        0
    };
}

/// Functions that apply an intrinsic to each of `K` vectors. Not by `map`, which would be a function without the instructions.
macro_rules! each {
    ($(fn $name:ident($($arg:ident: $type:ident),+) -> $result:ident = $f:expr;)*) => {
        $(#[inline]
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
        fn $name<const K: usize>($($arg: $type<K>),+) -> $result<K> {
            let mut results = [blank!($result); K];
            for i in 0..K {
                results[i] = $f($($arg[i]),+);
            }
            results
        })*
    };
}

const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

/// The polynomial with these coefficients, the highest first.
macro_rules! horner {
    ($fma:ident, $set:ident, $x:expr, $first:expr $(, $rest:expr)*) => {{
        let p = $set($first);
        $(let p = $fma(p, $x, $set($rest));)*
        p
    }};
}

macro_rules! horner_ps { ($($all:expr),*) => { horner!(fmadd_ps, set1_ps, $($all),*) }; }
macro_rules! horner_pd { ($($all:expr),*) => { horner!(fmadd_pd, set1_pd, $($all),*) }; }

const RECIPROCALS: [f32; 16] = [
    1.0, 0.9142857, 0.8648649, 0.82051283, 0.7804878, 0.74418604, 0.7111111, 0.68085104, 0.6530612,
    0.627451, 0.6037736, 0.58181816, 0.5614035, 0.5423729, 0.52459013, 0.5,
];
/// Minus their logarithms, in 16 bits after the point, and what is left.
const LOGARITHMS: [f32; 16] = [
    0.0, 0.08961487, 0.14518738, 0.1978302, 0.24783325, 0.2954712, 0.34092712, 0.38441467,
    0.42608643, 0.46609497, 0.5045624, 0.54159546, 0.5773163, 0.61180115, 0.6451416, 0.69314575,
];
const LOGARITHMS_LOW: [f32; 16] = [
    0.0,
    -2.7150622e-06,
    -5.3922995e-06,
    -4.469904e-06,
    2.9492044e-06,
    -6.974787e-06,
    -5.6126726e-07,
    -2.9422763e-06,
    -2.0099812e-06,
    -5.276169e-06,
    -6.3820785e-06,
    1.8551133e-06,
    -9.265954e-07,
    3.917824e-07,
    -3.5843095e-06,
    1.4286068e-06,
];
const RECIPROCALS_F64: [f64; 16] = [
    1.0,
    0.9142857142857143,
    0.8648648648648649,
    0.8205128205128205,
    0.7804878048780488,
    0.7441860465116279,
    0.7111111111111111,
    0.6808510638297872,
    0.6530612244897959,
    0.6274509803921569,
    0.6037735849056604,
    0.5818181818181818,
    0.5614035087719298,
    0.5423728813559322,
    0.5245901639344263,
    0.5,
];
/// The same with 41 bits after the point.
const LOGARITHMS_F64: [f64; 16] = [
    0.0,
    0.08961215868976069,
    0.14518200984457508,
    0.19782574332975855,
    0.2478361639045943,
    0.2954642128938758,
    0.3409265869704541,
    0.3844116989102986,
    0.42608439531068143,
    0.46608972992453346,
    0.504556010752367,
    0.5415972824325763,
    0.5773153650347922,
    0.6118015411061606,
    0.6451379613736208,
    0.6931471805601177,
];
const LOGARITHMS_F64_LOW: [f64; 16] = [
    0.0,
    -7.35264771717827e-14,
    -7.723552451951224e-14,
    1.6136292114192777e-13,
    -1.30644916428282e-14,
    -3.9920286056070625e-14,
    1.3909024820550417e-13,
    3.34813888241045e-14,
    2.1871323021205404e-13,
    6.578047547360843e-14,
    2.8323962525539384e-14,
    1.6809885054311478e-13,
    3.146591915627622e-14,
    -1.6767760503089542e-13,
    -3.613335530850488e-14,
    -1.7239444525614835e-13,
];
const LOGARITHMS_2: [f64; 16] = [
    0.0,
    0.1292830169449665,
    0.2094533656289497,
    0.28540221886224837,
    0.3575520046180836,
    0.42626475470209796,
    0.49185309632967467,
    0.5545888516776374,
    0.6147098441152083,
    0.6724253419714956,
    0.7279204545631992,
    0.7813597135246597,
    0.8328900141647417,
    0.8826430493618412,
    0.9307373375628862,
    1.0,
];

#[rustfmt::skip]
each! {
    fn add_ps(a: Ps, b: Ps) -> Ps = _mm512_add_ps;
    fn sub_ps(a: Ps, b: Ps) -> Ps = _mm512_sub_ps;
    fn mul_ps(a: Ps, b: Ps) -> Ps = _mm512_mul_ps;
    fn div_ps(a: Ps, b: Ps) -> Ps = _mm512_div_ps;
    fn min_ps(a: Ps, b: Ps) -> Ps = _mm512_min_ps;
    fn max_ps(a: Ps, b: Ps) -> Ps = _mm512_max_ps;
    fn scalef_ps(a: Ps, b: Ps) -> Ps = _mm512_scalef_ps;
    fn fmadd_ps(a: Ps, b: Ps, c: Ps) -> Ps = _mm512_fmadd_ps;
    fn fmsub_ps(a: Ps, b: Ps, c: Ps) -> Ps = _mm512_fmsub_ps;
    fn fnmadd_ps(a: Ps, b: Ps, c: Ps) -> Ps = _mm512_fnmadd_ps;
    fn abs_ps(a: Ps) -> Ps = _mm512_abs_ps;
    fn sqrt_ps(a: Ps) -> Ps = _mm512_sqrt_ps;
    fn getexp_ps(a: Ps) -> Ps = _mm512_getexp_ps;
    fn round_ps(a: Ps) -> Ps = _mm512_roundscale_ps::<NEAREST>;
    fn getmant_ps(a: Ps) -> Ps = _mm512_getmant_ps::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_NAN>;
    fn greater_ps(a: Ps, b: Ps) -> M16 = _mm512_cmp_ps_mask::<_CMP_GT_OQ>;
    fn mask_mov_ps(a: Ps, m: M16, b: Ps) -> Ps = _mm512_mask_mov_ps;
    fn mask_sub_ps(a: Ps, m: M16, b: Ps, c: Ps) -> Ps = _mm512_mask_sub_ps;
    fn castps_si512(a: Ps) -> Pi = _mm512_castps_si512;
    fn castsi512_ps(a: Pi) -> Ps = _mm512_castsi512_ps;
    fn add_pd(a: Pd, b: Pd) -> Pd = _mm512_add_pd;
    fn sub_pd(a: Pd, b: Pd) -> Pd = _mm512_sub_pd;
    fn mul_pd(a: Pd, b: Pd) -> Pd = _mm512_mul_pd;
    fn div_pd(a: Pd, b: Pd) -> Pd = _mm512_div_pd;
    fn min_pd(a: Pd, b: Pd) -> Pd = _mm512_min_pd;
    fn max_pd(a: Pd, b: Pd) -> Pd = _mm512_max_pd;
    fn scalef_pd(a: Pd, b: Pd) -> Pd = _mm512_scalef_pd;
    fn fmadd_pd(a: Pd, b: Pd, c: Pd) -> Pd = _mm512_fmadd_pd;
    fn fmsub_pd(a: Pd, b: Pd, c: Pd) -> Pd = _mm512_fmsub_pd;
    fn fnmadd_pd(a: Pd, b: Pd, c: Pd) -> Pd = _mm512_fnmadd_pd;
    fn abs_pd(a: Pd) -> Pd = _mm512_abs_pd;
    fn sqrt_pd(a: Pd) -> Pd = _mm512_sqrt_pd;
    fn getexp_pd(a: Pd) -> Pd = _mm512_getexp_pd;
    fn round_pd(a: Pd) -> Pd = _mm512_roundscale_pd::<NEAREST>;
    fn getmant_pd(a: Pd) -> Pd = _mm512_getmant_pd::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_NAN>;
    fn greater_pd(a: Pd, b: Pd) -> M8 = _mm512_cmp_pd_mask::<_CMP_GT_OQ>;
    fn mask_mov_pd(a: Pd, m: M8, b: Pd) -> Pd = _mm512_mask_mov_pd;
    fn mask_sub_pd(a: Pd, m: M8, b: Pd, c: Pd) -> Pd = _mm512_mask_sub_pd;
    fn castpd_si512(a: Pd) -> Pi = _mm512_castpd_si512;
    fn castsi512_pd(a: Pi) -> Pd = _mm512_castsi512_pd;
    fn permutexvar_ps(index: Pi, a: Ps) -> Ps = _mm512_permutexvar_ps;
    fn permutex2var_pd(a: Pd, index: Pi, b: Pd) -> Pd = _mm512_permutex2var_pd;
    fn and_si512(a: Pi, b: Pi) -> Pi = _mm512_and_si512;
    fn or_si512(a: Pi, b: Pi) -> Pi = _mm512_or_si512;
    fn xor_si512(a: Pi, b: Pi) -> Pi = _mm512_xor_si512;
    fn index_epi32(a: Pi) -> Pi = _mm512_srli_epi32::<19>;
    fn index_epi64(a: Pi) -> Pi = _mm512_srli_epi64::<48>;
    fn slli30_epi32(a: Pi) -> Pi = _mm512_slli_epi32::<30>;
    fn slli62_epi64(a: Pi) -> Pi = _mm512_slli_epi64::<62>;
    fn test_epi32_mask(a: Pi, b: Pi) -> M16 = _mm512_test_epi32_mask;
    fn test_epi64_mask(a: Pi, b: Pi) -> M8 = _mm512_test_epi64_mask;
    fn cvtps_pd(a: Ph) -> Pd = _mm512_cvtps_pd;
    fn cvtpd_ps(a: Pd) -> Ph = _mm512_cvtpd_ps;
    fn castps512_ps256(a: Ps) -> Ph = _mm512_castps512_ps256;
    fn extractf32x8_ps(a: Ps) -> Ph = _mm512_extractf32x8_ps::<1>;
    fn castps256_ps512(a: Ph) -> Ps = _mm512_castps256_ps512;
    fn insertf32x8(a: Ps, b: Ph) -> Ps = _mm512_insertf32x8::<1>;
}

#[rustfmt::skip]
avx512! {
    fn set1_ps(x: f32) -> Ps<K> { [_mm512_set1_ps(x); K] }
    fn set1_pd(x: f64) -> Pd<K> { [_mm512_set1_pd(x); K] }
    fn set1_epi32(x: i32) -> Pi<K> { [_mm512_set1_epi32(x); K] }
    fn set1_epi64(x: i64) -> Pi<K> { [_mm512_set1_epi64(x); K] }
}

avx512! {
    fn table(index: Pi<K>, entries: &[f32; 16]) -> Ps<K> {
        // SAFETY: 16 of f32 are 64 bytes.
        permutexvar_ps(index, [unsafe { _mm512_loadu_ps(entries.as_ptr()) }; K])
    }

    fn table_f64(index: Pi<K>, entries: &[f64; 16]) -> Pd<K> {
        // SAFETY: 16 of f64 are twice 64 bytes.
        let halves = unsafe { (_mm512_loadu_pd(entries.as_ptr()), _mm512_loadu_pd(entries.as_ptr().add(8))) };
        permutex2var_pd([halves.0; K], index, [halves.1; K])
    }

    fn exp(x: Ps<K>) -> Ps<K> {
        // Kept where 2^n is finite; NaN stays, as the second operand.
        let x = max_ps(set1_ps(-105.0), min_ps(set1_ps(90.0), x));
        let n = round_ps(mul_ps(x, set1_ps(1.442695)));
        let r = fnmadd_ps(n, set1_ps(0.6931472), x);
        let r = fmadd_ps(n, set1_ps(1.9046542e-9), r);
        let p = horner_ps!(r, 0.0013839072, 0.008369201, 0.041668102, 0.16666517, 0.49999994, 1.0, 1.0);
        scalef_ps(p, n)
    }

    fn exp_f64(x: Pd<K>) -> Pd<K> {
        let x = max_pd(set1_pd(-747.0), min_pd(set1_pd(711.0), x));
        let n = round_pd(mul_pd(x, set1_pd(1.4426950408889634)));
        let r = fnmadd_pd(n, set1_pd(0.6931471805599453), x);
        let r = fmadd_pd(n, set1_pd(-2.3190468138462996e-17), r);
        let p = horner_pd!(
            r, 2.5018739127334764e-08, 2.7630762680642114e-07, 2.7557534367082004e-06, 2.480149171819431e-05,
            0.0001984126955643801, 0.001388888894488755, 0.008333333333475502, 0.04166666666652573,
            0.16666666666666435, 0.5000000000000011, 1.0, 1.0
        );
        scalef_pd(p, n)
    }

    fn ln(x: Ps<K>) -> Ps<K> {
        let m = getmant_ps(x);
        let k = getexp_ps(x);
        // The upper four bits of the significand; a permutation looks at no others.
        let index = index_epi32(castps_si512(m));
        let f = fmsub_ps(m, table(index, &RECIPROCALS), set1_ps(1.0));
        let high = fmadd_ps(k, set1_ps(0.69314575), table(index, &LOGARITHMS));
        let low = fmadd_ps(k, set1_ps(1.4286068e-6), table(index, &LOGARITHMS_LOW));
        let p = horner_ps!(f, -0.155_005_63, 0.200_028_53, -0.250_017_18, 0.333_333_42, -0.5);
        let rest = fmadd_ps(p, mul_ps(f, f), low);
        add_ps(high, add_ps(f, rest))
    }

    fn ln_f64(x: Pd<K>) -> Pd<K> {
        let m = getmant_pd(x);
        let k = getexp_pd(x);
        let index = index_epi64(castpd_si512(m));
        let f = fmsub_pd(m, table_f64(index, &RECIPROCALS_F64), set1_pd(1.0));
        let high = fmadd_pd(k, set1_pd(0.6931471805601177), table_f64(index, &LOGARITHMS_F64));
        let low = fmadd_pd(k, set1_pd(-1.7239444525614835e-13), table_f64(index, &LOGARITHMS_F64_LOW));
        let p = horner_pd!(
            f, 0.078655918904597789, -0.099574985734658722, 0.11113207881397248, -0.1250013670184797,
            0.14285713744382651, -0.16666666543282005, 0.1999999999953899, -0.25000000000041072,
            0.33333333333333482, -0.5
        );
        let rest = fmadd_pd(p, mul_pd(f, f), low);
        add_pd(high, add_pd(f, rest))
    }

    fn sin(x: Ps<K>) -> Ps<K> {
        // Cody & Waite's reduction to high + low, as in `src/math/reduce_pi2.ufk`; larger x than 2^17 are not asked for.
        let shift = set1_ps(12582912.0);
        let t = fmadd_ps(x, set1_ps(0.63661975), shift);
        let n = sub_ps(t, shift);
        let r = fnmadd_ps(n, set1_ps(1.5707964), x);
        let w = mul_ps(n, set1_ps(-4.371139e-8));
        let w_rest = fmsub_ps(n, set1_ps(-4.371139e-8), w);
        let high = sub_ps(r, w);
        let d = sub_ps(sub_ps(r, high), w);
        let low = fmadd_ps(n, set1_ps(1.7151245e-15), sub_ps(d, w_rest));
        let z = fmadd_ps(high, high, mul_ps(add_ps(high, high), low));
        let s = horner_ps!(z, -0.00019518095, 0.008332188, -0.16666655);
        let s = add_ps(high, fmadd_ps(s, mul_ps(z, high), low));
        let c = horner_ps!(z, 0.000024432327, -0.001388731, 0.041666646, -0.5, 1.0);
        let q = castps_si512(t);
        let y = mask_mov_ps(s, test_epi32_mask(q, set1_epi32(1)), c);
        let sign = and_si512(slli30_epi32(q), set1_epi32(i32::MIN));
        castsi512_ps(xor_si512(castps_si512(y), sign))
    }

    fn sin_f64(x: Pd<K>) -> Pd<K> {
        let shift = set1_pd(6755399441055744.0);
        let t = fmadd_pd(x, set1_pd(0.6366197723675814), shift);
        let n = sub_pd(t, shift);
        let r = fnmadd_pd(n, set1_pd(1.5707963267948966), x);
        let w = mul_pd(n, set1_pd(6.123233995736766e-17));
        let w_rest = fmsub_pd(n, set1_pd(6.123233995736766e-17), w);
        let high = sub_pd(r, w);
        let d = sub_pd(sub_pd(r, high), w);
        let low = fmadd_pd(n, set1_pd(1.4973849048591698e-33), sub_pd(d, w_rest));
        let z = fmadd_pd(high, high, mul_pd(add_pd(high, high), low));
        let s = horner_pd!(
            z, 1.5895432682981633e-10, -2.5050734380871927e-08, 2.7557313538475656e-06,
            -0.00019841269829358468, 0.00833333333332184, -0.1666666666666663
        );
        let s = add_pd(high, fmadd_pd(s, mul_pd(z, high), low));
        let c = horner_pd!(
            z, -1.1358683451490761e-11, 2.087570427299419e-09, -2.755731421008584e-07, 2.48015872889837e-05,
            -0.0013888888888873325, 0.041666666666666595, -0.5, 1.0
        );
        let q = castpd_si512(t);
        let y = mask_mov_pd(s, test_epi64_mask(q, set1_epi64(1)), c);
        let sign = and_si512(slli62_epi64(q), set1_epi64(i64::MIN));
        castsi512_pd(xor_si512(castpd_si512(y), sign))
    }

    fn tanh(x: Ps<K>) -> Ps<K> {
        let a = min_ps(set1_ps(10.0), abs_ps(x));
        let z = mul_ps(a, a);
        let p = horner_ps!(
            z, -0.00035844083, 0.0023013253, -0.007946052, 0.02148662, -0.05387979, 0.13332344, -0.33333296
        );
        let near = fmadd_ps(p, mul_ps(z, a), a);
        // 1 - 2 / (e^2a + 1)
        let n = round_ps(mul_ps(a, set1_ps(2.88539)));
        let r = fnmadd_ps(n, set1_ps(0.3465736), a);
        let e = horner_ps!(r, 0.088470265, 0.2678026, 0.6666919, 1.3333216, 1.9999998, 2.0, 1.0);
        let below = add_ps(scalef_ps(e, n), set1_ps(1.0));
        let far = sub_ps(set1_ps(1.0), div_ps(set1_ps(2.0), below));
        let is_far = greater_ps(a, set1_ps(1.0));
        let y = castps_si512(mask_mov_ps(near, is_far, far));
        let sign = and_si512(castps_si512(x), set1_epi32(i32::MIN));
        castsi512_ps(or_si512(y, sign))
    }

    /// x^y of half the lanes by f64, for positive x.
    fn pow_half(x: Ph<K>, y: Ph<K>) -> Ph<K> {
        let (x, y) = (cvtps_pd(x), cvtps_pd(y));
        let m = getmant_pd(x);
        let index = index_epi64(castpd_si512(m));
        let f = fmsub_pd(m, table_f64(index, &RECIPROCALS_F64), set1_pd(1.0));
        let k = add_pd(getexp_pd(x), table_f64(index, &LOGARITHMS_2));
        let p = horner_pd!(
            f, -0.22328494243457597, 0.28856307762626057, -0.36069962887248983, 0.48089851519834514,
            -0.7213475119613405, 1.4426950408665163
        );
        let e = mul_pd(y, fmadd_pd(p, f, k));
        let e = max_pd(set1_pd(-160.0), min_pd(set1_pd(130.0), e));
        let n = round_pd(e);
        let p = horner_pd!(
            sub_pd(e, n), 0.00015345786666001931, 0.0013399931014488829, 0.009618489051304406,
            0.055503287776026854, 0.24022646889763896, 0.6931472057368721, 1.0000000005542838
        );
        cvtpd_ps(scalef_pd(p, n))
    }

    fn pow(x: Ps<K>, y: Ps<K>) -> Ps<K> {
        let low = pow_half(castps512_ps256(x), castps512_ps256(y));
        let high = pow_half(extractf32x8_ps(x), extractf32x8_ps(y));
        insertf32x8(castps256_ps512(low), high)
    }

    fn normal_cdf(x: Ps<K>) -> Ps<K> {
        let one = set1_ps(1.0);
        let t = div_ps(one, fmadd_ps(set1_ps(0.2316419), abs_ps(x), one));
        let p = horner_ps!(t, 1.330_274_5, -1.821_256, 1.781_477_9, -0.356_563_78, 0.319_381_53);
        let e = exp(mul_ps(set1_ps(-0.5), mul_ps(x, x)));
        let tail = mul_ps(mul_ps(set1_ps(0.398_942_3), e), mul_ps(p, t));
        let right = greater_ps(x, set1_ps(0.0));
        mask_sub_ps(tail, right, one, tail)
    }

    fn black_scholes(spot: Ps<K>, strike: Ps<K>, years: Ps<K>) -> (Ps<K>, Ps<K>) {
        let one = set1_ps(1.0);
        let spread = mul_ps(set1_ps(0.3), sqrt_ps(years));
        let drift = set1_ps(0.02 + 0.5 * 0.3 * 0.3);
        let log = ln(div_ps(spot, strike));
        let d1 = div_ps(fmadd_ps(drift, years, log), spread);
        let discounted = mul_ps(strike, exp(mul_ps(set1_ps(-0.02), years)));
        let (cdf1, cdf2) = (normal_cdf(d1), normal_cdf(sub_ps(d1, spread)));
        let call = fmsub_ps(spot, cdf1, mul_ps(discounted, cdf2));
        let put = mul_ps(spot, sub_ps(one, cdf1));
        (call, fmsub_ps(discounted, sub_ps(one, cdf2), put))
    }

    fn normal_cdf_f64(x: Pd<K>) -> Pd<K> {
        let one = set1_pd(1.0);
        let t = div_pd(one, fmadd_pd(set1_pd(0.2316419), abs_pd(x), one));
        let p = horner_pd!(t, 1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.319381530);
        let e = exp_f64(mul_pd(set1_pd(-0.5), mul_pd(x, x)));
        let tail = mul_pd(mul_pd(set1_pd(0.3989422804), e), mul_pd(p, t));
        let right = greater_pd(x, set1_pd(0.0));
        mask_sub_pd(tail, right, one, tail)
    }

    fn black_scholes_f64(spot: Pd<K>, strike: Pd<K>, years: Pd<K>) -> (Pd<K>, Pd<K>) {
        let one = set1_pd(1.0);
        let spread = mul_pd(set1_pd(0.3), sqrt_pd(years));
        let drift = set1_pd(0.02 + 0.5 * 0.3 * 0.3);
        let log = ln_f64(div_pd(spot, strike));
        let d1 = div_pd(fmadd_pd(drift, years, log), spread);
        let discounted = mul_pd(strike, exp_f64(mul_pd(set1_pd(-0.02), years)));
        let (cdf1, cdf2) = (normal_cdf_f64(d1), normal_cdf_f64(sub_pd(d1, spread)));
        let call = fmsub_pd(spot, cdf1, mul_pd(discounted, cdf2));
        let put = mul_pd(spot, sub_pd(one, cdf1));
        (call, fmsub_pd(discounted, sub_pd(one, cdf2), put))
    }
}

/// Defines a function over slices: `N` vectors are in flight; what fills no `N` vectors of the shortest slice is left out.
macro_rules! over_slices {
    ($(fn $name:ident = $f:ident($($arg:ident),+) of $type:ty; $blank:ident, $load:ident, $store:ident;)*) => { $(
        pub(crate) fn $name<const N: usize>(_s: Avx512, $($arg: &[$type],)+ out: &mut [$type]) {
            // SAFETY: `_s` exists only where the processor has the instructions.
            unsafe { inside::$name::<N>($($arg,)+ out) }
        }
    )*

    mod inside { use super::*; $(
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
        pub(super) fn $name<const N: usize>($($arg: &[$type],)+ out: &mut [$type]) {
            let lanes = 64 / size_of::<$type>();
            let n = [$($arg.len(),)+ out.len()].into_iter().min().unwrap_or(0);
            for at in (0..n / (N * lanes)).map(|group| group * N * lanes) {
                $(let from = $arg;
                let mut $arg = [blank!($blank); N];
                for i in 0..N {
                    // SAFETY: `at` and N vectors after it are within the shortest slice.
                    $arg[i] = unsafe { $load(from.as_ptr().add(at + i * lanes)) };
                })+
                let results = $f($($arg),+);
                for i in 0..N {
                    // SAFETY: as above.
                    unsafe { $store(out.as_mut_ptr().add(at + i * lanes), results[i]) }
                }
            }
        }
    )* } };
}

over_slices! {
    fn exp_all = exp(x) of f32; Ps, _mm512_loadu_ps, _mm512_storeu_ps;
    fn exp_f64_all = exp_f64(x) of f64; Pd, _mm512_loadu_pd, _mm512_storeu_pd;
    fn ln_all = ln(x) of f32; Ps, _mm512_loadu_ps, _mm512_storeu_ps;
    fn ln_f64_all = ln_f64(x) of f64; Pd, _mm512_loadu_pd, _mm512_storeu_pd;
    fn sin_all = sin(x) of f32; Ps, _mm512_loadu_ps, _mm512_storeu_ps;
    fn sin_f64_all = sin_f64(x) of f64; Pd, _mm512_loadu_pd, _mm512_storeu_pd;
    fn tanh_all = tanh(x) of f32; Ps, _mm512_loadu_ps, _mm512_storeu_ps;
    fn pow_all = pow(x, y) of f32; Ps, _mm512_loadu_ps, _mm512_storeu_ps;
}

/// The same for the two results of Black and Scholes.
macro_rules! options {
    ($(fn $name:ident = $f:ident of $type:ty; $blank:ident, $load:ident, $store:ident;)*) => { $(
        pub(crate) fn $name<const N: usize>(_s: Avx512, inputs: [&[$type]; 3], outputs: [&mut [$type]; 2]) {
            // SAFETY: `_s` exists only where the processor has the instructions.
            unsafe { options::$name::<N>(inputs, outputs) }
        }
    )*

    mod options { use super::*; $(
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
        pub(super) fn $name<const N: usize>(
            [spot, strike, years]: [&[$type]; 3],
            [call, put]: [&mut [$type]; 2],
        ) {
            let lanes = 64 / size_of::<$type>();
            let shortest = spot.len().min(strike.len()).min(years.len());
            let n = shortest.min(call.len()).min(put.len());
            for at in (0..n / (N * lanes)).map(|group| group * N * lanes) {
                let mut inputs = [[blank!($blank); N]; 3];
                for (input, from) in inputs.iter_mut().zip([spot, strike, years]) {
                    for i in 0..N {
                        // SAFETY: `at` and N vectors after it are within the shortest slice.
                        input[i] = unsafe { $load(from.as_ptr().add(at + i * lanes)) };
                    }
                }
                let results = $f(inputs[0], inputs[1], inputs[2]);
                for i in 0..N {
                    let at = at + i * lanes;
                    // SAFETY: as above.
                    unsafe {
                        $store(call.as_mut_ptr().add(at), results.0[i]);
                        $store(put.as_mut_ptr().add(at), results.1[i]);
                    }
                }
            }
        }
    )* } };
}

options! {
    fn black_scholes_all = black_scholes of f32; Ps, _mm512_loadu_ps, _mm512_storeu_ps;
    fn black_scholes_f64_all = black_scholes_f64 of f64; Pd, _mm512_loadu_pd, _mm512_storeu_pd;
}
