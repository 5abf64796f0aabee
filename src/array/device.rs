//! Arrays in a device's memory, moved there and back when asked for and at no other time.
#![expect(
    unsafe_code,
    reason = "memory that others allocated is an address that they vouch for"
)]

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, RangeBounds};
use std::sync::Arc;

use ufc_ir::DType;
use ufc_target::{Buffer, ForeignMemory};

use super::broadcast::{broadcast_shapes, broadcast_strides};
use super::element::Element;
use super::error::ArrayError;
use super::layout::{
    Shape, Strides, byte_count, c_strides, element_count, extent, is_c_contiguous,
};
use super::view::{RawView, View};
use super::{Array, Operand, ToOperand};
use crate::dispatch::{self, Picked, Target};
use crate::error::Error;

/// Elements of one dtype in a device's memory, with any strides. Cheap to clone; clones and views share the memory.
///
/// An array gets there by [`Array::to_device`] or as the result of a call, such as [`crate::Ufunc::call_on_device`]; it stays
/// there until [`DeviceArray::to_host`] is called. A call with an operand on a device runs there, unless a target is named.
#[derive(Clone)]
pub struct DeviceArray {
    buffer: Arc<dyn Buffer>,
    dtype: DType,
    shape: Shape,
    strides: Strides,
    /// Where the first element is, in bytes.
    offset: usize,
}

/// Where the elements of a buffer would begin if its offsets were addresses: high enough for steps backwards.
const BASE: usize = 1 << (usize::BITS - 2);

impl DeviceArray {
    /// Elements in a buffer: the first starts at `offset`, strides count bytes.
    ///
    /// # Errors
    /// If an element would lie outside of the buffer, or not at a multiple of its dtype's alignment.
    pub fn from_buffer(
        buffer: Arc<dyn Buffer>,
        dtype: DType,
        offset: usize,
        shape: &[usize],
        strides: &[isize],
    ) -> Result<DeviceArray, ArrayError> {
        if shape.len() != strides.len() {
            let ndim = shape.len().min(strides.len());
            return Err(ArrayError::NoAxis { axis: ndim, ndim });
        }
        byte_count(shape, dtype)?;
        let inside = extent(shape, strides, dtype.size()).is_some_and(|(low, high)| {
            let end = |reach| offset.checked_add_signed(reach);
            let fits = |reach| end(reach).is_some_and(|at| at <= buffer.size());
            fits(low) && fits(high)
        });
        if !inside {
            return Err(ArrayError::OutOfBounds {
                shape: shape.into(),
                bytes: buffer.size(),
            });
        }
        let align = dtype.align();
        let steps = strides.iter().map(|stride| stride.unsigned_abs());
        if !std::iter::once(offset)
            .chain(steps)
            .all(|n| n.is_multiple_of(align))
        {
            return Err(ArrayError::NotASlice);
        }
        Ok(DeviceArray {
            buffer,
            dtype,
            shape: shape.into(),
            strides: strides.into(),
            offset,
        })
    }

    /// Elements in a device's memory that others allocated, such as the array of another library that computes with CUDA.
    /// Nothing is copied. `address` is that of the first element, strides count bytes, and `owner` is whatever keeps the
    /// memory: it is dropped once no array made of this one and no call uses the memory any more, by whichever thread
    /// comes last; at once if there is an error.
    ///
    /// Everything that was asked of the device before is waited for, whoever asked. A call with such an array as an
    /// operand is done with it when it returns, so that others may use the memory again.
    ///
    /// ```no_run
    /// use std::sync::Arc;
    /// use ufc::DType;
    /// use ufc::array::DeviceArray;
    ///
    /// # struct TheirArray { address: u64, len: usize }
    /// # fn example(theirs: Arc<TheirArray>) -> Result<(), ufc::Error> {
    /// let (address, shape) = (theirs.address, [theirs.len]);
    /// // SAFETY: the array is f32, one after the other, on the first GPU, and stays while we have it.
    /// let x = unsafe {
    ///     DeviceArray::from_address(&"cuda:0".parse()?, address, DType::F32, &shape, &[4], theirs)?
    /// };
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the target is not there or is none whose addresses others know, if its driver says that the memory is
    /// another device's, or if there are not as many strides as axes, or strides are no multiples of the dtype's alignment.
    ///
    /// # Safety
    /// Until `owner` is dropped, the elements are in memory of the device. Nobody writes them while a call reads them, and
    /// nobody else uses them while a call writes them, if the array is an output. Bools are 0 or 1.
    pub unsafe fn from_address(
        target: &Target,
        address: u64,
        dtype: DType,
        shape: &[usize],
        strides: &[isize],
        owner: impl Any + Send + Sync,
    ) -> Result<DeviceArray, Error> {
        byte_count(shape, dtype)?;
        let reach = match shape.len() == strides.len() {
            true => extent(shape, strides, dtype.size()),
            false => None,
        };
        let (low, high) = reach.unwrap_or((0, 0));
        let picked = dispatch::pick(target)?;
        let memory = ForeignMemory {
            address: address.wrapping_add_signed(low as i64),
            bytes: high.abs_diff(low),
            owner: Box::new(owner),
        };
        // SAFETY: the bytes are those of the elements, or some of them.
        let buffer = unsafe { picked.backend.adopt(&picked.device.name, memory) };
        let buffer = buffer.map_err(|error| dispatch::failed(&picked, error))?;
        let array = DeviceArray::from_buffer(buffer, dtype, low.unsigned_abs(), shape, strides);
        Ok(array?)
    }

