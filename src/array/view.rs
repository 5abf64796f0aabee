//! Borrowed arrays: a dtype, a shape, byte strides and where the first element is.
//!
//! A view is made once, with every element checked to lie within the memory it borrows; what is done to its geometry
//! afterwards only ever reaches elements it had before. That, and that bools are 0 or 1, is what the unsafe blocks rely on.

#![expect(unsafe_code, reason = "elements are read and written by address")]

use super::Array;
use super::broadcast::broadcast_strides;
use super::buffer::Buffer;
use super::element::Element;
use super::error::ArrayError;
use super::layout::{
    self, Offsets, Shape, Strides, byte_count, c_strides, element_count, extent, is_c_contiguous,
    may_share_elements,
};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};
use ufc_ir::{Const, DType};

/// Elements to read: any strides (negative and zero too), any alignment, either byte order.
#[derive(Clone)]
pub struct View<'a> {
    raw: RawView,
    memory: PhantomData<&'a [u8]>,
}

/// Elements to write, no two of which share memory: any other strides, any alignment, either byte order.
pub struct ViewMut<'a> {
    raw: RawView,
    memory: PhantomData<&'a mut [u8]>,
}

// SAFETY: a view is a shared borrow of plain bytes.
unsafe impl Send for View<'_> {}
// SAFETY: as above.
unsafe impl Sync for View<'_> {}
// SAFETY: a writable view is an exclusive borrow of plain bytes.
unsafe impl Send for ViewMut<'_> {}
// SAFETY: through a shared reference to it elements are only read.
unsafe impl Sync for ViewMut<'_> {}

/// What both kinds of view are made of.
#[derive(Clone)]
pub(crate) struct RawView {
    pub(crate) start: *mut u8,
    pub(crate) dtype: DType,
    pub(crate) shape: Shape,
    pub(crate) strides: Strides,
    pub(crate) byte_swapped: bool,
}

impl RawView {
    /// Checks a shape, strides in bytes and the offset of the first element against the bytes there are.
    fn within(
        memory: (*mut u8, usize),
        dtype: DType,
        offset: usize,
        shape: &[usize],
        strides: &[isize],
    ) -> Result<RawView, ArrayError> {
        let (base, bytes) = memory;
        if shape.len() != strides.len() {
            return Err(ArrayError::NoAxis {
                axis: shape.len().min(strides.len()),
                ndim: shape.len().min(strides.len()),
            });
        }
        // A shape's own size may exceed its memory where strides are 0, but must still be countable.
        byte_count(shape, dtype)?;
        let inside = extent(shape, strides, dtype.size()).is_some_and(|(low, high)| {
            let fits = |reach| {
                offset
                    .checked_add_signed(reach)
                    .is_some_and(|end| end <= bytes)
            };
            fits(low) && fits(high)
        });
        if !inside {
            return Err(ArrayError::OutOfBounds {
                shape: shape.into(),
                bytes,
            });
        }
        Ok(RawView {
            start: base.wrapping_add(offset),
            dtype,
            shape: shape.into(),
            strides: strides.into(),
            byte_swapped: false,
        })
    }

    pub(crate) fn is_byte_swapped(&self) -> bool {
        self.byte_swapped && self.dtype.part().size() > 1
    }

    /// Contiguous elements that take up a buffer exactly.
    fn filling(start: *mut u8, buffer: &Buffer, dtype: DType, shape: &[usize]) -> RawView {
        let count = element_count(shape);
        assert_eq!(count.map(|n| n * dtype.size()), Some(buffer.len()));
        RawView {
            start,
            dtype,
            shape: shape.into(),
            strides: c_strides(shape, dtype.size()),
            byte_swapped: false,
        }
    }

    fn element(&self, offset: isize) -> Const {
        let size = self.dtype.size();
        let mut bytes = [0u8; 16];
        // SAFETY: offsets come from `Offsets` or `offset_of`, so the element lies in the memory the view borrows.
        unsafe {
            let source = self.start.wrapping_offset(offset);
            std::ptr::copy_nonoverlapping(source, bytes.as_mut_ptr(), size);
        }
        if self.byte_swapped {
            reverse_parts(&mut bytes[..size], self.dtype);
        }
        if cfg!(target_endian = "big") {
            reverse_parts(&mut bytes[..size], self.dtype);
        }
        Const::from_le_bytes(self.dtype, &bytes)
    }

