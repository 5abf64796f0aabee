//! Calls whose operands are on a device: what has to be moved or converted first, the launch, and copies there and back.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use smallvec::SmallVec;
use ufc_ir::{Const, DType};
use ufc_target::{
    BackendError, DeviceArgs, DeviceOperand, Executable, LaunchControl, LaunchReport,
};

use super::broadcast::broadcast_strides;
use super::call::{Request, check_positions, loop_shape};
use super::cast::{can_cast, check_count, convert_value};
use super::device::{DeviceArray, as_address, as_offset};
use super::error::ArrayError;
use super::iter::{LoopOperands, LoopPlan};
use super::layout::{Overlap, Place, Shape, extent, may_share_elements, overlap};
use super::operand::{Operand, Output};
use super::view::View;
use super::{Array, Casting};
use crate::Module;
use crate::dispatch::{self, Picked, Transfers};
use crate::error::Error;
use crate::ufunc::Ufunc;

/// A copy of a view in a device's memory, in C order, and what was moved.
pub(crate) fn upload(view: &View<'_>, picked: &Picked) -> Result<(DeviceArray, Transfers), Error> {
    let array = DeviceArray::unset(picked, view.dtype(), view.shape())?;
    let copy;
    let bytes = match view.contiguous_bytes() {
        Some(bytes) => bytes,
        None => {
            copy = view.to_array()?;
            copy.as_bytes()
        }
    };
    let done = match bytes.is_empty() {
        true => Ok(()),
        false => array.buffer().upload(0, bytes),
    };
    done.map_err(|error| dispatch::failed(picked, error))?;
    let moved = Transfers {
        uploaded: bytes.len() as u64,
        downloaded: 0,
    };
    dispatch::count_transfers(moved);
    Ok((array, moved))
}

/// A copy of an array in the host's memory, in C order, and what was moved.
pub(crate) fn download(array: &DeviceArray) -> Result<(Array, Transfers), Error> {
    let (dtype, size) = (array.dtype(), array.dtype().size());
    if array.is_empty() {
        return Ok((Array::zeros(dtype, array.shape())?, Transfers::default()));
    }
    let picked = dispatch::where_buffer_is(&**array.buffer())?;
    // What is repeated is moved once. Elements with others between them are put together on the device, where that is
    // possible, so that only they are moved.
    let once = array.clone().without_repeats();
    let span_of = |array: &DeviceArray| {
        let (low, high) = extent(array.shape(), array.strides(), size).unwrap_or((0, 0));
        (low.unsigned_abs(), high.abs_diff(low))
    };
    let packed = match span_of(&once).1 == once.bytes() {
        true => None,
        false => converted(&once, dtype, &picked).ok(),
    };
    let source = packed.unwrap_or(once);
    let (first, span) = span_of(&source);
    let mut bytes = Array::zeros(DType::U8, &[span])?;
    let memory = bytes.as_mut_slice::<u8>()?;
    let done = source.buffer().download(source.offset() - first, memory);
    done.map_err(|error| dispatch::failed(&picked, error))?;
    let moved = Transfers {
        uploaded: 0,
        downloaded: memory.len() as u64,
    };
    dispatch::count_transfers(moved);
    let swapped = cfg!(target_endian = "big");
    if source.is_contiguous() && source.shape() == array.shape() && !swapped {
        return Ok((bytes.into_dtype(dtype, source.shape())?, moved));
    }
    let (shape, strides) = (source.shape(), source.strides());
    let view = View::from_bytes(memory, dtype, first, shape, strides, swapped)?;
    Ok((view.broadcast_to(array.shape())?.to_array()?, moved))
}

/// A copy in C order on the same device, each element converted as `as` does.
fn converted(array: &DeviceArray, to: DType, picked: &Picked) -> Result<DeviceArray, Error> {
    let result = DeviceArray::unset(picked, to, array.shape())?;
    convert_into(array, &result, picked)?;
    Ok(result)
}

