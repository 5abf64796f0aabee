//! The kernel around the elements: its parameters, the grid-stride loop, and where each operand is.

use super::asm::Asm;
use super::{Element, Place, access};
use crate::ptx::{Class, Compare, Line, Module, Op as P, Reg, Round, Special, Src, Type};
use crate::variant::{Access, Param, Variant, operand_dtypes};
use ufc_ir::{DType, Func};
use ufc_target::BackendError;
use ufc_target::launch::positions;

/// The name of every kernel in its module.
pub(crate) const ENTRY: &str = "ufc_loop";

/// Makes the kernel of a legal function for launches of one variant.
///
/// # Errors
/// Only where the function is not legal.
pub(crate) fn lower(func: &Func, variant: &Variant) -> Result<Module, BackendError> {
    let params = variant.params(func);
    let mut kernel = Kernel {
        func,
        variant,
        dtypes: operand_dtypes(func),
        slots: positions(func),
        params: params.iter().map(|(param, _)| *param).collect(),
        loaded: Vec::new(),
        held: Vec::new(),
        asm: Asm::default(),
    };
    kernel.prologue(&params);
    kernel.body()?;
    kernel.asm.lines.push(Line::Ret);
    Ok(Module {
        entry: ENTRY.to_string(),
        about: about(func, variant),
        params: params.into_iter().map(|(_, t)| t).collect(),
        registers: kernel.asm.registers,
        lines: kernel.asm.lines,
    })
}

/// What is said of the kernel at its head.
fn about(func: &Func, variant: &Variant) -> Vec<String> {
    let name: String = func.name.chars().filter(|c| !c.is_control()).collect();
    let dtypes = operand_dtypes(func);
    let operands = dtypes.iter().zip(&variant.access);
    let shown: Vec<String> = operands.map(|(d, a)| format!("{d} {a:?}")).collect();
    let (inputs, outputs) = shown.split_at(func.params().len());
    vec![
        format!("{name}({}) -> ({})", inputs.join(", "), outputs.join(", ")),
        format!(
            "{} loop dims, {} elements at a time, offsets of {} bits",
            variant.rank,
            variant.vector,
            if variant.wide { 64 } else { 32 }
        ),
    ]
}

struct Kernel<'a> {
    func: &'a Func,
    variant: &'a Variant,
    dtypes: Vec<DType>,
    slots: Vec<Option<u8>>,
    params: Vec<Param>,
    /// Per parameter, the register that it was loaded to.
    loaded: Vec<Reg>,
    /// Per operand, its value if it is one for all elements.
    held: Vec<Option<Place>>,
    asm: Asm,
}

