//! Launches on operands of the host: uploaded, computed and downloaded piece by piece, the three overlapped.
//!
//! An operand is sent as it is: an element that serves many is sent once, a single value goes with the launch. What does
//! not move from piece to piece is sent before the first. Pieces go round a few slots, each with memory of its own on both sides.
#![expect(
    unsafe_code,
    reason = "operands are raw memory that the caller vouches for"
)]

use crate::copy::{self, Layout, Way};
use crate::device::{Gpu, Started};
use crate::driver::{Event, Fault, Stream};
use crate::launch::{At, CudaLoop};
use crate::memory::{Block, Staging};
use crate::nest::{Nest, Piece};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use ufc_target::{BackendError, LaunchControl, LaunchReport};

/// Bytes that a piece moves, unless `UFC_CUDA_PIECE` says otherwise: enough that a copy runs at full speed.
const PIECE_BYTES: usize = 32 << 20;
/// Pieces in flight: one going up, one computed, one coming down.
const SLOTS: usize = 3;
/// Pieces are not cut smaller than this when memory runs out.
const LEAST_ELEMENTS: usize = 256;

fn piece_bytes() -> usize {
    let asked = std::env::var("UFC_CUDA_PIECE").ok();
    asked
        .and_then(|text| text.parse().ok())
        .unwrap_or(PIECE_BYTES)
}

/// Runs a loop on operands of the host, on each of its GPUs a part of the elements.
///
/// # Safety
/// As [`ufc_target::Executable::launch`].
pub(crate) unsafe fn run(
    code: &CudaLoop,
    nest: &Nest,
    pointers: &[*mut u8],
    control: &LaunchControl<'_>,
) -> Result<LaunchReport, BackendError> {
    let pointers: Vec<usize> = pointers.iter().map(|p| p.expose_provenance()).collect();
    let share = nest.elements().div_ceil(code.gpus.len());
    let parts: Vec<Piece> = match code.gpus.len() {
        1 => nest.pieces(usize::MAX).collect(),
        _ => nest.pieces(share).collect(),
    };
    let on_gpu = |number: usize| -> Result<LaunchReport, BackendError> {
        let gpu = &code.gpus[number];
        let mut report = LaunchReport::default();
        for piece in parts.iter().skip(number).step_by(code.gpus.len()) {
            let part = nest.of_piece(piece, nest.strides.clone());
            let moved = pointers.iter().zip(&nest.strides);
            let moved = moved.map(|(p, strides)| p.wrapping_add_signed(piece.offset(strides)));
            let call = Call {
                code,
                gpu,
                nest: &part,
                pointers: moved.collect(),
                control,
            };
            // SAFETY: as the caller says; the part's elements are some of the nest's.
            let done = unsafe { call.run()? };
            report.uploaded += done.uploaded;
            report.downloaded += done.downloaded;
            report.chunks += done.chunks;
        }
        Ok(report)
    };
    let reports: Vec<Result<LaunchReport, BackendError>> = match code.gpus.len() {
        1 => vec![on_gpu(0)],
        count => std::thread::scope(|scope| {
            let on_gpu = &on_gpu;
            let spawned: Vec<_> = (0..count).map(|n| scope.spawn(move || on_gpu(n))).collect();
            let failed = || BackendError::LaunchFailed("a thread of the launch died".into());
            let joined = spawned
                .into_iter()
                .map(|t| t.join().unwrap_or_else(|_| Err(failed())));
            joined.collect()
        }),
    };
    let mut total = LaunchReport {
        threads: code.gpus.len(),
        ..LaunchReport::default()
    };
    for report in reports {
        let report = report?;
        total.uploaded += report.uploaded;
        total.downloaded += report.downloaded;
        total.chunks += report.chunks;
    }
    Ok(total)
}

/// One launch on one GPU.
struct Call<'a> {
    code: &'a CudaLoop,
    gpu: &'a Arc<Gpu>,
    nest: &'a Nest,
    /// Addresses of the operands' first elements on the host.
    pointers: Vec<usize>,
    control: &'a LaunchControl<'a>,
}

/// How an operand reaches the device.
#[derive(Clone, Debug)]
enum Source {
    /// With the launch.
    Value([u8; 16]),
    /// Once, before the first piece.
    Constant(u64),
    /// With each piece.
    Moving,
}

