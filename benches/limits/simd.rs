//! Vectors of 128, 256 and 512 bits behind one trait, so that the loops of the rows without math functions are written once.
//!
//! A value of [`Xmm`], [`Avx2`] or [`Avx512`] exists only where the processor has these instructions; that is what makes the safe
//! methods sound. They are always inlined into a function that has the instructions enabled.
#![expect(unsafe_code, reason = "intrinsics")]

use std::arch::x86_64::*;

/// Something to do with vectors of some width.
pub(crate) trait Job {
    fn run<S: Simd>(self, s: S);
}

/// Vectors of some width that code can be entered for: where functions have the instructions enabled.
pub(crate) trait Enter: Simd {
    fn enter(self, job: impl Job);
}

/// The same for math functions.
pub(crate) trait EnterMath: Math {
    fn enter_math(self, job: impl MathJob);
}

/// Vectors: `F` of f32, `D` of f64, `I` of integers, and masks `M` for 32-bit and `N` for 64-bit lanes.
pub(crate) trait Simd: Copy {
    type F: Vector;
    type D: Vector;
    type I: Vector;
    type M: Copy;
    type N: Copy;

    /// Bytes in a vector.
    const BYTES: usize;

    fn f32(self, x: f32) -> Self::F;
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    fn min(self, a: Self::F, b: Self::F) -> Self::F;
    fn max(self, a: Self::F, b: Self::F) -> Self::F;
    /// Lanes of `m` in which a < b.
    fn less(self, m: Self::M, a: Self::F, b: Self::F) -> Self::M;

    fn f64(self, x: f64) -> Self::D;
    fn add_d(self, a: Self::D, b: Self::D) -> Self::D;
    fn sub_d(self, a: Self::D, b: Self::D) -> Self::D;
    fn mul_d(self, a: Self::D, b: Self::D) -> Self::D;
    fn fma_d(self, a: Self::D, b: Self::D, c: Self::D) -> Self::D;
    /// Lanes of `m` in which a < b.
    fn less_d(self, m: Self::N, a: Self::D, b: Self::D) -> Self::N;

    fn u8(self, x: u8) -> Self::I;
    fn u16(self, x: u16) -> Self::I;
    fn u32(self, x: u32) -> Self::I;
    fn u64(self, x: u64) -> Self::I;
    fn xor(self, a: Self::I, b: Self::I) -> Self::I;
    fn mul32(self, a: Self::I, b: Self::I) -> Self::I;
    fn mul64(self, a: Self::I, b: Self::I) -> Self::I;
    fn shr32(self, a: Self::I, by: u32) -> Self::I;
    fn shr64(self, a: Self::I, by: u64) -> Self::I;
    fn add_saturating8(self, a: Self::I, b: Self::I) -> Self::I;
    fn add16(self, a: Self::I, b: Self::I) -> Self::I;
    fn mul16(self, a: Self::I, b: Self::I) -> Self::I;
    /// The upper halves of products of unsigned 16-bit integers.
    fn mul_high16(self, a: Self::I, b: Self::I) -> Self::I;
    /// The lower and the upper bytes of each 128 bits, each with a byte of `b` above it.
    fn unpack8(self, a: Self::I, b: Self::I) -> (Self::I, Self::I);
    /// The reverse of [`unpack8`](Simd::unpack8) by `0`.
    fn pack16(self, low: Self::I, high: Self::I) -> Self::I;
    /// One step of Collatz's sequence.
    fn collatz(self, n: Self::I) -> Self::I;
    /// Lanes of `m` in which n > 1.
    fn above_one(self, m: Self::M, n: Self::I) -> Self::M;

    fn all(self) -> Self::M;
    fn any(self, m: Self::M) -> bool;
    fn either(self, a: Self::M, b: Self::M) -> Self::M;
    /// n + 1 in the lanes of the mask.
    fn count(self, n: Self::I, m: Self::M) -> Self::I;
    fn all_d(self) -> Self::N;
    fn any_d(self, m: Self::N) -> bool;
    fn either_d(self, a: Self::N, b: Self::N) -> Self::N;
    /// n + 1 in the 64-bit lanes of the mask.
    fn count_d(self, n: Self::I, m: Self::N) -> Self::I;

