//! Integers in general registers: what the loops over elements count and address with.

use super::Cx;
use crate::native::mach::{Arg, Base, Block, Class, Cond, MachInst, Mem, Reg};
use iced_x86::Code;

impl Cx<'_> {
    pub(super) fn general(&mut self) -> Reg {
        self.mach.reg(Class::General)
    }

    pub(super) fn integer(&mut self, value: i64) -> Reg {
        let to = self.general();
        let code = match (u32::try_from(value), i32::try_from(value)) {
            (Ok(_), _) => Code::Mov_r32_imm32,
            (_, Ok(_)) => Code::Mov_rm64_imm32,
            _ => Code::Mov_r64_imm64,
        };
        self.emit(code, &[Arg::Def(to), Arg::Imm(value)]);
        to
    }

    /// The 64 bits at an address.
    pub(super) fn load64(&mut self, base: Reg, offset: i32) -> Reg {
        let to = self.general();
        let mem = Mem {
            base: Base::Reg(base),
            offset,
            broadcast: false,
        };
        self.emit(Code::Mov_r64_rm64, &[Arg::Def(to), Arg::Mem(mem)]);
        to
    }

    /// Writes 64 bits to a place in the frame.
    pub(super) fn store64(&mut self, offset: i32, value: Reg) {
        let mem = Mem {
            base: Base::Frame,
            offset,
            broadcast: false,
        };
        self.emit(Code::Mov_rm64_r64, &[Arg::Mem(mem), Arg::Use(value)]);
    }

    /// Copies an element of so many bytes from one address to another.
    pub(super) fn copy_element(&mut self, size: usize, from: Reg, to: Reg) {
        let (load, store) = match size {
            1 => (Code::Movzx_r32_rm8, Code::Mov_rm8_r8),
            2 => (Code::Movzx_r32_rm16, Code::Mov_rm16_r16),
            4 => (Code::Mov_r32_rm32, Code::Mov_rm32_r32),
            _ => (Code::Mov_r64_rm64, Code::Mov_rm64_r64),
        };
        for offset in (0..size).step_by(8) {
            let [from, to] = [from, to].map(|base| Mem {
                base: Base::Reg(base),
                offset: offset as i32,
                broadcast: false,
            });
            let part = self.general();
            self.emit(load, &[Arg::Def(part), Arg::Mem(from)]);
            self.emit(store, &[Arg::Mem(to), Arg::Use(part)]);
        }
    }

    /// Address of a buffer in the frame.
    pub(super) fn frame_address(&mut self, offset: i32) -> Reg {
        let to = self.general();
        let mem = Mem {
            base: Base::Frame,
            offset,
            broadcast: false,
        };
        self.emit(Code::Lea_r64_m, &[Arg::Def(to), Arg::Mem(mem)]);
        to
    }

    fn tied2(&mut self, code: Code, a: Reg, b: Arg) -> Reg {
        let to = self.general();
        self.emit(code, &[Arg::Tied(a, to), b]);
        to
    }

    pub(super) fn add(&mut self, a: Reg, b: Reg) -> Reg {
        self.tied2(Code::Add_r64_rm64, a, Arg::Use(b))
    }

    pub(super) fn add_imm(&mut self, a: Reg, b: i64) -> Reg {
        self.tied2(Code::Add_rm64_imm32, a, Arg::Imm(b))
    }

    pub(super) fn sub(&mut self, a: Reg, b: Reg) -> Reg {
        self.tied2(Code::Sub_r64_rm64, a, Arg::Use(b))
    }

    /// Where something is so many steps after where it starts.
    pub(super) fn moved(&mut self, start: Reg, step: Reg, steps: Reg) -> Reg {
        let distance = self.mul(steps, step);
        self.add(start, distance)
    }

    pub(super) fn mul(&mut self, a: Reg, b: Reg) -> Reg {
        self.tied2(Code::Imul_r64_rm64, a, Arg::Use(b))
    }

    pub(super) fn mul_imm(&mut self, a: Reg, b: i64) -> Reg {
        let to = self.general();
        let args = [Arg::Def(to), Arg::Use(a), Arg::Imm(b)];
        self.emit(Code::Imul_r64_rm64_imm32, &args);
        to
    }

    pub(super) fn and(&mut self, a: Reg, b: Reg) -> Reg {
        self.tied2(Code::And_r64_rm64, a, Arg::Use(b))
    }

    pub(super) fn and_imm(&mut self, a: Reg, b: i64) -> Reg {
        self.tied2(Code::And_rm64_imm32, a, Arg::Imm(b))
    }

    /// A value shifted right by a number of bits.
    pub(super) fn shift_right(&mut self, a: Reg, bits: u32) -> Reg {
        self.tied2(Code::Shr_rm64_imm8, a, Arg::Imm(i64::from(bits)))
    }

    pub(super) fn or(&mut self, a: Reg, b: Reg) -> Reg {
        self.tied2(Code::Or_r64_rm64, a, Arg::Use(b))
    }

    pub(super) fn compare_general(&mut self, a: Reg, b: Reg) {
        self.emit(Code::Cmp_r64_rm64, &[Arg::Use(a), Arg::Use(b)]);
    }

    pub(super) fn compare_imm(&mut self, a: Reg, b: i64) {
        self.emit(Code::Cmp_rm64_imm32, &[Arg::Use(a), Arg::Imm(b)]);
    }

    /// One of two values by the flags.
    pub(super) fn by_flags(&mut self, cond: Cond, yes: Reg, no: Reg) -> Reg {
        let to = self.general();
        self.emit(cond.cmov(), &[Arg::Tied(no, to), Arg::Use(yes)]);
        to
    }

    /// 1 where a value is equal to a number, else 0.
    pub(super) fn is_equal(&mut self, a: Reg, b: i64) -> Reg {
        let (one, zero) = (self.integer(1), self.integer(0));
        self.compare_imm(a, b);
        self.by_flags(Cond::Equal, one, zero)
    }

    /// One of two values by a bool that is 0 or 1.
    pub(super) fn pick(&mut self, bool: Reg, yes: Reg, no: Reg) -> Reg {
        self.compare_imm(bool, 0);
        self.by_flags(Cond::NotEqual, yes, no)
    }

    /// The lesser one of two signed values.
    pub(super) fn least(&mut self, a: Reg, b: Reg) -> Reg {
        self.compare_general(a, b);
        self.by_flags(Cond::Less, a, b)
    }

    /// The greater one of two signed values.
    pub(super) fn greatest(&mut self, a: Reg, b: Reg) -> Reg {
        self.compare_general(a, b);
        self.by_flags(Cond::Less, b, a)
    }

    pub(super) fn jump(&mut self, to: Block, args: Vec<Reg>) {
        self.push(MachInst::Jump(to, args));
    }

    /// Emits code, from a block on, that seldom runs, and is laid out after all the rest.
    pub(super) fn rarely(&mut self, block: Block, emit: impl FnOnce(&mut Self)) {
        let here = self.block;
        let order = std::mem::replace(&mut self.mach.order, std::mem::take(&mut self.rare));
        self.arms += 1;
        self.switch_to(block);
        emit(self);
        self.arms -= 1;
        self.rare = std::mem::replace(&mut self.mach.order, order);
        self.block = here;
    }

    /// Lays out what seldom runs.
    pub(super) fn lay_out_rare(&mut self) {
        self.mach.order.append(&mut self.rare);
    }

    /// Emits code that runs where a number is not 0.
    pub(super) fn when(&mut self, bool: Reg, emit: impl FnOnce(&mut Self)) {
        let (yes, no, after) = (self.mach.block(), self.mach.block(), self.mach.block());
        self.compare_imm(bool, 0);
        self.push(MachInst::Branch(Cond::NotEqual, yes, no));
        self.switch_to(no);
        self.jump(after, Vec::new());
        self.switch_to(yes);
        emit(self);
        self.jump(after, Vec::new());
        self.switch_to(after);
    }
}
