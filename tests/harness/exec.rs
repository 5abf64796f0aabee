//! Runs a kernel in every form there is and compares each with what the kernel means.
//!
//! The meaning is the interpreter on the function as it was lowered, math functions expanded and no pass run. The
//! other forms are the optimized function, the SPMD form at several lane counts, and every back end that is there,
//! on every device, at every interleaving and with operands placed in memory in every way.

use std::fmt;
use std::sync::Arc;

use ufc::{Const, DType, Error};
use ufc_ir::{Func, interp, passes};
use ufc_target::legality::CoreOnly;
use ufc_target::{
    Backend, BackendError, CompileOptions, DeviceArgs, DeviceOperand, Executable, LaunchArgs,
    LaunchControl, Legality, launch,
};

use super::memory::{Operand, Placement};
use super::values;

/// Values per operand, in C order.
pub(crate) type Columns = Vec<Vec<Const>>;

/// Lane counts that the SPMD form is interpreted at.
const LANES: [usize; 4] = [1, 3, 4, 16];
/// Interleavings that a back end is asked for.
const INTERLEAVES: [usize; 3] = [1, 2, 4];
/// Instructions that one element may take before a kernel counts as endless.
const FUEL: u64 = 20_000_000;

/// What went wrong where.
#[derive(Clone, Debug)]
pub(crate) struct Mismatch {
    /// Which form, on which operands.
    pub form: String,
    /// What happened.
    pub what: String,
    /// The element's inputs and expected results, if it is about one element.
    pub element: Option<(Vec<Const>, Vec<Const>)>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.form, self.what)
    }
}

impl Mismatch {
    /// Whether both may have the same cause: the same kind of form gave a wrong value, or none.
    pub(crate) fn is_like(&self, other: &Mismatch) -> bool {
        let kind = |mismatch: &Mismatch| {
            let word = mismatch.form.split([' ', ',', ':']).next();
            (word.map(str::to_string), mismatch.element.is_some())
        };
        kind(self) == kind(other)
    }

    fn new(form: &str, what: impl fmt::Display) -> Mismatch {
        Mismatch {
            form: form.to_string(),
            what: what.to_string(),
            element: None,
        }
    }
}

/// A kernel for one combination of dtypes, with its meaning at hand.
pub(crate) struct Kernel {
    lowered: Func,
    meaning: Func,
}

impl Kernel {
    /// From a function as lowered.
    pub(crate) fn new(lowered: Func) -> Result<Kernel, String> {
        let legal = ufc_math::legalize::legalize(lowered.clone(), &CoreOnly)
            .map_err(|error| error.to_string())?;
        Ok(Kernel {
            lowered,
            meaning: legal.into_func(),
        })
    }

    /// The function as lowered.
    pub(crate) fn func(&self) -> &Func {
        &self.lowered
    }

    /// What the kernel gives for each element.
    pub(crate) fn meaning(
        &self,
        inputs: &[Vec<Const>],
        shape: &[usize],
    ) -> Result<Columns, String> {
        elements(&self.meaning, 1, inputs, shape)
    }

    fn optimized(&self, legality: &dyn Legality) -> Result<Func, Error> {
        let mut func = self.lowered.clone();
        ufc::pipeline::optimize(&mut func);
        ufc::pipeline::legalize(func, legality).map(|legal| legal.into_func())
    }

    /// Compares the optimized function with the meaning.
    pub(crate) fn check_optimized(
        &self,
        inputs: &[Vec<Const>],
        expected: &[Vec<Const>],
    ) -> Result<(), Mismatch> {
        let form = "interp, optimized";
        let func = self
            .optimized(&CoreOnly)
            .map_err(|error| Mismatch::new(form, error))?;
        let shape = [rows(expected)];
        let found =
            elements(&func, 1, inputs, &shape).map_err(|error| Mismatch::new(form, error))?;
        compare(form, inputs, expected, &found)
    }

    /// Compares the SPMD form at several lane counts with the meaning, of the core form and of what a target gets.
    pub(crate) fn check_spmd(
        &self,
        legality: &dyn Legality,
        inputs: &[Vec<Const>],
        expected: &[Vec<Const>],
    ) -> Result<(), Mismatch> {
        let name = format!("SPMD form for {}", legality.target());
        let func = self
            .optimized(legality)
            .map_err(|error| Mismatch::new(&name, error))?;
        // What the target has an instruction for the interpreter has to expand.
        let mut func = ufc_math::expand_math(func).map_err(|error| Mismatch::new(&name, error))?;
        passes::spmd::run(&mut func);
        ufc_ir::verify::verify(&func)
            .map_err(|found| Mismatch::new(&name, format!("{found:?}")))?;
        for lanes in LANES {
            let form = format!("{name}, {lanes} lanes");
            let found = elements(&func, lanes, inputs, &[rows(expected)]);
            let found = found.map_err(|error| Mismatch::new(&form, error))?;
            compare(&form, inputs, expected, &found)?;
        }
        Ok(())
    }

