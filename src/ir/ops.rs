//! The table of operations: every fact about an operation that does not belong to one target stands in its row.
//!
//! There are two lists. [`core_ops!`](crate::core_ops) has the operations that every back end either lowers itself or declares, per
//! dtype, to be expanded or promoted (`ufc-target`'s legality). [`math_fns!`](crate::math_fns) has the functions that are always
//! written in terms of the core, by an expansion in `src/math/`, unless a back end declares one native.
//!
//! Derived from the rows, never written again: the enums, names, type checking (by the front end and by the
//! verifier), the builder, the text and byte forms, the tests' generators, `docs/ops.md` and `ufc ops`.

use crate::dtype::{DType, TypeSet};
use std::fmt;

/// The type rule of an operation: which argument dtypes it takes and which results it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `(T, … n times) -> T`.
    Same(TypeSet, usize),
    /// `(T) -> (T, T)`.
    Two(TypeSet),
    /// `(T, T) -> bool`.
    Compare(TypeSet),
    /// `(T) -> bool`.
    Predicate(TypeSet),
    /// `(T) -> u32`: a number of bits.
    Count(TypeSet),
    /// `(T, u32) -> T`: the second argument is a number of bits.
    Rotate(TypeSet),
    /// `(T, i32) -> T`.
    IntPower(TypeSet),
    /// `(T, T) -> unsigned T`.
    Distance(TypeSet),
    /// `(bool, T, T) -> T`.
    Select(TypeSet),
    /// `(T) -> U` for any pair but complex to real.
    Convert,
    /// `(T) -> U` of the same size, neither bool nor complex.
    Bitcast,
    /// `(F, F) -> C`, `F` the part of `C`.
    MakeComplex,
    /// `(C) -> F`, `F` the part of `C`.
    Part,
}

/// Why an operation does not take the arguments it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// Wrong number of arguments.
    Count {
        /// How many it takes.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// Argument `index` must be of a dtype in `expected`.
    Argument {
        /// Position of the argument, from 0.
        index: usize,
        /// What it may be.
        expected: TypeSet,
        /// What it was.
        found: DType,
    },
    /// The result cannot be of the dtype asked for.
    Result {
        /// The dtype asked for.
        found: DType,
    },
}

impl Rule {
    /// How many arguments it takes.
    pub const fn arity(self) -> usize {
        match self {
            Rule::Same(_, n) => n,
            Rule::Two(_)
            | Rule::Predicate(_)
            | Rule::Count(_)
            | Rule::Convert
            | Rule::Bitcast
            | Rule::Part => 1,
            Rule::Compare(_)
            | Rule::Rotate(_)
            | Rule::IntPower(_)
            | Rule::Distance(_)
            | Rule::MakeComplex => 2,
            Rule::Select(_) => 3,
        }
    }

    /// How many results it gives.
    pub const fn result_count(self) -> usize {
        match self {
            Rule::Two(_) => 2,
            _ => 1,
        }
    }

    /// The dtypes that the argument the rule calls `T` may have.
    pub const fn set(self) -> TypeSet {
        match self {
            Rule::Same(set, _)
            | Rule::Two(set)
            | Rule::Compare(set)
            | Rule::Predicate(set)
            | Rule::Count(set)
            | Rule::Rotate(set)
            | Rule::IntPower(set)
            | Rule::Distance(set)
            | Rule::Select(set) => set,
            Rule::Convert => TypeSet::ANY,
            Rule::Bitcast => TypeSet::REAL,
            Rule::MakeComplex => TypeSet::one(DType::F32).or(TypeSet::one(DType::F64)),
            Rule::Part => TypeSet::COMPLEX,
        }
    }

    /// Position of the argument that the rule calls `T`, on whose dtype the operation is said to work.
    pub const fn key(self) -> usize {
        match self {
            Rule::Select(_) => 1,
            _ => 0,
        }
    }

