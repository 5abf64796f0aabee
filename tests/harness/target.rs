//! Kinds of tests about what a target makes of a function: its legal form, and the text given to Cranelift.

use ufc::{Target, dispatch};
use ufc_ir::text;
use ufc_target::legality::CoreOnly;
use ufc_target::{CompileOptions, Legality};

use super::{Case, Outcome, expect, ir};

/// Legalizes for the target that the case's folder is named after, with no pass before or after.
pub(crate) fn legalize(case: &Case) -> Outcome {
    let func = ir::parse(case)?;
    let legal = match case.within.as_str() {
        "interp" => ufc_math::legalize::legalize(func, &CoreOnly),
        word => ufc_math::legalize::legalize(func, legality(word)?),
    };
    let legal = legal.map_err(|error| error.to_string())?;
    expect::inline(case, &text::print(legal.func()))
}

fn legality(word: &str) -> Result<&'static dyn Legality, String> {
    let target: Target = word
        .parse()
        .map_err(|error: ufc::TargetError| error.to_string())?;
    let choice = dispatch::choose(&target).map_err(|error| error.to_string())?;
    Ok(choice.legality())
}

/// Lowers for the lowest level of x86-64, one vector at a time, and compares the body of the loop over elements that
/// Cranelift is given.
pub(crate) fn clif(case: &Case) -> Outcome {
    if !cfg!(target_arch = "x86_64") {
        return Ok(());
    }
    let func = ir::parse(case)?;
    let choice = dispatch::choose(&Target::CPU).map_err(|error| error.to_string())?;
    let legal =
        ufc::pipeline::legalize(func, choice.legality()).map_err(|error| error.to_string())?;
    let options = CompileOptions {
        device: Some("sse4.1".to_string()),
        interleave: Some(1),
    };
    let text = choice
        .backend
        .emit(&legal, &options, "clif")
        .map_err(|error| error.to_string())?;
    let body = loop_body(&text).ok_or("no block jumps to itself")?;
    expect::file(&expect::beside(case, "clif"), &renumbered(&body))
}

/// The block that jumps to itself: of a kernel without loops, what is done for each turn's elements.
fn loop_body(text: &str) -> Option<String> {
    let blocks = text.split("\n\n");
    let name = |block: &str| block.split(['(', ':', ' ']).next().map(str::to_string);
    let jumps = |block: &&str| {
        let name = name(block).unwrap_or_default();
        block
            .lines()
            .skip(1)
            .any(|line| line.contains(&format!(" {name}(")))
    };
    blocks
        .filter(|block| block.starts_with("block"))
        .find(jumps)
        .map(str::to_string)
}

/// Numbers values by their first appearance, so that what stands around the block does not show in it; addresses do
/// not show either.
fn renumbered(text: &str) -> String {
    let mut seen: Vec<&str> = Vec::new();
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_alphanumeric()) {
        let word = &rest[start..];
        let end = word
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(word.len());
        let word = &word[..end];
        out.push_str(&rest[..start]);
        rest = &rest[start + end..];
        let is_value = word
            .strip_prefix('v')
            .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        if is_value {
            let number = seen
                .iter()
                .position(|known| *known == word)
                .unwrap_or_else(|| {
                    seen.push(word);
                    seen.len() - 1
                });
            out.push_str(&format!("v{number}"));
        } else {
            out.push_str(if is_address(word) { "ADDRESS" } else { word });
        }
    }
    out + rest
}

/// Whether a number can only be where something lies in memory, which differs from run to run.
fn is_address(word: &str) -> bool {
    let digits = word
        .strip_prefix("0x")
        .map(|digits| digits.replace('_', "").len());
    digits.is_some_and(|digits| (9..=12).contains(&digits))
}
