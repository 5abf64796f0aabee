//! Copies between strided operands on the host and packed staging memory, large ones by several threads.
#![expect(
    unsafe_code,
    reason = "operands are raw memory that the caller vouches for"
)]

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

/// Copies of fewer bytes are done by the calling thread alone: waking others takes longer.
const PARALLEL_BYTES: usize = 1 << 20;
/// Bytes that a thread takes at a time: long enough that taking them costs nothing, short enough that nobody waits long for one.
const SHARE_BYTES: usize = 256 << 10;
/// More threads than this do not copy faster: the memory is busy.
const MOST_THREADS: usize = 8;

/// The threads that help with copies; they stay, as starting them takes as long as a copy. None if they cannot be started.
fn helpers() -> Option<&'static ThreadPool> {
    static HELPERS: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let start = || {
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        let builder = ThreadPoolBuilder::new().num_threads(all.min(MOST_THREADS) - 1);
        let builder = builder.thread_name(|i| format!("ufc-copy-{i}"));
        // A pool of no threads would be one of as many as there are processors.
        (all > 1).then(|| builder.build().ok()).flatten()
    };
    HELPERS.get_or_init(start).as_ref()
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the operand to packed memory.
    Gather,
    /// From packed memory to the operand.
    Scatter,
}

/// The elements of an operand, as steps in bytes along each dim of a shape.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    shape: Vec<usize>,
    strides: Vec<isize>,
    size: usize,
}

impl Layout {
    /// Dims along which the operand does not move are left out: these elements are one.
    pub(crate) fn new(shape: &[usize], strides: &[isize], size: usize) -> Layout {
        let dims = shape
            .iter()
            .zip(strides)
            .filter(|(_, stride)| **stride != 0);
        let (mut shape, mut strides): (Vec<usize>, Vec<isize>) = dims.unzip();
        for dim in (1..shape.len()).rev() {
            if strides[dim].checked_mul(shape[dim] as isize) == Some(strides[dim - 1]) {
                shape[dim] *= shape[dim - 1];
                shape.remove(dim - 1);
                strides.remove(dim - 1);
            }
        }
        Layout {
            shape,
            strides,
            size,
        }
    }

    /// How many bytes the elements are.
    pub(crate) fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.size
    }
}

/// A copy that several threads share: each takes the next rows until there are none. So whoever asked for it waits for no
/// thread that has not begun; one that comes late finds nothing to do, and looks at no more than this.
struct Shared {
    way: Way,
    layout: Layout,
    /// Addresses of the first element and of the packed memory.
    operand: usize,
    packed: usize,
    /// Rows of a share, and bytes of a row.
    rows: usize,
    row: usize,
    next: AtomicUsize,
    /// Shares that are not done yet.
    left: AtomicUsize,
    caller: Thread,
}

impl Shared {
    /// Does shares until all are taken.
    ///
    /// # Safety
    /// As [`copy`], for as long as a share is left.
    unsafe fn work(&self) {
        let all = self.layout.shape[0];
        loop {
            let first = self.next.fetch_add(self.rows, Ordering::Relaxed);
            if first >= all {
                return;
            }
            let mut layout = self.layout.clone();
            layout.shape[0] = self.rows.min(all - first);
            let operand = std::ptr::with_exposed_provenance_mut::<u8>(self.operand);
            let packed = std::ptr::with_exposed_provenance_mut::<u8>(self.packed);
            let operand = operand.wrapping_offset(first as isize * layout.strides[0]);
            let packed = packed.wrapping_add(first * self.row);
            // SAFETY: as the caller says; each share has rows of its own.
            unsafe { part(self.way, &layout, operand, packed) };
            if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.caller.unpark();
            }
        }
    }
}

/// Copies every element of an operand from or to packed memory, in C order, on at most so many threads.
///
/// # Safety
/// Every element that the layout reaches from `operand`, and `layout.bytes()` from `packed`, may be read or, as the way
/// says, written; nobody else writes them meanwhile, and the two do not overlap.
pub(crate) unsafe fn copy(
    way: Way,
    layout: &Layout,
    operand: *mut u8,
    packed: *mut u8,
    threads: usize,
) {
    let bytes = layout.bytes();
    let rows = layout.shape.first().copied().unwrap_or(0);
    let threads = threads.min(rows);
    let helpers = match bytes < PARALLEL_BYTES || threads < 2 {
        true => None,
        false => helpers(),
    };
    let Some(helpers) = helpers else {
        // SAFETY: as the caller says.
        return unsafe { part(way, layout, operand, packed) };
    };
    let row = bytes / rows;
    let share = (SHARE_BYTES / row).clamp(1, rows);
    let shares = rows.div_ceil(share);
    let shared = Arc::new(Shared {
        way,
        layout: layout.clone(),
        operand: operand.expose_provenance(),
        packed: packed.expose_provenance(),
        rows: share,
        row,
        next: AtomicUsize::new(0),
        left: AtomicUsize::new(shares),
        caller: std::thread::current(),
    });
    for _ in 1..threads.min(shares).min(helpers.current_num_threads() + 1) {
        let shared = shared.clone();
        // SAFETY: as the caller says, who gets it back only when no share is left.
        helpers.spawn(move || unsafe { shared.work() });
    }
    // SAFETY: as the caller says.
    unsafe { shared.work() };
    while shared.left.load(Ordering::Acquire) > 0 {
        std::thread::park();
    }
}

