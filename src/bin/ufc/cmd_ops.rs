//! `ufc ops`: the operations, and what each target does with them.

use serde_json::{Value, json};
use ufc::DType;
use ufc::dispatch::choose;
use ufc_ir::ops::{Accuracy, AnyOp, Op};
use ufc_target::{Action, Legality};

use crate::args::Ops;
use crate::output::{FAINT, Failure, HEADING, Screen, paint, table};

pub(crate) fn run(screen: Screen, args: &Ops) -> Result<(), Failure> {
    let choice = choose(&args.target)?;
    let legality = choice.legality();
    let ops = wanted(&args.names)?;
    if args.json {
        return screen.json(&ops.into_iter().map(|op| to_json(op, legality)).collect());
    }
    if !args.names.is_empty() {
        return ops
            .into_iter()
            .try_for_each(|op| detail(screen, op, legality));
    }
    let header: Vec<&str> = ["operation"]
        .into_iter()
        .chain(DType::ALL.iter().map(|d| d.name()))
        .collect();
    let rows = ops.into_iter().map(|op| row(op, legality)).collect();
    screen.line(table(&header, &[], rows))?;
    screen.line(format_args!(
        "\nOn `{}`: n native, e expanded into native operations, p done in a wider dtype, \
         s split into parts, - not available;\nempty where the operation does not take the dtype. \
         `ufc ops NAME` tells more.",
        legality.target()
    ))
}

/// The operations asked for, or those that the language has.
fn wanted(names: &[String]) -> Result<Vec<AnyOp>, Failure> {
    let in_language = |op: &AnyOp| !matches!(op, AnyOp::Core(Op::Any));
    if names.is_empty() {
        return Ok(AnyOp::all().filter(in_language).collect());
    }
    let mut found = Vec::new();
    for name in names {
        let before = found.len();
        found.extend(AnyOp::named(name).filter(in_language));
        if found.len() == before {
            let all = AnyOp::all().filter(in_language).map(AnyOp::name);
            let hint = match ufc_lang::resolve::suggest(name, all) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`ufc ops` lists them".to_string(),
            };
            return Err(Failure::user(format!(
                "there is no operation `{name}`; {hint}"
            )));
        }
    }
    Ok(found)
}

/// What becomes of an operation on a dtype; none where it does not take that dtype.
fn action(op: AnyOp, dtype: DType, legality: &dyn Legality) -> Option<&'static str> {
    if !op.rule().set().contains(dtype) {
        return None;
    }
    let structural = matches!(op, AnyOp::Core(Op::Complex | Op::Re | Op::Im));
    if legality.splits_complex() && (dtype.is_complex() || structural) {
        return Some("split");
    }
    Some(match legality.action(op, dtype) {
        Action::Native => "native",
        Action::Expand => "expanded",
        Action::Promote(_) => "promoted",
        Action::Unsupported => "unsupported",
    })
}

fn row(op: AnyOp, legality: &dyn Legality) -> Vec<String> {
    let letter = |dtype: &DType| match action(op, *dtype, legality) {
        None => String::new(),
        Some("unsupported") => "-".to_string(),
        Some(word) => word[..1].to_string(),
    };
    let letters = DType::ALL.iter().map(letter);
    std::iter::once(op.name().to_string())
        .chain(letters)
        .collect()
}

fn accuracy(op: AnyOp) -> Option<Accuracy> {
    match op {
        AnyOp::Core(_) => None,
        AnyOp::Math(f) => Some(f.info().accuracy),
    }
}

fn detail(screen: Screen, op: AnyOp, legality: &dyn Legality) -> Result<(), Failure> {
    screen.line(format_args!("{} {}", paint(HEADING, op.name()), op.rule()))?;
    screen.line(format_args!("  {}", op.doc()))?;
    match accuracy(op) {
        None | Some(Accuracy::Exact) => screen.line("  Exact, or rounded once.")?,
        Some(Accuracy::Ulp(f32, f64)) => {
            screen.line(format_args!(
                "  Within {f32} ULP for f32, {f64} ULP for f64."
            ))?;
        }
    }
    let words = ["native", "expanded", "promoted", "split", "unsupported"];
    for word in words {
        let dtypes = DType::ALL
            .iter()
            .filter(|d| action(op, **d, legality) == Some(word));
        let names: Vec<&str> = dtypes.map(|d| d.name()).collect();
        if !names.is_empty() {
            let target = paint(FAINT, format_args!("on {}", legality.target()));
            screen.line(format_args!("  {word} {target}: {}", names.join(" ")))?;
        }
    }
    screen.line("")
}

fn to_json(op: AnyOp, legality: &dyn Legality) -> Value {
    let bound = match accuracy(op) {
        None | Some(Accuracy::Exact) => json!({ "f32": 0, "f64": 0 }),
        Some(Accuracy::Ulp(f32, f64)) => json!({ "f32": f32, "f64": f64 }),
    };
    let support: serde_json::Map<String, Value> = DType::ALL
        .iter()
        .filter_map(|d| Some((d.name().to_string(), action(op, *d, legality)?.into())))
        .collect();
    json!({
        "name": op.name(),
        "rule": op.rule().to_string(),
        "doc": op.doc(),
        "max_ulp": bound,
        "target": legality.target(),
        "support": support,
    })
}
