//! The catalogue of diagnostics: one row each. The pages are `docs/errors/<code>.md`.

use std::fmt;

/// Calls the macro `$m` with every code: `Variant "UFCnnnn" "summary",`.
///
/// Groups: 01xx lexing and parsing, 02xx names, 03xx types, 04xx signatures, 05xx attributes, 06xx limits,
/// 09xx internal. A code is never used again for another meaning.
#[macro_export]
macro_rules! for_each_code {
    ($m:ident) => {
        $m! {
            UnknownCharacter     "UFC0101" "a character has no meaning in the language",
            UnexpectedToken      "UFC0102" "the grammar asks for something else here",
            UnclosedBracket      "UFC0103" "a bracket is not closed",
            UnclosedComment      "UFC0104" "a block comment is not closed",
            BadNumber            "UFC0105" "a number is not written as a number",
            ChainedComparison    "UFC0106" "comparisons do not chain",
            MissingSemicolon     "UFC0107" "a semicolon is missing",
            NotYet               "UFC0108" "part of the language, but not available yet",
            NotInLanguage        "UFC0109" "Rust, but not part of the kernel language",
            SourceTooLarge       "UFC0110" "the source is too large",
            NestedTooDeeply      "UFC0111" "the source is nested too deeply",
            UnknownName          "UFC0201" "no variable or constant has this name",
            UnknownFunction      "UFC0202" "no function has this name",
            UnknownType          "UFC0203" "no type has this name",
            DuplicateName        "UFC0204" "two things have the same name",
            UnknownLabel         "UFC0205" "no loop around this place has this label",
            Recursion            "UFC0206" "a function calls itself",
            NotMutable           "UFC0207" "a variable that is not `mut` is assigned",
            UnknownField         "UFC0208" "no such field",
            UnknownAssociated    "UFC0209" "a type has no such constant or function",
            UnknownBound         "UFC0210" "no bound has this name",
            OutsideLoop          "UFC0211" "`break` or `continue` outside a loop",
            NotAPlace            "UFC0212" "this cannot be assigned",
            TypeMismatch         "UFC0301" "a value has another type than its place asks for",
            MixedTypes           "UFC0302" "the two sides of an operator have different types",
            NotTaken             "UFC0303" "an operation does not take values of this type",
            ArgumentCount        "UFC0304" "a call has the wrong number of arguments",
            LiteralOutOfRange    "UFC0305" "a number does not fit its type",
            BadCast              "UFC0306" "`as` does not convert between these types",
            UnknownDType         "UFC0307" "nothing says which type this is",
            PatternMismatch      "UFC0308" "a pattern has another shape than its value",
            MissingElse          "UFC0309" "an `if` without `else` is used as a value",
            BreakValue           "UFC0310" "`break` with a value outside `loop`",
            NegatedUnsigned      "UFC0311" "an unsigned value is negated",
            BadStep              "UFC0312" "a range's step is not a positive number",
            BadAxis              "UFC0313" "an axis is not a constant from 0 to 63",
            MissingValue         "UFC0314" "a function ends without its result",
            NoResult             "UFC0401" "a kernel has no result",
            BadKernelType        "UFC0402" "a kernel's parameter or result is not a single number",
            UndeducedGeneric     "UFC0403" "a generic parameter of a kernel is not the type of a parameter",
            UnknownAttribute     "UFC0501" "no attribute has this name",
            BadAttribute         "UFC0502" "an attribute's arguments are wrong",
            FailedTestCase       "UFC0503" "a test case gives another result",
            TooManyParameters    "UFC0601" "a function has too many parameters or results",
            KernelTooLarge       "UFC0602" "a kernel is too large after inlining",
            NotInTarget          "UFC0603" "the target lacks a type that the kernel uses",
            Internal             "UFC0901" "a mistake in ufc itself",
        }
    };
}

macro_rules! define_codes {
    ($($variant:ident $code:literal $summary:literal,)*) => {
        /// Which kind of finding a diagnostic is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = concat!($code, ": ", $summary, ".")] $variant,)* }

        impl Code {
            /// Every code, in the table's order.
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            /// The code as users see it, such as `UFC0201`.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $code,)* }
            }

            /// What it means, in half a sentence.
            pub const fn summary(self) -> &'static str {
                match self { $(Code::$variant => $summary,)* }
            }
        }
    };
}
for_each_code!(define_codes);

impl Code {
    /// The code with this name; case does not matter, and `0201` alone will do.
    pub fn from_name(name: &str) -> Option<Code> {
        let upper = name.to_ascii_uppercase();
        let full = if upper.starts_with("UFC") {
            upper
        } else {
            format!("UFC{upper}")
        };
        Code::ALL.iter().copied().find(|code| code.name() == full)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
