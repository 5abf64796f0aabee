//! Arithmetic that has one form for scalars and vectors, fused multiply-add, and minima.

use super::lanes::Lane;
use super::{Clif, Cx, Held};
use crate::clif::jit;
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::{AbiParam, InstBuilder, Signature};
use ufc_ir::DType;
use ufc_ir::func::Value;
use ufc_ir::ops::Op;

impl Cx<'_, '_> {
    /// An operation on scalars or vectors of one dtype, lane by lane.
    pub(super) fn arith(&mut self, op: Op, dtype: DType, args: &[Clif]) -> Clif {
        match op {
            Op::Add | Op::Sub | Op::Mul | Op::Div => {
                if dtype.is_float() {
                    self.float_arith(op, args[0], args[1])
                } else {
                    let wide = self.int_arith(op, args[0], args[1]);
                    self.canonical(wide, dtype)
                }
            }
            Op::Neg => self.negate(dtype, args[0]),
            Op::Abs => self.absolute(dtype, args[0]),
            Op::MulAdd => self.mul_add(args[0], args[1], args[2]),
            Op::Sqrt => self.b.ins().sqrt(args[0]),
            Op::Floor => self.b.ins().floor(args[0]),
            Op::Ceil => self.b.ins().ceil(args[0]),
            Op::Trunc => self.b.ins().trunc(args[0]),
            Op::RoundTiesEven => self.b.ins().nearest(args[0]),
            Op::Min | Op::Minimum | Op::Max | Op::Maximum => {
                self.int_extremum(op, dtype, args[0], args[1])
            }
            Op::And | Op::Or | Op::Xor => self.bit_logic(op, args[0], args[1]),
            Op::Not => self.complement(dtype, args[0]),
            Op::Rem
            | Op::Shl
            | Op::Shr
            | Op::Eq
            | Op::Ne
            | Op::Lt
            | Op::Le
            | Op::Gt
            | Op::Ge
            | Op::Select
            | Op::Convert
            | Op::Bitcast
            | Op::Complex
            | Op::Re
            | Op::Im
            | Op::Any => {
                self.refuse(format!("`{}` on {dtype}", op.info().name));
                args[0]
            }
        }
    }

    fn float_arith(&mut self, op: Op, a: Clif, b: Clif) -> Clif {
        match op {
            Op::Add => self.b.ins().fadd(a, b),
            Op::Sub => self.b.ins().fsub(a, b),
            Op::Mul => self.b.ins().fmul(a, b),
            _ => self.b.ins().fdiv(a, b),
        }
    }

    fn int_arith(&mut self, op: Op, a: Clif, b: Clif) -> Clif {
        match op {
            Op::Add => self.b.ins().iadd(a, b),
            Op::Sub => self.b.ins().isub(a, b),
            _ => self.b.ins().imul(a, b),
        }
    }

    fn negate(&mut self, dtype: DType, a: Clif) -> Clif {
        match dtype {
            DType::F32 | DType::F64 => self.b.ins().fneg(a),
            DType::F16 | DType::BF16 => {
                let sign = self.bits_like(a, 0x8000);
                self.b.ins().bxor(a, sign)
            }
            _ => {
                let wide = self.b.ins().ineg(a);
                self.canonical(wide, dtype)
            }
        }
    }

    fn absolute(&mut self, dtype: DType, a: Clif) -> Clif {
        match dtype {
            // One instruction with a constant in memory, where Cranelift would compute the constant.
            DType::F32 | DType::F64 if self.is_vector(a) => {
                let lane = self.lane_of(a);
                let magnitude = self.splat_bits(lane, u64::MAX >> (65 - dtype.bits()));
                self.b.ins().band(a, magnitude)
            }
            DType::F32 | DType::F64 => self.b.ins().fabs(a),
            DType::F16 | DType::BF16 => {
                let magnitude = self.bits_like(a, 0x7fff);
                self.b.ins().band(a, magnitude)
            }
            _ if dtype.is_signed() => {
                let wide = self.b.ins().iabs(a);
                self.canonical(wide, dtype)
            }
            _ => a,
        }
    }

