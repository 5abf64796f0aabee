//! Numbers as colours: colour maps, how values are spread over them, and PNG files.

use std::path::Path;

use colorgrad::{BlendMode, Gradient, GradientBuilder, LinearGradient};

use crate::args::{PaletteName, Scale};
use crate::output::Failure;
use crate::save;

/// How many colours a map is sampled at.
const STEPS: usize = 1024;

/// Where the values below the plateau end on the map: the plateau has the rest of it for itself.
const BELOW_PLATEAU: f32 = 0.94;

/// A value has a plateau if it covers more than one element in so many.
const PLATEAU_SHARE: usize = 200;

/// Light of the three primary colours, from 0 to 1, in proportion to their intensity.
type Light = [f32; 3];

/// A picture in linear light, row by row.
pub(crate) struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<Light>,
}

impl Picture {
    /// Colours a grid of values.
    pub(crate) fn of_values(
        values: &[f32],
        width: usize,
        palette: PaletteName,
        scale: Scale,
    ) -> Picture {
        let map = sample(palette);
        let pixels = positions(values, scale)
            .into_iter()
            .map(|t| map[((t * (STEPS - 1) as f32).round() as usize).min(STEPS - 1)])
            .collect();
        Picture {
            width,
            height: values.len() / width.max(1),
            pixels,
        }
    }

    /// A picture from three planes of bytes.
    pub(crate) fn of_planes(red: &[u8], green: &[u8], blue: &[u8], width: usize) -> Picture {
        let planes = red.iter().zip(green).zip(blue);
        let light = |byte: u8| to_light(f32::from(byte) / 255.0);
        Picture {
            width,
            height: red.len() / width.max(1),
            pixels: planes
                .map(|((r, g), b)| [light(*r), light(*g), light(*b)])
                .collect(),
        }
    }

    /// Averages squares of so many pixels a side; rows and columns that do not fill a square are dropped.
    pub(crate) fn shrink(&self, side: usize) -> Picture {
        let (width, height) = (self.width / side, self.height / side);
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let mut sum = [0.0; 3];
                for row in 0..side {
                    let start = (y * side + row) * self.width + x * side;
                    for pixel in &self.pixels[start..start + side] {
                        for (sum, light) in sum.iter_mut().zip(pixel) {
                            *sum += light;
                        }
                    }
                }
                pixels.push(sum.map(|s| s / (side * side) as f32));
            }
        }
        Picture {
            width,
            height,
            pixels,
        }
    }

    /// Width and height in pixels.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Writes a PNG file; it is complete or not there.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Failure> {
        let too_large = |_| Failure::user("the picture is too large for PNG");
        let width = u32::try_from(self.width).map_err(too_large)?;
        let height = u32::try_from(self.height).map_err(too_large)?;
        let bytes: Vec<u8> = self
            .pixels
            .iter()
            .flatten()
            .map(|light| (from_light(*light) * 255.0).round() as u8)
            .collect();
        save::atomically(path, |file| {
            let mut encoder = png::Encoder::new(file, width, height);
            encoder.set_color(png::ColorType::Rgb);
            encoder.set_depth(png::BitDepth::Eight);
            encoder.set_compression(png::Compression::High);
            encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
            let mut writer = encoder.write_header()?;
            writer.write_image_data(&bytes)?;
            writer.finish()?;
            Ok(())
        })
    }
}

/// The colour map called dusk, as position and colour.
const DUSK: &[(f32, &str)] = &[
    (0.0, "#040626"),
    (0.12, "#0e266e"),
    (0.32, "#3478c8"),
    (0.5, "#c4e8f0"),
    (0.62, "#ffecaa"),
    (0.78, "#f09620"),
    (0.92, "#6e1824"),
    (1.0, "#04020a"),
];

/// The colour map called ember.
const EMBER: &[(f32, &str)] = &[
    (0.0, "#05030f"),
    (0.2, "#33105c"),
    (0.45, "#9c2462"),
    (0.7, "#f0762c"),
    (0.88, "#ffd36b"),
    (1.0, "#fffbe8"),
];

/// The colours of a map at [`STEPS`] even positions.
fn sample(palette: PaletteName) -> Vec<Light> {
    let gradient: Box<dyn Gradient> = match palette {
        PaletteName::Dusk => Box::new(through(DUSK)),
        PaletteName::Ember => Box::new(through(EMBER)),
        PaletteName::Viridis => Box::new(colorgrad::preset::viridis()),
        PaletteName::Inferno => Box::new(colorgrad::preset::inferno()),
        PaletteName::Turbo => Box::new(colorgrad::preset::turbo()),
        PaletteName::Gray => Box::new(colorgrad::preset::greys()),
    };
    let last = (STEPS - 1) as f32;
    (0..STEPS)
        .map(|i| match palette {
            // The preset runs from white to black.
            PaletteName::Gray => gradient.at(1.0 - i as f32 / last),
            _ => gradient.at(i as f32 / last),
        })
        .map(|color| [color.r, color.g, color.b].map(to_light))
        .collect()
}

