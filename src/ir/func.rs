//! Functions in structured SSA: values, instructions and nested regions.

use crate::constant::Const;
use crate::dtype::DType;
pub use crate::entity::{Entity, Inst, PrimaryMap, Region, SecondaryMap, Value};
use crate::ops::{AnyOp, MathFn, Op};

/// One kernel for one combination of dtypes.
#[derive(Clone, Debug)]
pub struct Func {
    /// Name of the kernel.
    pub name: String,
    /// Names of the operands, inputs in order; dtypes are those of the body's parameters.
    pub param_names: Vec<String>,
    /// Dtypes of the results in order.
    pub results: Vec<DType>,
    /// What the author said about the kernel.
    pub attrs: Attrs,
    /// Every value.
    pub values: PrimaryMap<Value, ValueData>,
    /// Every instruction, reachable or not.
    pub insts: PrimaryMap<Inst, InstData>,
    /// Every region, reachable or not.
    pub regions: PrimaryMap<Region, RegionData>,
    /// The outermost region: its parameters are the kernel's, its `Yield` gives the results.
    pub body: Region,
}

/// Facts about a kernel that its author states.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attrs {
    /// The documentation comment.
    pub doc: String,
    /// Whether contraction and reassociation are allowed.
    pub fast_math: bool,
    /// The neutral element of a reduction.
    pub identity: Option<Const>,
}

/// A value's dtype and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValueData {
    /// The dtype.
    pub dtype: DType,
    /// What defines it.
    pub def: ValueDef,
}

/// What defines a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueDef {
    /// Parameter number `.1` of a region.
    Param(Region, usize),
    /// Result number `.1` of an instruction.
    Result(Inst, usize),
}

/// An instruction: what it does, to which values, giving which values.
#[derive(Clone, Debug, PartialEq)]
pub struct InstData {
    /// What it does.
    pub kind: InstKind,
    /// The values it uses.
    pub args: Vec<Value>,
    /// The values it defines.
    pub results: Vec<Value>,
}

/// What an instruction does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InstKind {
    /// A constant.
    Const(Const),
    /// Position of the element being computed: of all elements in C order, or along an axis of the loop dims. An i64.
    Index(Option<u8>),
    /// A core operation; conversions take the dtype of their result.
    Op(Op),
    /// A math function that has not been expanded yet.
    Math(MathFn),
    /// Runs one of two regions by the condition, its one argument. Neither has parameters; both `Yield` the results.
    If {
        /// Run when the condition is true.
        then_region: Region,
        /// Run when it is false.
        else_region: Region,
    },
    /// Runs the body with the arguments as its parameters, and again while its `ContinueIf` says so.
    Loop {
        /// Ends in `ContinueIf`.
        body: Region,
    },
}

/// A straight list of instructions and how it ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegionData {
    /// Values given to the region when it is entered.
    pub params: Vec<Value>,
    /// Instructions in order.
    pub insts: Vec<Inst>,
    /// How it ends.
    pub end: Terminator,
}

/// How a region ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Terminator {
    /// Ends the region with these results. Bodies of functions and arms of `If`.
    Yield(Vec<Value>),
    /// Ends one turn of a loop.
    ContinueIf {
        /// Whether there is another turn.
        cond: Value,
        /// The parameters of the next turn.
        next: Vec<Value>,
        /// The loop's results if there is none.
        results: Vec<Value>,
    },
}

impl Default for Terminator {
    fn default() -> Self {
        Terminator::Yield(Vec::new())
    }
}

impl Terminator {
    /// Every value it uses.
    pub fn uses(&self) -> impl Iterator<Item = Value> {
        let (cond, a, b) = match self {
            Terminator::Yield(values) => (None, values, None),
            Terminator::ContinueIf {
                cond,
                next,
                results,
            } => (Some(*cond), next, Some(results)),
        };
        cond.into_iter()
            .chain(a.iter().copied())
            .chain(b.into_iter().flatten().copied())
    }

    /// Replaces every value it uses.
    pub fn map_uses(&mut self, mut f: impl FnMut(Value) -> Value) {
        match self {
            Terminator::Yield(values) => values.iter_mut().for_each(|v| *v = f(*v)),
            Terminator::ContinueIf {
                cond,
                next,
                results,
            } => {
                *cond = f(*cond);
                next.iter_mut().for_each(|v| *v = f(*v));
                results.iter_mut().for_each(|v| *v = f(*v));
            }
        }
    }
}

impl InstKind {
    /// The operation it is, unless it is a constant, an index or control flow.
    pub fn op(&self) -> Option<AnyOp> {
        match self {
            InstKind::Op(op) => Some(AnyOp::Core(*op)),
            InstKind::Math(f) => Some(AnyOp::Math(*f)),
            InstKind::Const(_)
            | InstKind::Index(_)
            | InstKind::If { .. }
            | InstKind::Loop { .. } => None,
        }
    }

