//! What instructions do, thread by thread.

use crate::decode::{Compare, Inst, Kernel, Kind, Op, Round, Src, Ty};
use crate::float::{from_half, to_half};

/// Why a kernel was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// An access outside of memory, at this address.
    IllegalAddress(u64),
    /// An access that is not aligned to its size.
    Misaligned(u64),
    /// A register is read before it is written; the line of the instruction.
    Unwritten(usize),
    /// More instructions than allowed.
    Endless,
}

/// The global memory that a kernel sees.
pub trait Memory {
    /// Reads up to 8 bytes, little end first; none if it is not memory.
    fn load(&self, address: u64, bytes: usize) -> Option<u64>;
    /// Writes up to 8 bytes, little end first; none if it is not memory.
    fn store(&self, address: u64, bytes: usize, value: u64) -> Option<()>;
}

/// Where a thread is in the grid.
#[derive(Clone, Copy, Debug)]
struct Position {
    thread: u32,
    threads: u32,
    block: u32,
    blocks: u32,
}

/// The registers of a thread.
struct Thread<'a> {
    values: &'a mut [u64],
    written: &'a mut [bool],
    position: Position,
}

impl Kernel {
    /// Runs every thread of a one-dimensional grid, on parameters given as their bits.
    ///
    /// # Errors
    /// What stopped a thread.
    pub fn run(
        &self,
        blocks: u32,
        threads: u32,
        params: &[u64],
        memory: &dyn Memory,
        budget: u64,
    ) -> Result<(), Trap> {
        let mut values = vec![0u64; self.registers];
        let mut written = vec![false; self.registers];
        let mut budget = budget;
        for block in 0..blocks {
            for thread in 0..threads {
                written.fill(false);
                let mut state = Thread {
                    values: &mut values,
                    written: &mut written,
                    position: Position {
                        thread,
                        threads,
                        block,
                        blocks,
                    },
                };
                self.thread(&mut state, params, memory, &mut budget)?;
            }
        }
        Ok(())
    }

    fn thread(
        &self,
        state: &mut Thread<'_>,
        params: &[u64],
        memory: &dyn Memory,
        budget: &mut u64,
    ) -> Result<(), Trap> {
        let mut at = 0;
        while let Some((line, guard, inst)) = self.code.get(at) {
            *budget = budget.checked_sub(1).ok_or(Trap::Endless)?;
            at += 1;
            if let Some((pred, negated)) = guard
                && (state.get(Src::Reg(*pred), *line)? & 1 == 1) == *negated
            {
                continue;
            }
            match inst {
                Inst::Branch(to) => at = *to,
                Inst::Ret => return Ok(()),
                _ => state.inst(inst, *line, params, memory)?,
            }
        }
        Ok(())
    }
}

impl Thread<'_> {
    fn get(&self, src: Src, line: usize) -> Result<u64, Trap> {
        Ok(match src {
            Src::Imm(bits) => bits,
            Src::Reg(reg) if self.written[reg] => self.values[reg],
            Src::Reg(_) => return Err(Trap::Unwritten(line)),
            Src::TidX => self.position.thread.into(),
            Src::NtidX => self.position.threads.into(),
            Src::CtaidX => self.position.block.into(),
            Src::NctaidX => self.position.blocks.into(),
        })
    }

    fn set(&mut self, reg: usize, value: u64) {
        self.values[reg] = value;
        self.written[reg] = true;
    }

    fn inst(
        &mut self,
        inst: &Inst,
        line: usize,
        params: &[u64],
        memory: &dyn Memory,
    ) -> Result<(), Trap> {
        match inst {
            Inst::Op(op, dst, args) => {
                let mut values = [0u64; 4];
                for (value, arg) in values.iter_mut().zip(args) {
                    *value = self.get(*arg, line)?;
                }
                self.set(*dst, compute(*op, values));
            }
            Inst::Pack(bits, dst, parts) => {
                let mut value = 0;
                for (number, part) in parts.iter().enumerate() {
                    let part = self.get(*part, line)? & mask(*bits);
                    value |= part << (bits * number as u32);
                }
                self.set(*dst, value);
            }
            Inst::Unpack(bits, parts, src) => {
                let value = self.get(*src, line)?;
                for (number, part) in parts.iter().enumerate() {
                    self.set(*part, value >> (bits * number as u32) & mask(*bits));
                }
            }
            Inst::LoadParam(ty, dst, param) => self.set(*dst, params[*param] & mask(ty.bits)),
            Inst::Load(ty, dst, base, offset) => {
                let address = self.address(*base, *offset, line)?;
                let bytes = ty.bits as usize / 8;
                aligned(address, bytes * dst.len())?;
                for (number, dst) in dst.iter().enumerate() {
                    let at = address.wrapping_add((number * bytes) as u64);
                    let value = memory.load(at, bytes).ok_or(Trap::IllegalAddress(at))?;
                    self.set(*dst, extended(*ty, value));
                }
            }
            Inst::Store(ty, src, base, offset) => {
                let address = self.address(*base, *offset, line)?;
                let bytes = ty.bits as usize / 8;
                aligned(address, bytes * src.len())?;
                for (number, src) in src.iter().enumerate() {
                    let at = address.wrapping_add((number * bytes) as u64);
                    let value = self.get(*src, line)? & mask(ty.bits);
                    memory
                        .store(at, bytes, value)
                        .ok_or(Trap::IllegalAddress(at))?;
                }
            }
            Inst::Branch(_) | Inst::Ret => unreachable!("the caller has these"),
        }
        Ok(())
    }

    fn address(&self, base: usize, offset: i64, line: usize) -> Result<u64, Trap> {
        Ok(self.get(Src::Reg(base), line)?.wrapping_add_signed(offset))
    }
}

