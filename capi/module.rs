//! Modules: from a kernel text to its ufuncs.
#![expect(unsafe_code, reason = "entries take what callers pass")]

use std::ffi::{c_char, c_void};
use std::ptr::null_mut;

use ufc::{DType, Error, Module, SourceError};

use crate::abi::{Sizable, UFC_NUL_TERMINATED, list, optional_text, put, read_optional, text};
use crate::array::dtype_of;
use crate::diagnostics::DiagnosticsObject;
use crate::error::{Failure, ufc_status};
use crate::handle::{self, ufc_diagnostics, ufc_module, ufc_text, ufc_ufunc};
use crate::panic::entry;
use crate::text::TextObject;
use crate::ufunc::UfuncObject;

/// The text is one expression, such as `a*x + sqrt(y)`: its free names are the inputs, in order of first use.
pub const UFC_COMPILE_EXPRESSION: u32 = 1;

/// How a text is to be compiled. All zeros, apart from the size, is a good choice.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ufc_compile_options {
    /// `sizeof(ufc_compile_options)`.
    pub struct_size: usize,
    /// What messages call the text, such as a file's name; NULL for "<source>".
    pub name: *const c_char,
    /// `UFC_COMPILE_EXPRESSION`, or 0.
    pub flags: u32,
    /// Must be 0.
    pub reserved: u32,
}

// SAFETY: the fields follow one another without padding, and may have any bytes.
unsafe impl Sizable for ufc_compile_options {
    const NAME: &'static str = "ufc_compile_options";
}

/// A module.
pub(crate) struct ModuleObject {
    module: Module,
}

/// Makes the handles of a module, or of nothing, and of what there is to say about it.
///
/// # Safety
/// Both places are NULL or may be written.
unsafe fn finish(
    made: Result<Module, Error>,
    module: *mut *mut ufc_module,
    diagnostics: *mut *mut ufc_diagnostics,
) -> Result<(), Failure> {
    if !diagnostics.is_null() {
        let found = match &made {
            Ok(module) => Some(DiagnosticsObject::new(&SourceError {
                name: module.name().to_string(),
                source: module.source().to_string(),
                diagnostics: module.warnings().to_vec(),
            })),
            Err(Error::Source(error)) => Some(DiagnosticsObject::new(error)),
            Err(_) => None,
        };
        if let Some(found) = found {
            let handle = handle::insert(found)?;
            // SAFETY: the caller vouches for the place.
            unsafe { put(diagnostics, handle, "diagnostics")? };
        }
    }
    let handle = handle::insert(ModuleObject { module: made? })?;
    // SAFETY: the caller vouches for the place.
    unsafe { put(module, handle, "module") }
}

/// Sets the places for results to NULL.
///
/// # Safety
/// Both places are NULL or may be written.
unsafe fn start(
    module: *mut *mut ufc_module,
    diagnostics: *mut *mut ufc_diagnostics,
) -> Result<(), Failure> {
    if !diagnostics.is_null() {
        // SAFETY: the caller vouches for the place.
        unsafe { put(diagnostics, null_mut(), "diagnostics")? };
    }
    // SAFETY: the caller vouches for the place.
    unsafe { put(module, null_mut(), "module") }
}

/// Checks a kernel text of so many bytes, or `UFC_NUL_TERMINATED`, and gives a module. `options` may be NULL.
///
/// If `diagnostics` is not NULL, it gets what was found: all mistakes if the status is UFC_ERROR_SOURCE, warnings (or
/// none) if it is UFC_OK, else NULL. The caller frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_module_from_source(
    source: *const c_char,
    length: usize,
    options: *const ufc_compile_options,
    module: *mut *mut ufc_module,
    diagnostics: *mut *mut ufc_diagnostics,
) -> ufc_status {
    entry(|| {
        // SAFETY: the caller vouches for the places.
        unsafe { start(module, diagnostics)? };
        // SAFETY: the caller vouches for the text.
        let source = unsafe { text(source, length, "source")? };
        // SAFETY: the caller vouches for the struct.
        let options = unsafe { read_optional(options, "options")? };
        let (name, flags) = match &options {
            // SAFETY: the caller vouches for the text.
            Some(options) => (
                unsafe { optional_text(options.name, "name")? },
                options.flags,
            ),
            None => (None, 0),
        };
        if flags & !UFC_COMPILE_EXPRESSION != 0 || options.is_some_and(|o| o.reserved != 0) {
            let message = "`flags` of `options` has bits that mean nothing, or `reserved` is not 0";
            return Err(Failure::argument(message));
        }
        let made = match flags & UFC_COMPILE_EXPRESSION {
            0 => Module::from_source(name.unwrap_or("<source>"), source),
            _ => Module::from_expr(source),
        };
        // SAFETY: the caller vouches for the places.
        unsafe { finish(made, module, diagnostics) }
    })
}

/// As `ufc_module_from_source`, from a file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_module_from_file(
    path: *const c_char,
    module: *mut *mut ufc_module,
    diagnostics: *mut *mut ufc_diagnostics,
) -> ufc_status {
    entry(|| {
        // SAFETY: the caller vouches for the places.
        unsafe { start(module, diagnostics)? };
        // SAFETY: the caller vouches for the text.
        let path = unsafe { text(path, UFC_NUL_TERMINATED, "path")? };
        // SAFETY: the caller vouches for the places.
        unsafe { finish(Module::from_file(path), module, diagnostics) }
    })
}

