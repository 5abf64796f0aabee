//! The first instructions of a function: they guard the floating-point environment and choose the part that runs.
//!
//! Code computes in the default environment, and the caller's is left as it was, its flags included. So a loop gives the
//! same bits where the caller flushes subnormals or rounds otherwise, and code that reads the flags afterwards does not
//! see those of lanes that nobody asked for.
//!
//! MXCSR (Intel SDM volume 1, 10.2.3) is read once and written twice, whatever it holds: a Zen 5 takes 14 to 22 cycles to
//! read it, but only 4 to write it, so that to find out whether it must be written would take longer than to write it.

use super::emit::{ORIGIN, branch, plain, set_immediate, set_memory, set_register};
use iced_x86::{Code, Instruction, Register};

/// MXCSR at reset: all exceptions masked, rounding to nearest, nothing flushed, no flags.
pub(super) const DEFAULT_MXCSR: u32 = 0x1f80;

/// Bytes of stack for MXCSR, and so that the stack is aligned where parts are called.
const STACK: i64 = 24;

/// What a function begins with.
pub(super) struct Entry {
    /// Where [`DEFAULT_MXCSR`] stands among the constants, if what is computed depends on the environment or changes it.
    pub(super) default_mxcsr: Option<i32>,
    /// The most elements that the first part is to be given, if there is a second one, which gets calls with more.
    pub(super) most: Option<i64>,
}

/// The instructions of an entry.
#[derive(Default)]
pub(super) struct EntryCode {
    pub(super) code: Vec<Instruction>,
    /// Jumps among them, and where to.
    pub(super) jumps: Vec<(usize, usize)>,
    /// Jumps and calls to parts, and which.
    pub(super) parts: Vec<(usize, usize)>,
}

impl Entry {
    /// Its instructions, which the first part must follow.
    pub(super) fn code(&self) -> EntryCode {
        let mut made = EntryCode::default();
        let Some(default) = self.default_mxcsr else {
            if let Some(most) = self.most {
                made.code.push(compare(most));
                made.parts.push((1, 1));
                made.code.push(branch(Code::Jg_rel32_64));
            }
            return made;
        };
        made.code.push(stack(Code::Sub_rm64_imm32));
        made.code.push(mxcsr(Code::Stmxcsr_m32, Register::RSP, 0));
        let default = ORIGIN + default as u64;
        made.code
            .push(mxcsr(Code::Ldmxcsr_m32, Register::RIP, default));
        let mut choice = None;
        if let Some(most) = self.most {
            made.code.push(compare(most));
            choice = Some(made.code.len());
            made.code.push(branch(Code::Jg_rel32_64));
        }
        made.run(0);
        if let Some(choice) = choice {
            made.jumps.push((choice, made.code.len()));
            made.run(1);
        }
        made
    }
}

impl EntryCode {
    /// Runs a part, gives back the caller's environment, and returns.
    fn run(&mut self, part: usize) {
        self.parts.push((self.code.len(), part));
        self.code.push(branch(Code::Call_rel32_64));
        self.code.push(mxcsr(Code::Ldmxcsr_m32, Register::RSP, 0));
        self.code.push(stack(Code::Add_rm64_imm32));
        self.code.push(plain(Code::Retnq));
    }
}

fn stack(code: Code) -> Instruction {
    let mut inst = plain(code);
    set_register(&mut inst, 0, Register::RSP);
    set_immediate(&mut inst, 1, STACK);
    inst
}

fn mxcsr(code: Code, base: Register, displacement: u64) -> Instruction {
    let mut inst = plain(code);
    set_memory(&mut inst, 0, base, 0);
    inst.set_memory_displacement64(displacement);
    inst
}

/// Compares the number of elements, which the second argument points at, with another.
fn compare(most: i64) -> Instruction {
    let mut inst = plain(Code::Cmp_rm64_imm32);
    set_memory(&mut inst, 0, Register::RSI, 0);
    set_immediate(&mut inst, 1, most);
    inst
}
