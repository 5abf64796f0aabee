//! Copies between a buffer on the device and the caller's memory: through a ring of pinned memory, so that the host copies one
//! part while the device fetches or sends another.
#![expect(unsafe_code, reason = "the driver copies from and to addresses")]

use crate::copy::{self, Layout, Way};
use crate::device::Gpu;
use crate::driver::{Event, Fault, Stream};
use crate::memory::Staging;
use std::sync::Arc;
use ufc_target::BackendError;

/// Bytes of a part: enough that the device copies at full speed, and few enough that they stay in the processor's cache.
const PART: usize = 4 << 20;
/// Parts are not made smaller than this where there is little memory to be pinned.
const LEAST_PART: usize = 64 << 10;
/// Parts in flight: one that the host copies, one that the device copies, and one that is ready for it.
const RING: usize = 3;
/// Threads that copy on the host; fewer if there are not so many.
const THREADS: usize = usize::MAX;

/// Pinned memory of a part, and the point in the stream at which the device is done with it.
struct Stage {
    staging: Staging,
    done: Option<Event>,
}

/// Parts that go round the stages, in one stream.
struct Ring<'a> {
    gpu: &'a Gpu,
    stream: Stream,
    stages: Vec<Stage>,
    /// Bytes of a part.
    part: usize,
    is_busy: bool,
}

impl Drop for Ring<'_> {
    /// Nothing may copy from or to memory that is given back.
    fn drop(&mut self) {
        if self.is_busy && !self.gpu.is_dead() {
            // What it reports has been reported by the copy that failed.
            let _ = self.stream.synchronize();
        }
    }
}

impl<'a> Ring<'a> {
    /// A ring for so many bytes, of smaller parts where there is little memory to be pinned.
    fn new(gpu: &'a Arc<Gpu>, bytes: usize) -> Result<Ring<'a>, BackendError> {
        let mut part = PART;
        loop {
            match Ring::of_parts(gpu, bytes, part) {
                Err(BackendError::OutOfMemory { .. }) if part > LEAST_PART => part /= 4,
                done => return done,
            }
        }
    }

    fn of_parts(gpu: &'a Arc<Gpu>, bytes: usize, part: usize) -> Result<Ring<'a>, BackendError> {
        // Behind everything that was asked of the device's arrays.
        let stream = gpu.bind()?.compute;
        let count = bytes.div_ceil(part).min(RING);
        let stage = |_| {
            let staging = Staging::new(gpu, bytes.min(part))?;
            let event = (count > 1).then(Event::new).transpose();
            let done = event.map_err(|fault| gpu.error(&fault, 0))?;
            Ok(Stage { staging, done })
        };
        Ok(Ring {
            gpu,
            stream,
            stages: (0..count).map(stage).collect::<Result<_, BackendError>>()?,
            part,
            is_busy: true,
        })
    }

    /// The stage of the part of this number.
    fn stage(&self, part: usize) -> &Stage {
        &self.stages[part % self.stages.len()]
    }

    /// Notes that the device has been asked for a part.
    fn mark(&self, part: usize) -> Result<(), Fault> {
        match &self.stage(part).done {
            Some(done) => done.record(self.stream),
            None => Ok(()),
        }
    }

    /// Waits until the device is done with a part.
    fn wait(&self, part: usize) -> Result<(), Fault> {
        match &self.stage(part).done {
            Some(done) => done.synchronize(),
            None => self.stream.synchronize(),
        }
    }
}

/// Copies bytes to an address on the device, after everything that was asked of it before.
///
/// # Errors
/// If there is no pinned memory, or what the driver says.
pub(crate) fn upload(gpu: &Arc<Gpu>, to: u64, bytes: &[u8]) -> Result<(), BackendError> {
    let mut ring = Ring::new(gpu, bytes.len())?;
    let sent = || {
        for (number, part) in bytes.chunks(ring.part).enumerate() {
            if number >= ring.stages.len() {
                ring.wait(number - ring.stages.len())?;
            }
            let staged = ring.stage(number).staging.pointer();
            let layout = Layout::new(&[part.len()], &[1], 1);
            let from = part.as_ptr().cast_mut();
            // SAFETY: the stage has room for a part, and the device is done with what was in it; the part is read only.
            unsafe {
                copy::copy(Way::Gather, &layout, from, staged, THREADS);
                let to = to + (number * ring.part) as u64;
                ring.stream.upload(to, staged, part.len())?;
            }
            ring.mark(number)?;
        }
        ring.stream.synchronize()
    };
    sent().map_err(|fault| gpu.error(&fault, 0))?;
    ring.is_busy = false;
    Ok(())
}

/// Copies bytes from an address on the device, once everything that was asked of it before is done.
///
/// # Errors
/// If there is no pinned memory, or what the driver says.
pub(crate) fn download(gpu: &Arc<Gpu>, from: u64, bytes: &mut [u8]) -> Result<(), BackendError> {
    let mut ring = Ring::new(gpu, bytes.len())?;
    let total = bytes.len();
    let ask = |number: usize| {
        let start = number * ring.part;
        if start >= total {
            return Ok(());
        }
        let staged = ring.stage(number).staging.pointer();
        // SAFETY: the stage has room for a part, and nobody reads what was in it any more.
        unsafe {
            let from = from + start as u64;
            ring.stream
                .download(staged, from, ring.part.min(total - start))?;
        }
        ring.mark(number)
    };
    let mut fetched = || {
        for number in 0..ring.stages.len() {
            ask(number)?;
        }
        for (number, part) in bytes.chunks_mut(ring.part).enumerate() {
            ring.wait(number)?;
            let staged = ring.stage(number).staging.pointer();
            let layout = Layout::new(&[part.len()], &[1], 1);
            // SAFETY: the device has written the part, and does not write the stage before it is asked to below.
            unsafe { copy::copy(Way::Scatter, &layout, part.as_mut_ptr(), staged, THREADS) };
            ask(number + ring.stages.len())?;
        }
        Ok(())
    };
    fetched().map_err(|fault: Fault| gpu.error(&fault, 0))?;
    ring.is_busy = false;
    Ok(())
}
