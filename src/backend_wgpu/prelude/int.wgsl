// Division that is defined everywhere: by zero it gives 0, the least number by -1 gives the least number.
// The remainder is taken from the quotient: some GL drivers give it the wrong sign.

fn div_i32(a: i32, b: i32) -> i32 {
    let overflows = (a == i32(-2147483648)) & (b == -1i);
    let divisor = select(b, 1i, (b == 0i) | overflows);
    return select(a / divisor, 0i, b == 0i);
}

fn rem_i32(a: i32, b: i32) -> i32 {
    let overflows = (a == i32(-2147483648)) & (b == -1i);
    let divisor = select(b, 1i, (b == 0i) | overflows);
    return select(a - (a / divisor) * divisor, 0i, b == 0i);
}

fn div_u32(a: u32, b: u32) -> u32 {
    return select(a / max(b, 1u), 0u, b == 0u);
}

fn rem_u32(a: u32, b: u32) -> u32 {
    let divisor = max(b, 1u);
    return select(a - (a / divisor) * divisor, 0u, b == 0u);
}