    fn zero(self) -> Self::I {
        self.u8(0)
    }

    /// The first elements of a slice; panics if there are too few.
    #[inline(always)]
    fn load<T: Plain, V: Vector>(self, from: &[T]) -> V {
        assert!(size_of_val(from) >= size_of::<V>() && size_of::<V>() == Self::BYTES);
        // SAFETY: so many bytes are there, and both are plain bits.
        unsafe { from.as_ptr().cast::<V>().read_unaligned() }
    }

    /// Writes to the first elements of a slice; panics if there are too few.
    #[inline(always)]
    fn store<T: Plain, V: Vector>(self, to: &mut [T], v: V) {
        assert!(size_of_val(to) >= size_of::<V>() && size_of::<V>() == Self::BYTES);
        // SAFETY: so many bytes are there, and both are plain bits.
        unsafe { to.as_mut_ptr().cast::<V>().write_unaligned(v) }
    }

    /// The same past the caches; panics if the slice is not aligned. [`fence`](Simd::fence) must follow before others read it.
    fn stream(self, to: &mut [f32], v: Self::F);

    /// Waits for what was streamed.
    #[inline(always)]
    fn fence(self) {
        // SAFETY: every processor of this architecture has SSE.
        unsafe { _mm_sfence() }
    }
}

/// What math functions need besides, for vectors without the special instructions of AVX-512.
#[rustfmt::skip]
pub(crate) trait Math: Simd {
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    fn sqrt(self, a: Self::F) -> Self::F;
    fn div_d(self, a: Self::D, b: Self::D) -> Self::D;
    fn sqrt_d(self, a: Self::D) -> Self::D;
    fn min_d(self, a: Self::D, b: Self::D) -> Self::D;
    fn max_d(self, a: Self::D, b: Self::D) -> Self::D;
    /// -a * b + c.
    fn fnma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    fn fnma_d(self, a: Self::D, b: Self::D, c: Self::D) -> Self::D;
    /// a * b - c.
    fn fms(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    fn fms_d(self, a: Self::D, b: Self::D, c: Self::D) -> Self::D;
    /// `yes` in the lanes of `m`, of which only the sign bits count; `no` elsewhere.
    fn select(self, m: Self::M, yes: Self::F, no: Self::F) -> Self::F;
    fn select_d(self, m: Self::N, yes: Self::D, no: Self::D) -> Self::D;
    /// The sign bits as a mask.
    fn signs(self, a: Self::I) -> Self::M;
    fn signs_d(self, a: Self::I) -> Self::N;
    fn bits(self, a: Self::F) -> Self::I;
    fn float(self, a: Self::I) -> Self::F;
    fn bits_d(self, a: Self::D) -> Self::I;
    fn float_d(self, a: Self::I) -> Self::D;
    fn and(self, a: Self::I, b: Self::I) -> Self::I;
    fn or(self, a: Self::I, b: Self::I) -> Self::I;
    fn add32(self, a: Self::I, b: Self::I) -> Self::I;
    fn sub32(self, a: Self::I, b: Self::I) -> Self::I;
    fn add64(self, a: Self::I, b: Self::I) -> Self::I;
    fn shl32(self, a: Self::I, by: u32) -> Self::I;
    fn shl64(self, a: Self::I, by: u64) -> Self::I;
    /// The floats of signed 32-bit integers.
    fn to_f32(self, a: Self::I) -> Self::F;
    /// The lower and the upper lanes.
    fn widen(self, a: Self::F) -> (Self::D, Self::D);
    /// The reverse of [`widen`](Math::widen).
    fn narrow(self, low: Self::D, high: Self::D) -> Self::F;
}

/// Something to do with math functions on vectors of some width.
pub(crate) trait MathJob {
    fn run<S: Math>(self, s: S);
}

/// Vectors: plain bits.
pub(crate) trait Vector: Copy {}
impl<V: Vector, const K: usize> Vector for [V; K] {}
impl Vector for __m512 {}
impl Vector for __m512d {}
impl Vector for __m512i {}
impl Vector for __m256 {}
impl Vector for __m256d {}
impl Vector for __m256i {}
impl Vector for __m128 {}
impl Vector for __m128d {}
impl Vector for __m128i {}

/// Elements of slices that are loaded and stored: plain bits.
pub(crate) trait Plain {}
impl Plain for f32 {}
impl Plain for f64 {}
impl Plain for u8 {}
impl Plain for u32 {}
impl Plain for u64 {}

/// Shows that the processor has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// Shows that the processor has AVX2 and FMA, of which vectors of 128 bits are used.
#[derive(Clone, Copy)]
pub(crate) struct Xmm(());

/// Shows that the processor has AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Avx2> {
        let found = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        found.then_some(Avx2(()))
    }
}

