//! Adapters and devices: found when first asked for, opened when first used, their errors kept from panicking.

use crate::kept::Kept;
use crate::memory::Pool;
use crate::probe;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use ufc_target::{BackendError, Device, DeviceKind, Unavailable};
use wgpu::{Backends, DeviceType, ErrorFilter, Features};

/// What a device can do, as far as shaders depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caps {
    /// Whether it has floats of 64 bits.
    pub(crate) f64: bool,
    /// Whether it has integers of 64 bits.
    pub(crate) i64: bool,
    /// Whether `fma` rounds once, on f32.
    pub(crate) exact_fma32: bool,
    /// The same on f64.
    pub(crate) exact_fma64: bool,
    /// Whether results of float operations must be kept from a compiler that may contract or reassociate.
    pub(crate) keep: bool,
}

impl Caps {
    /// What text is made for where there is no device to ask: every type, and no more promised than WGSL does.
    pub(crate) const PORTABLE: Caps = Caps {
        f64: true,
        i64: true,
        exact_fma32: false,
        exact_fma64: false,
        keep: false,
    };

    /// Lines on how `mul_add` is computed.
    fn notes(&self) -> Vec<String> {
        let of_f32 = match (self.exact_fma32, self.f64) {
            (true, _) => "the device's own `fma`, which rounds once",
            (false, true) => "made of f64, as the device's `fma` does not round once",
            (false, false) => "made of integers, as the device's `fma` does not round once",
        };
        let of_f64 = match self.exact_fma64 {
            true => "the device's own `fma`, which rounds once",
            false => "made of sums, as the device's `fma` does not round once",
        };
        let mut notes = vec![format!("`mul_add` of f32 is {of_f32}")];
        if self.f64 {
            notes.push(format!("`mul_add` of f64 is {of_f64}"));
        }
        notes
    }
}

/// The largest parts that a launch is cut into, and what a dispatch may have. Tests lower them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most bytes of one binding.
    pub(crate) binding: u64,
    /// What offsets of bindings are multiples of.
    pub(crate) alignment: u64,
    /// Most bindings of memory in a shader.
    pub(crate) bindings: u32,
    /// Most workgroups along a dimension of the grid.
    pub(crate) workgroups: u32,
    /// Most bytes that a part of a launch on host memory takes on the device.
    pub(crate) part: u64,
    /// Most bytes of one buffer.
    pub(crate) buffer: u64,
    /// Most turns that the loops of one element may take together.
    pub(crate) turns: u32,
}

/// Turns of loops that a GPU is given: most systems take a GPU that is busy for two seconds for hung.
const TURNS: u32 = 1 << 27;

/// Bytes of a part of a launch: large enough to hide its overhead, small enough that several are in flight.
const PART: u64 = 64 << 20;

/// An adapter that was found.
pub(crate) struct Found {
    pub(crate) device: Device,
    adapter: wgpu::Adapter,
    opened: OnceLock<Result<Arc<Gpu>, BackendError>>,
}

impl Found {
    /// The device, opened and measured on first use.
    ///
    /// # Errors
    /// If the driver does not open it.
    pub(crate) fn gpu(&self) -> Result<Arc<Gpu>, BackendError> {
        let opened = self.opened.get_or_init(|| {
            let limits = self.adapter.limits();
            let mut gpu = Gpu::open(&self.device.name, &self.adapter, limits)?;
            probe::measure(&mut gpu)?;
            Ok(Arc::new(gpu))
        });
        opened.clone()
    }

    /// What the list of devices says; of one that was opened before, what was found out about its arithmetic too.
    pub(crate) fn described(&self) -> Device {
        let mut device = self.device.clone();
        if let Some(Ok(gpu)) = self.opened.get() {
            device.notes.extend(gpu.caps.notes());
        }
        device
    }

    /// The device opened once more, with other limits, which wgpu holds us to.
    #[cfg(test)]
    pub(crate) fn with_limits(&self, change: impl FnOnce(&mut Limits)) -> Arc<Gpu> {
        let open = |limits| Gpu::open(&self.device.name, &self.adapter, limits);
        let whole = self.gpu().expect("the device opens");
        let mut limits = whole.limits.clone();
        change(&mut limits);
        let required = wgpu::Limits {
            max_storage_buffer_binding_size: limits.binding,
            min_storage_buffer_offset_alignment: limits.alignment as u32,
            max_storage_buffers_per_shader_stage: limits.bindings,
            max_compute_workgroups_per_dimension: limits.workgroups,
            ..self.adapter.limits()
        };
        let mut gpu = open(required).expect("the device opens again");
        gpu.caps = whole.caps.clone();
        gpu.limits = limits;
        Arc::new(gpu)
    }

