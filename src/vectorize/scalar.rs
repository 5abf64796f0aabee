//! The kernel language's functions for single Rust values, so that a kernel's text is a Rust function as well.
//!
//! Where Rust's own types have a function, that is the one; where they lack it (`f16`, complex numbers, `floor_div`) it
//! is written here. Results are those of Rust's library: close to a kernel's, and its bits only where both are exact.

#![expect(
    missing_docs,
    reason = "the functions are those of the kernel language, one name each"
)]

use half::{bf16, f16};
use num_complex::Complex;

use crate::array::Element;

/// A complex number of two `f32`.
#[expect(non_camel_case_types, reason = "the name in the language")]
pub type c64 = Complex<f32>;
/// A complex number of two `f64`.
#[expect(non_camel_case_types, reason = "the name in the language")]
pub type c128 = Complex<f64>;

/// `c64(re, im)`.
pub fn c64(re: f32, im: f32) -> c64 {
    Complex::new(re, im)
}

/// `c128(re, im)`.
pub fn c128(re: f64, im: f64) -> c128 {
    Complex::new(re, im)
}

/// `x as T` where Rust has no such conversion.
pub fn cast<T: Element>(value: impl Element) -> T {
    T::from_const(ufc_ir::convert::convert(value.to_const(), T::DTYPE))
}

/// `index()` and `index(axis)`: a call of the function is one on a single element, whose position is 0.
pub fn index() -> i64 {
    0
}

/// The distance of a range's `step_by`: a step below 1 counts as 1.
pub fn step(distance: impl TryInto<usize>) -> usize {
    distance.try_into().unwrap_or(1).max(1)
}

/// The methods of this module, to be brought into scope without their traits' names.
pub mod methods {
    pub use super::{
        Complexes as _, Constants as _, Fields as _, Floats as _, Integers as _, Magnitude as _,
        Reals as _, Selects as _,
    };
}

/// Any number: what a type parameter with the bound `Num` stands for.
pub trait Num: Element {}
/// Any integer.
pub trait Int: Num {}
/// Any integer with a sign.
pub trait Signed: Int {}
/// Any integer without a sign.
pub trait Unsigned: Int {}
/// Any float: `f16`, `bf16`, `f32`, `f64`.
pub trait Float: Num {}

macro_rules! bounds {
    ($($bound:ident: $($T:ty)*;)*) => {$($(impl $bound for $T {})*)*};
}
bounds! {
    Num: i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64 Complex<f32> Complex<f64>;
    Int: i8 i16 i32 i64 u8 u16 u32 u64;
    Signed: i8 i16 i32 i64;
    Unsigned: u8 u16 u32 u64;
    Float: f16 bf16 f32 f64;
    ComplexNum: Complex<f32> Complex<f64>;
}

/// Any complex number: what the bound `Complex` stands for, under a name that is not that of the type.
pub trait ComplexNum: Num {}

/// `select(condition, a, b)`.
pub fn select<T>(condition: bool, a: T, b: T) -> T {
    if condition { a } else { b }
}

pub trait Selects {
    fn select<T>(self, a: T, b: T) -> T;
}

impl Selects for bool {
    fn select<T>(self, a: T, b: T) -> T {
        select(self, a, b)
    }
}

