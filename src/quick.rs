//! The short way of a call on one axis: operands of exactly a loop's dtypes, no copies, no plan, the calling thread.
//!
//! A call on one element should not cost more than a few times the loop itself. Whatever is not plain goes the long
//! way, which also finds the words for what does not fit.

use ufc_ir::DType;
use ufc_target::InnerLoop;

use crate::array::{Operand, Output};
use crate::cache::Loop;

/// More operands than this go the long way.
const MOST_OPERANDS: usize = 8;

/// Work that is worth a second thread goes the long way: estimated operations.
pub(crate) const MOST_OPS: f64 = 200_000.0;

/// Elements on one axis in raw memory, in native byte order, or a single value for all elements.
#[derive(Clone, Copy, Debug)]
pub struct Plain {
    /// The first element, at any alignment.
    pub data: *mut u8,
    /// The dtype of the elements.
    pub dtype: DType,
    /// How many there are; none for a single value.
    pub len: Option<usize>,
    /// The step from one to the next in bytes.
    pub step: isize,
}

/// Operands as an inner loop takes them.
pub(crate) struct Quick {
    inner_loop: InnerLoop,
    len: isize,
    operands: usize,
    pointers: [*mut u8; MOST_OPERANDS],
    steps: [isize; MOST_OPERANDS],
    /// The bytes of operands that are single values.
    values: [[u8; 16]; MOST_OPERANDS],
    is_value: [bool; MOST_OPERANDS],
}

impl Quick {
    /// The short way to run a loop on these operands, if there is one.
    pub(crate) fn new(
        ready: &Loop,
        inputs: &[Operand<'_>],
        outputs: &[Output<'_>],
    ) -> Option<Quick> {
        let len = outputs.first()?.view.len();
        let mut quick = Quick::empty(ready, len, inputs.len() + outputs.len())?;
        for (i, input) in inputs.iter().enumerate() {
            quick.add_input(i, input, len)?;
        }
        for (i, output) in outputs.iter().enumerate() {
            quick.add_output(inputs.len() + i, output, len)?;
        }
        let sizes = ready.inputs.iter().chain(&ready.outputs).map(|d| d.size());
        quick.is_apart(inputs.len(), sizes).then_some(quick)
    }

    /// As [`Quick::new`], on raw memory.
    pub(crate) fn of_plain(ready: &Loop, inputs: &[Plain], outputs: &[Plain]) -> Option<Quick> {
        let len = outputs.first()?.len?;
        let mut quick = Quick::empty(ready, len, inputs.len() + outputs.len())?;
        for (i, operand) in inputs.iter().chain(outputs).enumerate() {
            quick.pointers[i] = operand.data;
            quick.steps[i] = match operand.len {
                Some(own) if own == len => operand.step,
                None | Some(1) if i < inputs.len() => 0,
                _ => return None,
            };
        }
        let sizes = ready.inputs.iter().chain(&ready.outputs).map(|d| d.size());
        quick.is_apart(inputs.len(), sizes).then_some(quick)
    }

    /// A call of a loop without its operands, if it is one for the short way.
    fn empty(ready: &Loop, len: usize, operands: usize) -> Option<Quick> {
        let is_small = ready.cost.ops * len as f64 <= MOST_OPS;
        if !is_small || operands > MOST_OPERANDS || !ready.positions.is_empty() {
            return None;
        }
        Some(Quick {
            inner_loop: ready.executable.inner_loop()?,
            len: isize::try_from(len).ok()?,
            operands,
            pointers: [std::ptr::null_mut(); MOST_OPERANDS],
            steps: [0; MOST_OPERANDS],
            values: [[0; 16]; MOST_OPERANDS],
            is_value: [false; MOST_OPERANDS],
        })
    }

    fn add_input(&mut self, i: usize, input: &Operand<'_>, len: usize) -> Option<()> {
        match input {
            Operand::Scalar(value) if cfg!(target_endian = "little") => {
                self.values[i] = value.to_le_bytes();
                self.is_value[i] = true;
            }
            Operand::View(view) if !view.is_byte_swapped() => {
                self.pointers[i] = view.raw().start;
                self.steps[i] = match (view.shape(), view.strides()) {
                    ([], _) | ([1], _) => 0,
                    ([n], [stride]) if *n == len => *stride,
                    _ => return None,
                };
            }
            _ => return None,
        }
        Some(())
    }

    fn add_output(&mut self, i: usize, output: &Output<'_>, len: usize) -> Option<()> {
        let view = &output.view;
        match (view.shape(), view.strides()) {
            ([n], [stride]) if *n == len && !view.is_byte_swapped() => {
                self.pointers[i] = view.raw().start;
                self.steps[i] = *stride;
                Some(())
            }
            _ => None,
        }
    }

    /// Whether every output lies apart from all other operands, or exactly where an input does.
    fn is_apart(&self, nin: usize, sizes: impl Iterator<Item = usize>) -> bool {
        let mut ends = [(0usize, 0usize); MOST_OPERANDS];
        for (i, size) in sizes.enumerate().take(self.operands) {
            let first = self.pointers[i].addr();
            let reach = self.steps[i].wrapping_mul((self.len - 1).max(0));
            let last = first.wrapping_add_signed(reach);
            ends[i] = (first.min(last), first.max(last) + size);
        }
        (nin..self.operands).all(|output| {
            (0..self.operands).all(|other| {
                let same = self.pointers[other] == self.pointers[output]
                    && self.steps[other] == self.steps[output];
                let apart = ends[other].1 <= ends[output].0 || ends[output].1 <= ends[other].0;
                other == output || self.is_value[other] || apart || (other < nin && same)
            })
        })
    }

    /// Runs the loop.
    pub(crate) fn run(mut self) {
        if self.len == 0 {
            return;
        }
        for i in 0..self.operands {
            if self.is_value[i] {
                self.pointers[i] = self.values[i].as_mut_ptr();
            }
        }
        #[expect(unsafe_code, reason = "the operands are raw memory to the loop")]
        // SAFETY: the pointers and steps are those of views with `len` elements, or of single values, which are repeated;
        // outputs are exclusive borrows, apart from all else or exactly at an input.
        unsafe {
            (self.inner_loop)(
                self.pointers.as_ptr(),
                &self.len,
                self.steps.as_ptr(),
                std::ptr::null_mut(),
            );
        }
    }
}
