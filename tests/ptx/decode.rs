//! Statements to instructions that can be executed, checked against the manual's rules on the way.

use crate::Refused;
use crate::text::{self, Entry, Statement};
use std::collections::BTreeMap;

/// What a type's bits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Pred,
    Bits,
    Unsigned,
    Signed,
    Float,
}

/// A fundamental type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ty {
    pub kind: Kind,
    pub bits: u32,
}

impl Ty {
    fn parse(name: &str) -> Option<Ty> {
        if name == "pred" {
            let (kind, bits) = (Kind::Pred, 1);
            return Some(Ty { kind, bits });
        }
        let (letter, bits) = name.split_at_checked(1)?;
        let kind = match letter {
            "b" => Kind::Bits,
            "u" => Kind::Unsigned,
            "s" => Kind::Signed,
            "f" => Kind::Float,
            _ => return None,
        };
        let bits = bits.parse().ok()?;
        let known = match kind {
            Kind::Float => [16, 32, 64].contains(&bits),
            _ => [8, 16, 32, 64].contains(&bits),
        };
        known.then_some(Ty { kind, bits })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Neu,
    Num,
    Nan,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    None,
    Rn,
    Rni,
    Rzi,
    Rmi,
    Rpi,
}

/// What an instruction reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Src {
    Reg(usize),
    Imm(u64),
    TidX,
    NtidX,
    CtaidX,
    NctaidX,
}

/// Instructions with one result, by the type they work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Named as in [`ARITHMETIC`].
    Arith(&'static str, Ty),
    MulWide(Ty),
    MadWide(Ty),
    Popc(Ty),
    Clz(Ty),
    Brev(Ty),
    Bfe(Ty),
    Bfi(Ty),
    Setp(Compare, Ty),
    Selp(Ty),
    And(Ty),
    Or(Ty),
    Xor(Ty),
    Not(Ty),
    Shl(Ty),
    Shr(Ty),
    ShfLeftWrap,
    ShfRightWrap,
    Prmt,
    Mov(Ty),
    Cvt {
        to: Ty,
        from: Ty,
        round: Round,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Inst {
    Op(Op, usize, Vec<Src>),
    /// Bits of each part, the result, the parts.
    Pack(u32, usize, Vec<Src>),
    Unpack(u32, Vec<usize>, Src),
    LoadParam(Ty, usize, usize),
    Load(Ty, Vec<usize>, usize, i64),
    Store(Ty, Vec<Src>, usize, i64),
    Branch(usize),
    Ret,
}

/// Arithmetic: name, how many arguments, on which kinds (`i` integers, `s` signed ones, `f` floats), and whether floats
/// round in it, so that `.rn` must be written: without it the assembler may fuse or choose.
const ARITHMETIC: &[(&str, usize, &str, bool)] = &[
    ("add", 2, "if", true),
    ("sub", 2, "if", true),
    ("mul", 2, "f", true),
    ("mul.lo", 2, "i", false),
    ("mul.hi", 2, "i", false),
    ("mad.lo", 3, "i", false),
    ("div", 2, "if", true),
    ("rem", 2, "i", false),
    ("fma", 3, "f", true),
    ("sqrt", 1, "f", true),
    ("min", 2, "if", false),
    ("max", 2, "if", false),
    ("neg", 1, "sf", false),
    ("abs", 1, "sf", false),
];

/// Line of the text, guard (a predicate, and whether it is negated) and instruction.
pub(crate) type Line = (usize, Option<(usize, bool)>, Inst);

/// A module's kernels.
#[derive(Clone, Debug)]
pub struct Module {
    kernels: Vec<Kernel>,
}

/// A kernel, ready to run.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Its name.
    pub name: String,
    /// Bytes of each parameter.
    pub params: Vec<usize>,
    pub(crate) registers: usize,
    pub(crate) code: Vec<Line>,
}

impl Module {
    /// Reads a module.
    ///
    /// # Errors
    /// What is not PTX, or not taken here.
    pub fn parse(source: &str) -> Result<Module, Refused> {
        let text = text::read(source)?;
        if text.target != "sm_70" || text.version != "7.0" {
            let what = format!("PTX {} for {}", text.version, text.target);
            return Err(Refused { line: 1, what });
        }
        let kernels = text.entries.iter().map(Decoder::kernel);
        Ok(Module {
            kernels: kernels.collect::<Result<_, _>>()?,
        })
    }

    /// The kernel of this name.
    pub fn kernel(&self, name: &str) -> Option<&Kernel> {
        self.kernels.iter().find(|kernel| kernel.name == name)
    }
}

struct Decoder<'a> {
    entry: &'a Entry,
    /// Per prefix: type, first number, count.
    registers: BTreeMap<&'a str, (Ty, usize, u32)>,
    widths: Vec<u32>,
    labels: BTreeMap<&'a str, usize>,
    line: usize,
}