macro_rules! floats {
    (unary: $($f:ident)*; binary: $($g:ident)*; asks: $($q:ident)*; constants: $($C:ident)*;) => {
        /// What floats alone have.
        #[expect(clippy::wrong_self_convention, reason = "the names are those of Rust's own methods")]
        pub trait Floats: Sized {
            $(fn $f(self) -> Self;)*
            $(fn $g(self, other: Self) -> Self;)*
            $(fn $q(self) -> bool;)*
            fn mul_add(self, b: Self, c: Self) -> Self;
            fn scalb(self, power: Self) -> Self;
            fn sin_cos(self) -> (Self, Self);
        }

        /// The constants of floats.
        pub trait Constants: Sized {
            $(const $C: Self;)*
        }

        $(pub fn $f<T: Floats>(x: T) -> T { x.$f() })*
        $(pub fn $g<T: Floats>(x: T, y: T) -> T { x.$g(y) })*
        $(pub fn $q<T: Floats>(x: T) -> bool { x.$q() })*

        floats!(@own f32 f32: $($f)*; $($g)*; $($q)*; $($C)*);
        floats!(@own f64 f64: $($f)*; $($g)*; $($q)*; $($C)*);
        floats!(@half f16: $($f)*; $($g)*; $($q)*; $($C)*);
        floats!(@half bf16: $($f)*; $($g)*; $($q)*; $($C)*);
    };
    (@own $T:ident $m:ident: $($f:ident)*; $($g:ident)*; $($q:ident)*; $($C:ident)*) => {
        impl Floats for $T {
            $(fn $f(self) -> Self { <$T>::$f(self) })*
            $(fn $g(self, other: Self) -> Self { <$T>::$g(self, other) })*
            $(fn $q(self) -> bool { <$T>::$q(self) })*
            fn mul_add(self, b: Self, c: Self) -> Self { <$T>::mul_add(self, b, c) }
            fn scalb(self, power: Self) -> Self { cast(scalb_f64(self.into(), power.into())) }
            fn sin_cos(self) -> (Self, Self) { <$T>::sin_cos(self) }
        }
        impl Constants for $T {
            $(const $C: Self = std::$m::consts::$C;)*
        }
    };
    // In f32, and rounded once.
    (@half $T:ident: $($f:ident)*; $($g:ident)*; $($q:ident)*; $($C:ident)*) => {
        impl Floats for $T {
            $(fn $f(self) -> Self { <$T>::from_f32(f32::$f(self.to_f32())) })*
            $(fn $g(self, other: Self) -> Self { <$T>::from_f32(f32::$g(self.to_f32(), other.to_f32())) })*
            $(fn $q(self) -> bool { <$T>::$q(self) })*
            fn mul_add(self, b: Self, c: Self) -> Self {
                <$T>::from_f64(self.to_f64() * b.to_f64() + c.to_f64())
            }
            fn scalb(self, power: Self) -> Self {
                <$T>::from_f64(scalb_f64(self.to_f64(), power.to_f64()))
            }
            fn sin_cos(self) -> (Self, Self) {
                let (sin, cos) = self.to_f32().sin_cos();
                (<$T>::from_f32(sin), <$T>::from_f32(cos))
            }
        }
        impl Constants for $T {
            $(const $C: Self = <$T>::from_f64_const(std::f64::consts::$C);)*
        }
    };
}
floats! {
    unary: floor ceil trunc round round_ties_even fract exp2 log2 log10 sin cos tan asin acos atan tanh;
    binary: atan2 hypot copysign;
    asks: is_nan is_finite is_infinite;
    constants: PI TAU E SQRT_2 FRAC_1_SQRT_2 LN_2 LN_10 LOG2_E LOG2_10 LOG10_E LOG10_2 FRAC_PI_2 FRAC_PI_3 FRAC_PI_4
        FRAC_PI_6 FRAC_PI_8 FRAC_1_PI FRAC_2_PI FRAC_2_SQRT_PI;
}

pub fn mul_add<T: Floats>(a: T, b: T, c: T) -> T {
    a.mul_add(b, c)
}

pub fn sin_cos<T: Floats>(x: T) -> (T, T) {
    x.sin_cos()
}

pub fn scalb<T: Floats>(x: T, power: T) -> T {
    x.scalb(power)
}

/// x times 2 to the power of a number that is rounded down, in one rounding: exact for narrower floats, whose powers that
/// do not end as 0 or an infinity are normal numbers of f64.
fn scalb_f64(x: f64, power: f64) -> f64 {
    if power.is_nan() {
        return power;
    }
    let pow2 = |n: i32| f64::from_bits(((1023 + n) as u64) << 52);
    let mut n = power.floor().clamp(-2200.0, 2200.0) as i32;
    let mut y = x;
    while n > 1023 {
        y *= pow2(1023);
        n -= 1023;
    }
    // Steps that keep 53 bits in hand, so that only the last one, if any, rounds.
    while n < -1022 {
        y *= pow2(53 - 1022);
        n += 1022 - 53;
    }
    y * pow2(n)
}

/// What floats and complex numbers have.
pub trait Fields: Sized {
    fn sqrt(self) -> Self;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn recip(self) -> Self;
    fn pow(self, power: Self) -> Self;
    fn powi(self, power: i32) -> Self;
}

