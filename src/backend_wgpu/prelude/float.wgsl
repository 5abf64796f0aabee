// Operations on f32 that WGSL leaves to the driver, and its conversions, by integer arithmetic on the bits.

fn f32_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}

fn is_nan_f32(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn min_f32(a: f32, b: f32) -> f32 {
    let less = select(b, a, a < b);
    let both = select(less, bitcast<f32>(bitcast<u32>(a) | bitcast<u32>(b)), a == b);
    let first = select(both, a, is_nan_f32(b));
    return select(first, b, is_nan_f32(a));
}

fn max_f32(a: f32, b: f32) -> f32 {
    let more = select(b, a, a > b);
    let both = select(more, bitcast<f32>(bitcast<u32>(a) & bitcast<u32>(b)), a == b);
    let first = select(both, a, is_nan_f32(b));
    return select(first, b, is_nan_f32(a));
}

fn minimum_f32(a: f32, b: f32) -> f32 {
    let less = select(b, a, a < b);
    let both = select(less, bitcast<f32>(bitcast<u32>(a) | bitcast<u32>(b)), a == b);
    let first = select(both, b, is_nan_f32(b));
    return select(first, a, is_nan_f32(a));
}

fn maximum_f32(a: f32, b: f32) -> f32 {
    let more = select(b, a, a > b);
    let both = select(more, bitcast<f32>(bitcast<u32>(a) & bitcast<u32>(b)), a == b);
    let first = select(both, b, is_nan_f32(b));
    return select(first, a, is_nan_f32(a));
}

// The number, with bits that a compiler cannot know: it can neither contract nor reassociate over it. Not by an exclusive or,
// which done twice is as if it were not done.
fn hide_f32(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) + args[0].z);
}

// Exponent of a number that is not zero, as if it had no subnormals, and its 24 bits.
fn normal_parts(bits: u32) -> vec2<i32> {
    let fraction = bits & 0x7fffffu;
    let exponent = i32((bits >> 23u) & 0xffu);
    let shift = countLeadingZeros(fraction | 1u) - 8u;
    let is_normal = exponent != 0i;
    let mantissa = select(fraction << (shift & 31u), fraction | 0x800000u, is_normal);
    return vec2<i32>(select(1i - i32(shift), exponent, is_normal), i32(mantissa));
}

// 64 bits as (low, high), shifted right by 0 to 63; what falls out is remembered in the lowest bit.
fn shift_right_jam(x: vec2<u32>, amount: u32) -> vec2<u32> {
    let is_far = amount >= 32u;
    let s = amount & 31u;
    let low = select(x.x, x.y, is_far);
    let high = select(x.y, 0u, is_far);
    let lost = ((low << 1u) << (31u - s)) | select(0u, x.x, is_far);
    return vec2<u32>((low >> s) | ((high << 1u) << (31u - s)) | u32(lost != 0u), high >> s);
}

fn shift_left_pair(x: vec2<u32>, amount: u32) -> vec2<u32> {
    let is_far = amount >= 32u;
    let s = amount & 31u;
    let low = select(x.x, 0u, is_far);
    let high = select(x.y, x.x, is_far);
    return vec2<u32>(low << s, (high << s) | ((low >> 1u) >> (31u - s)));
}

// The product of two 32-bit numbers as (low, high).
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

// The f32 next to a number of 64 bits times 2^exponent, rounded to nearest, ties to even.
fn round_pair(x: vec2<u32>, exponent: i32, sign: u32) -> f32 {
    let zeros = select(countLeadingZeros(x.y), 32u + countLeadingZeros(x.x), x.y == 0u);
    let is_zero = zeros == 64u;
    let biased = 190i - i32(zeros) + exponent;
    // What is too small for a normal number has fewer bits.
    let m = shift_right_jam(shift_left_pair(x, zeros & 63u), u32(clamp(1i - biased, 0i, 63i)));
    let rest = ((m.y & 0xffu) << 1u) | u32(m.x != 0u);
    let kept = m.y >> 8u;
    let up = u32((rest > 0x100u) | ((rest == 0x100u) & ((kept & 1u) == 1u)));
    let bits = (u32(clamp(biased, 1i, 255i) - 1i) << 23u) + kept + up;
    return bitcast<f32>(sign | select(min(bits, 0x7f800000u), 0u, is_zero));
}

