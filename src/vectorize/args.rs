//! Which Rust values a typed call takes for a parameter, and which it writes to.
//!
//! [`Arg`] and [`Out`] say it of one parameter or result, [`Args`] and [`Outs`] of all of them. A function's type has
//! them through [`Signature`].

use smallvec::{SmallVec, smallvec};

use ufc_ir::DType;

use super::quick::Plain;
use super::typed::{TypedArray, TypedView};
use crate::array::{Array, Element, Operand, Output, ToOperand, ToOutput};

/// What can be the argument for a parameter of type `T`: a `T`, or anything with elements of type `T`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the argument for a parameter of type `{T}`",
    label = "expected `{T}`, or a slice, array or view of `{T}`",
    note = "slices, `Vec`s and arrays are passed by reference"
)]
pub trait Arg<'a, T>: One {
    /// The operand that it is.
    fn operand(self) -> Operand<'a>;

    /// Adds itself to the operands of a short call, if it is as plain as that takes.
    #[doc(hidden)]
    fn add_to<'s>(&'s self, _plain: &mut Plain<'s>) -> Option<()> {
        None
    }
}

/// What is one argument, not a tuple of them. Without a type parameter of its own, so that rustc sees the difference.
pub trait One {}

/// The arguments of a call: a tuple with an [`Arg`] for each parameter, or a single one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` are not the arguments for parameters of the types `{P}`",
    note = "arguments are a tuple with one for each parameter; slices, `Vec`s and arrays are passed by reference"
)]
pub trait Args<'a, P> {
    /// The operands in order.
    fn operands(self) -> SmallVec<[Operand<'a>; 4]>;

    /// Adds all to the operands of a short call, if they are as plain as that takes.
    #[doc(hidden)]
    fn add_all_to<'s>(&'s self, _plain: &mut Plain<'s>) -> Option<()> {
        None
    }
}

/// What a result of type `T` can be written to: memory for elements of type `T`.
#[diagnostic::on_unimplemented(
    message = "a result of type `{T}` cannot be written to `{Self}`",
    label = "expected a mutable slice, array or view of `{T}`"
)]
pub trait Out<'a, T> {
    /// The output that it is.
    fn output(self) -> Output<'a>;

    /// Adds itself to the operands of a short call, if it is as plain as that takes.
    #[doc(hidden)]
    fn add_to<'s>(&'s mut self, _plain: &mut Plain<'s>) -> Option<()> {
        None
    }
}

/// What the results of a call can be written to: an [`Out`] for each, a tuple if there are several.
#[diagnostic::on_unimplemented(
    message = "results of the types `{R}` cannot be written to `{Self}`",
    note = "outputs are a mutable slice, `Vec`, array or view, or a tuple with one for each result"
)]
pub trait Outs<'a, R> {
    /// The outputs in order.
    fn outputs(self) -> SmallVec<[Output<'a>; 2]>;

    /// Adds all to the operands of a short call, if they are as plain as that takes.
    #[doc(hidden)]
    fn add_all_to<'s>(&'s mut self, _plain: &mut Plain<'s>) -> Option<()> {
        None
    }
}

/// The result of a function: one number or bool, or a tuple of them.
pub trait Results: sealed::Sealed {
    /// The arrays that a call gives.
    type Arrays;

    /// Gives untyped arrays their types; none if they have others.
    fn from_arrays(arrays: Vec<Array>) -> Option<Self::Arrays>;
}

/// The type of a function that can be a kernel: `fn(A, B) -> R` with elements as parameters.
pub trait Signature: Copy + Send + Sync + 'static + sealed::Sealed {
    /// The parameters' types as a tuple.
    type Params;
    /// The result's type.
    type Result: Results;

    /// The parameters' dtypes.
    fn inputs() -> Vec<DType>;
}

mod sealed {
    /// Keeps these traits to the types that are meant.
    pub trait Sealed {}
}

impl<T: Element> One for T {}
impl<'a, T: Element> Arg<'a, T> for T {
    fn operand(self) -> Operand<'a> {
        Operand::Scalar(self.to_const())
    }

    #[inline]
    fn add_to<'s>(&'s self, plain: &mut Plain<'s>) -> Option<()> {
        plain.value(self)
    }
}

