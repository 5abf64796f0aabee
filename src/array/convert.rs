//! Elementwise conversion and copying between views of any layout, in the language's meaning of `as`.

#![expect(unsafe_code, reason = "loops over strided memory")]

use super::Array;
use super::element::{Element, with_type};
use super::error::ArrayError;
use super::iter::{LoopOperands, LoopPlan};
use super::layout::Offsets;
use super::view::{RawView, View, ViewMut};
use half::{bf16, f16};
use num_complex::Complex;
use ufc_ir::{Const, DType};

/// A type that numbers of every kind convert to. The names differ from those of `half`'s own methods, whose rounding differs.
trait FromNumber: Element {
    fn of_i64(n: i64) -> Self;
    fn of_u64(n: u64) -> Self;
    fn of_f64(x: f64) -> Self;
    fn of_parts(re: f64, im: f64) -> Self;
}

/// A type that converts to every other, by way of the widest type of its kind.
trait ToNumber: Element {
    fn to<D: FromNumber>(self) -> D;
}

macro_rules! numbers {
    ($($T:ty: |$v:ident, $D:ident| $to:expr;)*) => {$(
        impl ToNumber for $T {
            fn to<$D: FromNumber>(self) -> $D {
                let $v = self;
                $to
            }
        }
    )*};
}
numbers! {
    bool: |v, D| D::of_u64(v.into());
    i8: |v, D| D::of_i64(v.into());
    i16: |v, D| D::of_i64(v.into());
    i32: |v, D| D::of_i64(v.into());
    i64: |v, D| D::of_i64(v);
    u8: |v, D| D::of_u64(v.into());
    u16: |v, D| D::of_u64(v.into());
    u32: |v, D| D::of_u64(v.into());
    u64: |v, D| D::of_u64(v);
    f16: |v, D| D::of_f64(v.to_f64());
    bf16: |v, D| D::of_f64(v.to_f64());
    f32: |v, D| D::of_f64(v.into());
    f64: |v, D| D::of_f64(v);
    Complex<f32>: |v, D| D::of_parts(v.re.into(), v.im.into());
    Complex<f64>: |v, D| D::of_parts(v.re, v.im);
}

macro_rules! plain_targets {
    ($($T:ty)*) => {$(
        // `as` from a type to itself is there for one of the types in each method.
        #[allow(trivial_numeric_casts, reason = "the macro is used for the widest types too")]
        impl FromNumber for $T {
            fn of_i64(n: i64) -> Self {
                n as $T
            }
            fn of_u64(n: u64) -> Self {
                n as $T
            }
            fn of_f64(x: f64) -> Self {
                x as $T
            }
            fn of_parts(re: f64, _: f64) -> Self {
                Self::of_f64(re)
            }
        }
    )*};
}
plain_targets!(i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);

impl FromNumber for bool {
    fn of_i64(n: i64) -> Self {
        n != 0
    }
    fn of_u64(n: u64) -> Self {
        n != 0
    }
    fn of_f64(x: f64) -> Self {
        x != 0.0
    }
    fn of_parts(re: f64, im: f64) -> Self {
        re != 0.0 || im != 0.0
    }
}

macro_rules! half_targets {
    ($($T:ty)*) => {$(
        impl FromNumber for $T {
            fn of_i64(n: i64) -> Self {
                let magnitude = Self::of_u64(n.unsigned_abs());
                if n < 0 { -magnitude } else { magnitude }
            }
            fn of_u64(n: u64) -> Self { Self::of_f64(round_to_odd_f64(n)) }
            fn of_f64(x: f64) -> Self { <$T>::from_f32(round_to_odd_f32(x)) }
            fn of_parts(re: f64, _: f64) -> Self { Self::of_f64(re) }
        }
    )*};
}
half_targets!(f16 bf16);

macro_rules! complex_targets {
    ($($T:ty)*) => {$(
        impl FromNumber for Complex<$T> {
            fn of_i64(n: i64) -> Self { Complex::new(n as $T, 0.0) }
            fn of_u64(n: u64) -> Self { Complex::new(n as $T, 0.0) }
            fn of_f64(x: f64) -> Self { Self::of_parts(x, 0.0) }
            fn of_parts(re: f64, im: f64) -> Self {
                Complex::new(<$T>::of_f64(re), <$T>::of_f64(im))
            }
        }
    )*};
}
complex_targets!(f32 f64);

/// The f32 towards zero of a number, with its last bit set if that is not exact.
///
/// Rounding this to a type of at least two bits less gives what rounding the number itself once would. The crate `half`
/// rounds an f64 by its upper 32 bits alone, which is wrong just above a tie.
fn round_to_odd_f32(x: f64) -> f32 {
    let nearest = x as f32;
    if !nearest.is_finite() || f64::from(nearest) == x {
        return nearest;
    }
    let away = f64::from(nearest).abs() > x.abs();
    f32::from_bits((nearest.to_bits() - u32::from(away)) | 1)
}

