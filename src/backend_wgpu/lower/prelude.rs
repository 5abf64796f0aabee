//! The functions that shaders call, found by name in `prelude`, each with those that it calls itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

const FLOAT: &str = include_str!("../prelude/float.wgsl");
const INT: &str = include_str!("../prelude/int.wgsl");
const WIDE: &str = include_str!("../prelude/wide.wgsl");
const WIDE_PAIRS: &str = include_str!("../prelude/wide_pairs.wgsl");
const WIDE_NATIVE: &str = include_str!("../prelude/wide_native.wgsl");
const DOUBLE: &str = include_str!("../prelude/double.wgsl");

/// Functions by name, in the order in which they are printed.
type Functions = BTreeMap<&'static str, &'static str>;

fn functions(native: bool) -> &'static Functions {
    static PAIRS: OnceLock<Functions> = OnceLock::new();
    static NATIVE: OnceLock<Functions> = OnceLock::new();
    if native {
        NATIVE.get_or_init(|| split(&[FLOAT, INT, WIDE, WIDE_NATIVE, DOUBLE]))
    } else {
        PAIRS.get_or_init(|| split(&[FLOAT, INT, WIDE, WIDE_PAIRS]))
    }
}

/// Cuts texts into functions; a function ends at the first line that is a closing brace.
fn split(texts: &[&'static str]) -> Functions {
    let mut found = Functions::new();
    for text in texts {
        let mut rest = *text;
        while let Some(start) = rest.find("fn ") {
            let from = &rest[start..];
            let end = from.find("\n}\n").map_or(from.len(), |end| end + 3);
            let name = from[3..].split('(').next().unwrap_or_default();
            found.insert(name, &from[..end]);
            rest = &from[end..];
        }
    }
    found
}

/// The text of the functions of these names and all that they call, and before it what it needs.
pub(crate) fn text<'n>(names: impl Iterator<Item = &'n str>, native: bool) -> String {
    let functions = functions(native);
    let mut wanted: Vec<&str> = names.filter(|name| functions.contains_key(name)).collect();
    let mut taken = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if let Some((&name, body)) = functions.get_key_value(name)
            && taken.insert(name)
        {
            let called = words(body).filter(|word| functions.contains_key(word));
            wanted.extend(called.filter(|word| *word != name));
        }
    }
    let mut out = String::new();
    for name in taken {
        out.push_str(functions[name]);
        out.push('\n');
    }
    out
}

/// The names and keywords in a text.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_bring_those_that_they_call() {
        let text = text(["wide_rem_s"].into_iter(), false);
        for name in ["wide_rem_u", "wide_abs", "product_pair", "shift_left_pair"] {
            assert!(text.contains(&format!("fn {name}(")), "{name}");
        }
        assert!(!text.contains("fma_f32"));
    }

    #[test]
    fn both_forms_of_wide_integers_have_the_same_functions() {
        let names = |text: &'static str| split(&[text]).into_keys().collect::<Vec<_>>();
        assert_eq!(names(WIDE_PAIRS), names(WIDE_NATIVE));
        assert!(names(WIDE_PAIRS).len() > 10);
    }
}