    /// The loops that a back end makes of it: one per device and interleaving.
    pub(crate) fn loops(&self, backend: &'static dyn Backend) -> Result<Vec<Loop>, Mismatch> {
        let mut loops = Vec::new();
        for device in Kernel::devices(backend)? {
            for interleave in INTERLEAVES {
                loops.push(self.compile(backend, &device, interleave)?);
            }
        }
        Ok(loops)
    }

    /// The devices of a back end, also those that it does not list but can be asked for.
    pub(crate) fn devices(backend: &'static dyn Backend) -> Result<Vec<String>, Mismatch> {
        let name = backend.name();
        let listed = backend.devices().map_err(|why| Mismatch::new(name, why))?;
        let mut names: Vec<String> = listed.into_iter().map(|device| device.name).collect();
        if let Some(lowest) = unlisted(name).filter(|lowest| !names.iter().any(|n| n == lowest)) {
            names.push(lowest.to_string());
        }
        Ok(names)
    }

    /// The loop that a back end makes of it for one device and interleaving.
    pub(crate) fn compile(
        &self,
        backend: &'static dyn Backend,
        device: &str,
        interleave: usize,
    ) -> Result<Loop, Mismatch> {
        let form = format!("{}:{device}, {interleave} vectors", backend.name());
        let options = CompileOptions {
            device: Some(device.to_string()),
            interleave: Some(interleave),
            ..CompileOptions::default()
        };
        let func = self
            .optimized(backend.legality(Some(device)))
            .map_err(|error| Mismatch::new(&form, error))?;
        let legal = ufc_target::Legal::try_new(func, backend.legality(Some(device)));
        let legal = legal.map_err(|found| Mismatch::new(&form, format!("{found:?}")))?;
        let executable = backend.compile(&legal, &options);
        let func = legal.func();
        Ok(Loop {
            executable: executable.map_err(|error| Mismatch::new(&form, error))?,
            positions: launch::positions(func),
            results: func.results.clone(),
            backend,
            device: device.to_string(),
            form,
        })
    }

    /// Compares a loop with the meaning: lengths up to that of the inputs, every placement of the operands.
    pub(crate) fn check_loop(
        &self,
        compiled: &Loop,
        inputs: &[Vec<Const>],
        expected: &[Vec<Const>],
    ) -> Result<(), Mismatch> {
        let operands = inputs.len() + expected.len();
        let all = rows(expected);
        for n in (0..=all).filter(|n| is_telling(*n) || *n == all) {
            compiled.check(
                inputs,
                expected,
                &[n],
                &vec![Placement::CONTIGUOUS; operands],
            )?;
        }
        for (turn, placement) in Placement::SPREAD.into_iter().enumerate() {
            compiled.check(inputs, expected, &[all], &vec![placement; operands])?;
            // Every operand placed in another way than its neighbours.
            let mixed = |k: usize| Placement::SPREAD[(turn + k) % Placement::SPREAD.len()];
            let mixed: Vec<Placement> = (0..operands).map(mixed).collect();
            for n in [1, 2, all / 2, all] {
                compiled.check(inputs, expected, &[n.min(all)], &mixed)?;
            }
        }
        self.check_broadcasts(compiled, inputs, expected)?;
        self.check_rows(compiled, inputs, expected)
    }

    /// Compares a loop with the meaning where a driver takes a while for each layout of operands: a few lengths, operands one
    /// after another.
    pub(crate) fn check_briefly(
        &self,
        compiled: &Loop,
        inputs: &[Vec<Const>],
        expected: &[Vec<Const>],
    ) -> Result<(), Mismatch> {
        let operands = inputs.len() + expected.len();
        let all = rows(expected);
        for n in [1, all / 2, all] {
            let placements = vec![Placement::CONTIGUOUS; operands];
            compiled.check(inputs, expected, &[n], &placements)?;
        }
        Ok(())
    }

