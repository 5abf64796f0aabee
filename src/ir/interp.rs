//! The interpreter: what a function means.
//!
//! It runs the scalar form with one lane, and the SPMD form with any number of lanes: every instruction is computed
//! for all lanes, `any` is the or over the lanes, and all lanes must agree on every branch.

use crate::constant::Const;
use crate::dtype::DType;
use crate::entity::Entity;
use crate::eval::eval;
use crate::func::{Func, Inst, InstData, InstKind, Region, Terminator, Value};
use crate::ops::Op;
use std::error::Error;
use std::fmt;

/// Why a function could not be run to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterpError {
    /// The inputs are not what the function takes.
    Inputs(String),
    /// A math function that has not been expanded.
    Unexpanded {
        /// The instruction.
        inst: Inst,
        /// The function's name.
        name: &'static str,
    },
    /// The lanes disagree on a branch.
    Divergent {
        /// The `if` or `loop`.
        inst: Inst,
    },
    /// It took more steps than allowed.
    OutOfFuel,
}

impl fmt::Display for InterpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InterpError::Inputs(what) => f.write_str(what),
            InterpError::Unexpanded { inst, name } => {
                write!(f, "{inst} calls `{name}`, which has not been expanded")
            }
            InterpError::Divergent { inst } => write!(f, "the lanes disagree on the branch {inst}"),
            InterpError::OutOfFuel => {
                f.write_str("it takes more steps than allowed; does it ever end?")
            }
        }
    }
}

impl Error for InterpError {}

/// Runs a verified function: `inputs[param][lane]` gives `results[result][lane]`.
///
/// `positions` is asked for what `index` gives in a lane: the flat position for none, or that along an axis. With `fuel`, it stops
/// after so many instructions and turns of loops.
///
/// # Errors
/// If the inputs do not fit, a math function is left, lanes disagree on a branch, or the fuel is used up.
pub fn run(
    func: &Func,
    lanes: usize,
    inputs: &[Vec<Const>],
    positions: &dyn Fn(Option<u8>, usize) -> i64,
    fuel: Option<u64>,
) -> Result<Vec<Vec<Const>>, InterpError> {
    check_inputs(func, lanes, inputs)?;
    let mut machine = Machine::new(func, lanes, inputs, positions, fuel);
    machine.region(func.body)?;
    match &func.regions[func.body].end {
        Terminator::Yield(results) => {
            Ok(results.iter().map(|v| machine.slots(*v).to_vec()).collect())
        }
        Terminator::ContinueIf { .. } => unreachable!("the body of a verified function yields"),
    }
}

/// Runs the scalar form on one element with so much fuel, and gives how often each region was run, and whether it came to
/// its end. Inputs that do not fit run nothing.
pub fn profile(
    func: &Func,
    inputs: &[Vec<Const>],
    positions: &dyn Fn(Option<u8>, usize) -> i64,
    fuel: u64,
) -> (Vec<u64>, bool) {
    if check_inputs(func, 1, inputs).is_err() {
        return (vec![0; func.regions.len()], false);
    }
    let mut machine = Machine::new(func, 1, inputs, positions, Some(fuel));
    let whole = machine.region(func.body).is_ok();
    (machine.counts, whole)
}

/// Runs the scalar form on one element.
///
/// # Errors
/// As [`run`].
pub fn run_one(func: &Func, inputs: &[Const]) -> Result<Vec<Const>, InterpError> {
    let inputs: Vec<Vec<Const>> = inputs.iter().map(|c| vec![*c]).collect();
    let results = run(func, 1, &inputs, &|_, _| 0, None)?;
    Ok(results.into_iter().map(|lanes| lanes[0]).collect())
}

fn check_inputs(func: &Func, lanes: usize, inputs: &[Vec<Const>]) -> Result<(), InterpError> {
    let dtypes = func.param_dtypes();
    if inputs.len() != dtypes.len() {
        let message = format!(
            "{} inputs were given, {} are taken",
            inputs.len(),
            dtypes.len()
        );
        return Err(InterpError::Inputs(message));
    }
    for (index, (input, dtype)) in inputs.iter().zip(dtypes).enumerate() {
        if input.len() != lanes || input.iter().any(|c| c.dtype() != dtype) {
            let message = format!("input {index} is not {lanes} lanes of {dtype}");
            return Err(InterpError::Inputs(message));
        }
    }
    Ok(())
}

struct Machine<'a> {
    func: &'a Func,
    lanes: usize,
    positions: &'a dyn Fn(Option<u8>, usize) -> i64,
    fuel: u64,
    /// Per value, its lanes.
    values: Vec<Const>,
    /// Values on their way from a terminator to parameters or results, which may be among their sources.
    moving: Vec<Const>,
    /// Per region, how often it was run.
    counts: Vec<u64>,
}

