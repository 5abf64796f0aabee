//! DLPack, version 1: arrays of others as ours, and ours for others.
//!
//! The layouts are those of `dlpack.h` 1.x; <https://dmlc.github.io/dlpack/latest/c_api.html>.
#![expect(unsafe_code, reason = "tensors are memory that their makers vouch for")]

use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ufc::array::DeviceArray;
use ufc::array::layout::MAX_AXES;
use ufc::{DType, Target};

use crate::abi::{list, put};
use crate::array::{ArrayObject, Memory};
use crate::error::{Failure, ufc_status};
use crate::handle::{self, Used, ufc_array};
use crate::panic::entry;

/// Which device memory is on.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DLDevice {
    device_type: i32,
    device_id: i32,
}

/// The type of an element.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DLDataType {
    code: u8,
    bits: u8,
    lanes: u16,
}

/// Elements somewhere in memory; strides count elements.
#[repr(C)]
pub struct DLTensor {
    data: *mut c_void,
    device: DLDevice,
    ndim: i32,
    dtype: DLDataType,
    shape: *mut i64,
    strides: *mut i64,
    byte_offset: u64,
}

/// The version of the layout.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DLPackVersion {
    major: u32,
    minor: u32,
}

/// A tensor, and how to let go of it.
#[repr(C)]
pub struct DLManagedTensorVersioned {
    version: DLPackVersion,
    manager_ctx: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut DLManagedTensorVersioned)>,
    flags: u64,
    dl_tensor: DLTensor,
}

/// What we write. Since minor version 2 strides are always given.
const VERSION: DLPackVersion = DLPackVersion { major: 1, minor: 1 };
const READ_ONLY: u64 = 1;

/// Memory of the processor, and that of it which CUDA devices can reach.
const CPU: i32 = 1;
const CUDA_HOST: i32 = 3;
/// Memory of CUDA devices, and that which moves between them and the processor.
const CUDA: i32 = 2;
const CUDA_MANAGED: i32 = 13;

/// DLPack's codes: kind and bits.
const DTYPES: &[(u8, u8, DType)] = &[
    (6, 8, DType::Bool),
    (0, 8, DType::I8),
    (0, 16, DType::I16),
    (0, 32, DType::I32),
    (0, 64, DType::I64),
    (1, 8, DType::U8),
    (1, 16, DType::U16),
    (1, 32, DType::U32),
    (1, 64, DType::U64),
    (2, 16, DType::F16),
    (4, 16, DType::BF16),
    (2, 32, DType::F32),
    (2, 64, DType::F64),
    (5, 64, DType::C64),
    (5, 128, DType::C128),
];

/// A tensor of others that we keep, once it is ours: an array of it is made first, which may fail.
pub(crate) struct Tensor {
    managed: NonNull<DLManagedTensorVersioned>,
    is_ours: Arc<AtomicBool>,
}

// SAFETY: it is only kept, and DLPack has deleters called by any thread.
unsafe impl Send for Tensor {}
// SAFETY: as above.
unsafe impl Sync for Tensor {}

impl Drop for Tensor {
    fn drop(&mut self) {
        if !self.is_ours.load(Ordering::Acquire) {
            return;
        }
        // SAFETY: it was taken over alive, and nobody else lets go of it.
        unsafe {
            if let Some(deleter) = self.managed.as_ref().deleter {
                deleter(self.managed.as_ptr());
            }
        }
    }
}

fn dtype_of(dtype: DLDataType) -> Result<DType, Failure> {
    let is_it = |row: &&(u8, u8, DType)| row.0 == dtype.code && row.1 == dtype.bits;
    match DTYPES.iter().find(is_it) {
        Some((_, _, found)) if dtype.lanes == 1 => Ok(*found),
        _ => {
            let DLDataType { code, bits, lanes } = dtype;
            let message = format!(
                "there is no dtype for DLPack's code {code} with {bits} bits and {lanes} lanes"
            );
            Err(Failure::new(ufc_status::UFC_ERROR_DTYPE, message))
        }
    }
}

