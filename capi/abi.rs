//! What callers pass: structs that begin with their size, texts and lists.
#![expect(
    unsafe_code,
    reason = "callers vouch for the memory that their pointers point to"
)]

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;

use crate::error::{Failure, ufc_status};
use crate::panic::{entry, value_entry};

/// The version of this interface that the header describes. It is raised when a program that was compiled before
/// would not work any more.
pub const UFC_ABI_VERSION: u32 = 1;

/// Given as the length of a text: it ends with a NUL.
pub const UFC_NUL_TERMINATED: usize = usize::MAX;

/// The version of the interface that this library has.
#[unsafe(no_mangle)]
pub extern "C" fn ufc_abi_version() -> u32 {
    UFC_ABI_VERSION
}

/// Whether this library fits a program: call it first, as `ufc_abi_check(UFC_ABI_VERSION)`.
#[unsafe(no_mangle)]
pub extern "C" fn ufc_abi_check(version: u32) -> ufc_status {
    entry(|| match version {
        UFC_ABI_VERSION => Ok(()),
        other => Err(Failure::new(
            ufc_status::UFC_ERROR_ABI,
            format!(
                "the program was compiled for version {other} of the interface, this library has version {UFC_ABI_VERSION}"
            ),
        )),
    })
}

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

/// The version of ufc, such as "0.1.0". Valid for ever.
#[unsafe(no_mangle)]
pub extern "C" fn ufc_version() -> *const c_char {
    value_entry(c"".as_ptr(), || VERSION.as_ptr())
}

/// A struct whose first field is its size, `struct_size`.
///
/// # Safety
/// The struct is `repr(C)`, begins with a `usize`, has no padding, and all its fields may have any bytes.
pub(crate) unsafe trait Sizable: Copy {
    /// Its name in C.
    const NAME: &'static str;
    /// Its size in version 1 of the interface.
    const FIRST: usize = size_of::<Self>();
}

/// No struct of a later version will be as large.
const LARGEST: usize = 4096;

/// The size that a caller gave a struct.
///
/// # Safety
/// The pointer is NULL or points to a `usize`, at any alignment.
unsafe fn size_of_struct<T: Sizable>(at: *const T, what: &str) -> Result<usize, Failure> {
    if at.is_null() {
        return Err(Failure::null(what));
    }
    // SAFETY: it is not NULL.
    let size = unsafe { at.cast::<usize>().read_unaligned() };
    if (T::FIRST..=LARGEST).contains(&size) {
        return Ok(size);
    }
    let message = format!(
        "`struct_size` of `{what}` is {size}: set it to `sizeof({})`, which is {}",
        T::NAME,
        size_of::<T>()
    );
    Err(Failure::new(ufc_status::UFC_ERROR_STRUCT_SIZE, message))
}

/// Reads a struct that the caller filled. One of an earlier version lacks fields, which are then zero; one of a later
/// version may have more, if they are zero. Gives the size, too.
///
/// # Safety
/// The pointer is NULL or points to as many bytes as the `struct_size` there says.
pub(crate) unsafe fn read_struct<T: Sizable>(
    at: *const T,
    what: &str,
) -> Result<(T, usize), Failure> {
    // SAFETY: a struct begins with its size.
    let size = unsafe { size_of_struct(at, what)? };
    if size == size_of::<T>() {
        // SAFETY: the caller vouches for `size` bytes.
        return Ok((unsafe { at.read_unaligned() }, size));
    }
    let known = size.min(size_of::<T>());
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: both have so many bytes, and any bytes make a `T`, zeros as well.
    let value = unsafe {
        std::ptr::copy_nonoverlapping(at.cast::<u8>(), value.as_mut_ptr().cast(), known);
        value.assume_init()
    };
    // SAFETY: the caller vouches for `size` bytes.
    let rest = unsafe { std::slice::from_raw_parts(at.cast::<u8>().add(known), size - known) };
    if rest.iter().any(|byte| *byte != 0) {
        let message = format!(
            "`{what}` sets fields of {} that this version of the library does not know",
            T::NAME
        );
        return Err(Failure::new(ufc_status::UFC_ERROR_STRUCT_SIZE, message));
    }
    Ok((value, size))
}

/// As [`read_struct`], where NULL stands for all zeros.
///
/// # Safety
/// As for [`read_struct`].
pub(crate) unsafe fn read_optional<T: Sizable>(
    at: *const T,
    what: &str,
) -> Result<Option<T>, Failure> {
    if at.is_null() {
        return Ok(None);
    }
    // SAFETY: the same contract.
    unsafe { read_struct(at, what) }.map(|(value, _)| Some(value))
}

