//! Running a kernel: which variant a launch takes, and launches on operands that are on the device.
#![expect(unsafe_code, reason = "kernels are run on addresses")]

use crate::device::Gpu;
use crate::driver::{CallersContext, Kernel, Stream};
use crate::lower;
use crate::memory::CudaBuffer;
use crate::nest::Nest;
use crate::stream;
use crate::variant::{Access, Param, Variant, operand_dtypes, reciprocal};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use ufc_ir::{DType, Func};
use ufc_target::{
    BackendError, Buffer, DeviceArgs, DeviceOperand, Executable, InnerLoop, LaunchArgs,
    LaunchControl, LaunchReport,
};

/// Threads in a block. Any kernel may have so many: the registers of a multiprocessor are enough for 256 threads that
/// take all they can have.
const THREADS: usize = 256;
/// Blocks per multiprocessor at most, where every element takes as long as another: each thread then does several.
const BLOCKS_EACH: usize = 32;
/// Most blocks in one launch.
const MOST_BLOCKS: usize = 1 << 16;
/// Most elements in one launch, so that indices have 31 bits.
const MOST_ELEMENTS: usize = (1 << 31) - 1 - MOST_BLOCKS * THREADS;
/// Most instructions of the elements that a thread does at a time.
const MOST_INSTRUCTIONS: usize = 256;
/// Most elements that a thread does at a time.
const MOST_VECTOR: usize = 16;
/// Most bytes of kernel parameters.
const MOST_PARAMS: usize = 4096;

/// Where an operand is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    /// An address on the device.
    Address(u64),
    /// A single value in little-endian bytes.
    Value([u8; 16]),
}

/// A kernel for one or more GPUs, compiled for a variant when that is first launched.
pub(crate) struct CudaLoop {
    pub func: Func,
    pub dtypes: Vec<DType>,
    has_loop: bool,
    /// How many elements a thread does at a time where all operands are packed.
    vector: usize,
    /// How many positions it asks for.
    positions: usize,
    pub gpus: Vec<Arc<Gpu>>,
    /// By the GPU's place among them, and what the kernel is for.
    kernels: Mutex<HashMap<(usize, Variant), Compiled>>,
    /// Nanoseconds that compiling them took.
    compiling: AtomicU64,
}

/// A kernel, and what it is given.
#[derive(Clone)]
struct Compiled {
    kernel: Kernel,
    params: Arc<[Param]>,
}

impl fmt::Debug for CudaLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.gpus.iter().map(|gpu| gpu.full_name()).collect();
        write!(f, "CudaLoop({} on {})", self.func.name, names.join(", "))
    }
}

/// How many elements a thread does at a time where all operands are packed: as many as fill 16 bytes of the smallest,
/// but not so many that the code grows out of bounds. Loops are not repeated: their threads would wait for each other.
pub(crate) fn vector_of(func: &Func, wanted: Option<usize>) -> usize {
    let dtypes = operand_dtypes(func);
    if let Some(wanted) = wanted {
        return wanted.clamp(1, MOST_VECTOR).next_power_of_two();
    }
    if has_loop(func) {
        return 1;
    }
    let smallest = dtypes.iter().map(|d| d.size()).min().unwrap_or(16);
    let fits = (MOST_INSTRUCTIONS / func.size().max(1)).max(1);
    let largest = 1 << fits.ilog2();
    (16 / smallest).clamp(1, MOST_VECTOR).min(largest)
}

fn has_loop(func: &Func) -> bool {
    let mut found = false;
    func.for_each_inst(|_, inst| {
        found |= matches!(func.insts[inst].kind, ufc_ir::func::InstKind::Loop { .. });
    });
    found
}

impl CudaLoop {
    pub(crate) fn new(func: &Func, vector: Option<usize>, gpus: Vec<Arc<Gpu>>) -> CudaLoop {
        CudaLoop {
            func: func.clone(),
            dtypes: operand_dtypes(func),
            has_loop: has_loop(func),
            vector: vector_of(func, vector),
            positions: ufc_target::launch::positions(func).len(),
            gpus,
            kernels: Mutex::default(),
            compiling: AtomicU64::new(0),
        }
    }

