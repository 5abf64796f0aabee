//! Texts and bytes that are made for the caller.
#![expect(unsafe_code, reason = "entries take what callers pass")]

use std::ffi::c_char;

use crate::abi::put;
use crate::error::{c_string, ufc_status};
use crate::handle::{self, ufc_text};
use crate::panic::entry;

/// A text or bytes, ended by a NUL that is no part of them.
pub(crate) struct TextObject {
    ended: Vec<u8>,
}

impl TextObject {
    pub(crate) fn new(text: &str) -> TextObject {
        TextObject {
            ended: c_string(text).into_bytes_with_nul(),
        }
    }

    pub(crate) fn of_bytes(mut bytes: Vec<u8>) -> TextObject {
        bytes.push(0);
        TextObject { ended: bytes }
    }

    #[cfg(test)]
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.ended[..self.ended.len() - 1]).unwrap_or_default()
    }
}

/// Where a text is, ended by a NUL, and its length in bytes without that (`length` may be NULL). Valid until the text is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_text_get(
    text: *const ufc_text,
    data: *mut *const c_char,
    length: *mut usize,
) -> ufc_status {
    entry(|| {
        let text = handle::get::<TextObject>(text, "text")?;
        if !length.is_null() {
            // SAFETY: the caller vouches for the place.
            unsafe { put(length, text.ended.len() - 1, "length")? };
        }
        // SAFETY: the caller vouches for the place.
        unsafe { put(data, text.ended.as_ptr().cast(), "data") }
    })
}

/// Frees a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ufc_text_free(text: *mut ufc_text) -> ufc_status {
    entry(|| handle::free::<TextObject>(text, "text"))
}