/// Writes each element, converted, to the same place of another array on the same device.
fn convert_into(from: &DeviceArray, to: &DeviceArray, picked: &Picked) -> Result<(), Error> {
    let kernel = converter(from.dtype(), to.dtype())?;
    let ready = kernel.loop_for(&[], picked, None, true)?;
    let mut operands = LoopOperands::default();
    operands.push_input(
        as_address(from.offset()),
        from.shape(),
        from.strides(),
        to.shape(),
    );
    operands.push_output(as_address(to.offset()), to.strides());
    let plan = LoopPlan::new(to.shape(), operands, &[]);
    let buffers = [Some(from.clone()), Some(to.clone())];
    launch(
        &*ready.executable,
        &plan,
        &buffers,
        &[],
        &LaunchControl::default(),
    )
    .map(drop)
    .map_err(|error| dispatch::failed(picked, error))
}

/// The kernel that converts one dtype to another, or copies where they are the same.
fn converter(from: DType, to: DType) -> Result<Ufunc, Error> {
    static KERNELS: Mutex<BTreeMap<(&str, &str), Ufunc>> = Mutex::new(BTreeMap::new());
    let mut kernels = KERNELS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (from.name(), to.name());
    if let Some(known) = kernels.get(&key) {
        return Ok(known.clone());
    }
    let body = match from == to {
        true => "x".to_string(),
        false => format!("x as {to}"),
    };
    let text = format!("/// Converts elements.\npub fn convert(x: {from}) -> {to} {{ {body} }}\n");
    let kernel = Module::from_source("<conversion>", &text)?.only()?;
    kernels.insert(key, kernel.clone());
    Ok(kernel)
}

/// Launches a loop; `arrays` has the operand of each number that is in a buffer, `values` the others.
fn launch(
    executable: &dyn Executable,
    plan: &LoopPlan,
    arrays: &[Option<DeviceArray>],
    values: &[(usize, [u8; 16])],
    control: &LaunchControl<'_>,
) -> Result<LaunchReport, BackendError> {
    let operand = |(number, array): (usize, &Option<DeviceArray>)| match array {
        Some(array) => DeviceOperand::Buffer {
            buffer: array.buffer().clone(),
            offset: as_offset(plan.pointer(number)),
        },
        None => {
            let value = values.iter().find(|(of, _)| *of == number);
            DeviceOperand::Value(value.map_or([0; 16], |(_, bytes)| *bytes))
        }
    };
    let operands: SmallVec<[DeviceOperand; 6]> = arrays.iter().enumerate().map(operand).collect();
    plan.with_args(|args| {
        let args = DeviceArgs {
            shape: args.shape,
            operands: &operands,
            strides: args.strides,
            indices: args.indices,
        };
        executable.launch_on_device(&args, control)
    })
}

/// A loop over operands that are all on one device.
#[derive(Debug)]
pub(crate) struct DeviceLaunch {
    shape: Shape,
    plan: LoopPlan,
    /// Per operand, the array it is in; none for single values.
    arrays: Vec<Option<DeviceArray>>,
    values: Vec<(usize, [u8; 16])>,
    /// What the loop writes.
    written: Vec<DeviceArray>,
    /// What the caller gave, where that is not what the loop writes: output number and array.
    given: Vec<(usize, DeviceArray)>,
    /// What was moved to get here.
    pub(crate) moved: Transfers,
    /// A line for each operand that was moved, for the plan.
    pub(crate) notes: Vec<String>,
}

