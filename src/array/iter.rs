//! The loop plan: which axes are iterated in which order, after merging those that can be.

use super::layout::{Shape, element_count};
use smallvec::SmallVec;
use ufc_target::LaunchArgs;

/// An inner loop shorter than this is worth swapping for a longer axis.
const SHORT_INNER: usize = 32;

/// How much longer that axis must be.
const MUCH_LONGER: usize = 8;

/// One operand of a loop: the address of its first element and its step in bytes along each axis of the loop's shape.
#[derive(Clone, Copy, Debug)]
pub struct LoopOperand<'a> {
    /// Address of the first element.
    pub start: *mut u8,
    /// Step along each axis; 0 where the operand is repeated.
    pub strides: &'a [isize],
    /// Whether it is written; where the loop runs in memory order, outputs count double.
    pub output: bool,
}

/// A loop over strided operands with as few axes as possible, the innermost one last.
#[derive(Clone, Debug)]
pub struct LoopPlan {
    shape: Shape,
    pointers: SmallVec<[*mut u8; 8]>,
    /// Steps of each operand in turn, one per axis.
    strides: SmallVec<[isize; 16]>,
    bases: SmallVec<[i64; 4]>,
    /// Steps of each position in turn, one per axis.
    steps: SmallVec<[i64; 8]>,
}

/// An axis while the plan is made: its length and everything's step along it.
#[derive(Clone)]
struct Axis {
    len: usize,
    strides: SmallVec<[isize; 8]>,
    steps: SmallVec<[i64; 4]>,
}

