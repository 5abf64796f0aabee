//! Arrays: views of the caller's memory, and arrays whose memory ufc keeps.
#![expect(
    unsafe_code,
    reason = "callers vouch for the memory that their views describe"
)]

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::null;

use ufc::array::layout::{
    MAX_AXES, Offsets, Shape, Strides, byte_count, c_strides, extent, may_share_elements,
};
use ufc::array::{Array, ArrayError, DeviceArray, Operand, Output, ToOutput, View, ViewMut, Weak};
use ufc::{Const, DType, Plain, Target};

use crate::abi::{Sizable, list, optional_text, put, read_struct, write_struct};
use crate::dlpack::Tensor;
use crate::error::{Failure, c_string, ufc_status};
use crate::handle::{self, Used, ufc_array};
use crate::panic::{entry, value_entry};

/// The type of an element.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ufc_dtype {
    /// One byte, 0 or 1.
    UFC_BOOL = 1,
    /// A signed integer.
    UFC_I8 = 2,
    /// A signed integer.
    UFC_I16 = 3,
    /// A signed integer.
    UFC_I32 = 4,
    /// A signed integer.
    UFC_I64 = 5,
    /// An unsigned integer.
    UFC_U8 = 6,
    /// An unsigned integer.
    UFC_U16 = 7,
    /// An unsigned integer.
    UFC_U32 = 8,
    /// An unsigned integer.
    UFC_U64 = 9,
    /// A float of IEEE 754, binary16.
    UFC_F16 = 10,
    /// The upper half of an f32.
    UFC_BF16 = 11,
    /// A float of IEEE 754, binary32.
    UFC_F32 = 12,
    /// A float of IEEE 754, binary64.
    UFC_F64 = 13,
    /// A complex number: two f32, the real part first.
    UFC_C64 = 14,
    /// A complex number: two f64, the real part first.
    UFC_C128 = 15,
}

use ufc_dtype::*;

/// Each dtype with its number in C and its name.
const DTYPES: &[(ufc_dtype, DType, &CStr)] = &[
    (UFC_BOOL, DType::Bool, c"bool"),
    (UFC_I8, DType::I8, c"i8"),
    (UFC_I16, DType::I16, c"i16"),
    (UFC_I32, DType::I32, c"i32"),
    (UFC_I64, DType::I64, c"i64"),
    (UFC_U8, DType::U8, c"u8"),
    (UFC_U16, DType::U16, c"u16"),
    (UFC_U32, DType::U32, c"u32"),
    (UFC_U64, DType::U64, c"u64"),
    (UFC_F16, DType::F16, c"f16"),
    (UFC_BF16, DType::BF16, c"bf16"),
    (UFC_F32, DType::F32, c"f32"),
    (UFC_F64, DType::F64, c"f64"),
    (UFC_C64, DType::C64, c"c64"),
    (UFC_C128, DType::C128, c"c128"),
];

/// The number of a dtype in C.
pub(crate) fn code_of(dtype: DType) -> i32 {
    let row = DTYPES.iter().find(|(_, known, _)| *known == dtype);
    row.map_or(0, |(code, _, _)| *code as i32)
}

fn row(code: i32) -> Option<&'static (ufc_dtype, DType, &'static CStr)> {
    DTYPES.get(usize::try_from(code).ok()?.checked_sub(1)?)
}

/// The dtype with this number in C.
pub(crate) fn dtype_of(code: i32) -> Result<DType, Failure> {
    row(code).map(|(_, dtype, _)| *dtype).ok_or_else(|| {
        let message = format!("{code} is not the number of a dtype");
        Failure::new(ufc_status::UFC_ERROR_DTYPE, message)
    })
}

/// The name of a dtype in the kernel language, such as "f32"; NULL for numbers that are none. Valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn ufc_dtype_name(dtype: i32) -> *const c_char {
    value_entry(null(), || row(dtype).map_or(null(), |row| row.2.as_ptr()))
}

