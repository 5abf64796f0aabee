//! Running a compiled loop over its loop dims: blocks of bounded time, shared out among threads.
#![expect(
    unsafe_code,
    reason = "generated code is called on operands that are raw addresses"
)]

use crate::Launches;
use crate::clif::jit::Code;
use crate::threads::{all_threads, pool};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use ufc_ir::{Func, cost};
use ufc_target::{
    BackendError, Executable, Index, InnerLoop, LaunchArgs, LaunchControl, LaunchReport,
};

/// What an operation on one element is taken to cost, in nanoseconds: a quarter of a vector instruction.
const OP_NS: f64 = 0.1;

/// What a byte moved is taken to cost.
const BYTE_NS: f64 = 0.05;

/// A launch shorter than this stays on the calling thread: waking another costs some ten microseconds.
const PARALLEL_NS: f64 = 50_000.0;

/// How long a block should take by the estimate, so that threads end together and cancelling is prompt.
const BLOCK_NS: f64 = 30_000.0;

/// Once launches with the same broadcast inputs add up to this, code is compiled for them; that takes about as long.
const VARIANT_NS: f64 = 3e6;

/// Launches shorter than this do not ask for such code.
const VARIANT_LEAST_NS: f64 = 2e3;

/// Blocks are whole multiples of this, so that only the last of a row has a rest that fills no vectors.
const BLOCK_UNIT: usize = 256;

/// What the last cache is taken to hold where the system does not say.
const LAST_CACHE: usize = 32 << 20;

/// Bytes of a line of the caches, and of the largest vectors.
const LINE: usize = 64;

/// A list that needs no memory from the heap while it is short, as most lists of operands are.
type Few<T> = SmallVec<[T; 8]>;

/// Compiles the loop for launches of which this is known.
type Specialize = Box<dyn Fn(&Launches) -> Result<Code, BackendError> + Send + Sync>;

/// A compiled loop.
pub(crate) struct CpuLoop {
    code: Code,
    positions: usize,
    /// How many operands are inputs, and how large the elements of the others are.
    inputs: usize,
    output_sizes: Few<usize>,
    /// Estimated time per element, in nanoseconds.
    element_ns: f64,
    /// The parameters that code may take to be broadcast, one bit each.
    may_broadcast: u64,
    /// Whether there is better code for large outputs.
    may_stream: bool,
    specialize: Specialize,
    variants: Mutex<BTreeMap<(u64, bool), Variant>>,
}

/// The loop where some inputs are broadcast: what depends on them alone is computed once per call and takes no vectors.
#[derive(Default)]
struct Variant {
    /// How long its launches would have taken so far.
    wanted_ns: f64,
    code: Option<Arc<Code>>,
}

impl fmt::Debug for CpuLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CpuLoop({:?})", self.code)
    }
}

impl CpuLoop {
    pub(crate) fn new(
        func: &Func,
        code: Code,
        may_stream: bool,
        specialize: Specialize,
    ) -> CpuLoop {
        let cost = cost::estimate(func);
        let params = func.params().iter().take(64).enumerate();
        let may_broadcast = params
            .filter(|(_, v)| !func.dtype(**v).is_complex())
            .fold(0, |mask, (i, _)| mask | 1 << i);
        CpuLoop {
            code,
            inputs: func.params().len(),
            output_sizes: func.results.iter().map(|d| d.size()).collect(),
            positions: ufc_target::launch::positions(func).len(),
            element_ns: (cost.ops * OP_NS + cost.bytes * BYTE_NS).max(0.1),
            may_broadcast,
            may_stream,
            specialize,
            variants: Mutex::default(),
        }
    }

    /// The code for a launch whose inputs have these steps along the inner dim, if there is better code than the general.
    fn variant(
        &self,
        args: &LaunchArgs<'_>,
        total_ns: f64,
    ) -> Result<Option<Arc<Code>>, BackendError> {
        if total_ns < VARIANT_LEAST_NS {
            return Ok(None);
        }
        let broadcast = |i: usize| args.strides.get(i).and_then(|s| s.last()) == Some(&0);
        let inputs = (0..64).filter(|i| self.may_broadcast >> i & 1 == 1 && broadcast(*i));
        let inputs: Vec<usize> = inputs.collect();
        let streaming = self.may_stream && self.streams(args);
        if inputs.is_empty() && !streaming {
            return Ok(None);
        }
        let mask = inputs.iter().fold(0, |mask, i| mask | 1 << i);
        let mut variants = self.variants.lock().unwrap_or_else(PoisonError::into_inner);
        let variant = variants.entry((mask, streaming)).or_default();
        variant.wanted_ns += total_ns;
        if variant.code.is_none() && variant.wanted_ns >= VARIANT_NS {
            let launches = Launches {
                broadcast: inputs,
                streaming,
            };
            variant.code = Some(Arc::new((self.specialize)(&launches)?));
        }
        Ok(variant.code.clone())
    }

