//! Ufuncs: what they are, and calls of them on arrays.
#![expect(unsafe_code, reason = "entries take what callers pass")]

use std::ffi::{CString, c_char};
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;
use ufc::array::cast::ParamType;
use ufc::array::{Casting, DeviceArray, Operand, Output};
use ufc::fpenv::DefaultEnv;
use ufc::{Call, CallOptions, DType, Plain, Target, Ufunc};

use crate::abi::{
    Sizable, check_place, each_struct, optional_text, put, read_optional, write_struct,
};
use crate::array::{ArrayObject, Kept, code_of, input, output, output_on_device, plain, ufc_view};
use crate::error::{Failure, c_string, ufc_status};
use crate::handle::{self, Used, ufc_array, ufc_cancel, ufc_text, ufc_ufunc};
use crate::panic::{entry, guarded};
use crate::text::TextObject;

/// Which conversions of operands a call may do by itself, as in NumPy.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ufc_casting {
    /// `UFC_CASTING_SAME_KIND`.
    UFC_CASTING_DEFAULT = 0,
    /// None, not even of the byte order.
    UFC_CASTING_NO = 1,
    /// Byte order only.
    UFC_CASTING_EQUIV = 2,
    /// Those that keep every value.
    UFC_CASTING_SAFE = 3,
    /// Safe ones and those within a kind, such as f64 to f32.
    UFC_CASTING_SAME_KIND = 4,
    /// All.
    UFC_CASTING_UNSAFE = 5,
}

/// The results of `ufc_call_new` stay in the memory of the device that computes them.
pub const UFC_CALL_ON_DEVICE: u32 = 1;
/// Nothing that is compiled for this call is kept in the cache folder for other processes.
pub const UFC_CALL_NO_CACHE: u32 = 2;

/// How a call is to run. All zeros, apart from the size, is a good choice.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ufc_call_options {
    /// `sizeof(ufc_call_options)`.
    pub struct_size: usize,
    /// Where to run: "auto", "cpu", "gpu", "cuda", "wgpu", "interp", or with a device as "cpu:avx2". NULL for "auto",
    /// where the environment variable UFC_TARGET decides if it is set.
    pub target: *const c_char,
    /// At most so many threads; 0 for UFC_NUM_THREADS, or all that there are.
    pub threads: usize,
    /// NULL, or what `ufc_cancel_set` stops the call with.
    pub cancel: *const ufc_cancel,
    /// A `ufc_casting`.
    pub casting: i32,
    /// `UFC_CALL_` bits, or 0.
    pub flags: u32,
}

// SAFETY: the fields follow one another without padding, and may have any bytes.
unsafe impl Sizable for ufc_call_options {
    const NAME: &'static str = "ufc_call_options";
}

/// A way to stop calls from another thread.
pub(crate) struct CancelObject {
    is_set: AtomicBool,
}

/// The options of a call.
pub(crate) struct CallWith {
    target: Target,
    threads: Option<usize>,
    casting: Casting,
    cancel: Option<Used<CancelObject>>,
    on_device: bool,
    cache: bool,
}

impl CallWith {
    /// Reads options; NULL stands for all zeros.
    ///
    /// # Safety
    /// The pointer is NULL or points to a struct of the size that it says, with texts that end.
    pub(crate) unsafe fn read(options: *const ufc_call_options) -> Result<CallWith, Failure> {
        // SAFETY: the caller vouches for the struct.
        let Some(options) = (unsafe { read_optional(options, "options")? }) else {
            return Ok(CallWith {
                target: Target::AUTO,
                threads: None,
                casting: Casting::default(),
                cancel: None,
                on_device: false,
                cache: true,
            });
        };
        if options.flags & !(UFC_CALL_ON_DEVICE | UFC_CALL_NO_CACHE) != 0 {
            let message = "`flags` of `options` has bits that mean nothing";
            return Err(Failure::argument(message));
        }
        // SAFETY: the caller vouches for the text.
        let target = match unsafe { optional_text(options.target, "target")? } {
            None => Target::AUTO,
            Some(word) => word.parse().map_err(ufc::Error::Target)?,
        };
        let casting = match options.casting {
            0 => Casting::default(),
            other => {
                let number = usize::try_from(other - 1).unwrap_or(usize::MAX);
                let row = Casting::ALL.get(number);
                let unknown = || Failure::argument(format!("{other} is not a `ufc_casting`"));
                row.ok_or_else(unknown)?.0
            }
        };
        Ok(CallWith {
            target,
            threads: Some(options.threads).filter(|threads| *threads > 0),
            casting,
            on_device: options.flags & UFC_CALL_ON_DEVICE != 0,
            cache: options.flags & UFC_CALL_NO_CACHE == 0,
            cancel: match options.cancel.is_null() {
                true => None,
                false => Some(handle::get(options.cancel, "cancel")?),
            },
        })
    }

