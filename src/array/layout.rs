//! Shapes and strides: counts, contiguity, the memory a view spans, and whether two views overlap.

use super::error::ArrayError;
use smallvec::SmallVec;
use ufc_ir::DType;

/// Lengths of the axes, outermost first.
pub type Shape = SmallVec<[usize; 4]>;

/// Step in bytes along each axis.
pub type Strides = SmallVec<[isize; 4]>;

/// How many axes an array may have, as in NumPy 2.
pub const MAX_AXES: usize = 64;

/// How many elements a shape has; none if that overflows. A zero-size shape has none however long its other axes are.
pub fn element_count(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().try_fold(1usize, |n, &len| n.checked_mul(len))
}

/// How many bytes the elements take together; an error if that is more than `isize::MAX` or there are too many axes.
pub fn byte_count(shape: &[usize], dtype: DType) -> Result<usize, ArrayError> {
    if shape.len() > MAX_AXES {
        return Err(ArrayError::TooManyAxes(shape.len()));
    }
    element_count(shape)
        .and_then(|n| n.checked_mul(dtype.size()))
        .filter(|&bytes| isize::try_from(bytes).is_ok())
        .ok_or_else(|| ArrayError::TooLarge {
            shape: shape.into(),
            dtype,
        })
}

/// Strides of elements that lie one after the other, the last axis fastest.
///
/// The shape must have passed [`byte_count`]; where an axis is 0 long, strides have no meaning and may wrap.
pub fn c_strides(shape: &[usize], size: usize) -> Strides {
    let mut strides = fortran_strides_of(shape.iter().rev(), size);
    strides.reverse();
    strides
}

/// Strides of elements that lie one after the other, the first axis fastest; see [`c_strides`].
pub fn fortran_strides(shape: &[usize], size: usize) -> Strides {
    fortran_strides_of(shape.iter(), size)
}

fn fortran_strides_of<'a>(shape: impl Iterator<Item = &'a usize>, size: usize) -> Strides {
    let mut step = size as isize;
    shape
        .map(|&len| {
            let this = step;
            step = step.wrapping_mul(len as isize);
            this
        })
        .collect()
}

/// Whether the elements lie one after the other with the last axis fastest. Axes of length 1 do not matter.
pub fn is_c_contiguous(shape: &[usize], strides: &[isize], size: usize) -> bool {
    if shape.contains(&0) {
        return true;
    }
    let mut expected = size as isize;
    for (&len, &stride) in shape.iter().zip(strides).rev() {
        if len != 1 {
            if stride != expected {
                return false;
            }
            expected = expected.wrapping_mul(len as isize);
        }
    }
    true
}

/// The bytes that the elements span, as offsets from the first element: the lowest, and one past the highest.
/// Nothing for a zero-size shape is `(0, 0)`; none if an offset overflows.
pub fn extent(shape: &[usize], strides: &[isize], size: usize) -> Option<(isize, isize)> {
    if shape.contains(&0) {
        return Some((0, 0));
    }
    let (mut low, mut high) = (0isize, isize::try_from(size).ok()?);
    for (&len, &stride) in shape.iter().zip(strides) {
        let reach = stride.checked_mul(isize::try_from(len - 1).ok()?)?;
        if reach < 0 {
            low = low.checked_add(reach)?;
        } else {
            high = high.checked_add(reach)?;
        }
    }
    Some((low, high))
}

/// Whether two elements of one view may share memory.
///
/// Sorted by stride, every axis must step over all that the smaller ones span. Layouts that interleave
/// without sharing in more intricate ways count as sharing.
pub fn may_share_elements(shape: &[usize], strides: &[isize], size: usize) -> bool {
    if shape.contains(&0) {
        return false;
    }
    let mut axes: SmallVec<[(usize, usize); 4]> = shape
        .iter()
        .zip(strides)
        .filter(|&(&len, _)| len > 1)
        .map(|(&len, stride)| (stride.unsigned_abs(), len))
        .collect();
    axes.sort_unstable();
    let mut span = size;
    for (stride, len) in axes {
        if stride < span {
            return true;
        }
        let Some(wider) = stride
            .checked_mul(len - 1)
            .and_then(|reach| reach.checked_add(span))
        else {
            return true;
        };
        span = wider;
    }
    false
}

/// Where an operand lies: the address of its first element, the steps from there, and the element size.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Address of the first element.
    pub address: usize,
    /// Step in bytes along each axis of a shape both places share.
    pub strides: &'a [isize],
    /// Size of an element in bytes.
    pub size: usize,
}

/// How two operands of one loop lie to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// They share no byte.
    Disjoint,
    /// Elements of the same number lie at the same address and have the same size, so updating in place is safe.
    Same,
    /// They may share memory in some other way.
    Partial,
}

/// How two operands, both broadcast to `shape`, lie to each other. Judged by bounds, so interleaved
/// operands that share no byte count as `Partial`.
pub fn overlap(shape: &[usize], a: Place<'_>, b: Place<'_>) -> Overlap {
    if are_disjoint((shape, a), (shape, b)) {
        return Overlap::Disjoint;
    }
    let same_steps = shape
        .iter()
        .zip(a.strides.iter().zip(b.strides))
        .all(|(&len, (sa, sb))| len == 1 || sa == sb);
    if a.address == b.address
        && a.size == b.size
        && same_steps
        && !may_share_elements(shape, a.strides, a.size)
    {
        Overlap::Same
    } else {
        Overlap::Partial
    }
}