impl Xmm {
    pub(crate) fn detect() -> Option<Xmm> {
        Avx2::detect().map(|_| Xmm(()))
    }
}

impl Avx512 {
    pub(crate) fn detect() -> Option<Avx512> {
        let found = Avx2::detect().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        found.then_some(Avx512(()))
    }
}

/// What enters a function that has the instructions enabled.
macro_rules! enter {
    ($($trait:ident::$method:ident($job:ident) of $type:ident = $features:literal;)*) => { $(
        impl $trait for $type {
            #[inline(always)]
            fn $method(self, job: impl $job) {
                #[target_feature(enable = $features)]
                fn inside(job: impl $job) {
                    job.run($type(()));
                }
                // SAFETY: `self` exists only where the processor has the instructions.
                unsafe { inside(job) }
            }
        }
    )* };
}

enter! {
    Enter::enter(Job) of Xmm = "avx2,fma";
    Enter::enter(Job) of Avx2 = "avx2,fma";
    Enter::enter(Job) of Avx512 = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl";
    EnterMath::enter_math(MathJob) of Xmm = "avx2,fma";
    EnterMath::enter_math(MathJob) of Avx2 = "avx2,fma";
}

/// Methods from rows `name(arguments) -> result = expression of intrinsics`.
macro_rules! methods {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $result:ty = $body:expr;)*) => {
        $(#[allow(unused_unsafe, reason = "some need no intrinsic")]
        #[inline(always)]
        fn $name(self $(, $arg: $type)*) -> $result {
            // SAFETY: `self` exists only where the processor has the instructions.
            unsafe { $body }
        })*
    };
}

#[rustfmt::skip]
impl Simd for Avx512 {
    type F = __m512;
    type D = __m512d;
    type I = __m512i;
    type M = __mmask16;
    type N = __mmask8;

    const BYTES: usize = 64;

