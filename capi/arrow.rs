//! The Arrow C data interface: kernels called on primitive arrays, where a null gives a null.
//!
//! The layouts are those of <https://arrow.apache.org/docs/format/CDataInterface.html>. Kernels are pure, so what stands
//! under a null may be computed like all else; whether a result is null is known from the inputs alone.
#![expect(
    unsafe_code,
    reason = "Arrow's arrays are memory that their makers vouch for"
)]

use std::ffi::{CStr, c_char, c_void};
use std::ptr::{null, null_mut};

use smallvec::SmallVec;
use ufc::DType;
use ufc::array::{Array, Operand, View};

use crate::abi::{UFC_NUL_TERMINATED, check_place, list, text};
use crate::error::{Failure, ufc_status};
use crate::handle::{self, ufc_ufunc};
use crate::panic::entry;
use crate::ufunc::{CallWith, UfuncObject, ufc_call_options};

/// The type of an array.
#[repr(C)]
pub struct ArrowSchema {
    format: *const c_char,
    name: *const c_char,
    metadata: *const c_char,
    flags: i64,
    n_children: i64,
    children: *mut *mut ArrowSchema,
    dictionary: *mut ArrowSchema,
    release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    private_data: *mut c_void,
}

/// The elements of an array.
#[repr(C)]
pub struct ArrowArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut ArrowArray,
    dictionary: *mut ArrowArray,
    release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    private_data: *mut c_void,
}

/// A schema's flag: there may be nulls.
const NULLABLE: i64 = 2;

/// Arrow's words for the dtypes it has.
const FORMATS: &[(DType, &CStr)] = &[
    (DType::Bool, c"b"),
    (DType::I8, c"c"),
    (DType::I16, c"s"),
    (DType::I32, c"i"),
    (DType::I64, c"l"),
    (DType::U8, c"C"),
    (DType::U16, c"S"),
    (DType::U32, c"I"),
    (DType::U64, c"L"),
    (DType::F16, c"e"),
    (DType::F32, c"f"),
    (DType::F64, c"g"),
];

fn unsupported(message: String) -> Failure {
    Failure::new(ufc_status::UFC_ERROR_UNSUPPORTED, message)
}

/// An array of the caller's, checked.
#[derive(Clone, Copy)]
struct Input {
    dtype: DType,
    len: usize,
    offset: usize,
    /// A bit for each element, from `offset` on, which is set unless it is null; NULL if there are no nulls.
    validity: *const u8,
    /// Elements, from `offset` on; bools are bits.
    values: *const u8,
}

impl Input {
    /// # Safety
    /// Both pointers are NULL or point to an array and its schema as Arrow defines them.
    unsafe fn new(
        array: *const ArrowArray,
        schema: *const ArrowSchema,
        name: &str,
    ) -> Result<Input, Failure> {
        if array.is_null() || schema.is_null() {
            return Err(Failure::null(&format!("input {name}")));
        }
        // SAFETY: the caller vouches for both.
        let (array, schema) = unsafe { (&*array, &*schema) };
        if array.release.is_none() || schema.release.is_none() {
            let message = format!("input `{name}` was released before");
            return Err(Failure::argument(message));
        }
        // SAFETY: the caller vouches for the schema.
        let format = unsafe { text(schema.format, UFC_NUL_TERMINATED, "format")? };
        let row = FORMATS.iter().find(|row| row.1.to_str() == Ok(format));
        let is_plain =
            schema.dictionary.is_null() && schema.n_children == 0 && array.n_children == 0;
        let (Some((dtype, _)), true) = (row, is_plain && array.n_buffers == 2) else {
            let known: Vec<&str> = FORMATS
                .iter()
                .filter_map(|row| row.1.to_str().ok())
                .collect();
            return Err(unsupported(format!(
                "input `{name}` has Arrow's type `{format}`: kernels take arrays of one of {}, without a dictionary",
                known.join(" ")
            )));
        };
        let bad_length = || {
            let message =
                format!("input `{name}` has a length, offset or null count that no array can have");
            Failure::new(ufc_status::UFC_ERROR_SHAPE, message)
        };
        let len = usize::try_from(array.length).map_err(|_| bad_length())?;
        let offset = usize::try_from(array.offset).map_err(|_| bad_length())?;
        let bytes = len
            .checked_add(offset)
            .and_then(|n| n.checked_mul(dtype.size()));
        let is_countable = bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok());
        // Producers that cut arrays leave the count as it was: it may be too large, and only tells whether to look.
        if !is_countable || array.null_count < -1 {
            return Err(bad_length());
        }
        // SAFETY: the caller vouches for two buffers.
        let buffers = unsafe { list(array.buffers.cast_const(), 2, "buffers")? };
        let (validity, values) = (buffers[0].cast::<u8>(), buffers[1].cast::<u8>());
        if values.is_null() && len > 0 || validity.is_null() && array.null_count > 0 {
            return Err(Failure::null(&format!("buffers` of input `{name}")));
        }
        Ok(Input {
            dtype: *dtype,
            len,
            offset,
            validity: if array.null_count == 0 {
                null()
            } else {
                validity
            },
            values,
        })
    }

    /// Bits of a bitmap from the offset on, as many as there are elements.
    ///
    /// # Safety
    /// The bitmap has so many.
    unsafe fn bits(&self, bitmap: *const u8) -> Bits<'_> {
        let first = self.offset / 8;
        let bytes = (self.offset + self.len).div_ceil(8) - first;
        let bytes = match self.len {
            0 => &[][..],
            // SAFETY: these bytes have bits that the caller vouches for.
            _ => unsafe { std::slice::from_raw_parts(bitmap.wrapping_add(first), bytes) },
        };
        Bits {
            bytes,
            shift: self.offset % 8,
        }
    }
}