/// The size of an element in bytes; 0 for numbers that are no dtype.
#[unsafe(no_mangle)]
pub extern "C" fn ufc_dtype_size(dtype: i32) -> usize {
    value_entry(0, || row(dtype).map_or(0, |row| row.1.size()))
}

/// The bytes of each element are in the other order than this machine's.
pub const UFC_VIEW_BYTE_SWAPPED: u32 = 1;
/// A number without a dtype of its own, as Python's are: it takes the dtype of the operands it meets. Only for
/// inputs without axes of the dtypes bool, i64, u64, f64 and c128.
pub const UFC_VIEW_WEAK: u32 = 2;
/// The elements must not be written: the view cannot be an output.
pub const UFC_VIEW_READ_ONLY: u32 = 4;

/// Elements somewhere in memory: of the caller's, or of a `ufc_array`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ufc_view {
    /// `sizeof(ufc_view)`.
    pub struct_size: usize,
    /// If not NULL, the elements are those of this array, and no other field is looked at.
    pub array: *const ufc_array,
    /// The first element, at any alignment. May be NULL if there are no elements.
    pub data: *mut c_void,
    /// `ndim` lengths, outermost first. May be NULL if `ndim` is 0.
    pub shape: *const i64,
    /// `ndim` steps in bytes, of any sign; NULL if the elements lie one after the other, the last axis fastest.
    pub strides: *const i64,
    /// How many axes there are: 0 for a single value, at most 64.
    pub ndim: i32,
    /// A `ufc_dtype`.
    pub dtype: i32,
    /// `UFC_VIEW_` bits, or 0.
    pub flags: u32,
    /// Must be 0.
    pub reserved: u32,
}

// SAFETY: the fields follow one another without padding, and may have any bytes.
unsafe impl Sizable for ufc_view {
    const NAME: &'static str = "ufc_view";
}

/// An array that a caller holds.
pub(crate) struct ArrayObject {
    memory: Memory,
    /// Where it is, such as "host" or "cuda:0".
    place: CString,
    data: *mut u8,
    dtype: DType,
    shape: Vec<i64>,
    strides: Vec<i64>,
    read_only: bool,
}

/// What keeps an array's memory.
#[expect(
    dead_code,
    reason = "what is in it is only kept, to be dropped with the array"
)]
pub(crate) enum Memory {
    /// It is ufc's own.
    Own(Array),
    /// A tensor of others.
    Tensor(Tensor),
    /// A device's.
    Device(DeviceArray),
}

// SAFETY: it is memory like any other; that nobody writes it while somebody else uses it is up to the callers.
unsafe impl Send for ArrayObject {}
// SAFETY: as above.
unsafe impl Sync for ArrayObject {}

impl ArrayObject {
    /// Takes an array over.
    pub(crate) fn own(mut array: Array) -> ArrayObject {
        let strides = c_strides(array.shape(), array.dtype().size());
        ArrayObject {
            data: array.as_mut_ptr(),
            dtype: array.dtype(),
            shape: array.shape().iter().map(|len| *len as i64).collect(),
            strides: strides.iter().map(|step| *step as i64).collect(),
            read_only: false,
            place: c"host".into(),
            memory: Memory::Own(array),
        }
    }

    /// Takes an array on a device over.
    pub(crate) fn on_device(array: DeviceArray) -> ArrayObject {
        ArrayObject {
            data: std::ptr::null_mut(),
            dtype: array.dtype(),
            shape: array.shape().iter().map(|len| *len as i64).collect(),
            strides: array.strides().iter().map(|step| *step as i64).collect(),
            read_only: false,
            place: c_string(array.device()),
            memory: Memory::Device(array),
        }
    }

