//! Math functions by AVX-512 intrinsics, within about one unit in the last place, and loops over them.
//!
//! They use what `src/math` cannot, because every target must have it: exponents and significands taken apart and put
//! together by instructions, tables of 16 entries in registers, and f64 for the power of f32.
#![expect(unsafe_code, reason = "loads and stores by intrinsics")]

use std::arch::x86_64::*;

/// Functions that have the instructions enabled, as all here must.
macro_rules! avx512 {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty $body:block)*) => {
        $($(#[$doc])*
        #[inline]
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
        fn $name($($arg: $type),*) -> $result $body)*
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

macro_rules! horner_ps { ($($all:expr),*) => { horner!(_mm512_fmadd_ps, _mm512_set1_ps, $($all),*) }; }
macro_rules! horner_pd { ($($all:expr),*) => { horner!(_mm512_fmadd_pd, _mm512_set1_pd, $($all),*) }; }

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

avx512! {
    fn table(index: __m512i, entries: &[f32; 16]) -> __m512 {
        // SAFETY: 16 of f32 are 64 bytes.
        _mm512_permutexvar_ps(index, unsafe { _mm512_loadu_ps(entries.as_ptr()) })
    }

    fn table_f64(index: __m512i, entries: &[f64; 16]) -> __m512d {
        // SAFETY: 16 of f64 are twice 64 bytes.
        let halves = unsafe { (_mm512_loadu_pd(entries.as_ptr()), _mm512_loadu_pd(entries.as_ptr().add(8))) };
        _mm512_permutex2var_pd(halves.0, index, halves.1)
    }

    fn exp(x: __m512) -> __m512 {
        // Kept where 2^n is finite; NaN stays, as the second operand.
        let x = _mm512_max_ps(_mm512_set1_ps(-105.0), _mm512_min_ps(_mm512_set1_ps(90.0), x));
        let n = _mm512_roundscale_ps::<NEAREST>(_mm512_mul_ps(x, _mm512_set1_ps(1.442695)));
        let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.6931472), x);
        let r = _mm512_fmadd_ps(n, _mm512_set1_ps(1.9046542e-9), r);
        let p = horner_ps!(r, 0.0013839072, 0.008369201, 0.041668102, 0.16666517, 0.49999994, 1.0, 1.0);
        _mm512_scalef_ps(p, n)
    }

    fn exp_f64(x: __m512d) -> __m512d {
        let x = _mm512_max_pd(_mm512_set1_pd(-747.0), _mm512_min_pd(_mm512_set1_pd(711.0), x));
        let n = _mm512_roundscale_pd::<NEAREST>(_mm512_mul_pd(x, _mm512_set1_pd(1.4426950408889634)));
        let r = _mm512_fnmadd_pd(n, _mm512_set1_pd(0.6931471805599453), x);
        let r = _mm512_fmadd_pd(n, _mm512_set1_pd(-2.3190468138462996e-17), r);
        let p = horner_pd!(
            r, 2.5018739127334764e-08, 2.7630762680642114e-07, 2.7557534367082004e-06, 2.480149171819431e-05,
            0.0001984126955643801, 0.001388888894488755, 0.008333333333475502, 0.04166666666652573,
            0.16666666666666435, 0.5000000000000011, 1.0, 1.0
        );
        _mm512_scalef_pd(p, n)
    }

    fn ln(x: __m512) -> __m512 {
        let m = _mm512_getmant_ps::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_NAN>(x);
        let k = _mm512_getexp_ps(x);
        // The upper four bits of the significand; a permutation looks at no others.
        let index = _mm512_srli_epi32::<19>(_mm512_castps_si512(m));
        let f = _mm512_fmsub_ps(m, table(index, &RECIPROCALS), _mm512_set1_ps(1.0));
        let high = _mm512_fmadd_ps(k, _mm512_set1_ps(0.69314575), table(index, &LOGARITHMS));
        let low = _mm512_fmadd_ps(k, _mm512_set1_ps(1.4286068e-6), table(index, &LOGARITHMS_LOW));
        let p = horner_ps!(f, -0.155_005_63, 0.200_028_53, -0.250_017_18, 0.333_333_42, -0.5);
        let rest = _mm512_fmadd_ps(p, _mm512_mul_ps(f, f), low);
        _mm512_add_ps(high, _mm512_add_ps(f, rest))
    }

    fn ln_f64(x: __m512d) -> __m512d {
        let m = _mm512_getmant_pd::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_NAN>(x);
        let k = _mm512_getexp_pd(x);
        let index = _mm512_srli_epi64::<48>(_mm512_castpd_si512(m));
        let f = _mm512_fmsub_pd(m, table_f64(index, &RECIPROCALS_F64), _mm512_set1_pd(1.0));
        let high = _mm512_fmadd_pd(k, _mm512_set1_pd(0.6931471805601177), table_f64(index, &LOGARITHMS_F64));
        let low = _mm512_fmadd_pd(k, _mm512_set1_pd(-1.7239444525614835e-13), table_f64(index, &LOGARITHMS_F64_LOW));
        let p = horner_pd!(
            f, 0.078655918904597789, -0.099574985734658722, 0.11113207881397248, -0.1250013670184797,
            0.14285713744382651, -0.16666666543282005, 0.1999999999953899, -0.25000000000041072,
            0.33333333333333482, -0.5
        );
        let rest = _mm512_fmadd_pd(p, _mm512_mul_pd(f, f), low);
        _mm512_add_pd(high, _mm512_add_pd(f, rest))
    }

    fn sin(x: __m512) -> __m512 {
        // Cody & Waite's reduction to high + low, as in `src/math/reduce_pi2.ufk`; larger x than 2^17 are not asked for.
        let shift = _mm512_set1_ps(12582912.0);
        let t = _mm512_fmadd_ps(x, _mm512_set1_ps(0.63661975), shift);
        let n = _mm512_sub_ps(t, shift);
        let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(1.5707964), x);
        let w = _mm512_mul_ps(n, _mm512_set1_ps(-4.371139e-8));
        let w_rest = _mm512_fmsub_ps(n, _mm512_set1_ps(-4.371139e-8), w);
        let high = _mm512_sub_ps(r, w);
        let d = _mm512_sub_ps(_mm512_sub_ps(r, high), w);
        let low = _mm512_fmadd_ps(n, _mm512_set1_ps(1.7151245e-15), _mm512_sub_ps(d, w_rest));
        let z = _mm512_fmadd_ps(high, high, _mm512_mul_ps(_mm512_add_ps(high, high), low));
        let s = horner_ps!(z, -0.00019518095, 0.008332188, -0.16666655);
        let s = _mm512_add_ps(high, _mm512_fmadd_ps(s, _mm512_mul_ps(z, high), low));
        let c = horner_ps!(z, 0.000024432327, -0.001388731, 0.041666646, -0.5, 1.0);
        let q = _mm512_castps_si512(t);
        let y = _mm512_mask_mov_ps(s, _mm512_test_epi32_mask(q, _mm512_set1_epi32(1)), c);
        let sign = _mm512_and_si512(_mm512_slli_epi32::<30>(q), _mm512_set1_epi32(i32::MIN));
        _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(y), sign))
    }

    fn sin_f64(x: __m512d) -> __m512d {
        let shift = _mm512_set1_pd(6755399441055744.0);
        let t = _mm512_fmadd_pd(x, _mm512_set1_pd(0.6366197723675814), shift);
        let n = _mm512_sub_pd(t, shift);
        let r = _mm512_fnmadd_pd(n, _mm512_set1_pd(1.5707963267948966), x);
        let w = _mm512_mul_pd(n, _mm512_set1_pd(6.123233995736766e-17));
        let w_rest = _mm512_fmsub_pd(n, _mm512_set1_pd(6.123233995736766e-17), w);
        let high = _mm512_sub_pd(r, w);
        let d = _mm512_sub_pd(_mm512_sub_pd(r, high), w);
        let low = _mm512_fmadd_pd(n, _mm512_set1_pd(1.4973849048591698e-33), _mm512_sub_pd(d, w_rest));
        let z = _mm512_fmadd_pd(high, high, _mm512_mul_pd(_mm512_add_pd(high, high), low));
        let s = horner_pd!(
            z, 1.5895432682981633e-10, -2.5050734380871927e-08, 2.7557313538475656e-06,
            -0.00019841269829358468, 0.00833333333332184, -0.1666666666666663
        );
        let s = _mm512_add_pd(high, _mm512_fmadd_pd(s, _mm512_mul_pd(z, high), low));
        let c = horner_pd!(
            z, -1.1358683451490761e-11, 2.087570427299419e-09, -2.755731421008584e-07, 2.48015872889837e-05,
            -0.0013888888888873325, 0.041666666666666595, -0.5, 1.0
        );
        let q = _mm512_castpd_si512(t);
        let y = _mm512_mask_mov_pd(s, _mm512_test_epi64_mask(q, _mm512_set1_epi64(1)), c);
        let sign = _mm512_and_si512(_mm512_slli_epi64::<62>(q), _mm512_set1_epi64(i64::MIN));
        _mm512_castsi512_pd(_mm512_xor_si512(_mm512_castpd_si512(y), sign))
    }

    fn tanh(x: __m512) -> __m512 {
        let a = _mm512_min_ps(_mm512_set1_ps(10.0), _mm512_abs_ps(x));
        let z = _mm512_mul_ps(a, a);
        let p = horner_ps!(
            z, -0.00035844083, 0.0023013253, -0.007946052, 0.02148662, -0.05387979, 0.13332344, -0.33333296
        );
        let near = _mm512_fmadd_ps(p, _mm512_mul_ps(z, a), a);
        // 1 - 2 / (e^2a + 1)
        let n = _mm512_roundscale_ps::<NEAREST>(_mm512_mul_ps(a, _mm512_set1_ps(2.88539)));
        let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.3465736), a);
        let e = horner_ps!(r, 0.088470265, 0.2678026, 0.6666919, 1.3333216, 1.9999998, 2.0, 1.0);
        let below = _mm512_add_ps(_mm512_scalef_ps(e, n), _mm512_set1_ps(1.0));
        let far = _mm512_sub_ps(_mm512_set1_ps(1.0), _mm512_div_ps(_mm512_set1_ps(2.0), below));
        let is_far = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, _mm512_set1_ps(1.0));
        let y = _mm512_castps_si512(_mm512_mask_mov_ps(near, is_far, far));
        let sign = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(i32::MIN));
        _mm512_castsi512_ps(_mm512_or_si512(y, sign))
    }

    /// x^y of half the lanes by f64, for positive x.
    fn pow_half(x: __m256, y: __m256) -> __m256 {
        let (x, y) = (_mm512_cvtps_pd(x), _mm512_cvtps_pd(y));
        let m = _mm512_getmant_pd::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_NAN>(x);
        let index = _mm512_srli_epi64::<48>(_mm512_castpd_si512(m));
        let f = _mm512_fmsub_pd(m, table_f64(index, &RECIPROCALS_F64), _mm512_set1_pd(1.0));
        let k = _mm512_add_pd(_mm512_getexp_pd(x), table_f64(index, &LOGARITHMS_2));
        let p = horner_pd!(
            f, -0.22328494243457597, 0.28856307762626057, -0.36069962887248983, 0.48089851519834514,
            -0.7213475119613405, 1.4426950408665163
        );
        let e = _mm512_mul_pd(y, _mm512_fmadd_pd(p, f, k));
        let e = _mm512_max_pd(_mm512_set1_pd(-160.0), _mm512_min_pd(_mm512_set1_pd(130.0), e));
        let n = _mm512_roundscale_pd::<NEAREST>(e);
        let p = horner_pd!(
            _mm512_sub_pd(e, n), 0.00015345786666001931, 0.0013399931014488829, 0.009618489051304406,
            0.055503287776026854, 0.24022646889763896, 0.6931472057368721, 1.0000000005542838
        );
        _mm512_cvtpd_ps(_mm512_scalef_pd(p, n))
    }

    fn pow(x: __m512, y: __m512) -> __m512 {
        let low = pow_half(_mm512_castps512_ps256(x), _mm512_castps512_ps256(y));
        let high = pow_half(_mm512_extractf32x8_ps::<1>(x), _mm512_extractf32x8_ps::<1>(y));
        _mm512_insertf32x8::<1>(_mm512_castps256_ps512(low), high)
    }

    /// 1 / x by Newton's method, within about 1 ULP, for x whose reciprocal is normal.
    fn reciprocal(x: __m512) -> __m512 {
        let r = _mm512_rcp14_ps(x);
        _mm512_fmadd_ps(r, _mm512_fnmadd_ps(x, r, _mm512_set1_ps(1.0)), r)
    }

    /// 1 / sqrt(x) in the same way.
    fn reciprocal_root(x: __m512) -> __m512 {
        let r = _mm512_rsqrt14_ps(x);
        let rest = _mm512_fnmadd_ps(_mm512_mul_ps(x, r), r, _mm512_set1_ps(1.0));
        _mm512_fmadd_ps(_mm512_mul_ps(r, _mm512_set1_ps(0.5)), rest, r)
    }

    fn reciprocal_f64(x: __m512d) -> __m512d {
        let one = _mm512_set1_pd(1.0);
        let r = _mm512_rcp14_pd(x);
        let r = _mm512_fmadd_pd(r, _mm512_fnmadd_pd(x, r, one), r);
        _mm512_fmadd_pd(r, _mm512_fnmadd_pd(x, r, one), r)
    }

    fn reciprocal_root_f64(x: __m512d) -> __m512d {
        let (one, half) = (_mm512_set1_pd(1.0), _mm512_set1_pd(0.5));
        let r = _mm512_rsqrt14_pd(x);
        let rest = _mm512_fnmadd_pd(_mm512_mul_pd(x, r), r, one);
        let r = _mm512_fmadd_pd(_mm512_mul_pd(r, half), rest, r);
        let rest = _mm512_fnmadd_pd(_mm512_mul_pd(x, r), r, one);
        _mm512_fmadd_pd(_mm512_mul_pd(r, half), rest, r)
    }

    fn normal_cdf(x: __m512) -> __m512 {
        let one = _mm512_set1_ps(1.0);
        let t = reciprocal(_mm512_fmadd_ps(_mm512_set1_ps(0.2316419), _mm512_abs_ps(x), one));
        let p = horner_ps!(t, 1.330_274_5, -1.821_256, 1.781_477_9, -0.356_563_78, 0.319_381_53);
        let e = exp(_mm512_mul_ps(_mm512_set1_ps(-0.5), _mm512_mul_ps(x, x)));
        let tail = _mm512_mul_ps(_mm512_mul_ps(_mm512_set1_ps(0.398_942_3), e), _mm512_mul_ps(p, t));
        let right = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps());
        _mm512_mask_sub_ps(tail, right, one, tail)
    }

    fn black_scholes(spot: __m512, strike: __m512, years: __m512) -> (__m512, __m512) {
        let one = _mm512_set1_ps(1.0);
        let root = reciprocal_root(years);
        let spread = _mm512_mul_ps(_mm512_set1_ps(0.3), _mm512_mul_ps(years, root));
        let drift = _mm512_set1_ps(0.02 + 0.5 * 0.3 * 0.3);
        let log = ln(_mm512_mul_ps(spot, reciprocal(strike)));
        let d1 = _mm512_mul_ps(_mm512_fmadd_ps(drift, years, log), _mm512_mul_ps(root, _mm512_set1_ps(1.0 / 0.3)));
        let discounted = _mm512_mul_ps(strike, exp(_mm512_mul_ps(_mm512_set1_ps(-0.02), years)));
        let (cdf1, cdf2) = (normal_cdf(d1), normal_cdf(_mm512_sub_ps(d1, spread)));
        let call = _mm512_fmsub_ps(spot, cdf1, _mm512_mul_ps(discounted, cdf2));
        let put = _mm512_mul_ps(spot, _mm512_sub_ps(one, cdf1));
        (call, _mm512_fmsub_ps(discounted, _mm512_sub_ps(one, cdf2), put))
    }

    fn normal_cdf_f64(x: __m512d) -> __m512d {
        let one = _mm512_set1_pd(1.0);
        let t = reciprocal_f64(_mm512_fmadd_pd(_mm512_set1_pd(0.2316419), _mm512_abs_pd(x), one));
        let p = horner_pd!(t, 1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.319381530);
        let e = exp_f64(_mm512_mul_pd(_mm512_set1_pd(-0.5), _mm512_mul_pd(x, x)));
        let tail = _mm512_mul_pd(_mm512_mul_pd(_mm512_set1_pd(0.3989422804), e), _mm512_mul_pd(p, t));
        let right = _mm512_cmp_pd_mask::<_CMP_GT_OQ>(x, _mm512_setzero_pd());
        _mm512_mask_sub_pd(tail, right, one, tail)
    }

    fn black_scholes_f64(spot: __m512d, strike: __m512d, years: __m512d) -> (__m512d, __m512d) {
        let one = _mm512_set1_pd(1.0);
        let root = reciprocal_root_f64(years);
        let spread = _mm512_mul_pd(_mm512_set1_pd(0.3), _mm512_mul_pd(years, root));
        let drift = _mm512_set1_pd(0.02 + 0.5 * 0.3 * 0.3);
        let log = ln_f64(_mm512_mul_pd(spot, reciprocal_f64(strike)));
        let d1 = _mm512_mul_pd(_mm512_fmadd_pd(drift, years, log), _mm512_mul_pd(root, _mm512_set1_pd(1.0 / 0.3)));
        let discounted = _mm512_mul_pd(strike, exp_f64(_mm512_mul_pd(_mm512_set1_pd(-0.02), years)));
        let (cdf1, cdf2) = (normal_cdf_f64(d1), normal_cdf_f64(_mm512_sub_pd(d1, spread)));
        let call = _mm512_fmsub_pd(spot, cdf1, _mm512_mul_pd(discounted, cdf2));
        let put = _mm512_mul_pd(spot, _mm512_sub_pd(one, cdf1));
        (call, _mm512_fmsub_pd(discounted, _mm512_sub_pd(one, cdf2), put))
    }
}