    fn offset_of(&self, index: &[usize]) -> Option<isize> {
        let inside = index.len() == self.shape.len()
            && index.iter().zip(&self.shape).all(|(i, len)| i < len);
        inside.then(|| {
            let steps = index.iter().zip(&self.strides);
            steps.map(|(&i, &stride)| i as isize * stride).sum()
        })
    }

    fn check_slice<T: Element>(&self) -> Result<usize, ArrayError> {
        if self.dtype != T::DTYPE {
            return Err(ArrayError::WrongDType {
                have: self.dtype,
                want: T::DTYPE,
            });
        }
        let in_order = is_c_contiguous(&self.shape, &self.strides, self.dtype.size());
        if self.is_byte_swapped() || !in_order || !self.start.cast::<T>().is_aligned() {
            return Err(ArrayError::NotASlice);
        }
        Ok(element_count(&self.shape).unwrap_or(0))
    }

    fn check_bools(&self) -> Result<(), ArrayError> {
        if self.dtype != DType::Bool {
            return Ok(());
        }
        for offset in Offsets::new(&self.shape, &self.strides) {
            // SAFETY: as in `element`.
            let byte = unsafe { *self.start.wrapping_offset(offset) };
            if byte > 1 {
                return Err(ArrayError::NotBool(byte));
            }
        }
        Ok(())
    }

    pub(super) fn check_axis(&self, axis: usize, ndim: usize) -> Result<(), ArrayError> {
        if axis < ndim {
            return Ok(());
        }
        Err(ArrayError::NoAxis { axis, ndim })
    }

    pub(super) fn permute(&mut self, axes: &[usize]) -> Result<(), ArrayError> {
        let mut sorted = axes.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.shape.len()) {
            return Err(ArrayError::BadPermutation(axes.to_vec()));
        }
        self.shape = axes.iter().map(|&axis| self.shape[axis]).collect();
        self.strides = axes.iter().map(|&axis| self.strides[axis]).collect();
        Ok(())
    }

    pub(super) fn insert_axis(&mut self, axis: usize) -> Result<(), ArrayError> {
        self.check_axis(axis, self.shape.len() + 1)?;
        if self.shape.len() == layout::MAX_AXES {
            return Err(ArrayError::TooManyAxes(self.shape.len() + 1));
        }
        self.shape.insert(axis, 1);
        self.strides.insert(axis, 0);
        Ok(())
    }

    pub(super) fn slice_axis(
        &mut self,
        axis: usize,
        range: impl RangeBounds<usize>,
        step: isize,
    ) -> Result<(), ArrayError> {
        self.check_axis(axis, self.shape.len())?;
        let len = self.shape[axis];
        let start = match range.start_bound() {
            Bound::Included(&start) => Some(start),
            Bound::Excluded(&start) => start.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let end = match range.end_bound() {
            Bound::Included(&end) => end.checked_add(1),
            Bound::Excluded(&end) => Some(end),
            Bound::Unbounded => Some(len),
        };
        let (start, end) = match (start, end) {
            (Some(start), Some(end)) if start <= end && end <= len && step != 0 => (start, end),
            _ => return Err(ArrayError::BadRange { axis, len }),
        };
        let first = if step > 0 {
            start
        } else {
            end.saturating_sub(1)
        };
        let stride = self.strides[axis];
        if start < end && self.shape.iter().all(|&len| len > 0) {
            self.start = self.start.wrapping_offset(first as isize * stride);
        }
        self.shape[axis] = (end - start).div_ceil(step.unsigned_abs());
        self.strides[axis] = stride.wrapping_mul(step);
        Ok(())
    }

    pub(super) fn reshape(&mut self, shape: &[usize]) -> Result<(), ArrayError> {
        byte_count(shape, self.dtype)?;
        let have = element_count(&self.shape).unwrap_or(0);
        if element_count(shape) != Some(have) {
            return Err(ArrayError::Length {
                have,
                shape: shape.into(),
            });
        }
        if !is_c_contiguous(&self.shape, &self.strides, self.dtype.size()) {
            return Err(ArrayError::NotASlice);
        }
        self.strides = c_strides(shape, self.dtype.size());
        self.shape = shape.into();
        Ok(())
    }
}

/// Turns the byte order of one element around, part by part.
fn reverse_parts(bytes: &mut [u8], dtype: DType) {
    for part in bytes.chunks_exact_mut(dtype.part().size()) {
        part.reverse();
    }
}

