// `f`
alias wide = u64;

@group(0) @binding(0) var<uniform> args: array<vec4<u32>, 4>;
@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
@group(0) @binding(2) var<storage, read_write> b1: array<u32>;

fn wide_add(a: wide, b: wide) -> wide {
    return a + b;
}

fn wide_high(x: wide) -> u32 {
    return u32(x >> 32u);
}

fn wide_low(x: wide) -> u32 {
    return u32(x & 0xfffffffflu);
}

fn wide_mul(a: wide, b: wide) -> wide {
    return a * b;
}

fn wide_of(low: u32, high: u32) -> wide {
    return u64(low) | (u64(high) << 32u);
}

struct Results {
    r0: wide,
}

fn element(x0_x: wide, index_flat: wide) -> Results {
    let v1 = index_flat;
    let v2 = wide_add(x0_x, v1);
    return Results(v2);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let invocation = id.y * args[0].y + id.x;
    if (invocation >= args[0].x) {
        return;
    }
    let e = invocation;
    let i0 = e;
    let a0 = args[1].y + e * 2u;
    let in0 = wide_of(b0[a0 + 0u], b0[a0 + 1u]);
    let a1 = args[1].w + e * 2u;
    let position0 = wide_add(wide_of(args[2].y, args[2].z), wide_mul(wide_of(i0, 0u), wide_of(args[2].w, args[3].x)));
    let result = element(in0, position0);
    b1[a1 + 0u] = wide_low(result.r0);
    b1[a1 + 1u] = wide_high(result.r0);
}
