//! The table of dtypes, and sets of them.

use std::fmt;

/// What kind of number a dtype holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// True or false.
    Bool,
    /// Unsigned integer.
    Unsigned,
    /// Two's complement integer.
    Signed,
    /// Binary floating point.
    Float,
    /// A pair of floats, real part first.
    Complex,
}

/// What WGSL needs for a dtype.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wgsl {
    /// Nothing beyond what every adapter has.
    Core,
    /// A feature of the adapter that many lack, by its name in wgpu.
    Feature(&'static str),
}

/// Calls the macro `$m` with every dtype:
/// `Variant "name" Kind bytes "NumPy name" "NumPy .npy descriptor without byte order" "feature"`. The last is what an
/// adapter must have for the dtype to be in WGSL, by wgpu's name for it; empty where nothing is needed.
#[macro_export]
macro_rules! for_each_dtype {
    ($m:ident) => {
        $m! {
            Bool "bool" Bool     1  "bool"       "b1"   "",
            I8   "i8"   Signed   1  "int8"       "i1"   "",
            I16  "i16"  Signed   2  "int16"      "i2"   "",
            I32  "i32"  Signed   4  "int32"      "i4"   "",
            I64  "i64"  Signed   8  "int64"      "i8"   "SHADER_INT64",
            U8   "u8"   Unsigned 1  "uint8"      "u1"   "",
            U16  "u16"  Unsigned 2  "uint16"     "u2"   "",
            U32  "u32"  Unsigned 4  "uint32"     "u4"   "",
            U64  "u64"  Unsigned 8  "uint64"     "u8"   "SHADER_INT64",
            F16  "f16"  Float    2  "float16"    "f2"   "",
            BF16 "bf16" Float    2  "bfloat16"   "V2"   "",
            F32  "f32"  Float    4  "float32"    "f4"   "",
            F64  "f64"  Float    8  "float64"    "f8"   "SHADER_F64",
            C64  "c64"  Complex  8  "complex64"  "c8"   "",
            C128 "c128" Complex  16 "complex128" "c16"  "SHADER_F64",
        }
    };
}

macro_rules! define_dtypes {
    ($($variant:ident $name:literal $kind:ident $size:literal $numpy:literal $descr:literal $wgsl:literal,)*) => {
        /// The element type of arrays and values.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum DType {
            $(#[doc = concat!("`", $name, "`, NumPy's `", $numpy, "`.")] $variant,)*
        }

        impl DType {
            /// Every dtype, in the table's order.
            pub const ALL: &'static [DType] = &[$(DType::$variant),*];

            /// The name in the language, such as `f32`.
            pub const fn name(self) -> &'static str {
                match self { $(DType::$variant => $name,)* }
            }

            /// What kind of number it holds.
            pub const fn kind(self) -> Kind {
                match self { $(DType::$variant => Kind::$kind,)* }
            }

            /// Size of one element in bytes.
            pub const fn size(self) -> usize {
                match self { $(DType::$variant => $size,)* }
            }

            /// NumPy's name, such as `float32`.
            pub const fn numpy_name(self) -> &'static str {
                match self { $(DType::$variant => $numpy,)* }
            }

            /// NumPy's type descriptor without the byte order, such as `f4`.
            pub const fn descr(self) -> &'static str {
                match self { $(DType::$variant => $descr,)* }
            }

            /// What WGSL needs for it.
            pub const fn wgsl(self) -> Wgsl {
                match self { $(DType::$variant => Wgsl::of($wgsl),)* }
            }
        }
    };
}
for_each_dtype!(define_dtypes);

impl Wgsl {
    const fn of(feature: &'static str) -> Wgsl {
        match feature.is_empty() {
            true => Wgsl::Core,
            false => Wgsl::Feature(feature),
        }
    }
}

impl DType {
    /// Size of one element in bits.
    pub const fn bits(self) -> u32 {
        self.size() as u32 * 8
    }

