//! Lowers a function in SPMD form to CLIF: one vector body per loop, behind NumPy's inner-loop ABI.
//!
//! A uniform value is one scalar. A varying value is `plan.lanes` lanes in 128-bit vectors: integers and floats of 32
//! and 64 bits as they are; integers of 8 and 16 bits in 32-bit lanes, always sign- or zero-extended; f16 and bf16
//! as zero-extended bits in 32-bit lanes; bools as lanes of all ones or zeros, 32 or 64 bits wide as the plan says.
//!
//! The lanes are cut into columns. Straight code is emitted for one column after the other, so that what it holds for a
//! moment takes registers for one column only; the processor overlaps the columns by itself. Cranelift's optimizer is
//! off: it would undo that order. Constants, and inputs where loops use them, are memory operands of the instructions
//! that use them, for the same reason.

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
use crate::clif::pool::Pool;
use crate::vplan::{Plan, lane_width};
use cranelift_codegen::ir::{self, InstBuilder};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use lanes::Lane;
use ufc_ir::entity::SecondaryMap;
use ufc_ir::func::{Func, Inst, InstKind, Value};
use ufc_ir::ops::{MathFn, Op};
use ufc_ir::{Const, DType};
use ufc_target::BackendError;

/// A value of CLIF.
type Clif = ir::Value;

/// Lowers a function in SPMD form to a CLIF function with the type [`ufc_target::InnerLoop`], and its constants.
///
/// `positions` are those that the function asked for before it was optimized: callers know no other.
///
/// # Errors
/// If it asks for something that [`super::legal`] does not promise.
pub(crate) fn lower(
    func: &Func,
    varying: &SecondaryMap<Value, bool>,
    plan: &Plan,
    positions: &[Option<u8>],
    isa: &Isa,
) -> Result<(ir::Function, Pool), BackendError> {
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
        positions,
        isa,
        held: SecondaryMap::new(Held::Nothing),
        splats: SecondaryMap::new(None),
        addresses: SecondaryMap::new(None),
        uses: count_uses(func),
        loop_depth: 0,
        column: None,
        pool: Pool::default(),
        pool_address: None,
        kept_constants: None,
        refused: None,
    };
    cx.driver();
    let refused = cx.refused.take();
    let mut pool = std::mem::take(&mut cx.pool);
    cx.b.seal_all_blocks();
    cx.b.finalize(isa.target.frontend_config());
    pool.seal();
    match refused {
        None => Ok((out, pool)),
        Some(what) => Err(BackendError::CompileFailed(format!(
            "{what} reached the CPU back end"
        ))),
    }
}

