//! Machine code with registers becomes bytes, through iced's encoder, and text, through its decoder.
//!
//! The bytes are the constants, then the code, which starts with [`entry`](super::entry). Constants are addressed from the
//! instruction pointer, so the whole may lie anywhere.

use super::entry::Entry;
use super::frame::Frame;
use super::level::Level;
use super::mach::{Arg, Base, Block, Callee, Cond, Mach, MachInst, Mem};
use super::regalloc::{Allocated, RAX, SAVED};
use iced_x86::{
    BlockEncoder, BlockEncoderOptions, Code, Decoder, DecoderOptions, Formatter, Instruction,
    InstructionBlock, NasmFormatter, OpCodeOperandKind, OpKind, Register,
};
use regalloc2 as ra;
use regalloc2::{Allocation, Edit, InstOrEdit, PReg, RegClass};
use ufc_target::BackendError;

/// Address at which the bytes are encoded. Any would do.
pub(super) const ORIGIN: u64 = 0x10000;

/// Names of instructions, for jumps to them, from this number on: no address that constants could have.
const LABELS: u64 = 1 << 40;

/// Bytes of a function.
pub(super) struct Emitted {
    pub(super) bytes: Vec<u8>,
    /// Which of them it starts with.
    pub(super) start: usize,
    /// What each part of the code is called and which byte it starts with.
    parts: Vec<(&'static str, usize)>,
}

/// A part of a function, with registers.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) mach: Mach,
    pub(super) allocated: Allocated,
}

/// Instructions, and those of them that jump.
struct Listing {
    code: Vec<Instruction>,
    /// Jumps and calls, as numbers of instructions, and the numbers of those where they go.
    jumps: Vec<(usize, usize)>,
}

/// Encodes a function of one or two parts, which are given the function's arguments by its entry. Parts call the first
/// one by [`Callee::Partial`].
///
/// # Errors
/// If the encoder refuses an instruction, or it reads back as another one: bugs of ours.
pub(super) fn emit(
    entry: &Entry,
    parts: &[Part],
    constants: &[u8],
    level: Level,
) -> Result<Emitted, BackendError> {
    let first = entry.code();
    let mut listing = Listing {
        code: first.code,
        jumps: first.jumps,
    };
    let mut starts = Vec::new();
    for part in parts {
        starts.push(listing.code.len());
        let calls = function(part, level, &mut listing);
        listing
            .jumps
            .extend(calls.iter().map(|at| (*at, starts[0])));
    }
    let calls = first.parts.iter().map(|(at, part)| (*at, starts[*part]));
    listing.jumps.extend(calls);
    listing.patch();
    let failed = |what: String| BackendError::CompileFailed(what);
    let start = constants.len().next_multiple_of(64);
    let block = InstructionBlock::new(&listing.code, ORIGIN + start as u64);
    let options = BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS;
    let encoded = BlockEncoder::encode(64, block, options)
        .map_err(|e| failed(format!("an instruction could not be encoded: {e}")))?;
    let mut bytes = constants.to_vec();
    bytes.resize(start, 0);
    bytes.extend_from_slice(&encoded.code_buffer);
    let offset = |at: usize| start + encoded.new_instruction_offsets[at] as usize;
    let names = parts.iter().map(|part| part.name);
    let emitted = Emitted {
        bytes,
        start,
        parts: names.zip(starts.into_iter().map(offset)).collect(),
    };
    if cfg!(debug_assertions) {
        emitted.check(&listing).map_err(failed)?;
        if entry.default_mxcsr.is_none() {
            listing.check_unguarded().map_err(failed)?;
        }
    }
    Ok(emitted)
}