    /// Each input, then all of them, as one element for all; the others contiguous, then strided.
    fn check_broadcasts(
        &self,
        compiled: &Loop,
        inputs: &[Vec<Const>],
        expected: &[Vec<Const>],
    ) -> Result<(), Mismatch> {
        let (n, nout) = (rows(expected).min(37), expected.len());
        for one in 0..=inputs.len() {
            let is_one = |k: usize| k == one || one == inputs.len();
            let columns: Columns = inputs
                .iter()
                .enumerate()
                .map(|(k, column)| {
                    if is_one(k) {
                        vec![column[n / 2]; n]
                    } else {
                        column[..n].to_vec()
                    }
                })
                .collect();
            let expected = self.meaning(&columns, &[n]);
            let expected = expected.map_err(|error| Mismatch::new("interp", error))?;
            for others in [Placement::CONTIGUOUS, Placement::STRIDED] {
                let placements: Vec<Placement> = (0..inputs.len() + nout)
                    .map(|k| {
                        if k < inputs.len() && is_one(k) {
                            Placement::BROADCAST
                        } else {
                            others
                        }
                    })
                    .collect();
                compiled.check(&columns, &expected, &[n], &placements)?;
            }
        }
        Ok(())
    }

    /// So many long launches with one input broadcast that a back end may make code of its own for them.
    pub(crate) fn check_long_broadcasts(
        &self,
        compiled: &Loop,
        inputs: &[Vec<Const>],
    ) -> Result<(), Mismatch> {
        const ELEMENTS: usize = 1 << 17;
        const LAUNCHES: usize = 24;
        for one in 0..inputs.len() {
            let mut columns = inputs.to_vec();
            let n = columns[one].len();
            columns[one] = vec![columns[one][0]; n];
            let expected = self.meaning(&columns, &[n]);
            let expected = expected.map_err(|error| Mismatch::new("interp", error))?;
            let tile = |columns: &[Vec<Const>]| -> Columns {
                let long = |c: &Vec<Const>| c.iter().copied().cycle().take(ELEMENTS).collect();
                columns.iter().map(long).collect()
            };
            let mut placements = vec![Placement::CONTIGUOUS; inputs.len() + expected.len()];
            placements[one] = Placement::BROADCAST;
            let (long, expected) = (tile(&columns), tile(&expected));
            let form = format!("{}, launched often, input {one} broadcast", compiled.form);
            let found = compiled.launch_often(&long, &[ELEMENTS], &placements, LAUNCHES);
            let found = found.map_err(|error| Mismatch::new(&form, error))?;
            compare(&form, &long, &expected, &found)?;
        }
        Ok(())
    }

    /// Two loop dims.
    fn check_rows(
        &self,
        compiled: &Loop,
        inputs: &[Vec<Const>],
        expected: &[Vec<Const>],
    ) -> Result<(), Mismatch> {
        let (shape, nout) = ([3, rows(expected) / 3], expected.len());
        let columns: Columns = inputs
            .iter()
            .map(|column| column[..shape[0] * shape[1]].to_vec())
            .collect();
        let expected = self
            .meaning(&columns, &shape)
            .map_err(|error| Mismatch::new("interp", error))?;
        for placement in [Placement::CONTIGUOUS, Placement::BACKWARDS_STRIDED] {
            compiled.check(
                &columns,
                &expected,
                &shape,
                &vec![placement; inputs.len() + nout],
            )?;
        }
        Ok(())
    }
}

/// The level of this processor that the CPU back end takes as a device without listing it: the lowest, whose code has
/// no fused multiply-add.
fn unlisted(backend: &str) -> Option<&'static str> {
    (backend == "cpu" && cfg!(target_arch = "x86_64")).then_some("sse4.1")
}

/// Loaded code of one kernel for one device.
pub(crate) struct Loop {
    executable: Arc<dyn Executable>,
    positions: Vec<Option<u8>>,
    results: Vec<DType>,
    backend: &'static dyn Backend,
    device: String,
    /// Target, device and interleaving.
    pub form: String,
}

impl Loop {
    /// Launches on the first elements of the inputs and compares with what is expected of these.
    pub(crate) fn check(
        &self,
        inputs: &[Vec<Const>],
        expected: &[Vec<Const>],
        shape: &[usize],
        placements: &[Placement],
    ) -> Result<(), Mismatch> {
        let n: usize = shape.iter().product();
        let form = || {
            format!(
                "{}, shape {shape:?}, {}",
                self.form,
                show_placements(placements)
            )
        };
        let first = |columns: &[Vec<Const>]| -> Columns {
            columns.iter().map(|c| c[..n].to_vec()).collect()
        };
        let inputs = first(inputs);
        let found = self.launch(&inputs, shape, placements);
        let found = found.map_err(|error| Mismatch::new(&form(), error))?;
        compare(&form(), &inputs, &first(expected), &found)?;
        let form = || format!("{} (operands on the device)", form());
        let found = self.launch_resident(&inputs, shape, placements);
        match found.map_err(|error| Mismatch::new(&form(), error))? {
            Some(found) => compare(&form(), &inputs, &first(expected), &found),
            None => Ok(()),
        }
    }