    /// Memory on a device for a shape, in C order, its elements unspecified until something is written there.
    pub(crate) fn unset(
        picked: &Picked,
        dtype: DType,
        shape: &[usize],
    ) -> Result<DeviceArray, Error> {
        let bytes = byte_count(shape, dtype)?;
        let buffer = picked.backend.allocate(&picked.device.name, bytes.max(1));
        Ok(DeviceArray {
            buffer: buffer.map_err(|error| dispatch::failed(picked, error))?,
            dtype,
            shape: shape.into(),
            strides: c_strides(shape, dtype.size()),
            offset: 0,
        })
    }

    /// Zeros (false, +0) on a device.
    ///
    /// # Errors
    /// If the target is not there or has no memory of its own, or if that is full.
    pub fn zeros(dtype: DType, shape: &[usize], target: &Target) -> Result<DeviceArray, Error> {
        Array::zeros(dtype, shape)?.to_device(target)
    }

    /// The dtype of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Length of each axis, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Step in bytes along each axis.
    pub fn strides(&self) -> &[isize] {
        &self.strides
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

    /// Whether the elements lie one after the other in C order.
    pub fn is_contiguous(&self) -> bool {
        is_c_contiguous(&self.shape, &self.strides, self.dtype.size())
    }

    /// The device's memory that the elements are in, perhaps with others.
    pub fn buffer(&self) -> &Arc<dyn Buffer> {
        &self.buffer
    }

    /// Where in the buffer the first element is, in bytes.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The address of the first element on the device, where that means something to others, such as for CUDA.
    pub fn address(&self) -> Option<u64> {
        Some(self.buffer.address()? + self.offset as u64)
    }

    /// The device that it is on, such as `cuda:0`.
    pub fn device(&self) -> String {
        format!("{}:{}", self.buffer.backend(), self.buffer.device())
    }

    /// How many bytes the elements take together.
    pub(crate) fn bytes(&self) -> usize {
        self.len() * self.dtype.size()
    }

    /// A copy of the elements in the host's memory, in C order. Waits for all that writes them.
    ///
    /// # Errors
    /// If the device was lost, or there is no memory.
    pub fn to_host(&self) -> Result<Array, Error> {
        crate::array::device_call::download(self).map(|(array, _)| array)
    }

    /// A copy of the elements as a `Vec` in C order.
    ///
    /// # Errors
    /// As [`DeviceArray::to_host`], or if they are of another type.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>, Error> {
        if self.dtype != T::DTYPE {
            return Err(self.wrong_type::<T>().into());
        }
        Ok(self.to_host()?.into_vec()?)
    }

    /// The same array with its elements' type known to the compiler; an error if they are of another.
    pub fn typed<T: Element>(self) -> Result<TypedDeviceArray<T>, ArrayError> {
        if self.dtype != T::DTYPE {
            return Err(self.wrong_type::<T>());
        }
        Ok(TypedDeviceArray {
            array: self,
            element: PhantomData,
        })
    }

    fn wrong_type<T: Element>(&self) -> ArrayError {
        ArrayError::WrongDType {
            have: self.dtype,
            want: T::DTYPE,
        }
    }

    /// Waits until everything that was asked of the device is done, for the sake of its errors or of a clock.
    ///
    /// # Errors
    /// What the device says of the work.
    pub fn synchronize(&self) -> Result<(), Error> {
        let picked = dispatch::where_buffer_is(&*self.buffer)?;
        let done = picked.backend.synchronize(&picked.device.name);
        done.map_err(|error| dispatch::failed(&picked, error))
    }

    /// The axes in another order.
    pub fn permute(self, axes: &[usize]) -> Result<DeviceArray, ArrayError> {
        self.changed(|raw| raw.permute(axes))
    }

    /// The axes in reverse order.
    pub fn transpose(mut self) -> DeviceArray {
        self.shape.reverse();
        self.strides.reverse();
        self
    }

    /// With an axis of length 1 before the axis of this number.
    pub fn insert_axis(self, axis: usize) -> Result<DeviceArray, ArrayError> {
        self.changed(|raw| raw.insert_axis(axis))
    }

    /// Every `step`-th position of a range along an axis, backwards if the step is negative.
    pub fn slice_axis(
        self,
        axis: usize,
        range: impl RangeBounds<usize>,
        step: isize,
    ) -> Result<DeviceArray, ArrayError> {
        self.changed(|raw| raw.slice_axis(axis, range, step))
    }

    /// An axis backwards.
    pub fn flip(self, axis: usize) -> Result<DeviceArray, ArrayError> {
        self.slice_axis(axis, .., -1)
    }