fn element_strides<T>(strides: &[isize]) -> Strides {
    // Saturating keeps a too large stride too large for the bounds check that follows.
    strides
        .iter()
        .map(|s| s.saturating_mul(size_of::<T>() as isize))
        .collect()
}

/// Methods that both kinds of view have.
macro_rules! common_methods {
    ($View:ident) => {
        impl<'a> $View<'a> {
            /// A view of memory that no type describes.
            ///
            /// # Safety
            /// For the lifetime `'a`, every element of the shape with these byte strides is memory that may be read (and,
            /// for a `ViewMut`, written), which nothing else changes (or, for a `ViewMut`, touches) except through
            /// operands of the same call; bools are 0 or 1; and the shape's size in bytes does not overflow. No two elements
            /// of a `ViewMut` share memory.
            pub unsafe fn from_raw(
                start: *mut u8,
                dtype: DType,
                shape: &[usize],
                strides: &[isize],
                byte_swapped: bool,
            ) -> Self {
                let (shape, strides) = (shape.into(), strides.into());
                Self::wrap(RawView {
                    start,
                    dtype,
                    shape,
                    strides,
                    byte_swapped,
                })
            }

            fn wrap(raw: RawView) -> Self {
                Self {
                    raw,
                    memory: PhantomData,
                }
            }

            pub(crate) fn raw(&self) -> &RawView {
                &self.raw
            }

            /// The dtype of the elements.
            pub fn dtype(&self) -> DType {
                self.raw.dtype
            }

            /// Length of each axis, outermost first.
            pub fn shape(&self) -> &[usize] {
                &self.raw.shape
            }

            /// Step along each axis in bytes.
            pub fn strides(&self) -> &[isize] {
                &self.raw.strides
            }

            /// How many axes there are.
            pub fn ndim(&self) -> usize {
                self.raw.shape.len()
            }

            /// How many elements there are.
            pub fn len(&self) -> usize {
                element_count(&self.raw.shape).unwrap_or(usize::MAX)
            }

            /// Whether there are no elements.
            pub fn is_empty(&self) -> bool {
                self.raw.shape.contains(&0)
            }

            /// Whether the bytes of each element are in the other order than this machine's.
            pub fn is_byte_swapped(&self) -> bool {
                self.raw.is_byte_swapped()
            }

            /// Whether the elements lie one after the other in C order.
            pub fn is_contiguous(&self) -> bool {
                is_c_contiguous(&self.raw.shape, &self.raw.strides, self.raw.dtype.size())
            }

            /// The element at a position, if there is one.
            pub fn get(&self, index: &[usize]) -> Option<Const> {
                Some(self.raw.element(self.raw.offset_of(index)?))
            }

            /// Every element in C order. Slow; for looking at a few.
            pub fn iter(&self) -> impl Iterator<Item = Const> + '_ {
                let raw = &self.raw;
                Offsets::new(&raw.shape, &raw.strides).map(|offset| raw.element(offset))
            }

            /// The elements as a slice; an error unless they are of this type, contiguous, aligned and in native byte order.
            pub fn as_slice<T: Element>(&self) -> Result<&[T], ArrayError> {
                let len = self.raw.check_slice::<T>()?;
                // SAFETY: the dtype is `T`'s, so its size and validity hold; the elements are contiguous and aligned.
                Ok(unsafe { std::slice::from_raw_parts(self.raw.start.cast::<T>(), len) })
            }

            /// A contiguous copy of its own in native byte order.
            pub fn to_array(&self) -> Result<Array, ArrayError> {
                Array::from_view(&View::wrap(self.raw.clone()))
            }

            /// The same elements with the axes in another order: new axis `i` is old axis `axes[i]`.
            pub fn permute(mut self, axes: &[usize]) -> Result<Self, ArrayError> {
                self.raw.permute(axes)?;
                Ok(self)
            }

            /// The same elements with the axes in reverse order.
            pub fn transpose(mut self) -> Self {
                self.raw.shape.reverse();
                self.raw.strides.reverse();
                self
            }

            /// The same elements with a new axis of length 1 before axis `axis`.
            pub fn insert_axis(mut self, axis: usize) -> Result<Self, ArrayError> {
                self.raw.insert_axis(axis)?;
                Ok(self)
            }

            /// A column of the elements, as NumPy's `[:, None]`: a new last axis of length 1.
            pub fn column(self) -> Result<Self, ArrayError> {
                let ndim = self.ndim();
                self.insert_axis(ndim)
            }

            /// The elements of a range along one axis, every `step`th of them; backwards from the range's end if the step is
            /// negative.
            pub fn slice_axis(
                mut self,
                axis: usize,
                range: impl RangeBounds<usize>,
                step: isize,
            ) -> Result<Self, ArrayError> {
                self.raw.slice_axis(axis, range, step)?;
                Ok(self)
            }

            /// The same elements, one axis turned around.
            pub fn flip(self, axis: usize) -> Result<Self, ArrayError> {
                self.slice_axis(axis, .., -1)
            }

            /// The same elements in another shape; they must be contiguous.
            pub fn reshape(mut self, shape: &[usize]) -> Result<Self, ArrayError> {
                self.raw.reshape(shape)?;
                Ok(self)
            }
        }

        impl fmt::Debug for $View<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                super::show::debug(f, stringify!($View), &View::wrap(self.raw.clone()))
            }
        }

        impl fmt::Display for $View<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                super::show::display(f, &View::wrap(self.raw.clone()))
            }
        }
    };
}
common_methods!(View);
common_methods!(ViewMut);

