//! Memory of a GPU that others allocated as arrays of ufc, on the driver that stands in for NVIDIA's.
#![expect(
    unsafe_code,
    reason = "the memory is an address that a test vouches for"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ufc::array::{Array, DeviceArray};
use ufc::{DType, Error, Module, Target};

use super::Outcome;

/// What keeps the memory: here an array of ufc's own, which stands for another library's.
struct Owner {
    _memory: DeviceArray,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// So many numbers on a GPU.
fn memory(target: &Target, n: usize) -> Result<DeviceArray, Error> {
    let values: Vec<f32> = (0..n).map(|i| i as f32 * 0.5 - 3.0).collect();
    Array::from(values).to_device(target)
}

/// Every third element backwards, in a call and in place; the owner goes when the last array and call do, and at once on an error.
pub(crate) fn test() -> Outcome {
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = || dropped.load(Ordering::Relaxed);
    let kernel =
        Module::from_source("twice.ufk", "pub fn twice(x: f32) -> f32 { x + x }")?.only()?;
    for device in ["cuda:0", "cuda:1"] {
        let target: Target = device.parse()?;
        let memory = memory(&target, 128)?;
        let owner = || Owner {
            _memory: memory.clone(),
            dropped: dropped.clone(),
        };
        let start = memory.address().ok_or("CUDA has addresses")?;
        let (shape, strides) = ([33], [-12]);
        // SAFETY: elements 99, 96, … 3 are in the memory, which the owner keeps.
        let taken = unsafe {
            let last = start + 4 * 99;
            DeviceArray::from_address(&target, last, DType::F32, &shape, &strides, owner())?
        };
        let expected: Vec<f32> = (0..33).map(|i| (99 - 3 * i) as f32 - 6.0).collect();
        let results: Vec<f32> = kernel.call((&taken,))?.into_vec()?;
        ensure(results == expected, (device, &results))?;
        let view = taken.clone().flip(0)?;
        drop(taken);
        ensure(count() == 0, "a view keeps the owner")?;
        kernel.call_into_device((&view,), &mut [view.clone()])?;
        let all = memory.to_vec::<f32>()?;
        let wanted = |i: usize| {
            (if (3..=99).contains(&i) && i.is_multiple_of(3) {
                2.0
            } else {
                1.0
            }) * (i as f32 * 0.5 - 3.0)
        };
        ensure((0..128).all(|i| all[i] == wanted(i)), (device, &all))?;
        drop(view);
        ensure(count() == 1, "the owner goes with the last view")?;

        let other: Target = if device == "cuda:0" {
            "cuda:1"
        } else {
            "cuda:0"
        }
        .parse()?;
        let refused: [(&Target, u64, &[usize], &[isize]); 5] = [
            (&other, start, &[10], &[4]),
            (&target, start + 4, &[128], &[4]),
            (&target, u64::MAX - 3, &[10], &[4]),
            (&target, start, &[10], &[2]),
            (&target, start, &[10], &[4, 4]),
        ];
        for (number, (target, address, shape, strides)) in refused.into_iter().enumerate() {
            // SAFETY: these are refused.
            let array = unsafe {
                DeviceArray::from_address(target, address, DType::F32, shape, strides, owner())
            };
            ensure(array.is_err() && count() == 2 + number, (device, &array))?;
        }
        // SAFETY: the processor has no such memory.
        let on_cpu = unsafe {
            DeviceArray::from_address(&Target::CPU, start, DType::F32, &[10], &[4], owner())
        };
        let said = on_cpu.map_or_else(|error| error.to_string(), |_| String::new());
        ensure(said.contains("does not support memory at 0x"), said)?;
        dropped.store(0, Ordering::Relaxed);
    }
    Ok(())
}

fn ensure(holds: bool, what: impl std::fmt::Debug) -> Outcome {
    match holds {
        true => Ok(()),
        false => Err(format!("{what:?}").into()),
    }
}