/// Adds the instructions of a part; gives the numbers of its calls of [`Callee::Partial`].
fn function(part: &Part, level: Level, listing: &mut Listing) -> Vec<usize> {
    let (mach, allocated) = (&part.mach, &part.allocated);
    let spills = allocated.output.num_spillslots;
    let saved: Vec<usize> = SAVED.into_iter().filter(|r| allocated.uses(*r)).collect();
    let mut cx = Cx {
        level,
        allocated,
        frame: Frame::new(mach.frame, spills, &saved, mach.calls()),
        code: std::mem::take(&mut listing.code),
        starts: Vec::new(),
        jumps: Vec::new(),
        calls: Vec::new(),
    };
    cx.function();
    let jumps = cx.jumps.iter().map(|(at, to)| (*at, cx.starts[to.0]));
    listing.jumps.extend(jumps);
    listing.code = cx.code;
    cx.calls
}

impl Listing {
    /// Gives jumps and calls their targets.
    fn patch(&mut self) {
        for (i, inst) in self.code.iter_mut().enumerate() {
            inst.set_ip(LABELS + i as u64);
        }
        for (at, to) in &self.jumps {
            self.code[*at].set_near_branch64(LABELS + *to as u64);
        }
    }

    /// Finds computations on floats, by their names, where the environment is not guarded.
    fn check_unguarded(&self) -> Result<(), String> {
        const QUIET: [&str; 7] = [
            "Vmov", "Vbroad", "Vblend", "Vp", "Vshuf", "Vunpck", "Vinsert",
        ];
        for inst in &self.code {
            let name = format!("{:?}", inst.mnemonic());
            let is_float = name.starts_with("Vcvt")
                || ["ps", "pd", "ss", "sd"]
                    .iter()
                    .any(|end| name.ends_with(end));
            if is_float && !QUIET.iter().any(|start| name.starts_with(start)) {
                return Err(format!(
                    "`{inst}` depends on the floating-point environment"
                ));
            }
        }
        Ok(())
    }
}

impl Emitted {
    fn decoder(&self) -> Decoder<'_> {
        let code = &self.bytes[self.start..];
        let address = ORIGIN + self.start as u64;
        Decoder::with_ip(64, code, address, DecoderOptions::NONE)
    }

    /// The function as text, one instruction a line, the names of its parts between them; addresses count from the start
    /// of the bytes.
    pub(super) fn text(&self) -> String {
        let mut formatter = NasmFormatter::new();
        formatter.options_mut().set_rip_relative_addresses(false);
        let mut text = String::new();
        for mut inst in self.decoder() {
            let address = inst.ip() - ORIGIN;
            let starts = |(_, at): &&(&str, usize)| *at as u64 == address;
            if let Some((name, _)) = self.parts.iter().find(starts) {
                text.push_str(&format!("{name}:\n"));
            }
            if inst.is_ip_rel_memory_operand() {
                inst.set_memory_displacement64(inst.memory_displacement64() - ORIGIN);
            }
            if inst.op0_kind() == OpKind::NearBranch64 {
                inst.set_near_branch64(inst.near_branch64() - ORIGIN);
            }
            text.push_str(&format!("{address:06x}  "));
            // Where it lies differs from run to run.
            let callee = |c: &Callee| {
                inst.code() == Code::Mov_r64_imm64 && Some(inst.immediate64()) == c.address()
            };
            match Callee::ALL.into_iter().find(callee) {
                Some(callee) => text.push_str(&format!("mov rax,{}", callee.name())),
                None => formatter.format(&inst, &mut text),
            }
            text.push('\n');
        }
        text
    }

    /// Reads every instruction back and compares it with what was meant.
    fn check(&self, listing: &Listing) -> Result<(), String> {
        let mut decoded = self.decoder();
        for (i, meant) in listing.code.iter().enumerate() {
            let found = decoded.decode();
            let is_jump = listing.jumps.iter().any(|(at, _)| *at == i);
            let same = if is_jump {
                found.mnemonic() == meant.mnemonic()
            } else {
                same(&found, meant)
            };
            if !same {
                return Err(format!("`{meant}` was read back as `{found}`"));
            }
        }
        Ok(())
    }
}

