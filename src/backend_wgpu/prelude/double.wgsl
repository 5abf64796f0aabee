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

// The integer below 1 <= |x| < 2^64.
fn u64_below_f64(x: f64) -> u64 {
    let bits = bitcast<u64>(x);
    let exponent = u32((bits >> 52u) & 0x7fflu);
    let mantissa = (bits & 0xffffffffffffflu) | 0x10000000000000lu;
    // One of the two amounts is 0.
    return (mantissa << (max(exponent, 1075u) - 1075u)) >> (1075u - min(exponent, 1075u));
}

fn u64_of_f64(x: f64) -> wide {
    let inside = (x >= 1lf) & (x < 18446744073709551616lf);
    let outside = select(0lu, 0xfffffffffffffffflu, x > 1lf);
    return select(outside, u64_below_f64(select(1lf, x, inside)), inside);
}

fn i64_of_f64(x: f64) -> wide {
    let inside = (abs(x) >= 1lf) & (abs(x) < 9223372036854775808lf);
    let size = u64_below_f64(select(1lf, x, inside));
    let whole = select(size, 0lu - size, x < 0lf);
    let outside = select(select(0lu, 0x8000000000000000lu, x < -1lf), 0x7ffffffffffffffflu, x > 1lf);
    return select(outside, whole, inside);
}

// A subnormal number times 2^64; others as they are.
fn normal_f64(x: f64) -> f64 {
    return select(x, x * 18446744073709551616lf, abs(x) < 2.2250738585072014e-308lf);
}

// Exponent of such a number, 1023 more than it is. Zero has the least.
fn exponent_f64(x: f64, normal: f64) -> i64 {
    let biased = bitcast<i64>((bitcast<u64>(normal) >> 52u) & 0x7fflu);
    return biased - select(0li, 64li, abs(x) < 2.2250738585072014e-308lf);
}

// The number with another exponent, which is 1023 more than it is.
fn with_exponent_f64(x: f64, biased: i64) -> f64 {
    return bitcast<f64>((bitcast<u64>(x) & 0x800ffffffffffffflu) | (bitcast<u64>(biased) << 52u));
}

// The upper half of the bits of a number of ordinary size; the rest has half of them too, as it has a sign.
fn upper_f64(x: f64) -> f64 {
    return bitcast<f64>((bitcast<u64>(x) + 0x4000000lu) & 0xfffffffff8000000lu);
}

// What rounding leaves of a + b (Knuth).
fn sum_error_f64(a: f64, b: f64, sum: f64) -> f64 {
    let second = sum - a;
    return (a - (sum - second)) + (b - second);
}

// The sum, to odd: of the two numbers around one that is none, the one whose last bit is set.
fn odd_sum_f64(a: f64, b: f64) -> f64 {
    let sum = a + b;
    let error = sum_error_f64(a, b, sum);
    let bits = bitcast<u64>(sum);
    let is_less = ((bits ^ bitcast<u64>(error)) >> 63u) == 1lu;
    let next = select(bits + 1lu, bits - 1lu, is_less);
    return bitcast<f64>(select(next, bits, (error == 0lf) | ((bits & 1lu) == 1lu)));
}

// a * b + c with one rounding: Boldo and Melquiond, "Emulation of FMA and correctly rounded sums" (2008), on numbers
// that are scaled such that nothing overflows. No branches: Mesa's llvmpipe takes time that grows with their square.
fn fma_f64(a: f64, b: f64, c: f64) -> f64 {
    let na = normal_f64(a);
    let nb = normal_f64(b);
    let nc = normal_f64(c);
    let c_exponent = exponent_f64(c, nc) - 1023li;
    // The result is scaled by 2^scale. What is far below the other summand is as good as any number that is.
    let product_exponent = exponent_f64(a, na) + exponent_f64(b, nb) - 2046li;
    let scale = select(product_exponent, c_exponent - 120li, c_exponent - product_exponent > 120li);
    let distance = select(c_exponent - scale, -120li, c_exponent - scale < -120li);
    let x = with_exponent_f64(na, 1023li);
    let y = with_exponent_f64(nb, 1023li);
    let z = select(with_exponent_f64(nc, distance + 1023li), 0lf, c == 0lf);
    // The product as a sum (Dekker), and that with z as one.
    let xh = upper_f64(x);
    let yh = upper_f64(y);
    let xl = x - xh;
    let yl = y - yh;
    let product = x * y;
    let product_rest = (((xh * yh - product) + xh * yl) + xl * yh) + xl * yl;
    let low_sum = z + product_rest;
    let sum = product + low_sum;
    let rest = odd_sum_f64(sum_error_f64(z, product_rest, low_sum), sum_error_f64(product, low_sum, sum));
    // A result that will be subnormal is rounded where its bits end, by a number whose bits end there.
    let sign = bitcast<u64>(sum + rest) & 0x8000000000000000lu;
    let least = with_exponent_f64(0lf, 1li - scale);
    let is_small = (scale < -900li) & (abs(sum) < least);
    let rounder = select(0lf, bitcast<f64>(bitcast<u64>(least) | sign), is_small);
    let high = rounder + sum;
    let rounded = (high + odd_sum_f64(sum_error_f64(rounder, sum, high), rest)) - rounder;
    let result = bitcast<f64>((bitcast<u64>(rounded) & 0x7ffffffffffffffflu) | sign);
    let half = scale >> 1u;
    let scaled = result * with_exponent_f64(0lf, half + 1023li) * with_exponent_f64(0lf, scale - half + 1023li);
    // The product of two finite numbers is taken as finite, whatever it would overflow to.
    let infinite = 0x7ff0000000000000lu;
    let is_finite = ((bitcast<u64>(a) & infinite) < infinite) & ((bitcast<u64>(b) & infinite) < infinite);
    let is_c_finite = (bitcast<u64>(c) & infinite) < infinite;
    let is_plain = is_finite & is_c_finite & !((a == 0lf) | (b == 0lf));
    let special = select(a * b + hide_f64(c), c, is_finite & !is_c_finite);
    return select(special, scaled, is_plain);
}

// The same on f32: the product is exact in f64, and a sum that is rounded to odd may be rounded again.
fn fma_f32_in_f64(a: f32, b: f32, c: f32) -> f32 {
    let product = f64(a) * f64(b);
    let addend = f64(hide_f32(c));
    let sum = product + addend;
    let error = sum_error_f64(product, addend, sum);
    let bits = bitcast<u64>(sum);
    let is_less = ((bits ^ bitcast<u64>(error)) >> 63u) == 1lu;
    let next = select(bits + 1lu, bits - 1lu, is_less);
    // Of infinities and NaN the error is NaN.
    let is_inexact = (error < 0lf) | (error > 0lf);
    return f32(bitcast<f64>(select(bits, next, is_inexact & ((bits & 1lu) == 0lu))));
}

fn c128_of(re_low: u32, re_high: u32, im_low: u32, im_high: u32) -> vec2<f64> {
    return vec2<f64>(f64_of(re_low, re_high), f64_of(im_low, im_high));
}

// The number, with bits that a compiler cannot know, as with f32.
fn hide_f64(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) + u64(args[0].z));
}
