//! `ufc bench`: measures kernels on their workload, on several targets and numbers of threads, and verifies the results.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value as Json, json};
use ufc::array::{Array, Operand, Output, ToOutput};
use ufc::{Call, CallOptions, DeviceArray, Report, Target, Ufunc, dispatch};
use ufc_target::{DeviceKind, Promise};

use crate::args::Bench;
use crate::examples::EXAMPLES;
use crate::kernel;
use crate::measure::Times;
use crate::output::{
    BAD, BUG, FAINT, Failure, GOOD, HEADING, NO_DEVICE, Screen, bytes, paint, rate, table, time,
};
use crate::progress::{CANCEL, watch};
use crate::values::{self, Values};
use crate::verify::{Verdict, verify};

/// Runs shorter than this are mostly the call, not the kernel.
const SHORT: f64 = 2e-6;

/// Spreads above this make a figure doubtful.
const WIDE: f64 = 0.1;

/// One measured row.
struct Row {
    kernel: String,
    target: String,
    device: String,
    threads: usize,
    /// Where the operands are between calls.
    data: Data,
    /// Bytes copied to the device and from it by each call.
    moved: (u64, u64),
    promise: Promise,
    n: usize,
    /// Bytes of all operands, each counted once.
    traffic: usize,
    times: Times,
    verdict: Verdict,
}

/// Where operands are between calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    /// In the host's memory, which is the device's own.
    Here,
    /// In the host's memory: each call copies them to the device, and its results back.
    Copied,
    /// On the device.
    Resident,
}

impl Data {
    fn word(self) -> &'static str {
        match self {
            Data::Here => "here",
            Data::Copied => "copied",
            Data::Resident => "resident",
        }
    }
}

/// What became of one target and number of threads.
enum Outcome {
    Measured(Box<Row>),
    /// The target is not there, and why.
    Missing(String, String),
}

pub(crate) fn run(screen: Screen, args: &Bench) -> Result<(), Failure> {
    let (inputs, names): (Vec<String>, Vec<String>) = args
        .words
        .iter()
        .cloned()
        .partition(|word| word.contains('='));
    let names = expand(names)?;
    if !inputs.is_empty() && names.len() > 1 {
        return Err(Failure::usage("inputs can only be given for one kernel"));
    }
    if !(args.time.is_finite() && args.time >= 0.0) {
        return Err(Failure::usage("--time is not a number of seconds"));
    }
    let mut all = Vec::new();
    for name in names {
        let ufunc = kernel::find(&name)?;
        let outcomes = bench(screen, &ufunc, &inputs, args)?;
        if !args.json {
            show(screen, &ufunc, &outcomes)?;
        }
        all.extend(outcomes);
    }
    if args.json {
        let rows = all.iter().map(|outcome| match outcome {
            Outcome::Measured(row) => to_json(row),
            Outcome::Missing(target, why) => json!({ "target": target, "missing": why }),
        });
        screen.json(&rows.collect())?;
    }
    judge(screen, &all, args)
}

fn expand(names: Vec<String>) -> Result<Vec<String>, Failure> {
    if names.is_empty() {
        return Err(Failure::usage("no kernel is named"));
    }
    let all = || EXAMPLES.iter().map(|(name, _)| (*name).to_string());
    let expand = |name: String| match name.as_str() {
        "all" => all().collect(),
        _ => vec![name],
    };
    Ok(names.into_iter().flat_map(expand).collect())
}

fn bench(
    screen: Screen,
    ufunc: &Ufunc,
    given: &[String],
    args: &Bench,
) -> Result<Vec<Outcome>, Failure> {
    let params = values::params(ufunc);
    let texts = values::texts(&params, given, values::workload(ufunc))?;
    let mut specs = values::specs(&params, &texts)?;
    if let Some(size) = args.size {
        values::resize(&params, &mut specs, size)?;
    }
    let values = Values::new(&params, &specs, args.dtype)?;
    let operands = values.operands()?;
    let threads: Vec<Option<usize>> = match args.threads.as_slice() {
        [] => vec![None],
        list => list.iter().copied().map(Some).collect(),
    };
    let mut outcomes = Vec::new();
    for target in &args.target {
        for threads in &threads {
            match bench_rows(ufunc, &operands, target, *threads, args) {
                Ok(rows) => {
                    let rows = rows.into_iter().map(Box::new);
                    outcomes.extend(rows.map(Outcome::Measured));
                }
                Err(Failure::Message(NO_DEVICE, why)) => {
                    outcomes.push(Outcome::Missing(target.to_string(), why));
                    break;
                }
                Err(other) => return Err(other),
            }
        }
    }
    for outcome in &outcomes {
        if let Outcome::Measured(row) = outcome {
            doubt(screen, row);
        }
    }
    Ok(outcomes)
}

