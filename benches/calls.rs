//! What calls cost besides their elements: on one element by each way there is, and on 2^16 above the loop itself.
//!
//! `cargo bench --bench calls` prints nanoseconds. Rounds are short, and the fastest tenth of them counts, so that other
//! work on the machine disturbs little. Without `--bench`, as `cargo test` runs it, each way is gone once.

#![expect(clippy::print_stdout, reason = "says what it found")]
#![expect(unsafe_code, reason = "a raw loop is called on raw memory")]

use std::hint::black_box;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use ufc::{Array, CallOptions, DType, Module, RawLoop, Target, Ufunc, vectorize};

/// Few operations, as a call on one element has.
#[vectorize]
fn axpy(a: f32, x: f32, y: f32) -> f32 {
    a * x + y
}

/// So many operations that 2^16 elements are worth a look at other devices.
const POLYNOMIAL: &str = "pub fn poly(x: f32) -> f32 {
    ((((((0.1 * x + 0.2) * x + 0.3) * x + 0.4) * x + 0.5) * x + 0.6) * x + 0.7) * x + 0.8
}";

const LARGE: usize = 1 << 16;

/// A way to call the polynomial, and what it is called.
type Way<'w> = (&'w str, &'w mut dyn FnMut(&mut [f32]));

struct Bench {
    is_measured: bool,
}

impl Bench {
    /// Nanoseconds for one of so many calls a round.
    fn time(&self, calls: usize, mut call: impl FnMut()) -> f64 {
        if !self.is_measured {
            call();
            return 0.0;
        }
        let mut rounds: Vec<f64> = (0..1000)
            .map(|_| {
                let start = Instant::now();
                (0..calls).for_each(|_| call());
                start.elapsed().as_secs_f64() * 1e9 / calls as f64
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        rounds[rounds.len() / 10]
    }

    fn one(&self, what: &str, call: impl FnMut()) {
        println!("{what:48} {:8.1} ns", self.time(200, call));
    }
}

fn raw(raw: &RawLoop, operands: &[&[f32]], out: &mut [f32]) {
    let mut pointers = [null_mut::<u8>(); 4];
    for (pointer, operand) in pointers.iter_mut().zip(operands) {
        *pointer = operand.as_ptr().cast_mut().cast();
    }
    pointers[operands.len()] = out.as_mut_ptr().cast();
    let steps = [4isize; 4];
    // SAFETY: all operands have as many elements as the output.
    unsafe {
        raw.function()(
            black_box(pointers.as_ptr()),
            &(out.len() as isize),
            steps.as_ptr(),
            null_mut(),
        );
    }
}

fn one_element(bench: &Bench) -> Result<(), ufc::Error> {
    let (x, y) = (black_box([3.0f32]), black_box([1.0f32]));
    let mut out = [0.0f32];
    let ufunc: &Ufunc = axpy.ufunc()?;
    let run = |done: Result<(), ufc::Error>| done.expect("it runs");
    println!("axpy, n = 1");
    let direct = ufunc.on(Target::CPU).raw_loop(&[DType::F32; 3])?;
    bench.one("the loop itself", || raw(&direct, &[&x, &x, &y], &mut out));
    run(axpy.call_into((2.0, &x, &y), &mut out));
    bench.one("#[vectorize], call_into", || {
        run(axpy.call_into((2.0, &x, &y), &mut out));
    });
    let pinned = axpy.on(Target::CPU).threads(1);
    bench.one("#[vectorize], on(CPU).threads(1)", || {
        run(pinned.call_into((2.0, &x, &y), &mut out));
    });
    bench.one("Ufunc::call_into", || {
        run(ufunc.call_into((2.0f32, &x, &y), &mut out));
    });
    bench.one("Ufunc, on(CPU).threads(1)", || {
        let call = ufunc.on(Target::CPU).threads(1);
        run(call.call_into((2.0f32, &x, &y), &mut out));
    });
    let level = ufunc.plan((2.0f32, &x, &y))?.device;
    let level: Target = format!("cpu:{level}").parse()?;
    let pinned = ufunc.on(level);
    run(pinned.call_into((2.0f32, &x, &y), &mut out));
    bench.one("Ufunc, on a level of the processor", || {
        run(pinned.call_into((2.0f32, &x, &y), &mut out));
    });
    let (cancel, progress) = (AtomicBool::new(false), AtomicU64::new(0));
    let watched = ufunc.with(CallOptions {
        cancel: Some(&cancel),
        progress: Some(&progress),
        ..CallOptions::default()
    });
    bench.one("Ufunc, with cancel and progress", || {
        run(watched.call_into((2.0f32, &x, &y), &mut out));
    });
    bench.one("Ufunc::call, a new array", || {
        black_box(ufunc.call((2.0f32, &x, &y)).expect("it runs"));
    });
    let (row, column) = (Array::from([1.0f32, 2.0]), Array::from([1.0f32, 2.0]));
    let column = column.reshape(&[2, 1])?;
    let mut table = [0.0f32; 4];
    bench.one("Ufunc::call_into, a row and a column to a table", || {
        run(ufunc.call_into((2.0f32, &row, &column), &mut table));
    });
    Ok(())
}

fn many_elements(bench: &Bench) -> Result<(), ufc::Error> {
    let poly = Module::from_source("poly.ufk", POLYNOMIAL)?.only()?;
    let x: Vec<f32> = (0..LARGE).map(|i| i as f32 * 1e-5).collect();
    let mut out = vec![0.0f32; LARGE];
    println!("\npoly, n = 2^16");
    let direct = poly.on(Target::CPU).raw_loop(&[DType::F32])?;
    let ways: [Way<'_>; 3] = [
        ("the loop itself", &mut |out| raw(&direct, &[&x], out)),
        ("Ufunc, on(CPU).threads(1)", &mut |out| {
            let call = poly.on(Target::CPU).threads(1);
            call.call_into(&x, out).expect("it runs");
        }),
        ("Ufunc, auto, threads(1)", &mut |out| {
            let call = poly.with(CallOptions::default()).threads(1);
            call.call_into(&x, out).expect("it runs");
        }),
    ];
    let mut least = None;
    for (what, way) in ways {
        let time = bench.time(10, || way(&mut out));
        let loop_time = *least.get_or_insert(time);
        println!("{what:48} {time:8.1} ns, {:+.1}", time - loop_time);
    }
    Ok(())
}

fn main() -> Result<(), ufc::Error> {
    let bench = Bench {
        is_measured: std::env::args().any(|arg| arg == "--bench"),
    };
    one_element(&bench)?;
    many_elements(&bench)
}