/// # Safety
/// As [`copy`].
unsafe fn part(way: Way, layout: &Layout, operand: *mut u8, packed: *mut u8) {
    let Some((inner, outer)) = layout.shape.split_last() else {
        // SAFETY: as the caller says.
        return unsafe { run(way, operand, packed, layout.size) };
    };
    let step = layout.strides[outer.len()];
    let row = inner * layout.size;
    let mut at = vec![0usize; outer.len()];
    let mut packed = packed;
    loop {
        let moved = at.iter().zip(&layout.strides);
        let offset: isize = moved.map(|(i, stride)| *i as isize * stride).sum();
        let start = operand.wrapping_offset(offset);
        // SAFETY: as the caller says; the row is of `inner` elements.
        unsafe {
            if step == layout.size as isize {
                run(way, start, packed, row);
            } else {
                match layout.size {
                    1 => elements::<1>(way, start, packed, *inner, step),
                    2 => elements::<2>(way, start, packed, *inner, step),
                    4 => elements::<4>(way, start, packed, *inner, step),
                    8 => elements::<8>(way, start, packed, *inner, step),
                    _ => elements::<16>(way, start, packed, *inner, step),
                }
            }
        }
        packed = packed.wrapping_add(row);
        let mut dim = outer.len();
        loop {
            let Some(before) = dim.checked_sub(1) else {
                return;
            };
            dim = before;
            at[dim] += 1;
            if at[dim] < outer[dim] {
                break;
            }
            at[dim] = 0;
        }
    }
}

/// # Safety
/// As [`copy`], for so many bytes in a row.
unsafe fn run(way: Way, operand: *mut u8, packed: *mut u8, bytes: usize) {
    let (from, to) = match way {
        Way::Gather => (operand, packed),
        Way::Scatter => (packed, operand),
    };
    // SAFETY: as the caller says.
    unsafe { std::ptr::copy_nonoverlapping(from, to, bytes) };
}

/// # Safety
/// As [`copy`], for `count` elements of `N` bytes.
unsafe fn elements<const N: usize>(
    way: Way,
    operand: *mut u8,
    packed: *mut u8,
    count: usize,
    step: isize,
) {
    let (mut operand, mut packed) = (operand.cast::<[u8; N]>(), packed.cast::<[u8; N]>());
    for _ in 0..count {
        // SAFETY: as the caller says; arrays of bytes need no alignment.
        unsafe {
            match way {
                Way::Gather => *packed = *operand,
                Way::Scatter => *operand = *packed,
            }
        }
        operand = operand.wrapping_byte_offset(step);
        packed = packed.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Copies out and back in other places, and compares element by element.
    fn round_trip(shape: &[usize], strides: &[isize], size: usize, threads: usize) {
        let layout = Layout::new(shape, strides, size);
        let reach = |sign: isize| -> usize {
            let ends = shape
                .iter()
                .zip(strides)
                .map(|(n, s)| (*n as isize - 1) * s);
            ends.filter(|end| end.signum() == sign)
                .map(isize::unsigned_abs)
                .sum()
        };
        let (below, above) = (reach(-1), reach(1) + size);
        let source: Vec<u8> = (0..below + above)
            .map(|i| (i * 7 + i / 251) as u8)
            .collect();
        let mut source = source;
        let mut packed = vec![0u8; layout.bytes()];
        let mut back = vec![0u8; source.len()];
        // SAFETY: the memories reach as far as the layout.
        unsafe {
            let operand = source.as_mut_ptr().add(below);
            copy(Way::Gather, &layout, operand, packed.as_mut_ptr(), threads);
            let operand = back.as_mut_ptr().add(below);
            copy(Way::Scatter, &layout, operand, packed.as_mut_ptr(), threads);
        }
        let count: usize = shape.iter().product();
        let mut touched = vec![false; source.len()];
        for mut flat in 0..count {
            let mut at = below as isize;
            for (n, stride) in shape.iter().zip(strides).rev() {
                at += (flat % n) as isize * stride;
                flat /= n;
            }
            let range = at as usize..at as usize + size;
            assert_eq!(back[range.clone()], source[range.clone()]);
            touched[range].fill(true);
        }
        let spilled = back
            .iter()
            .zip(&touched)
            .any(|(byte, touched)| !touched && *byte != 0);
        assert!(!spilled, "{shape:?} {strides:?} {size}");
    }

    #[test]
    fn every_layout_comes_back() {
        for size in [1, 2, 4, 8, 16] {
            let s = size as isize;
            round_trip(&[], &[], size, 1);
            round_trip(&[9], &[s], size, 2);
            round_trip(&[9], &[-s], size, 2);
            round_trip(&[9], &[3 * s + 1], size, 2);
            round_trip(&[4, 5], &[5 * s, s], size, 2);
            round_trip(&[4, 5], &[0, s], size, 2);
            round_trip(&[4, 5], &[s, 0], size, 2);
            round_trip(&[3, 4, 5], &[-40 * s, s, 8 * s], size, 2);
        }
    }

    #[test]
    fn large_copies_are_shared_out() {
        round_trip(&[1_000_003], &[4], 4, 3);
        round_trip(&[700, 1001], &[-1002 * 8, 8], 8, 5);
    }
}
