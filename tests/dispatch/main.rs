//! Tests of what surrounds back ends, on a simulated device: choice, residency, transfers, fallback, and what is said of them.

mod compiling;

use std::time::Duration;

use ufc::array::{Casting, InPlace, View};
use ufc::dispatch::simulated::{Counts, Settings, counts, install};
use ufc::dispatch::{self, Figures};
use ufc::{Array, CallOptions, DType, DeviceArray, Error, Module, Report, Target, Ufunc};
use ufc_target::BackendError;

fn kernel(text: &str) -> Ufunc {
    let module = Module::from_source("test.ufk", text).expect("a module");
    module.only().expect("a kernel")
}

fn axpy() -> Ufunc {
    kernel("pub fn axpy(a: f32, x: f32, y: f32) -> f32 { a * x + y }")
}

fn numbers(n: usize) -> Vec<f32> {
    (0..n).map(|i| i as f32 * 0.37 - 9.0).collect()
}

fn sim() -> Target {
    "sim:0".parse().expect("a word that tests have")
}

/// A device that is much faster than the processor in every way.
const FAST: Figures = Figures {
    ops: 1e15,
    wide: 1e15,
    memory: 1e15,
    upload: 1e13,
    download: 1e13,
    latency: 1e-6,
    start: 0.0,
    compile: 0.0,
};

fn fast() -> Settings {
    Settings {
        figures: vec![("0", FAST)],
        ..Settings::default()
    }
}

/// A kernel and a number of elements that take the processor some milliseconds.
fn heavy() -> (Ufunc, Array) {
    let text = "pub fn heavy(x: f32) -> f32 {
        let mut a = x;
        for _i in 0..200 { a = a * 0.9375 + x; }
        a
    }";
    (kernel(text), Array::from(numbers(1 << 15)))
}

#[test]
fn data_goes_to_the_device_and_back_only_when_asked() {
    let _machine = install(Settings::default());
    let x = numbers(1000);
    let before = dispatch::transfers();
    let there = View::from_slice(&x).to_device(&sim()).expect("memory");
    assert_eq!(format!("{there:?}"), "DeviceArray(f32, [1000], on sim:0)");
    assert_eq!(there.device(), "sim:0");
    let axpy = axpy();
    let once = axpy.call_on_device((2.0f32, &there, 1.0f32)).expect("once");
    let twice = axpy.call_on_device((2.0f32, &once, &there)).expect("twice");
    let after = dispatch::transfers();
    // What other tests move at the same time does not count here: they do not use devices without the machine.
    assert_eq!(after.uploaded - before.uploaded, 4000);
    assert_eq!(after.downloaded, before.downloaded);
    assert_eq!(counts().launches, 2);
    let expected: Vec<f32> = x.iter().map(|x| 2.0 * (2.0 * x + 1.0) + x).collect();
    assert_eq!(twice.to_vec::<f32>().expect("home"), expected);
    assert_eq!(dispatch::transfers().downloaded - before.downloaded, 4000);
    let typed = twice.typed::<f32>().expect("f32");
    assert_eq!(typed.to_vec().expect("home"), expected);
    assert!(once.clone().typed::<f64>().is_err());
    drop((there, once, typed));
    assert_eq!(counts().buffers, 0, "memory is given back");
}