    methods! {
        fn f32(x: f32) -> __m512 = _mm512_set1_ps(x);
        fn add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        fn sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        fn mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        fn fma(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        fn min(a: __m512, b: __m512) -> __m512 = _mm512_min_ps(a, b);
        fn max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
        fn less(m: u16, a: __m512, b: __m512) -> u16 = _mm512_mask_cmp_ps_mask::<_CMP_LT_OQ>(m, a, b);
        fn f64(x: f64) -> __m512d = _mm512_set1_pd(x);
        fn add_d(a: __m512d, b: __m512d) -> __m512d = _mm512_add_pd(a, b);
        fn sub_d(a: __m512d, b: __m512d) -> __m512d = _mm512_sub_pd(a, b);
        fn mul_d(a: __m512d, b: __m512d) -> __m512d = _mm512_mul_pd(a, b);
        fn fma_d(a: __m512d, b: __m512d, c: __m512d) -> __m512d = _mm512_fmadd_pd(a, b, c);
        fn less_d(m: u8, a: __m512d, b: __m512d) -> u8 = _mm512_mask_cmp_pd_mask::<_CMP_LT_OQ>(m, a, b);
        fn u8(x: u8) -> __m512i = _mm512_set1_epi8(x.cast_signed());
        fn u16(x: u16) -> __m512i = _mm512_set1_epi16(x.cast_signed());
        fn u32(x: u32) -> __m512i = _mm512_set1_epi32(x.cast_signed());
        fn u64(x: u64) -> __m512i = _mm512_set1_epi64(x.cast_signed());
        fn xor(a: __m512i, b: __m512i) -> __m512i = _mm512_xor_si512(a, b);
        fn mul32(a: __m512i, b: __m512i) -> __m512i = _mm512_mullo_epi32(a, b);
        fn mul64(a: __m512i, b: __m512i) -> __m512i = _mm512_mullo_epi64(a, b);
        fn shr32(a: __m512i, by: u32) -> __m512i = _mm512_srlv_epi32(a, _mm512_set1_epi32(by.cast_signed()));
        fn shr64(a: __m512i, by: u64) -> __m512i = _mm512_srlv_epi64(a, _mm512_set1_epi64(by.cast_signed()));
        fn add_saturating8(a: __m512i, b: __m512i) -> __m512i = _mm512_adds_epu8(a, b);
        fn add16(a: __m512i, b: __m512i) -> __m512i = _mm512_add_epi16(a, b);
        fn mul16(a: __m512i, b: __m512i) -> __m512i = _mm512_mullo_epi16(a, b);
        fn mul_high16(a: __m512i, b: __m512i) -> __m512i = _mm512_mulhi_epu16(a, b);
        fn unpack8(a: __m512i, b: __m512i) -> (__m512i, __m512i) = (_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b));
        fn pack16(a: __m512i, b: __m512i) -> __m512i = _mm512_packus_epi16(a, b);
        fn collatz(n: __m512i) -> __m512i = {
            let odd = _mm512_test_epi32_mask(n, _mm512_set1_epi32(1));
            let more = _mm512_sub_epi32(n, _mm512_set1_epi32(-1));
            _mm512_mask_add_epi32(_mm512_srli_epi32::<1>(n), odd, more, _mm512_add_epi32(n, n))
        };
        fn above_one(m: u16, n: __m512i) -> u16 = _mm512_mask_cmpgt_epu32_mask(m, n, _mm512_set1_epi32(1));
        fn all() -> u16 = !0;
        fn any(m: u16) -> bool = m != 0;
        fn either(a: u16, b: u16) -> u16 = a | b;
        fn count(n: __m512i, m: u16) -> __m512i = _mm512_mask_sub_epi32(n, m, n, _mm512_set1_epi32(-1));
        fn all_d() -> u8 = !0;
        fn any_d(m: u8) -> bool = m != 0;
        fn either_d(a: u8, b: u8) -> u8 = a | b;
        fn count_d(n: __m512i, m: u8) -> __m512i = _mm512_mask_sub_epi64(n, m, n, _mm512_set1_epi64(-1));
        fn stream(to: &mut [f32], v: __m512) -> () = {
            assert!(to.len() >= 16 && to.as_ptr().cast::<__m512>().is_aligned());
            _mm512_stream_ps(to.as_mut_ptr(), v)
        };
    }
}

#[rustfmt::skip]
impl Simd for Avx2 {
    type F = __m256;
    type D = __m256d;
    type I = __m256i;
    type M = __m256;
    type N = __m256d;

    const BYTES: usize = 32;

