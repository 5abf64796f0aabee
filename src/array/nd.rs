//! Arrays of the crate `ndarray`, of any dimension and layout, as operands.

#![expect(unsafe_code, reason = "ndarray vouches for its own pointers")]

use super::element::Element;
use super::operand::{Operand, Output, ToOperand, ToOutput};
use super::view::{View, ViewMut};
use ndarray::{ArrayBase, ArrayView, ArrayViewMut, Data, DataMut, Dimension};

fn byte_strides<T>(strides: &[isize]) -> Vec<isize> {
    let size = size_of::<T>() as isize;
    strides.iter().map(|s| s * size).collect()
}

impl<'a, T: Element, D: Dimension> From<ArrayView<'a, T, D>> for View<'a> {
    fn from(array: ArrayView<'a, T, D>) -> View<'a> {
        let strides = byte_strides::<T>(array.strides());
        let start = array.as_ptr().cast::<u8>().cast_mut();
        // SAFETY: the array is borrowed for `'a`, and ndarray keeps every element of its shape within its memory.
        unsafe { View::from_raw(start, T::DTYPE, array.shape(), &strides, false) }
    }
}

impl<'a, T: Element, D: Dimension> From<ArrayViewMut<'a, T, D>> for ViewMut<'a> {
    fn from(mut array: ArrayViewMut<'a, T, D>) -> ViewMut<'a> {
        let strides = byte_strides::<T>(array.strides());
        let start = array.as_mut_ptr().cast::<u8>();
        // SAFETY: as above; the borrow is exclusive, and ndarray never lets elements of a mutable view share memory.
        unsafe { ViewMut::from_raw(start, T::DTYPE, array.shape(), &strides, false) }
    }
}

impl<'a, T: Element, D: Dimension> ToOperand<'a> for ArrayView<'a, T, D> {
    fn to_operand(self) -> Operand<'a> {
        Operand::View(self.into())
    }
}

impl<'a, T, S, D> ToOperand<'a> for &'a ArrayBase<S, D>
where
    T: Element,
    S: Data<Elem = T>,
    D: Dimension,
{
    fn to_operand(self) -> Operand<'a> {
        self.view().to_operand()
    }
}

impl<'a, T: Element, D: Dimension> ToOutput<'a> for ArrayViewMut<'a, T, D> {
    fn to_output(self) -> Output<'a> {
        ViewMut::from(self).to_output()
    }
}

impl<'a, T, S, D> ToOutput<'a> for &'a mut ArrayBase<S, D>
where
    T: Element,
    S: DataMut<Elem = T>,
    D: Dimension,
{
    fn to_output(self) -> Output<'a> {
        self.view_mut().to_output()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, s};

    #[test]
    fn any_layout_keeps_its_elements() {
        let array = Array2::from_shape_fn((3, 4), |(i, j)| (10 * i + j) as i32);
        let part = array.slice(s![..;-1, 1..;2]);
        let Operand::View(view) = part.to_operand() else {
            panic!("not a view")
        };
        let values: Vec<i128> = view.iter().map(ufc_ir::Const::as_int).collect();
        assert_eq!(values, [21, 23, 11, 13, 1, 3]);
        let transposed = array.t();
        let Operand::View(view) = (&transposed).to_operand() else {
            panic!("not a view")
        };
        assert_eq!(view.shape(), [4, 3]);
    }

    #[test]
    fn writing_to_a_column() {
        let mut array = Array2::<f32>::zeros((2, 2));
        let mut output = array.slice_mut(s![.., 1..]).to_output();
        let ones = View::from_slice(&[1u8]);
        output
            .view
            .assign(&ones, crate::array::Casting::Safe)
            .unwrap();
        assert_eq!(array.as_slice().unwrap(), [0.0, 1.0, 0.0, 1.0]);
    }
}