/// Takes over a tensor of DLPack's version 1 as an array, in memory of the processor or of a CUDA device; once that is freed
/// and no call uses it any more, the tensor's deleter is called. What the tensor's maker asked of a CUDA device before is
/// waited for. On an error the tensor is still the caller's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_array_from_dlpack(
    tensor: *mut DLManagedTensorVersioned,
    array: *mut *mut ufc_array,
) -> ufc_status {
    entry(|| {
        // SAFETY: the caller vouches for the place.
        unsafe { put(array, null_mut(), "array")? };
        let managed = NonNull::new(tensor).ok_or_else(|| Failure::null("tensor"))?;
        // SAFETY: whatever the version, the version comes first.
        let version = unsafe { managed.cast::<DLPackVersion>().read() };
        if version.major != VERSION.major {
            let (major, minor) = (version.major, version.minor);
            let message = format!("the tensor is of DLPack's version {major}.{minor}, not 1");
            return Err(Failure::new(ufc_status::UFC_ERROR_UNSUPPORTED, message));
        }
        let is_ours = Arc::new(AtomicBool::new(false));
        let keeper = Tensor {
            managed,
            is_ours: is_ours.clone(),
        };
        // SAFETY: the caller vouches for a tensor of this version.
        let object = unsafe { import(managed, keeper)? };
        let handle = handle::insert(object)?;
        is_ours.store(true, Ordering::Release);
        // SAFETY: the caller vouches for the place.
        unsafe { put(array, handle, "array") }
    })
}

fn uncountable(what: &str) -> Failure {
    let message = format!("the tensor's {what} cannot be counted");
    Failure::new(ufc_status::UFC_ERROR_SHAPE, message)
}

/// # Safety
/// The tensor is one of version 1, whose elements may be used until it is let go.
unsafe fn import(
    managed: NonNull<DLManagedTensorVersioned>,
    keeper: Tensor,
) -> Result<ArrayObject, Failure> {
    // SAFETY: the caller vouches for it.
    let (tensor, flags) = unsafe { (&managed.as_ref().dl_tensor, managed.as_ref().flags) };
    let target = target_of(tensor.device)?;
    let dtype = dtype_of(tensor.dtype)?;
    let size = dtype.size() as i64;
    // Before the lists are looked at.
    let ndim = usize::try_from(tensor.ndim).ok();
    let ndim = ndim.filter(|ndim| *ndim <= MAX_AXES).ok_or_else(|| {
        let ndim = tensor.ndim;
        let message = format!("the tensor has {ndim} axes: there may be 0 to {MAX_AXES}");
        Failure::new(ufc_status::UFC_ERROR_SHAPE, message)
    })?;
    // SAFETY: the caller vouches for the lists.
    let shape = unsafe { list(tensor.shape.cast_const(), ndim, "shape")? };
    let strides = match tensor.strides.is_null() {
        true => None,
        // SAFETY: as above.
        false => Some(unsafe { list(tensor.strides.cast_const(), ndim, "strides")? }),
    };
    let in_bytes = |steps: &[i64]| -> Result<Vec<i64>, Failure> {
        let steps = steps.iter().map(|step| step.checked_mul(size));
        let steps: Option<Vec<i64>> = steps.collect();
        steps.ok_or_else(|| uncountable("strides"))
    };
    let strides = strides.map(in_bytes).transpose()?;
    let data = match tensor.data.is_null() {
        true => null_mut(),
        false => {
            let offset = usize::try_from(tensor.byte_offset).ok();
            let end = offset.and_then(|offset| tensor.data.addr().checked_add(offset));
            let end = end.ok_or_else(|| uncountable("offset"))?;
            tensor.data.cast::<u8>().with_addr(end)
        }
    };
    let is_read_only = flags & READ_ONLY != 0;
    // SAFETY: the elements are there as long as the tensor is.
    unsafe {
        match target {
            None => {
                let shape = shape.to_vec();
                let memory = || Memory::Tensor(keeper);
                ArrayObject::of_memory(data, dtype, shape, strides, is_read_only, memory)
            }
            Some(target) => {
                let layout = (shape, strides.as_deref());
                let memory = (data, dtype);
                ArrayObject::of_device_memory(&target, memory, layout, is_read_only, keeper)
            }
        }
    }
}

/// The target on whose device memory is; none for the processor.
fn target_of(device: DLDevice) -> Result<Option<Target>, Failure> {
    let DLDevice {
        device_type,
        device_id,
    } = device;
    match device_type {
        CPU | CUDA_HOST => Ok(None),
        CUDA | CUDA_MANAGED => {
            let target = format!("cuda:{device_id}").parse();
            Ok(Some(target.map_err(ufc::Error::Target)?))
        }
        _ => {
            let message = format!(
                "the tensor is on a device of DLPack's type {device_type}: the processor and CUDA's are possible"
            );
            Err(Failure::new(ufc_status::UFC_ERROR_UNSUPPORTED, message))
        }
    }
}