    /// The options; where nothing was said about the target, this machine's processor if `on_cpu`.
    pub(crate) fn options(&self, on_cpu: bool) -> CallOptions<'_> {
        CallOptions {
            target: match on_cpu && self.target.is_auto() {
                true => Target::CPU,
                false => self.target.clone(),
            },
            threads: self.threads,
            casting: self.casting,
            cache: self.cache,
            cancel: self.cancel.as_ref().map(|cancel| &cancel.is_set),
            ..CallOptions::default()
        }
    }
}

/// What a ufunc is. Texts are valid until the ufunc is freed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ufc_ufunc_info {
    /// `sizeof(ufc_ufunc_info)`.
    pub struct_size: usize,
    /// The kernel's name.
    pub name: *const c_char,
    /// Its documentation comment; may be empty.
    pub doc: *const c_char,
    /// Its head, such as "mandelbrot(re: f32, im: f32, iters: u32) -> u8".
    pub signature: *const c_char,
    /// How many inputs it takes.
    pub nin: usize,
    /// How many outputs it has.
    pub nout: usize,
}

// SAFETY: the fields follow one another without padding.
unsafe impl Sizable for ufc_ufunc_info {
    const NAME: &'static str = "ufc_ufunc_info";
}

/// What an input of a ufunc is. Valid until the ufunc is freed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ufc_param_info {
    /// `sizeof(ufc_param_info)`.
    pub struct_size: usize,
    /// Its name.
    pub name: *const c_char,
    /// Each `ufc_dtype` that it may have.
    pub dtypes: *const i32,
    /// How many these are.
    pub dtype_count: usize,
    /// Inputs with the same number here have the same dtype; -1 if it has one dtype only.
    pub generic: i32,
    /// Always 0.
    pub reserved: u32,
}

// SAFETY: the fields follow one another without padding.
unsafe impl Sizable for ufc_param_info {
    const NAME: &'static str = "ufc_param_info";
}

struct Param {
    name: CString,
    dtypes: Vec<i32>,
    generic: i32,
}

/// A ufunc.
pub(crate) struct UfuncObject {
    pub(crate) ufunc: Ufunc,
    name: CString,
    doc: CString,
    signature: CString,
    params: Vec<Param>,
}

impl UfuncObject {
    pub(crate) fn new(ufunc: Ufunc) -> UfuncObject {
        let params = ufunc.param_names().iter().zip(ufunc.params());
        let params = params.map(|(name, ty)| {
            let (dtypes, generic) = match ty {
                ParamType::Exact(dtype) => (vec![code_of(*dtype)], -1),
                ParamType::Generic(number) => {
                    let bound = ufunc.bounds()[*number];
                    let dtypes = DType::ALL.iter().filter(|dtype| bound.contains(**dtype));
                    (
                        dtypes.map(|dtype| code_of(*dtype)).collect(),
                        *number as i32,
                    )
                }
            };
            Param {
                name: c_string(&**name),
                dtypes,
                generic,
            }
        });
        UfuncObject {
            name: c_string(ufunc.name()),
            doc: c_string(ufunc.doc()),
            signature: c_string(ufunc.signature()),
            params: params.collect(),
            ufunc,
        }
    }

