//! Machine code before registers are allocated: instructions over virtual registers, in blocks with parameters.

use crate::clif::jit;
use iced_x86::{Code, Register};
use regalloc2::{RegClass, VReg};
use smallvec::SmallVec;

/// A virtual register.
pub(super) type Reg = VReg;

/// What a register can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A general register.
    General,
    /// A mask register, k1 to k7. Machines without them keep masks in vector registers.
    Mask,
    /// A vector register.
    Vector,
}

impl Class {
    /// The name that the register allocator has for it.
    pub(super) fn regalloc(self) -> RegClass {
        match self {
            Class::General => RegClass::Int,
            Class::Mask => RegClass::Float,
            Class::Vector => RegClass::Vector,
        }
    }
}

/// A block, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block(pub(super) usize);

/// Where a memory operand starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Base {
    /// At the address in a register.
    Reg(Reg),
    /// At the start of the constants.
    Constants,
    /// At the start of the buffers in the frame.
    Frame,
}

/// A memory operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mem {
    pub(super) base: Base,
    pub(super) offset: i32,
    /// Whether one element is read and taken for every lane.
    pub(super) broadcast: bool,
}

/// An operand, in the order of the instruction's encoding, with its role.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Arg {
    /// Written.
    Def(Reg),
    /// Read.
    Use(Reg),
    /// Read as the first register, written as the second one: the machine has one register for both.
    Tied(Reg, Reg),
    /// A register of which nothing is known and nothing asked, as in `x ^ x`.
    Any(Register),
    Mem(Mem),
    Imm(i64),
}

/// Condition codes that branches and conditional moves test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cond {
    Equal,
    NotEqual,
    Less,
    GreaterEqual,
    /// Less, of unsigned numbers.
    Below,
    /// Not less, of unsigned numbers.
    AboveEqual,
}

impl Cond {
    /// True where this one is false.
    pub(super) fn inverse(self) -> Cond {
        match self {
            Cond::Equal => Cond::NotEqual,
            Cond::NotEqual => Cond::Equal,
            Cond::Less => Cond::GreaterEqual,
            Cond::GreaterEqual => Cond::Less,
            Cond::Below => Cond::AboveEqual,
            Cond::AboveEqual => Cond::Below,
        }
    }

    /// The conditional jump.
    pub(super) fn jump(self) -> Code {
        match self {
            Cond::Equal => Code::Je_rel32_64,
            Cond::NotEqual => Code::Jne_rel32_64,
            Cond::Less => Code::Jl_rel32_64,
            Cond::GreaterEqual => Code::Jge_rel32_64,
            Cond::Below => Code::Jb_rel32_64,
            Cond::AboveEqual => Code::Jae_rel32_64,
        }
    }

    /// The conditional move.
    pub(super) fn cmov(self) -> Code {
        match self {
            Cond::Equal => Code::Cmove_r64_rm64,
            Cond::NotEqual => Code::Cmovne_r64_rm64,
            Cond::Less => Code::Cmovl_r64_rm64,
            Cond::GreaterEqual => Code::Cmovge_r64_rm64,
            Cond::Below => Code::Cmovb_r64_rm64,
            Cond::AboveEqual => Code::Cmovae_r64_rm64,
        }
    }
}

/// What code calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callee {
    /// [`jit::gather`].
    Gather,
    /// [`jit::scatter`].
    Scatter,
    /// The part of the function itself whose turns may be partial.
    Partial,
}

impl Callee {
    /// Those that are functions of this process.
    pub(super) const ALL: [Callee; 2] = [Callee::Gather, Callee::Scatter];

    /// Its name in listings.
    pub(super) fn name(self) -> &'static str {
        match self {
            Callee::Gather => "gather",
            Callee::Scatter => "scatter",
            Callee::Partial => "partial",
        }
    }

    /// Where it is, if it is not code that is being made.
    pub(super) fn address(self) -> Option<u64> {
        let address = match self {
            Callee::Gather => jit::gather as *const () as usize,
            Callee::Scatter => jit::scatter as *const () as usize,
            Callee::Partial => return None,
        };
        Some(address as u64)
    }
}

/// An instruction of the machine, or one of the few things that become several of them.
#[derive(Clone, Debug)]
pub(super) enum MachInst {
    /// A machine instruction.
    Op {
        code: Code,
        args: SmallVec<[Arg; 4]>,
        /// Lanes that are written; all if there is none.
        mask: Option<Reg>,
        /// Whether lanes that the mask leaves out become zero instead of staying.
        zeroing: bool,
    },
    /// The function's parameters.
    Start(Vec<Reg>),
    /// What follows, up to the next of these, is done for one column of a turn, or for all of them where none is named.
    /// [`schedule`](super::schedule) takes these out.
    Column(Option<usize>),
    /// Calls with the C calling convention and integer arguments.
    Call(Callee, Vec<Reg>),
    /// Goes on at a block with these arguments for its parameters.
    Jump(Block, Vec<Reg>),
    /// Goes on at the first block if the condition holds, else at the second. Both have one predecessor.
    Branch(Cond, Block, Block),
    /// Leaves the function.
    Return,
}

/// A block's parameters and its instructions, the last of which ends it.
#[derive(Clone, Debug, Default)]
pub(super) struct BlockData {
    pub(super) params: Vec<Reg>,
    pub(super) insts: Vec<MachInst>,
    /// How many conditions must be met for it to run, those of loops aside.
    pub(super) arms: u32,
    /// In how many loops it is, that over turns included.
    pub(super) loops: u32,
}

/// A function.
#[derive(Debug, Default)]
pub(super) struct Mach {
    /// Every block, by its number.
    pub(super) blocks: Vec<BlockData>,
    /// The blocks in the order in which they are laid out; the first one is entered.
    pub(super) order: Vec<Block>,
    /// How many virtual registers there are.
    pub(super) regs: usize,
    /// Read-only data.
    pub(super) constants: Vec<u8>,
    /// Bytes of buffers in the frame.
    pub(super) frame: usize,
    /// The block that jumps into the loop over turns.
    pub(super) before_turns: Option<Block>,
}

impl Mach {
    /// A new register.
    pub(super) fn reg(&mut self, class: Class) -> Reg {
        self.regs += 1;
        VReg::new(self.regs - 1, class.regalloc())
    }

    /// A new block, laid out when something is first put into it.
    pub(super) fn block(&mut self) -> Block {
        self.blocks.push(BlockData::default());
        Block(self.blocks.len() - 1)
    }

    /// Whether it calls anything.
    pub(super) fn calls(&self) -> bool {
        let mut insts = self.blocks.iter().flat_map(|block| &block.insts);
        insts.any(|inst| matches!(inst, MachInst::Call(..)))
    }

    /// Where these bytes stand among the constants, aligned to their size.
    pub(super) fn constant(&mut self, bytes: &[u8]) -> i32 {
        let size = bytes.len();
        let known = self.constants.chunks_exact(size).position(|c| c == bytes);
        let index = known.unwrap_or_else(|| {
            self.constants
                .resize(self.constants.len().next_multiple_of(size), 0);
            self.constants.extend_from_slice(bytes);
            self.constants.len() / size - 1
        });
        (index * size) as i32
    }

    /// Where a new buffer of so many bytes starts in the frame.
    pub(super) fn buffer(&mut self, bytes: usize) -> i32 {
        let start = self.frame;
        self.frame += bytes.next_multiple_of(64);
        start as i32
    }
}
