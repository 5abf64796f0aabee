//! Integers that are the same in every lane, in general registers: what loops count with and branches compare.
//!
//! A comparison that only branches ask for needs no masks if what it compares can be computed in general registers: from
//! constants, from what loops carry, and from vectors outside of loops. What nothing else needs has no vectors then.

use super::{Cx, Held};
use crate::native::level::Level;
use crate::native::mach::{Arg, Block, Cond, MachInst, Reg};
use iced_x86::Code;
use ufc_ir::DType;
use ufc_ir::func::{Func, InstKind, Region, SecondaryMap, Terminator, Value, ValueDef};
use ufc_ir::ops::Op;

/// The decisions about a function's values.
pub(super) struct Scalars {
    /// Integers that are in general registers.
    pub(super) general: SecondaryMap<Value, bool>,
    /// Those of them that are nowhere else.
    only: SecondaryMap<Value, bool>,
    /// Bools of which branches are made and nothing else, one for every comparison in them.
    branches: SecondaryMap<Value, bool>,
}

fn is_comparison(op: Op) -> bool {
    matches!(op, Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge)
}

/// The instruction on general registers of 32 and 64 bits.
fn general_code(op: Op, dtype: DType) -> Option<Code> {
    let pair = match op {
        Op::Add => [Code::Add_r32_rm32, Code::Add_r64_rm64],
        Op::Sub => [Code::Sub_r32_rm32, Code::Sub_r64_rm64],
        Op::Mul => [Code::Imul_r32_rm32, Code::Imul_r64_rm64],
        Op::And => [Code::And_r32_rm32, Code::And_r64_rm64],
        Op::Or => [Code::Or_r32_rm32, Code::Or_r64_rm64],
        Op::Xor => [Code::Xor_r32_rm32, Code::Xor_r64_rm64],
        _ => return None,
    };
    Some(pair[usize::from(dtype.size() == 8)])
}

/// What says, after a comparison, that this one holds.
fn condition(op: Op, dtype: DType) -> Cond {
    match (op, dtype.is_signed()) {
        (Op::Eq, _) => Cond::Equal,
        (Op::Ne, _) => Cond::NotEqual,
        (Op::Lt, true) => Cond::Less,
        (Op::Lt, false) => Cond::Below,
        (_, true) => Cond::GreaterEqual,
        (_, false) => Cond::AboveEqual,
    }
}

/// What a value is passed to or used by.
#[derive(Clone, Copy)]
enum Use {
    /// An operation's argument, by its result.
    Op(Op, Value),
    /// A parameter of a loop.
    Param(Value),
    /// The condition of a branch.
    Branch,
    Other,
}

/// The uses of every value.
fn uses(func: &Func) -> SecondaryMap<Value, Vec<Use>> {
    let mut uses: SecondaryMap<Value, Vec<Use>> = SecondaryMap::new(Vec::new());
    func.for_each_inst(|_, inst| {
        let data = &func.insts[inst];
        for (i, arg) in data.args.iter().enumerate() {
            let found = match data.kind {
                InstKind::Op(op) => Use::Op(op, data.results[0]),
                InstKind::Loop { body } => Use::Param(func.regions[body].params[i]),
                InstKind::If { .. } => Use::Branch,
                InstKind::Const(_) | InstKind::Index(_) | InstKind::Math(_) => Use::Other,
            };
            uses[*arg].push(found);
        }
    });
    func.for_each_region(|region| match &func.regions[region].end {
        Terminator::Yield(values) => values.iter().for_each(|v| uses[*v].push(Use::Other)),
        Terminator::ContinueIf {
            cond,
            next,
            results,
        } => {
            uses[*cond].push(Use::Branch);
            results.iter().for_each(|v| uses[*v].push(Use::Other));
            for (value, param) in next.iter().zip(&func.regions[region].params) {
                uses[*value].push(Use::Param(*param));
            }
        }
    });
    uses
}

/// The loop that carries a parameter: what it is at first and in the next turn.
fn carried(func: &Func) -> SecondaryMap<Value, Option<[Value; 2]>> {
    let mut carried = SecondaryMap::new(None);
    func.for_each_inst(|_, inst| {
        let data = &func.insts[inst];
        if let InstKind::Loop { body } = data.kind
            && let Terminator::ContinueIf { next, .. } = &func.regions[body].end
        {
            let params = func.regions[body].params.iter().zip(&data.args);
            for ((param, first), next) in params.zip(next) {
                carried[*param] = Some([*first, *next]);
            }
        }
    });
    carried
}

impl Scalars {
    pub(super) fn new(
        func: &Func,
        varying: &SecondaryMap<Value, bool>,
        home: &SecondaryMap<Value, Option<Region>>,
    ) -> Scalars {
        let mut scalars = Scalars {
            general: SecondaryMap::new(false),
            only: SecondaryMap::new(false),
            branches: SecondaryMap::new(false),
        };
        let has_loop = func.regions.len() > 1;
        if !has_loop {
            return scalars;
        }
        let carried = carried(func);
        let uses = uses(func);
        let all: Vec<Value> = func.values.keys().filter(|v| !varying[*v]).collect();
        let can = possible(func, &all, &carried, home);
        scalars.find_branches(func, &all, &uses, &can, home);
        scalars.find_general(func, &all, &carried, &can, home);
        scalars.find_only(func, &all, &uses);
        scalars
    }

