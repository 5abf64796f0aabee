//! The byte form of functions: compact, versioned, verified on load.
//!
//! A header: the magic `UFIR`, [`VERSION`], and a fingerprint of the tables that codes point into. Then name,
//! attributes, parameters, and the body. Numbers are LEB128, constants little-endian. Values are numbered in the order
//! in which they are defined, so every use names a number that has been seen.

use crate::constant::Const;
use crate::dtype::DType;
use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value};
use crate::ops::{AnyOp, MathFn, Op};
use crate::verify::{MAX_NESTING, Verified, Violation};
use std::error::Error;
use std::fmt;

/// The version of the byte form; raised when its layout changes.
pub const VERSION: u8 = 1;

const MAGIC: [u8; 4] = *b"UFIR";

/// Why bytes are not a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BytesError {
    /// They do not begin as the byte form does.
    NotUfir,
    /// They are of another version, or made with other tables of dtypes and operations.
    OtherVersion,
    /// They end too early.
    Truncated,
    /// Something is there that cannot be; the text says what.
    Malformed(&'static str),
    /// The function breaks an invariant; the first of those broken.
    Unverified(Violation),
}

impl fmt::Display for BytesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BytesError::NotUfir => f.write_str("not the byte form of a function or kernel"),
            BytesError::OtherVersion => f.write_str("written by another version of ufc"),
            BytesError::Truncated => f.write_str("the bytes end too early"),
            BytesError::Malformed(what) => write!(f, "the bytes are damaged: {what}"),
            BytesError::Unverified(violation) => {
                write!(f, "the function is not valid: {violation}")
            }
        }
    }
}

impl Error for BytesError {}

/// The bytes of a verified function.
pub fn to_bytes(func: &Func) -> Vec<u8> {
    let mut writer = Writer {
        func,
        out: Vec::new(),
        numbers: SecondaryMap::new(0),
        next: 0,
    };
    writer.out.extend(MAGIC);
    writer.out.push(VERSION);
    writer.out.extend(fingerprint().to_le_bytes());
    writer.header();
    writer.region(func.body);
    writer.out
}

/// Reads and verifies a function.
///
/// # Errors
/// If the bytes are not those of a function that keeps every invariant, made by this version.
pub fn from_bytes(bytes: &[u8]) -> Result<Verified, BytesError> {
    let Some(rest) = bytes.strip_prefix(&MAGIC) else {
        return Err(BytesError::NotUfir);
    };
    let mut reader = Reader {
        input: Input { rest },
        func: Func::new(""),
        values: Vec::new(),
    };
    let input = &mut reader.input;
    if input.byte()? != VERSION || input.take(4)? != fingerprint().to_le_bytes() {
        return Err(BytesError::OtherVersion);
    }
    reader.header()?;
    let body = reader.func.body;
    reader.region(body, 1)?;
    if !reader.input.rest.is_empty() {
        return Err(BytesError::Malformed("more follows the end"));
    }
    Verified::try_new(reader.func)
        .map_err(|violations| BytesError::Unverified(violations[0].clone()))
}

/// A hash (FNV-1a) of the names in the tables: codes mean the same only where it is the same.
pub(crate) fn fingerprint() -> u32 {
    let dtypes = DType::ALL.iter().map(|d| d.name());
    let core = Op::ALL.iter().map(|op| op.info().name);
    let math = MathFn::ALL.iter().map(|f| f.info().id);
    let mut hash = 0x811c_9dc5u32;
    for name in dtypes.chain(core).chain(math) {
        for byte in name.bytes().chain([0]) {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    hash
}

/// Codes of what an instruction is.
mod code {
    pub(super) const CONST: u8 = 0;
    pub(super) const INDEX: u8 = 1;
    pub(super) const OP: u8 = 2;
    pub(super) const MATH: u8 = 3;
    pub(super) const IF: u8 = 4;
    pub(super) const LOOP: u8 = 5;
    pub(super) const YIELD: u8 = 6;
    pub(super) const CONTINUE_IF: u8 = 7;

    pub(super) const FAST_MATH: u8 = 1;
    pub(super) const IDENTITY: u8 = 2;
}

/// Appends a number.
pub(crate) fn put_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a text with its length.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len());
    out.extend(text.bytes());
}

struct Writer<'f> {
    func: &'f Func,
    out: Vec<u8>,
    numbers: SecondaryMap<Value, usize>,
    next: usize,
}

