//! The cost model: what a call asks of a device, what a device can do, and how long the one takes on the other.

use std::fmt;
use std::sync::OnceLock;

use ufc_ir::cost::Cost;
use ufc_target::{Device, DeviceKind};

use crate::units;

/// What a call asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// How many elements are computed.
    pub elements: f64,
    /// Operations over all elements.
    pub ops: f64,
    /// How many of them are on 64-bit values.
    pub wide: f64,
    /// Bytes that the loop reads and writes.
    pub bytes: f64,
    /// Bytes of inputs that lie in the host's memory.
    pub host_in: f64,
    /// Bytes of results that are wanted in the host's memory.
    pub host_out: f64,
}

impl Work {
    /// So many elements of a kernel.
    pub fn new(elements: usize, cost: &Cost) -> Work {
        let elements = elements as f64;
        Work {
            elements,
            ops: cost.ops * elements,
            wide: cost.wide * elements,
            bytes: cost.bytes * elements,
            ..Work::default()
        }
    }
}

/// What a device can do. Operations are counted as [`ufc_ir::cost`] counts them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Operations on values of up to 32 bits, per second.
    pub ops: f64,
    /// Operations on 64-bit values, per second.
    pub wide: f64,
    /// Bytes that loops read and write per second.
    pub memory: f64,
    /// Bytes copied to the device per second.
    pub upload: f64,
    /// Bytes copied from the device per second.
    pub download: f64,
    /// Seconds that a call on one element takes.
    pub latency: f64,
    /// Seconds until its driver is ready, once per process.
    pub start: f64,
    /// Seconds that compiling a kernel for it takes, until it can run.
    pub compile: f64,
}

/// The fields of [`Figures`]: the name in files and JSON, and how to reach it.
pub(crate) type Field = (
    &'static str,
    fn(&Figures) -> f64,
    fn(&mut Figures) -> &mut f64,
);

/// Every field of [`Figures`].
pub(crate) const FIELDS: [Field; 8] = [
    ("operations_per_s", |f| f.ops, |f| &mut f.ops),
    ("wide_operations_per_s", |f| f.wide, |f| &mut f.wide),
    ("memory_bytes_per_s", |f| f.memory, |f| &mut f.memory),
    ("upload_bytes_per_s", |f| f.upload, |f| &mut f.upload),
    ("download_bytes_per_s", |f| f.download, |f| &mut f.download),
    ("latency_s", |f| f.latency, |f| &mut f.latency),
    ("start_s", |f| f.start, |f| &mut f.start),
    ("compile_s", |f| f.compile, |f| &mut f.compile),
];

impl Figures {
    /// What is assumed of a device that has not been measured. Guesses on the modest side for a GPU, so that `auto` goes to one
    /// only where that is a clear gain.
    pub fn assumed(target: &str, kind: DeviceKind) -> Figures {
        let threads = all_threads() as f64;
        let host = Figures {
            ops: 1.5e10 * threads,
            wide: 7e9 * threads,
            memory: 1.5e10,
            upload: f64::INFINITY,
            download: f64::INFINITY,
            latency: 2e-7,
            start: 0.0,
            compile: 1e-3,
        };
        match (target, kind) {
            ("interp", _) => Figures {
                ops: 2e7,
                wide: 2e7,
                ..host
            },
            (_, DeviceKind::Processor) => host,
            (_, DeviceKind::Software) => Figures {
                ops: 3e9 * threads,
                wide: 1e9 * threads,
                memory: 5e9,
                upload: 3e9,
                download: 3e9,
                latency: 3e-4,
                start: 0.2,
                compile: 0.05,
            },
            ("wgpu", DeviceKind::Gpu) => Figures {
                ops: 1e12,
                wide: 3e10,
                memory: 1e11,
                upload: 4e9,
                download: 3e9,
                latency: 2e-4,
                start: 0.2,
                compile: 0.03,
            },
            (_, DeviceKind::Gpu) => Figures {
                ops: 4e12,
                wide: 1e11,
                memory: 3e11,
                upload: 8e9,
                download: 8e9,
                latency: 3e-5,
                start: 0.3,
                compile: 0.02,
            },
        }
    }

    /// Whether each figure is one that a device may have.
    pub(crate) fn is_sane(&self) -> bool {
        FIELDS.iter().all(|(_, get, _)| get(self) >= 0.0)
            && [self.ops, self.wide, self.memory, self.upload, self.download]
                .iter()
                .all(|rate| *rate > 0.0)
    }

