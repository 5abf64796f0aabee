//! Makes a function legal for a target: expands, promotes and splits until only native operations are left.
//!
//! The function is copied instruction by instruction into a new one. An operation that the target has is copied as it
//! is; one that is to be expanded is replaced by a copy of its expansion, whose own operations go through the same
//! choice; one that is to be promoted is done in the wider dtype, with conversions that go through the same choice.
//! Where the target wants it, a complex value becomes a pair of floats, so that complex dtypes remain on the
//! parameters and the results of the kernel alone.

use crate::{expansion, expansion_by_scalb};
use std::fmt;
use ufc_ir::builder::Builder;
use ufc_ir::convert::convert;
use ufc_ir::func::{Inst, InstKind, Region, SecondaryMap, Terminator, Value};
use ufc_ir::ops::{AnyOp, MathFn, Op, Rule};
use ufc_ir::{Const, DType, Func, Kind};
use ufc_target::legality::CoreOnly;
use ufc_target::{Action, Legal, Legality};

/// How deep expansions may use each other; more would be an endless one.
const DEPTH_LIMIT: usize = 32;

/// Why a function cannot be made legal for a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegalizeError {
    /// The target cannot have an operation, such as "`add` on f64".
    Unsupported {
        /// The target's name.
        target: String,
        /// The operation and its dtype.
        what: String,
    },
    /// A bug of ours: an expansion is missing, never ends or asks for what the target lacks.
    Internal(String),
}

impl fmt::Display for LegalizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LegalizeError::Unsupported { target, what } => {
                write!(f, "the target `{target}` does not support {what}")
            }
            LegalizeError::Internal(what) => write!(f, "this is a bug in ufc: {what}"),
        }
    }
}

impl std::error::Error for LegalizeError {}

/// Makes a function legal for a target.
///
/// # Errors
/// If the target cannot have an operation at all.
pub fn legalize(func: Func, legality: &dyn Legality) -> Result<Legal, LegalizeError> {
    let out = rewrite(&func, legality)?;
    Legal::try_new(out, legality).map_err(|violations| {
        let what: Vec<String> = violations.into_iter().map(|v| v.what).collect();
        let target = legality.target();
        LegalizeError::Internal(format!("not legal for `{target}`: {}", what.join(", ")))
    })
}

/// Replaces math functions by their expansions and leaves core operations alone, as the interpreter wants it.
///
/// # Errors
/// If an expansion is missing, which is a bug.
pub fn expand_math(func: Func) -> Result<Func, LegalizeError> {
    rewrite(&func, &CoreOnly)
}

fn rewrite(func: &Func, legality: &dyn Legality) -> Result<Func, LegalizeError> {
    let mut out = Func::new(&func.name);
    out.attrs = func.attrs.clone();
    out.param_names = func.param_names.clone();
    out.results = func.results.clone();
    let region = out.body;
    let mut rewriter = Rewriter {
        out,
        region,
        legality,
        depth: 0,
    };
    let mut map = Mapping::new(None);
    for &param in func.params() {
        let value = rewriter.out.add_param(region, func.dtype(param));
        let parts = rewriter.parts_of_param(value);
        map.set(param, Some(parts));
    }
    let results = rewriter.copy_body(func, &mut map)?;
    let results = results.into_iter().map(|r| rewriter.joined(r)).collect();
    rewriter.out.regions[region].end = Terminator::Yield(results);
    Ok(rewriter.out)
}

/// What became of a value of the function that is being copied.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Parts {
    One(Value),
    /// The parts of a complex value on a target that splits these.
    Pair(Value, Value),
}

type Mapping = SecondaryMap<Value, Option<Parts>>;

struct Rewriter<'l> {
    out: Func,
    region: Region,
    legality: &'l dyn Legality,
    depth: usize,
}