/// Bits that start within a byte.
#[derive(Clone, Copy)]
struct Bits<'a> {
    bytes: &'a [u8],
    shift: usize,
}

impl Bits<'_> {
    fn get(self, index: usize) -> bool {
        let at = index + self.shift;
        self.bytes[at / 8] >> (at % 8) & 1 == 1
    }

    /// Eight bits from bit `8 * index` on; those past the end are anything.
    fn byte(self, index: usize) -> u8 {
        let low = u16::from(self.bytes[index]);
        let high = u16::from(self.bytes.get(index + 1).copied().unwrap_or(0));
        ((low | high << 8) >> self.shift) as u8
    }
}

/// Bools, each in a byte, of bits.
fn unpack(bits: Bits<'_>, len: usize) -> Result<Array, Failure> {
    let mut array = Array::zeros(DType::Bool, &[len])?;
    for (i, byte) in array.as_mut_slice::<bool>()?.iter_mut().enumerate() {
        *byte = bits.get(i);
    }
    Ok(array)
}

/// Bits of bools.
fn pack(bools: &[bool]) -> Result<Array, Failure> {
    let mut array = Array::zeros(DType::U8, &[bools.len().div_ceil(8)])?;
    for (byte, bools) in array.as_mut_slice::<u8>()?.iter_mut().zip(bools.chunks(8)) {
        for (i, is_set) in bools.iter().enumerate() {
            *byte |= u8::from(*is_set) << i;
        }
    }
    Ok(array)
}

/// Which results are not null, as bits, and how many are; no bits if none is.
///
/// # Safety
/// The inputs' bitmaps may be read.
unsafe fn validity(inputs: &[Input], len: usize) -> Result<(Option<Array>, usize), Failure> {
    if inputs.iter().all(|input| input.validity.is_null()) || len == 0 {
        return Ok((None, 0));
    }
    let mut array = Array::zeros(DType::U8, &[len.div_ceil(8)])?;
    let bytes = array.as_mut_slice::<u8>()?;
    bytes.fill(0xff);
    if !len.is_multiple_of(8)
        && let Some(last) = bytes.last_mut()
    {
        *last = (1 << (len % 8)) - 1;
    }
    for input in inputs.iter().filter(|input| !input.validity.is_null()) {
        // SAFETY: the caller vouches for the bitmap.
        let bits = unsafe { input.bits(input.validity) };
        if input.len == len {
            let both = bytes.iter_mut().enumerate();
            both.for_each(|(i, byte)| *byte &= bits.byte(i));
        } else if !bits.get(0) {
            bytes.fill(0);
        }
    }
    let valid: usize = bytes.iter().map(|byte| byte.count_ones() as usize).sum();
    Ok(((valid < len).then_some(array), len - valid))
}