    /// Checks how many operands a call has, before they are looked at.
    pub(crate) fn check_count(&self, what: &str, have: usize, want: usize) -> Result<(), Failure> {
        if have == want {
            return Ok(());
        }
        let name = self.ufunc.name();
        let message = format!("kernel `{name}` has {want} {what}, but {have} were given");
        Err(Failure::new(ufc_status::UFC_ERROR_COUNT, message))
    }

    /// Calls the kernel by the short way, if there is one for these operands; says whether it did.
    ///
    /// # Safety
    /// Both lists have as many views as the counts say, whose elements may be used until this returns.
    unsafe fn call_plain(
        &self,
        (inputs, nin): (*const ufc_view, usize),
        (outputs, nout): (*const ufc_view, usize),
        call: &Call<'_, '_>,
    ) -> Result<bool, Failure> {
        const MOST: usize = 8;
        let are_lists =
            !inputs.is_null() && inputs.is_aligned() && !outputs.is_null() && outputs.is_aligned();
        let is_counted = nin == self.ufunc.nin() && nout == self.ufunc.nout();
        if !are_lists || !is_counted || nin + nout > MOST {
            return Ok(false);
        }
        let mut operands = [const { MaybeUninit::<Plain>::uninit() }; MOST];
        for (i, operand) in operands.iter_mut().enumerate().take(nin + nout) {
            let view = match i < nin {
                true => inputs.wrapping_add(i),
                false => outputs.wrapping_add(i - nin),
            };
            // SAFETY: each view before was of this size, so this one is where it should be; a view begins with its size, which
            // the caller vouches for.
            let found = unsafe {
                if view.cast::<usize>().read() != size_of::<ufc_view>() {
                    return Ok(false);
                }
                plain(&*view, i >= nin)
            };
            let Some(found) = found else {
                return Ok(false);
            };
            operand.write(found);
        }
        // SAFETY: so many were written, and the caller vouches for their elements.
        unsafe {
            let operands =
                std::slice::from_raw_parts(operands.as_ptr().cast::<Plain>(), nin + nout);
            Ok(call.call_plain(&operands[..nin], &operands[nin..])?)
        }
    }

    /// # Safety
    /// The list has `count` views, whose lists and elements may be read until the operands are dropped.
    unsafe fn inputs<'a>(
        &self,
        views: *const ufc_view,
        count: usize,
        kept: &mut Kept,
    ) -> Result<SmallVec<[Operand<'a>; 4]>, Failure> {
        self.check_count("inputs", count, self.ufunc.nin())?;
        let mut operands = SmallVec::new();
        let each = |number: usize, view: ufc_view| {
            let name = || format!("input `{}`", self.ufunc.param_names()[number]);
            // SAFETY: the caller vouches for the view.
            operands.push(unsafe { input(view, &name, kept)? });
            Ok(())
        };
        // SAFETY: the caller vouches for the list.
        unsafe { each_struct(views, count, "inputs", each)? };
        Ok(operands)
    }

    /// The outputs if they are all on a device; none if none is.
    ///
    /// # Safety
    /// The list has `count` views.
    unsafe fn outputs_on_device(
        &self,
        views: *const ufc_view,
        count: usize,
    ) -> Result<Option<Vec<DeviceArray>>, Failure> {
        self.check_count("outputs", count, self.ufunc.nout())?;
        let mut found = Vec::new();
        let each = |number: usize, view: ufc_view| {
            found.extend(output_on_device(&view, &|| format!("output {number}"))?);
            Ok(())
        };
        // SAFETY: the caller vouches for the list.
        unsafe { each_struct(views, count, "outputs", each)? };
        match found.len() {
            0 => Ok(None),
            n if n == count => Ok(Some(found)),
            n => {
                let message =
                    format!("{n} of {count} outputs are on a device: all have to be, or none");
                Err(Failure::argument(message))
            }
        }
    }

    /// # Safety
    /// The list has `count` views, whose lists may be read and whose elements may be written until the outputs are dropped.
    unsafe fn outputs<'a>(
        &self,
        views: *const ufc_view,
        count: usize,
        kept: &mut Kept,
    ) -> Result<SmallVec<[Output<'a>; 2]>, Failure> {
        self.check_count("outputs", count, self.ufunc.nout())?;
        let mut outputs = SmallVec::new();
        let each = |number: usize, view: ufc_view| {
            let name = || format!("output {number}");
            // SAFETY: the caller vouches for the view.
            outputs.push(unsafe { output(view, &name, kept)? });
            Ok(())
        };
        // SAFETY: the caller vouches for the list.
        unsafe { each_struct(views, count, "outputs", each)? };
        Ok(outputs)
    }
}

