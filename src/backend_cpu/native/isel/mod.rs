//! Instruction selection: a function in SPMD form becomes machine code over virtual registers.
//!
//! A varying value is some vectors per column: the lanes of a turn are cut into columns, the fewest lanes that fill a
//! vector of every width in use, and straight code is emitted for one column after the other. A uniform value is one
//! vector with the same lane everywhere, a uniform bool one mask. In a function that has none but 8 and 16 bits, lanes are
//! as wide as values, if there are instructions for all it does; else such integers live sign- or zero-extended in
//! 32-bit lanes, f16 and bf16 as zero-extended bits. Masks are mask registers, or vectors of lanes all ones or zeros,
//! for lanes as wide as the plan says. Constants stay in memory, where instructions take them
//! from; [`super::hoist`] and [`super::schedule`] change that and the order of the columns.

mod arith;
mod compare;
mod control;
mod convert;
mod divide;
mod driver;
mod fold;
mod general;
mod lanes;
mod long;
mod masks;
mod memory;
mod partial;
mod reciprocal;
mod scalar;
mod scale;
mod small;
mod whole;

use super::codes::Lane;
use super::level::Level;
use super::mach::{Arg, Block, Class, Mach, MachInst, Mem, Reg};
use super::plan::{Layout, Plan};
use iced_x86::Code;
use smallvec::{SmallVec, smallvec};
use ufc_ir::func::{Func, Inst, InstKind, Region, SecondaryMap, Value};
use ufc_ir::ops::{MathFn, Op};
use ufc_ir::passes::range;
use ufc_ir::{Const, DType};
use ufc_target::BackendError;

/// A list as short as the vectors of a column.
type Few<T> = SmallVec<[T; 2]>;

/// The loops that a part of a function may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turns {
    /// Over turns of as many elements as there are.
    Partial,
    /// Over whole turns; what it writes goes past the caches if `streaming`.
    Whole { streaming: bool },
}

/// Selects instructions for a part of a function with the type [`ufc_target::InnerLoop`], which adds to `constants`.
///
/// # Errors
/// What the level has no code for.
pub(super) fn select(
    func: &Func,
    varying: &SecondaryMap<Value, bool>,
    plan: &Plan,
    positions: &[Option<u8>],
    level: Level,
    turns: Turns,
    constants: Vec<u8>,
) -> Result<Mach, BackendError> {
    let mut mach = Mach {
        constants,
        ..Mach::default()
    };
    let entry = mach.block();
    let mut cx = Cx {
        mach,
        block: entry,
        func,
        varying,
        plan,
        level,
        held: SecondaryMap::new(Held::Nothing),
        uses: uses(func),
        home: homes(func),
        flow: fold::Flow::new(func),
        ranges: match plan.layout {
            Layout::Wide => SecondaryMap::new((0, 0)),
            Layout::Natural | Layout::Unpacked => range::analyze(func),
        },
        stays_in_memory: read_at_use(func),
        hoisted: SecondaryMap::new(false),
        scalars: scalar::Scalars::new(func, varying, &homes(func)),
        in_general: SecondaryMap::new(None),
        column: 0,
        is_uniform: false,
        streaming: turns == Turns::Whole { streaming: true },
        limits: Vec::new(),
        rare: Vec::new(),
        arms: 0,
        loops: 0,
        refused: None,
    };
    cx.switch_to(entry);
    match turns {
        Turns::Partial => cx.partial(positions),
        Turns::Whole { .. } => cx.whole(positions),
    }
    match cx.refused {
        None => Ok(cx.mach),
        Some(what) => Err(BackendError::Unsupported(format!("{what} at {level}"))),
    }
}

/// How often each value is used.
fn uses(func: &Func) -> SecondaryMap<Value, u32> {
    let mut uses = SecondaryMap::new(0);
    func.for_each_inst(|_, inst| {
        for value in &func.insts[inst].args {
            uses[*value] += 1;
        }
    });
    func.for_each_region(|region| {
        for value in func.regions[region].end.uses() {
            uses[value] += 1;
        }
    });
    uses
}