#[test]
fn a_call_runs_where_its_inputs_are_and_says_what_it_moved() {
    let _machine = install(Settings::default());
    let (x, y) = (numbers(500), numbers(500));
    let there = View::from_slice(&x).to_device(&sim()).expect("memory");
    let axpy = axpy();
    let report = Report::default();
    let call = axpy.with(CallOptions {
        report: Some(&report),
        ..CallOptions::default()
    });
    let plan = call.plan((2.0f32, &there, &y)).expect("a plan");
    assert_eq!((plan.target.as_str(), plan.device.as_str()), ("sim", "0"));
    assert!(plan.to_string().contains("operands are there"), "{plan}");
    assert!(plan.to_string().contains("`x` is there already"), "{plan}");
    assert_eq!(counts().launches, 0, "a plan runs nothing");

    let sum = call.call((2.0f32, &there, &y)).expect("mixed operands");
    let expected: Vec<f32> = x.iter().zip(&y).map(|(x, y)| 2.0 * x + y).collect();
    assert_eq!(sum.as_slice::<f32>().expect("f32"), expected);
    let measured = report.get().expect("a report");
    assert_eq!(measured.target, "sim:0");
    assert_eq!((measured.uploaded, measured.downloaded), (2000, 2000));
    let text = measured.to_string();
    assert!(text.contains("`y` is on the host and is copied"), "{text}");
    assert!(!text.contains("`x` is"), "{text}");

    // A target that is named wins over where the data is, and that is said too.
    let on_cpu = axpy.with(CallOptions {
        target: Target::CPU,
        report: Some(&report),
        ..CallOptions::default()
    });
    let sum = on_cpu.call((2.0f32, &there, &y)).expect("on the processor");
    assert_eq!(sum.as_slice::<f32>().expect("f32"), expected);
    let measured = report.get().expect("a report");
    assert!(measured.target.starts_with("cpu:"), "{measured}");
    assert_eq!((measured.uploaded, measured.downloaded), (0, 2000));
    assert!(measured.to_string().contains("`x` is copied from `sim:0`"));
}

#[test]
fn results_are_written_to_the_callers_memory_of_either_kind() {
    let _machine = install(Settings::default());
    let axpy = axpy();
    let x = numbers(6);
    let there = View::from_slice(&x).to_device(&sim()).expect("memory");
    let expected: Vec<f32> = x.iter().map(|x| 2.0 * x + 1.0).collect();
    let mut home = vec![f32::NAN; 6];
    axpy.call_into((2.0f32, &there, 1.0f32), &mut home)
        .expect("to the host");
    assert_eq!(home, expected);
    // In another dtype, in the shape of the caller's array, in place.
    let mut wide = Array::zeros(DType::F64, &[2, 6]).expect("memory");
    axpy.call_into((2.0f32, &there, 1.0f32), &mut wide)
        .expect("converted and repeated");
    let twice: Vec<f64> = expected
        .iter()
        .chain(&expected)
        .map(|x| f64::from(*x))
        .collect();
    assert_eq!(wide.as_slice::<f64>().expect("f64"), twice);
    let outputs = &mut [DeviceArray::zeros(DType::F64, &[6], &sim()).expect("memory")];
    axpy.call_into_device((2.0f32, &there, 1.0f32), outputs)
        .expect("to the device");
    assert_eq!(outputs[0].to_vec::<f64>().expect("home"), &twice[..6]);
    let outputs = &mut [there.clone()];
    axpy.call_into_device((2.0f32, InPlace(0), 1.0f32), outputs)
        .expect("in place");
    assert_eq!(there.to_vec::<f32>().expect("home"), expected);

    let narrow = &mut [DeviceArray::zeros(DType::I32, &[6], &sim()).expect("memory")];
    let error = axpy.call_into_device((2.0f32, &there, 1.0f32), narrow);
    let error = error.expect_err("floats are not whole").to_string();
    assert!(
        error.contains("cast") || error.contains("convert"),
        "{error}"
    );
    let short = &mut [DeviceArray::zeros(DType::F32, &[5], &sim()).expect("memory")];
    assert!(
        axpy.call_into_device((2.0f32, &there, 1.0f32), short)
            .is_err()
    );
    let repeated = there.clone().slice_axis(0, ..1, 1).expect("one");
    let repeated = &mut [repeated.broadcast_to(&[6]).expect("repeated")];
    let error = axpy.call_into_device((2.0f32, 1.0f32, 1.0f32), repeated);
    assert!(error.is_err(), "elements that share memory are no output");
}

