//! Lanes: their CLIF types, constants, and moving between scalars and vectors.

use super::memory::flags;
use super::{Clif, Cx};
pub(super) use crate::lane::Lane;
use cranelift_codegen::ir::types::{
    F32, F32X4, F64, F64X2, I8, I8X16, I16, I16X8, I32, I32X4, I64, I64X2,
};
use cranelift_codegen::ir::{ConstantData, Endianness, InstBuilder, MemFlagsData, Type};
use ufc_ir::{Const, DType};

/// What Cranelift calls them.
impl Lane {
    pub(super) fn is_float(self) -> bool {
        matches!(self, Lane::F32 | Lane::F64)
    }

    pub(super) fn scalar(self) -> Type {
        match self {
            Lane::I8 => I8,
            Lane::I16 => I16,
            Lane::I32 => I32,
            Lane::I64 => I64,
            Lane::F32 => F32,
            Lane::F64 => F64,
        }
    }

    pub(super) fn vector(self) -> Type {
        match self {
            Lane::I8 => I8X16,
            Lane::I16 => I16X8,
            Lane::I32 => I32X4,
            Lane::I64 => I64X2,
            Lane::F32 => F32X4,
            Lane::F64 => F64X2,
        }
    }

    /// The lane kind of a CLIF vector or scalar.
    pub(super) fn of_type(ty: Type) -> Lane {
        match ty.lane_type() {
            F32 => Lane::F32,
            F64 => Lane::F64,
            I64 => Lane::I64,
            _ => Lane::I32,
        }
    }
}

/// A lane's bits in every lane of a vector.
fn splat_bytes(lane: Lane, bits: u64) -> [u8; 16] {
    let bits = match lane.width() {
        8 => bits,
        _ => bits << 32 | bits & u64::from(u32::MAX),
    };
    (u128::from(bits) << 64 | u128::from(bits)).to_le_bytes()
}

impl Cx<'_, '_> {
    pub(super) fn lane_of(&self, value: Clif) -> Lane {
        Lane::of_type(self.b.func.dfg.value_type(value))
    }

    /// The bits of a constant as a lane holds them.
    fn lane_bits(constant: Const) -> u64 {
        match constant.dtype() {
            DType::I8 | DType::I16 => constant.as_int() as u32 as u64,
            _ => constant.bits() as u64,
        }
    }

    /// A constant in every lane. Bools are not constants here: see `mask`.
    pub(super) fn splat_const(&mut self, constant: Const) -> Clif {
        let bits = Self::lane_bits(constant);
        self.splat_bits(Lane::of(constant.dtype()), bits)
    }

    /// The same bits in every lane, right before they are used.
    pub(super) fn splat_bits(&mut self, lane: Lane, bits: u64) -> Clif {
        if bits == 0 || (!lane.is_float() && bits == u64::MAX) {
            // These need no memory.
            let data = ConstantData::from(&[bits as u8; 16][..]);
            let data = self.b.func.dfg.constants.insert(data);
            return self.b.ins().vconst(lane.vector(), data);
        }
        self.vector_const(lane.vector(), splat_bytes(lane, bits))
    }

    /// A vector from its bytes, right before it is used.
    pub(super) fn vector_const(&mut self, ty: Type, bytes: [u8; 16]) -> Clif {
        let offset = self.pool.offset(bytes);
        let kept = self.kept_constants.iter().flatten();
        let kept: Vec<Clif> = kept
            .filter(|(o, _)| *o == offset)
            .map(|(_, v)| *v)
            .collect();
        if let Some(known) = kept.first() {
            return self.cast(*known, ty);
        }
        let address = self.pool_address();
        let vector = self.b.ins().load(ty, flags(), address, offset as i32);
        if let Some(kept) = &mut self.kept_constants {
            kept.push((offset, vector));
        }
        vector
    }

    /// Where a constant that is not a bool stands among the constants, in every lane of a vector.
    pub(super) fn pool_offset(&mut self, constant: Const) -> usize {
        let lane = Lane::of(constant.dtype());
        self.pool
            .offset(splat_bytes(lane, Self::lane_bits(constant)))
    }

    /// Where the constants are.
    pub(super) fn pool_address(&mut self) -> Clif {
        self.pool_address.unwrap_or_else(|| {
            self.refused
                .get_or_insert("a constant before the start".into());
            self.zero_scalar(Lane::I64)
        })
    }

    /// Emits what finds the constants.
    pub(super) fn find_pool(&mut self) {
        let cell = self.pool.cell_address() as i64;
        let cell = self.b.ins().iconst(I64, cell);
        self.pool_address = Some(self.b.ins().load(I64, flags(), cell, 0));
    }

    /// A constant as a scalar.
    pub(super) fn scalar_const(&mut self, constant: Const) -> Clif {
        let bits = Self::lane_bits(constant);
        match constant.dtype() {
            DType::Bool => self.b.ins().iconst(I8, i64::from(constant.as_bool())),
            dtype => self.scalar_bits(Lane::of(dtype), bits),
        }
    }

    /// A scalar with these bits.
    pub(super) fn scalar_bits(&mut self, lane: Lane, bits: u64) -> Clif {
        match lane {
            Lane::I8 => self.b.ins().iconst(I8, i64::from(bits as u8)),
            Lane::I16 => self.b.ins().iconst(I16, i64::from(bits as u16)),
            Lane::I32 => self.b.ins().iconst(I32, i64::from(bits as u32)),
            Lane::I64 => self.b.ins().iconst(I64, bits as i64),
            Lane::F32 => self.b.ins().f32const(f32::from_bits(bits as u32)),
            Lane::F64 => self.b.ins().f64const(f64::from_bits(bits)),
        }
    }