impl<'a> View<'a> {
    /// A slice as an array of one axis.
    pub fn from_slice<T: Element>(data: &'a [T]) -> View<'a> {
        Self::wrap(RawView {
            start: data.as_ptr().cast::<u8>().cast_mut(),
            dtype: T::DTYPE,
            shape: Shape::from_slice(&[data.len()]),
            strides: Strides::from_slice(&[size_of::<T>() as isize]),
            byte_swapped: false,
        })
    }

    /// One value as an array without axes.
    pub fn from_value<T: Element>(value: &'a T) -> View<'a> {
        Self::wrap(RawView {
            start: std::ptr::from_ref(value).cast::<u8>().cast_mut(),
            dtype: T::DTYPE,
            shape: Shape::new(),
            strides: Strides::new(),
            byte_swapped: false,
        })
    }

    /// All of an array's memory.
    pub(super) fn of_buffer(buffer: &'a Buffer, dtype: DType, shape: &[usize]) -> View<'a> {
        Self::wrap(RawView::filling(
            buffer.as_ptr().cast_mut(),
            buffer,
            dtype,
            shape,
        ))
    }

    /// The elements' memory if they are contiguous and in native byte order.
    pub(super) fn contiguous_bytes(&self) -> Option<&[u8]> {
        let in_order = self.is_contiguous() && !self.is_byte_swapped();
        let bytes = self.len() * self.dtype().size();
        // SAFETY: that many bytes from the first element on are those of the elements, all initialized.
        in_order.then(|| unsafe { std::slice::from_raw_parts(self.raw.start, bytes) })
    }

    /// A slice in C order as an array of a shape with exactly as many elements.
    pub fn new<T: Element>(data: &'a [T], shape: &[usize]) -> Result<View<'a>, ArrayError> {
        Self::from_slice(data).reshape(shape)
    }

    /// Elements of a slice: the first is `data[offset]`, strides count elements.
    pub fn strided<T: Element>(
        data: &'a [T],
        offset: usize,
        shape: &[usize],
        strides: &[isize],
    ) -> Result<View<'a>, ArrayError> {
        let memory = (
            data.as_ptr().cast::<u8>().cast_mut(),
            std::mem::size_of_val(data),
        );
        let offset = offset.saturating_mul(size_of::<T>());
        let strides = element_strides::<T>(strides);
        RawView::within(memory, T::DTYPE, offset, shape, &strides).map(Self::wrap)
    }

    /// Elements of a dtype in bytes, at any alignment: the first starts at `offset`, strides count bytes.
    pub fn from_bytes(
        bytes: &'a [u8],
        dtype: DType,
        offset: usize,
        shape: &[usize],
        strides: &[isize],
        byte_swapped: bool,
    ) -> Result<View<'a>, ArrayError> {
        let memory = (bytes.as_ptr().cast_mut(), bytes.len());
        let mut raw = RawView::within(memory, dtype, offset, shape, strides)?;
        raw.check_bools()?;
        raw.byte_swapped = byte_swapped;
        Ok(Self::wrap(raw))
    }

    /// As [`View::as_slice`], for as long as the memory is borrowed.
    pub fn into_slice<T: Element>(self) -> Result<&'a [T], ArrayError> {
        let len = self.raw.check_slice::<T>()?;
        // SAFETY: as for `as_slice`; the memory is borrowed for `'a`.
        Ok(unsafe { std::slice::from_raw_parts(self.raw.start.cast::<T>(), len) })
    }

    /// The same elements, repeated as NumPy's `broadcast_to` does.
    pub fn broadcast_to(mut self, shape: &[usize]) -> Result<View<'a>, ArrayError> {
        byte_count(shape, self.raw.dtype)?;
        let operands = [("the array", &*self.raw.shape), ("the target", shape)];
        if *super::broadcast::broadcast_shapes(operands.into_iter())? != *shape {
            return Err(ArrayError::OutputShape {
                name: "the target".into(),
                have: shape.into(),
                want: self.raw.shape,
            });
        }
        self.raw.strides = broadcast_strides(&self.raw.shape, &self.raw.strides, shape);
        self.raw.shape = shape.into();
        Ok(self)
    }
}

