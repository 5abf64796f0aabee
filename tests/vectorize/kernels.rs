//! The example kernels as Rust functions. Where an integer is meant to wrap, Rust wants to be told.

use ufc::{device, vectorize};

#[device]
const RATE: f32 = 0.02;
#[device]
const VOLATILITY: f32 = 0.3;

#[device]
#[expect(
    clippy::excessive_precision,
    reason = "the digits are those of the example"
)]
fn normal_cdf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.2316419 * x.abs());
    let poly = ((((1.330274429 * t - 1.821255978) * t + 1.781477937) * t - 0.356563782) * t
        + 0.319381530)
        * t;
    let tail = 0.3989422804 * (-0.5 * x * x).exp() * poly;
    if x > 0.0 { 1.0 - tail } else { tail }
}

#[vectorize]
pub(crate) fn black_scholes(spot: f32, strike: f32, years: f32) -> (f32, f32) {
    let spread = VOLATILITY * years.sqrt();
    let d1 = ((spot / strike).ln() + (RATE + 0.5 * VOLATILITY * VOLATILITY) * years) / spread;
    let d2 = d1 - spread;
    let discounted = strike * (-RATE * years).exp();
    let cdf1 = normal_cdf(d1);
    let cdf2 = normal_cdf(d2);
    let call = spot * cdf1 - discounted * cdf2;
    let put = discounted * (1.0 - cdf2) - spot * (1.0 - cdf1);
    (call, put)
}

#[vectorize]
pub(crate) fn blend_u8(base: u8, light: u8, alpha: u8) -> u8 {
    let product = light as u16 * alpha as u16 + 128;
    let scaled = (product + (product >> 8)) >> 8;
    base.saturating_add(scaled as u8)
}

#[vectorize]
pub(crate) fn clip<T: Float>(x: T, low: T, high: T) -> T {
    x.maximum(low).minimum(high)
}

#[vectorize]
pub(crate) fn collatz(start: u32) -> u32 {
    let mut n = start;
    let mut steps = 0;
    while n > 1 && steps < 1000 {
        n = if n & 1 == 0 {
            n >> 1
        } else {
            n.wrapping_mul(3).wrapping_add(1)
        };
        steps += 1;
    }
    steps
}

#[vectorize]
pub(crate) fn complex_sqrt(z: c64) -> c64 {
    z.sqrt()
}

#[vectorize]
#[expect(
    clippy::excessive_precision,
    reason = "the digits are those of the example"
)]
pub(crate) fn gelu(x: f32) -> f32 {
    let inner = 0.7978845608 * (x + 0.044715 * x * x * x);
    0.5 * x * (1.0 + inner.tanh())
}

#[device]
const RADIUS: f64 = 6371.0088;

#[device]
fn radians(degrees: f64) -> f64 {
    degrees * (f64::PI / 180.0)
}

#[vectorize]
pub(crate) fn haversine(lat1: f64, lon1: f64, lat2: f64, lon2: f64) -> f64 {
    let phi1 = radians(lat1);
    let phi2 = radians(lat2);
    let dphi = ((phi2 - phi1) * 0.5).sin();
    let dlambda = (radians(lon2 - lon1) * 0.5).sin();
    let a = dphi * dphi + phi1.cos() * phi2.cos() * dlambda * dlambda;
    2.0 * RADIUS * a.sqrt().atan2((1.0 - a).max(0.0).sqrt())
}

#[vectorize]
pub(crate) fn hypot<T: Float>(x: T, y: T) -> T {
    let long = x.abs().maximum(y.abs());
    let short = x.abs().minimum(y.abs());
    let ratio = if short == long { 1.0 } else { short / long };
    long * (1.0 + ratio * ratio).sqrt()
}

#[vectorize]
pub(crate) fn julia(re: f64, im: f64, c_re: f64, c_im: f64, iters: u32) -> u8 {
    let c = c128(c_re, c_im);
    let mut z = c128(re, im);
    for i in 0..iters {
        z = z * z + c;
        if z.norm_sqr() >= 4.0 {
            return i as u8;
        }
    }
    255
}

#[vectorize]
pub(crate) fn logistic_map(r: f64, x: f64, steps: u32) -> f64 {
    let mut x = x;
    for _ in 0..steps {
        x = r * x * (1.0 - x);
    }
    x
}

#[vectorize]
pub(crate) fn mandelbrot(re: f32, im: f32, iters: u32) -> u8 {
    let c = c64(re, im);
    let mut z = c64(0.0, 0.0);
    for i in 0..iters {
        z = z * z + c;
        if z.norm_sqr() >= 4.0 {
            return i as u8;
        }
    }
    255
}

#[vectorize]
pub(crate) fn mandelbrot_smooth(re: f32, im: f32, iters: u32) -> f32 {
    let c = c64(re, im);
    let mut z = c64(0.0, 0.0);
    for i in 0..iters {
        z = z * z + c;
        let size = z.norm_sqr();
        if size >= 256.0 {
            return i as f32 + 1.0 - (size.log2() / 8.0).log2();
        }
    }
    iters as f32
}

#[vectorize]
pub(crate) fn murmur_hash(key: u32) -> u32 {
    let mut h = key;
    h = (h ^ (h >> 16)).wrapping_mul(0x85ebca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2ae35);
    h ^ (h >> 16)
}

#[vectorize]
pub(crate) fn murmur_hash_u64(key: u64) -> u64 {
    let mut h = key;
    h = (h ^ (h >> 33)).wrapping_mul(0xff51afd7ed558ccd);
    h = (h ^ (h >> 33)).wrapping_mul(0xc4ceb9fe1a85ec53);
    h ^ (h >> 33)
}

#[vectorize]
pub(crate) fn polar_to_cartesian(r: f32, theta: f32) -> (f32, f32) {
    let (sin, cos) = theta.sin_cos();
    (r * cos, r * sin)
}

#[vectorize]
pub(crate) fn poly12<T: Float>(x: T) -> T {
    let p = x.mul_add(0.0017, 0.0022);
    let p = x.mul_add(p, 0.0031);
    let p = x.mul_add(p, 0.0047);
    let p = x.mul_add(p, 0.0072);
    let p = x.mul_add(p, 0.0113);
    let p = x.mul_add(p, 0.0181);
    let p = x.mul_add(p, 0.0293);
    let p = x.mul_add(p, 0.0479);
    let p = x.mul_add(p, 0.0796);
    let p = x.mul_add(p, 0.1353);
    let p = x.mul_add(p, 0.3679);
    x.mul_add(p, 1.0)
}

#[vectorize]
pub(crate) fn saxpy(a: f32, x: f32, y: f32) -> f32 {
    a * x + y
}

#[vectorize]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
