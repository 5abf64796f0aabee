//! The GPUs that there are: found once, started when first used, marked dead when the driver gives them up.

use crate::driver::{self, Context, Facts, Fault, Stream};
use crate::library;
use crate::memory::{PinnedPool, Pool};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use ufc_target::{BackendError, Device, DeviceKind, Unavailable};

/// The oldest driver whose compiler takes our modules: that of CUDA 11.0.
const OLDEST_DRIVER: i32 = 11_000;
/// The oldest architecture that our modules are for: Volta.
const OLDEST_CAPABILITY: (i32, i32) = (7, 0);

/// The device that stands for all GPUs together.
pub(crate) const ALL: &str = "all";

/// One GPU.
#[derive(Debug)]
pub(crate) struct Gpu {
    /// Its number, as the driver counts.
    pub name: String,
    pub facts: Facts,
    driver: String,
    started: OnceLock<Started>,
    /// Held while it is started, so that threads that want it at once start it once.
    starting: Mutex<()>,
    /// Why it can no longer be used.
    dead: OnceLock<String>,
    pool: Mutex<Pool>,
    pinned: Mutex<PinnedPool>,
}

/// What there is once a GPU is in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    pub context: Context,
    /// Kernels and everything on buffers, in the order asked for.
    pub compute: Stream,
    /// Copies of launches that are cut, so that these overlap with kernels.
    pub upload: Stream,
    pub download: Stream,
}

/// The GPUs of this machine, or why there is none. The driver is asked once.
pub(crate) fn gpus() -> Result<&'static [Arc<Gpu>], Unavailable> {
    static GPUS: OnceLock<Result<Vec<Arc<Gpu>>, Unavailable>> = OnceLock::new();
    match GPUS.get_or_init(find) {
        Ok(gpus) => Ok(gpus),
        Err(why) => Err(why.clone()),
    }
}

fn find() -> Result<Vec<Arc<Gpu>>, Unavailable> {
    let missing = |reason: String| Unavailable { reason };
    library::load().map_err(missing)?;
    let asked = |fault: Fault| missing(format!("the NVIDIA driver said: {}", fault.line()));
    driver::init().map_err(asked)?;
    let version = driver::version().map_err(asked)?;
    let driver = format!("CUDA {}.{}", version / 1000, version % 1000 / 10);
    if version < OLDEST_DRIVER {
        let needed = "11.0";
        return Err(missing(format!(
            "the NVIDIA driver is of {driver}, {needed} is needed"
        )));
    }
    let mut gpus = Vec::new();
    let mut refused = Vec::new();
    for ordinal in 0..driver::device_count().map_err(asked)? {
        let facts = driver::facts(ordinal).map_err(asked)?;
        if facts.capability < OLDEST_CAPABILITY {
            let (major, minor) = facts.capability;
            refused.push(format!(
                "{} has compute capability {major}.{minor}",
                facts.name
            ));
            continue;
        }
        gpus.push(Arc::new(Gpu {
            name: ordinal.to_string(),
            facts,
            driver: driver.clone(),
            started: OnceLock::new(),
            starting: Mutex::default(),
            dead: OnceLock::new(),
            pool: Mutex::default(),
            pinned: Mutex::default(),
        }));
    }
    match (gpus.is_empty(), refused.is_empty()) {
        (false, _) => Ok(gpus),
        (true, true) => Err(missing("the NVIDIA driver has no device".to_string())),
        (true, false) => {
            let all = refused.join(", ");
            Err(missing(format!("{all}: 7.0 is needed")))
        }
    }
}

/// The devices to be chosen from: every GPU that is alive and, if there are several, all of them as one.
pub(crate) fn devices() -> Result<Vec<Device>, Unavailable> {
    let gpus = gpus()?;
    let alive: Vec<&Arc<Gpu>> = gpus.iter().filter(|gpu| gpu.dead.get().is_none()).collect();
    let mut devices: Vec<Device> = alive.iter().map(|gpu| gpu.describe()).collect();
    if devices.is_empty() {
        let whys = gpus.iter().filter_map(|gpu| gpu.dead.get());
        let whys: Vec<&str> = whys.map(String::as_str).collect();
        return Err(Unavailable {
            reason: format!("can no longer be used by this process: {}", whys.join("; ")),
        });
    }
    if alive.len() > 1 {
        devices.push(Device {
            name: ALL.to_string(),
            description: format!("all {} GPUs, each a part of the elements", alive.len()),
            kind: DeviceKind::Gpu,
            driver: Some(alive[0].driver.clone()),
            memory: Some(alive.iter().map(|gpu| gpu.facts.memory).sum()),
            notes: Vec::new(),
            parts: alive.iter().map(|gpu| gpu.name.clone()).collect(),
        });
    }
    Ok(devices)
}

