//! `ufc ulp`: the largest errors of math functions, and whether targets agree on them.

use std::time::Instant;

use serde_json::{Value, json};
use ufc::DType;
use ufc_ir::ops::MathFn;

use crate::args::Ulp;
use crate::output::{BAD, Failure, GOOD, Screen, USER_ERROR, paint, rate, time};
use crate::progress::watch;
use crate::ulp::{self, Job, Report};

/// Every so-manieth value is tried if the user does not say otherwise; a prime, so that all bits vary.
const EVERY: u32 = 997;

/// A function with what was found of it.
struct Finding {
    function: MathFn,
    report: Report,
    bound: f64,
    seconds: f64,
}

pub(crate) fn run(screen: Screen, args: &Ulp) -> Result<(), Failure> {
    let names: Vec<&str> = match args.all {
        true => ulp::names(args.exhaustive).collect(),
        false => args.functions.iter().map(String::as_str).collect(),
    };
    let functions: Result<Vec<_>, Failure> = names.into_iter().map(ulp::find).collect();
    let functions = functions?;
    let mut values = Vec::new();
    let mut is_good = true;
    for (function, reference) in &functions {
        let finding = measure(args, *function, *reference)?;
        is_good &= finding.is_good();
        match (args.json, functions.len()) {
            (true, _) => values.push(finding.json(args)),
            (false, 1) => finding.tell(screen, args)?,
            (false, _) => screen.line(finding.row(args))?,
        }
    }
    match (args.json, values.as_slice()) {
        (true, [one]) => screen.json(one)?,
        (true, _) => screen.json(&values.into())?,
        (false, _) => {}
    }
    if is_good {
        Ok(())
    } else {
        Err(Failure::Said(USER_ERROR))
    }
}

fn measure(args: &Ulp, function: MathFn, reference: ulp::Reference) -> Result<Finding, Failure> {
    let every = match (args.exhaustive, args.every) {
        (true, _) => 1,
        (false, every) => every.unwrap_or(EVERY).into(),
    };
    let job = Job {
        function,
        reference,
        every,
        targets: &args.target,
        threads: args.threads,
    };
    let start = Instant::now();
    let (report, bound) = watch(ulp::count(every), |done| match args.dtype {
        DType::F32 => Ok((ulp::measure::<f32>(job, done)?, ulp::bound(function).0)),
        DType::F64 if args.exhaustive => Err(Failure::usage(
            "there are too many f64 values to try them all; use --every",
        )),
        DType::F64 => Ok((ulp::measure::<f64>(job, done)?, ulp::bound(function).1)),
        other => Err(Failure::user(format!(
            "errors are measured for f32 and f64, not for {other}"
        ))),
    })?;
    Ok(Finding {
        function,
        report,
        bound,
        seconds: start.elapsed().as_secs_f64(),
    })
}

impl Finding {
    fn name(&self) -> &'static str {
        self.function.info().name
    }

    fn is_within(&self) -> bool {
        self.report.worst.ulp <= self.bound
    }

    fn is_good(&self) -> bool {
        self.is_within() && self.report.others.iter().all(|other| other.count == 0)
    }

    /// The arguments that the function has, of two.
    fn arguments<'a>(&self, at: &'a [f64; 2]) -> &'a [f64] {
        &at[..self.function.info().rule.arity()]
    }

    fn json(&self, args: &Ulp) -> Value {
        let report = &self.report;
        let others = args.target[1..].iter().zip(&report.others);
        let others = others.map(|(target, other)| {
            json!({
                "target": target.to_string(),
                "differ": other.count,
                "at": (other.count > 0).then(|| self.arguments(&other.at)),
            })
        });
        json!({
            "function": self.name(),
            "dtype": args.dtype.name(),
            "target": args.target[0].to_string(),
            "checked": report.checked,
            "max_ulp": report.worst.ulp,
            "bound": self.bound,
            "within": self.is_within(),
            "at": self.arguments(&report.worst.at),
            "got": report.worst.got,
            "want": report.worst.want,
            "digest": format!("{:08x}", report.digest),
            "others": others.collect::<Vec<_>>(),
            "seconds": self.seconds,
        })
    }

    /// A line of a list.
    fn row(&self, args: &Ulp) -> String {
        let mut line = format!(
            "{:<5} {}: at most {:.4} ULP, {}, digest {:08x}",
            self.name(),
            args.dtype,
            self.report.worst.ulp,
            self.verdict(),
            self.report.digest
        );
        for text in self.agreement(args) {
            line.push_str("; ");
            line.push_str(&text);
        }
        line
    }

    fn verdict(&self) -> String {
        match self.is_within() {
            true => paint(GOOD, "within"),
            false => paint(BAD, "NOT within"),
        }
    }

    /// What is to be said about the targets after the first.
    fn agreement(&self, args: &Ulp) -> Vec<String> {
        let others = || args.target[1..].iter().zip(&self.report.others);
        let same: Vec<String> = others()
            .filter(|(_, other)| other.count == 0)
            .map(|(target, _)| target.to_string())
            .collect();
        let mut texts = Vec::new();
        if !same.is_empty() {
            texts.push(format!("the same bits on {}", same.join(", ")));
        }
        for (target, other) in others().filter(|(_, other)| other.count > 0) {
            let count = paint(BAD, format_args!("other bits for {} inputs", other.count));
            let at = self.arguments(&other.at);
            texts.push(format!("{target} gives {count}, such as {at:?}"));
        }
        texts
    }

    /// All that there is to say about one function.
    fn tell(&self, screen: Screen, args: &Ulp) -> Result<(), Failure> {
        let worst = self.report.worst;
        let from = match args.dtype {
            DType::F64 => " from the correctly rounded result",
            _ => "",
        };
        screen.line(format_args!(
            "{} {}: at most {:.4} ULP{from}, {} the bound of {} ULP",
            self.name(),
            args.dtype,
            worst.ulp,
            self.verdict(),
            self.bound
        ))?;
        let at = self.arguments(&worst.at);
        screen.line(format_args!(
            "  worst at {at:?}: {:e}, exactly {:e}",
            worst.got, worst.want
        ))?;
        for text in self.agreement(args) {
            screen.line(format_args!("  {text}"))?;
        }
        let speed = rate(self.report.checked as f64 / self.seconds);
        screen.line(format_args!(
            "  {} inputs in {}, {speed}/s; digest of the results {:08x}",
            self.report.checked,
            time(self.seconds),
            self.report.digest
        ))
    }
}