/// What a ufunc is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_ufunc_get(
    ufunc: *const ufc_ufunc,
    info: *mut ufc_ufunc_info,
) -> ufc_status {
    entry(|| {
        let ufunc = handle::get::<UfuncObject>(ufunc, "ufunc")?;
        let value = ufc_ufunc_info {
            struct_size: 0,
            name: ufunc.name.as_ptr(),
            doc: ufunc.doc.as_ptr(),
            signature: ufunc.signature.as_ptr(),
            nin: ufunc.ufunc.nin(),
            nout: ufunc.ufunc.nout(),
        };
        // SAFETY: the caller vouches for the struct.
        unsafe { write_struct(info, &value, "info") }
    })
}

/// What the input of this number, from 0, is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_ufunc_param(
    ufunc: *const ufc_ufunc,
    index: usize,
    info: *mut ufc_param_info,
) -> ufc_status {
    entry(|| {
        let ufunc = handle::get::<UfuncObject>(ufunc, "ufunc")?;
        let no_such = || {
            let count = ufunc.params.len();
            Failure::argument(format!("there is no input {index}: there are {count}"))
        };
        let param = ufunc.params.get(index).ok_or_else(no_such)?;
        let value = ufc_param_info {
            struct_size: 0,
            name: param.name.as_ptr(),
            dtypes: param.dtypes.as_ptr(),
            dtype_count: param.dtypes.len(),
            generic: param.generic,
            reserved: 0,
        };
        // SAFETY: the caller vouches for the struct.
        unsafe { write_struct(info, &value, "info") }
    })
}

/// Calls a ufunc: broadcasts the inputs as NumPy does, converts them to the kernel's dtypes as far as the casting rule
/// allows, and writes the outputs, whose shape is that of the results. `options` may be NULL.
///
/// Inputs and outputs may overlap in any way; outputs must not overlap each other. Arrays on a device may be inputs anywhere, and
/// outputs if all outputs are; the call runs on their device unless a target is named. Where a status other than
/// UFC_OK is about running, outputs may be partly written; else nothing was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_call(
    ufunc: *const ufc_ufunc,
    inputs: *const ufc_view,
    nin: usize,
    outputs: *const ufc_view,
    nout: usize,
    options: *const ufc_call_options,
) -> ufc_status {
    // The short way computes nothing itself, and loops see to the floating-point environment.
    guarded(|| {
        let ufunc = handle::get::<UfuncObject>(ufunc, "ufunc")?;
        // SAFETY: the caller vouches for what it passes, and waits for us.
        let with = unsafe { CallWith::read(options)? };
        let call = ufunc.ufunc.with(with.options(false));
        // SAFETY: as above.
        if unsafe { ufunc.call_plain((inputs, nin), (outputs, nout), &call)? } {
            return Ok(());
        }
        let _env = DefaultEnv::enter();
        let mut kept = Kept::new();
        // SAFETY: as above.
        let operands = unsafe { ufunc.inputs(inputs, nin, &mut kept)? };
        // SAFETY: as above.
        if let Some(mut places) = unsafe { ufunc.outputs_on_device(outputs, nout)? } {
            return Ok(call.call_into_device(operands, &mut places)?);
        }
        // SAFETY: as above.
        let places = unsafe { ufunc.outputs(outputs, nout, &mut kept)? };
        Ok(call.call_into(operands, places)?)
    })
}

