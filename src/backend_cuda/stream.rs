//! Launches on operands of the host: uploaded, computed and downloaded piece by piece, the three overlapped, on one or more GPUs.
//!
//! An operand is sent as it is: an element that serves many is sent once, a single value goes with the launch. What does
//! not move from piece to piece is sent before the first. Pieces go round a few slots, each with memory of its own on both
//! sides. Several GPUs take pieces from one queue, so that a faster one does more of them.
#![expect(
    unsafe_code,
    reason = "operands are raw memory that the caller vouches for"
)]

use crate::copy::{self, Layout, Way};
use crate::device::Gpu;
use crate::driver::{Event, Fault, Stream};
use crate::launch::{At, CudaLoop};
use crate::memory::{Block, Staging};
use crate::nest::{Nest, Piece, Pieces};
use crate::pieces::Cut;
use crate::slot::{Places, Slot};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use ufc_target::{BackendError, LaunchControl, LaunchReport};

/// Runs a loop on operands of the host, on each of its GPUs some of the elements.
///
/// # Safety
/// As [`ufc_target::Executable::launch`].
pub(crate) unsafe fn run(
    code: &CudaLoop,
    nest: &Nest,
    pointers: &[*mut u8],
    control: &LaunchControl<'_>,
) -> Result<LaunchReport, BackendError> {
    let call = Call {
        code,
        nest,
        pointers: pointers.iter().map(|p| p.expose_provenance()).collect(),
        control,
    };
    let mut cut = Cut::new(&code.gpus, nest.elements(), call.bytes_each())?;
    let mut left = nest.whole();
    let mut report = LaunchReport::default();
    loop {
        // SAFETY: as the caller says.
        let done = unsafe { call.in_pieces(cut, &mut left, &mut report) };
        let Err(BackendError::OutOfMemory { device, .. }) = done else {
            return done.map(|()| report);
        };
        // What was written is not computed again: an input at the same place is no longer what it was. All else still is.
        cut = cut.smaller().ok_or_else(|| {
            let bytes = (call.places(&call.largest(cut.limit)).end * cut.slots) as u64;
            BackendError::OutOfMemory { device, bytes }
        })?;
        for gpu in &code.gpus {
            gpu.give_back_memory()?;
        }
    }
}

/// One launch.
struct Call<'a> {
    code: &'a CudaLoop,
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
    Constant,
    /// With each piece.
    Moving,
}

/// The pieces that no GPU has taken yet.
struct Queue {
    pieces: Mutex<Pieces>,
    /// Set when one GPU has failed: the others finish what they have begun.
    has_failed: AtomicBool,
}

