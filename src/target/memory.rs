//! Memory of a device, and launches whose operands are there already.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use crate::error::BackendError;

/// A block of memory on a device. Freed, or kept for reuse by its back end, when dropped.
///
/// Work on a device happens in the order in which it was asked for: a download sees what every launch before it wrote.
pub trait Buffer: Send + Sync + Debug {
    /// The word of the back end that it belongs to.
    fn backend(&self) -> &'static str;

    /// The name of the device that it is on.
    fn device(&self) -> &str;

    /// Its size in bytes.
    fn size(&self) -> usize;

    /// Its address on the device, for targets whose addresses mean something to others, such as CUDA.
    fn address(&self) -> Option<u64>;

    /// Copies bytes to it, beginning at `offset`.
    ///
    /// # Errors
    /// If they do not fit, or what the device reports.
    fn upload(&self, offset: usize, bytes: &[u8]) -> Result<(), BackendError>;

    /// Copies bytes from it, beginning at `offset`, once everything that writes it is done.
    ///
    /// # Errors
    /// If it has not so many, or what the device reports.
    fn download(&self, offset: usize, bytes: &mut [u8]) -> Result<(), BackendError>;

    /// For the back end that made it, to find its own again.
    fn as_any(&self) -> &dyn Any;
}

/// Memory of a device that others allocated.
#[derive(Debug)]
pub struct ForeignMemory {
    /// The address of its first byte on the device; without meaning if there are no bytes.
    pub address: u64,
    /// How many bytes there are.
    pub bytes: usize,
    /// What keeps the memory: dropped when the last buffer of it is, by whichever thread does that.
    pub owner: Box<dyn Any + Send + Sync>,
}

/// One operand of a launch on a device.
#[derive(Clone, Debug)]
pub enum DeviceOperand {
    /// Elements in a buffer of the launching device.
    Buffer {
        /// The memory.
        buffer: Arc<dyn Buffer>,
        /// Where the operand's first element is, in bytes.
        offset: usize,
    },
    /// A single value in little-endian bytes, passed with the launch; its strides are 0.
    Value([u8; 16]),
}

/// One call of a loop over operands that are on the device.
#[derive(Clone, Debug)]
pub struct DeviceArgs<'a> {
    /// The loop dims as iterated, outermost first; none for a single element.
    pub shape: &'a [usize],
    /// The operands: inputs, then outputs. Outputs are buffers.
    pub operands: &'a [DeviceOperand],
    /// Per operand, its step in bytes along each loop dim.
    pub strides: &'a [&'a [isize]],
    /// Per position the kernel asks for, as in [`crate::LaunchArgs::indices`].
    pub indices: &'a [(i64, &'a [i64])],
}
