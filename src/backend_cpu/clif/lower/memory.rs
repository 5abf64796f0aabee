//! A turn's lanes of an operand, from and to memory where they lie side by side.

use super::lanes::Lane;
use super::{Clif, Cx, Held};
use crate::vplan::{VECTOR, lane_width};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32X4, F64X2, I8, I8X16, I32, I32X4, I64, I64X2};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type};
use ufc_ir::DType;
use ufc_ir::func::Value;

/// Accesses that the caller vouches for, at any alignment.
pub(super) fn flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

impl Cx<'_, '_> {
    /// Loads an input that is the same in every lane.
    pub(super) fn load_uniform(&mut self, value: Value, from: Clif) {
        let dtype = self.func.dtype(value);
        let scalar = match dtype {
            DType::Bool => {
                let byte = self.b.ins().load(I8, flags(), from, 0);
                self.b.ins().icmp_imm_s(IntCC::NotEqual, byte, 0)
            }
            DType::I8 => self.b.ins().sload8(I32, flags(), from, 0),
            DType::U8 => self.b.ins().uload8(I32, flags(), from, 0),
            DType::I16 => self.b.ins().sload16(I32, flags(), from, 0),
            DType::U16 | DType::F16 | DType::BF16 => self.b.ins().uload16(I32, flags(), from, 0),
            DType::I32 | DType::I64 | DType::U32 | DType::U64 | DType::F32 | DType::F64 => {
                let ty = Lane::of(dtype).scalar();
                self.b.ins().load(ty, flags(), from, 0)
            }
            DType::C64 | DType::C128 => {
                self.refuse(format!("a uniform parameter of dtype {dtype}"));
                return;
            }
        };
        self.set(value, Held::Scalar(scalar));
    }

    /// Loads a turn's lanes of an input.
    pub(super) fn load_operand(&mut self, value: Value, from: Clif) {
        let dtype = self.func.dtype(value);
        let held = match dtype {
            DType::Bool => {
                let bytes = self.load_narrow(DType::U8, from);
                let zero = self.splat_bits(Lane::I32, 0);
                let masks = self.each([bytes], |cx, lanes| {
                    cx.b.ins().icmp(IntCC::NotEqual, lanes[0], zero)
                });
                Held::Vectors(self.fit_mask(masks, self.plan.mask(value)))
            }
            DType::I8 | DType::I16 | DType::U8 | DType::U16 => {
                Held::Vectors(self.load_narrow(dtype, from))
            }
            DType::F16 | DType::BF16 => Held::Vectors(self.load_narrow(DType::U16, from)),
            DType::C64 | DType::C128 => self.load_complex(dtype, from),
            DType::I32 | DType::I64 | DType::U32 | DType::U64 | DType::F32 | DType::F64 => {
                self.addresses[value] = Some(from);
                Held::Vectors(self.load_vectors(dtype, from))
            }
        };
        self.set(value, held);
    }

    /// Loads a turn's lanes of a dtype whose vectors are in memory as they are.
    pub(super) fn load_vectors(&mut self, dtype: DType, from: Clif) -> Vec<Clif> {
        let count = self.count(lane_width(dtype));
        let ty = Lane::of(dtype).vector();
        (0..count)
            .map(|i| self.load_at(ty, from, count, i))
            .collect()
    }

    /// Loads vector number `index` of the column from an operand's address on.
    fn load_at(&mut self, ty: Type, from: Clif, count: usize, index: usize) -> Clif {
        let offset = (self.column.unwrap_or(0) * count + index) * VECTOR;
        self.b.ins().load(ty, flags(), from, offset as i32)
    }

    /// Loads 8- or 16-bit integers into 32-bit lanes.
    fn load_narrow(&mut self, dtype: DType, from: Clif) -> Vec<Clif> {
        let signed = dtype.is_signed();
        let count = self.count(4);
        let start = self.column.unwrap_or(0) * count;
        (start..start + count)
            .map(|i| {
                let offset = (i * 4 * dtype.size()) as i32;
                match (dtype.size(), signed) {
                    (2, true) => self.b.ins().sload16x4(flags(), from, offset),
                    (2, false) => self.b.ins().uload16x4(flags(), from, offset),
                    _ => {
                        let four = self.b.ins().load(I32, flags(), from, offset);
                        let vector = self.b.ins().scalar_to_vector(I32X4, four);
                        let bytes = self.cast(vector, I8X16);
                        let halves = self.widen_low(bytes, signed);
                        self.widen_low(halves, signed)
                    }
                }
            })
            .collect()
    }

    /// The lower half of a vector's lanes, twice as wide.
    fn widen_low(&mut self, value: Clif, signed: bool) -> Clif {
        if signed {
            self.b.ins().swiden_low(value)
        } else {
            self.b.ins().uwiden_low(value)
        }
    }

    /// Loads pairs and takes them apart.
    fn load_complex(&mut self, dtype: DType, from: Clif) -> Held {
        let count = self.count(lane_width(dtype));
        let ty = Lane::of(dtype).vector();
        let (mut re, mut im) = (Vec::new(), Vec::new());
        for i in 0..count {
            let a = self.load_at(ty, from, 2 * count, 2 * i);
            let b = self.load_at(ty, from, 2 * count, 2 * i + 1);
            let (re_lanes, im_lanes) = parts_of_pairs(ty);
            re.push(self.shuffle32(a, b, re_lanes));
            im.push(self.shuffle32(a, b, im_lanes));
        }
        Held::Parts(re, im)
    }

