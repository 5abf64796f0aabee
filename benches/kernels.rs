//! Kernels against the same functions as scalar Rust loops, both on one thread.
//!
//! For the baseline that the documents quote, let rustc use the whole processor, as the kernels do:
//! `RUSTFLAGS="-C target-cpu=native" cargo bench --bench kernels`. The scalar loops call functions that are not inlined,
//! so that rustc does not vectorize them: the point is what the kernel's author would otherwise write and call.

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use ufc::{Module, Target, Ufunc, View};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels/examples");

/// Elements of the one-dimensional workloads.
const ELEMENTS: usize = 1 << 16;

fn example(name: &str) -> Ufunc {
    let module = Module::from_file(format!("{EXAMPLES}/{name}.ufk")).expect("an example");
    module.ufunc(name).expect("the example's kernel")
}

fn kernel(text: &str) -> Ufunc {
    let module = Module::from_source("bench.ufk", text).expect("a kernel");
    module.only().expect("one kernel")
}

fn linspace(from: f64, to: f64, count: usize) -> impl Iterator<Item = f64> {
    let step = (to - from) / (count - 1) as f64;
    (0..count).map(move |i| from + step * i as f64)
}

/// Numbers spread evenly over a range, in an order with no pattern (a linear congruential generator).
fn random(from: f64, to: f64, count: usize) -> Vec<f32> {
    let mut state = 12345u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..count)
        .map(|_| (from + (to - from) * next()) as f32)
        .collect()
}

fn group<'c>(c: &'c mut Criterion, name: &str, elements: usize) -> BenchmarkGroup<'c, WallTime> {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(elements as u64));
    group.sample_size(20);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    group
}

#[inline(never)]
fn mandelbrot_scalar(re: f32, im: f32, iters: u32) -> u8 {
    let (mut x, mut y, mut xx, mut yy) = (0f32, 0f32, 0f32, 0f32);
    for i in 0..iters {
        y = (x + x) * y + im;
        x = xx - yy + re;
        xx = x * x;
        yy = y * y;
        if xx + yy >= 4.0 {
            return i as u8;
        }
    }
    255
}

fn mandelbrot(c: &mut Criterion) {
    let (width, height) = (1000, 750);
    let re: Vec<f32> = linspace(-2.0, 1.0, width).map(|x| x as f32).collect();
    let im: Vec<f32> = linspace(-1.0, 1.0, height).map(|x| x as f32).collect();
    let mut out = vec![0u8; width * height];
    let mut group = group(c, "mandelbrot", out.len());
    group.bench_function("scalar", |b| {
        b.iter(|| {
            for (row, im) in out.chunks_mut(width).zip(&im) {
                for (out, re) in row.iter_mut().zip(&re) {
                    *out = mandelbrot_scalar(*re, *im, black_box(255));
                }
            }
        });
    });
    let ufunc = example("mandelbrot");
    for threads in [1, 2] {
        let call = ufunc.on(Target::CPU).threads(threads);
        group.bench_function(format!("ufc, {threads} threads"), |b| {
            b.iter(|| {
                let im = View::from_slice(&im).column().expect("a column");
                let out = ufc::ViewMut::from_slice(&mut out);
                let out = out.reshape(&[height, width]).expect("the image's shape");
                call.call_into((&re, im, 255u32), out).expect("runs");
            });
        });
    }
}

#[inline(never)]
fn julia_scalar(re: f64, im: f64, c_re: f64, c_im: f64, iters: u32) -> u8 {
    let (mut x, mut y) = (re, im);
    let (mut xx, mut yy) = (x * x, y * y);
    for i in 0..iters {
        y = (x + x) * y + c_im;
        x = xx - yy + c_re;
        xx = x * x;
        yy = y * y;
        if xx + yy >= 4.0 {
            return i as u8;
        }
    }
    255
}

fn julia(c: &mut Criterion) {
    let (width, height) = (1000, 750);
    let re: Vec<f64> = linspace(-1.6, 1.6, width).collect();
    let im: Vec<f64> = linspace(-1.2, 1.2, height).collect();
    let mut out = vec![0u8; width * height];
    let mut group = group(c, "julia", out.len());
    group.bench_function("scalar", |b| {
        b.iter(|| {
            for (row, im) in out.chunks_mut(width).zip(&im) {
                for (out, re) in row.iter_mut().zip(&re) {
                    *out = julia_scalar(*re, *im, -0.8, 0.156, black_box(255));
                }
            }
        });
    });
    let ufunc = example("julia");
    let call = ufunc.on(Target::CPU).threads(1);
    group.bench_function("ufc", |b| {
        b.iter(|| {
            let im = View::from_slice(&im).column().expect("a column");
            let out = ufc::ViewMut::from_slice(&mut out);
            let out = out.reshape(&[height, width]).expect("the image's shape");
            call.call_into((&re, im, -0.8f64, 0.156f64, 255u32), out)
                .expect("runs");
        });
    });
}

#[inline(never)]
fn collatz_scalar(start: u32) -> u32 {
    let mut n = start;
    let mut steps = 0;
    while n > 1 && steps < 1000 {
        n = if n & 1 == 0 {
            n >> 1
        } else {
            n.wrapping_mul(3).wrapping_add(1)
        };
        steps += 1;
    }
    steps
}

