//! A device that tests simulate: memory of its own, computed on by the processor, with failures when they are asked for.
//!
//! It is there for tests of everything around back ends (choice, residency, transfers, fallback) on machines without a GPU, under
//! the word `sim`, once [`install`] was called or the environment variable `UFC_SIMULATED` is set.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use ufc_ir::ops::AnyOp;
use ufc_ir::{DType, Kind};
use ufc_target::{
    Action, Backend, BackendError, Buffer, CompileOptions, Device, DeviceArgs, DeviceKind,
    DeviceOperand, Executable, InnerLoop, LaunchArgs, LaunchControl, LaunchReport, Legal, Legality,
    Promise, Unavailable,
};

use super::entries;
use super::figures::{self, Known};
use super::model::Figures;
use crate::array::layout::{Offsets, extent};

/// What the simulated machine is like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What each device can do, as if measured: name and figures.
    pub figures: Vec<(&'static str, Figures)>,
    /// The allocation that finds no memory, counted from 1; all after it find some again.
    pub fail_allocation: Option<u64>,
    /// The launch that loses the device `0`, counted from 1: everything on it fails from then on.
    pub lose_at: Option<u64>,
    /// Bytes of memory on each device.
    pub memory: u64,
    /// How long the driver takes to start.
    pub start: Duration,
    /// How long it takes to compile a kernel.
    pub compile: Duration,
    /// Why there is no device at all.
    pub absent: Option<String>,
    /// What the driver says of every kernel instead of compiling it.
    pub refuse: Option<&'static str>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            figures: Vec::new(),
            fail_allocation: None,
            lose_at: None,
            memory: 1 << 30,
            start: Duration::ZERO,
            compile: Duration::ZERO,
            absent: None,
            refuse: None,
        }
    }
}

/// What the simulated machine has been asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Times that devices were looked for.
    pub starts: u64,
    /// Loops compiled, or refused.
    pub compilations: u64,
    /// Of these, how many might have been kept for other processes.
    pub kept: u64,
    /// Allocations asked for.
    pub allocations: u64,
    /// Launches asked for, on either kind of memory.
    pub launches: u64,
    /// Buffers that are there now.
    pub buffers: u64,
}

#[derive(Default)]
struct Machine {
    settings: Option<Settings>,
    counts: Counts,
    is_lost: bool,
    /// All memory of all devices.
    memory: BTreeMap<u64, Vec<u8>>,
    next: u64,
}

static MACHINE: Mutex<Option<Machine>> = Mutex::new(None);

/// The machine, for as long as the guard lives.
struct Lock(MutexGuard<'static, Option<Machine>>);

impl Lock {
    fn take() -> Lock {
        let mut guard = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        guard.get_or_insert_with(Machine::default);
        Lock(guard)
    }

    fn machine(&mut self) -> &mut Machine {
        self.0.get_or_insert_with(Machine::default)
    }

    fn settings(&mut self) -> Settings {
        let from_env = || from_env().clone().unwrap_or_default();
        self.machine().settings.get_or_insert_with(from_env).clone()
    }
}

/// One test at a time has the machine.
static TURN: Mutex<()> = Mutex::new(());

/// The simulated machine for one test; it is gone when this is dropped.
#[derive(Debug)]
pub struct Installed {
    _turn: MutexGuard<'static, ()>,
}

impl Drop for Installed {
    fn drop(&mut self) {
        *Lock::take().machine() = Machine::default();
        entries::reset_simulated();
        figures::replace(Known::default());
    }
}

/// Starts a new machine, nothing of it used yet. Waits until no other test has one.
pub fn install(settings: Settings) -> Installed {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut known = Known::default();
    for device in devices() {
        if let Some((_, figures)) = settings.figures.iter().find(|(n, _)| *n == device.name) {
            known.insert("sim", &device, *figures);
        }
    }
    let mut lock = Lock::take();
    *lock.machine() = Machine {
        settings: Some(settings),
        ..Machine::default()
    };
    drop(lock);
    entries::reset_simulated();
    super::choose::reset_spared();
    figures::replace(known);
    Installed { _turn: turn }
}

/// What has been asked for since [`install`].
pub fn counts() -> Counts {
    let mut lock = Lock::take();
    let machine = lock.machine();
    Counts {
        buffers: machine.memory.len() as u64,
        ..machine.counts
    }
}

/// Whether there is a simulated machine.
pub(super) fn is_installed() -> bool {
    from_env().is_some() || Lock::take().machine().settings.is_some()
}

/// What `UFC_SIMULATED` asks for, such as `lose=2,memory=100000`; anything else it may be asks for the default.
fn from_env() -> &'static Option<Settings> {
    static SETTINGS: OnceLock<Option<Settings>> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let text = std::env::var("UFC_SIMULATED").ok()?;
        let mut settings = Settings::default();
        for (name, value) in text.split(',').filter_map(|part| part.split_once('=')) {
            match (name, value.parse()) {
                ("oom", Ok(n)) => settings.fail_allocation = Some(n),
                ("lose", Ok(n)) => settings.lose_at = Some(n),
                ("memory", Ok(n)) => settings.memory = n,
                ("absent", _) => settings.absent = Some(value.to_string()),
                _ => {}
            }
        }
        Some(settings)
    })
}

