//! The Mandelbrot set as a PNG: `cargo run --release --example mandelbrot -- mandelbrot.png`.

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;
use std::time::Instant;

use ufc::{AsColumn, vectorize};

const WIDTH: usize = 1200;
const HEIGHT: usize = 800;

/// Steps until z -> z*z + c gets far away, with a fraction that makes them continuous; -1 where it does not.
#[vectorize]
fn escape(re: f32, im: f32, most: u32) -> f32 {
    let c = c64(re, im);
    let mut z = c64(0.0, 0.0);
    for i in 0..most {
        z = z * z + c;
        let far = z.norm_sqr();
        if far > 256.0 {
            return i as f32 + 1.0 - (0.5 * far.log2() / 8.0).log2();
        }
    }
    -1.0
}

/// The colour of a point that left after so many steps: cosines of three phases, black inside.
#[vectorize]
fn colour(steps: f32) -> (u8, u8, u8) {
    if steps < 0.0 {
        return (0, 0, 0);
    }
    let turn = 3.0 + 1.3 * (steps + 1.0).ln();
    let red = 127.5 + 127.5 * (turn + 0.0).cos();
    let green = 127.5 + 127.5 * (turn + 0.6).cos();
    let blue = 127.5 + 127.5 * (turn + 1.4).cos();
    (red as u8, green as u8, blue as u8)
}

fn linspace(start: f32, end: f32, len: usize) -> Vec<f32> {
    let step = (end - start) / (len - 1) as f32;
    (0..len).map(|i| start + step * i as f32).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1);
    let path = path.unwrap_or_else(|| "mandelbrot.png".to_string());
    let re = linspace(-2.35, 1.07, WIDTH);
    let im = linspace(-1.14, 1.14, HEIGHT);

    // A row and a column make a table. What the call is going to do, and then the call.
    println!("{}\n", escape.explain((&re, im.column(), 1000)));
    let start = Instant::now();
    let steps = escape.call((&re, im.column(), 1000))?;
    let (red, green, blue) = colour.call(&steps)?;
    println!("{WIDTH} x {HEIGHT} points in {:.1?}", start.elapsed());

    let pixels: Vec<u8> = red
        .as_slice()
        .iter()
        .zip(green.as_slice())
        .zip(blue.as_slice())
        .flat_map(|((red, green), blue)| [*red, *green, *blue])
        .collect();
    let file = BufWriter::new(File::create(&path)?);
    let mut encoder = png::Encoder::new(file, WIDTH as u32, HEIGHT as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&pixels)?;

    // The functions are still functions.
    let (inside, outside) = (escape(0.0, 0.0, 1000), escape(0.3, 0.6, 1000));
    println!("{path}: 0 stays ({inside}), 0.3+0.6i leaves after {outside:.2} steps");
    Ok(())
}
