//! What a call may be given: the traits that turn Rust values into operands.

use super::Array;
use super::device::DeviceArray;
use super::element::Element;
use super::view::{View, ViewMut};
use half::{bf16, f16};
use num_complex::Complex;
use smallvec::{SmallVec, smallvec};
use std::fmt;
use ufc_ir::{Const, DType};

/// An input of a call.
#[derive(Clone, Debug)]
pub enum Operand<'a> {
    /// Elements somewhere in memory.
    View(View<'a>),
    /// One value of a dtype, as a Rust number is.
    Scalar(Const),
    /// A number without a dtype of its own, as a Python number is: it takes the dtype of the operands it meets.
    Weak(Weak),
    /// The memory of the output of this number, which is read before it is written.
    InPlace(usize),
    /// Elements in the memory of a device.
    Device(DeviceArray),
}

/// A number that adapts to the dtypes it meets, by NEP 50.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weak {
    /// True or false; not weak in effect, because bool gives way to every dtype anyway.
    Bool(bool),
    /// A whole number: takes any number's dtype, if it fits.
    Int(i128),
    /// A real number: takes any float or complex dtype.
    Float(f64),
    /// A complex number: takes any complex dtype.
    Complex(f64, f64),
}

impl fmt::Display for Weak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Weak::Bool(b) => write!(f, "{b}"),
            Weak::Int(n) => write!(f, "{n}"),
            Weak::Float(x) => write!(f, "{x:?}"),
            Weak::Complex(re, im) => write!(f, "{re:?}{im:+?}i"),
        }
    }
}

/// Stands for an input that is the memory of an output: `InPlace(0)` reads what output 0 held before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InPlace(pub usize);

/// What can be an input of a call.
pub trait ToOperand<'a> {
    /// The operand it is.
    fn to_operand(self) -> Operand<'a>;
}

/// All inputs of a call: one operand, a tuple of up to eight, or a slice of operands, views, arrays or arrays on a device.
pub trait Inputs<'a> {
    /// The operands in order.
    fn to_operands(self) -> SmallVec<[Operand<'a>; 4]>;
}

impl Operand<'_> {
    /// Its dtype; none for weak numbers and for outputs read in place.
    pub fn dtype(&self) -> Option<DType> {
        match self {
            Operand::View(view) => Some(view.dtype()),
            Operand::Scalar(value) => Some(value.dtype()),
            Operand::Device(array) => Some(array.dtype()),
            Operand::Weak(_) | Operand::InPlace(_) => None,
        }
    }

    /// Its shape; numbers have no axes. An output read in place has the shape that the results get.
    pub fn shape(&self) -> &[usize] {
        match self {
            Operand::View(view) => view.shape(),
            Operand::Device(array) => array.shape(),
            Operand::Scalar(_) | Operand::Weak(_) | Operand::InPlace(_) => &[],
        }
    }
}

impl<'a> ToOperand<'a> for Operand<'a> {
    fn to_operand(self) -> Operand<'a> {
        self
    }
}

impl<'a> ToOperand<'a> for &Operand<'a> {
    fn to_operand(self) -> Operand<'a> {
        self.clone()
    }
}

impl<'a> ToOperand<'a> for View<'a> {
    fn to_operand(self) -> Operand<'a> {
        Operand::View(self)
    }
}

impl<'a> ToOperand<'a> for &View<'a> {
    fn to_operand(self) -> Operand<'a> {
        Operand::View(self.clone())
    }
}

impl<'a> ToOperand<'a> for &'a Array {
    fn to_operand(self) -> Operand<'a> {
        Operand::View(self.view())
    }
}

impl<'a, T: Element> ToOperand<'a> for &'a [T] {
    fn to_operand(self) -> Operand<'a> {
        Operand::View(View::from_slice(self))
    }
}

impl<'a, T: Element> ToOperand<'a> for &'a Vec<T> {
    fn to_operand(self) -> Operand<'a> {
        Operand::View(View::from_slice(self))
    }
}

impl<'a, T: Element, const N: usize> ToOperand<'a> for &'a [T; N] {
    fn to_operand(self) -> Operand<'a> {
        Operand::View(View::from_slice(self))
    }
}