impl DeviceLaunch {
    /// Makes the operands ready: those on the host or another device are copied here, those of another dtype converted here.
    /// `outputs` are arrays on the device, or none to have them allocated; the request's own outputs, in the host's memory, only
    /// tell the shape, and are read where an input stands for one.
    pub(crate) fn prepare(
        request: Request<'_, '_>,
        outputs: &[DeviceArray],
        picked: &Picked,
    ) -> Result<DeviceLaunch, Error> {
        check_count("inputs", request.inputs.len(), request.input_dtypes.len())?;
        if !outputs.is_empty() {
            check_count("outputs", outputs.len(), request.output_dtypes.len())?;
        }
        let shape = shape_of(&request, outputs)?;
        check_positions(request.positions, &shape)?;
        let mut launch = DeviceLaunch {
            shape,
            plan: LoopPlan::default(),
            arrays: Vec::new(),
            values: Vec::new(),
            written: Vec::new(),
            given: Vec::new(),
            moved: Transfers::default(),
            notes: Vec::new(),
        };
        check_host_outputs(&request)?;
        launch.add_outputs(&request, outputs, picked)?;
        let mut operands = LoopOperands::default();
        for (number, input) in request.inputs.iter().enumerate() {
            let dtype = request.input_dtypes[number];
            let name = request.input_names.get(number).map_or("", String::as_str);
            let found = match input {
                Operand::InPlace(output) if !request.outputs.is_empty() => {
                    let given = request.outputs.get(*output);
                    let given = given.ok_or_else(|| ArrayError::NoSuchOutput {
                        name: name.to_string(),
                        output: *output,
                    })?;
                    Ok(launch.moved_here(name, &given.view.as_view(), dtype, picked)?)
                }
                _ => launch.input(name, input, dtype, outputs, picked)?,
            };
            match found {
                Ok(array) => {
                    let start = as_address(array.offset());
                    operands.push_input(start, array.shape(), array.strides(), &launch.shape);
                    launch.arrays.push(Some(array));
                }
                Err(value) => {
                    launch.values.push((number, value.to_le_bytes()));
                    operands.push_input(as_address(0), &[], &[], &launch.shape);
                    launch.arrays.push(None);
                }
            }
        }
        for array in &launch.written {
            operands.push_output(as_address(array.offset()), array.strides());
            launch.arrays.push(Some(array.clone()));
        }
        launch.plan = LoopPlan::new(&launch.shape, operands, request.positions);
        Ok(launch)
    }

    /// Decides what the loop writes: the caller's arrays where they are of the right dtype, or else new ones.
    fn add_outputs(
        &mut self,
        request: &Request<'_, '_>,
        outputs: &[DeviceArray],
        picked: &Picked,
    ) -> Result<(), Error> {
        for (number, &dtype) in request.output_dtypes.iter().enumerate() {
            let Some(output) = outputs.get(number) else {
                let array = DeviceArray::unset(picked, dtype, &self.shape)?;
                self.written.push(array);
                continue;
            };
            check_output(request, number, output, &self.shape, picked)?;
            let shared =
                |other: &DeviceArray| place_of(&self.shape, other, output) != Overlap::Disjoint;
            if outputs[..number].iter().any(shared) {
                return Err(ArrayError::SharedElements {
                    shape: self.shape.clone(),
                }
                .into());
            }
            if output.dtype() == dtype {
                self.written.push(output.clone());
            } else {
                let stand_in = DeviceArray::unset(picked, dtype, &self.shape)?;
                self.written.push(stand_in);
                self.given.push((number, output.clone()));
            }
        }
        Ok(())
    }

    /// An input as the loop takes it: an array on the device, or a single value.
    fn input(
        &mut self,
        name: &str,
        input: &Operand<'_>,
        dtype: DType,
        outputs: &[DeviceArray],
        picked: &Picked,
    ) -> Result<Result<DeviceArray, Const>, Error> {
        let array = match input {
            Operand::Scalar(value) => return Ok(Err(convert_value(*value, dtype))),
            Operand::Weak(weak) => return Ok(Err(weak.to_const(dtype))),
            Operand::View(view) => return self.moved_here(name, view, dtype, picked).map(Ok),
            Operand::Device(array) if picked.has(&**array.buffer()) => array.clone(),
            Operand::Device(array) => {
                let (host, moved) = download(array)?;
                self.count(moved);
                let from = array.device();
                self.notes.push(format!(
                    "`{name}` is on `{from}` and is copied over the host"
                ));
                return self.moved_here(name, &host.view(), dtype, picked).map(Ok);
            }
            Operand::InPlace(output) => match outputs.get(*output) {
                Some(array) => array.clone(),
                None => {
                    let name = name.to_string();
                    let output = *output;
                    return Err(ArrayError::NoSuchOutput { name, output }.into());
                }
            },
        };
        let clashes =
            |written: &DeviceArray| place_of(&self.shape, &array, written) == Overlap::Partial;
        if array.dtype() == dtype && !self.written.iter().any(clashes) {
            return Ok(Ok(array));
        }
        self.notes.push(match array.dtype() == dtype {
            true => format!("`{name}` overlaps an output and is copied on the device"),
            false => {
                let from = array.dtype();
                format!("`{name}` is converted from {from} to {dtype} on the device")
            }
        });
        match converted(&array, dtype, picked) {
            Ok(array) => Ok(Ok(array)),
            Err(error) if !error.is_unsupported() => Err(error),
            // The device lacks one of the dtypes: the host has them all.
            Err(_) => {
                let (host, moved) = download(&array)?;
                self.count(moved);
                self.moved_here(name, &host.view(), dtype, picked).map(Ok)
            }
        }
    }

