//! `ufc ulp`: the largest error of a math function.

use std::time::Instant;

use serde_json::json;
use ufc::DType;

use crate::args::Ulp;
use crate::output::{BAD, Failure, GOOD, Screen, USER_ERROR, paint, rate, time};
use crate::progress::watch;
use crate::ulp;

/// Every so-manieth value is tried if the user does not say otherwise; a prime, so that all bits vary.
const EVERY: u32 = 997;

pub(crate) fn run(screen: Screen, args: &Ulp) -> Result<(), Failure> {
    let (function, reference) = ulp::find(&args.function)?;
    let every = match (args.exhaustive, args.every) {
        (true, _) => 1,
        (false, every) => every.unwrap_or(EVERY).into(),
    };
    let threads = args.threads;
    let start = Instant::now();
    let (report, bound) = watch(ulp::count(every), |done| match args.dtype {
        DType::F32 => {
            let report = ulp::measure::<f32>(function, reference, every, threads, done)?;
            Ok((report, ulp::bound(function).0))
        }
        DType::F64 if args.exhaustive => Err(Failure::usage(
            "there are too many f64 values to try them all; use --every",
        )),
        DType::F64 => {
            let report = ulp::measure::<f64>(function, reference, every, threads, done)?;
            Ok((report, ulp::bound(function).1))
        }
        other => Err(Failure::user(format!(
            "errors are measured for f32 and f64, not for {other}"
        ))),
    })?;
    let worst = report.worst;
    let within = worst.ulp <= bound;
    let seconds = start.elapsed().as_secs_f64();
    if args.json {
        screen.json(&json!({
            "function": args.function,
            "dtype": args.dtype.name(),
            "checked": report.checked,
            "max_ulp": worst.ulp,
            "bound": bound,
            "within": within,
            "at": worst.at[..function.info().rule.arity()],
            "got": worst.got,
            "want": worst.want,
            "seconds": seconds,
        }))?;
    } else {
        let verdict = match within {
            true => paint(GOOD, "within"),
            false => paint(BAD, "NOT within"),
        };
        let from = match args.dtype {
            DType::F64 => " from the correctly rounded result",
            _ => "",
        };
        screen.line(format_args!(
            "{} {}: at most {:.4} ULP{from}, {verdict} the bound of {bound} ULP",
            args.function, args.dtype, worst.ulp
        ))?;
        let at = &worst.at[..function.info().rule.arity()];
        screen.line(format_args!(
            "  worst at {at:?}: {:e}, exactly {:e}",
            worst.got, worst.want
        ))?;
        let speed = rate(report.checked as f64 / seconds);
        screen.line(format_args!(
            "  {} inputs in {}, {speed}/s",
            report.checked,
            time(seconds)
        ))?;
    }
    if within {
        Ok(())
    } else {
        Err(Failure::Said(USER_ERROR))
    }
}
