//! Owned memory for arrays: zeroed, 64-byte aligned, of a length fixed when made.

#![expect(
    unsafe_code,
    reason = "memory of a chosen alignment comes from the allocator"
)]

use super::error::ArrayError;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// Alignment of every array's memory: a cache line, and the widest vector of any CPU.
pub const ALIGNMENT: usize = 64;

/// Bytes at an aligned address.
pub(super) struct Buffer {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a buffer owns its memory alone, as a Vec does, so it may move to another thread.
unsafe impl Send for Buffer {}
// SAFETY: shared access reads only.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// That many zero bytes.
    pub(super) fn zeroed(len: usize) -> Result<Buffer, ArrayError> {
        let out_of_memory = || ArrayError::OutOfMemory { bytes: len };
        let layout = Layout::from_size_align(len, ALIGNMENT).map_err(|_| out_of_memory())?;
        if len == 0 {
            let start = NonNull::without_provenance(
                std::num::NonZeroUsize::new(ALIGNMENT).unwrap_or(std::num::NonZeroUsize::MIN),
            );
            return Ok(Buffer { start, len });
        }
        // SAFETY: the layout's size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(out_of_memory)?;
        Ok(Buffer { start, len })
    }

    /// Address of the first byte.
    pub(super) fn as_ptr(&self) -> *const u8 {
        self.start.as_ptr()
    }

    /// Address of the first byte, for writing.
    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes at `start` are ours and initialized; a zero length is fine at any aligned address.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: `zeroed` made this memory with the same layout, whose size and alignment it checked.
            unsafe {
                let layout = Layout::from_size_align_unchecked(self.len, ALIGNMENT);
                dealloc(self.start.as_ptr(), layout);
            }
        }
    }
}