/// The f64 of a whole number, rounded as [`round_to_odd_f32`] does.
fn round_to_odd_f64(n: u64) -> f64 {
    let excess = (u64::BITS - n.leading_zeros()).saturating_sub(f64::MANTISSA_DIGITS);
    let kept = n >> excess;
    let lost = n & ((1 << excess) - 1);
    (kept | u64::from(lost != 0)) as f64 * (1u64 << excess) as f64
}

/// A single value as another dtype.
pub(crate) fn value(from: Const, to: DType) -> Const {
    if from.dtype() == to {
        return from;
    }
    with_type!(from.dtype(), S => with_type!(to, D => S::from_const(from).to::<D>().to_const()))
}

/// Writes each element of one view, converted, to the same place in another of the same shape.
pub(crate) fn convert(from: &View<'_>, to: &mut ViewMut<'_>) -> Result<(), ArrayError> {
    if from.dtype() == to.dtype() {
        copy(from, to);
        return Ok(());
    }
    if from.is_byte_swapped() {
        return convert(&Array::from_view(from)?.view(), to);
    }
    if to.is_byte_swapped() {
        let mut native = Array::zeros(to.dtype(), to.shape())?;
        convert(from, &mut native.view_mut())?;
        copy(&native.view(), to);
        return Ok(());
    }
    with_type!(from.dtype(), S => with_type!(to.dtype(), D => {
        for_each_run(from.raw(), to.raw(), |run| {
            // SAFETY: every element of the run lies in both views, and their dtypes are those of `S` and `D`.
            unsafe { convert_run::<S, D>(run) }
        });
    }));
    Ok(())
}

/// Writes each element of one view to the same place in another of the same dtype and shape.
pub(crate) fn copy(from: &View<'_>, to: &mut ViewMut<'_>) {
    debug_assert_eq!(from.dtype(), to.dtype());
    let (size, part) = (from.dtype().size(), from.dtype().part().size());
    if from.is_byte_swapped() != to.is_byte_swapped() {
        for_each_run(from.raw(), to.raw(), |run| {
            // SAFETY: every element of the run lies in both views, and is of as many bytes as the array.
            unsafe {
                match (size, part) {
                    (2, _) => copy_run(run, u16::swap_bytes),
                    (4, _) => copy_run(run, u32::swap_bytes),
                    (8, 4) => copy_run(run, |parts: [u32; 2]| parts.map(u32::swap_bytes)),
                    (8, _) => copy_run(run, u64::swap_bytes),
                    _ => copy_run(run, |parts: [u64; 2]| parts.map(u64::swap_bytes)),
                }
            }
        });
        return;
    }
    for_each_run(from.raw(), to.raw(), |run| {
        // SAFETY: as above.
        unsafe {
            if run.from_step == size as isize && run.to_step == size as isize {
                std::ptr::copy_nonoverlapping(run.from, run.to, run.len * size);
                return;
            }
            match size {
                1 => copy_run(run, |element: u8| element),
                2 => copy_run(run, |element: u16| element),
                4 => copy_run(run, |element: u32| element),
                8 => copy_run(run, |element: u64| element),
                _ => copy_run(run, |element: [u64; 2]| element),
            }
        }
    });
}

/// Elements along one axis of two views.
#[derive(Clone, Copy)]
struct Run {
    len: usize,
    from: *const u8,
    from_step: isize,
    to: *mut u8,
    to_step: isize,
}

/// Splits two views of the same shape into runs along the best axis.
fn for_each_run(from: &RawView, to: &RawView, mut f: impl FnMut(Run)) {
    assert_eq!(from.shape, to.shape, "views of different shapes");
    let mut operands = LoopOperands::default();
    operands.push_input(from.start, &from.shape, &from.strides, &from.shape);
    operands.push_output(to.start, &to.strides);
    let plan = LoopPlan::new(&from.shape, operands, &[]);
    let (outer, len) = match plan.shape() {
        [] => (&[][..], 1),
        [outer @ .., len] => (outer, *len),
    };
    let outer_strides = |operand| &plan.strides(operand)[..outer.len()];
    let inner_step = |operand| plan.strides(operand).last().copied().unwrap_or(0);
    if len == 0 {
        return;
    }
    let offsets = Offsets::new(outer, outer_strides(0)).zip(Offsets::new(outer, outer_strides(1)));
    for (from_offset, to_offset) in offsets {
        f(Run {
            len,
            from: plan.pointer(0).wrapping_offset(from_offset),
            from_step: inner_step(0),
            to: plan.pointer(1).wrapping_offset(to_offset),
            to_step: inner_step(1),
        });
    }
}

