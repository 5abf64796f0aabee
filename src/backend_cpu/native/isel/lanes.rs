//! Vectors: constants, operands from memory, and moving lanes between vectors.

use super::{Cx, Few, Lanes, Src};
use crate::native::codes::{self, Lane, VecOp};
use crate::native::level::Level;
use crate::native::mach::{Arg, Base, Mem, Reg};
use crate::native::plan::Layout;
use iced_x86::{Code, OpCodeOperandKind, Register};
use smallvec::{SmallVec, smallvec};
use ufc_ir::{Const, DType};

/// The bits of a constant as a lane holds them.
fn lane_bits(constant: Const) -> u64 {
    match constant.dtype() {
        DType::I8 | DType::I16 => u64::from(constant.as_int() as u32),
        _ => constant.bits() as u64,
    }
}

/// Whether an operand of an instruction may be in memory.
fn takes_memory(code: Code, operand: u32) -> bool {
    matches!(
        code.op_code().op_kind(operand),
        OpCodeOperandKind::xmm_or_mem
            | OpCodeOperandKind::ymm_or_mem
            | OpCodeOperandKind::zmm_or_mem
    )
}

impl Cx<'_> {
    /// A constant in every lane.
    pub(super) fn splat(&mut self, constant: Const) -> Src {
        self.splat_bits(self.lane(constant.dtype()), lane_bits(constant))
    }

    /// The same bits in every lane.
    pub(super) fn splat_bits(&mut self, lane: Lane, bits: u64) -> Src {
        // Narrower lanes are repeated: what reads one element for all lanes reads no less than 4 bytes.
        let (bits, width) = match lane.width() {
            1 => (bits & 0xff, 4),
            2 => (bits & 0xffff, 4),
            width => (bits, width),
        };
        let bits = match lane {
            Lane::I8 => bits * 0x0101_0101,
            Lane::I16 => bits * 0x0001_0001,
            _ => bits,
        };
        let element = &bits.to_le_bytes()[..width];
        let at = match self.level {
            // Without embedded broadcast whole vectors are operands.
            Level::Avx2 => self.mach.constant(&element.repeat(32 / width)),
            Level::Avx512 => self.mach.constant(element),
        };
        let mask = u64::MAX >> (64 - 8 * width);
        let bits = bits & mask;
        Src::Splat { at, bits, width }
    }

    /// A zero in every lane.
    pub(super) fn zero(&mut self) -> Src {
        let to = self.vector();
        let any = Arg::Any(Register::XMM0);
        let code = match self.level {
            Level::Avx2 => Code::VEX_Vpxor_xmm_xmm_xmmm128,
            Level::Avx512 => Code::EVEX_Vpxord_xmm_k1z_xmm_xmmm128b32,
        };
        self.emit(code, &[Arg::Def(to), any, any]);
        Src::Reg(to)
    }

    /// A whole vector from its bytes.
    pub(super) fn constant_vector(&mut self, lane: Lane, bytes: &[u8]) -> Reg {
        let at = self.mach.constant(bytes);
        self.load_constant(at, VecOp::Move, lane)
    }

    /// Loads a vector of constants.
    fn load_constant(&mut self, at: i32, op: VecOp, lane: Lane) -> Reg {
        let mem = Mem {
            base: Base::Constants,
            offset: at,
            broadcast: false,
        };
        let to = self.vector();
        let code = self.code(op, lane);
        self.emit(code, &[Arg::Def(to), Arg::Mem(mem)]);
        to
    }

    /// A vector in a register.
    pub(super) fn reg(&mut self, src: Src, lane: Lane) -> Reg {
        let (op, mem) = match src {
            Src::Reg(reg) => return reg,
            Src::Splat { bits: 0, .. } => {
                let zero = self.zero();
                return self.reg(zero, lane);
            }
            Src::Splat { at, width, .. } => {
                let lane = if width == lane.width() {
                    lane
                } else {
                    Lane::int(width)
                };
                let op = match self.level {
                    Level::Avx2 => VecOp::Move,
                    Level::Avx512 => VecOp::Broadcast,
                };
                return self.load_constant(at, op, lane);
            }
            Src::Mem(mem) => (VecOp::Move, mem),
        };
        let to = self.vector();
        let code = self.code(op, lane);
        self.emit(code, &[Arg::Def(to), Arg::Mem(mem)]);
        to
    }

    /// A vector as an instruction's last operand: from memory if the instruction can take it from there.
    pub(super) fn operand(&mut self, src: Src, lane: Lane, code: Code, number: u32) -> Arg {
        let mem = match src {
            Src::Splat { at, width, .. } if takes_memory(code, number) => {
                let broadcast = self.level == Level::Avx512;
                let fits =
                    !broadcast || (code.op_code().can_broadcast() && width == lane.width().max(4));
                fits.then_some(Mem {
                    base: Base::Constants,
                    offset: at,
                    broadcast,
                })
            }
            Src::Mem(mem) if takes_memory(code, number) => Some(mem),
            _ => None,
        };
        match mem {
            Some(mem) => Arg::Mem(mem),
            None => Arg::Use(self.reg(src, lane)),
        }
    }

    /// The instruction of an operation; refuses if there is none.
    pub(super) fn code(&mut self, op: VecOp, lane: Lane) -> Code {
        codes::code(op, lane, self.level).unwrap_or_else(|| {
            self.refuse(format!("{op:?} on {lane:?}"));
            Code::Nopd
        })
    }

    /// Whether there is an instruction for an operation.
    pub(super) fn has(&self, op: VecOp, lane: Lane) -> bool {
        codes::code(op, lane, self.level).is_some()
    }

    /// An operation whose result is a new vector; the last argument may come from memory.
    pub(super) fn vec_op(&mut self, op: VecOp, lane: Lane, args: &[Src]) -> Reg {
        let to = self.vector();
        self.op_into(op, lane, args, None, to);
        to
    }

    /// An operation with an immediate.
    pub(super) fn vec_op_imm(&mut self, op: VecOp, lane: Lane, args: &[Src], imm: i64) -> Reg {
        let to = self.vector();
        self.op_into(op, lane, args, Some(imm), to);
        to
    }

    /// An operation whose result goes to a given register.
    pub(super) fn op_into(
        &mut self,
        op: VecOp,
        lane: Lane,
        args: &[Src],
        imm: Option<i64>,
        to: Reg,
    ) {
        let code = self.code(op, lane);
        if self.refused.is_some() {
            return;
        }
        let mut list: SmallVec<[Arg; 4]> = smallvec![Arg::Def(to)];
        for (i, src) in args.iter().enumerate() {
            let arg = if i + 1 == args.len() {
                self.operand(*src, lane, code, i as u32 + 1)
            } else {
                Arg::Use(self.reg(*src, lane))
            };
            list.push(arg);
        }
        list.extend(imm.map(Arg::Imm));
        self.emit(code, &list);
    }

    /// An operation whose first argument's register becomes the result's.
    pub(super) fn tied_op(&mut self, op: VecOp, lane: Lane, args: [Src; 3]) -> Reg {
        let code = self.code(op, lane);
        let from = self.reg(args[0], lane);
        let middle = self.reg(args[1], lane);
        let last = self.operand(args[2], lane, code, 2);
        let to = self.vector();
        self.emit(code, &[Arg::Tied(from, to), Arg::Use(middle), last]);
        to
    }

    /// A binary operation that does not mind the order of its arguments: a constant goes last.
    pub(super) fn commutative(&mut self, op: VecOp, lane: Lane, a: Src, b: Src) -> Reg {
        match (a, b) {
            (Src::Splat { .. } | Src::Mem(_), Src::Reg(_)) => self.vec_op(op, lane, &[b, a]),
            _ => self.vec_op(op, lane, &[a, b]),
        }
    }

    /// Vectors of which none is in memory that may be written to before they are used.
    pub(super) fn settled(&mut self, lanes: Lanes, lane: Lane) -> Lanes {
        let settle = |src| match src {
            Src::Mem(_) => Src::Reg(self.reg(src, lane)),
            Src::Reg(_) | Src::Splat { .. } => src,
        };
        lanes.into_iter().map(settle).collect()
    }

    /// A half of a vector in the lower half of another: the lower one is there already.
    pub(super) fn half(&mut self, src: Src, upper: bool) -> Src {
        if let Src::Mem(mem) = src {
            let distance = if upper { self.level.vector() / 2 } else { 0 };
            let offset = mem.offset + distance as i32;
            return Src::Mem(Mem { offset, ..mem });
        }
        let reg = self.reg(src, Lane::I32);
        if !upper {
            return Src::Reg(reg);
        }
        Src::Reg(self.vec_op_imm(VecOp::Half, Lane::I32, &[Src::Reg(reg)], 1))
    }

    /// Two lower halves side by side.
    pub(super) fn join(&mut self, low: Reg, high: Reg) -> Reg {
        let args = [Src::Reg(low), Src::Reg(high)];
        self.vec_op_imm(VecOp::SetHalf, Lane::I32, &args, 1)
    }

    /// Vectors become twice as many of lanes twice as wide, each from a lower half.
    pub(super) fn widen(
        &mut self,
        value: &Lanes,
        mut each: impl FnMut(&mut Self, Src) -> Reg,
    ) -> Lanes {
        let mut wide = Lanes::new();
        for src in value {
            let halves: &[bool] = if self.is_uniform {
                &[false]
            } else {
                &[false, true]
            };
            for upper in halves {
                let half = self.half(*src, *upper);
                wide.push(Src::Reg(each(self, half)));
            }
        }
        wide
    }

    /// Vectors of 64-bit lanes become half as many of 32-bit lanes; `each` makes a lower half of one.
    pub(super) fn narrow(
        &mut self,
        value: &Lanes,
        mut each: impl FnMut(&mut Self, Src) -> Reg,
    ) -> Lanes {
        value
            .chunks(2)
            .map(|pair| {
                let low = each(self, pair[0]);
                let high = if pair.len() > 1 {
                    each(self, pair[1])
                } else {
                    low
                };
                Src::Reg(self.join(low, high))
            })
            .collect()
    }

    /// The lower 8 bits of the 16-bit lanes of vectors, of which nothing else is set if they are `small`.
    pub(super) fn low_bytes(&mut self, value: &Lanes, small: bool) -> Lanes {
        let low = self.splat_bits(Lane::I16, 0xff);
        let value: Lanes = value
            .iter()
            .map(|src| match small {
                true => *src,
                false => Src::Reg(self.vec_op(VecOp::And, Lane::I16, &[*src, low])),
            })
            .collect();
        value
            .chunks(2)
            .map(|pair| {
                let args = [pair[0], pair[pair.len() - 1]];
                let mixed = Src::Reg(self.vec_op(VecOp::Pack8, Lane::I32, &args));
                if self.plan.layout == Layout::Unpacked {
                    return mixed;
                }
                // Per 128 bits there are now 8 lanes of each: put those of the first together.
                if self.level == Level::Avx2 {
                    return Src::Reg(self.vec_op_imm(VecOp::Quarters, Lane::I64, &[mixed], 0xd8));
                }
                let order = [0, 2, 4, 6, 1, 3, 5, 7u64];
                let order = Src::Reg(self.lane_list(Lane::I64, order.into_iter()));
                Src::Reg(self.vec_op(VecOp::Reorder, Lane::I64, &[order, mixed]))
            })
            .collect()
    }

    /// The lower 32 bits of the 64-bit lanes of vectors.
    pub(super) fn low_bits(&mut self, value: &Lanes) -> Lanes {
        if self.level == Level::Avx512 {
            return self.narrow(value, |cx, src| {
                let from = cx.reg(src, Lane::I64);
                let to = cx.vector();
                let code = cx.code(VecOp::NarrowInt, Lane::I32);
                cx.emit(code, &[Arg::Def(to), Arg::Use(from)]);
                to
            });
        }
        value
            .chunks(2)
            .map(|pair| {
                let args = [pair[0], pair[pair.len() - 1]];
                let mixed = self.vec_op_imm(VecOp::Shuffle, Lane::F32, &args, 0x88);
                // Per 128 bits there are now two lanes of each: put those of the first together.
                Src::Reg(self.vec_op_imm(VecOp::Quarters, Lane::I64, &[Src::Reg(mixed)], 0xd8))
            })
            .collect()
    }

    /// Applies an operation to each vector of two lists.
    pub(super) fn zip(
        &mut self,
        a: &Lanes,
        b: &Lanes,
        mut each: impl FnMut(&mut Self, Src, Src) -> Reg,
    ) -> Few<Reg> {
        a.iter().zip(b).map(|(a, b)| each(self, *a, *b)).collect()
    }
}