    /// Runs the nest on operands of this GPU when the stream comes to it, in parts where there are very many elements.
    ///
    /// # Safety
    /// Every element that the addresses, strides and shape reach is in memory of the device that stays until the stream
    /// has come by.
    pub(crate) unsafe fn enqueue(
        &self,
        gpu: &Gpu,
        stream: Stream,
        nest: &Nest,
        operands: &[At],
    ) -> Result<(), BackendError> {
        if nest.elements() <= MOST_ELEMENTS {
            // SAFETY: as the caller says.
            return unsafe { self.part(gpu, stream, nest, operands) };
        }
        for piece in nest.pieces(MOST_ELEMENTS) {
            let part = nest.of_piece(&piece, nest.strides.clone());
            let moved = |(at, strides): (&At, &Vec<isize>)| match at {
                At::Address(address) => {
                    At::Address(address.wrapping_add_signed(piece.offset(strides) as i64))
                }
                At::Value(bytes) => At::Value(*bytes),
            };
            let operands: Vec<At> = operands.iter().zip(&nest.strides).map(moved).collect();
            // SAFETY: as the caller says; the part's elements are some of the nest's.
            unsafe { self.part(gpu, stream, &part, &operands)? };
        }
        Ok(())
    }

    /// # Safety
    /// As [`CudaLoop::enqueue`].
    unsafe fn part(
        &self,
        gpu: &Gpu,
        stream: Stream,
        nest: &Nest,
        operands: &[At],
    ) -> Result<(), BackendError> {
        let variant = self.variant(nest, operands);
        let count = nest.elements();
        let work = (count / variant.vector).max(1).div_ceil(THREADS);
        let most = match self.has_loop {
            // Turns differ: the hardware shares blocks out as they end.
            true => usize::MAX,
            false => BLOCKS_EACH * gpu.facts.multiprocessors as usize,
        };
        let blocks = work.min(most).clamp(1, MOST_BLOCKS);
        let Compiled { kernel, params } = self.compiled(gpu, variant)?;
        let params = params.iter().map(|p| self.param(*p, nest, operands));
        let params: Vec<u64> = params.collect();
        // Memory that each thread has for itself is asked for by the driver. SAFETY: as the caller says; the parameters are
        // those of the variant.
        let launched = gpu
            .with_room(|| unsafe { kernel.launch(stream, blocks as u32, THREADS as u32, &params) });
        launched.map_err(|fault| gpu.error(&fault, 0))
    }

    /// The variant for operands at these places.
    fn variant(&self, nest: &Nest, operands: &[At]) -> Variant {
        let single = nest.shape.is_empty();
        let inputs = self.func.params().len();
        let packed = packed_strides(&nest.shape);
        let mut access = Vec::new();
        for (operand, at) in operands.iter().enumerate() {
            let dtype = self.dtypes[operand];
            let (strides, align) = (&nest.strides[operand], dtype.part().size() as u64);
            let At::Address(address) = at else {
                access.push(Access::Value);
                continue;
            };
            let aligned = address.is_multiple_of(align)
                && strides
                    .iter()
                    .all(|s| (s.unsigned_abs() as u64).is_multiple_of(align));
            let size = dtype.size() as isize;
            access.push(match aligned {
                false => Access::Bytes,
                true if operand < inputs && strides.iter().all(|s| *s == 0) => Access::Uniform,
                true if single || strides.iter().zip(&packed).all(|(s, p)| *s == p * size) => {
                    Access::Packed
                }
                true => Access::Strided,
            });
        }
        let rank = nest.shape.len().max(1);
        let mut vector = if rank == 1 { self.vector } else { 1 };
        for ((at, access), dtype) in operands.iter().zip(&access).zip(&self.dtypes) {
            let whole = (vector * dtype.size()).min(16) as u64;
            match (access, at) {
                (Access::Strided | Access::Bytes, _) => vector = 1,
                (Access::Packed, At::Address(address)) if !address.is_multiple_of(whole) => {
                    vector = 1
                }
                _ => {}
            }
        }
        if nest.elements() < vector {
            vector = 1;
        }
        Variant {
            rank,
            wide: self.is_wide(nest, &access),
            vector,
            access,
        }
    }

    /// Whether an offset in bytes may not fit into 32 bits.
    fn is_wide(&self, nest: &Nest, access: &[Access]) -> bool {
        nest.strides.iter().zip(access).any(|(strides, access)| {
            let moves = nest.shape.iter().zip(strides);
            let reach: u128 = moves
                .map(|(n, stride)| (*n as u128) * stride.unsigned_abs() as u128)
                .sum();
            matches!(access, Access::Strided | Access::Bytes) && reach >= 1 << 31
        })
    }