fn aligned(address: u64, bytes: usize) -> Result<(), Trap> {
    if address.is_multiple_of(bytes as u64) {
        Ok(())
    } else {
        Err(Trap::Misaligned(address))
    }
}

fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits.clamp(1, 64))
}

fn signed(value: u64, bits: u32) -> i64 {
    let unused = 64 - bits;
    (value << unused) as i64 >> unused
}

/// A loaded value in a register that may be wider: signed ones are extended by their sign, others by zeros.
fn extended(ty: Ty, value: u64) -> u64 {
    match ty.kind {
        Kind::Signed => signed(value, ty.bits) as u64,
        Kind::Bits | Kind::Unsigned | Kind::Float | Kind::Pred => value & mask(ty.bits),
    }
}

/// What the manual does not define.
fn garbage(seed: u64) -> u64 {
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xdead_beef_dead_beef
}

fn compute(op: Op, args: [u64; 4]) -> u64 {
    let [a, b, c, d] = args;
    match op {
        Op::Setp(compare, ty) => u64::from(compares(compare, ty, a, b)),
        Op::Selp(ty) => (if c & 1 == 1 { a } else { b }) & mask(ty.bits),
        Op::Mov(ty) => a & mask(ty.bits),
        Op::Cvt { to, from, round } => convert(to, from, round, a),
        Op::MulWide(ty) => wide_product(ty, a, b),
        Op::MadWide(ty) => wide_product(ty, a, b).wrapping_add(c) & mask(2 * ty.bits),
        Op::Popc(ty) => (a & mask(ty.bits)).count_ones().into(),
        Op::Clz(ty) => u64::from((a & mask(ty.bits)).leading_zeros() - (64 - ty.bits)),
        Op::Brev(ty) => a.reverse_bits() >> (64 - ty.bits),
        Op::Bfe(ty) => extract(ty, a, b, c),
        Op::Bfi(ty) => insert(ty.bits, a, b, c, d),
        Op::ShfLeftWrap => u64::from(funnel(a, b, c as u32 & 31)),
        Op::ShfRightWrap => u64::from(funnel(a, b, 32 - (c as u32 & 31))),
        Op::Prmt => permute(a, b, c),
        Op::And(ty) => a & b & mask(ty.bits),
        Op::Or(ty) => (a | b) & mask(ty.bits),
        Op::Xor(ty) => (a ^ b) & mask(ty.bits),
        Op::Not(ty) => !a & mask(ty.bits),
        Op::Shl(ty) => {
            let amount = (b as u32).min(ty.bits);
            a.checked_shl(amount).unwrap_or(0) & mask(ty.bits)
        }
        Op::Shr(ty) => shift_right(ty, a, b as u32),
        Op::Arith(name, ty) => match (ty.kind, ty.bits) {
            (Kind::Float, 32) => {
                let f = |bits: u64| f32::from_bits(bits as u32);
                arith_f32(name, f(a), f(b), f(c)).to_bits().into()
            }
            (Kind::Float, _) => arith_f64(
                name,
                f64::from_bits(a),
                f64::from_bits(b),
                f64::from_bits(c),
            )
            .to_bits(),
            _ => arith_int(name, ty, a, b, c) & mask(ty.bits),
        },
    }
}