    /// Launches once on operands in buffers of the device, placed there as they are on the host; none if the device's
    /// memory is the host's. Every other input that is one element for all is passed by value.
    fn launch_resident(
        &self,
        inputs: &[Vec<Const>],
        shape: &[usize],
        placements: &[Placement],
    ) -> Result<Option<Columns>, String> {
        let shown = |error: BackendError| error.to_string();
        match self.backend.allocate(&self.device, 1) {
            Err(BackendError::Unsupported(_)) => return Ok(None),
            found => found.map_err(shown)?,
        };
        let mut operands = self.operands(inputs, shape, placements);
        let mut placed = Vec::new();
        for (number, operand) in operands.iter().enumerate() {
            let value = inputs.get(number).and_then(|column| column.first());
            if let Some(value) = value
                && number % 2 == 1
                && operand.strides.iter().all(|stride| *stride == 0)
            {
                placed.push(DeviceOperand::Value(value.to_le_bytes()));
                continue;
            }
            // The same alignment as on the host.
            let (pad, bytes) = (operand.misalignment(), operand.snapshot());
            let size = pad + bytes.len();
            let buffer = self.backend.allocate(&self.device, size).map_err(shown)?;
            buffer.upload(pad, &bytes).map_err(shown)?;
            let offset = pad + operand.first();
            placed.push(DeviceOperand::Buffer { buffer, offset });
        }
        let strides: Vec<&[isize]> = operands.iter().map(|o| o.strides.as_slice()).collect();
        let steps = self.steps(shape);
        let indices: Vec<(i64, &[i64])> = steps.iter().map(|steps| (0, steps.as_slice())).collect();
        let args = DeviceArgs {
            shape,
            operands: &placed,
            strides: &strides,
            indices: &indices,
        };
        let control = LaunchControl::default();
        self.executable
            .launch_on_device(&args, &control)
            .map_err(shown)?;
        for (number, (operand, place)) in operands.iter_mut().zip(&placed).enumerate() {
            let DeviceOperand::Buffer { buffer, .. } = place else {
                continue;
            };
            let mut bytes = operand.snapshot();
            buffer
                .download(operand.misalignment(), &mut bytes)
                .map_err(shown)?;
            if number < inputs.len() && bytes != operand.snapshot() {
                return Err("an input was written".to_string());
            }
            operand.restore(&bytes);
        }
        let written = &operands[inputs.len()..];
        if written.iter().any(Operand::is_spilled) {
            return Err("memory outside the output was written".to_string());
        }
        Ok(Some(written.iter().map(Operand::values).collect()))
    }

    /// Memory for every operand, the inputs filled.
    fn operands(
        &self,
        inputs: &[Vec<Const>],
        shape: &[usize],
        placements: &[Placement],
    ) -> Vec<Operand> {
        let dtypes = inputs
            .iter()
            .map(|column| column.first().map_or(DType::U8, |value| value.dtype()));
        let dtypes = dtypes.chain(self.results.iter().copied());
        let mut operands: Vec<Operand> = dtypes
            .zip(placements)
            .map(|(dtype, placement)| Operand::new(dtype, shape, *placement))
            .collect();
        let filled = operands.iter_mut().zip(inputs);
        filled.for_each(|(operand, column)| operand.fill(column));
        operands
    }

    /// How far each position moves along each loop dim.
    fn steps(&self, shape: &[usize]) -> Vec<Vec<i64>> {
        let axes = self.positions.iter();
        axes.map(|axis| position_steps(*axis, shape)).collect()
    }

    /// Launches once; it is an error if a byte is changed that belongs to no output element.
    pub(crate) fn launch(
        &self,
        inputs: &[Vec<Const>],
        shape: &[usize],
        placements: &[Placement],
    ) -> Result<Columns, String> {
        self.launch_often(inputs, shape, placements, 1)
    }