impl Queue {
    fn pieces(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call<'_> {
    fn inputs(&self) -> usize {
        self.code.func.params().len()
    }

    /// Whether an operand is one value for all elements.
    fn is_value(&self, operand: usize) -> bool {
        operand < self.inputs() && self.nest.strides[operand].iter().all(|s| *s == 0)
    }

    /// Bytes of one element of every operand that is sent or fetched.
    fn bytes_each(&self) -> usize {
        let sent = (0..self.pointers.len()).filter(|operand| !self.is_value(*operand));
        sent.map(|operand| self.code.dtypes[operand].size()).sum()
    }

    /// Where the elements of an operand are, in a box of this shape.
    fn layout(&self, operand: usize, shape: &[usize]) -> Layout {
        let size = self.code.dtypes[operand].size();
        Layout::new(shape, &self.nest.strides[operand], size)
    }

    /// Where the operands that are not single values are in a slot for a box of this shape.
    fn places(&self, shape: &[usize]) -> Places {
        let layout = |operand| (!self.is_value(operand)).then(|| self.layout(operand, shape));
        Places::new((0..self.pointers.len()).map(layout), self.inputs())
    }

    /// The shape of the largest piece.
    fn largest(&self, limit: usize) -> Vec<usize> {
        let mut pieces = self.nest.pieces(limit);
        pieces.next().map(|piece| piece.shape).unwrap_or_default()
    }

    /// How each operand reaches the device.
    fn sources(&self, limit: usize) -> Vec<Source> {
        let cut = self.nest.cut(limit);
        let is_constant = |strides: &[isize]| match cut {
            // The dims that pieces differ in.
            Some((dim, _)) => strides[..=dim].iter().all(|s| *s == 0),
            None => false,
        };
        let source = |operand: usize| {
            if self.is_value(operand) {
                let mut bytes = [0; 16];
                let size = self.code.dtypes[operand].size();
                let from = std::ptr::with_exposed_provenance::<u8>(self.pointers[operand]);
                // SAFETY: the caller of the launch vouches that every element of every operand is readable.
                unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), size) };
                Source::Value(bytes)
            } else if operand < self.inputs() && is_constant(&self.nest.strides[operand]) {
                Source::Constant
            } else {
                Source::Moving
            }
        };
        (0..self.pointers.len()).map(source).collect()
    }

    fn threads(&self) -> usize {
        // Asked once: the answer comes from files of the system.
        static ALL: OnceLock<usize> = OnceLock::new();
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.control
            .threads
            .unwrap_or_else(|| *ALL.get_or_init(all))
    }

    /// Runs what is left in pieces of at most so many elements. After an error, what is left are the pieces whose outputs have
    /// not been written; the report counts what was done in any case.
    ///
    /// # Safety
    /// As [`run`].
    unsafe fn in_pieces(
        &self,
        cut: Cut,
        left: &mut Vec<Piece>,
        report: &mut LaunchReport,
    ) -> Result<(), BackendError> {
        let pieces = self.nest.pieces_of(left.clone(), cut.limit);
        let total = pieces.total();
        let queue = Queue {
            pieces: Mutex::new(pieces),
            has_failed: AtomicBool::new(false),
        };
        // All memory that we ask for is there before the first piece is begun. The driver may need more for itself.
        let gpus = self.code.gpus.iter().take(total);
        let lanes = gpus.map(|gpu| Lane::new(self, gpu, cut, total));
        let mut lanes = lanes.collect::<Result<Vec<Lane<'_>>, _>>()?;
        // SAFETY: as the caller says; each GPU does other elements.
        let on_lane = |lane: &mut Lane<'_>| unsafe {
            let done = lane.run(&queue);
            if done.is_err() {
                queue.has_failed.store(true, Ordering::Relaxed);
            }
            done
        };
        let results: Vec<Result<(), BackendError>> = match &mut lanes[..] {
            [lane] => vec![on_lane(lane)],
            lanes => std::thread::scope(|scope| {
                let on_lane = &on_lane;
                let spawned = lanes.iter_mut().map(|lane| scope.spawn(|| on_lane(lane)));
                let spawned: Vec<_> = spawned.collect();
                let failed = || BackendError::LaunchFailed("a thread of the launch died".into());
                let joined = spawned.into_iter().map(|thread| thread.join());
                joined
                    .map(|done| done.unwrap_or_else(|_| Err(failed())))
                    .collect()
            }),
        };
        report.threads = report.threads.max(lanes.len());
        for lane in &lanes {
            report.uploaded += lane.report.uploaded;
            report.downloaded += lane.report.downloaded;
            report.chunks += lane.report.chunks;
        }
        drop(lanes);
        let pieces = queue.pieces.into_inner();
        *left = pieces.unwrap_or_else(PoisonError::into_inner).into_left();
        // Want of memory is what can be helped, so any other error counts first.
        let (short, others): (Vec<_>, Vec<_>) = results
            .into_iter()
            .filter_map(Result::err)
            .partition(is_short);
        others.into_iter().chain(short).next().map_or(Ok(()), Err)
    }
}

/// The streams of one GPU's part in a launch; with one piece at a time, one stream does for all.
#[derive(Clone, Copy)]
struct Streams {
    upload: Stream,
    compute: Stream,
    download: Stream,
}

/// One GPU's part in a launch.
struct Lane<'a> {
    call: &'a Call<'a>,
    gpu: &'a Arc<Gpu>,
    streams: Streams,
    sources: Vec<Source>,
    /// Per operand that is sent once, its memory.
    constants: Vec<Option<(Layout, Block, Staging)>>,
    slots: Vec<Slot>,
    /// Whether something may still run on its memory.
    is_busy: bool,
    report: LaunchReport,
}

impl Drop for Lane<'_> {
    /// Nothing may run on memory that is given back.
    fn drop(&mut self) {
        if self.is_busy && !self.gpu.is_dead() {
            let Streams {
                upload,
                compute,
                download,
            } = self.streams;
            for stream in [upload, compute, download] {
                // What it reports has been reported by the call that failed.
                let _ = stream.synchronize();
            }
        }
    }
}

