//! From a kernel's text to a loop that can be called, and a long function's stages, with each code generator.
//!
//!     cargo bench --bench compile

use criterion::{Criterion, criterion_group, criterion_main};
use std::fmt::Write as _;
use std::time::Duration;
use ufc::{Module, Target, dispatch, pipeline};
use ufc_ir::DType;
use ufc_target::CompileOptions;

const MANDELBROT: &str = include_str!("../kernels/examples/mandelbrot.ufk");

/// Operations of the long function.
const LENGTH: usize = 2000;

/// A function of so many sums, products and choices, each of results that came shortly before.
fn long() -> String {
    let mut text =
        String::from("pub fn long(x: f32, y: f32) -> f32 {\n    let v0 = x;\n    let v1 = y;\n");
    for i in 2..LENGTH {
        let (a, b) = (i - 1, i - 2 - (i * 7) % 10.min(i - 1));
        let _ = match i % 4 {
            0 => writeln!(text, "    let v{i} = v{a} + v{b};"),
            1 => writeln!(text, "    let v{i} = v{a} * v{b};"),
            2 => writeln!(text, "    let v{i} = v{a} - x;"),
            _ => writeln!(text, "    let v{i} = v{a}.minimum(v{b});"),
        };
    }
    let _ = writeln!(text, "    v{}\n}}", LENGTH - 1);
    text
}

fn compile(c: &mut Criterion) {
    let choice = dispatch::choose(&Target::CPU).expect("a processor");
    let backend = choice.backend;
    let devices = backend.devices().expect("the processor's levels");
    let long = Module::from_source("long.ufk", &long()).expect("a kernel");
    let legal = pipeline::legal(&long, "long", &[], choice.backend, None);
    let legal = legal.expect("the long kernel");
    let mut group = c.benchmark_group("compile");
    group.sample_size(10);
    group.measurement_time(Duration::from_secs(1));
    group.warm_up_time(Duration::from_millis(200));
    for device in devices {
        let options = CompileOptions {
            device: Some(device.name.clone()),
            ..CompileOptions::default()
        };
        group.bench_function(format!("mandelbrot, text to loop, {}", device.name), |b| {
            b.iter(|| {
                let module = Module::from_source("mandelbrot.ufk", MANDELBROT).expect("a kernel");
                let types: [DType; 0] = [];
                pipeline::compile(&module, "mandelbrot", &types, backend, &options)
                    .expect("mandelbrot")
            });
        });
        group.bench_function(
            format!("{LENGTH} operations, legal to loop, {}", device.name),
            |b| {
                b.iter(|| backend.compile(&legal, &options).expect("the long kernel"));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, compile);
criterion_main!(benches);