    /// What argument `index` must be, given the dtype of the one called `T`.
    pub fn argument(self, index: usize, t: DType) -> TypeSet {
        match self {
            Rule::Rotate(_) if index == 1 => TypeSet::one(DType::U32),
            Rule::IntPower(_) if index == 1 => TypeSet::one(DType::I32),
            Rule::Select(_) if index == 0 => TypeSet::BOOL,
            _ if index == self.key() => self.set(),
            _ => TypeSet::one(t),
        }
    }

    /// The dtype of the results on arguments of dtype `t`, or none where the result is chosen (conversions).
    pub fn result(self, t: DType) -> Option<DType> {
        match self {
            Rule::Same(..)
            | Rule::Two(_)
            | Rule::Rotate(_)
            | Rule::IntPower(_)
            | Rule::Select(_) => Some(t),
            Rule::Compare(_) | Rule::Predicate(_) => Some(DType::Bool),
            Rule::Count(_) => Some(DType::U32),
            Rule::Distance(_) => t.bits_dtype(),
            Rule::Convert | Rule::Bitcast => None,
            Rule::MakeComplex => t.complex_of(),
            Rule::Part => Some(t.part()),
        }
    }

    /// Checks argument dtypes and, for conversions, the result dtype asked for; gives the result's dtype.
    pub fn check(self, args: &[DType], wanted: Option<DType>) -> Result<DType, RuleError> {
        if args.len() != self.arity() {
            return Err(RuleError::Count {
                expected: self.arity(),
                found: args.len(),
            });
        }
        let t = args[self.key()];
        // The argument called T first: what the others must be follows from it.
        let order = std::iter::once(self.key()).chain((0..args.len()).filter(|i| *i != self.key()));
        for index in order {
            let expected = self.argument(index, t);
            if !expected.contains(args[index]) {
                return Err(RuleError::Argument {
                    index,
                    expected,
                    found: args[index],
                });
            }
        }
        match (self.result(t), wanted) {
            (Some(result), None) => Ok(result),
            (Some(result), Some(found)) if result == found => Ok(result),
            (None, Some(found)) if self.allows_result(t, found) => Ok(found),
            (_, found) => Err(RuleError::Result {
                found: found.unwrap_or(t),
            }),
        }
    }

    fn allows_result(self, from: DType, to: DType) -> bool {
        match self {
            Rule::Convert => !from.is_complex() || to.is_complex(),
            _ => from.size() == to.size() && TypeSet::REAL.contains(to),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Same(_, n) => write!(f, "({}) -> T", vec!["T"; *n].join(", "))?,
            Rule::Two(_) => f.write_str("(T) -> (T, T)")?,
            Rule::Compare(_) => f.write_str("(T, T) -> bool")?,
            Rule::Predicate(_) => f.write_str("(T) -> bool")?,
            Rule::Count(_) => f.write_str("(T) -> u32")?,
            Rule::Rotate(_) => f.write_str("(T, u32) -> T")?,
            Rule::IntPower(_) => f.write_str("(T, i32) -> T")?,
            Rule::Distance(_) => f.write_str("(T, T) -> unsigned T")?,
            Rule::Select(_) => f.write_str("(bool, T, T) -> T")?,
            Rule::Convert => return f.write_str("(T) -> U"),
            Rule::Bitcast => return f.write_str("(T) -> U of the same size"),
            Rule::MakeComplex => return f.write_str("(f32, f32) -> c64, (f64, f64) -> c128"),
            Rule::Part => return f.write_str("(c64) -> f32, (c128) -> f64"),
        }
        write!(f, " where T: {}", self.set())
    }
}

/// How far a function's result may be from the true one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accuracy {
    /// Exact, or the true result rounded once.
    Exact,
    /// At most so many units in the last place, for f32 and for f64.
    Ulp(f64, f64),
}