macro_rules! fields {
    ($($T:ty, $powf:ident;)*) => {$(
        impl Fields for $T {
            fn sqrt(self) -> Self { <$T>::sqrt(self) }
            fn exp(self) -> Self { <$T>::exp(self) }
            fn ln(self) -> Self { <$T>::ln(self) }
            fn recip(self) -> Self { 1.0 / self }
            fn pow(self, power: Self) -> Self { <$T>::$powf(self, power) }
            fn powi(self, power: i32) -> Self { <$T>::powi(&self, power) }
        }
    )*};
    (@real $($T:ty)*) => {$(
        impl Fields for $T {
            fn sqrt(self) -> Self { <$T>::sqrt(self) }
            fn exp(self) -> Self { <$T>::exp(self) }
            fn ln(self) -> Self { <$T>::ln(self) }
            fn recip(self) -> Self { 1.0 / self }
            fn pow(self, power: Self) -> Self { <$T>::powf(self, power) }
            fn powi(self, power: i32) -> Self { <$T>::powi(self, power) }
        }
    )*};
    (@half $($T:ty)*) => {$(
        impl Fields for $T {
            fn sqrt(self) -> Self { <$T>::from_f32(self.to_f32().sqrt()) }
            fn exp(self) -> Self { <$T>::from_f32(self.to_f32().exp()) }
            fn ln(self) -> Self { <$T>::from_f32(self.to_f32().ln()) }
            fn recip(self) -> Self { <$T>::from_f32(1.0 / self.to_f32()) }
            fn pow(self, power: Self) -> Self { <$T>::from_f32(self.to_f32().powf(power.to_f32())) }
            fn powi(self, power: i32) -> Self { <$T>::from_f32(self.to_f32().powi(power)) }
        }
    )*};
}
fields!(Complex<f32>, powc; Complex<f64>, powc;);
fields!(@real f32 f64);
fields!(@half f16 bf16);

macro_rules! field_functions {
    ($($f:ident)*) => {$(pub fn $f<T: Fields>(x: T) -> T { x.$f() })*};
}
field_functions!(sqrt exp ln recip);

pub fn pow<T: Fields>(x: T, power: T) -> T {
    x.pow(power)
}

pub fn powf<T: Fields>(x: T, power: T) -> T {
    x.pow(power)
}

pub fn powi<T: Fields>(x: T, power: i32) -> T {
    x.powi(power)
}

/// What integers and floats have.
pub trait Reals: Copy + PartialOrd {
    /// Its sign: 1, -1, or 0 for an integer that is 0.
    fn signum(self) -> Self;
    fn is_negative_zero(self) -> bool;
    fn is_not_a_number(self) -> bool;

    /// The smaller one; the number if one is NaN.
    fn min(self, other: Self) -> Self {
        match () {
            () if self.is_not_a_number() => other,
            () if other.is_not_a_number() || self < other => self,
            () if self == other && self.is_negative_zero() => self,
            () => other,
        }
    }

    /// The larger one; the number if one is NaN.
    fn max(self, other: Self) -> Self {
        match () {
            () if self.is_not_a_number() => other,
            () if other.is_not_a_number() || self > other => self,
            () if self == other && other.is_negative_zero() => self,
            () => other,
        }
    }

    /// The smaller one; NaN if one is NaN.
    fn minimum(self, other: Self) -> Self {
        match other.is_not_a_number() {
            true => other,
            false if self.is_not_a_number() => self,
            false => Reals::min(self, other),
        }
    }

    /// The larger one; NaN if one is NaN.
    fn maximum(self, other: Self) -> Self {
        match other.is_not_a_number() {
            true => other,
            false if self.is_not_a_number() => self,
            false => Reals::max(self, other),
        }
    }

    /// The nearest value between two bounds; NaN stays NaN.
    fn clamp(self, low: Self, high: Self) -> Self {
        if self.is_not_a_number() {
            return self;
        }
        Reals::min(Reals::max(self, low), high)
    }
}

macro_rules! reals {
    (float: $($T:ty)*) => {$(
        impl Reals for $T {
            fn signum(self) -> Self { <$T>::signum(self) }
            fn is_negative_zero(self) -> bool { self.to_bits() == 1 << (8 * size_of::<$T>() - 1) }
            fn is_not_a_number(self) -> bool { <$T>::is_nan(self) }
        }
    )*};
    (integer: $($T:ty)*) => {$(
        impl Reals for $T {
            fn signum(self) -> Self { <$T>::signum(self) }
            fn is_negative_zero(self) -> bool { false }
            fn is_not_a_number(self) -> bool { false }
        }
    )*};
}
reals!(float: f16 bf16 f32 f64);
reals!(integer: i8 i16 i32 i64);

