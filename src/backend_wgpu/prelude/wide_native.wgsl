// Integers of 64 bits as the device has them.

fn wide_of(low: u32, high: u32) -> wide {
    return u64(low) | (u64(high) << 32u);
}

fn wide_low(x: wide) -> u32 {
    return u32(x & 0xfffffffflu);
}

fn wide_high(x: wide) -> u32 {
    return u32(x >> 32u);
}

fn wide_add(a: wide, b: wide) -> wide {
    return a + b;
}

fn wide_sub(a: wide, b: wide) -> wide {
    return a - b;
}

fn wide_neg(a: wide) -> wide {
    return 0lu - a;
}

fn wide_mul(a: wide, b: wide) -> wide {
    return a * b;
}

fn wide_div_u(a: wide, b: wide) -> wide {
    return select(a / max(b, 1lu), 0lu, b == 0lu);
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
    return a << (amount & 63u);
}

fn wide_shr_u(a: wide, amount: u32) -> wide {
    return a >> (amount & 63u);
}

fn wide_shr_s(a: wide, amount: u32) -> wide {
    return bitcast<u64>(bitcast<i64>(a) >> (amount & 63u));
}

fn wide_eq(a: wide, b: wide) -> bool {
    return a == b;
}

fn wide_lt_u(a: wide, b: wide) -> bool {
    return a < b;
}

fn wide_lt_s(a: wide, b: wide) -> bool {
    return bitcast<i64>(a) < bitcast<i64>(b);
}