/// A gradient through colours of ours, mixed as light mixes.
fn through(stops: &[(f32, &str)]) -> LinearGradient {
    let (positions, colors): (Vec<f32>, Vec<&str>) = stops.iter().copied().unzip();
    let built = GradientBuilder::new()
        .html_colors(&colors)
        .domain(&positions)
        .mode(BlendMode::LinearRgb)
        .build::<LinearGradient>();
    built.expect("the tables above are well-formed gradients")
}

/// sRGB to linear light (IEC 61966-2-1).
fn to_light(srgb: f32) -> f32 {
    if srgb <= 0.04045 {
        srgb / 12.92
    } else {
        ((srgb + 0.055) / 1.055).powf(2.4)
    }
}

/// Linear light to sRGB.
fn from_light(light: f32) -> f32 {
    if light <= 0.003_130_8 {
        light * 12.92
    } else {
        1.055 * light.powf(1.0 / 2.4) - 0.055
    }
}

/// Where each value stands on the map, from 0 to 1; NaN at 0.
fn positions(values: &[f32], scale: Scale) -> Vec<f32> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let (Some(&low), Some(&high)) = (sorted.first(), sorted.last()) else {
        return vec![0.0; values.len()];
    };
    // Many equal values at the top are what never ended, such as the inside of the Mandelbrot set.
    let below = sorted.partition_point(|v| *v < high);
    let plateau = sorted.len() - below > sorted.len() / PLATEAU_SHARE && below > 0;
    let shown = if plateau { &sorted[..below] } else { &sorted };
    let top = shown.last().copied().unwrap_or(high);
    let span = if plateau { BELOW_PLATEAU } else { 1.0 };
    let log = |v: f32| (v - low).max(0.0).ln_1p() / (top - low).ln_1p().max(f32::MIN_POSITIVE);
    let rank = |v: f32| {
        let less = shown.partition_point(|x| *x < v);
        let equal = shown[less..].partition_point(|x| *x <= v);
        (less as f32 + equal as f32 / 2.0) / shown.len() as f32
    };
    let position = |v: f32| match scale {
        Scale::Linear => (v - low) / (top - low).max(f32::MIN_POSITIVE),
        Scale::Log => log(v),
        Scale::Equalize => (log(v) + rank(v)) / 2.0,
    };
    values
        .iter()
        .map(|&v| match v {
            _ if v.is_nan() => 0.0,
            _ if plateau && v >= high => 1.0,
            _ => position(v.clamp(low, high)).clamp(0.0, 1.0) * span,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_keep_the_order_and_the_plateau_apart() {
        let values: Vec<f32> = [0.0, 1.0, 1.0, 5.0, f32::NAN, f32::INFINITY]
            .into_iter()
            .chain([255.0; 10])
            .collect();
        for scale in [Scale::Linear, Scale::Log, Scale::Equalize] {
            let at = positions(&values, scale);
            assert!(at[0] < at[1] && at[1] == at[2] && at[2] < at[3], "{at:?}");
            assert!(at[3] <= BELOW_PLATEAU && at[4] == 0.0 && at[5] == 1.0 && at[6] == 1.0);
        }
        assert_eq!(positions(&[f32::NAN], Scale::Log), [0.0]);
        assert!(positions(&[], Scale::Log).is_empty());
        assert!(
            positions(&[7.0; 4], Scale::Linear)
                .iter()
                .all(|t| (0.0..=1.0).contains(t))
        );
    }

    #[test]
    fn light_makes_the_round_trip() {
        for byte in 0..=255u8 {
            let there = to_light(f32::from(byte) / 255.0);
            assert_eq!((from_light(there) * 255.0).round() as u8, byte);
        }
    }

    #[test]
    fn every_palette_is_made() {
        use clap::ValueEnum;
        for palette in PaletteName::value_variants() {
            let map = sample(*palette);
            assert!(map.iter().flatten().all(|l| (0.0..=1.0).contains(l)));
        }
    }

    #[test]
    fn shrinking_averages() {
        let byte = [0, 255, 255, 0, 9, 9];
        let picture = Picture::of_planes(&byte, &byte, &byte, 2).shrink(2);
        assert_eq!(picture.size(), (1, 1));
        assert_eq!(picture.pixels[0], [0.5; 3]);
    }
}
