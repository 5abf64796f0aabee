//! The Mandelbrot set of 2000 by 1500 points on a software device, beside a shader written by hand: the ratio of their times.
//!
//! `cargo bench -p ufc-backend-wgpu --bench mandelbrot`. Both times include uploads and downloads.
#![expect(
    unsafe_code,
    clippy::print_stdout,
    reason = "launches take raw addresses; a benchmark prints what it measured"
)]

use std::time::{Duration, Instant};
use ufc_backend_wgpu::WgpuBackend;
use ufc_ir::text;
use ufc_math::legalize::legalize;
use ufc_target::{Backend, CompileOptions, DeviceKind, LaunchArgs, LaunchControl};

const WIDTH: usize = 2000;
const HEIGHT: usize = 1500;
const TURNS: u32 = 255;
const ROUNDS: usize = 9;

/// Four points to an invocation, which makes a word of their bytes.
const BY_HAND: &str = "
@group(0) @binding(0) var<storage, read> re: array<f32>;
@group(0) @binding(1) var<storage, read> im: array<f32>;
@group(0) @binding(2) var<storage, read_write> steps: array<u32>;

fn point(cx: f32, cy: f32) -> u32 {
    var x = 0.0;
    var y = 0.0;
    for (var i = 0u; i < 255u; i++) {
        let next = x * x - y * y + cx;
        y = 2.0 * x * y + cy;
        x = next;
        if (x * x + y * y >= 4.0) {
            return i;
        }
    }
    return 255u;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= 500u) {
        return;
    }
    var word = 0u;
    for (var k = 0u; k < 4u; k++) {
        word |= point(re[id.x * 4u + k], im[id.y]) << (k * 8u);
    }
    steps[id.y * 500u + id.x] = word;
}
";

fn points(low: f32, high: f32, count: usize) -> Vec<f32> {
    let step = (high - low) / (count - 1) as f32;
    (0..count).map(|i| low + i as f32 * step).collect()
}

/// The least of several times, and what the last round gave.
fn least(mut run: impl FnMut() -> Vec<u8>) -> (Duration, Vec<u8>) {
    let mut best = Duration::MAX;
    let mut last = run();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        last = run();
        best = best.min(began.elapsed());
    }
    (best, last)
}

fn by_ufc(device: &str, re: &[f32], im: &[f32]) -> (Duration, Vec<u8>) {
    let func = text::parse(include_str!("mandelbrot.ufir")).expect("it parses");
    let legal = legalize(func, WgpuBackend.legality(Some(device))).expect("it is legal");
    let options = CompileOptions {
        device: Some(device.to_string()),
        ..CompileOptions::default()
    };
    let executable = WgpuBackend.compile(&legal, &options).expect("it compiles");
    let turns = [TURNS];
    least(|| {
        let mut out = vec![0u8; WIDTH * HEIGHT];
        let pointers = [
            re.as_ptr().cast_mut().cast(),
            im.as_ptr().cast_mut().cast(),
            turns.as_ptr().cast_mut().cast(),
            out.as_mut_ptr(),
        ];
        let args = LaunchArgs {
            shape: &[HEIGHT, WIDTH],
            pointers: &pointers,
            strides: &[&[0, 4], &[4, 0], &[0, 0], &[WIDTH as isize, 1]],
            indices: &[],
        };
        // SAFETY: the operands have as many elements as the strides reach; inputs are only read.
        let report = unsafe { executable.launch(&args, &LaunchControl::default()) };
        report.expect("it runs");
        out
    })
}

fn by_hand(name: &str, re: &[f32], im: &[f32]) -> (Duration, Vec<u8>) {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::VULKAN,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    let adapter = adapters.iter().find(|a| a.get_info().name == name);
    let adapter = adapter.expect("the device is there for Vulkan");
    let (device, queue) =
        pollster::block_on(adapter.request_device(&Default::default())).expect("it opens");
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(BY_HAND.into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    });
    let buffer = |size: usize, usage| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: size as u64,
            usage,
            mapped_at_creation: false,
        })
    };
    use wgpu::BufferUsages as Usage;
    let inputs = [re, im].map(|x| buffer(x.len() * 4, Usage::STORAGE | Usage::COPY_DST));
    let output = buffer(WIDTH * HEIGHT, Usage::STORAGE | Usage::COPY_SRC);
    let staging = buffer(WIDTH * HEIGHT, Usage::MAP_READ | Usage::COPY_DST);
    let buffers = [&inputs[0], &inputs[1], &output];
    let entries: Vec<_> = (0..3)
        .map(|i| wgpu::BindGroupEntry {
            binding: i as u32,
            resource: buffers[i].as_entire_binding(),
        })
        .collect();
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });
    let bytes = |x: &[f32]| x.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    least(|| {
        queue.write_buffer(&inputs[0], 0, &bytes(re));
        queue.write_buffer(&inputs[1], 0, &bytes(im));
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(500u32.div_ceil(64), HEIGHT as u32, 1);
        }
        encoder.copy_buffer_to_buffer(&output, 0, &staging, 0, (WIDTH * HEIGHT) as u64);
        queue.submit([encoder.finish()]);
        staging
            .slice(..)
            .map_async(wgpu::MapMode::Read, |r| r.expect("it maps"));
        device
            .poll(wgpu::PollType::wait_indefinitely())
            .expect("it ends");
        let out = staging
            .slice(..)
            .get_mapped_range()
            .expect("mapped")
            .to_vec();
        staging.unmap();
        out
    })
}

fn main() {
    let devices = WgpuBackend.devices().unwrap_or_default();
    let is_there = |d: &&ufc_target::Device| {
        d.kind == DeviceKind::Software && d.notes.iter().any(|n| n.contains("Vulkan"))
    };
    let Some(device) = devices.iter().find(is_there) else {
        println!("no software device for Vulkan");
        return;
    };
    let (re, im) = (points(-2.0, 1.0, WIDTH), points(-1.0, 1.0, HEIGHT));
    let (ours, found) = by_ufc(&device.name, &re, &im);
    let (theirs, by_hand) = by_hand(&device.description, &re, &im);
    let differ = found.iter().zip(&by_hand).filter(|(a, b)| a != b).count();
    println!("ufc {ours:?}, by hand {theirs:?}");
    println!("ratio {:.3}", ours.as_secs_f64() / theirs.as_secs_f64());
    println!("points that differ: {differ}");
}