    /// Bools that are comparisons in general registers, or joined of bools of which one is, and that only branches use.
    fn find_branches(
        &mut self,
        func: &Func,
        all: &[Value],
        uses: &SecondaryMap<Value, Vec<Use>>,
        can: &SecondaryMap<Value, bool>,
        home: &SecondaryMap<Value, Option<Region>>,
    ) {
        // Of what is outside of loops nothing is known sooner.
        let counts = |v: &Value| region_of(func, home, *v) != Some(func.body);
        for value in all
            .iter()
            .copied()
            .filter(|v| func.dtype(*v) == DType::Bool)
        {
            self.branches[value] = match func.defining_op(value) {
                Some((Op::And | Op::Not, _)) => true,
                Some((op, args)) => {
                    let all = args.iter().all(|arg| can[*arg]);
                    is_comparison(op) && all && args.iter().any(counts)
                }
                None => false,
            };
        }
        loop {
            let mut changed = false;
            for value in all.iter().copied() {
                let joined = match func.defining_op(value) {
                    Some((Op::And | Op::Not, args)) => args.iter().any(|arg| self.branches[*arg]),
                    _ => true,
                };
                let branched = uses[value].iter().all(|used| match used {
                    Use::Branch => true,
                    Use::Op(Op::And | Op::Not, result) => self.branches[*result],
                    Use::Op(..) | Use::Param(_) | Use::Other => false,
                });
                if self.branches[value] && !(joined && branched) {
                    self.branches[value] = false;
                    changed = true;
                }
            }
            if !changed {
                return;
            }
        }
    }

    /// What those comparisons compare, and what that is computed from.
    fn find_general(
        &mut self,
        func: &Func,
        all: &[Value],
        carried: &SecondaryMap<Value, Option<[Value; 2]>>,
        can: &SecondaryMap<Value, bool>,
        home: &SecondaryMap<Value, Option<Region>>,
    ) {
        let mut open: Vec<Value> = Vec::new();
        for value in all.iter().filter(|v| self.branches[**v]) {
            if let Some((op, args)) = func.defining_op(*value)
                && is_comparison(op)
            {
                open.extend(args);
            }
        }
        while let Some(value) = open.pop() {
            if self.general[value] || !can[value] || func.constant(value).is_some() {
                continue;
            }
            match (carried[value], func.defining_op(value)) {
                (Some(pair), _) => open.extend(pair),
                (None, Some((op, args)))
                    if home[value] != Some(func.body)
                        && general_code(op, func.dtype(value)).is_some() =>
                {
                    open.extend(args);
                }
                // It is taken from a vector where it is used.
                _ => continue,
            }
            self.general[value] = true;
        }
    }

