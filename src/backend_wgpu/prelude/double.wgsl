// Operations on f64, for devices that have it; these have integers of 64 bits too.

fn f64_of(low: u32, high: u32) -> f64 {
    return bitcast<f64>(u64(low) | (u64(high) << 32u));
}

fn f64_words(x: f64) -> vec2<u32> {
    let bits = bitcast<u64>(x);
    return vec2<u32>(u32(bits & 0xfffffffflu), u32(bits >> 32u));
}

fn is_nan_f64(x: f64) -> bool {
    return (bitcast<u64>(x) & 0x7ffffffffffffffflu) > 0x7ff0000000000000lu;
}

fn min_f64(a: f64, b: f64) -> f64 {
    let less = select(b, a, a < b);
    let both = select(less, bitcast<f64>(bitcast<u64>(a) | bitcast<u64>(b)), a == b);
    let first = select(both, a, is_nan_f64(b));
    return select(first, b, is_nan_f64(a));
}

fn max_f64(a: f64, b: f64) -> f64 {
    let more = select(b, a, a > b);
    let both = select(more, bitcast<f64>(bitcast<u64>(a) & bitcast<u64>(b)), a == b);
    let first = select(both, a, is_nan_f64(b));
    return select(first, b, is_nan_f64(a));
}

fn minimum_f64(a: f64, b: f64) -> f64 {
    let less = select(b, a, a < b);
    let both = select(less, bitcast<f64>(bitcast<u64>(a) | bitcast<u64>(b)), a == b);
    let first = select(both, b, is_nan_f64(b));
    return select(first, a, is_nan_f64(a));
}

fn maximum_f64(a: f64, b: f64) -> f64 {
    let more = select(b, a, a > b);
    let both = select(more, bitcast<f64>(bitcast<u64>(a) & bitcast<u64>(b)), a == b);
    let first = select(both, b, is_nan_f64(b));
    return select(first, a, is_nan_f64(a));
}

fn f64_of_u64(x: wide) -> f64 {
    return f64(wide_high(x)) * 4294967296lf + f64(wide_low(x));
}

fn f64_of_i64(x: wide) -> f64 {
    return f64(bitcast<i32>(wide_high(x))) * 4294967296lf + f64(wide_low(x));
}

fn i32_of_f64(x: f64) -> i32 {
    let inside = (x > -2147483649lf) & (x < 2147483648lf);
    let whole = i32(select(0lf, x, inside));
    let outside = select(select(0i, i32(-2147483648), x < 0lf), 2147483647i, x > 0lf);
    return select(outside, whole, inside);
}

fn u32_of_f64(x: f64) -> u32 {
    let inside = (x >= 0lf) & (x < 4294967296lf);
    let whole = u32(select(0lf, x, inside));
    return select(select(0u, 0xffffffffu, x > 0lf), whole, inside);
}

// The integer below |x| < 2^64.
fn u64_below_f64(x: f64) -> u64 {
    let bits = bitcast<u64>(x) & 0x7ffffffffffffffflu;
    let exponent = i32(u32(bits >> 52u)) - 1075i;
    let mantissa = (bits & 0xffffffffffffflu) | 0x10000000000000lu;
    if (exponent >= 0i) {
        return mantissa << (u32(exponent) & 63u);
    }
    return mantissa >> min(u32(-exponent), 63u);
}

fn u64_of_f64(x: f64) -> wide {
    if ((x >= 1lf) & (x < 18446744073709551616lf)) {
        return u64_below_f64(x);
    }
    return select(0lu, 0xfffffffffffffffflu, x > 1lf);
}

fn i64_of_f64(x: f64) -> wide {
    if ((abs(x) >= 1lf) & (abs(x) < 9223372036854775808lf)) {
        let size = u64_below_f64(x);
        return select(size, 0lu - size, x < 0lf);
    }
    return select(select(0lu, 0x8000000000000000lu, x < -1lf), 0x7ffffffffffffffflu, x > 1lf);
}

fn normal_parts_f64(bits: u64) -> vec2<u64> {
    var fraction = bits & 0xffffffffffffflu;
    var exponent = bits >> 52u;
    if (exponent != 0lu) {
        return vec2<u64>(exponent + 1000lu, fraction | 0x10000000000000lu);
    }
    let high = u32(fraction >> 32u);
    let zeros = select(countLeadingZeros(high), 32u + countLeadingZeros(u32(fraction & 0xfffffffflu)), high == 0u);
    let shift = min(zeros, 63u) - 11u;
    return vec2<u64>(1001lu - u64(shift), fraction << shift);
}

// The product of two numbers of 64 bits as (low, high).
fn product_pair_u64(a: u64, b: u64) -> vec2<u64> {
    let al = a & 0xfffffffflu;
    let ah = a >> 32u;
    let bl = b & 0xfffffffflu;
    let bh = b >> 32u;
    let low = al * bl;
    let m1 = ah * bl + (low >> 32u);
    let m2 = al * bh + (m1 & 0xfffffffflu);
    return vec2<u64>((m2 << 32u) | (low & 0xfffffffflu), ah * bh + (m1 >> 32u) + (m2 >> 32u));
}