fn same(a: &Instruction, b: &Instruction) -> bool {
    let operand = |i: u32| {
        a.op_kind(i) == b.op_kind(i)
            && match a.op_kind(i) {
                OpKind::Register => a.op_register(i) == b.op_register(i),
                OpKind::Memory => {
                    a.memory_base() == b.memory_base()
                        && a.memory_displacement64() == b.memory_displacement64()
                        && a.is_broadcast() == b.is_broadcast()
                }
                _ => a.immediate(i) == b.immediate(i),
            }
    };
    a.code() == b.code()
        && a.op_mask() == b.op_mask()
        && a.zeroing_masking() == b.zeroing_masking()
        && (0..a.op_count()).all(operand)
}

struct Cx<'a> {
    level: Level,
    allocated: &'a Allocated,
    frame: Frame,
    code: Vec<Instruction>,
    /// The first instruction of each block.
    starts: Vec<usize>,
    /// Jumps, as numbers of instructions, and where they go.
    jumps: Vec<(usize, Block)>,
    /// Calls of the first part.
    calls: Vec<usize>,
}

impl Cx<'_> {
    fn function(&mut self) {
        let allocated = self.allocated;
        for number in 0..allocated.code.blocks.len() {
            self.starts.push(self.code.len());
            if self.is_skipped(number) {
                continue;
            }
            if number == 0 {
                self.code.extend(self.frame.enter());
            }
            for step in allocated
                .output
                .block_insts_and_edits(&allocated.code, ra::Block::new(number))
            {
                match step {
                    InstOrEdit::Edit(Edit::Move { from, to }) => self.edit(*from, *to),
                    InstOrEdit::Inst(inst) => self.inst(inst, number),
                }
            }
        }
    }

    fn inst(&mut self, inst: ra::Inst, block: usize) {
        let allocated = self.allocated;
        let allocs = allocated.output.inst_allocs(inst);
        match &allocated.code.insts[inst.index()] {
            MachInst::Op {
                code,
                args,
                mask,
                zeroing,
            } => {
                let made = self.op(*code, args, mask.is_some(), *zeroing, allocs);
                self.code.push(made);
            }
            MachInst::Start(_) | MachInst::Column(_) => {}
            MachInst::Call(callee, _) => self.call(*callee),
            MachInst::Jump(to, _) => {
                let to = self.threaded(*to);
                if !self.falls_into(block, to) {
                    self.jump(Code::Jmp_rel32_64, to);
                }
            }
            MachInst::Branch(cond, yes, no) => self.branch(*cond, *yes, *no, block),
            MachInst::Return => self.code.extend(self.frame.leave()),
        }
    }

    fn jump(&mut self, code: Code, to: Block) {
        self.jumps.push((self.code.len(), to));
        self.code.push(branch(code));
    }

    fn branch(&mut self, cond: Cond, yes: Block, no: Block, block: usize) {
        let (yes, no) = (self.threaded(yes), self.threaded(no));
        if self.falls_into(block, yes) {
            self.jump(cond.inverse().jump(), no);
            return;
        }
        self.jump(cond.jump(), yes);
        if !self.falls_into(block, no) {
            self.jump(Code::Jmp_rel32_64, no);
        }
    }

    /// Whether nothing is emitted for a block, as it does nothing but jump.
    fn is_skipped(&self, number: usize) -> bool {
        number > 0 && self.threaded(Block(number)) != Block(number)
    }

    /// Whether what is emitted next after a block is this other one.
    fn falls_into(&self, block: usize, to: Block) -> bool {
        to.0 > block && (block + 1..to.0).all(|between| self.is_skipped(between))
    }

    /// Where a block leads in the end, through blocks that do nothing but jump.
    fn threaded(&self, mut block: Block) -> Block {
        loop {
            let next = self.target(block);
            if next == block {
                return block;
            }
            block = next;
        }
    }

    /// Where a block leads that does nothing but jump.
    fn target(&self, block: Block) -> Block {
        let allocated = self.allocated;
        let steps = allocated
            .output
            .block_insts_and_edits(&allocated.code, ra::Block::new(block.0));
        let mut to = block;
        for step in steps {
            match step {
                InstOrEdit::Edit(Edit::Move { from, to }) if from == to => {}
                InstOrEdit::Edit(_) => return block,
                InstOrEdit::Inst(inst) => match &allocated.code.insts[inst.index()] {
                    MachInst::Jump(target, _) => to = *target,
                    _ => return block,
                },
            }
        }
        to
    }

    /// Vector registers are volatile; what is called may use the older encodings, which are slow on dirty upper halves.
    fn call(&mut self, callee: Callee) {
        let Some(address) = callee.address() else {
            self.calls.push(self.code.len());
            return self.code.push(branch(Code::Call_rel32_64));
        };
        self.code.push(plain(Code::VEX_Vzeroupper));
        let mut load = plain(Code::Mov_r64_imm64);
        set_register(&mut load, 0, Register::RAX);
        load.set_op_kind(1, OpKind::Immediate64);
        load.set_immediate64(address);
        self.code.push(load);
        let mut call = plain(Code::Call_rm64);
        set_register(&mut call, 0, self.general(RAX));
        self.code.push(call);
    }

    fn general(&self, number: usize) -> Register {
        Register::RAX + number as u32
    }

    /// A move between registers, or to or from a spill slot.
    fn edit(&mut self, from: Allocation, to: Allocation) {
        if from == to {
            return;
        }
        let reg = from.as_reg().or(to.as_reg());
        let class = reg.map_or(RegClass::Int, PReg::class);
        let (load, store) = self.moves(class);
        let code = if to.is_stack() { store } else { load };
        let mut inst = plain(code);
        for (i, place) in [to, from].into_iter().enumerate() {
            match place.as_reg() {
                Some(reg) => {
                    let name = sized(code, i as u32, reg);
                    set_register(&mut inst, i as u32, name);
                }
                None => {
                    let slot = place.as_stack().map_or(0, |slot| slot.index());
                    let offset = self.frame.spill(slot);
                    set_memory(&mut inst, i as u32, Register::RSP, offset);
                }
            }
        }
        self.code.push(inst);
    }

    /// The instructions that load and store a register of a class; the first also copies.
    fn moves(&self, class: RegClass) -> (Code, Code) {
        match (class, self.level) {
            (RegClass::Int, _) => (Code::Mov_r64_rm64, Code::Mov_rm64_r64),
            (RegClass::Float, _) => (Code::VEX_Kmovq_kr_km64, Code::VEX_Kmovq_m64_kr),
            (RegClass::Vector, Level::Avx2) => {
                (Code::VEX_Vmovups_ymm_ymmm256, Code::VEX_Vmovups_ymmm256_ymm)
            }
            (RegClass::Vector, Level::Avx512) => (
                Code::EVEX_Vmovups_zmm_k1z_zmmm512,
                Code::EVEX_Vmovups_zmmm512_k1z_zmm,
            ),
        }
    }

    fn op(
        &self,
        code: Code,
        args: &[Arg],
        masked: bool,
        zeroing: bool,
        allocs: &[Allocation],
    ) -> Instruction {
        let mut inst = plain(code);
        let mut allocs = allocs.iter().map(|a| a.as_reg().unwrap_or(PReg::invalid()));
        let mut next = || allocs.next().unwrap_or(PReg::invalid());
        for (i, arg) in args.iter().enumerate() {
            let i = i as u32;
            match arg {
                Arg::Def(_) | Arg::Use(_) => {
                    let reg = next();
                    set_register(&mut inst, i, sized(code, i, reg));
                }
                Arg::Tied(..) => {
                    let (_from, to) = (next(), next());
                    set_register(&mut inst, i, sized(code, i, to));
                }
                Arg::Any(register) => set_register(&mut inst, i, *register),
                Arg::Mem(mem) => {
                    let base = match mem.base {
                        Base::Reg(_) => Some(next()),
                        Base::Constants | Base::Frame => None,
                    };
                    self.memory(&mut inst, i, mem, base);
                }
                Arg::Imm(value) => set_immediate(&mut inst, i, *value),
            }
        }
        if masked {
            inst.set_op_mask(Register::K0 + next().hw_enc() as u32);
            inst.set_zeroing_masking(zeroing);
        }
        inst
    }

    fn memory(&self, inst: &mut Instruction, i: u32, mem: &Mem, base: Option<PReg>) {
        match (mem.base, base) {
            (Base::Reg(_), Some(reg)) => {
                set_memory(inst, i, self.general(reg.hw_enc()), mem.offset);
            }
            (Base::Frame, _) => {
                let offset = self.frame.buffer(mem.offset);
                set_memory(inst, i, Register::RSP, offset);
            }
            _ => {
                set_memory(inst, i, Register::RIP, 0);
                inst.set_memory_displacement64(ORIGIN + mem.offset as u64);
            }
        }
        inst.set_is_broadcast(mem.broadcast);
    }
}