impl Writer<'_> {
    fn number(&mut self, number: usize) {
        put_number(&mut self.out, number);
    }

    fn text(&mut self, text: &str) {
        put_text(&mut self.out, text);
    }

    fn constant(&mut self, value: Const) {
        let size = value.dtype().size();
        self.out.push(value.dtype() as u8);
        self.out.extend(&value.to_le_bytes()[..size]);
    }

    fn define(&mut self, values: &[Value]) {
        for value in values {
            self.numbers.set(*value, self.next);
            self.next += 1;
        }
    }

    /// Values without their number, where it follows from what uses them.
    fn uses(&mut self, values: &[Value]) {
        for value in values {
            self.number(self.numbers[*value]);
        }
    }

    fn counted_uses(&mut self, values: &[Value]) {
        self.number(values.len());
        self.uses(values);
    }

    fn dtypes(&mut self, values: &[Value]) {
        self.number(values.len());
        let dtypes = values.iter().map(|v| self.func.dtype(*v) as u8);
        self.out.extend(dtypes);
    }

    fn header(&mut self) {
        let func = self.func;
        self.text(&func.name);
        self.text(&func.attrs.doc);
        let fast_math = if func.attrs.fast_math {
            code::FAST_MATH
        } else {
            0
        };
        let identity = func.attrs.identity.map_or(0, |_| code::IDENTITY);
        self.out.push(fast_math | identity);
        if let Some(identity) = func.attrs.identity {
            self.constant(identity);
        }
        self.dtypes(func.params());
        for name in &func.param_names {
            self.text(name);
        }
        self.number(func.results.len());
        self.out.extend(func.results.iter().map(|d| *d as u8));
        self.define(func.params());
    }

    fn region(&mut self, region: Region) {
        let func = self.func;
        let data = &func.regions[region];
        for &inst in &data.insts {
            self.inst(inst);
        }
        match &data.end {
            Terminator::Yield(values) => {
                self.out.push(code::YIELD);
                self.counted_uses(values);
            }
            Terminator::ContinueIf {
                cond,
                next,
                results,
            } => {
                self.out.push(code::CONTINUE_IF);
                self.uses(&[*cond]);
                self.counted_uses(next);
                self.counted_uses(results);
            }
        }
    }

    fn inst(&mut self, inst: Inst) {
        let func = self.func;
        let data = &func.insts[inst];
        match &data.kind {
            InstKind::Const(value) => {
                self.out.push(code::CONST);
                self.constant(*value);
            }
            InstKind::Index(axis) => {
                self.out.push(code::INDEX);
                self.number(axis.map_or(0, |axis| usize::from(axis) + 1));
            }
            InstKind::Op(op) => {
                self.out.extend([code::OP, *op as u8]);
                self.operation(AnyOp::Core(*op), inst);
            }
            InstKind::Math(f) => {
                self.out.extend([code::MATH, *f as u8]);
                self.operation(AnyOp::Math(*f), inst);
            }
            InstKind::If {
                then_region,
                else_region,
            } => {
                self.out.push(code::IF);
                self.uses(&data.args);
                self.dtypes(&data.results);
                self.region(*then_region);
                self.region(*else_region);
            }
            InstKind::Loop { body } => {
                self.out.push(code::LOOP);
                self.counted_uses(&data.args);
                self.dtypes(&data.results);
                let params = &func.regions[*body].params;
                self.define(params);
                self.region(*body);
            }
        }
        self.define(&data.results);
    }

    fn operation(&mut self, op: AnyOp, inst: Inst) {
        let data = &self.func.insts[inst];
        self.uses(&data.args);
        // Where the result does not follow from the arguments, it is told.
        let key = self.func.dtype(data.args[op.rule().key()]);
        if op.rule().result(key).is_none() {
            self.out.push(self.func.dtype(data.results[0]) as u8);
        }
    }
}

/// Bytes that are being read.
pub(crate) struct Input<'b> {
    pub(crate) rest: &'b [u8],
}

pub(crate) type Read<T> = Result<T, BytesError>;

impl<'b> Input<'b> {
    pub(crate) fn take(&mut self, count: usize) -> Read<&'b [u8]> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(BytesError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Read<u8> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn number(&mut self) -> Read<usize> {
        let mut number = 0;
        for shift in (0..32).step_by(7) {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(BytesError::Malformed("a number is too large"))
    }

    /// A number of items of at least one byte each: no more than there are bytes, so that they may be stored.
    pub(crate) fn count(&mut self) -> Read<usize> {
        let count = self.number()?;
        if count > self.rest.len() {
            return Err(BytesError::Truncated);
        }
        Ok(count)
    }

    pub(crate) fn text(&mut self) -> Read<String> {
        let count = self.count()?;
        let bytes = self.take(count)?.to_vec();
        String::from_utf8(bytes).map_err(|_| BytesError::Malformed("a text is not UTF-8"))
    }

