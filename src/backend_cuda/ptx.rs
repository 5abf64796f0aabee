//! PTX as a small tree, and its printer.
//!
//! Section numbers, here and where kernels are lowered, are those of NVIDIA's "Parallel Thread Execution ISA" 7.6, the manual of
//! CUDA 11.6.

use std::fmt::{self, Write as _};

/// The version of the language that every module states: the first that knows all cards up to now by its features.
pub(crate) const VERSION: &str = "7.0";
/// The oldest architecture that modules ask for; the driver compiles them for every later one as well.
pub(crate) const TARGET: &str = "sm_70";

/// Section 5.2.1, fundamental types; those that we use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Pred,
    U8,
    S8,
    B16,
    U16,
    S16,
    F16,
    B32,
    U32,
    S32,
    F32,
    B64,
    U64,
    S64,
    F64,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Type::Pred => "pred",
            Type::U8 => "u8",
            Type::S8 => "s8",
            Type::B16 => "b16",
            Type::U16 => "u16",
            Type::S16 => "s16",
            Type::F16 => "f16",
            Type::B32 => "b32",
            Type::U32 => "u32",
            Type::S32 => "s32",
            Type::F32 => "f32",
            Type::B64 => "b64",
            Type::U64 => "u64",
            Type::S64 => "s64",
            Type::F64 => "f64",
        }
    }

    /// Whether arithmetic on it is IEEE 754's.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Type::F16 | Type::F32 | Type::F64)
    }

    fn is_signed(self) -> bool {
        matches!(self, Type::S8 | Type::S16 | Type::S32 | Type::S64)
    }

    /// The registers that hold it. Eight bits are held in 32.
    pub(crate) fn class(self) -> Class {
        match self {
            Type::Pred => Class::Pred,
            Type::B16 | Type::F16 | Type::U16 | Type::S16 => Class::B16,
            Type::U8 | Type::S8 | Type::B32 | Type::U32 | Type::S32 | Type::F32 => Class::B32,
            Type::B64 | Type::U64 | Type::S64 | Type::F64 => Class::B64,
        }
    }

    /// Size in bytes; none for predicates, which have no memory form.
    pub(crate) fn size(self) -> usize {
        match self {
            Type::Pred => 0,
            Type::U8 | Type::S8 => 1,
            Type::B16 | Type::F16 | Type::U16 | Type::S16 => 2,
            Type::B32 | Type::U32 | Type::S32 | Type::F32 => 4,
            Type::B64 | Type::U64 | Type::S64 | Type::F64 => 8,
        }
    }
}

/// Registers are untyped but for their size: an instruction's type says how it reads them (section 5.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Pred,
    B16,
    B32,
    B64,
}

impl Class {
    const ALL: [Class; 4] = [Class::Pred, Class::B16, Class::B32, Class::B64];

    /// The letter that its registers' names begin with.
    fn letter(self) -> char {
        match self {
            Class::Pred => 'p',
            Class::B16 => 'h',
            Class::B32 => 'r',
            Class::B64 => 'd',
        }
    }

    /// The type that registers of the class are declared with, and moved by.
    pub(crate) fn bits(self) -> Type {
        match self {
            Class::Pred => Type::Pred,
            Class::B16 => Type::B16,
            Class::B32 => Type::B32,
            Class::B64 => Type::B64,
        }
    }
}

/// A virtual register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reg {
    pub class: Class,
    pub number: u32,
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}{}", self.class.letter(), self.number)
    }
}

/// Chapter 10, special registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    /// 10.1
    TidX,
    /// 10.2
    NtidX,
    /// 10.6
    CtaidX,
    /// 10.7
    NctaidX,
}

/// What an instruction reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Src {
    Reg(Reg),
    /// A constant's bits, printed as the instruction's type has it (section 4.5).
    Bits(u64),
    Special(Special),
}

impl From<Reg> for Src {
    fn from(reg: Reg) -> Src {
        Src::Reg(reg)
    }
}