    methods! {
        fn f32(x: f32) -> __m256 = _mm256_set1_ps(x);
        fn add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        fn sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        fn mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
        fn fma(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        fn min(a: __m256, b: __m256) -> __m256 = _mm256_min_ps(a, b);
        fn max(a: __m256, b: __m256) -> __m256 = _mm256_max_ps(a, b);
        fn less(m: __m256, a: __m256, b: __m256) -> __m256 = _mm256_and_ps(m, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b));
        fn f64(x: f64) -> __m256d = _mm256_set1_pd(x);
        fn add_d(a: __m256d, b: __m256d) -> __m256d = _mm256_add_pd(a, b);
        fn sub_d(a: __m256d, b: __m256d) -> __m256d = _mm256_sub_pd(a, b);
        fn mul_d(a: __m256d, b: __m256d) -> __m256d = _mm256_mul_pd(a, b);
        fn fma_d(a: __m256d, b: __m256d, c: __m256d) -> __m256d = _mm256_fmadd_pd(a, b, c);
        fn less_d(m: __m256d, a: __m256d, b: __m256d) -> __m256d = _mm256_and_pd(m, _mm256_cmp_pd::<_CMP_LT_OQ>(a, b));
        fn u8(x: u8) -> __m256i = _mm256_set1_epi8(x.cast_signed());
        fn u16(x: u16) -> __m256i = _mm256_set1_epi16(x.cast_signed());
        fn u32(x: u32) -> __m256i = _mm256_set1_epi32(x.cast_signed());
        fn u64(x: u64) -> __m256i = _mm256_set1_epi64x(x.cast_signed());
        fn xor(a: __m256i, b: __m256i) -> __m256i = _mm256_xor_si256(a, b);
        fn mul32(a: __m256i, b: __m256i) -> __m256i = _mm256_mullo_epi32(a, b);
        fn mul64(a: __m256i, b: __m256i) -> __m256i = {
            // Of the four products of halves, one counts in full and two by their lower halves.
            let crossed = _mm256_mullo_epi32(a, _mm256_shuffle_epi32::<0xb1>(b));
            let sum = _mm256_add_epi32(crossed, _mm256_shuffle_epi32::<0xb1>(crossed));
            _mm256_add_epi64(_mm256_mul_epu32(a, b), _mm256_slli_epi64::<32>(sum))
        };
        fn shr32(a: __m256i, by: u32) -> __m256i = _mm256_srlv_epi32(a, _mm256_set1_epi32(by.cast_signed()));
        fn shr64(a: __m256i, by: u64) -> __m256i = _mm256_srlv_epi64(a, _mm256_set1_epi64x(by.cast_signed()));
        fn add_saturating8(a: __m256i, b: __m256i) -> __m256i = _mm256_adds_epu8(a, b);
        fn add16(a: __m256i, b: __m256i) -> __m256i = _mm256_add_epi16(a, b);
        fn mul16(a: __m256i, b: __m256i) -> __m256i = _mm256_mullo_epi16(a, b);
        fn mul_high16(a: __m256i, b: __m256i) -> __m256i = _mm256_mulhi_epu16(a, b);
        fn unpack8(a: __m256i, b: __m256i) -> (__m256i, __m256i) = (_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b));
        fn pack16(a: __m256i, b: __m256i) -> __m256i = _mm256_packus_epi16(a, b);
        fn collatz(n: __m256i) -> __m256i = {
            // A blend by sign bits sees the lowest bit where it is shifted up.
            let odd = _mm256_castsi256_ps(_mm256_slli_epi32::<31>(n));
            let more = _mm256_sub_epi32(n, _mm256_set1_epi32(-1));
            let up = _mm256_castsi256_ps(_mm256_add_epi32(more, _mm256_add_epi32(n, n)));
            let down = _mm256_castsi256_ps(_mm256_srli_epi32::<1>(n));
            _mm256_castps_si256(_mm256_blendv_ps(down, up, odd))
        };
        fn above_one(m: __m256, n: __m256i) -> __m256 = {
            let one = _mm256_set1_epi32(1);
            let not = _mm256_cmpeq_epi32(_mm256_min_epu32(n, one), n);
            _mm256_andnot_ps(_mm256_castsi256_ps(not), m)
        };
        fn all() -> __m256 = _mm256_castsi256_ps(_mm256_set1_epi32(-1));
        fn any(m: __m256) -> bool = _mm256_movemask_ps(m) != 0;
        fn either(a: __m256, b: __m256) -> __m256 = _mm256_or_ps(a, b);
        fn count(n: __m256i, m: __m256) -> __m256i = _mm256_sub_epi32(n, _mm256_castps_si256(m));
        fn all_d() -> __m256d = _mm256_castsi256_pd(_mm256_set1_epi32(-1));
        fn any_d(m: __m256d) -> bool = _mm256_movemask_pd(m) != 0;
        fn either_d(a: __m256d, b: __m256d) -> __m256d = _mm256_or_pd(a, b);
        fn count_d(n: __m256i, m: __m256d) -> __m256i = _mm256_sub_epi64(n, _mm256_castpd_si256(m));
        fn stream(to: &mut [f32], v: __m256) -> () = {
            assert!(to.len() >= 8 && to.as_ptr().cast::<__m256>().is_aligned());
            _mm256_stream_ps(to.as_mut_ptr(), v)
        };
    }
}