    pub(crate) fn dtype(&mut self) -> Read<DType> {
        DType::from_code(self.byte()?).ok_or(BytesError::Malformed("there is no such dtype"))
    }

    pub(crate) fn dtypes(&mut self) -> Read<Vec<DType>> {
        (0..self.count()?).map(|_| self.dtype()).collect()
    }
}

struct Reader<'b> {
    input: Input<'b>,
    func: Func,
    /// By number.
    values: Vec<Value>,
}

impl Reader<'_> {
    fn constant(&mut self) -> Read<Const> {
        let dtype = self.input.dtype()?;
        let bytes = self.input.take(dtype.size())?;
        let value = Const::from_le_bytes(dtype, bytes);
        match value.to_le_bytes()[..dtype.size()] == *bytes {
            true => Ok(value),
            false => Err(BytesError::Malformed("a bool is neither 0 nor 1")),
        }
    }

    fn value(&mut self) -> Read<Value> {
        let number = self.input.number()?;
        let known = self.values.get(number).copied();
        known.ok_or(BytesError::Malformed(
            "a value is used before its definition",
        ))
    }

    fn uses(&mut self, count: usize) -> Read<Vec<Value>> {
        (0..count).map(|_| self.value()).collect()
    }

    fn counted_uses(&mut self) -> Read<Vec<Value>> {
        let count = self.input.count()?;
        self.uses(count)
    }

    fn header(&mut self) -> Read<()> {
        self.func.name = self.input.text()?;
        self.func.attrs.doc = self.input.text()?;
        let flags = self.input.byte()?;
        if flags & !(code::FAST_MATH | code::IDENTITY) != 0 {
            return Err(BytesError::Malformed("there is no such attribute"));
        }
        self.func.attrs.fast_math = flags & code::FAST_MATH != 0;
        if flags & code::IDENTITY != 0 {
            self.func.attrs.identity = Some(self.constant()?);
        }
        let body = self.func.body;
        for dtype in self.input.dtypes()? {
            let param = self.func.add_param(body, dtype);
            self.values.push(param);
        }
        for _ in 0..self.values.len() {
            let name = self.input.text()?;
            self.func.param_names.push(name);
        }
        self.func.results = self.input.dtypes()?;
        Ok(())
    }

    /// Reads instructions into a region up to its terminator.
    fn region(&mut self, region: Region, depth: usize) -> Read<()> {
        if depth > MAX_NESTING {
            return Err(BytesError::Malformed("regions nest too deep"));
        }
        loop {
            let (kind, args, results) = match self.input.byte()? {
                code::CONST => {
                    let value = self.constant()?;
                    (InstKind::Const(value), Vec::new(), vec![value.dtype()])
                }
                code::INDEX => {
                    let axis = self.input.number()?.checked_sub(1).map(u8::try_from);
                    let axis = axis.transpose();
                    let axis = axis.map_err(|_| BytesError::Malformed("there is no such axis"))?;
                    (InstKind::Index(axis), Vec::new(), vec![DType::I64])
                }
                code::OP => {
                    let op = Op::from_code(self.input.byte()?);
                    let op = op.ok_or(BytesError::Malformed("there is no such operation"))?;
                    self.operation(AnyOp::Core(op), InstKind::Op(op))?
                }
                code::MATH => {
                    let f = MathFn::from_code(self.input.byte()?);
                    let f = f.ok_or(BytesError::Malformed("there is no such function"))?;
                    self.operation(AnyOp::Math(f), InstKind::Math(f))?
                }
                code::IF => self.branch(depth)?,
                code::LOOP => self.repeat(depth)?,
                code::YIELD => {
                    let values = self.counted_uses()?;
                    self.func.regions[region].end = Terminator::Yield(values);
                    return Ok(());
                }
                code::CONTINUE_IF => {
                    let cond = self.value()?;
                    let next = self.counted_uses()?;
                    let results = self.counted_uses()?;
                    self.func.regions[region].end = Terminator::ContinueIf {
                        cond,
                        next,
                        results,
                    };
                    return Ok(());
                }
                _ => return Err(BytesError::Malformed("there is no such instruction")),
            };
            let inst = self.func.make_inst(kind, args, &results);
            self.func.regions[region].insts.push(inst);
            self.values.extend(&self.func.insts[inst].results);
        }
    }

    fn operation(&mut self, op: AnyOp, kind: InstKind) -> Read<Made> {
        let rule = op.rule();
        let args = self.uses(rule.arity())?;
        let result = match rule.result(self.func.dtype(args[rule.key()])) {
            Some(dtype) => dtype,
            None => self.input.dtype()?,
        };
        Ok((kind, args, vec![result; rule.result_count()]))
    }

    fn branch(&mut self, depth: usize) -> Read<Made> {
        let cond = self.value()?;
        let results = self.input.dtypes()?;
        let then_region = self.func.add_region();
        self.region(then_region, depth + 1)?;
        let else_region = self.func.add_region();
        self.region(else_region, depth + 1)?;
        let kind = InstKind::If {
            then_region,
            else_region,
        };
        Ok((kind, vec![cond], results))
    }

    fn repeat(&mut self, depth: usize) -> Read<Made> {
        let init = self.counted_uses()?;
        let results = self.input.dtypes()?;
        let body = self.func.add_region();
        for value in &init {
            let param = self.func.add_param(body, self.func.dtype(*value));
            self.values.push(param);
        }
        self.region(body, depth + 1)?;
        Ok((InstKind::Loop { body }, init, results))
    }
}

