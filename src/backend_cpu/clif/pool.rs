//! Constants of vector code, in memory of their own: instructions take them from there as operands.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Vectors that generated code reads. The code finds them through a cell, because it is made before they are all known.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    cell: Box<AtomicUsize>,
    vectors: Vec<[u8; 16]>,
}

impl Pool {
    /// Where a vector with these bytes stands, counted in bytes from the first.
    pub(crate) fn offset(&mut self, bytes: [u8; 16]) -> usize {
        let known = self.vectors.iter().position(|v| *v == bytes);
        let index = known.unwrap_or_else(|| {
            self.vectors.push(bytes);
            self.vectors.len() - 1
        });
        index * bytes.len()
    }

    /// Address of the cell that holds the address of the first vector, once the pool is sealed.
    pub(crate) fn cell_address(&self) -> usize {
        self.cell.as_ptr() as usize
    }

    /// Tells the code where the vectors are. None may be added after.
    pub(crate) fn seal(&mut self) {
        let address = self.vectors.as_ptr() as usize;
        self.cell.store(address, Ordering::Relaxed);
    }
}