/// The GPUs that a device's name stands for; the first one without a name.
pub(crate) fn named(name: Option<&str>) -> Result<Vec<Arc<Gpu>>, BackendError> {
    let gpus = gpus().map_err(|why| BackendError::NoDevice(format!("cuda ({why})")))?;
    let found: Vec<Arc<Gpu>> = match name {
        None => gpus.iter().take(1).cloned().collect(),
        Some(ALL) if gpus.len() > 1 => gpus.to_vec(),
        Some(name) => gpus
            .iter()
            .filter(|gpu| gpu.name == name)
            .cloned()
            .collect(),
    };
    if found.is_empty() {
        let name = name.unwrap_or_default();
        let names: Vec<&str> = gpus.iter().map(|gpu| gpu.name.as_str()).collect();
        let there = names.join(", ");
        return Err(BackendError::NoDevice(format!(
            "cuda:{name}; there are: {there}"
        )));
    }
    Ok(found)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gpu {
    fn describe(&self) -> Device {
        let (major, minor) = self.facts.capability;
        let count = self.facts.multiprocessors;
        Device {
            name: self.name.clone(),
            description: self.facts.name.clone(),
            kind: DeviceKind::Gpu,
            driver: Some(self.driver.clone()),
            memory: Some(self.facts.memory),
            notes: vec![format!(
                "compute capability {major}.{minor}, {count} multiprocessors"
            )],
            parts: Vec::new(),
        }
    }

    /// As users write it.
    pub(crate) fn full_name(&self) -> String {
        format!("cuda:{}", self.name)
    }

    /// Makes the device's context the calling thread's; starts it when first asked for.
    ///
    /// # Errors
    /// [`BackendError::DeviceLost`] if it is dead, or what the driver says.
    pub(crate) fn bind(&self) -> Result<Started, BackendError> {
        if let Some(why) = self.dead.get() {
            let (device, why) = (self.full_name(), why.clone());
            return Err(BackendError::DeviceLost { device, why });
        }
        let started = match self.started.get() {
            Some(started) => *started,
            None => self.start_once()?,
        };
        started
            .context
            .bind()
            .map_err(|fault| self.error(&fault, 0))?;
        Ok(started)
    }

    /// An error is not remembered: one for want of memory may pass.
    fn start_once(&self) -> Result<Started, BackendError> {
        let _turn = locked(&self.starting);
        match self.started.get() {
            Some(started) => Ok(*started),
            None => self
                .start()
                .map(|started| *self.started.get_or_init(|| started)),
        }
    }

    fn start(&self) -> Result<Started, BackendError> {
        let start = || {
            let context = Context::retain(self.facts.handle)?;
            context.bind()?;
            Ok(Started {
                context,
                compute: Stream::new()?,
                upload: Stream::new()?,
                download: Stream::new()?,
            })
        };
        start().map_err(|fault: Fault| self.error(&fault, 0))
    }

    /// What an answer of the driver means; `bytes` is what was asked for, if it was memory. Marks the device dead
    /// if the driver will answer nothing else from now on.
    pub(crate) fn error(&self, fault: &Fault, bytes: usize) -> BackendError {
        let device = self.full_name();
        if fault.is_out_of_memory() {
            let bytes = bytes as u64;
            return BackendError::OutOfMemory { device, bytes };
        }
        if fault.is_sticky() {
            let why = self.dead.get_or_init(|| fault.line()).clone();
            return BackendError::DeviceLost { device, why };
        }
        BackendError::LaunchFailed(format!("`{device}`: {}", fault.line()))
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.get().is_some()
    }

    /// Gives back to the driver all memory that is kept for reuse.
    ///
    /// # Errors
    /// As [`Gpu::bind`].
    pub(crate) fn give_back_memory(&self) -> Result<(), BackendError> {
        self.bind()?;
        self.pool().clear();
        self.pinned().clear();
        Ok(())
    }

    /// Asks the driver for something, and once more if it had no memory and some was kept for reuse that can be given back. The
    /// device's context is the thread's.
    pub(crate) fn with_room<T>(&self, ask: impl Fn() -> Result<T, Fault>) -> Result<T, Fault> {
        ask().or_else(|fault| match self.has_made_room(&fault) {
            true => ask(),
            false => Err(fault),
        })
    }

    /// Whether a fault was for want of memory, and what was kept for reuse has been given back.
    pub(crate) fn has_made_room(&self, fault: &Fault) -> bool {
        let mut pool = self.pool();
        let has_some = fault.is_out_of_memory() && pool.bytes() > 0;
        if has_some {
            pool.clear();
        }
        has_some
    }

    pub(crate) fn pool(&self) -> MutexGuard<'_, Pool> {
        locked(&self.pool)
    }

    pub(crate) fn pinned(&self) -> MutexGuard<'_, PinnedPool> {
        locked(&self.pinned)
    }
}