/// Calls the macro `$m` with every core operation, one row each:
/// `Variant "name" rule number|bits [commutative] "What it computes.";`
#[macro_export]
macro_rules! core_ops {
    ($m:ident) => {
        $m! {
            // Arithmetic. Integers wrap; floats are IEEE 754, round to nearest even.
            Add "add" Same(NUM, 2) number [commutative] "Sum.";
            Sub "sub" Same(NUM, 2) number [] "Difference.";
            Mul "mul" Same(NUM, 2) number [commutative] "Product; complex by the textbook formula.";
            Div "div" Same(NUM, 2) number [] "Quotient. Integers truncate, by zero gives 0, MIN / -1 gives MIN; complex by Smith's method.";
            Rem "rem" Same(REAL, 2) number [] "Remainder with the sign of the dividend. Integers by zero give 0; floats as C's fmod, exact.";
            Neg "neg" Same(NUM, 1) bits [] "Negation; integers wrap, floats flip the sign bit.";
            Abs "abs" Same(REAL, 1) bits [] "Absolute value; MIN wraps to MIN, floats clear the sign bit.";
            MulAdd "mul_add" Same(FLOAT, 3) number [] "a * b + c with one rounding.";
            Sqrt "sqrt" Same(FLOAT, 1) number [] "Square root, correctly rounded; NaN below zero.";
            // Minima: `min` and `max` take the number if one side is NaN, `minimum` and `maximum` give NaN.
            Min "min" Same(REAL, 2) number [commutative] "The smaller one; the number if one is NaN; -0 is less than +0.";
            Max "max" Same(REAL, 2) number [commutative] "The larger one; the number if one is NaN; -0 is less than +0.";
            Minimum "minimum" Same(REAL, 2) number [commutative] "The smaller one; NaN if one is NaN; -0 is less than +0.";
            Maximum "maximum" Same(REAL, 2) number [commutative] "The larger one; NaN if one is NaN; -0 is less than +0.";
            // Rounding to an integer of the same dtype.
            Floor "floor" Same(FLOAT, 1) number [] "The largest integer not above.";
            Ceil "ceil" Same(FLOAT, 1) number [] "The smallest integer not below.";
            Trunc "trunc" Same(FLOAT, 1) number [] "The integer towards zero.";
            RoundTiesEven "round_ties_even" Same(FLOAT, 1) number [] "The nearest integer, ties to even.";
            // Bits. Shift amounts are taken modulo the width.
            And "and" Same(BITS, 2) bits [commutative] "Bitwise and.";
            Or "or" Same(BITS, 2) bits [commutative] "Bitwise or.";
            Xor "xor" Same(BITS, 2) bits [commutative] "Bitwise exclusive or.";
            Not "not" Same(BITS, 1) bits [] "Bitwise complement.";
            Shl "shl" Same(INT, 2) bits [] "Shift left by the amount modulo the width.";
            Shr "shr" Same(INT, 2) bits [] "Shift right by the amount modulo the width; arithmetic when signed.";
            // Comparison. NaN is unequal to all and unordered.
            Eq "eq" Compare(ANY) number [commutative] "Equal.";
            Ne "ne" Compare(ANY) number [commutative] "Not equal; true if one is NaN.";
            Lt "lt" Compare(REAL) number [] "Less.";
            Le "le" Compare(REAL) number [] "Less or equal.";
            Gt "gt" Compare(REAL) number [] "Greater.";
            Ge "ge" Compare(REAL) number [] "Greater or equal.";
            // Choice and conversion.
            Select "select" Select(ANY) bits [] "The second argument where the first is true, else the third.";
            Convert "convert" Convert bits [] "The language's `as`: float to int saturates (NaN gives 0), to float rounds to nearest even, int to int wraps, from bool 0 or 1, to bool by != 0.";
            Bitcast "bitcast" Bitcast bits [] "The same bits as another dtype.";
            // Complex numbers.
            Complex "complex" MakeComplex bits [] "The complex number with these parts.";
            Re "re" Part bits [] "Real part.";
            Im "im" Part bits [] "Imaginary part.";
            // Lanes. Made by the SPMD pass; in scalar form there is one lane and `any` is the identity.
            Any "any" Same(BOOL, 1) bits [] "Whether it is true in any lane.";
        }
    };
}

