// `f`
alias wide = vec2<u32>;

@group(0) @binding(0) var<uniform> args: array<vec4<u32>, 4>;
@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
@group(0) @binding(2) var<storage, read_write> b1: array<u32>;

fn product_pair(a: u32, b: u32) -> vec2<u32> {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let low = al * bl;
    let m1 = ah * bl + (low >> 16u);
    let m2 = al * bh + (m1 & 0xffffu);
    return vec2<u32>((m2 << 16u) | (low & 0xffffu), ah * bh + (m1 >> 16u) + (m2 >> 16u));
}

fn wide_add(a: wide, b: wide) -> wide {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + u32(low < b.x));
}

fn wide_high(x: wide) -> u32 {
    return x.y;
}

fn wide_low(x: wide) -> u32 {
    return x.x;
}

fn wide_mul(a: wide, b: wide) -> wide {
    let low = product_pair(a.x, b.x);
    return vec2<u32>(low.x, low.y + a.x * b.y + a.y * b.x);
}

fn wide_of(low: u32, high: u32) -> wide {
    return vec2<u32>(low, high);
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