impl<'a> Decoder<'a> {
    fn kernel(entry: &'a Entry) -> Result<Kernel, Refused> {
        let mut decoder = Decoder {
            entry,
            registers: BTreeMap::new(),
            widths: Vec::new(),
            labels: BTreeMap::new(),
            line: 0,
        };
        let mut params = Vec::new();
        for (t, _) in &entry.params {
            params.push(decoder.ty(t)?.bits as usize / 8);
        }
        decoder.declare()?;
        let mut code = Vec::new();
        for (line, statement) in &entry.body {
            decoder.line = *line;
            if let Statement::Inst(guard, opcode, operands) = statement {
                let guard = match guard {
                    None => None,
                    Some(guard) => {
                        let (negated, name) = match guard.strip_prefix('!') {
                            Some(name) => (true, name),
                            None => (false, guard.as_str()),
                        };
                        Some((decoder.register(name, Some(1))?, negated))
                    }
                };
                code.push((*line, guard, decoder.inst(opcode, operands)?));
            }
        }
        Ok(Kernel {
            name: entry.name.clone(),
            params,
            registers: decoder.widths.len(),
            code,
        })
    }

    /// Finds registers and labels.
    fn declare(&mut self) -> Result<(), Refused> {
        let mut number = 0;
        for (line, statement) in &self.entry.body {
            self.line = *line;
            match statement {
                Statement::Label(name) => {
                    if self.labels.insert(name, number).is_some() {
                        return self.refuse(format!("the label `{name}` stands twice"));
                    }
                }
                Statement::Registers(t, prefix, count) => {
                    let ty = self.ty(t)?;
                    let first = self.widths.len();
                    self.widths.extend((0..*count).map(|_| ty.bits));
                    if self.registers.insert(prefix, (ty, first, *count)).is_some() {
                        return self.refuse(format!("registers `{prefix}` are declared twice"));
                    }
                }
                Statement::Inst(..) => number += 1,
            }
        }
        Ok(())
    }

    fn refuse<T>(&self, what: impl Into<String>) -> Result<T, Refused> {
        let (line, what) = (self.line, what.into());
        Err(Refused { line, what })
    }

    fn ty(&self, name: &str) -> Result<Ty, Refused> {
        match Ty::parse(name) {
            Some(ty) => Ok(ty),
            None => self.refuse(format!("the type `{name}`")),
        }
    }

    /// A register, of exactly so many bits where this is asked for.
    fn register(&self, name: &str, bits: Option<u32>) -> Result<usize, Refused> {
        let digits = name
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(name.len());
        let (prefix, number) = name.split_at(digits);
        let found = self.registers.get(prefix).zip(number.parse::<u32>().ok());
        match found {
            Some(((ty, first, count), number)) if number < *count => match bits {
                Some(bits) if bits != ty.bits => {
                    self.refuse(format!("`{name}` has {} bits, not {bits}", ty.bits))
                }
                _ => Ok(first + number as usize),
            },
            _ => self.refuse(format!("the register `{name}` is not declared")),
        }
    }

    /// An argument of a type: a register of its size, or a constant.
    fn src(&self, text: &str, ty: Ty) -> Result<Src, Refused> {
        match text {
            "%tid.x" => return Ok(Src::TidX),
            "%ntid.x" => return Ok(Src::NtidX),
            "%ctaid.x" => return Ok(Src::CtaidX),
            "%nctaid.x" => return Ok(Src::NctaidX),
            _ => {}
        }
        if text.starts_with('%') {
            return self.register(text, Some(ty.bits)).map(Src::Reg);
        }
        let is_float = ty.kind == Kind::Float;
        let bits = match (text.get(..2), is_float) {
            (Some("0f"), true) if ty.bits == 32 && text.len() == 10 => {
                u64::from_str_radix(&text[2..], 16).ok()
            }
            (Some("0d"), true) if ty.bits == 64 && text.len() == 18 => {
                u64::from_str_radix(&text[2..], 16).ok()
            }
            (_, true) => None,
            (Some("0x"), false) => u64::from_str_radix(&text[2..], 16).ok(),
            _ => text.parse::<i64>().ok().map(|value| value as u64),
        };
        match bits {
            Some(bits) => Ok(Src::Imm(bits)),
            None => self.refuse(format!("`{text}` is no {ty:?}")),
        }
    }

