//! Whether a call is the processor's without a closer look: what is known of all other devices, in one place.
//!
//! Most calls that `auto` is asked about end up on the processor, also large ones. They should not pay for looking through back
//! ends, devices and figures every time. So these are gathered once, and again after anything about them has changed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use super::choose::{Picked, pick};
use super::entries;
use super::figures;
use super::model::{Figures, Work};
use super::words::{Target, gpus};
use ufc_target::Promise;

/// The processor and what may be faster.
struct Field {
    /// The state of things that this was gathered in.
    epoch: u64,
    host: Option<(Picked, Figures)>,
    rivals: Vec<Rival>,
    /// Whether there is software that an environment variable may make a rival at any time.
    has_software: bool,
}

/// A device that may be faster, or the best that is expected of a back end whose devices have not been looked for.
struct Rival {
    figures: Figures,
    is_exact: bool,
}

/// Goes up with every change to devices and figures.
static EPOCH: AtomicU64 = AtomicU64::new(1);

/// What was gathered last. Never freed, for a call may be reading it; there is a new one only when a driver is started, a
/// device is lost, or devices are measured.
static FIELD: RwLock<Option<&'static Field>> = RwLock::new(None);

/// Has everything gathered anew, because something has changed.
pub(super) fn forget() {
    EPOCH.fetch_add(1, Ordering::AcqRel);
}

/// Whether no other device that `auto` may take would be done before the processor, as far as estimates go. If it is not
/// certain, the longer way has to find out.
pub(crate) fn is_for_host(work: &Work, threads: Option<usize>, allow_approx: bool) -> bool {
    let field = field();
    let Some((picked, figures)) = &field.host else {
        return false;
    };
    if field.has_software && entries::may_use_software() {
        return false;
    }
    let on_host = figures.estimate(work, Some(picked.device), threads).seconds;
    field.rivals.iter().all(|rival| {
        let may_be = rival.is_exact || allow_approx;
        !may_be || rival.figures.estimate(work, None, None).seconds >= on_host
    })
}

fn field() -> &'static Field {
    let epoch = EPOCH.load(Ordering::Acquire);
    let known = *FIELD.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(field) = known.filter(|field| field.epoch == epoch) {
        return field;
    }
    let field: &'static Field = Box::leak(Box::new(gather(epoch)));
    *FIELD.write().unwrap_or_else(PoisonError::into_inner) = Some(field);
    field
}

/// Looks at every back end, but starts none.
fn gather(epoch: u64) -> Field {
    let mut field = Field {
        epoch,
        host: pick(&Target::CPU).ok().map(|host| {
            let (figures, _) = figures::of_device(host.backend.name(), host.device);
            (host, figures)
        }),
        rivals: Vec::new(),
        has_software: false,
    };
    for entry in gpus().iter().filter_map(|name| entries::entry(name)) {
        let Ok(backend) = entry.backend() else {
            continue;
        };
        let is_exact = |device| backend.promise(device) == Promise::Bits;
        if !entry.is_started() {
            field.rivals.push(Rival {
                figures: figures::expected(entry.name),
                is_exact: is_exact(None),
            });
            continue;
        }
        for device in entry.devices().unwrap_or_default() {
            let is_lost = entries::loss(entry.name, &device.name).is_some();
            if is_lost || !device.parts.is_empty() {
                continue;
            }
            if !entries::is_hardware(device) {
                field.has_software = true;
                continue;
            }
            field.rivals.push(Rival {
                figures: figures::of_device(entry.name, device).0,
                is_exact: is_exact(Some(&device.name)),
            });
        }
    }
    field
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::super::simulated::{Settings, install};
    use super::*;
    use ufc_ir::cost::Cost;

    const FAST: Figures = Figures {
        ops: 1e15,
        wide: 1e15,
        memory: 1e15,
        upload: 1e15,
        download: 1e15,
        latency: 1e-9,
        start: 0.0,
        compile: 0.0,
    };

    /// The processor needs 10 us for the work below, less than any GPU is assumed to need to begin; of the simulated devices
    /// those named are fast and the others slow.
    fn measured(fast: &[&str]) {
        let mut known = figures::Known::default();
        let host = pick(&Target::CPU).expect("a processor");
        let as_host = Figures { ops: 1e14, ..FAST };
        known.insert("cpu", host.device, as_host);
        for device in sim().devices().expect("simulated devices") {
            let ops = if fast.contains(&&*device.name) {
                1e15
            } else {
                1.0
            };
            known.insert("sim", device, Figures { ops, ..FAST });
        }
        figures::replace(known);
    }

    fn sim() -> &'static entries::Entry {
        entries::entry("sim").expect("it was installed")
    }

    #[test]
    fn what_changes_is_seen_at_once() {
        let cost = Cost {
            ops: 1000.0,
            wide: 0.0,
            bytes: 0.0,
        };
        let work = Work::new(1_000_000, &cost);
        let is_mine = |allow_approx| is_for_host(&work, None, allow_approx);
        let _machine = install(Settings::default());
        measured(&[]);
        assert!(is_mine(false) && is_mine(true));
        measured(&["approx"]);
        assert!(is_mine(false));
        assert!(!is_mine(true), "with leave, the loose device counts");
        measured(&["soft"]);
        assert!(is_mine(true), "software is taken by name only");
        measured(&["1"]);
        assert!(!is_mine(false));
        entries::mark_lost("sim", "1", "for a test");
        assert!(!is_mine(false), "there may be others as good");
        assert!(sim().devices().is_ok());
        assert!(is_mine(false));
    }
}
