//! Lowers a function in SPMD form to CLIF: one vector body per loop, behind NumPy's inner-loop ABI.
//!
//! A uniform value is one scalar. A varying value is `plan.lanes` lanes in 128-bit vectors: integers and floats of 32
//! and 64 bits as they are; integers of 8 and 16 bits in 32-bit lanes, always sign- or zero-extended; f16 and bf16
//! as zero-extended bits in 32-bit lanes; bools as lanes of all ones or zeros, 32 or 64 bits wide as the plan says.

mod arith;
mod compare;
mod control;
mod convert;
mod divide;
mod driver;
mod lanes;
mod memory;
mod shift;

use crate::clif::isa::Isa;
use crate::vplan::{Plan, lane_width};
use cranelift_codegen::ir::{self, InstBuilder};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use lanes::Lane;
use ufc_ir::entity::SecondaryMap;
use ufc_ir::func::{Func, Inst, InstKind, Value};
use ufc_ir::ops::Op;
use ufc_ir::{Const, DType};
use ufc_target::BackendError;

/// A value of CLIF.
type Clif = ir::Value;

/// Lowers a function in SPMD form to a CLIF function with the type [`ufc_target::InnerLoop`].
///
/// # Errors
/// If it asks for something that [`super::legal`] does not promise.
pub(crate) fn lower(
    func: &Func,
    varying: &SecondaryMap<Value, bool>,
    plan: &Plan,
    isa: &Isa,
) -> Result<ir::Function, BackendError> {
    let mut signature = ir::Signature::new(isa.target.default_call_conv());
    let pointer = ir::AbiParam::new(isa.target.pointer_type());
    signature.params.extend([pointer; 4]);
    let mut out = ir::Function::with_name_signature(ir::UserFuncName::default(), signature);
    let mut context = FunctionBuilderContext::new();
    let builder = FunctionBuilder::new(&mut out, &mut context);
    let mut cx = Cx {
        b: builder,
        func,
        varying,
        plan,
        isa,
        held: SecondaryMap::new(Held::Nothing),
        refused: None,
    };
    cx.driver();
    let refused = cx.refused.take();
    cx.b.seal_all_blocks();
    cx.b.finalize(isa.target.frontend_config());
    match refused {
        None => Ok(out),
        Some(what) => Err(BackendError::CompileFailed(format!(
            "{what} reached the CPU back end"
        ))),
    }
}

/// What a value of the IR has become.
#[derive(Clone)]
enum Held {
    /// Not lowered yet.
    Nothing,
    /// The same in every lane.
    Scalar(Clif),
    /// Lanes side by side.
    Vectors(Vec<Clif>),
    /// A complex value's parts.
    Parts(Vec<Clif>, Vec<Clif>),
}

/// The state of lowering.
struct Cx<'a, 'b> {
    b: FunctionBuilder<'b>,
    func: &'a Func,
    varying: &'a SecondaryMap<Value, bool>,
    plan: &'a Plan,
    isa: &'a Isa,
    held: SecondaryMap<Value, Held>,
    /// The first thing that could not be lowered.
    refused: Option<String>,
}

impl Cx<'_, '_> {
    /// Notes that something cannot be lowered, which fails the whole function.
    fn refuse(&mut self, what: String) {
        self.refused.get_or_insert(what);
    }

    /// A uniform value.
    fn scalar(&mut self, value: Value) -> Clif {
        match self.held[value] {
            Held::Scalar(scalar) => scalar,
            Held::Nothing | Held::Vectors(_) | Held::Parts(..) => {
                self.refuse(format!("a varying {value} where lanes must agree"));
                self.zero_scalar(Lane::of(self.func.dtype(value)))
            }
        }
    }

    /// A value as vectors; a bool as a mask of its planned width.
    fn vectors(&mut self, value: Value) -> Vec<Clif> {
        let dtype = self.func.dtype(value);
        if dtype == DType::Bool {
            return self.mask(value, self.plan.mask(value));
        }
        let count = self.plan.vectors(lane_width(dtype));
        if let Held::Vectors(vectors) = &self.held[value] {
            return vectors.clone();
        }
        if let Some(constant) = self.func.constant(value) {
            let vector = self.splat_const(constant);
            return vec![vector; count];
        }
        let scalar = self.scalar(value);
        let vector = self.b.ins().splat(Lane::of(dtype).vector(), scalar);
        vec![vector; count]
    }

    /// A complex value's parts.
    fn parts(&mut self, value: Value) -> (Vec<Clif>, Vec<Clif>) {
        if let Held::Parts(re, im) = &self.held[value] {
            return (re.clone(), im.clone());
        }
        let constant = self.func.constant(value);
        let constant = constant.unwrap_or_else(|| {
            self.refuse(format!("a computed complex {value}"));
            Const::zero(self.func.dtype(value))
        });
        let count = self.plan.vectors(lane_width(constant.dtype()));
        let re = self.splat_const(constant.re());
        let im = self.splat_const(constant.im());
        (vec![re; count], vec![im; count])
    }