    /// Alignment of one element in bytes.
    pub const fn align(self) -> usize {
        match self.kind() {
            Kind::Complex => self.size() / 2,
            Kind::Bool | Kind::Unsigned | Kind::Signed | Kind::Float => self.size(),
        }
    }

    /// The dtype with this name in the language.
    pub fn from_name(name: &str) -> Option<DType> {
        DType::ALL.iter().copied().find(|d| d.name() == name)
    }

    /// The dtype with this position in [`DType::ALL`], as stored in byte forms.
    pub fn from_code(code: u8) -> Option<DType> {
        DType::ALL.get(usize::from(code)).copied()
    }

    /// Whether it is a signed or unsigned integer (not bool).
    pub const fn is_int(self) -> bool {
        matches!(self.kind(), Kind::Signed | Kind::Unsigned)
    }

    /// Whether it is a signed integer.
    pub const fn is_signed(self) -> bool {
        matches!(self.kind(), Kind::Signed)
    }

    /// Whether it is a real floating-point type.
    pub const fn is_float(self) -> bool {
        matches!(self.kind(), Kind::Float)
    }

    /// Whether it is complex.
    pub const fn is_complex(self) -> bool {
        matches!(self.kind(), Kind::Complex)
    }

    /// The dtype of the real and imaginary parts; a real dtype is its own part.
    pub const fn part(self) -> DType {
        match self {
            DType::C64 => DType::F32,
            DType::C128 => DType::F64,
            real => real,
        }
    }

    /// The complex dtype whose parts are of this float dtype.
    pub const fn complex_of(self) -> Option<DType> {
        match self {
            DType::F32 => Some(DType::C64),
            DType::F64 => Some(DType::C128),
            _ => None,
        }
    }

    /// The unsigned integer of the same size, for bit casts; none for complex and bool.
    pub const fn bits_dtype(self) -> Option<DType> {
        match (self.kind(), self.size()) {
            (Kind::Bool | Kind::Complex, _) => None,
            (_, 1) => Some(DType::U8),
            (_, 2) => Some(DType::U16),
            (_, 4) => Some(DType::U32),
            _ => Some(DType::U64),
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A set of dtypes, as used by the type rules of operations and the bounds of generics.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TypeSet(u32);

/// Calls the macro `$m` with every named type set: `CONST "name in the language" kinds…;`.
macro_rules! for_each_set {
    ($m:ident) => {
        $m! {
            BOOL     "bool"     = Bool;
            SIGNED   "Signed"   = Signed;
            UNSIGNED "Unsigned" = Unsigned;
            INT      "Int"      = Signed Unsigned;
            FLOAT    "Float"    = Float;
            COMPLEX  "Complex"  = Complex;
            REAL     "Real"     = Signed Unsigned Float;
            NUM      "Num"      = Signed Unsigned Float Complex;
            FIELD    "Float or Complex" = Float Complex;
            BITS     "Int or bool" = Bool Signed Unsigned;
            ANY      "any"      = Bool Signed Unsigned Float Complex;
        }
    };
}

macro_rules! define_sets {
    ($($const:ident $name:literal = $($kind:ident)*;)*) => {
        impl TypeSet {
            $(#[doc = concat!("The set called `", $name, "`.")]
            pub const $const: TypeSet = TypeSet::of_kinds(&[$(Kind::$kind),*]);)*

            /// The name of a set that has one; other sets list their members.
            pub fn name(self) -> Option<&'static str> {
                [$((TypeSet::$const, $name)),*].iter().find(|(set, _)| *set == self).map(|(_, name)| *name)
            }
        }
    };
}
for_each_set!(define_sets);

impl TypeSet {
    /// The bounds that a generic parameter may have in the language.
    pub const BOUNDS: &'static [(&'static str, TypeSet)] = &[
        ("Num", TypeSet::NUM),
        ("Int", TypeSet::INT),
        ("Signed", TypeSet::SIGNED),
        ("Unsigned", TypeSet::UNSIGNED),
        ("Float", TypeSet::FLOAT),
        ("Complex", TypeSet::COMPLEX),
    ];