/// Whether two operands, each with its own shape, certainly share no byte.
pub fn are_disjoint(a: (&[usize], Place<'_>), b: (&[usize], Place<'_>)) -> bool {
    let range = |(shape, place): (&[usize], Place<'_>)| {
        let (low, high) = extent(shape, place.strides, place.size)?;
        let end = |reach| place.address.checked_add_signed(reach);
        Some((end(low)?, end(high)?))
    };
    match (range(a), range(b)) {
        (Some(a), Some(b)) => a.1 <= b.0 || b.1 <= a.0,
        _ => false,
    }
}

/// The byte offsets of every element from the first, in C order.
#[derive(Clone, Debug)]
pub struct Offsets {
    shape: Shape,
    strides: Strides,
    position: Shape,
    offset: isize,
    left: usize,
}

impl Offsets {
    /// Offsets for a shape whose count and extent do not overflow.
    pub fn new(shape: &[usize], strides: &[isize]) -> Offsets {
        Offsets {
            shape: shape.into(),
            strides: strides.into(),
            position: SmallVec::from_elem(0, shape.len()),
            offset: 0,
            left: element_count(shape).unwrap_or(0),
        }
    }
}

impl Iterator for Offsets {
    type Item = isize;

    fn next(&mut self) -> Option<isize> {
        self.left = self.left.checked_sub(1)?;
        let this = self.offset;
        for axis in (0..self.shape.len()).rev() {
            self.position[axis] += 1;
            // Wrapping, because a single element's stride along its axis is unchecked.
            self.offset = self.offset.wrapping_add(self.strides[axis]);
            if self.position[axis] < self.shape[axis] {
                break;
            }
            let back = self.strides[axis].wrapping_mul(self.shape[axis] as isize);
            self.offset = self.offset.wrapping_sub(back);
            self.position[axis] = 0;
        }
        Some(this)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Offsets {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_their_overflow() {
        assert_eq!(element_count(&[]), Some(1));
        assert_eq!(element_count(&[3, 0, usize::MAX, 9]), Some(0));
        assert_eq!(element_count(&[1 << 33, 1 << 33]), None);
        assert!(byte_count(&[1 << 60, 4], DType::U8).is_ok());
        assert!(byte_count(&[1 << 60, 4], DType::F64).is_err());
        assert!(byte_count(&[1; 65], DType::F64).is_err());
    }

    #[test]
    fn contiguity_ignores_axes_of_length_one() {
        assert_eq!(c_strides(&[2, 3, 4], 4).as_slice(), [48, 16, 4]);
        assert_eq!(fortran_strides(&[2, 3, 4], 4).as_slice(), [4, 8, 24]);
        assert!(is_c_contiguous(&[2, 1, 4], &[16, 999, 4], 4));
        assert!(!is_c_contiguous(&[2, 4], &[4, 8], 4));
        assert!(is_c_contiguous(&[], &[], 4));
        assert!(is_c_contiguous(&[4, 0], &[-7, 3], 4));
    }

    #[test]
    fn extents_reach_both_ways() {
        assert_eq!(extent(&[3, 2], &[-8, 4], 4), Some((-16, 8)));
        assert_eq!(extent(&[0, 2], &[-8, 4], 4), Some((0, 0)));
        assert_eq!(extent(&[1 << 62, 2], &[4, 1], 1), None);
    }

    #[test]
    fn elements_that_share_memory() {
        assert!(may_share_elements(&[3], &[0], 4));
        assert!(may_share_elements(&[3], &[2], 4));
        assert!(!may_share_elements(&[3], &[-4], 4));
        assert!(!may_share_elements(&[3, 2], &[4, 12], 4));
        assert!(may_share_elements(&[3, 2], &[4, 8], 4));
        assert!(!may_share_elements(&[1], &[0], 4));
    }

    #[test]
    fn overlaps_are_same_partial_or_none() {
        let at = |address, strides| Place {
            address,
            strides,
            size: 4,
        };
        let check = |a, b| overlap(&[8], a, b);
        assert_eq!(check(at(64, &[4]), at(64, &[4])), Overlap::Same);
        assert_eq!(check(at(64, &[4]), at(68, &[4])), Overlap::Partial);
        assert_eq!(check(at(64, &[4]), at(92, &[-4])), Overlap::Partial);
        assert_eq!(check(at(64, &[4]), at(96, &[4])), Overlap::Disjoint);
        assert_eq!(check(at(64, &[4]), at(95, &[4])), Overlap::Partial);
        assert_eq!(check(at(64, &[4]), at(60, &[0])), Overlap::Disjoint);
        assert_eq!(check(at(64, &[0]), at(64, &[0])), Overlap::Partial);
    }

    #[test]
    fn offsets_in_c_order() {
        let all: Vec<isize> = Offsets::new(&[2, 3], &[-16, 4]).collect();
        assert_eq!(all, [0, 4, 8, -16, -12, -8]);
        assert_eq!(Offsets::new(&[], &[]).count(), 1);
        assert_eq!(Offsets::new(&[2, 0], &[1, 1]).count(), 0);
    }
}
