//! The short way of a call: operands of exactly a loop's dtypes that are as good as on one axis, no copies and no plan.
//!
//! A call on one element should not cost more than a few times the loop itself, and a call on many should not cost more
//! than their elements. Whatever is not plain goes the long way, which also finds the words for what does not fit.

#![expect(unsafe_code, reason = "loops take operands as addresses")]

use ufc_ir::DType;
use ufc_target::{BackendError, Executable, InnerLoop, LaunchArgs, LaunchControl};

use crate::array::layout::is_c_contiguous;
use crate::array::{Operand, Output};
use crate::cache::Loop;
use crate::dispatch::Work;

/// More operands than this go the long way.
pub(crate) const MOST_OPERANDS: usize = 8;

/// Estimated operations that are always left to the processor: less than what a launch on another device costs alone.
pub(crate) const MOST_OPS: f64 = 200_000.0;

/// Estimated operations up to which the loop is called as a function: for more, the back end is asked, which may have better code
/// for these operands, and threads.
pub(crate) const DIRECT_OPS: f64 = 20_000.0;

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

/// What short calls need to know of a loop, in one place.
#[derive(Clone, Debug)]
pub(crate) struct Short {
    inner_loop: InnerLoop,
    inputs: usize,
    operands: usize,
    /// Dtypes and sizes of inputs, then outputs.
    dtypes: [DType; MOST_OPERANDS],
    sizes: [u8; MOST_OPERANDS],
    /// The most elements that are done by calling the loop as a function.
    pub(crate) most_direct: usize,
    /// The most elements that `auto` leaves to the processor without a look.
    pub(crate) most_here: usize,
}

impl Short {
    /// For a loop with these operands, if it can be called directly.
    pub(crate) fn new(
        executable: &dyn Executable,
        inputs: &[DType],
        outputs: &[DType],
        positions: &[Option<u8>],
        ops: f64,
    ) -> Option<Short> {
        let operands = inputs.len() + outputs.len();
        if operands > MOST_OPERANDS || !positions.is_empty() {
            return None;
        }
        let mut dtypes = [DType::Bool; MOST_OPERANDS];
        let mut sizes = [0; MOST_OPERANDS];
        for (i, dtype) in inputs.iter().chain(outputs).enumerate() {
            dtypes[i] = *dtype;
            sizes[i] = u8::try_from(dtype.size()).ok()?;
        }
        let most = |limit: f64| (limit / ops.max(1.0)) as usize;
        Some(Short {
            inner_loop: executable.inner_loop()?,
            inputs: inputs.len(),
            operands,
            dtypes,
            sizes,
            most_direct: most(DIRECT_OPS),
            most_here: most(MOST_OPS),
        })
    }

    /// Whether inputs are of the loop's dtypes.
    #[inline]
    pub(crate) fn takes_inputs(&self, inputs: &[Operand<'_>]) -> bool {
        let dtypes = &self.dtypes[..self.inputs.min(MOST_OPERANDS)];
        let mut given = inputs.iter().zip(dtypes);
        inputs.len() == dtypes.len()
            && given.all(|(operand, dtype)| operand.dtype() == Some(*dtype))
    }

    /// Whether operands are of the loop's dtypes.
    #[inline]
    pub(crate) fn takes(&self, inputs: &[Operand<'_>], outputs: &[Output<'_>]) -> bool {
        let dtypes = &self.dtypes[self.inputs..self.operands];
        let mut taken = outputs.iter().zip(dtypes);
        self.takes_inputs(inputs)
            && outputs.len() == dtypes.len()
            && taken.all(|(output, dtype)| output.view.dtype() == *dtype)
    }

    /// As [`Short::takes`], of raw memory.
    #[inline]
    pub(crate) fn takes_plain(&self, inputs: &[Plain], outputs: &[Plain]) -> bool {
        let (ins, outs) = self.dtypes[..self.operands].split_at(self.inputs);
        let is_same = |plain: &[Plain], dtypes: &[DType]| {
            let mut both = plain.iter().zip(dtypes);
            plain.len() == dtypes.len() && both.all(|(plain, dtype)| plain.dtype == *dtype)
        };
        is_same(inputs, ins) && is_same(outputs, outs)
    }
}

/// The bytes of a single value, aligned for any dtype.
#[derive(Clone, Copy)]
#[repr(align(16))]
struct Value([u8; 16]);

/// Operands as an inner loop takes them.
pub(crate) struct Quick {
    pub(crate) len: usize,
    pointers: [*mut u8; MOST_OPERANDS],
    steps: [isize; MOST_OPERANDS],
    /// Of operands that are single values, given by value.
    values: [Value; MOST_OPERANDS],
    /// Which these are, one bit each.
    given: u8,
}

impl Quick {
    /// No operands yet.
    #[inline]
    pub(crate) fn new() -> Quick {
        Quick {
            len: 0,
            pointers: [std::ptr::null_mut(); MOST_OPERANDS],
            steps: [0; MOST_OPERANDS],
            values: [Value([0; 16]); MOST_OPERANDS],
            given: 0,
        }
    }

