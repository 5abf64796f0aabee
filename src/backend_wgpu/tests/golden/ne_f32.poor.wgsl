// `f`
alias wide = vec2<u32>;

@group(0) @binding(0) var<uniform> args: array<vec4<u32>, 2>;
@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
@group(0) @binding(2) var<storage, read_write> b1: array<u32>;
@group(0) @binding(3) var<storage, read_write> b2: array<u32>;

fn eq_f32(a: f32, b: f32) -> bool {
    return is_ordered_f32(a, b) & (order_of_f32(a) == order_of_f32(b));
}

fn is_ordered_f32(a: f32, b: f32) -> bool {
    return max(bitcast<u32>(a) & 0x7fffffffu, bitcast<u32>(b) & 0x7fffffffu) <= 0x7f800000u;
}

fn order_of_f32(x: f32) -> i32 {
    let bits = bitcast<u32>(x);
    let size = bitcast<i32>(bits & 0x7fffffffu);
    return select(size, 0i - size, bits >= 0x80000000u);
}

struct Results {
    r0: bool,
}

fn element(x0_x: f32, x1_y: f32) -> Results {
    let t1 = eq_f32(x0_x, x1_y);
    let v2 = !t1;
    return Results(v2);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let invocation = id.y * args[0].y + id.x;
    let first = invocation * 4u;
    if (first >= args[0].x) {
        return;
    }
    var packed2 = 0u;
    for (var k = 0u; k < 4u; k = k + 1u) {
    let e = min(first + k, args[0].x - 1u);
    let a0 = args[1].x + e;
    let in0 = bitcast<f32>(b0[a0 + 0u]);
    let a1 = args[1].y + e;
    let in1 = bitcast<f32>(b1[a1 + 0u]);
    let a2 = args[1].z + e;
    let result = element(in0, in1);
    packed2 = packed2 | (select(0u, 1u, result.r0) << ((k & 3u) * 8u));
    if ((k & 3u) == 3u) {
        b2[(args[1].z + (first + k) * 1u) >> 2u] = packed2;
        packed2 = 0u;
    }
    }
}