/// An instruction without operands yet.
pub(super) fn plain(code: Code) -> Instruction {
    let mut inst = Instruction::default();
    inst.set_code(code);
    inst
}

/// A jump or call that has no target yet.
pub(super) fn branch(code: Code) -> Instruction {
    let mut inst = plain(code);
    inst.set_op_kind(0, OpKind::NearBranch64);
    inst
}

pub(super) fn set_register(inst: &mut Instruction, i: u32, register: Register) {
    inst.set_op_kind(i, OpKind::Register);
    inst.set_op_register(i, register);
}

pub(super) fn set_memory(inst: &mut Instruction, i: u32, base: Register, offset: i32) {
    inst.set_op_kind(i, OpKind::Memory);
    inst.set_memory_base(base);
    inst.set_memory_index_scale(1);
    inst.set_memory_displ_size(1);
    inst.set_memory_displacement64(i64::from(offset) as u64);
}

pub(super) fn set_immediate(inst: &mut Instruction, i: u32, value: i64) {
    let kind = match inst.code().op_code().op_kind(i) {
        OpCodeOperandKind::imm32sex64 => OpKind::Immediate32to64,
        OpCodeOperandKind::imm64 => OpKind::Immediate64,
        OpCodeOperandKind::imm32 => OpKind::Immediate32,
        _ => OpKind::Immediate8,
    };
    inst.set_op_kind(i, kind);
    if kind == OpKind::Immediate8 {
        inst.set_immediate8(value as u8);
    } else {
        inst.set_immediate_i64(i, value);
    }
}