/// A row for a target; for one with memory of its own another one, with the operands there already.
fn bench_rows(
    ufunc: &Ufunc,
    operands: &[Operand<'_>],
    target: &Target,
    threads: Option<usize>,
    args: &Bench,
) -> Result<Vec<Row>, Failure> {
    let report = Report::default();
    let options = CallOptions {
        target: target.clone(),
        threads,
        cancel: Some(&CANCEL),
        ..CallOptions::default()
    };
    let plan = ufunc.with(options.clone()).plan(operands)?;
    let place: Target = format!("{}:{}", plan.target, plan.device)
        .parse()
        .map_err(ufc::Error::from)?;
    let choice = dispatch::choose(&place)?;
    let promise = choice.backend.promise(Some(&choice.device.name));
    let n: usize = plan.shape.iter().product();
    // The first call shows progress and makes the outputs that the timed ones write to.
    let mut results = watch(n as u64, |done| {
        let options = CallOptions {
            progress: Some(done),
            report: Some(&report),
            ..options.clone()
        };
        ufunc.with(options).call_all(operands)
    })?;
    let measured = report.get().unwrap_or_default();
    let is_host = choice.device.kind == DeviceKind::Processor;
    let call = ufunc.with(options.clone());
    let time = Duration::from_secs_f64(args.time);
    let times = Times::of(time, || {
        let outputs: Vec<Output<'_>> = results.iter_mut().map(ToOutput::to_output).collect();
        Ok(call.call_into(operands, outputs)?)
    })?;
    let read = operands.iter().map(|operand| match operand {
        Operand::View(view) => view.len() * view.dtype().size(),
        _ => 0,
    });
    let written = results.iter().map(|array: &Array| array.as_bytes().len());
    let row = Row {
        kernel: ufunc.name().to_string(),
        target: plan.target,
        device: plan.device,
        threads: plan.threads,
        data: if is_host { Data::Here } else { Data::Copied },
        moved: (measured.uploaded, measured.downloaded),
        promise,
        n,
        traffic: read.chain(written).sum(),
        times,
        verdict: verify(ufunc, operands, &results, promise)?,
    };
    // Several devices taken as one have no memory that is all theirs.
    let has_memory = || choice.backend.allocate(&choice.device.name, 1).is_ok();
    if is_host || !has_memory() {
        return Ok(vec![row]);
    }
    let (times, results) = resident(&ufunc.with(options), operands, &place, time)?;
    let resident = Row {
        data: Data::Resident,
        moved: (0, 0),
        times,
        verdict: verify(ufunc, operands, &results, promise)?,
        kernel: row.kernel.clone(),
        target: row.target.clone(),
        device: row.device.clone(),
        ..row
    };
    Ok(vec![row, resident])
}

/// Times calls whose operands are on the device; gives their results too.
fn resident(
    call: &Call<'_, '_>,
    operands: &[Operand<'_>],
    target: &Target,
    time: Duration,
) -> Result<(Times, Vec<Array>), Failure> {
    let there = operands.iter().map(|operand| match operand {
        Operand::View(view) => Ok(Operand::Device(view.to_device(target)?)),
        other => Ok(other.clone()),
    });
    let there: Vec<Operand<'_>> = there.collect::<Result<_, ufc::Error>>()?;
    let mut results = call.call_all_on_device(&there[..])?;
    let times = Times::of(time, || {
        call.call_into_device(&there[..], &mut results)?;
        results.iter().try_for_each(DeviceArray::synchronize)?;
        Ok(())
    })?;
    let home = results.iter().map(DeviceArray::to_host);
    Ok((times, home.collect::<Result<_, ufc::Error>>()?))
}

/// Says what makes a row's figures doubtful.
fn doubt(screen: Screen, row: &Row) {
    let name = format!(
        "{} on {} with {}",
        row.kernel,
        row.target,
        match row.data {
            Data::Here => format!("{} thread(s)", row.threads),
            data => format!("{} data", data.word()),
        }
    );
    if row.times.median() < SHORT {
        screen.warn(format_args!(
            "{name}: runs are so short that calls dominate; try --size"
        ));
    }
    if row.times.spread() > WIDE && row.times.runs() > 1 {
        screen.warn(format_args!(
            "{name}: times vary a lot; is the machine busy? try --time"
        ));
    }
    match &row.verdict {
        Verdict::Same(_) | Verdict::Near(..) => {}
        Verdict::Different(text) | Verdict::Unknown(text) | Verdict::Far(text) => {
            screen.warn(format_args!("{name}: not verified: {text}"));
        }
    }
}

fn show(screen: Screen, ufunc: &Ufunc, outcomes: &[Outcome]) -> Result<(), Failure> {
    let measured = || {
        outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Measured(row) => Some(row),
            Outcome::Missing(..) => None,
        })
    };
    let first = measured().next();
    let mut out = screen.out();
    let size = first.map_or(String::new(), |row| {
        format!("{} elements, {}", row.n, bytes(row.traffic as f64))
    });
    writeln!(out, "{}  {size}", paint(HEADING, ufunc.signature()))?;
    let base = first.map(|row| row.times.median());
    let rows = outcomes.iter().map(|outcome| match outcome {
        Outcome::Measured(row) => cells(row, base.unwrap_or(1.0)),
        Outcome::Missing(target, _) => {
            let dash = || paint(FAINT, "-");
            let mut cells = vec![target.clone(), paint(BAD, "missing")];
            cells.extend((0..8).map(|_| dash()));
            cells
        }
    });
    let header = [
        "target",
        "device",
        "data",
        "threads",
        "median",
        "±",
        "elements/s",
        "bytes/s",
        "ratio",
        "verified",
    ];
    writeln!(
        out,
        "{}",
        table(&header, &[3, 4, 5, 6, 7, 8], rows.collect())
    )?;
    for row in measured().filter(|row| row.data == Data::Copied) {
        let (up, down) = (bytes(row.moved.0 as f64), bytes(row.moved.1 as f64));
        let device = format!("{}:{}", row.target, row.device);
        writeln!(out, "{device}: each call copies {up} there and {down} back")?;
    }
    for outcome in outcomes {
        if let Outcome::Missing(_, why) = outcome {
            writeln!(out, "{why}")?;
        }
    }
    writeln!(out)?;
    Ok(())
}

