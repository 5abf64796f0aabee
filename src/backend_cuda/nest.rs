//! Loop dims of a launch: merged where they can be, and cut into pieces.

use std::cmp::Ordering;
use ufc_target::BackendError;

/// The loop dims of a launch with the steps of all that moves along them. Every dim has at least two elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nest {
    pub shape: Vec<usize>,
    /// Per operand, its step in bytes along each dim.
    pub strides: Vec<Vec<isize>>,
    /// Per position the kernel asks for, its value at the first element.
    pub bases: Vec<i64>,
    /// Per position, its step along each dim.
    pub steps: Vec<Vec<i64>>,
}

/// A box of elements: where it begins along each dim, and how far it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub start: Vec<usize>,
    pub shape: Vec<usize>,
}

impl Piece {
    pub(crate) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// How far something with these steps has moved at the first element.
    pub(crate) fn offset(&self, strides: &[isize]) -> isize {
        let moved = self.start.iter().zip(strides);
        moved.map(|(at, stride)| *at as isize * stride).sum()
    }
}

impl Nest {
    /// Takes the loop dims of a launch, merges those that are one for every operand, and drops those of one element.
    ///
    /// # Errors
    /// If there are more elements than can be counted, or a list has not the length of the shape.
    pub(crate) fn new(
        shape: &[usize],
        strides: &[&[isize]],
        indices: &[(i64, &[i64])],
    ) -> Result<Nest, BackendError> {
        let fits = strides.iter().all(|s| s.len() == shape.len())
            && indices.iter().all(|(_, s)| s.len() == shape.len());
        if !fits {
            let what = "strides or positions are not as many as the loop dims";
            return Err(BackendError::LaunchFailed(what.to_string()));
        }
        let count = shape.iter().try_fold(1usize, |n, dim| n.checked_mul(*dim));
        if count.is_none_or(|n| n > isize::MAX as usize) {
            let what = "too many elements to count";
            return Err(BackendError::LaunchFailed(what.to_string()));
        }
        let mut nest = Nest {
            shape: shape.to_vec(),
            strides: strides.iter().map(|s| s.to_vec()).collect(),
            bases: indices.iter().map(|(base, _)| *base).collect(),
            steps: indices.iter().map(|(_, steps)| steps.to_vec()).collect(),
        };
        nest.simplify();
        Ok(nest)
    }

    pub(crate) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    fn simplify(&mut self) {
        for dim in (0..self.shape.len()).rev() {
            if self.shape[dim] == 1 {
                self.remove(dim);
            }
        }
        for dim in (1..self.shape.len()).rev() {
            let inner = self.shape[dim];
            let merges = self
                .strides
                .iter()
                .all(|s| s[dim].checked_mul(inner as isize) == Some(s[dim - 1]))
                && self
                    .steps
                    .iter()
                    .all(|s| s[dim].checked_mul(inner as i64) == Some(s[dim - 1]));
            if merges {
                self.shape[dim] *= self.shape[dim - 1];
                self.remove(dim - 1);
            }
        }
    }

    fn remove(&mut self, dim: usize) {
        self.shape.remove(dim);
        for strides in &mut self.strides {
            strides.remove(dim);
        }
        for steps in &mut self.steps {
            steps.remove(dim);
        }
    }

    /// A piece of it as a nest of its own; `strides` replaces those of the operands.
    pub(crate) fn of_piece(&self, piece: &Piece, strides: Vec<Vec<isize>>) -> Nest {
        let moved = |steps: &Vec<i64>| -> i64 {
            let moved = piece.start.iter().zip(steps);
            moved.map(|(at, step)| *at as i64 * step).sum()
        };
        let bases = self.bases.iter().zip(&self.steps);
        let mut nest = Nest {
            shape: piece.shape.clone(),
            strides,
            bases: bases.map(|(base, steps)| base + moved(steps)).collect(),
            steps: self.steps.clone(),
        };
        nest.simplify();
        nest
    }

    /// The dim along which pieces of at most so many elements are cut, and how long they are along it; the dims before
    /// it are taken one by one. None if one piece is enough.
    pub(crate) fn cut(&self, limit: usize) -> Option<(usize, usize)> {
        let limit = limit.max(1);
        if self.elements() <= limit {
            return None;
        }
        let mut inner = 1usize;
        for dim in (0..self.shape.len()).rev() {
            let with = inner.saturating_mul(self.shape[dim]);
            if with > limit {
                return Some((dim, limit / inner));
            }
            inner = with;
        }
        None
    }

    /// Boxes of at most so many elements that together are all of it, in order.
    pub(crate) fn pieces(&self, limit: usize) -> Pieces {
        self.pieces_of(self.whole(), limit)
    }

    /// All of it as one box, or none if there is no element.
    pub(crate) fn whole(&self) -> Vec<Piece> {
        let whole = Piece {
            start: vec![0; self.shape.len()],
            shape: self.shape.clone(),
        };
        (self.elements() > 0).then_some(whole).into_iter().collect()
    }

    /// The same for what is left of it, a list of which the last box is the first to be cut.
    pub(crate) fn pieces_of(&self, left: Vec<Piece>, limit: usize) -> Pieces {
        let (dim, length) = self.cut(limit).unwrap_or((0, usize::MAX));
        Pieces { dim, length, left }
    }
}

/// The pieces of a nest; see [`Nest::pieces`].
pub(crate) struct Pieces {
    dim: usize,
    length: usize,
    /// What has not been taken, the next box last.
    left: Vec<Piece>,
}