fn devices() -> Vec<Device> {
    let device = |name: &str, description: &str, kind| Device {
        name: name.to_string(),
        description: description.to_string(),
        kind,
        driver: Some("simulated 1.0".to_string()),
        memory: None,
        ..Device::default()
    };
    vec![
        device("0", "simulated card", DeviceKind::Gpu),
        device("1", "simulated card", DeviceKind::Gpu),
        device("approx", "card that rounds loosely", DeviceKind::Gpu),
        device("soft", "software", DeviceKind::Software),
    ]
}

/// The simulated back end.
#[derive(Clone, Copy, Debug)]
pub(super) struct SimBackend;

/// What computes in truth.
fn inner() -> &'static dyn Backend {
    super::backend("cpu")
        .or_else(|_| super::backend("interp"))
        .expect("there is always an interpreter")
}

impl Backend for SimBackend {
    fn name(&self) -> &'static str {
        "sim"
    }

    fn devices(&self) -> Result<Vec<Device>, Unavailable> {
        let mut lock = Lock::take();
        let settings = lock.settings();
        let machine = lock.machine();
        machine.counts.starts += 1;
        let is_lost = machine.is_lost;
        drop(lock);
        std::thread::sleep(settings.start);
        if let Some(reason) = settings.absent {
            return Err(Unavailable { reason });
        }
        let mut devices = devices();
        devices.retain(|device| !(is_lost && device.name == "0"));
        devices
            .iter_mut()
            .for_each(|d| d.memory = Some(settings.memory));
        Ok(devices)
    }

    fn legality(&self, device: Option<&str>) -> &dyn Legality {
        match device {
            Some("approx") => &NoF64,
            _ => inner().legality(None),
        }
    }

    fn promise(&self, device: Option<&str>) -> Promise {
        match device {
            Some("approx") => Promise::Ulps(4),
            _ => Promise::Bits,
        }
    }

    fn compile(
        &self,
        func: &Legal,
        options: &CompileOptions,
    ) -> Result<Arc<dyn Executable>, BackendError> {
        let mut lock = Lock::take();
        lock.machine().counts.compilations += 1;
        lock.machine().counts.kept += u64::from(options.cache.is_some());
        if let Some(why) = lock.settings().refuse {
            return Err(BackendError::CompileFailed(why.to_string()));
        }
        let compile = lock.settings().compile;
        drop(lock);
        std::thread::sleep(compile);
        let plain = CompileOptions {
            device: None,
            ..options.clone()
        };
        let device = options.device.clone().unwrap_or_else(|| "0".to_string());
        Ok(Arc::new(SimLoop {
            inner: inner().compile(func, &plain)?,
            inputs: func.func().param_dtypes(),
            outputs: func.func().results.clone(),
            device,
        }))
    }

    fn emit(&self, func: &Legal, _: &CompileOptions, stage: &str) -> Result<String, BackendError> {
        match stage {
            "simtext" => Ok(format!("simulated {}\n", func.func().name)),
            _ => Err(BackendError::Unsupported(format!("the stage `{stage}`"))),
        }
    }

    fn stages(&self) -> &'static [(&'static str, &'static str)] {
        &[("simtext", "what the simulated device is given")]
    }

    fn allocate(&self, device: &str, bytes: usize) -> Result<Arc<dyn Buffer>, BackendError> {
        let mut lock = Lock::take();
        let settings = lock.settings();
        let machine = lock.machine();
        machine.check(device)?;
        machine.counts.allocations += 1;
        let taken: usize = machine.memory.values().map(Vec::len).sum();
        let is_full = (taken + bytes) as u64 > settings.memory;
        if is_full || settings.fail_allocation == Some(machine.counts.allocations) {
            return Err(BackendError::OutOfMemory {
                device: format!("sim:{device}"),
                bytes: bytes as u64,
            });
        }
        machine.next += 1;
        let id = machine.next;
        // Nobody may rely on what is in new memory.
        machine.memory.insert(id, vec![0xa5; bytes]);
        Ok(Arc::new(SimBuffer {
            id,
            bytes,
            device: device.to_string(),
        }))
    }

    fn synchronize(&self, device: &str) -> Result<(), BackendError> {
        Lock::take().machine().check(device)
    }
}