impl View<'_> {
    /// Each repeated element once: axes with a step of 0 become 1 long.
    pub(crate) fn without_repeats(mut self) -> Self {
        for (len, stride) in self.raw.shape.iter_mut().zip(&self.raw.strides) {
            *len = if *stride == 0 { (*len).min(1) } else { *len };
        }
        self
    }
}

impl<'a> ViewMut<'a> {
    /// A slice as an array of one axis.
    pub fn from_slice<T: Element>(data: &'a mut [T]) -> ViewMut<'a> {
        Self::wrap(RawView {
            start: data.as_mut_ptr().cast::<u8>(),
            dtype: T::DTYPE,
            shape: Shape::from_slice(&[data.len()]),
            strides: Strides::from_slice(&[size_of::<T>() as isize]),
            byte_swapped: false,
        })
    }

    /// All of an array's memory.
    pub(super) fn of_buffer(buffer: &'a mut Buffer, dtype: DType, shape: &[usize]) -> ViewMut<'a> {
        let start = buffer.as_mut_ptr();
        Self::wrap(RawView::filling(start, buffer, dtype, shape))
    }

    /// A slice in C order as an array of a shape with exactly as many elements.
    pub fn new<T: Element>(data: &'a mut [T], shape: &[usize]) -> Result<ViewMut<'a>, ArrayError> {
        Self::from_slice(data).reshape(shape)
    }

    /// Elements of a slice: the first is `data[offset]`, strides count elements.
    pub fn strided<T: Element>(
        data: &'a mut [T],
        offset: usize,
        shape: &[usize],
        strides: &[isize],
    ) -> Result<ViewMut<'a>, ArrayError> {
        let memory = (
            data.as_mut_ptr().cast::<u8>(),
            std::mem::size_of_val::<[T]>(data),
        );
        let offset = offset.saturating_mul(size_of::<T>());
        let strides = element_strides::<T>(strides);
        RawView::within(memory, T::DTYPE, offset, shape, &strides)?.unshared()
    }

    /// Elements of a dtype in bytes, at any alignment: the first starts at `offset`, strides count bytes.
    pub fn from_bytes(
        bytes: &'a mut [u8],
        dtype: DType,
        offset: usize,
        shape: &[usize],
        strides: &[isize],
        byte_swapped: bool,
    ) -> Result<ViewMut<'a>, ArrayError> {
        let memory = (bytes.as_mut_ptr(), bytes.len());
        let mut raw = RawView::within(memory, dtype, offset, shape, strides)?;
        raw.check_bools()?;
        raw.byte_swapped = byte_swapped;
        raw.unshared()
    }

    /// Gives the elements another shape, as [`ViewMut::reshape`] does.
    pub(super) fn set_shape(&mut self, shape: &[usize]) -> Result<(), ArrayError> {
        self.raw.reshape(shape)
    }

    /// The same elements, borrowed from this view.
    pub fn reborrow(&mut self) -> ViewMut<'_> {
        ViewMut::wrap(self.raw.clone())
    }

    /// The same elements for reading.
    pub fn as_view(&self) -> View<'_> {
        View::wrap(self.raw.clone())
    }

    /// The elements as a slice to write; an error unless they are of this type, contiguous, aligned and in native byte order.
    pub fn as_mut_slice<T: Element>(&mut self) -> Result<&mut [T], ArrayError> {
        self.reborrow().into_mut_slice()
    }

    /// As [`ViewMut::as_mut_slice`], for as long as the memory is borrowed.
    pub fn into_mut_slice<T: Element>(self) -> Result<&'a mut [T], ArrayError> {
        let len = self.raw.check_slice::<T>()?;
        // SAFETY: as for `as_slice`, and the borrow is exclusive.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.raw.start.cast::<T>(), len) })
    }
}