#[test]
fn views_and_broadcasting_and_dtypes_on_the_device() {
    let _machine = install(Settings::default());
    let add = kernel("pub fn add<T: Num>(x: T, y: T) -> T { x + y }");
    let x: Vec<f32> = numbers(12);
    let host = View::new(&x, &[3, 4]).expect("a shape");
    let there = host.to_device(&sim()).expect("memory");
    let views: [fn(DeviceArray) -> DeviceArray; 5] = [
        DeviceArray::transpose,
        |a| a.flip(1).expect("an axis"),
        |a| a.slice_axis(1, 1..4, 2).expect("a range"),
        |a| {
            a.slice_axis(0, 1.., 1)
                .expect("a range")
                .insert_axis(1)
                .expect("an axis")
        },
        |a| a.permute(&[1, 0]).expect("axes").flip(0).expect("an axis"),
    ];
    let same: [fn(View<'_>) -> View<'_>; 5] = [
        |a| a.transpose(),
        |a| a.flip(1).expect("an axis"),
        |a| a.slice_axis(1, 1..4, 2).expect("a range"),
        |a| {
            a.slice_axis(0, 1.., 1)
                .expect("a range")
                .insert_axis(1)
                .expect("an axis")
        },
        |a| a.permute(&[1, 0]).expect("axes").flip(0).expect("an axis"),
    ];
    for (number, (view, same)) in views.into_iter().zip(same).enumerate() {
        let (view, same) = (view(there.clone()), same(host.clone()));
        assert_eq!(
            (view.shape(), view.strides()),
            (same.shape(), same.strides())
        );
        assert_eq!(
            view.to_host().expect("home"),
            same.to_array().expect("a copy"),
            "{number}"
        );
        let found = add.call_on_device((&view, 0.5f32)).expect("a sum");
        let expected = add.call((&same, 0.5f32)).expect("a sum");
        assert_eq!(found.to_host().expect("home"), expected, "{number}");
    }
    // A row on the device and a column on the host; an i16 that becomes an f32.
    let row = there.clone().slice_axis(0, ..1, 1).expect("a row");
    let column = [1i16, -2, 300];
    let column = View::from_slice(&column).column().expect("a column");
    let found = add.call((&row, &column)).expect("a table");
    let on_host = host.clone().slice_axis(0, ..1, 1).expect("a row");
    assert_eq!(found, add.call((&on_host, &column)).expect("a table"));
    let shorts = column.to_device(&sim()).expect("memory");
    let found = add.call((&row, &shorts)).expect("converted on the device");
    assert_eq!(found, add.call((&on_host, &column)).expect("a table"));
    let error = add.with(CallOptions {
        casting: Casting::No,
        ..CallOptions::default()
    });
    assert!(
        error.call((&row, &shorts)).is_err(),
        "casting rules hold on devices too"
    );
    // Overlap other than element by element: the input is copied first.
    let outputs = &mut [there.clone().flip(0).expect("an axis")];
    add.call_into_device((&there, 0.0f32), outputs)
        .expect("overlapping");
    let flipped = host
        .clone()
        .flip(0)
        .expect("an axis")
        .to_array()
        .expect("a copy");
    assert_eq!(there.to_host().expect("home"), flipped);
    let empty = DeviceArray::zeros(DType::F32, &[0, 3], &sim()).expect("memory");
    let found = add.call((&empty, 1.0f32)).expect("nothing");
    assert_eq!(found.shape(), [0, 3]);
    assert!(there.clone().reshape(&[5]).is_err());
    assert_eq!(there.reshape(&[12]).expect("a shape").shape(), [12]);
}

#[test]
fn small_calls_start_no_driver_and_large_ones_do() {
    let _machine = install(fast());
    let axpy = axpy();
    let x = numbers(2000);
    for _ in 0..50 {
        axpy.call((2.0f32, &x, &x)).expect("a small call");
    }
    let plan = axpy.plan((2.0f32, &x, &x)).expect("a plan");
    assert_eq!(plan.target, "cpu");
    assert_eq!(counts(), Counts::default(), "the driver was not even asked");
    assert!(!dispatch::started().contains(&"sim"));
    let (heavy, x) = heavy();
    let report = Report::default();
    let call = heavy.with(CallOptions {
        report: Some(&report),
        ..CallOptions::default()
    });
    let result = call.call(&x).expect("a large call");
    assert_eq!(report.get().expect("a report").target, "sim:0");
    assert_eq!(result, heavy.on(Target::CPU).call(&x).expect("the same"));
    assert_eq!(counts().starts, 1);
    assert!(dispatch::started().contains(&"sim"));
}

#[test]
fn a_driver_is_started_once_calls_add_up_to_what_that_takes() {
    let (heavy, x) = heavy();
    // About what one such call gains by the figures assumed of the processor.
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let gain = x.len() as f64 * 600.0 / (1.5e10 * threads);
    let _machine = install(Settings {
        figures: vec![(
            "0",
            Figures {
                start: 3.5 * gain,
                ..FAST
            },
        )],
        ..Settings::default()
    });
    let report = Report::default();
    let call = heavy.with(CallOptions {
        report: Some(&report),
        ..CallOptions::default()
    });
    let mut on_host = 0;
    for _ in 0..50 {
        call.call(&x).expect("a call");
        if report.get().expect("a report").target == "sim:0" {
            break;
        }
        on_host += 1;
    }
    assert!((2..=6).contains(&on_host), "{on_host} calls came before");
    assert_eq!(counts().starts, 1);
}

#[test]
fn auto_weighs_moving_against_computing() {
    // A device that computes at once but is slow to reach: not for this call.
    let slow_bus = Figures {
        upload: 1e6,
        ..FAST
    };
    let machine = install(Settings {
        figures: vec![("0", slow_bus), ("1", slow_bus)],
        ..Settings::default()
    });
    let (heavy, x) = heavy();
    let plan = heavy.plan(&x).expect("a plan");
    assert_eq!(plan.target, "cpu", "{plan}");
    assert!(plan.to_string().contains("not sim"), "{plan}");
    // The same data, there already, pulls the call to the device.
    let there = x.to_device(&sim()).expect("memory");
    assert_eq!(heavy.plan(&there).expect("a plan").target, "sim");
    drop((there, machine));
    // Of two devices the faster one is taken.
    let _machine = install(Settings {
        figures: vec![("0", Figures { ops: 1e12, ..FAST }), ("1", FAST)],
        ..Settings::default()
    });
    let plan = heavy.plan(&x).expect("a plan");
    assert_eq!(
        (plan.target.as_str(), plan.device.as_str()),
        ("sim", "1"),
        "{plan}"
    );
    let text = plan.to_string();
    assert!(text.contains("not sim:0: estimated at about"), "{text}");
    assert!(text.contains("not cpu:"), "{text}");
    assert!(
        text.contains("by figures measured on this machine"),
        "{text}"
    );
}

#[test]
fn loops_are_sampled_on_the_calls_own_inputs() {
    let _machine = install(Settings {
        figures: vec![(
            "0",
            Figures {
                start: 0.0,
                latency: 2e-3,
                ..FAST
            },
        )],
        ..Settings::default()
    });
    let text = "pub fn steps(n: u32) -> u32 {
        let mut i = 0u32;
        while i < n { i = i + 1u32; }
        i
    }";
    // As many elements either way; only their values tell that one call is long.
    let (few, many) = (vec![2u32; 40_000], vec![2_000u32; 40_000]);
    let plan = |n: &Vec<u32>| kernel(text).plan(n).expect("a plan");
    let (short, long) = (plan(&few), plan(&many));
    assert_eq!(
        (short.target.as_str(), long.target.as_str()),
        ("cpu", "sim")
    );
    assert!(short.ops_per_element < 20.0, "{short}");
    assert!(long.ops_per_element > 3000.0, "{long}");
}

