//! Constants in registers: those that the loop over turns reads most often are loaded before it, as many as find room.
//!
//! Selection leaves constants in memory, where most instructions take an operand from. Each costs a load, of which a
//! processor does two or three in a cycle, and where an instruction cannot take it from there one instruction more.

use super::level::Level;
use super::live::Live;
use super::mach::{Arg, Base, Class, Mach, MachInst, Mem, Reg};
use iced_x86::{Code, Mnemonic};
use smallvec::smallvec;

/// A constant, as it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Constant {
    /// Where it is among the constants.
    at: i32,
    /// How wide the element is that is read for all lanes, or a whole vector.
    width: usize,
}

/// A constant that might move, and what that is worth.
struct Candidate {
    constant: Constant,
    worth: u64,
}

/// How often a loop's body is taken to run for each time that the loop is entered, and a condition to be met before its
/// arm runs once.
const TRIPS: u64 = 8;

/// Vector registers that are left besides those that the columns take one after the other: for interleaving them, and for
/// copies. More than these gained nothing in `benches/limits`.
const KEPT: usize = 2;

/// Loads constants ahead of the loop over turns.
pub(super) fn run(mach: &mut Mach, level: Level) {
    let Some(before) = mach.before_turns else {
        return;
    };
    let room = room(mach, level);
    let mut candidates = candidates(mach, level);
    // The first ones stay first among equals.
    candidates.sort_by_key(|c| std::cmp::Reverse(c.worth));
    candidates.truncate(room);
    let moved: Vec<(Constant, Reg)> = candidates
        .iter()
        .map(|candidate| (candidate.constant, mach.reg(Class::Vector)))
        .collect();
    replace(mach, level, &moved);
    let loads = moved
        .iter()
        .map(|(constant, reg)| load(*constant, *reg, level));
    let insts = &mut mach.blocks[before.0].insts;
    let end = insts.len() - 1;
    insts.splice(end..end, loads);
}

/// How many vector registers the loop over turns leaves free.
fn room(mach: &Mach, level: Level) -> usize {
    let live = Live::new(mach);
    let inside = mach
        .order
        .iter()
        .filter(|block| mach.blocks[block.0].loops > 0);
    let most = inside
        .map(|block| live.pressure(mach, *block).vectors)
        .max();
    level.registers().saturating_sub(most.unwrap_or(0) + KEPT)
}

/// What constants the loop over turns reads, in the order of their first use.
fn candidates(mach: &Mach, level: Level) -> Vec<Candidate> {
    let tied_only = tied_only(mach);
    let mut candidates: Vec<Candidate> = Vec::new();
    for block in mach
        .order
        .iter()
        .filter(|block| mach.blocks[block.0].loops > 0)
    {
        let arms = mach.blocks[block.0].arms;
        let times = TRIPS.pow(
            (mach.blocks[block.0].loops + 2)
                .saturating_sub(arms)
                .min(16),
        );
        for inst in &mach.blocks[block.0].insts {
            let Some(constant) = constant(inst, level) else {
                continue;
            };
            let worth = match loaded(inst) {
                // The copy that is needed then costs about as much.
                Some(reg) if tied_only[reg.vreg()] => 1,
                Some(_) => 3,
                None => 2,
            };
            let worth = worth * times;
            match candidates.iter_mut().find(|c| c.constant == constant) {
                Some(known) => known.worth += worth,
                None => candidates.push(Candidate { constant, worth }),
            }
        }
    }
    candidates
}

/// The registers that are read only where that ends what is in them.
fn tied_only(mach: &Mach) -> Vec<bool> {
    let mut only = vec![true; mach.regs];
    for data in &mach.blocks {
        for inst in &data.insts {
            match inst {
                MachInst::Op { args, .. } => {
                    for arg in args {
                        if let Arg::Use(reg) = arg {
                            only[reg.vreg()] = false;
                        }
                    }
                }
                MachInst::Start(_)
                | MachInst::Column(_)
                | MachInst::Call(..)
                | MachInst::Jump(..)
                | MachInst::Branch(..)
                | MachInst::Return => {}
            }
        }
    }
    only
}