    fn int_extremum(&mut self, op: Op, dtype: DType, a: Clif, b: Clif) -> Clif {
        let least = matches!(op, Op::Min | Op::Minimum);
        match (least, dtype.is_signed()) {
            (true, true) => self.b.ins().smin(a, b),
            (true, false) => self.b.ins().umin(a, b),
            (false, true) => self.b.ins().smax(a, b),
            (false, false) => self.b.ins().umax(a, b),
        }
    }

    fn bit_logic(&mut self, op: Op, a: Clif, b: Clif) -> Clif {
        match op {
            Op::And => self.b.ins().band(a, b),
            Op::Or => self.b.ins().bor(a, b),
            _ => self.b.ins().bxor(a, b),
        }
    }

    fn complement(&mut self, dtype: DType, a: Clif) -> Clif {
        match dtype {
            // A uniform bool is 0 or 1.
            DType::Bool => self.b.ins().bxor_imm_s(a, 1),
            _ => {
                let wide = self.b.ins().bnot(a);
                self.canonical(wide, dtype)
            }
        }
    }

    /// Logic on masks.
    pub(super) fn mask_logic(&mut self, op: Op, args: &[Clif]) -> Clif {
        match op {
            Op::Not => self.b.ins().bnot(args[0]),
            _ => self.bit_logic(op, args[0], args[1]),
        }
    }

    /// a * b + c rounded once.
    fn mul_add(&mut self, a: Clif, b: Clif, c: Clif) -> Clif {
        if self.isa.has_fma {
            return self.b.ins().fma(a, b, c);
        }
        if !self.is_vector(a) {
            return self.soft_fma(&[a, b, c]);
        }
        let lane = self.lane_of(a);
        self.scalarize(lane, &[vec![a], vec![b], vec![c]], |cx, args| {
            cx.soft_fma(args)
        })[0]
    }

    fn soft_fma(&mut self, args: &[Clif]) -> Clif {
        let lane = self.lane_of(args[0]);
        let address = match lane {
            Lane::F32 => jit::soft_fma_f32 as *const () as usize,
            _ => jit::soft_fma_f64 as *const () as usize,
        };
        let results = self.call(address, &[lane.scalar(); 3], Some(lane.scalar()), args);
        results[0]
    }

    /// Times a power of two, lane by lane: native only where code of our own is, for which this stands in.
    pub(super) fn scalb(&mut self, args: &[Value], result: Value) {
        let lane = Lane::of(self.func.dtype(result));
        let address = match lane {
            Lane::F32 => jit::soft_scalb_f32 as *const () as usize,
            _ => jit::soft_scalb_f64 as *const () as usize,
        };
        let ty = lane.scalar();
        let call = |cx: &mut Self, args: &[Clif]| cx.call(address, &[ty; 2], Some(ty), args)[0];
        let held = if self.varying[result] {
            let vectors: Vec<Vec<Clif>> = args.iter().map(|v| self.vectors(*v)).collect();
            Held::Vectors(self.scalarize(lane, &vectors, call))
        } else {
            let scalars: Vec<Clif> = args.iter().map(|v| self.scalar(*v)).collect();
            Held::Scalar(call(self, &scalars))
        };
        self.set(result, held);
    }

    /// Calls a function of this process by its address.
    pub(super) fn call(
        &mut self,
        address: usize,
        params: &[cranelift_codegen::ir::Type],
        result: Option<cranelift_codegen::ir::Type>,
        args: &[Clif],
    ) -> Vec<Clif> {
        let mut signature = Signature::new(self.isa.target.default_call_conv());
        let params = params.iter().map(|ty| AbiParam::new(*ty));
        signature.params.extend(params);
        signature.returns.extend(result.map(AbiParam::new));
        let signature = self.b.import_signature(signature);
        let pointer = self.isa.target.pointer_type();
        let callee = self.b.ins().iconst(pointer, address as i64);
        let inst = self.b.ins().call_indirect(signature, callee, args);
        self.b.inst_results(inst).to_vec()
    }