/// Calls the macro `$m` with every math function, one row each:
/// `Variant "name" rule accuracy [test intervals] "What it computes.";`
///
/// Several rows may share a name and differ in the dtypes they take; the language chooses by argument.
/// The intervals are where the accuracy tests sample f64 densely, besides all magnitudes and special values.
#[macro_export]
macro_rules! math_fns {
    ($m:ident) => {
        $m! {
            // Exponentials and logarithms.
            Exp   "exp"   Same(FIELD, 1) Ulp(1.0, 1.0) [(-745.2, 709.8), (-1.0, 1.0)] "e to the power x.";
            Exp2  "exp2"  Same(FLOAT, 1) Ulp(1.0, 1.0) [(-1075.0, 1024.0), (-1.0, 1.0)] "2 to the power x.";
            Ln    "ln"    Same(FIELD, 1) Ulp(1.0, 1.0) [(0.0, 1e308), (0.5, 2.0), (0.99, 1.01)] "Natural logarithm; NaN below zero.";
            Log2  "log2"  Same(FLOAT, 1) Ulp(1.0, 1.0) [(0.0, 1e308), (0.5, 2.0), (0.99, 1.01)] "Logarithm to base 2; NaN below zero.";
            Log10 "log10" Same(FLOAT, 1) Ulp(1.0, 1.0) [(0.0, 1e308), (0.5, 2.0), (0.99, 1.01)] "Logarithm to base 10; NaN below zero.";
            // Trigonometry, in radians, reduced exactly over the whole range.
            Sin    "sin"     Same(FLOAT, 1) Ulp(1.0, 1.0) [(-3.2, 3.2), (-1e5, 1e5), (-1e22, 1e22)] "Sine.";
            Cos    "cos"     Same(FLOAT, 1) Ulp(1.0, 1.0) [(-3.2, 3.2), (-1e5, 1e5), (-1e22, 1e22)] "Cosine.";
            Tan    "tan"     Same(FLOAT, 1) Ulp(1.0, 1.0) [(-3.2, 3.2), (-1e5, 1e5), (-1e22, 1e22)] "Tangent.";
            SinCos "sin_cos" Two(FLOAT)     Ulp(1.0, 1.0) [(-3.2, 3.2), (-1e5, 1e5)] "Sine and cosine, the bits of `sin` and `cos`.";
            Atan   "atan"    Same(FLOAT, 1) Ulp(1.0, 1.0) [(-8.0, 8.0), (-1e18, 1e18)] "Arc tangent.";
            Atan2  "atan2"   Same(FLOAT, 2) Ulp(1.0, 1.0) [(-8.0, 8.0), (-1e18, 1e18)] "Angle of the point (second argument, first argument), as C's atan2.";
            Asin   "asin"    Same(FLOAT, 1) Ulp(1.0, 1.0) [(-1.0, 1.0)] "Arc sine; NaN outside -1 to 1.";
            Acos   "acos"    Same(FLOAT, 1) Ulp(1.0, 1.0) [(-1.0, 1.0)] "Arc cosine; NaN outside -1 to 1.";
            Tanh   "tanh"    Same(FLOAT, 1) Ulp(1.0, 1.0) [(-22.0, 22.0), (-1.0, 1.0)] "Hyperbolic tangent.";
            // Powers.
            Pow  "pow"  Same(FIELD, 2) Ulp(1.0, 1.0) [(0.0, 100.0), (0.9, 1.1)] "x to the power y; special values as C99 Annex F.";
            Powi "powi" IntPower(FIELD) Exact [] "x to an integer power, by repeated squaring from the lowest bit, each product rounded.";
            Hypot "hypot" Same(FLOAT, 2) Ulp(1.0, 1.0) [(-1e3, 1e3), (-1e300, 1e300)] "Square root of x*x + y*y without overflow.";
            ComplexSqrt "sqrt" Same(COMPLEX, 1) Ulp(4.0, 4.0) [] "Principal square root.";
            // Rounding and parts of floats.
            Round "round" Same(FLOAT, 1) Exact [(-1e3, 1e3)] "The nearest integer, ties away from zero.";
            Fract "fract" Same(FLOAT, 1) Exact [(-1e3, 1e3)] "x - trunc(x).";
            Copysign "copysign" Same(FLOAT, 2) Exact [] "The first argument with the sign of the second.";
            Scalb "scalb" Same(FLOAT, 2) Exact [(-1e3, 1e3)] "The first argument times 2 to the power of the second, which is rounded down; an infinite power counts as a very large one.";
            FloatSignum "signum" Same(FLOAT, 1) Exact [] "1 or -1 with the sign of x; NaN for NaN.";
            IntSignum "signum" Same(SIGNED, 1) Exact [] "-1, 0 or 1.";
            Recip "recip" Same(FIELD, 1) Exact [] "1 / x.";
            Clamp "clamp" Same(REAL, 3) Exact [] "min(max(x, low), high); NaN stays NaN.";
            IsNan "is_nan" Predicate(FLOAT) Exact [] "Whether it is not a number.";
            IsFinite "is_finite" Predicate(FLOAT) Exact [] "Whether it is neither infinite nor NaN.";
            IsInfinite "is_infinite" Predicate(FLOAT) Exact [] "Whether it is an infinity.";
            // Integers.
            SaturatingAdd "saturating_add" Same(INT, 2) Exact [] "Sum, kept within the dtype's range.";
            SaturatingSub "saturating_sub" Same(INT, 2) Exact [] "Difference, kept within the dtype's range.";
            AbsDiff "abs_diff" Distance(INT) Exact [] "Distance between two integers, unsigned.";
            DivEuclid "div_euclid" Same(INT, 2) Exact [] "Quotient whose remainder is not negative; by zero gives 0.";
            RemEuclid "rem_euclid" Same(INT, 2) Exact [] "Remainder that is not negative; by zero gives 0.";
            FloorDiv "floor_div" Same(INT, 2) Exact [] "Quotient rounded down, NumPy's `//`; by zero gives 0.";
            FloorMod "floor_mod" Same(INT, 2) Exact [] "Remainder with the sign of the divisor, NumPy's `%`; by zero gives 0.";
            LeadingZeros "leading_zeros" Count(INT) Exact [] "Number of zero bits above the highest one.";
            TrailingZeros "trailing_zeros" Count(INT) Exact [] "Number of zero bits below the lowest one.";
            CountOnes "count_ones" Count(INT) Exact [] "Number of one bits.";
            RotateLeft "rotate_left" Rotate(INT) Exact [] "Bits rotated towards the high end.";
            RotateRight "rotate_right" Rotate(INT) Exact [] "Bits rotated towards the low end.";
            SwapBytes "swap_bytes" Same(INT, 1) Exact [] "Bytes in reverse order.";
            // Complex numbers.
            NormSqr "norm_sqr" Part Exact [] "re * re + im * im, not fused.";
            ComplexAbs "abs" Part Ulp(1.0, 1.0) [] "Distance from the origin, by hypot.";
            Arg "arg" Part Ulp(1.0, 1.0) [] "Angle, by atan2.";
            Conj "conj" Same(COMPLEX, 1) Exact [] "Complex conjugate.";
        }
    };
}

