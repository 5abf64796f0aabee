//! Prices of options, a million at once, and one of them by the plain Rust function.

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::time::Instant;

use ufc::{Target, device, vectorize};

/// Interest a year.
#[device]
const RATE: f32 = 0.02;

/// Volatility a year.
#[device]
const VOLATILITY: f32 = 0.3;

/// The normal distribution function, by Abramowitz and Stegun 26.2.17: wrong by less than 7.5e-8.
#[device]
fn normal_cdf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let poly = 1.330_274_5 * t - 1.821_255_9;
    let poly = ((poly * t + 1.781_477_9) * t - 0.356_563_78) * t + 0.319_381_54;
    let tail = 0.398_942_3 * (-0.5 * x * x).exp() * poly * t;
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// Prices of a European call and put.
#[vectorize]
fn black_scholes(spot: f32, strike: f32, years: f32) -> (f32, f32) {
    let spread = VOLATILITY * years.sqrt();
    let drift = (RATE + 0.5 * VOLATILITY * VOLATILITY) * years;
    let d1 = ((spot / strike).ln() + drift) / spread;
    let d2 = d1 - spread;
    let discounted = strike * (-RATE * years).exp();
    let call = spot * normal_cdf(d1) - discounted * normal_cdf(d2);
    let put = discounted * normal_cdf(-d2) - spot * normal_cdf(-d1);
    (call, put)
}

fn main() -> Result<(), ufc::Error> {
    let n = 1_000_000;
    let spot: Vec<f32> = (0..n).map(|i| 50.0 + 100.0 * i as f32 / n as f32).collect();
    let years: Vec<f32> = (0..n).map(|i| 0.25 + (i % 40) as f32 * 0.25).collect();

    // Into memory that is there already: a slice for each result. The strike is the same for all.
    let (mut call, mut put) = (vec![0.0f32; n], vec![0.0f32; n]);
    black_scholes.call_into((&spot, 100.0, &years), (&mut call, &mut put))?;

    // Once more, now that the kernel is compiled, and on a target of choice.
    let start = Instant::now();
    let again = black_scholes.on(Target::CPU);
    again.call_into((&spot, 100.0, &years), (&mut call, &mut put))?;
    let taken = start.elapsed();
    println!("{}\n", black_scholes.explain((&spot, 100.0, &years)));
    println!("{n} options in {taken:.1?}");

    // Some of them, and the same by the plain Rust function. That uses Rust's `exp` and `ln`, which may differ in the last place.
    println!("\n   spot  years |    call     put | by Rust:  call     put");
    for i in (0..n).step_by(n / 8 + 7) {
        let (spot, years) = (spot[i], years[i]);
        let (one_call, one_put) = black_scholes(spot, 100.0, years);
        println!(
            "{spot:7.2} {years:6.2} | {:7.3} {:7.3} | {one_call:14.3} {one_put:7.3}",
            call[i], put[i]
        );
    }
    Ok(())
}
