//! Loop dims: cut into parts that fit the device, and merged where operands allow.

/// A box of the loop dims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The first position along each dim.
    pub(crate) start: Vec<usize>,
    /// How many there are along each dim.
    pub(crate) shape: Vec<usize>,
}

impl Part {
    pub(crate) fn whole(shape: &[usize]) -> Part {
        Part {
            start: vec![0; shape.len()],
            shape: shape.to_vec(),
        }
    }

    /// Number of elements, as far as 64 bits go.
    pub(crate) fn count(&self) -> u64 {
        let extents = self.shape.iter().map(|n| *n as u64);
        extents.fold(1, u64::saturating_mul)
    }

    /// Both halves along the first dim that has more than one position; none if there is one element only.
    ///
    /// The first half is of a multiple of 64 positions where it can be, so that words and vectors of results stay whole.
    pub(crate) fn halves(&self) -> Option<(Part, Part)> {
        let dim = self.shape.iter().position(|n| *n > 1)?;
        let extent = self.shape[dim];
        let half = extent / 2;
        let half = if half > 64 { half & !63 } else { half };
        let (mut first, mut second) = (self.clone(), self.clone());
        first.shape[dim] = half;
        second.shape[dim] = extent - half;
        second.start[dim] += half;
        Some((first, second))
    }

    /// Where the part begins, by strides along each dim.
    pub(crate) fn offset(&self, strides: &[isize]) -> isize {
        let steps = self.start.iter().zip(strides);
        steps.map(|(n, s)| (*n as isize).wrapping_mul(*s)).sum()
    }

    /// The same, for positions.
    pub(crate) fn position(&self, base: i64, steps: &[i64]) -> i64 {
        let moved = self.start.iter().zip(steps);
        moved.fold(base, |at, (n, s)| {
            at.wrapping_add((*n as i64).wrapping_mul(*s))
        })
    }
}

/// The strides that a shader is given: a row for each of its operands in memory that is not packed, and for each position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dims {
    pub(crate) extents: Vec<usize>,
    pub(crate) rows: Vec<Vec<i64>>,
}

impl Dims {
    /// Drops dims of one position and merges neighbours along which every row goes on as it began; without rows, drops all.
    pub(crate) fn merged(mut self) -> Dims {
        if self.rows.is_empty() {
            self.extents.clear();
        }
        for dim in (0..self.extents.len()).rev() {
            let extent = self.extents[dim];
            let drops = extent == 1;
            let merges = dim + 1 < self.extents.len() && {
                let inner = self.extents[dim + 1] as i64;
                let goes_on = |row: &Vec<i64>| row[dim] == row[dim + 1].wrapping_mul(inner);
                self.rows.iter().all(goes_on)
            };
            if drops {
                self.extents.remove(dim);
                self.rows.iter_mut().for_each(|row| {
                    row.remove(dim);
                });
            } else if merges {
                self.extents[dim + 1] *= extent;
                self.extents.remove(dim);
                self.rows.iter_mut().for_each(|row| {
                    row.remove(dim);
                });
            }
        }
        self
    }
}

/// Strides of elements that lie one after another in the order of these extents, in elements; 0 where not counted.
pub(crate) fn packed_strides(extents: &[usize], counted: &[bool]) -> Vec<i64> {
    let mut strides = vec![0; extents.len()];
    let mut next = 1i64;
    for dim in (0..extents.len()).rev() {
        if counted[dim] {
            strides[dim] = next;
            next *= extents[dim] as i64;
        }
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_the_whole() {
        let mut parts = vec![Part::whole(&[1, 3, 200])];
        let mut elements = Vec::new();
        while let Some(part) = parts.pop() {
            if part.count() > 70
                && let Some((a, b)) = part.halves()
            {
                parts.extend([b, a]);
                continue;
            }
            let first = part.offset(&[600, 200, 1]);
            for row in 0..part.shape[1] as isize {
                let row_start = first + row * 200;
                elements.extend(row_start..row_start + part.shape[2] as isize);
            }
        }
        assert_eq!(elements, (0..600).collect::<Vec<_>>());
        assert_eq!(Part::whole(&[]).halves(), None);
        assert_eq!(Part::whole(&[1, 1]).halves(), None);
    }

    #[test]
    fn dims_merge_where_every_row_goes_on() {
        let dims = Dims {
            extents: vec![2, 1, 3, 4],
            rows: vec![vec![12, 0, 4, 1], vec![0, 7, 0, 0]],
        };
        let merged = dims.merged();
        assert_eq!(merged.extents, [24]);
        assert_eq!(merged.rows, [[1], [0]]);
        let dims = Dims {
            extents: vec![3, 4],
            rows: vec![vec![0, 1], vec![1, 0]],
        };
        assert_eq!(dims.clone().merged(), dims);
        let none = Dims {
            extents: vec![1, 1],
            rows: vec![vec![5, 5]],
        };
        assert_eq!(none.merged().extents, [0; 0]);
        let packed = Dims {
            extents: vec![3, 4],
            rows: Vec::new(),
        };
        assert_eq!(packed.merged().extents, [0; 0]);
    }

    #[test]
    fn packed_strides_skip_what_is_broadcast() {
        assert_eq!(packed_strides(&[2, 3, 4], &[true, false, true]), [4, 0, 1]);
    }
}
