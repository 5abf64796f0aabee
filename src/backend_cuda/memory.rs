//! Memory of a GPU: blocks that are kept for reuse, pinned staging on the host, and buffers for callers.
#![expect(unsafe_code, reason = "memory is freed")]

use crate::device::Gpu;
use crate::driver::{self, CallersContext, Pinned};
use crate::{foreign, transfer};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use ufc_target::{BackendError, Buffer, ForeignMemory};

/// Sizes are rounded up to multiples of this …
const SMALL_UNIT: usize = 512;
/// … or, from this size on, of this, so that blocks fit again.
const LARGE_UNIT: usize = 1 << 20;

/// Blocks that nobody uses at the moment, by size.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: BTreeMap<usize, Vec<u64>>,
    /// How many bytes they are together.
    bytes: usize,
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
        self.bytes -= size;
        Some((address, size))
    }

    fn put(&mut self, address: u64, bytes: usize) {
        self.free.entry(bytes).or_default().push(address);
        self.bytes += bytes;
    }

    /// How many bytes are kept.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives all of it back to the driver; the device's context is the thread's.
    pub(crate) fn clear(&mut self) {
        self.bytes = 0;
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

    /// Gives all of it back to the driver.
    pub(crate) fn clear(&mut self) {
        self.free.clear();
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
                let fresh = gpu.with_room(|| driver::allocate(wanted));
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
            None => {
                let fresh = Pinned::new(wanted).or_else(|fault| {
                    if !fault.is_out_of_memory() {
                        return Err(fault);
                    }
                    gpu.pinned().clear();
                    Pinned::new(wanted)
                });
                fresh.map_err(|fault| gpu.error(&fault, bytes))?
            }
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

/// What keeps a buffer's memory.
#[derive(Debug)]
#[expect(
    dead_code,
    reason = "what is in it is only kept, to be dropped with the buffer"
)]
enum Keeper {
    Block(Block),
    /// Others allocated it.
    Owner(Box<dyn Any + Send + Sync>),
}

/// Memory that a caller asked for, or brought along.
#[derive(Debug)]
pub(crate) struct CudaBuffer {
    pub gpu: Arc<Gpu>,
    pub address: u64,
    bytes: usize,
    keeper: Keeper,
}

impl CudaBuffer {
    pub(crate) fn new(gpu: &Arc<Gpu>, bytes: usize) -> Result<CudaBuffer, BackendError> {
        let block = Block::new(gpu, bytes)?;
        Ok(CudaBuffer {
            gpu: gpu.clone(),
            address: block.address,
            bytes,
            keeper: Keeper::Block(block),
        })
    }

    /// Takes over memory of others, once everything that anybody does on the GPU is done.
    ///
    /// # Errors
    /// If the driver says that the memory is not the GPU's, or fails.
    pub(crate) fn adopt(gpu: &Arc<Gpu>, memory: ForeignMemory) -> Result<CudaBuffer, BackendError> {
        foreign::check(gpu, &memory)?;
        Ok(CudaBuffer {
            gpu: gpu.clone(),
            address: memory.address,
            bytes: memory.bytes,
            keeper: Keeper::Owner(memory.owner),
        })
    }

    /// Whether others allocated the memory: they may use it again as soon as a launch has returned.
    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self.keeper, Keeper::Owner(_))
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
        Some(self.address)
    }

    fn upload(&self, offset: usize, bytes: &[u8]) -> Result<(), BackendError> {
        self.check(offset, bytes.len())?;
        let _callers = CallersContext::keep();
        transfer::upload(&self.gpu, self.address + offset as u64, bytes)
    }

    fn download(&self, offset: usize, bytes: &mut [u8]) -> Result<(), BackendError> {
        self.check(offset, bytes.len())?;
        let _callers = CallersContext::keep();
        transfer::download(&self.gpu, self.address + offset as u64, bytes)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
