//! What a target does natively, and functions known to ask for nothing else.

use ufc_ir::func::{Func, Inst, InstKind, ValueDef};
use ufc_ir::ops::{AnyOp, Op};
use ufc_ir::{DType, Kind};

/// What becomes of an operation on a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The back end lowers it.
    Native,
    /// It is replaced by its expansion from `src/math`.
    Expand,
    /// Its arguments are converted to this wider dtype, and its result back.
    Promote(DType),
    /// The target cannot have it.
    Unsupported,
}

/// What a target does natively.
pub trait Legality: Send + Sync {
    /// The target's name in messages.
    fn target(&self) -> &str;

    /// What becomes of an operation whose key argument is of this dtype.
    ///
    /// Asked about complex dtypes only where [`Legality::splits_complex`] is false. Conversions are asked through
    /// [`Legality::convert`].
    fn action(&self, op: AnyOp, dtype: DType) -> Action;

    /// Whether complex values are split into their parts, so that the back end never sees arithmetic on them.
    fn splits_complex(&self) -> bool {
        true
    }

    /// What becomes of a conversion; `Promote(via)` converts through that dtype.
    fn convert(&self, from: DType, to: DType) -> Action;
}

/// A function that asks a target for nothing it lacks.
///
/// Complex values appear only as parameters, read by `re` and `im`, and as results, made by `complex` in the body.
#[derive(Clone, Debug)]
pub struct Legal {
    func: Func,
}

/// An instruction that a target lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The instruction.
    pub inst: Inst,
    /// What it is, such as "`div` on u64".
    pub what: String,
}

impl Legal {
    /// Checks a function against a target.
    ///
    /// # Errors
    /// Every instruction that the target lacks.
    pub fn try_new(func: Func, legality: &dyn Legality) -> Result<Legal, Vec<Violation>> {
        let mut violations = Vec::new();
        func.for_each_inst(|region, inst| {
            let in_body = region == func.body;
            if let Some(what) = violation(&func, inst, in_body, legality) {
                violations.push(Violation { inst, what });
            }
        });
        if violations.is_empty() {
            Ok(Legal { func })
        } else {
            Err(violations)
        }
    }

    /// The function.
    pub fn func(&self) -> &Func {
        &self.func
    }

    /// The function, to be changed and checked again.
    pub fn into_func(self) -> Func {
        self.func
    }
}

fn violation(func: &Func, inst: Inst, in_body: bool, legality: &dyn Legality) -> Option<String> {
    let data = &func.insts[inst];
    let Some(op) = data.kind.op() else {
        let split = legality.splits_complex();
        let complex = |v: &ufc_ir::func::Value| split && func.dtype(*v).is_complex();
        let carried = data.args.iter().chain(&data.results).any(complex);
        return carried.then(|| format!("{} of complex values", kind_name(&data.kind)));
    };
    let dtype = func.key_dtype(inst)?;
    match op {
        AnyOp::Core(Op::Complex) if in_body => None,
        AnyOp::Core(Op::Re | Op::Im) if is_param(func, inst) => None,
        AnyOp::Core(Op::Convert) => {
            let to = func.dtype(data.results[0]);
            let native = legality.convert(dtype, to) == Action::Native;
            (!native).then(|| format!("conversion of {dtype} to {to}"))
        }
        _ if legality.splits_complex() && dtype.kind() == Kind::Complex => {
            Some(format!("`{}` on {dtype}", op.name()))
        }
        _ if legality.action(op, dtype) == Action::Native => None,
        _ => Some(format!("`{}` on {dtype}", op.name())),
    }
}

fn is_param(func: &Func, inst: Inst) -> bool {
    let arg = func.insts[inst].args[0];
    matches!(func.values[arg].def, ValueDef::Param(region, _) if region == func.body)
}

fn kind_name(kind: &InstKind) -> &'static str {
    match kind {
        InstKind::Const(_) => "constant",
        InstKind::Index(_) => "index",
        InstKind::If { .. } => "if",
        InstKind::Loop { .. } => "loop",
        InstKind::Op(_) | InstKind::Math(_) => "operation",
    }
}

/// What becomes of a core operation on a target that has all of them but computes f16 and bf16 in f32, and takes the float
/// remainder from its expansion.
pub fn with_halves_in_f32(op: Op, dtype: DType) -> Action {
    let half = matches!(dtype, DType::F16 | DType::BF16);
    match op {
        Op::Rem if dtype.is_float() => Action::Expand,
        op if half && op.info().numeric => Action::Promote(DType::F32),
        _ => Action::Native,
    }
}

/// A target that does every core operation on every dtype and no math function: the interpreter.
#[derive(Clone, Copy, Debug)]
pub struct CoreOnly;

impl Legality for CoreOnly {
    fn target(&self) -> &str {
        "interp"
    }

    fn action(&self, op: AnyOp, _dtype: DType) -> Action {
        match op {
            AnyOp::Core(_) => Action::Native,
            AnyOp::Math(_) => Action::Expand,
        }
    }

    fn splits_complex(&self) -> bool {
        false
    }

    fn convert(&self, _from: DType, _to: DType) -> Action {
        Action::Native
    }
}
