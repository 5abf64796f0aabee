//! The choice of a target for a call: the words for targets, the back ends there are, cost models, and what was measured.
//!
//! A call that names a target runs there, or gives an error. For `auto`, a call whose data is on a device runs there;
//! else each device's time is estimated from the kernel's operations and bytes, the data to be moved and the
//! device's figures, and the least is taken. No driver is started before calls have added up to what starting it costs.

mod calibrate;
mod choose;
mod compiling;
mod entries;
mod figures;
mod model;
mod rivals;
mod sample;
#[cfg(any(test, feature = "testing"))]
pub mod simulated;
mod words;

use std::sync::atomic::{AtomicU64, Ordering};

use ufc_target::{Backend, BackendError, Device, Unavailable};

use crate::error::Error;

pub use calibrate::{Calibrated, calibrate};
pub(crate) use choose::{
    Candidate, Compilation, Compiled, Picked, Question, Ranking, auto, one_of_several, pick,
    where_buffer_is,
};
pub use choose::{Choice, choose};
pub(crate) use compiling::{note as note_compiling, seconds as compiling_seconds};
pub use entries::{Loss, losses};
pub(crate) use figures::cache_folder;
pub use figures::note as figures_note;
pub use model::{Estimate, Figures, Work};
pub(crate) use rivals::is_for_host;
pub(crate) use sample::Sampler;
pub use words::Target;

/// What is known of one back end: its devices, or why there are none.
#[derive(Clone, Debug)]
pub struct TargetInfo {
    /// The word for it.
    pub name: &'static str,
    /// Its devices, or why there are none.
    pub devices: Result<Vec<Device>, Unavailable>,
}

impl TargetInfo {
    /// What a device of it can do, and whether that was measured; else it is assumed.
    pub fn figures(&self, device: &Device) -> (Figures, bool) {
        figures::of_device(self.name, device)
    }
}

/// Every back end with its devices or the reason why it has none. Starts drivers where there are any.
pub fn targets() -> Vec<TargetInfo> {
    entries::all()
        .map(|entry| TargetInfo {
            name: entry.name,
            devices: match entry.devices() {
                Ok(devices) => Ok(devices.to_vec()),
                Err(why) => Err(why.clone()),
            },
        })
        .collect()
}

/// The back ends whose devices have been looked for: those whose driver may have been started.
pub fn started() -> Vec<&'static str> {
    entries::all()
        .filter(|entry| entry.is_started())
        .map(|entry| entry.name)
        .collect()
}

/// A back end by its word, also one without any device here, as for showing what it makes of a kernel. Starts no driver.
///
/// # Errors
/// Why this build has no such back end.
pub fn backend(name: &str) -> Result<&'static dyn Backend, Unavailable> {
    match entries::entry(name) {
        Some(entry) => entry.backend().map_err(Clone::clone),
        None => Err(Unavailable {
            reason: format!("there is no back end `{name}`"),
        }),
    }
}

/// The words of all back ends, in the order of the table.
pub fn backends() -> impl Iterator<Item = &'static str> {
    entries::all().map(|entry| entry.name)
}

/// Bytes copied between the host and devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfers {
    /// To devices.
    pub uploaded: u64,
    /// From devices.
    pub downloaded: u64,
}

static UPLOADED: AtomicU64 = AtomicU64::new(0);
static DOWNLOADED: AtomicU64 = AtomicU64::new(0);

/// Everything that was copied between the host and devices since the process started: by calls, and by moving arrays.
pub fn transfers() -> Transfers {
    Transfers {
        uploaded: UPLOADED.load(Ordering::Relaxed),
        downloaded: DOWNLOADED.load(Ordering::Relaxed),
    }
}

pub(crate) fn count_transfers(moved: Transfers) {
    if moved.uploaded > 0 {
        UPLOADED.fetch_add(moved.uploaded, Ordering::Relaxed);
    }
    if moved.downloaded > 0 {
        DOWNLOADED.fetch_add(moved.downloaded, Ordering::Relaxed);
    }
}

/// Takes note of a device that an error says is lost.
pub(crate) fn note_error(picked: &Picked, error: &BackendError) {
    if let BackendError::DeviceLost { why, .. } = error {
        entries::mark_lost(picked.backend.name(), &picked.device.name, why);
    }
}

/// The error for what a device could not do outside of any kernel.
pub(crate) fn failed(picked: &Picked, error: BackendError) -> Error {
    note_error(picked, &error);
    Error::Device {
        target: picked.name(),
        error,
    }
}