impl Machine {
    fn check(&self, device: &str) -> Result<(), BackendError> {
        match self.is_lost && device == "0" {
            false => Ok(()),
            true => Err(BackendError::DeviceLost {
                device: "sim:0".to_string(),
                why: "an illegal address was used".to_string(),
            }),
        }
    }

    fn launch(&mut self, settings: &Settings, device: &str) -> Result<(), BackendError> {
        self.counts.launches += 1;
        if settings.lose_at == Some(self.counts.launches) {
            self.is_lost = true;
        }
        self.check(device)
    }
}

/// What the device `approx` does natively: nothing on f64.
struct NoF64;

impl Legality for NoF64 {
    fn target(&self) -> &str {
        "sim"
    }

    fn action(&self, op: AnyOp, dtype: DType) -> Action {
        match dtype == DType::F64 || dtype == DType::C128 {
            true => Action::Unsupported,
            false => inner().legality(None).action(op, dtype),
        }
    }

    fn splits_complex(&self) -> bool {
        inner().legality(None).splits_complex()
    }

    fn convert(&self, from: DType, to: DType) -> Action {
        match from == DType::F64 || to == DType::F64 {
            true => Action::Unsupported,
            false => inner().legality(None).convert(from, to),
        }
    }
}

#[derive(Debug)]
struct SimBuffer {
    id: u64,
    bytes: usize,
    device: String,
}

impl SimBuffer {
    fn with<R>(
        &self,
        (offset, len): (usize, usize),
        f: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R, BackendError> {
        let mut lock = Lock::take();
        lock.machine().check(&self.device)?;
        let memory = lock.machine().memory.get_mut(&self.id);
        let part = memory.and_then(|bytes| bytes.get_mut(offset..offset.checked_add(len)?));
        let part = part.ok_or_else(|| {
            BackendError::LaunchFailed(format!("{len} bytes at {offset} of {}", self.bytes))
        })?;
        Ok(f(part))
    }
}

impl Buffer for SimBuffer {
    fn backend(&self) -> &'static str {
        "sim"
    }

    fn device(&self) -> &str {
        &self.device
    }

    fn size(&self) -> usize {
        self.bytes
    }

    fn address(&self) -> Option<u64> {
        None
    }

    fn upload(&self, offset: usize, bytes: &[u8]) -> Result<(), BackendError> {
        self.with((offset, bytes.len()), |part| part.copy_from_slice(bytes))
    }

    fn download(&self, offset: usize, bytes: &mut [u8]) -> Result<(), BackendError> {
        self.with((offset, bytes.len()), |part| bytes.copy_from_slice(part))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for SimBuffer {
    fn drop(&mut self) {
        Lock::take().machine().memory.remove(&self.id);
    }
}

#[derive(Debug)]
struct SimLoop {
    inner: Arc<dyn Executable>,
    inputs: Vec<DType>,
    outputs: Vec<DType>,
    device: String,
}

impl Executable for SimLoop {
    #[expect(
        unsafe_code,
        reason = "operands are raw memory that the caller vouches for"
    )]
    unsafe fn launch(
        &self,
        args: &LaunchArgs<'_>,
        control: &LaunchControl<'_>,
    ) -> Result<LaunchReport, BackendError> {
        let mut lock = Lock::take();
        let settings = lock.settings();
        lock.machine().launch(&settings, &self.device)?;
        let sizes = self.inputs.iter().chain(&self.outputs).map(|d| d.size());
        let moved: Vec<u64> = sizes
            .zip(args.strides)
            .map(|(size, strides)| {
                let axes = args.shape.iter().zip(*strides);
                let own = axes.filter(|(_, stride)| **stride != 0);
                own.map(|(len, _)| *len as u64).product::<u64>() * size as u64
            })
            .collect();
        let (up, down) = moved.split_at(self.inputs.len());
        // SAFETY: the caller vouches for the operands; the inner loop asks for the same as this one.
        unsafe { self.inner.launch(args, control)? };
        self.round_loosely(args);
        let report = LaunchReport {
            threads: 0,
            uploaded: up.iter().sum(),
            downloaded: down.iter().sum(),
            chunks: 1,
        };
        let total = report.uploaded + report.downloaded;
        Ok(LaunchReport {
            chunks: (total / settings.memory.max(1)) as usize + 1,
            ..report
        })
    }

