//! Host time of calls on a GPU: on one element that is there, and on many that are on the host, which are staged piece by piece.
//!
//! With a driver whose functions return at once, only ufc's own time is left, and the results are nonsense:
//!
//!     cargo build --release -p ufc-libcuda
//!     cp target/release/libufc_libcuda.so /tmp/null/libcuda.so
//!     LD_LIBRARY_PATH=/tmp/null UFC_FAKE_CUDA=null cargo bench --bench launch

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;
use ufc::{Array, Module, Target, Ufunc, dispatch, pipeline};
use ufc_target::{CompileOptions, DeviceArgs, DeviceOperand, LaunchControl};

const SAXPY: &str = "pub fn saxpy(a: f32, x: f32, y: f32) -> f32 { a * x + y }";

fn launch(c: &mut Criterion) {
    let Ok(choice) = dispatch::choose(&Target::CUDA) else {
        c.bench_function("launch/no CUDA device", |b| b.iter(|| ()));
        return;
    };
    let (backend, device) = (choice.backend, choice.device);
    let module = Module::from_source("saxpy.ufk", SAXPY).expect("a kernel");
    let legal = pipeline::legal(&module, "saxpy", &[], backend, None).expect("the kernel");
    let options = CompileOptions {
        device: Some(device.name.clone()),
        ..CompileOptions::default()
    };
    let code = backend.compile(&legal, &options).expect("the loop");
    let buffer = || DeviceOperand::Buffer {
        buffer: backend.allocate(&device.name, 4).expect("four bytes"),
        offset: 0,
    };
    let operands = [DeviceOperand::Value([0; 16]), buffer(), buffer(), buffer()];
    let args = DeviceArgs {
        shape: &[],
        operands: &operands,
        strides: &[&[], &[], &[], &[]],
        indices: &[],
    };
    let control = LaunchControl::default();
    c.bench_function("launch/back end", |b| {
        b.iter(|| code.launch_on_device(&args, &control).expect("a launch"));
    });
    let saxpy = module.ufunc("saxpy").expect("the kernel");
    let call = saxpy.on(Target::CUDA);
    let one = Array::from_slice(&[1.5f32]);
    let there = one.to_device(&Target::CUDA).expect("an array there");
    let mut outputs = [one.to_device(&Target::CUDA).expect("an array there")];
    c.bench_function("launch/call", |b| {
        b.iter(|| {
            let done = call.call_into_device((2.5f32, &there, &there), &mut outputs);
            done.expect("a call");
        });
    });
    stream(c, &saxpy);
}

/// Elements of a call on operands of the host: 96 MiB in all.
const MANY: usize = 8 << 20;

/// What is put together and taken apart in pinned memory, besides plain copies of as many bytes: by one thread and by two, and to
/// memory that nobody has used before, as a new array's is.
fn stream(c: &mut Criterion, saxpy: &Ufunc) {
    let x = Array::from_slice(&vec![0.5f32; MANY]);
    let mut out = x.clone();
    let mut group = c.benchmark_group("launch");
    group.throughput(Throughput::Bytes(12 * MANY as u64));
    let call = saxpy.on(Target::CUDA);
    group.bench_function("stream", |b| {
        b.iter(|| call.call_into((2.5f32, &x, &x), &mut out).expect("a call"));
    });
    let from = vec![1u8; 12 * MANY];
    let mut to = vec![2u8; 12 * MANY];
    group.bench_function("copy", |b| b.iter(|| to.copy_from_slice(&from)));
    group.bench_function("copy by two", |b| b.iter(|| copy_by_two(&mut to, &from)));
    let there = x.to_device(&Target::CUDA).expect("an array there");
    group.throughput(Throughput::Bytes(4 * MANY as u64));
    group.bench_function("to device", |b| {
        b.iter(|| x.to_device(&Target::CUDA).expect("an array there"));
    });
    group.bench_function("to host", |b| b.iter(|| there.to_host().expect("an array")));
    let from = &from[..4 * MANY];
    group.bench_function("copy to new memory", |b| b.iter(|| from.to_vec()));
    group.finish();
}

fn copy_by_two(to: &mut [u8], from: &[u8]) {
    let half = from.len() / 2;
    let (first, second) = to.split_at_mut(half);
    std::thread::scope(|scope| {
        scope.spawn(|| first.copy_from_slice(&from[..half]));
        second.copy_from_slice(&from[half..]);
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots();
    targets = launch
}
criterion_main!(benches);