/// A module of one kernel from the bytes of its IR, made by `ufc_module_to_ir` or by ufc's Rust interface. Nothing is
/// parsed, everything is verified. UFC_ERROR_BYTES if they are damaged or of another version of ufc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_module_from_ir(
    bytes: *const c_void,
    size: usize,
    module: *mut *mut ufc_module,
) -> ufc_status {
    entry(|| {
        // SAFETY: the caller vouches for the places.
        unsafe { start(module, null_mut())? };
        // SAFETY: the caller vouches for the bytes.
        let bytes = unsafe { list(bytes.cast::<u8>(), size, "bytes")? };
        // SAFETY: the caller vouches for the places.
        unsafe { finish(Module::from_ir_bytes(bytes), module, null_mut()) }
    })
}

/// The IR of a kernel (NULL for the only one) as bytes, for `choices` choices of its type parameters: `dtypes` has a
/// `ufc_dtype` for each parameter of the first choice, then of the next. A kernel without type parameters has one
/// choice and no dtypes. The caller frees the result; `ufc_text_get` gives the bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_module_to_ir(
    module: *const ufc_module,
    kernel: *const c_char,
    dtypes: *const i32,
    choices: usize,
    result: *mut *mut ufc_text,
) -> ufc_status {
    entry(|| {
        // SAFETY: the caller vouches for the place.
        unsafe { put(result, null_mut(), "result")? };
        let module = handle::get::<ModuleObject>(module, "module")?;
        // SAFETY: the caller vouches for the text.
        let ufunc = match unsafe { optional_text(kernel, "kernel")? } {
            Some(name) => module.module.ufunc(name)?,
            None => module.module.only()?,
        };
        let each = ufunc.bounds().len();
        let count = choices.saturating_mul(each);
        // SAFETY: the caller vouches for the list.
        let codes = unsafe { list(dtypes, count, "dtypes")? };
        let dtypes = codes.iter().map(|code| dtype_of(*code));
        let dtypes = dtypes.collect::<Result<Vec<_>, _>>()?;
        let choices: Vec<Vec<DType>> = match each {
            0 => vec![Vec::new(); choices.min(1)],
            _ => dtypes.chunks_exact(each).map(<[DType]>::to_vec).collect(),
        };
        let bytes = module.module.to_ir_bytes(ufunc.name(), &choices)?;
        let handle = handle::insert(TextObject::of_bytes(bytes))?;
        // SAFETY: the caller vouches for the place.
        unsafe { put(result, handle, "result") }
    })
}

/// How many kernels a module has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_module_kernel_count(
    module: *const ufc_module,
    count: *mut usize,
) -> ufc_status {
    entry(|| {
        let module = handle::get::<ModuleObject>(module, "module")?;
        // SAFETY: the caller vouches for the place.
        unsafe { put(count, module.module.kernels().len(), "count") }
    })
}

/// The kernel of this name as a ufunc; NULL for the only one. The caller frees it, before or after the module. Two ufuncs
/// of one kernel share nothing: each compiles its own loops.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_module_ufunc(
    module: *const ufc_module,
    name: *const c_char,
    ufunc: *mut *mut ufc_ufunc,
) -> ufc_status {
    entry(|| {
        // SAFETY: the caller vouches for the place.
        unsafe { put(ufunc, null_mut(), "ufunc")? };
        let module = handle::get::<ModuleObject>(module, "module")?;
        // SAFETY: the caller vouches for the text.
        let found = match unsafe { optional_text(name, "name")? } {
            Some(name) => module.module.ufunc(name)?,
            None => module.module.only()?,
        };
        let handle = handle::insert(UfuncObject::new(found))?;
        // SAFETY: the caller vouches for the place.
        unsafe { put(ufunc, handle, "ufunc") }
    })
}

/// The kernel of this number, from 0, as a ufunc. The caller frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_module_ufunc_at(
    module: *const ufc_module,
    index: usize,
    ufunc: *mut *mut ufc_ufunc,
) -> ufc_status {
    entry(|| {
        // SAFETY: the caller vouches for the place.
        unsafe { put(ufunc, null_mut(), "ufunc")? };
        let module = handle::get::<ModuleObject>(module, "module")?;
        let all = module.module.ufuncs();
        let count = all.len();
        let no_such = || {
            Failure::new(
                ufc_status::UFC_ERROR_NO_KERNEL,
                format!("there is no kernel {index}: the module has {count}"),
            )
        };
        let found = all.into_iter().nth(index).ok_or_else(no_such)?;
        let handle = handle::insert(UfuncObject::new(found))?;
        // SAFETY: the caller vouches for the place.
        unsafe { put(ufunc, handle, "ufunc") }
    })
}

/// Frees a module. Its ufuncs stay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_module_free(module: *mut ufc_module) -> ufc_status {
    entry(|| handle::free::<ModuleObject>(module, "module"))
}
