//! Checks that a function is well formed, and marks those that are.
//!
//! Of everything that the body reaches, these invariants hold; what it does not reach is not looked at.
//!
//! 1. Every value, instruction and region named exists.
//! 2. A region is used once: as the body, or by one instruction. So regions form a tree, at most [`MAX_NESTING`] deep.
//! 3. An instruction stands in one place. A value is defined once, and knows by what.
//! 4. A value is used only after its definition: earlier in the same region, or in one around it.
//! 5. Operations have the arguments and results that their rule asks for; constants, positions and carried values are
//!    of their value's dtype.
//! 6. The body and the arms of an `if` end in `yield`, the body of a loop in `continue_if`. The values given there
//!    agree in number and dtype with what they become. Conditions are bools.
//! 7. Arms of an `if` have no parameters; a loop's body has one for each argument.
//! 8. The body has a parameter for each parameter name, at most [`MAX_OPERANDS`] of them and of results together.

use crate::dtype::DType;
use crate::func::{
    Func, Inst, InstData, InstKind, Region, SecondaryMap, Terminator, Value, ValueDef,
};
use crate::ops::{AnyOp, RuleError};
use std::error::Error;
use std::fmt;
use std::ops::Deref;

/// How deep regions may nest. Passes and printers recurse so deep.
pub const MAX_NESTING: usize = 200;

/// How many operands a kernel may have, inputs and results together.
pub const MAX_OPERANDS: usize = 1000;

/// Where an invariant is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The function as a whole.
    Func,
    /// A region or its terminator.
    Region(Region),
    /// An instruction.
    Inst(Inst),
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Func => write!(f, "{}", self.message),
            Place::Region(region) => write!(f, "{region}: {}", self.message),
            Place::Inst(inst) => write!(f, "{inst}: {}", self.message),
        }
    }
}

impl Error for Violation {}

/// A function that keeps every invariant.
#[derive(Clone, Debug)]
pub struct Verified(Func);

impl Verified {
    /// Checks a function.
    ///
    /// # Errors
    /// Every broken invariant.
    pub fn try_new(func: Func) -> Result<Verified, Vec<Violation>> {
        verify(&func)?;
        Ok(Verified(func))
    }

    /// The function, to be changed.
    pub fn into_inner(self) -> Func {
        self.0
    }
}

impl Deref for Verified {
    type Target = Func;
    fn deref(&self) -> &Func {
        &self.0
    }
}

/// Checks a function against every invariant of the module's documentation.
///
/// # Errors
/// Every broken invariant.
pub fn verify(func: &Func) -> Result<(), Vec<Violation>> {
    let mut cx = Cx {
        func,
        violations: Vec::new(),
        in_scope: SecondaryMap::new(false),
        defined: SecondaryMap::new(false),
        placed: SecondaryMap::new(false),
        entered: SecondaryMap::new(false),
    };
    if cx.enter(func.body, Place::Func) {
        cx.signature();
        cx.region(func.body, &Ending::Yield(&func.results), 1);
    }
    if cx.violations.is_empty() {
        Ok(())
    } else {
        Err(cx.violations)
    }
}

/// How a region must end.
enum Ending<'a> {
    /// In a `yield` of these dtypes.
    Yield(&'a [DType]),
    /// In a `continue_if` with as many next values as the region has parameters, and results of these dtypes.
    ContinueIf(&'a [DType]),
}

struct Cx<'f> {
    func: &'f Func,
    violations: Vec<Violation>,
    /// Values defined so far whose region has not ended.
    in_scope: SecondaryMap<Value, bool>,
    defined: SecondaryMap<Value, bool>,
    placed: SecondaryMap<Inst, bool>,
    entered: SecondaryMap<Region, bool>,
}