// a * b + c with one rounding. No branches: Mesa's llvmpipe takes time that grows with their square.
fn fma_f32(a: f32, b: f32, c: f32) -> f32 {
    let ua = bitcast<u32>(a);
    let ub = bitcast<u32>(b);
    let uc = bitcast<u32>(c);
    let ma = ua & 0x7fffffffu;
    let mb = ub & 0x7fffffffu;
    let mc = uc & 0x7fffffffu;
    let product_sign = (ua ^ ub) & 0x80000000u;
    let pa = normal_parts(ma);
    let pb = normal_parts(mb);
    let pc = normal_parts(mc);
    let product = shift_left_pair(product_pair(u32(pa.y), u32(pb.y)), 14u);
    let product_exponent = pa.x + pb.x - 314i;
    let addend = vec2<u32>(0u, u32(pc.y) << 6u);
    let distance = select(pc.x - 188i - product_exponent, 0i, mc == 0u);
    // The one with the lesser exponent is moved to where the other is, and negated if the signs differ.
    let is_addend_first = distance > 0i;
    let first = select(product, addend, is_addend_first);
    let second = shift_right_jam(select(addend, product, is_addend_first), min(u32(abs(distance)), 63u));
    let differ = (product_sign ^ uc) >> 31u;
    let mask = 0u - differ;
    let low = (second.x ^ mask) + differ;
    let sum_low = first.x + low;
    let carries = (differ & u32(second.x == 0u)) + u32(sum_low < low);
    let sum_high = first.y + (second.y ^ mask) + carries;
    let is_negative = sum_high >> 31u;
    let flip = 0u - is_negative;
    let size_low = (sum_low ^ flip) + is_negative;
    let size = vec2<u32>(size_low, (sum_high ^ flip) + (is_negative & u32(sum_low == 0u)));
    let first_sign = select(product_sign, uc & 0x80000000u, is_addend_first);
    let sign = (first_sign ^ (is_negative << 31u)) & (0u - u32((size.x | size.y) != 0u));
    let exponent = product_exponent + max(distance, 0i);
    let finite = bitcast<u32>(round_pair(size, exponent, sign));
    // The product of two finite numbers is taken as finite, whatever it would overflow to.
    let is_product_finite = max(ma, mb) < 0x7f800000u;
    let special = select(bitcast<u32>(a * b + c), uc, is_product_finite);
    let zero = select(uc, product_sign & uc, mc == 0u);
    let result = select(finite, zero, min(ma, mb) == 0u);
    return bitcast<f32>(select(result, special, max(max(ma, mb), mc) >= 0x7f800000u));
}

// C's fmod, exact: the mantissa of the remainder, eight bits of the exponents' difference at a time.
fn rem_f32(a: f32, b: f32) -> f32 {
    let sign = bitcast<u32>(a) & 0x80000000u;
    let ua = bitcast<u32>(a) & 0x7fffffffu;
    let ub = bitcast<u32>(b) & 0x7fffffffu;
    if ((ua >= 0x7f800000u) | (ub > 0x7f800000u) | (ub == 0u)) {
        return f32_bits(0x7fc00000u);
    }
    if ((ua < ub) | (ub == 0x7f800000u)) {
        return a;
    }
    let ea = max(ua >> 23u, 1u);
    let eb = max(ub >> 23u, 1u);
    let divisor = (ub & 0x7fffffu) | select(0u, 0x800000u, ub >= 0x800000u);
    var rest = ((ua & 0x7fffffu) | select(0u, 0x800000u, ua >= 0x800000u)) % divisor;
    var left = ea - eb;
    for (; left != 0u;) {
        let step = min(left, 8u);
        rest = (rest << step) % divisor;
        left = left - step;
    }
    if (rest == 0u) {
        return bitcast<f32>(sign);
    }
    let zeros = min(countLeadingZeros(rest) - 8u, eb - 1u);
    let shifted = rest << zeros;
    let bits = ((eb - zeros - 1u) << 23u) + shifted;
    return bitcast<f32>(sign | select(bits, shifted, shifted < 0x800000u));
}

// Integers of 32 bits are two numbers that f32 holds, so that the sum is rounded, once.
fn f32_of_u32(x: u32) -> f32 {
    return f32(x & 0xffff0000u) + f32(x & 0xffffu);
}

fn f32_of_i32(x: i32) -> f32 {
    return f32(x & -65536i) + f32(x & 0xffffi);
}

fn i32_of_f32(x: f32) -> i32 {
    let inside = (x >= -2147483648f) & (x < 2147483648f);
    let whole = i32(select(0f, x, inside));
    let outside = select(select(0i, i32(-2147483648), x < 0f), 2147483647i, x > 0f);
    return select(select(outside, whole, inside), 0i, is_nan_f32(x));
}

fn u32_of_f32(x: f32) -> u32 {
    let inside = (x >= 0f) & (x < 4294967296f);
    let whole = u32(select(0f, x, inside));
    return select(select(select(0u, 0xffffffffu, x > 0f), whole, inside), 0u, is_nan_f32(x));
}

// The f32 next to an integer, the odd one of the two around it: rounding that again is rounding once.
fn odd_f32_of_words(low: u32, high: u32) -> u32 {
    let x = vec2<u32>(low, high);
    let top = countLeadingZeros(x.y);
    let zeros = select(top, 32u + countLeadingZeros(x.x), x.y == 0u);
    let m = shift_left_pair(x, zeros & 63u);
    let lost = ((m.y & 0xffu) | m.x) != 0u;
    return select(((63u - zeros + 126u) << 23u) + ((m.y >> 8u) | u32(lost)), 0u, zeros == 64u);
}