/// Comparisons of `setp`, section 9.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// Not equal or unordered.
    Neu,
    /// Neither is NaN.
    Num,
    /// One is NaN.
    Nan,
}

impl Compare {
    fn name(self) -> &'static str {
        match self {
            Compare::Eq => "eq",
            Compare::Ne => "ne",
            Compare::Lt => "lt",
            Compare::Le => "le",
            Compare::Gt => "gt",
            Compare::Ge => "ge",
            Compare::Neu => "neu",
            Compare::Num => "num",
            Compare::Nan => "nan",
        }
    }
}

/// How a conversion rounds, section 9.7.8.18.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// The result is exact.
    None,
    /// To a float, to nearest even.
    Rn,
    /// To an integer: to nearest even, towards zero, down, up.
    Rni,
    Rzi,
    Rmi,
    Rpi,
}

impl Round {
    fn suffix(self) -> &'static str {
        match self {
            Round::None => "",
            Round::Rn => ".rn",
            Round::Rni => ".rni",
            Round::Rzi => ".rzi",
            Round::Rmi => ".rmi",
            Round::Rpi => ".rpi",
        }
    }
}

/// Instructions with one result and no effect. The type is that of the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    // 9.7.1 integer, 9.7.3 floating-point arithmetic. On floats each is printed with `.rn` where it rounds, so that
    // nothing is contracted, and never with `.ftz`.
    Add(Type),
    Sub(Type),
    /// The low half of an integer product.
    Mul(Type),
    /// The high half of an integer product.
    MulHi(Type),
    /// Low half of an integer product, plus.
    Mad(Type),
    /// Product of twice the width, plus.
    MadWide(Type),
    Div(Type),
    Rem(Type),
    Abs(Type),
    Neg(Type),
    Min(Type),
    Max(Type),
    Fma(Type),
    Sqrt(Type),
    // 9.7.1.14 and on: bits of integers.
    Popc(Type),
    Clz(Type),
    Brev(Type),
    /// Value, position, length.
    Bfe(Type),
    /// Value, into what, position, length.
    Bfi(Type),
    // 9.7.5 comparison and selection.
    Setp(Compare, Type),
    /// If true, else, condition.
    Selp(Type),
    // 9.7.7 logic and shift.
    And(Type),
    Or(Type),
    Xor(Type),
    Not(Type),
    Shl(Type),
    Shr(Type),
    /// Rotation left: the same value twice, the amount.
    ShfLeftWrap,
    /// Rotation right: the same value twice, the amount.
    ShfRightWrap,
    // 9.7.8 data movement and conversion.
    Mov(Type),
    /// Bytes of two values by a selector.
    Prmt,
    Cvt {
        to: Type,
        from: Type,
        round: Round,
    },
    /// Address in the global space from a generic one.
    CvtaGlobal,
}

impl Op {
    /// The class of the result.
    pub(crate) fn class(self) -> Class {
        match self {
            Op::Setp(..) => Class::Pred,
            Op::MadWide(_) | Op::CvtaGlobal => Class::B64,
            Op::Popc(_) | Op::Clz(_) | Op::ShfLeftWrap | Op::ShfRightWrap | Op::Prmt => Class::B32,
            Op::Cvt { to, .. } => to.class(),
            Op::Add(t)
            | Op::Sub(t)
            | Op::Mul(t)
            | Op::MulHi(t)
            | Op::Mad(t)
            | Op::Div(t)
            | Op::Rem(t)
            | Op::Abs(t)
            | Op::Neg(t)
            | Op::Min(t)
            | Op::Max(t)
            | Op::Fma(t)
            | Op::Sqrt(t)
            | Op::Brev(t)
            | Op::Bfe(t)
            | Op::Bfi(t)
            | Op::Selp(t)
            | Op::And(t)
            | Op::Or(t)
            | Op::Xor(t)
            | Op::Not(t)
            | Op::Shl(t)
            | Op::Shr(t)
            | Op::Mov(t) => t.class(),
        }
    }