    /// Takes the operands of a call, which are of the loop's dtypes; none if they are not for the short way.
    #[inline]
    pub(crate) fn fill(
        &mut self,
        short: &Short,
        inputs: &[Operand<'_>],
        outputs: &[Output<'_>],
    ) -> Option<()> {
        let (first, rest) = outputs.split_first()?;
        let shape = first.view.shape();
        self.len = match shape {
            [len] => *len,
            _ => first.view.len(),
        };
        for (i, input) in inputs.iter().enumerate() {
            self.add_input(i, input, shape)?;
        }
        self.add_output(inputs.len(), first, shape)?;
        for (i, output) in rest.iter().enumerate() {
            self.add_output(inputs.len() + 1 + i, output, shape)?;
        }
        self.is_apart(short).then_some(())
    }

    /// As [`Quick::fill`], of raw memory.
    #[inline]
    pub(crate) fn fill_plain(
        &mut self,
        short: &Short,
        inputs: &[Plain],
        outputs: &[Plain],
    ) -> Option<()> {
        self.len = outputs.first()?.len?;
        for (i, operand) in inputs.iter().chain(outputs).enumerate() {
            self.pointers[i] = operand.data;
            self.steps[i] = match operand.len {
                Some(own) if own == self.len => operand.step,
                None | Some(1) if i < inputs.len() => 0,
                _ => return None,
            };
        }
        self.is_apart(short).then_some(())
    }

    #[inline]
    fn add_input(&mut self, i: usize, input: &Operand<'_>, shape: &[usize]) -> Option<()> {
        match input {
            Operand::Scalar(value) if cfg!(target_endian = "little") => {
                self.values[i] = Value(value.to_le_bytes());
                self.given |= 1 << i;
            }
            Operand::View(view) if !view.is_byte_swapped() => {
                let size = view.dtype().size();
                self.pointers[i] = view.raw().start;
                self.steps[i] = step(shape, view.shape(), view.strides(), size).or_else(|| {
                    let repeats = matches!((view.shape(), shape), ([], _) | ([1], [_, ..]));
                    repeats.then_some(0)
                })?;
            }
            _ => return None,
        }
        Some(())
    }

    #[inline]
    fn add_output(&mut self, i: usize, output: &Output<'_>, shape: &[usize]) -> Option<()> {
        let view = &output.view;
        if view.is_byte_swapped() {
            return None;
        }
        self.pointers[i] = view.raw().start;
        self.steps[i] = step(shape, view.shape(), view.strides(), view.dtype().size())?;
        Some(())
    }

    /// Whether every output lies apart from all other operands, or exactly where an input does.
    #[inline]
    fn is_apart(&self, short: &Short) -> bool {
        let mut ends = [(0usize, 0usize); MOST_OPERANDS];
        let last = self.len.saturating_sub(1) as isize;
        let operands = short.operands.min(MOST_OPERANDS);
        for (i, end) in ends.iter_mut().enumerate().take(operands) {
            let first = self.pointers[i].addr();
            let last = first.wrapping_add_signed(self.steps[i].wrapping_mul(last));
            *end = (
                first.min(last),
                first.max(last) + usize::from(short.sizes[i]),
            );
        }
        (short.inputs..operands).all(|output| {
            (0..operands).all(|other| {
                let same = self.pointers[other] == self.pointers[output]
                    && self.steps[other] == self.steps[output];
                let apart = ends[other].1 <= ends[output].0 || ends[output].1 <= ends[other].0;
                let is_given = self.given >> other & 1 == 1;
                other == output || apart || is_given || (other < short.inputs && same)
            })
        })
    }

    #[inline]
    fn place_values(&mut self, operands: usize) {
        if self.given == 0 {
            return;
        }
        for i in 0..operands.min(MOST_OPERANDS) {
            if self.given >> i & 1 == 1 {
                self.pointers[i] = self.values[i].0.as_mut_ptr();
            }
        }
    }

    /// Runs the loop on the calling thread.
    #[inline]
    pub(crate) fn run(&mut self, short: &Short) {
        let Ok(len @ 1..) = isize::try_from(self.len) else {
            return;
        };
        self.place_values(short.operands);
        // SAFETY: the pointers and steps are those of views with `len` elements, or of single values, which are repeated;
        // outputs are exclusive borrows, apart from all else or exactly at an input.
        unsafe {
            (short.inner_loop)(
                self.pointers.as_ptr(),
                &len,
                self.steps.as_ptr(),
                std::ptr::null_mut(),
            );
        }
    }

    /// Has the back end run the loop, on as many threads as it finds right.
    pub(crate) fn launch(
        &mut self,
        ready: &Loop,
        short: &Short,
        control: &LaunchControl<'_>,
    ) -> Result<(), BackendError> {
        self.place_values(short.operands);
        let mut strides: [&[isize]; MOST_OPERANDS] = [&[]; MOST_OPERANDS];
        for (stride, step) in strides.iter_mut().zip(&self.steps) {
            *stride = std::slice::from_ref(step);
        }
        let args = LaunchArgs {
            shape: &[self.len],
            pointers: &self.pointers[..short.operands],
            strides: &strides[..short.operands],
            indices: &[],
        };
        // SAFETY: as for `run`.
        unsafe { ready.executable.launch(&args, control).map(drop) }
    }

    /// What a call on these operands asks of a device, as far as it depends on them.
    pub(crate) fn work(&self, short: &Short, mut work: Work) -> Work {
        let bytes = |i: usize| f64::from(short.sizes[i]) * self.len as f64;
        work.host_out = (short.inputs..short.operands).map(bytes).sum();
        work.host_in = (0..short.inputs)
            .filter(|i| self.steps[*i] != 0)
            .map(bytes)
            .sum();
        work.bytes = work.host_out + work.host_in;
        work
    }
}

/// The shape of the results of inputs that have one shape, or are single elements.
pub(crate) fn common_shape<'i>(inputs: &'i [Operand<'_>]) -> Option<&'i [usize]> {
    let mut common: &[usize] = &[];
    for input in inputs {
        match (input, input.shape()) {
            (Operand::Scalar(_) | Operand::View(_), own) if own == common => {}
            (Operand::Scalar(_) | Operand::View(_), []) => {}
            (Operand::View(_), [1]) if !common.is_empty() => {}
            (Operand::View(_), own) if matches!(common, [] | [1]) => common = own,
            _ => return None,
        }
    }
    Some(common)
}

/// The step from one element to the next of an operand that has the shape of the results, if there is one for all of them.
#[inline]
fn step(shape: &[usize], own: &[usize], strides: &[isize], size: usize) -> Option<isize> {
    match (shape, own, strides) {
        ([len], [own], [stride]) => (len == own).then_some(*stride),
        _ if shape == own && is_c_contiguous(own, strides, size) => Some(size as isize),
        _ => None,
    }
}
