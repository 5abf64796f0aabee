// `f`
alias wide = vec2<u32>;

@group(0) @binding(0) var<uniform> args: array<vec4<u32>, 2>;
@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
@group(0) @binding(2) var<storage, read_write> b1: array<u32>;
@group(0) @binding(3) var<storage, read_write> status: atomic<u32>;

var<private> turns_left: u32;
var<private> failed: u32;

struct Results {
    r0: u32,
}

fn element(x0_n: u32) -> Results {
    var v3: u32 = 0u;
    var v4: u32 = 0u;
    var v8: u32;
    var t1: bool = false;
    loop {
        let v5 = v3 + 1u;
        let v6 = v4 + v5;
        let v7 = v5 < x0_n;
        let t2 = !v7;
        if (t2) {
            v8 = v6;
            t1 = true;
            break;
        }
        let t3 = turns_left == 0u;
        if (t3) {
            break;
        }
        turns_left = turns_left - 1u;
        v3 = v5;
        v4 = v6;
    }
    let t4 = !t1;
    if (t4) {
        failed = 1u;
    }
    return Results(v8);
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
    let result = element(in0);
    b1[a1 + 0u] = result.r0;
    if (failed != 0u) {
        atomicStore(&status, 1u);
    }
}
