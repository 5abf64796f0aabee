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