    /// An array in memory of others on a device, which `owner` lets go of. `data` is an address there. Without strides the
    /// elements lie one after the other.
    ///
    /// # Safety
    /// As [`DeviceArray::from_address`] says, where the array is not written if `is_read_only`.
    pub(crate) unsafe fn of_device_memory(
        target: &Target,
        memory: (*mut u8, DType),
        (shape, strides): (&[i64], Option<&[i64]>),
        is_read_only: bool,
        owner: Tensor,
    ) -> Result<ArrayObject, Failure> {
        let (data, dtype) = memory;
        let view = foreign_view(data, dtype, shape, strides);
        // SAFETY: the lists are those above; no element is looked at.
        let checked = unsafe { check(&view, &|| "the array".to_string())? };
        let (shape, strides) = (&checked.shape, &checked.strides);
        let address = data.addr() as u64;
        // SAFETY: as the caller says.
        let array =
            unsafe { DeviceArray::from_address(target, address, dtype, shape, strides, owner)? };
        Ok(ArrayObject {
            read_only: is_read_only,
            ..ArrayObject::on_device(array)
        })
    }

    /// The array if it is on a device.
    pub(crate) fn device(&self) -> Option<&DeviceArray> {
        match &self.memory {
            Memory::Device(array) => Some(array),
            Memory::Own(_) | Memory::Tensor(_) => None,
        }
    }

    /// Its elements as a view, if they are in the host's memory.
    pub(crate) fn host_view(&self) -> Result<ufc_view, Failure> {
        if self.device().is_none() {
            return Ok(self.view());
        }
        let place = self.place.to_string_lossy();
        let message = format!("the array is on {place}: `ufc_array_to_host` copies it");
        Err(Failure::new(ufc_status::UFC_ERROR_UNSUPPORTED, message))
    }

