//! Registers for virtual registers, by regalloc2; its checker runs in debug builds.

use super::level::Level;
use super::mach::{Arg, Base, Block, Class, Mach, MachInst, Reg};
use regalloc2 as ra;
use regalloc2::{Allocation, Edit, MachineEnv, Operand, Output, PReg, PRegSet, RegClass};
use ufc_target::BackendError;

/// Numbers of the general registers in encodings.
pub(super) const RAX: usize = 0;
const RCX: usize = 1;
const RDX: usize = 2;
const RBX: usize = 3;
const RSI: usize = 6;
const RDI: usize = 7;

/// The registers of integer arguments, in order (System V ABI, 3.2.3).
const ARGUMENTS: [usize; 6] = [RDI, RSI, RDX, RCX, 8, 9];

/// General registers that a call may change, besides those of mask and vectors, all of which it may.
const VOLATILE: [usize; 9] = [RAX, RCX, RDX, RSI, RDI, 8, 9, 10, 11];

/// General registers that a function must leave as they were, besides rsp and rbp, which frames are made with.
pub(super) const SAVED: [usize; 5] = [RBX, 12, 13, 14, 15];

/// A function and where its values are.
pub(super) struct Allocated {
    pub(super) code: Linear,
    pub(super) output: Output,
}

impl Allocated {
    /// Whether a general register is written, except by calls.
    pub(super) fn uses(&self, number: usize) -> bool {
        let reg = Allocation::reg(PReg::new(number, RegClass::Int));
        let written = |(_, edit): &(_, Edit)| {
            let Edit::Move { to, .. } = edit;
            *to == reg
        };
        self.output.allocs.contains(&reg) || self.output.edits.iter().any(written)
    }
}

/// Allocates registers.
///
/// # Errors
/// If there are too few, which would be a bug, or the checker objects.
pub(super) fn allocate(mach: &Mach, level: Level) -> Result<Allocated, BackendError> {
    let code = Linear::new(mach, level);
    let env = env(level);
    let options = ra::RegallocOptions {
        validate_ssa: cfg!(debug_assertions),
        ..ra::RegallocOptions::default()
    };
    let failed = |what: String| BackendError::CompileFailed(what);
    let output = ra::run(&code, &env, &options)
        .map_err(|e| failed(format!("registers could not be allocated: {e}")))?;
    if cfg!(debug_assertions) {
        let mut checker = ra::checker::Checker::new(&code, &env);
        checker.prepare(&output);
        checker
            .run()
            .map_err(|e| failed(format!("registers were allocated wrongly: {e:?}")))?;
    }
    Ok(Allocated { code, output })
}

fn env(level: Level) -> MachineEnv {
    let set = |class: RegClass, regs: &mut dyn Iterator<Item = usize>| {
        regs.fold(PRegSet::empty(), |set, r| set.with(PReg::new(r, class)))
    };
    // k0 as a mask means no mask.
    let masks = if level.has_masks() { 1..8 } else { 0..0 };
    MachineEnv {
        preferred_regs_by_class: [
            set(RegClass::Int, &mut VOLATILE.into_iter()),
            set(RegClass::Float, &mut masks.into_iter()),
            set(RegClass::Vector, &mut (0..level.registers())),
        ],
        non_preferred_regs_by_class: [
            set(RegClass::Int, &mut SAVED.into_iter()),
            PRegSet::empty(),
            PRegSet::empty(),
        ],
        scratch_by_class: [None; 3],
        fixed_stack_slots: Vec::new(),
    }
}

/// A function as regalloc2 reads it: instructions in one list, blocks in order of layout.
pub(super) struct Linear {
    pub(super) insts: Vec<MachInst>,
    pub(super) blocks: Vec<LinearBlock>,
    operands: Vec<Vec<Operand>>,
    regs: usize,
    clobbers: PRegSet,
    vector_words: usize,
}

/// A block of it.
pub(super) struct LinearBlock {
    pub(super) insts: std::ops::Range<usize>,
    params: Vec<Reg>,
    succs: Vec<ra::Block>,
    preds: Vec<ra::Block>,
}

impl Linear {
    fn new(mach: &Mach, level: Level) -> Linear {
        let mut place = vec![usize::MAX; mach.blocks.len()];
        for (i, block) in mach.order.iter().enumerate() {
            place[block.0] = i;
        }
        let mut linear = Linear {
            insts: Vec::new(),
            blocks: Vec::new(),
            operands: Vec::new(),
            regs: mach.regs,
            clobbers: clobbers(level),
            vector_words: level.vector() / 8,
        };
        for block in &mach.order {
            linear.add(&mach.blocks[block.0], &place);
        }
        for from in 0..linear.blocks.len() {
            for to in linear.blocks[from].succs.clone() {
                let preds = &mut linear.blocks[to.index()].preds;
                preds.push(ra::Block::new(from));
            }
        }
        linear
    }