/// The region that computes each value.
fn homes(func: &Func) -> SecondaryMap<Value, Option<Region>> {
    let mut homes = SecondaryMap::new(None);
    func.for_each_inst(|region, inst| {
        for value in &func.insts[inst].results {
            homes[*value] = Some(region);
        }
    });
    homes
}

/// The inputs that are read from memory where they are used: those that loops use, as to keep them in registers would
/// take those that loops need for what they carry, and those that are used once. What is a result itself is not among
/// them, as another output may be written to its place first.
fn read_at_use(func: &Func) -> SecondaryMap<Value, bool> {
    let mut used = SecondaryMap::new(false);
    func.for_each_inst(|region, inst| {
        if region != func.body {
            for value in &func.insts[inst].args {
                used[*value] = true;
            }
        }
    });
    let uses = uses(func);
    for value in func.params() {
        used[*value] |= uses[*value] == 1;
    }
    for value in func.regions[func.body].end.uses() {
        used[value] = false;
    }
    used
}

/// A vector that an instruction reads.
#[derive(Clone, Copy, Debug)]
enum Src {
    Reg(Reg),
    /// A constant with these bits in every 4 or 8 bytes, at this place among the constants.
    Splat {
        at: i32,
        bits: u64,
        width: usize,
    },
    /// At an address.
    Mem(Mem),
}

/// The vectors of a column.
type Lanes = Few<Src>;

/// What a value of the IR has become.
#[derive(Clone, Debug)]
enum Held {
    /// Nothing yet.
    Nothing,
    Const(Const),
    /// The same in every lane.
    Uniform(Reg),
    /// Per column, its vectors.
    Columns(Vec<Lanes>),
    /// A bool: per column its masks, and how wide the lanes are for which they are.
    Masks(Vec<Few<Reg>>, usize),
    /// A bool that is the same in every lane.
    UniformMask(Reg, usize),
    /// Whether a lane of these masks is true.
    Any(Vec<Reg>, usize),
    /// A complex value: per column, its parts.
    Parts(Vec<(Lanes, Lanes)>),
}

/// The state of selection.
struct Cx<'a> {
    mach: Mach,
    /// Where instructions are added.
    block: Block,
    func: &'a Func,
    varying: &'a SecondaryMap<Value, bool>,
    plan: &'a Plan,
    level: Level,
    held: SecondaryMap<Value, Held>,
    uses: SecondaryMap<Value, u32>,
    /// The region that computes a value.
    home: SecondaryMap<Value, Option<Region>>,
    flow: fold::Flow,
    /// What integers can be, where lanes are as narrow as values.
    ranges: SecondaryMap<Value, range::Range>,
    /// Inputs that are read from memory at every use.
    stays_in_memory: SecondaryMap<Value, bool>,
    /// Values that are computed before the loop over turns.
    hoisted: SecondaryMap<Value, bool>,
    scalars: scalar::Scalars,
    /// Where integers are that are the same in every lane and needed in general registers.
    in_general: SecondaryMap<Value, Option<Reg>>,
    /// The column that code is made for.
    column: usize,
    /// Whether the value being computed is the same in every lane, so that one vector is enough.
    is_uniform: bool,
    /// Whether outputs are written past the caches.
    streaming: bool,
    /// Addresses of operands from which on there may be fewer elements than lanes, and how many there are.
    limits: Vec<(Reg, Reg)>,
    /// The blocks that are laid out last.
    rare: Vec<Block>,
    /// How many conditions must be met for what is selected to run.
    arms: u32,
    /// In how many loops what is selected is, that over turns included.
    loops: u32,
    /// The first thing that could not be done.
    refused: Option<String>,
}

/// A machine instruction for every lane.
fn op_inst(code: Code, args: &[Arg]) -> MachInst {
    MachInst::Op {
        code,
        args: SmallVec::from_slice(args),
        mask: None,
        zeroing: false,
    }
}

