//! How a function's values are spread over vectors: lanes per turn, and the lane width of masks.

use ufc_ir::DType;
use ufc_ir::entity::SecondaryMap;
use ufc_ir::func::{Func, Inst, InstKind, Region, Terminator, Value};
use ufc_ir::ops::Op;

/// Bytes in one vector.
pub(crate) const VECTOR: usize = 16;

/// Width in bytes of the lane that a dtype's values are held in; complex values are held as two of them.
///
/// Integers and floats of 8 and 16 bits live in 32-bit lanes. Bools have no width of their own: see [`Plan::mask`].
pub(crate) fn lane_width(dtype: DType) -> usize {
    match dtype {
        DType::I64 | DType::U64 | DType::F64 | DType::C128 => 8,
        DType::Bool
        | DType::I8
        | DType::I16
        | DType::I32
        | DType::U8
        | DType::U16
        | DType::U32
        | DType::F16
        | DType::BF16
        | DType::F32
        | DType::C64 => 4,
    }
}

/// The decisions about a function.
pub(crate) struct Plan {
    /// Lanes computed per turn of the loop over elements.
    pub(crate) lanes: usize,
    /// How many columns of straight code outside loops are emitted side by side, sharing the constants they load.
    pub(crate) abreast: usize,
    column_lanes: usize,
    masks: SecondaryMap<Value, usize>,
}

impl Plan {
    /// Chooses for a function in SPMD form; `interleave` vectors of the widest lanes are in flight, if it is given.
    pub(crate) fn new(
        func: &Func,
        varying: &SecondaryMap<Value, bool>,
        interleave: Option<usize>,
    ) -> Plan {
        let masks = mask_widths(func, varying, lane_width);
        let census = Census::take(func, varying, &masks);
        let interleave = match interleave {
            Some(wanted) => wanted.clamp(1, 8).next_power_of_two(),
            None => census.interleave(),
        };
        let lanes = interleave * VECTOR / census.widest;
        // A value in narrower lanes fills at least one vector.
        let least = VECTOR / census.narrowest;
        Plan {
            lanes: lanes.max(least),
            abreast: if census.pressure <= 6 && census.size > 16 {
                2
            } else {
                1
            },
            column_lanes: least,
            masks,
        }
    }

    /// Width in bytes of the lanes that hold a varying bool.
    pub(crate) fn mask(&self, value: Value) -> usize {
        self.masks[value].max(VECTOR / self.column_lanes)
    }

    /// How many vectors hold a value whose lanes are so wide.
    pub(crate) fn vectors(&self, width: usize) -> usize {
        self.lanes * width / VECTOR
    }

    /// How many columns the lanes are cut into: the fewest lanes that fill a vector of every width in use.
    pub(crate) fn columns(&self) -> usize {
        self.lanes / self.column_lanes
    }
}

/// Lane widths in use, and how many vectors are live at once.
struct Census {
    widest: usize,
    narrowest: usize,
    pressure: usize,
    has_loop: bool,
    size: usize,
}

impl Census {
    fn take(
        func: &Func,
        varying: &SecondaryMap<Value, bool>,
        masks: &SecondaryMap<Value, usize>,
    ) -> Census {
        let mut census = Census {
            widest: 0,
            narrowest: VECTOR,
            pressure: 0,
            has_loop: false,
            size: func.size(),
        };
        let memory = func.params().iter().map(|v| func.dtype(*v));
        for dtype in memory.chain(func.results.iter().copied()) {
            census.add(lane_width(dtype));
        }
        func.for_each_inst(|_, inst| {
            let data = &func.insts[inst];
            census.has_loop |= matches!(data.kind, InstKind::Loop { .. });
            for value in data.results.iter().filter(|v| varying[**v]) {
                match func.dtype(*value) {
                    DType::Bool => census.add(masks[*value].max(4)),
                    dtype => census.add(lane_width(dtype)),
                }
            }
        });
        if census.widest == 0 {
            census.add(4);
        }
        census.pressure = pressure(func, varying);
        census
    }