/// An instruction before it is made: what it is, its arguments, the dtypes of its results.
type Made = (InstKind, Vec<Value>, Vec<DType>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::TypeSet;
    use crate::testing::{Config, Rng, for_seeds, random_func};
    use crate::text::print;

    fn random(seed: u64) -> Func {
        let config = Config {
            math: MathFn::ALL.to_vec(),
            dtypes: TypeSet::ANY,
            ..Config::default()
        };
        let mut func = random_func(seed, &config);
        func.attrs.doc = "What it is, – more or less.".to_string();
        func.attrs.fast_math = seed.is_multiple_of(2);
        func.attrs.identity = seed.is_multiple_of(3).then(|| Const::f32(1.5));
        func
    }

    #[test]
    fn bytes_round_trip() {
        for_seeds(200, &[], |seed| {
            let func = random(seed);
            let bytes = to_bytes(&func);
            let back = from_bytes(&bytes).unwrap();
            assert_eq!(print(&back), print(&func));
            assert_eq!(to_bytes(&back), bytes);
        });
    }

    #[test]
    fn damaged_bytes_are_an_error_or_another_function() {
        for_seeds(200, &[], |seed| {
            let original = to_bytes(&random(seed));
            let mut rng = Rng::new(seed);
            for _ in 0..200 {
                let mut bytes = original.clone();
                for _ in 0..1 + rng.below(3) {
                    // Half of the time past the header, which would hide what follows.
                    let start = if rng.one_in(2) { 9 } else { 0 };
                    let at = start + rng.below(bytes.len() - start);
                    match rng.below(4) {
                        0 => bytes[at] ^= 1 << rng.below(8),
                        1 => bytes[at] = rng.bits() as u8,
                        2 => drop(bytes.remove(at)),
                        _ => bytes.insert(at, rng.below(9) as u8),
                    }
                }
                if let Ok(func) = from_bytes(&bytes) {
                    print(&func);
                }
            }
        });
    }

    #[test]
    fn truncated_bytes_are_an_error() {
        let bytes = to_bytes(&random(7));
        for length in 0..bytes.len() {
            assert!(from_bytes(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let bytes = to_bytes(&random(7));
        let error = |bytes: &[u8]| from_bytes(bytes).unwrap_err().to_string();
        assert_eq!(error(b"hello"), "not the byte form of a function or kernel");
        let mut other = bytes.clone();
        other[4] += 1;
        assert_eq!(error(&other), "written by another version of ufc");
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(
            error(&longer),
            "the bytes are damaged: more follows the end"
        );
        assert_eq!(error(&bytes[..20]), "the bytes end too early");
    }

    #[test]
    fn deep_nesting_and_huge_counts_are_errors() {
        let mut func = Func::new("f");
        let mut b = crate::builder::Builder::new(&mut func);
        let cond = b.param("c", DType::Bool);
        b.if_else(cond, &[], |_| vec![], |_| vec![]);
        b.finish(vec![]);
        let bytes = to_bytes(&func);
        // The `if`: its code, the condition, no results.
        let at = bytes.windows(3).rposition(|w| w == [code::IF, 0, 0]);
        let (head, _) = bytes.split_at(at.unwrap());
        let mut deep = head.to_vec();
        deep.extend([code::IF, 0, 0].repeat(1_000_000));
        let error = from_bytes(&deep).unwrap_err();
        assert_eq!(error, BytesError::Malformed("regions nest too deep"));
        let mut huge = head.to_vec();
        huge.extend([code::YIELD, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert_eq!(from_bytes(&huge).unwrap_err(), BytesError::Truncated);
    }
}