    /// Of those the ones that are used for nothing else.
    fn find_only(&mut self, func: &Func, all: &[Value], uses: &SecondaryMap<Value, Vec<Use>>) {
        for value in all {
            self.only[*value] = self.general[*value];
        }
        loop {
            let mut changed = false;
            for value in all.iter().copied() {
                let is_only = |used: &Use| match used {
                    Use::Op(op, result) => {
                        self.only[*result] || is_comparison(*op) && self.branches[*result]
                    }
                    Use::Param(param) => self.only[*param],
                    Use::Branch | Use::Other => false,
                };
                if self.only[value] && !uses[value].iter().all(is_only) {
                    self.only[value] = false;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        debug_assert!(
            all.iter()
                .all(|v| func.dtype(*v).is_int() || !self.only[*v])
        );
    }
}

/// The region in which a value is made; constants count as outside of loops.
fn region_of(
    func: &Func,
    home: &SecondaryMap<Value, Option<Region>>,
    value: Value,
) -> Option<Region> {
    match func.values[value].def {
        _ if func.constant(value).is_some() => Some(func.body),
        ValueDef::Param(region, _) => Some(region),
        ValueDef::Result(..) => home[value],
    }
}

/// Which of the values can be had in general registers: all but those in loops that are made of others that cannot.
fn possible(
    func: &Func,
    all: &[Value],
    carried: &SecondaryMap<Value, Option<[Value; 2]>>,
    home: &SecondaryMap<Value, Option<Region>>,
) -> SecondaryMap<Value, bool> {
    let mut can = SecondaryMap::new(false);
    let is_int = |v: Value| func.dtype(v).is_int() && func.dtype(v).size() >= 4;
    for value in all.iter().copied().filter(|v| is_int(*v)) {
        can[value] = true;
    }
    loop {
        let mut changed = false;
        for value in all.iter().copied() {
            let in_body = region_of(func, home, value) == Some(func.body);
            if !can[value] || in_body || func.constant(value).is_some() {
                continue;
            }
            let made = match (carried[value], func.defining_op(value)) {
                (Some(pair), _) => pair.iter().all(|v| can[*v]),
                (None, Some((op, args))) => {
                    general_code(op, func.dtype(value)).is_some() && args.iter().all(|v| can[*v])
                }
                (None, None) => false,
            };
            if !made {
                can[value] = false;
                changed = true;
            }
        }
        if !changed {
            return can;
        }
    }
}

impl Cx<'_> {
    /// Whether nothing is to be selected for a value but what [`Cx::general_op`] and branches do.
    pub(super) fn is_scalar_only(&self, value: Value) -> bool {
        self.scalars.only[value] || self.scalars.branches[value]
    }

    /// Computes a value in general registers, if it is to be there.
    pub(super) fn general_op(&mut self, op: Op, args: &[Value], result: Value) {
        let dtype = self.func.dtype(result);
        let code = general_code(op, dtype).filter(|_| self.scalars.general[result]);
        let (Some(code), [a, b]) = (code, args) else {
            return;
        };
        let a = self.general_of(*a);
        let to = self.general();
        match (op, self.immediate(*b)) {
            (Op::Add, Some(number)) => {
                let code = match dtype.size() {
                    8 => Code::Add_rm64_imm32,
                    _ => Code::Add_rm32_imm32,
                };
                self.emit(code, &[Arg::Tied(a, to), Arg::Imm(number)]);
            }
            _ => {
                let b = self.general_of(*b);
                self.emit(code, &[Arg::Tied(a, to), Arg::Use(b)]);
            }
        }
        self.in_general[result] = Some(to);
    }

    /// A constant that instructions hold themselves.
    fn immediate(&self, value: Value) -> Option<i64> {
        let number = self.func.constant(value)?.as_int();
        i32::try_from(number).ok().map(i64::from)
    }

    /// An integer in a general register.
    pub(super) fn general_of(&mut self, value: Value) -> Reg {
        if let Some(constant) = self.func.constant(value) {
            return self.integer(constant.as_int() as i64);
        }
        if let Some(reg) = self.in_general[value] {
            return reg;
        }
        let Held::Uniform(vector) = self.held[value] else {
            self.refuse(format!("{value} in a general register"));
            return self.integer(0);
        };
        let to = self.general();
        let code = match (self.func.dtype(value).size(), self.level) {
            (8, Level::Avx2) => Code::VEX_Vmovq_rm64_xmm,
            (_, Level::Avx2) => Code::VEX_Vmovd_rm32_xmm,
            (8, Level::Avx512) => Code::EVEX_Vmovq_rm64_xmm,
            (_, Level::Avx512) => Code::EVEX_Vmovd_rm32_xmm,
        };
        self.emit(code, &[Arg::Def(to), Arg::Use(vector)]);
        to
    }

    /// Goes to one of two blocks by a bool that branches are made of; false if it is another one.
    pub(super) fn branch_by_scalars(&mut self, value: Value, yes: Block, no: Block) -> bool {
        let func = self.func;
        if !self.scalars.branches[value] {
            return false;
        }
        match func.defining_op(value) {
            Some((Op::Not, inner)) => self.branch_on(inner[0], no, yes),
            Some((Op::And, parts)) => {
                // What is known sooner comes first.
                let later = usize::from(self.scalars.branches[parts[0]]);
                let (first, second) = (parts[1 - later], parts[later]);
                let between = self.mach.block();
                let outs = [self.mach.block(), self.mach.block()];
                self.branch_on(first, between, outs[0]);
                self.switch_to(between);
                self.branch_on(second, yes, outs[1]);
                for out in outs {
                    self.switch_to(out);
                    self.jump(no, Vec::new());
                }
            }
            Some((op, args)) => {
                let dtype = func.dtype(args[0]);
                if let Some(number) = self.immediate(args[1])
                    && matches!(op, Op::Eq | Op::Ne | Op::Lt | Op::Ge)
                {
                    return self.branch_by_immediate(op, args[0], number, [yes, no]);
                }
                let [a, b] = [0, 1].map(|i| self.general_of(args[i]));
                let (op, a, b) = match op {
                    Op::Gt => (Op::Lt, b, a),
                    Op::Le => (Op::Ge, b, a),
                    _ => (op, a, b),
                };
                let code = match dtype.size() {
                    8 => Code::Cmp_r64_rm64,
                    _ => Code::Cmp_r32_rm32,
                };
                self.emit(code, &[Arg::Use(a), Arg::Use(b)]);
                let cond = condition(op, dtype);
                self.push(MachInst::Branch(cond, yes, no));
            }
            None => return false,
        }
        true
    }

    /// Compares with a number and goes to one of two blocks.
    fn branch_by_immediate(
        &mut self,
        op: Op,
        value: Value,
        number: i64,
        [yes, no]: [Block; 2],
    ) -> bool {
        let dtype = self.func.dtype(value);
        let reg = self.general_of(value);
        let code = match dtype.size() {
            8 => Code::Cmp_rm64_imm32,
            _ => Code::Cmp_rm32_imm32,
        };
        self.emit(code, &[Arg::Use(reg), Arg::Imm(number)]);
        self.push(MachInst::Branch(condition(op, dtype), yes, no));
        true
    }
}