    fn add(&mut self, width: usize) {
        self.widest = self.widest.max(width);
        self.narrowest = self.narrowest.min(width);
    }

    /// Loops gain most from vectors in flight, for they wait on their own results, but what they carry has to find room
    /// in 16 registers. Straight code takes registers for a column at a time; there only the code's size counts.
    fn interleave(&self) -> usize {
        match (self.has_loop, self.pressure, self.size) {
            (true, 0..=9, _) | (false, _, 0..=400) => 4,
            (true, 10..=14, _) | (false, _, 401..=1200) => 2,
            _ => 1,
        }
    }
}

/// The most varying values that are live at once in any region, counting each once.
pub(crate) fn pressure(func: &Func, varying: &SecondaryMap<Value, bool>) -> usize {
    let mut most = 0;
    func.for_each_region(|region| most = most.max(region_pressure(func, varying, region)));
    most
}

fn region_pressure(func: &Func, varying: &SecondaryMap<Value, bool>, region: Region) -> usize {
    let data = &func.regions[region];
    let mut live: Vec<Value> = Vec::new();
    let mut seen: SecondaryMap<Value, bool> = SecondaryMap::new(false);
    let mut enter = |value: Value, live: &mut Vec<Value>| {
        if varying[value] && !seen[value] {
            seen[value] = true;
            live.push(value);
        }
    };
    for value in data.end.uses() {
        enter(value, &mut live);
    }
    let mut most = live.len();
    for inst in data.insts.iter().rev() {
        let inst = &func.insts[*inst];
        live.retain(|v| !inst.results.contains(v));
        for value in &inst.args {
            enter(*value, &mut live);
        }
        most = most.max(live.len());
    }
    most
}

/// The width of each varying bool: that of the values it was computed from, the wider one where they differ.
pub(crate) fn mask_widths(
    func: &Func,
    varying: &SecondaryMap<Value, bool>,
    lane_width: fn(DType) -> usize,
) -> SecondaryMap<Value, usize> {
    let mut flows = Vec::new();
    func.for_each_inst(|_, inst| add_flows(func, inst, &mut flows));
    flows.retain(|(to, _)| func.dtype(*to) == DType::Bool && varying[*to]);
    let mut widths = SecondaryMap::new(0);
    loop {
        let mut changed = false;
        for (to, from) in &flows {
            let width = match func.dtype(*from) {
                DType::Bool => widths[*from],
                dtype => lane_width(dtype),
            };
            if width > widths[*to] {
                widths[*to] = width;
                changed = true;
            }
        }
        if !changed {
            return widths;
        }
    }
}

/// Adds, for an instruction, which values' widths decide on which other ones'.
fn add_flows(func: &Func, inst: Inst, flows: &mut Vec<(Value, Value)>) {
    let data = &func.insts[inst];
    match &data.kind {
        InstKind::Op(Op::Select) => {
            flows.extend(data.args[1..].iter().map(|arg| (data.results[0], *arg)));
        }
        InstKind::Op(_) | InstKind::Math(_) => {
            for result in &data.results {
                flows.extend(data.args.iter().map(|arg| (*result, *arg)));
            }
        }
        InstKind::If {
            then_region,
            else_region,
        } => {
            for region in [then_region, else_region] {
                if let Terminator::Yield(values) = &func.regions[*region].end {
                    flows.extend(data.results.iter().copied().zip(values.iter().copied()));
                }
            }
        }
        InstKind::Loop { body } => {
            let region = &func.regions[*body];
            if let Terminator::ContinueIf { next, results, .. } = &region.end {
                let params = || region.params.iter().copied();
                flows.extend(params().zip(data.args.iter().copied()));
                flows.extend(params().zip(next.iter().copied()));
                flows.extend(data.results.iter().copied().zip(results.iter().copied()));
            }
        }
        InstKind::Const(_) | InstKind::Index(_) => {}
    }
}