    fn set(&mut self, value: Value, held: Held) {
        self.held[value] = held;
    }

    /// Lowers an instruction that stands in the function's body or in a region.
    fn inst(&mut self, inst: Inst) {
        let func = self.func;
        let data = &func.insts[inst];
        match &data.kind {
            InstKind::Const(constant) => self.constant(data.results[0], *constant),
            InstKind::Index(_) => {}
            InstKind::Op(op) => self.op(*op, &data.args, data.results[0]),
            InstKind::Math(f) => self.refuse(format!("`{}`", f.info().id)),
            InstKind::If {
                then_region,
                else_region,
            } => self.if_else(data.args[0], *then_region, *else_region, &data.results),
            InstKind::Loop { body } => self.loop_(&data.args, *body, &data.results),
        }
    }

    /// Constants stay unlowered until a use says whether it wants a scalar or a vector; complex ones have no scalar.
    fn constant(&mut self, result: Value, constant: Const) {
        if !constant.dtype().is_complex() {
            let scalar = self.scalar_const(constant);
            self.set(result, Held::Scalar(scalar));
        }
    }

    fn op(&mut self, op: Op, args: &[Value], result: Value) {
        let held = match op {
            Op::Complex => {
                let (re, im) = (self.vectors(args[0]), self.vectors(args[1]));
                Held::Parts(re, im)
            }
            Op::Re => Held::Vectors(self.parts(args[0]).0),
            Op::Im => Held::Vectors(self.parts(args[0]).1),
            Op::Any => {
                let any = self.any(args[0]);
                Held::Scalar(any)
            }
            _ if !self.varying[result] => {
                let scalar = self.scalar_op(op, args, result);
                Held::Scalar(scalar)
            }
            _ => Held::Vectors(self.vector_op(op, args, result)),
        };
        self.set(result, held);
    }

    /// An operation whose arguments, and so its result, are the same in every lane.
    fn scalar_op(&mut self, op: Op, args: &[Value], result: Value) -> Clif {
        let from = self.func.dtype(args[0]);
        let to = self.func.dtype(result);
        let scalars: Vec<Clif> = args.iter().map(|v| self.scalar(*v)).collect();
        match op {
            Op::Convert => self.scalar_convert(scalars[0], from, to),
            Op::Bitcast => self.scalar_bitcast(scalars[0], from, to),
            Op::Select => self.b.ins().select(scalars[0], scalars[1], scalars[2]),
            _ => self.scalar_lane(op, from, &scalars),
        }
    }

    /// One lane of an operation on values of one dtype, conversions and choice aside.
    fn scalar_lane(&mut self, op: Op, dtype: DType, args: &[Clif]) -> Clif {
        match op {
            Op::Div | Op::Rem if dtype.is_int() => {
                self.scalar_divide(op == Op::Rem, dtype, args[0], args[1])
            }
            Op::Shl | Op::Shr => self.shift_by_scalar(op == Op::Shl, dtype, args[0], args[1]),
            Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => {
                self.compare(op, dtype, args[0], args[1])
            }
            Op::Min | Op::Max | Op::Minimum | Op::Maximum if dtype.is_float() => {
                self.scalar_extremum(op, args[0], args[1])
            }
            _ => self.arith(op, dtype, args),
        }
    }

    /// An operation with a result that varies.
    fn vector_op(&mut self, op: Op, args: &[Value], result: Value) -> Vec<Clif> {
        let dtype = self.func.dtype(args[0]);
        match op {
            Op::Convert => self.vector_convert(args[0], result),
            Op::Bitcast => self.vector_bitcast(args[0], result),
            Op::Select => self.select(args, result),
            Op::Div | Op::Rem if dtype.is_int() => self.vector_divide(op == Op::Rem, args),
            Op::Shl | Op::Shr => self.vector_shift(op == Op::Shl, args),
            Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => {
                self.vector_compare(op, args, result)
            }
            Op::And | Op::Or | Op::Xor | Op::Not if dtype == DType::Bool => {
                let width = self.plan.mask(result);
                let masks: Vec<Vec<Clif>> = args.iter().map(|v| self.mask(*v, width)).collect();
                self.each(&masks, |cx, lanes| cx.mask_logic(op, lanes))
            }
            Op::Min | Op::Max | Op::Minimum | Op::Maximum if dtype.is_float() => {
                self.vector_extremum(op, args)
            }
            _ => {
                let vectors: Vec<Vec<Clif>> = args.iter().map(|v| self.vectors(*v)).collect();
                self.each(&vectors, |cx, lanes| cx.arith(op, dtype, lanes))
            }
        }
    }

    /// Applies a lowering to each vector of the arguments in turn.
    fn each(
        &mut self,
        args: &[Vec<Clif>],
        mut lower: impl FnMut(&mut Self, &[Clif]) -> Clif,
    ) -> Vec<Clif> {
        let count = args.first().map_or(0, Vec::len);
        (0..count)
            .map(|i| {
                let lanes: Vec<Clif> = args.iter().map(|vectors| vectors[i]).collect();
                lower(self, &lanes)
            })
            .collect()
    }
}
