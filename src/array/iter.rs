//! The loop plan: which axes are iterated in which order, after merging those that can be.

use super::broadcast::broadcast_strides;
use super::layout::{Shape, element_count};
use smallvec::SmallVec;
use ufc_target::LaunchArgs;

/// An inner loop shorter than this is worth swapping for a longer axis.
const SHORT_INNER: usize = 32;

/// How much longer that axis must be.
const MUCH_LONGER: usize = 8;

/// The operands of a loop before it is planned, inputs first.
#[derive(Clone, Debug, Default)]
pub struct LoopOperands {
    pointers: SmallVec<[*mut u8; 6]>,
    /// Steps of each operand in turn, one per axis of the loop's shape.
    strides: SmallVec<[isize; 8]>,
    outputs: usize,
}

impl LoopOperands {
    /// Adds an input: the address of its first element, and its shape and strides, which are broadcast to the loop's shape.
    pub fn push_input(&mut self, start: *mut u8, shape: &[usize], strides: &[isize], to: &[usize]) {
        assert_eq!(self.outputs, 0, "inputs come before outputs");
        self.pointers.push(start);
        if shape == to {
            self.strides.extend_from_slice(strides);
        } else {
            let strides = broadcast_strides(shape, strides, to);
            self.strides.extend_from_slice(&strides);
        }
    }

    /// Adds an output, which has the loop's shape. Where the loop runs in memory order, outputs count double.
    pub fn push_output(&mut self, start: *mut u8, strides: &[isize]) {
        self.pointers.push(start);
        self.strides.extend_from_slice(strides);
        self.outputs += 1;
    }

    /// How many operands there are.
    pub fn len(&self) -> usize {
        self.pointers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pointers.is_empty()
    }
}

/// A loop over strided operands with as few axes as possible, the innermost one last.
#[derive(Clone, Debug, Default)]
pub struct LoopPlan {
    shape: Shape,
    pointers: SmallVec<[*mut u8; 6]>,
    /// Steps of each operand in turn, one per axis.
    strides: SmallVec<[isize; 8]>,
    bases: SmallVec<[i64; 2]>,
    /// Steps of each position in turn, one per axis.
    steps: SmallVec<[i64; 2]>,
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
    pub fn new(shape: &[usize], operands: LoopOperands, positions: &[Option<u8>]) -> LoopPlan {
        assert_eq!(operands.strides.len(), operands.len() * shape.len());
        let axis_exists = |axis: &Option<u8>| axis.is_none_or(|a| usize::from(a) < shape.len());
        assert!(positions.iter().all(axis_exists), "no such axis");
        let LoopOperands {
            pointers,
            strides,
            outputs,
        } = operands;
        let mut plan = LoopPlan {
            shape: SmallVec::new(),
            pointers,
            strides,
            bases: SmallVec::from_elem(0, positions.len()),
            steps: SmallVec::new(),
        };
        if shape.iter().all(|&len| len == 1) {
            plan.strides.clear();
        } else if shape.len() == 1 {
            plan.shape.push(shape[0]);
            plan.steps.resize(positions.len(), 1);
            plan.flip_all();
        } else {
            plan.order_axes(shape, outputs, positions);
        }
        plan
    }

    /// Makes the axes of a shape of at least two into as few as possible.
    fn order_axes(&mut self, shape: &[usize], outputs: usize, positions: &[Option<u8>]) {
        let mut axes = long_axes(shape, &self.strides, self.pointers.len(), positions);
        if element_count(shape) != Some(0) {
            for axis in &mut axes {
                let Axis {
                    len,
                    strides,
                    steps,
                } = axis;
                flip(*len, strides, steps, &mut self.pointers, &mut self.bases);
            }
        }
        // Stable, so that axes no stride tells apart stay in C order.
        axes.sort_by_cached_key(|axis| std::cmp::Reverse(reach(axis, outputs)));
        let mut axes = coalesce(axes);
        lengthen_inner(&mut axes);
        let of_each = |count: usize| {
            let ndim = axes.len();
            (0..count).flat_map(move |item| (0..ndim).map(move |axis| (item, axis)))
        };
        self.strides = of_each(self.pointers.len())
            .map(|(item, axis)| axes[axis].strides[item])
            .collect();
        self.steps = of_each(positions.len())
            .map(|(item, axis)| axes[axis].steps[item])
            .collect();
        self.shape = axes.iter().map(|axis| axis.len).collect();
    }

    /// Runs the only axis forwards if it can be.
    fn flip_all(&mut self) {
        if self.shape[0] > 0 {
            let (strides, steps) = (&mut self.strides, &mut self.steps);
            flip(
                self.shape[0],
                strides,
                steps,
                &mut self.pointers,
                &mut self.bases,
            );
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
        let mut strides: SmallVec<[&[isize]; 6]> = SmallVec::new();
        for operand in 0..self.pointers.len() {
            strides.push(self.strides(operand));
        }
        let mut indices: SmallVec<[(i64, &[i64]); 2]> = SmallVec::new();
        for position in 0..self.bases.len() {
            indices.push(self.position(position));
        }
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
    strides: &[isize],
    operands: usize,
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
            let stride_of = |operand: usize| strides[operand * shape.len() + number];
            axes.push(Axis {
                len,
                strides: (0..operands).map(stride_of).collect(),
                steps: positions.iter().map(step_of).collect(),
            });
        }
        elements_inside = elements_inside.wrapping_mul(len as i64);
    }
    axes.reverse();
    axes
}

/// Runs an axis backwards if that makes every step along it forwards.
fn flip(
    len: usize,
    strides: &mut [isize],
    steps: &mut [i64],
    pointers: &mut [*mut u8],
    bases: &mut [i64],
) {
    if strides.iter().any(|&s| s > 0) || strides.iter().all(|&s| s == 0) {
        return;
    }
    let last = len - 1;
    for (pointer, stride) in pointers.iter_mut().zip(strides) {
        *pointer = pointer.wrapping_offset(last as isize * *stride);
        *stride = -*stride;
    }
    for (base, step) in bases.iter_mut().zip(steps) {
        *base += last as i64 * *step;
        *step = -*step;
    }
}

/// How far a step along an axis reaches in memory, over all operands: the axis with the largest is outermost.
fn reach(axis: &Axis, outputs: usize) -> u128 {
    let inputs = axis.strides.len() - outputs;
    let each = axis.strides.iter().enumerate();
    each.map(|(i, stride)| (stride.unsigned_abs() as u128) << u32::from(i >= inputs))
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
        let mut operands = LoopOperands::default();
        let (output, inputs) = strides.split_last().unwrap();
        for strides in inputs {
            operands.push_input(base, shape, strides, shape);
        }
        operands.push_output(base, output);
        LoopPlan::new(shape, operands, positions)
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
