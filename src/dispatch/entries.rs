//! The back ends there are, started when first asked for, with the devices found and lost.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use ufc_target::{Backend, Device, DeviceKind, Unavailable};

use super::rivals;
use crate::backend_interp::InterpBackend;

/// A back end known to this build.
pub(super) struct Entry {
    /// The word for it.
    pub(super) name: &'static str,
    start: fn() -> Result<Box<dyn Backend>, Unavailable>,
    backend: OnceLock<Result<Box<dyn Backend>, Unavailable>>,
    found: RwLock<Option<Found>>,
    /// Goes up with every device lost, so that what was made for it is not used again.
    generation: AtomicU32,
}

/// What looking for devices gave. Lists are never freed: a call may hold on to a device, and there is a new list only after a
/// device was lost.
pub(super) type Found = Result<&'static [Device], &'static Unavailable>;

impl Entry {
    const fn new(
        name: &'static str,
        start: fn() -> Result<Box<dyn Backend>, Unavailable>,
    ) -> Entry {
        Entry {
            name,
            start,
            backend: OnceLock::new(),
            found: RwLock::new(None),
            generation: AtomicU32::new(0),
        }
    }

    /// The back end; its devices are not looked for. Starts no driver.
    pub(super) fn backend(&self) -> Result<&dyn Backend, &Unavailable> {
        let backend = self.backend.get_or_init(|| (self.start)());
        backend.as_deref()
    }

    /// The devices, looked for now if they have not been since one was lost. May start a driver.
    pub(super) fn devices(&self) -> Found {
        if let Some(found) = *self.found.read().unwrap_or_else(PoisonError::into_inner) {
            return found;
        }
        let mut slot = self.found.write().unwrap_or_else(PoisonError::into_inner);
        let found = *slot.get_or_insert_with(|| {
            let devices = self.backend().map_err(Clone::clone);
            match devices.and_then(Backend::devices) {
                Ok(devices) => Ok(devices.leak()),
                Err(why) => Err(Box::leak(Box::new(why))),
            }
        });
        drop(slot);
        rivals::forget();
        found
    }

    /// Whether the devices have been looked for.
    pub(super) fn is_started(&self) -> bool {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
        found.is_some()
    }

    /// How many devices have been lost.
    pub(super) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    fn forget_devices(&self) {
        *self.found.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.generation.fetch_add(1, Ordering::AcqRel);
        rivals::forget();
    }
}

/// Tests have a simulated device besides.
const IS_TESTING: bool = cfg!(any(test, feature = "testing"));

/// Every back end, also those that this build lacks, so that asking for one says why it is not there.
static BACKENDS: [Entry; if IS_TESTING { 5 } else { 4 }] = [
    Entry::new("cpu", start_cpu),
    Entry::new("cuda", start_cuda),
    Entry::new("wgpu", start_wgpu),
    Entry::new("interp", || Ok(Box::new(InterpBackend))),
    #[cfg(any(test, feature = "testing"))]
    Entry::new("sim", || Ok(Box::new(super::simulated::SimBackend))),
];

#[cfg(feature = "cpu")]
fn start_cpu() -> Result<Box<dyn Backend>, Unavailable> {
    Ok(Box::new(ufc_backend_cpu::CpuBackend))
}

#[cfg(not(feature = "cpu"))]
fn start_cpu() -> Result<Box<dyn Backend>, Unavailable> {
    Err(without("cpu"))
}

#[cfg(feature = "wgpu")]
fn start_wgpu() -> Result<Box<dyn Backend>, Unavailable> {
    Ok(Box::new(ufc_backend_wgpu::WgpuBackend))
}

#[cfg(not(feature = "wgpu"))]
fn start_wgpu() -> Result<Box<dyn Backend>, Unavailable> {
    Err(without("wgpu"))
}

#[cfg(feature = "cuda")]
fn start_cuda() -> Result<Box<dyn Backend>, Unavailable> {
    Ok(Box::new(ufc_backend_cuda::CudaBackend))
}

#[cfg(not(feature = "cuda"))]
fn start_cuda() -> Result<Box<dyn Backend>, Unavailable> {
    Err(without("cuda"))
}

#[cfg(not(all(feature = "cpu", feature = "wgpu", feature = "cuda")))]
fn without(feature: &str) -> Unavailable {
    Unavailable {
        reason: format!("this build of ufc is without the feature `{feature}`"),
    }
}

/// Every back end that users may know of.
pub(super) fn all() -> impl Iterator<Item = &'static Entry> {
    BACKENDS.iter().filter(|entry| is_shown(entry))
}

/// The simulated device is there only once a test has asked for it.
#[cfg(any(test, feature = "testing"))]
fn is_shown(entry: &Entry) -> bool {
    entry.name != "sim" || super::simulated::is_installed()
}

#[cfg(not(any(test, feature = "testing")))]
fn is_shown(_: &Entry) -> bool {
    true
}

/// The back end of this name.
pub(super) fn entry(name: &str) -> Option<&'static Entry> {
    all().find(|entry| entry.name == name)
}

