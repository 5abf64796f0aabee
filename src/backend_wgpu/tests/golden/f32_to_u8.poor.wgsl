// `f`
alias wide = vec2<u32>;

@group(0) @binding(0) var<uniform> args: array<vec4<u32>, 2>;
@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
@group(0) @binding(2) var<storage, read_write> b1: array<u32>;

fn is_nan_f32(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn u32_of_f32(x: f32) -> u32 {
    let inside = (x >= 0f) & (x < 4294967296f);
    let whole = u32(select(0f, x, inside));
    return select(select(select(0u, 0xffffffffu, x > 0f), whole, inside), 0u, is_nan_f32(x));
}

struct Results {
    r0: u32,
}

fn element(x0_x: f32) -> Results {
    let t1 = u32_of_f32(x0_x);
    let v1 = clamp(t1, 0u, 255u);
    return Results(v1);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let invocation = id.y * args[0].y + id.x;
    let first = invocation * 4u;
    if (first >= args[0].x) {
        return;
    }
    var packed1 = 0u;
    for (var k = 0u; k < 4u; k = k + 1u) {
    let e = min(first + k, args[0].x - 1u);
    let a0 = args[1].x + e;
    let in0 = bitcast<f32>(b0[a0 + 0u]);
    let a1 = args[1].y + e;
    let result = element(in0);
    packed1 = packed1 | (result.r0 << ((k & 3u) * 8u));
    if ((k & 3u) == 3u) {
        b1[(args[1].y + (first + k) * 1u) >> 2u] = packed1;
        packed1 = 0u;
    }
    }
}
