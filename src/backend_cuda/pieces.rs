//! How large the pieces are that a launch on operands of the host is cut into: by what it moves, and by the memory there is.

use crate::device::Gpu;
use crate::driver;
use std::sync::Arc;
use ufc_target::BackendError;

/// Most bytes that a piece moves: enough that a copy runs at full speed, and few enough that what is staged for it is still in
/// the processor's cache when the device fetches it.
const MOST_BYTES: usize = 16 << 20;
/// Pieces of fewer bytes would take longer to be asked for than to be moved.
const LEAST_BYTES: usize = 2 << 20;
/// How many pieces a launch has at least if it moves much: while one is computed, others go up and come down.
const LEAST_PIECES: usize = 8;
/// Pieces in flight. The host prepares one and unpacks another, and three are on the device or on their way.
pub(crate) const SLOTS: usize = 4;
/// Pieces are not cut smaller than the elements that one block of threads does.
pub(crate) const LEAST_ELEMENTS: usize = 256;

/// The share of a device's free memory that a launch on operands of the host may take, unless `UFC_CUDA_SHARE` says otherwise.
const SHARE: f64 = 0.5;
/// The driver is asked for the free memory if a launch takes so many bytes …
const MUCH: usize = 32 << 20;
/// … or more than this part of the memory.
const PART: u64 = 16;

/// How a launch is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Elements of a piece at most.
    pub limit: usize,
    /// Pieces in flight at most.
    pub slots: usize,
}

impl Cut {
    /// The cut for so many elements, of which each has so many bytes in operands that move.
    ///
    /// # Errors
    /// If an environment variable is not what it should be, or what the driver says.
    pub(crate) fn new(
        gpus: &[Arc<Gpu>],
        elements: usize,
        bytes_each: usize,
    ) -> Result<Cut, BackendError> {
        let bytes_each = bytes_each.max(1);
        let total = elements.saturating_mul(bytes_each);
        let mut piece = match asked_bytes()? {
            Some(asked) => asked,
            None => (total / LEAST_PIECES).clamp(LEAST_BYTES, MOST_BYTES),
        };
        let share = share()?;
        for gpu in gpus {
            let needed = total.min(SLOTS.saturating_mul(piece));
            if needed >= MUCH || needed as u64 > gpu.facts.memory / PART {
                gpu.bind()?;
                let free = driver::free_memory().map_err(|fault| gpu.error(&fault, 0))?;
                let kept = gpu.pool().bytes();
                let ours = (free.saturating_add(kept) as f64 * share) as usize;
                // What does not move from piece to piece is never larger than a piece.
                piece = piece.min(ours / (SLOTS + 1));
            }
        }
        let limit = (piece / bytes_each).clamp(1, elements.max(1));
        // A piece that was asked for may be smaller than a block.
        let least = match asked_bytes()? {
            Some(_) => 1,
            None => LEAST_ELEMENTS.min(elements.max(1)),
        };
        Ok(Cut {
            limit: limit.max(least),
            slots: SLOTS,
        })
    }

    /// The next smaller cut to try where memory is short; none if there is none.
    pub(crate) fn smaller(self) -> Option<Cut> {
        let Cut { limit, slots } = self;
        if limit > LEAST_ELEMENTS {
            let limit = (limit / 2).max(LEAST_ELEMENTS);
            return Some(Cut { limit, slots });
        }
        (slots > 1).then_some(Cut { limit, slots: 1 })
    }
}

/// The bytes of a piece that `UFC_CUDA_PIECE` asks for.
fn asked_bytes() -> Result<Option<usize>, BackendError> {
    let is_valid = |bytes: &usize| *bytes > 0;
    variable("UFC_CUDA_PIECE", "a number of bytes above 0", is_valid)
}

/// The share of the free memory that may be taken.
fn share() -> Result<f64, BackendError> {
    let is_valid = |share: &f64| *share > 0.0 && *share <= 1.0;
    let asked = variable("UFC_CUDA_SHARE", "a number above 0 and at most 1", is_valid)?;
    Ok(asked.unwrap_or(SHARE))
}

/// The value of an environment variable.
fn variable<T: std::str::FromStr>(
    name: &str,
    wanted: &str,
    is_valid: impl Fn(&T) -> bool,
) -> Result<Option<T>, BackendError> {
    let Some(text) = std::env::var_os(name) else {
        return Ok(None);
    };
    let value = text.to_str().and_then(|text| text.parse().ok());
    match value.filter(is_valid) {
        Some(value) => Ok(Some(value)),
        None => {
            let text = text.to_string_lossy();
            let what = format!("the environment variable `{name}` is `{text}`, not {wanted}");
            Err(BackendError::LaunchFailed(what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_get_smaller_down_to_one_block() {
        let mut cut = Cut {
            limit: 5000,
            slots: SLOTS,
        };
        let mut found = Vec::new();
        while let Some(smaller) = cut.smaller() {
            found.push((smaller.limit, smaller.slots));
            cut = smaller;
        }
        let limits = [(2500, 4), (1250, 4), (625, 4), (312, 4), (256, 4), (256, 1)];
        assert_eq!(found, limits);
        let few = Cut { limit: 7, slots: 1 };
        assert_eq!(few.smaller(), None);
    }

    #[test]
    fn pieces_follow_what_is_moved() {
        let limit = |elements| Cut::new(&[], elements, 12).expect("a cut").limit;
        assert_eq!(limit(0), 1);
        assert_eq!(limit(100), 100);
        assert_eq!(limit(1_000_000), LEAST_BYTES / 12);
        assert_eq!(limit(8_000_000), 1_000_000);
        assert_eq!(limit(usize::MAX), MOST_BYTES / 12);
    }
}
