// `f`
alias wide = u64;

@group(0) @binding(0) var<uniform> args: array<vec4<u32>, 3>;
@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
@group(0) @binding(2) var<storage, read_write> b1: array<u32>;
@group(0) @binding(3) var<storage, read_write> b2: array<u32>;
@group(0) @binding(4) var<storage, read_write> b3: array<u32>;
@group(0) @binding(5) var<storage, read_write> b4: array<u32>;

fn f32_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}

fn f64_of(low: u32, high: u32) -> f64 {
    return bitcast<f64>(u64(low) | (u64(high) << 32u));
}

fn f64_words(x: f64) -> vec2<u32> {
    let bits = bitcast<u64>(x);
    return vec2<u32>(u32(bits & 0xfffffffflu), u32(bits >> 32u));
}

fn hide_f32(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) + args[0].z);
}

fn is_nan_f32(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn max_f32(a: f32, b: f32) -> f32 {
    let more = select(b, a, a > b);
    let both = select(more, bitcast<f32>(bitcast<u32>(a) & bitcast<u32>(b)), a == b);
    let first = select(both, a, is_nan_f32(b));
    return select(first, b, is_nan_f32(a));
}

fn min_f32(a: f32, b: f32) -> f32 {
    let less = select(b, a, a < b);
    let both = select(less, bitcast<f32>(bitcast<u32>(a) | bitcast<u32>(b)), a == b);
    let first = select(both, a, is_nan_f32(b));
    return select(first, b, is_nan_f32(a));
}

fn minimum_f32(a: f32, b: f32) -> f32 {
    let less = select(b, a, a < b);
    let both = select(less, bitcast<f32>(bitcast<u32>(a) | bitcast<u32>(b)), a == b);
    let first = select(both, b, is_nan_f32(b));
    return select(first, a, is_nan_f32(a));
}

struct Results {
    r0: f32,
    r1: i32,
    r2: f64,
}

fn element(x0_x: f32, x1_n: i32) -> Results {
    let v2 = f32_bits(0x7f7fffffu);
    let v3 = f32_bits(0x7f800000u);
    let v4 = f32_bits(0x7fc00000u);
    let v5 = f32_bits(0x80000000u);
    let v6 = f32_bits(0x800000u);
    let v10 = f64_of(0xffffffffu, 0x7fefffffu);
    let v11 = min_f32(x0_x, v2);
    let v12 = max_f32(v11, v3);
    let v13 = minimum_f32(v12, v4);
    let t1 = hide_f32(v5);
    let v14 = v13 + t1;
    let v15 = v14 * v6;
    let v16 = v15 * (-1.5f);
    let v17 = x1_n ^ i32(-2147483648);
    let v18 = v17 + (-7i);
    return Results(v16, v18, v10);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let invocation = id.y * args[0].y + id.x;
    if (invocation >= args[0].x) {
        return;
    }
    let e = invocation;
    let a0 = args[1].x + e;
    let in0 = bitcast<f32>(b0[a0 + 0u]);
    let a1 = args[1].y + e;
    let in1 = bitcast<i32>(b1[a1 + 0u]);
    let a2 = args[1].z + e;
    let a3 = args[1].w + e;
    let a4 = args[2].x + e * 2u;
    let result = element(in0, in1);
    b2[a2 + 0u] = bitcast<u32>(result.r0);
    b3[a3 + 0u] = bitcast<u32>(result.r1);
    b4[a4 + 0u] = f64_words(result.r2).x;
    b4[a4 + 1u] = f64_words(result.r2).y;
}
