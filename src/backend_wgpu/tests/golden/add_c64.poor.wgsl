// `f`
alias wide = vec2<u32>;

@group(0) @binding(0) var<uniform> args: array<vec4<u32>, 2>;
@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
@group(0) @binding(2) var<storage, read_write> b1: array<u32>;
@group(0) @binding(3) var<storage, read_write> b2: array<u32>;

fn c64_of(re: u32, im: u32) -> vec2<f32> {
    return vec2<f32>(bitcast<f32>(re), bitcast<f32>(im));
}

fn hide_f32(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) + args[0].z);
}

struct Results {
    r0: vec2<f32>,
}

fn element(x0_x: vec2<f32>, x1_y: vec2<f32>) -> Results {
    let v1 = x0_x.x;
    let v2 = x0_x.y;
    let v4 = x1_y.x;
    let v5 = x1_y.y;
    let t1 = hide_f32(v4);
    let t2 = v1 + t1;
    let v6 = hide_f32(t2);
    let t3 = hide_f32(v5);
    let t4 = v2 + t3;
    let v7 = hide_f32(t4);
    let v8 = vec2<f32>(v6, v7);
    return Results(v8);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let invocation = id.y * args[0].y + id.x;
    if (invocation >= args[0].x) {
        return;
    }
    let e = invocation;
    let a0 = args[1].x + e * 2u;
    let in0 = c64_of(b0[a0 + 0u], b0[a0 + 1u]);
    let a1 = args[1].y + e * 2u;
    let in1 = c64_of(b1[a1 + 0u], b1[a1 + 1u]);
    let a2 = args[1].z + e * 2u;
    let result = element(in0, in1);
    b2[a2 + 0u] = bitcast<u32>(result.r0.x);
    b2[a2 + 1u] = bitcast<u32>(result.r0.y);
}
