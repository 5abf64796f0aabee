//! Expected findings written as comments on the lines that they are about.

use super::Outcome;

/// A finding: the line it is on (from 1) and its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The line, from 1.
    pub line: usize,
    /// What it says.
    pub text: String,
}

/// The findings that a text expects: after `marker` to the end of its line, `^` after the marker for the line above.
fn expected(text: &str, marker: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for note in line.split(marker).skip(1) {
            let above = note.len() - note.trim_start_matches('^').len();
            let text = note.trim_start_matches('^').trim().to_string();
            found.push(Finding {
                line: (index + 1).saturating_sub(above),
                text,
            });
        }
    }
    found
}

/// Matches every finding with an annotation on its line whose text it contains, and every annotation with a finding.
pub(crate) fn check(text: &str, marker: &str, found: &[Finding]) -> Outcome {
    let mut missing = expected(text, marker);
    let mut extra = Vec::new();
    for finding in found {
        let fits = |note: &Finding| note.line == finding.line && finding.text.contains(&note.text);
        match missing.iter().position(fits) {
            Some(at) => drop(missing.remove(at)),
            None => extra.push(finding),
        }
    }
    if missing.is_empty() && extra.is_empty() {
        return Ok(());
    }
    let show = |title: &str, findings: &mut dyn Iterator<Item = &Finding>| {
        let lines: Vec<String> = findings
            .map(|f| format!("\n  line {}: {}", f.line, f.text))
            .collect();
        if lines.is_empty() {
            String::new()
        } else {
            format!("\n{title}:{}", lines.concat())
        }
    };
    let extra = show("found, but not annotated", &mut extra.into_iter());
    let missing = show("annotated, but not found", &mut missing.iter());
    Err(format!("the annotations (`{marker}`) do not fit{extra}{missing}").into())
}

/// The number, from 1, of the line that a byte position is on.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at.min(text.len())]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}