macro_rules! flag {
    ([]) => {
        false
    };
    ([commutative]) => {
        true
    };
}

macro_rules! rule {
    (Same($set:ident, $n:literal)) => {
        Rule::Same(TypeSet::$set, $n)
    };
    ($rule:ident($set:ident)) => {
        Rule::$rule(TypeSet::$set)
    };
    ($rule:ident) => {
        Rule::$rule
    };
}

macro_rules! accuracy {
    (Exact) => {
        Accuracy::Exact
    };
    (Ulp($f32:literal, $f64:literal)) => {
        Accuracy::Ulp($f32, $f64)
    };
}

macro_rules! numeric {
    (number) => {
        true
    };
    (bits) => {
        false
    };
}

/// The facts of a core operation's row.
#[derive(Clone, Copy, Debug)]
pub struct OpInfo {
    /// Name in the language, the text form and the documents.
    pub name: &'static str,
    /// What it takes and gives.
    pub rule: Rule,
    /// Whether it has to know what number the bits of a float stand for; others look at the bits alone, or move them.
    pub numeric: bool,
    /// Whether its two arguments may be swapped.
    pub commutative: bool,
    /// One sentence on what it computes.
    pub doc: &'static str,
}

macro_rules! define_core_ops {
    ($($variant:ident $name:literal $rule:ident $(($($r:tt)*))? $on:ident [$($c:ident)?] $doc:literal;)*) => {
        /// A core operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Op { $(#[doc = $doc] $variant,)* }

        impl Op {
            /// Every core operation, in the table's order.
            pub const ALL: &'static [Op] = &[$(Op::$variant),*];

            /// The operation's row.
            pub const fn info(self) -> OpInfo {
                match self {
                    $(Op::$variant => OpInfo {
                        name: $name,
                        rule: rule!($rule $(($($r)*))?),
                        numeric: numeric!($on),
                        commutative: flag!([$($c)?]),
                        doc: $doc,
                    },)*
                }
            }
        }
    };
}
core_ops!(define_core_ops);