/// The name of a register in the size that an operand of an instruction asks for.
fn sized(code: Code, operand: u32, reg: PReg) -> Register {
    use OpCodeOperandKind as Kind;
    let first = match code.op_code().op_kind(operand) {
        // Between the first four and the others there are the second bytes of the first four.
        Kind::r8_reg if reg.hw_enc() < 4 => Register::AL,
        Kind::r8_reg => Register::AH,
        Kind::r16_reg => Register::AX,
        Kind::r32_reg | Kind::r32_or_mem | Kind::r32_rm | Kind::r32_opcode => Register::EAX,
        Kind::r64_reg | Kind::r64_or_mem | Kind::r64_rm | Kind::r64_opcode => Register::RAX,
        Kind::r64_vvvv => Register::RAX,
        Kind::k_reg | Kind::kp1_reg | Kind::k_rm | Kind::k_vvvv | Kind::k_or_mem => Register::K0,
        Kind::xmm_reg | Kind::xmm_rm | Kind::xmm_vvvv | Kind::xmm_or_mem | Kind::xmm_is4 => {
            Register::XMM0
        }
        Kind::ymm_reg | Kind::ymm_rm | Kind::ymm_vvvv | Kind::ymm_or_mem | Kind::ymm_is4 => {
            Register::YMM0
        }
        _ => Register::ZMM0,
    };
    first + reg.hw_enc() as u32
}