impl Cx<'_> {
    /// Notes that something cannot be done, which fails the whole function.
    fn refuse(&mut self, what: String) {
        self.refused.get_or_insert(what);
    }

    fn switch_to(&mut self, block: Block) {
        self.mach.blocks[block.0].arms = self.arms;
        self.mach.blocks[block.0].loops = self.loops;
        self.block = block;
        self.mach.order.push(block);
    }

    fn push(&mut self, inst: MachInst) {
        self.mach.blocks[self.block.0].insts.push(inst);
    }

    fn emit(&mut self, code: Code, args: &[Arg]) {
        self.push(op_inst(code, args));
    }

    /// An instruction whose result is zero in lanes that the mask leaves out.
    fn emit_zeroing(&mut self, code: Code, args: &[Arg], mask: Reg) {
        self.push(MachInst::Op {
            code,
            args: SmallVec::from_slice(args),
            mask: Some(mask),
            zeroing: true,
        });
    }

    /// An instruction under a mask.
    fn emit_masked(&mut self, code: Code, args: &[Arg], mask: Reg) {
        self.push(MachInst::Op {
            code,
            args: SmallVec::from_slice(args),
            mask: Some(mask),
            zeroing: false,
        });
    }

    /// The lanes that values of a dtype are held in.
    fn lane(&self, dtype: DType) -> Lane {
        self.plan.lane(dtype)
    }

    /// Their width in bytes.
    fn width(&self, dtype: DType) -> usize {
        self.plan.lane(dtype).width()
    }

    fn vector(&mut self) -> Reg {
        self.mach.reg(Class::Vector)
    }

    /// How many vectors or masks a value of so wide lanes has in a column.
    fn count(&self, width: usize) -> usize {
        if self.is_uniform {
            1
        } else {
            self.plan.count(width)
        }
    }

    /// The vectors of a value that is neither bool nor complex, in the current column.
    fn lanes(&mut self, value: Value) -> Lanes {
        let count = self.count(self.width(self.func.dtype(value)));
        match &self.held[value] {
            Held::Const(constant) => {
                let constant = *constant;
                smallvec![self.splat(constant); count]
            }
            Held::Uniform(reg) => smallvec![Src::Reg(*reg); count],
            Held::Columns(columns) => columns[self.column].clone(),
            _ => {
                self.refuse(format!("{value} as vectors"));
                smallvec![self.zero(); count]
            }
        }
    }

    /// A complex value's parts in the current column.
    fn parts(&mut self, value: Value) -> (Lanes, Lanes) {
        match &self.held[value] {
            Held::Parts(columns) => {
                // A pair that is the same in every lane stands there once.
                let (re, im) = columns.get(self.column).unwrap_or(&columns[0]);
                let count = self.count(self.width(self.func.dtype(value)));
                let all = |lanes: &Lanes| lanes.iter().cycle().take(count).copied().collect();
                (all(re), all(im))
            }
            Held::Const(constant) => {
                let constant = *constant;
                let count = self.count(constant.dtype().part().size());
                let (re, im) = (self.splat(constant.re()), self.splat(constant.im()));
                (smallvec![re; count], smallvec![im; count])
            }
            _ => {
                self.refuse(format!("a computed complex {value}"));
                let count = self.count(self.width(self.func.dtype(value)));
                let zeros: Lanes = smallvec![self.zero(); count];
                (zeros.clone(), zeros)
            }
        }
    }

    /// Notes the vectors of a value in the current column.
    fn set_lanes(&mut self, value: Value, lanes: Lanes) {
        if self.is_uniform {
            let reg = self.reg(lanes[0], self.lane(self.func.dtype(value)));
            self.held[value] = Held::Uniform(reg);
        } else if let Held::Columns(columns) = &mut self.held[value]
            && self.column > 0
        {
            columns.push(lanes);
        } else {
            self.held[value] = Held::Columns(vec![lanes]);
        }
    }

    /// Notes the masks of a value in the current column, for lanes of this width.
    fn set_masks(&mut self, value: Value, masks: Few<Reg>, width: usize) {
        if self.is_uniform {
            self.held[value] = Held::UniformMask(masks[0], width);
        } else if let Held::Masks(columns, _) = &mut self.held[value]
            && self.column > 0
        {
            columns.push(masks);
        } else {
            self.held[value] = Held::Masks(vec![masks], width);
        }
    }

    fn set_parts(&mut self, value: Value, parts: (Lanes, Lanes)) {
        if let Held::Parts(columns) = &mut self.held[value]
            && self.column > 0
        {
            columns.push(parts);
        } else {
            self.held[value] = Held::Parts(vec![parts]);
        }
    }

    /// Selects for an instruction without regions, in the current column.
    fn straight(&mut self, inst: Inst) {
        let func = self.func;
        let data = &func.insts[inst];
        let result = data.results[0];
        // After a refusal values may have the wrong number of vectors, or none.
        if self.hoisted[result] || self.refused.is_some() {
            return;
        }
        match &data.kind {
            InstKind::Const(constant) => self.held[result] = Held::Const(*constant),
            InstKind::Index(_) => {}
            InstKind::Op(op) => {
                self.is_uniform = !self.varying[result];
                if self.is_uniform && self.column == 0 {
                    self.general_op(*op, &data.args, result);
                }
                let wanted = !self.is_uniform || self.column == 0 && !self.is_scalar_only(result);
                if wanted {
                    self.op(*op, &data.args, result);
                }
                self.is_uniform = false;
            }
            InstKind::Math(MathFn::Scalb) => {
                self.is_uniform = !self.varying[result];
                if !self.is_uniform || self.column == 0 {
                    self.scalb(&data.args, result);
                }
                self.is_uniform = false;
            }
            InstKind::Math(f) => self.refuse(format!("`{}`", f.info().id)),
            InstKind::If { .. } | InstKind::Loop { .. } => {}
        }
    }

    /// Selects for what is the same in every lane and needs no branch, before the loop over turns.
    fn hoist_uniform(&mut self) {
        let func = self.func;
        for inst in &func.regions[func.body].insts {
            let data = &func.insts[*inst];
            let ready = |value: &Value| {
                func.constant(*value).is_some() || !matches!(self.held[*value], Held::Nothing)
            };
            let hoists = match data.kind {
                InstKind::Op(op) => {
                    op != Op::Any && !self.varying[data.results[0]] && data.args.iter().all(ready)
                }
                _ => false,
            };
            if hoists || matches!(data.kind, InstKind::Const(_)) {
                self.straight(*inst);
                self.hoisted[data.results[0]] = true;
            }
        }
    }

    fn op(&mut self, op: Op, args: &[Value], result: Value) {
        let from = self.func.dtype(args[0]);
        match op {
            Op::Complex => {
                let lane = self.lane(from);
                let [re, im] = [0, 1].map(|i| self.lanes(args[i]));
                let parts = (self.settled(re, lane), self.settled(im, lane));
                self.set_parts(result, parts);
            }
            Op::Re => {
                let re = self.parts(args[0]).0;
                self.set_lanes(result, re);
            }
            Op::Im => {
                let im = self.parts(args[0]).1;
                self.set_lanes(result, im);
            }
            Op::Any => self.any(args[0], result),
            Op::MulAdd => self.fused(args, result),
            Op::Convert => self.convert(args[0], result),
            Op::Bitcast => self.bitcast(args[0], result),
            Op::Select => self.choose(args, result),
            Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => self.compare(op, args, result),
            Op::And | Op::Or | Op::Xor | Op::Not if from == DType::Bool => {
                self.mask_logic(op, args, result);
            }
            Op::Add
            | Op::Sub
            | Op::Mul
            | Op::Div
            | Op::Rem
            | Op::Neg
            | Op::Abs
            | Op::Sqrt
            | Op::Min
            | Op::Max
            | Op::Minimum
            | Op::Maximum
            | Op::Floor
            | Op::Ceil
            | Op::Trunc
            | Op::RoundTiesEven
            | Op::And
            | Op::Or
            | Op::Xor
            | Op::Not
            | Op::Shl
            | Op::Shr => {
                let folded = self.high_product(op, args);
                let folded = folded.or_else(|| self.rotate(result));
                if let Some(lanes) = folded.or_else(|| self.logic(result)) {
                    return self.set_lanes(result, lanes);
                }
                let lanes: SmallVec<[Lanes; 3]> = args.iter().map(|v| self.lanes(*v)).collect();
                let vectors = (0..lanes[0].len())
                    .map(|i| {
                        let srcs: Few<Src> = lanes.iter().map(|l| l[i]).collect();
                        Src::Reg(self.arith(op, from, &srcs, args))
                    })
                    .collect();
                self.set_lanes(result, vectors);
            }
        }
    }
}