    /// Whether it was opened and then lost.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.opened.get(), Some(Ok(gpu)) if gpu.lost().is_some())
    }
}

/// Every adapter, in order of preference; those that were lost are left out. Starts drivers on the first call.
///
/// # Errors
/// If there is none.
pub(crate) fn adapters() -> Result<Vec<&'static Found>, Unavailable> {
    static FOUND: OnceLock<Vec<Found>> = OnceLock::new();
    let found = FOUND.get_or_init(find);
    if found.is_empty() {
        let reason = "no Vulkan, Metal, DirectX 12 or GL driver with compute shaders was found";
        return Err(Unavailable {
            reason: reason.into(),
        });
    }
    let left: Vec<&Found> = found.iter().filter(|f| !f.is_lost()).collect();
    if left.is_empty() {
        let reason = "every device was lost".into();
        return Err(Unavailable { reason });
    }
    Ok(left)
}

/// The adapter that a name means: its own, its number in the list, or the first if none is named.
///
/// # Errors
/// If there is no such device.
pub(crate) fn adapter(name: Option<&str>) -> Result<&'static Found, BackendError> {
    let found = adapters().map_err(|why| BackendError::NoDevice(why.reason))?;
    let by_name = |name: &str| {
        let same = found.iter().find(|f| f.device.name == name);
        let by_number = || name.parse().ok().and_then(|n: usize| found.get(n));
        same.or_else(by_number)
    };
    let wanted = match name {
        Some(name) => by_name(name),
        None => found.first(),
    };
    wanted.copied().ok_or_else(|| {
        let names: Vec<&str> = found.iter().map(|f| f.device.name.as_str()).collect();
        let name = name.unwrap_or_default();
        BackendError::NoDevice(format!("wgpu:{name}; there are: {}", names.join(", ")))
    })
}

/// The devices that have f64, as `wgpu:NAME`.
pub(crate) fn with_f64() -> Vec<String> {
    let found = adapters().unwrap_or_default().into_iter();
    found
        .filter(|f| f.adapter.features().contains(WIDE))
        .map(|f| format!("`wgpu:{}`", f.device.name))
        .collect()
}

/// What there is, in order of preference. Starts drivers.
pub(crate) fn find() -> Vec<Found> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: Backends::VULKAN | Backends::METAL | Backends::DX12 | Backends::GL,
        // No debugging layers: they write to the terminal.
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapters = pollster::block_on(instance.enumerate_adapters(Backends::all()));
    let mut adapters: Vec<wgpu::Adapter> = adapters.into_iter().filter(computes).collect();
    adapters.sort_by_key(|adapter| {
        let info = adapter.get_info();
        let kind = match info.device_type {
            DeviceType::DiscreteGpu => 0,
            DeviceType::IntegratedGpu => 1,
            DeviceType::VirtualGpu => 2,
            DeviceType::Other => 3,
            DeviceType::Cpu => 4,
        };
        (kind, info.backend == wgpu::Backend::Gl)
    });
    let mut found: Vec<Found> = Vec::new();
    for adapter in adapters {
        let device = describe(&adapter, &found);
        found.push(Found {
            device,
            adapter,
            opened: OnceLock::new(),
        });
    }
    found
}

fn computes(adapter: &wgpu::Adapter) -> bool {
    let flags = adapter.get_downlevel_capabilities().flags;
    flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
        && adapter.limits().max_storage_buffers_per_shader_stage > 1
}

/// What the list of devices says about an adapter; the name is unlike those that are taken.
fn describe(adapter: &wgpu::Adapter, taken: &[Found]) -> Device {
    let info = adapter.get_info();
    let is_software = info.device_type == DeviceType::Cpu;
    let mut name = word_of(&info.name);
    let is_taken = |name: &str| taken.iter().any(|f| f.device.name == name);
    if is_taken(&name) {
        name = format!("{name}-{}", format!("{:?}", info.backend).to_lowercase());
    }
    let first = name.clone();
    for number in 2.. {
        if !is_taken(&name) {
            break;
        }
        name = format!("{first}-{number}");
    }
    let features = adapter.features();
    let mut notes = vec![format!("through {:?}", info.backend)];
    if !features.contains(WIDE) {
        notes.push("no f64".into());
    }
    if !features.contains(Features::SHADER_INT64) {
        notes.push("i64 and u64 as pairs of 32 bits".into());
    }
    if is_software {
        notes.push("software on the processor: used only when asked for by name".into());
    }
    Device {
        name,
        description: info.name.clone(),
        kind: if is_software {
            DeviceKind::Software
        } else {
            DeviceKind::Gpu
        },
        driver: Some(
            format!("{} {}", info.driver, info.driver_info)
                .trim()
                .into(),
        ),
        memory: None,
        notes,
        parts: Vec::new(),
    }
}

