//! A legal function to PTX: what one element computes. `entry` has the kernel around it, `access` its memory.
//!
//! A value is a virtual register, or a constant that stands in the instructions that use it. Bools are predicates;
//! integers of 8 and 16 bits are held in 32, extended as their dtype is; f16 and bf16 are held as their 16 bits.
//! Control flow is the function's own, as branches: threads may diverge, and the hardware brings them together again.

mod access;
mod arith;
mod asm;
mod bits;
mod compare;
mod control;
mod convert;
mod entry;

pub(crate) use entry::lower;

use crate::ptx::{Class, Op as P, Reg, Src, Type};
use asm::Asm;
use ufc_ir::func::{InstData, InstKind, SecondaryMap, Value};
use ufc_ir::ops::{AnyOp, MathFn, Op};
use ufc_ir::{Const, DType, Func};
use ufc_target::BackendError;

/// Where a value is; complex ones are in two places.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    One(Src),
    Pair(Src, Src),
}

/// The registers that hold a dtype, or its parts.
fn class(dtype: DType) -> Class {
    match dtype {
        DType::Bool => Class::Pred,
        DType::F16 | DType::BF16 => Class::B16,
        _ if dtype.part().size() == 8 => Class::B64,
        _ => Class::B32,
    }
}

/// The type by which instructions compute on a dtype.
fn arithmetic_type(dtype: DType) -> Type {
    match dtype {
        DType::Bool => Type::Pred,
        DType::F16 | DType::BF16 => Type::B16,
        DType::I8 | DType::I16 | DType::I32 => Type::S32,
        DType::U8 | DType::U16 | DType::U32 => Type::U32,
        DType::I64 => Type::S64,
        DType::U64 => Type::U64,
        DType::F32 | DType::C64 => Type::F32,
        DType::F64 | DType::C128 => Type::F64,
    }
}

/// The type of a dtype's bits in registers.
fn bits_type(dtype: DType) -> Type {
    class(dtype).bits()
}

/// A constant as it stands in registers: small integers extended.
fn constant_bits(value: Const) -> u64 {
    let dtype = value.dtype();
    match dtype.is_signed() {
        true => value.as_int() as u64 & (u64::MAX >> (64 - 8 * bits_type(dtype).size())),
        false => value.bits() as u64,
    }
}

/// Lowers the computation of one element.
struct Element<'a> {
    func: &'a Func,
    asm: &'a mut Asm,
    places: SecondaryMap<Value, Option<Place>>,
    /// The positions that the function asks for.
    positions: &'a [(Option<u8>, Src)],
}

