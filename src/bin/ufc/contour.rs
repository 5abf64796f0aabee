//! Whole numbers on a grid as the heights of contour lines: what lies between two lines is interpolated.

/// A distance from no line at all.
const FAR: f32 = f32::INFINITY;

/// How far in pixels the last step reaches where there is no further line.
const REACH: f32 = 0.2;

/// The steps to the neighbours that a sweep from the upper left has met already, with their lengths.
const BEFORE: [(isize, isize, f32); 4] = [
    (-1, 0, 1.0),
    (0, -1, 1.0),
    (-1, -1, std::f32::consts::SQRT_2),
    (1, -1, std::f32::consts::SQRT_2),
];

/// Adds to every value, but to the largest, the share from 0 to 1 of the way from the next lower value to the next higher
/// one. Lines thus stay where they are, and the steps between them become slopes.
pub(crate) fn smooth(values: &mut [f32], width: usize) {
    let top = values.iter().copied().fold(f32::MIN, f32::max);
    let down = distances(values, width, |own, other| other < own);
    let up = distances(values, width, |own, other| other > own);
    let reach = REACH * width as f32;
    for ((value, down), up) in values.iter_mut().zip(down).zip(up) {
        if *value == top || !value.is_finite() {
            continue;
        }
        *value += match (down == FAR, up == FAR) {
            (true, true) => 0.0,
            (true, false) => 1.0 / (1.0 + up / reach),
            (false, true) => down / (down + reach),
            (false, false) => down / (down + up),
        };
    }
}

/// For each pixel about how far it is, within pixels of its own value, to one that differs in the way asked for.
fn distances(values: &[f32], width: usize, differs: fn(f32, f32) -> bool) -> Vec<f32> {
    let mut found = vec![FAR; values.len()];
    let height = values.len() / width.max(1);
    // Each round carries distances from all sides; bends of a region need a second one.
    for _ in 0..2 {
        for backwards in [false, true] {
            for step in 0..width * height {
                let at = if backwards {
                    values.len() - 1 - step
                } else {
                    step
                };
                let (x, y) = (at % width, at / width);
                for (dx, dy, length) in BEFORE {
                    let (dx, dy) = if backwards { (-dx, -dy) } else { (dx, dy) };
                    let (Some(nx), Some(ny)) = (x.checked_add_signed(dx), y.checked_add_signed(dy))
                    else {
                        continue;
                    };
                    if nx >= width || ny >= height {
                        continue;
                    }
                    let other = ny * width + nx;
                    // The line runs halfway between two pixels.
                    let through = if differs(values[at], values[other]) {
                        length / 2.0
                    } else if values[at] == values[other] {
                        found[other] + length
                    } else {
                        FAR
                    };
                    found[at] = found[at].min(through);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_become_slopes() {
        let row = |n: f32| [n; 4];
        let mut values = [row(1.0), row(2.0), row(3.0), row(9.0)].concat();
        // Each column is a flight of steps: 1 1 1 1 2 2 2 2 …
        smooth(&mut values, 1);
        assert!(values.windows(2).all(|w| w[0] <= w[1]), "{values:?}");
        assert_eq!(values[4..8], [2.125, 2.375, 2.625, 2.875]);
        assert_eq!(values[12..], [9.0; 4]);
    }

    #[test]
    fn flat_and_empty_grids_stay() {
        let mut values = [7.0; 6];
        smooth(&mut values, 3);
        assert_eq!(values, [7.0; 6]);
        smooth(&mut [], 0);
        let mut odd = [f32::NAN, 1.0, 2.0, f32::INFINITY];
        smooth(&mut odd, 2);
        assert!(odd[0].is_nan() && odd[3] == f32::INFINITY && (1.0..2.0).contains(&odd[1]));
    }
}