#[test]
fn loose_rounding_is_taken_only_with_leave() {
    let _machine = install(Settings {
        figures: vec![
            ("approx", FAST),
            ("0", Figures { ops: 1.0, ..FAST }),
            ("1", Figures { ops: 1.0, ..FAST }),
        ],
        ..Settings::default()
    });
    let (heavy, x) = heavy();
    let plan = |allow_approx| {
        let call = heavy.with(CallOptions {
            allow_approx,
            ..CallOptions::default()
        });
        call.plan(&x).expect("a plan")
    };
    let strict = plan(false);
    assert_eq!(strict.target, "cpu", "{strict}");
    assert!(
        strict
            .to_string()
            .contains("not sim:approx: its results may differ"),
        "{strict}"
    );
    assert_eq!(plan(true).device, "approx");
    // Asked for by name it needs no leave.
    let approx: Target = "sim:approx".parse().expect("a word");
    assert!(heavy.on(approx).call(&x).is_ok());
}

#[test]
fn what_a_device_lacks_goes_elsewhere_unless_it_was_named() {
    let _machine = install(Settings {
        figures: vec![
            ("approx", FAST),
            (
                "0",
                Figures {
                    ops: 1.0,
                    wide: 1.0,
                    ..FAST
                },
            ),
            (
                "1",
                Figures {
                    ops: 1.0,
                    wide: 1.0,
                    ..FAST
                },
            ),
        ],
        ..Settings::default()
    });
    let text = "pub fn heavy(x: f64) -> f64 {
        let mut a = x;
        for _i in 0..200 { a = a * 0.9375 + x; }
        a
    }";
    let heavy = kernel(text);
    let x = Array::from((0..1 << 15).map(f64::from).collect::<Vec<f64>>());
    let report = Report::default();
    let call = heavy.with(CallOptions {
        allow_approx: true,
        report: Some(&report),
        ..CallOptions::default()
    });
    let run = || {
        call.call(&x).expect("somewhere");
        let measured = report.get().expect("a report");
        assert!(measured.target.starts_with("cpu:"), "{measured}");
        measured
    };
    let text = run().to_string();
    assert!(
        text.contains("f64") && text.contains("goes on on `cpu:"),
        "{text}"
    );
    assert!(run().notes.is_empty(), "it was said already");
    let plan = call.plan(&x).expect("a plan").to_string();
    assert!(
        plan.contains("not sim:approx: the target does not support"),
        "{plan}"
    );
    assert_eq!(counts().compilations, 0);
    let approx: Target = "sim:approx".parse().expect("a word");
    let error = heavy.on(approx).call(&x).expect_err("it has no f64");
    assert!(error.to_string().contains("f64"), "{error}");
    assert!(error.to_string().contains("`heavy`"), "{error}");
}