macro_rules! unsigned_reals {
    ($($T:ty)*) => {$(
        impl Reals for $T {
            fn signum(self) -> Self { (self > 0).into() }
            fn is_negative_zero(self) -> bool { false }
            fn is_not_a_number(self) -> bool { false }
        }
    )*};
}
unsigned_reals!(u8 u16 u32 u64);

macro_rules! real_functions {
    ($($f:ident)*) => {$(pub fn $f<T: Reals>(x: T, y: T) -> T { Reals::$f(x, y) })*};
}
real_functions!(min max minimum maximum);

pub fn signum<T: Reals>(x: T) -> T {
    Reals::signum(x)
}

pub fn clamp<T: Reals>(x: T, low: T, high: T) -> T {
    Reals::clamp(x, low, high)
}

/// `abs`, of real and complex numbers.
pub trait Magnitude {
    type Output;
    fn abs(self) -> Self::Output;
}

macro_rules! magnitudes {
    ($($T:ty => $Output:ty, |$x:ident| $abs:expr;)*) => {$(
        impl Magnitude for $T {
            type Output = $Output;
            fn abs(self) -> $Output {
                let $x = self;
                $abs
            }
        }
    )*};
}
magnitudes! {
    i8 => i8, |x| x.wrapping_abs();
    i16 => i16, |x| x.wrapping_abs();
    i32 => i32, |x| x.wrapping_abs();
    i64 => i64, |x| x.wrapping_abs();
    u8 => u8, |x| x;
    u16 => u16, |x| x;
    u32 => u32, |x| x;
    u64 => u64, |x| x;
    f16 => f16, |x| f16::from_bits(x.to_bits() & 0x7fff);
    bf16 => bf16, |x| bf16::from_bits(x.to_bits() & 0x7fff);
    f32 => f32, |x| f32::abs(x);
    f64 => f64, |x| f64::abs(x);
    Complex<f32> => f32, |z| z.re.hypot(z.im);
    Complex<f64> => f64, |z| z.re.hypot(z.im);
}

pub fn abs<T: Magnitude>(x: T) -> T::Output {
    x.abs()
}

/// What complex numbers alone have.
pub trait Complexes: Sized {
    type Part;
    fn re(self) -> Self::Part;
    fn im(self) -> Self::Part;
    fn arg(self) -> Self::Part;
    fn norm_sqr(self) -> Self::Part;
    fn conj(self) -> Self;
}

macro_rules! complexes {
    ($($part:ty)*) => {$(
        impl Complexes for Complex<$part> {
            type Part = $part;
            fn re(self) -> $part { self.re }
            fn im(self) -> $part { self.im }
            fn arg(self) -> $part { self.im.atan2(self.re) }
            fn norm_sqr(self) -> $part { self.re * self.re + self.im * self.im }
            fn conj(self) -> Self { Complex::new(self.re, -self.im) }
        }
    )*};
}
complexes!(f32 f64);

macro_rules! complex_functions {
    ($($f:ident)*) => {$(pub fn $f<T: Complexes>(z: T) -> T::Part { Complexes::$f(z) })*};
}
complex_functions!(re im arg norm_sqr);

pub fn conj<T: Complexes>(z: T) -> T {
    z.conj()
}

pub fn complex<T>(re: T, im: T) -> Complex<T> {
    Complex::new(re, im)
}

/// What integers alone have.
pub trait Integers: Sized {
    type Unsigned;
    fn saturating_add(self, other: Self) -> Self;
    fn saturating_sub(self, other: Self) -> Self;
    fn abs_diff(self, other: Self) -> Self::Unsigned;
    fn div_euclid(self, other: Self) -> Self;
    fn rem_euclid(self, other: Self) -> Self;
    fn floor_div(self, other: Self) -> Self;
    fn floor_mod(self, other: Self) -> Self;
    fn leading_zeros(self) -> u32;
    fn trailing_zeros(self) -> u32;
    fn count_ones(self) -> u32;
    fn rotate_left(self, by: u32) -> Self;
    fn rotate_right(self, by: u32) -> Self;
    fn swap_bytes(self) -> Self;
}

