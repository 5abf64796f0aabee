//! Promotion, casting rules and the choice of a loop's dtypes, as NumPy 2 does them (NEP 50).
//!
//! bfloat16 follows the package ml_dtypes where that defines an answer: bool and 8-bit integers are safe to cast to it, and it
//! is safe to cast to f32 and wider. Where ml_dtypes has no common dtype (with f16 and wider integers) the rule of all other
//! pairs holds: the smallest dtype that both can safely be cast to.

use super::convert;
use super::error::ArrayError;
use super::operand::Weak;
use smallvec::SmallVec;
use std::fmt;
use std::str::FromStr;
use ufc_ir::{Const, DType, Kind, TypeSet};

/// Which conversions of operands a call may do by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Casting {
    /// None, not even of the byte order.
    No,
    /// Byte order only.
    Equiv,
    /// Those that keep every value (and 64-bit integers to f64, as in NumPy).
    Safe,
    /// Safe ones and those within a kind, such as f64 to f32.
    #[default]
    SameKind,
    /// All.
    Unsafe,
}

impl Casting {
    /// Every rule and its name, strictest first.
    pub const ALL: [(Casting, &'static str); 5] = [
        (Casting::No, "no"),
        (Casting::Equiv, "equiv"),
        (Casting::Safe, "safe"),
        (Casting::SameKind, "same_kind"),
        (Casting::Unsafe, "unsafe"),
    ];
}

impl fmt::Display for Casting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Casting::ALL.iter().find(|(casting, _)| casting == self);
        f.pad(name.map_or("", |(_, name)| name))
    }
}

/// The text is not the name of a casting rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCasting(String);

impl fmt::Display for UnknownCasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Casting::ALL.map(|(_, name)| name).join(", ");
        write!(f, "`{}` is not a casting rule: use one of {names}", self.0)
    }
}

impl std::error::Error for UnknownCasting {}

impl FromStr for Casting {
    type Err = UnknownCasting;

    fn from_str(text: &str) -> Result<Casting, UnknownCasting> {
        let found = Casting::ALL.iter().find(|(_, name)| *name == text);
        found
            .map(|(casting, _)| *casting)
            .ok_or_else(|| UnknownCasting(text.to_owned()))
    }
}

/// Every dtype, so that of two that both hold a value the one to prefer comes first.
const SMALLEST_FIRST: [DType; 15] = [
    DType::Bool,
    DType::I8,
    DType::U8,
    DType::I16,
    DType::U16,
    DType::I32,
    DType::U32,
    DType::I64,
    DType::U64,
    DType::F16,
    DType::BF16,
    DType::F32,
    DType::F64,
    DType::C64,
    DType::C128,
];

/// Whether one dtype may be converted to another under a rule.
pub fn can_cast(from: DType, to: DType, casting: Casting) -> bool {
    match casting {
        Casting::No | Casting::Equiv => from == to,
        Casting::Safe => is_safe(from, to),
        Casting::SameKind => {
            from == to || is_safe(from, to) || kind_rank(from.kind()) <= kind_rank(to.kind())
        }
        Casting::Unsafe => true,
    }
}

/// Place of a kind in the order in which kinds may become each other under `same_kind`.
fn kind_rank(kind: Kind) -> u8 {
    match kind {
        Kind::Bool => 0,
        Kind::Unsigned => 1,
        Kind::Signed => 2,
        Kind::Float => 3,
        Kind::Complex => 4,
    }
}

fn is_safe(from: DType, to: DType) -> bool {
    if from == to {
        return true;
    }
    let (narrow, wide) = (from.size(), to.size());
    match (from.kind(), to.kind()) {
        (Kind::Bool, _) => true,
        (Kind::Unsigned, Kind::Unsigned)
        | (Kind::Signed, Kind::Signed)
        | (Kind::Unsigned, Kind::Signed)
        | (Kind::Float, Kind::Float)
        | (Kind::Complex, Kind::Complex) => narrow < wide,
        (Kind::Unsigned | Kind::Signed, Kind::Float) => narrow < wide || narrow == 8 && wide == 8,
        (Kind::Unsigned | Kind::Signed | Kind::Float, Kind::Complex) => is_safe(from, to.part()),
        (Kind::Unsigned | Kind::Signed | Kind::Float | Kind::Complex, _) => false,
    }
}