    fn add(&mut self, data: &super::mach::BlockData, place: &[usize]) {
        let start = self.insts.len();
        let moved = |block: &Block| Block(place[block.0]);
        for inst in &data.insts {
            let inst = match inst {
                MachInst::Jump(to, args) => MachInst::Jump(moved(to), args.clone()),
                MachInst::Branch(cond, yes, no) => MachInst::Branch(*cond, moved(yes), moved(no)),
                other => other.clone(),
            };
            self.operands.push(operands(&inst));
            self.insts.push(inst);
        }
        let succs = match self.insts.last() {
            Some(MachInst::Jump(to, _)) => vec![ra::Block::new(to.0)],
            Some(MachInst::Branch(_, yes, no)) => {
                vec![ra::Block::new(yes.0), ra::Block::new(no.0)]
            }
            _ => Vec::new(),
        };
        self.blocks.push(LinearBlock {
            insts: start..self.insts.len(),
            params: data.params.clone(),
            succs,
            preds: Vec::new(),
        });
    }
}

/// What a call may change.
fn clobbers(level: Level) -> PRegSet {
    let mut set = PRegSet::empty();
    VOLATILE
        .iter()
        .for_each(|r| set.add(PReg::new(*r, RegClass::Int)));
    if level.has_masks() {
        (1..8).for_each(|r| set.add(PReg::new(r, RegClass::Float)));
    }
    (0..level.registers()).for_each(|r| set.add(PReg::new(r, RegClass::Vector)));
    set
}

/// An instruction's registers in the order in which emission finds them again.
fn operands(inst: &MachInst) -> Vec<Operand> {
    let argument = |i: usize| PReg::new(ARGUMENTS[i], RegClass::Int);
    let mut list = Vec::new();
    match inst {
        MachInst::Op { args, mask, .. } => {
            for arg in args {
                match arg {
                    Arg::Def(reg) => list.push(Operand::reg_def(*reg)),
                    Arg::Use(reg) => list.push(Operand::reg_use(*reg)),
                    Arg::Tied(from, to) => {
                        list.push(Operand::reg_use(*from));
                        list.push(Operand::reg_reuse_def(*to, list.len() - 1));
                    }
                    Arg::Mem(mem) => {
                        if let Base::Reg(reg) = mem.base {
                            list.push(Operand::reg_use(reg));
                        }
                    }
                    Arg::Any(_) | Arg::Imm(_) => {}
                }
            }
            list.extend(mask.map(Operand::reg_use));
        }
        MachInst::Start(params) => {
            for (i, reg) in params.iter().enumerate() {
                list.push(Operand::reg_fixed_def(*reg, argument(i)));
            }
        }
        MachInst::Call(_, args) => {
            for (i, reg) in args.iter().enumerate() {
                list.push(Operand::reg_fixed_use(*reg, argument(i)));
            }
        }
        MachInst::Column(_) | MachInst::Jump(..) | MachInst::Branch(..) | MachInst::Return => {}
    }
    list
}

impl ra::Function for Linear {
    fn num_insts(&self) -> usize {
        self.insts.len()
    }

    fn num_blocks(&self) -> usize {
        self.blocks.len()
    }

    fn entry_block(&self) -> ra::Block {
        ra::Block::new(0)
    }

    fn block_insns(&self, block: ra::Block) -> ra::InstRange {
        let range = &self.blocks[block.index()].insts;
        ra::InstRange::new(ra::Inst::new(range.start), ra::Inst::new(range.end))
    }

    fn block_succs(&self, block: ra::Block) -> &[ra::Block] {
        &self.blocks[block.index()].succs
    }

    fn block_preds(&self, block: ra::Block) -> &[ra::Block] {
        &self.blocks[block.index()].preds
    }

    fn block_params(&self, block: ra::Block) -> &[Reg] {
        &self.blocks[block.index()].params
    }

    fn is_ret(&self, inst: ra::Inst) -> bool {
        matches!(self.insts[inst.index()], MachInst::Return)
    }

    fn is_branch(&self, inst: ra::Inst) -> bool {
        matches!(
            self.insts[inst.index()],
            MachInst::Jump(..) | MachInst::Branch(..)
        )
    }

    fn branch_blockparams(&self, _: ra::Block, inst: ra::Inst, _: usize) -> &[Reg] {
        match &self.insts[inst.index()] {
            MachInst::Jump(_, args) => args,
            _ => &[],
        }
    }

    fn inst_operands(&self, inst: ra::Inst) -> &[Operand] {
        &self.operands[inst.index()]
    }

    fn inst_clobbers(&self, inst: ra::Inst) -> PRegSet {
        match self.insts[inst.index()] {
            MachInst::Call(..) => self.clobbers,
            _ => PRegSet::empty(),
        }
    }

    fn num_vregs(&self) -> usize {
        self.regs
    }

    fn spillslot_size(&self, class: RegClass) -> usize {
        if class == Class::Vector.regalloc() {
            self.vector_words
        } else {
            1
        }
    }
}