// Copying.
impl Rewriter<'_> {
    /// Copies a function's body to the current place; gives what it yields.
    fn copy_body(&mut self, func: &Func, map: &mut Mapping) -> Result<Vec<Parts>, LegalizeError> {
        self.copy_insts(func, func.body, map)?;
        match &func.regions[func.body].end {
            Terminator::Yield(results) => lookup(map, results),
            Terminator::ContinueIf { .. } => Err(internal("a body that ends as a loop does")),
        }
    }

    fn copy_insts(
        &mut self,
        func: &Func,
        region: Region,
        map: &mut Mapping,
    ) -> Result<(), LegalizeError> {
        for &inst in &func.regions[region].insts {
            let results = self.copy_inst(func, inst, map)?;
            for (&old, new) in func.insts[inst].results.iter().zip(results) {
                map.set(old, Some(new));
            }
        }
        Ok(())
    }

    fn copy_inst(
        &mut self,
        func: &Func,
        inst: Inst,
        map: &mut Mapping,
    ) -> Result<Vec<Parts>, LegalizeError> {
        let data = &func.insts[inst];
        let args = lookup(map, &data.args)?;
        let to = data.results.first().map(|v| func.dtype(*v));
        match data.kind {
            InstKind::Const(value) => Ok(vec![self.constant(value)]),
            InstKind::Index(axis) => Ok(vec![Parts::One(self.build().index(axis))]),
            InstKind::Op(op) => self.op(AnyOp::Core(op), &args, to),
            InstKind::Math(f) => self.op(AnyOp::Math(f), &args, to),
            InstKind::If {
                then_region,
                else_region,
            } => {
                let then_region = self.copy_region(func, then_region, &[], map)?;
                let else_region = self.copy_region(func, else_region, &[], map)?;
                let kind = InstKind::If {
                    then_region,
                    else_region,
                };
                Ok(self.region_inst(func, inst, kind, &args))
            }
            InstKind::Loop { body } => {
                let dtypes: Vec<DType> = data.args.iter().map(|v| func.dtype(*v)).collect();
                let body = self.copy_region(func, body, &dtypes, map)?;
                Ok(self.region_inst(func, inst, InstKind::Loop { body }, &args))
            }
        }
    }

    /// Copies a region with parameters of these dtypes, as an arm or loop body.
    fn copy_region(
        &mut self,
        func: &Func,
        region: Region,
        params: &[DType],
        map: &mut Mapping,
    ) -> Result<Region, LegalizeError> {
        let copy = self.out.add_region();
        for (&old, &dtype) in func.regions[region].params.iter().zip(params) {
            let parts = if self.splits(dtype) {
                let re = self.out.add_param(copy, dtype.part());
                Parts::Pair(re, self.out.add_param(copy, dtype.part()))
            } else {
                Parts::One(self.out.add_param(copy, dtype))
            };
            map.set(old, Some(parts));
        }
        let outer = std::mem::replace(&mut self.region, copy);
        self.copy_insts(func, region, map)?;
        self.region = outer;
        let end = match &func.regions[region].end {
            Terminator::Yield(values) => Terminator::Yield(flat(&lookup(map, values)?)),
            Terminator::ContinueIf {
                cond,
                next,
                results,
            } => Terminator::ContinueIf {
                cond: one(lookup(map, &[*cond])?[0])?,
                next: flat(&lookup(map, next)?),
                results: flat(&lookup(map, results)?),
            },
        };
        self.out.regions[copy].end = end;
        Ok(copy)
    }

    /// Appends an `If` or `Loop` whose regions are copied.
    fn region_inst(
        &mut self,
        func: &Func,
        inst: Inst,
        kind: InstKind,
        args: &[Parts],
    ) -> Vec<Parts> {
        let old = &func.insts[inst].results;
        let dtypes: Vec<DType> = old.iter().map(|v| func.dtype(*v)).collect();
        let split: Vec<DType> = dtypes
            .iter()
            .flat_map(|&d| {
                if self.splits(d) {
                    vec![d.part(); 2]
                } else {
                    vec![d]
                }
            })
            .collect();
        let new = self.build().inst(kind, flat(args), &split);
        let mut values = self.out.insts[new].results.clone().into_iter();
        let mut next = || values.next().expect("as many results as dtypes");
        let of_dtype = |&d: &DType| match self.splits(d) {
            true => Parts::Pair(next(), next()),
            false => Parts::One(next()),
        };
        dtypes.iter().map(of_dtype).collect()
    }

    /// Copies an operation's expansion with these arguments.
    fn inline(&mut self, func: &Func, args: &[Parts]) -> Result<Vec<Parts>, LegalizeError> {
        if self.depth == DEPTH_LIMIT {
            return Err(internal(&format!(
                "the expansion `{}` never ends",
                func.name
            )));
        }
        let mut map = Mapping::new(None);
        for (&param, &arg) in func.params().iter().zip(args) {
            map.set(param, Some(arg));
        }
        self.depth += 1;
        let results = self.copy_body(func, &mut map);
        self.depth -= 1;
        results
    }
}