/// Defines a function over slices: `N` vectors are in flight; what fills no `N` vectors of the shortest slice is left out.
macro_rules! over_slices {
    ($(fn $name:ident = $f:ident($($arg:ident),+) of $type:ty; $load:ident, $store:ident;)*) => { $(
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
        pub(crate) fn $name<const N: usize>($($arg: &[$type],)+ out: &mut [$type]) {
            let lanes = 64 / size_of::<$type>();
            let n = [$($arg.len(),)+ out.len()].into_iter().min().unwrap_or(0);
            for at in (0..n / (N * lanes)).map(|group| group * N * lanes) {
                // Not by `from_fn`, which would be a function without the instructions.
                for i in 0..N {
                    let at = at + i * lanes;
                    // SAFETY: `at` and a vector after it are within the shortest slice.
                    let y = $f($(unsafe { $load($arg.as_ptr().add(at)) }),+);
                    // SAFETY: as above.
                    unsafe { $store(out.as_mut_ptr().add(at), y) }
                }
            }
        }
    )* };
}

over_slices! {
    fn exp_all = exp(x) of f32; _mm512_loadu_ps, _mm512_storeu_ps;
    fn exp_f64_all = exp_f64(x) of f64; _mm512_loadu_pd, _mm512_storeu_pd;
    fn ln_all = ln(x) of f32; _mm512_loadu_ps, _mm512_storeu_ps;
    fn ln_f64_all = ln_f64(x) of f64; _mm512_loadu_pd, _mm512_storeu_pd;
    fn sin_all = sin(x) of f32; _mm512_loadu_ps, _mm512_storeu_ps;
    fn sin_f64_all = sin_f64(x) of f64; _mm512_loadu_pd, _mm512_storeu_pd;
    fn tanh_all = tanh(x) of f32; _mm512_loadu_ps, _mm512_storeu_ps;
    fn pow_all = pow(x, y) of f32; _mm512_loadu_ps, _mm512_storeu_ps;
}

