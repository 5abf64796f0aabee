//! Arrays and views of any dtype, what may be an operand of a call, and how a call iterates over its operands.
//!
//! [`DeviceArray`] is in the memory of a GPU. [`Array`] owns its elements, [`View`] and [`ViewMut`] borrow them from anywhere with any strides, alignment and byte order.
//! Broadcasting, promotion and casting follow NumPy 2.

pub mod broadcast;
mod buffer;
pub mod call;
pub mod cast;
mod convert;
mod device;
pub(crate) mod device_call;
mod element;
mod error;
pub mod iter;
pub mod layout;
#[cfg(feature = "ndarray")]
mod nd;
pub mod npy;
mod operand;
mod show;
mod view;

pub use buffer::ALIGNMENT;
pub use cast::Casting;
pub use device::{DeviceArray, TypedDeviceArray};
pub use element::{Element, format_value};
pub use error::{ArrayError, BroadcastError};
pub use operand::{InPlace, Inputs, Operand, Output, Outputs, ToOperand, ToOutput, Weak};
pub use view::{View, ViewMut};

use buffer::Buffer;
use layout::{Shape, byte_count, element_count};
use std::fmt;
use ufc_ir::{Const, DType};

/// Elements of one dtype in C order, in memory of its own that starts at a multiple of [`ALIGNMENT`].
pub struct Array {
    buffer: Buffer,
    dtype: DType,
    shape: Shape,
}

impl Array {
    /// Zeros (false, +0).
    pub fn zeros(dtype: DType, shape: &[usize]) -> Result<Array, ArrayError> {
        Ok(Array {
            buffer: Buffer::zeroed(byte_count(shape, dtype)?)?,
            dtype,
            shape: shape.into(),
        })
    }

    /// One value in every element.
    pub fn full(shape: &[usize], value: Const) -> Result<Array, ArrayError> {
        let mut array = Array::zeros(value.dtype(), shape)?;
        element::with_type!(value.dtype(), T => {
            let value = T::from_const(value);
            let one = View::from_value(&value).broadcast_to(shape)?;
            convert::copy(&one, &mut array.view_mut());
        });
        Ok(array)
    }

    /// A single value without axes.
    pub fn scalar(value: Const) -> Result<Array, ArrayError> {
        Array::full(&[], value)
    }

    /// A copy of a slice, as one axis; an error if there is no memory.
    pub fn try_from_slice<T: Element>(data: &[T]) -> Result<Array, ArrayError> {
        Array::from_view(&View::from_slice(data))
    }

    /// A copy of a slice, as one axis.
    ///
    /// # Panics
    /// If there is no memory; see [`Array::try_from_slice`].
    pub fn from_slice<T: Element>(data: &[T]) -> Array {
        match Array::try_from_slice(data) {
            Ok(array) => array,
            Err(error) => panic!("{error}"),
        }
    }

    /// A copy of a slice in C order, with a shape of exactly as many elements.
    pub fn from_shape<T: Element>(shape: &[usize], data: &[T]) -> Result<Array, ArrayError> {
        Array::from_view(&View::new(data, shape)?)
    }

    /// A copy of a view, in C order and native byte order.
    pub fn from_view(view: &View<'_>) -> Result<Array, ArrayError> {
        let mut array = Array::zeros(view.dtype(), view.shape())?;
        convert::copy(view, &mut array.view_mut());
        Ok(array)
    }

    /// The dtype of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Length of each axis, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many axes there are.
    pub fn ndim(&self) -> usize {
        self.shape.len()
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        element_count(&self.shape).unwrap_or(usize::MAX)
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// The elements' memory.
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.as_bytes()
    }

    /// Where the elements' memory starts, to be read and written through as long as the array lives.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.buffer.as_mut_ptr()
    }

    /// The element at a position, if there is one.
    pub fn get(&self, index: &[usize]) -> Option<Const> {
        self.view().get(index)
    }

    /// Every element in C order. Slow; for looking at a few.
    pub fn iter(&self) -> impl Iterator<Item = Const> + '_ {
        let elements = self.as_bytes().chunks_exact(self.dtype.size());
        elements.map(|bytes| native_const(self.dtype, bytes))
    }

    /// The elements as a slice in C order; an error if they are of another type.
    pub fn as_slice<T: Element>(&self) -> Result<&[T], ArrayError> {
        self.view().into_slice()
    }

    /// The elements as a slice to write, in C order; an error if they are of another type.
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T], ArrayError> {
        self.view_mut().into_mut_slice()
    }

    /// The elements as a `Vec` in C order; an error if they are of another type.
    pub fn into_vec<T: Element>(self) -> Result<Vec<T>, ArrayError> {
        self.as_slice().map(<[T]>::to_vec)
    }

    /// All elements for reading.
    pub fn view(&self) -> View<'_> {
        View::of_buffer(&self.buffer, self.dtype, &self.shape)
    }

    /// All elements for writing.
    pub fn view_mut(&mut self) -> ViewMut<'_> {
        ViewMut::of_buffer(&mut self.buffer, self.dtype, &self.shape)
    }

    /// The same elements in another shape.
    pub fn reshape(mut self, shape: &[usize]) -> Result<Array, ArrayError> {
        byte_count(shape, self.dtype)?;
        if element_count(shape) != Some(self.len()) {
            return Err(ArrayError::Length {
                have: self.len(),
                shape: shape.into(),
            });
        }
        self.shape = shape.into();
        Ok(self)
    }

    /// Bytes, one an element, as elements of a dtype and a shape that take up exactly as many.
    pub(crate) fn into_dtype(self, dtype: DType, shape: &[usize]) -> Result<Array, ArrayError> {
        assert_eq!(byte_count(shape, dtype)?, self.as_bytes().len());
        match self.as_bytes().iter().find(|byte| **byte > 1) {
            Some(byte) if dtype == DType::Bool => Err(ArrayError::NotBool(*byte)),
            _ => Ok(Array {
                buffer: self.buffer,
                dtype,
                shape: shape.into(),
            }),
        }
    }

    /// Each element converted as the language's `as` does; an error if the casting rule does not allow that.
    /// Under `unsafe` a complex number becomes its real part.
    pub fn cast(&self, dtype: DType, casting: Casting) -> Result<Array, ArrayError> {
        self.view().cast(dtype, casting)
    }
}

