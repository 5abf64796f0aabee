//! Memory of a GPU: blocks that are kept for reuse, pinned staging on the host, and buffers for callers.
#![expect(unsafe_code, reason = "memory is freed, and copied by the driver")]

use crate::device::Gpu;
use crate::driver::{self, Pinned};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use ufc_target::{BackendError, Buffer};

/// Sizes are rounded up to multiples of this …
const SMALL_UNIT: usize = 512;
/// … or, from this size on, of this, so that blocks fit again.
const LARGE_UNIT: usize = 1 << 20;

/// Bytes that one copy of a buffer goes through at a time.
const STAGE: usize = 4 << 20;

/// Blocks that nobody uses at the moment, by size.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: BTreeMap<usize, Vec<u64>>,
}

impl Pool {
    fn take(&mut self, bytes: usize) -> Option<(u64, usize)> {
        // A block a quarter larger will do.
        let range = bytes..=bytes + bytes / 4;
        let size = *self.free.range(range).next()?.0;
        let blocks = self.free.get_mut(&size)?;
        let address = blocks.pop()?;
        if blocks.is_empty() {
            self.free.remove(&size);
        }
        Some((address, size))
    }

    fn put(&mut self, address: u64, bytes: usize) {
        self.free.entry(bytes).or_default().push(address);
    }

    /// Gives all of it back to the driver; the device's context is the thread's.
    fn clear(&mut self) {
        for address in std::mem::take(&mut self.free).into_values().flatten() {
            // SAFETY: nobody uses the block, or it would not be here; the driver waits for kernels that still do. If
            // the driver refuses, the memory is lost with the context.
            let _ = unsafe { driver::free(address) };
        }
    }
}

/// Pinned memory that nobody uses at the moment.
#[derive(Debug, Default)]
pub(crate) struct PinnedPool {
    free: BTreeMap<usize, Vec<Pinned>>,
}

impl PinnedPool {
    fn take(&mut self, bytes: usize) -> Option<Pinned> {
        let size = *self.free.range(bytes..=bytes * 2).next()?.0;
        let found = self.free.get_mut(&size)?.pop();
        self.free.retain(|_, list| !list.is_empty());
        found
    }

    fn put(&mut self, pinned: Pinned) {
        self.free.entry(pinned.bytes).or_default().push(pinned);
    }
}

fn rounded(bytes: usize) -> usize {
    let unit = if bytes < LARGE_UNIT {
        SMALL_UNIT
    } else {
        LARGE_UNIT
    };
    bytes.max(1).checked_next_multiple_of(unit).unwrap_or(bytes)
}

/// A block of device memory, put back for reuse when dropped. What still runs on it then must be in the compute stream,
/// behind which everything on a block's next use comes.
#[derive(Debug)]
pub(crate) struct Block {
    gpu: Arc<Gpu>,
    pub address: u64,
    size: usize,
}

impl Block {
    /// Takes a block that is kept, else asks the driver; if it has no more, all that is kept is freed first.
    ///
    /// # Errors
    /// [`BackendError::OutOfMemory`], or what the driver says.
    pub(crate) fn new(gpu: &Arc<Gpu>, bytes: usize) -> Result<Block, BackendError> {
        gpu.bind()?;
        let wanted = rounded(bytes);
        let kept = gpu.pool().take(wanted);
        let (address, size) = match kept {
            Some(kept) => kept,
            None => {
                let fresh = driver::allocate(wanted).or_else(|fault| {
                    if !fault.is_out_of_memory() {
                        return Err(fault);
                    }
                    gpu.pool().clear();
                    driver::allocate(wanted)
                });
                (fresh.map_err(|fault| gpu.error(&fault, bytes))?, wanted)
            }
        };
        let gpu = gpu.clone();
        Ok(Block { gpu, address, size })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.gpu.pool().put(self.address, self.size);
    }
}

/// Pinned host memory, put back for reuse when dropped. Nothing may copy from or to it then.
#[derive(Debug)]
pub(crate) struct Staging {
    gpu: Arc<Gpu>,
    pinned: Option<Pinned>,
}