macro_rules! arguments {
    ($(<$($life:lifetime)? $($N:ident)?> $ty:ty $(, |$slice:ident| $plain:expr)?;)*) => {$(
        impl<'a, $($life,)? T: Element $(, const $N: usize)?> One for $ty {}
        impl<'a, $($life,)? T: Element $(, const $N: usize)?> Arg<'a, T> for $ty {
            fn operand(self) -> Operand<'a> {
                self.to_operand()
            }
            $(
                #[inline]
                fn add_to<'s>(&'s self, plain: &mut Plain<'s>) -> Option<()> {
                    let $slice = self;
                    plain.slice($plain)
                }
            )?
        }
    )*};
}
arguments! {
    <> &'a [T], |slice| slice;
    <> &'a Vec<T>, |vec| vec;
    <N> &'a [T; N], |array| &array[..];
    <> &'a TypedArray<T>;
    <> TypedView<'a, T>;
    <'b> &'b TypedView<'a, T>;
}

macro_rules! outputs {
    ($(<$($N:ident)?> $ty:ty $(, |$slice:ident| $plain:expr)?;)*) => {$(
        impl<'a, T: Element $(, const $N: usize)?> Out<'a, T> for $ty {
            fn output(self) -> Output<'a> {
                self.to_output()
            }
            $(
                #[inline]
                fn add_to<'s>(&'s mut self, plain: &mut Plain<'s>) -> Option<()> {
                    let $slice = self;
                    plain.output($plain)
                }
            )?
        }
    )*};
}
outputs! {
    <> &'a mut [T], |slice| slice;
    <> &'a mut Vec<T>, |vec| vec;
    <N> &'a mut [T; N], |array| &mut array[..];
    <> &'a mut TypedArray<T>;
}

#[cfg(feature = "ndarray")]
mod nd {
    use super::{Arg, Element, One, Operand, Out, Output, ToOperand, ToOutput};
    use ndarray::{ArrayBase, ArrayView, ArrayViewMut, Data, DataMut, Dimension};

    impl<T: Element, D: Dimension> One for ArrayView<'_, T, D> {}
    impl<T: Element, S: Data<Elem = T>, D: Dimension> One for &ArrayBase<S, D> {}

    impl<'a, T: Element, D: Dimension> Arg<'a, T> for ArrayView<'a, T, D> {
        fn operand(self) -> Operand<'a> {
            self.to_operand()
        }
    }

    impl<'a, T, S, D> Arg<'a, T> for &'a ArrayBase<S, D>
    where
        T: Element,
        S: Data<Elem = T>,
        D: Dimension,
    {
        fn operand(self) -> Operand<'a> {
            self.to_operand()
        }
    }

    impl<'a, T: Element, D: Dimension> Out<'a, T> for ArrayViewMut<'a, T, D> {
        fn output(self) -> Output<'a> {
            self.to_output()
        }
    }

    impl<'a, T, S, D> Out<'a, T> for &'a mut ArrayBase<S, D>
    where
        T: Element,
        S: DataMut<Elem = T>,
        D: Dimension,
    {
        fn output(self) -> Output<'a> {
            self.to_output()
        }
    }
}

impl<'a, T, A: Arg<'a, T> + One> Args<'a, (T,)> for A {
    fn operands(self) -> SmallVec<[Operand<'a>; 4]> {
        smallvec![self.operand()]
    }

    #[inline]
    fn add_all_to<'s>(&'s self, plain: &mut Plain<'s>) -> Option<()> {
        self.add_to(plain)
    }
}

impl<'a> Args<'a, ()> for () {
    fn operands(self) -> SmallVec<[Operand<'a>; 4]> {
        SmallVec::new()
    }
}

impl<R: Results> sealed::Sealed for fn() -> R {}
impl<R: Results + 'static> Signature for fn() -> R {
    type Params = ();
    type Result = R;

    fn inputs() -> Vec<DType> {
        Vec::new()
    }
}

impl<'a, T: Element, O: Out<'a, T>> Outs<'a, T> for O {
    fn outputs(self) -> SmallVec<[Output<'a>; 2]> {
        smallvec![self.output()]
    }

    #[inline]
    fn add_all_to<'s>(&'s mut self, plain: &mut Plain<'s>) -> Option<()> {
        self.add_to(plain)
    }
}