fn shift_left_u64s(x: vec2<u64>, amount: u32) -> vec2<u64> {
    if (amount == 0u) {
        return x;
    }
    if (amount >= 64u) {
        return vec2<u64>(0lu, x.x << (amount - 64u));
    }
    return vec2<u64>(x.x << amount, (x.y << amount) | (x.x >> (64u - amount)));
}

fn shift_right_jam_u64s(x: vec2<u64>, amount: u32) -> vec2<u64> {
    if (amount == 0u) {
        return x;
    }
    if (amount > 127u) {
        return vec2<u64>(select(0lu, 1lu, (x.x | x.y) != 0lu), 0lu);
    }
    if (amount >= 64u) {
        let s = amount - 64u;
        var lost = x.x;
        if (s != 0u) {
            lost = lost | (x.y << (64u - s));
        }
        return vec2<u64>((x.y >> s) | select(0lu, 1lu, lost != 0lu), 0lu);
    }
    let lost = x.x << (64u - amount);
    return vec2<u64>((x.x >> amount) | (x.y << (64u - amount)) | select(0lu, 1lu, lost != 0lu), x.y >> amount);
}

fn leading_zeros_u64(x: u64) -> u32 {
    let high = u32(x >> 32u);
    return select(countLeadingZeros(high), 32u + countLeadingZeros(u32(x & 0xfffffffflu)), high == 0u);
}

// The f64 next to a number of 128 bits times 2^exponent, rounded to nearest, ties to even.
fn round_u64s(x: vec2<u64>, exponent: i32, sign: u64) -> f64 {
    let zeros = select(leading_zeros_u64(x.y), 64u + leading_zeros_u64(x.x), x.y == 0lu);
    if (zeros == 128u) {
        return bitcast<f64>(sign);
    }
    var m = shift_left_u64s(x, zeros);
    var biased = 127i - i32(zeros) + exponent + 1023i;
    if (biased >= 2047i) {
        return bitcast<f64>(sign | 0x7ff0000000000000lu);
    }
    if (biased < 1i) {
        m = shift_right_jam_u64s(m, u32(1i - biased));
        biased = 1i;
    }
    let rest = ((m.y & 0x7fflu) << 1u) | select(0lu, 1lu, m.x != 0lu);
    let kept = m.y >> 11u;
    let up = (rest > 0x800lu) | ((rest == 0x800lu) & ((kept & 1lu) == 1lu));
    let bits = (u64(u32(biased - 1i)) << 52u) + kept + select(0lu, 1lu, up);
    return bitcast<f64>(sign | bits);
}

// a * b + c with one rounding.
fn fma_f64(a: f64, b: f64, c: f64) -> f64 {
    let ua = bitcast<u64>(a);
    let ub = bitcast<u64>(b);
    let uc = bitcast<u64>(c);
    let ma = ua & 0x7ffffffffffffffflu;
    let mb = ub & 0x7ffffffffffffffflu;
    let mc = uc & 0x7ffffffffffffffflu;
    let infinite = 0x7ff0000000000000lu;
    if ((ma >= infinite) | (mb >= infinite) | (mc >= infinite)) {
        return select(a * b + c, c, (ma < infinite) & (mb < infinite));
    }
    let product_sign = (ua ^ ub) & 0x8000000000000000lu;
    let sign = uc & 0x8000000000000000lu;
    if ((ma == 0lu) | (mb == 0lu)) {
        return bitcast<f64>(select(uc, product_sign & sign, mc == 0lu));
    }
    // Exponents are 1000 more than they are, so that they are not negative.
    let pa = normal_parts_f64(ma);
    let pb = normal_parts_f64(mb);
    var product = shift_left_u64s(product_pair_u64(pa.y, pb.y), 20u);
    let product_exponent = i32(u32(pa.x)) + i32(u32(pb.x)) - 2000i - 2150i - 20i;
    if (mc == 0lu) {
        return round_u64s(product, product_exponent, product_sign);
    }
    let pc = normal_parts_f64(mc);
    var addend = vec2<u64>(0lu, pc.y << 9u);
    let addend_exponent = i32(u32(pc.x)) - 1000i - 1075i - 73i;
    let exponent = max(product_exponent, addend_exponent);
    product = shift_right_jam_u64s(product, u32(exponent - product_exponent));
    addend = shift_right_jam_u64s(addend, u32(exponent - addend_exponent));
    if (sign == product_sign) {
        let low = product.x + addend.x;
        let sum = vec2<u64>(low, product.y + addend.y + select(0lu, 1lu, low < addend.x));
        return round_u64s(sum, exponent, sign);
    }
    let swap = (product.y < addend.y) | ((product.y == addend.y) & (product.x < addend.x));
    var more = product;
    var less = addend;
    if (swap) {
        more = addend;
        less = product;
    }
    let rest = vec2<u64>(more.x - less.x, more.y - less.y - select(0lu, 1lu, more.x < less.x));
    let result_sign = select(product_sign, sign, swap);
    return round_u64s(rest, exponent, select(result_sign, 0lu, (rest.x | rest.y) == 0lu));
}

fn c128_of(re_low: u32, re_high: u32, im_low: u32, im_high: u32) -> vec2<f64> {
    return vec2<f64>(f64_of(re_low, re_high), f64_of(im_low, im_high));
}

// The number, with bits that a compiler cannot know.
fn hide_f64(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) ^ u64(args[0].z));
}