/// What a result keeps until it is released.
struct Memory {
    _values: Array,
    _validity: Option<Array>,
    buffers: [*const c_void; 2],
}

/// A result as Arrow has it.
fn result(
    mut values: Array,
    mut validity: Option<Array>,
    nulls: usize,
) -> Result<(ArrowArray, ArrowSchema), Failure> {
    let dtype = values.dtype();
    let len = values.len();
    let Some((_, format)) = FORMATS.iter().find(|row| row.0 == dtype) else {
        return Err(unsupported(format!(
            "Arrow has no type for the result's dtype, {dtype}"
        )));
    };
    if dtype == DType::Bool {
        values = pack(values.as_slice::<bool>()?)?;
    }
    let buffers = [
        validity
            .as_mut()
            .map_or(null(), |bits| bits.as_mut_ptr().cast_const().cast()),
        values.as_mut_ptr().cast_const().cast(),
    ];
    let memory = Box::into_raw(Box::new(Memory {
        _values: values,
        _validity: validity,
        buffers,
    }));
    let array = ArrowArray {
        length: len as i64,
        null_count: nulls as i64,
        offset: 0,
        n_buffers: 2,
        n_children: 0,
        // SAFETY: it was just made.
        buffers: unsafe { (&raw mut (*memory).buffers).cast() },
        children: null_mut(),
        dictionary: null_mut(),
        release: Some(release_array),
        private_data: memory.cast(),
    };
    let schema = ArrowSchema {
        format: format.as_ptr(),
        name: c"".as_ptr(),
        metadata: null(),
        flags: NULLABLE,
        n_children: 0,
        children: null_mut(),
        dictionary: null_mut(),
        release: Some(release_schema),
        private_data: null_mut(),
    };
    Ok((array, schema))
}

unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    let done = entry(|| {
        // SAFETY: consumers release an array of ours, wherever they moved it, once, which the mark notes.
        unsafe {
            if let Some(array) = array.as_mut()
                && array.release.take().is_some()
            {
                drop(Box::from_raw(array.private_data.cast::<Memory>()));
            }
        }
        Ok(())
    });
    debug_assert_eq!(done, ufc_status::UFC_OK);
}

unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: as above; nothing in it was allocated.
    if let Some(schema) = unsafe { schema.as_mut() } {
        schema.release = None;
    }
}

/// Calls a ufunc on `nin` primitive arrays of Arrow (no dictionaries; bools are bits). All have one length, or length 1,
/// which is repeated. A result is null where any input is.
///
/// Inputs are used during the call only, and not released. `results` has room for `nout` arrays, `result_schemas` for as
/// many schemas unless it is NULL; both are the caller's to release. If the call fails, their `release` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_call_arrow(
    ufunc: *const ufc_ufunc,
    inputs: *const *const ArrowArray,
    schemas: *const *const ArrowSchema,
    nin: usize,
    results: *mut ArrowArray,
    result_schemas: *mut ArrowSchema,
    nout: usize,
    options: *const ufc_call_options,
) -> ufc_status {
    entry(|| {
        let ufunc = handle::get::<UfuncObject>(ufunc, "ufunc")?;
        ufunc.check_count("inputs", nin, ufunc.ufunc.nin())?;
        ufunc.check_count("outputs", nout, ufunc.ufunc.nout())?;
        check_place(results, "results")?;
        for number in 0..nout {
            // SAFETY: the caller vouches for `nout` places in each list.
            unsafe {
                (&raw mut (*results.wrapping_add(number)).release).write(None);
                if !result_schemas.is_null() {
                    (&raw mut (*result_schemas.wrapping_add(number)).release).write(None);
                }
            }
        }
        // SAFETY: the caller vouches for what it passes, and waits for us.
        let with = unsafe { CallWith::read(options)? };
        // SAFETY: as above.
        let pairs = unsafe { (list(inputs, nin, "inputs")?, list(schemas, nin, "schemas")?) };
        // SAFETY: as above.
        let done = unsafe { run(&ufunc, pairs, &with)? };
        for (number, (array, schema)) in done.into_iter().enumerate() {
            // SAFETY: the caller vouches for `nout` places in each list.
            unsafe {
                results.wrapping_add(number).write(array);
                if !result_schemas.is_null() {
                    result_schemas.wrapping_add(number).write(schema);
                }
            }
        }
        Ok(())
    })
}