/// The smallest dtype that both can safely be cast to.
pub fn promote(a: DType, b: DType) -> DType {
    if a == b {
        return a;
    }
    let holds_both = |to: &DType| is_safe(a, *to) && is_safe(b, *to);
    SMALLEST_FIRST
        .into_iter()
        .find(holds_both)
        .unwrap_or(DType::C128)
}

/// What promotion needs to know about an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ArgType {
    /// Its dtype, and whether its bytes are in the other order than this machine's.
    Strong(DType, bool),
    /// A number that adapts.
    Weak(Weak),
}

impl ArgType {
    /// An operand of this dtype in native byte order.
    pub fn of(dtype: DType) -> ArgType {
        ArgType::Strong(dtype, false)
    }
}

impl fmt::Display for ArgType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArgType::Strong(dtype, false) => dtype.fmt(f),
            ArgType::Strong(dtype, true) => write!(f, "byte-swapped {dtype}"),
            ArgType::Weak(weak) => weak.fmt(f),
        }
    }
}

/// The common dtype of operands; none if there are none.
pub fn result_type(args: &[ArgType]) -> Option<DType> {
    common(args.iter().copied())
}

/// [`result_type`] without a slice.
fn common(args: impl Iterator<Item = ArgType>) -> Option<DType> {
    let mut dtype: Option<DType> = None;
    // The weak numbers by kind: they come after all others, and integers before floats before complex ones.
    let mut weak: [Option<Weak>; 3] = [None; 3];
    for arg in args {
        let strong = match arg {
            ArgType::Strong(strong, _) => strong,
            ArgType::Weak(Weak::Bool(_)) => DType::Bool,
            ArgType::Weak(number @ Weak::Int(_)) => {
                weak[0] = Some(number);
                continue;
            }
            ArgType::Weak(number @ Weak::Float(_)) => {
                weak[1] = Some(number);
                continue;
            }
            ArgType::Weak(number @ Weak::Complex(..)) => {
                weak[2] = Some(number);
                continue;
            }
        };
        dtype = Some(dtype.map_or(strong, |so_far| promote(so_far, strong)));
    }
    let weak = weak.into_iter().flatten();
    weak.fold(dtype, |common, number| Some(adapt(common, number)))
}

fn weak_rank(weak: Weak) -> u8 {
    match weak {
        Weak::Bool(_) => kind_rank(Kind::Bool),
        Weak::Int(_) => kind_rank(Kind::Signed),
        Weak::Float(_) => kind_rank(Kind::Float),
        Weak::Complex(..) => kind_rank(Kind::Complex),
    }
}

/// The dtype of a strong operand and a weak number together.
fn adapt(strong: Option<DType>, weak: Weak) -> DType {
    let kind = strong.map(DType::kind);
    match (weak, strong) {
        (Weak::Bool(_), _) => strong.unwrap_or(DType::Bool),
        (Weak::Int(_), Some(dtype)) if kind != Some(Kind::Bool) => dtype,
        (Weak::Int(_), _) => DType::I64,
        (Weak::Float(_), Some(dtype)) if matches!(kind, Some(Kind::Float | Kind::Complex)) => dtype,
        (Weak::Float(_), _) => DType::F64,
        (Weak::Complex(..), Some(dtype)) if kind == Some(Kind::Complex) => dtype,
        (Weak::Complex(..), Some(dtype)) if kind == Some(Kind::Float) => promote(dtype, DType::C64),
        (Weak::Complex(..), _) => DType::C128,
    }
}

/// The type of a kernel's parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// One dtype.
    Exact(DType),
    /// The dtype chosen for the generic of this number.
    Generic(usize),
}

/// The dtypes of one loop of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopTypes {
    /// Dtype of each generic.
    pub generics: SmallVec<[DType; 4]>,
    /// Dtype of each parameter.
    pub params: SmallVec<[DType; 4]>,
}

/// Chooses a loop's dtypes for the operands of a call.
///
/// A generic takes the promotion of the operands given for its parameters if its bound has that dtype, else the
/// smallest dtype in the bound that the promotion can safely be cast to. Then every operand must be castable to
/// its parameter's dtype under the casting rule.
pub fn resolve<S: AsRef<str>>(
    names: &[S],
    params: &[ParamType],
    bounds: &[TypeSet],
    args: &[ArgType],
    casting: Casting,
) -> Result<LoopTypes, ArrayError> {
    check_count("inputs", args.len(), params.len())?;
    let mut generics = SmallVec::new();
    for (generic, &bound) in bounds.iter().enumerate() {
        let mine = |number: &usize| params[*number] == ParamType::Generic(generic);
        let numbers = || (0..params.len()).filter(mine);
        let promoted = common(numbers().map(|i| args[i]));
        let dtype = promoted.and_then(|dtype| smallest_in(bound, dtype));
        generics.push(dtype.ok_or_else(|| {
            ArrayError::NoLoop {
                operands: numbers()
                    .map(|i| (name_of(names, i), args[i].to_string()))
                    .collect(),
                bound: bound.to_string(),
            }
        })?);
    }
    let params = loop_params(params, &generics);
    check_args(names, &params, args, casting)?;
    Ok(LoopTypes { generics, params })
}