impl View<'_> {
    /// A copy with each element converted; see [`Array::cast`].
    pub fn cast(&self, dtype: DType, casting: Casting) -> Result<Array, ArrayError> {
        if !cast::can_cast(self.dtype(), dtype, casting) {
            return Err(ArrayError::Casting {
                name: "the array".into(),
                from: self.dtype().to_string(),
                to: dtype,
                casting,
                output: false,
            });
        }
        self.converted(dtype)
    }

    /// A copy with each element converted, whatever the casting rule.
    pub(crate) fn converted(&self, dtype: DType) -> Result<Array, ArrayError> {
        let mut array = Array::zeros(dtype, self.shape())?;
        convert::convert(self, &mut array.view_mut())?;
        Ok(array)
    }
}

impl ViewMut<'_> {
    /// Writes a view's elements, each converted as `as` does, to this one's; the shapes must broadcast.
    pub fn assign(&mut self, from: &View<'_>, casting: Casting) -> Result<(), ArrayError> {
        if !cast::can_cast(from.dtype(), self.dtype(), casting) {
            return Err(ArrayError::Casting {
                name: "the array".into(),
                from: from.dtype().to_string(),
                to: self.dtype(),
                casting,
                output: true,
            });
        }
        let from = from.clone().broadcast_to(self.shape())?;
        convert::convert(&from, self)
    }
}

/// One element from its bytes in this machine's order.
fn native_const(dtype: DType, bytes: &[u8]) -> Const {
    let mut all = [0; 16];
    all[..bytes.len()].copy_from_slice(bytes);
    if cfg!(target_endian = "big") {
        all[..bytes.len()]
            .chunks_exact_mut(dtype.part().size())
            .for_each(<[u8]>::reverse);
    }
    Const::from_le_bytes(dtype, &all)
}

impl Clone for Array {
    /// # Panics
    /// If there is no memory.
    fn clone(&self) -> Array {
        match Array::from_view(&self.view()) {
            Ok(array) => array,
            Err(error) => panic!("{error}"),
        }
    }
}

impl PartialEq for Array {
    /// Whether dtype, shape and every bit are equal.
    fn eq(&self, other: &Array) -> bool {
        self.dtype == other.dtype
            && self.shape == other.shape
            && self.as_bytes() == other.as_bytes()
    }
}

impl<T: Element> From<Vec<T>> for Array {
    fn from(data: Vec<T>) -> Array {
        Array::from_slice(&data)
    }
}

impl<T: Element> From<&[T]> for Array {
    fn from(data: &[T]) -> Array {
        Array::from_slice(data)
    }
}

impl<T: Element, const N: usize> From<[T; N]> for Array {
    fn from(data: [T; N]) -> Array {
        Array::from_slice(&data)
    }
}

impl<T: Element> From<T> for Array {
    fn from(value: T) -> Array {
        Array {
            shape: Shape::new(),
            ..Array::from_slice(&[value])
        }
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show::debug(f, "Array", &self.view())
    }
}

impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show::display(f, &self.view())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::bf16;
    use num_complex::Complex;

    #[test]
    fn arrays_of_every_type() {
        let array = Array::from([bf16::ONE, bf16::ZERO]);
        assert_eq!(array.dtype(), DType::BF16);
        assert_eq!(array.into_vec::<bf16>().unwrap(), [bf16::ONE, bf16::ZERO]);
        let z = Array::from(Complex::new(1.0f32, 2.0));
        assert_eq!((z.ndim(), z.len()), (0, 1));
        assert!(z.as_slice::<f32>().is_err());
        let full = Array::full(&[2, 2], Const::f64(2.5)).unwrap();
        assert_eq!(full.as_slice::<f64>().unwrap(), [2.5; 4]);
    }

    #[test]
    fn memory_is_aligned_and_zero() {
        let array = Array::zeros(DType::I16, &[3, 5]).unwrap();
        assert_eq!(array.as_bytes().as_ptr().addr() % ALIGNMENT, 0);
        assert!(array.iter().all(|c| c.as_int() == 0));
        assert!(
            Array::zeros(DType::F64, &[0, 7])
                .unwrap()
                .as_bytes()
                .is_empty()
        );
        assert!(Array::zeros(DType::F64, &[1 << 60, 16]).is_err());
        assert!(Array::zeros(DType::U8, &[isize::MAX as usize - 7]).is_err());
    }

    #[test]
    fn writing_through_a_slice_and_a_view() {
        let mut array = Array::zeros(DType::F32, &[2, 2]).unwrap();
        array.as_mut_slice::<f32>().unwrap()[3] = 7.0;
        array
            .view_mut()
            .transpose()
            .slice_axis(0, 1..2, 1)
            .unwrap()
            .assign(&View::from_slice(&[1u8, 2]), Casting::Safe)
            .unwrap();
        assert_eq!(array.as_slice::<f32>().unwrap(), [0.0, 1.0, 0.0, 2.0]);
        let refused = array
            .view_mut()
            .assign(&View::from_slice(&[1f64, 2.0]), Casting::Safe);
        assert!(refused.is_err());
    }
}
