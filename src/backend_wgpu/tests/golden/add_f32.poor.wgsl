// `f`
alias wide = vec2<u32>;

@group(0) @binding(0) var<uniform> args: array<vec4<u32>, 2>;
@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
@group(0) @binding(2) var<storage, read_write> b1: array<u32>;
@group(0) @binding(3) var<storage, read_write> b2: array<u32>;

fn hide_f32(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) + args[0].z);
}

struct Results {
    r0: f32,
}

fn element(x0_x: f32, x1_y: f32) -> Results {
    let t1 = hide_f32(x1_y);
    let t2 = x0_x + t1;
    let v2 = hide_f32(t2);
    return Results(v2);
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
    let in1 = bitcast<f32>(b1[a1 + 0u]);
    let a2 = args[1].z + e;
    let result = element(in0, in1);
    b2[a2 + 0u] = bitcast<u32>(result.r0);
}