#[rustfmt::skip]
impl Simd for Xmm {
    type F = __m128;
    type D = __m128d;
    type I = __m128i;
    type M = __m128;
    type N = __m128d;

    const BYTES: usize = 16;

    methods! {
        fn f32(x: f32) -> __m128 = _mm_set1_ps(x);
        fn add(a: __m128, b: __m128) -> __m128 = _mm_add_ps(a, b);
        fn sub(a: __m128, b: __m128) -> __m128 = _mm_sub_ps(a, b);
        fn mul(a: __m128, b: __m128) -> __m128 = _mm_mul_ps(a, b);
        fn fma(a: __m128, b: __m128, c: __m128) -> __m128 = _mm_fmadd_ps(a, b, c);
        fn min(a: __m128, b: __m128) -> __m128 = _mm_min_ps(a, b);
        fn max(a: __m128, b: __m128) -> __m128 = _mm_max_ps(a, b);
        fn less(m: __m128, a: __m128, b: __m128) -> __m128 = _mm_and_ps(m, _mm_cmp_ps::<_CMP_LT_OQ>(a, b));
        fn f64(x: f64) -> __m128d = _mm_set1_pd(x);
        fn add_d(a: __m128d, b: __m128d) -> __m128d = _mm_add_pd(a, b);
        fn sub_d(a: __m128d, b: __m128d) -> __m128d = _mm_sub_pd(a, b);
        fn mul_d(a: __m128d, b: __m128d) -> __m128d = _mm_mul_pd(a, b);
        fn fma_d(a: __m128d, b: __m128d, c: __m128d) -> __m128d = _mm_fmadd_pd(a, b, c);
        fn less_d(m: __m128d, a: __m128d, b: __m128d) -> __m128d = _mm_and_pd(m, _mm_cmp_pd::<_CMP_LT_OQ>(a, b));
        fn u8(x: u8) -> __m128i = _mm_set1_epi8(x.cast_signed());
        fn u16(x: u16) -> __m128i = _mm_set1_epi16(x.cast_signed());
        fn u32(x: u32) -> __m128i = _mm_set1_epi32(x.cast_signed());
        fn u64(x: u64) -> __m128i = _mm_set1_epi64x(x.cast_signed());
        fn xor(a: __m128i, b: __m128i) -> __m128i = _mm_xor_si128(a, b);
        fn mul32(a: __m128i, b: __m128i) -> __m128i = _mm_mullo_epi32(a, b);
        fn mul64(a: __m128i, b: __m128i) -> __m128i = {
            // Of the four products of halves, one counts in full and two by their lower halves.
            let crossed = _mm_mullo_epi32(a, _mm_shuffle_epi32::<0xb1>(b));
            let sum = _mm_add_epi32(crossed, _mm_shuffle_epi32::<0xb1>(crossed));
            _mm_add_epi64(_mm_mul_epu32(a, b), _mm_slli_epi64::<32>(sum))
        };
        fn shr32(a: __m128i, by: u32) -> __m128i = _mm_srlv_epi32(a, _mm_set1_epi32(by.cast_signed()));
        fn shr64(a: __m128i, by: u64) -> __m128i = _mm_srlv_epi64(a, _mm_set1_epi64x(by.cast_signed()));
        fn add_saturating8(a: __m128i, b: __m128i) -> __m128i = _mm_adds_epu8(a, b);
        fn add16(a: __m128i, b: __m128i) -> __m128i = _mm_add_epi16(a, b);
        fn mul16(a: __m128i, b: __m128i) -> __m128i = _mm_mullo_epi16(a, b);
        fn mul_high16(a: __m128i, b: __m128i) -> __m128i = _mm_mulhi_epu16(a, b);
        fn unpack8(a: __m128i, b: __m128i) -> (__m128i, __m128i) = (_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b));
        fn pack16(a: __m128i, b: __m128i) -> __m128i = _mm_packus_epi16(a, b);
        fn collatz(n: __m128i) -> __m128i = {
            // A blend by sign bits sees the lowest bit where it is shifted up.
            let odd = _mm_castsi128_ps(_mm_slli_epi32::<31>(n));
            let more = _mm_sub_epi32(n, _mm_set1_epi32(-1));
            let up = _mm_castsi128_ps(_mm_add_epi32(more, _mm_add_epi32(n, n)));
            let down = _mm_castsi128_ps(_mm_srli_epi32::<1>(n));
            _mm_castps_si128(_mm_blendv_ps(down, up, odd))
        };
        fn above_one(m: __m128, n: __m128i) -> __m128 = {
            let one = _mm_set1_epi32(1);
            let not = _mm_cmpeq_epi32(_mm_min_epu32(n, one), n);
            _mm_andnot_ps(_mm_castsi128_ps(not), m)
        };
        fn all() -> __m128 = _mm_castsi128_ps(_mm_set1_epi32(-1));
        fn any(m: __m128) -> bool = _mm_movemask_ps(m) != 0;
        fn either(a: __m128, b: __m128) -> __m128 = _mm_or_ps(a, b);
        fn count(n: __m128i, m: __m128) -> __m128i = _mm_sub_epi32(n, _mm_castps_si128(m));
        fn all_d() -> __m128d = _mm_castsi128_pd(_mm_set1_epi32(-1));
        fn any_d(m: __m128d) -> bool = _mm_movemask_pd(m) != 0;
        fn either_d(a: __m128d, b: __m128d) -> __m128d = _mm_or_pd(a, b);
        fn count_d(n: __m128i, m: __m128d) -> __m128i = _mm_sub_epi64(n, _mm_castpd_si128(m));
        fn stream(to: &mut [f32], v: __m128) -> () = {
            assert!(to.len() >= 4 && to.as_ptr().cast::<__m128>().is_aligned());
            _mm_stream_ps(to.as_mut_ptr(), v)
        };
    }
}