    /// How long a call takes, on so many of the host's threads where the device is the host's processor.
    pub fn estimate(
        &self,
        work: &Work,
        device: Option<&Device>,
        threads: Option<usize>,
    ) -> Estimate {
        let is_host = device.is_some_and(|d| d.kind == DeviceKind::Processor);
        let share = match threads {
            Some(threads) if is_host => {
                let all = all_threads();
                threads.min(all) as f64 / all as f64
            }
            _ => 1.0,
        };
        let narrow = (work.ops - work.wide).max(0.0);
        let computing = (narrow / self.ops + work.wide / self.wide) / share;
        let (up, down) = match is_host {
            true => (0.0, 0.0),
            false => (work.host_in, work.host_out),
        };
        Estimate {
            seconds: self.latency
                + computing.max(work.bytes / self.memory)
                + up / self.upload
                + down / self.download,
            moving: up / self.upload + down / self.download,
            uploaded: up,
            downloaded: down,
            compiling: 0.0,
        }
    }
}

/// How many threads the process may use; asking the system reads files, so that is done once.
fn all_threads() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// How long a call is estimated to take, and what it moves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// All of it.
    pub seconds: f64,
    /// How much of that is moving data between the host and the device.
    pub moving: f64,
    /// Bytes to be copied to the device.
    pub uploaded: f64,
    /// Bytes to be copied from the device.
    pub downloaded: f64,
    /// How much of it is compiling the kernel for the device, if that has not been done.
    pub compiling: f64,
}

impl Estimate {
    /// The same where the kernel is to be compiled first.
    pub(crate) fn after_compiling(self, compiling: f64) -> Estimate {
        Estimate {
            seconds: self.seconds + compiling,
            compiling,
            ..self
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "about {}", units::time(self.seconds))?;
        if self.compiling > 0.0 {
            let compiling = units::time(self.compiling);
            write!(f, ", {compiling} of it for compiling the kernel")?;
        }
        if self.moving > 0.0 {
            write!(
                f,
                ", {} of it for moving {} there and {} back",
                units::time(self.moving),
                units::bytes(self.uploaded),
                units::bytes(self.downloaded)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURES: Figures = Figures {
        ops: 1e9,
        wide: 1e8,
        memory: 1e9,
        upload: 1e6,
        download: 2e6,
        latency: 0.5,
        start: 0.0,
        compile: 0.25,
    };

    #[test]
    fn the_slower_of_computing_and_memory_counts_and_moving_comes_on_top() {
        let gpu = Device {
            kind: DeviceKind::Gpu,
            ..Device::default()
        };
        let cost = Cost {
            ops: 11.0,
            wide: 1.0,
            bytes: 4.0,
        };
        let mut work = Work::new(1_000_000, &cost);
        // 10 million plain operations and a million wide ones, a hundredth of a second each.
        let estimate = FIGURES.estimate(&work, Some(&gpu), None);
        assert_eq!((estimate.seconds, estimate.moving), (0.52, 0.0));
        work.bytes = 1e9;
        assert_eq!(FIGURES.estimate(&work, Some(&gpu), None).seconds, 1.5);
        (work.host_in, work.host_out) = (3e6, 4e6);
        let estimate = FIGURES.estimate(&work, Some(&gpu), Some(1));
        assert_eq!((estimate.seconds, estimate.moving), (6.5, 5.0));
        assert_eq!(
            estimate.to_string(),
            "about 6.50 s, 5.00 s of it for moving 3.00 MB there and 4.00 MB back"
        );
        let first = estimate.after_compiling(0.25);
        assert_eq!((first.seconds, first.moving), (6.75, 5.0));
        let said = first.to_string();
        assert!(
            said.starts_with("about 6.75 s, 250 ms of it for compiling the kernel, 5.00 s"),
            "{said}"
        );
        // Nothing is moved to the processor.
        let host = Device::default();
        assert_eq!(FIGURES.estimate(&work, Some(&host), None).seconds, 1.5);
    }

    #[test]
    fn assumptions_are_sane() {
        for target in ["cpu", "cuda", "wgpu", "interp"] {
            for kind in [DeviceKind::Processor, DeviceKind::Gpu, DeviceKind::Software] {
                assert!(
                    Figures::assumed(target, kind).is_sane(),
                    "{target} {kind:?}"
                );
            }
        }
        let wrong = Figures {
            ops: 0.0,
            ..FIGURES
        };
        let none = Figures {
            memory: f64::NAN,
            ..FIGURES
        };
        assert!(!wrong.is_sane() && !none.is_sane());
    }
}