    fn label(&self, name: &str) -> Result<usize, Refused> {
        match self.labels.get(name) {
            Some(at) => Ok(*at),
            None => self.refuse(format!("the label `{name}` is nowhere")),
        }
    }

    fn inst(&self, opcode: &str, operands: &[String]) -> Result<Inst, Refused> {
        let words: Vec<&str> = opcode.split('.').collect();
        let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
        match (&words[..], &operands[..]) {
            (["ret"], []) => Ok(Inst::Ret),
            (["bra"], [to]) => Ok(Inst::Branch(self.label(to)?)),
            (["ld", "param", t], [dst, from]) => self.load_param(t, dst, from),
            (["ld", "global", rest @ ..], [dst, from]) => {
                let (ty, count) = self.vector(rest)?;
                let names = list(dst);
                let (base, offset) = self.address(from)?;
                let dst = names.iter().map(|name| self.wider(name, ty));
                let dst = dst.collect::<Result<Vec<_>, _>>()?;
                self.counted(dst.len(), count)?;
                Ok(Inst::Load(ty, dst, base, offset))
            }
            (["st", "global", rest @ ..], [to, src]) => {
                let (ty, count) = self.vector(rest)?;
                let (base, offset) = self.address(to)?;
                let src = list(src)
                    .into_iter()
                    .map(|name| match name.starts_with('%') {
                        true => self.wider(name, ty).map(Src::Reg),
                        false => self.src(name, ty),
                    });
                let src = src.collect::<Result<Vec<_>, _>>()?;
                self.counted(src.len(), count)?;
                Ok(Inst::Store(ty, src, base, offset))
            }
            (["mov", t], [dst, src]) => self.mov(self.ty(t)?, dst, src),
            (["cvta", "to", "global", "u64"], [dst, src]) => {
                let ty = self.ty("u64")?;
                let (dst, src) = (self.register(dst, Some(64))?, self.src(src, ty)?);
                Ok(Inst::Op(Op::Mov(ty), dst, vec![src]))
            }
            (["cvt", rest @ ..], [dst, src]) => self.cvt(rest, dst, src),
            (_, [dst, args @ ..]) => self.plain(opcode, &words, dst, args),
            _ => self.refuse(format!("the instruction `{opcode}`")),
        }
    }

    fn counted(&self, found: usize, wanted: usize) -> Result<(), Refused> {
        match found == wanted {
            true => Ok(()),
            false => self.refuse(format!("{found} elements, not {wanted}")),
        }
    }

    /// Type and number of elements of a load or store.
    fn vector(&self, words: &[&str]) -> Result<(Ty, usize), Refused> {
        let (count, t) = match words {
            [t] => (1, t),
            ["v2", t] => (2, t),
            ["v4", t] => (4, t),
            _ => return self.refuse("an access of another form"),
        };
        let ty = self.ty(t)?;
        if count * ty.bits as usize > 128 {
            return self.refuse("an access of more than 16 bytes");
        }
        Ok((ty, count))
    }

    /// A register at least as wide as the type, as loads, stores and conversions of integers may have.
    fn wider(&self, name: &str, ty: Ty) -> Result<usize, Refused> {
        let reg = self.register(name, None)?;
        let width = self.widths[reg];
        let may_be_wider = ty.kind != Kind::Float;
        if width == ty.bits || (may_be_wider && width > ty.bits) {
            return Ok(reg);
        }
        self.refuse(format!(
            "`{name}` has {width} bits, which do not fit {ty:?}"
        ))
    }

    fn address(&self, text: &str) -> Result<(usize, i64), Refused> {
        let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        let Some(inner) = inner else {
            return self.refuse(format!("`{text}` is no address"));
        };
        let (base, offset) = inner.split_once('+').unwrap_or((inner, "0"));
        match offset.parse() {
            Ok(offset) => Ok((self.register(base, Some(64))?, offset)),
            Err(_) => self.refuse(format!("the offset `{offset}`")),
        }
    }