    /// Minimum or maximum of two uniform floats; see [`Cx::vector_extremum`] for the cases.
    pub(super) fn scalar_extremum(&mut self, op: Op, a: Clif, b: Clif) -> Clif {
        let lane = self.lane_of(a);
        let least = matches!(op, Op::Min | Op::Minimum);
        let (low, high) = if least { (b, a) } else { (a, b) };
        let takes_b = self.b.ins().fcmp(FloatCC::LessThan, low, high);
        let chosen = self.b.ins().select(takes_b, b, a);
        let merged = self.merge_zeros(least, a, b);
        let equal = self.b.ins().fcmp(FloatCC::Equal, a, b);
        let chosen = self.b.ins().select(equal, merged, chosen);
        debug_assert!(lane.is_float());
        let number = matches!(op, Op::Min | Op::Max);
        let (a_nan, b_nan) = if number { (b, a) } else { (a, b) };
        let is_nan = self.b.ins().fcmp(FloatCC::Unordered, b, b);
        let chosen = self.b.ins().select(is_nan, b_nan, chosen);
        let is_nan = self.b.ins().fcmp(FloatCC::Unordered, a, a);
        self.b.ins().select(is_nan, a_nan, chosen)
    }

    /// Of two equal numbers the one with the smaller or larger sign: they differ at most in the sign of zero.
    fn merge_zeros(&mut self, least: bool, a: Clif, b: Clif) -> Clif {
        let ty = self.b.func.dfg.value_type(a);
        let lane = Lane::int(self.lane_of(a).width());
        let ints = if ty.is_vector() {
            lane.vector()
        } else {
            lane.scalar()
        };
        let (a, b) = (self.cast(a, ints), self.cast(b, ints));
        let merged = if least {
            self.b.ins().bor(a, b)
        } else {
            self.b.ins().band(a, b)
        };
        self.cast(merged, ty)
    }

    /// Minimum or maximum of floats that vary.
    ///
    /// The machine's own minimum gives its second argument for equal or unordered ones. `min` and `max` must give
    /// the number where one side is NaN, `minimum` and `maximum` the NaN, and all of them order -0 below +0. Where
    /// one side is a constant that is neither zero nor NaN, the right order of arguments says it all.
    pub(super) fn vector_extremum(&mut self, op: Op, args: &[Value]) -> Vec<Clif> {
        let least = matches!(op, Op::Min | Op::Minimum);
        let number = matches!(op, Op::Min | Op::Max);
        let plain = |v: &Value| {
            let constant = self.func.constant(*v);
            constant.is_some_and(|c| {
                !c.is_nan() && c.bits() << 1 != 1 << c.dtype().bits() && c.bits() != 0
            })
        };
        let plain = args.iter().position(plain);
        let vectors: Vec<Vec<Clif>> = args.iter().map(|v| self.vectors(*v)).collect();
        self.each(vectors, |cx, args| match plain {
            Some(constant) => {
                let (other, constant) = (args[1 - constant], args[constant]);
                if number {
                    cx.machine_extremum(least, other, constant)
                } else {
                    cx.machine_extremum(least, constant, other)
                }
            }
            None => cx.full_extremum(least, number, args[0], args[1]),
        })
    }

    fn full_extremum(&mut self, least: bool, number: bool, a: Clif, b: Clif) -> Clif {
        // Unordered: `a` for `min`, which is right unless `a` is the NaN; `b` for `minimum`, likewise.
        let (first, second) = if number { (b, a) } else { (a, b) };
        let chosen = self.machine_extremum(least, first, second);
        let merged = self.merge_zeros(least, a, b);
        let equal = self.b.ins().fcmp(FloatCC::Equal, a, b);
        let chosen = self.blend(equal, merged, chosen);
        let is_nan = self.b.ins().fcmp(FloatCC::Unordered, a, a);
        self.blend(is_nan, first, chosen)
    }

    /// The first argument where it is less (greater), else the second; one instruction on x86, which knows this form.
    fn machine_extremum(&mut self, least: bool, a: Clif, b: Clif) -> Clif {
        let ty = self.b.func.dfg.value_type(a);
        let (low, high) = if least { (a, b) } else { (b, a) };
        let takes_a = self.b.ins().fcmp(FloatCC::LessThan, low, high);
        let mask = self.cast(takes_a, ty);
        self.b.ins().bitselect(mask, a, b)
    }
}
