//! `ufc check`: every mistake in kernel files, and their test cases on the interpreter and the CPU.

use serde_json::{Value as Json, json};
use ufc::array::{Operand, format_value};
use ufc::{CallOptions, Const, Error, Module, SourceError, Target, Ufunc, pipeline};
use ufc_ir::Func;
use ufc_lang::TestCase;
use ufc_lang::codes::Code;
use ufc_lang::diag::Diagnostic;
use ufc_lang::span::Span;

use crate::args::Check;
use crate::kernel;
use crate::output::{BUG, Failure, GOOD, NO_DEVICE, Screen, USER_ERROR, paint};
use crate::progress::CANCEL;

/// What was found about one file.
struct Report {
    name: String,
    source: String,
    kernels: usize,
    cases: usize,
    targets: Vec<String>,
    diagnostics: Vec<Diagnostic>,
}

pub(crate) fn run(screen: Screen, args: &Check) -> Result<(), Failure> {
    let mut reports = Vec::new();
    for file in &args.files {
        let report = match kernel::open(file) {
            Ok(named) => test(&named.module)?,
            Err(Failure::Source(error)) => Report::of_mistakes(*error),
            Err(other) => return Err(other),
        };
        if !args.json {
            show(screen, &report)?;
        }
        reports.push(report);
    }
    if args.json {
        screen.json(&reports.iter().map(to_json).collect())?;
    }
    let mut all = reports.iter().flat_map(|report| &report.diagnostics);
    match all.any(Diagnostic::is_error) {
        true => Err(Failure::Said(USER_ERROR)),
        false => Ok(()),
    }
}

impl Report {
    fn of_mistakes(error: SourceError) -> Report {
        Report {
            name: error.name,
            source: error.source,
            kernels: 0,
            cases: 0,
            targets: Vec::new(),
            diagnostics: error.diagnostics,
        }
    }
}

/// Runs the test cases of every kernel.
fn test(module: &Module) -> Result<Report, Failure> {
    let ufuncs = module.ufuncs();
    let mut report = Report {
        name: module.name().to_string(),
        source: module.source().to_string(),
        kernels: ufuncs.len(),
        cases: 0,
        targets: Vec::new(),
        diagnostics: module.warnings().to_vec(),
    };
    let mut cases = Vec::new();
    for ufunc in &ufuncs {
        let checked = module.checked();
        match checked.map_or(Ok(Vec::new()), |checked| checked.test_cases(ufunc.name())) {
            Ok(list) => cases.push(list.iter().map(Case::new).collect::<Result<Vec<_>, _>>()?),
            Err(diagnostics) => {
                cases.push(Vec::new());
                report.diagnostics.extend(diagnostics);
            }
        }
    }
    for target in [Target::INTERP, Target::CPU] {
        match ufc::dispatch::choose(&target) {
            Ok(_) => report.targets.push(target.to_string()),
            Err(_) => continue,
        }
        for (ufunc, cases) in ufuncs.iter().zip(&cases) {
            for case in cases {
                report.diagnostics.extend(run_case(ufunc, case, &target)?);
            }
        }
    }
    if report.targets.is_empty() {
        let text = "no target to run test cases on".to_string();
        return Err(Failure::Message(NO_DEVICE, text));
    }
    report.cases = cases.iter().map(Vec::len).sum();
    Ok(report)
}

/// A test case with its values.
struct Case {
    args: Vec<Const>,
    expected: Vec<Const>,
    ulp: u32,
    span: Span,
}

impl Case {
    fn new(case: &TestCase) -> Result<Case, Failure> {
        Ok(Case {
            args: values(&case.args)?,
            expected: values(&case.expected)?,
            ulp: case.ulp,
            span: case.span,
        })
    }
}

/// What a function without parameters gives.
fn values(func: &Func) -> Result<Vec<Const>, Failure> {
    let interp = ufc::dispatch::choose(&Target::INTERP)?.backend;
    let legal = pipeline::legalize(func.clone(), interp.legality(None))?;
    let bug = |e: ufc_ir::interp::InterpError| Failure::Message(BUG, e.to_string());
    ufc_ir::interp::run_one(legal.func(), &[]).map_err(bug)
}

