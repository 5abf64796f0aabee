//! How long compiling a kernel takes on each device: what the last one took, else what was measured or is assumed.

use std::sync::{Mutex, PoisonError};

use super::choose::Picked;
use super::figures;

/// Seconds that the last kernel took which was compiled for a device by this process.
static LAST: Mutex<Vec<(Picked, f64)>> = Mutex::new(Vec::new());

/// Takes note of what compiling a kernel took, the driver's share included.
pub(crate) fn note(picked: &Picked, seconds: f64) {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match last.iter_mut().find(|(place, _)| place == picked) {
        Some((_, known)) => *known = seconds,
        None => last.push((*picked, seconds)),
    }
}

/// What compiling the next kernel is likely to take.
pub(crate) fn seconds(picked: &Picked) -> f64 {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let known = last.iter().find(|(place, _)| place == picked);
    match known {
        Some((_, seconds)) => *seconds,
        None => {
            figures::of_device(picked.backend.name(), picked.device)
                .0
                .compile
        }
    }
}

/// Forgets what was measured.
#[cfg(any(test, feature = "testing"))]
pub(super) fn reset() {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    last.clear();
}