    fn launch_on_device(
        &self,
        args: &DeviceArgs<'_>,
        control: &LaunchControl<'_>,
    ) -> Result<LaunchReport, BackendError> {
        let mut lock = Lock::take();
        let settings = lock.settings();
        lock.machine().launch(&settings, &self.device)?;
        let mut values: Vec<[u8; 16]> = Vec::with_capacity(args.operands.len());
        let mut pointers: Vec<*mut u8> = Vec::new();
        let dtypes = self.inputs.iter().chain(&self.outputs);
        for ((operand, strides), dtype) in args.operands.iter().zip(args.strides).zip(dtypes) {
            pointers.push(match operand {
                DeviceOperand::Value(bytes) => {
                    values.push(*bytes);
                    // The vector was made with room for all of them, so none moves.
                    values
                        .last_mut()
                        .map_or(std::ptr::null_mut(), |v| v.as_mut_ptr())
                }
                DeviceOperand::Buffer { buffer, offset } => {
                    let ours = buffer.as_any().downcast_ref::<SimBuffer>();
                    let ours = ours.filter(|ours| ours.device == self.device);
                    let memory = ours.and_then(|b| lock.machine().memory.get_mut(&b.id));
                    let stray = || BackendError::Unsupported("a buffer of another device".into());
                    let memory = memory.ok_or_else(stray)?;
                    check_reach(memory.len(), *offset, args.shape, strides, dtype.size())?;
                    memory.as_mut_ptr().wrapping_add(*offset)
                }
            });
        }
        let host = LaunchArgs {
            shape: args.shape,
            pointers: &pointers,
            strides: args.strides,
            indices: args.indices,
        };
        #[expect(unsafe_code, reason = "the simulated memory is given to a loop")]
        // SAFETY: each operand was found to lie in its buffer, which the lock keeps from others until the loop is done; how
        // operands overlap, the caller answers for as it does here.
        unsafe {
            self.inner.launch(&host, control)?;
        }
        self.round_loosely(&host);
        Ok(LaunchReport {
            chunks: 1,
            ..LaunchReport::default()
        })
    }

    fn threads(&self, _elements: usize, _control: &LaunchControl<'_>) -> (usize, String) {
        (0, "the device has its own".to_string())
    }

    fn inner_loop(&self) -> Option<InnerLoop> {
        None
    }
}

fn check_reach(
    bytes: usize,
    offset: usize,
    shape: &[usize],
    strides: &[isize],
    size: usize,
) -> Result<(), BackendError> {
    let reach = extent(shape, strides, size);
    let inside = reach.is_some_and(|(low, high)| {
        let end = |by| offset.checked_add_signed(by).is_some_and(|at| at <= bytes);
        end(low) && end(high)
    });
    match inside {
        true => Ok(()),
        false => Err(BackendError::Unsupported(
            "an operand that reaches out of its buffer".into(),
        )),
    }
}

impl SimLoop {
    /// On the device `approx`, moves every other float by a unit in the last place.
    fn round_loosely(&self, args: &LaunchArgs<'_>) {
        if self.device != "approx" || cfg!(target_endian = "big") {
            return;
        }
        for (i, dtype) in self.outputs.iter().enumerate() {
            if dtype.kind() != Kind::Float {
                continue;
            }
            let k = self.inputs.len() + i;
            for offset in Offsets::new(args.shape, args.strides[k]).step_by(2) {
                let element = args.pointers[k].wrapping_offset(offset);
                #[expect(unsafe_code, reason = "an element of an output is changed")]
                // SAFETY: whoever launches a loop vouches that every element of every output is writable.
                unsafe {
                    let last = *element;
                    // Zeros, infinities and most NaNs, whose last byte is zero, stay what they are.
                    if last != 0 {
                        *element = last ^ 1;
                    }
                }
            }
        }
    }
}