impl RawView {
    fn unshared<'a>(self) -> Result<ViewMut<'a>, ArrayError> {
        if may_share_elements(&self.shape, &self.strides, self.dtype.size()) {
            return Err(ArrayError::SharedElements { shape: self.shape });
        }
        Ok(ViewMut::wrap(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(view: &View<'_>) -> Vec<i128> {
        view.iter().map(Const::as_int).collect()
    }

    #[test]
    fn bounds_are_checked() {
        let data = [0i32, 1, 2, 3, 4, 5];
        assert!(View::strided(&data, 0, &[2, 3], &[3, 1]).is_ok());
        assert!(View::strided(&data, 1, &[2, 3], &[3, 1]).is_err());
        assert!(View::strided(&data, 5, &[6], &[-1]).is_ok());
        assert!(View::strided(&data, 4, &[6], &[-1]).is_err());
        assert!(View::strided(&data, usize::MAX, &[1], &[1]).is_err());
        assert!(View::strided(&data, 0, &[2], &[isize::MAX]).is_err());
        assert!(View::strided(&data, 6, &[0], &[1]).is_ok());
        assert!(View::strided(&data, 0, &[1 << 40, 1 << 40], &[0, 0]).is_err());
        assert!(View::new(&data, &[4]).is_err());
    }

    #[test]
    fn geometry() {
        let data = [0i32, 1, 2, 3, 4, 5];
        let view = View::new(&data, &[2, 3]).unwrap();
        assert_eq!(ints(&view.clone().transpose()), [0, 3, 1, 4, 2, 5]);
        assert_eq!(ints(&view.clone().flip(1).unwrap()), [2, 1, 0, 5, 4, 3]);
        let every_second = view.clone().slice_axis(1, .., 2).unwrap();
        assert_eq!(ints(&every_second), [0, 2, 3, 5]);
        let backwards = view.clone().slice_axis(1, ..2, -1).unwrap();
        assert_eq!(ints(&backwards), [1, 0, 4, 3]);
        assert_eq!(view.clone().column().unwrap().shape(), [2, 3, 1]);
        assert_eq!(view.get(&[1, 2]).unwrap().as_int(), 5);
        assert!(view.get(&[2, 0]).is_none());
        let empty = view.slice_axis(0, 2..2, -1).unwrap();
        assert_eq!(ints(&empty.flip(1).unwrap()), [0i128; 0]);
    }

    #[test]
    fn broadcast_repeats() {
        let data = [7u8, 8];
        let wide = View::from_slice(&data).broadcast_to(&[2, 2]).unwrap();
        assert_eq!(ints(&wide), [7, 8, 7, 8]);
        assert!(View::from_slice(&data).broadcast_to(&[3]).is_err());
        assert!(View::from_slice(&data).broadcast_to(&[1]).is_err());
    }

    #[test]
    fn either_byte_order_at_any_address() {
        let bytes = [9, 0x3f, 0x80, 0, 0, 0x40, 0, 0, 0];
        let view = View::from_bytes(&bytes, DType::F32, 1, &[2], &[4], true).unwrap();
        let values: Vec<f32> = view.iter().map(Const::as_f32).collect();
        assert_eq!(values, [1.0, 2.0]);
        assert!(view.as_slice::<f32>().is_err());
        assert_eq!(
            view.to_array().unwrap().as_slice::<f32>().unwrap(),
            [1.0, 2.0]
        );
    }

    #[test]
    fn bools_must_be_bools() {
        assert!(View::from_bytes(&[1, 0, 2], DType::Bool, 0, &[3], &[1], false).is_err());
        let view = View::from_bytes(&[1, 9, 0], DType::Bool, 0, &[2], &[2], false).unwrap();
        assert!(view.get(&[0]).unwrap().as_bool());
    }

    #[test]
    fn writable_views_do_not_repeat_elements() {
        let mut data = [0f64; 4];
        assert!(ViewMut::strided(&mut data, 0, &[4], &[0]).is_err());
        let mut view = ViewMut::strided(&mut data, 0, &[2, 2], &[1, 2]).unwrap();
        assert!(view.as_mut_slice::<f64>().is_err());
        assert!(
            ViewMut::from_slice(&mut data)
                .as_mut_slice::<f32>()
                .is_err()
        );
    }
}