/// What an exported tensor keeps alive.
struct Export {
    array: Option<Used<ArrayObject>>,
    strides: Vec<i64>,
    tensor: DLManagedTensorVersioned,
}

/// Gives an array to others as a tensor of DLPack's version 1. The array's memory stays until both the array is freed and
/// the tensor's deleter was called, which its receiver does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_array_to_dlpack(
    array: *const ufc_array,
    tensor: *mut *mut DLManagedTensorVersioned,
) -> ufc_status {
    entry(|| {
        // SAFETY: the caller vouches for the place.
        unsafe { put(tensor, null_mut(), "tensor")? };
        let array = handle::get::<ArrayObject>(array, "array")?;
        let exported = export(array)?;
        // SAFETY: the caller vouches for the place.
        unsafe { put(tensor, exported, "tensor") }
    })
}

/// Where DLPack says an array on a CUDA device is. Whatever writes it is waited for, as receivers cannot.
fn cuda(array: &DeviceArray) -> Result<(*mut c_void, DLDevice), Failure> {
    let place = array.device();
    let number = place
        .strip_prefix("cuda:")
        .and_then(|number| number.parse().ok());
    let (Some(device_id), Some(address)) = (number, array.address()) else {
        let message =
            format!("DLPack has no word for memory of {place}: `ufc_array_to_host` copies it");
        return Err(Failure::new(ufc_status::UFC_ERROR_UNSUPPORTED, message));
    };
    array.synchronize()?;
    let device = DLDevice {
        device_type: CUDA,
        device_id,
    };
    Ok((std::ptr::without_provenance_mut(address as usize), device))
}

fn export(array: Used<ArrayObject>) -> Result<*mut DLManagedTensorVersioned, Failure> {
    let (data, device) = match array.device() {
        None => (
            array.view().data,
            DLDevice {
                device_type: CPU,
                device_id: 0,
            },
        ),
        Some(on_device) => cuda(on_device)?,
    };
    let view = array.view();
    let dtype = array.dtype();
    let size = dtype.size() as i64;
    if array.strides().iter().any(|step| step % size != 0) {
        let message =
            "DLPack's strides count elements: the array's are no multiples of its elements' size";
        return Err(Failure::new(ufc_status::UFC_ERROR_UNSUPPORTED, message));
    }
    let row = DTYPES.iter().find(|row| row.2 == dtype);
    let (code, bits) = row.map_or((0, 0), |row| (row.0, row.1));
    let mut export = Box::new(Export {
        strides: array.strides().iter().map(|step| step / size).collect(),
        tensor: DLManagedTensorVersioned {
            version: VERSION,
            manager_ctx: null_mut(),
            deleter: Some(let_go),
            flags: if array.is_read_only() { READ_ONLY } else { 0 },
            dl_tensor: DLTensor {
                data,
                device,
                ndim: view.ndim,
                dtype: DLDataType {
                    code,
                    bits,
                    lanes: 1,
                },
                // Receivers may not write through it, though the type allows that.
                shape: view.shape.cast_mut(),
                strides: null_mut(),
                byte_offset: 0,
            },
        },
        array: Some(array),
    });
    export.tensor.dl_tensor.strides = export.strides.as_mut_ptr();
    let export = Box::into_raw(export);
    // SAFETY: it was just made; the tensor is a part of it, and knows where it is from.
    unsafe {
        (*export).tensor.manager_ctx = export.cast();
        Ok(&raw mut (*export).tensor)
    }
}

/// The deleter of exported tensors.
unsafe extern "C" fn let_go(tensor: *mut DLManagedTensorVersioned) {
    if tensor.is_null() {
        return;
    }
    let done = entry(|| {
        // SAFETY: the receiver lets go of a tensor that we made, once.
        let mut export = unsafe { Box::from_raw((*tensor).manager_ctx.cast::<Export>()) };
        drop(export.array.take());
        Ok(())
    });
    debug_assert_eq!(done, ufc_status::UFC_OK);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_has_a_code() {
        assert_eq!(DTYPES.len(), DType::ALL.len());
        for (row, dtype) in DTYPES.iter().zip(DType::ALL) {
            assert_eq!(row.2, *dtype);
            assert_eq!(u32::from(row.1), dtype.bits());
        }
    }

    #[test]
    fn the_layout_is_dlpacks() {
        assert_eq!(size_of::<DLTensor>(), 48);
        assert_eq!(size_of::<DLManagedTensorVersioned>(), 80);
        assert_eq!(std::mem::offset_of!(DLTensor, byte_offset), 40);
    }
}