fn compares(compare: Compare, ty: Ty, a: u64, b: u64) -> bool {
    let by_order = |order: Option<std::cmp::Ordering>| {
        use std::cmp::Ordering::{Equal, Greater, Less};
        match (compare, order) {
            (Compare::Num, found) => found.is_some(),
            (Compare::Nan, found) => found.is_none(),
            // Without `u`, a comparison with NaN is false.
            (Compare::Neu, found) => found != Some(Equal),
            (_, None) => false,
            (Compare::Eq, Some(found)) => found == Equal,
            (Compare::Ne, Some(found)) => found != Equal,
            (Compare::Lt, Some(found)) => found == Less,
            (Compare::Le, Some(found)) => found != Greater,
            (Compare::Gt, Some(found)) => found == Greater,
            (Compare::Ge, Some(found)) => found != Less,
        }
    };
    match (ty.kind, ty.bits) {
        (Kind::Float, 32) => {
            by_order(f32::from_bits(a as u32).partial_cmp(&f32::from_bits(b as u32)))
        }
        (Kind::Float, _) => by_order(f64::from_bits(a).partial_cmp(&f64::from_bits(b))),
        (Kind::Signed, bits) => by_order(Some(signed(a, bits).cmp(&signed(b, bits)))),
        (_, bits) => by_order(Some((a & mask(bits)).cmp(&(b & mask(bits))))),
    }
}

fn wide_product(ty: Ty, a: u64, b: u64) -> u64 {
    let product = match ty.kind {
        Kind::Signed => signed(a, ty.bits).wrapping_mul(signed(b, ty.bits)) as u64,
        _ => (a & mask(ty.bits)).wrapping_mul(b & mask(ty.bits)),
    };
    product & mask(2 * ty.bits)
}

fn shift_right(ty: Ty, a: u64, amount: u32) -> u64 {
    let amount = amount.min(ty.bits);
    let shifted = match ty.kind {
        Kind::Signed => (signed(a, ty.bits) >> amount.min(63)) as u64,
        _ => (a & mask(ty.bits)).checked_shr(amount).unwrap_or(0),
    };
    shifted & mask(ty.bits)
}

/// A field of bits, extended by its highest bit where the type is signed.
fn extract(ty: Ty, a: u64, position: u64, length: u64) -> u64 {
    let (position, length) = (position as u32 & 0xff, length as u32 & 0xff);
    if length == 0 {
        return 0;
    }
    let a = a & mask(ty.bits);
    let sign_at = (position + length - 1).min(ty.bits - 1);
    let sign = matches!(ty.kind, Kind::Signed) && a >> sign_at & 1 == 1;
    let mut field = 0;
    for bit in 0..ty.bits {
        let inside = bit < length && position + bit < ty.bits;
        let value = if inside {
            a >> (position + bit) & 1 == 1
        } else {
            sign
        };
        field |= u64::from(value) << bit;
    }
    field
}

fn insert(bits: u32, field: u64, into: u64, position: u64, length: u64) -> u64 {
    let (position, length) = (position as u32 & 0xff, length as u32 & 0xff);
    let mut result = into & mask(bits);
    for bit in 0..length {
        let at = position + bit;
        if at < bits {
            result = result & !(1 << at) | (field >> bit & 1) << at;
        }
    }
    result
}

/// The high half of two words, the low one first, shifted left.
fn funnel(low: u64, high: u64, amount: u32) -> u32 {
    let both = (high & mask(32)) << 32 | (low & mask(32));
    (both >> (32 - amount)) as u32
}

fn permute(a: u64, b: u64, selector: u64) -> u64 {
    let both = (b & mask(32)) << 32 | (a & mask(32));
    let byte = |number: u64| {
        let choice = selector >> (4 * number) & 0xf;
        let value = both >> (8 * (choice & 7)) & 0xff;
        match choice & 8 {
            0 => value,
            _ => (value >> 7) * 0xff,
        }
    };
    (0..4).map(|n| byte(n) << (8 * n)).sum()
}

/// Arithmetic by name, as the table of `decode` has it.
fn arith_int(name: &str, ty: Ty, a: u64, b: u64, c: u64) -> u64 {
    let is_signed = matches!(ty.kind, Kind::Signed);
    let (x, y) = (signed(a, ty.bits), signed(b, ty.bits));
    let (a, b) = (a & mask(ty.bits), b & mask(ty.bits));
    match name {
        "add" => a.wrapping_add(b),
        "sub" => a.wrapping_sub(b),
        "mul.lo" => a.wrapping_mul(b),
        "mad.lo" => a.wrapping_mul(b).wrapping_add(c),
        "mul.hi" if is_signed => ((i128::from(x) * i128::from(y)) >> ty.bits) as u64,
        "mul.hi" => ((u128::from(a) * u128::from(b)) >> ty.bits) as u64,
        // By zero, and where the quotient does not fit, nothing is defined.
        "div" | "rem" if b == 0 => garbage(a),
        "div" | "rem" if is_signed && y == -1 && x == signed(1 << (ty.bits - 1), ty.bits) => {
            garbage(a)
        }
        "div" if is_signed => (x / y) as u64,
        "div" => a / b,
        // The sign of a remainder is the machine's choice where a number is negative.
        "rem" if is_signed && (x < 0 || y < 0) => garbage(a),
        "rem" => a % b,
        "min" if is_signed => x.min(y) as u64,
        "min" => a.min(b),
        "max" if is_signed => x.max(y) as u64,
        "max" => a.max(b),
        "neg" => (x as u64).wrapping_neg(),
        "abs" => x.unsigned_abs(),
        other => unreachable!("`{other}` is not integer arithmetic"),
    }
}