    /// The type that argument `index` is read as, for printing constants.
    fn argument(self, index: usize) -> Type {
        match self {
            Op::Bfe(_) | Op::Shl(_) | Op::Shr(_) if index >= 1 => Type::U32,
            Op::Bfi(_) if index >= 2 => Type::U32,
            Op::Prmt | Op::ShfLeftWrap | Op::ShfRightWrap => Type::U32,
            Op::MadWide(t) if index == 2 => match t {
                Type::S32 => Type::S64,
                _ => Type::U64,
            },
            Op::Cvt { from, .. } => from,
            Op::CvtaGlobal => Type::U64,
            Op::Setp(_, t)
            | Op::Add(t)
            | Op::Sub(t)
            | Op::Mul(t)
            | Op::MulHi(t)
            | Op::Mad(t)
            | Op::MadWide(t)
            | Op::Div(t)
            | Op::Rem(t)
            | Op::Abs(t)
            | Op::Neg(t)
            | Op::Min(t)
            | Op::Max(t)
            | Op::Fma(t)
            | Op::Sqrt(t)
            | Op::Popc(t)
            | Op::Clz(t)
            | Op::Brev(t)
            | Op::Bfe(t)
            | Op::Bfi(t)
            | Op::Selp(t)
            | Op::And(t)
            | Op::Or(t)
            | Op::Xor(t)
            | Op::Not(t)
            | Op::Shl(t)
            | Op::Shr(t)
            | Op::Mov(t) => t,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed =
            |f: &mut fmt::Formatter<'_>, name: &str, t: Type| write!(f, "{name}.{}", t.name());
        // Operations that round say so, which also keeps the assembler from fusing them.
        let rounded = |f: &mut fmt::Formatter<'_>, name: &str, t: Type| {
            let rn = if t.is_float() { ".rn" } else { "" };
            write!(f, "{name}{rn}.{}", t.name())
        };
        match *self {
            Op::Add(t) => rounded(f, "add", t),
            Op::Sub(t) => rounded(f, "sub", t),
            Op::Mul(t) if t.is_float() => rounded(f, "mul", t),
            Op::Mul(t) => typed(f, "mul.lo", t),
            Op::MulHi(t) => typed(f, "mul.hi", t),
            Op::Mad(t) => typed(f, "mad.lo", t),
            Op::MadWide(t) => typed(f, "mad.wide", t),
            Op::Div(t) => rounded(f, "div", t),
            Op::Fma(t) => rounded(f, "fma", t),
            Op::Sqrt(t) => rounded(f, "sqrt", t),
            Op::Rem(t) => typed(f, "rem", t),
            Op::Abs(t) => typed(f, "abs", t),
            Op::Neg(t) => typed(f, "neg", t),
            Op::Min(t) => typed(f, "min", t),
            Op::Max(t) => typed(f, "max", t),
            Op::Popc(t) => typed(f, "popc", t),
            Op::Clz(t) => typed(f, "clz", t),
            Op::Brev(t) => typed(f, "brev", t),
            Op::Bfe(t) => typed(f, "bfe", t),
            Op::Bfi(t) => typed(f, "bfi", t),
            Op::Setp(compare, t) => write!(f, "setp.{}.{}", compare.name(), t.name()),
            Op::Selp(t) => typed(f, "selp", t),
            Op::And(t) => typed(f, "and", t),
            Op::Or(t) => typed(f, "or", t),
            Op::Xor(t) => typed(f, "xor", t),
            Op::Not(t) => typed(f, "not", t),
            Op::Shl(t) => typed(f, "shl", t),
            Op::Shr(t) => typed(f, "shr", t),
            Op::ShfLeftWrap => f.write_str("shf.l.wrap.b32"),
            Op::ShfRightWrap => f.write_str("shf.r.wrap.b32"),
            Op::Mov(t) => typed(f, "mov", t),
            Op::Prmt => f.write_str("prmt.b32"),
            Op::Cvt { to, from, round } => {
                let suffix = round.suffix();
                write!(f, "cvt{suffix}.{}.{}", to.name(), from.name())
            }
            Op::CvtaGlobal => f.write_str("cvta.to.global.u64"),
        }
    }
}

