//! Kinds of tests that need the IR alone: the verifier's findings and single passes.

use ufc_ir::passes::{
    self, carry, counter, cse, dce, fold, if_convert, licm, merge, narrow, simplify, sink, unroll,
};
use ufc_ir::verify::{Place, Violation};
use ufc_ir::{Func, text};

use super::annotate::{self, Finding};
use super::{Case, Outcome, expect};

/// What a pass is run by.
type Pass = fn(&mut Func) -> bool;

/// Every pass, by the folder under `tests/filetests/passes` that it is tested in.
const PASSES: &[(&str, Pass)] = &[
    ("carry", carry::run),
    ("counter", counter::run),
    ("counter", counter::run),
    ("cse", cse::run),
    ("dce", dce::run),
    ("fold", fold::run),
    ("if_convert", if_convert::run),
    ("licm", licm::run),
    ("merge", merge::run),
    ("merge", merge::run),
    ("narrow", narrow::run),
    ("simplify", simplify::run),
    ("sink", sink::run),
    ("unroll", unroll::run),
];

/// Compares the verifier's findings with the comments `; error: text` on the lines that they are about.
pub(crate) fn verify(case: &Case) -> Outcome {
    let parsed = text::parse_with_lines(&case.text)?;
    let found = ufc_ir::verify::verify(&parsed.func)
        .err()
        .unwrap_or_default();
    let line = |violation: &Violation| match violation.place {
        Place::Func => {
            1 + case
                .text
                .lines()
                .take_while(|line| !line.starts_with("func "))
                .count()
        }
        Place::Region(region) => parsed.end_lines[region],
        Place::Inst(inst) => parsed.inst_lines[inst],
    };
    let findings: Vec<Finding> = found
        .iter()
        .map(|violation| Finding {
            line: line(violation),
            text: violation.message.clone(),
        })
        .collect();
    annotate::check(&case.text, "; error:", &findings)
}

/// Runs the pass that the case's folder is named after.
pub(crate) fn pass(case: &Case) -> Outcome {
    let row = PASSES.iter().find(|(name, _)| *name == case.within);
    let (_, run) = row.ok_or_else(|| format!("there is no pass `{}`", case.within))?;
    transform(case, *run)
}

/// Brings a function into SPMD form.
pub(crate) fn spmd(case: &Case) -> Outcome {
    transform(case, passes::spmd::run)
}

fn transform(case: &Case, run: Pass) -> Outcome {
    let mut func = parse(case)?;
    run(&mut func);
    verified(&func).map_err(|error| format!("the pass gave a broken function: {error}"))?;
    expect::inline(case, &text::print(&func))
}

/// The function before the expectation, verified.
pub(crate) fn parse(case: &Case) -> Result<Func, String> {
    let func = text::parse(expect::input(&case.text)).map_err(|error| error.to_string())?;
    verified(&func)?;
    Ok(func)
}

fn verified(func: &Func) -> Result<(), String> {
    ufc_ir::verify::verify(func).map_err(|found| {
        let lines: Vec<String> = found.iter().map(Violation::to_string).collect();
        lines.join(", ")
    })
}
