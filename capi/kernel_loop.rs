//! Loops as raw functions, with NumPy's inner-loop ABI.
#![expect(unsafe_code, reason = "entries take what callers pass")]

use std::ffi::{c_char, c_void};

use ufc::{InnerLoop, RawLoop};

use crate::abi::{Sizable, list, put, write_struct};
use crate::array::{code_of, dtype_of};
use crate::error::ufc_status;
use crate::handle::{self, ufc_loop, ufc_ufunc};
use crate::panic::entry;
use crate::ufunc::{CallWith, UfuncObject, ufc_call_options};

/// A compiled loop, with NumPy's inner-loop ABI: `args` has a pointer for each input, then for each output,
/// `dims[0]` is the number of elements, `steps` has a step in bytes for each operand (any; 0 repeats one element),
/// and `data` points at one `ufc_index` for each position that the kernel asks for, else it is not looked at.
///
/// It trusts its arguments. Any alignment will do. An output may share memory with an input only if both are at the
/// same addresses for every element. It may run on many threads at once.
pub type ufc_inner_loop = Option<
    unsafe extern "C" fn(
        args: *mut *mut c_char,
        dims: *const isize,
        steps: *const isize,
        data: *mut c_void,
    ),
>;

/// A position of the elements: that of element `i` is `base + i * step`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ufc_index {
    /// Position of the first element.
    pub base: i64,
    /// How far it moves from one element to the next.
    pub step: i64,
}

/// What a loop is. Lists are valid until the loop is freed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ufc_loop_info {
    /// `sizeof(ufc_loop_info)`.
    pub struct_size: usize,
    /// The loop as a function. It may be called until both this loop and the ufunc that it is from are freed.
    pub function: ufc_inner_loop,
    /// How many inputs there are.
    pub nin: usize,
    /// How many outputs there are.
    pub nout: usize,
    /// A `ufc_dtype` for each input, then for each output.
    pub dtypes: *const i32,
    /// How many positions the kernel asks for.
    pub position_count: usize,
    /// Which they are, in the order in which `data` has them: an axis, or -1 for the position in C order.
    pub positions: *const i32,
}

// SAFETY: the fields follow one another without padding; the function is only written.
unsafe impl Sizable for ufc_loop_info {
    const NAME: &'static str = "ufc_loop_info";
}

/// A loop.
pub(crate) struct LoopObject {
    raw: RawLoop,
    dtypes: Vec<i32>,
    positions: Vec<i32>,
}

/// The loop for inputs of exactly these dtypes (`count` of `ufc_dtype`), compiled now if it has not been before. The
/// target in `options` must be one that runs on the processor; `options` may be NULL. The caller frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_ufunc_loop(
    ufunc: *const ufc_ufunc,
    dtypes: *const i32,
    count: usize,
    options: *const ufc_call_options,
    result: *mut *mut ufc_loop,
) -> ufc_status {
    entry(|| {
        // SAFETY: the caller vouches for the place.
        unsafe { put(result, std::ptr::null_mut(), "result")? };
        let ufunc = handle::get::<UfuncObject>(ufunc, "ufunc")?;
        ufunc.check_count("inputs", count, ufunc.ufunc.nin())?;
        // SAFETY: the caller vouches for the list, and its length is that of the inputs.
        let codes = unsafe { list(dtypes, count, "dtypes")? };
        let dtypes = codes.iter().map(|code| dtype_of(*code));
        let dtypes = dtypes.collect::<Result<Vec<_>, _>>()?;
        // SAFETY: the caller vouches for the options.
        let with = unsafe { CallWith::read(options)? };
        let raw = ufunc.ufunc.with(with.options(true)).raw_loop(&dtypes)?;
        let all = raw.inputs().iter().chain(raw.outputs());
        let object = LoopObject {
            dtypes: all.map(|dtype| code_of(*dtype)).collect(),
            positions: raw
                .positions()
                .iter()
                .map(|axis| axis.map_or(-1, i32::from))
                .collect(),
            raw,
        };
        let handle = handle::insert(object)?;
        // SAFETY: the caller vouches for the place.
        unsafe { put(result, handle, "result") }
    })
}

/// What a loop is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_loop_get(
    kernel_loop: *const ufc_loop,
    info: *mut ufc_loop_info,
) -> ufc_status {
    entry(|| {
        let object = handle::get::<LoopObject>(kernel_loop, "kernel_loop")?;
        // SAFETY: both types are those of a C function whose arguments are three pointers to the same things and an address.
        let function =
            unsafe { std::mem::transmute::<InnerLoop, ufc_inner_loop>(object.raw.function()) };
        let value = ufc_loop_info {
            struct_size: 0,
            function,
            nin: object.raw.inputs().len(),
            nout: object.raw.outputs().len(),
            dtypes: object.dtypes.as_ptr(),
            position_count: object.positions.len(),
            positions: object.positions.as_ptr(),
        };
        // SAFETY: the caller vouches for the struct.
        unsafe { write_struct(info, &value, "info") }
    })
}

/// Frees a loop. Its function stays as long as the ufunc does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_loop_free(kernel_loop: *mut ufc_loop) -> ufc_status {
    entry(|| handle::free::<LoopObject>(kernel_loop, "kernel_loop"))
}
