//! Legal functions to WGSL: the kernel as a function of one element, and the entry point around it.
//!
//! Every value of the IR becomes one `let` (or, for parameters of loops and results of regions, one `var`). Constants
//! stand where they are used, unless WGSL could compute with them when the shader is made: it refuses what overflows.

mod convert;
pub(crate) mod entry;
mod known;
mod op;
pub(crate) mod prelude;

use crate::device::Caps;
use crate::names;
use crate::wgsl::{Atom, Expr, Stmt};
use known::Known;
use ufc_ir::func::{Func, Inst, InstKind, Region, Terminator, Value, ValueDef};
use ufc_ir::{Const, DType};
use ufc_target::{BackendError, Legal};

/// Most instructions that a shader may have: beyond, drivers take minutes.
const SIZE_LIMIT: usize = 50_000;

/// How deep regions may nest: naga's front end, and drivers' after it, recurse.
const DEPTH_LIMIT: usize = 60;

/// The kernel for one element, before it is known how its operands lie in memory.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    /// The kernel's name.
    pub(crate) name: String,
    /// Dtypes and names of the parameters.
    pub(crate) params: Vec<(DType, String)>,
    /// Dtypes of the results.
    pub(crate) results: Vec<DType>,
    /// Positions that the kernel asks for.
    pub(crate) positions: Vec<Option<u8>>,
    /// The body of the function.
    pub(crate) body: Vec<Stmt>,
    /// Whether it has a loop, which may not end.
    pub(crate) has_loop: bool,
}

/// Lowers a function.
///
/// # Errors
/// If it is too large or nested too deep for a shader.
pub(crate) fn lower(legal: &Legal, caps: &Caps) -> Result<Element, BackendError> {
    let func = legal.func();
    let size = func.size();
    if size > SIZE_LIMIT {
        return Err(BackendError::Unsupported(format!(
            "kernels of more than {SIZE_LIMIT} operations; `{}` has {size}",
            func.name
        )));
    }
    let depth = depth(func, func.body);
    if depth > DEPTH_LIMIT {
        return Err(BackendError::Unsupported(format!(
            "loops and branches nested deeper than {DEPTH_LIMIT}; those of `{}` are {depth} deep",
            func.name
        )));
    }
    let mut lowerer = Lowerer {
        func,
        caps,
        known: Known::new(func),
        block: Vec::new(),
        temps: 0,
        has_loop: false,
    };
    lowerer.region(func.body);
    let Terminator::Yield(results) = &func.regions[func.body].end else {
        return Err(BackendError::CompileFailed(
            "a body that ends as a loop does".into(),
        ));
    };
    let results = results.iter().map(|v| lowerer.atom(*v)).collect();
    let values = Expr::Call("Results".into(), results);
    lowerer.block.push(Stmt::Return(values));
    let params = func.params().iter().enumerate();
    Ok(Element {
        name: func.name.clone(),
        params: params
            .map(|(i, v)| (func.dtype(*v), names::param(func, i)))
            .collect(),
        results: func.results.clone(),
        positions: ufc_target::launch::positions(func),
        body: lowerer.block,
        has_loop: lowerer.has_loop,
    })
}

fn depth(func: &Func, region: Region) -> usize {
    let inner = func.regions[region].insts.iter();
    let regions = inner.flat_map(|inst| func.insts[*inst].kind.regions());
    regions.map(|r| 1 + depth(func, r)).max().unwrap_or(0)
}

/// The type that values of a dtype have in a shader.
pub(crate) fn type_of(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "bool",
        DType::I8 | DType::I16 | DType::I32 => "i32",
        DType::U8 | DType::U16 | DType::U32 | DType::F16 | DType::BF16 => "u32",
        DType::I64 | DType::U64 => "wide",
        DType::F32 => "f32",
        DType::F64 => "f64",
        DType::C64 => "vec2<f32>",
        DType::C128 => "vec2<f64>",
    }
}

/// The name of a position's parameter.
pub(crate) fn position_name(axis: Option<u8>) -> String {
    match axis {
        None => "index_flat".into(),
        Some(axis) => format!("index_{axis}"),
    }
}

struct Lowerer<'a> {
    func: &'a Func,
    caps: &'a Caps,
    known: Known,
    block: Vec<Stmt>,
    temps: usize,
    has_loop: bool,
}

