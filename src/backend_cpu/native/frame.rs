//! The stack frame: saved registers, spill slots and buffers, and how a function enters and leaves it.

use super::emit::{plain, set_immediate, set_memory, set_register};
use iced_x86::{Code, Instruction, Register};

/// Bytes of stack that may be taken before a page of it must be touched.
const PAGE: usize = 4096;

/// Alignment of the frame, that of a whole vector.
const ALIGN: i64 = 64;

/// A frame, addressed from rsp: the buffers, then the spill slots.
pub(super) struct Frame {
    buffers: usize,
    size: usize,
    /// The registers that are given back as they were.
    saved: Vec<Register>,
    /// Whether there is anything to do at all.
    is_empty: bool,
}

impl Frame {
    /// A frame with so many bytes of buffers and so many spill slots of 8 bytes, for a function that changes these
    /// general registers of its caller's, and calls others if `calls`.
    pub(super) fn new(buffers: usize, slots: usize, saved: &[usize], calls: bool) -> Frame {
        let size = (buffers + slots * 8).next_multiple_of(ALIGN as usize);
        Frame {
            buffers,
            size,
            saved: saved.iter().map(|r| Register::RAX + *r as u32).collect(),
            is_empty: size == 0 && saved.is_empty() && !calls,
        }
    }

    /// Distance of a buffer's byte from rsp.
    pub(super) fn buffer(&self, offset: i32) -> i32 {
        offset
    }

    /// Distance of a spill slot from rsp.
    pub(super) fn spill(&self, slot: usize) -> i32 {
        (self.buffers + slot * 8) as i32
    }

    /// Saves registers, takes the stack page by page, so that running out of it is a fault and nothing worse, aligns.
    pub(super) fn enter(&self) -> Vec<Instruction> {
        if self.is_empty {
            return Vec::new();
        }
        let mut code = vec![push(Register::RBP)];
        code.push(copy(Register::RBP, Register::RSP));
        code.extend(self.saved.iter().copied().map(push));
        let mut left = self.size;
        while left > 0 {
            let step = left.min(PAGE);
            code.push(with_imm(Code::Sub_rm64_imm32, Register::RSP, step as i64));
            if step == PAGE {
                let mut touch = plain(Code::Or_rm64_imm8);
                set_memory(&mut touch, 0, Register::RSP, 0);
                touch.set_op_kind(1, iced_x86::OpKind::Immediate8to64);
                touch.set_immediate8to64(0);
                code.push(touch);
            }
            left -= step;
        }
        code.push(with_imm(Code::And_rm64_imm32, Register::RSP, -ALIGN));
        code
    }

    /// Undoes [`Frame::enter`] and returns, with the upper halves of vector registers clean.
    pub(super) fn leave(&self) -> Vec<Instruction> {
        let mut code = vec![plain(Code::VEX_Vzeroupper)];
        if !self.is_empty {
            let mut top = plain(Code::Lea_r64_m);
            set_register(&mut top, 0, Register::RSP);
            set_memory(&mut top, 1, Register::RBP, -8 * self.saved.len() as i32);
            code.push(top);
            code.extend(self.saved.iter().rev().copied().map(pop));
            code.push(pop(Register::RBP));
        }
        code.push(plain(Code::Retnq));
        code
    }
}

fn push(register: Register) -> Instruction {
    let mut inst = plain(Code::Push_r64);
    set_register(&mut inst, 0, register);
    inst
}

fn pop(register: Register) -> Instruction {
    let mut inst = plain(Code::Pop_r64);
    set_register(&mut inst, 0, register);
    inst
}

fn copy(to: Register, from: Register) -> Instruction {
    let mut inst = plain(Code::Mov_r64_rm64);
    set_register(&mut inst, 0, to);
    set_register(&mut inst, 1, from);
    inst
}

fn with_imm(code: Code, register: Register, value: i64) -> Instruction {
    let mut inst = plain(code);
    set_register(&mut inst, 0, register);
    set_immediate(&mut inst, 1, value);
    inst
}