    fn load_param(&self, t: &str, dst: &str, from: &str) -> Result<Inst, Refused> {
        let ty = self.ty(t)?;
        let name = from.trim_start_matches('[').trim_end_matches(']');
        let found = self
            .entry
            .params
            .iter()
            .position(|(_, param)| param == name);
        let Some(param) = found else {
            return self.refuse(format!("the parameter `{name}` is not there"));
        };
        if self.ty(&self.entry.params[param].0)?.bits != ty.bits {
            return self.refuse(format!("the parameter `{name}` is of another size"));
        }
        Ok(Inst::LoadParam(
            ty,
            self.register(dst, Some(ty.bits))?,
            param,
        ))
    }

    fn mov(&self, ty: Ty, dst: &str, src: &str) -> Result<Inst, Refused> {
        if dst.starts_with('{') {
            let parts = list(dst);
            let bits = ty.bits / parts.len() as u32;
            let parts = parts.iter().map(|name| self.register(name, Some(bits)));
            let src = self.src(src, ty)?;
            return Ok(Inst::Unpack(bits, parts.collect::<Result<_, _>>()?, src));
        }
        let dst = self.register(dst, Some(ty.bits))?;
        if src.starts_with('{') {
            let parts = list(src);
            let bits = ty.bits / parts.len() as u32;
            let part = Ty {
                kind: Kind::Bits,
                bits,
            };
            let parts = parts.iter().map(|name| self.src(name, part));
            return Ok(Inst::Pack(bits, dst, parts.collect::<Result<_, _>>()?));
        }
        Ok(Inst::Op(Op::Mov(ty), dst, vec![self.src(src, ty)?]))
    }

    fn cvt(&self, words: &[&str], dst: &str, src: &str) -> Result<Inst, Refused> {
        let (round, to, from) = match words {
            [to, from] => (Round::None, to, from),
            [round, to, from] => {
                let round = match *round {
                    "rn" => Round::Rn,
                    "rni" => Round::Rni,
                    "rzi" => Round::Rzi,
                    "rmi" => Round::Rmi,
                    "rpi" => Round::Rpi,
                    other => return self.refuse(format!("a conversion with `.{other}`")),
                };
                (round, to, from)
            }
            _ => return self.refuse("a conversion of another form"),
        };
        let (to, from) = (self.ty(to)?, self.ty(from)?);
        let float = |ty: Ty| ty.kind == Kind::Float;
        // Where a result is rounded, the instruction must say how, and nowhere else.
        let fits = match (float(from), float(to)) {
            (true, true) if to.bits > from.bits => round == Round::None,
            (true, true) if to.bits < from.bits => round == Round::Rn,
            (true, true) => !matches!(round, Round::None | Round::Rn),
            (true, false) => round == Round::Rzi,
            (false, true) => round == Round::Rn,
            (false, false) => round == Round::None,
        };
        if !fits
            || [to, from]
                .iter()
                .any(|ty| matches!(ty.kind, Kind::Bits | Kind::Pred))
        {
            return self.refuse(format!("a conversion `{}`", words.join(".")));
        }
        let dst = self.wider(dst, to)?;
        let src = match src.starts_with('%') {
            true => Src::Reg(self.wider(src, from)?),
            false => self.src(src, from)?,
        };
        // Integers are extended to the register that they are written to.
        let to = match to.kind {
            Kind::Signed | Kind::Unsigned if !float(from) => to,
            _ if self.widths[dst] == to.bits => to,
            _ => return self.refuse("a conversion to a wider register"),
        };
        Ok(Inst::Op(Op::Cvt { to, from, round }, dst, vec![src]))
    }