#[rustfmt::skip]
impl Math for Avx2 {
    methods! {
        fn div(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b);
        fn sqrt(a: __m256) -> __m256 = _mm256_sqrt_ps(a);
        fn div_d(a: __m256d, b: __m256d) -> __m256d = _mm256_div_pd(a, b);
        fn sqrt_d(a: __m256d) -> __m256d = _mm256_sqrt_pd(a);
        fn min_d(a: __m256d, b: __m256d) -> __m256d = _mm256_min_pd(a, b);
        fn max_d(a: __m256d, b: __m256d) -> __m256d = _mm256_max_pd(a, b);
        fn fnma(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fnmadd_ps(a, b, c);
        fn fnma_d(a: __m256d, b: __m256d, c: __m256d) -> __m256d = _mm256_fnmadd_pd(a, b, c);
        fn fms(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmsub_ps(a, b, c);
        fn fms_d(a: __m256d, b: __m256d, c: __m256d) -> __m256d = _mm256_fmsub_pd(a, b, c);
        fn select(m: __m256, yes: __m256, no: __m256) -> __m256 = _mm256_blendv_ps(no, yes, m);
        fn select_d(m: __m256d, yes: __m256d, no: __m256d) -> __m256d = _mm256_blendv_pd(no, yes, m);
        fn signs(a: __m256i) -> __m256 = _mm256_castsi256_ps(a);
        fn signs_d(a: __m256i) -> __m256d = _mm256_castsi256_pd(a);
        fn bits(a: __m256) -> __m256i = _mm256_castps_si256(a);
        fn float(a: __m256i) -> __m256 = _mm256_castsi256_ps(a);
        fn bits_d(a: __m256d) -> __m256i = _mm256_castpd_si256(a);
        fn float_d(a: __m256i) -> __m256d = _mm256_castsi256_pd(a);
        fn and(a: __m256i, b: __m256i) -> __m256i = _mm256_and_si256(a, b);
        fn or(a: __m256i, b: __m256i) -> __m256i = _mm256_or_si256(a, b);
        fn add32(a: __m256i, b: __m256i) -> __m256i = _mm256_add_epi32(a, b);
        fn sub32(a: __m256i, b: __m256i) -> __m256i = _mm256_sub_epi32(a, b);
        fn add64(a: __m256i, b: __m256i) -> __m256i = _mm256_add_epi64(a, b);
        fn shl32(a: __m256i, by: u32) -> __m256i = _mm256_sllv_epi32(a, _mm256_set1_epi32(by.cast_signed()));
        fn shl64(a: __m256i, by: u64) -> __m256i = _mm256_sllv_epi64(a, _mm256_set1_epi64x(by.cast_signed()));
        fn to_f32(a: __m256i) -> __m256 = _mm256_cvtepi32_ps(a);
        fn widen(a: __m256) -> (__m256d, __m256d) = {
            let upper = _mm256_extractf128_ps::<1>(a);
            (_mm256_cvtps_pd(_mm256_castps256_ps128(a)), _mm256_cvtps_pd(upper))
        };
        fn narrow(low: __m256d, high: __m256d) -> __m256 = {
            let low = _mm256_castps128_ps256(_mm256_cvtpd_ps(low));
            _mm256_insertf128_ps::<1>(low, _mm256_cvtpd_ps(high))
        };
    }
}

#[rustfmt::skip]
impl Math for Xmm {
    methods! {
        fn div(a: __m128, b: __m128) -> __m128 = _mm_div_ps(a, b);
        fn sqrt(a: __m128) -> __m128 = _mm_sqrt_ps(a);
        fn div_d(a: __m128d, b: __m128d) -> __m128d = _mm_div_pd(a, b);
        fn sqrt_d(a: __m128d) -> __m128d = _mm_sqrt_pd(a);
        fn min_d(a: __m128d, b: __m128d) -> __m128d = _mm_min_pd(a, b);
        fn max_d(a: __m128d, b: __m128d) -> __m128d = _mm_max_pd(a, b);
        fn fnma(a: __m128, b: __m128, c: __m128) -> __m128 = _mm_fnmadd_ps(a, b, c);
        fn fnma_d(a: __m128d, b: __m128d, c: __m128d) -> __m128d = _mm_fnmadd_pd(a, b, c);
        fn fms(a: __m128, b: __m128, c: __m128) -> __m128 = _mm_fmsub_ps(a, b, c);
        fn fms_d(a: __m128d, b: __m128d, c: __m128d) -> __m128d = _mm_fmsub_pd(a, b, c);
        fn select(m: __m128, yes: __m128, no: __m128) -> __m128 = _mm_blendv_ps(no, yes, m);
        fn select_d(m: __m128d, yes: __m128d, no: __m128d) -> __m128d = _mm_blendv_pd(no, yes, m);
        fn signs(a: __m128i) -> __m128 = _mm_castsi128_ps(a);
        fn signs_d(a: __m128i) -> __m128d = _mm_castsi128_pd(a);
        fn bits(a: __m128) -> __m128i = _mm_castps_si128(a);
        fn float(a: __m128i) -> __m128 = _mm_castsi128_ps(a);
        fn bits_d(a: __m128d) -> __m128i = _mm_castpd_si128(a);
        fn float_d(a: __m128i) -> __m128d = _mm_castsi128_pd(a);
        fn and(a: __m128i, b: __m128i) -> __m128i = _mm_and_si128(a, b);
        fn or(a: __m128i, b: __m128i) -> __m128i = _mm_or_si128(a, b);
        fn add32(a: __m128i, b: __m128i) -> __m128i = _mm_add_epi32(a, b);
        fn sub32(a: __m128i, b: __m128i) -> __m128i = _mm_sub_epi32(a, b);
        fn add64(a: __m128i, b: __m128i) -> __m128i = _mm_add_epi64(a, b);
        fn shl32(a: __m128i, by: u32) -> __m128i = _mm_sllv_epi32(a, _mm_set1_epi32(by.cast_signed()));
        fn shl64(a: __m128i, by: u64) -> __m128i = _mm_sllv_epi64(a, _mm_set1_epi64x(by.cast_signed()));
        fn to_f32(a: __m128i) -> __m128 = _mm_cvtepi32_ps(a);
        fn widen(a: __m128) -> (__m128d, __m128d) = (_mm_cvtps_pd(a), _mm_cvtps_pd(_mm_movehl_ps(a, a)));
        fn narrow(low: __m128d, high: __m128d) -> __m128 = _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
    }
}
