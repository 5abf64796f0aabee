//! Tests of what compiling kernels costs and comes to: when it is worth it, what is remembered of it, and refusals.

use std::time::Duration;

use ufc::dispatch::Figures;
use ufc::dispatch::simulated::{Settings, counts, install};
use ufc::{Array, CallOptions, Report, Target, Ufunc};

use crate::{FAST, axpy, fast, heavy, kernel, numbers, sim};

#[test]
fn a_driver_that_refuses_a_kernel_is_asked_once() {
    let only_first = |figures| Settings {
        figures: vec![
            ("0", figures),
            ("1", Figures { ops: 1.0, ..FAST }),
            ("approx", Figures { ops: 1.0, ..FAST }),
        ],
        refuse: Some("no such instruction"),
        ..Settings::default()
    };
    let _machine = install(only_first(FAST));
    let (heavy, x) = heavy();
    let expected = heavy.on(Target::CPU).call(&x).expect("the right result");
    let report = Report::default();
    let call = heavy.with(CallOptions {
        report: Some(&report),
        ..CallOptions::default()
    });
    let run = || {
        assert_eq!(call.call(&x).expect("somewhere"), expected);
        let measured = report.get().expect("a report");
        assert!(measured.target.starts_with("cpu:"), "{measured}");
        measured.notes
    };
    let notes = run();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].contains("no such instruction") && notes[0].contains("goes on on `cpu:"),
        "{notes:?}"
    );
    for _ in 0..3 {
        assert_eq!(run(), [""; 0], "it was said already");
    }
    assert_eq!(counts().compilations, 1, "it was asked once");
    let plan = call.plan(&x).expect("a plan").to_string();
    assert!(
        plan.contains("not sim:0: ") && plan.contains("no such instruction"),
        "{plan}"
    );
    // Data that is there does not change that, where the results may be anywhere.
    let there = x.to_device(&sim()).expect("memory");
    assert_eq!(heavy.call(&there).expect("on the processor"), expected);
    assert_eq!(counts().compilations, 1);
    // Who names it hears why.
    let error = heavy.on(sim()).call(&x).expect_err("it was refused");
    assert!(error.to_string().contains("no such instruction"), "{error}");
}

#[test]
fn a_kernel_is_compiled_once_calls_add_up_to_what_that_takes() {
    let (heavy, x) = heavy();
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    // About what one call gains by the figures assumed of the processor.
    let gain = x.len() as f64 * 600.0 / (1.5e10 * threads);
    let compile = 3.5 * gain;
    let _machine = install(Settings {
        figures: vec![
            ("0", Figures { compile, ..FAST }),
            ("1", Figures { ops: 1.0, ..FAST }),
        ],
        ..Settings::default()
    });
    let plan = heavy.plan(&x).expect("a plan").to_string();
    assert!(plan.contains("not sim:0: estimated at about"), "{plan}");
    assert!(plan.contains("of it for compiling the kernel"), "{plan}");
    let report = Report::default();
    let call = heavy.with(CallOptions {
        report: Some(&report),
        ..CallOptions::default()
    });
    let run = || {
        call.call(&x).expect("a call");
        report.get().expect("a report").target
    };
    let on_host = (0..50).take_while(|_| run() != "sim:0").count();
    assert!((2..=6).contains(&on_host), "{on_host} calls came before");
    assert_eq!(run(), "sim:0", "it is compiled now");
    assert_eq!(counts().compilations, 1);
    let plan = heavy.plan(&x).expect("a plan").to_string();
    assert!(plan.contains("target   sim:0"), "{plan}");
    assert!(!plan.contains("compiling"), "{plan}");
}

/// What compiling took for a call that did not leave its target to `auto` counts for the next kernel's estimate too.
#[test]
fn compiling_for_a_target_that_was_named_is_told_to_the_cost_model() {
    let calls: [fn(&Ufunc, &Array); 3] = [
        |kernel, x| drop(kernel.on(sim()).call(x).expect("a call")),
        |kernel, x| drop(kernel.on(sim()).call_on_device(x).expect("a call")),
        |kernel, x| {
            let x = x.to_device(&sim()).expect("an array");
            drop(kernel.call(&x).expect("a call"));
        },
    ];
    for (number, call) in calls.iter().enumerate() {
        let _machine = install(Settings {
            compile: Duration::from_millis(30),
            ..fast()
        });
        let estimated = || {
            let (heavy, x) = heavy();
            let plan = heavy.on(sim()).plan(&x).expect("a plan");
            plan.estimate.compiling
        };
        assert_eq!(estimated(), 0.0, "by the figures it takes no time");
        let (other, x) = (axpy(), Array::from(numbers(4)));
        other.plan((&x, &x, &x)).expect("a plan");
        assert_eq!(estimated(), 0.0, "plans for the processor tell nothing");
        call(&kernel("pub fn next(x: f32) -> f32 { x + 1.0 }"), &x);
        let compiling = estimated();
        assert!((0.03..3.0).contains(&compiling), "{number}: {compiling}");
    }
}

/// The folder is given to back ends unless somebody says that nothing is to be kept.
#[test]
fn what_is_compiled_may_be_kept_unless_that_is_not_wanted() {
    let has_folder = ["UFC_CACHE_DIR", "HOME"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let _machine = install(Settings::default());
    let call = |cache| {
        let before = counts().kept;
        let axpy = axpy();
        let call = axpy.with(CallOptions {
            target: sim(),
            cache,
            ..CallOptions::default()
        });
        call.call((2.0f32, 1.0f32, 0.5f32)).expect("a call");
        counts().kept - before
    };
    assert_eq!(call(true), u64::from(has_folder));
    assert_eq!(call(false), 0);
    #[cfg(feature = "macros")]
    {
        let before = counts();
        kept_nowhere.on(sim()).call(1.5).expect("a call");
        assert_eq!(counts().compilations, before.compilations + 1);
        assert_eq!(counts().kept, before.kept);
    }
}

#[cfg(feature = "macros")]
#[ufc::vectorize(cache = false)]
fn kept_nowhere(x: f32) -> f32 {
    x + 1.0
}
