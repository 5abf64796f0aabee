//! NumPy's broadcasting: the loop's shape from the operands' shapes, and strides for that shape.

use super::error::{ArrayError, BroadcastError};
use super::layout::{MAX_AXES, Shape, Strides};
use smallvec::SmallVec;
use ufc_ir::DType;

/// The shape that operands of these names and shapes broadcast to.
///
/// Shapes are aligned at their last axis; lengths along an axis must be equal or 1.
pub fn broadcast_shapes<'s>(
    operands: impl Iterator<Item = (&'s str, &'s [usize])> + Clone,
) -> Result<Shape, ArrayError> {
    let mut ndim = 0;
    let mut longest: &[usize] = &[];
    for (_, lens) in operands.clone() {
        if lens.len() > ndim {
            (ndim, longest) = (lens.len(), lens);
        }
    }
    if ndim > MAX_AXES {
        return Err(ArrayError::TooManyAxes(ndim));
    }
    // Most often all operands have one shape, which has been checked, or none.
    if operands
        .clone()
        .all(|(_, lens)| lens.is_empty() || lens == longest)
    {
        return Ok(Shape::from_slice(longest));
    }
    let mut shape: Shape = SmallVec::from_elem(1, ndim);
    for (name, lens) in operands.clone() {
        for (from_end, &len) in lens.iter().rev().enumerate() {
            let slot = &mut shape[ndim - 1 - from_end];
            if *slot == 1 {
                *slot = len;
            } else if len != 1 && len != *slot {
                return Err(conflict(operands, (name, lens), from_end));
            }
        }
    }
    if super::layout::element_count(&shape).is_none_or(|n| isize::try_from(n).is_err()) {
        return Err(ArrayError::TooLarge {
            shape,
            dtype: DType::U8,
        });
    }
    Ok(shape)
}

/// The error for an operand that does not fit an earlier one along an axis.
fn conflict<'s>(
    mut operands: impl Iterator<Item = (&'s str, &'s [usize])>,
    second: (&str, &[usize]),
    from_end: usize,
) -> ArrayError {
    let owned = |(name, lens): (&str, &[usize])| (name.to_owned(), Shape::from_slice(lens));
    let first = operands
        .find(|(_, lens)| lens.iter().rev().nth(from_end).is_some_and(|&len| len != 1))
        .unwrap_or(second);
    ArrayError::Broadcast(Box::new(BroadcastError {
        first: owned(first),
        second: owned(second),
        from_end,
    }))
}

/// Strides of an operand for a loop shape it broadcasts to: 0 along new axes and those it has only one element of.
pub fn broadcast_strides(shape: &[usize], strides: &[isize], to: &[usize]) -> Strides {
    let new_axes = to.len() - shape.len();
    let old = shape.iter().zip(strides).zip(&to[new_axes..]);
    std::iter::repeat_n(0, new_axes)
        .chain(old.map(
            |((&len, &stride), &want)| {
                if len == 1 && want != 1 { 0 } else { stride }
            },
        ))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(list: &[(&'static str, &'static [usize])]) -> Result<Shape, String> {
        broadcast_shapes(list.iter().copied()).map_err(|e| e.to_string())
    }

    #[test]
    fn shapes_meet_at_the_last_axis() {
        assert_eq!(shapes(&[]).unwrap().as_slice(), [0usize; 0]);
        let row_and_column = shapes(&[("re", &[2000]), ("im", &[1500, 1])]);
        assert_eq!(row_and_column.unwrap().as_slice(), [1500, 2000]);
        let with_zero = shapes(&[("a", &[0]), ("b", &[3, 1])]);
        assert_eq!(with_zero.unwrap().as_slice(), [3, 0]);
    }

    #[test]
    fn conflicts_name_both_operands() {
        assert_eq!(
            shapes(&[("n", &[]), ("re", &[2000]), ("im", &[1500])]).unwrap_err(),
            "`re` has shape (2000,) and `im` has shape (1500,): axis 0 is 2000 and 1500"
        );
        assert_eq!(
            shapes(&[("a", &[4, 3, 1]), ("b", &[2, 1])]).unwrap_err(),
            "`a` has shape (4, 3, 1) and `b` has shape (2, 1): axis -2 is 3 and 2"
        );
    }

    #[test]
    fn huge_products_are_an_error() {
        let message = shapes(&[("a", &[1 << 40, 1]), ("b", &[1, 1 << 40])]).unwrap_err();
        assert!(
            message.contains("(1099511627776, 1099511627776)"),
            "{message}"
        );
    }

    #[test]
    fn strides_are_zero_where_repeated() {
        let strides = broadcast_strides(&[1, 3], &[99, 4], &[5, 2, 3]);
        assert_eq!(strides.as_slice(), [0, 0, 4]);
    }
}