impl LoopPlan {
    /// Plans a loop of this shape. Each position is `None` for the flat position in C order, or an axis of the shape.
    ///
    /// # Panics
    /// If an operand has not one stride per axis, or a position asks for an axis that is not there.
    pub fn new(
        shape: &[usize],
        operands: &[LoopOperand<'_>],
        positions: &[Option<u8>],
    ) -> LoopPlan {
        let mut pointers: SmallVec<[*mut u8; 8]> = operands.iter().map(|o| o.start).collect();
        let mut bases: SmallVec<[i64; 4]> = SmallVec::from_elem(0, positions.len());
        for axis in positions.iter().copied().flatten() {
            assert!(usize::from(axis) < shape.len(), "index axis out of range");
        }
        let mut axes = long_axes(shape, operands, positions);
        if element_count(shape) != Some(0) {
            for axis in &mut axes {
                flip(axis, &mut pointers, &mut bases);
            }
        }
        // Stable, so that axes no stride tells apart stay in C order.
        axes.sort_by_cached_key(|axis| std::cmp::Reverse(reach(axis, operands)));
        let mut axes = coalesce(axes);
        lengthen_inner(&mut axes);
        let ndim = axes.len();
        let of_each =
            |count: usize| (0..count).flat_map(move |item| (0..ndim).map(move |axis| (item, axis)));
        LoopPlan {
            shape: axes.iter().map(|axis| axis.len).collect(),
            strides: of_each(operands.len())
                .map(|(item, axis)| axes[axis].strides[item])
                .collect(),
            steps: of_each(positions.len())
                .map(|(item, axis)| axes[axis].steps[item])
                .collect(),
            pointers,
            bases,
        }
    }

    /// The axes that are left, outermost first; none for a single element.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Steps of an operand along the axes that are left.
    pub fn strides(&self, operand: usize) -> &[isize] {
        &self.strides[operand * self.shape.len()..][..self.shape.len()]
    }

    /// A position's value at the first element, and its step along the axes that are left.
    pub fn position(&self, position: usize) -> (i64, &[i64]) {
        let steps = &self.steps[position * self.shape.len()..][..self.shape.len()];
        (self.bases[position], steps)
    }

    /// Address of an operand's first element.
    pub fn pointer(&self, operand: usize) -> *mut u8 {
        self.pointers[operand]
    }

    /// Moves an operand that is a single value, repeated, to another address.
    pub(crate) fn set_pointer(&mut self, operand: usize, start: *mut u8) {
        self.pointers[operand] = start;
    }

    /// Hands the plan out in the form that executables take.
    pub fn with_args<R>(&self, f: impl FnOnce(&LaunchArgs<'_>) -> R) -> R {
        let strides: SmallVec<[&[isize]; 8]> =
            (0..self.pointers.len()).map(|i| self.strides(i)).collect();
        let indices: SmallVec<[(i64, &[i64]); 4]> =
            (0..self.bases.len()).map(|i| self.position(i)).collect();
        f(&LaunchArgs {
            shape: &self.shape,
            pointers: &self.pointers,
            strides: &strides,
            indices: &indices,
        })
    }
}

/// The axes that have more than one element (or none), with everything's steps.
fn long_axes(
    shape: &[usize],
    operands: &[LoopOperand<'_>],
    positions: &[Option<u8>],
) -> SmallVec<[Axis; 4]> {
    let mut axes = SmallVec::new();
    let mut elements_inside: i64 = 1;
    for (number, &len) in shape.iter().enumerate().rev() {
        if len != 1 {
            let step_of = |position: &Option<u8>| match position {
                None => elements_inside,
                Some(axis) => i64::from(usize::from(*axis) == number),
            };
            axes.push(Axis {
                len,
                strides: operands.iter().map(|o| o.strides[number]).collect(),
                steps: positions.iter().map(step_of).collect(),
            });
        }
        elements_inside = elements_inside.wrapping_mul(len as i64);
    }
    axes.reverse();
    axes
}

/// Runs an axis backwards if that makes every step along it forwards.
fn flip(axis: &mut Axis, pointers: &mut [*mut u8], bases: &mut [i64]) {
    if axis.strides.iter().any(|&s| s > 0) || axis.strides.iter().all(|&s| s == 0) {
        return;
    }
    let last = axis.len - 1;
    for (pointer, stride) in pointers.iter_mut().zip(&mut axis.strides) {
        *pointer = pointer.wrapping_offset(last as isize * *stride);
        *stride = -*stride;
    }
    for (base, step) in bases.iter_mut().zip(&mut axis.steps) {
        *base += last as i64 * *step;
        *step = -*step;
    }
}

/// How far a step along an axis reaches in memory, over all operands: the axis with the largest is outermost.
fn reach(axis: &Axis, operands: &[LoopOperand<'_>]) -> u128 {
    let each = axis.strides.iter().zip(operands);
    each.map(|(stride, operand)| (stride.unsigned_abs() as u128) << u32::from(operand.output))
        .sum()
}

/// Merges neighbours that everything steps through as through one longer axis.
fn coalesce(axes: SmallVec<[Axis; 4]>) -> SmallVec<[Axis; 4]> {
    let mut merged: SmallVec<[Axis; 4]> = SmallVec::new();
    for inner in axes {
        let len = inner.len;
        let fits = |outer: &Axis| {
            let strides = outer.strides.iter().zip(&inner.strides);
            let steps = outer.steps.iter().zip(&inner.steps);
            len != 0
                && outer.len.checked_mul(len).is_some()
                && strides
                    .into_iter()
                    .all(|(a, b)| b.checked_mul(len as isize) == Some(*a))
                && steps
                    .into_iter()
                    .all(|(a, b)| b.checked_mul(len as i64) == Some(*a))
        };
        match merged.last_mut() {
            Some(outer) if fits(outer) => {
                let len = outer.len * len;
                *outer = Axis { len, ..inner };
            }
            _ => merged.push(inner),
        }
    }
    merged
}

/// Where the innermost axis is short and another is much longer, makes that one the inner loop.
fn lengthen_inner(axes: &mut SmallVec<[Axis; 4]>) {
    let Some(inner) = axes.last() else { return };
    if inner.len >= SHORT_INNER {
        return;
    }
    let enough = inner.len.saturating_mul(MUCH_LONGER);
    // Of equally long axes the one further in is nearer in memory.
    let longest = (0..axes.len()).max_by_key(|&axis| axes[axis].len);
    if let Some(longest) = longest.filter(|&axis| axes[axis].len >= enough.max(1)) {
        let axis = axes.remove(longest);
        axes.push(axis);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(shape: &[usize], strides: &[&[isize]], positions: &[Option<u8>]) -> LoopPlan {
        let base = std::ptr::without_provenance_mut(1 << 40);
        let operands: Vec<LoopOperand<'_>> = strides
            .iter()
            .enumerate()
            .map(|(i, strides)| LoopOperand {
                start: base,
                strides,
                output: i + 1 == strides.len(),
            })
            .collect();
        LoopPlan::new(shape, &operands, positions)
    }

    /// Every element's addresses and positions as a loop over the plan's own shape meets them.
    fn visits(plan: &LoopPlan, operands: usize, positions: usize) -> Vec<(Vec<isize>, Vec<i64>)> {
        let count = element_count(&plan.shape).unwrap();
        let mut all = Vec::new();
        for number in 0..count {
            let mut rest = number;
            let mut at = vec![0; plan.shape.len()];
            for axis in (0..at.len()).rev() {
                at[axis] = rest % plan.shape[axis];
                rest /= plan.shape[axis];
            }
            let address = |operand: usize| {
                let steps = plan.strides(operand).iter().zip(&at);
                let offset: isize = steps.map(|(s, &i)| s * i as isize).sum();
                plan.pointer(operand).addr() as isize - (1 << 40) + offset
            };
            let value = |position: usize| {
                let (base, steps) = plan.position(position);
                base + steps
                    .iter()
                    .zip(&at)
                    .map(|(s, &i)| s * i as i64)
                    .sum::<i64>()
            };
            all.push((
                (0..operands).map(address).collect(),
                (0..positions).map(value).collect(),
            ));
        }
        all.sort();
        all
    }

    /// The same from the shape as given.
    fn expected(
        shape: &[usize],
        strides: &[&[isize]],
        positions: &[Option<u8>],
    ) -> Vec<(Vec<isize>, Vec<i64>)> {
        let count = element_count(shape).unwrap();
        let mut all = Vec::new();
        for number in 0..count {
            let mut rest = number;
            let mut at = vec![0; shape.len()];
            for axis in (0..at.len()).rev() {
                at[axis] = rest % shape[axis];
                rest /= shape[axis];
            }
            let address = |strides: &&[isize]| {
                strides
                    .iter()
                    .zip(&at)
                    .map(|(s, &i)| s * i as isize)
                    .sum::<isize>()
            };
            let value = |position: &Option<u8>| match position {
                None => number as i64,
                Some(axis) => at[usize::from(*axis)] as i64,
            };
            all.push((
                strides.iter().map(address).collect(),
                positions.iter().map(value).collect(),
            ));
        }
        all.sort();
        all
    }

    #[test]
    fn contiguous_operands_become_one_axis() {
        let plan = plan(&[4, 1, 5, 6], &[&[120, 7, 24, 4], &[120, 7, 24, 4]], &[]);
        assert_eq!(plan.shape(), [120]);
        assert_eq!(plan.strides(1), [4]);
    }

    #[test]
    fn fortran_order_and_reversed_axes_become_one_axis_too() {
        assert_eq!(plan(&[5, 6], &[&[4, 20], &[4, 20]], &[]).shape(), [30]);
        let reversed = plan(&[5, 6], &[&[-24, -4], &[-24, -4]], &[]);
        assert_eq!(reversed.shape(), [30]);
        assert_eq!(reversed.strides(0), [4]);
        assert_eq!(reversed.pointer(0).addr(), (1 << 40) - 29 * 4);
    }

    #[test]
    fn positions_prevent_merging_only_where_needed() {
        let strides: &[&[isize]] = &[&[24, 4], &[24, 4]];
        assert_eq!(plan(&[5, 6], strides, &[None]).shape(), [30]);
        assert_eq!(plan(&[5, 6], strides, &[Some(0)]).shape(), [5, 6]);
        let transposed: &[&[isize]] = &[&[4, 20], &[4, 20]];
        assert_eq!(plan(&[5, 6], transposed, &[None]).shape(), [6, 5]);
    }

    #[test]
    fn single_and_missing_elements() {
        assert_eq!(plan(&[], &[&[], &[]], &[None]).shape(), [0usize; 0]);
        assert_eq!(
            plan(&[1, 1], &[&[3, 4]], &[Some(1)]).position(0),
            (0, &[][..])
        );
        assert!(plan(&[4, 0], &[&[-8, 4]], &[]).shape().contains(&0));
    }

    #[test]
    fn the_inner_loop_is_a_long_axis() {
        // A row of 3 added to each of a million rows: the million is the better inner loop.
        let strides: &[&[isize]] = &[&[12, 4], &[0, 4], &[12, 4]];
        assert_eq!(plan(&[1_000_000, 3], strides, &[]).shape(), [3, 1_000_000]);
        let column: &[&[isize]] = &[&[0, 4], &[4, 0], &[8000, 4]];
        assert_eq!(plan(&[1500, 2000], column, &[]).shape(), [1500, 2000]);
    }

    #[test]
    fn more_than_four_billion_elements() {
        let plan = plan(&[1 << 20, 1 << 20], &[&[0, 0], &[0, 0]], &[None]);
        assert_eq!(plan.shape(), [1 << 40]);
        assert_eq!(plan.position(0), (0, &[1][..]));
    }

    #[test]
    fn every_element_is_visited_once_with_its_own_addresses_and_positions() {
        let mut state = 0x2545_f491_4f6c_dd1du64;
        let mut random = |n: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % n
        };
        for _ in 0..500 {
            let ndim = random(5) as usize;
            let shape: Vec<usize> = (0..ndim).map(|_| random(5) as usize).collect();
            let operands: Vec<Vec<isize>> = (0..3)
                .map(|_| {
                    let mut strides = super::super::layout::c_strides(&shape, 4).to_vec();
                    for stride in &mut strides {
                        *stride *= [1, 1, 1, 0, -1, 2][random(6) as usize];
                    }
                    if random(3) == 0 {
                        strides.reverse();
                    }
                    strides
                })
                .collect();
            let strides: Vec<&[isize]> = operands.iter().map(Vec::as_slice).collect();
            let mut positions = vec![None];
            positions.extend((0..ndim as u8).map(Some).filter(|_| random(2) == 0));
            let plan = plan(&shape, &strides, &positions);
            assert_eq!(
                visits(&plan, 3, positions.len()),
                expected(&shape, &strides, &positions),
                "{shape:?} {strides:?} {positions:?}"
            );
        }
    }
}