/// What one piece in flight has.
struct Slot {
    /// Per operand that moves, its memory on the device and on the host.
    memory: Vec<Option<(Block, Staging)>>,
    uploaded: Event,
    computed: Event,
    downloaded: Event,
    /// The piece that is under way.
    piece: Option<Piece>,
}

/// The streams of a launch; a launch of one piece takes one stream for all.
#[derive(Clone, Copy)]
struct Streams {
    upload: Stream,
    compute: Stream,
    download: Stream,
    is_single: bool,
}

/// Waits for the streams when a launch ends, also if it failed: nothing may run on memory that is given back.
struct Settled<'a> {
    gpu: &'a Gpu,
    streams: Streams,
}

impl Drop for Settled<'_> {
    fn drop(&mut self) {
        if !self.gpu.is_dead() {
            for stream in [
                self.streams.upload,
                self.streams.compute,
                self.streams.download,
            ] {
                // What it reports has been reported by the call that failed.
                let _ = stream.synchronize();
            }
        }
    }
}

impl Call<'_> {
    fn inputs(&self) -> usize {
        self.code.func.params().len()
    }

    fn fault(&self) -> impl Fn(Fault) -> BackendError {
        |fault| self.gpu.error(&fault, 0)
    }

    /// Runs in pieces of the usual size, in smaller ones where memory runs out.
    ///
    /// # Safety
    /// As [`run`].
    unsafe fn run(&self) -> Result<LaunchReport, BackendError> {
        let started = self.gpu.bind()?;
        let element: usize = self.code.dtypes.iter().map(|d| d.size()).sum();
        let mut limit = (piece_bytes() / element.max(1)).max(1);
        limit = limit.min(self.nest.elements());
        loop {
            let mut report = LaunchReport::default();
            // SAFETY: as the caller says.
            let done = unsafe { self.in_pieces(started, limit, &mut report) };
            // Once outputs have been written, inputs at the same place are no longer what they were.
            let may_retry = report.downloaded == 0 && limit > LEAST_ELEMENTS;
            match done {
                Err(BackendError::OutOfMemory { .. }) if may_retry => limit /= 2,
                done => return done.map(|()| report),
            }
        }
    }

    /// # Safety
    /// As [`run`].
    unsafe fn in_pieces(
        &self,
        started: Started,
        limit: usize,
        report: &mut LaunchReport,
    ) -> Result<(), BackendError> {
        let pieces = self.nest.pieces(limit);
        let total = pieces.total();
        let is_single = total == 1;
        let compute = started.compute;
        let streams = Streams {
            upload: if is_single { compute } else { started.upload },
            compute,
            download: if is_single { compute } else { started.download },
            is_single,
        };
        report.chunks = total;
        let sources = self.sources(limit);
        let mut slots = (0..SLOTS.min(total))
            .map(|_| self.slot(&sources, limit))
            .collect::<Result<Vec<Slot>, _>>()?;
        let constants = self.constant_memory(&sources)?;
        // Declared after the memory, so that it is dropped, and waits, before.
        let settled = Settled {
            gpu: self.gpu,
            streams,
        };
        if !is_single {
            // Blocks that are reused may still be read by what is in the compute stream.
            let earlier = Event::new().map_err(self.fault())?;
            earlier.record(compute).map_err(self.fault())?;
            streams.upload.wait(&earlier).map_err(self.fault())?;
        }
        // SAFETY: as the caller says.
        let sources = unsafe { self.send_constants(streams, sources, &constants, report)? };
        for (number, piece) in pieces.enumerate() {
            if self
                .control
                .cancel
                .is_some_and(|c| c.load(Ordering::Relaxed))
            {
                return Err(BackendError::Cancelled);
            }
            let slot = &mut slots[number % SLOTS];
            // SAFETY: as the caller says.
            unsafe {
                self.finish(streams, slot, report)?;
                self.begin(streams, slot, &sources, piece, report)?;
            }
        }
        for number in total..total + SLOTS {
            if let Some(slot) = slots.get_mut(number % SLOTS) {
                // SAFETY: as the caller says.
                unsafe { self.finish(streams, slot, report)? };
            }
        }
        drop(settled);
        Ok(())
    }

    /// How each operand reaches the device, the addresses of constants not known yet.
    fn sources(&self, limit: usize) -> Vec<Source> {
        let cut = self.nest.cut(limit);
        let is_constant = |strides: &[isize]| match cut {
            // The dims that pieces differ in.
            Some((dim, _)) => strides[..=dim].iter().all(|s| *s == 0),
            None => false,
        };
        let strides = self.nest.strides.iter().enumerate();
        strides
            .map(|(operand, strides)| {
                let is_input = operand < self.inputs();
                if is_input && strides.iter().all(|s| *s == 0) {
                    let mut bytes = [0; 16];
                    let size = self.code.dtypes[operand].size();
                    let from = std::ptr::with_exposed_provenance::<u8>(self.pointers[operand]);
                    // SAFETY: the caller of the launch vouches that every element of every operand is readable.
                    unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), size) };
                    Source::Value(bytes)
                } else if is_input && is_constant(strides) {
                    Source::Constant(0)
                } else {
                    Source::Moving
                }
            })
            .collect()
    }

    /// Bytes of an operand in a box of this shape.
    fn layout(&self, operand: usize, shape: &[usize]) -> Layout {
        let size = self.code.dtypes[operand].size();
        Layout::new(shape, &self.nest.strides[operand], size)
    }

    /// The shape of the largest piece.
    fn largest(&self, limit: usize) -> Vec<usize> {
        let mut pieces = self.nest.pieces(limit);
        pieces.next().map(|piece| piece.shape).unwrap_or_default()
    }

    fn slot(&self, sources: &[Source], limit: usize) -> Result<Slot, BackendError> {
        let shape = self.largest(limit);
        let memory = sources.iter().enumerate().map(|(operand, source)| {
            let Source::Moving = source else {
                return Ok(None);
            };
            let bytes = self.layout(operand, &shape).bytes();
            let block = Block::new(self.gpu, bytes)?;
            Ok(Some((block, Staging::new(self.gpu, bytes)?)))
        });
        Ok(Slot {
            memory: memory.collect::<Result<_, BackendError>>()?,
            uploaded: Event::new().map_err(self.fault())?,
            computed: Event::new().map_err(self.fault())?,
            downloaded: Event::new().map_err(self.fault())?,
            piece: None,
        })
    }

    /// Memory for the operands that are sent once.
    fn constant_memory(
        &self,
        sources: &[Source],
    ) -> Result<Vec<Option<(Block, Staging)>>, BackendError> {
        let memory = sources.iter().enumerate().map(|(operand, source)| {
            let Source::Constant(_) = source else {
                return Ok(None);
            };
            let bytes = self.layout(operand, &self.nest.shape).bytes();
            let block = Block::new(self.gpu, bytes)?;
            Ok(Some((block, Staging::new(self.gpu, bytes)?)))
        });
        memory.collect()
    }

    /// # Safety
    /// As [`run`].
    unsafe fn send_constants(
        &self,
        streams: Streams,
        mut sources: Vec<Source>,
        memory: &[Option<(Block, Staging)>],
        report: &mut LaunchReport,
    ) -> Result<Vec<Source>, BackendError> {
        for (operand, memory) in memory.iter().enumerate() {
            if let Some((block, staging)) = memory {
                let layout = self.layout(operand, &self.nest.shape);
                // SAFETY: as the caller says.
                unsafe { self.send(streams.upload, operand, 0, &layout, block, staging)? };
                report.uploaded += layout.bytes() as u64;
                sources[operand] = Source::Constant(block.address);
            }
        }
        Ok(sources)
    }

    /// Copies an operand's elements to staging memory, and lets the stream take them to the device.
    ///
    /// # Safety
    /// As [`run`]; nothing uses the staging memory, and it stays until the stream has come by.
    unsafe fn send(
        &self,
        stream: Stream,
        operand: usize,
        offset: isize,
        layout: &Layout,
        block: &Block,
        staging: &Staging,
    ) -> Result<(), BackendError> {
        let from = self.pointers[operand].wrapping_add_signed(offset);
        let from = std::ptr::with_exposed_provenance_mut(from);
        let staged = staging.pointer();
        // SAFETY: as the caller says; both memories were had for this layout or a larger one.
        let sent = unsafe {
            copy::copy(Way::Gather, layout, from, staged, self.threads());
            stream.upload(block.address, staged, layout.bytes())
        };
        sent.map_err(self.fault())
    }

    fn threads(&self) -> usize {
        // Asked once: the answer comes from files of the system.
        static ALL: OnceLock<usize> = OnceLock::new();
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.control
            .threads
            .unwrap_or_else(|| *ALL.get_or_init(all))
    }

    /// Sends a piece's inputs, runs the kernel on them and asks for the outputs.
    ///
    /// # Safety
    /// As [`run`]; the slot is not in use.
    unsafe fn begin(
        &self,
        streams: Streams,
        slot: &mut Slot,
        sources: &[Source],
        piece: Piece,
        report: &mut LaunchReport,
    ) -> Result<(), BackendError> {
        let mut operands = Vec::new();
        let mut strides = Vec::new();
        for (operand, source) in sources.iter().enumerate() {
            let along = &self.nest.strides[operand];
            operands.push(match (source, &slot.memory[operand]) {
                (Source::Moving, Some((block, staging))) => {
                    if operand < self.inputs() {
                        let layout = self.layout(operand, &piece.shape);
                        let offset = piece.offset(along);
                        // SAFETY: as the caller says.
                        unsafe {
                            self.send(streams.upload, operand, offset, &layout, block, staging)?;
                        }
                        report.uploaded += layout.bytes() as u64;
                    }
                    At::Address(block.address)
                }
                (Source::Constant(address), _) => At::Address(*address),
                (Source::Value(bytes), _) => At::Value(*bytes),
                (Source::Moving, None) => unreachable!("what moves has memory in every slot"),
            });
            strides.push(compact(
                &piece.shape,
                along,
                self.code.dtypes[operand].size(),
            ));
        }
        if !streams.is_single {
            slot.uploaded.record(streams.upload).map_err(self.fault())?;
            streams.compute.wait(&slot.uploaded).map_err(self.fault())?;
        }
        let part = self.nest.of_piece(&piece, strides);
        // SAFETY: the blocks have room for the piece, and stay until the streams have been waited for.
        unsafe {
            self.code
                .enqueue(self.gpu, streams.compute, &part, &operands)?
        };
        if !streams.is_single {
            slot.computed
                .record(streams.compute)
                .map_err(self.fault())?;
            streams
                .download
                .wait(&slot.computed)
                .map_err(self.fault())?;
        }
        for operand in self.inputs()..sources.len() {
            if let Some((block, staging)) = &slot.memory[operand] {
                let bytes = self.layout(operand, &piece.shape).bytes();
                // SAFETY: both memories were had for a piece, and stay until the stream has been waited for.
                let asked = unsafe {
                    streams
                        .download
                        .download(staging.pointer(), block.address, bytes)
                };
                asked.map_err(self.fault())?;
            }
        }
        if !streams.is_single {
            slot.downloaded
                .record(streams.download)
                .map_err(self.fault())?;
        }
        slot.piece = Some(piece);
        Ok(())
    }

    /// Waits for the slot's piece, if there is one, and copies its outputs to the operands.
    ///
    /// # Safety
    /// As [`run`].
    unsafe fn finish(
        &self,
        streams: Streams,
        slot: &mut Slot,
        report: &mut LaunchReport,
    ) -> Result<(), BackendError> {
        let Some(piece) = slot.piece.take() else {
            return Ok(());
        };
        let waited = match streams.is_single {
            true => streams.compute.synchronize(),
            false => slot.downloaded.synchronize(),
        };
        waited.map_err(self.fault())?;
        for operand in self.inputs()..slot.memory.len() {
            if let Some((_, staging)) = &slot.memory[operand] {
                let offset = piece.offset(&self.nest.strides[operand]);
                let to = self.pointers[operand].wrapping_add_signed(offset);
                let to = std::ptr::with_exposed_provenance_mut(to);
                let layout = self.layout(operand, &piece.shape);
                // SAFETY: as the caller says; the piece's outputs are in the staging memory.
                unsafe {
                    copy::copy(Way::Scatter, &layout, to, staging.pointer(), self.threads());
                }
                report.downloaded += layout.bytes() as u64;
            }
        }
        if let Some(progress) = self.control.progress {
            progress.fetch_add(piece.elements() as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The steps of an operand whose elements in a box are packed; it still does not move where it did not.
fn compact(shape: &[usize], strides: &[isize], size: usize) -> Vec<isize> {
    let mut packed = vec![0; shape.len()];
    let mut step = size as isize;
    for dim in (0..shape.len()).rev() {
        if strides[dim] != 0 {
            packed[dim] = step;
            step *= shape[dim] as isize;
        }
    }
    packed
}