fn count_uses(func: &Func) -> SecondaryMap<Value, usize> {
    let mut uses = SecondaryMap::new(0);
    func.for_each_inst(|_, inst| {
        for arg in &func.insts[inst].args {
            uses[*arg] += 1;
        }
    });
    func.for_each_region(|region| {
        for value in func.regions[region].end.uses() {
            uses[value] += 1;
        }
    });
    uses
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

/// The vectors of an argument.
enum Lanes {
    /// In registers.
    Vectors(Vec<Clif>),
    /// At an address, each so many bytes after the one before. Each is loaded right before it is used, so that the load
    /// becomes part of that instruction.
    Memory {
        ty: ir::Type,
        address: Clif,
        offset: usize,
        stride: usize,
        count: usize,
    },
}

impl From<Vec<Clif>> for Lanes {
    fn from(vectors: Vec<Clif>) -> Lanes {
        Lanes::Vectors(vectors)
    }
}

impl Lanes {
    fn count(&self) -> usize {
        match self {
            Lanes::Vectors(vectors) => vectors.len(),
            Lanes::Memory { count, .. } => *count,
        }
    }
}

/// The state of lowering.
struct Cx<'a, 'b> {
    b: FunctionBuilder<'b>,
    func: &'a Func,
    varying: &'a SecondaryMap<Value, bool>,
    plan: &'a Plan,
    /// The positions that callers hand over, by slot.
    positions: &'a [Option<u8>],
    isa: &'a Isa,
    held: SecondaryMap<Value, Held>,
    /// Uniform values that are not constants, in every lane of a vector.
    splats: SecondaryMap<Value, Option<Clif>>,
    /// Where inputs lie whose vectors are in memory as they are.
    addresses: SecondaryMap<Value, Option<Clif>>,
    /// How often each value is used.
    uses: SecondaryMap<Value, usize>,
    loop_depth: usize,
    /// The column being emitted; none where all lanes are meant.
    column: Option<usize>,
    pool: Pool,
    /// Where the constants are.
    pool_address: Option<Clif>,
    /// The constants loaded since straight code began, if they are few enough to be kept for its other columns.
    kept_constants: Option<Vec<(usize, Clif)>>,
    /// The first thing that could not be lowered.
    refused: Option<String>,
}

impl Cx<'_, '_> {
    /// Notes that something cannot be lowered, which fails the whole function.
    fn refuse(&mut self, what: String) {
        self.refused.get_or_insert(what);
    }

    /// How many vectors of lanes of this width are meant: those of a column, or all.
    fn count(&self, width: usize) -> usize {
        let all = self.plan.vectors(width);
        match self.column {
            Some(_) => all / self.plan.columns(),
            None => all,
        }
    }

    /// The part of some vectors that belongs to the column, or all of them.
    fn window(&self, vectors: &[Clif]) -> Vec<Clif> {
        match (self.column, vectors.first()) {
            (Some(column), Some(first)) => {
                let count = self.count(self.lane_of(*first).width());
                vectors[column * count..][..count].to_vec()
            }
            _ => vectors.to_vec(),
        }
    }

    /// A uniform value.
    fn scalar(&mut self, value: Value) -> Clif {
        if let Held::Scalar(scalar) = self.held[value] {
            return scalar;
        }
        self.refuse(format!("a varying {value} where lanes must agree"));
        let zero = Const::zero(self.func.dtype(value));
        self.scalar_const(zero)
    }

    /// A value as vectors; a bool as a mask of its planned width.
    fn vectors(&mut self, value: Value) -> Vec<Clif> {
        let dtype = self.func.dtype(value);
        if dtype == DType::Bool {
            return self.mask(value, self.plan.mask(value));
        }
        if let Held::Vectors(vectors) = &self.held[value] {
            return self.window(vectors);
        }
        let vector = match (self.func.constant(value), self.splats[value]) {
            (Some(constant), _) => self.splat_const(constant),
            (None, Some(splat)) => splat,
            (None, None) => {
                self.refuse(format!("{value} before its definition"));
                self.splat_const(Const::zero(dtype))
            }
        };
        vec![vector; self.count(lane_width(dtype))]
    }

    /// A value as vectors that need not be in registers yet.
    ///
    /// In loops an input is loaded again at every use: to keep it would take registers that loops need for what they
    /// carry.
    fn lanes(&mut self, value: Value) -> Lanes {
        let dtype = self.func.dtype(value);
        let ty = Lane::of(dtype).vector();
        let count = self.count(lane_width(dtype));
        match (self.addresses[value], self.func.constant(value)) {
            (Some(address), _) if self.loop_depth > 0 => Lanes::Memory {
                ty,
                address,
                offset: self.column.unwrap_or(0) * count * 16,
                stride: 16,
                count,
            },
            (_, Some(constant)) if dtype != DType::Bool && self.kept_constants.is_none() => {
                Lanes::Memory {
                    ty,
                    address: self.pool_address(),
                    offset: self.pool_offset(constant),
                    stride: 0,
                    count,
                }
            }
            _ => self.vectors(value).into(),
        }
    }

    /// A complex value's parts.
    fn parts(&mut self, value: Value) -> (Vec<Clif>, Vec<Clif>) {
        if let Held::Parts(re, im) = &self.held[value] {
            return (self.window(re), self.window(im));
        }
        let constant = self.func.constant(value);
        let constant = constant.unwrap_or_else(|| {
            self.refuse(format!("a computed complex {value}"));
            Const::zero(self.func.dtype(value))
        });
        let count = self.count(lane_width(constant.dtype()));
        let re = self.splat_const(constant.re());
        let im = self.splat_const(constant.im());
        (vec![re; count], vec![im; count])
    }

    /// Sets what a value has become, or the column's part of it.
    fn set(&mut self, value: Value, held: Held) {
        let later = self.column.is_some_and(|column| column > 0);
        match (&mut self.held[value], held) {
            (Held::Vectors(all), Held::Vectors(part)) if later => all.extend(part),
            (Held::Parts(all_re, all_im), Held::Parts(re, im)) if later => {
                all_re.extend(re);
                all_im.extend(im);
            }
            (slot, held) => *slot = held,
        }
        if let Held::Scalar(scalar) = self.held[value]
            && self.func.constant(value).is_none()
        {
            self.splats[value] = Some(self.splat(scalar, value));
        }
    }

    /// A uniform value in every lane; dropped by Cranelift where it is not used.
    fn splat(&mut self, scalar: Clif, value: Value) -> Clif {
        match self.func.dtype(value) {
            DType::Bool => {
                let lane = Lane::int(self.plan.mask(value));
                let wide = self.b.ins().uextend(lane.scalar(), scalar);
                let ones = self.b.ins().ineg(wide);
                self.b.ins().splat(lane.vector(), ones)
            }
            dtype => self.b.ins().splat(Lane::of(dtype).vector(), scalar),
        }
    }

    /// Lowers an instruction that is not control flow; what is uniform only with the first column.
    fn straight(&mut self, inst: Inst) {
        let func = self.func;
        let data = &func.insts[inst];
        let first = self.column.is_none_or(|column| column == 0);
        match &data.kind {
            InstKind::Const(constant) if first => self.constant(data.results[0], *constant),
            // Parts are held as vectors of every column, also where they are the same in every lane.
            InstKind::Op(op) if first || self.varying[data.results[0]] || *op == Op::Complex => {
                self.op(*op, &data.args, data.results[0]);
            }
            InstKind::Math(MathFn::Scalb) if first || self.varying[data.results[0]] => {
                self.scalb(&data.args, data.results[0]);
            }
            InstKind::Math(MathFn::Scalb) => {}
            InstKind::Math(f) => self.refuse(format!("`{}`", f.info().id)),
            InstKind::Const(_)
            | InstKind::Index(_)
            | InstKind::Op(_)
            | InstKind::If { .. }
            | InstKind::Loop { .. } => {}
        }
    }

    /// Constants become vectors where they are used; complex ones have no scalar.
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
                self.each(masks, |cx, lanes| cx.mask_logic(op, lanes))
            }
            Op::Min | Op::Max | Op::Minimum | Op::Maximum if dtype.is_float() => {
                self.vector_extremum(op, args)
            }
            _ => {
                let mut vectors: Vec<Lanes> = args.iter().map(|v| self.lanes(*v)).collect();
                // Instructions take their second argument from memory.
                let in_memory = matches!(vectors[0], Lanes::Memory { .. });
                if op.info().commutative && in_memory || op == Op::MulAdd && self.outlives(args) {
                    vectors.swap(0, 1);
                }
                self.each(vectors, |cx, lanes| cx.arith(op, dtype, lanes))
            }
        }
    }

    /// Whether the first of two factors is used again, but not the second. A fused multiply-add overwrites its first.
    fn outlives(&self, args: &[Value]) -> bool {
        self.uses[args[0]] > 1 && self.uses[args[1]] == 1
    }

    /// Applies a lowering to each vector of the arguments in turn.
    fn each<L: Into<Lanes>>(
        &mut self,
        args: impl IntoIterator<Item = L>,
        mut lower: impl FnMut(&mut Self, &[Clif]) -> Clif,
    ) -> Vec<Clif> {
        let args: Vec<Lanes> = args.into_iter().map(Into::into).collect();
        let count = args.first().map_or(0, Lanes::count);
        (0..count)
            .map(|i| {
                let lanes: Vec<Clif> = args.iter().map(|arg| self.lane_vector(arg, i)).collect();
                lower(self, &lanes)
            })
            .collect()
    }

    /// Vector number `index` of an argument.
    fn lane_vector(&mut self, lanes: &Lanes, index: usize) -> Clif {
        match lanes {
            Lanes::Vectors(vectors) => vectors[index],
            Lanes::Memory {
                ty,
                address,
                offset,
                stride,
                ..
            } => {
                let offset = (offset + index * stride) as i32;
                self.b.ins().load(*ty, memory::flags(), *address, offset)
            }
        }
    }
}