macro_rules! integers {
    ($($T:ident $U:ident $signed:literal;)*) => {$(
        impl Integers for $T {
            type Unsigned = $U;
            fn saturating_add(self, other: Self) -> Self { $T::saturating_add(self, other) }
            fn saturating_sub(self, other: Self) -> Self { $T::saturating_sub(self, other) }
            fn abs_diff(self, other: Self) -> $U { $T::abs_diff(self, other) }
            fn div_euclid(self, other: Self) -> Self {
                if other == 0 { 0 } else { self.wrapping_div_euclid(other) }
            }
            fn rem_euclid(self, other: Self) -> Self {
                if other == 0 { 0 } else { self.wrapping_rem_euclid(other) }
            }
            fn floor_div(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let goes_down = $signed && self.wrapping_rem(other) != 0 && ((self ^ other) >> ($T::BITS - 1)) != 0;
                self.wrapping_div(other).wrapping_sub(goes_down.into())
            }
            fn floor_mod(self, other: Self) -> Self {
                if other == 0 {
                    return 0;
                }
                let rest = self.wrapping_rem(other);
                let is_off = $signed && rest != 0 && ((rest ^ other) >> ($T::BITS - 1)) != 0;
                if is_off { rest.wrapping_add(other) } else { rest }
            }
            fn leading_zeros(self) -> u32 { $T::leading_zeros(self) }
            fn trailing_zeros(self) -> u32 { $T::trailing_zeros(self) }
            fn count_ones(self) -> u32 { $T::count_ones(self) }
            fn rotate_left(self, by: u32) -> Self { $T::rotate_left(self, by) }
            fn rotate_right(self, by: u32) -> Self { $T::rotate_right(self, by) }
            fn swap_bytes(self) -> Self { $T::swap_bytes(self) }
        }
    )*};
}
integers! {
    i8 u8 true;
    i16 u16 true;
    i32 u32 true;
    i64 u64 true;
    u8 u8 false;
    u16 u16 false;
    u32 u32 false;
    u64 u64 false;
}

macro_rules! integer_functions {
    (counts: $($c:ident)*; turns: $($t:ident)*; pairs: $($p:ident)*;) => {
        $(pub fn $c<T: Integers>(x: T) -> u32 { x.$c() })*
        $(pub fn $t<T: Integers>(x: T, by: u32) -> T { x.$t(by) })*
        $(pub fn $p<T: Integers>(x: T, y: T) -> T { x.$p(y) })*
    };
}
integer_functions! {
    counts: leading_zeros trailing_zeros count_ones;
    turns: rotate_left rotate_right;
    pairs: saturating_add saturating_sub div_euclid rem_euclid floor_div floor_mod;
}

pub fn abs_diff<T: Integers>(x: T, y: T) -> T::Unsigned {
    x.abs_diff(y)
}

macro_rules! wrapping {
    ($($f:ident)*) => {
        /// Integers that wrap around.
        pub trait Wrapping: Sized {
            $(fn $f(self, other: Self) -> Self;)*
        }
        wrapping!(@for i8: $($f)*);
        wrapping!(@for i16: $($f)*);
        wrapping!(@for i32: $($f)*);
        wrapping!(@for i64: $($f)*);
        wrapping!(@for u8: $($f)*);
        wrapping!(@for u16: $($f)*);
        wrapping!(@for u32: $($f)*);
        wrapping!(@for u64: $($f)*);
        $(pub fn $f<T: Wrapping>(x: T, y: T) -> T { x.$f(y) })*
    };
    (@for $T:ident: $($f:ident)*) => {
        impl Wrapping for $T {
            $(fn $f(self, other: Self) -> Self { $T::$f(self, other) })*
        }
    };
}
wrapping!(wrapping_add wrapping_sub wrapping_mul wrapping_div wrapping_rem);

/// Numbers whose bits can be looked at.
pub trait Bits {
    type Bits;
    fn to_bits(self) -> Self::Bits;
}

macro_rules! bits {
    ($($T:ident $U:ident,)*) => {$(
        impl Bits for $T {
            type Bits = $U;
            fn to_bits(self) -> $U { $T::to_bits(self) }
        }
    )*};
}
bits!(f16 u16, bf16 u16, f32 u32, f64 u64,);