/// A device's name as one word: `llvmpipe (LLVM 15.0.6, 256 bits)` is `llvmpipe`.
fn word_of(name: &str) -> String {
    let name = name.split(['(', '/']).next().unwrap_or_default();
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    if words.is_empty() {
        "device".into()
    } else {
        words.join("-")
    }
}

/// What f64 takes: its helpers are written with integers of its size.
const WIDE: Features = Features::SHADER_F64.union(Features::SHADER_INT64);

/// A device that is open.
pub(crate) struct Gpu {
    pub(crate) name: String,
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) caps: Caps,
    pub(crate) limits: Limits,
    /// Whether shaders are given as SPIR-V.
    pub(crate) takes_spirv: bool,
    backend: wgpu::Backend,
    pub(crate) pool: Pool,
    /// The flag that loops of launches on device memory set, once there were any.
    pub(crate) status: OnceLock<wgpu::Buffer>,
    /// Whether there were launches since the flag was last looked at.
    pub(crate) has_looped: AtomicBool,
    lost: Arc<Mutex<Option<String>>>,
    /// The name of the file for what the driver made of shaders; none if it gives nothing out.
    pub(crate) kept_name: Option<String>,
    /// What it made of them, by the folder where it is kept.
    kept: Mutex<BTreeMap<PathBuf, Option<Arc<Kept>>>>,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "wgpu:{}", self.name)
    }
}