impl<'a> Lane<'a> {
    /// Gets all memory that pieces of this size take.
    fn new(
        call: &'a Call<'a>,
        gpu: &'a Arc<Gpu>,
        cut: Cut,
        total: usize,
    ) -> Result<Lane<'a>, BackendError> {
        let started = gpu.bind()?;
        let sources = call.sources(cut.limit);
        let count = cut.slots.min(total);
        let is_single = count == 1;
        let compute = started.compute;
        let mut lane = Lane {
            call,
            gpu,
            streams: Streams {
                upload: if is_single { compute } else { started.upload },
                compute,
                download: if is_single { compute } else { started.download },
            },
            sources,
            constants: Vec::new(),
            slots: Vec::new(),
            is_busy: false,
            report: LaunchReport::default(),
        };
        for operand in 0..lane.sources.len() {
            lane.constants.push(match lane.sources[operand] {
                Source::Constant => {
                    let layout = call.layout(operand, &call.nest.shape);
                    let block = Block::new(gpu, layout.bytes())?;
                    let staging = Staging::new(gpu, layout.bytes())?;
                    Some((layout, block, staging))
                }
                Source::Value(_) | Source::Moving => None,
            });
        }
        let places = lane.places(&call.largest(cut.limit));
        for _ in 0..count {
            lane.slots.push(Slot::new(gpu, places.end, is_single)?);
        }
        Ok(lane)
    }

    fn fault(&self) -> impl Fn(Fault) -> BackendError {
        |fault| self.gpu.error(&fault, 0)
    }

    /// Where the operands that move are in a slot for a piece of this shape.
    fn places(&self, shape: &[usize]) -> Places {
        let layout = |(operand, source): (usize, &Source)| match source {
            Source::Moving => Some(self.call.layout(operand, shape)),
            Source::Value(_) | Source::Constant => None,
        };
        let layouts = self.sources.iter().enumerate().map(layout);
        Places::new(layouts, self.call.inputs())
    }

    /// Does pieces of the queue until there is none. If memory runs out, what was begun is finished, and pieces that could not be
    /// are given back.
    ///
    /// # Safety
    /// As [`run`].
    unsafe fn run(&mut self, queue: &Queue) -> Result<(), BackendError> {
        self.gpu.bind()?;
        self.is_busy = true;
        let count = self.slots.len();
        if count > 1 {
            // Blocks that are reused may still be read by what is in the compute stream.
            let earlier = Event::new().map_err(self.fault())?;
            earlier.record(self.streams.compute).map_err(self.fault())?;
            self.streams.upload.wait(&earlier).map_err(self.fault())?;
        }
        // SAFETY: as the caller says.
        unsafe { self.send_constants()? };
        let mut turn = 0;
        let mut done = Ok(());
        while !queue.has_failed.load(Ordering::Relaxed) {
            let cancel = self.call.control.cancel;
            if cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
                return Err(BackendError::Cancelled);
            }
            // SAFETY: as the caller says.
            done = unsafe { self.finish(turn % count, queue) };
            let Some(piece) = done.as_ref().ok().and_then(|()| queue.pieces().next()) else {
                break;
            };
            // SAFETY: as the caller says; the slot is free.
            done = unsafe { self.begin(turn % count, &piece) };
            if done.is_err() {
                queue.pieces().put_back(piece);
                break;
            }
            turn += 1;
        }
        if done.as_ref().is_err_and(|error| !is_short(error)) {
            return done;
        }
        for later in 0..count {
            // SAFETY: as the caller says.
            match unsafe { self.finish((turn + later) % count, queue) } {
                Err(error) if is_short(&error) => done = Err(error),
                finished => finished?,
            }
        }
        self.is_busy = done.is_err();
        done
    }

    /// # Safety
    /// As [`run`].
    unsafe fn send_constants(&mut self) -> Result<(), BackendError> {
        for (operand, memory) in self.constants.iter().enumerate() {
            if let Some((layout, block, staging)) = memory {
                let from = std::ptr::with_exposed_provenance_mut(self.call.pointers[operand]);
                let (staged, bytes) = (staging.pointer(), layout.bytes());
                // SAFETY: as the caller says; both memories were had for this layout.
                let sent = unsafe {
                    copy::copy(Way::Gather, layout, from, staged, self.call.threads());
                    self.streams.upload.upload(block.address, staged, bytes)
                };
                sent.map_err(self.fault())?;
                self.report.uploaded += bytes as u64;
            }
        }
        Ok(())
    }

    /// Where an operand's elements of a piece begin on the host.
    fn host(&self, operand: usize, piece: &Piece) -> *mut u8 {
        let offset = piece.offset(&self.call.nest.strides[operand]);
        let address = self.call.pointers[operand].wrapping_add_signed(offset);
        std::ptr::with_exposed_provenance_mut(address)
    }

    /// Sends a piece's inputs, runs the kernel on them and asks for the outputs.
    ///
    /// # Safety
    /// As [`run`]; the slot is not in use.
    unsafe fn begin(&mut self, slot: usize, piece: &Piece) -> Result<(), BackendError> {
        let places = self.places(&piece.shape);
        let Streams {
            upload,
            compute,
            download,
        } = self.streams;
        let Slot {
            block,
            staging,
            events,
            ..
        } = &self.slots[slot];
        let staged = staging.pointer();
        for (operand, layout, offset) in places.of(true) {
            let from = self.host(operand, piece);
            // SAFETY: as the caller says; the slot has room for any piece.
            unsafe {
                let to = staged.add(offset);
                copy::copy(Way::Gather, layout, from, to, self.call.threads());
            }
            self.report.uploaded += layout.bytes() as u64;
        }
        if places.middle > 0 {
            // SAFETY: both memories have so many bytes, and stay until the streams have been waited for.
            let sent = unsafe { upload.upload(block.address, staged, places.middle) };
            sent.map_err(self.fault())?;
        }
        if let Some(events) = events {
            events.uploaded.record(upload).map_err(self.fault())?;
            compute.wait(&events.uploaded).map_err(self.fault())?;
        }
        let (operands, strides) = self.on_device(&places, piece, block.address);
        let part = self.call.nest.of_piece(piece, strides);
        // SAFETY: the blocks have room for the piece, and stay until the streams have been waited for.
        unsafe {
            self.call
                .code
                .enqueue(self.gpu, compute, &part, &operands)?
        };
        if let Some(events) = events {
            events.computed.record(compute).map_err(self.fault())?;
            download.wait(&events.computed).map_err(self.fault())?;
        }
        let (middle, bytes) = (places.middle, places.end - places.middle);
        // SAFETY: both memories have so many bytes, and stay until the stream has been waited for.
        let asked = unsafe {
            let from = block.address + middle as u64;
            download.download(staged.add(middle), from, bytes)
        };
        asked.map_err(self.fault())?;
        if let Some(events) = events {
            events.downloaded.record(download).map_err(self.fault())?;
        }
        self.slots[slot].piece = Some((piece.clone(), places));
        Ok(())
    }

    /// Where each operand of a piece is on the device, and its steps there.
    fn on_device(
        &self,
        places: &Places,
        piece: &Piece,
        address: u64,
    ) -> (Vec<At>, Vec<Vec<isize>>) {
        let operands = self.sources.iter().enumerate().map(|(operand, source)| {
            let at = match (source, &self.constants[operand], &places.operands[operand]) {
                (Source::Value(bytes), ..) => At::Value(*bytes),
                (Source::Constant, Some((_, block, _)), _) => At::Address(block.address),
                (Source::Moving, _, Some((_, offset))) => At::Address(address + *offset as u64),
                _ => unreachable!("what is sent has memory"),
            };
            let along = &self.call.nest.strides[operand];
            let size = self.call.code.dtypes[operand].size();
            (at, compact(&piece.shape, along, size))
        });
        operands.unzip()
    }

    /// Waits for the slot's piece, if there is one, and copies its outputs to the operands. A piece that is not done is given
    /// back.
    ///
    /// # Safety
    /// As [`run`].
    unsafe fn finish(&mut self, slot: usize, queue: &Queue) -> Result<(), BackendError> {
        let Some((piece, places)) = self.slots[slot].piece.take() else {
            return Ok(());
        };
        let waited = match &self.slots[slot].events {
            None => self.streams.compute.synchronize(),
            Some(events) => events.downloaded.synchronize(),
        };
        if let Err(fault) = waited {
            queue.pieces().put_back(piece);
            return Err(self.gpu.error(&fault, 0));
        }
        let staged = self.slots[slot].staging.pointer();
        for (operand, layout, offset) in places.of(false) {
            let to = self.host(operand, &piece);
            // SAFETY: as the caller says; the piece's outputs are in the staging memory.
            unsafe {
                let from = staged.add(offset);
                copy::copy(Way::Scatter, layout, to, from, self.call.threads());
            }
            self.report.downloaded += layout.bytes() as u64;
        }
        self.report.chunks += 1;
        if let Some(progress) = self.call.control.progress {
            progress.fetch_add(piece.elements() as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Whether memory has run out, so that smaller pieces may help.
fn is_short(error: &BackendError) -> bool {
    matches!(error, BackendError::OutOfMemory { .. })
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