/// The parameters' dtypes once the generics' are known.
pub fn loop_params(params: &[ParamType], generics: &[DType]) -> SmallVec<[DType; 4]> {
    let mut dtypes = SmallVec::new();
    for param in params {
        dtypes.push(match param {
            ParamType::Exact(dtype) => *dtype,
            ParamType::Generic(generic) => generics[*generic],
        });
    }
    dtypes
}

/// The smallest dtype of a set that another can safely be cast to; that one itself if it is in the set.
pub fn smallest_in(set: TypeSet, dtype: DType) -> Option<DType> {
    if set.contains(dtype) {
        return Some(dtype);
    }
    SMALLEST_FIRST
        .into_iter()
        .find(|&to| set.contains(to) && is_safe(dtype, to))
}

/// Checks that every operand may become its parameter's dtype under the casting rule.
pub fn check_args<S: AsRef<str>>(
    names: &[S],
    params: &[DType],
    args: &[ArgType],
    casting: Casting,
) -> Result<(), ArrayError> {
    check_count("inputs", args.len(), params.len())?;
    for (number, (&arg, &to)) in args.iter().zip(params).enumerate() {
        let name = || name_of(names, number);
        if let ArgType::Weak(Weak::Int(value)) = arg
            && to.is_int()
            && Const::int(to, value).as_int() != value
        {
            return Err(ArrayError::OutOfRange {
                name: name(),
                value,
                dtype: to,
            });
        }
        if !arg_fits(arg, to, casting) {
            return Err(ArrayError::Casting {
                name: name(),
                from: arg.to_string(),
                to,
                casting,
                output: false,
            });
        }
    }
    Ok(())
}

fn name_of<S: AsRef<str>>(names: &[S], number: usize) -> String {
    names.get(number).map_or("", AsRef::as_ref).to_owned()
}

fn arg_fits(arg: ArgType, to: DType, casting: Casting) -> bool {
    match arg {
        ArgType::Strong(dtype, swapped) => {
            can_cast(dtype, to, casting) && !(swapped && casting == Casting::No)
        }
        // A weak integer is of either integer kind.
        ArgType::Weak(Weak::Int(_)) if to.is_int() => true,
        ArgType::Weak(weak) => {
            weak_rank(weak) <= kind_rank(to.kind()) || casting == Casting::Unsafe
        }
    }
}

pub(crate) fn check_count(what: &'static str, have: usize, want: usize) -> Result<(), ArrayError> {
    if have == want {
        return Ok(());
    }
    Err(ArrayError::OperandCount { what, have, want })
}

impl Weak {
    /// Its value in a dtype, rounded and wrapped as the language's `as` does.
    pub fn to_const(self, dtype: DType) -> Const {
        match self {
            Weak::Bool(value) => convert::value(Const::bool(value), dtype),
            Weak::Int(n) => match (i64::try_from(n), u64::try_from(n)) {
                (Ok(_), _) => convert::value(Const::int(DType::I64, n), dtype),
                (_, Ok(_)) => convert::value(Const::int(DType::U64, n), dtype),
                _ => convert::value(Const::f64(n as f64), dtype),
            },
            Weak::Float(x) => convert::value(Const::f64(x), dtype),
            Weak::Complex(re, im) => Const::complex(Const::f64(re), Const::f64(im))
                .map_or(Const::zero(dtype), |z| convert::value(z, dtype)),
        }
    }
}

