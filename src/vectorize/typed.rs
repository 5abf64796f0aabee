//! Arrays and views whose dtype is a Rust type: what typed calls give and take.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use crate::array::{Array, ArrayError, Element, Operand, Output, ToOperand, ToOutput, View};

/// An [`Array`] whose elements are of type `T`; derefs to it.
#[derive(Clone, PartialEq)]
pub struct TypedArray<T> {
    array: Array,
    element: PhantomData<T>,
}

impl<T: Element> TypedArray<T> {
    /// An array as one of this type.
    ///
    /// # Errors
    /// If it is of another dtype.
    pub fn try_new(array: Array) -> Result<TypedArray<T>, ArrayError> {
        if array.dtype() != T::DTYPE {
            return Err(ArrayError::WrongDType {
                have: array.dtype(),
                want: T::DTYPE,
            });
        }
        Ok(TypedArray {
            array,
            element: PhantomData,
        })
    }

    /// A copy of a slice in C order, with a shape of exactly as many elements.
    ///
    /// # Errors
    /// If the shape has another number of elements, or there is no memory.
    pub fn from_shape(shape: &[usize], data: &[T]) -> Result<TypedArray<T>, ArrayError> {
        TypedArray::try_new(Array::from_shape(shape, data)?)
    }

    /// The elements in C order.
    pub fn as_slice(&self) -> &[T] {
        match self.array.as_slice() {
            Ok(elements) => elements,
            Err(_) => unreachable!("an array's own elements are contiguous, and of its dtype"),
        }
    }

    /// The elements in C order, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        match self.array.as_mut_slice() {
            Ok(elements) => elements,
            Err(_) => unreachable!("an array's own elements are contiguous, and of its dtype"),
        }
    }

    /// A copy of the elements in C order.
    pub fn to_vec(&self) -> Vec<T> {
        self.as_slice().to_vec()
    }

    /// The array without its Rust type.
    pub fn into_array(self) -> Array {
        self.array
    }

    /// The same elements in another shape.
    ///
    /// # Errors
    /// If the shape has another number of elements.
    pub fn reshape(self, shape: &[usize]) -> Result<TypedArray<T>, ArrayError> {
        TypedArray::try_new(self.array.reshape(shape)?)
    }

    /// A copy of the elements as an array of the crate `ndarray`.
    #[cfg(feature = "ndarray")]
    pub fn to_ndarray(&self) -> ndarray::ArrayD<T> {
        match ndarray::ArrayD::from_shape_vec(self.shape(), self.to_vec()) {
            Ok(array) => array,
            Err(_) => unreachable!("a shape and its elements"),
        }
    }
}

impl<T> Deref for TypedArray<T> {
    type Target = Array;

    fn deref(&self) -> &Array {
        &self.array
    }
}

impl<T: Element> fmt::Debug for TypedArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.array.fmt(f)
    }
}

impl<T: Element> fmt::Display for TypedArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.array.fmt(f)
    }
}

impl<T: Element> From<TypedArray<T>> for Array {
    fn from(array: TypedArray<T>) -> Array {
        array.array
    }
}

impl<'a, T: Element> ToOperand<'a> for &'a TypedArray<T> {
    fn to_operand(self) -> Operand<'a> {
        self.array.view().to_operand()
    }
}

impl<'a, T: Element> ToOutput<'a> for &'a mut TypedArray<T> {
    fn to_output(self) -> Output<'a> {
        self.array.view_mut().to_output()
    }
}

/// A [`View`] whose elements are of type `T`.
#[derive(Clone)]
pub struct TypedView<'a, T> {
    view: View<'a>,
    element: PhantomData<&'a [T]>,
}

impl<'a, T: Element> TypedView<'a, T> {
    /// A view as one of this type.
    ///
    /// # Errors
    /// If it is of another dtype.
    pub fn try_new(view: View<'a>) -> Result<TypedView<'a, T>, ArrayError> {
        if view.dtype() != T::DTYPE {
            return Err(ArrayError::WrongDType {
                have: view.dtype(),
                want: T::DTYPE,
            });
        }
        Ok(TypedView {
            view,
            element: PhantomData,
        })
    }

    /// A slice as the elements of a shape, in C order.
    ///
    /// # Errors
    /// If the shape has another number of elements.
    pub fn new(data: &'a [T], shape: &[usize]) -> Result<TypedView<'a, T>, ArrayError> {
        TypedView::try_new(View::new(data, shape)?)
    }

    /// The view without its Rust type.
    pub fn into_view(self) -> View<'a> {
        self.view
    }
}

impl<'a, T> Deref for TypedView<'a, T> {
    type Target = View<'a>;

    fn deref(&self) -> &View<'a> {
        &self.view
    }
}

impl<T: Element> fmt::Debug for TypedView<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view.fmt(f)
    }
}

impl<'a, T: Element> ToOperand<'a> for TypedView<'a, T> {
    fn to_operand(self) -> Operand<'a> {
        Operand::View(self.view)
    }
}

impl<'a, T: Element> ToOperand<'a> for &TypedView<'a, T> {
    fn to_operand(self) -> Operand<'a> {
        Operand::View(self.view.clone())
    }
}

/// Slices as columns, which broadcast against rows to a table.
pub trait AsColumn<T> {
    /// The elements as a column: of shape `(n, 1)`.
    fn column(&self) -> TypedView<'_, T>;
}

impl<T: Element> AsColumn<T> for [T] {
    fn column(&self) -> TypedView<'_, T> {
        match TypedView::new(self, &[self.len(), 1]) {
            Ok(view) => view,
            Err(_) => unreachable!("a slice has as many elements as it has"),
        }
    }
}