impl<'a> Machine<'a> {
    fn new(
        func: &'a Func,
        lanes: usize,
        inputs: &[Vec<Const>],
        positions: &'a dyn Fn(Option<u8>, usize) -> i64,
        fuel: Option<u64>,
    ) -> Machine<'a> {
        let mut machine = Machine {
            func,
            lanes,
            positions,
            fuel: fuel.unwrap_or(u64::MAX),
            values: vec![Const::bool(false); func.values.len() * lanes],
            moving: Vec::new(),
            counts: vec![0; func.regions.len()],
        };
        for (param, input) in func.params().iter().zip(inputs) {
            machine.slots(*param).copy_from_slice(input);
        }
        machine
    }

    fn slots(&mut self, value: Value) -> &mut [Const] {
        let start = value.index() * self.lanes;
        &mut self.values[start..start + self.lanes]
    }

    fn burn(&mut self) -> Result<(), InterpError> {
        self.fuel = self.fuel.checked_sub(1).ok_or(InterpError::OutOfFuel)?;
        Ok(())
    }

    fn assign(&mut self, to: &[Value], from: &[Value]) {
        self.moving.clear();
        for value in from {
            let start = value.index() * self.lanes;
            self.moving
                .extend_from_slice(&self.values[start..start + self.lanes]);
        }
        for (number, value) in to.iter().enumerate() {
            let start = value.index() * self.lanes;
            let source = number * self.lanes..(number + 1) * self.lanes;
            self.values[start..start + self.lanes].copy_from_slice(&self.moving[source]);
        }
    }

    /// Runs the instructions of a region, not its terminator.
    fn region(&mut self, region: Region) -> Result<(), InterpError> {
        let func = self.func;
        self.counts[region.index()] += 1;
        for &inst in &func.regions[region].insts {
            self.burn()?;
            let data = &func.insts[inst];
            match &data.kind {
                InstKind::Const(value) => self.slots(data.results[0]).fill(*value),
                InstKind::Index(axis) => {
                    for lane in 0..self.lanes {
                        let position = (self.positions)(*axis, lane);
                        self.slots(data.results[0])[lane] = Const::int(DType::I64, position.into());
                    }
                }
                InstKind::Op(op) => self.op(*op, data),
                InstKind::Math(f) => {
                    let name = f.info().name;
                    return Err(InterpError::Unexpanded { inst, name });
                }
                InstKind::If {
                    then_region,
                    else_region,
                } => {
                    let taken = if self.agreed(data.args[0], inst)? {
                        *then_region
                    } else {
                        *else_region
                    };
                    self.region(taken)?;
                    if let Terminator::Yield(values) = &func.regions[taken].end {
                        self.assign(&data.results, values);
                    }
                }
                InstKind::Loop { body } => self.repeat(*body, inst, data)?,
            }
        }
        Ok(())
    }

    fn repeat(&mut self, body: Region, inst: Inst, data: &InstData) -> Result<(), InterpError> {
        let region = &self.func.regions[body];
        let Terminator::ContinueIf {
            cond,
            next,
            results,
        } = &region.end
        else {
            unreachable!("the body of a verified loop ends in `continue_if`")
        };
        self.assign(&region.params, &data.args);
        loop {
            self.burn()?;
            self.region(body)?;
            if !self.agreed(*cond, inst)? {
                self.assign(&data.results, results);
                return Ok(());
            }
            self.assign(&region.params, next);
        }
    }

    /// The condition of a branch, the same in all lanes.
    fn agreed(&mut self, cond: Value, inst: Inst) -> Result<bool, InterpError> {
        let lanes = self.slots(cond);
        let Some(first) = lanes.first() else {
            // Without lanes there is nothing to compute.
            return Ok(false);
        };
        if lanes.iter().any(|lane| lane != first) {
            return Err(InterpError::Divergent { inst });
        }
        Ok(first.as_bool())
    }

    fn op(&mut self, op: Op, data: &InstData) {
        let result = data.results[0];
        if op == Op::Any {
            let any = self.slots(data.args[0]).iter().any(|lane| lane.as_bool());
            self.slots(result).fill(Const::bool(any));
            return;
        }
        let dtype = self.func.dtype(result);
        let mut args = [Const::bool(false); 3];
        for lane in 0..self.lanes {
            for (arg, value) in args.iter_mut().zip(&data.args) {
                *arg = self.values[value.index() * self.lanes + lane];
            }
            let computed = eval(op, &args[..data.args.len()], dtype);
            self.values[result.index() * self.lanes + lane] = computed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Builder;
    use crate::ops::MathFn;

    /// Escape time of `re + im i` after at most `limit` turns.
    fn mandelbrot(limit: i128) -> Func {
        let mut func = Func::new("mandelbrot");
        let mut b = Builder::new(&mut func);
        let (re, im) = (b.param("re", DType::F32), b.param("im", DType::F32));
        let zero = b.constant(Const::f32(0.0));
        let count = b.constant(Const::int(DType::U32, 0));
        let results = b.loop_(&[zero, zero, count], &[DType::U32], |b, carried| {
            let (x, y, n) = (carried[0], carried[1], carried[2]);
            let (xx, yy) = (b.op(Op::Mul, &[x, x]), b.op(Op::Mul, &[y, y]));
            let (norm, xy) = (b.op(Op::Add, &[xx, yy]), b.op(Op::Mul, &[x, y]));
            let four = b.constant(Const::f32(4.0));
            let inside = b.op(Op::Le, &[norm, four]);
            let limit = b.constant(Const::int(DType::U32, limit));
            let more = b.op(Op::Lt, &[n, limit]);
            let cond = b.op(Op::And, &[inside, more]);
            let difference = b.op(Op::Sub, &[xx, yy]);
            let next_x = b.op(Op::Add, &[difference, re]);
            let twice = b.op(Op::Add, &[xy, xy]);
            let next_y = b.op(Op::Add, &[twice, im]);
            let one = b.constant(Const::int(DType::U32, 1));
            let next_n = b.op(Op::Add, &[n, one]);
            (cond, vec![next_x, next_y, next_n], vec![n])
        });
        b.finish(results);
        func
    }

    fn no_position(_: Option<u8>, _: usize) -> i64 {
        unreachable!("no position was asked for")
    }

    #[test]
    fn a_loop_agrees_with_rust() {
        let func = mandelbrot(50);
        for (re, im) in [(0.0f32, 0.0f32), (0.3, 0.5), (-0.75, 0.1), (2.0, 2.0)] {
            let (mut x, mut y, mut n) = (0.0f32, 0.0f32, 0);
            while x * x + y * y <= 4.0 && n < 50 {
                (x, y, n) = (x * x - y * y + re, x * y + x * y + im, n + 1);
            }
            let found = run_one(&func, &[Const::f32(re), Const::f32(im)]).unwrap();
            assert_eq!(found, [Const::int(DType::U32, n)]);
        }
    }

    #[test]
    fn lanes_that_agree_run_together_and_others_are_an_error() {
        let func = mandelbrot(50);
        let inputs = |second: f32| {
            vec![
                vec![Const::f32(0.0), Const::f32(second)],
                vec![Const::f32(0.0), Const::f32(0.0)],
            ]
        };
        let found = run(&func, 2, &inputs(0.1), &no_position, None).unwrap();
        assert_eq!(found, [[Const::int(DType::U32, 50); 2]]);
        let error = run(&func, 2, &inputs(9.0), &no_position, None).unwrap_err();
        assert!(matches!(error, InterpError::Divergent { .. }), "{error}");
    }

    #[test]
    fn carried_values_change_together() {
        let mut func = Func::new("swap");
        let mut b = Builder::new(&mut func);
        let (x, y) = (b.param("x", DType::I32), b.param("y", DType::I32));
        let yes = b.constant(Const::bool(true));
        let results = b.loop_(&[x, y, yes], &[DType::I32, DType::I32], |b, c| {
            let no = b.constant(Const::bool(false));
            (c[2], vec![c[1], c[0], no], vec![c[0], c[1]])
        });
        b.finish(results);
        let int = |v| Const::int(DType::I32, v);
        assert_eq!(run_one(&func, &[int(1), int(2)]).unwrap(), [int(2), int(1)]);
    }

    #[test]
    fn any_is_the_or_over_lanes_and_positions_are_per_lane() {
        let mut func = Func::new("f");
        let mut b = Builder::new(&mut func);
        let x = b.param("x", DType::Bool);
        let any = b.op(Op::Any, &[x]);
        let results = b.if_else(
            any,
            &[DType::I64],
            |b| vec![b.index(Some(1))],
            |b| vec![b.index(None)],
        );
        b.finish(results);
        let position = |axis: Option<u8>, lane: usize| match axis {
            Some(axis) => 100 * i64::from(axis) + lane as i64,
            None => -(lane as i64),
        };
        let lanes = |bits: [bool; 3]| vec![bits.map(Const::bool).to_vec()];
        let run = |bits| run(&func, 3, &lanes(bits), &position, None).unwrap();
        let ints = |v: [i128; 3]| vec![v.map(|v| Const::int(DType::I64, v)).to_vec()];
        assert_eq!(run([false, true, false]), ints([100, 101, 102]));
        assert_eq!(run([false; 3]), ints([0, -1, -2]));
    }

    #[test]
    fn an_endless_loop_runs_out_of_fuel() {
        let mut func = Func::new("forever");
        let mut b = Builder::new(&mut func);
        let yes = b.constant(Const::bool(true));
        b.loop_(&[], &[], |_, _| (yes, vec![], vec![]));
        b.finish(vec![]);
        let error = run(&func, 1, &[], &no_position, Some(10_000)).unwrap_err();
        assert_eq!(error, InterpError::OutOfFuel);
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let mut func = Func::new("f");
        let mut b = Builder::new(&mut func);
        let x = b.param("x", DType::F32);
        let y = b.math(MathFn::Exp, &[x]);
        b.finish(y);
        let error = run_one(&func, &[Const::f32(1.0)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "i0 calls `exp`, which has not been expanded"
        );
        let error = run_one(&func, &[]).unwrap_err();
        assert_eq!(error.to_string(), "0 inputs were given, 1 are taken");
        let error = run_one(&func, &[Const::f64(1.0)]).unwrap_err();
        assert_eq!(error.to_string(), "input 0 is not 1 lanes of f32");
    }
}
