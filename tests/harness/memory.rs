//! Operands in memory, at any stride and alignment, among bytes that nobody may touch.

use ufc::{Const, DType};

/// Bytes before and after an operand.
const MARGIN: usize = 64;
/// What is in the bytes that nobody may touch, and in outputs before they are written.
const CANARY: u8 = 0xa5;
/// Alignment of the lowest element before the offset is added, enough for every dtype.
const ALIGN: usize = 64;

/// How the elements of one operand lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The step from element to element is this many times the element's size …
    pub items: isize,
    /// … plus this many bytes.
    pub bytes: isize,
    /// Bytes between an aligned address and the operand's lowest one.
    pub offset: usize,
}

impl Placement {
    /// One after the other, aligned.
    pub(crate) const CONTIGUOUS: Placement = Placement {
        items: 1,
        bytes: 0,
        offset: 0,
    };
    /// One after the other, aligned for nothing.
    pub(crate) const UNALIGNED: Placement = Placement {
        items: 1,
        bytes: 0,
        offset: 1,
    };
    /// Every second place.
    pub(crate) const STRIDED: Placement = Placement {
        items: 2,
        bytes: 0,
        offset: 0,
    };
    /// Steps that are no multiple of the size.
    pub(crate) const ODD: Placement = Placement {
        items: 1,
        bytes: 1,
        offset: 3,
    };
    /// Backwards, one after the other.
    pub(crate) const BACKWARDS: Placement = Placement {
        items: -1,
        bytes: 0,
        offset: 0,
    };
    /// Backwards with gaps, aligned for nothing.
    pub(crate) const BACKWARDS_STRIDED: Placement = Placement {
        items: -3,
        bytes: -1,
        offset: 5,
    };
    /// One element for all.
    pub(crate) const BROADCAST: Placement = Placement {
        items: 0,
        bytes: 0,
        offset: 0,
    };

    /// Every placement that an output may have.
    pub(crate) const SPREAD: [Placement; 6] = [
        Placement::CONTIGUOUS,
        Placement::UNALIGNED,
        Placement::STRIDED,
        Placement::ODD,
        Placement::BACKWARDS,
        Placement::BACKWARDS_STRIDED,
    ];

    /// The step in bytes for elements of a dtype.
    pub(crate) fn step(self, dtype: DType) -> isize {
        self.items * dtype.size() as isize + self.bytes
    }
}

/// The elements of one operand, in memory of their own.
pub(crate) struct Operand {
    dtype: DType,
    memory: Vec<u8>,
    /// Byte position of the first element.
    first: usize,
    /// Steps in bytes along the loop dims.
    pub strides: Vec<isize>,
    shape: Vec<usize>,
}

impl Operand {
    /// Memory for an operand of this shape, its innermost dim placed as asked, rows one after the other.
    pub(crate) fn new(dtype: DType, shape: &[usize], placement: Placement) -> Operand {
        let mut strides = vec![0; shape.len()];
        let mut step = placement.step(dtype);
        for (stride, n) in strides.iter_mut().zip(shape).rev() {
            *stride = step;
            step *= (*n).max(1) as isize;
        }
        let reach = |sign: isize| -> usize {
            let ends = strides
                .iter()
                .zip(shape)
                .map(|(stride, n)| stride * n.saturating_sub(1) as isize);
            ends.filter(|end| end.signum() == sign)
                .map(isize::unsigned_abs)
                .sum()
        };
        let below = MARGIN + placement.offset + reach(-1);
        let bytes = ALIGN + below + reach(1) + dtype.size() + MARGIN;
        let memory = vec![CANARY; bytes];
        // Where the lowest element lies is aligned up to the offset, whatever the allocator gave.
        let lowest = memory.as_ptr() as usize + MARGIN;
        let first = below + lowest.next_multiple_of(ALIGN) - lowest;
        Operand {
            dtype,
            memory,
            first,
            strides,
            shape: shape.to_vec(),
        }
    }

    /// Writes the elements, in C order.
    pub(crate) fn fill(&mut self, values: &[Const]) {
        for (index, value) in values.iter().enumerate() {
            let at = self.position(index);
            let size = self.dtype.size();
            self.memory[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        }
    }

    /// The elements, in C order.
    pub(crate) fn values(&self) -> Vec<Const> {
        let count: usize = self.shape.iter().product();
        let read = |index| Const::from_le_bytes(self.dtype, &self.memory[self.position(index)..]);
        (0..count).map(read).collect()
    }

    /// The address of the first element.
    pub(crate) fn pointer(&mut self) -> *mut u8 {
        self.memory[self.first..].as_mut_ptr()
    }

    /// Position of the first element among the bytes.
    pub(crate) fn first(&self) -> usize {
        self.first
    }

    /// How far the memory's begin is from an aligned address.
    pub(crate) fn misalignment(&self) -> usize {
        self.memory.as_ptr() as usize % ALIGN
    }

    /// Puts back every byte.
    pub(crate) fn restore(&mut self, bytes: &[u8]) {
        self.memory.copy_from_slice(bytes);
    }

    /// A copy of every byte, to see later what was changed.
    pub(crate) fn snapshot(&self) -> Vec<u8> {
        self.memory.clone()
    }

    /// Whether a byte outside the elements has been changed.
    pub(crate) fn is_spilled(&self) -> bool {
        let mut bytes = self.snapshot();
        let count: usize = self.shape.iter().product();
        for index in 0..count {
            let at = self.position(index);
            bytes[at..at + self.dtype.size()].fill(CANARY);
        }
        bytes.iter().any(|byte| *byte != CANARY)
    }

    fn position(&self, mut index: usize) -> usize {
        let mut at = self.first as isize;
        for (stride, n) in self.strides.iter().zip(&self.shape).rev() {
            at += stride * (index % n) as isize;
            index /= n;
        }
        at as usize
    }
}