/// The constant that an instruction takes from memory.
fn constant(inst: &MachInst, level: Level) -> Option<Constant> {
    let MachInst::Op { code, args, .. } = inst else {
        return None;
    };
    let mem = args.iter().find_map(|arg| match arg {
        Arg::Mem(mem) if mem.base == Base::Constants => Some(mem),
        _ => None,
    })?;
    let info = code.op_code();
    let size = info.memory_size();
    let width = if mem.broadcast {
        info.broadcast_memory_size().element_size()
    } else if size.size() == level.vector() {
        size.size()
    } else if is_load(*code) {
        size.element_size()
    } else {
        return None;
    };
    Some(Constant {
        at: mem.offset,
        width,
    })
}

/// Whether an instruction does nothing but load, a vector or an element for all lanes.
fn is_load(code: Code) -> bool {
    matches!(
        code.mnemonic(),
        Mnemonic::Vmovups
            | Mnemonic::Vmovupd
            | Mnemonic::Vmovdqu
            | Mnemonic::Vmovdqu8
            | Mnemonic::Vmovdqu16
            | Mnemonic::Vmovdqu32
            | Mnemonic::Vmovdqu64
            | Mnemonic::Vbroadcastss
            | Mnemonic::Vbroadcastsd
            | Mnemonic::Vpbroadcastd
            | Mnemonic::Vpbroadcastq
    )
}

/// The register that an instruction does nothing but load a constant into.
fn loaded(inst: &MachInst) -> Option<Reg> {
    match inst {
        MachInst::Op {
            code,
            args,
            mask: None,
            ..
        } if is_load(*code) => match args.as_slice() {
            [Arg::Def(reg), Arg::Mem(_)] => Some(*reg),
            _ => None,
        },
        _ => None,
    }
}

fn load(constant: Constant, to: Reg, level: Level) -> MachInst {
    let code = match (level, constant.width) {
        (Level::Avx512, 4) => Code::EVEX_Vbroadcastss_zmm_k1z_xmmm32,
        (Level::Avx512, 8) => Code::EVEX_Vbroadcastsd_zmm_k1z_xmmm64,
        (Level::Avx512, _) => Code::EVEX_Vmovups_zmm_k1z_zmmm512,
        (Level::Avx2, 4) => Code::VEX_Vbroadcastss_ymm_m32,
        (Level::Avx2, 8) => Code::VEX_Vbroadcastsd_ymm_m64,
        (Level::Avx2, _) => Code::VEX_Vmovups_ymm_ymmm256,
    };
    let mem = Mem {
        base: Base::Constants,
        offset: constant.at,
        broadcast: false,
    };
    MachInst::Op {
        code,
        args: smallvec![Arg::Def(to), Arg::Mem(mem)],
        mask: None,
        zeroing: false,
    }
}

/// Reads registers instead of constants, in the loop over turns.
fn replace(mach: &mut Mach, level: Level, moved: &[(Constant, Reg)]) {
    let mut renamed: Vec<Option<Reg>> = vec![None; mach.regs];
    let register = |inst: &MachInst| {
        let constant = constant(inst, level)?;
        let found = moved.iter().find(|(known, _)| *known == constant);
        found.map(|(_, reg)| *reg)
    };
    let blocks = &mut mach.blocks;
    for data in blocks.iter_mut().filter(|data| data.loops > 0) {
        data.insts.retain_mut(|inst| {
            let Some(reg) = register(inst) else {
                return true;
            };
            if let Some(to) = loaded(inst) {
                renamed[to.vreg()] = Some(reg);
                return false;
            }
            if let MachInst::Op { args, .. } = inst {
                let is_memory = |arg: &&mut Arg| matches!(arg, Arg::Mem(_));
                args.iter_mut()
                    .filter(is_memory)
                    .for_each(|arg| *arg = Arg::Use(reg));
            }
            true
        });
    }
    for data in &mut mach.blocks {
        for inst in &mut data.insts {
            rename(inst, &renamed);
        }
    }
}

/// Reads other registers in place of some.
fn rename(inst: &mut MachInst, renamed: &[Option<Reg>]) {
    let rename = |reg: &mut Reg| *reg = renamed[reg.vreg()].unwrap_or(*reg);
    match inst {
        MachInst::Op { args, .. } => {
            for arg in args {
                if let Arg::Use(reg) | Arg::Tied(reg, _) = arg {
                    rename(reg);
                }
            }
        }
        MachInst::Call(_, args) | MachInst::Jump(_, args) => args.iter_mut().for_each(rename),
        MachInst::Start(_) | MachInst::Column(_) | MachInst::Branch(..) | MachInst::Return => {}
    }
}