/// # Safety
/// The lists have pointers to arrays and schemas as Arrow defines them, or NULL.
unsafe fn run(
    ufunc: &UfuncObject,
    (arrays, schemas): (&[*const ArrowArray], &[*const ArrowSchema]),
    with: &CallWith,
) -> Result<Vec<(ArrowArray, ArrowSchema)>, Failure> {
    let names = ufunc.ufunc.param_names();
    let mut inputs = SmallVec::<[Input; 4]>::new();
    for ((array, schema), name) in arrays.iter().zip(schemas).zip(names) {
        // SAFETY: the caller vouches for both.
        inputs.push(unsafe { Input::new(*array, *schema, name)? });
    }
    let mut unpacked = Vec::new();
    for input in inputs.iter().filter(|input| input.dtype == DType::Bool) {
        // SAFETY: the caller vouches for the elements.
        unpacked.push(unpack(unsafe { input.bits(input.values) }, input.len)?);
    }
    let mut bools = unpacked.iter();
    let mut operands = SmallVec::<[Operand<'_>; 4]>::new();
    for input in &inputs {
        let size = input.dtype.size();
        operands.push(Operand::View(match input.dtype {
            DType::Bool => bools
                .next()
                .map_or(View::from_slice::<bool>(&[]), Array::view),
            dtype => {
                let first = input.values.wrapping_add(input.offset * size).cast_mut();
                // SAFETY: the caller vouches for the elements, whose size in bytes was counted.
                unsafe { View::from_raw(first, dtype, &[input.len], &[size as isize], false) }
            }
        }));
    }
    let values = ufunc.ufunc.with(with.options(false)).call_all(operands)?;
    let mut done = Vec::new();
    for values in values {
        // SAFETY: the caller vouches for the bitmaps.
        let (bits, nulls) = unsafe { validity(&inputs, values.len())? };
        match result(values, bits, nulls) {
            Ok(made) => done.push(made),
            Err(failure) => {
                for (mut array, _) in done {
                    // SAFETY: it is ours, and nobody has it.
                    unsafe { release_array(&mut array) };
                }
                return Err(failure);
            }
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bitmaps that start anywhere in a byte, against bits taken one by one.
    #[test]
    fn bits_at_every_offset() {
        let bytes: Vec<u8> = (0..9u8).map(|i| i.wrapping_mul(73) ^ 0x5a).collect();
        for offset in 0..20 {
            for len in 0..(72 - offset) {
                let input = |validity| Input {
                    dtype: DType::Bool,
                    len,
                    offset,
                    validity,
                    values: bytes.as_ptr(),
                };
                let bit = |i: usize| bytes[(offset + i) / 8] >> ((offset + i) % 8) & 1 == 1;
                let expected: Vec<bool> = (0..len).map(bit).collect();
                let both = [input(bytes.as_ptr()), input(null())];
                // SAFETY: the bytes have more bits than are asked for.
                let (bools, valid) = unsafe {
                    (
                        unpack(both[0].bits(bytes.as_ptr()), len),
                        validity(&both, len),
                    )
                };
                let bools = bools.expect("there is memory");
                assert_eq!(bools.as_slice::<bool>().expect("bools"), expected);
                let (bits, nulls) = valid.expect("there is memory");
                assert_eq!(
                    nulls,
                    expected.iter().filter(|is_valid| !**is_valid).count()
                );
                let packed = pack(&expected).expect("there is memory");
                assert_eq!(bits.is_some(), nulls > 0);
                if let Some(bits) = bits {
                    assert_eq!(bits.as_bytes(), packed.as_bytes(), "{offset} {len}");
                }
            }
        }
    }

    #[test]
    fn the_layouts_are_arrows() {
        assert_eq!(size_of::<ArrowSchema>(), 72);
        assert_eq!(size_of::<ArrowArray>(), 80);
    }
}