/// A value of one dtype as a value of another, as the language's `as` does; a complex number becomes its real part.
pub fn convert_value(value: Const, to: DType) -> Const {
    convert::value(value, to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ParamType::{Exact, Generic};

    fn chosen(
        params: &[ParamType],
        bound: TypeSet,
        args: &[ArgType],
    ) -> Result<Vec<DType>, String> {
        let names = ["a", "b", "c"];
        resolve(&names, params, &[bound], args, Casting::SameKind)
            .map(|types| types.params.to_vec())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn generics_take_the_promotion_or_the_next_wider_dtype_in_their_bound() {
        let (i32, f32) = (ArgType::of(DType::I32), ArgType::of(DType::F32));
        let two = [Generic(0), Generic(0)];
        assert_eq!(
            chosen(&two, TypeSet::NUM, &[i32, i32]).unwrap(),
            [DType::I32; 2]
        );
        assert_eq!(
            chosen(&two, TypeSet::NUM, &[i32, f32]).unwrap(),
            [DType::F64; 2]
        );
        assert_eq!(
            chosen(&two, TypeSet::FLOAT, &[i32, i32]).unwrap(),
            [DType::F64; 2]
        );
        let bool = ArgType::of(DType::Bool);
        assert_eq!(
            chosen(&two, TypeSet::FLOAT, &[bool, bool]).unwrap(),
            [DType::F16; 2]
        );
        assert_eq!(
            chosen(&two, TypeSet::COMPLEX, &[f32, f32]).unwrap(),
            [DType::C64; 2]
        );
        assert_eq!(
            chosen(&two, TypeSet::INT, &[i32, f32]).unwrap_err(),
            "`a` is i32 and `b` is f32: no dtype in `Int` holds every such value; convert them first"
        );
    }

    #[test]
    fn weak_numbers_adapt() {
        let (u8, f16) = (ArgType::of(DType::U8), ArgType::of(DType::F16));
        let three = ArgType::Weak(Weak::Int(3));
        let half = ArgType::Weak(Weak::Float(0.5));
        let two = [Generic(0), Generic(0)];
        assert_eq!(
            chosen(&two, TypeSet::NUM, &[u8, three]).unwrap(),
            [DType::U8; 2]
        );
        assert_eq!(
            chosen(&two, TypeSet::NUM, &[u8, half]).unwrap(),
            [DType::F64; 2]
        );
        assert_eq!(
            chosen(&two, TypeSet::NUM, &[half, f16]).unwrap(),
            [DType::F16; 2]
        );
        assert_eq!(
            chosen(&two, TypeSet::NUM, &[three, three]).unwrap(),
            [DType::I64; 2]
        );
        let big = ArgType::Weak(Weak::Int(300));
        assert_eq!(
            chosen(&two, TypeSet::NUM, &[u8, big]).unwrap_err(),
            "`b` is 300, which does not fit u8"
        );
    }

    #[test]
    fn exact_parameters_follow_the_casting_rule() {
        let f64 = ArgType::of(DType::F64);
        let params = [Exact(DType::F32), Exact(DType::U32)];
        let u8 = ArgType::of(DType::U8);
        assert!(
            chosen(&params, TypeSet::NUM, &[f64, u8]).is_err(),
            "no operand for the generic"
        );
        let resolve_plain = |args: &[ArgType], casting| {
            resolve(&["x", "n"], &params, &[], args, casting)
                .map(|types| types.params.to_vec())
                .map_err(|e| e.to_string())
        };
        assert_eq!(
            resolve_plain(&[f64, u8], Casting::SameKind).unwrap(),
            [DType::F32, DType::U32]
        );
        assert_eq!(
            resolve_plain(&[f64, f64], Casting::SameKind).unwrap_err(),
            "`n` is f64 but the kernel wants u32; casting `same_kind` does not allow f64 -> u32: convert it, or pass casting unsafe"
        );
        assert!(resolve_plain(&[f64, f64], Casting::Unsafe).is_ok());
        let weak = ArgType::Weak(Weak::Float(2.5));
        assert!(
            resolve_plain(&[weak, weak], Casting::SameKind)
                .unwrap_err()
                .contains("`n` is 2.5")
        );
        let swapped = ArgType::Strong(DType::F32, true);
        let n = ArgType::of(DType::U32);
        assert!(resolve_plain(&[swapped, n], Casting::Equiv).is_ok());
        assert!(resolve_plain(&[swapped, n], Casting::No).is_err());
        assert_eq!(
            resolve_plain(&[n], Casting::No).unwrap_err(),
            "the kernel takes 2 inputs, but 1 were given"
        );
    }

    #[test]
    fn names_of_rules() {
        for (casting, name) in Casting::ALL {
            assert_eq!(name.parse(), Ok(casting));
            assert_eq!(casting.to_string(), name);
        }
        assert!(
            "sane"
                .parse::<Casting>()
                .unwrap_err()
                .to_string()
                .contains("same_kind")
        );
    }
}
