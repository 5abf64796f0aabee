//! Kernels one after the other on arrays of the crate `ndarray`: a picture is blurred, sharpened and cut to bytes.
//!
//! `cargo run --release --example pipeline --features ndarray`

#![expect(clippy::print_stdout, reason = "an example shows what it did")]
#![expect(
    clippy::reversed_empty_ranges,
    reason = "in `s![..]` a negative number counts from the end"
)]

use ndarray::{Array2, s};
use ufc::{device, vectorize};

/// A weighted mean of two numbers.
#[device]
fn lerp<T: Float>(a: T, b: T, t: T) -> T {
    a + (b - a) * t
}

/// The mean of a point and its four neighbours.
#[vectorize]
fn blur(centre: f32, north: f32, south: f32, west: f32, east: f32) -> f32 {
    lerp(centre, (north + south + west + east) / 4.0, 0.8)
}

/// What a blurred picture lacks, put back twice.
#[vectorize(types(f32, f64))]
fn sharpen<T: Float>(original: T, blurred: T, amount: T) -> T {
    original + (original - blurred) * amount
}

/// A number from 0 to 1 as a byte.
#[vectorize]
fn to_byte(x: f32) -> u8 {
    (x.clamp(0.0, 1.0) * 255.0).round() as u8
}

fn main() -> Result<(), ufc::Error> {
    let (height, width) = (480, 640);
    let picture = Array2::from_shape_fn((height, width), |(y, x)| {
        let (dy, dx) = (y as f32 - 240.0, x as f32 - 320.0);
        if dx.hypot(dy) < 150.0 { 0.8 } else { 0.2 }
    });

    // Views of the inner part, each moved by one: no copies are made.
    let inner = picture.slice(s![1..-1, 1..-1]);
    let mut blurred = Array2::<f32>::zeros(inner.dim());
    blur.call_into(
        (
            inner,
            picture.slice(s![..-2, 1..-1]),
            picture.slice(s![2.., 1..-1]),
            picture.slice(s![1..-1, ..-2]),
            picture.slice(s![1..-1, 2..]),
        ),
        &mut blurred,
    )?;

    // Results of one kernel are arguments of the next; the last one is written into a part of an array.
    let sharp = sharpen::call((inner, &blurred, 2.0))?;
    let mut bytes = Array2::<u8>::zeros((height, width));
    to_byte.call_into(&sharp, bytes.slice_mut(s![1..-1, 1..-1]))?;

    println!("{}\n", to_byte.explain(&sharp));
    println!("across the edge of the disk, in row 240:");
    let sharp = &sharp.as_slice()[239 * (width - 2) + 164..][..12];
    println!("original  {:5.2}", picture.slice(s![240, 165..177]));
    println!("blurred   {:5.2}", blurred.slice(s![239, 164..176]));
    println!("sharpened {sharp:5.2?}");
    println!("as bytes  {:5}", bytes.slice(s![240, 165..177]));
    assert_eq!(bytes[(240, 320)], to_byte(0.8));
    Ok(())
}