    /// Instructions whose arguments are all of one type.
    fn plain(
        &self,
        opcode: &str,
        words: &[&str],
        dst: &str,
        args: &[&str],
    ) -> Result<Inst, Refused> {
        let (name, t) = opcode.rsplit_once('.').unwrap_or((opcode, ""));
        let ty = self.ty(t)?;
        let (u32_, pred) = (self.ty("u32")?, self.ty("pred")?);
        let bits = |kinds: &[u32]| kinds.contains(&ty.bits) && ty.kind != Kind::Float;
        if let Some((op, types)) = self.arithmetic(name, ty)? {
            return self.typed(op, ty, dst, args, &types);
        }
        let wide = Ty {
            kind: ty.kind,
            bits: 2 * ty.bits,
        };
        let (op, result, types) = match name {
            "mul.wide" if bits(&[16, 32]) => (Op::MulWide(ty), wide, vec![ty; 2]),
            "mad.wide" if bits(&[16, 32]) => (Op::MadWide(ty), wide, vec![ty, ty, wide]),
            "popc" if bits(&[32, 64]) => (Op::Popc(ty), u32_, vec![ty]),
            "clz" if bits(&[32, 64]) => (Op::Clz(ty), u32_, vec![ty]),
            "brev" if bits(&[32, 64]) => (Op::Brev(ty), ty, vec![ty]),
            "bfe" if bits(&[32, 64]) => (Op::Bfe(ty), ty, vec![ty, u32_, u32_]),
            "bfi" if bits(&[32, 64]) => (Op::Bfi(ty), ty, vec![ty, ty, u32_, u32_]),
            "selp" if ty != pred => (Op::Selp(ty), ty, vec![ty, ty, pred]),
            "and" | "or" | "xor" | "not" if matches!(ty.kind, Kind::Bits | Kind::Pred) => {
                let op = match name {
                    "and" => Op::And(ty),
                    "or" => Op::Or(ty),
                    "xor" => Op::Xor(ty),
                    _ => Op::Not(ty),
                };
                (op, ty, vec![ty; if name == "not" { 1 } else { 2 }])
            }
            "shl" if ty.kind == Kind::Bits => (Op::Shl(ty), ty, vec![ty, u32_]),
            "shr" if bits(&[16, 32, 64]) => (Op::Shr(ty), ty, vec![ty, u32_]),
            "shf.l.wrap" if t == "b32" => (Op::ShfLeftWrap, ty, vec![ty, ty, u32_]),
            "shf.r.wrap" if t == "b32" => (Op::ShfRightWrap, ty, vec![ty, ty, u32_]),
            "prmt" if t == "b32" => (Op::Prmt, ty, vec![ty; 3]),
            _ => match (words, self.comparison(words.get(1).copied(), ty)) {
                (["setp", _, _], Some(compare)) => (Op::Setp(compare, ty), pred, vec![ty; 2]),
                _ => return self.refuse(format!("the instruction `{opcode}`")),
            },
        };
        self.typed(op, result, dst, args, &types)
    }

    /// A row of [`ARITHMETIC`], with the types of its arguments.
    fn arithmetic(&self, name: &str, ty: Ty) -> Result<Option<(Op, Vec<Ty>)>, Refused> {
        let is_float = ty.kind == Kind::Float;
        let plain = name.strip_suffix(".rn").unwrap_or(name);
        let Some((name_, count, kinds, rounds)) = ARITHMETIC.iter().find(|row| row.0 == plain)
        else {
            return Ok(None);
        };
        let allowed = match ty.kind {
            Kind::Float => kinds.contains('f') && ty.bits >= 32,
            Kind::Signed => kinds.contains(['i', 's']),
            Kind::Unsigned => kinds.contains('i'),
            Kind::Bits | Kind::Pred => false,
        };
        let says = plain != name;
        if !allowed || ty.bits < 16 || says != (is_float && *rounds) {
            return self.refuse(format!("`{name}` on {ty:?}: what it may do is open"));
        }
        Ok(Some((Op::Arith(name_, ty), vec![ty; *count])))
    }

    fn comparison(&self, name: Option<&str>, ty: Ty) -> Option<Compare> {
        let is_float = ty.kind == Kind::Float;
        Some(match (name?, ty.kind) {
            ("eq", _) => Compare::Eq,
            ("ne", _) => Compare::Ne,
            (_, Kind::Bits | Kind::Pred) => return None,
            ("lt", _) => Compare::Lt,
            ("le", _) => Compare::Le,
            ("gt", _) => Compare::Gt,
            ("ge", _) => Compare::Ge,
            ("neu", _) if is_float => Compare::Neu,
            ("num", _) if is_float => Compare::Num,
            ("nan", _) if is_float => Compare::Nan,
            _ => return None,
        })
    }

    fn typed(
        &self,
        op: Op,
        result: Ty,
        dst: &str,
        args: &[&str],
        types: &[Ty],
    ) -> Result<Inst, Refused> {
        self.counted(args.len(), types.len())?;
        let dst = self.register(dst, Some(result.bits))?;
        let args = args.iter().zip(types).map(|(arg, ty)| self.src(arg, *ty));
        Ok(Inst::Op(op, dst, args.collect::<Result<_, _>>()?))
    }
}

/// The names in braces, or the one without.
fn list(text: &str) -> Vec<&str> {
    let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    inner.unwrap_or(text).split(',').map(str::trim).collect()
}