/// # Safety
/// Every element of the run is readable as `S` and writable as `D`, at any alignment.
unsafe fn convert_run<S: ToNumber, D: FromNumber>(run: Run) {
    // SAFETY: the caller vouches for the elements.
    unsafe { copy_run(run, S::to::<D>) }
}

/// Writes what `f` makes of each element.
///
/// # Safety
/// Every element of the run is readable as `S` and writable as `D`, at any alignment.
unsafe fn copy_run<S: Copy, D>(run: Run, f: impl Fn(S) -> D) {
    let one = |i: usize, from_step: isize, to_step: isize| {
        let from = run.from.wrapping_offset(i as isize * from_step).cast::<S>();
        let to = run.to.wrapping_offset(i as isize * to_step).cast::<D>();
        // SAFETY: the caller vouches for the elements.
        unsafe { to.write_unaligned(f(from.read_unaligned())) }
    };
    // The same loop with known steps, which the compiler can vectorize.
    let (from_size, to_size) = (size_of::<S>() as isize, size_of::<D>() as isize);
    if run.from_step == from_size && run.to_step == to_size {
        (0..run.len).for_each(|i| one(i, from_size, to_size));
    } else {
        (0..run.len).for_each(|i| one(i, run.from_step, run.to_step));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted<S: Element, D: Element>(data: &[S]) -> Vec<D> {
        let from = View::from_slice(data);
        from.converted(D::DTYPE).unwrap().into_vec().unwrap()
    }

    #[test]
    fn numbers_convert_as_in_the_language() {
        let x = [f64::NAN, -1e30, -1.9, 254.9, 1e30];
        assert_eq!(converted::<_, u8>(&x), [0, 0, 0, 254, 255]);
        assert_eq!(converted::<_, i8>(&x), [0, -128, -1, 127, 127]);
        assert_eq!(
            converted::<_, bool>(&[0.0f32, -0.0, f32::NAN]),
            [false, false, true]
        );
        assert_eq!(converted::<_, i8>(&[300i64, -129]), [44, 127]);
        assert_eq!(converted::<_, u64>(&[-1i8]), [u64::MAX]);
        assert_eq!(
            converted::<_, f32>(&[u64::MAX, 16_777_217]),
            [1.8446744e19, 16_777_216.0]
        );
        assert_eq!(
            converted::<_, Complex<f32>>(&[true]),
            [Complex::new(1.0, 0.0)]
        );
        assert_eq!(converted::<_, f32>(&[Complex::new(2.0f64, 3.0)]), [2.0]);
    }

    #[test]
    fn half_precision_is_rounded_once() {
        // Just above the tie between 1 and the next f16; the lower half of the mantissa decides.
        let above = 1.0 + f64::from(f16::EPSILON) / 2.0 + f64::EPSILON;
        assert_eq!(
            converted::<_, f16>(&[above])[0].to_bits(),
            f16::ONE.to_bits() + 1
        );
        let above = 1.0 + f64::from(bf16::EPSILON) / 2.0 + f64::EPSILON;
        assert_eq!(converted::<_, bf16>(&[above, -above])[1].to_bits(), 0xbf81);
        // 2^40 + half a unit + 1: an f32 in between would round to the tie.
        let n = (1u64 << 40) + (1 << 32) + 1;
        assert_eq!(
            converted::<_, bf16>(&[n])[0].to_f64(),
            (1u64 << 40) as f64 + (1u64 << 33) as f64
        );
        assert_eq!(converted::<_, f16>(&[65519i64, 65520, -65520])[0], f16::MAX);
        assert_eq!(converted::<_, f16>(&[1e-30f64])[0].to_bits(), 0);
        assert_eq!(converted::<_, f16>(&[-1e-300f64])[0].to_bits(), 0x8000);
        assert!(converted::<_, bf16>(&[f64::NAN])[0].is_nan());
    }

    #[test]
    fn any_layout_and_byte_order() {
        let data = [1i16, 2, 3, 4, 5, 6];
        let from = View::new(&data, &[2, 3])
            .unwrap()
            .transpose()
            .flip(0)
            .unwrap();
        let mut bytes = vec![0u8; 3 * 2 * 8 + 1];
        let mut to =
            ViewMut::from_bytes(&mut bytes, DType::F64, 1, &[3, 2], &[16, 8], true).unwrap();
        convert(&from, &mut to).unwrap();
        let values: Vec<f64> = to.iter().map(Const::as_f64).collect();
        assert_eq!(values, [3.0, 6.0, 2.0, 5.0, 1.0, 4.0]);
        assert_eq!(
            to.as_view().converted(DType::U8).unwrap(),
            from.converted(DType::U8).unwrap()
        );
    }
}
