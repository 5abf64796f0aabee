//! Compares output with what a file expects, shows the difference, and blesses on request.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Case, Outcome};

/// The line between input and expectation in files that hold both.
const MARK: &str = "; expect";

/// Whether expectations are to be rewritten: `UFC_BLESS=1`.
pub(crate) fn blessing() -> bool {
    std::env::var_os("UFC_BLESS").is_some_and(|value| value == "1")
}

/// The input part of a file that holds both input and expectation.
pub(crate) fn input(text: &str) -> &str {
    split(text).0
}

fn split(text: &str) -> (&str, Option<&str>) {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let after = at + line.len();
        if line.trim_end() == MARK {
            return (&text[..at], Some(&text[after..]));
        }
        at = after;
    }
    (text, None)
}

/// Compares output with the part of the case's file after the line `; expect`.
pub(crate) fn inline(case: &Case, actual: &str) -> Outcome {
    let (input, expected) = split(&case.text);
    let bless = || format!("{}\n\n{MARK}\n{}\n", input.trim_end(), actual.trim());
    compare(&case.path, expected, actual, bless)
}

/// Compares output with a file of its own.
pub(crate) fn file(path: &Path, actual: &str) -> Outcome {
    let expected = std::fs::read_to_string(path).ok();
    let bless = || format!("{}\n", actual.trim_end());
    compare(path, expected.as_deref(), actual, bless)
}

/// The file beside a case's that holds its expectation.
pub(crate) fn beside(case: &Case, extension: &str) -> PathBuf {
    case.path.with_extension(extension)
}

fn compare(
    path: &Path,
    expected: Option<&str>,
    actual: &str,
    bless: impl FnOnce() -> String,
) -> Outcome {
    if expected.is_some_and(|expected| expected.trim() == actual.trim()) {
        return Ok(());
    }
    if blessing() {
        return std::fs::write(path, bless()).map_err(Into::into);
    }
    let shown = match expected {
        Some(expected) => difference(expected.trim(), actual.trim()),
        None => format!("nothing is expected yet; it gave:\n{}", actual.trim()),
    };
    let message = format!(
        "{}: {shown}\nrun again with UFC_BLESS=1 to expect the new output",
        path.display()
    );
    Err(message.into())
}

/// The lines that differ, with two lines of context on either side.
pub(crate) fn difference(expected: &str, actual: &str) -> String {
    const CONTEXT: usize = 2;
    let old: Vec<&str> = expected.lines().collect();
    let new: Vec<&str> = actual.lines().collect();
    let same =
        |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let head = same(&mut old.iter().zip(&new));
    let shorter = old.len().min(new.len());
    let tail = same(&mut old.iter().rev().zip(new.iter().rev())).min(shorter - head);
    let mut out = format!("from line {} on (- expected, + found):", head + 1);
    let mut line = |sign: char, text: &str| {
        let _ = write!(out, "\n{sign} {text}");
    };
    old[head.saturating_sub(CONTEXT)..head]
        .iter()
        .for_each(|text| line(' ', text));
    old[head..old.len() - tail]
        .iter()
        .for_each(|text| line('-', text));
    new[head..new.len() - tail]
        .iter()
        .for_each(|text| line('+', text));
    old[old.len() - tail..]
        .iter()
        .take(CONTEXT)
        .for_each(|text| line(' ', text));
    out
}