    /// The regions inside it, in order.
    pub fn regions(&self) -> impl Iterator<Item = Region> + use<> {
        let pair = match self {
            InstKind::If {
                then_region,
                else_region,
            } => [Some(*then_region), Some(*else_region)],
            InstKind::Loop { body } => [Some(*body), None],
            InstKind::Const(_) | InstKind::Index(_) | InstKind::Op(_) | InstKind::Math(_) => {
                [None, None]
            }
        };
        pair.into_iter().flatten()
    }
}

impl Func {
    /// A function with no instructions, parameters or results.
    pub fn new(name: &str) -> Func {
        let mut regions = PrimaryMap::default();
        let body = regions.push(RegionData::default());
        Func {
            name: name.to_string(),
            param_names: Vec::new(),
            results: Vec::new(),
            attrs: Attrs::default(),
            values: PrimaryMap::default(),
            insts: PrimaryMap::default(),
            regions,
            body,
        }
    }

    /// The kernel's parameters.
    pub fn params(&self) -> &[Value] {
        &self.regions[self.body].params
    }

    /// Dtypes of the kernel's parameters.
    pub fn param_dtypes(&self) -> Vec<DType> {
        self.params().iter().map(|v| self.dtype(*v)).collect()
    }

    /// A value's dtype.
    pub fn dtype(&self, value: Value) -> DType {
        self.values[value].dtype
    }

    /// The constant that a value is, if its definition is one.
    pub fn constant(&self, value: Value) -> Option<Const> {
        match self.defining(value)?.kind {
            InstKind::Const(c) => Some(c),
            _ => None,
        }
    }

    /// The instruction that defines a value, unless it is a region's parameter.
    pub fn defining(&self, value: Value) -> Option<&InstData> {
        match self.values[value].def {
            ValueDef::Result(inst, _) => Some(&self.insts[inst]),
            ValueDef::Param(..) => None,
        }
    }

    /// The operation that defines a value and its arguments, if it is one.
    pub fn defining_op(&self, value: Value) -> Option<(Op, &[Value])> {
        let data = self.defining(value)?;
        match data.kind {
            InstKind::Op(op) => Some((op, &data.args)),
            _ => None,
        }
    }

    /// The dtype that an operation instruction works on: that of the argument its rule calls `T`.
    pub fn key_dtype(&self, inst: Inst) -> Option<DType> {
        let data = &self.insts[inst];
        let key = data.kind.op()?.rule().key();
        data.args.get(key).map(|v| self.dtype(*v))
    }

    /// Adds a region with no parameters.
    pub fn add_region(&mut self) -> Region {
        self.regions.push(RegionData::default())
    }

    /// Adds a parameter to a region.
    pub fn add_param(&mut self, region: Region, dtype: DType) -> Value {
        let index = self.regions[region].params.len();
        let value = self.values.push(ValueData {
            dtype,
            def: ValueDef::Param(region, index),
        });
        self.regions[region].params.push(value);
        value
    }

    /// Makes an instruction with results of these dtypes, which stands in no region yet.
    pub fn make_inst(&mut self, kind: InstKind, args: Vec<Value>, results: &[DType]) -> Inst {
        let inst = self.insts.push(InstData {
            kind,
            args,
            results: Vec::new(),
        });
        for (index, dtype) in results.iter().enumerate() {
            let value = self.values.push(ValueData {
                dtype: *dtype,
                def: ValueDef::Result(inst, index),
            });
            self.insts[inst].results.push(value);
        }
        inst
    }

    /// Number of instructions that the body reaches, nested ones included.
    pub fn size(&self) -> usize {
        let mut count = 0;
        self.for_each_inst(|_, _| count += 1);
        count
    }

    /// Calls `f` with every region and instruction that the body reaches, in order, outer before inner.
    pub fn for_each_inst(&self, mut f: impl FnMut(Region, Inst)) {
        self.walk(self.body, &mut f);
    }

    fn walk(&self, region: Region, f: &mut impl FnMut(Region, Inst)) {
        for &inst in &self.regions[region].insts {
            f(region, inst);
            for inner in self.insts[inst].kind.regions() {
                self.walk(inner, f);
            }
        }
    }

    /// Calls `f` with every region that the body reaches, outer before inner, the body first.
    pub fn for_each_region(&self, mut f: impl FnMut(Region)) {
        f(self.body);
        self.for_each_inst(|_, inst| self.insts[inst].kind.regions().for_each(&mut f));
    }
}
