//! From the operands of a call to a launch: shapes, conversions, copies where operands overlap, and the loop plan.

#![expect(
    unsafe_code,
    reason = "inputs are copied although an output of the same call may share their memory"
)]

use super::Array;
use super::broadcast::{broadcast_shapes, broadcast_strides};
use super::cast::{ArgType, Casting, can_cast, check_count, convert_value};
use super::device::DeviceArray;
use super::error::ArrayError;
use super::iter::{LoopOperands, LoopPlan};
use super::layout::{
    Overlap, Place, Shape, Strides, are_disjoint, c_strides, element_count, overlap,
};
use super::operand::{Operand, Output};
use super::view::{RawView, View, ViewMut};
use smallvec::SmallVec;
use std::borrow::Cow;
use ufc_ir::{Const, DType};
use ufc_target::LaunchArgs;

/// Everything a launch is prepared from.
#[derive(Debug)]
pub struct Request<'r, 'a> {
    /// Names of the inputs, for messages.
    pub input_names: &'r [String],
    /// The inputs.
    pub inputs: SmallVec<[Operand<'a>; 4]>,
    /// Dtypes that the loop reads. That the inputs may be cast to them has been checked.
    pub input_dtypes: &'r [DType],
    /// Names of the outputs, for messages; numbers are used where there are none.
    pub output_names: &'r [String],
    /// The outputs; none at all to have them allocated.
    pub outputs: SmallVec<[Output<'a>; 2]>,
    /// Dtypes that the loop writes.
    pub output_dtypes: &'r [DType],
    /// The positions that the kernel asks for.
    pub positions: &'r [Option<u8>],
    /// Which conversions to the outputs' dtypes are allowed.
    pub casting: Casting,
}

/// A loop over operands that are ready to be read and written.
#[derive(Debug)]
pub struct Launch<'a> {
    shape: Shape,
    plan: LoopPlan,
    /// Operands that are single values: number and bytes.
    scalars: SmallVec<[(usize, Scalar); 2]>,
    /// Converted or copied inputs, kept alive.
    copies: Vec<Array>,
    /// Outputs that the caller gave, in the loop's shape.
    given: SmallVec<[Output<'a>; 2]>,
    /// What the loop writes instead of some of them, to be converted in the end.
    stand_ins: Vec<(usize, Array)>,
    results: Vec<Array>,
    /// Whether the loop writes where it reads.
    updates: bool,
}

/// A value's bytes in this machine's order, aligned for any dtype.
#[derive(Clone, Copy, Debug)]
#[repr(align(16))]
struct Scalar([u8; 16]);

/// The shape of a loop and its axes as they would be iterated, results being new arrays; nothing is copied or converted.
pub fn outline(request: &Request<'_, '_>) -> Result<(Shape, LoopPlan), ArrayError> {
    let shape = loop_shape(request.input_names, &request.inputs, &[], &[])?;
    check_positions(request.positions, &shape)?;
    let mut operands = LoopOperands::default();
    let nowhere = std::ptr::null_mut();
    for (input, dtype) in request.inputs.iter().zip(request.input_dtypes) {
        let have = input.shape();
        let strides = match input {
            Operand::View(view) if view.dtype() == *dtype && !view.is_byte_swapped() => {
                Strides::from_slice(view.strides())
            }
            Operand::Device(array) if array.dtype() == *dtype => {
                Strides::from_slice(array.strides())
            }
            _ => c_strides(have, dtype.size()),
        };
        operands.push_input(nowhere, have, &strides, &shape);
    }
    for dtype in request.output_dtypes {
        operands.push_output(nowhere, &c_strides(&shape, dtype.size()));
    }
    let plan = LoopPlan::new(&shape, operands, request.positions);
    Ok((shape, plan))
}

/// What promotion needs to know about each input. Inputs that are an output's memory have its dtype. Outputs are in the host's
/// memory, or all on a device.
pub fn arg_types(
    names: &[String],
    inputs: &[Operand<'_>],
    outputs: &[Output<'_>],
    on_device: &[DeviceArray],
) -> Result<SmallVec<[ArgType; 4]>, ArrayError> {
    let mut types = SmallVec::new();
    for (number, operand) in inputs.iter().enumerate() {
        types.push(match operand {
            Operand::View(view) => ArgType::Strong(view.dtype(), view.is_byte_swapped()),
            Operand::Scalar(value) => ArgType::of(value.dtype()),
            Operand::Weak(weak) => ArgType::Weak(*weak),
            Operand::Device(array) => ArgType::Strong(array.dtype(), false),
            Operand::InPlace(output) => match (outputs.get(*output), on_device.get(*output)) {
                (Some(Output { view, .. }), _) => {
                    ArgType::Strong(view.dtype(), view.is_byte_swapped())
                }
                (None, Some(array)) => ArgType::Strong(array.dtype(), false),
                (None, None) => return Err(no_such_output(names, number, *output)),
            },
        });
    }
    Ok(types)
}

/// The shape of the loop, and so of the results.
pub fn loop_shape(
    input_names: &[String],
    inputs: &[Operand<'_>],
    output_names: &[String],
    outputs: &[Output<'_>],
) -> Result<Shape, ArrayError> {
    let named_inputs = inputs.iter().enumerate().map(|(i, operand)| {
        (
            input_names.get(i).map_or("", String::as_str),
            operand.shape(),
        )
    });
    let mut shape = broadcast_shapes(named_inputs)?;
    // Outputs with a shape may repeat the inputs, but not be repeated themselves.
    for (i, output) in outputs.iter().enumerate().filter(|(_, o)| !o.flat) {
        let have = output.view.shape();
        let both = [("", &*shape), ("", have)];
        match broadcast_shapes(both.into_iter()) {
            Ok(both) if *both == *have => shape = both,
            _ => return Err(output_shape(output_names, i, have, &shape)),
        }
    }
    // Plain memory takes any shape with as many elements; a single result is repeated.
    for (i, output) in outputs.iter().enumerate().filter(|(_, o)| o.flat) {
        let len = output.view.len();
        let count = element_count(&shape);
        if count == Some(1) && shape.len() <= 1 {
            shape = SmallVec::from_slice(&[len]);
        } else if count != Some(len) {
            return Err(output_shape(output_names, i, output.view.shape(), &shape));
        }
    }
    match outputs
        .iter()
        .position(|o| !o.flat && *o.view.shape() != *shape)
    {
        Some(i) => Err(output_shape(
            output_names,
            i,
            outputs[i].view.shape(),
            &shape,
        )),
        None => Ok(shape),
    }
}

fn output_shape(names: &[String], number: usize, have: &[usize], want: &[usize]) -> ArrayError {
    ArrayError::OutputShape {
        name: output_name(names, number).into_owned(),
        have: have.into(),
        want: want.into(),
    }
}

fn output_name(names: &[String], number: usize) -> Cow<'_, str> {
    match names.get(number) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(number.to_string()),
    }
}

fn no_such_output(names: &[String], number: usize, output: usize) -> ArrayError {
    ArrayError::NoSuchOutput {
        name: names.get(number).cloned().unwrap_or_default(),
        output,
    }
}

impl<'a> Launch<'a> {
    /// Makes the operands ready. Inputs of other dtypes or in the other byte order are converted as a whole; so are
    /// outputs, at the end. An input that overlaps an output other than element by element is copied.
    pub fn prepare(mut request: Request<'_, 'a>) -> Result<Launch<'a>, ArrayError> {
        let nout = request.output_dtypes.len();
        check_count("inputs", request.inputs.len(), request.input_dtypes.len())?;
        if !request.outputs.is_empty() {
            check_count("outputs", request.outputs.len(), nout)?;
        }
        let shape = loop_shape(
            request.input_names,
            &request.inputs,
            request.output_names,
            &request.outputs,
        )?;
        check_positions(request.positions, &shape)?;
        let mut results = Vec::new();
        if request.outputs.is_empty() {
            results.reserve_exact(nout);
            for &dtype in request.output_dtypes {
                results.push(Array::zeros(dtype, &shape)?);
            }
        }
        let mut launch = Launch {
            given: std::mem::take(&mut request.outputs),
            shape,
            plan: LoopPlan::default(),
            scalars: SmallVec::new(),
            copies: Vec::new(),
            stand_ins: Vec::new(),
            results,
            updates: false,
        };
        launch.check_outputs(&request)?;
        let mut operands = LoopOperands::default();
        for (input, &dtype) in request.inputs.iter().zip(request.input_dtypes) {
            launch.add_input(request.input_names, input, dtype, &mut operands)?;
        }
        launch.add_outputs(&mut operands);
        launch.plan = LoopPlan::new(&launch.shape, operands, request.positions);
        Ok(launch)
    }

    /// Gives outputs the loop's shape, and a stand-in to those that are not of the loop's dtype or byte order.
    fn check_outputs(&mut self, request: &Request<'_, '_>) -> Result<(), ArrayError> {
        for number in 0..self.given.len() {
            let dtype = request.output_dtypes[number];
            let view = &mut self.given[number].view;
            let (have, swapped) = (view.dtype(), view.is_byte_swapped());
            if !can_cast(dtype, have, request.casting) || swapped && request.casting == Casting::No
            {
                return Err(ArrayError::Casting {
                    name: output_name(request.output_names, number).into_owned(),
                    from: dtype.to_string(),
                    to: have,
                    casting: request.casting,
                    output: true,
                });
            }
            if *view.shape() != *self.shape {
                view.set_shape(&self.shape)?;
            }
            if have != dtype || swapped {
                let stand_in = Array::zeros(dtype, &self.shape)?;
                self.stand_ins.push((number, stand_in));
            }
            let (before, this) = self.given.split_at(number);
            let this = place(this[0].view.raw());
            let shared = |o: &Output<'_>| {
                overlap(&self.shape, place(o.view.raw()), this) != Overlap::Disjoint
            };
            if before.iter().any(shared) {
                return Err(ArrayError::SharedElements {
                    shape: self.shape.clone(),
                });
            }
        }
        Ok(())
    }

    /// Whether the loop does not write to an output itself.
    fn has_stand_in(&self, output: usize) -> bool {
        self.stand_ins.iter().any(|(number, _)| *number == output)
    }

    fn add_outputs(&mut self, operands: &mut LoopOperands) {
        for number in 0..self.given.len() {
            let stand_in = self.stand_ins.iter_mut().find(|(n, _)| *n == number);
            match stand_in {
                Some((_, array)) => push_output(operands, &array.view_mut()),
                None => push_output(operands, &self.given[number].view),
            }
        }
        for result in &mut self.results {
            push_output(operands, &result.view_mut());
        }
    }

    /// Adds an input in the loop's dtype and byte order, copied if an output overlaps it other than element by element.
    fn add_input(
        &mut self,
        names: &[String],
        input: &Operand<'_>,
        dtype: DType,
        operands: &mut LoopOperands,
    ) -> Result<(), ArrayError> {
        let raw = match input {
            Operand::Scalar(value) => {
                self.add_scalar(convert_value(*value, dtype), operands);
                return Ok(());
            }
            Operand::Weak(weak) => {
                self.add_scalar(weak.to_const(dtype), operands);
                return Ok(());
            }
            Operand::View(view) => view.raw(),
            Operand::Device(array) => {
                return Err(ArrayError::OnDevice {
                    name: names.get(operands.len()).cloned().unwrap_or_default(),
                    device: array.device(),
                });
            }
            Operand::InPlace(output) => {
                let given = self.given.get(*output);
                let no_such = || no_such_output(names, operands.len(), *output);
                given.ok_or_else(no_such)?.view.raw()
            }
        };
        if raw.dtype == dtype && !raw.is_byte_swapped() && !self.clashes(raw) {
            operands.push_input(raw.start, &raw.shape, &raw.strides, &self.shape);
            self.updates |= self.is_written(raw);
            return Ok(());
        }
        // SAFETY: the elements are those of a view that lives until the call is over; that they may be an output's, too,
        // is why they are copied.
        let view = unsafe {
            View::from_raw(
                raw.start,
                raw.dtype,
                &raw.shape,
                &raw.strides,
                raw.byte_swapped,
            )
        };
        let copy = view.without_repeats().converted(dtype)?;
        push_input(operands, &copy.view(), &self.shape);
        self.copies.push(copy);
        Ok(())
    }

    /// Adds a single value; where it is will be known when the launch stays where it is.
    fn add_scalar(&mut self, value: Const, operands: &mut LoopOperands) {
        self.scalars
            .push((operands.len(), Scalar(native_bytes(value))));
        operands.push_input(std::ptr::null_mut(), &[], &[], &self.shape);
    }

    /// Whether the loop writes to memory of an input while that is still to be read.
    fn clashes(&self, input: &RawView) -> bool {
        self.given.iter().enumerate().any(|(number, output)| {
            let output = place(output.view.raw());
            if self.has_stand_in(number)
                || are_disjoint((&input.shape, place(input)), (&self.shape, output))
            {
                return false;
            }
            let strides = broadcast_strides(&input.shape, &input.strides, &self.shape);
            let input = Place {
                strides: &strides,
                ..place(input)
            };
            overlap(&self.shape, input, output) == Overlap::Partial
        })
    }

    /// Whether the loop writes to an input's memory at all.
    fn is_written(&self, input: &RawView) -> bool {
        let input = (&*input.shape, place(input));
        let outputs = self.given.iter().enumerate();
        outputs.into_iter().any(|(number, output)| {
            let output = (&*self.shape, place(output.view.raw()));
            !self.has_stand_in(number) && !are_disjoint(input, output)
        })
    }

    /// Whether the loop writes where it reads, so that it cannot be started over once it has begun.
    pub fn updates(&self) -> bool {
        self.updates
    }

    /// The shape of the loop and its results.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many elements are computed; there is nothing to launch if none are.
    pub fn len(&self) -> usize {
        element_count(&self.shape).unwrap_or(usize::MAX)
    }

    /// Whether there is nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// The axes as they are iterated.
    pub fn plan(&self) -> &LoopPlan {
        &self.plan
    }

    /// How many inputs were converted or copied before the loop, and how many outputs are after it.
    pub fn copies(&self) -> (usize, usize) {
        (self.copies.len(), self.stand_ins.len())
    }

    /// Hands out the arguments of the launch. They are valid during the call, and outputs are written through them.
    pub fn with_args<R>(&mut self, f: impl FnOnce(&LaunchArgs<'_>) -> R) -> R {
        for (operand, value) in &mut self.scalars {
            self.plan.set_pointer(*operand, value.0.as_mut_ptr());
        }
        self.plan.with_args(f)
    }

    /// Converts to the caller's outputs what the loop did not write there itself; returns the allocated results.
    pub fn finish(mut self) -> Result<Vec<Array>, ArrayError> {
        for (number, array) in &self.stand_ins {
            super::convert::convert(&array.view(), &mut self.given[*number].view)?;
        }
        Ok(self.results)
    }
}

fn push_input(operands: &mut LoopOperands, view: &View<'_>, to: &[usize]) {
    let raw = view.raw();
    operands.push_input(raw.start, &raw.shape, &raw.strides, to);
}

fn push_output(operands: &mut LoopOperands, view: &ViewMut<'_>) {
    let raw = view.raw();
    operands.push_output(raw.start, &raw.strides);
}

fn native_bytes(value: Const) -> [u8; 16] {
    let mut bytes = value.to_le_bytes();
    if cfg!(target_endian = "big") {
        let parts = bytes[..value.dtype().size()].chunks_exact_mut(value.dtype().part().size());
        parts.for_each(<[u8]>::reverse);
    }
    bytes
}

pub(super) fn check_positions(positions: &[Option<u8>], shape: &[usize]) -> Result<(), ArrayError> {
    match positions
        .iter()
        .flatten()
        .find(|&&axis| usize::from(axis) >= shape.len())
    {
        Some(&axis) => Err(ArrayError::NoLoopAxis {
            axis,
            shape: shape.into(),
        }),
        None => Ok(()),
    }
}

/// Where a view that has the loop's shape lies.
fn place(raw: &RawView) -> Place<'_> {
    Place {
        address: raw.start.addr(),
        strides: &raw.strides,
        size: raw.dtype.size(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::operand::{InPlace, Inputs, Outputs, Weak};
    use super::*;

    fn request<'a>(
        inputs: impl Inputs<'a>,
        outputs: SmallVec<[Output<'a>; 2]>,
        names: &'static [String; 2],
    ) -> Request<'static, 'a> {
        Request {
            input_names: names,
            inputs: inputs.to_operands(),
            input_dtypes: &[DType::I32; 2],
            output_names: &[],
            outputs,
            output_dtypes: &[DType::I32],
            positions: &[],
            casting: Casting::SameKind,
        }
    }

    fn names() -> &'static [String; 2] {
        static NAMES: std::sync::OnceLock<[String; 2]> = std::sync::OnceLock::new();
        NAMES.get_or_init(|| ["a".to_owned(), "b".to_owned()])
    }

    /// Writes `a + 10 b` to each element in turn, as a back end that does one element at a time would.
    fn run(launch: &mut Launch<'_>) {
        if launch.is_empty() {
            return;
        }
        launch.with_args(|args| {
            let offsets = |operand: usize| {
                super::super::layout::Offsets::new(args.shape, args.strides[operand])
            };
            for ((a, b), out) in offsets(0).zip(offsets(1)).zip(offsets(2)) {
                let at = |operand: usize, offset| {
                    let pointer: *mut u8 = args.pointers[operand];
                    pointer.wrapping_offset(offset).cast::<i32>()
                };
                // SAFETY: the launch vouches for its operands.
                unsafe {
                    let sum = at(0, a).read_unaligned() + 10 * at(1, b).read_unaligned();
                    at(2, out).write_unaligned(sum);
                }
            }
        });
    }

    fn result<'a>(inputs: impl Inputs<'a>) -> Result<Array, String> {
        let launch = Launch::prepare(request(inputs, SmallVec::new(), names()));
        let mut launch = launch.map_err(|e| e.to_string())?;
        run(&mut launch);
        launch
            .finish()
            .map(|mut r| r.remove(0))
            .map_err(|e| e.to_string())
    }

    fn write<'a>(inputs: impl Inputs<'a>, outputs: impl Outputs<'a>) -> Result<(), String> {
        let request = request(inputs, outputs.to_outputs(), names());
        let mut launch = Launch::prepare(request).map_err(|e| e.to_string())?;
        run(&mut launch);
        launch.finish().map(drop).map_err(|e| e.to_string())
    }

    #[test]
    fn results_are_broadcast_and_inputs_converted() {
        let column = [1u8, 2];
        let column = View::from_slice(&column).column().unwrap();
        let sum = result((&column, &[1i32, 2, 3])).unwrap();
        assert_eq!(sum.shape(), [2, 3]);
        assert_eq!(sum.as_slice::<i32>().unwrap(), [11, 21, 31, 12, 22, 32]);
        let sum = result((5i32, Weak::Int(2))).unwrap();
        assert_eq!((sum.ndim(), sum.as_slice::<i32>().unwrap()), (0, &[25][..]));
        let none: [i32; 0] = [];
        assert_eq!(result((&none, 1i32)).unwrap().shape(), [0]);
        assert!(
            result((&[1i32, 2], &[1i32, 2, 3]))
                .unwrap_err()
                .contains("axis 0 is 2 and 3")
        );
        assert_eq!(
            result(1i32).unwrap_err(),
            "the kernel takes 2 inputs, but 1 were given"
        );
    }

    #[test]
    fn outputs_take_the_results_or_say_why_not() {
        let mut flat = vec![0i32; 4];
        let rows = Array::from_shape(&[2, 1], &[1i32, 2]).unwrap();
        write((&rows, &[1i32, 2]), &mut flat).unwrap();
        assert_eq!(flat, [11, 21, 12, 22]);
        write((1i32, 1i32), &mut flat).unwrap();
        assert_eq!(flat, [11; 4]);
        let refused = write((&rows, &[1i32, 2]), &mut flat[..3]).unwrap_err();
        assert_eq!(
            refused,
            "output `0` has shape (3,), but the results have shape (2, 2)"
        );
        let mut wide = vec![0f64; 2];
        write((&[1i32, 2], 0i32), &mut wide).unwrap();
        assert_eq!(wide, [1.0, 2.0]);
        let refused = write((&[1i32, 2], 0i32), &mut [0u8; 2]).unwrap_err();
        assert!(
            refused.starts_with("output `0` is u8 but the kernel yields i32"),
            "{refused}"
        );
        let mut one = Array::zeros(DType::I32, &[1, 2]).unwrap();
        assert!(write((&rows, &[1i32, 2]), &mut one).is_err());
        let mut taller = Array::zeros(DType::I32, &[2, 2]).unwrap();
        write((&[1i32, 2], 0i32), &mut taller).unwrap();
        assert_eq!(taller.as_slice::<i32>().unwrap(), [1, 2, 1, 2]);
    }

    #[test]
    fn an_output_may_be_an_input() {
        let mut data = vec![1i32, 2, 3];
        write((InPlace(0), &[1i32, 1, 1]), &mut data).unwrap();
        assert_eq!(data, [11, 12, 13]);
        let mut data = vec![1i16, 2, 3];
        write((InPlace(0), InPlace(0)), &mut data).unwrap();
        assert_eq!(data, [11, 22, 33]);
        let refused = write((InPlace(1), 1i32), &mut data).unwrap_err();
        assert_eq!(
            refused,
            "`a` stands for the memory of output 1, which was not given"
        );
    }

    #[test]
    fn overlapping_operands_behave_as_if_copied() {
        let size = size_of::<i32>() as isize;
        // Where the output starts, where the input does, and its step: shifted either way, reversed, repeated, the same.
        for (output, input, step) in [
            (1, 0, 1),
            (0, 1, 1),
            (0, 7, -1),
            (0, 3, 0),
            (4, 4, 1),
            (0, 0, 2),
        ] {
            let mut data: Vec<i32> = (0..16).collect();
            let expected: Vec<i32> = (0..8)
                .map(|i| data[(input as isize + i * step) as usize] + 10)
                .collect();
            let start = data.as_mut_ptr().cast::<u8>();
            let at = |index: usize| start.wrapping_add(index * size as usize);
            // SAFETY: both views lie in `data`, which is not used otherwise until the call is over.
            let (from, to) = unsafe {
                let from = View::from_raw(at(input), DType::I32, &[8], &[step * size], false);
                let to = ViewMut::from_raw(at(output), DType::I32, &[8], &[size], false);
                (from, to)
            };
            write((from, 1i32), to).unwrap();
            assert_eq!(
                data[output..output + 8],
                expected,
                "{output} {input} {step}"
            );
        }
    }

    #[test]
    fn positions_need_their_axis() {
        let request = Request {
            positions: &[Some(1)],
            ..request((&[1i32], &[2i32]), SmallVec::new(), names())
        };
        let message = Launch::prepare(request).unwrap_err().to_string();
        assert!(
            message.contains("`index(1)`") && message.contains("(1,)"),
            "{message}"
        );
    }
}