fn cells(row: &Row, base: f64) -> Vec<String> {
    let median = row.times.median();
    let verified = match &row.verdict {
        Verdict::Same(n) if *n == row.n => paint(GOOD, "yes, all"),
        Verdict::Same(n) => paint(GOOD, format_args!("yes, {n}")),
        Verdict::Near(n, worst) => paint(GOOD, format_args!("{n} within {worst} ulp")),
        Verdict::Far(_) => paint(BAD, "not all"),
        Verdict::Different(_) => paint(BAD, "NO"),
        Verdict::Unknown(_) => paint(BAD, "not checked"),
    };
    vec![
        row.target.clone(),
        row.device.clone(),
        row.data.word().to_string(),
        match row.data {
            Data::Here => row.threads.to_string(),
            Data::Copied | Data::Resident => paint(FAINT, "-"),
        },
        time(median),
        format!("{:.1} %", row.times.spread() * 100.0),
        rate(row.n as f64 / median),
        bytes(row.traffic as f64 / median),
        ratio(base / median),
        verified,
    ]
}

/// Three digits that matter, more or less.
fn ratio(ratio: f64) -> String {
    match ratio {
        r if r >= 0.1 => format!("{r:.2}"),
        r if r >= 0.001 => format!("{r:.4}"),
        r => format!("{r:.1e}"),
    }
}

fn to_json(row: &Row) -> Json {
    let median = row.times.median();
    json!({
        "kernel": row.kernel,
        "target": row.target,
        "device": row.device,
        "data": row.data.word(),
        "uploaded_bytes": row.moved.0,
        "downloaded_bytes": row.moved.1,
        "threads": row.threads,
        "n": row.n,
        "median_ns": (median * 1e9).round(),
        "min_ns": (row.times.min() * 1e9).round(),
        "elements_per_s": (row.n as f64 / median).round(),
        "promise": match row.promise {
            Promise::Bits => json!("bits"),
            Promise::Ulps(ulps) => json!({ "ulps": ulps }),
        },
        "verified": matches!(row.verdict, Verdict::Same(_) | Verdict::Near(..)),
    })
}

/// Decides whether the run as a whole was a success.
fn judge(screen: Screen, outcomes: &[Outcome], args: &Bench) -> Result<(), Failure> {
    let mut verdict = Ok(());
    for outcome in outcomes {
        match outcome {
            Outcome::Missing(_, why) if args.strict => {
                return Err(Failure::Message(NO_DEVICE, why.clone()));
            }
            Outcome::Missing(_, why) if args.json => screen.warn(why),
            Outcome::Measured(row) if matches!(row.verdict, Verdict::Different(_)) => {
                let text = "results differ from the interpreter's: this is a bug in ufc";
                verdict = Err(Failure::Message(BUG, text.to_string()));
            }
            Outcome::Measured(row)
                if args.strict && matches!(row.verdict, Verdict::Unknown(_) | Verdict::Far(_)) =>
            {
                verdict = verdict.and(Err(Failure::user("a result could not be verified")));
            }
            Outcome::Missing(..) | Outcome::Measured(_) => {}
        }
    }
    verdict
}