    /// The empty set.
    pub const EMPTY: TypeSet = TypeSet(0);

    /// The set with just this dtype.
    pub const fn one(dtype: DType) -> TypeSet {
        TypeSet(1 << dtype as u32)
    }

    const fn of_kinds(kinds: &[Kind]) -> TypeSet {
        let mut bits = 0;
        let mut i = 0;
        while i < DType::ALL.len() {
            let mut k = 0;
            while k < kinds.len() {
                if DType::ALL[i].kind() as u8 == kinds[k] as u8 {
                    bits |= 1 << i;
                }
                k += 1;
            }
            i += 1;
        }
        TypeSet(bits)
    }

    /// Whether the set has this dtype.
    pub const fn contains(self, dtype: DType) -> bool {
        self.0 & (1 << dtype as u32) != 0
    }

    /// The dtypes in both sets.
    pub const fn and(self, other: TypeSet) -> TypeSet {
        TypeSet(self.0 & other.0)
    }

    /// The dtypes in either set.
    pub const fn or(self, other: TypeSet) -> TypeSet {
        TypeSet(self.0 | other.0)
    }

    /// Whether every dtype of this set is in the other.
    pub const fn is_subset(self, other: TypeSet) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether it has no dtype.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the table's order.
    pub fn iter(self) -> impl Iterator<Item = DType> {
        DType::ALL
            .iter()
            .copied()
            .filter(move |d| self.contains(*d))
    }
}

impl FromIterator<DType> for TypeSet {
    fn from_iter<I: IntoIterator<Item = DType>>(iter: I) -> Self {
        iter.into_iter()
            .fold(TypeSet::EMPTY, |set, d| set.or(TypeSet::one(d)))
    }
}

impl fmt::Display for TypeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => f.write_str(&self.iter().map(DType::name).collect::<Vec<_>>().join(", ")),
        }
    }
}

impl fmt::Debug for TypeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_and_codes_find_their_dtype() {
        let names: HashSet<&str> = DType::ALL.iter().map(|d| d.name()).collect();
        assert_eq!(names.len(), DType::ALL.len());
        for (code, &dtype) in DType::ALL.iter().enumerate() {
            assert_eq!(DType::from_name(dtype.name()), Some(dtype));
            assert_eq!(DType::from_code(code as u8), Some(dtype));
            assert_eq!(dtype as usize, code);
        }
        assert_eq!(DType::from_name("f8"), None);
        assert_eq!(DType::from_code(DType::ALL.len() as u8), None);
    }

    #[test]
    fn sets_contain_their_kinds() {
        assert!(TypeSet::NUM.contains(DType::C64));
        assert!(!TypeSet::REAL.contains(DType::C64));
        assert!(!TypeSet::NUM.contains(DType::Bool));
        assert!(TypeSet::SIGNED.is_subset(TypeSet::INT));
        assert_eq!(TypeSet::ANY.iter().count(), DType::ALL.len());
        assert_eq!(TypeSet::FLOAT.to_string(), "Float");
        let pair: TypeSet = [DType::U8, DType::F16].into_iter().collect();
        assert_eq!(pair.to_string(), "u8, f16");
        assert!(pair.and(TypeSet::BOOL).is_empty());
    }

    #[test]
    fn parts_and_bits_have_the_right_sizes() {
        for &dtype in DType::ALL {
            if let Some(bits) = dtype.bits_dtype() {
                assert_eq!(bits.size(), dtype.size());
            }
            if let Some(complex) = dtype.complex_of() {
                assert_eq!(complex.part(), dtype);
                assert_eq!(complex.size(), 2 * dtype.size());
                assert_eq!(complex.align(), dtype.align());
            }
        }
    }
}
