//! The text form of functions, `.ufir`: for people, tests and bug reports.
//!
//! ```text
//! ; Escape time. A comment goes to the end of its line.
//! doc "Turns until z leaves the circle of radius 2."
//! func escape(v0 re: f32, v1 limit: u32) -> (u32) {
//!   v2: f32 = const 4.0
//!   v3: u32 = const 0
//!   v4: u32 = loop (v5: f32 = v0, v6: u32 = v3) {
//!     v7: f32 = mul v5, v5
//!     v8: bool = le v7, v2
//!     v9: f32 = add v7, v0
//!     v10: u32 = const 1
//!     v11: u32 = add v6, v10
//!     continue_if v8 (v9, v11) else (v6)
//!   }
//!   v12: bool = lt v4, v1
//!   v13: u32 = if v12 {
//!     yield v4
//!   } else {
//!     yield v1
//!   }
//!   yield v13
//! }
//! ```
//!
//! Before `func` stand the author's facts: `doc "text"`, `fast_math`, `identity VALUE: DTYPE`. A parameter's first
//! name is that of its value; its second is the kernel's name for it, and may be left out where it is the same.
//! Operations go by their names in the table, math functions by their unique ones (`Exp`). A position is `index` or
//! `index AXIS`. Constants are `true`, `-7`, `0.5`, `inf`, `nan`, `(re, im)`, or the bits as `0x7fc00001`.
//!
//! The printer numbers values in the order in which they appear, and leaves out what the body does not reach, so that
//! printing what was parsed gives the same text again.

pub mod parse;
pub mod print;

pub use parse::{Parsed, parse, parse_with_lines};
pub use print::print;

/// Words that cannot name a value.
const KEYWORDS: [&str; 12] = [
    "func",
    "doc",
    "fast_math",
    "identity",
    "const",
    "index",
    "if",
    "else",
    "loop",
    "yield",
    "continue_if",
    "->",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Verified;

    const ESCAPE: &str = "\
doc \"Turns until z leaves\\nthe circle.\"
fast_math
identity 0: u32
func escape(v0 re: f32, v1 limit: u32) -> (u32) {
  v2: f32 = const 4.0
  v3: u32 = const 0
  v4: u32 = loop (v5: f32 = v0, v6: u32 = v3) {
    v7: f32 = mul v5, v5
    v8: bool = le v7, v2
    v9: f32 = add v7, v0
    v10: u32 = const 1
    v11: u32 = add v6, v10
    continue_if v8 (v9, v11) else (v6)
  }
  v12: bool = lt v4, v1
  v13: u32, v14: i64 = if v12 {
    v15: i64 = index
    yield v4, v15
  } else {
    v16: i64 = index 2
    yield v1, v16
  }
  v17: f32, v18: f32 = SinCos v0
  if v12 {
    yield
  } else {
    yield
  }
  loop () {
    continue_if v12 () else ()
  }
  yield v13
}
";

    #[test]
    fn printing_what_was_parsed_gives_the_same_text() {
        let func = parse(ESCAPE).unwrap();
        assert_eq!(print(&func), ESCAPE);
        let func = Verified::try_new(func).unwrap();
        assert_eq!(func.param_names, ["re", "limit"]);
        assert!(func.attrs.fast_math);
    }

    #[test]
    fn values_may_have_any_name() {
        let text = "func f(x: f32, y \"a b\": f32) -> (f32) { sum: f32 = add x, y yield sum }";
        let expected = "func f(v0 x: f32, v1 \"a b\": f32) -> (f32) {\n  v2: f32 = add v0, v1\n  yield v2\n}\n";
        assert_eq!(print(&parse(text).unwrap()), expected);
    }

    #[test]
    fn constants_keep_their_bits() {
        let constants = [
            ("bool", "true"),
            ("i8", "-128"),
            ("u64", "18446744073709551615"),
            ("f16", "65504.0"),
            ("f16", "5.9604645e-8"),
            ("bf16", "-0.0"),
            ("f32", "0.1"),
            ("f32", "1e-45"),
            ("f32", "nan"),
            ("f32", "0xff800001"),
            ("f64", "-inf"),
            ("f64", "1.7976931348623157e308"),
            ("f64", "0x7ff0000000000001"),
            ("c64", "(1.5, -inf)"),
            ("c128", "(nan, 0x7ff0000000000001)"),
        ];
        for (dtype, text) in constants {
            let text =
                format!("func f() -> ({dtype}) {{\n  v0: {dtype} = const {text}\n  yield v0\n}}\n");
            assert_eq!(print(&parse(&text).unwrap()), text);
        }
    }

    #[test]
    fn errors_say_where() {
        let cases = [
            ("func", "1:5: expected a name, found the end"),
            (
                "func f() -> () {\n  v0: f33 = const 1\n}",
                "2:7: expected a dtype, found `f33`",
            ),
            (
                "func f() -> () {\n  v0: f32 = sine v1\n}",
                "2:13: there is no operation `sine`",
            ),
            (
                "func f() -> () {\n  v0: u8 = const 256\n}",
                "2:18: `256` is not a u8",
            ),
            (
                "func f() -> () {\n  yield v1\n}",
                "2:9: `v1` is not defined anywhere",
            ),
            (
                "func f(x: u8, x: u8) -> () { yield }",
                "1:15: `x` is defined twice",
            ),
            (
                "func f() -> () { yield } }",
                "1:26: expected the end, found `}`",
            ),
            (
                "func f() -> () { yield",
                "1:23: expected `}`, found the end",
            ),
            ("func f($", "1:8: unexpected character `$`"),
            ("doc \"abc", "1:5: the string does not end"),
            (
                "func f() -> () { v0: u8 yield }",
                "1:25: expected `=`, found `yield`",
            ),
            (
                "func f() -> () { yield: u8 = const 1 }",
                "1:23: expected `}`, found `:`",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error() {
        let mut text = String::from("func f(c: bool) -> () {");
        text.push_str(&"if c {".repeat(100_000));
        let error = parse(&text).unwrap_err().to_string();
        assert!(
            error.ends_with("regions nest deeper than 200"),
            "unexpected: {error}"
        );
    }

    #[test]
    fn damaged_text_is_an_error_not_a_panic() {
        let mut state = 12345u64;
        for _ in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = (state >> 33) as usize % ESCAPE.len();
            let length = (state >> 20) as usize % 12;
            let mut text = ESCAPE.as_bytes().to_vec();
            let end = (at + length).min(text.len());
            let insert = [b'(', b'}', b'9', b'"', b',', b':', b'v', b';'][state as usize >> 3 & 7];
            text.splice(at..end, [insert]);
            let text = String::from_utf8_lossy(&text);
            if let Ok(func) = parse(&text)
                && let Ok(func) = Verified::try_new(func)
            {
                let printed = print(&func);
                assert_eq!(print(&parse(&printed).unwrap()), printed);
            }
        }
    }
}