/// As `ufc_call`, with the `nout` results in new arrays, which the caller frees. If it fails, they are all NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_call_new(
    ufunc: *const ufc_ufunc,
    inputs: *const ufc_view,
    nin: usize,
    results: *mut *mut ufc_array,
    nout: usize,
    options: *const ufc_call_options,
) -> ufc_status {
    entry(|| {
        let ufunc = handle::get::<UfuncObject>(ufunc, "ufunc")?;
        ufunc.check_count("outputs", nout, ufunc.ufunc.nout())?;
        check_place(results, "results")?;
        for number in 0..nout {
            // SAFETY: the caller vouches for `nout` places.
            unsafe { put(results.wrapping_add(number), null_mut(), "results")? };
        }
        let mut kept = Kept::new();
        // SAFETY: the caller vouches for what it passes, and waits for us.
        let with = unsafe { CallWith::read(options)? };
        // SAFETY: as above.
        let operands = unsafe { ufunc.inputs(inputs, nin, &mut kept)? };
        let call = ufunc.ufunc.with(with.options(false));
        let objects: Vec<ArrayObject> = match with.on_device {
            true => {
                let arrays = call.call_all_on_device(operands)?.into_iter();
                arrays.map(ArrayObject::on_device).collect()
            }
            false => {
                let arrays = call.call_all(operands)?.into_iter();
                arrays.map(ArrayObject::own).collect()
            }
        };
        let mut handles = SmallVec::<[_; 4]>::new();
        for object in objects {
            match handle::insert(object) {
                Ok(handle) => handles.push(handle),
                Err(failure) => {
                    for handle in handles {
                        handle::free::<ArrayObject>(handle, "results")?;
                    }
                    return Err(failure);
                }
            }
        }
        for (number, handle) in handles.into_iter().enumerate() {
            // SAFETY: the caller vouches for `nout` places.
            unsafe { put(results.wrapping_add(number), handle, "results")? };
        }
        Ok(())
    })
}

/// What a call with these inputs would do, and why: target, loop, conversions, threads. The caller frees the text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_explain(
    ufunc: *const ufc_ufunc,
    inputs: *const ufc_view,
    nin: usize,
    options: *const ufc_call_options,
    text: *mut *mut ufc_text,
) -> ufc_status {
    entry(|| {
        // SAFETY: the caller vouches for the place.
        unsafe { put(text, null_mut(), "text")? };
        let ufunc = handle::get::<UfuncObject>(ufunc, "ufunc")?;
        let mut kept = Kept::new();
        // SAFETY: the caller vouches for what it passes, and waits for us.
        let with = unsafe { CallWith::read(options)? };
        // SAFETY: as above.
        let operands = unsafe { ufunc.inputs(inputs, nin, &mut kept)? };
        let plan = ufunc.ufunc.with(with.options(false)).plan(operands)?;
        let handle = handle::insert(TextObject::new(&plan.to_string()))?;
        // SAFETY: the caller vouches for the place.
        unsafe { put(text, handle, "text") }
    })
}

/// Frees a ufunc, and the functions of its loops that no `ufc_loop` keeps.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_ufunc_free(ufunc: *mut ufc_ufunc) -> ufc_status {
    entry(|| handle::free::<UfuncObject>(ufunc, "ufunc"))
}

/// A new way to stop calls from another thread. The caller frees it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_cancel_new(cancel: *mut *mut ufc_cancel) -> ufc_status {
    entry(|| {
        // SAFETY: the caller vouches for the place.
        unsafe { put(cancel, null_mut(), "cancel")? };
        let object = CancelObject {
            is_set: AtomicBool::new(false),
        };
        let handle = handle::insert(object)?;
        // SAFETY: the caller vouches for the place.
        unsafe { put(cancel, handle, "cancel") }
    })
}

/// Stops calls that run with this (`is_set` not 0), or lets further calls run (0). Calls stop soon, between blocks of elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_cancel_set(cancel: *const ufc_cancel, is_set: i32) -> ufc_status {
    entry(|| {
        let cancel = handle::get::<CancelObject>(cancel, "cancel")?;
        cancel.is_set.store(is_set != 0, Ordering::Relaxed);
        Ok(())
    })
}

/// Frees it. Calls that run with it go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_cancel_free(cancel: *mut ufc_cancel) -> ufc_status {
    entry(|| handle::free::<CancelObject>(cancel, "cancel"))
}