impl<'a> ToOperand<'a> for Const {
    fn to_operand(self) -> Operand<'a> {
        Operand::Scalar(self)
    }
}

impl<'a> ToOperand<'a> for Weak {
    fn to_operand(self) -> Operand<'a> {
        Operand::Weak(self)
    }
}

impl<'a> ToOperand<'a> for InPlace {
    fn to_operand(self) -> Operand<'a> {
        Operand::InPlace(self.0)
    }
}

macro_rules! scalar_operands {
    ($($T:ty)*) => {$(
        impl<'a> ToOperand<'a> for $T {
            fn to_operand(self) -> Operand<'a> {
                Operand::Scalar(self.to_const())
            }
        }
    )*};
}
scalar_operands!(bool i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64 Complex<f32> Complex<f64>);

impl<'a, T: ToOperand<'a>> Inputs<'a> for T {
    fn to_operands(self) -> SmallVec<[Operand<'a>; 4]> {
        smallvec![self.to_operand()]
    }
}

macro_rules! tuple_inputs {
    ($($T:ident)*) => {
        impl<'a, $($T: ToOperand<'a>),*> Inputs<'a> for ($($T,)*) {
            #[expect(non_snake_case, reason = "each field is called as its type parameter")]
            fn to_operands(self) -> SmallVec<[Operand<'a>; 4]> {
                let ($($T,)*) = self;
                smallvec![$($T.to_operand()),*]
            }
        }
    };
}
tuple_inputs!(A);
tuple_inputs!(A B);
tuple_inputs!(A B C);
tuple_inputs!(A B C D);
tuple_inputs!(A B C D E);
tuple_inputs!(A B C D E F);
tuple_inputs!(A B C D E F G);
tuple_inputs!(A B C D E F G H);

impl<'a> Inputs<'a> for () {
    fn to_operands(self) -> SmallVec<[Operand<'a>; 4]> {
        SmallVec::new()
    }
}

impl<'a> Inputs<'a> for Vec<Operand<'a>> {
    fn to_operands(self) -> SmallVec<[Operand<'a>; 4]> {
        self.into_iter().collect()
    }
}

impl<'a> Inputs<'a> for SmallVec<[Operand<'a>; 4]> {
    fn to_operands(self) -> SmallVec<[Operand<'a>; 4]> {
        self
    }
}

impl<'a> Inputs<'a> for &[Operand<'a>] {
    fn to_operands(self) -> SmallVec<[Operand<'a>; 4]> {
        self.iter().cloned().collect()
    }
}

impl<'a> Inputs<'a> for &[View<'a>] {
    fn to_operands(self) -> SmallVec<[Operand<'a>; 4]> {
        self.iter().map(ToOperand::to_operand).collect()
    }
}

impl<'a> Inputs<'a> for &'a [Array] {
    fn to_operands(self) -> SmallVec<[Operand<'a>; 4]> {
        self.iter().map(ToOperand::to_operand).collect()
    }
}

impl<'a> Inputs<'a> for &[DeviceArray] {
    fn to_operands(self) -> SmallVec<[Operand<'a>; 4]> {
        self.iter().map(ToOperand::to_operand).collect()
    }
}

impl<'a> Inputs<'a> for &[&'a Array] {
    fn to_operands(self) -> SmallVec<[Operand<'a>; 4]> {
        self.iter().map(|array| array.to_operand()).collect()
    }
}

/// An output of a call.
#[derive(Debug)]
pub struct Output<'a> {
    pub(crate) view: ViewMut<'a>,
    /// Whether it is plain memory that takes the results' shape if it has as many elements.
    pub(crate) flat: bool,
}

impl Output<'_> {
    /// The same output, borrowed from this one.
    pub(crate) fn reborrow(&mut self) -> Output<'_> {
        Output {
            view: self.view.reborrow(),
            flat: self.flat,
        }
    }
}

/// What can be an output of a call. Slices and `Vec`s take results of any shape with as many elements, in C order.
pub trait ToOutput<'a> {
    /// The output it is.
    fn to_output(self) -> Output<'a>;
}