impl Lowerer<'_> {
    fn region(&mut self, region: Region) {
        for &inst in &self.func.regions[region].insts {
            self.inst(inst);
        }
    }

    fn inst(&mut self, inst: Inst) {
        let data = &self.func.insts[inst];
        match data.kind {
            InstKind::Const(value) => {
                if literal(value).is_none() {
                    let expr = made(value);
                    self.define(data.results[0], expr);
                }
            }
            InstKind::Index(axis) => {
                let name = Atom(position_name(axis));
                self.define(data.results[0], Expr::Atom(name));
            }
            InstKind::Op(op) => self.op(op, &data.args, data.results[0]),
            // Legal functions have none: all of them are expanded.
            InstKind::Math(f) => unreachable!("`{}` was not expanded", f.info().name),
            InstKind::If {
                then_region,
                else_region,
            } => self.branch(data.args[0], then_region, else_region, &data.results),
            InstKind::Loop { body } => self.repeat(&data.args, body, &data.results),
        }
    }

    /// Statements of a region, made aside.
    fn aside(&mut self, make: impl FnOnce(&mut Self)) -> Vec<Stmt> {
        let outer = std::mem::take(&mut self.block);
        make(self);
        std::mem::replace(&mut self.block, outer)
    }

    fn declare(&mut self, results: &[Value]) {
        for &result in results {
            let ty = type_of(self.func.dtype(result));
            let var = Stmt::Var(names::value(result), ty, None);
            self.block.push(var);
        }
    }

    fn set(&mut self, place: Value, value: Atom) {
        let set = Stmt::Set(names::value(place), Expr::Atom(value));
        self.block.push(set);
    }

    fn branch(&mut self, cond: Value, then: Region, otherwise: Region, results: &[Value]) {
        self.declare(results);
        let cond = self.atom(cond);
        let arms = [then, otherwise].map(|region| {
            self.aside(|this| {
                this.region(region);
                if let Terminator::Yield(values) = &this.func.regions[region].end {
                    for (&result, &value) in results.iter().zip(values) {
                        let value = this.atom(value);
                        this.set(result, value);
                    }
                }
            })
        });
        let [then, otherwise] = arms;
        self.block.push(Stmt::If(cond, then, otherwise));
    }

    /// A loop ends by its own condition or when the turns that a launch has are used up. Whether its own condition ended it
    /// is a value that comes out of the loop: so a driver that ends loops by itself is found out too.
    fn repeat(&mut self, args: &[Value], body: Region, results: &[Value]) {
        self.has_loop = true;
        let func = self.func;
        for (&param, &arg) in func.regions[body].params.iter().zip(args) {
            let init = self.for_turn(arg);
            let ty = type_of(func.dtype(param));
            self.block
                .push(Stmt::Var(names::value(param), ty, Some(init)));
        }
        self.declare(results);
        let ended = self.fresh();
        let no = Atom("false".into());
        self.block.push(Stmt::Var(ended.clone(), "bool", Some(no)));
        let stmts = self.aside(|this| {
            this.region(body);
            if let Terminator::ContinueIf {
                cond,
                next,
                results: values,
            } = &func.regions[body].end
            {
                this.turn(body, *cond, next, (results, values), &ended);
            }
        });
        self.block.push(Stmt::Loop(stmts));
        let stopped = self.temp(Expr::Unary("!", Atom(ended)));
        let fail = Stmt::Set("failed".into(), Expr::Atom(Atom("1u".into())));
        self.block.push(Stmt::If(stopped, vec![fail], Vec::new()));
    }

    /// A value that a turn of a loop is given: what a compiler may know of it is not known in the turn, unrolled or not.
    fn for_turn(&mut self, value: Value) -> Atom {
        let (atom, dtype) = (self.atom(value), self.func.dtype(value));
        if known::is_hidden(dtype) && self.known.is_computable(value) {
            self.hidden(dtype, atom)
        } else {
            atom
        }
    }

    /// The end of a turn.
    fn turn(
        &mut self,
        body: Region,
        cond: Value,
        next: &[Value],
        (results, values): (&[Value], &[Value]),
        ended: &str,
    ) {
        let cond = self.atom(cond);
        let turns = || Atom("turns_left".into());
        let done = self.temp(Expr::Unary("!", cond));
        let last = self.aside(|this| {
            for (&result, &value) in results.iter().zip(values) {
                let value = this.atom(value);
                this.set(result, value);
            }
            let yes = Expr::Atom(Atom("true".into()));
            this.block.push(Stmt::Set(ended.to_string(), yes));
            this.block.push(Stmt::Break);
        });
        // Two ways out, not one with both conditions: with one, Mesa's llvmpipe (22.3) takes what leaves the loop from the last
        // turn of any lane, not from the last one of its own, as its compiler sees no choice between values there.
        self.block.push(Stmt::If(done, last, Vec::new()));
        let none_left = self.temp(Expr::Binary("==", turns(), Atom("0u".into())));
        self.block
            .push(Stmt::If(none_left, vec![Stmt::Break], Vec::new()));
        let fewer = Expr::Binary("-", turns(), Atom("1u".into()));
        self.block.push(Stmt::Set("turns_left".into(), fewer));
        // All parameters change at once: those that others become are put aside first.
        let func = self.func;
        let params = &func.regions[body].params;
        let mut atoms = Vec::new();
        for (param, &value) in params.iter().zip(next) {
            let moved = matches!(func.values[value].def, ValueDef::Param(r, _) if r == body);
            let atom = self.for_turn(value);
            atoms.push(if moved && *param != value {
                self.temp(Expr::Atom(atom))
            } else {
                atom
            });
        }
        for ((&param, &value), atom) in params.iter().zip(next).zip(atoms) {
            if param != value {
                self.set(param, atom);
            }
        }
    }

    fn fresh(&mut self) -> String {
        self.temps += 1;
        format!("t{}", self.temps)
    }

    /// An expression under a name of its own.
    fn temp(&mut self, expr: Expr) -> Atom {
        let name = self.fresh();
        self.block.push(Stmt::Let(name.clone(), expr));
        Atom(name)
    }

    fn define(&mut self, value: Value, expr: Expr) {
        self.block.push(Stmt::Let(names::value(value), expr));
    }

    /// A value where it is used: a literal if it can be one, else its name.
    fn atom(&self, value: Value) -> Atom {
        if let Some(literal) = self.func.constant(value).and_then(literal) {
            return literal;
        }
        match self.func.values[value].def {
            ValueDef::Param(region, index) if region == self.func.body => {
                Atom(names::param(self.func, index))
            }
            _ => Atom(names::value(value)),
        }
    }

    /// The arguments of an operation. Were all of them literals, the shader's front end would compute it.
    fn atoms(&mut self, args: &[Value]) -> Vec<Atom> {
        let mut atoms: Vec<Atom> = args.iter().map(|v| self.atom(*v)).collect();
        let is_literal = |v: &Value| self.func.constant(*v).and_then(literal).is_some();
        if args.iter().all(is_literal)
            && let Some(first) = atoms.first_mut()
        {
            let value = Expr::Atom(first.clone());
            *first = self.temp(value);
        }
        atoms
    }
}