    /// An array in memory of others, which `memory` takes over once all else is known to be right. Without strides
    /// the elements lie one after the other.
    ///
    /// # Safety
    /// The elements may be read, and written unless `is_read_only`, until what `memory` gives is dropped.
    pub(crate) unsafe fn of_memory(
        data: *mut u8,
        dtype: DType,
        shape: Vec<i64>,
        strides: Option<Vec<i64>>,
        is_read_only: bool,
        memory: impl FnOnce() -> Memory,
    ) -> Result<ArrayObject, Failure> {
        let view = foreign_view(data, dtype, &shape, strides.as_deref());
        // SAFETY: the lists are those above.
        let checked = unsafe { check(&view, &|| "the array".to_string())? };
        Ok(ArrayObject {
            data,
            dtype,
            strides: checked.strides.iter().map(|step| *step as i64).collect(),
            shape,
            read_only: is_read_only,
            place: c"host".into(),
            memory: memory(),
        })
    }

    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    /// Steps along each axis, in bytes.
    pub(crate) fn strides(&self) -> &[i64] {
        &self.strides
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub(crate) fn view(&self) -> ufc_view {
        ufc_view {
            struct_size: size_of::<ufc_view>(),
            array: null(),
            data: self.data.cast(),
            shape: self.shape.as_ptr(),
            strides: self.strides.as_ptr(),
            // At most 64.
            ndim: self.shape.len() as i32,
            dtype: code_of(self.dtype),
            flags: if self.read_only {
                UFC_VIEW_READ_ONLY
            } else {
                0
            },
            reserved: 0,
        }
    }
}

/// Elements of others as a view, to be checked.
fn foreign_view(data: *mut u8, dtype: DType, shape: &[i64], strides: Option<&[i64]>) -> ufc_view {
    ufc_view {
        struct_size: size_of::<ufc_view>(),
        array: null(),
        data: data.cast(),
        shape: shape.as_ptr(),
        strides: strides.map_or(null(), <[i64]>::as_ptr),
        ndim: i32::try_from(shape.len()).unwrap_or(i32::MAX),
        dtype: code_of(dtype),
        flags: 0,
        reserved: 0,
    }
}

/// A view whose numbers make sense.
struct Checked {
    data: *mut u8,
    dtype: DType,
    shape: Shape,
    strides: Strides,
    flags: u32,
}

/// The arrays that views refer to, kept until the call is over.
pub(crate) type Kept = smallvec::SmallVec<[Used<ArrayObject>; 2]>;

fn bad_shape(message: String) -> Failure {
    Failure::new(ufc_status::UFC_ERROR_SHAPE, message)
}

/// Checks all of a view but the elements. `name` is what messages call it.
///
/// # Safety
/// The lists are NULL or have `ndim` values.
unsafe fn check(view: &ufc_view, name: &dyn Fn() -> String) -> Result<Checked, Failure> {
    let known = UFC_VIEW_BYTE_SWAPPED | UFC_VIEW_WEAK | UFC_VIEW_READ_ONLY;
    if view.flags & !known != 0 || view.reserved != 0 {
        let name = name();
        return Err(Failure::argument(format!(
            "`flags` of {name} has bits that mean nothing, or `reserved` is not 0"
        )));
    }
    let dtype = dtype_of(view.dtype)?;
    let ndim = usize::try_from(view.ndim)
        .ok()
        .filter(|ndim| *ndim <= MAX_AXES);
    let Some(ndim) = ndim else {
        let (name, ndim) = (name(), view.ndim);
        return Err(bad_shape(format!(
            "{name} has {ndim} axes: there may be 0 to {MAX_AXES}"
        )));
    };
    // SAFETY: the caller vouches for the lists.
    let lens = unsafe { list(view.shape, ndim, "shape")? };
    let mut shape = Shape::new();
    for len in lens {
        let Ok(len) = usize::try_from(*len) else {
            return Err(bad_shape(format!("{} has an axis of length {len}", name())));
        };
        shape.push(len);
    }
    byte_count(&shape, dtype)?;
    let strides = match view.strides.is_null() {
        true => c_strides(&shape, dtype.size()),
        // SAFETY: the caller vouches for the lists.
        false => unsafe { list(view.strides, ndim, "strides")? }
            .iter()
            .map(|step| *step as isize)
            .collect(),
    };
    let data = view.data.cast::<u8>();
    if data.is_null() && !shape.contains(&0) {
        return Err(Failure::null(&format!(
            "data` of {}, which has elements: `data",
            name()
        )));
    }
    let reach = extent(&shape, &strides, dtype.size());
    let is_inside = reach.is_some_and(|(low, high)| {
        let end = |by| data.addr().checked_add_signed(by).is_some();
        end(low) && end(high)
    });
    if !is_inside {
        let name = name();
        return Err(bad_shape(format!(
            "the strides of {name} reach beyond all memory"
        )));
    }
    Ok(Checked {
        data,
        dtype,
        shape,
        strides,
        flags: view.flags,
    })
}

/// Checks that the elements of a bool view are 0 or 1.
///
/// # Safety
/// The elements may be read.
unsafe fn check_bools(view: &Checked) -> Result<(), Failure> {
    if view.dtype != DType::Bool {
        return Ok(());
    }
    for offset in Offsets::new(&view.shape, &view.strides) {
        // SAFETY: the caller vouches for the elements.
        let byte = unsafe { *view.data.wrapping_offset(offset) };
        if byte > 1 {
            return Err(ArrayError::NotBool(byte).into());
        }
    }
    Ok(())
}

/// A view as plain memory, if it is one: of this version's size, with one axis or none, no flags, and no bools, whose
/// elements would have to be looked at. Whatever is not plain, or not right, is for the long way to judge.
///
/// # Safety
/// The lists are NULL or have `ndim` values.
#[inline(always)]
pub(crate) unsafe fn plain(view: &ufc_view, is_output: bool) -> Option<Plain> {
    let is_simple = view.struct_size == size_of::<ufc_view>()
        && view.array.is_null()
        && view.flags | view.reserved == 0
        && !view.data.is_null();
    let (_, dtype, _) = row(view.dtype)?;
    if !is_simple || *dtype == DType::Bool {
        return None;
    }
    let size = dtype.size() as i64;
    let (len, step) = match view.ndim {
        0 if !is_output => (None, 0),
        1 if view.shape.is_aligned() && !view.shape.is_null() && view.strides.is_aligned() => {
            // SAFETY: the caller vouches for the lists, and NULL was looked for.
            let (len, step) = unsafe {
                let step = view.strides.as_ref().copied();
                (*view.shape, step.unwrap_or(size))
            };
            if is_output && len > 1 && step.unsigned_abs() < size.unsigned_abs() {
                return None;
            }
            (Some(usize::try_from(len).ok()?), step)
        }
        _ => return None,
    };
    // That no address is beyond all memory.
    let last = (len.unwrap_or(1) as i64)
        .checked_sub(1)?
        .max(0)
        .checked_mul(step)?;
    let start = view.data.addr();
    let ends = [last, size, last.checked_add(size)?];
    ends.iter()
        .all(|end| start.checked_add_signed(*end as isize).is_some())
        .then_some(Plain {
            data: view.data.cast(),
            dtype: *dtype,
            len,
            step: step as isize,
        })
}

/// The view of an array, if a view refers to one; the array is kept.
fn resolve(view: ufc_view, kept: &mut Kept) -> Result<ufc_view, Failure> {
    if view.array.is_null() {
        return Ok(view);
    }
    let array = handle::get::<ArrayObject>(view.array, "array")?;
    let resolved = array.host_view()?;
    kept.push(array);
    Ok(resolved)
}

/// The input that a view describes.
///
/// # Safety
/// The lists and elements of the view may be read until `kept` and the operand are dropped.
pub(crate) unsafe fn input<'a>(
    view: ufc_view,
    name: &dyn Fn() -> String,
    kept: &mut Kept,
) -> Result<Operand<'a>, Failure> {
    if let Some(array) = on_device(&view)? {
        return Ok(Operand::Device(array));
    }
    let view = resolve(view, kept)?;
    // SAFETY: the caller vouches for the lists.
    let checked = unsafe { check(&view, name)? };
    // SAFETY: the caller vouches for the elements.
    unsafe { check_bools(&checked)? };
    let Checked {
        data,
        dtype,
        shape,
        strides,
        flags,
    } = checked;
    let is_swapped = flags & UFC_VIEW_BYTE_SWAPPED != 0;
    // SAFETY: the elements may be read, bools are 0 or 1, and the size in bytes was counted.
    let view = unsafe { View::from_raw(data, dtype, &shape, &strides, is_swapped) };
    if flags & UFC_VIEW_WEAK == 0 {
        return Ok(Operand::View(view));
    }
    let value = view.get(&[]);
    let weak = value.and_then(weak_of).ok_or_else(|| {
        let what =
            "only single values of bool, i64, u64, f64 and c128 can be numbers without a dtype";
        Failure::argument(format!("{} has `UFC_VIEW_WEAK`: {what}", name()))
    })?;
    Ok(Operand::Weak(weak))
}