/// The facts of a math function's row.
#[derive(Clone, Copy, Debug)]
pub struct MathInfo {
    /// Name in the language and the documents; not unique.
    pub name: &'static str,
    /// Unique name, used by the text form: the variant's name.
    pub id: &'static str,
    /// What it takes and gives.
    pub rule: Rule,
    /// Bound on the error, for f32 and f64.
    pub accuracy: Accuracy,
    /// Intervals that the accuracy tests sample densely.
    pub domain: &'static [(f64, f64)],
    /// One sentence on what it computes.
    pub doc: &'static str,
}

macro_rules! define_math_fns {
    ($($variant:ident $name:literal $rule:ident $(($($r:tt)*))? $acc:ident $(($($a:tt)*))? [$($dom:expr),*] $doc:literal;)*) => {
        /// A math function, written in terms of core operations by its expansion.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum MathFn { $(#[doc = $doc] $variant,)* }

        impl MathFn {
            /// Every math function, in the table's order.
            pub const ALL: &'static [MathFn] = &[$(MathFn::$variant),*];

            /// The function's row.
            pub const fn info(self) -> MathInfo {
                match self {
                    $(MathFn::$variant => MathInfo {
                        name: $name,
                        id: stringify!($variant),
                        rule: rule!($rule $(($($r)*))?),
                        accuracy: accuracy!($acc $(($($a)*))?),
                        domain: &[$($dom),*],
                        doc: $doc,
                    },)*
                }
            }
        }
    };
}
math_fns!(define_math_fns);

impl Op {
    /// The operation with this name.
    pub fn from_name(name: &str) -> Option<Op> {
        Op::ALL.iter().copied().find(|op| op.info().name == name)
    }

    /// The operation with this position in [`Op::ALL`], as stored in byte forms.
    pub fn from_code(code: u8) -> Option<Op> {
        Op::ALL.get(usize::from(code)).copied()
    }
}

impl MathFn {
    /// The function with this unique name.
    pub fn from_id(id: &str) -> Option<MathFn> {
        MathFn::ALL.iter().copied().find(|f| f.info().id == id)
    }

    /// The function with this position in [`MathFn::ALL`], as stored in byte forms.
    pub fn from_code(code: u8) -> Option<MathFn> {
        MathFn::ALL.get(usize::from(code)).copied()
    }
}

/// A core operation or a math function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnyOp {
    /// A core operation.
    Core(Op),
    /// A math function.
    Math(MathFn),
}

impl AnyOp {
    /// Every operation and function.
    pub fn all() -> impl Iterator<Item = AnyOp> {
        Op::ALL
            .iter()
            .copied()
            .map(AnyOp::Core)
            .chain(MathFn::ALL.iter().copied().map(AnyOp::Math))
    }