#[test]
fn a_lost_device_is_left_and_that_is_said_once() {
    let (heavy, x) = heavy();
    let expected = heavy.on(Target::CPU).call(&x).expect("the right result");
    let _machine = install(Settings {
        lose_at: Some(2),
        ..fast()
    });
    let report = Report::default();
    let call = heavy.with(CallOptions {
        report: Some(&report),
        ..CallOptions::default()
    });
    let there = x.to_device(&sim()).expect("memory");
    let run = || {
        let result = call.call(&x).expect("a result in any case");
        assert_eq!(result, expected);
        report.get().expect("a report")
    };
    assert_eq!(run().target, "sim:0");
    let second = run();
    assert!(!second.target.starts_with("sim:0"), "{second}");
    let text = second.to_string();
    assert!(
        text.contains("can no longer be used: an illegal address"),
        "{text}"
    );
    let losses = dispatch::losses();
    assert_eq!(losses.len(), 1);
    assert_eq!((losses[0].target, losses[0].device.as_str()), ("sim", "0"));
    let third = run();
    assert!(third.notes.is_empty(), "it was said already: {third}");
    assert!(!third.target.starts_with("sim:0"));
    assert_eq!(counts().starts, 2, "devices were looked for again, once");
    // Data that was there is gone, and a call that needs it says so.
    let error = heavy
        .call(&there)
        .expect_err("the data is lost")
        .to_string();
    assert!(error.contains("sim:0"), "{error}");
    // By name it is an error, also from now on.
    let error = heavy
        .on(sim())
        .call(&x)
        .expect_err("it is lost")
        .to_string();
    assert!(error.contains("`sim:0` is not available"), "{error}");
    assert_eq!(dispatch::losses().len(), 1);
}

#[test]
fn a_call_that_writes_where_it_reads_is_not_started_over() {
    let (heavy, x) = heavy();
    let _machine = install(Settings {
        lose_at: Some(1),
        ..fast()
    });
    let mut data = x.clone();
    let error = heavy.call_into(InPlace(0), &mut data);
    let error = error.expect_err("half of it may be overwritten");
    let is_lost = matches!(
        error,
        Error::Backend {
            error: BackendError::DeviceLost { .. },
            ..
        }
    );
    assert!(is_lost, "{error}");
}

