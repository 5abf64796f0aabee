// Integers of 64 bits as (low, high), for devices that have none.

fn wide_of(low: u32, high: u32) -> wide {
    return vec2<u32>(low, high);
}

fn wide_low(x: wide) -> u32 {
    return x.x;
}

fn wide_high(x: wide) -> u32 {
    return x.y;
}

fn wide_add(a: wide, b: wide) -> wide {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + u32(low < b.x));
}

fn wide_sub(a: wide, b: wide) -> wide {
    return vec2<u32>(a.x - b.x, a.y - b.y - u32(a.x < b.x));
}

fn wide_neg(a: wide) -> wide {
    return vec2<u32>(0u - a.x, 0u - a.y - u32(a.x != 0u));
}

fn wide_mul(a: wide, b: wide) -> wide {
    let low = product_pair(a.x, b.x);
    return vec2<u32>(low.x, low.y + a.x * b.y + a.y * b.x);
}

// One bit of the quotient at a time, from the highest that can be set.
fn wide_div_u(a: wide, b: wide) -> wide {
    if ((b.x | b.y) == 0u) {
        return vec2<u32>(0u, 0u);
    }
    if ((a.y | b.y) == 0u) {
        return vec2<u32>(a.x / b.x, 0u);
    }
    let zeros = select(countLeadingZeros(a.y), 32u + countLeadingZeros(a.x), a.y == 0u);
    var rest = vec2<u32>(0u, 0u);
    var source = shift_left_pair(a, zeros & 63u);
    var quotient = vec2<u32>(0u, 0u);
    for (var bit = zeros; bit < 64u; bit = bit + 1u) {
        let carry = rest.y >> 31u;
        rest = vec2<u32>((rest.x << 1u) | (source.y >> 31u), (rest.y << 1u) | (rest.x >> 31u));
        source = vec2<u32>(source.x << 1u, (source.y << 1u) | (source.x >> 31u));
        let fits = (carry != 0u) | !wide_lt_u(rest, b);
        let less = wide_sub(rest, b);
        rest = vec2<u32>(select(rest.x, less.x, fits), select(rest.y, less.y, fits));
        quotient = vec2<u32>((quotient.x << 1u) | u32(fits), (quotient.y << 1u) | (quotient.x >> 31u));
    }
    return quotient;
}

fn wide_and(a: wide, b: wide) -> wide {
    return a & b;
}

fn wide_or(a: wide, b: wide) -> wide {
    return a | b;
}

fn wide_xor(a: wide, b: wide) -> wide {
    return a ^ b;
}

fn wide_not(a: wide) -> wide {
    return ~a;
}

fn wide_shl(a: wide, amount: u32) -> wide {
    return shift_left_pair(a, amount & 63u);
}

fn wide_shr_u(a: wide, amount: u32) -> wide {
    let is_far = (amount & 32u) != 0u;
    let s = amount & 31u;
    let low = select(a.x, a.y, is_far);
    let high = select(a.y, 0u, is_far);
    return vec2<u32>((low >> s) | ((high << 1u) << (31u - s)), high >> s);
}

fn wide_shr_s(a: wide, amount: u32) -> wide {
    let is_far = (amount & 32u) != 0u;
    let s = amount & 31u;
    let sign = bitcast<i32>(a.y) >> 31u;
    let low = select(a.x, a.y, is_far);
    let high = select(bitcast<i32>(a.y), sign, is_far);
    let above = bitcast<u32>(high);
    return vec2<u32>((low >> s) | ((above << 1u) << (31u - s)), bitcast<u32>(high >> s));
}

fn wide_eq(a: wide, b: wide) -> bool {
    return (a.x == b.x) & (a.y == b.y);
}

fn wide_lt_u(a: wide, b: wide) -> bool {
    return (a.y < b.y) | ((a.y == b.y) & (a.x < b.x));
}

fn wide_lt_s(a: wide, b: wide) -> bool {
    return (bitcast<i32>(a.y) < bitcast<i32>(b.y)) | ((a.y == b.y) & (a.x < b.x));
}
