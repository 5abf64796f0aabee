// `f`
alias wide = vec2<u32>;

@group(0) @binding(0) var<uniform> args: array<vec4<u32>, 2>;
@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
@group(0) @binding(2) var<storage, read_write> b1: array<u32>;
@group(0) @binding(3) var<storage, read_write> b2: array<u32>;

struct Results {
    r0: u32,
}

fn element(x0_x: u32, x1_y: u32) -> Results {
    let v2 = x0_x;
    let v3 = x1_y;
    let v4 = v2 + v3;
    let v5 = v4 & 0xffu;
    return Results(v5);
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
    let in0 = (b0[a0 >> 2u] >> ((a0 & 3u) * 8u)) & 0xffu;
    let a1 = args[1].y + e;
    let in1 = (b1[a1 >> 2u] >> ((a1 & 3u) * 8u)) & 0xffu;
    let a2 = args[1].z + e;
    let result = element(in0, in1);
    packed2 = packed2 | (result.r0 << ((k & 3u) * 8u));
    if ((k & 3u) == 3u) {
        b2[(args[1].z + (first + k) * 1u) >> 2u] = packed2;
        packed2 = 0u;
    }
    }
}
