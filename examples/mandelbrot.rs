//! The Mandelbrot set as a PNG: `cargo run --release --example mandelbrot -- mandelbrot.png`.

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;

use ufc::{AsColumn, vectorize};

const WIDTH: usize = 1200;
const HEIGHT: usize = 800;

/// Steps until z -> z*z + c leaves |z| < 2; 255 where it does not within `iters` steps.
#[vectorize]
fn mandelbrot(re: f32, im: f32, iters: u32) -> u8 {
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

/// How bright a point is that left after so many steps; black inside.
#[vectorize]
fn shade(steps: u8) -> u8 {
    if steps == 255 {
        0
    } else {
        (255.0 * (steps as f32 / 255.0).powf(0.35)) as u8
    }
}

fn linspace(start: f32, end: f32, len: usize) -> Vec<f32> {
    let step = (end - start) / (len - 1) as f32;
    (0..len).map(|i| start + step * i as f32).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args()
        .nth(1)
        .unwrap_or("mandelbrot.png".to_string());
    let re = linspace(-2.0, 1.0, WIDTH);
    let im = linspace(-1.0, 1.0, HEIGHT);

    // A row and a column make a table.
    let steps = mandelbrot.call((&re, im.column(), 255))?;
    println!("{}", mandelbrot.explain((&re, im.column(), 255)));
    let pixels = shade.call(&steps)?;

    let file = BufWriter::new(File::create(&path)?);
    let mut encoder = png::Encoder::new(file, WIDTH as u32, HEIGHT as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder
        .write_header()?
        .write_image_data(pixels.as_slice())?;

    // The function is still a function.
    println!(
        "{path}: the origin stays for {} steps",
        mandelbrot(0.0, 0.0, 255)
    );
    Ok(())
}
