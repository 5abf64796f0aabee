// Operations on integers of 64 bits that are the same for either form of them.

fn wide_select(a: wide, b: wide, take_b: bool) -> wide {
    return select(a, b, take_b);
}

fn wide_of_i32(x: i32) -> wide {
    return wide_of(bitcast<u32>(x), select(0u, 0xffffffffu, x < 0i));
}

fn wide_ne(a: wide, b: wide) -> bool {
    return !wide_eq(a, b);
}

fn wide_is_negative(x: wide) -> bool {
    return wide_high(x) >= 0x80000000u;
}

fn wide_abs(x: wide) -> wide {
    return wide_select(x, wide_neg(x), wide_is_negative(x));
}

fn wide_le_u(a: wide, b: wide) -> bool {
    return !wide_lt_u(b, a);
}

fn wide_le_s(a: wide, b: wide) -> bool {
    return !wide_lt_s(b, a);
}

fn wide_min_u(a: wide, b: wide) -> wide {
    return wide_select(b, a, wide_lt_u(a, b));
}

fn wide_max_u(a: wide, b: wide) -> wide {
    return wide_select(a, b, wide_lt_u(a, b));
}

fn wide_min_s(a: wide, b: wide) -> wide {
    return wide_select(b, a, wide_lt_s(a, b));
}

fn wide_max_s(a: wide, b: wide) -> wide {
    return wide_select(a, b, wide_lt_s(a, b));
}

fn wide_rem_u(a: wide, b: wide) -> wide {
    let rest = wide_sub(a, wide_mul(wide_div_u(a, b), b));
    return wide_select(rest, wide_of(0u, 0u), wide_eq(b, wide_of(0u, 0u)));
}

fn wide_div_s(a: wide, b: wide) -> wide {
    let quotient = wide_div_u(wide_abs(a), wide_abs(b));
    return wide_select(quotient, wide_neg(quotient), wide_is_negative(a) != wide_is_negative(b));
}

fn wide_rem_s(a: wide, b: wide) -> wide {
    let rest = wide_rem_u(wide_abs(a), wide_abs(b));
    return wide_select(rest, wide_neg(rest), wide_is_negative(a));
}

fn wide_of_bool(x: bool) -> wide {
    return wide_of(select(0u, 1u, x), 0u);
}

fn wide_to_bool(x: wide) -> bool {
    return (wide_low(x) | wide_high(x)) != 0u;
}