impl Pieces {
    /// How far a piece reaches along a dim at most.
    fn most(&self, dim: usize) -> usize {
        match dim.cmp(&self.dim) {
            Ordering::Less => 1,
            Ordering::Equal => self.length,
            Ordering::Greater => usize::MAX,
        }
    }

    /// How many there are.
    pub(crate) fn total(&self) -> usize {
        let count = |piece: &Piece| -> usize {
            let dims = piece.shape.iter().enumerate();
            dims.map(|(dim, n)| n.div_ceil(self.most(dim))).product()
        };
        self.left.iter().map(count).sum()
    }

    /// Gives back a piece that was taken; it is the next one again.
    pub(crate) fn put_back(&mut self, piece: Piece) {
        self.left.push(piece);
    }

    /// What has not been taken, or was given back.
    pub(crate) fn into_left(self) -> Vec<Piece> {
        self.left
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let mut first = self.left.pop()?;
        for dim in 0..first.shape.len() {
            let most = self.most(dim);
            if first.shape[dim] > most {
                let mut rest = first.clone();
                rest.start[dim] += most;
                rest.shape[dim] -= most;
                self.left.push(rest);
                first.shape[dim] = most;
            }
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nest(shape: &[usize], strides: &[&[isize]], indices: &[(i64, &[i64])]) -> Nest {
        Nest::new(shape, strides, indices).expect("a nest")
    }

    #[test]
    fn dims_that_are_one_for_all_are_merged() {
        let packed = nest(&[3, 1, 5], &[&[20, 7, 4], &[0, 0, 0]], &[]);
        assert_eq!(packed.shape, [15]);
        assert_eq!(packed.strides, [[4], [0]]);
        let column = nest(&[3, 5], &[&[20, 4], &[0, 4]], &[]);
        assert_eq!(column.shape, [3, 5]);
        let asked = nest(&[3, 5], &[&[20, 4]], &[(7, &[0, 1])]);
        assert_eq!(asked.shape, [3, 5], "a position along an axis keeps it");
        assert_eq!(nest(&[3, 5], &[&[20, 4]], &[(7, &[5, 1])]).shape, [15]);
        assert_eq!(nest(&[1, 1], &[&[1, 1]], &[]).shape, [0; 0]);
        assert!(Nest::new(&[usize::MAX, 2], &[], &[]).is_err());
        assert!(Nest::new(&[2], &[&[1, 2]], &[]).is_err());
    }

    #[test]
    fn pieces_are_all_of_it_once() {
        let shapes: [&[usize]; 6] = [&[], &[7], &[3, 5], &[2, 3, 4], &[5, 2], &[1000]];
        for shape in shapes {
            // Strides that keep the dims apart, and number the elements.
            let mut strides = vec![0isize; shape.len()];
            let mut steps = vec![0i64; shape.len()];
            let mut count = 1;
            for dim in (0..shape.len()).rev() {
                (strides[dim], steps[dim]) = (count as isize * 10 + dim as isize, count as i64);
                count *= shape[dim];
            }
            let nest = nest(shape, &[&strides], &[(0, &steps)]);
            for limit in 1..=count + 1 {
                let pieces = nest.pieces(limit);
                let total = pieces.total();
                let pieces: Vec<Piece> = pieces.collect();
                assert_eq!(pieces.len(), total, "{shape:?} by {limit}");
                let mut next = 0;
                for piece in &pieces {
                    assert!(piece.elements() <= limit);
                    let part = nest.of_piece(piece, nest.strides.clone());
                    assert_eq!(part.bases, [next], "{shape:?} by {limit}");
                    next += piece.elements() as i64;
                }
                assert_eq!(next, count as i64);
            }
        }
        assert_eq!(nest(&[3, 0], &[&[0, 4]], &[]).pieces(9).count(), 0);
    }

    /// Whatever was given back and wherever the cutting began anew, every element is in one piece.
    #[test]
    fn what_is_left_is_cut_smaller() {
        for shape in [&[40][..], &[3, 5], &[2, 3, 4], &[4, 2, 3, 2]] {
            let count: usize = shape.iter().product();
            let mut strides = vec![1isize; shape.len()];
            for dim in (1..shape.len()).rev() {
                strides[dim - 1] = strides[dim] * (shape[dim] as isize + 1);
            }
            let nest = nest(shape, &[&strides], &[]);
            for taken in 0..count {
                let mut seen = Vec::new();
                let mut note = |piece: &Piece| {
                    let part = nest.of_piece(piece, nest.strides.clone());
                    for element in part.pieces(1) {
                        let within = element.offset(&part.strides[0]);
                        seen.push(piece.offset(&nest.strides[0]) + within);
                    }
                };
                let mut left = nest.whole();
                for limit in [7, 4, 2] {
                    let mut pieces = nest.pieces_of(left, limit);
                    for _ in 0..taken {
                        pieces.next().iter().for_each(&mut note);
                    }
                    let back: Vec<Piece> = pieces.by_ref().take(2).collect();
                    let third = pieces.next();
                    back.into_iter().for_each(|piece| pieces.put_back(piece));
                    third.iter().for_each(&mut note);
                    left = pieces.into_left();
                }
                let rest = nest.pieces_of(left, 1);
                let total = rest.total();
                assert_eq!(rest.inspect(&mut note).count(), total);
                let found = seen.len();
                seen.sort_unstable();
                seen.dedup();
                assert_eq!((seen.len(), found), (count, count), "{shape:?} {taken}");
            }
        }
    }
}
