//! How a function's values are spread over vectors: lanes per turn, columns, and the lane width of masks.

use super::level::Level;
use crate::lane::Lane;
use crate::vplan::{lane_width, mask_widths, pressure};
use ufc_ir::DType;
use ufc_ir::func::{Func, InstKind, SecondaryMap, Value};

/// How lanes are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// None narrower than 32 bits.
    Wide,
    /// As wide as values.
    Natural,
    /// As wide as values, those of 16 bits in the order in which the instructions that unpack 8-bit ones leave them, which
    /// keep to parts of 128 bits. For functions whose operands have 8 bits, so that nothing shows the order.
    Unpacked,
}

/// The decisions about a function.
pub(super) struct Plan {
    /// Lanes computed per turn of the loop over elements.
    pub(super) lanes: usize,
    column_lanes: usize,
    vector: usize,
    masks: SecondaryMap<Value, usize>,
    pub(super) layout: Layout,
    /// Whether a turn may take any time.
    pub(super) has_loop: bool,
    /// Whether it is mostly memory that a turn takes time for.
    pub(super) cheap: bool,
}

impl Plan {
    /// Chooses for a function in SPMD form; `interleave` vectors of the widest lanes are in flight, if it is given. Layouts
    /// other than [`Layout::Wide`] are for functions that have [`small_values`].
    pub(super) fn new(
        func: &Func,
        varying: &SecondaryMap<Value, bool>,
        level: Level,
        interleave: Option<usize>,
        layout: Layout,
    ) -> Plan {
        let width = match layout {
            Layout::Wide => lane_width,
            Layout::Natural | Layout::Unpacked => DType::size,
        };
        // Uniform bools are masks here, too, and have a width.
        let masks = mask_widths(func, &SecondaryMap::new(true), width);
        let vector = level.vector();
        let (narrowest, widest) = widths(func, &masks, width);
        let column_lanes = vector / narrowest;
        let interleave = match interleave {
            Some(wanted) => wanted.clamp(1, 8).next_power_of_two(),
            None => chosen(func, pressure(func, varying), level),
        };
        let lanes = interleave * vector / widest;
        Plan {
            lanes: lanes.max(column_lanes),
            column_lanes,
            vector,
            masks,
            layout,
            has_loop: has_loop(func),
            cheap: is_cheap(func),
        }
    }

    /// The lanes that values of a dtype are held in; of a bool in memory.
    pub(super) fn lane(&self, dtype: DType) -> Lane {
        match self.layout {
            Layout::Wide => Lane::of(dtype),
            Layout::Natural | Layout::Unpacked => Lane::natural(dtype),
        }
    }

    /// Width in bytes of the lanes that a bool's masks are for.
    pub(super) fn mask(&self, value: Value) -> usize {
        self.masks[value].max(self.vector / self.column_lanes)
    }

    /// How many vectors of a column hold a value whose lanes are so wide.
    pub(super) fn count(&self, width: usize) -> usize {
        self.column_lanes * width / self.vector
    }

    /// How many columns a turn has.
    pub(super) fn columns(&self) -> usize {
        self.lanes / self.column_lanes
    }

    /// Lanes of a column.
    pub(super) fn column_lanes(&self) -> usize {
        self.column_lanes
    }
}

/// Whether no value has more than 16 bits.
fn small_values(func: &Func) -> bool {
    let mut small = true;
    func.for_each_inst(|_, inst| {
        for value in &func.insts[inst].results {
            small &= func.dtype(*value).size() <= 2;
        }
    });
    let params = func.param_dtypes();
    small && params.iter().chain(&func.results).all(|d| d.size() <= 2)
}

/// The layouts to try before [`Layout::Wide`], the best first: there are no instructions for everything on 8 and 16 bits.
pub(super) fn small_layouts(func: &Func) -> &'static [Layout] {
    let operands = func.param_dtypes();
    let bytes = operands.iter().chain(&func.results).all(|d| d.size() == 1);
    match (small_values(func), bytes) {
        (false, _) => &[],
        (true, false) => &[Layout::Natural],
        (true, true) => &[Layout::Unpacked, Layout::Natural],
    }
}

/// The narrowest and the widest lanes in use.
fn widths(
    func: &Func,
    masks: &SecondaryMap<Value, usize>,
    width: fn(DType) -> usize,
) -> (usize, usize) {
    let mut used = vec![];
    used.extend(func.param_dtypes().into_iter().map(width));
    used.extend(func.results.iter().map(|d| width(*d)));
    func.for_each_inst(|_, inst| {
        for value in &func.insts[inst].results {
            match func.dtype(*value) {
                DType::Bool => used.push(masks[*value].max(width(DType::Bool))),
                dtype => used.push(width(dtype)),
            }
        }
    });
    let narrowest = used.iter().min().copied().unwrap_or(4);
    let widest = used.iter().max().copied().unwrap_or(4);
    (narrowest, widest)
}

/// Operations that take about as long as fetching the operands of a turn from memory.
const CHEAP: usize = 40;

/// Whether there is no more to do in a turn than while waiting for its operands.
pub(crate) fn is_cheap(func: &Func) -> bool {
    !has_loop(func) && func.size() <= CHEAP
}

fn has_loop(func: &Func) -> bool {
    let mut has_loop = false;
    func.for_each_inst(|_, inst| {
        has_loop |= matches!(func.insts[inst].kind, InstKind::Loop { .. });
    });
    has_loop
}

/// The most registers that one column of straight code may need for a turn to have four of them. By measurement with
/// `benches/limits`: at AVX2, `exp` of f32 and f64 take a third longer with four columns than with two.
fn most_of_four(level: Level) -> usize {
    match level {
        Level::Avx2 => 4,
        Level::Avx512 => 16,
    }
}

/// A loop's values per column up to which it may have four columns, and two, though they do not all find room in the
/// registers. By measurement at both levels, with loops that carry from 2 to 7 values.
const MOST_OF_LOOPS: [usize; 2] = [16, 24];

/// So many operations of a loop per value that it keeps hide what the values cost that wait in memory.
const HIDING: usize = 3;

/// As many vectors in flight as the registers hold, or more of a loop that has enough to do: loops gain most, for they wait
/// on their own results (`collatz` at AVX2 takes 1.4 times as long with two columns as with four). Straight code
/// needs registers for about two at a time, as [`super::schedule`] lets no more columns on than find room. Of long straight
/// code fewer, as it takes room in the cache of instructions and time to compile.
fn chosen(func: &Func, pressure: usize, level: Level) -> usize {
    let registers = level.registers();
    if !has_loop(func) {
        return match pressure {
            _ if func.size() > 1200 => 1,
            _ if func.size() > 400 => 2,
            p if p <= most_of_four(level) => 4,
            p if p < registers => 2,
            _ => 1,
        };
    }
    let hides = func.size() >= HIDING * pressure;
    let [most_of_four, most_of_two] = MOST_OF_LOOPS;
    match pressure {
        p if 4 * p <= registers + registers / 4 || hides && p <= most_of_four => 4,
        p if p < registers || hides && p <= most_of_two => 2,
        _ => 1,
    }
}