    /// Launches so many times on the same operands.
    #[expect(unsafe_code, reason = "launching takes raw memory")]
    fn launch_often(
        &self,
        inputs: &[Vec<Const>],
        shape: &[usize],
        placements: &[Placement],
        times: usize,
    ) -> Result<Columns, String> {
        let mut operands = self.operands(inputs, shape, placements);
        let before: Vec<Vec<u8>> = operands[..inputs.len()]
            .iter()
            .map(Operand::snapshot)
            .collect();
        let pointers: Vec<*mut u8> = operands.iter_mut().map(Operand::pointer).collect();
        let strides: Vec<&[isize]> = operands
            .iter()
            .map(|operand| operand.strides.as_slice())
            .collect();
        let steps = self.steps(shape);
        let indices: Vec<(i64, &[i64])> = steps.iter().map(|steps| (0, steps.as_slice())).collect();
        let args = LaunchArgs {
            shape,
            pointers: &pointers,
            strides: &strides,
            indices: &indices,
        };
        for _ in 0..times {
            // SAFETY: every operand has memory of its own for this shape and these strides, which outlives the call.
            let report = unsafe { self.executable.launch(&args, &LaunchControl::default()) };
            report.map_err(|error| error.to_string())?;
        }
        let (read, written) = operands.split_at(inputs.len());
        if read
            .iter()
            .zip(&before)
            .any(|(operand, before)| operand.snapshot() != *before)
        {
            return Err("an input was written".to_string());
        }
        if written.iter().any(Operand::is_spilled) {
            return Err("memory outside the output was written".to_string());
        }
        Ok(written.iter().map(Operand::values).collect())
    }
}

/// Whether a length may show a mistake that no other does: short ones, and those around whole turns of 32 and more.
fn is_telling(n: usize) -> bool {
    n <= 34 || n % 32 <= 2 || n % 32 == 31 || n.is_multiple_of(16)
}

/// How far a position moves along each loop dim.
fn position_steps(axis: Option<u8>, shape: &[usize]) -> Vec<i64> {
    (0..shape.len())
        .map(|dim| match axis {
            None => shape[dim + 1..].iter().product::<usize>() as i64,
            Some(axis) => i64::from(usize::from(axis) == dim),
        })
        .collect()
}

/// The position of an element, flat or along an axis.
fn position(axis: Option<u8>, mut flat: usize, shape: &[usize]) -> i64 {
    let Some(axis) = axis else { return flat as i64 };
    let mut at = 0;
    for (dim, n) in shape.iter().enumerate().rev() {
        if dim == usize::from(axis) {
            at = flat % n;
        }
        flat /= n;
    }
    at as i64
}

/// Interprets a function on every element, so many at a time; the last group is filled up with its last element.
fn elements(
    func: &Func,
    lanes: usize,
    inputs: &[Vec<Const>],
    shape: &[usize],
) -> Result<Columns, String> {
    let n: usize = shape.iter().product();
    let mut outputs = vec![Vec::with_capacity(n); func.results.len()];
    for start in (0..n).step_by(lanes) {
        let at = |lane: usize| (start + lane).min(n - 1);
        let group: Columns = inputs
            .iter()
            .map(|column| (0..lanes).map(|lane| column[at(lane)]).collect())
            .collect();
        let positions = |axis: Option<u8>, lane: usize| position(axis, at(lane), shape);
        let fuel = FUEL.saturating_mul(lanes as u64);
        let results =
            interp::run(func, lanes, &group, &positions, Some(fuel)).map_err(|error| {
                let given = group.iter().map(|lanes| lanes[0]);
                format!("element {start}: ({}): {error}", values::show_all(given))
            })?;
        for (output, lanes) in outputs.iter_mut().zip(results) {
            output.extend(lanes.into_iter().take(n - start));
        }
    }
    Ok(outputs)
}

/// Compares results element by element; any NaN equals any NaN.
fn compare(
    form: &str,
    inputs: &[Vec<Const>],
    expected: &[Vec<Const>],
    found: &[Vec<Const>],
) -> Result<(), Mismatch> {
    let row = |columns: &[Vec<Const>], at: usize| -> Vec<Const> {
        columns.iter().map(|c| c[at]).collect()
    };
    for at in 0..rows(expected) {
        let (want, got) = (row(expected, at), row(found, at));
        if want.iter().zip(&got).all(|(a, b)| a.same(*b)) {
            continue;
        }
        let given = row(inputs, at);
        let what = format!(
            "element {at}: ({}) gave ({}) instead of ({})",
            values::show_all(given.iter().copied()),
            values::show_all(got),
            values::show_all(want.iter().copied()),
        );
        return Err(Mismatch {
            element: Some((given, want)),
            ..Mismatch::new(form, what)
        });
    }
    Ok(())
}

fn rows(columns: &[Vec<Const>]) -> usize {
    columns.first().map_or(0, Vec::len)
}

fn show_placements(placements: &[Placement]) -> String {
    let one = |p: &Placement| format!("{}i{:+}b@{}", p.items, p.bytes, p.offset);
    let shown: Vec<String> = placements.iter().map(one).collect();
    format!("operands at [{}]", shown.join(", "))
}