    fn param(&self, param: Param, nest: &Nest, operands: &[At]) -> u64 {
        let dim = |d: usize| nest.shape.get(d).copied().unwrap_or(1);
        // A single element has a variant of one loop dim along which nothing moves.
        match param {
            Param::Count => nest.elements() as u64,
            Param::Dim(d) => dim(d) as u64,
            Param::Magic(d) => reciprocal(dim(d) as u32).0.into(),
            Param::Shift(d) => reciprocal(dim(d) as u32).1.into(),
            Param::Pointer(operand) => match operands[operand] {
                At::Address(address) => address,
                At::Value(_) => 0,
            },
            Param::Stride(operand, d) => {
                nest.strides[operand].get(d).copied().unwrap_or(0) as i64 as u64
            }
            Param::Value(operand, part) => match operands[operand] {
                At::Value(bytes) => {
                    let size = self.dtypes[operand].part().size();
                    let bits = u128::from_le_bytes(bytes) >> (8 * size * part);
                    (bits as u64) & (u64::MAX >> (64 - 8 * size))
                }
                At::Address(_) => 0,
            },
            Param::Base(slot) => nest.bases[slot] as u64,
            Param::Step(slot, d) => nest.steps[slot].get(d).copied().unwrap_or(0) as u64,
        }
    }

    /// The kernel of a variant, compiled now if it was not before.
    fn compiled(&self, gpu: &Gpu, variant: Variant) -> Result<Compiled, BackendError> {
        let ordinal = self
            .gpus
            .iter()
            .position(|g| g.name == gpu.name)
            .unwrap_or(0);
        let lock = || self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (ordinal, variant);
        if let Some(found) = lock().get(&key) {
            return Ok(found.clone());
        }
        let params: Arc<[Param]> = key.1.params(&self.func).iter().map(|p| p.0).collect();
        if params.len() * 8 > MOST_PARAMS {
            let what = format!("a kernel of {} parameters", params.len());
            return Err(BackendError::Unsupported(what));
        }
        let start = Instant::now();
        let module = lower::lower(&self.func, &key.1)?;
        let (text, entry) = (module.to_string(), &module.entry);
        let loaded =
            Kernel::load(&text, entry).or_else(|failed| match gpu.has_made_room(&failed.0) {
                true => Kernel::load(&text, entry),
                false => Err(failed),
            });
        let taken = start.elapsed().as_nanos() as u64;
        self.compiling.fetch_add(taken, Ordering::Relaxed);
        let kernel = loaded.map_err(|(fault, log)| match gpu.error(&fault, 0) {
            BackendError::LaunchFailed(said) if fault.is_without_compiler() => {
                BackendError::Unsupported(format!("compiling kernels: {said}"))
            }
            BackendError::LaunchFailed(said) => {
                let log = if log.is_empty() {
                    "no log".to_string()
                } else {
                    log
                };
                BackendError::CompileFailed(format!("{said}\n{log}"))
            }
            lost => lost,
        })?;
        let compiled = Compiled { kernel, params };
        lock().insert(key, compiled.clone());
        Ok(compiled)
    }

    /// # Errors
    /// If operands or positions are not as many as the function has.
    pub(crate) fn check_counts(
        &self,
        operands: usize,
        strides: usize,
        indices: usize,
    ) -> Result<(), BackendError> {
        let slots = self.positions;
        if operands == self.dtypes.len() && strides == operands && indices == slots {
            return Ok(());
        }
        let wanted = self.dtypes.len();
        let what = format!(
            "{operands} operands, {strides} lists of strides and {indices} positions were given, \
             {wanted}, {wanted} and {slots} are needed"
        );
        Err(BackendError::LaunchFailed(what))
    }