/// A constant as a literal that every front end takes, if it can be one.
fn literal(value: Const) -> Option<Atom> {
    let text = match value.dtype() {
        DType::Bool => value.as_bool().to_string(),
        DType::I8 | DType::I16 | DType::I32 => match value.as_int() {
            // The literal is read before its sign, and is out of range.
            -0x8000_0000 => "i32(-2147483648)".to_string(),
            x if x < 0 => format!("({x}i)"),
            x => format!("{x}i"),
        },
        DType::U8 | DType::U16 | DType::U32 => format!("{}u", value.as_int()),
        DType::F16 | DType::BF16 => format!("{:#x}u", value.bits()),
        DType::F32 => {
            let x = value.as_f32();
            // NaN and infinities have no literals; what is near the ends of the range, front ends take as beyond it.
            let plain = x == 0.0 || (1e-37..1e38).contains(&x.abs());
            if !plain || value.bits() == 0x8000_0000 {
                return None;
            }
            parenthesized(format!("{x:?}f"))
        }
        DType::F64 => {
            let x = value.as_f64();
            let plain = x == 0.0 || (1e-307..1e308).contains(&x.abs());
            if !plain || value.bits() == 1 << 63 {
                return None;
            }
            parenthesized(format!("{x:?}lf"))
        }
        DType::I64 | DType::U64 | DType::C64 | DType::C128 => return None,
    };
    Some(Atom(text))
}

fn parenthesized(text: String) -> String {
    if text.starts_with('-') {
        format!("({text})")
    } else {
        text
    }
}

/// A constant that has no literal, made from its bits by a function, so that no front end computes it.
fn made(value: Const) -> Expr {
    let bits = value.bits();
    let word = |i: u32| Atom(format!("{:#x}u", (bits >> (32 * i)) as u32));
    let (name, args) = match value.dtype() {
        DType::F32 => ("f32_bits", vec![word(0)]),
        DType::F64 => ("f64_of", vec![word(0), word(1)]),
        DType::C64 => ("c64_of", vec![word(0), word(1)]),
        DType::C128 => ("c128_of", (0..4).map(word).collect()),
        _ => ("wide_of", vec![word(0), word(1)]),
    };
    Expr::Call(name.into(), args)
}