/// Runs one test case; what is wrong with the answer, if anything.
fn run_case(ufunc: &Ufunc, case: &Case, target: &Target) -> Result<Option<Diagnostic>, Failure> {
    let options = CallOptions {
        target: target.clone(),
        threads: Some(1),
        cancel: Some(&CANCEL),
        ..CallOptions::default()
    };
    let operands: Vec<Operand<'_>> = case.args.iter().map(|arg| Operand::Scalar(*arg)).collect();
    let results = match ufunc.with(options).call_all(&operands[..]) {
        Ok(results) => results,
        // A mistake that shows only for the dtypes of this case.
        Err(Error::Source(error)) => return Ok(error.diagnostics.into_iter().next()),
        Err(other) => return Err(other.into()),
    };
    let found: Vec<Const> = results.iter().filter_map(|array| array.get(&[])).collect();
    let right = found.len() == case.expected.len()
        && found
            .iter()
            .zip(&case.expected)
            .all(|(f, e)| is_near(*f, *e, case.ulp));
    if right {
        return Ok(None);
    }
    let message = format!(
        "a test case of `{}` gives another result on {target}",
        ufunc.name()
    );
    let label = format!(
        "expected {}, found {}",
        tuple(&case.expected),
        tuple(&found)
    );
    Ok(Some(Diagnostic::error(
        Code::FailedTestCase,
        case.span,
        message,
        label,
    )))
}

/// Whether two values are at most so many units in the last place apart; complex numbers part by part.
fn is_near(a: Const, b: Const, ulp: u32) -> bool {
    if a.same(b) {
        return true;
    }
    if a.dtype().is_complex() && a.dtype() == b.dtype() {
        return is_near(a.re(), b.re(), ulp) && is_near(a.im(), b.im(), ulp);
    }
    let comparable = a.dtype() == b.dtype() && a.dtype().is_float() && !a.is_nan() && !b.is_nan();
    comparable && ulp > 0 && ordinal(a).abs_diff(ordinal(b)) <= u128::from(ulp)
}

/// The number of a float among all floats of its dtype in order; both zeros are 0.
fn ordinal(x: Const) -> i128 {
    let sign = 1u128 << (x.dtype().bits() - 1);
    let magnitude = (x.bits() & !sign) as i128;
    if x.bits() & sign == 0 {
        magnitude
    } else {
        -magnitude
    }
}

fn tuple(values: &[Const]) -> String {
    let texts: Vec<String> = values.iter().map(|value| format_value(*value)).collect();
    match texts.as_slice() {
        [one] => one.clone(),
        _ => format!("({})", texts.join(", ")),
    }
}

fn show(screen: Screen, report: &Report) -> Result<(), Failure> {
    screen.diagnostics(&report.name, &report.source, &report.diagnostics);
    if report.diagnostics.iter().any(Diagnostic::is_error) {
        screen.explain_hint(&report.diagnostics);
        return Ok(());
    }
    if report.kernels == 0 {
        screen.warn(format_args!(
            "{} has no kernel: mark a function with `pub`",
            report.name
        ));
    }
    let plural = |n: usize, what: &str| match n {
        1 => format!("1 {what}"),
        _ => format!("{n} {what}s"),
    };
    screen.line(format_args!(
        "{}: {}, {}, {} on {}",
        report.name,
        paint(GOOD, "good"),
        plural(report.kernels, "kernel"),
        plural(report.cases, "test case"),
        report.targets.join(" and "),
    ))
}

fn to_json(report: &Report) -> Json {
    json!({
        "file": report.name,
        "kernels": report.kernels,
        "test_cases": report.cases,
        "targets": report.targets,
        "diagnostics": ufc::render::json(&report.name, &report.source, &report.diagnostics),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ufc::DType;

    #[test]
    fn nearness_counts_units_in_the_last_place() {
        let one = Const::f32(1.0);
        let next = Const::f32(f32::from_bits(1.0f32.to_bits() + 1));
        assert!(is_near(one, one, 0) && is_near(one, next, 1) && !is_near(one, next, 0));
        assert!(is_near(Const::f64(-0.0), Const::f64(0.0), 1));
        assert!(!is_near(Const::f64(-0.0), Const::f64(0.0), 0));
        let nan = Const::f32(f32::NAN);
        assert!(is_near(nan, nan, 0) && !is_near(nan, Const::f32(f32::INFINITY), u32::MAX));
        assert!(!is_near(
            Const::int(DType::U8, 1),
            Const::int(DType::U8, 2),
            9
        ));
        let z = Const::complex(one, one).unwrap();
        assert!(is_near(z, Const::complex(next, one).unwrap(), 1));
    }
}