macro_rules! float_arith {
    ($name:ident, $t:ident) => {
        fn $name(name: &str, a: $t, b: $t, c: $t) -> $t {
            match name {
                "add" => a + b,
                "sub" => a - b,
                "mul" => a * b,
                "div" => a / b,
                "fma" => a.mul_add(b, c),
                "sqrt" => a.sqrt(),
                "neg" => -a,
                "abs" => a.abs(),
                // 9.7.3.11 and .12: of two NaNs NaN, of one and a number the number.
                "min" | "max" if a.is_nan() && b.is_nan() => $t::NAN,
                "min" | "max" if a.is_nan() => b,
                "min" | "max" if b.is_nan() => a,
                // "If values of both inputs are 0.0, then +0.0 > -0.0."
                "min" | "max" if a == 0.0 && b == 0.0 => {
                    let signs = [a.is_sign_negative(), b.is_sign_negative()];
                    let is_minus = match name {
                        "min" => signs.contains(&true),
                        _ => !signs.contains(&false),
                    };
                    if is_minus { -0.0 } else { 0.0 }
                }
                "min" => {
                    if a < b {
                        a
                    } else {
                        b
                    }
                }
                "max" => {
                    if a > b {
                        a
                    } else {
                        b
                    }
                }
                other => unreachable!("`{other}` is not floating-point arithmetic"),
            }
        }
    };
}
float_arith!(arith_f32, f32);
float_arith!(arith_f64, f64);

fn convert(to: Ty, from: Ty, round: Round, value: u64) -> u64 {
    match (from.kind, to.kind) {
        (Kind::Float, Kind::Float) => float_to_float(to, from, round, value),
        (Kind::Float, _) => float_to_int(to, from, value),
        (_, Kind::Float) => {
            let exact = match from.kind {
                Kind::Signed => i128::from(signed(value, from.bits)),
                _ => i128::from(value & mask(from.bits)),
            };
            match to.bits {
                // Beyond the range of a half, any larger number will do.
                16 => to_half(exact.clamp(-100_000, 100_000) as f64).into(),
                32 => (exact as f32).to_bits().into(),
                _ => (exact as f64).to_bits(),
            }
        }
        _ => {
            let value = match from.kind {
                Kind::Signed => signed(value, from.bits) as u64,
                _ => value & mask(from.bits),
            };
            // Of a narrow type in a wider register, the sign or zeros are extended.
            match to.kind {
                Kind::Signed => signed(value, to.bits) as u64,
                _ => value & mask(to.bits),
            }
        }
    }
}

fn float_to_float(to: Ty, from: Ty, round: Round, value: u64) -> u64 {
    if to == from {
        let rounded = |x: f64| match round {
            Round::Rni => x.round_ties_even(),
            Round::Rzi => x.trunc(),
            Round::Rmi => x.floor(),
            Round::Rpi => x.ceil(),
            Round::None | Round::Rn => x,
        };
        return match to.bits {
            32 => {
                let x = f32::from_bits(value as u32);
                // Exact: an f32's integer part is one of f64 too.
                (rounded(f64::from(x)) as f32).to_bits().into()
            }
            _ => rounded(f64::from_bits(value)).to_bits(),
        };
    }
    let x = match from.bits {
        16 => from_half(value as u16),
        32 => f64::from(f32::from_bits(value as u32)),
        _ => f64::from_bits(value),
    };
    match to.bits {
        16 => to_half(x).into(),
        32 => (x as f32).to_bits().into(),
        _ => x.to_bits(),
    }
}

/// 9.7.8.18: towards zero, clamped to the range. Of NaN it is 0 in every manual if neither of the two has 64 bits; else it is 0 in
/// some and the highest bit in others.
fn float_to_int(to: Ty, from: Ty, value: u64) -> u64 {
    let x = match from.bits {
        16 => from_half(value as u16),
        32 => f64::from(f32::from_bits(value as u32)),
        _ => f64::from_bits(value),
    };
    if x.is_nan() {
        return match from.bits == 64 || to.bits == 64 {
            true => garbage(value) & mask(to.bits),
            false => 0,
        };
    }
    let (low, high) = match to.kind {
        Kind::Signed => (-(1i128 << (to.bits - 1)), (1i128 << (to.bits - 1)) - 1),
        _ => (0, (1i128 << to.bits) - 1),
    };
    (x as i128).clamp(low, high) as u64
}