    /// Where a device operand is, once it is known that every element of it is in its buffer.
    fn resident(
        &self,
        gpu: &Gpu,
        number: usize,
        operand: &DeviceOperand,
        nest: &Nest,
    ) -> Result<At, BackendError> {
        let (dtype, strides) = (self.dtypes[number], &nest.strides[number]);
        let (buffer, offset) = match operand {
            DeviceOperand::Value(bytes) => {
                let is_output = number >= self.func.params().len();
                if is_output || strides.iter().any(|stride| *stride != 0) {
                    let what = format!("operand {number} is a value, but it moves or is an output");
                    return Err(BackendError::LaunchFailed(what));
                }
                return Ok(At::Value(*bytes));
            }
            DeviceOperand::Buffer { buffer, offset } => (buffer, *offset),
        };
        let Some(buffer) = buffer.as_any().downcast_ref::<CudaBuffer>() else {
            let place = format!("{}:{}", buffer.backend(), buffer.device());
            let what = format!("operand {number}, which is on `{place}`");
            return Err(BackendError::Unsupported(what));
        };
        if buffer.gpu.name != gpu.name {
            let (here, there) = (gpu.full_name(), buffer.gpu.full_name());
            let what = format!("operand {number} is on `{there}`, not on `{here}`");
            return Err(BackendError::LaunchFailed(what));
        }
        let (mut low, mut high) = (offset as i128, offset as i128 + dtype.size() as i128);
        for (n, stride) in nest.shape.iter().zip(strides) {
            let end = (*n as i128 - 1) * *stride as i128;
            low += end.min(0);
            high += end.max(0);
        }
        if low < 0 || high > buffer.size() as i128 {
            let size = buffer.size();
            let what = format!("operand {number} reaches from {low} to {high} of {size} bytes");
            return Err(BackendError::LaunchFailed(what));
        }
        Ok(At::Address(buffer.address + offset as u64))
    }
}

/// Whether an operand is in memory that others allocated.
fn is_foreign(operand: &DeviceOperand) -> bool {
    let DeviceOperand::Buffer { buffer, .. } = operand else {
        return false;
    };
    let buffer = buffer.as_any().downcast_ref::<CudaBuffer>();
    buffer.is_some_and(CudaBuffer::is_foreign)
}

/// The steps in elements of an operand that is packed.
fn packed_strides(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![0; shape.len()];
    let mut step = 1;
    for (stride, n) in strides.iter_mut().zip(shape).rev() {
        *stride = step;
        step *= *n as isize;
    }
    strides
}

impl Executable for CudaLoop {
    unsafe fn launch(
        &self,
        args: &LaunchArgs<'_>,
        control: &LaunchControl<'_>,
    ) -> Result<LaunchReport, BackendError> {
        self.check_counts(args.pointers.len(), args.strides.len(), args.indices.len())?;
        let nest = Nest::new(args.shape, args.strides, args.indices)?;
        if nest.elements() == 0 {
            return Ok(LaunchReport::on_host(1));
        }
        let _callers = CallersContext::keep();
        // SAFETY: as the caller says.
        unsafe { stream::run(self, &nest, args.pointers, control) }
    }

    fn launch_on_device(
        &self,
        args: &DeviceArgs<'_>,
        control: &LaunchControl<'_>,
    ) -> Result<LaunchReport, BackendError> {
        self.check_counts(args.operands.len(), args.strides.len(), args.indices.len())?;
        let nest = Nest::new(args.shape, args.strides, args.indices)?;
        let [gpu] = &self.gpus[..] else {
            let what = "operands on a device in a launch on several GPUs";
            return Err(BackendError::Unsupported(what.to_string()));
        };
        let report = LaunchReport::on_host(1);
        if nest.elements() == 0 {
            return Ok(report);
        }
        if control.cancel.is_some_and(|c| c.load(Ordering::Relaxed)) {
            return Err(BackendError::Cancelled);
        }
        let operands = args.operands.iter().enumerate();
        let operands = operands
            .map(|(number, operand)| self.resident(gpu, number, operand, &nest))
            .collect::<Result<Vec<At>, _>>()?;
        let _callers = CallersContext::keep();
        let stream = gpu.bind()?.compute;
        // SAFETY: every element is in its buffer; a buffer that is dropped meanwhile is reused in the same stream only, and
        // one whose memory others allocated is waited for.
        let enqueued = unsafe { self.enqueue(gpu, stream, &nest, &operands) };
        if args.operands.iter().any(is_foreign) {
            stream.synchronize().map_err(|fault| gpu.error(&fault, 0))?;
        }
        enqueued?;
        if let Some(progress) = control.progress {
            progress.fetch_add(nest.elements() as u64, Ordering::Relaxed);
        }
        Ok(report)
    }

    fn compiling(&self) -> Duration {
        Duration::from_nanos(self.compiling.load(Ordering::Relaxed))
    }

    fn threads(&self, _elements: usize, _control: &LaunchControl<'_>) -> (usize, String) {
        let count = self.gpus.len();
        (
            count,
            "each GPU is fed by one thread of the host".to_string(),
        )
    }

    fn inner_loop(&self) -> Option<InnerLoop> {
        None
    }
}