    /// Whether the outputs of a launch do not fit the caches, and all of them can be written past these: side by side, in
    /// whole vectors, and not to what has just been read.
    pub(crate) fn streams(&self, args: &LaunchArgs<'_>) -> bool {
        let count: usize = args.shape.iter().product();
        let (inputs, outputs) = args.pointers.split_at(self.inputs);
        let strides = &args.strides[self.inputs..];
        let sizes = &self.output_sizes;
        let bytes: usize = sizes.iter().map(|size| size.saturating_mul(count)).sum();
        // Elements before the first aligned one; the same in every row and output.
        let head = |at: usize, size: usize| (at.wrapping_neg() % LINE) / size;
        let first = outputs.first().map_or(0, |p| p.addr());
        let head = head(first, sizes.first().copied().unwrap_or(1));
        let fits = |((pointer, strides), size): ((&*mut u8, &&[isize]), &usize)| {
            let (inner, outer) = strides.split_last().map_or((0, &[][..]), |(i, o)| (*i, o));
            inner == *size as isize
                && (pointer.addr() + head * size).is_multiple_of(LINE)
                && outer.iter().all(|step| step % LINE as isize == 0)
                && !inputs.contains(pointer)
        };
        bytes >= last_cache() && outputs.iter().zip(strides).zip(sizes).all(fits)
    }

    /// How a launch is cut into blocks.
    fn split(&self, rows: usize, inner: usize, watched: bool, threads: usize) -> Blocks {
        // One element alone may take longer than a block should.
        let wanted = (BLOCK_NS / self.element_ns).max(1.0) as usize;
        let wanted = wanted.next_multiple_of(BLOCK_UNIT);
        let total = rows.saturating_mul(inner);
        let is_short = total as f64 * self.element_ns < PARALLEL_NS;
        let threads = if is_short { 1 } else { threads };
        if threads == 1 && !watched {
            return Blocks::new(rows, inner, rows, inner, 1);
        }
        if wanted < inner {
            Blocks::new(rows, inner, 1, wanted, threads)
        } else {
            Blocks::new(rows, inner, (wanted / inner).max(1), inner, threads)
        }
    }
}

impl Executable for CpuLoop {
    unsafe fn launch(
        &self,
        args: &LaunchArgs<'_>,
        control: &LaunchControl<'_>,
    ) -> Result<LaunchReport, BackendError> {
        let (outer, inner) = match args.shape.split_last() {
            Some((inner, outer)) => (outer, *inner),
            None => (&[][..], 1),
        };
        if args.shape.contains(&0) {
            return Ok(LaunchReport::on_host(1));
        }
        let rows = outer.iter().try_fold(1usize, |n, dim| n.checked_mul(*dim));
        let rows = rows
            .ok_or_else(|| BackendError::LaunchFailed("too many elements to count".to_string()))?;
        if args.indices.len() != self.positions {
            let message = format!("{} positions were expected", self.positions);
            return Err(BackendError::LaunchFailed(message));
        }
        let watched = control.cancel.is_some() || control.progress.is_some();
        let threads = control.threads.unwrap_or_else(all_threads).max(1);
        let total_ns = rows as f64 * inner as f64 * self.element_ns;
        let variant = self.variant(args, total_ns)?;
        let code = variant.as_deref().unwrap_or(&self.code);
        let blocks = self.split(rows, inner, watched, threads);
        let run = Run {
            inner_loop: code.inner_loop(),
            args,
            outer,
            blocks,
            control,
            next: AtomicUsize::new(0),
            cancelled: AtomicBool::new(false),
        };
        let threads = run.blocks.threads.min(run.blocks.count);
        if threads <= 1 {
            run.work();
        } else {
            let pool = pool(threads)?;
            pool.scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|_| run.work());
                }
            });
        }
        if run.cancelled.load(Ordering::Relaxed) {
            return Err(BackendError::Cancelled);
        }
        Ok(LaunchReport::on_host(threads))
    }

    fn threads(&self, elements: usize, control: &LaunchControl<'_>) -> (usize, String) {
        let threads = control.threads.unwrap_or_else(all_threads).max(1);
        let blocks = self.split(1, elements.max(1), false, threads);
        let estimate = elements as f64 * self.element_ns / 1000.0;
        let why = match (blocks.threads.min(blocks.count), threads) {
            (1, 2..) => format!("about {estimate:.0} us of work: not worth a second thread"),
            (_, 1) => "no more were allowed".to_string(),
            _ => format!("about {estimate:.0} us of work in {} blocks", blocks.count),
        };
        (blocks.threads.min(blocks.count), why)
    }

    fn inner_loop(&self) -> Option<InnerLoop> {
        Some(self.code.inner_loop())
    }
}

/// Bytes of the processor's last cache.
pub(crate) fn last_cache() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        // The last index is the last level; the kernel gives sizes such as `32768K`.
        let size = |index: usize| {
            let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size");
            let text = std::fs::read_to_string(path).ok()?;
            let kib: usize = text.trim().strip_suffix('K')?.parse().ok()?;
            Some(kib << 10)
        };
        (0..8).filter_map(size).max().unwrap_or(LAST_CACHE)
    })
}