/// All outputs of a call: one, a tuple of up to four, or a `Vec`.
pub trait Outputs<'a> {
    /// The outputs in order.
    fn to_outputs(self) -> SmallVec<[Output<'a>; 2]>;
}

impl<'a> ToOutput<'a> for Output<'a> {
    fn to_output(self) -> Output<'a> {
        self
    }
}

impl<'a> ToOutput<'a> for ViewMut<'a> {
    fn to_output(self) -> Output<'a> {
        Output {
            view: self,
            flat: false,
        }
    }
}

impl<'a> ToOutput<'a> for &'a mut Array {
    fn to_output(self) -> Output<'a> {
        self.view_mut().to_output()
    }
}

impl<'a, T: Element> ToOutput<'a> for &'a mut [T] {
    fn to_output(self) -> Output<'a> {
        Output {
            view: ViewMut::from_slice(self),
            flat: true,
        }
    }
}

impl<'a, T: Element> ToOutput<'a> for &'a mut Vec<T> {
    fn to_output(self) -> Output<'a> {
        self.as_mut_slice().to_output()
    }
}

impl<'a, T: Element, const N: usize> ToOutput<'a> for &'a mut [T; N] {
    fn to_output(self) -> Output<'a> {
        self.as_mut_slice().to_output()
    }
}

impl<'a, T: ToOutput<'a>> Outputs<'a> for T {
    fn to_outputs(self) -> SmallVec<[Output<'a>; 2]> {
        smallvec![self.to_output()]
    }
}

impl<'a> Outputs<'a> for Vec<Output<'a>> {
    fn to_outputs(self) -> SmallVec<[Output<'a>; 2]> {
        self.into_iter().collect()
    }
}

impl<'a> Outputs<'a> for SmallVec<[Output<'a>; 2]> {
    fn to_outputs(self) -> SmallVec<[Output<'a>; 2]> {
        self
    }
}

impl<'a> Outputs<'a> for &'a mut [Array] {
    fn to_outputs(self) -> SmallVec<[Output<'a>; 2]> {
        self.iter_mut().map(ToOutput::to_output).collect()
    }
}

macro_rules! tuple_outputs {
    ($($T:ident)*) => {
        impl<'a, $($T: ToOutput<'a>),*> Outputs<'a> for ($($T,)*) {
            #[expect(non_snake_case, reason = "each field is called as its type parameter")]
            fn to_outputs(self) -> SmallVec<[Output<'a>; 2]> {
                let ($($T,)*) = self;
                smallvec![$($T.to_output()),*]
            }
        }
    };
}
tuple_outputs!(A);
tuple_outputs!(A B);
tuple_outputs!(A B C);
tuple_outputs!(A B C D);

#[cfg(test)]
mod tests {
    use super::*;

    fn dtypes<'a>(inputs: impl Inputs<'a>) -> Vec<Option<DType>> {
        inputs.to_operands().iter().map(Operand::dtype).collect()
    }

    #[test]
    fn inputs_of_many_kinds() {
        let vec = vec![1.0f64; 3];
        let array = Array::from([1u8, 2]);
        assert_eq!(dtypes(2.5f32), [Some(DType::F32)]);
        assert_eq!(
            dtypes((&vec, &vec[1..], &[1i8; 4], &array, array.view())),
            [DType::F64, DType::F64, DType::I8, DType::U8, DType::U8].map(Some)
        );
        assert_eq!(dtypes((Weak::Int(1), InPlace(0))), [None, None]);
        assert_eq!(dtypes(()), []);
        let operands = [true.to_operand(), (&array).to_operand()];
        assert_eq!(dtypes(&operands[..]), [DType::Bool, DType::U8].map(Some));
        assert_eq!(dtypes(&[array][..]), [Some(DType::U8)]);
    }

    #[test]
    fn outputs_of_many_kinds() {
        let (mut vec, mut array) = (vec![0f32; 4], Array::zeros(DType::I64, &[2, 2]).unwrap());
        let outputs = (&mut vec, &mut array).to_outputs();
        assert!(outputs[0].flat && !outputs[1].flat);
        assert_eq!(outputs[1].view.shape(), [2, 2]);
    }
}
