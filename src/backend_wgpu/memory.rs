//! Memory of a device: buffers that users hold, and those that launches reuse.

use crate::device::Gpu;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;
use ufc_target::{BackendError, Buffer};
use wgpu::BufferUsages;

/// Most bytes that are kept for reuse.
const KEPT: u64 = 512 << 20;

/// What a buffer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    /// Operands.
    Operand,
    /// Results on their way to the host.
    Download,
    /// Arguments of a launch.
    Arguments,
}

impl Use {
    fn usages(self) -> BufferUsages {
        match self {
            Use::Operand => BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
            Use::Download => BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            Use::Arguments => BufferUsages::UNIFORM | BufferUsages::COPY_DST,
        }
    }
}

/// Buffers that are not in use, by what they are for and their size.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    buffers: BTreeMap<(Use, u64), Vec<wgpu::Buffer>>,
    bytes: u64,
}

impl Pool {
    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, usage: Use, size: u64) -> Option<wgpu::Buffer> {
        let mut free = self.free();
        let buffer = free.buffers.get_mut(&(usage, size))?.pop()?;
        free.bytes -= size;
        Some(buffer)
    }

    /// Takes a buffer back, unless there are too many.
    fn give(&self, gpu: &Gpu, usage: Use, buffer: wgpu::Buffer) {
        let mut free = self.free();
        let size = buffer.size();
        if free.bytes + size <= KEPT {
            free.bytes += size;
            free.buffers.entry((usage, size)).or_default().push(buffer);
        } else {
            drop(free);
            gpu.release(buffer);
        }
    }

    /// How many buffers are kept.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.free().buffers.values().map(Vec::len).sum()
    }

    /// Frees everything that is kept.
    fn clear(&self, gpu: &Gpu) {
        let all = std::mem::take(&mut *self.free());
        gpu.release(all);
    }
}

/// A buffer for a launch, given back to the pool when dropped.
#[derive(Debug)]
pub(crate) struct Lent {
    gpu: Arc<Gpu>,
    usage: Use,
    buffer: Option<wgpu::Buffer>,
}

impl Lent {
    /// A buffer of at least so many bytes, their content unspecified.
    ///
    /// # Errors
    /// [`BackendError::OutOfMemory`], also after the pool was emptied.
    pub(crate) fn new(gpu: &Arc<Gpu>, usage: Use, bytes: u64) -> Result<Lent, BackendError> {
        if let Some(lost) = gpu.lost() {
            return Err(lost);
        }
        // Few sizes, so that buffers are found again: powers of two, and eighths between for large ones.
        let step = (bytes.next_power_of_two() / 8).max(256);
        let size = bytes.max(16).next_multiple_of(step).min(gpu.limits.buffer);
        let size = size.max(bytes.next_multiple_of(4));
        let buffer = match gpu.pool.take(usage, size) {
            Some(buffer) => buffer,
            None => match create(gpu, usage, size) {
                Err(BackendError::OutOfMemory { .. }) => {
                    gpu.pool.clear(gpu);
                    gpu.wait(None)?;
                    create(gpu, usage, size)?
                }
                made => made?,
            },
        };
        Ok(Lent {
            gpu: Arc::clone(gpu),
            usage,
            buffer: Some(buffer),
        })
    }

    /// A buffer of its own, for a device that nobody shares yet.
    pub(crate) fn unpooled(
        gpu: &Gpu,
        usage: Use,
        bytes: u64,
    ) -> Result<wgpu::Buffer, BackendError> {
        create(gpu, usage, bytes.max(16).next_multiple_of(4))
    }

    pub(crate) fn buffer(&self) -> &wgpu::Buffer {
        self.buffer.as_ref().expect("taken on drop only")
    }

    /// Drops it for good, for a buffer that may be in a state that is not known.
    pub(crate) fn discard(mut self) {
        let buffer = self.buffer.take();
        self.gpu.release(buffer);
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.gpu.pool.give(&self.gpu, self.usage, buffer);
        }
    }
}

fn create(gpu: &Gpu, usage: Use, size: u64) -> Result<wgpu::Buffer, BackendError> {
    if size > gpu.limits.buffer {
        return Err(BackendError::OutOfMemory {
            device: format!("wgpu:{}", gpu.name),
            bytes: size,
        });
    }
    let buffer = gpu.checked(size, || {
        gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: usage.usages(),
            mapped_at_creation: false,
        })
    })?;
    if gpu.hides_lack_of_memory()
        && usage == Use::Operand
        && size >= LARGE
        && !is_there(gpu, &buffer)?
    {
        gpu.release(buffer);
        return Err(BackendError::OutOfMemory {
            device: format!("wgpu:{}", gpu.name),
            bytes: size,
        });
    }
    Ok(buffer)
}

/// Bytes from which on it is looked whether a buffer has memory, where nobody tells.
const LARGE: u64 = 1 << 20;

/// Whether the end of a buffer keeps what is written there.
fn is_there(gpu: &Gpu, buffer: &wgpu::Buffer) -> Result<bool, BackendError> {
    // Another one each time: what brings it back may still have that of the last.
    static PATTERN: AtomicU32 = AtomicU32::new(0x5ac3_6996);
    let pattern = PATTERN.fetch_add(1, Ordering::Relaxed).to_le_bytes();
    let mut found = [0; 4];
    write(gpu, buffer, buffer.size() - 4, &pattern)?;
    read(gpu, buffer, buffer.size() - 4, &mut found)?;
    Ok(found == pattern)
}

/// Memory that a user of the back end holds.
#[derive(Debug)]
pub(crate) struct DeviceBuffer {
    gpu: Arc<Gpu>,
    lent: Lent,
    bytes: usize,
}

