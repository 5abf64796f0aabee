//! What a piece of a launch has while it is under way: memory on both sides, and where each operand is in it.

use crate::copy::Layout;
use crate::device::Gpu;
use crate::driver::{Event, Fault};
use crate::memory::{Block, Staging};
use crate::nest::Piece;
use std::sync::Arc;
use ufc_target::BackendError;

/// Operands begin at multiples of this, as memory from the driver does.
const ALIGN: usize = 256;

/// Where the operands that move with a piece are: one after the other, the inputs first, so that all of them go up in one copy
/// and all outputs come down in one.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Per operand, its elements on the host and where they begin in the slot; none if it does not move.
    pub operands: Vec<Option<(Layout, usize)>>,
    /// Where the inputs end, and the outputs begin.
    pub middle: usize,
    /// Where the last operand ends.
    pub end: usize,
}

impl Places {
    /// Of operands that move, of which the first so many are inputs.
    pub(crate) fn new(layouts: impl Iterator<Item = Option<Layout>>, inputs: usize) -> Places {
        let (mut end, mut middle) = (0usize, 0);
        let mut operands = Vec::new();
        for (operand, layout) in layouts.enumerate() {
            if operand == inputs {
                end = end.next_multiple_of(ALIGN);
                middle = end;
            }
            operands.push(layout.map(|layout| {
                let start = end.next_multiple_of(ALIGN);
                end = start + layout.bytes();
                (layout, start)
            }));
        }
        Places {
            operands,
            middle,
            end,
        }
    }

    /// Number, layout and offset of each input that moves, or of each output.
    pub(crate) fn of(&self, are_inputs: bool) -> impl Iterator<Item = (usize, &Layout, usize)> {
        let moving = self.operands.iter().enumerate();
        let moving = moving.filter_map(|(number, operand)| {
            let (layout, offset) = operand.as_ref()?;
            Some((number, layout, *offset))
        });
        moving.filter(move |(.., offset)| (*offset < self.middle) == are_inputs)
    }
}

/// Points in the streams that a piece goes through.
pub(crate) struct Events {
    pub uploaded: Event,
    pub computed: Event,
    pub downloaded: Event,
}

/// What one piece in flight has.
pub(crate) struct Slot {
    pub block: Block,
    pub staging: Staging,
    /// None where all is done in one stream.
    pub events: Option<Events>,
    /// The piece that is under way, and where its operands are.
    pub piece: Option<(Piece, Places)>,
}

impl Slot {
    /// # Errors
    /// If memory runs out on either side, or what the driver says.
    pub(crate) fn new(gpu: &Arc<Gpu>, bytes: usize, is_single: bool) -> Result<Slot, BackendError> {
        let fault = |fault: Fault| gpu.error(&fault, 0);
        let block = Block::new(gpu, bytes)?;
        let staging = Staging::new(gpu, bytes)?;
        let events = match is_single {
            true => None,
            false => Some(Events {
                uploaded: Event::new().map_err(fault)?,
                computed: Event::new().map_err(fault)?,
                downloaded: Event::new().map_err(fault)?,
            }),
        };
        Ok(Slot {
            block,
            staging,
            events,
            piece: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_and_outputs_are_apart() {
        let of = |bytes: &[usize], inputs| {
            let layouts = bytes.iter().map(|bytes| match bytes {
                0 => None,
                bytes => Some(Layout::new(&[*bytes], &[1], 1)),
            });
            let places = Places::new(layouts, inputs);
            let offsets = |are_inputs| {
                let operands = places.of(are_inputs);
                operands
                    .map(|(number, _, offset)| (number, offset))
                    .collect()
            };
            let (inputs, outputs): (Vec<_>, Vec<_>) = (offsets(true), offsets(false));
            (inputs, places.middle, outputs, places.end)
        };
        assert_eq!(
            of(&[10, 0, 300, 4, 5], 3),
            (vec![(0, 0), (2, 256)], 768, vec![(3, 768), (4, 1024)], 1029)
        );
        assert_eq!(of(&[0, 8], 1), (vec![], 0, vec![(1, 0)], 8));
        assert_eq!(of(&[8, 8], 1), (vec![(0, 0)], 256, vec![(1, 256)], 264));
    }
}
