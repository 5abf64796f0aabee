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

/// What the allocator is asked for: with more, it would clear the memory itself instead of getting clean pages.
const ALLOCATED_ALIGNMENT: usize = 16;

/// Bytes at an aligned address.
pub(super) struct Buffer {
    start: NonNull<u8>,
    len: usize,
    /// How far `start` is from the start of the allocation.
    skipped: usize,
}

// SAFETY: a buffer owns its memory alone, as a Vec does, so it may move to another thread.
unsafe impl Send for Buffer {}
// SAFETY: shared access reads only.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// That many zero bytes.
    pub(super) fn zeroed(len: usize) -> Result<Buffer, ArrayError> {
        let out_of_memory = || ArrayError::OutOfMemory { bytes: len };
        let layout = Buffer::layout(len).ok_or_else(out_of_memory)?;
        // SAFETY: the layout's size is not zero.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(out_of_memory)?;
        let skipped = base.addr().get().wrapping_neg() % ALIGNMENT;
        Ok(Buffer {
            // SAFETY: the layout has room for this much less than `ALIGNMENT` bytes before `len` ones.
            start: unsafe { base.add(skipped) },
            len,
            skipped,
        })
    }

    fn layout(len: usize) -> Option<Layout> {
        let padded = len.checked_add(ALIGNMENT)?;
        Layout::from_size_align(padded, ALLOCATED_ALIGNMENT).ok()
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
        // SAFETY: `len` bytes at `start` are ours and initialized.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(layout) = Buffer::layout(self.len) {
            // SAFETY: `zeroed` made this memory with the same layout, and `start` is that far into it.
            unsafe { dealloc(self.start.as_ptr().sub(self.skipped), layout) };
        }
    }
}
