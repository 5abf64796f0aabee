//! How arrays and views print: like NumPy, with the middle of long axes left out.

use super::element::format_value;
use super::error::Tuple;
use super::view::View;
use std::fmt;

/// Arrays with more elements than this are abbreviated.
const FULL: usize = 1000;

/// How many elements of an abbreviated axis are shown at each end.
const EDGE: usize = 3;

/// `View<f32, (2, 3)> [[1.0, …], …]`.
pub(crate) fn debug(f: &mut fmt::Formatter<'_>, what: &str, view: &View<'_>) -> fmt::Result {
    let order = if view.is_byte_swapped() {
        ", byte-swapped"
    } else {
        ""
    };
    let tuple = Tuple(view.shape());
    write!(f, "{what}<{}, {tuple}{order}> ", view.dtype())?;
    display(f, view)
}

/// Nested brackets.
pub(crate) fn display(f: &mut fmt::Formatter<'_>, view: &View<'_>) -> fmt::Result {
    if view.is_empty() {
        return f.write_str("[]");
    }
    let abbreviate = view.len() > FULL;
    axis(f, view, &mut Vec::new(), abbreviate)
}

/// The elements below a position; no deeper than there are axes, which are few.
fn axis(
    f: &mut fmt::Formatter<'_>,
    view: &View<'_>,
    index: &mut Vec<usize>,
    abbreviate: bool,
) -> fmt::Result {
    let Some(&len) = view.shape().get(index.len()) else {
        return match view.get(index) {
            Some(value) => f.write_str(&format_value(value)),
            None => Ok(()),
        };
    };
    f.write_str("[")?;
    let mut i = 0;
    while i < len {
        if i > 0 {
            f.write_str(", ")?;
        }
        if abbreviate && i == EDGE && len > 2 * EDGE {
            f.write_str("..., ")?;
            i = len - EDGE;
        }
        index.push(i);
        axis(f, view, index, abbreviate)?;
        index.pop();
        i += 1;
    }
    f.write_str("]")
}

#[cfg(test)]
mod tests {
    use crate::array::{Array, View};

    #[test]
    fn short_arrays_in_full_and_long_ones_in_part() {
        let small = Array::from_slice(&[1.5f32, 2.0, 3.0, 4.0])
            .reshape(&[2, 2])
            .unwrap();
        assert_eq!(small.to_string(), "[[1.5, 2.0], [3.0, 4.0]]");
        assert_eq!(
            format!("{small:?}"),
            "Array<f32, (2, 2)> [[1.5, 2.0], [3.0, 4.0]]"
        );
        let long: Vec<u16> = (0..2000).collect();
        let text = View::from_slice(&long).to_string();
        assert_eq!(text, "[0, 1, 2, ..., 1997, 1998, 1999]");
        assert_eq!(Array::from(true).to_string(), "true");
    }
}