impl Gpu {
    fn open(
        name: &str,
        adapter: &wgpu::Adapter,
        limits: wgpu::Limits,
    ) -> Result<Gpu, BackendError> {
        let has = adapter.features();
        let info = adapter.get_info();
        let mut features = has
            & (Features::SHADER_INT64 | Features::PASSTHROUGH_SHADERS | Features::PIPELINE_CACHE);
        if has.contains(WIDE) {
            features |= WIDE;
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("ufc"),
            required_features: features,
            required_limits: limits.clone(),
            ..wgpu::DeviceDescriptor::default()
        };
        let opened = pollster::block_on(adapter.request_device(&descriptor));
        let (device, queue) = opened.map_err(|error| {
            BackendError::NoDevice(format!("wgpu:{name} does not open: {error}"))
        })?;
        let lost = Arc::new(Mutex::new(None));
        let note = |lost: &Arc<Mutex<Option<String>>>| {
            let lost = Arc::clone(lost);
            move |why: String| {
                let mut lost = lost.lock().unwrap_or_else(PoisonError::into_inner);
                lost.get_or_insert(why);
            }
        };
        let on_loss = note(&lost);
        device.set_device_lost_callback(move |reason, text| {
            on_loss(format!("{reason:?}: {text}"));
        });
        // What no scope of ours caught: wgpu's own handler would panic.
        let on_error = note(&lost);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            on_error(error.to_string());
        }));
        let takes_spirv = info.backend == wgpu::Backend::Vulkan
            && features.contains(Features::PASSTHROUGH_SHADERS);
        let binding = limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size)
            .min(1 << 31);
        Ok(Gpu {
            name: name.to_string(),
            device,
            queue,
            caps: Caps {
                f64: features.contains(WIDE),
                i64: features.contains(Features::SHADER_INT64),
                exact_fma32: false,
                exact_fma64: false,
                keep: !takes_spirv,
            },
            limits: Limits {
                binding: binding & !255,
                alignment: u64::from(limits.min_storage_buffer_offset_alignment).max(4),
                bindings: limits.max_storage_buffers_per_shader_stage,
                workgroups: limits.max_compute_workgroups_per_dimension,
                part: PART.min(binding),
                buffer: limits.max_buffer_size,
                turns: TURNS,
            },
            takes_spirv,
            backend: info.backend,
            pool: Pool::default(),
            status: OnceLock::new(),
            has_looped: AtomicBool::new(false),
            lost,
            kept_name: match features.contains(Features::PIPELINE_CACHE) {
                true => wgpu::util::pipeline_cache_key(&info),
                false => None,
            },
            kept: Mutex::default(),
        })
    }

    /// What the driver made of shaders, as kept in a folder; none if it gives nothing out.
    pub(crate) fn kept(&self, folder: &Path) -> Option<Arc<Kept>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.get(folder) {
            return found.clone();
        }
        let opened = Kept::open(self, folder).map(Arc::new);
        kept.insert(folder.to_path_buf(), opened.clone());
        opened
    }

    fn lost_text(&self) -> MutexGuard<'_, Option<String>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the device cannot be used any more, if so.
    pub(crate) fn lost(&self) -> Option<BackendError> {
        let why = self.lost_text().clone()?;
        Some(BackendError::DeviceLost {
            device: format!("wgpu:{}", self.name),
            why,
        })
    }

    /// Waits for its turn where threads must take turns; held until the work is done. No more than one at a time.
    ///
    /// wgpu gives up on a thread that waits for GL's context while another one has it for more than 6 seconds (1 on
    /// Windows): it panics. Compiling a shader may take that long.
    fn turn(&self) -> Option<MutexGuard<'static, ()>> {
        static TURN: Mutex<()> = Mutex::new(());
        let takes_turns = self.backend == wgpu::Backend::Gl;
        takes_turns.then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether nobody tells when there is no memory: wgpu does not ask GL.
    pub(crate) fn hides_lack_of_memory(&self) -> bool {
        self.backend == wgpu::Backend::Gl
    }

    /// Frees what the driver made, in turn.
    pub(crate) fn release<T>(&self, what: T) {
        let _turn = self.turn();
        drop(what);
    }

    /// Ends the mapping of a buffer.
    pub(crate) fn unmap(&self, buffer: &wgpu::Buffer) {
        let _turn = self.turn();
        buffer.unmap();
    }

    /// Does something with the device; what it reports becomes an error.
    ///
    /// # Errors
    /// [`BackendError::OutOfMemory`] with this number of bytes, [`BackendError::DeviceLost`], or a bug of ours.
    pub(crate) fn checked<T>(
        &self,
        bytes: u64,
        what: impl FnOnce() -> T,
    ) -> Result<T, BackendError> {
        if let Some(lost) = self.lost() {
            return Err(lost);
        }
        let _turn = self.turn();
        let filters = [
            ErrorFilter::OutOfMemory,
            ErrorFilter::Validation,
            ErrorFilter::Internal,
        ];
        let scopes = filters.map(|filter| self.device.push_error_scope(filter));
        let value = what();
        let mut found = None;
        for scope in scopes.into_iter().rev() {
            found = found.or(pollster::block_on(scope.pop()));
        }
        match found {
            None => match self.lost() {
                Some(lost) => Err(lost),
                None => Ok(value),
            },
            Some(wgpu::Error::OutOfMemory { .. }) => Err(BackendError::OutOfMemory {
                device: format!("wgpu:{}", self.name),
                bytes,
            }),
            Some(error) => match self.lost() {
                Some(lost) => Err(lost),
                None => Err(BackendError::CompileFailed(error.to_string())),
            },
        }
    }

    /// Waits until the device is done with what it was given.
    ///
    /// # Errors
    /// If it was lost.
    pub(crate) fn wait(&self, until: Option<wgpu::SubmissionIndex>) -> Result<(), BackendError> {
        let turn = self.turn();
        let polled = self.device.poll(wgpu::PollType::Wait {
            submission_index: until,
            timeout: None,
        });
        if polled.is_err() {
            // The submission may have been refused because the device is lost, which only comes to be known by this.
            let _ = self.device.poll(wgpu::PollType::Poll);
        }
        drop(turn);
        if let Some(lost) = self.lost() {
            return Err(lost);
        }
        polled
            .map(|_| ())
            .map_err(|error| BackendError::LaunchFailed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::word_of;

    #[test]
    fn names_are_one_word() {
        assert_eq!(word_of("llvmpipe (LLVM 15.0.6, 256 bits)"), "llvmpipe");
        assert_eq!(word_of("NVIDIA H200"), "nvidia-h200");
        assert_eq!(
            word_of("AMD Radeon RX 7900 XT (RADV NAVI31)"),
            "amd-radeon-rx-7900-xt"
        );
        assert_eq!(
            word_of("SwiftShader Device (LLVM 10.0.0)"),
            "swiftshader-device"
        );
        assert_eq!(word_of("()"), "device");
    }
}
