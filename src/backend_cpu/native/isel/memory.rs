//! A column's lanes of an operand, from and to memory where they lie side by side, all or some of them, and positions.

use super::{Cx, Few, Lanes, Src};
use crate::native::codes::{Lane, VecOp};
use crate::native::level::Level;
use crate::native::mach::{Arg, Base, Mem, Reg};
use iced_x86::Code;
use ufc_ir::DType;
use ufc_ir::func::Value;
use ufc_ir::ops::Op;

/// A place in memory, so many bytes after an address.
fn at(base: Reg, offset: usize) -> Mem {
    Mem {
        base: Base::Reg(base),
        offset: offset as i32,
        broadcast: false,
    }
}

/// What the lanes of an input are.
#[derive(Clone, Copy)]
enum Source {
    /// The elements from an address on.
    All,
    /// Of these as many as the register says; the others are the first one.
    Some(Reg),
    /// All the one at the address.
    One,
}

impl Cx<'_> {
    /// How many elements there are at an address, if there may be fewer than lanes.
    fn limit(&self, address: Reg) -> Option<Reg> {
        let limit = self.limits.iter().find(|(a, _)| *a == address);
        limit.map(|(_, limit)| *limit)
    }

    fn source(&self, from: Reg) -> Source {
        match self.limit(from) {
            _ if self.is_uniform => Source::One,
            Some(limit) => Source::Some(limit),
            None => Source::All,
        }
    }

    /// The element at an address as often as it fits in a vector.
    pub(super) fn element(&mut self, size: usize, from: Reg) -> Reg {
        use Code::*;
        let (avx2, avx512) = match size {
            1 => (VEX_Vpbroadcastb_ymm_xmmm8, EVEX_Vpbroadcastb_zmm_k1z_xmmm8),
            2 => (
                VEX_Vpbroadcastw_ymm_xmmm16,
                EVEX_Vpbroadcastw_zmm_k1z_xmmm16,
            ),
            4 => (VEX_Vbroadcastss_ymm_m32, EVEX_Vbroadcastss_zmm_k1z_xmmm32),
            8 => (VEX_Vbroadcastsd_ymm_m64, EVEX_Vbroadcastsd_zmm_k1z_xmmm64),
            _ => (
                VEX_Vbroadcastf128_ymm_m128,
                EVEX_Vbroadcastf64x2_zmm_k1z_m128,
            ),
        };
        let code = match self.level {
            Level::Avx2 => avx2,
            Level::Avx512 => avx512,
        };
        let to = self.vector();
        self.emit(code, &[Arg::Def(to), Arg::Mem(at(from, 0))]);
        to
    }

    /// Stores a vector again and again, until so many bytes are full.
    pub(super) fn fill(&mut self, vector: Reg, to: Reg, bytes: usize) {
        let code = self.code(VecOp::Store, Lane::I32);
        for offset in (0..bytes).step_by(self.level.vector()) {
            self.emit(code, &[Arg::Mem(at(to, offset)), Arg::Use(vector)]);
        }
    }

    /// The lanes of a width, of elements in `parts` of them each, that belong to the first `limit` elements, where the first
    /// lane is the one of this number.
    fn lanes_before(&mut self, limit: Reg, parts: usize, first: usize, width: usize) -> Reg {
        let mut count = limit;
        for _ in 1..parts {
            count = self.add(count, limit);
        }
        if self.level == Level::Avx2 {
            let lane = Lane::int(width);
            let count = self.splat_count(count, width);
            let numbers = (0..self.level.vector() / width).map(|i| (first + i) as u64);
            let bytes: Vec<u8> = numbers
                .flat_map(|n| n.to_le_bytes().into_iter().take(width))
                .collect();
            let numbers = Src::Mem(Mem {
                base: Base::Constants,
                offset: self.mach.constant(&bytes),
                broadcast: false,
            });
            return self.vec_op(VecOp::CompareGreater, lane, &[Src::Reg(count), numbers]);
        }
        if first > 0 {
            let zero = self.integer(0);
            let rest = self.add_imm(count, -(first as i64));
            count = self.greatest(rest, zero);
        }
        if self.plan.lanes * parts > u8::MAX.into() {
            // BZHI looks at 8 bits of its count (Intel SDM volume 2, BZHI).
            let full = self.integer(u64::BITS.into());
            count = self.least(count, full);
        }
        let ones = self.integer(-1);
        let (bits, mask) = (self.general(), self.mask_reg());
        let args = [Arg::Def(bits), Arg::Use(ones), Arg::Use(count)];
        self.emit(Code::VEX_Bzhi_r64_rm64_r64, &args);
        self.emit(Code::VEX_Kmovq_kr_r64, &[Arg::Def(mask), Arg::Use(bits)]);
        mask
    }

    /// A number of elements in every lane of a width.
    fn splat_count(&mut self, count: Reg, width: usize) -> Reg {
        if width == 8 {
            return self.splat_general(count);
        }
        let (low, to) = (self.vector(), self.vector());
        self.emit(Code::VEX_Vmovq_xmm_rm64, &[Arg::Def(low), Arg::Use(count)]);
        let args = [Arg::Def(to), Arg::Use(low)];
        self.emit(Code::VEX_Vpbroadcastd_ymm_xmmm32, &args);
        to
    }

    /// The mask of what is loaded or stored at an offset from the first of `limit` elements of a size, and the lanes it is for.
    fn memory_mask(&mut self, limit: Reg, size: usize, offset: usize) -> (Reg, Lane) {
        let width = size.min(8);
        let mask = self.lanes_before(limit, size / width, offset / width, width);
        (mask, Lane::int(width))
    }

    /// A vector as it is in memory, at an offset from the first of an input's elements of a size.
    fn piece(&mut self, size: usize, from: Reg, offset: usize) -> Src {
        let limit = match self.source(from) {
            Source::All => return Src::Mem(at(from, offset)),
            Source::One => return Src::Reg(self.element(size, from)),
            Source::Some(limit) => limit,
        };
        let first = self.element(size, from);
        let (mask, lane) = self.memory_mask(limit, size, offset);
        let mem = Arg::Mem(at(from, offset));
        let to = self.vector();
        if self.level == Level::Avx512 {
            let code = self.code(VecOp::Move, lane);
            self.emit_masked(code, &[Arg::Tied(first, to), mem], mask);
            return Src::Reg(to);
        }
        let code = match lane.width() {
            4 => Code::VEX_Vpmaskmovd_ymm_ymm_m256,
            _ => Code::VEX_Vpmaskmovq_ymm_ymm_m256,
        };
        self.emit(code, &[Arg::Def(to), Arg::Use(mask), mem]);
        Src::Reg(self.blend(mask, lane, Src::Reg(to), Src::Reg(first)))
    }

    /// Loads a column's lanes of an input.
    pub(super) fn load(&mut self, value: Value, from: Reg) {
        let dtype = self.func.dtype(value);
        let lane = self.lane(dtype);
        match dtype {
            DType::Bool => {
                let bytes = match lane {
                    Lane::I8 => self.piece(1, from, self.offset(1, 0)),
                    _ => self.load_narrow(VecOp::LoadU8, 1, from),
                };
                let mut masks = Few::new();
                masks.push(self.non_zero(lane, bytes));
                let planned = self.plan.mask(value);
                self.set_fitted(value, masks, lane.width(), planned);
            }
            _ if dtype.size() == lane.width() => self.load_plain(value, lane, from),
            DType::I8 | DType::I16 | DType::U8 | DType::U16 | DType::F16 | DType::BF16 => {
                let op = match (dtype.size(), dtype.is_signed()) {
                    (1, true) => VecOp::LoadI8,
                    (1, false) => VecOp::LoadU8,
                    (_, true) => VecOp::LoadI16,
                    (_, false) => VecOp::LoadU16,
                };
                let mut lanes = Lanes::new();
                lanes.push(self.load_narrow(op, dtype.size(), from));
                self.set_lanes(value, lanes);
            }
            DType::C64 | DType::C128 => {
                let parts = self.load_complex(dtype, from);
                self.set_parts(value, parts);
            }
            DType::I32 | DType::I64 | DType::U32 | DType::U64 | DType::F32 | DType::F64 => {
                self.load_plain(value, lane, from);
            }
        }
    }

    /// Loads lanes that are in memory as they are in vectors.
    fn load_plain(&mut self, value: Value, lane: Lane, from: Reg) {
        let stays = self.stays_in_memory[value] && !self.is_uniform;
        let width = lane.width();
        let lanes = (0..self.count(width))
            .map(|i| {
                let src = self.piece(width, from, self.offset(width, i));
                if stays {
                    src
                } else {
                    Src::Reg(self.reg(src, lane))
                }
            })
            .collect();
        self.set_lanes(value, lanes);
    }

    /// Distance of the current column's vector number `index` from an operand's first byte.
    fn offset(&self, width: usize, index: usize) -> usize {
        (self.column * self.plan.count(width) + index) * self.level.vector()
    }

    /// Distance of the current column from an operand's first byte, where elements are of this size.
    fn narrow_offset(&self, size: usize) -> usize {
        self.column * self.plan.column_lanes() * size
    }

    /// Loads 8- or 16-bit elements into 32-bit lanes.
    fn load_narrow(&mut self, op: VecOp, size: usize, from: Reg) -> Src {
        let code = self.code(op, Lane::I32);
        let mem = Arg::Mem(at(from, self.narrow_offset(size)));
        let source = self.source(from);
        let to = self.vector();
        if let Source::All = source {
            self.emit(code, &[Arg::Def(to), mem]);
            return Src::Reg(to);
        }
        let element = self.element(size, from);
        self.emit(code, &[Arg::Def(to), Arg::Use(element)]);
        let Source::Some(limit) = source else {
            return Src::Reg(to);
        };
        let first = self.column * self.plan.column_lanes();
        let mask = self.lanes_before(limit, 1, first, 4);
        let lanes = self.vector();
        self.emit_masked(code, &[Arg::Tied(to, lanes), mem], mask);
        Src::Reg(lanes)
    }

    /// Loads pairs and takes them apart.
    fn load_complex(&mut self, dtype: DType, from: Reg) -> (Lanes, Lanes) {
        let lane = self.lane(dtype);
        let (mut re, mut im) = (Lanes::new(), Lanes::new());
        for i in 0..self.count(lane.width()) {
            let start = 2 * self.offset(lane.width(), i);
            let a = self.piece(dtype.size(), from, start);
            let b = self.piece(dtype.size(), from, start + self.level.vector());
            let (a, b) = (self.reg(a, lane), self.reg(b, lane));
            for (parts, odd) in [(&mut re, false), (&mut im, true)] {
                parts.push(Src::Reg(self.every_second(lane, a, b, odd)));
            }
        }
        (re, im)
    }

    /// The even or odd lanes of two vectors.
    fn every_second(&mut self, lane: Lane, a: Reg, b: Reg, odd: bool) -> Reg {
        let (a, b) = (Src::Reg(a), Src::Reg(b));
        if self.level == Level::Avx512 {
            let count = self.level.vector() / lane.width();
            let numbers = (0..count as u64).map(|j| 2 * j + u64::from(odd));
            let numbers = self.lane_list(lane, numbers);
            return self.tied_op(VecOp::Permute, lane, [Src::Reg(numbers), a, b]);
        }
        // Per 128 bits first; then the quarters are put in order.
        let mixed = match (lane, odd) {
            (Lane::F32, false) => self.vec_op_imm(VecOp::Shuffle, lane, &[a, b], 0x88),
            (Lane::F32, true) => self.vec_op_imm(VecOp::Shuffle, lane, &[a, b], 0xdd),
            (_, false) => self.vec_op(VecOp::UnpackLow, lane, &[a, b]),
            (_, true) => self.vec_op(VecOp::UnpackHigh, lane, &[a, b]),
        };
        self.vec_op_imm(VecOp::Quarters, Lane::I64, &[Src::Reg(mixed)], 0xd8)
    }

    /// A vector of these lanes.
    pub(super) fn lane_list(&mut self, lane: Lane, lanes: impl Iterator<Item = u64>) -> Reg {
        let bytes: Vec<u8> = lanes
            .flat_map(|n| n.to_le_bytes().into_iter().take(lane.width()))
            .collect();
        self.constant_vector(lane, &bytes)
    }

    /// Stores a column's lanes of an output.
    pub(super) fn store(&mut self, value: Value, to: Reg) {
        let dtype = self.func.dtype(value);
        let lane = self.lane(dtype);
        match dtype {
            DType::Bool => {
                let masks = self.mask(value, lane.width());
                let one = self.splat_bits(lane, 1);
                let bytes = self.keep(masks[0], lane, one);
                match lane {
                    Lane::I8 => self.store_at(bytes, lane, 1, to, self.offset(1, 0)),
                    _ => self.store_narrow(bytes, DType::U8, to),
                }
            }
            _ if dtype.size() == lane.width() => self.store_plain(value, lane, to),
            DType::I8 | DType::I16 | DType::U8 | DType::U16 | DType::F16 | DType::BF16 => {
                let lanes = self.lanes(value);
                let reg = self.reg(lanes[0], Lane::I32);
                self.store_narrow(reg, dtype, to);
            }
            DType::C64 | DType::C128 => self.store_complex(value, to),
            DType::I32 | DType::I64 | DType::U32 | DType::U64 | DType::F32 | DType::F64 => {
                self.store_plain(value, lane, to);
            }
        }
    }

    /// Stores lanes as they are.
    fn store_plain(&mut self, value: Value, lane: Lane, to: Reg) {
        for (i, src) in self.lanes(value).into_iter().enumerate() {
            let reg = self.reg(src, lane);
            let offset = self.offset(lane.width(), i);
            self.store_at(reg, lane, lane.width(), to, offset);
        }
    }

    /// Stores a vector at an offset from the first of an output's elements of a size.
    fn store_at(&mut self, reg: Reg, lane: Lane, size: usize, to: Reg, offset: usize) {
        if let Some(limit) = self.limit(to) {
            let (mask, lane) = self.memory_mask(limit, size, offset);
            let mem = Arg::Mem(at(to, offset));
            let code = match (self.level, lane) {
                (Level::Avx512, _) => {
                    let code = self.code(VecOp::Store, lane);
                    return self.emit_masked(code, &[mem, Arg::Use(reg)], mask);
                }
                (Level::Avx2, Lane::I32) => Code::VEX_Vpmaskmovd_m256_ymm_ymm,
                (Level::Avx2, _) => Code::VEX_Vpmaskmovq_m256_ymm_ymm,
            };
            return self.emit(code, &[mem, Arg::Use(mask), Arg::Use(reg)]);
        }
        let op = if self.streaming {
            VecOp::StorePast
        } else {
            VecOp::Store
        };
        let code = self.code(op, lane);
        self.emit(code, &[Arg::Mem(at(to, offset)), Arg::Use(reg)]);
    }

    /// Stores the low bits of 32-bit lanes.
    fn store_narrow(&mut self, lanes: Reg, dtype: DType, to: Reg) {
        let mem = Arg::Mem(at(to, self.narrow_offset(dtype.size())));
        let (narrow, store) = match dtype.size() {
            1 => (VecOp::Store8, Code::VEX_Vmovq_xmmm64_xmm),
            _ => (VecOp::Store16, Code::VEX_Vmovdqu_xmmm128_xmm),
        };
        if self.level == Level::Avx512 {
            let code = self.code(narrow, Lane::I32);
            let Some(limit) = self.limit(to) else {
                return self.emit(code, &[mem, Arg::Use(lanes)]);
            };
            let first = self.column * self.plan.column_lanes();
            let mask = self.lanes_before(limit, 1, first, 4);
            return self.emit_masked(code, &[mem, Arg::Use(lanes)], mask);
        }
        // What is packed must be in range as an unsigned integer.
        let low = self.splat_bits(Lane::I32, u64::from(u32::MAX >> (32 - dtype.bits())));
        let low = Src::Reg(self.vec_op(VecOp::And, Lane::I32, &[Src::Reg(lanes), low]));
        let halves = self.vec_op(VecOp::Pack16, Lane::I32, &[low, low]);
        let mut packed = self.vec_op_imm(VecOp::Quarters, Lane::I64, &[Src::Reg(halves)], 0x08);
        if dtype.size() == 1 {
            let halves = Src::Reg(packed);
            packed = self.vec_op(VecOp::Pack8, Lane::I32, &[halves, halves]);
        }
        self.emit(store, &[mem, Arg::Use(packed)]);
    }

    /// Puts parts together and stores the pairs.
    fn store_complex(&mut self, value: Value, to: Reg) {
        let dtype = self.func.dtype(value);
        let lane = self.lane(dtype);
        let (re, im) = self.parts(value);
        for (i, (re, im)) in re.into_iter().zip(im).enumerate() {
            let start = 2 * self.offset(lane.width(), i);
            let (re, im) = (self.reg(re, lane), self.reg(im, lane));
            let pairs = self.interleaved(lane, re, im);
            for (j, vector) in pairs.into_iter().enumerate() {
                let offset = start + j * self.level.vector();
                self.store_at(vector, lane, dtype.size(), to, offset);
            }
        }
    }

    /// Lanes of both in turn: the first vector and the second.
    fn interleaved(&mut self, lane: Lane, a: Reg, b: Reg) -> [Reg; 2] {
        let (a, b) = (Src::Reg(a), Src::Reg(b));
        if self.level == Level::Avx512 {
            let count = (self.level.vector() / lane.width()) as u64;
            return [0, count / 2].map(|start| {
                let numbers =
                    (0..count).map(|j| start + j / 2 + if j % 2 == 1 { count } else { 0 });
                let numbers = self.lane_list(lane, numbers);
                self.tied_op(VecOp::Permute, lane, [Src::Reg(numbers), a, b])
            });
        }
        let low = Src::Reg(self.vec_op(VecOp::UnpackLow, lane, &[a, b]));
        let high = Src::Reg(self.vec_op(VecOp::UnpackHigh, lane, &[a, b]));
        [0x20, 0x31].map(|halves| self.vec_op_imm(VecOp::Halves, Lane::I32, &[low, high], halves))
    }

    /// A general register's value in every 64-bit lane.
    pub(super) fn splat_general(&mut self, value: Reg) -> Reg {
        let to = self.vector();
        if self.level == Level::Avx512 {
            let args = [Arg::Def(to), Arg::Use(value)];
            self.emit(Code::EVEX_Vpbroadcastq_zmm_k1z_r64, &args);
            return to;
        }
        let low = self.vector();
        self.emit(Code::VEX_Vmovq_xmm_rm64, &[Arg::Def(low), Arg::Use(value)]);
        self.emit(
            Code::VEX_Vpbroadcastq_ymm_xmmm64,
            &[Arg::Def(to), Arg::Use(low)],
        );
        to
    }

    /// How far each lane's position is from the first one's, for every vector of 64-bit lanes of a turn. Lanes that are not
    /// among the first `limit` ones have the first one's.
    pub(super) fn distances(&mut self, limit: Option<Reg>, step: Reg) -> Vec<Reg> {
        let step = Src::Reg(self.splat_general(step));
        let per_vector = self.level.vector() / 8;
        (0..self.plan.lanes / per_vector)
            .map(|i| {
                let first = i * per_vector;
                let numbers = (first..first + per_vector).map(|n| n as u64);
                let mut numbers = self.lane_list(Lane::I64, numbers);
                if let Some(limit) = limit {
                    let mask = self.lanes_before(limit, 1, first, 8);
                    numbers = self.keep(mask, Lane::I64, Src::Reg(numbers));
                }
                self.arith(Op::Mul, DType::I64, &[Src::Reg(numbers), step], &[])
            })
            .collect()
    }

    /// The position that an `index` instruction asks for, given that of the first lane and each lane's distance.
    pub(super) fn set_index(&mut self, result: Value, first: Reg, distances: &[Reg]) {
        let first = Src::Reg(self.splat_general(first));
        let count = self.plan.count(self.width(DType::I64));
        for (column, distances) in distances.chunks(count).enumerate() {
            self.column = column;
            let lanes = distances
                .iter()
                .map(|d| Src::Reg(self.vec_op(VecOp::Add, Lane::I64, &[first, Src::Reg(*d)])))
                .collect();
            self.set_lanes(result, lanes);
        }
        self.column = 0;
    }
}