// Choosing what becomes of an operation.
impl Rewriter<'_> {
    fn op(
        &mut self,
        op: AnyOp,
        args: &[Parts],
        to: Option<DType>,
    ) -> Result<Vec<Parts>, LegalizeError> {
        let core = match op {
            AnyOp::Core(core) => Some(core),
            AnyOp::Math(_) => None,
        };
        if let (Some(core), Some(to)) = (core, to)
            && self.legality.splits_complex()
            && let Some(parts) = self.split_op(core, args, to)?
        {
            return Ok(vec![parts]);
        }
        if let (Some(Op::Convert), Some(to)) = (core, to) {
            return Ok(vec![Parts::One(self.convert(one(args[0])?, to)?)]);
        }
        let dtype = self.dtype(args[op.rule().key()]);
        let action = if self.splits(dtype) {
            Action::Expand
        } else {
            self.legality.action(op, dtype)
        };
        match action {
            Action::Native => self.native(op, args, to),
            Action::Promote(wide) => self.promote(op, args, dtype, wide),
            Action::Unsupported => Err(self.unsupported(format!("`{}` on {dtype}", op.name()))),
            Action::Expand => match self.expansion(op, dtype) {
                Some(func) => self.inline(func, args),
                // Half-width floats are computed in f32 and rounded once.
                None if is_half(dtype) => self.promote(op, args, dtype, DType::F32),
                None => Err(internal(&format!(
                    "no expansion of `{}` on {dtype}",
                    op.name()
                ))),
            },
        }
    }

    /// The expansion that suits the target best.
    fn expansion(&self, op: AnyOp, dtype: DType) -> Option<&'static Func> {
        let scalb = AnyOp::Math(MathFn::Scalb);
        match op {
            AnyOp::Math(f)
                if dtype.is_float() && self.legality.action(scalb, dtype) == Action::Native =>
            {
                expansion_by_scalb(f, dtype).or_else(|| expansion(op, dtype))
            }
            _ => expansion(op, dtype),
        }
    }

    fn native(
        &mut self,
        op: AnyOp,
        args: &[Parts],
        to: Option<DType>,
    ) -> Result<Vec<Parts>, LegalizeError> {
        let args = args
            .iter()
            .map(|a| one(*a))
            .collect::<Result<Vec<_>, _>>()?;
        let mut build = self.build();
        let values = match (op, to) {
            (AnyOp::Core(Op::Bitcast), Some(to)) => vec![build.bitcast(args[0], to)],
            (AnyOp::Core(core), _) => vec![build.op(core, &args)],
            (AnyOp::Math(f), _) => build.math(f, &args),
        };
        Ok(values.into_iter().map(Parts::One).collect())
    }

    /// Does an operation in a wider dtype.
    fn promote(
        &mut self,
        op: AnyOp,
        args: &[Parts],
        from: DType,
        wide: DType,
    ) -> Result<Vec<Parts>, LegalizeError> {
        let rule = op.rule();
        if from == wide || matches!(rule, Rule::Bitcast | Rule::Distance(_) | Rule::Count(_)) {
            let what = format!("`{}` on {from} cannot be done in {wide}", op.name());
            return Err(internal(&what));
        }
        let mut widened = Vec::new();
        for &arg in args {
            let value = one(arg)?;
            widened.push(if self.out.dtype(value) == from {
                self.convert(value, wide)?
            } else {
                value
            });
        }
        if matches!(op, AnyOp::Core(Op::Shl | Op::Shr)) {
            // The amount counts modulo the width of the dtype asked for.
            let mask = Const::int(wide, i128::from(from.bits()) - 1);
            let mask = self.build().constant(mask);
            let masked = self.op(
                AnyOp::Core(Op::And),
                &[Parts::One(widened[1]), Parts::One(mask)],
                Some(wide),
            )?;
            widened[1] = one(masked[0])?;
        }
        let widened: Vec<Parts> = widened.into_iter().map(Parts::One).collect();
        let back = rule.result(from) == Some(from);
        let to = if back { Some(wide) } else { rule.result(wide) };
        let mut results = self.op(op, &widened, to)?;
        if back {
            for result in &mut results {
                *result = Parts::One(self.convert(one(*result)?, from)?);
            }
        }
        Ok(results)
    }

    fn convert(&mut self, value: Value, to: DType) -> Result<Value, LegalizeError> {
        let from = self.out.dtype(value);
        if from == to {
            return Ok(value);
        }
        if let Some(constant) = self.out.constant(value) {
            return Ok(self.build().constant(convert(constant, to)));
        }
        if to == DType::Bool || from == DType::Bool {
            return self.convert_bool(value, to);
        }
        let action = match self.legality.convert(from, to) {
            // Two roundings would not be one.
            Action::Promote(via) if rounds_twice(from, via, to) => Action::Expand,
            action => action,
        };
        match action {
            Action::Native => Ok(self.build().convert(value, to)),
            Action::Unsupported => {
                Err(self.unsupported(format!("the conversion of {from} to {to}")))
            }
            Action::Promote(via) => {
                let mut middle = self.convert(value, via)?;
                if from.is_float() && via.is_int() && to.is_int() {
                    middle = self.saturate(middle, to)?;
                }
                self.convert(middle, to)
            }
            Action::Expand => match crate::conversion(from, to) {
                Some(func) => one(self.inline(func, &[Parts::One(value)])?[0]),
                None if from != DType::F32 && to != DType::F32 => {
                    let middle = self.convert(value, DType::F32)?;
                    self.convert(middle, to)
                }
                None => Err(internal(&format!("no conversion of {from} to {to}"))),
            },
        }
    }

    /// Converts to bool, by comparison with zero, or from bool, by choice between zero and one.
    fn convert_bool(&mut self, value: Value, to: DType) -> Result<Value, LegalizeError> {
        let from = self.out.dtype(value);
        if self.legality.convert(from, to) == Action::Native {
            return Ok(self.build().convert(value, to));
        }
        let (op, args, result) = if to == DType::Bool {
            let zero = self.build().constant(Const::zero(from));
            (Op::Ne, vec![value, zero], DType::Bool)
        } else {
            let one = self.build().constant(convert(Const::bool(true), to));
            let zero = self.build().constant(Const::zero(to));
            (Op::Select, vec![value, one, zero], to)
        };
        let args: Vec<Parts> = args.into_iter().map(Parts::One).collect();
        self::one(self.op(AnyOp::Core(op), &args, Some(result))?[0])
    }

    /// Keeps an integer within the range of a narrower dtype.
    fn saturate(&mut self, value: Value, to: DType) -> Result<Value, LegalizeError> {
        let wide = self.out.dtype(value);
        let bits = to.bits() - u32::from(to.is_signed());
        let high = (1i128 << bits) - 1;
        let low = if to.is_signed() { -high - 1 } else { 0 };
        let mut value = Parts::One(value);
        let bounds = [(Op::Min, high), (Op::Max, low)];
        for (op, bound) in bounds {
            // A bound that the wide dtype does not reach needs no check.
            if Const::int(wide, bound).as_int() == bound {
                let bound = self.build().constant(Const::int(wide, bound));
                value = self.op(AnyOp::Core(op), &[value, Parts::One(bound)], Some(wide))?[0];
            }
        }
        one(value)
    }

    /// Does an operation that works part by part on complex values; none if it is not one.
    fn split_op(
        &mut self,
        op: Op,
        args: &[Parts],
        to: DType,
    ) -> Result<Option<Parts>, LegalizeError> {
        let zip = |this: &mut Self, op: Op, args: &[Parts]| -> Result<(Value, Value), _> {
            let (re, im): (Vec<Parts>, Vec<Parts>) = args.iter().map(|a| a.halves()).unzip();
            let part = Some(this.dtype(re[op.info().rule.key()])).filter(|_| !is_compare(op));
            let re = this.op(AnyOp::Core(op), &re, part)?;
            let im = this.op(AnyOp::Core(op), &im, part)?;
            Ok((one(re[0])?, one(im[0])?))
        };
        let is_pair = |i: usize| matches!(args.get(i), Some(Parts::Pair(..)));
        Ok(match op {
            Op::Complex => Some(Parts::Pair(one(args[0])?, one(args[1])?)),
            Op::Re => Some(args[0].halves().0),
            Op::Im => Some(args[0].halves().1),
            Op::Add | Op::Sub | Op::Neg if is_pair(0) => {
                let (re, im) = zip(self, op, args)?;
                Some(Parts::Pair(re, im))
            }
            Op::Select if is_pair(1) => {
                let (re, im) = zip(self, op, args)?;
                Some(Parts::Pair(re, im))
            }
            Op::Eq | Op::Ne if is_pair(0) => {
                let (re, im) = zip(self, op, args)?;
                let join = if op == Op::Eq { Op::And } else { Op::Or };
                let args = [Parts::One(re), Parts::One(im)];
                Some(self.op(AnyOp::Core(join), &args, Some(DType::Bool))?[0])
            }
            Op::Convert if to.is_complex() => {
                let part = to.part();
                Some(match args[0] {
                    Parts::Pair(re, im) => {
                        Parts::Pair(self.convert(re, part)?, self.convert(im, part)?)
                    }
                    Parts::One(real) => {
                        let re = self.convert(real, part)?;
                        Parts::Pair(re, self.build().constant(Const::zero(part)))
                    }
                })
            }
            _ => None,
        })
    }
}

