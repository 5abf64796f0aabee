// `f`
alias wide = u64;

@group(0) @binding(0) var<uniform> args: array<vec4<u32>, 2>;
@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
@group(0) @binding(2) var<storage, read_write> b1: array<u32>;
@group(0) @binding(3) var<storage, read_write> b2: array<u32>;
@group(0) @binding(4) var<storage, read_write> b3: array<u32>;
@group(0) @binding(5) var<storage, read_write> status: atomic<u32>;

var<private> turns_left: u32;
var<private> failed: u32;

struct Results {
    r0: f32,
}

fn element(x0_n: u32, x1_x: f32, x2_y: f32) -> Results {
    var v5: u32 = 0u;
    var v6: f32 = x1_x;
    var v7: f32 = x2_y;
    var v10: f32;
    var t1: bool = false;
    loop {
        let v8 = v5 + 1u;
        let v9 = v8 < x0_n;
        let t2 = !v9;
        if (t2) {
            v10 = v6;
            t1 = true;
            break;
        }
        let t3 = turns_left == 0u;
        if (t3) {
            break;
        }
        turns_left = turns_left - 1u;
        let t4 = v7;
        let t5 = v6;
        v5 = v8;
        v6 = t4;
        v7 = t5;
    }
    let t6 = !t1;
    if (t6) {
        failed = 1u;
    }
    return Results(v10);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let invocation = id.y * args[0].y + id.x;
    if (invocation >= args[0].x) {
        return;
    }
    turns_left = args[0].w;
    let e = invocation;
    let a0 = args[1].x + e;
    let in0 = b0[a0 + 0u];
    let a1 = args[1].y + e;
    let in1 = bitcast<f32>(b1[a1 + 0u]);
    let a2 = args[1].z + e;
    let in2 = bitcast<f32>(b2[a2 + 0u]);
    let a3 = args[1].w + e;
    let result = element(in0, in1, in2);
    b3[a3 + 0u] = bitcast<u32>(result.r0);
    if (failed != 0u) {
        atomicStore(&status, 1u);
    }
}