fn bf16_of_words(low: u32, high: u32, sign: u32) -> u32 {
    let bits = odd_f32_of_words(low, high);
    return ((bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u) | sign;
}

fn bf16_of_u32(x: u32) -> u32 {
    return bf16_of_words(x, 0u, 0u);
}

fn bf16_of_i32(x: i32) -> u32 {
    return bf16_of_words(bitcast<u32>(abs(x)), 0u, select(0u, 0x8000u, x < 0i));
}

fn bf16_of_u64(x: wide) -> u32 {
    return bf16_of_words(wide_low(x), wide_high(x), 0u);
}

fn bf16_of_i64(x: wide) -> u32 {
    let negative = wide_high(x) >= 0x80000000u;
    let size = wide_select(x, wide_neg(x), negative);
    return bf16_of_words(wide_low(size), wide_high(size), select(0u, 0x8000u, negative));
}

fn f32_of_u64(x: wide) -> f32 {
    return round_pair(vec2<u32>(wide_low(x), wide_high(x)), 0i, 0u);
}

fn f32_of_i64(x: wide) -> f32 {
    let negative = wide_high(x) >= 0x80000000u;
    let size = wide_select(x, wide_neg(x), negative);
    let sign = select(0u, 0x80000000u, negative);
    let rounded = round_pair(vec2<u32>(wide_low(size), wide_high(size)), 0i, sign);
    return select(rounded, 0f, (wide_low(size) | wide_high(size)) == 0u);
}

// The integer below a finite |x| < 2^64 as (low, high).
fn words_of_f32(x: f32) -> vec2<u32> {
    let bits = bitcast<u32>(x) & 0x7fffffffu;
    let exponent = bits >> 23u;
    let mantissa = (bits & 0x7fffffu) | 0x800000u;
    // One of the two amounts is 0.
    let whole = mantissa >> min(150u - min(exponent, 150u), 31u);
    return shift_left_pair(vec2<u32>(whole, 0u), max(exponent, 150u) - 150u);
}

fn u64_of_f32(x: f32) -> wide {
    let inside = (x >= 1f) & (x < 18446744073709551616f);
    let words = words_of_f32(select(0f, x, inside));
    let outside = select(0u, 0xffffffffu, (x > 1f) & !is_nan_f32(x));
    return wide_of(select(outside, words.x, inside), select(outside, words.y, inside));
}

fn i64_of_f32(x: f32) -> wide {
    let size = abs(x);
    let inside = (size >= 1f) & (size < 9223372036854775808f);
    let words = words_of_f32(select(0f, x, inside));
    let whole = wide_of(words.x, words.y);
    let signed = wide_select(whole, wide_neg(whole), x < 0f);
    let high = select(select(0u, 0x80000000u, x < -1f), 0x7fffffffu, x > 1f);
    let outside = wide_of(select(0u, 0xffffffffu, x > 1f), high);
    return wide_select(wide_select(outside, signed, inside), wide_of(0u, 0u), is_nan_f32(x));
}

fn f32_of_f16(bits: u32) -> f32 {
    let exponent = (bits >> 10u) & 31u;
    let fraction = bits & 0x3ffu;
    let sign = (bits & 0x8000u) << 16u;
    let normal = ((exponent + 112u) << 23u) | (fraction << 13u);
    let special = 0x7f800000u | (fraction << 13u);
    let small = bitcast<u32>(f32(fraction) * 5.9604645e-8f);
    return bitcast<f32>(sign | select(select(normal, special, exponent == 31u), small, exponent == 0u));
}

fn c64_of(re: u32, im: u32) -> vec2<f32> {
    return vec2<f32>(bitcast<f32>(re), bitcast<f32>(im));
}

// A float that is not NaN as an integer of the same order; both zeros are 0.
fn order_of_f32(x: f32) -> i32 {
    let bits = bitcast<u32>(x);
    let size = bitcast<i32>(bits & 0x7fffffffu);
    return select(size, 0i - size, bits >= 0x80000000u);
}

fn is_ordered_f32(a: f32, b: f32) -> bool {
    return max(bitcast<u32>(a) & 0x7fffffffu, bitcast<u32>(b) & 0x7fffffffu) <= 0x7f800000u;
}

fn eq_f32(a: f32, b: f32) -> bool {
    return is_ordered_f32(a, b) & (order_of_f32(a) == order_of_f32(b));
}

fn lt_f32(a: f32, b: f32) -> bool {
    return is_ordered_f32(a, b) & (order_of_f32(a) < order_of_f32(b));
}

fn le_f32(a: f32, b: f32) -> bool {
    return is_ordered_f32(a, b) & (order_of_f32(a) <= order_of_f32(b));
}