/// A device that was lost while the process ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The back end's word.
    pub target: &'static str,
    /// The device's name.
    pub device: String,
    /// What its driver said.
    pub why: String,
}

static LOST: Mutex<Vec<Loss>> = Mutex::new(Vec::new());

fn lost() -> MutexGuard<'static, Vec<Loss>> {
    LOST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The devices that were lost since the process started, in the order in which that was noticed. `auto` goes on without
/// them; one that the driver still offers may be named again.
pub fn losses() -> Vec<Loss> {
    lost().clone()
}

/// Why a device was lost, if it was.
pub(super) fn loss(target: &str, device: &str) -> Option<String> {
    let lost = lost();
    let found = lost
        .iter()
        .find(|loss| loss.target == target && loss.device == device);
    found.map(|loss| loss.why.clone())
}

/// Notes that a device is of no use any more; its back end's devices are looked for again when next needed.
pub(crate) fn mark_lost(target: &str, device: &str, why: &str) {
    let Some(entry) = entry(target) else { return };
    let mut lost = lost();
    entry.forget_devices();
    if !lost
        .iter()
        .any(|l| l.target == entry.name && l.device == device)
    {
        lost.push(Loss {
            target: entry.name,
            device: device.to_string(),
            why: why.to_string(),
        });
    }
    drop(lost);
    rivals::forget();
}

/// Makes the simulated device as if it had never been used.
#[cfg(any(test, feature = "testing"))]
pub(super) fn reset_simulated() {
    lost().retain(|loss| loss.target != "sim");
    if let Some(entry) = BACKENDS.iter().find(|entry| entry.name == "sim") {
        entry.forget_devices();
    }
}

/// Whether software may stand in for a GPU without being named: `UFC_SOFTWARE_GPU=1`.
pub(super) fn may_use_software() -> bool {
    std::env::var_os("UFC_SOFTWARE_GPU").is_some_and(|value| value == "1")
}

/// The device of this name: exactly, or else the only one in whose name or description the text stands.
pub(super) fn named_device(
    devices: &'static [Device],
    wanted: &str,
) -> Result<&'static Device, String> {
    if let Some(device) = devices.iter().find(|device| device.name == wanted) {
        return Ok(device);
    }
    let wanted = wanted.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&wanted);
    let by_name: Vec<&Device> = devices.iter().filter(|d| has(&d.name)).collect();
    let found = match by_name.is_empty() {
        false => by_name,
        true => devices.iter().filter(|d| has(&d.description)).collect(),
    };
    let names = |devices: &[&Device]| {
        let names: Vec<&str> = devices.iter().map(|d| d.name.as_str()).collect();
        names.join(", ")
    };
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let all: Vec<&Device> = devices.iter().collect();
            Err(format!("its devices are: {}", names(&all)))
        }
        several => Err(format!("several devices are called so: {}", names(several))),
    }
}

/// The device of a back end that is meant: the named one, or else the first that may be taken unnamed.
pub(super) fn pick_device(
    entry: &'static Entry,
    wanted: Option<&str>,
) -> Result<&'static Device, String> {
    let devices = entry.devices().map_err(ToString::to_string)?;
    if let Some(wanted) = wanted {
        return named_device(devices, wanted);
    }
    let mut usable = devices.iter().filter(|d| is_hardware(d));
    // A device that was lost and is there again comes after those that were not.
    let is_whole = |device: &&Device| {
        // Calls come by here: most often nothing was ever lost.
        entry.generation() == 0 || loss(entry.name, &device.name).is_none()
    };
    let whole = usable.clone().find(is_whole);
    whole.or_else(|| usable.next()).ok_or_else(|| match devices {
        [] => "it has no device".to_string(),
        [first, ..] => format!(
            "only software stands in for a GPU here: name it, as in `{}:{}`, or set UFC_SOFTWARE_GPU=1",
            entry.name, first.name
        ),
    })
}

/// Whether a device may be taken without being named.
pub(super) fn is_hardware(device: &Device) -> bool {
    device.kind != DeviceKind::Software || may_use_software()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices() -> &'static [Device] {
        let device = |name: &str, description: &str| Device {
            name: name.to_string(),
            description: description.to_string(),
            ..Device::default()
        };
        vec![
            device("0", "NVIDIA H100"),
            device("1", "NVIDIA H100"),
            device("llvmpipe (LLVM 15)", "Mesa"),
        ]
        .leak()
    }

    #[test]
    fn devices_are_found_by_name_or_by_a_part_that_only_they_have() {
        let found = |wanted: &str| named_device(devices(), wanted).map(|d| d.name.as_str());
        assert_eq!(found("1"), Ok("1"));
        assert_eq!(found("LLVMpipe"), Ok("llvmpipe (LLVM 15)"));
        assert_eq!(found("mesa"), Ok("llvmpipe (LLVM 15)"));
        let error = found("h100").unwrap_err();
        assert!(
            error.contains("several") && error.contains("0, 1"),
            "{error}"
        );
        let error = found("radeon").unwrap_err();
        assert_eq!(error, "its devices are: 0, 1, llvmpipe (LLVM 15)");
    }
}