/// A place in the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label(pub u32);

/// Section 9.3: runs the instruction only where the predicate is true, or false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    pub pred: Reg,
    pub negated: bool,
}

/// A line of the kernel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    /// One result from arguments.
    Op {
        op: Op,
        dst: Reg,
        args: Vec<Src>,
    },
    /// 9.7.8.4, `mov` that puts parts together to a wider value.
    Pack {
        t: Type,
        dst: Reg,
        parts: Vec<Src>,
    },
    /// 9.7.8.4, `mov` that takes a wider value apart.
    Unpack {
        t: Type,
        parts: Vec<Reg>,
        src: Reg,
    },
    /// 9.7.8.8, of a kernel parameter.
    LoadParam {
        t: Type,
        dst: Reg,
        param: usize,
    },
    /// 9.7.8.8, from the global space; several elements are one access.
    Load {
        t: Type,
        dst: Vec<Reg>,
        base: Reg,
        offset: usize,
    },
    /// 9.7.8.11, to the global space.
    Store {
        t: Type,
        src: Vec<Src>,
        base: Reg,
        offset: usize,
    },
    /// 9.7.11.3, to a label.
    Branch {
        guard: Option<Guard>,
        to: Label,
    },
    /// 9.7.11.6, the end of the thread.
    Ret,
    Label(Label),
}

/// One kernel as a module of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Module {
    /// What the kernel is called in the text; letters, digits and `_`.
    pub entry: String,
    /// What is said about it in a comment.
    pub about: Vec<String>,
    /// Types of the parameters.
    pub params: Vec<Type>,
    /// How many registers of each class there are, in the order of [`Class::ALL`].
    pub registers: [u32; 4],
    pub lines: Vec<Line>,
}

/// A constant as the language writes it for a type.
fn constant(t: Type, bits: u64) -> String {
    match t {
        Type::Pred => if bits & 1 == 1 { "1" } else { "0" }.to_string(),
        Type::F32 => format!("0f{:08X}", bits as u32),
        Type::F64 => format!("0d{bits:016X}"),
        _ => {
            let unused = 64 - 8 * t.size();
            let value = ((bits << unused) as i64) >> unused;
            let bits = bits << unused >> unused;
            if t.is_signed() && value > i64::from(i32::MIN) && value <= i64::from(i32::MAX) {
                value.to_string()
            } else if bits < 4096 {
                bits.to_string()
            } else {
                format!("0x{bits:X}")
            }
        }
    }
}

fn source(t: Type, src: Src) -> String {
    match src {
        Src::Reg(reg) => reg.to_string(),
        Src::Bits(bits) => constant(t, bits),
        Src::Special(special) => match special {
            Special::TidX => "%tid.x",
            Special::NtidX => "%ntid.x",
            Special::CtaidX => "%ctaid.x",
            Special::NctaidX => "%nctaid.x",
        }
        .to_string(),
    }
}

fn braced(items: &[String]) -> String {
    match items {
        [one] => one.clone(),
        many => format!("{{{}}}", many.join(", ")),
    }
}

fn access(name: &str, t: Type, count: usize) -> String {
    match count {
        1 => format!("{name}.global.{}", t.name()),
        n => format!("{name}.global.v{n}.{}", t.name()),
    }
}

