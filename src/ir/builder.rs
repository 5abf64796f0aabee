//! Builds functions instruction by instruction, checking each against the table's rules.

use crate::constant::Const;
use crate::dtype::DType;
use crate::func::{Func, Inst, InstKind, Region, Terminator, Value};
use crate::ops::{AnyOp, MathFn, Op};

/// Appends instructions to a region of a function.
pub struct Builder<'f> {
    /// The function being built.
    pub func: &'f mut Func,
    region: Region,
}

impl<'f> Builder<'f> {
    /// A builder that appends to the function's body.
    pub fn new(func: &'f mut Func) -> Builder<'f> {
        let region = func.body;
        Builder { func, region }
    }

    /// A builder that appends to this region.
    pub fn at(func: &'f mut Func, region: Region) -> Builder<'f> {
        Builder { func, region }
    }

    /// The region it appends to.
    pub fn region(&self) -> Region {
        self.region
    }

    /// Appends to another region from now on; gives the one before.
    pub fn switch_to(&mut self, region: Region) -> Region {
        std::mem::replace(&mut self.region, region)
    }

    /// Adds a named parameter to the kernel.
    pub fn param(&mut self, name: &str, dtype: DType) -> Value {
        self.func.param_names.push(name.to_string());
        self.func.add_param(self.func.body, dtype)
    }

    /// Appends an instruction with results of these dtypes.
    pub fn inst(&mut self, kind: InstKind, args: Vec<Value>, results: &[DType]) -> Inst {
        let inst = self.func.make_inst(kind, args, results);
        self.func.regions[self.region].insts.push(inst);
        inst
    }

    fn value(&mut self, kind: InstKind, args: Vec<Value>, dtype: DType) -> Value {
        let inst = self.inst(kind, args, &[dtype]);
        self.func.insts[inst].results[0]
    }

    /// A constant.
    pub fn constant(&mut self, value: Const) -> Value {
        self.value(InstKind::Const(value), Vec::new(), value.dtype())
    }

    /// Position of the element being computed, flat or along an axis; an i64.
    pub fn index(&mut self, axis: Option<u8>) -> Value {
        self.value(InstKind::Index(axis), Vec::new(), DType::I64)
    }

    /// A core operation whose result follows from its arguments.
    ///
    /// # Panics
    /// If the operation's rule does not take the arguments: the caller has checked them.
    pub fn op(&mut self, op: Op, args: &[Value]) -> Value {
        let dtype = self.checked(AnyOp::Core(op), args, None);
        self.value(InstKind::Op(op), args.to_vec(), dtype)
    }

    /// A math function; several results for those that have them.
    ///
    /// # Panics
    /// If the function's rule does not take the arguments: the caller has checked them.
    pub fn math(&mut self, f: MathFn, args: &[Value]) -> Vec<Value> {
        let dtype = self.checked(AnyOp::Math(f), args, None);
        let results = vec![dtype; f.info().rule.result_count()];
        let inst = self.inst(InstKind::Math(f), args.to_vec(), &results);
        self.func.insts[inst].results.clone()
    }

    /// Converts to a dtype; the value itself if it is of that dtype.
    pub fn convert(&mut self, value: Value, to: DType) -> Value {
        if self.func.dtype(value) == to {
            return value;
        }
        self.checked(AnyOp::Core(Op::Convert), &[value], Some(to));
        self.value(InstKind::Op(Op::Convert), vec![value], to)
    }

    /// The same bits as another dtype of the same size; the value itself if it is of that dtype.
    pub fn bitcast(&mut self, value: Value, to: DType) -> Value {
        if self.func.dtype(value) == to {
            return value;
        }
        self.checked(AnyOp::Core(Op::Bitcast), &[value], Some(to));
        self.value(InstKind::Op(Op::Bitcast), vec![value], to)
    }

    fn checked(&self, op: AnyOp, args: &[Value], wanted: Option<DType>) -> DType {
        let dtypes: Vec<DType> = args.iter().map(|v| self.func.dtype(*v)).collect();
        match op.rule().check(&dtypes, wanted) {
            Ok(dtype) => dtype,
            Err(error) => panic!("{} on {dtypes:?}: {error:?}", op.name()),
        }
    }

    /// An `if`: each arm is built in its own region and gives the values to yield, of the given dtypes.
    pub fn if_else(
        &mut self,
        cond: Value,
        results: &[DType],
        then_arm: impl FnOnce(&mut Builder<'_>) -> Vec<Value>,
        else_arm: impl FnOnce(&mut Builder<'_>) -> Vec<Value>,
    ) -> Vec<Value> {
        let then_region = self.arm(then_arm);
        let else_region = self.arm(else_arm);
        let kind = InstKind::If {
            then_region,
            else_region,
        };
        let inst = self.inst(kind, vec![cond], results);
        self.func.insts[inst].results.clone()
    }

    fn arm(&mut self, build: impl FnOnce(&mut Builder<'_>) -> Vec<Value>) -> Region {
        let region = self.func.add_region();
        let mut inner = Builder::at(self.func, region);
        let values = build(&mut inner);
        // The arm may have switched regions; it ends where it began.
        self.func.regions[region].end = Terminator::Yield(values);
        region
    }

    /// A loop: the body gets the carried values and gives (condition, next, results), the results of the given dtypes.
    pub fn loop_(
        &mut self,
        init: &[Value],
        results: &[DType],
        body: impl FnOnce(&mut Builder<'_>, &[Value]) -> (Value, Vec<Value>, Vec<Value>),
    ) -> Vec<Value> {
        let region = self.func.add_region();
        let dtypes: Vec<DType> = init.iter().map(|v| self.func.dtype(*v)).collect();
        let carried: Vec<Value> = dtypes
            .iter()
            .map(|d| self.func.add_param(region, *d))
            .collect();
        let mut inner = Builder::at(self.func, region);
        let (cond, next, values) = body(&mut inner, &carried);
        self.func.regions[region].end = Terminator::ContinueIf {
            cond,
            next,
            results: values,
        };
        let inst = self.inst(InstKind::Loop { body: region }, init.to_vec(), results);
        self.func.insts[inst].results.clone()
    }

    /// Ends the kernel: sets the body's results.
    pub fn finish(&mut self, results: Vec<Value>) {
        self.func.results = results.iter().map(|v| self.func.dtype(*v)).collect();
        self.func.regions[self.func.body].end = Terminator::Yield(results);
    }
}