    /// Name in the language.
    pub const fn name(self) -> &'static str {
        match self {
            AnyOp::Core(op) => op.info().name,
            AnyOp::Math(f) => f.info().name,
        }
    }

    /// What it takes and gives.
    pub const fn rule(self) -> Rule {
        match self {
            AnyOp::Core(op) => op.info().rule,
            AnyOp::Math(f) => f.info().rule,
        }
    }

    /// One sentence on what it computes.
    pub const fn doc(self) -> &'static str {
        match self {
            AnyOp::Core(op) => op.info().doc,
            AnyOp::Math(f) => f.info().doc,
        }
    }

    /// Every row with this name in the language; the one to use is the one whose rule takes the arguments.
    pub fn named(name: &str) -> impl Iterator<Item = AnyOp> {
        AnyOp::all().filter(move |op| op.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_and_codes_find_their_row() {
        let names: HashSet<&str> = Op::ALL.iter().map(|op| op.info().name).collect();
        assert_eq!(
            names.len(),
            Op::ALL.len(),
            "names of core operations are unique"
        );
        for (code, &op) in Op::ALL.iter().enumerate() {
            assert_eq!(Op::from_name(op.info().name), Some(op));
            assert_eq!(Op::from_code(code as u8), Some(op));
        }
        for (code, &f) in MathFn::ALL.iter().enumerate() {
            assert_eq!(MathFn::from_id(f.info().id), Some(f));
            assert_eq!(MathFn::from_code(code as u8), Some(f));
        }
    }

    #[test]
    fn rows_with_a_name_in_common_take_different_dtypes() {
        for a in AnyOp::all() {
            for b in AnyOp::named(a.name()).filter(|b| *b != a) {
                let (a, b) = (a.rule(), b.rule());
                assert!(a.set().and(b.set()).is_empty(), "{a} and {b}");
                assert_eq!(a.arity(), b.arity(), "{a} and {b}");
            }
        }
    }

    #[test]
    fn commutative_operations_take_two_of_the_same() {
        for op in Op::ALL.iter().filter(|op| op.info().commutative) {
            let rule = op.info().rule;
            assert!(
                matches!(rule, Rule::Same(_, 2) | Rule::Compare(_)),
                "{op:?}"
            );
        }
    }

    #[test]
    fn every_row_is_documented() {
        for op in AnyOp::all() {
            let doc = op.doc();
            assert!(doc.ends_with('.') && doc.len() > 3, "{}: {doc}", op.name());
        }
    }

    #[test]
    fn rules_say_what_is_wrong() {
        use DType::{Bool, C64, F32, F64, I32, U8, U32};
        let add = Op::Add.info().rule;
        assert_eq!(add.check(&[F32, F32], None), Ok(F32));
        let count = RuleError::Count {
            expected: 2,
            found: 1,
        };
        assert_eq!(add.check(&[F32], None), Err(count));
        let argument = RuleError::Argument {
            index: 1,
            expected: TypeSet::one(F32),
            found: F64,
        };
        assert_eq!(add.check(&[F32, F64], None), Err(argument));
        assert_eq!(
            add.check(&[F32, F32], Some(F64)),
            Err(RuleError::Result { found: F64 })
        );
        let select = Op::Select.info().rule;
        assert_eq!(select.check(&[Bool, C64, C64], None), Ok(C64));
        assert!(select.check(&[I32, C64, C64], None).is_err());
        let convert = Op::Convert.info().rule;
        assert_eq!(convert.check(&[U8], Some(C64)), Ok(C64));
        assert!(convert.check(&[C64], Some(F32)).is_err());
        assert!(
            convert.check(&[C64], None).is_err(),
            "the result is asked for"
        );
        let bitcast = Op::Bitcast.info().rule;
        assert_eq!(bitcast.check(&[F32], Some(U32)), Ok(U32));
        assert!(bitcast.check(&[F32], Some(F64)).is_err());
        assert_eq!(Op::Complex.info().rule.check(&[F32, F32], None), Ok(C64));
        assert_eq!(Op::Im.info().rule.check(&[C64], None), Ok(F32));
        assert_eq!(Op::Lt.info().rule.check(&[U8, U8], None), Ok(Bool));
    }
}
