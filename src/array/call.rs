//! From the operands of a call to a launch: shapes, conversions, copies where operands overlap, and the loop plan.

#![expect(unsafe_code, reason = "an output may be an input of its own call")]

use super::Array;
use super::broadcast::{broadcast_shapes, broadcast_strides};
use super::cast::{ArgType, Casting, can_cast, check_count, convert_value};
use super::error::ArrayError;
use super::iter::{LoopOperand, LoopPlan};
use super::layout::{Overlap, Place, Shape, Strides, element_count, overlap};
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
    scalars: SmallVec<[(usize, Scalar); 4]>,
    /// Converted or copied inputs, kept alive.
    _copies: SmallVec<[Array; 1]>,
    /// Outputs that the caller gave: for each, what to copy there in the end, if the loop does not write there itself.
    given: SmallVec<[(ViewMut<'a>, Option<Array>); 2]>,
    results: Vec<Array>,
}

/// A value's bytes in this machine's order, aligned for any dtype.
#[derive(Clone, Copy, Debug)]
#[repr(align(16))]
struct Scalar([u8; 16]);

/// An input once it has the loop's dtype.
enum Ready<'a> {
    View(View<'a>),
    Scalar(Const),
    Copy(Array),
}

/// What promotion needs to know about each input. Inputs that are an output's memory have its dtype.
pub fn arg_types(
    names: &[String],
    inputs: &[Operand<'_>],
    outputs: &[Output<'_>],
) -> Result<SmallVec<[ArgType; 4]>, ArrayError> {
    let arg_type = |(number, operand): (usize, &Operand<'_>)| match operand {
        Operand::View(view) => Ok(ArgType::Strong(view.dtype(), view.is_byte_swapped())),
        Operand::Scalar(value) => Ok(ArgType::of(value.dtype())),
        Operand::Weak(weak) => Ok(ArgType::Weak(*weak)),
        Operand::InPlace(output) => outputs
            .get(*output)
            .map(|o| ArgType::Strong(o.view.dtype(), o.view.is_byte_swapped()))
            .ok_or_else(|| no_such_output(names, number, *output)),
    };
    inputs.iter().enumerate().map(arg_type).collect()
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
    let wanted = broadcast_shapes(named_inputs)?;
    let mut shape = wanted.clone();
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
        let given_any = !request.outputs.is_empty();
        let outputs = std::mem::take(&mut request.outputs);
        let mut given = given_outputs(outputs, &request, &shape)?;
        let originals: SmallVec<[View<'a>; 2]> = given
            .iter()
            .map(|(view, _)| {
                let raw = view.raw();
                let (dtype, swapped) = (raw.dtype, raw.byte_swapped);
                // SAFETY: the output is borrowed for `'a`, and read and written only as operands of this call, which
                // looks for overlaps.
                unsafe { View::from_raw(raw.start, dtype, &raw.shape, &raw.strides, swapped) }
            })
            .collect();
        let mut results = Vec::new();
        if !given_any {
            for &dtype in request.output_dtypes {
                results.push(Array::zeros(dtype, &shape)?);
            }
        }
        let mut operands = Operands::new(&shape);
        let mut memory = Memory {
            names: request.input_names,
            shape: &shape,
            given: &originals,
            written: SmallVec::new(),
        };
        for (view, copy) in &mut given {
            match copy {
                Some(copy) => operands.add_output(&copy.view_mut()),
                None => {
                    memory.written.push(view.as_view());
                    operands.add_output(view);
                }
            }
        }
        for result in &mut results {
            operands.add_output(&result.view_mut());
        }
        for (number, input) in request.inputs.into_iter().enumerate() {
            operands.add(memory.ready(number, input, request.input_dtypes[number])?);
        }
        drop(memory);
        let plan = operands.plan(request.positions);
        Ok(Launch {
            plan,
            scalars: operands.scalars,
            _copies: operands.copies,
            shape,
            given,
            results,
        })
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
        let after = self.given.iter().filter(|(_, copy)| copy.is_some());
        (self._copies.len(), after.count())
    }

    /// Hands out the arguments of the launch. They are valid during the call, and outputs are written through them.
    pub fn with_args<R>(&mut self, f: impl FnOnce(&LaunchArgs<'_>) -> R) -> R {
        for (operand, value) in &mut self.scalars {
            self.plan.set_pointer(*operand, value.0.as_mut_ptr());
        }
        self.plan.with_args(f)
    }

    /// Converts to the caller's outputs what the loop did not write there itself; returns the allocated results.
    pub fn finish(self) -> Result<Vec<Array>, ArrayError> {
        for (mut view, copy) in self.given {
            if let Some(copy) = copy {
                super::convert::convert(&copy.view(), &mut view)?;
            }
        }
        Ok(self.results)
    }
}

/// Operands while they are gathered, all with strides for the loop's shape.
struct Operands<'s> {
    shape: &'s [usize],
    inputs: SmallVec<[(*mut u8, Strides); 4]>,
    outputs: SmallVec<[(*mut u8, Strides); 2]>,
    scalars: SmallVec<[(usize, Scalar); 4]>,
    copies: SmallVec<[Array; 1]>,
}

impl<'s> Operands<'s> {
    fn new(shape: &'s [usize]) -> Self {
        Operands {
            shape,
            inputs: SmallVec::new(),
            outputs: SmallVec::new(),
            scalars: SmallVec::new(),
            copies: SmallVec::new(),
        }
    }

    fn add(&mut self, input: Ready<'_>) {
        let view = match &input {
            Ready::Scalar(value) => {
                let number = self.inputs.len();
                self.scalars.push((number, Scalar(native_bytes(*value))));
                let strides = SmallVec::from_elem(0, self.shape.len());
                self.inputs.push((std::ptr::null_mut(), strides));
                return;
            }
            Ready::View(view) => view.clone(),
            Ready::Copy(array) => array.view(),
        };
        let strides = broadcast_strides(view.shape(), view.strides(), self.shape);
        self.inputs.push((view.raw().start, strides));
        if let Ready::Copy(array) = input {
            self.copies.push(array);
        }
    }

    fn add_output(&mut self, view: &ViewMut<'_>) {
        let raw = view.raw();
        self.outputs.push((raw.start, raw.strides.clone()));
    }

    fn plan(&self, positions: &[Option<u8>]) -> LoopPlan {
        let inputs = self.inputs.iter().map(|o| (o, false));
        let outputs = self.outputs.iter().map(|o| (o, true));
        let all: SmallVec<[LoopOperand<'_>; 8]> = inputs
            .chain(outputs)
            .map(|((start, strides), output)| LoopOperand {
                start: *start,
                strides,
                output,
            })
            .collect();
        LoopPlan::new(self.shape, &all, positions)
    }
}

fn native_bytes(value: Const) -> [u8; 16] {
    let mut bytes = value.to_le_bytes();
    if cfg!(target_endian = "big") {
        let parts = bytes[..value.dtype().size()].chunks_exact_mut(value.dtype().part().size());
        parts.for_each(<[u8]>::reverse);
    }
    bytes
}

fn check_positions(positions: &[Option<u8>], shape: &[usize]) -> Result<(), ArrayError> {
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

/// The caller's outputs in the loop's shape, each with memory of the loop's dtype if its own will not do.
type Given<'a> = SmallVec<[(ViewMut<'a>, Option<Array>); 2]>;

fn given_outputs<'a>(
    outputs: SmallVec<[Output<'a>; 2]>,
    request: &Request<'_, 'a>,
    shape: &[usize],
) -> Result<Given<'a>, ArrayError> {
    let mut given = Given::new();
    for (number, output) in outputs.into_iter().enumerate() {
        let dtype = request.output_dtypes[number];
        let (have, swapped) = (output.view.dtype(), output.view.is_byte_swapped());
        if !can_cast(dtype, have, request.casting) || swapped && request.casting == Casting::No {
            return Err(ArrayError::Casting {
                name: output_name(request.output_names, number).into_owned(),
                from: dtype.to_string(),
                to: have,
                casting: request.casting,
                output: true,
            });
        }
        let view = match output.flat {
            true => output.view.reshape(shape)?,
            false => output.view,
        };
        let shared = |(other, _): &(ViewMut<'_>, _)| {
            overlap(shape, place(other.raw()), place(view.raw())) != Overlap::Disjoint
        };
        if given.iter().any(shared) {
            return Err(ArrayError::SharedElements {
                shape: shape.into(),
            });
        }
        let copy = if have == dtype && !swapped {
            None
        } else {
            Some(Array::zeros(dtype, shape)?)
        };
        given.push((view, copy));
    }
    Ok(given)
}

/// Where a view that has the loop's shape lies.
fn place(raw: &RawView) -> Place<'_> {
    Place {
        address: raw.start.addr(),
        strides: &raw.strides,
        size: raw.dtype.size(),
    }
}

/// What inputs are made ready against.
struct Memory<'m, 'a> {
    names: &'m [String],
    shape: &'m [usize],
    /// What the caller's outputs hold before the call.
    given: &'m [View<'a>],
    /// Outputs that the loop writes where the caller wants them.
    written: SmallVec<[View<'m>; 2]>,
}

impl<'a> Memory<'_, 'a> {
    /// An input in the loop's dtype and byte order, copied if an output overlaps it other than element by element.
    fn ready(
        &self,
        number: usize,
        input: Operand<'a>,
        dtype: DType,
    ) -> Result<Ready<'a>, ArrayError> {
        let view = match input {
            Operand::Scalar(value) => return Ok(Ready::Scalar(convert_value(value, dtype))),
            Operand::Weak(weak) => return Ok(Ready::Scalar(weak.to_const(dtype))),
            Operand::View(view) => view,
            Operand::InPlace(output) => self
                .given
                .get(output)
                .cloned()
                .ok_or_else(|| no_such_output(self.names, number, output))?,
        };
        if view.dtype() != dtype || view.is_byte_swapped() {
            return view.without_repeats().converted(dtype).map(Ready::Copy);
        }
        if self.clashes(&view) {
            return Array::from_view(&view.without_repeats()).map(Ready::Copy);
        }
        Ok(Ready::View(view))
    }

    fn clashes(&self, view: &View<'_>) -> bool {
        if self.written.is_empty() {
            return false;
        }
        let strides = broadcast_strides(view.shape(), view.strides(), self.shape);
        let input = Place {
            strides: &strides,
            ..place(view.raw())
        };
        let mut written = self.written.iter();
        written.any(|o| overlap(self.shape, input, place(o.raw())) == Overlap::Partial)
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