pub fn to_bits<T: Bits>(x: T) -> T::Bits {
    Bits::to_bits(x)
}

pub fn swap_bytes<T: Integers>(x: T) -> T {
    x.swap_bytes()
}

macro_rules! operators {
    ($($f:ident $Trait:ident,)*) => {$(
        pub fn $f<T: std::ops::$Trait>(x: T, y: T) -> T::Output {
            std::ops::$Trait::$f(x, y)
        }
    )*};
}
operators!(add Add, sub Sub, mul Mul, div Div, rem Rem,);

pub fn neg<T: std::ops::Neg>(x: T) -> T::Output {
    -x
}

pub fn not<T: std::ops::Not>(x: T) -> T::Output {
    !x
}

macro_rules! comparisons {
    ($($f:ident $Trait:ident,)*) => {$(
        pub fn $f<T: $Trait>(x: T, y: T) -> bool {
            $Trait::$f(&x, &y)
        }
    )*};
}
comparisons!(eq PartialEq, ne PartialEq, lt PartialOrd, le PartialOrd, gt PartialOrd, ge PartialOrd,);

#[cfg(test)]
mod tests {
    use super::*;

    /// Each name is a function of this module: the list would not compile else.
    macro_rules! names {
        ($($name:ident)*) => {{
            #[expect(unused_imports, reason = "only that they are there matters")]
            use super::{$($name),*};
            [$(stringify!($name)),*]
        }};
    }

    #[test]
    fn every_function_of_the_language_is_here() {
        let here = names! {
            add sub mul div rem neg abs mul_add sqrt min max minimum maximum floor ceil trunc round_ties_even not eq ne
            lt le gt ge select complex re im exp exp2 ln log2 log10 sin cos tan sin_cos atan atan2 asin acos tanh pow
            powi hypot round fract copysign scalb signum recip clamp is_nan is_finite is_infinite saturating_add
            saturating_sub abs_diff div_euclid rem_euclid floor_div floor_mod leading_zeros trailing_zeros count_ones
            rotate_left rotate_right swap_bytes norm_sqr arg conj
        };
        // These have operators or words of their own.
        let other = [
            "and", "or", "xor", "shl", "shr", "convert", "bitcast", "any",
        ];
        let missing: Vec<&str> = ufc_ir::ops::AnyOp::all()
            .map(ufc_ir::ops::AnyOp::name)
            .filter(|name| !here.contains(name) && !other.contains(name))
            .collect();
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn what_rust_lacks_is_as_in_the_language() {
        assert_eq!((floor_div(-7i32, 2), floor_mod(-7i32, 2)), (-4, 1));
        assert_eq!((floor_div(7i8, -2), floor_mod(7i8, -2)), (-4, -1));
        assert_eq!((floor_div(200u8, 7), floor_mod(200u8, 7)), (28, 4));
        assert_eq!((floor_div(1i64, 0), floor_mod(1i64, 0)), (0, 0));
        assert!(minimum(f32::NAN, 1.0).is_nan() && minimum(1.0, f32::NAN).is_nan());
        assert_eq!((min(f32::NAN, 1.0), max(1.0f64, f64::NAN)), (1.0, 1.0));
        assert!(min(0.0f32, -0.0).is_sign_negative() && max(-0.0f32, 0.0).is_sign_positive());
        assert_eq!(signum(-5i8), -1);
        assert_eq!(scalb(3.0f32, -1.5), 0.75);
        assert_eq!(scalb(1.0f64, -1074.0), f64::from_bits(1));
        assert_eq!(scalb(f64::from_bits(1), 1e300), f64::INFINITY);
        assert_eq!(scalb(f64::from_bits(1), 2097.0), 2f64.powi(1023));
        assert_eq!(scalb(0.0f32, f32::INFINITY), 0.0);
        // In two roundings it would be 2 of the smallest numbers.
        assert_eq!(
            scalb(1.0 + 2f64.powi(-1) - 2f64.powi(-52), -1074.0),
            f64::from_bits(1)
        );
        assert_eq!(cast::<f16>(2.5f32), f16::from_f32(2.5));
        assert_eq!(cast::<i8>(1e9f64), i8::MAX);
        assert_eq!(cast::<f32>(true), 1.0);
        assert_eq!(abs(c64(3.0, 4.0)), 5.0);
        assert_eq!(bf16::PI.to_f32(), 3.140625);
    }
}
