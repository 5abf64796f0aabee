//! Elements in memory: one at a time, several in accesses of up to 16 bytes, or byte by byte.

use super::asm::Asm;
use super::{Place, bits_type, class, register};
use crate::ptx::{Class, Compare, Line, Op as P, Reg, Round, Src, Type};
use ufc_ir::DType;

/// Most bytes that one access moves.
const WIDEST: usize = 16;

/// How many parts an element has.
fn parts(dtype: DType) -> usize {
    dtype.size() / dtype.part().size()
}

fn place(values: &[Src]) -> Place {
    match values {
        [re, im] => Place::Pair(*re, *im),
        values => Place::One(values[0]),
    }
}

fn values(place: Place) -> Vec<Src> {
    match place {
        Place::One(value) => vec![value],
        Place::Pair(re, im) => vec![re, im],
    }
}

/// The type that a part is loaded as, so that it stands in its register as it should.
fn memory_type(part: DType) -> Type {
    match part {
        DType::Bool | DType::U8 => Type::U8,
        DType::I8 => Type::S8,
        DType::I16 => Type::S16,
        DType::U16 => Type::U16,
        _ => bits_type(part),
    }
}

/// Reads an element whose parts are aligned.
pub(super) fn load(asm: &mut Asm, dtype: DType, base: Reg, offset: usize) -> Place {
    let part = dtype.part();
    let one = |n: usize, asm: &mut Asm| -> Src {
        let held = match part {
            DType::Bool => Class::B32,
            _ => class(part),
        };
        let dst = asm.reg(held);
        asm.lines.push(Line::Load {
            t: memory_type(part),
            dst: vec![dst],
            base,
            offset: offset + n * part.size(),
        });
        match part {
            DType::Bool => is_not_zero(asm, dst.into()),
            _ => dst.into(),
        }
    };
    let found: Vec<Src> = (0..parts(dtype)).map(|n| one(n, asm)).collect();
    place(&found)
}

/// Writes an element whose parts are aligned.
pub(super) fn store(asm: &mut Asm, dtype: DType, value: Place, base: Reg, offset: usize) {
    let part = dtype.part();
    for (n, value) in values(value).into_iter().enumerate() {
        let (t, src) = match part {
            DType::Bool => (Type::U8, to_word(asm, part, value)),
            _ => (memory_type(part), value),
        };
        asm.lines.push(Line::Store {
            t,
            src: vec![src],
            base,
            offset: offset + n * part.size(),
        });
    }
}

/// Reads an element that is aligned for nothing.
pub(super) fn load_bytes(asm: &mut Asm, dtype: DType, base: Reg) -> Place {
    let part = dtype.part();
    let word = |from: usize, count: usize, asm: &mut Asm| -> Reg {
        let mut word: Option<Reg> = None;
        for byte in 0..count {
            let loaded = asm.reg(Class::B32);
            asm.lines.push(Line::Load {
                t: Type::U8,
                dst: vec![loaded],
                base,
                offset: from + byte,
            });
            word = Some(match word {
                None => loaded,
                Some(low) => insert(asm, loaded.into(), low.into(), 8 * byte, 8),
            });
        }
        word.expect("an element has bytes")
    };
    let found: Vec<Src> = (0..parts(dtype))
        .map(|n| {
            let at = n * part.size();
            if part.size() == 8 {
                let (low, high) = (word(at, 4, asm), word(at + 4, 4, asm));
                asm.pack(Type::B64, low.into(), high.into()).into()
            } else {
                let word = word(at, part.size(), asm);
                from_word(asm, part, word, 0)
            }
        })
        .collect();
    place(&found)
}

/// Writes an element that is aligned for nothing.
pub(super) fn store_bytes(asm: &mut Asm, dtype: DType, value: Place, base: Reg) {
    let part = dtype.part();
    for (n, value) in values(value).into_iter().enumerate() {
        let at = n * part.size();
        let words: Vec<Src> = if part.size() == 8 {
            let value = register(asm, value, Class::B64);
            asm.unpack(Type::B64, value).map(Src::from).to_vec()
        } else {
            vec![to_word(asm, part, value)]
        };
        for byte in 0..part.size() {
            let word = words[byte / 4];
            let src = match byte % 4 {
                0 => word,
                k => {
                    let shift = Src::Bits(8 * k as u64);
                    asm.op(P::Shr(Type::U32), &[word, shift]).into()
                }
            };
            asm.lines.push(Line::Store {
                t: Type::U8,
                src: vec![src],
                base,
                offset: at + byte,
            });
        }
    }
}