/// The array on a device that a view refers to, if it does.
pub(crate) fn on_device(view: &ufc_view) -> Result<Option<DeviceArray>, Failure> {
    if view.array.is_null() {
        return Ok(None);
    }
    let array = handle::get::<ArrayObject>(view.array, "array")?;
    Ok(array.device().cloned())
}

/// The array on a device that a view refers to, if it does, as an output.
pub(crate) fn output_on_device(
    view: &ufc_view,
    name: &dyn Fn() -> String,
) -> Result<Option<DeviceArray>, Failure> {
    if view.array.is_null() {
        return Ok(None);
    }
    let array = handle::get::<ArrayObject>(view.array, "array")?;
    match array.device() {
        Some(_) if array.is_read_only() => Err(not_writable(name)),
        found => Ok(found.cloned()),
    }
}

fn not_writable(name: &dyn Fn() -> String) -> Failure {
    let message = format!("{} cannot be written: it is read-only, or a number", name());
    Failure::argument(message)
}

fn weak_of(value: Const) -> Option<Weak> {
    match value.dtype() {
        DType::Bool => Some(Weak::Bool(value.as_bool())),
        DType::I64 | DType::U64 => Some(Weak::Int(value.as_int())),
        DType::F64 => Some(Weak::Float(value.as_f64())),
        DType::C128 => {
            let bits = u128::from_le_bytes(value.to_le_bytes());
            let part = |bits: u128| f64::from_bits(bits as u64);
            Some(Weak::Complex(part(bits), part(bits >> 64)))
        }
        _ => None,
    }
}