impl Staging {
    /// # Errors
    /// [`BackendError::OutOfMemory`] if the host has no more to be pinned, or what the driver says.
    pub(crate) fn new(gpu: &Arc<Gpu>, bytes: usize) -> Result<Staging, BackendError> {
        gpu.bind()?;
        let wanted = rounded(bytes);
        let kept = gpu.pinned().take(wanted);
        let pinned = match kept {
            Some(kept) => kept,
            None => Pinned::new(wanted).map_err(|fault| gpu.error(&fault, bytes))?,
        };
        let (gpu, pinned) = (gpu.clone(), Some(pinned));
        Ok(Staging { gpu, pinned })
    }

    pub(crate) fn pointer(&self) -> *mut u8 {
        let pinned = self
            .pinned
            .as_ref()
            .expect("it is there until it is dropped");
        pinned.pointer()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Some(pinned) = self.pinned.take() {
            self.gpu.pinned().put(pinned);
        }
    }
}

/// Memory that a caller asked for.
#[derive(Debug)]
pub(crate) struct CudaBuffer {
    pub gpu: Arc<Gpu>,
    pub block: Block,
    bytes: usize,
}

impl CudaBuffer {
    pub(crate) fn new(gpu: &Arc<Gpu>, bytes: usize) -> Result<CudaBuffer, BackendError> {
        let block = Block::new(gpu, bytes)?;
        let gpu = gpu.clone();
        Ok(CudaBuffer { gpu, block, bytes })
    }

    /// How many bytes the caller asked for.
    pub(crate) fn block_bytes(&self) -> usize {
        self.bytes
    }

    fn check(&self, offset: usize, bytes: usize) -> Result<(), BackendError> {
        if offset
            .checked_add(bytes)
            .is_some_and(|end| end <= self.bytes)
        {
            return Ok(());
        }
        let what = format!("{bytes} bytes at {offset} of a buffer of {}", self.bytes);
        Err(BackendError::LaunchFailed(what))
    }
}

impl Buffer for CudaBuffer {
    fn backend(&self) -> &'static str {
        crate::NAME
    }

    fn device(&self) -> &str {
        &self.gpu.name
    }

    fn size(&self) -> usize {
        self.bytes
    }

    fn address(&self) -> Option<u64> {
        Some(self.block.address)
    }

    fn upload(&self, offset: usize, bytes: &[u8]) -> Result<(), BackendError> {
        self.check(offset, bytes.len())?;
        let stream = self.gpu.bind()?.compute;
        let stage = Staging::new(&self.gpu, bytes.len().min(STAGE))?;
        for (number, part) in bytes.chunks(STAGE).enumerate() {
            let to = self.block.address + (offset + number * STAGE) as u64;
            // SAFETY: the stage has room for a part, and the copy from it is waited for before it is written again.
            let copied = unsafe {
                std::ptr::copy_nonoverlapping(part.as_ptr(), stage.pointer(), part.len());
                stream.upload(to, stage.pointer(), part.len())
            };
            let done = copied.and_then(|()| stream.synchronize());
            done.map_err(|fault| self.gpu.error(&fault, 0))?;
        }
        Ok(())
    }

    fn download(&self, offset: usize, bytes: &mut [u8]) -> Result<(), BackendError> {
        self.check(offset, bytes.len())?;
        let stream = self.gpu.bind()?.compute;
        let stage = Staging::new(&self.gpu, bytes.len().min(STAGE))?;
        for (number, part) in bytes.chunks_mut(STAGE).enumerate() {
            let from = self.block.address + (offset + number * STAGE) as u64;
            // SAFETY: the stage has room for a part, which is read once the copy to it has been waited for.
            let copied = unsafe { stream.download(stage.pointer(), from, part.len()) };
            let done = copied.and_then(|()| stream.synchronize());
            done.map_err(|fault| self.gpu.error(&fault, 0))?;
            // SAFETY: as above.
            unsafe {
                std::ptr::copy_nonoverlapping(stage.pointer(), part.as_mut_ptr(), part.len());
            }
        }
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
