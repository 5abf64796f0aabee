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
        ..CompileOptions::default()
    };
    let text = choice
        .backend
        .emit(&legal, &options, "clif")
        .map_err(|error| error.to_string())?;
    let body = loop_body(&text).ok_or("no block jumps to itself")?;
    expect::file(&expect::beside(case, "clif"), &renumbered(&body))
}

/// Compiles for each level that there is a code generator of our own for, whether this processor has it or not, one
/// vector at a time, and compares the loop over turns.
pub(crate) fn asm(case: &Case) -> Outcome {
    if !cfg!(all(target_arch = "x86_64", unix)) {
        return Ok(());
    }
    let func = ir::parse(case)?;
    let choice = dispatch::choose(&Target::CPU).map_err(|error| error.to_string())?;
    let legal =
        ufc::pipeline::legalize(func, choice.legality()).map_err(|error| error.to_string())?;
    for level in ["avx2", "avx512"] {
        let options = CompileOptions {
            device: Some(level.to_string()),
            interleave: Some(1),
            ..CompileOptions::default()
        };
        let text = choice
            .backend
            .emit(&legal, &options, "asm")
            .map_err(|error| error.to_string())?;
        let turns = turns(&text).ok_or("no loop over turns")?;
        expect::file(&expect::beside(case, level), &turns)?;
    }
    Ok(())
}

/// The loop over turns of the last part, with labels for the targets of jumps: of whole turns the largest loop that ends with
/// a comparison, which the loop over runs around it does not; of turns that may be partial the largest, but for what
/// is rare and follows after the return, which is one label, so that addresses do not show.
fn turns(text: &str) -> Option<String> {
    let (text, ending) = match text.split_once("long:\n") {
        Some((_, long)) => (long, "jge "),
        None => (text.split_once("turns:\n")?.1, "j"),
    };
    let text = text.split_once("  ret\n")?.0;
    let lines: Vec<(&str, &str)> = text.lines().filter_map(|l| l.split_once("  ")).collect();
    let place = |target: &str| {
        let target = target.trim_start_matches('0').trim_end_matches('h');
        let known = |address: &str| address.trim_start_matches('0').eq_ignore_ascii_case(target);
        lines.iter().position(|(address, _)| known(address))
    };
    let target = |inst: &str| {
        let (jump, to) = inst.split_once(' ')?;
        let to = to.trim_start_matches("short ").trim_start_matches("near ");
        jump.starts_with('j').then(|| place(to)).flatten()
    };
    let loops = lines.iter().enumerate().filter_map(|(end, (_, inst))| {
        let start = target(inst).filter(|_| inst.starts_with(ending))?;
        (start <= end).then(|| (end - start, start, end))
    });
    let mut loops: Vec<_> = loops.collect();
    loops.sort_unstable();
    let (_, start, end) = loops.last().copied()?;
    let inside = &lines[start..=end];
    let mut labels: Vec<usize> = inside.iter().filter_map(|(_, inst)| target(inst)).collect();
    labels.sort_unstable();
    labels.dedup();
    let label = |at: usize| match labels.iter().position(|l| *l == at) {
        _ if at > end => "END".to_string(),
        Some(number) => format!("L{number}"),
        None => "START".to_string(),
    };
    let mut out = String::new();
    for (i, (_, inst)) in inside.iter().enumerate() {
        if labels.contains(&(start + i)) {
            out.push_str(&format!("{}:\n", label(start + i)));
        }
        let jump = inst.split(' ').next().unwrap_or_default();
        match target(inst) {
            Some(to) => out.push_str(&format!("    {jump} {}\n", label(to))),
            None if jump.starts_with('j') => out.push_str(&format!("    {jump} RARE\n")),
            None => out.push_str(&format!("    {inst}\n")),
        }
    }
    Some(out)
}

/// Lowers for NVIDIA's GPUs and compares the module for packed operands; the first line of a case may name another stage.
pub(crate) fn ptx(case: &Case) -> Outcome {
    let func = ir::parse(case)?;
    let backend = dispatch::backend("cuda").map_err(|why| why.to_string())?;
    let legality = backend.legality(None);
    let legal = ufc::pipeline::legalize(func, legality).map_err(|error| error.to_string())?;
    let first = case.text.lines().next().unwrap_or_default();
    let stage = first.strip_prefix("; stage: ").unwrap_or("ptx");
    let options = CompileOptions::default();
    let text = backend
        .emit(&legal, &options, stage.trim())
        .map_err(|error| error.to_string())?;
    expect::file(&expect::beside(case, "ptx"), &text)
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
