//! Vectors of 256 and 512 bits behind one trait, so that the loops of the rows without math functions are written once.
//!
//! A value of [`Avx2`] or [`Avx512`] exists only where the processor has these instructions; that is what makes the safe
//! methods sound. They are always inlined into a function that has the instructions enabled.
#![expect(unsafe_code, reason = "intrinsics")]

use std::arch::x86_64::*;

/// Something to do with vectors of some width.
pub(crate) trait Job {
    fn run<S: Simd>(self, s: S);
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

    /// Runs a job in a function that has the instructions enabled.
    fn enter(self, job: impl Job);

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

/// Vectors: plain bits.
pub(crate) trait Vector: Copy {}
impl Vector for __m512 {}
impl Vector for __m512d {}
impl Vector for __m512i {}
impl Vector for __m256 {}
impl Vector for __m256d {}
impl Vector for __m256i {}

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

/// Shows that the processor has AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Avx2> {
        let found = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        found.then_some(Avx2(()))
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

#[target_feature(enable = "avx2,fma")]
fn enter_avx2(job: impl Job) {
    job.run(Avx2(()));
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn enter_avx512(job: impl Job) {
    job.run(Avx512(()));
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
        fn enter(job: impl Job) -> () = enter_avx512(job);
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
        fn enter(job: impl Job) -> () = enter_avx2(job);
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