    /// The same elements in another shape; only of elements in C order.
    pub fn reshape(self, shape: &[usize]) -> Result<DeviceArray, ArrayError> {
        self.changed(|raw| raw.reshape(shape))
    }

    /// The same elements, repeated as NumPy's `broadcast_to` does.
    pub fn broadcast_to(mut self, shape: &[usize]) -> Result<DeviceArray, ArrayError> {
        byte_count(shape, self.dtype)?;
        let operands = [("the array", &*self.shape), ("the target", shape)];
        if *broadcast_shapes(operands.into_iter())? != *shape {
            return Err(ArrayError::OutputShape {
                name: "the target".into(),
                have: shape.into(),
                want: self.shape,
            });
        }
        self.strides = broadcast_strides(&self.shape, &self.strides, shape);
        self.shape = shape.into();
        Ok(self)
    }

    /// With axes along which elements repeat cut to one of them.
    pub(super) fn without_repeats(mut self) -> DeviceArray {
        for (n, stride) in self.shape.iter_mut().zip(&self.strides) {
            if *stride == 0 {
                *n = (*n).min(1);
            }
        }
        self
    }

    /// Changes shape, strides and first element as a view of the host's memory does.
    fn changed(
        mut self,
        change: impl FnOnce(&mut RawView) -> Result<(), ArrayError>,
    ) -> Result<DeviceArray, ArrayError> {
        let mut raw = self.as_if_addressed();
        change(&mut raw)?;
        self.offset = raw.start.addr() - BASE;
        self.shape = raw.shape;
        self.strides = raw.strides;
        Ok(self)
    }

    /// Its layout as a view's, whose addresses stand for offsets; nothing may be read through it.
    fn as_if_addressed(&self) -> RawView {
        RawView {
            start: as_address(self.offset),
            dtype: self.dtype,
            shape: self.shape.clone(),
            strides: self.strides.clone(),
            byte_swapped: false,
        }
    }
}

/// An offset as an address that loops can be planned with.
pub(super) fn as_address(offset: usize) -> *mut u8 {
    std::ptr::without_provenance_mut(BASE + offset)
}

/// The offset that an address stands for.
pub(super) fn as_offset(address: *mut u8) -> usize {
    address.addr().wrapping_sub(BASE)
}

impl fmt::Debug for DeviceArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dtype, shape) = (self.dtype, &self.shape);
        write!(f, "DeviceArray({dtype}, {shape:?}, on {})", self.device())
    }
}

impl<'a> ToOperand<'a> for &DeviceArray {
    fn to_operand(self) -> Operand<'a> {
        Operand::Device(self.clone())
    }
}

impl<'a> ToOperand<'a> for DeviceArray {
    fn to_operand(self) -> Operand<'a> {
        Operand::Device(self)
    }
}

impl Array {
    /// A copy in the memory of a device; `auto` means a GPU here.
    ///
    /// # Errors
    /// If the target is not there or has no memory of its own, or if that is full.
    pub fn to_device(&self, target: &Target) -> Result<DeviceArray, Error> {
        self.view().to_device(target)
    }
}

impl View<'_> {
    /// A copy in the memory of a device, in C order; `auto` means a GPU here.
    ///
    /// # Errors
    /// If the target is not there or has no memory of its own, or if that is full.
    pub fn to_device(&self, target: &Target) -> Result<DeviceArray, Error> {
        let target = match target.is_auto() {
            true => &Target::GPU,
            false => target,
        };
        crate::array::device_call::upload(self, &dispatch::pick(target)?).map(|(array, _)| array)
    }
}

/// A [`DeviceArray`] whose elements' type the compiler knows.
#[derive(Clone)]
pub struct TypedDeviceArray<T> {
    array: DeviceArray,
    element: PhantomData<T>,
}

impl<T: Element> TypedDeviceArray<T> {
    /// A copy of a slice in the memory of a device, as one axis; `auto` means a GPU here.
    ///
    /// # Errors
    /// If the target is not there or has no memory of its own, or if that is full.
    pub fn from_slice(data: &[T], target: &Target) -> Result<TypedDeviceArray<T>, Error> {
        Ok(View::from_slice(data).to_device(target)?.typed()?)
    }

    /// A copy of the elements in C order.
    ///
    /// # Errors
    /// As [`DeviceArray::to_host`].
    pub fn to_vec(&self) -> Result<Vec<T>, Error> {
        self.array.to_vec()
    }

    /// The array without its type.
    pub fn into_untyped(self) -> DeviceArray {
        self.array
    }
}

impl<T> Deref for TypedDeviceArray<T> {
    type Target = DeviceArray;

    fn deref(&self) -> &DeviceArray {
        &self.array
    }
}

impl<T> fmt::Debug for TypedDeviceArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.array.fmt(f)
    }
}

impl<'a, T> ToOperand<'a> for &TypedDeviceArray<T> {
    fn to_operand(self) -> Operand<'a> {
        (&self.array).to_operand()
    }
}