/// Fills a struct of the caller's, as much of it as the caller knows. `struct_size` stays; fields that this version
/// does not know become zero.
///
/// # Safety
/// The pointer is NULL or points to as many bytes, for writing, as the `struct_size` there says.
pub(crate) unsafe fn write_struct<T: Sizable>(
    at: *mut T,
    value: &T,
    what: &str,
) -> Result<(), Failure> {
    // SAFETY: a struct begins with its size.
    let size = unsafe { size_of_struct(at, what)? };
    let known = size.min(size_of::<T>());
    let skip = size_of::<usize>();
    // SAFETY: both have so many bytes, and the rest is the caller's, too.
    unsafe {
        let from = std::ptr::from_ref(value).cast::<u8>();
        let to = at.cast::<u8>();
        std::ptr::copy_nonoverlapping(from.add(skip), to.add(skip), known - skip);
        to.add(known).write_bytes(0, size - known);
    }
    Ok(())
}

/// Reads list items one after the other, which are structs of the size that the first one says.
///
/// # Safety
/// The pointer is NULL or points to `count` structs of the size that the first one's `struct_size` says.
pub(crate) unsafe fn each_struct<T: Sizable>(
    list: *const T,
    count: usize,
    what: &str,
    mut f: impl FnMut(usize, T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if count == 0 {
        return Ok(());
    }
    // SAFETY: there is a first one.
    let stride = unsafe { size_of_struct(list, what)? };
    for number in 0..count {
        let at = list.cast::<u8>().wrapping_add(number * stride).cast::<T>();
        // SAFETY: there are `count` of them.
        let (item, size) = unsafe { read_struct(at, what)? };
        if size != stride {
            let message = format!(
                "`struct_size` of `{what}[{number}]` is {size}, but that of `{what}[0]` is {stride}"
            );
            return Err(Failure::new(ufc_status::UFC_ERROR_STRUCT_SIZE, message));
        }
        f(number, item)?;
    }
    Ok(())
}

/// A list of plain values.
///
/// # Safety
/// The pointer is NULL or points to `count` values, which stay as they are while the slice is used.
pub(crate) unsafe fn list<'a, T: Copy>(
    at: *const T,
    count: usize,
    what: &str,
) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    if at.is_null() {
        return Err(Failure::null(what));
    }
    if !at.is_aligned() || count > isize::MAX as usize / size_of::<T>() {
        let message =
            format!("`{what}` is not a list of {count} values: it is not aligned, or too long");
        return Err(Failure::argument(message));
    }
    // SAFETY: it is not NULL, aligned, and the caller vouches for `count` values.
    Ok(unsafe { std::slice::from_raw_parts(at, count) })
}

/// A text with its length in bytes, or [`UFC_NUL_TERMINATED`].
///
/// # Safety
/// The pointer is NULL or points to so many bytes, or to bytes that end with a NUL, which stay as they are while the
/// text is used.
pub(crate) unsafe fn text<'a>(
    at: *const c_char,
    length: usize,
    what: &str,
) -> Result<&'a str, Failure> {
    if at.is_null() {
        return Err(Failure::null(what));
    }
    let bytes = match length {
        // SAFETY: the caller vouches for a NUL.
        UFC_NUL_TERMINATED => unsafe { CStr::from_ptr(at) }.to_bytes(),
        // SAFETY: the caller vouches for the bytes.
        _ => unsafe { list(at.cast::<u8>(), length, what)? },
    };
    std::str::from_utf8(bytes).map_err(|error| {
        let message = format!("`{what}` is not UTF-8: {error}");
        Failure::new(ufc_status::UFC_ERROR_UTF8, message)
    })
}

/// A text that ends with a NUL, where NULL stands for none.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn optional_text<'a>(
    at: *const c_char,
    what: &str,
) -> Result<Option<&'a str>, Failure> {
    if at.is_null() {
        return Ok(None);
    }
    // SAFETY: the same contract.
    unsafe { text(at, UFC_NUL_TERMINATED, what) }.map(Some)
}

/// Checks that there is a place for a result.
pub(crate) fn check_place<T>(place: *mut T, what: &str) -> Result<(), Failure> {
    match place.is_null() {
        true => Err(Failure::null(what)),
        false => Ok(()),
    }
}

/// Writes a result to the caller's place for it.
///
/// # Safety
/// The pointer is NULL or may be written.
pub(crate) unsafe fn put<T>(place: *mut T, value: T, what: &str) -> Result<(), Failure> {
    check_place(place, what)?;
    // SAFETY: it is not NULL, and the caller vouches for the rest.
    unsafe { place.write_unaligned(value) };
    Ok(())
}