/// The output that a view describes.
///
/// # Safety
/// The lists may be read, and the elements read and written, by us alone, until `kept` and the output are dropped; an input
/// of the same call may share their memory.
pub(crate) unsafe fn output<'a>(
    view: ufc_view,
    name: &dyn Fn() -> String,
    kept: &mut Kept,
) -> Result<Output<'a>, Failure> {
    let view = resolve(view, kept)?;
    // SAFETY: the caller vouches for the lists.
    let checked = unsafe { check(&view, name)? };
    if checked.flags & (UFC_VIEW_READ_ONLY | UFC_VIEW_WEAK) != 0 {
        return Err(not_writable(name));
    }
    let Checked {
        data,
        dtype,
        shape,
        strides,
        flags,
    } = checked;
    if may_share_elements(&shape, &strides, dtype.size()) {
        return Err(ArrayError::SharedElements { shape }.into());
    }
    let is_swapped = flags & UFC_VIEW_BYTE_SWAPPED != 0;
    // SAFETY: the elements may be written, share no memory among them, and the size in bytes was counted. Bools are
    // written before anybody reads them, unless they are an input's, too, where they were checked.
    let view = unsafe { ViewMut::from_raw(data, dtype, &shape, &strides, is_swapped) };
    Ok(view.to_output())
}

/// A new array of zeros in C order. The caller frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_array_new(
    dtype: i32,
    ndim: i32,
    shape: *const i64,
    array: *mut *mut ufc_array,
) -> ufc_status {
    entry(|| {
        // SAFETY: the caller vouches for the place.
        unsafe { put(array, std::ptr::null_mut(), "array")? };
        let none = ufc_view {
            struct_size: size_of::<ufc_view>(),
            array: null(),
            data: std::ptr::dangling_mut(),
            shape,
            strides: null(),
            ndim,
            dtype,
            flags: 0,
            reserved: 0,
        };
        // SAFETY: the caller vouches for the list.
        let checked = unsafe { check(&none, &|| "the array".to_string())? };
        let made = Array::zeros(checked.dtype, &checked.shape)?;
        let handle = handle::insert(ArrayObject::own(made))?;
        // SAFETY: the caller vouches for the place.
        unsafe { put(array, handle, "array") }
    })
}

/// An array's elements as a view, which is valid until the array is freed. UFC_ERROR_UNSUPPORTED if it is on a device.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_array_get(array: *const ufc_array, view: *mut ufc_view) -> ufc_status {
    entry(|| {
        let array = handle::get::<ArrayObject>(array, "array")?;
        // SAFETY: the caller vouches for the struct.
        unsafe { write_struct(view, &array.host_view()?, "view") }
    })
}

/// What an array is, wherever it is. Lists and texts are valid until the array is freed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ufc_array_info {
    /// `sizeof(ufc_array_info)`.
    pub struct_size: usize,
    /// Where its elements are: "host", or a device such as "cuda:0".
    pub place: *const c_char,
    /// `ndim` lengths, outermost first.
    pub shape: *const i64,
    /// `ndim` steps in bytes.
    pub strides: *const i64,
    /// How many axes there are.
    pub ndim: i32,
    /// A `ufc_dtype`.
    pub dtype: i32,
}

// SAFETY: the fields follow one another without padding.
unsafe impl Sizable for ufc_array_info {
    const NAME: &'static str = "ufc_array_info";
}