impl DeviceBuffer {
    /// So many bytes.
    ///
    /// # Errors
    /// [`BackendError::OutOfMemory`].
    pub(crate) fn new(gpu: &Arc<Gpu>, bytes: usize) -> Result<DeviceBuffer, BackendError> {
        Ok(DeviceBuffer {
            gpu: Arc::clone(gpu),
            lent: Lent::new(gpu, Use::Operand, bytes as u64)?,
            bytes,
        })
    }

    pub(crate) fn raw(&self) -> &wgpu::Buffer {
        self.lent.buffer()
    }

    pub(crate) fn is_on(&self, gpu: &Arc<Gpu>) -> bool {
        Arc::ptr_eq(&self.gpu, gpu)
    }

    fn check(&self, offset: usize, len: usize) -> Result<(), BackendError> {
        if offset.checked_add(len).is_some_and(|end| end <= self.bytes) {
            return Ok(());
        }
        Err(BackendError::LaunchFailed(format!(
            "bytes {offset} to {} of a buffer of {}",
            offset.saturating_add(len),
            self.bytes
        )))
    }
}

impl Buffer for DeviceBuffer {
    fn backend(&self) -> &'static str {
        "wgpu"
    }

    fn device(&self) -> &str {
        &self.gpu.name
    }

    fn size(&self) -> usize {
        self.bytes
    }

    fn address(&self) -> Option<u64> {
        None
    }

    fn upload(&self, offset: usize, bytes: &[u8]) -> Result<(), BackendError> {
        self.check(offset, bytes.len())?;
        if bytes.is_empty() {
            return Ok(());
        }
        let whole = offset.is_multiple_of(4) && bytes.len().is_multiple_of(4);
        if whole {
            return write(&self.gpu, self.raw(), offset as u64, bytes);
        }
        // Copies are of whole words: what lies beside the bytes is kept.
        let start = offset & !3;
        let mut words = vec![0; (offset + bytes.len()).next_multiple_of(4) - start];
        read(&self.gpu, self.raw(), start as u64, &mut words)?;
        words[offset - start..offset - start + bytes.len()].copy_from_slice(bytes);
        write(&self.gpu, self.raw(), start as u64, &words)
    }

    fn download(&self, offset: usize, bytes: &mut [u8]) -> Result<(), BackendError> {
        self.check(offset, bytes.len())?;
        if bytes.is_empty() {
            return Ok(());
        }
        let start = offset & !3;
        let len = (offset + bytes.len()).next_multiple_of(4) - start;
        if (start, len) == (offset, bytes.len()) {
            read(&self.gpu, self.raw(), start as u64, bytes)?;
        } else {
            let mut words = vec![0; len];
            read(&self.gpu, self.raw(), start as u64, &mut words)?;
            bytes.copy_from_slice(&words[offset - start..offset - start + bytes.len()]);
        }
        crate::launch::check_status(&self.gpu)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// How long another thread may take to call back what the device has reported.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most bytes that are copied at a time.
const STEP: usize = 64 << 20;

/// Copies whole words to a buffer.
pub(crate) fn write(
    gpu: &Gpu,
    to: &wgpu::Buffer,
    offset: u64,
    bytes: &[u8],
) -> Result<(), BackendError> {
    for (i, part) in bytes.chunks(STEP).enumerate() {
        gpu.checked(part.len() as u64, || {
            gpu.queue.write_buffer(to, offset + (i * STEP) as u64, part);
        })?;
        if bytes.len() > STEP {
            // Else all of it would be in staging memory at once.
            gpu.queue.submit([]);
            gpu.wait(None)?;
        }
    }
    Ok(())
}

/// Copies whole words from a buffer, once what was asked of the device before is done.
pub(crate) fn read(
    gpu: &Gpu,
    from: &wgpu::Buffer,
    offset: u64,
    bytes: &mut [u8],
) -> Result<(), BackendError> {
    for (i, part) in bytes.chunks_mut(STEP).enumerate() {
        let size = part.len() as u64;
        let pooled = gpu.pool.take(Use::Download, size);
        let staging = match pooled {
            Some(staging) => staging,
            None => create(gpu, Use::Download, size)?,
        };
        let index = gpu.checked(size, || {
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let at = offset + (i * STEP) as u64;
            encoder.copy_buffer_to_buffer(from, at, &staging, 0, size);
            gpu.queue.submit([encoder.finish()])
        })?;
        with_mapped(gpu, &staging, size, index, |data| {
            part.copy_from_slice(data);
        })?;
        gpu.pool.give(gpu, Use::Download, staging);
    }
    Ok(())
}

/// Waits for a submission and gives the bytes of a download buffer to `f`. The buffer is of no more use after an error.
pub(crate) fn with_mapped<T>(
    gpu: &Gpu,
    staging: &wgpu::Buffer,
    bytes: u64,
    index: wgpu::SubmissionIndex,
    f: impl FnOnce(&[u8]) -> T,
) -> Result<T, BackendError> {
    let (sender, receiver) = mpsc::channel();
    let slice = staging.slice(..bytes);
    slice.map_async(wgpu::MapMode::Read, move |result| {
        // Nobody listens any more after an error.
        let _ = sender.send(result);
    });
    gpu.wait(Some(index))?;
    // Another thread that waits for the device may be the one that calls back, a little later.
    let outcome = receiver.recv_timeout(PATIENCE);
    if !matches!(outcome, Ok(Ok(()))) {
        let text = format!("results could not be mapped: {outcome:?}");
        return Err(gpu.lost().unwrap_or(BackendError::LaunchFailed(text)));
    }
    let view = slice.get_mapped_range();
    let view = view.map_err(|error| BackendError::LaunchFailed(error.to_string()))?;
    let value = f(&view);
    drop(view);
    gpu.unmap(staging);
    Ok(value)
}
