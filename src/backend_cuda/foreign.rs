//! Memory of a GPU that others in this process allocated: whether it is what they say.

use crate::device::Gpu;
use crate::driver::{self, Fault, Place};
use ufc_target::{BackendError, ForeignMemory};

/// CU_MEMORYTYPE_HOST: memory of the host that devices can reach.
const HOST: u32 = 1;
/// CU_MEMORYTYPE_DEVICE: memory of a device.
const DEVICE: u32 = 2;

/// Asks the driver whose memory it is, and waits until everything that anybody does on the GPU is done. No bytes are always right.
///
/// Only the first and the last byte are asked about: memory that was mapped in parts is one array to those who did that,
/// and several to the driver.
///
/// # Errors
/// If it is not what the GPU's primary context can use, or what the driver says.
pub(crate) fn check(gpu: &Gpu, memory: &ForeignMemory) -> Result<(), BackendError> {
    let started = gpu.bind()?;
    let ForeignMemory { address, bytes, .. } = *memory;
    if bytes > 0 {
        let last = address.checked_add(bytes as u64 - 1);
        let last = last.ok_or_else(|| unusable(address, "which ends beyond all addresses"))?;
        for byte in [address, last] {
            let place = driver::place_of(byte).map_err(|fault| refused(gpu, byte, &fault))?;
            judge(gpu, byte, &place, started.context.address())?;
        }
    }
    let done = driver::synchronize_context();
    done.map_err(|fault| gpu.error(&fault, 0))
}

fn unusable(address: u64, why: &str) -> BackendError {
    BackendError::Unsupported(format!("memory at {address:#x}, {why}"))
}

/// What an answer of the driver means that is an error.
fn refused(gpu: &Gpu, address: u64, fault: &Fault) -> BackendError {
    match fault.is_sticky() {
        true => gpu.error(fault, 0),
        false => unusable(
            address,
            &format!("of which the driver says: {}", fault.line()),
        ),
    }
}

/// Whether a byte of memory can be used on the GPU, whose context is at this address.
fn judge(gpu: &Gpu, address: u64, place: &Place, context: usize) -> Result<(), BackendError> {
    // Managed memory moves to where it is used.
    if place.is_managed {
        return Ok(());
    }
    let name = gpu.full_name();
    match place.kind {
        DEVICE if place.ordinal.to_string() != gpu.name => {
            let why = format!("which is `cuda:{}`'s, not `{name}`'s", place.ordinal);
            Err(unusable(address, &why))
        }
        // Memory of pools, and memory mapped by hand, has no context.
        DEVICE if place.context != 0 && place.context != context => {
            let why = format!("which is from another context of `{name}` than its primary one");
            Err(unusable(address, &why))
        }
        DEVICE => Ok(()),
        HOST => Err(unusable(address, "which is the host's")),
        _ => Err(unusable(address, "of which the driver knows nothing")),
    }
}
