//! What a device's float operations are worth, found out by running them when it is opened.

use crate::device::Gpu;
use crate::memory::{Lent, Use, read, write};
use crate::pipeline;
use ufc_target::BackendError;

/// Triples of bits for `fma`: products whose rounding differs from that of the sum, at every distance.
fn triples() -> Vec<[u64; 3]> {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut bits = move || {
        // Xorshift (Marsaglia 2003).
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    (0..256).map(|_| [bits(), bits(), bits()]).collect()
}

/// A number from random bits with an exponent near that of 1, so that sums and products meet.
fn near_one32(bits: u64, exponents: u32) -> f32 {
    let exponent = 127 - exponents / 2 + (bits >> 40) as u32 % exponents;
    let sign = (bits >> 63) as u32;
    f32::from_bits(sign << 31 | exponent << 23 | bits as u32 & 0x7f_ffff)
}

fn near_one64(bits: u64, exponents: u64) -> f64 {
    let exponent = 1023 - exponents / 2 + (bits >> 52) % exponents;
    f64::from_bits(bits & 1 << 63 | exponent << 52 | bits & 0xf_ffff_ffff_ffff)
}

/// Finds out what the device's `fma` does, and notes it in its capabilities.
///
/// # Errors
/// If the device does not run a small shader.
pub(crate) fn measure(gpu: &mut Gpu) -> Result<(), BackendError> {
    let cases: Vec<[f32; 3]> = triples()
        .into_iter()
        .map(|[a, b, c]| [near_one32(a, 4), near_one32(b, 4), near_one32(c, 40)])
        .collect();
    let words: Vec<u32> = cases.iter().flatten().map(|x| x.to_bits()).collect();
    let text = "\
@group(0) @binding(0) var<uniform> unused: vec4<u32>;
@group(0) @binding(1) var<storage, read_write> words: array<u32>;
@group(0) @binding(2) var<storage, read_write> results: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x * 3u;
    let a = bitcast<f32>(words[i]);
    let b = bitcast<f32>(words[i + 1u]);
    let c = bitcast<f32>(words[i + 2u]);
    results[id.x] = bitcast<u32>(fma(a, b, c)) | (unused.x & 0u);
}
";
    let found = run(gpu, text, &words, cases.len())?;
    let is_exact = |(found, [a, b, c]): (&u32, &[f32; 3])| *found == a.mul_add(*b, *c).to_bits();
    gpu.caps.exact_fma32 = found.iter().zip(&cases).all(is_exact);
    if gpu.caps.f64 {
        gpu.caps.exact_fma64 = exact_fma64(gpu)?;
    }
    Ok(())
}

fn exact_fma64(gpu: &Gpu) -> Result<bool, BackendError> {
    let cases: Vec<[f64; 3]> = triples()
        .into_iter()
        .map(|[a, b, c]| [near_one64(a, 4), near_one64(b, 4), near_one64(c, 90)])
        .collect();
    let bits = cases.iter().flatten().map(|x| x.to_bits());
    let words: Vec<u32> = bits.flat_map(|b| [b as u32, (b >> 32) as u32]).collect();
    let text = "\
@group(0) @binding(0) var<uniform> unused: vec4<u32>;
@group(0) @binding(1) var<storage, read_write> words: array<u32>;
@group(0) @binding(2) var<storage, read_write> results: array<u32>;

fn number(i: u32) -> f64 {
    return bitcast<f64>(u64(words[i]) | (u64(words[i + 1u]) << 32u));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x * 6u;
    let bits = bitcast<u64>(fma(number(i), number(i + 2u), number(i + 4u)));
    results[id.x * 2u] = u32(bits & 0xfffffffflu) | (unused.x & 0u);
    results[id.x * 2u + 1u] = u32(bits >> 32u);
}
";
    let found = run(gpu, text, &words, cases.len() * 2)?;
    let found = found
        .chunks(2)
        .map(|w| u64::from(w[0]) | u64::from(w[1]) << 32);
    Ok(found
        .zip(&cases)
        .all(|(found, [a, b, c])| found == a.mul_add(*b, *c).to_bits()))
}

/// Runs a shader of 256 invocations on words; gives so many words of results.
fn run(gpu: &Gpu, text: &str, words: &[u32], results: usize) -> Result<Vec<u32>, BackendError> {
    let pipeline = pipeline::build(gpu, text, 2, None)?;
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let make = |usage, size: usize| Lent::unpooled(gpu, usage, size as u64);
    let arguments = make(Use::Arguments, 16)?;
    let input = make(Use::Operand, bytes.len())?;
    let output = make(Use::Operand, results * 4)?;
    write(gpu, &input, 0, &bytes)?;
    gpu.checked(0, || {
        let buffers = [&arguments, &input, &output];
        let entries: Vec<wgpu::BindGroupEntry<'_>> = buffers
            .iter()
            .enumerate()
            .map(|(i, buffer)| wgpu::BindGroupEntry {
                binding: i as u32,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.group,
            entries: &entries,
        });
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline.raw);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(4, 1, 1);
        }
        gpu.queue.submit([encoder.finish()]);
    })?;
    let mut out = vec![0; results * 4];
    read(gpu, &output, 0, &mut out)?;
    Ok(out
        .chunks_exact(4)
        .map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]))
        .collect())
}