impl Cx<'_> {
    fn report(&mut self, place: Place, message: String) {
        self.violations.push(Violation { place, message });
    }

    /// Whether a region may be looked into: it exists and has not been used before.
    fn enter(&mut self, region: Region, place: Place) -> bool {
        if !self.func.regions.is_valid(region) {
            self.report(place, format!("region {region} does not exist"));
            return false;
        }
        if self.entered[region] {
            self.report(place, format!("region {region} is used twice"));
            return false;
        }
        self.entered.set(region, true);
        true
    }

    fn signature(&mut self) {
        let func = self.func;
        let (params, names) = (func.params().len(), func.param_names.len());
        if params != names {
            let message = format!("{params} parameters have {names} names");
            self.report(Place::Func, message);
        }
        if params + func.results.len() > MAX_OPERANDS {
            let message = format!("more than {MAX_OPERANDS} parameters and results");
            self.report(Place::Func, message);
        }
    }

    fn region(&mut self, region: Region, ending: &Ending<'_>, depth: usize) {
        let func = self.func;
        let place = Place::Region(region);
        let data = &func.regions[region];
        for (index, &param) in data.params.iter().enumerate() {
            self.define(param, ValueDef::Param(region, index), place);
        }
        for &inst in &data.insts {
            self.inst(inst, region, depth);
        }
        match (&data.end, ending) {
            (Terminator::Yield(values), Ending::Yield(dtypes)) => {
                self.given(values, dtypes, "yielded", place);
            }
            (
                Terminator::ContinueIf {
                    cond,
                    next,
                    results,
                },
                Ending::ContinueIf(dtypes),
            ) => {
                self.given(&[*cond], &[DType::Bool], "the condition", place);
                let params = self.dtypes(&data.params);
                self.given(next, &params, "next", place);
                self.given(results, dtypes, "results", place);
            }
            (_, Ending::Yield(_)) => {
                self.report(place, "must end in `yield`".to_string());
            }
            (_, Ending::ContinueIf(_)) => {
                self.report(place, "must end in `continue_if`".to_string());
            }
        }
        let results = data.insts.iter().filter_map(|inst| func.insts.get(*inst));
        let results = results.flat_map(|inst| &inst.results);
        for &value in data.params.iter().chain(results) {
            if func.values.is_valid(value) {
                self.in_scope.set(value, false);
            }
        }
    }

    fn inst(&mut self, inst: Inst, region: Region, depth: usize) {
        let func = self.func;
        let Some(data) = func.insts.get(inst) else {
            let message = format!("instruction {inst} does not exist");
            return self.report(Place::Region(region), message);
        };
        let place = Place::Inst(inst);
        if self.placed[inst] {
            return self.report(place, "the instruction stands in two places".to_string());
        }
        self.placed.set(inst, true);
        let mut usable = true;
        for arg in &data.args {
            usable &= self.check_use(*arg, place);
        }
        let known = data.results.iter().all(|v| func.values.is_valid(*v));
        if usable && known {
            self.types(inst, data);
        }
        if data.kind.regions().next().is_some() {
            self.inner(inst, data, depth);
        }
        for (index, &value) in data.results.iter().enumerate() {
            self.define(value, ValueDef::Result(inst, index), place);
        }
    }

    fn inner(&mut self, inst: Inst, data: &InstData, depth: usize) {
        let place = Place::Inst(inst);
        if depth >= MAX_NESTING {
            let message = format!("regions nest deeper than {MAX_NESTING}");
            return self.report(place, message);
        }
        let results = self.dtypes(&data.results);
        let is_loop = matches!(data.kind, InstKind::Loop { .. });
        for region in data.kind.regions() {
            if !self.enter(region, place) {
                continue;
            }
            let params = self.dtypes(&self.func.regions[region].params);
            if is_loop {
                self.given(&data.args, &params, "carried", place);
                self.region(region, &Ending::ContinueIf(&results), depth + 1);
            } else {
                if !params.is_empty() {
                    self.report(
                        Place::Region(region),
                        "an arm has no parameters".to_string(),
                    );
                }
                self.region(region, &Ending::Yield(&results), depth + 1);
            }
        }
    }

    fn types(&mut self, inst: Inst, data: &InstData) {
        let args = self.dtypes(&data.args);
        let results = self.dtypes(&data.results);
        let mismatch = match data.kind {
            InstKind::Const(value) => shape(&args, &results, &[], &[value.dtype()]),
            InstKind::Index(_) => shape(&args, &results, &[], &[DType::I64]),
            InstKind::Op(op) => rule(AnyOp::Core(op), &args, &results),
            InstKind::Math(f) => rule(AnyOp::Math(f), &args, &results),
            InstKind::If { .. } => shape(&args, &[], &[DType::Bool], &[]),
            // The carried values are compared with the region's parameters.
            InstKind::Loop { .. } => None,
        };
        if let Some(message) = mismatch {
            self.report(Place::Inst(inst), message);
        }
    }

    /// Dtypes of values; those that do not exist, which is reported elsewhere, are left out.
    fn dtypes(&self, values: &[Value]) -> Vec<DType> {
        let known = values.iter().filter_map(|v| self.func.values.get(*v));
        known.map(|data| data.dtype).collect()
    }

    /// Checks that values given at a terminator or to a loop may be used, and are of these dtypes.
    fn given(&mut self, values: &[Value], expected: &[DType], what: &str, place: Place) {
        // What a loop is given has been checked as the arguments of its instruction.
        let is_terminator = matches!(place, Place::Region(_));
        if is_terminator && !values.iter().all(|v| self.check_use(*v, place)) {
            return;
        }
        let found = self.dtypes(values);
        if found != expected {
            let (expected, found) = (list(expected), list(&found));
            let message = format!("{what}: expected {expected}, found {found}");
            self.report(place, message);
        }
    }

    fn check_use(&mut self, value: Value, place: Place) -> bool {
        if !self.func.values.is_valid(value) {
            self.report(place, format!("{value} does not exist"));
            return false;
        }
        if !self.in_scope[value] {
            self.report(
                place,
                format!("{value} is used where it has not been defined"),
            );
            return false;
        }
        true
    }

    fn define(&mut self, value: Value, by: ValueDef, place: Place) {
        let Some(data) = self.func.values.get(value) else {
            return self.report(place, format!("{value} does not exist"));
        };
        if self.defined[value] {
            return self.report(place, format!("{value} is defined twice"));
        }
        if data.def != by {
            let message = format!("{value} says that {:?} defines it", data.def);
            self.report(place, message);
        }
        self.defined.set(value, true);
        self.in_scope.set(value, true);
    }
}