#[test]
fn memory_that_is_full_is_an_error_for_residents_and_no_loss() {
    let machine = install(Settings {
        memory: 10_000,
        ..Settings::default()
    });
    let x = numbers(2000);
    let there = View::from_slice(&x).to_device(&sim()).expect("8 kB");
    let error = View::from_slice(&x)
        .to_device(&sim())
        .expect_err("too much");
    let error = error.to_string();
    assert!(
        error.contains("`sim:0`") && error.contains("8000 bytes"),
        "{error}"
    );
    // The result has no room: a call that wants it on the host anyway goes on there.
    let axpy = axpy();
    let report = Report::default();
    let call = axpy.with(CallOptions {
        report: Some(&report),
        ..CallOptions::default()
    });
    let sum = call
        .call((1.0f32, &there, &there))
        .expect("on the processor");
    assert_eq!(sum.as_slice::<f32>().expect("f32")[1], 2.0 * x[1]);
    let measured = report.get().expect("a report");
    assert!(measured.target.starts_with("cpu:"), "{measured}");
    assert!(
        measured.to_string().contains("bytes of memory left"),
        "{measured}"
    );
    assert!(call.call_on_device((1.0f32, &there, &there)).is_err());
    assert_eq!(dispatch::losses(), []);
    drop((there, machine));
    let _machine = install(Settings {
        fail_allocation: Some(2),
        ..Settings::default()
    });
    assert!(View::from_slice(&x).to_device(&sim()).is_ok());
    assert!(View::from_slice(&x).to_device(&sim()).is_err());
    assert!(View::from_slice(&x).to_device(&sim()).is_ok());
}

#[test]
fn names_pick_devices_and_missing_ones_are_errors() {
    let machine = install(Settings {
        start: Duration::from_millis(5),
        ..Settings::default()
    });
    let axpy = axpy();
    let x = numbers(10);
    let on = |target: &str| {
        let target: Target = target.parse().expect("a target");
        axpy.on(target)
            .plan((1.0f32, &x, &x))
            .map(|plan| format!("{}:{}", plan.target, plan.device))
    };
    assert_eq!(on("sim").expect("the first"), "sim:0");
    assert_eq!(on("sim:1").expect("by name"), "sim:1");
    assert_eq!(on("sim:loosely").expect("by a word of it"), "sim:approx");
    assert_eq!(on("sim:soft").expect("software, by name"), "sim:soft");
    let error = on("sim:7").expect_err("no such device").to_string();
    assert!(
        error.contains("its devices are: 0, 1, approx, soft"),
        "{error}"
    );
    assert!(
        on("sim:card")
            .expect_err("several")
            .to_string()
            .contains("several")
    );
    // The results of software stand in for a GPU only by name, also in arrays.
    let soft: Target = "sim:soft".parse().expect("a target");
    assert_eq!(
        View::from_slice(&x)
            .to_device(&soft)
            .expect("memory")
            .device(),
        "sim:soft"
    );
    drop(machine);
    let _machine = install(Settings {
        absent: Some("libsim.so.1 not found".to_string()),
        ..Settings::default()
    });
    let error = on("sim").expect_err("it is absent").to_string();
    assert!(error.contains("libsim.so.1 not found"), "{error}");
    assert_eq!(
        on("auto").map(|name| name.starts_with("cpu")).ok(),
        Some(true)
    );
    let info = dispatch::targets();
    let sim = info.iter().find(|info| info.name == "sim").expect("a row");
    assert!(sim.devices.is_err());
}

#[test]
fn operands_on_two_devices_meet_where_most_of_them_is() {
    let _machine = install(Settings::default());
    let add = kernel("pub fn add<T: Num>(x: T, y: T) -> T { x + y }");
    let table = Array::from_shape(&[20, 10], &numbers(200)).expect("a shape");
    let row = Array::from(numbers(10));
    let first = row.to_device(&sim()).expect("memory");
    let second = table
        .to_device(&"sim:1".parse().expect("a target"))
        .expect("memory");
    let sum = add.call_on_device((&first, &second)).expect("a sum");
    assert_eq!(sum.device(), "sim:1");
    assert_eq!(
        sum.to_host().expect("home"),
        add.call((&row, &table)).expect("a sum")
    );
    // A device is pinned by name too, and by where the results are to go.
    let sum = add
        .on(sim())
        .call_on_device((&first, &second))
        .expect("a sum");
    assert_eq!(sum.device(), "sim:0");
    let error = add.on(Target::CPU).call_on_device((&row, &table));
    assert!(
        error
            .expect_err("no memory of its own")
            .to_string()
            .contains("the host's")
    );
}