impl<T: Element> sealed::Sealed for T {}
impl<T: Element> Results for T {
    type Arrays = TypedArray<T>;

    fn from_arrays(arrays: Vec<Array>) -> Option<TypedArray<T>> {
        let [array] = <[Array; 1]>::try_from(arrays).ok()?;
        TypedArray::try_new(array).ok()
    }
}

macro_rules! tuples {
    ($($T:ident $A:ident,)*) => {
        impl<'a, $($T, $A: Arg<'a, $T>),*> Args<'a, ($($T,)*)> for ($($A,)*) {
            #[expect(non_snake_case, reason = "each field is called as its type parameter")]
            fn operands(self) -> SmallVec<[Operand<'a>; 4]> {
                let ($($A,)*) = self;
                smallvec![$($A.operand()),*]
            }

            #[inline]
            #[expect(non_snake_case, reason = "each field is called as its type parameter")]
            fn add_all_to<'s>(&'s self, plain: &mut Plain<'s>) -> Option<()> {
                let ($($A,)*) = self;
                $($A.add_to(plain)?;)*
                Some(())
            }
        }

        impl<$($T: Element,)* R: Results> sealed::Sealed for fn($($T),*) -> R {}
        impl<$($T: Element,)* R: Results + 'static> Signature for fn($($T),*) -> R {
            type Params = ($($T,)*);
            type Result = R;

            fn inputs() -> Vec<DType> {
                vec![$($T::DTYPE),*]
            }
        }

        impl<'a, $($T: Element, $A: Out<'a, $T>),*> Outs<'a, ($($T,)*)> for ($($A,)*) {
            #[expect(non_snake_case, reason = "each field is called as its type parameter")]
            fn outputs(self) -> SmallVec<[Output<'a>; 2]> {
                let ($($A,)*) = self;
                smallvec![$($A.output()),*]
            }

            #[inline]
            #[expect(non_snake_case, reason = "each field is called as its type parameter")]
            fn add_all_to<'s>(&'s mut self, plain: &mut Plain<'s>) -> Option<()> {
                let ($($A,)*) = self;
                $($A.add_to(plain)?;)*
                Some(())
            }
        }

        impl<$($T: Element),*> sealed::Sealed for ($($T,)*) {}
        impl<$($T: Element),*> Results for ($($T,)*) {
            type Arrays = ($(TypedArray<$T>,)*);

            fn from_arrays(arrays: Vec<Array>) -> Option<Self::Arrays> {
                let mut arrays = arrays.into_iter();
                let typed = ($(TypedArray::<$T>::try_new(arrays.next()?).ok()?,)*);
                arrays.next().is_none().then_some(typed)
            }
        }
    };
}
tuples!(T1 A1,);
tuples!(T1 A1, T2 A2,);
tuples!(T1 A1, T2 A2, T3 A3,);
tuples!(T1 A1, T2 A2, T3 A3, T4 A4,);
tuples!(T1 A1, T2 A2, T3 A3, T4 A4, T5 A5,);
tuples!(T1 A1, T2 A2, T3 A3, T4 A4, T5 A5, T6 A6,);
tuples!(T1 A1, T2 A2, T3 A3, T4 A4, T5 A5, T6 A6, T7 A7,);
tuples!(T1 A1, T2 A2, T3 A3, T4 A4, T5 A5, T6 A6, T7 A7, T8 A8,);
tuples!(T1 A1, T2 A2, T3 A3, T4 A4, T5 A5, T6 A6, T7 A7, T8 A8, T9 A9,);
tuples!(T1 A1, T2 A2, T3 A3, T4 A4, T5 A5, T6 A6, T7 A7, T8 A8, T9 A9, T10 A10,);
tuples!(T1 A1, T2 A2, T3 A3, T4 A4, T5 A5, T6 A6, T7 A7, T8 A8, T9 A9, T10 A10, T11 A11,);
tuples!(T1 A1, T2 A2, T3 A3, T4 A4, T5 A5, T6 A6, T7 A7, T8 A8, T9 A9, T10 A10, T11 A11, T12 A12,);