// Small things.
impl Rewriter<'_> {
    fn build(&mut self) -> Builder<'_> {
        Builder::at(&mut self.out, self.region)
    }

    fn splits(&self, dtype: DType) -> bool {
        dtype.kind() == Kind::Complex && self.legality.splits_complex()
    }

    fn constant(&mut self, value: Const) -> Parts {
        if self.splits(value.dtype()) {
            let re = self.build().constant(value.re());
            Parts::Pair(re, self.build().constant(value.im()))
        } else {
            Parts::One(self.build().constant(value))
        }
    }

    fn parts_of_param(&mut self, value: Value) -> Parts {
        if self.splits(self.out.dtype(value)) {
            let re = self.build().op(Op::Re, &[value]);
            Parts::Pair(re, self.build().op(Op::Im, &[value]))
        } else {
            Parts::One(value)
        }
    }

    /// A result of the kernel as one value.
    fn joined(&mut self, parts: Parts) -> Value {
        match parts {
            Parts::One(value) => value,
            Parts::Pair(re, im) => self.build().op(Op::Complex, &[re, im]),
        }
    }

    fn dtype(&self, parts: Parts) -> DType {
        match parts {
            Parts::One(value) => self.out.dtype(value),
            Parts::Pair(re, _) => {
                let part = self.out.dtype(re);
                part.complex_of().unwrap_or(part)
            }
        }
    }

    fn unsupported(&self, what: String) -> LegalizeError {
        let target = self.legality.target().to_string();
        LegalizeError::Unsupported { target, what }
    }
}