/// What is wrong with an instruction that takes and gives fixed dtypes.
fn shape(args: &[DType], results: &[DType], takes: &[DType], gives: &[DType]) -> Option<String> {
    if args != takes {
        return Some(format!(
            "arguments: expected {}, found {}",
            list(takes),
            list(args)
        ));
    }
    let expected = || format!("results: expected {}, found {}", list(gives), list(results));
    (results != gives).then(expected)
}

/// What is wrong with the dtypes of an operation.
fn rule(op: AnyOp, args: &[DType], results: &[DType]) -> Option<String> {
    let rule = op.rule();
    if results.len() != rule.result_count() || results.iter().any(|r| *r != results[0]) {
        return Some(format!(
            "`{}` is {rule}, not with results {}",
            op.name(),
            list(results)
        ));
    }
    let name = op.name();
    let error = rule.check(args, Some(results[0])).err()?;
    Some(match error {
        RuleError::Count { expected, found } => {
            format!("`{name}` takes {expected} arguments, found {found}")
        }
        RuleError::Argument {
            index,
            expected,
            found,
        } => format!("argument {index} of `{name}`: expected {expected}, found {found}"),
        RuleError::Result { found } => {
            format!("`{name}` of {} does not give {found}", list(args))
        }
    })
}

fn list(dtypes: &[DType]) -> String {
    let names: Vec<&str> = dtypes.iter().map(|d| d.name()).collect();
    format!("({})", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Builder;
    use crate::constant::Const;
    use crate::func::Entity;
    use crate::ops::Op;
    use crate::text::parse;

    /// The violations of a text.
    fn violations(text: &str) -> Vec<String> {
        let func = parse(text).unwrap();
        let found = verify(&func).err().unwrap_or_default();
        found.iter().map(Violation::to_string).collect()
    }

    fn simple() -> Func {
        let mut func = Func::new("f");
        let mut b = Builder::new(&mut func);
        let x = b.param("x", DType::F32);
        let y = b.op(Op::Mul, &[x, x]);
        b.finish(vec![y]);
        func
    }

    #[test]
    fn what_the_builder_makes_is_well_formed() {
        assert_eq!(verify(&simple()), Ok(()));
    }

    #[test]
    fn every_violation_is_reported() {
        let text = "func f(x: f32, n: i32) -> (f32) {
            a: f32 = add x, n
            b: bool = mul x, x
            yield n
        }";
        assert_eq!(
            violations(text),
            [
                "i0: argument 1 of `add`: expected f32, found i32",
                "i1: `mul` of (f32, f32) does not give bool",
                "r0: yielded: expected (f32), found (i32)",
            ]
        );
    }

    #[test]
    fn values_are_used_where_they_are_defined() {
        let text = "func f(c: bool) -> (u8, u8) {
            a: u8 = neg b
            b: u8 = const 1
            if c { d: u8 = neg b yield } else { e: u8 = neg d yield }
            yield a, d
        }";
        assert_eq!(
            violations(text),
            [
                "i0: v2 is used where it has not been defined",
                "i4: v3 is used where it has not been defined",
                "r0: v3 is used where it has not been defined",
            ]
        );
    }

    #[test]
    fn loops_and_arms_have_their_shapes() {
        let text = "func f(c: bool, n: u8) -> (u8) {
            a: u8 = loop (i: u8 = c) { continue_if i (c) else (i) }
            b: u8 = loop (i2: u8 = n) { yield i2 }
            d: u8 = if n { yield c } else { continue_if c () else () }
            yield a
        }";
        assert_eq!(
            violations(text),
            [
                "i0: carried: expected (u8), found (bool)",
                "r1: the condition: expected (bool), found (u8)",
                "r1: next: expected (u8), found (bool)",
                "r2: must end in `continue_if`",
                "i2: arguments: expected (bool), found (u8)",
                "r3: yielded: expected (u8), found (bool)",
                "r4: must end in `yield`",
            ]
        );
    }

    #[test]
    fn broken_links_are_found() {
        let broken = |change: fn(&mut Func)| {
            let mut func = simple();
            change(&mut func);
            let found = verify(&func).unwrap_err();
            found[0].to_string()
        };
        let none = "v9 does not exist";
        assert_eq!(
            broken(|f| f.insts[Inst::new(0)].args[0] = Value::new(9)),
            format!("i0: {none}")
        );
        assert_eq!(
            broken(|f| f.regions[Region::new(0)].params[0] = Value::new(9)),
            format!("r0: {none}")
        );
        let twice = |f: &mut Func| f.regions[f.body].insts.push(Inst::new(0));
        assert_eq!(broken(twice), "i0: the instruction stands in two places");
        let missing = |f: &mut Func| f.regions[f.body].insts.push(Inst::new(7));
        assert_eq!(broken(missing), "r0: instruction i7 does not exist");
        let unnamed = |f: &mut Func| f.param_names.clear();
        assert_eq!(broken(unnamed), "1 parameters have 0 names");
        let constant = |f: &mut Func| {
            f.insts[Inst::new(0)].kind = InstKind::Const(Const::f64(1.0));
            f.insts[Inst::new(0)].args.clear();
        };
        assert_eq!(broken(constant), "i0: results: expected (f64), found (f32)");
        let body = |f: &mut Func| f.body = Region::new(3);
        assert_eq!(broken(body), "region r3 does not exist");
        let definer = |f: &mut Func| f.values[Value::new(1)].def = ValueDef::Param(f.body, 0);
        assert_eq!(broken(definer), "i0: v1 says that Param(r0, 0) defines it");
    }

    #[test]
    fn regions_form_a_shallow_tree() {
        let mut func = simple();
        let (body, x) = (func.body, func.params()[0]);
        let inst = func.make_inst(InstKind::Loop { body }, vec![x], &[]);
        func.regions[body].insts.push(inst);
        let found = verify(&func).unwrap_err();
        assert_eq!(found[0].to_string(), "i1: region r0 is used twice");

        let mut func = simple();
        let cond = Builder::new(&mut func).constant(Const::bool(true));
        let mut region = func.body;
        for _ in 0..100_000 {
            let (then_region, else_region) = (func.add_region(), func.add_region());
            let kind = InstKind::If {
                then_region,
                else_region,
            };
            Builder::at(&mut func, region).inst(kind, vec![cond], &[]);
            region = then_region;
        }
        let found = verify(&func).unwrap_err();
        assert_eq!(
            found[0].message,
            format!("regions nest deeper than {MAX_NESTING}")
        );
    }
}