impl Kernel<'_> {
    /// Loads every parameter, and the operands that are one value for all elements.
    fn prologue(&mut self, params: &[(Param, Type)]) {
        for (number, (param, t)) in params.iter().enumerate() {
            let dst = self.asm.reg(t.class());
            self.asm.lines.push(Line::LoadParam {
                t: *t,
                dst,
                param: number,
            });
            let dst = match param {
                Param::Pointer(_) => self.asm.op(P::CvtaGlobal, &[dst.into()]),
                _ => dst,
            };
            self.loaded.push(dst);
        }
        for operand in 0..self.dtypes.len() {
            let dtype = self.dtypes[operand];
            let place = match self.variant.access[operand] {
                Access::Value => {
                    let parts = dtype.size() / dtype.part().size();
                    let bits: Vec<Reg> = (0..parts)
                        .map(|n| self.param(Param::Value(operand, n)))
                        .collect();
                    Some(access::from_param(&mut self.asm, dtype, &bits))
                }
                Access::Uniform => {
                    let base = self.param(Param::Pointer(operand));
                    Some(access::load(&mut self.asm, dtype, base, 0))
                }
                Access::Packed | Access::Strided | Access::Bytes => None,
            };
            self.held.push(place);
        }
    }

    fn param(&self, wanted: Param) -> Reg {
        let found = self.params.iter().position(|param| *param == wanted);
        self.loaded[found.expect("the variant has the parameter")]
    }

    /// The loop over elements: whole vectors, then what is left.
    fn body(&mut self) -> Result<(), BackendError> {
        let count = self.param(Param::Count);
        let block = self
            .asm
            .op(P::Mov(Type::U32), &[Src::Special(Special::CtaidX)]);
        let size = self
            .asm
            .op(P::Mov(Type::U32), &[Src::Special(Special::NtidX)]);
        let thread = self
            .asm
            .op(P::Mov(Type::U32), &[Src::Special(Special::TidX)]);
        let first = self.asm.op(
            P::Mad(Type::U32),
            &[block.into(), size.into(), thread.into()],
        );
        let blocks = self
            .asm
            .op(P::Mov(Type::U32), &[Src::Special(Special::NctaidX)]);
        let step = self
            .asm
            .op(P::Mul(Type::U32), &[size.into(), blocks.into()]);
        if self.variant.vector > 1 {
            self.vectors(count, first, step)?;
        }
        let at = self.asm.reg(Class::B32);
        if self.variant.vector > 1 {
            let whole = u64::from(!(self.variant.vector as u32 - 1));
            let whole = self
                .asm
                .op(P::And(Type::B32), &[count.into(), Src::Bits(whole)]);
            self.asm
                .op_to(at, P::Add(Type::U32), &[whole.into(), first.into()]);
        } else {
            self.asm.mov(at, first.into());
        }
        self.turns(at, count, step, Self::element)
    }

    /// A loop in which each thread begins at `at` and moves by `step`, while below `end`.
    fn turns(
        &mut self,
        at: Reg,
        end: Reg,
        step: Reg,
        turn: fn(&mut Self, Reg) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        let (again, done) = (self.asm.label(), self.asm.label());
        let outside = P::Setp(Compare::Ge, Type::U32);
        let is_done = self.asm.op(outside, &[at.into(), end.into()]);
        self.asm.jump_if(is_done, false, done);
        self.asm.bind(again);
        turn(self, at)?;
        self.asm
            .op_to(at, P::Add(Type::U32), &[at.into(), step.into()]);
        let inside = P::Setp(Compare::Lt, Type::U32);
        let is_more = self.asm.op(inside, &[at.into(), end.into()]);
        self.asm.jump_if(is_more, false, again);
        self.asm.bind(done);
        Ok(())
    }

    /// Whole vectors: every operand is packed or one value.
    fn vectors(&mut self, count: Reg, first: Reg, step: Reg) -> Result<(), BackendError> {
        let shift = Src::Bits(self.variant.vector.trailing_zeros().into());
        let end = self.asm.op(P::Shr(Type::U32), &[count.into(), shift]);
        let at = self.asm.op(P::Mov(Type::B32), &[first.into()]);
        self.turns(at, end, step, Self::vector)
    }

    fn vector(&mut self, at: Reg) -> Result<(), BackendError> {
        let count = self.variant.vector;
        let addresses = self.packed_addresses(at, count);
        let inputs = self.func.params().len();
        let mut columns: Vec<Vec<Place>> = Vec::new();
        for (operand, base) in addresses[..inputs].iter().enumerate() {
            columns.push(match (self.held[operand], *base) {
                (Some(place), _) => vec![place; count],
                (None, base) => {
                    let base = base.expect("a packed operand has an address");
                    access::load_vector(&mut self.asm, self.dtypes[operand], base, count)
                }
            });
        }
        let shift = Src::Bits(count.trailing_zeros().into());
        let start = match self.slots.is_empty() {
            true => at,
            false => self.asm.op(P::Shl(Type::B32), &[at.into(), shift]),
        };
        let mut results: Vec<Vec<Place>> = vec![Vec::new(); self.func.results.len()];
        for lane in 0..count {
            let index = match (lane, self.slots.is_empty()) {
                (0, _) | (_, true) => start,
                _ => self
                    .asm
                    .op(P::Add(Type::U32), &[start.into(), Src::Bits(lane as u64)]),
            };
            let positions = self.positions(&[index.into()]);
            let row: Vec<Place> = columns.iter().map(|column| column[lane]).collect();
            let found = self.compute(&row, &positions)?;
            for (column, place) in results.iter_mut().zip(found) {
                column.push(place);
            }
        }
        for (number, column) in results.iter().enumerate() {
            let operand = inputs + number;
            let base = addresses[operand].expect("an output has an address");
            access::store_vector(&mut self.asm, self.dtypes[operand], column, base);
        }
        Ok(())
    }

    /// Where the operands that are packed are, at an index that counts groups of so many elements.
    fn packed_addresses(&mut self, at: Reg, group: usize) -> Vec<Option<Reg>> {
        (0..self.dtypes.len())
            .map(|operand| {
                let is_packed = self.variant.access[operand] == Access::Packed;
                is_packed.then(|| {
                    let size = Src::Bits((group * self.dtypes[operand].size()) as u64);
                    let base = self.param(Param::Pointer(operand)).into();
                    self.asm.op(P::MadWide(Type::U32), &[at.into(), size, base])
                })
            })
            .collect()
    }

    /// One element, by its number in the order of the loop dims.
    fn element(&mut self, at: Reg) -> Result<(), BackendError> {
        let index = self.index(at);
        let packed = self.packed_addresses(at, 1);
        let mut addresses = Vec::new();
        for (operand, packed) in packed.into_iter().enumerate() {
            addresses.push(match self.variant.access[operand] {
                Access::Strided | Access::Bytes => Some(self.strided_address(operand, &index)),
                Access::Value | Access::Uniform | Access::Packed => packed,
            });
        }
        let inputs = self.func.params().len();
        let mut row = Vec::new();
        for (operand, base) in addresses[..inputs].iter().enumerate() {
            let dtype = self.dtypes[operand];
            row.push(match (self.held[operand], *base) {
                (Some(place), _) => place,
                (None, base) => {
                    let base = base.expect("an operand in memory has an address");
                    match self.variant.access[operand] {
                        Access::Bytes => access::load_bytes(&mut self.asm, dtype, base),
                        _ => access::load(&mut self.asm, dtype, base, 0),
                    }
                }
            });
        }
        let positions = self.positions(&index);
        let results = self.compute(&row, &positions)?;
        for (number, value) in results.into_iter().enumerate() {
            let operand = inputs + number;
            let base = addresses[operand].expect("an output has an address");
            match self.variant.access[operand] {
                Access::Bytes => {
                    access::store_bytes(&mut self.asm, self.dtypes[operand], value, base);
                }
                _ => access::store(&mut self.asm, self.dtypes[operand], value, base, 0),
            }
        }
        Ok(())
    }

    fn compute(
        &mut self,
        inputs: &[Place],
        positions: &[(Option<u8>, Src)],
    ) -> Result<Vec<Place>, BackendError> {
        let mut element = Element::new(self.func, &mut self.asm, positions);
        for (param, place) in self.func.params().iter().zip(inputs) {
            element.places.set(*param, Some(*place));
        }
        element.region(self.func.body)?;
        let results = element.yielded(self.func.body)?;
        results.iter().map(|value| element.place(*value)).collect()
    }

    /// The index along each loop dim, from the number of the element; only if someone asks for it.
    fn index(&mut self, at: Reg) -> Vec<Src> {
        let is_strided = |a: &Access| matches!(a, Access::Strided | Access::Bytes);
        let is_asked = !self.slots.is_empty() || self.variant.access.iter().any(is_strided);
        if self.variant.rank == 1 || !is_asked {
            return vec![at.into()];
        }
        let mut index = Vec::new();
        let mut rest = Src::from(at);
        for dim in (1..self.variant.rank).rev() {
            let [size, magic, shift] = [Param::Dim(dim), Param::Magic(dim), Param::Shift(dim)]
                .map(|param| Src::from(self.param(param)));
            let high = self.asm.op(P::MulHi(Type::U32), &[rest, magic]);
            let quotient = self.asm.op(P::Shr(Type::U32), &[high.into(), shift]);
            let product = self.asm.op(P::Mul(Type::U32), &[quotient.into(), size]);
            index.push(
                self.asm
                    .op(P::Sub(Type::U32), &[rest, product.into()])
                    .into(),
            );
            rest = quotient.into();
        }
        index.push(rest);
        index.reverse();
        index
    }

    /// The address of an operand's element: the sum of its steps, in 32 bits where these are enough.
    fn strided_address(&mut self, operand: usize, index: &[Src]) -> Reg {
        let base = self.param(Param::Pointer(operand));
        let mut offset: Option<Reg> = None;
        for (dim, at) in index.iter().enumerate() {
            let stride = self.param(Param::Stride(operand, dim)).into();
            if self.variant.wide {
                let at = self.wide(*at);
                let sum = offset.unwrap_or(base);
                offset = Some(self.asm.op(P::Mad(Type::S64), &[at, stride, sum.into()]));
            } else {
                offset = Some(match offset {
                    None => self.asm.op(P::Mul(Type::S32), &[*at, stride]),
                    Some(sum) => self.asm.op(P::Mad(Type::S32), &[*at, stride, sum.into()]),
                });
            }
        }
        let offset = offset.expect("there is a loop dim");
        if self.variant.wide {
            return offset;
        }
        let extend = P::Cvt {
            to: Type::S64,
            from: Type::S32,
            round: Round::None,
        };
        let offset = self.asm.op(extend, &[offset.into()]);
        self.asm
            .op(P::Add(Type::S64), &[base.into(), offset.into()])
    }

    fn wide(&mut self, at: Src) -> Src {
        let extend = P::Cvt {
            to: Type::U64,
            from: Type::U32,
            round: Round::None,
        };
        self.asm.op(extend, &[at]).into()
    }

    /// The positions that the function asks for, at an index.
    fn positions(&mut self, index: &[Src]) -> Vec<(Option<u8>, Src)> {
        if self.slots.is_empty() {
            return Vec::new();
        }
        let index: Vec<Src> = index.iter().map(|at| self.wide(*at)).collect();
        (0..self.slots.len())
            .map(|slot| {
                let mut sum = Src::from(self.param(Param::Base(slot)));
                for (dim, at) in index.iter().enumerate() {
                    let step = self.param(Param::Step(slot, dim)).into();
                    sum = self.asm.op(P::Mad(Type::S64), &[*at, step, sum]).into();
                }
                (self.slots[slot], sum)
            })
            .collect()
    }
}