    /// A copy of the host's elements on the device, repeated ones only once.
    fn moved_here(
        &mut self,
        name: &str,
        view: &View<'_>,
        dtype: DType,
        picked: &Picked,
    ) -> Result<DeviceArray, Error> {
        let once = view.clone().without_repeats();
        let (array, moved) = match once.dtype() == dtype {
            true => upload(&once, picked)?,
            false => upload(&once.converted(dtype)?.view(), picked)?,
        };
        self.count(moved);
        let bytes = crate::units::bytes(moved.uploaded as f64);
        self.notes.push(format!(
            "`{name}` is on the host and is copied to the device: {bytes}"
        ));
        Ok(array)
    }

    fn count(&mut self, moved: Transfers) {
        self.moved.uploaded += moved.uploaded;
        self.moved.downloaded += moved.downloaded;
    }

    /// Runs the loop, and converts to the caller's arrays what it did not write there itself. May return before the device is
    /// done.
    pub(crate) fn run(
        &self,
        executable: &dyn Executable,
        control: &LaunchControl<'_>,
        picked: &Picked,
    ) -> Result<LaunchReport, Error> {
        if self.shape.contains(&0) {
            return Ok(LaunchReport::default());
        }
        let done = launch(executable, &self.plan, &self.arrays, &self.values, control);
        let report = done.map_err(|error| dispatch::failed(picked, error))?;
        for (number, given) in &self.given {
            convert_into(&self.written[*number], given, picked)?;
        }
        Ok(report)
    }

    /// What the loop wrote.
    pub(crate) fn into_results(self) -> Vec<DeviceArray> {
        self.written
    }
}

/// The shape of the loop: that of the inputs, broadcast together, or of the outputs if they are larger.
fn shape_of(request: &Request<'_, '_>, outputs: &[DeviceArray]) -> Result<Shape, ArrayError> {
    let names = (request.input_names, request.output_names);
    let shape = loop_shape(names.0, &request.inputs, names.1, &request.outputs)?;
    let Some(first) = outputs.first() else {
        return Ok(shape);
    };
    let both = [("", &*shape), ("", first.shape())];
    match super::broadcast::broadcast_shapes(both.into_iter()) {
        Ok(both) if *both == *first.shape() => Ok(both),
        _ => Err(ArrayError::OutputShape {
            name: request.output_names.first().cloned().unwrap_or_default(),
            have: first.shape().into(),
            want: shape,
        }),
    }
}

/// Whether results may be converted to what the caller gave in the host's memory.
fn check_host_outputs(request: &Request<'_, '_>) -> Result<(), ArrayError> {
    for (number, output) in request.outputs.iter().enumerate() {
        let (from, to) = (request.output_dtypes.get(number), output.view.dtype());
        let Some(from) = from.filter(|from| !can_cast(**from, to, request.casting)) else {
            continue;
        };
        let known = request.output_names.get(number);
        return Err(ArrayError::Casting {
            name: known.cloned().unwrap_or_else(|| number.to_string()),
            from: from.to_string(),
            to,
            casting: request.casting,
            output: true,
        });
    }
    if request.outputs.is_empty() {
        return Ok(());
    }
    check_count(
        "outputs",
        request.outputs.len(),
        request.output_dtypes.len(),
    )
}

