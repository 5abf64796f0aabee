//! Operands in memory between pages that must not be touched.
#![expect(unsafe_code, reason = "pages are mapped and protected by hand")]

use std::ptr;
use ufc_ir::{Const, DType};

/// What fills the bytes that no element owns.
const FILL: u8 = 0xa5;

/// Where in its pages an operand lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its first byte right after a forbidden page.
    Front,
    /// Its last byte right before a forbidden page.
    Back,
    /// So many bytes after the start.
    At(usize),
}

/// Elements of one dtype, a step apart, in pages of their own.
pub(super) struct Guarded {
    map: *mut u8,
    length: usize,
    page: usize,
    first: *mut u8,
    step: isize,
    count: usize,
    dtype: DType,
}

impl Guarded {
    /// Memory for `count` elements.
    pub(super) fn new(dtype: DType, count: usize, step: isize, place: Place) -> Guarded {
        let span = count.saturating_sub(1) * step.unsigned_abs() + dtype.size();
        let page = 4096;
        let room = (span + 64).next_multiple_of(page);
        let length = room + 2 * page;
        // SAFETY: asks for fresh memory and protects its first and last page.
        let map = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let map = libc::mmap(ptr::null_mut(), length, protection, flags, -1, 0);
            assert_ne!(map, libc::MAP_FAILED);
            let map = map.cast::<u8>();
            ptr::write_bytes(map, FILL, length);
            assert_eq!(libc::mprotect(map.cast(), page, libc::PROT_NONE), 0);
            let last = map.add(length - page).cast();
            assert_eq!(libc::mprotect(last, page, libc::PROT_NONE), 0);
            map
        };
        let low = match place {
            Place::Front => page,
            Place::Back => page + room - span,
            Place::At(offset) => page + offset,
        };
        let first = if step < 0 {
            low + span - dtype.size()
        } else {
            low
        };
        Guarded {
            map,
            length,
            page,
            first: map.wrapping_add(first),
            step,
            count,
            dtype,
        }
    }

    /// Address of the first element.
    pub(super) fn pointer(&self) -> *mut u8 {
        self.first
    }

    /// Distance of an element's bytes from the start of the pages.
    fn offset(&self, index: usize) -> usize {
        let address = self.first.wrapping_offset(self.step * index as isize);
        address as usize - self.map as usize
    }

    fn bytes(&mut self) -> &mut [u8] {
        let length = self.length - 2 * self.page;
        // SAFETY: the pages between the protected ones, which we own.
        unsafe { std::slice::from_raw_parts_mut(self.map.add(self.page), length) }
    }

    pub(super) fn write(&mut self, values: &[Const]) {
        let size = self.dtype.size();
        for (i, value) in values.iter().take(self.count).enumerate() {
            let offset = self.offset(i) - self.page;
            self.bytes()[offset..offset + size].copy_from_slice(&value.to_le_bytes()[..size]);
        }
    }

    pub(super) fn read(&mut self) -> Vec<Const> {
        (0..self.count)
            .map(|i| {
                let offset = self.offset(i) - self.page;
                Const::from_le_bytes(self.dtype, &self.bytes()[offset..])
            })
            .collect()
    }

    /// Panics if a byte that no element owns has changed.
    pub(super) fn check_gaps(&mut self) {
        let size = self.dtype.size();
        let mut owned = vec![false; self.length];
        for i in 0..self.count {
            let offset = self.offset(i) - self.page;
            owned[offset..offset + size].fill(true);
        }
        let mut bytes = self.bytes().iter().zip(&owned);
        assert!(
            bytes.all(|(byte, owned)| *owned || *byte == FILL),
            "bytes outside the operand were written"
        );
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and nobody uses it any more.
        unsafe { libc::munmap(self.map.cast(), self.length) };
    }
}