impl Parts {
    /// Both parts of a pair; a single value twice.
    fn halves(self) -> (Parts, Parts) {
        match self {
            Parts::One(_) => (self, self),
            Parts::Pair(re, im) => (Parts::One(re), Parts::One(im)),
        }
    }
}

fn one(parts: Parts) -> Result<Value, LegalizeError> {
    match parts {
        Parts::One(value) => Ok(value),
        Parts::Pair(..) => Err(internal("a complex value where a real one is needed")),
    }
}

fn flat(parts: &[Parts]) -> Vec<Value> {
    let values = |p: &Parts| match *p {
        Parts::One(value) => vec![value],
        Parts::Pair(re, im) => vec![re, im],
    };
    parts.iter().flat_map(values).collect()
}

fn lookup(map: &Mapping, values: &[Value]) -> Result<Vec<Parts>, LegalizeError> {
    let find = |v: &Value| map[*v].ok_or_else(|| internal(&format!("{v} used before it is made")));
    values.iter().map(find).collect()
}

fn internal(what: &str) -> LegalizeError {
    LegalizeError::Internal(what.to_string())
}

fn is_half(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16)
}

fn is_compare(op: Op) -> bool {
    matches!(op.info().rule, Rule::Compare(_))
}

/// Whether converting through a float dtype may round, before the last step rounds again.
fn rounds_twice(from: DType, via: DType, to: DType) -> bool {
    let exact = is_half(from)
        || from == DType::Bool
        || via == DType::F64 && from.bits() <= 32
        || from.is_int() && from.bits() <= 16;
    via.is_float() && to.is_float() && to.bits() < via.bits() && !exact
}
