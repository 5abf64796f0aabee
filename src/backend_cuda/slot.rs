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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// Per operand, where it begins; none if it does not move.
    pub offsets: Vec<Option<usize>>,
    /// Where the inputs end, and the outputs begin.
    pub middle: usize,
    /// Where the last operand ends.
    pub end: usize,
}

impl Places {
    /// Of operands given by their bytes, of which the first so many are inputs.
    pub(crate) fn new(bytes: &[Option<usize>], inputs: usize) -> Places {
        let (mut end, mut middle) = (0usize, 0);
        let mut offsets = Vec::with_capacity(bytes.len());
        for (operand, bytes) in bytes.iter().enumerate() {
            if operand == inputs {
                end = end.next_multiple_of(ALIGN);
                middle = end;
            }
            offsets.push(bytes.map(|bytes| {
                let start = end.next_multiple_of(ALIGN);
                end = start + bytes;
                start
            }));
        }
        Places {
            offsets,
            middle,
            end,
        }
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
    /// The piece that is under way, and the layout of each of its operands that moves.
    pub piece: Option<(Piece, Places, Vec<Option<Layout>>)>,
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
        let places = Places::new(&[Some(10), None, Some(300), Some(4), Some(5)], 3);
        assert_eq!(
            places.offsets,
            [Some(0), None, Some(256), Some(768), Some(1024)]
        );
        assert_eq!((places.middle, places.end), (768, 1029));
        let outputs = Places::new(&[None, Some(8)], 1);
        assert_eq!((outputs.middle, outputs.end), (0, 8));
        let no_outputs_yet = Places::new(&[Some(8), Some(8)], 1);
        assert_eq!((no_outputs_yet.middle, no_outputs_yet.end), (256, 264));
    }
}