fn address(base: Reg, offset: usize) -> String {
    match offset {
        0 => format!("[{base}]"),
        n => format!("[{base}+{n}]"),
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Op { op, dst, args } => {
                write!(f, "\t{op} \t{dst}")?;
                for (index, arg) in args.iter().enumerate() {
                    // The last argument of a selection is its predicate.
                    write!(f, ", {}", source(op.argument(index), *arg))?;
                }
                f.write_char(';')
            }
            Line::Pack { t, dst, parts } => {
                let parts: Vec<String> = parts.iter().map(|p| source(Type::B32, *p)).collect();
                write!(f, "\tmov.{} \t{dst}, {{{}}};", t.name(), parts.join(", "))
            }
            Line::Unpack { t, parts, src } => {
                let parts: Vec<String> = parts.iter().map(Reg::to_string).collect();
                write!(f, "\tmov.{} \t{{{}}}, {src};", t.name(), parts.join(", "))
            }
            Line::LoadParam { t, dst, param } => {
                write!(f, "\tld.param.{} \t{dst}, [p{param}];", t.name())
            }
            Line::Load {
                t,
                dst,
                base,
                offset,
            } => {
                let dst: Vec<String> = dst.iter().map(Reg::to_string).collect();
                let (name, dst, from) = (
                    access("ld", *t, dst.len()),
                    braced(&dst),
                    address(*base, *offset),
                );
                write!(f, "\t{name} \t{dst}, {from};")
            }
            Line::Store {
                t,
                src,
                base,
                offset,
            } => {
                let src: Vec<String> = src.iter().map(|s| source(*t, *s)).collect();
                let (name, src, to) = (
                    access("st", *t, src.len()),
                    braced(&src),
                    address(*base, *offset),
                );
                write!(f, "\t{name} \t{to}, {src};")
            }
            Line::Branch { guard, to } => match guard {
                Some(Guard { pred, negated }) => {
                    let not = if *negated { "!" } else { "" };
                    write!(f, "@{not}{pred}\tbra \tL{};", to.0)
                }
                None => write!(f, "\tbra \tL{};", to.0),
            },
            Line::Ret => f.write_str("\tret;"),
            Line::Label(label) => write!(f, "L{}:", label.0),
        }
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.about {
            writeln!(f, "// {line}")?;
        }
        writeln!(
            f,
            ".version {VERSION}\n.target {TARGET}\n.address_size 64\n"
        )?;
        writeln!(f, ".visible .entry {}(", self.entry)?;
        for (number, t) in self.params.iter().enumerate() {
            let comma = if number + 1 < self.params.len() {
                ","
            } else {
                ""
            };
            writeln!(f, "\t.param .{} p{number}{comma}", t.name())?;
        }
        writeln!(f, ")\n{{")?;
        for (class, count) in Class::ALL.iter().zip(self.registers) {
            if count > 0 {
                writeln!(
                    f,
                    "\t.reg .{} %{}<{count}>;",
                    class.bits().name(),
                    class.letter()
                )?;
            }
        }
        f.write_char('\n')?;
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        f.write_str("}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_written_as_their_type_has_them() {
        let cases = [
            (Type::F32, 0x3f80_0000, "0f3F800000"),
            (Type::F64, 1, "0d0000000000000001"),
            (Type::S32, 0xffff_ffff, "-1"),
            (Type::S32, 0x8000_0000, "0x80000000"),
            (Type::U32, 0xffff_ffff, "0xFFFFFFFF"),
            (Type::S64, u64::MAX, "-1"),
            (Type::B64, 1 << 63, "0x8000000000000000"),
            (Type::Pred, u64::MAX, "1"),
            (Type::B16, 0x3c00, "0x3C00"),
        ];
        for (t, bits, wanted) in cases {
            assert_eq!(constant(t, bits), wanted, "{t:?}");
        }
    }

    #[test]
    fn what_rounds_says_how() {
        assert_eq!(Op::Add(Type::F32).to_string(), "add.rn.f32");
        assert_eq!(Op::Mul(Type::F64).to_string(), "mul.rn.f64");
        assert_eq!(Op::Mul(Type::S32).to_string(), "mul.lo.s32");
        assert_eq!(Op::Min(Type::F32).to_string(), "min.f32");
    }
}