    pub(super) fn zero_scalar(&mut self, lane: Lane) -> Clif {
        self.scalar_bits(lane, 0)
    }

    /// These bits in the shape of a value: in every lane if that is a vector.
    pub(super) fn bits_like(&mut self, value: Clif, bits: u64) -> Clif {
        let lane = self.lane_of(value);
        if self.is_vector(value) {
            self.splat_bits(lane, bits)
        } else {
            self.scalar_bits(lane, bits)
        }
    }

    pub(super) fn is_vector(&self, value: Clif) -> bool {
        self.b.func.dfg.value_type(value).is_vector()
    }

    /// The same bits as another type.
    pub(super) fn cast(&mut self, value: Clif, to: Type) -> Clif {
        if self.b.func.dfg.value_type(value) == to {
            return value;
        }
        let flags = MemFlagsData::new().with_endianness(Endianness::Little);
        self.b.ins().bitcast(to, flags, value)
    }

    /// A vector's bits as integer lanes of the same width.
    pub(super) fn as_int(&mut self, value: Clif) -> Clif {
        let lane = Lane::int(self.lane_of(value).width());
        self.cast(value, lane.vector())
    }

    /// Where the sign bit of a mask lane is set the first vector, else the second. Masks are all ones or zeros, so
    /// that a machine without such an instruction may choose bit by bit.
    pub(super) fn blend(&mut self, mask: Clif, yes: Clif, no: Clif) -> Clif {
        let ty = self.b.func.dfg.value_type(yes);
        let (a, b) = (self.as_int(yes), self.as_int(no));
        let mask = self.as_int(mask);
        let blended = if self.isa.has_blend {
            self.b.ins().blendv(mask, a, b)
        } else {
            self.b.ins().bitselect(mask, a, b)
        };
        self.cast(blended, ty)
    }

    /// Rearranges the bytes of two vectors by 32-bit lanes, 0 to 3 of the first and 4 to 7 of the second.
    pub(super) fn shuffle32(&mut self, a: Clif, b: Clif, lanes: [u8; 4]) -> Clif {
        let ty = self.b.func.dfg.value_type(a);
        let (a, b) = (self.cast(a, I8X16), self.cast(b, I8X16));
        let bytes: Vec<u8> = lanes
            .iter()
            .flat_map(|lane| (0..4).map(move |byte| lane * 4 + byte))
            .collect();
        let mask = self.b.func.dfg.immediates.push(ConstantData::from(bytes));
        let shuffled = self.b.ins().shuffle(a, b, mask);
        self.cast(shuffled, ty)
    }

    /// The lower 32 bits of the four 64-bit lanes of two vectors.
    pub(super) fn low_halves(&mut self, a: Clif, b: Clif) -> Clif {
        let (a, b) = (self.cast(a, I32X4), self.cast(b, I32X4));
        self.shuffle32(a, b, [0, 2, 4, 6])
    }

    /// The upper two 32-bit lanes moved to the lower two.
    pub(super) fn high_to_low(&mut self, value: Clif) -> Clif {
        self.shuffle32(value, value, [2, 3, 2, 3])
    }

    /// Every lane of some vectors as scalars.
    pub(super) fn extract_all(&mut self, vectors: &[Clif]) -> Vec<Clif> {
        let mut lanes = Vec::new();
        for &vector in vectors {
            let count = 16 / self.lane_of(vector).width();
            for lane in 0..count {
                lanes.push(self.b.ins().extractlane(vector, lane as u8));
            }
        }
        lanes
    }

    /// Vectors from scalars, a lane each.
    pub(super) fn insert_all(&mut self, lane: Lane, scalars: &[Clif]) -> Vec<Clif> {
        scalars
            .chunks(16 / lane.width())
            .map(|chunk| {
                let mut vector = self.b.ins().scalar_to_vector(lane.vector(), chunk[0]);
                for (i, scalar) in chunk.iter().enumerate().skip(1) {
                    vector = self.b.ins().insertlane(vector, *scalar, i as u8);
                }
                vector
            })
            .collect()
    }

    /// Computes lane by lane what has no vector form.
    pub(super) fn scalarize(
        &mut self,
        to: Lane,
        args: &[Vec<Clif>],
        mut lower: impl FnMut(&mut Self, &[Clif]) -> Clif,
    ) -> Vec<Clif> {
        let args: Vec<Vec<Clif>> = args.iter().map(|v| self.extract_all(v)).collect();
        let scalars = self.each(args, |cx, lanes| lower(cx, lanes));
        self.insert_all(to, &scalars)
    }

    /// A small integer's value as its lane must hold it, from a lane whose lower bits are right.
    pub(super) fn canonical(&mut self, value: Clif, dtype: DType) -> Clif {
        match (dtype.size(), dtype.is_signed()) {
            (1, false) | (2, false) => {
                let mask = self.bits_like(value, u64::MAX >> (64 - dtype.bits()));
                self.b.ins().band(value, mask)
            }
            (1, true) | (2, true) => self.extend_sign(value, dtype),
            _ => value,
        }
    }

    fn extend_sign(&mut self, value: Clif, dtype: DType) -> Clif {
        if self.is_vector(value) {
            let unused = i64::from(32 - dtype.bits());
            let by = self.b.ins().iconst(I32, unused);
            let raised = self.b.ins().ishl(value, by);
            return self.b.ins().sshr(raised, by);
        }
        let narrow = if dtype.size() == 1 { I8 } else { I16 };
        let low = self.b.ins().ireduce(narrow, value);
        self.b.ins().sextend(I32, low)
    }
}