/// The same for the two results of Black and Scholes.
macro_rules! options {
    ($(fn $name:ident = $f:ident of $type:ty; $load:ident, $store:ident;)*) => { $(
        #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
        pub(crate) fn $name<const N: usize>(
            [spot, strike, years]: [&[$type]; 3],
            [call, put]: [&mut [$type]; 2],
        ) {
            let lanes = 64 / size_of::<$type>();
            let shortest = spot.len().min(strike.len()).min(years.len());
            let n = shortest.min(call.len()).min(put.len());
            for at in (0..n / (N * lanes)).map(|group| group * N * lanes) {
                for i in 0..N {
                    let at = at + i * lanes;
                    // SAFETY: `at` and a vector after it are within the shortest slice.
                    let load = |from: &[$type]| unsafe { $load(from.as_ptr().add(at)) };
                    let y = $f(load(spot), load(strike), load(years));
                    // SAFETY: as above.
                    unsafe {
                        $store(call.as_mut_ptr().add(at), y.0);
                        $store(put.as_mut_ptr().add(at), y.1);
                    }
                }
            }
        }
    )* };
}

options! {
    fn black_scholes_all = black_scholes of f32; _mm512_loadu_ps, _mm512_storeu_ps;
    fn black_scholes_f64_all = black_scholes_f64 of f64; _mm512_loadu_pd, _mm512_storeu_pd;
}