/// The elements of a launch as blocks: some whole rows each, or a part of one row.
#[derive(Clone, Copy)]
struct Blocks {
    rows: usize,
    inner: usize,
    rows_each: usize,
    length: usize,
    /// Blocks in a row that is cut; 1 if rows are whole.
    per_row: usize,
    count: usize,
    threads: usize,
}

impl Blocks {
    fn new(rows: usize, inner: usize, rows_each: usize, length: usize, threads: usize) -> Blocks {
        let per_row = inner.div_ceil(length);
        Blocks {
            rows,
            inner,
            rows_each,
            length,
            per_row,
            count: rows.div_ceil(rows_each).saturating_mul(per_row),
            threads,
        }
    }
}

/// One launch, worked on by one or more threads.
struct Run<'a> {
    inner_loop: InnerLoop,
    args: &'a LaunchArgs<'a>,
    outer: &'a [usize],
    blocks: Blocks,
    control: &'a LaunchControl<'a>,
    /// The next block that nobody has taken.
    next: AtomicUsize,
    cancelled: AtomicBool,
}

// SAFETY: the operands are shared out by blocks, of which each is taken by one thread, and the caller of `launch`
// vouches that outputs do not overlap; all else is only read, or atomic.
unsafe impl Sync for Run<'_> {}

impl Run<'_> {
    /// Takes blocks until none is left or the caller cancels.
    fn work(&self) {
        let mut row = Row::new(self);
        loop {
            if self.is_cancelled() {
                return;
            }
            let block = self.next.fetch_add(1, Ordering::Relaxed);
            if block >= self.blocks.count {
                return;
            }
            let done = self.block(block, &mut row);
            if let Some(progress) = self.control.progress {
                progress.fetch_add(done as u64, Ordering::Relaxed);
            }
        }
    }

    fn is_cancelled(&self) -> bool {
        let cancel = self.control.cancel;
        let cancelled = cancel.is_some_and(|flag| flag.load(Ordering::Relaxed));
        if cancelled {
            self.cancelled.store(true, Ordering::Relaxed);
        }
        cancelled
    }

    /// Runs a block; gives the number of its elements.
    fn block(&self, block: usize, row: &mut Row) -> usize {
        let blocks = &self.blocks;
        let first_row = block / blocks.per_row * blocks.rows_each;
        let rows = blocks.rows_each.min(blocks.rows - first_row);
        let start = block % blocks.per_row * blocks.length;
        let length = blocks.length.min(blocks.inner - start);
        for number in first_row..first_row + rows {
            row.call(self, number, start, length);
        }
        rows * length
    }
}

/// What a call of the inner loop is given; kept from call to call.
struct Row {
    pointers: Few<*mut u8>,
    steps: Few<isize>,
    indices: Few<Index>,
}

impl Row {
    fn new(run: &Run<'_>) -> Row {
        let args = run.args;
        let steps = args.strides.iter().map(|s| s.last().copied().unwrap_or(0));
        Row {
            pointers: args.pointers.iter().copied().collect(),
            steps: steps.collect(),
            indices: args
                .indices
                .iter()
                .map(|(base, steps)| Index {
                    base: *base,
                    step: steps.last().copied().unwrap_or(0),
                })
                .collect(),
        }
    }

    /// Runs `length` elements of a row from element `start` on.
    fn call(&mut self, run: &Run<'_>, row: usize, start: usize, length: usize) {
        let args = run.args;
        if run.blocks.count > 1 || run.blocks.rows > 1 {
            self.place(run, row, start);
        }
        let dims = [length as isize];
        let indices = self.indices.as_mut_ptr().cast::<c_void>();
        debug_assert_eq!(args.pointers.len(), args.strides.len());
        // SAFETY: the caller of `launch` vouches for every element of the operands; these are some of them.
        unsafe {
            (run.inner_loop)(
                self.pointers.as_ptr(),
                dims.as_ptr(),
                self.steps.as_ptr(),
                indices,
            );
        }
    }

    /// Moves the pointers and positions to an element of a row.
    fn place(&mut self, run: &Run<'_>, row: usize, start: usize) {
        let args = run.args;
        for (pointer, first) in self.pointers.iter_mut().zip(args.pointers) {
            *pointer = *first;
        }
        for (index, (base, _)) in self.indices.iter_mut().zip(args.indices) {
            index.base = *base;
        }
        self.shift(run, run.outer.len(), start);
        let mut row = row;
        for (axis, dim) in run.outer.iter().enumerate().rev() {
            let at = row % dim;
            row /= dim;
            if at != 0 {
                self.shift(run, axis, at);
            }
        }
    }

    /// Moves along an axis.
    fn shift(&mut self, run: &Run<'_>, axis: usize, by: usize) {
        for (pointer, strides) in self.pointers.iter_mut().zip(run.args.strides) {
            let stride = strides.get(axis).copied().unwrap_or(0);
            *pointer = pointer.wrapping_offset(stride.wrapping_mul(by as isize));
        }
        for (index, (_, steps)) in self.indices.iter_mut().zip(run.args.indices) {
            let step = steps.get(axis).copied().unwrap_or(0);
            index.base = index.base.wrapping_add(step.wrapping_mul(by as i64));
        }
    }
}