fn check_output(
    request: &Request<'_, '_>,
    number: usize,
    output: &DeviceArray,
    shape: &[usize],
    picked: &Picked,
) -> Result<(), Error> {
    let name = || {
        let known = request.output_names.get(number);
        known.cloned().unwrap_or_else(|| number.to_string())
    };
    if output.shape() != shape {
        return Err(ArrayError::OutputShape {
            name: name(),
            have: output.shape().into(),
            want: shape.into(),
        }
        .into());
    }
    if !picked.has(&**output.buffer()) {
        return Err(Error::Device {
            target: picked.name(),
            error: BackendError::Unsupported(format!(
                "an output on `{}` of a call that runs elsewhere",
                output.device()
            )),
        });
    }
    let dtype = request.output_dtypes[number];
    if !can_cast(dtype, output.dtype(), request.casting) {
        return Err(ArrayError::Casting {
            name: name(),
            from: dtype.to_string(),
            to: output.dtype(),
            casting: request.casting,
            output: true,
        }
        .into());
    }
    if may_share_elements(shape, output.strides(), output.dtype().size()) {
        return Err(ArrayError::SharedElements {
            shape: shape.into(),
        }
        .into());
    }
    Ok(())
}

/// How an array, broadcast to the loop's shape, lies to another that has this shape.
fn place_of(shape: &[usize], array: &DeviceArray, other: &DeviceArray) -> Overlap {
    let (one, two) = (array.buffer(), other.buffer());
    let addresses = match (array.address(), other.address()) {
        _ if std::sync::Arc::ptr_eq(one, two) => {
            [array, other].map(|array| as_address(array.offset()).addr())
        }
        // Buffers of memory that others allocated may be parts of the same.
        (Some(first), Some(second)) if one.device() == two.device() => {
            [first as usize, second as usize]
        }
        _ => return Overlap::Disjoint,
    };
    let strides = broadcast_strides(array.shape(), array.strides(), shape);
    let place = |array: &DeviceArray, address, strides| Place {
        address,
        strides,
        size: array.dtype().size(),
    };
    let [first, second] = addresses;
    overlap(
        shape,
        place(array, first, &strides),
        place(other, second, other.strides()),
    )
}

/// Operands of a call that is not to run where some of them are: copies of those in the host's memory, and what was moved.
pub(crate) fn bring_home<'a>(
    inputs: &[Operand<'a>],
    copies: &'a [Option<Array>],
) -> SmallVec<[Operand<'a>; 4]> {
    let each = inputs.iter().zip(copies);
    each.map(|(input, copy)| match copy {
        Some(array) => Operand::View(array.view()),
        None => input.clone(),
    })
    .collect()
}

/// Copies in the host's memory of the operands that are on a device.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    /// Per operand, its copy if it is on a device.
    pub(crate) arrays: Vec<Option<Array>>,
    pub(crate) moved: Transfers,
    /// A line for each of them.
    pub(crate) notes: Vec<String>,
}

/// Copies the operands that are on a device to the host's memory.
pub(crate) fn copies_of(names: &[String], inputs: &[Operand<'_>]) -> Result<Copies, Error> {
    let mut copies = Copies::default();
    for (number, input) in inputs.iter().enumerate() {
        let copy = match input {
            Operand::Device(array) => {
                let (host, transfers) = download(array)?;
                copies.moved.downloaded += transfers.downloaded;
                let bytes = crate::units::bytes(transfers.downloaded as f64);
                let name = names.get(number).map_or("", String::as_str);
                let device = array.device();
                copies
                    .notes
                    .push(format!("`{name}` is copied from `{device}`: {bytes}"));
                Some(host)
            }
            _ => None,
        };
        copies.arrays.push(copy);
    }
    Ok(copies)
}

/// Writes results that are on a device to the caller's memory.
pub(crate) fn write_home(
    results: &[DeviceArray],
    outputs: &mut [Output<'_>],
) -> Result<Transfers, Error> {
    let mut moved = Transfers::default();
    for (result, output) in results.iter().zip(outputs) {
        let (host, transfers) = download(result)?;
        moved.downloaded += transfers.downloaded;
        if *output.view.shape() != *host.shape() {
            output.view.set_shape(host.shape())?;
        }
        output.view.assign(&host.view(), Casting::Unsafe)?;
    }
    Ok(moved)
}