/// Reads several elements that lie one after the other, aligned to all of them or to 16 bytes.
pub(super) fn load_vector(asm: &mut Asm, dtype: DType, base: Reg, count: usize) -> Vec<Place> {
    let part = dtype.part();
    let bytes = count * dtype.size();
    let mut found: Vec<Src> = Vec::new();
    for offset in (0..bytes).step_by(WIDEST) {
        let chunk = WIDEST.min(bytes - offset);
        let unit = if part.size() == 8 {
            Type::B64
        } else {
            Type::B32
        };
        if chunk < unit.size() {
            // Two or three bytes, which only the shortest vectors have.
            let items = chunk / part.size();
            for item in 0..items {
                let Place::One(value) = load(asm, part, base, offset + item * part.size()) else {
                    unreachable!("a part is real");
                };
                found.push(value);
            }
            continue;
        }
        let dst: Vec<Reg> = (0..chunk / unit.size())
            .map(|_| asm.reg(unit.class()))
            .collect();
        asm.lines.push(Line::Load {
            t: unit,
            dst: dst.clone(),
            base,
            offset,
        });
        for word in dst {
            if part.size() >= 4 {
                found.push(word.into());
            } else if class(part) == Class::B16 {
                found.extend(asm.unpack(Type::B32, word).map(Src::from));
            } else {
                for bit in (0..32).step_by(8 * part.size()) {
                    found.push(from_word(asm, part, word, bit));
                }
            }
        }
    }
    found.chunks(parts(dtype)).map(place).collect()
}

/// Writes several elements one after the other, aligned to all of them or to 16 bytes.
pub(super) fn store_vector(asm: &mut Asm, dtype: DType, elements: &[Place], base: Reg) {
    let part = dtype.part();
    let bytes = elements.len() * dtype.size();
    let flat: Vec<Src> = elements.iter().flat_map(|p| values(*p)).collect();
    let unit = if part.size() == 8 {
        Type::B64
    } else {
        Type::B32
    };
    if bytes < unit.size() {
        for (item, value) in flat.into_iter().enumerate() {
            store(asm, part, Place::One(value), base, item * part.size());
        }
        return;
    }
    let words: Vec<Src> = match part.size() {
        4 | 8 => flat,
        size => {
            let mut words = Vec::new();
            for group in flat.chunks(4 / size) {
                words.push(joined(asm, part, group));
            }
            words
        }
    };
    for (index, src) in words.chunks(WIDEST / unit.size()).enumerate() {
        asm.lines.push(Line::Store {
            t: unit,
            src: src.to_vec(),
            base,
            offset: index * WIDEST,
        });
    }
}

/// A word of several small parts.
fn joined(asm: &mut Asm, part: DType, group: &[Src]) -> Src {
    if class(part) == Class::B16 {
        let low = register(asm, group[0], Class::B16);
        let high = register(asm, group[1], Class::B16);
        return asm.pack(Type::B32, low.into(), high.into()).into();
    }
    let mut word = to_word(asm, part, group[0]);
    for (index, value) in group.iter().enumerate().skip(1) {
        // What stands above the part in its register is overwritten by the next one.
        let value = to_word(asm, part, *value);
        let bits = 8 * part.size();
        word = insert(asm, value, word, index * bits, bits).into();
    }
    word
}

/// An element passed with the launch: per part, its bits in a register.
pub(super) fn from_param(asm: &mut Asm, dtype: DType, bits: &[Reg]) -> Place {
    let part = dtype.part();
    let found: Vec<Src> = bits
        .iter()
        .map(|reg| match part.size() {
            8 => Src::from(*reg),
            _ => from_word(asm, part, *reg, 0),
        })
        .collect();
    place(&found)
}

/// The part of at most four bytes that begins at a bit of a word.
fn from_word(asm: &mut Asm, part: DType, word: Reg, bit: usize) -> Src {
    let length = 8 * part.size();
    let extract = |asm: &mut Asm, t: Type| -> Src {
        let (position, length) = (Src::Bits(bit as u64), Src::Bits(length as u64));
        asm.op(P::Bfe(t), &[word.into(), position, length]).into()
    };
    match part {
        DType::Bool => {
            let byte = extract(asm, Type::U32);
            is_not_zero(asm, byte)
        }
        DType::I8 | DType::I16 => extract(asm, Type::S32),
        DType::U8 | DType::U16 => extract(asm, Type::U32),
        DType::F16 | DType::BF16 => {
            let half = extract(asm, Type::U32);
            let narrow = P::Cvt {
                to: Type::U16,
                from: Type::U32,
                round: Round::None,
            };
            asm.op(narrow, &[half]).into()
        }
        _ => word.into(),
    }
}

/// A part of at most four bytes in the low bits of a word; what stands above them is not defined.
fn to_word(asm: &mut Asm, part: DType, value: Src) -> Src {
    match part {
        DType::Bool => asm
            .op(P::Selp(Type::B32), &[Src::Bits(1), Src::Bits(0), value])
            .into(),
        DType::F16 | DType::BF16 => {
            let widen = P::Cvt {
                to: Type::U32,
                from: Type::U16,
                round: Round::None,
            };
            asm.op(widen, &[value]).into()
        }
        _ => value,
    }
}

fn insert(asm: &mut Asm, value: Src, into: Src, position: usize, length: usize) -> Reg {
    let (position, length) = (Src::Bits(position as u64), Src::Bits(length as u64));
    asm.op(P::Bfi(Type::B32), &[value, into, position, length])
}

fn is_not_zero(asm: &mut Asm, value: Src) -> Src {
    asm.op(P::Setp(Compare::Ne, Type::U32), &[value, Src::Bits(0)])
        .into()
}