fn collatz(c: &mut Criterion) {
    let start: Vec<u32> = (0..1 << 18).collect();
    let mut out = vec![0u32; start.len()];
    let mut group = group(c, "collatz", start.len());
    group.bench_function("scalar", |b| {
        b.iter(|| {
            for (out, start) in out.iter_mut().zip(&start) {
                *out = collatz_scalar(*start);
            }
        });
    });
    let ufunc = example("collatz");
    let call = ufunc.on(Target::CPU).threads(1);
    group.bench_function("ufc", |b| {
        b.iter(|| call.call_into(&start, &mut out).expect("runs"));
    });
}

/// A function of one f32, by the platform's math library and as a kernel.
fn unary(c: &mut Criterion, name: &str, inputs: &[f32], scalar: fn(f32) -> f32) {
    let mut out = vec![0f32; inputs.len()];
    let mut group = group(c, name, inputs.len());
    group.bench_function("scalar", |b| {
        b.iter(|| {
            for (out, x) in out.iter_mut().zip(inputs) {
                *out = scalar(black_box(*x));
            }
        });
    });
    let ufunc = kernel(&format!("pub fn f(x: f32) -> f32 {{ x.{name}() }}"));
    let call = ufunc.on(Target::CPU).threads(1);
    group.bench_function("ufc", |b| {
        b.iter(|| call.call_into(inputs, &mut out).expect("runs"));
    });
}

fn math(c: &mut Criterion) {
    unary(c, "exp", &random(-80.0, 80.0, ELEMENTS), f32::exp);
    unary(c, "sin", &random(-1e5, 1e5, ELEMENTS), f32::sin);
}

fn normal_cdf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let poly = ((((1.330_274_5 * t - 1.821_256) * t + 1.781_477_9) * t - 0.356_563_78) * t
        + 0.319_381_53)
        * t;
    let tail = 0.398_942_3 * (-0.5 * x * x).exp() * poly;
    if x > 0.0 { 1.0 - tail } else { tail }
}

#[inline(never)]
fn black_scholes_scalar(spot: f32, strike: f32, years: f32) -> (f32, f32) {
    const RATE: f32 = 0.02;
    const VOLATILITY: f32 = 0.3;
    let spread = VOLATILITY * years.sqrt();
    let drift = (RATE + 0.5 * VOLATILITY * VOLATILITY) * years;
    let d1 = ((spot / strike).ln() + drift) / spread;
    let discounted = strike * (-RATE * years).exp();
    let (cdf1, cdf2) = (normal_cdf(d1), normal_cdf(d1 - spread));
    let call = spot * cdf1 - discounted * cdf2;
    let put = discounted * (1.0 - cdf2) - spot * (1.0 - cdf1);
    (call, put)
}

fn black_scholes(c: &mut Criterion) {
    let spot = random(5.0, 30.0, ELEMENTS);
    let strike = random(1.0, 100.0, ELEMENTS);
    let years = random(0.25, 10.0, ELEMENTS);
    let (mut call, mut put) = (vec![0f32; ELEMENTS], vec![0f32; ELEMENTS]);
    let mut group = group(c, "black_scholes", ELEMENTS);
    group.bench_function("scalar", |b| {
        b.iter(|| {
            for i in 0..ELEMENTS {
                (call[i], put[i]) = black_scholes_scalar(spot[i], strike[i], years[i]);
            }
        });
    });
    let ufunc = example("black_scholes");
    let bound = ufunc.on(Target::CPU).threads(1);
    group.bench_function("ufc", |b| {
        b.iter(|| {
            let outputs = (&mut call, &mut put);
            bound
                .call_into((&spot, &strike, &years), outputs)
                .expect("runs");
        });
    });
}

/// Bound by memory: there rustc may vectorize.
fn saxpy(c: &mut Criterion) {
    let elements = 1 << 24;
    let x = random(-1.0, 1.0, elements);
    let y = random(-1.0, 1.0, elements);
    let mut out = vec![0f32; elements];
    let mut group = group(c, "saxpy", elements);
    group.bench_function("scalar", |b| {
        b.iter(|| {
            let a = black_box(2.5f32);
            for ((out, x), y) in out.iter_mut().zip(&x).zip(&y) {
                *out = a * x + y;
            }
            black_box(&mut out);
        });
    });
    let ufunc = example("saxpy");
    let call = ufunc.on(Target::CPU).threads(1);
    group.bench_function("ufc", |b| {
        b.iter(|| call.call_into((2.5f32, &x, &y), &mut out).expect("runs"));
    });
}

/// What a call costs beside its elements, and what compiling a kernel takes.
fn overhead(c: &mut Criterion) {
    let ufunc = example("saxpy");
    let call = ufunc.on(Target::CPU);
    let (x, y, mut out) = ([1.0f32], [2.0f32], [0.0f32]);
    call.call_into((2.5f32, &x, &y), &mut out).expect("runs");
    let mut small = group(c, "call", 1);
    small.bench_function("one element", |b| {
        b.iter(|| call.call_into((2.5f32, &x, &y), &mut out).expect("runs"));
    });
    small.finish();
    let text = std::fs::read_to_string(format!("{EXAMPLES}/mandelbrot.ufk")).expect("the example");
    let mut compile = group(c, "compile", 1);
    compile.bench_function("mandelbrot, text to callable", |b| {
        b.iter(|| {
            let ufunc = kernel(&text);
            let inputs = ([0f32], [0f32], 255u32);
            let call = ufunc.on(Target::CPU);
            call.prepare((&inputs.0, &inputs.1, inputs.2))
                .expect("compiles");
        });
    });
}

criterion_group!(
    benches,
    mandelbrot,
    julia,
    collatz,
    math,
    black_scholes,
    saxpy,
    overhead
);
criterion_main!(benches);
