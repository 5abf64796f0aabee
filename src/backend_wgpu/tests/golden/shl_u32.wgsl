// `f`
alias wide = u64;

@group(0) @binding(0) var<uniform> args: array<vec4<u32>, 2>;
@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
@group(0) @binding(2) var<storage, read_write> b1: array<u32>;
@group(0) @binding(3) var<storage, read_write> b2: array<u32>;

struct Results {
    r0: u32,
}

fn element(x0_x: u32, x1_y: u32) -> Results {
    let t1 = x1_y & 31u;
    let v2 = x0_x << t1;
    let v4 = v2 << 5u;
    return Results(v4);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let invocation = id.y * args[0].y + id.x;
    if (invocation >= args[0].x) {
        return;
    }
    let e = invocation;
    let a0 = args[1].x + e;
    let in0 = b0[a0 + 0u];
    let a1 = args[1].y + e;
    let in1 = b1[a1 + 0u];
    let a2 = args[1].z + e;
    let result = element(in0, in1);
    b2[a2 + 0u] = result.r0;
}