impl<'a> Element<'a> {
    fn new(func: &'a Func, asm: &'a mut Asm, positions: &'a [(Option<u8>, Src)]) -> Element<'a> {
        Element {
            func,
            asm,
            places: SecondaryMap::new(None),
            positions,
        }
    }

    fn dtype(&self, value: Value) -> DType {
        self.func.dtype(value)
    }

    fn place(&self, value: Value) -> Result<Place, BackendError> {
        self.places[value].ok_or_else(|| internal(&format!("{value} is used before it is made")))
    }

    /// A value as an argument of an instruction.
    fn src(&self, value: Value) -> Result<Src, BackendError> {
        match self.place(value)? {
            Place::One(src) => Ok(src),
            Place::Pair(..) => Err(internal("a complex value where a real one is needed")),
        }
    }

    fn srcs(&self, values: &[Value]) -> Result<Vec<Src>, BackendError> {
        values.iter().map(|v| self.src(*v)).collect()
    }

    fn inst(&mut self, data: &InstData) -> Result<(), BackendError> {
        match &data.kind {
            InstKind::Const(value) => {
                if value.dtype().is_complex() {
                    return Err(internal("a constant of complex values"));
                }
                self.define(data, Src::Bits(constant_bits(*value)));
            }
            InstKind::Index(axis) => {
                let found = self.positions.iter().find(|(known, _)| known == axis);
                let (_, src) = found.ok_or_else(|| internal("a position without a slot"))?;
                self.define(data, *src);
            }
            InstKind::Op(Op::Complex) => {
                let args = self.srcs(&data.args)?;
                self.places
                    .set(data.results[0], Some(Place::Pair(args[0], args[1])));
            }
            InstKind::Op(op @ (Op::Re | Op::Im)) => {
                let Place::Pair(re, im) = self.place(data.args[0])? else {
                    return Err(internal("a part of a real value"));
                };
                self.define(data, if *op == Op::Re { re } else { im });
            }
            InstKind::Op(op) => {
                let args = self.srcs(&data.args)?;
                let key = self.dtype(data.args[op.info().rule.key()]);
                let to = self.dtype(data.results[0]);
                let result = self.op(*op, key, to, &args);
                self.define(data, result);
            }
            InstKind::Math(f) => {
                let args = self.srcs(&data.args)?;
                let result = self.math(*f, self.dtype(data.args[0]), &args)?;
                self.define(data, result);
            }
            InstKind::If {
                then_region,
                else_region,
            } => self.branch(data, *then_region, *else_region)?,
            InstKind::Loop { body } => self.repeat(data, *body)?,
        }
        Ok(())
    }

    fn define(&mut self, data: &InstData, src: Src) {
        self.places.set(data.results[0], Some(Place::One(src)));
    }

    /// One core operation. Every row of the table is here, so that a new one is missed by the compiler.
    fn op(&mut self, op: Op, dtype: DType, to: DType, args: &[Src]) -> Src {
        match op {
            Op::Add => self.wrapping(P::Add(arithmetic_type(dtype)), dtype, args),
            Op::Sub => self.wrapping(P::Sub(arithmetic_type(dtype)), dtype, args),
            Op::Mul => self.wrapping(P::Mul(arithmetic_type(dtype)), dtype, args),
            Op::Div if dtype.is_int() => self.int_divide(dtype, args[0], args[1]),
            Op::Div => self.plain(P::Div(arithmetic_type(dtype)), args),
            Op::Rem => self.int_remainder(dtype, args[0], args[1]),
            Op::Neg => self.negate(dtype, args[0]),
            Op::Abs => self.absolute(dtype, args[0]),
            Op::MulAdd => self.plain(P::Fma(arithmetic_type(dtype)), args),
            Op::Sqrt => self.plain(P::Sqrt(arithmetic_type(dtype)), args),
            // 9.7.3.11 and .12: of a number and NaN the number; "if values of both inputs are 0.0, then +0.0 > -0.0".
            Op::Min => self.plain(P::Min(arithmetic_type(dtype)), args),
            Op::Max => self.plain(P::Max(arithmetic_type(dtype)), args),
            Op::Minimum => self.nan_or(P::Min(arithmetic_type(dtype)), dtype, args),
            Op::Maximum => self.nan_or(P::Max(arithmetic_type(dtype)), dtype, args),
            Op::Floor | Op::Ceil | Op::Trunc | Op::RoundTiesEven => self.round(op, dtype, args[0]),
            Op::And => self.plain(P::And(bits_type(dtype)), args),
            Op::Or => self.plain(P::Or(bits_type(dtype)), args),
            Op::Xor => self.plain(P::Xor(bits_type(dtype)), args),
            Op::Not => self.wrapping(P::Not(bits_type(dtype)), dtype, args),
            Op::Shl | Op::Shr => self.shift(op, dtype, args[0], args[1]),
            Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => {
                self.compare(op, dtype, args[0], args[1])
            }
            Op::Select => self.select(dtype, args[0], args[1], args[2]),
            Op::Convert => self.convert(dtype, to, args[0]),
            Op::Bitcast => self.bitcast(dtype, to, args[0]),
            // With one lane it is the identity.
            Op::Any => args[0],
            Op::Complex | Op::Re | Op::Im => unreachable!("complex values are handled before"),
        }
    }

    fn math(&mut self, f: MathFn, dtype: DType, args: &[Src]) -> Result<Src, BackendError> {
        match f {
            MathFn::CountOnes
            | MathFn::LeadingZeros
            | MathFn::TrailingZeros
            | MathFn::RotateLeft
            | MathFn::RotateRight
            | MathFn::SwapBytes => Ok(self.bit_function(f, dtype, args)),
            _ => {
                let name = AnyOp::Math(f).name();
                Err(internal(&format!("`{name}` has not been expanded")))
            }
        }
    }

    fn plain(&mut self, op: P, args: &[Src]) -> Src {
        self.asm.op(op, args).into()
    }

    /// An operation whose result may leave the range of a small integer.
    fn wrapping(&mut self, op: P, dtype: DType, args: &[Src]) -> Src {
        let result = self.plain(op, args);
        self.wrap(dtype, result)
    }

    /// Extends the low bits of a small integer as its dtype is; other values as they are.
    fn wrap(&mut self, dtype: DType, value: Src) -> Src {
        let signed = |from| P::Cvt {
            to: Type::S32,
            from,
            round: crate::ptx::Round::None,
        };
        match dtype {
            DType::I8 => self.plain(signed(Type::S8), &[value]),
            DType::I16 => self.plain(signed(Type::S16), &[value]),
            DType::U8 => self.plain(P::And(Type::B32), &[value, Src::Bits(0xff)]),
            DType::U16 => self.plain(P::And(Type::B32), &[value, Src::Bits(0xffff)]),
            _ => value,
        }
    }
}

fn internal(what: &str) -> BackendError {
    BackendError::CompileFailed(what.to_string())
}

/// The register of an argument that may be a constant.
fn register(asm: &mut Asm, src: Src, class: Class) -> Reg {
    match src {
        Src::Reg(reg) => reg,
        Src::Bits(_) | Src::Special(_) => asm.op(P::Mov(class.bits()), &[src]),
    }
}
