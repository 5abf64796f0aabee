//! What a launch is given: pointers, strides, loop dims, and how to run.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64};

/// NumPy's inner-loop ABI: `args` holds a pointer per operand (inputs, then outputs), `dims[0]` the number of elements,
/// `steps` a step in bytes per operand (any value, 0 broadcasts), `data` points at one [`Index`] for each
/// position that the kernel asks for, flat first, then by axis; it may be null for kernels that ask for none.
///
/// # Safety
/// For every `i < dims[0]` and every operand, `args[k] + i * steps[k]` is readable (inputs) or writable (outputs)
/// for one element, at any alignment. An output may overlap an input only if both are at the same addresses.
pub type InnerLoop = unsafe extern "C" fn(
    args: *const *mut u8,
    dims: *const isize,
    steps: *const isize,
    data: *mut c_void,
);

/// A position as an affine function of the element's number in an inner loop.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Position of the first element.
    pub base: i64,
    /// How far the position moves from one element to the next.
    pub step: i64,
}

/// One call of a loop over strided operands.
#[derive(Clone, Debug)]
pub struct LaunchArgs<'a> {
    /// The loop dims as iterated, outermost first; none for a single element.
    pub shape: &'a [usize],
    /// Address of each operand's first element: inputs, then outputs.
    pub pointers: &'a [*mut u8],
    /// Per operand, its step in bytes along each loop dim.
    pub strides: &'a [&'a [isize]],
    /// Per position the kernel asks for (in the order of [`positions`]): its value at the first element, and its step along each loop dim.
    pub indices: &'a [(i64, &'a [i64])],
}

/// How to run a launch, and what may stop or watch it.
#[derive(Clone, Copy, Debug, Default)]
pub struct LaunchControl<'a> {
    /// At most so many threads; all that the process may use if none is given.
    pub threads: Option<usize>,
    /// Set by the caller to stop between blocks of elements.
    pub cancel: Option<&'a AtomicBool>,
    /// Counts elements as they are done.
    pub progress: Option<&'a AtomicU64>,
}

/// How a launch was run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaunchReport {
    /// How many threads of the host took part at most.
    pub threads: usize,
    /// Bytes copied from the host to the device.
    pub uploaded: u64,
    /// Bytes copied from the device to the host.
    pub downloaded: u64,
    /// Into how many parts the launch was cut to fit the device.
    pub chunks: usize,
}

impl LaunchReport {
    /// The report of a launch on the host.
    pub fn on_host(threads: usize) -> LaunchReport {
        LaunchReport {
            threads,
            chunks: 1,
            ..LaunchReport::default()
        }
    }
}

/// The positions that a function asks for, in the order of their slots: flat first, then by axis.
pub fn positions(func: &ufc_ir::Func) -> Vec<Option<u8>> {
    let mut found = Vec::new();
    func.for_each_inst(|_, inst| {
        if let ufc_ir::func::InstKind::Index(axis) = func.insts[inst].kind {
            found.push(axis);
        }
    });
    found.sort_unstable();
    found.dedup();
    found
}