    /// Stores a turn's lanes of an output.
    pub(super) fn store_operand(&mut self, value: Value, to: Clif) {
        let dtype = self.func.dtype(value);
        match dtype {
            DType::Bool => {
                let masks = self.mask(value, 4);
                let one = self.splat_bits(Lane::I32, 1);
                let bytes = self.each([masks], |cx, lanes| cx.b.ins().band(lanes[0], one));
                self.store_narrow(DType::U8, &bytes, to);
            }
            DType::I8 | DType::I16 | DType::U8 | DType::U16 => {
                let vectors = self.vectors(value);
                self.store_narrow(dtype, &vectors, to);
            }
            DType::F16 | DType::BF16 => {
                let vectors = self.vectors(value);
                self.store_narrow(DType::U16, &vectors, to);
            }
            DType::C64 | DType::C128 => self.store_complex(value, to),
            DType::I32 | DType::I64 | DType::U32 | DType::U64 | DType::F32 | DType::F64 => {
                let vectors = self.vectors(value);
                for (i, vector) in vectors.iter().enumerate() {
                    self.store_at(*vector, to, vectors.len(), i);
                }
            }
        }
    }

    /// Stores vector number `index` of the column from an operand's address on.
    fn store_at(&mut self, vector: Clif, to: Clif, count: usize, index: usize) {
        let offset = (self.column.unwrap_or(0) * count + index) * VECTOR;
        self.b.ins().store(flags(), vector, to, offset as i32);
    }

    /// Stores the low bits of 32-bit lanes. They hold their value extended, so that narrowing never saturates.
    fn store_narrow(&mut self, dtype: DType, vectors: &[Clif], to: Clif) {
        let signed = dtype.is_signed();
        // The 16-bit lanes of an 8-bit value are in range for a signed narrowing, whatever its sign.
        let halves_signed = signed || dtype.size() == 1;
        let halves = self.narrow(vectors, halves_signed);
        if dtype.size() == 2 {
            self.store_packed(&halves, vectors.len() * 8, to);
        } else {
            let bytes = self.narrow(&halves, signed);
            self.store_packed(&bytes, vectors.len() * 4, to);
        }
    }

    /// Packs pairs of vectors into one with lanes half as wide; a lone vector is paired with itself.
    fn narrow(&mut self, vectors: &[Clif], signed: bool) -> Vec<Clif> {
        vectors
            .chunks(2)
            .map(|pair| {
                let (a, b) = (pair[0], pair[pair.len() - 1]);
                if signed {
                    self.b.ins().snarrow(a, b)
                } else {
                    self.b.ins().unarrow(a, b)
                }
            })
            .collect()
    }

    /// Stores so many bytes of some vectors: whole ones, or the lower 8 or 4 bytes of one.
    fn store_packed(&mut self, vectors: &[Clif], bytes: usize, to: Clif) {
        let offset = (self.column.unwrap_or(0) * bytes) as i32;
        let part = match bytes {
            4 => I32X4,
            8 => I64X2,
            _ => {
                for (i, vector) in vectors.iter().enumerate() {
                    self.store_at(*vector, to, vectors.len(), i);
                }
                return;
            }
        };
        let lanes = self.cast(vectors[0], part);
        let low = self.b.ins().extractlane(lanes, 0);
        self.b.ins().store(flags(), low, to, offset);
    }

    /// Puts parts together and stores the pairs.
    fn store_complex(&mut self, value: Value, to: Clif) {
        let (re, im) = self.parts(value);
        let count = 2 * re.len();
        for (i, (re, im)) in re.into_iter().zip(im).enumerate() {
            let ty = self.b.func.dfg.value_type(re);
            let (low, high) = pairs_of_parts(ty);
            let low = self.shuffle32(re, im, low);
            let high = self.shuffle32(re, im, high);
            self.store_at(low, to, count, 2 * i);
            self.store_at(high, to, count, 2 * i + 1);
        }
    }

    /// The position that an `index` instruction asks for, given that of the first lane and each lane's distance.
    pub(super) fn set_index(&mut self, result: Value, first: Clif, distances: &[Clif]) {
        debug_assert_eq!(self.b.func.dfg.value_type(first), I64);
        let first = self.b.ins().splat(I64X2, first);
        let distances = distances.to_vec();
        let lanes = self.each([distances], |cx, lanes| cx.b.ins().iadd(first, lanes[0]));
        self.set(result, Held::Vectors(lanes));
    }

    /// Numbers of the lanes of a turn, counted from its first, but none above `last`; as 64-bit lanes.
    pub(super) fn lane_numbers(&mut self, last: Clif) -> Vec<Clif> {
        let last = self.b.ins().splat(I64X2, last);
        (0..self.count(8) as u64)
            .map(|i| {
                let numbers = u128::from(2 * i + 1) << 64 | u128::from(2 * i);
                let numbers = self.vector_const(I64X2, numbers.to_le_bytes());
                self.b.ins().smin(numbers, last)
            })
            .collect()
    }
}

/// Which 32-bit lanes of two vectors of pairs are the real and the imaginary parts.
fn parts_of_pairs(ty: Type) -> ([u8; 4], [u8; 4]) {
    match ty {
        F64X2 => ([0, 1, 4, 5], [2, 3, 6, 7]),
        _ => {
            debug_assert_eq!(ty, F32X4);
            ([0, 2, 4, 6], [1, 3, 5, 7])
        }
    }
}

/// Which 32-bit lanes of real and imaginary parts make the first and second vector of pairs.
fn pairs_of_parts(ty: Type) -> ([u8; 4], [u8; 4]) {
    match ty {
        F64X2 => ([0, 1, 4, 5], [2, 3, 6, 7]),
        _ => {
            debug_assert_eq!(ty, F32X4);
            ([0, 4, 1, 5], [2, 6, 3, 7])
        }
    }
}