/// What an array is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_array_describe(
    array: *const ufc_array,
    info: *mut ufc_array_info,
) -> ufc_status {
    entry(|| {
        let array = handle::get::<ArrayObject>(array, "array")?;
        let value = ufc_array_info {
            struct_size: 0,
            place: array.place.as_ptr(),
            shape: array.shape.as_ptr(),
            strides: array.strides.as_ptr(),
            ndim: array.shape.len() as i32,
            dtype: code_of(array.dtype),
        };
        // SAFETY: the caller vouches for the struct.
        unsafe { write_struct(info, &value, "info") }
    })
}

/// Copies elements to a device, such as "gpu" or "cuda:0"; NULL for any GPU. The caller frees the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_array_to_device(
    view: *const ufc_view,
    target: *const c_char,
    result: *mut *mut ufc_array,
) -> ufc_status {
    entry(|| {
        // SAFETY: the caller vouches for the place.
        unsafe { put(result, std::ptr::null_mut(), "result")? };
        // SAFETY: the caller vouches for the text.
        let target = match unsafe { optional_text(target, "target")? } {
            None => Target::GPU,
            Some(word) => word.parse().map_err(ufc::Error::Target)?,
        };
        let mut kept = Kept::new();
        // SAFETY: the caller vouches for the struct, and for the elements while we use them.
        let operand = unsafe {
            let (view, _) = read_struct(view, "view")?;
            input(view, &|| "the view".to_string(), &mut kept)?
        };
        let array = match operand {
            Operand::View(view) => view.to_device(&target)?,
            Operand::Device(array) => array.to_host()?.to_device(&target)?,
            _ => {
                return Err(Failure::argument(
                    "a number without a dtype cannot be on a device",
                ));
            }
        };
        let handle = handle::insert(ArrayObject::on_device(array))?;
        // SAFETY: the caller vouches for the place.
        unsafe { put(result, handle, "result") }
    })
}

/// Waits until everything that ufc was asked to do on an array's device is done, so that others may look at memory that
/// they were given. Returns at once for arrays in the host's memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_array_synchronize(array: *const ufc_array) -> ufc_status {
    entry(|| {
        let array = handle::get::<ArrayObject>(array, "array")?;
        if let Some(device) = array.device() {
            device.synchronize()?;
        }
        Ok(())
    })
}

/// Copies an array to the host's memory, once everything that writes it is done. The caller frees the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_array_to_host(
    array: *const ufc_array,
    result: *mut *mut ufc_array,
) -> ufc_status {
    entry(|| {
        // SAFETY: the caller vouches for the place.
        unsafe { put(result, std::ptr::null_mut(), "result")? };
        let object = handle::get::<ArrayObject>(array, "array")?;
        let copy = match object.device() {
            Some(device) => device.to_host()?,
            None => {
                let mut kept = Kept::new();
                // SAFETY: the elements are those of the array, which is in use.
                match unsafe { input(object.view(), &|| "the array".to_string(), &mut kept)? } {
                    Operand::View(view) => view.to_array()?,
                    _ => return Err(Failure::argument("the array has no elements")),
                }
            }
        };
        let handle = handle::insert(ArrayObject::own(copy))?;
        // SAFETY: the caller vouches for the place.
        unsafe { put(result, handle, "result") }
    })
}

/// Frees an array.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_array_free(array: *mut ufc_array) -> ufc_status {
    entry(|| handle::free::<ArrayObject>(array, "array"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dtypes_are_numbered_in_order() {
        assert_eq!(DTYPES.len(), DType::ALL.len());
        for (number, (code, dtype, name)) in DTYPES.iter().enumerate() {
            assert_eq!(*code as usize, number + 1);
            assert_eq!(*dtype, DType::ALL[number]);
            assert_eq!(name.to_str(), Ok(dtype.name()));
            assert_eq!(dtype_of(code_of(*dtype)).ok(), Some(*dtype));
        }
        for wrong in [0, -1, 16, i32::MAX, i32::MIN] {
            assert!(dtype_of(wrong).is_err());
        }
    }
}
